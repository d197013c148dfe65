"""What an export of Label Studio holds: tasks, annotations, regions, and the frames that they count.

Labels for detectors (:mod:`core.labels.label_studio`) and moments for recognizers are both made of it. Everything comes
from outside: types are checked, and a ``ValueError`` says what is wrong with a region.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import numpy as np
from numpy.typing import NDArray

from core.errors import UserError
from core.labels.label_set import MAX_FRAME, frame_at, read_text

_USUAL_RATE = 24.0
"""Label Studio's frame rate where its setup names none."""
_INEXACT = 2
"""Frames by which its count of a whole video may be off."""
_UPLOAD = re.compile(r"/data/upload/.*?/?(?:[0-9a-f]{8}-)?([^/]+)")
"""Uploaded files get eight hex digits before their name."""
_ANNOTATIONS = ("annotations", "completions")


@dataclass(frozen=True)
class Task:
    """One video, and what people and models said about it."""

    name: str | None
    fps: float | None
    """The frame rate that the task's data tell."""
    annotations: list[Any] = field(default_factory=list)
    predictions: list[Any] = field(default_factory=list)


@dataclass(frozen=True)
class Clock:
    """From the frames that Label Studio counts to those of the video."""

    pts_s: NDArray[np.float64] | None
    rate: float | None
    """Frames a second that Label Studio counts by; None where its frames are those of the video."""

    def frame(self, counted: Any, what: str) -> int:
        """0-based frame of the video for one counted from 1."""
        whole = number_of(counted, what)
        if whole != int(whole):
            raise ValueError(f"{what} is {whole:g}, which is not a whole number")
        if not 1 <= whole <= MAX_FRAME:
            raise ValueError(f"{what} is frame {whole:g}, but Label Studio counts frames from 1 up to {MAX_FRAME}")
        frame = int(whole) - 1
        if self.pts_s is None:
            return frame
        if self.rate is not None:
            return frame_at(frame / self.rate, self.pts_s)
        # The length that Label Studio reckons with is the container's, which may be a frame longer.
        return frame if frame >= len(self.pts_s) + _INEXACT else min(frame, len(self.pts_s) - 1)

    def at(self, time_s: Any, what: str) -> int:
        """The frame at a time."""
        if self.pts_s is None:
            raise ValueError("it tells times and no frames, and those count only together with the video")
        return frame_at(number_of(time_s, what), self.pts_s)


def json_of(path: Path) -> Any:
    try:
        return json.loads(read_text(path))
    except json.JSONDecodeError as error:
        raise UserError(
            f"{path.name} is not whole JSON (line {error.lineno}, column {error.colno}): export it anew."
        ) from None
    except RecursionError:
        raise UserError(
            f"{path.name} is nested too deep to be an export of Label Studio: choose another file."
        ) from None
    except ValueError:  # Python refuses to convert more than 4300 digits
        raise UserError(f"{path.name} holds a number that is too large: export it anew.") from None


def tasks_of(content: Any) -> Iterator[Task]:
    """The tasks of any of the exports. JSON-MIN has a row for each annotation: rows of one task are joined."""
    rows: dict[tuple[Any, str | None], Task] = {}
    for record in content if isinstance(content, list) else [content]:
        if not isinstance(record, dict):
            continue
        data = record.get("data")
        if any(key in record for key in (*_ANNOTATIONS, "predictions")):
            annotations = [annotation for key in _ANNOTATIONS for annotation in list_of(record.get(key))]
            yield Task(*_facts(data), annotations, list_of(record.get("predictions")))
        elif isinstance(record.get("annotation"), dict):
            task = record.get("task")
            yield Task(*_facts(task.get("data") if isinstance(task, dict) else None), [record["annotation"]])
        elif isinstance(record.get("result"), list):
            # Models send their results without a word on who they are for.
            guessed = "model_version" in record
            yield Task(*_facts(data), [] if guessed else [record], [record] if guessed else [])
        elif values := [value for item in record.values() for value in list_of(item) if _is_value(value)]:
            name, fps = _facts(record)
            key = (str(record.get("id")), name)
            if key not in rows:
                rows[key] = Task(name, fps)
            rows[key].annotations.append({**record, "result": [{"value": value} for value in values]})
    yield from rows.values()


def _is_value(item: Any) -> bool:
    return isinstance(item, dict) and ("ranges" in item or "sequence" in item)


def _facts(data: Any) -> tuple[str | None, float | None]:
    """Name of the video and frame rate, out of a task's data."""
    if not isinstance(data, dict):
        return None, None
    texts = {key: text for key, text in data.items() if isinstance(text, str) and text}
    text = texts.get("video") or next((text for text in texts.values() if re.search(r"\.\w{2,4}(\?|$)", text)), None)
    return None if text is None else _file(text), _positive(data.get("fps"))


def _file(address: str) -> str:
    """What the video is called, from the address that Label Studio shows it at."""
    if upload := _UPLOAD.fullmatch(address):
        return unquote(upload[1])
    if address.startswith("/data/local-files/") or "://" in address:
        where, _, query = address.partition("?")
        return unquote(query.removeprefix("d=") if query.startswith("d=") else where)
    return address


def chosen_annotation(task: Task, file: str) -> tuple[dict[str, Any], bool, list[str]]:
    """The annotation that counts, whether it is a model's guess, and what to say about the choice."""
    kept = [item for item in task.annotations if isinstance(item, dict) and not item.get("was_cancelled")]
    if kept:
        # Moments are all written alike, so that they sort as text; the last of equals is the newest.
        latest = max(enumerate(kept), key=lambda item: (_moment(item[1]), item[0]))[1]
        moment = f" (of {_moment(latest)[:16].replace('T', ' ')})" if _moment(latest) else ""
        several = [f"{file} has {len(kept)} annotations of this video, of which the latest{moment} was read."]
        return latest, False, several if len(kept) > 1 else []
    guesses = [item for item in task.predictions if isinstance(item, dict)]
    if guesses:
        return guesses[-1], True, [f"{file} has no annotation of this video yet, so a model's predictions were read."]
    cancelled = "only cancelled annotations" if task.annotations else "no annotation"
    raise UserError(f"{file} has {cancelled} of this video: submit one in Label Studio and export again.")


def _moment(annotation: dict[str, Any]) -> str:
    return next((m for key in ("updated_at", "created_at") if isinstance(m := annotation.get(key), str)), "")


def counted_length(values: Iterable[dict[str, Any]]) -> tuple[int | None, float | None]:
    """Frames and frame rate that Label Studio reckoned with, if a tracked box tells them."""
    for value in values:
        frames, seconds = _positive(value.get("framesCount")), _positive(value.get("duration"))
        if frames:
            return int(frames), frames / seconds if seconds else None
    return None, None


def clock_for(
    rate: float | None, pts_s: NDArray[np.float64] | None, has_ranges: bool, file: str
) -> tuple[Clock, list[str]]:
    """How to reckon frames, and what to say about it."""
    if pts_s is None or len(pts_s) < 2 or pts_s[-1] <= pts_s[0]:
        return Clock(pts_s, None), []
    length = float(pts_s[-1] - pts_s[0])
    own = (len(pts_s) - 1) / length
    if rate is None:
        doubt = (
            f"{file} does not say by which frame rate Label Studio counted (24 unless its setup names another; this "
        )
        doubt += f"video has {own:.5g}): check that an event lies where it should."
        return Clock(pts_s, None), [doubt] if has_ranges and abs(own / _USUAL_RATE - 1) > 0.005 else []
    if abs(rate - own) * length <= _INEXACT:
        return Clock(pts_s, None), []
    said = (
        f"{file} counts {rate:.5g} frames a second where the video has {own:.5g}, so that frames were found by times."
    )
    return Clock(pts_s, rate), [said]


def stretches_of(
    region: dict[str, Any], clock: Clock, n_counted: int | None, warnings: list[str], where: str
) -> Iterator[tuple[int, int]]:
    """First and last frame of each stretch of a region; none for a region of another kind."""
    value = region.get("value")
    if not isinstance(value, dict):
        return
    if "ranges" in value:
        for item in list_of(value["ranges"]):
            ends = (item.get("start"), item.get("end")) if isinstance(item, dict) else (None, None)
            start, end = (other if one is None else one for one, other in (ends, ends[::-1]))
            if None in ends and start is not None:
                warnings.append(f"{where}: a range lacks its start or end and was taken for one frame.")
            yield clock.frame(start, "start"), clock.frame(end, "end")
    elif "sequence" in value:
        yield from _lifespans(list_of(value["sequence"]), clock, n_counted, warnings, where)
    elif region.get("type") == "labels" and "start" in value and "end" in value:
        yield clock.at(value["start"], "start"), clock.at(value["end"], "end")


def _lifespans(
    keyframes: list[Any], clock: Clock, n_counted: int | None, warnings: list[str], where: str
) -> Iterator[tuple[int, int]]:
    if any(not isinstance(keyframe, dict) for keyframe in keyframes):
        raise ValueError("a keyframe is not an object")
    shown = sorted((number_of(k.get("frame"), "frame"), bool(k.get("enabled", True))) for k in keyframes)
    since: float | None = None
    for frame, enabled in shown:
        since = frame if since is None else since
        if not enabled:
            yield clock.frame(since, "frame"), clock.frame(frame, "frame")
            since = None
    if since is not None:
        last = shown[-1][0]
        n_frames = n_counted or (len(clock.pts_s) if clock.pts_s is not None else int(last))
        end = max(last, n_frames)
        if end > last:
            warnings.append(f"{where}: a box is never closed, so it was taken to stay up to the end of the video.")
        yield clock.frame(since, "frame"), clock.frame(end, "frame")


def labels_of(value: Any) -> list[str]:
    """The labels of a region: under ``timelinelabels`` or ``labels``, one or several."""
    if not isinstance(value, dict):
        return []
    labels = value.get("timelinelabels") or value.get("labels") or []
    if not isinstance(labels, list) or any(not isinstance(label, str) for label in labels):
        raise ValueError(f"the label {repr(labels)[:40]} is not text")
    return list(labels)


def score_of(score: Any) -> float:
    """A model's score as a confidence; a model that tells none, or none that makes sense, is taken at its word."""
    known = isinstance(score, int | float) and not isinstance(score, bool) and 0 <= score <= 1
    return float(score) if known else 1.0


def number_of(value: Any, what: str) -> float:
    if value is None:
        raise ValueError(f"{what} is missing")
    if isinstance(value, int) and value.bit_length() > 1000:  # Python would not even print it
        raise ValueError(f"{what} is a number that is too large")
    if isinstance(value, bool) or not isinstance(value, int | float) or not -1e300 < value < 1e300:
        raise ValueError(f"{what} is {str(value)[:40]!r}, which is not a number")
    return value


def _positive(value: Any) -> float | None:
    """A figure that is good to have; None if it makes no sense."""
    known = isinstance(value, int | float) and not isinstance(value, bool) and 1e-3 < value <= MAX_FRAME
    return float(value) if known else None


def list_of(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
