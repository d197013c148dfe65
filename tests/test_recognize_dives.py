"""Dive numbers and the classes of Diving48: what a number says, what none says, and what a recognizer makes of it."""

from __future__ import annotations

import json
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.cli import diving
from core.errors import UserError
from core.recognize.dive_classes import (
    DIVING48,
    DiveClass,
    attribute_probabilities,
    class_of,
    dive_told,
    dives_named,
    prediction_sentence,
)
from core.recognize.dives import DiveNumber, parse_dive


@pytest.mark.parametrize(
    ("number", "sentence"),
    [
        ("107B", "Forward takeoff, three and a half somersaults, pike position"),
        ("305C", "Reverse takeoff, two and a half somersaults, tuck position"),
        ("101A", "Forward takeoff, half a somersault, straight position"),
        ("204C", "Back takeoff, two somersaults, tuck position"),
        ("402B", "Inward takeoff, one somersault, pike position"),
        ("113B", "Forward takeoff, flying, one and a half somersaults, pike position"),
        ("5253B", "Back takeoff, two and a half somersaults with one and a half twists, pike position"),
        ("5211A", "Back takeoff, half a somersault with half a twist, straight position"),
        ("5337D", "Reverse takeoff, one and a half somersaults with three and a half twists, free position"),
        ("5152B", "Forward takeoff, two and a half somersaults with one twist, pike position"),
        ("600A", "Armstand, no somersault, straight position"),
        ("624C", "Armstand back, two somersaults, tuck position"),
        ("6243D", "Armstand back, two somersaults with one and a half twists, free position"),
    ],
)
def test_a_number_of_a_list_of_dives_is_read_and_said_in_words(number: str, sentence: str) -> None:
    assert parse_dive(f" {number.lower()}\n").sentence() == sentence
    assert parse_dive(number).number() == number


def test_every_number_that_can_be_written_is_refused_or_comes_back_the_same() -> None:
    legal = set()
    for digits in [*product("0123456789", repeat=3), *product("0123456789", repeat=4)]:
        for letter in "ABCD":
            text = "".join(digits) + letter
            try:
                dive = parse_dive(text)
            except UserError:
                continue
            assert dive.number() == text
            legal.add(dive)
    plain = 4 * 9 * 3
    flying = 4 * 8 * 2  # from a whole somersault on, in pike or tuck
    twisting = 4 * 9 * 9 * 4
    armstand = 1 + 3 * 9 * 3 + 3 * 9 * 9 * 4
    assert len(legal) == plain + flying + twisting + armstand


@given(
    group=st.integers(-1, 8),
    direction=st.integers(-1, 6),
    somersaults=st.integers(-1, 11),
    twists=st.integers(-1, 11),
    position=st.sampled_from("ABCDE"),
    flying=st.booleans(),
)
def test_a_dive_is_made_only_if_its_number_can_be_read_back(
    group: int, direction: int, somersaults: int, twists: int, position: str, flying: bool
) -> None:
    try:
        dive = DiveNumber(group, direction, somersaults, position, twists, flying)  # type: ignore[arg-type]
    except ValueError:
        return
    assert parse_dive(dive.number()) == dive


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("107D", "with twists may be free"),
        ("127B", "second digit of group 1"),
        ("111A", "flying"),
        ("113A", "flying"),
        ("1032B", "group 5"),
        ("525B", "four digits"),
        ("5553B", "direction 5"),
        ("5203D", "no somersault"),
        ("5230D", "leave a 0 out"),
        ("642C", "armstand direction 4"),
        ("602A", "600A"),
        ("100A", "no somersault"),
        ("707B", "first 1 to 6"),
        ("107E", "A to D"),
        ("", "three or four digits"),
        ("١٠٧B", "three or four digits"),
        ("107B" * 5000, "three or four digits"),
    ],
)
def test_a_number_that_no_dive_has_is_refused_with_what_is_wrong(text: str, why: str) -> None:
    with pytest.raises(UserError, match=why) as refused:
        parse_dive(text)
    assert len(str(refused.value)) < 250


def test_the_48_classes_go_there_and_back() -> None:
    assert len(DIVING48) == len(set(DIVING48)) == 48
    assert [one.label for one in DIVING48] == sorted(one.label for one in DIVING48)
    for one in DIVING48:
        assert DiveClass.from_vocabulary(one.vocabulary) == one
        for dive in one.numbers():
            assert class_of(parse_dive(dive.number())) == one


@pytest.mark.parametrize(
    ("number", "words"),
    [  # numbers of the labels of version 2, as data cards and evaluations of others quote them
        (0, "Back 15som 05Twis FREE"),
        (29, "Forward Dive NoTwis PIKE"),
        (31, "Inward 15som NoTwis PIKE"),
        (47, "Reverse Dive NoTwis TUCK"),
    ],
)
def test_a_class_has_the_number_that_the_labels_give_it(number: int, words: str) -> None:
    assert DIVING48[number].label == words


@pytest.mark.parametrize(
    ("words", "numbers"),
    [
        ("Back 25som 15Twis PIKE", ["5253B", "6253B"]),
        ("Inward 35som NoTwis TUCK", ["407C"]),
        ("Forward Dive NoTwis STR", ["101A", "611A"]),
        ("Back 2som 15Twis FREE", ["5243D", "6243D"]),
        ("Forward 45som NoTwis TUCK", ["109C", "619C"]),
    ],
)
def test_a_class_is_the_dives_that_its_words_say(words: str, numbers: list[str]) -> None:
    one = DiveClass.from_vocabulary(words.split())
    assert one in DIVING48
    assert [dive.number() for dive in one.numbers()] == numbers


def test_a_dive_outside_the_48_has_no_class() -> None:
    assert class_of(parse_dive("101C")) is None
    assert class_of(parse_dive("103B")) is not None
    assert class_of(parse_dive("113B")) is None  # the classes know no flying dives


def test_marginals_are_the_sums_over_the_classes_that_have_an_attribute() -> None:
    probabilities = np.zeros(48)
    probabilities[[5, 7, 42]] = 0.6, 0.3, 0.1  # back 2.5 with 1.5 twists, back 2.5 plain, reverse 2.5 with 1.5 twists
    marginals = attribute_probabilities(probabilities)
    assert marginals.takeoff["back"] == pytest.approx(0.9)
    assert marginals.takeoff["reverse"] == pytest.approx(0.1)
    assert marginals.half_somersaults[5] == pytest.approx(1.0)
    assert marginals.half_twists[3] == pytest.approx(0.7)
    assert marginals.half_twists[0] == pytest.approx(0.3)
    assert marginals.position["pike"] == pytest.approx(1.0)
    sentence = prediction_sentence(probabilities)
    assert sentence == (
        "Back takeoff (90 %), two and a half somersaults (100 %) with one and a half twists (70 %), "
        "pike position (100 %): 5253B or 6253B, 60 %."
    )


@given(st.lists(st.floats(0.0, 1.0), min_size=48, max_size=48).filter(lambda values: sum(values) > 0.01))
def test_whatever_the_probabilities_each_attribute_sums_to_one(values: list[float]) -> None:
    marginals = attribute_probabilities(np.array(values) / sum(values))
    for sums in (marginals.takeoff, marginals.half_somersaults, marginals.half_twists, marginals.position):
        assert sum(sums.values()) == pytest.approx(1.0)


@pytest.mark.parametrize(
    "values", [np.ones(47) / 47, np.ones(48), np.full(48, np.nan), np.eye(48), np.eye(48)[0] * 3 - 1 / 24]
)
def test_only_probabilities_of_all_classes_are_taken(values: np.ndarray) -> None:
    with pytest.raises(ValueError, match="not probabilities"):
        attribute_probabilities(values)


@pytest.mark.parametrize(
    ("label", "takeoff", "numbers"),
    [
        ("107B", "forward", ["107B"]),
        ("6243D", "armstand back", ["6243D"]),
        ("600A", "armstand", ["600A"]),
        ("113b", "forward", ["113B"]),
        ("Back 25som 15Twis PIKE", "back", ["5253B", "6253B"]),
    ],
)
def test_a_class_may_be_a_dive_number(label: str, takeoff: str, numbers: list[str]) -> None:
    named = dives_named(["405C", label])
    assert named
    assert named[1].takeoff == takeoff
    assert [dive.number() for dive in named[1].numbers()] == numbers
    assert dives_named(["ollie", label]) is None


def test_words_of_a_dive_that_nobody_can_dive_are_no_dive() -> None:
    """Only a twisting dive is free: a class of such a name is named like any other."""
    assert dives_named(["Forward Dive NoTwis FREE", "107B"]) is None
    assert dive_told(np.array([0.6, 0.4]), ["Forward Dive NoTwis FREE", "107B"]) == {}
    with pytest.raises(ValueError, match="only a dive with twists may be free"):
        DiveClass.from_label("Back 15som NoTwis FREE")


def test_json_says_the_likeliest_dive_and_how_sure_each_part_is() -> None:
    told = dive_told(np.array([0.6, 0.3, 0.1]), ["107B", "5253B", "6243D"])["dive"]
    assert told == {
        "number": "107B",
        "sentence": "Forward takeoff (60 %), three and a half somersaults (60 %) with no twist (60 %), "
        "pike position (90 %): 107B, 60 %.",
        "marginals": {
            "takeoff": {"forward": 0.6, "back": 0.3, "armstand back": 0.1},
            "somersaults": {"2": 0.1, "2.5": 0.3, "3.5": 0.6},
            "twists": {"0": 0.6, "1.5": 0.4},
            "position": {"pike": 0.9, "free": 0.1},
        },
    }
    assert dive_told(np.array([0.6, 0.4]), ["ollie", "107B"]) == {}


@pytest.mark.parametrize(
    ("number", "parts"),
    [
        ("5253B", (5, "back", False, False, 2.5, 1.5, "pike")),
        ("6243d", (6, "back", True, False, 2.0, 1.5, "free")),
        ("113C", (1, "forward", False, True, 1.5, 0.0, "tuck")),
        ("600A", (6, None, True, False, 0.0, 0.0, "straight")),
    ],
)
def test_the_command_reads_a_number(capsys: pytest.CaptureFixture[str], number: str, parts: tuple[object, ...]) -> None:
    diving.dive(number, as_json=True)
    said = json.loads(capsys.readouterr().out)
    assert list(said) == [
        "number", "sentence", "group", "takeoff", "armstand", "flying", "somersaults", "twists", "position"
    ]  # fmt: skip
    assert tuple(said.values()) == (number.upper(), f"{parse_dive(number).sentence()}.", *parts)
    diving.dive(number, as_json=False)
    first, *rest = capsys.readouterr().out.splitlines()
    assert first == f"{said['number']}: {said['sentence']}"
    assert rest[-1].split() == ["position", parts[-1]]
