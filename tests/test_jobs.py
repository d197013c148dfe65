"""Long work must go on whatever happens to the page, the server or the worker, and stop when the user says so."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import delete, update

from core import jobs, worker
from core.errors import Cancelled, UserError
from core.job_report import JobReport, Pace
from core.jobs import Job, Kind
from core.records import worker_table
from core.settings import ExportSettings
from core.tasks import Report, Task
from core.worker import main
from core.workers import sign_on
from core.workspace import Workspace
from tests.postgres import on_database

ROOT = Path(__file__).resolve().parents[1]
WORKER = (sys.executable, "-c", "from tests.test_jobs import run_worker; run_worker()")
"""The real worker with the tasks below."""


# the tasks of these tests


def units(workspace: Workspace, arguments: dict[str, Any], report: Report) -> dict[str, Any]:
    """Write so many files, one after the other; those that are there are done."""
    folder, count = workspace.home / arguments["folder"], arguments["units"]
    folder.mkdir(exist_ok=True)
    for number in range(count):
        unit = folder / str(number)
        if unit.exists():
            continue
        time.sleep(arguments.get("seconds", 0.05))
        if report.cancelled():
            raise Cancelled
        with unit.open("x") as file:  # doing it again would be an error
            file.write(str(os.getpid()))
        report.progress("counting", (number + 1) / count, 10 * (number + 1))
    return {"units": count}


def trouble(workspace: Workspace, arguments: dict[str, Any], report: Report) -> dict[str, Any]:
    """Fail in the way that is asked for."""
    match arguments["how"]:
        case "user":
            raise UserError("The card is empty: choose another one.")
        case "fault":
            raise ZeroDivisionError("by nought")
        case "death":
            os.kill(os.getpid(), signal.SIGKILL)
        case "program":
            program = subprocess.Popen(["sleep", "20"], start_new_session=True)
            (workspace.home / "program").write_text(str(program.pid))
            time.sleep(20)
    return {}


def run_worker() -> None:
    """The worker's program, quick to end and with the tasks of these tests."""
    idle_s = float(os.environ.get("IDLE_S", "1"))
    main(tasks={"process": units, "sample": units, "export": units, "train": trouble}, idle_s=idle_s)


# watching


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("TRICKLINE_")]:
        monkeypatch.delenv(name)


BOTH = pytest.mark.parametrize("where", ["sqlite", "postgresql"], indirect=True)
"""Where the records matter, and not what the worker does with its processes and files."""


@pytest.fixture
def where(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """On which database the workspace keeps its records; SQLite unless the test says otherwise."""
    kind = getattr(request, "param", "sqlite")
    with on_database(kind, request, monkeypatch):
        yield kind


@pytest.fixture
def workspace(where: str, tmp_path: Path) -> Iterator[Workspace]:
    with Workspace.open(tmp_path / "home") as opened:
        yield opened
        if locked(opened):
            kill_worker(opened)


def eventually(true: Callable[[], Any], seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "it never came true"
        time.sleep(0.02)


def locked(workspace: Workspace) -> bool:
    """Whether a worker holds the lock, without trying to take it."""
    lock = jobs.lock_path(workspace)
    inode = f":{lock.stat().st_ino} " if lock.exists() else "never"
    return any("FLOCK" in line and inode in line for line in Path("/proc/locks").read_text().splitlines())


def worker_pid(workspace: Workspace) -> int:
    eventually(lambda: jobs.lock_path(workspace).read_text().endswith("\n"))
    pid = int(jobs.lock_path(workspace).read_text())
    assert pid != os.getpid()
    return pid


def kill_worker(workspace: Workspace, by: signal.Signals = signal.SIGKILL) -> int:
    """Who was killed."""
    pid = worker_pid(workspace)
    os.kill(pid, by)
    eventually(lambda: not locked(workspace))
    return pid


def wait_for(workspace: Workspace, job: Job, *states: str) -> Job:
    eventually(lambda: jobs.job(workspace, job.id).state in states)
    return jobs.job(workspace, job.id)


def queued(
    workspace: Workspace, count: int = 3, seconds: float = 0.05, kind: Kind = "process", to: str = "done"
) -> Job:
    return jobs.submit(workspace, kind, {"folder": to, "units": count, "seconds": seconds}, start=False)


def fail(workspace: Workspace, how: str) -> Job:
    return jobs.submit(workspace, "train", {"how": how}, start=False)


def files(workspace: Workspace, to: str = "done") -> int:
    folder = workspace.home / to
    return len(list(folder.iterdir())) if folder.exists() else 0


def start(workspace: Workspace) -> None:
    assert jobs.ensure_worker(workspace, WORKER)


def work_here(workspace: Workspace, process: Task = units) -> None:
    """The worker in this process, until nothing is left to do."""
    numbers = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
    before = [signal.getsignal(number) for number in numbers]
    try:
        worker.work(workspace, {"process": process}, idle_s=0.0)
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)


# the life of a job


@BOTH
def test_a_job_is_done_and_says_how_far_it_is(workspace: Workspace) -> None:
    job = queued(workspace, count=40)
    assert (job.state, job.step, job.fraction, job.attempts, job.active) == ("queued", "", 0.0, 0, True)
    start(workspace)
    seen: list[Job] = []

    def ended() -> bool:
        seen.append(jobs.job(workspace, job.id))
        return not seen[-1].active

    eventually(ended)
    last = seen[-1]
    assert (last.state, last.fraction, last.result, last.rate) == ("done", 1.0, {"units": 40}, None)
    assert last.started_at is not None
    assert last.finished_at is not None
    assert last.created_at <= last.started_at < last.finished_at
    running = [one for one in seen if one.state == "running"]
    assert {one.step for one in running} <= {"", "counting"}
    fractions = [one.fraction for one in running]
    assert fractions == sorted(fractions)
    # How many of them were seen depends on the machine; that they are at most four a second does not.
    took_s = (last.finished_at - last.started_at).total_seconds()
    assert len(set(fractions)) <= 4 * took_s + 3
    for one in running:
        assert one.rate is None or 0 < one.rate <= 200  # ten frames in at least 0.05 s
        assert one.left_s is None or one.left_s >= 0


def test_the_worker_ends_when_it_is_idle_and_comes_back_for_the_next_job(workspace: Workspace) -> None:
    first = queued(workspace)
    start(workspace)
    assert not jobs.ensure_worker(workspace, WORKER)
    wait_for(workspace, first, "done")
    eventually(lambda: not locked(workspace))
    second = queued(workspace, to="again")
    assert second.id != first.id
    start(workspace)
    wait_for(workspace, second, "done")


@BOTH
def test_a_queued_job_is_cancelled_at_once(workspace: Workspace) -> None:
    job, other = queued(workspace), queued(workspace, to="other")
    jobs.cancel(workspace, job.id)
    assert jobs.job(workspace, job.id).state == "cancelled"
    start(workspace)
    wait_for(workspace, other, "done")
    assert files(workspace) == 0


@BOTH
def test_what_a_browser_sent_becomes_sessions_even_if_its_job_is_cancelled_before_it_begins(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The copies lie in the workspace, under names that nobody knows: without a session they would stay for ever."""
    begun: list[Workspace] = []
    monkeypatch.setattr(jobs, "ensure_worker", begun.append)
    plain = {"sources": ["/media/card"], "find": False, "names": {}}
    sent = {**plain, "sources": ["/ws/footage/1.mp4"], "names": {"/ws/footage/1.mp4": "Sunday"}}
    for arguments, state in ((plain, "cancelled"), (sent, "queued")):
        job = jobs.submit(workspace, "add", arguments, start=False)
        jobs.cancel(workspace, job.id)
        after = jobs.job(workspace, job.id)
        assert (after.state, after.cancel) == (state, True)
    assert begun == [workspace]  # somebody ends it


def test_a_running_job_is_cancelled_soon_and_what_it_finished_is_kept(workspace: Workspace) -> None:
    job = queued(workspace, count=400)
    start(workspace)
    eventually(lambda: files(workspace) >= 3)
    jobs.cancel(workspace, job.id)
    ended = wait_for(workspace, job, "cancelled", "done", "failed")
    assert (ended.state, ended.message, ended.rate, ended.left_s) == ("cancelled", None, None, None)
    assert 3 <= files(workspace) < 400  # soon: of the 20 s that the whole takes, some are left
    jobs.cancel(workspace, job.id)  # what has ended is left alone
    assert jobs.job(workspace, job.id) == ended
    again = queued(workspace, count=400)
    assert again.id != job.id


@BOTH
def test_one_killed_worker_loses_nothing(workspace: Workspace) -> None:
    job, waiting = queued(workspace, count=30), queued(workspace, to="other")
    start(workspace)
    eventually(lambda: files(workspace) >= 5)
    killed = kill_worker(workspace)
    assert jobs.job(workspace, job.id).state == "running"  # nobody was left to say otherwise
    start(workspace)
    ended = wait_for(workspace, job, "done", "failed")
    assert (ended.state, ended.attempts) == ("done", 2), ended.message  # a unit done twice would have failed
    pids = {int((workspace.home / "done" / str(number)).read_text()) for number in range(30)}
    assert killed in pids
    assert len(pids) == 2
    wait_for(workspace, waiting, "done")


def test_a_job_that_kills_its_worker_is_given_up(workspace: Workspace) -> None:
    """A page starts the worker again and again: without an end, the machine would be kept busy for ever."""
    job = fail(workspace, "death")
    for attempt in (1, 2, 3):
        start(workspace)
        eventually(lambda: not locked(workspace))
        left = jobs.job(workspace, job.id)
        assert (left.state, left.attempts) == ("running", attempt)
    start(workspace)
    ended = wait_for(workspace, job, "failed")
    assert ended.message is not None
    assert ended.message.startswith("The worker died 3 times")
    assert str(jobs.log_path(workspace)) in ended.message


def test_a_job_whose_worker_died_can_be_cancelled(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    job = fail(workspace, "death")
    start(workspace)
    eventually(lambda: not locked(workspace) and jobs.job(workspace, job.id).state == "running")
    monkeypatch.setattr(jobs.ensure_worker, "__defaults__", (WORKER,))
    jobs.cancel(workspace, job.id)  # starts a worker to answer
    ended = wait_for(workspace, job, "cancelled")
    assert ended.attempts == 1


@BOTH
@pytest.mark.parametrize("trace", ["silent", "gone", "alive"])
def test_a_job_whose_machine_died_can_be_cancelled_from_another(
    where: str, workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, trace: str
) -> None:
    """It would be shown as running to the whole team for ever."""
    if where == "sqlite":
        monkeypatch.setenv("TRICKLINE_DB", f"sqlite:///{workspace.home}/trickline.db")
    with Workspace.open(tmp_path / "elsewhere") as elsewhere:
        job = queued(elsewhere)
        its_worker = sign_on(elsewhere)
        assert worker._claim(elsewhere, job.id, its_worker)
        at = worker_table.c.id == its_worker
        with workspace.database.transaction() as db:
            if trace == "silent":
                db.execute(update(worker_table).where(at).values(seen_at=datetime.now(UTC) - timedelta(minutes=2)))
            elif trace == "gone":
                db.execute(delete(worker_table).where(at))
        jobs.cancel(workspace, job.id)
        left = jobs.job(workspace, job.id)
        assert left.cancel
        if trace == "alive":
            assert left.state == "running"  # it stops as soon as its task asks
        else:
            assert left.state == "cancelled"
            assert left.finished_at is not None
            worker._take_up_again(elsewhere)  # the machine comes back after all
            assert jobs.job(workspace, job.id).state == "cancelled"
    assert not locked(workspace)  # no worker was started to answer for another's job


@BOTH
def test_a_worker_that_is_told_to_end_puts_its_job_back(workspace: Workspace) -> None:
    """Switching the machine off is no fault of the job's, so it does not count as an attempt."""
    job = queued(workspace, count=40)
    start(workspace)
    eventually(lambda: files(workspace) >= 3)
    kill_worker(workspace, by=signal.SIGTERM)
    back = jobs.job(workspace, job.id)
    assert (back.state, back.attempts, back.step) == ("queued", 0, "")
    start(workspace)
    wait_for(workspace, job, "done")


def test_a_program_that_a_task_started_does_not_keep_the_lock(workspace: Workspace) -> None:
    """FFmpeg outlives a killed worker: the next worker must not wait for it."""
    fail(workspace, "program")
    start(workspace)
    eventually((workspace.home / "program").exists)
    eventually(lambda: (workspace.home / "program").read_text())
    try:
        kill_worker(workspace)
    finally:
        os.kill(int((workspace.home / "program").read_text()), signal.SIGKILL)


def test_an_export_does_not_wait_for_hours_of_footage(workspace: Workspace) -> None:
    long = queued(workspace, count=400, to="long")
    next_one = queued(workspace, count=1, to="next")
    quick = queued(workspace, kind="export", to="quick")
    start(workspace)
    wait_for(workspace, quick, "done")
    assert jobs.job(workspace, long.id).state == "running"
    assert jobs.job(workspace, next_one.id).state == "queued"


def test_on_a_cluster_jobs_are_done_beside_each_other(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else hundreds of short videos would wait for each other while its machines stand idle."""
    monkeypatch.setenv("TRICKLINE_CLUSTER", "auto")
    monkeypatch.setattr(worker, "slots_now", lambda: 2)
    all_there = threading.Barrier(3)

    def meet(workspace: Workspace, arguments: dict[str, Any], report: Report) -> dict[str, Any]:
        all_there.wait(timeout=30)
        return units(workspace, arguments, report)

    made = [queued(workspace, to=to) for to in "abc" for _ in range(2)]  # who clicks twice puts the id in twice
    work_here(workspace, meet)
    ended = [jobs.job(workspace, one.id) for one in made]
    assert {(one.state, one.attempts) for one in ended} == {("done", 1)}, ended[0].message


# one worker


@pytest.mark.parametrize("meanwhile", ["cancelled", "taken over"])
def test_a_worker_that_was_suspended_leaves_alone_what_was_taken_from_it(
    workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, meanwhile: str
) -> None:
    """A notebook is closed and opened again: what a colleague has cancelled must not come back."""
    monkeypatch.setenv("TRICKLINE_DB", f"sqlite:///{workspace.home}/trickline.db")
    job = queued(workspace, count=9, seconds=1.0)
    start(workspace)
    eventually(lambda: files(workspace) == 1)
    time.sleep(0.3)  # it writes nothing now: who is suspended while he holds the database keeps it
    pid = worker_pid(workspace)
    os.kill(pid, signal.SIGSTOP)
    try:
        if meanwhile == "cancelled":
            with workspace.database.transaction() as db:
                db.execute(update(worker_table).values(seen_at=datetime.now(UTC) - timedelta(minutes=2)))
            with Workspace.open(tmp_path / "elsewhere") as elsewhere:
                jobs.cancel(elsewhere, job.id)
        else:
            second = sign_on(workspace)
            worker._take_up_again(workspace)
            assert worker._claim(workspace, job.id, second)
        taken = jobs.job(workspace, job.id)
    finally:
        os.kill(pid, signal.SIGCONT)
    eventually(lambda: not locked(workspace))  # it has nothing to do any more
    assert taken.state == ("cancelled" if meanwhile == "cancelled" else "running")
    assert jobs.job(workspace, job.id) == taken
    assert files(workspace) <= 3  # and it stopped soon


def test_a_second_worker_refuses(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two would look at the same footage at the same time and write over each other's parts."""
    job = queued(workspace, count=400)
    start(workspace)
    wait_for(workspace, job, "running")
    environment = {**os.environ, "TRICKLINE_HOME": str(workspace.home)}
    command = [sys.executable, "-c", "from core.cli import main; main()", "worker", "--once"]
    second = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=600)
    assert (second.returncode, second.stdout) == (2, "")
    assert second.stderr.startswith(f"trickline: A worker runs already for {workspace.home}")
    assert second.stderr.count("\n") == 1


def test_many_that_start_a_worker_at_once_start_one(workspace: Workspace) -> None:
    job = queued(workspace, count=20)
    with ThreadPoolExecutor(8) as pool:
        started = list(pool.map(lambda _: jobs.ensure_worker(workspace, WORKER), range(8)))
    assert started.count(True) == 1
    wait_for(workspace, job, "done")


def test_the_worker_of_a_workspace_that_is_gone_ends(workspace: Workspace, tmp_path: Path) -> None:
    job = queued(workspace, count=1)
    start(workspace)
    wait_for(workspace, job, "running", "done")
    pid = worker_pid(workspace)
    (tmp_path / "home").rename(tmp_path / "moved")
    eventually(lambda: not Path(f"/proc/{pid}").exists())
    (tmp_path / "moved").rename(tmp_path / "home")


def test_trickline_worker_once(workspace: Workspace) -> None:
    """The command works on what is there, with the real tasks, and ends."""
    job = jobs.submit(workspace, "process", {"session": "f00d"}, start=False)
    environment = {**os.environ, "TRICKLINE_HOME": str(workspace.home)}
    command = [sys.executable, "-c", "from core.cli import main; main()", "worker", "--once"]
    ran = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=600)
    assert (ran.returncode, ran.stdout) == (0, "")
    assert [line.split(": ")[1] for line in ran.stderr.splitlines()] == [
        f"job {job.id} begins",
        f"job {job.id} ends",
    ]
    ended = jobs.job(workspace, job.id)
    assert (ended.state, ended.session_id) == ("failed", "f00d")
    assert ended.message is not None
    assert ended.message.startswith("There is no session f00d in ")


# submitting


@BOTH
def test_the_same_work_is_queued_once(workspace: Workspace) -> None:
    """An impatient user clicks twice."""
    arguments = {"session": "a", "events": [[1, 2, "ollie"]], "settings": ExportSettings()}
    with ThreadPoolExecutor(4) as pool:
        same = list(pool.map(lambda _: jobs.submit(workspace, "export", arguments, start=False), range(8)))
    assert len({job.id for job in same}) == 1
    assert same[0].session_id == "a"
    assert same[0].arguments["settings"]["clips"]["mode"] == "exact"
    other = [
        jobs.submit(workspace, "export", {**arguments, "events": [[1, 3, "ollie"]]}, start=False),
        jobs.submit(workspace, "process", arguments, start=False),
    ]
    assert len({same[0].id, *(job.id for job in other)}) == 3
    jobs.cancel(workspace, same[0].id)
    assert jobs.submit(workspace, "export", arguments, start=False).id != same[0].id


@BOTH
def test_what_is_being_cancelled_can_be_submitted_anew(workspace: Workspace) -> None:
    job = queued(workspace, count=400)
    start(workspace)
    eventually(lambda: files(workspace) >= 1)
    jobs.cancel(workspace, job.id)
    again = queued(workspace, count=400)
    assert again.id != job.id
    wait_for(workspace, job, "cancelled")
    wait_for(workspace, again, "running")


@BOTH
def test_the_list_of_jobs(workspace: Workspace) -> None:
    a, b = (
        jobs.submit(workspace, "process", {"session": name, "folder": name, "units": 1}, start=False) for name in "ab"
    )
    sample = jobs.submit(workspace, "sample", {"folder": "c", "units": 1}, start=False)
    jobs.cancel(workspace, a.id)
    assert [job.id for job in jobs.jobs(workspace)] == [sample.id, b.id, a.id]
    assert [job.id for job in jobs.jobs(workspace, limit=2)] == [sample.id, b.id]
    assert [job.id for job in jobs.jobs(workspace, "a")] == [a.id]
    assert jobs.jobs(workspace, "a", active_only=True) == []
    assert [job.id for job in jobs.jobs(workspace, active_only=True)] == [sample.id, b.id]
    with pytest.raises(UserError, match="There is no job nothing"):
        jobs.job(workspace, "nothing")


@BOTH
def test_a_job_survives_who_submitted_it(workspace: Workspace) -> None:
    """The server is stopped with Ctrl-C or killed, or its terminal is closed: the work goes on."""
    code = """if True:
        import os, signal
        from core.workspace import Workspace
        from tests import test_jobs
        workspace = Workspace.open()
        print(test_jobs.queued(workspace, count=20).id, flush=True)
        test_jobs.start(workspace)
        os.killpg(0, signal.SIGKILL)
    """
    environment = {**os.environ, "TRICKLINE_HOME": os.path.relpath(workspace.home, ROOT)}
    server = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, text=True, start_new_session=True
    )
    assert server.returncode == -signal.SIGKILL, server.stderr
    job = jobs.job(workspace, server.stdout.strip())
    assert wait_for(workspace, job, "done").result == {"units": 20}


def test_a_job_submitted_while_the_worker_ends_is_done(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever submits sees a worker and starts none, and the worker ends in that very moment: it must look again."""
    late: list[Job] = []
    serve = worker._Shift.serve

    def ending(shift: worker._Shift, *arguments: Any) -> bool:
        ended = serve(shift, *arguments)
        if not late:
            late.append(queued(workspace))
            assert not jobs.ensure_worker(workspace, WORKER)
        return ended

    monkeypatch.setattr(worker._Shift, "serve", ending)
    work_here(workspace)
    assert jobs.job(workspace, late[0].id).state == "done"
    assert not locked(workspace)


@BOTH
def test_a_lost_queue_loses_no_job(workspace: Workspace) -> None:
    first, second = queued(workspace), queued(workspace, to="second")
    for file in workspace.home.glob("queue.db*"):
        file.unlink()
    start(workspace)
    assert wait_for(workspace, second, "done").finished_at
    assert jobs.job(workspace, first.id).state == "done"


@pytest.mark.parametrize("kind", ["process", "export"])
def test_a_job_that_never_came_into_the_queue_is_done(
    workspace: Workspace, kind: Kind, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its submitter died between the two, beside a worker that is busy in one lane and idle in the other."""
    first = queued(workspace, count=40, to="first")
    start(workspace)
    wait_for(workspace, first, "running")

    def full(*_: Any) -> None:
        raise UserError("Cannot use the queue: free some space.")

    with monkeypatch.context() as patched:
        patched.setattr(jobs, "queue", full)
        with pytest.raises(UserError, match="Cannot use the queue"):
            queued(workspace, kind=kind)
    [lost] = [job for job in jobs.jobs(workspace) if job.id != first.id]
    assert wait_for(workspace, lost, "done").attempts == 1
    eventually(lambda: not locked(workspace))  # and then the worker is idle


def test_a_job_that_could_not_begin_is_begun_again(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    job = queued(workspace)
    monkeypatch.setattr(worker, "RETRY_S", 0.05)
    monkeypatch.setattr(worker, "_claim", failing(worker._claim, times=1))
    work_here(workspace)
    assert jobs.job(workspace, job.id).state == "done"


def test_an_outcome_that_cannot_be_written_at_first_is_not_lost(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The disk is full for a while: the job must not stand there as running for as long as the worker lives."""
    job = queued(workspace)
    monkeypatch.setattr(worker, "RETRY_S", 0.05)
    monkeypatch.setattr(JobReport, "write", failing(JobReport.write, times=2, where=lambda values: "state" in values))
    work_here(workspace)
    ended = jobs.job(workspace, job.id)
    assert (ended.state, ended.result, ended.attempts) == ("done", {"units": 3}, 1)
    assert jobs.log_path(workspace).read_text().count(f"cannot write down how job {job.id} ends") == 2


def failing(
    real: Callable[..., Any], times: int, where: Callable[[dict[str, Any]], bool] = lambda _: True
) -> Callable[..., Any]:
    """The function, whose first calls with such values find the database full."""
    left = [UserError("Cannot use the database (full); free some space and try again.")] * times

    def call(*arguments: Any, **values: Any) -> Any:
        if left and where(values):
            raise left.pop()
        return real(*arguments, **values)

    return call


def test_a_queue_that_is_none_is_a_sentence(workspace: Workspace) -> None:
    (workspace.home / "queue.db").write_text("not a database" * 100)
    with pytest.raises(UserError, match=r"Cannot use the queue .*queue\.db .*; free some space or remove the file"):
        queued(workspace)
    (workspace.home / "queue.db").unlink()
    again = queued(workspace)  # the same job, now in the queue
    assert [job.id for job in jobs.jobs(workspace)] == [again.id]
    start(workspace)
    wait_for(workspace, again, "done")


# failing


def test_a_users_mistake_is_his_sentence(workspace: Workspace) -> None:
    job = fail(workspace, "user")
    start(workspace)
    ended = wait_for(workspace, job, "failed")
    assert ended.message == "The card is empty: choose another one."
    assert jobs.failure_log(workspace, job.id) == ""


def test_a_fault_names_the_log_that_has_the_traceback(workspace: Workspace) -> None:
    job = fail(workspace, "fault")
    start(workspace)
    ended = wait_for(workspace, job, "failed")
    assert ended.message is not None
    assert str(jobs.log_path(workspace)) in ended.message
    assert "nought" not in ended.message
    queued(workspace, count=1)
    eventually(lambda: files(workspace) == 1)  # the worker goes on
    log = jobs.failure_log(workspace, job.id)
    assert log.count("\n") > 3
    assert log.splitlines()[-1] == "ZeroDivisionError: by nought"
    assert jobs.failure_log(workspace, "another") == ""


def test_the_log_does_not_grow_for_ever(workspace: Workspace) -> None:
    jobs.log_path(workspace).write_text("what an earlier worker wrote\n" * 200_000)
    job = fail(workspace, "fault")
    start(workspace)
    wait_for(workspace, job, "failed")
    assert "earlier" not in jobs.log_path(workspace).read_text()
    assert "nought" in jobs.failure_log(workspace, job.id)


# pace


def test_the_pace_of_the_last_seconds() -> None:
    pace = Pace()
    pace.add(0.0, 0.0, 0)
    assert (pace.rate, pace.left_s) == (None, None)
    pace.add(1.0, 0.5, 500)  # carried on: what an earlier run did came in one leap
    assert (pace.rate, pace.left_s) == (None, None)
    for second in range(2, 30):
        pace.add(float(second), 0.5 + 0.01 * (second - 1), 500 + 10 * (second - 1))
    assert pace.rate == pytest.approx(10.0)
    assert pace.left_s == pytest.approx(100 * (1 - 0.78))
    pace.add(60.0, 0.79, 790)  # slow now
    pace.add(100.0, 0.80, 800)
    assert pace.rate == pytest.approx(0.25)


def test_a_step_without_frames_has_time_left_but_no_rate() -> None:
    pace = Pace()
    pace.add(0.0, 0.25, None)
    pace.add(1.0, 0.5, None)
    assert pace.rate is None
    assert pace.left_s == pytest.approx(2.0)
    still = Pace()
    still.add(0.0, 0.5, None)
    still.add(1.0, 0.5, None)
    assert still.left_s is None


def test_a_waiting_child_leaves_no_zombie(workspace: Workspace) -> None:
    job = queued(workspace, count=1)
    start(workspace)
    pid = worker_pid(workspace)
    wait_for(workspace, job, "done")
    eventually(lambda: not Path(f"/proc/{pid}").exists())
    eventually(lambda: not any(thread.name == "worker's end" for thread in threading.enumerate()))
