"""The network that the starter is: trained, calibrated, adapted to a camera, kept as arrays."""

from __future__ import annotations

import io
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.neural_network import MLPClassifier

from core.network import MEMBERS, PULL, Network

SEED = 42


def toy(n: int, seed: int = SEED) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Six features of very different sizes; inside a ring of two of them is yes, which no straight line tells apart."""
    x = np.random.default_rng(seed).normal(size=(n, 6))
    y = np.hypot(x[:, 0], x[:, 1]) < 1.2
    return (x * [1, 100, 0.01, 1, 1, 1] + [0, 500, 0, 7, 0, 0]).astype(np.float32), y


def even(y: NDArray[np.bool_]) -> NDArray[np.float64]:
    return np.ones(len(y))


@pytest.fixture(scope="module")
def network() -> Network:
    x, y = toy(6000)
    return Network.fit(x, y, even(y), SEED)


def yes(network: Network, x: NDArray[np.float32]) -> NDArray[np.float64]:
    return network.predict_proba(x)[:, 1]


def same(one: Network, other: Network) -> bool:
    a, b = one.arrays(), other.arrays()
    return a.keys() == b.keys() and all(a[name].tobytes() == b[name].tobytes() for name in a)


# Training


def test_it_learns_what_no_line_tells_apart(network: Network) -> None:
    x, y = toy(2000, seed=7)
    assert ((yes(network, x) > 0.5) == y).mean() > 0.9
    assert y.mean() == pytest.approx(0.5, abs=0.05)
    assert np.allclose(network.predict_proba(x).sum(axis=1), 1)


def test_the_same_seed_gives_the_same_bits() -> None:
    x, y = toy(400)
    first, second, other = (Network.fit(x, y, even(y), seed) for seed in (1, 1, 2))
    assert same(first, second)
    assert not same(first, other)
    assert len(first.members) == MEMBERS


def test_heavy_rows_count_more() -> None:
    """Tricks are rare: what weighs them up must reach the perceptrons."""
    x, y = toy(1000)
    light, heavy = (Network.fit(x, y, np.where(y, factor, 1.0), SEED) for factor in (0.2, 5.0))
    assert yes(heavy, x).mean() > yes(light, x).mean() + 0.1


@pytest.mark.filterwarnings("error")
def test_a_feature_that_was_never_measured_is_no_fault() -> None:
    """Feet that no picture shows are a column without a value; the next footage may show them."""
    x, y = toy(600)
    blind = x.copy()
    blind[:, 4] = np.nan
    network = Network.fit(blind, y, even(y), SEED)
    assert np.isfinite(network.predict_proba(x)).all()
    assert np.isfinite(network.predict_proba(blind)).all()


def test_a_constant_feature_is_no_fault() -> None:
    x, y = toy(600)
    x[:, 4] = 3.0
    assert np.isfinite(Network.fit(x, y, even(y), SEED).predict_proba(x)).all()


# Judging


@pytest.mark.filterwarnings("ignore:Stochastic Optimizer")
def test_it_answers_as_scikit_learn_does() -> None:
    rng = np.random.default_rng(SEED)
    x = rng.normal(size=(500, 4)).clip(-4, 4).astype(np.float32)
    perceptron = MLPClassifier((8, 5), max_iter=30, random_state=SEED).fit(x, x[:, 0] * x[:, 1] > 0)
    *hidden, (last, bias) = zip(perceptron.coefs_, perceptron.intercepts_, strict=True)
    network = Network(np.zeros(4, np.float32), np.ones(4, np.float32), (tuple(hidden),), last[:, 0], float(bias[0]))
    np.testing.assert_allclose(network.predict_proba(x), perceptron.predict_proba(x), rtol=1e-4, atol=1e-6)
    odds = np.log(network.predict_proba(x)[:, 1] / network.predict_proba(x)[:, 0])
    np.testing.assert_allclose(network.logit(x), odds, rtol=1e-3, atol=1e-3)


def test_members_are_averaged_in_their_logits(network: Network) -> None:
    x, _ = toy(50)
    units = len(network.output) // MEMBERS
    alone = [
        replace(network, members=(member,), output=MEMBERS * network.output[i * units : (i + 1) * units])
        for i, member in enumerate(network.members)
    ]
    np.testing.assert_allclose(np.mean([one.logit(x) for one in alone], axis=0), network.logit(x), rtol=1e-5, atol=1e-5)


@pytest.mark.filterwarnings("error")
def test_what_was_not_measured_is_taken_for_the_usual(network: Network) -> None:
    x, _ = toy(20)
    blind, usual, wild = x.copy(), x.copy(), x.copy()
    blind[:, 3], usual[:, 3], wild[:, 3] = np.nan, network.center[3], 1e30
    assert network.predict_proba(blind).tobytes() == network.predict_proba(usual).tobytes()
    assert np.isfinite(network.predict_proba(np.full((1, 6), np.nan, np.float32))).all()
    assert np.isfinite(network.predict_proba(wild)).all()
    assert network.predict_proba(x[:0]).shape == (0, 2)


# Calibration


def test_calibrated_probabilities_mean_what_they_say(network: Network) -> None:
    """A network that is three times too sure, and leans to yes, is brought back to the odds that were drawn from."""
    x, _ = toy(8000, seed=3)
    truth = 0.5 * network.logit(x)
    y = np.random.default_rng(SEED).random(len(x)) < 1 / (1 + np.exp(-truth))
    sure = replace(network, output=1.5 * network.output, bias=1.5 * network.bias + 1.0)  # 3 * truth + 1
    calibrated = sure.calibrated(sure.logit(x), y)
    np.testing.assert_allclose(calibrated.logit(x), truth, atol=0.15 * (1 + np.abs(truth).max()))
    for low in (0.1, 0.3, 0.5, 0.7):
        said = (yes(calibrated, x) >= low) & (yes(calibrated, x) < low + 0.2)
        assert y[said].mean() == pytest.approx(yes(calibrated, x)[said].mean(), abs=0.06)
    assert np.array_equal(np.argsort(calibrated.logit(x)), np.argsort(sure.logit(x)))


# Adaptation


def test_without_news_it_stays_where_it_was(network: Network) -> None:
    x, y = toy(300, seed=5)
    silent = network.adapted(x, y, np.zeros(len(y)))
    np.testing.assert_allclose(silent.logit(x), network.logit(x), atol=1e-4)
    certain = np.abs(network.logit(x)) > 3
    said, weight = network.logit(x[certain]) > 0, np.full(int(certain.sum()), 0.02)
    known, contradicted = (network.adapted(x[certain], answer, weight) for answer in (said, ~said))
    moved, far = (np.abs(yes(one, x) - yes(network, x)).mean() for one in (known, contradicted))
    assert moved < 0.05 < far
    assert ((yes(known, x) > 0.5) == (yes(network, x) > 0.5)).mean() > 0.97


def test_few_corrections_move_it_a_little_and_many_far(network: Network) -> None:
    """At this camera what the first feature says is the other way round about one corner of the ring."""
    x, _ = toy(2000, seed=5)
    here = x[:, 0] > 0.5
    y = ~here & (yes(network, x) > 0.5)
    apart = [
        np.abs(yes(network.adapted(x[:n], y[:n], np.full(n, 0.1)), x) - yes(network, x)).mean() for n in (5, 50, 500)
    ]
    assert 0 < apart[0] < apart[1] < apart[2]
    assert apart[0] < 0.05
    many = network.adapted(x, y, np.ones(len(y)))
    assert ((yes(many, x) > 0.5) == y).mean() > ((yes(network, x) > 0.5) == y).mean() + 0.05


def test_only_the_last_layer_is_adapted(network: Network) -> None:
    """What it knows of movement stays; and the one that it came from is untouched."""
    x, y = toy(200, seed=5)
    before = {name: array.copy() for name, array in network.arrays().items()}
    adapted = network.adapted(x, ~y, even(y))
    changed = [name for name, array in adapted.arrays().items() if not np.array_equal(array, before[name])]
    assert sorted(changed) == ["bias", "output"]
    assert all(np.array_equal(array, before[name]) for name, array in network.arrays().items())


def test_one_class_alone_adapts(network: Network) -> None:
    """A person who only ever rejects teaches too."""
    x, y = toy(200, seed=5)
    wrong = x[yes(network, x) > 0.6][:10]
    adapted = network.adapted(wrong, np.zeros(len(wrong), bool), np.ones(len(wrong)))
    assert (yes(adapted, wrong) < yes(network, wrong)).all()
    assert y.any()


def test_it_adapts_to_where_likelihood_and_prior_are_best_together(network: Network) -> None:
    """The slope of what is minimised, worked out anew by differences, is flat there in every direction."""
    x, y = toy(150, seed=5)
    weight = np.random.default_rng(SEED).uniform(0, 0.5, len(y))
    adapted = network.adapted(x, ~y, weight)
    units = np.column_stack([network.hidden(x), np.ones(len(x))])
    before, after = (np.append(one.output, one.bias) for one in (network, adapted))
    scale = np.append(np.maximum(units[:, :-1].std(axis=0), 0.1), 1.0)

    def loss(weights: NDArray[np.float64]) -> float:
        chance = 1 / (1 + np.exp(-(units @ weights)))
        likelihood = -(weight * np.log(np.where(~y, chance, 1 - chance))).sum()
        return float(likelihood + PULL / 2 * (((weights - before) * scale) ** 2).sum())

    steps = np.eye(len(after)) * 1e-4 / scale
    slope = [(loss(after + step) - loss(after - step)) / 2e-4 for step in steps]
    assert np.abs(slope).max() < 1e-3 * max(1.0, loss(before))
    assert loss(after) < loss(before)


@pytest.mark.parametrize("columns", [1, 5, 7])
def test_other_features_are_refused(network: Network, columns: int) -> None:
    """A single column would be repeated for all of them without a word."""
    x = np.zeros((8, columns), np.float32)
    with pytest.raises(ValueError, match="features for a network"):
        network.predict_proba(x)
    with pytest.raises(ValueError, match="features for a network"):
        network.adapted(x, np.zeros(8, bool), np.ones(8))


# Arrays


def test_arrays_give_the_same_network_back(network: Network) -> None:
    file = io.BytesIO()
    arrays: dict[str, Any] = network.arrays()
    np.savez(file, about=np.array("words beside it"), **arrays)
    file.seek(0)
    with np.load(file, allow_pickle=False) as stored:
        again = Network.of_arrays({name: stored[name] for name in stored.files})
    x, _ = toy(100, seed=9)
    assert same(again, network)
    assert again.predict_proba(x).tobytes() == network.predict_proba(x).tobytes()


@pytest.mark.parametrize("missing", ["center", "spread", "output", "bias", "weight_0_0", "bias_0_0", "bias_2_1"])
def test_missing_arrays_are_refused(network: Network, missing: str) -> None:
    named = network.arrays()
    del named[missing]
    with pytest.raises((KeyError, ValueError)):
        Network.of_arrays(named)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        pytest.param("center", np.zeros(5, np.float32), id="fewer features"),
        pytest.param("center", np.zeros((6, 1), np.float32), id="a table for a row"),
        pytest.param("center", np.float32(0), id="one number for a row"),
        pytest.param("spread", np.zeros(6, np.float32), id="a spread of nothing"),
        pytest.param("spread", np.full(6, -1, np.float32), id="a spread below nothing"),
        pytest.param("weight_0_0", np.zeros((6, 7), np.float32), id="too few units"),
        pytest.param("weight_1_1", np.zeros((48, 24, 1), np.float32), id="a layer of three dimensions"),
        pytest.param("bias_1_1", np.zeros((24, 1), np.float32), id="a column for a bias"),
        pytest.param("output", np.zeros(71), id="fewer outputs than units"),
        pytest.param("output", np.full(72, np.nan), id="no numbers"),
        pytest.param("output", np.full(72, np.inf), id="infinite"),
        pytest.param("output", np.zeros(72, complex), id="complex numbers"),
        pytest.param("output", np.full(72, "a"), id="words"),
        pytest.param("output", np.array([object()] * 72), id="objects"),
        pytest.param("bias", np.zeros(2), id="two biases"),
        pytest.param("bias", np.float64(np.nan), id="a bias that is no number"),
    ],
)
def test_damaged_arrays_are_refused(network: Network, name: str, value: NDArray[np.float64]) -> None:
    """Else they would be a detector that never finds anything, or fails after an hour of looking."""
    assert name in network.arrays()
    with pytest.raises((KeyError, ValueError, TypeError)):
        Network.of_arrays({**network.arrays(), name: value})
