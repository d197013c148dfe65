"""Splits: a group on both sides makes every figure too good, and a class that is missing in a part makes none."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.errors import UserError
from core.recognize.samples import ClipDataset, ClipSample, Part
from core.recognize.splits import Parts, check_apart, folds, gaps, one_source, split, split_apart

CLASSES = ("grind", "kickflip", "ollie")


def dataset(groups: Mapping[str, str], parts: Mapping[str, Part] | None = None) -> ClipDataset:
    """The samples of each group by the first letters of their classes, such as ``{"park": "ook"}``."""
    names = {name[0]: name for name in CLASSES}
    samples = [
        ClipSample(Path(f"{group}-{number}.mp4"), names[letter], group, part=(parts or {}).get(group))
        for group, letters in groups.items()
        for number, letter in enumerate(letters)
    ]
    return ClipDataset("park", tuple(samples), CLASSES)


def sizes(parts: Parts) -> tuple[int, int, int]:
    return len(parts["train"]), len(parts["val"]), len(parts["test"])


def homes(parts: Parts) -> dict[str, set[str]]:
    """The parts in which each group lies."""
    found: dict[str, set[str]] = {}
    for part, samples in parts.items():
        for sample in samples:
            found.setdefault(sample.group, set()).add(part)
    return found


def counts(samples: Sequence[ClipSample]) -> dict[str, int]:
    return dict(Counter(sample.label for sample in samples))


def test_sources_that_hold_the_same_file_are_one() -> None:
    data = dataset({"a": "o", "b": "og", "c": "g", "d": "k"})
    contents = {sample.path: sample.path.stem for sample in data.samples}
    assert one_source(data, contents) == (data, ())
    contents |= {Path("c-0.mp4"): "b-1", Path("b-0.mp4"): "a-0"}  # a with b, and c with b
    joined, notes = one_source(data, contents)
    assert [sample.group for sample in joined.samples] == ["a", "a", "a", "a", "d"]
    assert notes == ("Counted as one source, for they hold the same file: a and b, a and c.",)


def test_copies_teach_and_never_judge() -> None:
    data = dataset({f"place{number}": "gko" for number in range(10)})
    copies = [replace(one, path=Path(f"copy of {one.path}"), copy_of=str(one.path)) for one in data.samples] * 3
    for published in (False, True):  # a copy is published as of the training
        samples = [replace(one, part="train" if published else None) for one in (*data.samples, *copies)]
        plain = split(replace(data, samples=tuple(samples[: len(data.samples)])), seed=3)
        parts = split(replace(data, samples=tuple(samples)), seed=3)
        for part in ("val", "test"):
            assert parts[part] == plain[part]
        assert len(parts["train"]) == 4 * len(plain["train"]) > 0
        check_apart(parts)


GROUPS = st.dictionaries(
    st.text("abcdef", min_size=1, max_size=3), st.text("gko", min_size=1, max_size=12), max_size=25
)
SEEDS = st.integers(0, 2**32 - 1)


@settings(max_examples=60, deadline=None)
@given(GROUPS, SEEDS, st.sampled_from([(0.7, 0.2, 0.1), (0.5, 0.25, 0.25), (0.8, 0.0, 0.2), (0.9, 0.1, 0.0)]))
def test_no_group_is_parted_and_every_sample_is_there_once(
    groups: dict[str, str], seed: int, fractions: tuple[float, float, float]
) -> None:
    data = dataset(groups)
    wanted = sum(fraction > 0 for fraction in fractions)
    # A class in as many groups as there are parts is enough for a split.
    if max(sum(letter in letters for letters in groups.values()) for letter in "gko") < wanted:
        return
    parts = split(data, seed, fractions)
    check_apart(parts)
    assert all(len(where) == 1 for where in homes(parts).values())
    assert Counter(s for samples in parts.values() for s in samples) == Counter(data.samples)
    assert [bool(samples) for samples in parts.values()] == [fraction > 0 for fraction in fractions]


@settings(max_examples=30, deadline=None)
@given(GROUPS, SEEDS, st.randoms())
def test_a_seed_gives_the_same_split_in_any_order(groups: dict[str, str], seed: int, random: Random) -> None:
    data = dataset({**groups, "x": "o", "y": "o", "z": "o"})
    shuffled = list(data.samples)
    random.shuffle(shuffled)
    again = split(ClipDataset("park", tuple(shuffled), CLASSES), seed)
    assert homes(split(data, seed)) == homes(again)
    assert [s for s in shuffled if s in set(again["train"])] == list(again["train"])  # in the order of the data set


@settings(max_examples=30, deadline=None)
@given(GROUPS, SEEDS, st.integers(2, 5))
def test_folds_test_every_sample_once_and_never_what_they_train_on(groups: dict[str, str], seed: int, n: int) -> None:
    data = dataset({**groups, **{f"x{i}": "o" for i in range(n)}})
    made = folds(data, n, seed)
    assert len(made) == n
    assert Counter(s for fold in made for s in fold["test"]) == Counter(data.samples)
    for fold in made:
        check_apart(fold)
        assert fold["val"] == ()
        assert fold["test"]
        assert len(fold["train"]) + len(fold["test"]) == len(data.samples)
    assert made == folds(data, n, seed)


def test_groups_of_one_class_and_one_sample_are_parted_exactly() -> None:
    data = dataset({f"{letter}{number}": letter for letter in "gko" for number in range(20)})
    parts = split(data, 3)
    assert [counts(samples) for samples in parts.values()] == [dict.fromkeys(CLASSES, n) for n in (14, 4, 2)]
    assert gaps(data, parts) == ()
    assert homes(split(data, 4)) != homes(parts)


@pytest.mark.parametrize("seed", range(10))
def test_uneven_groups_keep_the_balance(seed: int) -> None:
    """Scenes of very different sizes, each with its own mixture, as real footage has them."""
    groups = {f"s{i}": "o" * (i % 7) + "k" * ((3 * i) % 8) + "g" * (i % 3 == 0) for i in range(1, 31)}
    data = dataset(groups)
    parts = split(data, seed)
    for label, total in data.balance().items():
        for samples, fraction in zip(parts.values(), (0.7, 0.2, 0.1), strict=True):
            assert counts(samples)[label] == pytest.approx(fraction * total, abs=max(2, 0.06 * total)), label


def test_a_rare_class_is_in_every_part_that_it_can_be_in() -> None:
    groups = {f"o{i}": "oo" for i in range(30)} | {f"k{i}": "k" for i in range(3)} | {"g0": "g", "g1": "g"}
    for seed in range(10):
        data = dataset(groups)
        parts = split(data, seed)
        assert [counts(samples).get("kickflip") for samples in parts.values()] == [1, 1, 1]
        # Two sources: one to learn from and one to be judged on.
        assert [counts(samples).get("grind", 0) for samples in parts.values()] == [1, 0, 1]
        (said,) = gaps(data, parts)
        assert "grind has 2 clips from 2 sources and none in val" in said


def test_the_largest_group_goes_to_the_largest_part() -> None:
    data = dataset({"long": "o" * 50, "short": "o" * 3, "shorter": "o"})
    for seed in range(10):
        assert sizes(split(data, seed)) in ((50, 3, 1), (50, 1, 3))


def test_a_class_with_one_clip_is_trained_on_and_told() -> None:
    data = dataset({"a": "o", "b": "o", "c": "o", "d": "g"})
    parts = split(data)
    assert "grind" in counts(parts["train"])
    assert gaps(data, parts) == (
        "grind has 1 clip from 1 source and none in val and test: its figures there mean nothing; add clips.",
    )


def test_rare_classes_do_not_empty_a_part_for_the_others() -> None:
    data = dataset({"a": "go", "b": "ko", "c": "o"})
    for seed in range(10):
        assert [counts(samples).get("ollie") for samples in split(data, seed).values()] == [1, 1, 1]
    # With enough of the others, what is in one group alone is taught.
    data = dataset({"a": "go", "b": "ko", "c": "o", "d": "o"})
    for seed in range(10):
        assert counts(split(data, seed)["train"]) == {"grind": 1, "kickflip": 1, "ollie": 2}


@pytest.mark.parametrize("groups", [{}, {"a": "ooo"}, {"a": "oo", "b": "kk"}, {"a": "o", "b": "k", "c": "g"}])
def test_too_few_sources_are_refused(groups: dict[str, str]) -> None:
    with pytest.raises(UserError, match="too few for 3 parts"):
        split(dataset(groups))
    with pytest.raises(UserError, match="too few for 4 parts"):
        folds(dataset(groups), 4)


@pytest.mark.parametrize("fractions", [(0.7, 0.2, 0.2), (0.0, 0.5, 0.5), (1.2, -0.1, -0.1)])
def test_fractions_are_of_one_whole(fractions: tuple[float, float, float]) -> None:
    with pytest.raises(ValueError, match="not fractions of a whole"):
        split(dataset({"a": "o", "b": "o", "c": "o"}), fractions=fractions)


## The publisher's parts


def test_the_published_parts_are_kept() -> None:
    data = dataset({"a": "oo", "b": "k", "c": "oko"}, {"a": "val", "b": "test", "c": "train"})
    assert homes(split(data)) == {"a": {"val"}, "b": {"test"}, "c": {"train"}}


def test_a_missing_val_is_taken_out_of_train_by_group() -> None:
    published: dict[str, Part] = {f"s{i}": "test" if i < 3 else "train" for i in range(12)}
    data = dataset(dict.fromkeys(published, "ok"), published)
    parts = split(data, 1)
    assert {group for group, where in homes(parts).items() if where == {"test"}} == {"s0", "s1", "s2"}
    assert sizes(parts) == (14, 4, 6)  # 7 to 2 of what is left
    check_apart(parts)
    assert sizes(split(data, 1, (0.8, 0.0, 0.2))) == (18, 0, 6)


def test_the_published_parts_can_be_put_aside() -> None:
    data = dataset({f"s{i}": "ok" for i in range(10)}, {f"s{i}": "train" for i in range(10)})
    assert sizes(split(data, published=False)) == (14, 4, 2)
    some_open = ClipDataset("park", (*data.samples, ClipSample(Path("x.mp4"), "ollie", "x")), CLASSES)
    assert min(sizes(split(some_open))) > 0


## The check


def test_parts_that_share_a_group_or_a_file_are_refused() -> None:
    a, b = ClipSample(Path("a.mp4"), "ollie", "park"), ClipSample(Path("b.mp4"), "ollie", "park")
    same_file = ClipSample(Path("a.mp4"), "grind", "plaza")
    check_apart({"train": (a, b), "val": (), "test": ()})
    with pytest.raises(UserError, match=r"1 group.s. lie in more than one part .park."):
        check_apart({"train": (a,), "val": (), "test": (b,)})
    with pytest.raises(UserError, match="plaza"):
        check_apart({"train": (a,), "test": (same_file,)})


def test_published_parts_that_share_a_group_are_put_aside() -> None:
    data = dataset({f"s{i}": "ok" for i in range(10)}, {f"s{i}": "test" if i < 3 else "train" for i in range(10)})
    assert split_apart(data, 1) == (split(data, 1), ())
    crossing = ClipDataset("park", (*data.samples, ClipSample(Path("x.mp4"), "ollie", "s0", part="train")), CLASSES)
    parts, said = split_apart(crossing, 1)
    check_apart(parts)
    assert parts == split(crossing, 1, published=False)
    assert "parted anew by group" in said[0]
    same_file = (ClipSample(Path("x.mp4"), "ollie", f"s{i}") for i in range(10))
    with pytest.raises(UserError, match="lie in more than one part"):
        split_apart(ClipDataset("park", (*data.samples, *same_file), CLASSES))
