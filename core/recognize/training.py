"""Training a recognizer: from a data set in parts to a folder that recognizes.

    >>> trained = train(dataset, split(dataset), RecognizeSettings(arch="tsn"), Path("recognizer"))  # doctest: +SKIP
    >>> trained.metrics["macro_f1"]                                                              # doctest: +SKIP

Beside the files of :mod:`core.recognize.checkpoints` the folder has ``history.csv``, a line an epoch, ``run.json``,
what the training was asked for, and until its end ``last.ckpt``, from which one that was broken off goes on.
"""

from __future__ import annotations

import json
import logging
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

from core.atomic import atomic_path, check_folder
from core.content import content_id
from core.errors import Cancelled, UserError
from core.recognize.networks import Architecture, architecture
from core.recognize.samples import ClipDataset, ClipSample, Part
from core.recognize.sampling import duration_s, frame_count
from core.recognize.settings import RecognizeSettings
from core.recognize.taught import contents_of
from core.recognize.videos import Videos

if TYPE_CHECKING:
    from core.recognize.clips_data import Looks
    from core.recognize.history import Epoch

Progress = Callable[[str, float], None]
"""Called with the step, such as "training", and how much of it is done, 0 to 1."""
RUN = "run.json"
_UNJUDGED = "There are no validation clips: the last epoch was kept, and nobody knows how good it is."


class OtherTrainingError(UserError):
    """A folder holds a training of other clips or with other settings, which cannot go on with these."""


@dataclass(frozen=True)
class Trained:
    """What a training made."""

    folder: Path
    """For :func:`core.recognize.checkpoints.load_recognizer`."""
    history: tuple[Epoch, ...]
    best: Epoch
    """The epoch whose weights were kept."""
    notes: tuple[str, ...]
    """Sentences for the user."""
    leads: bool = True
    """False in a process that only shares the work of another, which goes on with the recognizer."""

    @property
    def metrics(self) -> dict[str, float]:
        """Of the weights that were kept."""
        return self.best.metrics


def train(
    dataset: ClipDataset,
    parts: Mapping[Part, Sequence[ClipSample]],
    settings: RecognizeSettings,
    out: Path,
    progress: Progress | None = None,
    cancelled: Callable[[], bool] | None = None,
    contents: Mapping[Path, str] | None = None,
) -> Trained:
    """Train on the part "train", keep what does best on the part "val", and look at nothing else.

    Best is the highest macro F1, and the lowest loss among equals; without validation clips the last epoch is kept. A
    training that was killed or cancelled goes on after its last whole epoch when asked for the same again, and ends
    with the same weights as an unbroken one (on a processor bit for bit; on a card some sums have no fixed order).

    Args:
        parts: as of :func:`core.recognize.splits.split`.
        out: a folder for this training alone.
        cancelled: asked before every batch.
        contents: of each file, as of :func:`core.recognize.taught.contents_of`; None reads them.

    Raises:
        UserError: a class with too few clips, a clip that cannot be read, weights that do not fit or cannot be had,
            too little memory, or ``out`` holds another training.
        Cancelled: ``cancelled`` said so; whole epochs stay.
    """
    network_kind = architecture(settings.arch)
    from core.recognize import fitting

    def at(step: str, done: float) -> None:
        if cancelled and cancelled():
            raise Cancelled
        if progress:
            progress(step, done)

    taught, judged = tuple(parts.get("train", ())), tuple(parts.get("val", ()))
    _check(dataset, taught, judged)
    check_folder(out)
    contents = contents or contents_of((*taught, *judged), progress, cancelled)
    asked = _asked(dataset, taught, judged, settings, contents)
    begun = _begun(out, asked)
    unknown = () if judged else (_UNJUDGED,)
    if begun is not None and (ended := fitting.ended(out, settings)):
        return Trained(out, ended.epochs, ended.best, (*begun, *unknown))
    lengths, lasting, videos = list[int](), list[float](), Videos()
    for number, sample in enumerate((*taught, *judged)):
        at("measuring clips", number / (len(taught) + len(judged)))
        video = videos.open(sample.path)
        lengths.append(frame_count(sample, video))
        lasting.append(duration_s(sample, lengths[-1], video))
    at("preparing the network", 0.0)
    if begun is None:
        network, notes = fitting.first_network(network_kind, settings, len(dataset.classes))
        _write_json(out / RUN, {"asked": asked, "notes": notes})
    else:  # its weights come with last.ckpt, or are those of the beginning
        resumed = (out / fitting.LAST).exists()
        start = settings.model_copy(update={"weights": "scratch"}) if resumed else settings
        network, notes = fitting.first_network(network_kind, start, len(dataset.classes))
        notes = tuple(begun)
    classroom = fitting.Classroom(
        dataset=dataset,
        taught=taught,
        judged=judged,
        lengths=lengths,
        clip_s=median(lasting[: len(taught)]),
        settings=settings,
        looks=_looks(network_kind, settings),
        architecture=network_kind,
        folder=out,
    )
    with _quiet():
        history, leads = fitting.hold(classroom, network, at)
    return Trained(out, history.epochs, history.best, (*notes, *unknown), leads)


def _looks(kind: Architecture, settings: RecognizeSettings) -> Looks:
    from core.recognize.clips_data import Looks

    return Looks(kind.sampling, settings.frames or kind.frames, settings.size or kind.size, settings.stride)


def _check(dataset: ClipDataset, taught: Sequence[ClipSample], judged: Sequence[ClipSample]) -> None:
    if not taught:
        raise UserError(f"{dataset.name} has no clips to train on: split it, with some in the part train.")
    learnt, all_of = Counter(s.label for s in taught), Counter(s.label for s in (*taught, *judged))
    unknown = sorted(set(all_of) - set(dataset.classes))
    if unknown:
        raise UserError(f"{dataset.name} has the unknown class {unknown[0]!r}: it has {', '.join(dataset.classes)}.")
    if len(all_of) < 2:
        raise UserError(f"{dataset.name} has clips of a single class to train on: a recognizer needs two or more.")
    for label, count in all_of.items():
        if count == 1:
            raise UserError(
                f"The class {label!r} has a single clip, from which nothing is learnt: add more or drop it."
            )
        if not learnt[label]:
            raise UserError(f"The class {label!r} has no clip to train on, only to validate with: split anew.")


def _asked(
    dataset: ClipDataset,
    taught: Sequence[ClipSample],
    judged: Sequence[ClipSample],
    settings: RecognizeSettings,
    contents: Mapping[Path, str],
) -> dict[str, Any]:
    """What the weights hang on; how many processes read clips is not among it."""
    clips = [
        (part, str(s.path), contents[s.path], s.label, s.start_frame, s.end_frame)
        + ((s.track.frames.tolist(), s.track.boxes.tolist()) if s.track else ())
        for part, samples in (("train", taught), ("val", judged))
        for s in samples
    ]
    return {
        "settings": settings.model_dump(mode="json", exclude={"workers"}),
        "classes": list(dataset.classes),
        "weights": _content_of_weights(settings.weights),
        "clips": blake2b(json.dumps(clips).encode(), digest_size=16).hexdigest(),
    }


def _content_of_weights(weights: str) -> str | None:
    """Of the file that the network begins with; None where it begins with none of the user's."""
    from core.recognize.checkpoints import WEIGHTS
    from core.recognize.weights import PRETRAINED, SCRATCH

    path = Path(weights) / WEIGHTS if Path(weights).is_dir() else Path(weights)
    return content_id(path) if weights not in (PRETRAINED, SCRATCH) and path.is_file() else None


def _begun(out: Path, asked: dict[str, Any]) -> list[str] | None:
    """The notes of a training that was begun in ``out``; None if there is none."""
    try:
        held = json.loads((out / RUN).read_bytes())
        same, notes = held["asked"] == json.loads(json.dumps(asked)), [str(note) for note in held["notes"]]
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(f"{out / RUN} cannot be read: choose an empty folder.") from error
    if not same:
        raise OtherTrainingError(f"{out} holds a training with other settings or clips: choose an empty folder.")
    return notes


def _write_json(path: Path, value: Any) -> None:
    with atomic_path(path) as temporary:
        temporary.write_text(json.dumps(value, indent=2) + "\n")


@contextmanager
def _quiet() -> Iterator[None]:
    """Without what Lightning says to its programmers."""
    speakers = [logging.getLogger(name) for name in ("pytorch_lightning", "lightning_fabric")]
    before = [speaker.level for speaker in speakers]
    for speaker in speakers:
        speaker.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", module="pytorch_lightning|lightning_fabric")
            yield
    finally:
        for speaker, level in zip(speakers, before, strict=True):
            speaker.setLevel(level)
