"""What the parts of the label page share: whose labels of which session are on the desk, and where messages go."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from hashlib import blake2b

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from core import author as at_work
from core.intervals import Interval
from core.records import Session
from core.video import Video
from core.workspace import Workspace
from pages.widgets import editor
from pages.widgets.plain_text import escaped
from pages.widgets.workbench import Show

TRUE_LABELS = "True labels"
"""What the layer without a name is called."""
_AUTHOR = "label_author"
_SHOW = "label_show"
_SAID = "label_said"
_WARNED = "label_warned"


@dataclass(frozen=True)
class Desk:
    """The labels that are being edited."""

    workspace: Workspace
    session: Session
    layer: str
    video: Video
    intervals: tuple[Interval, ...]
    """As they are now."""
    revision: int
    """Of ``intervals``; 0 if there is none yet."""

    @property
    def pts_s(self) -> NDArray[np.float64]:
        """The PTS table."""
        return self.video.pts_s

    @property
    def author(self) -> str | None:
        """Who edits."""
        return by(self.layer)

    def change(self, how: Callable[[tuple[Interval, ...]], Collection[Interval]], source: str) -> None:
        """Change the labels by a button, and say what came of it; see :func:`pages.widgets.editor.change`."""
        tab = tab_of(self.session.id, self.layer)
        saved = editor.change(self.workspace, self.session.id, self.layer, tab, how, source, self.author)
        say(f"Saved as revision {saved.revision}." if saved else "The labels are like that already.")


def tab_of(session_id: str, layer: str) -> editor.Tab:
    """What is known of this browser tab's editing of one layer; it lives as long as the browser tab."""
    tab: editor.Tab = st.session_state.setdefault(f"label_tab {session_id} {layer}", editor.Tab())
    return tab


def bench_key(session_id: str, layer: str) -> str:
    """Each layer has a workbench of its own, so that what was edited in one is never taken for another's."""
    return f"label_bench_{session_id}_{blake2b(layer.encode(), digest_size=4).hexdigest()}"


def author() -> str | None:
    """The name that was given on this page."""
    name: str | None = st.session_state.get(_AUTHOR)
    return name


def by(layer: str) -> str | None:
    """Under which name a layer is saved: a layer is its annotator's, the true labels are whose name was given, or else
    of whoever runs the studio."""
    return layer or author() or at_work.author()


def set_author(name: str | None) -> None:
    """Under this name labels are saved from now on."""
    st.session_state[_AUTHOR] = name


def layer_of(session_id: str) -> str:
    """The layer that is edited."""
    layer: str = st.session_state.get(f"label_layer {session_id}", "")
    return layer


def set_layer(session_id: str, layer: str) -> None:
    """Edit another layer."""
    st.session_state[f"label_layer {session_id}"] = layer


def layer_name(layer: str) -> str:
    """What a layer is called."""
    return layer or TRUE_LABELS


def go_to(start: int, end: int) -> None:
    """Let the workbench show these frames."""
    serial = st.session_state.get(_SHOW, ("", 0))[1] + 1
    st.session_state[_SHOW] = (st.session_state.get("session"), serial, start, end)


def shown() -> Show | None:
    """Where the workbench is to go."""
    session_id, *place = st.session_state.get(_SHOW, (None,))
    return Show(*place) if place and session_id == st.session_state.get("session") else None


def say(text: str) -> None:
    """Tell something that may be missed."""
    st.session_state.setdefault(_SAID, []).append(text)


def warn(text: str) -> None:
    """Tell something that stays until it was read."""
    st.session_state.setdefault(_WARNED, []).append(text)


def messages() -> None:
    """Draw what is to be told."""
    for text in st.session_state.pop(_SAID, []):
        st.toast(escaped(text))
    warned = st.session_state.get(_WARNED, [])
    for text in warned:
        st.warning(escaped(text), icon=":material/group:")
    if warned:
        st.button("I have read it", key="label_read", on_click=warned.clear)
