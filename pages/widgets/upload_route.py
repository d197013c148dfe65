"""The route that takes footage from the browser: streamed to the disk, checked, and named after its content.

The body goes to a hidden file in the workspace's folder ``footage``. It gets its name only when it is whole and can be
read as a video; whatever comes in between leaves nothing behind. The answer is a token, with which the page learns the
path: the browser never names one.
"""

from __future__ import annotations

import os
import secrets
import shutil
import unicodedata
from pathlib import Path
from typing import BinaryIO
from urllib.parse import unquote

from anyio import fail_after
from anyio.to_thread import run_sync
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response

from core import upload_waiting
from core.atomic import atomic_path, make_folder
from core.content import content_id
from core.errors import UserError
from core.footage_folder import VIDEO_TYPES
from core.upload_waiting import Uploaded
from core.video import Video

MAX_UPLOAD_GB = 200.0
"""Unless TRICKLINE_MAX_UPLOAD_GB says otherwise. A day of 4K footage is about this much."""
RESERVE = 1 << 30
"""Bytes that stay free on the disk: the database and the tables beside it have to go on."""
STALL_S = 60.0
"""For so long nothing may arrive: then the sender is gone without a word, as when a laptop is closed."""

_BLOCK = 1 << 20
_LOOK_EVERY = 64 << 20
_SHORT = 16 << 20
_NAME = 120

_arriving: dict[str, int] = {}
"""Bytes that each running upload still has to bring, by its temporary file. Only the event loop touches it."""


class Refused(Exception):
    """An upload that is not taken: an HTTP status and a sentence for the user."""

    def __init__(self, status: int, sentence: str) -> None:
        super().__init__(sentence)
        self.status = status


async def check(request: Request) -> Response:
    """Whether an upload would be taken: 204, or the refusal.

    The page asks before it sends, because a browser shows an answer only after it has sent all, and again after a
    broken connection, to learn why.
    """
    try:
        size = request.query_params.get("size", "")
        _admit(_name(request.query_params.get("name", "")), int(size) if size.isdecimal() else 0, _folder(request))
    except Refused as refusal:
        return _refusal(request, refusal)
    return Response(status_code=204, headers={"Cache-Control": "no-store"})


async def upload(request: Request) -> Response:
    """Take one video: ``PUT`` with ``X-Trickline: upload``, its length, and its name URL-encoded in ``X-Name``.

    Answers 201 with ``{"token": ...}``, or the status of a refusal with ``{"error": sentence}``.
    """
    try:
        return await _receive(request)
    except Refused as refusal:
        return _refusal(request, refusal)
    except ClientDisconnect:
        return Response(status_code=400)  # for nobody


async def _receive(request: Request) -> Response:
    folder = _folder(request)
    name = _name(unquote(request.headers.get("x-name", "")))
    length = request.headers.get("content-length", "")
    if not length.isdecimal():
        raise Refused(411, "The upload does not say how long it is; send it from the Upload page.")
    suffix = _admit(name, int(length), folder)
    received = folder / f"{secrets.token_hex(16)}{suffix}"
    try:
        with atomic_path(received) as temporary:
            with temporary.open("wb") as file:
                await _write(request, file, name, int(length))
                await run_sync(os.fsync, file.fileno())  # atomic_path does it too, but would hold up the whole server
            await run_sync(_probe, temporary, name)
            if await request.is_disconnected():
                raise ClientDisconnect
        path = await run_sync(_name_by_content, received)
        token = await run_sync(upload_waiting.put, folder.parent, Uploaded(path, Path(name).stem))
    except UserError as error:
        raise Refused(507, str(error)) from error
    return JSONResponse({"token": token}, 201, headers={"Cache-Control": "no-store"})


async def _write(request: Request, file: BinaryIO, name: str, length: int) -> None:
    """Write the body to ``file``, in a thread, at the pace of the disk: what is not read yet waits at the sender."""
    body = request.stream()
    block = bytearray()
    written = looked = 0
    try:
        while True:
            _arriving[file.name] = length - written
            with fail_after(STALL_S):
                chunk = await anext(body, None)
            block += chunk or b""
            if chunk is None or len(block) >= _BLOCK:
                await run_sync(file.write, bytes(block))
                written += len(block)
                block.clear()
            if chunk is None:
                break
            if written - looked >= _LOOK_EVERY:
                looked = written
                _check_space(name, 0, Path(file.name).parent)
    except TimeoutError as error:
        raise Refused(408, f"Nothing more of {name} arrived for {STALL_S:.0f} s; send it again.") from error
    finally:
        del _arriving[file.name]
    if written != length:
        raise Refused(400, f"{name} did not arrive whole; send it again.")
    await run_sync(file.flush)


def _folder(request: Request) -> Path:
    """The folder that footage arrives in, once it is sure that a page of the studio asks.

    A page of another website cannot set a header of its own without asking first, and is not answered then.
    """
    from pages.widgets import media

    if request.headers.get("x-trickline") != "upload":
        raise Refused(403, "The header X-Trickline is missing; send footage from the Upload page.")
    folder = media.open_workspace().home / "footage"
    try:
        make_folder(folder)
    except UserError as error:
        raise Refused(507, str(error)) from error
    return folder


def _admit(name: str, size: int, folder: Path) -> str:
    """The suffix for a file of this name and size in bytes, if it may come."""
    suffix = Path(name).suffix.lower()
    if suffix not in VIDEO_TYPES:
        raise Refused(415, f"{name} does not have the ending of a video, such as .mp4 or .mov; choose a video file.")
    if size == 0:
        raise Refused(422, f"{name} is empty (0 bytes): copy it again from the camera.")
    try:
        most = float(os.environ.get("TRICKLINE_MAX_UPLOAD_GB") or MAX_UPLOAD_GB)
    except ValueError as error:
        raise Refused(500, "TRICKLINE_MAX_UPLOAD_GB is not a number; set it to gigabytes, such as 200.") from error
    if size > most * 1e9:
        raise Refused(
            413,
            f"{name} has {size / 1e9:,.1f} GB and an upload may have {most:,g} GB; add it by its path, or raise"
            " TRICKLINE_MAX_UPLOAD_GB.",
        )
    _check_space(name, size + sum(_arriving.values()), folder)
    return suffix


def _check_space(name: str, needed: int, folder: Path) -> None:
    room = shutil.disk_usage(folder).free - RESERVE
    if room < needed:
        raise Refused(
            507,
            f"There is no room for {name}: the workspace's disk has {max(room, 0) / 1e9:,.1f} GB to spare; free some"
            " space, or add the video by its path.",
        )


def _probe(path: Path, name: str) -> None:
    """Raises Refused if the file is no video that can be read."""
    try:
        Video.open(path)
    except UserError as error:
        raise Refused(422, str(error).replace(path.name, name)) from error


def _name_by_content(received: Path) -> Path:
    """Name the file after its content: sent twice, it lies there once."""
    final = received.with_stem(content_id(received))
    if final.exists():
        received.unlink()
    else:
        os.replace(received, final)
    return final


def _name(given: str) -> str:
    """The user's file name as text to show: no folders, nothing invisible, not long."""
    last = unicodedata.normalize("NFC", given).replace("\\", "/").rpartition("/")[2]
    seen = "".join(" " if letter.isspace() else letter for letter in last)
    seen = " ".join("".join(letter for letter in seen if unicodedata.category(letter)[0] != "C").split())
    stem, dot, suffix = seen.rpartition(".")
    if not dot:
        return seen[:_NAME] or "The file"
    return f"{stem[:_NAME].strip() or 'footage'}.{suffix[:8]}"


def _refusal(request: Request, refusal: Refused) -> Response:
    headers = {"Cache-Control": "no-store"}
    length = request.headers.get("content-length", "0")
    # The server reads on to the end of the body. Of a long one nobody wants that, so the connection is closed; a short
    # one may come, because who still sends when it closes may miss the answer.
    if not length.isdecimal() or int(length) > _SHORT:
        headers["Connection"] = "close"
    return JSONResponse({"error": str(refusal)}, refusal.status, headers=headers)
