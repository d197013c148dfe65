"""Copies of rare clips: how many, of whom, and that only training clips are ever changed."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from core.errors import Cancelled, UserError
from core.recognize import augment
from core.recognize.augment import augment_dataset, copied, copies_wanted, recoloured, write_augmented
from core.recognize.clips_data import Clips, Looks, Pick, TrainingOrder
from core.recognize.datasets import read_dataset
from core.recognize.datasets.folders import BY_FILE, write_table
from core.recognize.frames import read_frames
from core.recognize.samples import ClipDataset, ClipSample, Track
from core.recognize.sampling import chosen, frame_count
from core.recognize.splits import check_apart, split
from core.recognize.taught import contents_of, taught_by
from core.settings import AugmentSettings
from core.video import Video
from tests.moments import LEFT, RIGHT, SIDE, dataset_of, frames_of, write_clip

AUGMENT = AugmentSettings(rare_below=5)


@pytest.fixture(scope="module")
def squares(tmp_path_factory: pytest.TempPathFactory) -> ClipDataset:
    return dataset_of(tmp_path_factory.mktemp("squares"), each=2)


def _clips(dataset: ClipDataset, augment: AugmentSettings | None) -> Clips:
    return Clips(dataset.samples, dataset.classes, [10] * len(dataset.samples), Looks("even", 4, SIDE), augment, seed=1)


@pytest.mark.parametrize("scheme", ["window", "segments", "even"])
@pytest.mark.parametrize(("length", "frames"), [(1, 8), (5, 8), (8, 8), (9, 8), (300, 24)])
def test_frames_stay_inside_and_in_order(scheme: str, length: int, frames: int) -> None:
    for rng in (None, np.random.default_rng(5)):
        which = chosen(scheme, length, frames, stride=2, rng=rng)  # type: ignore[arg-type]
        assert len(which) == frames
        assert which.min() >= 0
        assert which.max() < length
        assert (np.diff(which) >= 0).all()


def test_what_each_scheme_takes_when_nothing_is_left_to_chance() -> None:
    assert chosen("window", 6, 4).tolist() == [1, 2, 3, 4]
    assert chosen("window", 20, 4).tolist() == [2, 7, 12, 17]
    assert chosen("window", 20, 4, stride=6).tolist() == [0, 6, 12, 18]
    assert chosen("window", 3, 5).tolist() == [0, 1, 2, 2, 2], "a short moment repeats its last frame"
    assert chosen("segments", 20, 4).tolist() == [2, 7, 12, 17]
    assert chosen("even", 20, 4).tolist() == [0, 6, 13, 19]
    with pytest.raises(ValueError, match="without a frame"):
        chosen("even", 0, 4)


def test_a_window_reaches_over_all_of_a_long_moment() -> None:
    for seed in (None, *range(20)):
        which = chosen("window", 150, 16, rng=None if seed is None else np.random.default_rng(seed))
        assert set(np.diff(which)) == {9}
        assert which[0] < 15
        assert which[-1] >= 135


def test_training_takes_other_frames_of_each_segment() -> None:
    rng = np.random.default_rng(3)
    taken = np.stack([chosen("segments", 40, 4, rng=rng) for _ in range(200)])
    assert [set(column) for column in taken.T] == [set(range(at, at + 10)) for at in (0, 10, 20, 30)]


def test_rare_classes_are_made_up_to_the_number_and_others_left_alone() -> None:
    samples = [ClipSample(Path("a.mp4"), "rare", "a")] * 2 + [ClipSample(Path("b.mp4"), "common", "b")] * 6
    assert copies_wanted(samples, 5) == {0: 2, 1: 1}
    assert copies_wanted(samples, 0) == {}


def test_an_epoch_has_every_clip_and_its_copies_once_in_an_order_of_its_own(squares: ClipDataset) -> None:
    order = TrainingOrder(_clips(squares, AUGMENT), 5, "none", seed=1)
    first = list(order)
    assert sorted((pick.number, pick.copy) for pick in first) == [
        (0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (2, 0), (2, 1), (2, 2), (3, 0), (3, 1),
    ]  # fmt: skip
    assert list(order) == first
    order.epoch = 1
    assert [pick[:2] for pick in order] != [pick[:2] for pick in first]


def test_several_devices_share_an_epoch(squares: ClipDataset) -> None:
    orders = [TrainingOrder(_clips(squares, AUGMENT), 5, "none", 1, device, devices=4) for device in range(4)]
    picks = [list(order) for order in orders]
    assert [len(some) for some in picks] == [3] * 4
    assert {pick for some in picks for pick in some} == set(TrainingOrder(_clips(squares, AUGMENT), 5, "none", 1))


def test_drawing_by_balance_takes_classes_equally_often() -> None:
    samples = [ClipSample(Path("a.mp4"), "rare", "a")] * 40 + [ClipSample(Path("b.mp4"), "common", "b")] * 360
    clips = Clips(samples, ("rare", "common"), [1] * 400, Looks("even", 1, 16), AUGMENT, 1)
    drawn = [clips.labels[pick.number] for pick in TrainingOrder(clips, 0, "sampling", seed=4)]
    assert len(drawn) == 400
    assert 160 < drawn.count(0) < 240


def test_a_copy_is_turned_and_shifted_alike_in_every_frame() -> None:
    frames = np.repeat(frames_of(RIGHT, 0, 2)[:1], 3, 0)
    moved = copied(frames, AUGMENT, np.random.default_rng(0))
    assert moved.shape == frames.shape
    assert moved.dtype == np.uint8
    assert (moved == moved[0]).all()
    assert np.abs(moved[0].astype(int) - frames[0]).mean() > 2
    still = AugmentSettings(rotate_deg=0, shift=0)
    np.testing.assert_array_equal(copied(frames, still, np.random.default_rng(0)), frames)


def test_colour_changes_little_and_only_where_wanted() -> None:
    frames = frames_of(RIGHT, 0)
    other = recoloured(frames, AugmentSettings(colour=0.2), np.random.default_rng(1))
    assert 0 < np.abs(other.astype(int) - frames).mean() < 30
    same = recoloured(frames, AugmentSettings(colour=0), np.random.default_rng(1))
    np.testing.assert_array_equal(same, frames)


def test_nothing_is_mirrored_unless_left_and_right_are_the_same() -> None:
    frames, never, may = frames_of(RIGHT, 0), AugmentSettings(colour=0), AugmentSettings(colour=0, flip=True)
    rng = np.random.default_rng(2)
    assert all((recoloured(frames, never, rng) == frames).all() for _ in range(20))
    mirrored = [bool((recoloured(frames, may, rng) == frames[:, :, ::-1]).all()) for _ in range(40)]
    assert 8 < sum(mirrored) < 32


def test_only_training_clips_are_changed(squares: ClipDataset) -> None:
    plain = read_frames(squares.samples[0], [0, 3, 6, 9], (SIDE, SIDE))
    judged, taught = _clips(squares, None), _clips(squares, AugmentSettings(flip=True, colour=0.3))
    for epoch in range(3):
        for copy in range(2):
            np.testing.assert_array_equal(judged[Pick(0, copy, epoch)][0], plain)
            assert not np.array_equal(taught[Pick(0, copy, epoch)][0], plain)


def test_chance_hangs_on_seed_epoch_clip_and_copy_alone(squares: ClipDataset) -> None:
    clips, again = _clips(squares, AUGMENT), _clips(squares, AUGMENT)
    again[Pick(3, 0, 0)]
    np.testing.assert_array_equal(clips[Pick(0, 1, 4)][0], again[Pick(0, 1, 4)][0])
    assert not np.array_equal(clips[Pick(0, 1, 4)][0], clips[Pick(0, 1, 5)][0])
    assert not np.array_equal(clips[Pick(0, 1, 4)][0], clips[Pick(0, 2, 4)][0])


def test_copies_on_disk_are_marked_grouped_and_carried_on(squares: ClipDataset, tmp_path: Path) -> None:
    def once_more() -> bool:
        return len(list(tmp_path.glob("*.mp4"))) == 2

    with pytest.raises(Cancelled):
        write_augmented(squares.samples, tmp_path, AugmentSettings(rare_below=4), size=64, cancelled=once_more)
    kept = {path: path.stat().st_mtime_ns for path in tmp_path.glob("*.mp4")}
    told: list[float] = []
    copies = write_augmented(
        squares.samples, tmp_path, AugmentSettings(rare_below=4), size=64, progress=lambda _, done: told.append(done)
    )
    for copy, start in zip(copies, ("right-00000", "right-00001", "left-00002", "left-00003"), strict=True):
        assert re.fullmatch(rf"{start}-[0-9a-f]{{12}}-copy1\.mp4", copy.path.name)
    assert [(c.label, c.group, c.part) for c in copies] == [(s.label, s.group, "train") for s in squares.samples]
    assert told == [0.25, 0.5, 0.75, 1.0]
    assert len(kept) == 2
    assert all(path.stat().st_mtime_ns == time for path, time in kept.items())
    video = Video.open(copies[0].path)
    assert (video.info.width, video.info.height, video.n_frames, float(video.info.average_rate)) == (64, 64, 10, 25.0)
    whole = read_frames(squares.samples[0], 10, (64, 64))
    assert np.abs(read_frames(copies[0], 10, (64, 64)).astype(int) - whole).mean() > 2


def test_a_copy_is_never_taken_for_one_of_other_frames_or_settings(squares: ClipDataset, tmp_path: Path) -> None:
    sample, settings = squares.samples[0], AugmentSettings(rare_below=2)
    boxes = Track(np.array([0]), np.array([[0.1, 0.1, 0.9, 0.9]]))
    asked: list[tuple[ClipSample, AugmentSettings, int]] = [
        (sample, settings, 1),
        (replace(sample, path=squares.samples[1].path), settings, 1),
        (replace(sample, start_frame=2), settings, 1),
        (replace(sample, end_frame=5), settings, 1),
        (replace(sample, track=boxes), settings, 1),
        (sample, settings.model_copy(update={"rotate_deg": 3.0}), 1),
        (sample, settings, 2),
    ]
    made = [write_augmented([one], tmp_path, how, size=32, seed=seed)[0].path for one, how, seed in asked]
    assert len({path.read_bytes() for path in made}) == len(set(made)) == len(asked)
    more = write_augmented([sample], tmp_path, AugmentSettings(rare_below=3), size=32, seed=1)
    assert more[0].path == made[0], "more copies leave the first as it is"


@pytest.mark.parametrize("tabled", [False, True])
def test_copies_stay_with_their_originals_in_any_split(tmp_path: Path, tabled: bool) -> None:
    data = tmp_path / "data"
    data.mkdir()
    clips = dataset_of(data, each=6).samples[:9]
    clips = tuple(replace(one, group=f"scene {i % 5}" if tabled else one.path.name) for i, one in enumerate(clips))
    write_table(data, clips) if tabled else (data / "clips.csv").write_text(
        "\n".join(["path,label,scene,source,copy_of", *(f"{one.path.name},{one.label},,," for one in clips)]) + "\n"
    )
    original = read_dataset(data)
    assert [one.group for one in sorted(original.samples, key=lambda one: one.path)] == [
        one.group for one in sorted(clips, key=lambda one: one.path)
    ]
    out = data / "copies"
    copies, _ = augment_dataset(original, out, AugmentSettings(rare_below=5), seed=1)
    taught = split(original, seed=1)["train"]
    assert len(copies) == sum(5 - n for n in Counter(one.label for one in taught).values() if n < 5) > 0
    alone = read_dataset(out)
    assert len(alone.samples) == len(copies)
    assert BY_FILE not in alone.notes
    with (data / "clips.csv").open("a") as table:  # as somebody who wants one data set of both
        table.writelines((out / "clips.csv").read_text().splitlines(keepends=True)[1:])
    both = read_dataset(data)
    assert len(both.samples) == len(clips) + len(copies)
    made_from = {one.path: taught[int(one.path.name.split("-")[1])].path for one in copies}
    for seed in range(5):
        parts = split(both, seed=seed)
        check_apart(parts)
        home = {one.path: part for part, samples in parts.items() for one in samples}
        for path, original_path in made_from.items():
            assert home.get(path) == ("train" if home[original_path] == "train" else None)


def test_copies_count_as_seen_where_their_originals_taught(tmp_path: Path) -> None:
    """However the data set calls its groups: by files, scenes, competitions, stretches of numbers or sessions."""
    clips = dataset_of(tmp_path, each=3).samples
    own = [one.path.name for one in clips]
    names = ("scene park", "source park", "comp_1", "0001000-0001999", "a1b2c3d4")
    for kind in (own, *([name] * 3 + [f"{name}x"] * 3 for name in names)):
        samples = tuple(replace(one, group=group) for one, group in zip(clips, kind, strict=True))
        out = tmp_path / f"copies of {kind[0]}"
        write_table(out, write_augmented(samples[:3], out, AugmentSettings(rare_below=4), size=32))
        copies = read_dataset(out).samples
        taught, other = (taught_by(some, contents_of(some)) for some in (samples[:3], samples[3:]))
        assert taught.met(copies).all()
        assert not other.met(copies).any()
        groups = {one.group for one in samples[:1]}  # of which the only copy was made
        assert taught_by(copies, contents_of(copies)).met(samples).tolist() == [one.group in groups for one in samples]


def test_files_of_two_data_sets_may_be_called_alike(tmp_path: Path) -> None:
    for part, seed in (("taught", 1), ("tested", 2)):
        (tmp_path / part / "ollie").mkdir(parents=True)
        write_clip(tmp_path / part / "ollie" / "1.mp4", frames_of(LEFT, seed))
    taught, tested = (read_dataset(tmp_path / part).samples for part in ("taught", "tested"))
    assert taught_by(taught, contents_of(taught)).met(tested).tolist() == [False]


def test_a_long_moment_is_refused_and_reading_it_can_be_stopped(
    squares: ClipDataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = iter([False] * 3 + [True])  # in the midst of the first moment
    with pytest.raises(Cancelled):
        write_augmented(
            squares.samples, tmp_path, AugmentSettings(rare_below=4), size=32, cancelled=lambda: next(asked)
        )
    assert list(tmp_path.iterdir()) == []
    monkeypatch.setattr(augment, "MOST_FRAMES", 9)
    with pytest.raises(UserError, match=r"right0\.mp4 has a moment of 10 frames, and copies are made of at most 9"):
        write_augmented(squares.samples, tmp_path, AugmentSettings(rare_below=4), size=32)


def test_copies_get_a_folder_of_their_own(squares: ClipDataset, tmp_path: Path) -> None:
    """The table of somebody's data set is not written over."""
    folder = squares.samples[0].path.parent
    with pytest.raises(UserError, match=r"holds other files, such as .*mp4: choose an empty folder"):
        augment_dataset(squares, folder, AugmentSettings(rare_below=5))
    enough = dataset_of(tmp_path, each=4)
    assert augment_dataset(enough, tmp_path / "none", AugmentSettings(rare_below=1))[0] == ()
    assert not (tmp_path / "none").exists()


def test_a_label_cannot_lead_a_copy_out_of_its_folder(squares: ClipDataset, tmp_path: Path) -> None:
    sample = ClipSample(squares.samples[0].path, "../../up/and away", "a")
    [copy] = write_augmented([sample], tmp_path / "copies", AugmentSettings(rare_below=2), size=32)
    assert copy.path.parent == tmp_path / "copies"
    assert copy.path.exists()


def test_a_moment_behind_the_end_of_its_video_is_refused(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "short.mp4", frames_of(LEFT, 0, 6))
    assert frame_count(ClipSample(path, LEFT, "a", start_frame=2, end_frame=90)) == 4
    with pytest.raises(UserError, match="has 6 frames, so that the moment at frame 6 holds none"):
        frame_count(ClipSample(path, LEFT, "a", start_frame=6))
