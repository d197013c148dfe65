"""Files from a browser: read under their own name without ever being a path, and written without leaving a trace."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest

from core.errors import UserError
from core.intervals import Interval
from core.labels.in_memory import file_bytes, plain_name, read_upload
from core.labels.label_set import LabelSet


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("park day (2).xml", "park day (2).xml"),
        ("../../etc/passwd", "passwd"),
        (r"C:\Users\ann\park.csv", "park.csv"),
        ("..", "labels"),
        ("", "labels"),
        (".hidden", "hidden"),
        ("a\x00b\nc:d*e.csv", "a_b_c_d_e.csv"),
        ("Tönnchen.json", "Tönnchen.json"),
        ("x" * 300 + ".xml", "x" * 56 + ".xml"),
    ],
)
def test_names(name: str, expected: str) -> None:
    assert plain_name(name) == expected


@pytest.mark.parametrize("suffix", [".xml", ".ls.json", ".csv", ".json"])
def test_there_and_back(suffix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    content = file_bytes(LabelSet((Interval(3, 9, "kickflip"),)), suffix)
    assert read_upload(f"x/y{suffix}", content).intervals == (Interval(3, 9, "kickflip"),)
    assert list(tmp_path.iterdir()) == []


def test_what_is_wrong_is_said_with_the_name_that_the_user_knows(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"^park day\.csv, line 1: the header is"):
        read_upload("/tmp/park day.csv", b"a,b\n1,2\n")
