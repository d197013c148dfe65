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
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from hashlib import blake2b
from io import BytesIO
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO

from pydantic import BaseModel
from sqlalchemy import URL, Select, insert, select, update
from sqlalchemy.exc import IntegrityError

from core.atomic import atomic_path, make_folder
from core.database import Database
from core.errors import UserError
from core.intervals import Interval
from core.records import (
    LabelRevision,
    ModelRecord,
    Session,
    canonical_json,
    interval_rows,
    label_table,
    model_table,
    session_table,
)

_EDGE = 1 << 20
_BLOCK = 64 << 10
_BLOCKS = 64


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


def content_id(path: Path) -> str:
    """Name a video by its content: 32 hex digits, the same for a copy under any name.

    A file of at most 6 MiB is read whole. Of a larger one the size, the first and the last MiB and 64 blocks of 64 KiB
    evenly spread between them are read, so that 50 GB take no longer than 6 MiB. Limits: large files of one size that
    differ only between those blocks get the same id (bytes patched deep in the middle; another encoding or cut also
    changes the size and the index at the beginning or end). A file that is still being copied has another id than the
    finished one.

    Raises:
        UserError: if the file cannot be read.
    """
    with _reading(path) as file:
        size = os.fstat(file.fileno()).st_size
        digest = blake2b(size.to_bytes(8, "big"), digest_size=16)
        if size <= 2 * _EDGE + _BLOCKS * _BLOCK:
            digest.update(file.read())
            return digest.hexdigest()
        digest.update(file.read(_EDGE))
        last_block = size - 2 * _EDGE - _BLOCK
        for block in range(_BLOCKS):
            file.seek(_EDGE + last_block * block // (_BLOCKS - 1))
            digest.update(file.read(_BLOCK))
        file.seek(size - _EDGE)
        digest.update(file.read(_EDGE))
        return digest.hexdigest()


class Workspace:
    """The folder and the database. Safe to use from several threads, and open in several processes at once.

    Labels and models are never overwritten or deleted. Every method that touches the database raises a
    :class:`UserError` if that is locked for 30 s, damaged, full, read-only or out of reach.
    """

    def __init__(self, home: Path, database: Database) -> None:
        self.home = home
        """The folder, absolute."""
        self._database = database

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
        self._database.close()

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
            facts: what was read from it; None leaves what is known.
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
        if known and where == known.path and facts is None and name in (None, known.name):
            return known
        if known is None:
            # Another process may have added it in between; then this is an update like any other.
            with suppress(IntegrityError), self._database.transaction() as db:
                db.execute(insert(session_table).values(new))
                return Session.from_row(db.execute(_one_session(session_id)).mappings().one())
        with self._database.transaction() as db:
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
        with self._database.transaction() as db:
            rows = db.execute(select(session_table).order_by(session_table.c.added_at.desc(), session_table.c.id))
            return [Session.from_row(row) for row in rows.mappings()]

    def save_labels(
        self,
        session_id: str,
        intervals: Iterable[Interval],
        source: str,
        author: str | None = None,
        base_revision: int | None = None,
    ) -> LabelRevision:
        """Append the labels of a session as its newest revision. Older ones stay.

        Args:
            session_id: the session.
            intervals: all its labels, in any order.
            source: where they come from, such as "cvat" or "editor".
            author: who made them.
            base_revision: the revision that was edited, 0 if there was none yet; None appends whatever came in between.

        Raises:
            StaleEdit: if ``base_revision`` is not the newest any more.
            UserError: if there is no such session.
            ValueError: if there never was such a ``base_revision``.
        """
        self.session(session_id)
        values = {"session_id": session_id, "intervals": interval_rows(intervals), "source": source, "author": author}
        newest = self.labels(session_id)
        while True:
            newest_number = newest.revision if newest else 0
            if base_revision is not None and base_revision != newest_number:
                if newest is None or not 0 <= base_revision < newest_number:
                    raise ValueError(f"session {session_id} has no label revision {base_revision}")
                raise StaleEdit(newest)
            revision = newest_number + 1
            try:
                with self._database.transaction() as db:
                    db.execute(insert(label_table).values(**values, revision=revision, saved_at=datetime.now(UTC)))
                    return LabelRevision.from_row(db.execute(_one_revision(session_id, revision)).mappings().one())
            except IntegrityError:
                newest = self.labels(session_id)
                if newest is None or newest.revision < revision:
                    raise  # nobody took the number, so that trying again would fail for ever

    def labels(self, session_id: str) -> LabelRevision | None:
        """The newest labels of a session; None if none were ever saved."""
        newest = select(label_table).where(label_table.c.session_id == session_id)
        with self._database.transaction() as db:
            row = db.execute(newest.order_by(label_table.c.revision.desc()).limit(1)).mappings().one_or_none()
            return LabelRevision.from_row(row) if row else None

    def label_history(self, session_id: str) -> list[LabelRevision]:
        """Every revision of a session's labels, the newest first."""
        history = select(label_table).where(label_table.c.session_id == session_id)
        with self._database.transaction() as db:
            rows = db.execute(history.order_by(label_table.c.revision.desc()))
            return [LabelRevision.from_row(row) for row in rows.mappings()]

    def restore_labels(self, session_id: str, revision: int, author: str | None = None) -> LabelRevision:
        """Append a new revision with the intervals of an old one; its source says which.

        Raises:
            UserError: if there is no such revision.
        """
        with self._database.transaction() as db:
            row = db.execute(_one_revision(session_id, revision)).mappings().one_or_none()
        if row is None:
            raise UserError(f"Session {session_id} has no label revision {revision}; choose one from its history.")
        return self.save_labels(session_id, LabelRevision.from_row(row).intervals, f"revision {revision}", author)

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
        content = BytesIO(model) if isinstance(model, bytes) else _reading(model)
        with content as source, atomic_path(kept) as temporary, temporary.open("wb") as copy:
            shutil.copyfileobj(source, copy)
        # The row comes last: a file without a row does no harm, a row without its file would.
        with self._database.transaction() as db:
            values = {"id": model_id, "name": name, "file": kept.name, "meta": dict(meta)}
            db.execute(insert(model_table).values(**values, added_at=datetime.now(UTC)))
        return self.model(model_id)

    def models(self) -> list[ModelRecord]:
        """All models, the newest first."""
        with self._database.transaction() as db:
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

    def _find_session(self, session_id: str) -> Session | None:
        with self._database.transaction() as db:
            row = db.execute(_one_session(session_id)).mappings().one_or_none()
            return Session.from_row(row) if row else None


def _one_session(session_id: str) -> Select[Any]:
    return select(session_table).where(session_table.c.id == session_id)


def _one_revision(session_id: str, revision: int) -> Select[Any]:
    return select(label_table).where(label_table.c.session_id == session_id, label_table.c.revision == revision)


@contextmanager
def _reading(path: Path) -> Iterator[BinaryIO]:
    try:
        with path.open("rb") as file:
            yield file
    except FileNotFoundError as error:
        raise UserError(f"There is no file {path}; check the path.") from error
    except OSError as error:
        raise UserError(f"Cannot read {path} ({error.strerror}); check the path and its permissions.") from error
