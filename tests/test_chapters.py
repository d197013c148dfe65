"""Chapters of one recording are found, and joined without losing a frame or moving one."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from core.chapters import chapter_groups, join_chapters, may_belong, missing_chapters, mixed_up, recording_of
from core.errors import Cancelled, UserError
from core.video import Video
from tests.numbered import (
    BEEP_EVERY,
    SAMPLE_RATE,
    Footage,
    beeps_s,
    frame_numbers,
    frame_times,
    number_on,
    pictures,
    steps,
    write_footage,
)
from tests.test_video import run_ffmpeg

NTSC, TICK = Fraction(30000, 1001), Fraction(1, 30000)
LENGTHS = (45, 31, 40)
H264 = Footage("h264", [0], TICK, NTSC, options={"g": "20"}, sound_s=(0, 0))
HEVC = replace(H264, codec="libx265", options={
    "preset": "ultrafast", "x265-params": "keyint=20:bframes=3:open-gop=1:log-level=none"})  # fmt: skip


def names(groups: list[tuple[Path, ...]]) -> list[list[str]]:
    return [[path.name for path in group] for group in groups]


def record(footage: Footage, folder: Path, stems: list[str], suffix: str = ".mp4") -> list[Path]:
    """Chapters that a camera would make, each of which begins with frame 0.

    Of ``footage`` the ticks tell when that is shown, and the sound how much earlier or later it ends than the picture.
    """
    paths = []
    for stem, length in zip(stems, LENGTHS, strict=False):
        ticks = steps(round(1 / footage.rate / footage.time_base), footage.ticks[0], length)
        ends_s = float(ticks[-1] * footage.time_base + 1 / footage.rate)
        sound = footage.sound_s and (0.0, ends_s + footage.sound_s[1])
        paths.append(write_footage(replace(footage, ticks=ticks, sound_s=sound), folder / f"{stem}{suffix}"))
    return paths


def loud_s(path: Path) -> NDArray[np.float64]:
    """When beeps begin by the times of the packets, seconds: what is silent because there is no sound counts, too."""
    with av.open(str(path)) as container:
        times_s = [
            time_s
            for frame in container.decode(audio=0)
            for time_s in float(frame.time or 0) + np.flatnonzero(np.abs(frame.to_ndarray()[0]) > 0.3) / SAMPLE_RATE
        ]
    return np.array([time_s for before_s, time_s in pairwise([-1.0, *times_s]) if time_s - before_s > 0.02])


# which belong together


def test_gopro_chapters_are_found_by_name(tmp_path: Path) -> None:
    """Sorted by name, as a folder lists them: the second chapter of one comes after the first of the next."""
    listed = [
        "GH010123.MP4", "GH010124.MP4", "GH020123.MP4", "GX010123.MP4", "gx020123.mp4", "GL010123.LRV", "GL020123.LRV",
        "GOPR0007.MP4", "GP010007.MP4", "GP020007.MP4", "GS010001.360", "holiday.mp4",
    ]  # fmt: skip
    paths = [tmp_path / name for name in listed]
    assert names(chapter_groups([*paths, tmp_path / "day 2" / "GH030123.MP4"])) == [
        ["GH010123.MP4", "GH020123.MP4"],
        ["GH010124.MP4"],
        ["GX010123.MP4", "gx020123.mp4"],
        ["GL010123.LRV", "GL020123.LRV"],
        ["GOPR0007.MP4", "GP010007.MP4", "GP020007.MP4"],
        ["GS010001.360"],
        ["holiday.mp4"],
        ["GH030123.MP4"],
    ]


def test_every_path_comes_once_and_in_order(tmp_path: Path) -> None:
    paths = [tmp_path / f"GX{chapter:02}0001.MP4" for chapter in (11, 2, 10, 2, 9, 1)]
    assert names(chapter_groups(paths)) == [
        ["GX090001.MP4", "GX100001.MP4", "GX110001.MP4"],
        ["GX010001.MP4", "GX020001.MP4"],
    ]
    assert chapter_groups([]) == []


def test_a_missing_chapter_parts_a_recording_and_is_told(tmp_path: Path) -> None:
    groups = chapter_groups([tmp_path / f"GH{chapter:02}0123.MP4" for chapter in (1, 2, 4, 5)])
    assert [len(group) for group in groups] == [2, 2]
    (sentence,) = missing_chapters(groups)
    assert sentence.startswith("Chapter 3 of the recording that goes on in GH040123.MP4 is not there")
    (sentence,) = missing_chapters([(tmp_path / "GP030007.MP4",)])
    assert sentence.startswith("Chapters 1, 2, 3 of the recording that goes on in GP030007.MP4 are not there")
    assert missing_chapters(chapter_groups([tmp_path / "GH010123.MP4", tmp_path / "GH010124.MP4"])) == []


def test_a_chapter_that_lies_there_is_not_said_to_be_missing(tmp_path: Path) -> None:
    """Also where it was not asked for, as when a card is read one file after the other."""
    (tmp_path / "GH010123.MP4").touch()
    (sentence,) = missing_chapters([(tmp_path / "GH030123.MP4",)])
    assert sentence.startswith("Chapter 2 of")
    (tmp_path / "gh020123.mp4").touch()
    assert missing_chapters([(tmp_path / "GH030123.MP4",)]) == []


Film = Callable[..., Path]


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Film:
    """A second of test picture that says when it was begun."""
    folder = tmp_path_factory.mktemp("cards")

    def make(name: str, began: str | None, size: str = "64x48", rate: str = "25", codec: str = "mpeg4") -> Path:
        told = ["-metadata", f"creation_time=2024-05-01T{began}Z"] if began else []
        path = folder / name
        path.parent.mkdir(exist_ok=True)
        source = f"testsrc2=size={size}:rate={rate}:duration=10"
        run_ffmpeg("-f", "lavfi", "-i", source, "-c:v", codec, "-q:v", "31", *told, path)
        return path

    return make


@pytest.mark.parametrize(
    ("first", "second", "joined"),
    [
        ("a/DJI_0001.MP4", "a/DJI_0002.MP4", True),
        ("a/DJI_20240501100000_0001_D.mp4", "a/DJI_20240501100010_0002_D.mp4", True),
        ("a/VID_20240501_100000_00_001.mp4", "a/VID_20240501_100010_00_002.mp4", True),
        ("a/DJI_0001.MP4", "a/DJI_0003.MP4", False),
        ("a/DJI_0001.MP4", "b/DJI_0002.MP4", False),
        ("a/DJI_0001.MP4", "a/MVI_0002.MP4", False),
        ("a/DJI_0001.MP4", "a/DJI_0002.MOV", False),
        ("a/clip 9.mp4", "a/clip 10.mp4", False),
    ],
)
def test_other_cameras_count_on_in_one_recording(film: Film, first: str, second: str, joined: bool) -> None:
    """Ten seconds that begin at 10:00:00, and the next file at 10:00:10."""
    groups = chapter_groups([film(first, "10:00:00"), film(second, "10:00:10")])
    assert [len(group) for group in groups] == ([2] if joined else [1, 1])


def test_the_recording_of_one_file_is_that_of_its_group(film: Film) -> None:
    began = ("10:00:00", "10:00:10", "10:00:20", "10:05:00")
    paths = [film(f"c/DJI_{number:04}.MP4", time) for number, time in enumerate(began, 7)]
    groups = chapter_groups(paths)
    assert [len(group) for group in groups] == [3, 1]
    assert [recording_of(path, paths) for path in paths] == [groups[0], groups[0], groups[0], groups[1]]
    assert recording_of(paths[1], []) == (paths[1],)
    beside = [paths[0].with_name(f"DJI_{number:04}.MP4") for number in (5, 6, 10, 11)]
    assert [may_belong(path, groups[0]) for path in beside] == [False, True, True, False]
    assert not may_belong(paths[0].with_name("holiday.mp4"), groups[0])
    gopro = [paths[0].with_name(f"GX{chapter}0042.MP4") for chapter in ("02", "07")]
    assert may_belong(gopro[1], gopro[:1])
    assert not may_belong(gopro[0].with_name("GX010043.MP4"), gopro)


@pytest.mark.parametrize(
    ("began", "facts", "joined"),
    [
        ("10:00:12", {}, True),
        ("10:00:08", {}, True),
        ("10:00:13", {}, False),
        ("10:00:00", {}, False),
        (None, {}, False),
        ("10:00:10", {"size": "48x64"}, False),
        ("10:00:10", {"rate": "24"}, False),
        ("10:00:10", {"codec": "mjpeg"}, False),
    ],
)
def test_two_recordings_after_each_other_stay_two(
    film: Film, began: str | None, facts: dict[str, str], joined: bool
) -> None:
    paths = [film("c/C0001.MP4", "10:00:00"), film("c/C0002.MP4", began, **facts)]
    assert [len(group) for group in chapter_groups(paths)] == ([2] if joined else [1, 1])


def test_files_that_cannot_be_read_are_alone(tmp_path: Path, film: Film) -> None:
    shutil.copy(film("d/DJI_0001.MP4", "10:00:00"), tmp_path / "DJI_0001.MP4")
    (tmp_path / "DJI_0002.MP4").write_bytes(b"not a video")
    paths = [tmp_path / f"DJI_000{number}.MP4" for number in (1, 2, 3)]
    assert names(chapter_groups(paths)) == [["DJI_0001.MP4"], ["DJI_0002.MP4"], ["DJI_0003.MP4"]]


def test_a_time_without_a_zone_upsets_nothing(film: Film) -> None:
    """Cameras write UTC; other programs write what they like."""
    paths = [film(f"e/CLIP_000{number}.flv", "10:00:00", codec="flv") for number in (1, 2)]
    paths[1].write_bytes(paths[1].read_bytes().replace(b"10:00:00.000000Z", b"10:00:10.0000000"))
    assert [len(group) for group in chapter_groups(paths)] == [2]


def test_two_cameras_that_count_alike_are_told_apart_by_nobody(tmp_path: Path) -> None:
    lying = {tmp_path / f"{content}.mp4": f"GX0{1 + content % 2}0042.MP4" for content in range(4)}
    assert all(len(group) == 1 for group in chapter_groups(list(lying), lying))
    (sentence,) = mixed_up([(path,) for path in lying], lying)
    assert "one camera at a time" in sentence
    alone = {path: called for path, called in lying.items() if called == "GX010042.MP4"}
    assert mixed_up([(path,) for path in alone], alone) == []


# joined


@pytest.mark.parametrize(
    ("footage", "suffix"),
    [
        (H264, ".MP4"),
        (HEVC, ".MP4"),
        (replace(H264, layout="stereo", turns=1, data="tmcd"), ".mov"),
        (replace(HEVC, turns=2, data="gpmd", pixel_format="yuv420p10le"), ".mov"),
        (replace(H264, data="gpmd", rate=Fraction(240), time_base=Fraction(1, 240000)), ".mp4"),
        (replace(H264, sound_s=None), ".mp4"),
        (replace(H264, ticks=[6000]), ".mp4"),
        (replace(HEVC, sound_s=(0, 0.4)), ".mp4"),
        (replace(H264, sound_s=(0, -0.3)), ".mp4"),
    ],
    ids=[
        "h264",
        "hevc",
        "turned_tmcd",
        "hevc_deep_upside_down_gpmd",
        "240fps_gpmd",
        "silent",
        "late_picture",
        "sound_longer",
        "sound_shorter",
    ],
)
def test_no_frame_is_lost_and_none_moves(footage: Footage, suffix: str, tmp_path: Path) -> None:
    """Every frame, in order and one frame's time after the one before, also across the seams; sound stays with them."""
    paths = record(footage, tmp_path, ["GX010001", "GX020001", "GX030001"], suffix)
    told: list[float] = []
    joined = join_chapters(paths, tmp_path / "joined", told.append)
    assert joined.suffix == suffix.lower()
    assert joined.name.startswith("GX010001_")
    assert told == sorted(told)
    assert frame_numbers(joined) == [number for length in LENGTHS for number in range(length)]
    steps_s = np.diff(frame_times(joined))
    assert np.abs(steps_s - float(1 / footage.rate)).max() <= float(footage.time_base) * 1.5
    facts, original = Video.open(joined).info, Video.open(paths[0]).info
    assert facts.start_s == pytest.approx(0, abs=1e-6)
    kept = ("width", "height", "rotation", "codec", "pixel_format", "average_rate", "audio")
    assert [getattr(facts, what) for what in kept] == [getattr(original, what) for what in kept]
    if footage.data:
        assert footage.data.encode() in joined.read_bytes()
    if footage.sound_s:
        # Frame 0 beeps on the seam itself, where two encodings meet.
        seen_s = [time_s for time_s, image in pictures(joined) if number_on(image) == BEEP_EVERY]
        assert len(seen_s) == len(LENGTHS)
        assert all(np.abs(loud_s(joined) - time_s).min() < 0.03 for time_s in seen_s)
        if footage.sound_s[1] >= 0:  # players that count samples hear it in time, too
            assert all(np.abs(beeps_s(joined) - time_s).min() < 0.03 for time_s in seen_s)


def test_the_first_chapters_facts_are_kept(film: Film, tmp_path: Path) -> None:
    paths = [film("e/DJI_0001.MP4", "10:00:00"), film("e/DJI_0002.MP4", "10:00:10")]
    joined = join_chapters(paths, tmp_path)
    with av.open(str(joined)) as container:
        assert container.metadata["creation_time"].startswith("2024-05-01T10:00:00")


def test_asked_again_it_is_there_and_other_chapters_are_another_file(film: Film, tmp_path: Path) -> None:
    paths = [film("f/DJI_0001.MP4", "10:00:00"), film("f/DJI_0002.MP4", "10:00:10")]
    joined = join_chapters(paths, tmp_path)
    made = joined.stat().st_mtime_ns
    assert join_chapters(paths, tmp_path, cancelled=lambda: True) == joined
    assert joined.stat().st_mtime_ns == made
    assert join_chapters(paths[::-1], tmp_path) != joined
    assert join_chapters(paths[:1], tmp_path) == paths[0]


@pytest.mark.parametrize(
    ("facts", "what"),
    [
        ({"size": "48x64"}, "picture size"),
        ({"rate": "24"}, "frame rate"),
        ({"codec": "mjpeg"}, "codec"),
    ],
)
def test_what_differs_is_named(film: Film, facts: dict[str, str], what: str, tmp_path: Path) -> None:
    paths = [film("g/GX010001.MP4", None), film("g/GX020001.MP4", None), film("g/GX030001.MP4", None, **facts)]
    with pytest.raises(UserError, match=rf"^GX030001\.MP4 has another {what} than GX010001\.MP4"):
        join_chapters(paths, tmp_path / "joined")
    assert not (tmp_path / "joined").exists()


def test_another_rotation_or_sound_is_named(tmp_path: Path) -> None:
    upright = record(H264, tmp_path, ["GX010001"])
    for footage, what in ((replace(H264, turns=2), "rotation"), (replace(H264, layout="stereo"), "sound")):
        other = record(footage, tmp_path, ["GX020001"])
        with pytest.raises(UserError, match=f"another {what} than"):
            join_chapters([*upright, *other], tmp_path / "joined")


def test_files_that_are_no_chapters_are_refused(film: Film, tmp_path: Path) -> None:
    first = film("h/GX010001.MP4", None)
    broken, matroska = tmp_path / "GX020001.MP4", tmp_path / "b.mkv"
    broken.write_bytes(b"nothing")
    run_ffmpeg("-i", first, "-c", "copy", matroska)
    for other in (broken, matroska, tmp_path / "gone.mp4"):
        with pytest.raises(UserError, match=other.name):
            join_chapters([first, other], tmp_path / "joined")


def test_a_full_disk_is_told_before(film: Film, disk: Path) -> None:
    paths = [film("i/GX010001.MP4", None), film("i/GX020001.MP4", None)]
    with pytest.raises(UserError, match=r"^There is no room to join GX010001\.MP4"):
        join_chapters(paths, disk)
    assert list(disk.iterdir()) == []


def test_a_stop_leaves_nothing(film: Film, tmp_path: Path) -> None:
    paths = [film("j/GX010001.MP4", None), film("j/GX020001.MP4", None)]
    with pytest.raises(Cancelled):
        join_chapters(paths, tmp_path / "joined", cancelled=lambda: True)
    assert list((tmp_path / "joined").iterdir()) == []


def test_names_that_would_upset_a_list(film: Film, tmp_path: Path) -> None:
    """FFmpeg reads the chapters from a list with a syntax of its own."""
    paths = []
    for number in (1, 2):
        path = tmp_path / "it's; a 'day' # 1" / f"p:ark é {number}.mp4"
        path.parent.mkdir(exist_ok=True)
        shutil.copy(film(f"k/{number}.mp4", None), path)
        paths.append(path)
    assert Video.open(join_chapters(paths, tmp_path)).n_frames == 500
