"""What a trick looks like before its clip is cut: a still, and a small copy of the very clip.

>>> make_preview(video, plans[0], "exact", preview_path(workspace, content, plans[0], "exact")).frames
147
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from threading import Lock
from typing import Generic, TypeVar

import av
import numpy as np
import pandas as pd

from core.atomic import atomic_path
from core.clips import ClipPlan, cut_clip
from core.errors import UserError
from core.ffmpeg import FFmpegError, StopWish
from core.framing.crop import CropPath
from core.framing.render import cut_cropped
from core.intervals import Interval
from core.settings import CutMode
from core.thumbnails import poster
from core.video import Video
from core.workspace import Workspace

LONG_SIDE = 640
"""Of a preview, pixels: about the width that the page has for it."""
STILL_WIDTH = 480
"""Of a still, pixels."""

_VERSION = 2

log = logging.getLogger(__name__)

Made = TypeVar("Made")


@dataclass(frozen=True)
class Preview:
    """A small clip, with what the real one will show."""

    path: Path
    start_frame: int
    """First frame of the footage in it."""
    end_frame: int
    """Last frame in it."""
    start_s: float
    """When that first frame is shown in the footage, seconds."""
    end_s: float
    wanted_start_s: float
    """Where the plan starts: a fast cut begins at a keyframe before."""
    wanted_end_s: float

    @property
    def frames(self) -> int:
        """How many frames are inside."""
        return self.end_frame - self.start_frame + 1


def preview_path(
    workspace: Workspace, content: str, plan: ClipPlan, mode: CutMode, path: CropPath | None = None
) -> Path:
    """Where the preview of a clip of the video with this content id is kept; ``path`` is its crop."""
    key: dict[str, object] = {
        "start": plan.start_frame,
        "end": plan.end_frame,
        "mode": mode,
        "long_side": LONG_SIDE,
    }
    if path:
        key["crop"] = path.digest()
    return workspace.artifact(content, "preview", key, "mp4", version=_VERSION)


def read(path: Path) -> Preview | None:
    """The preview that was written to ``path``; None if none is there."""
    try:
        return Preview(path, **json.loads(path.with_suffix(".json").read_text())) if path.is_file() else None
    except FileNotFoundError:
        return None


def make_preview(
    video: Video,
    plan: ClipPlan,
    mode: CutMode,
    out: Path,
    cancelled: StopWish | None = None,
    path: CropPath | None = None,
) -> Preview:
    """Write a small H.264 copy, with sound, of exactly the frames that the clip will hold.

    A fast cut is made for it first: only that tells which frames it will hold.

    Args:
        out: must end in ``.mp4``; what is known of it goes into a JSON file beside it.
        path: the crop of an exact clip.

    Raises:
        UserError: as :func:`core.clips.cut_clip`, and where FFmpeg fails.
        Cancelled: ``cancelled`` said so.
    """
    try:
        return _made(video, plan, mode, out, cancelled, path)
    except (FFmpegError, av.FFmpegError) as error:
        log.warning("no preview of %s: %s", video.path.name, error)
        advice = "choose the exact mode, or " if mode == "fast" else ""
        raise UserError(
            f"No preview can be made of {video.path.name} between {plan.start_s:.1f} s and {plan.end_s:.1f} s: "
            f"{advice}check that it plays there in another program."
        ) from error


def _made(
    video: Video, plan: ClipPlan, mode: CutMode, out: Path, cancelled: StopWish | None, path: CropPath | None
) -> Preview:
    shown = plan
    if mode == "fast":
        copy = out.with_name(f"{out.stem}-fast.mp4")
        try:
            real = cut_clip(video, plan, copy, "fast", None, cancelled)
        finally:
            copy.unlink(missing_ok=True)
        shown = replace(
            plan, start_frame=real.start_frame, end_frame=real.end_frame, start_s=real.start_s, end_s=real.end_s
        )
    if path:
        cut_cropped(video, shown, path, out, None, cancelled, long_side=LONG_SIDE)
    else:
        cut_clip(video, shown, out, "exact", None, cancelled, long_side=LONG_SIDE)
    preview = Preview(out, shown.start_frame, shown.end_frame, shown.start_s, shown.end_s, plan.start_s, plan.end_s)
    with atomic_path(out.with_suffix(".json")) as temporary:
        temporary.write_text(json.dumps({name: value for name, value in asdict(preview).items() if name != "path"}))
    return preview


def still(video: Video, workspace: Workspace, content: str, frame: int) -> bytes:
    """Frame ``frame`` as a JPEG, from the workspace where it was drawn before.

    Raises:
        IndexError: the video has no such frame.
        UserError: the video is gone or cannot be decoded.
    """
    if not 0 <= frame < video.n_frames:
        raise IndexError(f"frame {frame} of {video.n_frames}")
    path = workspace.artifact(content, "still", {"frame": frame, "width": STILL_WIDTH}, "jpg", version=_VERSION)
    if not path.exists():
        poster(video, frame, path, STILL_WIDTH)
    return path.read_bytes()


def best_frame(trick: Interval, probability: pd.Series) -> int:
    """Which frame shows a trick best: where it is most probable, or its middle.

    Args:
        probability: of a trick, by sampled frame, ascending.
    """
    frames, values = probability.index.to_numpy(), probability.to_numpy()
    first, last = np.searchsorted(frames, [trick.start_frame, trick.end_frame + 1])
    inside = values[first:last]
    if not np.isfinite(inside).any():
        return (trick.start_frame + trick.end_frame) // 2
    # A probability that stays at its top says little: the middle of the top is then the best guess.
    top = np.flatnonzero(inside >= np.nanmax(inside) - 1e-9)
    return int(frames[first + top[len(top) // 2]])


class Background(Generic[Made]):
    """Makes things of about a second one after the other, beside the page that asks for them again and again."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="background")
        self._begun: dict[object, Future[Made]] = {}
        self._lock = Lock()

    def busy(self, key: object) -> bool:
        """Whether something for ``key`` is being made."""
        future = self._begun.get(key)
        return future is not None and not future.done()

    def ask(self, key: object, make: Callable[[], Made]) -> Made | None:
        """What ``make`` made for ``key``; None while it is being made. It is handed out once, and not kept.

        Raises:
            Exception: what ``make`` raised; asked again, it is tried again.
        """
        with self._lock:
            future = self._begun.get(key)
            if future is None:
                self._begun[key] = self._pool.submit(make)
                return None
            if not future.done():
                return None
            del self._begun[key]
        return future.result()
