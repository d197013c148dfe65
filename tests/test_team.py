"""A team on the same sessions: whoever works beside them, and whatever becomes of the server, nobody's work is lost."""

from __future__ import annotations

import os
import re
import secrets
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, insert, inspect, select, text, update

from core import jobs, worker
from core.author import author
from core.database import LAYOUT, Database, DatabaseAway
from core.errors import UserError
from core.intervals import Event, Interval
from core.label_changes import label_saves
from core.records import job_table, label_table, metadata, session_table, version_table, worker_table
from core.reviews import Decision, decide, undo
from core.settings import ClipSettings, EventSettings, PoseSettings, SessionSettings
from core.tasks import Report
from core.workers import sign_on, workers
from core.workspace import Workspace
from tests.at_once import EDITS, choose_often, label_often, open_at_once, together
from tests.conftest import COMMAND, ROOT
from tests.postgres import PASSWORD, Server, new_database, small_disk
from tests.test_jobs import eventually

FOOTAGE = b"not looked into here"


@pytest.fixture
def video(tmp_path: Path) -> Path:
    path = tmp_path / "footage.mp4"
    path.write_bytes(FOOTAGE)
    return path


@pytest.fixture
def workspace(database: str, tmp_path: Path) -> Iterator[Workspace]:
    with Workspace.open(tmp_path / "home") as opened:
        yield opened


@pytest.fixture
def url(database: str, tmp_path: Path, request: pytest.FixtureRequest) -> str:
    """Of a database with nothing in it, not even tables."""
    if database == "sqlite":
        return f"sqlite:///{tmp_path}/records.db"
    server: Server = request.getfixturevalue("postgres")
    return server.url(new_database(server))


def run(url: str, *statements: str) -> list[Any]:
    """The rows of the last statement."""
    engine = create_engine(url)
    try:
        with engine.begin() as db:
            for statement in statements[:-1]:
                db.execute(text(statement))
            result = db.execute(text(statements[-1]))
            return list(result) if result.returns_rows else []
    finally:
        engine.dispose()


# layouts

FIRST = (
    """CREATE TABLE sessions (id VARCHAR NOT NULL, name TEXT NOT NULL, path TEXT NOT NULL, facts JSON NOT NULL,
       added_at TIMESTAMP NOT NULL, PRIMARY KEY (id))""",
    """CREATE TABLE label_revisions (session_id VARCHAR NOT NULL, revision INTEGER NOT NULL, intervals JSON NOT NULL,
       source TEXT NOT NULL, author TEXT, saved_at TIMESTAMP NOT NULL, PRIMARY KEY (session_id, revision),
       FOREIGN KEY(session_id) REFERENCES sessions (id))""",
    """CREATE TABLE models (id VARCHAR NOT NULL, name TEXT NOT NULL, file TEXT NOT NULL, meta JSON NOT NULL,
       added_at TIMESTAMP NOT NULL, PRIMARY KEY (id))""",
    "INSERT INTO sessions VALUES ('ab', 'Ledge', '/footage/a.mp4', '{\"width\": 640}', '2024-07-01 12:00:00.000000')",
    """INSERT INTO label_revisions VALUES ('ab', 1, '[{"start_frame": 1, "end_frame": 9, "label": "ollie"}]', 'cvat',
       'Ann', '2024-07-01 13:00:00.000000')""",
    "INSERT INTO label_revisions VALUES ('ab', 2, '[]', 'editor', NULL, '2024-07-01 14:00:00.000000')",
)
"""What the first Trickline made, before there were layers of labels."""


def test_the_first_layout_is_taken_over_whole(url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run(url, *FIRST)
    monkeypatch.setenv("TRICKLINE_DB", url)
    with Workspace.open(tmp_path / "home") as workspace:
        [session] = workspace.sessions()
        assert (session.name, session.path, session.facts) == ("Ledge", Path("/footage/a.mp4"), {"width": 640})
        second, first = workspace.label_history("ab")
        assert (first.intervals, first.author, first.layer) == ((Interval(1, 9, "ollie"),), "Ann", "")
        assert (second.intervals, second.saved_at.hour) == ((), 14)
        assert workspace.save_labels("ab", [], "editor", layer="Bo").revision == 1


def test_the_layout_before_numbers_is_taken_over_whole(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a job that waits: it was submitted in this folder, as there was no other."""
    Database(url).close()
    engine = create_engine(url)
    with engine.begin() as db:
        for table in ("places", "workers", "model_files", "trickline_version"):
            db.execute(text(f"DROP TABLE {table}"))
        for column in ("home", "host", "worker"):
            db.execute(text(f"ALTER TABLE jobs DROP COLUMN {column}"))
        common = {"step": "", "fraction": 0.0, "cancel": False, "attempts": 0, "arguments": {}}
        moment = datetime(2024, 1, 1, tzinfo=UTC)
        db.execute(insert(session_table).values(id="ab", name="x", path="/x", facts={}, added_at=moment))
        labelled = {"session_id": "ab", "layer": "Ann", "revision": 1, "intervals": [], "source": "editor"}
        db.execute(insert(label_table).values(**labelled, saved_at=moment))
        db.execute(insert(job_table).values(id="j", kind="process", state="queued", created_at=moment, **common))
    engine.dispose()
    monkeypatch.setenv("TRICKLINE_DB", url)
    with Workspace.open(tmp_path / "home") as workspace:
        assert workspace.layers("ab") == ["Ann"]
        assert [job.id for job in jobs.jobs(workspace, here_only=True)] == ["j"]
        assert [waiting for waiting, _ in worker._waiting(workspace)] == ["j"]


@pytest.mark.parametrize("way", ["all steps", "at once"])
def test_all_steps_lead_to_the_tables(url: str, way: str) -> None:
    """A new database gets its tables at once, an old one by steps: they must not differ."""
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    from core.migrations import migrate

    if way == "at once":
        Database(url).close()
    engine = create_engine(url)
    with engine.begin() as db:
        if way == "all steps":
            migrate(db, engine.url)
        options = {"version_table": version_table.name, "compare_type": True}
        assert compare_metadata(MigrationContext.configure(db, opts=options), metadata) == []
        assert db.execute(select(version_table)).scalar_one() == LAYOUT
        keys = {name: inspect(db).get_pk_constraint(name)["constrained_columns"] for name in metadata.tables}
        assert keys == {name: [column.name for column in table.primary_key] for name, table in metadata.tables.items()}
    engine.dispose()


def test_a_database_that_is_up_to_date_loads_no_alembic(url: str) -> None:
    """The studio starts in two seconds."""
    Database(url).close()
    code = f"import sys; from core.database import Database; Database({url!r}).close(); print('alembic' in sys.modules)"
    ran = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert ran.stdout == "False\n"


def test_a_newer_database_is_a_sentence(url: str) -> None:
    Database(url).close()
    run(url, "UPDATE trickline_version SET version_num = '9999'")
    with pytest.raises(UserError, match=rf"newer Trickline \(layout 9999, this one knows up to {LAYOUT}\)"):
        Database(url)
    assert run(url, "SELECT version_num FROM trickline_version") == [("9999",)]


@pytest.mark.parametrize("before", ["nothing", "the first layout"])
def test_many_that_open_at_once_change_the_layout_once(url: str, before: str) -> None:
    if before != "nothing":
        run(url, *FIRST)
    together(open_at_once, [(url,)] * 10)
    assert run(url, "SELECT version_num FROM trickline_version") == [(LAYOUT,)]
    expected = 0 if before == "nothing" else 2
    assert run(url, "SELECT count(*) FROM label_revisions") == [(expected,)]


def test_a_step_that_fails_leaves_the_database_as_it_was(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    run(url, *FIRST)
    # What the second step is to make stands there already.
    run(url, "CREATE TABLE workers (x INTEGER)", "INSERT INTO workers VALUES (1)")
    with pytest.raises(Exception, match="workers"):
        Database(url)
    tables = set(inspect(engine := create_engine(url)).get_table_names())
    engine.dispose()
    assert tables == {"sessions", "label_revisions", "models", "workers"}
    assert run(url, "SELECT count(*) FROM label_revisions") == [(2,)]


# mistakes


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        pytest.param(
            "{user}:wrong-{password}@127.0.0.1:{port}/{name}", "check the user and the password", id="password"
        ),
        pytest.param("nobody:{password}@127.0.0.1:{port}/{name}", "check the user and the password", id="user"),
        pytest.param("{user}:{password}@127.0.0.1:{port}/nowhere", '"nowhere" does not exist.*createdb', id="database"),
        pytest.param("{user}:{password}@127.0.0.1:1/{name}", "does not answer: check that TRICKLINE_DB", id="port"),
        pytest.param("{user}:{password}@no.such.host.invalid/{name}", "does not answer: check", id="host"),
        pytest.param("{user}:{password}@127.0.0.1:{port}/{name}?nonsense=1", "is written as", id="option"),
        pytest.param("{user}:{password}@x@127.0.0.1:port/{name}", "it is no URL.*%40", id="unescaped"),
        pytest.param("{user}:{password}@127.0.0.1:{port}/{name}?sslmode=wrong", "is written as", id="value"),
    ],
)
def test_a_wrong_server_is_a_sentence_without_the_password(
    postgres: Server, postgres_url: str, tmp_path: Path, wrong: str, told: str
) -> None:
    name = postgres_url.partition("@/")[2].partition("?")[0]
    url = wrong.format(user="trickline", password=PASSWORD, port=postgres.port, name=name)
    environment = {**os.environ, "TRICKLINE_HOME": str(tmp_path), "TRICKLINE_DB": f"postgresql+psycopg://{url}"}
    ran = subprocess.run([*COMMAND, "doctor"], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=600)
    assert (ran.returncode, ran.stderr.count("\n"), ran.stdout) == (2, 1, ""), ran.stderr
    assert PASSWORD not in ran.stderr
    assert re.search(told, ran.stderr), ran.stderr


def test_the_right_password_opens(postgres: Server, postgres_url: str) -> None:
    name = postgres_url.partition("@/")[2].partition("?")[0]
    Database(postgres.url_with(PASSWORD, name)).close()


def test_without_the_driver_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(UserError, match=r"psycopg is not installed; .* pip install 'trickline\[postgres\]'"):
        Database("postgresql+psycopg://ann@host/name")


def test_who_may_not_make_tables_is_told_so(postgres: Server) -> None:
    """Since PostgreSQL 15 that is how every new user begins."""
    name = new_database(postgres)
    postgres.sql("DROP ROLE IF EXISTS guest")
    postgres.sql("CREATE ROLE guest LOGIN")
    url = postgres.url(name).replace("trickline@", "guest@")
    with pytest.raises(UserError, match=r"permission denied for schema public.*let the owner of the database grant"):
        Database(url)


def test_a_full_disk_of_the_server_is_a_sentence(
    postgres: Server, tmp_path: Path, video: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And nothing is half there."""
    with small_disk(postgres) as disk:
        name = new_database(postgres, f"TABLESPACE {disk}")
        monkeypatch.setenv("TRICKLINE_DB", postgres.url(name))
        with Workspace.open(tmp_path / "home") as workspace:
            session = workspace.session_for(video)
            saved = workspace.save_labels(session.id, [Interval(1, 9)], "editor")
            with pytest.raises(UserError, match=r"No space left on device.*free some space on the server's disk"):
                fill(workspace, session.id)
            assert workspace.label_history(session.id) == [saved]
        postgres.sql(f"DROP DATABASE {name} WITH (FORCE)")


def fill(workspace: Workspace, session_id: str) -> None:
    """With what takes room however well it is packed."""
    for count in (100_000, 10_000, 1_000) * 5:
        noise = [Interval(frame, frame + 25, secrets.token_hex(8)) for frame in range(count)]
        workspace.save_labels(session_id, noise, "editor", layer="noise")


# two people


@pytest.fixture
def session(workspace: Workspace, video: Path) -> str:
    return workspace.session_for(video).id


def test_two_people_who_label_at_the_same_moment_lose_nothing(workspace: Workspace, session: str) -> None:
    people = ("Ann", "Bo")
    together(label_often, [(workspace.home, session, who, first) for first, who in enumerate(people)])
    history = workspace.label_history(session)
    newest = history[0]
    assert [one.revision for one in history] == list(range(2 * EDITS, 0, -1))
    for first, who in enumerate(people):
        assert sum(one.author == who for one in history) == EDITS
        # Each but the last was moved by one frame at the next edit.
        starts = [1000 * (2 * number + first) for number in range(EDITS)]
        expected = [Interval(start, start + 21, who) for start in starts[:-1]] + [
            Interval(starts[-1], starts[-1] + 20, who)
        ]
        assert [one for one in newest.intervals if one.label == who] == expected
    # They did meet: else this would say nothing.
    assert sum(one.author != other.author for one, other in pairwise(history)) > EDITS


def test_choices_and_facts_of_two_processes_at_once_all_stay(workspace: Workspace, session: str, video: Path) -> None:
    together(choose_often, [(workspace.home, session, video, who) for who in range(2)])
    chosen = workspace.settings(session)
    assert chosen.clips.clip_padding_s == 50.0
    assert chosen.events == EventSettings(required_streak=50)
    assert len(workspace.session(session).facts) == 100
    assert len(workspace.subjects(session)) == 50


def test_a_tab_writes_only_the_knob_that_was_turned_in_it(workspace: Workspace, session: str) -> None:
    """The other tab still shows the old values of the other knobs, and sends them along."""
    both = workspace.settings(session)
    one = both.model_copy(update={"clips": ClipSettings(clip_padding_s=3.0)})
    other = both.model_copy(update={"clips": ClipSettings(merge_gap_s=9.0), "model": "m"})
    workspace.save_settings(session, one, both)
    kept = workspace.save_settings(session, other, both)
    assert kept == workspace.settings(session)
    assert kept == SessionSettings(clips=ClipSettings(clip_padding_s=3.0, merge_gap_s=9.0), model="m")
    assert workspace.save_settings(session, both, kept) == both  # and back to the defaults
    assert workspace.save_settings(session, SessionSettings(pose=PoseSettings(sample_stride=3))).model is None
    with pytest.raises(UserError, match="no session f00d"):
        workspace.save_settings("f00d", both)


def test_labels_of_a_session_that_is_removed_meanwhile_are_a_sentence(
    workspace: Workspace, session: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = workspace.labels

    def removed_in_between(session_id: str, layer: str = "") -> Any:
        newest = read(session_id, layer)
        workspace.remove_session(session_id)
        return newest

    monkeypatch.setattr(workspace, "labels", removed_in_between)
    with pytest.raises(UserError, match="There is no session"):
        workspace.save_labels(session, [Interval(1, 2)], "editor")


# several machines


@pytest.fixture
def elsewhere(workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Workspace]:
    """The folder of another machine, with the same records."""
    if "TRICKLINE_DB" not in os.environ:
        monkeypatch.setenv("TRICKLINE_DB", f"sqlite:///{workspace.home}/trickline.db")
    with Workspace.open(tmp_path / "elsewhere") as other:
        yield other


def test_a_folder_keeps_its_name_wherever_it_is_moved(tmp_path: Path) -> None:
    with Workspace.open(tmp_path / "home") as workspace:
        name = workspace.home_id
    (tmp_path / "home").rename(tmp_path / "moved")
    with Workspace.open(tmp_path / "moved") as workspace, Workspace.open(tmp_path / "home") as another:
        assert workspace.home_id == name != another.home_id
        assert not list(workspace.home.glob("*.part"))


def test_each_machine_has_its_own_copy_of_a_video(
    workspace: Workspace, elsewhere: Workspace, session: str, video: Path, tmp_path: Path
) -> None:
    """Else they would fight over where it lies."""
    assert elsewhere.session(session).path == video  # the best that is known there
    copy = tmp_path / "copy.mp4"
    copy.write_bytes(FOOTAGE)
    assert elsewhere.session_for(copy).id == session
    for _ in range(2):
        assert workspace.session_for(video).path == workspace.session(session).path == video
        assert elsewhere.session_for(copy).path == elsewhere.sessions()[0].path == copy
    elsewhere.remove_session(session)
    assert workspace.sessions() == []


def test_a_job_is_done_where_it_was_submitted(workspace: Workspace, elsewhere: Workspace) -> None:
    """There lies the video, and there somebody waits for the files."""
    here = jobs.submit(workspace, "process", {"session": "a"}, start=False)
    there = jobs.submit(elsewhere, "process", {"session": "a"}, start=False)
    assert here.id != there.id
    assert {job.id for job in jobs.jobs(workspace)} == {here.id, there.id}
    assert [job.id for job in jobs.jobs(workspace, here_only=True)] == [here.id]
    assert [one for one, _ in worker._waiting(elsewhere)] == [there.id]
    assert worker._claim(workspace, there.id, sign_on(workspace)) is None
    claimed = worker._claim(elsewhere, there.id, sign_on(elsewhere))
    assert claimed
    assert (claimed.state, claimed.home) == ("running", elsewhere.home_id)
    worker._take_up_again(workspace)
    assert jobs.job(workspace, there.id).state == "running"  # its own worker is at it
    jobs.cancel(workspace, there.id)
    assert jobs.job(elsewhere, there.id).cancel
    assert not jobs.log_path(workspace).exists()  # no worker was started to answer for another's job
    worker._take_up_again(elsewhere)
    assert jobs.job(workspace, there.id).state == "cancelled"
    jobs.cancel(elsewhere, here.id)
    assert jobs.job(workspace, here.id).state == "cancelled"


def test_a_claim_whose_answer_was_lost_is_made_again(workspace: Workspace) -> None:
    job = jobs.submit(workspace, "process", {"session": "a"}, start=False)
    me = sign_on(workspace)
    for _ in range(2):
        claimed = worker._claim(workspace, job.id, me)
        assert claimed
        assert (claimed.state, claimed.attempts, claimed.worker) == ("running", 1, me)
    assert worker._claim(workspace, job.id, "another") is None


def test_who_works_is_seen_everywhere(workspace: Workspace, elsewhere: Workspace) -> None:
    first = sign_on(workspace)
    second = sign_on(workspace)  # the first was killed: the lock went over
    other = sign_on(elsewhere)
    told = workers(elsewhere)
    assert [(one.id, one.here, one.alive, one.pid) for one in told] == [
        (other, True, True, os.getpid()),
        (second, False, True, os.getpid()),
    ]
    assert first not in {one.id for one in told}
    assert told[1].folder == workspace.home
    with workspace.database.transaction() as db:
        long_ago = datetime(2024, 1, 1, tzinfo=UTC)
        db.execute(update(worker_table).where(worker_table.c.id == second).values(seen_at=long_ago))
    silent = next(one for one in workers(workspace) if one.here)
    assert not silent.alive
    assert silent.seen_at == long_ago
    third = sign_on(elsewhere)  # and after a week nobody wants to know
    assert [one.id for one in workers(workspace)] == [third]


# the server stops


def count_slowly(workspace: Workspace, arguments: dict[str, Any], report: Report) -> dict[str, Any]:
    """A unit every tenth of a second, noted in a file; asks the database at half of the way if that is wanted."""
    done = workspace.home / "units"
    for number in range(arguments["units"]):
        with done.open("a") as file:
            file.write(f"{number}\n")
        report.progress("counting", (number + 1) / arguments["units"])
        report.cancelled()
        if number == arguments.get("asks_at"):
            workspace.sessions()
        time.sleep(0.1)
    return {"units": arguments["units"]}


@pytest.fixture
def own_server(postgres: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """The server, which the test may stop; it runs again afterwards."""
    monkeypatch.setenv("TRICKLINE_DB", postgres.url(new_database(postgres)))
    yield postgres
    if not postgres.runs():
        postgres.start()


def test_pages_say_that_the_server_is_away_and_go_on_when_it_is_back(
    own_server: Server, tmp_path: Path, video: Path
) -> None:
    with Workspace.open(tmp_path / "home") as workspace:
        session = workspace.session_for(video)
        saved = workspace.save_labels(session.id, [Interval(1, 9)], "editor")
        own_server.stop()
        acts: list[Callable[[], object]] = [
            workspace.sessions,
            lambda: workspace.save_labels(session.id, [], "editor"),
            lambda: jobs.submit(workspace, "process", {"session": session.id}, start=False),
            lambda: Workspace.open(tmp_path / "home"),
        ]
        for act in acts:
            began = time.monotonic()
            with pytest.raises(
                DatabaseAway, match=r"Cannot use the database postgresql://.*it does not answer"
            ) as told:
                act()
            assert time.monotonic() - began < 5
            assert "\n" not in str(told.value)
        own_server.start()
        assert workspace.labels(session.id) == saved  # by a connection that was renewed
        assert workspace.save_labels(session.id, [], "editor").revision == 2


@pytest.mark.parametrize("asks_at", [None, 25])
def test_a_worker_goes_on_while_the_server_is_away(
    own_server: Server, tmp_path: Path, asks_at: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What does not need the records goes on; what does is begun again when they are back. No fault of the job's."""
    monkeypatch.setattr(worker, "RETRY_S", 0.3)
    monkeypatch.setattr("core.job_report.RETRY_S", 0.3)
    monkeypatch.setattr("signal.signal", lambda *_: None)  # the worker is in a thread here
    with Workspace.open(tmp_path / "home") as workspace:
        job = jobs.submit(workspace, "process", {"units": 30, "asks_at": asks_at}, start=False)
        at_work = threading.Thread(
            target=worker.work, args=(workspace, {"process": count_slowly}), kwargs={"idle_s": 8.0}
        )
        at_work.start()
        units = workspace.home / "units"
        eventually(lambda: units.exists() and units.read_text().count("\n") >= 5)
        assert workers(workspace)[0].alive
        own_server.stop()
        eventually(lambda: units.read_text().count("\n") >= (30 if asks_at is None else asks_at + 1))
        time.sleep(1.0)
        own_server.start()
        eventually(lambda: jobs.job(workspace, job.id).state == "done")
        ended = jobs.job(workspace, job.id)
        assert (ended.attempts, ended.result) == (1, {"units": 30})
        assert units.read_text().count("\n") == (30 if asks_at is None else asks_at + 1 + 30)
        at_work.join(60)
        assert not at_work.is_alive()
        assert workers(workspace) == []
        log = jobs.log_path(workspace).read_text()
        assert "goes on without the database" in log
        assert ("begun again once the database answers" in log) == (asks_at is not None)


# who


def test_who_is_at_work(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRICKLINE_USER", "  Ann \n Onymous ")
    assert author() == "Ann Onymous"
    monkeypatch.delenv("TRICKLINE_USER")
    monkeypatch.setenv("LOGNAME", "ann")
    assert author() == "ann"


def test_every_change_of_a_label_has_its_author_and_time(workspace: Workspace, session: str) -> None:
    workspace.save_labels(session, [Interval(100, 130), Interval(300, 340)], "cvat", "Ann")
    moved = workspace.save_labels(session, [Interval(100, 131), Interval(500, 510, "ollie")], "editor", "Bo")
    told = [change for save in label_saves(workspace, session) for change in save.changes]
    assert [(one.revision, one.author, one.before, one.after) for one in told] == [
        (2, "Bo", Interval(100, 130), Interval(100, 131)),
        (2, "Bo", Interval(300, 340), None),
        (2, "Bo", None, Interval(500, 510, "ollie")),
        (1, "Ann", None, Interval(100, 130)),
        (1, "Ann", None, Interval(300, 340)),
    ]
    assert (told[0].saved_at, told[0].source) == (moved.saved_at, "editor")


def test_a_decision_and_its_undoing_are_somebodys(
    workspace: Workspace, session: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The review page asks for no name."""
    monkeypatch.setenv("TRICKLINE_USER", "Ann")
    decided = decide(workspace, session, [Decision(Event(100, 130), verdict="keep")])
    assert decided.reviews[0].author == "Ann"
    monkeypatch.setenv("TRICKLINE_USER", "Bo")
    undo(workspace, session)
    assert [one.author for one in workspace.label_history(session)] == ["Bo", "Ann"]
