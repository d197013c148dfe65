"""The pages, in the order of the work, and what each still has to do."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from core.errors import UserError
from core.reviews import reviews
from pages.widgets.media import open_workspace
from pages.widgets.plain_text import escaped
from pages.widgets.session_bar import chosen_session
from pages.widgets.theme import apply_theme

PAGES = {
    "upload": ("1_upload.py", "Upload", ":material/upload:"),
    "timeline": ("2_timeline.py", "Timeline", ":material/show_chart:"),
    "label": ("3_label.py", "Label", ":material/label:"),
    "train": ("4_train.py", "Train", ":material/model_training:"),
    "review": ("5_review.py", "Review", ":material/movie:"),
    "recognize": ("6_recognize.py", "Recognize", ":material/directions_run:"),
    "jobs": ("7_jobs.py", "Jobs", ":material/checklist:"),
}
"""By address: the file, the title and the icon."""

_HERE = Path(__file__).parent
_MARK = str(_HERE / "mark.svg")


def navigate() -> None:
    """Draw the navigation and run the page that the address names."""
    st.set_page_config(page_title="Trickline", page_icon=_MARK, layout="wide", initial_sidebar_state=200)
    st.logo(_MARK, size="large")
    apply_theme()
    try:
        to_do = _to_do()
        pages = [
            st.Page(
                f"pages/{file}",
                title=f"{title} {to_do[address]}" if address in to_do else title,
                icon=icon,
                url_path=address,
                default=address == "upload",
            )
            for address, (file, title, icon) in PAGES.items()
        ]
        st.navigation(pages).run()
    except UserError as error:
        st.error(escaped(str(error)), icon=":material/error:")


def _to_do() -> dict[str, str]:
    """What the navigation shows behind a page's title: a dot where labels are missing, and about how many
    tricks are still to be decided on."""
    session = chosen_session()
    if session is None:
        return {}
    marks = {}
    workspace = open_workspace()
    if session.facts.get("looked") and workspace.labels(session.id) is None:
        marks["label"] = "•"
    decided = sum(bool(review.verdict) for review in reviews(workspace, session.id))
    if (left := session.facts.get("found", 0) - decided) > 0:
        marks["review"] = f"({left})"
    return marks
