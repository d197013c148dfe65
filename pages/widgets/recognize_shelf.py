"""The recognizers that are there, with their figures, to be renamed, downloaded, removed and added to."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from core.errors import UserError
from core.recognize import shelf
from core.recognize.shelf import Shelved
from pages.widgets import recognize
from pages.widgets.folder_choice import folder_input, kept_input
from pages.widgets.footage_browser import path_of
from pages.widgets.media import open_workspace, zip_url
from pages.widgets.plain_text import escaped

_ERROR = "recognize_shelf_error"
_FOLDER, _NAME = "recognize_add_folder", "recognize_add_name"
_NAMES_SAID = 8
_WIDTHS = (4, 2, 2, 2, 2, 2, 3)
_LEFT_OUT = {"last.ckpt", "shelf.json"}
"""Of a download: where to go on from, which is large, and what only this workspace needs."""


def shelf_panel() -> None:
    """Draw the list."""
    shelved = shelf.recognizers(open_workspace())
    with st.container(key="recognize_shelf", border=True):
        st.subheader("Recognizers", anchor=False)
        if error := st.session_state.pop(_ERROR, None):
            st.error(escaped(error), icon=":material/error:")
        if shelved:
            _table(shelved)
        _adding()


def _table(shelved: list[Shelved]) -> None:
    header = ("Name", "Learns by", "Names", "Named right", "Commonest", "Colours", "")
    for column, title in zip(st.columns(_WIDTHS), header, strict=True):
        column.caption(title)
    titles = shelf.titles(shelved)
    for one in shelved:
        _line(one, titles[one.id])
    st.caption(
        "Named right: on clips that it was not trained on. Beside it what always naming the commonest, and what "
        "the picture's colours alone would get right there."
    )


def _adding() -> None:
    """A recognizer that was trained elsewhere."""
    with st.expander("Add one from a folder", icon=":material/create_new_folder:"):
        text = folder_input(
            "Folder of the recognizer",
            _FOLDER,
            "What trickline recognize train wrote, or a download from here, unpacked. It is copied.",
        )
        left, right = st.columns([3, 1], vertical_alignment="bottom")
        name = left.text_input("Name", max_chars=80, placeholder="As the folder is called", **kept_input(_NAME, ""))
        right.button(
            "Add",
            icon=":material/add:",
            key="recognize_add",
            disabled=not text,
            on_click=_add,
            args=(text, str(name).strip()),
            width="stretch",
        )


def _add(text: str, name: str) -> None:
    try:
        folder = path_of(text)
        added = shelf.add(open_workspace(), folder, name or folder.name)
    except UserError as error:
        st.session_state[_ERROR] = str(error)
        return
    for key in (_FOLDER, _NAME):
        st.session_state.pop(f"{key}_kept", None)
    recognize.choose(added.id)


def _line(one: Shelved, title: str) -> None:
    judged = recognize.judged_of(one)
    kind = next((title for arch, (title, _) in recognize.KINDS.items() if arch == one.architecture), one.architecture)
    cells = [title, kind.split(" (rec")[0], str(len(one.classes))]
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
        st.caption(escaped(f"Added {shelf.when(one)}. It tells apart {_names(one)}."))
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


def _names(one: Shelved) -> str:
    more = len(one.classes) - _NAMES_SAID
    return ", ".join(one.classes[:_NAMES_SAID]) + (f" and {more} more" if more > 0 else "")


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
