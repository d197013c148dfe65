"""A form with one video, received into a file that the server names."""

from __future__ import annotations

import errno
import shutil
import time
from pathlib import Path
from typing import BinaryIO

import av
from anyio import fail_after
from anyio.to_thread import run_sync
from fastapi import HTTPException
from starlette.datastructures import UploadFile
from starlette.requests import Request
from starlette.types import Message, Receive

from core.errors import UserError
from core.video import Video

FILE = "file"
"""The field of the form that holds the video."""
STALL_S = 60.0
"""For so long nothing may arrive: then the sender is gone without a word."""
SLOWEST = 20_000
"""Bytes a second. What arrives more slowly after the first :data:`STALL_S` would hold its place for hours."""
_FIELDS, _FIELD_BYTES = 8, 64
_CONTAINERS = "mov,matroska,avi,mpegts,mpeg,mpegvideo,flv,asf,ogg,mxf,h264,hevc,m4v,ivf,dv,nut,rm"
"""FFmpeg's names of what holds a video in itself. Left out are above all the playlists (hls, dash, concat, sdp): a file
that is sent must not name other files of this machine, or addresses, to be looked at."""


async def receive(request: Request, max_bytes: int, path: Path) -> dict[str, str]:
    """Write the file of a form to ``path``.

    What arrives is counted as it comes: ``Content-Length`` may be missing, or not true.

    Returns:
        The other fields that are not empty.

    Raises:
        HTTPException: too much, nothing more arrives, no such form, or no room on the disk.
        ClientDisconnect: the client went away.
    """
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "multipart/form-data":
        raise HTTPException(415, f"Send a form (multipart/form-data) with the video in its field {FILE!r}.")
    length = request.headers.get("content-length", "")
    if length.isdecimal() and (len(length) > 18 or int(length) > max_bytes):
        raise _too_large(max_bytes)
    counted = Request(request.scope, _counted(request.receive, max_bytes))
    try:
        async with counted.form(max_files=1, max_fields=_FIELDS, max_part_size=_FIELD_BYTES) as form:
            video = form.get(FILE)
            if not isinstance(video, UploadFile):
                raise HTTPException(422, f"The form has no file in its field {FILE!r}: put the video there.")
            if not video.size:
                raise HTTPException(422, "The file is empty (0 bytes): copy it again from the camera.")
            await run_sync(_write, video.file, path)
            return {name: value for name, value in form.items() if isinstance(value, str) and value}
    except ValueError as error:  # a form in an encoding that does not exist
        raise HTTPException(400, "The form cannot be read: send it as UTF-8.") from error
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise HTTPException(507, "The server's disk is full: free some space there and send it again.") from error


def opened(path: Path) -> Video:
    """A video that was sent.

    Raises:
        HTTPException: 415 for what is another kind of file, 422 for a video that cannot be read.
    """
    try:
        with av.open(str(path), metadata_errors="ignore", options={"format_whitelist": _CONTAINERS}):
            pass
    except av.ArgumentError as error:
        raise HTTPException(415, "The file is not a video: send one such as an MP4, MOV, MKV or AVI.") from error
    except (av.FFmpegError, OSError):
        pass  # nothing is opened then; what is wrong is said below
    try:
        return Video.open(path)
    except UserError as error:
        raise HTTPException(422, in_a_sentence(error, path)) from error


def in_a_sentence(error: UserError, path: Path) -> str:
    """What it says, without where the file lies here."""
    said = str(error).replace(str(path), path.name)
    return said.replace(path.name, "The file" if said.startswith(path.name) else "the file")


def _write(source: BinaryIO, path: Path) -> None:
    with path.open("xb") as file:
        shutil.copyfileobj(source, file, 1 << 20)


def _counted(receive: Receive, max_bytes: int) -> Receive:
    arrived, began_s = 0, time.monotonic()

    async def counting() -> Message:
        nonlocal arrived
        try:
            with fail_after(STALL_S):
                message = await receive()
        except TimeoutError as error:
            raise _too_slow(f"Nothing more arrived for {STALL_S:.0f} s: send it again.") from error
        arrived += len(message.get("body", b""))
        if time.monotonic() - began_s > STALL_S + arrived / SLOWEST:
            raise _too_slow(f"It arrives at less than {SLOWEST / 1000:g} kB a second: send it over a faster line.")
        if arrived > max_bytes:
            raise _too_large(max_bytes)
        return message

    return counting


def _too_slow(said: str) -> HTTPException:
    return HTTPException(408, said, {"Connection": "close"})


def _too_large(max_bytes: int) -> HTTPException:
    said = (
        f"The request has more than {max_bytes / 1e6:,g} MB, which is the most that is taken here: send a shorter clip,"
        " or start the server with a larger --max-mb."
    )
    # The server would read on to the end of what nobody wants.
    return HTTPException(413, said, {"Connection": "close"})
