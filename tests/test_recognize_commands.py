"""Training, judging and naming from the command line, and the same as jobs of the studio."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from core import sighting, tasks
from core.errors import UserError
from core.intervals import Event, Interval
from core.recognize import learning, shelf, training
from core.recognize.datasets import read_dataset
from core.recognize.datasets.folders import BY_FILE
from core.recognize.evaluation import evaluate
from core.recognize.judging import Judged, judge, read_judged
from core.recognize.learning import learn
from core.recognize.loading import open_recognizer
from core.recognize.networks import architecture
from core.recognize.players import players
from core.recognize.samples import ClipDataset, ClipSample
from core.recognize.settings import RecognizeSettings
from core.recognize.taught import read_taught
from core.reviews import Decision, decide
from core.settings import AugmentSettings, LearnSettings
from core.workspace import Workspace
from sample_data.make_session import Session
from tests.conftest import Command, Looked, Trickline
from tests.moments import LEFT, RIGHT, dataset_of, frames_of, write_clip
from tests.test_recognize_light import drawn

PLACES = 4


@pytest.fixture(scope="module")
def bars(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for each class, and a table that says which clips are of one place."""
    folder = tmp_path_factory.mktemp("data") / "bars"
    rows = ["path,label,source"]
    for label in ("slide", "spin"):
        (folder / label).mkdir(parents=True)
        for place in range(PLACES):
            path = folder / label / f"{place}.mp4"
            write_clip(path, drawn(label == "spin", 10 * place + (label == "spin")))
            rows.append(f"{label}/{place}.mp4,{label},place{place}")
    (folder / "clips.csv").write_text("\n".join(rows) + "\n")
    return folder


@pytest.fixture(scope="module")
def light(bars: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A light recognizer of bars, as ``recognize train`` leaves it."""
    home = tmp_path_factory.mktemp("trained")
    with Workspace.open(home / "home") as workspace:
        folder = shelf.reserve(workspace)
        settings = {"arch": "light", "seed": 1}
        arguments = {"data": str(bars), "settings": settings, "name": "bars", "folder": folder.name}
        done = tasks.learn(workspace, arguments, Quiet())
        assert done["recognizer"] == folder.name
        [kept] = shelf.recognizers(workspace)
        assert (kept.name, kept.classes, kept.architecture) == ("bars", ("slide", "spin"), "light")
    return folder


class Quiet:
    """Hears of progress and never stops."""

    def progress(self, step: str, fraction: float, frames_done: int | None = None) -> None:
        assert 0 <= fraction <= 1

    def cancelled(self) -> bool:
        return False


def test_a_recognizer_stands_beside_its_baselines(light: Path) -> None:
    judged = read_judged(light)
    assert judged
    assert {"majority", "colours"} <= set(judged.baselines)
    assert judged.how == "Each of 4 groups of clips was named by a recognizer that was trained on the others."
    assert len(judged.clips) == 2 * PLACES
    assert judged.to_json()["baselines"] == judged.baselines
    assert judged.baselines["majority"] == judged.evaluation.majority == 0.5  # four of eight


def test_what_was_never_named_has_no_precision() -> None:
    found = evaluate(("ollie", "grind", "manual"), [0, 0, 1], [[1, 0, 0]] * 3)
    lines = list(Judged("park", "All.", found, (), {}).lines())
    assert not any("nan" in line for line in lines)
    assert next(line for line in lines if "grind" in line).split()[-4:] == ["precision", "-", "recall", "0.00"]
    assert next(line for line in lines if "manual" in line).split()[-4:] == ["precision", "-", "recall", "-"]


def test_one_odd_class_does_not_end_a_training(bars: Path, tmp_path: Path) -> None:
    dataset = read_dataset(bars)
    odd = replace(dataset.samples[0], label="grind")
    more = ClipDataset("bars", (*dataset.samples, odd), ("grind", "slide", "spin"))
    with Workspace.open(tmp_path / "home") as workspace:
        learnt = learn(more, tmp_path / "out", workspace, LearnSettings(drop_rare=True))
        assert "Left out, for they have a single clip: grind." in learnt.notes
        assert open_recognizer(tmp_path / "out", workspace).classes == ("slide", "spin")
        assert learnt.judged
        assert len(learnt.judged.clips) == 2 * PLACES
        two = replace(more, samples=(dataset.samples[0], odd))
        with pytest.raises(UserError, match="has a single clip"):
            learn(two, tmp_path / "none", workspace, LearnSettings(drop_rare=True))
        for arch in ("light", "tsn"):
            with pytest.raises(UserError, match="for they have a single clip: grind; add clips of them"):
                learn(more, tmp_path / "refused", workspace, LearnSettings(arch=arch))


def test_files_of_no_known_source_are_told_with_the_figures(bars: Path, tmp_path: Path) -> None:
    folder = tmp_path / "bars"
    shutil.copytree(bars, folder, ignore=shutil.ignore_patterns("clips.csv"))
    with Workspace.open(tmp_path / "home") as workspace:
        judged = learn(read_dataset(folder), tmp_path / "out", workspace).judged
    assert judged
    assert "clips of one video may be on both sides" in judged.how


def test_what_was_found_out_about_another_recognizer_does_not_stay(bars: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    dataset = read_dataset(bars)
    one_source = replace(dataset, samples=tuple(replace(sample, group="park") for sample in dataset.samples))
    with Workspace.open(tmp_path / "home") as workspace:
        learn(dataset, out, workspace)
        assert read_judged(out)
        (out / "history.csv").write_text("epoch\n")
        assert learn(one_source, out, workspace).judged is None
        assert sorted(path.name for path in out.iterdir()) == ["light.npz", "recognizer.json", "taught.json"]
        with pytest.raises(UserError, match="holds a light recognizer: choose another folder"):
            learn(dataset, out, workspace, LearnSettings(arch="tsn"))


_TINY: dict[str, Any] = {
    "frames": 2,
    "size": 32,
    "lr": 1e-3,
    "accelerator": "cpu",
    "workers": 0,
}


@pytest.fixture
def learn_tiny(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """A network of a few thousand numbers, trained for an epoch into ``out``."""
    train, config = training.train, dict(architecture("tsn").tiny)

    def tiny(dataset: ClipDataset, parts: Any, settings: RecognizeSettings, *rest: Any) -> training.Trained:
        return train(dataset, parts, settings.model_copy(update={**_TINY, "config": config}), *rest)

    monkeypatch.setattr(training, "train", tiny)

    def run(dataset: ClipDataset, workspace: Workspace, **more: Any) -> Any:
        settings = LearnSettings(arch="tsn", weights="scratch", epochs=1, batch=4, seed=1, drop_rare=True, **more)
        return learn(dataset, tmp_path / "out", workspace, settings)

    return run


def test_a_network_is_judged_on_groups_that_it_was_not_trained_on(
    learn_tiny: Callable[..., Any], tmp_path: Path
) -> None:
    """Its published parts cross, as those of Diving48 do; and one class comes from one source."""
    clips = dataset_of(tmp_path, coloured=True)
    published = [
        replace(sample, part="test" if number % 4 == 3 else "train", group=f"pool{number // 2}")
        for number, sample in enumerate(clips.samples)
    ]
    odd = [replace(published[0], label="up", start_frame=start, end_frame=start + 4) for start in (0, 5)]
    dataset = ClipDataset("dives", (*published, *odd), (RIGHT, LEFT, "up"))
    with Workspace.open(tmp_path / "home") as workspace:
        learnt = learn_tiny(dataset, workspace)
        assert open_recognizer(learnt.folder, workspace).classes == (RIGHT, LEFT)
        with pytest.raises(UserError, match="holds the training of a network: choose another folder"):
            learn(dataset, learnt.folder, workspace)
    judged = read_judged(learnt.folder)
    assert judged
    assert "Left out, for they come from one source alone: up." in learnt.notes
    anew = "Groups cross between the published parts, so that the clips were parted anew by group."
    assert anew not in learnt.notes  # it is said once, with the figures
    assert judged.how == f"{len(judged.clips)} clips of groups that were left out of the training. {anew}"
    groups = {str(sample.path): sample.group for sample in published}
    tested = {groups[clip.path] for clip in judged.clips}
    assert len(judged.clips) == sum(group in tested for group in groups.values()) > 0  # whole groups
    assert list(judged.baselines) == ["majority", "colours"]
    assert judged.baselines["majority"] == judged.evaluation.majority
    assert (learnt.folder / "history.csv").exists()
    taught = read_taught(learnt.folder)
    assert taught
    seen = taught.met(published)
    assert [str(one.path) for one, known in zip(published, seen, strict=True) if not known] == sorted(
        (clip.path for clip in judged.clips), key=[str(one.path) for one in published].index
    )


def test_a_network_of_the_processor_is_judged_on_the_processor(
    learn_tiny: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And nothing is found out about it where another process leads the training, or written over by this one."""
    devices: list[str] = []

    def opened(folder: Path, workspace: Workspace, device: str = "auto") -> Any:
        devices.append(device)
        return open_recognizer(folder, workspace, device)

    monkeypatch.setattr(learning, "open_recognizer", opened)
    dataset = dataset_of(tmp_path, coloured=True)
    with Workspace.open(tmp_path / "home") as workspace:
        learnt = learn_tiny(dataset, workspace, accelerator="cpu")
        assert devices == ["cpu"]
        for name in ("judged.json", "taught.json"):
            (learnt.folder / name).unlink()
        train = training.train
        monkeypatch.setattr(training, "train", lambda *given: replace(train(*given), leads=False))
        assert not learn_tiny(dataset, workspace, accelerator="cpu").leads
    assert devices == ["cpu"]
    assert not {"judged.json", "taught.json"} & {path.name for path in learnt.folder.iterdir()}


def test_nothing_is_judged_by_copies_of_what_taught(bars: Path, tmp_path: Path) -> None:
    """Neither by a file that lies there twice, nor by a changed copy."""
    dataset = read_dataset(bars)
    twin = ClipSample(Path(shutil.copy(bars / "slide" / "0.mp4", tmp_path / "0 (1).mp4")), "slide", "0 (1).mp4")
    changed = ClipSample(
        write_clip(tmp_path / "copy.mp4", drawn(True, 500)), "spin", "source place1", copy_of="spin/1.mp4"
    )
    more = replace(dataset, samples=(*dataset.samples, twin, changed))
    with Workspace.open(tmp_path / "home") as workspace:
        learnt = learn(more, tmp_path / "out", workspace)
    assert "Counted as one source, for they hold the same file: 0 (1).mp4 and source place0." in learnt.notes
    assert learnt.judged
    assert learnt.judged.how.startswith(f"Each of {PLACES} groups")
    judged = [clip.path for clip in learnt.judged.clips]
    assert judged == [str(sample.path) for sample in more.samples[:-1]]
    taught = read_taught(tmp_path / "out")
    assert taught
    new = write_clip(tmp_path / "new.mp4", drawn(True, 600))
    others = [ClipSample(new, "spin", group) for group in ("source 0 (1).mp4", "source place0", "source place9")]
    assert taught.met(others).tolist() == [True, True, False], "both sources that were joined are known"


def test_a_class_of_which_too_little_falls_to_the_training_is_left_out(
    learn_tiny: Callable[..., Any], tmp_path: Path
) -> None:
    clips = dataset_of(tmp_path, coloured=True)
    odd = [ClipSample(sample.path, "up", sample.group) for sample in clips.samples[:2]]
    dataset = ClipDataset("squares", (*clips.samples[2:], *odd), (RIGHT, LEFT, "up"))
    with Workspace.open(tmp_path / "home") as workspace:
        learnt = learn_tiny(dataset, workspace)
    assert "Left out, for too few of their clips fell to the training: up." in learnt.notes
    assert learnt.judged.evaluation.classes == (RIGHT, LEFT)


def test_what_was_trained_on_is_known_again(light: Path, bars: Path, tmp_path: Path) -> None:
    """By content under another name, and by the name of the source; figures on the others stand apart."""
    (tmp_path / "copied").mkdir()
    copy = shutil.copy(bars / "spin" / "2.mp4", tmp_path / "copied" / "known.mp4")
    new = [write_clip(tmp_path / "copied" / f"{seed}.mp4", drawn(True, seed)) for seed in (900, 902, 904)]
    samples = (
        ClipSample(Path(copy), "spin", "source elsewhere"),
        ClipSample(new[0], "spin", "source elsewhere"),  # made from the same footage as a clip that was trained on
        ClipSample(new[1], "spin", "source place1"),
        ClipSample(new[2], "spin", "904.mp4"),
    )
    dataset = ClipDataset("copied", samples, ("slide", "spin"))
    with Workspace.open(tmp_path / "home") as workspace:
        judged = judge(light, dataset, workspace)
        assert judged.seen is not None
        assert judged.seen.tolist() == [True, True, True, False]
        found = judged.to_json()
        right = bool(judged.evaluation.named[3] == judged.evaluation.truth[3])
        assert (found["seen_in_training"], found["unseen"]) == (3, {"clips": 1, "accuracy": float(right)})
        assert "3 of 4 are of sources that the recognizer was trained on" in judged.how
        assert any(line.split()[-3:] == ["of", "1", "right"] for line in judged.lines())
        none = judge(light, replace(dataset, samples=samples[3:]), workspace)
        assert "was trained on none of them" in none.how
        old = tmp_path / "old"
        shutil.copytree(light, old)
        (old / "taught.json").unlink()
        unknown = judge(old, dataset, workspace)
        assert unknown.unseen is None
        assert "those that the recognizer was trained on" in unknown.how
        (old / "taught.json").write_text("{}")
        with pytest.raises(UserError, match=r"taught\.json is damaged"):
            judge(old, dataset, workspace)


def test_all_learns_from_what_was_named_in_the_workspace(bars: Path, trickline: Trickline, at_once: Command) -> None:
    with Workspace.open(trickline.home) as workspace:
        for label in ("slide", "spin"):
            for place in range(3):
                session = workspace.session_for(bars / label / f"{place}.mp4")
                if place:
                    workspace.save_labels(session.id, [Interval(0, 7, label)], "editor")
                else:
                    decide(workspace, session.id, [Decision(Event(0, 7), verdict="reject")])
    named = at_once("recognize", "train", "--all", "--out", "mine", "--json").json
    assert named["evaluation"]["classes"] == ["slide", "spin"]
    told = at_once("recognize", "train", "--all", "--with-none", "--out", "mine", "--json").json
    assert sorted(told["evaluation"]["classes"]) == ["none", "slide", "spin"]
    assert told["evaluation"]["clips"] == 6


def test_a_note_is_said_once_and_a_rare_class_only_left_out_on_request(
    bars: Path, tmp_path: Path, trickline: Trickline, at_once: Command
) -> None:
    data = tmp_path / "untold"
    shutil.copytree(bars, data, ignore=shutil.ignore_patterns("clips.csv"))
    (data / "grind").mkdir()
    write_clip(data / "grind" / "0.mp4", drawn(True, 77))
    refused = at_once("recognize", "train", "--data", data, "--out", "mine").sentence
    assert refused.startswith("These classes cannot be learnt, for they have a single clip: grind;")
    assert "--drop-rare" in refused
    ran = at_once("recognize", "train", "--data", data, "--out", "mine", "--drop-rare")
    assert ran.code == 0
    said = ran.out + ran.err
    assert said.count(BY_FILE) == 1
    assert said.count("Left out, for they have a single clip: grind.") == 1


def test_options_of_networks_reach_the_training(
    bars: Path, trickline: Trickline, at_once: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[LearnSettings] = []

    def stop(dataset: ClipDataset, out: Path, workspace: Workspace, settings: LearnSettings, *rest: Any) -> None:
        asked.append(settings)
        raise UserError("far enough.")

    monkeypatch.setattr(learning, "learn", stop)
    options = (
        "--lr 0.003 --frames 4 --size 64 --frame-stride 2 --patience 3 --precision 32-true --devices 2 --strategy ddp "
        "--accelerator cpu --rare-below 7 --rotate 5 --shift 0.2 --flip --colour 0.3 --balance sampling --epochs 9 "
        "--batch 5 --weights scratch --seed 7"
    )
    train = ("recognize", "train", "--data", bars, "--out", "x", "--arch", "r2plus1d")
    assert at_once(*train, *options.split()).sentence == "far enough."
    assert at_once(*train).sentence == "far enough."
    augment = AugmentSettings(rare_below=7, rotate_deg=5, shift=0.2, flip=True, colour=0.3)
    assert asked == [
        LearnSettings(
            arch="r2plus1d", lr=0.003, frames=4, size=64, stride=2, patience=3, precision="32-true", devices=2,
            strategy="ddp", accelerator="cpu", augment=augment, balance="sampling", epochs=9, batch=5,
            weights="scratch", seed=7,
        ),
        LearnSettings(arch="r2plus1d"),
    ]  # fmt: skip


def test_write_copies_of_rare_clips(tmp_path: Path, trickline: Trickline, at_once: Command) -> None:
    data = tmp_path / "squares"
    for label in (RIGHT, LEFT):
        (data / label).mkdir(parents=True)
        for number in range(4):
            write_clip(data / label / f"{number}.mp4", frames_of(label, number))
    command = ("recognize", "augment", "--data", data, "--out", "copies", "--below", "4", "--seed", "1")
    ran = at_once(*command)
    copies = read_dataset(trickline.folder / "copies").samples
    assert ran.out == f"{len(copies)} copies written to copies\n"
    assert at_once(*command).out == ran.out  # once more changes nothing
    assert at_once(*command[:-3], "1").out.startswith("No class has fewer than 1 clips")
    refused = at_once("recognize", "augment", "--data", data, "--out", data)
    assert "choose an empty folder for the copies" in refused.err


def test_copies_of_what_was_trained_on_are_known_again(
    bars: Path, tmp_path: Path, trickline: Trickline, at_once: Command
) -> None:
    data = tmp_path / "untold"
    shutil.copytree(bars, data, ignore=shutil.ignore_patterns("clips.csv"))
    assert at_once("recognize", "train", "--data", data, "--out", "mine").code == 0
    inside = at_once("recognize", "augment", "--data", data, "--out", data / "copies", "--below", "4")
    assert inside.code == 2
    assert "would become a class of untold itself: choose a folder outside" in inside.err
    assert not (data / "copies").exists()
    assert at_once("recognize", "augment", "--data", data, "--out", "copies", "--below", "4").code == 0
    found = at_once("recognize", "evaluate", "--model", "mine", "--data", "copies", "--json").json
    assert found["seen_in_training"] == found["clips"] > 0


def test_a_job_trains_on_one_card(bars: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """More of them would start the worker anew, which waits for the lock that the first one holds."""
    asked: list[LearnSettings] = []

    def stop(dataset: ClipDataset, out: Path, workspace: Workspace, settings: LearnSettings, *rest: Any) -> None:
        asked.append(settings)
        raise UserError("far enough.")

    monkeypatch.setattr(learning, "learn", stop)
    with Workspace.open(tmp_path / "home") as workspace:
        arguments = {"data": str(bars), "settings": {"arch": "tsn"}, "name": "bars", "folder": "0" * 16}
        with pytest.raises(UserError, match="far enough"):
            tasks.learn(workspace, arguments, Quiet())
    assert [settings.devices for settings in asked] == [1]


def test_train_and_evaluate(bars: Path, trickline: Trickline, at_once: Command) -> None:
    trained = at_once("recognize", "train", "--data", bars, "--arch", "light", "--out", "mine", "--json").json
    assert trained["evaluation"]["classes"] == ["slide", "spin"]
    found = at_once("recognize", "evaluate", "--model", "mine", "--data", bars, "--json").json
    assert {"accuracy", "macro_f1", "classes", "confusion", "per_class"} <= found.keys()
    assert sum(map(sum, found["confusion"])) == 2 * PLACES
    assert found["accuracy"] == 1.0  # of what it was trained on; it says so
    assert "trained on" in found["how"]
    assert (found["seen_in_training"], found["unseen"]) == (2 * PLACES, {"clips": 0, "accuracy": None})
    spoken = at_once("recognize", "evaluate", "--model", "mine", "--data", bars, "--report", "report.html")
    assert "recognizer   100.0% of 8 right" in spoken.out
    assert "spin" in (trickline.folder / "report.html").read_text()
    nowhere = at_once("recognize", "evaluate", "--model", "nowhere", "--data", bars)
    assert "nowhere is no recognizer, for it has no recognizer.json" in nowhere.sentence
    assert ".html" in at_once("recognize", "evaluate", "--model", "mine", "--data", bars, "--report", "r.pdf").sentence


def test_name_the_events_of_a_video(
    light: Path, session: Session, looked: Looked, trickline: Trickline, at_once: Command
) -> None:
    (trickline.folder / "events.json").write_text(looked.ran.out)
    named = at_once("recognize", session.video, "--model", light, "--events", "events.json", "--json").json
    events = looked.ran.json["events"]
    assert [(one["start_frame"], one["end_frame"]) for one in named["events"]] == [
        (event["start_frame"], event["end_frame"]) for event in events
    ]
    for one in named["events"]:
        assert one["label"] in ("slide", "spin")
        assert sum(one["probabilities"].values()) == pytest.approx(1, abs=1e-3)
        assert one["probability"] == max(one["probabilities"].values())
    [player] = named["players"]
    assert [window["label"] for window in player["windows"]] == [one["label"] for one in named["events"]]


def test_name_what_players_do(light: Path, session: Session, trickline: Trickline, at_once: Command) -> None:
    named = at_once("recognize", session.video, "--model", light, "--players", "--out", "drawn", "--json").json
    assert named["video"] == str(session.video)
    assert named["players"]
    window = named["players"][0]["windows"][0]
    assert list(window) == ["start_frame", "end_frame", "label", "probability"]
    assert window["end_frame"] - window["start_frame"] == 15
    film, table = (Path(path) for path in named["files"])
    assert film.stat().st_size > 10_000
    assert table.read_text().count("\n") > 1


def test_name_only_the_player_in_a_drawn_box(
    light: Path, session: Session, trickline: Trickline, at_once: Command
) -> None:
    with Workspace.open(trickline.home) as workspace:
        seen = sighting.kept(workspace.session_for(session.video), workspace)
        assert seen
        player = players(seen.pose, seen.camera, seen.video)[0]
    at = 3 * len(player.track.frames) // 4
    frame, box = player.track.frames[at], player.track.boxes[at]
    drawn = ",".join([str(frame), *(f"{value:.3f}" for value in box.clip(0, 1))])
    arguments = ("recognize", session.video, "--model", light, "--players", "--json")
    [only] = at_once(*arguments, "--box", drawn).json["players"]
    assert only["id"] == player.id
    assert min(window["start_frame"] for window in only["windows"]) >= frame
    refused = at_once(*arguments[:-1], "--box", f"{frame},0,0,0.02,0.02")
    assert "Nobody is seen in the box" in refused.sentence


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("session.mp4",), "--model"),
        (("session.mp4", "--model", "nowhere"), "nowhere is no recognizer, for it has no recognizer.json"),
        (("session.mp4", "--model", "x", "--players", "--events", "e.csv"), "not both"),
        (("session.mp4", "--model", "x", "--out", "y"), "Only --players takes --out: add it"),
        (
            ("session.mp4", "--model", "x", "--window", "9", "--stride", "3"),
            "Only --players takes --window and --stride",
        ),
        (("session.mp4", "--model", "x", "--players", "--box", "1,2"), "'1,2' is no box"),
        (("train", "--data", "nowhere", "--out", "x"), "nowhere"),
        (("train", "--out", "x"), "Give --data to learn from, or --all"),
        (("train", "--all", "--data", ".", "--out", "x"), "--all learns from the workspace: leave out --data"),
        (("train", "--all", "--out", "x"), "None of these sessions has a named moment"),
        (("train", "--data", ".", "--out", "x", "--with-none"), "add --all, or leave it out"),
        (("train", "--data", ".", "--out", "x", "--epochs", "30", "--flip"), "Only networks take --epochs and --flip"),
        (("train", "--data", ".", "--out", "x", "--arch", "tsn", "--devices", "0"), "'0' is no number of devices"),
        (("train", "--data", ".", "--out", "x", "--arch", "gpt"), "--arch"),
        (("evaluate", "--model", "nowhere", "--data", "gone"), "nowhere is no recognizer"),
    ],
)
def test_mistakes_are_one_sentence(
    trickline: Trickline, at_once: Command, arguments: tuple[str, ...], sentence: str
) -> None:
    assert sentence in at_once("recognize", *arguments).sentence


def test_a_class_that_the_recognizer_does_not_know(
    light: Path, bars: Path, tmp_path: Path, trickline: Trickline, at_once: Command
) -> None:
    shutil.copytree(bars / "slide", tmp_path / "other" / "grind")
    shutil.copytree(bars / "spin", tmp_path / "other" / "spin")
    ran = at_once("recognize", "evaluate", "--model", light, "--data", tmp_path / "other")
    assert "does not know the class 'grind': it was trained on slide, spin" in ran.sentence


def test_a_job_names_the_tricks_of_a_session(light: Path, session: Session, tmp_path: Path) -> None:
    with Workspace.open(tmp_path / "home") as workspace:
        record = workspace.session_for(session.video)
        folder = shelf.reserve(workspace)
        shutil.copytree(light, folder, dirs_exist_ok=True)
        kept = shelf.put(folder, "  bars\n ", workspace)
        assert kept.name == "bars"
        trick = session.intervals[0]
        arguments = {
            "session": record.id,
            "recognizer": kept.id,
            "players": False,
            "events": [[trick.start_frame, trick.end_frame]],
        }
        named = tasks.name(workspace, arguments, Quiet())
        assert named["events"][0]["start_frame"] == trick.start_frame
        shelf.remove(workspace, kept.id)
        assert shelf.recognizers(workspace) == []
        with pytest.raises(UserError, match="There is no recognizer"):
            tasks.name(workspace, arguments, Quiet())


def test_the_shelf_passes_over_what_is_damaged(light: Path, tmp_path: Path) -> None:
    with Workspace.open(tmp_path / "home") as workspace:
        for name in ("good", "bad"):
            folder = shelf.reserve(workspace)
            shutil.copytree(light, folder, dirs_exist_ok=True)
            shelf.put(folder, name, workspace)
            if name == "bad":
                (folder / "recognizer.json").write_text("[]")
        assert [one.name for one in shelf.recognizers(workspace)] == ["good"]
        with pytest.raises(UserError, match="is no recognizer"):
            shelf.folder_of(workspace, "../../etc")


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"architecture": 5}', "[" * 100_000, '{"architecture": "gpt"}'])
def test_a_hostile_card_is_one_sentence(tmp_path: Path, content: str) -> None:
    (tmp_path / "recognizer.json").write_text(content)
    with Workspace.open(tmp_path / "home") as workspace, pytest.raises(UserError):
        open_recognizer(tmp_path, workspace)


@pytest.mark.parametrize("change", [{"classes": []}, {"clips": []}, {"how": 5}])
def test_damaged_figures_are_one_sentence(light: Path, tmp_path: Path, change: dict[str, object]) -> None:
    told = json.loads((light / "judged.json").read_text()) | change
    (tmp_path / "judged.json").write_text(json.dumps(told))
    with pytest.raises(UserError, match="is damaged"):
        read_judged(tmp_path)
