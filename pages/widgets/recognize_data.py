"""What a recognizer is to learn from: chosen, and looked at before anything is trained."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import streamlit as st

from core.errors import UserError
from core.footage_folder import list_footage
from core.recognize.datasets import read_dataset
from core.recognize.datasets.preview import preview_samples
from core.recognize.datasets.reviewed import read_reviewed
from core.recognize.samples import ClipDataset
from core.recognize.splits import gaps, split_apart
from core.settings import Architecture
from pages.widgets import recognize_charts
from pages.widgets.footage_browser import path_of
from pages.widgets.media import open_workspace
from pages.widgets.plain_text import count, escaped
from pages.widgets.recognize import kept_choice
from pages.widgets.recognize_clips import clips, moments_of

_OWN, _DISK = "Named in this workspace", "A folder or file"
_PATH = "recognize_path"
_FOLDER = "recognize_folder"
_ANY = "Every name"
_TILES = 12


@dataclass(frozen=True)
class Data:
    """A data set that can be trained on."""

    path: str | None
    """None is what was named in the workspace."""
    dataset: ClipDataset


def choose_data() -> Data | None:
    """Draw the choice; None, with a sentence, where there is nothing to learn from yet."""
    source = kept_choice("Learn from", (_OWN, _DISK), "recognize_source")
    try:
        if source == _DISK:
            return _from_disk()
        workspace = open_workspace()
        dataset = read_reviewed(workspace, [session.id for session in workspace.sessions()])
    except UserError as error:
        st.info(escaped(str(error)), icon=":material/info:")
        return None
    return Data(None, dataset)


def _from_disk() -> Data | None:
    # Streamlit forgets a widget that is not drawn; the path is worth keeping.
    with st.container(horizontal=True, vertical_alignment="bottom"):
        text = st.text_input(
            "Folder or file",
            value=st.session_state.get(f"{_PATH}_kept", ""),
            key=f"{_PATH}_{st.session_state.get(f'{_PATH}_turn', 0)}",
            placeholder="/media/tricks",
            autocomplete="off",
            help="A folder with a folder of clips for each name; SpaceJam or Diving48 as published; or an export of "
            "Label Studio (JSON).",
        )
        if st.button("Browse", icon=":material/folder_open:", key="recognize_browse"):
            _browse()
    st.session_state[f"{_PATH}_kept"] = text
    if not text.strip():
        st.caption("A folder that holds a folder of clips for each name will do.")
        return None
    path = path_of(text)
    if not path.exists():
        raise UserError(f"{path} does not exist: check the path.")
    return Data(str(path), _read(str(path), path.stat().st_mtime_ns))


@st.cache_resource(max_entries=4, ttl=120, show_spinner="Reading the clips")
def _read(path: str, modified: int) -> ClipDataset:
    return read_dataset(Path(path))


@st.dialog("Choose a folder of clips")
def _browse() -> None:
    try:
        listing = list_footage(st.session_state.get(_FOLDER, ""))
    except UserError as error:
        st.error(escaped(str(error)), icon=":material/error:")
        st.button("Back to the beginning", on_click=_go, args=("",))
        return
    with st.container(horizontal=True, vertical_alignment="center", gap="xxsmall"):
        for number, (name, folder) in enumerate(listing.trail):
            last = number == len(listing.trail) - 1
            st.button(
                escaped(name), type="tertiary", key=f"recognize_trail_{folder}", on_click=_go, args=(folder,),
                disabled=last,
            )  # fmt: skip
            if not last:
                st.text("/")
    with st.container(horizontal=True, gap="xsmall"):
        for name in listing.folders:
            below = listing.below(name)
            st.button(
                escaped(name), icon=":material/folder:", key=f"recognize_below_{below}", on_click=_go, args=(below,)
            )
    st.caption(f"{count(len(listing.folders), 'folder')} and {count(len(listing.videos), 'video')} in here.")
    if st.button("Take this folder", type="primary", key="recognize_take_folder"):
        st.session_state[f"{_PATH}_kept"] = str(listing.root / listing.folder)
        st.session_state[f"{_PATH}_turn"] = st.session_state.get(f"{_PATH}_turn", 0) + 1
        st.rerun()


def _go(folder: str) -> None:
    st.session_state[_FOLDER] = folder


def show_data(data: Data, arch: Architecture, seed: int) -> None:
    """The data set: how much there is of each name, how it looks, and what it will be judged by."""
    dataset = data.dataset
    counts = dataset.balance()
    groups = len({sample.group for sample in dataset.samples})
    st.text(f"{count(len(dataset.samples), 'clip')} · {count(len(counts), 'name')} · {count(groups, 'source')}")
    for sentence in warnings(dataset, groups):
        st.warning(escaped(sentence), icon=":material/warning:")
    st.caption(escaped(_split_words(dataset, arch, seed, groups)))
    with st.container(height=360 if len(counts) > _TILES else "content", border=False):
        spoken = ", ".join(f"{label} {clips_of}" for label, clips_of in counts.items())
        st.altair_chart(recognize_charts.balance(counts), key="recognize_balance", alt=f"Clips of each name: {spoken}")
    looked_at = st.selectbox("Look at", [_ANY, *counts], key="recognize_look_at", width=240)
    each = _TILES if looked_at != _ANY else max(1, _TILES // max(1, len(counts)))
    shown = preview_samples(dataset, each, seed)
    samples = [one for label, some in shown.items() for one in some if looked_at in (_ANY, label)]
    clips("recognize_preview", moments_of(samples))
    if dataset.notes:
        with st.expander(count(len(dataset.notes), "note"), icon=":material/notes:"):
            for note in dataset.notes:
                st.text(note)


def warnings(dataset: ClipDataset, groups: int) -> list[str]:
    """What will make the recognizer worse, or keep anybody from knowing how good it is."""
    counts = dataset.balance()
    lonely = [label for label, number in counts.items() if number == 1]
    found = []
    if sum(number > 0 for number in counts.values()) < 2:
        found.append("There is only one name: a recognizer has to tell two apart.")
    if lonely:
        names = ", ".join(lonely[:5]) + (" and others" if len(lonely) > 5 else "")
        found.append(f"Of {names} there is a single clip: nothing can be learnt from it and judged as well.")
    if groups == 1:
        found.append("All clips come from one source, so nobody will know how good the recognizer is elsewhere.")
    return found


def _split_words(dataset: ClipDataset, arch: Architecture, seed: int, groups: int) -> str:
    if arch == "light":
        return (
            f"It is judged on sources left out in turn, then trained on all {groups}."
            if groups > 1
            else "It is trained on all clips."
        )
    try:
        parts, _ = split_apart(dataset, seed)
    except UserError as error:
        return str(error)
    words = {"train": "to learn from", "val": "to choose the best epoch by", "test": "to judge it by"}
    told = ", ".join(f"{len(samples)} {words[part]}" for part, samples in parts.items())
    return " ".join([f"Clips: {told}.", *gaps(dataset, parts)])
