"""What an export is to make: the bar that starts it with one click, and the choices behind it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

import streamlit as st

from core.clips import ClipPlan
from core.errors import UserError
from core.export.names import clip_names
from core.intervals import Interval
from core.records import Session
from core.settings import DEFAULT_NAME, EXPORT_KINDS, Encoder, ExportKind, SessionSettings
from core.timecode import clock
from core.tricks import MAX_STARS, Trick
from core.video import Video
from pages.widgets import review
from pages.widgets.early_starts import early_words
from pages.widgets.exports import GROUPS
from pages.widgets.media import open_workspace
from pages.widgets.plain_text import count, escaped
from pages.widgets.reel_knobs import reel_knobs
from pages.widgets.review import Memory

_EACH: Mapping[ExportKind, str] = {"clips": "clip", "gif": "GIF", "webp": "WebP", "poster": "poster"}
"""One file a clip."""
_SHORT: Mapping[ExportKind, str] = {
    "otio": "OTIO", "edl": "EDL", "fcpxml": "FCPXML", "xmeml": "XMEML", "llc": "LosslessCut",
    "chapters": "chapters", "ffmetadata": "FFmpeg chapters", "csv": "CSV",
    "reel": "reel", "contact": "contact sheet",
}  # fmt: skip
_MOST_LISTS = 3
"""More edit lists than these are counted and not named."""
_ENCODERS: Mapping[Encoder, str] = {
    "software": "The same everywhere, and the better picture for its size.",
    "hardware": "Faster and less even, where this machine has one; else software.",
}


def export_bar(
    kept: Memory,
    session: Session,
    video: Video,
    settings: SessionSettings,
    wanted: Sequence[Interval],
    listed: Sequence[Trick],
    plans: Sequence[ClipPlan],
    *,
    below: bool,
) -> None:
    """What a click would make, and the button for it.

    Args:
        wanted: the tricks that an export holds.
        listed: all that there is to review.
        plans: of the clips that they come into.
        below: whether there is something that only a lower threshold finds.
    """
    wrong = _wrong(settings, video, plans)
    with st.container(key="review_bar", horizontal=True, vertical_alignment="center"):
        with st.container(gap=None):
            st.markdown(f"**{made_words(settings, plans, len(wanted))}**")
            if wrong:
                st.caption(f":red[{escaped(wrong)}]")
            elif not wanted:
                st.caption("Everything is left out: keep at least one trick, or ask for fewer stars.")
            else:
                st.caption(_left_out_words(session, video, settings, plans, below))
        st.selectbox(
            "Stars",
            range(MAX_STARS + 1),
            index=kept.min_stars,
            on_change=partial(_ask_for_stars, kept),
            format_func=lambda stars: f"from {'★' * stars}" if stars else "any stars",
            key="review_min_stars",
            label_visibility="collapsed",
            width=150,
        )
        with st.popover("What to make", icon=":material/checklist:", key="review_what", width="content"):
            _choices(session, video, settings, plans)
        ready = bool(wanted) and not wrong
        if st.button("Export", type="primary", icon=":material/movie:", key="review_export", disabled=not ready):
            try:
                review.export(open_workspace(), session.id, wanted, listed)
            except UserError as error:
                st.error(escaped(str(error)))
            else:
                st.rerun()


def made_words(settings: SessionSettings, plans: Sequence[ClipPlan], tricks: int) -> str:
    """What a click makes, such as ``5 clips · 7 tricks · reel · EDL · 0:31.20 · exact``; plain text."""
    kinds = [kind for kind in EXPORT_KINDS if kind in settings.kinds]
    made = [count(len(plans), _EACH[kind]) if kind in _EACH else _SHORT[kind] for kind in kinds]
    lists = [_SHORT[kind] for kind in kinds if kind in GROUPS["Into the editor"]]
    if len(lists) > _MOST_LISTS:
        made = [*made[: -len(lists)], f"{len(lists)} edit lists"]
    made.insert(1 if "clips" in kinds else 0, count(tricks, "trick"))
    made.append(clock(sum(plan.end_s - plan.start_s for plan in plans)))
    if "clips" in kinds:
        made.append(settings.clips.mode if settings.framing.aspect == "source" else settings.framing.aspect)
    return " · ".join(made)


def _wrong(settings: SessionSettings, video: Video, plans: Sequence[ClipPlan]) -> str:
    """Why nothing can be made with these settings; empty if it can."""
    if not settings.kinds:
        return "Nothing is chosen: open What to make."
    try:
        settings.export()
        clip_names(settings.name, video.path, plans)
    except UserError as error:
        return str(error)
    return ""


def _left_out_words(
    session: Session, video: Video, settings: SessionSettings, plans: Sequence[ClipPlan], below: bool
) -> str:
    """What is in it and what is not, and which clips begin early: Markdown."""
    words = ["All that is not rejected; undecided tricks count as kept."]
    if below:
        words.append("What was not found counts once it is kept.")
    if settings.clips.mode == "fast" and "clips" in settings.kinds:
        try:
            words.append(escaped(early_words(session, video, plans)))
        except UserError as error:
            words.append(escaped(str(error)))
    return " ".join(filter(None, words))


def _choices(session: Session, video: Video, settings: SessionSettings, plans: Sequence[ClipPlan]) -> None:
    """The kinds, the files' names and how they are encoded. Everything is kept for the session at once.

    The widgets are told their values in each run: those of a closed popover forget what they were told once.
    """
    kinds, rest = st.columns(2, gap="medium")
    with kinds:
        for group, members in GROUPS.items():
            st.caption(group)
            with st.container(gap="xxsmall"):
                for kind, words in members.items():
                    key = f"review_kind_{kind}"
                    st.session_state[key] = kind in settings.kinds
                    st.checkbox(words, key=key, on_change=partial(_toggle, session.id, kind))
    with rest:
        _names(session, video, settings, plans)
        if "clips" in settings.kinds and settings.clips.mode == "exact":
            st.session_state["review_encoder"] = settings.clips.encoder
            st.radio(
                "Encoder",
                list(_ENCODERS),
                format_func=str.capitalize,
                captions=list(_ENCODERS.values()),
                key="review_encoder",
                on_change=_encode,
                args=(session.id,),
            )
        if "reel" in settings.kinds:
            reel_knobs(session, settings.reel)


def _ask_for_stars(kept: Memory) -> None:
    kept.min_stars = st.session_state["review_min_stars"]


def _toggle(session_id: str, kind: ExportKind) -> None:
    workspace = open_workspace()
    chosen = {*workspace.settings(session_id).kinds} - {kind}
    if st.session_state[f"review_kind_{kind}"]:
        chosen.add(kind)
    review.save(workspace, session_id, kinds=tuple(one for one in EXPORT_KINDS if one in chosen))


def _encode(session_id: str) -> None:
    review.save(open_workspace(), session_id, "clips", encoder=st.session_state["review_encoder"])


def _names(session: Session, video: Video, settings: SessionSettings, plans: Sequence[ClipPlan]) -> None:
    def named() -> None:
        wished = str(st.session_state["review_name"]).strip()
        review.save(open_workspace(), session.id, name=wished or DEFAULT_NAME)

    st.session_state["review_name"] = settings.name
    st.text_input(
        "Names of the files",
        key="review_name",
        max_chars=120,
        help="Text with {session}, {index}, {label} and {start}; {index:02d} is a number of two digits. "
        "Empty for the usual ones.",
        on_change=named,
    )
    try:
        names = clip_names(settings.name, video.path, plans)
    except UserError as error:
        st.error(escaped(str(error)))
    else:
        st.caption(escaped(f"Such as {names[0]}" if names else "There is no clip to name yet."))
