"""Clips hold exactly the frames they promise, with their sound, and a failed cut leaves nothing behind.

Footage is drawn here: every frame carries its number as ten black or white blocks, and every 15th frame sounds a beep.
"""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from core import ffmpeg
from core.clips import Clip, ClipPlan, clip_name, cut_clip, plan_clips
from core.errors import Cancelled, UserError
from core.ffmpeg import FFmpegError
from core.intervals import Event, Interval
from core.settings import ClipSettings
from core.video import Video

N_FRAMES = 280
GOP = 250
BLOCK = 32
WIDTH, HEIGHT = 5 * BLOCK, 3 * BLOCK
BEEP_EVERY = 15
SAMPLE_RATE = 44100
ORIGINALS = Path(__file__).parents[2] / "shared" / "data" / "phone_originals"


## Drawing footage and reading it back


@dataclass(frozen=True)
class Footage:
    """How one drawn video is stored. Times are in ticks of ``time_base``."""

    name: str
    ticks: list[int]
    time_base: Fraction
    rate: Fraction = Fraction(30)
    codec: str = "libx264"
    options: dict[str, str] = field(default_factory=dict)
    pixel_format: str = "yuv420p"
    sound_s: tuple[float, float] | None = (0.0, 10.0)
    """From when to when there is sound; None for a file without."""
    turned: bool = False
    """Stored lying on its side, with the rotation noted in the file, as phones do."""


def _steps(step: int, start: int = 0, n: int = N_FRAMES) -> list[int]:
    return [start + i * step for i in range(n)]


# Gaps of 17 to 97 ms, as phones in poor light.
_UNEVEN = np.cumsum(np.random.default_rng(7).integers(17, 97, N_FRAMES)).tolist()
_HEVC = {"preset": "ultrafast", "x265-params": "keyint=60:bframes=3:open-gop=1:log-level=none"}

FOOTAGE = [
    Footage("cfr30.mp4", _steps(512), Fraction(1, 15360)),
    Footage("ntsc.mp4", _steps(1001), Fraction(1, 30000), Fraction(30000, 1001)),
    Footage("cfr60.mp4", _steps(256), Fraction(1, 15360), Fraction(60)),
    Footage("vfr.mp4", _UNEVEN, Fraction(1, 1000), sound_s=(0.0, 16.0)),
    Footage("vfr.mkv", _UNEVEN, Fraction(1, 1000), sound_s=(0.0, 16.0)),
    Footage("starts_at_5_s.mkv", _steps(33, 5000), Fraction(1, 1000), sound_s=(4.9, 14.0)),
    Footage("starts_at_5_s.ts", _steps(3000, 450_000), Fraction(1, 90000), options={"g": "60"}, sound_s=(5.0, 14.5)),
    Footage("no_times.avi", _steps(1), Fraction(1, 30)),
    Footage("turned.mov", _steps(512), Fraction(1, 15360), turned=True),
    Footage(
        "open_gop_10_bit.mp4",
        _steps(512),
        Fraction(1, 15360),
        codec="libx265",
        options=_HEVC,
        pixel_format="yuv420p10le",
    ),
    Footage("silent.mp4", _steps(512), Fraction(1, 15360), sound_s=None),
    Footage("sound_in_the_middle.mp4", _steps(512), Fraction(1, 15360), sound_s=(3.0, 4.5)),
]
BY_NAME = {footage.name: footage for footage in FOOTAGE}


def _draw(number: int, turned: bool) -> NDArray[np.uint8]:
    bits = [235 if number >> bit & 1 else 16 for bit in range(10)]
    rows = np.array([*bits, 128, 128, 128, 128, 128], np.uint8).reshape(3, 5)
    image = rows.repeat(BLOCK, 0).repeat(BLOCK, 1)
    image[2 * BLOCK :, :: 1 + number % 7] = 60  # something that moves
    return np.ascontiguousarray(np.rot90(image)) if turned else image


def _beeps(footage: Footage, from_s: float, to_s: float) -> NDArray[np.float32]:
    sound = np.zeros(int((to_s - from_s) * SAMPLE_RATE), np.float32)
    tone = 0.8 * np.sin(2 * np.pi * 1000 * np.arange(SAMPLE_RATE // 50) / SAMPLE_RATE).astype(np.float32)
    for ticks in footage.ticks[::BEEP_EVERY]:
        at = round((float(ticks * footage.time_base) - from_s) * SAMPLE_RATE)
        if 0 <= at < len(sound) - len(tone):
            sound[at : at + len(tone)] = tone
    return sound


def write_footage(footage: Footage, path: Path) -> Path:
    """Encode ``footage`` to ``path``."""
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream(footage.codec, rate=footage.rate)
        stream.width, stream.height = (HEIGHT, WIDTH) if footage.turned else (WIDTH, HEIGHT)
        stream.pix_fmt = footage.pixel_format
        stream.time_base = stream.codec_context.time_base = footage.time_base
        quick = {"preset": "ultrafast", "g": str(GOP), "keyint_min": "1", "sc_threshold": "0", "bf": "2"}
        stream.options = {**quick, **footage.options} if footage.codec == "libx264" else footage.options
        if footage.sound_s:
            sound: Any = container.add_stream("aac", rate=SAMPLE_RATE, layout="mono")
            samples = _beeps(footage, *footage.sound_s)
            for at in range(0, len(samples), 1024):
                heard = av.AudioFrame.from_ndarray(samples[None, at : at + 1024], format="fltp", layout="mono")
                heard.sample_rate, heard.time_base = SAMPLE_RATE, Fraction(1, SAMPLE_RATE)
                heard.pts = round(footage.sound_s[0] * SAMPLE_RATE) + at
                container.mux(sound.encode(heard))
            container.mux(sound.encode(None))
        for number, ticks in enumerate(footage.ticks):
            seen = av.VideoFrame.from_ndarray(_draw(number, footage.turned), format="gray")
            seen = seen.reformat(format=footage.pixel_format)
            seen.pts, seen.time_base = ticks, footage.time_base
            container.mux(stream.encode(seen))
        container.mux(stream.encode(None))
    if footage.turned:
        upright = path.with_name(f"note_{path.name}")
        ffmpeg.run(["-display_rotation", "-90", "-i", str(path), "-c", "copy", str(upright)], len(footage.ticks))
        upright.replace(path)
    return path


def frame_numbers(path: Path) -> list[int]:
    """The numbers drawn on the frames of a video whose picture is stored upright."""
    with av.open(str(path)) as container:
        return [_number(np.asarray(frame.to_ndarray(format="gray"), np.uint8)) for frame in container.decode(video=0)]


def _number(image: NDArray[np.uint8]) -> int:
    assert image.shape == (HEIGHT, WIDTH)
    middles = image[BLOCK // 2 : 2 * BLOCK : BLOCK, BLOCK // 2 :: BLOCK].ravel()
    return sum(1 << bit for bit, value in enumerate(middles) if value > 128)


def frame_times(path: Path) -> list[float]:
    """When each frame is shown, in seconds of the clip."""
    with av.open(str(path)) as container:
        return [float(frame.time) for frame in container.decode(video=0) if frame.time is not None]


def heard_sound(path: Path) -> NDArray[np.float32]:
    """The first channel, from the clip's zero: shape ``(n_samples,)``."""
    with av.open(str(path)) as container:
        frames = list(container.decode(audio=0))
    assert frames[0].time == pytest.approx(0, abs=0.001)
    return np.concatenate([frame.to_ndarray()[0] for frame in frames])


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
    footage = Footage("reference.mp4", _steps(512, n=714), Fraction(1, 15360), sound_s=None)
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
        assert 0 <= len(heard_sound(clip.path)) / SAMPLE_RATE - (plan.end_s - plan.start_s) + 1e-4 < 1024 / SAMPLE_RATE


@pytest.mark.parametrize("mode", ["exact", "fast"])
@pytest.mark.parametrize(
    "name", ["cfr30.mp4", "ntsc.mp4", "vfr.mp4", "starts_at_5_s.mkv", "starts_at_5_s.ts", "turned.mov"]
)
def test_sound_stays_in_sync(drawn: Callable[[str], Video], tmp_path: Path, name: str, mode: Any) -> None:
    """The pop of a board that is heard a few frames off is seen by everyone."""
    video = drawn(name)
    clip = cut_clip(video, plan_of(video, 137, 200), tmp_path / "clip.mp4", mode)
    sound = np.abs(heard_sound(clip.path))
    frames = [frame for frame in range(0, N_FRAMES, BEEP_EVERY) if 137 <= frame <= 195]
    beeps_s = [float(video.pts_s[frame]) - clip.start_s for frame in frames]
    for at_s in beeps_s:
        window = sound[round((at_s - 0.1) * SAMPLE_RATE) if at_s > 0.1 else 0 :][: round(0.15 * SAMPLE_RATE)]
        onset_s = max(0.0, at_s - 0.1) + float(np.argmax(window > 0.4)) / SAMPLE_RATE
        assert window.max() > 0.4
        assert onset_s == pytest.approx(at_s, abs=0.008)


def test_a_gap_in_the_sound_becomes_silence(drawn: Callable[[str], Video], tmp_path: Path) -> None:
    """Sound that starts late or ends early must not slide to the start of the clip."""
    video = drawn("sound_in_the_middle.mp4")
    sound = np.abs(heard_sound(cut_clip(video, plan_of(video, 60, 180), tmp_path / "clip.mp4").path))
    assert sound[: round(0.95 * SAMPLE_RATE)].max() < 0.01
    assert sound[round(1.0 * SAMPLE_RATE) : round(1.1 * SAMPLE_RATE)].max() > 0.4
    assert sound[round(2.6 * SAMPLE_RATE) :].max() < 0.01


def test_hdr_footage_keeps_its_colour_tags(drawn: Callable[[str], Video], tmp_path: Path) -> None:
    """Without the tags the 8-bit clip would look grey in every player."""
    source = tmp_path / "hlg.mp4"
    tags = "setparams=color_primaries=bt2020:color_trc=arib-std-b67:colorspace=bt2020nc:range=tv"
    made = drawn("open_gop_10_bit.mp4").path
    encoder = ["-c:v", "libx265", "-preset", "ultrafast", "-x265-params", "log-level=none"]
    ffmpeg.run(["-i", str(made), "-t", "0.5", "-vf", tags, *encoder, str(source)], 15)
    video = Video.open(source)
    clip = cut_clip(video, plan_of(video, 3, 6), tmp_path / "clip.mp4")
    with av.open(str(clip.path)) as container:
        context = next(container.decode(video=0))
    assert (context.format.name, context.color_primaries, context.color_trc, context.colorspace) == (
        "yuv420p",
        9,
        18,
        9,
    )


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


@pytest.mark.parametrize(
    "name",
    [
        "kickflip_hevc_landscape.mov",
        "kickflip_hevc_rotated_vfr.mov",
        "ollie_h264_1080p.mov",
        "ollie_h264_720p_24fps.mov",
        "ollie_hevc_rotated_vfr.mov",
    ],
)
def test_files_as_they_come_off_a_phone(tmp_path: Path, name: str) -> None:
    """Rotation, uneven rates, sound first and data tracks all at once."""
    if not ORIGINALS.is_dir():
        pytest.skip("the phone originals are not on this machine")
    video = Video.open(ORIGINALS / name)
    start, end = 7, 16
    clip = cut_clip(video, plan_of(video, start, end), tmp_path / "clip.mp4")
    cut = Video.open(clip.path)
    assert (cut.info.width, cut.info.height, cut.info.rotation) == (video.info.width, video.info.height, 0)
    np.testing.assert_allclose(cut.pts_s, video.pts_s[start : end + 1] - video.pts_s[start], atol=0.0015)
    assert cut.info.audio
    size = video.fit(256)
    around = {picture.index: picture.gray(*size) for picture in video.pictures(1, start - 1, end + 2)}
    for picture in cut.pictures():
        shown = picture.gray(*size).astype(np.int16)
        distance = {frame: float(np.abs(shown - image).mean()) for frame, image in around.items()}
        assert min(distance, key=lambda frame: distance[frame]) == start + picture.index


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
    clip = cut_clip(video, plan, tmp_path / "clip.mp4", "fast")
    numbers = [_number(picture.gray(WIDTH, HEIGHT)) for picture in Video.open(clip.path).pictures()]
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


## What goes wrong, and that nothing is left of it


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk with room for 64 kB."""
    folder = tmp_path / "small"
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(folder)], capture_output=True)
    if mounted.returncode:
        pytest.skip("mounting a small disk needs rights that this user does not have")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


@pytest.mark.parametrize("mode", ["exact", "fast"])
def test_a_full_disk_is_one_sentence(
    drawn: Callable[[str], Video], tmp_path: Path, small_disk: Path, mode: Any
) -> None:
    """FFmpeg's exit code is the only sign of it: unheeded, the user would find half a clip."""
    source = tmp_path / "noisy.mp4"
    loud = ["-vf", "scale=640:384,noise=alls=60:allf=t", "-c:v", "libx264", "-preset", "ultrafast", "-c:a", "copy"]
    ffmpeg.run(["-i", str(drawn("cfr30.mp4").path), "-t", "1", *loud, str(source)], 30)
    video = Video.open(source)
    with pytest.raises(UserError, match=rf"{small_disk}.*disk is full.*free some space"):
        cut_clip(video, plan_of(video, 0, 29), small_disk / "clip.mp4", mode)
    assert list(small_disk.iterdir()) == []


def test_a_write_protected_disk_is_one_sentence(drawn: Callable[[str], Video], small_disk: Path) -> None:
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    video = drawn("cfr30.mp4")
    with pytest.raises(UserError, match="read-only"):
        cut_clip(video, plan_of(video, 0, 3), small_disk / "clip.mp4")


def test_a_file_where_a_folder_should_be(drawn: Callable[[str], Video], tmp_path: Path) -> None:
    (tmp_path / "clips").write_text("notes")
    video = drawn("cfr30.mp4")
    with pytest.raises(UserError, match="clips"):
        cut_clip(video, plan_of(video, 0, 3), tmp_path / "clips" / "clip.mp4")
    assert (tmp_path / "clips").read_text() == "notes"


@pytest.mark.parametrize("mode", ["exact", "fast"])
def test_footage_that_went_away(drawn: Callable[[str], Video], tmp_path: Path, mode: Any) -> None:
    """A card pulled out between review and export; the clip of an earlier export survives."""
    source = tmp_path / "card" / "park.mp4"
    source.parent.mkdir()
    source.write_bytes(drawn("cfr30.mp4").path.read_bytes())
    video = Video.open(source)
    source.unlink()
    earlier = tmp_path / "out" / "clip.mp4"
    earlier.parent.mkdir()
    earlier.write_bytes(b"earlier")
    with pytest.raises(UserError, match=r"park\.mp4 is gone"):
        cut_clip(video, plan_of(video, 100, 110), earlier, mode)
    assert [(path.name, path.read_bytes()) for path in earlier.parent.iterdir()] == [("clip.mp4", b"earlier")]


def test_damaged_footage_gives_no_silent_short_clip(tmp_path: Path) -> None:
    """Frames that cannot be read would shift all that comes after them in the clip."""
    footage = Footage("broken.mp4", _steps(512, n=60), Fraction(1, 15360), options={"g": "1"}, sound_s=None)
    source = write_footage(footage, tmp_path / footage.name)
    with av.open(str(source)) as container:
        packets = [(packet.pos, packet.size) for packet in container.demux(video=0) if packet.size]
    data = bytearray(source.read_bytes())
    for at, size in packets[20:24]:
        assert at is not None
        data[at : at + size] = bytes(size)
    source.write_bytes(data)
    video = Video.open(source)
    with pytest.raises(UserError, match=r"broken\.mp4 is damaged between 0\.3 s and 1\.\d s, where only 27 of 31"):
        cut_clip(video, plan_of(video, 10, 40), tmp_path / "out" / "clip.mp4")
    assert list((tmp_path / "out").iterdir()) == []
    with pytest.raises(UserError, match="only 0 of 2"):
        cut_clip(video, plan_of(video, 21, 22), tmp_path / "out" / "clip.mp4")
    assert frame_numbers(cut_clip(video, plan_of(video, 30, 40), tmp_path / "clip.mp4").path) == list(range(30, 41))


def test_the_footage_is_never_written_over(drawn: Callable[[str], Video]) -> None:
    video = drawn("cfr30.mp4")
    before = video.path.read_bytes()
    with pytest.raises(UserError, match="is the footage itself"):
        cut_clip(video, plan_of(video, 0, 3), video.path)
    assert video.path.read_bytes() == before


def test_only_mp4_names(drawn: Callable[[str], Video], tmp_path: Path) -> None:
    video = drawn("cfr30.mp4")
    with pytest.raises(UserError, match=r"clip\.gif is not a name for an MP4"):
        cut_clip(video, plan_of(video, 0, 3), tmp_path / "clip.gif")


def test_a_plan_for_another_video(drawn: Callable[[str], Video], reference: Video, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="not a plan for this video"):
        cut_clip(drawn("cfr30.mp4"), plan_of(reference, 700, 710), tmp_path / "clip.mp4")


@pytest.mark.parametrize("mode", ["exact", "fast"])
def test_a_cancelled_cut_leaves_nothing(drawn: Callable[[str], Video], tmp_path: Path, mode: Any) -> None:
    video = drawn("cfr30.mp4")
    with pytest.raises(Cancelled):
        cut_clip(video, plan_of(video, 5, 250), tmp_path / "out" / "clip.mp4", mode, cancelled=lambda: True)
    assert list((tmp_path / "out").iterdir()) == []


def test_an_error_of_the_listener_stops_ffmpeg_too(drawn: Callable[[str], Video], tmp_path: Path) -> None:
    """A page that went away must not leave an encoder running."""

    def listener(_done: float) -> None:
        raise RuntimeError("the page is gone")

    video = drawn("cfr30.mp4")
    with pytest.raises(RuntimeError, match="the page is gone"):
        cut_clip(video, plan_of(video, 5, 250), tmp_path / "out" / "clip.mp4", progress=listener)
    assert list((tmp_path / "out").iterdir()) == []


@pytest.mark.parametrize("mode", ["exact", "fast"])
def test_progress_rises_to_one(drawn: Callable[[str], Video], tmp_path: Path, mode: Any) -> None:
    video = drawn("cfr30.mp4")
    seen: list[float] = []
    cut_clip(video, plan_of(video, 40, 250), tmp_path / "clip.mp4", mode, progress=seen.append)
    assert seen == sorted(seen)
    assert (min(seen) >= 0, seen[-1]) == (True, 1.0)


## FFmpeg itself


def test_a_running_ffmpeg_is_stopped_within_half_a_second(tmp_path: Path) -> None:
    """A cancel has to work while FFmpeg is busy with frames that it does not write."""
    endless = ["-f", "lavfi", "-i", "testsrc2", "-vf", "trim=start=1000000", str(tmp_path / "out.mp4")]
    polls = iter([False, False, True])
    with pytest.raises(Cancelled):
        ffmpeg.run(endless, 10, cancelled=partial(next, polls))


def test_a_failure_carries_the_last_words(tmp_path: Path) -> None:
    """Without them nobody can tell what FFmpeg did not like."""
    with pytest.raises(FFmpegError, match=r"code \d+\.\n.*[Nn]o such filter") as caught:
        ffmpeg.run(["-f", "lavfi", "-i", "testsrc2=duration=1", "-vf", "nonsense", str(tmp_path / "out.mp4")], 25)
    assert 0 < len(caught.value.complaints) <= 12
    assert not caught.value.disk_full


def test_a_talkative_ffmpeg_does_not_stall(tmp_path: Path) -> None:
    """More on stderr than a pipe holds (64 kB) blocks a process whose stderr nobody reads."""
    words = ffmpeg.run(["-v", "trace", "-f", "lavfi", "-i", "testsrc2=duration=4", str(tmp_path / "out.mp4")], 100)
    assert len(words) == 12
