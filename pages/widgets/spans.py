"""What was found and what was missed, each with its reason, as the workbench shows it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from core.explain import Why
from core.intervals import Interval
from pages.widgets.workbench import Span


def found_spans(whys: Iterable[Why]) -> list[Span]:
    """What the detector found."""
    return [_span(why) for why in whys if why.state != "missed"]


def missed_spans(whys: Iterable[Why]) -> list[Span]:
    """The true intervals that it did not find."""
    return [_span(why) for why in whys if why.state == "missed"]


def true_spans(truth: Sequence[Interval], whys: Iterable[Why]) -> list[Span]:
    """All true intervals; those that were missed say why."""
    missed = {(span.start, span.end): span for span in missed_spans(whys)}
    return [
        missed.get((one.start_frame, one.end_frame)) or Span(one.start_frame, one.end_frame, one.label, state="hit")
        for one in truth
    ]


def _span(why: Why) -> Span:
    one = why.interval
    confidence = getattr(one, "confidence", None)
    return Span(one.start_frame, one.end_frame, one.label, confidence, why.state, why.sentence)
