"""Name the tricks, train what names them, and see how good it is."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from pages.widgets.recognize import NAME, REPORT, TRAIN, views
from pages.widgets.recognize_name import name_view
from pages.widgets.recognize_report import report_view
from pages.widgets.recognize_train import train_view
from pages.widgets.session_bar import session_bar

_CSS = Path(__file__).parent / "widgets" / "clips" / "recognize.css"

st.html(_CSS)
session = session_bar("Recognize")
# Clips on the disk teach without any session.
view = views((NAME, TRAIN, REPORT) if session else (TRAIN, REPORT))
with st.container(key=f"recognize_{view.lower()}_view"):
    if view == NAME and session:
        name_view(session)
    elif view == TRAIN:
        train_view()
    else:
        report_view()
