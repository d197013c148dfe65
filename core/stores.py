"""Footage and results on other machines: object stores, FTP, SFTP, network shares and the web, by address.

    >>> fetch("s3://park/2024/day1.mp4", Path("footage"))                    # doctest: +SKIP
    PosixPath('footage/day1_0c6f3a9be1d2.mp4')
    >>> send(Path("clips/park_01_ollie.mp4"), "s3://park/clips")             # doctest: +SKIP
    's3://park/clips/park_01_ollie.mp4'

fsspec speaks to them. FTP and ``file://`` come with it; the others need a package of their own, which is named where it
is missing. Logins are what those packages look for (``AWS_ACCESS_KEY_ID`` and the like), or user and password in the
address of a server (``ftp://ann:secret@host/``, special characters as ``%40``); no message repeats them. The rest of an
address is taken literally.
"""

from __future__ import annotations

import errno
import ftplib
import os
import re
import secrets
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from hashlib import blake2b
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO
from urllib.parse import SplitResult, unquote, urlsplit

from core.atomic import atomic_path, make_folder
from core.errors import Cancelled, UserError
from core.ffmpeg import Progress, StopWish
from core.footage_folder import VIDEO_TYPES, natural

STORES = {
    "file": None,
    "ftp": None,
    "sftp": "paramiko",
    "ssh": "paramiko",
    "smb": "smbprotocol",
    "s3": "s3fs",
    "gs": "gcsfs",
    "gcs": "gcsfs",
    "az": "adlfs",
    "abfs": "adlfs",
    "http": "aiohttp",
    "https": "aiohttp",
}
"""What an address may begin with, and the package that has to be installed for it."""
_SERVERS = {"ftp", "sftp", "ssh", "smb"}
"""Those whose addresses name a host, and maybe a user and his password."""
_WEB = {"http", "https"}
"""From there single files are read; there are no folders, and nothing is written."""
_RENAMING = {"file", *_SERVERS}
"""Those that can give a file another name; with the others a file appears whole under its name."""
TIMEOUT_S = 20.0
"""How long a server may be silent, seconds."""

_SCHEME = re.compile(r"[a-z][a-z0-9+.-]+(?=://|::)", re.IGNORECASE)
_BLOCK = 4 << 20
_SPARE = 64 << 20
"""Bytes that stay free beside what is fetched."""
_VERSIONS = (
    *("ETag", "etag", "md5Hash", "content_md5", "generation", "LastModified", "Last-Modified", "last_modified"),
    *("updated", "mtime", "modify", "last_write_time"),
)
"""What stores say of an object by which a changed one is known; the first that is told counts."""
_ERRORS = (
    ("botocore.exceptions", "BotoCoreError"),
    ("botocore.exceptions", "ClientError"),
    ("aiohttp", "ClientError"),
    ("gcsfs.retry", "HttpError"),
    ("google.auth.exceptions", "GoogleAuthError"),
    ("azure.core.exceptions", "AzureError"),
    ("paramiko", "SSHException"),
    ("smbprotocol.exceptions", "SMBException"),
)
"""What their packages raise that is no OSError."""


def is_url(text: str) -> bool:
    """Whether it is an address, and not a path: whatever begins with a name and ``://``, or is chained with ``::``.

    That the functions here can do anything with it is not said: they tell what they cannot, in a sentence.
    """
    return _SCHEME.match(text.strip()) is not None


def without_login(url: str) -> str:
    """The address for a person's eyes: without user and password, and without what follows a ``?``."""
    scheme, _, rest = url.strip().partition("://")
    host, slash, path = rest.partition("/")
    shown = f"{scheme}://{host.rpartition('@')[2]}{slash}{path.partition('?')[0]}"
    return re.sub(r"[\x00-\x1f\x7f]", "_", shown)  # a sentence has one line


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
    with _telling(shown):
        store, path = _open(url)
        facts = store.info(path)
    if facts.get("type") == "directory":
        raise UserError(f"{shown} is a folder: name a file in it.")
    size: int | None = facts.get("size")
    version = next((str(facts[key]) for key in _VERSIONS if facts.get(key)), "")
    known_by = blake2b("\n".join([shown, path, str(size), version]).encode(), digest_size=6).hexdigest()
    name = Path(_plain(unquote(_parts(url).path) if _scheme(url) in _WEB else path))
    target = folder / f"{name.stem[:60]}_{known_by}{name.suffix.lower()}"
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
        with _telling(shown):
            _read(store, path, arriving)
        if size is not None and arriving.count != size:
            raise UserError(
                f"Of {shown} only {arriving.count:,} of {size:,} bytes arrived: check the network, and that nobody "
                "writes the file, and try again."
            )
    return target


def list_videos(url: str) -> list[str]:
    """The addresses of all videos in a folder or under a prefix, and in the folders in it, in natural order.

    They carry the login of ``url``, so that they can be fetched: show them by :func:`without_login`. What is a video
    its ending tells; hidden files and folders are left out. Folders inside that may not be listed are passed over. The
    web has no folders: there ``url`` is that of a video.

    Raises:
        UserError: as :func:`fetch`.
    """
    if _scheme(url) in _WEB:
        if PurePosixPath(unquote(_parts(url).path)).suffix.lower() not in VIDEO_TYPES:
            raise UserError(f"{without_login(url)} is no video's address: it should end in .mp4 or the like.")
        return [url.strip()]
    with _telling(without_login(url)):
        store, path = _open(url)
        store.ls(path)  # the search below is silent about a folder that is not there or may not be listed
        names = store.find(path)
    inside = [name for name in names if not _hidden(name.removeprefix(path))]
    videos = [name for name in inside if PurePosixPath(name).suffix.lower() in VIDEO_TYPES]
    return [_address(url, name) for name in sorted(videos, key=natural)]


def send(path: Path, url_folder: str, name: str | None = None) -> str:
    """Copy a file to a store, over one that has the name already. It appears whole or not at all.

    To FTP, SFTP, shares and disks it goes under a hidden temporary name, is checked for its size and then gets its own;
    where the server refuses to rename over an older file, that one goes the moment before. Object stores show nothing
    before the last byte; there the size is checked afterwards.

    Args:
        url_folder: made if need be.
        name: of the file there, made safe; None takes the one here.

    Returns:
        Its address, without login.

    Raises:
        UserError: as :func:`fetch`, or the file here cannot be read.
    """
    if not path.is_file():
        raise UserError(f"There is no file {path}; check the path.")
    target_url = f"{url_folder.rstrip('/')}/{_plain(name or path.name)}"
    shown, size = without_login(target_url), path.stat().st_size
    if _scheme(url_folder) in _WEB:
        raise UserError(f"Nothing can be written to {shown}: choose another store.")
    with _telling(shown, writing=True):
        store, target = _open(target_url)
        folder, _, last = target.rpartition("/")
        written = f"{folder}/.{last}.{secrets.token_hex(4)}.part" if _scheme(url_folder) in _RENAMING else target
        try:
            if folder and _scheme(url_folder) in _RENAMING:
                store.makedirs(folder, exist_ok=True)
            _write(store, path, written)
            store.invalidate_cache()
            arrived = store.info(written).get("size")
            if arrived != size:
                raise UserError(f"Of {shown} only {arrived:,} of {size:,} bytes arrived: try again.")
            if written != target:
                _rename(store, written, target)
        except BaseException:
            if written != target:
                with suppress(OSError, ftplib.Error, *_foreign()):
                    store.rm_file(written)
            raise
    return shown


def _rename(store: Any, written: str, target: str) -> None:
    try:
        store.mv(written, target)
    except (OSError, ftplib.Error):
        if not store.exists(target):
            raise
        store.rm_file(target)  # some servers refuse to rename over a file
        store.mv(written, target)


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
    if "ftp" in _protocols(store):
        # In one transfer; a file of fsspec's begins a new one for every block.
        store.ftp.retrbinary(f"RETR {path}", arriving.write, blocksize=1 << 18)
        return
    # From the web in one stream, too: not every server knows parts.
    with store.open(path, "rb", block_size=0 if _WEB & set(_protocols(store)) else _BLOCK) as source:
        while block := source.read(_BLOCK):
            arriving.write(block)


def _write(store: Any, path: Path, target: str) -> None:
    if "ftp" in _protocols(store):
        with path.open("rb") as source:
            store.ftp.storbinary(f"STOR {target}", source, blocksize=1 << 18)
        return
    store.put_file(str(path), target)


def _protocols(store: Any) -> tuple[str, ...]:
    return (store.protocol,) if isinstance(store.protocol, str) else tuple(store.protocol)


def _open(url: str) -> tuple[Any, str]:
    """The store of an address, and the path in it.

    Raises:
        UserError: no such store is known, its package is missing, or the address makes no sense.
    """
    import fsspec.core

    scheme, parts = _scheme(url), _parts(url)
    options: dict[str, Any] = {"skip_instance_cache": True}
    address = url.strip()
    if scheme in _SERVERS:
        if not parts.hostname:
            raise UserError(f"{without_login(url)} names no server: write {scheme}://server/folder/file.")
        login = {"username": parts.username, "password": parts.password}
        options |= {key: unquote(value) for key, value in login.items() if value is not None}
        address = address.replace(parts.netloc, parts.netloc.rpartition("@")[2], 1)
        if scheme != "smb":
            options["timeout"] = TIMEOUT_S
    elif parts.password is not None:
        raise UserError(
            f"Keys do not belong into the address {without_login(url)}: set them where {STORES[scheme]} looks for them."
        )
    try:
        if scheme in _WEB:
            from aiohttp import ClientTimeout

            silent = ClientTimeout(total=None, sock_connect=TIMEOUT_S, sock_read=TIMEOUT_S)
            options["client_kwargs"] = {"timeout": silent, "headers": {"Accept-Encoding": "identity"}}
        store, path = fsspec.core.url_to_fs(address, **options)
    except ImportError:
        raise UserError(
            f"For addresses that begin with {scheme}:// the package {STORES[scheme]} is needed: install it with pip "
            f"install {STORES[scheme]}."
        ) from None
    return store, str(store._strip_protocol(path))


def _scheme(url: str) -> str:
    """Raises UserError if nothing can be done with such an address."""
    found = _SCHEME.match(url.strip())
    scheme = found[0].lower() if found else ""
    if "::" in url:
        raise UserError(f"{without_login(url)} is an address inside of another one: name the file itself.")
    if scheme not in STORES:
        raise UserError(
            f"{without_login(url)} is on no store that is known here: begin with {'://, '.join(STORES)}:// or a path."
        )
    return scheme


def _parts(url: str) -> SplitResult:
    try:
        parts = urlsplit(url.strip())
        _ = parts.port  # looked at only now
    except ValueError:
        raise UserError(
            f"{without_login(url)} is no address that can be read: check the server and its port."
        ) from None
    return parts


def _address(url: str, name: str) -> str:
    """Of a file on the store of ``url``."""
    scheme = _scheme(url)
    return f"{scheme}://{_parts(url).netloc}{name}" if scheme in _SERVERS else f"{scheme}://{name}"


def _plain(path: str) -> str:
    """The last part of a path as a name that any disk takes and that leads nowhere."""
    last = re.split(r"[/\\]", path.rstrip("/\\"))[-1]
    return re.sub(r"[^\w .,()+-]", "_", last).strip(". ")[-200:] or "video"


def _hidden(inside: str) -> bool:
    return any(part.startswith((".", "$")) for part in inside.split("/"))


def _foreign() -> tuple[type[Exception], ...]:
    """What fsspec and the packages that are loaded raise beside OSError, such as ValueError for a line break in a name
    or for settings that lack."""
    loaded = [getattr(sys.modules[module], name) for module, name in _ERRORS if sys.modules.get(module)]
    return (EOFError, ValueError, *loaded)


@contextmanager
def _telling(shown: str, writing: bool = False) -> Iterator[None]:
    """What a store raises, in a sentence. Never in its own words, which may hold the login."""
    what = "written" if writing else "read"
    try:
        yield
    except FileNotFoundError as error:
        cause = error.__cause__  # of the web fsspec says it of whatever goes wrong
        if type(cause).__module__.startswith("aiohttp") and getattr(cause, "status", None) != 404:
            raise UserError(f"{shown} cannot be {what}: check the address and the network.") from None
        raise UserError(f"There is no {shown}: check the address.") from None
    except (NotADirectoryError, IsADirectoryError, FileExistsError):
        raise UserError(
            f"{shown} cannot be {what}, because a file stands where a folder is needed or the other way round: check "
            "the address."
        ) from None
    except PermissionError:
        raise UserError(f"{shown} may not be {what}: check the login and its rights.") from None
    except ftplib.Error as error:
        raise UserError(_ftp_sentence(shown, what, str(error))) from None
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            if not writing:
                raise  # the disk here, whose folder the caller tells
            raise UserError(f"There is no room for {shown}: free some space there.") from None
        # The system's words for the number, and not the error's own.
        reason = f" ({os.strerror(error.errno)})" if error.errno and error.errno > 0 else ""
        raise UserError(f"{shown} cannot be reached{reason}: check the address and the network.") from None
    except _foreign():
        raise UserError(f"{shown} cannot be {what}: check the address, the network and the login.") from None


def _ftp_sentence(shown: str, what: str, answer: str) -> str:
    """For the answer of an FTP server (codes: RFC 959)."""
    code = answer[:3]
    if code == "530":
        return f"The server of {shown} refuses the login: check user and password."
    if code in ("452", "552") or "space" in answer.lower():
        return f"There is no room for {shown}: free some space there."
    if code in ("550", "553"):
        return f"{shown} may not be {what}, or is not there: check the address and the rights of the login."
    why = " (its disk may be full)" if what == "written" else ""
    return f"{shown} could not be {what}, because the server broke off{why}: try again."
