"""``trickline labels``: who changed what, for the terminal and for scripts."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from core.intervals import Interval
from core.workspace import Workspace
from sample_data.make_session import Session
from tests.conftest import Command, Trickline


@pytest.fixture
def labelled(trickline: Trickline) -> str:
    """The id of a session that two people have labelled."""
    with Workspace.open(trickline.home) as workspace:
        (session,) = workspace.sessions()
        workspace.save_labels(session.id, [Interval(30, 44), Interval(300, 311)], "import of park.xml", "Ann")
        workspace.save_labels(session.id, [Interval(30, 50), Interval(300, 311, "ollie")], "editor", "Bo")
        workspace.save_labels(session.id, [Interval(1, 2)], "editor", "Cleo", layer="Cleo")
        return session.id


def test_the_history_of_a_session(labelled: str, session: Session, at_once: Command) -> None:
    """By its video, its id or its name it is the same."""
    ran = at_once("labels", "history", session.video)
    assert (ran.code, ran.err) == (0, "")
    heads, lines = ran.out.splitlines()[::3], ran.out.splitlines()
    assert heads[0].startswith("2  Bo, ")
    assert heads[0].endswith(", in the app (2 labels)")
    assert heads[1].endswith(", imported from park.xml (CVAT for video 1.1) (2 labels)")
    assert [line.strip() for line in lines if line not in heads] == [
        "moved trick, end 0:01.50 → 0:01.70",
        "renamed trick to ollie at 0:10.00 – 0:10.40",
        "added trick 0:01.00 – 0:01.50",
        "added trick 0:10.00 – 0:10.40",
    ]
    assert at_once("labels", "history", labelled).out == ran.out
    assert at_once("labels", "history", session.video.stem).out == ran.out


def test_the_history_for_scripts(labelled: str, at_once: Command) -> None:
    told = at_once("labels", "history", labelled, "--json", "--last", 1).json
    assert (told["session"], told["layer"], told["n_saves"]) == (labelled, "", 2)
    (save,) = told["saves"]
    assert (save["revision"], save["author"], save["source"], save["n_labels"]) == (2, "Bo", "editor", 2)
    assert save["saved_at"].endswith("+00:00")
    assert [(one["kind"], one["before"]["end_frame"], one["after"]["label"]) for one in save["changes"]] == [
        ("moved", 44, "trick"),
        ("renamed", 311, "ollie"),
    ]
    (save,) = at_once("labels", "history", labelled, "--json", "--layer", "Cleo").json["saves"]
    assert save["author"] == "Cleo"


def test_a_history_in_part_says_so(labelled: str, at_once: Command) -> None:
    ran = at_once("labels", "history", labelled, "--last", 1)
    assert ran.out.splitlines()[0].startswith("2  Bo, ")
    assert ran.err == "trickline: 1 earlier saves are not shown; --last 2 shows all.\n"


def test_a_video_that_is_gone(labelled: str, trickline: Trickline, at_once: Command, tmp_path: Path) -> None:
    """What happened is told all the same, in frames, and why."""
    with Workspace.open(trickline.home) as workspace:
        copy = tmp_path / "copy.mp4"
        shutil.copy(workspace.session(labelled).path, copy)
        workspace.session_for(copy)
        copy.unlink()
    ran = at_once("labels", "history", labelled)
    assert ran.code == 0
    assert "    added trick frames 30–44\n" in ran.out
    assert ran.err.startswith("trickline: Frames are told instead of times, because ")
    assert len(json.loads(at_once("labels", "history", labelled, "--json").out)["saves"]) == 2


def test_what_has_no_history(labelled: str, at_once: Command, tmp_path: Path) -> None:
    ran = at_once("labels", "history", labelled, "--layer", "Nobody")
    assert (ran.code, ran.out, ran.err) == (0, "", "trickline: Nothing was saved in these labels yet.\n")
    assert "is neither a video nor a session; name one of these: " in at_once("labels", "history", "snow").sentence
    (tmp_path / "other.mp4").write_bytes(b"other")
    assert "There is no session" in at_once("labels", "history", tmp_path / "other.mp4").sentence


def test_two_sessions_of_one_name(labelled: str, trickline: Trickline, at_once: Command, tmp_path: Path) -> None:
    (tmp_path / "other.mp4").write_bytes(b"other")
    with Workspace.open(trickline.home) as workspace:
        other = workspace.session_for(tmp_path / "other.mp4", name=workspace.session(labelled).name)
    sentence = at_once("labels", "history", other.name).sentence
    assert sentence.startswith(f"2 sessions are called {other.name}; choose one by its id: ")
    assert labelled in sentence
    assert other.id in sentence
