"""Which pose backend looks at the footage."""

from __future__ import annotations

from pathlib import Path

from core.pose import PoseEstimator
from core.pose.movenet import MoveNet
from core.settings import PoseSettings


def choose(settings: PoseSettings, models: Path) -> PoseEstimator:
    """The estimator that ``settings`` ask for; ``auto`` takes YOLO if its weights are there, else MoveNet.

    Args:
        models: the workspace's folder of models, where fetched weights lie and exports are kept.

    Raises:
        UserError: what was asked for is missing.
    """
    from core.pose import yolo

    weights = Path(settings.weights) if settings.weights else find_weights(models)
    if settings.backend == "movenet" or (settings.backend == "auto" and weights is None):
        return MoveNet(models)
    return yolo.load(weights or models / "yolov8n-pose.pt", models, settings.yolo_long_side)


def find_weights(models: Path) -> Path | None:
    """YOLO-pose weights in the models folder: an export before a ``.pt``, else None."""
    for pattern in ("yolo*-pose*_openvino_model", "yolo*-pose*.onnx", "yolo*-pose*.pt"):
        for path in sorted(models.glob(pattern)):
            return path
    return None
