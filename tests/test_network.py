"""The perceptrons of the starter: trained, judging, kept as arrays."""

from __future__ import annotations

import io
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.neural_network import MLPClassifier

from core.network import MEMBERS, Network

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


def same(one: dict[str, NDArray[Any]], other: dict[str, NDArray[Any]]) -> bool:
    """To the last bit."""
    return one.keys() == other.keys() and all(one[name].tobytes() == other[name].tobytes() for name in one)


def from_file(arrays: dict[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    """Written and read as a model is, with what a model says of itself beside them."""
    file = io.BytesIO()
    np.savez_compressed(file, allow_pickle=False, about=np.array("words beside it"), **arrays)
    file.seek(0)
    with np.load(file, allow_pickle=False) as stored:
        return {name: stored[name] for name in stored.files}


# Training


def test_it_learns_what_no_line_tells_apart(network: Network) -> None:
    x, y = toy(2000, seed=7)
    assert ((network.logit(x) > 0) == y).mean() > 0.9
    assert y.mean() == pytest.approx(0.5, abs=0.05)


def test_the_same_seed_gives_the_same_bits() -> None:
    x, y = toy(400)
    first, second, other = (Network.fit(x, y, even(y), seed) for seed in (1, 1, 2))
    assert same(first.arrays(), second.arrays())
    assert not same(first.arrays(), other.arrays())
    assert len(first.members) == MEMBERS


def test_heavy_rows_count_more() -> None:
    """Tricks are rare: what weighs them up must reach the perceptrons."""
    x, y = toy(1000)
    light, heavy = (Network.fit(x, y, np.where(y, factor, 1.0), SEED) for factor in (0.2, 5.0))
    assert (heavy.logit(x) > 0).mean() > (light.logit(x) > 0).mean() + 0.1


@pytest.mark.filterwarnings("error")
def test_a_feature_that_was_never_measured_is_no_fault() -> None:
    """Feet that no picture shows are a column without a value; the next footage may show them."""
    x, y = toy(600)
    blind = x.copy()
    blind[:, 4] = np.nan
    network = Network.fit(blind, y, even(y), SEED)
    assert np.isfinite(network.logit(x)).all()
    assert np.isfinite(network.logit(blind)).all()


def test_a_constant_feature_is_no_fault() -> None:
    x, y = toy(600)
    x[:, 4] = 3.0
    assert np.isfinite(Network.fit(x, y, even(y), SEED).logit(x)).all()


# Judging


@pytest.mark.filterwarnings("ignore:Stochastic Optimizer")
def test_it_answers_as_scikit_learn_does() -> None:
    rng = np.random.default_rng(SEED)
    x = rng.normal(size=(500, 4)).clip(-4, 4).astype(np.float32)
    perceptron = MLPClassifier((8, 5), max_iter=30, random_state=SEED).fit(x, x[:, 0] * x[:, 1] > 0)
    *hidden, (last, bias) = zip(perceptron.coefs_, perceptron.intercepts_, strict=True)
    network = Network(np.zeros(4, np.float32), np.ones(4, np.float32), (tuple(hidden),), last[:, 0], float(bias[0]))
    no, yes = perceptron.predict_proba(x).astype(np.float64).T
    np.testing.assert_allclose(network.logit(x), np.log(yes / no), rtol=1e-3, atol=1e-3)


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
    assert network.logit(blind).tobytes() == network.logit(usual).tobytes()
    assert np.isfinite(network.logit(np.full((1, 6), np.nan, np.float32))).all()
    assert np.isfinite(network.logit(wild)).all()
    assert network.logit(x[:0]).shape == (0,)


@pytest.mark.parametrize("columns", [1, 5, 7])
def test_other_features_are_refused(network: Network, columns: int) -> None:
    """A single column would be repeated for all of them without a word."""
    with pytest.raises(ValueError, match="features for a network"):
        network.logit(np.zeros((8, columns), np.float32))


# Arrays


def test_arrays_give_the_same_network_back(network: Network) -> None:
    again = Network.of_arrays(from_file(network.arrays()))
    x, _ = toy(100, seed=9)
    assert same(again.arrays(), network.arrays())
    assert again.logit(x).tobytes() == network.logit(x).tobytes()


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
