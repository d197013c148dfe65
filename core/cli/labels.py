"""The command that turns labels into another format."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from core.cli.shared import say


def convert(
    source: Annotated[Path, typer.Argument(metavar="IN", show_default=False)],
    target: Annotated[Path, typer.Argument(metavar="OUT", show_default=False)],
    video: Annotated[Path | None, typer.Option(help="Their video: adds times, and what CVAT wants to know.")] = None,
) -> None:
    """Turn labels into another format: CVAT XML, Label Studio JSON (.ls.json), LosslessCut (.llc), CSV or events JSON.
    IN is recognised by its content, OUT by its ending."""
    import dataclasses

    from core.labels import read_labels, write_labels
    from core.labels.label_set import check_within
    from core.video import Video

    opened = Video.open(video) if video else None
    pts_s = opened.pts_s if opened else None
    labels = read_labels(source, pts_s, video)
    say(labels.warnings)
    if opened:
        check_within(labels, opened.n_frames, source.name)
        info = opened.info
        labels = dataclasses.replace(
            labels,
            n_frames=opened.n_frames,
            width=info.width,
            height=info.height,
            fps=info.average_rate,
            name=opened.path.name,
        )
    write_labels(target, labels, pts_s)
    say([f"{len(labels.intervals)} intervals written to {target}"])
