"""Boosted decision trees as plain arrays, which answer with NumPy alone.

    >>> trees = Trees.fit(x, y, weight, seed=42)                             # doctest: +SKIP
    >>> trees.logit(x)                                                       # doctest: +SKIP

They are grown by scikit-learn and judged tree by tree with bit masks (Lucchese et al., QuickScorer, SIGIR 2015): each
node that a row turns right at takes away the leaves to its left, and the first leaf that is left holds the answer.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

# By the trial that gave a trick detector its best figures on unseen skaters with boosting alone: 150 rounds, 12 leaves.
ROUNDS = 150
LEAVES = 12
_STEP = 0.08
_SHRINKAGE = 5.0
_MIN_ROWS = 40
_MASK_BITS = 16
_FIRST_BIT = np.array([0, *((i & -i).bit_length() - 1 for i in range(1, 1 << _MASK_BITS))], np.uint8)
"""Which bit of a mask is the lowest that is set."""


@dataclass(frozen=True, eq=False)
class Trees:
    """``t`` trees of up to ``m`` inner nodes, so ``m + 1`` leaves; smaller ones are filled up with nodes at which every
    row turns left."""

    feature: NDArray[np.int16]
    """Which feature a node asks about, shape ``(t, m)``."""
    threshold: NDArray[np.float64]
    """Up to which value a row turns left, shape ``(t, m)``."""
    unknown_left: NDArray[np.bool_]
    """Whether a row without a value turns left, shape ``(t, m)``."""
    leaves_right: NDArray[np.uint16]
    """The leaves that are left to a row that turns right, a bit each, shape ``(t, m)``."""
    value: NDArray[np.float32]
    """Of the leaves from left to right, in log odds, shape ``(t, m + 1)``."""
    bias: float

    @classmethod
    def fit(cls, x: NDArray[np.float32], y: NDArray[np.bool_], weight: NDArray[np.float64], seed: int) -> Trees:
        """Grow them.

        Args:
            x: features, shape ``(n, k)``, NaN where not measured.
            y: shape ``(n,)``.
            weight: of each row, shape ``(n,)``.
        """
        from sklearn.ensemble import HistGradientBoostingClassifier

        known = np.where(np.isnan(x).all(axis=0), np.float32(0), x)  # a column without a value cannot be binned
        grown: Any = HistGradientBoostingClassifier(
            max_iter=ROUNDS, max_leaf_nodes=LEAVES, learning_rate=_STEP, l2_regularization=_SHRINKAGE,
            min_samples_leaf=_MIN_ROWS, early_stopping=False, random_state=seed,
        ).fit(known, y, sample_weight=weight)  # fmt: skip
        made = _empty(len(grown._predictors))
        for number, (predictor,) in enumerate(grown._predictors):
            _flatten(predictor.nodes, made, number)
        return cls(**made, bias=float(grown._baseline_prediction[0, 0]))

    def logit(self, x: NDArray[np.float32]) -> NDArray[np.float64]:
        """The logarithm of the odds of yes, shape ``(n,)``."""
        columns = np.ascontiguousarray(x.T)
        total = np.full(len(x), self.bias)
        for number in range(len(self.feature)):
            left = np.full(len(x), (1 << _MASK_BITS) - 1, np.uint16)
            for feature, threshold, unknown_left, leaves in zip(
                self.feature[number], self.threshold[number], self.unknown_left[number], self.leaves_right[number],
                strict=True,
            ):  # fmt: skip
                if threshold == np.inf and unknown_left:
                    continue
                column = columns[feature]
                right = column > threshold if unknown_left else ~(column <= threshold)
                left[right] &= leaves
            total += self.value[number][_FIRST_BIT[left]]
        return total

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Everything by name, for a file; the inverse of :meth:`of_arrays`."""
        named = {name: getattr(self, name) for name in _DTYPES}
        return {f"tree_{name}": values for name, values in named.items()} | {"tree_bias": np.array(self.bias)}

    @classmethod
    def of_arrays(cls, named: dict[str, NDArray[Any]], n_features: int) -> Trees:
        """Raises KeyError, TypeError or ValueError where something is missing or does not fit together."""
        made = {name: named[f"tree_{name}"] for name in _DTYPES}
        if any(made[name].dtype != dtype or made[name].ndim != 2 for name, dtype in _DTYPES.items()):
            raise ValueError("not the arrays of trees")
        t, m = made["feature"].shape
        if not 0 < m < _MASK_BITS or any(made[name].shape != (t, m + (name == "value")) for name in _DTYPES):
            raise ValueError("trees do not fit together")
        bias = float(named["tree_bias"])
        if not (np.isfinite(made["value"]).all() and np.isfinite(bias)) or np.isnan(made["threshold"]).any():
            raise ValueError("weights are finite numbers")
        if not ((made["feature"] >= 0) & (made["feature"] < n_features)).all():
            raise ValueError("a node asks about a feature that is not there")
        # The last leaf is never to the left of a node, so that every row ends somewhere.
        if not (made["leaves_right"] >> np.uint16(m) & 1).all():
            raise ValueError("a tree without a last leaf")
        return cls(**made, bias=bias)


_DTYPES = {
    "feature": np.int16, "threshold": np.float64, "unknown_left": np.bool_, "leaves_right": np.uint16,
    "value": np.float32,
}  # fmt: skip


def _empty(trees: int) -> dict[str, Any]:
    """Trees of one leaf."""
    made: dict[str, Any] = {
        name: np.zeros((trees, LEAVES - (name != "value")), dtype) for name, dtype in _DTYPES.items()
    }
    made["threshold"][:], made["unknown_left"][:], made["leaves_right"][:] = np.inf, True, (1 << _MASK_BITS) - 1
    return made


def _flatten(nodes: Any, made: dict[str, Any], number: int) -> None:
    """Write one tree of scikit-learn's, a structured array, into the arrays."""
    inner = leaf = 0

    def down(at: int) -> int:
        """Returns the leaves under a node, a bit each."""
        nonlocal inner, leaf
        node = nodes[at]
        if node["is_leaf"]:
            made["value"][number, leaf] = node["value"]
            leaf += 1
            return 1 << (leaf - 1)
        mine, inner = inner, inner + 1
        left = down(int(node["left"]))
        made["feature"][number, mine] = node["feature_idx"]
        made["threshold"][number, mine] = node["num_threshold"]
        made["unknown_left"][number, mine] = bool(node["missing_go_to_left"])
        made["leaves_right"][number, mine] = ~left & ((1 << _MASK_BITS) - 1)
        return left | down(int(node["right"]))

    down(0)
