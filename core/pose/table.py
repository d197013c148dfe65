"""The pose table: everybody seen in every sampled frame, and the camera's motion beside it, as Parquet.

One row per person and sampled frame; x and y in 0..1 of the upright frame, NaN where not seen. The camera table has
one row per sampled frame, so it also says which frames were looked at and showed nobody.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray


@dataclass(frozen=True)
class PoseTable:
    """Columns share their first axis, the rows, in order of the frames."""

    frame: NDArray[np.int32]
    time_s: NDArray[np.float64]
    person: NDArray[np.int32]
    """Track the person belongs to; -1 untracked."""
    score: NDArray[np.float32]
    boxes: NDArray[np.float32]
    """Shape ``(rows, 4)``: x1, y1, x2, y2."""
    keypoints: NDArray[np.float32]
    """Shape ``(rows, 17, 3)``: x, y, confidence."""

    def to_arrow(self) -> pa.Table:
        """As an Arrow table with columns frame, time_s, person, score, x1, y1, x2, y2 and keypoints (51 floats)."""
        columns = {"frame": self.frame, "time_s": self.time_s, "person": self.person, "score": self.score}
        columns |= {name: self.boxes[:, i] for i, name in enumerate(("x1", "y1", "x2", "y2"))}
        flat = pa.FixedSizeListArray.from_arrays(pa.array(self.keypoints.reshape(-1), pa.float32()), 51)
        return pa.table({name: pa.array(values) for name, values in columns.items()} | {"keypoints": flat})

    @classmethod
    def from_arrow(cls, table: pa.Table) -> PoseTable:
        """The inverse of :meth:`to_arrow`."""
        flat = table["keypoints"].combine_chunks().flatten().to_numpy(zero_copy_only=False)
        frame, time_s, person, score = (table[name].to_numpy() for name in ("frame", "time_s", "person", "score"))
        boxes = np.stack([table[name].to_numpy() for name in ("x1", "y1", "x2", "y2")], axis=1)
        return cls(frame, time_s, person, score, boxes, flat.reshape(-1, 17, 3))

    def of_frames(self, frames: NDArray[np.int32]) -> PoseTable:
        """The rows of these frames."""
        rows = np.isin(self.frame, frames)
        return PoseTable(*(getattr(self, field.name)[rows] for field in fields(self)))

    @classmethod
    def read(cls, path: Path) -> PoseTable:
        """From a Parquet file."""
        return cls.from_arrow(pq.read_table(path))


@dataclass(frozen=True)
class CameraTable:
    """One row per sampled frame; see :class:`core.motion.CameraMotion` for the units."""

    frame: NDArray[np.int32]
    time_s: NDArray[np.float64]
    scale: NDArray[np.float64]
    rotation: NDArray[np.float64]
    dx: NDArray[np.float64]
    dy: NDArray[np.float64]
    agreement: NDArray[np.float64]
    difference: NDArray[np.float64]

    def to_arrow(self) -> pa.Table:
        """As an Arrow table with a column for each field."""
        return pa.table({field.name: getattr(self, field.name) for field in fields(self)})

    @classmethod
    def from_arrow(cls, table: pa.Table) -> CameraTable:
        """The inverse of :meth:`to_arrow`."""
        return cls(*(table[field.name].to_numpy() for field in fields(cls)))

    @classmethod
    def read(cls, path: Path) -> CameraTable:
        """From a Parquet file."""
        return cls.from_arrow(pq.read_table(path))

    @property
    def n(self) -> int:
        """How many frames were sampled."""
        return len(self.frame)

    def matrices(self) -> NDArray[np.float64]:
        """Similarities from the sampled frame before to each one: shape ``(n, 2, 3)``, frame heights; identity where
        unmeasured."""
        cos, sin = self.scale * np.cos(self.rotation), self.scale * np.sin(self.rotation)
        rows = np.stack([cos, -sin, np.nan_to_num(self.dx), sin, cos, np.nan_to_num(self.dy)], axis=1)
        return rows.reshape(-1, 2, 3)

    def every(self, step: int) -> CameraTable:
        """Every ``step``-th sampled frame, its motion being that of all the steps to it taken together."""
        if step == 1:
            return self
        whole = np.tile(np.eye(3), (self.n, 1, 1))
        whole[:, :2] = self.matrices()
        ends = np.arange(0, self.n, step)
        moved = np.tile(np.eye(3), (len(ends), 1, 1))
        unmeasured = np.zeros(len(ends), dtype=bool)
        agreement, difference = np.ones(len(ends)), np.zeros(len(ends))
        for back in range(step - 1, -1, -1):
            rows = ends[1:] - back
            moved[1:] = whole[rows] @ moved[1:]
            unmeasured[1:] |= np.isnan(self.dx[rows])
            agreement[1:] = np.minimum(agreement[1:], self.agreement[rows])
            difference[1:] = np.maximum(difference[1:], self.difference[rows])
        shift = np.where(unmeasured[:, None], np.nan, moved[:, :2, 2])
        return CameraTable(
            self.frame[ends],
            self.time_s[ends],
            np.hypot(moved[:, 0, 0], moved[:, 1, 0]),
            np.arctan2(moved[:, 1, 0], moved[:, 0, 0]),
            shift[:, 0],
            shift[:, 1],
            agreement,
            difference,
        )
