"""A watched folder: which videos have come in, and are there whole.

    >>> arrivals = Arrivals(Path("/mnt/camera"))                             # doctest: +SKIP
    >>> while True:                                                          # doctest: +SKIP
    ...     for chapters in arrivals.recordings():
    ...         print(*chapters)
    ...     time.sleep(5)

The folder is looked through at every call: network folders (SMB, NFS) send no events of what other machines write, and
those that a system does send come before a file is whole.
"""

from __future__ import annotations

import os
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import av

from core.chapters import may_belong, recording_of
from core.errors import UserError
from core.footage_folder import entries_below, is_video, natural
from core.video import picture_stream
from core.whole_file import missing_bytes

_PARTIAL = {".part", ".partial", ".filepart", ".crdownload", ".download", ".tmp", ".temp"}
"""Endings, also before the last one, of files that browsers, FTP clients and copying programs have not finished."""
_STUCK_AFTER = 6
"""So many times the settling time a file may lie there unchanged without being whole."""
_OPENED_AT_ONCE = 50
"""Files that one call opens at most, so that a folder with thousands of new ones does not hold the caller up."""


@dataclass
class _Seen:
    """What is known of one file, as it was last."""

    signature: tuple[int, int]
    """Bytes, and nanoseconds of its last change."""
    since: float
    """When it was first seen so."""
    look_at: float
    """When it is opened next."""
    reported: bool = False
    told_stuck: bool = False


class Arrivals:
    """The videos that come into ``folder`` and the folders in it.

    Nothing is kept beyond this object: one that is made anew takes all that lies there for new.
    """

    def __init__(
        self,
        folder: Path,
        settle_s: float = 10.0,
        clock: Callable[[], float] = time.monotonic,
        without: Sequence[Path] = (),
    ) -> None:
        """
        Args:
            folder: need not be there yet.
            settle_s: for how long size and time of change have to stay as they are, seconds by ``clock``.
            clock: seconds from anywhere, never backwards.
            without: folders in it that are left out.
        """
        self.folder = folder
        self.settle_s = settle_s
        self._clock = clock
        self._without = tuple(without)
        self._seen: dict[str, _Seen] = {}
        self._present: set[str] = set()
        self._held: dict[Path, None] = {}
        self._stuck: list[Path] = []

    def ready(self) -> list[Path]:
        """Videos that are new since the last call, have not changed for the settling time and are there whole.

        In natural order, each once, and again only if its size or time of change becomes another. A file that goes away
        and comes back as it was (an unmounted disk) is not new. Left out are hidden files and folders, names of
        unfinished copies, links to folders, and links that lead out. At most 50 come at once, the others at the next
        calls.

        A file is whole if it opens as a video and, in MP4 and MOV, ends where its last box does. Other recordings
        (MPEG-TS, Matroska) say little of their end: there only the settling time tells.

        Raises:
            UserError: the folder cannot be listed (not there, not mounted); what is known of its files stays.
        """
        now = self._clock()
        settled = []
        present: set[str] = set()
        for path, signature in self._videos():
            present.add(path)
            seen = self._seen.get(path)
            if seen is None or seen.signature != signature:
                self._seen[path] = _Seen(signature, now, now + self.settle_s)
            elif not seen.reported and now >= seen.look_at:
                settled.append(path)
        for path in [path for path, seen in self._seen.items() if path not in present and not seen.reported]:
            del self._seen[path]
        self._present = present
        whole = []
        for path in sorted(settled, key=natural)[:_OPENED_AT_ONCE]:
            seen = self._seen[path]
            if is_whole(Path(path)):
                seen.reported = True
                whole.append(Path(path))
                continue
            unchanged_s = now - seen.since
            seen.look_at = now + max(unchanged_s, self.settle_s)  # ever more seldom
            if unchanged_s >= _STUCK_AFTER * self.settle_s and not seen.told_stuck:
                seen.told_stuck = True
                self._stuck.append(Path(path))
        return whole

    def recordings(self) -> list[tuple[Path, ...]]:
        """What :meth:`ready` gives, but the chapters of one recording together, in order, once all are there.

        A recording waits while what may be a chapter of it by its name has to settle or is not whole, unless
        :meth:`stuck` tells that. One that goes on in a file that comes later comes again, with all its chapters.

        Raises:
            UserError: as :meth:`ready`.
        """
        self._held.update(dict.fromkeys(self.ready()))
        whole: defaultdict[Path, list[Path]] = defaultdict(list)
        arriving: defaultdict[Path, list[Path]] = defaultdict(list)
        for name in sorted(self._present, key=natural):
            path, seen = Path(name), self._seen[name]
            if seen.reported:
                whole[path.parent].append(path)
            elif not seen.told_stuck:
                arriving[path.parent].append(path)
        found: dict[tuple[Path, ...], None] = {}
        for path in [path for path in self._held if path in whole[path.parent]]:
            if path in self._held:
                chapters = recording_of(path, whole[path.parent])
                if not any(may_belong(other, chapters) for other in arriving[path.parent]):
                    found[chapters] = None
                    for chapter in chapters:
                        self._held.pop(chapter, None)
        return list(found)

    def stuck(self) -> list[Path]:
        """Videos that :meth:`ready` found broken for so long that their sender seems to have given up.

        That is after at least six settling times without a change. Each is told once, and still becomes ready if the
        rest of it arrives.
        """
        told, self._stuck = self._stuck, []
        return told

    @property
    def broken(self) -> list[Path]:
        """All that :meth:`stuck` told, as far as it is still there and has not changed."""
        return [Path(path) for path, seen in self._seen.items() if seen.told_stuck and not seen.reported]

    @property
    def waiting(self) -> bool:
        """Whether a video that was there at the last call of :meth:`ready` may still become ready.

        It has to settle, is not whole, or was one too many for that call. Those that :meth:`stuck` tells are not waited
        for any more, until they change.
        """
        return any(not seen.reported and not seen.told_stuck for seen in self._seen.values())

    def _videos(self) -> Iterator[tuple[str, tuple[int, int]]]:
        """Path, size and time of change of every video there is."""
        try:
            for entry in entries_below(self.folder, self._without):
                if is_video(entry) and not _unfinished(entry.name):
                    try:
                        facts = entry.stat()
                    except OSError:
                        continue  # it went away in the meantime, or is nobody's to read
                    yield entry.path, (facts.st_size, facts.st_mtime_ns)
        except OSError as error:
            raise UserError(
                f"The folder {self.folder} cannot be watched ({error.strerror}): check that it is there and mounted."
            ) from error


def is_whole(path: Path) -> bool:
    """Whether a video opens and, where it consists of boxes that tell their size (MP4, MOV), none is cut off."""
    try:
        with av.open(str(path.absolute()), metadata_errors="ignore") as container:
            return picture_stream(container) is not None and not missing_bytes(path, path.stat().st_size)
    except (av.FFmpegError, OSError):
        return False


def _unfinished(name: str) -> bool:
    stem = os.path.splitext(name)[0]
    return name.startswith("~") or os.path.splitext(stem)[1].lower() in _PARTIAL
