"""The recognizer that learns from a hundred clips in minutes."""

from __future__ import annotations

import csv
import json
import pickle
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from core.errors import Cancelled, UserError
from core.recognize.light import features
from core.recognize.light.baselines import colour_histograms
from core.recognize.light.features import describe
from core.recognize.light.judge import LightSettings
from core.recognize.light.moment import FRAMES, HALF_S, Moment, moment_of
from core.recognize.light.recognizer import LightRecognizer, fit_light
from core.recognize.light.sight import Eyes
from core.recognize.light.validation import abstaining, cross_validated, evidence, risk_coverage
from core.recognize.samples import ClipDataset, ClipSample, Track
from core.video import Video
from core.workspace import Workspace
from sample_data.make_session import Session
from tests.conftest import SHARED
from tests.moments import write_clip

SIDE, LENGTH = 64, 8
EACH = 4
WHOLE = Track(np.array([0]), np.array([[0.1, 0.1, 0.9, 0.9]]))


def drawn(spins: bool, seed: int) -> NDArray[np.uint8]:
    """A bar that crosses a noisy picture, turning or not, in colours of its own."""
    rng = np.random.default_rng(seed)
    ground = rng.integers(0, 80, (SIDE, SIDE, 3)) + rng.integers(0, 60, 3)
    colour = rng.integers(150, 255, 3).tolist()
    start = rng.uniform(0, 180)
    pictures = []
    for number in range(LENGTH):
        picture = ground.astype(np.uint8)
        middle = (16 + 4.0 * number, 32.0)
        angle = start + (50 * number if spins else 0)
        corners = cv2.boxPoints((middle, (30.0, 8.0), angle)).astype(np.int32)
        pictures.append(np.asarray(cv2.fillPoly(picture, [corners], colour), np.uint8))
    return np.stack(pictures)


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> ClipDataset:
    """In each place one bar that turns and one that does not."""
    folder = tmp_path_factory.mktemp("bars")
    samples = [
        ClipSample(
            write_clip(folder / f"{label}{place}.mp4", drawn(label == "spin", 10 * place + (label == "spin"))),
            label,
            f"place {place}",
            track=WHOLE,
        )
        for place in range(EACH)
        for label in ("slide", "spin")
    ]
    return ClipDataset("bars", tuple(samples), ("slide", "spin"))


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    with Workspace.open(tmp_path_factory.mktemp("light")) as opened:
        yield opened


@pytest.fixture(scope="module")
def recognizer(dataset: ClipDataset, workspace: Workspace) -> LightRecognizer:
    return fit_light(dataset.samples, workspace)


def moment(sample: ClipSample, workspace: Workspace) -> Moment:
    video = Video.open(sample.path)
    return moment_of(sample, video, Eyes(workspace).see(video))


def test_what_was_learnt_holds_in_places_never_seen(
    recognizer: LightRecognizer, workspace: Workspace, tmp_path: Path
) -> None:
    unseen = [
        ClipSample(write_clip(tmp_path / f"{seed}.mp4", drawn(seed % 2 == 1, seed)), "?", "", track=WHOLE)
        for seed in range(900, 904)
    ]
    probability = recognizer.predict(unseen, workspace)
    assert recognizer.classes == ("slide", "spin")
    assert probability.argmax(axis=1).tolist() == [0, 1, 0, 1]
    assert probability.sum(axis=1) == pytest.approx(1)
    assert recognizer.predict([], workspace).shape == (0, 2)


def test_the_same_clips_give_the_same_features_to_the_bit(
    dataset: ClipDataset, workspace: Workspace, tmp_path: Path
) -> None:
    with Workspace.open(tmp_path) as other:
        again = describe(dataset.samples[:2], other).values
    assert again.tobytes() == describe(dataset.samples[:2], workspace).values.tobytes()


def test_training_again_computes_no_feature_anew(
    recognizer: LightRecognizer, dataset: ClipDataset, workspace: Workspace
) -> None:
    kept = {path: path.stat().st_mtime_ns for path in workspace.home.glob("videos/*/moment-*.npz")}
    again = fit_light(dataset.samples, workspace)
    assert len(kept) >= len(dataset.samples)
    assert {path: path.stat().st_mtime_ns for path in workspace.home.glob("videos/*/moment-*.npz")} == kept
    assert again.card == recognizer.card
    assert again.judge.classifier.weight.tobytes() == recognizer.judge.classifier.weight.tobytes()


def test_a_copy_under_another_name_is_known_and_another_box_is_not(
    dataset: ClipDataset, workspace: Workspace, tmp_path: Path
) -> None:
    sample = dataset.samples[0]
    values = describe([sample], workspace).values
    files = set(workspace.home.rglob("moment-*.npz"))
    copied = replace(sample, path=Path(shutil.copy(sample.path, tmp_path / "copy.mp4")))
    assert describe([copied], workspace).values.tobytes() == values.tobytes()
    assert set(workspace.home.rglob("moment-*.npz")) == files
    elsewhere = replace(sample, track=Track(np.array([0]), np.array([[0.5, 0.5, 0.9, 0.9]])))
    assert describe([elsewhere], workspace).values.tobytes() != values.tobytes()


def test_a_stopped_training_keeps_what_was_done(dataset: ClipDataset, tmp_path: Path) -> None:
    asked: list[float] = []
    with Workspace.open(tmp_path) as workspace:
        with pytest.raises(Cancelled):
            fit_light(
                dataset.samples,
                workspace,
                progress=lambda _, done: asked.append(done),
                cancelled=lambda: len(asked) > 2,
            )
        done = list(tmp_path.rglob("moment-*.npz"))
        assert len(done) == len(asked) == 3
        before = [path.stat().st_mtime_ns for path in done]
        describe(dataset.samples[:3], workspace)
        assert [path.stat().st_mtime_ns for path in done] == before


def test_footage_without_anybody_is_looked_at_in_the_middle_and_says_so(tmp_path: Path, workspace: Workspace) -> None:
    path = write_clip(tmp_path / "empty.mp4", drawn(False, 5))
    found = moment(ClipSample(path, "slide", "a"), workspace)
    assert found.note is not None
    assert "no hop was seen" in found.note
    assert "nobody was seen" in found.note
    assert found.squares.boxes == pytest.approx(np.tile([0.0, 0.0, 1.0, 1.0], (len(found.squares.frames), 1)))
    assert describe([ClipSample(path, "slide", "a")], workspace).notes == (f"empty.mp4: {found.note}.",)


def test_the_window_lies_round_the_hop_of_the_moment_asked_for(session: Session, studio_workspace: Workspace) -> None:
    video = Video.open(session.video)
    first, second = session.intervals
    between = (first.end_frame + second.start_frame) // 2
    for trick, start, end in ((first, 0, between), (second, between, None)):
        found = moment(ClipSample(session.video, "ollie", "a", start, end), studio_workspace)
        assert found.note is None
        assert len(found.frames) == FRAMES
        assert trick.start_frame < found.frames[FRAMES // 2] < trick.end_frame
        length_s = video.pts_s[found.frames[-1]] - video.pts_s[found.frames[0]]
        assert length_s == pytest.approx(2 * HALF_S, abs=0.05)


def test_the_squares_hold_the_feet_and_not_the_head(session: Session, studio_workspace: Workspace) -> None:
    eyes, video = Eyes(studio_workspace), Video.open(session.video)
    sight = eyes.see(video)
    found = moment_of(ClipSample(session.video, "ollie", "a"), video, sight)
    table, rows = sight.signals.table, sight.signals.rows
    near = table["frame"].isin(found.squares.frames).to_numpy() & (rows >= 0)
    at = np.searchsorted(found.squares.frames, table["frame"].to_numpy()[near])
    low, high = found.squares.boxes[at, :2], found.squares.boxes[at, 2:]
    joints = sight.pose.keypoints[rows[near], :, :2]
    assert near.sum() > 5
    for ankle in (15, 16):
        assert ((joints[:, ankle] > low) & (joints[:, ankle] < high)).all()
    assert (joints[:, 0, 1] < low[:, 1]).all()


def test_a_session_of_the_studio_is_not_looked_at_again(session: Session, studio_workspace: Workspace) -> None:
    before = len(studio_workspace.sessions())
    describe([ClipSample(session.video, "ollie", "a")], studio_workspace)
    assert not list(studio_workspace.home.rglob("pose-alone*"))
    assert len(studio_workspace.sessions()) == before


def test_other_clips_do_not_become_sessions(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "clip.mp4", drawn(True, 6))
    with Workspace.open(tmp_path / "home") as workspace:
        describe([ClipSample(path, "spin", "a")], workspace)
        assert list(workspace.home.rglob("pose-alone*"))
        assert workspace.sessions() == []


def test_the_squares_follow_a_player(session: Session) -> None:
    frames = np.array([30, 60])
    boxes = np.array([[0.1, 0.2, 0.2, 0.6], [0.5, 0.3, 0.6, 0.7]])
    video = Video.open(session.video)
    found = moment_of(ClipSample(session.video, "spike", "a", 30, 60, track=Track(frames, boxes)), video, None)
    assert (found.frames[0], found.frames[-1]) == (30, 60)
    middle = (found.squares.boxes[:, :2] + found.squares.boxes[:, 2:]) / 2
    half_way = np.searchsorted(found.squares.frames, 45)
    assert middle[half_way] == pytest.approx([0.35, 0.45], abs=0.01)
    assert (np.diff(middle[:, 0]) > 0).all()
    assert (found.squares.boxes[:, 3] - found.squares.boxes[:, 1] >= 0.4).all()


@pytest.mark.parametrize(
    ("chosen", "said"),
    [
        (lambda all_: [], "nothing to tell apart with no clip"),
        (lambda all_: [s for s in all_ if s.label == "spin"], "nothing to tell apart with one class"),
        (lambda all_: [*all_[:3], replace(all_[0], label="grind")], "'grind' has a single clip: add clips of it"),
    ],
)
def test_too_little_to_learn_from(
    dataset: ClipDataset, workspace: Workspace, chosen: Callable[[Any], list[ClipSample]], said: str
) -> None:
    with pytest.raises(UserError, match=said):
        fit_light(chosen(dataset.samples), workspace)


def test_clips_that_hold_no_moment(dataset: ClipDataset, workspace: Workspace, tmp_path: Path) -> None:
    none = tmp_path / "none.mp4"
    none.write_bytes(b"")
    still = write_clip(tmp_path / "still.mp4", drawn(True, 0)[:1])
    for path, start, said in (
        (none, 0, "none.mp4 is empty"),
        (still, 0, "still.mp4 holds a single frame"),
        (dataset.samples[0].path, 500, f"has {LENGTH} frames and no moment that begins at frame 500"),
    ):
        with pytest.raises(UserError, match=said):
            describe([ClipSample(path, "spin", "a", start, track=WHOLE)], workspace)


def test_a_saved_recognizer_comes_back_whole(
    recognizer: LightRecognizer, dataset: ClipDataset, workspace: Workspace, tmp_path: Path
) -> None:
    recognizer.save(tmp_path / "kept")
    loaded = LightRecognizer.load(tmp_path / "kept")
    expected = recognizer.predict(dataset.samples, workspace)
    assert loaded.card == recognizer.card
    assert loaded.predict(dataset.samples, workspace).tobytes() == expected.tobytes()
    assert sorted(path.name for path in (tmp_path / "kept").iterdir()) == ["light.npz", "recognizer.json"]
    said = json.loads((tmp_path / "kept" / "recognizer.json").read_text())
    assert (said["architecture"], said["classes"]) == ("light", ["slide", "spin"])
    assert said["trained_on"] == {"slide": EACH, "spin": EACH}


class Hostile:
    """Runs when it is unpickled."""

    def __reduce__(self) -> tuple[Any, ...]:
        return (Path.touch, (Path("was_run"),))


def _card(folder: Path, **changed: object) -> None:
    path = folder / "recognizer.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changed}))


def _weights(folder: Path, **changed: NDArray[Any]) -> None:
    with np.load(folder / "light.npz") as stored:
        arrays: dict[str, Any] = {name: stored[name] for name in stored.files}
    np.savez(folder / "light.npz", **{**arrays, **changed})


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda kept: _card(kept, architecture="r2plus1d"), "of the architecture 'r2plus1d', not a light one"),
        (lambda kept: _card(kept, features=99), "made by another version of Trickline: train it again"),
        (lambda kept: _card(kept, classes=["a", "b", "c"]), "do not belong together"),
        (lambda kept: _card(kept, classes="ab"), "because of classes"),
        (lambda kept: _card(kept, slope=-1), "because of slope"),
        (lambda kept: (kept / "recognizer.json").write_text("[" * 100_000), "is not the card of a recognizer"),
        (lambda kept: (kept / "recognizer.json").write_bytes(b"\xff\xfe"), "is not the card of a recognizer"),
        (lambda kept: (kept / "recognizer.json").write_text('["architecture"]'), "is not the card of a recognizer"),
        (lambda kept: (kept / "recognizer.json").unlink(), "is no recognizer, for it has no recognizer.json"),
        (lambda kept: (kept / "light.npz").unlink(), r"light.npz cannot be read"),
        (lambda kept: (kept / "light.npz").write_bytes(pickle.dumps(Hostile())), "is damaged or no recognizer"),
        (lambda kept: _weights(kept, bias=np.array([Hostile(), 1], object)), "is damaged or no recognizer"),
        (lambda kept: _weights(kept, bias=np.array([np.nan, 1.0])), "is damaged or no recognizer"),
        (lambda kept: _weights(kept, weight=np.zeros((1, 2))), "is damaged or no recognizer"),
        (lambda kept: _weights(kept, spread=np.zeros(1312, np.float32)), "is damaged or no recognizer"),
        (lambda kept: (kept / "light.npz").write_bytes((kept / "light.npz").read_bytes()[:900]), "is damaged"),
    ],
)
def test_what_is_no_light_recognizer_is_refused_in_a_sentence(
    recognizer: LightRecognizer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    spoil: Callable[[Path], object],
    said: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    recognizer.save(tmp_path / "kept")
    spoil(tmp_path / "kept")
    with pytest.raises(UserError, match=said) as refused:
        LightRecognizer.load(tmp_path / "kept")
    assert "\n" not in str(refused.value)
    assert not (tmp_path / "was_run").exists()


def test_everybody_is_judged_on_the_same_groups_that_they_did_not_see(
    dataset: ClipDataset, workspace: Workspace
) -> None:
    seen = evidence(dataset, workspace)
    found = cross_validated(dataset, seen)
    assert set(found.probability) == {"light", "majority", "colours"}
    groups = [sample.group for sample in dataset.samples]
    assert len({*zip(groups, found.fold.tolist(), strict=True)}) == len(set(groups)) == len(set(found.fold.tolist()))
    assert found.accuracy("light") == 1.0
    assert (found.probability["majority"] == 0.5).all()  # each place has one of both
    # Two to one, and in the place that is left out it is the other way round: the commonest is the commonest of all.
    uneven = [row for row in range(2 * EACH) if row not in (1, 3)]
    few = cross_validated(
        replace(dataset, samples=tuple(dataset.samples[row] for row in uneven)),
        replace(seen, light=seen.light[uneven], colours=None, points=None),
    )
    assert few.accuracy("majority") == pytest.approx(4 / 6)
    parted = cross_validated(dataset, seen, folds=2, seed=1)
    assert set(parted.fold.tolist()) == {0, 1}
    assert len({*zip(groups, parted.fold.tolist(), strict=True)}) == len(set(groups))


def test_counting_colours_tells_how_far_it_is_and_stops(dataset: ClipDataset) -> None:
    told: list[tuple[str, float]] = []
    colour_histograms(dataset.samples, lambda *at: told.append(at))
    assert told == [("counting colours", number / 8) for number in range(9)]
    with pytest.raises(Cancelled):
        colour_histograms(dataset.samples, None, lambda: True)


def test_hours_of_looking_are_announced(
    dataset: ClipDataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(features, "_TRIED", 3)
    with Workspace.open(tmp_path) as other:
        describe(dataset.samples[:4], other)
        assert not caplog.records  # seconds
        monkeypatch.setattr(features, "LONG_S", 0.0)
        describe(dataset.samples, other)
        [warning] = caplog.records
        assert warning.getMessage().startswith("looking at the other 1 clips will take about 0 minutes")


def test_a_clip_cannot_vote_for_itself(dataset: ClipDataset, workspace: Workspace) -> None:
    """Where a class is in one group alone, leaving it out leaves nothing to tell it by."""
    seen = evidence(dataset, workspace, with_baselines=False)
    named = tuple(replace(sample, group=sample.label) for sample in dataset.samples)
    with pytest.raises(UserError, match="one class left, so that nothing can be told apart"):
        cross_validated(replace(dataset, samples=named), seen)
    alone = tuple(replace(sample, group="a") for sample in dataset.samples)
    with pytest.raises(UserError, match="from one source alone"):
        cross_validated(replace(dataset, samples=alone), seen)


def test_the_least_sure_are_left_out_first() -> None:
    probability = np.array([[0.9, 0.1], [0.45, 0.55], [0.2, 0.8], [0.7, 0.3]])
    truth = np.array([0, 0, 1, 1])  # right, wrong and least sure, right, wrong
    coverage, accuracy = risk_coverage(probability, truth)
    assert coverage == pytest.approx([0.25, 0.5, 0.75, 1.0])
    assert accuracy == pytest.approx([1.0, 1.0, 2 / 3, 0.5])
    left = abstaining(probability, truth, share=0.25)
    assert (left.coverage, left.threshold) == (0.75, 0.7)
    assert left.accuracy == pytest.approx(2 / 3)


def test_handed_moves_are_told_apart_only_unmirrored(workspace: Workspace, tmp_path: Path) -> None:
    """What crosses to the right and to the left is the same in the mirror."""
    samples = []
    for seed in range(4):
        pictures = drawn(False, seed)
        pictures[:, :, SIDE // 2 :] = 128  # it is seen on the left only
        for label, shown in (("left", pictures), ("right", np.ascontiguousarray(pictures[:, :, ::-1]))):
            path = write_clip(tmp_path / f"{label}{seed}.mp4", shown)
            samples.append(ClipSample(path, label, str(seed), track=WHOLE))
    mirrored = fit_light(samples, workspace)
    assert mirrored.predict(samples, workspace) == pytest.approx(0.5, abs=0.05)
    handed = fit_light(samples, workspace, LightSettings(mirrored=False))
    assert handed.predict(samples, workspace)[::2, 0].mean() > 0.55


def test_real_clips_are_learnt(workspace: Workspace) -> None:
    folder = SHARED / "data" / "tricks"
    if not folder.is_dir():
        pytest.skip("the clips of real tricks are not here")
    wanted = {"kickflip99", "kickflip22", "ollie56", "ollie7"}
    with (folder / "clips.csv").open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if Path(row["path"]).stem in wanted]
    samples = [ClipSample(folder / row["path"], row["label"], row["scene"]) for row in rows]
    recognizer = fit_light(samples, workspace)
    assert recognizer.card.notes == ()
    named = recognizer.predict(samples, workspace).argmax(axis=1)
    assert [recognizer.classes[number] for number in named] == [sample.label for sample in samples]
