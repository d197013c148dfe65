"""How good a detector would be on footage it has not seen: train on a part, look at the rest, and compare.

Beside the chosen detector stand the starter, which needs no training, and the original's recipe: tuck_ratio with its
statistics over time, a forest of 200 trees.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from core.detector import Detector, Example, TrickDetector, positive_rows, starter
from core.errors import Cancelled
from core.evaluate import EventMetrics, FrameMetrics, event_metrics, format_table, frame_metrics, pooled
from core.events import find_events
from core.features import REACH_S, usable_rows
from core.folds import Fold, fold_last_fraction, folds_by_group, folds_by_trick, out_of_fold_probability
from core.intervals import Interval, frame_mask, from_mask
from core.settings import EventSettings, TrainSettings

ORIGINAL = TrainSettings(feature_set="temporal", model="rf")
"""The original skate clip cropper's recipe, on our poses."""


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
        progress: told the fraction of the trainings done, 0 to 1.
        cancelled: asked after each training, which takes seconds.

    Raises:
        UserError: too few tricks or videos to leave one out.
        Cancelled: ``cancelled`` said so.
    """
    events = events or EventSettings()
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
    outcomes = {"starter, untrained": _outcome(videos, [_starter(v) for v in videos], events)}
    for name, recipe in recipes.items():
        unseen = _left_out(videos, recipe, folds, trained)
        if unseen:
            outcomes[f"{name}, {left_out}"] = _outcome(videos, unseen, events)
    for name, recipe in recipes.items():
        late = _last_part(videos, recipe, events)
        trained()
        if late:
            outcomes[f"{name}, last {recipe.test_frac:.0%}"] = late
    return outcomes


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
        watch: called with each of the detectors, a table, and the rows of it that the detector has not seen.

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
    usable = np.concatenate([usable_rows(example.table, recipe.feature_set) for example in examples])
    folds = [replace(fold, train=fold.train & usable) for fold in folds]

    def fit_predict(fold: Fold) -> NDArray[np.float64]:
        train, test = ([rows[a:b] for a, b in pairwise(starts)] for rows in (fold.train, fold.test))
        detector = TrickDetector.fit(examples, recipe, rows=train)
        tested = [(example.table, rows) for example, rows in zip(examples, test, strict=True) if rows.any()]
        if watch:
            for table, rows in tested:
                watch(detector, table, rows)
        return np.concatenate([detector.predict_proba(table)[rows] for table, rows in tested])

    probability = out_of_fold_probability(folds, positive, fit_predict, each_done)
    return None if np.isnan(probability).all() else [probability[a:b] for a, b in pairwise(starts)]


def _outcome(
    videos: Sequence[Labelled], probabilities: Sequence[NDArray[np.float64]], settings: EventSettings
) -> Outcome:
    per_video = []
    for video, probability in zip(videos, probabilities, strict=True):
        table = video.example.table
        found = find_events(
            table["frame"].to_numpy(), table["time_s"].to_numpy(), probability, settings, video.example.n_frames
        )
        per_video.append(event_metrics(video.example.truth, found, video.pts_s))
    positive = np.concatenate([positive_rows(video.example, 1) for video in videos])
    return Outcome(
        frame_metrics(positive, np.concatenate(probabilities), settings.default_threshold), pooled(per_video)
    )


def _last_part(videos: Sequence[Labelled], recipe: TrainSettings, settings: EventSettings) -> Outcome | None:
    """Trained on the first part of every video and judged on the last; None where the first parts do not teach what a
    trick is."""
    folds = [fold_last_fraction(len(video.example.table), recipe.test_frac) for video in videos]
    positive = [positive_rows(video.example, recipe.min_overlap_frames) for video in videos]
    train = [f.train & usable_rows(v.example.table, recipe.feature_set) for v, f in zip(videos, folds, strict=True)]
    known = np.concatenate([p[rows] for p, rows in zip(positive, train, strict=True)])
    if known.all() or not known.any():
        return None
    detector = TrickDetector.fit([video.example for video in videos], recipe, rows=train)
    judged: list[EventMetrics] = []
    truths, probabilities = [], []
    for video, fold, answer in zip(videos, folds, positive, strict=True):
        table = video.example.table
        probability = np.where(fold.test, detector.predict_proba(table), np.nan)
        frame = table["frame"].to_numpy()
        first = int(frame[fold.test][0])
        found = find_events(frame, table["time_s"].to_numpy(), probability, settings, video.example.n_frames)
        tested_s = float(video.pts_s[-1] - video.pts_s[first])
        judged.append(event_metrics(_from(video.example.truth, first), found, video.pts_s, duration_s=tested_s))
        truths.append(answer[fold.test])
        probabilities.append(probability[fold.test])
    frames = frame_metrics(np.concatenate(truths), np.concatenate(probabilities), settings.default_threshold)
    return Outcome(frames, pooled(judged))


def _from(truth: Sequence[Interval], first: int) -> list[Interval]:
    """What of the true intervals lies at or after frame ``first``."""
    if not truth:
        return []
    mask = frame_mask(truth, max(t.end_frame for t in truth) + 1)
    mask[:first] = False
    return from_mask(mask)
