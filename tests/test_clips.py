"""Clips hold exactly the frames they promise, with their sound."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from core import ffmpeg
from core.clips import Clip, ClipPlan, clip_name, cut_clip, fast_start, plan_clips
from core.errors import UserError
from core.intervals import Event, Interval
from core.settings import ClipSettings
from core.video import Video
from tests.numbered import (
    GOP,
    HEIGHT,
    SAMPLE_RATE,
    WIDTH,
    Footage,
    beeps_s,
    frame_numbers,
    frame_times,
    heard_sound,
    number_on,
    steps,
    uneven,
    write_footage,
)

N_FRAMES = 280
_HEVC = {"preset": "ultrafast", "x265-params": "keyint=60:bframes=3:open-gop=1:log-level=none"}

FOOTAGE = [
    Footage("cfr30.mp4", steps(512, 0, N_FRAMES), Fraction(1, 15360)),
    Footage("ntsc.mp4", steps(1001, 0, N_FRAMES), Fraction(1, 30000), Fraction(30000, 1001)),
    Footage("cfr60.mp4", steps(256, 0, N_FRAMES), Fraction(1, 15360), Fraction(60)),
    Footage("vfr.mp4", uneven(N_FRAMES), Fraction(1, 1000), sound_s=(0.0, 16.0)),
    Footage("vfr.mkv", uneven(N_FRAMES), Fraction(1, 1000), sound_s=(0.0, 16.0)),
    Footage("starts_at_5_s.mkv", steps(33, 5000, N_FRAMES), Fraction(1, 1000), sound_s=(4.9, 14.0)),
    Footage(
        "starts_at_5_s.ts", steps(3000, 450_000, N_FRAMES), Fraction(1, 90000), options={"g": "60"}, sound_s=(5.0, 14.5)
    ),
    Footage("no_times.avi", steps(1, 0, N_FRAMES), Fraction(1, 30)),
    Footage("turned.mov", steps(512, 0, N_FRAMES), Fraction(1, 15360), turns=1),
    Footage(
        "open_gop_10_bit.mp4",
        steps(512, 0, N_FRAMES),
        Fraction(1, 15360),
        codec="libx265",
        options=_HEVC,
        pixel_format="yuv420p10le",
    ),
    Footage("silent.mp4", steps(512, 0, N_FRAMES), Fraction(1, 15360), sound_s=None),
    Footage("sound_in_the_middle.mp4", steps(512, 0, N_FRAMES), Fraction(1, 15360), sound_s=(3.0, 4.5)),
]
BY_NAME = {footage.name: footage for footage in FOOTAGE}


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Video]:
    """Opens the drawn footage of a name; each is drawn once."""
    folder = tmp_path_factory.mktemp("footage")

    def open_drawn(name: str) -> Video:
        path = folder / name
        return Video.open(path if path.exists() else write_footage(BY_NAME[name], path))

    return open_drawn


def plan_of(video: Video, start_frame: int, end_frame: int) -> ClipPlan:
    """A plan for just these frames."""
    event = Interval(start_frame, end_frame)
    [plan] = plan_clips([event], video, ClipSettings(clip_padding_s=0))
    assert (plan.start_frame, plan.end_frame) == (start_frame, end_frame)
    return plan


## Planning


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> Video:
    """As long as the reference session: 714 frames at 30 fps."""
    footage = Footage("reference.mp4", steps(512, 0, 714), Fraction(1, 15360), sound_s=None)
    return Video.open(write_footage(footage, tmp_path_factory.mktemp("reference") / footage.name))


TRICKS = [Interval(653, 675, "kickflip"), Interval(247, 272, "ollie"), Interval(357, 372, "ollie")]


@pytest.mark.parametrize(
    ("padding_s", "gap_s", "frames"),
    [
        pytest.param(
            2.0, 6.0, [(187, 432), (593, 713)], id="reference: three tricks, two clips; the last meets the end"
        ),
        pytest.param(2.0, 0.0, [(187, 332), (297, 432), (593, 713)], id="no merging: overlapping clips stay apart"),
        pytest.param(0.0, 0.0, [(247, 272), (357, 372), (653, 675)], id="no padding: the events themselves"),
        pytest.param(0.0, 84 / 30, [(247, 372), (653, 675)], id="84 frames between the first two: just joined"),
        pytest.param(0.0, 83.9 / 30, [(247, 272), (357, 372), (653, 675)], id="a little less: just not"),
        pytest.param(60.0, 60.0, [(0, 713)], id="padding stops at both ends of the video"),
        pytest.param(
            0.05, 0.0, [(245, 274), (355, 374), (651, 677)], id="a padding of one and a half frames shows two"
        ),
    ],
)
def test_events_become_clips(reference: Video, padding_s: float, gap_s: float, frames: list[tuple[int, int]]) -> None:
    plans = plan_clips(TRICKS, reference, ClipSettings(clip_padding_s=padding_s, merge_gap_s=gap_s))
    assert [(plan.start_frame, plan.end_frame) for plan in plans] == frames
    assert [event for plan in plans for event in plan.events] == sorted(TRICKS)
    for plan in plans:
        assert plan.start_s == pytest.approx(plan.start_frame / 30)
        assert plan.end_s == pytest.approx((plan.end_frame + 1) / 30)


def test_a_clip_knows_its_events_and_their_labels(reference: Video) -> None:
    """Names and edit lists are made from the plan alone."""
    [plan] = plan_clips(TRICKS, reference, ClipSettings(merge_gap_s=30))
    assert plan.events == tuple(sorted(TRICKS))
    assert plan.label == "ollie+kickflip"
    assert plan.frames == 713 - 187 + 1


def test_nested_and_touching_events_share_a_clip(reference: Video) -> None:
    """A short event inside a long one must not end the clip early, whatever its class."""
    events = [Interval(100, 200), Event(120, 130, "ollie", confidence=0.4), Interval(201, 210), Interval(212, 220)]
    plans = plan_clips(events, reference, ClipSettings(clip_padding_s=0, merge_gap_s=0))
    assert [(plan.start_frame, plan.end_frame) for plan in plans] == [(100, 210), (212, 220)]


def test_padding_and_gaps_are_seconds_on_uneven_footage(drawn: Callable[[str], Video]) -> None:
    """Counted in frames, a second of padding would be off by as much as the rate of the footage wanders."""
    video = drawn("vfr.mkv")
    first, second = Interval(100, 104), Interval(150, 155)
    gap_s = float(video.pts_s[150] - video.pts_s[105])
    [plan] = plan_clips([first, second], video, ClipSettings(clip_padding_s=1, merge_gap_s=gap_s))
    assert video.pts_s[plan.start_frame] <= video.pts_s[100] - 1 < video.pts_s[plan.start_frame + 1]
    assert video.pts_s[plan.end_frame] < video.pts_s[156] + 1 <= video.pts_s[plan.end_frame + 1]
    assert plan.end_s == video.pts_s[plan.end_frame + 1]
    assert len(plan_clips([first, second], video, ClipSettings(merge_gap_s=gap_s - 0.01))) == 2


def test_no_events_no_clips(reference: Video) -> None:
    assert plan_clips([], reference, ClipSettings()) == []


def test_labels_of_another_video_are_refused(reference: Video) -> None:
    """Silently clamped, they would all become clips of the last frame."""
    with pytest.raises(UserError, match=r"reference\.mp4 ends at frame 713.*ollie.*frame 900"):
        plan_clips([Interval(900, 920, "ollie")], reference, ClipSettings())
    [plan] = plan_clips([Interval(700, 720)], reference, ClipSettings(clip_padding_s=0))
    assert (plan.end_frame, plan.end_s) == (713, reference.info.duration_s)


@pytest.mark.parametrize(
    ("video", "index", "label", "name"),
    [
        ("/footage/park.mp4", 1, "ollie", "park_01_ollie.mp4"),
        ("/footage/Park day 2.MOV", 12, "kickflip+ollie", "Park-day-2_12_kickflip-ollie.mp4"),
        ("park.mp4", 100, "360 flip", "park_100_360-flip.mp4"),
        ("park.mp4", 1, "../../etc/passwd", "park_01_etc-passwd.mp4"),
        ("park.mp4", 1, "..\\..\\a:b*?", "park_01_a-b.mp4"),
        ("park.mp4", 1, "／ｅｔｃ", "park_01_etc.mp4"),
        ("park.mp4", 1, "\n\x00", "park_01_clip.mp4"),
        ("-rf.mp4", 1, "--help", "rf_01_help.mp4"),
        ("....mp4", 1, "", "video_01_clip.mp4"),
        ("été.mp4", 1, "前宙", "été_01_前宙.mp4"),
    ],
)
def test_names_of_clips_are_safe_and_predictable(video: str, index: int, label: str, name: str) -> None:
    """A label comes from a file of someone else's: it must never choose the folder."""
    assert clip_name(Path(video), index, label) == name


def test_a_long_label_still_gives_a_name_that_file_systems_take() -> None:
    assert len(clip_name(Path("前" * 300 + ".mp4"), 1, "宙" * 300).encode()) < 200


## Exact cuts


@pytest.mark.parametrize(("start", "end"), [(0, 0), (1, 2), (130, 170), (N_FRAMES - 1, N_FRAMES - 1)])
@pytest.mark.parametrize("name", BY_NAME)
def test_an_exact_clip_holds_exactly_the_planned_frames(
    drawn: Callable[[str], Video], tmp_path: Path, name: str, start: int, end: int
) -> None:
    """One frame off at either end cuts into the trick or shows the next shot."""
    video = drawn(name)
    plan = plan_of(video, start, end)
    clip = cut_clip(video, plan, tmp_path / "clips" / "clip.mp4")
    assert frame_numbers(clip.path) == list(range(start, end + 1))
    wanted_s = video.pts_s[start : end + 1] - video.pts_s[start]
    np.testing.assert_allclose(frame_times(clip.path), wanted_s, atol=0.0015)
    assert clip == Clip(
        tmp_path / "clips" / "clip.mp4",
        "exact",
        start,
        end,
        plan.start_s,
        plan.end_s,
        plan.start_s,
        plan.end_s,
        end - start + 1,
    )
    assert [path.name for path in clip.path.parent.iterdir()] == ["clip.mp4"]
    with av.open(str(clip.path)) as container:
        [stream] = container.streams.video
        assert (stream.codec_context.name, stream.codec_context.pix_fmt) == ("h264", "yuv420p")
        assert bool(container.streams.audio) == (BY_NAME[name].sound_s is not None)
        assert len(container.streams) == 1 + len(container.streams.audio)
    if BY_NAME[name].sound_s:
        # Whole AAC packets of 1024 samples: up to one of them more, and never less.
        assert (
            0 <= len(heard_sound(clip.path)[1]) / SAMPLE_RATE - (plan.end_s - plan.start_s) + 1e-4 < 1024 / SAMPLE_RATE
        )


@pytest.mark.parametrize("mode", ["exact", "fast"])
@pytest.mark.parametrize(
    "name", ["cfr30.mp4", "ntsc.mp4", "vfr.mp4", "starts_at_5_s.mkv", "starts_at_5_s.ts", "turned.mov"]
)
def test_sound_stays_in_sync(drawn: Callable[[str], Video], tmp_path: Path, name: str, mode: Any) -> None:
    """The pop of a board that is heard a few frames off is seen by everyone."""
    video = drawn(name)
    clip = cut_clip(video, plan_of(video, 137, 200), tmp_path / "clip.mp4", mode)
    heard = beeps_s(clip.path)
    for frame in (150, 165, 180, 195):
        at_s = float(video.pts_s[frame]) - clip.start_s
        assert np.abs(heard - at_s).min() < 0.008


def test_a_gap_in_the_sound_becomes_silence(drawn: Callable[[str], Video], tmp_path: Path) -> None:
    """Sound that starts late or ends early must not slide to the start of the clip."""
    video = drawn("sound_in_the_middle.mp4")
    sound = np.abs(heard_sound(cut_clip(video, plan_of(video, 60, 180), tmp_path / "clip.mp4").path)[1])
    assert sound[: round(0.95 * SAMPLE_RATE)].max() < 0.01
    assert sound[round(1.0 * SAMPLE_RATE) : round(1.1 * SAMPLE_RATE)].max() > 0.4
    assert sound[round(2.6 * SAMPLE_RATE) :].max() < 0.01


@pytest.mark.parametrize(("start", "end"), [(0, 0), (3, 5), (60, 70)])
def test_footage_that_was_trimmed_without_encoding(
    drawn: Callable[[str], Video], tmp_path: Path, start: int, end: int
) -> None:
    """Phones trim so: the file still holds the frames from the keyframe on, and an edit list hides them."""
    source = tmp_path / "trimmed.mp4"
    ffmpeg.run(["-ss", "4", "-i", str(drawn("cfr30.mp4").path), "-c", "copy", str(source)], 160)
    video = Video.open(source)
    first = frame_numbers(source)[0]
    assert first == pytest.approx(120, abs=3)
    exact = cut_clip(video, plan_of(video, start, end), tmp_path / "exact.mp4")
    assert frame_numbers(exact.path) == list(range(first + start, first + end + 1))
    fast = cut_clip(video, plan_of(video, start, end), tmp_path / "fast.mp4", "fast")
    numbers = frame_numbers(fast.path)
    assert (numbers[0], numbers[-1]) == (first + fast.start_frame, first + fast.end_frame)
    assert (fast.start_frame, fast.frames) == (0, len(numbers))


def test_odd_sizes_surround_sound_and_metadata(drawn: Callable[[str], Video], tmp_path: Path) -> None:
    """H.264 takes even sides only; phones write the place into the file, and it must not be shared with the clip."""
    source = tmp_path / "odd.mov"
    picture = ["-vf", "crop=151:95:0:0,format=yuv444p", "-c:v", "libx264", "-crf", "10"]
    notes = ["-timecode", "01:02:03:04", "-metadata", "location=+37.3-122.0/"]
    surround = ["-af", "pan=5.1|c0=c0|c1=c0|c2=c0|c3=c0|c4=c0|c5=c0", "-c:a", "aac"]
    made = drawn("cfr30.mp4").path
    ffmpeg.run(["-i", str(made), "-t", "1", *picture, *surround, *notes, str(source)], 30)
    video = Video.open(source)
    clip = cut_clip(video, plan_of(video, 5, 9), tmp_path / "clip.mp4")
    with av.open(str(clip.path)) as container:
        [picture_stream], [sound_stream] = container.streams.video, container.streams.audio
        assert (picture_stream.width, picture_stream.height) == (150, 94)
        assert sound_stream.channels == 2
        assert "location" not in container.metadata
        assert len(container.streams) == 2


def test_hostile_names_of_footage(drawn: Callable[[str], Video], tmp_path: Path) -> None:
    """FFmpeg takes a leading dash for an option, a colon for a protocol and a per cent sign for a counter."""
    source = tmp_path / "-vn data:%03d 'é'.mp4"
    source.write_bytes(drawn("cfr30.mp4").path.read_bytes())
    video = Video.open(source)
    clip = cut_clip(video, plan_of(video, 7, 9), tmp_path / "-y pipe:%d.mp4")
    assert frame_numbers(clip.path) == [7, 8, 9]


## Fast cuts


@pytest.mark.parametrize(
    ("name", "start", "keyframe"),
    [
        ("cfr30.mp4", 10, 0),
        ("cfr30.mp4", 130, 0),
        ("cfr30.mp4", 260, GOP),
        ("cfr30.mp4", GOP, GOP),
        ("ntsc.mp4", 260, GOP),
        ("vfr.mp4", 260, GOP),
        ("vfr.mkv", 260, GOP),
        ("starts_at_5_s.mkv", 260, GOP),
        ("starts_at_5_s.ts", 200, 180),
        ("turned.mov", 260, GOP),
        ("silent.mp4", 260, GOP),
    ],
)
def test_a_fast_clip_says_where_it_really_starts(
    drawn: Callable[[str], Video], tmp_path: Path, name: str, start: int, keyframe: int
) -> None:
    """A filmer who lines clips up with music needs the true start, not the wished one."""
    video = drawn(name)
    plan = plan_of(video, start, start + 9)
    told = fast_start(video, plan)
    clip = cut_clip(video, plan, tmp_path / "clip.mp4", "fast")
    assert told == (clip.start_frame, clip.start_s)
    numbers = [number_on(picture.gray(WIDTH, HEIGHT)) for picture in Video.open(clip.path).pictures()]
    assert (clip.start_frame, clip.start_s) == (keyframe, video.pts_s[keyframe])
    assert (clip.wanted_start_s, clip.wanted_end_s) == (plan.start_s, plan.end_s)
    assert (numbers[0], numbers[-1]) == (clip.start_frame, clip.end_frame)
    assert plan.end_frame <= clip.end_frame <= plan.end_frame + 4
    assert len(numbers) == clip.frames
    assert frame_times(clip.path)[0] == pytest.approx(0, abs=0.0015)
    assert set(range(keyframe, plan.end_frame + 1)) <= set(numbers)


def test_a_fast_clip_of_open_gop_footage_starts_at_a_picture_that_can_be_decoded(
    drawn: Callable[[str], Video], tmp_path: Path
) -> None:
    """Phones write HEVC with open GOPs: the pictures before the keyframe need the GOP that is not there."""
    video = drawn("open_gop_10_bit.mp4")
    clip = cut_clip(video, plan_of(video, 140, 150), tmp_path / "clip.mp4", "fast")
    numbers = frame_numbers(clip.path)
    assert clip.start_frame == numbers[0] <= 140
    assert fast_start(video, plan_of(video, 140, 150)) == (clip.start_frame, clip.start_s)
    assert clip.frames == len(numbers)
    with av.open(str(clip.path)) as container:
        assert container.streams.video[0].codec_context.codec_tag == "hvc1"


@pytest.mark.parametrize(
    ("name", "encoder", "reason"),
    [
        ("old.avi", ["-c:v", "mpeg4", "-c:a", "mp3"], "does not store when its frames are shown"),
        ("screen.webm", ["-c:v", "libvpx", "-deadline", "realtime", "-c:a", "libopus"], "an MP4 file cannot hold"),
    ],
)
def test_footage_that_cannot_be_copied_says_so(
    drawn: Callable[[str], Video], tmp_path: Path, name: str, encoder: list[str], reason: str
) -> None:
    source = tmp_path / "in" / name
    source.parent.mkdir()
    ffmpeg.run(["-i", str(drawn("cfr30.mp4").path), "-t", "1", *encoder, str(source)], 30)
    video = Video.open(source)
    with pytest.raises(UserError, match=f"{name} .*{reason}.*: cut in exact mode"):
        cut_clip(video, plan_of(video, 20, 25), tmp_path / "out" / "clip.mp4", "fast")
    assert list((tmp_path / "out").iterdir()) == []
    clip = cut_clip(video, plan_of(video, 20, 25), tmp_path / "out" / "clip.mp4", "exact")
    assert frame_numbers(clip.path) == list(range(20, 26))


def test_where_a_fast_cut_begins_cannot_be_told(drawn: Callable[[str], Video], tmp_path: Path) -> None:
    """The page that asks says the same sentence as the export that would follow."""
    video = drawn("no_times.avi")
    with pytest.raises(UserError, match=r"no_times\.avi does not store when its frames are shown"):
        fast_start(video, plan_of(video, 20, 25))
    gone = tmp_path / "gone.mp4"
    gone.write_bytes(drawn("cfr30.mp4").path.read_bytes())
    video = Video.open(gone)
    gone.unlink()
    with pytest.raises(UserError, match=r"gone\.mp4 is gone"):
        fast_start(video, plan_of(video, 20, 25))


def test_a_cover_picture_is_no_footage(drawn: Callable[[str], Video], tmp_path: Path) -> None:
    """Apps that share clips put a cover before the video; it is a stream of pictures like any other."""
    cover, source = tmp_path / "cover.jpg", tmp_path / "covered.mp4"
    ffmpeg.run(["-f", "lavfi", "-i", "color=red:size=64x64", "-frames:v", "1", str(cover)], 1)
    made = ["-i", str(cover), "-i", str(drawn("cfr30.mp4").path), "-map", "0", "-map", "1", "-c", "copy"]
    ffmpeg.run([*made, "-disposition:v:0", "attached_pic", str(source)], 280)
    video = Video.open(source)
    for mode, first in (("exact", 100), ("fast", 0)):
        clip = cut_clip(video, plan_of(video, 100, 109), tmp_path / f"{mode}.mp4", mode)  # type: ignore[arg-type]
        assert frame_numbers(clip.path)[0] == first
        assert clip.frames == len(frame_numbers(clip.path))
