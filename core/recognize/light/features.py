"""The features of moments, computed once: the backbone's changes in the moment's squares, and in their mirror image.

>>> with Workspace.open() as workspace:                                  # doctest: +SKIP
...     described = describe(samples, workspace)
>>> described.values.shape                                               # doctest: +SKIP
(133, 2, 1312)
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.atomic import atomic_path
from core.errors import Cancelled
from core.pose.runtime import WORKERS
from core.recognize.frames import read_frames
from core.recognize.light.backbone import Backbone
from core.recognize.light.changes import COUNT, changes
from core.recognize.light.moment import moment_of
from core.recognize.light.sight import Eyes
from core.recognize.samples import ClipSample, Track
from core.workspace import Workspace

SIDE = 160
"""Pixels of a square, as the backbone sees it."""
VERSION = 1
"""Of all that a vector depends on; a recognizer is used with the version that it was trained with."""
LONG_S = 1800.0
"""Seconds of looking that nobody should begin unwarned."""
_TRIED = 9
Progress = Callable[[str, float], None]
"""Called with the step and how much of it is done, 0 to 1."""


log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class Described:
    """Moments as a classifier sees them."""

    values: NDArray[np.float32]
    """Shape ``(n, 2, k)``: of each moment, as filmed and mirrored."""
    notes: tuple[str, ...]
    """What was not found in which clip; sentences for the user."""


def describe(
    samples: Sequence[ClipSample],
    workspace: Workspace,
    progress: Progress | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> Described:
    """The features of each sample, from the workspace where they were computed before.

    What will take longer than :data:`LONG_S` says so in a warning of the log once a few samples were looked at.

    Raises:
        UserError: a video cannot be read, or a sample lies beyond its end.
        Cancelled: ``cancelled`` said so; the samples that were done are kept.
    """
    eyes, took = Eyes(workspace), list[float]()
    values, notes = np.empty((len(samples), 2, COUNT), np.float32), []
    for number, sample in enumerate(samples):
        if cancelled and cancelled():
            raise Cancelled
        if progress:
            progress("describing", number / len(samples))
        content = eyes.content(sample.path)
        key = _key(sample, eyes)
        path = workspace.artifact(content, "moment", key, "npz", version=VERSION)
        if not path.exists():
            began = time.monotonic()
            _write(path, *_described(sample, eyes, cancelled))
            took.append(time.monotonic() - began)
            if len(took) == _TRIED:
                _tell_if_long(took, len(samples) - number - 1)
        with np.load(path, allow_pickle=False) as kept:
            values[number], note = kept["values"], str(kept["note"])
        if note:
            notes.append(f"{sample.path.name}: {note}.")
    if progress:
        progress("describing", 1.0)
    return Described(values, tuple(notes))


def _tell_if_long(took: Sequence[float], left: int) -> None:
    """Say how long the samples that are left will take by those that were looked at, but for the first: it waited for
    the networks to be read."""
    left_s = left * sum(took[1:]) / (len(took) - 1)
    if left_s > LONG_S:
        about = f"{left_s / 3600:.0f} hours" if left_s > 5400 else f"{left_s / 60:.0f} minutes"
        log.warning(
            "looking at the other %d clips will take about %s; it can be stopped and goes on from there.", left, about
        )


def _key(sample: ClipSample, eyes: Eyes) -> dict[str, Any]:
    where = {"start": sample.start_frame, "end": sample.end_frame}
    if sample.track is not None:
        return {**where, "track": _digest(sample.track)}
    return {**where, "seen": eyes.key(eyes.content(sample.path))}


def _digest(track: Track) -> str:
    arrays = (np.asarray(track.frames, np.int64), np.asarray(track.boxes, np.float64))
    return blake2b(b"".join(np.ascontiguousarray(one).tobytes() for one in arrays), digest_size=16).hexdigest()


@cache
def _backbone() -> tuple[Backbone, ThreadPoolExecutor]:
    """One for the process, with threads of its own: to set up an interpreter takes as long as 70 pictures."""
    return Backbone(SIDE), ThreadPoolExecutor(WORKERS, thread_name_prefix="backbone")


def _described(sample: ClipSample, eyes: Eyes, cancelled: Callable[[], bool] | None) -> tuple[NDArray[np.float32], str]:
    backbone, pool = _backbone()
    video = eyes.video(sample.path)
    moment = moment_of(sample, video, None if sample.track is not None else eyes.see(video, cancelled))
    shown = ClipSample(sample.path, sample.label, sample.group, track=moment.squares)
    once, place = np.unique(moment.frames, return_inverse=True)
    pictures = read_frames(shown, once, (SIDE, SIDE), margin=0.0, video=video)
    values = []
    for view in (pictures, pictures[:, :, ::-1]):
        maps = list(pool.map(backbone.maps, np.ascontiguousarray(view)))
        values.append(changes([maps[at] for at in place]))
    return np.stack(values), moment.note or ""


def _write(path: Path, values: NDArray[np.float32], note: str) -> None:
    with atomic_path(path) as temporary, temporary.open("wb") as file:
        np.savez(file, values=values, note=np.array(note))
