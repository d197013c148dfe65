"""What a run's config says: every knob, flat and under the original's names, and the settings as they are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from core import __version__
from core.detector import TrickDetector, starter
from core.settings import EventSettings, RunSettings


def knobs(settings: RunSettings, model: Path | None = None, *, trains: bool = False) -> dict[str, Any]:
    """The config of a run.

    Args:
        settings: what was asked for.
        model: the detector's bundle that finds; without one the starter does.
        trains: whether a detector is trained in the run, which then finds by the default event settings.

    Raises:
        UserError: the model is missing or damaged.
    """
    events = EventSettings() if trains else (TrickDetector.load(model) if model else starter()).events
    if settings.threshold is not None:
        events = events.model_copy(update={"default_threshold": settings.threshold})
    trained = settings.train
    return {
        "sample_stride": settings.pose.sample_stride,
        **settings.guardrails.model_dump(),
        **events.model_dump(),
        "threshold": events.default_threshold,
        "merge_gap_s": settings.clips.merge_gap_s,
        "clip_padding_s": settings.clips.clip_padding_s,
        "feature_set": trained.feature_set,
        "model": trained.model,
        "rf_estimators": trained.trees,
        "seed": trained.seed,
        "test_frac": trained.test_frac,
        "min_overlap_frames": trained.min_overlap_frames,
        "pose_backend": settings.pose.backend,
        "trickline": {"version": __version__, **settings.model_dump(mode="json"), "events": events.model_dump()},
    }
