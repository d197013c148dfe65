"""What the server answers, and what may be asked beside the file: the models behind its OpenAPI description."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from core.recognize.windows import LENGTH, LONGEST, STRIDE
from core.settings import Settings

_FRAME = {"ge": 0, "le": 2**31 - 1}
Frame = Annotated[int, Field(**_FRAME, description="Decoded frame, from 0 on.")]
Seconds = Annotated[float, Field(ge=0, description="On the player's clock.")]
Probability = Annotated[float, Field(ge=0, le=1)]

_NAMED: dict[str, Any] = {
    "label": "ollie",
    "probability": 0.91,
    "probabilities": {"kickflip": 0.09, "ollie": 0.91},
    "unsure": False,
    "dive": None,
}
_DIVE: dict[str, Any] = {
    "number": "5253B",
    "sentence": "Back takeoff (94 %), two and a half somersaults (88 %) with one and a half twists (90 %), pike"
    " position (91 %): 5253B or 6253B, 85 %.",
    "marginals": {
        "takeoff": {"back": 0.94, "reverse": 0.06},
        "somersaults": {"1.5": 0.12, "2.5": 0.88},
        "twists": {"0.5": 0.1, "1.5": 0.9},
        "position": {"pike": 0.91, "free": 0.09},
    },
}
_SPAN: dict[str, Any] = {"start_frame": 247, "end_frame": 272, "start_s": 8.233333, "end_s": 9.066667}


def _example(value: dict[str, Any]) -> ConfigDict:
    return ConfigDict(json_schema_extra={"examples": [value]})


class Problem(BaseModel):
    """Why there is no answer."""

    model_config = _example({"error": "The file cannot be read as a video: check that it plays."})

    error: str
    """One sentence: what is wrong and what to do."""


class MomentFields(Settings):
    """Which moment of the file is meant; all of it by default."""

    start_frame: int = Field(0, ge=0, le=2**31 - 1, description="First decoded frame inside, from 0 on.")
    end_frame: int | None = Field(None, ge=0, le=2**31 - 1, description="Last decoded frame inside; else to the end.")


class NoFields(Settings):
    """The file is all there is to say."""


class WindowFields(Settings):
    """How each player's track is cut into windows."""

    window: int = Field(LENGTH, ge=2, le=LONGEST, description="Frames of a window.")
    stride: int = Field(STRIDE, ge=1, le=1000, description="Frames from one window to the next.")


class DiveMarginals(BaseModel):
    """How probable each attribute of a dive is; the probabilities of each add up to 1."""

    takeoff: dict[str, Probability]
    somersaults: dict[str, Probability]
    """By count, such as ``2.5``."""
    twists: dict[str, Probability]
    position: dict[str, Probability]


class Dive(BaseModel):
    """The most probable dive."""

    model_config = _example(_DIVE)

    number: str
    """As on a list of dives."""
    sentence: str
    """In words, with how sure each part is."""
    marginals: DiveMarginals


class Named(BaseModel):
    """What a recognizer makes of a moment."""

    model_config = _example(_NAMED)

    label: str
    """The most probable name."""
    probability: Probability
    """Of that name."""
    probabilities: dict[str, Probability]
    """Of every name; together 1."""
    unsure: bool
    """Whether the moment had better stay unnamed: the probability is below what was found out in training."""
    dive: Dive | None
    """None where the recognizer's classes are no dives."""


class Span(BaseModel):
    """From a frame to another."""

    start_frame: Frame
    end_frame: Frame
    """Last frame inside."""
    start_s: Seconds
    end_s: Seconds
    """When the last frame appears."""


class Moment(Span, Named):
    """A moment and its name."""

    model_config = _example({**_SPAN, **_NAMED})


class Event(Span):
    """Something that was found."""

    model_config = _example({**_SPAN, "confidence": 0.87, "name": _NAMED})

    confidence: Probability
    """Of the detector, that something happened."""
    name: Named | None
    """None where the server has no recognizer."""


class Events(BaseModel):
    """What was found in a video."""

    frames: int = Field(ge=0)
    duration_s: Seconds
    events: list[Event]
    notes: list[str]
    """Sentences for the user, such as that nobody is in view."""


class Player(BaseModel):
    """Somebody in a video and what he does."""

    id: int = Field(ge=1)
    """In order of appearance."""
    windows: list[Moment]


class Players(BaseModel):
    """Everybody in a video."""

    frames: int = Field(ge=0)
    duration_s: Seconds
    players: list[Player]
    notes: list[str]


class Recognizes(BaseModel):
    """What gives names here."""

    name: str
    """Of its folder."""
    architecture: str
    classes: list[str]
    unsure_below: Probability
    clip_s: float | None
    """How long the clips of its training were, in seconds; None where that was not kept."""


class Health(BaseModel):
    """That the server is there, and what it can do."""

    version: str
    detector: str
    """The starter, or the name of a bundle."""
    recognizer: Recognizes | None
    max_mb: float
    timeout_s: float
    at_once: int
    waiting: int
    """Requests that may wait for their turn."""
    under_way: int
    """Requests that are worked on or wait."""
