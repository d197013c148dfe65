"""CVAT for video 1.1 (XML): a track's visible stretches as intervals.

Where an interval begins and ends (frames are absolute ordinals of the decoded video, 0-based, also with a frame step):

- A visible shape of any kind starts it, and it goes on until the track's next shape: a file that tells only the
  keyframes reads the same as one with a box on every frame.
- A shape with ``outside="1"`` ends it before that frame. A track that shows again afterwards starts another interval.
- A track that is never closed ends at its last shape, and a warning says so unless that is the video's last frame. CVAT
  itself writes a box on every frame up to the end where a track goes that far, and in files of other tools the last box
  is where the thing left the picture.
- With a ``frame_filter`` of ``step=N`` only every N-th frame was looked at. An interval ends at its last such frame.
- Frame tags, and the shapes and tags of "CVAT for images", join where their frames follow each other.

Tracks of one label that overlap become one interval. Attributes and the parts of a skeleton are passed over.

Sources: docs.cvat.ai, "XML annotation format"; frame numbers as in ``abs_frame_id`` of CVAT's own exporter.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TextIO
from xml.sax.saxutils import escape, quoteattr

import numpy as np
from numpy.typing import NDArray

from core.errors import UserError
from core.intervals import Interval, merge
from core.labels.label_set import MAX_FRAME, LabelSet, make_interval, pick_video

NAME = "CVAT for video 1.1"
SUFFIX = ".xml"
_SHAPES = {"box", "polygon", "polyline", "points", "ellipse", "mask", "cuboid", "skeleton"}
_TASKS = ("task", "job", "project/tasks/task")
_MAX_DEPTH = 100
"""CVAT nests eight deep at most."""
_SMALL_BOX = (16, 16)
"""Drawn in the corner where the size of the picture is not known: CVAT needs a box, an interval needs none."""
_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass(frozen=True)
class _Task:
    """What the meta element says about one video."""

    id: str | None = None
    name: str | None = None
    width: int | None = None
    height: int | None = None
    first_frame: int = 0
    n_frames: int | None = None
    step: int = 1


@dataclass
class _Annotations:
    """The shapes and tags of one task."""

    tracks: list[tuple[str, dict[int, bool]]] = field(default_factory=list)
    """Label, and for each frame with a shape whether it is visible."""
    marks: dict[str, set[int]] = field(default_factory=lambda: defaultdict(set))
    """Label to the frames of its tags and of its shapes in images."""


def recognises(head: bytes) -> bool:
    """Anything in XML: a second format in XML stands before this one in the list."""
    return head.startswith(b"<")


def read(path: Path, pts_s: NDArray[np.float64] | None, video: str | Path | None) -> LabelSet:
    """The intervals of one video; of a project export, those of the task called like ``video``.

    Raises:
        UserError: it is no whole XML, declares entities, is not from CVAT, has an impossible frame, or is a project of
            several videos none of which is called like ``video``.
    """
    from defusedxml import DefusedXmlException
    from defusedxml.ElementTree import ParseError

    try:
        tasks, by_task = _parse(path)
        if set(by_task) <= {None}:
            task, annotations = tasks[0] if len(tasks) == 1 else _Task(), by_task[None]
        else:
            told = {task.id for task in tasks}
            tasks += [_Task(id=id) for id in by_task if id not in told]
            task = tasks[pick_video([task.name for task in tasks], video, path.name)]
            annotations = by_task[task.id]
        intervals = tuple(make_interval(*stretch) for stretch in _stretches(annotations, task.step))
    except DefusedXmlException:
        raise UserError(f"{path.name} declares a DTD or entities, and CVAT never does: export it anew.") from None
    except ParseError as error:
        raise UserError(f"{path.name} is not whole XML ({error}): export it anew from CVAT.") from None
    except (ValueError, LookupError) as error:
        raise UserError(f"{path.name} is not a file in {NAME}, because {error}: export it anew from CVAT.") from None
    warnings = tuple(_warnings(annotations, task, path.name))
    return LabelSet(intervals, task.n_frames, task.width, task.height, name=task.name, warnings=warnings)


def write(out: TextIO, labels: LabelSet, pts_s: NDArray[np.float64] | None) -> None:
    """One track an interval: a full box on each frame, then a closing one unless the video ends there."""
    name = escape(_NOT_XML.sub("\ufffd", labels.name)) if labels.name else None
    width, height = (labels.width, labels.height) if labels.width and labels.height else _SMALL_BOX
    out.write('<?xml version="1.0" encoding="utf-8"?>\n<annotations>\n  <version>1.1</version>\n  <meta>\n    <task>\n')
    if name:
        out.write(f"      <name>{name}</name>\n")
    if labels.n_frames is not None:
        out.write(f"      <size>{labels.n_frames}</size>\n")
    out.write("      <mode>interpolation</mode>\n      <start_frame>0</start_frame>\n")
    if labels.n_frames is not None:
        out.write(f"      <stop_frame>{labels.n_frames - 1}</stop_frame>\n")
    out.write("      <frame_filter></frame_filter>\n      <labels>\n")
    for label in sorted({interval.label for interval in labels.intervals}):
        out.write(f"        <label>\n          <name>{escape(label)}</name>\n          <type>any</type>\n")
        out.write("          <attributes>\n          </attributes>\n        </label>\n")
    out.write("      </labels>\n")
    if labels.width and labels.height:
        out.write(f"      <original_size>\n        <width>{width}</width>\n        <height>{height}</height>\n")
        out.write("      </original_size>\n")
    if name:
        out.write(f"      <source>{name}</source>\n")
    out.write("    </task>\n  </meta>\n")
    corners = f'occluded="0" xtl="0.00" ytl="0.00" xbr="{width}.00" ybr="{height}.00" z_order="0"'
    for number, interval in enumerate(labels.intervals):
        out.write(f'  <track id="{number}" label={quoteattr(interval.label)} source="manual">\n')
        # CVAT refuses a file with a box beyond the last frame.
        closed = labels.n_frames is None or interval.end_frame + 1 < labels.n_frames
        for frame in range(interval.start_frame, interval.end_frame + 1 + closed):
            outside = int(frame > interval.end_frame)
            keyframe = int(frame == interval.start_frame or outside)
            out.write(f'    <box frame="{frame}" keyframe="{keyframe}" outside="{outside}" {corners}>\n    </box>\n')
        out.write("  </track>\n")
    out.write("</annotations>\n")


def _parse(path: Path) -> tuple[list[_Task], defaultdict[str | None, _Annotations]]:
    """The tasks that the meta element tells of, and by task id (None outside of projects) what is labelled.

    Element by element, and each track is forgotten once it is read: a file of 100 MB must not take gigabytes.
    """
    from defusedxml.ElementTree import iterparse

    tasks: list[_Task] = []
    by_task: defaultdict[str | None, _Annotations] = defaultdict(_Annotations)
    open_tags: list[str] = []
    shapes: dict[int, bool] = {}
    in_image: list[str] = []
    for event, element in iterparse(path, events=("start", "end"), forbid_dtd=True):
        if event == "start":
            open_tags.append(element.tag)
            if open_tags[0] != "annotations":
                raise ValueError(f"its first element is <{open_tags[0][:40]}> and not <annotations>")
            if len(open_tags) > _MAX_DEPTH:
                raise ValueError("its elements are nested too deep")
            continue
        match open_tags[1:]:
            case ["meta"]:
                tasks = [_task(task, element) for place in _TASKS for task in element.findall(place)]
            case ["track"]:
                by_task[element.get("task_id")].tracks.append((_label(element), shapes))
                shapes = {}
            case ["tag"]:
                by_task[element.get("task_id")].marks[_label(element)].add(_frame(element, "frame"))
            case ["image"]:
                for label in in_image:
                    by_task[element.get("task_id")].marks[label].add(_frame(element, "id"))
                in_image = []
            case ["track", kind] if kind in _SHAPES:
                shapes[_frame(element, "frame")] = not _outside(element)
            case ["image", kind] if (kind in _SHAPES and not _outside(element)) or kind == "tag":
                in_image.append(_label(element))
        # What is inside of a shape or of the meta element is needed until its end.
        if len(open_tags) == 2 or (len(open_tags) == 3 and open_tags[1] != "meta"):
            element.clear()
        open_tags.pop()
    return tasks, by_task


def _task(task: Any, meta: Any) -> _Task:
    step = re.fullmatch(r"\s*step\s*=\s*([1-9][0-9]{0,8})\s*", task.findtext("frame_filter") or "")
    every = int(step[1]) if step else 1
    first = _count(task.findtext("start_frame")) or 0
    last = _count(task.findtext("stop_frame"))
    size = _count(task.findtext("size"))
    if last is None and size:
        last = first + (size - 1) * every
    # A job's export has the last two beside the job, a task's inside of the task or beside it.
    source, name = task.findtext("source") or meta.findtext("source") or "", task.findtext("name") or ""
    size_of = task if task.find("original_size") is not None else meta
    return _Task(
        id=task.findtext("id"),
        name=source.strip() or name.strip() or None,
        width=_count(size_of.findtext("original_size/width")),
        height=_count(size_of.findtext("original_size/height")),
        first_frame=first,
        n_frames=None if last is None else last + 1,
        step=every,
    )


def _stretches(annotations: _Annotations, step: int) -> Iterator[tuple[int, int, str]]:
    """Start, end and label of every stretch, in no order."""
    for label, shapes in annotations.tracks:
        start: int | None = None
        last_visible = 0
        for frame, visible in sorted(shapes.items()):
            if visible:
                start, last_visible = frame if start is None else start, frame
            elif start is not None:
                yield start, max(last_visible, frame - step), label
                start = None
        if start is not None:
            yield start, last_visible, label
    for label, frames in annotations.marks.items():
        for run in merge((Interval(frame, frame) for frame in frames), max_gap_frames=step - 1):
            yield run.start_frame, run.end_frame, label


def _warnings(annotations: _Annotations, task: _Task, name: str) -> Iterator[str]:
    unclosed = 0
    for _, shapes in annotations.tracks:
        last = max(shapes, default=0)
        reaches_end = task.n_frames is not None and last + task.step >= task.n_frames
        unclosed += shapes.get(last, False) and not reaches_end
    if unclosed:
        tracks = f"{unclosed} tracks are" if unclosed > 1 else "1 track is"
        yield f"{name}: {tracks} never closed, and taken to end at the last shape."
    if task.step > 1:
        yield f"{name}: one frame in {task.step} was labelled, so starts and ends are no more exact than that."
        frames = [frame for _, shapes in annotations.tracks for frame in shapes]
        frames += [frame for marked in annotations.marks.values() for frame in marked]
        if any((frame - task.first_frame) % task.step for frame in frames):
            yield f"{name}: some frames are not on its step of {task.step}, so compare the labels with the video."


def _frame(element: Any, attribute: str) -> int:
    text = element.get(attribute, "").strip()
    if not re.fullmatch(r"[0-9]{1,9}", text) or int(text) > MAX_FRAME:
        raise ValueError(f"a <{element.tag}> has {attribute}={text[:20]!r}, which is no frame number")
    return int(text)


def _label(element: Any) -> str:
    label = element.get("label")
    if not label:
        raise ValueError(f"a <{element.tag}> has no label")
    return str(label)


def _outside(shape: Any) -> bool:
    """Newer exports give a skeleton no ``outside`` of its own: it is gone when all of its points are."""
    points = [part for part in shape if part.tag in _SHAPES] if shape.get("outside") is None else []
    return all(part.get("outside") == "1" for part in points or [shape])


def _count(text: str | None) -> int | None:
    text = (text or "").strip()
    return int(text) if re.fullmatch(r"[0-9]{1,9}", text) else None
