"""YOLO-pose networks of Ultralytics (v8, 11, 26): their weights are AGPL-3.0 and stay optional.

On a processor the network runs on OpenVINO, from an exported model or from a ``.pt`` file that is exported once; then
neither Ultralytics nor torch is imported. On a CUDA card a ``.pt`` file runs natively in Ultralytics.

Output of an export (https://docs.ultralytics.com/tasks/pose): ``(56, n)`` = centre x, y, width, height, score, 17 x
(x, y, confidence) for every anchor, before suppression (v8, 11); or ``(n, 57)`` = x1, y1, x2, y2, score, class, 17 x
(x, y, confidence), already suppressed (26 end to end, and any exported with its own suppression).
"""

from __future__ import annotations

import ctypes
import hashlib
import os
import shutil
import threading
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.atomic import make_folder
from core.errors import UserError
from core.pose import People, pad_to_multiple
from core.pose.runtime import OpenVinoNetwork, has_openvino

LICENCE = "AGPL-3.0 (https://ultralytics.com/license)"
MIN_SCORE = 0.1
NMS_IOU = 0.7
"""Boxes that overlap more than this are one person: Ultralytics' own default."""
_FIRST_LOOK = 384
_SURE = 0.4
_PAD = 114  # the grey that Ultralytics pads with, which the networks saw in training


class YoloOpenVino:
    """An exported YOLO-pose network on OpenVINO.

    It looks at a smaller picture first, which takes half the time, and at the whole one only where nobody is clearly
    seen in that: skaters of 20 to 30 pixels.

    Args:
        path: a folder made by ``export(format="openvino")``, its ``.xml``, or an ``.onnx`` file.
        long_side: longer side of the pictures it gets; 640 is what the networks were trained at. A network that was
            exported for one size gets pictures of that size.

    Raises:
        UserError: OpenVINO is missing, or this is not a pose network that it can read.
    """

    def __init__(self, path: Path, long_side: int) -> None:
        _need_openvino()
        model = _model_file(path)
        try:
            self._network = OpenVinoNetwork(model, scaled_nchw=True)
        except RuntimeError as error:
            raise UserError(f"{path.name} is not a network that OpenVINO can read: export it again.") from error
        if not _is_pose(self._network.output_shape):
            raise _not_pose(path.name)
        height, width = self._network.input_shape[-2:]
        self._only = (height, width) if min(height, width) > 0 else None
        self.long_side = max(self._only) if self._only else long_side
        kind = "int8" if "int8" in path.name else "fp"
        self.name = f"{model.stem}-{_digest(model)}-{kind}-openvino-{self.long_side}"

    def estimate(self, image: NDArray[np.uint8]) -> People:
        scale = _FIRST_LOOK / self.long_side
        if self._only or scale >= 1:
            return self._look(image)
        people = self._look(_scaled(image, scale))
        if people.score.max(initial=0.0) < _SURE:
            people = self._look(image)
        return people

    def _look(self, image: NDArray[np.uint8]) -> People:
        multiple = 32, 32
        if self._only:
            multiple = self._only
            scale = min(side / there for side, there in zip(self._only, image.shape[:2], strict=True))
            image = _scaled(image, scale) if scale < 1 else image
        height, width = image.shape[:2]
        return decode(self._network.run(pad_to_multiple(image, multiple, _PAD)), width, height)


class YoloCuda:
    """A ``.pt`` file on a CUDA card, by Ultralytics itself."""

    def __init__(self, path: Path, long_side: int) -> None:
        self.long_side = long_side
        self.name = f"{path.stem}-{_digest(path)}-cuda-{long_side}"
        self._model = _read(path)
        self._model.to("cuda")
        self._lock = threading.Lock()  # Ultralytics sets up its predictor at the first call, without a lock

    def estimate(self, image: NDArray[np.uint8]) -> People:
        height, width = image.shape[:2]
        bgr = np.ascontiguousarray(image[..., ::-1])
        with self._lock:
            found = self._model.predict(bgr, imgsz=self.long_side, conf=MIN_SCORE, iou=NMS_IOU, verbose=False)
        result = found[0].cpu().numpy()
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
        raise _not_pose("This network")
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
    """Whether torch is installed and sees a CUDA card; without NVIDIA's driver torch is not asked, nor imported."""
    if find_spec("torch") is None or find_spec("ultralytics") is None:
        return False
    try:
        ctypes.CDLL("nvcuda.dll" if os.name == "nt" else "libcuda.so.1")
    except OSError:
        return False
    import torch

    return bool(torch.cuda.is_available())


def fetch(name: str, folder: Path) -> Path:
    """Download weights such as ``yolov8n-pose`` through Ultralytics into ``folder``.

    Raises:
        UserError: Ultralytics is missing, the name is none of its models, or there is no network.
    """
    name = name.removesuffix(".pt")
    if Path(name).name != name or not name.endswith("-pose"):
        raise UserError(f"{name} is no pose network of Ultralytics: choose yolov8n-pose, yolo11n-pose or yolo26n-pose.")
    _need_ultralytics()
    target = folder / f"{name}.pt"
    if target.exists():
        return target
    from ultralytics.utils.downloads import attempt_download_asset

    make_folder(folder)
    temporary = folder / f".{name}.part" / f"{name}.pt"
    try:
        # Where names resolve but nothing answers, its three repetitions take minutes.
        attempt_download_asset(str(temporary), retry=0)
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


def _need_openvino() -> None:
    if not has_openvino():
        raise UserError("YOLO on a processor needs OpenVINO: run pip install openvino, or use --pose movenet.")


def _read(weights: Path) -> Any:
    """The network in a ``.pt`` file, as Ultralytics opens it."""
    _need_ultralytics()
    from ultralytics.models import YOLO

    try:
        model = YOLO(str(weights))
    except (RuntimeError, EOFError, OSError, KeyError, AttributeError, TypeError, ModuleNotFoundError) as error:
        raise UserError(f"{weights.name} is not YOLO weights that Ultralytics can read: download it again.") from error
    if model.task != "pose":
        raise _not_pose(weights.name)
    return model


def _exported(weights: Path, cache: Path) -> Path:
    target = cache / f"{weights.stem}-{_digest(weights)}_openvino_model"
    if target.exists():
        return target
    _need_openvino()
    work = cache / f".{target.name}.{os.getpid()}"
    make_folder(work)
    try:
        # Ultralytics writes beside the weights, which may be read-only.
        copy = work / weights.name
        copy.write_bytes(weights.read_bytes())
        made = Path(str(_read(copy).export(format="openvino", dynamic=True, verbose=False)))
        try:
            os.replace(made, target)
        except OSError:  # another process was faster
            if not target.exists():
                raise
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return target


def _digest(file: Path) -> str:
    """Tells networks of one name apart: by the weights, which OpenVINO keeps in a ``.bin`` beside the ``.xml``."""
    weights = file.with_suffix(".bin") if file.suffix == ".xml" else file
    return hashlib.sha256(weights.read_bytes()).hexdigest()[:8]


def _not_pose(name: str) -> UserError:
    return UserError(f"{name} is not a pose network for people with 17 keypoints: choose a YOLO *-pose model.")


def _is_pose(output: tuple[int, ...]) -> bool:
    """Whether an output shape, -1 where the file leaves it open, can be one of those that :func:`decode` knows."""
    return len(output) == 3 and (output[1] == 56 or output[2] == 57 or output[1:] == (-1, -1))


def _scaled(image: NDArray[np.uint8], scale: float) -> NDArray[np.uint8]:
    import cv2

    return np.asarray(cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA), np.uint8)


def _model_file(path: Path) -> Path:
    if path.is_dir():
        found = sorted(path.glob("*.xml"))
        if not found:
            raise UserError(f"{path} holds no OpenVINO model (.xml): give the folder that the export made.")
        return found[0]
    return path
