"""The boosted trees of the starter: grown by scikit-learn, judged without it, kept as arrays."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.ensemble import HistGradientBoostingClassifier

from core.trees import LEAVES, Trees
from tests.test_network import SEED, even, from_file, same, toy

FEATURES = 6
WHOLE, TOLD_BY_GAPS, NEVER_SEEN = 2, 4, 5
"""Columns of :func:`gappy`."""


def gappy(n: int, seed: int = SEED) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """As :func:`toy`, with gaps: one column is of whole numbers, so that the thresholds between them are exact in
    single precision too; one has the same value or none, which says a little; one was never measured."""
    x, y = toy(n, seed)
    rng = np.random.default_rng((seed, 1))
    x[:, WHOLE] = rng.integers(-20, 20, n) - 5 * y
    x[:, TOLD_BY_GAPS] = np.where(rng.random(n) < np.where(y, 0.6, 0.2), np.nan, 1.0)
    x[:, NEVER_SEEN] = np.nan
    x[:, :4][rng.random((n, 4)) < 0.2] = np.nan
    return x, y


Grown = tuple[Trees, HistGradientBoostingClassifier]


@pytest.fixture(scope="module")
def grown() -> Grown:
    """Trees, and the classifier of scikit-learn that they are of."""
    made: list[HistGradientBoostingClassifier] = []
    fit = HistGradientBoostingClassifier.fit

    def remembered(classifier: HistGradientBoostingClassifier, *given: Any, **more: Any) -> Any:
        made.append(classifier)
        return fit(classifier, *given, **more)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(HistGradientBoostingClassifier, "fit", remembered)
        x, y = gappy(2000)
        trees = Trees.fit(x, y, np.where(y, 2.0, 1.0), SEED)
    (classifier,) = made
    return trees, classifier


@pytest.fixture(scope="module")
def trees(grown: Grown) -> Trees:
    return grown[0]


# Growing


def test_they_learn_what_no_line_tells_apart() -> None:
    x, y = toy(2000)
    unseen, truth = toy(2000, seed=7)
    assert ((Trees.fit(x, y, even(y), SEED).logit(unseen) > 0) == truth).mean() > 0.9


def test_the_same_seed_gives_the_same_bits() -> None:
    x, y = gappy(500)
    first, second = (Trees.fit(x, y, even(y), SEED) for _ in range(2))
    assert same(first.arrays(), second.arrays())


def test_heavy_rows_count_more() -> None:
    """Tricks are rare: what weighs them up must reach the trees."""
    x, y = toy(1000)
    light, heavy = (Trees.fit(x[:, 2:], y, np.where(y, factor, 1.0), SEED) for factor in (0.2, 5.0))
    assert (heavy.logit(x[:, 2:]) > 0).mean() > (light.logit(x[:, 2:]) > 0).mean() + 0.3


@pytest.mark.parametrize("n", [2, 60, 79])
@pytest.mark.filterwarnings("error")
def test_too_few_rows_to_ask_about_give_the_odds_alone(n: int) -> None:
    """A first short session, with a handful of frames in tricks."""
    x, _ = gappy(n)
    y = np.arange(n) < max(1, n // 5)
    weight = np.where(y, 3.0, 1.0)
    trees = Trees.fit(x, y, weight, SEED)
    odds = weight[y].sum() / weight[~y].sum()
    np.testing.assert_allclose(trees.logit(gappy(200)[0]), np.full(200, np.log(odds)), atol=1e-6)


@pytest.mark.filterwarnings("error")
def test_a_feature_that_was_never_measured_is_no_fault() -> None:
    """Nothing is asked about it, whatever the next footage shows; and what was handed over is left as it was."""
    x, y = gappy(300)
    before = x.copy()
    trees = Trees.fit(x, y, even(y), SEED)
    assert x.tobytes() == before.tobytes()
    seen = x.copy()
    seen[:, NEVER_SEEN] = np.linspace(-1e6, 1e6, len(x))
    assert trees.logit(seen).tobytes() == trees.logit(x).tobytes()


# Judging


def test_the_trees_below_ask_all_kinds_of_questions(trees: Trees) -> None:
    """Guards the comparison with scikit-learn, which says nothing about nodes that do not occur."""
    asked = np.isfinite(trees.threshold)
    assert set(trees.feature[asked]) == {0, 1, 2, 3}
    assert {*trees.unknown_left[asked]} == {True, False}
    by_gaps = np.isinf(trees.threshold) & ~trees.unknown_left  # a value turns left, none turns right
    assert TOLD_BY_GAPS in trees.feature[by_gaps]
    assert ((trees.value != 0).sum(axis=1) == LEAVES).any()
    exact = trees.threshold[asked & (trees.feature == WHOLE)]
    assert len(exact) > 50
    assert (exact.astype(np.float32) == exact).all()


def on_thresholds(trees: Trees, toward: float | None) -> NDArray[np.float32]:
    """Rows with a value on a threshold of the column of whole numbers, or the next one that single precision knows."""
    asked = np.isfinite(trees.threshold) & (trees.feature == WHOLE)
    x, _ = gappy(2000, seed=7)
    value = np.resize(np.unique(trees.threshold[asked]), len(x)).astype(np.float32)
    x[:, WHOLE] = value if toward is None else np.nextafter(value, np.float32(toward))
    return x


def judged(trees: Trees, rows: str) -> NDArray[np.float32]:
    """Rows of the kind that is asked for."""
    x, _ = gappy(2000, seed=9)
    if rows == "learnt from":
        return gappy(2000)[0]
    if rows == "on a threshold":
        return on_thresholds(trees, None)
    if rows == "just above a threshold":
        return on_thresholds(trees, np.inf)
    if rows == "just below a threshold":
        return on_thresholds(trees, -np.inf)
    if rows == "without a gap":
        return np.nan_to_num(x)
    if rows == "without a value":
        return np.full((3, FEATURES), np.nan, np.float32)
    if rows == "beyond all that was seen":
        return np.where(np.isnan(x), x, np.copysign(np.float32(np.inf), x))
    assert rows == "unseen"
    return x


@pytest.mark.parametrize(
    "rows",
    [
        "unseen", "learnt from", "on a threshold", "just above a threshold", "just below a threshold", "without a gap",
        "without a value", "beyond all that was seen",
    ],
)  # fmt: skip
def test_they_answer_as_scikit_learn_does(grown: Grown, rows: str) -> None:
    trees, classifier = grown
    x = judged(trees, rows)
    np.testing.assert_allclose(trees.logit(x), classifier.decision_function(x), rtol=1e-6, atol=1e-5)


def test_a_hair_across_a_threshold_turns_elsewhere(trees: Trees) -> None:
    """Each of them, also in single precision, which is what features come in."""
    on, above, below = (on_thresholds(trees, toward) for toward in (None, np.inf, -np.inf))
    assert trees.logit(on).tobytes() == trees.logit(below).tobytes()
    turned = trees.logit(on) != trees.logit(above)
    assert set(on[turned, WHOLE]) == set(on[:, WHOLE])


def test_no_row_is_no_fault(trees: Trees) -> None:
    assert trees.logit(np.empty((0, FEATURES), np.float32)).shape == (0,)


# Arrays


def test_arrays_give_the_same_trees_back(trees: Trees) -> None:
    again = Trees.of_arrays(from_file(trees.arrays()), FEATURES)
    x, _ = gappy(100, seed=9)
    assert same(again.arrays(), trees.arrays())
    assert again.logit(x).tobytes() == trees.logit(x).tobytes()


NAMES = ("tree_feature", "tree_threshold", "tree_unknown_left", "tree_leaves_right", "tree_value")


@pytest.mark.parametrize("missing", [*NAMES, "tree_bias"])
def test_missing_arrays_are_refused(trees: Trees, missing: str) -> None:
    named = trees.arrays()
    del named[missing]
    with pytest.raises(KeyError):
        Trees.of_arrays(named, FEATURES)


def refused(trees: Trees, change: dict[str, Any], why: str) -> None:
    named = trees.arrays()
    assert named.keys() >= change.keys()
    with pytest.raises(ValueError, match=why):
        Trees.of_arrays({**named, **change}, FEATURES)


@pytest.mark.parametrize("name", NAMES)
def test_other_types_are_refused(trees: Trees, name: str) -> None:
    array = trees.arrays()[name]
    for kind in ("i1", "i2", "i8", "u2", "f2", "f4", "f8", "?", "c16", "U1", "O", "M8[s]", ">i2", ">u2", ">f4", ">f8"):
        if array.dtype != kind:
            refused(trees, {name: np.zeros(array.shape, kind)}, "not the arrays of trees")


@pytest.mark.parametrize("name", NAMES)
def test_other_shapes_are_refused(trees: Trees, name: str) -> None:
    array = trees.arrays()[name]
    for other in (
        array[1:], array[:, 1:], array[:, :0], array[0], array[..., None], array.T, np.repeat(array, 2, axis=0),
        np.repeat(array, 2, axis=1), array[0, 0],
    ):  # fmt: skip
        refused(trees, {name: other}, "not the arrays of trees|do not fit together")


@pytest.mark.parametrize(
    ("name", "value", "why"),
    [
        pytest.param("tree_feature", FEATURES, "not there", id="a feature too many"),
        pytest.param("tree_feature", -1, "not there", id="the last feature from the end"),
        pytest.param("tree_feature", np.iinfo(np.int16).max, "not there", id="a feature far out"),
        pytest.param("tree_feature", np.iinfo(np.int16).min, "not there", id="a feature far below"),
        pytest.param("tree_threshold", np.nan, "finite", id="a threshold that is no number"),
        pytest.param("tree_value", np.nan, "finite", id="a leaf that is no number"),
        pytest.param("tree_value", np.inf, "finite", id="an infinite leaf"),
        pytest.param("tree_value", -np.inf, "finite", id="a leaf below everything"),
        pytest.param("tree_leaves_right", 0, "last leaf", id="no leaf is left"),
        pytest.param("tree_leaves_right", (1 << LEAVES - 1) - 1, "last leaf", id="all but the last leaf are left"),
        pytest.param("tree_leaves_right", 0xFFFF - (1 << LEAVES - 1), "last leaf", id="a leaf beyond the last is left"),
    ],
)
@pytest.mark.parametrize("place", [(0, 0), (7, 3), (-1, -1)])
def test_damaged_arrays_are_refused(trees: Trees, name: str, value: float, why: str, place: tuple[int, int]) -> None:
    """Wherever it is: else a detector would fail or judge by the wrong feature after an hour of looking."""
    array = trees.arrays()[name].copy()
    array[place] = value
    refused(trees, {name: array}, why)


@pytest.mark.parametrize("bias", [np.nan, np.inf, "high"])
def test_a_damaged_bias_is_refused(trees: Trees, bias: float | str) -> None:
    refused(trees, {"tree_bias": np.array(bias)}, "finite|could not convert")


@pytest.mark.parametrize("nodes", [0, 16, 40])
def test_trees_of_other_sizes_are_refused(trees: Trees, nodes: int) -> None:
    """All arrays go together, but a mask has no bit for the last leaf, or nothing is asked at all."""
    named = trees.arrays()
    wide = {name: np.resize(named[name], (3, nodes + (name == "tree_value"))) for name in NAMES}
    wide["tree_leaves_right"] = np.full((3, nodes), 0xFFFF, np.uint16)
    refused(trees, wide, "do not fit together")


@pytest.mark.parametrize("nodes", [1, LEAVES - 1, 15])
@pytest.mark.filterwarnings("error")
def test_whatever_is_accepted_ends_in_a_leaf(nodes: int) -> None:
    """Nonsense that fits together makes a useless detector, never one that fails or reads beyond its arrays."""
    rng = np.random.default_rng((SEED, nodes))
    t, every = 20, np.uint16(0xFFFF)
    named = {
        "tree_feature": rng.integers(0, FEATURES, (t, nodes)).astype(np.int16),
        "tree_threshold": rng.choice([-np.inf, -1e300, 0.0, 5e-324, 1e300, np.inf], (t, nodes)),
        "tree_unknown_left": rng.random((t, nodes)) < 0.5,
        "tree_leaves_right": rng.integers(0, every, (t, nodes), np.uint16, endpoint=True) | np.uint16(1 << nodes),
        "tree_value": np.tile(10.0 ** -np.arange(nodes + 1), (t, 1)).astype(np.float32),
        "tree_bias": np.array(0.0),
    }
    x = rng.choice(np.array([np.nan, -np.inf, -1, 0, 1, np.inf], np.float32), (300, FEATURES))
    for number in range(t):
        one = {name: array[number : number + 1] if array.ndim else array for name, array in named.items()}
        assert np.isin(Trees.of_arrays(one, FEATURES).logit(x).astype(np.float32), one["tree_value"]).all()
