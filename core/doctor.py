"""What is installed, which parts work, what is missing and how to get it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version

import numpy as np

from core.errors import UserError
from core.workspace import Workspace


@dataclass(frozen=True)
class Check:
    """One part of Trickline on this machine."""

    name: str
    works: bool
    optional: bool
    note: str
    """What there is, or how to get it."""


def examine(workspace: Workspace) -> list[Check]:
    """Try every part for real; nothing is installed or changed."""
    from core.pose import backends, yolo
    from core.recognize import outlines

    weights = backends.find_weights(workspace.home / "weights")
    parts: list[tuple[str, bool, Callable[[], str]]] = [
        ("video (PyAV)", False, lambda: _imported("av")),
        ("OpenCV", False, lambda: _imported("cv2")),
        ("FFmpeg", False, _ffmpeg),
        ("MoveNet", False, lambda: _movenet(workspace)),
        ("OpenVINO", True, lambda: _imported("openvino")),
        ("Ultralytics", True, lambda: _installed("ultralytics", "requirements.txt")),
        ("YOLO weights", True, lambda: _yolo_weights(str(weights) if weights else None)),
        ("hardware H.264", True, _hardware),
        ("networks (Lightning)", True, lambda: _installed("pytorch-lightning", "requirements.txt")),
        ("SAM 2 weights", True, lambda: f"{outlines.find_weights(workspace.home / 'weights')} (Apache-2.0)"),
        ("CUDA", True, lambda: _cuda(yolo.cuda_available())),
        ("studio (Streamlit)", True, lambda: _installed("streamlit", "requirements-light.txt")),
        ("W&B", True, lambda: _installed("wandb", "requirements-light.txt")),
    ]
    return [*(_check(*part) for part in parts), Check("workspace", True, False, str(workspace.home))]


def _check(name: str, optional: bool, attempt: Callable[[], str]) -> Check:
    try:
        return Check(name, True, optional, attempt())
    except (UserError, ImportError, OSError, RuntimeError) as error:
        return Check(name, False, optional, str(error))


def _imported(module: str) -> str:
    return str(import_module(module).__version__)


def _installed(package: str, requirements: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError as error:
        raise UserError(f"pip install -r {requirements} brings it") from error


def _ffmpeg() -> str:
    from core.ffmpeg import executable

    return executable()


def _hardware() -> str:
    from core.encoders import hardware

    found = hardware()
    if found is None:
        raise UserError("no encoder of a graphics chip works here: x264 encodes")
    return found


def _movenet(workspace: Workspace) -> str:
    from core.pose.movenet import MoveNet

    estimator = MoveNet(workspace.home / "weights")
    estimator.estimate(np.zeros((192, 320, 3), np.uint8))
    return f"{estimator.name} (weights Apache-2.0)"


def _yolo_weights(found: str | None) -> str:
    if found is None:
        raise UserError("trickline models get yolov8n-pose fetches some (AGPL-3.0)")
    return f"{found} (AGPL-3.0)"


def _cuda(available: bool) -> str:
    if not available:
        raise UserError("no card that torch can use: networks run on the processor")
    return "torch sees a card"
