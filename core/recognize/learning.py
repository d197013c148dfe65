"""Training any recognizer and judging it on what it was not trained on, beside what needs no look at the movement.

>>> learnt = learn(read_dataset(Path("tricks")), Path("recognizer"), workspace, LearnSettings())   # doctest: +SKIP
>>> learnt.judged.evaluation.accuracy, learnt.judged.baselines                                     # doctest: +SKIP
(0.85, {'majority': 0.53, 'colours': 0.61})
"""

from __future__ import annotations

import logging
import math
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from core.atomic import atomic_path, check_folder
from core.errors import Cancelled, UserError
from core.recognize import history
from core.recognize.datasets.files import some
from core.recognize.datasets.folders import BY_FILE
from core.recognize.evaluation import Evaluation, evaluate
from core.recognize.loading import CARD, LIGHT, Cancel, Progress, architecture_of, check_torch, open_recognizer
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
    """Accuracy on the very same clips of always naming the one that is commonest among them (``majority``), and of a
    classifier of the whole picture's colours (``colours``), which learns places and not movements."""

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
    70 % of the groups, its best epoch chosen by 20 %, and judged by the other 10 %; or on the published parts, if no
    group crosses between them. A class with too little to learn from is left out, as long as two others remain.

    Raises:
        UserError: the data set cannot teach, weights cannot be had, what the architecture needs is not installed, or
            ``out`` holds a recognizer of another kind.
        Cancelled: ``cancelled`` said so; asked again, it goes on where it was.
    """
    settings = settings or LearnSettings()
    _check_kind(out, settings.arch)
    check_folder(out)
    dataset, notes = _teachable(dataset, settings.arch != LIGHT)
    teach = _learn_light if settings.arch == LIGHT else _learn_network
    learnt = teach(dataset, out, workspace, settings, progress, cancelled)
    if learnt.judged:
        learnt.judged.write(out)
    return replace(learnt, notes=(*notes, *learnt.notes))


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
        how = " ".join([how, *_doubts(dataset)])
        baselines = {name: crossed.accuracy(name) for name in crossed.probability if name != "light"}
        judged = _judged(dataset.name, how, dataset.classes, dataset.samples, crossed.probability["light"], baselines)
    _forget(out)
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
    check_torch(settings.arch)
    from core.recognize.settings import RecognizeSettings
    from core.recognize.splits import gaps, split_apart
    from core.recognize.training import RUN, train

    parts, anew = split_apart(dataset, settings.seed)
    seen = [sample.label for part in ("train", "val") for sample in parts[part]]
    taught = {sample.label for sample in parts["train"] if seen.count(sample.label) > 1}
    untaught = {sample.label for sample in dataset.samples} - taught
    if untaught and len(taught) > 1:
        dataset = _without(dataset, untaught)
        parts = {part: tuple(one for one in samples if one.label in taught) for part, samples in parts.items()}
        anew = (*anew, f"Left out, for too few of their clips fell to the training: {some(sorted(untaught))}.")
    network = RecognizeSettings.model_validate(settings.model_dump())
    if not (out / RUN).exists():  # else it goes on, or is refused
        _forget(out)
    trained = train(dataset, parts, network, out, progress, cancelled)
    notes = [*anew, *trained.notes, *gaps(dataset, parts)]
    tested = parts["test"]
    if not tested:
        return Learnt(out, None, (*notes, "No clips were left out, so nobody knows how good it is."))
    probability = open_recognizer(out, workspace).predict(tested, progress, cancelled)
    if cancelled and cancelled():
        raise Cancelled
    baselines = _baselines(dataset, parts["train"], tested, settings.seed)
    how = " ".join([f"{len(tested)} clips of groups that were left out of the training.", *anew, *_doubts(dataset)])
    return Learnt(out, _judged(dataset.name, how, dataset.classes, tested, probability, baselines), tuple(notes))


def _check_kind(out: Path, arch: str) -> None:
    """Refuse to put a light recognizer and a network into one folder."""
    from core.recognize.training import RUN

    held = architecture_of(out) if (out / CARD).exists() else None
    if arch == LIGHT and ((out / RUN).exists() or held not in (None, LIGHT)):
        raise UserError(f"{out} holds the training of a network: choose another folder for the light recognizer.")
    if arch != LIGHT and held == LIGHT:
        raise UserError(f"{out} holds a light recognizer: choose another folder for the network.")


def _forget(out: Path) -> None:
    """What was found out about the recognizer that is replaced."""
    for name in (JUDGED, history.FILE):
        (out / name).unlink(missing_ok=True)


def _teachable(dataset: ClipDataset, by_group: bool) -> tuple[ClipDataset, tuple[str, ...]]:
    """The data set without classes that would end a training, where two others remain, and sentences on them.

    Args:
        by_group: whether a class has to come from two groups, of which one is left out.
    """
    notes = []
    sources = {(sample.label, sample.group) for sample in dataset.samples}
    single = {label for label, count in dataset.balance().items() if count == 1}
    alone = {label for label, count in Counter(label for label, _ in sources).items() if count == 1} - single
    for few, why in ((single, "have a single clip"), (alone if by_group else set(), "come from one source alone")):
        if few and sum(count > 0 for count in dataset.balance().values()) - len(few) >= 2:
            dataset = _without(dataset, few)
            notes.append(f"Left out, for they {why}: {some(sorted(few))}.")
    return dataset, tuple(notes)


def _without(dataset: ClipDataset, labels: Collection[str]) -> ClipDataset:
    samples = tuple(sample for sample in dataset.samples if sample.label not in labels)
    return replace(dataset, samples=samples, classes=tuple(one for one in dataset.classes if one not in labels))


def _doubts(dataset: ClipDataset) -> list[str]:
    """What makes figures by groups look better than they are."""
    return [note for note in dataset.notes if note == BY_FILE]


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
    return {"colours": float((named == y[test]).mean())}


def _beside(evaluation: Evaluation, baselines: dict[str, float]) -> dict[str, float]:
    """The baselines, the commonest class first."""
    others = {name: accuracy for name, accuracy in baselines.items() if name != "majority"}
    return {"majority": evaluation.majority, **others}


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
    return Judged(name, how, evaluation, clips, _beside(evaluation, baselines))
