"""Detectors: from signals to the probability of a trick in each sampled frame.

``TrickDetector`` is trained; :func:`starter` is one that was trained on many skaters and comes with Trickline.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from core import bundles
from core.ensemble import Ensemble
from core.errors import UserError
from core.features import features, usable_rows
from core.hop_rule import HopRule
from core.intervals import from_mask
from core.lessons import Example, Lesson, lessons_of, sampling_rate
from core.settings import EventSettings, TrainSettings

PLAYBACKS = (1.0, 1.5, 2.25, 3.4, 5.0)
"""How many times faster the footage is looked at, in turn: slow motion is found at the rate that undoes it."""
_FOUND = 0.66  # by which a playback has found something, in the probabilities of one playback
_APART_S = 0.5  # what a faster playback finds nearer than this to what a slower one has found is the same trick
_LONGER = 1.3  # how many times longer it has to be to give the bounds
_NEARLY = 0.3
_MISJUDGED = 1.0
"""By how much the log odds of another camera's moments are usually off."""
STARTER = Path(__file__).parent / "starter" / "starter.npz"
_RATE_TOLERANCE = 1.5


class Detector(Protocol):
    """What finds tricks."""

    events: EventSettings

    def predict_proba(self, table: pd.DataFrame) -> NDArray[np.float64]:
        """Probability of a trick in each row of :attr:`core.metrics.Signals.table`: shape ``(n,)``, NaN where it
        cannot tell."""


class TrickDetector:
    """A trained detector and all that is needed to use it again.

    Args:
        estimator: a fitted scikit-learn classifier, or an :class:`core.ensemble.Ensemble`.
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
        if settings.model == "adapted":
            base = starter()
            if not isinstance(base, TrickDetector):
                raise UserError("The starter's file is missing, so it cannot be adapted: reinstall Trickline.")
            return base.adapted(examples, settings, events, rows, meta)
        lessons = [
            lesson
            for number, example in enumerate(examples)
            for lesson in lessons_of(example, settings, None if rows is None else rows[number])
        ]
        rate = float(np.nanmedian([sampling_rate(example.table) for example in examples]))
        known = {"sampling_rate": rate, "videos": [e.name for e in examples], **(meta or {})}
        return cls.taught(lessons, settings, events, known)

    @classmethod
    def taught(
        cls,
        lessons: Sequence[Lesson],
        settings: TrainSettings,
        events: EventSettings | None,
        meta: dict[str, Any],
    ) -> TrickDetector:
        """As :meth:`fit`, from what :func:`core.lessons.lessons_of` made of the videos.

        Raises:
            UserError: as :meth:`fit`.
        """
        x, y = np.concatenate([lesson.x for lesson in lessons]), np.concatenate([lesson.y for lesson in lessons])
        if len(np.unique(y)) < 2:
            lacking = "no frame inside a labelled trick" if not y.any() else "no frame outside the labelled tricks"
            raise UserError(f"There is {lacking} to learn from: label tricks, and leave footage without them between.")
        weight = np.concatenate([np.full(len(lesson.y), lesson.weight) for lesson in lessons])
        with _one_thread():
            estimator = _fitted(settings, x, y, weight)
        return cls(estimator, settings, events or EventSettings(), lessons[0].columns, {**meta, **_made_with()})

    def adapted(
        self,
        examples: Sequence[Example],
        settings: TrainSettings,
        events: EventSettings | None = None,
        rows: Sequence[NDArray[np.bool_]] | None = None,
        meta: dict[str, Any] | None = None,
    ) -> TrickDetector:
        """This one, which is an ensemble, as sure as is right for other footage.

        What a trick looks like it knows; what another camera changes is how sure it is of one. So one number is
        learnt, by how much the log odds are off: each known moment counts once, by its highest probability, and the
        threshold is held to be even odds that it is a trick. A Gaussian prior holds the number to nothing
        (:data:`_MISJUDGED`), so that one kind of moment alone will do. Fitting the last layer to the frames instead
        lowered F1 on footage of other cameras.

        Args:
            examples: as for :meth:`fit`; so are ``events``, ``rows`` and ``meta``.

        Raises:
            UserError: nothing is known.
        """
        odds, tricks = [], []
        for number, example in enumerate(examples):
            known = example.known_rows() & (True if rows is None else rows[number])
            found, true = _moments(example, self.predict_proba(example.table), known)
            odds.append(found)
            tricks.append(true)
        if not any(map(len, odds)):
            raise UserError("There is no moment to learn from: label or review some tricks first.")
        even = _log_odds(np.array(self.events.default_threshold))
        shift = _shift(np.concatenate(odds) - even, np.concatenate(tricks))
        known_of = {**self.meta, "videos": [example.name for example in examples], **(meta or {}), **_made_with()}
        return TrickDetector(self.estimator.shifted(shift), settings, events or self.events, self.columns, known_of)

    def predict_proba(self, table: pd.DataFrame) -> NDArray[np.float64]:
        """See :class:`Detector`.

        Raises:
            UserError: the footage lacks features that the detector was trained with.
        """
        usable = usable_rows(table, self.settings.feature_set)
        probability = self._at_playback(table, usable, 1.0)
        if self.settings.feature_set == "kinematics":
            for playback in PLAYBACKS[1:]:
                probability = _with_slower(
                    probability, self._at_playback(table, usable, playback), table["time_s"].to_numpy()
                )
        return probability

    def warnings_for(self, table: pd.DataFrame, pose: str) -> list[str]:
        """In which ways footage differs from what the detector was made for, each in a sentence."""
        found = []
        rate, trained = sampling_rate(table), float(self.meta["sampling_rate"])
        even = self.settings.feature_set == "kinematics"  # made on a clock of their own
        if not even and max(rate / trained, trained / rate) > _RATE_TOLERANCE:
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
        about = bundles.About(settings=self.settings, events=self.events, columns=self.columns, meta=self.meta)
        bundles.write(path, self.estimator, about)

    @classmethod
    def load(cls, path: Path) -> TrickDetector:
        """Open a bundle without running anything in it.

        Raises:
            UserError: not a bundle, of a newer version, or holding anything but the known parts of a detector.
        """
        with bundles.opened(path) as (estimator, about):
            detector = cls(estimator, about.settings, about.events, about.columns, about.meta)
            detector._check()
        return detector

    def _at_playback(self, table: pd.DataFrame, usable: NDArray[np.bool_], playback: float) -> NDArray[np.float64]:
        matrix, columns = features(table, self.settings.feature_set, playback)
        if columns != self.columns:
            raise UserError("This model was trained with other features than this version makes: train it again.")
        probability = np.full(len(table), np.nan)
        if usable.any():
            probability[usable] = self._judge(matrix[usable])[:, 1]
        return probability

    def _judge(self, matrix: NDArray[np.float32]) -> NDArray[np.float64]:
        with _one_thread():
            return np.asarray(self.estimator.predict_proba(matrix))

    def _check(self) -> None:
        """Raises ValueError, or whatever the estimator raises, if it is not one that can judge frames."""
        judged = self._judge(np.full((1, len(self.columns)), np.nan, np.float32))
        if judged.shape != (1, 2) or not float(self.meta["sampling_rate"]) > 0:
            raise ValueError("not a detector of tricks")


@cache
def starter() -> Detector:
    """The detector that comes with Trickline, trained on many skaters; the rule of hops where its file is missing."""
    return TrickDetector.load(STARTER) if STARTER.exists() else HopRule()


def _with_slower(
    probability: NDArray[np.float64], played: NDArray[np.float64], time_s: NDArray[np.float64]
) -> NDArray[np.float64]:
    """With what is found at a faster playback alone.

    Of slow motion a slower playback often finds the middle only: where a faster one is as sure of far more around it,
    it gives the bounds, but no more confidence. On composed sessions of unseen scenes F1 at tIoU 0.5 rose by it from
    0.92 to 0.95, of slow motion from 0.52 to 0.89.
    """
    made = probability.copy()
    known, faster = np.nan_to_num(probability), np.nan_to_num(played)
    found = from_mask(known >= _FOUND)
    begins, ends = (np.array([getattr(run, edge) for run in found], np.int64) for edge in ("start_frame", "end_frame"))
    for run in from_mask(faster >= _FOUND):
        rows = slice(run.start_frame, run.end_frame + 1)
        near = slice(
            int(np.searchsorted(time_s[ends], time_s[run.start_frame] - _APART_S)),
            int(np.searchsorted(time_s[begins], time_s[run.end_frame] + _APART_S, side="right")),
        )
        if near.start == near.stop:
            made[rows] = np.fmax(made[rows], played[rows])
            continue
        within = slice(
            int(np.searchsorted(ends, run.start_frame)), int(np.searchsorted(begins, run.end_frame, side="right"))
        )
        if within.start == within.stop:
            continue
        contained = begins[within.start] >= run.start_frame - 1 and ends[within.stop - 1] <= run.end_frame + 1
        longer = run.frames >= _LONGER * (ends[within] - begins[within] + 1).sum()
        peak = known[rows].max()
        if contained and longer and faster[rows].max() >= peak:
            made[rows] = np.fmax(made[rows], np.minimum(played[rows], peak))
    return made


def _one_thread() -> Any:
    """The threads of boosting and of linear algebra spin while they wait: where the cores are busy they make training
    on a session ten times slower. One thread also gives the same bits on every machine."""
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    return threadpool_limits(1)


def _moments(
    example: Example, probability: NDArray[np.float64], known: NDArray[np.bool_]
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """The log odds at the height of each known moment, and whether it is a trick: shape ``(k,)``, in no order. Moments
    are the tricks that are known, and what was found, or nearly, where it is known that there is none."""
    frame, sure = example.table["frame"].to_numpy(), np.where(known, np.nan_to_num(probability), 0.0)
    tricks = [(frame >= trick.start_frame) & (frame <= trick.end_frame) for trick in example.truth]
    inside = np.any(tricks, axis=0) if tricks else np.zeros(len(frame), bool)
    found = [slice(run.start_frame, run.end_frame + 1) for run in from_mask(sure >= _NEARLY)]
    right = [sure[rows].max() for rows in tricks if (rows & known).any()]
    wrong = [sure[rows].max() for rows in found if not inside[rows].any()]
    return _log_odds(np.array([*right, *wrong])), np.repeat([True, False], [len(right), len(wrong)])


def _log_odds(probability: NDArray[np.float64]) -> NDArray[np.float64]:
    sure = np.clip(probability, 1e-4, 1 - 1e-4)
    return np.asarray(np.log(sure) - np.log1p(-sure))


def _shift(odds: NDArray[np.float64], tricks: NDArray[np.bool_]) -> float:
    """By how much these log odds are too low, by likelihood and prior together."""
    from scipy.optimize import minimize_scalar

    sign = np.where(tricks, 1.0, -1.0)

    def loss(shift: float) -> float:
        return float(np.logaddexp(0, -sign * (odds + shift)).sum() + shift**2 / (2 * _MISJUDGED**2))

    return float(minimize_scalar(loss, bounds=(-8, 8), method="bounded").x)


def _made_with() -> dict[str, Any]:
    return {"versions": {name: version(name) for name in ("scikit-learn", "skops", "numpy")}}


def _fitted(settings: TrainSettings, x: NDArray[np.float32], y: NDArray[np.bool_], weight: NDArray[np.float64]) -> Any:
    """The estimator that the settings ask for, trained."""
    if settings.model == "ensemble":
        rarer = 0.5 * weight[~y].sum() / weight[y].sum()  # so that tricks make up a third
        return Ensemble.fit(x, y, np.where(y, rarer, 1.0) * weight, settings.seed)
    x[:, np.isnan(x).all(axis=0)] = 0.0  # boosting cannot bin a column without a value, such as silent footage has
    return _estimator(settings).fit(x, y)


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
