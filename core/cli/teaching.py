"""Commands that train recognizers, judge them, and write more clips to train them on."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from core.cli.shared import Json, bar, open_workspace, say
from core.errors import UserError
from core.settings import Accelerator, Architecture, AugmentSettings, Balance, LearnSettings, Precision

if TYPE_CHECKING:
    from core.recognize.samples import ClipDataset

_DATA = "A folder of one folder a class, or the annotations of SpaceJam, Diving48 or Label Studio."
_USUAL = LearnSettings()


def _network(text: str, *names: str, **more: Any) -> Any:
    """An option that the light recognizer does not take."""
    return typer.Option(*names, help=text, rich_help_panel="Networks", **more)


Data = Annotated[Path, typer.Option(help=_DATA)]
Footage = Annotated[
    Path | None, typer.Option(metavar="DIR", help="Where the videos of an export of Label Studio lie, if elsewhere.")
]
MomentFrames = Annotated[
    int | None,
    typer.Option(
        min=1, metavar="N", help="Of an export of Label Studio: so many frames around the middle of a moment."
    ),
]
Model = Annotated[Path, typer.Option(help="A folder that trickline recognize train wrote, or a name of the shelf.")]


def train(
    context: typer.Context,
    out: Annotated[Path, typer.Option(help="Folder for the recognizer.")],
    data: Annotated[Path | None, typer.Option(help=_DATA)] = None,
    everything: Annotated[
        bool, typer.Option("--all", help="Learn from what was named in the workspace's sessions.")
    ] = False,
    with_none: Annotated[
        bool, typer.Option("--with-none", help='With --all: rejected finds are a class of their own, "none".')
    ] = False,
    footage: Footage = None,
    moment_frames: MomentFrames = None,
    drop_rare: Annotated[
        bool, typer.Option("--drop-rare", help="Leave classes out that have too few clips; --all does.")
    ] = False,
    arch: Annotated[
        Architecture, typer.Option(help="light learns in minutes and needs no weights; the others are networks.")
    ] = _USUAL.arch,
    weights: Annotated[
        str, _network("Where it begins: pretrained (fetched once), scratch, or a file.")
    ] = _USUAL.weights,
    epochs: Annotated[int, _network("Times that it sees all clips.", min=1)] = _USUAL.epochs,
    patience: Annotated[int, _network("Epochs without a better one that end it.", min=1)] = _USUAL.patience,
    batch: Annotated[int, _network("Clips at a time, on each device.", min=1)] = _USUAL.batch,
    lr: Annotated[float, _network("Step of AdamW.", min=1e-9, max=1.0)] = _USUAL.lr,
    frames: Annotated[
        int | None, _network("Frames of a moment that are looked at; else as published.", min=1, max=128)
    ] = _USUAL.frames,
    size: Annotated[
        int | None, _network("Side of the pictures in pixels; else as published.", min=16, max=1024)
    ] = _USUAL.size,
    frame_stride: Annotated[int, _network("Every n-th frame, of r2plus1d.", min=1, max=16)] = _USUAL.stride,
    balance: Annotated[
        Balance, _network("Rare classes weigh more, are drawn more often, or neither.")
    ] = _USUAL.balance,
    rare_below: Annotated[
        int, _network("Classes with fewer training clips get changed copies up to this; 0: none.", min=0)
    ] = _USUAL.augment.rare_below,
    rotate: Annotated[
        float, _network("Copies are turned by up to so many degrees.", min=0, max=45)
    ] = _USUAL.augment.rotate_deg,
    shift: Annotated[
        float, _network("Copies are shifted by up to this share of the picture.", min=0, max=0.5)
    ] = _USUAL.augment.shift,
    flip: Annotated[
        bool, _network("Mirror half of the clips: only where left and right mean the same.", "--flip")
    ] = _USUAL.augment.flip,
    colour: Annotated[
        float, _network("Brightness, contrast and saturation change by up to this share.", min=0, max=0.99)
    ] = _USUAL.augment.colour,
    precision: Annotated[Precision, _network("Of the arithmetic; auto suits the card.")] = _USUAL.precision,
    accelerator: Annotated[Accelerator, _network("What computes.")] = _USUAL.accelerator,
    devices: Annotated[str, _network("How many cards: auto, or a number.")] = str(_USUAL.devices),
    strategy: Annotated[str, _network("How cards share the work, as Lightning calls it: ddp.")] = _USUAL.strategy,
    seed: Annotated[int, typer.Option(min=0, max=2**32 - 1, help="Of everything random.")] = _USUAL.seed,
    as_json: Json = False,
) -> None:
    """Train a recognizer on named moments, and say how good it is on what it was not trained on."""
    if everything and (data or footage or moment_frames):
        raise UserError("--all learns from the workspace: leave out --data and what belongs to it, or leave out --all.")
    if not everything and not data:
        raise UserError("Give --data to learn from, or --all for what was named in the workspace.")
    if with_none and not everything:
        raise UserError("--with-none takes rejected finds out of the workspace: add --all, or leave it out.")
    if arch == "light":
        _refuse_for_light(context)
    settings = LearnSettings(
        arch=arch,
        drop_rare=drop_rare or everything,
        weights=weights,
        epochs=epochs,
        patience=patience,
        batch=batch,
        lr=lr,
        frames=frames,
        size=size,
        stride=frame_stride,
        balance=balance,
        augment=AugmentSettings(rare_below=rare_below, rotate_deg=rotate, shift=shift, flip=flip, colour=colour),
        precision=precision,
        accelerator=accelerator,
        devices=_devices(devices),
        strategy=strategy,
        seed=seed,
    )
    from core.recognize.datasets import read_dataset
    from core.recognize.datasets.folders import BY_FILE
    from core.recognize.learning import learn

    with open_workspace() as workspace:
        if data:
            dataset = read_dataset(data, footage=footage, moment_frames=moment_frames)
        else:
            dataset = _reviewed(workspace, with_none)
        say(note for note in dataset.notes if note != BY_FILE)  # which is told with the figures
        with bar(out.name) as progress:
            learnt = learn(dataset, out, workspace, settings, progress)
    if not learnt.leads:  # Lightning began this process, and the one that began all of them tells
        return
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
    footage: Footage = None,
    moment_frames: MomentFrames = None,
    report: Annotated[Path | None, typer.Option(help="A web page to write, .html, with the clips named wrong.")] = None,
    as_json: Json = False,
) -> None:
    """Let a recognizer name all moments of a data set, and compare."""
    from core.recognize import shelf
    from core.recognize.datasets import read_dataset
    from core.recognize.judging import judge

    if report:
        from core.report.page import check_target

        check_target(report)
    with open_workspace() as workspace, bar(data.name) as progress:
        folder = shelf.find(workspace, model)
        dataset = read_dataset(data, footage=footage, moment_frames=moment_frames)
        judged = judge(folder, dataset, workspace, progress)
    say(dataset.notes)
    if report:
        from core.recognize.report import write_report

        with bar(report.name) as progress:
            say(write_report(report, judged, folder / "history.csv", progress=progress))
        say([f"Report written to {report} ({report.stat().st_size / 1e6:.1f} MB)."])
    if as_json:
        typer.echo(json.dumps(judged.to_json(), allow_nan=False))
        return
    for line in judged.lines():
        typer.echo(line)


def augment(
    data: Data,
    out: Annotated[Path, typer.Option(help="Folder for the copies and their clips.csv.")],
    below: Annotated[
        int, typer.Option(min=1, help="Classes with fewer training clips get copies up to this number.")
    ] = _USUAL.augment.rare_below,
    rotate: Annotated[
        float, typer.Option(min=0, max=45, help="Copies are turned by up to so many degrees.")
    ] = _USUAL.augment.rotate_deg,
    shift: Annotated[
        float, typer.Option(min=0, max=0.5, help="Copies are shifted by up to this share of the picture.")
    ] = _USUAL.augment.shift,
    footage: Footage = None,
    moment_frames: MomentFrames = None,
    seed: Annotated[
        int, typer.Option(min=0, max=2**32 - 1, help="Of everything random; the training's tells what it trains on.")
    ] = _USUAL.seed,
) -> None:
    """Write turned and shifted copies of rare training clips, for looking at or for other programs.

    Networks make such copies as they are trained, and need none of these.
    """
    from core.recognize.augment import augment_dataset
    from core.recognize.datasets import read_dataset

    dataset = read_dataset(data, footage=footage, moment_frames=moment_frames)
    say(dataset.notes)
    settings = AugmentSettings(rare_below=below, rotate_deg=rotate, shift=shift)
    with bar(out.name) as progress:
        copies, notes = augment_dataset(dataset, out, settings, seed, progress)
    say(notes)
    if not copies:
        typer.echo(f"No class has fewer than {below} clips to train on: nothing was written.")
        return
    typer.echo(f"{len(copies)} {'copy' if len(copies) == 1 else 'copies'} written to {out}")


def _refuse_for_light(context: typer.Context) -> None:
    """An option that would be passed over is refused."""
    of_networks = {
        option.name: option.opts[0]
        for option in context.command.params
        if option.name and getattr(option, "rich_help_panel", None) == "Networks"
    }
    given = [
        option
        for name, option in of_networks.items()
        if (source := context.get_parameter_source(name)) is not None and source.name != "DEFAULT"
    ]
    if given:
        raise UserError(
            f"Only networks take {' and '.join(given)}: leave it out for the light recognizer, or choose a network "
            "with --arch."
        )


def _devices(text: str) -> Any:
    if text == _USUAL.devices:
        return text
    if not text.isdecimal() or not 0 < int(text) <= 1024:
        raise UserError(f"{text[:20]!r} is no number of devices: choose auto, or 1 or more.")
    return int(text)


def _reviewed(workspace: Any, with_none: bool) -> ClipDataset:
    from core.recognize.datasets.reviewed import NONE, read_reviewed

    sessions = [session.id for session in workspace.sessions()]
    return read_reviewed(workspace, sessions, NONE if with_none else None)
