"""The command that cuts the background out of a clip."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from core.cli.shared import bar, open_workspace
from core.errors import UserError

if TYPE_CHECKING:
    from core.recognize.outlines import Click


def cutout(
    video: Path,
    click: Annotated[
        list[str],
        typer.Option(metavar="FRAME,X,Y", help="A point on somebody, X and Y in 0..1 of the picture; repeat for more."),
    ],
    out: Annotated[Path, typer.Option(help="An .mp4, or a .webm for a transparent background.")],
    exclude: Annotated[
        list[str] | None,
        typer.Option(metavar="FRAME,X,Y", help="A point on what does not belong to them; repeat for more."),
    ] = None,
    start: Annotated[int | None, typer.Option(min=0, metavar="FRAME", help="First frame; else the clicks'.")] = None,
    end: Annotated[int | None, typer.Option(min=0, metavar="FRAME", help="Last frame; else the video's.")] = None,
    background: Annotated[str, typer.Option(help="blur, transparent, or a colour as #RRGGBB.")] = "#000000",
    weights: Annotated[
        Path | None, typer.Option(help="Of SAM 2 (Meta, Apache-2.0), run by Ultralytics (AGPL-3.0).")
    ] = None,
) -> None:
    """Outline persons with SAM 2, from a click on each, and cut away everything else."""
    from core.recognize.outlines import cut_out_clicked, ready
    from core.video import Video

    clicks = [_click(text, True) for text in click] + [_click(text, False) for text in exclude or ()]
    with open_workspace() as workspace, bar(video.name) as progress:
        found = ready(workspace.home / "weights", weights)
        opened = Video.open(video)
        first = clicks[0].frame if start is None else start
        span = first, opened.n_frames - 1 if end is None else end
        cut_out_clicked(opened, workspace, clicks, span, found, out, background, progress)
    typer.echo(f"  {out}")


def _click(text: str, inside: bool) -> Click:
    from core.recognize.outlines import Click

    try:
        frame, x, y = text.split(",")
        return Click(int(frame), float(x), float(y), inside)
    except ValueError as error:
        raise UserError(f"{text[:40]!r} is no click: give a frame and a point, such as 120,0.42,0.6.") from error
