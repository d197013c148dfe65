"""What a training of a network knows beside :class:`core.settings.NetworkSettings`, with the defaults.

>>> RecognizeSettings(arch="tsn").augment.rare_below
30
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from core.recognize.networks import Config
from core.recognize.networks import Name as Arch
from core.settings import NetworkSettings

Schedule = Literal["cosine", "constant"]


class RecognizeSettings(NetworkSettings):
    """How a network is trained, with what only programs choose."""

    arch: Arch = "r2plus1d"
    config: Config = Field(default_factory=dict)
    """Sizes of the network other than the published ones, by the names in the architecture's own ``config``."""
    weight_decay: float = Field(0.01, ge=0)
    schedule: Schedule = "cosine"
    """The step goes down to 0 over all epochs along half a cosine, or stays as it is."""
    clip_norm: float = Field(1.0, ge=0)
    """A gradient that is longer (L2) is shortened to this; 0 leaves it."""
    workers: int | None = Field(None, ge=0)
    """Processes that read clips; None is none on the processor, and one less than there are cores, at most 8, for a
    card."""
