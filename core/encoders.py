"""Who encodes a clip: x264, or the graphics chip where FFmpeg has an encoder for it that works.

    >>> encoder_arguments("software").options[:2]
    ('-c:v', 'libx264')

Whether a chip's encoder works is only known by trying: FFmpeg lists those it was built with, not those that the machine
has. The settings aim at what x264 gives at crf 18, but nobody has measured that: they were tried on machines without
such a chip alone, where all of them fail and x264 takes over. A clip is counted and timed after every cut, whoever
encoded it, and made again by x264 where it is not as planned.
"""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from functools import cache

from core.errors import Cancelled
from core.ffmpeg import FFmpegError, run
from core.settings import Encoder

log = logging.getLogger(__name__)

_TRIAL_S = 10.0
"""A driver that hangs is given up after so long."""
_TRIAL_FRAMES = 6


@dataclass(frozen=True)
class H264:
    """How FFmpeg is told to encode H.264 in one way."""

    name: str
    """FFmpeg's name of the encoder."""
    options: tuple[str, ...]
    """What stands before the output."""
    device: tuple[str, ...] = ()
    """What stands before the input."""
    upload: str = ""
    """Filters after all others, which hand the pictures to the device."""


# Measured on a 360p session and two 1080p phone clips: veryfast takes a third to two thirds of the time of fast. In
# VMAF it scores 95.8 to 99.5 at crf 18, 94.0 to 99.1 at crf 20 and 90.3 to 95.7 at crf 23 (the encoder's default).
SOFTWARE = H264(
    "libx264", ("-c:v", "libx264", "-preset", "veryfast", "-crf", "18", "-pix_fmt", "yuv420p")
)  # fmt: skip

HARDWARE = (
    # Constant quality, which chips of Apple's own have; those of older Macs refuse it, and the trial fails.
    H264("h264_videotoolbox", ("-c:v", "h264_videotoolbox", "-q:v", "70", "-pix_fmt", "yuv420p")),
    H264("h264_nvenc", ("-c:v", "h264_nvenc", "-preset", "p5", "-rc", "vbr", "-cq", "19", "-b:v", "0",
                        "-pix_fmt", "yuv420p")),
    H264("h264_qsv", ("-c:v", "h264_qsv", "-preset", "medium", "-global_quality", "19", "-pix_fmt", "nv12")),
    H264("h264_amf", ("-c:v", "h264_amf", "-quality", "quality", "-rc", "cqp", "-qp_i", "18", "-qp_p", "20",
                      "-pix_fmt", "nv12")),
    H264("h264_vaapi", ("-c:v", "h264_vaapi", "-rc_mode", "CQP", "-qp", "19"),
         ("-init_hw_device", "vaapi=chip", "-filter_hw_device", "chip"), "format=nv12,hwupload"),
)  # fmt: skip
"""In the order in which they are tried."""


def encoder_arguments(wish: Encoder) -> H264:
    """How to encode: in software, or by the chip where one works.

    Whoever wants to tell the user that the wish could not be met asks :func:`hardware`.
    """
    chip = _working(HARDWARE) if wish == "hardware" else None
    return chip or SOFTWARE


def hardware() -> str | None:
    """FFmpeg's name of the hardware encoder that works here; None if there is none and x264 takes its place.

    The first call takes about half a second, because every encoder is tried.
    """
    chip = _working(HARDWARE)
    return chip.name if chip else None


@cache
def _working(candidates: tuple[H264, ...]) -> H264 | None:
    """The first that encodes a few frames, for the rest of the process."""
    for candidate in candidates:
        if _works(candidate):
            log.info("clips can be encoded by %s", candidate.name)
            return candidate
    log.info("no hardware encoder works here: clips are encoded by %s", SOFTWARE.name)
    return None


def _works(candidate: H264) -> bool:
    until = time.monotonic() + _TRIAL_S
    # Not smaller: some chips refuse less than 146 pixels across.
    picture = f"testsrc2=size=320x240:rate=30:duration={_TRIAL_FRAMES / 30}"
    filters = ",".join(filter(None, ["format=yuv420p", candidate.upload]))
    trial = [
        *candidate.device, *["-f", "lavfi", "-i", picture, "-vf", filters],
        *candidate.options, *["-f", "null", "-"],
    ]  # fmt: skip
    try:
        run(trial, _TRIAL_FRAMES, cancelled=lambda: time.monotonic() > until)
    except (FFmpegError, Cancelled) as error:
        log.debug("%s does not work here: %s", candidate.name, error or f"no answer within {_TRIAL_S:.0f} s")
        return False
    return True
