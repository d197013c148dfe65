"""What each player does, window by window.

    >>> found = recognize_players(everybody, video, recognizer)              # doctest: +SKIP
    >>> found.lanes()[1][0]                                                  # doctest: +SKIP
    Event(start_frame=0, end_frame=43, label='dribble', confidence=0.91)

A window is a few consecutive frames of one player's track; a recognizer names it. For display the names of overlapping
windows are averaged, so that one window that was read wrongly does not flicker.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from core.atomic import atomic_path
from core.errors import Cancelled
from core.ffmpeg import Progress, StopWish
from core.intervals import Event
from core.recognize.dive_classes import dive_told
from core.recognize.players import Player
from core.recognize.samples import ClipSample, Track
from core.video import Video

LENGTH = 16
"""Frames: what the clips of SpaceJam have, and so what recognizers of basketball are trained on."""
STRIDE = 8
LONGEST = 1000
"""Frames of a window at most."""
_OTHER = 1.5
"""So many times longer or shorter than the clips of the training is worth a word."""
_BATCH = 32
"""Windows between two reports."""


class Recognizer(Protocol):
    """Whatever gives moments names."""

    @property
    def classes(self) -> Sequence[str]:
        """Names, in the order of the columns of :meth:`predict`."""

    def predict(self, clips: Sequence[ClipSample], /) -> NDArray[np.floating]:
        """Probabilities, shape ``(clips, classes)``; each row sums to 1."""


class StoppablePredict(Protocol):
    """As a :class:`Recognizer` predicts, and asking whether it shall stop."""

    def __call__(
        self, samples: Sequence[ClipSample], /, *, cancelled: StopWish | None = None
    ) -> NDArray[np.floating]: ...


class Stoppable:
    """A recognizer that is asked to stop within a batch, too."""

    def __init__(self, classes: Sequence[str], predict: StoppablePredict, cancelled: StopWish | None) -> None:
        self.classes = classes
        self._predict, self._cancelled = predict, cancelled

    def predict(self, clips: Sequence[ClipSample], /) -> NDArray[np.floating]:
        """As of the recognizer.

        Raises:
            Cancelled: it was told so.
        """
        return self._predict(clips, cancelled=self._cancelled)


@dataclass(frozen=True)
class Window:
    """A window and what a recognizer made of it."""

    start_frame: int
    """First decoded frame inside."""
    end_frame: int
    """Last decoded frame inside."""
    probabilities: NDArray[np.float64]
    """Shape ``(classes,)``."""


@dataclass(frozen=True)
class PlayerWindows:
    """The windows of every player of a video."""

    video: Video
    classes: tuple[str, ...]
    players: dict[int, tuple[Window, ...]]
    """By the player's number; windows in order of time."""

    def to_json(self) -> dict[str, Any]:
        """As ``{"video", "players": [{"id", "windows": [{"start_frame", "end_frame", "label", "probability"}]}]}``; a
        window of dives says them, too (:func:`core.recognize.dive_classes.dive_told`)."""
        return {
            "video": str(self.video.path),
            "players": [
                {
                    "id": number,
                    "windows": [
                        {
                            "start_frame": window.start_frame,
                            "end_frame": window.end_frame,
                            "label": label,
                            "probability": round(probability, 4),
                            **dive_told(window.probabilities, self.classes),
                        }
                        for window, (label, probability) in zip(windows, map(self.best, windows), strict=True)
                    ],
                }
                for number, windows in self.players.items()
            ],
        }

    def best(self, window: Window) -> tuple[str, float]:
        """The name of a window and how probable it is."""
        number = int(np.argmax(window.probabilities))
        return self.classes[number], float(window.probabilities[number])

    def length_notes(self, length: int, clip_s: float | None, option: str) -> tuple[str, ...]:
        """A sentence if nobody has a window, or if windows last quite another time than the clips of the training did:
        more than 1.5 times as long, or as short.

        Args:
            length: frames of the windows.
            clip_s: how long the clips were, in seconds; None where nobody knows.
            option: the name by which the length is asked for.
        """
        lasting = [
            self.video.end_of(window.end_frame) - float(self.video.pts_s[window.start_frame])
            for windows in self.players.values()
            for window in windows
        ]
        if not lasting:
            short = f"Nobody is in view for the {length} frames of a window on end: choose a smaller {option}."
            return (short,) if self.players else ()
        window_s = float(np.median(lasting))
        if not clip_s or window_s <= 0 or round(max(clip_s / window_s, window_s / clip_s), 3) <= _OTHER:
            return ()
        fitting = min(LONGEST, max(2, round(length * clip_s / window_s)))
        if fitting == length:
            return ()
        return (
            f"Windows of {length} frames last {window_s:.2f} s here, and the clips that the recognizer was trained on"
            f" lasted {clip_s:.2f} s: {option} {fitting} would fit.",
        )

    def write_csv(self, path: Path) -> None:
        """Write a row for each window: video, player, frames, seconds (``end_s`` is when the last frame appears), label
        and probability.

        Raises:
            UserError: the file cannot be written.
        """
        out = io.StringIO(newline="")
        table = csv.writer(out, lineterminator="\n")
        table.writerow(
            ["video", "player", "start_frame", "end_frame", "start_s", "end_s", "label", "probability"]
        )  # fmt: skip
        for number, windows in self.players.items():
            for window in windows:
                label, probability = self.best(window)
                frames = (window.start_frame, window.end_frame)
                table.writerow(
                    [
                        cell(self.video.path.name),
                        number,
                        *frames,
                        *(f"{self.video.pts_s[frame]:.6f}" for frame in frames),
                        cell(label),
                        f"{probability:.4f}",
                    ]
                )
        with atomic_path(path) as temporary:
            temporary.write_text(out.getvalue(), encoding="utf-8", newline="")

    def lanes(self) -> dict[int, tuple[Event, ...]]:
        """For each player the spans of one name, in order of time and without overlap: a lane of the timeline.

        Every frame gets the mean of the windows that hold it, the one whose middle is nearest counting most; a span's
        confidence is the mean over its frames.
        """
        return {number: tuple(self._spans(windows)) for number, windows in self.players.items()}

    def _spans(self, windows: Sequence[Window]) -> Iterator[Event]:
        if not windows:
            return
        first = windows[0].start_frame
        sums = np.zeros((max(window.end_frame for window in windows) + 1 - first, len(self.classes)))
        weights = np.zeros(len(sums))
        for window in windows:
            frames = window.end_frame - window.start_frame + 1
            # A triangle: its ends say least of the window.
            nearness = np.minimum(np.arange(1, frames + 1), np.arange(frames, 0, -1)).astype(np.float64)
            inside = slice(window.start_frame - first, window.end_frame + 1 - first)
            sums[inside] += nearness[:, None] * window.probabilities
            weights[inside] += nearness
        mean = sums / np.maximum(weights, 1e-9)[:, None]
        named = np.where(weights > 0, mean.argmax(axis=1), -1)
        edges = [0, *(np.flatnonzero(np.diff(named)) + 1).tolist(), len(named)]
        for begin, end in pairwise(edges):
            number = int(named[begin])
            if number >= 0:
                confidence = float(mean[begin:end, number].mean())
                yield Event(first + begin, first + end - 1, self.classes[number], confidence)


def cell(text: str) -> str:
    """A name for a CSV file; a spreadsheet would take some for formulas."""
    return f"'{text}" if text.startswith(("=", "+", "-", "@")) else text


def windows_of(player: Player, video: Video, length: int = LENGTH, stride: int = STRIDE) -> list[ClipSample]:
    """The windows of a player: ``length`` consecutive frames every ``stride`` frames of each stretch in which he has a
    box, and one that ends with the stretch. A stretch of fewer frames has none.

    Returns:
        Samples without a name (the label is empty), each with the boxes of its frames.
    """
    if length < 1 or stride < 1:
        raise ValueError(f"not windows: {length} frames every {stride}")
    frames = player.track.frames
    edges = [0, *(np.flatnonzero(np.diff(frames) != 1) + 1).tolist(), len(frames)]
    samples = []
    for begin, end in pairwise(edges):
        starts = list(range(begin, end - length + 1, stride))
        if starts and starts[-1] != end - length:
            starts.append(end - length)
        for at in starts:
            inside = slice(at, at + length)
            track = Track(frames[inside], player.track.boxes[inside])
            first, last = int(frames[at]), int(frames[at + length - 1])
            samples.append(ClipSample(video.path, "", video.path.stem, first, last, track=track))
    return samples


def recognize_players(
    everybody: Sequence[Player],
    video: Video,
    recognizer: Recognizer,
    length: int = LENGTH,
    stride: int = STRIDE,
    progress: Progress | None = None,
    cancelled: StopWish | None = None,
) -> PlayerWindows:
    """Let a recognizer name every window of every player.

    A window of 16 frames is 0.5 s of a video of 30 frames a second, and SpaceJam's clips show 1.6 s in as many (10 a
    second): a recognizer knows best what is as long as its training clips, whose seconds a network's card tells.

    Args:
        length: frames of a window.
        stride: frames from one window to the next.
        progress: told the fraction done, 0 to 1.
        cancelled: asked before every 32 windows.

    Raises:
        Cancelled: ``cancelled`` said so.
        ValueError: the recognizer gave something else than a row of probabilities for each window.
    """
    owned = [(player.id, sample) for player in everybody for sample in windows_of(player, video, length, stride)]
    found: dict[int, list[Window]] = {player.id: [] for player in everybody}
    told = progress or (lambda _: None)
    for batch, done in _batches(owned, cancelled):
        probabilities = np.asarray(recognizer.predict([sample for _, sample in batch]), np.float64)
        if probabilities.shape != (len(batch), len(recognizer.classes)):
            raise ValueError(f"{len(batch)} windows, but probabilities of shape {probabilities.shape}")
        for (number, sample), row in zip(batch, probabilities, strict=True):
            assert sample.end_frame is not None
            found[number].append(Window(sample.start_frame, sample.end_frame, row))
        told(done)
    told(1.0)
    windows = {number: tuple(of_player) for number, of_player in found.items()}
    return PlayerWindows(video, tuple(recognizer.classes), windows)


def _batches(
    owned: list[tuple[int, ClipSample]], cancelled: Callable[[], bool] | None
) -> Iterator[tuple[list[tuple[int, ClipSample]], float]]:
    for begin in range(0, len(owned), _BATCH):
        if cancelled and cancelled():
            raise Cancelled
        batch = owned[begin : begin + _BATCH]
        yield batch, (begin + len(batch)) / len(owned)
