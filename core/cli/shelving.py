"""Commands for the recognizers that the studio keeps."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from core.cli.shared import Json, open_workspace, say
from core.errors import UserError

if TYPE_CHECKING:
    from core.recognize.shelf import Shelved


def keep(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A folder that trickline recognize train wrote.")],
    name: Annotated[str | None, typer.Option(help="What to call it; else as the folder is called.")] = None,
) -> None:
    """Put a copy of a recognizer on the studio's shelf, where its pages and --model find it by its name."""
    from core.recognize import shelf

    with open_workspace() as workspace:
        kept = shelf.add(workspace, folder, name or folder.absolute().name)
    typer.echo(f"Kept as {kept.name!r}, {kept.id}: {', '.join(kept.classes)}")


def list_recognizers(as_json: Json = False) -> None:
    """List the recognizers on the studio's shelf, the newest first."""
    from core.recognize import shelf

    with open_workspace() as workspace:
        shelved = shelf.recognizers(workspace)
    if as_json:
        typer.echo(json.dumps([_told(one) for one in shelved], allow_nan=False))
        return
    if not shelved:
        typer.echo("No recognizer yet: train one in the studio, or add one with trickline recognize keep DIR.")
    for one in shelved:
        right = _accuracy(one)
        told = "" if right is None else f", {right:.0%} named right"
        typer.echo(f"{one.id}  {one.name}  ({one.architecture}, {len(one.classes)} names{told}, {shelf.when(one)})")


def _accuracy(one: Shelved) -> float | None:
    """On what it was not trained on; None where that is not known."""
    try:
        judged = one.judged()
    except UserError as error:
        say([str(error)])
        return None
    return judged.evaluation.accuracy if judged else None


def _told(one: Shelved) -> dict[str, object]:
    return {
        "id": one.id,
        "name": one.name,
        "folder": str(one.folder),
        "architecture": one.architecture,
        "classes": list(one.classes),
        "accuracy": _accuracy(one),
        "added_at": one.added_at.isoformat(),
    }
