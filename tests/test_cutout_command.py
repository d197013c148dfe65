"""Cutting the background out from the command line."""

from __future__ import annotations

import pytest

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
