"""Words in pictures: names from outside as one safe line, and a font that knows their letters.

>>> plain("  kick   flip ")
'kick flip'
>>> Face("kickflip").cut("kickflip", 20, 50)
'kick…'
"""

from __future__ import annotations

from functools import cached_property
from pathlib import Path

from PIL import ImageFont

_LONGEST = 200
"""Characters of a name that are looked at: no picture is wide enough for more."""


def plain(name: str) -> str:
    """A name from outside as one line of letters that can be seen: no line breaks, no marks that turn the writing."""
    line = " ".join(name[:_LONGEST].split())
    return "".join(letter if letter.isprintable() else "\ufffd" for letter in line) or "–"


class Face:
    """The first font that knows all letters that are to be drawn, or else the one that knows most."""

    def __init__(self, letters: str) -> None:
        self._letters = sorted(set(letters))
        self._sizes: dict[int, ImageFont.FreeTypeFont] = {}

    def sized(self, size: int) -> ImageFont.FreeTypeFont:
        """The font in a size in pixels."""
        if size not in self._sizes:
            self._sizes[size] = _font(self._path, size)
        return self._sizes[size]

    def width(self, text: str, size: int) -> int:
        """Pixels that ``text`` takes."""
        return round(self.sized(size).getlength(text) + 0.5)

    def cut(self, text: str, size: int, width: int) -> str:
        """``text``, ended by an ellipsis where it is wider than ``width`` pixels."""
        if self.width(text, size) <= width:
            return text
        kept = next((n for n in range(len(text), 0, -1) if self.width(f"{text[:n].rstrip()}…", size) <= width), 0)
        return f"{text[:kept].rstrip()}…" if kept else ""

    @cached_property
    def _path(self) -> str | None:
        return min((None, *_other_fonts()), key=self._unknown)

    def _unknown(self, path: str | None) -> int:
        """How many letters a font draws as it draws what no font has."""
        try:
            font = _font(path, 20)
        except OSError:
            return len(self._letters) + 1
        box = bytes(font.getmask("\U0010ffff"))
        return sum(bytes(font.getmask(letter)) == box for letter in self._letters)


def _other_fonts() -> tuple[str, ...]:
    """Where Pillow's own font, which knows little more than ASCII, does not do: what OpenCV brings on Linux, then the
    system's."""
    import cv2

    return str(Path(cv2.__file__).parent / "qt" / "fonts" / "DejaVuSans.ttf"), "DejaVuSans.ttf", "arial.ttf"


def _font(path: str | None, size: int) -> ImageFont.FreeTypeFont:
    if path:
        return ImageFont.truetype(path, size)
    font = ImageFont.load_default(size)
    assert isinstance(font, ImageFont.FreeTypeFont)  # as it is in every wheel of Pillow
    return font
