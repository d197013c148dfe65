"""What every data set of named moments becomes: one contract for reading, splitting, training and judging.

>>> ClipSample(Path("park.mp4"), "ollie", group="park", start_frame=30, end_frame=45)      # doctest: +SKIP
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from core.errors import UserError

Part = Literal["train", "val", "test"]


@dataclass(frozen=True)
class Track:
    """Where somebody is, frame by frame."""

    frames: NDArray[np.int64]
    """Decoded frames of the video, ascending: shape ``(n,)``."""
    boxes: NDArray[np.float64]
    """x1, y1, x2, y2 in 0..1 of the upright picture: shape ``(n, 4)``."""


@dataclass(frozen=True)
class ClipSample:
    """One moment with its name."""

    path: Path
    """The video, or a clip that holds this moment alone."""
    label: str
    group: str
    """What it was made from: a source, a scene or a match. All of a group lie in one part of a split."""
    start_frame: int = 0
    """First decoded frame inside."""
    end_frame: int | None = None
    """Last decoded frame inside; None to the end."""
    part: Part | None = None
    """Where the publisher put it; None where that is open."""
    track: Track | None = None
    """Whose moment it is; None is the whole picture."""
    copy_of: str | None = None
    """The file that this is a changed copy of, by its name; None of an original. A copy teaches, and never judges."""

    def __post_init__(self) -> None:
        if self.start_frame < 0 or (self.end_frame is not None and self.end_frame < self.start_frame):
            raise ValueError(f"not a moment: frames {self.start_frame} to {self.end_frame}")


@dataclass(frozen=True)
class ClipDataset:
    """Moments with names."""

    name: str
    samples: tuple[ClipSample, ...]
    classes: tuple[str, ...]
    """Every label once, in the order of the numbers that a model gives out; some may have no sample."""
    notes: tuple[str, ...] = ()
    """Sentences for the user, such as what was left out and why."""

    def __post_init__(self) -> None:
        unknown = sorted({sample.label for sample in self.samples} - set(self.classes))
        if unknown:
            raise UserError(
                f"{self.name} has the unknown class {unknown[0]!r}: its classes are {', '.join(self.classes)}."
            )

    def balance(self) -> dict[str, int]:
        """How many samples each class has, in the order of the classes."""
        counts = Counter(sample.label for sample in self.samples)
        return {label: counts[label] for label in self.classes}
