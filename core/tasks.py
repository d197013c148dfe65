"""What the jobs do, a function for each kind: from plain arguments to a plain result, saying how far it is.

They need no queue and no worker: a test calls them with a report of its own.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Mapping
from contextlib import suppress
from hashlib import blake2b
from pathlib import Path
from typing import Any, Protocol

from core.errors import UserError
from core.intervals import Event, Interval
from core.records import Session, canonical_json
from core.settings import ExportSettings, LearnSettings, TrainSettings
from core.workspace import Workspace


class Report(Protocol):
    """How a task says how far it is, and hears whether to go on."""

    def progress(self, step: str, fraction: float, frames_done: int | None = None) -> None:
        """Say how much of a step is done.

        Args:
            step: in plain words that can stand before a percentage, such as "looking".
            fraction: 0 to 1.
            frames_done: decoded frames of the video that are done, where the step goes by frames.
        """

    def cancelled(self) -> bool:
        """Whether to raise :class:`core.errors.Cancelled` as soon as it does no harm. Cheap."""


Task = Callable[[Workspace, dict[str, Any], Report], dict[str, Any]]
"""Raises UserError or Cancelled. Begun again after a kill, it carries on with what is in the workspace."""

SAMPLE_NAME = "Sample session"
CLIPS_CHANGED = (
    "This training cannot go on, for its clips or their names have changed since it began: train anew, from the "
    "beginning, with the same settings."
)
"""Why a training of a network that was stopped ends."""


def add(workspace: Workspace, arguments: dict[str, Any], report: Report) -> dict[str, Any]:
    """Make sessions of footage, and queue the search in those that nobody has looked at.

    Args:
        arguments: ``sources``, paths of files and folders; ``find``, whether to search; ``names``, by path what to call
            a session instead of the file's name, which need not be there.

    Returns:
        As :meth:`core.adding.Added.to_json`.
    """
    from core import jobs
    from core.adding import add_footage

    def search(session: Session) -> None:
        if arguments["find"] and not session.facts.get("looked"):
            jobs.submit(workspace, "process", {"session": session.id}, start=False)  # the worker is at this very job

    report.progress("adding", 0.0)
    added = add_footage(
        workspace,
        [Path(source) for source in arguments["sources"]],
        lambda share: report.progress("adding", share),
        report.cancelled,
        arguments.get("names"),
        search,
    )
    return added.to_json()


def process(workspace: Workspace, arguments: dict[str, Any], report: Report) -> dict[str, Any]:
    """Get a session ready for its pages: a copy that the browser plays, thumbnails, everybody's movement, a poster.
    Where ``TRICKLINE_CLUSTER`` names one, a cluster does the work.

    Args:
        arguments: ``session``, its id.

    Returns:
        ``events``: how many tricks were found with the session's settings; the session's facts know it as ``found``.
        Tricks are found without the copy, too: why there is none stands in the facts as ``proxy_failed``, a sentence
        or None.
    """
    from core.engine import open_engine
    from core.getting_ready import get_ready, get_ready_on

    cluster = os.environ.get("TRICKLINE_CLUSTER")
    if not cluster:
        return get_ready(workspace, arguments["session"], report)
    with open_engine(cluster) as engine:
        return get_ready_on(engine, workspace, arguments["session"], report)


def sample(workspace: Workspace, arguments: dict[str, Any], report: Report) -> dict[str, Any]:
    """Draw the sample session and process it. Its labels lie beside it, to be imported, and are not shown: a newcomer
    is to see what is found without them.

    Returns:
        ``session``: its id; ``events`` as :func:`process`.
    """
    try:
        from sample_data.make_session import make_session
    except ImportError as error:
        raise UserError(
            "The sample session is drawn by the folder sample_data, which is not installed: "
            "start the app from a copy of the repository, or add a video of your own."
        ) from error
    drawn = make_session(
        workspace.home / "sample",
        progress=lambda done: report.progress("drawing the sample", done),
        cancelled=report.cancelled,
    )
    session = workspace.session_for(drawn.video, name=SAMPLE_NAME)
    return {"session": session.id, **process(workspace, {"session": session.id}, report)}


def train(workspace: Workspace, arguments: dict[str, Any], report: Report) -> dict[str, Any]:
    """Train a detector on sessions that were processed and labelled or reviewed, and keep it.

    Args:
        arguments: ``sessions``, their ids, or None for all that teach something, see :mod:`core.corrections`;
            ``settings``, a :class:`core.settings.TrainSettings`; ``name``, what to call the model; ``wanted_recall``,
            see :func:`core.training.train`, which need not be there.

    Returns:
        ``model``: its id; ``validation``: see :func:`core.validate.compare`; ``unvalidated``: why there is none;
        ``untuned``: why the event settings are the defaults; ``skipped``: a sentence on each session that was labelled
        or reviewed and could not be learnt from.
    """
    from core import corrections, training
    from core.unseen import kept_unseen

    if arguments["sessions"] is None:
        report.progress("gathering what was decided", 0.0)
        taught, skipped = corrections.lessons(
            workspace, lambda done: report.progress("gathering what was decided", done), report.cancelled
        )
    else:
        chosen = [workspace.session(session_id) for session_id in dict.fromkeys(arguments["sessions"])]
        taught, skipped = [corrections.lesson_of(workspace, session) for session in chosen], []
    if not taught:
        raise UserError(" ".join(["There is no session to train on: label one or review what was found.", *skipped]))
    settings = TrainSettings.model_validate(arguments["settings"])
    videos = {lesson.session.id: lesson.labelled for lesson in taught}
    trained = training.train(
        list(videos.values()),
        settings,
        [lesson.backend for lesson in taught],
        report.progress,
        report.cancelled,
        arguments.get("wanted_recall"),
        replayed=True,
        weighed=True,
        names=[lesson.session.name for lesson in taught],
    )
    with tempfile.TemporaryDirectory() as folder:
        bundle = Path(folder) / "model.skops"
        trained.detector.save(bundle)
        model = workspace.add_model(bundle, arguments["name"], {**trained.meta, "sessions": list(videos)})
    with suppress(UserError):  # too few labels to leave any out; then the training was not checked either
        kept_unseen(workspace, model.id, settings, videos, trained.unseen)
    return {
        "model": model.id,
        "validation": trained.detector.meta["validation"],
        "unvalidated": trained.unvalidated,
        "untuned": trained.untuned,
        "skipped": skipped,
    }


def export(workspace: Workspace, arguments: dict[str, Any], report: Report) -> dict[str, Any]:
    """Export chosen tricks into ``clips/<session>`` of the workspace.

    Args:
        arguments: ``session``, its id; ``events``, a list of ``[start_frame, end_frame, label, confidence]``, the last
            of them None where no detector found it; ``stars``, how well each is liked, 0 to 5; ``settings``, a
            :class:`core.settings.ExportSettings`.

    Returns:
        As :meth:`core.export.Export.to_json`.
    """
    from core import pipeline, sighting
    from core.export import check
    from core.export import export as write

    session = workspace.session(arguments["session"])
    events = [
        Interval(int(start), int(end), label) if confidence is None else Event(int(start), int(end), label, confidence)
        for start, end, label, confidence in arguments["events"]
    ]
    if not events:
        raise UserError(f"No trick of {session.name} was chosen: keep at least one.")
    settings = ExportSettings.model_validate(arguments["settings"])
    video = sighting.open_video(session.path, workspace)
    out = workspace.home / "clips" / session.id
    check(video, events, out, settings)
    skater = pipeline.find_skater(video, workspace, report.progress, report.cancelled, looking=settings.wants_skater())
    report.progress("exporting", 0.0)
    done = write(
        video,
        session.id,
        events,
        out,
        settings,
        skater,
        dict(zip(events, arguments["stars"], strict=True)),
        lambda share: report.progress("exporting", share),
        report.cancelled,
    )
    return done.to_json()


def learn(workspace: Workspace, arguments: dict[str, Any], report: Report) -> dict[str, Any]:
    """Train a recognizer and keep it.

    Args:
        arguments: ``data``, the path of a data set, or None for what was named in the workspace's sessions;
            ``footage`` and ``moment_frames``, see :func:`core.recognize.datasets.read_dataset`, which need not be
            there; ``settings``, a :class:`core.settings.LearnSettings`; ``name``, what to call it; ``folder``, of the
            shelf, reserved for it, so that a training that was stopped goes on there.

    Returns:
        ``recognizer``: its id; ``notes``: sentences for the user.
    """
    from core.recognize import shelf
    from core.recognize.datasets import read_dataset
    from core.recognize.datasets.reviewed import read_reviewed
    from core.recognize.learning import learn as teach
    from core.recognize.training import OtherTrainingError

    if arguments["data"] is None:
        dataset = read_reviewed(workspace, [session.id for session in workspace.sessions()])
    else:
        footage = arguments.get("footage")
        dataset = read_dataset(
            Path(arguments["data"]),
            footage=Path(footage) if footage else None,
            moment_frames=arguments.get("moment_frames"),
        )
    settings = LearnSettings.model_validate(arguments["settings"])
    # Lightning would share a training by starting this worker once more, which waits for the lock that this one holds.
    settings = settings.model_copy(update={"devices": 1})
    if arguments["data"] is None:  # whoever names his tricks as he goes has named some of them once
        settings = settings.model_copy(update={"drop_rare": True})
    folder = shelf.folder_of(workspace, arguments["folder"])
    try:
        learnt = teach(dataset, folder, workspace, settings, report.progress, report.cancelled)
    except OtherTrainingError as error:
        raise UserError(CLIPS_CHANGED) from error
    kept = shelf.put(folder, arguments["name"], workspace)
    return {"recognizer": kept.id, "notes": [*dataset.notes, *learnt.notes]}


def name(workspace: Workspace, arguments: dict[str, Any], report: Report) -> dict[str, Any]:
    """Name the tricks of a session, or what each player does.

    Args:
        arguments: ``session``; ``recognizer``, its id; ``players``, whether everybody's windows are named;
            ``events``, a list of ``[start_frame, end_frame]`` to name where they are not; ``drawn``, a box round the
            one player to be named as ``[frame, x1, y1, x2, y2]`` in 0..1 of the picture, or None for all; ``window``,
            frames of a player's window. These two need not be there.

    Returns:
        What ``trickline recognize --json`` prints; with players their ``lanes`` too, by id a list of
        ``[start_frame, end_frame, label, probability]``.
    """
    from core.recognize import naming, shelf
    from core.recognize.loading import open_recognizer
    from core.recognize.windows import LENGTH
    from core.video import Video

    session = workspace.session(arguments["session"])
    opened = open_recognizer(shelf.recognizer(workspace, arguments["recognizer"]).folder, workspace)
    if not arguments["players"]:
        moments = [Interval(int(start), int(end)) for start, end in arguments["events"]]
        return naming.name_moments(
            Video.open(session.path), moments, opened, report.progress, report.cancelled
        ).to_json()
    out = workspace.home / "clips" / session.id / arguments["recognizer"]
    drawn = None
    if arguments.get("drawn"):
        frame, x1, y1, x2, y2 = arguments["drawn"]
        drawn = naming.DrawnBox(int(frame), (float(x1), float(y1), float(x2), float(y2)))
        out = out / f"one player {_digest([arguments['drawn'], arguments.get('window')])}"
    named = naming.name_players(
        Path(session.path),
        opened,
        workspace,
        workspace.settings(session.id).pose,
        out=out,
        progress=report.progress,
        cancelled=report.cancelled,
        drawn=drawn,
        window=int(arguments.get("window") or LENGTH),
    )
    lanes = {
        str(player): [[one.start_frame, one.end_frame, one.label, one.confidence] for one in lane]
        for player, lane in named.windows.lanes().items()
    }
    return {**named.to_json(), "lanes": lanes}


def cutout(workspace: Workspace, arguments: dict[str, Any], report: Report) -> dict[str, Any]:
    """Cut the background out round whoever was clicked on, into ``clips/<session>/cutouts`` of the workspace.

    Args:
        arguments: ``session``; ``clicks``, a list of ``[frame, x, y, inside]``, see
            :class:`core.recognize.outlines.Click`; ``span``, first and last frame of the clip; ``background``, see
            :func:`core.recognize.masks.cut_out`; ``weights``, the path of SAM 2's, or None for the workspace's.

    Returns:
        ``file``: the path of the clip.
    """
    from core.clips import session_part
    from core.recognize.outlines import Click, cut_out_clicked, ready
    from core.video import Video

    session = workspace.session(arguments["session"])
    named = arguments["weights"]
    weights = ready(workspace.home / "weights", Path(named) if named else None)
    clicks = [Click(int(frame), float(x), float(y), bool(inside)) for frame, x, y, inside in arguments["clicks"]]
    first, last = map(int, arguments["span"])
    background: str = arguments["background"]
    suffix = "webm" if background == "transparent" else "mp4"
    called = f"{session_part(session.path)}_{first}-{last}_{_digest(arguments['clicks'])}_{background.lstrip('#')}"
    out = workspace.home / "clips" / session.id / "cutouts" / f"{called}.{suffix}"
    report.progress("outlining", 0.0)
    cut_out_clicked(
        Video.open(session.path), workspace, clicks, (first, last), weights, out, background,
        report.progress, report.cancelled,
    )  # fmt: skip
    return {"file": str(out)}


def _digest(asked: Any) -> str:
    """Eight hex digits for a file's name, so that what was asked for otherwise does not replace it."""
    return blake2b(canonical_json(asked).encode(), digest_size=4).hexdigest()


TASKS: Mapping[str, Task] = {
    "add": add,
    "sample": sample,
    "process": process,
    "train": train,
    "export": export,
    "learn": learn,
    "name": name,
    "cutout": cutout,
}
"""By the kind of the job."""
