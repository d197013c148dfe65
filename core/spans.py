"""A long video looked at in spans, each of which may go to another process or machine; joined, they are the whole.

>>> with open_engine("auto") as engine:                                      # doctest: +SKIP
...     look_in_spans(Path("match.mp4"), workspace, PoseSettings(), engine)
>>> seen = pipeline.look(Path("match.mp4"), workspace)                       # doctest: +SKIP

A span is a run of the parts that a look consists of (:mod:`core.pose.extract`). Each part starts anew what goes from
frame to frame, whoever looks at it, so that nothing differs at the seams; a span begins by decoding from the keyframe
before it.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from core import pipeline
from core.engine import Cancel, Engine, Work
from core.errors import UserError
from core.pose.extract import PART_FRAMES
from core.settings import PoseSettings
from core.tasks import Report
from core.workspace import Workspace

_SHORTEST_S = 60.0
"""A shorter span would spend more of its time on starting."""


def spans(path: Path, workspace: Workspace, pose: PoseSettings, span_s: float) -> list[range]:
    """What has yet to be looked at of a video, in runs of parts of about ``span_s`` seconds.

    Raises:
        UserError: the video or the backend cannot be used.
    """
    video = pipeline.open_video(path, workspace)
    part_s = video.info.duration_s * PART_FRAMES * pose.sample_stride / video.n_frames
    each = max(1, round(span_s / part_s))
    return [
        range(begin, min(begin + each, missing.stop))
        for missing in pipeline.parts_to_look_at(path, workspace, pose)
        for begin in range(missing.start, missing.stop, each)
    ]


def span_work(work_id: str, home: Path, path: Path, pose: PoseSettings, span: range) -> Work:
    """The work of looking at a span.

    Args:
        home: the folder of the workspace.
    """
    arguments = {"home": str(home), "path": str(path), "pose": pose.model_dump(mode="json")}
    return Work(work_id, look_at_span, {**arguments, "parts": [span.start, span.stop]}, gpus=gpu_share(pose))


def gpu_share(pose: PoseSettings) -> float:
    """What looking wants of a card, where there are cards: YOLO alone runs on one, and a few fit on it together."""
    return 0.25 if pose.backend == "yolo" or pose.weights else 0.0


def look_at_span(arguments: dict[str, Any], report: Report) -> dict[str, Any]:
    """Look at some parts of a video, in any process; see :func:`span_work`."""
    pose, span = PoseSettings.model_validate(arguments["pose"]), range(*arguments["parts"])
    with Workspace.open(Path(arguments["home"])) as workspace:
        pipeline.look_at_parts(Path(arguments["path"]), workspace, pose, span, report.progress, report.cancelled)
    return {}


def look_in_spans(
    path: Path,
    workspace: Workspace,
    pose: PoseSettings,
    engine: Engine,
    progress: Callable[[float], None] | None = None,
    cancelled: Cancel | None = None,
) -> None:
    """Let an engine look at a video, as many spans at a time as it has room for.

    Args:
        progress: told the share that is done, 0 to 1.

    Raises:
        UserError: the video or the backend cannot be used, or a span failed.
        Cancelled: ``cancelled`` said so; finished parts stay.
    """
    span_s = max(_SHORTEST_S, pipeline.open_video(path, workspace).info.duration_s / engine.slots)
    works = [
        span_work(f"{path.name}, part {span.start}", workspace.home, path, pose, span)
        for span in spans(path, workspace, pose, span_s)
    ]
    shares = {work.id: 0.0 for work in works}

    def told(work: Work, _step: str, share: float) -> None:
        shares[work.id] = share
        if progress:
            progress(sum(shares.values()) / len(shares))

    for done in engine.run(works, None, told, cancelled):
        if done.error:
            raise UserError(done.error)
        told(done.work, "looking", 1.0)
