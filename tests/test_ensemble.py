"""What the starter is: perceptrons and trees together, calibrated, shifted, kept as arrays."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from core.ensemble import Ensemble
from tests.test_network import SEED, even, from_file, same, toy


@pytest.fixture(scope="module")
def ensemble() -> Ensemble:
    x, y = toy(4000)
    return Ensemble.fit(x, y, even(y), SEED)


def yes(ensemble: Ensemble, x: NDArray[np.float32]) -> NDArray[np.float64]:
    return ensemble.predict_proba(x)[:, 1]


# Training


def test_it_learns_what_no_line_tells_apart(ensemble: Ensemble) -> None:
    x, y = toy(2000, seed=7)
    assert ((yes(ensemble, x) > 0.5) == y).mean() > 0.9
    assert y.mean() == pytest.approx(0.5, abs=0.05)


def test_logits_are_the_mean_of_both_halves(ensemble: Ensemble) -> None:
    x, _ = toy(300, seed=7)
    halves = [ensemble.network.logit(x), ensemble.trees.logit(x)]
    np.testing.assert_allclose(ensemble.logit(x), np.mean(halves, axis=0), atol=1e-9)
    assert np.abs(halves[0] - halves[1]).max() > 1  # so that one half alone would not do


def test_the_same_seed_gives_the_same_bits() -> None:
    x, y = toy(400)
    first, second, other = (Ensemble.fit(x, y, even(y), seed).arrays() for seed in (1, 1, 2))
    assert same(first, second)
    assert not same(first, other)


def test_heavy_rows_count_more() -> None:
    """Tricks are rare: what weighs them up must reach both halves."""
    x, y = toy(1000)
    light, heavy = (Ensemble.fit(x[:, 2:], y, np.where(y, factor, 1.0), SEED) for factor in (0.2, 5.0))
    for half in ("network", "trees"):
        little, much = (getattr(one, half).logit(x[:, 2:]) for one in (light, heavy))
        assert (much > 0).mean() > (little > 0).mean() + 0.1
    assert yes(heavy, x[:, 2:]).mean() > yes(light, x[:, 2:]).mean() + 0.1


@pytest.mark.parametrize("n", [20, 600])
@pytest.mark.filterwarnings("error")
def test_a_feature_that_was_never_measured_is_no_fault(n: int) -> None:
    """Feet that no picture shows are a column without a value; the next footage may show them."""
    x, y = toy(n)
    blind = x.copy()
    blind[:, 4] = np.nan
    ensemble = Ensemble.fit(blind, y, even(y), SEED)
    assert np.isfinite(ensemble.predict_proba(x)).all()
    assert np.isfinite(ensemble.predict_proba(blind)).all()


# Judging


def test_probabilities_are_those_of_the_logits(ensemble: Ensemble) -> None:
    x, _ = toy(300, seed=7)
    probability = ensemble.predict_proba(x)
    assert probability.shape == (300, 2)
    np.testing.assert_allclose(probability.sum(axis=1), 1)
    np.testing.assert_allclose(np.log(probability[:, 1] / probability[:, 0]), ensemble.logit(x), rtol=1e-6, atol=1e-6)


@pytest.mark.filterwarnings("error")
def test_nothing_measured_and_wild_values_are_judged(ensemble: Ensemble) -> None:
    x, _ = toy(20)
    wild = x.copy()
    wild[:, 3] = 1e30
    assert np.isfinite(ensemble.predict_proba(np.full((1, 6), np.nan, np.float32))).all()
    assert np.isfinite(ensemble.predict_proba(wild)).all()
    assert ensemble.predict_proba(x[:0]).shape == (0, 2)


@pytest.mark.parametrize(("bias", "expected"), [(1e6, 1.0), (-1e6, 0.0)])
@pytest.mark.filterwarnings("error")
def test_it_may_be_as_sure_as_it_likes(ensemble: Ensemble, bias: float, expected: float) -> None:
    """Without an overflow, which would be a warning over every frame."""
    x, _ = toy(20)
    assert yes(replace(ensemble, bias=bias), x) == pytest.approx(np.full(20, expected), abs=1e-12)


# Calibration


def test_calibrated_probabilities_mean_what_they_say(ensemble: Ensemble) -> None:
    """An ensemble that is three times too sure, and leans to yes, is brought back to the odds that were drawn from."""
    x, _ = toy(8000, seed=3)
    truth = 0.5 * ensemble.logit(x)
    y = np.random.default_rng(SEED).random(len(x)) < 1 / (1 + np.exp(-truth))
    sure = replace(ensemble, slope=1.5, bias=1.0)  # 3 * truth + 1
    calibrated = sure.calibrated(sure.logit(x), y)
    np.testing.assert_allclose(calibrated.logit(x), truth, atol=0.15 * (1 + np.abs(truth).max()))
    for low in (0.1, 0.3, 0.5, 0.7):
        said = (yes(calibrated, x) >= low) & (yes(calibrated, x) < low + 0.2)
        assert y[said].mean() == pytest.approx(yes(calibrated, x)[said].mean(), abs=0.06)
    assert np.array_equal(np.argsort(calibrated.logit(x)), np.argsort(sure.logit(x)))
    assert calibrated.network is ensemble.network
    assert calibrated.trees is ensemble.trees


def test_a_shift_makes_it_surer_everywhere_and_keeps_the_order(ensemble: Ensemble) -> None:
    x, _ = toy(200, seed=5)
    surer = ensemble.shifted(0.7)
    np.testing.assert_allclose(surer.logit(x), ensemble.logit(x) + 0.7)
    assert np.array_equal(surer.shifted(-0.7).logit(x).round(9), ensemble.logit(x).round(9))


@pytest.mark.parametrize("columns", [1, 5, 7])
def test_other_features_are_refused(ensemble: Ensemble, columns: int) -> None:
    """Columns are known by place, so the trees would take others for them without a word."""
    x = np.zeros((8, columns), np.float32)
    with pytest.raises(ValueError, match="features for a network"):
        ensemble.predict_proba(x)


# Arrays


def test_arrays_give_the_same_ensemble_back(ensemble: Ensemble) -> None:
    x, y = toy(100, seed=9)
    for one in (ensemble, ensemble.calibrated(0.4 * ensemble.logit(x), y).shifted(0.3)):
        again = Ensemble.of_arrays(from_file(one.arrays()))
        assert same(again.arrays(), one.arrays())
        assert again.predict_proba(x).tobytes() == one.predict_proba(x).tobytes()


@pytest.mark.parametrize("missing", ["line", "center", "weight_2_1", "output", "tree_value", "tree_bias"])
def test_missing_arrays_are_refused(ensemble: Ensemble, missing: str) -> None:
    named = ensemble.arrays()
    del named[missing]
    with pytest.raises((KeyError, ValueError)):
        Ensemble.of_arrays(named)


def fewer_features(ensemble: Ensemble) -> dict[str, Any]:
    """A sound network, which knows one feature less than the trees ask about."""
    asked = int(ensemble.trees.feature.max())
    named = ensemble.network.arrays()
    first = {name: array[:asked] for name, array in named.items() if name.startswith("weight") and name.endswith("_0")}
    return {**first, "center": named["center"][:asked], "spread": named["spread"][:asked]}


def test_trees_that_ask_for_more_than_the_network_knows_are_refused(ensemble: Ensemble) -> None:
    with pytest.raises(ValueError, match="a feature that is not there"):
        Ensemble.of_arrays({**ensemble.arrays(), **fewer_features(ensemble)})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        pytest.param("line", np.zeros(1), id="a slope alone"),
        pytest.param("line", np.zeros(3), id="one number too many"),
        pytest.param("line", np.float64(0), id="one number for two"),
        pytest.param("line", np.array([np.nan, 0.0]), id="no number"),
        pytest.param("line", np.array([1.0, -np.inf]), id="infinite"),
        pytest.param("line", np.zeros(2, np.int64), id="whole numbers"),
        pytest.param("line", np.zeros(2, complex), id="complex numbers"),
        pytest.param("line", np.array(["a", "b"]), id="words"),
        pytest.param("line", np.array([object()] * 2), id="objects"),
        pytest.param("weight_0_0", np.zeros((6, 7), np.float32), id="a network that does not fit"),
        pytest.param("tree_value", np.zeros((1, 2), np.float32), id="trees that do not fit"),
    ],
)
def test_damaged_arrays_are_refused(ensemble: Ensemble, name: str, value: NDArray[Any]) -> None:
    """Else they would be a detector that never finds anything, or fails after an hour of looking."""
    assert name in ensemble.arrays()
    with pytest.raises(ValueError, match=r"fit|finite|could not convert|not the arrays of trees"):
        Ensemble.of_arrays({**ensemble.arrays(), name: value})
