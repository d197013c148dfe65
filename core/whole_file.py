"""Whether a file is there, may be read, and is whole."""

from __future__ import annotations

import os
from pathlib import Path

from core.errors import UserError


def check_file(path: Path) -> None:
    """Raises UserError if there is no whole file at ``path`` that may be read."""
    for name in (path, Path(os.path.realpath(path))):  # which is what the records keep
        try:
            str(name).encode()
        except UnicodeEncodeError as error:  # from an old disk or archive
            readable = os.fsencode(name).decode("utf-8", "replace")
            raise UserError(f"{readable} has a name that is not UTF-8: rename the file or its folder.") from error
    try:
        there = path.exists()
    except OSError as error:  # a name too long for any disk
        raise UserError(f"{path.name[:80]} cannot be a file ({reason(error)}): check the path.") from error
    if not there:
        raise UserError(f"{path} does not exist: check the path.")
    if path.is_dir():
        raise UserError(f"{path} is a folder: name a video file in it.")
    try:
        size = path.stat().st_size
        if size == 0:
            raise UserError(f"{path.name} is empty (0 bytes): copy it again from the camera.")
        missing = missing_bytes(path, size)
    except PermissionError as error:
        raise UserError(f"{path.name} may not be read: change its permissions.") from error
    if missing:
        raise UserError(f"{path.name} is cut short: {missing} bytes or more are missing at its end; copy it again.")


_BOXES = {b"ftyp", b"moov", b"mdat", b"moof", b"mfra", b"wide", b"free", b"skip", b"pnot", b"uuid", b"sidx", b"styp"}
"""What stands at the top level of an MP4 or QuickTime file (ISO/IEC 14496-12, QuickTime File Format)."""


def missing_bytes(path: Path, size: int) -> int:
    """By how many bytes the last box of an MP4 or QuickTime file runs past the end of the file (0 for other files).

    FFmpeg reads such a file up to where it breaks without a word. Box layout: ISO/IEC 14496-12, 4.2. What follows the
    boxes and is none, such as the data that some action cameras append, says nothing.
    """
    at, seen = 0, set()
    with path.open("rb") as file:
        while at + 8 <= size:
            file.seek(at)
            header = file.read(16)
            length, kind = int.from_bytes(header[:4], "big"), header[4:8]
            seen.add(kind)
            if length == 1:
                length = int.from_bytes(header[8:16], "big")
            if length < 8:
                return 0
            if at + length > size:
                return at + length - size if kind in _BOXES else 0
            at += length
    return 8 if b"mdat" in seen and b"moov" not in seen else 0


def reason(error: Exception) -> str:
    """Why the system or FFmpeg could not, in its own words."""
    return str(getattr(error, "strerror", None) or error).lower()
