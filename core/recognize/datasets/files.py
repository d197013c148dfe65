"""What the readers of data sets share: text of a bearable size, and the videos of a folder by their names.

Names out of annotations are looked up among the files that really lie in the user's folder and are never joined to a
path, so that no annotation reaches beyond it.
"""

from __future__ import annotations

import json
import os
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from core.errors import UserError
from core.footage_folder import VIDEO_TYPES
from core.labels.label_set import MAX_BYTES, read_text

_NAMED = 3
"""So many names stand in a sentence; the others are counted."""


def unreadable(path: Path, error: OSError) -> UserError:
    """What to say of a path that the system refuses."""
    return UserError(f"{path} cannot be read ({error.strerror}): check the path and its permissions.")


def text_of(path: Path) -> str:
    """A text file of at most ``MAX_BYTES`` in UTF-8.

    Raises:
        UserError: it cannot be read, is larger, or is no text.
    """
    try:
        size = path.stat().st_size
        if size > MAX_BYTES:
            most = f"{MAX_BYTES / 2**20:.0f} MB"
            raise UserError(
                f"{path.name} has {size / 2**20:.0f} MB, more than annotations may have ({most}): split it."
            )
        return read_text(path)
    except OSError as error:
        raise unreadable(path, error) from error


def json_of(path: Path) -> Any:
    """What a JSON file says, as plain values.

    Raises:
        UserError: it cannot be read, is too large, or is no whole JSON.
    """
    text = text_of(path)
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise UserError(f"{path.name} is not whole JSON ({where}): download or export it anew.") from None
    except RecursionError:
        raise UserError(f"{path.name} is nested too deep for annotations: choose another file.") from None
    except ValueError:  # Python refuses to convert more than 4300 digits
        raise UserError(f"{path.name} holds a number that is too large: download or export it anew.") from None


@dataclass(frozen=True)
class Videos:
    """The video files under a folder."""

    by_path: dict[str, Path]
    """By the path inside the folder, with slashes, in order."""
    unusable: tuple[str, ...]
    """Those that are empty or may not be read."""
    others: tuple[str, ...]
    """Files that are no videos by their names."""

    def named(self, name: str) -> Path | None:
        """The video at this path inside the folder; for a name without a folder also the only file of that name."""
        name = name.replace("\\", "/")  # a table may come from the other kind of machine
        if (found := self.by_path.get(name)) or "/" in name:
            return found
        alike = self._by_file_name.get(name, ())
        return alike[0] if len(alike) == 1 else None

    @cached_property
    def _by_file_name(self) -> dict[str, list[Path]]:
        alike = defaultdict[str, list[Path]](list)
        for path in self.by_path.values():
            alike[path.name].append(path)
        return alike

    def by_stem(self) -> dict[str, Path]:
        """By the file's name without its ending; of several the first."""
        stems: dict[str, Path] = {}
        for path in self.by_path.values():
            stems.setdefault(path.stem, path)
        return stems


def videos_under(folder: Path) -> Videos:
    """The videos in a folder and the folders below it, hidden ones left out. No file is opened.

    Raises:
        UserError: it is no folder, or may not be listed.
    """
    if not folder.is_dir():
        raise UserError(f"{folder} is no folder: choose the one with the clips in it.")

    def refuse(error: OSError) -> None:
        raise UserError(f"{error.filename} cannot be listed ({error.strerror}): check its permissions.") from error

    kinds = defaultdict[str, list[str]](list)
    for where, folders, names in os.walk(folder, onerror=refuse):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for path in (Path(where, name) for name in names if not name.startswith(".")):
            kind = "others" if path.suffix.lower() not in VIDEO_TYPES else "good" if _readable(path) else "unusable"
            kinds[kind].append(path.relative_to(folder).as_posix())
    good = {name: folder / name for name in sorted(kinds["good"])}
    return Videos(good, tuple(sorted(kinds["unusable"])), tuple(sorted(kinds["others"])))


def some(names: Iterable[str]) -> str:
    """For a sentence: ``a.mp4, b.mp4, c.mp4 and 7 more``."""
    listed = list(names)
    more = f" and {len(listed) - _NAMED} more" if len(listed) > _NAMED else ""
    return ", ".join(name[:60] for name in listed[:_NAMED]) + more


def _readable(path: Path) -> bool:
    try:
        return path.is_file() and path.stat().st_size > 0 and os.access(path, os.R_OK)
    except OSError:
        return False
