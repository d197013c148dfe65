"""What the theme's settings cannot say."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

_CSS = Path(__file__).with_name("studio.css")


def apply_theme() -> None:
    """Load the style sheet of the pages."""
    # Dialogs lie outside the element whose color-scheme CSS could go by, so what goes by the theme is said here.
    accent, on_accent = ("#925d00", "#fff") if st.context.theme.type == "light" else ("#ffb000", "#16130a")
    colours = f":root {{ --trickline-accent: {accent}; --trickline-on-accent: {on_accent}; }}"
    st.html(f"<style>{colours}\n{_CSS.read_text()}</style>")
