"""A folder of footage on this machine: what videos lie in it, without leaving it.

    >>> listing = list_footage("2024/park")                                  # doctest: +SKIP
    >>> [video.name for video in listing.videos]                             # doctest: +SKIP
    ['clip 2.mov', 'clip 10.mov']

The folder is ``TRICKLINE_FOOTAGE``, or else where the system keeps videos. Hidden files are left out, and so is every
link that leads out of it: a page that lists this folder must not become a way to look at the rest of the disk.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from core.errors import UserError

VIDEO_TYPES = {
    ".mp4": "video/mp4",
    ".m4v": "video/mp4",
    ".mov": "video/mp4",  # the same boxes; browsers pass over what is called video/quicktime
    ".360": "video/mp4",
    ".insv": "video/mp4",
    ".lrv": "video/mp4",
    ".3gp": "video/3gpp",
    ".3g2": "video/3gpp2",
    ".webm": "video/webm",
    ".mkv": "video/x-matroska",
    ".avi": "video/x-msvideo",
    ".mts": "video/mp2t",
    ".m2ts": "video/mp2t",
    ".ts": "video/mp2t",
    ".mpg": "video/mpeg",
    ".mpeg": "video/mpeg",
    ".mpe": "video/mpeg",
    ".vob": "video/mpeg",
    ".mxf": "video/mxf",
    ".ogv": "video/ogg",
    ".wmv": "video/x-ms-wmv",
    ".flv": "video/x-flv",
}
"""What videos are called, in lower case, and the media type that the browser is told. Files without one of these
suffixes can still be named by their path."""


@dataclass(frozen=True)
class FootageFile:
    """A video file, not opened."""

    path: Path
    size: int
    """Bytes."""
    modified: datetime
    """UTC."""

    @property
    def name(self) -> str:
        """The file's name."""
        return self.path.name


@dataclass(frozen=True)
class Listing:
    """What lies in one folder, in natural order: clip 2 before clip 10."""

    root: Path
    folder: str
    """Below the root, with ``/``; empty for the root itself."""
    folders: tuple[str, ...]
    """Names of the folders in it."""
    videos: tuple[FootageFile, ...]

    @property
    def trail(self) -> tuple[tuple[str, str], ...]:
        """The way here from the root: name and folder of each step."""
        parts = self.folder.split("/") if self.folder else []
        steps = [(part, "/".join(parts[: number + 1])) for number, part in enumerate(parts)]
        return ((self.root.name or str(self.root), ""), *steps)

    def below(self, name: str) -> str:
        """The folder called ``name`` in this one, as :func:`list_footage` takes it."""
        return f"{self.folder}/{name}" if self.folder else name


def footage_root() -> Path:
    """Where footage is looked for: ``TRICKLINE_FOOTAGE``, else the user's folder for videos, else his home.

    Raises:
        UserError: ``TRICKLINE_FOOTAGE`` names no folder.
    """
    named = os.environ.get("TRICKLINE_FOOTAGE")
    if named:
        root = Path(named).expanduser().absolute()
        if not root.is_dir():
            raise UserError(f"TRICKLINE_FOOTAGE names {root}, which is no folder: make it, or name another one.")
        return root.resolve()
    home = Path.home()
    usual = home / ("Movies" if sys.platform == "darwin" else "Videos")
    return (usual if usual.is_dir() else home).resolve()


def list_footage(folder: str = "", root: Path | None = None) -> Listing:
    """What lies in ``folder`` below ``root``.

    Args:
        folder: below the root, with ``/`` between its parts.
        root: None takes :func:`footage_root`.

    Raises:
        UserError: there is no such folder, it may not be read, or it lies outside the root.
    """
    top = (root or footage_root()).resolve()
    here = _resolved(top / folder)
    parts = [part for part in re.split(r"[/\\]", folder) if part not in ("", ".")]
    if here is None or not here.is_relative_to(top) or any(part.startswith(".") for part in parts):
        raise UserError(f"{folder} is not a folder inside {top}: choose one of those that are listed.")
    folders, videos = [], []
    try:
        for entry in _visible(here, top):
            if entry.is_dir():
                folders.append(entry.name)
            elif is_video(entry):
                facts = entry.stat()
                modified = datetime.fromtimestamp(facts.st_mtime, UTC)
                videos.append(FootageFile(here / entry.name, facts.st_size, modified))
    except OSError as error:
        raise UserError(f"The folder {here} cannot be listed ({error.strerror}): choose another one.") from error
    return Listing(
        top,
        here.relative_to(top).as_posix() if here != top else "",
        tuple(sorted(folders, key=natural)),
        tuple(sorted(videos, key=lambda video: natural(video.name))),
    )


def entries_below(
    folder: Path, without: Iterable[Path] = (), unread: Callable[[OSError], None] | None = None
) -> Iterator[os.DirEntry[str]]:
    """What lies in ``folder`` and the folders in it, files and folders, in no order.

    Left out are what is hidden, links that lead out or nowhere, and what lies behind links to folders.

    Args:
        without: folders that are left out with all that is in them, if they lie in ``folder``.
        unread: told of every folder in it that cannot be listed; the others go on.

    Raises:
        OSError: ``folder`` itself cannot be listed.
    """
    top, root = str(folder), Path(os.path.realpath(folder))
    places = [Path(os.path.realpath(place)) for place in without]
    left_out = {os.path.join(top, place.relative_to(root)) for place in places if place.is_relative_to(root)}
    waiting = [top]
    while waiting:
        here = waiting.pop()
        try:
            entries = [
                (entry, entry.is_dir(follow_symlinks=False))
                for entry in _visible(Path(here), root)
                if entry.path not in left_out
            ]
        except OSError as error:
            if here == top:
                raise
            if unread:
                unread(error)
            continue
        for entry, is_folder in entries:
            if is_folder:
                waiting.append(entry.path)
            yield entry


def is_video(entry: os.DirEntry[str]) -> bool:
    """Whether something is a file that is called like a video. One that nobody may look at is taken for one."""
    if os.path.splitext(entry.name)[1].lower() not in VIDEO_TYPES:
        return False
    try:
        return entry.is_file()
    except OSError:
        return True


def length_s(path: Path) -> float | None:
    """How long a video says it is, seconds: a look at its header only. None if it does not say, or is no video."""
    import av

    try:
        with av.open(str(path.absolute()), metadata_errors="ignore") as container:
            if not container.streams.video or container.duration is None:
                return None
            return container.duration / av.time_base
    except (av.FFmpegError, OSError):
        return None


def natural(name: str) -> tuple[tuple[int, int, str], ...]:
    """A key to sort names as people count: numbers by their value, letters without regard to case."""
    parts = re.split(r"(\d+)", name.casefold())
    return tuple((0, int(part), "") if part.isdecimal() else (1, 0, part) for part in parts if part)


def _visible(folder: Path, root: Path) -> Iterator[os.DirEntry[str]]:
    """The entries that are not hidden and whose links stay inside ``root``."""
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.startswith((".", "$")):
                continue
            if entry.is_symlink():
                target = _resolved(Path(entry.path))
                if target is None or not target.is_relative_to(root) or not os.path.exists(target):
                    continue
            yield entry


def _resolved(path: Path) -> Path | None:
    """Where a path leads; None if its links go round in a circle."""
    try:
        return path.resolve()
    except (OSError, RuntimeError):  # RuntimeError up to Python 3.12; later ones go on with what is left of the path
        return None
