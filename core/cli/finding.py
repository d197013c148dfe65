"""Commands that find tricks in footage."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from core.cli.shared import (
    Json,
    Mode,
    Pose,
    Stride,
    Threshold,
    Weights,
    bar,
    open_workspace,
    pose_settings,
    print_result,
    say,
)
from core.errors import UserError
from core.settings import ClipSettings, RunSettings


def run(
    videos: Annotated[list[Path], typer.Argument(metavar="VIDEO...", show_default=False)],
    labels: Annotated[Path | None, typer.Option(help="True tricks in this video: train on them first.")] = None,
    model: Annotated[Path | None, typer.Option(help="A model that trickline train wrote.")] = None,
    pose: Pose = "auto",
    weights: Weights = None,
    stride: Stride = 2,
    threshold: Threshold = None,
    mode: Mode = "exact",
    out: Annotated[Path, typer.Option(help="Folder for the clips.")] = Path("clips"),
    as_json: Json = False,
) -> None:
    """Find the tricks and cut them out. Without a model and labels the starter decides."""
    from core import pipeline

    if labels and model:
        raise UserError("Give --labels to train on or a --model to use, not both.")
    if labels and len(videos) > 1:
        raise UserError("--labels are those of one video: give one video, or train on several with trickline train.")
    settings = RunSettings(
        pose=pose_settings(pose, weights, stride), clips=ClipSettings(mode=mode), threshold=threshold
    )
    failed = False
    with open_workspace() as workspace:
        for video in videos:
            try:
                with bar(video.name) as progress:
                    result = pipeline.run(video, workspace, settings, out, labels, model, progress)
            except UserError as error:
                # One bad file stops nothing.
                typer.echo(f"trickline: {error}", err=True)
                failed = True
                continue
            say(result.warnings)
            if as_json:
                typer.echo(json.dumps(result.to_json(), allow_nan=False))
            else:
                print_result(result)
    if failed:
        raise typer.Exit(2)


def process(
    video: Path,
    out: Annotated[Path, typer.Option(help="Parquet file for the movement metrics.")],
    pose: Pose = "auto",
    weights: Weights = None,
    stride: Stride = 2,
    as_json: Json = False,
) -> None:
    """Measure the skater's movements: one row per sampled frame that passed the guardrails."""
    from core import pipeline
    from core.atomic import atomic_path, check_folder

    check_folder(out.parent)
    with open_workspace() as workspace, bar(video.name) as progress:
        seen = pipeline.look(video, workspace, pose_settings(pose, weights, stride), progress=progress)
    metrics = seen.signals.movement_metrics
    with atomic_path(out) as temporary:
        metrics.to_parquet(temporary)
    counts = {"out": str(out), "sampled": seen.camera.n, "rows": len(metrics), "rejected": seen.signals.rejections}
    if as_json:
        typer.echo(json.dumps(counts))
    else:
        rejected = ", ".join(
            f"{count} {reason.replace('_', ' ')}" for reason, count in seen.signals.rejections.items() if count
        )
        typer.echo(f"{len(metrics)} of {seen.camera.n} frames usable ({rejected or 'none rejected'}), written to {out}")


def detect(
    video: Path,
    model: Annotated[Path, typer.Option(help="A model that trickline train wrote.")],
    threshold: Threshold = None,
    pose: Pose = "auto",
    weights: Weights = None,
    stride: Stride = 2,
    as_json: Json = False,
) -> None:
    """Find the tricks with a trained model, without cutting."""
    from core import pipeline

    settings = RunSettings(pose=pose_settings(pose, weights, stride), threshold=threshold)
    with open_workspace() as workspace, bar(video.name) as progress:
        result = pipeline.run(video, workspace, settings, None, model=model, progress=progress)
    say(result.warnings)
    if as_json:
        typer.echo(json.dumps(result.to_json(), allow_nan=False))
    else:
        print_result(result)
