"""Precision and recall over all thresholds, as the paths of a drawing and as a table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from core.evaluate import Counts
from core.settings import EventSettings
from core.tune import Curve, Effect, Judged, effect, event_curve, frame_curve

SIDE = 300
"""Of a panel's plot, units of the drawing."""
THRESHOLDS = tuple(round(0.1 * tenth, 1) for tenth in range(1, 10))
"""Of the table."""


@dataclass(frozen=True)
class Line:
    """One detector's curve."""

    name: str
    path: str
    """Of an SVG, within ``SIDE``."""
    x: float
    """The point at the usual threshold; NaN if nothing is found there."""
    y: float
    spoken: str
    """The same for those who cannot see it."""


@dataclass(frozen=True)
class Panel:
    """One plot."""

    title: str
    lines: tuple[Line, ...]
    chance: float
    """Precision of a guess, drawn as a rule; NaN for none."""


def effects(judged: Mapping[str, Judged]) -> dict[str, Effect]:
    """What each detector does at its usual settings."""
    return {name: effect([one], EventSettings()) for name, one in judged.items()}


def panels(judged: Mapping[str, Judged]) -> list[Panel]:
    """One plot for tricks and one for frames; none without probabilities."""
    if not judged:
        return []
    settings = EventSettings()
    made = effects(judged)
    tricks = [_line(name, event_curve([one], settings), made[name].counts) for name, one in judged.items()]
    frames = [_line(name, frame_curve([one]), made[name].frame_counts) for name, one in judged.items()]
    prevalence = next(iter(made.values())).frames.prevalence
    return [Panel("Tricks", tuple(tricks), float("nan")), Panel("Frames", tuple(frames), prevalence)]


def at_thresholds(judged: Mapping[str, Judged]) -> list[tuple[float, list[tuple[Counts, Counts]]]]:
    """For each of ``THRESHOLDS`` how many tricks and how many frames each detector finds."""
    table = []
    for threshold in THRESHOLDS:
        made = [effect([one], EventSettings(default_threshold=threshold)) for one in judged.values()]
        table.append((threshold, [(one.counts, one.frame_counts) for one in made]))
    return table


def _line(name: str, curve: Curve, point: Counts) -> Line:
    # Without the thresholds so low that everything runs together, where less is found than with higher ones, and those
    # so high that nothing true is: there the curve only jumps about.
    place = np.arange(len(curve.recall))
    good = (place >= curve.recall.argmax()) & (curve.recall > 0) & np.isfinite(curve.precision)
    thin = Curve(curve.threshold[good], curve.precision[good], curve.recall[good])
    points = [
        f"{recall * SIDE:.1f},{(1 - precision) * SIDE:.1f}" for recall, precision in zip(*(_thinned(thin)), strict=True)
    ]
    spoken = f"precision {_share(point.precision)} and recall {_share(point.recall)} at the usual threshold"
    return Line(
        name, f"M{' '.join(dict.fromkeys(points))}" if points else "", point.recall * SIDE,
        (1 - point.precision) * SIDE, spoken,
    )  # fmt: skip


def _thinned(curve: Curve) -> tuple[list[float], list[float]]:
    if len(curve.threshold):
        curve = curve.thinned()
    return curve.recall.tolist(), curve.precision.tolist()


def _share(value: float) -> str:
    return "unknown" if value != value else f"{value:.2f}"
