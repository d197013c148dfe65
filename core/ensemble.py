"""What the starter is: perceptrons and boosted trees whose logits are averaged.

    >>> ensemble = Ensemble.fit(x, y, weight, seed=42)                       # doctest: +SKIP
    >>> ensemble.predict_proba(x)[:, 1]                                      # doctest: +SKIP

The two err differently: perceptrons go astray where footage is unlike any that they have seen, trees are coarse where
it is like it. Both are kept as plain arrays and answer with NumPy alone, so that the studio starts without
scikit-learn.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.network import Network
from core.trees import Trees


@dataclass(frozen=True, eq=False)
class Ensemble:
    """The mean of both logits, on a line that makes probabilities of it that mean what they say."""

    network: Network
    trees: Trees
    slope: float = 1.0
    bias: float = 0.0

    @classmethod
    def fit(cls, x: NDArray[np.float32], y: NDArray[np.bool_], weight: NDArray[np.float64], seed: int) -> Ensemble:
        """Train from nothing.

        Args:
            x: features, shape ``(n, k)``, NaN where not measured.
            y: shape ``(n,)``.
            weight: of each row, shape ``(n,)``.
        """
        return cls(Network.fit(x, y, weight, seed), Trees.fit(x, y, weight, seed))

    def predict_proba(self, x: NDArray[np.float32]) -> NDArray[np.float64]:
        """Probabilities of no and of yes, shape ``(n, 2)``, as scikit-learn's classifiers give them."""
        yes = 1 / (1 + np.exp(-np.clip(self.logit(x), -60, 60)))
        return np.stack([1 - yes, yes], axis=1)

    def logit(self, x: NDArray[np.float32]) -> NDArray[np.float64]:
        """The logarithm of the odds of yes, shape ``(n,)``."""
        return self.slope * (self.network.logit(x) + self.trees.logit(x)) / 2 + self.bias

    def calibrated(self, logit: NDArray[np.float64], y: NDArray[np.bool_]) -> Ensemble:
        """With probabilities that mean what they say (Platt, Probabilistic outputs for support vector machines, 1999).

        Args:
            logit: of frames that an ensemble trained like this one had not seen, shape ``(n,)``.
            y: whether each was in a trick.
        """
        from sklearn.linear_model import LogisticRegression

        platt = LogisticRegression(C=1e6).fit(logit[:, None], y)
        slope = float(platt.coef_[0, 0])
        return replace(self, slope=slope * self.slope, bias=slope * self.bias + float(platt.intercept_[0]))

    def shifted(self, by: float) -> Ensemble:
        """With the log odds of all frames ``by`` higher."""
        return replace(self, bias=self.bias + by)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Everything by name, for a file; the inverse of :meth:`of_arrays`."""
        return {**self.network.arrays(), **self.trees.arrays(), "line": np.array([self.slope, self.bias])}

    @classmethod
    def of_arrays(cls, named: dict[str, NDArray[Any]]) -> Ensemble:
        """Raises KeyError, TypeError or ValueError where something is missing or does not fit together."""
        network, line = Network.of_arrays(named), named["line"]
        if line.shape != (2,) or line.dtype.kind != "f" or not np.isfinite(line).all():
            raise ValueError("a slope and a bias are finite numbers")
        return cls(network, Trees.of_arrays(named, network.center.size), *line.tolist())
