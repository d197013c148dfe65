"""What the pose network sees on its way to the joints: the maps of its early layers, as they are.

MoveNet's weights come along anyway (see :mod:`core.pose.movenet`), and a network that learned to find joints tells
feet, shoes and boards apart. LiteRT, asked to preserve all tensors, hands out those between input and output, in
float32 on every machine. A picture of 160 pixels takes 12 ms on one core.
"""

from __future__ import annotations

import threading
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.pose.movenet import load_weights
from core.pose.runtime import no_greeting

LAYERS = ("block_2_add/add", "block_5_add/add", "block_9_add/add", "block_12_add/add")
"""Ends of MobileNetV2's residual blocks, by the ends of their names: maps of a quarter, an eighth and twice a sixteenth
of the picture's sides."""
CHANNELS = (40, 48, 96, 144)
"""Of each of the layers."""
Maps = tuple[NDArray[np.float32], ...]


class Backbone:
    """The layers of MoveNet, one interpreter a thread.

    Args:
        side: of the square pictures, pixels, a multiple of 32.
        layers: by the ends of their names.

    Raises:
        UserError: the package with the weights is missing or damaged.
    """

    def __init__(self, side: int, layers: Sequence[str] = LAYERS) -> None:
        self._weights = load_weights()
        self._side = side
        self._layers = layers
        self._local = threading.local()

    def maps(self, image: NDArray[np.uint8]) -> Maps:
        """The maps of an RGB picture, uint8, shape ``(side, side, 3)``: for each layer float32, shape ``(h, w, c)``."""
        if not hasattr(self._local, "ready"):
            self._local.ready = self._interpreter()
        interpreter, at = self._local.ready
        interpreter.set_tensor(interpreter.get_input_details()[0]["index"], image[None])
        interpreter.invoke()
        return tuple(interpreter.get_tensor(one)[0] for one in at)

    def _interpreter(self) -> tuple[Any, list[int]]:
        from ai_edge_litert.interpreter import Interpreter

        with no_greeting(), warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # that preserved tensors take memory: these take 40 MB
            interpreter = Interpreter(
                model_content=self._weights, num_threads=1, experimental_preserve_all_tensors=True
            )
            shape = [1, self._side, self._side, 3]
            interpreter.resize_tensor_input(interpreter.get_input_details()[0]["index"], shape, strict=True)
            interpreter.allocate_tensors()
        details = interpreter.get_tensor_details()
        return interpreter, [next(d["index"] for d in details if d["name"].endswith(layer)) for layer in self._layers]
