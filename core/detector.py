"""Detectors: from signals to the probability of a trick in each sampled frame.

``HopRule`` needs no labels: it is the starter. ``TrickDetector`` is trained, and kept as a bundle: a skops file,
which is data and never runs code when it is opened (https://skops.readthedocs.io); a pickle is refused.
"""

from __future__ import annotations

import json
import tokenize
import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from core.atomic import atomic_path
from core.errors import UserError
from core.features import features, usable_rows
from core.intervals import Interval, frame_mask
from core.metrics import hop, with_amplitude
from core.settings import EventSettings, Settings, TrainSettings

HOP_TORSOS = 0.5
"""A hop of half a torso length has probability 0.5. On the reference session tricks hop 1.0 and more, pushing up to
0.47; at this setting 127 of 133 clips of unseen skaters hold a hop."""
HIGHER_AND_LOWER = ((0.5, 0.7, 1.0, 1.4, 2.0), (0.5, 0.7, 1.0))
"""Factors by which the motion of frames in tricks, and of frames outside, is repeated in training. A lower jump is
still a jump and a softer push still a push; without this a forest that has seen two tricks takes the height of the
lower one for the limit. Leave-one-trick-out on the reference session: 1 of 3 found without, 3 of 3 with, none wrong."""
_EDGE = 0.3  # the part of its height at which a hop begins and ends
_RATE_TOLERANCE = 1.5
_BUNDLE_VERSION = 1
_BROKEN = (
    zipfile.BadZipFile, zlib.error, tokenize.TokenError, SyntaxError, EOFError, MemoryError, RuntimeError,
    ArithmeticError, LookupError, TypeError, ValueError, AttributeError, ImportError,
)  # fmt: skip
"""What zipfile, NumPy, skops, scikit-learn and pydantic raise over a file that is no bundle, or a damaged one."""

_TRUSTED = (
    "sklearn.tree._tree.Tree",
    "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
    "numpy.dtype",
)
"""What a bundle may hold beyond skops' own list: the trees of forests and of boosting, and array types. All plain
data."""


class Detector(Protocol):
    """What finds tricks."""

    events: EventSettings

    def predict_proba(self, table: pd.DataFrame) -> NDArray[np.float64]:
        """Probability of a trick in each row of :attr:`core.metrics.Signals.table`: shape ``(n,)``, NaN where it
        cannot tell."""


class HopRule:
    """The starter: a trick is where the feet or the hips rise above the ground and come back.

    The height is :func:`core.metrics.hop`, in torso lengths, against the background. A hop spans the frames above 30 %
    of its height, all with the probability of its peak.
    """

    def __init__(self, events: EventSettings | None = None) -> None:
        self.events = events or EventSettings()

    def predict_proba(self, table: pd.DataFrame) -> NDArray[np.float64]:
        known = hop(table).to_numpy(np.float64)
        height = np.nan_to_num(known)
        heights = height.tolist()  # far quicker to step through than an array
        plateau = np.zeros(len(height))
        for peak in np.argsort(-height, kind="stable"):
            if height[peak] <= 0:
                break
            if plateau[peak]:
                continue
            edge, first, after = _EDGE * heights[peak], peak, peak + 1
            while first > 0 and heights[first - 1] >= edge:
                first -= 1
            while after < len(heights) and heights[after] >= edge:
                after += 1
            plateau[first:after] = np.maximum(plateau[first:after], height[peak])
        probability = plateau**2 / (plateau**2 + HOP_TORSOS**2)
        return np.where(np.isnan(known), np.nan, probability)


@dataclass(frozen=True)
class Example:
    """One video to learn from."""

    table: pd.DataFrame
    """:attr:`core.metrics.Signals.table`."""
    truth: Sequence[Interval]
    n_frames: int
    """Decoded frames in the video."""
    name: str = ""
    known: Sequence[Interval] | None = None
    """Where it is known what is a trick and what is none, such as the moments that somebody reviewed; None for the
    whole video. Of the rest nothing is learnt."""

    def known_rows(self) -> NDArray[np.bool_]:
        """Which sampled frames may be learnt from, shape ``(n,)``."""
        if self.known is None:
            return np.ones(len(self.table), bool)
        return frame_mask(self.known, self.n_frames)[self.table["frame"].to_numpy()]


class _About(Settings):
    """What a bundle says about its estimator."""

    bundle: int
    settings: TrainSettings
    events: EventSettings
    columns: tuple[str, ...]
    meta: dict[str, Any]


class TrickDetector:
    """A trained detector and all that is needed to use it again.

    Args:
        estimator: a fitted scikit-learn classifier.
        settings: how it was trained.
        events: threshold and event settings that go with it.
        columns: names of its features, in order.
        meta: where it comes from: pose backend, sampling rate (1/s), sessions, metrics.
    """

    def __init__(
        self,
        estimator: Any,
        settings: TrainSettings,
        events: EventSettings,
        columns: tuple[str, ...],
        meta: dict[str, Any],
    ) -> None:
        self.estimator = estimator
        self.settings = settings
        self.events = events
        self.columns = columns
        self.meta = meta

    @classmethod
    def fit(
        cls,
        examples: Sequence[Example],
        settings: TrainSettings,
        events: EventSettings | None = None,
        rows: Sequence[NDArray[np.bool_]] | None = None,
        meta: dict[str, Any] | None = None,
    ) -> TrickDetector:
        """Train on labelled videos.

        Args:
            rows: for each example which sampled frames may be used, shape ``(n,)``; all of them by default.

        Raises:
            UserError: no frame of a trick, or nothing but tricks, is left to learn from.
        """
        matrices, answers = [], []
        columns: tuple[str, ...] = ()
        inside, outside = HIGHER_AND_LOWER if settings.feature_set == "motion" else ((1.0,), (1.0,))
        for number, example in enumerate(examples):
            positive = positive_rows(example, settings.min_overlap_frames)
            usable = usable_rows(example.table, settings.feature_set) & example.known_rows()
            if rows is not None:
                usable = usable & rows[number]
            for factor in sorted({*inside, *outside}):
                matrix, columns = features(with_amplitude(example.table, factor), settings.feature_set)
                wanted = usable & ((positive & (factor in inside)) | (~positive & (factor in outside)))
                matrices.append(matrix[wanted])
                answers.append(positive[wanted])
        x, y = np.concatenate(matrices), np.concatenate(answers)
        if len(np.unique(y)) < 2:
            lacking = "no frame inside a labelled trick" if not y.any() else "no frame outside the labelled tricks"
            raise UserError(f"There is {lacking} to learn from: label tricks, and leave footage without them between.")
        x[:, np.isnan(x).all(axis=0)] = 0.0  # boosting cannot bin a column without a value, such as silent footage has
        estimator = _estimator(settings)
        with _one_thread():
            estimator.fit(x, y)
        made_with = {name: version(name) for name in ("scikit-learn", "skops", "numpy")}
        rate = float(np.nanmedian([sampling_rate(example.table) for example in examples]))
        known = {"sampling_rate": rate, "videos": [e.name for e in examples], "versions": made_with, **(meta or {})}
        return cls(estimator, settings, events or EventSettings(), columns, known)

    def predict_proba(self, table: pd.DataFrame) -> NDArray[np.float64]:
        """See :class:`Detector`.

        Raises:
            UserError: the footage lacks features that the detector was trained with.
        """
        matrix, columns = features(table, self.settings.feature_set)
        if columns != self.columns:
            raise UserError("This model was trained with other features than this version makes: train it again.")
        usable = usable_rows(table, self.settings.feature_set)
        probability = np.full(len(table), np.nan)
        if usable.any():
            probability[usable] = self._judge(matrix[usable])[:, 1]
        return probability

    def warnings_for(self, table: pd.DataFrame, pose: str) -> list[str]:
        """In which ways footage differs from what the detector was made for, each in a sentence."""
        found = []
        rate, trained = sampling_rate(table), float(self.meta["sampling_rate"])
        if max(rate / trained, trained / rate) > _RATE_TOLERANCE:
            found.append(
                f"The model was trained at {trained:.1f} sampled frames a second, this footage has {rate:.1f}: "
                "change the stride."
            )
        backend = self.meta.get("pose", pose)
        if backend.split("-")[0] != pose.split("-")[0]:
            found.append(
                f"The model was trained on poses of {backend}, these are of {pose}: expect it to be less sure."
            )
        return found

    def save(self, path: Path) -> None:
        """Write the bundle.

        Raises:
            UserError: the folder cannot be written to.
        """
        import skops.io

        about = _About(
            bundle=_BUNDLE_VERSION, settings=self.settings, events=self.events, columns=self.columns, meta=self.meta
        )
        content = {"estimator": self.estimator, "about": about.model_dump_json()}
        with atomic_path(path) as temporary:
            skops.io.dump(content, temporary, compression=zipfile.ZIP_DEFLATED)

    @classmethod
    def load(cls, path: Path) -> TrickDetector:
        """Open a bundle without running anything in it.

        Raises:
            UserError: not a bundle, of a newer version, or holding anything but the known parts of a detector.
        """
        import skops.io

        if not path.is_file():
            raise UserError(f"{path} does not exist: give the path of a model that trickline train wrote.")
        try:
            foreign = set(skops.io.get_untrusted_types(file=path)) - set(_TRUSTED)
            if foreign:
                raise UserError(
                    f"{path.name} holds {sorted(foreign)[0]}, which no Trickline model does: do not use it."
                )
            content = skops.io.load(path, trusted=list(_TRUSTED))
            if json.loads(content["about"])["bundle"] != _BUNDLE_VERSION:
                raise UserError(f"{path.name} was made by another version of Trickline: train it again.")
            about = _About.model_validate_json(content["about"])
            detector = cls(content["estimator"], about.settings, about.events, about.columns, about.meta)
            detector._check()
        except OSError as error:
            raise UserError(f"{path} cannot be read ({error.strerror}): check its permissions.") from error
        except _BROKEN as error:
            raise UserError(f"{path.name} is not a Trickline model: use a file that trickline train wrote.") from error
        return detector

    def _judge(self, matrix: NDArray[np.float32]) -> NDArray[np.float64]:
        with _one_thread():
            return np.asarray(self.estimator.predict_proba(matrix))

    def _check(self) -> None:
        """Raises ValueError, or whatever the estimator raises, if it is not one that can judge frames."""
        judged = self._judge(np.full((1, len(self.columns)), np.nan, np.float32))
        if judged.shape != (1, 2) or not float(self.meta["sampling_rate"]) > 0:
            raise ValueError("not a detector of tricks")


def positive_rows(example: Example, min_overlap_frames: int) -> NDArray[np.bool_]:
    """Which sampled frames belong to a trick, shape ``(n,)``: so many of the decoded frames each stands for are inside.

    A frame that stands for fewer than ``min_overlap_frames`` must lie inside with all of them.
    """
    inside = np.concatenate([[0], np.cumsum(frame_mask(example.truth, example.n_frames))])
    frame = example.table["frame"].to_numpy()
    until = np.append(frame[1:], example.n_frames)
    shared = inside[until] - inside[frame]
    return np.asarray(shared >= np.minimum(min_overlap_frames, until - frame))


def sampling_rate(table: pd.DataFrame) -> float:
    """Sampled frames a second."""
    if len(table) < 2:
        return float("nan")
    return float(1.0 / np.median(np.diff(table["time_s"].to_numpy())))


def _one_thread() -> Any:
    """The threads of boosting and of linear algebra spin while they wait: where the cores are busy they make training
    on a session ten times slower. One thread also gives the same bits on every machine."""
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    return threadpool_limits(1)


def _estimator(settings: TrainSettings) -> Any:
    from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
    from sklearn.impute import SimpleImputer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    if settings.model == "rf":
        return RandomForestClassifier(
            settings.trees, class_weight="balanced", random_state=settings.seed, n_jobs=1, min_samples_leaf=2
        )
    if settings.model == "gb":
        return HistGradientBoostingClassifier(class_weight="balanced", random_state=settings.seed, early_stopping=False)
    return make_pipeline(
        SimpleImputer(strategy="median"),
        StandardScaler(),
        LogisticRegression(class_weight="balanced", max_iter=2000, random_state=settings.seed),
    )
