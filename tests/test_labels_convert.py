"""From one label file to another: nothing may be lost on the way, and nothing half-written may be left."""

from __future__ import annotations

import os
import re
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.errors import UserError
from core.intervals import Event, Interval
from core.labels import FORMATS, LabelSet, check_within, label_set, read_labels, write_labels

N_FRAMES = 400
# Variable rate, so that a conversion by frame / fps would show.
PTS_S = np.cumsum(np.random.default_rng(0).uniform(0.008, 0.1, N_FRAMES))

TEXT = st.text(
    st.characters(exclude_categories=["C", "Z"]) | st.sampled_from(" ,;<&\"'\u200d"), min_size=1, max_size=12
)
LABELS = TEXT.map(lambda text: " ".join(text.split())).filter(bool)
FRAMES = st.tuples(st.integers(0, N_FRAMES - 1), st.integers(0, 40)).map(
    lambda pair: (pair[0], min(pair[0] + pair[1], N_FRAMES - 1))
)
INTERVALS = st.lists(
    st.builds(lambda frames, label: Interval(frames[0], frames[1], label), FRAMES, LABELS), min_size=1, max_size=8
)
EVENTS = st.lists(
    st.builds(lambda frames, label, sure: Event(frames[0], frames[1], label, sure), FRAMES, LABELS, st.floats(0, 1)),
    min_size=1,
    max_size=8,
)
in_one_folder = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)


@in_one_folder
@given(
    intervals=INTERVALS,
    n_frames=st.none() | st.integers(N_FRAMES, 10**6),
    size=st.none() | st.tuples(st.integers(1, 9999), st.integers(1, 9999)),
    name=st.none() | LABELS,
)
def test_cvat_there_and_back(
    tmp_path: Path, intervals: list[Interval], n_frames: int | None, size: tuple[int, int] | None, name: str | None
) -> None:
    width, height = size or (None, None)
    labels = LabelSet(tuple(intervals), n_frames, width, height, name=name)
    write_labels(tmp_path / "a.xml", labels)
    assert read_labels(tmp_path / "a.xml") == labels


@in_one_folder
@given(INTERVALS | EVENTS, st.booleans())
def test_csv_there_and_back(tmp_path: Path, intervals: list[Interval], with_times: bool) -> None:
    labels = LabelSet(tuple(intervals))
    write_labels(tmp_path / "a.csv", labels, PTS_S if with_times else None)
    assert read_labels(tmp_path / "a.csv") == labels


@in_one_folder
@given(INTERVALS)
def test_times_alone_find_the_same_frames(tmp_path: Path, intervals: list[Interval]) -> None:
    """Someone who deletes the frame columns in a spreadsheet loses nothing."""
    labels = LabelSet(tuple(replace(interval, label="trick") for interval in intervals))
    write_labels(tmp_path / "a.csv", labels, PTS_S)
    rows = [line.split(",")[2:] for line in (tmp_path / "a.csv").read_text().splitlines()]
    (tmp_path / "a.csv").write_text("\n".join(",".join(row) for row in rows))
    assert read_labels(tmp_path / "a.csv", PTS_S) == labels


@in_one_folder
@given(
    intervals=INTERVALS | EVENTS,
    fps=st.sampled_from([None, Fraction(30), Fraction(24000, 1001), Fraction(60000, 1001), Fraction(25, 2)]),
    name=st.none() | LABELS,
)
def test_json_there_and_back(tmp_path: Path, intervals: list[Interval], fps: Fraction | None, name: str | None) -> None:
    labels = LabelSet(tuple(intervals), N_FRAMES, 640, 360, fps, name)
    write_labels(tmp_path / "a.json", labels, PTS_S)
    assert read_labels(tmp_path / "a.json") == labels


@in_one_folder
@given(
    intervals=INTERVALS | EVENTS, fps=st.sampled_from([None, Fraction(30), Fraction(25, 2)]), with_times=st.booleans()
)
def test_label_studio_there_and_back(
    tmp_path: Path, intervals: list[Interval], fps: Fraction | None, with_times: bool
) -> None:
    labels = LabelSet(tuple(intervals), fps=fps, name="park.mp4")
    write_labels(tmp_path / "a.ls.json", labels, PTS_S if with_times else None)
    back = read_labels(tmp_path / "a.ls.json")
    assert (back.intervals, back.name) == (labels.intervals, labels.name)


@in_one_folder
@given(INTERVALS | EVENTS, st.none() | LABELS)
def test_losslesscut_there_and_back(tmp_path: Path, intervals: list[Interval], name: str | None) -> None:
    labels = LabelSet(tuple(intervals), name=name)
    write_labels(tmp_path / "a.llc", labels, PTS_S)
    assert read_labels(tmp_path / "a.llc", PTS_S) == labels


STARTS = [
    b"{cutSegments: [{",
    b"",
    b'{"events": [',
    b"<annotations>",
    b"start_frame,end_frame\n",
    b'[{"annotations": [{"result": [',
]


@in_one_folder
@given(st.binary(max_size=300), st.sampled_from(STARTS))
def test_junk_is_the_users_error(tmp_path: Path, junk: bytes, start: bytes) -> None:
    """Whatever is dropped on the page, it answers in one sentence."""
    path = tmp_path / "junk"
    path.write_bytes(start + junk)
    said = "junk"
    try:
        read_labels(path, PTS_S)
    except UserError as error:
        said = str(error)
    assert "junk" in said
    assert "\n" not in said


@pytest.mark.parametrize("suffix", [kind.SUFFIX for kind in FORMATS])
def test_every_format_knows_its_own_files_by_content(tmp_path: Path, suffix: str) -> None:
    """A file keeps its meaning under any name, and a new format may not take another's files."""
    labels = LabelSet((Interval(3, 9, "kickflip"),))
    write_labels(tmp_path / f"a{suffix}", labels, PTS_S)
    os.rename(tmp_path / f"a{suffix}", tmp_path / "a.bin")
    assert read_labels(tmp_path / "a.bin", PTS_S).intervals == labels.intervals
    head = (tmp_path / "a.bin").read_bytes()
    assert next(kind.SUFFIX for kind in FORMATS if kind.recognises(head)) == suffix


@pytest.mark.parametrize(
    ("intervals", "kept"),
    [
        ([Interval(5, 9), Interval(1, 2)], [Interval(1, 2), Interval(5, 9)]),
        ([Interval(1, 5), Interval(3, 9), Interval(10, 12)], [Interval(1, 9), Interval(10, 12)]),
        ([Interval(1, 5), Interval(3, 9, "grind")], [Interval(1, 5), Interval(3, 9, "grind")]),
        ([Interval(1, 2), Event(5, 9, "trick", 0.5)], [Event(1, 2, "trick", 1.0), Event(5, 9, "trick", 0.5)]),
    ],
)
def test_label_set_is_in_order(intervals: list[Interval], kept: list[Interval]) -> None:
    assert list(LabelSet(tuple(intervals)).intervals) == kept


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is empty"),
        (b"\xef\xbb\xbf \n\t", "is empty"),
        (b"PK\x03\x04rest", "is a ZIP archive: unpack it"),
        (b"\x00\x01\x02,\x03", "none of the label formats"),
        (b"hello", "none of the label formats"),
        (b'{"task": 1}', "none of the label formats"),
        ("start_frame,end_frame,label\n1,2,fl\xfcgel\n".encode("latin-1"), "no text in UTF-8"),
        ("start_frame,end_frame\n".encode("utf-16"), "none of the label formats"),
    ],
)
def test_files_that_are_no_labels(tmp_path: Path, content: bytes, said: str) -> None:
    path = tmp_path / "odd.csv"
    path.write_bytes(content)
    with pytest.raises(UserError, match=said) as caught:
        read_labels(path)
    assert "odd.csv" in str(caught.value)


def test_files_that_cannot_be_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UserError, match=r"none\.xml cannot be read: No such file"):
        read_labels(tmp_path / "none.xml")
    with pytest.raises(UserError, match="cannot be read: Is a directory"):
        read_labels(tmp_path)
    (tmp_path / "large.csv").write_text("start_frame,end_frame\n1,2\n")
    monkeypatch.setattr(label_set, "MAX_BYTES", 20)
    with pytest.raises(UserError, match=r"large\.csv has 0 MB, more than"):
        read_labels(tmp_path / "large.csv")


@pytest.mark.parametrize(
    ("name", "labels", "said"),
    [
        (
            "out.mp4",
            LabelSet((Interval(1, 2),)),
            r"out\.mp4 has no known ending: use \.csv, \.json, \.llc, \.ls\.json or \.xml",
        ),
        ("out.xml", LabelSet((Interval(1, 2, "a\x00b"),)), r"out\.xml cannot keep the label 'a\\x00b'"),
        ("out.csv", LabelSet((Interval(1, 2, " a"),)), "cannot keep the label ' a'"),
        (
            "out.xml",
            LabelSet((Interval(1, 20),), n_frames=20),
            r"labels up to frame 20, but the video's last frame is 19",
        ),
    ],
)
def test_refuses_to_write(tmp_path: Path, name: str, labels: LabelSet, said: str) -> None:
    with pytest.raises(UserError, match=said):
        write_labels(tmp_path / name, labels)
    assert list(tmp_path.iterdir()) == []


def test_a_failed_write_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A full disk must not cost last week's labels."""
    path = tmp_path / "labels.csv"
    path.write_text("old")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(UserError, match="the disk is full"):
        write_labels(path, LabelSet((Interval(1, 2),)))
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_labels_of_another_video_are_refused() -> None:
    """Tricks learnt from the wrong footage are worse than none."""
    labels = LabelSet((Interval(1, 2), Interval(95, 99)))
    check_within(labels, 100, "park.xml")
    with pytest.raises(
        UserError, match=re.escape("park.xml has labels up to frame 99, but the video's last frame is 98")
    ):
        check_within(labels, 99, "park.xml")
