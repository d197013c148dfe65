"""The recognizers that a workspace keeps, each in a folder of its own.

>>> shelved = recognizers(workspace)                                     # doctest: +SKIP
>>> shelved[0].name, shelved[0].classes                                  # doctest: +SKIP
('park tricks', ('kickflip', 'ollie'))
"""

from __future__ import annotations

import json
import logging
import os
import secrets
import shutil
import stat
import time
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pydantic

from core.atomic import atomic_path, check_folder, make_folder
from core.errors import UserError
from core.recognize.judging import Judged, read_judged
from core.recognize.loading import CARD, architecture_of, open_recognizer
from core.recognize.taught import read_taught
from core.settings import Settings
from core.workspace import Workspace

_CARD = "shelf.json"
_ID = 16
_MB = 10**6
_FILES = {
    CARD: _MB,
    "light.npz": 100 * _MB,
    "model.safetensors": 4_000 * _MB,
    "judged.json": 268 * _MB,
    "taught.json": 67 * _MB,
    "history.csv": 10 * _MB,
}
"""What a recognizer consists of, and how many bytes of each are taken in: the largest network has half a gigabyte."""
_GIVEN_UP_S = 7 * 24 * 3600.0
"""A training that nobody has gone on with for a week."""

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
    for folder in _shelf(workspace).glob(f"[!.]*/{_CARD}"):
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
    """An empty folder for a new recognizer; :func:`put` makes it one.

    Raises:
        UserError: it cannot be made.
    """
    folder = folder_of(workspace, secrets.token_hex(_ID // 2))
    make_folder(folder)
    return folder


def add(workspace: Workspace, folder: Path, name: str) -> Shelved:
    """Put a copy of a recognizer that lies elsewhere on the shelf, such as one of ``trickline recognize train``.

    It is opened first. Only the files that a recognizer consists of are copied, and it is there whole or not at all.

    Args:
        name: others may have it, too.

    Raises:
        UserError: it is no recognizer, does not open, or consists of links or of files larger than any of ours; or
            the workspace cannot be written to.
    """
    files = _files_of(folder)
    open_recognizer(folder, workspace, "cpu")
    read_judged(folder)
    read_taught(folder)
    with _new_folder(workspace, files) as (temporary, final):
        _write(temporary, name, datetime.now(UTC))
        temporary.rename(final)
    return recognizer(workspace, final.name)


def find(workspace: Workspace, name_or_path: str | Path) -> Path:
    """The folder of a recognizer that somebody names: a folder of a training first, then an id or name of the shelf.

    Raises:
        UserError: there is none, or several have this name.
    """
    path = Path(name_or_path)
    with suppress(OSError):  # a name may be longer than a path can be
        if (path / CARD).exists():
            return path
    wanted, shelved = str(name_or_path), recognizers(workspace)
    named = [one for one in shelved if one.id == wanted] or [one for one in shelved if one.name == wanted]
    if len(named) > 1:
        several = ", ".join(f"{one.id} ({when(one)})" for one in named)
        raise UserError(f"{len(named)} recognizers are called {wanted!r}: name one by its id, {several}.")
    if not named:
        raise UserError(
            f"{wanted[:200]} is no recognizer, for it has no {CARD}, and none of the studio's is called so: name a "
            "folder of a training, or one that trickline recognize list shows."
        )
    return named[0].folder


def titles(shelved: Sequence[Shelved]) -> dict[str, str]:
    """What to call each, by its id, so that no two are called alike: where names are, the day and hour are added."""
    told = {one.id: one.name for one in shelved}
    for more in (when, lambda one: one.id):
        counts = Counter(told.values())
        told = {
            one.id: f"{told[one.id]} · {more(one)}" if counts[told[one.id]] > 1 else told[one.id] for one in shelved
        }
    return told


def sweep(workspace: Workspace, spoken_for: Collection[str]) -> None:
    """Delete reserved folders in which a training was given up.

    A folder stays as long as it may still become a recognizer: those of ``spoken_for``, and any that something was
    written into within a week, because a training is reserved a folder shortly before its job is known.

    Args:
        spoken_for: names of the folders of trainings that wait, run or can be carried on.
    """
    for folder in _shelf(workspace).glob("*"):
        shelved = (folder / _CARD).exists() and not folder.name.startswith(".")
        if shelved or folder.name in spoken_for or folder.is_symlink():
            continue
        with suppress(OSError):  # it goes the next time
            newest = max(path.lstat().st_mtime for path in (folder, *folder.iterdir()))
            if time.time() - newest > _GIVEN_UP_S:
                shutil.rmtree(folder)
                log.info("deleted %s, in which a training was given up", folder)


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


def _files_of(folder: Path) -> list[Path]:
    """Those that a recognizer consists of; what else lies there stays there.

    Raises:
        UserError: one of them is a link, no file, or too large to be what it should be.
    """
    found = []
    for name, most in _FILES.items():
        path = folder / name
        try:
            facts = path.lstat()
        except FileNotFoundError:
            continue
        except OSError as error:
            raise UserError(f"{path} cannot be read ({error.strerror}): check its permissions.") from error
        if not stat.S_ISREG(facts.st_mode):
            raise UserError(f"{path} is a link or no file: copy the recognizer itself into a folder, and name that.")
        if facts.st_size > most:
            raise UserError(f"{path} is larger than that of any recognizer: choose the folder of a training.")
        found.append(path)
    architecture_of(folder)  # last: it reads, and reading what is no file may take for ever
    return found


@contextmanager
def _new_folder(workspace: Workspace, files: Sequence[Path]) -> Iterator[tuple[Path, Path]]:
    """A folder with copies of files, and where to rename it to; gone if that was not done."""
    final = folder_of(workspace, secrets.token_hex(_ID // 2))
    check_folder(final)
    temporary = final.with_name(f".{final.name}.part")
    try:
        temporary.mkdir(parents=True)
        for path in files:
            shutil.copyfile(path, temporary / path.name)
            with (temporary / path.name).open("r+b") as copied:
                os.fsync(copied.fileno())
        yield temporary, final
    except OSError as error:
        raise UserError(
            f"{files[0].parent} cannot be copied to {final.parent} ({error.strerror}): free some space, or check the "
            "permissions of both."
        ) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def when(one: Shelved) -> str:
    """When a recognizer was added, in the time of this machine."""
    return f"{one.added_at.astimezone():%d %b %Y %H:%M}"


def _shelf(workspace: Workspace) -> Path:
    return workspace.home / "recognizers"


def folder_of(workspace: Workspace, recognizer_id: str) -> Path:
    if not (recognizer_id.isalnum() and recognizer_id.isascii()):
        raise UserError(f"{recognizer_id[:40]!r} is no recognizer: choose one of the list.")
    return _shelf(workspace) / recognizer_id
