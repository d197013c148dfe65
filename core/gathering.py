"""Footage: the recordings that files, folders and URLs hold, each once.

    >>> footage, notes = gather([Path("2024/park")])                         # doctest: +SKIP
    >>> [one.name for one in footage]                                        # doctest: +SKIP
    ['GX010123.MP4 and 1 more', 'clip 2.mov']

Nothing that is found in a folder ends the search: what cannot be read is footage all the same, and its own turn says
what is wrong with it.
"""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from core import stores
from core.chapters import Names, chapter_groups, missing_chapters, mixed_up
from core.content import content_id, middle_digest
from core.errors import UserError
from core.footage_folder import entries_below, is_video, natural


@dataclass(frozen=True)
class Footage:
    """One recording."""

    sources: tuple[str, ...]
    """A file or a URL; several are the chapters that a camera parted the recording into."""

    @property
    def shown(self) -> str:
        """The first source as people may see it."""
        return _shown(self.sources[0])

    @property
    def name(self) -> str:
        """As it is told to people."""
        first = self.shown.rstrip("/").rpartition("/")[2]
        return first if len(self.sources) == 1 else f"{first} and {len(self.sources) - 1} more"


def gather(
    sources: Sequence[str | Path], join: bool = True, without: Sequence[Path] = (), names: Names | None = None
) -> tuple[list[Footage], list[str]]:
    """The recordings that files, folders and URLs hold, and sentences on what is odd about them.

    Folders are searched to the bottom, in natural order; what is hidden, and links that lead out, are left out. A copy
    of a file that is there already, or a link to it, is left out, too.

    Args:
        join: whether a camera's chapters are one recording.
        without: folders that hold no footage although they may lie in one of ``sources``: clips, the workspace.
        names: what files were called that are called otherwise now, by their absolute paths.

    Raises:
        UserError: the only path or a URL leads nowhere, a folder of ``sources`` cannot be listed, or it has no video.
    """
    found: list[Path] = []
    notes: list[str] = []
    remote: list[str] = []
    for source in sources:
        if stores.is_url(str(source)):
            remote += stores.list_videos(str(source))
            continue
        path = Path(source).expanduser()
        if os.path.isdir(path):
            inside = _videos_in(path, without, notes)
            found += inside
            if not inside and len(sources) > 1:
                notes.append(f"{path.absolute()} is a folder without a video: leave it out, or check the path.")
        elif os.path.exists(path) or len(sources) > 1:  # of several, one that is gone fails alone
            found.append(path)
        else:
            raise UserError(f"There is no file {path}; check the path.")
    if not found and not remote:
        where = ", ".join(_shown(str(source)) for source in sources)
        raise UserError(f"There is no video in {where}: choose a folder with footage.")
    footage, odd = as_recordings(found, join, names)
    return [*footage, *(Footage((url,)) for url in remote)], [*notes, *odd]


def as_recordings(
    paths: Sequence[Path], join: bool = True, names: Names | None = None
) -> tuple[list[Footage], list[str]]:
    """As :func:`gather`, of files that were found already. One that is gone by now is footage all the same."""
    single, notes = _without_copies([path.absolute() for path in paths])
    groups = chapter_groups(single, names) if join else [(path,) for path in single]
    footage = [Footage(tuple(map(str, group))) for group in groups]
    if join:
        notes += [*mixed_up(groups, names), *missing_chapters(groups, names)]
    return footage, notes


def _videos_in(folder: Path, without: Sequence[Path], notes: list[str]) -> list[Path]:
    """In natural order. What cannot be searched is added to ``notes``."""

    def unread(error: OSError) -> None:
        notes.append(f"The folder {error.filename} cannot be listed ({error.strerror}): what is in it is left out.")

    try:
        found = [Path(entry.path) for entry in entries_below(folder, without, unread) if is_video(entry)]
    except OSError as error:
        raise UserError(f"The folder {folder} cannot be listed ({error.strerror}): choose another one.") from error
    return sorted(found, key=lambda path: [natural(part) for part in path.parts])


def _without_copies(paths: Sequence[Path]) -> tuple[list[Path], list[str]]:
    """Each content once. Only files of one size can be copies, and of these most differ in a block in the middle."""
    # Of a file and the links to it the one that comes first.
    places: dict[str, Path] = {}
    for path in paths:
        places.setdefault(os.path.realpath(path), path)
    sizes: dict[int, list[str]] = defaultdict(list)
    for place in places:
        try:
            sizes[os.stat(place).st_size].append(place)
        except OSError:
            continue  # it went away or is nobody's to read, as its own turn will say
    copies: dict[str, str] = {}
    for alike in sizes.values():
        for in_the_middle in _by(middle_digest, alike):
            for first, *others in _by(content_id, in_the_middle):
                copies.update(dict.fromkeys(others, first))
    kept = [path for place, path in places.items() if place not in copies]
    return kept, [f"{copy} has the content of {original}: it is taken once." for copy, original in copies.items()]


def _by(digest: Callable[[Path], str], places: Sequence[str]) -> list[list[str]]:
    """Those of one digest together. A single one is not read, and what cannot be read is left out."""
    if len(places) < 2:
        return [[place] for place in places]
    found: dict[str, list[str]] = defaultdict(list)
    for place in places:
        with suppress(UserError):
            found[digest(Path(place))].append(place)
    return list(found.values())


def _shown(source: str) -> str:
    return stores.without_login(source) if stores.is_url(source) else source
