"""Data sets of named moments out of folders, published data sets, exports of Label Studio, and one's own reviews.

    >>> dataset = read_dataset(Path("tricks"))                                   # doctest: +SKIP
    >>> dataset.balance()                                                        # doctest: +SKIP
    {'kickflip': 71, 'ollie': 62}

A new kind is one module here with what :class:`Reader` lists, and one line in ``READERS``. What a session of the
workspace teaches comes by :func:`core.recognize.datasets.reviewed.read_reviewed`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from core.errors import UserError
from core.labels.label_set import quoted
from core.recognize.datasets import diving48, folders, label_studio, spacejam
from core.recognize.datasets.files import unreadable
from core.recognize.samples import ClipDataset

__all__ = ["READERS", "Reader", "read_dataset"]


class Reader(Protocol):
    """What the module of a kind has."""

    KIND: str
    """As users name it."""

    def recognises(self, path: Path, /) -> bool:
        """Whether the path looks like this kind; raises ``UserError`` or ``OSError`` where it may not be read."""

    def read(self, path: Path, /) -> ClipDataset:
        """The data set; raises ``UserError`` with a sentence that names the file."""


READERS: tuple[Reader, ...] = (
    spacejam,
    diving48,
    label_studio,
    folders,  # last: it takes any folder, to say what is missing in it
)


def read_dataset(
    path: Path, kind: str | None = None, *, footage: Path | None = None, moment_frames: int | None = None
) -> ClipDataset:
    """The data set at ``path``.

    Args:
        path: a folder, or an export of Label Studio.
        kind: ``spacejam``, ``diving48``, ``label_studio`` or ``folders``; None finds it out.
        footage: folder with the videos of an export of Label Studio; None is the one that the export lies in.
        moment_frames: frames of a moment of such an export, around the middle of what was labelled; None for all of it.

    Raises:
        UserError: the path does not exist, may not be read or holds no data set of that kind, or it is no export of
            Label Studio and footage or the frames of a moment were given.
    """
    try:
        return _read(path, kind, footage, moment_frames)
    except OSError as error:
        raise unreadable(path, error) from error


def _read(path: Path, kind: str | None, footage: Path | None, moment_frames: int | None) -> ClipDataset:
    kinds = {reader.KIND: reader for reader in READERS}
    if kind is not None and kind not in kinds:
        raise UserError(f"There is no kind of data set called {kind[:40]!r}: choose {quoted(kinds)}.")
    if not path.exists():
        raise UserError(f"{path} does not exist: check the path.")
    for reader in (kinds[kind],) if kind else READERS:
        if not kind and not reader.recognises(path):
            continue
        if reader is label_studio:
            return label_studio.read(path, footage, moment_frames)
        if footage is not None or moment_frames is not None:
            raise UserError(
                f"{path.name} is no export of Label Studio, to which alone a folder of footage and the frames of a "
                "moment belong: leave them out, or choose the export's JSON."
            )
        return reader.read(path)
    raise UserError(f"{path.name} is no data set: choose a folder of clips, or an export of Label Studio in JSON.")
