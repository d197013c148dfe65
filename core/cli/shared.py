"""What several commands share: options, the workspace, the progress bar, and how things are said."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from core.settings import CutMode, PoseBackend, PoseSettings
from core.timecode import clock

Pose = Annotated[PoseBackend, typer.Option(help="Who finds the people; auto takes YOLO if its weights are there.")]
Weights = Annotated[
    Path | None,
    typer.Option(help="YOLO-pose weights: .pt, .onnx or an OpenVINO folder (Ultralytics' own are AGPL-3.0)."),
]
Stride = Annotated[int, typer.Option(min=1, help="Look at every n-th frame.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON on stdout.")]
Mode = Annotated[CutMode, typer.Option(help="exact encodes anew; fast copies and starts at the keyframe before.")]
Threshold = Annotated[float | None, typer.Option(min=0, max=1, help="Probability from which on it is a trick.")]
Cluster = Annotated[
    str | None,
    typer.Option(
        metavar="auto|HOST:PORT", envvar="TRICKLINE_CLUSTER", help="Ray cluster that does the work; else this machine."
    ),
]
Model = Annotated[
    str | None,
    typer.Option(
        metavar="PATH|NAME:ALIAS",
        help="A model that trickline train wrote, also one of W&B's; without one the starter decides.",
    ),
]
Wandb = Annotated[bool, typer.Option("--wandb", help="Log what is done to Weights & Biases.")]
WandbUpload = Annotated[
    bool, typer.Option("--wandb-upload", help="With W&B: upload the footage too, instead of a reference to it.")
]


def pose_settings(backend: PoseBackend, weights: Path | None, stride: int) -> PoseSettings:
    """The settings that the three options make."""
    return PoseSettings(backend=backend, weights=str(weights.absolute()) if weights else None, sample_stride=stride)


def absolute(path: Path | None) -> str | None:
    """A path as it can be named anywhere."""
    return str(path.expanduser().absolute()) if path else None


def find_model(model: str | None) -> tuple[Path | None, list[str]]:
    """The bundle that ``--model`` means, and the full names of the W&B artifacts that it comes from.

    Raises:
        UserError: it cannot be had from W&B.
    """
    if model is None or ":" not in model:
        return Path(model) if model else None, []
    from core.wandb_log import resolve_model

    with open_workspace() as workspace:
        return resolve_model(model, workspace)


@contextmanager
def open_workspace() -> Iterator[Any]:
    """The workspace of this machine, closed at the end."""
    from core.workspace import Workspace

    with Workspace.open() as workspace:
        yield workspace


@contextmanager
def bar(name: str) -> Iterator[Any]:
    """A progress bar on a terminal, nothing in a pipe."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f} %"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as live:
        tasks: dict[str, Any] = {}

        def update(step: str, done: float) -> None:
            if step not in tasks:
                tasks[step] = live.add_task(f"{name}: {step}", total=1.0)
            live.update(tasks[step], completed=done)

        yield update


def say(sentences: Any) -> None:
    """Tell the user, apart from the results."""
    for sentence in sentences:
        typer.echo(f"trickline: {sentence}", err=True)


def print_result(result: Any) -> None:
    """What a run found and cut, in lines."""
    video = result.look.video
    count = f"{len(result.events)} trick{'' if len(result.events) == 1 else 's'}"
    typer.echo(f"{video.path.name}: {count} in {video.info.duration_s:.1f} s of footage")
    for event in result.events:
        start, end = video.pts_s[event.start_frame], video.pts_s[event.end_frame]
        frames = f"frames {event.start_frame}-{event.end_frame}"
        typer.echo(f"  {clock(start)} - {clock(end)}  {frames:20} {event.label:10} {event.confidence:.2f}")
    if result.exported:
        print_files(result.exported)


def tell_result(result: Any, logged: str, as_json: bool) -> None:
    """What a run found and cut, on stdout; its warnings and where W&B shows it, if anywhere, on stderr."""
    say([*result.warnings, *([logged] if logged else [])])
    if as_json:
        typer.echo(json.dumps(result.to_json(), allow_nan=False))
    else:
        print_result(result)


def print_files(exported: Any) -> None:
    """What an export wrote, a line each."""
    for file in exported.files:
        lead = file.wanted_start_s - file.start_s
        note = f"  (starts {lead:.2f} s early, at the keyframe)" if lead > 0.001 else ""
        typer.echo(f"  {exported.out / file.name}  {clock(file.start_s)} - {clock(file.end_s)}{note}")
