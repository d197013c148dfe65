"""Commands that train detectors and judge them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from core.cli.shared import Json, Pose, Stride, Wandb, WandbUpload, Weights, bar, open_workspace, pose_settings, say
from core.errors import UserError
from core.settings import FeatureSet, ModelKind, PoseSettings, RunSettings, TrainSettings


def train(
    video: Annotated[list[Path] | None, typer.Option(help="A labelled video; repeat for more.")] = None,
    labels: Annotated[list[Path] | None, typer.Option(help="Its labels, in the same order.")] = None,
    everything: Annotated[
        bool, typer.Option("--all", help="Learn from all sessions of the workspace that were labelled or reviewed.")
    ] = False,
    out: Annotated[Path, typer.Option(help="Where to write the model.")] = Path("model.skops"),
    feature_set: Annotated[FeatureSet, typer.Option(help="What the model sees.")] = "motion",
    model: Annotated[ModelKind, typer.Option(help="Forest, logistic regression or gradient boosting.")] = "rf",
    label: Annotated[str | None, typer.Option(help="Learn only from intervals with this label.")] = None,
    never_miss: Annotated[
        float | None,
        typer.Option(
            metavar="RECALL",
            min=0,
            max=1,
            help="Share of the tricks to find, whatever false alarms that costs; else as many right as possible.",
        ),
    ] = None,
    seed: Annotated[int, typer.Option(help="Of everything random.")] = 42,
    pose: Pose = "auto",
    weights: Weights = None,
    stride: Stride = 2,
    metrics_run_name: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Learn from what the W&B run of this name logged, instead of a --video."),
    ] = None,
    wandb: Wandb = False,
    upload: WandbUpload = False,
    as_json: Json = False,
) -> None:
    """Train a detector on labelled videos, or with --all on everything that was labelled and reviewed, and say how good
    it is on what it was not trained on."""
    from core import corrections, training, validate
    from core.atomic import check_folder
    from core.wandb_log import knobs, logged

    video, labels = video or [], labels or []
    if metrics_run_name and (everything or video or label):
        raise UserError("--metrics-run-name says what to learn from: leave out --all, --video and --label.")
    if everything and (video or labels or label):
        raise UserError("--all learns from the workspace: leave out --video, --labels and --label, or leave out --all.")
    if not (everything or video or metrics_run_name):
        raise UserError("Give a --video with its --labels to learn from, or --all for what is in the workspace.")
    if metrics_run_name and len(labels) > 1:
        raise UserError("--metrics-run-name takes one --labels at most.")
    if not metrics_run_name and len(video) != len(labels):
        raise UserError(
            f"{len(video)} --video and {len(labels)} --labels were given: give one label file for each video."
        )
    check_folder(out.parent)
    settings = TrainSettings(feature_set=feature_set, model=model, seed=seed)
    looking = pose_settings(pose, weights, stride)
    config = knobs(RunSettings(pose=looking, train=settings), trains=True) | {
        "metrics_run_name": metrics_run_name,
        "label": label,
    }
    metrics = _metrics(metrics_run_name, labels, feature_set) if metrics_run_name else None
    with open_workspace() as workspace, logged(wandb, "train", config, upload=upload) as log:
        skipped: list[str] = []
        lessons: list[Any] = []
        if metrics:
            log.use(metrics.artifacts)
            labelled, backends = list(metrics.labelled), list(metrics.backends)
            names = [one.example.name for one in labelled]
        else:
            if everything:
                with bar("workspace") as progress:
                    gathering = (lambda done: progress("gathering what was decided", done)) if progress else None
                    lessons, skipped = corrections.lessons(workspace, gathering)
                say(skipped)
                if not lessons:
                    raise UserError("No session teaches anything: label one, or review what was found in it.")
                for lesson in lessons:
                    log.raw_footage(lesson.session.path)
            else:
                lessons = [_lesson(workspace, *pair, label, looking, log) for pair in zip(video, labels, strict=True)]
            labelled, backends = [lesson.labelled for lesson in lessons], [lesson.backend for lesson in lessons]
            names = [lesson.session.name for lesson in lessons]
        log.labels(labelled)
        with bar(out.name) as progress:
            trained = training.train(
                labelled,
                settings,
                backends,
                progress,
                wanted_recall=never_miss,
                replayed=everything,
                names=names,
            )
        if trained.unvalidated:
            say([f"Not validated: {trained.unvalidated}"])
        elif trained.untuned:
            say([trained.untuned])
        trained.detector.save(out)
        sessions = {"sessions": [lesson.session.id for lesson in lessons]} if everything else {}
        workspace.add_model(out, out.stem, {**trained.meta, **sessions})
        log.training(trained, labelled)
        log.model(out, trained)
    say([log.told] if log.told else [])
    if as_json:
        told = {"model": str(out), "validation": trained.detector.meta["validation"]}
        if everything:
            told |= {"sessions": names, "skipped": skipped}
            told |= {"learning_curve": trained.detector.meta.get("learning_curve", [])}
        typer.echo(json.dumps({**told, "events": trained.detector.events.model_dump()}, allow_nan=False))
    else:
        typer.echo(validate.report(trained.outcomes) if trained.outcomes else "")
        typer.echo(f"Model written to {out}, with a threshold of {trained.detector.events.default_threshold:g}")


def evaluate(
    labels: Annotated[Path, typer.Option(help="The true tricks.")],
    events: Annotated[Path, typer.Option(help="What trickline run --json or detect --json printed.")],
    video: Annotated[
        Path | None,
        typer.Option(help="The video, if it is not where the events say; then detectors are compared on it too."),
    ] = None,
    report: Annotated[
        Path | None, typer.Option(help="A web page to write, .html, with clips of what was missed and of false alarms.")
    ] = None,
    max_clips: Annotated[int, typer.Option(min=0, help="Most clips in the report.")] = 60,
    model: Annotated[
        Path | None, typer.Option(help="The model that found the events: with --video the report says why.")
    ] = None,
    threshold: Annotated[
        float | None, typer.Option(min=0, max=1, help="The threshold at which they were found, if it was given.")
    ] = None,
    pose: Pose = "auto",
    weights: Weights = None,
    stride: Stride = 2,
    as_json: Json = False,
) -> None:
    """Compare found tricks with true ones; with --video, also other detectors.

    These are the starter, the motion model and the original's recipe, each on what it was not trained on.
    """
    from core import pipeline, sighting, validate
    from core.detector import Detector, TrickDetector, starter
    from core.evaluate import event_metrics, format_table
    from core.labels import read_labels
    from core.labels.label_set import check_within
    from core.video import Video

    if report:
        from core.report import check_target

        check_target(report)
    if (model or threshold is not None) and not (report and video):
        raise UserError("--model and --threshold tell a report why something was found: add --report and --video.")
    detector: Detector = TrickDetector.load(model) if model else starter()
    found = read_labels(events, video=video, may_be_empty=True)
    path = video or Path(found.name or "")
    if not video and not path.is_file():
        where = f"names a video that is not there ({found.name})" if found.name else "names no video"
        raise UserError(f"{events.name} {where}, and times need the video: give its path with --video.")
    opened = Video.open(path)
    truth = pipeline.labels_for(labels, opened)
    check_within(found, opened.n_frames, events.name)
    rows: dict[str, Any] = {events.name: event_metrics(truth, found.intervals, opened.pts_s)}
    seen = None
    if video:
        with open_workspace() as workspace, bar(video.name) as progress:
            seen = sighting.look(video, workspace, pose_settings(pose, weights, stride), progress=progress)
        try:
            outcomes = validate.compare([validate.Labelled(seen.example(truth), opened.pts_s)], TrainSettings())
            rows |= {name: outcome.events for name, outcome in outcomes.items()}
        except UserError as error:
            say([f"Detectors were not compared: {error}"])
    if as_json:
        typer.echo(json.dumps({name: row.to_json() for name, row in rows.items()}, allow_nan=False))
    else:
        typer.echo(format_table(rows))
    if report:
        from core.report import STARTER, Evaluation, Judge, write_report

        judge = Judge.of(seen, detector, model.name if model else STARTER, threshold) if seen else None
        compared = Evaluation(opened, truth, found.intervals, labels.name, events.name, rows, seen, judge)
        with bar(path.name) as progress:
            faults = write_report(report, compared, max_clips, progress)
        say(faults)
        say([f"Report written to {report} ({report.stat().st_size / 1e6:.1f} MB)."])


def _metrics(name: str, labels: list[Path], feature_set: FeatureSet) -> Any:
    """What a run of W&B teaches, by its own labels or those of a file."""
    from core.wandb_log import find_metrics

    metrics = find_metrics(name)
    metrics.check(feature_set)
    if labels:
        return metrics.with_labels(labels[0])
    if not any(one.truth for one in metrics.labelled):
        raise UserError(f"The run {name} logged no labels: give the --labels of its video.")
    return metrics


def _lesson(workspace: Any, video: Path, labels: Path, label: str | None, looking: PoseSettings, log: Any) -> Any:
    """What a video and its label file teach; the labels are kept."""
    from core import pipeline, sighting
    from core.corrections import Lesson
    from core.validate import Labelled
    from core.video import Video

    everything = pipeline.labels_for(labels, Video.open(video))
    truth = pipeline.with_label(everything, label, labels.name)
    with bar(video.name) as progress:
        seen = sighting.look(video, workspace, looking, progress=progress)
    pipeline.keep_labels(workspace, seen.content, everything, str(labels))
    log.raw_footage(video)
    log.movement_metrics(seen, truth)
    return Lesson(workspace.session(seen.content), Labelled(seen.example(truth), seen.video.pts_s), seen.backend)
