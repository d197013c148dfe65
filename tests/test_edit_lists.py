"""What an editor opens shows the found tricks, to the frame, at every rate that a camera has.

The lists are read back by OpenTimelineIO and its adapters, and by FFmpeg.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any, get_args
from xml.etree import ElementTree

import av
import numpy as np
import opentimelineio  # type: ignore[import-untyped]
import pytest

from core.clips import plan_clips
from core.edit_lists import EDIT_LISTS, EditList, EditListFormat, write_edit_list
from core.errors import UserError
from core.intervals import Event, Interval
from core.labels import read_labels
from core.settings import ClipSettings
from core.video import Video
from tests.test_video import Film, run_ffmpeg, write_film

N = 44
NTSC_FILM, NTSC, NTSC_60 = Fraction(24000, 1001), Fraction(30000, 1001), Fraction(60000, 1001)
RATES = [NTSC_FILM, Fraction(24), Fraction(25), NTSC, Fraction(30), Fraction(50), NTSC_60, Fraction(60), Fraction(120)]
EVENTS = [Event(0, 7, "kickflip", 0.914), Event(10, 11, "heelflip", 0.5), Event(20, N - 1, "tre flip", 0.25)]
UNEVEN = np.cumsum(np.random.default_rng(3).integers(17, 60, N)).tolist()  # ms
ADAPTERS = {"otio": "otio_json", "edl": "cmx_3600", "xmeml": "fcp_xml"}


@dataclass(frozen=True)
class Placed:
    """A clip as an editor has it, in frames."""

    start: int
    frames: int
    at: int
    """Where it begins on the timeline."""
    name: str


@pytest.fixture(scope="module")
def films(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A film a rate, and one of varying rate."""
    folder = tmp_path_factory.mktemp("films")
    for rate in RATES:
        step = rate.denominator
        write_film(Film("", [n * step for n in range(N)], Fraction(1, rate.numerator), rate), folder / _file(rate))
    write_film(Film("", UNEVEN, Fraction(1, 1000)), folder / "uneven.mp4")
    return folder


def _file(rate: Fraction) -> str:
    return f"{rate.numerator}_{rate.denominator}.mp4"


def _write(kind: EditListFormat, video: Video, folder: Path, events: Any = EVENTS, **more: Any) -> EditList:
    return write_edit_list(kind, events, video, folder / f"tricks{EDIT_LISTS[kind][0]}", **more)


def _lasting(films: Path, frames: int, rate: Fraction) -> Video:
    """A video of any length: the times are made up, and only the file behind it is short."""
    video = Video.open(films / _file(rate))
    pts_s = np.arange(frames) / float(rate)
    return Video(video.path, replace(video.info, duration_s=frames / float(rate)), None, pts_s)


def _read(written: EditList) -> list[Placed]:
    """By OpenTimelineIO; FCPXML by its own fractions, for its adapter cuts 29.97 to 29."""
    if written.format == "fcpxml":
        return list(_read_fcpxml(written.path))
    options = {"rate": float(written.rate or 0)} if written.format == "edl" else {}
    timeline = opentimelineio.adapters.read_from_file(
        str(written.path), adapter_name=ADAPTERS[written.format], **options
    )
    track = timeline.video_tracks()[0]
    return [
        Placed(
            clip.source_range.start_time.to_frames(),
            clip.source_range.duration.to_frames(),
            track.range_of_child(clip).start_time.to_frames(),
            clip.name,
        )
        for clip in track.find_clips()
    ]


def _read_fcpxml(path: Path) -> Iterator[Placed]:
    root = ElementTree.parse(path).getroot()
    formats = {item.get("id"): item for item in root.iter("format")}
    sequence = root.find(".//sequence")
    assert sequence is not None
    step = _seconds(formats[sequence.get("format")], "frameDuration")
    assets = {item.get("id") for item in root.iter("asset")}
    for clip in sequence.iter("asset-clip"):
        assert clip.get("ref") in assets
        assert clip.get("format") in formats
        start, length, at = (_seconds(clip, name) / step for name in ("start", "duration", "offset"))
        at -= _seconds(sequence, "tcStart") / step
        assert {start.denominator, length.denominator, at.denominator} == {1}, "Final Cut takes only whole frames"
        yield Placed(int(start), int(length), int(at), clip.get("name", ""))


def _seconds(element: ElementTree.Element, name: str) -> Fraction:
    return Fraction(element.get(name, "").removesuffix("s"))


## Timelines


@pytest.mark.parametrize("kind", ["otio", "edl", "xmeml", "fcpxml"])
@pytest.mark.parametrize("rate", RATES, ids=lambda rate: f"{float(rate):.5g}")
def test_cuts_are_exact_to_the_frame(films: Path, tmp_path: Path, kind: EditListFormat, rate: Fraction) -> None:
    written = _write(kind, Video.open(films / _file(rate)), tmp_path)
    half = 2 if rate > 60 and kind in ("edl", "fcpxml") else 1
    assert written.rate == rate / half
    placed = _read(written)
    assert [(clip.start * half, clip.frames * half) for clip in placed] == [(e.start_frame, e.frames) for e in EVENTS]
    assert [clip.at * half for clip in placed] == [0, 8, 10], "back to back"
    if kind != "edl":  # there a clip goes by the name of its file
        assert [clip.name for clip in placed] == [event.label for event in EVENTS]


@pytest.mark.parametrize("kind", ["otio", "edl", "xmeml", "fcpxml"])
def test_a_varying_rate_is_met_to_half_a_frame(films: Path, tmp_path: Path, kind: EditListFormat) -> None:
    video = Video.open(films / "uneven.mp4")
    assert video.info.variable_rate
    written = _write(kind, video, tmp_path)
    assert written.rate == 25, "the average is 26.1"
    for event, clip in zip(EVENTS, _read(written), strict=True):
        for frame, time_s in [
            (clip.start, video.pts_s[event.start_frame]),
            (clip.start + clip.frames, video.end_of(event.end_frame)),
        ]:
            assert abs(frame / 25 - (time_s - video.pts_s[0])) <= 0.5 / 25 + 1e-6
    assert any("varying frame rate" in note for note in written.notes)


@pytest.mark.parametrize(
    ("average", "timeline"),
    [
        (Fraction(15), Fraction(30)),
        (Fraction(25, 2), Fraction(25)),
        (Fraction(2997, 100), NTSC),
        (Fraction(59999, 1000), Fraction(60)),
        (Fraction(240), Fraction(120)),
    ],
)
def test_an_odd_rate_becomes_one_that_editors_have(
    films: Path, tmp_path: Path, average: Fraction, timeline: Fraction
) -> None:
    video = Video.open(films / _file(Fraction(30)))
    odd = Video(video.path, replace(video.info, average_rate=average), None, np.arange(N) / float(average))
    assert _write("otio", odd, tmp_path).rate == timeline


def test_an_edl_above_60_has_half_the_rate_and_says_how_far_off_it_is(films: Path, tmp_path: Path) -> None:
    video = Video.open(films / _file(Fraction(120)))
    # 5/120 s is half a frame of 60: the list cannot begin there.
    written = _write("edl", video, tmp_path, [Event(5, 8, "a"), Event(9, 9, "b"), Event(N - 1, N - 1, "c")])
    assert [(clip.start, clip.frames) for clip in _read(written)] == [(3, 2), (4, 1), (21, 1)]
    assert any("up to 8 ms off" in note for note in written.notes), "half a frame of 60"
    assert any("60 fps" in note for note in written.notes)


def test_an_edl_refuses_more_than_its_numbers_reach(films: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="999"):
        _write("edl", Video.open(films / _file(Fraction(25))), tmp_path, [Interval(1, 2)] * 1000)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("rate", "frame", "code"),
    # Worked out by hand: two numbers go every minute but each tenth, four at 59.94.
    [
        (NTSC, 1799, "00:00:59;29"),
        (NTSC, 1800, "00:01:00;02"),
        (NTSC, 17981, "00:09:59;29"),
        (NTSC, 17982, "00:10:00;00"),
        (NTSC, 107892, "01:00:00;00"),
        (NTSC_60, 3600, "00:01:00;04"),
        (NTSC_60, 35964, "00:10:00;00"),
        (NTSC_FILM, 14400, "00:10:00:00"),
        (Fraction(30), 18000, "00:10:00:00"),
        (Fraction(25), 15000, "00:10:00:00"),
        (Fraction(50), 90000 - 1, "00:29:59:49"),
    ],
)
def test_edl_timecodes_drop_numbers_where_they_must(
    films: Path, tmp_path: Path, rate: Fraction, frame: int, code: str
) -> None:
    written = _write("edl", _lasting(films, frame + 10, rate), tmp_path, [Interval(frame, frame + 4, "late")])
    text = written.path.read_text()
    assert f" {code} " in text
    assert ("FCM: DROP FRAME" in text) == (";" in code)
    assert ("FCM: NON-DROP FRAME" in text) == (";" not in code)
    assert [(clip.start, clip.frames) for clip in _read(written)] == [(frame, 5)]


@pytest.mark.parametrize("kind", ["otio", "edl", "xmeml", "fcpxml"])
@pytest.mark.parametrize(
    ("rate", "code", "first"),
    [(NTSC, "00:59:59;28", 107890), (NTSC, "01:00:00:02", 108002), (Fraction(25), "10:00:00:12", 900012)],
)
def test_the_timecode_of_the_camera_counts(
    films: Path, tmp_path: Path, kind: EditListFormat, rate: Fraction, code: str, first: int
) -> None:
    path = tmp_path / "camera.mov"
    run_ffmpeg("-i", films / _file(rate), "-c", "copy", "-timecode", code, path)
    written = _write(kind, Video.open(path), tmp_path)
    text = written.path.read_text()
    if kind == "edl" and ";" not in code and rate == NTSC:
        # Without FCM's word OpenTimelineIO takes every 29.97 for drop-frame, so the text itself has to do.
        assert "FCM: NON-DROP FRAME" in text
        assert " 01:00:00:02 01:00:00:10 01:00:00:00 01:00:00:08\n" in text
        return
    assert [(clip.start, clip.frames) for clip in _read(written)] == [
        (first + event.start_frame, event.frames) for event in EVENTS
    ]
    assert written.notes == () or kind == "edl"


def test_a_timecode_past_midnight_starts_anew(films: Path, tmp_path: Path) -> None:
    run_ffmpeg("-i", films / _file(Fraction(25)), "-c", "copy", "-timecode", "23:59:59:20", tmp_path / "camera.mov")
    written = _write("edl", Video.open(tmp_path / "camera.mov"), tmp_path, [Interval(2, 11)])
    assert " 23:59:59:22 00:00:00:07 " in written.path.read_text()


def test_a_file_that_starts_late_begins_at_its_first_frame(films: Path, tmp_path: Path) -> None:
    path = tmp_path / "late.ts"
    run_ffmpeg("-i", films / _file(Fraction(25)), "-c", "copy", "-output_ts_offset", 5, path)
    video = Video.open(path)
    assert video.info.start_s > 5
    assert [clip.start for clip in _read(_write("xmeml", video, tmp_path))] == [0, 10, 20]
    segments = json.loads(_write("llc", video, tmp_path).path.read_text())["cutSegments"]
    assert [segment["start"] for segment in segments] == [0, 0.4, 0.8]


def test_sound_that_begins_before_the_picture_moves_no_frame(films: Path, tmp_path: Path) -> None:
    video = Video.open(films / _file(Fraction(25)))
    late_s = 0.0213  # AAC puts so much ahead; it is more than half a frame
    late = Video(video.path, replace(video.info, duration_s=N / 25 + late_s), None, np.arange(N) / 25 + late_s)
    placed = _read(_write("otio", late, tmp_path))
    assert [(clip.start, clip.frames) for clip in placed] == [(event.start_frame, event.frames) for event in EVENTS]


def test_markers_tell_tricks_confidences_and_stars(films: Path, tmp_path: Path) -> None:
    video = Video.open(films / _file(Fraction(25)))
    [plan, _] = plan_clips(EVENTS, video, ClipSettings(clip_padding_s=0.04, merge_gap_s=0.1))
    assert (plan.start_frame, plan.end_frame, len(plan.events)) == (0, 12, 2)
    stars = {EVENTS[1]: 4}
    texts = ["confidence 0.91", "confidence 0.50, 4 of 5 stars"]

    timeline = opentimelineio.adapters.read_from_file(str(_write("otio", video, tmp_path, [plan], stars=stars).path))
    [clip] = timeline.find_clips()
    assert clip.name == "kickflip+heelflip"
    assert [(mark.name, mark.comment) for mark in clip.markers] == list(
        zip(["kickflip", "heelflip"], texts, strict=True)
    )
    assert [mark.marked_range.start_time.to_frames() for mark in clip.markers] == [0, 10]
    assert [mark.marked_range.duration.to_frames() for mark in clip.markers] == [8, 2]

    xml = _write("xmeml", video, tmp_path, [EVENTS[2], plan], stars=stars)
    timeline = opentimelineio.adapters.read_from_file(str(xml.path), adapter_name="fcp_xml")
    marks = timeline.tracks.markers
    assert [(m.name, m.marked_range.start_time.to_frames()) for m in marks] == [
        ("tre flip", 0), ("kickflip", 24), ("heelflip", 34),
    ]  # fmt: skip
    assert [mark.find("comment").text for mark in ElementTree.parse(xml.path).iter("marker")][1:] == texts  # type: ignore[union-attr]

    edl = _write("edl", video, tmp_path, [EVENTS[2], plan], stars=stars)
    timeline = opentimelineio.adapters.read_from_file(str(edl.path), adapter_name="cmx_3600", rate=25)
    locators = [mark for clip in timeline.find_clips() for mark in clip.markers]
    assert [mark.name for mark in locators][1:] == [f"kickflip ({texts[0]})", f"heelflip ({texts[1]})"]
    assert [mark.marked_range.start_time.to_frames() - 90000 for mark in locators] == [0, 24, 34]

    fcp = ElementTree.parse(_write("fcpxml", video, tmp_path, [plan], stars=stars).path)
    assert [(m.get("value"), m.get("note"), _seconds(m, "start")) for m in fcp.iter("marker")] == [
        ("kickflip", texts[0], 0), ("heelflip", texts[1], Fraction(10, 25)),
    ]  # fmt: skip


def test_sound_comes_along(films: Path, tmp_path: Path) -> None:
    path = tmp_path / "sound.mp4"
    tone = ("-f", "lavfi", "-i", "sine=duration=2", "-ac", 2, "-c:v", "copy", "-c:a", "aac", "-shortest")
    run_ffmpeg("-i", films / _file(Fraction(25)), *tone, path)
    video = Video.open(path)
    for kind in ("otio", "edl", "xmeml"):
        options = {"rate": 25} if kind == "edl" else {}
        timeline = opentimelineio.adapters.read_from_file(
            str(_write(kind, video, tmp_path).path), adapter_name=ADAPTERS[kind], **options
        )
        heard = timeline.audio_tracks()
        assert heard, kind
        for track in heard:
            ranges = [(c.source_range.start_time.to_frames(), c.source_range.duration.to_frames()) for c in track]
            assert ranges == [(e.start_frame, e.frames) for e in EVENTS]
    asset = ElementTree.parse(_write("fcpxml", video, tmp_path).path).find(".//asset")
    assert asset is not None
    assert asset.get("audioChannels") == "2"


## Times


@pytest.mark.parametrize("film", [*map(_file, RATES), "uneven.mp4"])
def test_losslesscut_gets_the_seconds_of_the_player(films: Path, tmp_path: Path, film: str) -> None:
    video = Video.open(films / film)
    project = json.loads(_write("llc", video, tmp_path, stars={EVENTS[0]: 5}).path.read_text())
    assert project["version"] == 2
    assert project["mediaFileName"] == film
    for event, segment in zip(EVENTS, project["cutSegments"], strict=True):
        assert segment["start"] == pytest.approx(video.pts_s[event.start_frame], abs=1e-6)
        assert segment["end"] == pytest.approx(video.end_of(event.end_frame), abs=1e-6)
        assert segment["name"] == event.label
    assert project["cutSegments"][0]["tags"] == {"label": "kickflip", "confidence": "0.914", "stars": "5"}


@pytest.mark.parametrize("film", [*map(_file, RATES), "uneven.mp4"])
def test_ffmpeg_puts_the_chapters_into_a_file(films: Path, tmp_path: Path, film: str) -> None:
    video = Video.open(films / film)
    written = _write("ffmetadata", video, tmp_path)
    out = tmp_path / "chapters.mkv"
    run_ffmpeg("-i", video.path, "-f", "ffmetadata", "-i", written.path, "-map_chapters", 1, "-c", "copy", out)
    with av.open(str(out)) as container:
        chapters = container.chapters()
    assert [chapter["metadata"]["title"] for chapter in chapters] == [event.label for event in EVENTS]
    for event, chapter in zip(EVENTS, chapters, strict=True):
        base = chapter["time_base"] or Fraction(0)
        assert float(chapter["start"] * base) == pytest.approx(video.pts_s[event.start_frame], abs=0.0011)
        assert float(chapter["end"] * base) == pytest.approx(video.end_of(event.end_frame), abs=0.0011)


def test_chapters_never_overlap(films: Path, tmp_path: Path) -> None:
    events = [Interval(0, 9, "a"), Interval(5, 12, "b"), Interval(5, 20, "c")]
    text = _write("ffmetadata", Video.open(films / _file(Fraction(25))), tmp_path, events).path.read_text()
    assert [line for line in text.splitlines() if line.startswith(("START", "END", "title"))] == [
        "START=0", "END=200000", "title=a", "START=200000", "END=840000", "title=b, c",
    ]  # fmt: skip


def _at(second: float, label: str) -> Interval:
    return Interval(round(second * 25), round(second * 25) + 20, label)


def test_youtube_chapters_keep_its_rules(films: Path, tmp_path: Path) -> None:
    video = _lasting(films, 25 * 4000, Fraction(25))
    # 12.9 s is cut off to 12 and not rounded; 21.5 is too close to it; 3995 too close to the end.
    events = [_at(3995, "last"), _at(12.9, "a"), _at(21.5, "b"), _at(75, "c"), _at(3661, "d")]
    written = _write("chapters", video, tmp_path, events)
    assert written.path.read_text() == "0:00 Start\n0:12 a, b\n1:15 c\n1:01:01 d, last\n"
    assert written.notes == ()
    written = _write("chapters", video, tmp_path, [_at(3, "first"), _at(9, "second"), _at(10, "a"), _at(30, "b")])
    assert written.path.read_text() == "0:00 first, second\n0:10 a\n0:30 b\n"


@pytest.mark.parametrize(
    ("seconds", "starts"),
    [(29, [0, 10, 20]), (60, [30]), (60, [2, 30]), (60, [20, 22, 55])],
    ids=["too short", "one trick", "two chapters", "the last is too short"],
)
def test_youtube_rules_that_cannot_be_met_are_told(
    films: Path, tmp_path: Path, seconds: int, starts: list[int]
) -> None:
    events = [_at(start, f"trick {start}") for start in starts]
    written = _write("chapters", _lasting(films, 25 * seconds, Fraction(25)), tmp_path, events)
    assert "no chapters" in written.notes[0]
    assert written.path.read_text() == "".join(f"0:{start:02d} trick {start}\n" for start in starts)


def test_a_table_tells_frames_seconds_and_timecodes(films: Path, tmp_path: Path) -> None:
    video = Video.open(films / _file(NTSC))
    path = _write("csv", video, tmp_path, stars={EVENTS[1]: 3}).path
    rows = list(csv.DictReader(path.open(newline="")))
    assert rows[1] == {
        "name": "30000_1001_02_heelflip", "start_frame": "10", "end_frame": "11", "start_s": "0.333667",
        "end_s": "0.367033", "duration_s": "0.066733", "in_timecode": "00:00:00;10", "out_timecode": "00:00:00;12",
        "label": "heelflip", "confidence": "0.5", "stars": "3",
    }  # fmt: skip
    assert [row["stars"] for row in rows] == ["", "3", ""]
    assert list(read_labels(path, video.pts_s).intervals) == EVENTS


## Names from outside

HOSTILE = [
    "new\nline\r\n999  AX V C 00:00:00:00 00:00:00:01 00:00:00:00 00:00:00:01",
    "</name><file>&amp;<![CDATA[ \"'",
    "nul\0 esc\x1b \x0b\x0c\x85\u2028\u2029 half \ud800 \uffff \u202eturned",
    '=HYPERLINK("http://a")',
    "a;b#c=d\\e\n[CHAPTER]",
    "0:00 <b>",
    " \n ",
    "трюк 🛹 三",
    "x" * 5000,
]


@pytest.mark.parametrize("kind", get_args(EditListFormat))
def test_hostile_names_do_no_harm(films: Path, tmp_path: Path, kind: EditListFormat) -> None:
    path = tmp_path / "a<b>&\n\"'#;=% 三.mp4"
    path.write_bytes((films / _file(Fraction(25))).read_bytes())
    events = [Event(2 * n, 2 * n + 1, label, 0.5) for n, label in enumerate(HOSTILE)]
    written = _write(kind, Video.open(path), tmp_path, events)
    text = written.path.read_text(encoding="utf-8")
    assert not {*text} & {*"\0\x1b\x0b\x0c\x85\u2028\u2029\u202e\uffff\r"}
    if kind in (*ADAPTERS, "fcpxml"):
        assert [(clip.start, clip.frames) for clip in _read(written)] == [(2 * n, 2) for n in range(len(HOSTILE))]
    if kind in ("otio", "xmeml", "fcpxml"):
        names = [clip.name for clip in _read(written)]
        assert names[1] == HOSTILE[1]
        assert names[2] == "nul esc half turned"
        assert names[6] == "trick"
        assert names[7] == HOSTILE[7]
        assert path.as_uri() in text
    if kind == "edl":
        assert len(text.splitlines()) == 3 + 3 * len(HOSTILE)
    if kind == "ffmetadata":
        out = tmp_path / "out.mkv"
        run_ffmpeg("-i", path, "-f", "ffmetadata", "-i", written.path, "-map_chapters", 1, "-c", "copy", out)
        with av.open(str(out)) as container:
            titles = [chapter["metadata"]["title"] for chapter in container.chapters()]
        assert titles[4] == "a;b#c=d\\e [CHAPTER]"
        assert len(titles) == len(HOSTILE)
    if kind == "chapters":
        assert not {*text} & {*"<>"}
        assert "0.00 ‹b›" in text
    if kind == "csv":
        assert not any(cell.startswith(("=", "+", "-", "@")) for row in csv.reader(text.splitlines()) for cell in row)
    if kind == "llc":
        assert json.loads(text)["mediaFileName"] == path.name


## Mistakes


@pytest.mark.parametrize("kind", get_args(EditListFormat))
def test_mistakes_are_told_and_nothing_is_written(films: Path, tmp_path: Path, kind: EditListFormat) -> None:
    video = Video.open(films / _file(Fraction(25)))
    with pytest.raises(UserError, match="choose some first"):
        _write(kind, video, tmp_path, [])
    with pytest.raises(UserError, match="belong to this video"):
        _write(kind, video, tmp_path, [Interval(N, N + 3, "late")])
    with pytest.raises(UserError, match="footage itself"):
        write_edit_list(kind, EVENTS, video, video.path)
    assert not list(tmp_path.iterdir())
    assert _write(kind, video, tmp_path, [Interval(N - 5, N + 3)]).entries == 1, "what runs over the end is cut there"


def test_footage_that_is_gone_is_told(films: Path, tmp_path: Path) -> None:
    path = tmp_path / "gone.mp4"
    path.write_bytes((films / _file(Fraction(25))).read_bytes())
    video = Video.open(path)
    path.unlink()
    with pytest.raises(UserError, match="bring it back"):
        _write("otio", video, tmp_path)


def test_the_editor_may_find_the_video_elsewhere(films: Path, tmp_path: Path) -> None:
    video = Video.open(films / _file(Fraction(25)))
    written = _write("otio", video, tmp_path, media_path="/Volumes/Card 1/GX01.MP4")
    assert "file:///Volumes/Card%201/GX01.MP4" in written.path.read_text()
