"""Label files that a browser hands over or is handed: bytes under a name from outside, which never becomes a path."""

from __future__ import annotations

import re
import tempfile
from pathlib import Path, PurePosixPath, PureWindowsPath

import numpy as np
from numpy.typing import NDArray

from core.labels import read_labels, write_labels
from core.labels.label_set import LabelSet


def read_upload(
    name: str, content: bytes, pts_s: NDArray[np.float64] | None = None, video: str | Path | None = None
) -> LabelSet:
    """The labels in a file that was dropped on a page; see :func:`core.labels.read_labels`.

    Raises:
        UserError: the file is no label file; the sentence calls it by its name.
    """
    with tempfile.TemporaryDirectory(prefix="trickline-") as folder:
        path = Path(folder) / plain_name(name)
        path.write_bytes(content)
        return read_labels(path, pts_s, video)


def file_bytes(labels: LabelSet, suffix: str, pts_s: NDArray[np.float64] | None = None) -> bytes:
    """What :func:`core.labels.write_labels` writes into a file with this ending.

    Raises:
        UserError: a label cannot be kept in a file, or labels lie beyond the end of the video.
    """
    with tempfile.TemporaryDirectory(prefix="trickline-") as folder:
        path = Path(folder) / f"labels{suffix}"
        write_labels(path, labels, pts_s)
        return path.read_bytes()


def plain_name(name: str) -> str:
    """A file's name without folders and odd characters, short enough for any disk; ``labels`` if nothing is left."""
    last = PureWindowsPath(PurePosixPath(name).name).name
    return re.sub(r"[^\w .()-]", "_", last)[-60:].strip(". ") or "labels"
