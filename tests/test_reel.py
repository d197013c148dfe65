"""A reel shows the tricks it says it shows, as long and as loud as a place to post it takes, and nothing half-made.

Footage is drawn with a number on every frame, see :mod:`tests.numbered`. Reels are made in its own small size, so that
the numbers can be read back from them.
"""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from core import ffmpeg
from core.clips import plan_clips
from core.errors import Cancelled, UserError
from core.framing import Aspect
from core.framing.crop import CropPath
from core.intervals import Interval
from core.reel import PRESETS, Margins, Moment, Preset, Reel, make_reel
from core.reel.choose import Choice, choose
from core.reel.sound import measure
from core.settings import ClipSettings, ReelOrder, ReelSettings, Transition
from core.video import Video
from tests.numbered import CROP, HEIGHT, WIDTH, Footage, frame_numbers, heard_sound, number_on, steps, write_footage

MARGINS = Margins(0.05, 0.05, 0.05, 0.02)
SMALL = Preset(WIDTH, HEIGHT, None, "source", MARGINS)
UPRIGHT = Preset(*CROP, None, "9:16", MARGINS)
PLAIN = ReelSettings(captions=False, replay=False)


def moment(start: int, end: int, label: str = "ollie", stars: int = 0, confidence: float | None = None) -> Moment:
    return Moment(Interval(start, end, label), stars, confidence, Interval(start, end, label))


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Video]:
    """Draws footage, each of a name once."""
    folder = tmp_path_factory.mktemp("footage")

    def draw(name: str, rate: int = 30, n: int = 200, **options: Any) -> Video:
        path = folder / name
        if not path.exists():
            ticks = steps(15360 // rate, 0, n)
            write_footage(Footage(name, ticks, Fraction(1, 15360), Fraction(rate), **options), path)
        return Video.open(path)

    return draw


@pytest.fixture(scope="module")
def video(drawn: Callable[..., Video]) -> Video:
    return drawn("cfr30.mp4", sound_s=(0.0, 6.6))


def reel_of(
    video: Video,
    moments: Sequence[Moment],
    folder: Path,
    settings: ReelSettings = PLAIN,
    padding_s: float = 0.2,
    preset: Preset = SMALL,
    **more: Any,
) -> Reel:
    return make_reel(video, moments, settings, padding_s, folder / "reel.mp4", preset=preset, **more)


def pictures(path: Path) -> list[NDArray[np.uint8]]:
    """All frames of a reel: shape ``(height, width, 3)``."""
    with av.open(str(path)) as container:
        return [np.asarray(frame.to_ndarray(format="rgb24"), np.uint8) for frame in container.decode(video=0)]


def loudness(path: Path) -> tuple[float, float]:
    """Integrated loudness and true peak by the summary of FFmpeg's own meter."""
    told = subprocess.run(
        [ffmpeg.executable(), "-i", str(path), "-map", "0:a", "-af", "ebur128=peak=true", "-f", "null", "-"],
        capture_output=True,
        text=True,
        check=True,
    ).stderr.rpartition("Summary:")[2]
    values = dict(line.split(":") for line in told.splitlines() if line.count(":") == 1)
    keyed = {key.strip(): value.split()[0] for key, value in values.items() if value.split()}
    return float(keyed["I"]), float(keyed["Peak"])


def tone(path: Path, seconds: float, volume: float = 0.5, hz: int = 300) -> Path:
    source = f"aevalsrc={volume}*sin({hz}*2*PI*t):s=48000:d={seconds}"
    ffmpeg.run(["-f", "lavfi", "-i", source, str(path)], 1)
    return path


def frames_of(*stretches: tuple[int, int]) -> list[int]:
    return [frame for start, end in stretches for frame in range(start, end + 1)]


## What is shown


def test_the_frames_of_each_trick_in_order_of_time(video: Video, tmp_path: Path) -> None:
    """Six frames of padding on either side, no frame lost or doubled."""
    reel = reel_of(video, [moment(100, 109), moment(40, 44)], tmp_path)
    assert frame_numbers(reel.path) == frames_of((34, 50), (94, 115))
    assert [(one.moment.trick.start_frame, round(30 * one.start_s), round(30 * one.end_s)) for one in reel.shown] == [
        (40, 0, 17),
        (100, 17, 39),
    ]
    assert reel.duration_s == pytest.approx(39 / 30)
    assert reel.notes == ()


def test_the_most_liked_first(video: Video, tmp_path: Path) -> None:
    moments = [moment(30, 31, stars=3), moment(60, 61, stars=5), moment(90, 91, stars=3, confidence=0.9)]
    reel = reel_of(video, moments, tmp_path, ReelSettings(captions=False, replay=False, order="stars"), 0)
    assert frame_numbers(reel.path) == [60, 61, 90, 91, 30, 31]


@pytest.mark.parametrize(
    ("moments", "frames"),
    [
        ([(0, 3)], [(0, 9)]),
        ([(195, 199)], [(189, 199)]),
        ([(77, 77)], [(71, 83)]),
        ([(50, 59), (64, 70)], [(44, 61), (62, 76)]),
    ],
    ids=["at the very start", "at the very end", "one frame", "close ones share what is between them"],
)
def test_padding_ends_where_there_is_nothing_to_show(
    video: Video, tmp_path: Path, moments: list[tuple[int, int]], frames: list[tuple[int, int]]
) -> None:
    reel = reel_of(video, [moment(*ends) for ends in moments], tmp_path)
    assert frame_numbers(reel.path) == frames_of(*frames)


def test_a_reel_of_one_frame(video: Video, tmp_path: Path) -> None:
    reel = reel_of(video, [moment(77, 77)], tmp_path, padding_s=0)
    assert frame_numbers(reel.path) == [77]
    assert reel.duration_s == pytest.approx(1 / 30)


def test_uneven_rates_become_even_ones(drawn: Callable[..., Video], tmp_path: Path) -> None:
    """Sites drop what is not of one rate; what is on the screen at a time must stay so."""
    video = drawn("fast.mp4", rate=60, n=120)
    reel = reel_of(video, [moment(20, 59)], tmp_path, padding_s=0)
    assert len(frame_numbers(reel.path)) == 20
    assert np.abs(np.array(frame_numbers(reel.path)) - np.arange(20, 60, 2)).max() <= 1


def test_a_turned_silent_video_with_a_crop_that_follows(drawn: Callable[..., Video], tmp_path: Path) -> None:
    """The crop that is asked for is the one that is shown, of the frames that are cut."""
    video = drawn("turned.mov", sound_s=None, turns=1, n=60)
    asked: list[tuple[Interval, list[Interval], Aspect]] = []

    def framed(shown: Interval, tricks: Sequence[Interval], aspect: Aspect) -> CropPath:
        asked.append((shown, list(tricks), aspect))
        frame = np.arange(shown.start_frame, shown.end_frame + 1)
        still = np.ones(len(frame))
        # 16 pixels right of the middle.
        sides = {"x": 68 * still, "y": 0 * still, "width": CROP[0] * still, "height": CROP[1] * still}
        return CropPath(frame, **sides, window=CROP, picture=(WIDTH, HEIGHT), shot=0 * frame, followed=still > 0,
                        notes=("Seen.",))  # fmt: skip

    reel = reel_of(video, [moment(20, 29)], tmp_path, preset=UPRIGHT, framed=framed)
    [(shown, tricks, aspect)] = asked
    assert (shown.start_frame, shown.end_frame, tricks, aspect) == (14, 35, [Interval(20, 29, "ollie")], "9:16")
    # The right block of the second row, bit 3, is now left of the middle.
    bright = [bool(picture[20:28, 16:24].mean() > 128) for picture in pictures(reel.path)]
    assert bright == [bool(frame >> 3 & 1) for frame in range(14, 36)]
    assert reel.notes == ("ollie at 0:00: Seen.",)
    assert reel.loudness is None


def test_without_a_look_the_crop_stays_in_the_middle_and_says_so(video: Video, tmp_path: Path) -> None:
    reel = reel_of(video, [moment(20, 29)], tmp_path, preset=UPRIGHT)
    assert frame_numbers(reel.path) == frames_of((14, 35))
    [note] = reel.notes
    assert "middle" in note


def test_upright_footage_is_whole_in_a_wide_reel(tmp_path: Path) -> None:
    """Cropped, the skater would lose his legs; black bars look like a fault."""
    source = tmp_path / "upright.mp4"
    ffmpeg.run(["-f", "lavfi", "-i", "color=0x30c040:s=54x96:d=1:r=30", str(source)], 30)
    reel = reel_of(Video.open(source), [moment(5, 9)], tmp_path, padding_s=0)
    picture = pictures(reel.path)[2].astype(int)
    assert picture.shape == (HEIGHT, WIDTH, 3)
    inside, beside = picture[:, 60:100].reshape(-1, 3).mean(0), picture[:, :40].reshape(-1, 3).mean(0)
    assert inside == pytest.approx([0x30, 0xC0, 0x40], abs=8)
    assert 0.3 * inside[1] < beside[1] < 0.8 * inside[1]
    assert beside[1] > beside[0] + 30


## How long it is


@pytest.fixture(scope="module")
def many(video: Video) -> list[Moment]:
    """Six tricks of a third of a second: 20 to 29, 50 to 59, ...; the third is liked most, the first least."""
    stars = [0, 2, 5, 1, 3, 4]
    return [moment(20 + 30 * n, 29 + 30 * n, f"trick {n}", given) for n, given in enumerate(stars)]


@pytest.mark.parametrize(
    ("target_s", "kept", "replays"),
    [(30, range(6), 6), (12.3, range(6), 3), (5.0, range(6), 0), (3, [1, 2, 4, 5], 0), (0.1, [2], 0)],
    ids=["all", "replays go first", "then all of them", "then the least liked", "one stays"],
)
def test_the_least_liked_is_left_out_first(
    video: Video, many: list[Moment], target_s: float, kept: Sequence[int], replays: int
) -> None:
    # With padding a trick takes 22 frames of the reel, its replay 78.
    settings = ReelSettings(target_s=target_s)
    choice = choose(video, many, settings, SMALL, 0.2)
    tricks = [segment for segment in choice.segments if segment.kind == "trick"]
    replayed = [segment.moment for segment in choice.segments if segment.kind == "replay"]
    assert [segment.moment for segment in tricks] == [many[n] for n in kept]
    assert replayed == sorted(sorted(many, key=lambda one: -one.stars)[:replays], key=lambda one: one.trick)
    assert (choice.frames <= 30 * target_s) == (target_s != 0.1)
    told = " ".join(choice.notes)
    assert ["left out" in told.lower(), "slow motion" in told] == [len(kept) < 6, replays < len(tricks)]


def test_what_is_left_out_is_named(video: Video, many: list[Moment]) -> None:
    choice = choose(video, many, ReelSettings(replay=False, target_s=1.7), SMALL, 0.0)
    assert "Left out to keep the reel within 1.7 s: trick 0 at 0:00." in choice.notes


def test_padding_is_shortened_before_a_trick_is_left_out(drawn: Callable[..., Video]) -> None:
    video = drawn("long.mp4", n=600, sound_s=None)
    moments = [moment(100, 129), moment(300, 329), moment(500, 529)]
    settings = ReelSettings(replay=False, target_s=8)
    choice = choose(video, moments, settings, SMALL, 2.0)
    assert len(choice.segments) == 3
    assert 8 * 30 - 6 <= choice.frames <= 8 * 30  # five seconds of padding for six ends
    assert "Padding is 0.8 s instead of 2 s" in choice.notes[0]


def test_a_place_has_a_longest_reel(drawn: Callable[..., Video]) -> None:
    video = drawn("long.mp4", n=600, sound_s=None)
    moments = [moment(100, 129), moment(300, 329), moment(500, 529)]
    choice = choose(video, moments, ReelSettings(replay=False, target_s=60), replace(SMALL, longest_s=5), 2.0)
    assert choice.frames <= 5 * 30


def test_the_presets_are_what_the_places_take() -> None:
    assert {name: (preset.width, preset.height, preset.longest_s) for name, preset in PRESETS.items()} == {
        "instagram": (1080, 1920, 90),
        "short": (1080, 1920, 180),
        "full": (1920, 1080, None),
    }
    assert {48000 % preset.fps for preset in PRESETS.values()} == {0}


def slowly(
    video: Video, moments: Sequence[Moment], settings: ReelSettings, preset: Preset, padding_s: float
) -> tuple[list[tuple[object, ...]], list[int]]:
    """What :func:`choose` is to find, word for word: every reel is put together anew until one is short enough."""
    fps, last_frame = preset.fps, video.n_frames - 1
    longest_s = min(limit for limit in (settings.target_s, preset.longest_s, 1e9) if limit is not None)

    def timed(shown: Interval, matters: Interval, slower: int) -> list[int]:
        begin_s, end_s = float(video.pts_s[shown.start_frame]), video.end_of(shown.end_frame)
        frames = max(1, round((end_s - begin_s) * fps * slower))
        before = int((float(video.pts_s[matters.start_frame]) - begin_s) * fps * slower + 1e-6)
        after = int((end_s - video.end_of(matters.end_frame)) * fps * slower + 1e-6)
        before = min(before, frames - 1)
        return [slower, frames, before, min(after, frames - 1 - before)]

    def reel(kept: list[Moment], replayed: list[Moment], padding: float) -> tuple[list[Any], list[int]]:
        in_time = sorted(kept, key=lambda one: one.trick)
        plans = [plan_clips([one.trick], video, ClipSettings(clip_padding_s=padding))[0] for one in in_time]
        ends = [[plan.start_frame, plan.end_frame] for plan in plans]
        for n, (one, other) in enumerate(pairwise(in_time)):
            end, start = min(one.trick.end_frame, last_frame), other.trick.start_frame
            ends[n][1] = min(ends[n][1], max((end + start) // 2, end))
            ends[n + 1][0] = max(ends[n + 1][0], min((end + start) // 2 + 1, start))
        segments: list[Any] = []
        if settings.title:
            air = kept[0].air.pad(0, 0, last_frame)
            middle = (air.start_frame + air.end_frame) // 2
            segments.append(("title", kept[0], 0, Interval(middle, middle), 1, 2 * fps, 2 * fps // 3, 2 * fps // 3))
        for number, one in enumerate(in_time if settings.order == "time" else kept, 1):
            start, end = ends[in_time.index(one)]
            shown = Interval(start, end)
            segments.append(("trick", one, number, shown, *timed(shown, one.trick.pad(0, 0, last_frame), 1)))
            if one in replayed:
                air = one.air.pad(0, 0, last_frame)
                first = video.frame_at(float(video.pts_s[air.start_frame]) - 0.25)
                shown = Interval(first, video.frame_at(video.end_of(air.end_frame) + 0.25))
                rate = shown.frames / (video.end_of(shown.end_frame) - float(video.pts_s[first]))
                slower = min(4, max(3, round(rate / fps))) if rate >= 0.99 * 90 else 3
                segments.append(("replay", one, number, shown, *timed(shown, air, slower)))
        rooms = [min(round(0.4 * fps), one[7], other[6]) for one, other in pairwise(segments)]
        return segments, [room if settings.transition == "fade" and room >= 3 else 0 for room in rooms]

    def frames(found: tuple[list[Any], list[int]]) -> int:
        lengths: list[int] = [segment[5] for segment in found[0]]
        return sum(lengths) - sum(found[1])

    best = sorted(moments, key=lambda one: one.rank)
    counts = [(len(best), n) for n in range(len(best), 0, -1)] if settings.replay else []
    for kept, replayed in [*counts, *((n, 0) for n in range(len(best), 0, -1))]:
        found = reel(best[:kept], best[:replayed], padding_s)
        if frames(found) <= longest_s * fps:
            return found
        fits_s, too_long_s = min(padding_s, 0.5), padding_s
        found = reel(best[:kept], best[:replayed], fits_s)
        if frames(found) <= longest_s * fps:
            while too_long_s - fits_s > 0.5 / fps:
                middle_s = (fits_s + too_long_s) / 2
                better = reel(best[:kept], best[:replayed], middle_s)
                if frames(better) <= longest_s * fps:
                    found, fits_s = better, middle_s
                else:
                    too_long_s = middle_s
            return found
    return found


def told_of(choice: Choice) -> tuple[list[tuple[object, ...]], list[int]]:
    segments: list[tuple[object, ...]] = [
        (one.kind, one.moment, one.number, one.shown, one.slower, one.frames, one.before, one.after)
        for one in choice.segments
    ]
    return segments, list(choice.fades)


@pytest.fixture(scope="module")
def uneven(tmp_path_factory: pytest.TempPathFactory) -> Video:
    """About 100 frames a second, of which some are missing."""
    path = tmp_path_factory.mktemp("uneven") / "uneven.mp4"
    ticks = np.cumsum(np.random.default_rng(5).choice([128, 128, 128, 640], 400)).tolist()
    write_footage(Footage(path.name, ticks, Fraction(1, 15360), Fraction(60), sound_s=None), path)
    return Video.open(path)


@pytest.mark.parametrize("transition", ["cut", "fade"])
@pytest.mark.parametrize("order", ["time", "stars"])
def test_the_search_finds_what_trying_every_reel_finds(
    video: Video, uneven: Video, transition: Transition, order: ReelOrder
) -> None:
    random = np.random.default_rng(11)
    shortened = 0
    for trial in range(60):
        footage = (video, uneven)[trial % 2]
        moments = []
        for number in range(random.integers(1, 7)):
            start = int(random.integers(0, footage.n_frames))
            end = start + int(random.choice([0, 3, 30]))
            air = start + int(random.integers(0, min(end, footage.n_frames - 1) - start + 1))
            sure = None if number % 2 else float(random.random())
            moments.append(
                Moment(Interval(start, end, f"trick {number}"), int(random.integers(0, 6)), sure, Interval(air, end))
            )
        settings = ReelSettings(
            order=order,
            transition=transition,
            title=("", "Sunday")[trial // 2 % 2],
            replay=bool(random.random() < 0.6),
            target_s=float(random.uniform(0.1, 15)),
        )
        padding_s = float(random.choice([0.0, 0.2, 0.8, 2.0]))
        choice = choose(footage, moments, settings, SMALL, padding_s)
        assert told_of(choice) == slowly(footage, moments, settings, SMALL, padding_s)
        shortened += bool(choice.notes)
    assert 10 < shortened < 60


def test_a_faded_reel_may_be_shorter_with_one_trick_more(video: Video) -> None:
    """It takes two fades instead of one from the padding, so that fewer tricks are not always what is short enough."""
    moments = [moment(50, 59, stars=5), moment(109, 118, stars=4), moment(84, 84, stars=3)]

    def found(target_s: float | None, some: list[Moment]) -> Choice:
        settings = ReelSettings(replay=False, transition="fade", target_s=target_s)
        return choose(video, some, settings, SMALL, 1.0)

    three, two = found(None, moments), found(None, moments[:2])
    assert three.frames < two.frames
    assert found(three.frames / 30, moments) == three


def test_hundreds_of_tricks_are_chosen_from_at_once(drawn: Callable[..., Video]) -> None:
    """The page asks again with every change of a setting."""
    video = drawn("long.mp4", n=600, sound_s=None)
    moments = [moment(n, n + 1, stars=n % 6) for n in range(0, 590)]
    settings = ReelSettings(title="Sunday", transition="fade", target_s=10)
    began_s = time.process_time()
    choice = choose(video, moments, settings, SMALL, 2.0)
    assert time.process_time() - began_s < 2
    assert choice.frames <= 300


## Fades and slow motion


def test_a_cross_fade_takes_its_time_from_the_padding_of_both(video: Video, tmp_path: Path) -> None:
    """12 frames are shared, and no frame of a trick is among them."""
    settings = PLAIN.model_copy(update={"transition": "fade"})
    reel = reel_of(video, [moment(40, 49), moment(100, 109)], tmp_path, settings, 0.5)
    assert reel.duration_s == pytest.approx((40 + 40 - 12) / 30)
    numbers = frame_numbers(reel.path)
    assert len(numbers) == 68
    assert numbers[:28] == frames_of((25, 52))
    assert numbers[40:] == frames_of((97, 124))
    # In the middle of the fade a block that is white on one side and black on the other is grey.
    middle = pictures(reel.path)[34].astype(int)
    blocks = [middle[8 + 16 * (bit // 2), 72 + 16 * (bit % 2)].mean() for bit in range(10)]
    shown = [(59 >> bit & 1, 91 >> bit & 1) for bit in range(10)]
    assert all(60 < block < 195 for block, (one, two) in zip(blocks, shown, strict=True) if one != two)
    assert all(block > 195 or block < 60 for block, (one, two) in zip(blocks, shown, strict=True) if one == two)


def test_no_fade_where_there_is_no_padding_for_it(video: Video, tmp_path: Path) -> None:
    settings = PLAIN.model_copy(update={"transition": "fade"})
    reel = reel_of(video, [moment(40, 49), moment(100, 109)], tmp_path, settings, 0.0)
    assert frame_numbers(reel.path) == frames_of((40, 49), (100, 109))


def test_a_replay_of_fast_footage_shows_its_own_frames(drawn: Callable[..., Video], tmp_path: Path) -> None:
    """A quarter of the speed: each of 120 frames a second is one of 30."""
    video = drawn("fast120.mp4", rate=120, n=360, sound_s=(0.0, 3.0))
    one = Moment(Interval(120, 159, "ollie"), 0, None, Interval(130, 149))
    reel = reel_of(video, [one], tmp_path, PLAIN.model_copy(update={"replay": True}), 0)
    trick, replay = reel.shown
    assert (trick.is_replay, replay.is_replay) == (False, True)
    assert trick.end_s - trick.start_s == pytest.approx(40 / 120, abs=1 / 30)
    first = round(30 * replay.start_s)
    assert frame_numbers(reel.path)[first:] == frames_of((100, 180))[: len(frame_numbers(reel.path)) - first]
    assert replay.end_s - replay.start_s == pytest.approx(81 / 30, abs=1 / 30)
    assert np.abs(heard_sound(reel.path)[1][int(48000 * (replay.start_s + 0.05)) :]).max() < 1e-3


def moving(path: Path, cut_at: int | None = None) -> Video:
    """A bright patterned square on a dark ground that moves by 5 pixels a frame from frame 14 on; after the cut all is
    inverted."""
    noise = np.random.default_rng(3).integers(120, 250, (40, 40), np.uint8)
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream("libx264", rate=30)
        stream.width, stream.height, stream.pix_fmt, stream.options = 256, 144, "yuv420p", {"crf": "8"}
        for number in range(50):
            image = np.full((144, 256), 30, np.uint8)
            left = 20 + 5 * max(0, number - 14)
            image[50:90, left : left + 40] = noise
            if cut_at is not None and number >= cut_at:
                image = 250 - image
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="gray").reformat(format="yuv420p")))
        container.mux(stream.encode(None))
    return Video.open(path)


def test_a_replay_of_slow_footage_moves_on_in_every_frame(tmp_path: Path) -> None:
    """A frame shown three times is a slide show; a mean of two frames shows two squares."""
    preset = Preset(256, 144, None, "source", MARGINS)
    one = Moment(Interval(20, 29, "ollie"), 0, None, Interval(22, 27))
    settings = PLAIN.model_copy(update={"replay": True})
    reel = reel_of(moving(tmp_path / "moving.mp4"), [one], tmp_path, settings, 0, preset)
    replay = reel.shown[1]
    first = round(30 * replay.start_s)
    shown = [picture[..., 1].astype(float) for picture in pictures(reel.path)[first:]]
    assert len(shown) == 3 * len(frames_of((14, 35)))
    places = np.array([np.average(np.arange(256), weights=(p > 90).sum(0)) for p in shown])
    widths = np.array([np.ptp(np.flatnonzero((p > 90).sum(0) > 20)) for p in shown])
    assert places[0] == pytest.approx(39.5, abs=4)
    assert np.diff(places[3:-6]).mean() == pytest.approx(5 / 3, abs=0.1)
    assert (np.diff(places[3:-6]) > 0.2).mean() > 0.9
    assert np.percentile(widths, 90) < 48
    assert any("made up" in note for note in reel.notes)


def test_a_replay_never_mixes_two_shots(tmp_path: Path) -> None:
    preset = Preset(256, 144, None, "source", MARGINS)
    one = Moment(Interval(20, 29, "ollie"), 0, None, Interval(22, 27))
    settings = PLAIN.model_copy(update={"replay": True})
    reel = reel_of(moving(tmp_path / "cut.mp4", cut_at=25), [one], tmp_path, settings, 0, preset)
    ground = np.array([float(picture[4:40].mean()) for picture in pictures(reel.path)])
    assert set(np.unique(np.abs(ground - 120) > 70)) == {True}
    assert ground.min() < 60 < 180 < ground.max()


def test_no_frames_are_made_up_between_shots_that_the_crop_knows(video: Video, tmp_path: Path) -> None:
    """A cut between two pictures of one brightness is not seen by FFmpeg's filter."""

    def framed(shown: Interval, _tricks: Sequence[Interval], _aspect: Aspect) -> CropPath:
        frame = np.arange(shown.start_frame, shown.end_frame + 1)
        still = np.ones(len(frame))
        sides = {"x": 52 * still, "y": 0 * still, "width": CROP[0] * still, "height": CROP[1] * still}
        return CropPath(frame, **sides, window=CROP, picture=(WIDTH, HEIGHT), shot=1 * (frame >= 45),
                        followed=still > 0, notes=())  # fmt: skip

    settings = PLAIN.model_copy(update={"replay": True})
    reel = reel_of(video, [moment(40, 49)], tmp_path, settings, 0, UPRIGHT, framed=framed)
    numbers = frame_numbers(reel.path)[10:]
    assert numbers == np.repeat(np.arange(32, 58), 3).tolist()


## Words


def test_name_and_number_are_in_the_picture_clear_of_the_edges(video: Video, tmp_path: Path) -> None:
    preset = Preset(WIDTH, HEIGHT, None, "source", Margins(0.1, 0.2, 0.1, 0.24))
    pair = [moment(40, 44), moment(100, 104)]
    bare = pictures(reel_of(video, pair, tmp_path, preset=preset).path)
    told = ReelSettings(replay=False)
    written = pictures(reel_of(video, pair, tmp_path, told, preset=preset).path)
    changed = np.abs(np.array(written).astype(int) - np.array(bare)).max(axis=(0, 3)) > 60
    rows, columns = np.nonzero(changed)
    assert len(rows) > 100
    assert (rows.min(), rows.max()) >= (HEIGHT // 2, 0)
    assert rows.max() <= (1 - 0.24) * HEIGHT + 2
    assert columns.min() >= 0.1 * WIDTH - 2
    assert columns.max() <= (1 - 0.2) * WIDTH + 2


def test_hostile_names_stay_words(video: Video, tmp_path: Path) -> None:
    """FFmpeg's filters take colons, quotes and per cent signs for orders."""
    for label in ("a:b'c\\d%{pts}[v];", "🛹" * 90, "\n\u202e", "x" * 5000):
        reel = reel_of(video, [moment(40, 41, label)], tmp_path, ReelSettings(replay=False, title=label[:80]))
        assert len(pictures(reel.path)) == 60 + 14


def test_a_title_stands_before_the_first_trick(video: Video, tmp_path: Path) -> None:
    reel = reel_of(
        video, [moment(40, 44), moment(100, 104, stars=3)], tmp_path, PLAIN.model_copy(update={"title": "Sunday"})
    )
    shown = pictures(reel.path)
    assert reel.shown[0].start_s == pytest.approx(2.0)
    assert number_on(shown[60][..., 1]) == 34
    assert (shown[5] == shown[50]).mean() > 0.9
    assert shown[30].max() > 220  # white letters
    assert np.percentile(shown[30], 80) < 140  # on a dark ground


## Sound


def test_one_loudness_measured_by_another_meter(drawn: Callable[..., Video], tmp_path: Path) -> None:
    """Beeps of 20 ms, which are all peak, have to be limited; a quiet tone only wants a gain."""
    video = drawn("cfr30.mp4", sound_s=(0.0, 6.6))
    reel = reel_of(video, [moment(30, 150)], tmp_path)
    integrated, peak = loudness(reel.path)
    assert integrated == pytest.approx(-14, abs=1)
    assert peak <= -1
    assert (reel.loudness, reel.peak) == pytest.approx((integrated, peak), abs=0.15)
    quiet = reel_of(
        drawn("silent.mp4", sound_s=None),
        [moment(30, 150)],
        tmp_path,
        PLAIN.model_copy(update={"music": str(tone(tmp_path / "quiet.wav", 3, 0.01))}),
    )
    assert loudness(quiet.path)[0] == pytest.approx(-14, abs=1)


def test_music_is_quieter_where_the_footage_is_loud(tmp_path: Path) -> None:
    """Noise of a board covers nothing of what it means: the music makes way."""
    source = tmp_path / "loud.mp4"
    sound = "aevalsrc='0.5*sin(4000*2*PI*t)*between(t,2,4)':s=48000:d=6"
    ffmpeg.run(["-f", "lavfi", "-i", "testsrc2=s=160x96:r=30:d=6", "-f", "lavfi", "-i", sound, str(source)], 180)
    music = tone(tmp_path / "music.wav", 1.3)  # shorter than the reel
    settings = PLAIN.model_copy(update={"music": str(music)})
    reel = reel_of(Video.open(source), [moment(0, 179)], tmp_path, settings)
    samples = heard_sound(reel.path)[1]
    assert len(samples) / 48000 == pytest.approx(6, abs=0.03)

    def level(start_s: float, end_s: float, hz: float) -> float:
        part = samples[int(48000 * start_s) : int(48000 * end_s)]
        return float(2 * np.abs(np.mean(part * np.exp(-2j * np.pi * hz * np.arange(len(part)) / 48000))))

    alone, under, after = level(0.6, 1.2, 300), level(2.8, 3.8, 300), level(4.9, 5.2, 300)
    assert level(2.8, 3.8, 4000) > 5 * level(0.6, 1.2, 4000)
    assert under < 0.5 * alone
    assert after == pytest.approx(alone, rel=0.4)  # it is back, and has begun anew
    assert np.abs(samples[-480:]).max() < 0.1 * np.abs(samples).max()  # and has faded out


def test_music_in_eight_channels_is_as_loud_as_in_two(video: Video, tmp_path: Path) -> None:
    """Surround sound becomes stereo in a reel, so its loudness is that of the stereo. As quiet as it is stored here it
    would not be heard beneath the footage."""
    surround, stereo = tmp_path / "surround.wav", tmp_path / "stereo.wav"
    channels = "|".join(f"0.005*sin({hz}*2*PI*t)" for hz in (300, 500, 400, 60, 700, 900, 1100, 1300))
    ffmpeg.run(["-f", "lavfi", "-i", f"aevalsrc='{channels}':s=48000:d=5:c=7.1", "-c:a", "pcm_f32le", str(surround)], 1)
    ffmpeg.run(["-i", str(surround), "-ac", "2", "-c:a", "pcm_f32le", str(stereo)], 1)
    assert measure(["-i", str(surround)]).lufs == pytest.approx(loudness(stereo)[0], abs=0.1)
    heard = []
    for music in (surround, stereo):
        settings = PLAIN.model_copy(update={"music": str(music)})
        heard.append(heard_sound(reel_of(video, [moment(30, 120)], tmp_path, settings).path)[1])
    assert np.abs(heard[0] - heard[1]).max() < 0.02 * np.abs(heard[1]).max()


def test_a_reel_without_any_sound_has_a_silent_track(drawn: Callable[..., Video], tmp_path: Path) -> None:
    reel = reel_of(drawn("silent.mp4", sound_s=None), [moment(30, 40)], tmp_path)
    assert np.abs(heard_sound(reel.path)[1]).max() == 0
    assert (reel.loudness, reel.peak) == (None, None)


@pytest.mark.parametrize("what", ["missing", "words", "picture"])
def test_music_that_cannot_be_played_is_one_sentence(video: Video, tmp_path: Path, what: str) -> None:
    music = tmp_path / "song.mp3"
    if what == "words":
        music.write_text("la la la")
    if what == "picture":
        music = tmp_path / "song.mp4"
        ffmpeg.run(["-f", "lavfi", "-i", "color=red:s=32x32:d=1", str(music)], 25)
    with pytest.raises(UserError, match=r"song\.mp.*: choose another file"):
        reel_of(video, [moment(30, 40)], tmp_path, PLAIN.model_copy(update={"music": str(music)}))
    assert not (tmp_path / "reel.mp4").exists()


## The file, and what goes wrong


def test_what_sites_take(video: Video, tmp_path: Path) -> None:
    """Anything else is coded anew by the site, or refused."""
    source = tmp_path / "phone.mp4"
    place = ["-c", "copy", "-metadata", "location=+37.3-122.0/", "-metadata", "title=at home"]
    ffmpeg.run(["-i", str(video.path), *place, str(source)], 200)
    settings = ReelSettings(title="Sunday", transition="fade")
    reel = reel_of(Video.open(source), [moment(40, 44)], tmp_path, settings, 0.5)
    with av.open(str(reel.path)) as container:
        [picture], [sound] = container.streams.video, container.streams.audio
        context = picture.codec_context
        assert (picture.codec.name, context.profile, context.pix_fmt) == ("h264", "High", "yuv420p")
        assert (context.color_primaries, context.color_trc, context.colorspace, context.color_range) == (1, 1, 1, 1)
        assert (sound.codec_context.name, sound.codec_context.sample_rate, sound.channels) == ("aac", 48000, 2)
        assert "37.3" not in str(container.metadata) + str(picture.metadata)
        assert "home" not in str(container.metadata)
        times = [float(frame.time) for frame in container.decode(video=0) if frame.time is not None]
    np.testing.assert_allclose(times, np.arange(round(30 * reel.duration_s)) / 30, atol=1e-4)
    assert len(heard_sound(reel.path)[1]) / 48000 == pytest.approx(reel.duration_s, abs=0.025)
    data = reel.path.read_bytes()
    assert data.index(b"moov") < data.index(b"mdat")  # begins to play before it is there
    again = reel_of(Video.open(source), [moment(40, 44)], tmp_path, settings, 0.5)
    assert again.path.read_bytes() == data


def test_nothing_to_show(video: Video, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no trick of cfr30\.mp4"):
        reel_of(video, [], tmp_path)
    with pytest.raises(UserError, match=r"ends at frame 199"):
        reel_of(video, [moment(300, 310)], tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("after", [0, 6, 20])
def test_a_cancelled_reel_leaves_nothing(video: Video, tmp_path: Path, after: int) -> None:
    asked = iter(range(10_000))
    with pytest.raises(Cancelled):
        reel_of(video, [moment(40, 150)], tmp_path, ReelSettings(), cancelled=lambda: next(asked) >= after)
    assert list(tmp_path.iterdir()) == []


def test_footage_that_went_away(video: Video, tmp_path: Path) -> None:
    source = tmp_path / "card" / "park.mp4"
    source.parent.mkdir()
    source.write_bytes(video.path.read_bytes())
    opened = Video.open(source)
    source.unlink()
    out = tmp_path / "out"
    out.mkdir()
    (out / "reel.mp4").write_bytes(b"earlier")
    with pytest.raises(UserError, match=r"park\.mp4 is gone"):
        reel_of(opened, [moment(40, 50)], out)
    assert [(path.name, path.read_bytes()) for path in out.iterdir()] == [("reel.mp4", b"earlier")]


def test_a_full_disk_is_one_sentence(video: Video, tmp_path: Path) -> None:
    small = tmp_path / "small"
    small.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=32k", "tmpfs", str(small)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("mounting a small disk needs rights that this user does not have")
    try:
        with pytest.raises(UserError, match=rf"{small}: the disk is full"):
            reel_of(video, [moment(40, 150)], small)
        assert list(small.iterdir()) == []
    finally:
        subprocess.run(["umount", str(small)], check=True)


def test_progress_rises_to_one(video: Video, tmp_path: Path) -> None:
    seen: list[float] = []
    reel_of(video, [moment(40, 60), moment(100, 120)], tmp_path, ReelSettings(title="x"), progress=seen.append)
    assert seen == sorted(seen)
    assert (min(seen) >= 0, seen[-1]) == (True, 1.0)
    assert len(seen) > 5
