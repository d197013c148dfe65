"""What is taken for footage: every recording once, and nothing that is found in a folder ends the search."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from core import gathering
from core.content import content_id, middle_digest
from core.errors import UserError
from core.footage_folder import entries_below
from core.gathering import Footage, as_recordings, gather


@pytest.fixture
def card(tmp_path: Path) -> Path:
    """Four files that are called like videos, one of them in a folder below; no two have one content."""
    folder = tmp_path / "card"
    (folder / "second day").mkdir(parents=True)
    for number, name in enumerate(("clip 2.mp4", "clip 10.MOV", "clip 11.mp4", "second day/clip 1.mp4")):
        (folder / name).write_bytes(b"%d" % number * 1000)
    return folder


def names(found: list[Footage]) -> list[str]:
    return [one.name for one in found]


def test_a_folder_is_searched_to_the_bottom_in_the_order_of_people(card: Path) -> None:
    found, notes = gather([card])
    assert names(found) == ["clip 2.mp4", "clip 10.MOV", "clip 11.mp4", "clip 1.mp4"]
    assert notes == []


def test_a_copy_under_another_name_is_taken_once_and_said(card: Path) -> None:
    (card / "a copy.mp4").write_bytes((card / "clip 2.mp4").read_bytes())
    found, (note,) = gather([card])
    assert names(found) == ["a copy.mp4", "clip 10.MOV", "clip 11.mp4", "clip 1.mp4"]
    assert "a copy.mp4" in note
    assert "clip 2.mp4" in note


@pytest.mark.parametrize("size", [100, 65_000, 6 << 20, 20 << 20])
def test_files_of_one_size_are_read_whole_only_if_their_middles_agree(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    """Of a thousand equal recordings 64 KiB each; what differs elsewhere is still told apart."""
    middle = (size // 2, b"2" * min(size // 8, 1 << 20))
    for name, (at, written) in {
        "1.mp4": (0, b""), "2.mp4": middle, "3.mp4": (0, b"x"), "4.mp4": (size - 1, b"x"), "5.mp4": middle,
    }.items():  # fmt: skip
        with (tmp_path / name).open("wb") as file:
            file.truncate(size)
            file.seek(at)
            file.write(written)
    whole: list[str] = []

    def read_whole(path: Path) -> str:
        whole.append(path.name)
        return content_id(path)

    monkeypatch.setattr(gathering, "content_id", read_whole)
    found, (note,) = gather([tmp_path])
    assert names(found) == ["1.mp4", "2.mp4", "3.mp4", "4.mp4"]
    assert note == f"{tmp_path / '5.mp4'} has the content of {tmp_path / '2.mp4'}: it is taken once."
    (tmp_path / "5.mp4").unlink()
    whole.clear()
    gather([tmp_path])
    assert "2.mp4" not in whole


def test_a_file_and_a_link_to_it_are_one_recording(card: Path) -> None:
    (card / "best.mp4").symlink_to("clip 2.mp4")
    found, notes = gather([card])
    assert names(found) == ["best.mp4", "clip 10.MOV", "clip 11.mp4", "clip 1.mp4"]
    assert notes == []
    assert names(gather([card / "clip 2.mp4", card])[0])[0] == "clip 2.mp4"


def test_what_is_hidden_or_leads_out_is_no_footage(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    for name in (".trash/a.mp4", "._resource fork.mp4", "$RECYCLE.BIN/b.mp4", "notes.txt", "deep/.hidden/c.mp4"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name)
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "d.mp4").touch()
    os.symlink(tmp_path / "outside" / "d.mp4", folder / "linked.mp4")
    os.symlink(tmp_path / "outside", folder / "linked")
    os.symlink("round.mp4", folder / "round.mp4")
    (folder / "folder.mp4").mkdir()
    with pytest.raises(UserError, match="no video in"):
        gather([folder])


def test_what_was_made_of_footage_is_no_footage(card: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("clips/clip 2_01_ollie.mp4", "workspace/joined/GX01.mp4", "second day/clips/mine.mp4"):
        (card / name).parent.mkdir(parents=True)
        (card / name).write_text(name)
    first = ["clip 2.mp4", "clip 10.MOV", "clip 11.mp4", "clip 1.mp4", "mine.mp4"]
    own = [card / "clips", card / "workspace"]
    assert names(gather([card], without=own)[0]) == first
    # However the folder is called, and wherever it is looked from.
    monkeypatch.chdir(card)
    os.symlink(card, card.parent / "another name")
    assert names(gather(["."], without=own)[0]) == first
    assert names(gather([card.parent / "another name"], without=[Path("clips"), Path("workspace")])[0]) == first
    # Who names such a folder means it.
    assert names(gather([card / "clips"], without=own)[0]) == ["clip 2_01_ollie.mp4"]


def test_a_path_that_leads_nowhere_is_said(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="There is no file"):
        gather([tmp_path / "gone"])


@pytest.mark.parametrize("when", ["listed", "read"])
def test_a_file_that_goes_away_meanwhile_stops_nothing(card: Path, monkeypatch: pytest.MonkeyPatch, when: str) -> None:
    """Its own turn says what became of it."""

    def listed(*arguments: object) -> Iterator[os.DirEntry[str]]:
        yield from list(entries_below(*arguments))  # type: ignore[arg-type]
        (card / "clip 10.MOV").unlink()

    def read(path: Path) -> str:
        (card / "clip 10.MOV").unlink(missing_ok=True)
        return middle_digest(path)

    if when == "listed":
        monkeypatch.setattr(gathering, "entries_below", listed)
    else:
        monkeypatch.setattr(gathering, "middle_digest", read)
    found, notes = gather([card])
    assert names(found) == ["clip 2.mp4", "clip 10.MOV", "clip 11.mp4", "clip 1.mp4"]
    assert notes == []
    assert names(as_recordings([card / "clip 10.MOV", card / "clip 2.mp4"])[0]) == ["clip 10.MOV", "clip 2.mp4"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_what_may_not_be_read_stops_nothing(card: Path) -> None:
    """A file, and a folder that may be listed but not entered, become footage; a folder that may not be is told."""
    for name in ("no entry", "no list"):
        (card / name).mkdir()
        (card / name / f"{name}.mp4").write_bytes(b"4" * 1000)
    (card / "clip 2.mp4").chmod(0)
    (card / "no entry").chmod(0o400)
    (card / "no list").chmod(0o100)
    try:
        found, (note,) = gather([card])
        assert names(found) == ["clip 2.mp4", "clip 10.MOV", "clip 11.mp4", "no entry.mp4", "clip 1.mp4"]
        assert "no list cannot be listed (Permission denied)" in note
        with pytest.raises(UserError, match="no list cannot be listed"):
            gather([card / "no list"])
    finally:
        (card / "no entry").chmod(0o700)
        (card / "no list").chmod(0o700)
