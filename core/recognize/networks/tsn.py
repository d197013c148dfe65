"""TSN: one frame from each segment through the same ResNet, whose logits are averaged (Wang et al. 2016).

The ResNet-50 and its ImageNet weights are torchvision's. It knows what is in the frames, not in which order they are.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torchvision.models import ResNet50_Weights
from torchvision.models.resnet import BasicBlock, Bottleneck, ResNet

from core.recognize.networks import Architecture, State


class TSN(ResNet):  # type: ignore[misc]  # torchvision has no types
    """``(n, t, 3, h, w)``, a picture a segment, to logits ``(n, classes)``."""

    def __init__(self, classes: int, blocks: list[int], bottleneck: bool, dropout: float) -> None:
        """``blocks``: how many each of the four stages has; ``bottleneck``: whether they have three convolutions."""
        super().__init__(Bottleneck if bottleneck else BasicBlock, blocks, classes)
        # Without weights of its own, so that the names of the others stay torchvision's.
        self.avgpool = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Dropout(dropout))

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        n, segments = pictures.shape[:2]
        logits: torch.Tensor = super().forward(pictures.flatten(0, 1))
        return logits.view(n, segments, -1).mean(1)


def _make(classes: int, config: dict[str, Any]) -> TSN:
    return TSN(classes, config["blocks"], bool(config["bottleneck"]), config["dropout"])


def _download() -> State:
    state: State = ResNet50_Weights.IMAGENET1K_V2.get_state_dict(progress=False, check_hash=True)
    return state


ARCHITECTURE = Architecture(
    name="tsn",
    title="TSN",
    frames=8,
    size=224,
    mean=(0.485, 0.456, 0.406),
    std=(0.229, 0.224, 0.225),
    sampling="segments",
    head="fc.",
    make=_make,
    config={"blocks": [3, 4, 6, 3], "bottleneck": 1, "dropout": 0.4},
    tiny={"blocks": [1, 1, 1, 1], "bottleneck": 0},
    download=_download,
    pretrained_on="ImageNet",
)
