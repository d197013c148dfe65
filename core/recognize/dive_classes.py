"""The 48 classes of Diving48 as dives: takeoff, somersaults, twists and position, and what a recognizer says of each.

A class may be a dive number, too: whoever sorts clips of his own into ``107B`` and ``5253B`` is told the same.

>>> DIVING48[5].vocabulary, [dive.number() for dive in DIVING48[5].numbers()]
(('Back', '25som', '15Twis', 'PIKE'), ['5253B', '6253B'])

The order is that of ``Diving48_vocab.json`` as published with version 2 of the labels
(http://www.svcl.ucsd.edu/projects/resound/dataset.html), which counts alphabetically: 0 is the back one and a half with
half a twist, 47 the reverse dive in tuck.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from core.errors import UserError
from core.recognize.dives import (
    ARMSTAND,
    DIRECTIONS,
    POSITIONS,
    TWISTING,
    DiveNumber,
    Position,
    parse_dive,
    somersaults_in_words,
    twists_in_words,
)

_TAKEOFFS: Final = {name.capitalize(): direction for direction, name in DIRECTIONS.items()}
_FLIGHTS: Final[dict[str, Position]] = {"STR": "A", "PIKE": "B", "TUCK": "C", "FREE": "D"}
_SOMERSAULTS: Final = {"Dive": 1, **{f"{half / 2:g}som".replace(".", ""): half for half in range(2, 10)}}
_TWISTS: Final = {"NoTwis": 0, **{f"{half / 2:g}Twis".replace(".", ""): half for half in range(1, 10)}}


@dataclass(frozen=True)
class DiveClass:
    """What one class says of a dive."""

    direction: int
    """1 forward, 2 back, 3 reverse, 4 inward; 0 for the armstand dive that does not turn."""
    half_somersaults: int
    half_twists: int
    position: Position
    itself: DiveNumber | None = None
    """The dive where the class is a dive number; Diving48 leaves open whether it begins in an armstand."""

    @classmethod
    def from_vocabulary(cls, words: Sequence[str]) -> DiveClass:
        """From the four words of an entry, such as ``["Back", "15som", "05Twis", "FREE"]``.

        Raises:
            ValueError: they are no such words, or those of no dive, as free without a twist.
        """
        if len(words) != 4 or not all(isinstance(word, str) for word in words):
            raise ValueError("not four words")
        tables: tuple[dict[str, int] | dict[str, Position], ...] = (_TAKEOFFS, _SOMERSAULTS, _TWISTS, _FLIGHTS)
        unknown = [word for word, table in zip(words, tables, strict=True) if word not in table]
        if unknown:
            raise ValueError(f"the unknown word {unknown[0][:20]!r}")
        takeoff, somersaults, twists, flight = words
        dive = cls(_TAKEOFFS[takeoff], _SOMERSAULTS[somersaults], _TWISTS[twists], _FLIGHTS[flight])
        dive.numbers()  # which there are of dives alone
        return dive

    @classmethod
    def from_label(cls, label: str) -> DiveClass:
        """From a :attr:`label`, or from a dive number.

        Raises:
            ValueError: it is neither.
        """
        try:
            dive = parse_dive(label)
        except UserError:
            return cls.from_vocabulary(label.split())
        return cls(dive.direction, dive.half_somersaults, dive.half_twists, dive.position, dive)

    @property
    def vocabulary(self) -> tuple[str, str, str, str]:
        """The four words of its entry in Diving48."""
        return (
            _word(_TAKEOFFS, self.direction),
            _word(_SOMERSAULTS, self.half_somersaults),
            _word(_TWISTS, self.half_twists),
            _word(_FLIGHTS, self.position),
        )

    @property
    def label(self) -> str:
        """Its name as a label: ``Back 15som 05Twis FREE``."""
        return " ".join(self.vocabulary)

    @property
    def takeoff(self) -> str:
        """``back``, or ``armstand back`` where that is said."""
        if self.itself and self.itself.group == ARMSTAND:
            return " ".join(["armstand", *([DIRECTIONS[self.direction]] if self.direction else [])])
        return DIRECTIONS[self.direction]

    def numbers(self) -> tuple[DiveNumber, ...]:
        """The dives that it stands for, the one from the feet first.

        The vocabulary has no word for an armstand, and entries such as two back somersaults with one and a half twists
        are dived from there (6243D); so an armstand dive is named beside it. None goes inward.
        """
        if self.itself:
            return (self.itself,)
        group = TWISTING if self.half_twists else self.direction
        groups = (group,) if _word(_TAKEOFFS, self.direction) == "Inward" else (group, ARMSTAND)
        return tuple(
            DiveNumber(group, self.direction, self.half_somersaults, self.position, self.half_twists)
            for group in groups
        )


def _word(table: dict[str, int] | dict[str, Position], value: int | str) -> str:
    return next(word for word, of_word in table.items() if of_word == value)


DIVING48: Final = tuple(
    DiveClass.from_vocabulary(entry.split())
    for entry in (
        "Back 15som 05Twis FREE", "Back 15som 15Twis FREE", "Back 15som 25Twis FREE", "Back 15som NoTwis PIKE",
        "Back 15som NoTwis TUCK", "Back 25som 15Twis PIKE", "Back 25som 25Twis PIKE", "Back 25som NoTwis PIKE",
        "Back 25som NoTwis TUCK", "Back 2som 15Twis FREE", "Back 2som 25Twis FREE", "Back 35som NoTwis PIKE",
        "Back 35som NoTwis TUCK", "Back 3som NoTwis PIKE", "Back 3som NoTwis TUCK", "Back Dive NoTwis PIKE",
        "Back Dive NoTwis TUCK", "Forward 15som 1Twis FREE", "Forward 15som 2Twis FREE", "Forward 15som NoTwis PIKE",
        "Forward 1som NoTwis PIKE", "Forward 25som 1Twis PIKE", "Forward 25som 2Twis PIKE", "Forward 25som 3Twis PIKE",
        "Forward 25som NoTwis PIKE", "Forward 25som NoTwis TUCK", "Forward 35som NoTwis PIKE",
        "Forward 35som NoTwis TUCK", "Forward 45som NoTwis TUCK", "Forward Dive NoTwis PIKE", "Forward Dive NoTwis STR",
        "Inward 15som NoTwis PIKE", "Inward 15som NoTwis TUCK", "Inward 25som NoTwis PIKE", "Inward 25som NoTwis TUCK",
        "Inward 35som NoTwis TUCK", "Inward Dive NoTwis PIKE", "Reverse 15som 05Twis FREE", "Reverse 15som 15Twis FREE",
        "Reverse 15som 25Twis FREE", "Reverse 15som 35Twis FREE", "Reverse 15som NoTwis PIKE",
        "Reverse 25som 15Twis PIKE", "Reverse 25som NoTwis PIKE", "Reverse 25som NoTwis TUCK",
        "Reverse 35som NoTwis TUCK", "Reverse Dive NoTwis PIKE", "Reverse Dive NoTwis TUCK",
    )
)  # fmt: skip
"""By the number that the labels of version 2 give."""


def class_of(dive: DiveNumber) -> DiveClass | None:
    """The class of Diving48 that a dive belongs to; None where it has none. A flying dive is none of them."""
    if dive.flying:
        return None
    wanted = (dive.direction, dive.half_somersaults, dive.half_twists, dive.position)
    return next(
        (one for one in DIVING48 if (one.direction, one.half_somersaults, one.half_twists, one.position) == wanted),
        None,
    )


def dives_named(labels: Sequence[str]) -> tuple[DiveClass, ...] | None:
    """The classes of a recognizer as dives (:meth:`DiveClass.from_label`); None if one of them is no dive."""
    return _dives_named(tuple(labels))


@lru_cache(maxsize=8)
def _dives_named(labels: tuple[str, ...]) -> tuple[DiveClass, ...] | None:
    """Asked for each window of each player, always for the same classes."""
    try:
        return tuple(map(DiveClass.from_label, labels))
    except ValueError:
        return None


@dataclass(frozen=True)
class DiveMarginals:
    """How probable each attribute of a dive is, 0 to 1: each sums to 1."""

    takeoff: dict[str, float]
    """``forward``, ``back``, ``reverse``, ``inward``; with ``armstand`` before it where that is said."""
    half_somersaults: dict[int, float]
    half_twists: dict[int, float]
    position: dict[str, float]
    """``straight``, ``pike``, ``tuck``, ``free``."""


def attribute_probabilities(
    probabilities: NDArray[np.floating], classes: Sequence[DiveClass] = DIVING48
) -> DiveMarginals:
    """What the probabilities of the classes say of each attribute: the sum over the classes that have it.

    Args:
        probabilities: shape ``(classes,)``, summing to 1.

    Raises:
        ValueError: they are none of these classes.
    """
    values = np.asarray(probabilities, np.float64)
    if values.shape != (len(classes),) or not (np.all(values >= 0) and abs(values.sum() - 1) < 1e-3):
        raise ValueError(f"not probabilities of {len(classes)} classes: shape {values.shape}, sum {values.sum():.3f}")
    takeoff: defaultdict[str, float] = defaultdict(float)
    somersaults: defaultdict[int, float] = defaultdict(float)
    twists: defaultdict[int, float] = defaultdict(float)
    position: defaultdict[str, float] = defaultdict(float)
    for one, value in zip(classes, (values / values.sum()).tolist(), strict=True):
        takeoff[one.takeoff] += value
        somersaults[one.half_somersaults] += value
        twists[one.half_twists] += value
        position[POSITIONS[one.position]] += value
    return DiveMarginals(dict(takeoff), dict(somersaults), dict(twists), dict(position))


def prediction_sentence(probabilities: NDArray[np.floating], classes: Sequence[DiveClass] = DIVING48) -> str:
    """The most probable dive in words, with how sure each part and the whole is.

    ``Back takeoff (94 %), two and a half somersaults (88 %) with one and a half twists (90 %), pike position (91 %):
    5253B or 6253B, 85 %.``

    Raises:
        ValueError: as :func:`attribute_probabilities`.
    """
    marginals = attribute_probabilities(probabilities, classes)
    best = int(np.argmax(probabilities))
    dive = classes[best]
    takeoff, position = dive.takeoff, POSITIONS[dive.position]
    twists = marginals.half_twists[dive.half_twists]
    turning = twists_in_words(dive.half_twists) if dive.half_twists else "no twist"
    names = " or ".join(number.number() for number in dive.numbers())
    whole = float(probabilities[best]) / float(np.sum(probabilities))
    return (
        f"{takeoff.capitalize()} takeoff ({marginals.takeoff[takeoff]:.0%}), "
        f"{somersaults_in_words(dive.half_somersaults)} ({marginals.half_somersaults[dive.half_somersaults]:.0%}) with "
        f"{turning} ({twists:.0%}), {position} position ({marginals.position[position]:.0%}): {names}, {whole:.0%}."
    ).replace("%", " %")


def dive_told(probabilities: NDArray[np.floating], labels: Sequence[str]) -> dict[str, dict[str, Any]]:
    """What JSON says beside the name where the classes are dives, and nothing where they are not.

    ``{"dive": {"number", "sentence", "marginals": {"takeoff", "somersaults", "twists", "position"}}}``, where the
    marginals are probabilities by name, or by count such as ``"2.5"``.

    Args:
        probabilities: of the classes, summing to 1.
        labels: the classes.
    """
    dives = dives_named(labels)
    if not dives:
        return {}
    told = attribute_probabilities(probabilities, dives)
    dive = {
        "number": dives[int(np.argmax(probabilities))].numbers()[0].number(),
        "sentence": prediction_sentence(probabilities, dives),
        "marginals": {
            "takeoff": _rounded(told.takeoff),
            "somersaults": _rounded({f"{half / 2:g}": value for half, value in sorted(told.half_somersaults.items())}),
            "twists": _rounded({f"{half / 2:g}": value for half, value in sorted(told.half_twists.items())}),
            "position": _rounded(told.position),
        },
    }
    return {"dive": dive}


def _rounded(shares: Mapping[str, float]) -> dict[str, float]:
    return {name: min(1.0, round(value, 6)) for name, value in shares.items()}
