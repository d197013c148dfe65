"""When each frame of a file is shown, as its packets say, without decoding one."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.atomic import atomic_path
from core.errors import UserError

log = logging.getLogger(__name__)


def packet_times(container: Any, stream: Any) -> tuple[list[Any], int, bool]:
    """When each frame is shown, in ticks (None for all if the file has no times), and how long the last one is.

    The third value says that frames can only be told apart by counting. So it is in an AVI, which notes when a frame is
    handed to the decoder, as soon as frames are stored in another order than shown: FFmpeg makes their PTS up.
    """
    ticks: list[Any] = []
    keyframe_pts: int | None = None
    started = in_order = False
    in_avi = container.format.name == "avi"
    last: tuple[int, int] = (-(2**62), 0)
    for packet in container.demux(stream):
        if packet.size == 0:
            continue
        if not started and packet.is_keyframe:
            started, keyframe_pts = True, packet.pts
        # Nothing before the first keyframe can be decoded, nor what is shown before it (open GOP).
        early = keyframe_pts is not None and packet.pts is not None and packet.pts < keyframe_pts
        if not started or early or packet.is_discard:
            continue
        shown = packet.dts if in_avi else packet.pts
        in_order |= in_avi and packet.pts != packet.dts
        ticks.append(shown)
        if shown is not None and shown > last[0]:
            last = (shown, packet.duration or 0)
    # Damage may cost a packet its time, and that frame is lost; a file without times has none at all.
    known = [tick for tick in ticks if tick is not None]
    if 2 * len(known) < len(ticks):
        return [None] * len(ticks), 0, True
    return known, last[1], in_order


def keep_times(path: Path, ticks: list[Any], last_duration: int, in_order: bool) -> None:
    """Write what :func:`packet_times` said: one row of int64, the number of frames first."""
    known = [] if ticks[0] is None else ticks
    try:
        with atomic_path(path) as temporary, temporary.open("wb") as file:
            np.save(file, np.array([len(ticks), last_duration, in_order, *known], np.int64))
    except UserError as error:  # it can be read again each time
        log.info("%s", error)


def kept_times(path: Path) -> tuple[list[Any], int, bool] | None:
    """What :func:`keep_times` wrote; None where there is no such file, or a damaged one."""
    try:
        row = np.load(path, allow_pickle=False)
        n, last_duration, in_order, *ticks = row.tolist()
    except (OSError, EOFError, ValueError):
        return None
    return (ticks or [None] * n, last_duration, bool(in_order)) if len(ticks) in (0, n) else None


def numbered(packets: Iterator[Any]) -> Iterator[Any]:
    """The packets from the first keyframe on, with their number in the file for a PTS, which the decoder hands on."""
    number = 0
    for packet in packets:
        if packet.size and (number or packet.is_keyframe):
            packet.pts = number
            number += 1
        if number:
            yield packet


def average_rate(pts: NDArray[np.int64], time_base: Fraction, stream: Any) -> tuple[Fraction, bool]:
    """Average rate as a fraction, and whether the rate varies by more than the rounding of the timestamps."""
    told = Fraction(stream.average_rate or stream.guessed_rate or 25)
    if len(pts) < 2:
        return told, False
    steps = np.diff(pts)
    middle = float(np.median(steps))
    # Containers that count in milliseconds, or came through one that does, jitter by one of them; others by one tick,
    # unless a tick is about as long as a frame.
    jitter = max(1.0 if middle > 4 else 0.0, 0.00105 / float(time_base))
    variable = bool(np.abs(steps - middle).max() > jitter)
    measured = Fraction(len(pts) - 1) / (int(pts[-1] - pts[0]) * time_base)
    # The header's rate is the exact one (30000/1001) unless the timestamps say otherwise.
    return (told if abs(told / measured - 1) < Fraction(1, 1000) else measured), variable
