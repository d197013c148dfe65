"""A server at a free port, what names there, and who asks."""

from __future__ import annotations

import socket
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import httpx
import numpy as np
import uvicorn
from numpy.typing import NDArray

from core.errors import Cancelled
from core.recognize.samples import ClipSample
from core.serve.app import make_app
from core.serve.limits import Limits
from core.serve.service import Namers, Service
from core.video import Video
from tests.moments import write_clip


class Brightness:
    """Names a moment after how bright its first picture is."""

    folder, architecture = Path("brightness"), "rule"
    classes: tuple[str, ...] = ("dark", "bright")
    unsure_below = 0.6
    clip_s: float | None = None

    def predict(
        self, samples: Sequence[ClipSample], /, progress: object = None, cancelled: Callable[[], bool] | None = None
    ) -> NDArray[np.float64]:
        shares = []
        for sample in samples:
            picture = next(Video.open(sample.path).pictures(start=sample.start_frame))
            shares.append(picture.gray(16, 16).mean() / 255)
        return np.array([[1 - share, share] for share in shares])


class Endless(Brightness):
    """Works until it is told to stop, or may go on."""

    def __init__(self) -> None:
        self.began, self.go_on, self.stopped = threading.Event(), threading.Event(), threading.Event()

    def predict(
        self, samples: Sequence[ClipSample], /, progress: object = None, cancelled: Callable[[], bool] | None = None
    ) -> NDArray[np.float64]:
        assert cancelled is not None
        self.began.set()
        while not self.go_on.wait(0.02):
            if cancelled():
                self.stopped.set()
                raise Cancelled
        return super().predict(samples)


def everywhere(recognizer: Brightness) -> Namers:
    return lambda workspaces: [recognizer] * len(workspaces)


def left(folder: Path) -> list[str]:
    """What is left of requests there."""
    return [path.name for path in folder.rglob("*") if path.name.startswith("upload-") or path.parent.name == "videos"]


@contextmanager
def serving(namers: Namers | None = None, **limits: float) -> Iterator[tuple[httpx.Client, Service]]:
    """A server at a free port, and a client of it."""
    service = Service(Limits.model_validate(limits), namers)
    listening = socket.create_server(("127.0.0.1", 0), backlog=200)
    server = uvicorn.Server(uvicorn.Config(make_app(service), log_config=None, lifespan="on"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
    thread.start()
    try:
        limit = httpx.Limits(max_connections=100)
        url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        with httpx.Client(base_url=url, timeout=300, limits=limit, trust_env=False) as client:
            yield client, service
    finally:
        server.should_exit = True
        thread.join(30)
        listening.close()
    assert not thread.is_alive()


def grey(path: Path, level: int, length: int = 6) -> Path:
    return write_clip(path, np.full((length, 48, 48, 3), level, np.uint8))


def post(client: httpx.Client, path: Path, route: str = "/name", **fields: object) -> httpx.Response:
    return client.post(route, files={"file": path.read_bytes()}, data=fields)


def until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def sentence(response: httpx.Response) -> str:
    """The one sentence of a refusal, which tells nothing of where files lie on the server."""
    assert list(response.json()) == ["error"]
    said = str(response.json()["error"])
    assert said.endswith(".")
    assert "\n" not in said
    assert "upload-" not in said
    assert tempfile.gettempdir() not in said
    return said
