"""How good a detector is: frame by frame and event by event.

    >>> import numpy as np
    >>> pts_s = np.arange(600) / 30
    >>> truth, found = [Interval(90, 119), Interval(300, 329)], [Interval(93, 122), Interval(500, 510)]
    >>> metrics = event_metrics(truth, found, pts_s)
    >>> metrics.by_tiou[0.5], round(metrics.start.median_ms)
    (Counts(found=1, missed=1, wrong=1), 100)

A ratio of nothing to nothing is undefined: NaN here, None in ``to_json``, a dash in a table. So a detector that finds
nothing has a recall of 0 and no precision, footage without tricks has no recall, and where there was nothing to find
and nothing was found even F1 is undefined rather than perfect.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from core.intervals import Interval

TIOUS = (0.1, 0.3, 0.5)
"""Temporal overlaps (tIoU) at which events are compared. Times of pairs are compared at the first: it asks only whether
a trick was found, which is what a clip with seconds of padding needs; 0.5 asks whether its ends are right as well."""

_DASH = "–"


@dataclass(frozen=True)
class FrameMetrics:
    """How well the probabilities tell frames inside a trick from the others."""

    threshold: float
    """Frames from this probability on are called positive."""
    n_frames: int
    n_positive: int
    """Frames that are truly inside a trick."""
    precision: float
    recall: float
    f1: float
    average_precision: float
    """Area under the steps of precision over recall; no threshold enters it."""
    accuracy: float
    """Share of the frames that are called right. Calling none a trick reaches 1 less ``prevalence``."""

    NOTE: ClassVar[str] = (
        "AP: average precision of the frames; chance: the AP of a guess, the share of positive frames."
    )

    @property
    def prevalence(self) -> float:
        """Share of the frames that are positive, which is also the average precision of a detector that guesses."""
        return _ratio(self.n_positive, self.n_frames)

    @property
    def f1_of_all(self) -> float:
        """F1 of calling every frame positive: what can be had without looking."""
        return _ratio(2 * self.n_positive, self.n_positive + self.n_frames)

    def to_json(self) -> dict[str, Any]:
        """Plain values; what is undefined is None."""
        return _without_nan(asdict(self) | {"prevalence": self.prevalence})

    def cells(self) -> dict[str, str]:
        """The row of a table: column to text."""
        return {
            "AP": _decimals(self.average_precision),
            "chance": _decimals(self.prevalence),
            "precision": _decimals(self.precision),
            "recall": _decimals(self.recall),
            "F1": _decimals(self.f1),
            "threshold": _decimals(self.threshold),
            "frames": str(self.n_frames),
            "positive": str(self.n_positive),
        }


def frame_metrics(truth: NDArray[np.bool_], probability: NDArray[np.float64], threshold: float) -> FrameMetrics:
    """Compare probabilities with the truth, sampled frame by sampled frame.

    Args:
        truth: shape ``(n,)``, whether the frame is inside a trick.
        probability: shape ``(n,)``, 0 to 1; NaN, a frame that could not be measured, counts as 0.
        threshold: a frame is called positive if its probability is at least this.

    Raises:
        ValueError: the two are not of one length.
    """
    if truth.shape != probability.shape:
        raise ValueError(f"{len(truth)} frames of truth, {len(probability)} of probability")
    from sklearn.metrics import average_precision_score

    probability = np.nan_to_num(probability, nan=0.0)
    called = probability >= threshold
    n_positive = int(truth.sum())
    hits = Counts(int((truth & called).sum()), int((truth & ~called).sum()), int((~truth & called).sum()))
    return FrameMetrics(
        threshold=threshold,
        n_frames=len(truth),
        n_positive=n_positive,
        precision=hits.precision,
        recall=hits.recall,
        f1=hits.f1,
        average_precision=float(average_precision_score(truth, probability)) if n_positive else math.nan,
        accuracy=_ratio(int((truth == called).sum()), len(truth)),
    )


@dataclass(frozen=True)
class Counts:
    """Hits and errors, and the ratios of them."""

    found: int = 0
    """True ones that were found."""
    missed: int = 0
    """True ones that were not."""
    wrong: int = 0
    """Found ones that are not true."""

    @property
    def precision(self) -> float:
        """Share of what was found that is true; NaN if nothing was found."""
        return _ratio(self.found, self.found + self.wrong)

    @property
    def recall(self) -> float:
        """Share of what is true that was found; NaN if nothing is true."""
        return _ratio(self.found, self.found + self.missed)

    @property
    def f1(self) -> float:
        """Harmonic mean of the two; 0 if nothing is right, NaN if nothing is true and nothing was found."""
        return _ratio(2 * self.found, 2 * self.found + self.missed + self.wrong)

    def __add__(self, other: Counts) -> Counts:
        return Counts(self.found + other.found, self.missed + other.missed, self.wrong + other.wrong)


@dataclass(frozen=True)
class BoundaryErrors:
    """How far one boundary of the found events lies from the true one."""

    errors_ms: tuple[float, ...] = ()
    """One per matched pair: found less true, so that a positive error is late."""

    @property
    def median_ms(self) -> float:
        """The usual error with its sign: what a fixed offset would take away."""
        return float(np.median(self.errors_ms)) if self.errors_ms else math.nan

    @property
    def median_abs_ms(self) -> float:
        """Half of the pairs are closer than this."""
        return float(np.median(np.abs(self.errors_ms))) if self.errors_ms else math.nan

    @property
    def p95_abs_ms(self) -> float:
        """95 of 100 pairs are closer than this: the padding that a clip needs."""
        return float(np.percentile(np.abs(self.errors_ms), 95)) if self.errors_ms else math.nan

    def to_json(self) -> dict[str, Any]:
        """The three figures in milliseconds; None where no pair was matched."""
        return _without_nan({name: getattr(self, name) for name in ("median_ms", "median_abs_ms", "p95_abs_ms")})

    def cell(self) -> str:
        """Signed median and 95th percentile."""
        return f"{round(self.median_ms):+d} ±{round(self.p95_abs_ms)}" if self.errors_ms else _DASH


@dataclass(frozen=True)
class EventMetrics:
    """How the found events compare with the true ones. It keeps counts and pairs, so that videos can be pooled."""

    by_tiou: Mapping[float, Counts]
    """For each of ``TIOUS``."""
    tious: tuple[float, ...]
    """tIoU of each pair matched at ``TIOUS[0]``."""
    start: BoundaryErrors
    end: BoundaryErrors
    """Taken at the last frame inside."""
    fragmented: int
    """True events that several found ones overlap: a larger ``max_gap_frames`` may join them."""
    merged: int
    """Found events that overlap several true ones: a smaller ``max_gap_frames`` may part them."""
    minutes: float
    """Footage that was searched."""

    NOTE: ClassVar[str] = (
        f"found, wrong, tIoU and ms at tIoU {TIOUS[0]}; ms: median error (+ is late), ± 95th percentile of its size;\n"
        "split: tricks found in pieces; joined: finds that hold several tricks."
    )

    @property
    def mean_tiou(self) -> float:
        """Mean tIoU of the pairs matched at ``TIOUS[0]``; NaN if there are none."""
        return _ratio(math.fsum(self.tious), len(self.tious))

    @property
    def false_alarms_per_minute(self) -> float:
        """Wrong events (at ``TIOUS[0]``) in a minute of footage; NaN if there was none."""
        return _ratio(self.by_tiou[TIOUS[0]].wrong, self.minutes)

    def to_json(self) -> dict[str, Any]:
        """Plain nested values; what is undefined is None."""
        return {
            "tiou": {
                str(tiou): _without_nan(
                    asdict(counts) | {"precision": counts.precision, "recall": counts.recall, "f1": counts.f1}
                )
                for tiou, counts in self.by_tiou.items()
            },
            "start_error": self.start.to_json(),
            "end_error": self.end.to_json(),
            "fragmented": self.fragmented,
            "merged": self.merged,
            "minutes": self.minutes,
        } | _without_nan({"mean_tiou": self.mean_tiou, "false_alarms_per_minute": self.false_alarms_per_minute})

    def cells(self) -> dict[str, str]:
        """The row of a table: column to text."""
        first = self.by_tiou[TIOUS[0]]
        return {
            "found": f"{first.found}/{first.found + first.missed}",
            "wrong": str(first.wrong),
            **{f"F1@{tiou}": _decimals(counts.f1) for tiou, counts in self.by_tiou.items()},
            "tIoU": _decimals(self.mean_tiou),
            "start ms": self.start.cell(),
            "end ms": self.end.cell(),
            "wrong/min": _decimals(self.false_alarms_per_minute),
            "split": str(self.fragmented),
            "joined": str(self.merged),
        }


@dataclass(frozen=True, eq=False)
class Overlaps:
    """Every pair of a true and a found event that share a frame. All shapes are ``(k,)``."""

    truth: NDArray[np.int64]
    """Index of the true event."""
    found: NDArray[np.int64]
    """Index of the found one."""
    tiou: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.truth)

    def __getitem__(self, chosen: NDArray[Any]) -> Overlaps:
        return Overlaps(self.truth[chosen], self.found[chosen], self.tiou[chosen])

    def matched(self, min_tiou: float) -> Overlaps:
        """One to one, so that as many pairs as possible meet ``min_tiou``, and their total tIoU is the largest.

        The same as :func:`core.intervals.match`, but hours of footage take a millisecond: only events with several
        possible partners, which are few, have to be assigned.
        """
        good = self[self.tiou >= min_tiou]
        alone = (np.bincount(good.truth)[good.truth] == 1) & (np.bincount(good.found)[good.found] == 1)
        if alone.all():
            return good
        from scipy.optimize import linear_sum_assignment

        open_ = np.flatnonzero(~alone)
        truth, row = np.unique(good.truth[open_], return_inverse=True)
        found, column = np.unique(good.found[open_], return_inverse=True)
        # Pairs count first, their tIoU second.
        gain = np.zeros((len(truth), len(found)))
        gain[row, column] = 1.0 + good.tiou[open_] / (len(truth) + 1.0)
        pair = np.full(gain.shape, -1)
        pair[row, column] = open_
        chosen = pair[linear_sum_assignment(gain, maximize=True)]
        return good[np.sort(np.append(np.flatnonzero(alone), chosen[chosen >= 0]))]


def bounds(events: Sequence[Interval]) -> NDArray[np.int64]:
    """First and last frames, shape ``(n, 2)``."""
    return np.array([(event.start_frame, event.end_frame) for event in events], np.int64).reshape(-1, 2)


def overlaps(truth: NDArray[np.int64], found: NDArray[np.int64]) -> Overlaps:
    """Which events share frames.

    Args:
        truth: first and last frames, shape ``(n, 2)``, in order of the first.
        found: likewise, shape ``(m, 2)``.
    """
    # Found events that may overlap lie side by side: those that begin in time, less those that are over for good.
    begun = np.searchsorted(found[:, 0], truth[:, 1], side="right")
    over = np.searchsorted(np.maximum.accumulate(found[:, 1]), truth[:, 0])
    count = np.maximum(0, begun - over)
    t = np.repeat(np.arange(len(truth)), count)
    f = np.arange(len(t)) - np.repeat(np.cumsum(count) - count, count) + over[t]
    shared = np.minimum(truth[t, 1], found[f, 1]) - np.maximum(truth[t, 0], found[f, 0]) + 1
    union = truth[t, 1] - truth[t, 0] + found[f, 1] - found[f, 0] + 2 - shared
    return Overlaps(t, f, shared / union)[shared > 0]


def event_metrics(
    truth: Sequence[Interval],
    found: Sequence[Interval],
    pts_s: NDArray[np.float64],
    duration_s: float | None = None,
) -> EventMetrics:
    """Compare found events with true ones on one video. Labels play no part: the question is whether there is a trick.

    Events are matched one to one by tIoU, as ActivityNet does (Caba Heilbron et al., CVPR 2015), but as an assignment
    and not greedily by confidence: see :meth:`Overlaps.matched`. What is left over is missed or wrong.
    ``fragmented`` and ``merged`` follow Ward, Lukowicz and Gellersen, Performance metrics for activity recognition, ACM
    TIST 2(1), 2011 (doi 10.1145/1889681.1889687): one shared frame is an overlap. Unlike theirs, these counts stand
    beside the others: a fragmented trick is still found once, if a piece of it is long enough, and its other pieces are
    wrong.

    Args:
        pts_s: the PTS table, shape ``(n_frames,)``, seconds, ascending.
        duration_s: seconds of footage that were searched, if that was not the whole video.

    Raises:
        ValueError: an interval ends beyond the table.
    """
    last = max((interval.end_frame for interval in (*truth, *found)), default=-1)
    if last >= len(pts_s):
        raise ValueError(f"an interval ends at frame {last}, the video has {len(pts_s)}")
    # In order, so that a tie between two partners does not depend on how the events were listed.
    true, given = (bounds(sorted(events, key=lambda e: (e.start_frame, e.end_frame))) for events in (truth, found))
    shared = overlaps(true, given)
    matched = {tiou: shared.matched(tiou) for tiou in TIOUS}
    pairs = matched[TIOUS[0]]
    late_ms = 1000 * (pts_s[given[pairs.found]] - pts_s[true[pairs.truth]])
    return EventMetrics(
        by_tiou={
            tiou: Counts(found=len(hits), missed=len(true) - len(hits), wrong=len(given) - len(hits))
            for tiou, hits in matched.items()
        },
        tious=tuple(pairs.tiou.tolist()),
        start=BoundaryErrors(tuple(late_ms[:, 0].tolist())),
        end=BoundaryErrors(tuple(late_ms[:, 1].tolist())),
        fragmented=_repeated(shared.truth),
        merged=_repeated(shared.found),
        minutes=(_duration(pts_s) if duration_s is None else duration_s) / 60,
    )


def pooled(metrics: Iterable[EventMetrics]) -> EventMetrics:
    """Several videos as if they were one: every event counts the same, whichever video it is in (micro average)."""
    parts = list(metrics)
    return EventMetrics(
        by_tiou={tiou: sum((part.by_tiou[tiou] for part in parts), Counts()) for tiou in TIOUS},
        tious=tuple(tiou for part in parts for tiou in part.tious),
        start=BoundaryErrors(tuple(error for part in parts for error in part.start.errors_ms)),
        end=BoundaryErrors(tuple(error for part in parts for error in part.end.errors_ms)),
        fragmented=sum(part.fragmented for part in parts),
        merged=sum(part.merged for part in parts),
        minutes=math.fsum(part.minutes for part in parts),
    )


def format_table(rows: Mapping[str, FrameMetrics | EventMetrics]) -> str:
    """The rows as plain text for a terminal, one name a line, with a note on the columns below.

    Kinds may be mixed: a row leaves the other kind's columns empty.
    """
    cells = {name: metrics.cells() for name, metrics in rows.items()}
    columns = list(dict.fromkeys(column for row in cells.values() for column in row))
    lines = [["", *columns], *([name, *(row.get(column, "") for column in columns)] for name, row in cells.items())]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    text = ["  ".join([line[0].ljust(widths[0]), *map(str.rjust, line[1:], widths[1:])]).rstrip() for line in lines]
    return "\n".join([*text, *dict.fromkeys(metrics.NOTE for metrics in rows.values())])


def _ratio(part: float, whole: float) -> float:
    return part / whole if whole else math.nan


def _decimals(value: float) -> str:
    return _DASH if math.isnan(value) else f"{value:.2f}"


def _without_nan(values: dict[str, Any]) -> dict[str, Any]:
    return {name: None if isinstance(value, float) and math.isnan(value) else value for name, value in values.items()}


def _repeated(items: NDArray[np.int64]) -> int:
    """How many different items come more than once."""
    return int((np.bincount(items) > 1).sum())


def _duration(pts_s: NDArray[np.float64]) -> float:
    """Seconds from the first frame to the end of the last, which is taken to stay as long as frames usually do."""
    return float(pts_s[-1] - pts_s[0] + np.median(np.diff(pts_s))) if len(pts_s) > 1 else 0.0
