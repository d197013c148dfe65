"""The steps of one video, each as a run of its own from its footage to what it made."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from core import pipeline, sighting
from core.settings import PoseSettings, RunSettings
from core.validate import Labelled
from core.video import Video
from core.wandb_log.knobs import knobs
from core.wandb_log.run_log import log, logged
from core.workspace import Workspace


def run_logged(
    path: Path,
    workspace: Workspace,
    settings: RunSettings,
    out: Path | None,
    labels: Path | None = None,
    model: Path | None = None,
    progress: sighting.Progress | None = None,
    cancelled: sighting.Cancel | None = None,
    *,
    job_type: str = "run",
    used: Sequence[str] = (),
    source: Sequence[str] = (),
    upload: bool = False,
    group: str | None = None,
    warn: Callable[[str], None] = log.warning,
) -> tuple[pipeline.Result, str]:
    """:func:`core.pipeline.run`, with its footage, movements, labels and clips as a run of W&B.

    Args:
        used: full names of the artifacts that the model comes from.
        source: full names of those that the footage comes from; without any it is logged as new.
        job_type, upload, group, warn: as of :func:`core.wandb_log.logged`.

    Returns:
        What was found and cut; and where the run can be seen, a sentence, empty where W&B took none.

    Raises:
        UserError, Cancelled: as :func:`core.pipeline.run`, never for what W&B cannot do.
    """
    Video.open(path)  # what is no video makes no run
    config = knobs(settings, model, trains=labels is not None)
    with logged(True, job_type, config, upload=upload, group=group, warn=warn) as run:
        run.use([*used, *source])
        if not source:
            run.raw_footage(path)
        run.threshold(config["threshold"])
        result = pipeline.run(path, workspace, settings, out, labels, model, progress, cancelled)
        video = result.look.video
        truth = pipeline.labels_for(labels, video) if labels else None
        run.movement_metrics(result.look, truth)
        if truth is not None:
            run.labels([Labelled(result.look.example(truth), video.pts_s)])
        if result.exported:
            run.highlights(result.exported)
    return result, run.told


def look_logged(
    path: Path,
    workspace: Workspace,
    settings: PoseSettings,
    progress: sighting.Progress | None = None,
    *,
    upload: bool = False,
) -> tuple[sighting.Look, str]:
    """:func:`core.sighting.look`, with the footage and its movements as a run of W&B; see :func:`run_logged`."""
    Video.open(path)
    with logged(True, "feature-extraction", knobs(RunSettings(pose=settings)), upload=upload) as run:
        run.raw_footage(path)
        seen = sighting.look(path, workspace, settings, progress=progress)
        run.movement_metrics(seen)
    return seen, run.told
