"""Labels that lie next to a video under its name.

    >>> sidecar(Path("park.mp4"))                                            # doctest: +SKIP
    PosixPath('park.xml')

Taken are ``park.xml``, ``park.csv``, ``park.llc`` and ``park.json`` beside ``park.mp4``, the same behind the whole name
(``park.mp4.xml``), ``park-proj.llc``, as LosslessCut calls its projects, and ``park.ls.json``, as Trickline calls what
it writes for Label Studio.
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from core.errors import UserError
from core.intervals import Event
from core.labels import label_studio, read_labels
from core.labels.label_set import MAX_BYTES

SUFFIXES = (".xml", ".csv", ".llc", ".json")
"""In the order of preference: CVAT's frames were set by a person one by one; a table gives frames too, or times that
somebody wrote down; LosslessCut saves its cuts, whatever they are of, unasked; and JSON is what every program
writes."""

_READ_WHOLE = 4 << 20
"""Bytes up to which a file is read to know whether it is one of labels; a larger one tells by how it begins."""
_HEAD = 65536
_ANY_TIME = np.array([0.0, 1e9])
"""Stands in for the video's PTS table: times are read, whatever they are."""


def sidecar(video: Path) -> Path | None:
    """The label file that lies next to ``video``; None if there is none.

    Of several the ending decides, in the order of :data:`SUFFIXES`; of one ending ``park.mp4.xml`` comes before
    ``park.xml``, which may belong to ``park.mov``, and ``park-proj.llc`` and ``park.ls.json`` last. Capitals in endings
    do not matter. What holds no labelled interval, or is a file of something else under such a name, is passed over, as
    is a link that leads out of the folder. A damaged label file is passed over too: to learn what is wrong with it,
    open it by name. So is one that tells confidences, like that of ``trickline run --json``: a machine found what is in
    it, and nobody would want to teach a detector its own guesses without having said so.
    """
    names = [f"{stem}{suffix}" for suffix in SUFFIXES for stem in (video.name, video.stem, *_more(video, suffix))]
    found: dict[str, Path] = {}
    folder = video.absolute().parent
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.name.startswith(video.stem):
                    stem, suffix = os.path.splitext(entry.name)
                    found[stem + suffix.lower()] = folder / entry.name
    except OSError:
        return None
    inside = folder.resolve()
    for path in (found[name] for name in names if name in found):
        if path.is_file() and path.resolve().is_relative_to(inside) and _holds_labels(path, video):
            return video.parent / path.name
    return None


def _more(video: Path, suffix: str) -> tuple[str, ...]:
    """What LosslessCut and Trickline's own export for Label Studio put behind the name."""
    return {".llc": (f"{video.stem}-proj",), ".json": (f"{video.stem}.ls",)}.get(suffix, ())


def _holds_labels(path: Path, video: Path) -> bool:
    try:
        size = path.stat().st_size
        if size > _READ_WHOLE:
            with path.open("rb") as file:
                head = file.read(_HEAD).removeprefix(b"\xef\xbb\xbf").lstrip()
            # Only the boxes of CVAT and Label Studio, which may be told for every frame, take so much.
            return size <= MAX_BYTES and (b"<annotations" in head or label_studio.recognises(head))
        intervals = read_labels(path, _ANY_TIME, video).intervals
        return bool(intervals) and not any(isinstance(interval, Event) for interval in intervals)
    except (UserError, OSError):
        return False
