"""How good a detector would be on unseen footage. A figure that is too good sends people into the street with a bad
model, so most tests here are about what must not be seen."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from core.detector import Example, TrickDetector, positive_rows
from core.errors import UserError
from core.features import REACH_S
from core.intervals import Interval
from core.settings import EventSettings, TrainSettings
from core.validate import ORIGINAL, Labelled, compare, report
from tests.skater import table, tricks

FPS = 15
SECONDS = 38.0
JUMPS_S = (6.0, 19.0, 32.0)
QUICK = TrainSettings(model="logreg")


def session(jumps_s: Sequence[float] = JUMPS_S, seconds: float = SECONDS, stride: int = 1) -> Labelled:
    """A labelled video whose sampled frames come 15 times a second."""
    footage = table(FPS, jumps_s, seconds, stride=stride)
    n_frames = stride * len(footage)
    return Labelled(Example(footage, tricks(FPS, jumps_s, stride), n_frames), np.arange(n_frames) / (FPS * stride))


def changed(video: Labelled, footage: pd.DataFrame) -> Labelled:
    return Labelled(Example(footage, video.example.truth, video.example.n_frames), video.pts_s)


@dataclass
class Spy:
    """Every training and every look of the detectors."""

    trained: list[tuple[TrainSettings, list[NDArray[np.bool_]]]] = field(default_factory=list)
    looked: list[int] = field(default_factory=list)
    """Rows of each table that was looked at."""

    def rows(self, recipe: str) -> list[list[NDArray[np.bool_]]]:
        """For each training with this feature set, the rows of each video that were used."""
        return [rows for settings, rows in self.trained if settings.feature_set == recipe]


@pytest.fixture
def spy(monkeypatch: pytest.MonkeyPatch) -> Iterator[Spy]:
    noted = Spy()
    fit, predict = TrickDetector.fit, TrickDetector.predict_proba

    def watched_fit(
        examples: Sequence[Example], settings: TrainSettings, *, rows: Sequence[NDArray[np.bool_]], **more: Any
    ) -> TrickDetector:
        noted.trained.append((settings, list(rows)))
        return fit(examples, settings, rows=rows, **more)

    def watched_predict(self: TrickDetector, footage: pd.DataFrame) -> NDArray[np.float64]:
        noted.looked.append(len(footage))
        return predict(self, footage)

    monkeypatch.setattr(TrickDetector, "fit", staticmethod(watched_fit))
    monkeypatch.setattr(TrickDetector, "predict_proba", watched_predict)
    return iter([noted]).__next__() if False else noted  # type: ignore[return-value]


# Rows of the table


def test_one_video_is_left_out_trick_by_trick() -> None:
    outcomes = compare([session()], QUICK)
    assert list(outcomes) == [
        "starter, untrained",
        "motion logreg, leave one trick out",
        "original's recipe, leave one trick out",
        "motion logreg, last 20%",
        "original's recipe, last 20%",
    ]
    whole, late = outcomes["motion logreg, leave one trick out"], outcomes["motion logreg, last 20%"]
    assert (whole.events.by_tiou[0.3].found, whole.events.by_tiou[0.3].wrong) == (3, 0)
    assert whole.frames.n_frames == len(session().example.table)
    assert (late.events.by_tiou[0.3].found, late.events.by_tiou[0.3].missed) == (1, 0)
    assert late.frames.n_frames == 114
    assert outcomes["starter, untrained"].events.by_tiou[0.1].found == 3


def test_several_videos_are_left_out_one_by_one() -> None:
    videos = [session(), session((5.0, 14.0), 20.0)]
    outcomes = compare(videos, QUICK)
    assert list(outcomes) == [
        "starter, untrained",
        "motion logreg, leave one video out",
        "original's recipe, leave one video out",
        "motion logreg, last 20%",
        "original's recipe, last 20%",
    ]
    whole = outcomes["motion logreg, leave one video out"]
    assert whole.events.by_tiou[0.3].found == 5
    assert whole.events.minutes == pytest.approx((38 + 20) / 60)
    assert whole.frames.n_positive == sum(int(positive_rows(v.example, 1).sum()) for v in videos)
