"""Training any recognizer and judging it on what it was not trained on, beside what needs no look at the movement.

>>> learnt = learn(read_dataset(Path("tricks")), Path("recognizer"), workspace, LearnSettings())   # doctest: +SKIP
>>> learnt.judged.evaluation.accuracy, learnt.judged.baselines                                     # doctest: +SKIP
(0.85, {'majority': 0.53, 'colours': 0.61})
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from core.atomic import atomic_path, check_folder
from core.errors import Cancelled, UserError
from core.recognize.evaluation import Evaluation, evaluate
from core.recognize.loading import Cancel, Progress, check_torch, open_recognizer
from core.recognize.samples import ClipDataset, ClipSample
from core.settings import LearnSettings, Settings

if TYPE_CHECKING:
    from core.workspace import Workspace

JUDGED = "judged.json"
_MOST_LEFT_OUT_ALONE = 30
"""Groups: more are left out several at a time, in so many folds as below."""
_FOLDS = 10
_MAX_BYTES = 256 * 2**20

log = logging.getLogger(__name__)


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


@dataclass(frozen=True, eq=False)
class Judged:
    """How a recognizer did on clips that it was not trained on."""

    dataset: str
    how: str
    """What was left out, in a sentence."""
    evaluation: Evaluation
    clips: tuple[JudgedClip, ...]
    """Beside the rows of the evaluation."""
    baselines: dict[str, float]
    """Accuracy on the very same clips of always naming the commonest class (``majority``), and of a classifier of the
    whole picture's colours (``colours``), which learns places and not movements."""

    def to_json(self) -> dict[str, Any]:
        """The object that ``trickline recognize evaluate --json`` prints."""
        return {**self.evaluation.to_json(), "baselines": self.baselines, "how": self.how}

    def lines(self) -> Iterator[str]:
        """For people."""
        found = self.evaluation
        yield f"{self.dataset}: {self.how}"
        named = {"recognizer": found.accuracy, **self.baselines}
        for name, accuracy in named.items():
            yield f"  {name:12} {accuracy:6.1%} of {len(found.truth)} right"
        yield f"  {'macro F1':12} {found.macro_f1:6.2f}"
        for one in found.per_class:
            yield f"  {one.label:24} {one.support:5} clips  precision {one.precision:.2f}  recall {one.recall:.2f}"

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
    return Judged(file.dataset, file.how, evaluation, file.clips, file.baselines)


@dataclass(frozen=True)
class Learnt:
    """A recognizer that was trained."""

    folder: Path
    judged: Judged | None
    """None where there was nothing to leave out; ``notes`` say why."""
    notes: tuple[str, ...]


def learn(
    dataset: ClipDataset,
    out: Path,
    workspace: Workspace,
    settings: LearnSettings | None = None,
    progress: Progress | None = None,
    cancelled: Cancel | None = None,
) -> Learnt:
    """Train a recognizer into the folder ``out``, and judge it.

    The light one is judged by cross-validation over groups, and then trained on all clips. A network is trained on
    70 % of the groups, its best epoch chosen by 20 %, and judged by the other 10 %.

    Raises:
        UserError: the data set cannot teach, weights cannot be had, or what the architecture needs is not installed.
        Cancelled: ``cancelled`` said so; asked again, it goes on where it was.
    """
    settings = settings or LearnSettings()
    check_folder(out)
    if settings.arch == "light":
        learnt = _learn_light(dataset, out, workspace, settings, progress, cancelled)
    else:
        learnt = _learn_network(dataset, out, workspace, settings, progress, cancelled)
    if learnt.judged:
        learnt.judged.write(out)
    return learnt


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
    how = "All clips of the data set; those that the recognizer was trained on make it look better than it is."
    return _judged(dataset.name, how, recognizer.classes, dataset.samples, probability, {})


def _learn_light(
    dataset: ClipDataset,
    out: Path,
    workspace: Workspace,
    settings: LearnSettings,
    progress: Progress | None,
    cancelled: Cancel | None,
) -> Learnt:
    from core.recognize.light.judge import LightSettings
    from core.recognize.light.recognizer import fit_light
    from core.recognize.light.validation import cross_validated, evidence

    light = LightSettings(seed=settings.seed)
    groups = len({sample.group for sample in dataset.samples})
    folds = None if groups <= _MOST_LEFT_OUT_ALONE else _FOLDS
    recognizer = fit_light(dataset.samples, workspace, light, progress, cancelled)
    judged, notes = None, list(recognizer.card.notes)
    try:
        seen = evidence(dataset, workspace, True, progress, cancelled)
        crossed = cross_validated(dataset, seen, light, folds, settings.seed, progress, cancelled)
    except UserError as error:
        notes.append(f"Nobody knows how good it is: {error}")
    else:
        left_out = f"{folds} parts" if folds else f"{groups} groups"
        how = f"Each of {left_out} of clips was named by a recognizer that was trained on the others."
        baselines = {name: crossed.accuracy(name) for name in crossed.probability if name != "light"}
        judged = _judged(dataset.name, how, dataset.classes, dataset.samples, crossed.probability["light"], baselines)
    recognizer.save(out)
    return Learnt(out, judged, tuple(notes))


def _learn_network(
    dataset: ClipDataset,
    out: Path,
    workspace: Workspace,
    settings: LearnSettings,
    progress: Progress | None,
    cancelled: Cancel | None,
) -> Learnt:
    check_torch()
    from core.recognize.settings import RecognizeSettings
    from core.recognize.splits import check_apart, gaps, split
    from core.recognize.training import train

    parts = split(dataset, settings.seed)
    check_apart(parts)
    network = RecognizeSettings.model_validate(settings.model_dump())
    trained = train(dataset, parts, network, out, progress, cancelled)
    notes = [*trained.notes, *gaps(dataset, parts)]
    tested = parts["test"]
    if not tested:
        return Learnt(out, None, (*notes, "No clips were left out, so nobody knows how good it is."))
    probability = open_recognizer(out, workspace).predict(tested, progress, cancelled)
    if cancelled and cancelled():
        raise Cancelled
    baselines = _baselines(dataset, parts["train"], tested, settings.seed)
    how = f"{len(tested)} clips of groups that were left out of the training."
    return Learnt(out, _judged(dataset.name, how, dataset.classes, tested, probability, baselines), tuple(notes))


def _baselines(
    dataset: ClipDataset, taught: Sequence[ClipSample], tested: Sequence[ClipSample], seed: int
) -> dict[str, float]:
    """Accuracy on the tested clips of what saw the taught ones alone."""
    from core.recognize.light import baselines

    numbers = {label: number for number, label in enumerate(dataset.classes)}
    y = np.array([numbers[sample.label] for sample in (*taught, *tested)], np.int64)
    train, test = np.arange(len(taught)), np.arange(len(taught), len(y))
    colours = baselines.colour_histograms([*taught, *tested])
    named = baselines.forest(colours, seed)(train, y[train], test, len(dataset.classes)).argmax(axis=1)
    commonest = np.bincount(y[train]).argmax()
    return {"majority": float((y[test] == commonest).mean()), "colours": float((named == y[test]).mean())}


def _judged(
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
    return Judged(name, how, evaluation, clips, baselines)
