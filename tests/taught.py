"""Detectors that were shown the drawn skater."""

from __future__ import annotations

from functools import cache
from typing import get_args

import pandas as pd

from core.detector import TrickDetector
from core.lessons import Example
from core.settings import EventSettings, FeatureSet, ModelKind, TrainSettings
from tests.skater import table, tricks

MODELS: tuple[ModelKind, ...] = get_args(ModelKind)


def settings(model: ModelKind = "rf", feature_set: FeatureSet | None = None, **more: int) -> TrainSettings:
    feature_set = feature_set or ("kinematics" if model in {"ensemble", "adapted"} else "motion")
    return TrainSettings.model_validate({"model": model, "feature_set": feature_set, "trees": 20, **more})


def example(footage: pd.DataFrame) -> Example:
    return Example(footage, tricks(), len(footage), "monday")


@cache
def taught(model: ModelKind) -> TrickDetector:
    """Trained once for all tests: they only read it."""
    events = EventSettings(default_threshold=0.4, max_gap_frames=3)
    return TrickDetector.fit([example(table(15))], settings(model), events, meta={"pose": "movenet-256"})
