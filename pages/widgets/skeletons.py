"""Skeletons on their way to the browser: a chunk holds the people of some sampled frames in a row.

    >>> skeleton_chunk(look.pose, look.camera.frame, look.signals.rows, 0, CHUNK)      # doctest: +SKIP

Little-endian. ``uint32`` m, the sampled frames in this chunk; ``uint32`` × (m + 1), how many people come before each of
them and how many there are; then for each person ``uint16`` × 35: 1 for the chosen one and 0 for others, and x, y of
the 17 keypoints in 1/65534 of the frame's width and height, 65535 where not seen.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from core.pose.table import PoseTable

CHUNK = 256
"""Sampled frames in a chunk: some 17 seconds, about 20 kB for each person in view."""
UNSEEN = 65535
SCALE = 65534


def skeleton_chunk(
    pose: PoseTable, camera_frames: NDArray[np.integer], chosen_rows: NDArray[np.integer], n: int, chunk: int
) -> bytes:
    """The ``n``-th chunk.

    Args:
        camera_frames: the sampled frames in order, shape ``(m,)``.
        chosen_rows: row of ``pose`` that shows the skater in each of them, -1 where he is not seen, shape ``(m,)``.
        n: counted from 0; a chunk beyond the end is empty.
        chunk: sampled frames in a chunk.
    """
    wanted = slice(n * chunk, (n + 1) * chunk)
    frames = np.asarray(camera_frames)[wanted]
    first = np.searchsorted(pose.frame, frames)
    last = np.searchsorted(pose.frame, frames, side="right")
    before = np.concatenate([[0], np.cumsum(last - first)]).astype("<u4")
    rows = (
        np.concatenate([np.arange(a, b) for a, b in zip(first, last, strict=True)]).astype(np.int64)
        if len(frames)
        else np.zeros(0, np.int64)
    )
    points = pose.keypoints[rows, :, :2].astype(np.float64)
    seen = np.isfinite(points).all(axis=2, keepdims=True)
    places = np.where(seen, np.rint(np.clip(np.nan_to_num(points), 0, 1) * SCALE), UNSEEN)
    people = np.empty((len(rows), 35), "<u2")
    people[:, 0] = np.isin(rows, np.asarray(chosen_rows)[wanted])
    people[:, 1:] = places.reshape(len(rows), 34)
    return len(frames).to_bytes(4, "little") + before.tobytes() + people.tobytes()
