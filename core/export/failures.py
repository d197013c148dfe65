"""What FFmpeg refuses, said in a sentence."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

import av

from core.errors import UserError
from core.ffmpeg import FFmpegError
from core.video import Video

log = logging.getLogger(__name__)


@contextmanager
def in_a_sentence(video: Video, name: str) -> Iterator[None]:
    """Around what makes the file ``name`` of a video. FFmpeg's own words are for those who know it: they are logged.

    Raises:
        UserError: FFmpeg failed.
    """
    try:
        yield
    except (FFmpegError, av.FFmpegError) as error:
        log.warning("%s of %s failed: %s", name, video.path, error)
        raise UserError(
            f"{name} cannot be made of {video.path.name}: check that it plays there in another program."
        ) from error
