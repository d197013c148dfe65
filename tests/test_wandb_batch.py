"""Many videos as runs of one group: what a team sees of a folder, and what W&B may not spoil."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from core.one_video import finish, start
from core.settings import BatchSettings, PoseSettings, RunSettings
from sample_data.make_session import Session
from tests.conftest import Ran
from tests.shots import shots
from tests.wandb_commands import wandb_commands, wandb_environment
from tests.wandb_files import OfflineRun

RUN = RunSettings(pose=PoseSettings(backend="movenet", sample_stride=4))


class Silent:
    def progress(self, step: str, fraction: float, frames_done: int | None = None) -> None:
        pass

    def cancelled(self) -> bool:
        return False


def work(folder: Path, video: Path, **more: Any) -> dict[str, Any]:
    settings = BatchSettings(run=RUN, out=str(folder / "clips"), **more)
    told = {"settings": settings.model_dump(mode="json"), "slots": 1, "batch": "another"}
    return {"home": str(folder / "home"), "sources": [str(video)], **told}


@pytest.fixture(scope="module")
def done(session: Session, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Ran]:
    """The folder in which two videos were done, and what was said."""
    folder = tmp_path_factory.mktemp("a day")
    shots(session, folder / "in", 2)
    with wandb_commands(folder, folder / "home", {"WANDB_MODE": "offline"}) as command:
        return folder, command("run", "in", "--pose", "movenet", "--stride", "4", "--wandb", "--json")


def test_each_video_is_a_run_of_one_group(done: tuple[Path, Ran]) -> None:
    folder, ran = done
    assert ran.code == 0, ran.err
    *told, summary = map(json.loads, ran.out.splitlines())
    assert summary["summary"]["done"] == 2
    runs = [OfflineRun.read(run) for run in folder.glob("wandb/offline-run-*")]
    assert [(run.job_type, run.exit_code) for run in runs] == [("run", 0)] * 2
    assert len({run.group for run in runs}) == 1
    assert runs[0].group.startswith("batch-")
    seen = {run.artifacts["skate_session_raw"].manifest.contents[0].path: run for run in runs}
    assert set(seen) == {Path(one["video"]).name for one in told} == {"shot 00.mp4", "shot 01.mp4"}
    for one in told:
        run = seen[Path(one["video"]).name]
        assert run.summary["filter/frames_total"] == one["frames"]
        clips = [entry.path for entry in run.artifacts["skate_highlights"].manifest.contents] if one["clips"] else []
        assert clips == [Path(clip["path"]).name for clip in one["clips"]]
        [note] = [note for note in one["notes"] if note.startswith("W&B: ")]
        assert run.name in note
        assert f"{Path(one['video']).name}: {note}" in ran.err


def test_what_was_logged_is_known_without_it_and_the_other_way_round(done: tuple[Path, Ran], tmp_path: Path) -> None:
    """Whether it was logged changes no clip. An old run is not told as if it were today's."""
    folder, _ = done
    video = folder / "in" / "shot 00.mp4"
    for wandb in (True, False):
        told = start(work(folder, video, wandb=wandb), Silent())
        assert told["known"]
        assert not [note for note in told["notes"] if "W&B" in note]
    assert len(list(folder.glob("wandb/offline-run-*"))) == 2


def test_what_wandb_cannot_do_is_a_note_of_the_video(done: tuple[Path, Ran], tmp_path: Path) -> None:
    """Without a network the video is done all the same, and so is it where W&B may write nothing."""
    folder, _ = done
    video = folder / "in" / "shot 01.mp4"
    nobody = {"WANDB_API_KEY": "0" * 40, "WANDB_BASE_URL": "http://127.0.0.1:9", "WANDB_INIT_TIMEOUT": "1"}
    with wandb_environment(tmp_path, {"HOME": str(tmp_path), **nobody}):
        told = finish(work(folder, video, wandb=True), Silent())
    unreachable, kept = [note for note in told["notes"] if "W&B" in note]
    assert unreachable.startswith("W&B cannot be reached")
    assert "is kept offline" in kept
    assert len(told["clips"]) == len(told["events"])
    assert not told["known"]
