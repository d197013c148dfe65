"""Charts of data sets and recognizers, in Altair. A click on a cell of the confusion matrix picks it.

They take figures as :mod:`core.recognize.report.figures` makes them, and compute nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import altair as alt
import pandas as pd

from core.recognize.report.figures import Confusion

PICK = "cell"
"""Name of the selection; its rows hold ``truth`` and ``named``."""
_QUIET, _AMBER, _TEAL = "#9AA0AA", "#FFB000", "#2DD4BF"
_SHARE = alt.Scale(domain=[0, 1])
_ROW_PX, _AXIS_PX, _TITLE_PX, _LEGEND_PX = 22, 44, 34, 80
_MOST_PX = 620
_WRITTEN = 16
"""With more classes the cells are too small for their numbers."""
_SHADED = 0.45
"""From this share on a cell wants dark letters on any ground."""
_FEW = 4
"""So many names stand beside each other."""


def balance(parts: Mapping[str, Mapping[str, int]]) -> Any:
    """Bars: clips of each class, those of several parts behind each other.

    Args:
        parts: at most three, by what they are for: how many clips each class has in it.
    """
    titles = list(parts)
    rows = pd.DataFrame(
        [
            {"label": label, "part": title, "clips": clips, "place": place}
            for place, (title, counts) in enumerate(parts.items())
            for label, clips in counts.items()
        ]
    )
    height = _height(len(next(iter(parts.values()))), _TITLE_PX)
    legend = alt.Legend(title=None, orient="top") if len(titles) > 1 else None
    return (
        alt.Chart(rows)
        .mark_bar(height={"band": 0.6})
        .encode(
            alt.X("clips:Q", title="Clips", axis=alt.Axis(format="d", tickMinStep=1)),
            _labels("label"),
            alt.Color(
                "part:N", scale=alt.Scale(domain=titles, range=[_TEAL, _AMBER, _QUIET][: len(titles)]), legend=legend
            ),
            alt.Order("place:Q"),
            tooltip=[
                alt.Tooltip("label:N", title="Name"),
                alt.Tooltip("part:N", title="For"),
                alt.Tooltip("clips:Q", title="Clips"),
            ],
        )
        .properties(height=height + (_LEGEND_PX if legend else 0))
    )


def shares(values: Mapping[str, float]) -> Any:
    """Bars of probabilities, 0 to 1."""
    rows = pd.DataFrame({"label": list(values), "share": list(values.values())})
    return (
        alt.Chart(rows)
        .mark_bar(color=_AMBER, height={"band": 0.6})
        .encode(
            alt.X("share:Q", scale=_SHARE, title=None, axis=alt.Axis(format="%", values=[0, 0.5, 1])),
            _labels("label"),
            tooltip=[alt.Tooltip("label:N", title="It is"), alt.Tooltip("share:Q", title="Probability", format=".0%")],
        )
        .properties(height=_height(len(rows)))
    )


def confusion(found: Confusion, ink: str) -> Any:
    """How many of each class (row) were named what (column); the shade is the share of the row.

    Args:
        ink: colour of the page's text, for numbers on cells without much of a shade.
    """
    rows = found.table()
    side = list(found.labels)
    angle = 0 if len(side) <= _FEW else -40 if len(side) <= _WRITTEN else -90
    x = alt.X("named:N", sort=side, title="Named", axis=alt.Axis(orient="top", labelAngle=angle, labelLimit=140))
    y = alt.Y("truth:N", sort=side, title="It is", axis=alt.Axis(labelLimit=140))
    pick = alt.selection_point(PICK, fields=["truth", "named"], on="click", empty=False)
    cells = (
        alt.Chart(rows)
        .mark_rect(stroke=_QUIET, strokeWidth=0.5, cursor="pointer")
        .encode(
            x,
            y,
            alt.Color("share:Q", scale=alt.Scale(domain=[0, 1], range=["rgba(255,176,0,0.03)", _AMBER]), legend=None),
            tooltip=[
                alt.Tooltip("truth:N", title="It is"),
                alt.Tooltip("named:N", title="Named"),
                alt.Tooltip("clips:Q", title="Clips"),
            ],
        )
        .add_params(pick)
    )
    height = min(_MOST_PX, max(180, 34 * len(side)) + 60)
    if len(side) > _WRITTEN:
        return cells.properties(height=height)
    colour = alt.condition(alt.datum.share > _SHADED, alt.value("#16130a"), alt.value(ink))
    numbers = (
        alt.Chart(rows)
        .transform_filter(alt.datum.clips > 0)
        .mark_text(fontSize=13, fontWeight=600)
        .encode(x, y, text="clips:Q", color=colour)
    )
    return alt.layer(cells, numbers).properties(height=height)


def picked(state: Any) -> tuple[str, str] | None:
    """The true class and the name that were clicked on; None if the click took the choice away.

    Args:
        state: what ``st.altair_chart`` keeps under its key.
    """
    rows = state["selection"].get(PICK) if state else None
    return (str(rows[0]["truth"]), str(rows[0]["named"])) if rows else None


def per_class(table: pd.DataFrame) -> Any:
    """Bars: recall and precision of each class, in the order of the table."""
    words = {"recall": "Recall", "precision": "Precision"}
    rows = table.melt(["label", "support"], list(words), var_name="column", value_name="value").dropna(subset=["value"])
    rows["what"] = rows["column"].map(words)
    what = list(words.values())
    return (
        alt.Chart(rows)
        .mark_bar()
        .encode(
            alt.X("value:Q", scale=_SHARE, title=None, axis=alt.Axis(format="%")),
            _labels("label", table["label"].tolist()),
            alt.YOffset("what:N", sort=what),
            alt.Color(
                "what:N",
                scale=alt.Scale(domain=what, range=[_AMBER, _TEAL]),
                legend=alt.Legend(title=None, orient="top"),
            ),
            tooltip=[
                alt.Tooltip("label:N", title="Name"),
                alt.Tooltip("what:N", title="Figure"),
                alt.Tooltip("value:Q", title="Value", format=".0%"),
                alt.Tooltip("support:Q", title="Clips"),
            ],
        )
        .properties(height=_height(2 * len(table), _LEGEND_PX))
    )


def calibration(bins: pd.DataFrame) -> Any:
    """How many clips were named right over how sure it was; on the line it is as right as it is sure."""
    rows = bins[bins["count"] > 0]
    x = alt.X("probability:Q", scale=_SHARE, title="How sure it was", axis=alt.Axis(format="%"))
    y = alt.Y("accuracy:Q", scale=_SHARE, title="Named right", axis=alt.Axis(format="%"))
    line = pd.DataFrame({"probability": [0.0, 1.0], "accuracy": [0.0, 1.0]})
    ideal = alt.Chart(line).mark_line(color=_QUIET, strokeDash=[2, 4]).encode(x, y)
    marks = (
        alt.Chart(rows)
        .mark_circle(color=_AMBER, opacity=1)
        .encode(
            x,
            y,
            alt.Size("count:Q", scale=alt.Scale(range=[50, 350]), legend=None),
            tooltip=[
                alt.Tooltip("probability:Q", title="How sure", format=".0%"),
                alt.Tooltip("accuracy:Q", title="Right", format=".0%"),
                alt.Tooltip("count:Q", title="Clips"),
            ],
        )
    )
    return alt.layer(ideal, marks).properties(height=250)


def history(epochs: pd.DataFrame, columns: Mapping[str, str], title: str) -> Any:
    """Lines over the epochs of a training.

    Args:
        epochs: a row each, with ``epoch``.
        columns: which to draw, at most two, by name: in words.
    """
    rows = epochs.melt("epoch", list(columns), var_name="column", value_name="value").dropna(subset=["value"])
    rows["what"] = rows["column"].map(dict(columns))
    what = list(columns.values())
    dashes: Sequence[Sequence[int]] = [[1, 0], [5, 3]]
    legend = alt.Legend(title=None, orient="top", symbolType="stroke")
    return (
        alt.Chart(rows)
        .mark_line(strokeWidth=2, point=alt.OverlayMarkDef(size=30, filled=True))
        .encode(
            alt.X("epoch:Q", title="Epoch", axis=alt.Axis(format="d", tickMinStep=1)),
            alt.Y("value:Q", title=title),
            alt.Color("what:N", scale=alt.Scale(domain=what, range=[_AMBER, _TEAL][: len(what)]), legend=legend),
            alt.StrokeDash("what:N", scale=alt.Scale(domain=what, range=dashes[: len(what)]), legend=None),
            tooltip=["what:N", "epoch:Q", alt.Tooltip("value:Q", format=".3f")],
        )
        .properties(height=250)
    )


def _labels(column: str, sort: list[str] | None = None) -> Any:
    return alt.Y(f"{column}:N", sort=sort, title=None, axis=alt.Axis(labelLimit=200))


def _height(rows: int, besides: int = 0) -> int:
    return _ROW_PX * rows + _AXIS_PX + besides
