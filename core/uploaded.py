"""Footage that a browser sent: copies that lie in the workspace and belong to it.

Each lies under the name of its content. What it was called where it came from stands in the facts of its session: of
one file, or of all chapters that were joined. These chapters' copies are removed then, so what has become of each is
known by its content alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from pathlib import Path

from core.chapters import recording_of
from core.chapters.names import chapter_name
from core.content import content_id
from core.records import Session
from core.workspace import Workspace

_FACT = "uploaded"
"""A list of ``[content id, name with ending]``, in the order of the chapters."""


def upload_folder(workspace: Workspace) -> Path:
    """Where copies of what was sent lie, resolved; it need not be there."""
    return (workspace.home / "footage").resolve()


def was_uploaded(session: Session) -> bool:
    """Whether a browser sent its video, or the chapters that it was joined of."""
    return bool(session.facts.get(_FACT))


def remove_copies(workspace: Workspace, session: Session) -> None:
    """Delete the copies of the chapters that a session's video was joined of. One that is a session's video stays."""
    folder, videos = upload_folder(workspace), {one.path for one in workspace.sessions()}
    for content, _ in session.facts.get(_FACT, ()):
        for copy in folder.glob(f"{content}.*"):
            if copy not in videos:
                copy.unlink(missing_ok=True)


class Uploads:
    """What was sent among the files that are to be added.

    Args:
        names: what to call sessions of it, by the path of the video: the file's name there without its ending.
    """

    def __init__(self, workspace: Workspace, names: Mapping[str, str]) -> None:
        self._workspace = workspace
        self._folder = upload_folder(workspace)
        self._called = {Path(path): f"{name}{Path(path).suffix}" for path, name in names.items()}

    @property
    def names(self) -> dict[Path, str]:
        """What these and all earlier ones were called, by where they lie or lay."""
        earlier = {
            self._folder / f"{content}{Path(name).suffix.lower()}": name
            for session in self._sessions
            for content, name in session.facts[_FACT]
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
        return next((session for session, joined in self._joined if contents <= joined), None)

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
            remove_copies(self._workspace, kept)
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
        sent = [(session, {content for content, _ in session.facts[_FACT]}) for session in self._sessions]
        return [
            (session, contents) for session, contents in sent if session.id not in contents and session.path.exists()
        ]

    @cached_property
    def _ends(self) -> dict[tuple[str, ...], tuple[Session, str]]:
        """The sessions by series and number of their last chapter (-1, what may go on after it) and of their first."""
        ends: dict[tuple[str, ...], tuple[Session, str]] = {}
        for session in self._sessions:
            for (_, called), step in ((session.facts[_FACT][-1], -1), (session.facts[_FACT][0], 1)):
                name = chapter_name(session.path, {session.path: called})
                if name:
                    ends.setdefault((*name.series, str(name.number), str(step)), (session, called))
        return ends
