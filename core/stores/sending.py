"""Files of this machine, to a store."""

from __future__ import annotations

import ftplib
import secrets
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any

from core.errors import Cancelled, UserError
from core.ffmpeg import Progress, StopWish
from core.stores.addresses import RENAMING, WEB, plain, scheme_of, without_login
from core.stores.opening import open_store, protocols
from core.stores.sentences import in_a_sentence, store_errors

_BLOCK = 1 << 20
_FTP_BLOCK = 1 << 18
_PROBE = ".trickline"
"""Name of the file by which a store is asked whether it takes any."""


def send(
    path: Path,
    url_folder: str,
    name: str | None = None,
    progress: Progress | None = None,
    cancelled: StopWish | None = None,
) -> str:
    """Copy a file to a store, over one that has the name already. It appears whole or not at all.

    To FTP, SFTP, shares and disks it goes under a hidden temporary name, is checked for its size and then gets its own;
    where the server refuses to rename over an older file, that one goes the moment before. Object stores show nothing
    before the last byte; there the size is checked afterwards.

    Args:
        url_folder: made if need be.
        name: of the file there, made safe; None takes the one here.
        progress: told the share that is there, 0 to 1, as the store's package tells it: every block, or every few MB.
        cancelled: asked as often.

    Returns:
        Its address, without login.

    Raises:
        UserError: as :func:`core.stores.fetch`, or the file here cannot be read.
        Cancelled: ``cancelled`` said so; nothing half-written is left.
    """
    if not path.is_file():
        raise UserError(f"There is no file {path}; check the path.")
    target_url = f"{url_folder.rstrip('/')}/{plain(name or path.name)}"
    shown, size = _writable(target_url), path.stat().st_size

    def told(done: int) -> None:
        if cancelled and cancelled():
            raise Cancelled
        if progress:
            progress(min(1.0, done / size) if size else 1.0)

    with in_a_sentence(shown, writing=True):
        store, target = open_store(target_url)
        folder, _, last = target.rpartition("/")
        renamed = scheme_of(url_folder) in RENAMING
        written = f"{folder}/.{last}.{secrets.token_hex(4)}.part" if renamed else target
        try:
            if folder and renamed:
                store.makedirs(folder, exist_ok=True)
            told(0)
            _write(store, path, written, told)
            store.invalidate_cache()
            arrived = store.info(written).get("size")
            if arrived != size:
                raise UserError(f"Of {shown} only {arrived:,} of {size:,} bytes arrived: try again.")
            if written != target:
                _rename(store, written, target)
        except BaseException:
            if written != target:
                with suppress(*store_errors()):
                    store.rm_file(written)
            raise
    return shown


def send_folder(
    folder: Path, url_folder: str, progress: Progress | None = None, cancelled: StopWish | None = None
) -> dict[str, int]:
    """Copy the files of a folder to a store, one after the other by :func:`send`, without what is hidden or a folder.

    JSON goes last: who finds a manifest finds what it names.

    Returns:
        The names of the files and their sizes in bytes.

    Raises:
        UserError, Cancelled: as :func:`send`; what was sent before stays.
    """
    files = [path for path in folder.iterdir() if path.is_file() and not path.name.startswith(".")]
    files.sort(key=lambda path: (path.suffix == ".json", path))
    sizes = {path.name: path.stat().st_size for path in files}
    whole, sent = max(1, sum(sizes.values())), 0

    def told(share: float) -> None:
        if progress:
            progress((sent + share * sizes[path.name]) / whole)

    for path in files:
        send(path, url_folder, None, told, cancelled)
        sent += sizes[path.name]
    return sizes


def check_writable(url_folder: str) -> None:
    """Learn before hours of work that nothing can be written to a folder of a store: an empty file is, and goes again.

    Where a login may write and not remove, that file stays; it is called ``.trickline``.

    Raises:
        UserError: as :func:`send`.
    """
    if "?" in url_folder:
        raise UserError(f"{_writable(url_folder)} goes on with a ?: choose a folder without one.")
    target_url = f"{url_folder.rstrip('/')}/{_PROBE}"
    with in_a_sentence(_writable(url_folder), writing=True), NamedTemporaryFile() as empty:
        store, target = open_store(target_url)
        if scheme_of(url_folder) in RENAMING:
            target += f".{secrets.token_hex(4)}.part"  # two may ask at the same time
            store.makedirs(target.rpartition("/")[0], exist_ok=True)
        _write(store, Path(empty.name), target, lambda _: None)
        with suppress(*store_errors()):
            store.rm_file(target)


def _writable(url: str) -> str:
    """The address as people may see it; raises UserError if it is one of those that are never written to."""
    shown = without_login(url)
    if scheme_of(url) in WEB:
        raise UserError(f"Nothing can be written to {shown}: choose another store.")
    return shown


def _write(store: Any, path: Path, target: str, told: Callable[[int], None]) -> None:
    """``told`` hears how many bytes are there, and may raise."""
    names = protocols(store)
    if "ftp" in names:
        _write_ftp(store.ftp, path, target, told)
    elif "sftp" in names:
        store.ftp.put(str(path), target, callback=lambda done, _: told(done))
    elif RENAMING & set(names):
        with path.open("rb") as source, store.open(target, "wb") as sink:
            while block := source.read(_BLOCK):
                sink.write(block)
                told(source.tell())
    else:
        from fsspec.callbacks import Callback

        # Not block by block: a file of fsspec's that is closed by an error is finished, and seen.
        store.put_file(str(path), target, callback=Callback(hooks={"told": lambda size, value: told(value)}))


def _write_ftp(ftp: ftplib.FTP, path: Path, target: str, told: Callable[[int], None]) -> None:
    with path.open("rb") as source:
        try:
            ftp.storbinary(f"STOR {target}", source, blocksize=_FTP_BLOCK, callback=lambda _: told(source.tell()))
        except Cancelled:
            with suppress(*store_errors()):
                ftp.voidresp()  # what the server says of the transfer that ended, lest the next answer be taken for it
            raise


def _rename(store: Any, written: str, target: str) -> None:
    try:
        store.mv(written, target)
    except (OSError, ftplib.Error):
        if not store.exists(target):
            raise
        store.rm_file(target)  # some servers refuse to rename over a file
        store.mv(written, target)
