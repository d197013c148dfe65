"""Chapters: cameras part a long recording into several files; here they are found and joined without encoding again.

    >>> groups = chapter_groups(sorted(folder.iterdir()))                    # doctest: +SKIP
    >>> [[path.name for path in group] for group in groups]                  # doctest: +SKIP
    [['GX010123.MP4', 'GX020123.MP4'], ['GX010124.MP4']]
    >>> join_chapters(groups[0], Path("joined"))                             # doctest: +SKIP
    PosixPath('joined/GX010123_5d41402abc4b.mp4')

:mod:`core.chapters.names` reads what cameras call them, :mod:`core.chapters.finding` says which files go on in which,
:mod:`core.chapters.joining` makes one file of them.
"""

from core.chapters.finding import chapter_groups, may_belong, may_go_on, missing_chapters, mixed_up, recording_of
from core.chapters.joining import NotJoined, join_chapters
from core.chapters.names import Names

__all__ = [
    "Names",
    "NotJoined",
    "chapter_groups",
    "join_chapters",
    "may_belong",
    "may_go_on",
    "missing_chapters",
    "mixed_up",
    "recording_of",
]
