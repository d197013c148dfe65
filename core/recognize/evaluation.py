"""How right a recognizer is, class by class, and how sure it may be.

>>> found = evaluate(("kickflip", "ollie"), [1, 1, 0], [[0.2, 0.8], [0.6, 0.4], [0.9, 0.1]])
>>> round(found.accuracy, 2), found.confusion
(0.67, ((1, 0), (1, 1)))
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

BINS = 10
"""Of the calibration, of equal width: enough to see a bend, few enough to be filled by a hundred clips."""


@dataclass(frozen=True)
class ClassFigures:
    """Of one class; precision is NaN where nothing was named so, recall where there is no such clip."""

    label: str
    precision: float
    recall: float
    f1: float
    """0 where precision or recall is NaN."""
    support: int
    """Clips that are of this class."""


@dataclass(frozen=True)
class Bin:
    """Clips whose highest probability lies in one range."""

    low: float
    high: float
    count: int
    probability: float
    """The mean of the highest probabilities; NaN for an empty bin."""
    accuracy: float
    """Share that was named right; NaN for an empty bin."""


@dataclass(frozen=True, eq=False)
class Evaluation:
    """What was named, beside what it is."""

    classes: tuple[str, ...]
    truth: NDArray[np.int64]
    """Number of the true class: shape ``(n,)``."""
    probability: NDArray[np.float64]
    """Shape ``(n, classes)``; each row adds up to 1."""

    @property
    def named(self) -> NDArray[np.int64]:
        """Number of the likeliest class: shape ``(n,)``."""
        return np.asarray(self.probability.argmax(axis=1), np.int64)

    @property
    def accuracy(self) -> float:
        """Share that was named right."""
        return float((self.named == self.truth).mean())

    @property
    def confusion(self) -> tuple[tuple[int, ...], ...]:
        """How many of each class (row) were named what (column)."""
        counts = np.zeros((len(self.classes), len(self.classes)), np.int64)
        np.add.at(counts, (self.truth, self.named), 1)
        return tuple(tuple(int(count) for count in row) for row in counts)

    @property
    def per_class(self) -> tuple[ClassFigures, ...]:
        """In the order of the classes."""
        from sklearn.metrics import precision_recall_fscore_support

        figures = precision_recall_fscore_support(
            self.truth, self.named, labels=range(len(self.classes)), zero_division=np.nan
        )
        return tuple(
            ClassFigures(label, float(precision), float(recall), float(np.nan_to_num(f1)), int(support))
            for label, precision, recall, f1, support in zip(self.classes, *figures, strict=True)
        )

    @property
    def macro_f1(self) -> float:
        """Mean F1 of the classes that have clips or were named."""
        met = [one.f1 for one in self.per_class if one.support or not np.isnan(one.precision)]
        return float(np.mean(met))

    @property
    def majority(self) -> float:
        """What always naming the commonest class would get right: the least that a recognizer has to beat."""
        return float(np.bincount(self.truth).max() / len(self.truth))

    @property
    def calibration(self) -> tuple[Bin, ...]:
        """Whether eight of ten clips that are named with 80 % are named right."""
        highest = self.probability.max(axis=1)
        right = self.named == self.truth
        edges = np.linspace(0, 1, BINS + 1)
        at = np.clip(np.digitize(highest, edges[1:-1]), 0, BINS - 1)
        return tuple(
            Bin(
                float(edges[number]),
                float(edges[number + 1]),
                int((at == number).sum()),
                float(highest[at == number].mean()) if (at == number).any() else float("nan"),
                float(right[at == number].mean()) if (at == number).any() else float("nan"),
            )
            for number in range(BINS)
        )

    @property
    def calibration_error(self) -> float:
        """Mean distance of probability and accuracy over all clips, by bin (the expected calibration error of Guo et
        al., On Calibration of Modern Neural Networks, 2017)."""
        filled = [one for one in self.calibration if one.count]
        return float(sum(one.count * abs(one.probability - one.accuracy) for one in filled) / len(self.truth))

    def wrong(self) -> NDArray[np.int64]:
        """Which clips were named wrong, the surest first."""
        rows = np.flatnonzero(self.named != self.truth)
        return np.asarray(rows[np.argsort(-self.probability[rows].max(axis=1), kind="stable")])

    def to_json(self) -> dict[str, Any]:
        """The object that ``trickline recognize evaluate --json`` prints; what is not known is null."""
        return {
            "accuracy": self.accuracy,
            "macro_f1": self.macro_f1,
            "majority_accuracy": self.majority,
            "calibration_error": self.calibration_error,
            "clips": len(self.truth),
            "classes": list(self.classes),
            "confusion": [list(row) for row in self.confusion],
            "per_class": {
                one.label: {
                    "precision": None if np.isnan(one.precision) else one.precision,
                    "recall": None if np.isnan(one.recall) else one.recall,
                    "f1": one.f1,
                    "support": one.support,
                }
                for one in self.per_class
            },
        }


def evaluate(classes: Sequence[str], truth: Sequence[int], probability: ArrayLike) -> Evaluation:
    """Put together what was named and what it is.

    Args:
        truth: numbers of the true classes, shape ``(n,)``.
        probability: shape ``(n, classes)``.

    Raises:
        ValueError: there is no clip, or the shapes do not fit.
    """
    rows, of = np.asarray(probability, np.float64), np.asarray(truth, np.int64)
    if not len(of) or rows.shape != (len(of), len(classes)) or of.min() < 0 or of.max() >= len(classes):
        raise ValueError(f"{len(of)} clips of {len(classes)} classes, but probabilities of shape {rows.shape}")
    return Evaluation(tuple(classes), of, rows)
