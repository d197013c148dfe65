"""Clips that are sent to a store, and footage whose copies go: nothing is done twice, and no login shows."""

from __future__ import annotations

import json
import shutil
from collections.abc import Generator, Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from core.batch import run_batch
from core.engine import Cancel, Done, More, Progress, Work, ended, perform
from core.engine.local import LocalEngine
from core.errors import Cancelled, UserError
from core.gathering import Footage
from core.one_video import start
from core.settings import BatchSettings, ClipSettings, PoseSettings, RunSettings
from core.video import Video
from core.workspace import Workspace
from sample_data.make_session import Session
from tests.conftest import Command
from tests.ftp_server import LOGIN, SECRETS, Remote, ftp_server
from tests.shots import shots
from tests.wandb_commands import wandb_commands

RUN = RunSettings(pose=PoseSettings(backend="movenet"), clips=ClipSettings(mode="fast"))


class Told:
    """Remembers what was said, and stops a step."""

    def __init__(self, stop_at: str = "") -> None:
        self.steps: dict[str, list[float]] = {}
        self._stop_at = stop_at

    def progress(self, step: str, fraction: float, frames_done: int | None = None) -> None:
        self.steps.setdefault(step, []).append(fraction)

    def cancelled(self) -> bool:
        return self._stop_at in self.steps


@pytest.fixture(scope="module")
def looked_at(session: Session, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with two videos of one name, ``monday/GOPR0001.MP4`` and Tuesday's, and a workspace in which both were
    looked at."""
    folder = tmp_path_factory.mktemp("looked at")
    for day, path in zip(("monday", "tuesday"), shots(session, folder / "drawn", 2, 12.0), strict=True):
        (folder / day).mkdir()
        path.rename(folder / day / "GOPR0001.MP4")
        start(arguments(folder / "home", folder / day / "GOPR0001.MP4", None), Told())
    return folder


@pytest.fixture
def home(looked_at: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(looked_at / "home", tmp_path / "looked at"))


@pytest.fixture
def remote(tmp_path: Path) -> Iterator[Remote]:
    with ftp_server(tmp_path / "remote") as server:
        yield server


@pytest.fixture(params=["ftp", "file"])
def out(request: pytest.FixtureRequest, remote: Remote) -> str:
    """The address of the folder ``clips`` of the server, on it and on this machine."""
    return remote.url("clips") if request.param == "ftp" else f"file://{remote.folder}/clips"


def arguments(home: Path, source: Path | str, out: str | None, batch: str = "first", **more: object) -> dict[str, Any]:
    settings = BatchSettings(run=RUN, out=out, **more).model_dump(mode="json")
    return {"home": str(home), "sources": [str(source)], "settings": settings, "slots": 1, "batch": batch}


def files_below(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def holds_a_secret(folder: Path) -> list[str]:
    """Files that hold a login, or are called by one."""
    there = files_below(folder).items()
    return [name for name, content in there for secret in SECRETS if secret in name or secret.encode() in content]


## Clips


def test_clips_lie_at_the_store_alone_and_are_told_by_their_addresses(
    looked_at: Path, home: Path, remote: Remote, out: str
) -> None:
    report = Told()
    told = start(arguments(home, looked_at / "monday" / "GOPR0001.MP4", out), report)
    assert told["clips"]
    shown = out.replace(LOGIN, "")
    for clip in told["clips"]:
        path = remote.folder / "clips" / clip["path"].removeprefix(f"{shown}/")
        assert Video.open(path).n_frames > 10
    (manifest,) = remote.folder.rglob("*_export.json")
    named = {file["name"]: file["size"] for file in json.loads(manifest.read_bytes())["files"]}
    assert named == {path.name: path.stat().st_size for path in manifest.parent.glob("*.mp4")}
    assert len(files_below(remote.folder)) == len(told["clips"]) + 1
    assert report.steps["sending"][-1] == 1.0
    assert not files_below(home / "sending")
    assert not holds_a_secret(home)
    assert not [secret for secret in SECRETS if secret in json.dumps(told)]


def test_what_was_done_is_known_while_the_clips_are_there(
    looked_at: Path, home: Path, remote: Remote, out: str
) -> None:
    video = looked_at / "monday" / "GOPR0001.MP4"
    first = start(arguments(home, video, out), Told())
    report = Told()
    again = start(arguments(home, video, out + "/", "second"), report)
    assert again == {**first, "known": True, "notes": again["notes"]}
    assert not report.steps
    clip = next(remote.folder.rglob("*.mp4"))
    content = clip.read_bytes()
    for spoiled in (None, content[:-1]):
        clip.unlink()
        if spoiled:
            clip.write_bytes(spoiled)
        assert not start(arguments(home, video, out, "third"), Told())["known"]
        assert clip.stat().st_size == len(content)
    assert start(arguments(home, video, out, "fourth"), Told())["known"]


def test_a_login_that_is_written_otherwise_does_nothing_anew(looked_at: Path, home: Path, remote: Remote) -> None:
    video = looked_at / "monday" / "GOPR0001.MP4"
    start(arguments(home, video, remote.url("clips")), Told())
    same = Remote(remote.folder, remote.port, "%72ider7:s3cr:t%40park@")
    assert start(arguments(home, video, same.url("clips"), "second"), Told())["known"]


def test_videos_of_one_name_keep_their_clips_apart_and_each_replaces_its_own(
    looked_at: Path, tmp_path: Path, remote: Remote, out: str
) -> None:
    """From two machines that know nothing of each other."""
    homes = [Path(shutil.copytree(looked_at / "home", tmp_path / name)) for name in ("one", "other")]
    videos = [looked_at / day / "GOPR0001.MP4" for day in ("monday", "tuesday")]
    ends = [start(arguments(home, video, out), Told()) for home, video in zip(homes, videos, strict=True)]
    clips = [clip["path"] for told in ends for clip in told["clips"]]
    assert len(clips) == len(set(clips)) == len(list(remote.folder.rglob("*.mp4"))) >= 2
    before = files_below(remote.folder)
    again = start(arguments(homes[0], videos[0], out, "second", again=True), Told())
    assert not again["known"]
    assert again["clips"] == ends[0]["clips"]
    after = files_below(remote.folder)
    assert after.keys() == before.keys()
    others = [name for name in before if name.startswith(f"clips/{Path(ends[1]['clips'][0]['path']).parent.name}/")]
    assert others
    assert all(after[name] == before[name] for name in others)


def test_an_upload_that_fails_fails_its_video_alone(looked_at: Path, home: Path, remote: Remote) -> None:
    videos = {day: Footage((str(looked_at / day / "GOPR0001.MP4"),)) for day in ("monday", "tuesday")}
    first = start(arguments(home, videos["monday"].sources[0], remote.url("elsewhere")), Told())
    name = Path(first["clips"][0]["path"]).parent.name
    (remote.folder / "clips").mkdir()
    (remote.folder / "clips" / name).write_text("a file where Monday's folder has to be")
    with Workspace.open(home) as workspace:
        settings = BatchSettings(run=RUN, out=remote.url("clips"))
        ends = {one.footage: one for one in run_batch(videos.values(), settings, workspace, LocalEngine(1))}
    assert {day: ends[footage].state for day, footage in videos.items()} == {"monday": "failed", "tuesday": "done"}
    message = ends[videos["monday"]].message
    assert message
    assert remote.shown(f"clips/{name}/") in message
    assert not [secret for secret in SECRETS if secret in message]
    assert not files_below(home / "sending")


def test_a_store_that_is_away_for_a_while_is_waited_for(looked_at: Path, home: Path, tmp_path: Path) -> None:
    with ftp_server(tmp_path / "remote") as gone:
        out = gone.url("clips")

    class Starting(Told):
        """Starts the server anew once somebody waits for it."""

        def progress(self, step: str, fraction: float, frames_done: int | None = None) -> None:
            super().progress(step, fraction, frames_done)
            if step == "waiting for the store" and len(self.steps[step]) == 1:
                again.enter_context(ftp_server(gone.folder, gone.port))

    with ExitStack() as again:
        told = start(arguments(home, looked_at / "monday" / "GOPR0001.MP4", out), report := Starting())
        assert "waiting for the store" in report.steps
        assert len(files_below(gone.folder)) == len(told["clips"]) + 1
    with pytest.raises(Cancelled):
        start(arguments(home, looked_at / "tuesday" / "GOPR0001.MP4", out), Told(stop_at="waiting for the store"))


def test_a_stop_while_sending_leaves_nothing_half_written(
    looked_at: Path, home: Path, remote: Remote, out: str
) -> None:
    with pytest.raises(Cancelled):
        start(arguments(home, looked_at / "monday" / "GOPR0001.MP4", out), Told(stop_at="sending"))
    assert not files_below(remote.folder)
    assert not files_below(home / "sending")
    assert start(arguments(home, looked_at / "monday" / "GOPR0001.MP4", out), Told())["clips"]


def test_a_store_that_takes_nothing_is_said_before_anything_is_looked_at(tmp_path: Path, remote: Remote) -> None:
    everybody = Remote(remote.folder, remote.port, "")
    for out, sentence in (
        ("http://127.0.0.1:9/clips", "Nothing can be written"),
        ("ftp://rider7:s3cr@127.0.0.1:9/clips", "cannot be reached"),
        (everybody.url("clips"), "may not be written"),
    ):
        with Workspace.open(tmp_path / "home") as workspace:
            ends = run_batch([Footage(("gone.mp4",))], BatchSettings(run=RUN, out=out), workspace, LocalEngine(1))
            with pytest.raises(UserError, match=sentence) as refused:  # and not that the video is gone
                next(ends)
        assert not [secret for secret in SECRETS if secret in str(refused.value)]


## Fetched copies


def test_a_dropped_copy_is_not_fetched_again(looked_at: Path, home: Path, remote: Remote) -> None:
    video = Path(shutil.copy(looked_at / "monday" / "GOPR0001.MP4", remote.folder / "park.mp4"))
    kept = start(arguments(home, remote.url("park.mp4"), None), Told())
    assert Path(kept["video"]).is_file()  # the studio opens it
    known = start(arguments(home, remote.url("park.mp4"), None, "second", drop_fetched=True), Told())
    assert (known["known"], known["video"]) == (True, remote.shown("park.mp4"))
    assert [Path(name).suffix for name in files_below(home / "fetched")] == [".json"]
    assert len(remote.sent) == 1
    # Known with and without the option, and as long as the object is the same.
    for more in ({}, {"drop_fetched": True}):
        assert start(arguments(home, remote.url("park.mp4"), None, "third", **more), Told())["known"]
    assert len(remote.sent) == 1
    elsewhere = remote.url("clips")
    done = start(arguments(home, remote.url("park.mp4"), elsewhere, "fourth", drop_fetched=True), Told())
    assert (done["known"], bool(done["clips"]), len(remote.sent)) == (False, True, 2)
    shutil.copy(looked_at / "tuesday" / "GOPR0001.MP4", video)
    changed = start(arguments(home, remote.url("park.mp4"), elsewhere, "fifth", drop_fetched=True), Told())
    assert changed["content"] != done["content"]
    assert (changed["known"], len(remote.sent)) == (False, 3)
    assert not list((home / "fetched").glob("*.mp4"))
    assert not holds_a_secret(home)


def test_a_copy_goes_when_its_video_failed_and_stays_when_it_was_stopped(
    looked_at: Path, home: Path, remote: Remote
) -> None:
    (remote.folder / "bad.mp4").write_text("no video" * 1000)
    shutil.copy(looked_at / "monday" / "GOPR0001.MP4", remote.folder / "good.mp4")
    with pytest.raises(UserError, match="bad"):
        start(arguments(home, remote.url("bad.mp4"), None, drop_fetched=True), Told())
    assert not files_below(home / "fetched")
    stopped = arguments(home, remote.url("good.mp4"), remote.url("clips"), drop_fetched=True)
    with pytest.raises(Cancelled):
        start(stopped, Told(stop_at="sending"))
    assert len(files_below(home / "fetched")) == 1


class Failing:
    """An engine that does the work itself, and fails at every span."""

    slots = 2

    def run(
        self,
        works: Iterable[Work],
        more: More | None = None,
        progress: Progress | None = None,
        cancelled: Cancel | None = None,
    ) -> Generator[Done]:
        waiting = list(works)
        while waiting:
            work = waiting.pop(0)
            failed = Done(work, error="the machine caught fire")
            spanned = ", part " in work.id
            done = failed if spanned else ended(work, perform(work.function, work.arguments, Told()), 1)
            waiting += more(done) if more else ()
            yield done


def test_a_copy_goes_when_one_of_its_spans_failed(session: Session, tmp_path: Path, remote: Remote) -> None:
    shutil.copy(session.video, remote.folder / "long.mp4")
    settings = BatchSettings(run=RUN, span_s=8.0, drop_fetched=True)
    with Workspace.open(tmp_path / "home") as workspace:
        (one,) = run_batch([Footage((remote.url("long.mp4"),))], settings, workspace, Failing())
    assert (one.state, one.message, len(remote.sent)) == ("failed", "the machine caught fire", 1)
    assert not files_below(tmp_path / "home" / "fetched")


## The commands


@pytest.mark.parametrize("command", ["run", "watch"])
def test_the_commands_tell_addresses_without_a_login(
    command: str, looked_at: Path, home: Path, tmp_path: Path, remote: Remote
) -> None:
    """Not even to W&B, which keeps the command line."""
    one = looked_at / "monday"
    asked = [command, one / "GOPR0001.MP4"] if command == "run" else [command, one, "--once", "--settle", "0"]
    asked += ["--pose", "movenet", "--wandb", f"--out={remote.url('clips')}"]
    folder = tmp_path / "where it runs"
    folder.mkdir()
    with wandb_commands(folder, home, {"WANDB_MODE": "offline"}) as told:
        first, again = told(*asked), told(*asked)
    assert list(folder.glob("wandb/offline-run-*/*.wandb"))
    assert not holds_a_secret(folder)
    assert (first.code, again.code) == (0, 0), first.err + again.err
    for ran in (first, again):
        assert f"  {remote.shown('clips/GOPR0001-')}" in ran.out
        assert not [secret for secret in SECRETS if secret in ran.out + ran.err]
    assert ", done before" in again.out


def test_clips_do_not_become_footage_of_the_store(
    looked_at: Path, home: Path, at_once: Command, monkeypatch: pytest.MonkeyPatch, remote: Remote
) -> None:
    monkeypatch.setenv("TRICKLINE_HOME", str(home))
    shutil.copy(looked_at / "monday" / "GOPR0001.MP4", remote.folder / "park.mp4")
    asked = ("run", remote.url(""), "--pose", "movenet", "--out", remote.url("clips"), "--drop-fetched", "--json")
    states = []
    for _ in range(2):
        *videos, _summary = map(json.loads, at_once(*asked).out.splitlines())
        states += [(one["video"], one["state"]) for one in videos]
    assert states == [(remote.shown("park.mp4"), "done"), (remote.shown("park.mp4"), "known")]
    assert remote.sent == ["park.mp4"]
    assert list(remote.folder.rglob("clips/*/*.mp4"))
    assert "another --out" in at_once("run", remote.url("clips"), "--out", remote.url("clips")).sentence


def test_what_cannot_be_is_said(looked_at: Path, at_once: Command, tmp_path: Path) -> None:
    video = looked_at / "monday" / "GOPR0001.MP4"
    assert "--labels" in at_once("run", video, "--labels", "a.csv", "--out", "s3://park/clips").sentence
    assert "s3fs" in at_once("run", video, "--out", "s3://park/clips").sentence
    assert "Nothing can be written" in at_once("watch", video.parent, "--out", "https://park/clips").sentence
    inside = f"file://{video.parent}/clips"
    assert "new footage" in at_once("watch", video.parent, "--out", inside, "--once").sentence
