"""Commands that find tricks in footage."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from core.cli.many import Out, batch_settings, run_many
from core.cli.shared import (
    Cluster,
    Json,
    Mode,
    Model,
    Pose,
    Stride,
    Threshold,
    Wandb,
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


def run(
    videos: Annotated[list[str], typer.Argument(metavar="VIDEO|FOLDER|URL...", show_default=False)],
    labels: Annotated[Path | None, typer.Option(help="True tricks in this video: train on them first.")] = None,
    model: Model = None,
    pose: Pose = "auto",
    weights: Weights = None,
    stride: Stride = 2,
    threshold: Threshold = None,
    mode: Mode = "exact",
    out: Out = "clips",
    cluster: Cluster = None,
    again: Annotated[
        bool, typer.Option("--again", help="Of many videos: do those, too, that were done before.")
    ] = False,
    drop_fetched: Annotated[
        bool,
        typer.Option(
            "--drop-fetched",
            help="Remove the copy of a video from a store when it has ended; else it stays, and the studio opens it.",
        ),
    ] = False,
    apart: Annotated[bool, typer.Option("--apart", help="Do not join the chapters of one recording.")] = False,
    wandb: Wandb = False,
    upload: WandbUpload = False,
    as_json: Json = False,
) -> None:
    """Find the tricks and cut them out. Without a model and labels the starter decides.

    Of a folder all videos are taken, also those in the folders inside it.
    """
    from core import pipeline
    from core.stores import is_url

    if labels and model:
        raise UserError("Give --labels to train on or a --model to use, not both.")
    settings = RunSettings(
        pose=pose_settings(pose, weights, stride), clips=ClipSettings(mode=mode), threshold=threshold
    )
    single = len(videos) == 1 and not Path(videos[0]).is_dir() and not is_url(videos[0])
    if labels and is_url(out):
        raise UserError("With --labels the clips are cut on this machine: give a folder as --out, and no address.")
    if not single and labels:
        raise UserError("--labels are those of one video: give one video, or train on several with trickline train.")
    if single and cluster is None and not is_url(out):
        video = Path(videos[0])
        detector, used = find_model(model)
        with open_workspace() as workspace, bar(video.name) as progress:
            asked = (video, workspace, settings, Path(out), labels, detector, progress)
            if wandb:
                from core.wandb_log import run_logged

                result, told = run_logged(*asked, used=used, upload=upload)
            else:
                result, told = pipeline.run(*asked), ""
        tell_result(result, told, as_json)
        return
    if labels:
        raise UserError("--labels are learnt from on this machine: leave out --cluster.")
    many = batch_settings(settings, model, out, again=again, drop_fetched=drop_fetched, wandb=wandb, upload=upload)
    run_many(videos, many, cluster, not apart, as_json)


def process(
    video: Path,
    out: Annotated[Path, typer.Option(help="Parquet file for the movement metrics.")],
    pose: Pose = "auto",
    weights: Weights = None,
    stride: Stride = 2,
    wandb: Wandb = False,
    upload: WandbUpload = False,
    as_json: Json = False,
) -> None:
    """Measure the skater's movements: one row per sampled frame that passed the guardrails."""
    from core import sighting
    from core.atomic import atomic_path, check_folder

    check_folder(out.parent)
    looking = pose_settings(pose, weights, stride)
    with open_workspace() as workspace, bar(video.name) as progress:
        if wandb:
            from core.wandb_log import look_logged

            seen, told = look_logged(video, workspace, looking, progress, upload=upload)
        else:
            seen, told = sighting.look(video, workspace, looking, progress=progress), ""
    say([told] if told else [])
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
    model: Annotated[
        str,
        typer.Option(metavar="PATH|NAME:ALIAS", help="A model that trickline train wrote, also one of W&B's."),
    ],
    threshold: Threshold = None,
    pose: Pose = "auto",
    weights: Weights = None,
    stride: Stride = 2,
    as_json: Json = False,
) -> None:
    """Find the tricks with a trained model, without cutting."""
    from core import pipeline

    settings = RunSettings(pose=pose_settings(pose, weights, stride), threshold=threshold)
    detector, _ = find_model(model)
    with open_workspace() as workspace, bar(video.name) as progress:
        result = pipeline.run(video, workspace, settings, None, model=detector, progress=progress)
    tell_result(result, "", as_json)
