"""SMPTE timecode: hours, minutes, seconds and frames, with and without dropped numbers (SMPTE ST 12-1).

    >>> timecode(17982, Fraction(30000, 1001), drop_frame=True)
    '00:10:00;00'
    >>> timecode(17982, Fraction(30000, 1001), drop_frame=False)
    '00:09:59:12'

Timecode counts whole frames a second: 29.97 frames a second are counted as 30, and the clock falls behind by 3.6 s an
hour. Drop-frame timecode makes that good: it passes over the first two numbers (four at 59.94) of every minute but each
tenth. No frame is lost, only numbers.
"""

from __future__ import annotations

import re
from fractions import Fraction

_DROPPING = (Fraction(30000, 1001), Fraction(60000, 1001))
_TIMECODE = re.compile(r"(\d\d):(\d\d):(\d\d)([:;.,])(\d{2,3})")


def drops_frames(rate: Fraction) -> bool:
    """Whether timecode drops frames at this rate, in frames a second, unless told otherwise: at 29.97 and 59.94."""
    return rate in _DROPPING


def timecode(frame: int, rate: Fraction, drop_frame: bool) -> str:
    """Frame ``frame`` of a day as ``hh:mm:ss:ff``, or ``hh:mm:ss;ff`` with drop-frame; it starts anew after 24 hours.

    Args:
        frame: how many frames after midnight.
        rate: frames a second. Above 100 the frames take three digits.
        drop_frame: only for 29.97, 59.94 and 119.88.
    """
    a_second = round(rate)
    if drop_frame:
        dropped = a_second // 15
        tens, rest = divmod(frame, 600 * a_second - 9 * dropped)
        # Nothing is dropped in the first minute of ten, and every minute after it is that much shorter.
        frame += dropped * (9 * tens + max(0, (rest - dropped) // (60 * a_second - dropped)))
    seconds, frames = divmod(frame % (86400 * a_second), a_second)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    width = len(str(a_second - 1))
    return f"{hours:02d}:{minutes:02d}:{seconds:02d}{';' if drop_frame else ':'}{frames:0{width}d}"


def read_timecode(text: str, rate: Fraction) -> tuple[int, bool]:
    """The frame number that a timecode stands for, and whether it is a drop-frame one; undoes :func:`timecode`.

    Raises:
        ValueError: it is no timecode, or there is none like it at this rate.
    """
    found = _TIMECODE.fullmatch(text.strip())
    if not found:
        raise ValueError(f"{text[:20]!r} is no timecode")
    hours, minutes, seconds, frames = (int(found[group]) for group in (1, 2, 3, 5))
    a_second = round(rate)
    # At 119.88, too, some cameras drop numbers; at a whole rate nothing can be dropped, whatever a file says.
    drop_frame = found[4] != ":" and rate.denominator != 1 and round(rate) % 30 == 0
    minute = 60 * hours + minutes
    frame = (60 * minute + seconds) * a_second + frames
    if drop_frame:
        frame -= a_second // 15 * (minute - minute // 10)
    # Numbers that do not exist (frame 30 of 30, a dropped one) come out as others.
    canonical = [int(part) for part in re.findall(r"\d+", timecode(frame, rate, drop_frame))]
    if canonical != [hours, minutes, seconds, frames]:
        raise ValueError(f"there is no {text[:20]} at {float(rate):.5g} frames a second")
    return frame, drop_frame
