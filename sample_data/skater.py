"""The skater and his board: a skeleton in metres, dressed and drawn into the picture."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np

from sample_data.choreography import Motion, Point, Pose
from sample_data.plaza import HEIGHT, TILT, WIDTH, Colour, Floats, Image, shade

SKIN, HAIR, EYE, LIPS = (138, 168, 216), (34, 44, 62), (40, 40, 46), (92, 96, 150)
SHIRT, SHORTS, SOCK, SHOE, SOLE = (58, 74, 206), (74, 58, 48), (226, 228, 230), (52, 46, 44), (224, 226, 228)
GRIP, WOOD, WHEEL, AXLE = (46, 44, 44), (92, 170, 214), (214, 222, 226), (120, 124, 128)
THIGH, SHANK, UPPER_ARM, FOREARM = 0.43, 0.43, 0.29, 0.27
DECK, ANKLE = 0.11, 0.08
"""Heights in metres: the deck above the ground, the ankle above the deck."""
UP = np.array([0.0, 1.0, 0.0])
CIRCLE = np.array([(np.cos(turn), np.sin(turn)) for turn in np.linspace(0, 2 * np.pi, 16, endpoint=False)])

Ball = tuple[Floats, float]
"""Centre and radius in metres."""


def paint(picture: Image, motion: Motion, i: int) -> None:
    """Put the shadow and the skater of frame ``i`` into the picture."""
    x = motion.x_px[i] - motion.camera_px[i, 0] + WIDTH / 2
    y = motion.ground_px[i] - motion.camera_px[i, 1] + HEIGHT / 2
    canvas = Canvas((x, y), motion.scale[i], motion.facing[i])
    high, wide = canvas.sheet.shape[0] // 2, canvas.sheet.shape[1] // 2
    x1, x2 = max(0, canvas.left), min(WIDTH, canvas.left + wide)
    y1, y2 = max(0, canvas.top), min(HEIGHT, canvas.top + high)
    if x1 >= x2:
        return
    wheel = float(motion.wheel_m[i])
    for spread, dark in ((0.52, 26), (0.45, 52), (0.38, 84)):
        reach = spread / (1 + 0.3 * wheel)
        ring = [canvas.at(np.array([reach * c, 0.0, 0.45 * reach * s])) for c, s in CIRCLE]
        canvas.fill(np.array(ring), (0, 0, 0), int(dark / (1 + wheel)))
    draw_skater(canvas, Pose.from_numbers(motion.poses[i]), wheel, float(motion.roll[i]))
    sheet = cv2.resize(canvas.sheet, (wide, high), interpolation=cv2.INTER_AREA)
    sheet = sheet[y1 - canvas.top : y2 - canvas.top, x1 - canvas.left : x2 - canvas.left].astype(np.float32)
    under = picture[y1:y2, x1:x2]
    # Drawing on black sheets left the colours multiplied by their alpha already.
    under[:] = np.minimum(sheet[..., :3] + under * (1 - sheet[..., 3:] / 255), 255).astype(np.uint8)


class Canvas:
    """Draws points in metres on a transparent sheet at twice the picture's size."""

    def __init__(self, origin: tuple[float, float], scale: float, facing: float) -> None:
        """``origin``: where the ground point under the board stands in the picture; ``scale``: pixels a metre."""
        self.left, self.top = int(origin[0] - 1.35 * scale), int(origin[1] - 3.1 * scale)
        self.sheet = np.zeros((int(3.4 * scale) * 2, int(2.7 * scale) * 2, 4), dtype=np.uint8)
        self.origin, self.scale, self.facing = origin, scale, facing

    def at(self, point: Floats) -> Floats:
        """Metres to pixels of the sheet."""
        x = self.origin[0] + self.facing * self.scale * point[0] - self.left
        y = self.origin[1] - self.scale * (point[1] - TILT * point[2]) - self.top
        return np.array([x, y]) * 2

    def fill(self, outline: Floats, colour: Colour, alpha: int = 255) -> None:
        """A convex outline in pixels of the sheet."""
        cv2.fillConvexPoly(self.sheet, np.round(outline * 16).astype(np.int32), (*colour, alpha), cv2.LINE_AA, shift=4)

    def hull(self, colour: Colour, *balls: Ball, relief: bool = True) -> None:
        """What a skin pulled over the balls covers; with relief, lit from above on the left."""
        for grow, towards_light, factor in ((1.0, 0.0, 0.8), (0.78, 0.16, 1.0)) if relief else ((1.0, 0.0, 1.0),):
            sizes = [(self.at(centre), radius * self.scale * 2) for centre, radius in balls]
            rings = [at - towards_light * size + CIRCLE * (size * grow) for at, size in sizes]
            outline: Any = cv2.convexHull(np.concatenate(rings).astype(np.float32))
            self.fill(outline[:, 0], shade(colour, factor))


def draw_skater(canvas: Canvas, pose: Pose, wheel: float, roll: float) -> None:
    """The skater and his board; ``wheel``: height of the lowest wheel in metres."""
    ahead, chest = level(pose.yaw), level(pose.yaw + pose.twist)
    out, across = np.cross(UP, ahead), np.cross(UP, chest)
    deck = UP * (wheel + DECK + 0.21 * abs(np.sin(pose.pitch)))
    slope = np.array([np.cos(pose.pitch), np.sin(pose.pitch), 0.0])
    hips = np.array([pose.hip_x, pose.hip_y, 0.0]) - ahead * 0.22 * pose.lean
    trunk = np.sin(pose.lean) * ahead + np.cos(pose.lean) * UP
    neck = hips + trunk * 0.52

    def arm(side: int, reach: Point) -> None:
        shoulder = neck - trunk * 0.03 + across * 0.185 * side
        hand = shoulder + across * reach[0] * side + UP * reach[1] + chest * reach[2]
        draw_arm(canvas, shoulder, hand, across * 0.5 * side - chest * 0.6 - UP * 0.5)

    def leg(side: int, place: float, turn: float, step: Point) -> None:
        ankle = deck + slope * place + UP * (ANKLE + pose.lift) + step
        hip = hips + out * 0.085 * side - UP * 0.01
        draw_leg(canvas, hip, ankle, ahead + 0.35 * side * out, level(pose.yaw * 0.8 + turn))

    # From far to near: his chest is turned into the ride, so the front limbs are the far ones.
    draw_board(canvas, deck, pose.pitch, roll)
    arm(1, pose.front)
    leg(1, 0.24, 0.35, (0.0, 0.0, 0.0))
    leg(-1, -0.27, 0.0, pose.step)
    canvas.hull(SHORTS, (hips + out * 0.075, 0.105), (hips - out * 0.075, 0.105), (hips + trunk * 0.1, 0.13))
    draw_head(canvas, neck, trunk + 1.2 * UP, pose.yaw + pose.twist + 0.3)
    shoulders = [(neck + across * x - trunk * 0.05, 0.085) for x in (0.15, -0.15)]
    waist = [(hips + out * x + trunk * 0.07, 0.105) for x in (0.075, -0.075)]
    canvas.hull(SHIRT, *shoulders, *waist)
    arm(-1, pose.back)


def draw_board(canvas: Canvas, centre: Floats, pitch: float, roll: float) -> None:
    """Deck and wheels; ``centre`` is the middle of the deck."""
    along = np.array([np.cos(pitch), np.sin(pitch), 0.0])
    across = np.array([-along[1] * np.sin(roll), along[0] * np.sin(roll), np.cos(roll)])
    normal = np.cross(across, along)
    seen_from_above = normal @ (0.0, TILT, 1.0) > -0.02

    def spot(x: float, y: float, z: float) -> Floats:
        return np.asarray(centre + along * x + normal * y + across * z)

    def wheels() -> None:
        for x in (-0.21, 0.21):
            canvas.hull(AXLE, (spot(x, -0.05, -0.06), 0.018), (spot(x, -0.05, 0.06), 0.018))
            for z in (-0.08, 0.08):
                canvas.hull(WHEEL, (spot(x, -0.072, z), 0.034))

    if seen_from_above:
        wheels()
    for lower, colour in ((0.012, WOOD), (0.0, GRIP if seen_from_above else WOOD)):
        for start, stop, rise in ((-0.27, 0.27, 0.0), (0.26, 0.40, 0.055), (-0.26, -0.40, 0.055)):
            ends = ((start, -lower), (stop, rise - lower))
            canvas.hull(colour, *((spot(x, y, z), 0.012) for x, y in ends for z in (-0.085, 0.085)), relief=False)
    if not seen_from_above:
        wheels()


def draw_leg(canvas: Canvas, hip: Floats, ankle: Floats, knee_towards: Floats, toes: Floats) -> None:
    knee, ankle = bend(hip, ankle, THIGH, SHANK, knee_towards)
    canvas.hull(SKIN, (knee, 0.058), (knee * 0.55 + ankle * 0.45, 0.056), (ankle, 0.036))
    canvas.hull(SOCK, (ankle * 0.78 + knee * 0.22, 0.046), (ankle, 0.042))
    heel, tip = ankle - toes * 0.06, ankle + toes * 0.17
    canvas.hull(SOLE, (heel - UP * 0.066, 0.014), (tip - UP * 0.066, 0.014), relief=False)
    canvas.hull(SHOE, (ankle - UP * 0.005, 0.046), (heel - UP * 0.035, 0.034), (tip - UP * 0.044, 0.028))
    canvas.hull(SHORTS, (hip, 0.115), (knee * 0.86 + hip * 0.14, 0.088))


def draw_arm(canvas: Canvas, shoulder: Floats, hand: Floats, elbow_towards: Floats) -> None:
    elbow, hand = bend(shoulder, hand, UPPER_ARM, FOREARM, elbow_towards)
    palm = hand + (hand - elbow) / FOREARM * 0.05
    canvas.hull(SKIN, (shoulder, 0.052), (elbow, 0.042))
    canvas.hull(SKIN, (elbow, 0.042), (hand, 0.031))
    canvas.hull(SKIN, (hand, 0.034), (palm, 0.038))
    canvas.hull(SHIRT, (shoulder, 0.075), (shoulder * 0.36 + elbow * 0.64, 0.066))


def draw_head(canvas: Canvas, neck: Floats, towards: Floats, look: float) -> None:
    """``towards``: from the neck to the crown, of any length; ``look``: yaw of the face."""
    up = towards / np.linalg.norm(towards)
    ahead = level(look) - 0.1 * UP
    right = np.cross(UP, ahead)

    def ball(forwards: float, sideways: float, upwards: float, radius: float) -> Ball:
        return neck + up * 0.19 + ahead * forwards + right * sideways + up * upwards, radius

    canvas.hull(shade(SKIN, 0.86), (neck - up * 0.03, 0.058), (neck + up * 0.10, 0.052))
    canvas.hull(HAIR, ball(-0.035, 0, 0.03, 0.112), ball(-0.05, 0, -0.05, 0.07))
    canvas.hull(SKIN, ball(0.02, 0, 0.01, 0.09), ball(0.035, 0, -0.075, 0.055))
    canvas.hull(shade(SKIN, 0.9), ball(-0.02, -0.088, -0.015, 0.02), ball(-0.015, -0.088, 0.005, 0.022))  # an ear
    canvas.hull(HAIR, ball(-0.03, 0, 0.065, 0.092), ball(0.055, -0.03, 0.085, 0.04), ball(0.05, 0.03, 0.085, 0.04))
    for x in (-0.036, 0.036):
        canvas.hull(EYE, ball(0.09, x, 0.012, 0.012), relief=False)
        canvas.hull(HAIR, ball(0.088, x - 0.016, 0.04, 0.006), ball(0.09, x + 0.016, 0.042, 0.006), relief=False)
    canvas.hull(shade(SKIN, 0.93), ball(0.1, 0, 0.0, 0.012), ball(0.118, 0, -0.028, 0.017), relief=False)
    canvas.hull(LIPS, ball(0.085, -0.022, -0.07, 0.007), ball(0.085, 0.022, -0.07, 0.007), relief=False)


def level(yaw: float) -> Floats:
    """The direction on the ground: 0 towards the camera, pi / 2 along the ride."""
    return np.array([np.sin(yaw), 0.0, np.cos(yaw)])


def bend(root: Floats, tip: Floats, upper: float, lower: float, towards: Floats) -> tuple[Floats, Floats]:
    """The joint of two bones from ``root`` to ``tip``, bent ``towards``; and the tip, drawn in if out of reach."""
    reach = tip - root
    length = float(np.clip(np.linalg.norm(reach), abs(upper - lower) + 0.05, (upper + lower) * 0.998))
    axis = reach / np.linalg.norm(reach)
    along = (upper**2 - lower**2 + length**2) / (2 * length)
    side = towards - axis * (towards @ axis)
    joint = root + axis * along + side / np.linalg.norm(side) * np.sqrt(upper**2 - along**2)
    return joint, root + axis * length
