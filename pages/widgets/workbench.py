"""The workbench: video, timeline and list of events in one component of the page.

    >>> with_edits = workbench("bench", footage, session=session.id, document=document, editable=True,
    ...                        on_edit=take)                                  # doctest: +SKIP

Everything is immediate in the browser, and only results come to Python: the callbacks take no arguments and read
``WorkbenchState.of(key)``. A result is only sent if its callback is given. The scripts in the folder beside this file
are joined to one module, so they neither import nor export, save the last.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal

import streamlit as st

from core.framing import Keyframe
from core.intervals import Interval

_FOLDER = Path(__file__).with_suffix("")
SCRIPTS = (
    "clock.js", "fetching.js", "palette.js", "player.js", "shuttle.js", "curve.js", "skeleton.js", "edits.js",
    "unsaved.js", "draft.js", "view.js", "lanes.js", "timeline.js", "drags.js", "gestures.js", "marking.js",
    "events_panel.js", "actions.js", "transport.js", "keys.js", "help_sheet.js", "picture.js", "events.js",
    "signals.js", "framing.js", "crop_window.js", "crop_lane.js", "workbench.js", "main.js",
)  # fmt: skip
"""In this order they make the module."""

Callback = Callable[[], None]


@dataclass(frozen=True)
class Thumbs:
    """One picture that holds evenly spread frames of a video, row by row."""

    url: str
    columns: int
    width: int
    """Of one thumbnail, pixels."""
    height: int
    times_s: tuple[float, ...]


@dataclass(frozen=True)
class Skeletons:
    """Where the browser finds who was seen; see :mod:`pages.widgets.skeletons` for the format."""

    url: str
    """``<url>/<n>`` gives the n-th chunk."""
    frames_url: str
    """The sampled frames, int32 little-endian."""
    chunk: int
    """Sampled frames in a chunk."""


@dataclass(frozen=True)
class Footage:
    """A video as the browser plays it."""

    src: str
    times_url: str
    """The PTS table: float64 little-endian, seconds."""
    n_frames: int
    duration_s: float
    rate: float
    """Frames a second, for show only."""
    width: int
    height: int
    thumbs: Thumbs | None = None
    skeletons: Skeletons | None = None


@dataclass(frozen=True)
class Curve:
    """A signal over the sampled frames."""

    name: str
    """The threshold belongs to the one called ``probability``."""
    title: str
    unit: str
    frames_url: str
    """int32 little-endian."""
    values_url: str
    """float32 little-endian, NaN where not seen."""
    low: float | None = None
    """Ends of the scale; None takes those of the values."""
    high: float | None = None


@dataclass(frozen=True)
class Span:
    """An event or a true interval that is only shown. Frames are inclusive."""

    start: int
    end: int
    label: str
    confidence: float | None = None
    state: Literal["", "hit", "wrong", "missed"] = ""
    why: str = ""
    """A sentence, shown when it is selected."""


@dataclass(frozen=True)
class Document:
    """The intervals that are edited, as Python has them."""

    revision: int
    ack: tuple[str, int] | None
    """Editor and number of the last edit that was taken."""
    external: int
    """Newest revision that is not just what the browser sent."""
    items: tuple[Interval, ...]


@dataclass(frozen=True)
class Label:
    """A label that intervals can have."""

    name: str
    colour: str
    key: str
    """``"1"`` to ``"9"``, or empty."""


@dataclass(frozen=True)
class Show:
    """A wish to go somewhere, granted once for each ``serial``. Frames are inclusive."""

    serial: int
    start: int
    end: int | None = None
    play: bool = False
    loop: bool = False


@dataclass(frozen=True)
class Framing:
    """The crop of one clip, as Python has it: it lies over the picture and has a lane of its own. Frames are
    inclusive."""

    start: int
    end: int
    window: tuple[float, float]
    """Width and height of the largest crop, shares of those of the picture."""
    path_url: str
    """The crop in each frame from ``start`` to ``end``: float32 little-endian, left, top, width and height in 0..1."""
    keyframes: tuple[Keyframe, ...]
    """Those of this clip; they are edited in the browser if ``on_framing`` is given."""
    revision: int
    """Higher whenever ``keyframes`` are others."""
    ack: tuple[str, int] | None
    """Editor and number of the last edit that was taken."""


@dataclass(frozen=True)
class WorkbenchState:
    """What the browser sent last; None where nothing was sent."""

    edit: dict[str, Any] | None = None
    """``editor, seq, base`` and ``items``, a list of ``[start, end, label]``."""
    threshold: float | None = None
    range: tuple[int, int] | None = None
    """First and last frame that were brushed."""
    subject: dict[str, Any] | None = None
    """``frame, x, y``: where somebody was clicked on; x and y are 0..1 of the upright frame."""
    picked: dict[str, Any] | None = None
    """``kind`` (``found`` or ``truth``), ``start, end, label`` of the event that was selected."""
    framing: dict[str, Any] | None = None
    """``editor, seq, base`` and ``items``, a list of ``[frame, x, y, zoom]``, all keyframes of the clip."""

    @classmethod
    def of(cls, key: str) -> WorkbenchState:
        """The state of the workbench with this key, also within its callbacks."""
        return cls.from_values(st.session_state.get(key) or {})

    @classmethod
    def from_values(cls, values: Mapping[str, Any]) -> WorkbenchState:
        """From the component's own state."""
        threshold, brushed = values.get("threshold"), values.get("range")
        return cls(
            values.get("edit"),
            float(threshold["value"]) if threshold else None,
            (int(brushed["start"]), int(brushed["end"])) if brushed else None,
            values.get("subject"),
            values.get("picked"),
            values.get("framing"),
        )


def workbench(
    key: str,
    footage: Footage,
    *,
    session: str = "",
    document: Document | None = None,
    editable: bool = False,
    found: Sequence[Span] = (),
    truth: Sequence[Span] = (),
    curves: Sequence[Curve] = (),
    curve: str | None = None,
    threshold: float | None = None,
    labels: Sequence[Label] = (),
    layers: Mapping[str, Sequence[Interval]] | None = None,
    missed: Sequence[Span] = (),
    show: Show | None = None,
    framing: Framing | None = None,
    below: int = 0,
    on_edit: Callback | None = None,
    on_threshold: Callback | None = None,
    on_range: Callback | None = None,
    on_subject: Callback | None = None,
    on_pick: Callback | None = None,
    on_framing: Callback | None = None,
) -> WorkbenchState:
    """Draw a workbench.

    Args:
        session: names the document: another one has its own undo and its own unsaved edits. Empty takes ``key``.
        document: the true intervals, if they can be edited or are those of a document.
        editable: whether ``document`` can be edited.
        found: what the detector found.
        truth: true intervals that are only shown, where there is no document.
        curve: name of the curve that is drawn at first; None takes the first.
        threshold: drawn over the curve ``probability``; it can be dragged if ``on_threshold`` is given.
        layers: further lanes by name, only shown.
        missed: which intervals of the document were missed, and why.
        show: where to go.
        framing: the crop of a clip; what it cuts out is shown in place of the list of events.
        below: pixels of the window that are left to what stands below; the workbench fills the rest.
        on_edit: called after edits; likewise the others. A result without its callback is not sent.
    """
    wishes = {
        "edit": on_edit,
        "threshold": on_threshold,
        "range": on_range,
        "subject": on_subject,
        "picked": on_pick,
        "framing": on_framing,
    }
    data = payload(
        footage,
        session=session or key,
        document=document,
        editable=editable and on_edit is not None,
        found=found,
        truth=truth,
        curves=curves,
        curve=curve,
        threshold=threshold,
        labels=labels,
        layers=layers or {},
        missed=missed,
        show=show,
        framing=framing,
        below=below,
        wants=[name for name, callback in wishes.items() if callback],
    )
    # The container keeps the video playing when something appears above it.
    with st.container(key=f"{key}_container"):
        _component()(
            key=key,
            data=data,
            height="content",
            **{f"on_{name}_change": callback or _ignore for name, callback in wishes.items()},
        )
    return WorkbenchState.of(key)


def payload(
    footage: Footage,
    *,
    session: str,
    document: Document | None,
    editable: bool,
    found: Sequence[Span],
    truth: Sequence[Span],
    curves: Sequence[Curve],
    curve: str | None,
    threshold: float | None,
    labels: Sequence[Label],
    layers: Mapping[str, Sequence[Interval]],
    missed: Sequence[Span],
    show: Show | None,
    below: int,
    wants: Sequence[str],
    framing: Framing | None = None,
) -> dict[str, Any]:
    """What the browser gets, as JSON; see :func:`workbench`."""
    return {
        "session": session,
        "footage": asdict(footage),
        "document": document
        and {
            "revision": document.revision,
            "ack": document.ack and list(document.ack),
            "external": document.external,
            "items": [_row(one) for one in document.items],
        },
        "editable": editable,
        "found": [_span(one) for one in found],
        "truth": [_span(one) for one in truth],
        "curves": [asdict(one) for one in curves],
        "curve": curve,
        "threshold": None if threshold is None else float(threshold),
        "labels": [asdict(one) for one in labels],
        "layers": [{"name": name, "items": [_row(one) for one in items]} for name, items in layers.items()],
        "missed": [_span(one) for one in missed],
        "show": show and asdict(show),
        "framing": framing
        and asdict(framing) | {"keyframes": [[key.frame, key.x, key.y, key.zoom] for key in framing.keyframes]},
        "below": below,
        "wants": list(wants),
    }


def _span(span: Span) -> dict[str, Any]:
    # The numbers often come out of arrays, whose kinds JSON does not know.
    confidence = None if span.confidence is None else float(span.confidence)
    return asdict(span) | {"start": int(span.start), "end": int(span.end), "confidence": confidence}


def _row(interval: Interval) -> list[int | str]:
    return [int(interval.start_frame), int(interval.end_frame), interval.label]


def _ignore() -> None:
    """Streamlit takes a result only if somebody listens."""


@cache
def _component() -> Any:
    return st.components.v2.component(
        "trickline_workbench",
        html='<div class="wb"></div>',
        css=(_FOLDER / "workbench.css").read_text(encoding="utf-8"),
        js=script(),
        isolate_styles=True,
    )


def script() -> str:
    """The module that the browser loads."""
    parts = (f"// {name}\n{(_FOLDER / name).read_text(encoding='utf-8')}" for name in SCRIPTS)
    return "\n".join(parts)
