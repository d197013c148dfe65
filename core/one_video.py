"""What an engine does for one video of a batch: functions of plain arguments, which begin on any machine.

Every one of them may be begun again after its process died, and then ends with the same files: what was looked at is
kept by its parts, clips are written whole or not at all, and the result is noted last.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

from core import pipeline, stores
from core.atomic import atomic_path
from core.chapters import NotJoined, join_chapters
from core.content import content_id
from core.errors import NobodySeen, UserError
from core.evaluate import event_metrics
from core.intervals import Interval
from core.labels.sidecars import sidecar
from core.labels_beside import keep_beside, labels_beside
from core.settings import BatchSettings
from core.spans import spans
from core.tasks import Report
from core.video import Video
from core.workspace import Workspace

_VERSION = 1

log = logging.getLogger(__name__)


def start(arguments: dict[str, Any], report: Report) -> dict[str, Any]:
    """Do all of a video, or say in what spans it is to be looked at first.

    Args:
        arguments: ``home``, the folder of the workspace; ``sources``, a path or URL, or several of one recording's
            chapters; ``settings``, a :class:`core.settings.BatchSettings`; ``slots``, how many pieces of work go on at
            a time; ``batch``, an id of the batch.

    Returns:
        What :func:`finish` does; or ``path`` and ``spans``, runs of parts as ``[begin, end]``; or ``apart``, a sentence
        on why the chapters do not join.
    """
    workspace = _workspace(arguments["home"])
    try:
        path = _local(arguments, report)
    except NotJoined as error:
        return {"apart": str(error)}
    settings = BatchSettings.model_validate(arguments["settings"])
    known = _known(workspace, path, settings, _sidecar(arguments))
    if known:
        # Whoever noted it in this very batch died before he could say so.
        before = known.pop("batch") != arguments["batch"]
        if not (before and settings.again):
            return {**known, "known": before}
    if arguments["slots"] > 1 and pipeline.open_video(path, workspace).info.duration_s > 2 * settings.span_s:
        parts = spans(path, workspace, settings.run.pose, settings.span_s)
        if len(parts) > 1:
            return {"path": str(path), "spans": [[span.start, span.stop] for span in parts]}
    return finish(arguments, report)


def finish(arguments: dict[str, Any], report: Report) -> dict[str, Any]:
    """Look at what nobody has looked at yet, find, cut, and note what came of it.

    Args:
        arguments: as of :func:`start`.

    Returns:
        As :meth:`core.pipeline.Result.to_json`, with ``known``, whether it was done before; ``notes``, sentences;
        ``content``, the id of the video; and ``labels``, where a label file lies beside it: how what was found compares
        with it.
    """
    workspace, path = _workspace(arguments["home"]), _local(arguments, report)
    settings = BatchSettings.model_validate(arguments["settings"])
    video = pipeline.open_video(path, workspace)
    beside, notes = None, []
    if _sidecar(arguments):
        try:
            beside = labels_beside(Path(arguments["sources"][0]), video)
        except UserError as error:
            notes = [str(error)]
    content = content_id(path)
    try:
        told, where = _run(path, workspace, settings, arguments["batch"], report)
        notes += told.pop("warnings")
    except NobodySeen as error:  # footage without anybody in it is no failure among many
        told, where = _nothing(video), []
        notes.append(str(error))
    told = {**told, "content": content, "notes": notes}
    if beside is not None:
        keep_beside(workspace, content, beside)
        found = [Interval(event["start_frame"], event["end_frame"]) for event in told["events"]]
        compared = event_metrics(beside.intervals, found, video.pts_s).to_json()
        told["labels"] = {"path": str(beside.path), "tricks": len(beside.intervals), **compared}
    note = _note(workspace, content, settings, _sidecar(arguments))
    with atomic_path(note) as temporary:
        temporary.write_text(json.dumps({**told, "batch": arguments["batch"]}, allow_nan=False) + "\n", "utf-8")
    return {**told, "notes": [*notes, *where], "known": False}


def _run(
    path: Path, workspace: Workspace, settings: BatchSettings, batch: str, report: Report
) -> tuple[dict[str, Any], list[str]]:
    """What was found and cut, and sentences on where its run can be seen."""
    out, model = (Path(path) if path else None for path in (settings.out, settings.model))
    asked = (path, workspace, settings.run, out, None, model, report.progress, report.cancelled)
    where: list[str] = []
    if settings.wandb:
        from core.wandb_log import run_logged

        group, used, upload = f"batch-{batch}", settings.wandb_used, settings.wandb_upload
        result, seen_at = run_logged(*asked, used=used, upload=upload, group=group, warn=where.append)
        where += [seen_at] if seen_at else []
    else:
        result = pipeline.run(*asked)
    return {**result.to_json(), "warnings": result.warnings}, where


def _nothing(video: Video) -> dict[str, Any]:
    """What a run says of a video in which nobody is."""
    return {**pipeline.video_told(video), "events": [], "clips": []}


def _sidecar(arguments: dict[str, Any]) -> Path | None:
    """The label file that lies beside a video."""
    source = arguments["sources"][0]
    return None if stores.is_url(source) else sidecar(Path(source))


def _local(arguments: dict[str, Any], report: Report) -> Path:
    """The video as one file that can be read here."""
    fetched = []
    for source in arguments["sources"]:
        if stores.is_url(source):
            folder = Path(arguments["home"]) / "fetched"
            fetched.append(stores.fetch(source, folder, _telling(report, "fetching"), report.cancelled))
        else:
            fetched.append(Path(source))
    if len(fetched) == 1:
        return fetched[0]
    telling = _telling(report, "joining chapters")
    return join_chapters(fetched, Path(arguments["home"]) / "joined", telling, report.cancelled)


def _telling(report: Report, step: str) -> Callable[[float], None]:
    return lambda done: report.progress(step, done)


def _known(workspace: Workspace, path: Path, settings: BatchSettings, beside: Path | None) -> dict[str, Any] | None:
    """What was noted of a video that was done with these settings, if its clips are still there."""
    note = _note(workspace, content_id(path), settings, beside)
    try:
        told = json.loads(note.read_bytes())
        there = bool(told["batch"]) and all(Path(clip["path"]).is_file() for clip in told["clips"])
    except FileNotFoundError:
        return None
    except (OSError, ValueError, LookupError, TypeError) as error:
        log.warning("%s is damaged, so the video is done again: %s", note, error)
        return None
    return {**told, "video": str(path)} if there else None


def _note(workspace: Workspace, content: str, settings: BatchSettings, beside: Path | None) -> Path:
    """Where it is noted that a video was done with these settings: all that would lead to another result counts."""
    model = Path(settings.model) if settings.model else None
    key = {
        "run": settings.run,
        "out": settings.out,
        "finding": pipeline.finding_key(workspace, content, settings.run.pose, model),
        "labels": content_id(beside) if beside else None,
    }
    return workspace.artifact(content, "run", key, "json", version=_VERSION)


@lru_cache(maxsize=1)
def _workspace(home: str) -> Workspace:
    """One for all work of this process."""
    return Workspace.open(Path(home))
