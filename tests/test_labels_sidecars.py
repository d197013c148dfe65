"""Labels beside a video are found by its name, and what only looks like them is left alone."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from core.intervals import Event, Interval
from core.labels import LabelSet, write_labels
from core.labels.sidecars import SUFFIXES, sidecar

LABELS = LabelSet((Interval(3, 9, "kickflip"), Interval(20, 31, "ollie")), n_frames=90, width=64, height=48)
PTS_S = np.arange(90) / 30


@pytest.fixture
def video(tmp_path: Path) -> Path:
    path = tmp_path / "day 1" / "park.mp4"
    path.parent.mkdir()
    path.write_bytes(b"the video itself is not opened")
    return path


def put(path: Path) -> Path:
    """A label file of the kind that the name says."""
    write_labels(path, LABELS)
    return path


@pytest.mark.parametrize("name", ["park.xml", "park.csv", "park.json", "park.ls.json", "park.XML", "park.mp4.xml"])
def test_found_beside_the_video(video: Path, name: str) -> None:
    lower = put(video.with_name(name.lower()))
    beside = lower.rename(video.with_name(name))
    assert sidecar(video) == beside


def test_label_studio_under_the_videos_name(video: Path) -> None:
    beside = put(video.with_name("park.ls.json")).rename(video.with_name("park.json"))
    assert sidecar(video) == beside


def test_losslesscuts_projects_are_found(video: Path) -> None:
    """Under the name that LosslessCut gives them, and under the video's own."""
    project = (
        "{\n  version: 1,\n  mediaFileName: 'park.mp4',\n  cutSegments: [\n    {\n      start: 3.5,\n    },\n  ],\n}\n"
    )
    beside = video.with_name("park-proj.llc")
    beside.write_text(project)
    assert sidecar(video) == beside
    plainer = video.with_name("park.llc")
    plainer.write_text(project)
    assert sidecar(video) == plainer
    plainer.write_text(project.replace("start: 3.5,", ""))  # as it saves a video in which nothing was cut
    assert sidecar(video) == beside


def test_what_is_in_a_file_decides_and_not_its_name(video: Path) -> None:
    beside = put(video.with_name("a.csv")).rename(video.with_name("park-proj.llc"))
    assert sidecar(video) == beside


@pytest.mark.parametrize("name", ["park.json", "park.csv", "park.llc", "park.ls.json"])
def test_what_a_detector_found_is_no_label(video: Path, name: str) -> None:
    """It would be taught its own guesses, its mistakes among them."""
    found = LabelSet((Event(0, 5, "trick", 0.91), Event(20, 31, "trick", 1.0)), name="park.mp4")
    write_labels(video.with_name(name), found, PTS_S)
    assert sidecar(video) is None
    write_labels(video.with_name(name), LABELS, PTS_S)
    assert sidecar(video) == video.with_name(name)


def test_what_trickline_run_prints_is_no_label(video: Path) -> None:
    event = {"label": "trick", "start_frame": 3, "end_frame": 9, "start_s": 0.1, "end_s": 0.3, "confidence": 0.9137}
    printed = {"video": "park.mp4", "frames": 90, "fps": 30.0, "threshold": 0.5, "events": [event], "clips": []}
    video.with_name("park.json").write_text(json.dumps(printed) + "\n")
    assert sidecar(video) is None
    del event["confidence"]  # as the labels of the studio are written
    video.with_name("park.json").write_text(json.dumps(printed) + "\n")
    assert sidecar(video) == video.with_name("park.json")


def test_times_without_frames_are_labels_too(video: Path) -> None:
    """They count only together with the video, which is not opened for this."""
    beside = video.with_name("park.csv")
    beside.write_text("start_s,end_s,label\n100.5,101.25,kickflip\n")
    assert sidecar(video) == beside


def test_other_videos_labels_are_not_taken(video: Path) -> None:
    for name in ("park 2.xml", "par.xml", "Park.xml", "park.mov.xml", "park-proj.xml", "park.txt", "xml"):
        put(video.with_name("labels.xml")).rename(video.with_name(name))
    put(video.parents[1] / "park.xml")
    assert sidecar(video) is None


def test_of_several_the_order_is_kept(video: Path) -> None:
    """What a person set frame by frame comes before what any program may have written."""
    beside = [put(video.with_name(name)) for name in ("park.mp4.xml", "park.xml", "park.csv", "park.json")]
    for path in beside:
        assert sidecar(video) == path
        path.unlink()
    assert sidecar(video) is None
    assert SUFFIXES == (".xml", ".csv", ".llc", ".json")


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("park.xml", "<?xml version='1.0'?><NonRealTimeMeta><Duration value='90'/></NonRealTimeMeta>"),
        ("park.xml", "<annotations><version>1.1</version><meta/></annotations>"),
        ("park.xml", "<!DOCTYPE a [<!ENTITY b 'c'>]><annotations>&b;</annotations>"),
        ("park.csv", "time,speed\n0.1,3\n"),
        ("park.csv", "start_frame,end_frame,label\n"),
        ("park.json", '{"lens": "wide", "iso": 400}'),
        ("park.json", '{"video": "park.mp4", "events": []}'),
        ("park.json", "[" * 100_000),
        ("park.json", ""),
        ("park.json", b"\0\xff" * 50),
        ("park.llc", "{version: 1, cutSegments: [}"),
    ],
)
def test_files_of_something_else_are_passed_over(video: Path, name: str, content: str | bytes) -> None:
    """Cameras and other programs put such files there, too; the labels behind them are still found."""
    video.with_name(name).write_bytes(content if isinstance(content, bytes) else content.encode())
    assert sidecar(video) is None
    behind = put(video.with_name("park.json" if name != "park.json" else "park.csv"))
    assert sidecar(video) == behind


def test_large_files_are_judged_by_how_they_begin(video: Path) -> None:
    beside = put(video.with_name("park.xml"))
    whole = beside.read_text()
    beside.write_text(whole.replace("</annotations>", " " * (5 << 20) + "</annotations>"))
    assert sidecar(video) == beside
    beside.write_text(whole.replace("annotations>", "weather>").replace("</weather>", " " * (5 << 20) + "</weather>"))
    assert sidecar(video) is None
    put(video.with_name("park.csv"))
    with video.with_name("park.csv").open("ab") as file:
        file.truncate(1 << 40)  # a terabyte that takes no room
    assert sidecar(video) is None


def test_links_do_not_lead_out_of_the_folder(video: Path) -> None:
    private = put(video.parents[1] / "private.xml")
    video.with_name("park.xml").symlink_to(private)
    assert sidecar(video) is None
    inside = put(video.with_name("all.csv"))
    video.with_name("park.csv").symlink_to(inside.name)
    assert sidecar(video) == video.with_name("park.csv")


def test_what_is_no_file(video: Path) -> None:
    video.with_name("park.xml").mkdir()
    video.with_name("park.csv").symlink_to("park.csv")
    assert sidecar(video) is None
    assert sidecar(video.parent / "nowhere" / "park.mp4") is None


def test_a_relative_path_gives_a_relative_one(video: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(video.parent)
    put(video.with_name("park.csv"))
    assert sidecar(Path("park.mp4")) == Path("park.csv")
