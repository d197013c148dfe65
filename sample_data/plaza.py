"""The plaza, and the hand-held camera that looks at it.

There is no perspective: the backdrop is one long sheet, and a picture is a window on it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Image = NDArray[np.uint8]
Colour = tuple[int, int, int]

FPS, WIDTH, HEIGHT = 30, 640, 360
TILT = 0.16
"""Metres down the screen for each metre towards the camera, which looks down by about 9 degrees."""
HOLDS = ((0.0, 0.5), (13.2, 18.4), (31.2, 36.3), (48.4, 53.6))
"""From when to when (seconds) the camera stands still."""
MARGIN = 24
"""Pixels of backdrop beyond the picture on every side, for the shake of the hand."""
WALL, FLOOR = MARGIN + 206, MARGIN + 240
"""Rows of the backdrop where the wall and where the ground begin."""
SLAB_PX = 118
"""Width of the slabs of concrete."""


def film(times: Floats, x: Floats, rng: np.random.Generator) -> Floats:
    """The camera: ``(n, 2)``. A spring follows the skater loosely and rests during the holds; the hand trembles."""
    stiff, centre, velocity, path = 2.6, x[0] + 170.0, 0.0, np.zeros((len(times), 2))
    wander = 55 * np.sin(times * 0.9 + rng.uniform(0, 6)) + 30 * np.sin(times * 0.43 + rng.uniform(0, 6))
    pace = np.gradient(x) * FPS
    for i, now in enumerate(times):
        held = any(start <= now < stop for start, stop in HOLDS)
        aim = centre if held else x[i] + wander[i] + pace[i] * 1.5 / stiff
        velocity += (stiff**2 * (aim - centre) - 2 * stiff * velocity) / FPS
        centre += velocity / FPS
        path[i, 0] = centre
    for hertz, size in ((0.23, 2.6), (0.9, 1.5), (2.3, 0.8), (5.1, 0.3)):
        path += size * np.sin(2 * np.pi * hertz * times[:, None] + rng.uniform(0, 6, 2))
    path[:, 1] += HEIGHT / 2
    return path


def views(camera_px: Floats, rng: np.random.Generator) -> Iterator[Image]:
    """What the camera sees of the empty plaza: BGR ``(HEIGHT, WIDTH, 3)`` for each row of ``camera_px`` ``(n, 2)``."""
    left = camera_px[:, 0].min() - WIDTH / 2 - MARGIN
    backdrop = plaza(int(np.ptp(camera_px[:, 0])) + WIDTH + 2 * MARGIN, rng)
    for x, y in camera_px:
        yield np.asarray(cv2.getRectSubPix(backdrop, (WIDTH, HEIGHT), (x - left, y + MARGIN)), dtype=np.uint8)


def plaza(width: int, rng: np.random.Generator) -> Image:
    """The backdrop, BGR ``(HEIGHT + 2 * MARGIN, width, 3)``."""
    shape = (HEIGHT + 2 * MARGIN, width)
    low = np.linspace(0, 1, shape[0])[:, None, None]
    sky = np.array([226.0, 172, 112]) * (1 - low) + np.array([236.0, 226, 214]) * low
    cover = np.clip(noise(rng, shape, {(46, 150): 1, (18, 56): 0.5, (7, 20): 0.2}) - 0.35, 0, 1)[..., None] * 0.75
    sheet = (sky * (1 - cover) + 250 * cover).astype(np.uint8)
    paint_town(sheet, rng)
    paint_wall(sheet, rng)
    paint_ground(sheet, rng)
    for x in range(250, width, 560):  # a ledge and a lamp
        box(sheet, x, FLOOR + 10, 128, 13, (128, 134, 140))
        box(sheet, x, FLOOR + 3, 128, 8, (196, 200, 202))
        box(sheet, x + 3, FLOOR + 23, 134, 4, (134, 138, 142))
        cv2.line(sheet, (x - 70, FLOOR + 2), (x - 70, 52), (92, 92, 90), 4, cv2.LINE_AA)
        cv2.ellipse(sheet, (x - 58, 52), (20, 5), 0, 0, 360, (84, 84, 82), -1, cv2.LINE_AA)
    return np.asarray(np.clip(sheet + rng.normal(0, 2.2, shape)[..., None], 0, 255), dtype=np.uint8)


def paint_town(sheet: Image, rng: np.random.Generator) -> None:
    """Hills, pale houses and trees above the wall."""
    width = sheet.shape[1]
    for x, rise in enumerate(noise(rng, (1, width), {(1, 170): 9, (1, 45): 3})[0]):
        high = int(34 + rise)
        sheet[WALL - high : WALL, x] = (176, 170, 142)
    left = -20
    while left < width:
        wide, high = int(rng.integers(46, 120)), int(rng.integers(36, 104))
        tone = shade((196, 184, 172), rng.uniform(0.82, 1.06))
        box(sheet, left, WALL - high, wide, high, tone)
        box(sheet, left, WALL - high, wide, 4, shade(tone, 0.86))
        for x in range(left + 7, left + wide - 8, 12):
            for y in range(WALL - high + 10, WALL - 12, 15):
                box(sheet, x, y, 7, 9, shade(tone, rng.uniform(0.68, 0.98)))
        left += wide + int(rng.integers(-6, 40))
    for place in range(10, width, 74):
        x, y, size = place + int(rng.integers(-34, 34)), WALL - int(rng.integers(34, 52)), rng.uniform(0.8, 1.25)
        cv2.line(sheet, (x, WALL), (x, y), (58, 74, 92), int(5 * size), cv2.LINE_AA)
        for k in range(54):  # leaves, lighter and higher as they go on
            angle, reach = rng.uniform(0, 2 * np.pi), 34 * size * rng.uniform(0, 1) ** 0.5
            leaf = (int(x + reach * np.cos(angle)), int(y + 6 - k / 4 + 0.6 * reach * np.sin(angle)))
            tone = shade((78, 132, 112), rng.uniform(0.62, 0.82) + k / 120)
            cv2.circle(sheet, leaf, int(rng.integers(4, 9) * size), tone, -1, cv2.LINE_AA)


def paint_wall(sheet: Image, rng: np.random.Generator) -> None:
    """Bricks with something sprayed on them here and there."""
    width = sheet.shape[1]
    box(sheet, 0, WALL, width, FLOOR - WALL, (168, 178, 184))
    for row, y in enumerate(range(WALL, FLOOR, 7)):
        for x in range(-11 * (row % 2), width, 22):
            box(sheet, x, y, 21, 6, shade((148, 168, 190), rng.uniform(0.86, 1.1)))
    letter = np.array([[0, 0], [20, 0], [24, 14], [18, 27], [4, 27], [-3, 13]])
    for x in range(60, width, 330):
        paint = ((150, 120, 70), (90, 150, 190), (110, 140, 80), (140, 100, 150))[int(rng.integers(4))]
        for k in range(5):
            outline: Any = (letter + rng.integers(-4, 4, letter.shape) + [x + 26 * k, WALL + 3]).astype(np.int32)
            cv2.fillPoly(sheet, [outline], shade(paint, rng.uniform(0.9, 1.4)), cv2.LINE_AA)
            cv2.polylines(sheet, [outline], True, (70, 66, 64), 1, cv2.LINE_AA)
    box(sheet, 0, WALL - 4, width, 6, (204, 208, 210))


def paint_ground(sheet: Image, rng: np.random.Generator) -> None:
    """Worn slabs of concrete, with enough in them for optical flow to hold on to."""
    height, width = sheet.shape[:2]
    grey = 172 + noise(rng, (height - FLOOR, width), {(24, 110): 5, (5, 14): 4, (2, 2): 3.5})
    grey += np.linspace(-14, 8, height - FLOOR)[:, None]
    sheet[FLOOR:] = np.clip(grey[..., None] * (0.96, 0.99, 1.0), 0, 255).astype(np.uint8)
    box(sheet, 0, FLOOR, width, 4, (112, 118, 122))
    for row, y in enumerate((16, 34, 60, 96, 142)):
        box(sheet, 0, FLOOR + y, width, 1 + row // 3, (136, 140, 142))
    for x in range(-SLAB_PX, width + SLAB_PX, SLAB_PX):  # all with the same slant: there is no perspective
        cv2.line(sheet, (x + 60, FLOOR + 3), (x - 62, height), (136, 140, 142), 1, cv2.LINE_AA)
    for _ in range(width // 9):  # pebbles and stains
        at, size = (int(rng.integers(width)), int(rng.integers(FLOOR + 8, height))), (int(rng.integers(1, 5)), 1)
        cv2.ellipse(sheet, at, size, 0, 0, 360, shade((150, 154, 156), rng.uniform(0.62, 1.3)), -1, cv2.LINE_AA)
    for _ in range(width // 110):
        crack: Any = np.cumsum(rng.integers([-3, -2], [12, 4], (9, 2)), axis=0)
        crack += [int(rng.integers(width)), int(rng.integers(FLOOR + 12, height - 16))]
        cv2.polylines(sheet, [crack.astype(np.int32)], False, (118, 122, 124), 1, cv2.LINE_AA)


def noise(rng: np.random.Generator, shape: tuple[int, int], cells: dict[tuple[int, int], float]) -> Floats:
    """A sum of smooth noises: the size of their grains in pixels (high, wide), and their standard deviations."""
    total = np.zeros(shape)
    for (high, wide), deviation in cells.items():
        coarse = rng.standard_normal((shape[0] // high + 3, shape[1] // wide + 3))
        fine = cv2.resize(coarse, (coarse.shape[1] * wide, coarse.shape[0] * high), interpolation=cv2.INTER_CUBIC)
        total += fine[: shape[0], : shape[1]] * deviation / fine.std()
    return total


def box(sheet: Image, x: int, y: int, wide: int, high: int, colour: Colour) -> None:
    """A plain rectangle; what lies outside of the sheet is not drawn."""
    sheet[max(y, 0) : y + high, max(x, 0) : max(x + wide, 0)] = colour


def shade(colour: Sequence[float], factor: float) -> Colour:
    """A colour (BGR) made darker or lighter."""
    b, g, r = (int(np.clip(channel * factor, 0, 255)) for channel in colour)
    return b, g, r
