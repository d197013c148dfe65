"""What people cut in LosslessCut are labels, to the frame, and its projects go there and back."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from core.cli import app
from core.edit_lists import write_edit_list
from core.errors import UserError
from core.intervals import Event, Interval
from core.labels import LabelSet, losslesscut, read_labels, write_labels
from core.video import Video
from tests.test_video import Film, write_film

PTS_S = np.arange(100) / 25

SAVED = """{
  version: 1,
  mediaFileName: 'park day.mp4',
  cutSegments: [
    {
      start: 0.4,
      end: 0.8,
      name: 'kickflip',
    },
    {
      start: 1.2,
      end: 1.6,
      name: 'Bob\\'s "ollie"',
      tags: {
        spot: 'ledge',
      },
    },
    {
      end: 0.12,
      name: '',
    },
    {
      start: 3.6,
      name: 'grind',
    },
  ],
}
"""
"""As LosslessCut writes it, with quotes only where they are needed and commas behind the last."""


def put(tmp_path: Path, content: str) -> Path:
    path = tmp_path / "park day-proj.llc"
    path.write_text(content, encoding="utf-8")
    return path


def segments(*bodies: str, version: int = 2) -> str:
    return f"{{ version: {version}, cutSegments: [ {', '.join('{' + body + '}' for body in bodies)} ] }}"


def read(tmp_path: Path, content: str, pts_s: np.ndarray = PTS_S) -> list[tuple[int, int, str]]:
    found = read_labels(put(tmp_path, content), pts_s).intervals
    return [(interval.start_frame, interval.end_frame, interval.label) for interval in found]


def test_a_saved_project(tmp_path: Path) -> None:
    """A segment ends before the frame that appears at its end."""
    assert read_labels(put(tmp_path, SAVED), PTS_S) == LabelSet(
        (
            Interval(0, 2, "trick"),
            Interval(10, 19, "kickflip"),
            Interval(30, 39, 'Bob\'s "ollie"'),
            Interval(90, 99, "grind"),
        ),
        name="park day.mp4",
    )


def test_the_video_is_needed(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"park day-proj\.llc gives times and no frames: open it together"):
        read_labels(put(tmp_path, SAVED))
    with pytest.raises(UserError, match="tells times and no frames: name the video"):
        write_labels(tmp_path / "new.llc", LabelSet((Interval(1, 2),)))
    assert not (tmp_path / "new.llc").exists()


@pytest.mark.parametrize(
    ("start", "end", "frames"),
    [
        (0.4, 0.44, (10, 10)),
        (0.4, 0.4, (10, 10)),
        (0.39, 0.45, (10, 10)),
        (0.41, 0.79, (10, 19)),
        (0.4000004, 0.7999996, (10, 19)),
        (0, 3.96, (0, 98)),
        (0, 3.97, (0, 99)),
        (0, 4, (0, 99)),
        (0, 4.9, (0, 99)),
        (3.96, 4, (99, 99)),
    ],
)
def test_moments_between_frames_go_to_the_nearest(
    tmp_path: Path, start: float, end: float, frames: tuple[int, int]
) -> None:
    """Also the end of sound that goes on after the last picture."""
    assert read(tmp_path, segments(f"start: {start}, end: {end}, name: 'a'")) == [(*frames, "a")]


def test_neighbours_share_no_frame(tmp_path: Path) -> None:
    """LosslessCut splits a segment in two at one moment: they stay two."""
    both = segments("start: 0, end: 1.003, name: 'a'", "start: 1.003, end: 2, name: 'a'")
    assert read(tmp_path, both) == [(0, 24, "a"), (25, 49, "a")]


def test_varying_rate(tmp_path: Path) -> None:
    uneven = np.array([0.0, 0.1, 0.11, 0.5, 0.52, 0.9])
    assert read(tmp_path, segments("start: 0.1, end: 0.5, name: 'a'"), uneven) == [(1, 2, "a")]
    assert read(tmp_path, segments("start: 0.5, end: 0.905, name: 'a'"), uneven) == [(3, 5, "a")]
    assert read(tmp_path, segments("start: 0, end: 0.04, name: 'a'"), np.zeros(1)) == [(0, 0, "a")]


def test_markers_are_passed_over_with_a_word(tmp_path: Path) -> None:
    labels = read_labels(put(tmp_path, segments("start: 1, name: 'spot'", "start: 2, end: 3, name: 'a'")), PTS_S)
    assert [interval.label for interval in labels.intervals] == ["a"]
    assert labels.warnings == ("park day-proj.llc has 1 marker(s), segments without an end, which were passed over.",)
    with pytest.raises(UserError, match="holds no labelled interval"):
        read_labels(put(tmp_path, segments("start: 1, name: 'spot'")), PTS_S)


def test_a_video_in_which_nothing_was_cut_has_no_labels(tmp_path: Path) -> None:
    """LosslessCut keeps a segment over all of it, which nobody set."""
    with pytest.raises(UserError, match="holds no labelled interval"):
        read_labels(put(tmp_path, segments("name: ''", version=1)), PTS_S)
    assert read(tmp_path, segments("name: 'line'", version=1)) == [(0, 99, "line")]


def test_a_newer_version_is_read_with_a_warning(tmp_path: Path) -> None:
    labels = read_labels(put(tmp_path, segments("start: 0, end: 1", version=7)), PTS_S)
    assert labels.intervals == (Interval(0, 24),)
    assert labels.warnings == (
        "park day-proj.llc is a project of another version of LosslessCut than those known: check the labels.",
    )


def test_what_else_stands_there_does_not_matter(tmp_path: Path) -> None:
    content = """// saved by hand
    { 'cutSegments': [
        /* colours */ {color: 3, segColorIndex: 0, selected: false, start: +.4, "end": 8e-1, name: ' kick\\\nflip ',
                       tags: {"events": "[]", "result": "x", confidence: 'rather sure'}},
    ], exportMode: {deep: [[1]]} }"""
    assert read_labels(put(tmp_path, content), PTS_S).intervals == (Interval(10, 19, "kickflip"),)


@pytest.mark.parametrize(
    ("segment", "said"),
    [
        ("start: NaN, end: 1", r"start is 'nan', which is not a number"),
        ("start: 1, end: Infinity", r"end is 'inf', which is not a number"),
        ("start: -1, end: 1", r"-1 s is no time in a video"),
        ("end: -1", r"-1 s is no time in a video"),
        ("start: 2, end: 1", r"it ends \(1 s\) before it starts \(2 s\)"),
        ("start: 7, end: 8", r"7 s lies beyond the end of the video at 4\.000 s"),
        ("start: 1, end: 8", r"8 s lies beyond the end of the video at 4\.000 s"),
        ("start: '1', end: 2", r"start is '1', which is not a number"),
        ("start: true, end: 2", r"start is 'True', which is not a number"),
        ("start: [1], end: 2", r"start is '\[1\]', which is not a number"),
        ("start: 0x" + "f" * 9000 + ", end: 2", r"start is a number that is too large"),
        ("start: 1" + "0" * 290 + ", end: 2", r"it ends \(2 s\) before it starts \(1e\+290 s\)"),
        ("start: 1, end: 2, name: 3", r"the name is not text"),
        ("start: 1, end: 2, name: '\\u0007'", r"holds a character that is no text"),
    ],
)
def test_segments_that_make_no_sense(tmp_path: Path, segment: str, said: str) -> None:
    content = segments("start: 0, end: 1, name: 'a'", segment, version=1)
    with pytest.raises(UserError, match=rf"^park day-proj\.llc, segment 2: .*{said}.*; correct it in LosslessCut"):
        read_labels(put(tmp_path, content), PTS_S)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("{\n version: 1,\n cutSegments: [}", r"is not whole JSON5 \(line 3\): save the project in LosslessCut again"),
        ("{ cutSegments: [ 1 2 ] }", r"is not whole JSON5 \(line 1\)"),
        ("{ cutSegments: ", "is not whole JSON5"),
        ("{ cutSegments: [] } x", "is not whole JSON5"),
        ("{ cutSegments: 3 }", "cutSegments that are not a list"),
        ("{ cutSegments: [ 3 ] }", r"segment 1: it is not an object with start, end and name"),
        ("// { cutSegments: []\n[1]", "is not the object that a LosslessCut project is"),
        ("{ cutSegments: " + "[" * 100_000, "is nested too deep"),
        ("{ cutSegments: [ 0x" + "f" * 9000 + " ] }", "segment 1: it is not an object"),
    ],
)
def test_files_that_are_no_project(tmp_path: Path, content: str, said: str) -> None:
    with pytest.raises(UserError, match=said) as caught:
        read_labels(put(tmp_path, content), PTS_S)
    assert "park day-proj.llc" in str(caught.value)
    assert len(str(caught.value)) < 300


def test_a_size_that_no_project_has(tmp_path: Path) -> None:
    path = put(tmp_path, SAVED)
    path.write_text(SAVED + " " * (17 << 20))
    with pytest.raises(UserError, match=r"has 17 MB, more than a LosslessCut project may have \(16 MB\)"):
        read_labels(path, PTS_S)


def test_written_as_losslesscut_reads_it(tmp_path: Path) -> None:
    labels = LabelSet((Interval(10, 19, "kickflip"), Interval(90, 99, "grind")), name="park day.mp4")
    write_labels(tmp_path / "a.llc", labels, PTS_S)
    assert json.loads((tmp_path / "a.llc").read_text()) == {
        "version": 2,
        "mediaFileName": "park day.mp4",
        "cutSegments": [
            {"start": 0.4, "end": 0.8, "name": "kickflip"},
            {"start": 3.6, "end": 4.0, "name": "grind"},
        ],
    }


@pytest.fixture(scope="module")
def videos(tmp_path_factory: pytest.TempPathFactory) -> list[Video]:
    """At a rate whose times no decimal tells exactly, and at a varying one."""
    folder = tmp_path_factory.mktemp("videos")
    uneven = np.cumsum(np.random.default_rng(5).integers(17, 60, 44)).tolist()
    films = [
        Film("", [n * 1001 for n in range(44)], Fraction(1, 30000), Fraction(30000, 1001)),
        Film("", uneven, Fraction(1, 1000)),
    ]
    for number, film in enumerate(films):
        write_film(film, folder / f"{number}.mp4")
    return [Video.open(folder / f"{number}.mp4") for number in range(len(films))]


def test_what_the_export_writes_comes_back(tmp_path: Path, videos: list[Video]) -> None:
    """Corrected in LosslessCut or not, the tricks are where they were."""
    for video in videos:
        clips = [Interval(0, 7, "kickflip"), Interval(8, 11, "heelflip"), Interval(20, 43, "tre flip")]
        write_edit_list("llc", clips, video, tmp_path / "a-proj.llc")
        back = read_labels(tmp_path / "a-proj.llc", video.pts_s)
        assert (back.intervals, back.name) == (tuple(clips), video.path.name)
        found = [Event(0, 7, "kickflip", 0.914), Event(20, 43, "tre flip", 1.0)]
        write_edit_list("llc", found, video, tmp_path / "a-proj.llc", stars={found[0]: 4})
        assert read_labels(tmp_path / "a-proj.llc", video.pts_s).intervals == tuple(found)


def test_the_command_converts_projects(tmp_path: Path, videos: list[Video]) -> None:
    video = videos[0]
    source = tmp_path / "0-proj.llc"
    source.write_text("{version: 2, cutSegments: [{start: 0.333667, end: 0.667333, name: 'ollie'},]}")
    table, again = tmp_path / "out.csv", tmp_path / "again.llc"
    told = CliRunner().invoke(app, ["convert", str(source), str(table), "--video", str(video.path)])
    assert (told.exit_code, "1 intervals written" in told.output) == (0, True)
    assert table.read_text().splitlines()[1].startswith("10,19,ollie,")
    told = CliRunner().invoke(app, ["convert", str(table), str(again), "--video", str(video.path)])
    assert told.exit_code == 0
    segment = json.loads(again.read_text())["cutSegments"][0]
    assert segment == {"start": 0.333667, "end": 0.667333, "name": "ollie"}
    told = CliRunner().invoke(app, ["convert", str(source), str(table)])
    assert told.exit_code != 0


@pytest.mark.parametrize(
    ("head", "is_project"),
    [
        (b"{cutSegments:[]}", True),
        (b"/* by hand */ { 'cutSegments' : []}", True),
        (b'{"version": 2, "cutSegments": [{"name": "events"}]}', True),
        (b'{"events": [{"label": "cutSegments: no"}]}', False),
        (b'{"note": "cutSegments", "events": []}', False),
        (b"start_s,end_s, cutSegments: \n", False),
        (b'[{"cutSegments": []}]', False),
        (b"{ uncutSegments: [] }", False),
    ],
)
def test_other_files_are_left_to_their_own_readers(head: bytes, is_project: bool) -> None:
    assert losslesscut.recognises(head) is is_project
