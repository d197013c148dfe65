"""Judging a recognizer by clips that it was not trained on, beside what needs no look at the movement.

>>> judge(Path("recognizer"), read_dataset(Path("tricks")), workspace).evaluation.accuracy       # doctest: +SKIP
0.85
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from core.atomic import atomic_path
from core.errors import UserError
from core.recognize.evaluation import Evaluation, evaluate
from core.recognize.loading import Cancel, Progress, open_recognizer
from core.recognize.samples import ClipDataset, ClipSample
from core.recognize.taught import read_taught
from core.settings import Settings

if TYPE_CHECKING:
    from core.workspace import Workspace

JUDGED = "judged.json"
_MAX_BYTES = 256 * 2**20


class JudgedClip(Settings):
    """One clip that was named by a recognizer that had not seen its group."""

    path: str
    start_frame: int
    end_frame: int | None
    label: str
    probability: tuple[float, ...]


class _File(Settings):
    trickline_judged: Literal[1] = 1
    dataset: str
    classes: tuple[str, ...]
    how: str
    baselines: dict[str, float]
    clips: tuple[JudgedClip, ...]


@dataclass(frozen=True)
class Unseen:
    """How a recognizer did on clips of no source that it was trained on."""

    clips: int
    right: int

    @property
    def accuracy(self) -> float | None:
        """Share that was named right; None of none."""
        return self.right / self.clips if self.clips else None


@dataclass(frozen=True, eq=False)
class Judged:
    """How a recognizer did on clips; :attr:`seen` tells on which it should have."""

    dataset: str
    how: str
    """What was left out, in a sentence."""
    evaluation: Evaluation
    clips: tuple[JudgedClip, ...]
    """Beside the rows of the evaluation."""
    baselines: dict[str, float]
    """Accuracy on the very same clips of always naming the one that is commonest among them (``majority``), and of a
    classifier of the whole picture's colours (``colours``), which learns places and not movements."""
    seen: NDArray[np.bool_] | None = None
    """Which clips are of sources that it was trained on, ``(n,)``; None where nobody knows, and of a training, which
    leaves them out."""

    @property
    def unseen(self) -> Unseen | None:
        """How it did on the others; None where nobody knows."""
        if self.seen is None:
            return None
        right = (self.evaluation.named == self.evaluation.truth)[~self.seen]
        return Unseen(len(right), int(right.sum()))

    def to_json(self) -> dict[str, Any]:
        """The object that ``trickline recognize evaluate --json`` prints."""
        unseen = self.unseen
        told = {"clips": unseen.clips, "accuracy": unseen.accuracy} if unseen else None
        seen = None if self.seen is None else int(self.seen.sum())
        return {
            **self.evaluation.to_json(),
            "baselines": self.baselines,
            "how": self.how,
            "seen_in_training": seen,
            "unseen": told,
        }

    def lines(self) -> Iterator[str]:
        """For people."""
        found = self.evaluation
        yield f"{self.dataset}: {self.how}"
        named = {"recognizer": found.accuracy, **self.baselines}
        for name, accuracy in named.items():
            yield f"  {name:12} {accuracy:6.1%} of {len(found.truth)} right"
        if (unseen := self.unseen) and unseen.accuracy is not None:
            yield f"  {'unseen only':12} {unseen.accuracy:6.1%} of {unseen.clips} right"
        yield f"  {'macro F1':12} {found.macro_f1:6.2f}"
        for one in found.per_class:
            precision, recall = ("-" if math.isnan(one) else f"{one:.2f}" for one in (one.precision, one.recall))
            yield f"  {one.label:24} {one.support:5} clips  precision {precision:4}  recall {recall}"

    def write(self, folder: Path) -> None:
        """Keep it beside the recognizer."""
        file = _File(
            dataset=self.dataset,
            classes=self.evaluation.classes,
            how=self.how,
            baselines=self.baselines,
            clips=self.clips,
        )
        with atomic_path(folder / JUDGED) as temporary:
            temporary.write_text(file.model_dump_json(indent=1) + "\n", "utf-8")


def read_judged(folder: Path) -> Judged | None:
    """What was found out when the recognizer in ``folder`` was trained; None if nothing was.

    Raises:
        UserError: the file is damaged.
    """
    path = folder / JUDGED
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise ValueError("too large")
        file = _File.model_validate_json(path.read_bytes())
        numbers = {label: number for number, label in enumerate(file.classes)}
        evaluation = evaluate(
            file.classes, [numbers[clip.label] for clip in file.clips], [clip.probability for clip in file.clips]
        )
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError) as error:
        raise UserError(f"{path} is damaged: delete it, or train anew.") from error
    return Judged(file.dataset, file.how, evaluation, file.clips, _beside(evaluation, file.baselines))


def judge(
    recognizer_folder: Path,
    dataset: ClipDataset,
    workspace: Workspace,
    progress: Progress | None = None,
    cancelled: Cancel | None = None,
) -> Judged:
    """Let a trained recognizer name all clips of a data set.

    Raises:
        UserError: there is no recognizer, the data set has a class that it does not know, or a clip cannot be read.
        Cancelled: ``cancelled`` said so.
    """
    recognizer = open_recognizer(recognizer_folder, workspace)
    numbers = {label: number for number, label in enumerate(recognizer.classes)}
    unknown = sorted({sample.label for sample in dataset.samples} - set(numbers))
    if unknown:
        raise UserError(
            f"The recognizer does not know the class {unknown[0]!r}: it was trained on {', '.join(recognizer.classes)}."
        )
    if not dataset.samples:
        raise UserError(f"{dataset.name} has no clips to judge by: choose another.")
    probability = recognizer.predict(dataset.samples, progress, cancelled)
    taught = read_taught(recognizer_folder)
    seen = taught.met(dataset.samples, progress, cancelled) if taught else None
    judged = judged_by(dataset.name, "", recognizer.classes, dataset.samples, probability, {})
    judged = replace(judged, seen=seen)
    return replace(judged, how=f"All clips of the data set; {_how_seen(judged.unseen, len(dataset.samples))}")


def judged_by(
    name: str,
    how: str,
    classes: Sequence[str],
    samples: Sequence[ClipSample],
    probability: NDArray[np.floating],
    baselines: dict[str, float],
) -> Judged:
    numbers = {label: number for number, label in enumerate(classes)}
    evaluation = evaluate(classes, [numbers[sample.label] for sample in samples], probability)
    clips = tuple(
        JudgedClip(
            path=str(sample.path),
            start_frame=sample.start_frame,
            end_frame=sample.end_frame,
            label=sample.label,
            probability=tuple(round(float(value), 6) for value in row),
        )
        for sample, row in zip(samples, probability, strict=True)
    )
    return Judged(name, how, evaluation, clips, _beside(evaluation, baselines))


def _how_seen(unseen: Unseen | None, clips: int) -> str:
    """How far figures on so many clips can be trusted."""
    if unseen is None:
        return "those that the recognizer was trained on make it look better than it is."
    if unseen.clips == clips:
        return "the recognizer was trained on none of them, nor on others of their sources."
    if unseen.accuracy is None:
        return "the recognizer was trained on them, or on others of their sources, and looks better than it is."
    return (
        f"{clips - unseen.clips} of {clips} are of sources that the recognizer was trained on, which make it look "
        f"better than it is: of the other {unseen.clips} it names {unseen.accuracy:.1%} right."
    )


def _beside(evaluation: Evaluation, baselines: dict[str, float]) -> dict[str, float]:
    """The baselines, the commonest class first."""
    others = {name: accuracy for name, accuracy in baselines.items() if name != "majority"}
    return {"majority": evaluation.majority, **others}
