"""The command that a webhook calls when new footage arrives."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from core.cli.shared import (
    Json,
    Mode,
    Model,
    Pose,
    Stride,
    Threshold,
    WandbUpload,
    Weights,
    bar,
    find_model,
    open_workspace,
    pose_settings,
    say,
    tell_result,
)
from core.errors import UserError
from core.settings import ClipSettings, RunSettings


def automation(
    payload: Annotated[
        Path | None,
        typer.Option(help="The webhook's JSON object, which names an artifact; else stdin is read."),
    ] = None,
    footage: Annotated[
        str | None,
        typer.Option(metavar="PATH|URL", help="A video here or on the web, instead of a payload."),
    ] = None,
    model: Model = None,
    pose: Pose = "auto",
    weights: Weights = None,
    stride: Stride = 2,
    threshold: Threshold = None,
    mode: Mode = "exact",
    out: Annotated[Path, typer.Option(help="Folder for the clips.")] = Path("highlights"),
    max_gb: Annotated[float, typer.Option(min=0.001, metavar="GB", help="Largest footage that is fetched.")] = 50.0,
    wandb: Annotated[
        bool | None,
        typer.Option(
            "--wandb/--no-wandb",
            help="Log the run and its highlights to W&B; else so it is where the payload names an artifact.",
            show_default=False,
        ),
    ] = None,
    upload: WandbUpload = False,
    as_json: Json = False,
) -> None:
    """Find the tricks in footage that has just arrived and cut them out: what a W&B automation or a webhook calls."""
    from core import pipeline
    from core.atomic import check_folder

    if payload and footage:
        raise UserError("Give a --payload or --footage, not both.")
    name = None if footage else _artifact(payload)
    check_folder(out)
    settings = RunSettings(
        pose=pose_settings(pose, weights, stride), clips=ClipSettings(mode=mode), threshold=threshold
    )
    logs = name is not None if wandb is None else wandb
    detector, used = find_model(model)
    with open_workspace() as workspace:
        pulled, largest = workspace.home / "pulled", int(max_gb * 1e9)
        if name:
            from core.wandb_log import pull_footage

            videos, source = pull_footage(name, pulled, largest)
        else:
            videos, source = [_there(str(footage), pulled, largest)], []
        failed = False
        for video in videos:
            try:
                with bar(video.name) as progress:
                    asked = (video, workspace, settings, out, None, detector, progress)
                    if logs:
                        from core.wandb_log import run_logged

                        result, told = run_logged(
                            *asked, job_type="automation", used=used, source=source, upload=upload
                        )
                    else:
                        result, told = pipeline.run(*asked), ""
            except UserError as error:
                if len(videos) == 1:
                    raise
                failed = True
                say([str(error)])
            else:
                tell_result(result, told, as_json)
    if failed:
        raise typer.Exit(2)


def _artifact(payload: Path | None) -> str:
    """The name of the artifact that the webhook speaks of."""
    from core.content import reading
    from core.wandb_log.payload import MAX_BYTES, artifact_of

    if payload:
        with reading(payload) as file:
            return artifact_of(file.read(MAX_BYTES + 1))
    if sys.stdin is None or sys.stdin.isatty():  # a service may have none
        raise UserError("Nothing says where the footage is: give --footage or --payload, or send JSON on stdin.")
    return artifact_of(sys.stdin.buffer.read(MAX_BYTES + 1))


def _there(footage: str, folder: Path, max_bytes: int) -> Path:
    """The video as a file of this machine."""
    from core.stores import fetch, is_url

    if not is_url(footage):
        return Path(footage)
    with bar("footage") as progress:
        fetching = (lambda done: progress("fetching", done)) if progress else None
        return fetch(footage, folder, fetching, max_bytes=max_bytes)
