"""The networks that name a moment, one module each, found by name; PyTorch is imported with the first asked for.

    >>> network = architecture("tsn").build(4, {})                           # doctest: +SKIP

All take pictures of shape ``(n, t, 3, h, w)``, float32, with the mean taken off, and give logits ``(n, classes)``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_args

from pydantic import Field

from core.errors import UserError
from core.recognize.sampling import Scheme

if TYPE_CHECKING:
    import torch

Name = Literal["r2plus1d", "tsn", "timesformer"]
NAMES: tuple[Name, ...] = get_args(Name)
_Counts = Annotated[list[Annotated[int, Field(ge=1, le=64)]], Field(max_length=8)]
Config = dict[str, Annotated[int, Field(ge=0, le=4096)] | Annotated[float, Field(ge=0, le=4096)] | _Counts]
"""Sizes of a network. They may come from a file, so that they have bounds."""
State = dict[str, "torch.Tensor"]
"""Weights by their names."""


@dataclass(frozen=True)
class Architecture:
    """One kind of network and how it wants its frames."""

    name: Name
    title: str
    """As the paper calls it."""
    frames: int
    """Frames of a clip."""
    size: int
    """Side of the square pictures, pixels."""
    mean: tuple[float, float, float]
    """Of red, green and blue, 0..1, over what the published weights were trained on."""
    std: tuple[float, float, float]
    sampling: Scheme
    head: str
    """What the names of the weights that tell classes apart begin with."""
    make: Callable[[int, dict[str, Any]], torch.nn.Module]
    """Number of classes and the whole configuration to a network with random weights."""
    config: Mapping[str, Any]
    """Sizes as published."""
    tiny: Mapping[str, Any]
    """Sizes that train in seconds."""
    download: Callable[[], State]
    """The published weights, from the network's publisher or the cache of an earlier download; raises OSError."""
    pretrained_on: str
    fit: Callable[[State, State], State] = lambda state, _: state
    """Weights for another number of frames or another size, made to fit those of a network."""

    def build(self, classes: int, config: Mapping[str, Any], frames: int | None = None, size: int | None = None) -> Any:
        """A network with random weights (seed torch before).

        Args:
            classes: how many there are to tell apart.
            config: what differs from :attr:`config`.

        Raises:
            UserError: an unknown name or an impossible size in ``config``.
        """
        unknown = sorted(set(config) - set(self.config))
        if unknown:
            raise UserError(f"{self.title} has no size {unknown[0]!r}: it has {', '.join(self.config)}.")
        whole = {**self.config, **config, "frames": frames or self.frames, "size": size or self.size}
        try:
            return self.make(classes, whole)
        except (ValueError, TypeError, IndexError, ZeroDivisionError, RuntimeError) as error:
            raise UserError(f"{self.title} cannot be built with the sizes {dict(config)}: check them.") from error


def architecture(name: str) -> Architecture:
    """By its name.

    Raises:
        UserError: there is none, or PyTorch and what goes with it is not installed.
    """
    if name not in NAMES:
        raise UserError(f"There is no network {name!r}: choose one of {', '.join(NAMES)}.")
    try:
        found: Architecture = import_module(f"{__name__}.{name}").ARCHITECTURE
    except ImportError as error:
        raise UserError(
            f"Training and recognizing with {name} needs the package {error.name}, which is not installed: "
            "run make dev, or pip install -r requirements.txt."
        ) from error
    return found
