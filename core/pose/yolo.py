"""YOLO-pose networks of Ultralytics (v8, 11, 26): their weights are AGPL-3.0 and stay optional.

On a processor the network runs on OpenVINO, from an exported model or from a ``.pt`` file that is exported once; then
neither Ultralytics nor torch is imported. On a CUDA card a ``.pt`` file runs natively in Ultralytics.

Output of an export (https://docs.ultralytics.com/tasks/pose): ``(56, n)`` = centre x, y, width, height, score, 17 x
(x, y, confidence) for every anchor, before suppression (v8, 11); or ``(n, 57)`` = x1, y1, x2, y2, score, class, 17 x
(x, y, confidence), already suppressed (26, end to end).
"""

from __future__ import annotations

import os
import shutil
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.errors import UserError
from core.pose import People, pad_to_multiple
from core.pose.runtime import OpenVinoNetwork, has_openvino

LICENCE = "AGPL-3.0 (https://ultralytics.com/license)"
MIN_SCORE = 0.1
NMS_IOU = 0.7
"""Boxes that overlap more than this are one person: Ultralytics' own default."""
_PAD = 114  # the grey that Ultralytics pads with, which the networks saw in training


class YoloOpenVino:
    """An exported YOLO-pose network on OpenVINO.

    Args:
        path: a folder made by ``export(format="openvino")``, its ``.xml``, or an ``.onnx`` file.
        long_side: longer side of the pictures it gets. 640 is what the networks were trained at; 448 finds the same
        people
            in footage where the skater is not tiny, in half the time.
    """

    def __init__(self, path: Path, long_side: int) -> None:
        if not has_openvino():
            raise UserError("YOLO on a processor needs OpenVINO: run pip install openvino, or use --pose movenet.")
        self.long_side = long_side
        model = _model_file(path)
        self.name = f"{model.stem}-{'int8' if 'int8' in path.name else 'fp'}-openvino-{long_side}"
        try:
            self._network = OpenVinoNetwork(model, scaled_nchw=True)
        except RuntimeError as error:
            raise UserError(f"{path.name} is not a network that OpenVINO can read: export it again.") from error

    def estimate(self, image: NDArray[np.uint8]) -> People:
        image = pad_to_multiple(image, 32, _PAD)
        height, width = image.shape[:2]
        return decode(self._network.run(image), width, height)


class YoloCuda:
    """A ``.pt`` file on a CUDA card, by Ultralytics itself."""

    def __init__(self, path: Path, long_side: int) -> None:
        from ultralytics.models import YOLO

        self.long_side = long_side
        self.name = f"{path.stem}-cuda-{long_side}"
        self._model: Any = YOLO(str(path))
        self._model.to("cuda")

    def estimate(self, image: NDArray[np.uint8]) -> People:
        height, width = image.shape[:2]
        bgr = np.ascontiguousarray(image[..., ::-1])
        result = (
            self._model.predict(bgr, imgsz=self.long_side, conf=MIN_SCORE, iou=NMS_IOU, verbose=False)[0].cpu().numpy()
        )
        return People.from_pixels(
            result.boxes.conf, result.boxes.xyxy, result.keypoints.data, (width, height), MIN_SCORE
        )


def decode(output: NDArray[np.float32], width: int, height: int) -> People:
    """People from the raw output of an export for a picture of ``width`` x ``height`` pixels.

    Raises:
        UserError: the output is not that of a person-pose network with 17 keypoints.
    """
    if output.ndim == 2 and output.shape[1] == 57:
        return People.from_pixels(
            output[:, 4], output[:, :4], output[:, 6:].reshape(-1, 17, 3).copy(), (width, height), MIN_SCORE
        )
    if output.ndim != 2 or output.shape[0] != 56:
        raise UserError(
            "These weights are not a pose network for people with 17 keypoints: choose a YOLO *-pose model."
        )
    import cv2

    rows = output[:, output[4] >= MIN_SCORE].T
    corner = rows[:, :2] - rows[:, 2:4] / 2
    keep = np.asarray(
        cv2.dnn.NMSBoxes(np.hstack([corner, rows[:, 2:4]]).tolist(), rows[:, 4].tolist(), MIN_SCORE, NMS_IOU)
    )
    rows, corner = rows[keep.reshape(-1).astype(int)], corner[keep.reshape(-1).astype(int)]
    boxes = np.hstack([corner, corner + rows[:, 2:4]])
    return People.from_pixels(rows[:, 4], boxes, rows[:, 5:].reshape(-1, 17, 3).copy(), (width, height), MIN_SCORE)


def load(weights: Path, cache: Path, long_side: int) -> YoloOpenVino | YoloCuda:
    """The estimator for a ``.pt``, an ``.onnx`` or an OpenVINO folder; a ``.pt`` is exported into ``cache`` once.

    Raises:
        UserError: no such weights, not a pose network, or a package that is needed is missing.
    """
    if not weights.exists():
        raise UserError(
            f"{weights} does not exist: give the path of YOLO-pose weights, or run trickline models get yolov8n-pose."
        )
    if weights.suffix != ".pt":
        return YoloOpenVino(weights, long_side)
    if cuda_available():
        return YoloCuda(weights, long_side)
    return YoloOpenVino(_exported(weights, cache), long_side)


def cuda_available() -> bool:
    """Whether torch is installed and sees a CUDA card."""
    if find_spec("torch") is None or find_spec("ultralytics") is None:
        return False
    import torch

    return bool(torch.cuda.is_available())


def fetch(name: str, folder: Path) -> Path:
    """Download weights such as ``yolov8n-pose`` through Ultralytics into ``folder``.

    Raises:
        UserError: Ultralytics is missing, the name is none of its models, or there is no network.
    """
    _need_ultralytics()
    name = Path(name).stem
    target = folder / f"{name}.pt"
    if target.exists():
        return target
    from ultralytics.utils.downloads import attempt_download_asset

    folder.mkdir(parents=True, exist_ok=True)
    temporary = folder / f".{name}.part" / f"{name}.pt"
    try:
        attempt_download_asset(str(temporary))
        # An unfinished or redirected download leaves a page of text or nothing, never a zip.
        if not temporary.exists() or temporary.read_bytes()[:2] != b"PK":
            raise ConnectionError("nothing arrived")
        os.replace(temporary, target)
    except (OSError, RuntimeError, ValueError) as error:
        raise UserError(
            f"{name} could not be fetched: check the name and the network, or copy {name}.pt to {folder} by hand."
        ) from error
    finally:
        shutil.rmtree(temporary.parent, ignore_errors=True)
    return target


def _need_ultralytics() -> None:
    os.environ.setdefault("YOLO_AUTOINSTALL", "false")  # it would install packages into the user's environment unasked
    os.environ.setdefault("YOLO_VERBOSE", "false")
    if find_spec("ultralytics") is None:
        raise UserError("This needs Ultralytics: run pip install -r requirements.txt, or use --pose movenet.")


def _exported(weights: Path, cache: Path) -> Path:
    import hashlib

    digest = hashlib.sha256(weights.read_bytes()).hexdigest()[:12]
    target = cache / f"{weights.stem}-{digest}_openvino_model"
    if target.exists():
        return target
    _need_ultralytics()
    from ultralytics.models import YOLO

    work = cache / f".{target.name}.{os.getpid()}"
    work.mkdir(parents=True, exist_ok=True)
    try:
        shutil.copy(weights, work / weights.name)  # Ultralytics writes beside the weights, which may be read-only
        try:
            model = YOLO(str(work / weights.name))
            if model.task != "pose":
                raise UserError(
                    f"{weights.name} is a network for {model.task}, not for pose: choose a YOLO *-pose model."
                )
            made = Path(str(model.export(format="openvino", dynamic=True, verbose=False)))
        except (RuntimeError, EOFError, OSError, KeyError, AttributeError, TypeError, ModuleNotFoundError) as error:
            raise UserError(
                f"{weights.name} is not YOLO weights that Ultralytics can read: download it again."
            ) from error
        if not target.exists():
            os.replace(made, target)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return target


def _model_file(path: Path) -> Path:
    if path.is_dir():
        found = sorted(path.glob("*.xml"))
        if not found:
            raise UserError(f"{path} holds no OpenVINO model (.xml): give the folder that the export made.")
        return found[0]
    return path
