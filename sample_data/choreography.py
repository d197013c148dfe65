"""What happens when: the ride, the tricks, and the postures between which the skater moves."""

from __future__ import annotations

from dataclasses import astuple, dataclass, replace
from itertools import chain
from typing import Any

import numpy as np

from sample_data.plaza import FPS, Floats, film

SECONDS = 60.0
GRAVITY = 9.81
PX_PER_M = 96.0


@dataclass(frozen=True)
class Trick:
    """A jump with the board."""

    start_s: float
    """The pop: from here no wheel touches the ground."""
    air_s: float
    height_m: float
    """Greatest height of the lowest wheel."""
    kickflip: bool = False


TRICKS = (
    Trick(4.3, 0.43, 0.46),
    Trick(12.2, 0.55, 0.62, kickflip=True),
    Trick(22.6, 0.32, 0.36),
    Trick(30.2, 0.70, 0.90),
    Trick(41.6, 0.48, 0.52, kickflip=True),
    Trick(44.6, 0.62, 0.76, kickflip=True),
    Trick(56.4, 0.38, 0.41),
)
PUSHES = (0.2, 1.3, 8.6, 9.7, 13.6, 18.7, 19.8, 24.4, 36.2, 37.3, 38.4, 48.6, 53.7, 58.2)
TUCKS = (6.2, 26.2, 32.2, 46.6)
"""Deep crouches without a jump: the legs fold and the wheels stay down."""
TURNS = (15.7, 33.6, 51.0)
"""He has left the picture, turns within 1.8 s and comes back."""
LANES = ((1.0, 297.0), (0.9, 287.0), (1.06, 306.0), (0.96, 293.0))
"""Size of the skater and height of the ground line (pixels): before the first turn, after it, and so on."""

Point = tuple[float, float, float]


@dataclass(frozen=True)
class Pose:
    """One posture. Metres and radians; x runs along the ride, y up, z towards the camera."""

    hip_x: float = -0.02
    hip_y: float = 0.97
    lean: float = 0.14
    """Of the trunk, towards where the chest faces."""
    yaw: float = 0.55
    """Of the hips: 0 has the chest towards the camera, pi / 2 along the ride."""
    twist: float = 0.12
    """Of the shoulders against the hips."""
    lift: float = 0.0
    """Both feet above the board."""
    pitch: float = 0.0
    """Of the board, nose up."""
    front: Point = (0.30, -0.44, 0.08)
    """The front hand from its shoulder: outwards, up, ahead of the chest."""
    back: Point = (0.26, -0.46, 0.06)
    """The back hand alike."""
    step: Point = (0.0, 0.0, 0.0)
    """The back foot away from its place on the board."""

    @classmethod
    def from_numbers(cls, row: Floats) -> Pose:
        """From the numbers of all fields, one after the other: ``(16,)``."""
        fields: list[Any] = [*row[:7], *map(tuple, row[7:].reshape(3, 3))]
        return cls(*fields)


CRUISE = Pose()
CROUCH = replace(CRUISE, hip_x=-0.05, hip_y=0.62, lean=0.72, front=(0.34, -0.30, 0.22), back=(0.36, -0.26, 0.06))
POP = replace(CRUISE, hip_y=0.95, lean=0.22, pitch=0.22, front=(0.46, -0.02, 0.08), back=(0.46, 0.10, 0.06))
LANDING = replace(CRUISE, hip_y=0.66, lean=0.55, front=(0.50, -0.06, 0.08), back=(0.50, 0.0, 0.06))
STRIDE = replace(CRUISE, hip_x=0.10, hip_y=0.90, lean=0.42, yaw=1.05, twist=0.0)
REACH = replace(STRIDE, front=(0.14, -0.34, 0.30), back=(0.12, -0.42, -0.20))
SWEEP = replace(STRIDE, front=(0.14, -0.42, -0.18), back=(0.12, -0.34, 0.32))

Keys = list[tuple[float, Pose]]
"""Postures and their times in seconds."""


def push_poses(start: float) -> Keys:
    """The back foot leaves the board, sweeps along the ground beside it and swings back, in 1.05 s."""
    return [
        (start, CRUISE),
        (start + 0.22, replace(REACH, step=(0.42, 0.10, 0.20))),
        (start + 0.34, replace(REACH, hip_y=0.86, step=(0.52, -0.11, 0.24))),
        (start + 0.58, replace(SWEEP, hip_y=0.84, lean=0.5, step=(-0.06, -0.11, 0.24))),
        (start + 0.72, replace(SWEEP, lean=0.48, step=(-0.42, 0.12, 0.22))),
        (start + 1.05, CRUISE),
    ]


def tuck_poses(start: float) -> Keys:
    low = replace(CROUCH, hip_y=0.57, lean=0.85)
    return [(start, CRUISE), (start + 0.55, low), (start + 1.0, replace(low, hip_y=0.6)), (start + 1.6, CRUISE)]


def trick_poses(trick: Trick) -> Keys:
    """Crouch, extend, fly, take up the landing. The hips fall freely; the legs fold by what the board gains on them."""
    start, air = trick.start_s, trick.air_s
    poses = [(start - 0.8, CRUISE), (start - 0.34, CROUCH), (start - 0.17, CROUCH), (start, POP)]
    for u, pitch in ((0.25, 0.5), (0.5, 0.12), (0.75, -0.08), (1.0, 0.0)):
        turning = max(0.0, 1 - abs(u - 0.45) / 0.4) if trick.kickflip else 0.0
        arc = u * (1 - u)
        hip_y = POP.hip_y * (1 - u) + 0.92 * u + GRAVITY * air**2 / 2 * arc
        back = (0.46, 0.10 + 0.9 * arc, 0.06)
        flight = replace(POP, hip_y=hip_y, lean=0.22 + 1.4 * arc, lift=0.14 * turning, pitch=pitch, back=back)
        poses.append((start + air * u, flight))
    end = start + air
    return [*poses, (end + 0.15, LANDING), (end + 0.34, replace(LANDING, hip_y=0.76)), (end + 0.75, CRUISE)]


@dataclass(frozen=True)
class Motion:
    """Everything that moves, one row a frame."""

    poses: Floats
    """``(n, 16)``: see :meth:`Pose.from_numbers`."""
    wheel_m: Floats
    """``(n,)``: height of the lowest wheel."""
    roll: Floats
    """``(n,)``: of the board about its length, radians."""
    speed: Floats
    """``(n,)``: metres a second along the ride."""
    facing: Floats
    """``(n,)``: 1 rides to the right, -1 to the left."""
    scale: Floats
    """``(n,)``: pixels a metre."""
    x_px: Floats
    """``(n,)``: the board on the backdrop."""
    ground_px: Floats
    """``(n,)``: the ground line under the board, on a still picture."""
    camera_px: Floats
    """``(n, 2)``: centre of the picture on the backdrop."""


def choreograph(seconds: float, rng: np.random.Generator) -> tuple[Motion, list[Trick]]:
    """Where everything is in every frame, and the tricks that are over before ``seconds``."""
    from scipy.interpolate import PchipInterpolator

    times = np.arange(round(seconds * FPS)) / FPS
    tricks = [trick for trick in TRICKS if trick.start_s + trick.air_s + 0.5 < seconds]
    keys = dict(chain(*map(push_poses, PUSHES), *map(tuck_poses, TUCKS), *map(trick_poses, tricks)))
    keys |= {-1.0: CRUISE, SECONDS + 1.0: CRUISE}
    poses = PchipInterpolator(sorted(keys), [np.hstack(astuple(keys[time])) for time in sorted(keys)])(times)
    poses[:, 1] += 0.012 * np.sin(times * 2.1)  # nobody stands quite still
    poses[:, 2] += 0.04 * np.sin(times * 1.3 + 1)

    wheel, roll = np.zeros(len(times)), np.zeros(len(times))
    for trick in tricks:
        u = np.clip((times - trick.start_s) / trick.air_s, 0, 1)
        wheel += trick.height_m * 4 * u * (1 - u)
        if trick.kickflip:
            roll += 2 * np.pi * np.clip((u - 0.12) / 0.62, 0, 1)

    speed, pace = np.zeros(len(times)), 2.0
    for i, now in enumerate(times):
        pushing = any(start + 0.34 <= now < start + 0.62 for start in PUSHES)
        pace += ((2.6 - pace) * 1.4 if pushing else (1.7 - pace) * 0.09) / FPS
        speed[i] = pace
    turned = np.sum([np.clip((times - turn) / 1.8, 0, 1) for turn in TURNS], axis=0)
    scale, ground = (np.interp(turned, range(len(LANES)), lane) for lane in zip(*LANES, strict=True))
    along = np.cos(np.pi * turned)
    facing = np.where(along >= 0, 1.0, -1.0)
    x = np.cumsum(speed * along * scale * PX_PER_M) / FPS
    return Motion(poses, wheel, roll, speed, facing, scale * PX_PER_M, x, ground, film(times, x, rng)), tricks
