"""The clip that a trick comes into, as an export would cut it, and the knobs that decide how it is cut."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import streamlit as st
from streamlit_player import st_player

from core import previews
from core.clips import ClipPlan, plan_clips
from core.errors import UserError
from core.framing.bodies import Bodies
from core.framing.crop import CropPath, window_of
from core.framing.session import clip_path
from core.previews import Background, Preview
from core.records import Session
from core.settings import ClipSettings, FramingSettings, SessionSettings
from core.sighting import Look
from core.timecode import clock
from core.tricks import Trick
from core.video import Video
from pages.widgets import review
from pages.widgets.early_starts import early_s
from pages.widgets.footage import bodies
from pages.widgets.framing import SHAPES
from pages.widgets.media import file_url, open_workspace
from pages.widgets.plain_text import count, escaped

_MODES = {
    "exact": "Encoded anew: holds these frames and no others. About a second for each clip.",
    "fast": "Copied as it is, at once: no loss, but it begins at the keyframe before.",
}
_POLL_S = 0.4
_MAX_PADDING_S = 10.0
_MAX_GAP_S = 30.0


@st.cache_resource(show_spinner=False)
def kitchen() -> Background[Preview]:
    """Where previews are made, one at a time for all tabs."""
    return Background()


def plan_for(trick: Trick, video: Video, plans: Sequence[ClipPlan], clips: ClipSettings) -> ClipPlan:
    """Of the clip that a trick comes into, or of one of its own where it comes into none."""
    number = review.plan_of(trick.kept, plans)
    return plans[number] if number is not None else plan_clips([trick.kept], video, clips)[0]


def draw_clip(session: Session, look: Look, trick: Trick, plans: Sequence[ClipPlan], settings: SessionSettings) -> None:
    """The very clip that a trick comes into, looping, in its shape."""
    video, clips = look.video, settings.clips
    number, plan = review.plan_of(trick.kept, plans), plan_for(trick, video, plans, clips)
    width, height = window_of((video.info.width, video.info.height), settings.framing.aspect)
    st.html(f"<style>.st-key-review_preview {{ --width: {width}; --height: {height}; }}</style>")
    crop = _crop(session, look, plan, settings.framing)
    with st.container(key="review_preview"):
        try:
            ready = _preview(session, look, plan, settings, crop)
        except UserError as error:
            st.error(escaped(str(error)))
            return
        if ready is None:
            path = previews.preview_path(open_workspace(), session.id, plan, clips.mode, crop)
            st.fragment(_await_preview, run_every=_POLL_S)(path)
        else:
            # The player knows a video by the end of its address, and stands still without a rate.
            url = f"{file_url(ready.path)}?{ready.path.name}"
            options = {"playing": True, "muted": True, "volume": 0.0, "loop": True, "playback_rate": 1}
            st_player(url, height="100vh", **options, key="review_player")  # as high as its frame, see review.css
    shown = ready or plan
    where = f"Clip {number + 1} of {len(plans)}" if number is not None else "In no clip: it is left out"
    st.text(
        f"{where} · {count(len(plan.events), 'trick')} · {clock(shown.start_s)}–{clock(shown.end_s)} "
        f"(f {shown.start_frame}–{shown.end_frame}) · {clock(shown.end_s - shown.start_s)}"
    )
    for note in crop.notes if crop else ():
        st.caption(escaped(note))
    try:
        early = early_s(session, video, plan) if clips.mode == "fast" else 0.0
    except UserError as error:
        st.error(escaped(str(error)))
        return
    if early:
        st.caption(f"A fast cut begins at the keyframe {early:.2f} s before; the exact mode begins where you want it.")


def clip_knobs(session: Session, settings: SessionSettings) -> None:
    """What decides how the tricks become clips. The widgets follow the session's settings, and change them."""
    workspace, clips = open_workspace(), settings.clips

    def changed(name: str) -> None:
        review.save(workspace, session.id, "clips", **{name: st.session_state[f"review_{name}"]})

    def shaped() -> None:
        review.choose_shape(workspace, session.id, st.session_state["review_aspect"])

    # Each time: folded away, a widget forgets what it was told once.
    for name in ("clip_padding_s", "merge_gap_s", "mode"):
        st.session_state[f"review_{name}"] = getattr(clips, name)
    st.session_state["review_aspect"] = settings.framing.aspect
    cropped = settings.framing.aspect != "source"
    st.segmented_control(
        "Shape", list(SHAPES), format_func=SHAPES.__getitem__, required=True, key="review_aspect", on_change=shaped
    )
    st.slider(
        "Padding before and after, seconds",
        0.0,
        max(_MAX_PADDING_S, clips.clip_padding_s),
        step=0.1,
        key="review_clip_padding_s",
        on_change=changed,
        args=("clip_padding_s",),
    )
    st.slider(
        "Join tricks up to so many seconds apart",
        0.0,
        max(_MAX_GAP_S, clips.merge_gap_s),
        step=0.5,
        key="review_merge_gap_s",
        on_change=changed,
        args=("merge_gap_s",),
        help="They then share a clip. 0 gives each trick its own.",
    )
    st.radio(
        "Cut",
        list(_MODES),
        format_func=str.capitalize,
        captions=list(_MODES.values()),
        key="review_mode",
        disabled=cropped and clips.mode == "exact",
        on_change=changed,
        args=("mode",),
    )
    if cropped:
        st.caption("A crop has to be encoded anew, so these clips are cut exactly. Fast needs the source's shape.")


def _preview(
    session: Session, look: Look, plan: ClipPlan, settings: SessionSettings, crop: CropPath | None
) -> Preview | None:
    """The small copy of a clip; None while it is being made."""
    mode = "exact" if crop else settings.clips.mode
    path = previews.preview_path(open_workspace(), session.id, plan, mode, crop)
    return previews.read(path) or kitchen().ask(
        path, lambda: previews.make_preview(look.video, plan, mode, path, path=crop)
    )


def _await_preview(path: Path) -> None:
    """Draw the page anew once the preview is made, or has failed."""
    if not kitchen().busy(path):
        st.rerun()
    st.caption("Preparing the clip …")


def _crop(session: Session, look: Look, plan: ClipPlan, framing: FramingSettings) -> CropPath | None:
    """The crop of a clip; None for the whole picture."""
    if framing.aspect == "source":
        return None
    settings = open_workspace().settings(session.id)
    key = session.id, session.facts.get("looked"), look.choices, settings.guardrails.model_dump_json()
    return _path((*key, plan, framing.model_dump_json()), bodies(look, settings), look, plan, framing)


@st.cache_resource(max_entries=64, show_spinner=False)
def _path(
    key: tuple[Any, ...], _bodies: Bodies, _look: Look, _plan: ClipPlan, _framing: FramingSettings
) -> CropPath | None:
    return clip_path(_bodies, _look.video, _plan, _framing)
