"""The recognizers that a workspace keeps, each in a folder of its own.

>>> shelved = recognizers(workspace)                                     # doctest: +SKIP
>>> shelved[0].name, shelved[0].classes                                  # doctest: +SKIP
('park tricks', ('kickflip', 'ollie'))
"""

from __future__ import annotations

import json
import logging
import secrets
import shutil
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pydantic

from core.atomic import atomic_path
from core.errors import UserError
from core.recognize.learning import Judged, read_judged
from core.recognize.loading import CARD, architecture_of
from core.settings import Settings
from core.workspace import Workspace

_CARD = "shelf.json"
_ID = 16

log = logging.getLogger(__name__)


class _Card(Settings):
    name: str
    added_at: datetime


@dataclass(frozen=True)
class Shelved:
    """A recognizer of the workspace."""

    id: str
    name: str
    """Several may share it."""
    folder: Path
    architecture: str
    classes: tuple[str, ...]
    added_at: datetime
    """UTC."""

    def judged(self) -> Judged | None:
        """How it did on what it was not trained on; None if that is not known.

        Raises:
            UserError: what was kept of it is damaged.
        """
        return read_judged(self.folder)


def recognizers(workspace: Workspace) -> list[Shelved]:
    """All that are whole, the newest first; what is damaged is passed over, and logged."""
    found = []
    for folder in _shelf(workspace).glob(f"*/{_CARD}"):
        try:
            found.append(recognizer(workspace, folder.parent.name))
        except UserError as error:
            log.warning("%s", error)
    return sorted(found, key=lambda one: (one.added_at, one.id), reverse=True)


def recognizer(workspace: Workspace, recognizer_id: str) -> Shelved:
    """The one of this id.

    Raises:
        UserError: there is none, or it is damaged.
    """
    folder = folder_of(workspace, recognizer_id)
    try:
        card = _Card.model_validate_json((folder / _CARD).read_bytes())
        classes = tuple(str(label) for label in json.loads((folder / CARD).read_text("utf-8"))["classes"])
    except FileNotFoundError as error:
        raise UserError(f"There is no recognizer {recognizer_id} in {workspace.home}: choose another.") from error
    except (OSError, pydantic.ValidationError, ValueError, LookupError, TypeError) as error:
        raise UserError(f"The recognizer in {folder} is damaged: delete that folder and train anew.") from error
    return Shelved(recognizer_id, card.name, folder, architecture_of(folder), classes, card.added_at)


def reserve(workspace: Workspace) -> Path:
    """An empty folder for a new recognizer; :func:`put` makes it one."""
    folder = folder_of(workspace, secrets.token_hex(_ID // 2))
    folder.mkdir(parents=True)
    return folder


def put(folder: Path, name: str, workspace: Workspace) -> Shelved:
    """Keep what was trained into a reserved folder under a name."""
    _write(folder, name, datetime.now(UTC))
    return recognizer(workspace, folder.name)


def rename(workspace: Workspace, recognizer_id: str, name: str) -> None:
    """Give a recognizer another name.

    Raises:
        UserError: there is none, or it cannot be written to.
    """
    kept = recognizer(workspace, recognizer_id)
    _write(kept.folder, name, kept.added_at)


def remove(workspace: Workspace, recognizer_id: str) -> None:
    """Delete a recognizer.

    Raises:
        UserError: there is none.
    """
    shutil.rmtree(recognizer(workspace, recognizer_id).folder)


def _write(folder: Path, name: str, added_at: datetime) -> None:
    card = _Card(name=" ".join(name.split())[:80] or "recognizer", added_at=added_at)
    with atomic_path(folder / _CARD) as temporary:
        temporary.write_text(card.model_dump_json() + "\n", "utf-8")


def _shelf(workspace: Workspace) -> Path:
    return workspace.home / "recognizers"


def folder_of(workspace: Workspace, recognizer_id: str) -> Path:
    if not (recognizer_id.isalnum() and recognizer_id.isascii()):
        raise UserError(f"{recognizer_id[:40]!r} is no recognizer: choose one of the list.")
    return _shelf(workspace) / recognizer_id
