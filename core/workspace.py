"""What is kept: sessions, labels with their history and models in a database, and the files beside it.

    >>> with Workspace.open() as workspace:  # doctest: +SKIP
    ...     session = workspace.session_for(Path("footage.mp4"))
    ...     workspace.save_labels(session.id, [Interval(247, 272)], source="editor")

Everything goes by the content of the video and not by its name: a moved or renamed video keeps its labels and nothing
is computed twice. The folder is ``TRICKLINE_HOME`` (``./workspace``):

    trickline.db                                    unless ``TRICKLINE_DB`` gives the URL of another database
    home.id                                         what that database calls this folder
    videos/<content id>/<step>-<settings>.<suffix>  what a step computed
    models/<id>.<suffix>                            also in the database, from where other machines have it
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from hashlib import blake2b
from pathlib import Path
from types import TracebackType
from typing import Any

from pydantic import BaseModel
from sqlalchemy import URL

from core.atomic import make_folder
from core.database import Database
from core.kept_labels import KeptLabels
from core.kept_models import KeptModels
from core.records import canonical_json


def home_folder(home: Path | None = None) -> Path:
    """Where :meth:`Workspace.open` opens the workspace. Nothing is made."""
    return (home or Path(os.environ.get("TRICKLINE_HOME") or "workspace")).expanduser().absolute()


class Workspace(KeptLabels, KeptModels):
    """The folder and the database. Safe to use from several threads, and open in several processes at once.

    Labels are never overwritten, only a whole session can be removed. Every method that touches the database raises a
    :class:`UserError` if that is locked for 30 s, damaged, full, read-only or out of reach.
    """

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
        folder = home_folder(home)
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
