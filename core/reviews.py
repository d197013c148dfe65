"""Decisions on found tricks: kept or rejected, how good, and where they really begin and end.

    >>> decided = decide(workspace, session.id, [Decision(event, verdict="keep", stars=4)])  # doctest: +SKIP
    >>> decided.reviews[0].verdict, decided.notes                                            # doctest: +SKIP
    ('keep', ())

A verdict is also a label, from which the next training learns; a label that a person drew or imported is never changed
from here.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, get_args

from sqlalchemy import Connection, RowMapping, and_, delete, insert, select
from sqlalchemy.exc import IntegrityError

from core import author as at_work
from core.errors import UserError
from core.intervals import Interval
from core.kept_labels import insert_labels
from core.kept_sessions import hold
from core.records import review_table
from core.tricks import MAX_STARS, SAME_IOU, Review, Verdict, matched, nested
from core.workspace import Workspace

_MAX_PAST = 50
_MAX_TRIES = 50
"""Somebody else has saved something whenever a try is in vain: as many in a row are no coincidence."""
_deciding = threading.Lock()
"""The tabs of one server take turns; what other servers do at the same moment is met by trying again."""


@dataclass(frozen=True)
class Decision:
    """What is to be decided on a found trick; None leaves that part as it is."""

    event: Interval
    """As it is found now."""
    verdict: Verdict | None = None
    stars: int | None = None
    kept: tuple[int, int] | None = None
    """Its first and last frame; those of ``event`` take an adjustment back."""


@dataclass(frozen=True)
class Decided:
    """What decisions led to."""

    reviews: tuple[Review, ...]
    """All of the session, in order of their frames."""
    notes: tuple[str, ...]
    """Sentences for the user where a label that a person made disagrees."""


@dataclass(frozen=True)
class _Row(Review):
    """A review as it is stored."""

    added: Interval | None = None
    """The label that it made."""
    removed: tuple[Interval, ...] = ()
    """The labels of other reviews that it took away."""
    past: tuple[dict[str, Any], ...] = field(default=())
    """What was decided before, the oldest first."""

    @classmethod
    def from_row(cls, row: RowMapping) -> _Row:
        values = {name: value for name, value in row.items() if name not in ("session_id", "history")}
        kept = row["history"]
        added = Interval(*kept["added"]) if kept["added"] else None
        return cls(
            **values, added=added, removed=tuple(Interval(*i) for i in kept["removed"]), past=tuple(kept["past"])
        )

    def to_row(self) -> dict[str, Any]:
        history = {"added": _plain(self.added), "removed": [_plain(i) for i in self.removed], "past": list(self.past)}
        return {**self.state, "label": self.label, "reviewed_at": self.reviewed_at, "history": history}

    @property
    def state(self) -> dict[str, Any]:
        """What a later decision may go back to, as JSON values; the label never changes."""
        names = ("start_frame", "end_frame", "verdict", "stars", "kept_start", "kept_end", "author")
        return {**{name: getattr(self, name) for name in names}, "reviewed_at": self.reviewed_at.isoformat()}

    def before(self) -> _Row | None:
        """The review as it was before its last change; None if there was none."""
        if not self.past:
            return None
        *past, last = self.past
        return replace(self, **{**last, "reviewed_at": datetime.fromisoformat(last["reviewed_at"])}, past=tuple(past))

    def says_as(self, other: _Row | None) -> bool:
        """Whether verdict, stars and bounds are the same; None says nothing."""
        mine = (self.verdict, self.stars, self.kept_start, self.kept_end)
        return mine == (
            (other.verdict, other.stars, other.kept_start, other.kept_end) if other else ("", 0, None, None)
        )


_Change = tuple[_Row | None, _Row | None]
"""A review before and after; None where there is none."""


def reviews(workspace: Workspace, session_id: str) -> tuple[Review, ...]:
    """Every decision on a session, in order of the frames."""
    return tuple(_rows(workspace, session_id))


def rejected(workspace: Workspace, session_id: str) -> tuple[Interval, ...]:
    """What is known to be no trick, in order of the frames."""
    return tuple(row.found for row in _rows(workspace, session_id) if row.verdict == "reject")


def own_labels(workspace: Workspace, session_id: str) -> frozenset[Interval]:
    """The labels that decisions made; all other labels of the session are a person's."""
    return frozenset(row.added for row in _rows(workspace, session_id) if row.added)


def decide(workspace: Workspace, session_id: str, decisions: Iterable[Decision], author: str | None = None) -> Decided:
    """Keep decisions, and what follows from them for the session's labels, in one revision of source "review".

    ``keep`` adds the trick with its bounds to the labels, in the place of what other reviews put there; where a person
    labelled already, that label stands. ``reject`` takes the labels with a tIoU of 0.5 away that came from a review. An
    undecided verdict takes back what the last one did to the labels.

    Args:
        author: who decides; None takes :func:`core.author.author`.

    Raises:
        UserError: there is no such session.
        ValueError: no such verdict, number of stars or interval.
    """
    wanted = tuple(decisions)
    by = author or at_work.author()

    def changes(rows: list[_Row]) -> list[_Change]:
        made: dict[int, _Change] = {}
        now = max([datetime.now(UTC), *(row.reviewed_at + timedelta(microseconds=1) for row in rows)])
        # One after the other: a trick may be decided on twice.
        current: list[tuple[int, _Row]] = list(enumerate(rows))
        for number, decision in enumerate(wanted):
            place = _place_of(decision.event, [row for _, row in current])
            key, old = current.pop(place) if place is not None else (len(rows) + number, None)
            new = _decided(old, decision, by, now + timedelta(microseconds=number))
            made[key] = (made[key][0] if key in made else old, new)
            if new:
                current.append((key, new))
        return [(old, new) for old, new in made.values() if old != new]

    return _carry_out(workspace, session_id, changes, by)


def undo(workspace: Workspace, session_id: str, author: str | None = None) -> Decided:
    """Take the newest decision of a session back, and what it did to the labels; nothing if there is none.

    Args:
        author: who takes it back, for the history of the labels; None takes :func:`core.author.author`.

    Raises:
        UserError: there is no such session.
    """

    def changes(rows: list[_Row]) -> list[_Change]:
        newest = max(rows, key=lambda row: row.reviewed_at, default=None)
        if newest is None:
            return []
        before = newest.before()
        if before and any(row.found == before.found for row in rows if row is not newest):
            before = replace(before, start_frame=newest.start_frame, end_frame=newest.end_frame)
        return [(newest, before)]

    return _carry_out(workspace, session_id, changes, author or at_work.author())


def _place_of(event: Interval, rows: Sequence[_Row]) -> int | None:
    """Which of ``rows`` is on ``event``."""
    review = matched([Interval(event.start_frame, event.end_frame, event.label)], rows)[0]
    return next((place for place, row in enumerate(rows) if row is review), None)


def _decided(old: _Row | None, decision: Decision, author: str | None, now: datetime) -> _Row | None:
    """The review after a decision; None if nothing is decided any more."""
    event = decision.event
    if decision.verdict not in (None, *get_args(Verdict)):
        raise ValueError(f"no such verdict: {decision.verdict!r}")
    if decision.stars is not None and not 0 <= decision.stars <= MAX_STARS:
        raise ValueError(f"not a number of stars: {decision.stars}")
    bounds = (old.kept_start, old.kept_end) if old else (None, None)
    if decision.kept is not None:
        kept = Interval(*decision.kept, event.label)
        same = (kept.start_frame, kept.end_frame) == (event.start_frame, event.end_frame)
        bounds = (None, None) if same else (kept.start_frame, kept.end_frame)
    new = _Row(
        event.start_frame,
        event.end_frame,
        event.label,
        (old.verdict if old else "") if decision.verdict is None else decision.verdict,
        (old.stars if old else 0) if decision.stars is None else decision.stars,
        *bounds,
        author,
        now,
    )
    if new.says_as(old):
        return old
    before = old.before() if old else None
    if old is not None and new.says_as(before):
        # Going back is an undoing, and not one more step to undo. The old frames may be another review's by now.
        return before and replace(before, start_frame=new.start_frame, end_frame=new.end_frame)
    return replace(new, past=(*old.past, old.state)[-_MAX_PAST:] if old else ())


def _carry_out(
    workspace: Workspace, session_id: str, changes_to: Callable[[list[_Row]], list[_Change]], by: str | None
) -> Decided:
    """Store changes and relabel, both or neither.

    What is saved elsewhere in between is met by looking again.
    """
    with _deciding:
        seen, clash = None, None
        for _ in range(_MAX_TRIES):
            workspace.session(session_id)
            rows, newest = now = _rows(workspace, session_id), workspace.labels(session_id)
            if clash and now == seen:
                raise clash  # nobody came in between, so that trying again would fail for ever
            changes = changes_to(rows)
            before = newest.intervals if newest else ()
            after, planned, notes = _relabelled(before, changes, {row.added for row in rows if row.added})
            try:
                with workspace.database.transaction() as db:
                    hold(db, session_id)
                    _swap(db, session_id, [old for old, _ in changes], planned)
                    if sorted(after) != sorted(before):
                        revision = newest.revision + 1 if newest else 1
                        insert_labels(db, session_id, revision, after, "review", by)
            except (_GoneError, IntegrityError) as error:
                seen, clash = now, error
                continue
            return Decided(reviews(workspace, session_id), tuple(dict.fromkeys(notes)))
        raise UserError(f"Session {session_id} keeps being changed elsewhere; decide again in a moment.") from clash


def _relabelled(
    labels: Iterable[Interval], changes: Sequence[_Change], ours: set[Interval]
) -> tuple[list[Interval], list[_Row | None], list[str]]:
    """The labels after changes, the reviews with what they did to the labels, and notes."""
    after, notes = list(labels), list[str]()
    planned: list[_Row | None] = []
    for old, new in changes:
        if old and new and (old.verdict, old.kept_start, old.kept_end) == (new.verdict, new.kept_start, new.kept_end):
            planned.append(replace(new, added=old.added, removed=old.removed))
            continue
        if old:
            after = [label for label in after if label != old.added]
            after += [label for label in old.removed if label not in after]
        if new is None:
            planned.append(None)
            continue
        there = [label for label in after if _concerns(label, new)]
        by_hand = [label for label in there if label not in ours]
        removed = tuple(label for label in there if label in ours) if not by_hand else ()
        after = [label for label in after if label not in removed]
        added = new.kept if new.verdict == "keep" and not by_hand else None
        if added:
            after.append(added)
        planned.append(replace(new, added=added, removed=removed))
        if by_hand and (new.verdict == "reject" or new.adjusted):
            notes.append(_disagreement(by_hand[0], new))
    return after, planned, notes


def _concerns(label: Interval, review: _Row) -> bool:
    """Whether a verdict bears upon a label."""
    if review.verdict == "keep":
        return nested(label, review.kept)
    return review.verdict == "reject" and max(label.iou(review.kept), label.iou(review.found)) >= SAME_IOU


def _disagreement(label: Interval, review: _Row) -> str:
    where = f"Frames {label.start_frame} to {label.end_frame} are labelled {label.label}"
    if review.verdict == "reject":
        return f"{where} by hand: the clip is left out and the label stays. Delete it on the Label page if it is wrong."
    return f"{where} by hand: the clip follows your bounds and the label stays. Change it on the Label page if need be."


def _rows(workspace: Workspace, session_id: str) -> list[_Row]:
    table = review_table.c
    query = select(review_table).where(table.session_id == session_id)
    with workspace.database.transaction() as db:
        rows = db.execute(query.order_by(table.start_frame, table.end_frame, table.label)).mappings()
        return [_Row.from_row(row) for row in rows]


def _swap(db: Connection, session_id: str, old: Iterable[_Row | None], new: Iterable[_Row | None]) -> None:
    """Put reviews in the place of others.

    Raises:
        _GoneError: those are no longer there.
        IntegrityError: another review is in the new place.
    """
    table = review_table.c
    for row in filter(None, old):
        values = row.to_row()
        same = [table[name] == values[name] for name in ("start_frame", "end_frame", "label", "reviewed_at")]
        if db.execute(delete(review_table).where(table.session_id == session_id, and_(*same))).rowcount != 1:
            raise _GoneError
    for row in filter(None, new):
        db.execute(insert(review_table).values(session_id=session_id, **row.to_row()))


class _GoneError(Exception):
    """Undoes a transaction."""


def _plain(interval: Interval | None) -> list[Any] | None:
    return [interval.start_frame, interval.end_frame, interval.label] if interval else None
