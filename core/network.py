"""A small neural network over the features of a frame: one half of :mod:`core.ensemble`.

    >>> network = Network.fit(x, y, weight, seed=42)                         # doctest: +SKIP

A network is a few perceptrons of two hidden layers, whose logits are averaged.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

MEMBERS = 3
"""Perceptrons that are averaged: their errors differ with what they began from, and average out in part."""
HIDDEN = (48, 24)
_EPOCHS = 15
_BATCH = 512
_STEP = 2e-3
_DECAY = 0.3
_NOISE = 0.1
"""Spread of what is added to each standardised feature in training: poses are not that exact."""
_CLIP = 4.0
_Layer = tuple[NDArray[np.float32], NDArray[np.float32]]


@dataclass(frozen=True, eq=False)
class Network:
    """Weights of the averaged perceptrons."""

    center: NDArray[np.float32]
    """What each feature usually is, shape ``(k,)``; it also stands in for what was not measured."""
    spread: NDArray[np.float32]
    members: tuple[tuple[_Layer, ...], ...]
    """For each perceptron its hidden layers: weights of shape ``(inputs, outputs)`` and biases."""
    output: NDArray[np.float64]
    """Weights of the last hidden units of all the perceptrons, shape ``(MEMBERS * HIDDEN[-1],)``."""
    bias: float

    @classmethod
    def fit(cls, x: NDArray[np.float32], y: NDArray[np.bool_], weight: NDArray[np.float64], seed: int) -> Network:
        """Train from nothing.

        Args:
            x: features, shape ``(n, k)``, NaN where not measured.
            y: shape ``(n,)``.
            weight: of each row, shape ``(n,)``.
        """
        from sklearn.exceptions import ConvergenceWarning
        from sklearn.neural_network import MLPClassifier

        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # of a column without a value, such as feet never seen
            low, center, high = np.nan_to_num(np.nanpercentile(x, (10, 50, 90), axis=0)).astype(np.float32)
        spread = np.maximum((high - low) / 2.56, np.float32(1e-3))
        known = _standardised(x, center, spread)
        members, outputs, biases = [], [], []
        for member in range(MEMBERS):
            rng = np.random.default_rng((seed, member))
            perceptron = MLPClassifier(
                HIDDEN, alpha=_DECAY, batch_size=min(_BATCH, len(x)), learning_rate_init=_STEP, max_iter=_EPOCHS,
                random_state=seed + member, tol=0.0, n_iter_no_change=_EPOCHS,
            )  # fmt: skip
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", ConvergenceWarning)  # so many epochs are wanted, and no more
                noise = _NOISE * rng.standard_normal(known.shape, np.float32)
                perceptron.fit(known + noise, y, sample_weight=weight / weight.mean())
            layers = zip(perceptron.coefs_, perceptron.intercepts_, strict=True)
            *hidden, (last, bias) = [(w.astype(np.float32), b.astype(np.float32)) for w, b in layers]
            members.append(tuple(hidden))
            outputs.append(last[:, 0])
            biases.append(bias[0])
        output = np.concatenate(outputs).astype(np.float64) / MEMBERS
        return cls(center, spread, tuple(members), output, float(np.mean(biases)))

    def logit(self, x: NDArray[np.float32]) -> NDArray[np.float64]:
        """The logarithm of the odds of yes, shape ``(n,)``."""
        return self.hidden(x) @ self.output + self.bias

    def hidden(self, x: NDArray[np.float32]) -> NDArray[np.float64]:
        """What the last hidden units of all the perceptrons make of the features, shape ``(n, MEMBERS * units)``."""
        known = _standardised(x, self.center, self.spread)
        made = []
        for layers in self.members:
            units = known
            for weight, bias in layers:
                units = np.maximum(units @ weight + bias, 0)
            made.append(units)
        return np.concatenate(made, axis=1).astype(np.float64)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Everything by name, for a file; the inverse of :meth:`of_arrays`."""
        named: dict[str, NDArray[Any]] = {
            "center": self.center, "spread": self.spread, "output": self.output, "bias": np.array(self.bias),
        }  # fmt: skip
        for number, layers in enumerate(self.members):
            for depth, (weight, bias) in enumerate(layers):
                named |= {f"weight_{number}_{depth}": weight, f"bias_{number}_{depth}": bias}
        return named

    @classmethod
    def of_arrays(cls, named: dict[str, NDArray[Any]]) -> Network:
        """Raises KeyError, TypeError or ValueError where something is missing or does not fit together."""
        members: list[tuple[_Layer, ...]] = []
        while f"weight_{len(members)}_0" in named:
            layers: list[_Layer] = []
            while (key := f"{len(members)}_{len(layers)}") and f"weight_{key}" in named:
                layers.append((named[f"weight_{key}"], named[f"bias_{key}"]))
            members.append(tuple(layers))
        made = cls(named["center"], named["spread"], tuple(members), named["output"], float(named["bias"]))
        made._check()
        return made

    def _check(self) -> None:
        arrays = self.arrays()
        if not all(one.dtype.kind == "f" and np.isfinite(one).all() for one in arrays.values()):
            raise ValueError("weights are finite numbers")
        expected = {"center": (inputs := self.center.size,), "spread": (inputs,), "bias": ()}
        units = 0
        for number, layers in enumerate(self.members):
            width = inputs
            for depth, (_, bias) in enumerate(layers):
                expected[f"weight_{number}_{depth}"] = (width, bias.size)
                expected[f"bias_{number}_{depth}"] = (width := bias.size,)
            units += width
        expected["output"] = (units,)
        if not self.members or {name: one.shape for name, one in arrays.items()} != expected:
            raise ValueError("layers do not fit together")
        if not (self.spread > 0).all():
            raise ValueError("a spread is positive")


def _standardised(
    x: NDArray[np.float32], center: NDArray[np.float32], spread: NDArray[np.float32]
) -> NDArray[np.float32]:
    if x.shape[1:] != center.shape:
        raise ValueError(f"{x.shape[1:]} features for a network of {center.shape}")  # NumPy might repeat a single one
    return np.asarray(np.clip(np.nan_to_num((x - center) / spread), -_CLIP, _CLIP), np.float32)
