"""The routes. They know no user and no login: whoever reaches them may use them.

What they refuse is what another website could do through the browser of somebody who runs the server: a Host that is
not this machine's (DNS rebinding), and requests of another origin. No answer may be read by other origins (no CORS).
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, TypeVar

from anyio.to_thread import run_sync
from fastapi import APIRouter, FastAPI
from fastapi.exceptions import HTTPException, RequestValidationError
from pydantic import ValidationError
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException as StarletteHTTPException
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from core import __version__
from core.serve import answers, work
from core.serve.service import Service
from core.serve.uploads import FILE, receive
from core.settings import Settings

LOCAL = ("localhost", "127.0.0.1", "[::1]")
"""Names of this machine as its own programs say them."""
Fields = TypeVar("Fields", bound=Settings)
Answer = TypeVar("Answer")

_PROBLEMS: dict[int | str, dict[str, Any]] = {
    status: {"model": answers.Problem, "description": description}
    for status, description in {
        400: "A mistake in what is asked, such as frames beyond the end.",
        403: "Asked by another website.",
        408: "Nothing more arrived, or too slowly.",
        413: "More than --max-mb.",
        415: "No form, or no video.",
        422: "A form without the file or with wrong fields, or a video that cannot be read.",
        500: "A fault of the server's.",
        503: "The line is full; Retry-After says when to ask again.",
        504: "Stopped after --timeout.",
        507: "The server's disk is full.",
    }.items()
}


def make_app(service: Service, hosts: Sequence[str] = ()) -> FastAPI:
    """The application; it closes the service when it ends.

    Args:
        hosts: names beside :data:`LOCAL` by which it may be reached, without a port; ``*`` stands for any.
    """

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        await run_sync(service.close)

    app = FastAPI(
        title="Trickline",
        version=__version__,
        description="Finds moments in footage and names them. What is sent is not kept.",
        lifespan=lifespan,
        redoc_url=None,
    )
    app.state.service = service
    app.include_router(_routes)
    app.add_exception_handler(StarletteHTTPException, _refusal)
    app.add_exception_handler(RequestValidationError, _misuse)
    app.add_exception_handler(ClientDisconnect, _nobody)
    app.add_exception_handler(Exception, _fault)
    app.add_middleware(_OwnOrigin)
    app.add_middleware(TrustedHostMiddleware, allowed_hosts=[*LOCAL, *hosts], www_redirect=False)
    return app


def _form(fields: type[Settings]) -> dict[str, Any]:
    """The body of a request for OpenAPI."""
    properties = fields.model_json_schema().get("properties", {})
    schema = {
        "type": "object",
        "properties": {FILE: {"type": "string", "format": "binary", "description": "The video."}, **properties},
        "required": [FILE],
        "additionalProperties": False,
    }
    return {"requestBody": {"required": True, "content": {"multipart/form-data": {"schema": schema}}}}


_routes = APIRouter()


@_routes.get("/health", responses={status: _PROBLEMS[status] for status in (403, 500)})
async def health(request: Request) -> answers.Health:
    """That the server is there, what it can do and how busy it is."""
    service: Service = request.app.state.service
    named = service.recognizer
    recognizes = None
    if named:
        recognizes = answers.Recognizes(
            name=named.folder.name,
            architecture=named.architecture,
            classes=list(named.classes),
            unsure_below=named.unsure_below,
            clip_s=named.clip_s,
        )
    return answers.Health(
        version=__version__,
        detector=service.detector_name,
        recognizer=recognizes,
        under_way=service.under_way,
        **service.limits.model_dump(),
    )


@_routes.post("/name", responses=_PROBLEMS, openapi_extra=_form(answers.MomentFields))
async def name(request: Request) -> answers.Moment:
    """Name one moment: a clip, or some frames of a video."""
    return await _answered(request, work.name, answers.MomentFields)


@_routes.post("/find", responses=_PROBLEMS, openapi_extra=_form(answers.NoFields))
async def find(request: Request) -> answers.Events:
    """Find the moments of a whole video, and name each if the server has a recognizer."""
    return await _answered(request, work.find, answers.NoFields)


@_routes.post("/players", responses=_PROBLEMS, openapi_extra=_form(answers.WindowFields))
async def players(request: Request) -> answers.Players:
    """Name what each player of a video does, window by window."""
    return await _answered(request, work.name_players, answers.WindowFields)


async def _answered(request: Request, task: work.Task[Fields, Answer], fields: type[Fields]) -> Answer:
    """Take a place in the line, then receive the video, then let the work be done."""
    service: Service = request.app.state.service
    with service.place() as held:
        path = service.path(held)
        given = await receive(request, service.limits.max_bytes, path)
        try:
            wanted = fields.model_validate(given)
        except ValidationError as error:
            raise HTTPException(422, _sentence(error.errors()[0])) from error
        todo = work.done_with(task, path, wanted)
        return await service.do(todo, held.pop_all(), request.is_disconnected)


def _sentence(wrong: Any) -> str:
    where = ".".join(str(part) for part in wrong["loc"])
    return f"The field {where!r} cannot be taken ({wrong['msg'].lower()}): change it or leave it out."


def _problem(status: int, sentence: str, headers: Any = None) -> Response:
    return JSONResponse(answers.Problem(error=sentence).model_dump(), status, headers=headers)


async def _refusal(_: Request, error: Exception) -> Response:
    assert isinstance(error, StarletteHTTPException)
    return _problem(error.status_code, error.detail, error.headers)


async def _misuse(_: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    return _problem(422, _sentence(error.errors()[0]))


async def _nobody(_: Request, __: Exception) -> Response:
    return Response(status_code=400)  # for nobody


async def _fault(_: Request, __: Exception) -> Response:
    """The traceback goes into the server's log: what raised is raised on after the answer."""
    return _problem(500, "A fault of Trickline's own kept it from answering: its log says more.")


class _OwnOrigin:
    """Refuses what another website asks for through the user's browser.

    The browser sets ``Origin`` and ``Sec-Fetch-Site``, and no page can change them. Programs send neither.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and _is_foreign(Headers(scope=scope)):
            refusal = _problem(403, "This was asked for by another website: ask from a program, or from here.")
            await refusal(scope, receive, send)
        else:
            await self.app(scope, receive, send)


def _is_foreign(headers: Headers) -> bool:
    if headers.get("sec-fetch-site", "none") not in ("same-origin", "none"):
        return True
    origin = headers.get("origin")
    return origin is not None and origin.partition("://")[2].lower() != headers.get("host", "").lower()
