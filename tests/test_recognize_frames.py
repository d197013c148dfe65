"""The pictures that a network sees are exactly those frames, upright, and of the one who is meant."""

from __future__ import annotations

import tracemalloc
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from core.errors import Cancelled, UserError
from core.recognize.frames import read_frames, spread
from core.recognize.samples import ClipSample, Track
from core.video import Video
from tests.conftest import SHARED
from tests.moments import write_clip
from tests.numbered import HEIGHT, WIDTH, Footage, number_on, steps, uneven, write_footage

N = 60
FILMS = [
    Footage("even.mp4", steps(512, 0, N), Fraction(1, 15360), sound_s=None),
    Footage("uneven.mp4", uneven(N), Fraction(1, 1000), sound_s=None, options={"g": "12"}),
    Footage("turned.mp4", steps(512, 0, N), Fraction(1, 15360), sound_s=None, turns=1),
]


@pytest.fixture(scope="module", params=FILMS, ids=lambda film: film.name)
def film(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_footage(request.param, tmp_path_factory.mktemp("film") / request.param.name)


@pytest.fixture(scope="module")
def balls(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A white square of 20 pixels on gray, whose left upper corner is at (20 + 4 n, 30)."""
    path = tmp_path_factory.mktemp("balls") / "balls.mkv"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=30)
        stream.width, stream.height, stream.pix_fmt = 200, 100, "bgr0"
        for number in range(20):
            image = np.full((100, 200, 3), 60, np.uint8)
            image[30:50, 20 + 4 * number : 40 + 4 * number] = (255, 128, 0)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode(None))
    return path


def numbers(pictures: NDArray[np.uint8]) -> list[int]:
    return [number_on(picture.mean(axis=2).astype(np.uint8)) for picture in pictures]


def around_ball(frames: range = range(20)) -> Track:
    left = np.array([20 + 4 * frame for frame in frames]) / 200
    return Track(
        np.array(frames), np.stack([left, np.full(len(left), 0.3), left + 0.1, np.full(len(left), 0.5)], axis=1)
    )


## Which frames


@given(st.integers(0, 500), st.integers(1, 200), st.integers(1, 64), st.one_of(st.none(), st.integers(0, 99)))
def test_each_segment_gives_one_frame_of_its_own(start: int, length: int, n: int, seed: int | None) -> None:
    frames = spread(start, start + length - 1, n, None if seed is None else np.random.default_rng(seed))
    assert frames.shape == (n,)
    for segment, frame in enumerate(frames.tolist()):
        assert start + segment * length / n - 1 < frame < start + (segment + 1) * length / n
    assert frames.min() >= start
    assert frames.max() < start + length


@pytest.mark.parametrize(
    ("start", "end", "n", "expected"),
    [
        (0, 15, 16, list(range(16))),
        (100, 109, 1, [105]),
        (0, 29, 3, [5, 15, 25]),
        (7, 7, 4, [7, 7, 7, 7]),
        (3, 4, 4, [3, 3, 4, 4]),
    ],
)
def test_the_middles_are_taken_for_testing(start: int, end: int, n: int, expected: list[int]) -> None:
    assert spread(start, end, n).tolist() == expected


def test_training_sees_other_frames_with_another_seed() -> None:
    made = [spread(0, 99, 8, np.random.default_rng(seed)).tolist() for seed in (1, 1, 2)]
    assert made[0] == made[1] != made[2]


@pytest.mark.parametrize(("start", "end", "n"), [(0, 5, 0), (5, 4, 3)])
def test_no_frames_of_nothing(start: int, end: int, n: int) -> None:
    with pytest.raises(ValueError, match="not"):
        spread(start, end, n)


## Exactly these


@pytest.mark.parametrize("which", [[0], [59], [3, 4, 5, 6, 7], [50, 2, 31, 2], [0, 12, 24, 36, 48], [11, 13, 17]])
def test_frames_are_those_that_were_asked_for(film: Path, which: list[int]) -> None:
    pictures = read_frames(ClipSample(film, "ollie", "park"), which, (WIDTH, HEIGHT))
    assert pictures.shape == (len(which), HEIGHT, WIDTH, 3)
    assert pictures.dtype == np.uint8
    assert numbers(pictures) == which


def test_so_many_frames_are_spread_over_the_moment(film: Path) -> None:
    whole, part = ClipSample(film, "ollie", "park"), ClipSample(film, "ollie", "park", 20, 29)
    beyond = ClipSample(film, "ollie", "park", 50, N)  # a frame more, as another decoder may count
    assert numbers(read_frames(whole, 3, (WIDTH, HEIGHT))) == [10, 30, 50]
    assert numbers(read_frames(part, 10, (WIDTH, HEIGHT))) == list(range(20, 30))
    assert numbers(read_frames(beyond, 10, (WIDTH, HEIGHT))) == list(range(50, 60))
    jittered = numbers(read_frames(part, 2, (WIDTH, HEIGHT), np.random.default_rng(5)))
    assert jittered == spread(20, 29, 2, np.random.default_rng(5)).tolist()


def test_an_open_video_gives_the_same(film: Path) -> None:
    sample = ClipSample(film, "ollie", "park", 5, 40)
    again = read_frames(sample, 4, (WIDTH, HEIGHT), video=Video.open(film))
    np.testing.assert_array_equal(read_frames(sample, 4, (WIDTH, HEIGHT)), again)


@pytest.mark.parametrize(("size", "shape"), [(48, (48, 80)), ((32, 56), (56, 32))])
def test_a_whole_picture_keeps_its_aspect_or_is_stretched(
    film: Path, size: int | tuple[int, int], shape: tuple[int, int]
) -> None:
    assert read_frames(ClipSample(film, "ollie", "park"), 2, size).shape == (2, *shape, 3)


## The window around somebody


@pytest.mark.parametrize("size", [20, 40, 100, (40, 80), (80, 40)])
def test_the_window_follows_the_box_and_is_stretched_as_whole_pictures_are(
    balls: Path, size: int | tuple[int, int]
) -> None:
    pictures = read_frames(ClipSample(balls, "ollie", "park", 6, 15, track=around_ball()), [6, 9, 15], size, margin=0.5)
    width, height = (size, size) if isinstance(size, int) else size
    assert pictures.shape == (3, height, width, 3)
    inside = pictures[..., 0] > 160
    # The box has 20 pixels and the window 40, so that half of either side is ball.
    for seen in inside:
        assert seen.any(axis=0).sum() == pytest.approx(width / 2, abs=max(2, width // 20))
        assert seen.any(axis=1).sum() == pytest.approx(height / 2, abs=max(2, height // 20))
        rows, columns = np.nonzero(seen)
        assert (rows.mean() + 0.5, columns.mean() + 0.5) == pytest.approx((height / 2, width / 2), abs=1)
    # Red, green and blue in this order.
    np.testing.assert_allclose(pictures[0, height // 2, width // 2], [255, 128, 0], atol=6)


def test_frames_between_those_of_the_track_are_between_its_boxes(balls: Path) -> None:
    known = around_ball()
    sparse = Track(known.frames[[0, 10]], known.boxes[[0, 10]])
    whole = ClipSample(balls, "ollie", "park", track=known)
    np.testing.assert_array_equal(
        read_frames(ClipSample(balls, "ollie", "park", track=sparse), [3, 7], 40), read_frames(whole, [3, 7], 40)
    )


def test_the_window_stays_in_the_picture_and_the_size_is_one_for_all(balls: Path) -> None:
    boxes = np.array([[0, 0, 0.05, 0.1], [0.9, 0.8, 1, 1]])
    sample = ClipSample(balls, "ollie", "park", track=Track(np.array([0, 1]), boxes))
    pictures = read_frames(sample, [0, 1], 40, margin=0.5)
    # 40 pixels of the upper left corner: of the ball at 20 to 40 and 30 to 50 the left 20 columns and 10 rows.
    seen = pictures[0, ..., 0] > 160
    assert (seen.any(axis=0).sum(), seen.any(axis=1).sum()) == (20, 10)
    assert seen[-1, -1]
    assert pictures[1].max() < 100  # the lower right corner, without the ball
    np.testing.assert_allclose(pictures[1], 60, atol=3)


def test_a_window_larger_than_the_picture_goes_on_with_its_edge(balls: Path) -> None:
    sample = ClipSample(balls, "ollie", "park", track=Track(np.array([0]), np.array([[0.0, 0.0, 1.0, 1.0]])))
    picture = read_frames(sample, [0], 100, margin=0.25)[0]
    np.testing.assert_allclose(picture[:20], 60, atol=3)
    np.testing.assert_allclose(picture[-20:], 60, atol=3)
    assert (picture[..., 0] > 160).any()


def test_a_window_of_the_whole_picture_is_the_whole_picture(balls: Path) -> None:
    everything = ClipSample(balls, "ollie", "park", track=Track(np.array([0]), np.array([[0.0, 0.0, 1.0, 1.0]])))
    cut, whole = (
        read_frames(sample, [0, 9], 50, margin=0) if sample.track else read_frames(sample, [0, 9], (50, 50))
        for sample in (everything, ClipSample(balls, "ollie", "park"))
    )
    assert np.abs(cut.astype(int) - whole).mean() < 1


## What is wrong with a file


def test_a_moment_after_the_end_is_of_another_video(balls: Path) -> None:
    with pytest.raises(UserError, match=r"balls.mkv has 20 frames and no moment that begins at frame 20"):
        read_frames(ClipSample(balls, "ollie", "park", 20, 25), 4, 32)
    with pytest.raises(UserError, match=r"balls.mkv has the frames 0 to 19, and 20 was asked for"):
        read_frames(ClipSample(balls, "ollie", "park"), [3, 20], 32)


def test_a_file_without_a_frame_is_named(tmp_path: Path, balls: Path) -> None:
    hollow = tmp_path / "hollow.mkv"
    with av.open(str(hollow), "w") as container:
        stream = container.add_stream("ffv1", rate=30)
        stream.width, stream.height, stream.pix_fmt = 200, 100, "bgr0"
        container.start_encoding()
    (tmp_path / "text.mp4").write_text("no video")
    (tmp_path / "cut.mkv").write_bytes(balls.read_bytes()[:600])
    for name in ("hollow.mkv", "text.mp4", "cut.mkv", "gone.mp4"):
        with pytest.raises(UserError, match=name):
            read_frames(ClipSample(tmp_path / name, "ollie", "park"), 4, 32)


def test_a_damaged_frame_is_stood_for_by_the_nearest_other(tmp_path: Path) -> None:
    path = write_footage(
        Footage("damaged.mp4", steps(512, 0, N), Fraction(1, 15360), sound_s=None, options={"g": "6", "bf": "0"}),
        tmp_path / "damaged.mp4",
    )
    with av.open(str(path)) as container:
        packets = [p for p in container.demux(container.streams.video[0]) if p.size]
        places = [(p.pos or 0, p.size) for p in packets[24:30]]
    content = bytearray(path.read_bytes())
    for position, size in places:
        content[position : position + size] = b"\xff" * size
    path.write_bytes(content)
    pictures = read_frames(ClipSample(path, "ollie", "park"), [20, 27, 35], (WIDTH, HEIGHT))
    assert pictures.shape == (3, HEIGHT, WIDTH, 3)
    assert numbers(pictures) == [20, 20, 35]


def test_published_clips_are_read_whole() -> None:
    path = SHARED / "data" / "basketball" / "clips" / "0000000_translate_32_0.mp4"
    if not path.exists():
        pytest.skip("the basketball clips are not beside this checkout")
    pictures = read_frames(ClipSample(path, "pass", "0000000"), 16, (128, 176))
    assert pictures.shape == (16, 176, 128, 3)
    assert Video.open(path).n_frames == 16
    # It was shifted to the right by 32 pixels, and what came in is black.
    assert pictures[:, :, :28].mean() < 12 < pictures[:, :, 40:].mean()


def test_frames_far_apart_are_those_that_were_asked_for(tmp_path: Path) -> None:
    path = write_footage(
        Footage("long.mp4", steps(512, 0, 1000), Fraction(1, 15360), sound_s=None), tmp_path / "long.mp4"
    )
    wanted = [0, 3, 302, 303, 604, 999]
    assert numbers(read_frames(ClipSample(path, "", ""), wanted, (WIDTH, HEIGHT))) == wanted


def test_a_long_moment_takes_the_memory_of_its_pictures(tmp_path: Path) -> None:
    path, n = tmp_path / "long.mp4", 4000
    write_clip(path, np.zeros((n, 16, 16, 3), np.uint8))
    tracemalloc.start()
    pictures = read_frames(ClipSample(path, "", ""), np.arange(n), (16, 16))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(pictures) == n
    assert peak < 10 * pictures.nbytes


def test_reading_can_be_stopped_in_its_midst(balls: Path) -> None:
    asked = iter([False, False, True])
    with pytest.raises(Cancelled):
        read_frames(ClipSample(balls, "", ""), 5, 16, cancelled=lambda: next(asked))
