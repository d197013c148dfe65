"""What ``trickline run --json`` prints comes back as labels to correct."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from core.errors import UserError
from core.intervals import Event, Interval
from core.labels import LabelSet, read_labels, write_labels

PTS_S = np.arange(30) / 10


def record(video: str = "park.mp4", **changes: Any) -> dict[str, Any]:
    event = {"label": "trick", "start_frame": 5, "end_frame": 9, "start_s": 0.5, "end_s": 0.9, "confidence": 0.75}
    return {
        "video": video,
        "frames": 30,
        "fps": 29.97002997002997,
        "duration_s": 3.0,
        "pose": "movenet",
        "sampled": 15,
        "events": [event],
        "clips": [{"file": "park_01.mp4", "start_s": 0.0, "end_s": 2.9}],
        "seconds": {"pose": 1.5},
    } | changes


PARK = LabelSet((Event(5, 9, "trick", 0.75),), n_frames=30, fps=Fraction(30000, 1001), name="park.mp4")


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(json.dumps(record()), id="one line"),
        pytest.param("\n" + json.dumps(record(), indent=4) + "\n\n", id="one object over many lines"),
        pytest.param(json.dumps([record()]), id="list"),
        pytest.param(
            json.dumps({"video": "b.mp4", "error": "no picture"}) + "\n" + json.dumps(record()), id="a failure"
        ),
    ],
)
def test_reads_one_video(tmp_path: Path, content: str) -> None:
    path = tmp_path / "run.jsonl"
    path.write_text(content)
    assert read_labels(path) == PARK
    assert read_labels(path, video="renamed.mp4") == PARK  # a lone video is the one that is meant


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"events": [{"start_frame": 1, "end_frame": 2}]}, Interval(1, 2)),
        ({"events": [{"start_frame": 1.0, "end_frame": 2.0, "label": "a"}]}, Interval(1, 2, "a")),
        ({"events": [{"start_s": 0.48, "end_s": 0.9, "label": "a"}]}, Interval(5, 9, "a")),
        ({"events": [{"start_frame": 1, "end_frame": 2, "start_s": 2.0, "end_s": 2.9}]}, Interval(1, 2)),
        ({"frames": "many", "fps": -1, "events": [{"start_frame": 1, "end_frame": 2}]}, Interval(1, 2)),
    ],
)
def test_events(tmp_path: Path, changes: dict[str, Any], expected: Interval) -> None:
    path = tmp_path / "run.json"
    path.write_text(json.dumps(record(**changes)))
    assert read_labels(path, PTS_S).intervals == (expected,)


@pytest.mark.parametrize(
    ("video", "start"),
    [
        ("/day1/park.mp4", 1),
        ("/day2/park.mp4", 2),
        ("elsewhere/street.mp4", 3),
        (Path("street.mov"), 3),
        ("beach.mp4", 4),  # told by a path from Windows
    ],
)
def test_takes_the_video_asked_for(tmp_path: Path, video: str | Path, start: int) -> None:
    path = tmp_path / "run.jsonl"
    names = ["/day1/park.mp4", "/day2/park.mp4", "/day2/street.mp4", r"D:\footage\Beach.mp4"]
    path.write_text(
        "\n".join(
            json.dumps(record(name, events=[{"start_frame": i, "end_frame": i}])) for i, name in enumerate(names, 1)
        )
    )
    assert read_labels(path, video=video).intervals == (Interval(start, start),)


@pytest.mark.parametrize(
    ("video", "said"),
    [
        (None, r"2 videos \(/a/park.mp4, /b/park.mp4\): say which one is meant"),
        ("beach.mp4", r"not exactly one is called like 'beach.mp4'"),
        ("park.mp4", r"not exactly one is called like 'park.mp4'"),
    ],
)
def test_never_guesses_among_videos(tmp_path: Path, video: str | None, said: str) -> None:
    path = tmp_path / "run.jsonl"
    path.write_text(json.dumps(record("/a/park.mp4")) + "\n" + json.dumps(record("/b/park.mp4")))
    with pytest.raises(UserError, match=said):
        read_labels(path, video=video)


def events(*found: Any) -> str:
    return json.dumps({"events": list(found)})


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ('{"events": [', "not whole JSON (line 1, column 13)"),
        (events() + "\n" + '{"events": oops}', "not whole JSON (line 2"),
        (events() + " trailing", "not whole JSON"),
        ('{"other": "events", "events2": 1, "x": ["events"]}', "no object with events"),
        ('{"events": {"a": 1}}', "events that are not a list"),
        (events(), "no labelled interval"),
        (events("x"), "event 1: it is not an object"),
        (events({"start_frame": 1, "end_frame": 2}, {"label": "a"}), "event 2: it has no start_frame and end_frame"),
        (events({"start_s": 1, "end_s": 2}), "times count only together with the video"),
        (events({"start_frame": 1}), "event 1: end_frame is missing"),
        (events({"start_frame": "1", "end_frame": 2}), "start_frame is '1', which is not a number"),
        (events({"start_frame": True, "end_frame": 2}), "start_frame is 'True'"),
        (events({"start_frame": 1.5, "end_frame": 2}), "must be whole numbers"),
        (events({"start_frame": -1, "end_frame": 2}), "frame -1 is not between"),
        (events({"start_frame": 9, "end_frame": 2}), "ends (frame 2) before it starts (frame 9)"),
        (events({"start_frame": 0, "end_frame": 10**12}), "is not between 0 and"),
        (events({"start_frame": 0, "end_frame": 1, "label": 5}), "the label 5 is not text"),
        (events({"start_frame": 0, "end_frame": 1, "label": " "}), "the label is empty"),
        (events({"start_frame": 0, "end_frame": 1, "confidence": 2}), "confidence 2 is not between 0 and 1"),
        ('{"events": [{"start_frame": 0, "end_frame": 1, "confidence": NaN}]}', "NaN is not a number"),
        ('{"events": [{"start_frame": 0, "end_frame": 1e999}]}', "end_frame is 'inf'"),
        ('{"events": [{"start_frame": 0, "end_frame": ' + "9" * 5000 + "}]}", "is too large"),
        ('{"events": ' + "[" * 100_000, "nested too deep"),
    ],
)
def test_bad_files(tmp_path: Path, content: str, said: str) -> None:
    """One sentence that names the file and the event."""
    path = tmp_path / "bad.json"
    path.write_text(content)
    with pytest.raises(UserError) as caught:
        read_labels(path)
    assert said in str(caught.value)
    assert str(caught.value).startswith("bad.json")
    assert "\n" not in str(caught.value)


def test_writes_what_the_command_line_prints(tmp_path: Path) -> None:
    path = tmp_path / "out.json"
    write_labels(path, PARK, PTS_S)
    written = json.loads(path.read_text())
    printed = record()
    assert {key: written[key] for key in ("video", "frames", "fps", "events")} == {
        key: printed[key] for key in ("video", "frames", "fps", "events")
    }
