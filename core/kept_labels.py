"""Labels in the workspace: every revision of every layer, and edits that others' saves do not get in the way of."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, Select, insert, select
from sqlalchemy.exc import IntegrityError

from core.errors import UserError
from core.intervals import Interval
from core.kept_sessions import KeptSessions
from core.records import LabelRevision, interval_rows, label_table


class StaleEdit(UserError):
    """The labels were saved by someone else since the edit began; nothing was saved."""

    def __init__(self, newest: LabelRevision) -> None:
        by = f" by {newest.author}" if newest.author else ""
        super().__init__(
            f"The labels of session {newest.session_id} were changed{by} at {newest.saved_at:%Y-%m-%d %H:%M:%S} UTC "
            f"while you edited them; load revision {newest.revision} and make your changes again."
        )
        self.newest = newest
        """The labels as they are now."""


@dataclass(frozen=True)
class Edited:
    """What came of an edit."""

    met: LabelRevision | None
    """The labels that it was done to; None if there were none yet."""
    saved: LabelRevision | None
    """What it made of them; None if it changed nothing."""


class KeptLabels(KeptSessions):
    """The labels of the sessions. They are never overwritten: every save is a revision of its own."""

    def save_labels(
        self,
        session_id: str,
        intervals: Iterable[Interval],
        source: str,
        author: str | None = None,
        base_revision: int | None = None,
        layer: str = "",
    ) -> LabelRevision:
        """Append the labels of a session as its newest revision. Older ones stay.

        Args:
            session_id: the session.
            intervals: all its labels, in any order.
            source: where they come from, such as "cvat" or "editor".
            author: who made them.
            base_revision: the revision that was edited, 0 if there was none yet; None appends whatever came in between.
            layer: empty for the labels that count as true, or the name of a further annotator.

        Raises:
            StaleEdit: if ``base_revision`` is not the newest any more.
            UserError: if there is no such session.
            ValueError: if there never was such a ``base_revision``.
        """
        self.session(session_id)
        wanted = tuple(intervals)
        newest = self.labels(session_id, layer)
        while True:
            newest_number = newest.revision if newest else 0
            if base_revision is not None and base_revision != newest_number:
                if newest is None or not 0 <= base_revision < newest_number:
                    raise ValueError(f"session {session_id} has no label revision {base_revision}")
                raise StaleEdit(newest)
            revision = newest_number + 1
            try:
                with self.database.transaction() as db:
                    insert_labels(db, session_id, revision, wanted, source, author, layer)
                    return LabelRevision.from_row(
                        db.execute(_one_revision(session_id, layer, revision)).mappings().one()
                    )
            except IntegrityError:
                self.session(session_id)  # somebody may have removed it meanwhile
                newest = self.labels(session_id, layer)
                if newest is None or newest.revision < revision:
                    raise  # nobody took the number, so that trying again would fail for ever

    def edit_labels(
        self,
        session_id: str,
        edit: Callable[[tuple[Interval, ...]], Collection[Interval]],
        source: str,
        author: str | None = None,
        layer: str = "",
    ) -> Edited:
        """Do an edit to the labels as they are now, again if somebody saves at the same moment: nobody's is lost.

        Args:
            edit: from the labels as they are to what they should be, such as by :func:`core.labels.merging.rebase`; it
                may be asked several times.
            source, author, layer: as for :meth:`save_labels`.

        Raises:
            UserError: if there is no such session.
        """
        newest = self.labels(session_id, layer)
        while True:
            number, current = (newest.revision, newest.intervals) if newest else (0, ())
            wanted = set(edit(current))
            if wanted == set(current):
                return Edited(newest, None)
            try:
                return Edited(newest, self.save_labels(session_id, wanted, source, author, number, layer))
            except StaleEdit as stale:
                newest = stale.newest

    def labels(self, session_id: str, layer: str = "") -> LabelRevision | None:
        """The newest labels of a session; None if none were ever saved."""
        newest = _revisions(session_id, layer)
        with self.database.transaction() as db:
            row = db.execute(newest.order_by(label_table.c.revision.desc()).limit(1)).mappings().one_or_none()
            return LabelRevision.from_row(row) if row else None

    def label_history(
        self, session_id: str, layer: str = "", first: int = 1, last: int | None = None
    ) -> list[LabelRevision]:
        """The revisions of a session's labels from ``first`` to ``last``, the newest first; None is the newest."""
        history = _revisions(session_id, layer).where(label_table.c.revision >= first)
        if last is not None:
            history = history.where(label_table.c.revision <= last)
        with self.database.transaction() as db:
            rows = db.execute(history.order_by(label_table.c.revision.desc()))
            return [LabelRevision.from_row(row) for row in rows.mappings()]

    def layers(self, session_id: str) -> list[str]:
        """The names of a session's layers of labels, in order; the true labels' empty name comes first."""
        names = select(label_table.c.layer).where(label_table.c.session_id == session_id).distinct()
        with self.database.transaction() as db:
            return sorted(db.execute(names).scalars())

    def restore_labels(
        self, session_id: str, revision: int, author: str | None = None, layer: str = ""
    ) -> LabelRevision:
        """Append a new revision with the intervals of an old one; its source says which.

        Raises:
            UserError: if there is no such revision.
        """
        with self.database.transaction() as db:
            row = db.execute(_one_revision(session_id, layer, revision)).mappings().one_or_none()
        if row is None:
            raise UserError(f"Session {session_id} has no label revision {revision}; choose one from its history.")
        intervals = LabelRevision.from_row(row).intervals
        return self.save_labels(session_id, intervals, f"revision {revision}", author, layer=layer)


def insert_labels(
    db: Connection,
    session_id: str,
    revision: int,
    intervals: Iterable[Interval],
    source: str,
    author: str | None = None,
    layer: str = "",
) -> None:
    """Append a revision of labels within an open transaction; otherwise use :meth:`KeptLabels.save_labels`.

    Args:
        revision: one more than that of the newest labels, which tells whether others were saved since those were read.

    Raises:
        IntegrityError: there is such a revision already, or no such session.
    """
    values = {"session_id": session_id, "layer": layer, "revision": revision, "source": source, "author": author}
    rows = interval_rows(intervals)
    db.execute(insert(label_table).values(**values, intervals=rows, saved_at=datetime.now(UTC)))


def _revisions(session_id: str, layer: str) -> Select[Any]:
    return select(label_table).where(label_table.c.session_id == session_id, label_table.c.layer == layer)


def _one_revision(session_id: str, layer: str, revision: int) -> Select[Any]:
    return _revisions(session_id, layer).where(label_table.c.revision == revision)
