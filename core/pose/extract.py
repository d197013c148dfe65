"""From a video to its pose table and camera table, in parts that survive a stop.

A decoder, the camera's motion and second looks run in the calling thread while the network works in others. Every part
of 256 sampled frames is written before the next begins, and starts what goes from frame to frame anew, so a run that
was stopped carries on at its last part and ends with the very same tables.
"""

from __future__ import annotations

import shutil
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, fields
from pathlib import Path

import cv2
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from core.atomic import atomic_path, make_folder
from core.errors import Cancelled
from core.motion import LONG_SIDE, CameraMotion, MotionEstimator
from core.pose import People, PoseEstimator
from core.pose.closer import LONG_SIDE as CLOSE_LONG_SIDE
from core.pose.closer import CloserLook
from core.pose.runtime import WORKERS
from core.pose.subject import link
from core.pose.table import CameraTable, PoseTable
from core.video import Picture, Video

PART_FRAMES = 256
"""Sampled frames in a part: at 15 a second a stop loses at most 17 s of footage."""
_REPORT_FRAMES = 16
"""Sampled frames between two reports: a few times a second."""
_AHEAD = WORKERS + 4  # pictures that wait for the network: bounds the memory
_SURELY_SOMEBODY = 0.2
"""The motion's corners keep off people of this score."""

Progress = Callable[[int, int], None]
"""Called with the number of frames done and of all frames."""
_Looked = tuple[int, float, CameraMotion, People]
"""Frame, time, camera motion, people."""


@dataclass
class Seconds:
    """Where the time went. ``pose`` is summed over the threads, the others are the calling thread's."""

    decode: float = 0.0
    pose: float = 0.0
    motion: float = 0.0


def extract(
    video: Video,
    estimator: PoseEstimator,
    stride: int,
    pose_path: Path,
    camera_path: Path,
    progress: Progress | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> Seconds:
    """Look at every ``stride``-th frame and write both tables; at once if they are there, on from the last part if not.

    Raises:
        Cancelled: ``cancelled`` said so; finished parts stay.
        UserError: the video cannot be decoded or the folder cannot be written.
    """
    seconds = Seconds()
    parts = camera_path.with_name(camera_path.name + ".parts")
    if pose_path.exists() and camera_path.exists():
        shutil.rmtree(parts, ignore_errors=True)  # a run may have been killed right after joining them
        return seconds
    make_folder(parts)
    frames = range(0, video.n_frames, stride)
    done = _finished_parts(parts)
    with ThreadPoolExecutor(WORKERS) as pool:
        looked = _watched(
            _look(video, estimator, frames, done * PART_FRAMES, pool, seconds), video.n_frames, progress, cancelled
        )
        for number, (pose, camera) in enumerate(_tables(looked, frames, done), start=done):
            _write(pose.to_arrow(), parts / f"{number:06d}.pose.parquet")
            _write(
                camera.to_arrow(), parts / f"{number:06d}.camera.parquet"
            )  # last: its presence means the part is whole
            if cancelled and cancelled():
                raise Cancelled
    if progress:
        progress(video.n_frames, video.n_frames)
    _join(parts, pose_path, camera_path, video.info.width / video.info.height)
    return seconds


def _watched(
    looked: Iterator[_Looked], n_frames: int, progress: Progress | None, cancelled: Callable[[], bool] | None
) -> Iterator[_Looked]:
    """Hands on what was looked at, telling how far it is and asking whether to stop every now and then."""
    for count, entry in enumerate(looked):
        if count % _REPORT_FRAMES == 0:
            if cancelled and cancelled():
                raise Cancelled
            if progress:
                progress(entry[0], n_frames)
        yield entry


def _look(
    video: Video, estimator: PoseEstimator, frames: range, begin: int, pool: ThreadPoolExecutor, seconds: Seconds
) -> Iterator[_Looked]:
    """Every sampled frame from the ``begin``-th on."""
    cv2.setNumThreads(1)  # the threads belong to the network
    size, small = video.fit(estimator.long_side), video.fit(LONG_SIDE)

    def timed(image: np.ndarray) -> People:
        started = time.perf_counter()
        people = estimator.estimate(image)
        seconds.pose += time.perf_counter() - started
        return people

    watcher = _Watcher(video, estimator, frames, seconds)
    waiting: deque[tuple[Picture, NDArray[np.uint8], Future[People]]] = deque()
    clock = time.perf_counter()
    start = frames[max(0, begin - 1)] if begin < len(frames) else video.n_frames
    for picture in video.pictures(frames.step, start):
        image = picture.rgb(*size)
        gray = np.asarray(
            cv2.cvtColor(cv2.resize(image, small, interpolation=cv2.INTER_AREA), cv2.COLOR_RGB2GRAY), np.uint8
        )
        seconds.decode += time.perf_counter() - clock
        if picture.index // frames.step < begin:
            watcher.start_after(gray)
        else:
            waiting.append((picture, gray, pool.submit(timed, image)))
        if len(waiting) >= _AHEAD:
            yield watcher.look(*waiting.popleft())
        clock = time.perf_counter()
    while waiting:
        yield watcher.look(*waiting.popleft())


class _Watcher:
    """What goes from one frame to the next, in their order."""

    def __init__(self, video: Video, estimator: PoseEstimator, frames: range, seconds: Seconds) -> None:
        self._step, self._seconds = frames.step, seconds
        self._motion = MotionEstimator()
        self._closer = CloserLook(estimator, video.info.width / video.info.height)
        self._large = video.fit(min(CLOSE_LONG_SIDE, max(video.info.width, video.info.height)))
        self._last_gray: NDArray[np.uint8] | None = None
        self._part = -1

    def start_after(self, gray: NDArray[np.uint8]) -> None:
        """The part that comes follows on this picture."""
        self._last_gray = gray

    def look(self, picture: Picture, gray: NDArray[np.uint8], first: Future[People]) -> _Looked:
        """The camera's motion to this picture, and the people in it."""
        people = first.result()
        started = time.perf_counter()
        part = picture.index // self._step // PART_FRAMES
        if part != self._part:
            self._part = part
            self._motion.reset()
            self._closer.reset()
            if self._last_gray is not None:
                self._motion.step(self._last_gray)
        moved = self._motion.step(gray, people.boxes[people.score >= _SURELY_SOMEBODY])
        self._last_gray = gray
        now = time.perf_counter()
        people = self._closer.people(people, moved, picture.time_s, lambda: picture.rgb(*self._large))
        self._seconds.motion += now - started
        self._seconds.pose += time.perf_counter() - now
        return picture.index, picture.time_s, moved, people


def _tables(looked: Iterable[_Looked], frames: range, done: int) -> Iterator[tuple[PoseTable, CameraTable]]:
    """Gather the frames of each part. A damaged frame may be missing, so parts go by frame number, not by count."""
    part: list[_Looked] = []
    number = done
    for entry in looked:
        while entry[0] // frames.step >= (number + 1) * PART_FRAMES:
            yield _table(part)
            part, number = [], number + 1
        part.append(entry)
    if part:
        yield _table(part)


def _table(part: list[_Looked]) -> tuple[PoseTable, CameraTable]:
    counts = [len(people.score) for *_, people in part]
    frame = np.array([entry[0] for entry in part], np.int32)
    time_s = np.array([entry[1] for entry in part], np.float64)
    pose = PoseTable(
        np.repeat(frame, counts),
        np.repeat(time_s, counts),
        np.full(sum(counts), -1, np.int32),
        np.concatenate([np.zeros(0, np.float32), *(people.score for *_, people in part)]),
        np.concatenate([np.zeros((0, 4), np.float32), *(people.boxes for *_, people in part)]),
        np.concatenate([np.zeros((0, 17, 3), np.float32), *(people.keypoints for *_, people in part)]),
    )
    columns = [
        np.array([getattr(motion, f.name) for _, _, motion, _ in part], np.float64) for f in fields(CameraMotion)
    ]
    return pose, CameraTable(frame, time_s, *columns)


def _write(table: pa.Table, path: Path) -> None:
    with atomic_path(path) as temporary:
        pq.write_table(table, temporary)


def _finished_parts(parts: Path) -> int:
    number = 0
    while all(_whole(parts / f"{number:06d}.{table}.parquet") for table in ("pose", "camera")):
        number += 1
    return number


def _whole(path: Path) -> bool:
    """Whether a file is there and has the end that Parquet writes last: a power cut may leave one without."""
    try:
        pq.read_metadata(path)
    except (FileNotFoundError, pa.ArrowInvalid):
        return False
    return True


def _join(parts: Path, pose_path: Path, camera_path: Path, aspect: float) -> None:
    """One file each from the parts, a row group a part, persons linked over the whole video."""
    cameras = [pq.read_table(path) for path in sorted(parts.glob("*.camera.parquet"))]
    poses = [pq.read_table(path) for path in sorted(parts.glob("*.pose.parquet"))[: len(cameras)]]
    camera = CameraTable.from_arrow(pa.concat_tables(cameras))
    linked = link(PoseTable.from_arrow(pa.concat_tables(poses)), camera, aspect).to_arrow()
    with atomic_path(pose_path) as temporary, pq.ParquetWriter(temporary, linked.schema) as writer:
        at = 0
        for table in poses:
            writer.write_table(linked.slice(at, table.num_rows))
            at += table.num_rows
    _write(camera.to_arrow(), camera_path)
    shutil.rmtree(parts)
