"""FFmpeg as a child process: its progress, its errors, and a way to stop it.

    >>> run(["-i", "in.mov", "out.mp4"], frames=300, progress=print)         # doctest: +SKIP

The program is the one that imageio-ffmpeg brings, so nothing has to be installed on the system.
"""

from __future__ import annotations

import queue
import subprocess
import threading
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from functools import cache

from core.errors import Cancelled, UserError

Progress = Callable[[float], None]
"""Told how much is done, 0 to 1."""
StopWish = Callable[[], bool]
"""Asked several times a second; true means stop."""

_POLL_S = 0.1
_KEPT_LINES = 12


class FFmpegError(RuntimeError):
    """FFmpeg failed, or wrote something else than it was told to."""

    def __init__(self, what: str, complaints: Sequence[str] = ()) -> None:
        super().__init__("\n".join([what, *complaints]))
        self.complaints = tuple(complaints)
        """The last lines that FFmpeg wrote to stderr."""

    @property
    def disk_full(self) -> bool:
        """Whether the last lines say that there was no room for the output."""
        return self.says("No space left on device") or self.says("Disk quota exceeded")

    def says(self, text: str) -> bool:
        """Whether ``text`` is in the last lines."""
        return any(text in line for line in self.complaints)


@cache
def executable() -> str:
    """Path of the FFmpeg program.

    Raises:
        UserError: there is none.
    """
    import imageio_ffmpeg

    try:
        return str(imageio_ffmpeg.get_ffmpeg_exe())
    except RuntimeError as error:
        raise UserError(
            "No FFmpeg was found: install imageio-ffmpeg, or put the path of one into the variable IMAGEIO_FFMPEG_EXE."
        ) from error


def run(
    arguments: Sequence[str],
    frames: int,
    progress: Progress | None = None,
    cancelled: StopWish | None = None,
) -> tuple[str, ...]:
    """Run FFmpeg with ``arguments`` to its end; an output that exists is written over.

    Args:
        arguments: all that follows the program's name, outputs included.
        frames: how many video frames the output will have: the measure of progress.
        progress: told the fraction written, 0 to 1.
        cancelled: polled ten times a second.

    Returns:
        The last lines that FFmpeg wrote to stderr, such as what the decoder made of damaged footage.

    Raises:
        FFmpegError: it ended with another code than 0.
        Cancelled: ``cancelled`` said so; the process is dead by then, its half-written output the caller's to remove.
    """
    options = [
        "-nostdin",
        "-hide_banner",
        "-v",
        "error",
        "-nostats",
        "-progress",
        "pipe:1",
        "-stats_period",
        "0.2",
        "-y",
    ]
    process = subprocess.Popen(
        [executable(), *options, *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
        errors="replace",
    )
    assert process.stdout
    assert process.stderr
    # Both pipes are read in threads: a full one would stall FFmpeg, and a silent FFmpeg must not delay a cancel.
    written: queue.Queue[int | None] = queue.Queue()
    complaints: deque[str] = deque(maxlen=_KEPT_LINES)
    readers = [
        threading.Thread(target=_read_progress, args=(process.stdout, written), daemon=True),
        threading.Thread(
            target=lambda lines: complaints.extend(map(str.strip, lines)), args=(process.stderr,), daemon=True
        ),
    ]
    try:
        for reader in readers:
            reader.start()
        _follow(written, frames, progress, cancelled)
        code = process.wait()
    finally:
        # Killed, not asked: FFmpeg would finish the file first, and nobody wants that file.
        process.kill()
        process.wait()
        for reader in readers:
            reader.join()
        process.stdout.close()
        process.stderr.close()
    if code:
        raise FFmpegError(f"FFmpeg ended with code {code}.", complaints)
    return tuple(complaints)


def _read_progress(lines: Iterable[str], written: queue.Queue[int | None]) -> None:
    """Pass on the frame counts of ``-progress``, then None."""
    for line in lines:
        key, _, value = line.partition("=")
        if key == "frame" and value.strip().isdigit():
            written.put(int(value))
    written.put(None)


def _follow(
    written: queue.Queue[int | None], frames: int, progress: Progress | None, cancelled: StopWish | None
) -> None:
    """Hand on progress until FFmpeg closes its end."""
    while True:
        if cancelled and cancelled():
            raise Cancelled
        try:
            count = written.get(timeout=_POLL_S)
        except queue.Empty:
            continue
        if count is None:
            return
        if progress:
            progress(min(1.0, count / frames))
