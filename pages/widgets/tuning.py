"""Tuning a detector on its video: the threshold and the rules, their figures, and the effect on the timeline at once.

All of it is one fragment: a moved slider draws this part anew and nothing else.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import streamlit as st

from core.detector import Detector
from core.events import find_events
from core.explain import Why, explain
from core.intervals import frame_mask
from core.judging import Judgement
from core.records import Session
from core.settings import EventSettings
from core.sighting import Look
from core.timecode import clock
from core.tune import Curve, Effect, Judged, best, effect, event_curve, frame_curve, scattered
from pages.widgets import charts
from pages.widgets.detectors import keep_tuned, tune_to, tuned
from pages.widgets.follow import show_value
from pages.widgets.media import open_workspace
from pages.widgets.spans import found_spans, true_spans
from pages.widgets.workbench import Curve as Drawn
from pages.widgets.workbench import Footage, Show, WorkbenchState, workbench

BENCH = "train_bench"
_SHOW = "train_show"
_FOUND_BEST = "train_best"
_BALANCED = 0.0
_WANTED = {_BALANCED: "As many right as possible", 0.8: "Find 80 %", 0.9: "Find 90 %", 1.0: "Never miss one"}
_LISTED = 40
_LEAD_S = 1.0
"""What is played before and after a trick, seconds."""


@dataclass(frozen=True)
class Rule:
    """A number beside the threshold."""

    field: str
    title: str
    help: str
    step: float
    highest: float


_RULES = (
    Rule("required_streak", "Streak", "So many sampled frames in a row must pass before a trick begins.", 1, 60),
    Rule("max_gap_frames", "Merge gap, frames", "Stretches at most so many frames apart are one trick.", 1, 600),
    Rule("min_event_s", "Minimum length, s", "Shorter ones are dropped.", 0.05, 10.0),
    Rule(
        "timestamp_cooldown_s", "Cooldown, s", "Of two tricks whose peaks are closer, the weaker is dropped.", 0.1, 60.0
    ),
)


@dataclass(frozen=True, eq=False)
class Tuning:
    """What the fragment needs; made anew with each run of the page."""

    session: Session
    look: Look
    model_id: str
    detector: Detector
    judgement: Judgement
    """Of the session."""
    videos: tuple[Judged, ...]
    """What is judged together; the session's is the first."""
    key: str
    """Another one for other footage, labels or measurements."""
    footage: Footage
    drawn: tuple[Drawn, ...]

    @property
    def known(self) -> bool:
        """Whether anything is known of the session by labels or decisions, be it that there is no trick."""
        rows = self.videos[0].known
        return rows is None or bool(rows.any())

    @property
    def labelled(self) -> bool:
        """Whether there is anything to tell right from wrong by."""
        return any(video.truth for video in self.videos)


def tuning(parts: Tuning) -> None:
    """Draw the knobs, the figures and curves, and the workbench with its lists."""
    st.fragment(_draw)(parts)


def move(session_id: str, model_id: str, field: str, value: Any) -> None:
    """Try another value of one setting. Values that no setting can have are brought to the nearest that one can."""
    settings = tuned(session_id, model_id)
    if field == "default_threshold":
        value = min(1.0, max(0.0, float(value)))
        value = round(value, 2 if 0.01 <= value <= 0.99 else 3)  # a hand on a line is no finer than that
    tune_to(session_id, model_id, settings.model_copy(update={field: value}))
    st.session_state.pop(_FOUND_BEST, None)


def find_best(parts: Tuning, wanted: float) -> None:
    """Try the settings that do best on the labels."""
    now = tuned(parts.session.id, parts.model_id)
    found = best(parts.videos, wanted or None, EventSettings(default_threshold=now.default_threshold))
    tune_to(parts.session.id, parts.model_id, found.effect.settings)
    counts = found.effect.counts
    if not counts.found:
        said = "No setting finds a labelled trick: the detector does not see them."
    elif found.to_threshold > found.from_threshold:
        said = (
            f"Every threshold from {found.from_threshold:g} to {found.to_threshold:g} does the same; "
            "this is the middle."
        )
    else:
        said = "Only this very threshold does it: label more before you trust it."
    if wanted and counts.recall < wanted:
        said = f"More than {counts.recall:.0%} cannot be found at any setting. {said}"
    st.session_state[_FOUND_BEST] = (parts.session.id, said)


def show(parts: Tuning, start: int, end: int) -> None:
    """Play a trick with a little before and after."""
    pts_s = parts.look.video.pts_s
    first, last = np.searchsorted(pts_s, [pts_s[start] - _LEAD_S, pts_s[end] + _LEAD_S])
    serial = st.session_state.get(_SHOW, ("", Show(0, 0)))[1].serial + 1
    there = Show(serial, int(first), int(min(last, len(pts_s) - 1)), play=True)
    st.session_state[_SHOW] = (parts.session.id, there)


def _draw(parts: Tuning) -> None:
    settings = tuned(parts.session.id, parts.model_id)
    made = effect(parts.videos, settings)
    whys = _whys(parts, settings, made)
    above = st.container()
    _workbench(parts, settings, whys)  # first, so that the timeline follows the hand; the charts take longer
    with above:
        left, right = st.columns([5, 12], gap="medium")
        with left:
            _knobs(parts, settings)
        with right:
            if parts.labelled:
                _figures(parts, made)
            else:
                _without_labels(sum(why.state != "missed" for why in whys))


def _whys(parts: Tuning, settings: EventSettings, made: Effect) -> list[Why]:
    """Of all that is found and missed. What is found where nobody knows what is a trick is neither right nor wrong."""
    video, whole = parts.videos[0], parts.judgement.probability
    whys = []
    if parts.known:
        found = made.videos[0].events
        whys = explain(parts.look, parts.detector, video.probability, settings, found, video.truth)
    if video.known is not None and not video.known.all():
        events = find_events(video.frame, video.time_s, whole, settings, len(video.pts_s))
        seen = frame_mask((why.interval for why in whys if why.state != "missed"), len(video.pts_s))
        unknown = [event for event in events if not seen[event.start_frame : event.end_frame + 1].any()]
        whys += explain(parts.look, parts.detector, whole, settings, unknown)
    return sorted(whys, key=lambda why: (why.interval.start_frame, why.interval.end_frame))


def _knobs(parts: Tuning, settings: EventSettings) -> None:
    key = (parts.session.id, parts.model_id)
    threshold = settings.default_threshold
    show_value("train_threshold", threshold)
    fine = abs(threshold * 100 - round(threshold * 100)) > 1e-6
    st.slider(
        "Threshold",
        0.0,
        1.0,
        step=0.001 if fine else 0.01,
        format="%.3f" if fine else "%.2f",
        key="train_threshold",
        help="Probability from which on it is a trick. You can also drag the line on the curve, or click on a chart.",
        on_change=lambda: move(*key, "default_threshold", st.session_state["train_threshold"]),
    )
    columns = st.columns(2)
    for k, rule in enumerate(_RULES):
        with columns[k % 2]:
            _rule(parts, settings, rule)
    if parts.labelled:
        with st.container(horizontal=True, vertical_alignment="bottom"):
            wanted = st.selectbox(
                "Look for",
                list(_WANTED),
                format_func=_WANTED.__getitem__,
                key="train_wanted",
                help="The best point weighs misses and false alarms alike; or it may not miss more than you allow.",
            )
            st.button("Best point", icon=":material/target:", on_click=find_best, args=(parts, wanted))
    whose, said = st.session_state.get(_FOUND_BEST, ("", ""))
    if whose == parts.session.id:
        st.caption(said)
    workspace_settings = open_workspace().settings(parts.session.id)
    same = (workspace_settings.events or parts.detector.events) == settings
    with st.container(horizontal=True):
        st.button(
            "Kept for this session" if same else "Keep for this session",
            type="secondary" if same else "primary",
            disabled=same,
            key="train_keep",
            icon=":material/check:" if same else ":material/save:",
            help="Timeline, Review and the next run then find with these settings.",
            on_click=keep_tuned,
            args=key,
        )
        st.button(
            "Detector's own",
            disabled=settings == parts.detector.events,
            key="train_reset",
            help="Back to the settings that come with the detector.",
            on_click=_reset,
            args=(parts,),
        )


def _reset(parts: Tuning) -> None:
    st.session_state.pop(_FOUND_BEST, None)
    tune_to(parts.session.id, parts.model_id, parts.detector.events)


def _rule(parts: Tuning, settings: EventSettings, rule: Rule) -> None:
    key = f"train_{rule.field}"
    kind = type(rule.step)
    show_value(key, kind(getattr(settings, rule.field)))
    st.number_input(
        rule.title,
        min_value=kind(1 if rule.field == "required_streak" else 0),
        max_value=kind(rule.highest),
        step=rule.step,
        key=key,
        help=rule.help,
        on_change=lambda: move(parts.session.id, parts.model_id, rule.field, st.session_state[key]),
    )


def _without_labels(count: int) -> None:
    with st.container(border=True, key="train_unlabelled"):
        st.subheader(f"{count} {'trick' if count == 1 else 'tricks'} found", anchor=False)
        st.write(
            "With labels this page also says which tricks were missed and which finds are false alarms, looks for the "
            "best settings by itself, and trains a detector on your footage. A handful of tricks is enough to begin."
        )
        st.page_link("pages/3_label.py", label="Label the tricks", icon=":material/label:")


def _figures(parts: Tuning, made: Effect) -> None:
    counts, frames = made.counts, made.frames
    luck = _chance(parts)
    table = pd.DataFrame(
        {
            "Precision": [_figure(counts.precision), _figure(frames.precision)],
            "Recall": [_figure(counts.recall), _figure(frames.recall)],
            "F1": [_figure(counts.f1), _figure(frames.f1)],
            "F1 by chance": [_figure(luck), _figure(frames.f1_of_all)],
            "Found": [f"{one.found} of {one.found + one.missed}" for one in (counts, made.frame_counts)],
            "False alarms": [str(one.wrong) for one in (counts, made.frame_counts)],
            "Overlap": [_figure(made.events.mean_tiou), ""],
        },
        index=["Tricks", "Frames"],
    )
    st.table(table, alt="Figures of tricks and of frames")
    curves = _curves(parts, made.settings)
    points = {
        charts.FRAMES: (frames.recall, frames.precision),
        charts.EVENTS: (counts.recall, counts.precision),
    }
    left, right = st.columns(2)
    words = charts.spoken(curves)
    with left:
        _chart("train_pr", parts, charts.precision_recall(curves, points, frames.prevalence), words)
    with right:
        _chart("train_f1", parts, charts.by_threshold(curves, made.settings.default_threshold), words)
    st.caption(parts.judgement.note if len(parts.videos) == 1 else f"{len(parts.videos)} sessions judged together.")


def _chart(key: str, parts: Tuning, chart: Any, words: str) -> None:
    def take() -> None:
        threshold = charts.picked(st.session_state.get(key))
        if threshold is not None:
            move(parts.session.id, parts.model_id, "default_threshold", threshold)

    st.altair_chart(chart, key=key, on_select=take, selection_mode=[charts.PICK], alt=words)


def _workbench(parts: Tuning, settings: EventSettings, whys: Sequence[Why]) -> None:
    session_id, show_of = st.session_state.get(_SHOW, ("", None))

    def dragged() -> None:
        threshold = WorkbenchState.of(BENCH).threshold
        if threshold is not None:
            move(parts.session.id, parts.model_id, "default_threshold", threshold)

    if not parts.known:
        bench, side = st.container(), None
    else:
        bench, side = st.columns([4, 1], gap="small")
    with bench:
        workbench(
            BENCH,
            parts.footage,
            session=parts.session.id,
            found=found_spans(whys),
            truth=true_spans(parts.videos[0].truth, whys),
            curves=parts.drawn,
            curve="probability",
            threshold=settings.default_threshold,
            show=show_of if session_id == parts.session.id else None,
            on_threshold=dragged,
        )
    if side is not None:
        with side:
            _list(parts, "missed", "Missed", [why for why in whys if why.state == "missed"])
            _list(parts, "wrong", "False alarms", [why for why in whys if why.state == "wrong"])


def _list(parts: Tuning, name: str, title: str, whys: Sequence[Why]) -> None:
    """What went wrong, each with its reason; a click plays it."""
    with st.container(key=f"train_{name}"):
        st.markdown(f"**{title}: {len(whys)}**")
        if not whys:
            st.caption("None in this session.")
        with st.container(height=260 if len(whys) > 3 else "content", border=False):
            for why in whys[:_LISTED]:
                start, end = why.interval.start_frame, why.interval.end_frame
                st.button(
                    f"{clock(float(parts.look.video.pts_s[start]))} · frame {start}",
                    key=f"train_{name}_{start}_{end}",
                    icon=":material/play_arrow:",
                    help="Play it",
                    width="stretch",
                    on_click=show,
                    args=(parts, start, end),
                )
                st.caption(why.sentence)
            if len(whys) > _LISTED:
                st.caption(f"and {len(whys) - _LISTED} more on the timeline")


def _curves(parts: Tuning, settings: EventSettings) -> dict[str, Curve]:
    """They stay the same while the threshold is moved."""
    rules = settings.model_dump_json(exclude={"default_threshold"})
    return _curves_of(parts.key, rules, parts.videos, settings)


@st.cache_resource(max_entries=32, show_spinner=False)
def _curves_of(key: str, rules: str, _videos: Sequence[Judged], _settings: EventSettings) -> dict[str, Curve]:
    return {charts.FRAMES: frame_curve(_videos), charts.EVENTS: event_curve(_videos, _settings)}


def _chance(parts: Tuning) -> float:
    return _scattered(parts.key, parts.videos)


@st.cache_resource(max_entries=32, show_spinner=False)
def _scattered(key: str, _videos: Sequence[Judged]) -> float:
    return scattered(_videos)


def _figure(value: float) -> str:
    return "–" if value != value else f"{value:.2f}"
