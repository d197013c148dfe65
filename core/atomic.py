"""Files that are there whole or not at all.

>>> with atomic_path(Path("clips/kickflip.mp4")) as temporary:  # doctest: +SKIP
...     write_video(temporary)
"""

from __future__ import annotations

import errno
import os
import re
import secrets
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from core.errors import UserError

_FULL = ("the disk is full", "free some space and try again")
_DENIED = ("the permissions forbid it", "change them or choose another folder")
_READ_ONLY = ("the disk is read-only", "choose a folder on another disk")
_NO_FOLDER = ("a file stands where a folder is needed", "move that file away or choose another folder")

_MENDABLE = {
    errno.ENOSPC: _FULL,
    errno.EDQUOT: ("your disk quota is used up", "free some space and try again"),
    errno.EACCES: _DENIED,
    errno.EPERM: _DENIED,
    errno.EROFS: _READ_ONLY,
    errno.EEXIST: _NO_FOLDER,
    errno.ENOTDIR: _NO_FOLDER,
    errno.EISDIR: ("a folder has the name that the file should get", "move that folder away or choose another name"),
}

_TEMPORARY = re.compile(r"\..*\.[0-9a-f]{8}\.part(\.\w+)?")
_ABANDONED_S = 600.0
"""A temporary file that was not touched for so long has no writer any more: whoever made it was killed."""


def make_folder(folder: Path) -> None:
    """Make ``folder`` and what is missing above it; one that is there already is fine.

    Raises:
        UserError: if it cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _cannot_write(folder, error) from error


def check_folder(folder: Path) -> None:
    """Learn before hours of work that nothing can be written into ``folder``. Nothing is made.

    Raises:
        UserError: neither it nor what is missing above it can be written to.
    """
    there = folder.absolute()
    while not there.exists():
        there = there.parent
    try:
        with tempfile.TemporaryFile(dir=there):
            pass
    except OSError as error:
        raise _cannot_write(folder, error) from error


@contextmanager
def atomic_path(final: Path) -> Iterator[Path]:
    """A temporary path to write to, which becomes ``final`` once the block ends well.

    The temporary file lies in the folder of ``final``, so that the renaming is one step, and has its suffix, so that
    FFmpeg and others guess the format right. It is on the disk before it is renamed: after a power cut, too, a file
    under its final name is whole. An older ``final`` is replaced. If the block raises, the temporary file is removed
    and ``final`` stays as it was. What a killed process left goes when something is written into the folder later.

    Args:
        final: the file to write; its folder is made if need be. Within the block write this one file and nothing else:
            a full disk is reported for its folder.

    Raises:
        UserError: if the disk is full or the folder cannot be written to.
        FileNotFoundError: if the block ended without writing the file, which is a fault of the block's.
    """
    folder = final.parent
    make_folder(folder)
    _clear_abandoned(folder)
    # A name may have 255 bytes; 40 characters leave room for the rest even where each takes four.
    temporary = folder / f".{final.stem[:40]}.{secrets.token_hex(4)}.part{final.suffix}"
    try:
        yield temporary
        with temporary.open("r+b") as written:
            os.fsync(written.fileno())
        os.replace(temporary, final)
    except OSError as error:
        if error.errno in _MENDABLE and _concerns(error, temporary):
            raise _cannot_write(folder, error) from error
        raise
    finally:
        with suppress(OSError):
            temporary.unlink()


def _clear_abandoned(folder: Path) -> None:
    """Remove what killed processes left in ``folder``."""
    with suppress(OSError), os.scandir(folder) as files:
        for file in files:
            if _TEMPORARY.fullmatch(file.name) and time.time() - file.stat().st_mtime > _ABANDONED_S:
                os.unlink(file)


def _concerns(error: OSError, path: Path) -> bool:
    """Whether writing ``path`` may have failed: a failed write names no file, a failed opening or copying names it."""
    names = [name for name in (error.filename, error.filename2) if isinstance(name, str | bytes | Path)]
    return not names or path in (Path(os.fsdecode(name)) for name in names)


def _cannot_write(folder: Path, error: OSError) -> UserError:
    reason, remedy = _MENDABLE.get(error.errno or 0, (error.strerror or str(error), "choose another folder"))
    return UserError(f"Cannot write into the folder {folder}: {reason}; {remedy}.")
