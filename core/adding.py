"""Footage becomes sessions: one video, or all that lies in folders, each once and by its content.

    >>> added = add_footage(workspace, [Path("/media/card/DCIM")])           # doctest: +SKIP
    >>> len(added.sessions), len(added.known), added.failed                  # doctest: +SKIP
    (212, 3, ['GX010042.MP4 is empty (0 bytes): copy it again from the camera.'])

One bad file stops nothing, and what is there already is found again by its content, without opening it: asked a second
time, or begun again after a kill, it goes on where it was.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from core import sighting, thumbnails
from core.chapters import NotJoined, join_chapters
from core.content import content_id
from core.database import DatabaseAway
from core.errors import Cancelled, UserError
from core.ffmpeg import Progress, StopWish
from core.footage_folder import entries_below, is_video
from core.gathering import gather
from core.job_report import write_job
from core.jobs import Job, jobs
from core.labels.sidecars import sidecar
from core.labels_beside import keep_beside, labels_beside
from core.records import Session
from core.uploaded import Uploads
from core.video import Video
from core.workspace import Workspace

_ASIDE = "put aside"
_MOST_JOBS = 20
_MOST_ENTRIES = 20_000
"""Entries of folders that are looked at to count videos: a tenth of a second of it."""


@dataclass(frozen=True)
class AddedVideo:
    """What became of one video."""

    session: Session
    known: bool
    """Whether it was there before."""
    labels: int = 0
    """How many intervals beside it became its labels."""
    note: str | None = None
    """A sentence on labels beside it that are no good."""


@dataclass
class Added:
    """What became of all."""

    sessions: list[str] = field(default_factory=list)
    """Ids of new sessions, in the order of the footage."""
    known: list[str] = field(default_factory=list)
    """Ids of sessions that were there before."""
    labelled: int = 0
    """How many of all got labels that lay beside them."""
    failed: list[str] = field(default_factory=list)
    """A sentence on each recording that could not be added."""
    notes: list[str] = field(default_factory=list)
    """Sentences on what is odd: copies, missing chapters, labels beside that are no good."""

    def to_json(self) -> dict[str, Any]:
        """As a job's result has it."""
        return asdict(self)


def add_video(workspace: Workspace, path: Path, name: str | None = None, beside: Path | None = None) -> AddedVideo:
    """Make a session of a video, with its facts, a poster and the labels that lie beside it.

    One that is known keeps its name and whatever else is known of it; what it lacks of these is added.

    Args:
        name: what to call it if it is new; None takes the name of the file.
        beside: the file that labels may lie beside; None takes the video itself.

    Raises:
        UserError: it cannot be read as a video; then there is no session of it.
    """
    source = beside or path
    poster = thumbnails.poster_path(workspace, content_id(path))
    video = None
    if not poster.exists():
        video = Video.open(path)
        thumbnails.poster(video, video.n_frames // 2, poster)
    session = workspace.session_for(path)
    known = bool(session.facts)
    if not known:
        video = video or Video.open(path)
        session = workspace.session_for(path, sighting.video_facts(video), name)
    if workspace.labels(session.id) is not None or sidecar(source) is None:
        return AddedVideo(session, known)
    try:
        labels = labels_beside(source, video or Video.open(path))
    except UserError as error:
        return AddedVideo(session, known, note=str(error))
    kept = labels is not None and keep_beside(workspace, session.id, labels)
    return AddedVideo(session, known, len(labels.intervals) if labels and kept else 0)


def add_footage(
    workspace: Workspace,
    sources: Sequence[Path],
    progress: Progress | None = None,
    cancelled: StopWish | None = None,
    names: Mapping[str, str] | None = None,
    each: Callable[[Session], None] | None = None,
) -> Added:
    """Make sessions of all videos in ``sources``; chapters of a camera are joined to one, in the folder ``joined``.

    Where that fails they are added one by one, and the notes say why. Copies that a browser sent (see
    :mod:`core.uploaded`) are chapters by what they were called there, and are deleted once they are joined.

    Args:
        sources: files, and folders, which are searched to the bottom.
        progress: told the share of all that is done, 0 to 1.
        names: what to call new sessions, by the path of the video; others take the names of their files.
        each: told every session, new or known, as soon as it is there.

    Raises:
        UserError: there is no video at all, or a folder cannot be searched.
        Cancelled: ``cancelled`` said so; what was added stays. Uploads are added all the same, but not joined: nobody
            would find them in the workspace.
    """
    outcome, uploads = Added(), Uploads(workspace, names or {})
    there, stopped = [], False
    for source in sources:
        if os.path.exists(source):
            there.append(source)
        elif session := uploads.joined_before([source]):
            outcome.known += [session.id] if session.id not in outcome.known else []
        else:
            outcome.failed.append(uploads.told(f"There is no file {source}; check the path."))
    if not there:
        return outcome
    footage, notes = gather(there, without=[workspace.home], names=uploads.names)
    outcome.notes = [uploads.told(note) for note in notes]
    for number, one in enumerate(footage):
        chapters = [Path(source) for source in one.sources]
        uploaded = uploads.include(chapters)
        if cancelled and cancelled() and not uploaded:
            raise Cancelled
        if progress:
            progress(number / len(footage))
        if session := uploads.joined_before(chapters):
            uploads.let_go(session)
            outcome.known += [session.id] if session.id not in outcome.known else []
            if each:
                each(session)
            continue
        parts = [_Part((chapter,), chapter, (names or {}).get(str(chapter))) for chapter in chapters]
        try:
            parts = [_joined(workspace, parts, _within(progress, number, len(footage)), cancelled)]
        except NotJoined as error:
            outcome.notes.append(uploads.told(f"{error} The chapters of this recording are added one by one."))
        except Cancelled:
            if not uploaded:
                raise
            stopped = True
        for part in parts:
            try:
                session = _add(workspace, part, uploads if uploaded else None, outcome)
            except DatabaseAway:
                raise  # the job is begun again once it answers
            except UserError as error:
                outcome.failed.append(uploads.told(str(error)))
                continue
            if each:
                each(session)
    if progress:
        progress(1.0)
    if stopped:
        raise Cancelled
    return outcome


def adding_jobs(workspace: Workspace) -> list[Job]:
    """The jobs of this folder that add footage, the oldest first, without those that were put aside."""
    found = jobs(workspace, limit=_MOST_JOBS, kind="add", here_only=True)
    return [job for job in found[::-1] if not (job.result or {}).get(_ASIDE)]


def put_aside(workspace: Workspace, job: Job) -> None:
    """The outcome of a job that added footage was read: it is not to be shown any more, on no page."""
    write_job(workspace, job.id, result={**(job.result or {}), _ASIDE: True})


def count_videos(folder: Path) -> int | None:
    """How many video files lie in a folder and those in it, as :func:`add_footage` would take them.

    Returns:
        None if there is too much in it to count at once.
    """
    count = 0
    try:
        for seen, entry in enumerate(entries_below(folder)):
            if seen >= _MOST_ENTRIES:
                return None
            count += is_video(entry)
    except OSError:
        return 0  # adding it says why
    return count


@dataclass(frozen=True)
class _Part:
    """What becomes one session."""

    chapters: tuple[Path, ...]
    """The first of them is what labels may lie beside."""
    path: Path
    """The video that they are, or were joined to."""
    name: str | None = None
    """What to call it if it is new; None takes the name of the file."""


def _joined(workspace: Workspace, parts: list[_Part], progress: Progress, cancelled: StopWish | None) -> _Part:
    """The chapters of a recording as one. Raises NotJoined or Cancelled."""
    if len(parts) == 1:
        return parts[0]
    chapters = tuple(part.path for part in parts)
    path = join_chapters(chapters, workspace.home / "joined", progress, cancelled)
    return _Part(chapters, path, parts[0].name or chapters[0].stem)


def _add(workspace: Workspace, part: _Part, uploads: Uploads | None, outcome: Added) -> Session:
    """Make a session, and say in ``outcome`` what became of it. Raises UserError if it cannot be read."""
    video = add_video(workspace, part.path, part.name, part.chapters[0])
    session = video.session
    outcome.notes += [video.note] if video.note else []
    if uploads:
        apart = None if video.known else uploads.apart(part.chapters)
        outcome.notes += [apart] if apart else []
        session = uploads.keep_names(session, part.chapters)
    (outcome.known if video.known else outcome.sessions).append(session.id)
    outcome.labelled += bool(video.labels)
    return session


def _within(progress: Progress | None, number: int, count: int) -> Progress:
    """Tells how much of one of several is done as a share of all."""
    return (lambda share: progress((number + share) / count)) if progress else (lambda _: None)
