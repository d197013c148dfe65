"""Names of clips from a template of the user's.

>>> clip_names("{start}_{label}", video.path, plans)                     # doctest: +SKIP
['0-06.23_360-flip.mp4', '1-12.50_ollie.mp4']
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from string import Formatter

from core.clips import ClipPlan, label_part, session_part
from core.errors import UserError
from core.timecode import clock

FIELDS = ("session", "index", "label", "start")
_DIGITS = re.compile(r"0?[1-9]?d?")
_FORBIDDEN = re.compile(r'[\x00-\x1f\x7f/\\:*?"<>|]')
_MAX_BYTES = 200
"""Of a name: file systems take 255, and a longer one may have to be made of it."""
_WHAT_TO_DO = "use text with {session}, {index}, {label} and {start}"


def clip_names(template: str, video_path: Path, plans: Sequence[ClipPlan]) -> list[str]:
    """One file name a clip, each another.

    Args:
        template: text with ``{session}``, the video's name; ``{index}``, the clip's number from 1, also as
            ``{index:02d}``; ``{label}``; ``{start}``, when the clip begins in the video, such as ``1-12.50``.

    Raises:
        UserError: the template has other fields, would lead to another folder, or gives a name that is empty, too long
            or another clip's.
    """
    parts = _parsed(template)
    names: list[str] = []
    for number, plan in enumerate(plans, start=1):
        values = {
            "session": session_part(video_path),
            "index": number,
            "label": label_part(plan.label),
            "start": clock(plan.start_s).replace(":", "-"),
        }
        stem = "".join(text + (format(values[field], how) if field else "") for text, field, how in parts)
        if len(stem.encode()) > _MAX_BYTES:
            raise UserError(f"The name {template[:60]} gives file names of more than {_MAX_BYTES} bytes: shorten it.")
        names.append(f"{stem}.mp4")
    # Some file systems make no difference between small and capital letters.
    if len({name.casefold() for name in names}) < len(names):
        raise UserError(f"The name {template[:60]} gives several clips the same file name: put {{index}} into it.")
    return names


def _parsed(template: str) -> list[tuple[str, str | None, str]]:
    """Text, the field after it (None at the end) and its format."""
    try:
        parts = [
            (text, field, how or "", conversion) for text, field, how, conversion in Formatter().parse(template.strip())
        ]
    except ValueError as error:
        raise UserError(f"The name {template[:60]} cannot be read ({error}): {_WHAT_TO_DO}.") from None
    for text, field, how, conversion in parts:
        forbidden = _FORBIDDEN.search(text)
        if forbidden:
            raise UserError(f"A file name cannot hold {forbidden[0]!r}: take it out of the name {template[:60]!r}.")
        if field is not None and (
            field not in FIELDS or conversion or not (_DIGITS.fullmatch(how) if field == "index" else not how)
        ):
            asked = "".join([field, f"!{conversion}" if conversion else "", f":{how}" if how else ""])
            raise UserError(f"The name {template[:60]} has the unknown field {{{asked[:40]}}}: {_WHAT_TO_DO}.")
    if not parts or (parts[0][0] + "x").startswith("."):
        raise UserError(f"The name {template[:60]!r} is empty or begins with a dot: {_WHAT_TO_DO}.")
    return [(text, field, how) for text, field, how, _ in parts]
