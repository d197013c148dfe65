"""Two tabs edit the same labels: nothing that nobody removed may be lost, and a conflict is told."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.intervals import Interval
from core.labels.merging import rebase

# Few frames and labels, so that conflicts are the rule.
SETS = st.frozensets(
    st.builds(
        lambda start, frames, label: Interval(start, start + frames, label),
        st.integers(0, 30),
        st.integers(0, 8),
        st.sampled_from(["ollie", "grind"]),
    ),
    max_size=6,
)
quickly = settings(max_examples=300, deadline=None)


@pytest.mark.parametrize(
    ("before", "after", "newest", "expected", "overruled"),
    [
        pytest.param([], [(1, 5)], [], [(1, 5)], [], id="nobody else"),
        pytest.param([(1, 5)], [(1, 5), (9, 12)], [(1, 5), (20, 25)], [(1, 5), (9, 12), (20, 25)], [], id="both add"),
        pytest.param([(1, 5), (9, 12)], [(9, 12)], [(1, 5)], [], [], id="each removes another"),
        pytest.param([(1, 5)], [(2, 6)], [(1, 4)], [(2, 6)], [(1, 4)], id="both trim the same: the newer wins"),
        pytest.param([(1, 5)], [(2, 6)], [(2, 6)], [(2, 6)], [], id="both trim alike"),
        pytest.param([(1, 5)], [(2, 6)], [], [(2, 6)], [], id="trimmed what the other removed"),
        pytest.param([(1, 5)], [], [(1, 4)], [(1, 4)], [], id="removed what the other trimmed: it stays"),
        pytest.param([(1, 5)], [(1, 5)], [], [], [], id="nothing done"),
        pytest.param([(1, 20)], [(1, 20), (5, 9)], [(1, 20)], [(1, 20), (5, 9)], [], id="overlap that was there"),
        pytest.param(
            [], [(5, 9)], [(1, 5), (9, 12), (10, 12)], [(5, 9), (10, 12)], [(1, 5), (9, 12)], id="two at once"
        ),
    ],
)
def test_cases(
    before: list[tuple[int, int]],
    after: list[tuple[int, int]],
    newest: list[tuple[int, int]],
    expected: list[tuple[int, int]],
    overruled: list[tuple[int, int]],
) -> None:
    rebased = rebase(*([Interval(*ends) for ends in some] for some in (before, after, newest)))
    assert list(rebased.intervals) == [Interval(*ends) for ends in expected]
    assert list(rebased.overruled) == [Interval(*ends) for ends in overruled]


def test_another_label_at_the_same_time_is_no_conflict() -> None:
    rebased = rebase([], [Interval(1, 5, "ollie")], [Interval(2, 6, "grind")])
    assert rebased.intervals == (Interval(1, 5, "ollie"), Interval(2, 6, "grind"))
    assert rebased.overruled == ()


@quickly
@given(SETS, SETS, SETS)
def test_nothing_is_lost_that_nobody_removed(
    before: frozenset[Interval], after: frozenset[Interval], newest: frozenset[Interval]
) -> None:
    rebased = rebase(before, after, newest)
    result, overruled = set(rebased.intervals), set(rebased.overruled)
    removed = before - after
    assert after - before <= result, "what the edit added is there"
    assert not result & removed, "what the edit removed is gone"
    assert newest - removed <= result | overruled, "what the others have stays, or is told"
    assert before & after & newest <= result, "what nobody touched stays"
    assert result <= after | newest, "nothing comes from nowhere"
    assert overruled <= newest - before - after, "only what the others set since can be overruled"
    assert not overruled & result


@quickly
@given(SETS, SETS, SETS)
def test_doing_it_twice_changes_nothing(
    before: frozenset[Interval], after: frozenset[Interval], newest: frozenset[Interval]
) -> None:
    """A browser sends an edit again when it is not sure that it arrived."""
    once = rebase(before, after, newest)
    again = rebase(before, after, once.intervals)
    assert again == replace(once, overruled=())


@quickly
@given(SETS, SETS)
def test_without_others_it_is_the_edit(before: frozenset[Interval], after: frozenset[Interval]) -> None:
    rebased = rebase(before, after, before)
    assert set(rebased.intervals) == after
    assert not rebased.overruled


@quickly
@given(SETS, SETS, SETS)
def test_overruled_are_those_that_meet_an_added_one(
    before: frozenset[Interval], after: frozenset[Interval], newest: frozenset[Interval]
) -> None:
    """The quick search finds the same as looking at every pair."""
    added = after - before
    expected = {
        one
        for one in newest - before - added
        if any(one.overlap(other) and one.label == other.label for other in added)
    }
    assert set(rebase(before, after, newest).overruled) == expected


def test_a_long_list_takes_no_longer_than_a_keystroke() -> None:
    """An imported detector's output of 20,000 events must not freeze the page."""
    many = [Interval(10 * i, 10 * i + 5) for i in range(20_000)]
    moved = [Interval(10 * i + 1, 10 * i + 5) for i in range(20_000)]
    trimmed = [Interval(10 * i, 10 * i + 4) for i in range(20_000)]
    rebased = rebase(many, moved, trimmed)
    assert (len(rebased.intervals), len(rebased.overruled)) == (20_000, 20_000)
