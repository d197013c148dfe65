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
    end: Annotated[int | None, typer.Option(min=0, metavar="FRAME", help="Last frame; else the video's.")] = None,
    background: Annotated[str, typer.Option(help="blur, transparent, or a colour as #RRGGBB.")] = "#000000",
    weights: Annotated[
        Path | None, typer.Option(help="Of SAM 2 (Meta, Apache-2.0), run by Ultralytics (AGPL-3.0).")
    ] = None,
) -> None:
    """Outline persons with SAM 2, from a click on each, and cut away everything else."""
    from core.clips import ClipPlan
    from core.intervals import Interval
    from core.recognize.masks import cut_out
    from core.recognize.outlines import find_weights, outlined
    from core.video import Video

    clicks = [_click(text) for text in click]
    opened = Video.open(video)
    last = opened.n_frames - 1 if end is None else end
    with open_workspace() as workspace, bar(video.name) as progress:
        found = find_weights(workspace.home / "weights", weights)
        outlining = (lambda done: progress("outlining", done)) if progress else None
        layer = outlined(opened, workspace, clicks, last, found, outlining)
        first = clicks[0].frame
        moment = Interval(first, last)
        plan = ClipPlan(first, last, float(opened.pts_s[first]), opened.end_of(last), (moment,))
        cut_out(opened, plan, layer, out, background, (lambda done: progress("cutting", done)) if progress else None)
    typer.echo(f"  {out}")


def _click(text: str) -> Click:
    from core.recognize.outlines import Click

    try:
        frame, x, y = text.split(",")
        return Click(int(frame), float(x), float(y))
    except ValueError as error:
        raise UserError(f"{text[:40]!r} is no click: give a frame and a point, such as 120,0.42,0.6.") from error
