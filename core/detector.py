"""Detectors: from signals to the probability of a trick in each sampled frame.

``HopRule`` knows nothing but hops. ``TrickDetector`` is trained; :func:`starter` is one that was trained on many
skaters and comes with Trickline. Bundles are data and never run code when they are opened: a network is kept as NumPy
arrays, scikit-learn's estimators as a skops file (https://skops.readthedocs.io); a pickle is refused.
"""

from __future__ import annotations

import json
import tokenize
import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from core.atomic import atomic_path
from core.errors import UserError
from core.features import features, usable_rows
from core.intervals import Interval, frame_mask, from_mask
from core.metrics import hop, with_amplitude
from core.network import Network
from core.settings import EventSettings, Settings, TrainSettings

HOP_TORSOS = 0.5
"""A hop of half a torso length has probability 0.5. On the reference session tricks hop 1.0 and more, pushing up to
0.47; at this setting 127 of 133 clips of unseen skaters hold a hop."""
HIGHER_AND_LOWER = ((0.5, 0.7, 1.0, 1.4, 2.0), (0.5, 0.7, 1.0))
"""Factors by which the motion of frames in tricks, and of frames outside, is repeated in training. A lower jump is
still a jump and a softer push still a push; without this a forest that has seen two tricks takes the height of the
lower one for the limit. Leave-one-trick-out on the reference session: 1 of 3 found without, 3 of 3 with, none wrong."""
PLAYBACKS = (1.0, 1.5, 2.25, 3.4, 5.0)
"""How many times faster the footage is looked at, in turn: slow motion is found at the rate that undoes it."""
_TAUGHT_AT = (0.8, 1.0, 1.6, 2.5, 4.0)
"""At which rates footage without tricks teaches, so that a stroll played fast is not taken for a trick."""
_ORDINARY_S = (0.12, 0.75, 1.0)
"""A trick teaches at rates at which it lasts no shorter than the first and no longer than the last; at other rates than
1 only if it is in slow motion, which is longer than the second."""
_APART_S = 0.5
_MOMENTS_A_SECOND = 2.0  # a trick lasts half a second
STARTER = Path(__file__).parent / "starter" / "starter.npz"
_EDGE = 0.3  # the part of its height at which a hop begins and ends
_RATE_TOLERANCE = 1.5
_BUNDLE_VERSION = 1
_LARGEST_NETWORK = 50_000_000
"""Bytes of a network's arrays, unpacked, hundreds of times the starter's: a small file could unpack to more than fits
into memory."""
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
        return np.asarray(frame_mask(self.known, self.n_frames)[self.table["frame"].to_numpy()])


@dataclass(frozen=True, eq=False)
class Lesson:
    """Rows to learn from."""

    x: NDArray[np.float32]
    y: NDArray[np.bool_]
    columns: tuple[str, ...]
    rate: float
    """Rows a second."""


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
        """As :meth:`fit`, from what :func:`lessons_of` made of the videos.

        Raises:
            UserError: as :meth:`fit`.
        """
        x, y = np.concatenate([lesson.x for lesson in lessons]), np.concatenate([lesson.y for lesson in lessons])
        adapted = settings.model == "adapted"
        if len(np.unique(y)) < 2 and not (adapted and len(y)):  # an adapted one knows already what a trick is
            lacking = "no frame inside a labelled trick" if not y.any() else "no frame outside the labelled tricks"
            raise UserError(f"There is {lacking} to learn from: label tricks, and leave footage without them between.")
        seconds = np.concatenate([np.full(len(lesson.y), 1 / lesson.rate) for lesson in lessons])
        columns = lessons[0].columns
        with _one_thread():
            estimator = _fitted(settings, x, y, seconds)
        made_with = {name: version(name) for name in ("scikit-learn", "skops", "numpy")}
        usual = starter().events if adapted else EventSettings()
        return cls(estimator, settings, events or usual, columns, {**meta, "versions": made_with})

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
        about = _About(
            bundle=_BUNDLE_VERSION, settings=self.settings, events=self.events, columns=self.columns, meta=self.meta
        ).model_dump_json()
        with atomic_path(path) as temporary:
            if isinstance(self.estimator, Network):
                arrays: dict[str, Any] = self.estimator.arrays()
                with temporary.open("wb") as file:  # given a name, NumPy would add an ending to it
                    np.savez_compressed(file, about=np.array(about), **arrays)
            else:
                import skops.io

                content = {"estimator": self.estimator, "about": about}
                skops.io.dump(content, temporary, compression=zipfile.ZIP_DEFLATED)

    @classmethod
    def load(cls, path: Path) -> TrickDetector:
        """Open a bundle without running anything in it.

        Raises:
            UserError: not a bundle, of a newer version, or holding anything but the known parts of a detector.
        """
        if not path.is_file():
            raise UserError(f"{path} does not exist: give the path of a model that trickline train wrote.")
        try:
            content = _network_bundle(path) or _skops_bundle(path)
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


def lessons_of(example: Example, settings: TrainSettings, rows: NDArray[np.bool_] | None = None) -> list[Lesson]:
    """What one video teaches, also with its movements higher, lower, faster and slower where that is no less true.

    Args:
        rows: which sampled frames may be used, shape ``(n,)``.
    """
    positive = positive_rows(example, settings.min_overlap_frames)
    usable = usable_rows(example.table, settings.feature_set) & example.known_rows()
    if rows is not None:
        usable = usable & rows
    rate = sampling_rate(example.table)
    if settings.feature_set != "kinematics":
        inside, outside = HIGHER_AND_LOWER if settings.feature_set == "motion" else ((1.0,), (1.0,))
        made = []
        for factor in sorted({*inside, *outside}):
            matrix, columns = features(with_amplitude(example.table, factor), settings.feature_set)
            wanted = usable & ((positive & (factor in inside)) | (~positive & (factor in outside)))
            made.append(Lesson(matrix[wanted], positive[wanted], columns, rate))
        return made
    pairs = [(1.0, 1.0)] if settings.model == "adapted" else [(1.0, r) for r in _TAUGHT_AT] + [(0.7, 1.0), (1.4, 1.0)]
    made = []
    for factor, playback in pairs:
        matrix, columns = features(with_amplitude(example.table, factor), settings.feature_set, playback)
        teaching = _teaching_rows(example, positive, playback)
        wanted = usable & (teaching if factor <= 1.0 else teaching & positive)
        if playback != 1.0:
            wanted &= positive | (np.arange(len(wanted)) % 2 == 0)  # neighbours say nearly the same
        made.append(Lesson(matrix[wanted], positive[wanted], columns, rate))
    return made


def _teaching_rows(example: Example, positive: NDArray[np.bool_], playback: float) -> NDArray[np.bool_]:
    """All rows outside tricks, and those in tricks that look like tricks at this rate."""
    frame, time_s = example.table["frame"].to_numpy(), example.table["time_s"].to_numpy()
    shortest, slow, longest = _ORDINARY_S
    rows = ~positive
    for trick in example.truth:
        inside = (frame >= trick.start_frame) & (frame <= trick.end_frame)
        if inside.any():
            lasts_s = float(np.ptp(time_s[inside])) + 1 / sampling_rate(example.table)
            if shortest <= lasts_s / playback <= longest and (playback == 1.0 or lasts_s > slow):
                rows |= inside
    return rows


def _with_slower(
    probability: NDArray[np.float64], played: NDArray[np.float64], time_s: NDArray[np.float64]
) -> NDArray[np.float64]:
    """With what is found at a faster playback alone; what a slower one has found keeps its bounds."""
    made = probability.copy()
    found_s = time_s[np.nan_to_num(probability) >= 0.5]
    for run in from_mask(np.nan_to_num(played) >= 0.5):
        first, last = run.start_frame, run.end_frame
        near = np.searchsorted(found_s, [time_s[first] - _APART_S, time_s[last] + _APART_S])
        if near[0] == near[1]:
            made[first : last + 1] = np.fmax(made[first : last + 1], played[first : last + 1])
    return made


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


def _fitted(settings: TrainSettings, x: NDArray[np.float32], y: NDArray[np.bool_], seconds: NDArray[np.float64]) -> Any:
    """The estimator that the settings ask for, trained.

    Args:
        seconds: how much footage each row stands for.
    """
    if settings.model == "adapted":
        base = starter()
        if not isinstance(base, TrickDetector):
            raise UserError("The starter's file is missing, so it cannot be adapted: reinstall Trickline.")
        return base.estimator.adapted(x, y, _MOMENTS_A_SECOND * seconds)
    if settings.model == "network":
        weight = np.where(y, 0.5 * (~y).sum() / y.sum(), 1.0)
        return Network.fit(x, y, weight, settings.seed)
    x[:, np.isnan(x).all(axis=0)] = 0.0  # boosting cannot bin a column without a value, such as silent footage has
    return _estimator(settings).fit(x, y)


def _network_bundle(path: Path) -> dict[str, Any] | None:
    """The content of a network's bundle; None if it is none."""
    if not zipfile.is_zipfile(path):
        return None
    with zipfile.ZipFile(path) as file:
        if "about.npy" not in file.namelist():
            return None
        if sum(part.file_size for part in file.infolist()) > _LARGEST_NETWORK:
            raise ValueError("too large for a network")
    with np.load(path, allow_pickle=False) as stored:
        named = {name: stored[name] for name in stored.files}
    return {"about": str(named["about"]), "estimator": Network.of_arrays(named)}


def _skops_bundle(path: Path) -> dict[str, Any]:
    import skops.io

    foreign = set(skops.io.get_untrusted_types(file=path)) - set(_TRUSTED)
    if foreign:
        raise UserError(f"{path.name} holds {sorted(foreign)[0]}, which no Trickline model does: do not use it.")
    content: dict[str, Any] = skops.io.load(path, trusted=list(_TRUSTED))
    return content


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
