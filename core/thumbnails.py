"""Pictures of a video: a sprite of evenly spread frames for the timeline, a poster for its card, a frame to be shared.

    >>> sprite = make_thumbnails(video, thumbnails_path(workspace, content))  # doctest: +SKIP
    >>> sprite.box(17), sprite.times_s[17]                                   # doctest: +SKIP
    ((2720, 0, 160, 90), 87.5)

The same video gives the same bytes.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

from core.atomic import atomic_path
from core.errors import Cancelled, UserError
from core.ffmpeg import Progress, StopWish
from core.video import Picture, Video
from core.workspace import Workspace

COUNT = 200
"""Thumbnails of a video: one for every two or three pixels of the overview strip would be waste, and a 1440 px wide
timeline shows a dozen at a time."""
LONG_SIDE = 160
"""Of one thumbnail, pixels."""
POSTER_WIDTH = 480
"""A card is at most about 400 px wide."""

_COLUMNS = 20
_QUALITY = 80
_SHARED_QUALITY = 92
_AFFORDABLE_MP = 2000.0
"""Megapixels that may all be decoded for the sake of evenly spread thumbnails: about 3 s of H.264 on two cores. A
longer video is shown by its keyframes, at 13 ms for each of 1080p."""
_ENOUGH = 8
"""One in so many of the thumbnails wanted is tried first: if most of those meet the same few keyframes, all frames are
decoded after all."""
_VERSION = 1


@dataclass(frozen=True)
class Sprite:
    """Thumbnails in rows from left to right in one JPEG."""

    path: Path
    """The JPEG; what follows stands in a JSON file of the same name beside it."""
    columns: int
    width: int
    """Of one thumbnail, pixels."""
    height: int
    times_s: tuple[float, ...]
    """When each is shown, seconds, ascending."""

    @property
    def count(self) -> int:
        """How many thumbnails there are."""
        return len(self.times_s)

    def box(self, number: int) -> tuple[int, int, int, int]:
        """Where thumbnail ``number`` is in the JPEG: x, y, width, height in pixels."""
        row, column = divmod(number, self.columns)
        return column * self.width, row * self.height, self.width, self.height


def thumbnails_path(workspace: Workspace, content: str) -> Path:
    """Where the sprite of the video with this content id is kept."""
    return workspace.artifact(content, "thumbnails", {"count": COUNT, "long_side": LONG_SIDE}, "jpg", version=_VERSION)


def poster_path(workspace: Workspace, content: str) -> Path:
    """Where the poster of the video with this content id is kept."""
    return workspace.artifact(content, "poster", {"width": POSTER_WIDTH}, "jpg", version=_VERSION)


def make_thumbnails(
    video: Video,
    out: Path,
    progress: Progress | None = None,
    cancelled: StopWish | None = None,
    count: int = COUNT,
    long_side: int = LONG_SIDE,
) -> Sprite:
    """Write a sprite of at most ``count`` upright thumbnails, spread evenly over the video.

    A long video is shown by the keyframes nearest before the places wanted, so that an hour of it takes seconds.

    Args:
        out: the JPEG; the JSON goes beside it and comes last, so that where it is, both are whole.
        progress: told the fraction done, 0 to 1.
        cancelled: asked before each thumbnail.

    Raises:
        UserError: the video is gone or cannot be decoded, or nothing can be written.
        Cancelled: ``cancelled`` said so; nothing is written.
    """
    width, height = video.fit(long_side)
    tiles: dict[int, tuple[float, NDArray[np.uint8]]] = {}
    for picture in _spread(video, count):
        if cancelled and cancelled():
            raise Cancelled
        tiles[picture.index] = (picture.time_s, picture.rgb(width, height))
        if progress:
            progress(min(1.0, (picture.index + 1) / video.n_frames))
    if not tiles:
        raise UserError(f"{video.path.name} holds no frame that can be decoded: record or copy it again.")
    shown = [tiles[index] for index in sorted(tiles)]
    columns = min(_COLUMNS, len(shown))
    sheet = np.zeros((-(-len(shown) // columns) * height, columns * width, 3), np.uint8)
    sprite = Sprite(out, columns, width, height, tuple(time_s for time_s, _ in shown))
    for number, (_, image) in enumerate(shown):
        x, y, _, _ = sprite.box(number)
        sheet[y : y + height, x : x + width] = image
    write_image(sheet, out)
    with atomic_path(out.with_suffix(".json")) as temporary:
        temporary.write_text(json.dumps({"columns": columns, "width": width, "height": height, "count": sprite.count,
                                         "times_s": [round(time_s, 6) for time_s in sprite.times_s]}))  # fmt: skip
    if progress:
        progress(1.0)
    return sprite


def read(path: Path) -> Sprite | None:
    """The sprite that was written to ``path`` (the JPEG); None if none is there."""
    try:
        written = json.loads(path.with_suffix(".json").read_text())
    except FileNotFoundError:
        return None
    if not path.is_file():
        return None
    return Sprite(path, written["columns"], written["width"], written["height"], tuple(written["times_s"]))


def poster(video: Video, frame: int, out: Path, width: int = POSTER_WIDTH) -> Path:
    """Write frame ``frame`` upright as a JPEG, or the next one that can be decoded.

    Args:
        width: of the poster, pixels; never more than the video has.

    Raises:
        UserError: the video is gone or cannot be decoded, or nothing can be written.
    """
    width = min(width, video.info.width)
    write_image(
        _next_picture(video, frame).rgb(width, max(1, round(width * video.info.height / video.info.width))), out
    )
    return out


def _next_picture(video: Video, frame: int) -> Picture:
    """Frame ``frame``, or the next one that can be decoded."""
    picture = next(chain(video.pictures(1, frame), video.pictures(1)), None)
    if picture is None:
        raise UserError(f"{video.path.name} holds no frame that can be decoded: record or copy it again.")
    return picture


def keyframes(video: Video, times_s: Sequence[float]) -> Iterator[Picture]:
    """The keyframes met by a seek to each of ``times_s`` (ascending, seconds), each once, in order.

    Nothing else is decoded, and an index makes each seek as quick in hours as in seconds. The file's own times decide:
    where it has none, or keyframes are far apart, there are fewer pictures than times.

    Raises:
        UserError: the file went away.
    """
    try:
        with av.open(str(video.path), metadata_errors="ignore") as container:
            yield from _seeked(video, container, times_s)
    except (av.FFmpegError, OSError) as error:
        raise UserError(f"{video.path.name} cannot be decoded any more: check that it is still there.") from error


def _seeked(video: Video, container: Any, times_s: Sequence[float]) -> Iterator[Picture]:
    stream = next(s for s in container.streams.video if not s.disposition & av.stream.Disposition.attached_pic)
    stream.thread_type = "NONE"  # with a thread per frame, one frame would wait for the next ones
    scalers: dict[Any, Any] = {}
    last = -1
    for time_s in times_s:
        container.seek(round((time_s + video.info.start_s) / stream.time_base), stream=stream)
        frame = _first_keyframe(container, stream)
        if frame is None or frame.pts is None:
            continue
        shown_s = float(frame.pts * stream.time_base) - video.info.start_s
        index = video.frame_at(shown_s)
        if index > last and abs(float(video.pts_s[index]) - shown_s) < 1e-4:
            last = index
            yield Picture(index, float(video.pts_s[index]), frame, video.info.rotation, scalers)


def _first_keyframe(container: Any, stream: Any) -> Any:
    """The next keyframe, decoded alone; None at the end of the file, or if it is damaged."""
    decoder = stream.codec_context
    packet = next((packet for packet in container.demux(stream) if packet.size and packet.is_keyframe), None)
    if packet is None:
        return None
    try:
        return next(iter([*decoder.decode(packet), *decoder.decode(None)]), None)
    except av.InvalidDataError:
        return None
    finally:
        decoder.flush_buffers()


def _spread(video: Video, count: int) -> Iterator[Picture]:
    """At most ``count`` pictures: every n-th frame of a short video, keyframes of a long one."""
    megapixels = video.n_frames * video.info.width * video.info.height / 1e6
    if megapixels > _AFFORDABLE_MP:
        few = max(2, count // _ENOUGH)
        if sum(1 for _ in keyframes(video, _times(video, few))) > few // 2:
            yield from keyframes(video, _times(video, count))
            return
    yield from video.pictures(-(-video.n_frames // count))


def _times(video: Video, count: int) -> list[float]:
    return [(number + 0.5) * video.info.duration_s / count for number in range(count)]


def write_image(image: NDArray[np.uint8], out: Path, quality: int = _QUALITY) -> None:
    """Write RGB as a PNG where the name says so, or else as a JPEG."""
    import cv2

    png = out.suffix.lower() == ".png"
    options = [] if png else [cv2.IMWRITE_JPEG_QUALITY, quality, cv2.IMWRITE_JPEG_OPTIMIZE, 1]
    written, encoded = cv2.imencode(".png" if png else ".jpg", image[..., ::-1], options)
    assert written  # it fails only for sides beyond 65535 pixels
    with atomic_path(out) as temporary:
        temporary.write_bytes(encoded.tobytes())
