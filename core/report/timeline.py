"""The whole video as rows of a drawing: true tricks above, events below, the probability beneath them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.report.evaluation import Judge, Kind, Moment
from core.timecode import clock
from core.video import Video

WIDTH = 1000
"""Of a full row, units of the drawing: about as many pixels."""
LANE = 24
"""Height of a lane of tricks."""
GAP = 16
"""Between the lanes, where lines join a trick to its event."""
CURVE = 60
"""Height of the probability."""

_ONE_ROW_S = 90.0
_MOST_ROWS = 12
_ROWS_S = (60, 120, 300, 600, 900, 1800, 3600)
_MOST_TICKS = 12
_TICKS_S = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600)
_NARROWEST = 4.0


@dataclass(frozen=True)
class Mark:
    """A true trick or an event, or the part of one that lies in a row."""

    kind: Kind
    x: float
    width: float
    anchor: str
    """What to jump to."""
    said: str
    """Its name and time."""

    @property
    def middle(self) -> float:
        """For the sign above or below it."""
        return self.x + self.width / 2


@dataclass(frozen=True)
class Row:
    """A stretch of the video."""

    start_s: float
    end_s: float
    width: float
    """At most ``WIDTH``; less in the last row."""
    true: tuple[Mark, ...]
    found: tuple[Mark, ...]
    links: tuple[str, ...]
    """Corners of the shapes that join a true trick to its event."""
    curve: str
    """Path of the probability, broken where it is not known; empty without one."""
    threshold_y: float
    ticks: tuple[tuple[float, str], ...]
    """Where, and what is written there."""


def rows(video: Video, moments: Sequence[Moment], judge: Judge | None) -> list[Row]:
    """Short footage makes one row; longer footage rows of a round length, at most a dozen up to half a day."""
    duration_s = max(video.info.duration_s, video.end_of(video.n_frames - 1))
    length_s = duration_s
    if duration_s > _ONE_ROW_S:
        length_s = next((float(s) for s in _ROWS_S if duration_s / s <= _MOST_ROWS), float(_ROWS_S[-1]))
    starts = [number * length_s for number in range(max(1, math.ceil(duration_s / length_s - 1e-9)))]
    return [_row(video, moments, judge, start_s, min(start_s + length_s, duration_s), length_s) for start_s in starts]


def _row(
    video: Video, moments: Sequence[Moment], judge: Judge | None, start_s: float, end_s: float, length_s: float
) -> Row:
    scale = WIDTH / length_s
    true: list[Mark] = []
    found: list[Mark] = []
    links = []
    for moment in moments:
        bars = []
        for part, lane in ((moment.truth, true), (moment.found, found)):
            if not part:
                continue
            part_s = float(video.pts_s[part.start_frame]), video.end_of(part.end_frame)
            if part_s[0] >= end_s or part_s[1] <= start_s:
                continue
            left, right = (round((min(max(at, start_s), end_s) - start_s) * scale, 1) for at in part_s)
            width = max(_NARROWEST, right - left)
            mark = Mark(moment.kind, min(left, WIDTH - width), round(width, 1), moment.anchor, _said(moment, video))
            lane.append(mark)
            bars.append(mark)
        if len(bars) == 2:
            above, below = bars
            links.append(
                f"{above.x},{LANE} {above.x + above.width:.1f},{LANE} "
                f"{below.x + below.width:.1f},{LANE + GAP} {below.x},{LANE + GAP}"
            )
    return Row(
        start_s,
        end_s,
        round((end_s - start_s) * scale, 1),
        tuple(sorted(true, key=lambda mark: mark.x)),
        tuple(sorted(found, key=lambda mark: mark.x)),
        tuple(links),
        _curve(video, judge, start_s, end_s, scale) if judge else "",
        round((1 - judge.settings.default_threshold) * CURVE, 1) if judge else 0.0,
        _ticks(start_s, end_s, length_s),
    )


def _said(moment: Moment, video: Video) -> str:
    at = clock(float(video.pts_s[moment.span.start_frame]))
    return f"{moment.name[0].upper()}{moment.name[1:]}, {moment.span.label}, {at}"


def _curve(video: Video, judge: Judge, start_s: float, end_s: float, scale: float) -> str:
    time_s: NDArray[np.float64] = video.pts_s[judge.probability.index.to_numpy()]
    first, last = np.searchsorted(time_s, [start_s, end_s])
    # One before and one after, so that the line goes on from row to row.
    wanted = slice(max(0, int(first) - 1), int(last) + 1)
    x = np.clip((time_s[wanted] - start_s) * scale, 0, WIDTH)
    values = judge.probability.to_numpy()[wanted]
    if len(x) > WIDTH:
        x, values = _highest_of_each_unit(x, values)
    pieces, pen = [], "M"
    for at, value in zip(x.tolist(), values.tolist(), strict=True):
        if math.isnan(value):
            pen = "M"
            continue
        pieces.append(f"{pen}{at:.1f} {(1 - value) * CURVE:.1f}")
        pen = "L"
    return "".join(pieces)


def _highest_of_each_unit(
    x: NDArray[np.float64], values: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """More points than pixels: of each pixel the highest, so that no peak is lost; NaN where it has nothing else."""
    begins = np.flatnonzero(np.append(True, np.diff(np.floor(x)) > 0))
    return x[begins], np.fmax.reduceat(values, begins)


def _ticks(start_s: float, end_s: float, length_s: float) -> tuple[tuple[float, str], ...]:
    step_s = next((s for s in _TICKS_S if length_s / s <= _MOST_TICKS), _TICKS_S[-1])
    first = math.ceil(start_s / step_s - 1e-9)
    times = [number * step_s for number in range(first, math.floor(end_s / step_s + 1e-9) + 1)]
    return tuple((round((at - start_s) * WIDTH / length_s, 1), clock(at).partition(".")[0]) for at in times)
