"""Chapters for the description of a video on YouTube.

    0:00 Start
    1:12 kickflip
    2:03 heelflip, tre flip

YouTube makes chapters of such lines where the first is 0:00, there are at least three, and each lasts 10 seconds or
longer; of the rest it makes links (support.google.com/youtube/answer/9884579). Descriptions take neither ``<`` nor
``>``, and 5000 characters (developers.google.com/youtube/v3/docs/videos#snippet.description).
"""

from __future__ import annotations

import math
import re
from dataclasses import replace

from core.edit_lists.chapters import Chapter, chapters_of
from core.edit_lists.timeline import Document, Selection

NAME = "Chapters for a YouTube description"
SUFFIX = ".txt"
_MIN_S = 10
_MIN_CHAPTERS = 3
_MAX_CHARACTERS = 5000
_ANGLES = str.maketrans("<>", "‹›")


def compose(selection: Selection) -> Document:
    """A line for each chapter; tricks that are closer than YouTube allows share one.

    Where the video is too short or has too few tricks for chapters, the lines are links to the tricks, without a 0:00
    that would only pretend, and the notes say so.
    """
    duration_s = math.floor(selection.video.info.duration_s)
    # Whole seconds are all that a line can tell: cut off, so that a trick is never missed.
    entries = [
        replace(entry, plan=replace(entry.plan, start_s=float(math.floor(entry.plan.start_s))))
        for entry in selection.entries
    ]
    # What begins before the second chapter may begin is in the first one.
    early = chapters_of([entry for entry in entries if entry.plan.start_s < _MIN_S], _MIN_S)
    late = chapters_of([entry for entry in entries if entry.plan.start_s >= _MIN_S], _MIN_S)
    chapters = [Chapter(0.0, float(_MIN_S), early[0].names if early else ("Start",)), *late]
    if len(chapters) > 1 and duration_s - chapters[-1].start_s < _MIN_S:
        last = chapters.pop()
        names = tuple(dict.fromkeys((*chapters[-1].names, *last.names)))
        chapters[-1] = replace(chapters[-1], names=names)
    notes: tuple[str, ...] = ()
    if len(chapters) < _MIN_CHAPTERS or duration_s < _MIN_CHAPTERS * _MIN_S:
        notes = (
            f"YouTube makes no chapters of these lines, only links: chapters take at least {_MIN_CHAPTERS} of {_MIN_S} "
            "seconds each.",
        )
        chapters = chapters_of(entries, 1)
    text = "".join(f"{_clock(int(chapter.start_s))} {_title(chapter)}\n" for chapter in chapters)
    if len(text) > _MAX_CHARACTERS:
        notes += (
            f"A description holds {_MAX_CHARACTERS} characters and these lines have {len(text)}: choose fewer tricks.",
        )
    return Document(text, len(chapters), notes)


def _clock(seconds: int) -> str:
    hours, rest = divmod(seconds, 3600)
    return f"{hours}:{rest // 60:02d}:{rest % 60:02d}" if hours else f"{rest // 60}:{rest % 60:02d}"


def _title(chapter: Chapter) -> str:
    # A time in a title would be taken for one more chapter.
    return re.sub(r"(?<=\d):(?=\d)", ".", chapter.title.translate(_ANGLES))
