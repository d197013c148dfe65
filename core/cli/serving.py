"""The command that answers over HTTP."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from core.cli.shared import open_workspace, say
from core.errors import UserError

if TYPE_CHECKING:
    import socket

    from core.serve.limits import Limits
    from core.serve.service import Service

_ENDING_S = 5
"""What is worked on when the server is to end may take so long."""


def serve(
    model: Annotated[
        list[Path] | None,
        typer.Option(
            help="A recognizer's folder or its name on the shelf, a detector's bundle, or both (repeat). Without: the "
            "starter finds."
        ),
    ] = None,
    host: Annotated[str, typer.Option(help="Address to listen at; there is no login.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes a free one.")] = 8602,
    max_mb: Annotated[float, typer.Option(min=0.001, metavar="MB", help="Largest request.")] = 500.0,
    timeout: Annotated[float, typer.Option(min=0.1, metavar="S", help="Longest work on a request.")] = 300.0,
    at_once: Annotated[int, typer.Option(min=1, max=64, help="Requests that are worked on at a time.")] = 2,
    waiting: Annotated[int, typer.Option(min=0, help="Requests that may wait beside those.")] = 100,
) -> None:
    """Find and name moments in what programs on this machine send; its address /docs says how to ask."""
    import os

    import uvicorn

    from core.serve.app import LOCAL, make_app
    from core.serve.limits import Limits

    limits = Limits(max_mb=max_mb, timeout_s=timeout, at_once=at_once, waiting=waiting)
    further = [name.strip().lower() for name in os.environ.get("TRICKLINE_HOSTS", "").split(",") if name.strip()]
    with _listening(host, port) as listening, _service(limits, model or []) as service:
        name = f"[{host}]" if ":" in host else host
        if name not in LOCAL:
            say(
                [
                    f"Everybody who reaches {host} can use this server, for it has no login; it answers to the names"
                    " in TRICKLINE_HOSTS."
                ]
            )
        app = make_app(service, [name.lower(), *further])
        config = uvicorn.Config(
            app, log_config=None, access_log=False, lifespan="on", timeout_graceful_shutdown=_ENDING_S
        )
        typer.echo(f"http://{name}:{listening.getsockname()[1]}")
        with suppress(KeyboardInterrupt):  # the way to end it
            uvicorn.Server(config).run(sockets=[listening])


def _listening(host: str, port: int) -> socket.socket:
    import socket

    try:
        family, *_, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        return socket.create_server(address[:2], family=family, backlog=2048)
    except OSError as error:
        raise UserError(
            f"Cannot listen at {host}, port {port} ({error.strerror}): choose another --port or --host."
        ) from error


def _service(limits: Limits, models: list[Path]) -> Service:
    from functools import partial

    from core.detector import TrickDetector
    from core.recognize import shelf
    from core.serve.service import Service, open_each

    with open_workspace() as workspace:
        weights = workspace.home / "weights"
        models = [path if _is_model_by_path(path) else shelf.find(workspace, str(path)) for path in models]
    for path in models:
        _check_model(path)
    recognizers = [path for path in models if path.is_dir()]
    detectors = [path for path in models if not path.is_dir()]
    if len(recognizers) > 1 or len(detectors) > 1:
        raise UserError("Two --model of one kind were given: give one recognizer's folder and one detector at most.")
    return Service(
        limits,
        partial(open_each, recognizers[0]) if recognizers else None,
        TrickDetector.load(detectors[0]) if detectors else None,
        detectors[0].name if detectors else "starter",
        weights,
    )


def _is_model_by_path(path: Path) -> bool:
    """A folder of another kind may be called as a recognizer of the shelf is."""
    from core.recognize.loading import CARD

    return path.is_file() or (path / CARD).is_file()


def _check_model(path: Path) -> None:
    """Raises UserError: it is neither a recognizer nor a detector, by what lies there."""
    from zipfile import is_zipfile

    from core.recognize.loading import CARD

    if not path.is_dir() and not is_zipfile(path):
        raise UserError(
            f"{path} is neither a recognizer's folder, for it has no {CARD}, nor a detector's .skops file: give --model"
            " one of these."
        )
