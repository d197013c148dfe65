"""The rule of hops, which needs no labels."""

from __future__ import annotations

import math
import time

import numpy as np
import pandas as pd
import pytest

from core.hop_rule import HopRule
from core.settings import EventSettings
from tests.skater import JUMPS_S, table, tops_s


def heights(feet: list[float], hips: list[float] | None = None) -> pd.DataFrame:
    return pd.DataFrame({"hop_ankle_slow": feet, "hop_hip": hips or [math.nan] * len(feet)})


@pytest.mark.parametrize(
    ("feet", "hips", "expected"),
    [
        pytest.param(0.5, math.nan, 0.5, id="half a torso is even odds"),
        pytest.param(0.49, math.nan, 0.4899, id="a little less is less"),
        pytest.param(1.0, math.nan, 0.8, id="a whole torso"),
        pytest.param(0.0, 0.0, 0.0, id="rolling"),
        pytest.param(math.nan, 0.5, 0.5, id="hips alone"),
        pytest.param(0.2, 1.0, 0.8, id="the larger of the two"),
        pytest.param(1.0, 0.2, 0.8, id="whichever it is"),
        pytest.param(math.nan, math.nan, math.nan, id="not followed"),
    ],
)
def test_probability_of_a_hop(feet: float, hips: float, expected: float) -> None:
    probability = HopRule().predict_proba(heights([feet], [hips]))
    assert probability == pytest.approx([expected], nan_ok=True, abs=1e-4)


def test_even_odds_are_found_at_the_default_threshold() -> None:
    """The docs say that a hop of half a torso counts, so it has to pass a threshold of 0.5 exactly."""
    assert HopRule().predict_proba(heights([0.5]))[0] >= EventSettings().default_threshold


@pytest.mark.parametrize(
    ("feet", "expected"),
    [
        pytest.param([0, 0.29, 0.31, 1, 0.6, 0.3, 0.29, 0], [0, 0.29, 1, 1, 1, 1, 0.29, 0], id="from 30 % to 30 %"),
        pytest.param([0.5, 1, 0.5, 0.8, 0.5], [1, 1, 1, 1, 1], id="a peak on the shoulder of a higher one"),
        pytest.param([0, 1, 0.1, 0.8, 0], [0, 1, 0.1, 0.8, 0], id="two hops with the ground between"),
        pytest.param([1, 0.4], [1, 1], id="at the beginning"),
        pytest.param([0.4, 1], [1, 1], id="at the end"),
        pytest.param([1, math.nan, 0.9], [1, math.nan, 0.9], id="lost in between"),
        pytest.param([0, 0, 0], [0, 0, 0], id="rolling"),
        pytest.param([0.35, 0.4, 0.2, 1.0, 0], [0.4, 0.4, 0.4, 1.0, 0], id="of a low hop beside a high one"),
        pytest.param([], [], id="no frame"),
    ],
)
def test_a_hop_has_one_probability(feet: list[float], expected: list[float]) -> None:
    """The clip begins when the feet leave the ground, not when they are at the top."""
    probability = HopRule().predict_proba(heights(feet))
    height = np.array(expected, np.float64)
    assert probability == pytest.approx(height**2 / (height**2 + 0.25), nan_ok=True)


@pytest.mark.parametrize("fps", [15, 24, 30, 60])
def test_the_starter_finds_jumps_at_any_rate(fps: int) -> None:
    footage = table(fps)
    assert tops_s(footage, HopRule().predict_proba(footage)) == pytest.approx(JUMPS_S, abs=0.1)
    rolling = table(fps, ())
    assert tops_s(rolling, HopRule().predict_proba(rolling)) == []


def test_the_starter_keeps_up_with_a_day_of_footage() -> None:
    """Four hours at 15 fps, with the jitter of a pose network; it took minutes when each hop searched the whole day."""
    rng = np.random.default_rng(42)
    jitter = np.maximum(0.0, rng.normal(0, 0.1, 216_000))
    started = time.perf_counter()
    HopRule().predict_proba(heights(jitter.tolist()))
    assert time.perf_counter() - started < 3
