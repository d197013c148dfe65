"""Training a recognizer: from clips with names to one that is on the shelf."""

from __future__ import annotations

from itertools import count as count_from
from typing import Any

import streamlit as st

from core import jobs
from core.errors import UserError
from core.jobs import Job
from core.recognize import shelf
from core.recognize.shelf import Shelved
from core.settings import LearnSettings
from core.tasks import CLIPS_CHANGED
from pages.widgets import recognize
from pages.widgets.folder_choice import kept_input
from pages.widgets.jobs import follow
from pages.widgets.media import open_workspace
from pages.widgets.plain_text import count, escaped
from pages.widgets.recognize_data import Data, choose_data, show_data
from pages.widgets.recognize_method import method
from pages.widgets.recognize_shelf import shelf_panel

_JOB = "recognize_job"
_TAKEN = "recognize_taken"
_ERROR = "recognize_train_error"


def train_view() -> None:
    """The data, the form, the training that runs, and what was trained."""
    left, right = st.columns([5, 7], gap="medium")
    with left, st.container(border=True, key="recognize_learn"):
        st.subheader("Train a recognizer", anchor=False)
        data = choose_data()
        settings = method(data.drop_rare if data else False)
        _begin(data, settings)
        _last()
    with right, st.container(border=True, key="recognize_data"):
        st.subheader("What it learns from", anchor=False)
        if data is None:
            st.write("The clips appear here before anything is trained: how many there are of each name, and some of "
                     "them to look at.")  # fmt: skip
        else:
            show_data(data, settings or LearnSettings(drop_rare=data.drop_rare))
    shelf_panel()


def _begin(data: Data | None, settings: LearnSettings | None) -> None:
    workspace = open_workspace()
    taken = {one.name for one in shelf.recognizers(workspace)}
    unused = next(words for number in count_from(1) if (words := f"Recognizer {number}") not in taken)
    busy = any(job.kind == "learn" for job in jobs.jobs(workspace, active_only=True, here_only=True))
    with st.container(horizontal=True, vertical_alignment="bottom"):
        name = st.text_input("Name", max_chars=80, **kept_input(f"recognize_name_{unused}", unused))
        st.button(
            "Train",
            type="primary",
            icon=":material/school:",
            key="recognize_train",
            disabled=busy or data is None or settings is None or not name.strip(),
            help="One is trained at a time: wait, or cancel the one below." if busy else None,
            on_click=_submit,
            args=(data, settings, name.strip()),
        )
    if error := st.session_state.pop(_ERROR, None):
        st.error(escaped(error), icon=":material/error:")


def _submit(data: Data, settings: LearnSettings, name: str) -> None:
    _begin_in_new_folder({**data.arguments(), "settings": settings.model_dump(), "name": name})


def _begin_in_new_folder(arguments: dict[str, Any]) -> None:
    workspace = open_workspace()
    try:
        shelf.sweep(workspace, _spoken_for())
        _queue({**arguments, "folder": shelf.reserve(workspace).name})
    except UserError as error:
        st.session_state[_ERROR] = str(error)


def _spoken_for() -> set[str]:
    """Folders of the trainings that wait or run, and of the last one, which the page offers to carry on."""
    trainings = [job for job in jobs.jobs(open_workspace(), here_only=True) if job.kind == "learn"]
    return {str(job.arguments.get("folder")) for job in trainings if job.active or job is trainings[0]}


def _queue(arguments: dict[str, Any]) -> None:
    try:
        st.session_state[_JOB] = jobs.submit(open_workspace(), "learn", arguments).id
    except UserError as error:
        st.session_state[_ERROR] = str(error)


def _last() -> None:
    """The training that runs or ran last in this folder, whoever began it: another machine's recognizer is not here."""
    workspace = open_workspace()
    last = next((job for job in jobs.jobs(workspace, here_only=True) if job.kind == "learn"), None)
    if last is None:
        return
    made = {one.id: one for one in shelf.recognizers(workspace)}.get((last.result or {}).get("recognizer", ""))
    if last.state == "done" and made is None:
        return  # it was removed since
    with st.container(key="recognize_last", border=True):
        st.text(str(last.arguments["name"] if made is None else made.name))
        job = follow(workspace, last.id, "recognize_train_job")
        if job.active:
            st.caption("It goes on when this page is closed.")
        elif made:
            _trained(job, made)
        else:
            _ended(job)


def _ended(job: Job) -> None:
    """How to go on after a training that was cancelled or has failed."""
    with st.container(horizontal=True):
        if job.message != CLIPS_CHANGED:
            st.button(
                "Carry on",
                icon=":material/resume:",
                key="recognize_carry_on",
                help="The same again; what is finished stays.",
                on_click=_queue,
                args=(job.arguments,),
            )
        st.button(
            "Train anew",
            icon=":material/restart_alt:",
            key="recognize_anew",
            help="From the beginning, with the same settings and the clips as they are now.",
            on_click=_begin_in_new_folder,
            args=(job.arguments,),
        )


def _trained(job: Job, made: Shelved) -> None:
    """What became of it; if this visitor began it, all views show it from now on."""
    if st.session_state.get(_JOB) == job.id and st.session_state.get(_TAKEN) != job.id:
        st.session_state[_TAKEN] = job.id
        recognize.choose(made.id)
    judged = recognize.judged_of(made)
    if judged:
        st.text(recognize.summary(judged))
    if notes := (job.result or {}).get("notes", []):
        with st.expander(count(len(notes), "note"), icon=":material/notes:"):
            for note in notes:
                st.text(note)
    with st.container(horizontal=True):
        st.button("See how good it is", icon=":material/fact_check:", on_click=_show, args=(made, recognize.REPORT))
        st.button("Name tricks", icon=":material/directions_run:", on_click=_show, args=(made, recognize.NAME))


def _show(made: Shelved, view: str) -> None:
    recognize.choose(made.id)
    recognize.go_to(view)
