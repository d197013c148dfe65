"""Files from a store, as copies of this machine."""

from __future__ import annotations

import shutil
from hashlib import blake2b
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import unquote

from core.atomic import atomic_path, make_folder
from core.errors import Cancelled, UserError
from core.ffmpeg import Progress, StopWish
from core.stores.addresses import WEB, parts_of, plain, scheme_of, without_login
from core.stores.opening import open_store, protocols
from core.stores.sentences import in_a_sentence

_BLOCK = 4 << 20
_SPARE = 64 << 20
"""Bytes that stay free beside what is fetched."""
_VERSIONS = (
    *("ETag", "etag", "md5Hash", "content_md5", "generation", "LastModified", "Last-Modified", "last_modified"),
    *("updated", "mtime", "modify", "last_write_time"),
)
"""What stores say of an object by which a changed one is known; the first that is told counts."""


def fetch(
    url: str,
    folder: Path,
    progress: Progress | None = None,
    cancelled: StopWish | None = None,
    *,
    max_bytes: int | None = None,
) -> Path:
    """Copy a file from a store into ``folder``, which is made if need be. It appears whole or not at all.

    Its name is that of the object, made safe, and 12 hex digits of the address without its login, the size, and what
    the store says of the version (ETag, checksum, time of change): asked again it is there at once, and a changed
    object is fetched anew.

    Args:
        progress: told the share that is there, 0 to 1; nothing if the store does not tell the size.
        max_bytes: more is not fetched; None fetches whatever there is room for.

    Raises:
        UserError: the address is none, a package is missing, the store cannot be reached or refuses, there is no such
            file, it is larger than ``max_bytes``, or there is no room for it.
        Cancelled: ``cancelled`` said so; nothing half-written is left.
    """
    shown = without_login(url)
    store, path, size, target = _asked(url, folder)
    if target.exists():
        return target
    if max_bytes is not None and (size or 0) > max_bytes:
        raise _too_large(shown, max_bytes)
    make_folder(folder)
    free = shutil.disk_usage(folder).free
    if size and free < size + _SPARE:
        raise UserError(
            f"There is no room for {shown}: {folder} has {free / 1e9:,.1f} GB free and {size / 1e9:,.1f} GB are "
            "needed; free some space."
        )
    with atomic_path(target) as partial, partial.open("wb") as file:
        arriving = _Arriving(file, shown, size, max_bytes, progress, cancelled)
        with in_a_sentence(shown):
            _read(store, path, arriving)
        if size is not None and arriving.count != size:
            raise UserError(
                f"Of {shown} only {arriving.count:,} of {size:,} bytes arrived: check the network, and that nobody "
                "writes the file, and try again."
            )
    return target


def copy_path(url: str, folder: Path) -> Path:
    """Where :func:`fetch` puts its copy of the object as it is now, by one question to the store. Nothing is fetched.

    Raises:
        UserError: as :func:`fetch`.
    """
    return _asked(url, folder)[3]


def _asked(url: str, folder: Path) -> tuple[Any, str, int | None, Path]:
    """The store, the path in it, the bytes of the object if it tells them, and where its copy goes."""
    shown = without_login(url)
    with in_a_sentence(shown):
        store, path = open_store(url)
        facts = store.info(path)
    if facts.get("type") == "directory":
        raise UserError(f"{shown} is a folder: name a file in it.")
    size: int | None = facts.get("size")
    version = next((str(facts[key]) for key in _VERSIONS if facts.get(key)), "")
    known_by = blake2b("\n".join([shown, path, str(size), version]).encode(), digest_size=6).hexdigest()
    name = Path(plain(unquote(parts_of(url).path) if scheme_of(url) in WEB else path))
    return store, path, size, folder / f"{name.stem[:60]}_{known_by}{name.suffix.lower()}"


class _Arriving:
    """A file that is written block by block, tells how far it is and can be stopped."""

    def __init__(
        self,
        file: BinaryIO,
        shown: str,
        size: int | None,
        max_bytes: int | None,
        progress: Progress | None,
        cancelled: StopWish | None,
    ) -> None:
        self.count = 0
        self._file, self._shown, self._size, self._max_bytes = file, shown, size, max_bytes
        self._progress, self._cancelled = progress, cancelled

    def write(self, block: bytes) -> int:
        """Take a block.

        Raises:
            Cancelled: the caller wants no more.
            UserError: it is larger than was allowed.
        """
        if self._cancelled and self._cancelled():
            raise Cancelled
        if self._max_bytes is not None and self.count + len(block) > self._max_bytes:
            raise _too_large(self._shown, self._max_bytes)
        self.count += self._file.write(block)
        if self._progress and self._size:
            self._progress(min(1.0, self.count / self._size))
        return len(block)


def _too_large(shown: str, max_bytes: int) -> UserError:
    return UserError(f"{shown} has more than the {max_bytes / 1e9:g} GB that are fetched: allow more (--max-gb).")


def _read(store: Any, path: str, arriving: _Arriving) -> None:
    if "ftp" in protocols(store):
        # In one transfer; a file of fsspec's begins a new one for every block.
        store.ftp.retrbinary(f"RETR {path}", arriving.write, blocksize=1 << 18)
        return
    # From the web in one stream, too: not every server knows parts.
    with store.open(path, "rb", block_size=0 if WEB & set(protocols(store)) else _BLOCK) as source:
        while block := source.read(_BLOCK):
            arriving.write(block)
