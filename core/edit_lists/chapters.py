"""Tricks as chapters, which follow each other and never overlap."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from core.edit_lists.timeline import Entry


@dataclass(frozen=True)
class Chapter:
    """A stretch of the video with a title."""

    start_s: float
    end_s: float
    """When its last frame leaves the screen."""
    names: tuple[str, ...]
    """Of the clips that begin in it, each once."""

    @property
    def title(self) -> str:
        """All the names."""
        return ", ".join(self.names)


def chapters_of(entries: Sequence[Entry], min_s: float) -> list[Chapter]:
    """The clips in order of time; one that begins less than ``min_s`` seconds after a chapter joins it, and so does one
    that begins with it."""
    chapters: list[Chapter] = []
    for entry in sorted(entries, key=lambda entry: (entry.plan.start_frame, entry.plan.end_frame)):
        start_s, end_s, last = entry.plan.start_s, entry.plan.end_s, chapters[-1] if chapters else None
        if last and (start_s <= last.start_s or start_s - last.start_s < min_s):
            names = tuple(dict.fromkeys((*last.names, entry.name)))
            chapters[-1] = Chapter(last.start_s, max(last.end_s, end_s), names)
        else:
            if last and last.end_s > start_s:
                chapters[-1] = Chapter(last.start_s, start_s, last.names)
            chapters.append(Chapter(start_s, end_s, (entry.name,)))
    return chapters
