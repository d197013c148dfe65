"""Names moments after learning from a hundred clips, in minutes and on a processor: the light recognizer.

    >>> recognizer = fit_light(samples, workspace)                           # doctest: +SKIP
    >>> recognizer.save(Path("recognizer"))                                  # doctest: +SKIP
    >>> LightRecognizer.load(Path("recognizer")).predict(samples, workspace) # doctest: +SKIP

The pose network that comes along sees (:mod:`.features`), and a logistic regression decides. On parts left out by group
it is found how sure a probability is, and below which one a moment had better stay unnamed.
"""

from __future__ import annotations

import json
import zipfile
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, ValidationError

from core.atomic import atomic_path
from core.errors import UserError
from core.recognize.light.changes import COUNT
from core.recognize.light.classifier import Classifier
from core.recognize.light.features import VERSION, Progress, describe
from core.recognize.light.judge import Judge, LightSettings
from core.recognize.samples import ClipSample
from core.settings import Settings
from core.workspace import Workspace

WEIGHTS, CARD = "light.npz", "recognizer.json"
_LARGEST_CARD, _LARGEST_WEIGHTS = 1_000_000, 100_000_000
"""Bytes, unpacked: a small file could unpack to more than fits into memory."""
_BROKEN = (zipfile.BadZipFile, zlib.error, EOFError, MemoryError, SyntaxError, LookupError, TypeError, ValueError)
"""What zipfile and NumPy raise over a file that is no bundle, or a damaged one."""


class Card(Settings):
    """What there is to know of a recognizer."""

    format: Literal[1] = 1
    architecture: Literal["light"] = "light"
    features: int = VERSION
    """Version of the features that it was trained on."""
    classes: tuple[str, ...] = Field(min_length=2, max_length=10_000)
    """In the order of the probabilities."""
    settings: LightSettings
    slope: float = Field(gt=0, allow_inf_nan=False)
    """What logits are multiplied with before they are probabilities."""
    unsure_below: float = Field(ge=0, le=1)
    """A moment whose highest probability is below had better stay unnamed; see :class:`.judge.Judge`."""
    trained_on: dict[str, int]
    """Clips of each class."""
    notes: tuple[str, ...] = ()
    """What was not found in which clip of the training."""


@dataclass(frozen=True, eq=False)
class LightRecognizer:
    """A trained recognizer."""

    card: Card
    judge: Judge

    @property
    def classes(self) -> tuple[str, ...]:
        """In the order of the probabilities."""
        return self.card.classes

    def predict(
        self,
        samples: Sequence[ClipSample],
        workspace: Workspace,
        progress: Progress | None = None,
        cancelled: Callable[[], bool] | None = None,
    ) -> NDArray[np.float64]:
        """Probabilities, shape ``(n, classes)``; each row adds up to 1. Labels of the samples are not looked at.

        Raises:
            UserError: a video cannot be read, or a sample lies beyond its end.
            Cancelled: ``cancelled`` said so.
        """
        if not samples:
            return np.empty((0, len(self.classes)))
        return self.judge.probabilities(describe(samples, workspace, progress, cancelled).values)

    def save(self, folder: Path) -> None:
        """Write ``light.npz`` and ``recognizer.json``, each of them whole.

        Raises:
            UserError: the folder cannot be written to.
        """
        with atomic_path(folder / WEIGHTS) as temporary, temporary.open("wb") as file:
            arrays: dict[str, Any] = self.judge.classifier.arrays()
            np.savez_compressed(file, **arrays)
        with atomic_path(folder / CARD) as temporary:
            temporary.write_text(json.dumps(self.card.model_dump(), indent=2, ensure_ascii=False) + "\n", "utf-8")

    @classmethod
    def load(cls, folder: Path) -> LightRecognizer:
        """What :meth:`save` wrote. Nothing in it can run.

        Raises:
            UserError: no recognizer, one of another architecture or version, or damaged.
        """
        card = _read_card(folder)
        if card.features != VERSION:
            raise UserError(f"{folder} was made by another version of Trickline: train it again.")
        try:
            classifier = Classifier.of_arrays(_read_arrays(folder / WEIGHTS))
        except OSError as error:
            raise UserError(f"{folder / WEIGHTS} cannot be read ({error.strerror}): copy the whole folder.") from error
        except _BROKEN as error:
            raise UserError(f"{folder / WEIGHTS} is damaged or no recognizer: copy the whole folder again.") from error
        if (classifier.center.size, classifier.bias.size) != (COUNT, len(card.classes)):
            raise UserError(f"{WEIGHTS} and {CARD} in {folder} do not belong together: copy the whole folder again.")
        return cls(card, Judge(classifier, card.settings, card.slope, card.unsure_below))


def fit_light(
    samples: Sequence[ClipSample],
    workspace: Workspace,
    settings: LightSettings | None = None,
    progress: Progress | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> LightRecognizer:
    """Train on samples of two classes or more; classes come in the order of their names.

    Features are kept in the workspace by the content of the clips, so that training once more takes seconds, and a
    training that was stopped goes on where it was.

    Raises:
        UserError: fewer than two classes, a class with a single clip, or a clip that cannot be read.
        Cancelled: ``cancelled`` said so.
    """
    settings, counts = settings or LightSettings(), _counted(samples)
    described = describe(samples, workspace, progress, cancelled)
    numbers = {label: number for number, label in enumerate(counts)}
    y = np.array([numbers[sample.label] for sample in samples], np.int64)
    groups = [sample.group for sample in samples]
    judge = Judge.fit(described.values, y, groups, len(counts), settings, cancelled)
    card = Card(
        classes=tuple(counts),
        settings=settings,
        slope=judge.slope,
        unsure_below=judge.unsure_below,
        trained_on=counts,
        notes=described.notes,
    )
    return LightRecognizer(card, judge)


def _counted(samples: Sequence[ClipSample]) -> dict[str, int]:
    labels = [sample.label for sample in samples]
    counts = {label: labels.count(label) for label in sorted(set(labels))}
    if len(counts) < 2:
        raise UserError(
            f"There is nothing to tell apart with {'one class' if counts else 'no clip'}: add clips of two classes "
            "or more."
        )
    alone = [label for label, count in counts.items() if count < 2]
    if alone:
        raise UserError(f"The class {alone[0]!r} has a single clip: add clips of it, or leave it out.")
    return counts


def _read_card(folder: Path) -> Card:
    path = folder / CARD
    try:
        if path.stat().st_size > _LARGEST_CARD:
            raise ValueError("too large for a card")
        said = json.loads(path.read_text("utf-8"))
        architecture = said["architecture"]
        if architecture != "light":
            kind = str(architecture)[:40]
            raise UserError(
                f"{folder} holds a recognizer of the architecture {kind!r}, not a light one: choose another."
            )
        return Card.model_validate(said)
    except OSError as error:
        raise UserError(f"{folder} is no recognizer, for it has no {CARD}: choose the folder of a training.") from error
    except ValidationError as error:
        where = ".".join(map(str, error.errors()[0]["loc"])) or "its syntax"
        raise UserError(f"{path} cannot be used because of {where}: train anew or copy it again.") from error
    except (LookupError, TypeError, ValueError, RecursionError) as error:
        raise UserError(f"{path} is not the card of a recognizer: train anew or copy it again.") from error


def _read_arrays(path: Path) -> dict[str, NDArray[Any]]:
    with zipfile.ZipFile(path) as file:
        if sum(part.file_size for part in file.infolist()) > _LARGEST_WEIGHTS:
            raise ValueError("too large for a light recognizer")
    with np.load(path, allow_pickle=False) as stored:
        return {name: stored[name] for name in stored.files}
