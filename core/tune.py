"""What the settings of the events make of probabilities: the effect of one choice, curves over thresholds, the best.

    >>> made = effect([judged], EventSettings(default_threshold=0.4))             # doctest: +SKIP
    >>> made.events.by_tiou[0.1], made.videos[0].missed                           # doctest: +SKIP

Nothing is computed from pictures here: an hour of footage takes milliseconds. Tune on probabilities of a detector that
has not seen the labels (:func:`core.validate.left_out`, or the starter's), else the best setting is one for footage
that is known by heart. Where nobody knows what is a trick, nothing is right or wrong.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import product

import numpy as np
from numpy.typing import NDArray

from core.errors import UserError
from core.evaluate import TIOUS, Counts, EventMetrics, FrameMetrics, bounds, event_metrics, frame_metrics, overlaps
from core.evaluate import pooled as pooled_metrics
from core.events import Sampled, Stretches, outdone, weed
from core.intervals import Event, Interval, frame_mask
from core.settings import EventSettings
from core.validate import Labelled

THRESHOLDS = np.unique(np.round([0.001, 0.002, 0.005, *np.arange(0.01, 1, 0.01), 0.995, 0.998, 0.999], 3))
"""Where events are counted: every hundredth, and closer at both ends, where boosting puts most of its probabilities."""

_STREAKS = (1, 2, 3, 5)
_GAPS_S = (0.0, 0.1, 0.2, 0.33, 0.66)
_MIN_EVENTS_S = (0.0, 0.1, 0.2, 0.3, 0.5)
_COOLDOWNS_S = (0.0, 0.5, 1.0, 2.0)
_LONG = 10_000  # sampled frames, 11 minutes at 15 a second: from here on every fourth threshold is tried
_SAME_TIOU = 0.02  # people who label put the ends further apart than that
_SAME_WIDTH = 0.05


@dataclass(frozen=True, eq=False)
class Judged:
    """One labelled video and what a detector made of it."""

    frame: NDArray[np.int32]
    """Ordinals of the sampled frames, ascending, shape ``(n,)``."""
    time_s: NDArray[np.float64]
    """When each is shown, seconds, shape ``(n,)``."""
    probability: NDArray[np.float64]
    """Of a trick, shape ``(n,)``; NaN, not judged, counts as 0."""
    truth: tuple[Interval, ...]
    """In order of their frames."""
    pts_s: NDArray[np.float64]
    """The PTS table, seconds, shape ``(n_frames,)``."""
    known: NDArray[np.bool_] | None = None
    """In which sampled frames the truth is known, shape ``(n,)``; the probability is NaN in the others, which count
    neither as right nor as wrong. None is all of them."""
    known_s: float | None = None
    """Seconds of footage that these are; None is all of it."""

    @classmethod
    def of(cls, video: Labelled, probability: NDArray[np.float64]) -> Judged:
        """A labelled video with probabilities by sampled frame, shape ``(n,)``."""
        table = video.example.table
        return cls(
            table["frame"].to_numpy(),
            table["time_s"].to_numpy(),
            video.where_known(probability),
            tuple(video.truth),
            video.pts_s,
            video.example.known_rows(),
            video.known_s,
        )

    @cached_property
    def sampled(self) -> Sampled:
        """For the rules that make events."""
        return Sampled(self.frame, self.time_s, self.probability, len(self.pts_s))

    @cached_property
    def positive(self) -> NDArray[np.bool_]:
        """Which sampled frames stand for a frame inside a trick, shape ``(n,)``."""
        inside = np.append(0, np.cumsum(frame_mask(self.truth, len(self.pts_s))))
        return np.asarray(inside[self.sampled.until + 1] > inside[self.frame])

    @property
    def known_frames(self) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
        """The truth and the probability of those sampled frames in which the truth is known."""
        known = np.ones(len(self.frame), bool) if self.known is None else self.known
        return self.positive[known], self.sampled.probability[known]

    @cached_property
    def bounds(self) -> NDArray[np.int64]:
        """First and last frames of the true tricks, shape ``(k, 2)``, in order."""
        return bounds(sorted(self.truth))


@dataclass(frozen=True)
class Matches:
    """What was found in one video, and whether it is true."""

    events: tuple[Event, ...]
    hits: tuple[tuple[Interval, Event], ...]
    """True tricks and the events that found them."""
    wrong: tuple[Event, ...]
    missed: tuple[Interval, ...]


@dataclass(frozen=True)
class Effect:
    """What one choice of settings does."""

    settings: EventSettings
    videos: tuple[Matches, ...]
    """In the order in which they were given."""
    frames: FrameMetrics
    """All sampled frames together. Only the threshold changes them: the other rules are about events."""
    frame_counts: Counts
    """Positive frames that are called so, those that are not, and the others that are."""
    events: EventMetrics
    """All events together."""

    @property
    def counts(self) -> Counts:
        """Events found, missed and wrong at the smallest overlap that counts."""
        return self.events.by_tiou[TIOUS[0]]


@dataclass(frozen=True, eq=False)
class Curve:
    """Precision and recall at ascending thresholds. All shapes are ``(k,)``; NaN where nothing was found."""

    threshold: NDArray[np.float64]
    precision: NDArray[np.float64]
    recall: NDArray[np.float64]

    @property
    def f1(self) -> NDArray[np.float64]:
        """Their harmonic mean; 0 where nothing is right."""
        with np.errstate(invalid="ignore"):
            return np.nan_to_num(2 * self.precision * self.recall / (self.precision + self.recall))

    def thinned(self, points: int = 400) -> Curve:
        """At most about so many points, evenly spread over the recall, and all of them where there are few."""
        if len(self.threshold) <= points:
            return self
        step = np.floor(self.recall / self.recall.max() * points)
        kept = np.flatnonzero(np.append(True, np.diff(step) != 0))
        return Curve(self.threshold[kept], self.precision[kept], self.recall[kept])


@dataclass(frozen=True)
class Best:
    """The settings that were found best."""

    effect: Effect
    from_threshold: float
    """Every threshold from here ..."""
    to_threshold: float
    """... to here does the same; the middle was taken."""


def effect(videos: Sequence[Judged], settings: EventSettings) -> Effect:
    """What is found with these settings, and how it compares with the labels."""
    matches, metrics = [], []
    for video in videos:
        weeding = weed(video.sampled, settings)
        found = video.sampled.events(weeding.joined[weeding.kept])
        metrics.append(event_metrics(video.truth, found, video.pts_s, video.known_s))
        matches.append(_matches(video, found))
    positive, probability = _known_frames(videos)
    frames = frame_metrics(positive, probability, settings.default_threshold)
    called = probability >= settings.default_threshold
    hit, n_called = int((called & positive).sum()), int(called.sum())
    counts = Counts(hit, frames.n_positive - hit, n_called - hit)
    return Effect(settings, tuple(matches), frames, counts, pooled_metrics(metrics))


def frame_curve(videos: Sequence[Judged]) -> Curve:
    """Precision and recall of the sampled frames at every threshold that makes a difference.

    As scikit-learn's ``precision_recall_curve``, without its last point, which no threshold reaches.

    Raises:
        UserError: nothing is labelled.
    """
    from sklearn.metrics import precision_recall_curve

    _check(videos)
    positive, probability = _known_frames(videos)
    precision, recall, threshold = precision_recall_curve(positive, probability, drop_intermediate=True)
    return Curve(threshold, precision[:-1], recall[:-1])


def event_curve(videos: Sequence[Judged], settings: EventSettings) -> Curve:
    """Precision and recall of the events (at tIoU 0.1) at ``THRESHOLDS``, the other settings as they are.

    Raises:
        UserError: nothing is labelled.
    """
    _check(videos)
    counts = np.zeros((len(THRESHOLDS), 2))
    for video in videos:
        known: dict[bytes, tuple[int, int]] = {}
        for row, threshold in enumerate(THRESHOLDS.tolist()):
            weeding = weed(video.sampled, settings.model_copy(update={"default_threshold": threshold}))
            kept = weeding.joined[weeding.kept]
            key = kept.first.tobytes() + kept.last.tobytes()
            if key not in known:
                known[key] = (len(kept), _score(video, kept)[0])
            counts[row] += known[key]
    found, hits = counts.T
    with np.errstate(invalid="ignore"):
        return Curve(THRESHOLDS, hits / found, hits / sum(len(video.truth) for video in videos))


def best(videos: Sequence[Judged], wanted_recall: float | None = None, base: EventSettings | None = None) -> Best:
    """The settings with the highest event F1 (at tIoU 0.1) over threshold, streak, gap, minimum length and cooldown.

    Of equals those with the higher mean tIoU; of those (0.02 apart is equal) the ones that stay right over the widest
    range of thresholds, with as little as possible changed from ``base``; and of that range the middle, which is the
    farthest from going wrong. The search goes over the whole of a fixed grid: the same footage gives the same settings.

    Args:
        wanted_recall: share of the tricks, 0 to 1, that must be found whatever false alarms that costs; if it cannot
            be reached the highest recall that can be is taken.
        base: settings to depart from as little as possible.

    Raises:
        UserError: nothing is labelled.
    """
    _check(videos)
    base = base or EventSettings()
    rate = float(np.median([1 / np.median(np.diff(video.pts_s)) for video in videos]))
    gaps = sorted({base.max_gap_frames, *(round(gap_s * rate) for gap_s in _GAPS_S)})
    streaks, lengths, cooldowns = (
        sorted({getattr(base, name), *values})
        for name, values in (
            ("required_streak", _STREAKS),
            ("min_event_s", _MIN_EVENTS_S),
            ("timestamp_cooldown_s", _COOLDOWNS_S),
        )
    )
    rules = list(product(streaks, gaps, lengths, cooldowns))
    long = sum(len(video.frame) for video in videos) > _LONG
    thresholds = THRESHOLDS[::4] if long else THRESHOLDS
    totals = np.sum([_grid(video, thresholds, streaks, gaps, lengths, cooldowns) for video in videos], axis=0)
    hits, found, tiou = np.moveaxis(totals.reshape(len(thresholds), -1, 3), -1, 0)
    n_true = sum(len(video.truth) for video in videos)
    if not hits.any():
        return Best(effect(videos, base), base.default_threshold, base.default_threshold)
    good = _highest(np.minimum(hits, np.ceil((wanted_recall or 0.0) * n_true - 1e-9)), np.ones(hits.shape, bool))
    good = _highest(2 * hits / (n_true + found), good)
    good = _highest(np.divide(tiou, hits, out=np.zeros_like(tiou), where=hits > 0), good, _SAME_TIOU)
    usual = (base.required_streak, base.max_gap_frames, base.min_event_s, base.timestamp_cooldown_s)
    choices = []
    for rule in np.flatnonzero(good.any(axis=0)).tolist():
        low, high = _widest(thresholds, good[:, rule])
        departures = sum(a != b for a, b in zip(rules[rule], usual, strict=True))
        choices.append((-round((high - low) / _SAME_WIDTH), departures, rule, low, high))
    _, _, rule, low, high = min(choices)
    streak, gap, length, cooldown = rules[rule]
    middle = (low + high) / 2
    settings = EventSettings(
        default_threshold=round(middle, 2) if low <= round(middle, 2) <= high else round(middle, 3),
        required_streak=streak,
        max_gap_frames=gap,
        min_event_s=length,
        timestamp_cooldown_s=cooldown,
    )
    return Best(effect(videos, settings), low, high)


def scattered(videos: Sequence[Judged], draws: int = 200, seed: int = 42) -> float:
    """The event F1 (at tIoU 0.1) of chance: as many events as there are tricks, as long, thrown anywhere that is known.

    Args:
        draws: over which the mean is taken.

    Raises:
        UserError: nothing is labelled.
    """
    _check(videos)
    rng = np.random.default_rng(seed)
    hits = 0
    for video in videos:
        length = video.bounds[:, 1] - video.bounds[:, 0]
        room = np.maximum(1, len(video.pts_s) - length)
        known = None if video.known is None or video.known.all() else video.frame[video.known]
        for _ in range(draws):
            start = rng.integers(0, room) if known is None else np.minimum(rng.choice(known, len(room)), room - 1)
            order = np.argsort(start, kind="stable")
            thrown = np.column_stack([start, start + length])[order]
            hits += len(overlaps(video.bounds, thrown).matched(TIOUS[0]))
    # As many are found as are true, so that F1 is the share of hits.
    return hits / draws / sum(len(video.truth) for video in videos)


def _known_frames(videos: Sequence[Judged]) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
    parts = [video.known_frames for video in videos]
    return np.concatenate([truth for truth, _ in parts]), np.concatenate([probability for _, probability in parts])


def _check(videos: Sequence[Judged]) -> None:
    if not any(video.truth for video in videos):
        raise UserError("No trick is labelled in these sessions, so nothing tells right from wrong: label some first.")


def _matches(video: Judged, found: list[Event]) -> Matches:
    true = sorted(video.truth)
    pairs = overlaps(video.bounds, bounds(found)).matched(TIOUS[0])
    hit, right = set(pairs.truth.tolist()), set(pairs.found.tolist())
    return Matches(
        tuple(found),
        tuple((true[t], found[f]) for t, f in zip(pairs.truth.tolist(), pairs.found.tolist(), strict=True)),
        tuple(event for f, event in enumerate(found) if f not in right),
        tuple(trick for t, trick in enumerate(true) if t not in hit),
    )


def _score(video: Judged, kept: Stretches) -> tuple[int, float]:
    """How many true tricks these find, and the sum of their tIoU."""
    found = np.column_stack([video.frame[kept.first], video.sampled.until[kept.last]]).astype(np.int64)
    pairs = overlaps(video.bounds, found).matched(TIOUS[0])
    return len(pairs), float(pairs.tiou.sum())


def _grid(
    video: Judged,
    thresholds: NDArray[np.float64],
    streaks: list[int],
    gaps: list[int],
    lengths: list[float],
    cooldowns: list[float],
) -> NDArray[np.float64]:
    """Hits, events and the sum of tIoU for every setting: shape ``(thresholds, streaks, gaps, lengths, cooldowns, 3)``.

    Most settings leave the same events as their neighbours: what was counted once is looked up.
    """
    sampled = video.sampled
    totals = np.zeros((len(thresholds), len(streaks), len(gaps), len(lengths), len(cooldowns), 3))
    weeded: dict[bytes, NDArray[np.float64]] = {}
    scored: dict[bytes, tuple[int, int, float]] = {}

    def weedings(joined: Stretches) -> NDArray[np.float64]:
        counts = np.zeros((len(lengths), len(cooldowns), 3))
        length_s, peak_s = sampled.length_s(joined), sampled.peak_s(joined)
        names = np.arange(len(joined))
        for i, min_s in enumerate(lengths):
            lasting = length_s >= min_s
            for j, cooldown_s in enumerate(cooldowns):
                by = outdone(peak_s[lasting], joined.confidence[lasting], cooldown_s, names[lasting])
                kept = joined[names[lasting][by < 0]]
                key = kept.first.tobytes() + kept.last.tobytes()
                if key not in scored:
                    hits, tiou = _score(video, kept)
                    scored[key] = (hits, len(kept), tiou)
                counts[i, j] = scored[key]
        return counts

    for t, threshold in enumerate(thresholds.tolist()):
        runs = sampled.runs(threshold)
        rows = runs.last - runs.first + 1
        for s, streak in enumerate(streaks):
            lasting = runs[rows >= streak]
            for g, gap in enumerate(gaps):
                joined = sampled.joined(lasting, gap)
                key = joined.first.tobytes() + joined.last.tobytes() + joined.confidence.tobytes()
                if key not in weeded:
                    weeded[key] = weedings(joined)
                totals[t, s, g] = weeded[key]
    return totals


def _highest(values: NDArray[np.float64], among: NDArray[np.bool_], within: float = 1e-9) -> NDArray[np.bool_]:
    """Which of those are highest, or nearly."""
    return np.asarray(among & (values >= values[among].max() - within))


def _widest(thresholds: NDArray[np.float64], good: NDArray[np.bool_]) -> tuple[float, float]:
    """First and last threshold of the widest range of good ones; of equals the first."""
    edges = np.flatnonzero(np.diff(np.concatenate(([0], good.astype(np.int8), [0]))))
    first, last = thresholds[edges[::2]], thresholds[edges[1::2] - 1]
    widest = int(np.argmax(last - first))
    return float(first[widest]), float(last[widest])
