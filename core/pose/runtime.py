"""Running a network file: OpenVINO where it is installed, LiteRT for ``.tflite`` files without it.

Both run the same MoveNet file. OpenVINO uses bfloat16 units where the processor has them (twice as fast); LiteRT
computes in float32 everywhere. Measured on 144 pictures: in float32 the two are equal to four digits; with bfloat16
half of the keypoints move by less than 0.001 of the frame and 95 % by less than 0.0035, 95 % of the scores by less than
0.035.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from core.cores import cores
from core.errors import UserError

WORKERS = min(8, cores())
"""How many threads call a network at once."""
_SETUP = threading.Lock()


class _PerThread(threading.local):
    """What a thread keeps for itself, by size of the picture (height, width)."""

    def __init__(self) -> None:
        self.by_size: dict[tuple[int, int], Any] = {}


class Network(Protocol):
    """A loaded network with one picture in and one array out, safe to call from several threads."""

    runtime: str

    def run(self, image: NDArray[np.uint8]) -> NDArray[np.float32]:
        """The output for one RGB picture, uint8, shape ``(h, w, 3)``, without the batch axis."""


class OpenVinoNetwork:
    """A network in any file format that OpenVINO reads (IR, ONNX, TFLite), a thread a call.

    Args:
        path: the network file.
        scaled_nchw: the network takes float pictures in 0..1, channels first (as YOLO does), and not uint8 pixels.

    Raises:
        UserError: by ``run``, if the network cannot take pictures of that size.
    """

    runtime = "openvino"

    def __init__(self, path: Path, scaled_nchw: bool) -> None:
        import openvino

        self._path = path
        self._core = openvino.Core()
        self._model = self._core.read_model(path)
        self.input_shape = _known(self._model.input(0).partial_shape)
        """As the file tells it, with -1 for what it leaves open."""
        self.output_shape = _known(self._model.output(0).partial_shape)
        self._scaled_nchw = scaled_nchw
        self._compiled: dict[tuple[int, int], Any] = {}
        self._local = _PerThread()

    def run(self, image: NDArray[np.uint8]) -> NDArray[np.float32]:
        size = (image.shape[0], image.shape[1])
        requests = self._local.by_size
        if size not in requests:
            requests[size] = self._compile(size).create_infer_request()
        request = requests[size]
        request.infer([image[None]], share_inputs=True)
        return np.array(request.get_output_tensor().data[0], dtype=np.float32)

    def _compile(self, size: tuple[int, int]) -> Any:
        from openvino import Layout, Type
        from openvino.preprocess import PrePostProcessor

        with _SETUP:
            if size not in self._compiled:
                model = self._model.clone()
                # A stream and a thread for each caller: frames side by side give more in all than each one sooner.
                config = {"NUM_STREAMS": WORKERS, "INFERENCE_NUM_THREADS": WORKERS}
                try:
                    model.reshape([1, 3, *size] if self._scaled_nchw else [1, *size, 3])
                    if self._scaled_nchw:
                        steps = PrePostProcessor(model)
                        steps.input().tensor().set_element_type(Type.u8).set_layout(Layout("NHWC"))
                        steps.input().preprocess().convert_element_type(Type.f32).scale(255.0)
                        steps.input().model().set_layout(Layout("NCHW"))
                        model = steps.build()
                    compiled = self._core.compile_model(model, "CPU", config)
                except RuntimeError as error:
                    raise UserError(
                        f"{self._path.name} cannot be run on pictures of {size[1]}x{size[0]} pixels: export it again, "
                        "to OpenVINO with dynamic=True."
                    ) from error
                # The first call in a process sets up OpenVINO's array bindings; two threads that do so at once, even on
                # two networks, may wait for each other forever: so one call is made here, behind a lock for all.
                compiled.create_infer_request().infer([np.zeros((1, *size, 3), np.uint8)])
                self._compiled[size] = compiled
            return self._compiled[size]


class LiteRtNetwork:
    """A ``.tflite`` network that takes uint8 pictures, one interpreter a thread."""

    runtime = "litert"

    def __init__(self, content: bytes) -> None:
        self._content = content
        self._local = _PerThread()

    def run(self, image: NDArray[np.uint8]) -> NDArray[np.float32]:
        interpreter = self._interpreter((image.shape[0], image.shape[1]))
        interpreter.set_tensor(interpreter.get_input_details()[0]["index"], image[None])
        interpreter.invoke()
        output: NDArray[np.float32] = interpreter.get_tensor(interpreter.get_output_details()[0]["index"])[0]
        return output

    def _interpreter(self, size: tuple[int, int]) -> Any:
        from ai_edge_litert.interpreter import Interpreter

        kept = self._local.by_size
        if size not in kept:
            interpreter = Interpreter(model_content=self._content, num_threads=1)
            interpreter.resize_tensor_input(interpreter.get_input_details()[0]["index"], [1, *size, 3], strict=True)
            with no_greeting():
                interpreter.allocate_tensors()
            kept[size] = interpreter
        return kept[size]


@contextmanager
def no_greeting() -> Iterator[None]:
    """Hold back what LiteRT says on stderr when its first network is set up, which no setting silences.

    It is C code that writes there, so the file descriptor itself is bent; what others write meanwhile comes after.
    """
    with _SETUP:
        stderr = os.dup(2)
        reading, writing = os.pipe()
        os.dup2(writing, 2)
        os.close(writing)
        try:
            yield
        finally:
            os.dup2(stderr, 2)
            os.close(stderr)
            with os.fdopen(reading, "rb") as held:
                os.write(2, b"".join(line for line in held if not line.startswith(b"INFO: ")))


def _known(shape: Any) -> tuple[int, ...]:
    if shape.rank.is_dynamic:
        return ()
    return tuple(side.get_length() if side.is_static else -1 for side in shape)


def has_openvino() -> bool:
    """Whether OpenVINO is installed, without importing it."""
    return find_spec("openvino") is not None
