"""What an import will change is shown before it is applied: it must be the truth."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.intervals import Event, Interval
from core.labels.changes import Changes, changes

LABELS = st.lists(
    st.builds(
        lambda start, frames, label: Interval(start, start + frames, label),
        st.integers(0, 50),
        st.integers(0, 12),
        st.sampled_from(["ollie", "grind"]),
    ),
    max_size=8,
)


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ([], [], Changes()),
        ([Interval(1, 5)], [Interval(1, 5)], Changes(kept=(Interval(1, 5),))),
        ([], [Interval(1, 5)], Changes(added=(Interval(1, 5),))),
        ([Interval(1, 5)], [], Changes(removed=(Interval(1, 5),))),
        ([Interval(10, 19)], [Interval(12, 19)], Changes(moved=((Interval(10, 19), Interval(12, 19)),))),
        # Half of it is not more than half: too little to call it the same trick.
        ([Interval(10, 19)], [Interval(15, 19)], Changes(added=(Interval(15, 19),), removed=(Interval(10, 19),))),
        (
            [Interval(10, 19, "a")],
            [Interval(10, 19, "b")],
            Changes(added=(Interval(10, 19, "b"),), removed=(Interval(10, 19, "a"),)),
        ),
        ([], [Interval(98, 99), Interval(99, 100)], Changes(added=(Interval(98, 99),), beyond=(Interval(99, 100),))),
        ([Interval(1, 5)], [Event(1, 5, "trick", 0.3)], Changes(kept=(Interval(1, 5),))),
        # The better partner gets it.
        (
            [Interval(10, 19), Interval(11, 20)],
            [Interval(11, 19)],
            Changes(removed=(Interval(11, 20),), moved=((Interval(10, 19), Interval(11, 19)),)),
        ),
    ],
)
def test_cases(old: list[Interval], new: list[Interval], expected: Changes) -> None:
    told = changes(old, new, n_frames=100)
    assert told == expected
    assert told.none == (not expected.added and not expected.removed and not expected.moved)


@settings(max_examples=300, deadline=None)
@given(LABELS, LABELS)
def test_every_interval_is_told_once(old: list[Interval], new: list[Interval]) -> None:
    told = changes(old, new, n_frames=55)
    befores = Counter([*told.removed, *told.kept, *(before for before, _ in told.moved)])
    afters = Counter([*told.added, *told.kept, *told.beyond, *(after for _, after in told.moved)])
    assert befores == Counter(set(old))
    assert afters == Counter(set(new))
    assert all(before.label == after.label and before.iou(after) > 0.5 for before, after in told.moved)
    left = [(b, a) for b in told.removed for a in told.added if b.label == a.label and b.iou(a) > 0.5]
    assert not left, "a pair was overlooked"


def test_in_words() -> None:
    assert str(changes([Interval(1, 5)], [Interval(1, 6), Interval(9, 9), Interval(99, 120)], 100)) == (
        "1 added, 1 moved, 1 past the end"
    )
    assert str(Changes()) == "nothing changed"


def test_many_intervals_are_compared_quickly() -> None:
    """A detector's hours of output, imported over the same shifted by a frame."""
    old = [Interval(10 * i, 10 * i + 5) for i in range(50_000)]
    told = changes(old, [Interval(i.start_frame, i.end_frame + 1) for i in old], 10**6)
    assert len(told.moved) == 50_000
