"""What is fetched from W&B: a model by ``name:alias``, and the footage that an automation speaks of.

What others logged is believed nothing: names of files are taken only if they are plain, a model is opened by
:meth:`core.detector.TrickDetector.load` alone, which runs nothing in it, and a reference to another place is not
followed, except to a video on this machine whose content is what the artifact says.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from hashlib import blake2b
from pathlib import Path
from typing import Any
from urllib.parse import urlparse
from urllib.request import url2pathname

from core.atomic import make_folder
from core.errors import UserError
from core.footage_folder import VIDEO_TYPES
from core.wandb_log.payload import is_artifact_name
from core.wandb_log.run_log import FOOTAGE_TYPE, MODEL_TYPE
from core.wandb_log.service import api, download, faults, files_of, project, read_dotenv, unreachable
from core.workspace import Workspace

MODEL_SUFFIXES = (".skops", ".npz")
_LARGEST_MODEL = 2 << 30
_LONGEST_NAME = 200
"""Bytes."""
_ODD = frozenset('\\:*?"<>|')
"""What names of files may not hold on every system."""
_FETCHING = ".fetching-"
_ABANDONED_S = 3600.0
"""What was not written to for so long has nobody any more who fetches it."""


def resolve_model(text: str, workspace: Workspace) -> tuple[Path, list[str]]:
    """The bundle that ``--model`` means: a file, or the artifact ``name:alias`` or ``entity/project/name:alias``.

    Returns:
        Its path, and the full names of the artifacts that it comes from, for :meth:`RunLog.use`.

    Raises:
        UserError: as :func:`pull_model`. A file that is not there is for whoever opens it to say.
    """
    if Path(text).exists() or not is_artifact_name(text):
        return Path(text), []
    return pull_model(text, workspace.home / "pulled")


def pull_model(name: str, folder: Path) -> tuple[Path, list[str]]:
    """Fetch a model's bundle into ``folder``.

    Returns:
        Its path and its full name with the version.

    Raises:
        UserError: there is none of this name, it holds no bundle or a pickle, is too large, or W&B cannot be reached.
    """
    artifact = _artifact(name, MODEL_TYPE)
    files = list(files_of(artifact).values())
    bundles = [entry for entry in files if entry.ref is None and Path(entry.path).suffix in MODEL_SUFFIXES]
    if len(bundles) != 1:
        pickled = any(Path(entry.path).suffix in {".pkl", ".joblib", ".pickle"} for entry in files)
        why = "a pickle, which could run anything and is never opened" if pickled else "no bundle of trickline train"
        raise UserError(f"{name} holds {why}: log a model with trickline train --wandb.")
    if (bundles[0].size or 0) > _LARGEST_MODEL:
        raise UserError(f"{name} has {bundles[0].size / 1e9:.1f} GB, which no model has: choose another.")
    return _fetched(bundles[0], artifact, folder), [artifact.source_qualified_name]


def pull_footage(name: str, folder: Path, max_bytes: int) -> tuple[list[Path], list[str]]:
    """The videos in an artifact of raw footage: fetched into ``folder``, or where they lie on this machine if it holds
    references.

    Raises:
        UserError: there is none of this name, it holds no video, it is larger than ``max_bytes``, its references lead
            elsewhere, or W&B cannot be reached.
    """
    artifact = _artifact(name, FOOTAGE_TYPE)
    entries = [e for e in files_of(artifact).values() if Path(e.path).suffix.lower() in VIDEO_TYPES]
    if not entries:
        raise UserError(f"{name} holds no video: log footage to it.")
    size = sum(entry.size or 0 for entry in entries if entry.ref is None)
    if size > max_bytes:
        raise UserError(f"{name} has {size / 1e9:.1f} GB, more than is fetched: raise --max-gb.")
    there = [_lying(entry, name) if entry.ref else _fetched(entry, artifact, folder) for entry in entries]
    return there, [artifact.source_qualified_name]


def _artifact(name: str, kind: str) -> Any:
    if not is_artifact_name(name):
        raise UserError(f"{name[:80]!r} is no artifact: write name:alias or entity/project/name:alias.")
    read_dotenv()
    client = api()
    try:
        entity = os.environ.get("WANDB_ENTITY") or client.default_entity
        full = name if "/" in name else f"{entity}/{project()}/{name}"
        found = client.artifact(full, type=kind)
        files_of(found)  # fetched here, where what W&B raises is caught
    except faults() as error:
        raise unreachable(error) from error
    return found


def _fetched(entry: Any, artifact: Any, folder: Path) -> Path:
    """Into a folder of this file's own, whole or not at all. What is there already is not fetched again: a version
    never changes."""
    key = "\n".join((artifact.source_qualified_name, entry.path, entry.digest))
    kept = folder / blake2b(key.encode(), digest_size=8).hexdigest() / _plain_name(entry.path)
    if kept.is_file() and kept.stat().st_size == entry.size:
        return kept
    make_folder(kept.parent)
    _clear_abandoned(folder)
    room = shutil.disk_usage(kept.parent).free
    if (entry.size or 0) > room:
        raise UserError(f"There is no room for {kept.name} ({entry.size / 1e9:.1f} GB) in {folder}: free some space.")
    with tempfile.TemporaryDirectory(prefix=_FETCHING, dir=kept.parent) as temporary:
        try:
            got = download(artifact, entry, Path(temporary))
            size = got.stat().st_size
            if size == entry.size:
                os.replace(got, kept)
                return kept
        except faults() as error:
            raise unreachable(error) from error
    raise UserError(f"{kept.name} came with {size} bytes, and its artifact says {entry.size}: log it again.")


def _clear_abandoned(folder: Path) -> None:
    """Remove what killed processes left of gigabytes."""
    for left in folder.glob(f"*/{_FETCHING}*"):
        try:
            newest = max(path.stat().st_mtime for path in (left, *left.rglob("*")))
        except OSError:
            continue  # its owner has just moved it away
        if time.time() - newest > _ABANDONED_S:
            shutil.rmtree(left, ignore_errors=True)


def _lying(entry: Any, name: str) -> Path:
    url = urlparse(str(entry.ref))
    path = Path(url2pathname(url.path))
    elsewhere = url.scheme != "file" or url.netloc not in {"", "localhost"} or path.suffix.lower() not in VIDEO_TYPES
    if elsewhere or not path.is_file() or path.stat().st_size != entry.size or _md5(path) != entry.digest:
        raise UserError(f"The footage of {name} is not on this machine: log it with --wandb-upload.")
    return path


def _md5(path: Path) -> str:
    """As W&B has it of what a reference leads to. Of another file nobody shall get clips who knows its path alone."""
    from wandb.sdk.lib.hashutil import md5_file_b64

    return str(md5_file_b64(str(path)))


def _plain_name(path: str) -> str:
    name = path.rsplit("/", 1)[-1]
    plain = name.isprintable() and not name.startswith(".") and not _ODD & set(name)
    if not (plain and 0 < len(name.encode()) <= _LONGEST_NAME):
        raise UserError(f"The artifact holds a file with an odd name ({path[:60]!r}): rename it and log it again.")
    return name
