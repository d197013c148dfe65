"""Any trained recognizer, whatever its architecture, from its folder.

>>> recognizer = open_recognizer(Path("recognizer"), workspace)          # doctest: +SKIP
>>> recognizer.predict(samples).shape                                    # doctest: +SKIP
(12, 2)
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from core.errors import UserError
from core.recognize.samples import ClipSample

if TYPE_CHECKING:
    from core.workspace import Workspace

CARD = "recognizer.json"
LIGHT = "light"
_LARGEST_CARD = 1_000_000
Progress = Callable[[str, float], None]
Cancel = Callable[[], bool]


class _Predict(Protocol):
    def __call__(
        self, samples: Sequence[ClipSample], progress: Progress | None, cancelled: Cancel | None
    ) -> NDArray[np.floating]: ...


@dataclass(frozen=True, eq=False)
class OpenedRecognizer:
    """A recognizer that is ready to name moments."""

    folder: Path
    architecture: str
    classes: tuple[str, ...]
    """In the order of the probabilities."""
    unsure_below: float
    """A moment whose highest probability is below had better stay unnamed; 0 where that was not found out."""
    clip_s: float | None
    """How long the clips were that it was trained on: their median, in seconds; None where that was not kept."""
    _predict: _Predict

    def predict(
        self,
        samples: Sequence[ClipSample],
        /,
        progress: Progress | None = None,
        cancelled: Cancel | None = None,
    ) -> NDArray[np.float64]:
        """Probabilities, shape ``(n, classes)``; each row adds up to 1.

        Raises:
            UserError: a video cannot be read, or the memory does not do.
            Cancelled: ``cancelled`` said so.
        """
        return np.asarray(self._predict(samples, progress, cancelled), np.float64)


def architecture_of(folder: Path) -> str:
    """What the recognizer in a folder is.

    Raises:
        UserError: there is none.
    """
    card = folder / CARD
    try:
        if card.stat().st_size > _LARGEST_CARD:
            raise ValueError("too large for a card")
        architecture = json.loads(card.read_text("utf-8"))["architecture"]
        if not isinstance(architecture, str):
            raise TypeError("not a name")
    except OSError as error:
        raise UserError(f"{folder} is no recognizer, for it has no {CARD}: choose the folder of a training.") from error
    except (LookupError, TypeError, ValueError, RecursionError) as error:
        raise UserError(f"{card} is not the card of a recognizer: train anew or copy it again.") from error
    return architecture


def open_recognizer(folder: Path, workspace: Workspace, device: str = "auto") -> OpenedRecognizer:
    """Load what was trained into ``folder``. Nothing in it can run.

    Args:
        workspace: where what a light recognizer sees is kept.
        device: of a network: ``auto``, ``cpu`` or ``cuda``.

    Raises:
        UserError: there is no recognizer, it is damaged, or what it needs is not installed.
    """
    architecture = architecture_of(folder)
    if architecture == LIGHT:
        from core.recognize.light.recognizer import LightRecognizer

        light = LightRecognizer.load(folder)
        return OpenedRecognizer(
            folder,
            architecture,
            light.classes,
            light.card.unsure_below,
            None,
            lambda samples, progress, cancelled: light.predict(samples, workspace, progress, cancelled),
        )
    check_torch(architecture)
    from core.recognize.checkpoints import load_recognizer

    network = load_recognizer(folder, device)
    return OpenedRecognizer(
        folder,
        architecture,
        network.classes,
        network.card.unsure_below,
        network.card.clip_s,
        lambda samples, progress, cancelled: network.predict(samples, progress=progress, cancelled=cancelled),
    )


def check_torch(architecture: str | None = None) -> None:
    """Learn before the work that networks, or one of them, cannot be used here.

    Raises:
        UserError: PyTorch or Lightning is not installed, or transformers, which TimeSformer needs.
    """
    if not all(find_spec(name) for name in ("torch", "torchvision", "pytorch_lightning")):
        raise UserError("Networks need PyTorch and Lightning: install requirements.txt, or use the light recognizer.")
    if architecture == "timesformer" and not find_spec("transformers"):
        raise UserError("TimeSformer needs the package transformers: install requirements.txt, or use another network.")
