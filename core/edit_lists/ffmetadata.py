"""FFmpeg's metadata file with chapters: ``ffmpeg -i video.mp4 -i tricks.ffmetadata -map_chapters 1 -c copy out.mp4``.

The format: https://ffmpeg.org/ffmpeg-formats.html#Metadata-2.
"""

from __future__ import annotations

import re

from core.edit_lists.chapters import chapters_of
from core.edit_lists.timeline import Document, Selection

NAME = "Chapters for FFmpeg (FFMETADATA)"
SUFFIX = ".ffmetadata"
_SPECIAL = re.compile(r"[=;#\\\n]")


def compose(selection: Selection) -> Document:
    """A chapter for each clip, in microseconds; one that runs into the next ends where that begins."""
    chapters = chapters_of(selection.entries, 0.0)
    lines = [";FFMETADATA1"]
    for chapter in chapters:
        start, end = round(chapter.start_s * 1e6), round(chapter.end_s * 1e6)
        title = _SPECIAL.sub(r"\\\g<0>", chapter.title)
        lines += ["[CHAPTER]", "TIMEBASE=1/1000000", f"START={start}", f"END={end}", f"title={title}"]
    return Document("\n".join(lines) + "\n", len(chapters))
