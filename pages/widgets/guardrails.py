"""What the guardrails did to a session, in words, and the knobs that decide it."""

from __future__ import annotations

import streamlit as st

from core.metrics import REASON_WORDS, rejected_stretches
from core.records import Session
from core.settings import GuardrailSettings
from core.sighting import Look
from core.workspace import Workspace
from pages.widgets.workbench import Show

_STRIDES = (1, 2, 3, 4)
_KNOBS = {
    "edge_margin": ("Edge margin", 0.2, 0.005, "A box closer to the border (share of the frame) is cut off."),
    "min_torso_len": ("Minimum torso", 0.3, 0.005, "Shorter torsos (share of the frame's height) are not measured."),
    "min_tuck_ratio": ("Minimum ratio", 1.0, 0.05, "Legs shorter than this many torsos are a failed pose."),
}
"""The guardrails by name: title, highest value, step and what it is for."""
_SHOWN = "guardrails_shown"


def guardrail_strip(session_id: str, look: Look) -> None:
    """Say how many frames each guardrail rejected; each count leads to its frames."""
    counts = look.signals.rejections
    total = look.camera.n
    with st.container(horizontal=True, vertical_alignment="center", key="guardrail_strip"):
        st.text(f"{total - sum(counts.values())} of {total} frames usable", width="content")
        for reason, count in counts.items():
            if count:
                stretches = rejected_stretches(look.signals.table, reason, look.video.n_frames)
                st.button(
                    f"{count} frames: {REASON_WORDS[reason]}" if count > 1 else f"1 frame: {REASON_WORDS[reason]}",
                    key=f"rejected_{reason}",
                    help="Show the next place where this happened",
                    on_click=show_next,
                    args=(session_id, reason, [(one.start_frame, one.end_frame) for one in stretches]),
                )


def show_next(session_id: str, reason: str, stretches: list[tuple[int, int]]) -> None:
    """Let the player go to the next of the stretches, after the last the first."""
    last = st.session_state.get(_SHOWN, {"serial": 0, "session": "", "reason": "", "start": -1})
    after = last["start"] if (last["session"], last["reason"]) == (session_id, reason) else -1
    start, end = next((one for one in stretches if one[0] > after), stretches[0])
    st.session_state[_SHOWN] = {
        "serial": last["serial"] + 1,
        "session": session_id,
        "reason": reason,
        "start": start,
        "end": end,
    }


def shown_reason(session_id: str) -> str | None:
    """The guardrail whose frames are being looked at."""
    shown = st.session_state.get(_SHOWN)
    return shown["reason"] if shown and shown["session"] == session_id else None


def shown_stretch(session_id: str) -> Show | None:
    """Where the player is to go."""
    shown = st.session_state.get(_SHOWN)
    if not shown or shown["session"] != session_id:
        return None
    return Show(shown["serial"], shown["start"], shown["end"])


def knobs(workspace: Workspace, session: Session, look: Look, guardrails: GuardrailSettings) -> None:
    """Stride and guardrails; a change is kept for the session at once."""
    with st.expander("How it is measured: stride and guardrails", icon=":material/tune:", key="timeline_knobs"):
        columns = st.columns(4, gap="medium")
        with columns[0]:
            # The look's own stride is what was paid for; the page begins with it.
            st.session_state.setdefault(_step_key(session.id), 1)
            st.select_slider(
                "Stride",
                _STRIDES,
                key=_step_key(session.id),
                format_func=lambda step: f"1 in {step * look.stride}",
                help="Which frames are measured. More of them than were looked at need a new look, on the upload page.",
            )
        for column, (name, (title, highest, by, words)) in zip(columns[1:], _KNOBS.items(), strict=True):
            key = f"guardrail_{name}"
            # Each time: folded away, a widget forgets what it was told once.
            st.session_state[key] = min(getattr(guardrails, name), highest)
            with column:
                st.slider(
                    title,
                    0.0,
                    highest,
                    step=by,
                    format="%.3f",
                    key=key,
                    help=words,
                    on_change=_keep,
                    args=(workspace, session.id),
                )
        st.button("Defaults", key="guardrail_defaults", on_click=_reset, args=(workspace, session.id))


def chosen_step(session_id: str) -> int:
    """Every n-th of the frames that were looked at is to be measured."""
    return int(st.session_state.get(_step_key(session_id), 1))


def _step_key(session_id: str) -> str:
    return f"guardrails_step {session_id}"


def _keep(workspace: Workspace, session_id: str) -> None:
    chosen = GuardrailSettings(**{name: st.session_state[f"guardrail_{name}"] for name in _KNOBS})
    settings = workspace.settings(session_id)
    workspace.save_settings(session_id, settings.model_copy(update={"guardrails": chosen}), settings)


def _reset(workspace: Workspace, session_id: str) -> None:
    settings = workspace.settings(session_id)
    workspace.save_settings(session_id, settings.model_copy(update={"guardrails": GuardrailSettings()}), settings)
    st.session_state[_step_key(session_id)] = 1
