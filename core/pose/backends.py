"""Which pose backend looks at the footage."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from core.errors import UserError
from core.pose import PoseEstimator, yolo
from core.pose.movenet import MoveNet
from core.settings import PoseSettings


def choose(settings: PoseSettings, weights_folder: Path) -> PoseEstimator:
    """The estimator that ``settings`` ask for; ``auto`` takes YOLO if its weights are there, else MoveNet.

    Args:
        weights_folder: the workspace's folder of weights, where fetched ones lie and exports are kept.

    Raises:
        UserError: what was asked for is missing.
    """
    if settings.backend == "movenet" and settings.weights:
        raise UserError("--weights are those of YOLO: leave them out, or leave out --pose movenet.")
    weights = Path(settings.weights) if settings.weights else find_weights(weights_folder)
    if settings.backend == "movenet" or (settings.backend == "auto" and weights is None):
        return _movenet(weights_folder)
    weights = weights or weights_folder / "yolov8n-pose.pt"
    version = weights.stat().st_mtime_ns if weights.exists() else 0
    return _yolo(weights, version, weights_folder, settings.yolo_long_side)


# A process that looks at many videos sets its network up once; it is safe to share.
_movenet = lru_cache(maxsize=1)(MoveNet)


@lru_cache(maxsize=1)
def _yolo(weights: Path, _version: int, cache: Path, long_side: int) -> PoseEstimator:
    return yolo.load(weights, cache, long_side)


def find_weights(weights_folder: Path) -> Path | None:
    """YOLO-pose weights in the weights folder: an export before a ``.pt``, else None."""
    for pattern in ("yolo*-pose*_openvino_model", "yolo*-pose*.onnx", "yolo*-pose*.pt"):
        for path in sorted(weights_folder.glob(pattern)):
            return path
    return None
