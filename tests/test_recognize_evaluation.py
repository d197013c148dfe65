"""Figures of a recognizer are those of the textbook, also where a class was never named or has no clip."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, confusion_matrix, f1_score

from core.recognize.evaluation import evaluate


def test_figures_agree_with_scikit_learn() -> None:
    rng = np.random.default_rng(5)
    truth = rng.integers(0, 4, 200)
    probability = rng.dirichlet(np.ones(4), 200) + 0.8 * np.eye(4)[truth] * rng.uniform(0, 1, (200, 1))
    probability /= probability.sum(axis=1, keepdims=True)
    named = probability.argmax(axis=1)
    found = evaluate("abcd", truth.tolist(), probability)
    assert found.accuracy == pytest.approx(accuracy_score(truth, named))
    assert found.macro_f1 == pytest.approx(f1_score(truth, named, average="macro"))
    assert np.array_equal(found.confusion, confusion_matrix(truth, named))
    assert [one.support for one in found.per_class] == np.bincount(truth).tolist()
    assert found.majority == pytest.approx(np.bincount(truth).max() / 200)


def test_a_class_that_nobody_named_or_has() -> None:
    """Of two clips of a, one was named b; c has no clip and was never named."""
    found = evaluate(("a", "b", "c"), [0, 0], [[0.9, 0.1, 0.0], [0.2, 0.8, 0.0]])
    a, b, c = found.per_class
    assert (a.precision, a.recall, a.f1) == pytest.approx((1.0, 0.5, 2 / 3))
    assert (b.precision, b.f1, b.support) == (0.0, 0.0, 0)
    assert np.isnan(b.recall)
    assert np.isnan(c.precision)
    assert found.macro_f1 == pytest.approx(1 / 3)  # c plays no part
    told = found.to_json()["per_class"]
    assert told["c"] == {"precision": None, "recall": None, "f1": 0.0, "support": 0}


def test_calibration_counts_every_clip_once() -> None:
    """Nine of ten that are named with 90 % are right: nothing to complain of."""
    probability = [[0.9, 0.1]] * 10 + [[0.65, 0.35]] * 4
    found = evaluate(("a", "b"), [0] * 9 + [1] + [1] * 4, probability)
    filled = {round(one.low, 1): (one.count, one.accuracy) for one in found.calibration if one.count}
    assert filled == {0.9: (10, 0.9), 0.6: (4, 0.0)}
    assert found.calibration_error == pytest.approx(4 * 0.65 / 14)
    assert sum(one.count for one in found.calibration) == 14


def test_the_surest_mistakes_come_first() -> None:
    found = evaluate(("a", "b"), [0, 1, 0, 1], [[0.4, 0.6], [0.9, 0.1], [0.8, 0.2], [0.7, 0.3]])
    assert found.wrong().tolist() == [1, 3, 0]


@pytest.mark.parametrize(
    ("truth", "probability"), [([], []), ([0, 1], [[1.0, 0.0]]), ([2], [[0.5, 0.5]]), ([-1], [[0.5, 0.5]])]
)
def test_what_does_not_fit_is_refused(truth: list[int], probability: list[list[float]]) -> None:
    with pytest.raises(ValueError, match="classes"):
        evaluate(("a", "b"), truth, probability)
