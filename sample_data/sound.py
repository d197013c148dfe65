"""What is heard: wheels, scuffs of the shoe, pops and landings."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from sample_data.choreography import PUSHES, Motion, Trick
from sample_data.plaza import FPS, SLAB_PX, Floats

RATE = 44_100
"""Samples a second."""


def soundtrack(motion: Motion, tricks: Sequence[Trick], rng: np.random.Generator) -> NDArray[np.float32]:
    """One channel at ``RATE``, ``(samples,)``: wheels while they roll, scuffs of the shoe, pops and landings."""
    n = len(motion.wheel_m)
    times = np.arange(n * RATE // FPS) / RATE
    nearness = 1 / (1 + ((motion.x_px - motion.camera_px[:, 0]) / 420) ** 2)
    rolling = np.interp(times, np.arange(n) / FPS, motion.speed * (motion.wheel_m == 0) * nearness)
    sound = 0.012 * rolling * hiss(rng, len(times), 140, 1100)
    sound += 0.004 * hiss(rng, len(times), 40, 260)

    def strike(at_s: float, loud: float, low: float, high: float, decay_s: float, rise_s: float = 0.0005) -> None:
        start = round(at_s * RATE)
        lasting = times[: round(0.4 * RATE)]
        burst = hiss(rng, len(lasting), low, high) * np.exp(-lasting / decay_s)
        part = sound[start : start + len(burst)]
        part += (loud * burst * np.minimum(lasting / rise_s, 1))[: len(part)]

    for joint in np.flatnonzero(np.diff(np.floor(motion.x_px / SLAB_PX))):
        if motion.wheel_m[joint] == 0:
            strike(joint / FPS, 0.025 * nearness[joint], 500, 2500, 0.008)
    for push in PUSHES:
        strike(push + 0.34, 0.03, 700, 4000, 0.08, rise_s=0.06)
    for trick in tricks:
        strike(trick.start_s, 0.24, 1200, 6000, 0.016)
        strike(trick.start_s, 0.17, 300, 700, 0.035)
        strike(trick.start_s + trick.air_s, 0.16 + 0.16 * trick.height_m, 60, 260, 0.075)
        strike(trick.start_s + trick.air_s, 0.14, 700, 3000, 0.03)
    return np.asarray(np.clip(sound, -0.98, 0.98), dtype=np.float32)


def hiss(rng: np.random.Generator, samples: int, low: float, high: float) -> Floats:
    """White noise cut to a band (hertz), with standard deviation 1."""
    hertz = np.fft.rfftfreq(samples, 1 / RATE) + 1e-9
    white = np.fft.rfft(rng.standard_normal(samples))
    heard = np.fft.irfft(white / (1 + (low / hertz) ** 4) / (1 + (hertz / high) ** 4), samples)
    return np.asarray(heard / heard.std(), dtype=np.float64)
