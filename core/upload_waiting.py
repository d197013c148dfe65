"""Uploads that are whole and wait for the page that makes sessions of them.

Each is noted in a small file, because it may wait for minutes until the other chapters of its recording are there: a
studio that is started anew meanwhile, or a page that is closed, loses none.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from core.atomic import atomic_path

_TOKEN = re.compile(r"[\w-]{22}", re.ASCII)
_LEFT_S = 86_400.0
"""After so many seconds in which no page asked for it an upload is anybody's."""


@dataclass(frozen=True)
class Uploaded:
    """A video that the browser sent: whole, and known to be a video."""

    path: Path
    """In the workspace's folder ``footage``, named after its content."""
    name: str
    """What the user called the file, without its suffix: text to show, never part of a path."""
    token: str = ""
    """By which it waits; empty before it does."""

    @property
    def called(self) -> str:
        """What the user called the file, with its suffix in lower case."""
        return f"{self.name}{self.path.suffix}"


def put(home: Path, uploaded: Uploaded) -> str:
    """Let an upload wait.

    Args:
        home: the folder of the workspace.

    Returns:
        A token that cannot be guessed: the browser learns no path.

    Raises:
        UserError: it cannot be written.
    """
    token = secrets.token_urlsafe(16)
    note = json.dumps({"file": uploaded.path.name, "name": uploaded.name})
    with atomic_path(_note(home, token)) as temporary:
        temporary.write_text(note, encoding="utf-8")
    return token


def look(home: Path, token: str) -> Uploaded | None:
    """The upload of a token, which goes on waiting; None if there is none, or it was taken."""
    if not _TOKEN.fullmatch(token):
        return None
    note = _note(home, token)
    try:
        os.utime(note)
        told = json.loads(note.read_bytes())
    except FileNotFoundError:
        return None
    return Uploaded(home / "footage" / told["file"], told["name"], token)


def take(home: Path, token: str) -> None:
    """Let an upload wait no longer, once it is a session or a job has it. Of two pages that make something of it at
    once, as of one that :func:`left_behind` tells, the second finds it known."""
    _note(home, token).unlink(missing_ok=True)


def files(home: Path) -> set[str]:
    """What the files are called that wait now."""
    called = set()
    for note in (home / "arrived").glob("*.json"):
        with suppress(FileNotFoundError):  # a page took it
            called.add(json.loads(note.read_bytes())["file"])
    return called


def left_behind(home: Path) -> list[str]:
    """The tokens that no page has asked for since yesterday: the browser was closed before it could."""
    before = time.time() - _LEFT_S
    tokens = []
    for note in (home / "arrived").glob("*.json"):
        with suppress(FileNotFoundError):  # another page took it
            if _TOKEN.fullmatch(note.stem) and note.stat().st_mtime < before:
                tokens.append(note.stem)
    return tokens


def _note(home: Path, token: str) -> Path:
    return home / "arrived" / f"{token}.json"
