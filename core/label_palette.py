"""Which labels there are to choose from, each with its colour and its number key.

They are one JSON file of the workspace, ``labels.json``: the same label has the same colour and key in every session.
A label that a session has and the file has not gets the next free colour and key.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, Field, TypeAdapter, ValidationError

from core.atomic import atomic_path
from core.errors import UserError
from core.labels.label_set import clean_label

COLOURS = ("#2DD4BF", "#60A5FA", "#F472B6", "#A3E635", "#A78BFA", "#D4A373", "#22D3EE", "#94A3B8", "#E879F9")
"""Told apart on dark and on light ground; amber and red mean what was found and what is wrong."""
KEYS = tuple("123456789")
MAX_LENGTH = 60


@dataclass(frozen=True)
class LabelStyle:
    """One label to choose."""

    name: str
    colour: str
    """As ``#RRGGBB``."""
    key: str = ""
    """``"1"`` to ``"9"``, or empty for none."""


class _Stored(BaseModel):
    name: Annotated[str, Field(min_length=1, max_length=1000)]
    colour: Annotated[str, Field(pattern=r"^#[0-9A-Fa-f]{6}$")]
    key: Annotated[str, Field(pattern=r"^[1-9]?$")] = ""


_FILE = TypeAdapter(list[_Stored])
_DEFAULT = (LabelStyle("trick", COLOURS[0], KEYS[0]),)


def palette(home: Path, present: Iterable[str] = ()) -> tuple[LabelStyle, ...]:
    """The labels of a workspace.

    Args:
        home: the workspace's folder.
        present: labels that are in use and must be among them.
    """
    try:
        stored = _FILE.validate_json((home / "labels.json").read_bytes())
        styles = tuple(LabelStyle(**one.model_dump()) for one in stored)
    except (OSError, ValidationError):
        # Colours are no labels: nothing is lost by beginning anew.
        styles = _DEFAULT
    # What is in use has to be shown, even if nobody would be let choose such a name.
    for name in sorted(set(present) - {style.name for style in styles}):
        styles = (*styles, _next(styles, name))
    return styles


def save_palette(home: Path, styles: Sequence[LabelStyle]) -> None:
    """Keep the labels.

    Raises:
        UserError: if the file cannot be written.
    """
    with atomic_path(home / "labels.json") as temporary:
        temporary.write_bytes(_FILE.dump_json([_Stored(**asdict(style)) for style in styles], indent=2))


def added(styles: Sequence[LabelStyle], name: str) -> tuple[LabelStyle, ...]:
    """With another label, in the first colour and on the first key that are free.

    Raises:
        UserError: if there is such a label, or the name is none.
    """
    return (*styles, _next(styles, checked_name(styles, name)))


def changed(styles: Sequence[LabelStyle], style: LabelStyle) -> tuple[LabelStyle, ...]:
    """With another colour or key for the label of this name; the label that had the key loses it."""
    others = [replace(one, key="") if style.key and one.key == style.key else one for one in styles]
    return tuple(style if one.name == style.name else one for one in others)


def renamed(styles: Sequence[LabelStyle], old: str, new: str) -> tuple[LabelStyle, ...]:
    """With another name for a label, which keeps its colour and key.

    Raises:
        UserError: if there is such a label, or the name is none.
    """
    name = checked_name(styles, new)
    return tuple(replace(one, name=name) if one.name == old else one for one in styles)


def checked_name(styles: Sequence[LabelStyle], name: str) -> str:
    """A new label's name on one line.

    Raises:
        UserError: if there is such a label, or the name is none.
    """
    try:
        name = clean_label(name)
    except ValueError as error:
        raise UserError(f"This is no name for a label, because {error}: give it a short word or two.") from None
    if len(name) > MAX_LENGTH:
        raise UserError(f"A label has at most {MAX_LENGTH} characters, this one {len(name)}: shorten it.")
    if name in {style.name for style in styles}:
        raise UserError(f"There is a label {name} already: choose another name.")
    return name


def _next(styles: Sequence[LabelStyle], name: str) -> LabelStyle:
    colours, keys = ({getattr(style, part) for style in styles} for part in ("colour", "key"))
    colour = next((one for one in COLOURS if one not in colours), COLOURS[len(styles) % len(COLOURS)])
    return LabelStyle(name, colour, next((one for one in KEYS if one not in keys), ""))
