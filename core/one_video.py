"""What an engine does for one video of a batch: functions of plain arguments, which begin on any machine.

Every one of them may be begun again after its process died, and then ends with the same files: what was looked at is
kept by its parts, clips are written whole or not at all, and the result is noted last.

Clips for a store are cut into a folder of the workspace and sent from there, each video's into a folder of its own that
its content names: whoever sends a video of the same name at the same time, from wherever, meets no clip of this one.
"""

from __future__ import annotations

import json
import logging
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import lru_cache, partial
from hashlib import blake2b
from pathlib import Path
from typing import Any, TypeVar

from core import pipeline, sighting, stores
from core.atomic import atomic_path
from core.chapters import NotJoined, join_chapters
from core.clips import session_part
from core.content import content_id
from core.database_errors import DatabaseAway
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
_ABANDONED_S = 24 * 3600.0
"""Clips that were to be sent and lie untouched for so long have no process any more."""

_Value = TypeVar("_Value")

log = logging.getLogger(__name__)


def start(arguments: dict[str, Any], report: Report) -> dict[str, Any]:
    """Do all of a video, or say in what spans it is to be looked at first.

    Args:
        arguments: ``home``, the folder of the workspace; ``sources``, a path or URL, or several of one recording's
            chapters; ``settings``, a :class:`core.settings.BatchSettings`; ``slots``, how many pieces of work go on at
            a time; ``batch``, an id of the batch.

    Returns:
        What :func:`finish` does; or ``path`` and ``spans``, runs of parts as ``[begin, end]``, with ``copies``, the
        paths of fetched copies that are to be dropped in the end; or ``apart``, a sentence on why the chapters do not
        join.
    """
    source, *more = arguments["sources"]
    dropped = None
    if not more and stores.is_url(source):
        dropped = _patiently(partial(stores.dropped_content, source, _fetched(arguments)), report)
    known = _patiently(partial(_known, arguments, dropped, source), report) if dropped else None
    return known or _dropping(_start, arguments, report)


def _start(arguments: dict[str, Any], report: Report, copies: list[Path]) -> dict[str, Any]:
    workspace, settings = _workspace(arguments["home"]), BatchSettings.model_validate(arguments["settings"])
    try:
        path = _local(arguments, report, copies)
    except NotJoined as error:
        return {"apart": str(error)}
    known = _patiently(partial(_known, arguments, content_id(path), str(path)), report)
    if known:
        return known
    if arguments["slots"] > 1 and sighting.open_video(path, workspace).info.duration_s > 2 * settings.span_s:
        parts = spans(path, workspace, settings.run.pose, settings.span_s)
        if len(parts) > 1:
            spanned = [[span.start, span.stop] for span in parts]
            return {"path": str(path), "spans": spanned, "copies": [str(copy) for copy in copies]}
    return _finish(arguments, report, copies)


def finish(arguments: dict[str, Any], report: Report) -> dict[str, Any]:
    """Look at what nobody has looked at yet, find, cut, and note what came of it.

    Args:
        arguments: as of :func:`start`.

    Returns:
        As :meth:`core.pipeline.Result.to_json`, with ``known``, whether it was done before; ``notes``, sentences;
        ``content``, the id of the video; and ``labels``, where a label file lies beside it: how what was found compares
        with it.
    """
    return _dropping(_finish, arguments, report)


def _finish(arguments: dict[str, Any], report: Report, copies: list[Path]) -> dict[str, Any]:
    workspace, path = _workspace(arguments["home"]), _local(arguments, report, copies)
    settings = BatchSettings.model_validate(arguments["settings"])
    video = sighting.open_video(path, workspace)
    beside, notes = None, []
    if _sidecar(arguments):
        try:
            beside = labels_beside(Path(arguments["sources"][0]), video)
        except UserError as error:
            notes = [str(error)]
    content = content_id(path)
    try:
        told, sent, where = _run(path, content, settings, arguments, report)
        notes += told.pop("warnings")
    except NobodySeen as error:  # footage without anybody in it is no failure among many
        told, sent, where = _nothing(video), {}, []
        notes.append(str(error))
    told = {**told, "content": content, "notes": notes}
    if beside is not None:
        keep_beside(workspace, content, beside)
        found = [Interval(event["start_frame"], event["end_frame"]) for event in told["events"]]
        compared = event_metrics(beside.intervals, found, video.pts_s).to_json()
        told["labels"] = {"path": str(beside.path), "tricks": len(beside.intervals), **compared}
    note = _note(workspace, content, settings, _sidecar(arguments))
    with atomic_path(note) as temporary:
        noted = {**told, "batch": arguments["batch"], "sent": sent}
        temporary.write_text(json.dumps(noted, allow_nan=False) + "\n", "utf-8")
    return {**told, "notes": [*notes, *where], "known": False}


def _run(
    path: Path, content: str, settings: BatchSettings, arguments: dict[str, Any], report: Report
) -> tuple[dict[str, Any], dict[str, Any], list[str]]:
    """What was found and cut; what was sent to a store, as it is noted; and sentences on where its run can be seen."""
    if not (settings.out and stores.is_url(settings.out)):
        out = Path(settings.out) if settings.out else None
        told, where = _cut(path, out, settings, arguments, report)
        return told, {}, where
    with _own_folder(arguments) as folder:
        told, where = _cut(path, folder, settings, arguments, report)
        if not told["clips"]:
            return told, {}, where
        name = f"{session_part(_source_name(arguments))}-{content[:12]}"
        target = f"{settings.out.rstrip('/')}/{name}"
        send = partial(stores.send_folder, folder, target, _telling(report, "sending"), report.cancelled)
        sizes = _patiently(send, report)
    for clip in told["clips"]:
        clip["path"] = f"{stores.without_login(target)}/{Path(clip['path']).name}"
    return told, {"folder": name, "sizes": sizes}, where


def _cut(
    path: Path, out: Path | None, settings: BatchSettings, arguments: dict[str, Any], report: Report
) -> tuple[dict[str, Any], list[str]]:
    """What was found and cut, and sentences on where its run can be seen."""
    model = Path(settings.model) if settings.model else None
    workspace = _workspace(arguments["home"])
    asked = (path, workspace, settings.run, out, None, model, report.progress, report.cancelled)
    where: list[str] = []
    if settings.wandb:
        from core.wandb_log import run_logged

        group, used, upload = f"batch-{arguments['batch']}", settings.wandb_used, settings.wandb_upload
        result, seen_at = run_logged(*asked, used=used, upload=upload, group=group, warn=where.append)
        where += [seen_at] if seen_at else []
    else:
        result = pipeline.run(*asked)
    return {**result.to_json(), "warnings": result.warnings}, where


@contextmanager
def _own_folder(arguments: dict[str, Any]) -> Iterator[Path]:
    """Where the clips of this recording wait to be sent; it goes in the end. Begun again it is the same, so that what a
    process left that died goes, too."""
    of = json.dumps([arguments["batch"], *map(_shown, arguments["sources"])]).encode()
    folder = Path(arguments["home"]) / "sending" / blake2b(of, digest_size=16).hexdigest()
    with suppress(OSError):
        for other in folder.parent.iterdir():
            if time.time() - other.stat().st_mtime > _ABANDONED_S:
                shutil.rmtree(other, ignore_errors=True)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _shown(source: str) -> str:
    """A path or an address as people may see it."""
    return stores.without_login(source) if stores.is_url(source) else source


def _source_name(arguments: dict[str, Any]) -> Path:
    """What the first source is called where it lies."""
    source = arguments["sources"][0]
    return Path(stores.file_name(source) if stores.is_url(source) else source)


def _nothing(video: Video) -> dict[str, Any]:
    """What a run says of a video in which nobody is."""
    return {**sighting.video_told(video), "events": [], "clips": []}


def _sidecar(arguments: dict[str, Any]) -> Path | None:
    """The label file that lies beside a video."""
    source = arguments["sources"][0]
    return None if stores.is_url(source) else sidecar(Path(source))


def _local(arguments: dict[str, Any], report: Report, copies: list[Path]) -> Path:
    """The video as one file that can be read here. Fetched copies that are to be dropped are added to ``copies``."""
    here = []
    for source in arguments["sources"]:
        if stores.is_url(source):
            telling = _telling(report, "fetching")
            fetch = partial(stores.fetch, source, _fetched(arguments), telling, report.cancelled)
            here.append(_patiently(fetch, report))
            if arguments["settings"]["drop_fetched"]:
                copies.append(here[-1])
        else:
            here.append(Path(source))
    if len(here) == 1:
        return here[0]
    telling = _telling(report, "joining chapters")
    return join_chapters(here, Path(arguments["home"]) / "joined", telling, report.cancelled)


def _patiently(act: Callable[[], _Value], report: Report) -> _Value:
    return stores.patiently(act, lambda: report.progress("waiting for the store", 0.0), report.cancelled)


def _fetched(arguments: dict[str, Any]) -> Path:
    """The folder of the copies from stores."""
    return Path(arguments["home"]) / "fetched"


def _dropping(
    step: Callable[[dict[str, Any], Report, list[Path]], dict[str, Any]], arguments: dict[str, Any], report: Report
) -> dict[str, Any]:
    """Do a step, and drop the fetched copies that it tells if the video ended with it, well or not."""
    copies: list[Path] = []
    try:
        told = step(arguments, report, copies)
    except (DatabaseAway, stores.StoreAway):  # the step is begun again, by the engine or by the user
        raise
    except UserError:
        stores.drop_copies(copies)
        raise
    if "events" in told and copies:
        if len(arguments["sources"]) == 1:
            stores.note_dropped(arguments["sources"][0], copies[0], told["content"])
            told["video"] = _shown(arguments["sources"][0])
        stores.drop_copies(copies)
    return told


def _telling(report: Report, step: str) -> Callable[[float], None]:
    return lambda done: report.progress(step, done)


def _known(arguments: dict[str, Any], content: str, video: str) -> dict[str, Any] | None:
    """What was noted of a video that was done with these settings, if its clips are still there.

    Args:
        video: its path or address.
    """
    workspace, settings = _workspace(arguments["home"]), BatchSettings.model_validate(arguments["settings"])
    note = _note(workspace, content, settings, _sidecar(arguments))
    try:
        told = json.loads(note.read_bytes())
        there, batch = _clips_there(told, told.pop("sent", {}), settings), told.pop("batch")
    except FileNotFoundError:
        return None
    except (OSError, ValueError, LookupError, TypeError) as error:
        log.warning("%s is damaged, so the video is done again: %s", note, error)
        return None
    before = batch != arguments["batch"]  # else whoever noted it in this very batch died before he could say so
    if not (batch and there) or (before and settings.again):
        return None
    return {**told, "video": _shown(video), "known": before}


def _clips_there(told: dict[str, Any], sent: dict[str, Any], settings: BatchSettings) -> bool:
    """Whether all that was noted is where it was written: one question, if that is a store."""
    if not sent:
        return all(Path(clip["path"]).is_file() for clip in told["clips"])
    there = stores.sizes(f"{str(settings.out).rstrip('/')}/{sent['folder']}")
    return all(there.get(name) == size for name, size in sent["sizes"].items())


def _note(workspace: Workspace, content: str, settings: BatchSettings, beside: Path | None) -> Path:
    """Where it is noted that a video was done with these settings: all that would lead to another result counts."""
    model = Path(settings.model) if settings.model else None
    out = settings.out
    key = {
        "run": settings.run,
        "out": _shown(out).rstrip("/") if out and stores.is_url(out) else out,
        "finding": pipeline.finding_key(workspace, content, settings.run.pose, model),
        "labels": content_id(beside) if beside else None,
    }
    return workspace.artifact(content, "run", key, "json", version=_VERSION)


@lru_cache(maxsize=1)
def _workspace(home: str) -> Workspace:
    """One for all work of this process."""
    return Workspace.open(Path(home))
