"""Ray for real: nodes die in the middle of the work, and nobody who looks at the results can tell."""

from __future__ import annotations

import os
import random
import signal
import socket
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest
import ray

from core import jobs
from core.batch import Ended, run_batch
from core.engine import Work, open_engine
from core.engine.cluster import _outcome
from core.engine.local import LocalEngine
from core.errors import Cancelled, UserError
from core.gathering import gather
from core.intervals import Interval
from core.reviews import Decision, decide, reviews
from core.settings import BatchSettings, PoseSettings, RunSettings
from core.sighting import kept
from core.video import Video
from core.workers import workers
from core.workspace import Workspace
from sample_data.make_session import Session
from tests import engines
from tests.conftest import Trickline
from tests.ray_nodes import Nodes, ray_nodes
from tests.shots import found, shots

VIDEOS, KILLS = 30, 10
RUN = RunSettings(pose=PoseSettings(backend="movenet"))


def outcomes(ends: Iterable[Ended]) -> dict[str, object]:
    """What became of each."""
    return {one.footage.name: (one.state, one.message, found([one.result] if one.result else [])) for one in ends}


@pytest.fixture(scope="module")
def nodes() -> Iterator[Nodes]:
    with ray_nodes(2) as nodes:
        yield nodes


def test_every_piece_is_done_and_a_bad_one_stops_nothing(nodes: Nodes, tmp_path: Path) -> None:
    works = [Work(str(number), engines.double, {"number": number}) for number in range(4)]
    works += [Work("refused", engines.refuse), Work("stumbled", engines.stumble), Work("who", engines.who)]
    works += [Work("killed", engines.die, {"log": str(tmp_path / "log"), "times": 2})]
    with open_engine(nodes.address) as engine:
        assert engine.slots == 2
        ends = {one.work.id: one for one in engine.run(works)}
    assert [ends[str(number)].result for number in range(4)] == [0, 2, 4, 6]
    assert ends["refused"].error == "This file is no video: choose another."
    assert "fault of Trickline" in (ends["stumbled"].error or "")
    assert ends["who"].result[1] == 1  # a piece of one core takes one
    assert (ends["killed"].result, ends["killed"].attempts) == ("alive", 3)


def test_a_cancel_reaches_the_nodes(nodes: Nodes, tmp_path: Path) -> None:
    began, ended = tmp_path / "began", tmp_path / "ended"
    work = Work("1", engines.wait_for_the_end, {"began": str(began), "ended": str(ended)})
    with open_engine(nodes.address) as engine, pytest.raises(Cancelled):
        list(engine.run([work], cancelled=began.exists))
    assert ended.exists()


def test_the_studio_looks_at_many_videos_at_a_time(
    nodes: Nodes, session: Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And whoever cancels one of them stops that one."""
    monkeypatch.setenv("TRICKLINE_CLUSTER", nodes.address)
    with Workspace.open(tmp_path / "ws") as workspace:
        made = [
            jobs.submit(workspace, "process", {"session": workspace.session_for(path).id}, start=False)
            for path in shots(session, tmp_path / "footage", 4, 2.4)
        ]
        jobs.ensure_worker(workspace)
        try:
            cancelled, left = "", made
            while any(one.active for one in left):
                left = [jobs.job(workspace, one.id) for one in made]
                looking = [one.id for one in left if one.state == "running" and one.step == "looking"]
                if not cancelled and len(looking) == 2:
                    [me] = workers(workspace)
                    assert set(looking) < set(me.doing)  # and one is there for when another ends
                    cancelled = looking[0]
                    jobs.cancel(workspace, cancelled)
                time.sleep(0.05)
        finally:
            os.kill(int(jobs.lock_path(workspace).read_text()), signal.SIGTERM)
        assert {one.id: one.state for one in left} == {
            one.id: "cancelled" if one.id == cancelled else "done" for one in made
        }
        for one in left:
            if one.state == "done":
                assert kept(workspace.session(str(one.session_id)), workspace)


def test_nodes_that_are_killed_cost_time_and_nothing_else(nodes: Nodes, session: Session, tmp_path: Path) -> None:
    paths = shots(session, tmp_path / "footage", VIDEOS, 2.4)
    footage, _ = gather([tmp_path / "footage"])
    clips = tmp_path / "clips"
    killed, moments = 0, random.Random(7)
    next_s = time.monotonic() + 3.0

    def kill_now_and_then() -> bool:
        """Asked several times a second whether to stop."""
        nonlocal killed, next_s
        if killed < KILLS and time.monotonic() >= next_s:
            nodes.kill(moments.randrange(len(nodes.running)))
            killed += 1
            nodes.add()
            next_s = time.monotonic() + moments.uniform(0.2, 4.0)
        return False

    with Workspace.open(tmp_path / "ws") as workspace:
        # Somebody labels and reviews while the cluster is at work.
        labelled, *reviewed = [workspace.session_for(path).id for path in paths[:3]]
        ends: list[Ended] = []
        settings = BatchSettings(run=RUN, out=str(clips))
        with open_engine(nodes.address) as engine:
            for one in run_batch(footage, settings, workspace, engine, cancelled=kill_now_and_then):
                ends.append(one)
                workspace.save_labels(labelled, [Interval(1, len(ends), "ollie")], "editor", "ann")
                for session_id in reviewed:
                    trick = Interval(100 * len(ends), 100 * len(ends) + 10)
                    decide(workspace, session_id, [Decision(trick, "reject")], "bob")
        assert killed == KILLS
        # Every video once, whole, and as this machine alone would do it.
        assert sorted(one.footage.name for one in ends) == [path.name for path in paths]
        assert sum(one.state == "done" for one in ends) >= VIDEOS - 4  # in some the skater is not in view
        newest = workspace.labels(labelled)
        assert newest is not None
        assert (newest.revision, newest.intervals) == (VIDEOS, (Interval(1, VIDEOS, "ollie"),))
        assert [len(reviews(workspace, session_id)) for session_id in reviewed] == [VIDEOS, VIDEOS]
    for one in ends:
        for clip in one.result.get("clips", []):
            assert Video.open(Path(clip["path"])).n_frames >= 10
    with Workspace.open(tmp_path / "alone") as workspace:
        settings = BatchSettings(run=RUN, out=str(tmp_path / "alone clips"))
        alone = list(run_batch(footage, settings, workspace, LocalEngine(1)))
    assert outcomes(ends) == outcomes(alone)
    written = {path.name for path in clips.iterdir() if not path.name.startswith(".")}
    assert written == {path.name for path in (tmp_path / "alone clips").iterdir()}


def test_the_command_works_on_a_cluster(nodes: Nodes, trickline: Trickline, session: Session, tmp_path: Path) -> None:
    (path,) = shots(session, tmp_path / "in", 1)
    ran = trickline("run", path, "--cluster", nodes.address, "--out", tmp_path / "clips")
    assert ran.code == 0, ran.err
    assert "1 video: " in ran.out


def test_no_cluster_is_said_in_a_sentence(trickline: Trickline, session: Session) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        nobody = f"127.0.0.1:{taken.getsockname()[1]}"
        assert "No Ray cluster answers at" in trickline("run", session.video, "--cluster", nobody).sentence
    with pytest.raises(UserError, match="no address of a cluster"), open_engine("nonsense"):
        pass


def test_a_machine_that_has_left_the_cluster_begins_nothing_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten attempts take seconds: each of ten thousand videos would fail, and for want of memory, as it was told."""

    def gone(ref: object) -> None:
        raise ray.exceptions.LocalRayletDiedError

    monkeypatch.setattr(ray, "get", gone)
    with pytest.raises(ray.exceptions.LocalRayletDiedError):
        _outcome(object(), Work("1", engines.double), 1)
