"""What the starter is: perceptrons and boosted trees whose logits are averaged; and how it is adapted to a camera.

    >>> ensemble = Ensemble.fit(x, y, weight, seed=42)                       # doctest: +SKIP
    >>> closer = ensemble.adapted(x_here, y_here, weight_here)               # doctest: +SKIP

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

PULL = 30.0
"""How strongly an adaptation is held to what was known, in moments: see :meth:`Ensemble.adapted`. At 2, two rejections
alone made it miss every trick of the drawn session."""
_LEAST_SPREAD = 0.1


@dataclass(frozen=True, eq=False)
class Ensemble:
    """A linear layer over the perceptrons' last hidden units and the trees' logit."""

    network: Network
    trees: Trees
    output: NDArray[np.float64]
    """Weights of what :meth:`units` gives, shape ``(u,)``."""
    bias: float
    spread: NDArray[np.float64]
    """How far those units spread in training, shape ``(u,)``: what a change of a weight is measured by."""

    @classmethod
    def fit(cls, x: NDArray[np.float32], y: NDArray[np.bool_], weight: NDArray[np.float64], seed: int) -> Ensemble:
        """Train from nothing.

        Args:
            x: features, shape ``(n, k)``, NaN where not measured.
            y: shape ``(n,)``.
            weight: of each row, shape ``(n,)``.
        """
        network, trees = Network.fit(x, y, weight, seed), Trees.fit(x, y, weight, seed)
        spread = np.maximum(_units(network, trees, x).std(axis=0), _LEAST_SPREAD)
        return cls(network, trees, np.append(network.output, 1.0) / 2, network.bias / 2, spread)

    def predict_proba(self, x: NDArray[np.float32]) -> NDArray[np.float64]:
        """Probabilities of no and of yes, shape ``(n, 2)``, as scikit-learn's classifiers give them."""
        yes = 1 / (1 + np.exp(-np.clip(self.logit(x), -60, 60)))
        return np.stack([1 - yes, yes], axis=1)

    def logit(self, x: NDArray[np.float32]) -> NDArray[np.float64]:
        """The logarithm of the odds of yes, shape ``(n,)``."""
        return self.units(x) @ self.output + self.bias

    def units(self, x: NDArray[np.float32]) -> NDArray[np.float64]:
        """What the last layer sees of the features, shape ``(n, u)``."""
        return _units(self.network, self.trees, x)

    def calibrated(self, logit: NDArray[np.float64], y: NDArray[np.bool_]) -> Ensemble:
        """With probabilities that mean what they say (Platt, Probabilistic outputs for support vector machines, 1999).

        Args:
            logit: of frames that an ensemble trained like this one had not seen, shape ``(n,)``.
            y: whether each was in a trick.
        """
        from sklearn.linear_model import LogisticRegression

        platt = LogisticRegression(C=1e6).fit(logit[:, None], y)
        slope = float(platt.coef_[0, 0])
        return replace(self, output=slope * self.output, bias=slope * self.bias + float(platt.intercept_[0]))

    def adapted(self, x: NDArray[np.float32], y: NDArray[np.bool_], weight: NDArray[np.float64]) -> Ensemble:
        """The same with its last layer fitted to new footage, held to what it was.

        The likelihood of the new frames and a Gaussian prior around the old weights are maximised together (Chelba and
        Acero, Adaptation of maximum entropy capitalizer, EMNLP 2004), so that a few corrections move it a little, many
        move it far, and none of what it learnt before is needed.

        Args:
            weight: of each row; those of one corrected moment add up to about 1.
        """
        from scipy.optimize import minimize

        units = np.column_stack([self.units(x), np.ones(len(x))])
        before = np.append(self.output, self.bias)
        # Not by the spread of these rows, which may be all alike: then nothing would hold the weights.
        scale = np.append(self.spread, 1.0)
        sign = np.where(y, 1.0, -1.0)

        def loss(step: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
            margin = sign * (units @ (before + step / scale))
            slope = -weight * sign / (1 + np.exp(np.clip(margin, -60, 60)))
            value = (weight * np.logaddexp(0, -margin)).sum() + PULL / 2 * (step**2).sum()
            return float(value), (slope @ units) / scale + PULL * step

        found = minimize(loss, np.zeros(len(before)), jac=True, method="L-BFGS-B")
        after = before + found.x / scale
        return replace(self, output=after[:-1], bias=float(after[-1]))

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Everything by name, for a file; the inverse of :meth:`of_arrays`."""
        return {
            **self.network.arrays(), **self.trees.arrays(), "last": self.output, "last_bias": np.array(self.bias),
            "last_spread": self.spread,
        }  # fmt: skip

    @classmethod
    def of_arrays(cls, named: dict[str, NDArray[Any]]) -> Ensemble:
        """Raises KeyError, TypeError or ValueError where something is missing or does not fit together."""
        network = Network.of_arrays(named)
        trees = Trees.of_arrays(named, network.center.size)
        output, spread, bias = (named[name] for name in ("last", "last_spread", "last_bias"))
        for one in (output, spread):
            if one.shape != (network.output.size + 1,) or one.dtype.kind != "f" or not np.isfinite(one).all():
                raise ValueError("the last layer does not fit")
        if bias.shape != () or bias.dtype.kind != "f" or not np.isfinite(bias) or not (spread > 0).all():
            raise ValueError("weights are finite numbers, a spread is positive")
        return cls(network, trees, output, float(bias), spread)


def _units(network: Network, trees: Trees, x: NDArray[np.float32]) -> NDArray[np.float64]:
    return np.column_stack([network.hidden(x), trees.logit(x)])
