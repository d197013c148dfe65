"""Training a recognizer: that it learns, goes on after a kill to the same weights, and says what is wrong."""

from __future__ import annotations

import csv
import json
import os
import resource
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from core.errors import Cancelled, UserError
from core.recognize.checkpoints import Card, Recognizer, load_recognizer
from core.recognize.light.baselines import colour_histograms
from core.recognize.loading import open_recognizer
from core.recognize.networks import architecture
from core.recognize.samples import ClipDataset, ClipSample, Part
from core.recognize.settings import RecognizeSettings
from core.recognize.training import OtherTrainingError, train
from core.recognize.videos import MOST, Videos
from core.settings import AugmentSettings
from core.video import Video
from core.workspace import Workspace
from tests.conftest import ROOT
from tests.moments import LEFT, RIGHT, dataset_of

PLAIN = AugmentSettings(rare_below=0, colour=0)


@pytest.fixture(scope="module", autouse=True)
def _one_thread() -> Iterator[None]:
    """Networks this small wait for each other's threads most of the time."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def moving(tmp_path_factory: pytest.TempPathFactory) -> ClipDataset:
    return dataset_of(tmp_path_factory.mktemp("moving"))


@pytest.fixture(scope="module")
def coloured(tmp_path_factory: pytest.TempPathFactory) -> ClipDataset:
    return dataset_of(tmp_path_factory.mktemp("coloured"), coloured=True)


def _settings(arch: str, **changes: Any) -> RecognizeSettings:
    wanted = {
        "arch": arch, "config": dict(architecture(arch).tiny), "weights": "scratch", "size": 32, "batch": 4,
        "lr": 1e-3, "epochs": 2, "augment": PLAIN, "accelerator": "cpu", **changes,
    }  # fmt: skip
    return RecognizeSettings.model_validate(wanted)


def _parts(dataset: ClipDataset, each: int = 2) -> dict[Part, tuple[ClipSample, ...]]:
    """The first ``each`` clips of both classes to train on, the two after those to validate with."""
    by = [[sample for sample in dataset.samples if sample.label == label] for label in (RIGHT, LEFT)]
    return {
        "train": tuple(sample for some in by for sample in some[:each]),
        "val": tuple(sample for some in by for sample in some[each : each + 2]),
    }


@pytest.mark.parametrize(("arch", "frames", "epochs"), [("r2plus1d", 6, 3), ("tsn", 2, 3), ("timesformer", 8, 25)])
def test_sixteen_clips_are_learnt_by_heart(
    arch: str, frames: int, epochs: int, moving: ClipDataset, coloured: ClipDataset, tmp_path: Path
) -> None:
    dataset = coloured if arch == "tsn" else moving  # TSN does not know the order of its frames
    settings = _settings(arch, frames=frames, epochs=epochs, patience=30, batch=8, schedule="constant", weight_decay=0)
    trained = train(dataset, {"train": dataset.samples, "val": dataset.samples}, settings, tmp_path)
    assert trained.metrics["accuracy"] == trained.metrics["macro_f1"] == 1.0
    recognizer = load_recognizer(tmp_path, "cpu")
    probabilities = recognizer.predict(dataset.samples)
    assert probabilities.shape == (16, 2)
    np.testing.assert_allclose(probabilities.sum(1), 1, rtol=1e-5)
    np.testing.assert_array_equal(probabilities.argmax(1), recognizer.numbers([s.label for s in dataset.samples]))


SCRIPT = """
import sys
from pathlib import Path
import torch
torch.set_num_threads(1)
from core.recognize.settings import RecognizeSettings
from core.recognize.training import train
from tests.test_recognize_training import _parts, _dataset_in
if __name__ == "__main__":
    dataset = _dataset_in(Path(sys.argv[1]))
    settings = RecognizeSettings.model_validate_json(sys.argv[2])
    train(dataset, _parts(dataset, 3), settings, Path(sys.argv[3]), lambda step, done: print(step, done, flush=True))
"""


def _dataset_in(folder: Path) -> ClipDataset:
    """That :func:`tests.moments.dataset_of` has written."""
    samples = tuple(
        ClipSample(folder / f"{label}{number}.mp4", label, f"{label}{number}")
        for label in (RIGHT, LEFT)
        for number in range(8)
    )
    return ClipDataset("squares", samples, (RIGHT, LEFT))


def test_a_killed_training_ends_with_the_weights_of_an_unbroken_one(moving: ClipDataset, tmp_path: Path) -> None:
    # Dropout, copies, colours, balanced drawing and a sinking step: all that chance or time decides.
    settings = _settings(
        "tsn",
        epochs=3,
        frames=2,
        size=16,
        augment=AugmentSettings(rare_below=5, flip=True),
        balance="sampling",
        patience=9,
    )
    folder = moving.samples[0].path.parent
    broken, unbroken = tmp_path / "broken", tmp_path / "unbroken"
    (tmp_path / "run.py").write_text(SCRIPT)
    process = subprocess.Popen(
        [sys.executable, str(tmp_path / "run.py"), str(folder), settings.model_dump_json(), str(broken)],
        env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout
    for line in process.stdout:
        if line.startswith("training") and float(line.split()[1]) > 0.4:  # within the second epoch
            os.kill(process.pid, signal.SIGKILL)
            break
    assert process.wait(30) == -signal.SIGKILL
    with (broken / "history.csv").open() as file:
        assert len(list(csv.DictReader(file))) == 1
    dataset = _dataset_in(folder)
    other = settings.model_copy(update={"workers": 1})  # how many read the clips makes no difference
    began: list[float] = []

    def at(step: str, done: float) -> None:
        if step == "training":
            began.append(done)

    carried = train(dataset, _parts(dataset, 3), other, broken, at)
    assert began[0] == pytest.approx(1 / 3), "the first epoch was not repeated"
    whole = train(dataset, _parts(dataset, 3), settings, unbroken)
    assert carried.history == whole.history
    for name in ("model.safetensors", "recognizer.json", "history.csv"):
        assert (broken / name).read_bytes() == (unbroken / name).read_bytes(), name
    again = train(dataset, _parts(dataset, 3), settings, broken)
    assert (again.history, again.best, again.notes) == (whole.history, whole.best, whole.notes)
    assert not list(tmp_path.rglob("last.ckpt")), "what has ended needs nothing to go on from"


def test_cancelled_between_batches_and_carried_on_later(coloured: ClipDataset, tmp_path: Path) -> None:
    settings = _settings("r2plus1d", frames=2, size=16, batch=2, epochs=3)
    told: list[float] = []

    def cancelled() -> bool:
        return bool(told) and told[-1] > 0.4

    def progress(step: str, done: float) -> None:
        if step == "training":
            told.append(done)

    with pytest.raises(Cancelled):
        train(coloured, _parts(coloured), settings, tmp_path, progress, cancelled)
    assert told[-1] < 0.7
    assert not list(tmp_path.glob(".*part*"))
    trained = train(coloured, _parts(coloured), settings, tmp_path)
    assert [epoch.epoch for epoch in trained.history] == [1, 2, 3]


def test_the_folder_says_what_it_holds(coloured: ClipDataset, tmp_path: Path) -> None:
    trained = train(coloured, _parts(coloured), _settings("r2plus1d", frames=2, size=16), tmp_path)
    card = json.loads((tmp_path / "recognizer.json").read_text())
    assert (card["architecture"], card["classes"], card["frames"], card["size"]) == ("r2plus1d", [RIGHT, LEFT], 2, 16)
    assert (card["dataset"], card["seed"], card["sampling"]) == ("squares", 42, "window")
    assert card["metrics"] == trained.metrics
    assert set(card["versions"]) >= {"torch", "torchvision"}
    with (tmp_path / "history.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [int(row["epoch"]) for row in rows] == [1, 2]
    assert float(rows[0]["lr"]) > float(rows[1]["lr"]) == pytest.approx(0)


def test_the_card_tells_how_sure_and_how_long(moving: ClipDataset, tmp_path: Path) -> None:
    parts = _parts(moving, 3)
    train(moving, parts, _settings("r2plus1d", frames=6), tmp_path)
    recognizer = load_recognizer(tmp_path, "cpu")
    card = recognizer.card
    assert card.clip_s == pytest.approx(10 / 25, abs=0.01)  # ten frames, 25 a second
    probabilities = recognizer.predict(parts["val"]).astype(np.float64)
    assert card.unsure_below == pytest.approx(np.quantile(probabilities.max(1), 0.1), abs=1e-3)
    assert open_recognizer(tmp_path, Workspace.open(tmp_path / "home"), "cpu").unsure_below == card.unsure_below > 0
    plain = Recognizer(card.model_copy(update={"slope": 1.0}), recognizer._network, "cpu")
    logits = np.log(plain.predict(parts["val"]).astype(np.float64))
    truth = recognizer.numbers([sample.label for sample in parts["val"]])
    rows = np.arange(len(truth))

    def loss(slope: float) -> float:
        odds = np.exp(slope * logits)
        return float(-np.log((odds / odds.sum(1, keepdims=True))[rows, truth]).mean())

    assert loss(card.slope) == pytest.approx(-np.log(probabilities[rows, truth]).mean(), abs=1e-3)
    assert loss(card.slope) <= min(map(loss, np.geomspace(0.05, 4.4, 60))) + 1e-4
    old = card.model_dump(exclude={"slope", "unsure_below", "clip_s"})
    assert Card.model_validate(old).slope == 1.0, "cards of before are read"


@pytest.mark.parametrize("balance", ["none", "weights"])
def test_the_training_loss_is_that_of_all_clips_however_they_lie_in_batches(
    balance: str, coloured: ClipDataset, tmp_path: Path
) -> None:
    parts = _parts(coloured, 3)
    parts["train"] = parts["train"][:5]  # the last batch of three is one of two, and right is more frequent
    losses = []
    for batch in (3, 5):
        # Its clips do not know of each other, and nothing is learnt meanwhile.
        settings = _settings("timesformer", frames=2, epochs=1, balance=balance, lr=1e-12, batch=batch)
        losses.append(train(coloured, parts, settings, tmp_path / str(batch)).history[0].train_loss)
    assert losses[0] == pytest.approx(losses[1], rel=1e-4)


def test_a_video_is_opened_once_for_the_moments_in_a_row_that_are_of_it(
    coloured: ClipDataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    train(coloured, _parts(coloured), _settings("r2plus1d", frames=2, size=16, epochs=1), tmp_path)
    recognizer, opened, really = load_recognizer(tmp_path, "cpu"), list[Path](), Video.open

    def counted(path: Path) -> Video:
        opened.append(path)
        return really(path)

    monkeypatch.setattr(Video, "open", counted)
    one, other, *more = coloured.samples
    moments = [replace(sample, start_frame=start, end_frame=start + 3) for start in range(4) for sample in (one, other)]
    recognizer.predict(moments, batch=3)
    assert opened == [one.path, other.path]
    opened.clear()
    colour_histograms(moments)
    assert opened == [one.path, other.path]
    opened.clear()
    held = Videos()
    for sample in [one, *more[:MOST], one]:
        held.open(sample.path)
    assert opened.count(one.path) == 2, "only the last few are kept"


def test_a_card_that_asks_for_terabytes_gets_none(
    coloured: ClipDataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    train(coloured, _parts(coloured), _settings("r2plus1d", frames=2, size=16, epochs=1), tmp_path)
    card = json.loads((tmp_path / "recognizer.json").read_text())
    vast = {"architecture": "timesformer", "config": {"patch": 1, "width": 1280, "heads": 16, "layers": 32}}
    (tmp_path / "recognizer.json").write_text(json.dumps({**card, **vast, "size": 1024, "frames": 128}))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(UserError, match=r"does not hold the network that recognizer\.json"):
        load_recognizer(tmp_path, "cpu")
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 500_000  # KB; its weights are 8 GB


def test_patience_ends_a_training_that_gets_no_better(coloured: ClipDataset, tmp_path: Path) -> None:
    settings = _settings("r2plus1d", frames=2, size=16, epochs=9, patience=2, lr=1e-12)
    with torch.random.fork_rng():
        trained = train(coloured, _parts(coloured), settings, tmp_path)
    assert len(trained.history) == trained.best.epoch + 2 < 9
    assert train(coloured, _parts(coloured), settings, tmp_path).history == trained.history


def test_a_full_disk_is_told_in_a_sentence(coloured: ClipDataset, disk: Path) -> None:
    with pytest.raises(UserError, match="the disk is full; free some space and try again"):
        train(coloured, _parts(coloured), _settings("r2plus1d", frames=2, size=16), disk / "out")


def test_without_validation_the_last_epoch_is_kept_and_said_so(coloured: ClipDataset, tmp_path: Path) -> None:
    trained = train(coloured, {"train": _parts(coloured)["train"]}, _settings("r2plus1d", frames=2, size=16), tmp_path)
    assert trained.best.epoch == 2
    assert list(trained.metrics) == ["train_loss"]
    assert trained.notes[-1].startswith("There are no validation clips")


def test_a_folder_of_another_training_is_left_alone(coloured: ClipDataset, tmp_path: Path) -> None:
    settings = _settings("r2plus1d", frames=2, size=16, epochs=1)
    train(coloured, _parts(coloured), settings, tmp_path)
    before = (tmp_path / "model.safetensors").read_bytes()
    with pytest.raises(UserError, match="holds a training with other settings or clips: choose an empty folder"):
        train(coloured, _parts(coloured), settings.model_copy(update={"seed": 7}), tmp_path)
    with pytest.raises(UserError, match="holds a training with other settings or clips"):
        train(coloured, _parts(coloured, 3), settings, tmp_path)
    assert (tmp_path / "model.safetensors").read_bytes() == before
    for damaged in ("epoch\n1\n", "epoch,lr\nx,y\n", "\0"):
        (tmp_path / "history.csv").write_text(
            "epoch,lr,train_loss,loss,accuracy,macro_f1\n" * (damaged == "\0") + damaged
        )
        with pytest.raises(UserError, match=r"history\.csv cannot be read: choose an empty folder"):
            train(coloured, _parts(coloured), settings, tmp_path)


def test_a_training_does_not_go_on_with_other_footage_under_the_same_names(tmp_path: Path) -> None:
    dataset = dataset_of(tmp_path, each=4, coloured=True)
    train(dataset, _parts(dataset), _settings("tsn", frames=2, size=16, epochs=1), tmp_path / "begun")
    weights = str(shutil.copy(tmp_path / "begun" / "model.safetensors", tmp_path / "start.safetensors"))
    settings = _settings("tsn", frames=2, size=16, epochs=1, weights=weights)
    train(dataset, _parts(dataset), settings, tmp_path / "out")
    train(dataset, _parts(dataset), settings, tmp_path / "out")
    state = load_file(weights)
    save_file({name: value + 1 for name, value in state.items()}, weights)
    with pytest.raises(OtherTrainingError, match="other settings or clips"):
        train(dataset, _parts(dataset), settings, tmp_path / "out")
    save_file(state, weights)
    shutil.copy(dataset.samples[5].path, dataset.samples[0].path)
    with pytest.raises(OtherTrainingError, match="other settings or clips"):
        train(dataset, _parts(dataset), settings, tmp_path / "out")


SHARED_WORK = """
import sys
from pathlib import Path
import torch
torch.set_num_threads(1)
from core.recognize.settings import RecognizeSettings
from core.recognize.training import train
from tests.test_recognize_training import _parts, _dataset_in
if __name__ == "__main__":
    dataset = _dataset_in(Path(sys.argv[1]))
    settings = RecognizeSettings.model_validate_json(sys.argv[2])
    print("leads:", train(dataset, _parts(dataset), settings, Path(sys.argv[3])).leads, flush=True)
"""


def test_one_of_the_processes_that_share_a_training_goes_on_with_it(coloured: ClipDataset, tmp_path: Path) -> None:
    settings = _settings("tsn", frames=2, size=16, epochs=1, devices=2, strategy="ddp")
    (tmp_path / "run.py").write_text(SHARED_WORK)
    folder = coloured.samples[0].path.parent
    done = subprocess.run(
        [sys.executable, str(tmp_path / "run.py"), str(folder), settings.model_dump_json(), str(tmp_path / "out")],
        env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert sorted(line for line in done.stdout.splitlines() if line.startswith("leads:")) == [
        "leads: False",
        "leads: True",
    ], done.stderr


def test_a_recognizer_is_what_another_begins_with(coloured: ClipDataset, tmp_path: Path) -> None:
    settings = _settings("r2plus1d", frames=2, size=16, epochs=1)
    train(coloured, _parts(coloured), settings, tmp_path / "first")
    more = replace(coloured, classes=(*coloured.classes, "up"))
    again = settings.model_copy(update={"weights": str(tmp_path / "first"), "lr": 1e-12})
    trained = train(more, _parts(coloured), again, tmp_path / "second")
    assert trained.notes == ("first tells other classes apart: what names the classes is learnt anew.",)
    first, second = (load_file(tmp_path / name / "model.safetensors") for name in ("first", "second"))
    torch.testing.assert_close(second["stem.0.weight"], first["stem.0.weight"])
    assert second["fc.weight"].shape[0] == 3


@pytest.mark.parametrize("workers", [0, 1])
def test_a_clip_that_breaks_is_named_in_one_sentence(coloured: ClipDataset, tmp_path: Path, workers: int) -> None:
    parts = _parts(coloured)
    path = tmp_path / "gone.mp4"
    path.write_bytes(parts["train"][0].path.read_bytes())
    parts["train"] = (replace(parts["train"][0], path=path), *parts["train"][1:])

    def progress(step: str, _: float) -> None:
        if step == "preparing the network":
            path.unlink()

    settings = _settings("r2plus1d", frames=2, size=16, workers=workers)
    with pytest.raises(UserError, match=r"^/\S+gone.mp4 does not exist: check the path.$"):
        train(coloured, parts, settings, tmp_path / "out", progress)


def test_clips_that_cannot_teach_are_refused_before_anything_is_made(coloured: ClipDataset, tmp_path: Path) -> None:
    parts, settings, out = _parts(coloured), _settings("r2plus1d", frames=2, size=16), tmp_path / "out"
    one, two, *others = parts["train"]
    for taught, judged, sentence in [
        ((), parts["val"], "squares has no clips to train on"),
        ((one, two), (), "clips of a single class"),
        ((one, *others), (), "'right' has a single clip"),
        ((one, two), parts["val"], "'left' has no clip to train on"),
        ((one, two, *others, replace(one, label="up")), (), "unknown class 'up'"),
        ((replace(one, start_frame=10), two, *others), (), "has 10 frames, so that the moment at frame 10 holds none"),
    ]:
        with pytest.raises(UserError, match=sentence):
            train(coloured, {"train": taught, "val": judged}, settings, out)
    assert not out.exists()


def test_recognizers_that_were_tampered_with_are_refused(coloured: ClipDataset, tmp_path: Path) -> None:
    train(coloured, _parts(coloured), _settings("r2plus1d", frames=2, size=16, epochs=1), tmp_path)
    recognizer = load_recognizer(tmp_path, "cpu")
    with pytest.raises(UserError, match="does not know the class 'up': it was trained on right, left"):
        recognizer.numbers([RIGHT, "up"])
    with pytest.raises(UserError, match="no device 'toaster'"):
        load_recognizer(tmp_path, "toaster")
    pictures = np.zeros((3, 2, 16, 16, 3), np.uint8)
    assert recognizer.predict(pictures, batch=2).shape == (3, 2)
    assert recognizer.predict([]).shape == (0, 2)
    with pytest.raises(ValueError, match=r"not uint8 \(2, 16, 16, 3\)"):
        recognizer.predict(pictures[:, :1])
    with pytest.raises(Cancelled):
        recognizer.predict(pictures, cancelled=lambda: True)
    card = json.loads((tmp_path / "recognizer.json").read_text())
    wrong: list[tuple[dict[str, object], str]] = [
        ({"architecture": "tsn", "config": {}}, "does not hold the network that recognizer.json"),
        ({"classes": ["a", "b", "c"]}, "with 3 classes"),
        ({"architecture": "os.system"}, "because of architecture"),
        ({"config": {"blocks": [10**9] * 4}}, "because of config"),
        ({"run": "rm"}, "because of run"),
    ]
    for changes, sentence in wrong:
        (tmp_path / "recognizer.json").write_text(json.dumps({**card, **changes}))
        with pytest.raises(UserError, match=sentence):
            load_recognizer(tmp_path)
    with pytest.raises(UserError, match=r"is no recognizer, for it has no recognizer.json"):
        load_recognizer(tmp_path / "nowhere")
