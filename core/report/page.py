"""A report as one web page that needs nothing else: no network, no other file, hardly a script."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

from core.atomic import atomic_path, check_folder
from core.errors import UserError
from core.timecode import clock

HERE = Path(__file__).parent
HOVER = HERE / "hover.js"
"""Plays clips under the mouse."""


def check_target(path: Path) -> None:
    """Learn before the work that no report can be written to ``path``. Nothing is made.

    Raises:
        UserError: the name is none for a web page, a folder has it, or its folder cannot be written to.
    """
    if path.suffix.lower() not in (".html", ".htm"):
        raise UserError(f"{path.name} is not a name for a web page: let it end in .html.")
    if path.is_dir():
        raise UserError(f"{path} is a folder: choose another name for the report.")
    check_folder(path.parent)


def render(template: Path, scripts: Sequence[Path] = (HOVER,), **values: Any) -> str:
    """Fill a template in that extends ``base.html``.

    Whatever a value holds is text on the page, and the page may run just these scripts and fetch nothing at all.

    Args:
        template: in its own folder, or in this one, are the files that it includes.
        scripts: run one after the other.
    """
    from jinja2 import Environment, FileSystemLoader, StrictUndefined
    from markupsafe import Markup

    environment = Environment(
        autoescape=True,
        loader=FileSystemLoader([template.parent, HERE]),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["clock"] = clock
    script = "\n".join(path.read_text(encoding="utf-8") for path in scripts)
    return environment.get_template(template.name).render(
        **values,
        script=Markup(script),
        script_hash=b64encode(sha256(script.encode()).digest()).decode(),
    )


def write_page(path: Path, text: str) -> None:
    """Replace ``path`` by the page.

    Raises:
        UserError: it cannot be written, or the disk is full.
    """
    with atomic_path(path) as temporary:
        # The name of a file may hold bytes that are no text.
        temporary.write_text(text, encoding="utf-8", errors="replace", newline="\n")
