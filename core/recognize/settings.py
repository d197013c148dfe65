"""Every knob of training a recognizer, with the field's names and the defaults.

>>> RecognizeSettings(arch="tsn").rare_below
30
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from core.recognize.networks import Config
from core.recognize.networks import Name as Arch
from core.settings import Settings

Schedule = Literal["cosine", "constant"]
Balance = Literal["weights", "sampling", "none"]
Precision = Literal["auto", "32-true", "bf16-mixed", "16-mixed"]

SEED = 42


class AugmentSettings(Settings):
    """How training clips are changed. Nothing of this happens to clips that a recognizer is judged on."""

    rare_below: int = Field(30, ge=0)
    """A class with fewer training clips is made up to this number by turned and shifted copies; 0 makes none."""
    rotate_deg: float = Field(10.0, ge=0, le=45)
    """Copies are turned by up to so many degrees either way."""
    shift: float = Field(0.1, ge=0, le=0.5)
    """Copies are shifted by up to this fraction of the width and of the height."""
    flip: bool = False
    """Whether half of the training clips are mirrored. Left and right must mean the same then."""
    colour: float = Field(0.1, ge=0, lt=1)
    """Brightness, contrast and saturation of a training clip are changed by up to this fraction."""


class RecognizeSettings(Settings):
    """How a recognizer is trained."""

    arch: Arch = "r2plus1d"
    config: Config = Field(default_factory=dict)
    """Sizes of the network other than the published ones, by the names in the architecture's own ``config``."""
    weights: str = "pretrained"
    """Where it begins: "pretrained" (downloaded once), "scratch", or the path of a file or folder with weights."""
    frames: int | None = Field(None, ge=1, le=128)
    """Frames that are looked at in a moment; None is what the network was published with."""
    size: int | None = Field(None, ge=16, le=1024)
    """Side of the square pictures, in pixels; None is what the network was published with."""
    stride: int = Field(1, ge=1, le=16)
    """Decoded frames from one frame of a window to the next (R(2+1)D only)."""
    epochs: int = Field(30, ge=1)
    batch: int = Field(8, ge=1)
    """Clips in a batch, on each device."""
    lr: float = Field(1e-4, gt=0)
    """Step of AdamW."""
    weight_decay: float = Field(0.01, ge=0)
    schedule: Schedule = "cosine"
    """The step goes down to 0 over all epochs along half a cosine, or stays as it is."""
    clip_norm: float = Field(1.0, ge=0)
    """A gradient that is longer (L2) is shortened to this; 0 leaves it."""
    balance: Balance = "weights"
    """Rare classes weigh more in the loss, are drawn more often, or neither."""
    patience: int = Field(8, ge=1)
    """So many epochs in a row without a better macro F1 on the validation part end the training."""
    augment: AugmentSettings = AugmentSettings()
    seed: int = Field(SEED, ge=0)
    workers: int | None = Field(None, ge=0)
    """Processes that read clips; None is none on the processor, and one less than there are cores, at most 8, for a
    card."""
    accelerator: Literal["auto", "cpu", "gpu"] = "auto"
    devices: int | Literal["auto"] = "auto"
    strategy: str = "auto"
    """How several cards share the work, as Lightning names it, such as "ddp"."""
    precision: Precision = "auto"
    """Of the arithmetic; "auto" is bf16 or 16 bit mixed with 32 on a card, whichever it can do, and 32 elsewhere."""
