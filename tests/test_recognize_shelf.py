"""The shelf: what is put on it from elsewhere, what is found on it by which name, and what is swept off it."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from core import tasks
from core.errors import UserError
from core.recognize import shelf
from core.recognize.light.changes import COUNT
from core.recognize.light.classifier import Classifier
from core.recognize.light.judge import Judge, LightSettings
from core.recognize.light.recognizer import Card, LightRecognizer
from core.recognize.loading import open_recognizer
from core.workspace import Workspace
from tests.conftest import Command, Trickline
from tests.moments import frames_of, write_clip

WEEK_S = 7 * 24 * 3600


def light(folder: Path, classes: tuple[str, ...] = ("kickflip", "ollie")) -> Path:
    """A whole light recognizer that knows nothing."""
    many = len(classes)
    classifier = Classifier(
        np.zeros(COUNT, np.float32), np.ones(COUNT, np.float32), np.zeros((COUNT, many)), np.zeros(many)
    )
    settings = LightSettings()
    card = Card(classes=classes, settings=settings, slope=1.0, unsure_below=0.0, trained_on=dict.fromkeys(classes, 2))
    folder.mkdir(parents=True, exist_ok=True)
    LightRecognizer(card, Judge(classifier, settings, 1.0, 0.0)).save(folder)
    return folder


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    with Workspace.open(tmp_path / "home") as workspace:
        yield workspace


# Adding


def test_a_recognizer_of_another_folder_is_copied_whole(workspace: Workspace, tmp_path: Path) -> None:
    trained = light(tmp_path / "trained")
    for name in ("last.ckpt", "notes.txt", "report.html"):
        (trained / name).write_text("not part of a recognizer")
    (trained / "history.csv").write_text("epoch\n")
    added = shelf.add(workspace, trained, "Park")
    assert (added.name, added.classes) == ("Park", ("kickflip", "ollie"))
    assert sorted(path.name for path in added.folder.iterdir()) == [
        "history.csv", "light.npz", "recognizer.json", "shelf.json",
    ]  # fmt: skip
    (trained / "recognizer.json").unlink()  # the copy stands alone
    assert open_recognizer(added.folder, workspace).classes == ("kickflip", "ollie")
    assert shelf.recognizers(workspace) == [added]


def _link(folder: Path) -> None:
    target = folder.parent / "elsewhere.npz"
    (folder / "light.npz").rename(target)
    (folder / "light.npz").symlink_to(target)


def _pipe(folder: Path) -> None:
    (folder / "recognizer.json").unlink()
    os.mkfifo(folder / "recognizer.json")


def _huge(folder: Path) -> None:
    with (folder / "light.npz").open("r+b") as file:
        file.truncate(200_000_000)  # a hole, which takes no room


def _cut(folder: Path) -> None:
    (folder / "light.npz").write_bytes((folder / "light.npz").read_bytes()[:500])


def _no_card(folder: Path) -> None:
    (folder / "recognizer.json").unlink()


def _odd_figures(folder: Path) -> None:
    (folder / "judged.json").write_text("[]")


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        (_link, "is a link or no file"),
        (_pipe, "is a link or no file"),
        (_huge, "is larger than that of any recognizer"),
        (_cut, "is damaged or no recognizer"),
        (_no_card, "is no recognizer, for it has no recognizer.json"),
        (_odd_figures, "judged.json is damaged"),
    ],
)
def test_what_is_no_whole_recognizer_is_refused_and_leaves_nothing(
    workspace: Workspace, tmp_path: Path, spoil: Any, sentence: str
) -> None:
    trained = light(tmp_path / "trained")
    spoil(trained)
    with pytest.raises(UserError, match=sentence):
        shelf.add(workspace, trained, "Park")
    assert not list((workspace.home / "recognizers").glob("*"))


def test_a_full_disk_leaves_nothing_half_copied(
    workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trained = light(tmp_path / "trained")

    def full(_from: Path, to: Path) -> None:
        to.write_bytes(b"half")
        raise OSError(28, "No space left on device", str(to))

    monkeypatch.setattr("core.recognize.shelf.shutil.copyfile", full)
    with pytest.raises(UserError, match="No space left on device"):
        shelf.add(workspace, trained, "Park")
    assert not list((workspace.home / "recognizers").glob("*"))


# Finding


def test_a_recognizer_is_found_by_folder_id_and_name(workspace: Workspace, tmp_path: Path) -> None:
    trained = light(tmp_path / "trained")
    park = shelf.add(workspace, trained, "Park tricks")
    assert shelf.find(workspace, trained) == trained
    assert shelf.find(workspace, str(trained)) == trained
    assert shelf.find(workspace, park.id) == park.folder
    assert shelf.find(workspace, "Park tricks") == park.folder
    for wrong in ("Bowl", "x" * 5000, "../../etc"):
        with pytest.raises(UserError, match="and none of the studio's is called so"):
            shelf.find(workspace, wrong)


def test_a_folder_that_is_no_recognizer_does_not_hide_a_name(
    workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    park = shelf.add(workspace, light(tmp_path / "trained"), "park")
    (tmp_path / "park").mkdir()  # such as the clips
    monkeypatch.chdir(tmp_path)
    assert shelf.find(workspace, "park") == park.folder


def test_two_of_one_name_are_told_apart(workspace: Workspace, tmp_path: Path) -> None:
    trained = light(tmp_path / "trained")
    first, second, other = (shelf.add(workspace, trained, name) for name in ("Park", "Park", "Bowl"))
    titles = shelf.titles(shelf.recognizers(workspace))
    assert titles[other.id] == "Bowl"
    assert len(set(titles.values())) == 3
    assert titles[first.id].startswith("Park · ")
    with pytest.raises(UserError, match="2 recognizers are called 'Park'") as refused:
        shelf.find(workspace, "Park")
    assert first.id in str(refused.value)
    assert second.id in str(refused.value)


# Sweeping


def test_only_trainings_that_were_given_up_are_swept(workspace: Workspace, tmp_path: Path) -> None:
    whole = shelf.add(workspace, light(tmp_path / "trained"), "Park").folder
    stopped, given_up, young, alive = (shelf.reserve(workspace) for _ in range(4))
    half = given_up.with_name(".0123456789abcdef.part")  # somebody was killed while he added one
    half.mkdir()
    (half / "shelf.json").write_text("{}")
    for folder in (stopped, given_up, alive):
        (folder / "run.json").write_text("{}")
    (alive / "last.ckpt").write_text("an epoch ago")
    long_ago = time.time() - WEEK_S - 3600
    for folder in (whole, stopped, given_up, alive, half):
        for path in (*folder.iterdir(), folder):
            os.utime(path, (long_ago, long_ago))
    os.utime(alive / "last.ckpt")
    shelf.sweep(workspace, {stopped.name})
    left = {path for path in (whole, stopped, given_up, young, alive, half) if path.exists()}
    assert left == {whole, stopped, young, alive}


# The commands


def test_keep_and_list(trickline: Trickline, at_once: Command, tmp_path: Path) -> None:
    assert "No recognizer yet" in at_once("recognize", "list").out
    light(tmp_path / "park tricks")
    kept = at_once("recognize", "keep", tmp_path / "park tricks").out
    assert "Kept as 'park tricks'" in kept
    at_once("recognize", "keep", tmp_path / "park tricks", "--name", "Bowl")
    bowl, park = json.loads(at_once("recognize", "list", "--json").out)
    assert (bowl["name"], park["name"]) == ("Bowl", "park tricks")
    assert park["id"] in kept
    assert (park["architecture"], park["classes"], park["accuracy"]) == ("light", ["kickflip", "ollie"], None)
    assert Path(park["folder"]).is_dir()
    assert datetime.fromisoformat(park["added_at"]) <= datetime.now(UTC)
    listed = at_once("recognize", "list").out.splitlines()
    assert [line.split("  ")[:2] for line in listed] == [[bowl["id"], "Bowl"], [park["id"], "park tricks"]]
    assert "is no recognizer" in at_once("recognize", "keep", tmp_path).sentence


# What a job of the studio says


class Quiet:
    """Hears of progress and never stops."""

    def progress(self, step: str, fraction: float, frames_done: int | None = None) -> None:
        pass

    def cancelled(self) -> bool:
        return False


def test_a_training_whose_clips_have_changed_says_how_to_go_on(workspace: Workspace, tmp_path: Path) -> None:
    for label in ("left", "right"):
        (tmp_path / "clips" / label).mkdir(parents=True)
        for number in range(4):
            write_clip(tmp_path / "clips" / label / f"{label}{number}.mp4", frames_of(label, number, 2))
    folder = shelf.reserve(workspace)
    (folder / "run.json").write_text(json.dumps({"asked": {"clips": "those of last week"}, "notes": []}))
    arguments: dict[str, Any] = {  # as jobs were before footage could lie elsewhere
        "data": str(tmp_path / "clips"), "settings": {"arch": "tsn"}, "name": "n", "folder": folder.name,
    }  # fmt: skip
    with pytest.raises(UserError) as refused:
        tasks.learn(workspace, arguments, Quiet())
    assert str(refused.value) == tasks.CLIPS_CHANGED
