"""Commands that train recognizers and let them name moments."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from core.cli.shared import Json, Pose, Weights, bar, open_workspace, pose_settings, say
from core.errors import UserError
from core.settings import Architecture, LearnSettings

if TYPE_CHECKING:
    from core.recognize.naming import DrawnBox

Data = Annotated[
    Path,
    typer.Option(help="A folder of one folder a class, or the annotations of SpaceJam, Diving48 or Label Studio."),
]
_VIDEO = "video"
Model = Annotated[Path, typer.Option(help="A folder that trickline recognize train wrote.")]


class VideoOrCommand(TyperGroup):
    """``recognize VIDEO`` names a video, ``recognize train`` trains: what is no command is a video."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Put the name of the hidden command before a video."""
        if args and args[0] not in {*self.commands, "-h", "--help"}:
            args = [_VIDEO, *args]
        return super().parse_args(ctx, args)


def recognize(
    video: Path,
    model: Model,
    players: Annotated[
        bool, typer.Option("--players", help="Name what everybody in the video does, 16 frames at a time.")
    ] = False,
    box: Annotated[
        str | None,
        typer.Option(metavar="FRAME,X1,Y1,X2,Y2", help="Only the player in this box, 0..1 of the picture."),
    ] = None,
    events: Annotated[
        Path | None,
        typer.Option(help="Moments to name: what run --json printed, or any label file; else they are found first."),
    ] = None,
    stride: Annotated[int, typer.Option(min=1, help="Frames from one window to the next.")] = 8,
    out: Annotated[
        Path | None, typer.Option(help="With --players: folder for the annotated video and the table.")
    ] = None,
    pose: Pose = "auto",
    weights: Weights = None,
    as_json: Json = False,
) -> None:
    """Name the tricks in a video, or with --players what each player does."""
    from core.recognize import naming
    from core.recognize.loading import open_recognizer

    if players and events:
        raise UserError("Give --events to name, or --players for everybody's windows, not both.")
    if (out or box) and not players:
        raise UserError("--out and --box go with --players: add it, or leave them out.")
    drawn = _drawn(box) if box else None
    looking = pose_settings(pose, weights, naming.SAMPLE_STRIDE)
    with open_workspace() as workspace, bar(video.name) as progress:
        recognizer = open_recognizer(model, workspace)
        named: naming.NamedPlayers | naming.NamedEvents
        if players:
            named = naming.name_players(video, recognizer, workspace, looking, stride, out, progress, drawn=drawn)
        else:
            named = naming.name_events(video, recognizer, workspace, looking, events, progress)
    if as_json:
        typer.echo(json.dumps(named.to_json(), allow_nan=False))
        return
    for line in named.lines():
        typer.echo(line)


def train(
    data: Data,
    out: Annotated[Path, typer.Option(help="Folder for the recognizer.")],
    arch: Annotated[
        Architecture, typer.Option(help="light learns in minutes and needs no weights; the others are networks.")
    ] = "light",
    epochs: Annotated[int, typer.Option(min=1, help="Of a network.")] = 30,
    batch: Annotated[int, typer.Option(min=1, help="Clips at a time, of a network.")] = 8,
    weights: Annotated[
        str, typer.Option(help="Of a network: pretrained (fetched once), scratch, or a file.")
    ] = "pretrained",
    seed: Annotated[int, typer.Option(help="Of everything random.")] = 42,
    as_json: Json = False,
) -> None:
    """Train a recognizer on named moments, and say how good it is on what it was not trained on."""
    from core.recognize.datasets import read_dataset
    from core.recognize.learning import learn

    settings = LearnSettings(arch=arch, epochs=epochs, batch=batch, weights=weights, seed=seed)
    dataset = read_dataset(data)
    say(dataset.notes)
    with open_workspace() as workspace, bar(out.name) as progress:
        learnt = learn(dataset, out, workspace, settings, progress)
    judged = learnt.judged
    if as_json:
        figures = judged.to_json() if judged else None
        typer.echo(json.dumps({"model": str(out), "evaluation": figures, "notes": list(learnt.notes)}, allow_nan=False))
        return
    say(learnt.notes)
    for line in judged.lines() if judged else ():
        typer.echo(line)
    typer.echo(f"Recognizer written to {out}")


def evaluate(
    model: Model,
    data: Data,
    report: Annotated[Path | None, typer.Option(help="A web page to write, .html, with the clips named wrong.")] = None,
    as_json: Json = False,
) -> None:
    """Let a recognizer name all moments of a data set, and compare."""
    from core.recognize.datasets import read_dataset
    from core.recognize.learning import judge

    if report:
        from core.report.page import check_target

        check_target(report)
    dataset = read_dataset(data)
    with open_workspace() as workspace, bar(data.name) as progress:
        judged = judge(model, dataset, workspace, progress)
    say(dataset.notes)
    if report:
        from core.recognize.report import write_report

        with bar(report.name) as progress:
            say(write_report(report, judged, model / "history.csv", progress=progress))
        say([f"Report written to {report} ({report.stat().st_size / 1e6:.1f} MB)."])
    if as_json:
        typer.echo(json.dumps(judged.to_json(), allow_nan=False))
        return
    for line in judged.lines():
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
