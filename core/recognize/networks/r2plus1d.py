"""R(2+1)D-18: residual blocks whose convolutions go over the picture first and over time second (Tran et al. 2018).

The network and its Kinetics-400 weights are torchvision's.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torchvision.models import video
from torchvision.models.video.resnet import BasicBlock, Conv2Plus1D, R2Plus1dStem, VideoResNet

from core.recognize.networks import Architecture, State

_WIDTHS = (64, 128, 256, 512)


class R2Plus1D(VideoResNet):  # type: ignore[misc]  # torchvision has no types
    """torchvision's network, for pictures one after the other: ``(n, t, 3, h, w)`` to logits ``(n, classes)``."""

    def __init__(self, classes: int, blocks: list[int]) -> None:
        """``blocks``: how many each stage has; with fewer than four stages the last ones are left out."""
        stages = len(blocks)
        if not 1 <= stages <= len(_WIDTHS):
            raise ValueError(f"{stages} stages")
        counts = [*blocks, *[1] * (len(_WIDTHS) - stages)]
        super().__init__(BasicBlock, [Conv2Plus1D] * len(_WIDTHS), counts, R2Plus1dStem, classes)
        if stages < len(_WIDTHS):
            for stage in range(stages, len(_WIDTHS)):
                setattr(self, f"layer{stage + 1}", nn.Identity())
            self.fc = nn.Linear(_WIDTHS[stages - 1], classes)

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = super().forward(pictures.transpose(1, 2))
        return logits


def _make(classes: int, config: dict[str, Any]) -> R2Plus1D:
    return R2Plus1D(classes, config["blocks"])


def _download() -> State:
    state: State = video.R2Plus1D_18_Weights.KINETICS400_V1.get_state_dict(progress=False, check_hash=True)
    return state


ARCHITECTURE = Architecture(
    name="r2plus1d",
    title="R(2+1)D-18",
    frames=16,
    size=112,
    mean=(0.43216, 0.394666, 0.37645),
    std=(0.22803, 0.22145, 0.216989),
    sampling="window",
    head="fc.",
    make=_make,
    config={"blocks": [2, 2, 2, 2]},
    tiny={"blocks": [1]},
    download=_download,
    pretrained_on="Kinetics-400",
)
