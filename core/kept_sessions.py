"""Sessions in the workspace, and what was chosen for each: its settings, and who is the skater.

Several machines may share the records, each with a folder of its own; so where a video lies is known by folder. What
one writes that rests on what it has read is written while it holds the session's row, so that two at once lose nothing.
"""

from __future__ import annotations

import os
import re
import secrets
import shutil
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from sqlalchemy import Connection, Select, and_, delete, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from core.content import content_id
from core.database import Database
from core.errors import UserError
from core.pose import SubjectChoice
from core.records import (
    Session,
    label_table,
    place_table,
    review_table,
    session_table,
    settings_table,
    subject_table,
)
from core.settings import SessionSettings

_T = session_table.c
_HOME_ID = re.compile(r"[0-9a-f]{16}")


class KeptSessions:
    """The sessions of a workspace."""

    def __init__(self, home: Path, database: Database) -> None:
        self.home = home
        """The folder, absolute."""
        self.database = database
        """Where the records are."""

    @cached_property
    def home_id(self) -> str:
        """What the records call this folder, whatever its path or its machine's name becomes: 16 hex digits.

        It stands in the folder's file ``home.id``, which is made when first asked for, and anew where a power cut left
        none in it.

        Raises:
            UserError: the file cannot be made.
        """
        file = self.home / "home.id"
        try:
            return _home_id_in(file) or _made_home_id(file)
        except OSError as error:
            raise UserError(
                f"Cannot use {file} ({error.strerror}); free some space, and make the file and its folder writable."
            ) from error

    def session_for(self, path: Path, facts: Mapping[str, Any] | None = None, name: str | None = None) -> Session:
        """The session of the video at ``path``: a new one, or the one that has this content, now known to lie there.

        Args:
            path: the video.
            facts: what was read from it; what else is known of it stays.
            name: what to call it; None leaves the name, or takes that of the file for a new session.

        Raises:
            UserError: if the file cannot be read.
        """
        where = path.expanduser().resolve()
        session_id = content_id(where)
        # Look first: pages ask for the session at every rerun, and most often there is nothing to write.
        known = self._find_session(session_id)
        if known and where == known.path and not facts and name in (None, known.name):
            return known
        place = {"session_id": session_id, "home": self.home_id}
        if known is None:
            new = {"id": session_id, "name": name or where.stem, "path": str(where), "facts": dict(facts or {})}
            # Another process may have added it in between; then this is an update like any other.
            with suppress(IntegrityError), self.database.transaction() as db:
                db.execute(insert(session_table).values(**new, added_at=datetime.now(UTC)))
                self.database.upsert(db, place_table, place, {"path": str(where)})
                return Session.from_row(db.execute(self._one_session(session_id)).mappings().one())
        with self.database.transaction() as db:
            hold(db, session_id)
            self.database.upsert(db, place_table, place, {"path": str(where)})
            session = Session.from_row(db.execute(self._one_session(session_id)).mappings().one())
            given = {"facts": {**session.facts, **(facts or {})}, "name": session.name if name is None else name}
            db.execute(update(session_table).where(_T.id == session_id).values(given))
            return Session.from_row(db.execute(self._one_session(session_id)).mappings().one())

    def session(self, session_id: str) -> Session:
        """One session.

        Raises:
            UserError: if there is none with this id.
        """
        found = self._find_session(session_id)
        if found is None:
            raise self._unknown(session_id)
        return found

    def sessions(self) -> list[Session]:
        """All sessions, the newest first."""
        with self.database.transaction() as db:
            rows = db.execute(self._all_sessions().order_by(_T.added_at.desc(), _T.id))
            return [Session.from_row(row) for row in rows.mappings()]

    def rename_session(self, session_id: str, name: str) -> None:
        """Call a session something else."""
        with self.database.transaction() as db:
            db.execute(update(session_table).where(_T.id == session_id).values(name=name))

    def remove_session(self, session_id: str) -> None:
        """Forget a session, its labels and decisions, and what was computed from its video. The video itself stays."""
        with self.database.transaction() as db:
            hold(db, session_id)
            db.execute(select(_T.id).where(_T.id == session_id).with_for_update())  # nobody adds to it any more
            for table in (label_table, settings_table, subject_table, review_table, place_table):
                db.execute(delete(table).where(table.c.session_id == session_id))
            db.execute(delete(session_table).where(_T.id == session_id))
        # Last: a folder without a session does no harm, and is used again should the video come back.
        shutil.rmtree(self.home / "videos" / session_id, ignore_errors=True)

    def settings(self, session_id: str) -> SessionSettings:
        """What was chosen for a session; the defaults if nothing was, or if another version of Trickline wrote it."""
        with self.database.transaction() as db:
            return _settings(db, session_id)

    def save_settings(
        self, session_id: str, settings: SessionSettings, base: SessionSettings | None = None
    ) -> SessionSettings:
        """Keep what was chosen for a session.

        Args:
            settings: all of it.
            base: what ``settings`` was made from: only what differs from it is written, field by field, over what
                others have chosen since. None writes all.

        Returns:
            What is kept now.

        Raises:
            UserError: if there is no such session.
        """
        with self.database.transaction() as db:
            if not hold(db, session_id):
                raise self._unknown(session_id)
            kept = settings if base is None else _merged(base, settings, _settings(db, session_id))
            values = {"settings": kept.model_dump(mode="json")}
            self.database.upsert(db, settings_table, {"session_id": session_id}, values)
            return kept

    def subjects(self, session_id: str) -> tuple[SubjectChoice, ...]:
        """Who was chosen as the skater and from which frame on, in order of the frames."""
        table = subject_table.c
        chosen = select(table.frame, table.x, table.y).where(table.session_id == session_id).order_by(table.frame)
        with self.database.transaction() as db:
            return tuple(SubjectChoice(**row) for row in db.execute(chosen).mappings())

    def choose_subject(self, session_id: str, choice: SubjectChoice) -> None:
        """The person at this place is the skater from this frame on; another choice at the same frame goes.

        Raises:
            UserError: if there is no such session.
        """
        key = {"session_id": session_id, "frame": int(choice.frame)}
        with self.database.transaction() as db:
            if not hold(db, session_id):
                raise self._unknown(session_id)
            self.database.upsert(db, subject_table, key, {"x": float(choice.x), "y": float(choice.y)})

    def clear_subjects(self, session_id: str) -> None:
        """Let the skater be found again by himself in the whole session."""
        with self.database.transaction() as db:
            db.execute(delete(subject_table).where(subject_table.c.session_id == session_id))

    def _find_session(self, session_id: str) -> Session | None:
        with self.database.transaction() as db:
            row = db.execute(self._one_session(session_id)).mappings().one_or_none()
            return Session.from_row(row) if row else None

    def _one_session(self, session_id: str) -> Select[Any]:
        return self._all_sessions().where(_T.id == session_id)

    def _all_sessions(self) -> Select[Any]:
        """With the path of this folder, or else of the one that added the session."""
        here = and_(place_table.c.session_id == _T.id, place_table.c.home == self.home_id)
        path = func.coalesce(place_table.c.path, _T.path).label("path")
        columns = [path if column.name == "path" else column for column in _T]
        return select(*columns).join_from(session_table, place_table, here, isouter=True)

    def _unknown(self, session_id: str) -> UserError:
        return UserError(f"There is no session {session_id} in {self.home}; add its video first.")


def hold(db: Connection, session_id: str) -> bool:
    """Make others that hold the session wait until the open transaction ends; what is read after this is the newest.

    Returns:
        Whether there is such a session.
    """
    # An update and no SELECT ... FOR UPDATE: SQLite, which has none, takes its turn at the first write.
    return bool(db.execute(update(session_table).where(_T.id == session_id).values(name=_T.name)).rowcount)


def _home_id_in(file: Path) -> str | None:
    try:
        text = file.read_bytes().decode("ascii", "replace").strip()
    except FileNotFoundError:
        return None
    return text if _HOME_ID.fullmatch(text) else None


def _made_home_id(file: Path) -> str:
    """Write an id into a file that has none; of two who do so at once the first wins.

    With a lock, because memory cards and network folders have no links, without which nothing else is made once.
    """
    with file.open("a+b") as opened:
        with suppress(ImportError, OSError):  # a system or folder without locks: two at once are most unlikely
            import fcntl

            fcntl.flock(opened, fcntl.LOCK_EX)
        made = _home_id_in(file)
        if made is None:
            made = secrets.token_hex(8)
            opened.truncate(0)
            opened.write(f"{made}\n".encode())
            opened.flush()
            os.fsync(opened.fileno())
        return made


def _settings(db: Connection, session_id: str) -> SessionSettings:
    chosen = select(settings_table.c.settings).where(settings_table.c.session_id == session_id)
    try:
        return SessionSettings.model_validate(db.execute(chosen).scalar_one_or_none() or {})
    except ValidationError:
        return SessionSettings()


def _merged(base: SessionSettings, mine: SessionSettings, now: SessionSettings) -> SessionSettings:
    """What is chosen now, with what differs between ``base`` and ``mine``; ``mine`` where they do not go together."""
    values = _overlaid(base.model_dump(), mine.model_dump(), now.model_dump())
    try:
        return SessionSettings.model_validate(values)
    except (UserError, ValidationError):
        return mine


def _overlaid(base: dict[str, Any], mine: dict[str, Any], now: dict[str, Any]) -> dict[str, Any]:
    merged = dict(now)
    for name, value in mine.items():
        before, there = base.get(name), now.get(name)
        if isinstance(value, dict) and isinstance(before, dict) and isinstance(there, dict):
            merged[name] = _overlaid(before, value, there)
        elif name not in base or value != before:
            merged[name] = value
    return merged
