"""Labels keep their colours and keys from session to session, and two never share a key."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.errors import UserError
from core.label_palette import COLOURS, LabelStyle, added, changed, palette, renamed, save_palette

TRICK = LabelStyle("trick", COLOURS[0], "1")
OLLIE = LabelStyle("ollie", COLOURS[1], "2")


def test_what_is_in_use_is_there(tmp_path: Path) -> None:
    assert palette(tmp_path) == (TRICK,)
    assert palette(tmp_path, ["trick", "ollie"]) == (TRICK, OLLIE)
    assert not (tmp_path / "labels.json").exists(), "looking writes nothing"


def test_kept(tmp_path: Path) -> None:
    styles = (OLLIE, LabelStyle("kick <flip>", "#123abc"))
    save_palette(tmp_path, styles)
    assert palette(tmp_path) == styles
    assert palette(tmp_path, ["trick"])[2] == LabelStyle("trick", COLOURS[0], "1")


@pytest.mark.parametrize(
    "content",
    ["", "{", "{}", '[{"name": "a"}]', '[{"name": "a", "colour": "red"}]', '[{"name": "", "colour": "#123456"}]'],
)
def test_a_damaged_file_is_no_reason_to_stop(tmp_path: Path, content: str) -> None:
    """The labels themselves are elsewhere."""
    (tmp_path / "labels.json").write_text(content)
    assert palette(tmp_path) == (TRICK,)


def test_more_labels_than_keys_and_colours() -> None:
    styles: tuple[LabelStyle, ...] = ()
    for number in range(12):
        styles = added(styles, f"label {number}")
    assert [style.key for style in styles] == [*"123456789", "", "", ""]
    assert len({style.colour for style in styles[:9]}) == 9


def test_a_key_is_taken_from_the_one_that_had_it() -> None:
    assert changed((TRICK, OLLIE), LabelStyle("ollie", "#000000", "1")) == (
        LabelStyle("trick", COLOURS[0], ""),
        LabelStyle("ollie", "#000000", "1"),
    )


def test_renamed() -> None:
    assert renamed((TRICK, OLLIE), "ollie", "  nollie ") == (TRICK, LabelStyle("nollie", COLOURS[1], "2"))


@pytest.mark.parametrize(
    ("name", "said"),
    [
        (" ", "no name for a label, because the label is empty"),
        ("a\x07", "holds a character that is no text"),
        ("a" * 61, "at most 60 characters, this one 61"),
        ("ollie", "There is a label ollie already"),
    ],
)
def test_names_that_cannot_be(name: str, said: str) -> None:
    with pytest.raises(UserError, match=said):
        added((TRICK, OLLIE), name)
    with pytest.raises(UserError, match=said):
        renamed((TRICK, OLLIE), "trick", name)
