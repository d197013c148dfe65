"""What the parts of the recognize page share: which recognizer is chosen, and what is known of it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import streamlit as st

from core.errors import UserError
from core.recognize.judging import Judged
from core.recognize.shelf import Shelved, recognizers, titles
from core.settings import Architecture
from core.video import Video
from pages.widgets.follow import show_value
from pages.widgets.footage_browser import path_of
from pages.widgets.media import open_workspace
from pages.widgets.plain_text import escaped

NAME, CUT_OUT, TRAIN, REPORT = "Name", "Cut out", "Train", "Report"
_VIEW = "recognize_view"
_CHOSEN = "recognize_chosen"
KINDS: dict[Architecture, tuple[str, str]] = {
    "light": (
        "Light (recommended)",
        "Goes by how the body moves. Learns from a hundred clips in minutes, without a graphics card or weights.",
    ),
    "r2plus1d": (
        "R(2+1)D-18",
        "A network that sees 16 frames at a time, and so the movement itself. Slow without a graphics card.",
    ),
    "tsn": (
        "TSN",
        "A network that sees single pictures: it learns places and poses sooner than movements. The quickest of the "
        "three, slow without a graphics card.",
    ),
    "timesformer": (
        "TimeSformer",
        "A network that weighs all parts of all pictures. Wants thousands of clips and a graphics card.",
    ),
}
"""Title and what to know of each architecture."""
BASELINES = {"majority": "Always the commonest", "colours": "Colours of the picture"}
"""What a recognizer has to beat, in words."""


def views(choices: Sequence[str]) -> str:
    """The choice between the parts of the page."""
    return kept_choice("View", choices, _VIEW, hidden=True)


def kept_choice(label: str, choices: Sequence[str], key: str, help: str | None = None, hidden: bool = False) -> str:
    """One of a few choices, the first at first; it stays while other parts of the page, or other pages, are shown."""
    kept = f"{key}_kept"
    wanted = st.session_state.get(kept)
    show_value(key, wanted if wanted in choices else choices[0])
    st.segmented_control(
        label,
        choices,
        required=True,
        key=key,
        help=help,
        label_visibility="collapsed" if hidden else "visible",
        on_change=lambda: st.session_state.update({kept: st.session_state[key]}),
    )
    chosen: str = st.session_state[key]
    return chosen


def existing(text: str) -> Path:
    """The path that somebody typed.

    Raises:
        UserError: it is none, there is nothing, or nobody may look there.
    """
    path = path_of(text)
    try:
        there = path.exists()
    except OSError as error:  # below a folder that may not be entered, or with a name too long for any disk
        raise unseen(path, error) from error
    if not there:
        raise UserError(f"{path} does not exist: check the path.")
    return path


def unseen(path: Path, error: OSError) -> UserError:
    """What to say of a path that the system does not let be looked at."""
    return UserError(f"{path} cannot be looked at ({error.strerror}): check the path and its permissions.")


def go_to(view: str) -> None:
    """Show a part of the page."""
    st.session_state[f"{_VIEW}_kept"] = view


def choose(recognizer_id: str) -> None:
    """Let all parts of the page show this recognizer."""
    st.session_state[_CHOSEN] = recognizer_id


def chosen() -> Shelved | None:
    """The recognizer that was chosen last, or else the newest; None if there is none."""
    shelf = {one.id: one for one in recognizers(open_workspace())}
    return shelf.get(st.session_state.get(_CHOSEN, "")) or next(iter(shelf.values()), None)


def picker() -> Shelved | None:
    """Draw the choice of recognizer; where there is none, say where they come from."""
    shelf = {one.id: one for one in recognizers(open_workspace())}
    picked = chosen()
    if picked is None:
        with st.container(key="recognize_none", border=True):
            st.subheader("No recognizer yet", anchor=False)
            st.write(
                "A recognizer learns from clips that have names, such as kickflip and ollie, and then names what you "
                "film. It needs a handful of clips of each name."
            )
            st.button("Train one", type="primary", icon=":material/school:", on_click=go_to, args=(TRAIN,))
        return None
    show_value("recognize_picker", picked.id)
    called = titles(tuple(shelf.values()))
    st.selectbox(
        "Recognizer",
        list(shelf),
        key="recognize_picker",
        format_func=lambda one: called.get(one, one),
        on_change=lambda: choose(st.session_state["recognize_picker"]),
        width=300,
    )
    return picked


def judged_of(shelved: Shelved) -> Judged | None:
    """How a recognizer did on what it was not trained on; None if that is not known, or says why it cannot be read."""
    path = shelved.folder / "judged.json"
    try:
        return _judged(shelved.id, path.stat().st_mtime_ns if path.exists() else 0, shelved)
    except UserError as error:
        st.error(escaped(str(error)), icon=":material/error:")
        return None


@st.cache_resource(max_entries=16, show_spinner=False)
def _judged(recognizer_id: str, modified: int, _shelved: Shelved) -> Judged | None:
    return _shelved.judged()


@st.cache_resource(max_entries=64, show_spinner=False)
def opened(path: Path, modified: int) -> Video:
    """A video by its times; ``modified`` says which version of the file it is."""
    return Video.open(path)


def share(value: float) -> str:
    """Such as ``85 %``; a dash where it is not known."""
    return "–" if value != value else f"{100 * value:.0f} %"


def summary(judged: Judged) -> str:
    """How right it is, beside what it has to beat: plain text."""
    beaten = ", ".join(
        f"{BASELINES.get(name, name).lower()} {share(value)}" for name, value in judged.baselines.items()
    )
    right = f"{share(judged.evaluation.accuracy)} of {len(judged.clips)} clips named right"
    return f"{right} ({beaten})" if beaten else right
