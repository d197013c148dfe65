"""Charts for choosing a working point, in Altair. A click on a curve picks the nearest threshold.

They take curves as :mod:`core.tune` makes them, thin them for drawing and compute nothing else. Colours are those of
the studio, and each line has its own dashes, so that it is told apart without them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import altair as alt
import numpy as np
import pandas as pd

from core.tune import Curve

FRAMES, EVENTS = "Frames", "Tricks"
PICK = "pick"
"""Name of the selection; its rows hold ``threshold``."""

_QUIET, _AMBER, _TEAL = "#9AA0AA", "#FFB000", "#2DD4BF"
_HEIGHT = 250
_OVERLAPS = {"Found": "0.1", "Found with its ends": "0.5"}
"""What a tIoU asks, in words."""
_COLOURS = alt.Color(
    "what:N",
    scale=alt.Scale(domain=[FRAMES, EVENTS], range=[_TEAL, _AMBER]),
    legend=alt.Legend(title=None, orient="top", symbolType="stroke"),
)
_DASHES = alt.StrokeDash("what:N", scale=alt.Scale(domain=[FRAMES, EVENTS], range=[[5, 3], [1, 0]]), legend=None)
_SHARE = alt.Scale(domain=[0, 1])


def precision_recall(curves: Mapping[str, Curve], points: Mapping[str, tuple[float, float]], chance: float) -> Any:
    """Precision over recall, with the working point of each curve as its handle.

    Args:
        curves: by ``FRAMES`` and ``EVENTS``.
        points: recall and precision at the threshold, by the same names.
        chance: precision of a guess about frames, drawn as a line; NaN draws none.
    """
    rows = _rows({name: _from_most_found(curve) for name, curve in curves.items()}).dropna(subset=["precision"])
    x = alt.X("recall:Q", scale=_SHARE, title="Recall")
    y = alt.Y("precision:Q", scale=_SHARE, title="Precision")
    lines = _base(rows).mark_line(strokeWidth=2).encode(x, y, _COLOURS, _DASHES, order="threshold:Q")
    handles = pd.DataFrame(
        [
            {"what": name, "recall": recall, "precision": precision}
            for name, (recall, precision) in points.items()
            if recall == recall and precision == precision  # NaN where nothing was found
        ],
        columns=["what", "recall", "precision"],
    )
    marks = _base(handles).mark_point(size=130, filled=True, opacity=1, stroke="white", strokeWidth=2)
    layers = [lines, _pickable(rows, x, y, {"fields": ["threshold"]}), marks.encode(x, y, _COLOURS)]
    if chance == chance:
        guess = _base(pd.DataFrame({"chance": [chance]})).mark_rule(color=_QUIET, strokeDash=[2, 4])
        layers.insert(0, guess.encode(alt.Y("chance:Q"), tooltip=[alt.Tooltip("chance:Q", format=".2f")]))
    return _layered(layers)


def by_threshold(curves: Mapping[str, Curve], threshold: float) -> Any:
    """F1 over the threshold, with the threshold as a line."""
    rows = _rows(curves)
    x = alt.X("threshold:Q", scale=_SHARE, title="Threshold")
    y = alt.Y("f1:Q", scale=_SHARE, title="F1")
    lines = _base(rows).mark_line(strokeWidth=2).encode(x, y, _COLOURS, _DASHES)
    at = _base(pd.DataFrame({"threshold": [threshold]})).mark_rule(color=_QUIET, strokeWidth=3)
    return _layered([lines, _pickable(rows, x, y, {"encodings": ["x"]}), at.encode(alt.X("threshold:Q"))])


def importance(drops: Sequence[tuple[str, float]]) -> Any:
    """Bars: what is lost without each signal."""
    rows = pd.DataFrame({"signal": [name for name, _ in drops], "drop": [max(0.0, drop) for _, drop in drops]})
    bars = _base(rows).mark_bar(color=_AMBER, height={"band": 0.6})
    return bars.encode(
        alt.X("drop:Q", title="Average precision lost without it"),
        alt.Y("signal:N", sort=None, title=None, axis=alt.Axis(labelLimit=220)),
        tooltip=[alt.Tooltip("signal:N", title="Signal"), alt.Tooltip("drop:Q", title="Lost", format=".3f")],
    ).properties(height=22 * len(rows) + 40)


def learning(curve: Sequence[Mapping[str, Any]]) -> Any:
    """F1 over the number of corrections, at the tIoU that asks whether a trick was found and at that for its ends.

    Args:
        curve: of :meth:`core.learning_curve.Point.to_json`, in order.
    """
    rows = pd.DataFrame(
        [
            {
                "what": what,
                "corrections": point["corrections"],
                "f1": point["tiou"][tiou]["f1"],
                "alarms": point["false_alarms_per_minute"],
            }
            for what, tiou in _OVERLAPS.items()
            for point in curve
        ]
    )
    names = list(_OVERLAPS)
    legend = alt.Legend(title=None, orient="top", symbolType="stroke")
    colour = alt.Color("what:N", scale=alt.Scale(domain=names, range=[_AMBER, _TEAL]), legend=legend)
    dash = alt.StrokeDash("what:N", scale=alt.Scale(domain=names, range=[[1, 0], [5, 3]]), legend=None)
    figures = [
        alt.Tooltip("what:N", title="Of"),
        alt.Tooltip("corrections:Q", title="Corrections"),
        alt.Tooltip("f1:Q", title="F1", format=".2f"),
        alt.Tooltip("alarms:Q", title="False alarms a minute", format=".2f"),
    ]
    drawn = _base(rows).mark_line(point=alt.OverlayMarkDef(size=50, filled=True), strokeWidth=2)
    whole = alt.Axis(values=[point["corrections"] for point in curve], format="d")
    return drawn.encode(
        alt.X("corrections:Q", title="Corrections", axis=whole),
        alt.Y("f1:Q", scale=_SHARE, title="Trick F1"),
        colour,
        dash,
        tooltip=figures,
    ).properties(height=_HEIGHT)


def spoken_learning(curve: Sequence[Mapping[str, Any]]) -> str:
    """For those who cannot see the chart: where it begins and where it ends."""
    first, last = (
        f"after {point['corrections']} corrections {'unknown' if f1 is None else f'{f1:.2f}'}"
        for point in (curve[0], curve[-1])
        for f1 in (point["tiou"]["0.1"]["f1"],)
    )
    return f"Trick F1 {first}, {last}."


def picked(state: Any) -> float | None:
    """The threshold that was clicked on; None if the click took the choice away.

    Args:
        state: what ``st.altair_chart`` returns, or keeps under its key.
    """
    rows = state["selection"].get(PICK) if state else None
    return float(rows[0]["threshold"]) if rows else None


def spoken(curves: Mapping[str, Curve]) -> str:
    """For those who cannot see a chart: where each curve is best."""
    parts = []
    for name, curve in curves.items():
        top = int(curve.f1.argmax())
        parts.append(f"{name}: F1 is highest, {curve.f1[top]:.2f}, at a threshold of {curve.threshold[top]:.2f}")
    return ". ".join(parts) + "."


def _from_most_found(curve: Curve) -> Curve:
    """Without the thresholds so low that everything runs together and less is found than with higher ones, and without
    those so high that nothing true is found: there the curve only jumps about."""
    rows = np.flatnonzero((np.arange(len(curve.recall)) >= curve.recall.argmax()) & (curve.recall > 0))
    return Curve(curve.threshold[rows], curve.precision[rows], curve.recall[rows])


def _rows(curves: Mapping[str, Curve]) -> pd.DataFrame:
    parts = []
    for name, curve in curves.items():
        thin = curve.thinned()
        parts.append(
            pd.DataFrame(
                {
                    "what": name,
                    "threshold": thin.threshold,
                    "precision": thin.precision,
                    "recall": thin.recall,
                    "f1": thin.f1,
                }
            )
        )
    return pd.concat(parts, ignore_index=True)


def _base(rows: pd.DataFrame) -> Any:
    return alt.Chart(rows)


def _pickable(rows: pd.DataFrame, x: Any, y: Any, by: Mapping[str, Any]) -> Any:
    """Points that nobody sees: a click anywhere takes the nearest.

    Args:
        by: what is taken of it, as fields or encodings; of encodings those alone say what is near.
    """
    pick = alt.selection_point(PICK, nearest=True, on="click", empty=False, **by)
    figures = [
        alt.Tooltip("what:N", title="Of"),
        *(alt.Tooltip(f"{name}:Q", title=name.capitalize(), format=".2f") for name in ("threshold", "precision")),
        alt.Tooltip("recall:Q", title="Recall", format=".2f"),
        alt.Tooltip("f1:Q", title="F1", format=".2f"),
    ]
    return _base(rows).mark_point(opacity=0, size=60).encode(x, y, tooltip=figures).add_params(pick)


def _layered(layers: Sequence[Any]) -> Any:
    return alt.layer(*layers).properties(height=_HEIGHT)
