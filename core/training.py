"""A detector from labelled videos, and how good it is on what it was not trained on: what the command line and the app
mean by training."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from core import validate
from core.detector import TrickDetector
from core.errors import Cancelled, UserError
from core.settings import TrainSettings
from core.validate import Labelled, Outcome

Progress = Callable[[str, float], None]
"""Called with the step, "training" or "checking", and how much of it is done, 0 to 1."""


@dataclass(frozen=True)
class Trained:
    """What a training made."""

    detector: TrickDetector
    """Its ``meta`` says how it was validated."""
    outcomes: dict[str, Outcome]
    """Of :func:`core.validate.compare`; empty if too little is labelled to leave any out."""
    unvalidated: str | None
    """Why there are no outcomes: a sentence that says what to label."""

    @property
    def meta(self) -> dict[str, Any]:
        """What the workspace is to know of the model without opening it."""
        return {"settings": self.detector.settings.model_dump(), **self.detector.meta}


def train(
    labelled: Sequence[Labelled],
    settings: TrainSettings,
    backend: str,
    progress: Progress | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> Trained:
    """Train on all of the labelled videos, and validate on parts left out.

    Args:
        backend: name of the pose backend that saw them, as :attr:`core.pipeline.Look.backend`.
        cancelled: asked between two trainings, each of which takes seconds.

    Raises:
        UserError: there is no frame of a trick, or nothing but tricks, to learn from.
        Cancelled: ``cancelled`` said so.
    """

    def checking(done: float) -> None:
        if progress:
            progress("checking", done)

    if progress:
        progress("training", 0.0)
    detector = TrickDetector.fit([item.example for item in labelled], settings, meta={"pose": backend})
    if cancelled and cancelled():
        raise Cancelled
    outcomes: dict[str, Outcome] = {}
    unvalidated = None
    try:
        outcomes = validate.compare(labelled, settings, progress=checking, cancelled=cancelled)
    except UserError as error:
        unvalidated = str(error)
    detector.meta["validation"] = {name: outcome.to_json() for name, outcome in outcomes.items()}
    return Trained(detector, outcomes, unvalidated)
