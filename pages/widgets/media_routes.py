"""The routes beside Streamlit's: the browser fetches footage, computed bytes and files, and sends footage.

The server that Streamlit starts answers them: ``st.App(script, routes=ROUTES, middleware=MIDDLEWARE)``. They know no
user and no login, as Streamlit knows none. What they refuse is what another website could do through the browser of
somebody who has the studio open: a Host that is not this machine's (DNS rebinding), and requests of another origin.
Further names that the studio is reached by stand in ``TRICKLINE_HOSTS``, with commas between; ``*`` stands for any.

Each request looks ``media`` up anew: when a source file is edited, Streamlit loads the modules again for the pages, and
they publish into the new one.
"""

from __future__ import annotations

import mimetypes
import os
import re
import stat
import unicodedata
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import FileResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Mount, Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from zipstream import ZIP_STORED, ZipStream

from core.errors import UserError
from core.footage_folder import VIDEO_TYPES
from pages.widgets.media import PREFIX
from pages.widgets.upload_route import check, upload

_PART = 2 << 20
_FOR_EVER = "private, max-age=31536000, immutable"
_TYPES = {**VIDEO_TYPES, ".webp": "image/webp"}
"""By the ending; Python knows WebP only where the system does."""
_BYTES = "application/octet-stream"
_SHOWN = ("video/", "audio/", "image/")
"""What the browser may show by itself. Any other file is for saving: an HTML file would run in the studio's name."""


def own_hosts() -> list[str]:
    """Names of this machine as its own browser says them, without a port."""
    return ["localhost", "127.0.0.1", "[::1]"]


def further_hosts() -> list[str]:
    """Names that somebody who binds elsewhere on purpose has allowed."""
    return [name.strip().lower() for name in os.environ.get("TRICKLINE_HOSTS", "").split(",") if name.strip()]


class SameOrigin:
    """Refuses what another website asks for through the user's browser, and forbids it to show what is answered.

    The browser sets ``Origin`` and ``Sec-Fetch-Site``, and no page can change them. Programs send neither.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def answer(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers["Cross-Origin-Resource-Policy"] = "same-origin"
                headers["X-Content-Type-Options"] = "nosniff"
            await send(message)

        if _is_foreign(Headers(scope=scope)):
            await _plain("This was asked for by another website; open the studio itself.", 403)(scope, receive, answer)
        else:
            await self.app(scope, receive, answer)


def _is_foreign(headers: Headers) -> bool:
    if headers.get("sec-fetch-site", "none") not in ("same-origin", "none"):
        return True
    origin = headers.get("origin")
    if origin is None or urlsplit(origin).netloc.lower() == headers.get("host", "").lower() != "":
        return False
    # A proxy in front may have put its own name for the Host; the name that the browser knows is then in the list.
    return (urlsplit(origin).hostname or "") not in further_hosts()


class ShortRanges:
    """Answers a player that asks for all the rest of a video with the next 2 MiB of it; it asks again as it plays.

    A paused player reads no further. An answer of any length would wait for it, hold one of the six connections that a
    browser opens, and keep the server from stopping; so short a one goes into the system's buffers and is done.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = MutableHeaders(scope=scope)
        rest = re.fullmatch(r"bytes=(\d+)-", headers.get("range", ""))
        if rest and headers.get("sec-fetch-dest") in ("video", "audio"):
            headers["range"] = f"bytes={rest[1]}-{int(rest[1]) + _PART - 1}"
            scope = {**scope, "headers": headers.raw}
        await self.app(scope, receive, send)


def footage(request: Request) -> Response:
    """A session's video as it lies on the disk, or the proxy that stands in for it in the browser."""
    from pages.widgets import media

    try:
        session = media.open_workspace().session(request.path_params["session"])
    except UserError as error:
        return _gone(str(error))
    if request.url.path.endswith("/proxy"):
        return _file(request, media.proxy_of(session.id), "The proxy is not there any more; reload the page.")
    return _file(request, session.path, f"The video {session.path.name} is not where it was; add it again.")


def data(request: Request) -> Response:
    """Bytes that a page published."""
    from pages.widgets import media

    published = media.PUBLISHED.get(request.path_params["digest"])
    if published is None:
        return _gone("These data are not kept any more; reload the page.")
    return Response(published.content, media_type=published.media_type, headers={"Cache-Control": _FOR_EVER})


def part(request: Request) -> Response:
    """One part of what a page published in parts."""
    from pages.widgets import media

    make = media.PARTS.get(request.path_params["token"])
    if make is None:
        return _gone("These data are not kept any more; reload the page.")
    try:
        content = make(request.path_params["number"])
    except IndexError:
        return _gone("There is no such part.")
    except UserError as error:
        return _gone(str(error))
    return Response(content, media_type=_BYTES, headers={"Cache-Control": _FOR_EVER})


def file(request: Request) -> Response:
    """A file that a page shared, to show or to save."""
    from pages.widgets import media

    shared = media.FILES.get(request.path_params["token"])
    if shared is None:
        return _gone("This link is not valid any more; reload the page.")
    sentence = f"The file {shared.path.name} is not where it was; make it again."
    return _file(request, shared.path, sentence, shared.download_name)


def archive(request: Request) -> Response:
    """Files that a page shared as one zip file. Stored and not compressed: what is in it mostly is already."""
    from pages.widgets import media

    shared = media.ARCHIVES.get(request.path_params["token"])
    if shared is None:
        return _gone("This link is not valid any more; reload the page.")
    stream = ZipStream(compress_type=ZIP_STORED, sized=True)
    for path, name in zip(shared.paths, _distinct(shared.paths), strict=True):
        if _regular(path) is None:
            return _gone(f"The file {path.name} is not where it was; make it again.")
        stream.add_path(path, name)
    headers = {
        "Content-Disposition": _disposition("attachment", shared.name),
        "Content-Length": str(len(stream)),  # known beforehand, so that the browser shows how far it is
        "Cache-Control": "private, no-store",
    }
    if request.method == "HEAD":
        return Response(media_type="application/zip", headers=headers)
    return StreamingResponse(stream, media_type="application/zip", headers=headers)


def _distinct(paths: tuple[Path, ...]) -> Iterator[str]:
    """The files' names, those that came before with a number."""
    given: set[str] = set()
    for path in paths:
        name, number = path.name, 1
        while name.casefold() in given:
            number += 1
            name = f"{path.stem} ({number}){path.suffix}"
        given.add(name.casefold())
        yield name


def _regular(path: Path) -> os.stat_result | None:
    """What the system says of a plain file; None if there is none, or a link was put in its way since."""
    try:
        found = path.lstat()
        return found if stat.S_ISREG(found.st_mode) and path.resolve() == path else None
    except OSError:
        return None


def _file(request: Request, path: Path | None, sentence: str, download_name: str | None = None) -> Response:
    """The file, whole or a range of it, read as it is sent; or else 404 with ``sentence``."""
    found = _regular(path) if path else None
    if path is None or found is None:
        return _gone(sentence)
    media_type = _TYPES.get(path.suffix.lower()) or mimetypes.guess_type(path.name)[0] or _BYTES
    shown = download_name is None and media_type.startswith(_SHOWN) and media_type != "image/svg+xml"
    headers = {
        # Footage would fill the browser's cache, and its ranges. Other files may be written anew under their names.
        "Cache-Control": "private, " + ("no-store" if media_type.startswith(("video/", "audio/")) else "no-cache"),
        "Content-Disposition": _disposition("inline" if shown else "attachment", download_name or path.name),
    }
    response = FileResponse(path, media_type=media_type, headers=headers, stat_result=found)
    etag = response.headers["etag"]
    if "range" not in request.headers and request.headers.get("if-none-match") == etag:
        return Response(status_code=304, headers={"ETag": etag, "Cache-Control": headers["Cache-Control"]})
    return response


def _disposition(kind: str, name: str) -> str:
    """A Content-Disposition for any name, with a second best for what does not know RFC 5987."""
    name = "".join(letter for letter in name if unicodedata.category(letter)[0] != "C").replace("/", "_") or "file"
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    plain = plain.replace("\\", "_").replace('"', "_") or "file"
    return f"{kind}; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}"


def _plain(sentence: str, status: int) -> Response:
    return PlainTextResponse(sentence, status, headers={"Cache-Control": "no-store"})


def _gone(sentence: str) -> Response:
    return _plain(sentence, 404)


MIDDLEWARE = [Middleware(TrustedHostMiddleware, allowed_hosts=own_hosts() + further_hosts(), www_redirect=False)]
"""For the whole app, Streamlit's own routes and its websocket too."""

ROUTES = [
    Mount(
        PREFIX,
        routes=[
            Route("/footage/{session}", footage, middleware=[Middleware(ShortRanges)]),
            Route("/footage/{session}/proxy", footage, middleware=[Middleware(ShortRanges)]),
            Route("/data/{digest}", data),
            Route("/parts/{token}/{number:int}", part),
            Route("/file/{token}", file, middleware=[Middleware(ShortRanges)]),
            Route("/zip/{token}", archive),
            Route("/upload", upload, methods=["PUT"]),
            Route("/upload", check, methods=["GET"]),
        ],
        middleware=[*MIDDLEWARE, Middleware(SameOrigin)],
    )
]
"""For ``st.App(routes=...)``."""
