"""Name the tricks, cut out who does them, train what names them, and see how good it is."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from pages.widgets.recognize import CUT_OUT, NAME, REPORT, TRAIN, views
from pages.widgets.recognize_cutout import cutout_view
from pages.widgets.recognize_name import name_view
from pages.widgets.recognize_report import report_view
from pages.widgets.recognize_train import train_view
from pages.widgets.session_bar import session_bar

_CSS = Path(__file__).parent / "widgets" / "clips" / "recognize.css"

st.html(_CSS)
session = session_bar("Recognize")
# Clips on the disk teach without any session.
view = views((NAME, CUT_OUT, TRAIN, REPORT) if session else (TRAIN, REPORT))
with st.container(key=f"recognize_{view.lower().replace(' ', '_')}_view"):
    if view == NAME and session:
        name_view(session)
    elif view == CUT_OUT and session:
        cutout_view(session)
    elif view == TRAIN:
        train_view()
    else:
        report_view()
