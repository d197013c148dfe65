"""A cropped clip holds the planned frames, and in each of them the place that the path says, to a fraction of a pixel.

A crop that moves by whole pixels trembles in every slow pan; one that is a frame off cuts the trick. The footage drawn
here has a dark square on a ground that is a little lighter in each frame.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from core import ffmpeg
from core.clips import ClipPlan, cut_clip, plan_clips
from core.errors import Cancelled
from core.framing.bodies import look_at_bodies
from core.framing.crop import CropPath, crop_path
from core.framing.render import crop_filters, cut_cropped
from core.intervals import Interval
from core.metrics import signals
from core.settings import ClipSettings, GuardrailSettings
from core.video import Video
from tests.skater import filmed

WIDTH, HEIGHT = 320, 180
SIDE = 24.0
N_FRAMES = 100
WINDOW = (100, 120)
SAMPLE_RATE = 44100
BEEP_FRAME = 60


@dataclass(frozen=True)
class Kind:
    """How the footage is stored."""

    name: str
    ticks: list[int]
    time_base: Fraction
    then: tuple[str, ...] = ()
    """FFmpeg's options to make another file of the one that was drawn."""


_UNEVEN = (5000 + np.cumsum(np.random.default_rng(3).integers(17, 97, N_FRAMES))).tolist()
_EVEN = [512 * i for i in range(N_FRAMES)]
_HLG = "setparams=color_primaries=bt2020:color_trc=arib-std-b67:colorspace=bt2020nc:range=tv,format=yuv420p10le"
_X265 = ("-c:v", "libx265", "-preset", "ultrafast", "-crf", "12", "-x265-params", "keyint=30:open-gop=1:log-level=none")
KINDS = {
    kind.name: kind
    for kind in [
        Kind("even.mp4", _EVEN, Fraction(1, 15360)),
        Kind("uneven_from_5_s.mkv", _UNEVEN, Fraction(1, 1000)),
        Kind("hdr.mov", _EVEN, Fraction(1, 15360), ("-vf", _HLG, *_X265, "-c:a", "copy")),
        Kind("full_range.mp4", _EVEN, Fraction(1, 15360), ("-vf", "scale=out_range=pc", "-crf", "8", "-c:a", "copy")),
        # Stored half as wide, and lying on its side.
        Kind("wide_pixels.mp4", _EVEN, Fraction(1, 15360), ("-vf", "scale=160:180,setsar=2", "-crf", "4")),
        Kind("turned.mp4", _EVEN, Fraction(1, 15360), ("-vf", "transpose=clock", "-crf", "8", "-c:a", "copy")),
    ]
}


def middle(number: float) -> tuple[float, float]:
    """Where the middle of the square is, pixels; it never stops and seldom is at a whole pixel."""
    return 70.0 + 1.73 * number, 70.3 + 0.31 * number


def _draw(number: int, at: tuple[float, float], side: float = SIDE) -> NDArray[np.uint8]:
    """A square with soft edges, so that its middle is where it is told to be."""
    inside = [
        np.clip(np.minimum(axis + 1, centre + side / 2) - np.maximum(axis, centre - side / 2), 0, 1)
        for axis, centre in zip((np.arange(WIDTH), np.arange(HEIGHT)), at, strict=True)
    ]
    cover = inside[1][:, None] * inside[0][None, :]
    ground = 90.0 + number
    image = np.full((HEIGHT * 3 // 2, WIDTH), 128, np.uint8)
    image[:HEIGHT] = np.round(ground + cover * (20 - ground))
    return image


def write(kind: Kind, path: Path, places: Callable[[float], tuple[float, float]] = middle) -> Path:
    """Draw a video with a beep at ``BEEP_FRAME``."""
    first = path.with_name(f"first_{path.name}") if kind.then else path
    with av.open(str(first), "w") as container:
        stream: Any = container.add_stream("libx264", rate=30)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        stream.time_base = stream.codec_context.time_base = kind.time_base
        stream.options = {"preset": "ultrafast", "crf": "4", "g": "50", "bf": "2"}
        sound: Any = container.add_stream("aac", rate=SAMPLE_RATE, layout="mono")
        begin_s, end_s, beep_s = (float(kind.ticks[at] * kind.time_base) for at in (0, -1, BEEP_FRAME))
        heard = np.zeros(int((end_s - begin_s) * SAMPLE_RATE), np.float32)
        beep = 0.8 * np.sin(2 * np.pi * 1000 * np.arange(SAMPLE_RATE // 50) / SAMPLE_RATE)
        at = round((beep_s - begin_s) * SAMPLE_RATE)
        heard[at : at + len(beep)] = beep
        for at in range(0, len(heard), 1024):
            part = av.AudioFrame.from_ndarray(heard[None, at : at + 1024], format="fltp", layout="mono")
            part.sample_rate, part.time_base = SAMPLE_RATE, Fraction(1, SAMPLE_RATE)
            part.pts = round(begin_s * SAMPLE_RATE) + at
            container.mux(sound.encode(part))
        container.mux(sound.encode(None))
        for number, ticks in enumerate(kind.ticks):
            frame = av.VideoFrame.from_ndarray(_draw(number, places(number)), format="yuv420p")
            frame.pts, frame.time_base = ticks, kind.time_base
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    if kind.then:
        ffmpeg.run(["-i", str(first), *kind.then, "-fps_mode", "passthrough", str(path)], N_FRAMES)
    if kind.name.startswith("turned"):
        noted = path.with_name(f"noted_{path.name}")
        ffmpeg.run(["-display_rotation", "90", "-i", str(path), "-c", "copy", str(noted)], N_FRAMES)
        noted.replace(path)
    return path


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Video]:
    """Opens the drawn footage of a name; each is drawn once."""
    folder = tmp_path_factory.mktemp("footage")

    def open_drawn(name: str) -> Video:
        path = folder / name
        return Video.open(path if path.exists() else write(KINDS[name], path))

    return open_drawn


def plan_of(video: Video, start_frame: int, end_frame: int) -> ClipPlan:
    [plan] = plan_clips([Interval(start_frame, end_frame)], video, ClipSettings(clip_padding_s=0))
    return plan


def path_of(start_frame: int, x: Any, y: Any, zoom: Any = 1.0, window: tuple[int, int] = WINDOW) -> CropPath:
    x, y, zoom = np.broadcast_arrays(x, y, zoom)
    n = len(x)
    sides = window[0] / zoom, window[1] / zoom
    nobody = np.zeros(n, bool)
    frame = np.arange(start_frame, start_frame + n)
    return CropPath(frame, x, y, *sides, window, (WIDTH, HEIGHT), np.zeros(n, np.int64), nobody, ())


def following(start_frame: int, end_frame: int) -> CropPath:
    """The square in the middle of the window."""
    x, y = np.array([middle(number) for number in range(start_frame, end_frame + 1)]).T
    return path_of(start_frame, x - WINDOW[0] / 2, y - WINDOW[1] / 2)


def pictures(path: Path) -> list[NDArray[np.float64]]:
    """The luma of each frame."""
    with av.open(str(path)) as container:
        return [_luma(frame) for frame in container.decode(video=0)]


def _luma(frame: Any) -> NDArray[np.float64]:
    return np.asarray(frame.to_ndarray()[: frame.height, : frame.width], np.float64)


def seen(image: NDArray[np.float64]) -> tuple[float, tuple[float, float], float]:
    """The ground's luma, the middle of the square and its side, pixels."""
    ground = float(np.median(image))
    weight = np.where(image < ground - 12, ground - image, 0.0)
    down, across = np.indices(image.shape) + 0.5
    at = float((weight * across).sum() / weight.sum()), float((weight * down).sum() / weight.sum())
    return ground, at, float(np.sqrt(weight.sum() / (ground - np.percentile(image[weight > 0], 5))))


@pytest.mark.parametrize("name", KINDS)
def test_a_cropped_clip_holds_the_planned_frames_and_the_square_stays_in_its_middle(
    drawn: Callable[[str], Video], tmp_path: Path, name: str
) -> None:
    video, start, end = drawn(name), 7, 96
    assert (video.info.width, video.info.height) == (WIDTH, HEIGHT)
    plan = plan_of(video, start, end)
    clip = cut_cropped(video, plan, following(start, end), tmp_path / "clip.mp4")
    whole = cut_clip(video, plan, tmp_path / "whole.mp4")
    assert (clip.start_frame, clip.end_frame, clip.frames) == (start, end, end - start + 1)

    shown = [seen(image) for image in pictures(clip.path)]
    # What the same cut shows without a crop tells the numbers apart whatever became of the levels.
    levels = [seen(image)[0] for image in pictures(whole.path)]
    assert np.all(np.diff(levels) >= 0)
    assert [level for level, _, _ in shown] == pytest.approx(levels, abs=1)
    middles = np.array([at for _, at, _ in shown])
    assert np.abs(middles - np.array(WINDOW) / 2).max() < 0.3
    assert np.abs(np.diff(middles, axis=0)).max() < 0.3  # whole pixels would show as steps of one

    with av.open(str(clip.path)) as cropped, av.open(str(whole.path)) as uncropped:
        [picture], [sound] = cropped.streams.video, cropped.streams.audio
        assert (picture.width, picture.height) == WINDOW
        assert picture.sample_aspect_ratio in (None, 1)
        assert sound.codec_context.name == "aac"
        frames = [next(container.decode(video=0)) for container in (cropped, uncropped)]
    assert len({(f.format.name, f.color_primaries, f.color_trc, f.colorspace, f.color_range) for f in frames}) == 1
    wanted_s = video.pts_s[start : end + 1] - plan.start_s
    np.testing.assert_allclose(Video.open(clip.path).pts_s, wanted_s, atol=0.0015)
    assert [path.name for path in sorted(tmp_path.iterdir())] == ["clip.mp4", "whole.mp4"]


@pytest.mark.parametrize("name", ["even.mp4", "uneven_from_5_s.mkv"])
def test_the_sound_is_heard_with_its_frame(drawn: Callable[[str], Video], tmp_path: Path, name: str) -> None:
    video = drawn(name)
    clip = cut_cropped(video, plan_of(video, 40, 90), following(40, 90), tmp_path / "clip.mp4")
    with av.open(str(clip.path)) as container:
        heard = np.concatenate([frame.to_ndarray()[0] for frame in container.decode(audio=0)])
    onset_s = float(np.argmax(np.abs(heard) > 0.4)) / SAMPLE_RATE
    assert onset_s == pytest.approx(video.pts_s[BEEP_FRAME] - video.pts_s[40], abs=0.008)
    assert len(heard) / SAMPLE_RATE == pytest.approx(clip.end_s - clip.start_s, abs=1024 / SAMPLE_RATE + 1e-4)


def test_zooming_in_makes_the_square_larger_and_leaves_it_in_the_middle(
    drawn: Callable[[str], Video], tmp_path: Path
) -> None:
    video = drawn("even.mp4")
    zoom = np.linspace(1, 2, 51)
    x, y = np.array([middle(number) for number in range(30, 81)]).T
    path = path_of(30, x - WINDOW[0] / zoom / 2, y - WINDOW[1] / zoom / 2, zoom)
    shown = [
        seen(image) for image in pictures(cut_cropped(video, plan_of(video, 30, 80), path, tmp_path / "c.mp4").path)
    ]
    assert np.abs(np.array([at for _, at, _ in shown]) - np.array(WINDOW) / 2).max() < 0.3
    assert [side for _, _, side in shown] == pytest.approx(list(SIDE * zoom), rel=0.03)


@pytest.mark.parametrize(("x", "y"), [(0.0, 0.0), (WIDTH - WINDOW[0], HEIGHT - WINDOW[1]), (77.0, 13.0)])
def test_a_crop_that_stands_at_whole_pixels_is_as_sharp_as_the_footage(
    drawn: Callable[[str], Video], tmp_path: Path, x: float, y: float
) -> None:
    """At the edges of the picture, too, where there is nothing beyond to take from."""
    video = drawn("even.mp4")
    plan = plan_of(video, 10, 14)
    cropped = pictures(cut_cropped(video, plan, path_of(10, np.full(5, x), y), tmp_path / "crop.mp4").path)
    part = np.s_[round(y) : round(y) + WINDOW[1], round(x) : round(x) + WINDOW[0]]
    for image, whole in zip(cropped, pictures(cut_clip(video, plan, tmp_path / "all.mp4").path), strict=True):
        assert np.abs(image - whole[part]).mean() < 0.5


def test_a_square_that_moves_with_a_body_stays_in_the_picture(tmp_path: Path) -> None:
    """The whole way from what a network sees to the clip."""
    time_s = np.arange(0, N_FRAMES, 2) / 30
    pose, camera = filmed(time_s, jumps_s=(1.5,), stride=2)
    bodies = look_at_bodies(signals(pose, camera, WIDTH / HEIGHT, GuardrailSettings()), pose, camera, WIDTH / HEIGHT)
    hips = pose.keypoints[:, 11:13, :2].mean(axis=1)

    def hip(number: float) -> tuple[float, float]:
        x, y = (float(np.interp(number / 30, time_s, hips[:, axis])) for axis in (0, 1))
        return x * WIDTH, y * HEIGHT

    video = Video.open(write(KINDS["even.mp4"], tmp_path / "even.mp4", hip))
    trick = Interval(36, 54)
    path = crop_path(bodies, (WIDTH, HEIGHT), video.pts_s, Interval(20, 80), [trick], "9:16")
    clip = cut_cropped(video, plan_of(video, 20, 80), path, tmp_path / "clip.mp4")
    assert path.window == (100, 180)
    for number, image in enumerate(pictures(clip.path), start=20):
        _, (x, y), _ = seen(image)
        assert (x + path.x[number - 20], y) == pytest.approx(hip(number), abs=0.4)
        assert x == pytest.approx(path.window[0] / 2, abs=0.2 * path.window[0])


def test_the_filters_of_an_hour_are_made_in_no_time() -> None:
    """A list that is searched from its beginning for every frame would take the square of their number."""
    n = 20_000
    x = 100 + 50 * np.sin(np.arange(n) / 100)
    filters = crop_filters(path_of(0, x, np.zeros(n)))
    depth = max(np.cumsum([{"(": 1, ")": -1}.get(c, 0) for c in filters]))
    assert depth < 18


def test_a_path_for_another_clip_is_refused(drawn: Callable[[str], Video], tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="frames 7 to 20 for another clip"):
        cut_cropped(drawn("even.mp4"), plan_of(drawn("even.mp4"), 8, 20), following(7, 20), tmp_path / "clip.mp4")


def test_a_cancelled_crop_leaves_nothing(drawn: Callable[[str], Video], tmp_path: Path) -> None:
    video = drawn("even.mp4")
    with pytest.raises(Cancelled):
        cut_cropped(
            video, plan_of(video, 7, 96), following(7, 96), tmp_path / "out" / "clip.mp4", cancelled=lambda: True
        )
    assert list((tmp_path / "out").iterdir()) == []
