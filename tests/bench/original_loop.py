"""The original's way of looking at footage, written out as the baseline.

OpenCV reads every frame at full size; Ultralytics predicts on every second one, one at a time, with its default input
of 640 pixels; the person with the highest confidence x area is kept, and tuck_ratio is computed from that person's
joints.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import cv2
import numpy as np


def look(video: Path, weights: Path, stride: int = 2) -> tuple[int, float]:
    """Run the loop over a whole video.

    Returns:
        The number of sampled frames and the seconds they took, the network loaded and warm before.
    """
    from ultralytics.models import YOLO

    model: Any = YOLO(str(weights))
    model.predict(np.zeros((360, 640, 3), np.uint8), verbose=False)
    capture = cv2.VideoCapture(str(video))
    sampled, number, ratios = 0, 0, []
    started = time.perf_counter()
    while True:
        ok, frame = capture.read()
        if not ok:
            break
        if number % stride == 0:
            sampled += 1
            ratio = _tuck_ratio(model.predict(frame, verbose=False)[0])
            if ratio is not None:
                ratios.append((number, ratio))
        number += 1
    seconds = time.perf_counter() - started
    capture.release()
    return sampled, seconds


def _tuck_ratio(result: Any) -> float | None:
    if result.boxes is None or not len(result.boxes):
        return None
    boxes = result.boxes.xyxyn.cpu().numpy()
    area = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    best = int(np.argmax(result.boxes.conf.cpu().numpy() * area))
    y = result.keypoints.xyn.cpu().numpy()[best, :, 1]
    shoulder, hip, ankle = (float(y[[a, a + 1]].mean()) for a in (5, 11, 15))
    torso = abs(hip - shoulder)
    return abs(ankle - hip) / torso if torso > 0.02 else None
