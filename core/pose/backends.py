"""Which pose backend looks at the footage."""

from __future__ import annotations

from pathlib import Path

from core.errors import UserError
from core.pose import PoseEstimator
from core.pose.movenet import MoveNet
from core.settings import PoseSettings


def choose(settings: PoseSettings, weights_folder: Path) -> PoseEstimator:
    """The estimator that ``settings`` ask for; ``auto`` takes YOLO if its weights are there, else MoveNet.

    Args:
        weights_folder: the workspace's folder of weights, where fetched ones lie and exports are kept.

    Raises:
        UserError: what was asked for is missing.
    """
    from core.pose import yolo

    if settings.backend == "movenet" and settings.weights:
        raise UserError("--weights are those of YOLO: leave them out, or leave out --pose movenet.")
    weights = Path(settings.weights) if settings.weights else find_weights(weights_folder)
    if settings.backend == "movenet" or (settings.backend == "auto" and weights is None):
        return MoveNet(weights_folder)
    return yolo.load(weights or weights_folder / "yolov8n-pose.pt", weights_folder, settings.yolo_long_side)


def find_weights(weights_folder: Path) -> Path | None:
    """YOLO-pose weights in the weights folder: an export before a ``.pt``, else None."""
    for pattern in ("yolo*-pose*_openvino_model", "yolo*-pose*.onnx", "yolo*-pose*.pt"):
        for path in sorted(weights_folder.glob(pattern)):
            return path
    return None
