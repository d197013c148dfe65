"""What the pages show of a session: what was seen in it, and that in the form that the workbench takes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any

import numpy as np
import pandas as pd
import streamlit as st
from numpy.typing import NDArray

from core import pipeline, sighting, thumbnails
from core.detector import Detector
from core.explain import Why, explain
from core.framing.bodies import Bodies
from core.intervals import Event, Interval
from core.metrics import hop
from core.pose import SubjectChoice
from core.records import Session
from core.settings import GuardrailSettings, SessionSettings
from core.sighting import Look
from pages.widgets.media import footage_url, open_workspace, publish, publish_parts
from pages.widgets.skeletons import CHUNK, skeleton_chunk
from pages.widgets.workbench import Curve, Footage, Skeletons, Thumbs

CURVES = {
    "tuck_ratio": ("tuck_ratio", "torso lengths"),
    "hop": ("Hop height", "torso lengths"),
    "ankle_vy": ("Feet, speed upwards", "torso lengths/s"),
    "hip_vy": ("Hips, speed upwards", "torso lengths/s"),
    "leg_extension": ("Leg extension", "torso lengths"),
    "audio_onset": ("Sound onsets", ""),
    "camera_agreement": ("Camera motion, agreement", ""),
}
"""The signals that the timeline offers, by column: title and unit. ``hop`` is the larger of feet and hips."""


def seen(session: Session, guardrails: GuardrailSettings | None = None, step: int = 1) -> Look | None:
    """What was seen in a session; None if nobody has looked at it yet.

    Args:
        guardrails: None takes the session's own.
        step: measure on every n-th of the frames that were looked at.
    """
    workspace = open_workspace()
    if not session.facts.get("looked"):
        return None
    guardrails = guardrails or workspace.settings(session.id).guardrails
    look = _kept(session.id, str(session.path), session.facts["looked"], workspace.subjects(session.id), session)
    if look is None:
        return None
    if step > 1:
        look = _sparser(session.id, session.facts["looked"], look.choices, step, look)
    return look.with_guardrails(guardrails)


def bodies(look: Look, settings: SessionSettings) -> Bodies:
    """What must stay in the picture of a cropped clip."""
    return _bodies((look.content, look.backend, look.stride, look.choices, settings.guardrails.model_dump_json()), look)


def found(session: Session, look: Look, settings: SessionSettings) -> tuple[list[Event], pd.Series]:
    """What the session's detector finds and its probability by sampled frame, as :func:`core.pipeline.found`."""
    events, probability, _ = _found(_key(session, look, settings), look, settings)
    return events, probability


def explained(session: Session, look: Look, settings: SessionSettings, truth: Sequence[Interval] | None) -> list[Why]:
    """Why each trick was found and each of the true ones missed; ``truth`` None where nobody said what is true."""
    events, probability, detector = _found(_key(session, look, settings), look, settings)
    return explain(look, detector, probability.to_numpy(), detector.events, events, truth)


def _key(session: Session, look: Look, settings: SessionSettings) -> tuple[Any, ...]:
    finding = settings.model_dump_json(include={"guardrails", "model", "events"})
    return session.id, look.backend, look.stride, look.choices, finding


@st.cache_resource(max_entries=16, show_spinner=False)
def _found(key: tuple[Any, ...], _look: Look, _settings: SessionSettings) -> tuple[list[Event], pd.Series, Detector]:
    workspace = open_workspace()
    return *pipeline.found(_look, workspace, _settings), pipeline.detector_for(workspace, _settings)


@st.cache_resource(max_entries=4, show_spinner=False)
def _bodies(key: tuple[Any, ...], _look: Look) -> Bodies:
    return pipeline.skater(_look).bodies


@st.cache_resource(max_entries=4, show_spinner=False)
def _kept(
    session_id: str, path: str, looked: dict[str, Any], choices: tuple[SubjectChoice, ...], _session: Session
) -> Look | None:
    return sighting.kept(_session, open_workspace())


@st.cache_resource(max_entries=4, show_spinner=False)
def _sparser(
    session_id: str, looked: dict[str, Any], choices: tuple[SubjectChoice, ...], step: int, _look: Look
) -> Look:
    return _look.every(step)


def choose_subject(session_id: str, click: Mapping[str, Any]) -> None:
    """Somebody was clicked on in the picture: he is the skater from there on.

    Args:
        click: what the workbench sent: ``frame``, ``x`` and ``y``, the last two in 0..1 of the picture.
    """
    choice = SubjectChoice(int(click["frame"]), float(click["x"]), float(click["y"]))
    open_workspace().choose_subject(session_id, choice)


def describe(session: Session, look: Look) -> Footage:
    """A session's video for the workbench."""
    info = look.video.info
    sprite = thumbnails.read(thumbnails.thumbnails_path(open_workspace(), session.id))
    return Footage(
        src=footage_url(session.id),
        times_url=publish(look.video.pts_s.astype("<f8").tobytes()),
        n_frames=look.video.n_frames,
        duration_s=info.duration_s,
        rate=float(Fraction(info.average_rate)),
        width=info.width,
        height=info.height,
        thumbs=Thumbs(
            publish(sprite.path.read_bytes(), "image/jpeg"), sprite.columns, sprite.width, sprite.height, sprite.times_s
        )
        if sprite
        else None,
        skeletons=_skeletons(look),
    )


def curves(look: Look, probability: pd.Series | None = None) -> list[Curve]:
    """The signals, and the probability of a trick first if it is given."""
    table = look.signals.table
    frames_url = publish(table["frame"].to_numpy().astype("<i4").tobytes())
    values = {"hop": hop(table)} | {
        name: table[name].where(table["rejected"] == "") if name == "tuck_ratio" else table[name]
        for name in CURVES
        if name != "hop"
    }
    drawn = [Curve(name, title, unit, frames_url, _values_url(values[name])) for name, (title, unit) in CURVES.items()]
    if probability is not None:
        certain = Curve("probability", "Probability", "", frames_url, _values_url(probability), 0.0, 1.0)
        drawn.insert(0, certain)
    return drawn


def _values_url(values: pd.Series) -> str:
    column: NDArray[np.float32] = values.to_numpy(dtype="<f4")
    return publish(column.tobytes())


def _skeletons(look: Look) -> Skeletons:
    frames = look.camera.frame

    def chunk(number: int) -> bytes:
        return skeleton_chunk(look.pose, frames, look.signals.rows, number, CHUNK)

    key = f"{look.content} {look.backend} {look.stride} {look.choices}"
    return Skeletons(publish_parts(key, chunk), publish(frames.astype("<i4").tobytes()), CHUNK)
