"""Exporting leaves what was asked for in one folder: nothing else is touched there, nothing is cut twice, and the
manifest says what is what."""

from __future__ import annotations

import json
import re
import shutil
import signal
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image

from core import ffmpeg, pipeline
from core.clips import ClipPlan, clip_name
from core.edit_lists import EDIT_LISTS
from core.errors import Cancelled, UserError
from core.export import KINDS, Export, ExportOptions, export
from core.export.names import DEFAULT_NAME, clip_names
from core.intervals import Event, Interval
from core.labels import read_labels
from core.settings import ClipSettings
from core.video import Video
from core.workspace import Workspace
from sample_data.make_session import Session
from tests.conftest import Command, Looked, Trickline

EVENTS = (Event(60, 75, "ollie", 0.75), Event(150, 160, "kick/flip", 0.5))


@pytest.fixture(scope="module")
def footage(tmp_path_factory: pytest.TempPathFactory) -> Video:
    """Eight seconds of a test picture with a tone; nobody is in it."""
    path = tmp_path_factory.mktemp("footage") / "Park day.mp4"
    picture = ["-f", "lavfi", "-i", "testsrc2=size=192x108:rate=30:duration=8"]
    tone = ["-f", "lavfi", "-i", "sine=duration=8"]
    ffmpeg.run([*picture, *tone, "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-g", "30", str(path)], 240)
    return Video.open(path)


@pytest.fixture
def fresh(tmp_path: Path) -> Any:
    """A workspace in which nobody has looked at anything."""
    with Workspace.open(tmp_path / "home") as workspace:
        yield workspace


def quick(**options: Any) -> ExportOptions:
    """Copies of a clip for each event, without padding."""
    clips = ClipSettings(mode=options.pop("mode", "exact"), clip_padding_s=0.1, merge_gap_s=0)
    return ExportOptions(**{"clips": clips, **options})


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


def test_every_kind_of_file_is_written_and_told(footage: Video, fresh: Workspace, tmp_path: Path) -> None:
    """A program finds in the manifest which file shows what, without opening any."""
    out = tmp_path / "out"
    done = export(footage, EVENTS, fresh, out, quick(kinds=KINDS))
    assert names_in(out) == [
        "Park-day-proj.llc", "Park-day.csv", "Park-day.edl", "Park-day.fcpxml", "Park-day.ffmetadata", "Park-day.otio",
        "Park-day.xml", "Park-day_01_ollie.gif", "Park-day_01_ollie.mp4", "Park-day_01_ollie.webp",
        "Park-day_02_kick-flip.gif", "Park-day_02_kick-flip.mp4", "Park-day_02_kick-flip.webp",
        "Park-day_chapters.txt", "Park-day_contact.jpg", "Park-day_export.json",
    ]  # fmt: skip
    manifest = told(done)
    assert (manifest["video"], manifest["earlier"]) == ("Park day.mp4", [])
    kinds = ["clips", "clips", *EDIT_LISTS, "gif", "gif", "webp", "webp", "contact"]
    assert [file["kind"] for file in manifest["files"]] == kinds
    for file in manifest["files"]:
        assert file["size"] == (out / file["name"]).stat().st_size
    first, second = manifest["files"][:2]
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
    assert not fresh.sessions()  # nobody was looked for


def test_a_fast_clip_says_what_it_really_shows(footage: Video, fresh: Workspace, tmp_path: Path) -> None:
    first, _ = export(footage, EVENTS, fresh, tmp_path / "out", quick(mode="fast")).files
    assert (first.start_frame, first.start_s, first.wanted_start_s) == (30, 1.0, 57 / 30)
    again, _ = export(footage, EVENTS, fresh, tmp_path / "out", quick(mode="fast")).files
    assert again == first


def test_animations_show_the_planned_time_in_the_whole_picture(
    footage: Video, fresh: Workspace, tmp_path: Path
) -> None:
    """Only clips are cropped: for animations nobody is looked for, where there may be nobody."""
    out, steps = tmp_path / "out", list[float]()
    done = export(
        footage, EVENTS, fresh, out, quick(kinds=("gif", "webp"), aspect="9:16"), lambda _, part: steps.append(part)
    )
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


def test_the_contact_sheet_has_all_its_pages(footage: Video, fresh: Workspace, tmp_path: Path) -> None:
    """Also one of whose pages somebody's picture has the name, and with an event that is said to end too late."""
    out = tmp_path / "out"
    out.mkdir()
    (out / "Park-day_contact-2.jpg").write_text("mine")
    many = [Interval(frame, frame + 1) for frame in range(0, 200, 5)]
    for _ in range(2):
        done = export(footage, [*many, Interval(230, 400)], fresh, out, quick(kinds=("contact",)))
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


def test_a_crop_of_footage_without_a_person_is_refused(footage: Video, fresh: Workspace, tmp_path: Path) -> None:
    """Nobody has looked at it yet, so that is done first, and told."""
    steps: list[str] = []
    with pytest.raises(UserError, match=r"Park day\.mp4: nobody was found in any of 120 frames"):
        export(footage, EVENTS, fresh, tmp_path / "out", quick(aspect="9:16"), lambda step, _: steps.append(step))
    assert set(steps) == {"looking"}
    assert not (tmp_path / "out").exists()


def test_no_events_write_nothing(footage: Video, fresh: Workspace, tmp_path: Path) -> None:
    done = export(footage, [], fresh, tmp_path / "out", quick(kinds=KINDS))
    assert (done.files, done.manifest, done.notes) == ((), None, ("There are no tricks of Park day.mp4 to export.",))
    assert not (tmp_path / "out").exists()


# What is there already


def test_finished_clips_are_not_cut_again(footage: Video, fresh: Workspace, tmp_path: Path) -> None:
    out = tmp_path / "out"
    first = export(footage, EVENTS, fresh, out, quick())
    before = {clip.name: (out / clip.name).stat().st_mtime_ns for clip in first.clips}
    damaged, whole = (clip.name for clip in first.clips)
    (out / damaged).write_bytes((out / damaged).read_bytes()[:-1])
    again = export(footage, EVENTS, fresh, out, quick())
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
        (quick(), (Event(61, 75, "ollie", 0.75), *EVENTS[1:])),
    ],
    ids=["padding", "mode", "events"],
)
def test_another_plan_is_cut_anew(
    footage: Video, fresh: Workspace, tmp_path: Path, other: tuple[ExportOptions, Sequence[Interval]]
) -> None:
    options, events = other
    old, _ = export(footage, EVENTS, fresh, tmp_path / "out", quick()).files
    new, _ = export(footage, events, fresh, tmp_path / "out", options).files
    assert new.name == old.name
    assert new.plan != old.plan
    assert frames_in(tmp_path / "out" / new.name) == new.end_frame - new.start_frame + 1


def test_a_stopped_export_carries_on(footage: Video, fresh: Workspace, tmp_path: Path) -> None:
    """Of an hour of clips those that were finished before Ctrl-C stay."""
    out, steps = tmp_path / "out", list[float]()
    first = out / "Park-day_01_ollie.mp4"
    with pytest.raises(Cancelled):
        export(footage, EVENTS, fresh, out, quick(), cancelled=first.exists)
    assert names_in(out) == ["Park-day_01_ollie.mp4", "Park-day_export.json"]
    finished = first.stat().st_mtime_ns
    export(footage, EVENTS, fresh, out, quick(), lambda _, done: steps.append(done))
    assert names_in(out) == ["Park-day_01_ollie.mp4", "Park-day_02_kick-flip.mp4", "Park-day_export.json"]
    assert first.stat().st_mtime_ns == finished
    assert steps[-1] == 1


def test_a_stopped_export_of_animations_carries_on(footage: Video, fresh: Workspace, tmp_path: Path) -> None:
    out, options = tmp_path / "out", quick(kinds=("gif", "contact"))
    first = out / "Park-day_01_ollie.gif"
    with pytest.raises(Cancelled):
        export(footage, EVENTS, fresh, out, options, cancelled=first.exists)
    assert names_in(out) == ["Park-day_01_ollie.gif", "Park-day_export.json"]
    finished = first.stat().st_mtime_ns
    done = export(footage, EVENTS, fresh, out, options)
    assert [file.name for file in done.files] == [
        "Park-day_01_ollie.gif", "Park-day_02_kick-flip.gif", "Park-day_contact.jpg",
    ]  # fmt: skip
    assert first.stat().st_mtime_ns == finished
    first.write_bytes(b"GIF89a")
    export(footage, EVENTS, fresh, out, options)
    assert frames_in(first) > 1


def test_fewer_tricks_and_then_all_again(footage: Video, fresh: Workspace, tmp_path: Path) -> None:
    """What an export leaves out is still known as its own."""
    out = tmp_path / "out"
    export(footage, EVENTS, fresh, out, quick())
    before = (out / "Park-day_02_kick-flip.mp4").stat().st_mtime_ns
    fewer = told(export(footage, EVENTS[:1], fresh, out, quick()))
    assert [len(fewer["files"]), len(fewer["earlier"])] == [1, 1]
    export(footage, EVENTS, fresh, out, quick())
    assert (out / "Park-day_02_kick-flip.mp4").stat().st_mtime_ns == before
    assert len(names_in(out)) == 3


def test_files_of_others_are_never_written_over(footage: Video, fresh: Workspace, tmp_path: Path) -> None:
    """Footage, labels and notes may lie in the folder, under any name."""
    out = tmp_path / "out"
    out.mkdir()
    mine = ["Park-day_01_ollie.mp4", "Park-day.csv", "Park-day_export.json"]
    for name in mine:
        (out / name).write_text("{}")
    for _ in range(2):
        done = export(footage, EVENTS, fresh, out, quick(kinds=("clips", "csv")))
    assert [(out / name).read_text() for name in mine] == ["{}"] * 3
    assert len(names_in(out)) == 3 + 4
    assert {file.name for file in done.files}.isdisjoint(mine)


def test_the_footage_itself_is_never_written_over(footage: Video, fresh: Workspace, tmp_path: Path) -> None:
    own = Video.open(shutil.copy(footage.path, tmp_path / "park.mp4"))
    export(own, EVENTS[:1], fresh, tmp_path, quick(name="{session}"))
    assert own.path.read_bytes() == footage.path.read_bytes()
    assert len(list(tmp_path.glob("park-*.mp4"))) == 1


@pytest.mark.parametrize("content", ["[]", '{"trickline_export": 1, "files": [{"name": "../x"}]}', "\x00", "[" * 90000])
def test_a_damaged_manifest_is_no_harm(footage: Video, fresh: Workspace, tmp_path: Path, content: str) -> None:
    (tmp_path / "Park-day_export.json").write_text(content)
    done = export(footage, EVENTS[:1], fresh, tmp_path, quick(kinds=("otio",)))
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
        seen = pipeline.kept(known, workspace)
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
        seen = pipeline.kept(known, workspace)
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
        (("--formats", "clips,bmp"), r"^'bmp' is no kind of file that is exported: choose from clips, otio, "),
        (("--formats", ","), r"^Nothing is chosen"),
        (("--aspect", "1:1", "--mode", "fast"), r"^A fast clip is a copy and cannot be cropped"),
        (("--aspect", "3:1"), r"--aspect"),
        (("--padding", "-1"), r"--padding"),
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
        out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (130, "")
    assert err == "trickline: stopped; what was finished is kept, run it again to carry on.\n"
    assert trickline.leftovers() == []
    assert len(list(clips.glob("*.mp4"))) < 2
