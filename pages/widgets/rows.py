"""Short tables whose lines lead somewhere: the first cell is a button, and the last may be another."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from core.intervals import Interval
from core.timecode import clock

PER_PAGE = 15


@dataclass(frozen=True)
class Button:
    """What a click does."""

    label: str
    callback: Callable[..., None]
    args: tuple[Any, ...] = ()
    help: str | None = None
    disabled: bool = False
    icon: str | None = None


@dataclass(frozen=True)
class Line:
    """One line of a table."""

    cells: tuple[str, ...]
    """Plain text."""
    first: Button | None = None
    """Stands before the cells."""
    last: Button | None = None
    """Stands behind them."""


def table(key: str, header: Sequence[str], lines: Sequence[Line], widths: Sequence[int] | None = None) -> None:
    """Draw the lines, a page at a time.

    Args:
        key: unlike that of any other table on the page.
        header: one title for each column, buttons' columns too.
        widths: relative widths of the columns; None makes them equal.
    """
    pages = -(-len(lines) // PER_PAGE)
    number = 1
    if pages > 1:
        number = st.selectbox(
            "Lines",
            range(1, pages + 1),
            key=f"{key}_page",
            format_func=lambda page: (
                f"{PER_PAGE * (page - 1) + 1} to {min(PER_PAGE * page, len(lines))} of {len(lines)}"
            ),
            width=200,
        )
    shape = list(widths or [1] * len(header))
    with st.container(key=f"{key}_table", gap="small"):
        for column, title in zip(st.columns(shape), header, strict=True):
            column.caption(title)
        for index in range(PER_PAGE * (number - 1), min(PER_PAGE * number, len(lines))):
            line = lines[index]
            columns = iter(st.columns(shape, vertical_alignment="center"))
            if line.first:
                _button(next(columns), line.first, f"{key}_{index}_first")
            for cell in line.cells:
                next(columns).text(cell)
            if line.last:
                _button(next(columns), line.last, f"{key}_{index}_last")


def times(interval: Interval, pts_s: NDArray[np.float64]) -> tuple[str, str, str, str]:
    """Start, end, frames and length of an interval as cells; what lies past the video has no time. The end is when the
    last frame leaves the screen, as on the workbench."""
    frames = f"{interval.start_frame}–{interval.end_frame}"
    if interval.end_frame >= len(pts_s):
        return "–", "–", frames, "–"
    start, last = float(pts_s[interval.start_frame]), interval.end_frame
    # The last frame of all is taken to stay as long as frames usually do.
    end = float(pts_s[last + 1]) if last + 1 < len(pts_s) else float(pts_s[last] + np.median(np.diff(pts_s)))
    return clock(start), clock(end), frames, f"{end - start:.2f} s"


def to_frames(interval: Interval, pts_s: NDArray[np.float64], go: Callable[[int, int], None]) -> Button:
    """A button with the start of an interval that leads there."""
    start, *_ = times(interval, pts_s)
    frames = (interval.start_frame, interval.end_frame)
    return Button(start, go, frames, "Go there", interval.end_frame >= len(pts_s), ":material/play_circle:")


def _button(column: Any, button: Button, key: str) -> None:
    column.button(
        button.label,
        key=key,
        help=button.help,
        on_click=button.callback,
        args=button.args,
        disabled=button.disabled,
        type="tertiary",
        icon=button.icon,
    )
