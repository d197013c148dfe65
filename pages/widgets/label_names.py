"""Which labels there are to choose from, with their colours and keys."""

from __future__ import annotations

from dataclasses import replace

import streamlit as st

from core.errors import UserError
from core.label_palette import KEYS, LabelStyle, added, changed, checked_name, renamed, save_palette
from pages.widgets import editor
from pages.widgets.label_desk import Desk, say


def palette_panel(desk: Desk, styles: tuple[LabelStyle, ...]) -> None:
    """Names, colours and keys of the labels. They hold for the whole workspace."""
    st.caption(
        "While it plays, hold a number key to label. Names, colours and keys are the same in every session; "
        "renaming changes the labels of this session."
    )
    counts = {style.name: sum(interval.label == style.name for interval in desk.intervals) for style in styles}
    for number, style in enumerate(styles):
        # The name is in the keys, so that a widget never shows another label's value.
        key = f"label_style_{number}_{style.name}"
        colour, name, digit, count, remove = st.columns([1, 4, 2, 2, 2], vertical_alignment="bottom")
        colour.color_picker(
            "Colour", style.colour, key=f"{key}_colour", on_change=recolour, args=(desk, styles, style, f"{key}_colour")
        )
        name.text_input(
            "Name", style.name, key=f"{key}_name", on_change=rename, args=(desk, styles, style, f"{key}_name")
        )
        digit.selectbox(
            "Key",
            ["", *KEYS],
            ["", *KEYS].index(style.key),
            key=f"{key}_key_{style.key}",
            on_change=rekey,
            args=(desk, styles, style, f"{key}_key_{style.key}"),
            format_func=lambda digit: digit or "none",
        )
        count.text(f"{counts[style.name]} here")
        remove.button(
            "Remove",
            key=f"{key}_remove",
            disabled=counts[style.name] > 0 or len(styles) == 1,
            on_click=_keep,
            args=(desk, tuple(one for one in styles if one != style)),
            help="Only a label that nothing has can be removed",
        )
    with st.form("label_new", clear_on_submit=True, border=False):
        name, submit = st.columns([5, 2], vertical_alignment="bottom")
        name.text_input("New label", key="label_new_name", placeholder="kickflip")
        submit.form_submit_button("Add", on_click=add, args=(desk, styles))


def recolour(desk: Desk, styles: tuple[LabelStyle, ...], style: LabelStyle, key: str) -> None:
    """Another colour was picked."""
    _keep(desk, changed(styles, replace(style, colour=st.session_state[key])))


def rekey(desk: Desk, styles: tuple[LabelStyle, ...], style: LabelStyle, key: str) -> None:
    """Another number key was picked."""
    _keep(desk, changed(styles, replace(style, key=st.session_state[key])))


def rename(desk: Desk, styles: tuple[LabelStyle, ...], style: LabelStyle, key: str) -> None:
    """A label got another name, here and in the labels of the session."""
    try:
        new = checked_name(styles, st.session_state[key])
    except UserError as error:
        st.session_state[key] = style.name
        say(str(error))
        return
    _keep(desk, renamed(styles, style.name, new))
    if any(interval.label == style.name for interval in desk.intervals):
        desk.change(lambda labels: editor.relabelled(labels, style.name, new), f"{style.name} renamed to {new}")


def add(desk: Desk, styles: tuple[LabelStyle, ...]) -> None:
    """A new label was entered."""
    try:
        _keep(desk, added(styles, st.session_state["label_new_name"]))
    except UserError as error:
        say(str(error))


def _keep(desk: Desk, styles: tuple[LabelStyle, ...]) -> None:
    save_palette(desk.workspace.home, styles)
