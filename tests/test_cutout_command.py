"""Cutting the background out from the command line."""

from __future__ import annotations

import pytest

from core.recognize import outlines
from sample_data.make_session import Session
from tests.conftest import Command, Trickline


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (("--click", "10,0.5,0.5"), "There are no weights of SAM 2"),
        (("--click", "10,0.5,0.5", "--weights", "nowhere.pt"), "nowhere.pt"),
        (("--click", "here"), "'here' is no click: give a frame and a point"),
        (("--click", "x,0.5,0.5"), "is no click"),
        ((), "--click"),
    ],
)
def test_what_is_missing_is_said_in_a_sentence(
    session: Session, trickline: Trickline, at_once: Command, options: tuple[str, ...], sentence: str
) -> None:
    assert sentence in at_once("cutout", session.video, "--out", "alone.mp4", *options).sentence
    assert not (trickline.folder / "alone.mp4").exists()


def test_a_name_that_no_such_clip_can_have_is_said_before_the_outlining(
    session: Session, trickline: Trickline, at_once: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The weights hold nothing: the outlining would say so."""
    monkeypatch.setattr(outlines, "find_spec", lambda name: True)
    (trickline.folder / "sam2_t.pt").touch()
    options = ("--click", "10,0.5,0.5", "--end", "12", "--weights", "sam2_t.pt", "--background", "blur")
    assert "alone.webm" in at_once("cutout", session.video, "--out", "alone.webm", *options).sentence
    (trickline.folder / "file").touch()
    said = at_once("cutout", session.video, "--out", "file/alone.mp4", *options).sentence
    assert "a file stands where a folder is needed" in said
