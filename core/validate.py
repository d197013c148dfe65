"""How good a detector would be on footage it has not seen: train on a part, look at the rest, and compare.

Beside the chosen detector stand the starter, which was trained on other skaters, and the original's recipe: tuck_ratio
with its statistics over time, a forest of 200 trees. Where nobody knows what is a trick (:attr:`Example.known`) nothing
counts, neither as right nor as wrong.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from core.detector import Detector, TrickDetector, starter
from core.errors import Cancelled
from core.evaluate import EventMetrics, FrameMetrics, event_metrics, format_table, frame_metrics, pooled
from core.events import find_events
from core.features import REACH_S, usable_rows
from core.folds import Fold, fold_last_fraction, folds_by_group, folds_by_trick, out_of_fold_probability
from core.intervals import Interval, frame_mask, from_mask
from core.lessons import Example, positive_rows
from core.settings import EventSettings, TrainSettings

ORIGINAL = TrainSettings(feature_set="temporal", model="rf")
"""The original skate clip cropper's recipe, on our poses."""
STARTER = "starter, as it comes"
"""The name of its outcome."""


@dataclass(frozen=True)
class Outcome:
    """One detector under one protocol."""

    frames: FrameMetrics
    events: EventMetrics

    def to_json(self) -> dict[str, Any]:
        """For ``--json``."""
        return {"frames": self.frames.to_json(), "events": self.events.to_json()}


@dataclass(frozen=True)
class Labelled:
    """An example and the times of all its decoded frames."""

    example: Example
    pts_s: NDArray[np.float64]
    """Float64, shape ``(n_frames,)``."""

    @property
    def truth(self) -> list[Interval]:
        """The true tricks of which something lies where the truth is known, in order."""
        tricks = sorted(self.example.truth)
        if self.example.known is None:
            return tricks
        known = frame_mask(self.example.known, self.example.n_frames)
        return [trick for trick in tricks if known[trick.start_frame : trick.end_frame + 1].any()]

    @property
    def known_s(self) -> float | None:
        """Seconds of footage in which the truth is known; None for all of it."""
        if self.example.known is None:
            return None
        frames = int(frame_mask(self.example.known, self.example.n_frames).sum())
        return frames * float(np.median(np.diff(self.pts_s))) if len(self.pts_s) > 1 else 0.0

    def where_known(self, probability: NDArray[np.float64]) -> NDArray[np.float64]:
        """Probabilities by sampled frame, shape ``(n,)``, with NaN where the truth is not known."""
        return np.where(self.example.known_rows(), probability, np.nan)


Watch = Callable[[TrickDetector, pd.DataFrame, NDArray[np.bool_]], None]


def compare(
    videos: Sequence[Labelled],
    settings: TrainSettings,
    events: EventSettings | None = None,
    progress: Callable[[float], None] | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> dict[str, Outcome]:
    """Outcomes by name: the starter, the chosen detector and the original's recipe on footage left out of their
    training.

    One video is left out trick by trick, several are left out video by video; and, as the original did, the last 20 %
    (``test_frac``) of each video is left out once. What cannot be done with these labels has no row, and the log says
    why.

    Args:
        events: by which all are judged; else the starter by its own, which were chosen on other footage, and the others
            by :func:`usual_events`.
        progress: told the fraction of the trainings done, 0 to 1.
        cancelled: asked after each training, which takes seconds.

    Raises:
        UserError: too few tricks or videos to leave one out.
        Cancelled: ``cancelled`` said so.
    """
    folds = _folds(videos)
    recipes = {
        f"{settings.feature_set} {settings.model}": settings,
        "original's recipe": ORIGINAL.model_copy(update={"test_frac": settings.test_frac}),
    }
    trainings, done = len(recipes) * (len(folds) + 1), 0

    def trained() -> None:
        nonlocal done
        done += 1
        if cancelled and cancelled():
            raise Cancelled
        if progress:
            progress(done / trainings)

    left_out = "leave one video out" if len(videos) > 1 else "leave one trick out"
    outcomes = {STARTER: _outcome(videos, [_starter(v) for v in videos], events or starter().events)}
    for name, recipe in recipes.items():
        unseen = _left_out(videos, recipe, folds, trained)
        if unseen:
            outcomes[f"{name}, {left_out}"] = _outcome(videos, unseen, events or usual_events(recipe))
    for name, recipe in recipes.items():
        late = _last_part(videos, recipe, events or usual_events(recipe))
        trained()
        if late:
            outcomes[f"{name}, last {recipe.test_frac:.0%}"] = late
    return outcomes


def usual_events(recipe: TrainSettings) -> EventSettings:
    """The event settings of a detector for which none were chosen: an adapted one has those of the starter."""
    return starter().events if recipe.model == "adapted" else EventSettings()


def report(outcomes: dict[str, Outcome]) -> str:
    """Both tables, for the terminal."""
    return "\n\n".join(
        [
            format_table({name: outcome.events for name, outcome in outcomes.items()}),
            format_table({name: outcome.frames for name, outcome in outcomes.items()}),
        ]
    )


def _starter(video: Labelled) -> NDArray[np.float64]:
    detector: Detector = starter()
    return detector.predict_proba(video.example.table)


def _folds(videos: Sequence[Labelled]) -> list[Fold]:
    """Over the sampled frames of all videos, one video after the other."""
    tables = [video.example.table for video in videos]
    if len(videos) > 1:
        return folds_by_group(np.repeat([str(i) for i in range(len(videos))], [len(table) for table in tables]))
    time_s, frame = tables[0]["time_s"].to_numpy(), tables[0]["frame"].to_numpy()
    return folds_by_trick(time_s, videos[0].example.truth, frame, margin_s=2 * REACH_S)


def left_out(
    videos: Sequence[Labelled], recipe: TrainSettings, watch: Watch | None = None
) -> list[NDArray[np.float64]] | None:
    """Probability of each sampled frame by a detector that has not seen it: trained without its trick, or without its
    video where there are several. Settings tuned on these are not tuned to what is known by heart.

    Args:
        watch: called with each of the detectors, a table, and the rows of it that the detector has not seen and whose
            truth is known.

    Returns:
        For each video shape ``(n,)``, NaN where it cannot be told; None where whatever is left to train on does not
        teach what a trick is.

    Raises:
        UserError: too few tricks or videos to leave one out.
    """
    return _left_out(videos, recipe, _folds(videos), None, watch)


def _left_out(
    videos: Sequence[Labelled],
    recipe: TrainSettings,
    folds: Sequence[Fold],
    each_done: Callable[[], None] | None,
    watch: Watch | None = None,
) -> list[NDArray[np.float64]] | None:
    examples = [video.example for video in videos]
    starts = np.cumsum([0, *(len(example.table) for example in examples)])
    positive = np.concatenate([positive_rows(example, recipe.min_overlap_frames) for example in examples])
    usable = np.concatenate(
        [usable_rows(example.table, recipe.feature_set) & example.known_rows() for example in examples]
    )
    folds = [replace(fold, train=fold.train & usable) for fold in folds]

    def fit_predict(fold: Fold) -> NDArray[np.float64]:
        train, test = ([rows[a:b] for a, b in pairwise(starts)] for rows in (fold.train, fold.test))
        detector = TrickDetector.fit(examples, recipe, rows=train)
        tested = [(example, rows) for example, rows in zip(examples, test, strict=True) if rows.any()]
        if watch:
            for example, rows in tested:
                watch(detector, example.table, rows & example.known_rows())
        return np.concatenate([detector.predict_proba(example.table)[rows] for example, rows in tested])

    probability = out_of_fold_probability(folds, positive, fit_predict, each_done)
    return None if np.isnan(probability).all() else [probability[a:b] for a, b in pairwise(starts)]


def _outcome(
    videos: Sequence[Labelled], probabilities: Sequence[NDArray[np.float64]], settings: EventSettings
) -> Outcome:
    per_video, positive, judged = [], [], []
    for video, probability in zip(videos, probabilities, strict=True):
        table, known = video.example.table, video.example.known_rows()
        found = find_events(
            table["frame"].to_numpy(),
            table["time_s"].to_numpy(),
            video.where_known(probability),
            settings,
            video.example.n_frames,
        )
        per_video.append(event_metrics(video.truth, found, video.pts_s, video.known_s))
        positive.append(positive_rows(video.example, 1)[known])
        judged.append(probability[known])
    frames = frame_metrics(np.concatenate(positive), np.concatenate(judged), settings.default_threshold)
    return Outcome(frames, pooled(per_video))


def _last_part(videos: Sequence[Labelled], recipe: TrainSettings, settings: EventSettings) -> Outcome | None:
    """Trained on the first part of every video and judged on the last; None where the first parts do not teach what a
    trick is."""
    folds = [fold_last_fraction(len(video.example.table), recipe.test_frac) for video in videos]
    positive = [positive_rows(video.example, recipe.min_overlap_frames) for video in videos]
    known_rows = [video.example.known_rows() for video in videos]
    train = [
        fold.train & usable_rows(video.example.table, recipe.feature_set) & rows
        for video, fold, rows in zip(videos, folds, known_rows, strict=True)
    ]
    known = np.concatenate([p[rows] for p, rows in zip(positive, train, strict=True)])
    if known.all() or not known.any():
        return None
    detector = TrickDetector.fit([video.example for video in videos], recipe, rows=train)
    judged: list[EventMetrics] = []
    truths, probabilities = [], []
    for video, fold, answer, rows in zip(videos, folds, positive, known_rows, strict=True):
        table, tested = video.example.table, fold.test & rows
        probability = np.where(tested, detector.predict_proba(table), np.nan)
        frame = table["frame"].to_numpy()
        first = int(frame[fold.test][0])
        found = find_events(frame, table["time_s"].to_numpy(), probability, settings, video.example.n_frames)
        tested_s = float(video.pts_s[-1] - video.pts_s[first]) * float(rows[fold.test].mean())
        judged.append(event_metrics(_from(video.truth, first), found, video.pts_s, duration_s=tested_s))
        truths.append(answer[tested])
        probabilities.append(probability[tested])
    frames = frame_metrics(np.concatenate(truths), np.concatenate(probabilities), settings.default_threshold)
    return Outcome(frames, pooled(judged))


def _from(truth: Sequence[Interval], first: int) -> list[Interval]:
    """What of the true intervals lies at or after frame ``first``."""
    if not truth:
        return []
    mask = frame_mask(truth, max(t.end_frame for t in truth) + 1)
    mask[:first] = False
    return from_mask(mask)
