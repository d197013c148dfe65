"""Commands about this machine: what it can do, and doing the studio's jobs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from core.cli.shared import Json, Pose, Stride, Weights, open_workspace, pose_settings, say


def bench(video: Path, pose: Pose = "auto", weights: Weights = None, stride: Stride = 2, as_json: Json = False) -> None:
    """Measure how long looking at a video takes on this machine, nothing kept and nothing taken from before."""
    from core.benchmark import measure

    figures = measure(video, pose_settings(pose, weights, stride))
    if as_json:
        typer.echo(json.dumps(figures))
    else:
        for name, value in figures.items():
            typer.echo(f"{name:24} {value}")


def worker(once: Annotated[bool, typer.Option("--once", help="End when no job is left.")] = False) -> None:
    """Do the jobs that the app has queued, until Ctrl-C. The app starts a worker by itself; there is one at a time."""
    import math

    from core.worker import work

    with open_workspace() as workspace:
        work(workspace, idle_s=0.0 if once else math.inf)


def doctor() -> None:
    """Say what is installed, which parts work, and how to get what is missing."""
    from core.doctor import examine

    with open_workspace() as workspace:
        checks = examine(workspace)
    for check in checks:
        typer.echo(
            f"{'ok     ' if check.works else 'missing' if check.optional else 'BROKEN '} {check.name:22} {check.note}"
        )
    if any(not check.works and not check.optional for check in checks):
        raise typer.Exit(1)


def models_get(
    name: Annotated[str, typer.Argument(help="Such as yolov8n-pose, yolo11n-pose or yolo26n-pose.")],
) -> None:
    """Fetch YOLO-pose weights through Ultralytics. They are AGPL-3.0."""
    from core.pose import yolo

    with open_workspace() as workspace:
        weights = yolo.fetch(name, workspace.home / "weights")
    say([f"{name}: weights by Ultralytics, licence {yolo.LICENCE}."])
    typer.echo(str(weights))
