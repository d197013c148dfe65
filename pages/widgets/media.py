"""What the pages show the browser, as URLs: footage, computed bytes, files and archives of them.

    >>> publish(b"\\x00\\x01", "application/octet-stream")                     # doctest: +SKIP
    '/trickline/data/6b0ec1...'

A URL names no path. It holds a session's id, the digest of what it stands for, or a token that cannot be guessed; the
routes in ``media_routes`` look up here what that is. Streamlit's own store would hold all of it in memory, footage too.
The URLs work in the process that made them: every run of a page makes its URLs anew, and gets the same ones.
"""

from __future__ import annotations

import os
import secrets
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b
from pathlib import Path
from threading import Lock
from typing import Generic, TypeVar

from core.workspace import Workspace

PREFIX = "/trickline"
"""Where the routes lie. Streamlit keeps /media for itself."""

_SECRET = secrets.token_bytes(32)

Value = TypeVar("Value")


class Kept(Generic[Value]):
    """What was used last, up to a bound. Safe to use from several threads.

    Args:
        bound: the most that all values may weigh. The newest value stays even if it alone weighs more.
        weigh: a value's weight; None counts values.
    """

    def __init__(self, bound: int, weigh: Callable[[Value], int] | None = None) -> None:
        self._bound = bound
        self._weigh = weigh or (lambda value: 1)
        self._values: OrderedDict[str, Value] = OrderedDict()
        self._weight = 0
        self._lock = Lock()

    def put(self, key: str, value: Value) -> None:
        """Keep ``value``, in place of what went by ``key``, and let go of what was not used for longest."""
        with self._lock:
            self._remove(key)
            self._values[key] = value
            self._weight += self._weigh(value)
            while self._weight > self._bound and len(self._values) > 1:
                self._remove(next(iter(self._values)))

    def get(self, key: str) -> Value | None:
        """What goes by ``key``, now the one used last; None if there is nothing (any more)."""
        with self._lock:
            if key in self._values:
                self._values.move_to_end(key)
            return self._values.get(key)

    def take(self, key: str) -> Value | None:
        """What goes by ``key``, for the caller alone: it is not kept any longer."""
        with self._lock:
            return self._remove(key)

    def _remove(self, key: str) -> Value | None:
        value = self._values.pop(key, None)
        if value is not None:
            self._weight -= self._weigh(value)
        return value


@dataclass(frozen=True)
class Published:
    """Bytes that a page computed."""

    content: bytes
    media_type: str


@dataclass(frozen=True)
class SharedFile:
    """A file that the browser may have."""

    path: Path
    """Resolved when it was shared."""
    download_name: str | None
    """None lets the browser show it, if it can."""


@dataclass(frozen=True)
class Archive:
    """Files that the browser may have as one zip file."""

    paths: tuple[Path, ...]
    """Resolved when they were shared."""
    name: str


PUBLISHED: Kept[Published] = Kept(256 << 20, lambda published: len(published.content))
PARTS: Kept[Callable[[int], bytes]] = Kept(64)
FILES: Kept[SharedFile] = Kept(10_000)
ARCHIVES: Kept[Archive] = Kept(1_000)


def open_workspace() -> Workspace:
    """The workspace that the routes look footage up in: one for the process, as the environment names it."""
    return _opened(os.environ.get("TRICKLINE_HOME"), os.environ.get("TRICKLINE_DB"), Path.cwd())


@lru_cache(maxsize=4)
def _opened(home: str | None, database: str | None, folder: Path) -> Workspace:
    return Workspace.open()


def proxy_of(session_id: str) -> Path | None:
    """The file that stands in for footage that browsers cannot play; None if there is none."""
    from core.proxy import proxy_path  # loads FFmpeg, which serving bytes does without

    path = proxy_path(open_workspace(), session_id)
    return path if path.is_file() else None


def footage_url(session_id: str) -> str:
    """Where the browser plays a session's video: its proxy if there is one, else the footage itself.

    The URL of the proxy is another one, so that a player which has given up on the footage loads the proxy once it is
    made.
    """
    return f"{PREFIX}/footage/{session_id}" + ("/proxy" if proxy_of(session_id) else "")


def publish(content: bytes, media_type: str = "application/octet-stream") -> str:
    """Let the browser fetch bytes. The same bytes have the same URL, and the browser fetches them once.

    Up to 256 MiB of what was published or fetched last stay; a page publishes what it needs in each run.
    """
    digest = blake2b(media_type.encode() + b"\0" + content, digest_size=16).hexdigest()
    PUBLISHED.put(digest, Published(content, media_type))
    return f"{PREFIX}/data/{digest}"


def publish_parts(key: str, part: Callable[[int], bytes]) -> str:
    """Let the browser fetch the numbered parts of something large, each made when it is asked for.

    Args:
        key: names the content: the browser keeps parts, so whatever changes a part has to change the key. Never sent.
        part: gives part ``n`` (0-based), in a thread of its own; raises IndexError if there is none.

    Returns:
        The URL; part ``n`` lies at ``url/n``.
    """
    token = _token("parts", key)
    PARTS.put(token, part)
    return f"{PREFIX}/parts/{token}"


def file_url(path: str | Path, download_name: str | None = None) -> str:
    """Let the browser have one file: to show in the page, or under a name to save it as.

    A link in ``path`` is followed now and not later. The URL of the same file and name stays the same.
    """
    shared = SharedFile(Path(path).resolve(), download_name)
    token = _token("file", str(shared.path), repr(download_name))
    FILES.put(token, shared)
    return f"{PREFIX}/file/{token}"


def zip_url(paths: Sequence[str | Path], name: str) -> str:
    """Let the browser save several files as one zip file called ``name``, written while it is sent.

    Files of the same name get a number in the archive.
    """
    archive = Archive(tuple(Path(path).resolve() for path in paths), name)
    token = _token("zip", name, *map(str, archive.paths))
    ARCHIVES.put(token, archive)
    return f"{PREFIX}/zip/{token}"


def _token(*names: str) -> str:
    """The same for the same names in this process, and nobody can guess it."""
    digest = blake2b(key=_SECRET, digest_size=16)
    for name in names:
        text = name.encode(errors="surrogateescape")
        digest.update(len(text).to_bytes(8, "big") + text)
    return digest.hexdigest()
