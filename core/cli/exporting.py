"""The command that makes clips, reels, pictures and lists."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from core.cli.shared import Json, Mode, bar, open_workspace, print_files, say
from core.errors import UserError
from core.framing import Aspect
from core.settings import (
    DEFAULT_NAME,
    EXPORT_KINDS,
    LONGEST_TITLE,
    ClipSettings,
    Encoder,
    ExportSettings,
    FramingSettings,
    ReelOrder,
    ReelPreset,
    ReelSettings,
    Transition,
)
from core.timecode import clock

if TYPE_CHECKING:
    from core.clips import ClipPlan
    from core.video import Video

_REEL = "Reel"
"""Heading of its options in the help."""


def export(
    video: Path,
    events: Annotated[Path, typer.Option(help="What run --json or detect --json printed, or any label file.")],
    out: Annotated[Path, typer.Option(help="Folder for the files.")] = Path("clips"),
    mode: Mode = "exact",
    aspect: Annotated[
        Aspect,
        typer.Option(help="Shape of clips and posters; all but source follow the skater."),
    ] = "source",
    formats: Annotated[str, typer.Option(help=f"With commas: {', '.join(EXPORT_KINDS)}.")] = "clips",
    padding: Annotated[float, typer.Option(min=0, metavar="S", help="Seconds shown before and after.")] = 2.0,
    merge_gap: Annotated[
        float, typer.Option(min=0, metavar="S", help="Tricks at most so many seconds apart share a clip.")
    ] = 6.0,
    name: Annotated[
        str, typer.Option(metavar="TEMPLATE", help="Of the clips; it may hold {session}, {index}, {label}, {start}.")
    ] = DEFAULT_NAME,
    encoder: Annotated[
        Encoder, typer.Option(help="Who encodes exact clips; hardware where there is one that works.")
    ] = "software",
    preset: Annotated[
        ReelPreset, typer.Option(help="Shape and longest length of the reel.", rich_help_panel=_REEL)
    ] = "instagram",
    order: Annotated[ReelOrder, typer.Option(help="Of its tricks.", rich_help_panel=_REEL)] = "time",
    length: Annotated[
        float | None, typer.Option(min=1, metavar="S", help="About so long.", rich_help_panel=_REEL)
    ] = None,
    title: Annotated[str, typer.Option(help="On a card before the first trick.", rich_help_panel=_REEL)] = "",
    transition: Annotated[Transition, typer.Option(help="Between its tricks.", rich_help_panel=_REEL)] = "cut",
    captions: Annotated[bool, typer.Option(help="Name and number of each trick.", rich_help_panel=_REEL)] = True,
    replay: Annotated[bool, typer.Option(help="Each trick again, slowed down.", rich_help_panel=_REEL)] = True,
    music: Annotated[Path | None, typer.Option(help="A sound file that plays beneath.", rich_help_panel=_REEL)] = None,
    as_json: Json = False,
) -> None:
    """Cut the clips of known events, and make a reel, pictures and lists for video editors of them."""
    from core import pipeline
    from core.content import content_id
    from core.export import check
    from core.export import export as write
    from core.video import Video

    if len(title) > LONGEST_TITLE:
        raise UserError(f"The title has {len(title)} letters: shorten it to {LONGEST_TITLE}.")
    settings = ExportSettings.model_validate(
        {
            "kinds": tuple(kind.strip() for kind in formats.split(",") if kind.strip()),
            "name": name,
            "clips": ClipSettings(mode=mode, clip_padding_s=padding, merge_gap_s=merge_gap, encoder=encoder),
            "framing": FramingSettings(aspect=aspect),
            "reel": ReelSettings(
                preset=preset,
                order=order,
                target_s=length,
                title=title,
                captions=captions,
                transition=transition,
                replay=replay,
                music=str(music.absolute()) if music else None,
            ),
        }
    )
    opened = Video.open(video)
    wanted = pipeline.labels_for(events, opened, may_be_empty=True)
    plans, _ = check(opened, wanted, out.absolute(), settings)
    if mode == "fast" and "clips" in settings.kinds and not as_json:
        say(early_starts(opened, plans))
    with open_workspace() as workspace, bar(video.name) as progress:
        looking = settings.wants_skater() and bool(wanted)
        skater = pipeline.find_skater(opened, workspace, progress, looking=looking)
        telling = (lambda share: progress("exporting", share)) if progress else None
        done = write(opened, content_id(opened.path), wanted, out, settings, skater, progress=telling)
    if as_json:
        typer.echo(json.dumps(done.to_json(), allow_nan=False))
        return
    say(done.notes)
    print_files(done)


def early_starts(video: Video, plans: Sequence[ClipPlan]) -> Iterator[str]:
    """Where copies will begin, before they are cut: a sentence on each that begins early."""
    from core.clips import fast_start

    for number, plan in enumerate(plans, start=1):
        _, start_s = fast_start(video, plan)
        early_s = plan.start_s - start_s
        if early_s > 0.001:
            yield (
                f"Clip {number} ({plan.label}) will begin at {clock(start_s)}, {early_s:.2f} s early: at the keyframe "
                f"before {clock(plan.start_s)}."
            )
