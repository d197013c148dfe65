"""Labels out of files and into files: CVAT, Label Studio, LosslessCut, CSV, and the events that Trickline prints.

    >>> labels = read_labels("annotations.xml")                              # doctest: +SKIP
    >>> write_labels("tricks.csv", labels, video.pts_s)                      # doctest: +SKIP

A new format is one module here with what :class:`LabelFormat` lists, and one line in ``FORMATS``.
"""

from __future__ import annotations

from pathlib import Path
from typing import Protocol, TextIO

import numpy as np
from numpy.typing import NDArray

from core.atomic import atomic_path
from core.errors import UserError
from core.labels import csv_intervals, cvat, events_json, label_set, label_studio, losslesscut
from core.labels.label_set import LabelSet, check_within, clean_label

__all__ = ["FORMATS", "LabelFormat", "LabelSet", "check_within", "read_labels", "write_labels"]

PtsTable = NDArray[np.float64]
_HEAD_BYTES = 65536


class LabelFormat(Protocol):
    """What a format's module has."""

    NAME: str
    """For the user's eyes."""
    SUFFIX: str
    """Ending of the files that it writes, with the dot; of two that fit a name the longer counts."""

    def recognises(self, head: bytes, /) -> bool:
        """Whether the file is of this kind, from its first bytes less byte order mark and leading white space."""

    def read(self, path: Path, pts_s: PtsTable | None, video: str | Path | None, /) -> LabelSet:
        """The labels; raises ``UserError`` with a sentence that names the file."""

    def write(self, out: TextIO, labels: LabelSet, pts_s: PtsTable | None, /) -> None:
        """The whole file; every label and frame number was checked before."""


FORMATS: tuple[LabelFormat, ...] = (
    cvat,
    losslesscut,  # before those in JSON, any word of which may be the name or a tag of a segment
    label_studio,  # before events_json, which takes a label "events" in it for its own
    events_json,
    csv_intervals,  # last: it takes any text with a delimiter, to say which columns are missing
)


def read_labels(
    path: str | Path, pts_s: PtsTable | None = None, video: str | Path | None = None, *, may_be_empty: bool = False
) -> LabelSet:
    """The labels in a file, whatever it is called: the content decides the format.

    Args:
        path: The label file.
        pts_s: PTS table of its video in seconds, shape ``(n_frames,)``. Needed only for files with times and no frames.
        video: Name or path of the video, for files that hold the labels of several.

    Raises:
        UserError: the file cannot be read, is of no known format, is damaged, or holds no interval.
    """
    path = Path(path)
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            head = file.read(_HEAD_BYTES).removeprefix(b"\xef\xbb\xbf").lstrip()
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}.") from error
    if not head:
        raise UserError(f"{path.name} is empty: choose a file with labels in it.")
    if size > label_set.MAX_BYTES:
        raise UserError(
            f"{path.name} has {size / 2**20:.0f} MB, more than a label file may have "
            f"({label_set.MAX_BYTES / 2**20:.0f} MB): split it by video."
        )
    if head.startswith(b"PK\x03\x04"):
        raise UserError(f"{path.name} is a ZIP archive: unpack it and choose the annotations.xml inside.")
    for kind in FORMATS:
        if kind.recognises(head):
            labels = kind.read(path, pts_s, video)
            break
    else:
        names = label_set.quoted(kind.NAME for kind in FORMATS)
        raise UserError(f"{path.name} is in none of the label formats that are read: choose {names}.")
    if not labels.intervals and not may_be_empty:
        raise UserError(f"{path.name} holds no labelled interval: label something in it first, or choose another file.")
    return labels


def write_labels(path: str | Path, labels: LabelSet, pts_s: PtsTable | None = None) -> None:
    """Write the labels in the format of the target's ending. The file appears whole or not at all.

    Args:
        path: Where to, in a folder that is made if need be; ``.xml`` is CVAT for video 1.1, ``.csv`` intervals,
            ``.json`` events as Trickline prints them, ``.ls.json`` a task to import into Label Studio, ``.llc`` a
            project of LosslessCut.
        labels: The intervals, with the facts of their video that the format has room for.
        pts_s: PTS table of the video in seconds, shape ``(n_frames,)``: CSV and JSON then tell times as well.
            LosslessCut's projects tell nothing else, so that they need it.

    Raises:
        UserError: the ending is unknown, a label cannot be kept in a file, labels lie beyond the end of the video, the
            format needs a PTS table and there is none, or the file cannot be written.
    """
    path = Path(path)
    # "tricks.ls.json" ends in ".json" too: the longest ending counts.
    kinds = [kind for kind in FORMATS if path.name.lower().endswith(kind.SUFFIX)]
    kind = max(kinds, key=lambda kind: len(kind.SUFFIX), default=None)
    if kind is None:
        raise UserError(f"{path.name} has no known ending: use {label_set.quoted(kind.SUFFIX for kind in FORMATS)}.")
    for n_frames in (labels.n_frames, None if pts_s is None else len(pts_s)):
        if n_frames is not None:
            check_within(labels, n_frames, path.name)
    for label in {interval.label for interval in labels.intervals}:
        try:
            kept = clean_label(label) == label
        except ValueError:
            kept = False
        if not kept:
            raise UserError(f"{path.name} cannot keep the label {label!r}: rename it to plain text on one line.")
    with atomic_path(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as out:
        kind.write(out, labels, pts_s)
