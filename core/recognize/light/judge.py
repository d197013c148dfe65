"""From features to probabilities that mean what they say."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from core.errors import Cancelled
from core.recognize.light.classifier import Classifier, slope_of, softmax
from core.settings import Settings

UNSURE_SHARE = 0.1
"""So many of the moments are to be called unsure."""
_INNER_FOLDS = 5


class LightSettings(Settings):
    """How a light recognizer is trained."""

    c: float = Field(0.01, gt=0)
    """Inverse strength of the ridge penalty. Ten times more or less changes nothing on 133 clips of tricks."""
    mirrored: bool = True
    """Whether a mirror image means the same: it doubles what there is to learn from, and both are judged."""
    seed: int = Field(42, ge=0, le=2**32 - 1)
    """Of the parts that are left out to find out how sure it is."""


@dataclass(frozen=True, eq=False)
class Judge:
    """A classifier and how sure it is of moments that it has not seen."""

    classifier: Classifier
    settings: LightSettings
    slope: float
    """What logits are multiplied with before they are probabilities."""
    unsure_below: float
    """A tenth of the moments left out in training had a highest probability below this; 0 where none could be."""

    @classmethod
    def fit(
        cls,
        values: NDArray[np.float32],
        y: NDArray[np.int64],
        groups: Sequence[str],
        classes: int,
        settings: LightSettings,
        cancelled: Callable[[], bool] | None = None,
    ) -> Judge:
        """Train from nothing.

        How sure it is is found on groups left out in turn. Where none can be left out without a class missing, logits
        are taken as they are and nothing is called unsure.

        Args:
            values: features, shape ``(n, 2, k)``: as filmed and mirrored.
            y: class of each, ``(n,)``, at least two of them; a class without any is never named.
            groups: what each was made from.
            classes: how many there are.

        Raises:
            Cancelled: ``cancelled`` said so.
        """
        from sklearn.model_selection import GroupKFold

        x = _views(values, settings)
        logits, truth = [np.empty((0, classes))], [np.empty(0, np.int64)]
        n_folds = min(_INNER_FOLDS, len(set(groups)))
        parted = GroupKFold(n_folds, shuffle=True, random_state=settings.seed) if n_folds > 1 else None
        for train, test in parted.split(x, y, groups) if parted else ():
            if cancelled and cancelled():
                raise Cancelled
            if set(y[train]) == set(y):
                logits.append(Classifier.fit(x[train], y[train], classes, settings.c).logits(x[test]))
                truth.append(y[test])
        left_out, y_left = np.concatenate(logits), np.concatenate(truth)
        slope, unsure_below = 1.0, 0.0
        if len(left_out):
            slope = slope_of(left_out, y_left)
            unsure_below = float(np.quantile(softmax(left_out, slope).max(axis=1), UNSURE_SHARE))
        return cls(Classifier.fit(x, y, classes, settings.c), settings, slope, unsure_below)

    def probabilities(self, values: NDArray[np.float32]) -> NDArray[np.float64]:
        """Shape ``(n, classes)``, rows adding up to 1, from features of shape ``(n, 2, k)``."""
        return softmax(self.classifier.logits(_views(values, self.settings)), self.slope)


def _views(values: NDArray[np.float32], settings: LightSettings) -> NDArray[np.float32]:
    return values if settings.mirrored else values[:, :1]
