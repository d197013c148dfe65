"""A team forms: everything that was made alone is on the server, nothing that was there is lost, and no secret told."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import create_engine, delete, select, text, update

from core import jobs
from core.copied_records import copy_records, setting
from core.database import LAYOUT, Database
from core.errors import UserError
from core.intervals import Event, Interval
from core.pose import SubjectChoice
from core.records import job_table, model_file_table, place_table, session_table
from core.reviews import Decision, decide, reviews
from core.settings import ClipSettings, SessionSettings
from core.workers import sign_on, workers
from core.workspace import Workspace
from tests.conftest import Trickline
from tests.postgres import PASSWORD, Server, empty, new_database

OLLIE = Interval(40, 61, "ollie")
KICKFLIP = Interval(247, 272, "kickflip")
TABLES = ("sessions", "label_revisions", "reviews", "models", "model_files", "jobs", "subjects", "session_settings")


@pytest.fixture
def ann(database: str, tmp_path: Path) -> Iterator[Workspace]:
    with Workspace.open(tmp_path / "ann") as opened:
        yield opened


@pytest.fixture
def url(database: str, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[str]:
    """Of a database of the other kind, without any records."""
    if database == "postgresql":
        yield f"sqlite:///{tmp_path}/backup.db"
        return
    on_server: str = request.getfixturevalue("postgres_url")
    yield on_server
    empty(on_server)


@pytest.fixture
def video(tmp_path: Path) -> Path:
    path = tmp_path / "line.mp4"
    path.write_bytes(b"frames" * 1000)
    return path


def on(url: str, home: Path, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    """A workspace whose records are at ``url``."""
    monkeypatch.setenv("TRICKLINE_DB", url)
    return Workspace.open(home)


def end(workspace: Workspace, job_id: str) -> None:
    with workspace.database.transaction() as db:
        db.execute(update(job_table).where(job_table.c.id == job_id).values(state="done", result={"clips": ["a"]}))


def test_everything_that_was_made_alone_is_there(
    ann: Workspace, url: str, video: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To a server when a team forms, and from one as a backup."""
    session = ann.session_for(video, {"width": 640, "ratio": float("nan")}, name="Søndag ☀")
    for labels in ([OLLIE], [OLLIE, KICKFLIP]):
        ann.save_labels(session.id, labels, "editor", "Ann")
    ann.save_labels(session.id, [], "cvat", layer="Cem")
    ann.save_settings(session.id, SessionSettings(clips=ClipSettings(clip_padding_s=3.0)))
    ann.choose_subject(session.id, SubjectChoice(7, 0.25, 0.5))
    decide(ann, session.id, [Decision(Event(100, 130), verdict="reject")])
    model = ann.add_model(b"bundle", "ledges", {"ap": 0.9})
    older = ann.add_model(b"older", "older", {})
    with ann.database.transaction() as db:
        db.execute(delete(model_file_table).where(model_file_table.c.model_id == older.id))
    ended, waits = [jobs.submit(ann, "process", {"session": name}, start=False).id for name in "ab"]
    end(ann, ended)
    sign_on(ann)
    before = (ann.sessions(), ann.label_history(session.id), ann.models(), jobs.jobs(ann))

    copied = copy_records(ann, url)
    assert [copied.added[table] for table in TABLES] == [1, 3, 1, 2, 2, 1, 1, 1]
    assert set(copied.there.values()) == {0}
    assert copied.beside == ()
    assert (ann.sessions(), ann.label_history(session.id), ann.models(), jobs.jobs(ann)) == before
    again = copy_records(ann, url)
    assert set(again.added.values()) == {0}
    assert [again.there[table] for table in TABLES] == [1, 3, 1, 2, 2, 1, 1, 1]

    with on(url, ann.home, monkeypatch) as there:
        assert there.sessions() == before[0]
        assert there.label_history(session.id) == before[1]
        assert there.label_history(session.id, "Cem") == ann.label_history(session.id, "Cem")
        assert there.settings(session.id) == ann.settings(session.id)
        assert there.subjects(session.id) == (SubjectChoice(7, 0.25, 0.5),)
        assert reviews(there, session.id) == reviews(ann, session.id) != ()
        assert there.models() == before[2]
        # What waits is done here, by the worker that has it, and not twice.
        assert [job.id for job in jobs.jobs(there)] == [ended]
        assert jobs.job(there, ended) == jobs.job(ann, ended)
        assert jobs.job(ann, waits).state == "queued"
        assert workers(there) == []
        assert there.save_labels(session.id, [], "editor").revision == 3
    with on(url, tmp_path / "bo", monkeypatch) as bo:
        assert bo.model(model.id).path.read_bytes() == b"bundle"
        assert bo.model(older.id).path.read_bytes() == b"older"


def test_what_was_made_since_the_first_time_is_added(
    ann: Workspace, url: str, video: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = ann.session_for(video)
    ann.save_labels(session.id, [OLLIE], "editor", "Ann")
    copy_records(ann, url)
    newest = ann.save_labels(session.id, [KICKFLIP], "editor", "Ann")
    ann.rename_session(session.id, "of no account there")
    copied = copy_records(ann, url)
    assert {table: rows for table, rows in copied.added.items() if rows} == {"label_revisions": 1}
    with on(url, tmp_path / "bo", monkeypatch) as bo:
        assert bo.labels(session.id) == newest
        assert bo.session(session.id).name == "line"


def test_two_who_labelled_the_same_footage_lose_nothing(
    ann: Workspace, url: str, video: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Sessions go by the content of the video, so that theirs meet on the server."""
    bos_copy = tmp_path / "of Bo.mp4"
    bos_copy.write_bytes(video.read_bytes())
    session = ann.session_for(video).id
    ann.save_labels(session, [OLLIE], "editor", "Ann")
    ann.save_labels(session, [], "editor", layer="Cem")
    decide(ann, session, [Decision(Event(100, 130), verdict="keep")], "Ann")
    with ann.database.transaction() as db:
        db.execute(delete(place_table))  # as an older version has left it
    with monkeypatch.context() as patch, on(url, tmp_path / "bo", patch) as bo:
        bo.session_for(bos_copy)
        bo.save_labels(session, [KICKFLIP], "editor", "Bo")
        bos = bo.label_history(session)

    layer = f"(from {ann.home_id})"
    for added in (3, 0):
        copied = copy_records(ann, url)
        assert copied.beside == ((session, layer),)
        assert (copied.added["label_revisions"], copied.added["reviews"]) == (added, 0)
    anns = ann.label_history(session)
    with on(url, ann.home, monkeypatch) as there:
        assert there.layers(session) == ["", layer, "Cem"]
        assert there.label_history(session) == bos
        assert [
            (one.revision, one.intervals, one.author, one.saved_at) for one in there.label_history(session, layer)
        ] == [(one.revision, one.intervals, one.author, one.saved_at) for one in anns]
        assert there.session(session).path == video
    with on(url, tmp_path / "bo", monkeypatch) as bo:
        assert bo.session(session).path == bos_copy


def test_a_copy_that_fails_half_way_leaves_nothing(postgres: Server, video: Path, tmp_path: Path) -> None:
    url = postgres.url(name := new_database(postgres))
    Database(url).close()
    postgres.sql("ALTER TABLE models ADD CHECK (name <> 'ledges')", name)
    with Workspace.open(tmp_path / "ann") as ann:
        session = ann.session_for(video).id
        ann.save_labels(session, [OLLIE], "editor")
        ann.add_model(b"bundle", "ledges", {})
        with pytest.raises(UserError, match=r"changed the same records .* nothing was copied; try again"):
            copy_records(ann, url)
    engine = create_engine(url)
    with engine.begin() as db:
        assert db.execute(select(session_table)).all() == []
    engine.dispose()


def test_a_damaged_source_is_named_and_not_the_server(postgres_url: str, video: Path, tmp_path: Path) -> None:
    with Workspace.open(tmp_path / "ann") as ann:
        session = ann.session_for(video).id
        for _ in range(40):
            ann.save_labels(session, [Interval(k, k + 1, "x" * 40) for k in range(0, 100, 2)], "editor")
    file = tmp_path / "ann" / "trickline.db"
    damaged = bytearray(file.read_bytes())
    damaged[len(damaged) // 3 : len(damaged) // 3 * 2] = b"\xff" * (len(damaged) // 3)
    file.write_bytes(damaged)
    with Workspace.open(tmp_path / "ann") as ann, pytest.raises(UserError, match=rf"the database {file} \(.*malformed"):
        copy_records(ann, postgres_url)


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        pytest.param("backup.db", "the URL names no database .*it is no URL", id="path"),
        pytest.param("mysql://ann:{password}@host/name", "the URL names no database", id="kind"),
        pytest.param(
            "postgresql://trickline:x{password}@127.0.0.1:{port}/postgres", "password in the URL", id="password"
        ),
        pytest.param(
            "postgresql://trickline:{password}@127.0.0.1:1/postgres", "does not answer: .* the URL", id="port"
        ),
        pytest.param("postgresql://trickline:{password}@127.0.0.1:{port}/no", '"no" does not exist', id="database"),
        pytest.param("sqlite:////proc/no/such.db", "make its folder writable", id="folder"),
        pytest.param("sqlite:///{home}/trickline.db", "are in .*trickline.db already", id="itself"),
    ],
)
def test_a_wrong_url_is_a_sentence_without_the_password(
    postgres: Server, tmp_path: Path, wrong: str, told: str
) -> None:
    url = wrong.format(password=PASSWORD, port=postgres.port, home=tmp_path)
    with Workspace.open(tmp_path) as workspace, pytest.raises(UserError, match=told) as error:
        copy_records(workspace, url)
    assert PASSWORD not in str(error.value)
    assert "TRICKLINE_DB" not in str(error.value) or "already" in told


def test_a_newer_server_is_left_alone(ann: Workspace, url: str) -> None:
    Database(url).close()
    engine = create_engine(url)
    version = text("UPDATE trickline_version SET version_num = :number")
    with engine.begin() as db:
        db.execute(version, {"number": "9999"})
    with pytest.raises(UserError, match=r"changed by a newer Trickline \(layout 9999"):
        copy_records(ann, url)
    with engine.begin() as db:
        db.execute(version, {"number": LAYOUT})
    engine.dispose()


@pytest.mark.parametrize(
    ("url", "line"),
    [
        ("postgresql://ann:pass%40word@host/team", "postgresql+psycopg://ann:***@host/team"),
        (
            "postgresql+psycopg://ann@/team?password=pass%40word&sslpassword=s3cr3t&sslmode=require",
            "postgresql+psycopg://ann@/team?password=***&sslmode=require&sslpassword=***",
        ),
        ("sqlite:////backups/team.db", "sqlite:////backups/team.db"),
    ],
)
def test_the_line_to_set_tells_no_secret(url: str, line: str) -> None:
    from core.database import _engine

    assert setting(_engine(url).url) == f"TRICKLINE_DB={line}"


def test_the_command_says_what_to_do_next(postgres: Server, tmp_path: Path, video: Path) -> None:
    home = tmp_path / "home"
    with Workspace.open(home) as workspace:
        session = workspace.session_for(video)
        workspace.save_labels(session.id, [OLLIE], "editor")
    trickline = Trickline(home, tmp_path)
    name = new_database(postgres)
    ran = trickline("records", "copy", postgres.url_with(PASSWORD, name))
    assert ran.code == 0, ran.err
    assert PASSWORD not in ran.out + ran.err
    lines = ran.out.splitlines()
    assert re.fullmatch(r"sessions +1 added +0 there already", lines[0])
    assert lines[-1] == f"TRICKLINE_DB=postgresql+psycopg://trickline:***@127.0.0.1:{postgres.port}/{name}"
    assert "Footage does not travel" in ran.err
    assert re.search(r"does not answer", trickline("records", "copy", "postgresql://ann@127.0.0.1:1/no").sentence)
