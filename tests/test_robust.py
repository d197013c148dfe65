"""Whatever the camera does, a hop of one torso length is measured as one, and no other is made up.

A patterned skater is drawn into a street with a wall, a kerb and a sky; where he stands and jumps is known exactly. The
pictures go straight into the measuring: nothing is encoded, nobody is detected.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields, replace

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from core.metrics import signals
from core.motion import CameraMotion, MotionEstimator, cuts
from core.pose.table import CameraTable
from core.settings import GuardrailSettings
from tests.skater import ASPECT, filmed
from tests.test_motion import HEIGHT, WIDTH, scenery

HZ, N = 15.0, 90
JUMPS_S = (2.0, 4.5)
SECONDS = np.arange(N) / HZ
STILL = np.zeros(N)

Image = NDArray[np.uint8]
Values = NDArray[np.float64]


@dataclass(frozen=True)
class Camera:
    """Where it looks, by sampled frame or always: frame heights, times and degrees, each from where it stood."""

    x: Values | float = 0.0
    y: Values | float = 0.0
    zoom: Values | float = 1.0
    degrees: Values | float = 0.0

    def matrices(self) -> NDArray[np.float64]:
        """From frame heights of the place to pixels: shape ``(N, 3, 3)``."""
        turn, zoom = np.deg2rad(self.degrees) + STILL, self.zoom * HEIGHT
        cos, sin = zoom * np.cos(turn), zoom * np.sin(turn)
        matrices = np.tile(np.eye(3), (N, 1, 1))
        matrices[:, 0, :2], matrices[:, 1, :2] = np.stack([cos, -sin], 1), np.stack([sin, cos], 1)
        middle = np.stack([self.x + ASPECT / 2 + STILL, self.y + 0.5 + STILL], 1)
        matrices[:, :2, 2] = [WIDTH / 2, HEIGHT / 2] - np.einsum("nij,nj->ni", matrices[:, :2, :2], middle)
        return matrices


def street(seed: int, heights: float = 3.0, widths: float = 24.0) -> Image:
    """Walls of several greys with windows, a pavement with a few cracks, a plain sky: a place of ``widths`` x
    ``heights`` frame heights round the frame."""
    rng = np.random.default_rng(seed)
    width, height = round(widths * HEIGHT), round(heights * HEIGHT)
    image = np.full((height, width), 200, np.uint8)
    ground, x = round(height * 0.58), 0
    while x < width:
        wide, tall = int(rng.integers(20, 110)), int(rng.integers(50, 110))
        image[ground - tall : ground, x : x + wide] = rng.integers(70, 180)
        image[ground - tall + 12 : ground - tall + 30, x + 8 : x + 8 + wide // 3] = rng.integers(40, 220)
        x += wide
    image[ground:] = 115
    for x, y in rng.integers([0, ground + 5], [width, height], (width // 12, 2)):
        cv2.line(image, (int(x), int(y)), (int(x + rng.integers(15, 60)), int(y + rng.integers(-3, 4))), 85, 1)
    return np.asarray(cv2.GaussianBlur(image, (3, 3), 0.7), np.uint8)


def shown(place: Image, to_pixels: Values, left: float, top: float) -> Image:
    """The place, whose upper left corner is at ``left, top`` frame heights, in the picture."""
    from_image = np.array([[1 / HEIGHT, 0, left], [0, 1 / HEIGHT, top], [0, 0, 1]])
    return np.asarray(cv2.warpPerspective(place, to_pixels @ from_image, (WIDTH, HEIGHT)), np.uint8)


def filmed_by(
    camera: Camera,
    follows: Values = STILL,
    large: float = 1.0,
    passers_by: int = 0,
    after: Callable[[Image], Image] = lambda image: image,
) -> tuple[CameraTable, Values, Values]:
    """What is measured, the heights of the hops measured and the true ones: torso lengths, shape ``(N,)``.

    Args:
        follows: how far the skater went along the street, frame heights.
        large: how many times as large as he usually is.
        after: done to each picture.
    """
    pose, still = filmed(SECONDS, JUMPS_S)
    feet = np.array([0.5 * ASPECT, 0.8])
    along = np.stack([follows, STILL], 1)

    def placed(points: Values) -> Values:
        flat = points.reshape(N, -1, 2) * [ASPECT, 1.0]
        return np.asarray((feet + (flat - feet) * large + along[:, None]).reshape(points.shape), np.float64)

    joints, boxes = placed(pose.keypoints[..., :2].astype(float)), placed(pose.boxes.reshape(N, 2, 2).astype(float))
    to_pixels, place, shirt = camera.matrices(), street(1), scenery(2, 400)
    estimator, motions = MotionEstimator(), []
    seen_joints, seen_boxes = np.empty_like(joints), np.empty_like(boxes)
    for i, matrix in enumerate(to_pixels):
        image = shown(place, matrix, -11.0, -1.0)
        seen_joints[i], seen_boxes[i] = (points[i] @ matrix[:2, :2].T + matrix[:2, 2] for points in (joints, boxes))
        people = [seen_boxes[i]]
        for other in range(passers_by):
            x = ((SECONDS[i] * (0.5 + 0.15 * other) + 0.4 * other) % 1.6 - 0.3) * WIDTH
            people.append(np.array([[x - 25, 40 + 6 * other], [x + 25, 178]]))
        corners = np.clip(np.round(people), 0, [WIDTH, HEIGHT]).astype(int)
        for number, ((x1, y1), (x2, y2)) in enumerate(corners):
            left, top = (people[number][0] - [x1, y1]).round().astype(int)  # the pattern goes along with the body
            if x2 > x1 and y2 > y1:
                image[y1:y2, x1:x2] = np.roll(shirt, (top + 40 * number, left), (0, 1))[: y2 - y1, : x2 - x1]
        around = [box.ravel() for box in corners / [WIDTH, HEIGHT] if (box[1] > box[0]).all()]
        motions.append(estimator.step(after(image), np.array(around, np.float32).reshape(-1, 4)))
    columns = [np.array([getattr(motion, field.name) for motion in motions]) for field in fields(CameraMotion)]
    table = CameraTable(still.frame, still.time_s, *columns)
    keypoints = np.concatenate([seen_joints / [WIDTH, HEIGHT], pose.keypoints[..., 2:]], axis=2)
    moved = replace(
        pose,
        keypoints=keypoints.astype(np.float32),
        boxes=(seen_boxes / [WIDTH, HEIGHT]).reshape(N, 4).astype(np.float32),
    )
    got, true = (
        signals(people, camera_table, ASPECT, GuardrailSettings()).table["hop_ankle"].to_numpy()
        for people, camera_table in ((moved, table), (pose, still))
    )
    return table, got, true


def shake(heights: float, seed: int) -> Values:
    """A hand's: 3 to 8 Hz, up to ``heights`` to either side."""
    rng = np.random.default_rng(seed)
    hz, phase = rng.uniform(3, 8, (4, 1)), rng.uniform(0, 7, (4, 1))
    waves = np.sin(2 * np.pi * hz * SECONDS + phase).sum(axis=0)
    return np.asarray(heights * waves / np.abs(waves).max())


def pan(heights: float) -> Values:
    """There and back, ``heights`` from one sampled frame to the next."""
    speed = np.zeros(N)
    speed[10:35], speed[45:70] = heights, -heights
    return np.cumsum(speed)


def compressed(image: Image) -> Image:
    """As a messenger sends it."""
    return np.asarray(cv2.imdecode(cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 30])[1], 0), np.uint8)


def dim(image: Image) -> Image:
    """At dusk: a third of the light, and noise."""
    noise = np.random.default_rng(int(image.sum())).normal(0, 2, image.shape)
    return np.clip(image * 0.33 + 10 + noise, 0, 255).astype(np.uint8)


ZOOM = 2 ** np.interp(SECONDS, [1, 2, 3, 4], [0.0, 0.7, 0.7, 0.0])
SHAKEN = Camera(x=shake(0.03, 1), y=shake(0.03, 2), degrees=shake(0.6, 3))


@pytest.mark.parametrize(
    ("camera", "options"),
    [
        (Camera(), {}),
        (SHAKEN, {}),
        (Camera(zoom=ZOOM), {}),
        (replace(SHAKEN, zoom=ZOOM), {}),
        (Camera(x=pan(0.15), y=shake(0.005, 4)), {"follows": pan(0.15)}),
        (Camera(x=pan(0.3), y=shake(0.005, 4)), {"follows": pan(0.3)}),
        (Camera(x=pan(0.02), y=shake(0.01, 4)), {"large": 1.6}),
        (Camera(x=pan(0.02), y=shake(0.01, 4)), {"passers_by": 2}),
        (SHAKEN, {"after": compressed}),
        (SHAKEN, {"after": dim}),
        (Camera(x=np.linspace(0, 0.11, N), y=np.linspace(0, 0.07, N)), {}),
    ],
    ids=[
        "stands still", "shakes", "zooms", "shakes and zooms", "pans", "pans hard", "is near", "has people before it",
        "compresses", "lacks light", "creeps",
    ],
)  # fmt: skip
def test_a_hop_is_measured_whatever_the_camera_does(camera: Camera, options: dict[str, object]) -> None:
    # Half a torso length is a trick: a fifth of one more or less decides nothing.
    table, got, true = filmed_by(camera, **options)  # type: ignore[arg-type]
    assert true.max() > 0.95
    assert np.nan_to_num(got) == pytest.approx(np.nan_to_num(true), abs=0.2)
    assert not cuts(table.difference).any()
