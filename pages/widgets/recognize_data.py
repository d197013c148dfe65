"""What a recognizer is to learn from: chosen, and looked at before anything is trained."""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import streamlit as st

from core.errors import UserError
from core.recognize.datasets import label_studio, read_dataset
from core.recognize.datasets.files import some
from core.recognize.datasets.preview import preview_samples
from core.recognize.datasets.reviewed import read_reviewed
from core.recognize.learning import MOST_LEFT_OUT_ALONE, teachable
from core.recognize.samples import ClipDataset
from core.recognize.splits import Parts, gaps, split_apart
from core.settings import LearnSettings
from pages.widgets import recognize_charts
from pages.widgets.folder_choice import folder_input, kept_input
from pages.widgets.media import open_workspace
from pages.widgets.plain_text import count, escaped
from pages.widgets.recognize import existing, kept_choice, unseen
from pages.widgets.recognize_clips import clips, moments_of

_OWN, _DISK = "My sessions", "A folder or file"
_ANY = "Every name"
_TILES = 12
_TABLES = (".csv", ".json")
"""What says which clip shows what, in data sets of every kind."""
_GAPS_SAID = 5
_PARTS = {"train": "Learnt from", "val": "Best epoch by", "test": "Judged by"}


@dataclass(frozen=True)
class Data:
    """A data set that can be trained on."""

    path: str | None
    """None is what was named in the workspace."""
    footage: str | None
    """Where the videos of an export of Label Studio are; None is beside it."""
    moment_frames: int | None
    """Frames of each of its moments; None is what was labelled."""
    dataset: ClipDataset
    drop_rare: bool
    """Whether names with too few clips are left out."""

    def arguments(self) -> dict[str, Any]:
        """What the task needs to know to read it again."""
        return {"data": self.path, "footage": self.footage, "moment_frames": self.moment_frames}


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
    return Data(None, None, None, dataset, drop_rare=True)


def _from_disk() -> Data | None:
    text = folder_input(
        "Folder or file",
        "recognize_path",
        "A folder with a folder of clips for each name; SpaceJam or Diving48 as published; or an export of "
        "Label Studio (JSON).",
        "/media/tricks",
    )
    if not text:
        st.caption("A folder that holds a folder of clips for each name will do.")
        return None
    path = existing(text)
    footage, moment_frames = _of_label_studio() if label_studio.recognises(path) else (None, None)
    dataset = _read(str(path), _stamp(path), footage, _stamp(Path(footage)) if footage else "", moment_frames)
    drop_rare = st.checkbox(
        "Leave out names with a single clip",
        help="Nothing can be learnt from so little. Without this the training says which names they are, and ends.",
        **kept_input("recognize_drop_rare", False),
    )
    return Data(str(path), footage, moment_frames, dataset, drop_rare)


def _of_label_studio() -> tuple[str | None, int | None]:
    """Where the videos of an export are, and how long its moments."""
    text = folder_input(
        "Folder of its videos",
        "recognize_footage",
        "An export of Label Studio holds no videos: they are found by their names. Empty is the folder of the export.",
        "Beside the export",
    )
    footage = existing(text) if text else None
    if footage and not footage.is_dir():
        raise UserError(f"{footage} is no folder: name the one that the videos lie in.")
    moment_frames = st.number_input(
        "Frames of a moment",
        1,
        1000,
        value=None,
        placeholder="As it was labelled",
        help="So many frames around the middle of each labelled range or box, such as 5 for a strike.",
        **kept_input("recognize_moment_frames", None),
    )
    return str(footage) if footage else None, moment_frames


def _stamp(path: Path) -> str:
    """Another text once a file comes or goes anywhere in the folder, or a table or list there is written anew. What is
    in the clips does not matter.

    Raises:
        UserError: a folder may not be listed.
    """

    def refuse(error: OSError) -> None:
        raise unseen(Path(error.filename), error) from error

    looked_at = [path]
    for where, folders, names in os.walk(path, onerror=refuse) if path.is_dir() else ():
        folders[:] = [name for name in folders if not name.startswith(".")]
        looked_at += [Path(where, name) for name in (*folders, *names) if name in folders or name.endswith(_TABLES)]
    stamps = hashlib.blake2b(digest_size=16)
    for one in looked_at:
        with suppress(OSError):  # it went away since, or leads nowhere
            known = one.stat()
            stamps.update(f"{one}\0{known.st_mtime_ns}\0{known.st_size}\0".encode(errors="surrogateescape"))
    return stamps.hexdigest()


@st.cache_resource(max_entries=4, ttl=120, show_spinner="Reading the clips")
def _read(path: str, modified: str, footage: str | None, changed: str, moment_frames: int | None) -> ClipDataset:
    return read_dataset(Path(path), footage=Path(footage) if footage else None, moment_frames=moment_frames)


def show_data(data: Data, settings: LearnSettings) -> None:
    """The data set: how much there is of each name, how it looks, and what it will be judged by."""
    dataset = data.dataset
    counts = dataset.balance()
    groups = len({sample.group for sample in dataset.samples})
    st.text(f"{count(len(dataset.samples), 'clip')} · {count(len(counts), 'name')} · {count(groups, 'source')}")
    taught, said = _taught(dataset, settings)
    for sentence in (*warnings(dataset), *said):
        st.warning(escaped(sentence), icon=":material/warning:")
    parts = _parted(taught, settings) if taught else None
    with st.container(height=360 if len(counts) > _TILES else "content", border=False):
        spoken = ", ".join(f"{label} {clips_of}" for label, clips_of in counts.items())
        st.altair_chart(
            recognize_charts.balance(_bars(dataset, parts)),
            key="recognize_balance",
            alt=f"Clips of each name: {spoken}",
        )
    looked_at = st.selectbox("Look at", [_ANY, *counts], key="recognize_look_at", width=240)
    each = _TILES if looked_at != _ANY else max(1, _TILES // max(1, len(counts)))
    shown = preview_samples(dataset, each, settings.seed)
    samples = [one for label, some in shown.items() for one in some if looked_at in (_ANY, label)]
    clips("recognize_preview", moments_of(samples))
    if dataset.notes:
        with st.expander(count(len(dataset.notes), "note"), icon=":material/notes:"):
            for note in dataset.notes:
                st.text(note)


def warnings(dataset: ClipDataset) -> list[str]:
    """What will make the recognizer worse, or keep anybody from knowing how good it is, whatever the settings."""
    found = []
    if sum(number > 0 for number in dataset.balance().values()) < 2:
        found.append("There is only one name: a recognizer has to tell two apart.")
    if len({sample.group for sample in dataset.samples}) == 1:
        found.append("All clips come from one source, so nobody will know how good the recognizer is elsewhere.")
    return found


def _taught(dataset: ClipDataset, settings: LearnSettings) -> tuple[ClipDataset | None, tuple[str, ...]]:
    """What a training with these settings learns from, and what it says of names with too few clips; None where it
    refuses them."""
    try:
        taught, said = teachable(dataset, settings)
    except UserError as error:
        return None, (str(error),)
    if lonely := [label for label, number in taught.balance().items() if number == 1]:  # too few names would be left
        said += (f"Of {some(lonely)} there is a single clip, too few to be learnt and judged: add clips.",)
    return taught, said


def _parted(dataset: ClipDataset, settings: LearnSettings) -> Parts | None:
    """Say what it is judged by; the parts of the clips, where there are any."""
    if settings.arch == "light":
        groups = len({sample.group for sample in dataset.samples})
        turns = "Each source is" if groups <= MOST_LEFT_OUT_ALONE else "A tenth of the sources is"
        st.caption(
            f"{turns} left out once to judge it by; then it is trained on all {groups}."
            if groups > 1
            else "It is trained on all clips."
        )
        return None
    try:
        parts, anew = split_apart(dataset, settings.seed)
    except UserError as error:
        st.warning(escaped(str(error)), icon=":material/warning:")
        return None
    for column, (part, samples) in zip(st.columns(3), parts.items(), strict=True):
        sources = len({sample.group for sample in samples})
        with column.container(gap="xxsmall"):
            st.caption(_PARTS[part])
            st.text(f"{count(len(samples), 'clip')} of {count(sources, 'source')}")
    for sentence in (*anew, *gaps(dataset, parts)[:_GAPS_SAID]):
        st.caption(escaped(sentence))
    return parts


def _bars(dataset: ClipDataset, parts: Parts | None) -> dict[str, dict[str, int]]:
    """How many clips of each name there are, by part where there are parts."""
    counts = dataset.balance()
    if parts is None:
        return {"Clips": counts}
    held = {part: Counter(sample.label for sample in samples) for part, samples in parts.items()}
    return {_PARTS[part]: {label: held[part][label] for label in counts} for part in parts}
