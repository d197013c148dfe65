"""Sessions as the upload page handles them: added, started, renamed, removed, and how their videos are."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

import streamlit as st

from core import jobs
from core.adding import Added, add_footage, add_video
from core.errors import UserError
from core.health import Finding, health
from core.records import Session
from core.settings import PoseSettings
from core.uploaded import awaited, remove_copies, upload_folder, was_uploaded
from core.video import Video
from pages.widgets.footage import seen
from pages.widgets.media import open_workspace
from pages.widgets.plain_text import count, escaped
from pages.widgets.session_bar import choose_session

_TOLD = "sessions_told"


def add(path: Path, name: str | None = None) -> Session:
    """Make a session of a video and let every page show it, see :func:`core.adding.add_video`; labels that lay beside
    it are told by :func:`tell`.

    Raises:
        UserError: it cannot be read as a video.
    """
    added = add_video(open_workspace(), path, name)
    told = st.session_state.setdefault(_TOLD, [])
    if added.labels:
        told.append(f"Labels found beside {path.name}: {count(added.labels, 'trick')}.")
    if added.note:
        told.append(added.note)
    choose_session(added.session.id)
    return added.session


def add_uploads(names: Mapping[Path, str]) -> Added:
    """Make sessions of what the browser sent while the page waits, and let every page show the last of them.

    Args:
        names: what to call them, by their paths.

    Raises:
        UserError: the records are away.
    """
    added = add_footage(open_workspace(), list(names), names={str(path): name for path, name in names.items()})
    for session_id in (*added.known, *added.sessions)[-1:]:
        choose_session(session_id)
    return added


def add_in_background(sources: Iterable[Path], find: bool = False, names: Mapping[str, str] | None = None) -> None:
    """Queue the making of sessions from files and folders; see :func:`core.tasks.add`."""
    plain = {"sources": [str(source.absolute()) for source in sources], "find": find, "names": dict(names or {})}
    jobs.submit(open_workspace(), "add", plain)


def tell() -> None:
    """Say what there is to be said of videos that were added before the page was drawn anew."""
    for sentence in st.session_state.pop(_TOLD, []):
        st.toast(escaped(sentence), icon=":material/label:", duration="long")


def find_tricks(session_ids: Iterable[str]) -> None:
    """Queue the search, one session after the other."""
    jobs.submit_all(open_workspace(), "process", [{"session": session_id} for session_id in session_ids])


def rename(session_id: str, key: str) -> None:
    """Take the name from the widget ``key``; an empty one is not taken."""
    name = " ".join(str(st.session_state[key]).split())
    if name:
        open_workspace().rename_session(session_id, name)


def remove(session: Session) -> None:
    """Stop its jobs, forget it and all that was made of it; a video that was uploaded or joined goes too, unless it was
    sent anew and is to become a session again, by itself or as a chapter."""
    workspace = open_workspace()
    for job in jobs.jobs(workspace, session.id, active_only=True):
        jobs.cancel(workspace, job.id)
    workspace.remove_session(session.id)
    if is_uploaded(session) or is_joined(session):
        if session.path.name not in awaited(workspace):
            session.path.unlink(missing_ok=True)
        remove_copies(workspace, session)


def is_uploaded(session: Session) -> bool:
    """Whether its video lies in the workspace, because a browser sent it or the chapters that it was joined of."""
    sent = session.path.parent == upload_folder(open_workspace())
    return sent or (is_joined(session) and was_uploaded(session))


def is_joined(session: Session) -> bool:
    """Whether its video lies in the workspace, because it was joined of a camera's chapters."""
    return session.path.parent == (open_workspace().home / "joined").resolve()


def pose_settings(session_id: str) -> PoseSettings:
    """How people are found in this session."""
    return open_workspace().settings(session_id).pose


def save_pose(session_id: str, backend: str, weights: str, stride: int) -> None:
    """Keep the knobs of a session. MoveNet takes no weights, so theirs are kept only for YOLO."""
    workspace = open_workspace()
    chosen = PoseSettings.model_validate(
        {
            "backend": backend,
            "weights": None if backend == "movenet" else weights.strip().strip("\"'") or None,
            "sample_stride": stride,
        }
    )
    settings = workspace.settings(session_id)
    workspace.save_settings(session_id, settings.model_copy(update={"pose": chosen}), settings)


def findings(session: Session) -> tuple[Finding, ...]:
    """The health of a session's video, with what was seen in it once that is known.

    Raises:
        UserError: the video is not where it was.
    """
    modified = session.path.stat().st_mtime if session.path.exists() else 0.0
    made = _findings(session.id, str(session.path), modified, session.facts.get("looked"), session)
    failed = session.facts.get("proxy_failed")
    return (*made, Finding("warning", failed)) if failed else made


@st.cache_data(max_entries=200, show_spinner=False)
def _findings(
    session_id: str, path: str, modified: float, looked: dict[str, object] | None, _session: Session
) -> tuple[Finding, ...]:
    try:
        look = seen(_session)
    except UserError:
        look = None  # its tables are gone or damaged: the video itself can still be judged
    return health(look.video if look else Video.open(path), look)
