"""What the starter is: perceptrons and trees together, calibrated, adapted to a camera, kept as arrays."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from core.ensemble import PULL, Ensemble
from core.network import HIDDEN, MEMBERS
from tests.test_network import SEED, even, from_file, same, toy

UNITS = MEMBERS * HIDDEN[-1] + 1


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
    sure = replace(ensemble, output=1.5 * ensemble.output, bias=1.5 * ensemble.bias + 1.0)  # 3 * truth + 1
    calibrated = sure.calibrated(sure.logit(x), y)
    np.testing.assert_allclose(calibrated.logit(x), truth, atol=0.15 * (1 + np.abs(truth).max()))
    for low in (0.1, 0.3, 0.5, 0.7):
        said = (yes(calibrated, x) >= low) & (yes(calibrated, x) < low + 0.2)
        assert y[said].mean() == pytest.approx(yes(calibrated, x)[said].mean(), abs=0.06)
    assert np.array_equal(np.argsort(calibrated.logit(x)), np.argsort(sure.logit(x)))
    assert calibrated.network is ensemble.network
    assert calibrated.trees is ensemble.trees


# Adaptation


def test_without_news_it_stays_where_it_was(ensemble: Ensemble) -> None:
    x, y = toy(300, seed=5)
    silent = ensemble.adapted(x, y, np.zeros(len(y)))
    np.testing.assert_allclose(silent.logit(x), ensemble.logit(x), atol=1e-4)
    certain = np.abs(ensemble.logit(x)) > 3
    said, weight = ensemble.logit(x[certain]) > 0, np.full(int(certain.sum()), 0.02)
    known, contradicted = (ensemble.adapted(x[certain], answer, weight) for answer in (said, ~said))
    moved, far = (np.abs(yes(one, x) - yes(ensemble, x)).mean() for one in (known, contradicted))
    assert moved < 0.05 < far
    assert ((yes(known, x) > 0.5) == (yes(ensemble, x) > 0.5)).mean() > 0.97


def test_few_corrections_move_it_a_little_and_many_far(ensemble: Ensemble) -> None:
    """At this camera what the first feature says is the other way round about one corner of the ring."""
    x, _ = toy(2000, seed=5)
    here = x[:, 0] > 0.5
    y = ~here & (yes(ensemble, x) > 0.5)
    apart = [
        np.abs(yes(ensemble.adapted(x[:n], y[:n], np.full(n, 0.1)), x) - yes(ensemble, x)).mean() for n in (5, 50, 500)
    ]
    assert 0 < apart[0] < apart[1] < apart[2]
    assert apart[0] < 0.05
    many = ensemble.adapted(x, y, np.ones(len(y)))
    assert ((yes(many, x) > 0.5) == y).mean() > ((yes(ensemble, x) > 0.5) == y).mean() + 0.05


def test_only_the_last_layer_is_adapted(ensemble: Ensemble) -> None:
    """What it knows of movement stays; and the one that it came from is untouched."""
    x, y = toy(200, seed=5)
    before = {name: array.copy() for name, array in ensemble.arrays().items()}
    adapted = ensemble.adapted(x, ~y, even(y))
    assert adapted.network is ensemble.network
    assert adapted.trees is ensemble.trees
    changed = [name for name, array in adapted.arrays().items() if not np.array_equal(array, before[name])]
    assert sorted(changed) == ["last", "last_bias"]
    assert adapted.output[-1] != ensemble.output[-1]  # what the trees say counts differently too
    assert all(np.array_equal(array, before[name]) for name, array in ensemble.arrays().items())


@pytest.mark.parametrize("answer", [False, True])
@pytest.mark.parametrize("n", [1, 10])
@pytest.mark.filterwarnings("error")
def test_one_class_alone_adapts(ensemble: Ensemble, answer: bool, n: int) -> None:
    """A person who only ever rejects teaches too, and so does one that only adds what was missed."""
    x, _ = toy(200, seed=5)
    wrong = x[(yes(ensemble, x) > 0.6) != answer][:n]
    assert len(wrong) == n
    adapted = ensemble.adapted(wrong, np.full(n, answer), np.ones(n))
    moved = yes(adapted, wrong) - yes(ensemble, wrong)
    assert (moved > 0 if answer else moved < 0).all()


def test_two_rejections_do_not_blind_it(ensemble: Ensemble) -> None:
    """Whoever rejects two clips wants those gone, and not most of the others with them: moments that are all alike must
    not leave the weights without a hold."""
    x, _ = toy(2000, seed=5)
    sure = yes(ensemble, x) > 0.9
    moments = np.repeat(x[sure][:2], 8, axis=0)  # eight sampled frames each
    after = ensemble.adapted(moments, np.zeros(len(moments), bool), np.full(len(moments), 1 / 8))
    assert (yes(after, moments) < yes(ensemble, moments)).all()
    assert (yes(after, x[sure]) > 0.5).mean() > 0.6


def test_it_adapts_to_where_likelihood_and_prior_are_best_together(ensemble: Ensemble) -> None:
    """The slope of what is minimised, worked out anew by differences, is flat there in every direction."""
    x, y = toy(150, seed=5)
    weight = np.random.default_rng(SEED).uniform(0, 0.5, len(y))
    adapted = ensemble.adapted(x, ~y, weight)
    units = np.column_stack([ensemble.network.hidden(x), ensemble.trees.logit(x), np.ones(len(x))])
    before, after = (np.append(one.output, one.bias) for one in (ensemble, adapted))
    scale = np.append(ensemble.spread, 1.0)

    def loss(weights: NDArray[np.float64]) -> float:
        chance = 1 / (1 + np.exp(-(units @ weights)))
        likelihood = -(weight * np.log(np.where(~y, chance, 1 - chance))).sum()
        return float(likelihood + PULL / 2 * (((weights - before) * scale) ** 2).sum())

    steps = np.eye(len(after)) * 1e-4 / scale
    slope = [(loss(after + step) - loss(after - step)) / 2e-4 for step in steps]
    assert np.abs(slope).max() < 1e-3 * max(1.0, loss(before))
    assert loss(after) < loss(before)


@pytest.mark.parametrize("columns", [1, 5, 7])
def test_other_features_are_refused(ensemble: Ensemble, columns: int) -> None:
    """Columns are known by place, so the trees would take others for them without a word."""
    x = np.zeros((8, columns), np.float32)
    with pytest.raises(ValueError, match="features for a network"):
        ensemble.predict_proba(x)
    with pytest.raises(ValueError, match="features for a network"):
        ensemble.adapted(x, np.zeros(8, bool), np.ones(8))


# Arrays


def test_arrays_give_the_same_ensemble_back(ensemble: Ensemble) -> None:
    """Adapted, since its last layer is then no longer the mean of what the halves say."""
    x, y = toy(100, seed=9)
    adapted = ensemble.adapted(x, ~y, even(y))
    for one in (ensemble, adapted):
        again = Ensemble.of_arrays(from_file(one.arrays()))
        assert same(again.arrays(), one.arrays())
        assert again.predict_proba(x).tobytes() == one.predict_proba(x).tobytes()


@pytest.mark.parametrize("missing", ["last", "last_bias", "center", "weight_2_1", "output", "tree_value", "tree_bias"])
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
        pytest.param("last", np.zeros(UNITS - 1), id="none for the trees"),
        pytest.param("last", np.zeros(UNITS + 1), id="one too many"),
        pytest.param("last", np.zeros((UNITS, 1)), id="a column"),
        pytest.param("last", np.float64(0), id="one number for a row"),
        pytest.param("last", np.full(UNITS, np.nan), id="no numbers"),
        pytest.param("last", np.full(UNITS, -np.inf), id="infinite"),
        pytest.param("last", np.zeros(UNITS, np.int64), id="whole numbers"),
        pytest.param("last", np.zeros(UNITS, complex), id="complex numbers"),
        pytest.param("last", np.full(UNITS, "a"), id="words"),
        pytest.param("last", np.array([object()] * UNITS), id="objects"),
        pytest.param("last_bias", np.array(np.nan), id="a bias that is no number"),
        pytest.param("last_bias", np.array(np.inf), id="an infinite bias"),
        pytest.param("last_bias", np.array("high"), id="a word for a bias"),
        pytest.param("weight_0_0", np.zeros((6, 7), np.float32), id="a network that does not fit"),
        pytest.param("tree_value", np.zeros((1, 2), np.float32), id="trees that do not fit"),
    ],
)
def test_damaged_arrays_are_refused(ensemble: Ensemble, name: str, value: NDArray[Any]) -> None:
    """Else they would be a detector that never finds anything, or fails after an hour of looking."""
    assert name in ensemble.arrays()
    with pytest.raises(ValueError, match=r"fit|finite|could not convert|not the arrays of trees"):
        Ensemble.of_arrays({**ensemble.arrays(), name: value})
