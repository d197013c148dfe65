"""Diving48: dives of 48 kinds out of competitions, by take-off, somersaults, twists and position.

    Diving48_V2_train.json   [{"vid_name": "-mmq0PT-u8k_00155", "label": 0, "start_frame": 0, "end_frame": 48}, ...]
    Diving48_V2_test.json
    Diving48_vocab.json      [["Back", "15som", "05Twis", "FREE"], ...]: 48 rows, in the order of the labels
    rgb/-mmq0PT-u8k_00155.mp4

The files may lie in the folder or in one below it, such as ``annotations``. A class is called by its row. What comes
before the last underscore of ``vid_name`` is the video on YouTube, one competition: that is the group.

V2 counts; the labels of V1 are known to be faulty. A clip holds one dive from its first frame to its last, so that all
of the file is the moment where ``start_frame`` is 0; else ``end_frame`` is the first frame after it.

Sources: svcl.ucsd.edu/projects/resound/dataset.html; layout of the folder as MMAction2 prepares it.
"""

from __future__ import annotations

from itertools import chain
from pathlib import Path
from typing import Any

from core.errors import UserError
from core.labels.label_set import MAX_FRAME, clean_label
from core.recognize.datasets.files import json_of, some, videos_under
from core.recognize.samples import ClipDataset, ClipSample, Part

KIND = "diving48"
_VOCABULARY = "Diving48_vocab.json"
_PARTS: dict[str, Part] = {"Diving48_V2_train.json": "train", "Diving48_V2_test.json": "test"}
_CLASSES = 48


def recognises(path: Path) -> bool:
    """A folder with one of the lists in it or below it."""
    return path.is_dir() and any(_find(path, name) for name in _PARTS)


def read(path: Path) -> ClipDataset:
    """The dives whose videos lie in the folder, with the publisher's parts.

    Raises:
        UserError: no list, no vocabulary, a label outside of it, or none of the videos.
    """
    classes = _vocabulary(path)
    videos = videos_under(path).by_stem()
    samples, missing = [], []
    for name, part in _PARTS.items():
        if not (where := _find(path, name)):
            continue
        for number, record in enumerate(_records(where), start=1):
            try:
                sample, key = _sample(record, part, classes, videos)
            except ValueError as error:
                raise UserError(f"{name}, dive {number}: {error}; fetch the file anew.") from None
            if sample:
                samples.append(sample)
            else:
                missing.append(key)
    if not samples:
        raise UserError(
            f"{path.name} has {len(missing)} annotated dives and none of their videos: put them into {path.name}/rgb."
        )
    notes = []
    if missing:
        notes.append(f"{len(missing)} of {len(samples) + len(missing)} dives have no video here, as {some(missing)}.")
    parts = [{sample.group for sample in samples if sample.part == part} for part in _PARTS.values()]
    if shared := sorted(set.intersection(*parts)):
        notes.append(
            f"The published test part has dives of {len(shared)} competition(s) that it is also trained on"
            f" ({some(shared)}): for footage never seen, split anew by group."
        )
    return ClipDataset(path.name, tuple(samples), classes, tuple(notes))


def _vocabulary(folder: Path) -> tuple[str, ...]:
    where = _find(folder, _VOCABULARY)
    if where is None:
        raise UserError(f"{folder.name} lacks {_VOCABULARY}, which names the classes: put it beside the lists.")
    rows = json_of(where)
    if not isinstance(rows, list) or not all(
        isinstance(row, list) and row and all(isinstance(word, str) for word in row) for row in rows
    ):
        raise UserError(f"{_VOCABULARY} is not the list of {_CLASSES} rows of words that is published: fetch it anew.")
    try:
        names = tuple(clean_label(" ".join(row)) for row in rows)
    except ValueError as error:
        raise UserError(f"{_VOCABULARY}: {error}; fetch it anew.") from None
    if len(set(names)) != _CLASSES or len(names) != _CLASSES:
        raise UserError(f"{_VOCABULARY} names {len(set(names))} kinds of dives where {_CLASSES} are: fetch it anew.")
    return names


def _records(path: Path) -> list[Any]:
    content = json_of(path)
    if not isinstance(content, list):
        raise UserError(f"{path.name} is not the list of dives that is published: fetch it anew.")
    return content


def _sample(
    record: Any, part: Part, classes: tuple[str, ...], videos: dict[str, Path]
) -> tuple[ClipSample | None, str]:
    """One dive, None without its video; and its name."""
    if not isinstance(record, dict) or not isinstance(key := record.get("vid_name"), str) or not key:
        raise ValueError("vid_name is missing")
    label, start, end = (_whole(record, name) for name in ("label", "start_frame", "end_frame"))
    if label >= len(classes):
        raise ValueError(f"the label {label} is not between 0 and {len(classes) - 1}")
    if end <= start:
        raise ValueError(f"it ends (frame {end}) before it starts (frame {start})")
    if key not in videos:
        return None, key
    group = key.rpartition("_")[0] or key
    # Another decoder may count a frame more or less, so that the end of the file is the surer end of a whole one.
    last = end - 1 if start else None
    return ClipSample(videos[key], classes[label], group, start, last, part), key


def _whole(record: dict[str, Any], name: str) -> int:
    value = record.get(name)
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= MAX_FRAME:
        raise ValueError(f"{name} is {str(value)[:20]!r}, which is no whole number from 0 up")
    return value


def _find(folder: Path, name: str) -> Path | None:
    return next(chain((p for p in [folder / name] if p.is_file()), sorted(folder.glob(f"*/{name}"))), None)
