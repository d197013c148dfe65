"""Choosing footage that lies on this computer: a dialog over a folder of it, or a path."""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pandas as pd
import streamlit as st

from core.adding import count_videos
from core.errors import UserError
from core.footage_folder import FootageFile, Listing, length_s, list_footage
from core.timecode import clock
from pages.widgets.plain_text import escaped
from pages.widgets.sessions import add, add_in_background

FEW = 3
"""So many videos are added at once, while the page waits; more are a job, which shows how far it is."""

_FOLDER = "footage_folder"
_TABLE = "footage_table"
_PATH = "footage_path"
_MEASURED = 200
"""So many videos of a folder are opened for their length, 5 ms each; the others show none."""


def go_to_folder(folder: str) -> None:
    """Show another folder."""
    st.session_state[_FOLDER] = folder


def path_of(text: str) -> Path:
    """The path that somebody pasted: file managers put quotes around it or make a URL of it.

    Raises:
        UserError: if it cannot be one.
    """
    text = text.strip().strip("\"'")
    try:
        if text.startswith("file://"):
            text = unquote(urlsplit(text).path)
        return Path(text).expanduser()
    except (RuntimeError, ValueError) as error:  # the home of a user who does not exist; brackets that do not close
        raise UserError(f"{text[:80]} is not a path: check it.") from error


@st.dialog("Choose footage on this computer", width="large", on_dismiss="rerun")
def browse() -> None:
    """The dialog. What is chosen becomes sessions, many of them and folders by a job; what cannot be read is said, and
    the rest is added."""
    try:
        listing = list_footage(st.session_state.get(_FOLDER, ""))
    except UserError as error:
        st.error(escaped(str(error)), icon=":material/error:")
        st.button("Back to the beginning", on_click=go_to_folder, args=("",))
        return
    _trail(listing)
    _folders(listing)
    chosen = [video.path for video in _videos(listing)]
    pasted = st.text_input(
        "Or paste the full path of a video or a folder",
        key=_PATH,
        placeholder="/media/card/DCIM/GX010042.MP4",
        autocomplete="off",
    )
    if pasted.strip():
        try:
            chosen.append(path_of(pasted))
        except UserError as error:
            st.error(escaped(str(error)), icon=":material/error:")
    here = listing.root / listing.folder
    below = _count(str(here))
    many = len(chosen) > FEW or any(map(os.path.isdir, chosen))
    everything = below is None or below > max(1, len(chosen))
    find = (many or everything) and st.checkbox(
        "Find their tricks right away", value=True, key="footage_find", help="In many at once, one after the other."
    )
    with st.container(horizontal=True, vertical_alignment="center"):
        pressed = st.button(
            _add_words(chosen), type="primary", disabled=not chosen, icon=":material/add:", key="footage_add"
        )
        all_pressed = everything and st.button(
            f"Add all{'' if below is None else f' {below}'} videos of this folder and the folders in it",
            icon=":material/library_add:",
            key="footage_add_all",
        )
        st.caption("The files stay where they are. Chapters of a camera are joined to one session.")
    if all_pressed or (pressed and many):
        add_in_background([here] if all_pressed else chosen, find)
        st.rerun()
    if pressed:
        _add_now(chosen)


def add_all(paths: list[Path]) -> list[str]:
    """Make sessions of a few videos; what is wrong with those that cannot be one."""
    failed = []
    for path in paths:
        try:
            add(path)
        except UserError as error:
            failed.append(str(error))
    return failed


def _add_now(chosen: list[Path]) -> None:
    failed = add_all(chosen)
    if not failed:
        st.rerun()
    for sentence in failed:
        st.error(escaped(sentence), icon=":material/error:")
    if len(chosen) > len(failed):
        others = "The other one was added." if len(chosen) - len(failed) == 1 else "The others were added."
        st.success(others, icon=":material/check:")


def _add_words(chosen: list[Path]) -> str:
    if any(map(os.path.isdir, chosen)):
        return "Add what is in the folder"
    return f"Add {len(chosen)} videos" if len(chosen) > 1 else "Add the video" if chosen else "Choose a video"


def _trail(listing: Listing) -> None:
    with st.container(horizontal=True, vertical_alignment="center", gap="xxsmall", key="footage_trail"):
        for name, folder in listing.trail[:-1]:
            st.button(escaped(name), type="tertiary", key=f"trail_{folder}", on_click=go_to_folder, args=(folder,))
            st.text("/")
        st.button(escaped(listing.trail[-1][0]), type="tertiary", key="trail_here", disabled=True)


def _folders(listing: Listing) -> None:
    with st.container(horizontal=True, gap="xsmall", key="footage_folders"):
        for name in listing.folders:
            below = listing.below(name)
            st.button(
                escaped(name), icon=":material/folder:", key=f"folder_{below}", on_click=go_to_folder, args=(below,)
            )


def _videos(listing: Listing) -> list[FootageFile]:
    """The table of videos; returns those that are ticked."""
    if not listing.videos:
        where = "this folder" if listing.folder else str(listing.root)
        st.info(escaped(f"There is no video in {where}."), icon=":material/movie_off:")
        return []
    lengths = [
        _length(str(video.path), video.size, video.modified.timestamp()) for video in listing.videos[:_MEASURED]
    ] + [None] * (len(listing.videos) - _MEASURED)
    table = pd.DataFrame(
        {
            "Name": [video.name for video in listing.videos],
            "Length": ["" if length is None else clock(length)[:-3] for length in lengths],
            "Size": [size_words(video.size) for video in listing.videos],
            "Changed": [video.modified for video in listing.videos],
        }
    )
    ticked = st.dataframe(
        table,
        key=f"{_TABLE}_{listing.folder}",
        hide_index=True,
        on_select="rerun",
        selection_mode="multi-row",
        height=min(430, 38 + 35 * len(table)),
        column_config={
            "Name": st.column_config.TextColumn(width="large"),
            "Length": st.column_config.TextColumn(width="small"),
            "Size": st.column_config.TextColumn(width="small"),
            "Changed": st.column_config.DatetimeColumn(format="localized", width="medium"),
        },
    )
    return [listing.videos[row] for row in ticked.selection.rows if row < len(listing.videos)]


def size_words(size: int) -> str:
    """Bytes as people say them."""
    for unit, bytes_in_it in (("GB", 1e9), ("MB", 1e6)):
        if size >= bytes_in_it:
            return f"{size / bytes_in_it:.3g} {unit}"
    return f"{max(1, round(size / 1e3))} kB"


@st.cache_data(max_entries=50, ttl=10.0, show_spinner=False)
def _count(folder: str) -> int | None:
    return count_videos(Path(folder))


@st.cache_data(max_entries=2000, show_spinner=False)
def _length(path: str, size: int, modified: float) -> float | None:
    return length_s(Path(path))
