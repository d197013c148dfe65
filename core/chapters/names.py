"""What cameras call the chapters of a recording.

GoPro names tell what belongs together: ``GH``, ``GX``, ``GL`` or ``GS``, two digits for the chapter (from 01), four for
the recording; up to HERO5 ``GOPR0123`` is followed by ``GP010123``, ``GP020123``. Looped recordings (``GHAA0001``) have
letters there and are treated as other names. Other cameras (DJI, Sony, Insta360, Canon) number files through, a new
recording as well as a further chapter, so that only their times tell: see :mod:`core.chapters.finding`.

Sources: GoPro support, "GoPro Camera File Naming Convention" and "GoPro Camera File Chaptering Information".
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

Names = Mapping[Path, str]
"""What files were called, with their endings, where they came from, by where they lie now under other names. They count
as files of one folder."""

_GOPRO = re.compile(r"(?P<kind>G[HXLS])(?P<chapter>\d\d)(?P<recording>\d{4})", re.IGNORECASE)
_GOPRO_OLD = re.compile(r"GOPR(?P<first>\d{4})|GP(?P<chapter>\d\d)(?P<recording>\d{4})", re.IGNORECASE)
_DIGITS = re.compile(r"\d+")
_LONGEST_COUNTER = 5
"""Digits; longer runs in a name are dates and times, as in ``DJI_20240501120000_0001_D``."""


@dataclass(frozen=True)
class ChapterName:
    """What a file's name says."""

    series: tuple[str, ...]
    """What chapters of one recording share: folder, ending, and the name without its number."""
    number: int
    by_name: bool
    """Whether the name alone says that they belong together."""


def chapter_name(path: Path, names: Names | None = None) -> ChapterName | None:
    """What the name of a file says of its recording; None if it has no number.

    Args:
        names: what files were called that are called otherwise now.
    """
    called = (names or {}).get(path)
    stem, suffix = (path.stem, path.suffix) if called is None else (Path(called).stem, Path(called).suffix)
    where = (str(path.parent) if called is None else "", suffix.lower())
    if found := _GOPRO.fullmatch(stem):
        return ChapterName((*where, found["kind"].upper(), found["recording"]), int(found["chapter"]), True)
    if found := _GOPRO_OLD.fullmatch(stem):
        # GOPR0123 is the first chapter, GP010123 the second.
        chapter = 1 if found["first"] else int(found["chapter"]) + 1
        return ChapterName((*where, "GOPR", found["first"] or found["recording"]), chapter, True)
    counters = [run for run in _DIGITS.finditer(stem) if len(run[0]) <= _LONGEST_COUNTER]
    if not counters:
        return None
    start, end = counters[-1].span()
    dateless = (re.sub(rf"\d{{{_LONGEST_COUNTER + 1},}}", "@", part) for part in (stem[:start], stem[end:]))
    # Cameras pad their numbers: "clip 9" and "clip 10" were named by a person.
    return ChapterName((*where, *dateless, str(end - start)), int(counters[-1][0]), False)
