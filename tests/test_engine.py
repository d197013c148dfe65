"""Engines: what is asked for is done once, and a bad piece stops nothing but itself."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from core import cores
from core.engine import CRASHED, CRASHES, DROPPED, Done, Engine, Work, open_engine
from core.engine.local import LocalEngine
from core.errors import Cancelled
from tests import engines

ROOT = Path(__file__).resolve().parents[1]


def done(engine: Engine, works: Iterable[Work]) -> dict[str, Done]:
    return {one.work.id: one for one in engine.run(works)}


def test_everything_is_done_once_and_a_bad_piece_stops_nothing(tmp_path: Path) -> None:
    works = [Work(f"double {number}", engines.double, {"number": number}) for number in range(6)]
    works.insert(1, Work("refused", engines.refuse))
    works.insert(3, Work("stumbled", engines.stumble))
    works.insert(5, Work("killed once", engines.die, {"log": str(tmp_path / "once"), "times": 1}))
    works.insert(6, Work("killed always", engines.die, {"log": str(tmp_path / "always"), "times": 99}))
    ends = list(LocalEngine(2).run(works))
    assert sorted(one.work.id for one in ends) == sorted(work.id for work in works)
    by_id = {one.work.id: one for one in ends}
    assert [by_id[f"double {number}"].result for number in range(6)] == [0, 2, 4, 6, 8, 10]
    assert by_id["refused"].error == "This file is no video: choose another."
    assert "fault of Trickline" in (by_id["stumbled"].error or "")
    assert (by_id["killed once"].result, by_id["killed once"].attempts) == ("alive", 2)
    assert (by_id["killed always"].error, by_id["killed always"].attempts) == (CRASHED, CRASHES)
    assert len((tmp_path / "always").read_text()) == CRASHES


def test_what_nobody_wants_any_more_is_not_begun(tmp_path: Path) -> None:
    # One span of an hour failed: the others need not be looked at.
    failed: list[str] = []
    unwanted = {"began": str(tmp_path / "began"), "ended": str(tmp_path / "ended")}
    works = [Work("first", engines.refuse)]
    works += [Work(name, engines.wait_for_the_end, unwanted, unwanted=lambda: bool(failed)) for name in "ab"]
    followed: list[str] = []

    def more(one: Done) -> list[Work]:
        followed.append(one.work.id)
        return []

    for one in LocalEngine(1).run(works, more):
        assert one.error
        failed.append(one.error)
    assert failed == ["This file is no video: choose another.", DROPPED[1], DROPPED[1]]
    assert followed == ["first", "a", "b"]
    assert not (tmp_path / "began").exists()


def test_a_fault_is_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    list(LocalEngine(1).run([Work("stumbled", engines.stumble)]))
    assert "ZeroDivisionError" in caplog.text


def test_what_follows_from_an_end_is_done_too() -> None:
    # Spans of a video come first, and once the last of them is there, what is made of all.
    def more(one: Done) -> Iterator[Work]:
        if one.result < 20:
            yield Work(str(one.result), engines.double, {"number": one.result})

    ends = LocalEngine(2).run([Work("3", engines.double, {"number": 3})], more)
    assert [one.result for one in ends] == [6, 12, 24]


def test_progress_comes_from_the_processes() -> None:
    said: list[tuple[str, str, float]] = []
    work = Work("1", engines.double, {"number": 1})
    list(LocalEngine(1).run([work], progress=lambda work, step, share: said.append((work.id, step, share))))
    assert said == [("1", "doubling", 0.5)]


def test_a_cancel_reaches_what_runs_and_ends_soon(tmp_path: Path) -> None:
    began, ended = tmp_path / "began", tmp_path / "ended"
    works = [Work(name, engines.wait_for_the_end, {"began": str(began), "ended": str(ended)}) for name in "ab"]
    with pytest.raises(Cancelled):
        list(LocalEngine(1).run(works, cancelled=began.exists))
    assert ended.exists()


def test_who_stops_listening_leaves_no_process(tmp_path: Path) -> None:
    # A page that is closed in the middle of a run throws the generator away.
    ends = LocalEngine(2).run([Work(str(number), engines.double, {"number": number}) for number in range(9)])
    next(ends)
    ends.close()
    import multiprocessing

    assert multiprocessing.active_children() == []


def test_ctrl_c_is_not_heard_by_a_process_that_starts(tmp_path: Path) -> None:
    """It reaches the whole group; each of them would show where in its imports it was."""
    program, begun = tmp_path / "program.py", tmp_path / "begun"
    program.write_text(
        "import sys, time\n"
        "from pathlib import Path\n"
        "from core.engine import Work\n"
        "from core.engine.local import LocalEngine\n"
        "from tests import engines\n"
        "if __name__ == '__main__':\n"
        "    try:\n"
        "        list(LocalEngine(1).run([Work('1', engines.double, {'number': 1})]))\n"
        "    except KeyboardInterrupt:\n"
        "        print('stopped')\n"
        "else:\n"
        "    Path(sys.argv[1]).touch()\n"
        "    time.sleep(1.0)\n"
    )
    with subprocess.Popen(
        [sys.executable, program, begun],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
        text=True,
    ) as process:
        while not begun.exists() and process.poll() is None:
            time.sleep(0.02)
        os.killpg(process.pid, signal.SIGINT)
        assert process.communicate(timeout=60) == ("stopped\n", "")


def test_processes_are_kept_and_share_the_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    # A network is loaded once a process, and two processes with four threads each on four cores would be slow.
    monkeypatch.setenv("TRICKLINE_CORES", "4")
    ends = done(LocalEngine(2), [Work(str(number), engines.who) for number in range(6)])
    assert len({one.result[0] for one in ends.values()}) <= 2
    assert {one.result[1] for one in ends.values()} == {2}


_PERIOD = "cpu/cpu.cfs_period_us"


@pytest.mark.parametrize(
    ("membership", "files", "allowed"),
    [
        pytest.param("0::/\n", {"cpu.max": "200000 100000\n"}, 2, id="docker --cpus=2"),
        pytest.param("0::/\n", {"cpu.max": "150000 100000\n"}, 2, id="docker --cpus=1.5"),
        pytest.param("0::/\n", {"cpu.max": "20000 100000\n"}, 1, id="docker --cpus=0.2"),
        pytest.param("0::/\n", {"cpu.max": "max 100000\n"}, 64, id="no limit"),
        pytest.param("0::/pod/box\n", {"pod/cpu.max": "300000 100000", "pod/box/cpu.max": "max 100000"}, 3, id="above"),
        pytest.param("0::/pod/box\n", {"pod/other/cpu.max": "100000 100000"}, 64, id="another's limit"),
        pytest.param("4:cpu,cpuacct:/docker/1f\n", {"cpu/cpu.cfs_quota_us": "400000", _PERIOD: "100000"}, 4, id="v1"),
        pytest.param("4:cpu,cpuacct:/\n", {"cpu/cpu.cfs_quota_us": "-1", _PERIOD: "100000"}, 64, id="v1, no limit"),
        pytest.param("9:name=systemd:/\n", {}, 64, id="no groups"),
        pytest.param(None, {}, 64, id="no Linux"),
    ],
)
def test_a_container_is_not_taken_for_the_whole_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, membership: str | None, files: dict[str, str], allowed: int
) -> None:
    """On 64 cores of which it may use two, 32 processes would take turns, and the memory would run out."""
    control_groups(tmp_path, monkeypatch, membership, files)
    assert cores.cores() == allowed
    assert LocalEngine().slots == max(1, allowed // 2)
    monkeypatch.setenv("TRICKLINE_CORES", "6")  # who says a number means it
    assert cores.cores() == 6


@pytest.mark.parametrize(
    ("files", "meminfo", "slots"),
    [
        pytest.param({}, "MemTotal: 8388608 kB\nMemAvailable: 3200000 kB\n", 3, id="little is free"),
        pytest.param({}, "MemTotal: 8388608 kB\nMemAvailable: 500 kB\n", 1, id="nothing is free"),
        pytest.param({"memory.max": "2147483648\n"}, "MemAvailable: 500000000 kB\n", 2, id="docker --memory=2g"),
        pytest.param({"memory.max": "max\n"}, "MemAvailable: 500000000 kB\n", 32, id="no limit"),
    ],
)
def test_there_is_memory_for_every_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, files: dict[str, str], meminfo: str, slots: int
) -> None:
    control_groups(tmp_path, monkeypatch, "0::/\n", files)
    (tmp_path / "meminfo").write_text(meminfo)
    assert LocalEngine().slots == slots
    assert LocalEngine(5).slots == 5  # who says a number means it


def control_groups(
    folder: Path, monkeypatch: pytest.MonkeyPatch, membership: str | None, files: dict[str, str]
) -> None:
    """A machine of 64 cores with control groups as Linux shows them, and memory without end."""
    for name, text in files.items():
        file = folder / "groups" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    if membership is not None:
        (folder / "membership").write_text(membership)
    monkeypatch.delenv("TRICKLINE_CORES", raising=False)
    monkeypatch.setattr(cores, "_MEMBERSHIP", folder / "membership")
    monkeypatch.setattr(cores, "_CGROUPS", folder / "groups")
    monkeypatch.setattr(cores, "_MEMORY", folder / "meminfo")
    monkeypatch.setattr("os.sched_getaffinity", lambda _: set(range(64)), raising=False)


def test_two_pieces_are_done_at_a_time(tmp_path: Path) -> None:
    began = [tmp_path / "a", tmp_path / "b"]
    works = [Work(path.name, engines.wait_for_the_end, {"began": str(path), "ended": str(tmp_path / "end")})
             for path in began]  # fmt: skip
    with pytest.raises(Cancelled):
        list(LocalEngine(2).run(works, cancelled=lambda: all(path.exists() for path in began)))


def test_without_a_cluster_the_engine_is_this_machine() -> None:
    with open_engine() as engine:
        assert isinstance(engine, LocalEngine)
        assert engine.slots >= 1


def test_engines_in_two_threads_are_apart(tmp_path: Path) -> None:
    # The worker runs jobs of several lanes at once.
    found: dict[int, list[int]] = {}

    def run(first: int) -> None:
        works = [Work(str(number), engines.double, {"number": number}) for number in range(first, first + 3)]
        found[first] = sorted(one.result for one in LocalEngine(1).run(works))

    threads = [threading.Thread(target=run, args=(first,)) for first in (0, 10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == {0: [0, 2, 4], 10: [20, 22, 24]}
