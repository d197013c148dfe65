"""How the reel is made, and the music beneath it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, get_args

import streamlit as st

from core.errors import UserError
from core.records import Session
from core.reel.presets import PRESETS
from core.settings import ReelOrder, ReelPreset, ReelSettings, Transition
from pages.widgets import music, review
from pages.widgets.media import file_url, open_workspace
from pages.widgets.plain_text import escaped

_PRESETS: Mapping[ReelPreset, str] = {
    "instagram": "Instagram Reel, 9:16",
    "short": "YouTube Short, 9:16",
    "full": "Wide, the whole picture",
}
_ORDERS: Mapping[ReelOrder, str] = {"time": "As filmed", "stars": "Most stars first"}
_TRANSITIONS: Mapping[Transition, str] = {"cut": "Cut", "fade": "Fade"}
_SERIAL = "review_music_serial"
_ERROR = "review_music_error"


def reel_knobs(session: Session, reel: ReelSettings) -> None:
    """The widgets follow the session's settings, and change them."""

    def changed(name: str) -> None:
        value = st.session_state[f"review_reel_{name}"]
        review.save(open_workspace(), session.id, "reel", **{name: value.strip() if name == "title" else value})

    def keyed(name: str) -> dict[str, Any]:
        st.session_state[f"review_reel_{name}"] = getattr(reel, name)
        return {"key": f"review_reel_{name}", "on_change": changed, "args": (name,)}

    st.divider()
    st.selectbox("Reel for", get_args(ReelPreset), format_func=_PRESETS.__getitem__, **keyed("preset"))
    st.radio("Order", get_args(ReelOrder), format_func=_ORDERS.__getitem__, horizontal=True, **keyed("order"))
    longest_s = PRESETS[reel.preset].longest_s
    st.number_input(
        "Longest, seconds",
        min_value=1.0,
        max_value=3600.0,
        value=None,
        step=5.0,
        format="%.0f",
        placeholder=f"up to {longest_s:.0f}" if longest_s else "any length",
        help="What would make it longer is left out, the least liked first.",
        **keyed("target_s"),
    )
    st.text_input("Title on a card before it", max_chars=80, placeholder="no card", **keyed("title"))
    st.checkbox("Name and number of each trick in the picture", **keyed("captions"))
    st.checkbox("Each trick once more, slowed down", **keyed("replay"))
    st.radio(
        "From clip to clip",
        get_args(Transition),
        format_func=_TRANSITIONS.__getitem__,
        horizontal=True,
        **keyed("transition"),
    )
    _music(session, reel)


def _music(session: Session, reel: ReelSettings) -> None:
    """The sound file: taken, played, removed again."""

    def sent() -> None:
        given = st.session_state[f"review_music_{st.session_state.get(_SERIAL, 0)}"]
        st.session_state[_ERROR] = None
        if given is None:
            return
        st.session_state[_SERIAL] = st.session_state.get(_SERIAL, 0) + 1  # an uploader without what was taken
        try:
            path = music.keep(open_workspace(), given.name, given.getvalue())
        except UserError as error:
            st.session_state[_ERROR] = str(error)
            return
        review.save(open_workspace(), session.id, "reel", music=str(path))

    def removed() -> None:
        music.remove(open_workspace(), session.id)

    if reel.music is None:
        st.file_uploader(
            "Music beneath it",
            type=list(music.SUFFIXES),
            max_upload_size=music.MOST_MB,
            key=f"review_music_{st.session_state.get(_SERIAL, 0)}",
            on_change=sent,
        )
    else:
        st.caption("Music beneath it")
        with st.container(horizontal=True, vertical_alignment="center", key="review_music"):
            st.html(f'<audio src="{file_url(reel.music)}" controls preload="metadata"></audio>', width="stretch")
            st.button("Remove", icon=":material/delete:", key="review_music_remove", on_click=removed)
    if st.session_state.get(_ERROR):
        st.error(escaped(st.session_state[_ERROR]))
