"""A session is made ready for its pages: a copy that the browser plays, thumbnails, everybody's movement, a poster.

>>> get_ready(workspace, session.id, report)                             # doctest: +SKIP
{'events': 7}
>>> with open_engine("auto") as engine:                                  # doctest: +SKIP
...     get_ready_on(engine, workspace, session.id, report)
{'events': 7}
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Generator
from contextlib import closing
from pathlib import Path
from typing import Any

from core import pipeline, proxy, sighting, thumbnails
from core.engine import Done, Engine, Work
from core.errors import UserError
from core.ffmpeg import FFmpegError
from core.records import Session
from core.spans import gpu_share, span_work, spans
from core.tasks import Report
from core.video import Video
from core.workspace import Workspace

_SHORTEST_S = 60.0
"""A shorter span would spend more of its time on starting."""

log = logging.getLogger(__name__)


def get_ready(workspace: Workspace, session_id: str, report: Report) -> dict[str, Any]:
    """Do all of it in this process.

    Returns:
        As :func:`core.tasks.process`.

    Raises:
        UserError: the video or the backend cannot be used, or nobody is in view.
        Cancelled: ``report`` said so; what is finished is kept.
    """
    session = workspace.session(session_id)
    video = sighting.open_video(session.path, workspace)
    _picture(video, session, workspace, report)
    return _find(video, session, workspace, report)


def get_ready_on(engine: Engine, workspace: Workspace, session_id: str, report: Report) -> dict[str, Any]:
    """Let an engine do it: a short video as one piece of work, a long one in as many spans as there is room for.

    Nothing but waiting is done in this process, so that it can be at many videos at a time.

    Returns:
        As :func:`core.tasks.process`.

    Raises:
        UserError: as :func:`get_ready`, or the cluster is gone.
        Cancelled: as :func:`get_ready`.
    """
    session, pose = workspace.session(session_id), workspace.settings(session_id).pose
    frames = session.facts.get("frames")

    def tell(step: str, done: float) -> None:
        report.progress(step, done, round(done * frames) if frames else None)

    def whole(slots: int) -> dict[str, Any]:
        arguments = {"home": str(workspace.home), "session": session_id, "slots": slots, "shortest_s": _SHORTEST_S}
        work = Work(session.path.name, get_ready_there, arguments, gpus=gpu_share(pose))
        [result] = _results(engine.run([work], None, lambda _, step, done: tell(step, done), report.cancelled))
        return result

    report.progress("waiting for the cluster", 0.0)
    result = whole(engine.slots)
    if "spans" not in result:
        return result
    works = [
        span_work(f"{session.path.name}, part {begin}", workspace.home, session.path, pose, range(begin, end))
        for begin, end in result["spans"]
    ]
    shares = {work.id: 0.0 for work in works}

    def tell_of_span(work: Work, step: str, done: float) -> None:
        shares[work.id] = done
        tell(step, sum(shares.values()) / len(shares))

    for _ in _results(engine.run(works, None, tell_of_span, report.cancelled)):
        pass
    return whole(1)


def get_ready_there(arguments: dict[str, Any], report: Report) -> dict[str, Any]:
    """Do all of it, or say in what spans it is to be looked at first; begins in any process.

    Args:
        arguments: ``home``, the folder of the workspace; ``session``; ``slots``, how many spans can be looked at beside
            each other; ``shortest_s``, of a span.

    Returns:
        As :func:`core.tasks.process`; or ``spans``, runs of parts as ``[begin, end]``.
    """
    with Workspace.open(Path(arguments["home"])) as workspace:
        session = workspace.session(arguments["session"])
        video = sighting.open_video(session.path, workspace)
        _picture(video, session, workspace, report)
        span_s = max(arguments["shortest_s"], video.info.duration_s / arguments["slots"])
        if video.info.duration_s > span_s:
            parts = spans(session.path, workspace, workspace.settings(session.id).pose, span_s)
            if len(parts) > 1:
                return {"spans": [[span.start, span.stop] for span in parts]}
        return _find(video, session, workspace, report)


def _results(run: Generator[Done]) -> Generator[dict[str, Any]]:
    """Of works that have to end well. Where one does not, the others are stopped before that is raised: the traceback
    would keep the run alive, and the connection to the cluster would go first."""
    with closing(run):
        for done in run:
            if done.error:
                raise UserError(done.error)
            yield done.result


def _picture(video: Video, session: Session, workspace: Workspace, report: Report) -> None:
    """Make what shows the video. That comes before the looking: it takes seconds, and where nobody is seen it is all
    that there is to work with."""
    copy = proxy.proxy_path(workspace, session.id)
    failed = None
    try:
        if proxy.needs_proxy(video) and not copy.exists():
            report.progress("preparing the video", 0.0)
            proxy.make_proxy(video, copy, _counting("preparing the video", video, report), report.cancelled)
    except UserError as error:
        failed = str(error)
        log.warning("%s gets no copy for the browser: %s", session.path, error)
    except FFmpegError as error:
        # What FFmpeg says are lines for those who know it: they stand in the log.
        failed = f"{session.path.name} could not be made into a copy that every browser plays; try another browser."
        log.warning("%s gets no copy for the browser: %s", session.path, error)
    if session.facts.get("proxy_failed") != failed:
        workspace.session_for(session.path, {"proxy_failed": failed})
    sprite = thumbnails.thumbnails_path(workspace, session.id)
    if thumbnails.read(sprite) is None:
        report.progress("drawing thumbnails", 0.0)
        told = _counting("drawing thumbnails", video, report)
        thumbnails.make_thumbnails(video, sprite, told, report.cancelled)


def _find(video: Video, session: Session, workspace: Workspace, report: Report) -> dict[str, Any]:
    """Look at what nobody has looked at yet, and find the tricks."""
    settings = workspace.settings(session.id)
    looking = _counting("looking", video, report)
    report.progress("looking", 0.0)
    seen = sighting.look(
        session.path, workspace, settings.pose, settings.guardrails, lambda _, done: looking(done), report.cancelled
    )
    report.progress("finding tricks", 0.0)
    events, _ = pipeline.found(seen, workspace, settings)
    best = max(events, key=lambda event: event.confidence, default=None)
    shown = (best.start_frame + best.end_frame) // 2 if best else video.n_frames // 2
    thumbnails.poster(video, shown, thumbnails.poster_path(workspace, session.id))
    workspace.session_for(session.path, {"found": len(events)})
    return {"events": len(events)}


def _counting(step: str, video: Video, report: Report) -> Callable[[float], None]:
    return lambda done: report.progress(step, done, round(done * video.n_frames))
