"""Models in the workspace: the record of each, its file in the folder, and a copy of that file among the records.

Several machines may share the records, each with a folder of its own. A model that one of them has trained is fetched
by the others when they first use it. It is kept the same way where nobody shares the records: whether they are shared
cannot be told from the database (a SQLite file may serve several folders, too), a workspace that moves to a server has
all it needs at hand, and a file that was lost comes back.
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
from typing import Any

from sqlalchemy import insert, select

from core.atomic import atomic_path
from core.content import reading
from core.errors import UserError
from core.kept_sessions import KeptSessions
from core.records import ModelRecord, model_file_table, model_table

LARGEST = 64 << 20
"""Bytes of a model file that still goes among the records. Detectors have some 100 kB to a few MB; a database is no
place for more than this."""


class KeptModels(KeptSessions):
    """The models of a workspace."""

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
        file = _for_records(kept)
        # The rows come last: a file without a row does no harm, a row without its file would.
        with self.database.transaction() as db:
            values = {"id": model_id, "name": name, "file": kept.name, "meta": dict(meta)}
            db.execute(insert(model_table).values(**values, added_at=datetime.now(UTC)))
            db.execute(insert(model_file_table).values(model_id=model_id, **file))
        return self.model(model_id)

    def models(self) -> list[ModelRecord]:
        """All models, the newest first. Files that an older version kept in the folder alone go among the records."""
        kept = model_file_table.c.model_id
        listed = select(model_table, kept.label("kept")).join_from(model_table, model_file_table, isouter=True)
        with self.database.transaction() as db:
            rows = db.execute(listed.order_by(model_table.c.added_at.desc(), model_table.c.id)).mappings().all()
        models = [ModelRecord.from_row(row, self._models) for row in rows]
        self._hand_in(model for model, row in zip(models, rows, strict=True) if row["kept"] is None)
        return models

    def model(self, name_or_id: str) -> ModelRecord:
        """The model with this id, or else the newest of this name. Its file is in the folder, fetched if need be.

        Raises:
            UserError: if there is none, or its file is gone, damaged, or too large to travel with the records.
        """
        models = self.models()
        by_id = [model for model in models if model.id == name_or_id]
        for model in by_id or [model for model in models if model.name == name_or_id]:
            if not model.path.is_file():
                self._fetch(model, name_or_id)
            return model
        known = ", ".join(sorted({model.name for model in models})) or "none yet"
        raise UserError(f"There is no model {name_or_id} in {self.home}; choose one of: {known}.")

    def _hand_in(self, models: Iterable[ModelRecord]) -> None:
        """Put the files that are here among the records."""
        # Who lists the models wants the list, and the next listing tries again. A file that cannot be read holds up no
        # other; records that are locked are waited for once, and not for every model.
        with suppress(UserError):
            for model in models:
                try:
                    file = _for_records(model.path) if model.path.is_file() else None
                except UserError:
                    continue
                if file:
                    with self.database.transaction() as db:
                        self.database.upsert(db, model_file_table, {"model_id": model.id}, file)

    def _fetch(self, model: ModelRecord, called: str) -> None:
        """Write a model's file from the records."""
        with self.database.transaction() as db:
            of_this = select(model_file_table).where(model_file_table.c.model_id == model.id)
            file = db.execute(of_this).mappings().one_or_none()
        if file is None:
            raise UserError(
                f"The file {model.path} of model {called} is gone; put it back or train the model again (if another "
                "machine has it, open the Train page there once, and it comes by itself)."
            )
        if file["content"] is None:
            raise UserError(
                f"The file of model {called} is larger than {LARGEST >> 20} MB and does not travel with the records; "
                f"copy {model.path.name} from the folder models of the machine that trained it to {model.path}."
            )
        if _digest(file["content"]) != file["digest"]:
            raise UserError(
                f"The file of model {called} is damaged in the records; copy {model.path.name} from the folder models "
                f"of the machine that trained it to {model.path}, or train the model again."
            )
        with atomic_path(model.path) as temporary:
            temporary.write_bytes(file["content"])

    @property
    def _models(self) -> Path:
        return self.home / "models"


def _for_records(path: Path) -> dict[str, Any]:
    """The columns ``content`` and ``digest`` of a file, both None for a large one."""
    with reading(path) as file:
        if os.fstat(file.fileno()).st_size > LARGEST:
            return {"content": None, "digest": None}
        content = file.read()
    return {"content": content, "digest": _digest(content)}


def _digest(content: bytes) -> str:
    return blake2b(content, digest_size=16).hexdigest()
