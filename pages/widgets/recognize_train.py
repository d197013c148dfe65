"""Training a recognizer: from clips with names to one that is on the shelf."""

from __future__ import annotations

from typing import Any

import streamlit as st

from core import jobs
from core.errors import UserError
from core.jobs import Job
from core.recognize import shelf
from core.recognize.loading import check_torch
from core.settings import Architecture, LearnSettings
from pages.widgets import recognize
from pages.widgets.footage_browser import path_of
from pages.widgets.jobs import follow
from pages.widgets.media import open_workspace
from pages.widgets.plain_text import escaped
from pages.widgets.recognize_data import Data, choose_data, show_data
from pages.widgets.recognize_shelf import shelf_panel

_JOB = "recognize_job"
_TAKEN = "recognize_taken"
_ERROR = "recognize_train_error"
_PUBLISHED, _SCRATCH, _FILE = "Published", "None", "A file"
_LICENCES: dict[Architecture, str] = {
    "r2plus1d": "Downloaded once, 120 MB: torchvision's, BSD-3-Clause, trained on Kinetics-400.",
    "tsn": "Downloaded once, 100 MB: torchvision's ResNet-50, BSD-3-Clause, trained on ImageNet, whose pictures are "
    "for research that earns nothing.",
    "timesformer": "Downloaded once, 500 MB: Facebook's, CC BY-NC 4.0, which allows no commercial use; trained on "
    "Kinetics-400.",
}


def train_view() -> None:
    """The data, the form, the training that runs, and what was trained."""
    left, right = st.columns([5, 7], gap="medium")
    with left, st.container(border=True, key="recognize_learn"):
        st.subheader("Train a recognizer", anchor=False)
        data = choose_data()
        settings = _method()
        _begin(data, settings)
        _running()
    with right, st.container(border=True, key="recognize_data"):
        st.subheader("What it learns from", anchor=False)
        if data is None:
            st.write("The clips appear here before anything is trained: how many there are of each name, and some of "
                     "them to look at.")  # fmt: skip
        else:
            show_data(data, settings.arch if settings else "light", settings.seed if settings else 0)
    shelf_panel()


def _method() -> LearnSettings | None:
    """How it learns; None, with a sentence, where that cannot be."""
    arch = st.selectbox(
        "How it learns",
        list(recognize.KINDS),
        format_func=lambda one: recognize.KINDS[one][0],
        key="recognize_arch",
    )
    st.caption(recognize.KINDS[arch][1])
    if arch == "light":
        with st.expander("More", icon=":material/tune:"):
            return LearnSettings(seed=_seed())
    try:
        check_torch(arch)
    except UserError as error:
        st.error(escaped(str(error)), icon=":material/error:")
        return None
    weights = st.segmented_control(
        "Weights to begin with", [_PUBLISHED, _SCRATCH, _FILE], default=_PUBLISHED, required=True,
        key="recognize_weights",
    )  # fmt: skip
    chosen = "pretrained" if weights == _PUBLISHED else "scratch"
    if weights == _FILE:
        text = st.text_input("Path of the weights", key="recognize_weights_path", autocomplete="off")
        if not text.strip():
            st.caption("A .safetensors file, or a state dict of PyTorch's.")
            return None
        try:
            chosen = str(path_of(text))
        except UserError as error:
            st.error(escaped(str(error)), icon=":material/error:")
            return None
    else:
        words = _LICENCES[arch] if weights == _PUBLISHED else "It begins at random, and needs thousands of clips."
        st.caption(words)
    with st.expander("More", icon=":material/tune:"):
        epochs = st.number_input("Epochs", 1, 1000, 30, key="recognize_epochs", help="Times that it sees all clips.")
        batch = st.number_input("Clips at a time", 1, 256, 8, key="recognize_batch", help="Fewer need less memory.")
        seed = _seed()
    return LearnSettings(arch=arch, weights=chosen, epochs=epochs, batch=batch, seed=seed)


def _seed() -> int:
    return int(
        st.number_input("Seed", 0, 2**32 - 1, 42, key="recognize_seed", help="The same seed trains the same again.")
    )


def _begin(data: Data | None, settings: LearnSettings | None) -> None:
    workspace = open_workspace()
    number = len(shelf.recognizers(workspace)) + 1
    busy = any(job.kind == "learn" for job in jobs.jobs(workspace, active_only=True))
    with st.container(horizontal=True, vertical_alignment="bottom"):
        name = st.text_input("Name", value=f"Recognizer {number}", max_chars=80, key=f"recognize_name_{number}")
        st.button(
            "Train",
            type="primary",
            icon=":material/school:",
            key="recognize_train",
            disabled=busy or data is None or settings is None or not name.strip(),
            on_click=_submit,
            args=(data.path if data else None, settings, name.strip()),
        )
    if error := st.session_state.pop(_ERROR, None):
        st.error(escaped(error), icon=":material/error:")


def _submit(path: str | None, settings: LearnSettings, name: str) -> None:
    workspace = open_workspace()
    _queue(
        {
            "data": path,
            "settings": settings.model_dump(),
            "name": name,
            "folder": shelf.reserve(workspace).name,
        }
    )


def _queue(arguments: dict[str, Any]) -> None:
    try:
        st.session_state[_JOB] = jobs.submit(open_workspace(), "learn", arguments).id
    except UserError as error:
        st.session_state[_ERROR] = str(error)


def _running() -> None:
    """The training that runs or ran last; a new recognizer is chosen at once."""
    workspace = open_workspace()
    last = next((job for job in jobs.jobs(workspace) if job.kind == "learn"), None)
    if last is None:
        return
    mine = st.session_state.get(_JOB)
    if last.state == "done" and last.id != mine:
        return
    job = follow(workspace, last.id, "recognize_train_job")
    if job.state == "done":
        _trained(job)
    elif not job.active:
        st.button(
            "Carry on",
            icon=":material/resume:",
            key="recognize_carry_on",
            help="The same again; what is finished stays.",
            on_click=_queue,
            args=(job.arguments,),
        )


def _trained(job: Job) -> None:
    result = job.result or {}
    for note in result.get("notes", []):
        st.caption(escaped(note))
    if st.session_state.get(_TAKEN) != job.id:
        st.session_state[_TAKEN] = job.id
        recognize.choose(result["recognizer"])
    with st.container(horizontal=True):
        st.button(
            "See how good it is", icon=":material/fact_check:", on_click=recognize.go_to, args=(recognize.REPORT,)
        )
        st.button("Name tricks", icon=":material/directions_run:", on_click=recognize.go_to, args=(recognize.NAME,))
