"""Every knob, in one pydantic model a step, with the field's names and the defaults.

>>> EventSettings().max_gap_frames
10
"""

from __future__ import annotations

from typing import Annotated, Literal, Self, get_args

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from core.errors import UserError
from core.framing import Aspect, Keyframe

FeatureSet = Literal["basic", "temporal", "rich", "rich_temporal", "motion", "kinematics"]
ModelKind = Literal["rf", "logreg", "gb", "ensemble", "adapted"]
PoseBackend = Literal["auto", "movenet", "yolo"]
CutMode = Literal["exact", "fast"]
Architecture = Literal["light", "r2plus1d", "tsn", "timesformer"]
Balance = Literal["weights", "sampling", "none"]
Precision = Literal["auto", "32-true", "bf16-mixed", "16-mixed"]
Accelerator = Literal["auto", "cpu", "gpu"]
Encoder = Literal["software", "hardware"]
ReelPreset = Literal["instagram", "short", "full"]
ReelOrder = Literal["time", "stars"]
Transition = Literal["cut", "fade"]
ExportKind = Literal[
    "clips", "reel", "gif", "webp", "poster", "contact",
    "otio", "edl", "fcpxml", "xmeml", "llc", "chapters", "ffmetadata", "csv",
]  # fmt: skip
"""What can be exported: what is seen, and edit lists."""
EXPORT_KINDS: tuple[ExportKind, ...] = get_args(ExportKind)
LONGEST_TITLE = 80
"""Letters on the card of a reel."""
DEFAULT_NAME = "{session}_{index:02d}_{label}"
"""Of a clip; see :func:`core.export.names.clip_names`."""


class Settings(BaseModel):
    """Base: unknown names are refused and a value cannot change under a running job."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class GuardrailSettings(Settings):
    """Which sampled frames are good enough to measure a body on. Lengths are fractions of the frame's height."""

    edge_margin: float = Field(0.02, ge=0, lt=0.5)
    """A box closer than this to the border of the frame is cut off (fraction of the frame's width or height)."""
    min_torso_len: float = Field(0.02, ge=0)
    """Shortest torso that is measured, as a fraction of the frame's height."""
    min_tuck_ratio: float = Field(0.2, ge=0)
    """A leg shorter than this many torso lengths is a failed pose."""


class PoseSettings(Settings):
    """How people are found."""

    backend: PoseBackend = "auto"
    weights: str | None = None
    """Path of YOLO-pose weights (``.pt``, ``.onnx`` or an OpenVINO folder); None looks for them in the workspace."""
    yolo_long_side: int = Field(640, ge=96, le=1920)
    """Longer side of the pictures that YOLO gets, in pixels."""
    sample_stride: int = Field(2, ge=1)
    """Every n-th decoded frame is looked at: 2 gives about 15 fps on 30 fps footage."""


class EventSettings(Settings):
    """From probabilities to events."""

    default_threshold: float = Field(0.5, ge=0, le=1)
    required_streak: int = Field(1, ge=1)
    """So many sampled frames in a row must pass before an event begins."""
    timestamp_cooldown_s: float = Field(1.0, ge=0)
    """An event whose peak comes sooner than this after the last event's peak is dropped (the weaker one goes)."""
    max_gap_frames: int = Field(10, ge=0)
    """Events are joined across gaps of at most this many decoded frames."""
    min_event_s: float = Field(0.0, ge=0)
    """Shorter events are dropped."""


class ClipSettings(Settings):
    """From events to clips."""

    clip_padding_s: float = Field(2.0, ge=0)
    """Seconds kept before the first and after the last frame of what a clip shows."""
    merge_gap_s: float = Field(6.0, ge=0)
    """Events at most this far apart share a clip."""
    mode: CutMode = "exact"
    encoder: Encoder = "software"
    """Who encodes an exact clip; ``hardware`` falls back to ``software`` where there is none that works."""


class FramingSettings(Settings):
    """Which part of the picture a clip shows."""

    aspect: Aspect = "source"
    """With another than ``source`` clips are cropped around the skater, and exact."""
    keyframes: tuple[Keyframe, ...] = ()
    """Places of the crop that were set by hand, at most one a frame."""


class ReelSettings(Settings):
    """From clips to one video for posting."""

    preset: ReelPreset = "instagram"
    """Size, rate and the longest length; see :data:`core.reel.PRESETS`."""
    order: ReelOrder = "time"
    target_s: float | None = Field(None, gt=0)
    """About so long; what would make it longer is left out, the least liked first. None takes the preset's longest."""
    title: str = Field("", max_length=LONGEST_TITLE)
    """On a card before the first trick; empty for no card."""
    captions: bool = True
    """Name and number of each trick in the picture."""
    transition: Transition = "cut"
    replay: bool = True
    """Each trick once more from take-off to landing, slowed down."""
    music: str | None = None
    """Path of a sound file that plays beneath, and quieter where the footage is loud."""


class ExportSettings(Settings):
    """What is made of found or labelled events, and how."""

    kinds: tuple[ExportKind, ...] = ("clips",)
    name: str = DEFAULT_NAME
    clips: ClipSettings = ClipSettings()
    framing: FramingSettings = FramingSettings()
    reel: ReelSettings = ReelSettings()

    @field_validator("kinds", mode="before")
    @classmethod
    def _known(cls, kinds: object) -> object:
        unknown = [kind for kind in kinds if kind not in EXPORT_KINDS] if isinstance(kinds, list | tuple) else []
        if unknown or not kinds:
            wrong = f"{str(unknown[0])[:40]!r} is no kind of file that is exported" if unknown else "Nothing is chosen"
            raise UserError(f"{wrong}: choose from {', '.join(EXPORT_KINDS)}.")
        return tuple(dict.fromkeys(kinds)) if isinstance(kinds, list | tuple) else kinds

    @model_validator(mode="after")
    def _a_copy_is_whole(self) -> Self:
        if self.framing.aspect != "source" and self.clips.mode == "fast" and "clips" in self.kinds:
            raise UserError("A fast clip is a copy and cannot be cropped: choose exact, or the source's shape.")
        return self

    def wants_skater(self) -> bool:
        """Whether it matters where the skater is, and when he is highest."""
        cropped = self.framing.aspect != "source" and not {"clips", "poster"}.isdisjoint(self.kinds)
        return cropped or not {"reel", "poster"}.isdisjoint(self.kinds)


class TrainSettings(Settings):
    """How a detector is trained."""

    feature_set: FeatureSet = "motion"
    model: ModelKind = "rf"
    min_overlap_frames: int = Field(1, ge=1)
    """A sampled frame is positive if at least this many of the decoded frames it stands for lie in an interval."""
    test_frac: float = Field(0.2, gt=0, lt=1)
    """Last part of the session held out, as the original does."""
    trees: int = Field(200, ge=1)
    seed: int = 42

    @model_validator(mode="after")
    def _networks_see_kinematics(self) -> Self:
        if self.model in {"ensemble", "adapted"} and self.feature_set != "kinematics":
            raise UserError(
                f"The model {self.model} goes with the feature set kinematics alone, not with {self.feature_set}: "
                "choose kinematics, or another model."
            )
        return self


class AugmentSettings(Settings):
    """How training clips are changed. Nothing of this happens to clips that a recognizer is judged on."""

    rare_below: int = Field(30, ge=0)
    """A class with fewer training clips is made up to this number by turned and shifted copies; 0 makes none."""
    rotate_deg: float = Field(10.0, ge=0, le=45)
    """Copies are turned by up to so many degrees either way."""
    shift: float = Field(0.1, ge=0, le=0.5)
    """Copies are shifted by up to this fraction of the width and of the height."""
    flip: bool = False
    """Whether half of the training clips are mirrored. Left and right must mean the same then."""
    colour: float = Field(0.1, ge=0, lt=1)
    """Brightness, contrast and saturation of a training clip are changed by up to this fraction."""


class NetworkSettings(Settings):
    """How a network that names moments is trained."""

    weights: str = "pretrained"
    """Where it begins: "pretrained" (downloaded once), "scratch", or the path of a file or folder with weights."""
    frames: int | None = Field(None, ge=1, le=128)
    """Frames that are looked at in a moment; None is what the network was published with."""
    size: int | None = Field(None, ge=16, le=1024)
    """Side of the square pictures, in pixels; None is what the network was published with."""
    stride: int = Field(1, ge=1, le=16)
    """Decoded frames from one frame of a window to the next (R(2+1)D only)."""
    epochs: int = Field(30, ge=1)
    batch: int = Field(8, ge=1)
    """Clips in a batch, on each device."""
    lr: float = Field(1e-4, gt=0)
    """Step of AdamW."""
    balance: Balance = "weights"
    """Rare classes weigh more in the loss, are drawn more often, or neither."""
    patience: int = Field(8, ge=1)
    """So many epochs in a row without a better macro F1 on the validation part end the training."""
    augment: AugmentSettings = AugmentSettings()
    seed: int = Field(42, ge=0, le=2**32 - 1)
    accelerator: Accelerator = "auto"
    devices: Annotated[int, Field(ge=1)] | Literal["auto"] = "auto"
    """How many cards share the work, or processes on the processor."""
    strategy: str = "auto"
    """How several cards share the work, as Lightning names it, such as "ddp"."""
    precision: Precision = "auto"
    """Of the arithmetic; "auto" is bf16 or 16 bit mixed with 32 on a card, whichever it can do, and 32 elsewhere."""


class LearnSettings(NetworkSettings):
    """How a recognizer is trained; the light one takes no more of this than ``seed`` and ``drop_rare``."""

    arch: Architecture = "light"
    drop_rare: bool = False
    """Leave classes out that have too few clips to be learnt, as long as two remain, instead of refusing them."""


class RunSettings(Settings):
    """Everything that decides what one run finds and cuts."""

    pose: PoseSettings = PoseSettings()
    guardrails: GuardrailSettings = GuardrailSettings()
    train: TrainSettings = TrainSettings()
    clips: ClipSettings = ClipSettings()
    threshold: float | None = Field(None, ge=0, le=1)
    """None takes the detector's own."""


class BatchSettings(Settings):
    """What is done with each of many videos."""

    run: RunSettings = RunSettings()
    model: str | None = None
    """Path of a detector's bundle; None is the starter."""
    out: str | None = None
    """Folder for the clips, a path or an address; None finds without cutting."""
    drop_fetched: bool = False
    """Whether the copy of a video that was fetched from a store is removed when the video has ended."""
    span_s: float = 300.0
    """A video of more than two such spans is looked at in spans, if the engine has room for several. Shorter spans
    would spend more of their time on starting."""
    again: bool = False
    """Whether what was done before is done once more."""
    wandb: bool = False
    """Whether each video that is done is logged to W&B, as a run of the batch's group."""
    wandb_upload: bool = False
    """Whether its footage is uploaded, instead of a reference to where it lies."""
    wandb_used: tuple[str, ...] = ()
    """Full names of the W&B artifacts that the model comes from."""


class SessionSettings(Settings):
    """What was chosen for one session, so that every page and the next run find the same tricks."""

    pose: PoseSettings = PoseSettings()
    guardrails: GuardrailSettings = GuardrailSettings()
    model: str | None = None
    """Id of a model in the workspace; None is the starter."""
    events: EventSettings | None = None
    """None takes the detector's own."""
    clips: ClipSettings = ClipSettings()
    framing: FramingSettings = FramingSettings()
    reel: ReelSettings = ReelSettings()
    kinds: tuple[ExportKind, ...] = ("clips",)
    name: str = DEFAULT_NAME

    def export(self) -> ExportSettings:
        """What the session's export makes, and how."""
        return ExportSettings(kinds=self.kinds, name=self.name, clips=self.clips, framing=self.framing, reel=self.reel)
