"""From a probability per sampled frame to events."""

from __future__ import annotations

from bisect import bisect_left, insort
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.intervals import Event
from core.settings import EventSettings


@dataclass(frozen=True, eq=False)
class Stretches:
    """Runs of sampled frames, by row of the sampled frames, ascending and apart. All shapes are ``(k,)``."""

    first: NDArray[np.int64]
    """First row inside."""
    last: NDArray[np.int64]
    """Last row inside."""
    confidence: NDArray[np.float64]
    """Highest probability of its frames at or above the threshold."""

    def __len__(self) -> int:
        return len(self.first)

    def __getitem__(self, chosen: NDArray[np.bool_] | NDArray[np.int64]) -> Stretches:
        return Stretches(self.first[chosen], self.last[chosen], self.confidence[chosen])


class Sampled:
    """The sampled frames of one video and what a detector made of them: what the four rules work on.

    Args:
        frame: ordinals of the sampled frames, ascending, shape ``(n,)``.
        time_s: when each is shown, seconds, ascending, shape ``(n,)``.
        probability: shape ``(n,)``; NaN counts as 0.
        n_frames: decoded frames in the video.
    """

    def __init__(
        self,
        frame: NDArray[np.int32],
        time_s: NDArray[np.float64],
        probability: NDArray[np.float64],
        n_frames: int,
    ) -> None:
        self.frame, self.time_s = frame, time_s
        self.probability = np.nan_to_num(probability)
        self.until = np.append(frame[1:], n_frames) - 1
        """Last decoded frame that each sampled one stands for."""
        # The last sampled frame is taken to stay as long as they usually do.
        usual_s = np.median(np.diff(time_s)) if len(time_s) > 1 else 0.0
        self._bounds_s = np.append(time_s, time_s[-1:] + usual_s)

    def runs(self, threshold: float) -> Stretches:
        """Every run at or above the threshold."""
        above = np.concatenate(([False], self.probability >= threshold, [False]))
        edges = np.flatnonzero(above[1:] != above[:-1])
        first, after = edges[::2], edges[1::2]
        # Between two runs everything is below the threshold, so the highest up to the next run is the run's own.
        highest = np.maximum.reduceat(self.probability, first) if len(first) else np.empty(0)
        return Stretches(first, after - 1, highest)

    def joined(self, runs: Stretches, max_gap_frames: int) -> Stretches:
        """Runs with at most so many decoded frames between them as one."""
        if not len(runs):
            return runs
        gap = self.frame[runs.first[1:]] - self.until[runs.last[:-1]] - 1
        begins = np.flatnonzero(np.append(True, gap > max_gap_frames))
        ends = np.append(begins[1:], len(runs)) - 1
        return Stretches(runs.first[begins], runs.last[ends], np.maximum.reduceat(runs.confidence, begins))

    def length_s(self, stretches: Stretches) -> NDArray[np.float64]:
        """Time on screen, seconds."""
        return np.asarray(self._bounds_s[stretches.last + 1] - self._bounds_s[stretches.first])

    def peak_s(self, stretches: Stretches) -> NDArray[np.float64]:
        """When the probability is highest, seconds; of equals the first."""
        rows = [
            first + int(self.probability[first : last + 1].argmax())
            for first, last in zip(stretches.first.tolist(), stretches.last.tolist(), strict=True)
        ]
        return self.time_s[rows] if rows else np.empty(0)

    def events(self, stretches: Stretches, label: str = "trick") -> list[Event]:
        """As events, in decoded frames."""
        starts, ends = self.frame[stretches.first].tolist(), self.until[stretches.last].tolist()
        return [
            Event(start, end, label, confidence)
            for start, end, confidence in zip(starts, ends, stretches.confidence.tolist(), strict=True)
        ]


@dataclass(frozen=True, eq=False)
class Weeding:
    """What each rule made of the probabilities, stage by stage."""

    runs: Stretches
    """At or above the threshold."""
    brief: NDArray[np.bool_]
    """Which of the runs are shorter than the streak."""
    joined: Stretches
    """The other runs, joined across gaps."""
    short: NDArray[np.bool_]
    """Which of the joined ones are shorter than the minimum."""
    stronger: NDArray[np.int64]
    """Which of the joined ones keeps each from being an event, because its peak is within the cooldown; -1 for none."""

    @property
    def kept(self) -> NDArray[np.bool_]:
        """Which of the joined ones are events."""
        return ~self.short & (self.stronger < 0)


def weed(sampled: Sampled, settings: EventSettings) -> Weeding:
    """Apply the rules of :func:`find_events` and remember what each of them took away."""
    runs = sampled.runs(settings.default_threshold)
    brief = runs.last - runs.first + 1 < settings.required_streak
    joined = sampled.joined(runs[~brief], settings.max_gap_frames)
    short = sampled.length_s(joined) < settings.min_event_s
    stronger = np.full(len(joined), -1)
    lasting = np.flatnonzero(~short)
    stronger[lasting] = outdone(
        sampled.peak_s(joined[~short]), joined.confidence[lasting], settings.timestamp_cooldown_s, lasting
    )
    return Weeding(runs, brief, joined, short, stronger)


def outdone(
    peak_s: NDArray[np.float64], confidence: NDArray[np.float64], cooldown_s: float, names: NDArray[np.int64]
) -> NDArray[np.int64]:
    """By which stronger one within the cooldown each is outdone: its name, or -1; shape ``(k,)``.

    The strongest is taken first, of equals the earlier; what is outdone outdoes nothing.

    Args:
        peak_s: ascending, seconds, shape ``(k,)``.
        names: what to call each, shape ``(k,)``.
    """
    by = np.full(len(peak_s), -1)
    if not (np.diff(peak_s) <= cooldown_s).any():
        return by
    times, called = peak_s.tolist(), names.tolist()
    taken: list[tuple[float, int]] = []
    for k in np.argsort(-confidence, kind="stable").tolist():
        at = bisect_left(taken, (times[k], called[k]))
        near = [taken[i] for i in (at - 1, at) if 0 <= i < len(taken) and abs(taken[i][0] - times[k]) <= cooldown_s]
        if near:
            by[k] = min(near, key=lambda other: abs(other[0] - times[k]))[1]
        else:
            insort(taken, (times[k], called[k]))
    return by


def find_events(
    frame: NDArray[np.int32],
    time_s: NDArray[np.float64],
    probability: NDArray[np.float64],
    settings: EventSettings,
    n_frames: int,
    label: str = "trick",
) -> list[Event]:
    """Runs of sampled frames at or above the threshold, joined and weeded out.

    In this order: a run shorter than the streak is no event; runs at most ``max_gap_frames`` decoded frames apart are
    one; an event shorter than ``min_event_s`` goes; of two events whose peaks are within the cooldown the weaker
    goes. An event's confidence is its highest probability. A sampled frame stands for the decoded frames up to the
    next one.

    Args:
        frame: ordinals of the sampled frames, ascending, shape ``(n,)``.
        probability: shape ``(n,)``; NaN counts as 0.
        n_frames: decoded frames in the video.
    """
    sampled = Sampled(frame, time_s, probability, n_frames)
    weeding = weed(sampled, settings)
    return sampled.events(weeding.joined[weeding.kept], label)
