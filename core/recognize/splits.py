"""Parting a data set into what is trained on and what is judged on, never within a group.

    >>> parts = split(dataset, seed=0)                                           # doctest: +SKIP
    >>> {name: len(samples) for name, samples in parts.items()}                  # doctest: +SKIP
    {'train': 93, 'val': 27, 'test': 13}

How groups are dealt out: first every part gets one group of each class that has enough of them. Then the largest group
comes first, and each goes where it brings the counts of the classes nearest to those that are wanted, by Pearson's
chi-square. scikit-learn's ``StratifiedGroupKFold`` is as greedy, but its parts are all of one size: 70, 20 and 10 %
would be put together of ten, and a class in fewer than ten groups would be in the smallest part by chance alone.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from core.errors import UserError
from core.recognize.datasets.files import some
from core.recognize.samples import ClipDataset, ClipSample, Part

Parts = dict[Part, tuple[ClipSample, ...]]

_NAMES: tuple[Part, ...] = ("train", "val", "test")
_SERVED: tuple[Part, ...] = ("train", "test", "val")
"""Who gets a group of a class that has too few: what was not taught cannot be tested, and what was not tested is not
known of."""


def split(
    dataset: ClipDataset,
    seed: int = 0,
    fractions: tuple[float, float, float] = (0.7, 0.2, 0.1),
    published: bool = True,
) -> Parts:
    """Train, val and test, each in the order of the data set; every sample is in one of them, but a changed copy is in
    train or in none.

    Args:
        dataset: what to part.
        seed: the same seed gives the same parts, in whatever order the samples come.
        fractions: of the samples in train, val and test, as near as whole groups allow; 0 leaves a part empty.
        published: take the publisher's parts where every sample has one, as they are, even if groups cross between
            them (:func:`check_apart` tells). If they have no val, and there is to be one, it is taken out of train by
            group, and then no group crosses between those two.

    Raises:
        UserError: there are too few groups, so that a part would be empty.
    """
    if min(fractions) < 0 or fractions[0] <= 0 or not math.isclose(sum(fractions), 1):
        raise ValueError(f"not fractions of a whole: {fractions}")
    told = dict(zip(_NAMES, fractions, strict=True))
    shares: dict[str, float] = {name: told[name] for name in _SERVED if told[name]}
    parts: list[str] = [sample.part for sample in dataset.samples if sample.part]
    if not published or not parts or len(parts) < len(dataset.samples):
        return _judged_by_originals(_named(dataset, _dealt(dataset.samples, shares, seed)))
    if "val" not in parts and "val" in shares:
        taught = [place for place, part in enumerate(parts) if part == "train"]
        whole = shares["train"] + shares["val"]
        inner = {name: shares[name] / whole for name in ("train", "val")}
        for place, part in zip(taught, _dealt([dataset.samples[i] for i in taught], inner, seed), strict=True):
            parts[place] = part
    return _judged_by_originals(_named(dataset, parts))


def folds(dataset: ClipDataset, n: int, seed: int = 0) -> list[Parts]:
    """Leave groups out ``n`` times, so that every sample, a copy too, is tested once; val is empty.

    Raises:
        UserError: there are fewer than ``n`` groups.
    """
    if n < 2:
        raise ValueError(f"a cross-validation has at least two folds, not {n}")
    numbers = [str(number) for number in range(n)]
    dealt = _dealt(dataset.samples, dict.fromkeys(numbers, 1 / n), seed)
    return [_named(dataset, ["test" if each == number else "train" for each in dealt]) for number in numbers]


def check_apart(parts: Mapping[Part, Iterable[ClipSample]]) -> None:
    """Refuse parts that share a group, or a file: what is judged would have been seen in training.

    Raises:
        UserError: they do; the sentence names some.
    """
    home: dict[str, Part] = {}
    crossing: dict[str, None] = {}
    for part, samples in parts.items():
        for sample in samples:
            for thing in (sample.group, str(sample.path)):
                if home.setdefault(thing, part) != part:
                    crossing[sample.group] = None
    if crossing:
        raise UserError(
            f"{len(crossing)} group(s) lie in more than one part ({some(crossing)}), so that what is judged was also"
            " trained on: split anew by group."
        )


def split_apart(dataset: ClipDataset, seed: int = 0) -> tuple[Parts, tuple[str, ...]]:
    """Parts that share no group and no file, and a sentence for the user where the published ones do and were put
    aside for it.

    Raises:
        UserError: there are too few groups, or groups share a file.
    """
    parts = split(dataset, seed)
    try:
        check_apart(parts)
    except UserError:
        parts = split(dataset, seed, published=False)
        check_apart(parts)
        return parts, ("Groups cross between the published parts, so that the clips were parted anew by group.",)
    return parts, ()


def one_source(dataset: ClipDataset, contents: Mapping[Path, str]) -> tuple[ClipDataset, tuple[str, ...]]:
    """Groups that hold the very same file become one, and a sentence for the user where there are such.

    Args:
        contents: of each sample's file, as of :func:`core.recognize.taught.contents_of`.
    """
    leader: dict[str, str] = {}

    def lead(group: str) -> str:
        while (above := leader.get(group, group)) != group:
            group = above
        return group

    holder: dict[str, str] = {}
    for sample in dataset.samples:
        first, second = sorted((lead(holder.setdefault(contents[sample.path], sample.group)), lead(sample.group)))
        if first != second:
            leader[second] = first
    if not leader:
        return dataset, ()
    samples = tuple(replace(sample, group=lead(sample.group)) for sample in dataset.samples)
    twice = [f"{lead(group)} and {group}" for group in sorted(leader)]
    return replace(dataset, samples=samples), (f"Counted as one source, for they hold the same file: {some(twice)}.",)


def gaps(dataset: ClipDataset, parts: Mapping[Part, Sequence[ClipSample]]) -> tuple[str, ...]:
    """A sentence for the user on each class that has samples, but none in a part that is not empty."""
    said = []
    for label, count in dataset.balance().items():
        without = [p for p, samples in parts.items() if samples and all(each.label != label for each in samples)]
        if not count or not without:
            continue
        groups = {sample.group for sample in dataset.samples if sample.label == label}
        clips, sources = f"{count} clip{'s' * (count != 1)}", f"{len(groups)} source{'s' * (len(groups) != 1)}"
        worth = "it cannot be learnt" if "train" in without else "its figures there mean nothing"
        said.append(f"{label} has {clips} from {sources} and none in {' and '.join(without)}: {worth}; add clips.")
    return tuple(said)


def _judged_by_originals(parts: Parts) -> Parts:
    """Without the copies that nothing may be judged by."""
    return {part: tuple(s for s in samples if part == "train" or not s.copy_of) for part, samples in parts.items()}


def _named(dataset: ClipDataset, parts: Sequence[str]) -> Parts:
    pairs = list(zip(dataset.samples, parts, strict=True))
    return {name: tuple(sample for sample, part in pairs if part == name) for name in _NAMES}


def _dealt(samples: Sequence[ClipSample], shares: Mapping[str, float], seed: int) -> list[str]:
    """The part of each sample. Originals alone count; a copy is where its group is, or in the first part.

    Args:
        shares: what every part is to have of the whole; the first is served first.

    Raises:
        UserError: there are too few groups.
    """
    names = list(shares)
    originals = [sample for sample in samples if not sample.copy_of]
    groups = sorted({sample.group for sample in originals})
    classes = sorted({sample.label for sample in originals})
    row, column = ({key: i for i, key in enumerate(keys)} for keys in (groups, classes))
    counts = np.zeros((len(groups), len(classes)), dtype=np.int64)
    for sample in originals:
        counts[row[sample.group], column[sample.label]] += 1
    part_of = _assign(counts, np.array([shares[name] for name in names]), np.random.default_rng(seed))
    if empty := [name for i, name in enumerate(names) if not (part_of == i).any()]:
        raise UserError(
            f"{len(groups)} source(s) of clips are too few for {len(names)} parts ({', '.join(empty)} would be empty):"
            " add clips from other footage, or ask for fewer parts."
        )
    return [names[part_of[row[sample.group]] if sample.group in row else 0] for sample in samples]


def _assign(counts: NDArray[np.int64], shares: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.int64]:
    """The part of each group, shape ``(groups,)``.

    Args:
        counts: samples of each class in each group, shape ``(groups, classes)``.
        shares: of each part, shape ``(parts,)``; the first is served first where there is not enough for all.
    """
    n_parts, n_groups, totals = len(shares), (counts > 0).sum(axis=0), counts.sum(axis=0)
    expected = shares[:, None] * totals
    wanted = expected.copy()
    part_of = np.full(len(counts), -1)
    shuffled = rng.permutation(len(counts))
    scarce = np.asarray((counts[:, n_groups < n_parts] > 0).any(axis=1))

    def give(group: int, part: int) -> None:
        part_of[group] = part
        wanted[part] -= counts[group]

    # Classes with enough groups for all parts come first, so that no part is empty if there is one such class.
    for label in sorted(range(len(totals)), key=lambda label: (n_groups[label] < n_parts, n_groups[label])):
        holders = shuffled[counts[shuffled, label] > 0]
        free = holders[part_of[holders] < 0].tolist()
        without = sorted(set(range(n_parts)) - set(part_of[holders].tolist()))[: len(free)]
        for part in sorted(without, key=lambda part: float(shares[part])):
            # Any that is not too large, else the smallest: that leaves the largest for the largest part. And what
            # only few groups have is left for the first part.
            excess = np.maximum(counts[free, label] - wanted[part, label], 0)
            rare = np.logical_and(scarce[free], part > 0)
            give(free.pop(int(np.lexsort((excess, rare))[0])), part)
    left = shuffled[part_of[shuffled] < 0]
    sizes = (counts[left] / totals).sum(axis=1)
    for group in left[np.argsort(-sizes, kind="stable")].tolist():
        own = counts[group]
        give(group, int(np.argmax(((2 * wanted - own) * own / expected).sum(axis=1))))
    return part_of
