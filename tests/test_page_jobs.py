"""The jobs page: what runs, waits and has ended, and who works, on whatever machine."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert, update
from streamlit.testing.v1 import AppTest

from core import jobs
from core.records import job_table, worker_table
from core.workers import SILENT_S, sign_on
from core.workspace import Workspace

NOW = datetime.now(UTC)


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.delenv("TRICKLINE_DB", raising=False)
    monkeypatch.setenv("TRICKLINE_HOME", str(tmp_path))
    monkeypatch.setattr(jobs, "ensure_worker", lambda workspace: False)
    with Workspace.open() as opened:
        yield opened


def page() -> AppTest:
    def script() -> None:
        from core.workspace import Workspace
        from pages.widgets.status import status

        with Workspace.open() as workspace:
            status(workspace)

    app = AppTest.from_function(script, default_timeout=180).run()
    assert not app.exception
    return app


def words(app: AppTest) -> str:
    return "\n".join(str(element.value) for kind in (app.text, app.caption, app.subheader) for element in kind)


def change(workspace: Workspace, job_id: str, **values: Any) -> None:
    with workspace.database.transaction() as db:
        db.execute(update(job_table).where(job_table.c.id == job_id).values(values))


def test_nothing_was_done_yet(workspace: Workspace) -> None:
    said = words(page())
    assert "Nothing is being done." in said
    assert "Nothing was done yet." in said
    assert "None runs" in said


def test_what_runs_waits_and_has_ended_is_told_apart(workspace: Workspace) -> None:
    ids = [jobs.submit(workspace, "process", {"session": f"s{number}"}).id for number in range(30)]
    change(workspace, ids[0], state="done", result={"events": 3}, started_at=NOW - timedelta(seconds=75),
           finished_at=NOW)  # fmt: skip
    change(workspace, ids[1], state="running", step="looking", fraction=0.5, started_at=NOW)
    app = page()
    said = words(app)
    assert "3 tricks found." in said
    assert "1\\:15" in said
    assert "8 jobs more wait." in said  # 28 wait, 20 are shown
    # The whole list can be stopped from here, one by one.
    app.button(key=f"status_{ids[1]}_cancel").click().run()
    assert jobs.job(workspace, ids[1]).cancel


def test_all_that_wait_can_be_taken_back_at_once(workspace: Workspace) -> None:
    ids = [jobs.submit(workspace, "process", {"session": f"s{number}"}).id for number in range(30)]
    change(workspace, ids[0], state="running")
    page().button(key="status_cancel_all").click().run()
    assert [job.id for job in jobs.jobs(workspace, active_only=True)] == [ids[0]]


def test_a_worker_that_was_killed_is_seen(workspace: Workspace) -> None:
    job = jobs.submit(workspace, "process", {"session": "s"})
    change(workspace, job.id, state="running", worker=sign_on(workspace))
    other = {"id": "w", "home": "elsewhere", "host": "edit-room", "folder": "/data/trickline", "pid": 7, "doing": {}}
    silent = datetime.now(UTC) - timedelta(seconds=11 * SILENT_S)  # 5 min 30 s; SQLite's own clock has whole seconds
    with workspace.database.transaction() as db:
        db.execute(insert(worker_table).values(**other, started_at=silent, seen_at=silent))
    said = words(page())
    assert "This machine" in said
    assert "Find tricks" in said
    assert "edit-room" in said
    assert "No sign of life for 5:" in said


def test_jobs_of_other_machines_say_where_and_can_be_stopped(workspace: Workspace) -> None:
    job = jobs.submit(workspace, "export", {"session": "s"})
    change(workspace, job.id, home="elsewhere", host="edit-room", state="running")
    app = page()
    assert "edit\\-room" in words(app)
    app.button(key=f"status_{job.id}_cancel").click().run()
    assert jobs.job(workspace, job.id).cancel
