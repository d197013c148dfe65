"""From a video to its pose table and camera table, in parts that survive a stop.

A decoder, the camera's motion and second looks run in the calling thread while the network works in others. Every part
of 256 sampled frames is written before the next begins, and starts what goes from frame to frame anew, so a run that
was stopped carries on at its last part and ends with the very same tables; and several machines that look at some parts
each end with the tables that one alone would write. Two that look at all of it at once are slow, and no more than that:
tables are joined from all of their parts only, and whoever finds them there takes them.
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
from core.errors import Cancelled, UserError
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
    """Look at every ``stride``-th frame and write both tables; at once if they are there, on from what is there of
    their parts if not.

    Raises:
        Cancelled: ``cancelled`` said so; finished parts stay.
        UserError: the video cannot be decoded or the folder cannot be written.
    """
    seconds = Seconds()
    if not _joined(pose_path, camera_path):
        make_folder(_parts_folder(camera_path))
        for span in missing_parts(video, stride, pose_path, camera_path):
            extract_parts(video, estimator, stride, pose_path, camera_path, span, progress, cancelled, seconds)
        if progress:
            progress(video.n_frames, video.n_frames)
        if not _joined(pose_path, camera_path):
            _join(video, stride, pose_path, camera_path)
    # Found joined, too: a run may have been killed right after that, or have written a part while another one did it.
    shutil.rmtree(_parts_folder(camera_path), ignore_errors=True)
    return seconds


def missing_parts(video: Video, stride: int, pose_path: Path, camera_path: Path) -> list[range]:
    """The parts that have yet to be looked at before they can be joined, as runs of their numbers; none once they
    are."""
    if _joined(pose_path, camera_path):
        return []
    parts = _parts_folder(camera_path)
    missing = [number for number in range(_count(video, stride)) if not _finished(parts, number)]
    begins = [number for number in missing if number - 1 not in missing]
    ends = [number + 1 for number in missing if number + 1 not in missing]
    return [range(begin, end) for begin, end in zip(begins, ends, strict=True)]


def extract_parts(
    video: Video,
    estimator: PoseEstimator,
    stride: int,
    pose_path: Path,
    camera_path: Path,
    span: range,
    progress: Progress | None = None,
    cancelled: Callable[[], bool] | None = None,
    seconds: Seconds | None = None,
) -> None:
    """Look at the parts with the numbers in ``span`` and write each; :func:`extract` joins them once all are there.

    It ends early where another process has joined the tables meanwhile.

    Args:
        pose_path, camera_path: where the whole tables will be.

    Raises:
        Cancelled, UserError: as :func:`extract`.
    """
    if _joined(pose_path, camera_path):
        return
    seconds = seconds or Seconds()
    parts = _parts_folder(camera_path)
    make_folder(parts)
    frames = range(0, video.n_frames, stride)
    begin, end = span.start * PART_FRAMES, span.stop * PART_FRAMES
    with ThreadPoolExecutor(WORKERS) as pool:
        looked = _watched(
            _look(video, estimator, frames, begin, end, pool, seconds), video.n_frames, progress, cancelled
        )
        numbers = range(span.start, min(span.stop, _count(video, stride)))
        for number, (pose, camera) in zip(numbers, _tables(looked, frames, numbers), strict=True):
            try:
                _write(pose.to_arrow(), parts / f"{number:06d}.pose.parquet")
                # Last: its presence means that the part is whole.
                _write(camera.to_arrow(), parts / f"{number:06d}.camera.parquet")
            except FileNotFoundError:  # the folder went while it was written to
                if not _joined(pose_path, camera_path):
                    raise
            if _joined(pose_path, camera_path):
                return
            if cancelled and cancelled():
                raise Cancelled


def _joined(pose_path: Path, camera_path: Path) -> bool:
    return pose_path.exists() and camera_path.exists()


def _count(video: Video, stride: int) -> int:
    """How many parts a video has."""
    return -(-len(range(0, video.n_frames, stride)) // PART_FRAMES)


def _parts_folder(camera_path: Path) -> Path:
    return camera_path.with_name(camera_path.name + ".parts")


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
    video: Video,
    estimator: PoseEstimator,
    frames: range,
    begin: int,
    end: int,
    pool: ThreadPoolExecutor,
    seconds: Seconds,
) -> Iterator[_Looked]:
    """The sampled frames from the ``begin``-th to before the ``end``-th."""
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
    stop = frames[end] if end < len(frames) else None
    for picture in video.pictures(frames.step, start, stop):
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


def _tables(looked: Iterable[_Looked], frames: range, numbers: range) -> Iterator[tuple[PoseTable, CameraTable]]:
    """Gather the frames of each part. A damaged frame may be missing, so parts go by frame number, not by count, and
    one that holds nothing but damage is empty."""
    part: list[_Looked] = []
    number = numbers.start
    for entry in looked:
        while entry[0] // frames.step >= (number + 1) * PART_FRAMES:
            yield _table(part)
            part, number = [], number + 1
        part.append(entry)
    for _ in range(number, numbers.stop):
        yield _table(part)
        part = []


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


def _finished(parts: Path, number: int) -> bool:
    return all(_whole(parts / f"{number:06d}.{table}.parquet") for table in ("pose", "camera"))


def _whole(path: Path) -> bool:
    """Whether a file is there and has the end that Parquet writes last: a power cut may leave one without."""
    try:
        pq.read_metadata(path)
    except (FileNotFoundError, pa.ArrowInvalid):
        return False
    return True


def _join(video: Video, stride: int, pose_path: Path, camera_path: Path) -> None:
    """One file each from the parts, a row group a part, persons linked over the whole video."""
    parts = _parts_folder(camera_path)
    try:
        poses, cameras = (
            [pq.read_table(parts / f"{number:06d}.{table}.parquet") for number in range(_count(video, stride))]
            for table in ("pose", "camera")
        )
    except FileNotFoundError as error:
        if _joined(pose_path, camera_path):  # by another process, which then removed the parts
            return
        raise UserError(
            f"{video.path.name}: what was seen of it was removed meanwhile from {parts.parent}; run it again."
        ) from error
    camera = CameraTable.from_arrow(pa.concat_tables(cameras))
    linked = link(PoseTable.from_arrow(pa.concat_tables(poses)), camera, video.info.width / video.info.height)
    people = linked.to_arrow()
    with atomic_path(pose_path) as temporary, pq.ParquetWriter(temporary, people.schema) as writer:
        at = 0
        for table in poses:
            writer.write_table(people.slice(at, table.num_rows))
            at += table.num_rows
    _write(camera.to_arrow(), camera_path)
