"""Times are shown as people read them."""

from __future__ import annotations

import pytest

from core.timecode import clock


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (0.0, "0:00.00"),
        (8.2333, "0:08.23"),
        (8.23, "0:08.23"),  # a little less in a float
        (59.999, "0:59.99"),  # not 0:60.00, and not a time that has not come
        (60.0, "1:00.00"),
        (3725.5, "1:02:05.50"),
    ],
)
def test_times_read_like_a_clock(seconds: float, shown: str) -> None:
    assert clock(seconds) == shown
