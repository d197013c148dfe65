"""Why something was found, or missed, in one or two plain sentences.

    >>> whys = explain(seen, detector, probability, settings, events, truth)      # doctest: +SKIP
    >>> whys[0].state, whys[0].sentence                                           # doctest: +SKIP
    ('hit', 'The feet rose 1.32 torso lengths ... Probability 0.87, threshold 0.50.')

The sentences say what was measured, which rule decided, and where there is one the setting that would change it. The
rule of hops decides by the height that is measured. A network weighs the whole movement: its sentences say what
probability it came to, and beside that what was measured there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from core.detector import Detector, TrickDetector
from core.evaluate import TIOUS, bounds, overlaps
from core.events import Sampled, Stretches, Weeding, weed
from core.intervals import Event, Interval
from core.metrics import REASON_WORDS
from core.settings import EventSettings
from core.sighting import Look
from core.timecode import clock

State = Literal["", "hit", "wrong", "missed"]

_AROUND_S = 0.4  # a take-off and a landing lie this far from the top
_HARDLY = 0.1  # torso lengths: as much as the pose network's jitter
_FOLDED = 0.85  # of their length: legs that keep more than this were not folded
_WORTH_SAYING = 0.2  # of the frames: what is wrong with fewer decides nothing


@dataclass(frozen=True)
class Why:
    """One found or missed trick and the reason."""

    interval: Interval
    """As it was found, or as it is labelled if it was missed."""
    state: State
    """Empty where no labels tell."""
    sentence: str


def explain(
    look: Look,
    detector: Detector,
    probability: NDArray[np.float64],
    settings: EventSettings,
    events: Sequence[Event],
    truth: Sequence[Interval] | None = None,
) -> list[Why]:
    """Say of every found event why it was found, and of every missed trick why it was not.

    Args:
        detector: whose probabilities these are.
        probability: by sampled frame, shape ``(n,)``.
        settings: with which ``events`` were found.
        events: of :func:`core.events.find_events`, all or some.
        truth: the labels; None where there are none to compare with.

    Returns:
        In order of their frames.
    """
    return _Witness(look, detector, probability, settings, sorted(events), truth).report()


class _Witness:
    """Everything that is known of one video."""

    def __init__(
        self,
        look: Look,
        detector: Detector,
        probability: NDArray[np.float64],
        settings: EventSettings,
        events: list[Event],
        truth: Sequence[Interval] | None,
    ) -> None:
        table = look.signals.table
        self._table = table
        self._column = {str(name): table[name].to_numpy() for name in table}
        self._frame: NDArray[np.int32] = self._column["frame"]
        self._time_s: NDArray[np.float64] = self._column["time_s"]
        self._pts_s = look.video.pts_s
        seen = detector.settings.feature_set if isinstance(detector, TrickDetector) else None
        self._by_motion = seen in {None, "motion", "kinematics"}
        self._weighs = seen == "kinematics"
        self._judged = np.isfinite(probability)
        self._tuck_ratio = np.where(self._column["rejected"] == "", self._column["tuck_ratio"], np.nan)
        self._sampled = Sampled(self._frame, self._time_s, probability, len(self._pts_s))
        self._settings = settings
        self._weeding: Weeding = weed(self._sampled, settings)
        self._runs = self._weeding.runs[~self._weeding.brief]
        self._events, self._labelled = events, truth is not None
        self._truth = sorted(truth or [])
        self._shared = overlaps(bounds(self._truth), bounds(events))
        pairs = self._shared.matched(TIOUS[0])
        self._found_by = dict(zip(pairs.truth.tolist(), pairs.found.tolist(), strict=True))

    def report(self) -> list[Why]:
        hits = set(self._found_by.values())
        whys = []
        for e, event in enumerate(self._events):
            if not self._labelled:
                whys.append(Why(event, "", self._why_found(event)))
            elif e in hits:
                whys.append(Why(event, "hit", self._why_found(event)))
            else:
                whys.append(Why(event, "wrong", self._why_wrong(e)))
        missed = (t for t in range(len(self._truth)) if t not in self._found_by)
        whys += [Why(self._truth[t], "missed", self._why_missed(t)) for t in missed]
        return sorted(whys, key=lambda why: (why.interval.start_frame, why.interval.end_frame))

    # What was found

    def _why_found(self, event: Event) -> str:
        against = f"Probability {self._against(event.confidence)}, threshold {self._threshold(event.confidence)}"
        if self._weighs:
            return f"{against}{self._made_of(event)}. {self._what_happened(event)}"
        return f"{self._what_happened(event)} {against}{self._made_of(event)}."

    def _why_wrong(self, e: int) -> str:
        event = self._events[e]
        for t in self._shared.truth[self._shared.found == e].tolist():
            trick, other = self._truth[t], self._found_by.get(t)
            if other is not None:
                gap = self._gap(event, self._events[other])
                return (
                    f"It is a second piece of the trick at {self._at(trick.start_frame)}, which was found already. "
                    f"The pieces are {gap} frames apart, and gaps of up to {self._settings.max_gap_frames} are joined."
                )
            if trick.iou(event) < TIOUS[0]:
                return self._hardly_overlaps(trick, event)
        highest = f"{event.confidence:.2f}"
        way_out = "No threshold drops it." if highest == "1.00" else f"A threshold above {highest} drops it."
        return f"No trick is labelled here. {self._what_happened(event)} {way_out}"

    def _made_of(self, event: Event) -> str:
        inside = self._runs_within(event)
        if len(inside) < 2:
            return ""
        return f"; {len(inside)} stretches at most {self._settings.max_gap_frames} frames apart were joined"

    # What was missed

    def _why_missed(self, t: int) -> str:
        trick = self._truth[t]
        first, last = self._rows(trick)
        if last < first:
            return "No frame of it was looked at: it lies before the first sampled frame."
        touched = [self._events[f] for f in self._shared.found[self._shared.truth == t].tolist()]
        if touched:
            return self._met_but_missed(trick, touched)
        dropped = self._dropped(first, last)
        if dropped:
            return dropped
        judged = np.flatnonzero(self._judged[first : last + 1]) + first
        if not len(judged):
            return f"No frame of it could be judged. {self._what_was_seen(first, last)}".strip()
        top = int(judged[np.argmax(self._sampled.probability[judged])])
        highest = float(self._sampled.probability[top])
        sentence = (
            f"The probability came no higher than {self._against(highest)} at {self._at(int(self._frame[top]))}, "
            f"under the threshold of {self._threshold(highest)}"
        )
        return f"{sentence}. {self._what_was_seen(first, last) or self._what_happened(trick)}"

    def _met_but_missed(self, trick: Interval, touched: list[Event]) -> str:
        for event in touched:
            other = next((t for t, f in self._found_by.items() if self._events[f] == event), None)
            if other is not None:
                span = f"{self._at(event.start_frame)} to {self._at(event.end_frame)}"
                return (
                    f"One event, {span}, spans this trick and the one at {self._at(self._truth[other].start_frame)}, "
                    f"and counts for one of them. {self._how_to_part(event)}"
                )
        return self._hardly_overlaps(trick, max(touched, key=trick.iou))

    def _how_to_part(self, event: Event) -> str:
        frames = self._sampled.events(self._runs_within(event))
        gaps = [self._gap(one, other) for one, other in pairwise(frames)]
        if not gaps:
            return "Between the two the probability stays above the threshold: a higher one may part them."
        return f"Joining gaps of fewer than {max(gaps)} frames would part them."

    def _runs_within(self, event: Event) -> Stretches:
        """What an event was joined from."""
        first, last = self._rows(event)
        begin, end = np.searchsorted(self._runs.first, [first, last + 1])
        return self._runs[np.arange(begin, end)]

    def _hardly_overlaps(self, trick: Interval, event: Event) -> str:
        longer = "longer" if event.frames > trick.frames else "shorter or beside it"
        return (
            f"The label at {self._at(trick.start_frame)} and the event at {self._at(event.start_frame)} share "
            f"{trick.iou(event):.0%} of their frames, and {TIOUS[0]:.0%} count as found: the event is {longer}."
        )

    def _dropped(self, first: int, last: int) -> str | None:
        """Which rule took away what passed the threshold here; None if nothing did."""
        joined, runs = self._weeding.joined, self._weeding.runs
        here = np.flatnonzero((joined.first <= last) & (joined.last >= first) & ~self._weeding.kept)
        for k in here.tolist():
            stronger = int(self._weeding.stronger[k])
            if stronger >= 0:
                mine, theirs = self._sampled.peak_s(_only(joined, k)), self._sampled.peak_s(_only(joined, stronger))
                return (
                    f"It passed the threshold with {self._against(float(joined.confidence[k]))}, but its peak is "
                    f"{abs(float(mine[0] - theirs[0])):.2f} s from that of a stronger one at {clock(float(theirs[0]))} "
                    f"({float(joined.confidence[stronger]):.2f}): the cooldown is "
                    f"{self._settings.timestamp_cooldown_s:g} s."
                )
        for k in here.tolist():
            lasted = float(self._sampled.length_s(_only(joined, k))[0])
            return (
                f"It passed the threshold with {self._against(float(joined.confidence[k]))}, but for {lasted:.2f} s "
                f"only: the minimum length is {self._settings.min_event_s:g} s."
            )
        brief = self._weeding.brief & (runs.first <= last) & (runs.last >= first)
        if not brief.any():
            return None
        longest = int((runs.last - runs.first + 1)[brief].max())
        return (
            f"It passed the threshold with {self._against(float(runs.confidence[brief].max()))}, but in {longest} "
            f"sampled {'frame' if longest == 1 else 'frames'} in a row only: the streak asks for "
            f"{self._settings.required_streak}."
        )

    # What the signals say

    def _what_happened(self, event: Interval) -> str:
        first, last = self._rows(event)
        said = []
        part, height, top = self._hop(first, last)
        if self._by_motion and height < _HARDLY:
            said.append(f"the {part} hardly rose, {height:.2f} torso lengths")
        elif self._by_motion and np.isfinite(height):
            speed = self._highest("ankle_vy" if part == "feet" else "hip_vy", first, top)
            quick = f" at up to {speed:.1f} a second" if speed > 0 else ""
            where = f"{self._at(int(self._frame[top]))}"
            said.append(f"the {part} rose {height:.2f} torso lengths{quick}, to the top at {where}")
        said += self._legs(first, last)
        if not said:
            said = ["the legs hardly folded, as far as they were measured"]
        sentence = f"{'measured there: ' if self._weighs else ''}{', and '.join(said)}"
        return f"{sentence[0].upper()}{sentence[1:]}."

    def _hop(self, first: int, last: int) -> tuple[str, float, int]:
        """What rose higher, feet or hips, how high in torso lengths (NaN if unknown), and the row of the top."""
        highest = ("feet", float("nan"), first)
        for part, name in (("feet", "hop_ankle_slow"), ("hips", "hop_hip")):
            values = self._column[name][first : last + 1]
            if np.isfinite(values).any():
                row = int(np.nanargmax(values))
                if not values[row] <= highest[1]:
                    highest = (part, float(values[row]), first + row)
        return highest

    def _legs(self, first: int, last: int) -> list[str]:
        """How the legs folded, as far as the guardrails let tuck_ratio be measured."""
        inside = self._tuck_ratio[first : last + 1]
        inside = inside[np.isfinite(inside)]
        if not len(inside):
            return []
        # Single frames in which a torso seen from above all but vanishes are no legs of eleven torso lengths.
        folded = float(np.quantile(inside, 0.1))
        begin = int(np.searchsorted(self._time_s, self._time_s[first] - _AROUND_S))
        before = self._tuck_ratio[begin:first]
        before = before[np.isfinite(before)]
        stretched = float(np.median(before if len(before) else inside))
        if folded >= _FOLDED * stretched:
            return []
        return [f"the legs folded from {stretched:.2f} to {folded:.2f} torso lengths"]

    def _what_was_seen(self, first: int, last: int) -> str:
        """What kept the skater from being measured; empty if little did."""
        n = last - first + 1
        rejected = pd.Series(self._column["rejected"][first : last + 1]).value_counts()
        counts = {words: int(rejected.get(reason, 0)) for reason, words in REASON_WORDS.items()}
        if self._by_motion:
            unfollowed = np.isnan(self._column["hop_ankle"]) & np.isnan(self._column["hop_hip"])
            counts["not followed"] = int(unfollowed[first : last + 1].sum())
            counts["camera motion not measured"] = int(np.isnan(self._column["camera_dx"][first : last + 1]).sum())
        said = [words for words, count in counts.items() if count >= _WORTH_SAYING * n]
        said = [f"{words} in {counts[words]}" for words in sorted(said, key=lambda words: -counts[words])]
        return f"Of its {n} sampled frames: {', '.join(said)}." if said else ""

    def _highest(self, name: str, first: int, last: int) -> float:
        begin = int(np.searchsorted(self._time_s, self._time_s[first] - _AROUND_S))
        values = self._column[name][begin : last + 1]
        return float(np.nanmax(values)) if np.isfinite(values).any() else 0.0

    # Places and figures

    def _rows(self, interval: Interval) -> tuple[int, int]:
        """First and last sampled frame that stand for a part of it."""
        first = int(np.searchsorted(self._frame, interval.start_frame, side="right")) - 1
        last = int(np.searchsorted(self._frame, interval.end_frame, side="right")) - 1
        return max(first, 0), last

    def _at(self, frame: int) -> str:
        return f"{clock(float(self._pts_s[frame]))} (frame {frame})"

    def _gap(self, one: Interval, other: Interval) -> int:
        early, late = sorted([one, other])
        return late.start_frame - early.end_frame - 1

    def _against(self, probability: float) -> str:
        return f"{probability:.{self._decimals(probability)}f}"

    def _threshold(self, probability: float) -> str:
        return f"{self._settings.default_threshold:.{self._decimals(probability)}f}"

    def _decimals(self, probability: float) -> int:
        """Enough of them that a probability under the threshold does not read the same."""
        threshold = self._settings.default_threshold
        return next(
            (d for d in (2, 3, 4) if probability == threshold or f"{probability:.{d}f}" != f"{threshold:.{d}f}"), 5
        )


def _only(stretches: Stretches, k: int) -> Stretches:
    return stretches[np.array([k])]
