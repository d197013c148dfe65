"""What the workbench's Python side sends, takes and packs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from core.intervals import Event, Interval
from core.pose.table import PoseTable
from pages.widgets.skeletons import CHUNK, UNSEEN, skeleton_chunk
from pages.widgets.workbench import (
    SCRIPTS,
    Curve,
    Document,
    Footage,
    Label,
    Show,
    Span,
    Thumbs,
    WorkbenchState,
    payload,
    script,
)

FOOTAGE = Footage("/v.mp4", "/t", 90, 3.0, 30.0, 640, 360, Thumbs("/s.jpg", 10, 160, 90, (0.0, 1.5)))
NOTHING: dict[str, Any] = {
    "session": "s",
    "document": None,
    "editable": False,
    "found": (),
    "truth": (),
    "curves": (),
    "curve": None,
    "threshold": None,
    "labels": (),
    "layers": {},
    "missed": (),
    "show": None,
    "below": 0,
    "wants": (),
}


def test_payload_is_json_whatever_the_numbers_come_from() -> None:
    """Frames and confidences come out of arrays; a numpy number would make Streamlit refuse the whole page."""
    frame, sure = np.int64(20), np.float32(0.5)
    data = payload(
        FOOTAGE,
        **NOTHING
        | {
            "document": Document(3, ("e", 7), 2, (Interval(1, 2, "<b>"), Event(5, 9, "ollie", 0.5))),
            "found": (Span(frame, frame, "trick", sure, "hit", "why"),),  # type: ignore[arg-type]
            "curves": (Curve("probability", "Probability", "", "/f", "/v", 0.0, 1.0),),
            "threshold": np.float64(0.4),
            "labels": (Label("trick", "#2DD4BF", "1"),),
            "layers": {"Ann": (Interval(3, 4),)},
            "show": Show(1, 5, 9, play=True),
            "wants": ("edit",),
        },
    )
    read = json.loads(json.dumps(data))
    assert read["document"] == {
        "revision": 3,
        "ack": ["e", 7],
        "external": 2,
        "items": [[1, 2, "<b>"], [5, 9, "ollie"]],
    }
    assert read["found"][0] == {
        "start": 20,
        "end": 20,
        "label": "trick",
        "confidence": 0.5,
        "state": "hit",
        "why": "why",
    }
    assert read["layers"] == [{"name": "Ann", "items": [[3, 4, "trick"]]}]
    assert read["footage"]["thumbs"]["times_s"] == [0.0, 1.5]
    assert read["show"] == {"serial": 1, "start": 5, "end": 9, "play": True, "loop": False}
    assert read["wants"] == ["edit"]


def test_payload_without_anything() -> None:
    """A session nobody has labelled or looked at still has a player."""
    data = json.loads(json.dumps(payload(FOOTAGE, **NOTHING)))
    assert (data["document"], data["show"], data["found"], data["footage"]["skeletons"]) == (None, None, [], None)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({}, WorkbenchState()),
        ({"threshold": {"value": 1, "seq": 3}}, WorkbenchState(threshold=1.0)),
        ({"range": {"start": 4, "end": 9.0}}, WorkbenchState(range=(4, 9))),
        ({"range": None, "threshold": None}, WorkbenchState()),
        ({"edit": {"editor": "e"}, "picked": None}, WorkbenchState(edit={"editor": "e"})),
    ],
)
def test_state(values: dict[str, Any], expected: WorkbenchState) -> None:
    """Pages read what the browser sent by these names."""
    assert WorkbenchState.from_values(values) == expected


def test_all_scripts_are_in_the_module() -> None:
    """A file that is not listed would never reach the browser; two exports would be a syntax error."""
    folder = Path(__file__).parents[1] / "pages" / "widgets" / "workbench"
    assert sorted(SCRIPTS) == sorted(path.name for path in folder.glob("*.js"))
    assert script().count("export default") == 1
    assert "import " not in [line[:7] for line in script().splitlines()]
    assert "innerHTML" not in script()  # names and labels come from outside


def table(frames: list[int]) -> PoseTable:
    """One row per frame given; keypoint k of row r lies at (r / 10, k / 16)."""
    rows = len(frames)
    keypoints = np.ones((rows, 17, 3), np.float32)
    keypoints[..., 0] = np.arange(rows)[:, None] / 10
    keypoints[..., 1] = np.arange(17) / 16
    if rows:
        keypoints[0, 3] = np.nan
    return PoseTable(
        np.array(frames, np.int32),
        np.array(frames) / 30,
        np.zeros(rows, np.int32),
        np.ones(rows, np.float32),
        np.zeros((rows, 4), np.float32),
        keypoints,
    )


def unpack(chunk: bytes) -> list[list[tuple[bool, np.ndarray]]]:
    """As the browser reads it."""
    m = int(np.frombuffer(chunk, "<u4", 1)[0])
    before = np.frombuffer(chunk, "<u4", m + 1, 4)
    people = np.frombuffer(chunk, "<u2", offset=4 * (m + 2)).reshape(-1, 35)
    assert before[-1] == len(people)
    return [[(bool(p[0]), p[1:].reshape(17, 2)) for p in people[before[i] : before[i + 1]]] for i in range(m)]


def test_skeletons_survive_the_journey() -> None:
    """Else the skeleton would sit beside the skater, or on somebody else."""
    pose = table([0, 0, 2, 6])
    sampled, chosen = np.array([0, 2, 4, 6]), np.array([1, 2, -1, -1])
    first = unpack(skeleton_chunk(pose, sampled, chosen, 0, 3))
    assert [[flag for flag, _ in people] for people in first] == [[False, True], [True], []]
    points = first[0][0][1]
    assert points[3].tolist() == [UNSEEN, UNSEEN]
    assert points[16].tolist() == [0, 65534]
    assert first[1][0][1][8] / 65534 == pytest.approx([0.2, 0.5], abs=1e-4)
    (last,) = unpack(skeleton_chunk(pose, sampled, chosen, 1, 3))
    assert [flag for flag, _ in last] == [False]


@pytest.mark.parametrize("n", [0, 7])
def test_a_chunk_with_nobody_or_beyond_the_end_is_empty(n: int) -> None:
    """The browser fetches ahead of the playhead."""
    chunk = skeleton_chunk(table([]), np.zeros(0, np.int32), np.zeros(0, np.int64), n, CHUNK)
    assert unpack(chunk) == []
