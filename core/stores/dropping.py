"""Copies of footage that are removed when it was gone through, and what is remembered of them."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Iterable
from hashlib import blake2b
from pathlib import Path

from core.atomic import atomic_path
from core.stores.addresses import without_login
from core.stores.fetching import copy_path

log = logging.getLogger(__name__)


def drop_copies(copies: Iterable[str | Path]) -> None:
    """Remove copies that :func:`core.stores.fetch` made. One that cannot be removed is told in the log."""
    for copy in copies:
        try:
            Path(copy).unlink(missing_ok=True)
        except OSError as error:
            log.warning("The copy %s cannot be removed: %s", copy, error.strerror)


def note_dropped(url: str, copy: Path, content: str) -> None:
    """Remember, beside the copy that is about to go, which content this version of the object has.

    Args:
        copy: where :func:`core.stores.fetch` put it; its name tells the version.
        content: id of its content.
    """
    with atomic_path(_note(url, copy.parent)) as temporary:
        temporary.write_text(json.dumps({"copy": copy.name, "content": content}) + "\n", "utf-8")


def dropped_content(url: str, folder: Path) -> str | None:
    """The id of the content of an object whose copy in ``folder`` was dropped, by one question to the store; None if
    that is not known, the object has changed since, or a copy is there again.

    Raises:
        UserError: as :func:`core.stores.copy_path`, where something is known of the address.
    """
    try:
        noted = json.loads(_note(url, folder).read_bytes())
        name, content = str(noted["copy"]), str(noted["content"])
    except (OSError, ValueError, LookupError, TypeError):
        return None
    copy = copy_path(url, folder)
    return content if copy.name == name and not copy.exists() and re.fullmatch("[0-9a-f]{32}", content) else None


def _note(url: str, folder: Path) -> Path:
    return folder / f"{blake2b(without_login(url).encode(), digest_size=16).hexdigest()}.json"
