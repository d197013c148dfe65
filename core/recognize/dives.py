"""Dive numbers of World Aquatics: what ``5253B`` says, and what a dive is called.

>>> parse_dive("5253B").sentence()
'Back takeoff, two and a half somersaults with one and a half twists, pike position'
>>> DiveNumber(group=1, direction=1, half_somersaults=7, position="B").number()
'107B'

The digits are those of the FINA Diving Rules, D 1.5: the group; in groups 1 to 4 a 1 for a flying dive, in groups 5 and
6 the direction; the half somersaults; the half twists of a twisting dive. The letter is the position in the air.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, Literal, get_args

from core.errors import UserError

Position = Literal["A", "B", "C", "D"]

DIRECTIONS: Final = {1: "forward", 2: "back", 3: "reverse", 4: "inward"}
"""How a dive leaves the board and turns, by digit."""
POSITIONS: Final[dict[Position, str]] = {"A": "straight", "B": "pike", "C": "tuck", "D": "free"}
TWISTING, ARMSTAND = 5, 6
"""Groups; groups 1 to 4 are the directions."""
_LETTERS = get_args(Position)
_NUMBER = re.compile(r"([1-6])([0-9])([0-9])([0-9]?)([A-D])", re.ASCII)
_COUNTS = ("no", "one", "two", "three", "four")


@dataclass(frozen=True)
class DiveNumber:
    """A dive that the rules know.

    Raises:
        ValueError: there is no such dive; the message says why.
    """

    group: int
    """1 forward, 2 back, 3 reverse, 4 inward, 5 twisting, 6 armstand."""
    direction: int
    """1 to 4 as in :data:`DIRECTIONS`: in groups 1 to 4 the group itself; 0 for the armstand dive that does not
    turn."""
    half_somersaults: int
    position: Position
    half_twists: int = 0
    flying: bool = False
    """Whether the body stays straight for the first half somersault."""

    def __post_init__(self) -> None:
        fault = self._fault()
        if fault:
            raise ValueError(fault)

    def _fault(self) -> str:
        """Why there is no such dive; empty if there is."""
        if self.group not in range(1, 7):
            return f"there is no group {self.group}, only 1 to 6"
        if self.position not in _LETTERS:
            return f"there is no position {self.position!r}, only A straight, B pike, C tuck and D free"
        if not (0 <= self.half_somersaults <= 9 and 0 <= self.half_twists <= 9):
            return "half somersaults and half twists are one digit each, 0 to 9"
        if self.position == "D" and not self.half_twists:
            return "only a dive with twists may be free (D)"
        if self.flying and self.group > len(DIRECTIONS):
            return "only dives of the groups 1 to 4 are flying ones"
        if self.group in DIRECTIONS:
            return self._plain_fault()
        return self._armstand_fault() if self.group == ARMSTAND else self._twisting_fault()

    def _plain_fault(self) -> str:
        if self.direction != self.group:
            return f"a dive of group {self.group} goes {DIRECTIONS[self.group]}"
        if self.half_twists:
            return "a dive with twists belongs to group 5, or from an armstand to 6"
        if not self.half_somersaults:
            return "its third digit says no somersault, and the least is half a one"
        if self.flying and self.half_somersaults < 2:
            return "a flying dive has a whole somersault at least"
        if self.flying and self.position == "A":
            return "a flying dive goes on in pike (B) or tuck (C)"
        return ""

    def _twisting_fault(self) -> str:
        if self.direction not in DIRECTIONS:
            return f"there is no direction {self.direction}, only 1 forward, 2 back, 3 reverse and 4 inward"
        if not self.half_somersaults:
            return "its third digit says no somersault, and the least is half a one"
        return "" if self.half_twists else "a dive of group 5 has four digits, the last being its half twists, 1 to 9"

    def _armstand_fault(self) -> str:
        if self.direction == 0:
            still = not self.half_somersaults and not self.half_twists and self.position == "A"
            return "" if still else "the only armstand dive without a direction is 600A"
        if self.direction not in (1, 2, 3):
            return f"there is no armstand direction {self.direction}, only 1 forward, 2 back and 3 reverse"
        return "" if self.half_somersaults else "its third digit says no somersault, and the least is half a one"

    def number(self) -> str:
        """As on a list of dives: ``107B``, ``5253B``, ``6243D``."""
        second = int(self.flying) if self.group in DIRECTIONS else self.direction
        return f"{self.group}{second}{self.half_somersaults}{self.half_twists or ''}{self.position}"

    def sentence(self) -> str:
        """In words: ``Back takeoff, two and a half somersaults with one and a half twists, free position``."""
        turns = somersaults_in_words(self.half_somersaults)
        if self.half_twists:
            turns += f" with {twists_in_words(self.half_twists)}"
        start = f"{DIRECTIONS[self.direction]} takeoff" if self.group != ARMSTAND else "armstand"
        if self.group == ARMSTAND and self.direction:
            start += f" {DIRECTIONS[self.direction]}"
        parts = [
            start.capitalize(),
            *(["flying"] if self.flying else []),
            turns,
            f"{POSITIONS[self.position]} position",
        ]
        return ", ".join(parts)


def parse_dive(text: str) -> DiveNumber:
    """Read a dive number; capitals and blanks at its ends do not matter.

    Raises:
        UserError: it is none, with what is wrong.
    """
    read = _NUMBER.fullmatch(text.strip().upper())
    if read is None:
        raise UserError(
            f"{text.strip()[:20]!r} is no dive number: write three or four digits, the first 1 to 6, and a letter from "
            "A to D, such as 107B or 5253B."
        )
    group, second, somersaults = (int(digit) for digit in read.group(1, 2, 3))
    position = next(letter for letter in _LETTERS if letter == read[5])
    try:
        if read[4] == "0":
            raise ValueError("a fourth digit counts half twists, 1 to 9: leave a 0 out")
        if group not in DIRECTIONS:
            return DiveNumber(group, second, somersaults, position, int(read[4] or 0))
        if second > 1:
            raise ValueError(f"the second digit of group {group} is 0, or 1 for a flying dive")
        return DiveNumber(group, group, somersaults, position, int(read[4] or 0), flying=bool(second))
    except ValueError as error:
        raise UserError(f"{read[0]} is no dive: {error}.") from error


def somersaults_in_words(halves: int) -> str:
    """``three and a half somersaults`` for 7 halves."""
    return _in_words(halves, "somersault")


def twists_in_words(halves: int) -> str:
    """``half a twist`` for 1."""
    return _in_words(halves, "twist")


def _in_words(halves: int, what: str) -> str:
    whole, half = divmod(halves, 2)
    if halves == 1:
        return f"half a {what}"
    count = _COUNTS[whole] + (" and a half" if half else "")
    return f"{count} {what}" + ("s" if halves > 2 else "")
