"""Naming a folder of this computer: its path, pasted, or found in a dialog."""

from __future__ import annotations

from typing import Any

import streamlit as st

from core.errors import UserError
from core.footage_folder import Listing, list_footage
from pages.widgets.plain_text import count, escaped

_WHERE = "folder_choice_where"


def kept_input(key: str, default: Any) -> dict[str, Any]:
    """What a widget with this key is to be given so that it keeps its value while other parts of the page are shown,
    for Streamlit forgets a widget that is not drawn."""
    kept = f"{key}_kept"
    # In every run: a run that is cut short may never tell the browser, which would then begin with nothing, or with the
    # least number that it takes, and send that back as if somebody had chosen it.
    st.session_state[key] = st.session_state.get(kept, default)
    return {"key": key, "on_change": lambda: st.session_state.update({kept: st.session_state[key]})}


def folder_input(label: str, key: str, help: str, placeholder: str = "") -> str:
    """Draw the choice; the path as it was typed, without blanks around it, or empty."""
    with st.container(horizontal=True, vertical_alignment="bottom"):
        text = st.text_input(label, help=help, placeholder=placeholder, autocomplete="off", **kept_input(key, ""))
        if st.button("Browse", icon=":material/folder_open:", key=f"{key}_browse"):
            _browse(f"{key}_kept")
    return str(text).strip()


@st.dialog("Choose a folder")
def _browse(kept: str) -> None:
    try:
        listing = list_footage(st.session_state.get(_WHERE, ""))
    except UserError as error:
        st.error(escaped(str(error)), icon=":material/error:")
        st.button("Back to the beginning", on_click=_go, args=("",))
        return
    _trail(listing)
    with st.container(horizontal=True, gap="xsmall"):
        for name in listing.folders:
            below = listing.below(name)
            st.button(escaped(name), icon=":material/folder:", key=f"choice_{below}", on_click=_go, args=(below,))
    st.caption(f"{count(len(listing.folders), 'folder')} and {count(len(listing.videos), 'video')} in here.")
    if st.button("Take this folder", type="primary", key="folder_choice_take"):
        st.session_state[kept] = str(listing.root / listing.folder)
        st.rerun()


def _trail(listing: Listing) -> None:
    with st.container(horizontal=True, vertical_alignment="center", gap="xxsmall"):
        for name, folder in listing.trail[:-1]:
            st.button(escaped(name), type="tertiary", key=f"choice_trail_{folder}", on_click=_go, args=(folder,))
            st.text("/")
        st.button(escaped(listing.trail[-1][0]), type="tertiary", key="choice_trail_here", disabled=True)


def _go(folder: str) -> None:
    st.session_state[_WHERE] = folder
