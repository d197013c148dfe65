"""What happens in one video, by name: its tricks, or what each player does.

>>> named = name_events(Path("park.mp4"), recognizer, workspace)                 # doctest: +SKIP
>>> [(event.label, event.probability) for event in named.events]                 # doctest: +SKIP
[('kickflip', 0.91), ('ollie', 0.77)]
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from core import pipeline, sighting
from core.atomic import check_folder
from core.clips import session_part
from core.detector import starter
from core.errors import UserError
from core.intervals import Event, Interval
from core.labels import read_labels
from core.labels.label_set import check_within
from core.recognize.annotate import annotate
from core.recognize.dive_classes import dive_told, dives_named, prediction_sentence
from core.recognize.loading import Cancel, OpenedRecognizer, Progress
from core.recognize.players import drawn_player, players
from core.recognize.samples import ClipSample
from core.recognize.windows import LENGTH, STRIDE, PlayerWindows, Stoppable, recognize_players
from core.settings import PoseSettings
from core.timecode import clock
from core.video import Video
from core.workspace import Workspace

SAMPLE_STRIDE = 2


@dataclass(frozen=True)
class Named:
    """One moment with its name."""

    start_frame: int
    end_frame: int
    label: str
    """The likeliest class."""
    probability: float
    probabilities: tuple[float, ...]
    """Of each class."""
    unsure: bool
    """Whether it had better stay unnamed."""
    confidence: float | None
    """Of the detector that it is a trick at all; None where a person said so."""


@dataclass(frozen=True)
class NamedEvents:
    """The tricks of a video."""

    video: Video
    classes: tuple[str, ...]
    events: tuple[Named, ...]

    def to_json(self) -> dict[str, Any]:
        """The object that ``trickline recognize --json`` prints; the skater is its one player. Dives are said, too
        (:func:`core.recognize.dive_classes.dive_told`)."""
        dives = [dive_told(np.array(event.probabilities), self.classes) for event in self.events]
        return {
            "video": str(self.video.path),
            "classes": list(self.classes),
            "events": [
                {
                    "label": event.label,
                    "probability": round(event.probability, 4),
                    "unsure": event.unsure,
                    "start_frame": event.start_frame,
                    "end_frame": event.end_frame,
                    "start_s": round(float(self.video.pts_s[event.start_frame]), 6),
                    "end_s": round(float(self.video.pts_s[event.end_frame]), 6),
                    "confidence": event.confidence,
                    "probabilities": {
                        label: round(value, 4) for label, value in zip(self.classes, event.probabilities, strict=True)
                    },
                    **dive,
                }
                for event, dive in zip(self.events, dives, strict=True)
            ],
            "players": [
                {
                    "id": 1,
                    "windows": [
                        {
                            "start_frame": event.start_frame,
                            "end_frame": event.end_frame,
                            "label": event.label,
                            "probability": round(event.probability, 4),
                            **dive,
                        }
                        for event, dive in zip(self.events, dives, strict=True)
                    ],
                }
            ],
        }

    def lines(self) -> Iterator[str]:
        """For people."""
        dives = dives_named(self.classes)
        yield f"{self.video.path.name}: {len(self.events)} moment{'' if len(self.events) == 1 else 's'}"
        for event in self.events:
            start, end = (clock(float(self.video.pts_s[frame])) for frame in (event.start_frame, event.end_frame))
            unsure = "  (unsure)" if event.unsure else ""
            yield f"  {start} - {end}  {event.label:14} {event.probability:.2f}{unsure}"
            if dives:
                yield f"    {prediction_sentence(np.array(event.probabilities), dives)}"


@dataclass(frozen=True)
class NamedPlayers:
    """What everybody does."""

    windows: PlayerWindows
    files: tuple[Path, ...]
    """The annotated video and the table, where they were wanted."""
    notes: tuple[str, ...]
    """Sentences for the user, such as that another length of the windows would fit better."""

    def to_json(self) -> dict[str, Any]:
        """The object that ``trickline recognize --players --json`` prints."""
        return {**self.windows.to_json(), "files": [str(path) for path in self.files], "notes": list(self.notes)}

    def lines(self) -> Iterator[str]:
        """For people."""
        pts_s, classes = self.windows.video.pts_s, self.windows.classes
        dives = dict(zip(classes, dives_named(classes) or (), strict=False))
        for player, lane in self.windows.lanes().items():
            for span in lane:
                start, end = clock(float(pts_s[span.start_frame])), clock(float(pts_s[span.end_frame]))
                yield f"  player {player}  {start} - {end}  {span.label:14} {span.confidence:.2f}"
                if span.label in dives:
                    yield f"    {dives[span.label].numbers()[0].sentence()}"
        for path in self.files:
            yield f"  {path}"


@dataclass(frozen=True)
class DrawnBox:
    """A box that somebody drew round a player."""

    frame: int
    """Decoded frame that it was drawn in."""
    box: tuple[float, float, float, float]
    """x1, y1, x2, y2 in 0..1 of the upright picture."""


def name_moments(
    video: Video,
    moments: Sequence[Interval],
    recognizer: OpenedRecognizer,
    progress: Progress | None = None,
    cancelled: Cancel | None = None,
) -> NamedEvents:
    """Name known moments of a video; their own labels do not matter.

    Raises:
        UserError, Cancelled: as :meth:`OpenedRecognizer.predict`.
    """
    samples = [
        ClipSample(video.path, moment.label, video.path.stem, moment.start_frame, moment.end_frame)
        for moment in moments
    ]
    rows = recognizer.predict(samples, progress, cancelled)
    named = tuple(
        Named(
            moment.start_frame,
            moment.end_frame,
            recognizer.classes[int(row.argmax())],
            float(row.max()),
            tuple(float(value) for value in row),
            bool(row.max() < recognizer.unsure_below),
            moment.confidence if isinstance(moment, Event) else None,
        )
        for moment, row in zip(moments, np.asarray(rows), strict=True)
    )
    return NamedEvents(video, recognizer.classes, named)


def name_events(
    path: Path,
    recognizer: OpenedRecognizer,
    workspace: Workspace,
    pose: PoseSettings | None = None,
    events: Path | None = None,
    progress: Progress | None = None,
    cancelled: Cancel | None = None,
) -> NamedEvents:
    """Name the tricks in a video: those in ``events``, or those that the starter finds.

    Raises:
        UserError: the video, the labels or the pose network cannot be used, or nobody is in view.
        Cancelled: ``cancelled`` said so.
    """
    if events:
        video = Video.open(path)
        labels = read_labels(events, video.pts_s, video.path, may_be_empty=True)
        check_within(labels, video.n_frames, events.name)
        moments: Sequence[Interval] = labels.intervals
    else:
        seen = sighting.look(path, workspace, pose, None, progress, cancelled)
        video, (moments, _) = seen.video, pipeline.find(seen, starter())
    return name_moments(video, moments, recognizer, progress, cancelled)


def name_players(
    path: Path,
    recognizer: OpenedRecognizer,
    workspace: Workspace,
    pose: PoseSettings | None = None,
    stride: int = STRIDE,
    out: Path | None = None,
    progress: Progress | None = None,
    cancelled: Cancel | None = None,
    drawn: DrawnBox | None = None,
    window: int = LENGTH,
) -> NamedPlayers:
    """Track everybody in a video and name what they do, window by window.

    Args:
        drawn: only whom this box was drawn round, from its frame on.
        stride: decoded frames from one window to the next.
        out: folder for the annotated video and the table; None writes neither.
        window: frames of a window, 2 to 1000.

    Raises:
        UserError: the video or the pose network cannot be used, nobody is in view, or nothing can be written.
        Cancelled: ``cancelled`` said so.
    """
    if out:
        check_folder(out)
    seen = sighting.look(path, workspace, pose, None, progress, cancelled)
    everybody = players(seen.pose, seen.camera, seen.video)
    if drawn:
        everybody = (drawn_player(everybody, seen.camera, seen.video, drawn.frame, drawn.box),)
    if not everybody:
        raise UserError(f"{path.name}: nobody stays in view long enough to be followed; use other footage.")
    naming = (lambda done: progress("naming", done)) if progress else None
    stoppable = Stoppable(recognizer.classes, recognizer.predict, cancelled)
    windows = recognize_players(everybody, seen.video, stoppable, window, stride, naming, cancelled)
    files: tuple[Path, ...] = ()
    if out:
        name = session_part(path)
        film, table = out / f"{name}_players.mp4", out / f"{name}_players.csv"
        drawing = (lambda done: progress("drawing", done)) if progress else None
        annotate(seen.video, everybody, windows, film, drawing, cancelled)
        windows.write_csv(table)
        files = (film, table)
    return NamedPlayers(windows, files, windows.length_notes(window, recognizer.clip_s, "--window"))
