"""The words of a reel, drawn as transparent pictures that FFmpeg lays over it.

The name of a trick stands in the lower third, where one looks for it, and goes when the trick begins: feet and board
are there too. A replay is named at the top for as long as it lasts.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageDraw, ImageFilter

from core.lettering import Face, plain
from core.reel.choose import Segment
from core.reel.presets import Preset

_STRONG, _WEAK, _ACCENT = "#FFFFFF", "#D5DAE1", "#F5B942"
_PLATE = (12, 15, 20, 175)
_READ_S = 1.2
"""So long a name stands at least."""
_LETTER = 0.05
"""Height of the letters of a caption, of the picture's shorter side."""
_OVERSIZED = 4
"""Times as large as they are shown plates are drawn, so that their corners are round."""
_LINES = 3
"""Of a title, at most."""


@dataclass(frozen=True)
class Words:
    """A transparent picture and its place."""

    path: Path
    x: int
    """Left side in the reel, pixels."""
    y: int
    frames: int | None = None
    """How long it stands before it fades; None for all of the segment."""


def draw_caption(segment: Segment, tricks: int, preset: Preset, path: Path) -> Words:
    """Number and name of the trick on a dark plate, clear of what an app puts over it; a replay says that it is one,
    and how slow.

    Args:
        tricks: how many the reel shows.
        path: where to; ends in ``.png``.
    """
    margins, letter = preset.margins, max(6, round(_LETTER * min(preset.width, preset.height)))
    left, right = round(margins.left * preset.width), round((1 - margins.right) * preset.width)
    small, pad, bar = max(5, round(0.62 * letter)), round(0.55 * letter), max(1, round(0.14 * letter))
    replay = segment.kind == "replay"
    above = f"replay at 1/{segment.slower} speed" if replay else f"{segment.number} / {tricks}"
    label = plain(segment.moment.trick.label)
    face = Face(above + label + "…")
    room = right - left - 2 * pad - bar
    label, above = face.cut(label, letter, room), face.cut(above, small, room)
    width = bar + 2 * pad + max(face.width(label, letter), face.width(above, small))
    height = 2 * pad + small + round(1.35 * letter)
    page = _plate(width, height, bar)
    draw = ImageDraw.Draw(page)
    draw.text((bar + pad, pad + small // 2), above, _WEAK, face.sized(small), anchor="lm")
    middle = height - pad - round(0.5 * letter)
    draw.text((bar + pad, middle), label, _STRONG, face.sized(letter), anchor="lm", stroke_width=letter // 40)
    page.save(path)
    if replay:
        return Words(path, left, round(margins.top * preset.height))
    y = round((1 - margins.bottom) * preset.height) - height
    return Words(path, left, y, max(segment.before, round(_READ_S * preset.fps)))


def draw_title(title: str, tricks: int, preset: Preset, path: Path) -> Words:
    """The title in the middle, on up to three lines, with a line and the number of tricks below.

    Args:
        path: where to; ends in ``.png``.
    """
    margins, side = preset.margins, min(preset.width, preset.height)
    title, count = plain(title), f"{tricks} trick{'s' if tricks != 1 else ''}"
    face = Face(title + count + "…")
    beside = max(margins.left, margins.right) * preset.width
    room = round(preset.width - 2 * beside)
    large = max(8, round(0.11 * side))
    while large > 0.06 * side and len(_wrapped(title, face, large, room)) > 2:
        large -= max(1, large // 12)
    lines = _wrapped(title, face, large, room)
    lines = [face.cut(line, large, room) for line in [*lines[: _LINES - 1], " ".join(lines[_LINES - 1 :])] if line]
    small, step = max(6, round(0.4 * large)), round(1.2 * large)
    page = Image.new("RGBA", (preset.width, preset.height))
    words, middle = ImageDraw.Draw(page), preset.width // 2
    y = preset.height // 2 - (len(lines) - 1) * step // 2 - small
    for line in lines:
        words.text((middle, y), line, _STRONG, face.sized(large), anchor="mm", stroke_width=large // 40)
        y += step
    half, thick = round(0.08 * side), max(1, round(0.006 * side))
    y -= round(0.25 * step)
    words.rectangle((middle - half, y, middle + half, y + thick), _ACCENT)
    words.text((middle, y + round(1.6 * small)), count, _WEAK, face.sized(small), anchor="mm")
    # A soft shadow of the words, so that they stand out from a bright picture too.
    shadow = Image.new("RGBA", page.size, "black")
    shadow.putalpha(page.getchannel("A").filter(ImageFilter.GaussianBlur(0.01 * side)).point(lambda a: a * 0.8))
    Image.alpha_composite(shadow, page).save(path)
    return Words(path, 0, 0)


def _wrapped(text: str, face: Face, size: int, room: int) -> list[str]:
    """The words of ``text`` on lines that are not wider than ``room``, unless a word alone is."""
    lines = [""]
    for word in text.split(" "):
        longer = f"{lines[-1]} {word}".strip()
        if lines[-1] and face.width(longer, size) > room:
            lines.append(word)
        else:
            lines[-1] = longer
    return lines


def _plate(width: int, height: int, bar: int) -> Image.Image:
    """A dark plate with round corners and a bright bar at its left."""
    size = (width * _OVERSIZED, height * _OVERSIZED)
    plate = Image.new("RGBA", size, _PLATE)
    ImageDraw.Draw(plate).rectangle((0, 0, bar * _OVERSIZED, size[1]), _ACCENT)
    corners = Image.new("L", size)
    ImageDraw.Draw(corners).rounded_rectangle((0, 0, size[0] - 1, size[1] - 1), 2.5 * bar * _OVERSIZED, 255)
    rounded = Image.composite(plate, Image.new("RGBA", size), corners)
    return rounded.resize((width, height), Image.Resampling.LANCZOS)
