"""The name of a video by its content, so that a moved or renamed one is known again."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import blake2b
from pathlib import Path
from typing import BinaryIO

from core.errors import UserError

_EDGE = 1 << 20
_BLOCK = 64 << 10
_BLOCKS = 64
_WHOLE = 2 * _EDGE + _BLOCKS * _BLOCK
"""Bytes up to which a file is read whole."""


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
    with reading(path) as file:
        size = os.fstat(file.fileno()).st_size
        digest = blake2b(size.to_bytes(8, "big"), digest_size=16)
        if size <= _WHOLE:
            digest.update(file.read())
            return digest.hexdigest()
        digest.update(file.read(_EDGE))
        for block in range(_BLOCKS):
            file.seek(_block_at(size, block))
            digest.update(file.read(_BLOCK))
        file.seek(size - _EDGE)
        digest.update(file.read(_EDGE))
        return digest.hexdigest()


def middle_digest(path: Path) -> str:
    """A digest of a block of at most 64 KiB: where it differs, so does :func:`content_id`, which reads that block, too.

    Raises:
        UserError: if the file cannot be read.
    """
    with reading(path) as file:
        size = os.fstat(file.fileno()).st_size
        file.seek(_block_at(size, _BLOCKS // 2) if size > _WHOLE else max(0, (size - _BLOCK) // 2))
        return blake2b(file.read(_BLOCK), digest_size=16).hexdigest()


def _block_at(size: int, block: int) -> int:
    """Where in a large file one of the blocks between its edges begins, bytes."""
    return _EDGE + (size - 2 * _EDGE - _BLOCK) * block // (_BLOCKS - 1)


@contextmanager
def reading(path: Path) -> Iterator[BinaryIO]:
    """An open file.

    Raises:
        UserError: if it is not there or may not be read.
    """
    try:
        with path.open("rb") as file:
            yield file
    except FileNotFoundError as error:
        raise UserError(f"There is no file {path}; check the path.") from error
    except OSError as error:
        raise UserError(f"Cannot read {path} ({error.strerror}); check the path and its permissions.") from error
