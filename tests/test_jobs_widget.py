"""The chip and the panel tell the truth about the jobs, in the browser as in words."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update
from streamlit.testing.v1 import AppTest

from core import jobs
from core.jobs import Job
from core.records import job_table
from core.workspace import Workspace
from pages.widgets.jobs import outcome, progress_text, title

JOB = Job(
    id="j",
    kind="process",
    session_id=None,
    arguments={},
    state="running",
    step="looking",
    fraction=0.435,
    rate=212.4,
    left_s=42.9,
    message=None,
    result=None,
    cancel=False,
    attempts=1,
    created_at=datetime.now(UTC),
    started_at=None,
    finished_at=None,
)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, "Looking 43 % · 212 frames/s · 0:42 left"),
        ({"rate": None}, "Looking 43 % · 0:42 left"),
        ({"rate": None, "left_s": None, "fraction": 0.999}, "Looking 99 %"),
        ({"left_s": 3725.0}, "Looking 43 % · 212 frames/s · 1:02:05 left"),
        ({"step": "", "fraction": 0.0, "rate": None, "left_s": None}, "Beginning"),
        ({"step": "drawing the sample", "fraction": 0.0, "rate": None, "left_s": None}, "Drawing the sample"),
        ({"state": "queued"}, "Waiting for its turn"),
        ({"cancel": True}, "Stopping"),
    ],
)
def test_progress_in_words(changes: dict[str, Any], words: str) -> None:
    assert progress_text(replace(JOB, **changes)) == words


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"result": {"events": 0}}, "0 tricks found."),
        ({"kind": "sample", "result": {"session": "s", "events": 1}}, "1 trick found."),
        ({"kind": "export", "result": {"files": [{"kind": "clips"}, {"kind": "manifest"}]}}, "1 file written."),
        ({"kind": "train", "result": {"model": "m", "unvalidated": None}}, "Model trained."),
        ({"kind": "train", "result": {"model": "m", "unvalidated": "Label more."}}, "Model trained. Label more."),
        ({"state": "failed", "message": "The card is empty."}, "The card is empty."),
        ({"state": "cancelled"}, "Cancelled; what was finished is kept."),
    ],
)
def test_outcomes_in_words(changes: dict[str, Any], words: str) -> None:
    assert outcome(replace(JOB, **{"state": "done", **changes})) == words


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.delenv("TRICKLINE_DB", raising=False)
    monkeypatch.setenv("TRICKLINE_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(jobs, "ensure_worker", lambda *_: False)
    with Workspace.open() as opened:
        yield opened


def page(follow_id: str | None = None) -> AppTest:
    def script(follow_id: str | None) -> None:
        from core.workspace import Workspace
        from pages.widgets.jobs import follow, job_chip

        with Workspace.open() as workspace:
            job_chip(workspace, "mine")
            if follow_id:
                follow(workspace, follow_id, "panel")

    return AppTest.from_function(script, kwargs={"follow_id": follow_id}, default_timeout=180).run()


def change(workspace: Workspace, job: Job, **values: Any) -> None:
    with workspace.database.transaction() as db:
        db.execute(update(job_table).where(job_table.c.id == job.id).values(values))


def texts(app: AppTest) -> list[str]:
    assert not app.exception
    return [text.value for text in app.text]


def label(app: AppTest) -> str:
    """Of the chip."""
    return next(str(block.proto.popover.label) for block in blocks(app.main) if block.proto.HasField("popover"))


def blocks(block: Any) -> list[Any]:
    inside = [child for child in block.children.values() if hasattr(child, "children")]
    return [one for one in inside if one.proto is not None] + [deep for one in inside for deep in blocks(one)]


def test_nothing_runs(workspace: Workspace) -> None:
    app = page()
    assert label(app) == "Jobs"
    assert [caption.value for caption in app.caption] == ["Nothing was done yet."]
    assert not app.button


def test_the_job_of_the_session_is_shown_first(workspace: Workspace, tmp_path: Path) -> None:
    mine = jobs.submit(workspace, "process", {"session": "mine"})
    other = jobs.submit(workspace, "process", {"session": "other"})
    assert label(page()) == "Waiting"
    for job, fraction in ((mine, 0.5), (other, 0.25)):
        change(workspace, job, state="running", step="looking", fraction=fraction)
    assert label(page()) == "Looking 50 %, 1 more"
    change(workspace, mine, state="done", result={"events": 3})
    app = page()
    assert label(app) == "Looking 25 %"
    assert texts(app) == ["Find tricks", "Find tricks", "3 tricks found."]


def test_names_are_shown_as_they_are(workspace: Workspace, tmp_path: Path) -> None:
    """A file's name comes from outside and must not become bold, a link or a picture."""
    video = tmp_path / "![x](y) **line**.mp4"
    video.write_bytes(b"frames")
    session = workspace.session_for(video)
    job = jobs.submit(workspace, "process", {"session": session.id})
    assert title(job, {one.id: one.name for one in workspace.sessions()}) == "Find tricks · ![x](y) **line**"
    assert "Find tricks · ![x](y) **line**" in texts(page())


def test_cancel_in_the_chip_and_in_the_panel(workspace: Workspace) -> None:
    first = jobs.submit(workspace, "process", {"session": "mine"})
    second = jobs.submit(workspace, "export", {"session": "mine"})
    app = page(second.id)
    app.button(key=f"chip_{first.id}_cancel").click().run()
    assert jobs.job(workspace, first.id).state == "cancelled"
    assert "Cancelled; what was finished is kept." in texts(app)
    app.button(key=f"panel_{second.id}_cancel").click().run()
    assert jobs.job(workspace, second.id).state == "cancelled"
    assert not [button for button in app.button if button.key and "cancel" in button.key]
    assert label(app) == "Jobs"


def test_a_failure_shows_its_log(workspace: Workspace) -> None:
    job = jobs.submit(workspace, "train", {})
    change(workspace, job, state="failed", message="This failed.")
    jobs.log_path(workspace).write_text(
        f"2026-01-01 00:00:00,000 ERROR core.worker: job {job.id} failed\nTraceback\nValueError: no\n"
        "2026-01-01 00:00:01,000 INFO core.worker: next\n"
    )
    app = page(job.id)
    assert [code.value.splitlines()[-1] for code in app.code] == ["ValueError: no"] * 2  # chip and panel


def test_the_page_is_drawn_anew_once_when_its_job_ends(workspace: Workspace) -> None:
    """Who watches the chip must not have to reload to see the tricks; and it must come to rest after that."""
    job = jobs.submit(workspace, "process", {"session": "mine"})

    def script() -> None:
        import streamlit as st

        from core.workspace import Workspace
        from pages.widgets.jobs import _chip, job_chip

        st.session_state["drawn"] = st.session_state.get("drawn", 0) + 1
        with Workspace.open() as workspace:
            if st.session_state["drawn"] == 2:
                _chip(workspace, "mine")  # as the timer calls it, which does not tick in tests
            else:
                job_chip(workspace, "mine")

    app = AppTest.from_function(script, default_timeout=180).run()
    change(workspace, job, state="done", result={"events": 1})
    app.run()
    assert app.session_state["drawn"] == 3
    app.run()
    assert app.session_state["drawn"] == 4
