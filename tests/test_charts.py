"""Charts say what the curves say, and a click on them gives a threshold."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from streamlit.util import AttributeDictionary

from core.tune import Curve
from pages.widgets import charts

FRAME_CURVE = Curve(np.array([0.1, 0.5, 0.9]), np.array([0.2, 0.8, 1.0]), np.array([1.0, 0.9, 0.3]))
EVENT_CURVE = Curve(
    np.array([0.01, 0.1, 0.5, 0.9, 0.99]),
    np.array([0.0, 0.5, 1.0, 1.0, math.nan]),
    np.array([0.0, 1.0, 1.0, 0.5, 0.0]),
)
CURVES = {charts.FRAMES: FRAME_CURVE, charts.EVENTS: EVENT_CURVE}


def rows_of(chart: Any) -> list[dict[str, Any]]:
    """All that is drawn."""
    return [row for rows in chart.to_dict()["datasets"].values() for row in rows]


def drawn(chart: Any, what: str) -> list[float]:
    return sorted({row["threshold"] for row in rows_of(chart) if row.get("what") == what and "threshold" in row})


def handles(chart: Any) -> list[tuple[str, float, float]]:
    return [
        (row["what"], row["recall"], row["precision"])
        for row in rows_of(chart)
        if "what" in row and "threshold" not in row
    ]


def test_precision_over_recall_with_its_handles() -> None:
    points = {charts.FRAMES: (0.9, 0.8), charts.EVENTS: (1.0, 1.0)}
    chart = charts.precision_recall(CURVES, points, 0.1)
    assert drawn(chart, charts.FRAMES) == [0.1, 0.5, 0.9]
    assert handles(chart) == [(charts.FRAMES, 0.9, 0.8), (charts.EVENTS, 1.0, 1.0)]
    assert [row["chance"] for row in rows_of(chart) if "chance" in row] == [0.1]


def test_where_all_runs_together_or_nothing_is_found_the_curve_is_not_drawn() -> None:
    """It would zigzag through the figure and hide what matters."""
    assert drawn(charts.precision_recall(CURVES, {}, math.nan), charts.EVENTS) == [0.1, 0.5, 0.9]


def test_a_working_point_at_which_nothing_is_found_has_no_handle() -> None:
    points = {charts.FRAMES: (0.0, math.nan), charts.EVENTS: (0.5, 1.0)}
    chart = charts.precision_recall(CURVES, points, math.nan)
    assert handles(chart) == [(charts.EVENTS, 0.5, 1.0)]
    assert not any("chance" in row for row in rows_of(chart))


def test_f1_over_the_threshold() -> None:
    chart = charts.by_threshold(CURVES, 0.37)
    assert drawn(chart, charts.EVENTS) == [0.01, 0.1, 0.5, 0.9, 0.99]
    assert {"threshold": 0.37} in rows_of(chart)
    assert all(math.isfinite(row["f1"]) for row in rows_of(chart) if "f1" in row)


@pytest.mark.parametrize(
    ("chart", "by"),
    [
        (charts.precision_recall(CURVES, {}, 0.1), {"fields": ["threshold"]}),
        (charts.by_threshold(CURVES, 0.5), {"encodings": ["x"]}),
    ],
    ids=["nearest point", "nearest threshold, however high the click"],
)
def test_a_click_picks_a_threshold(chart: Any, by: dict[str, list[str]]) -> None:
    (picking,) = [one for one in chart.to_dict()["params"] if one["name"] == charts.PICK]
    assert picking["select"] == {"type": "point", "nearest": True, "on": "click", **by}


def test_long_curves_are_thinned() -> None:
    """An hour has tens of thousands of thresholds."""
    n = 50_000
    long = Curve(np.linspace(0, 1, n), np.linspace(0.2, 1, n), np.linspace(1, 0.001, n))
    assert len(rows_of(charts.by_threshold({charts.FRAMES: long}, 0.5))) < 1000


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        (None, None),
        ({"selection": {charts.PICK: []}}, None),
        ({"selection": {}}, None),
        ({"selection": {charts.PICK: [{"threshold": 0.41}]}}, 0.41),
        (AttributeDictionary({"selection": {charts.PICK: [{"threshold": 1}]}}), 1.0),
    ],
)
def test_the_threshold_that_was_clicked_on(state: Any, expected: float | None) -> None:
    assert charts.picked(state) == expected


def test_the_charts_can_be_heard() -> None:
    assert charts.spoken(CURVES) == (
        "Frames: F1 is highest, 0.85, at a threshold of 0.50. Tricks: F1 is highest, 1.00, at a threshold of 0.50."
    )


def test_importance_has_a_bar_for_each_signal() -> None:
    """A signal that does harm has none, and is still named."""
    rows = rows_of(charts.importance([("height of the feet", 0.6), ("sound", -0.01)]))
    assert rows == [{"signal": "height of the feet", "drop": 0.6}, {"signal": "sound", "drop": 0.0}]


CORRECTED = [
    {"corrections": count, "tiou": {"0.1": {"f1": f1}, "0.5": {"f1": None}}, "false_alarms_per_minute": 3.0 - f1}
    for count, f1 in ((0, 0.25), (2, 0.5), (9, 1.0))
]


def test_a_learning_curve_has_a_point_for_each_training() -> None:
    """What is undefined, such as F1 where nothing was to be found, leaves a gap and breaks nothing."""
    rows = rows_of(charts.learning(CORRECTED))
    assert [(row["corrections"], row["f1"]) for row in rows if row["what"] == "Found"] == [
        (0, 0.25),
        (2, 0.5),
        (9, 1.0),
    ]
    assert {row["f1"] for row in rows if row["what"] == "Found with its ends"} == {None}
    assert charts.learning(CORRECTED).to_dict()["encoding"]["x"]["axis"]["values"] == [0, 2, 9]


def test_the_learning_curve_can_be_heard() -> None:
    assert charts.spoken_learning(CORRECTED) == "Trick F1 after 0 corrections 0.25, after 9 corrections 1.00."
    unknown = [{**CORRECTED[0], "tiou": {"0.1": {"f1": None}, "0.5": {"f1": None}}}]
    assert charts.spoken_learning(unknown).startswith("Trick F1 after 0 corrections unknown")
