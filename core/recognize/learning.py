"""Training any recognizer and judging it on what it was not trained on, beside what needs no look at the movement.

>>> learnt = learn(read_dataset(Path("tricks")), Path("recognizer"), workspace, LearnSettings())   # doctest: +SKIP
>>> learnt.judged.evaluation.accuracy, learnt.judged.baselines                                     # doctest: +SKIP
(0.85, {'majority': 0.53, 'colours': 0.61})
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from core.atomic import check_folder
from core.errors import Cancelled, UserError
from core.recognize import history
from core.recognize.datasets.files import some
from core.recognize.datasets.folders import BY_FILE
from core.recognize.judging import JUDGED, Judged, judged_by
from core.recognize.loading import CARD, LIGHT, Cancel, Progress, architecture_of, check_torch, open_recognizer
from core.recognize.samples import ClipDataset, ClipSample
from core.recognize.splits import one_source
from core.recognize.taught import TAUGHT, contents_of, taught_by
from core.settings import LearnSettings

if TYPE_CHECKING:
    from core.workspace import Workspace

MOST_LEFT_OUT_ALONE = 30
"""Groups: more are left out several at a time, in so many folds as below."""
_FOLDS = 10


@dataclass(frozen=True)
class Learnt:
    """A recognizer that was trained."""

    folder: Path
    judged: Judged | None
    """None where there was nothing to leave out; ``notes`` say why."""
    notes: tuple[str, ...]
    taught: tuple[ClipSample, ...] = ()
    """What it was trained on, and what its best epoch was chosen by."""
    leads: bool = True
    """False in a process that only shared the work on a network: another one goes on with it and tells of it."""


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
    group crosses between them. What it was trained on is written beside it (:mod:`.taught`). Sources that hold the very
    same file are one, and nothing is judged by a changed copy.

    A class with too little to learn from is refused; or left out, with a note, where the settings say so and two others
    remain.

    Raises:
        UserError: the data set cannot teach, a class has too few clips, weights cannot be had, what the architecture
            needs is not installed, or ``out`` holds a recognizer of another kind.
        Cancelled: ``cancelled`` said so; asked again, it goes on where it was.
    """
    settings = settings or LearnSettings()
    _check_kind(out, settings.arch)
    check_folder(out)
    contents = contents_of(dataset.samples, progress, cancelled)
    joined, alike = one_source(dataset, contents)
    joined, notes = teachable(joined, settings)
    if settings.arch == LIGHT:
        learnt = _learn_light(joined, out, workspace, settings, progress, cancelled)
    else:
        learnt = _learn_network(joined, contents, out, workspace, settings, progress, cancelled)
    if not learnt.leads:
        return learnt
    paths = {sample.path for sample in learnt.taught}
    taught_by([one for one in dataset.samples if one.path in paths], contents).write(out)  # by the names of all sources
    if learnt.judged:
        learnt.judged.write(out)
    return replace(learnt, notes=(*alike, *notes, *learnt.notes))


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
    folds = None if groups <= MOST_LEFT_OUT_ALONE else _FOLDS
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
        rows = [row for row, sample in enumerate(dataset.samples) if not sample.copy_of]
        if rows:
            baselines = {name: float(crossed.right(name)[rows].mean()) for name in crossed.probability if name != LIGHT}
            samples, probability = [dataset.samples[row] for row in rows], crossed.probability[LIGHT][rows]
            judged = judged_by(dataset.name, how, dataset.classes, samples, probability, baselines)
        else:
            notes.append("Nobody knows how good it is: all clips are changed copies of others.")
    _forget(out)
    recognizer.save(out)
    return Learnt(out, judged, tuple(notes), dataset.samples)


def _learn_network(
    dataset: ClipDataset,
    contents: Mapping[Path, str],
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
    seen = Counter(sample.label for part in ("train", "val") for sample in parts[part])
    taught = {sample.label for sample in parts["train"] if seen[sample.label] > 1}
    untaught = {sample.label for sample in dataset.samples} - taught
    few = _Few(untaught, "too few of their clips fell to the training")
    dataset, left_out = _without(dataset, few, settings.drop_rare)
    if left_out:
        parts = {part: tuple(one for one in samples if one.label in taught) for part, samples in parts.items()}
    network = RecognizeSettings.model_validate(settings.model_dump(exclude={"drop_rare"}))
    if not (out / RUN).exists():  # else it goes on, or is refused
        _forget(out)
    trained = train(dataset, parts, network, out, progress, cancelled, contents)
    known = (*parts["train"], *parts["val"])
    if not trained.leads:
        return Learnt(out, None, (), known, leads=False)
    notes = [*left_out, *trained.notes, *gaps(dataset, parts)]
    tested = parts["test"]
    if not tested:
        return Learnt(out, None, (*anew, *notes, "No clips were left out, so nobody knows how good it is."), known)
    device = "cpu" if settings.accelerator == "cpu" else "auto"
    probability = open_recognizer(out, workspace, device).predict(tested, progress, cancelled)
    if cancelled and cancelled():
        raise Cancelled
    baselines = _baselines(dataset, parts["train"], tested, settings.seed, progress, cancelled)
    how = " ".join([f"{len(tested)} clips of groups that were left out of the training.", *anew, *_doubts(dataset)])
    judged = judged_by(dataset.name, how, dataset.classes, tested, probability, baselines)
    return Learnt(out, judged, tuple(notes), known)


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
    for name in (JUDGED, TAUGHT, history.FILE):
        (out / name).unlink(missing_ok=True)


@dataclass(frozen=True)
class _Few:
    """Classes that cannot be learnt."""

    labels: Collection[str]
    why: str
    """Goes on from "for"."""


def teachable(dataset: ClipDataset, settings: LearnSettings) -> tuple[ClipDataset, tuple[str, ...]]:
    """The data set without classes that would end a training, where two others remain, and sentences on them.

    Raises:
        UserError: there are such classes, and the settings do not allow to leave them out.
    """
    sources = {(sample.label, sample.group) for sample in dataset.samples}
    single = {label for label, count in dataset.balance().items() if count == 1}
    alone = {label for label, count in Counter(label for label, _ in sources).items() if count == 1} - single
    notes: tuple[str, ...] = ()
    kinds = [_Few(single, "they have a single clip")]
    if settings.arch != LIGHT:  # it has to come from two groups, of which one is left out
        kinds.append(_Few(alone, "they come from one source alone"))
    for few in kinds:
        dataset, said = _without(dataset, few, settings.drop_rare)
        notes += said
    return dataset, notes


def _without(dataset: ClipDataset, few: _Few, allowed: bool) -> tuple[ClipDataset, tuple[str, ...]]:
    """Leave classes out where two others remain, and say so.

    Raises:
        UserError: there are some, and it is not allowed.
    """
    names = some(sorted(few.labels))
    if few.labels and not allowed:
        raise UserError(
            f"These classes cannot be learnt, for {few.why}: {names}; add clips of them from other footage, take them "
            "out of the data, or choose to leave rare classes out (--drop-rare)."
        )
    classes = tuple(label for label, count in dataset.balance().items() if count and label not in few.labels)
    if not few.labels or len(classes) < 2:
        return dataset, ()
    samples = tuple(sample for sample in dataset.samples if sample.label not in few.labels)
    classes = tuple(label for label in dataset.classes if label not in few.labels)
    return replace(dataset, samples=samples, classes=classes), (f"Left out, for {few.why}: {names}.",)


def _doubts(dataset: ClipDataset) -> list[str]:
    """What makes figures by groups look better than they are."""
    return [note for note in dataset.notes if note == BY_FILE]


def _baselines(
    dataset: ClipDataset,
    taught: Sequence[ClipSample],
    tested: Sequence[ClipSample],
    seed: int,
    progress: Progress | None,
    cancelled: Cancel | None,
) -> dict[str, float]:
    """Accuracy on the tested clips of what saw the taught ones alone."""
    from core.recognize.light import baselines

    numbers = {label: number for number, label in enumerate(dataset.classes)}
    y = np.array([numbers[sample.label] for sample in (*taught, *tested)], np.int64)
    train, test = np.arange(len(taught)), np.arange(len(taught), len(y))
    colours = baselines.colour_histograms([*taught, *tested], progress, cancelled)
    named = baselines.forest(colours, seed)(train, y[train], test, len(dataset.classes)).argmax(axis=1)
    return {"colours": float((named == y[test]).mean())}
