"""What is kept: sessions, labels with their history and models in a database, and the files beside it.

    >>> with Workspace.open() as workspace:  # doctest: +SKIP
    ...     session = workspace.session_for(Path("footage.mp4"))
    ...     workspace.save_labels(session.id, [Interval(247, 272)], source="editor")

Everything goes by the content of the video and not by its name: a moved or renamed video keeps its labels and nothing
is computed twice. The folder is ``TRICKLINE_HOME`` (``./workspace``):

    trickline.db                                    unless ``TRICKLINE_DB`` gives the URL of another database
    videos/<content id>/<step>-<settings>.<suffix>  what a step computed
    models/<id>.<suffix>
"""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Iterable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from hashlib import blake2b
from io import BytesIO
from pathlib import Path
from types import TracebackType
from typing import Any

from pydantic import BaseModel, ValidationError
from sqlalchemy import URL, Connection, Select, Table, and_, delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from core.atomic import atomic_path, make_folder
from core.content import content_id, reading
from core.database import Database
from core.errors import UserError
from core.intervals import Interval
from core.pose import SubjectChoice
from core.records import (
    LabelRevision,
    ModelRecord,
    Session,
    canonical_json,
    interval_rows,
    label_table,
    model_table,
    review_table,
    session_table,
    settings_table,
    subject_table,
)
from core.settings import SessionSettings


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


class Workspace:
    """The folder and the database. Safe to use from several threads, and open in several processes at once.

    Labels are never overwritten, only a whole session can be removed. Every method that touches the database raises a
    :class:`UserError` if that is locked for 30 s, damaged, full, read-only or out of reach.
    """

    def __init__(self, home: Path, database: Database) -> None:
        self.home = home
        """The folder, absolute."""
        self.database = database
        """Where the records are."""

    @classmethod
    def open(cls, home: Path | None = None) -> Workspace:
        """Open the workspace and make what is missing of it.

        Args:
            home: the folder; None takes the environment's ``TRICKLINE_HOME`` or else ``./workspace``. The database is
                ``trickline.db`` in it, or what the URL in ``TRICKLINE_DB`` names. On a network folder let
                ``TRICKLINE_DB`` name a server: SQLite's write-ahead log works on one machine only.

        Raises:
            UserError: if the folder or the database cannot be used.
        """
        folder = (home or Path(os.environ.get("TRICKLINE_HOME") or "workspace")).expanduser().absolute()
        make_folder(folder)
        url = os.environ.get("TRICKLINE_DB") or URL.create("sqlite", database=str(folder / "trickline.db"))
        return cls(folder, Database(url))

    def close(self) -> None:
        """Let go of the database."""
        self.database.close()

    def __enter__(self) -> Workspace:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def artifact(
        self, content_id: str, step: str, key: BaseModel | Mapping[str, Any], suffix: str, *, version: int = 1
    ) -> Path:
        """Where a step keeps what it computed from a video; for the step to write, by :func:`core.atomic.atomic_path`.

        Args:
            content_id: of the video.
            step: name of the step, such as "pose".
            key: every setting that changes the result; models may stand inside a mapping.
            suffix: such as "parquet".
            version: of the step's code. Raise it when the same settings give another result than before.
        """
        if not (content_id.isalnum() and content_id.isascii()):
            raise ValueError(f"not a content id: {content_id!r}")
        settings = blake2b(canonical_json([version, key]).encode(), digest_size=8).hexdigest()
        return self.home / "videos" / content_id / f"{step}-{settings}.{suffix.removeprefix('.')}"

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
        given: dict[str, Any] = {"path": str(where)}
        if facts is not None:
            given["facts"] = dict(facts)
        if name is not None:
            given["name"] = name
        new = {"id": session_id, "name": where.stem, "facts": {}, "added_at": datetime.now(UTC), **given}
        # Look first: pages ask for the session at every rerun, and most often there is nothing to write.
        known = self._find_session(session_id)
        if known and where == known.path and not facts and name in (None, known.name):
            return known
        if known is None:
            # Another process may have added it in between; then this is an update like any other.
            with suppress(IntegrityError), self.database.transaction() as db:
                db.execute(insert(session_table).values(new))
                return Session.from_row(db.execute(_one_session(session_id)).mappings().one())
        with self.database.transaction() as db:
            db.execute(update(session_table).where(session_table.c.id == session_id).values(path=str(where)))
            if facts is not None:
                known = Session.from_row(db.execute(_one_session(session_id)).mappings().one())
                given["facts"] = {**known.facts, **facts}
            db.execute(update(session_table).where(session_table.c.id == session_id).values(given))
            return Session.from_row(db.execute(_one_session(session_id)).mappings().one())

    def session(self, session_id: str) -> Session:
        """One session.

        Raises:
            UserError: if there is none with this id.
        """
        found = self._find_session(session_id)
        if found is None:
            raise UserError(f"There is no session {session_id} in {self.home}; add its video first.")
        return found

    def sessions(self) -> list[Session]:
        """All sessions, the newest first."""
        with self.database.transaction() as db:
            rows = db.execute(select(session_table).order_by(session_table.c.added_at.desc(), session_table.c.id))
            return [Session.from_row(row) for row in rows.mappings()]

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
                newest = self.labels(session_id, layer)
                if newest is None or newest.revision < revision:
                    raise  # nobody took the number, so that trying again would fail for ever

    def labels(self, session_id: str, layer: str = "") -> LabelRevision | None:
        """The newest labels of a session; None if none were ever saved."""
        newest = _revisions(session_id, layer)
        with self.database.transaction() as db:
            row = db.execute(newest.order_by(label_table.c.revision.desc()).limit(1)).mappings().one_or_none()
            return LabelRevision.from_row(row) if row else None

    def label_history(self, session_id: str, layer: str = "") -> list[LabelRevision]:
        """Every revision of a session's labels, the newest first."""
        history = _revisions(session_id, layer)
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

    def settings(self, session_id: str) -> SessionSettings:
        """What was chosen for a session; the defaults if nothing was, or if another version of Trickline wrote it."""
        chosen = select(settings_table.c.settings).where(settings_table.c.session_id == session_id)
        with self.database.transaction() as db:
            values = db.execute(chosen).scalar_one_or_none()
        try:
            return SessionSettings.model_validate(values or {})
        except ValidationError:
            return SessionSettings()

    def save_settings(self, session_id: str, settings: SessionSettings) -> None:
        """Keep what was chosen for a session; what was chosen before goes.

        Raises:
            UserError: if there is no such session.
        """
        self.session(session_id)
        self._replace(settings_table, {"session_id": session_id}, {"settings": settings.model_dump(mode="json")})

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
        self.session(session_id)
        key = {"session_id": session_id, "frame": int(choice.frame)}
        self._replace(subject_table, key, {"x": float(choice.x), "y": float(choice.y)})

    def clear_subjects(self, session_id: str) -> None:
        """Let the skater be found again by himself in the whole session."""
        with self.database.transaction() as db:
            db.execute(delete(subject_table).where(subject_table.c.session_id == session_id))

    def rename_session(self, session_id: str, name: str) -> None:
        """Call a session something else."""
        with self.database.transaction() as db:
            db.execute(update(session_table).where(session_table.c.id == session_id).values(name=name))

    def remove_session(self, session_id: str) -> None:
        """Forget a session, its labels and decisions, and what was computed from its video. The video itself stays."""
        with self.database.transaction() as db:
            for table in (label_table, settings_table, subject_table, review_table):
                db.execute(delete(table).where(table.c.session_id == session_id))
            db.execute(delete(session_table).where(session_table.c.id == session_id))
        # Last: a folder without a session does no harm, and is used again should the video come back.
        shutil.rmtree(self.home / "videos" / session_id, ignore_errors=True)

    def add_model(
        self, model: Path | bytes, name: str, meta: Mapping[str, Any], *, suffix: str = ".skops"
    ) -> ModelRecord:
        """Keep a copy of a model. An older model of the same name stays and goes by its id.

        Args:
            model: a file, or what would be in it.
            name: what to call it.
            meta: what is to be known without opening the file.
            suffix: of the kept file if ``model`` is bytes; a file keeps its own.

        Raises:
            UserError: if the file cannot be read or kept.
        """
        model_id = secrets.token_hex(8)
        kept = self._models / (model_id + (suffix if isinstance(model, bytes) else model.suffix))
        content = BytesIO(model) if isinstance(model, bytes) else reading(model)
        with content as source, atomic_path(kept) as temporary, temporary.open("wb") as copy:
            shutil.copyfileobj(source, copy)
        # The row comes last: a file without a row does no harm, a row without its file would.
        with self.database.transaction() as db:
            values = {"id": model_id, "name": name, "file": kept.name, "meta": dict(meta)}
            db.execute(insert(model_table).values(**values, added_at=datetime.now(UTC)))
        return self.model(model_id)

    def models(self) -> list[ModelRecord]:
        """All models, the newest first."""
        with self.database.transaction() as db:
            rows = db.execute(select(model_table).order_by(model_table.c.added_at.desc(), model_table.c.id))
            return [ModelRecord.from_row(row, self._models) for row in rows.mappings()]

    def model(self, name_or_id: str) -> ModelRecord:
        """The model with this id, or else the newest of this name.

        Raises:
            UserError: if there is none, or its file is gone.
        """
        models = self.models()
        by_id = [model for model in models if model.id == name_or_id]
        for model in by_id or [model for model in models if model.name == name_or_id]:
            if not model.path.is_file():
                raise UserError(
                    f"The file {model.path} of model {name_or_id} is gone; put it back or train the model again."
                )
            return model
        known = ", ".join(sorted({model.name for model in models})) or "none yet"
        raise UserError(f"There is no model {name_or_id} in {self.home}; choose one of: {known}.")

    @property
    def _models(self) -> Path:
        return self.home / "models"

    def _replace(self, table: Table, key: Mapping[str, Any], values: Mapping[str, Any]) -> None:
        """Write a row, over the one that has this key if there is one."""
        same = and_(*(table.c[name] == value for name, value in key.items()))
        with self.database.transaction() as db:
            db.execute(delete(table).where(same))
            db.execute(insert(table).values(**key, **values))

    def _find_session(self, session_id: str) -> Session | None:
        with self.database.transaction() as db:
            row = db.execute(_one_session(session_id)).mappings().one_or_none()
            return Session.from_row(row) if row else None


def insert_labels(
    db: Connection,
    session_id: str,
    revision: int,
    intervals: Iterable[Interval],
    source: str,
    author: str | None = None,
    layer: str = "",
) -> None:
    """Append a revision of labels within an open transaction; otherwise use :meth:`Workspace.save_labels`.

    Args:
        revision: one more than that of the newest labels, which tells whether others were saved since those were read.

    Raises:
        IntegrityError: there is such a revision already, or no such session.
    """
    values = {"session_id": session_id, "layer": layer, "revision": revision, "source": source, "author": author}
    rows = interval_rows(intervals)
    db.execute(insert(label_table).values(**values, intervals=rows, saved_at=datetime.now(UTC)))


def _one_session(session_id: str) -> Select[Any]:
    return select(session_table).where(session_table.c.id == session_id)


def _revisions(session_id: str, layer: str) -> Select[Any]:
    return select(label_table).where(label_table.c.session_id == session_id, label_table.c.layer == layer)


def _one_revision(session_id: str, layer: str, revision: int) -> Select[Any]:
    return _revisions(session_id, layer).where(label_table.c.revision == revision)
