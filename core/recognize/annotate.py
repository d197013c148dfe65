"""A video with a box and a name over each player, and how pictures are laid over footage.

    >>> annotate(video, everybody, found, Path("match_players.mp4"))         # doctest: +SKIP

The boxes are drawn into a film of their own, transparent elsewhere, which FFmpeg lays over the footage while
:func:`core.clips.cut_clip` encodes it: so every frame keeps its time, and the sound stays.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal

import av
import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageColor, ImageDraw

from core.clips import Clip, ClipPlan, cut_clip
from core.errors import Cancelled
from core.ffmpeg import Progress, StopWish
from core.intervals import Event, Interval
from core.label_palette import COLOURS
from core.lettering import Face, plain
from core.recognize.players import Player
from core.recognize.windows import PlayerWindows
from core.video import Video

_TICKS = Fraction(1, 90_000)
_LETTER_SHARE, _MIN_LETTERS = 0.035, 11
"""Height of the letters: share of the picture's shorter side, and pixels at least."""
_LINE_SHARE = 0.006
_LAYER_SHARE = 0.4
"""Of the progress: drawing the layer."""
_CODERS = {"argb": "qtrle", "gray": "png"}

Image8 = NDArray[np.uint8]


def annotate(
    video: Video,
    everybody: Sequence[Player],
    found: PlayerWindows | None,
    out: Path,
    progress: Progress | None = None,
    cancelled: StopWish | None = None,
) -> Clip:
    """Write the whole video with a box for each player in every frame in which he has one, each in his own colour, and
    over it his number and what he does, with the probability.

    Args:
        found: what they do; None names nothing but the numbers.
        out: must end in ``.mp4``; replaced if it is there.
        progress: told the fraction done, 0 to 1.
        cancelled: asked for every frame, and ten times a second.

    Raises:
        UserError, Cancelled: as :func:`core.clips.cut_clip`.
    """
    lanes = found.lanes() if found else {}
    drawer = _Drawer(video, everybody, lanes)
    plan = whole(video)
    return cut_over(
        video, plan, out, map(drawer.layer, range(video.n_frames)), "argb", "[picture][layer]overlay",
        progress, cancelled,
    )  # fmt: skip


def whole(video: Video) -> ClipPlan:
    """A plan of all of a video."""
    last = video.n_frames - 1
    return ClipPlan(0, last, float(video.pts_s[0]), video.end_of(last), (Interval(0, last, "players"),))


def colour_of(player: int) -> str:
    """The colour of a player, by his number: ``#RRGGBB``."""
    return COLOURS[(player - 1) % len(COLOURS)]


def cut_over(
    video: Video,
    plan: ClipPlan,
    out: Path,
    layers: Iterable[Image8],
    pixels: Literal["argb", "gray"],
    graph: str,
    progress: Progress | None = None,
    cancelled: StopWish | None = None,
) -> Clip:
    """Write an exact clip in which FFmpeg joins the footage with a film of layers, one for each planned frame.

    Args:
        layers: in the size of :func:`even_size`: uint8, shape ``(height, width, 4)`` with alpha, red, green and blue,
            or ``(height, width)``; as many as the plan has frames.
        graph: FFmpeg's filters from ``[picture]`` and ``[layer]`` to one unnamed output of the same size. They must
            take their frames and times from the picture, as ``overlay`` and ``alphamerge`` do.

    Raises:
        UserError, Cancelled, FFmpegError: as :func:`core.clips.cut_clip`.
    """
    told = progress or (lambda _: None)
    width, height = even_size(video)
    with tempfile.TemporaryDirectory(prefix="trickline-") as folder:
        film = Path(folder) / "layer.mov"
        write_film(video, plan, layers, pixels, film, lambda done: told(_LAYER_SHARE * done), cancelled)
        shape = f"scale={width}:{height},setsar=1[picture];movie={_quoted(film)}[layer];{graph}"
        return cut_clip(
            video, plan, out, "exact", lambda done: told(_LAYER_SHARE + (1 - _LAYER_SHARE) * done), cancelled,
            shape=shape,
        )  # fmt: skip


def even_size(video: Video) -> tuple[int, int]:
    """Width and height of an upright picture as H.264 wants them."""
    return max(2, video.info.width // 2 * 2), max(2, video.info.height // 2 * 2)


def write_film(
    video: Video,
    plan: ClipPlan,
    layers: Iterable[Image8],
    pixels: Literal["argb", "gray"],
    path: Path,
    progress: Progress | None = None,
    cancelled: StopWish | None = None,
) -> None:
    """Write layers without loss. Each is shown from half a frame before its frame of the clip, so that no rounding of
    times gives a frame the layer of its neighbour.

    Raises:
        Cancelled: ``cancelled`` said so.
        ValueError: not one for each planned frame.
    """
    shown_s = video.pts_s[plan.start_frame : plan.end_frame + 1] - plan.start_s
    from_s = np.concatenate([shown_s[:1], (shown_s[:-1] + shown_s[1:]) / 2])
    width, height = even_size(video)
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream(_CODERS[pixels], rate=30)
        stream.width, stream.height, stream.pix_fmt = width, height, pixels
        stream.codec_context.time_base = stream.time_base = _TICKS
        count = 0
        for count, (layer, at_s) in enumerate(zip(layers, from_s, strict=True), start=1):
            if cancelled and cancelled():
                raise Cancelled
            frame = av.VideoFrame.from_ndarray(layer, format=pixels)
            frame.pts, frame.time_base = round(float(at_s) / _TICKS), _TICKS
            container.mux(stream.encode(frame))
            if progress and count % 16 == 0:
                progress(count / len(from_s))
        container.mux(stream.encode(None))


def _quoted(path: Path) -> str:
    """A path as an option of a filter: FFmpeg takes it apart twice."""
    once = path.as_posix().replace("\\", "\\\\").replace("'", "\\'").replace(":", "\\:")
    return "".join(f"\\{letter}" if letter in "\\'[],;" else letter for letter in once)


class _Drawer:
    """Draws what lies over each frame."""

    def __init__(self, video: Video, everybody: Sequence[Player], lanes: dict[int, tuple[Event, ...]]) -> None:
        self._width, self._height = even_size(video)
        short = min(self._width, self._height)
        self._line = max(2, round(_LINE_SHARE * short))
        self._letters = max(_MIN_LETTERS, round(_LETTER_SHARE * short))
        self._tiles: dict[tuple[str, int], Image8] = {}
        names = {event.label for events in lanes.values() for event in events}
        self._face = Face("".join(map(plain, names)) + "0123456789 %·…")
        self._shown: dict[int, list[tuple[int, NDArray[np.float64], str]]] = {}
        for player in everybody:
            words = _words(lanes.get(player.id, ()))
            for frame, box in zip(player.track.frames.tolist(), player.track.boxes, strict=True):
                text = " · ".join([str(player.id), *words(frame)])
                self._shown.setdefault(frame, []).append((player.id, box, text))

    def layer(self, frame: int) -> Image8:
        """What lies over decoded frame ``frame``: alpha, red, green, blue; uint8, shape ``(height, width, 4)``."""
        layer = np.zeros((self._height, self._width, 4), np.uint8)
        shown = self._shown.get(frame, [])
        for player, box, _ in shown:
            x1, y1, x2, y2 = self._pixels(box)
            cv2.rectangle(layer, (x1, y1), (x2, y2), (255, *_rgb(player)), self._line)
        for player, box, text in shown:  # names last: no box may strike one through
            x1, y1, _, _ = self._pixels(box)
            tile = self._tile(text, player)
            high, wide = tile.shape[:2]
            top = y1 - high if y1 >= high else y1
            top, left = max(0, min(top, self._height - high)), max(0, min(x1, self._width - wide))
            layer[top : top + high, left : left + wide] = tile
        return layer

    def _pixels(self, box: NDArray[np.float64]) -> tuple[int, int, int, int]:
        x1, y1, x2, y2 = np.clip(box, 0, 1) * ([self._width, self._height] * 2)
        return round(x1), round(y1), min(round(x2), self._width - 1), min(round(y2), self._height - 1)

    def _tile(self, text: str, player: int) -> Image8:
        """Dark words on the player's colour."""
        if (text, player) not in self._tiles:
            pad = max(1, self._letters // 5)
            words = self._face.cut(text, self._letters, self._width - 2 * pad)
            size = (min(self._width, self._face.width(words, self._letters) + 2 * pad), self._letters + 3 * pad)
            image = Image.new("RGB", (size[0], min(size[1], self._height)), _rgb(player))
            drawing = ImageDraw.Draw(image)
            drawing.text((pad, pad), words, font=self._face.sized(self._letters), fill=(0, 0, 0))
            solid = np.full((image.height, image.width, 1), 255, np.uint8)
            self._tiles[text, player] = np.concatenate([solid, np.asarray(image)], axis=2)
        return self._tiles[text, player]


def _words(events: Sequence[Event]) -> Callable[[int], Iterator[str]]:
    """What is to be read at a frame, if anything."""
    starts = np.array([event.start_frame for event in events])

    def at(frame: int) -> Iterator[str]:
        number = int(np.searchsorted(starts, frame, side="right")) - 1
        if number >= 0 and frame <= events[number].end_frame:
            yield f"{plain(events[number].label)} {events[number].confidence:.0%}".replace("%", " %")

    return at


def _rgb(player: int) -> tuple[int, int, int]:
    red, green, blue = ImageColor.getrgb(colour_of(player))[:3]
    return red, green, blue
