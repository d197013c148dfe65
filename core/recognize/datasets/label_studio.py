"""Moments that were labelled in Label Studio: ranges of a timeline, and boxes that were tracked.

    >>> read(Path("project-1.json"), footage=Path("fights"), moment_frames=5)      # doctest: +SKIP

Every labelled range, and every stretch in which a tracked box is shown (its keyframes up to one that is not
``enabled``), is one moment: a strike that lands, one that misses. It is taken as it was labelled, or cut to
``moment_frames`` frames around its middle, for what makes a strike is over in a few frames and annotators close a box
late. A box with a keyframe alone says when and not how long: it becomes ``MOMENT_FRAMES`` frames around the keyframe. A
moment of a box carries its track, linear from keyframe to keyframe as Label Studio draws it.

All moments of a video are one group. Frames, clocks and the annotation that counts are those of
:mod:`core.labels.label_studio`. A task that only a model has annotated teaches nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.errors import UserError
from core.labels import label_studio
from core.labels.label_set import clean_label
from core.labels.label_studio_json import (
    Clock,
    chosen_annotation,
    clock_for,
    counted_length,
    labels_of,
    list_of,
    number_of,
    stretches_of,
    tasks_of,
)
from core.recognize.datasets.files import Videos, json_of, some, unreadable, videos_under
from core.recognize.samples import ClipDataset, ClipSample, Track
from core.video import Video

KIND = "label_studio"
MOMENT_FRAMES = 5
"""A strike from before it lands to after it, at 30 frames a second."""
_HEAD_BYTES = 65536
_UPLOAD = re.compile("[0-9a-f]{8}-")
"""What Label Studio puts before the name of a file that is uploaded to it."""


@dataclass(frozen=True)
class _Footage:
    """A task's video."""

    path: Path
    pts_s: NDArray[np.float64]

    @property
    def last(self) -> int:
        return len(self.pts_s) - 1


def recognises(path: Path) -> bool:
    """An export, or a folder with one export in it.

    Raises:
        UserError: it may not be read.
    """
    return export_in(path) is not None


def export_in(path: Path) -> Path | None:
    """The export that a path names: itself, or the only one in a folder.

    Raises:
        UserError: it may not be read.
    """
    try:
        candidates = sorted(path.glob("*.json")) if path.is_dir() else [path]
        exports = [each for each in candidates if each.is_file() and _is_export(each)]
    except OSError as error:
        raise unreadable(path, error) from error
    return exports[0] if len(exports) == 1 else None


def read(path: Path, footage: Path | None = None, moment_frames: int | None = None) -> ClipDataset:
    """The moments of an export whose videos lie in ``footage``; the classes in the order of their names.

    Args:
        path: the JSON, or a folder with it.
        footage: where the videos are, found by their file names; None is the folder of the export.
        moment_frames: frames of a moment, fewer only in a shorter video; None for all of what was labelled, and
            ``MOMENT_FRAMES`` for a box with a keyframe alone.

    Raises:
        UserError: it is no export, a region makes no sense, or no video with a label is there.
    """
    if moment_frames is not None and moment_frames < 1:
        raise UserError(f"A moment has at least one frame, not {moment_frames}: choose a larger number.")
    export = export_in(path)
    if export is None:
        raise UserError(f"{path.name} is not one export of Label Studio: choose its JSON.")
    where = footage or export.parent
    videos = videos_under(where)
    samples: list[ClipSample] = []
    notes: list[str] = []
    missing: list[str] = []
    for number, task in enumerate(tasks_of(json_of(export)), start=1):
        file = _video_of(task.name, videos)
        if file is None:
            missing.append(task.name or f"task {number} without a name")
            continue
        try:
            annotation, guessed, said = chosen_annotation(task, f"{export.name}, task {number}")
            video = _Footage(file, Video.open(file).pts_s)
        except UserError as error:
            notes.append(f"{file.name} was left out. {error}")
            continue
        if guessed:
            notes.append(f"{file.name} was left out, because only a model has labelled it.")
            continue
        notes += said
        samples += _samples(annotation, task.fps, video, moment_frames, export.name, notes)
    if missing:
        notes.append(f"Left out, for the videos are not in {where.name}: {some(missing)}.")
    if not samples:
        raise UserError(
            f"{export.name} has no labelled moment of a video in {where.name}. {' '.join(notes[:3])}".strip()
        )
    if moment_frames is not None:
        notes.append(f"Each moment is the {moment_frames} frames around the middle of what was labelled.")
    classes = tuple(sorted({sample.label for sample in samples}))
    return ClipDataset(export.stem, tuple(samples), classes, tuple(dict.fromkeys(notes)))


def _samples(
    annotation: dict[str, Any],
    fps: float | None,
    video: _Footage,
    moment_frames: int | None,
    export: str,
    notes: list[str],
) -> Iterator[ClipSample]:
    """The moments of one video."""
    regions = [region for region in list_of(annotation.get("result")) if isinstance(region, dict)]
    values = [value for region in regions if isinstance(value := region.get("value"), dict)]
    n_counted, rate = counted_length(values)
    ranges = any("ranges" in value for value in values)
    clock, doubts = clock_for(rate or fps, video.pts_s, ranges, f"{export} ({video.path.name})")
    notes += doubts
    for number, region in enumerate(regions, start=1):
        where = f"{export}, {video.path.name}, region {number}"
        try:
            value = region.get("value")
            said: list[str] = []
            stretches = list(stretches_of(region, clock, n_counted, said, where))
            labels = labels_of(value)
            if stretches and not labels:
                notes.append(f"{where} has no label and was passed over.")
            keyframes = _keyframes(value, clock)
            alone = False
            for start, end in stretches:
                alone = [frame for frame in keyframes if start <= frame <= end] == [start]
                wanted = moment_frames or (MOMENT_FRAMES if alone else None)
                moment = _moment(start, start if alone else end, wanted, video.last)
                if alone:
                    notes.append(
                        f"{export}, {video.path.name}: boxes with one keyframe became {wanted} frames around it."
                    )
                track = _track(value, clock, (start, end), moment) if isinstance(value, dict) else None
                for label in labels:
                    yield ClipSample(video.path, clean_label(label), video.path.name, *moment, track=track)
            if not alone:  # else it does not matter that the box would stay up to the end of the video
                notes += said
        except ValueError as error:
            raise UserError(f"{where}: {error}; correct it there and export again.") from None


def _keyframes(value: Any, clock: Clock) -> list[int]:
    """Frames of a box's keyframes, ascending; none for what has no box."""
    sequence = list_of(value.get("sequence")) if isinstance(value, dict) else []
    return sorted({clock.frame(keyframe.get("frame"), "frame") for keyframe in sequence})


def _moment(start: int, end: int, n_frames: int | None, last: int) -> tuple[int, int]:
    """First and last frame of a moment, inside of the video.

    Raises:
        ValueError: it ends before it starts, or lies beyond the end of the video.
    """
    if end < start:
        raise ValueError(f"it ends (frame {end + 1}) before it starts (frame {start + 1})")
    if start > last:
        raise ValueError(f"it starts at frame {start + 1}, and the video has {last + 1}")
    if n_frames is None:
        return start, min(end, last)
    first = min(max(0, (start + end) // 2 - n_frames // 2), max(0, last + 1 - n_frames))
    return first, min(first + n_frames - 1, last)


def _track(value: dict[str, Any], clock: Clock, stretch: tuple[int, int], moment: tuple[int, int]) -> Track | None:
    """Where the box of a stretch is on each frame of its moment; None for what has no box.

    Before the first and after the last keyframe of the stretch the box stands still.
    """
    boxes: dict[int, list[float]] = {}
    for keyframe in list_of(value.get("sequence")):
        frame = clock.frame(keyframe.get("frame"), "frame")
        if stretch[0] <= frame <= stretch[1]:
            x, y, width, height = (number_of(keyframe.get(k), k) for k in ("x", "y", "width", "height"))
            if width <= 0 or height <= 0:
                raise ValueError(f"the box on frame {frame + 1} has no area")
            boxes[frame] = [x, y, x + width, y + height]
    if not boxes:
        return None
    frames = np.arange(moment[0], moment[1] + 1)
    known = sorted(boxes)
    corners = np.array([boxes[frame] for frame in known]) / 100  # Label Studio tells percent
    between = [np.interp(frames, known, corner) for corner in corners.T]
    return Track(frames, np.clip(np.stack(between, axis=1), 0, 1))


def _video_of(name: str | None, videos: Videos) -> Path | None:
    """By the file's name alone, for a path in a file is somebody else's."""
    if not name:
        return None
    own = name.replace("\\", "/").rpartition("/")[2]
    uploaded = [path for path in videos.by_path.values() if path.name[8:] == f"-{own}" and _UPLOAD.match(path.name)]
    return videos.named(own) or (uploaded[0] if len(uploaded) == 1 else None)


def _is_export(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return label_studio.recognises(file.read(_HEAD_BYTES).removeprefix(b"\xef\xbb\xbf").lstrip())
    except OSError as error:
        raise unreadable(path, error) from error
