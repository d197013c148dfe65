"""TimeSformer: attention over time and then over the picture in each block (Bertasius et al. 2021).

The network is that of transformers, the Kinetics-400 weights are its authors' (CC BY-NC 4.0).
"""

from __future__ import annotations

from typing import Any

import torch
from torch.hub import load_state_dict_from_url
from torch.nn import functional
from transformers import TimesformerConfig, TimesformerForVideoClassification

from core.recognize.networks import Architecture, State

_NAME = "timesformer-base-finetuned-k400"
_URL = f"https://huggingface.co/facebook/{_NAME}/resolve/72d580cae9d3a854630da97a8cfd8e42ab97dbca/pytorch_model.bin"
_TIMES = "timesformer.embeddings.time_embeddings"
_PLACES = "timesformer.embeddings.position_embeddings"
_WIDEST, _DEEPEST = 1280, 32  # those of the huge vision transformer (Dosovitskiy et al. 2021)


class TimeSformer(TimesformerForVideoClassification):  # type: ignore[misc]
    """``(n, t, 3, h, w)`` to logits ``(n, classes)``."""

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = super().forward(pixel_values=pictures, return_dict=True).logits
        return logits


def _make(classes: int, config: dict[str, Any]) -> TimeSformer:
    width, patch = config["width"], config["patch"]
    if width > _WIDEST or config["layers"] > _DEEPEST:
        raise ValueError(f"at most {_DEEPEST} layers that are {_WIDEST} wide")
    if width % config["heads"] or config["size"] % patch:
        raise ValueError("the width must be a multiple of the heads, and the size one of the patch")
    network = TimeSformer(
        TimesformerConfig(
            image_size=config["size"],
            patch_size=patch,
            num_frames=config["frames"],
            hidden_size=width,
            num_hidden_layers=config["layers"],
            num_attention_heads=config["heads"],
            intermediate_size=4 * width,
            initializer_range=config["spread"],
            num_labels=classes,
        )
    )
    # transformers begins with zeros here, to which frames in any order look the same; places begin as below as well.
    with torch.no_grad():
        torch.nn.init.trunc_normal_(network.get_parameter(_TIMES), std=config["spread"])
    return network


def _fit(state: State, wanted: State) -> State:
    """Positions for another number of frames, interpolated linearly in time, and for another size, bilinearly."""
    fitted = dict(state)
    if _TIMES in state and state[_TIMES].ndim == 3 and state[_TIMES].shape[1] != wanted[_TIMES].shape[1]:
        times = functional.interpolate(state[_TIMES].transpose(1, 2), size=wanted[_TIMES].shape[1], mode="linear")
        fitted[_TIMES] = times.transpose(1, 2)
    if _PLACES in state and state[_PLACES].ndim == 3 and state[_PLACES].shape[1] != wanted[_PLACES].shape[1]:
        first, rest = state[_PLACES][:, :1], state[_PLACES][:, 1:]  # the first is no place: it gathers the clip
        had, needed = (round((tensor.shape[1] - 1) ** 0.5) for tensor in (state[_PLACES], wanted[_PLACES]))
        if had * had == rest.shape[1]:
            square = rest.transpose(1, 2).reshape(1, -1, had, had)
            square = functional.interpolate(square, size=(needed, needed), mode="bilinear")
            fitted[_PLACES] = torch.cat((first, square.flatten(2).transpose(1, 2)), 1)
    return fitted


def _download() -> State:
    # As torchvision's are fetched: the hub's own client repeats for half a minute before it says that there is no net.
    state: State = load_state_dict_from_url(
        _URL, map_location="cpu", progress=False, file_name=f"{_NAME}.bin", weights_only=True
    )
    return state


ARCHITECTURE = Architecture(
    name="timesformer",
    title="TimeSformer",
    frames=8,
    size=224,
    mean=(0.45, 0.45, 0.45),
    std=(0.225, 0.225, 0.225),
    sampling="even",
    head="classifier.",
    make=_make,
    config={"width": 768, "layers": 12, "heads": 12, "patch": 16, "spread": 0.02},
    tiny={"width": 32, "layers": 2, "heads": 2, "patch": 8, "spread": 0.4},
    download=_download,
    pretrained_on="Kinetics-400",
    fit=_fit,
)
