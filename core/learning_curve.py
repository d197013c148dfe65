"""How many corrections were worth it: a review replayed, with the detector trained anew as it goes.

    >>> curve = worth(videos, TrainSettings())                                    # doctest: +SKIP
    >>> [(point.corrections, point.f1()) for point in curve]                      # doctest: +SKIP
    [(0, 0.61), (2, 0.7), (5, 0.84), (9, 0.86)]

The footage is parted in two. In one part, corrections are taken one after the other, each of which reveals the truth of
a moment: the tricks that lie there with their true bounds, or that there is none. Before each new figure the detector
is trained on what is known by then (by the rules of :mod:`core.corrections`) and judged on the other part, from which
no correction came. Nothing is asked or judged where the truth is not known.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from core.corrections import known_frames
from core.detector import Detector, TrickDetector, starter
from core.errors import UserError
from core.evaluate import TIOUS, EventMetrics, event_metrics, pooled
from core.events import Sampled, find_events
from core.features import REACH_S
from core.intervals import Event, Interval, frame_mask, from_mask
from core.lessons import Example
from core.settings import EventSettings, TrainSettings
from core.tricks import nested
from core.uncertain import candidates
from core.validate import Labelled

Order = Literal["uncertain", "time"]
"""The most uncertain moment first, by the detector as it then is, or as they come in the video."""
Fit = Callable[[Sequence[Example]], Detector]
"""Trains on what is known so far. Raises UserError where that does not teach what a trick is."""

COUNTS = (0, 2, 5, 10, 20, 50, 100)
"""After how many corrections the detector is trained anew and judged; and after the last of all."""
ENOUGH = 5
"""Fewer corrections make no curve."""


@dataclass(frozen=True, eq=False)
class Part:
    """Some of the sampled frames of a labelled video."""

    video: Labelled
    rows: NDArray[np.bool_]
    """Shape ``(n,)``; the truth is known in all of them."""

    @property
    def frames(self) -> NDArray[np.bool_]:
        """Which decoded frames they stand for, shape ``(n_frames,)``."""
        frame = self.video.example.table["frame"].to_numpy()
        row = np.searchsorted(frame, np.arange(self.video.example.n_frames), "right") - 1
        return np.asarray(np.where(row < 0, False, self.rows[np.maximum(row, 0)]))

    @property
    def truth(self) -> list[Interval]:
        """The tricks that lie in it by half, in order."""
        inside = np.append(0, np.cumsum(self.frames))
        return sorted(
            trick
            for trick in self.video.example.truth
            if 2 * (inside[trick.end_frame + 1] - inside[trick.start_frame]) > trick.frames
        )

    @property
    def seconds(self) -> float:
        """How long it lasts."""
        time_s = self.video.example.table["time_s"].to_numpy()
        return float(self.rows.sum() * np.median(np.diff(time_s))) if len(time_s) > 1 else 0.0

    def probability(self, detector: Detector) -> NDArray[np.float64]:
        """Of a trick, shape ``(n,)``; NaN outside of it."""
        return np.where(self.rows, detector.predict_proba(self.video.example.table), np.nan)


@dataclass(frozen=True)
class Point:
    """How good the detector was after so many corrections."""

    corrections: int
    events: EventMetrics
    """On the footage that no correction came from."""

    def f1(self, tiou: float = TIOUS[0]) -> float:
        """Event F1 at one of :data:`core.evaluate.TIOUS`; NaN where there was nothing to find and nothing found."""
        return self.events.by_tiou[tiou].f1

    def to_json(self) -> dict[str, Any]:
        """For a model's ``meta``."""
        return {"corrections": self.corrections, **self.events.to_json()}


def worth(
    videos: Sequence[Labelled],
    recipe: TrainSettings,
    events: EventSettings | None = None,
    start: Detector | None = None,
    fit: Fit | None = None,
    order: Order = "uncertain",
    progress: Callable[[float], None] | None = None,
) -> list[Point]:
    """The learning curve over all of the labelled videos, each half of them once the part that is corrected.

    Args:
        recipe: how the detector is trained if ``fit`` does not say it; its seed also parts the videos.
        events: the event settings of the detectors trained by ``recipe``.
        start: the detector before any correction; the starter by default.
        fit: another way to train.
        progress: told the fraction of the trainings done, 0 to 1; what it raises ends the work.

    Returns:
        The figures of both halves together. Where one of them has fewer corrections, its last figures stay.

    Raises:
        UserError: too little is labelled or reviewed for a curve.
    """

    def trained(examples: Sequence[Example]) -> Detector:
        return TrickDetector.fit(examples, recipe, events)

    pairs = parts(videos, recipe.seed)
    tricks = sum(len(part.truth) for _, judged in pairs for part in judged)
    if tricks < 2:
        raise UserError(f"There are {tricks} tricks to judge a replay by, and a curve needs two: label or review more.")
    replays = [list[Point]() for _ in pairs]
    for number, (corrected, judged) in enumerate(pairs):
        for step, point in enumerate(replay(corrected, judged, start or starter(), fit or trained, order), start=1):
            replays[number].append(point)
            if progress:
                progress((number + min(1.0, step / (len(COUNTS) + 1))) / len(pairs))
    last = max(points[-1].corrections for points in replays)
    if last < ENOUGH:
        raise UserError(f"The replay has {last} corrections, and a curve needs {ENOUGH}: label or review more.")
    counts = sorted({point.corrections for points in replays for point in points} & {*COUNTS, last})
    return [Point(count, pooled(_at(points, count).events for points in replays)) for count in counts]


def parts(videos: Sequence[Labelled], seed: int = 42) -> list[tuple[list[Part], list[Part]]]:
    """What is corrected and what it is judged on: of several videos each half once, of one its halves in time.

    Between the halves of one video as much is left out as :func:`core.folds.folds_by_trick` leaves out around a trick
    (``2 * REACH_S``); the cut is put off to the end of a trick that it would go through.

    Raises:
        UserError: no video.
    """
    if not videos:
        raise UserError("No session was labelled or reviewed, so there is nothing to replay: review some tricks first.")
    if len(videos) == 1:
        return [_halves(videos[0])]
    whole = [Part(video, video.example.known_rows()) for video in videos]
    drawn = np.random.default_rng(seed).permutation(len(videos)).tolist()
    one, other = ([whole[place] for place in sorted(drawn[k::2])] for k in (0, 1))
    return [(one, other), (other, one)]


def replay(
    corrected: Sequence[Part],
    judged: Sequence[Part],
    start: Detector,
    fit: Fit,
    order: Order = "uncertain",
    counts: Sequence[int] = COUNTS,
) -> Iterator[Point]:
    """Correct moment after moment; a point at each of ``counts`` and one when there is nothing left to correct.

    The queue is asked anew after each correction; the detector that orders it is that of the last training, as in the
    studio. What neither the detector nor a lower threshold finds is added when the queue is empty, or, in the order of
    time, where it lies.

    Args:
        start: the detector before any correction. Prior knowledge is its, and that of ``fit``.
    """
    reviewed = [_Reviewed(part) for part in corrected]
    detector, done = start, 0
    for one in reviewed:
        one.look(detector)
    yield Point(0, _judge(judged, detector))
    while done < max(counts) and (moment := _next(reviewed, order)):
        number, place = moment
        reviewed[number].reveal(place)
        done += 1
        if done in counts:
            detector = _trained(reviewed, fit, detector)
            yield Point(done, _judge(judged, detector))
    if done not in counts:
        yield Point(done, _judge(judged, _trained(reviewed, fit, detector)))


class _Reviewed:
    """A part in which moments are revealed."""

    def __init__(self, part: Part) -> None:
        self.part = part
        self.allowed = part.frames
        self.missing = part.truth
        """Tricks that are not revealed yet."""
        self.tricks: list[Interval] = []
        self.others: list[Interval] = []
        """Moments that were asked about."""
        self.found: list[Event] = []
        self.queue: list[tuple[float, bool, Event]] = []

    def look(self, detector: Detector) -> None:
        """Let a detector say what it finds and doubts."""
        table = self.part.video.example.table
        sampled = Sampled(
            table["frame"].to_numpy(),
            table["time_s"].to_numpy(),
            self.part.probability(detector),
            self.part.video.example.n_frames,
        )
        listed = candidates(sampled, detector.events)
        self.queue = [(one.doubt, one.found, one.event) for one in listed]
        self.found = sorted(one.event for one in listed if one.found)

    def open(self, event: Interval) -> bool:
        """Whether nothing was said yet on what lies there."""
        return not any(nested(event, place) for place in (*self.tricks, *self.others))

    def reveal(self, moment: Interval) -> None:
        there = [trick for trick in self.missing if trick.overlap(moment)]
        self.missing = [trick for trick in self.missing if trick not in there]
        self.tricks += there
        self.others.append(moment)

    def example(self) -> Example | None:
        """What is known by now; None if nothing is."""
        if not self.others:
            return None
        example, pts_s = self.part.video.example, self.part.video.pts_s
        undecided = [event for event in self.found if self.open(event)]
        frames = self.allowed
        if undecided or not self.found:
            frames = frames & known_frames(self.tricks, self.others, undecided, pts_s)
        return Example(example.table, sorted(self.tricks), example.n_frames, example.name, from_mask(frames))


def _next(reviewed: Sequence[_Reviewed], order: Order) -> tuple[int, Interval] | None:
    """Where to ask next: which of the parts, and the moment; None when all is known."""
    asked: list[tuple[float, int, int, Interval]] = []
    for number, one in enumerate(reviewed):
        for doubt, found, event in one.queue:
            if (found or order == "uncertain") and one.open(event):
                asked.append((doubt if order == "uncertain" else 0.0, number, event.start_frame, event))
    if order == "time" or not asked:
        for number, one in enumerate(reviewed):
            shown = [event for _, place, _, event in asked if place == number]
            alone = [trick for trick in one.missing if not any(trick.overlap(event) for event in shown)]
            asked += [(0.0, number, trick.start_frame, trick) for trick in alone]
    if not asked:
        return None
    _, number, _, moment = min(asked, key=lambda one: one[:3])
    return number, moment


def _trained(reviewed: Sequence[_Reviewed], fit: Fit, before: Detector) -> Detector:
    """The detector that has learnt what is known by now; the one before where that does not teach what a trick is."""
    examples = [example for one in reviewed if (example := one.example())]
    try:
        detector = fit(examples)
    except UserError:
        return before
    for one in reviewed:
        one.look(detector)
    return detector


def _judge(parts: Sequence[Part], detector: Detector) -> EventMetrics:
    metrics = []
    for part in parts:
        example = part.video.example
        frame, time_s = example.table["frame"].to_numpy(), example.table["time_s"].to_numpy()
        found = find_events(frame, time_s, part.probability(detector), detector.events, example.n_frames)
        metrics.append(event_metrics(part.truth, found, part.video.pts_s, part.seconds))
    return pooled(metrics)


def _at(points: Sequence[Point], count: int) -> Point:
    """The last one that was made after at most so many corrections."""
    return [point for point in points if point.corrections <= count][-1]


def _halves(video: Labelled) -> tuple[list[Part], list[Part]]:
    example = video.example
    time_s = example.table["time_s"].to_numpy()
    frame = example.table["frame"].to_numpy()
    middle = example.n_frames // 2
    tricks = frame_mask(example.truth, example.n_frames + 1)
    while tricks[middle]:
        middle += 1
    late = frame >= middle
    cut_s = float(time_s[late][0]) if late.any() else float("inf")
    known = example.known_rows()
    early = time_s < cut_s - 2 * REACH_S
    return [Part(video, known & early)], [Part(video, known & late)]
