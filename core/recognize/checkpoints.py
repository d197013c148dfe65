"""A trained recognizer as a folder, and what it says about moments.

    >>> recognizer = load_recognizer(Path("recognizer"))                     # doctest: +SKIP
    >>> recognizer.predict(samples).argmax(1)                                # doctest: +SKIP

The folder holds ``model.safetensors``, the weights, and ``recognizer.json``, a :class:`Card`. Neither can run anything.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from safetensors.torch import save

from core.atomic import atomic_path
from core.errors import Cancelled, UserError
from core.recognize.clips_data import Looks
from core.recognize.memory import out_of_memory
from core.recognize.networks import Config, Name, State, architecture
from core.recognize.samples import ClipSample
from core.recognize.sampling import Scheme, frame_count
from core.recognize.videos import Videos
from core.recognize.weights import read_state

WEIGHTS, CARD = "model.safetensors", "recognizer.json"
_PACKAGES = ("torch", "torchvision", "transformers", "pytorch-lightning")
_Colour = tuple[float, float, float]


class Card(BaseModel):
    """What there is to know of a recognizer."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    format: Literal[1] = 1
    architecture: Name
    config: Config
    classes: list[str] = Field(min_length=1, max_length=10_000)
    """In the order of the probabilities."""
    sampling: Scheme
    frames: int = Field(ge=1, le=128)
    size: int = Field(ge=16, le=1024)
    stride: int = Field(ge=1, le=16)
    mean: _Colour
    std: _Colour
    dataset: str
    """What it was trained on."""
    seed: int
    epoch: int
    """After which it was kept, from 1."""
    metrics: dict[str, float]
    """On the validation part: ``macro_f1``, ``accuracy`` and ``loss``; of the training part, ``train_loss``."""
    versions: dict[str, str]
    slope: float = Field(1.0, gt=0, le=100)
    """What logits are multiplied with before they are probabilities, found on the validation part."""
    unsure_below: float = Field(0.0, ge=0, le=1)
    """A tenth of the validation clips had a highest probability below this; 0 without any."""
    clip_s: float | None = Field(None, ge=0)
    """How long the training clips are: their median, in seconds."""

    @property
    def looks(self) -> Looks:
        """What it looks at in a moment."""
        return Looks(self.sampling, self.frames, self.size, self.stride)


def versions() -> dict[str, str]:
    """Of the packages that a network's figures hang on."""
    return {package: version(package) for package in _PACKAGES if find_spec(package.replace("-", "_"))}


def as_input(frames: torch.Tensor, mean: Sequence[float], std: Sequence[float]) -> torch.Tensor:
    """Pictures, uint8 ``(n, t, h, w, 3)``, as the networks take them: float32 ``(n, t, 3, h, w)``."""
    scale = torch.tensor(std, device=frames.device) * 255
    offset = torch.tensor(mean, device=frames.device) * 255
    return ((frames.float() - offset) / scale).permute(0, 1, 4, 2, 3).contiguous()


def save_recognizer(folder: Path, state: State, card: Card) -> None:
    """Write both files, each of them whole.

    Raises:
        UserError: the folder cannot be written to.
    """
    with atomic_path(folder / WEIGHTS) as temporary:
        temporary.write_bytes(save({name: value.detach().cpu().contiguous() for name, value in state.items()}))
    with atomic_path(folder / CARD) as temporary:
        temporary.write_text(json.dumps(card.model_dump(), indent=2) + "\n")


def read_card(folder: Path) -> Card:
    """Raises UserError: there is none, or none that this version understands."""
    try:
        return Card.model_validate_json((folder / CARD).read_bytes())
    except OSError as error:
        raise UserError(f"{folder} is no recognizer, for it has no {CARD}: choose the folder of a training.") from error
    except ValidationError as error:
        where = ".".join(map(str, error.errors()[0]["loc"])) or "its syntax"
        raise UserError(f"{folder / CARD} cannot be used because of {where}: train anew or copy it again.") from error


def load_recognizer(folder: Path, device: str = "auto") -> Recognizer:
    """What :func:`core.recognize.training.train` left in ``folder``.

    Args:
        device: as PyTorch names it, such as "cpu" or "cuda:1"; "auto" is a CUDA card if there is one.

    Raises:
        UserError: the folder holds no recognizer, its two files do not belong together, or there is no such device.
    """
    card = read_card(folder)
    with torch.device("meta"):  # without memory: what the card asks for is given room only if the weights are there
        network = architecture(card.architecture).build(len(card.classes), card.config, card.frames, card.size)
    state = read_state(folder)
    wanted = {name: value.shape for name, value in network.state_dict().items()}
    if {name: value.shape for name, value in state.items()} != wanted:
        raise UserError(
            f"{folder / WEIGHTS} does not hold the network that {CARD} speaks of ({card.architecture} with "
            f"{len(card.classes)} classes): copy the whole folder again."
        )
    network.to_empty(device="cpu").load_state_dict(state)
    return Recognizer(card, network, device)


class Recognizer:
    """A network that says how likely a moment is of each class."""

    def __init__(self, card: Card, network: Any, device: str = "auto") -> None:
        self.card = card
        name = ("cuda" if torch.cuda.is_available() else "cpu") if device == "auto" else device
        try:
            self.device = torch.device(name)
            self._network = network.eval().to(self.device)
        except (RuntimeError, AssertionError) as error:
            raise UserError(f"There is no device {name!r} that can be used: choose auto or cpu.") from error

    @property
    def classes(self) -> tuple[str, ...]:
        """In the order of the probabilities."""
        return tuple(self.card.classes)

    def numbers(self, labels: Sequence[str]) -> NDArray[np.int64]:
        """Of classes, by their names.

        Raises:
            UserError: a class that it does not know.
        """
        known = {label: number for number, label in enumerate(self.card.classes)}
        unknown = sorted(set(labels) - set(known))
        if unknown:
            raise UserError(
                f"The recognizer does not know the class {unknown[0]!r}: it was trained on {', '.join(self.classes)}."
            )
        return np.array([known[label] for label in labels], np.int64)

    def predict(
        self,
        clips: Sequence[ClipSample] | NDArray[np.uint8],
        batch: int = 8,
        progress: Callable[[str, float], None] | None = None,
        cancelled: Callable[[], bool] | None = None,
    ) -> NDArray[np.float32]:
        """Probabilities, float32, shape ``(n, classes)``; each row adds up to 1.

        Args:
            clips: moments, or their frames as the network looks at them, RGB, shape ``(n, frames, size, size, 3)``.
            batch: clips at a time.

        Raises:
            UserError: a clip cannot be read, or the memory does not do.
            ValueError: frames of another shape.
            Cancelled: ``cancelled`` said so.
        """
        looks = self.card.looks
        shape = (looks.frames, looks.size, looks.size, 3)
        if isinstance(clips, np.ndarray) and (clips.shape[1:] != shape or clips.dtype != np.uint8):
            raise ValueError(f"frames are {clips.dtype} {clips.shape[1:]}, not uint8 {shape}")
        rows, videos = [np.empty((0, len(self.classes)), np.float32)], Videos()
        for at in range(0, len(clips), batch):
            if cancelled and cancelled():
                raise Cancelled
            some = clips[at : at + batch]
            if not isinstance(some, np.ndarray):
                opened = [(sample, videos.open(sample.path)) for sample in some]
                some = np.stack(
                    [
                        looks.read(sample, frame_count(sample, video), video, cancelled=cancelled)
                        for sample, video in opened
                    ]
                )
            with out_of_memory(batch), torch.inference_mode():
                pictures = torch.from_numpy(np.ascontiguousarray(some)).to(self.device)
                logits = self._network(as_input(pictures, self.card.mean, self.card.std))
                rows.append((self.card.slope * logits.float()).softmax(1).cpu().numpy())
            if progress:
                progress("recognizing", min(1.0, (at + batch) / len(clips)))
        return np.concatenate(rows)
