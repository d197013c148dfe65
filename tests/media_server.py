"""Servers for the tests of the media routes, a client that sends what no browser would, and a short video."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPMessage
from pathlib import Path
from threading import Thread
from typing import BinaryIO

import av
import numpy as np
import uvicorn
from starlette.applications import Starlette

from pages.widgets.media_routes import MIDDLEWARE, ROUTES


def write_video(path: Path, frames: int = 8, shade: int = 0) -> Path:
    """A short video that can be read; ``shade`` 0 to 255 tells one from another."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=25, options={"g": "8"})
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for number in range(frames):
            picture = np.full((48, 64, 3), (shade, number * 20 % 255, 90), np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode(None))
    return path


@dataclass(frozen=True)
class Answer:
    status: int
    headers: HTTPMessage
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode()


@dataclass(frozen=True)
class Client:
    """Asks a server on this machine. Paths go out as they are; a header that is None is left out."""

    port: int

    def __call__(
        self,
        path: str,
        method: str = "GET",
        headers: Mapping[str, str | None] | None = None,
        body: bytes | BinaryIO | Iterable[bytes] | None = None,
    ) -> Answer:
        connection = HTTPConnection("localhost", self.port, timeout=60)
        connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
        length = str(len(body)) if isinstance(body, bytes) else None
        sent = {"Host": f"localhost:{self.port}", "Content-Length": length, **(headers or {})}
        for name, value in sent.items():
            if value is not None:
                connection.putheader(name, value)
        connection.endheaders()
        if body is not None:
            connection.send(body)
        reply = connection.getresponse()
        try:
            return Answer(reply.status, reply.headers, reply.read())
        finally:
            connection.close()

    def upload(self, name: str, body: bytes | BinaryIO, **headers: str | None) -> Answer:
        """As the page sends a file; ``headers`` changes what it sends."""
        sent = {"X-Trickline": "upload", "X-Name": name, "Origin": f"http://localhost:{self.port}"}
        changed = {key.replace("_", "-"): value for key, value in headers.items()}
        return self("/trickline/upload", "PUT", {**sent, **changed}, body)


@contextmanager
def media_server() -> Iterator[Client]:
    """The media routes alone, in a thread of the test: it can publish, and see what is kept."""
    listening = socket.socket()
    listening.bind(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(Starlette(routes=ROUTES, middleware=MIDDLEWARE), log_level="warning"))
    thread = Thread(target=server.run, kwargs={"sockets": [listening]})
    thread.start()
    try:
        while not server.started:
            time.sleep(0.01)
        yield Client(listening.getsockname()[1])
    finally:
        server.should_exit = True
        thread.join(10)
