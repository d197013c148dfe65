"""A trick in one picture."""

from __future__ import annotations

import tempfile
from pathlib import Path

from core.clips import ClipPlan, cut_clip
from core.errors import UserError
from core.ffmpeg import Progress, StopWish
from core.framing.crop import CropPath
from core.framing.render import cut_cropped
from core.thumbnails import write_image
from core.video import Video

_QUALITY = 92
"""JPEG's: it is looked at for itself, and posted, which costs quality once more."""


def write_poster(
    video: Video,
    still: ClipPlan,
    path: Path,
    crop: CropPath | None = None,
    progress: Progress | None = None,
    cancelled: StopWish | None = None,
) -> None:
    """Write one frame upright and in full size, in the colours that its clip has.

    Args:
        still: a plan of a single frame.
        path: ends in ``.jpg``, ``.jpeg`` or ``.png``; replaced if it is there.
        crop: a path of this frame alone.

    Raises:
        UserError: as :func:`core.clips.cut_clip`, or ``path`` has another ending.
        Cancelled: ``cancelled`` said so.
    """
    if path.suffix.lower() not in {".jpg", ".jpeg", ".png"}:
        raise UserError(f"{path.name} is not a name for a picture: let it end in .jpg or .png.")
    # A clip of one frame, so that colours, pixel shapes and the crop are those of the clips.
    with tempfile.TemporaryDirectory(prefix="trickline-") as folder:
        clip = Path(folder) / "still.mp4"
        if crop:
            cut_cropped(video, still, crop, clip, progress, cancelled)
        else:
            cut_clip(video, still, clip, "exact", progress, cancelled)
        shown = Video.open(clip)
        picture = next(shown.pictures())
        write_image(picture.rgb(shown.info.width, shown.info.height), path, _QUALITY)
