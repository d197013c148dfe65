"""Many videos: a bad one stops nothing, and nothing is done twice."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path

import pytest

from core import pipeline, sighting
from core.batch import Ended, run_batch
from core.engine.local import LocalEngine
from core.errors import Cancelled, UserError
from core.gathering import Footage, gather
from core.intervals import Interval
from core.labels import LabelSet, write_labels
from core.settings import BatchSettings, PoseSettings, RunSettings
from core.video import Video
from core.workspace import Workspace
from sample_data.make_session import Session
from tests.conftest import Trickline
from tests.shots import found, shots

RUN = RunSettings(pose=PoseSettings(backend="movenet"))


@pytest.fixture(scope="module")
def footage(session: Session, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four short videos, one of them in a folder below."""
    folder = tmp_path_factory.mktemp("footage")
    last = shots(session, folder, 4)[-1]
    (folder / "second day").mkdir()
    last.rename(folder / "second day" / last.name)
    return folder


def batch(footage: Sequence[Footage], home: Path, out: Path | None, **more: object) -> list[Ended]:
    settings = BatchSettings(run=RUN, out=str(out) if out else None, **more)
    with Workspace.open(home) as workspace:
        return list(run_batch(footage, settings, workspace, LocalEngine(1)))


@pytest.fixture(scope="module")
def first(footage: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Ended]]:
    """The folder with workspace and clips after a first run, and what came of it."""
    home = tmp_path_factory.mktemp("first")
    return home, batch(gather([footage])[0], home / "workspace", home / "clips")


## What is done


def test_every_video_is_done_as_it_would_be_alone(
    first: tuple[Path, list[Ended]], footage: Path, tmp_path: Path
) -> None:
    home, ends = first
    assert [one.state for one in ends] == ["done"] * 4
    assert sum(len(one.result["events"]) for one in ends) >= 1
    with Workspace.open(tmp_path / "alone") as workspace:
        alone = [
            pipeline.run(Path(one.footage.sources[0]), workspace, RUN, tmp_path / "clips").to_json() for one in ends
        ]
    assert found([one.result for one in ends]) == found(alone)
    for one in ends:
        for clip in one.result["clips"]:
            assert Video.open(Path(clip["path"])).n_frames > 10
    assert not [path for path in (home / "clips").iterdir() if path.name.startswith(".")]


def test_what_is_done_is_known_by_content_and_not_by_name(
    first: tuple[Path, list[Ended]], footage: Path, tmp_path: Path
) -> None:
    home, ends = first
    shutil.copytree(footage, tmp_path / "moved")
    (tmp_path / "moved" / "shot 00.mp4").rename(tmp_path / "moved" / "best.mp4")
    again = batch(gather([tmp_path / "moved"])[0], home / "workspace", home / "clips")
    assert [one.state for one in again] == ["known"] * 4
    told = {one.footage.name: one.result["events"] for one in again}
    assert told["best.mp4"] == next(one.result["events"] for one in ends if one.footage.name == "shot 00.mp4")


def test_other_settings_or_lost_clips_are_done_again(first: tuple[Path, list[Ended]], tmp_path: Path) -> None:
    home, ends = first
    (one,) = [one for one in ends if one.footage.name == "shot 00.mp4"]
    shutil.copytree(home, tmp_path / "home")
    with_clips = next(one for one in ends if one.result["clips"])
    elsewhere = batch([with_clips.footage], home / "workspace", tmp_path / "other clips")
    assert [one.state for one in elsewhere] == ["done"]
    Path(elsewhere[0].result["clips"][0]["path"]).unlink()
    assert [one.state for one in batch([with_clips.footage], home / "workspace", tmp_path / "other clips")] == ["done"]
    assert Path(elsewhere[0].result["clips"][0]["path"]).is_file()
    assert [one.state for one in batch([one.footage], home / "workspace", home / "clips", again=True)] == ["done"]


def test_junk_stops_nothing_and_each_gets_its_sentence(footage: Path, tmp_path: Path) -> None:
    junk = tmp_path / "junk"
    junk.mkdir()
    (junk / "empty.mp4").touch()
    (junk / "text.mov").write_text("this is no video" * 100)
    (junk / "cut.mp4").write_bytes((footage / "shot 00.mp4").read_bytes()[:20_000])
    shutil.copy(footage / "shot 01.mp4", junk / "good.mp4")
    ends = {one.footage.name: one for one in batch(gather([junk])[0], tmp_path / "ws", tmp_path / "clips")}
    assert {name: one.state for name, one in ends.items()} == {
        "cut.mp4": "failed", "empty.mp4": "failed", "good.mp4": "done", "text.mov": "failed"
    }  # fmt: skip
    for name, one in ends.items():
        assert one.state == "done" or (one.message and name in one.message and "Traceback" not in one.message)


def test_two_videos_of_one_name_keep_their_clips_apart(session: Session, tmp_path: Path) -> None:
    # Every camera calls its first video GOPR0001: in a folder of days their clips must not replace each other.
    one, other = shots(session, tmp_path / "drawn", 2, 12.0)
    for day, path in (("monday", one), ("tuesday", other)):
        (tmp_path / "in" / day).mkdir(parents=True)
        path.rename(tmp_path / "in" / day / "GOPR0001.MP4")
    ends = batch(gather([tmp_path / "in"])[0], tmp_path / "ws", tmp_path / "clips")
    clips = [clip["path"] for one in ends for clip in one.result["clips"]]
    assert len(clips) >= 2
    assert len(set(clips)) == len(clips)
    assert all(Path(path).is_file() for path in clips)


def test_a_long_video_is_looked_at_in_spans_and_comes_out_the_same(session: Session, tmp_path: Path) -> None:
    settings = BatchSettings(run=RUN, span_s=8.0)
    with Workspace.open(tmp_path / "ws") as workspace:
        steps: set[str] = set()
        (one,) = run_batch(
            gather([session.video])[0],
            settings,
            workspace,
            LocalEngine(2),
            lambda footage, step, share: steps.add(step) if 0 <= share <= 1 else steps.add(f"{share}"),
        )
        whole = sighting.look(session.video, Workspace.open(tmp_path / "other"), RUN.pose)
        spanned = sighting.kept(workspace.session(whole.content), workspace)
    assert one.state == "done"
    assert steps == {"looking"}
    assert spanned is not None
    assert spanned.signals.table.equals(whole.signals.table)


def test_labels_that_lie_beside_are_kept_and_compared(session: Session, tmp_path: Path) -> None:
    (path,) = shots(session, tmp_path / "in", 1, 12.0)
    video = Video.open(path)
    write_labels(path.with_suffix(".csv"), LabelSet((Interval(30, 60, "ollie"),), name=path.name), video.pts_s)
    (one,) = batch(gather([tmp_path / "in"])[0], tmp_path / "ws", None)
    assert one.result["labels"]["tricks"] == 1
    with Workspace.open(tmp_path / "ws") as workspace:
        kept = workspace.labels(one.result["content"])
        assert kept is not None
        assert kept.intervals == (Interval(30, 60, "ollie"),)
        # What somebody changed since is not undone by the next run.
        workspace.save_labels(one.result["content"], [Interval(31, 61, "ollie")], "editor")
    batch(gather([tmp_path / "in"])[0], tmp_path / "ws", None, again=True)
    with Workspace.open(tmp_path / "ws") as workspace:
        newest = workspace.labels(one.result["content"])
        assert newest is not None
        assert newest.intervals == (Interval(31, 61, "ollie"),)


def test_a_batch_that_was_stopped_goes_on_where_it_was(footage: Path, tmp_path: Path) -> None:
    settings = BatchSettings(run=RUN, out=str(tmp_path / "clips"))
    ends: list[Ended] = []
    with Workspace.open(tmp_path / "ws") as workspace, pytest.raises(Cancelled):
        ends.extend(
            run_batch(gather([footage])[0], settings, workspace, LocalEngine(1), cancelled=lambda: len(ends) > 1)
        )
    states = [one.state for one in batch(gather([footage])[0], tmp_path / "ws", tmp_path / "clips")]
    assert states.count("known") >= 2
    assert states.count("known") + states.count("done") == 4


def test_a_folder_that_cannot_be_written_is_said_before_the_work(footage: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="Cannot write"):
        batch(gather([footage])[0], tmp_path / "ws", tmp_path / "file" / "clips")


## The command


def test_the_command_says_what_came_of_each_and_of_all(trickline: Trickline, footage: Path, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    shutil.copy(footage / "shot 01.mp4", tmp_path / "in" / "good.mp4")
    (tmp_path / "in" / "bad.mp4").write_text("no video")
    ran = trickline("run", tmp_path / "in", "--out", tmp_path / "clips", "--json")
    assert ran.code == 2
    *videos, summary = map(json.loads, ran.out.splitlines())
    assert [one["state"] for one in videos] in (["failed", "done"], ["done", "failed"])
    assert (summary["summary"]["done"], summary["summary"]["failed"]) == (1, 1)
    assert "bad.mp4 cannot be read" in ran.err
    said = trickline("run", tmp_path / "in", "--out", tmp_path / "clips")
    assert "2 videos (1 done before, 1 failed)" in said.out


def test_a_second_run_in_the_folder_of_footage_finds_no_more(trickline: Trickline, footage: Path) -> None:
    """Clips go into ``clips`` where the command runs, which is where the footage may be."""
    own = shutil.copytree(footage, trickline.folder, dirs_exist_ok=True)
    first = trickline("run", ".", "--json")
    assert first.code == 0, first.err
    assert list((Path(own) / "clips").glob("*.mp4"))
    (trickline.home / "joined").mkdir(exist_ok=True)
    shutil.copy(footage / "shot 00.mp4", trickline.home / "joined" / "joined.mp4")
    again = [json.loads(line) for line in trickline("run", ".", "--json").out.splitlines()]
    assert [one["state"] for one in again[:-1]] == ["known"] * 4
    assert "another --out" in trickline("run", ".", "--out", ".").sentence


def test_chapters_that_do_not_join_are_done_one_by_one(session: Session, tmp_path: Path) -> None:
    # A damaged last chapter must not cost the four good ones before it.
    folder = tmp_path / "in"
    first, second = shots(session, folder, 2)
    first.rename(folder / "GX010042.MP4")
    (folder / "GX020042.MP4").write_bytes(second.read_bytes()[:30_000])
    second.unlink()
    footage, _ = gather([folder])
    assert [one.name for one in footage] == ["GX010042.MP4 and 1 more"]
    ends = {one.footage.name: one for one in batch(footage, tmp_path / "ws", tmp_path / "clips")}
    assert {name: one.state for name, one in ends.items()} == {"GX010042.MP4": "done", "GX020042.MP4": "failed"}
    assert any("GX020042" in note for note in ends["GX010042.MP4"].result["notes"])
