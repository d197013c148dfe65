"""Footage that a browser sent: copies that lie in the workspace and belong to it.

Each lies under the name of its content. What it was called where it came from stands in the facts of its session: of
one file, or of all chapters that were joined. These chapters' copies are removed then, so what has become of each is
known by its content alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from pathlib import Path

from core import upload_waiting
from core.chapters import recording_of
from core.chapters.names import chapter_name
from core.content import content_id
from core.jobs import jobs
from core.records import Session
from core.workspace import Workspace

_FACT = "uploaded"
"""A list of ``[content id, name with ending]``, in the order of the chapters."""
_CONTENT = re.compile(r"[0-9a-f]{32}")


def upload_folder(workspace: Workspace) -> Path:
    """Where copies of what was sent lie, resolved; it need not be there."""
    return (workspace.home / "footage").resolve()


def was_uploaded(session: Session) -> bool:
    """Whether a browser sent its video, or the chapters that it was joined of."""
    return bool(_sent(session))


def awaited(workspace: Workspace, names: Mapping[str, str] | None = None) -> set[str]:
    """What the copies are called that are about to become sessions, of which nothing may be deleted: those that wait
    for a page, and those that a job adds.

    Args:
        names: as for :class:`Uploads`, of what is added just now; the job that does it awaits nothing.
    """
    adding = [job.arguments for job in jobs(workspace, active_only=True, kind="add", here_only=True)]
    sources = [source for one in adding if not names or one.get("names") != names for source in one["sources"]]
    return upload_waiting.files(workspace.home) | {Path(source).name for source in sources}


def remove_copies(workspace: Workspace, session: Session, names: Mapping[str, str] | None = None) -> None:
    """Delete the copies of the chapters that a session's video was joined of. One that is a session's video stays, and
    so does one that was sent anew and is awaited.

    Args:
        names: as for :func:`awaited`.
    """
    folder, kept = upload_folder(workspace), awaited(workspace, names)
    videos = {one.path for one in workspace.sessions()}
    for content, _ in _sent(session):
        for copy in folder.glob(f"{content}.*"):
            if copy not in videos and copy.name not in kept:
                copy.unlink(missing_ok=True)


class Uploads:
    """What was sent among the files that are to be added.

    Args:
        names: what to call sessions of it, by the path of the video: the file's name there without its ending.
    """

    def __init__(self, workspace: Workspace, names: Mapping[str, str]) -> None:
        self._workspace = workspace
        self._folder = upload_folder(workspace)
        self._names = dict(names)
        self._called = {Path(path): f"{name}{Path(path).suffix}" for path, name in names.items()}

    @property
    def names(self) -> dict[Path, str]:
        """What these and all earlier ones were called, by where they lie or lay."""
        earlier = {
            self._folder / f"{content}{Path(name).suffix.lower()}": name
            for session in self._sessions
            for content, name in _sent(session)
        }
        return {**earlier, **self._called}

    def include(self, chapters: Iterable[Path]) -> bool:
        """Whether all of these are copies of what was sent."""
        return all(path.resolve().parent == self._folder for path in chapters)

    def told(self, sentence: str) -> str:
        """A sentence with the names that the user knows."""
        for path, called in self._called.items():
            sentence = sentence.replace(path.name, called)
        return sentence

    def joined_before(self, chapters: Sequence[Path]) -> Session | None:
        """The session that has all of these among its chapters. They need not be there any more."""
        if not self.include(chapters):
            return None
        contents = {path.stem for path in chapters}
        found = {session.id for session, joined in self._joined if contents <= joined}
        # Asked anew: among hundreds of files a session may have been removed since the first, and its video with it.
        now = self._workspace.sessions() if found else []
        return next((session for session in now if session.id in found and session.path.exists()), None)

    def let_go(self, session: Session) -> None:
        """Delete the copies of the chapters that a session's video was joined of; see :func:`remove_copies`."""
        remove_copies(self._workspace, session, self._names)

    def keep_names(self, session: Session, chapters: Sequence[Path]) -> Session:
        """Note in a session's facts what its video was called when it was first sent, and let go of what was joined.

        Returns:
            The session as it is now.
        """
        kept = session
        if not was_uploaded(session):
            sent = [[content_id(path), self._called.get(path, path.name)] for path in chapters]
            kept = self._workspace.session_for(session.path, {_FACT: sent})
        if len(chapters) > 1:
            self.let_go(kept)
        return kept

    def apart(self, chapters: Sequence[Path]) -> str | None:
        """A sentence if these go on where an earlier session's video ends, or end where it begins."""
        first, last = (chapter_name(path, self._called) for path in (chapters[0], chapters[-1]))
        for name, step, path in ((first, -1, chapters[0]), (last, 1, chapters[-1])):
            found = name and self._ends.get((*name.series, str(name.number + step), str(step)))
            if name and found:
                session, called = found
                if len(recording_of(path, [session.path], {**self._called, session.path: called})) > 1:
                    return (
                        f"{self._called.get(path, path.name)} belongs to the same recording as {called}, which came "
                        f"before: it stays a session of its own beside {session.name}. To have one session, send all "
                        "chapters at once, and remove these."
                    )
        return None

    @cached_property
    def _sessions(self) -> list[Session]:
        return [session for session in self._workspace.sessions() if was_uploaded(session)]

    @cached_property
    def _joined(self) -> list[tuple[Session, set[str]]]:
        """The sessions of joined chapters, with the contents of these."""
        sent = [(session, {content for content, _ in _sent(session)}) for session in self._sessions]
        return [(session, contents) for session, contents in sent if session.id not in contents]

    @cached_property
    def _ends(self) -> dict[tuple[str, ...], tuple[Session, str]]:
        """The sessions by series and number of their last chapter (-1, what may go on after it) and of their first."""
        ends: dict[tuple[str, ...], tuple[Session, str]] = {}
        for session in self._sessions:
            sent = _sent(session)
            for (_, called), step in ((sent[-1], -1), (sent[0], 1)):
                name = chapter_name(session.path, {session.path: called})
                if name:
                    ends.setdefault((*name.series, str(name.number), str(step)), (session, called))
        return ends


def _sent(session: Session) -> list[tuple[str, str]]:
    """Content id and name of what was sent. What others have written into shared records names nothing else."""
    told = session.facts.get(_FACT)
    return [
        (one[0], one[1])
        for one in (told if isinstance(told, list) else ())
        if isinstance(one, list) and list(map(type, one)) == [str, str] and _CONTENT.fullmatch(one[0])
    ]
