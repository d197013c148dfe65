"""Learn from labels, and tune on the video itself: what is found, missed and wrong at every setting."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd
import streamlit as st

from core import jobs
from core.corrections import Taught, taught
from core.detector import TrickDetector
from core.errors import UserError
from core.records import Session
from core.settings import FeatureSet, ModelKind, TrainSettings
from core.sighting import Look
from core.tune import scattered
from core.validate import usual_events
from pages.widgets import charts
from pages.widgets.detectors import (
    PROTOCOL_WORDS,
    PROTOCOLS,
    STARTER,
    Bench,
    bench,
    choose_model,
    detector_of,
    outcomes,
    picker,
    warnings_of,
)
from pages.widgets.footage import curves, describe, seen
from pages.widgets.jobs import follow
from pages.widgets.media import open_workspace
from pages.widgets.plain_text import count, escaped
from pages.widgets.session_bar import not_processed, session_bar
from pages.widgets.tuning import Tuning, tuning

_JOB = "train_job"
_TAKEN = "train_taken"
_FEATURES: dict[FeatureSet, tuple[str, str]] = {
    "motion": ("Motion (recommended)", "How the body rises and falls against the background, its pose and the sound."),
    "temporal": ("Pose over time", "tuck_ratio and its statistics around each frame: the original's recipe."),
    "rich_temporal": ("Rich pose over time", "The same with place, size and how sure each joint is."),
    "rich": ("Rich pose", "Pose, place and sureness of single frames."),
    "basic": ("Basic pose", "Four measures of single frames: the least that can be learned from."),
}
_ESTIMATORS: dict[ModelKind, tuple[str, str]] = {
    "adapted": (
        "The starter, adapted",
        "Knows what the starter knows, and is as sure as your corrections say it should be.",
    ),
    "rf": ("Forest", "Steady from the first handful of tricks on."),
    "gb": ("Boosting", "Sharper from some fifty tricks on; too sure of itself with a handful."),
    "logreg": ("Logistic regression", "Trains in a moment; good for a first impression."),
}


def start_training(session_id: str, sessions: list[str] | None, settings: TrainSettings, name: str) -> None:
    """Put the training into the queue, for the session that the page shows to use its model.

    Args:
        sessions: their ids; None for all that teach something.
    """
    arguments = {"sessions": sessions, "settings": settings.model_dump(), "name": name}
    try:
        st.session_state[_JOB] = jobs.submit(open_workspace(), "train", arguments, session_id).id
    except UserError as error:
        st.session_state["train_error"] = str(error)


def learn_from() -> dict[str, Taught]:
    """Sessions that can be learned from, and what there is to learn, by id."""
    workspace = open_workspace()
    looked = [session.id for session in workspace.sessions() if session.facts.get("looked")]
    return {one: there for one in looked if (there := taught(workspace, one))}


def _counts(there: Taught) -> str:
    """Such as "3 kept, 1 rejected"."""
    parts = {"labelled": there.labelled, "kept": there.kept, "rejected": there.rejected}
    return ", ".join(f"{number} {word}" for word, number in parts.items() if number)


def _method() -> TrainSettings:
    """How to train. What it sees is asked only where there is a choice."""
    estimator = st.selectbox(
        "How it learns", list(_ESTIMATORS), format_func=lambda one: _ESTIMATORS[one][0], key="train_estimator"
    )
    st.caption(_ESTIMATORS[estimator][1])
    if estimator == "adapted":
        return TrainSettings(feature_set="kinematics", model=estimator)
    features = st.selectbox(
        "What it sees", list(_FEATURES), format_func=lambda one: _FEATURES[one][0], key="train_features"
    )
    st.caption(_FEATURES[features][1])
    return TrainSettings(feature_set=features, model=estimator)


def _training(session: Session) -> None:
    """The form, and the training that runs."""
    ready = learn_from()
    workspace = open_workspace()
    if not ready:
        st.write(
            "Nothing is labelled yet. Review what was found, or label a handful of tricks: a detector learns from it."
        )
        with st.container(horizontal=True):
            st.page_link("pages/5_review.py", label="Review what was found", icon=":material/rate_review:")
            st.page_link("pages/3_label.py", label="Label the tricks", icon=":material/label:")
        return
    settings = _method()
    models = len(workspace.models())
    with st.container(horizontal=True, vertical_alignment="bottom"):
        name = st.text_input("Name", value=f"Detector {models + 1}", max_chars=80, key=f"train_name_{models}")
        st.button(
            "Train on everything",
            type="primary",
            icon=":material/model_training:",
            disabled=not name.strip(),
            key="train_everything",
            on_click=start_training,
            args=(session.id, None, settings, name.strip()),
        )
    st.caption(f"Everything: {count(len(ready), 'session')}, {_counts(sum(ready.values(), Taught()))}.")
    with st.expander("Choose sessions", icon=":material/checklist:"):
        names = {one: f"{workspace.session(one).name} · {_counts(there)}" for one, there in ready.items()}
        sessions = st.multiselect(
            "Sessions to learn from",
            list(names),
            default=[session.id] if session.id in ready else list(names),
            format_func=lambda one: names.get(one, one),
            key=f"train_sessions_{session.id}",
            placeholder="Choose labelled or reviewed sessions",
            help=f"Processed, and labelled or reviewed: {len(ready)} of {len(workspace.sessions())} sessions.",
        )
        st.button(
            "Train on these",
            disabled=not sessions or not name.strip(),
            key="train_start",
            on_click=start_training,
            args=(session.id, sessions, settings, name.strip()),
        )
    if error := st.session_state.pop("train_error", None):
        st.error(escaped(error))


def _running(session: Session) -> None:
    """The training that runs or ran last; a new model is used at once."""
    workspace = open_workspace()
    mine = st.session_state.get(_JOB)
    running = [job.id for job in jobs.jobs(workspace, active_only=True) if job.kind == "train"]
    job_id = mine or next(iter(running), None)
    if job_id is None:
        return
    job = follow(workspace, job_id, "train_follow")
    for sentence in (job.result or {}).get("skipped", []):
        st.warning(escaped(sentence))
    # Only what was started here, for this session, is chosen by itself: another tab's training is that tab's.
    if job.state == "done" and job.id == mine and job.session_id == session.id and st.session_state.get(_TAKEN) != mine:
        st.session_state[_TAKEN] = job.id
        choose_model(session.id, (job.result or {})["model"])
        st.rerun()


def _outcome(model_id: str, made: Bench) -> None:
    """What the chosen model is worth on what it was not trained on, beside what it has to beat."""
    if model_id == STARTER:
        st.write(
            "The starter was trained on other skaters. It goes by how feet, hips and shoulders rise and fall against "
            "the background. A detector that learns from you is compared with it here, on footage new to both."
        )
        return
    model = open_workspace().model(model_id)
    how = st.segmented_control(
        "Judged by",
        list(PROTOCOLS),
        format_func=PROTOCOLS.__getitem__,
        default=next(iter(PROTOCOLS)),
        required=True,
        key="train_protocol",
        help="On what the detector was not trained on.",
    )
    found = outcomes(model, how or next(iter(PROTOCOLS)))
    if "This model" not in found:
        st.info("Too little was labelled to leave a part of it out and judge by that: label more tricks.")
    if found:
        st.table(_compared(found, made), alt="The model, the starter, the original's recipe and chance")
        st.caption(f"{PROTOCOL_WORDS[how or next(iter(PROTOCOLS))]} {_at_which_threshold(model_id)}".strip())
    if len(open_workspace().models()) > 1:
        with st.expander("Compare models", icon=":material/compare_arrows:"):
            figure = st.column_config.NumberColumn(format="%.2f")
            table = _models_compared(how or next(iter(PROTOCOLS)))
            st.dataframe(table, hide_index=True, column_config={"Trick F1": figure, "Frame AP": figure})
            st.caption("Each was judged on what was left out of its own training, so compare those of one footage.")
    curve = model.meta.get("learning_curve")
    if curve:
        with st.expander("What your corrections were worth", icon=":material/trending_up:", expanded=True):
            st.altair_chart(charts.learning(curve), key="train_learning", alt=charts.spoken_learning(curve))
            st.caption(
                "Your labels and decisions replayed, the most uncertain first: each figure is of a detector that had "
                "learnt from so many of them, on footage that none of them came from. False alarms a minute: "
                f"{_figure(curve[0]['false_alarms_per_minute'])} before, "
                f"{_figure(curve[-1]['false_alarms_per_minute'])} after the last."
            )
    parts = [(part.title, part.drop) for part in made.judgements.importance]
    if parts:
        with st.expander("What it goes by", icon=":material/bar_chart:"):
            words = "Average precision lost without " + ", ".join(f"{name}: {drop:.2f}" for name, drop in parts)
            st.altair_chart(charts.importance(parts), key="train_importance", alt=words)
            st.caption("A signal is mixed up among the frames; what the detector loses by it is its weight.")


def _at_which_threshold(model_id: str) -> str:
    """A sentence, where the model came with settings of its own: those were chosen on the tricks that it is judged by,
    and would flatter it."""
    detector = detector_of(model_id)
    usual = usual_events(detector.settings) if isinstance(detector, TrickDetector) else detector.events
    if detector.events == usual:
        return ""
    return (
        f"It is judged at a threshold of {usual.default_threshold:g} and the usual rules. The model's own threshold, "
        f"{detector.events.default_threshold:g}, was chosen on these tricks and would flatter it."
    )


def _compared(found: Mapping[str, Mapping[str, Any]], made: Bench) -> pd.DataFrame:
    """A row each, with chance as the last."""
    rows = {}
    for who, outcome in found.items():
        events, frames = outcome["events"], outcome["frames"]
        counts = events["tiou"]["0.1"]
        rows[who] = {
            "Tricks found": f"{counts['found']} of {counts['found'] + counts['missed']}",
            "False alarms": str(counts["wrong"]),
            "Trick F1": _figure(counts["f1"]),
            "Mean overlap": _figure(events["mean_tiou"]),
            "Frame AP": _figure(frames["average_precision"]),
        }
    labelled = [video for video in made.videos.values() if video.truth]
    rows["Chance"] = {
        "Tricks found": "",
        "False alarms": "",
        "Trick F1": _figure(scattered(labelled) if labelled else None),
        "Mean overlap": "",
        "Frame AP": _figure(next(iter(found.values()))["frames"]["prevalence"]),
    }
    return pd.DataFrame.from_dict(rows, orient="index")


def _figure(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}"


def _models_compared(protocol: str) -> pd.DataFrame:
    """All models beside each other, the newest first."""
    rows = []
    for model in open_workspace().models():
        outcome = outcomes(model, protocol).get("This model")
        counts = outcome["events"]["tiou"]["0.1"] if outcome else {}
        settings = model.meta.get("settings", {})
        rows.append(
            {
                "Name": model.name,
                "Made": f"{model.added_at:%d %b %Y %H:%M}",
                "Method": f"{settings.get('feature_set', '?')}, {settings.get('model', '?')}",
                "Sessions": len(model.meta.get("sessions") or model.meta.get("videos") or []),
                "Tricks found": f"{counts['found']} of {counts['found'] + counts['missed']}" if counts else "–",
                "False alarms": str(counts["wrong"]) if counts else "–",
                "Trick F1": counts.get("f1"),
                "Frame AP": outcome["frames"]["average_precision"] if outcome else None,
            }
        )
    return pd.DataFrame(rows)


def _scope(session: Session) -> list[str]:
    """What is judged together, the session first."""
    ready = learn_from()
    others = [one for one in st.session_state.get(f"train_sessions_{session.id}", []) if one != session.id]
    others = [one for one in others if one in ready]
    if session.id not in ready or not others:
        return [session.id]
    together = st.segmented_control(
        "Tune on",
        ["one", "all"],
        format_func={"one": "This session", "all": f"All {len(others) + 1} chosen"}.__getitem__,
        default="one",
        required=True,
        key="train_scope",
    )
    return [session.id, *others] if together == "all" else [session.id]


def _page(session: Session, look: Look) -> None:
    workspace = open_workspace()
    model_id = workspace.settings(session.id).model or STARTER
    try:
        detector = detector_of(model_id)
    except UserError as error:
        st.error(escaped(str(error)))
        st.button("Use the starter", on_click=choose_model, args=(session.id, STARTER))
        return
    left, right = st.columns([5, 7], gap="medium")
    with left, st.container(border=True, key="train_learn"):
        st.markdown("#### Learn from labels and decisions")
        _training(session)
        _running(session)
    with right, st.container(border=True, key="train_outcome"):
        st.markdown("#### Detector of this session")
        picker(session, model_id)
        for warning in warnings_of(model_id, look):
            st.warning(escaped(warning))
        scope = _scope(session)
        made = bench(model_id, scope)
        _outcome(model_id, made)
    st.markdown("#### Tune it on this video")
    videos = tuple(made.videos[one] for one in scope)
    judgement = made.judgements.by_video[session.id]
    if judgement.origin == "known by heart":
        st.warning(judgement.note)
    probability = pd.Series(judgement.probability, index=look.signals.table["frame"].to_numpy())
    tuning(
        Tuning(
            session,
            look,
            model_id,
            detector,
            judgement,
            videos,
            made.key,
            describe(session, look),
            tuple(curves(look, probability)),
        )
    )


chosen = session_bar("Train")
if chosen is None:
    st.stop()
kept = seen(chosen)
if kept is None:
    not_processed(chosen)
    st.stop()
_page(chosen, kept)
