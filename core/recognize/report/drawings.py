"""The figures as paths of drawings, whose axes the template draws."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, floor, isfinite, log10, sqrt

import numpy as np
import pandas as pd

from core.recognize.report.figures import Standing

SIDE = 300
"""Of a plot, units of the drawing."""
_MOST_POINTS = 300
"""Of a line: one a unit."""
_LARGEST = 16.0
_SMALLEST = 4.0
_TEXT = 15.0
"""Height of a line of text."""

Tick = tuple[float, str]
"""A place, units of the drawing, and what is written there."""


@dataclass(frozen=True)
class Dot:
    """One bin of the calibration."""

    x: float
    y: float
    radius: float
    """Its area is as the clips in it, up from what can still be seen."""
    above: bool
    """Where there is room for the count."""
    count: int


@dataclass(frozen=True)
class Rule:
    """What somebody gets right who names every clip, across the whole plot."""

    name: str
    y: float
    text_y: float
    """Above the rule, and far enough from the other names."""


@dataclass(frozen=True)
class Line:
    """One curve."""

    name: str
    path: str
    """Of an SVG; empty where nothing is known."""
    spoken: str
    """The same for those who cannot see it."""


@dataclass(frozen=True)
class Panel:
    """One plot over the epochs."""

    title: str
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]
    lines: tuple[Line, ...]


def dots(calibration: pd.DataFrame) -> list[Dot]:
    """Those of the bins that have clips."""
    filled = calibration[calibration["count"] > 0]
    most = filled["count"].max()
    made = []
    for count, probability, accuracy in zip(filled["count"], filled["probability"], filled["accuracy"], strict=True):
        y = (1 - accuracy) * SIDE
        radius = max(_SMALLEST, _LARGEST * sqrt(count / most))
        made.append(Dot(round(probability * SIDE, 1), round(y, 1), round(radius, 1), y > 2 * radius + 10, int(count)))
    return made


def coverage_path(coverage: pd.DataFrame) -> str:
    """Share named right over share named, within ``SIDE``."""
    rows = np.unique(np.linspace(0, len(coverage) - 1, _MOST_POINTS).round().astype(int))
    return _path((coverage["named"].to_numpy()[rows] * SIDE), (1 - coverage["right"].to_numpy()[rows]) * SIDE)


def rules(standings: Sequence[Standing]) -> list[Rule]:
    """One for each, the lowest first."""
    made: list[Rule] = []
    for one in sorted(standings, key=lambda one: one.accuracy):
        y = round((1 - one.accuracy) * SIDE, 1)
        above = made[-1].text_y - _TEXT if made else SIDE - 5.0
        made.append(Rule(one.name, y, min(y - 5, above)))
    return made


def history_panels(history: pd.DataFrame) -> list[Panel]:
    """Loss of training and validation, and what the validation clips say of how right it is."""
    epochs = history["epoch"].to_numpy()
    last = max(float(epochs.max()), 2.0)
    x = (epochs - 1) / (last - 1) * SIDE
    step = max(1, ceil((last - 1) / 6))
    x_ticks = tuple(((at - 1) / (last - 1) * SIDE, str(at)) for at in range(1, int(last) + 1, step))
    losses = history[["train_loss", "loss"]].to_numpy()
    losses = losses[np.isfinite(losses)]
    top, y_step = _round_top(float(losses.max()) if len(losses) else 1.0)
    y_ticks = tuple((at * y_step / top * SIDE, f"{at * y_step:g}") for at in range(round(top / y_step) + 1))

    def line(name: str, column: str, most: float, best: str) -> Line:
        values = history[column].to_numpy()
        known = np.isfinite(values)
        spoken = "not known"
        if known.any():
            at = int(np.nanargmin(values) if best == "lowest" else np.nanargmax(values))
            spoken = f"{best} {values[at]:.2f} in epoch {epochs[at]:.0f}, {values[known][-1]:.2f} at the end"
        return Line(name, _path(x[known], (1 - values[known] / most) * SIDE), spoken)

    loss = (line("training", "train_loss", top, "lowest"), line("validation", "loss", top, "lowest"))
    right = (
        line("macro F1, validation", "macro_f1", 1.0, "highest"),
        line("accuracy, validation", "accuracy", 1.0, "highest"),
    )
    tenths = tuple((tenth / 5 * SIDE, f"{tenth / 5:g}") for tenth in range(6))
    panels = [Panel("Loss", x_ticks, y_ticks, loss), Panel("Macro F1 and accuracy", x_ticks, tenths, right)]
    return [panel for panel in panels if any(one.path for one in panel.lines)]


def _round_top(highest: float) -> tuple[float, float]:
    """Where an axis that begins at 0 ends, and the step of its ticks, of which there are three to seven."""
    if not isfinite(highest) or highest <= 0:
        return 1.0, 0.25
    power = 10.0 ** floor(log10(highest))
    step = next(power * part for part in (0.2, 0.5, 1.0, 2.0) if highest / (power * part) <= 6)
    return ceil(highest / step) * step, step


def _path(x: Sequence[float] | np.ndarray, y: Sequence[float] | np.ndarray) -> str:
    points = dict.fromkeys(f"{across:.1f},{down:.1f}" for across, down in zip(x, y, strict=True))
    if len(points) == 1:  # round caps make a dot of it
        points = {next(iter(points)): None, f"{next(iter(points))} ": None}
    return f"M{' '.join(points)}" if points else ""
