"""Clips of two classes that differ by where a square moves, or by its colour."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

from core.recognize.samples import ClipDataset, ClipSample

RIGHT, LEFT = "right", "left"
SIDE = 48


def frames_of(label: str, seed: int, length: int = 10, coloured: bool = False) -> NDArray[np.uint8]:
    """A square that crosses a noisy picture: uint8, ``(length, SIDE, SIDE, 3)``.

    A clip to the left is one to the right played backwards: without the order of the frames they are alike, unless
    ``coloured``, where the squares are red and blue.
    """
    rng = np.random.default_rng((seed, 3))
    pictures = np.repeat(rng.integers(0, 60, (1, SIDE, SIDE, 3)), length, 0).astype(np.uint8)
    top = int(rng.integers(2, SIDE - 22))
    for number, picture in enumerate(pictures):
        left = round(number * (SIDE - 20) / (length - 1))
        colour = ((220, 40, 40) if label == RIGHT else (40, 40, 220)) if coloured else (210, 210, 210)
        picture[top : top + 20, left : left + 20] = colour
    return pictures if label == RIGHT else pictures[::-1].copy()


def write_clip(path: Path, frames: NDArray[np.uint8], rate: int = 25) -> Path:
    """As H.264 in MP4."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=rate, options={"crf": "12"})
        stream.height, stream.width = frames.shape[1:3]
        stream.pix_fmt = "yuv420p"
        for picture in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())
    return path


def dataset_of(folder: Path, each: int = 8, coloured: bool = False, length: int = 10) -> ClipDataset:
    """``each`` clips of both classes, every one a group of its own."""
    samples = []
    for label in (RIGHT, LEFT):
        for number in range(each):
            path = folder / f"{label}{number}.mp4"
            write_clip(path, frames_of(label, number, length, coloured))
            samples.append(ClipSample(path, label, group=f"{label}{number}"))
    return ClipDataset("squares", tuple(samples), (RIGHT, LEFT))
