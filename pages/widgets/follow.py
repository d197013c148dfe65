"""Widgets that show what is kept elsewhere."""

from __future__ import annotations

from typing import Any

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

_PAGES = "widgets_of_pages"


def show_value(key: str, value: Any) -> None:
    """Let the widget with this key, which is drawn next, show ``value``.

    Only where it shows another one: what is said to a widget is sent to the browser, and would take a slider back from
    under the hand that has moved it on meanwhile. On another page it is another widget, which has shown nothing yet.
    """
    context = get_script_run_ctx()
    page = context.page_script_hash if context else ""
    pages = st.session_state.setdefault(_PAGES, {})
    shown = st.session_state.get(key)
    same = abs(shown - value) < 1e-9 if isinstance(value, float) and isinstance(shown, float) else shown == value
    if not same or pages.get(key) != page:
        st.session_state[key] = value
    pages[key] = page
