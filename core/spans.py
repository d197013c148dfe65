"""A long video looked at in spans, each of which may go to another process or machine; joined, they are the whole.

>>> works = [span_work(f"part {span.start}", workspace.home, path, pose, span)   # doctest: +SKIP
...          for span in spans(path, workspace, pose, span_s=300.0)]
>>> with open_engine("auto") as engine:                                      # doctest: +SKIP
...     ends = list(engine.run(works))
>>> seen = sighting.look(path, workspace, pose)                              # doctest: +SKIP

A span is a run of the parts that a look consists of (:mod:`core.pose.extract`). Each part starts anew what goes from
frame to frame, whoever looks at it, so that nothing differs at the seams; a span begins by decoding from the keyframe
before it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from core import sighting
from core.engine import Work
from core.pose.extract import PART_FRAMES
from core.settings import PoseSettings
from core.tasks import Report
from core.workspace import Workspace


def spans(path: Path, workspace: Workspace, pose: PoseSettings, span_s: float) -> list[range]:
    """What has yet to be looked at of a video, in runs of parts of about ``span_s`` seconds.

    Raises:
        UserError: the video or the backend cannot be used.
    """
    video = sighting.open_video(path, workspace)
    part_s = video.info.duration_s * PART_FRAMES * pose.sample_stride / video.n_frames
    each = max(1, round(span_s / part_s))
    return [
        range(begin, min(begin + each, missing.stop))
        for missing in sighting.parts_to_look_at(path, workspace, pose)
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
        sighting.look_at_parts(Path(arguments["path"]), workspace, pose, span, report.progress, report.cancelled)
    return {}
