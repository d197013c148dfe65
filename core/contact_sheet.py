"""All tricks of a session on one picture, to be printed, posted or sent.

    >>> write_contact_sheet(video, events, Path("park.jpg"), stars=[4, 0, 5])  # doctest: +SKIP
    (PosixPath('park.jpg'),)

Each trick is a cell: a frame of it, and below its number, label, start, confidence and stars. What does not fit on a
page goes to further ones, so that neither memory nor a viewer is asked too much of.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from core.atomic import atomic_path
from core.errors import Cancelled, UserError
from core.ffmpeg import Progress, StopWish
from core.intervals import Event, Interval
from core.lettering import Face, plain
from core.timecode import clock
from core.tricks import MAX_STARS
from core.video import Video

WIDTH = 1600
"""Of a page, pixels: a screen's, and enough for print on A5."""

_GROUND, _CARD, _STRONG, _WEAK, _STAR = "#0F1216", "#1A1F26", "#F2F4F7", "#98A2B3", "#F5B942"
_PAGE_SHAPE = 2.0
"""A page is at most so many times as high as wide, unless one row is higher."""
_MIN_CELL = 150
"""Pixels of width below which a caption says nothing."""
_JPEG_QUALITY = 88


def write_contact_sheet(
    video: Video,
    events: Sequence[Interval],
    path: Path,
    columns: int | None = None,
    width: int = WIDTH,
    title: str | None = None,
    frames: Sequence[int] | None = None,
    stars: Sequence[int] | None = None,
    progress: Progress | None = None,
    cancelled: StopWish | None = None,
) -> tuple[Path, ...]:
    """Draw a cell for each event, in order of time, under a header with the session's name, duration and count.

    A frame that cannot be decoded leaves its cell dark. A letter that no font at hand has is drawn as a box.

    Args:
        events: of this very video; an :class:`Event` shows its confidence.
        path: ends in ``.jpg``, ``.jpeg`` or ``.png``; replaced if it is there. Further pages get ``-2``, ``-3``, ...
            before the suffix.
        columns: cells beside each other; as suits the shape of the footage if None.
        width: of a page, pixels.
        title: the session's name; the file's without its suffix if None. Cut off where it is too long.
        frames: which frame shows each event, such as :func:`core.previews.best_frame` finds; the middle one if None.
        stars: of each event, 0 to 5.
        progress: told the fraction done, 0 to 1.
        cancelled: asked before each cell.

    Returns:
        The pages.

    Raises:
        UserError: there are no events, or one lies beyond the video; the columns do not fit; the video is gone; nothing
            can be written.
        Cancelled: ``cancelled`` said so; nothing is written.
        ValueError: ``frames`` or ``stars`` are not as many as the events.
    """
    entries = _entries(video, events, frames, stars)
    if path.suffix.lower() not in {".jpg", ".jpeg", ".png"}:
        raise UserError(f"{path.name} is not a name for a picture: let it end in .jpg or .png.")
    name = plain(video.path.stem if title is None else title)
    facts = f"{clock(video.info.duration_s)[:-3]}  ·  {len(entries)} trick{'s' if len(entries) != 1 else ''}"
    layout = _Layout(video, len(entries), columns, width, name + facts + "".join(entry.label for entry in entries))
    encoded = []
    for begin in range(0, len(entries), layout.per_page):
        shown = entries[begin : begin + layout.per_page]
        page = layout.page(len(shown))
        draw = ImageDraw.Draw(page)
        layout.header(draw, name, facts, begin // layout.per_page + 1, -(-len(entries) // layout.per_page))
        for place, entry in enumerate(shown):
            if cancelled and cancelled():
                raise Cancelled
            layout.cell(page, draw, place, entry, _picture(video, entry, layout.picture_size))
            if progress:
                progress((begin + place + 1) / len(entries))
        encoded.append(_encoded(page, path.suffix))
    paths = tuple(
        path.with_name(f"{path.stem}-{n}{path.suffix}") if n > 1 else path for n in range(1, len(encoded) + 1)
    )
    for at, data in zip(paths, encoded, strict=True):
        with atomic_path(at) as partial:
            partial.write_bytes(data)
    return paths


@dataclass(frozen=True)
class _Entry:
    number: int
    event: Interval
    label: str
    frame: int
    start_s: float
    stars: int


def _entries(
    video: Video, events: Sequence[Interval], frames: Sequence[int] | None, stars: Sequence[int] | None
) -> list[_Entry]:
    if not events:
        raise UserError(f"There is nothing to show of {video.path.name}: find or label tricks in it first.")
    beyond = next((event for event in events if event.end_frame >= video.n_frames), None)
    if beyond:
        raise UserError(
            f"{video.path.name} ends at frame {video.n_frames - 1}, but a {beyond.label} is to end at frame "
            f"{beyond.end_frame}: check that these labels belong to this video."
        )
    if frames is None:
        frames = [(event.start_frame + event.end_frame) // 2 for event in events]
    if stars is None:
        stars = [0] * len(events)
    shown = sorted(zip(events, frames, stars, strict=True), key=lambda one: (one[0].start_frame, one[0].end_frame))
    return [
        _Entry(number, event, plain(event.label), frame, float(video.pts_s[event.start_frame]), min(given, MAX_STARS))
        for number, (event, frame, given) in enumerate(shown, 1)
    ]


def _picture(video: Video, entry: _Entry, size: tuple[int, int]) -> NDArray[np.uint8] | None:
    """The entry's frame, or the next of the event that can be decoded."""
    import cv2

    stop = max(entry.frame, entry.event.end_frame) + 1
    picture = next(video.pictures(1, entry.frame, stop), None)
    if picture is None:
        return None
    # The scaler of a picture is made for speed: twice the size and the mean of it looks far calmer.
    return np.asarray(cv2.resize(picture.rgb(2 * size[0], 2 * size[1]), size, interpolation=cv2.INTER_AREA), np.uint8)


class _Layout:
    """Where everything is on a page, pixels. All distances are parts of one, the margin."""

    def __init__(self, video: Video, cells: int, columns: int | None, width: int, letters: str) -> None:
        aspect = video.info.width / video.info.height
        few, usual = (2, 4) if aspect >= 1 else (4, 6)  # a few cells must not fill a page each
        self.columns = min(usual, max(few, cells)) if columns is None else columns
        self.width = width
        self.margin = max(12, width // 40)
        self._gap = self.margin // 2
        self._cell_width = (width - 2 * self.margin - (self.columns - 1) * self._gap) // max(1, self.columns)
        if self.columns < 1 or self._cell_width < _MIN_CELL:
            raise UserError(
                f"{self.columns} columns do not fit on {width} pixels: choose fewer columns or a wider page."
            )
        self._picture_height = max(1, round(min(self._cell_width / aspect, 0.75 * width)))
        self.picture_size = (max(1, min(self._cell_width, round(self._picture_height * aspect))), self._picture_height)
        self._text = min(28, max(13, self._cell_width // 17))
        self._pad = round(0.75 * self._text)
        self._row_height = self._picture_height + round(2.6 * self._text) + 2 * self._pad
        self._header_height = 4 * self.margin
        rows = max(1, int((_PAGE_SHAPE * width - self._header_height - self.margin) // (self._row_height + self._gap)))
        self.per_page = rows * self.columns
        self._face = Face(letters)

    def page(self, cells: int) -> Image.Image:
        """An empty page for so many cells."""
        rows = -(-cells // self.columns)
        height = self._header_height + rows * (self._row_height + self._gap) - self._gap + self.margin
        return Image.new("RGB", (self.width, height), _GROUND)

    def header(self, draw: ImageDraw.ImageDraw, name: str, facts: str, page: int, pages: int) -> None:
        """The session's name with the facts below, and the number of the page on the right."""
        large, small = self.margin, max(13, round(0.55 * self.margin))
        numbered = f"{page} / {pages}" if pages > 1 else ""
        right = self.width - self.margin
        end = right - (self._face.width(numbered, small) + self.margin if numbered else 0)
        name = self._face.cut(name, large, end - self.margin)
        top = self.margin + round(0.55 * large)
        draw.text((self.margin, top), name, _STRONG, self._face.sized(large), anchor="lm")
        draw.text((right, top), numbered, _WEAK, self._face.sized(small), anchor="rm")
        below = self.margin + round(1.85 * large)
        facts = self._face.cut(facts, small, right - self.margin)
        draw.text((self.margin, below), facts, _WEAK, self._face.sized(small), anchor="lm")

    def cell(
        self,
        page: Image.Image,
        draw: ImageDraw.ImageDraw,
        place: int,
        entry: _Entry,
        picture: NDArray[np.uint8] | None,
    ) -> None:
        """The picture, and below it two lines: number, label and stars; start and confidence."""
        row, column = divmod(place, self.columns)
        left = self.margin + column * (self._cell_width + self._gap)
        top = self._header_height + row * (self._row_height + self._gap)
        box = (left, top, left + self._cell_width - 1, top + self._row_height - 1)
        draw.rectangle(box, _CARD)
        if picture is not None:
            page.paste(Image.fromarray(picture), (left + (self._cell_width - picture.shape[1]) // 2, top))
        first = top + self._picture_height + self._pad + round(0.6 * self._text)
        second = first + round(1.5 * self._text)
        begin, end = left + self._pad, left + self._cell_width - self._pad
        font = self._face.sized(self._text)
        number = f"{entry.number}"
        draw.text((begin, first), number, _WEAK, font, anchor="lm")
        label_at = begin + self._face.width(number, self._text) + self._pad
        draw.text(
            (label_at, first), self._face.cut(entry.label, self._text, end - label_at), _STRONG, font, anchor="lm"
        )
        facts = clock(entry.start_s)
        if isinstance(entry.event, Event):
            facts += f"  ·  {entry.event.confidence:.0%}"
        small = max(12, round(0.85 * self._text))
        stars_at = end - entry.stars * small
        facts = self._face.cut(facts, small, stars_at - begin)
        draw.text((begin, second), facts, _WEAK, self._face.sized(small), anchor="lm")
        for star in range(entry.stars):
            _draw_star(draw, stars_at + (star + 0.5) * small, second, 0.45 * small)


def _draw_star(draw: ImageDraw.ImageDraw, x: float, y: float, radius: float) -> None:
    angles = np.pi * (np.arange(10) / 5 - 0.5)
    radii = radius * np.where(np.arange(10) % 2, 0.45, 1.0)
    draw.polygon(list(zip(x + radii * np.cos(angles), y + radii * np.sin(angles), strict=True)), _STAR)


def _encoded(page: Image.Image, suffix: str) -> bytes:
    import cv2

    options = [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY, cv2.IMWRITE_JPEG_OPTIMIZE, 1]
    written, data = cv2.imencode(
        suffix.lower(), np.asarray(page)[..., ::-1], [] if suffix.lower() == ".png" else options
    )
    assert written  # it fails only for sides beyond 65535 pixels
    return bytes(data.tobytes())
