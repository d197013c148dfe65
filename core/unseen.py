"""What a recipe makes of footage that it has not seen, and which signals it leans on there.

    >>> made = unseen([labelled], TrainSettings())                                # doctest: +SKIP
    >>> made.probabilities[0], made.importance[0]                                 # doctest: +SKIP
    (array([0.01, ...]), Importance(title='height of the feet', drop=0.63))

A model knows the footage that it was trained on by heart; its threshold is to be tuned on these probabilities instead.

Importance is by permutation (Breiman, Random Forests, Machine Learning 45, 2001): how much average precision is lost
when the features of one signal are mixed up among the frames. All of a signal's features are mixed up together, since
each stands in for the others. Unlike a forest's own impurity it means the same for every estimator.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass
from hashlib import blake2b
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from core.atomic import atomic_path
from core.detector import TrickDetector
from core.features import features, usable_rows
from core.lessons import positive_rows
from core.settings import TrainSettings
from core.validate import Labelled, left_out
from core.workspace import Workspace

SIGNALS = {
    "height of the feet": ("hop_ankle", "hop_ankle_slow", "hop_feet", "feet", "both_feet_hop"),
    "height of the hips": ("hop_hip", "hips"),
    "height of the shoulders": ("shoulders",),
    "height of the head": ("head",),
    "speed of the feet": ("ankle_vy", "ankle_ay", "feet_speed", "feet_push", "feet_along", "lower_foot_speed"),
    "speed of the hips": ("hip_vy", "hip_ay", "hips_speed", "hips_push", "hips_along"),
    "speed of the shoulders": ("shoulder_vy", "shoulders_speed"),
    "speed of the head": ("head_speed",),
    "stretch of the legs": ("leg_extension", "leg_len"),
    "stretch of the torso": ("torso",),
    "lean of the body": ("tilt",),
    "distance between the feet": ("stance",),
    "tuck ratio": ("tuck_ratio",),
    "size of the skater": ("torso_len", "box_area"),
    "place in the picture": ("box_cx", "box_cy", "hip_y", "shoulder_y", "ankle_y"),
    "sound": ("audio_onset",),
}
"""Plain names, and how the features that go by each begin: columns of the signals' table, and signals of
:mod:`core.kinematics`."""
SURENESS = "sureness of the pose"
"""All the rest: how sure the pose network was of the person and of each joint, and how often it saw him."""
_REPEATS = 2
_TITLES = {name: title for title, names in SIGNALS.items() for name in names}


@dataclass(frozen=True)
class Importance:
    """One signal's part in the decisions."""

    title: str
    """A key of ``SIGNALS``, or ``SURENESS``."""
    drop: float
    """Average precision lost when it is mixed up, at most 1; at or below 0 it is not needed."""


@dataclass(frozen=True, eq=False)
class Unseen:
    """What detectors made of footage that they had not seen."""

    probabilities: tuple[NDArray[np.float64], ...]
    """For each video as :func:`core.validate.left_out`."""
    importance: tuple[Importance, ...]
    """The most important signal first; empty if no trick could be judged."""


def signal_of(feature: str) -> str:
    """The plain name of the signal that a feature of :func:`core.features.features` is made of."""
    names = [name for name in _TITLES if feature == name or feature.startswith(f"{name}_")]
    return _TITLES[max(names, key=len)] if names else SURENESS


def unseen(videos: Sequence[Labelled], recipe: TrainSettings) -> Unseen | None:
    """Judge each stretch by a detector that was trained without it; None where whatever is left does not teach what a
    trick is.

    Raises:
        UserError: too few tricks or videos to leave one out.
    """
    positive = {id(video.example.table): positive_rows(video.example, recipe.min_overlap_frames) for video in videos}
    mixer = _Mixer(recipe)

    def watch(detector: TrickDetector, table: pd.DataFrame, rows: NDArray[np.bool_]) -> None:
        judged = rows & usable_rows(table, recipe.feature_set)
        if judged.any():
            mixer.judge(detector, table, judged, positive[id(table)])

    probabilities = left_out(videos, recipe, watch)
    return Unseen(tuple(probabilities), mixer.importance()) if probabilities is not None else None


def kept_unseen(
    workspace: Workspace,
    model_id: str,
    recipe: TrainSettings,
    videos: Mapping[str, Labelled],
    made: Unseen | None = None,
) -> Unseen | None:
    """The same for the videos that a model was trained on, from the workspace if it is there, and kept there else.

    Labels that were changed after the training change nothing: no detector has seen what is labelled within the stretch
    that it judges.

    Args:
        videos: all that the model was trained on, by content id.
        made: of these videos, where the training has worked it out already: it is kept.

    Raises:
        UserError: as :func:`unseen`.
    """
    tables = [video.example.table for video in videos.values()]
    key = {"model": model_id, "measured": [_digest(table) for table in tables]}
    paths = [workspace.artifact(content, "unseen", key, "parquet") for content in videos]
    if all(path.exists() for path in paths):
        read = [pd.read_parquet(path) for path in paths]
        importance = tuple(Importance(title, drop) for title, drop in read[0].attrs["importance"])
        return Unseen(tuple(one["probability"].to_numpy() for one in read), importance)
    made = made or unseen(list(videos.values()), recipe)
    if made is not None:
        for path, probability in zip(paths, made.probabilities, strict=True):
            _write(path, probability, made.importance)
    return made


class _Mixer:
    """Gathers what the detectors make of whole and of mixed-up features."""

    def __init__(self, recipe: TrainSettings) -> None:
        self._recipe = recipe
        self._rng = np.random.default_rng(recipe.seed)
        self._answers: list[NDArray[np.bool_]] = []
        self._whole: list[NDArray[np.float64]] = []
        self._mixed: dict[str, list[list[NDArray[np.float64]]]] = {}

    def judge(
        self,
        detector: TrickDetector,
        table: pd.DataFrame,
        rows: NDArray[np.bool_],
        positive: NDArray[np.bool_],
    ) -> None:
        from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

        matrix, columns = features(table, self._recipe.feature_set)
        matrix = matrix[rows]
        titles = np.array([signal_of(column) for column in columns])
        self._answers.append(positive[rows])
        with threadpool_limits(1):
            self._whole.append(detector.estimator.predict_proba(matrix)[:, 1])
            for title in dict.fromkeys(titles.tolist()):
                own = np.flatnonzero(titles == title)
                repeats = self._mixed.setdefault(title, [[] for _ in range(_REPEATS)])
                for judged in repeats:
                    mixed = matrix.copy()
                    mixed[:, own] = matrix[np.ix_(self._rng.permutation(len(matrix)), own)]
                    judged.append(detector.estimator.predict_proba(mixed)[:, 1])

    def importance(self) -> tuple[Importance, ...]:
        from sklearn.metrics import average_precision_score

        if not any(answer.any() for answer in self._answers):
            return ()
        answer = np.concatenate(self._answers)
        whole = average_precision_score(answer, np.concatenate(self._whole))
        parts = [
            Importance(
                title,
                float(whole - np.mean([average_precision_score(answer, np.concatenate(judged)) for judged in repeats])),
            )
            for title, repeats in self._mixed.items()
        ]
        return tuple(sorted(parts, key=lambda part: -part.drop))


def _write(path: Path, probability: NDArray[np.float64], importance: tuple[Importance, ...]) -> None:
    frame = pd.DataFrame({"probability": probability})
    frame.attrs["importance"] = [astuple(part) for part in importance]
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_path(path) as temporary:
        frame.to_parquet(temporary)


def _digest(table: pd.DataFrame) -> str:
    """Of everything that was measured."""
    return blake2b(pd.util.hash_pandas_object(table, index=False).to_numpy().tobytes(), digest_size=8).hexdigest()
