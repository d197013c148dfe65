"""Times as people read them.

>>> clock(8.2333), clock(3725.5)
('0:08.23', '1:02:05.50')
"""

from __future__ import annotations


def clock(seconds: float) -> str:
    """Seconds as ``m:ss.hh``, or ``h:mm:ss.hh`` from an hour on; cut off and not rounded, so that no time is shown
    before it has come."""
    hundredths = int(seconds * 100 + 1e-6)
    minutes, rest = divmod(hundredths, 6000)
    hours, minutes = divmod(minutes, 60)
    ahead = f"{hours}:{minutes:02d}" if hours else f"{minutes}"
    return f"{ahead}:{rest // 100:02d}.{rest % 100:02d}"
