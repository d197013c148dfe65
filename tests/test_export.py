"""Exporting leaves what was asked for in one folder: nothing else is touched there, nothing is cut twice, and the
manifest says what is what."""

from __future__ import annotations

import json
import re
import shutil
import signal
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from PIL import Image

import core.export.pieces
from core import ffmpeg, sighting
from core.animations import write_animation
from core.clips import ClipPlan, clip_name
from core.content import content_id
from core.edit_lists import EDIT_LISTS
from core.errors import Cancelled, UserError
from core.export import Export, Skater, export
from core.export.names import clip_names
from core.framing import Aspect
from core.intervals import Event, Interval
from core.labels import read_labels
from core.settings import (
    DEFAULT_NAME,
    EXPORT_KINDS,
    ClipSettings,
    CutMode,
    ExportKind,
    ExportSettings,
    FramingSettings,
    ReelSettings,
)
from core.timecode import clock
from core.video import Video
from core.workspace import Workspace
from sample_data.make_session import Session
from tests.conftest import Command, Looked, Trickline

LISTS = tuple(kind for kind in EXPORT_KINDS if kind in EDIT_LISTS)
SMALL_REEL = ReelSettings(preset="short", target_s=4, replay=False)
EVENTS = (Event(60, 75, "ollie", 0.75), Event(150, 160, "kick/flip", 0.5))


@pytest.fixture(scope="module")
def footage(tmp_path_factory: pytest.TempPathFactory) -> Video:
    """Eight seconds of a test picture with a tone; nobody is in it."""
    path = tmp_path_factory.mktemp("footage") / "Park day.mp4"
    picture = ["-f", "lavfi", "-i", "testsrc2=size=192x108:rate=30:duration=8"]
    tone = ["-f", "lavfi", "-i", "sine=duration=8"]
    ffmpeg.run([*picture, *tone, "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-g", "30", str(path)], 240)
    return Video.open(path)


def quick(*kinds: ExportKind, aspect: Aspect = "source", mode: CutMode = "exact", **more: Any) -> ExportSettings:
    """A clip for each event, nearly without padding."""
    clips = ClipSettings(mode=mode, clip_padding_s=0.1, merge_gap_s=0)
    return ExportSettings(kinds=kinds or ("clips",), framing=FramingSettings(aspect=aspect), **{"clips": clips, **more})


def write(video: Video, events: Sequence[Interval], out: Path, settings: ExportSettings, **more: Any) -> Export:
    return export(video, content_id(video.path), events, out, settings, **more)


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def told(done: Export) -> dict[str, Any]:
    assert done.manifest
    manifest: dict[str, Any] = json.loads(done.manifest.read_text())
    return manifest


def frames_in(path: Path) -> int:
    with av.open(str(path)) as container:
        return sum(1 for _ in container.decode(video=0))


# What is written


def test_every_kind_of_file_is_written_and_told(footage: Video, tmp_path: Path) -> None:
    """A program finds in the manifest which file shows what, without opening any."""
    out = tmp_path / "out"
    done = write(footage, EVENTS, out, quick(*EXPORT_KINDS, reel=SMALL_REEL))
    assert names_in(out) == [
        "Park-day-proj.llc", "Park-day.csv", "Park-day.edl", "Park-day.fcpxml", "Park-day.ffmetadata", "Park-day.otio",
        "Park-day.xml", "Park-day_01_ollie.gif", "Park-day_01_ollie.jpg", "Park-day_01_ollie.mp4",
        "Park-day_01_ollie.webp", "Park-day_02_kick-flip.gif", "Park-day_02_kick-flip.jpg",
        "Park-day_02_kick-flip.mp4", "Park-day_02_kick-flip.webp", "Park-day_chapters.txt", "Park-day_contact.jpg",
        "Park-day_export.json", "Park-day_reel.mp4",
    ]  # fmt: skip
    manifest = told(done)
    assert (manifest["video"], manifest["earlier"]) == ("Park day.mp4", [])
    kinds = [
        "clips", "clips", "reel", "gif", "gif", "webp", "webp", "poster", "poster", "contact", *LISTS,
    ]  # fmt: skip
    assert sorted(file["kind"] for file in manifest["files"]) == sorted(kinds)
    for file in manifest["files"]:
        assert file["size"] == (out / file["name"]).stat().st_size
    first, second = (file for file in manifest["files"] if file["kind"] == "clips")
    assert (first["label"], first["confidence"], second["label"], second["confidence"]) == (
        "ollie", 0.75, "kick/flip", 0.5,
    )  # fmt: skip
    assert (first["start_frame"], first["end_frame"]) == (57, 78)  # a tenth of a second is three frames
    assert (first["start_s"], first["end_s"]) == pytest.approx((57 / 30, 79 / 30))
    assert frames_in(out / first["name"]) == 22
    printed = done.to_json()
    assert [file["kind"] for file in printed["files"]] == [*kinds, "manifest"]
    assert [Path(clip["path"]).suffix for clip in printed["clips"]] == [".mp4", ".mp4"]
    for file in printed["files"]:
        assert {"kind", "path", "start_s", "end_s", "size"} <= file.keys()
        assert Path(file["path"]).stat().st_size == file["size"]
    assert read_labels(out / "Park-day.csv").intervals[0].start_frame == 57
    assert any("open it at 30 fps" in note for note in done.notes)


def test_a_fast_clip_says_what_it_really_shows(footage: Video, tmp_path: Path) -> None:
    first, _ = write(footage, EVENTS, tmp_path / "out", quick(mode="fast")).files
    assert (first.start_frame, first.start_s, first.wanted_start_s) == (30, 1.0, 57 / 30)
    again, _ = write(footage, EVENTS, tmp_path / "out", quick(mode="fast")).files
    assert again == first


def test_animations_show_the_planned_time_in_the_whole_picture(footage: Video, tmp_path: Path) -> None:
    """Chats show them small: a crop would only take away."""
    out, steps = tmp_path / "out", list[float]()
    done = write(footage, EVENTS, out, quick("gif", "webp", aspect="9:16"), progress=steps.append)
    assert [(file.kind, file.start_frame, file.end_frame, file.crop) for file in done.files] == [
        ("gif", 57, 78, None), ("gif", 147, 163, None), ("webp", 57, 78, None), ("webp", 147, 163, None),
    ]  # fmt: skip
    for file in done.files:
        with Image.open(out / file.name) as image:
            assert image.size == (192, 108)
            stands = 0
            for number in range(getattr(image, "n_frames", 1)):
                image.seek(number)
                image.load()  # a WebP tells how long a frame stands once it is decoded
                stands += image.info["duration"]
        assert stands / 1000 == pytest.approx(file.end_s - file.start_s, abs=0.02)
    assert steps == sorted(steps)
    assert steps[-1] == 1


def test_the_contact_sheet_has_all_its_pages(footage: Video, tmp_path: Path) -> None:
    """Also one of whose pages somebody's picture has the name, and with an event that is said to end too late."""
    out = tmp_path / "out"
    out.mkdir()
    (out / "Park-day_contact-2.jpg").write_text("mine")
    many = [Interval(frame, frame + 1) for frame in range(0, 200, 5)]
    for _ in range(2):
        done = write(footage, [*many, Interval(230, 400)], out, quick("contact"))
    assert done.files[0].name == "Park-day_contact.jpg"
    assert len(done.files) == 2
    assert (out / "Park-day_contact-2.jpg").read_text() == "mine"
    assert sorted([*(file.name for file in done.files), "Park-day_contact-2.jpg", "Park-day_export.json"]) == (
        names_in(out)
    )
    for file in done.files:
        assert (file.kind, file.start_frame, file.end_frame) == ("contact", 0, 239)
        with Image.open(out / file.name) as page:
            assert page.width == 1600


@pytest.mark.parametrize("skater", [None, Skater.nowhere()], ids=["not looked for", "not found"])
def test_a_crop_of_footage_without_a_person_stays_in_the_middle(
    footage: Video, tmp_path: Path, skater: Skater | None
) -> None:
    done = write(footage, EVENTS, tmp_path / "out", quick("clips", "poster", aspect="1:1"), skater=skater)
    for file in done.files:
        assert file.crop
        assert (file.crop.width, file.crop.height, file.crop.x) == (108, 108, (42.0, 42.0))
    assert len(done.notes) == 4
    assert all("the crop stays in the middle" in note for note in done.notes)


def test_a_poster_shows_the_peak_in_the_shape_of_the_clip(footage: Video, tmp_path: Path) -> None:
    """Frame 70 of the likelier of two tricks that share a clip, not their middle."""
    heights = pd.DataFrame({"frame": [62, 66, 70, 74], "hop_feet": [0.0, 0.3, 0.6, 0.1], "hop_ankle": np.nan})
    skater = Skater(Skater.nowhere().bodies, heights)
    both = quick("poster", "clips", clips=ClipSettings(clip_padding_s=0.1))
    poster, clip = write(footage, EVENTS, tmp_path, both, skater=skater).files
    assert (poster.start_frame, poster.end_frame, poster.label) == (70, 70, "ollie+kick/flip")
    assert clip.start_frame < 70 < clip.end_frame
    shown = cv2.imread(str(tmp_path / poster.name))
    assert shown is not None
    unlike = {
        picture.index: np.abs(shown.astype(int) - picture.rgb(192, 108)[..., ::-1]).mean()
        for picture in footage.pictures(1, 65, 76)
    }
    assert min(unlike, key=lambda frame: unlike[frame]) == 70
    [square] = write(
        footage, EVENTS, tmp_path / "square", quick("poster", clips=both.clips, aspect="1:1"), skater=skater
    ).files
    with Image.open(tmp_path / "square" / square.name) as image:
        assert image.size == (108, 108)


def test_from_take_off_to_landing() -> None:
    """What a replay shows: not the run-up, and not beyond the trick."""
    frames = np.arange(100, 140, 2)
    hop = np.interp(frames, [110, 116, 120, 126], [0.0, 0.5, 0.5, 0.0])
    table = pd.DataFrame({"frame": frames, "hop_feet": hop, "hop_ankle": hop})
    skater = Skater(Skater.nowhere().bodies, table)
    assert skater.air(Interval(100, 138, "ollie")) == Interval(110, 126, "ollie")
    assert skater.air(Interval(114, 118, "ollie")) == Interval(114, 118, "ollie")
    assert skater.air(Interval(100, 108, "ollie")) == Interval(100, 108, "ollie")
    assert skater.peak(Interval(100, 108, "ollie")) == 104
    assert skater.peak(Interval(100, 138, "ollie")) in (116, 118, 120)


def test_a_clip_too_long_for_an_animation_stops_nothing(
    footage: Video, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(core.export.pieces, "write_animation", partial(write_animation, max_bytes=3000))
    done = write(footage, EVENTS, tmp_path / "out", quick("gif", "clips"))
    assert [file.kind for file in done.files] == ["clips", "clips"]
    assert len(done.notes) == 2
    assert re.fullmatch(r"Park-day_01_ollie\.gif: 0\.7 s of .* do not fit into 0\.0 MB .*\.", done.notes[0])


def test_a_kind_that_is_named_twice_is_made_once(footage: Video, tmp_path: Path) -> None:
    done = write(footage, EVENTS, tmp_path, quick("csv", "edl", "csv"))
    assert [file.kind for file in done.files] == ["csv", "edl"]


def test_no_events_write_nothing(footage: Video, tmp_path: Path) -> None:
    done = write(footage, [], tmp_path / "out", quick(*EXPORT_KINDS))
    assert (done.files, done.manifest, done.notes) == ((), None, ("There are no tricks of Park day.mp4 to export.",))
    assert not (tmp_path / "out").exists()


# What is there already


def test_finished_clips_are_not_cut_again(footage: Video, tmp_path: Path) -> None:
    out = tmp_path / "out"
    first = write(footage, EVENTS, out, quick())
    before = {clip.name: (out / clip.name).stat().st_mtime_ns for clip in first.clips}
    damaged, whole = (clip.name for clip in first.clips)
    (out / damaged).write_bytes((out / damaged).read_bytes()[:-1])
    again = write(footage, EVENTS, out, quick())
    assert again.files == first.files
    after = {name: (out / name).stat().st_mtime_ns for name in before}
    assert after[whole] == before[whole]
    assert after[damaged] > before[damaged]
    assert frames_in(out / damaged) == 22


@pytest.mark.parametrize(
    "other",
    [
        (quick(clips=ClipSettings(clip_padding_s=0.2, merge_gap_s=0)), EVENTS),
        (quick(mode="fast"), EVENTS),
        (quick(aspect="1:1"), EVENTS),
        (quick(clips=ClipSettings(clip_padding_s=0.1, merge_gap_s=0, encoder="hardware")), EVENTS),
        (quick(), (Event(61, 75, "ollie", 0.75), *EVENTS[1:])),
    ],
    ids=["padding", "mode", "shape", "encoder", "events"],
)
def test_another_plan_is_cut_anew(
    footage: Video, tmp_path: Path, other: tuple[ExportSettings, Sequence[Interval]]
) -> None:
    options, events = other
    old, _ = write(footage, EVENTS, tmp_path / "out", quick()).files
    new, _ = write(footage, events, tmp_path / "out", options).files
    assert new.name == old.name
    assert new.plan != old.plan
    assert frames_in(tmp_path / "out" / new.name) == new.end_frame - new.start_frame + 1


@pytest.mark.parametrize("kinds", [("clips",), ("gif", "contact")])
def test_a_stopped_export_carries_on(footage: Video, tmp_path: Path, kinds: tuple[ExportKind, ...]) -> None:
    """Of an hour of clips those that were finished before Ctrl-C stay, also one that was finished while it stopped."""
    out, steps, settings = tmp_path / "out", list[float](), quick(*kinds)
    many = [Interval(start, start + 6, "ollie") for start in range(10, 230, 20)]
    first = out / f"Park-day_01_ollie{'.mp4' if 'clips' in kinds else '.gif'}"
    with pytest.raises(Cancelled):
        write(footage, many, out, settings, cancelled=first.exists)
    finished = {path: path.stat().st_mtime_ns for path in out.glob(f"*{first.suffix}")}
    assert 0 < len(finished) < len(many)
    done = write(footage, many, out, settings, progress=steps.append)
    assert {path: path.stat().st_mtime_ns for path in finished} == finished
    assert names_in(out) == sorted([*(file.name for file in done.files), "Park-day_export.json"])
    assert len(list(out.glob(f"*{first.suffix}"))) == len(many)
    assert steps == sorted(steps)
    assert steps[-1] == 1
    first.write_bytes(b"damaged")
    write(footage, many, out, settings)
    assert frames_in(first) > 1


def test_where_the_disk_is_full_in_the_middle_the_finished_clips_stay(footage: Video, disk: Path) -> None:
    many = [Interval(start, start + 6, "ollie") for start in range(10, 230, 20)]
    with pytest.raises(UserError, match="the disk is full"):
        write(footage, many, disk, quick())
    there = [Video.open(path).n_frames for path in disk.glob("*.mp4")]
    assert 0 < len(there) < len(many)
    assert set(there) == {13}
    assert not list(disk.glob(".*"))


def test_missing_music_is_said_before_the_work(footage: Video, tmp_path: Path) -> None:
    reel = ReelSettings(preset="short", target_s=4, replay=False, music=str(tmp_path / "song.mp3"))
    with pytest.raises(UserError, match=r"song\.mp3"):
        write(footage, EVENTS, tmp_path / "out", quick("clips", "reel", reel=reel))
    assert not (tmp_path / "out").exists()


def test_two_exports_into_one_folder_know_each_other(footage: Video, tmp_path: Path) -> None:
    """Two terminals, and the folder that both take by default."""
    wait = True

    def other() -> bool:
        nonlocal wait
        if wait:
            wait = False
            write(footage, EVENTS[1:], tmp_path, quick(name="b"))
        return False

    write(footage, EVENTS[:1], tmp_path, quick(name="a"), cancelled=other)
    assert names_in(tmp_path) == ["Park-day_export.json", "a.mp4", "b.mp4"]
    for name, events in (("a", EVENTS[:1]), ("b", EVENTS[1:])):
        before = (tmp_path / f"{name}.mp4").stat().st_mtime_ns
        write(footage, events, tmp_path, quick(name=name))
        assert (tmp_path / f"{name}.mp4").stat().st_mtime_ns == before
    assert len(names_in(tmp_path)) == 3


def test_what_an_older_version_exported_is_made_anew_in_its_place(footage: Video, tmp_path: Path) -> None:
    done = write(footage, EVENTS, tmp_path, quick())
    assert done.manifest
    old = json.loads(done.manifest.read_text())
    old["trickline_export"] = 1
    del old["begun"]
    for file in old["files"]:
        del file["plan"]["encoder"]
    done.manifest.write_text(json.dumps(old))
    before = names_in(tmp_path)
    again = write(footage, EVENTS, tmp_path, quick())
    assert names_in(tmp_path) == before
    assert told(again)["trickline_export"] > 1


@pytest.mark.parametrize(
    ("kinds", "name"), [(("poster", "contact"), "{session}_contact"), (("clips", "reel"), "{session}_reel")]
)
def test_a_clip_never_takes_the_name_of_an_overview(
    footage: Video, tmp_path: Path, kinds: tuple[ExportKind, ...], name: str
) -> None:
    settings = quick(*kinds, name=name, reel=SMALL_REEL)
    with pytest.raises(UserError, match="Two files would be called"):
        write(footage, EVENTS[:1], tmp_path / "out", settings)


def test_a_table_names_the_clips_as_they_are_called(footage: Video, tmp_path: Path) -> None:
    (tmp_path / "trick-1.mp4").write_text("mine")
    done = write(footage, EVENTS, tmp_path, quick("clips", "csv", name="trick-{index}"))
    rows = (tmp_path / "Park-day.csv").read_text().splitlines()[1:]
    assert [row.split(",")[0] for row in rows] == [Path(clip.name).stem for clip in done.clips]
    assert done.clips[0].name != "trick-1.mp4"


def test_what_a_killed_export_left_is_known_as_its_own(footage: Video, tmp_path: Path) -> None:
    """The computer may go off between a clip and the note that it is finished."""
    done = write(footage, EVENTS, tmp_path, quick())
    assert done.manifest
    known = json.loads(done.manifest.read_text())
    last = known["files"].pop()["name"]
    known["begun"] = [last]
    done.manifest.write_text(json.dumps(known))
    (tmp_path / last).write_bytes(b"half")
    again = write(footage, EVENTS, tmp_path, quick())
    assert [file.name for file in again.files] == [file.name for file in done.files]
    assert frames_in(tmp_path / last) == again.files[1].end_frame - again.files[1].start_frame + 1
    assert told(again)["begun"] == []


def test_where_one_clip_fails_the_finished_ones_stay(footage: Video, tmp_path: Path) -> None:
    """The footage is moved away after the first clip."""
    own, out = Video.open(shutil.copy(footage.path, tmp_path / "park.mp4")), tmp_path / "out"
    many = [Interval(start, start + 6, "ollie") for start in range(10, 230, 20)]

    def moved() -> bool:
        if (out / "park_01_ollie.mp4").exists():
            own.path.rename(tmp_path / "elsewhere.mp4") if own.path.exists() else None
        return False

    with pytest.raises(UserError, match=r"park\.mp4 is gone: bring it back and cut again\."):
        write(own, many, out, quick(), cancelled=moved)
    there = sorted(path.name for path in out.glob("*.mp4"))
    assert 0 < len(there) < len(many)
    assert sorted(file["name"] for file in json.loads((out / "park_export.json").read_text())["files"]) == there
    assert not [name for name in names_in(out) if ".part" in name]


def test_fewer_tricks_and_then_all_again(footage: Video, tmp_path: Path) -> None:
    """What an export leaves out is still known as its own."""
    out = tmp_path / "out"
    write(footage, EVENTS, out, quick())
    before = (out / "Park-day_02_kick-flip.mp4").stat().st_mtime_ns
    fewer = told(write(footage, EVENTS[:1], out, quick()))
    assert [len(fewer["files"]), len(fewer["earlier"])] == [1, 1]
    write(footage, EVENTS, out, quick())
    assert (out / "Park-day_02_kick-flip.mp4").stat().st_mtime_ns == before
    assert len(names_in(out)) == 3


def test_files_of_others_are_never_written_over(footage: Video, tmp_path: Path) -> None:
    """Footage, labels and notes may lie in the folder, under any name."""
    out = tmp_path / "out"
    out.mkdir()
    mine = ["Park-day_01_ollie.mp4", "Park-day.csv", "Park-day_export.json"]
    for name in mine:
        (out / name).write_text("{}")
    for _ in range(2):
        done = write(footage, EVENTS, out, quick("clips", "csv"))
    assert [(out / name).read_text() for name in mine] == ["{}"] * 3
    assert len(names_in(out)) == 3 + 4
    assert {file.name for file in done.files}.isdisjoint(mine)


def test_the_footage_itself_is_never_written_over(footage: Video, tmp_path: Path) -> None:
    own = Video.open(shutil.copy(footage.path, tmp_path / "park.mp4"))
    write(own, EVENTS[:1], tmp_path, quick(name="{session}"))
    assert own.path.read_bytes() == footage.path.read_bytes()
    assert len(list(tmp_path.glob("park-*.mp4"))) == 1


@pytest.mark.parametrize("content", ["[]", '{"trickline_export": 1, "files": [{"name": "../x"}]}', "\x00", "[" * 90000])
def test_a_damaged_manifest_is_no_harm(footage: Video, tmp_path: Path, content: str) -> None:
    (tmp_path / "Park-day_export.json").write_text(content)
    done = write(footage, EVENTS[:1], tmp_path, quick("otio"))
    assert told(done)["files"][0]["name"] == "Park-day.otio"
    assert (tmp_path / "Park-day_export.json").read_text() == content


# Names


def plan(label: str, start_s: float = 72.5) -> ClipPlan:
    return ClipPlan(1, 2, start_s, start_s + 1, (Interval(1, 2, label),))


@pytest.mark.parametrize("label", ["ollie", "../../etc/passwd", "／ｅｔｃ", "{index}", "--help", "a" * 500, "宙" * 300])
@pytest.mark.parametrize("video", ["park.mp4", "Park day 2.MOV", "-rf.mp4", "{label}.mp4"])
def test_the_usual_names(video: str, label: str) -> None:
    assert clip_names(DEFAULT_NAME, Path(video), [plan(label)]) == [clip_name(Path(video), 1, label)]


@pytest.mark.parametrize(
    ("template", "name"),
    [
        ("{start} {label}", "1-12.50 kick-flip.mp4"),
        ("{index}{index:03d}{index:3}", "1001  1.mp4"),
        ("best of {session} {{x}}", "best of park {x}.mp4"),
        ("été", "été.mp4"),
    ],
)
def test_names_of_a_template(template: str, name: str) -> None:
    assert clip_names(template, Path("park.mp4"), [plan("../kick/flip")]) == [name]


@pytest.mark.parametrize(
    ("template", "sentence"),
    [
        ("../{label}", r"cannot hold '/'"),
        ("..\\{label}", r"cannot hold '\\\\'"),
        ("C:{label}", r"cannot hold ':'"),
        ("a\x00b", r"cannot hold '\\x00'"),
        ("a\nb", r"cannot hold '\\n'"),
        (".{label}", r"begins with a dot"),
        ("", r"is empty"),
        ("{}", r"unknown field \{\}"),
        ("{label.__class__}", r"unknown field \{label\.__class__\}"),
        ("{label[0]}", r"unknown field"),
        ("{label!r}", r"unknown field \{label!r\}"),
        ("{label:>999999999}", r"unknown field"),
        ("{index:999999999d}", r"unknown field \{index:999999999d\}"),
        ("{index:{index}}", r"unknown field"),
        ("{park}", r"unknown field \{park\}: use text with \{session\}, \{index\}, \{label\} and \{start\}"),
        ("{label", r"cannot be read"),
        ("a" * 250, r"more than 200 bytes: shorten it"),
    ],
)
def test_impossible_templates_are_refused_in_a_sentence(template: str, sentence: str) -> None:
    """A template from elsewhere must neither choose the folder nor fill the memory."""
    with pytest.raises(UserError, match=sentence) as refused:
        clip_names(template, Path("park.mp4"), [plan("ollie")])
    assert "\n" not in str(refused.value)


def test_clips_of_one_name_are_refused() -> None:
    """On many disks the second would take the place of the first."""
    with pytest.raises(UserError, match=r"several clips the same file name: put \{index\} into it"):
        clip_names("{label}", Path("park.mp4"), [plan("ollie"), plan("Ollie")])


# The command


@pytest.fixture
def events(looked: Looked, trickline: Trickline) -> Path:
    """What ``run --json`` printed, in a file."""
    path = trickline.folder / "events.json"
    path.write_text(looked.ran.out)
    return path


def test_a_vertical_export_follows_the_skater(
    session: Session, events: Path, trickline: Trickline, at_once: Command
) -> None:
    printed = at_once("export", session.video, "--events", events, "--aspect", "9:16", "--json").json
    video = Video.open(session.video)
    with Workspace.open(trickline.home) as workspace:
        [known] = workspace.sessions()
        seen = sighting.kept(known, workspace)
    assert seen
    boxes, frames = seen.signals.boxes, seen.camera.frame
    clips = [file for file in printed["files"] if file["kind"] == "clips"]
    assert len(clips) == 2
    for clip in clips:
        width, height = clip["crop"]["width"], clip["crop"]["height"]
        assert (width, height) == (video.info.height * 9 // 16 // 2 * 2, video.info.height // 2 * 2)
        shown = {picture.index: picture for picture in Video.open(clip["path"]).pictures()}
        assert len(shown) == clip["end_frame"] - clip["start_frame"] + 1
        least, most = clip["crop"]["x"]
        for picture in video.pictures(15, clip["start_frame"] + clip["start_frame"] % 2, clip["end_frame"] + 1):
            whole = picture.gray(video.info.width, video.info.height)
            part = shown[picture.index - clip["start_frame"]].gray(width, height)
            match = cv2.matchTemplate(whole, part, cv2.TM_CCOEFF_NORMED)
            _, likeness, _, (x, _) = cv2.minMaxLoc(match)
            assert likeness > 0.97
            assert least - 1 <= x <= most + 1
            at = np.flatnonzero(frames == picture.index)
            if len(at) and np.isfinite(boxes[at[0], 0]):
                middle = (boxes[at[0], 0] + boxes[at[0], 2]) / 2 * video.info.width
                assert x < middle < x + width
    before = {clip["path"]: Path(clip["path"]).stat().st_mtime_ns for clip in clips}
    assert at_once("export", session.video, "--events", events, "--aspect", "9:16", "--json").json == printed
    assert {path: Path(path).stat().st_mtime_ns for path in before} == before
    square = at_once("export", session.video, "--events", events, "--aspect", "1:1", "--json").json["files"][0]
    assert square["path"] == clips[0]["path"]
    assert square["crop"]["width"] == square["crop"]["height"]


def test_where_nobody_is_in_the_clip_it_says_so(session: Session, trickline: Trickline, at_once: Command) -> None:
    """The middle of the picture is a guess; the user has to know."""
    with Workspace.open(trickline.home) as workspace:
        [known] = workspace.sessions()
        seen = sighting.kept(known, workspace)
        assert seen
    [table] = trickline.home.glob("videos/*/pose-*.parquet")
    late = np.unique(seen.pose.frame[seen.pose.frame > 200])
    pq.write_table(seen.pose.of_frames(late).to_arrow(), table)
    (trickline.folder / "e.csv").write_text("start_frame,end_frame\n60,80\n")
    arguments = ("export", session.video, "--events", "e.csv", "--padding", "0.5", "--aspect", "4:5")
    sentence = "session_01_trick.mp4: Nobody was seen in this clip: the crop stays in the middle."
    assert at_once(*arguments, "--json").json["notes"] == [sentence]
    assert at_once(*arguments).err == f"trickline: {sentence}\n"


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (("--formats", "clips,bmp"), r"^'bmp' is no kind of file that is exported: choose from clips, reel, "),
        (("--formats", ","), r"^Nothing is chosen"),
        (("--aspect", "1:1", "--mode", "fast"), r"^A fast clip is a copy and cannot be cropped"),
        (("--aspect", "3:1"), r"--aspect"),
        (("--padding", "-1"), r"--padding"),
        (("--formats", "reel", "--title", "x" * 81), r"^The title has 81 letters: shorten it to 80"),
        (("--formats", "reel", "--music", "nowhere.mp3"), r"nowhere\.mp3"),
        (("--padding", "nan"), r"--padding"),
        (("--name", "a/b"), r"^A file name cannot hold '/'"),
        (("--name", "{x}"), r"unknown field \{x\}"),
    ],
)
def test_wrong_options_are_one_sentence(
    session: Session, events: Path, trickline: Trickline, at_once: Command, options: tuple[str, ...], sentence: str
) -> None:
    ran = at_once("export", session.video, "--events", events, *options)
    assert re.search(sentence, ran.sentence)
    assert names_in(trickline.folder) == ["events.json"]


def test_fast_clips_tell_where_they_will_begin(
    session: Session, events: Path, trickline: Trickline, at_once: Command
) -> None:
    """Before they are cut: whoever wants the exact moment can still stop."""
    ran = at_once("export", session.video, "--events", events, "--mode", "fast", "--merge-gap", "0")
    told = re.findall(r"Clip (\d) \(trick\) will begin at ([\d:.]+), [\d.]+ s early", ran.err)
    printed = at_once("export", session.video, "--events", events, "--mode", "fast", "--merge-gap", "0", "--json").json
    early = [clip for clip in printed["files"] if clip["kind"] == "clips" and clip["wanted_start_s"] > clip["start_s"]]
    assert early
    assert [start for _, start in told] == [clock(clip["start_s"]) for clip in early]


def test_events_beyond_the_video_are_refused(session: Session, trickline: Trickline, at_once: Command) -> None:
    (trickline.folder / "e.csv").write_text("start_frame,end_frame\n590,610\n")
    assert "frame 610" in at_once("export", session.video, "--events", "e.csv").sentence
    assert names_in(trickline.folder) == ["e.csv"]


def test_no_tricks_are_told_and_no_mistake(session: Session, trickline: Trickline, at_once: Command) -> None:
    (trickline.folder / "e.json").write_text('{"video": "session.mp4", "events": []}')
    ran = at_once("export", session.video, "--events", "e.json", "--formats", "clips,otio")
    assert (ran.code, ran.out, ran.err) == (0, "", "trickline: There are no tricks of session.mp4 to export.\n")


def test_ctrl_c_leaves_nothing_half_written(session: Session, trickline: Trickline) -> None:
    (trickline.folder / "e.csv").write_text("start_frame,end_frame\n10,20\n300,310\n")
    with trickline.start("export", session.video, "--events", "e.csv", "--padding", "9", "--aspect", "4:5") as process:
        clips = trickline.folder / "clips"
        while not clips.exists() or not list(clips.iterdir()):
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=600)
    assert (process.returncode, out) == (130, "")
    assert err == "trickline: stopped; what was finished is kept, run it again to carry on.\n"
    assert trickline.leftovers() == []
    assert len(list(clips.glob("*.mp4"))) < 2
