"""What every label file comes down to, and the rules that all formats share.

    >>> LabelSet((Interval(10, 20, "kickflip"), Interval(15, 30, "kickflip"))).intervals
    (Interval(start_frame=10, end_frame=30, label='kickflip'),)

The checks here raise ``ValueError`` with a reason that a user understands; a format adds the file's name and the place.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from fractions import Fraction
from math import isfinite
from pathlib import Path, PurePosixPath, PureWindowsPath

import numpy as np
from numpy.typing import NDArray

from core.errors import UserError
from core.intervals import Event, Interval, merge

MAX_BYTES = 128 * 2**20
"""Largest label file that is read. Three hours at 60 fps with a CVAT box on every frame make about 90 MB."""
MAX_FRAME = 100_000_000
"""Largest frame number that is believed: more than a day at 1000 fps."""


@dataclass(frozen=True)
class LabelSet:
    """The labels of one video, and what the file says about that video.

    The intervals are kept in order, and those of one label that share a frame are joined: two people's tricks at the
    same moment are one stretch of footage. Intervals that only touch stay apart. Where one has a confidence all do, and
    those without were set by a person: 1.
    """

    intervals: tuple[Interval, ...] = ()
    """Plain ``Interval`` where a person labelled, ``Event`` where the file tells a confidence."""
    n_frames: int | None = None
    """Decoded frames of the video, as far as the file goes: a CVAT job knows only of the video up to its own end."""
    width: int | None = None
    """Pixels."""
    height: int | None = None
    """Pixels."""
    fps: Fraction | None = None
    """Average frames a second: for show, never to reckon times with."""
    name: str | None = None
    """The video's file name or path, or the task's name, as the file has it."""
    warnings: tuple[str, ...] = ()
    """Sentences for the user on what the reader had to assume."""

    def __post_init__(self) -> None:
        intervals = list(self.intervals)
        if any(isinstance(i, Event) for i in intervals):
            intervals = [i if isinstance(i, Event) else Event(**asdict(i)) for i in intervals]
        object.__setattr__(self, "intervals", tuple(merge(intervals, max_gap_frames=-1)))


def make_interval(start_frame: int, end_frame: int, label: str, confidence: float | None = None) -> Interval:
    """One checked interval; an ``Event`` if there is a confidence.

    Raises:
        ValueError: frames or confidence are out of range, the end comes before the start, or the label is no text.
    """
    for frame in (start_frame, end_frame):
        if not 0 <= frame <= MAX_FRAME:
            raise ValueError(f"frame {frame} is not between 0 and {MAX_FRAME}")
    if end_frame < start_frame:
        raise ValueError(f"the interval ends (frame {end_frame}) before it starts (frame {start_frame})")
    if confidence is None:
        return Interval(start_frame, end_frame, clean_label(label))
    if not 0 <= confidence <= 1:
        raise ValueError(f"the confidence {confidence:g} is not between 0 and 1")
    return Event(start_frame, end_frame, clean_label(label), confidence)


def clean_label(text: str) -> str:
    """The label on one line, without white space around it.

    Raises:
        ValueError: nothing is left, or a character is in it that XML cannot keep (control characters, half surrogates).
    """
    label = " ".join(text.split())
    if not label:
        raise ValueError("the label is empty")
    if any(unicodedata.category(c) in ("Cc", "Cs") or c in "\ufffe\uffff" for c in label):
        raise ValueError(f"the label {label[:40]!r} holds a character that is no text")
    return label


def frame_at(time_s: float, pts_s: NDArray[np.float64]) -> int:
    """The frame whose PTS is nearest to ``time_s`` (seconds); ``pts_s`` has shape ``(n_frames,)``.

    Raises:
        ValueError: the time is negative, or more than one frame after the last frame appears.
    """
    if not isfinite(time_s) or time_s < 0:
        raise ValueError(f"{time_s:g} s is no time in a video")
    if time_s > pts_s[-1]:
        last_shown = float(pts_s[-1] + np.diff(pts_s).max(initial=0.0))
        if time_s > last_shown:
            raise ValueError(f"{time_s:g} s lies beyond the end of the video at {last_shown:.3f} s")
        return len(pts_s) - 1
    after = int(np.searchsorted(pts_s, time_s))  # a file may hold thousands of times of a video of hours
    return after - 1 if after and time_s - pts_s[after - 1] <= pts_s[after] - time_s else after


def pick_video(names: Sequence[str | None], video: str | Path | None, file: str) -> int:
    """Which of a file's videos is meant: the place in ``names`` of the one called like ``video``.

    A lone video is always meant: files get renamed and moved. Else the whole path counts first, then the file's name,
    then the name without its ending; capitals do not matter.

    Raises:
        UserError: none of them or several are called so; the sentence names them.
    """
    if len(names) == 1:
        return 0
    if video is not None:
        for part in (str, _file_name, _stem):
            hits = [i for i, name in enumerate(names) if name and part(name).casefold() == part(str(video)).casefold()]
            if len(hits) == 1:
                return hits[0]
    known = ", ".join(name or "one without a name" for name in names[:10]) + (", ..." if len(names) > 10 else "")
    wanted = "say which one is meant" if video is None else f"not exactly one is called like {_file_name(str(video))!r}"
    raise UserError(f"{file} holds labels of {len(names)} videos ({known}): {wanted}.")


def check_within(labels: LabelSet, n_frames: int, name: str) -> None:
    """Refuse the labels of another video.

    Args:
        labels: What is about to be used.
        n_frames: Decoded frames of the video that it is used on.
        name: What to call the labels, usually their file's name.

    Raises:
        UserError: an interval lies beyond the last frame.
    """
    last = max((i.end_frame for i in labels.intervals), default=-1)
    if last >= n_frames:
        raise UserError(
            f"{name} has labels up to frame {last}, but the video's last frame is {n_frames - 1}: "
            "they seem to belong to another video, so choose the labels that were made for this one."
        )


def read_text(path: Path) -> str:
    """A text file in UTF-8, with or without byte order mark.

    Raises:
        UserError: it is something else.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise UserError(f"{path.name} is no text in UTF-8 (byte {error.start}): save it as UTF-8 first.") from None
    if "\0" in text:
        raise UserError(f"{path.name} holds zero bytes, so it is not a text file: choose the label file itself.")
    return text


def quoted(names: Iterable[str]) -> str:
    """For a sentence: ``.csv, .json or .xml``."""
    *first, last = sorted(names)
    return f"{', '.join(first)} or {last}" if first else last


def _file_name(path: str) -> str:
    # A path in a file may come from the other kind of machine.
    return PureWindowsPath(PurePosixPath(path).name).name


def _stem(path: str) -> str:
    return PurePosixPath(_file_name(path)).stem
