"""How a recognizer is to learn: the light one asks for nothing, a network lets itself be tuned."""

from __future__ import annotations

import streamlit as st

from core.errors import UserError
from core.recognize.loading import check_torch
from core.settings import Architecture, AugmentSettings, LearnSettings, Precision
from pages.widgets import recognize
from pages.widgets.folder_choice import kept_input
from pages.widgets.plain_text import escaped

_PUBLISHED, _SCRATCH, _FILE = "Published", "Scratch", "A file"
_LICENCES: dict[Architecture, str] = {
    "r2plus1d": "Downloaded once, 120 MB: torchvision's, BSD-3-Clause, trained on Kinetics-400.",
    "tsn": "Downloaded once, 100 MB: torchvision's ResNet-50, BSD-3-Clause, trained on ImageNet, whose pictures are "
    "for research that earns nothing.",
    "timesformer": "Downloaded once, 500 MB: Facebook's, CC BY-NC 4.0, which allows no commercial use; trained on "
    "Kinetics-400.",
}
PUBLISHED_LOOKS: dict[Architecture, tuple[int, int]] = {"r2plus1d": (16, 112), "tsn": (8, 224), "timesformer": (8, 224)}
"""Frames and pixels of each network as it was published; to ask the network itself would load PyTorch."""
_PRECISIONS: dict[Precision, str] = {
    "auto": "Automatic",
    "32-true": "32 bit",
    "bf16-mixed": "bfloat16 mixed",
    "16-mixed": "16 bit mixed",
}
_DEFAULT = LearnSettings()


def method(drop_rare: bool) -> LearnSettings | None:
    """Draw the choice; None, with a sentence, where that cannot be.

    Args:
        drop_rare: see :class:`core.settings.LearnSettings`.
    """
    arch: Architecture = st.selectbox(
        "How it learns",
        list(recognize.KINDS),
        format_func=lambda one: recognize.KINDS[one][0],
        **kept_input("recognize_arch", "light"),
    )
    st.caption(recognize.KINDS[arch][1])
    if arch == "light":
        with _more():
            return LearnSettings(seed=_seed(), drop_rare=drop_rare)
    try:
        check_torch(arch)
    except UserError as error:
        st.error(escaped(str(error)), icon=":material/error:")
        return None
    weights = _weights(arch)
    if weights is None:
        return None
    with _more():
        return _network(arch).model_copy(update={"weights": weights, "drop_rare": drop_rare})


def _more() -> st.delta_generator.DeltaGenerator:
    return st.expander("More", icon=":material/tune:")


def _weights(arch: Architecture) -> str | None:
    """What a network begins with."""
    weights = st.segmented_control(
        "Weights to begin with", [_PUBLISHED, _SCRATCH, _FILE], required=True,
        **kept_input("recognize_weights", _PUBLISHED),
    )  # fmt: skip
    if weights == _PUBLISHED:
        st.caption(_LICENCES[arch])
        return "pretrained"
    if weights == _SCRATCH:
        st.caption("It begins at random, and needs thousands of clips.")
        return "scratch"
    text = st.text_input("Path of the weights", autocomplete="off", **kept_input("recognize_weights_path", ""))
    if not text.strip():
        st.caption("A .safetensors file, or a state dict of PyTorch's.")
        return None
    try:
        return str(recognize.existing(text))
    except UserError as error:
        st.error(escaped(str(error)), icon=":material/error:")
        return None


def _network(arch: Architecture) -> LearnSettings:
    """The knobs, with the defaults of the settings."""
    frames, size = PUBLISHED_LOOKS[arch]
    st.caption("The training")
    left, right = st.columns(2)
    epochs = left.number_input(
        "Epochs",
        1,
        1000,
        help="How often it sees all clips, at most.",
        **kept_input("recognize_epochs", _DEFAULT.epochs),
    )
    patience = right.number_input(
        "Patience", 1, 1000, help="So many epochs in a row without getting better end the training early.",
        **kept_input("recognize_patience", _DEFAULT.patience),
    )  # fmt: skip
    lr = left.number_input(
        "Learning rate", 1e-7, 1.0, step=1e-5, format="%.1e",
        help="How far each step of AdamW goes. Smaller is slower and safer; too large and it forgets what the "
        "published weights know.",
        **kept_input("recognize_lr", _DEFAULT.lr),
    )  # fmt: skip
    batch = right.number_input(
        "Clips at a time", 1, 256, help="Fewer need less memory.", **kept_input("recognize_batch", _DEFAULT.batch)
    )
    precision: Precision = left.selectbox(
        "Precision", list(_PRECISIONS), format_func=lambda one: _PRECISIONS[one],
        help="Of the arithmetic; automatic is what the machine does best. Mixed is faster and takes less memory on a "
        "graphics card, 16 bit works on one alone.",
        **kept_input("recognize_precision", _DEFAULT.precision),
    )  # fmt: skip
    with right:
        seed = _seed()
    st.caption("What it looks at")
    left, right = st.columns(2)
    wanted_frames = left.number_input(
        "Frames of a clip", 1, 128, value=None, placeholder=str(frames),
        help="As published if empty. More see a longer trick more closely, and take as much more time and memory.",
        **kept_input("recognize_frames", None),
    )  # fmt: skip
    wanted_size = right.number_input(
        "Picture, pixels", 16, 1024, value=None, placeholder=str(size), step=16,
        help="Its side; as published if empty. A larger picture shows small skaters better; twice the side takes four "
        "times as long.",
        **kept_input("recognize_size", None),
    )  # fmt: skip
    augment = _augment()
    return LearnSettings(
        arch=arch,
        epochs=epochs,
        patience=patience,
        lr=lr,
        batch=batch,
        precision=precision,
        seed=seed,
        frames=wanted_frames,
        size=wanted_size,
        augment=augment,
    )


def _augment() -> AugmentSettings:
    default = _DEFAULT.augment
    st.caption("Changed copies, of clips that it learns from alone")
    left, right = st.columns(2)
    rare_below = left.number_input(
        "Fewest clips", 0, 10_000,
        help="A name with fewer is made up to so many by turned and shifted copies; 0 makes none.",
        **kept_input("recognize_rare_below", default.rare_below),
    )  # fmt: skip
    rotate_deg = right.number_input(
        "Turned, degrees", 0.0, 45.0, step=1.0, format="%.0f",
        help="Copies are turned by up to so much either way.", **kept_input("recognize_rotate", default.rotate_deg),
    )  # fmt: skip
    shift = left.number_input(
        "Shifted", 0.0, 0.5, step=0.05, format="%.2f",
        help="Copies are shifted by up to this share of the picture.", **kept_input("recognize_shift", default.shift),
    )  # fmt: skip
    colour = right.number_input(
        "Colours", 0.0, 0.95, step=0.05, format="%.2f",
        help="Brightness, contrast and colourfulness of all clips change by up to this share.",
        **kept_input("recognize_colour", default.colour),
    )  # fmt: skip
    flip = st.checkbox(
        "Mirror half of the clips",
        help="Only where left and right mean the same: not where frontside and backside are to be told apart.",
        **kept_input("recognize_flip", default.flip),
    )
    return AugmentSettings(rare_below=rare_below, rotate_deg=rotate_deg, shift=shift, colour=colour, flip=flip)


def _seed() -> int:
    return int(
        st.number_input(
            "Seed", 0, 2**32 - 1, help="The same seed trains the same again.",
            **kept_input("recognize_seed", _DEFAULT.seed),
        )
    )  # fmt: skip
