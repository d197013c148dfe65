"""A skater of 20 pixels is looked at again from nearer: what costs a second look has to be worth it, and be exact.

The network is one made of arithmetic: it finds the bright figure, the more surely the larger it is in its picture.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from core.errors import Cancelled
from core.motion import CameraMotion
from core.pose import People
from core.pose import extract as extraction
from core.pose.closer import CloserLook
from core.pose.extract import extract
from core.pose.table import CameraTable, PoseTable
from core.video import Video
from tests.test_motion import START, scenery, similarity, view

STILL = CameraMotion(1.0, 0.0, 0.0, 0.0, 1.0, 0.0)
SIZE = (640, 360)
ASPECT = 16 / 9

Image = NDArray[np.uint8]


class NearSighted:
    """Finds the bright figure if it is at least ``sharp`` pixels tall in its picture."""

    name = "near-sighted"
    long_side = 320

    def __init__(self, sharp: int = 12) -> None:
        self.sharp = sharp
        self.looks = 0

    def estimate(self, image: Image) -> People:
        self.looks += 1
        height, width = image.shape[:2]
        assert max(height, width) == self.long_side
        y, x = np.nonzero(image[..., 0] > 225)
        if not len(y) or np.ptp(y) < self.sharp:
            return People(np.zeros(0, np.float32), np.zeros((0, 4), np.float32), np.zeros((0, 17, 3), np.float32))
        box = np.array([[x.min(), y.min(), x.max() + 1, y.max() + 1]], np.float32) / ([width, height] * 2)
        keypoints = np.tile([*(box[0, :2] + box[0, 2:]) / 2, 0.9], (1, 17, 1))
        keypoints[0, 0, :2] = np.nan  # not seen
        score = np.array([min(0.9, np.ptp(y) / 100)], np.float32)
        return People(score, box.astype(np.float32), keypoints.astype(np.float32))


def picture(middle: tuple[float, float], tall: float, size: tuple[int, int] = (1280, 720)) -> Image:
    """A figure ``tall`` frame heights, a third as wide."""
    width, height = size
    image = np.full((height, width, 3), 100, np.uint8)
    x, y, h = middle[0] * width, middle[1] * height, tall * height
    image[max(0, round(y - h / 2)) : round(y + h / 2), max(0, round(x - h / 6)) : round(x + h / 6)] = 250
    return image


def seen(image: Image, estimator: NearSighted) -> People:
    """At the first look, at a smaller picture."""
    return estimator.estimate(np.ascontiguousarray(image[::4, ::4]))


def looked(closer: CloserLook, estimator: NearSighted, image: Image, time_s: float = 0.0) -> People:
    return closer.people(seen(image, estimator), STILL, time_s, lambda: image)


@pytest.mark.parametrize("middle", [(0.5, 0.5), (0.2, 0.7), (0.96, 0.5), (0.5, 0.14), (0.04, 0.85)])
@pytest.mark.parametrize("tall", [0.08, 0.15, 0.22])
def test_a_small_skater_is_seen_more_surely_and_where_he_is(middle: tuple[float, float], tall: float) -> None:
    image, estimator = picture(middle, tall), NearSighted()
    first = seen(image, estimator)
    people = looked(CloserLook(estimator, ASPECT), estimator, image)
    assert people.score[0] > 1.5 * first.score[0]
    assert len(people.score) == 1  # and is one person
    assert people.boxes[0] == pytest.approx(first.boxes[0], abs=0.008)
    assert people.keypoints[0, 5:, 0] == pytest.approx(np.full(12, people.boxes[0, [0, 2]].mean()), abs=1e-3)
    assert np.isnan(people.keypoints[0, 0, :2]).all()


@pytest.mark.parametrize(
    ("tall", "y"), [(0.4, 0.5), (0.6, 0.5), (1.0, 0.5), (0.6, -0.2), (0.6, 1.15)], ids=lambda value: str(value)
)
def test_a_large_skater_costs_no_second_look(tall: float, y: float) -> None:
    # Nor does one of whom only the legs are in the picture, or the head.
    image, estimator = picture((0.5, y), tall), NearSighted()

    def never() -> Image:
        raise AssertionError("a larger picture was made")

    first = seen(image, estimator)
    assert CloserLook(estimator, ASPECT).people(first, STILL, 0.0, never) is first
    assert estimator.looks == 1


def test_an_empty_place_costs_no_second_look() -> None:
    estimator = NearSighted()
    looked(CloserLook(estimator, ASPECT), estimator, np.full((720, 1280, 3), 100, np.uint8))
    assert estimator.looks == 1


def test_a_skater_who_is_lost_is_found_where_he_was() -> None:
    # Farther off, he is too small for the first look: the second still sees him.
    estimator = NearSighted(sharp=18)
    closer = CloserLook(estimator, ASPECT)
    looked(closer, estimator, picture((0.4, 0.5), 0.13))
    for i in range(1, 30):
        image = picture((0.4 + 0.01 * i, 0.5), 0.07)
        assert len(seen(image, estimator).score) == 0
        people = looked(closer, estimator, image, i / 15)
        assert people.boxes[0, [0, 2]].mean() == pytest.approx(0.4 + 0.01 * i, abs=0.003)


def test_a_skater_who_is_gone_is_not_looked_for_for_ever() -> None:
    estimator = NearSighted()
    closer, empty = CloserLook(estimator, ASPECT), np.full((720, 1280, 3), 100, np.uint8)
    looked(closer, estimator, picture((0.4, 0.5), 0.13))
    before = estimator.looks
    for i in range(1, 60):
        assert len(looked(closer, estimator, empty, i / 15).score) == 0
    assert estimator.looks - before == 59 + 12  # 59 first looks, and second ones for 0.8 s


def test_he_is_looked_for_where_the_camera_left_him() -> None:
    # The pan is as large as the part that is looked at.
    estimator = NearSighted(sharp=18)
    closer = CloserLook(estimator, ASPECT)
    looked(closer, estimator, picture((0.3, 0.5), 0.13))
    image = picture((0.6, 0.5), 0.07)
    pan = CameraMotion(1.0, 0.0, 0.3 * ASPECT, 0.0, 1.0, 0.0)
    assert len(closer.people(seen(image, estimator), pan, 1 / 15, lambda: image).score) == 1


## From a video to its tables


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Video:
    """Ninety frames of a pan; the figure in it is small, large for the second third, and small again."""
    path = tmp_path_factory.mktemp("video") / "small.mp4"
    place, camera = (scenery(1) // 2), START
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=30, options={"preset": "veryfast", "crf": "15"})
        stream.width, stream.height, stream.pix_fmt = *SIZE, "yuv420p"
        for i in range(90):
            image = np.repeat(view(place, camera, SIZE)[..., None], 3, axis=2)
            tall = 220 if 30 <= i < 60 else 44
            x, y = 100 + 3 * i, 300
            image[y - tall : y, x : x + tall // 3] = 250
            frame = av.VideoFrame.from_ndarray(image, format="rgb24")
            frame.pts, frame.time_base = i, Fraction(1, 30)
            container.mux(stream.encode(frame))
            camera = similarity(x=-2.0) @ camera
        container.mux(stream.encode())
    return Video.open(path)


def run(
    video: Video, folder: Path, cancelled: Callable[[], bool] | None = None
) -> tuple[tuple[bytes, bytes], NearSighted]:
    estimator, paths = NearSighted(), (folder / "pose.parquet", folder / "camera.parquet")
    extract(video, estimator, 2, *paths, cancelled=cancelled)
    return (paths[0].read_bytes(), paths[1].read_bytes()), estimator


def test_second_looks_are_taken_where_he_is_small_alone(video: Video, tmp_path: Path) -> None:
    _, estimator = run(video, tmp_path)
    assert estimator.looks == 45 + 30
    pose = PoseTable.read(tmp_path / "pose.parquet")
    assert pose.frame.tolist() == list(range(0, 90, 2))
    bottom = pose.boxes[:, 3] * SIZE[1]
    assert bottom == pytest.approx(np.full(45, 300.0), abs=4)
    assert (pose.score[:15] > 0.4).all()  # 0.2 at the first look
    assert CameraTable.read(tmp_path / "camera.parquet").dx[1:] == pytest.approx(np.full(44, -4 / 360), abs=0.003)


@pytest.mark.parametrize("parts", [1, 2, 4])
def test_a_stopped_run_with_second_looks_ends_with_the_same_bytes(
    video: Video, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, parts: int
) -> None:
    monkeypatch.setattr(extraction, "PART_FRAMES", 8)
    (tmp_path / "whole").mkdir()
    (tmp_path / "stopped").mkdir()
    whole, _ = run(video, tmp_path / "whole")
    with pytest.raises(Cancelled):
        run(video, tmp_path / "stopped", lambda: len(list(tmp_path.rglob("*.camera.parquet"))) >= parts)
    assert run(video, tmp_path / "stopped")[0] == whole
