"""The camera's motion is taken off the skater's: an error in it is a jump that nobody made, or one that is missed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from core.motion import CameraMotion, MotionEstimator, cuts
from core.pose.table import CameraTable

WIDTH, HEIGHT = 320, 180
LANDSCAPE = (WIDTH, HEIGHT)

Image = NDArray[np.uint8]


def scenery(seed: int, side: int = 1600) -> Image:
    """A textured place, larger than what the camera sees."""
    rng = np.random.default_rng(seed)
    noise = sum(
        cv2.resize(rng.normal(0, 1, (side // cell, side // cell)), (side, side), interpolation=cv2.INTER_CUBIC)
        for cell in (8, 20, 80)
    )
    return np.asarray(np.clip(120 + 28 * np.asarray(noise), 0, 255), np.uint8)


def view(place: Image, camera: NDArray[np.float64], size: tuple[int, int] = LANDSCAPE) -> Image:
    """What the camera sees: ``camera`` ``(3, 3)`` takes points of the place to pixels."""
    return np.asarray(cv2.warpPerspective(place, camera, size, flags=cv2.INTER_AREA), np.uint8)


def similarity(scale: float = 1.0, degrees: float = 0.0, x: float = 0.0, y: float = 0.0) -> NDArray[np.float64]:
    """About the middle of the frame, then shifted by ``x, y`` pixels."""
    turned = cv2.getRotationMatrix2D((WIDTH / 2, HEIGHT / 2), -degrees, scale)  # OpenCV counts the other way
    return np.vstack([turned + np.array([[0, 0, x], [0, 0, y]]), [0, 0, 1]])


START = np.array([[1, 0, -600.0], [0, 1, -700.0], [0, 0, 1]])


def shots(place: Image, steps: Sequence[NDArray[np.float64]]) -> list[Image]:
    """The first picture, and one after each step of the camera."""
    cameras = [START]
    for step in steps:
        cameras.append(step @ cameras[-1])
    return [view(place, camera) for camera in cameras]


def measured(pictures: Sequence[Image]) -> list[CameraMotion]:
    estimator = MotionEstimator()
    return [estimator.step(picture) for picture in pictures]


def worst_corner(motion: CameraMotion, truth: NDArray[np.float64]) -> float:
    """How far, in pixels, the measured motion puts a corner of the frame from where it went."""
    columns = {name: np.array([value]) for name, value in asdict(motion).items()}
    matrix = CameraTable(np.zeros(1, np.int32), np.zeros(1), **columns).matrices()[0]
    corners = np.array([[0, 0], [WIDTH, 0], [0, HEIGHT], [WIDTH, HEIGHT]], np.float64)
    went = (corners / HEIGHT) @ matrix[:, :2].T + matrix[:, 2]
    true = corners @ truth[:2, :2].T + truth[:2, 2]
    return float(np.hypot(*(went * HEIGHT - true).T).max())


@pytest.mark.parametrize(
    "step",
    [
        similarity(),
        similarity(x=3.0),
        similarity(x=-7.5, y=2.25),
        similarity(x=24.0, y=-9.0),
        similarity(degrees=2.0),
        similarity(degrees=-4.0, x=3.0),
        similarity(scale=1.04),
        similarity(scale=0.93),
        similarity(scale=1.03, degrees=1.5, x=-6.0, y=4.0),
    ],
    ids=["still", "pan", "pan and tilt", "fast pan", "roll", "roll and pan", "zoom in", "zoom out", "all at once"],
)
def test_a_known_motion_is_measured(step: NDArray[np.float64]) -> None:
    # A hop of half a torso is 15 of these pixels; errors add up over the six frames of its rise.
    first, motion = measured(shots(scenery(1), [step]))
    assert first == CameraMotion(1.0, 0.0, 0.0, 0.0, 1.0, 0.0)
    assert worst_corner(motion, step) < 0.5
    assert motion.scale == pytest.approx(np.hypot(step[0, 0], step[1, 0]), abs=0.002)
    assert motion.rotation == pytest.approx(np.arctan2(step[1, 0], step[0, 0]), abs=0.002)
    assert motion.agreement > 0.8


def test_pan_to_the_right_shifts_the_background_to_the_left_in_frame_heights() -> None:
    # The sign and the unit that everything after relies on.
    _, motion = measured(shots(scenery(1), [similarity(x=-9.0)]))
    assert motion.dx == pytest.approx(-9.0 / HEIGHT, abs=0.002)
    assert motion.dy == pytest.approx(0.0, abs=0.002)


def test_errors_do_not_add_up_over_a_long_pan() -> None:
    steps = [similarity(x=-4.0, y=0.5 * np.sin(i / 5)) for i in range(60)]
    motions = measured(shots(scenery(2), steps))[1:]
    dx, dy = (sum(getattr(motion, name) for motion in motions) * HEIGHT for name in ("dx", "dy"))
    assert dx == pytest.approx(-240.0, abs=1.0)
    assert dy == pytest.approx(sum(step[1, 2] for step in steps), abs=1.0)


def test_a_skater_who_moves_otherwise_is_not_taken_for_the_background() -> None:
    # He fills a fifth of the picture and goes up while the camera pans.
    step = similarity(x=-5.0, y=1.0)
    pictures, skater = shots(scenery(3), [step] * 6), scenery(4)
    for i, picture in enumerate(pictures):
        picture[60 - 6 * i : 160 - 6 * i, 110:230] = skater[:100, :120]
    motions = measured(pictures)[1:]
    for motion in motions:
        assert worst_corner(motion, step) < 1.0
        assert motion.agreement > 0.25
    assert motions[0].agreement < 1.0  # from then on only the background is followed


def test_people_are_no_background_however_much_there_is_to_see_on_them() -> None:
    # In front of a plain wall a patterned shirt has all of the corners: followed, it would take the skater's own jump
    # off him. The camera stands still.
    wall = np.full((HEIGHT, WIDTH), 150, np.uint8)
    for x, y in np.random.default_rng(5).integers(5, [WIDTH - 5, HEIGHT - 5], (60, 2)):
        cv2.circle(wall, (int(x), int(y)), 2, 135, -1)
    skater, estimator = scenery(4), MotionEstimator()
    for i in range(8):
        picture, x, y = wall.copy(), 110, 60 - 6 * i
        picture[y : y + 100, x : x + 120] = skater[:100, :120]
        motion = estimator.step(picture, np.array([[x / WIDTH, y / HEIGHT, (x + 120) / WIDTH, (y + 100) / HEIGHT]]))
        assert worst_corner(motion, similarity()) < 0.5
        assert not np.isnan(motion.dx)


def test_somebody_who_fills_the_picture_does_not_stop_the_measuring() -> None:
    # Legs from near: the box is the whole frame, and between them there is background enough.
    step = similarity(x=3.0)
    estimator = MotionEstimator()
    for picture in shots(scenery(3), [step] * 3):
        motion = estimator.step(picture, np.array([[0.0, 0.0, 1.0, 1.0]]))
    assert worst_corner(motion, step) < 0.5


@pytest.mark.parametrize("pixels", [40.0, 60.0, 80.0, -110.0])
def test_a_hard_pan_is_measured(pixels: float) -> None:
    # A quarter of the frame's width from one sampled frame to the next: beyond what Lucas-Kanade reaches by itself.
    step = similarity(x=pixels, y=2.0)
    assert all(worst_corner(motion, step) < 1.0 for motion in measured(shots(scenery(17), [step] * 5))[1:])


@pytest.mark.parametrize("zoom", [2 ** (1 / 15), 2 ** (-1 / 15), 1.12, 1 / 1.12])
def test_a_zoom_is_measured_from_frame_to_frame(zoom: float) -> None:
    # Twice as near within a second, fifteen sampled frames, and faster.
    step = similarity(scale=zoom)
    assert all(worst_corner(motion, step) < 1.0 for motion in measured(shots(scenery(18), [step] * 4))[1:])


@pytest.mark.parametrize("level", [0, 128, 255])
def test_a_flat_picture_says_that_it_does_not_know(level: int) -> None:
    # A clear sky: no motion (0) would be a claim.
    flat = np.full((HEIGHT, WIDTH), level, np.uint8)
    _, motion = measured([flat, flat])
    assert np.isnan([motion.dx, motion.dy]).all()
    assert (motion.scale, motion.rotation, motion.agreement, motion.difference) == (1.0, 0.0, 0.0, 0.0)


def test_it_finds_its_feet_again_after_a_flat_picture() -> None:
    step = similarity(x=3.0)
    pictures = shots(scenery(5), [step] * 4)
    pictures[2][:] = 128
    motions = measured(pictures)
    assert [bool(np.isnan(motion.dx)) for motion in motions] == [False, False, True, True, False]
    assert worst_corner(motions[4], step) < 0.5


def test_two_places_that_have_nothing_in_common_have_no_motion() -> None:
    # A cut: a motion made up between two shots would carry the skater's path across it.
    _, motion = measured([view(scenery(6), START), view(scenery(7), START)])
    assert np.isnan(motion.dx)
    assert np.isnan(motion.dy)


def test_after_a_reset_the_next_picture_only_starts_it() -> None:
    # Parts of a video are measured anew, so that a stopped job ends with the same numbers.
    pictures = shots(scenery(8), [similarity(x=3.0)] * 6)
    estimator = MotionEstimator()
    for picture in pictures[:4]:
        estimator.step(picture)
    estimator.reset()
    assert [estimator.step(picture) for picture in pictures[4:]] == measured(pictures[4:])


def test_the_same_pictures_give_the_same_numbers() -> None:
    pictures = shots(scenery(9), [similarity(x=3.0, degrees=0.5)] * 5)
    assert measured(pictures) == measured(pictures)


def test_an_upright_film_is_measured_too() -> None:
    place = scenery(10)
    step = np.array([[1, 0, 4.0], [0, 1, -6.0], [0, 0, 1]])
    _, motion = measured([view(place, camera, (HEIGHT, WIDTH)) for camera in (START, step @ START)])
    assert [motion.dx, motion.dy] == pytest.approx([4 / WIDTH, -6 / WIDTH], abs=0.002)


## Hard cuts


def difference(pictures: Sequence[Image]) -> NDArray[np.float64]:
    return np.array([motion.difference for motion in measured(pictures)])


def test_a_hard_cut_is_found_at_the_first_frame_of_the_new_shot() -> None:
    shot, other = (shots(scenery(seed), [similarity(x=-2.0)] * 19) for seed in (11, 12))
    other = [255 - picture // 2 for picture in other]
    assert np.flatnonzero(cuts(difference([*shot, *other]))).tolist() == [20]


def test_a_cut_within_a_pan_is_found() -> None:
    shot, other = (shots(scenery(seed), [similarity(x=-4.0)] * 19) for seed in (13, 14))
    other = [255 - picture for picture in other]
    assert np.flatnonzero(cuts(difference([*shot, *other]))).tolist() == [20]


@pytest.mark.parametrize("pixels", [8.0, 16.0, 32.0, 64.0, 100.0])
def test_a_fast_pan_is_no_cut(pixels: float) -> None:
    # A tenth of the frame's width from one sampled frame to the next: a cut there would end the track in mid-trick.
    pan = [similarity(x=-pixels)] * min(12, int(600 / pixels))  # the drawn place goes no further
    steps = [similarity(x=-0.5)] * 10 + pan + [similarity(x=-0.5)] * 10
    assert not cuts(difference(shots(scenery(15), steps))).any()


def test_a_still_camera_has_no_cuts() -> None:
    assert not cuts(difference(shots(scenery(16), [similarity()] * 5))).any()
    assert not cuts(np.zeros(1)).any()
    assert len(cuts(np.zeros(0))) == 0


def test_a_cut_within_a_hard_pan_is_found() -> None:
    shot, other = (shots(scenery(seed), [similarity(x=-50.0)] * 11) for seed in (19, 20))
    other = [picture // 2 + 100 for picture in other]
    assert np.flatnonzero(cuts(difference([*shot, *other]))).tolist() == [12]


@pytest.mark.parametrize("white", [False, True])
def test_a_photographers_flash_is_no_cut(white: bool) -> None:
    # It lights one picture; the track of who is in the air must not end there.
    pictures = shots(scenery(21), [similarity(x=-3.0)] * 30)
    pictures[15] = np.clip(pictures[15] * 2.0 + (200 if white else 40), 0, 255).astype(np.uint8)
    assert not cuts(difference(pictures)).any()


def test_a_light_that_changes_is_no_cut() -> None:
    # The camera's exposure follows from shade into the sun.
    light = np.r_[np.full(10, 0.6), np.linspace(0.6, 1.3, 8), np.full(10, 1.3)]
    pictures = shots(scenery(22), [similarity(x=-2.0)] * 27)
    lit = [np.clip(picture * factor, 0, 255).astype(np.uint8) for picture, factor in zip(pictures, light, strict=True)]
    assert not cuts(difference(lit)).any()
