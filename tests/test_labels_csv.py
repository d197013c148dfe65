"""Intervals as CSV: what people type by hand or save from a spreadsheet."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from core.errors import UserError
from core.intervals import Event, Interval
from core.labels import LabelSet, read_labels, write_labels

# A phone's variable rate: 30 fps, then 10 fps from frame 4 on.
PTS_S = np.array([0.0, 0.033, 0.067, 0.1, 0.133, 0.233, 0.333, 0.433])


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        pytest.param("start_frame,end_frame,label\n1,2,kickflip\n", [Interval(1, 2, "kickflip")], id="plain"),
        pytest.param("\ufeffstart_frame;end_frame;label\r\n1;2;a\r\n", [Interval(1, 2, "a")], id="Excel, semicolons"),
        pytest.param("start_frame\tend_frame\tlabel\n1\t2\ta, b\n", [Interval(1, 2, "a, b")], id="tabs"),
        pytest.param("Label, End_Frame ,START_FRAME\na,2,1\n", [Interval(1, 2, "a")], id="order, case and spaces"),
        pytest.param("\n\nstart_frame,end_frame\n\n1,2\n,,\n", [Interval(1, 2)], id="blank lines, no label column"),
        pytest.param("start_frame,end_frame,label\n1.0,2.0,a\n", [Interval(1, 2, "a")], id="whole numbers as floats"),
        pytest.param("start_frame,end_frame,label,note\n1,2,a\n", [Interval(1, 2, "a")], id="short row, other column"),
        pytest.param('start_frame,end_frame,label\n1,2,"a ""b"", c"\n', [Interval(1, 2, 'a "b", c')], id="quotes"),
        pytest.param("start_frame,end_frame,label\n5,6,a\n1,2,a\n1,2,a\n", None, id="out of order and twice"),
        pytest.param("start_frame,end_frame,label\n1,4,a\n3,6,a\n", [Interval(1, 6, "a")], id="overlapping"),
        pytest.param(
            "start_frame,end_frame,label\n1,2,a\n3,6,a\n", [Interval(1, 2, "a"), Interval(3, 6, "a")], id="touch"
        ),
        pytest.param("start_frame,end_frame,label,confidence\n1,2,a,0.5\n", [Event(1, 2, "a", 0.5)], id="confidence"),
        pytest.param(
            "start_frame,end_frame,confidence\n1,2,0.5\n4,5,\n",
            [Event(1, 2, "trick", 0.5), Event(4, 5, "trick", 1.0)],
            id="a person's row among a detector's",
        ),
    ],
)
def test_reads(tmp_path: Path, content: str, expected: list[Interval] | None) -> None:
    path = tmp_path / "labels.txt"  # the content decides, not the ending
    path.write_text(content, encoding="utf-8", newline="")
    assert list(read_labels(path).intervals) == (expected or [Interval(1, 2, "a"), Interval(5, 6, "a")])


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ("0.1,0.3", Interval(3, 6)),  # the nearest frame, which frame / fps would miss on this video
        ("0,0.46", Interval(0, 7)),  # within the time that the last frame stays on screen
        ("0.05,0.05", Interval(1, 1)),
        ("1e-1,.2", Interval(3, 5)),
    ],
)
def test_times_go_through_the_pts_table(tmp_path: Path, row: str, expected: Interval) -> None:
    path = tmp_path / "labels.csv"
    path.write_text(f"start_s,end_s\n{row}\n")
    assert read_labels(path, PTS_S).intervals == (expected,)


def test_decimal_commas(tmp_path: Path) -> None:
    """A German spreadsheet writes 0,1 and parts columns by semicolons."""
    path = tmp_path / "labels.csv"
    path.write_text("start_s;end_s;label\n0,1;0,3;a\n")
    assert read_labels(path, PTS_S).intervals == (Interval(3, 6, "a"),)


def test_frames_win_over_times(tmp_path: Path) -> None:
    """Times are rounded, and rows without frames are what they are for."""
    path = tmp_path / "labels.csv"
    path.write_text("start_frame,end_frame,start_s,end_s\n1,2,9,9\n,,0.1,0.3\n")
    assert read_labels(path, PTS_S).intervals == (Interval(1, 2), Interval(3, 6))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("a,b,c\n1,2,3\n", "line 1: the header is 'a b c'"),
        ("1,2,kickflip\n", "line 1: the header is '1 2 kickflip'"),
        ("start_frame,label\n1,a\n", "start_frame, end_frame and label"),
        ("start_frame,end_frame,start_frame\n1,2,3\n", "column 'start_frame' is there twice"),
        ("start_frame,end_frame,label\n", "no labelled interval"),
        ("start_frame,end_frame\n1,2\n\n9,3\n", "line 4: the interval ends (frame 3) before it starts (frame 9)"),
        ("start_frame,end_frame\n-1,3\n", "line 2: frame -1 is not between 0 and"),
        ("start_frame,end_frame\n1,x\n", "line 2: end_frame is 'x', which is not a frame number"),
        ("start_frame,end_frame\n1,\n", "line 2: end_frame is ''"),
        ("start_frame,end_frame,label\n1\n", "line 2: end_frame is ''"),
        ("start_frame,end_frame\n1,2.5\n", "line 2: end_frame is '2.5'"),
        ("start_frame,end_frame\n1,nan\n", "line 2: end_frame is 'nan'"),
        ("start_frame,end_frame\n1,99999999999\n", "line 2: frame 99999999999 is not between"),
        ("start_frame,end_frame\n1," + "9" * 5000 + "\n", "not a frame number"),
        ("start_frame,end_frame\n1,2,3\n", "line 2: there are 3 cells under 2 columns"),
        ("start_frame,end_frame,label\n1,2,\n", "line 2: the label is empty"),
        ("start_frame,end_frame,label\n1,2,a\x07b\n", "holds a character that is no text"),
        ("start_frame,end_frame,confidence\n1,2,1.5\n", "line 2: the confidence 1.5 is not between 0 and 1"),
        ("start_frame,end_frame,confidence\n1,2,nan\n", "line 2: confidence is 'nan'"),
        ("start_frame,end_frame,label\n1,2," + "a" * 200_000 + "\n", "line 2: field larger"),
        ("start_s,end_s\n0.3,0.1\n", "line 2: the interval ends (0.1 s) before it starts (0.3 s)"),
        ("start_s,end_s\n-1,0.1\n", "line 2: -1 s is no time"),
        ("start_s,end_s\n0.1,inf\n", "line 2: end_s is 'inf'"),
        ("start_s,end_s\n0.1,1e400\n", "line 2: inf s is no time"),
        ("start_s,end_s\n0.1,1e300\n", "line 2: 1e+300 s lies beyond the end"),
        ("start_s,end_s\n0.1,12\n", "line 2: 12 s lies beyond the end of the video at 0.533 s"),
    ],
)
def test_bad_files(tmp_path: Path, content: str, said: str) -> None:
    """A typing error in a long table is found by its line."""
    path = tmp_path / "bad.csv"
    path.write_text(content)
    with pytest.raises(UserError) as caught:
        read_labels(path, PTS_S)
    assert said in str(caught.value)
    assert str(caught.value).startswith("bad.csv")
    assert "\n" not in str(caught.value)


def test_times_without_the_video(tmp_path: Path) -> None:
    path = tmp_path / "times.csv"
    path.write_text("start_s,end_s\n0.1,0.3\n")
    with pytest.raises(UserError, match=r"times.csv gives times and no frames: open it together with its video"):
        read_labels(path)


def test_writes_only_the_columns_it_has_facts_for(tmp_path: Path) -> None:
    path = tmp_path / "out.csv"
    write_labels(path, LabelSet((Interval(1, 4, "a;b"),)))
    assert path.read_text() == "start_frame,end_frame,label\n1,4,a;b\n"
    write_labels(path, LabelSet((Event(1, 4, "a", 0.25),)), PTS_S)
    assert path.read_text() == ("start_frame,end_frame,label,start_s,end_s,confidence\n1,4,a,0.033000,0.133000,0.25\n")
