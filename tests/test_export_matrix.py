"""Whatever a camera writes, a clip of it holds exactly the frames that were asked for, at their times and with sound.

Pairwise: every rate with some codecs, depths, rotations, kinds of sound, containers and data tracks. Frames are known
by the numbers drawn on them, and times by the ticks they were written at, never by what the program itself reads.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from core.clips import Clip, ClipPlan, cut_clip, fast_start, plan_clips
from core.framing.crop import CropPath
from core.framing.render import cut_cropped
from core.intervals import Interval
from core.settings import ClipSettings
from core.video import Video
from tests.numbered import (
    CROP,
    HEIGHT,
    WIDTH,
    Footage,
    beeps_s,
    flashes,
    number_on,
    pictures,
    steps,
    uneven,
    write_footage,
)

ORIGINALS = Path(__file__).parents[2] / "shared" / "data" / "phone_originals"
SAME_S = 0.002
"""The ticks of Matroska are a millisecond."""

FINE, MS, TS = Fraction(1, 15360), Fraction(1, 1000), Fraction(1, 90000)
_NTSC, _FILM = Fraction(30000, 1001), Fraction(24000, 1001)
_H264 = {"g": "20"}
_HEVC = {"preset": "ultrafast", "x265-params": "keyint=20:bframes=3:open-gop=1:log-level=none"}
_CLOSED = {"preset": "ultrafast", "x265-params": "keyint=20:bframes=3:open-gop=0:log-level=none"}
_VP9 = {"deadline": "realtime", "cpu-used": "8", "g": "20"}
_AV1 = {"preset": "10", "g": "20"}
_DEEP = "yuv420p10le"

MATRIX = [
    Footage("h264_24.mp4", steps(640, 0, 50), FINE, Fraction(24), options=_H264, sound_s=(0, 2)),
    Footage("h264_23976_turned_tmcd.mov", steps(1001, 0, 50), Fraction(1, 24000), _FILM, options=_H264, sound_s=(0, 2),
            layout="stereo", turns=1, data="tmcd"),
    Footage("h264_2997_deep_late.mkv", [round(5000 + 1001 * i / 30) for i in range(64)], MS, _NTSC, options=_H264,
            pixel_format=_DEEP, sound_s=(5, 7.2), layout="5.1"),
    Footage("h264_30_upside_down_gpmd.mov", steps(512, 0, 64), FINE, options=_H264, sound_s=None, turns=2,
            data="gpmd"),
    Footage("h264_60_turned.mov", steps(256, 0, 120), FINE, Fraction(60), options=_H264, sound_s=(0, 2),
            layout="stereo", turns=3),
    Footage("h264_120_gpmd.mov", steps(128, 0, 240), FINE, Fraction(120), options=_H264, sound_s=(0, 2), data="gpmd"),
    Footage("h264_uneven_turned_tmcd.mov", uneven(50), MS, options=_H264, sound_s=(0, 2.9), layout="stereo", turns=1,
            data="tmcd"),
    Footage("h264_30_late.ts", steps(3000, 900_000, 64), TS, options=_H264, sound_s=(10, 12.2), layout="5.1"),
    Footage("hevc_24.mp4", steps(640, 0, 50), FINE, Fraction(24), "libx265", _CLOSED, sound_s=(0, 2), layout="5.1"),
    Footage("hevc_2997_deep_turned_tmcd.mov", steps(1001, 0, 64), Fraction(1, 30000), _NTSC, "libx265", _HEVC, _DEEP,
            sound_s=(0, 2), layout="stereo", turns=1, data="tmcd"),
    Footage("hevc_30_deep.mkv", steps(33, 0, 64), MS, Fraction(30), "libx265", _HEVC, _DEEP, sound_s=None),
    Footage("hevc_uneven_turned_gpmd.mov", uneven(50), MS, Fraction(30), "libx265", _HEVC, sound_s=(0, 2.9), turns=3,
            data="gpmd"),
    Footage("hevc_60_deep_upside_down.mp4", steps(256, 0, 120), FINE, Fraction(60), "libx265", _CLOSED, _DEEP,
            sound_s=(0, 2), layout="stereo", turns=2),
    Footage("hevc_120_late.ts", steps(750, 900_000, 240), TS, Fraction(120), "libx265", _HEVC, sound_s=(10, 12),
            layout="stereo"),
    Footage("vp9_30.webm", steps(33, 0, 64), MS, Fraction(30), "libvpx-vp9", _VP9, sound_s=(0, 2.2), layout="stereo"),
    Footage("vp9_23976_deep.mkv", [round(1001 * i / 24) for i in range(50)], MS, _FILM, "ffv1",
            pixel_format=_DEEP, sound_s=(0, 2),
            anew=("libvpx-vp9", "-deadline", "realtime", "-cpu-used", "8", "-g", "20")),
    Footage("vp9_uneven.mp4", uneven(50), MS, Fraction(30), "libvpx-vp9", _VP9, sound_s=None),
    Footage("av1_60.mp4", steps(256, 0, 120), FINE, Fraction(60), "libsvtav1", _AV1, sound_s=(0, 2)),
    Footage("av1_24_deep_late.mkv", [round(3000 + 1000 * i / 24) for i in range(50)], MS, Fraction(24), "libsvtav1",
            _AV1, _DEEP, sound_s=(3, 5), layout="5.1"),
    Footage("av1_120_deep.mp4", steps(128, 0, 240), FINE, Fraction(120), "libsvtav1", _AV1, _DEEP, sound_s=(0, 2),
            layout="stereo"),
    Footage("av1_uneven.webm", uneven(50), MS, Fraction(30), "libsvtav1", _AV1, sound_s=(0, 2.9), layout="stereo"),
]  # fmt: skip
BY_NAME = {footage.name: footage for footage in MATRIX}


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Video]:
    """Opens the drawn footage of a name; each is drawn once."""
    folder = tmp_path_factory.mktemp("matrix")

    def open_drawn(name: str) -> Video:
        path = folder / name
        return Video.open(path if path.exists() else write_footage(BY_NAME[name], path))

    return open_drawn


def middle(video: Video) -> ClipPlan:
    """From a little after the first third, between two keyframes, to the second one."""
    wanted = Interval(video.n_frames // 3 + 3, 2 * video.n_frames // 3)
    [plan] = plan_clips([wanted], video, ClipSettings(clip_padding_s=0))
    return plan


def check_frames(footage: Footage, clip: Clip) -> None:
    """Each frame that the clip says is in it is there once, shown for as long as it was in the footage."""
    shown = list(pictures(clip.path))
    numbers = [number_on(image) for _, image in shown]
    wanted = list(range(clip.start_frame, clip.end_frame + 1))
    if clip.mode == "exact":
        assert numbers == wanted
    # A copy ends as it is stored: frames before its last one may be stored after it.
    assert (numbers[0], numbers[-1], len(numbers)) == (clip.start_frame, clip.end_frame, clip.frames)
    times_s = footage.times_s[numbers] - footage.times_s[clip.start_frame]
    np.testing.assert_allclose([time_s for time_s, _ in shown], times_s, atol=SAME_S)


def check_sync(footage: Footage, clip: Clip) -> None:
    """The beep is heard when the flash is seen, less than a frame apart."""
    heard = beeps_s(clip.path)
    seen = [time_s for time_s, image in pictures(clip.path) if flashes(image)]
    assert seen
    frame_s = float(np.median(np.diff(footage.times_s)))
    # Of a beep that the clip begins or ends in, nothing may be left.
    inside = [time_s for time_s in seen if 0.03 < time_s < clip.end_s - clip.start_s - 0.06]
    for time_s in inside:
        assert np.abs(heard - time_s).min() < frame_s


@pytest.mark.parametrize("name", BY_NAME)
def test_the_footage_is_what_its_name_says(drawn: Callable[[str], Video], name: str) -> None:
    """A matrix of thirty ordinary files would prove nothing."""
    video, footage = drawn(name), BY_NAME[name]
    assert video.info.codec == name.partition("_")[0]
    assert video.info.bit_depth == (10 if "deep" in name else 8)
    assert video.info.variable_rate == ("uneven" in name)
    assert video.info.rotation % 360 == -90 * footage.turns % 360
    with av.open(str(video.path)) as container:
        assert len(container.streams.data) == (footage.data is not None)
        assert container.start_time is not None
        assert (container.start_time > av.time_base) == ("late" in name)


@pytest.mark.parametrize("name", BY_NAME)
def test_exact_clips(drawn: Callable[[str], Video], tmp_path: Path, name: str) -> None:
    """One frame off cuts into the trick; a picture on its side or a beep too late is seen by everyone."""
    video, footage = drawn(name), BY_NAME[name]
    plan = middle(video)
    clip = cut_clip(video, plan, tmp_path / "clip.mp4")
    assert (clip.start_frame, clip.end_frame) == (plan.start_frame, plan.end_frame)
    check_frames(footage, clip)
    with av.open(str(clip.path)) as container:
        [stream] = container.streams.video
        assert (stream.codec_context.name, stream.codec_context.pix_fmt) == ("h264", "yuv420p")
        assert (stream.width, stream.height) == (WIDTH, HEIGHT)
        assert len(container.streams.audio) == (footage.sound_s is not None)
        assert len(container.streams) == 1 + len(container.streams.audio)
    # The last frame stays as long as it did: an uneven rate and no sound, and it would flash by.
    lasts_s = footage.times_s[plan.end_frame + 1] - footage.times_s[plan.start_frame]
    assert Video.open(clip.path).info.duration_s == pytest.approx(lasts_s, abs=2 * SAME_S)
    if footage.sound_s:
        check_sync(footage, clip)


@pytest.mark.parametrize("name", BY_NAME)
def test_fast_clips(drawn: Callable[[str], Video], tmp_path: Path, name: str) -> None:
    """A copy begins at a keyframe, and says at which: before the cut and after."""
    video, footage = drawn(name), BY_NAME[name]
    plan = middle(video)
    told = fast_start(video, plan)
    clip = cut_clip(video, plan, tmp_path / "clip.mp4", "fast")
    assert told == (clip.start_frame, clip.start_s)
    assert clip.start_frame <= plan.start_frame <= plan.end_frame <= clip.end_frame
    check_frames(footage, clip)
    if footage.sound_s:
        check_sync(footage, clip)


@pytest.mark.parametrize(
    "name",
    ["h264_23976_turned_tmcd.mov", "hevc_uneven_turned_gpmd.mov", "hevc_60_deep_upside_down.mp4", "vp9_30.webm",
     "av1_24_deep_late.mkv"],
)  # fmt: skip
def test_vertical_clips(drawn: Callable[[str], Video], tmp_path: Path, name: str) -> None:
    """The crop of each frame is that of its place in the clip."""
    video, footage = drawn(name), BY_NAME[name]
    plan = middle(video)
    frames = np.arange(plan.start_frame, plan.end_frame + 1)
    x, y, width, height = (np.full(len(frames), float(value)) for value in ((WIDTH - CROP[0]) / 2, 0, *CROP))
    one, yes = np.zeros(len(frames), np.int64), np.ones(len(frames), np.bool_)
    path = CropPath(frames, x, y, width, height, CROP, (WIDTH, HEIGHT), one, yes, ())
    clip = cut_cropped(video, plan, path, tmp_path / "clip.mp4")
    check_frames(footage, clip)
    assert next(pictures(clip.path))[1].shape == (CROP[1], CROP[0])
    if footage.sound_s:
        check_sync(footage, clip)


@pytest.mark.parametrize("mode", ["exact", "fast"])
@pytest.mark.parametrize("path", sorted(ORIGINALS.glob("*.mov")) or [None], ids=lambda path: path and path.stem)
def test_files_as_they_come_off_a_phone(tmp_path: Path, path: Path | None, mode: str) -> None:
    """Rotation, uneven rates, sound first and data tracks all at once; times are those that PyAV alone reads."""
    if path is None:
        pytest.skip("the phone originals are not on this machine")
    video = Video.open(path)
    plan = middle(video)
    clip = cut_clip(video, plan, tmp_path / "clip.mp4", mode)  # type: ignore[arg-type]
    stored, cut = _shown(path), _shown(clip.path)
    assert len(cut) == clip.frames
    times_s = np.array([time_s for time_s, _ in stored]) - stored[clip.start_frame][0]
    for number, (time_s, image) in enumerate(cut):
        at = int(np.abs(times_s - time_s).argmin())
        assert times_s[at] == pytest.approx(time_s, abs=SAME_S)
        if mode == "exact":
            assert at == plan.start_frame + number
        # No other frame looks more like it; a camera that stands still shows several that look the same.
        distance = [np.abs(image - other).mean() for _, other in stored]
        assert distance[at] <= min(distance) + 0.02
    with av.open(str(clip.path)) as container:
        assert {stream.type for stream in container.streams} <= {"video", "audio"}


def _shown(path: Path) -> list[tuple[float, NDArray[np.int16]]]:
    """Times and small upright pictures, int16."""
    return [(time_s, image[::8, ::8].astype(np.int16)) for time_s, image in pictures(path)]
