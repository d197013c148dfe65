"""Label Studio: its exports become intervals of the right frames, and what is written can be imported there."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from core.errors import UserError
from core.intervals import Event, Interval
from core.labels import LabelSet, read_labels, write_labels
from tests.conftest import SHARED

PTS_24 = np.arange(240) / 24
PTS_30 = np.arange(300) / 30


def ranges(*ends: tuple[int | None, int | None], label: str = "kickflip", **more: Any) -> dict[str, Any]:
    value = {"ranges": [{"start": start, "end": end} for start, end in ends], "timelinelabels": [label]}
    return {"type": "timelinelabels", "from_name": "videoLabels", "to_name": "video", "value": value, **more}


def box(*keyframes: tuple[int, bool], label: str = "skater", **value: Any) -> dict[str, Any]:
    sequence = [{"frame": frame, "enabled": enabled, "x": 1, "y": 2} for frame, enabled in keyframes]
    return {"type": "videorectangle", "value": {"sequence": sequence, "labels": [label], **value}}


def task(*regions: Any, video: str = "park.mp4", **annotation: Any) -> dict[str, Any]:
    return {"id": 7, "annotations": [{"id": 1, "result": list(regions), **annotation}], "data": {"video": video}}


def read(tmp_path: Path, content: Any, *more: Any) -> LabelSet:
    path = tmp_path / "project-1.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return read_labels(path, *more)


@pytest.mark.parametrize(
    ("region", "expected"),
    [
        pytest.param(ranges((1, 10)), [Interval(0, 9, "kickflip")], id="frames are counted from 1, ends are inside"),
        pytest.param(ranges((5, 5)), [Interval(4, 4, "kickflip")], id="one frame"),
        pytest.param(ranges((1, 2), (9, 10)), [Interval(0, 1, "kickflip"), Interval(8, 9, "kickflip")], id="two"),
        pytest.param(box((3, True), (9, False)), [Interval(2, 8, "skater")], id="the closing keyframe is inside"),
        pytest.param(
            box((3, True), (6, True), (9, False), (20, True), (22, False)),
            [Interval(2, 8, "skater"), Interval(19, 21, "skater")],
            id="shown again",
        ),
        pytest.param(box((9, False), (3, True)), [Interval(2, 8, "skater")], id="keyframes out of order"),
        pytest.param(box((4, False)), [Interval(3, 3, "skater")], id="seen in one frame"),
        pytest.param({**ranges((1, 2)), "type": "timeserieslabels"}, [Interval(0, 1, "kickflip")], id="odd type"),
        pytest.param(
            {"type": "labels", "value": {"start": 1.0, "end": 2.02, "channel": 0, "labels": ["ollie", "grab"]}},
            [Interval(24, 48, "grab"), Interval(24, 48, "ollie")],
            id="labels on the sound, in seconds",
        ),
    ],
)
def test_regions(tmp_path: Path, region: dict[str, Any], expected: list[Interval]) -> None:
    labels = read(tmp_path, [task(region)], PTS_24)
    assert list(labels.intervals) == expected
    assert labels.name == "park.mp4"
    assert labels.warnings == ()


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        pytest.param(task(ranges((1, 10))), 9, id="one task, not in a list"),
        pytest.param({"id": 1, "completions": [{"result": [ranges((1, 10))]}], "data": {}}, 9, id="before version 1.0"),
        pytest.param([{"id": 1, "result": [ranges((1, 10))]}], 9, id="an annotation alone"),
        pytest.param(
            {"annotation": {"result": [ranges((1, 10))]}, "task": {"data": {"video": "park.mp4"}}}, 9, id="webhook"
        ),
        pytest.param([{"video": "park.mp4", "id": 1, "tricks": [ranges((1, 10))["value"]]}], 9, id="JSON-MIN"),
        pytest.param(
            [
                {"video": "park.mp4", "id": 1, "updated_at": "2026-01-02", "tricks": [ranges((1, 5))["value"]]},
                {"video": "park.mp4", "id": 1, "updated_at": "2026-01-01", "tricks": [ranges((1, 10))["value"]]},
            ],
            4,
            id="JSON-MIN of two annotators",
        ),
    ],
)
def test_kinds_of_export(tmp_path: Path, content: Any, expected: int) -> None:
    assert read(tmp_path, content).intervals == (Interval(0, expected, "kickflip"),)


def test_the_latest_annotation_counts_that_was_not_cancelled(tmp_path: Path) -> None:
    """Two people labelled it and one gave up: neither a mixture nor the abandoned one may be learnt from."""
    annotations = [
        {"updated_at": "2026-03-02T10:00:00Z", "result": [ranges((1, 2))]},
        {"updated_at": "2026-03-04T10:00:00Z", "result": [ranges((3, 4))]},
        {"updated_at": "2026-03-05T10:00:00Z", "was_cancelled": True, "result": [ranges((5, 6))]},
        {"updated_at": "2026-03-03T10:00:00Z", "result": [ranges((7, 8))]},
    ]
    labels = read(tmp_path, [{"annotations": annotations, "data": {"video": "park.mp4"}}])
    assert labels.intervals == (Interval(2, 3, "kickflip"),)
    assert labels.warnings == (
        "project-1.json has 3 annotations of this video, of which the latest (of 2026-03-04 10:00) was read.",
    )


def test_predictions_only_where_nobody_annotated(tmp_path: Path) -> None:
    """They are guesses, and say so by their confidence."""
    guess = {"model_version": "v1", "result": [ranges((1, 10), score=0.75), ranges((20, 30), score="high")]}
    both = {**task(ranges((3, 4))), "predictions": [guess]}
    assert read(tmp_path, [both]).intervals == (Interval(2, 3, "kickflip"),)
    labels = read(tmp_path, [{**both, "annotations": []}])
    assert labels.intervals == (Event(0, 9, "kickflip", 0.75), Event(19, 29, "kickflip", 1.0))
    assert labels.warnings == (
        "project-1.json has no annotation of this video yet, so a model's predictions were read.",
    )


@pytest.mark.parametrize(
    ("address", "name"),
    [
        ("/data/upload/3/1a2b3c4d-park%20day.mp4", "park day.mp4"),
        ("/data/local-files/?d=footage/park%20day.mp4", "footage/park day.mp4"),
        ("s3://bucket/footage/park day.mp4", "s3://bucket/footage/park day.mp4"),
        ("https://x.org/park%20day.mp4?token=1", "https://x.org/park day.mp4"),
        ("park day.mp4", "park day.mp4"),
    ],
)
def test_finds_the_task_of_the_video(tmp_path: Path, address: str, name: str) -> None:
    """An export holds a whole project, under the addresses that its server gave the files."""
    content = [task(ranges((1, 2)), video="street.mp4"), task(ranges((3, 4)), video=address)]
    labels = read(tmp_path, content, None, "/footage/park day.mp4")
    assert (labels.intervals, labels.name) == ((Interval(2, 3, "kickflip"),), name)
    with pytest.raises(UserError, match=r"labels of 2 videos \(street.mp4, .*\): say which one is meant"):
        read(tmp_path, content)


def test_another_frame_rate_is_turned_into_times(tmp_path: Path) -> None:
    """Set up with 24 where the footage has 30, every event would lie a fifth too early."""
    labels = read(tmp_path, [task(box((25, True), (49, False), framesCount=240, duration=10.0))], PTS_30)
    assert labels.intervals == (Interval(30, 60, "skater"),)
    assert labels.warnings == (
        "project-1.json counts 24 frames a second where the video has 30, so that frames were found by times.",
    )
    told = {**task(ranges((25, 49))), "data": {"video": "park.mp4", "fps": 24}}
    assert read(tmp_path, [told], PTS_30).intervals == (Interval(30, 60, "kickflip"),)


def test_an_unknown_frame_rate_is_said(tmp_path: Path) -> None:
    """Timelines alone do not tell it, and 24 is what nobody changed."""
    labels = read(tmp_path, [task(ranges((25, 49)))], PTS_30)
    assert labels.intervals == (Interval(24, 48, "kickflip"),)
    assert "24 unless its setup names another; this video has 30" in labels.warnings[0]
    assert read(tmp_path, [{**task(ranges((25, 49))), "data": {"fps": 30}}], PTS_30).warnings == ()


def test_a_count_that_is_one_longer_than_the_video(tmp_path: Path) -> None:
    """The browser's length of a video is the container's, a frame more or less: no reason to refuse the file."""
    region = box((290, True), framesCount=301, duration=10.033)
    assert read(tmp_path, [task(region)], PTS_30).intervals == (Interval(289, 299, "skater"),)


@pytest.mark.parametrize(
    ("region", "expected", "said"),
    [
        (ranges((5, None)), Interval(4, 4, "kickflip"), "region 1: a range lacks its start or end"),
        (ranges((None, 6)), Interval(5, 5, "kickflip"), "region 1: a range lacks its start or end"),
        (box((3, True), (5, True)), Interval(2, 239, "skater"), "region 1: a box is never closed"),
        (box((3, True), framesCount=100), Interval(2, 99, "skater"), "region 1: a box is never closed"),
    ],
)
def test_what_had_to_be_assumed_is_said(tmp_path: Path, region: dict[str, Any], expected: Interval, said: str) -> None:
    labels = read(tmp_path, [task(region)], PTS_24)
    assert labels.intervals == (expected,)
    assert said in labels.warnings[0]


def test_other_regions_are_passed_over(tmp_path: Path) -> None:
    """A project asks for more than intervals: its choices, texts and brushes are none of ours."""
    others = [
        {"type": "choices", "value": {"choices": ["sunny"]}},
        {"type": "brushlabels", "value": {"rle": [1, 2], "brushlabels": ["a"]}},
        {"from_id": "a", "to_id": "b", "type": "relation"},
        "odd",
        box((3, True), (4, False), labels=[]),
    ]
    labels = read(tmp_path, [task(*others, ranges((1, 2)))])
    assert labels.intervals == (Interval(0, 1, "kickflip"),)
    assert labels.warnings == ("project-1.json has 1 region(s) without a label, which were passed over.",)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ('[{"annotations": [', "not whole JSON (line 1, column 19)"),
        ('{"annotations": ' + "[" * 100_000, "nested too deep"),
        ('[{"annotations": [], "id": ' + "9" * 5000 + "}]", "a number that is too large"),
        ('[1, 2, {"label": {"result": 3}}]', "holds no task of Label Studio"),
        ([{"annotations": {}, "data": {}}], "has no annotation of this video"),
        ([{"annotations": [{"was_cancelled": True, "result": []}]}], "has only cancelled annotations"),
        ([task()], "holds no labelled interval"),
        ([task(ranges((0, 5)))], "region 1: start is frame 0, but Label Studio counts frames from 1"),
        ([task(ranges((1, 2)), ranges((9, 5)))], "region 2: the interval ends (frame 4) before it starts (frame 8)"),
        ([task(ranges((None, None)))], "region 1: start is missing"),
        ([task({"value": {"ranges": [3], "timelinelabels": ["a"]}})], "region 1: start is missing"),
        ([task(ranges(("1", 5)))], "region 1: start is '1', which is not a number"),  # type: ignore[arg-type]
        ([task(ranges((1.5, 5)))], "region 1: start is 1.5, which is not a whole number"),  # type: ignore[arg-type]
        ([task(ranges((True, 5)))], "region 1: start is 'True'"),
        ('[{"annotations": [{"result": [{"value": {"ranges": [{"start": NaN, "end": 1}]}}]}]}]', "start is 'nan'"),
        ([task(ranges((1, 10**12)))], "end is frame 1e+12, but"),
        ([task(ranges((1, 2), label=" "))], "region 1: the label is empty"),
        ([task({"value": {"ranges": [{"start": 1, "end": 2}], "timelinelabels": [5]}})], "the label [5] is not text"),
        ([task(box((3, True), label="a\u0007"))], "holds a character that is no text"),
        ([task({"value": {"sequence": [5], "labels": ["a"]}})], "region 1: a keyframe is not an object"),
        ([task({"value": {"sequence": [{"enabled": True}], "labels": ["a"]}})], "region 1: frame is missing"),
        ([task({"type": "labels", "value": {"start": 1, "end": 2, "labels": ["a"]}})], "only together with the video"),
    ],
)
def test_bad_files(tmp_path: Path, content: Any, said: str) -> None:
    """One sentence that names the file and the region."""
    with pytest.raises(UserError) as caught:
        read(tmp_path, content)
    assert said in str(caught.value)
    assert str(caught.value).startswith("project-1.json")
    assert "\n" not in str(caught.value)


def test_writes_a_task_to_import(tmp_path: Path) -> None:
    path = tmp_path / "park.ls.json"
    write_labels(path, LabelSet((Interval(247, 272, "kickflip"),), name="park.mp4"))
    assert json.loads(path.read_text()) == [
        {
            "data": {"video": "park.mp4"},
            "annotations": [
                {
                    "result": [
                        {
                            "id": "interval1",
                            "type": "timelinelabels",
                            "from_name": "videoLabels",
                            "to_name": "video",
                            "origin": "manual",
                            "value": {"ranges": [{"start": 248, "end": 273}], "timelinelabels": ["kickflip"]},
                        }
                    ]
                }
            ],
        }
    ]


def test_events_are_written_as_predictions(tmp_path: Path) -> None:
    """So that somebody there accepts or corrects them, instead of taking a guess for the truth."""
    path = tmp_path / "park.ls.json"
    write_labels(path, LabelSet((Event(1, 2, "trick", 0.5),)))
    (written,) = json.loads(path.read_text())
    assert "annotations" not in written
    assert written["predictions"][0]["result"][0]["score"] == 0.5


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("timeline_fixture.json", [Interval(0, 9, "Car"), Interval(4, 14, "croquet_ball")]),
        ("tracking_opossum.json", [(0, 28), (30, 34)]),
    ],
)
def test_files_by_label_studio_itself(name: str, expected: list[Any]) -> None:
    path = SHARED / "data" / "label_studio" / name
    if not path.exists():
        pytest.skip("the files by other people are not here")
    found = [i if type(i) is Interval else (i.start_frame, i.end_frame) for i in read_labels(path).intervals]
    assert found == expected
