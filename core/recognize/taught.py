"""What a recognizer was trained on, so that figures on those very clips are not taken for how good it is.

>>> taught = read_taught(Path("recognizer"))                             # doctest: +SKIP
>>> taught.met(dataset.samples).sum()                                    # doctest: +SKIP
93

A clip is known again by the content of its file, in a copy under any name and in any folder. A source is known again by
its name, so that clips that were made from the same footage are, too, although none of them was trained on. Two sources
of two data sets that are called alike are taken for one: that tells too little of what is unseen, and never too much.
Only where both are called by nothing but their own file, such as ``ollie/1.mp4``, does the name say nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from hashlib import blake2b
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from core.atomic import atomic_path
from core.content import content_id
from core.errors import Cancelled, UserError
from core.recognize.datasets.folders import kind_and_name
from core.recognize.loading import Cancel, Progress
from core.recognize.samples import ClipSample
from core.settings import Settings

TAUGHT = "taught.json"
MAX_BYTES = 64 * 2**20
"""A million clips have half of that."""


class Taught(Settings):
    """The clips of a training and their sources."""

    trickline_taught: Literal[1] = 1
    files: tuple[str, ...]
    """Content ids, sorted."""
    groups: tuple[str, ...]
    """Digests of the names of those sources that are more than one file, sorted."""
    single: tuple[str, ...] = ()
    """Those of sources that are called by their only file."""

    def met(
        self, samples: Sequence[ClipSample], progress: Progress | None = None, cancelled: Cancel | None = None
    ) -> NDArray[np.bool_]:
        """Which samples are of files or of groups that were trained on: shape ``(n,)``.

        Raises:
            UserError: a video cannot be read.
            Cancelled: ``cancelled`` said so.
        """
        files, named = set(self.files), set(self.groups)
        known = {True: named, False: named | set(self.single)}
        contents = contents_of(samples, progress, cancelled)
        touched = {
            one.group for one in samples if contents[one.path] in files or _digest(one.group) in known[_is_single(one)]
        }
        return np.array([sample.group in touched for sample in samples], np.bool_)

    def write(self, folder: Path) -> None:
        """Keep it beside the recognizer.

        Raises:
            UserError: the folder cannot be written to.
        """
        with atomic_path(folder / TAUGHT) as temporary:
            temporary.write_text(self.model_dump_json() + "\n", "utf-8")


def taught_by(samples: Sequence[ClipSample], contents: Mapping[Path, str]) -> Taught:
    """Of a training on these samples.

    Args:
        contents: as :func:`contents_of` told before the training, for a file may be replaced while it lasts.
    """
    digests: dict[bool, set[str]] = {True: set(), False: set()}
    for sample in samples:
        digests[_is_single(sample)].add(_digest(sample.group))
    return Taught(
        files=tuple(sorted({contents[sample.path] for sample in samples})),
        groups=tuple(sorted(digests[False])),
        single=tuple(sorted(digests[True])),
    )


def read_taught(folder: Path) -> Taught | None:
    """Of the recognizer in ``folder``; None if nobody wrote it down.

    Raises:
        UserError: the file is damaged.
    """
    path = folder / TAUGHT
    try:
        if path.stat().st_size > MAX_BYTES:
            raise ValueError("too large")
        return Taught.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise UserError(f"{path} is damaged: delete it, or train anew.") from error


def contents_of(
    samples: Sequence[ClipSample], progress: Progress | None = None, cancelled: Cancel | None = None
) -> dict[Path, str]:
    """The content id of each file.

    Raises:
        UserError: a video cannot be read.
        Cancelled: ``cancelled`` said so.
    """
    paths = list(dict.fromkeys(sample.path for sample in samples))
    contents = {}
    for number, path in enumerate(paths):
        if cancelled and cancelled():
            raise Cancelled
        if progress:
            progress("telling clips apart", number / len(paths))
        contents[path] = content_id(path)
    return contents


def _is_single(sample: ClipSample) -> bool:
    """Whether the group is called by the file, which is known by its content."""
    return f"/{sample.path.as_posix()}".endswith(f"/{sample.group}")


def _digest(group: str) -> str:
    """Of a source's name alone: in the table of copies it is told as another kind of group."""
    return blake2b(kind_and_name(group)[1].encode("utf-8", "surrogateescape"), digest_size=8).hexdigest()
