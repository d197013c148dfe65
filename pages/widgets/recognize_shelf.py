"""The recognizers that are there, with their figures, to be renamed, downloaded and removed."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from core.errors import UserError
from core.recognize import shelf
from core.recognize.shelf import Shelved
from pages.widgets import recognize
from pages.widgets.media import open_workspace, zip_url
from pages.widgets.plain_text import escaped

_ERROR = "recognize_shelf_error"
_WIDTHS = (4, 2, 2, 2, 2, 2, 2)
_LEFT_OUT = {"last.ckpt", "shelf.json"}
"""Of a download: where to go on from, which is large, and what only this workspace needs."""


def shelf_panel() -> None:
    """Draw the list."""
    shelved = shelf.recognizers(open_workspace())
    if error := st.session_state.pop(_ERROR, None):
        st.error(escaped(error), icon=":material/error:")
    if not shelved:
        return
    with st.container(key="recognize_shelf", border=True):
        st.subheader("Recognizers", anchor=False)
        header = ("Name", "Learns by", "Names", "Named right", "Commonest", "Colours", "")
        for column, title in zip(st.columns(_WIDTHS), header, strict=True):
            column.caption(title)
        for one in shelved:
            _line(one)
        st.caption(
            "Named right: on clips that it was not trained on. Beside it what always naming the commonest, and what "
            "the picture's colours alone would get right there."
        )


def _line(one: Shelved) -> None:
    judged = recognize.judged_of(one)
    kind = next((title for arch, (title, _) in recognize.KINDS.items() if arch == one.architecture), one.architecture)
    cells = [one.name, kind.split(" (rec")[0], str(len(one.classes))]
    if judged:
        figures = [
            judged.evaluation.accuracy,
            *(judged.baselines.get(name, float("nan")) for name in recognize.BASELINES),
        ]
        cells += [recognize.share(figure) for figure in figures]
    else:
        cells += ["–"] * 3
    *columns, last = st.columns(_WIDTHS, vertical_alignment="center")
    for column, cell in zip(columns, cells, strict=True):
        column.text(cell)
    with last.popover("Manage", width="stretch"):
        key = f"recognize_rename_{one.id}"
        st.text_input("Name", value=one.name, max_chars=80, key=key, on_change=_rename, args=(one.id, key))
        st.link_button(
            "Download (zip)",
            zip_url(_files(one.folder), f"{one.name}.zip"),
            icon=":material/folder_zip:",
            width="stretch",
        )
        st.button(
            "Remove",
            icon=":material/delete:",
            key=f"recognize_remove_{one.id}",
            help="Deletes the recognizer. What it named stays in the labels.",
            on_click=_remove,
            args=(one.id,),
            width="stretch",
        )


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.is_file() and path.name not in _LEFT_OUT)


def _rename(recognizer_id: str, key: str) -> None:
    name = str(st.session_state[key]).strip()
    if not name:
        return
    try:
        shelf.rename(open_workspace(), recognizer_id, name)
    except UserError as error:
        st.session_state[_ERROR] = str(error)


def _remove(recognizer_id: str) -> None:
    try:
        shelf.remove(open_workspace(), recognizer_id)
    except UserError as error:
        st.session_state[_ERROR] = str(error)
