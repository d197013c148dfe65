"""Naming a video with classes that are dives, and with windows of another length, as the command does it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from core.intervals import Interval
from core.recognize.light.recognizer import fit_light
from core.recognize.loading import OpenedRecognizer
from core.recognize.naming import NamedPlayers, name_moments, name_players
from core.recognize.samples import ClipSample
from core.recognize.windows import PlayerWindows, Window
from core.video import Video
from core.workspace import Workspace
from sample_data.make_session import Session
from sample_data.plaza import FPS
from tests.conftest import Command, Looked, Trickline
from tests.moments import write_clip
from tests.test_recognize_light import drawn

DIVES = ("107B", "5253B")


@pytest.fixture(scope="module")
def light(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A light recognizer whose classes are dive numbers."""
    folder = tmp_path_factory.mktemp("dives")
    samples = [
        ClipSample(write_clip(folder / f"{label}{place}.mp4", drawn(label == "5253B", place)), label, f"place{place}")
        for label in DIVES
        for place in range(2)
    ]
    with Workspace.open(folder / "home") as workspace:
        fit_light(samples, workspace).save(folder / "recognizer")
    return folder / "recognizer"


def sure_of(number: int, clip_s: float | None = None) -> OpenedRecognizer:
    """Gives one class 0.8 and the others the rest, whatever it is shown."""
    row = np.full(len(DIVES), 0.2 / (len(DIVES) - 1))
    row[number] = 0.8
    return OpenedRecognizer(
        Path("dives"), "rule", DIVES, 0.0, clip_s, lambda samples, *_: np.tile(row, (len(samples), 1))
    )


def test_dives_are_said_in_the_json_and_for_people(session: Session) -> None:
    named = name_moments(Video.open(session.video), [Interval(10, 40, ""), Interval(60, 99, "")], sure_of(1))
    said = json.loads(json.dumps(named.to_json(), allow_nan=False))
    [player] = said["players"]
    for one in (*said["events"], *player["windows"]):
        assert one["dive"]["number"] == one["label"] == "5253B"
        assert one["dive"]["marginals"]["twists"] == pytest.approx({"0": 0.2, "1.5": 0.8})
    spoken = list(named.lines())
    assert len(spoken) == 1 + 2 * 2
    assert spoken[2].strip() == said["events"][0]["dive"]["sentence"]
    assert spoken[2].strip().startswith("Back takeoff (80 %), two and a half somersaults (80 %)")


def test_dives_of_players_are_said_in_the_json_and_for_people(session: Session) -> None:
    windows = (Window(0, 15, np.array([0.9, 0.1])), Window(40, 55, np.array([0.3, 0.7])))
    named = NamedPlayers(PlayerWindows(Video.open(session.video), DIVES, {3: windows}), (), ("A note.",))
    said = named.to_json()
    assert [window["dive"]["number"] for window in said["players"][0]["windows"]] == list(DIVES)
    assert said["notes"] == ["A note."]
    assert [line.strip() for line in named.lines()][1::2] == [
        "Forward takeoff, three and a half somersaults, pike position",
        "Back takeoff, two and a half somersaults with one and a half twists, pike position",
    ]


def test_windows_are_as_long_as_was_asked_for(session: Session, looked: Looked, trickline: Trickline) -> None:
    with Workspace.open(trickline.home) as workspace:
        for clip_s, window, fitting in ((24 / FPS, 16, None), (2.4, 16, 72), (2.4, 72, None)):
            recognizer = sure_of(0, clip_s)
            named = name_players(session.video, recognizer, workspace, stride=64, window=window)
            windows = [window for of_player in named.windows.players.values() for window in of_player]
            lengths = {window.end_frame - window.start_frame + 1 for window in windows}
            assert lengths == {window}
            assert len(named.notes) == (fitting is not None)
            assert all(note.endswith(f"--window {fitting} would fit.") for note in named.notes)


def test_the_command_takes_the_length_and_says_dives(
    light: Path, session: Session, looked: Looked, trickline: Trickline, at_once: Command
) -> None:
    arguments = ("recognize", session.video, "--model", light, "--players", "--stride", 200)
    said = at_once(*arguments, "--window", 24, "--json").json
    windows = [window for player in said["players"] for window in player["windows"]]
    assert {window["end_frame"] - window["start_frame"] for window in windows} == {23}
    assert {window["dive"]["number"] for window in windows} <= set(DIVES)
    assert said["notes"] == []  # a light recognizer does not say how long its clips were
    long = at_once(*arguments, "--window", 1000)
    assert (long.code, long.out) == (0, "")
    assert "Nobody is in view for the 1000 frames of a window on end: choose a smaller --window." in long.err
    assert "--window" in at_once(*arguments, "--window", 1).sentence


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("dive", "525B"), "525B is no dive: a dive of group 5 has four digits"),
        (("dive", "somersault"), "'somersault' is no dive number"),
        (("dive", "107B\n; rm"), "is no dive number"),
    ],
)
def test_what_is_no_dive_is_one_sentence(
    trickline: Trickline, at_once: Command, arguments: tuple[str, ...], sentence: str
) -> None:
    assert sentence in at_once("recognize", *arguments).sentence


def test_a_dive_number_is_no_video(trickline: Trickline, at_once: Command) -> None:
    assert at_once("recognize", "dive", "5152B", "--json").json["sentence"] == (
        "Forward takeoff, two and a half somersaults with one twist, pike position."
    )
