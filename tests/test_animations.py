"""An animation shows the planned time, at its speed and upright, in so few bytes as asked; a poster shows its frame."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from core import ffmpeg
from core.animations import AnimationFormat, write_animation
from core.clips import ClipPlan
from core.errors import Cancelled, UserError
from core.export.poster import write_poster
from core.video import Video
from tests.numbered import HEIGHT, WIDTH, Footage, number_on, write_footage
from tests.test_clips import plan_of

N = 90
UNEVEN = np.cumsum(np.random.default_rng(3).integers(17, 97, N)).tolist()
FOOTAGE = {
    footage.name: footage
    for footage in (
        Footage("24.mp4", list(range(N)), Fraction(1, 24), Fraction(24), sound_s=None),
        Footage("29.97.mp4", [1001 * i for i in range(N)], Fraction(1, 30000), Fraction(30000, 1001), sound_s=None),
        Footage("60.mp4", list(range(N)), Fraction(1, 60), Fraction(60), sound_s=None),
        Footage("vfr.mp4", UNEVEN, Fraction(1, 1000), sound_s=None),
        Footage("vfr.mkv", UNEVEN, Fraction(1, 1000), sound_s=(0.0, 5.0)),
        Footage("no_times.avi", list(range(N)), Fraction(1, 30), sound_s=None),
        Footage("turned.mov", [512 * i for i in range(N)], Fraction(1, 15360), turns=1, sound_s=None),
    )
}


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Video]:
    """Opens the drawn footage of a name; each is drawn once."""
    folder = tmp_path_factory.mktemp("footage")

    def open_drawn(name: str) -> Video:
        path = folder / name
        return Video.open(path if path.exists() else write_footage(FOOTAGE[name], path))

    return open_drawn


@pytest.fixture(scope="module")
def noisy(tmp_path_factory: pytest.TempPathFactory) -> Video:
    """Two seconds of noise in colours: nothing takes more bytes."""
    path = tmp_path_factory.mktemp("noisy") / "no{i}sy.mp4"  # braces mean nothing
    noise = "testsrc2=size=400x226:rate=30:duration=2,noise=alls=90:allf=t"
    ffmpeg.run(["-f", "lavfi", "-i", noise, "-c:v", "libx264", "-preset", "ultrafast", "-crf", "28", str(path)], 60)
    return Video.open(path)


def frames_of(path: Path) -> tuple[list[NDArray[np.uint8]], list[int]]:
    """The pictures as shown (grey), and how long each stands in ms, as the file says."""
    with Image.open(path) as image:
        pictures, delays = [], []
        for number in range(getattr(image, "n_frames", 1)):
            image.seek(number)
            pictures.append(np.asarray(image.convert("L")))
            delays.append(int(image.info.get("duration", 0)))
    return pictures, delays


def loops_of(path: Path) -> Any:
    with Image.open(path) as image:
        return image.info.get("loop")


@pytest.mark.parametrize("format", ["gif", "webp"])
@pytest.mark.parametrize("name", FOOTAGE)
def test_it_shows_the_planned_time_upright_and_at_its_speed(
    drawn: Callable[[str], Video], tmp_path: Path, name: str, format: AnimationFormat
) -> None:
    """A GIF counts in hundredths of a second: rounded one by one, two seconds of 60 fps would take a third longer."""
    video = drawn(name)
    plan = plan_of(video, 13, 72)
    made = write_animation(video, plan, tmp_path / f"trick.{format}", format)
    pictures, delays = frames_of(made.path)
    numbers = [number_on(picture) for picture in pictures]
    assert (numbers[0], numbers[-1]) == (13, 72)
    assert numbers == sorted(numbers)
    assert sum(delays) / 1000 == pytest.approx(plan.end_s - plan.start_s, abs=0.02)
    if not video.info.variable_rate:  # there, a picture that stays is stored once
        assert len(numbers) / (plan.end_s - plan.start_s) == pytest.approx(made.fps, abs=0.001)
    # What is on screen is never further from its time than a frame of the animation and one of the footage.
    shown_s = np.cumsum([0, *delays[:-1]]) / 1000
    slack_s = 1 / made.fps + float(np.diff(video.pts_s).max()) + 0.02
    assert np.abs(video.pts_s[numbers] - plan.start_s - shown_s).max() < slack_s
    assert loops_of(made.path) == 0  # for ever
    assert (made.width, made.height, made.bytes) == (WIDTH, HEIGHT, made.path.stat().st_size)


@pytest.mark.parametrize("format", ["gif", "webp"])
def test_a_single_frame(drawn: Callable[[str], Video], tmp_path: Path, format: AnimationFormat) -> None:
    video = drawn("24.mp4")
    made = write_animation(video, plan_of(video, 40, 40), tmp_path / f"still.{format}", format)
    assert [number_on(picture) for picture in frames_of(made.path)[0]] == [40]


def test_colours_stay_what_they_are(tmp_path: Path) -> None:
    """WebP knows one matrix only, and the footage has another."""
    source = tmp_path / "red.mp4"
    red = "color=0xC81E50:size=320x180:rate=30:duration=1,scale=out_color_matrix=bt709,format=yuv420p"
    ffmpeg.run(["-f", "lavfi", "-i", red, "-c:v", "libx264", "-colorspace", "bt709", str(source)], 30)
    video = Video.open(source)
    paths = [
        write_animation(video, plan_of(video, 0, 9), tmp_path / "red.gif", "gif").path,
        write_animation(video, plan_of(video, 0, 9), tmp_path / "red.webp", "webp").path,
        tmp_path / "red.png",
        tmp_path / "red.jpg",
    ]
    for path in paths[2:]:
        write_poster(video, plan_of(video, 5, 5), path)
    for path in paths:
        with Image.open(path) as image:
            assert np.asarray(image.convert("RGB"))[90, 160] == pytest.approx([200, 30, 80], abs=9), path.name


@pytest.mark.parametrize("format", ["gif", "webp"])
def test_oblong_pixels_are_made_square(drawn: Callable[[str], Video], tmp_path: Path, format: AnimationFormat) -> None:
    """Old camcorders: shown as stored, everybody would be thin."""
    source = tmp_path / "camcorder.mp4"
    oblong = ["-vf", "scale=160:96,setsar=2/1", "-c:v", "libx264"]
    ffmpeg.run(["-i", str(drawn("24.mp4").path), *oblong, str(source)], N)
    video = Video.open(source)
    made = write_animation(video, plan_of(video, 0, 9), tmp_path / f"trick.{format}", format)
    assert (made.width, made.height) == (320, 96)
    assert frames_of(made.path)[0][0].shape == (96, 320)


@pytest.mark.parametrize(("format", "max_bytes"), [("gif", 1_500_000), ("gif", 700_000), ("webp", 400_000)])
def test_noise_is_made_smaller_until_it_fits(
    noisy: Video, tmp_path: Path, format: AnimationFormat, max_bytes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is too large is refused by the site where it is posted. And it must not take an encode for every size."""
    plan, encodes = plan_of(noisy, 15, 44), []
    run = ffmpeg.run

    def counted(arguments: list[str], *others: Any) -> Any:
        encodes.extend([argument for argument in arguments if argument == "-loop"])
        return run(arguments, *others)

    monkeypatch.setattr("core.animations.run", counted)
    made = write_animation(noisy, plan, tmp_path / f"trick.{format}", format, max_bytes)
    assert max_bytes / 3 < made.path.stat().st_size <= max_bytes
    assert 1 <= len(encodes) <= 4
    assert max(made.width, made.height) >= 240
    assert made.fps >= 8
    assert sum(frames_of(made.path)[1]) == pytest.approx(1000, abs=20)


@pytest.mark.parametrize("format", ["gif", "webp"])
def test_what_cannot_be_made_out_is_not_written(noisy: Video, tmp_path: Path, format: AnimationFormat) -> None:
    (tmp_path / f"trick.{format}").write_bytes(b"earlier")
    with pytest.raises(
        UserError, match=r"^1\.0 s of no{i}sy\.mp4 do not fit into 0\.1 MB .*: choose a shorter padding"
    ):
        write_animation(noisy, plan_of(noisy, 0, 29), tmp_path / f"trick.{format}", format, 60_000)
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [b"earlier"]


def test_small_footage_is_not_made_larger(drawn: Callable[[str], Video], tmp_path: Path) -> None:
    """There is nothing to win by it. Where even its own size is too much, that is said."""
    video = drawn("60.mp4")
    assert write_animation(video, plan_of(video, 0, 50), tmp_path / "a.gif", "gif").width == WIDTH
    with pytest.raises(UserError, match="choose a shorter padding"):
        write_animation(video, plan_of(video, 0, 50), tmp_path / "b.gif", "gif", 500)


def test_cancelled_leaves_nothing(noisy: Video, tmp_path: Path) -> None:
    with pytest.raises(Cancelled):
        write_animation(noisy, plan_of(noisy, 0, 30), tmp_path / "trick.gif", "gif", cancelled=lambda: True)
    assert list(tmp_path.iterdir()) == []


def test_cancelled_while_it_is_drawn(noisy: Video, tmp_path: Path) -> None:
    told: list[float] = []
    with pytest.raises(Cancelled):
        write_animation(
            noisy, plan_of(noisy, 0, 30), tmp_path / "trick.gif", "gif", 3_000_000, told.append,
            lambda: bool(told) and told[-1] > 0.3,
        )  # fmt: skip
    assert list(tmp_path.iterdir()) == []


def test_progress_rises_to_one(noisy: Video, tmp_path: Path) -> None:
    told: list[float] = []
    write_animation(noisy, plan_of(noisy, 0, 20), tmp_path / "trick.gif", "gif", 700_000, told.append)
    assert told == sorted(told)
    assert (min(told) >= 0, told[-1]) == (True, 1.0)


def test_mistakes_are_one_sentence(drawn: Callable[[str], Video], tmp_path: Path) -> None:
    video = drawn("24.mp4")
    with pytest.raises(UserError, match=r"trick\.mp4 .*: let it end in \.gif\."):
        write_animation(video, plan_of(video, 0, 9), tmp_path / "trick.mp4", "gif")
    (tmp_path / "notes").write_text("")
    with pytest.raises(UserError, match="a file stands where a folder is needed"):
        write_animation(video, plan_of(video, 0, 9), tmp_path / "notes" / "trick.gif", "gif")
    gone = Video(tmp_path / "gone.mp4", video.info, None, video.pts_s)
    with pytest.raises(UserError, match=r"gone\.mp4"):
        write_animation(gone, plan_of(video, 0, 9), tmp_path / "trick.gif", "gif")
    assert [path.name for path in tmp_path.iterdir()] == ["notes"]


def test_the_footage_is_never_written_over(drawn: Callable[[str], Video], tmp_path: Path) -> None:
    """A GIF is footage too."""
    source = tmp_path / "park.gif"
    ffmpeg.run(["-i", str(drawn("24.mp4").path), str(source)], N)
    before, video = source.read_bytes(), Video.open(source)
    plan = ClipPlan(0, 9, 0.0, video.end_of(9), plan_of(drawn("24.mp4"), 0, 9).events)
    with pytest.raises(UserError, match="is the footage itself"):
        write_animation(video, plan, source, "gif")
    assert source.read_bytes() == before


## Posters


@pytest.mark.parametrize("suffix", ["jpg", "png"])
@pytest.mark.parametrize("name", ["29.97.mp4", "vfr.mkv", "turned.mov"])
def test_a_poster_is_the_frame_in_full_size(
    drawn: Callable[[str], Video], tmp_path: Path, name: str, suffix: str
) -> None:
    path = tmp_path / f"poster.{suffix}"
    write_poster(drawn(name), plan_of(drawn(name), 47, 47), path)
    image = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
    assert image is not None
    assert number_on(np.asarray(image, np.uint8)) == 47


def test_a_poster_of_a_name_that_is_none(drawn: Callable[[str], Video], tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"poster\.tiff .*: let it end in \.jpg or \.png"):
        write_poster(drawn("24.mp4"), plan_of(drawn("24.mp4"), 3, 3), tmp_path / "poster.tiff")
