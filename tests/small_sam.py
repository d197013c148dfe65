"""A SAM 2 of Ultralytics' making, but with a small encoder and random numbers."""

from __future__ import annotations

from pathlib import Path
from typing import Any


def small(checkpoint: str | None = None) -> Any:
    """As ``ultralytics.models.sam.build.build_sam2_t``."""
    from ultralytics.models.sam import build

    untyped: Any = build
    return untyped._build_sam2(16, [1, 1, 2, 1], 1, [3], [128, 64, 32, 16], (7, 7), (8, 4, 14, 7), checkpoint)


def known_as_tiny() -> None:
    """Let Ultralytics build it wherever weights are called ``sam2_t.pt``, in this process."""
    from ultralytics.models.sam import build

    build.sam_model_map["sam2_t.pt"] = small


def write_weights(path: Path) -> None:
    """Weights that it was not trained to."""
    import torch

    torch.manual_seed(4)
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.save({"model": small().state_dict()}, path)
