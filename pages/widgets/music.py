"""Sound files for reels, kept in the workspace's folder ``music`` under names made of their content."""

from __future__ import annotations

from hashlib import blake2b
from pathlib import Path

from core import jobs
from core.atomic import atomic_path
from core.errors import UserError
from core.reel.sound import check_music
from core.workspace import Workspace
from pages.widgets import review

SUFFIXES = ("mp3", "m4a", "aac", "wav", "flac", "ogg", "opus")
MOST_MB = 100


def keep(workspace: Workspace, name: str, content: bytes) -> Path:
    """Keep a sound file; the same one is kept once.

    Args:
        name: what the user calls it. Its ending says what it is; nothing else of it goes into the path.

    Raises:
        UserError: it has no sound that can be read, or cannot be written.
    """
    suffix = Path(name).suffix.lower().removeprefix(".")
    unknown = UserError(f"{name[:80]} cannot be played as music: choose another file ({', '.join(SUFFIXES)}).")
    if suffix not in SUFFIXES:
        raise unknown
    path = workspace.home / "music" / f"{blake2b(content, digest_size=16).hexdigest()}.{suffix}"
    if path.is_file():
        return path
    with atomic_path(path) as temporary:
        temporary.write_bytes(content)
        try:
            check_music(str(temporary))
        except UserError as error:
            raise unknown from error
    return path


def remove(workspace: Workspace, session_id: str) -> None:
    """No music for this session's reel any more; the file goes once no reel has it, made or to be made."""
    kept = workspace.settings(session_id).reel.music
    review.save(workspace, session_id, "reel", music=None)
    if kept is None or Path(kept).parent != workspace.home / "music":
        return
    if not any(workspace.settings(session.id).reel.music == kept for session in workspace.sessions()) and not any(
        kept in str(job.arguments) for job in jobs.jobs(workspace) if job.kind == "export" and job.state != "done"
    ):
        Path(kept).unlink(missing_ok=True)
