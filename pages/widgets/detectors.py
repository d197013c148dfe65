"""Which detector a session uses: the starter or a model of the workspace, and what those are judged by."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import streamlit as st

from core import corrections, validate
from core.detector import Detector, TrickDetector, starter
from core.errors import UserError
from core.judging import Judgements, judge
from core.records import ModelRecord, Session
from core.reviews import reviews
from core.settings import EventSettings
from core.sighting import Look
from core.tune import Judged
from core.validate import Labelled
from pages.widgets.follow import show_value
from pages.widgets.footage import seen
from pages.widgets.media import file_url, open_workspace
from pages.widgets.plain_text import escaped

STARTER = ""
"""Stands for the starter where models go by their id."""
_SHOWN = 6
_LEAVE_ONE, _LAST = "leave one ", "last "
PROTOCOLS = {
    _LEAVE_ONE: "Leave one out",
    _LAST: "Last 20 %",
}
"""How what is shown of a model was validated, by how the names of its outcomes go on after the comma."""
PROTOCOL_WORDS = {
    _LEAVE_ONE: "Each trick (or, of several sessions, each session) is judged by a detector trained without it.",
    _LAST: "Trained on the first 80 % of each session, judged on the rest: few tricks, so the figures jump about.",
}


def detector_of(model_id: str) -> Detector:
    """The starter, or a model, opened once in this process. Not to be changed.

    Raises:
        UserError: the model is gone or damaged.
    """
    return _opened(model_id, str(open_workspace().model(model_id).path)) if model_id else starter()


def tuned(session_id: str, model_id: str) -> EventSettings:
    """The event settings that are tried: those moved last, else those kept for the session, else the detector's."""
    moved: EventSettings | None = st.session_state.get(_tuned_key(session_id, model_id))
    if moved:
        return moved
    kept = open_workspace().settings(session_id)
    if kept.events and (kept.model or STARTER) == model_id:
        return kept.events
    return detector_of(model_id).events


def tune_to(session_id: str, model_id: str, events: EventSettings) -> None:
    """Try these settings; nothing is kept yet."""
    st.session_state[_tuned_key(session_id, model_id)] = events


def keep_tuned(session_id: str, model_id: str) -> None:
    """Let every page and the next run use what is tried."""
    workspace = open_workspace()
    chosen = {"model": model_id or None, "events": tuned(session_id, model_id)}
    settings = workspace.settings(session_id)
    workspace.save_settings(session_id, settings.model_copy(update=chosen), settings)


def choose_model(session_id: str, model_id: str) -> None:
    """Let the session use another detector, with the settings that were last tried with it."""
    workspace = open_workspace()
    events = st.session_state.get(_tuned_key(session_id, model_id))
    chosen = {"model": model_id or None, "events": events}
    settings = workspace.settings(session_id)
    workspace.save_settings(session_id, settings.model_copy(update=chosen), settings)


def load_model(session_id: str, content: bytes, file_name: str) -> None:
    """Add a model file to the workspace and use it.

    Raises:
        UserError: it is none that Trickline wrote.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.skops"
        path.write_bytes(content)
        try:
            detector = TrickDetector.load(path)
        except UserError as error:
            raise UserError(str(error).replace(path.name, file_name)) from error
    name = Path(file_name).stem
    meta = {"settings": detector.settings.model_dump(), **detector.meta}
    choose_model(session_id, open_workspace().add_model(content, name, meta).id)


def picker(session: Session, model_id: str) -> None:
    """The list of detectors, and the way in and out for their files."""
    models = open_workspace().models()
    everything = st.session_state.get("train_all_models", False)
    shown = [model for k, model in enumerate(models) if everything or k < _SHOWN or model.id == model_id]
    names = {STARTER: "Starter"} | {model.id: escaped(model.name) for model in shown}
    captions = ["Trained on other skaters; needs no labels.", *(escaped(_caption(model)) for model in shown)]
    key = "train_model"
    show_value(key, model_id)
    st.radio(
        "Detector",
        list(names),
        format_func=lambda one: names.get(one, one),
        captions=captions,
        key=key,
        label_visibility="collapsed",
        on_change=lambda: choose_model(session.id, st.session_state[key]),
    )
    if len(models) > _SHOWN:
        st.toggle(f"Show all {len(models)} models", key="train_all_models")
    with st.popover("Model files", icon=":material/folder_open:"):
        if model_id:
            record = open_workspace().model(model_id)
            name = re.sub(r"[^\w -]+", "_", record.name)[:80] or "model"
            st.link_button("Save this model", file_url(record.path, f"{name}.skops"), icon=":material/download:")
        _loader(session)


def labelled(session_id: str) -> Labelled | None:
    """What was seen in a session, and what is known of it by labels and decisions: nothing where there are none. None
    if it was never looked at.

    Raises:
        UserError: see :func:`core.corrections.labelled`.
    """
    workspace = open_workspace()
    if session_id not in {session.id for session in workspace.sessions()}:
        return None
    session = workspace.session(session_id)
    look = seen(session)
    if look is None:
        return None
    taught = corrections.labelled(workspace, session, look)
    if taught is not None:
        return taught
    # Somebody may have said that there is no trick in all of it.
    return Labelled(replace(look.example(()), known=None if workspace.labels(session_id) else ()), look.video.pts_s)


@dataclass(frozen=True, eq=False)
class Bench:
    """What a detector may be judged by on some sessions."""

    key: str
    """Another one for other footage, labels or measurements."""
    judgements: Judgements
    videos: dict[str, Judged]
    """With the labels, by session."""


def bench(model_id: str, sessions: Sequence[str]) -> Bench:
    """Probabilities to judge and tune a detector by.

    Raises:
        UserError: see :func:`core.judging.judge`.
    """
    return _bench(model_id, tuple((one, _state_of(one)) for one in sessions))


def outcomes(model: ModelRecord, protocol: str) -> dict[str, Mapping[str, Any]]:
    """What the validation of a model found, by who was judged: the model, the starter and the original's recipe."""
    validation: Mapping[str, Mapping[str, Any]] = model.meta.get("validation") or {}
    found: dict[str, Mapping[str, Any]] = {}
    for name, outcome in validation.items():
        who, _, how = name.rpartition(", ")
        if how.startswith(protocol) and who != "original's recipe":
            found = {"This model": outcome} | found
        elif how.startswith(protocol):
            found["The original's recipe"] = outcome
        elif name == validate.STARTER:
            found["Starter"] = outcome
    return found


def warnings_of(model_id: str, look: Look) -> list[str]:
    """In which ways the session differs from what the model was made for."""
    detector = detector_of(model_id)
    return detector.warnings_for(look.signals.table, look.backend) if isinstance(detector, TrickDetector) else []


def _tuned_key(session_id: str, model_id: str) -> str:
    return f"train_tuned:{session_id}:{model_id}"


@st.cache_resource(max_entries=8, show_spinner="Opening the model")
def _opened(model_id: str, path: str) -> TrickDetector:
    return TrickDetector.load(Path(path))


def _state_of(session_id: str) -> tuple[Any, ...]:
    """Changes whenever what was measured in a session, labelled or decided changes."""
    workspace = open_workspace()
    labels = workspace.labels(session_id)
    looked = workspace.session(session_id).facts.get("looked")
    settings = workspace.settings(session_id)
    measured = (str(workspace.home), str(looked), settings.guardrails.model_dump_json(), workspace.subjects(session_id))
    decided = repr(reviews(workspace, session_id))
    # By decisions is known what lies near them and is not found besides.
    finds = settings.model_dump_json(include={"model", "events"}) if decided != "[]" else ""
    return (*measured, labels and labels.saved_at, decided, finds)


@st.cache_resource(max_entries=8, show_spinner="Judging the footage by detectors that have not seen it")
def _bench(model_id: str, sessions: tuple[tuple[str, tuple[Any, ...]], ...]) -> Bench:
    workspace = open_workspace()
    model = workspace.model(model_id) if model_id else None
    made = judge(workspace, detector_of(model_id), model, [one for one, _ in sessions], labelled)
    judged = {}
    for content, judgement in made.by_video.items():
        video = labelled(content)
        if video is not None:
            judged[content] = Judged.of(video, judgement.probability)
    return Bench(repr((model_id, sessions)), made, judged)


def _caption(model: ModelRecord) -> str:
    """Date, sessions and the event F1 on what it had not seen."""
    sessions = len(model.meta.get("sessions") or model.meta.get("videos") or [])
    parts = [f"{model.added_at:%d %b %Y %H:%M} UTC", f"{sessions} session{'' if sessions == 1 else 's'}"]
    for protocol in PROTOCOLS:
        outcome = outcomes(model, protocol).get("This model")
        if outcome:
            f1 = outcome["events"]["tiou"]["0.1"]["f1"]
            parts.append(f"trick F1 {f1:.2f} ({PROTOCOLS[protocol].lower()})" if f1 is not None else "nothing to find")
            break
    return " · ".join(parts)


def _loader(session: Session) -> None:
    """The uploader, anew after each file."""
    count = st.session_state.get("train_loads", 0)
    key = f"train_load_{count}"

    def take() -> None:
        file = st.session_state[key]
        if file is None:
            return
        try:
            load_model(session.id, file.getvalue(), file.name)
        except UserError as error:
            st.session_state["train_load_error"] = str(error)
            return
        st.session_state["train_loads"] = count + 1

    st.session_state.pop("train_load_error", None) if st.session_state.get(key) is None else None
    st.file_uploader("Load a model file (.skops)", type=["skops"], key=key, on_change=take)
    if error := st.session_state.get("train_load_error"):
        st.error(escaped(error))
