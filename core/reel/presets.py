"""What each place that a reel is posted to takes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from core.framing import Aspect
from core.settings import ReelPreset


@dataclass(frozen=True)
class Margins:
    """What the buttons and captions of an app may cover, as shares of the picture's width and height."""

    left: float
    right: float
    top: float
    bottom: float


@dataclass(frozen=True)
class Preset:
    """Size, rate and length of a reel."""

    width: int
    """Pixels, even."""
    height: int
    longest_s: float | None
    """None for any length."""
    aspect: Aspect
    """What footage of another shape is cropped to; ``source`` shows it whole, over its own blurred picture."""
    margins: Margins
    fps: int = 30
    """Frames a second: a divisor of the 48000 samples of a second of sound."""


# Meta asks to keep words of a Reel away from the upper 14 %, the lower 35 % of advertisements (the lower fifth without
# their button) and 6 % at either side; the column of buttons takes the right seventh of the lower half
# (https://www.facebook.com/business/help/980593475366490). Shorts covers about the same.
_UPRIGHT = Margins(left=0.07, right=0.17, top=0.15, bottom=0.22)

PRESETS: Mapping[ReelPreset, Preset] = MappingProxyType(
    {
        # What the Instagram app records; longer ones are hardly recommended to others.
        "instagram": Preset(1080, 1920, 90.0, "9:16", _UPRIGHT),
        # Three minutes since 15 October 2024 (https://support.google.com/youtube/answer/15424877); one of more than a
        # minute is blocked there if somebody claims its music, see core.reel.choose.
        "short": Preset(1080, 1920, 180.0, "9:16", _UPRIGHT),
        "full": Preset(1920, 1080, None, "source", Margins(left=0.05, right=0.05, top=0.08, bottom=0.1)),
    }
)
