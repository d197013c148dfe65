"""SpaceJam: single actions of basketball players, 16 frames of 128x176 each, cut along the player's box.

    annotation_dict.json             {"0014297": 9, "0006103_flipped": 1, ...}: 37,085 clips and their classes
    labels_dict.json                 {"0": "block", ..., "10": "discard"}
    augmented_annotation_dict.json   where somebody made more copies
    dataset/examples/0014297.mp4     or any other folder beside, such as augmented-examples

**Copies.** 4,528 of the clips are mirrored copies of others (``_flipped``), and the augmentation that is published for
the data set adds rotated and shifted ones (``_rotate_30``, ``_rotate_330``, ``_translate_32_0``,
``_flipped_translate_-32_0``). A random split teaches with a copy of what it tests.

**Neighbours.** The numbers follow the footage, though nothing says which match a clip is from: two clips a few numbers
apart bear the same class in 32 to 36 % of the cases, 50 apart in 25 %, 100 apart in 22 %, which is chance. So a group
is a thousand numbers, with all copies of theirs. Groups touch, and at a border neighbours are parted: of the clips
tested, 6 to 10 % have one within 50 numbers that is trained on, where groups of a hundred would give two thirds.

Sources: github.com/simonefrancia/SpaceJam (README), names of copies as in hkair/Basketball-Action-Recognition.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from core.errors import UserError
from core.labels.label_set import clean_label
from core.recognize.datasets.files import json_of, some, videos_under
from core.recognize.samples import ClipDataset, ClipSample

KIND = "spacejam"
_ANNOTATIONS, _LABELS, _COPIES = "annotation_dict.json", "labels_dict.json", "augmented_annotation_dict.json"
_COPY = re.compile(r"(.+?)(?:_flipped|_rotated?_-?\d+|_translated?_-?\d+_-?\d+)+")
_DISCARD = "discard"
"""The class of clips that are not to be used."""
_NEIGHBOURS = 1000
"""Numbers a group: ten times the distance from which on labels agree no more often than by chance, so that few clips
lie near a border, and there are still 41 groups to deal out."""


def recognises(path: Path) -> bool:
    """A folder with the two dictionaries."""
    return all((path / name).is_file() for name in (_ANNOTATIONS, _LABELS))


def original(key: str) -> str:
    """The clip that a copy was made from; the key itself where it is none.

    >>> original("0000000_flipped_translate_-32_0"), original("0000001")
    ('0000000', '0000001')
    """
    copy = _COPY.fullmatch(key)
    return copy[1] if copy else key


def annotated_clips(folder: Path) -> tuple[dict[str, str], tuple[str, ...]]:
    """Every annotated clip with its class, and the classes in the order of their numbers, "discard" left out of both.

    Raises:
        UserError: a dictionary is missing, is none, or names a class that the other does not know.
    """
    names: dict[int, str] = {}
    for number, name in _dictionary(folder / _LABELS).items():
        if not number.isdecimal() or not isinstance(name, str):
            raise UserError(f"{_LABELS} must give each number of a class a name, not {number[:20]!r}: fetch it anew.")
        try:
            names[int(number)] = clean_label(name)
        except ValueError as error:
            raise UserError(f"{_LABELS}, class {number[:20]}: {error}; fetch it anew.") from None
    keys = _dictionary(folder / _ANNOTATIONS)
    if (folder / _COPIES).is_file():
        keys |= _dictionary(folder / _COPIES)
    labels = {}
    for key, number in keys.items():
        if isinstance(number, bool) or not isinstance(number, int) or number not in names:
            raise UserError(
                f"{_ANNOTATIONS} gives clip {key[:40]} the class {str(number)[:20]}, which {_LABELS} does not know:"
                " fetch both from one place."
            )
        if names[number] != _DISCARD:
            labels[key] = names[number]
    return labels, tuple(names[number] for number in sorted(names) if names[number] != _DISCARD)


def read(path: Path) -> ClipDataset:
    """The annotated clips that lie in the folder or in one below it.

    Raises:
        UserError: no clip is there, or the dictionaries make no sense.
    """
    labels, classes = annotated_clips(path)
    videos = videos_under(path)
    samples, unknown = [], []
    for key, video in videos.by_stem().items():
        label = labels.get(key) or labels.get(original(key))
        if label is None:
            unknown.append(video.name)
        else:
            samples.append(ClipSample(video, label, _group(original(key))))
    if not samples:
        raise UserError(
            f"{path.name} has {len(labels)} annotated clips and none of their videos: put them into"
            f" {path.name}/dataset/examples."
        )
    notes = [
        "Groups are a thousand neighbouring clips with their copies, for it is not known which match they are from."
    ]
    there = {sample.path.stem for sample in samples}
    if missing := sum(key not in there for key in labels):
        notes.append(f"{missing} of {len(labels)} annotated clips have no video here.")
    if unknown:
        notes.append(f"Left out, for they are not annotated or to be discarded: {some(unknown)}.")
    return ClipDataset(path.name, tuple(samples), classes, tuple(notes))


def _group(key: str) -> str:
    if not key.isdecimal():
        return key
    first = int(key) // _NEIGHBOURS * _NEIGHBOURS
    return f"{first:07d}-{first + _NEIGHBOURS - 1:07d}"


def _dictionary(path: Path) -> dict[str, Any]:
    content = json_of(path)
    if not isinstance(content, dict):
        raise UserError(f"{path.name} is not the dictionary that SpaceJam publishes: fetch it anew.")
    return content
