"""Watching a folder: new footage is cut with nobody present, once it is there whole."""

from __future__ import annotations

import json
import shutil
import signal
import time
from pathlib import Path

from sample_data.make_session import Session
from tests.conftest import Trickline
from tests.shots import shots


def test_what_lies_there_is_done_and_nothing_else_is_waited_for(
    trickline: Trickline, session: Session, tmp_path: Path
) -> None:
    (tmp_path / "in").mkdir()
    first, second = shots(session, tmp_path / "drawn", 2)
    shutil.copy(first, tmp_path / "in" / "first.mp4")
    (tmp_path / "in" / "second.mp4.part").write_bytes(second.read_bytes())
    watch = ("watch", tmp_path / "in", "--out", tmp_path / "clips", "--settle", "0.5", "--once", "--json")
    ran = trickline(*watch)
    assert ran.code == 0, ran.err
    (told,) = map(json.loads, ran.out.splitlines())
    assert (Path(told["video"]).name, told["state"]) == ("first.mp4", "done")
    # The computer was started anew: what is done is known.
    assert [json.loads(line)["state"] for line in trickline(*watch).out.splitlines()] == ["known"]


def test_a_file_that_is_still_being_copied_is_left_until_it_is_whole(
    trickline: Trickline, session: Session, tmp_path: Path
) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    (video,) = shots(session, tmp_path / "drawn", 1)
    content = video.read_bytes()
    watching = trickline.start("watch", folder, "--out", tmp_path / "clips", "--settle", "1.5", "--json")
    assert watching.stdout
    assert watching.stderr
    with (folder / "late.mp4").open("wb") as copy:
        for begin in range(0, len(content), len(content) // 6 + 1):
            copy.write(content[begin : begin + len(content) // 6 + 1])
            copy.flush()
            time.sleep(0.4)
            assert watching.poll() is None
    told = json.loads(watching.stdout.readline())
    assert (told["state"], told["frames"]) == ("done", 120)
    watching.send_signal(signal.SIGINT)
    assert watching.wait(30) == 130
    assert "Traceback" not in watching.stderr.read()


def test_clips_do_not_come_back_as_footage(trickline: Trickline, tmp_path: Path) -> None:
    refused = trickline("watch", tmp_path, "--out", tmp_path / "clips", "--once")
    assert "new footage" in refused.sentence


def test_a_folder_that_is_not_there_is_said(trickline: Trickline, tmp_path: Path) -> None:
    assert "gone" in trickline("watch", tmp_path / "gone", "--out", tmp_path / "clips", "--once").sentence


def test_a_workspace_does_not_come_back_as_footage(trickline: Trickline) -> None:
    trickline.home.mkdir(parents=True, exist_ok=True)
    assert "another TRICKLINE_HOME" in trickline("watch", trickline.home, "--out", "clips", "--once").sentence


def test_once_says_by_its_exit_that_something_is_broken(trickline: Trickline, session: Session, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (video,) = shots(session, tmp_path / "drawn", 1)
    (tmp_path / "in" / "cut.mp4").write_bytes(video.read_bytes()[:-1000])
    shutil.copy(video, tmp_path / "in" / "good.mp4")
    ran = trickline("watch", tmp_path / "in", "--out", tmp_path / "clips", "--settle", "0.2", "--once", "--json")
    assert ran.code == 2
    (told,) = map(json.loads, ran.out.splitlines())
    assert (Path(told["video"]).name, told["state"]) == ("good.mp4", "done")
    assert "cut.mp4 is not whole" in ran.err


def test_a_folder_that_goes_away_is_waited_for_and_chapters_stay_together(
    trickline: Trickline, session: Session, tmp_path: Path
) -> None:
    """A share of the network blinks while a card is copied to it."""
    folder, away = tmp_path / "in", tmp_path / "away"
    folder.mkdir()
    first, second = shots(session, tmp_path / "drawn", 2)
    shutil.copy(first, folder / "GX010042.MP4")
    (folder / "GX020042.MP4").write_bytes(second.read_bytes()[:-1000])
    watching = trickline.start("watch", folder, "--out", tmp_path / "clips", "--settle", "1")
    assert watching.stdout
    assert watching.stderr
    assert "Watching" in watching.stderr.readline()
    time.sleep(2)
    folder.rename(away)
    assert "cannot be watched" in watching.stderr.readline()
    time.sleep(0.5)
    shutil.copy(second, away / "GX020042.MP4")
    away.rename(folder)
    assert "is there again" in watching.stderr.readline()
    told = watching.stdout.readline()
    assert told.startswith("GX010042.MP4 and 1 more: ")
    assert " in 8.0 s" in told
    watching.send_signal(signal.SIGINT)
    assert watching.wait(30) == 130
