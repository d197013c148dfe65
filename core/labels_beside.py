"""Labels that lie beside a video: read, and kept where its session has none.

>>> beside = labels_beside(Path("park.mp4"), Video.open("park.mp4"))     # doctest: +SKIP
>>> beside.path.name, len(beside.intervals)                              # doctest: +SKIP
('park.xml', 3)
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from core.errors import UserError
from core.intervals import Interval
from core.labels.sidecars import sidecar
from core.pipeline import keep_labels, labels_for
from core.video import Video
from core.workspace import Workspace


@dataclass(frozen=True)
class Beside:
    """A label file beside a video, and what it says."""

    path: Path
    intervals: tuple[Interval, ...]


def labels_beside(source: Path, video: Video) -> Beside | None:
    """The labels that lie beside a video; None if there are none. See :func:`core.labels.sidecars.sidecar`.

    Args:
        source: the file that they lie beside: the video, or the first of the chapters that it was joined of.
        video: what they are of.

    Raises:
        UserError: what is there is no good; a sentence that can stand beside the video's outcome.
    """
    path = sidecar(source)
    if path is None:
        return None
    try:
        return Beside(path, labels_for(path, video, may_be_empty=True))
    except UserError as error:
        raise UserError(f"The labels beside {source.name} were left alone: {error}") from error


def keep_beside(workspace: Workspace, content: str, beside: Beside) -> bool:
    """Make the labels beside a video those of its session, unless that has some: what people did since is not undone.

    Returns:
        Whether they were kept.
    """
    if not beside.intervals or workspace.labels(content) is not None:
        return False
    keep_labels(workspace, content, beside.intervals, str(beside.path))
    return True
