"""What a report tells: what was compared, and moment by moment what was found, missed and wrong."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from core.detector import Detector, TrickDetector, starter
from core.errors import UserError
from core.evaluate import TIOUS, Counts, EventMetrics, bounds, overlaps
from core.explain import explain
from core.intervals import Event, Interval
from core.pipeline import find
from core.settings import EventSettings, TrainSettings
from core.sighting import Look
from core.tune import Judged, scattered
from core.validate import Labelled, left_out
from core.video import Video

Kind = Literal["missed", "wrong", "hit"]
"""As :data:`core.explain.State`."""

STARTER = "the starter"
MOTION = "the motion model, trained without the trick that it judges"

_WORDS = {"missed": "missed trick", "wrong": "false alarm", "hit": "found trick"}


@dataclass(frozen=True, eq=False)
class Judge:
    """A detector, and what it makes of the video."""

    name: str
    """For the middle of a sentence."""
    detector: Detector
    events: tuple[Event, ...]
    probability: pd.Series
    """Of a trick, by sampled frame; NaN where it cannot tell."""

    @classmethod
    def of(cls, seen: Look, detector: Detector, name: str, threshold: float | None = None) -> Judge:
        """Let a detector judge a video.

        Args:
            threshold: None takes the detector's own.

        Raises:
            UserError: it was trained with features that the footage lacks.
        """
        if threshold is not None:
            detector.events = detector.events.model_copy(update={"default_threshold": threshold})
        events, probability = find(seen, detector)
        return cls(name, detector, tuple(events), probability)

    @property
    def settings(self) -> EventSettings:
        """With which it finds events."""
        return self.detector.events

    def found(self, events: Sequence[Interval]) -> bool:
        """Whether these are just what it finds."""
        return np.array_equal(bounds(sorted(events)), bounds(sorted(self.events)))


@dataclass(frozen=True)
class Moment:
    """One found or missed trick, or one false alarm."""

    kind: Kind
    number: int
    """Among its kind, in order of time, from 1."""
    truth: Interval | None
    """The label; None for a false alarm."""
    found: Interval | None
    """The event; None for a miss."""
    why: str = ""
    """Empty where it is not known which detector found the events."""

    @property
    def name(self) -> str:
        """Such as ``false alarm 2``."""
        return f"{_WORDS[self.kind]} {self.number}"

    @property
    def anchor(self) -> str:
        """Its id on the page."""
        return f"{self.kind}-{self.number}"

    @property
    def span(self) -> Interval:
        """All of it: of a found trick from where label or event begins to where the later of them ends."""
        parts = [part for part in (self.truth, self.found) if part]
        return Interval(min(p.start_frame for p in parts), max(p.end_frame for p in parts), parts[0].label)

    @property
    def tiou(self) -> float | None:
        """Of label and event; None where there is only one of them."""
        return self.truth.iou(self.found) if self.truth and self.found else None

    @property
    def confidence(self) -> float | None:
        """Of the event, 0 to 1; None where there is none, or it was not told."""
        return self.found.confidence if isinstance(self.found, Event) else None


@dataclass(frozen=True, eq=False)
class Evaluation:
    """The events of one video, compared with its labels: at least one, all within the video as the events are."""

    video: Video
    truth: tuple[Interval, ...]
    found: tuple[Interval, ...]
    labels_name: str
    """Name of the file of the labels."""
    events_name: str
    rows: Mapping[str, EventMetrics]
    """The figures by name, those of ``found`` first."""
    seen: Look | None = None
    """None if nobody looked at the video: then there are no probabilities."""
    judge: Judge | None = None
    """Who may have found the events; goes with ``seen``."""

    @property
    def counts(self) -> Counts:
        """Of ``found``, at the smallest overlap that counts."""
        return next(iter(self.rows.values())).by_tiou[TIOUS[0]]

    @property
    def explained(self) -> Judge | None:
        """Who found the events, where that is known: his reasons are theirs."""
        return self.judge if self.judge and self.judge.found(self.found) else None

    @property
    def known_by_heart(self) -> bool:
        """Whether who found the events was trained on this very video, so that the figures flatter him."""
        judge = self.explained
        if not judge or not self.seen or not isinstance(judge.detector, TrickDetector):
            return False
        meta = judge.detector.meta
        return self.video.path.stem in meta.get("videos", ()) or self.seen.content in meta.get("sessions", ())

    def chance(self) -> float:
        """The F1 of events thrown anywhere: :func:`core.tune.scattered`."""
        none = np.empty(0)
        return scattered([Judged(none.astype(np.int32), none, none, self.truth, self.video.pts_s)])

    def judged(self) -> dict[str, Judged]:
        """Honest probabilities of the video by the name of the detector: of the starter and, where enough tricks are
        labelled, of the motion model. Empty if nobody looked. Trains a model for each trick: seconds."""
        if not self.seen:
            return {}
        labelled = Labelled(self.seen.example(self.truth), self.video.pts_s)
        judged = {STARTER: Judged.of(labelled, starter().predict_proba(self.seen.signals.table))}
        try:
            unseen = left_out([labelled], TrainSettings())
        except UserError:
            return judged  # too few tricks to leave one out, which the comparison has said already
        return judged | ({MOTION: Judged.of(labelled, unseen[0])} if unseen else {})

    def moments(self) -> list[Moment]:
        """Misses, then false alarms, then hits, each in order of time; matched as :func:`core.evaluate.event_metrics`
        does at the smallest overlap."""
        truth, found = (sorted(events, key=_place) for events in (self.truth, self.found))
        shared = overlaps(bounds(truth), bounds(found)).matched(TIOUS[0])
        pairs = dict(zip(shared.truth.tolist(), shared.found.tolist(), strict=True))
        right = set(pairs.values())
        whys = self._whys()

        def numbered(kind: Kind, ones: Iterator[tuple[Interval | None, Interval | None]]) -> Iterator[Moment]:
            for number, (true, event) in enumerate(ones, start=1):
                what = event or true
                assert what
                yield Moment(kind, number, true, event, whys.get((kind, *_place(what)), ""))

        return [
            *numbered("missed", ((trick, None) for t, trick in enumerate(truth) if t not in pairs)),
            *numbered("wrong", ((None, event) for f, event in enumerate(found) if f not in right)),
            *numbered("hit", ((truth[t], found[f]) for t, f in sorted(pairs.items()))),
        ]

    def _whys(self) -> dict[tuple[str, int, int], str]:
        """Reasons by kind, first and last frame."""
        judge = self.explained
        if not judge or not self.seen:
            return {}
        told = explain(
            self.seen, judge.detector, judge.probability.to_numpy(), judge.settings, judge.events, self.truth
        )
        return {(why.state, *_place(why.interval)): why.sentence for why in told}


def _place(interval: Interval) -> tuple[int, int]:
    return interval.start_frame, interval.end_frame
