"""What is done for a request, at a desk and in a thread of its own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from fastapi import HTTPException
from numpy.typing import NDArray

from core import pipeline, sighting
from core.errors import NobodySeen, UserError
from core.recognize.dive_classes import dive_told
from core.recognize.players import players
from core.recognize.samples import ClipSample
from core.recognize.windows import Stoppable, recognize_players
from core.serve import answers
from core.serve.service import Cancel, Desk, Namer
from core.serve.uploads import in_a_sentence, opened
from core.video import Video

_NOBODY = "Nobody was found in any frame: use footage with a person in view."
Fields = TypeVar("Fields")
Answer = TypeVar("Answer")
Task = Callable[[Desk, Cancel, Video, Fields], Answer]


def done_with(task: Task[Fields, Answer], path: Path, fields: Fields) -> Callable[[Desk, Cancel], Answer]:
    """The task, for the video at ``path``; a mistake of the user's becomes a 400."""

    def work(desk: Desk, cancelled: Cancel) -> Answer:
        video = opened(path)
        try:
            return task(desk, cancelled, video, fields)
        except UserError as error:
            raise HTTPException(400, in_a_sentence(error, path)) from error

    return work


def name(desk: Desk, cancelled: Cancel, video: Video, fields: answers.MomentFields) -> answers.Moment:
    """Name one moment.

    Raises:
        UserError: there is no recognizer, or no such moment.
        Cancelled: ``cancelled`` said so.
    """
    recognizer = _recognizer(desk)
    start, last = fields.start_frame, video.n_frames - 1
    end = last if fields.end_frame is None else fields.end_frame
    if not start <= end <= last:
        raise UserError(f"Frames {start} to {end} are no moment of a video of {video.n_frames} frames: choose others.")
    row = recognizer.predict([_sample(video, start, fields.end_frame)], cancelled=cancelled)[0]
    return answers.Moment(**_span(video, start, end), **_named(recognizer, row))


def find(desk: Desk, cancelled: Cancel, video: Video, _: answers.NoFields) -> answers.Events:
    """Find the moments of a video, and name them where there is a recognizer.

    Raises:
        UserError: the video cannot be used.
        Cancelled: ``cancelled`` said so.
    """
    try:
        seen = sighting.look(video.path, desk.workspace, cancelled=cancelled)
    except NobodySeen:
        return answers.Events(**_about(video), events=[], notes=[_NOBODY])
    with desk.judging:
        found, _probability = pipeline.find(seen, desk.detector)
    names: Sequence[answers.Named | None] = [None] * len(found)
    if desk.recognizer and found:
        samples = [_sample(video, event.start_frame, event.end_frame) for event in found]
        rows = desk.recognizer.predict(samples, cancelled=cancelled)
        names = [answers.Named(**_named(desk.recognizer, row)) for row in rows]
    events = [
        answers.Event(
            **_span(video, event.start_frame, event.end_frame), confidence=_rounded(event.confidence), name=named
        )
        for event, named in zip(found, names, strict=True)
    ]
    return answers.Events(**_about(video), events=events, notes=[])


def name_players(desk: Desk, cancelled: Cancel, video: Video, fields: answers.WindowFields) -> answers.Players:
    """Name what each player does, window by window.

    Raises:
        UserError: there is no recognizer, or the video cannot be used.
        Cancelled: ``cancelled`` said so.
    """
    recognizer = _recognizer(desk)
    try:
        seen = sighting.look(video.path, desk.workspace, cancelled=cancelled)
    except NobodySeen:
        return answers.Players(**_about(video), players=[], notes=[_NOBODY])
    everybody = players(seen.pose, seen.camera, seen.video)
    stoppable = Stoppable(recognizer.classes, recognizer.predict, cancelled)
    named = recognize_players(everybody, seen.video, stoppable, fields.window, fields.stride, cancelled=cancelled)
    found = [
        answers.Player(
            id=number,
            windows=[
                answers.Moment(
                    **_span(video, window.start_frame, window.end_frame), **_named(recognizer, window.probabilities)
                )
                for window in windows
            ],
        )
        for number, windows in named.players.items()
    ]
    notes = named.length_notes(fields.window, recognizer.clip_s, "window")
    return answers.Players(**_about(video), players=found, notes=list(notes))


def _recognizer(desk: Desk) -> Namer:
    if desk.recognizer is None:
        raise UserError("This server has no recognizer, which names moments: start it with the --model of one.")
    return desk.recognizer


def _sample(video: Video, start: int, end: int | None) -> ClipSample:
    return ClipSample(video.path, "", "", start, end)


def _about(video: Video) -> dict[str, Any]:
    return {"frames": video.n_frames, "duration_s": _micro(video.info.duration_s)}


def _span(video: Video, start: int, end: int) -> dict[str, Any]:
    begin_s, end_s = (_micro(video.pts_s[frame]) for frame in (start, end))
    return {"start_frame": start, "end_frame": end, "start_s": begin_s, "end_s": end_s}


def _named(recognizer: Namer, row: NDArray[np.floating]) -> dict[str, Any]:
    best = int(np.argmax(row))
    return {
        "label": recognizer.classes[best],
        "probability": _rounded(row[best]),
        "probabilities": {label: _rounded(one) for label, one in zip(recognizer.classes, row, strict=True)},
        "unsure": bool(row[best] < recognizer.unsure_below),
        **{"dive": None, **dive_told(row, recognizer.classes)},
    }


def _rounded(probability: float) -> float:
    return min(1.0, max(0.0, round(float(probability), 6)))


def _micro(seconds: float) -> float:
    return round(float(seconds), 6)
