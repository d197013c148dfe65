"""What a report of a recognizer shows, as plain figures: for the page of HTML and for the studio alike.

>>> figures = confusion(judged.evaluation)                               # doctest: +SKIP
>>> figures.labels, figures.counts.tolist()                              # doctest: +SKIP
(('kickflip', 'ollie'), [[9, 1], [3, 13]])
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from core.errors import UserError
from core.recognize.evaluation import Evaluation
from core.recognize.judging import Judged, JudgedClip

RECOGNIZER = "recognizer"
BASELINES = {
    "majority": "always the commonest class",
    "colours": "colours of the whole picture, which tell places and not movements",
    "key points": "where the joints are, without any look at the picture",
}
"""What needs no recognizer, in words, by the names of :attr:`core.recognize.judging.Judged.baselines`."""
UNNAMED = (0.0, 0.1, 0.2, 0.3, 0.5)
"""Shares of the clips that may stay unnamed, the least sure ones."""
LIKELIEST = 3
"""Classes told of a clip."""
_CONFIDENCE = 0.95
_LARGEST_HISTORY = 2**20


@dataclass(frozen=True)
class Standing:
    """How often somebody is right."""

    name: str
    about: str
    """In words; empty for a name that is not known."""
    accuracy: float
    right: int
    """Of how many clips that is."""
    clips: int
    low: float
    """Where the accuracy lies with 95 % confidence, if the clips are independent: the interval of Wilson."""
    high: float


@dataclass(frozen=True, eq=False)
class Confusion:
    """What was named what."""

    labels: tuple[str, ...]
    """Classes that have clips or were named; those that are taken for one another stand side by side."""
    numbers: tuple[int, ...]
    """Of these labels in the evaluation."""
    counts: NDArray[np.int64]
    """Shape ``(n, n)``: true classes are rows, named ones columns."""
    left_out: tuple[str, ...]
    """Classes that have no clip and were never named."""

    @property
    def shares(self) -> NDArray[np.float64]:
        """Of the clips of each true class: shape ``(n, n)``; a row without clips is 0."""
        return np.asarray(self.counts / np.maximum(self.counts.sum(axis=1, keepdims=True), 1))

    def table(self) -> pd.DataFrame:
        """A row a cell: ``truth``, ``named``, ``clips``, and their ``share`` of the clips of the true class."""
        return pd.DataFrame(
            {
                "truth": np.repeat(np.array(self.labels, object), len(self.labels)),
                "named": np.tile(np.array(self.labels, object), len(self.labels)),
                "clips": self.counts.ravel(),
                "share": self.shares.ravel(),
            }
        )


@dataclass(frozen=True)
class Mistake:
    """A clip that was named wrong."""

    number: int
    """From 1, the surest first."""
    row: int
    """Of the evaluation."""
    clip: JudgedClip
    named: str
    likeliest: tuple[tuple[str, float], ...]
    """The likeliest classes with their probabilities; the true one follows where it is none of them."""

    @property
    def truth(self) -> str:
        """The true class."""
        return self.clip.label


def standings(judged: Judged) -> list[Standing]:
    """The recognizer first, then what needs none, on the very same clips. The commonest class is always among them."""
    found = judged.evaluation
    accuracies = {RECOGNIZER: found.accuracy, **judged.baselines, "majority": found.majority}
    return [_standing(name, accuracy, len(found.truth)) for name, accuracy in accuracies.items() if 0 <= accuracy <= 1]


def confusion(evaluation: Evaluation) -> Confusion:
    """Without empty classes, in an order in which one can see groups.

    The order is that of the leaves of an average-linkage tree over how often two classes are taken for one another
    (Bar-Joseph et al., Fast Optimal Leaf Ordering for Hierarchical Clustering, 2001); that of the data set where
    nothing is.
    """
    counts = np.array(evaluation.confusion, np.int64)
    met = np.flatnonzero(counts.sum(axis=0) + counts.sum(axis=1))
    order = met[_side_by_side(counts[np.ix_(met, met)])]
    return Confusion(
        tuple(evaluation.classes[number] for number in order),
        tuple(int(number) for number in order),
        counts[np.ix_(order, order)],
        tuple(label for number, label in enumerate(evaluation.classes) if number not in set(met.tolist())),
    )


def per_class(evaluation: Evaluation) -> pd.DataFrame:
    """``label``, ``precision``, ``recall``, ``f1``, ``support`` and how often each class was ``named``; the weakest
    first, classes without clips last. Precision and recall are NaN as in
    :class:`core.recognize.evaluation.ClassFigures`."""
    table = pd.DataFrame([vars(one) for one in evaluation.per_class])
    table["named"] = np.bincount(evaluation.named, minlength=len(evaluation.classes))
    table["empty"] = table["support"] == 0
    return table.sort_values(["empty", "f1"], kind="stable", ignore_index=True).drop(columns="empty")


def calibration(evaluation: Evaluation) -> pd.DataFrame:
    """``low``, ``high``, ``count``, ``probability`` and ``accuracy`` of each bin, as in
    :class:`core.recognize.evaluation.Bin`."""
    return pd.DataFrame([vars(one) for one in evaluation.calibration])


def coverage(evaluation: Evaluation) -> pd.DataFrame:
    """``named``, the share of the clips that are named, ascending, the surest first, and of those the share ``right``:
    a row a clip."""
    from core.recognize.light.validation import risk_coverage

    named, right = risk_coverage(evaluation.probability, evaluation.truth)
    return pd.DataFrame({"named": named, "right": right})


def unnamed(evaluation: Evaluation) -> pd.DataFrame:
    """What it is worth to leave the least sure clips unnamed: ``left_out``, the share of ``UNNAMED``; ``clips`` that
    are named; ``right``, their share that is named right; ``below``, the highest probability under which a clip stays
    unnamed."""
    from core.recognize.light.validation import abstaining

    rows = []
    for share in UNNAMED:
        left = abstaining(evaluation.probability, evaluation.truth, share)
        clips = round(left.coverage * len(evaluation.truth))
        rows.append({"left_out": share, "clips": clips, "right": left.accuracy, "below": left.threshold})
    return pd.DataFrame(rows)


def mistakes(judged: Judged) -> list[Mistake]:
    """The clips that were named wrong, the surest first."""
    found = judged.evaluation
    named = found.named
    told = []
    for number, row in enumerate(found.wrong().tolist(), start=1):
        values, truth = found.probability[row], int(found.truth[row])
        likeliest = np.argsort(-values, kind="stable")[:LIKELIEST].tolist()
        shown = [*likeliest, *([truth] if truth not in likeliest else [])]
        pairs = tuple((found.classes[one], float(values[one])) for one in shown)
        told.append(Mistake(number, row, judged.clips[row], found.classes[named[row]], pairs))
    return told


def read_history(path: Path) -> pd.DataFrame | None:
    """A row an epoch, of ``history.csv`` of a training: ``epoch``, ``train_loss``, ``loss``, ``accuracy`` and
    ``macro_f1`` of the validation clips, NaN where there were none. None if there is no such file, or no epoch in it.

    Raises:
        UserError: the file is damaged.
    """
    columns = ("epoch", "train_loss", "loss", "accuracy", "macro_f1")
    try:
        if path.stat().st_size > _LARGEST_HISTORY:
            raise ValueError("too large")
        with path.open(encoding="utf-8", newline="") as file:
            rows = [{name: float(line[name]) for name in columns} for line in csv.DictReader(file)]
        if not all(1 <= row["epoch"] <= _LARGEST_HISTORY for row in rows):
            raise ValueError("not epochs")
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError, csv.Error) as error:
        raise UserError(f"{path} is damaged: delete it, or train anew.") from error
    return pd.DataFrame(rows) if rows else None


def _standing(name: str, accuracy: float, clips: int) -> Standing:
    from scipy.stats import binomtest

    right = round(accuracy * clips)
    about = "this one" if name == RECOGNIZER else BASELINES.get(name, "")
    inside = binomtest(right, clips).proportion_ci(_CONFIDENCE, "wilson")
    return Standing(name, about, accuracy, right, clips, float(inside.low), float(inside.high))


def _side_by_side(counts: NDArray[np.int64]) -> Sequence[int]:
    """An order of the classes: shape ``(n,)``."""
    from scipy.cluster.hierarchy import leaves_list, linkage
    from scipy.spatial.distance import squareform

    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    np.fill_diagonal(shares, 0)
    if len(counts) < 3 or not shares.any():
        return list(range(len(counts)))
    apart = 2 - (shares + shares.T)
    np.fill_diagonal(apart, 0)
    leaves: list[int] = leaves_list(linkage(squareform(apart), "average", optimal_ordering=True)).tolist()
    return leaves
