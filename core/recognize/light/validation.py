"""How right a light recognizer is on groups that it was not trained on, beside what needs no recognizer.

>>> found = cross_validated(dataset, workspace)                          # doctest: +SKIP
>>> {name: found.accuracy(name) for name in found.probability}           # doctest: +SKIP
{'light': 0.86, 'majority': 0.53, 'colours': 0.61, 'key points': 0.73}
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.errors import Cancelled, UserError
from core.recognize.light import baselines
from core.recognize.light.baselines import FitPredict
from core.recognize.light.features import Progress, describe
from core.recognize.light.judge import UNSURE_SHARE, Judge, LightSettings
from core.recognize.samples import ClipDataset
from core.recognize.splits import folds as dealt
from core.workspace import Workspace

BASELINE_CS = (0.01, 0.1, 1.0)
"""Penalties of the logistic regressions over colours and over key points; of these, and of a forest over colours, the
one that is right most often on these very folds is told, so that none can be said to have been given too little."""


@dataclass(frozen=True, eq=False)
class Evidence:
    """What classifiers are trained on, for each sample of a data set; the same however it is parted."""

    light: NDArray[np.float32]
    """Shape ``(n, 2, k)``."""
    colours: NDArray[np.float32] | None
    """Shape ``(n, bins)``; None without baselines."""
    points: NDArray[np.float32] | None
    """Shape ``(n, 2, k)``; None without baselines, and where somebody is followed, whose joints were not looked for."""


@dataclass(frozen=True, eq=False)
class CrossValidation:
    """Probabilities of each sample by classifiers that saw nothing of its group."""

    classes: tuple[str, ...]
    truth: NDArray[np.int64]
    """Shape ``(n,)``."""
    fold: NDArray[np.int64]
    """In which fold each sample was left out, ``(n,)``."""
    probability: Mapping[str, NDArray[np.float64]]
    """By the name of the classifier, ``light`` and the baselines: shape ``(n, classes)``. ``majority`` is the share of
    each class among all samples."""

    def right(self, name: str) -> NDArray[np.bool_]:
        """Which samples a classifier names right: shape ``(n,)``."""
        return np.asarray(self.probability[name].argmax(axis=1) == self.truth)

    def accuracy(self, name: str) -> float:
        """Share of the samples that a classifier names right."""
        return float(self.right(name).mean())


@dataclass(frozen=True)
class Abstaining:
    """What leaving the least sure moments unnamed is worth."""

    coverage: float
    """Share of the moments that are named."""
    accuracy: float
    """Share of those that are named right."""
    threshold: float
    """Moments whose highest probability is below stay unnamed."""


def evidence(
    dataset: ClipDataset,
    workspace: Workspace,
    with_baselines: bool = True,
    progress: Progress | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> Evidence:
    """Look at every sample, from the workspace where that was done before.

    Raises:
        UserError: a clip cannot be read.
        Cancelled: ``cancelled`` said so.
    """
    light = describe(dataset.samples, workspace, progress, cancelled).values
    if not with_baselines:
        return Evidence(light, None, None)
    followed = any(sample.track is not None for sample in dataset.samples)
    points = None if followed else baselines.key_points(dataset.samples, workspace, progress, cancelled)
    return Evidence(light, baselines.colour_histograms(dataset.samples, progress, cancelled), points)


def cross_validated(
    dataset: ClipDataset,
    seen: Evidence,
    settings: LightSettings | None = None,
    folds: int | None = None,
    seed: int = 0,
    progress: Progress | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> CrossValidation:
    """Leave groups out in turn; recognizer and baselines are trained on the very same rest.

    Args:
        seen: of :func:`evidence`, for the samples of the data set in their order.
        folds: None leaves out each group alone, a number deals the groups out to so many parts.
        seed: of the dealing and of the forest over colours.

    Raises:
        UserError: fewer than two groups, or no two classes are left to train on.
        Cancelled: ``cancelled`` said so.
    """
    settings = settings or LightSettings()
    numbers = {label: number for number, label in enumerate(dataset.classes)}
    y = np.array([numbers[sample.label] for sample in dataset.samples], np.int64)
    groups = [sample.group for sample in dataset.samples]
    fold = _folds(dataset, groups, folds, seed)

    def light(
        train: NDArray[np.int64], y_train: NDArray[np.int64], test: NDArray[np.int64], classes: int
    ) -> NDArray[np.float64]:
        kept = [groups[row] for row in train]
        judge = Judge.fit(seen.light[train], y_train, kept, classes, settings, cancelled)
        return judge.probabilities(seen.light[test])

    judges: dict[str, FitPredict] = {"light": light, **_baselines(seen, seed)}
    probability = {name: np.zeros((len(y), len(dataset.classes))) for name in judges}
    parts = np.unique(fold)
    for done, part in enumerate(parts):
        if cancelled and cancelled():
            raise Cancelled
        if progress:
            progress("validating", done / len(parts))
        train, test = np.flatnonzero(fold != part), np.flatnonzero(fold == part)
        if len(set(y[train])) < 2:
            raise UserError(
                f"Without {groups[test[0]]} {dataset.name} has one class left, so that nothing can be told apart: add "
                "clips of the others from other footage."
            )
        for name, fit_predict in judges.items():
            probability[name][test] = fit_predict(train, y[train], test, len(dataset.classes))
    # The commonest class of all clips: that of those trained on is another wherever the groups tip the balance, and
    # would be right less often than whoever knows nothing but what is common.
    probability["majority"] = np.tile(np.bincount(y, minlength=len(dataset.classes)) / len(y), (len(y), 1))
    return _with_the_strongest(CrossValidation(dataset.classes, y, fold, probability))


def risk_coverage(
    probability: NDArray[np.float64], truth: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Share of the moments that are named, and of those the share named right, as the least sure are left out one after
    the other, the surest moment first: two arrays of shape ``(n,)`` (El-Yaniv and Wiener, On the Foundations of
    Noise-free Selective Classification, 2010).

    Args:
        probability: shape ``(n, classes)``.
        truth: shape ``(n,)``.
    """
    surest = np.argsort(-probability.max(axis=1), kind="stable")
    right = (probability.argmax(axis=1) == truth)[surest]
    named = np.arange(1, len(truth) + 1)
    return named / len(truth), np.cumsum(right) / named


def abstaining(probability: NDArray[np.float64], truth: NDArray[np.int64], share: float = UNSURE_SHARE) -> Abstaining:
    """Leave the least sure ``share`` unnamed.

    Args:
        probability: shape ``(n, classes)``, of moments that were not trained on.
        truth: shape ``(n,)``.

    Raises:
        ValueError: no moment.
    """
    coverage, accuracy = risk_coverage(probability, truth)
    kept = max(1, round((1 - share) * len(truth)))
    threshold = float(np.sort(probability.max(axis=1))[len(truth) - kept])
    return Abstaining(float(coverage[kept - 1]), float(accuracy[kept - 1]), threshold)


def _folds(dataset: ClipDataset, groups: list[str], folds: int | None, seed: int) -> NDArray[np.int64]:
    if folds is not None:
        place = {id(sample): number for number, sample in enumerate(dataset.samples)}
        fold = np.empty(len(groups), np.int64)
        for number, parts in enumerate(dealt(dataset, folds, seed)):
            fold[[place[id(sample)] for sample in parts["test"]]] = number
        return fold
    names = list(dict.fromkeys(groups))
    if len(names) < 2:
        raise UserError(f"{dataset.name} has clips from one source alone, so that none can be left out: add others.")
    return np.array([names.index(group) for group in groups], np.int64)


def _baselines(seen: Evidence, seed: int) -> dict[str, FitPredict]:
    """By the name of the baseline, a colon and the variant."""
    made: dict[str, FitPredict] = {}
    if seen.colours is not None:
        made["colours:forest"] = baselines.forest(seen.colours, seed)
        made |= {f"colours:{c:g}": baselines.linear(seen.colours[:, None], c) for c in BASELINE_CS}
    if seen.points is not None:
        made |= {f"key points:{c:g}": baselines.linear(seen.points, c) for c in BASELINE_CS}
    return made


def _with_the_strongest(found: CrossValidation) -> CrossValidation:
    """Of each baseline the strongest variant, under the baseline's name."""
    strongest: dict[str, str] = {}
    for variant in sorted(found.probability, key=found.accuracy):
        strongest[variant.partition(":")[0]] = variant
    order = dict.fromkeys(variant.partition(":")[0] for variant in found.probability)
    probability = {name: found.probability[strongest[name]] for name in order}
    return CrossValidation(found.classes, found.truth, found.fold, probability)
