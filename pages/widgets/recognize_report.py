"""How good a recognizer is on what it was not trained on, and the clips behind each figure."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import streamlit as st

from core.errors import UserError
from core.previews import Background
from core.recognize.judging import Judged
from core.recognize.report import figures, write_report
from core.recognize.report.figures import Confusion, Mistake, Standing
from core.recognize.shelf import Shelved
from pages.widgets import recognize, recognize_charts
from pages.widgets.follow import show_value
from pages.widgets.media import file_url
from pages.widgets.plain_text import count, escaped
from pages.widgets.recognize_clips import Moment, clips

_CELL = "recognize_cell"
_MATRIX = "recognize_matrix"
_ASKED = "recognize_report_asked"
_POLL_S = 0.5
_MANY = 8
"""More names are scrolled."""
_HISTORY = "history.csv"
"""Of a network, beside it."""
_SHORT = {figures.RECOGNIZER: "Named right", **recognize.BASELINES}


def report_view() -> None:
    """Draw the report of the chosen recognizer."""
    with st.container(horizontal=True, vertical_alignment="bottom"):
        shelved = recognize.picker()
        if shelved is None:
            return
        judged = recognize.judged_of(shelved)
        if judged:
            _page_button(shelved, judged)
    if judged is None:
        st.info(
            "Nobody knows how good it is: nothing could be left out of its training. Add clips from other footage and "
            "train again.",
            icon=":material/info:",
        )
    else:
        _standings(judged)
        _matrix(shelved, judged)
        left, right = st.columns([3, 2], gap="medium")
        with left, st.container(border=True):
            st.subheader("Each name", anchor=False)
            table = figures.per_class(judged.evaluation)
            recalls = zip(table["label"].tolist(), table["recall"].tolist(), strict=True)
            spoken = ", ".join(f"{label} recall {recognize.share(recall)}" for label, recall in recalls)
            with st.container(height=420 if len(table) > _MANY else "content", border=False):
                st.altair_chart(recognize_charts.per_class(table), key="recognize_classes", alt=spoken)
            st.caption("Recall: how many of its clips were named so. Precision: how many that were named so are it.")
        with right, st.container(border=True):
            st.subheader("How sure it may be", anchor=False)
            error = recognize.share(judged.evaluation.calibration_error)
            st.altair_chart(
                recognize_charts.calibration(figures.calibration(judged.evaluation)),
                key="recognize_calibration",
                alt=f"Probability and accuracy differ by {error} on average",
            )
            st.caption(f"Off the line it is surer, or less sure, than it is right: by {error} on average.")
    _history(shelved)
    if judged:
        _mistakes(judged)


def _standings(judged: Judged) -> None:
    """The recognizer beside what it has to beat."""
    with st.container(border=True, key="recognize_standings"):
        told = figures.standings(judged)
        columns = st.columns(len(told) + 1)
        for column, one in zip(columns, told, strict=False):
            with column:
                _standing(one)
        columns[-1].metric("Macro F1", f"{judged.evaluation.macro_f1:.2f}", help="The mean over the names.")
        st.caption(escaped(f"{judged.dataset}: {judged.how}"))


def _standing(one: Standing) -> None:
    title = _SHORT.get(one.name, one.name.capitalize())
    st.metric(escaped(title), recognize.share(one.accuracy), help=escaped(one.about))
    low, high = (round(100 * value) for value in (one.low, one.high))
    likely = f"likely {low} to {high} %".replace(" ", "\u00a0")
    st.caption(f"{one.right} of {one.clips} · {likely}")


def _matrix(shelved: Shelved, judged: Judged) -> None:
    """What was named what, and the clips of a cell."""
    matrix = figures.confusion(judged.evaluation)
    cells = _cells(matrix)
    key = f"{_CELL}_{shelved.id}"
    chosen = st.session_state.get(key)
    chosen = chosen if chosen in cells else next(iter(cells))

    def clicked() -> None:
        cell = recognize_charts.picked(st.session_state.get(_MATRIX))
        if cell in cells:
            st.session_state[key] = cell

    def picked() -> None:
        st.session_state[key] = st.session_state["recognize_cell_picker"]

    with st.container(border=True, key="recognize_confusion"):
        left, right = st.columns([6, 5], gap="medium")
        with left:
            st.subheader("What was named what", anchor=False)
            st.altair_chart(
                recognize_charts.confusion(matrix, "#0B0D10" if st.context.theme.type == "light" else "#E8EAED"),
                key=_MATRIX,
                on_select=clicked,
                selection_mode=recognize_charts.PICK,
                alt=f"{len(matrix.labels)} names; the list beside it has the same cells",
            )
            if matrix.left_out:
                st.caption(escaped(f"Without clips: {', '.join(matrix.left_out)}."))
        with right:
            show_value("recognize_cell_picker", chosen)
            st.selectbox(
                "Clips of the cell",
                list(cells),
                format_func=lambda cell: (
                    f"{cell[0]} → {cell[1]} · {count(cells[cell], 'clip')}" if cell in cells else ""
                ),
                key="recognize_cell_picker",
                on_change=picked,
                help="Or click on a cell.",
            )
            clips("recognize_cell", _moments(judged, chosen))


def _cells(matrix: Confusion) -> dict[tuple[str, str], int]:
    """How many clips each filled cell has: mistakes first, the most frequent in front."""
    table = matrix.table()
    filled = table[table["clips"] > 0].assign(right=lambda rows: rows["truth"] == rows["named"])
    ranked = filled.sort_values(["right", "clips"], ascending=[True, False], kind="stable")
    columns = (ranked[name].tolist() for name in ("truth", "named", "clips"))
    return {(truth, named): clips for truth, named, clips in zip(*columns, strict=True)}


def _moments(judged: Judged, cell: tuple[str, str]) -> list[Moment]:
    found = judged.evaluation
    truth, named = (found.classes.index(label) for label in cell)
    rows = [row for row in range(len(judged.clips)) if (found.truth[row], found.named[row]) == (truth, named)]
    rows.sort(key=lambda row: -float(found.probability[row].max()))
    return [
        Moment(
            Path(judged.clips[row].path),
            judged.clips[row].start_frame,
            judged.clips[row].end_frame,
            f"{cell[1]} {recognize.share(float(found.probability[row].max()))}",
            Path(judged.clips[row].path).name,
        )
        for row in rows
    ]


def _history(shelved: Shelved) -> None:
    """How the training of a network went."""
    try:
        epochs = figures.read_history(shelved.folder / _HISTORY)
    except UserError as error:
        st.error(escaped(str(error)), icon=":material/error:")
        return
    if epochs is None:
        return
    with st.container(border=True, key="recognize_history"):
        st.subheader("The training", anchor=False)
        left, right = st.columns(2, gap="medium")
        with left:
            _lines(epochs, {"train_loss": "Learnt from", "loss": "Left out"}, "Loss")
        with right:
            _lines(epochs, {"accuracy": "Named right", "macro_f1": "Macro F1"}, "Of the clips left out")


def _lines(epochs: pd.DataFrame, columns: dict[str, str], title: str) -> None:
    last = epochs.iloc[-1]
    spoken = ", ".join(f"{words} {last[column]:.2f}" for column, words in columns.items())
    st.altair_chart(
        recognize_charts.history(epochs, columns, title),
        key=f"recognize_history_{title}",
        alt=f"{title} after {len(epochs)} epochs: {spoken}",
    )


def _mistakes(judged: Judged) -> None:
    """What was named wrong, the surest first."""
    wrong = figures.mistakes(judged)
    with st.container(border=True, key="recognize_mistakes"):
        st.subheader("Named wrong", anchor=False)
        if not wrong:
            st.caption("Nothing was named wrong.")
            return
        st.caption("The surest first, with what else it might have been.")
        clips("recognize_wrong", [_mistake(one) for one in wrong])


def _mistake(one: Mistake) -> Moment:
    others = ", ".join(f"{label} {recognize.share(value)}" for label, value in one.likeliest)
    return Moment(
        Path(one.clip.path), one.clip.start_frame, one.clip.end_frame, f"{one.truth}, named {one.named}", others
    )


@st.cache_resource(show_spinner=False)
def _kitchen() -> Background[list[str]]:
    """Where reports are written, one at a time for all tabs."""
    return Background()


def _page_button(shelved: Shelved, judged: Judged) -> None:
    """The report as a page of HTML: made once, in the background, and then there to be saved."""
    path = shelved.folder / "report.html"
    if path.is_file():
        url = file_url(path, f"{shelved.name}.html")
        st.link_button("Download the report (HTML)", url, icon=":material/download:")
        return
    asked = st.session_state.get(_ASKED) == shelved.id
    st.button(
        "Writing the report" if asked else "Make the report (HTML)",
        icon=":material/description:",
        key="recognize_make_report",
        disabled=asked,
        help="One page with the figures and the clips that were named wrong, to be sent to somebody.",
        on_click=lambda: st.session_state.update({_ASKED: shelved.id}),
    )
    if not asked:
        return
    try:
        made = _kitchen().ask(shelved.id, lambda: write_report(path, judged, shelved.folder / _HISTORY))
    except UserError as error:
        st.session_state.pop(_ASKED)
        st.error(escaped(str(error)), icon=":material/error:")
        return
    if made is None:
        st.fragment(_await, run_every=_POLL_S)(shelved.id)
    else:
        st.rerun()


def _await(recognizer_id: str) -> None:
    if not _kitchen().busy(recognizer_id):
        st.rerun()
