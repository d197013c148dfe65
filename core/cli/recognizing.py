"""The command that lets a recognizer name moments, beside those that make recognizers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from core.cli.diving import dive
from core.cli.shared import Json, Pose, Weights, bar, open_workspace, pose_settings, say
from core.cli.shelving import keep, list_recognizers
from core.cli.teaching import Model, augment, evaluate, train
from core.errors import UserError

if TYPE_CHECKING:
    from core.recognize.naming import DrawnBox

_VIDEO = "video"


class VideoOrCommand(TyperGroup):
    """``recognize VIDEO`` names a video, ``recognize train`` trains: what is no command is a video."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Put the name of the hidden command before a video."""
        if args and args[0] not in {*self.commands, "-h", "--help"}:
            args = [_VIDEO, *args]
        return super().parse_args(ctx, args)


def recognize(
    context: typer.Context,
    video: Path,
    model: Model,
    players: Annotated[
        bool, typer.Option("--players", help="Name what everybody in the video does, window by window.")
    ] = False,
    box: Annotated[
        str | None,
        typer.Option(metavar="FRAME,X1,Y1,X2,Y2", help="Only the player in this box, 0..1 of the picture."),
    ] = None,
    events: Annotated[
        Path | None,
        typer.Option(help="Moments to name: what run --json printed, or any label file; else they are found first."),
    ] = None,
    window: Annotated[
        int, typer.Option(min=2, max=1000, metavar="FRAMES", help="With --players: frames of a window.")
    ] = 16,
    stride: Annotated[int, typer.Option(min=1, help="With --players: frames from one window to the next.")] = 8,
    out: Annotated[
        Path | None, typer.Option(help="With --players: folder for the annotated video and the table.")
    ] = None,
    pose: Pose = "auto",
    weights: Weights = None,
    as_json: Json = False,
) -> None:
    """Name the tricks in a video, or with --players what each player does."""
    from core.recognize import naming, shelf
    from core.recognize.loading import open_recognizer

    if players and events:
        raise UserError("Give --events to name, or --players for everybody's windows, not both.")
    given = ("out", "box", "window", "stride")
    needless = [f"--{name}" for name in given if (s := context.get_parameter_source(name)) and s.name != "DEFAULT"]
    if needless and not players:
        raise UserError(f"Only --players takes {' and '.join(needless)}: add it, or leave them out.")
    drawn = _drawn(box) if box else None
    looking = pose_settings(pose, weights, naming.SAMPLE_STRIDE)
    with open_workspace() as workspace, bar(video.name) as progress:
        recognizer = open_recognizer(shelf.find(workspace, str(model)), workspace)
        named: naming.NamedPlayers | naming.NamedEvents
        if players:
            named = naming.name_players(
                video, recognizer, workspace, looking, stride, out, progress, drawn=drawn, window=window
            )
        else:
            named = naming.name_events(video, recognizer, workspace, looking, events, progress)
    if as_json:
        typer.echo(json.dumps(named.to_json(), allow_nan=False))
        return
    if isinstance(named, naming.NamedPlayers):
        say(named.notes)
    for line in named.lines():
        typer.echo(line)


def _drawn(text: str) -> DrawnBox:
    from core.recognize.naming import DrawnBox

    try:
        frame, x1, y1, x2, y2 = text.split(",")
        return DrawnBox(int(frame), (float(x1), float(y1), float(x2), float(y2)))
    except ValueError as error:
        raise UserError(
            f"{text[:60]!r} is no box: give a frame and two corners, such as 120,0.3,0.2,0.5,0.9."
        ) from error


app = typer.Typer(
    cls=VideoOrCommand,
    help="Name the tricks in a video: recognize VIDEO --model M. Or train and judge what names them.",
    no_args_is_help=True,
)
app.command(_VIDEO)(recognize)
app.command()(train)
app.command()(evaluate)
app.command()(augment)
app.command()(dive)
app.command()(keep)
app.command("list")(list_recognizers)
