"""A detector from labelled and reviewed videos, the settings that suit it, and how good it is on what it was not
trained on: what the command line and the app mean by training."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from core import validate
from core.detector import TrickDetector
from core.errors import Cancelled, UserError
from core.settings import EventSettings, TrainSettings
from core.validate import Labelled, Outcome

if TYPE_CHECKING:
    from core.unseen import Unseen

Progress = Callable[[str, float], None]
"""Called with the step, such as "training" or "checking", and how much of it is done, 0 to 1."""


@dataclass(frozen=True)
class Trained:
    """What a training made."""

    detector: TrickDetector
    """Its ``events`` are those that do best on what it was not trained on; its ``meta`` says how it was validated, and
    what the corrections were worth."""
    outcomes: dict[str, Outcome]
    """Of :func:`core.validate.compare`; empty if too little is labelled to leave any out."""
    unvalidated: str | None
    """Why there are no outcomes: a sentence that says what to label."""
    untuned: str | None
    """Why the event settings are the defaults: a sentence."""
    unseen: Unseen | None = None
    """What such detectors made of what they had not seen, where it was asked for and could be had."""

    @property
    def meta(self) -> dict[str, Any]:
        """What the workspace is to know of the model without opening it."""
        return {"settings": self.detector.settings.model_dump(), **self.detector.meta}


def train(
    labelled: Sequence[Labelled],
    settings: TrainSettings,
    backends: Sequence[str],
    progress: Progress | None = None,
    cancelled: Callable[[], bool] | None = None,
    wanted_recall: float | None = None,
    replayed: bool = False,
    names: Sequence[str] | None = None,
    weighed: bool = False,
) -> Trained:
    """Train on all of the labelled videos, choose the event settings and validate on parts left out.

    Args:
        backends: for each video the name of the pose backend that saw it, as :attr:`core.sighting.Look.backend`.
        cancelled: asked between two trainings, each of which takes seconds.
        wanted_recall: share of the tricks, 0 to 1, that the event settings are to find whatever false alarms that
            costs; None is as many right as possible. See :func:`core.tune.best`.
        replayed: whether to measure what the corrections were worth, see :func:`core.learning_curve.worth`; the curve
            is ``meta["learning_curve"]`` where there is enough for one.
        names: what to call the videos in a sentence; as their files by default.
        weighed: whether to find out which signals it leans on, see :mod:`core.unseen`.

    Raises:
        UserError: there is no frame of a trick, or nothing but tricks, to learn from, or different networks saw the
            videos.
        Cancelled: ``cancelled`` said so.
    """

    def at(step: str, done: float = 0.0) -> None:
        if cancelled and cancelled():
            raise Cancelled
        if progress:
            progress(step, done)

    check_backends(names or [video.example.name for video in labelled], backends)
    at("training")
    detector = TrickDetector.fit([video.example for video in labelled], settings, meta={"pose": backends[0]})
    at("tuning")
    made = _unseen(labelled, settings) if weighed else None
    chosen, untuned = event_settings(labelled, settings, wanted_recall, made)
    detector.events = chosen
    outcomes: dict[str, Outcome] = {}
    unvalidated = None
    try:
        outcomes = validate.compare(labelled, settings, progress=lambda done: at("checking", done), cancelled=cancelled)
    except UserError as error:
        unvalidated = str(error)
    detector.meta["validation"] = {name: outcome.to_json() for name, outcome in outcomes.items()}
    if replayed:
        curve = _curve(labelled, settings, lambda done: at("replaying the corrections", done))
        if curve:
            detector.meta["learning_curve"] = curve
    return Trained(detector, outcomes, unvalidated, untuned, made)


def check_backends(names: Sequence[str], backends: Sequence[str]) -> None:
    """See that one network saw all the videos: its poses are what a detector learns, and no two networks see the same.

    The runtime makes no difference: MoveNet on OpenVINO and on LiteRT are the same weights.

    Args:
        names: of the videos, in the order of ``backends``.

    Raises:
        UserError: it says which video was seen by which.
    """
    seen: dict[str, list[str]] = {}
    for name, backend in zip(names, backends, strict=True):
        seen.setdefault(backend.split("-")[0], []).append(name)
    if len(seen) > 1:
        parts = [f"{', '.join(videos)} by {network}" for network, videos in seen.items()]
        raise UserError(
            f"Different networks looked at these sessions ({'; '.join(parts)}), and a detector cannot learn from both: "
            "process them anew with one of them, or leave some out."
        )


def event_settings(
    labelled: Sequence[Labelled],
    settings: TrainSettings,
    wanted_recall: float | None = None,
    made: Unseen | None = None,
) -> tuple[EventSettings, str | None]:
    """The event settings that do best on what a detector of this kind has not seen, or the defaults and why.

    Only what is known counts: what is found where nobody decided anything is neither right nor wrong.

    Args:
        made: of these videos, if it was worked out already.
    """
    from core.tune import Judged, best

    defaults = validate.usual_events(settings)
    try:
        probabilities = made.probabilities if made else validate.left_out(labelled, settings)
        if probabilities is None:
            raise UserError("What is left without a trick does not teach what a trick is: label more.")
        judged = [Judged.of(*pair) for pair in zip(labelled, probabilities, strict=True)]
        return best(judged, wanted_recall, defaults).effect.settings, None
    except UserError as error:
        return defaults, f"The threshold and the event rules stay at their defaults. {error}"


def _unseen(labelled: Sequence[Labelled], settings: TrainSettings) -> Unseen | None:
    """None where nothing can be left out."""
    from core.unseen import unseen

    try:
        return unseen(labelled, settings)
    except UserError:
        return None


def _curve(
    labelled: Sequence[Labelled], settings: TrainSettings, progress: Callable[[float], None]
) -> list[dict[str, Any]] | None:
    """What the corrections were worth, as JSON; None where there are too few."""
    from core.learning_curve import worth

    try:
        return [point.to_json() for point in worth(labelled, settings, progress=progress)]
    except UserError:
        return None
