"""Training, judging and naming from the command line, and the same as jobs of the studio."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from core import pipeline, tasks
from core.errors import UserError
from core.recognize import shelf, training
from core.recognize.datasets import read_dataset
from core.recognize.evaluation import evaluate
from core.recognize.learning import Judged, learn, read_judged
from core.recognize.loading import open_recognizer
from core.recognize.networks import architecture
from core.recognize.players import players
from core.recognize.samples import ClipDataset, ClipSample
from core.recognize.settings import RecognizeSettings
from core.settings import LearnSettings
from core.workspace import Workspace
from sample_data.make_session import Session
from tests.conftest import Command, Looked, Trickline
from tests.moments import LEFT, RIGHT, dataset_of, write_clip
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
        learnt = learn(more, tmp_path / "out", workspace)
        assert "Left out, for they have a single clip: grind." in learnt.notes
        assert open_recognizer(tmp_path / "out", workspace).classes == ("slide", "spin")
        assert learnt.judged
        assert len(learnt.judged.clips) == 2 * PLACES
        two = replace(more, samples=(dataset.samples[0], odd))
        with pytest.raises(UserError, match="has a single clip"):
            learn(two, tmp_path / "none", workspace)


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
        assert sorted(path.name for path in out.iterdir()) == ["light.npz", "recognizer.json"]
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

    def run(dataset: ClipDataset, workspace: Workspace) -> Any:
        settings = LearnSettings(arch="tsn", weights="scratch", epochs=1, batch=4, seed=1)
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
    assert anew in learnt.notes
    assert judged.how == f"{len(judged.clips)} clips of groups that were left out of the training. {anew}"
    groups = {str(sample.path): sample.group for sample in published}
    tested = {groups[clip.path] for clip in judged.clips}
    assert len(judged.clips) == sum(group in tested for group in groups.values()) > 0  # whole groups
    assert list(judged.baselines) == ["majority", "colours"]
    assert judged.baselines["majority"] == judged.evaluation.majority
    assert (learnt.folder / "history.csv").exists()


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


def test_train_and_evaluate(bars: Path, trickline: Trickline, at_once: Command) -> None:
    trained = at_once("recognize", "train", "--data", bars, "--arch", "light", "--out", "mine", "--json").json
    assert trained["evaluation"]["classes"] == ["slide", "spin"]
    found = at_once("recognize", "evaluate", "--model", "mine", "--data", bars, "--json").json
    assert {"accuracy", "macro_f1", "classes", "confusion", "per_class"} <= found.keys()
    assert sum(map(sum, found["confusion"])) == 2 * PLACES
    assert found["accuracy"] == 1.0  # of what it was trained on; it says so
    assert "trained on" in found["how"]
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
        seen = pipeline.kept(workspace.session_for(session.video), workspace)
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
        (("session.mp4", "--model", "x", "--out", "y"), "--out and --box go with --players"),
        (("session.mp4", "--model", "x", "--players", "--box", "1,2"), "'1,2' is no box"),
        (("train", "--data", "nowhere", "--out", "x"), "nowhere"),
        (("train", "--data", ".", "--out", "x", "--arch", "gpt"), "--arch"),
        (("evaluate", "--model", "nowhere", "--data", "."), "holds no clip"),
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
