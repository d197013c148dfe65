"""Multinomial logistic regression over standardised features, kept as plain arrays.

>>> classifier = Classifier.fit(x, y, classes=2)                         # doctest: +SKIP
>>> classifier.logits(x).argmax(axis=1)                                  # doctest: +SKIP
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

CLIP = 6.0
"""Standard deviations: a clip unlike all others is not to outvote its own other features."""


@dataclass(frozen=True, eq=False)
class Classifier:
    """What is learnt."""

    center: NDArray[np.float32]
    """Shape ``(k,)``."""
    spread: NDArray[np.float32]
    """Shape ``(k,)``, positive."""
    weight: NDArray[np.float64]
    """Shape ``(k, classes)``."""
    bias: NDArray[np.float64]
    """Shape ``(classes,)``."""

    @classmethod
    def fit(cls, x: NDArray[np.float32], y: NDArray[np.int64], classes: int, c: float) -> Classifier:
        """Train from nothing; every class weighs the same.

        Args:
            x: shape ``(n, views, k)``.
            y: class of each, ``(n,)``; a class without any is never named.
            classes: how many there are.
            c: inverse strength of the ridge penalty, as scikit-learn means it.
        """
        from sklearn.linear_model import LogisticRegression

        views, k = x.shape[1:]
        rows = x.reshape(-1, k)
        center = rows.mean(axis=0, dtype=np.float64).astype(np.float32)
        spread = np.maximum(rows.std(axis=0, dtype=np.float64), 1e-3).astype(np.float32)
        model = LogisticRegression(C=c, max_iter=2000, class_weight="balanced")
        model.fit(_standardised(rows, center, spread), np.repeat(y, views))
        coefficients, intercept = model.coef_, model.intercept_
        if len(model.classes_) == 2:  # scikit-learn keeps the odds of the second class alone
            coefficients, intercept = (np.concatenate([-one / 2, one / 2]) for one in (coefficients, intercept))
        weight, bias = np.zeros((k, classes)), np.full(classes, _NEVER)
        weight[:, model.classes_], bias[model.classes_] = coefficients.T, intercept
        return cls(center, spread, weight, bias)

    def logits(self, x: NDArray[np.float32]) -> NDArray[np.float64]:
        """Mean over the views of ``x``, shape ``(n, views, k)``: ``(n, classes)``."""
        known = _standardised(x, self.center, self.spread).mean(axis=1)
        return np.asarray(known @ self.weight + self.bias, np.float64)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Everything by name, for a file; the inverse of :meth:`of_arrays`."""
        return {"center": self.center, "spread": self.spread, "weight": self.weight, "bias": self.bias}

    @classmethod
    def of_arrays(cls, named: dict[str, NDArray[Any]]) -> Classifier:
        """Raises KeyError or ValueError where something is missing or does not fit together."""
        made = cls(named["center"], named["spread"], named["weight"], named["bias"])
        if not all(one.dtype.kind == "f" and np.isfinite(one).all() for one in made.arrays().values()):
            raise ValueError("weights are finite numbers")
        k, classes = made.center.size, made.bias.size
        expected = {"center": (k,), "spread": (k,), "weight": (k, classes), "bias": (classes,)}
        if {name: one.shape for name, one in made.arrays().items()} != expected or not (made.spread > 0).all():
            raise ValueError("weights do not fit together")
        return made


_NEVER = -1e3  # the logit of a class that was never seen: no probability, and yet a finite number


def softmax(logits: NDArray[np.float64], slope: float = 1.0) -> NDArray[np.float64]:
    """Probabilities of shape ``(n, classes)``, rows adding up to 1.

    Args:
        slope: what the logits are multiplied with, the inverse of the temperature.
    """
    scaled = slope * (logits - logits.max(axis=1, keepdims=True))
    odds = np.exp(scaled)
    return np.asarray(odds / odds.sum(axis=1, keepdims=True))


def slope_of(logits: NDArray[np.float64], y: NDArray[np.int64]) -> float:
    """By what the logits of unseen samples have to be multiplied for the probabilities to mean what they say: that with
    the smallest log loss (temperature scaling, Guo et al., On Calibration of Modern Neural Networks, 2017)."""
    from scipy.optimize import minimize_scalar

    def loss(log_slope: float) -> float:
        chosen = softmax(logits, float(np.exp(log_slope)))[np.arange(len(y)), y]
        return -float(np.log(np.maximum(chosen, 1e-12)).mean())

    return float(np.exp(minimize_scalar(loss, bounds=(-3.0, 1.5), method="bounded").x))


def _standardised(
    x: NDArray[np.float32], center: NDArray[np.float32], spread: NDArray[np.float32]
) -> NDArray[np.float32]:
    if x.shape[-1:] != center.shape:
        raise ValueError(f"{x.shape[-1]} features for a classifier of {center.size}")  # NumPy might repeat a single one
    return np.asarray(np.clip((x - center) / spread, -CLIP, CLIP), np.float32)
