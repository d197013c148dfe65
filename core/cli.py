"""The command line. Results go to stdout, everything else to stderr; exit 0 only if all was done, 2 for a user's
mistake."""

from __future__ import annotations

import errno
import json
import logging
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from core.errors import Cancelled, UserError
from core.framing import Aspect
from core.settings import (
    ClipSettings,
    CutMode,
    FeatureSet,
    ModelKind,
    PoseBackend,
    PoseSettings,
    RunSettings,
    TrainSettings,
)
from core.timecode import clock

_STOPPED = 130
"""Exit code of a program that Ctrl-C ended: 128 and the number of the signal."""

app = typer.Typer(
    help="Footage in, tricks found, clips out.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
models = typer.Typer(help="Weights of pose networks.", no_args_is_help=True)
app.add_typer(models, name="models")

Pose = Annotated[PoseBackend, typer.Option(help="Who finds the people; auto takes YOLO if its weights are there.")]
Weights = Annotated[
    Path | None,
    typer.Option(help="YOLO-pose weights: .pt, .onnx or an OpenVINO folder (Ultralytics' own are AGPL-3.0)."),
]
Stride = Annotated[int, typer.Option(min=1, help="Look at every n-th frame.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON on stdout.")]
Mode = Annotated[CutMode, typer.Option(help="exact encodes anew; fast copies and starts at the keyframe before.")]
Threshold = Annotated[float | None, typer.Option(min=0, max=1, help="Probability from which on it is a trick.")]


@app.command()
def run(
    videos: Annotated[list[Path], typer.Argument(metavar="VIDEO...", show_default=False)],
    labels: Annotated[Path | None, typer.Option(help="True tricks in this video: train on them first.")] = None,
    model: Annotated[Path | None, typer.Option(help="A model that trickline train wrote.")] = None,
    pose: Pose = "auto",
    weights: Weights = None,
    stride: Stride = 2,
    threshold: Threshold = None,
    mode: Mode = "exact",
    out: Annotated[Path, typer.Option(help="Folder for the clips.")] = Path("clips"),
    as_json: Json = False,
) -> None:
    """Find the tricks and cut them out. Without a model and labels the starter decides."""
    from core import pipeline

    if labels and model:
        raise UserError("Give --labels to train on or a --model to use, not both.")
    if labels and len(videos) > 1:
        raise UserError("--labels are those of one video: give one video, or train on several with trickline train.")
    settings = RunSettings(pose=_pose(pose, weights, stride), clips=ClipSettings(mode=mode), threshold=threshold)
    failed = False
    with _workspace() as workspace:
        for video in videos:
            try:
                with _bar(video.name) as progress:
                    result = pipeline.run(video, workspace, settings, out, labels, model, progress)
            except UserError as error:
                # One bad file stops nothing.
                typer.echo(f"trickline: {error}", err=True)
                failed = True
                continue
            _say(result.warnings)
            if as_json:
                typer.echo(json.dumps(result.to_json(), allow_nan=False))
            else:
                _print_result(result)
    if failed:
        raise typer.Exit(2)


@app.command()
def process(
    video: Path,
    out: Annotated[Path, typer.Option(help="Parquet file for the movement metrics.")],
    pose: Pose = "auto",
    weights: Weights = None,
    stride: Stride = 2,
    as_json: Json = False,
) -> None:
    """Measure the skater's movements: one row per sampled frame that passed the guardrails."""
    from core import pipeline
    from core.atomic import atomic_path, check_folder

    check_folder(out.parent)
    with _workspace() as workspace, _bar(video.name) as progress:
        seen = pipeline.look(video, workspace, _pose(pose, weights, stride), progress=progress)
    metrics = seen.signals.movement_metrics
    with atomic_path(out) as temporary:
        metrics.to_parquet(temporary)
    counts = {"out": str(out), "sampled": seen.camera.n, "rows": len(metrics), "rejected": seen.signals.rejections}
    if as_json:
        typer.echo(json.dumps(counts))
    else:
        rejected = ", ".join(
            f"{count} {reason.replace('_', ' ')}" for reason, count in seen.signals.rejections.items() if count
        )
        typer.echo(f"{len(metrics)} of {seen.camera.n} frames usable ({rejected or 'none rejected'}), written to {out}")


@app.command()
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
    as_json: Json = False,
) -> None:
    """Train a detector on labelled videos, or with --all on everything that was labelled and reviewed, and say how good
    it is on what it was not trained on."""
    from core import corrections, training, validate
    from core.atomic import check_folder

    video, labels = video or [], labels or []
    if everything and (video or labels or label):
        raise UserError("--all learns from the workspace: leave out --video, --labels and --label, or leave out --all.")
    if not everything and not video:
        raise UserError("Give a --video with its --labels to learn from, or --all for what is in the workspace.")
    if len(video) != len(labels):
        raise UserError(
            f"{len(video)} --video and {len(labels)} --labels were given: give one label file for each video."
        )
    check_folder(out.parent)
    settings = TrainSettings(feature_set=feature_set, model=model, seed=seed)
    with _workspace() as workspace:
        skipped: list[str] = []
        if everything:
            with _bar("workspace") as progress:
                gathering = (lambda done: progress("gathering what was decided", done)) if progress else None
                lessons, skipped = corrections.lessons(workspace, gathering)
            _say(skipped)
            if not lessons:
                raise UserError("No session teaches anything: label one, or review what was found in it.")
        else:
            looking = _pose(pose, weights, stride)
            lessons = [_lesson(workspace, *pair, label, looking) for pair in zip(video, labels, strict=True)]
        with _bar(out.name) as progress:
            trained = training.train(
                [lesson.labelled for lesson in lessons],
                settings,
                [lesson.backend for lesson in lessons],
                progress,
                wanted_recall=never_miss,
                replayed=everything,
                names=[lesson.session.name for lesson in lessons],
            )
        if trained.unvalidated:
            _say([f"Not validated: {trained.unvalidated}"])
        elif trained.untuned:
            _say([trained.untuned])
        trained.detector.save(out)
        sessions = {"sessions": [lesson.session.id for lesson in lessons]} if everything else {}
        workspace.add_model(out, out.stem, {**trained.meta, **sessions})
    if as_json:
        told = {"model": str(out), "validation": trained.detector.meta["validation"]}
        if everything:
            told |= {"sessions": [lesson.session.name for lesson in lessons], "skipped": skipped}
            told |= {"learning_curve": trained.detector.meta.get("learning_curve", [])}
        typer.echo(json.dumps({**told, "events": trained.detector.events.model_dump()}, allow_nan=False))
    else:
        typer.echo(validate.report(trained.outcomes) if trained.outcomes else "")
        typer.echo(f"Model written to {out}, with a threshold of {trained.detector.events.default_threshold:g}")


@app.command()
def detect(
    video: Path,
    model: Annotated[Path, typer.Option(help="A model that trickline train wrote.")],
    threshold: Threshold = None,
    pose: Pose = "auto",
    weights: Weights = None,
    stride: Stride = 2,
    as_json: Json = False,
) -> None:
    """Find the tricks with a trained model, without cutting."""
    from core import pipeline

    settings = RunSettings(pose=_pose(pose, weights, stride), threshold=threshold)
    with _workspace() as workspace, _bar(video.name) as progress:
        result = pipeline.run(video, workspace, settings, None, model=model, progress=progress)
    _say(result.warnings)
    if as_json:
        typer.echo(json.dumps(result.to_json(), allow_nan=False))
    else:
        _print_result(result)


@app.command()
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
    from core import pipeline, validate
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
        with _workspace() as workspace, _bar(video.name) as progress:
            seen = pipeline.look(video, workspace, _pose(pose, weights, stride), progress=progress)
        try:
            outcomes = validate.compare([validate.Labelled(seen.example(truth), opened.pts_s)], TrainSettings())
            rows |= {name: outcome.events for name, outcome in outcomes.items()}
        except UserError as error:
            _say([f"Detectors were not compared: {error}"])
    if as_json:
        typer.echo(json.dumps({name: row.to_json() for name, row in rows.items()}, allow_nan=False))
    else:
        typer.echo(format_table(rows))
    if report:
        from core.report import STARTER, Evaluation, Judge, write_report

        judge = Judge.of(seen, detector, model.name if model else STARTER, threshold) if seen else None
        compared = Evaluation(opened, truth, found.intervals, labels.name, events.name, rows, seen, judge)
        with _bar(path.name) as progress:
            faults = write_report(report, compared, max_clips, progress)
        _say(faults)
        _say([f"Report written to {report} ({report.stat().st_size / 1e6:.1f} MB)."])


@app.command()
def convert(
    source: Annotated[Path, typer.Argument(metavar="IN", show_default=False)],
    target: Annotated[Path, typer.Argument(metavar="OUT", show_default=False)],
    video: Annotated[Path | None, typer.Option(help="Their video: adds times, and what CVAT wants to know.")] = None,
) -> None:
    """Turn labels into another format: CVAT XML, Label Studio JSON (.ls.json), CSV or events JSON. IN is recognised by
    its content, OUT by its ending."""
    import dataclasses

    from core.labels import read_labels, write_labels
    from core.labels.label_set import check_within
    from core.video import Video

    opened = Video.open(video) if video else None
    pts_s = opened.pts_s if opened else None
    labels = read_labels(source, pts_s, video)
    _say(labels.warnings)
    if opened:
        check_within(labels, opened.n_frames, source.name)
        info = opened.info
        labels = dataclasses.replace(
            labels,
            n_frames=opened.n_frames,
            width=info.width,
            height=info.height,
            fps=info.average_rate,
            name=opened.path.name,
        )
    write_labels(target, labels, pts_s)
    _say([f"{len(labels.intervals)} intervals written to {target}"])


@app.command()
def export(
    video: Path,
    events: Annotated[Path, typer.Option(help="What run --json or detect --json printed, or any label file.")],
    out: Annotated[Path, typer.Option(help="Folder for the files.")] = Path("clips"),
    mode: Mode = "exact",
    aspect: Annotated[
        Aspect,
        typer.Option(help="Shape of the clips; all but source follow the skater. GIF and WebP show the whole picture."),
    ] = "source",
    formats: Annotated[
        str,
        typer.Option(
            help="With commas: clips, otio, edl, fcpxml, xmeml, llc, chapters, ffmetadata, csv, gif, webp, contact."
        ),
    ] = "clips",
    padding: Annotated[float, typer.Option(min=0, metavar="S", help="Seconds shown before and after.")] = 2.0,
    name: Annotated[
        str, typer.Option(metavar="TEMPLATE", help="Of the clips; it may hold {session}, {index}, {label}, {start}.")
    ] = "{session}_{index:02d}_{label}",
    as_json: Json = False,
) -> None:
    """Cut the clips of known events, and make lists for video editors, animations and a contact sheet of them."""
    from core import pipeline
    from core.export import ExportOptions
    from core.export import export as write
    from core.video import Video

    kinds: Any = tuple(kind.strip() for kind in formats.split(",") if kind.strip())
    options = ExportOptions(kinds, aspect, ClipSettings(mode=mode, clip_padding_s=padding), name)
    opened = Video.open(video)
    wanted = pipeline.labels_for(events, opened, may_be_empty=True)
    with _workspace() as workspace, _bar(video.name) as progress:
        done = write(opened, wanted, workspace, out, options, progress)
    if as_json:
        typer.echo(json.dumps(done.to_json(), allow_nan=False))
        return
    _say(done.notes)
    for file in done.files:
        _print_file(done.out / file.name, file)


@app.command()
def bench(video: Path, pose: Pose = "auto", weights: Weights = None, stride: Stride = 2, as_json: Json = False) -> None:
    """Measure how long looking at a video takes on this machine, nothing kept and nothing taken from before."""
    from core.benchmark import measure

    figures = measure(video, _pose(pose, weights, stride))
    if as_json:
        typer.echo(json.dumps(figures))
    else:
        for name, value in figures.items():
            typer.echo(f"{name:24} {value}")


@app.command()
def worker(once: Annotated[bool, typer.Option("--once", help="End when no job is left.")] = False) -> None:
    """Do the jobs that the app has queued, until Ctrl-C. The app starts a worker by itself; there is one at a time."""
    import math

    from core.worker import work

    with _workspace() as workspace:
        work(workspace, idle_s=0.0 if once else math.inf)


@app.command()
def doctor() -> None:
    """Say what is installed, which parts work, and how to get what is missing."""
    from core.doctor import examine

    with _workspace() as workspace:
        checks = examine(workspace)
    for check in checks:
        typer.echo(
            f"{'ok     ' if check.works else 'missing' if check.optional else 'BROKEN '} {check.name:22} {check.note}"
        )
    if any(not check.works and not check.optional for check in checks):
        raise typer.Exit(1)


@models.command("get")
def models_get(
    name: Annotated[str, typer.Argument(help="Such as yolov8n-pose, yolo11n-pose or yolo26n-pose.")],
) -> None:
    """Fetch YOLO-pose weights through Ultralytics. They are AGPL-3.0."""
    from core.pose import yolo

    with _workspace() as workspace:
        weights = yolo.fetch(name, workspace.home / "weights")
    _say([f"{name}: weights by Ultralytics, licence {yolo.LICENCE}."])
    typer.echo(str(weights))


def main() -> None:
    """Entry point of the ``trickline`` command."""
    logging.basicConfig(level=logging.WARNING, format="trickline: %(message)s", stream=sys.stderr)
    if not sys.warnoptions:
        warnings.simplefilter("ignore")  # what libraries have to say to programmers; python -W shows it
    try:
        code = app(prog_name="trickline", standalone_mode=False)
    except UserError as error:
        _say([error])
        code = 2
    except typer.TyperException as error:
        _say_misuse(error)
        code = 2
    except OSError as error:
        if error.errno != errno.ENOSPC or error.filename is not None:
            raise
        _say(["The results cannot be printed, because the disk is full; free some space and try again."])
        code = 2
    except (Cancelled, KeyboardInterrupt):
        code = _STOPPED
    if code == _STOPPED:  # Typer, too, turns Ctrl-C into this
        _say(["stopped; what was finished is kept, run it again to carry on."])
    sys.exit(code)


def _say_misuse(error: typer.TyperException) -> None:
    """One line for a command or option that does not exist, is missing or has an impossible value."""
    message = " ".join(error.format_message().split())
    if message:  # where help is shown for want of arguments, that says it all
        context = getattr(error, "ctx", None)
        _say([f"{message.rstrip('.')} (see {context.command_path if context else 'trickline'} --help)."])


def _lesson(workspace: Any, video: Path, labels: Path, label: str | None, looking: PoseSettings) -> Any:
    """What a video and its label file teach; the labels are kept."""
    from core import pipeline
    from core.corrections import Lesson
    from core.validate import Labelled
    from core.video import Video

    everything = pipeline.labels_for(labels, Video.open(video))
    truth = pipeline.with_label(everything, label, labels.name)
    with _bar(video.name) as progress:
        seen = pipeline.look(video, workspace, looking, progress=progress)
    pipeline.keep_labels(workspace, seen.content, everything, str(labels))
    return Lesson(workspace.session(seen.content), Labelled(seen.example(truth), seen.video.pts_s), seen.backend)


def _pose(backend: PoseBackend, weights: Path | None, stride: int) -> PoseSettings:
    return PoseSettings(backend=backend, weights=str(weights.absolute()) if weights else None, sample_stride=stride)


@contextmanager
def _workspace() -> Iterator[Any]:
    from core.workspace import Workspace

    with Workspace.open() as workspace:
        yield workspace


@contextmanager
def _bar(name: str) -> Iterator[Any]:
    """A progress bar on a terminal, nothing in a pipe."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f} %"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        tasks: dict[str, Any] = {}

        def update(step: str, done: float) -> None:
            if step not in tasks:
                tasks[step] = bar.add_task(f"{name}: {step}", total=1.0)
            bar.update(tasks[step], completed=done)

        yield update


def _say(sentences: Any) -> None:
    for sentence in sentences:
        typer.echo(f"trickline: {sentence}", err=True)


def _print_result(result: Any) -> None:
    video = result.look.video
    count = f"{len(result.events)} trick{'' if len(result.events) == 1 else 's'}"
    typer.echo(f"{video.path.name}: {count} in {video.info.duration_s:.1f} s of footage")
    for event in result.events:
        start, end = video.pts_s[event.start_frame], video.pts_s[event.end_frame]
        frames = f"frames {event.start_frame}-{event.end_frame}"
        typer.echo(f"  {clock(start)} - {clock(end)}  {frames:20} {event.label:10} {event.confidence:.2f}")
    _print_clips(result.clips)


def _print_clips(clips: Any) -> None:
    for clip in clips:
        _print_file(clip.path, clip)


def _print_file(path: Path, shown: Any) -> None:
    lead = shown.wanted_start_s - shown.start_s
    note = f"  (starts {lead:.2f} s early, at the keyframe)" if lead > 0.001 else ""
    typer.echo(f"  {path}  {clock(shown.start_s)} - {clock(shown.end_s)}{note}")
