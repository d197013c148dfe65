"""The upload page takes footage in whatever way it comes, says how it is, and always names the next step."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import streamlit as st
from sqlalchemy import Connection, delete, insert, update
from streamlit.testing.v1 import AppTest

from core import jobs, tasks, thumbnails
from core.content import content_id
from core.database import Database
from core.errors import UserError
from core.intervals import Interval
from core.job_report import write_job
from core.labels import LabelSet, write_labels
from core.records import Session, job_table, session_table
from core.standing import standings
from core.upload_waiting import Uploaded, look, put
from core.video import Video
from core.workspace import Workspace
from pages.widgets import sessions
from pages.widgets.footage_browser import add_all, path_of, size_words
from tests.conftest import ROOT
from tests.test_video import BY_NAME, Film, write_film


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Workspace]:
    """An empty one, which the pages take for theirs."""
    monkeypatch.delenv("TRICKLINE_DB", raising=False)
    monkeypatch.setenv("TRICKLINE_HOME", str(tmp_path / "home"))
    monkeypatch.setattr("core.jobs.ensure_worker", lambda *_: False)  # jobs wait, no process is left behind
    with Workspace.open() as opened_workspace:
        yield opened_workspace


@pytest.fixture(autouse=True)
def forgotten() -> Iterator[None]:
    """Functions of the pages that are called outside of one leave their state in the thread."""
    yield
    st.session_state.clear()


@pytest.fixture
def film(tmp_path: Path) -> Path:
    """A video of two seconds under a name that would be Markdown."""
    return write_film(BY_NAME["24.mp4"], tmp_path / "_Ledge_ *day* [2].mp4")


@pytest.fixture
def other(tmp_path: Path) -> Path:
    return write_film(Film("", [512 * i for i in range(30)], BY_NAME["60.mp4"].time_base), tmp_path / "other.mp4")


def opened() -> AppTest:
    app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=180).run()
    assert not app.exception
    return app


def texts(app: AppTest) -> str:
    said = " | ".join(str(one.value) for kind in (app.text, app.caption, app.error, app.success) for one in kind)
    return said.replace("\\", "")


def links(app: AppTest) -> list[str]:
    return [link.proto.label for link in app.get("page_link")]


def keys(app: AppTest) -> set[str]:
    return {button.key for button in app.button if button.key}


def dialog() -> None:
    """A page that is nothing but the dialog, which a run of the real page would close."""
    from pages.widgets.footage_browser import browse

    browse()


def queued(workspace: Workspace) -> list[tuple[str, str | None]]:
    return [(job.kind, job.session_id) for job in reversed(jobs.jobs(workspace, active_only=True))]


## Empty


def test_a_newcomer_reads_what_will_happen_and_has_three_ways_in(workspace: Workspace) -> None:
    app = opened()
    assert {"browse", "sample"} <= keys(app)
    assert app.get("bidi_component")  # the drop area
    for words in ("who is in view", "on a timeline", "cuts the clips out of your footage"):
        assert words in texts(app)


def test_the_sample_is_one_click_away(workspace: Workspace) -> None:
    app = opened()
    app.button(key="sample").click().run()
    assert [kind for kind, _ in queued(workspace)] == ["sample"]
    assert not app.exception
    app.button(key="sample").click().run()
    assert len(queued(workspace)) == 1  # an impatient second click draws it only once


## Footage comes in


def test_footage_becomes_a_session_with_a_poster(workspace: Workspace, film: Path) -> None:
    session = sessions.add(film)
    assert (session.name, session.path) == (film.stem, film)
    assert session.facts["frames"] == 60
    assert thumbnails.poster_path(workspace, session.id).is_file()
    assert st.session_state["session"] == session.id


@pytest.mark.parametrize("content", [b"", b"this is no video"])
def test_what_is_no_video_is_refused_and_nothing_lost(
    workspace: Workspace, film: Path, tmp_path: Path, content: bytes
) -> None:
    sessions.add(film)
    bad = tmp_path / "bad.mp4"
    bad.write_bytes(content)
    with pytest.raises(UserError, match=r"bad\.mp4"):
        sessions.add(bad)
    assert [session.path for session in workspace.sessions()] == [film]


def test_footage_that_is_known_keeps_its_name_and_what_was_seen(workspace: Workspace, film: Path) -> None:
    """Dropping a file again must not cost the work that is in its session."""
    session = sessions.add(film)
    workspace.session_for(film, {**session.facts, "looked": {"backend": "x", "stride": 2}}, "Sunday")
    again = sessions.add(film, "dropped")
    assert (again.id, again.name, again.facts["looked"]["stride"]) == (session.id, "Sunday", 2)


def test_what_was_uploaded_is_called_as_the_user_called_it(
    workspace: Workspace, film: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the workspace it is named after its content, which says nothing to anybody."""
    stored = workspace.home / "footage" / "0a1b2c.mp4"
    stored.parent.mkdir()
    shutil.copy(film, stored)
    arriving = [Uploaded(stored, "My *best* line")]
    monkeypatch.setattr("pages.widgets.upload.uploader", lambda key: [arriving.pop()] if arriving else [])
    app = opened()
    assert [session.name for session in workspace.sessions()] == ["My *best* line"]
    assert [field.value for field in app.text_input if field.label == "Name"] == ["My *best* line"]


def test_a_folder_of_good_and_bad_files_gives_the_good_ones(
    workspace: Workspace, film: Path, other: Path, tmp_path: Path
) -> None:
    (tmp_path / "bad.mov").write_bytes(b"no video")
    failed = add_all([film, tmp_path / "bad.mov", tmp_path / "gone.mp4", other])
    assert ["bad.mov" in failed[0], "gone.mp4" in failed[1]] == [True, True]
    assert {session.path for session in workspace.sessions()} == {film, other}


@pytest.mark.parametrize(
    ("pasted", "path"),
    [
        ("/media/a b.mp4", "/media/a b.mp4"),
        (' "/media/a b.mp4" ', "/media/a b.mp4"),
        ("'/media/a.mp4'", "/media/a.mp4"),
        ("file:///media/a%20b.mp4", "/media/a b.mp4"),
    ],
)
def test_a_pasted_path_is_understood(pasted: str, path: str) -> None:
    """File managers copy paths in these forms."""
    assert path_of(pasted) == Path(path)


def test_a_path_can_be_opened_from_the_page(
    workspace: Workspace, film: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRICKLINE_FOOTAGE", str(tmp_path))
    (tmp_path / "park").mkdir()
    app = AppTest.from_function(dialog).run()
    assert not app.exception
    assert app.dataframe[0].value["Name"].tolist() == [film.name]
    assert app.dataframe[0].value["Length"].tolist() == ["0:02"]
    assert app.button(key="footage_add").disabled
    app.text_input(key="footage_path").set_value(str(tmp_path / "nowhere.mp4")).run()
    app.button(key="footage_add").click().run()
    assert f"There is no file {tmp_path}/nowhere.mp4" in texts(app)
    app.text_input(key="footage_path").set_value(str(film)).run()
    app.button(key="footage_add").click().run()
    assert not app.exception
    assert [session.path for session in workspace.sessions()] == [film]
    app.button(key="folder_park").click().run()
    assert "There is no video in this folder." in app.info[0].value.replace("\\", "")
    app.button(key="trail_").click().run()
    assert len(app.dataframe) == 1


def test_labels_beside_a_video_are_taken_and_said(workspace: Workspace, film: Path) -> None:
    write_labels(film.with_suffix(".csv"), LabelSet((Interval(3, 9, "ollie"),)), Video.open(film).pts_s)
    session = sessions.add(film)
    revision = workspace.labels(session.id)
    assert revision is not None
    assert revision.intervals == (Interval(3, 9, "ollie"),)
    app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=180)
    app.session_state["sessions_told"] = st.session_state["sessions_told"]
    app.run()
    (toast,) = app.toast
    assert toast.value.replace("\\", "") == f"Labels found beside {film.name}: 1 trick."
    assert not app.run().toast  # once


## Hundreds of them


@pytest.fixture
def folders(film: Path, other: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Footage in a folder and in one below, and what is no video."""
    monkeypatch.setenv("TRICKLINE_FOOTAGE", str(tmp_path))
    park = tmp_path / "park"
    (park / "day 2").mkdir(parents=True)
    film.rename(park / film.name)
    other.rename(park / "day 2" / other.name)
    (park / "bad.mp4").write_bytes(b"no video")
    return park


def test_all_of_a_folder_and_those_in_it_are_added_by_a_job(workspace: Workspace, folders: Path) -> None:
    """Without opening a single one while the page waits."""
    app = AppTest.from_function(dialog).run()
    app.button(key="folder_park").click().run()
    button = app.button(key="footage_add_all")
    assert "all 3 videos" in button.label
    button.click().run()
    assert not app.exception
    (job,) = jobs.jobs(workspace)
    assert (job.kind, job.arguments["sources"], job.arguments["find"]) == ("add", [str(folders)], True)
    assert workspace.sessions() == []


def test_a_pasted_path_may_be_a_folder(workspace: Workspace, folders: Path) -> None:
    app = AppTest.from_function(dialog).run()
    app.text_input(key="footage_path").set_value(f'"{folders}"').run()
    app.checkbox(key="footage_find").uncheck().run()
    app.button(key="footage_add").click().run()
    assert not app.exception
    (job,) = jobs.jobs(workspace)
    assert (job.kind, job.arguments["sources"], job.arguments["find"]) == ("add", [str(folders)], False)


def test_many_uploads_that_came_while_another_page_was_shown_are_a_job(
    workspace: Workspace, film: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    arriving = [[Uploaded(film.with_name(f"{number}.mp4"), f"line {number}") for number in range(4)]]
    monkeypatch.setattr("pages.widgets.upload.uploader", lambda key: arriving.pop() if arriving else [])
    opened()
    (job,) = jobs.jobs(workspace)
    assert job.arguments["names"] == {str(film.with_name(f"{number}.mp4")): f"line {number}" for number in range(4)}


def send(workspace: Workspace, monkeypatch: pytest.MonkeyPatch, videos: dict[str, Path]) -> AppTest:
    """The page as the browser's uploads are there, by what they were called."""
    folder = workspace.home / "footage"
    folder.mkdir(exist_ok=True)
    arriving = [
        [
            Uploaded(Path(shutil.copy(video, folder / f"{content_id(video)}.mp4")), name)
            for name, video in videos.items()
        ]
    ]
    monkeypatch.setattr("pages.widgets.upload.uploader", lambda key: arriving.pop() if arriving else [])
    return opened()


def test_chapters_that_were_sent_together_are_joined_by_a_job(
    workspace: Workspace, film: Path, other: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    send(workspace, monkeypatch, {"GX020042": other, "GX010042": film})
    (job,) = jobs.jobs(workspace)
    assert sorted(job.arguments["names"].values()) == ["GX010042", "GX020042"]
    assert workspace.sessions() == []


def test_a_chapter_that_was_sent_later_is_told_to_stay_apart(
    workspace: Workspace, film: Path, other: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert not send(workspace, monkeypatch, {"GX010042": film}).info
    (note,) = send(workspace, monkeypatch, {"GX020042": other}).info
    assert "GX020042.mp4 belongs to the same recording as GX010042.mp4" in note.value.replace("\\", "")
    assert [session.name for session in workspace.sessions()] == ["GX020042", "GX010042"]


@pytest.mark.parametrize("called", [["line"], ["GX010042", "GX020042"]])
def test_what_arrives_while_the_records_are_away_goes_on_waiting(
    workspace: Workspace, film: Path, other: Path, monkeypatch: pytest.MonkeyPatch, called: list[str]
) -> None:
    """Whoever has sent 20 GB need not do so again."""

    def away(*_: object, **__: object) -> None:
        raise UserError("The records are away.")

    waiting = []
    for name, video in zip(called, (film, other), strict=False):
        copy = workspace.home / "footage" / f"{content_id(video)}.mp4"
        copy.parent.mkdir(exist_ok=True)
        shutil.copy(video, copy)
        token = put(workspace.home, Uploaded(copy, name))
        waiting.append(Uploaded(copy, name, token))
    monkeypatch.setattr("pages.widgets.upload.uploader", lambda key: waiting)
    with monkeypatch.context() as broken:
        broken.setattr("pages.widgets.sessions.add_footage", away)
        broken.setattr("core.jobs.submit", away)
        assert "The records are away." in texts(opened())
    assert all(_waits(workspace, one) for one in waiting)
    monkeypatch.setattr("pages.widgets.upload.uploader", lambda key: [one for one in waiting if _waits(workspace, one)])
    opened()
    assert len(workspace.sessions()) + len(jobs.jobs(workspace)) == 1
    assert not any(_waits(workspace, one) for one in waiting)


def _waits(workspace: Workspace, one: Uploaded) -> bool:
    return look(workspace.home, one.token) is not None


def test_the_outcome_stays_until_it_is_dismissed(workspace: Workspace, folders: Path) -> None:
    """Each file that failed with its sentence, also for who comes back tomorrow."""
    job = jobs.submit(workspace, "add", {"sources": [str(folders)], "find": False})
    app = opened()
    assert "Waiting for its turn" in [bar.proto.text for bar in app.get("progress")]
    added = tasks.add(workspace, job.arguments, Quiet())
    write_job(workspace, job.id, state="done", result=added)
    app = opened()
    assert "2 videos added, 1 failed." in texts(app)
    assert "bad.mp4 cannot be read as a video" in texts(app)
    app = opened()
    app.button(key=f"dismiss_{job.id}").click().run()
    assert not app.exception
    assert "bad.mp4" not in texts(app)
    assert f"dismiss_{job.id}" not in keys(opened())


class Quiet:
    """A report that nobody reads."""

    def progress(self, step: str, fraction: float, frames_done: int | None = None) -> None: ...

    def cancelled(self) -> bool:
        return False


def many(workspace: Workspace, number: int) -> list[str]:
    """Sessions that nobody opened, the oldest first: every third was looked at."""
    ids = [f"{one:032x}" for one in range(number)]
    now = datetime.now(UTC)
    rows = [
        {
            "id": session_id,
            "name": f"{'Ledge' if one % 2 else 'Rail'} {one:03d}",
            "path": f"/nowhere/{one}.mp4",
            "facts": {"duration_s": 3.0, **({"looked": {"backend": "x", "stride": 2}} if one % 3 == 0 else {})},
            "added_at": now + timedelta(seconds=one),
        }
        for one, session_id in enumerate(ids)
    ]
    with workspace.database.transaction() as db:
        db.execute(insert(session_table), rows)
    return ids


def shown(app: AppTest) -> list[str]:
    """The names on the cards."""
    return [text.value for text in app.text if text.value.startswith(("Ledge", "Rail"))]


def test_cards_come_a_page_at_a_time(workspace: Workspace) -> None:
    many(workspace, 60)
    app = opened()
    assert len(shown(app)) == 24
    assert shown(app)[0] == "Ledge 059"  # the newest
    assert "1 to 24 of 60" in texts(app)
    app.session_state["cards_page"] = 3
    app.run()
    assert len(shown(app)) == 12
    assert shown(app)[-1] == "Rail 000"
    app.text_input(key="cards_name").set_value("ledge 01").run()  # fewer than there are pages before
    assert shown(app) == [f"Ledge {one:03d}" for one in (19, 17, 15, 13, 11, 1)]
    assert not app.exception


def test_cards_are_found_by_name_and_by_what_is_to_be_done(workspace: Workspace) -> None:
    ids = many(workspace, 30)
    jobs.submit(workspace, "process", {"session": ids[1]}, start=False)
    app = opened()
    finder = app.segmented_control(key="cards_state")
    assert [option.content for option in finder.proto.options] == ["New 19", "In work 1", "Looked at 10"]
    app.session_state["cards_state"] = "looked"
    app.run()
    assert shown(app) == [f"{'Ledge' if one % 2 else 'Rail'} {one:03d}" for one in range(27, -1, -3)]
    app.text_input(key="cards_name").set_value("RAIL 0").run()
    assert shown(app) == ["Rail 024", "Rail 018", "Rail 012", "Rail 006", "Rail 000"]
    app.text_input(key="cards_name").set_value("nosegrind").run()
    assert shown(app) == []
    assert "None is called so" in texts(app)


def test_what_the_page_asks_of_the_database_does_not_grow(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Five hundred sessions, each with a job that waits, are as many questions and cards as thirty."""
    asked = 0
    transaction = Database.transaction

    def counting(self: Database) -> AbstractContextManager[Connection]:
        nonlocal asked
        asked += 1
        return transaction(self)

    monkeypatch.setattr(Database, "transaction", counting)
    questions, cards = [], []
    for number in (30, 500):
        ids = many(workspace, number)
        jobs.submit_all(workspace, "process", [{"session": session_id} for session_id in ids])
        asked = 0
        cards.append(len(shown(opened())))
        questions.append(asked)
        with transaction(workspace.database) as db:
            db.execute(delete(session_table))
    assert questions[0] == questions[1] < 20
    assert cards == [24, 24]


def test_jobs_beyond_count_do_not_hide_where_a_session_is(workspace: Workspace) -> None:
    """The one job of a session may be older than those of a thousand others."""
    ids = many(workspace, 1200)
    jobs.submit_all(workspace, "process", [{"session": session_id} for session_id in ids])
    where = standings(workspace, workspace.sessions())
    assert {standing.state for standing in where.values()} == {"working"}


def test_a_joined_video_goes_with_its_session(workspace: Workspace, film: Path) -> None:
    """The chapters stay; the file made of them takes as much room again, and can be made anew."""
    joined = workspace.home / "joined" / "GX010042_0a1b2c.mp4"
    joined.parent.mkdir()
    shutil.copy(film, joined)
    session = sessions.add(joined)
    app = opened()
    app.button(key="remove").click().run()
    assert any("The chapters stay where they are" in one.value for one in app.markdown)
    app.button(key="remove_now").click().run()
    assert not joined.exists()
    assert film.exists()
    assert session.id not in [one.id for one in workspace.sessions()]


def test_sizes_are_said_as_people_say_them() -> None:
    assert [size_words(size) for size in (0, 24_100, 2_070_000, 12_300_000_000)] == [
        "1 kB", "24 kB", "2.07 MB", "12.3 GB",
    ]  # fmt: skip


## What to do next


def test_new_footage_shows_its_health_and_one_button(workspace: Workspace, film: Path) -> None:
    sessions.add(film)
    app = opened()
    assert "There is no sound" in texts(app)
    assert "0:02 · 24 fps · 96 × 64 · H264" in texts(app)
    app.button(key="find").click().run()
    assert queued(workspace) == [("process", workspace.sessions()[0].id)]
    assert "find" not in keys(app)
    assert "It goes on when you close this page" in texts(app)


def test_several_are_queued_one_after_the_other(workspace: Workspace, film: Path, other: Path) -> None:
    first, second = sessions.add(film), sessions.add(other)
    app = opened()
    assert "2 sessions" in [one.value for one in app.subheader]
    app.button(key="find_all").click().run()
    assert queued(workspace) == [("process", first.id), ("process", second.id)]
    assert not app.exception
    assert "find_all" not in keys(app)


def test_what_was_found_leads_to_the_review(studio_workspace: Workspace) -> None:
    (session,) = studio_workspace.sessions()
    app = opened()
    assert "Review the tricks" in links(app)
    assert "Somebody is seen in" in texts(app)
    studio_workspace.session_for(session.path, {**session.facts, "found": 2})
    assert {"Review 2 tricks", "Timeline", "Label"} <= set(links(opened()))
    studio_workspace.session_for(session.path, {**session.facts, "found": 0})
    app = opened()
    assert not any(link.startswith("Review") for link in links(app))
    assert "No trick was found" in texts(app)


def test_a_failure_is_told_and_can_be_tried_again(workspace: Workspace, film: Path) -> None:
    session = sessions.add(film)
    job = jobs.submit(workspace, "process", {"session": session.id}, start=False)
    jobs.cancel(workspace, job.id)
    with workspace.database.transaction() as db:
        db.execute(update(job_table).values(state="failed", message="film: nobody was found in any frame."))
    app = opened()
    assert "nobody was found" in texts(app)
    assert app.button(key="find").label == "Try again"


def test_footage_that_went_away_is_said_and_can_be_removed(workspace: Workspace, film: Path) -> None:
    sessions.add(film)
    film.unlink()
    app = opened()
    assert "does not exist" in texts(app)
    assert "find" not in keys(app)
    assert "remove" in keys(app)


def test_a_click_on_a_card_shows_that_session(workspace: Workspace, film: Path, other: Path) -> None:
    first, second = sessions.add(film), sessions.add(other)
    app = opened()
    assert app.session_state["session"] == second.id
    app.button(key=f"show_{first.id}").click().run()
    assert app.session_state["session"] == first.id
    assert app.query_params["session"] in (first.id, [first.id])
    assert [field.value for field in app.text_input if field.label == "Name"] == [first.name]


## Names, knobs, removal


def test_a_session_can_be_renamed_but_not_to_nothing(workspace: Workspace, film: Path) -> None:
    session = sessions.add(film)
    for typed, name in (("  Sunday \n at the park ", "Sunday at the park"), ("   ", "Sunday at the park")):
        st.session_state["name"] = typed
        sessions.rename(session.id, "name")
        assert workspace.session(session.id).name == name


def test_knobs_are_kept_with_the_session(workspace: Workspace, film: Path) -> None:
    session = sessions.add(film)
    app = opened()
    app.selectbox(key=f"backend_{session.id}").select("yolo").run()
    app.text_input(key=f"weights_{session.id}").set_value('"/models/yolo.onnx"').run()
    app.number_input(key=f"stride_{session.id}").set_value(4).run()
    pose = workspace.settings(session.id).pose
    assert (pose.backend, pose.weights, pose.sample_stride) == ("yolo", "/models/yolo.onnx", 4)
    # MoveNet brings its weights: a path that stayed there would be refused when the looking begins.
    app.selectbox(key=f"backend_{session.id}").select("movenet").run()
    pose = workspace.settings(session.id).pose
    assert (pose.backend, pose.weights, pose.sample_stride) == ("movenet", None, 4)
    assert not app.exception


def test_removing_asks_first_and_leaves_the_video(workspace: Workspace, film: Path) -> None:
    session = sessions.add(film)
    jobs.submit(workspace, "process", {"session": session.id}, start=False)
    app = opened()
    app.button(key="remove").click().run()
    assert "The video itself stays where it is." in [one.value for one in app.markdown]
    assert workspace.sessions() == [session]
    app.button(key="remove_now").click().run()
    assert not app.exception
    assert workspace.sessions() == []
    assert queued(workspace) == []
    assert film.is_file()


def test_an_uploaded_video_goes_with_its_session(workspace: Workspace, film: Path, other: Path) -> None:
    """Nobody else has a copy in view; but a link among the uploads must not reach out of them."""
    stored = workspace.home / "footage" / "0a1b2c.mp4"
    stored.parent.mkdir()
    shutil.copy(film, stored)
    uploaded, kept = sessions.add(stored), sessions.add(other)
    assert sessions.is_uploaded(uploaded)
    assert not sessions.is_uploaded(kept)
    for session in (uploaded, kept):
        sessions.remove(session)
    assert not stored.exists()
    assert other.exists()


def test_the_standing_of_a_session_comes_from_its_last_job(studio_workspace: Workspace, film: Path) -> None:
    (looked,) = studio_workspace.sessions()
    fresh = sessions.add(film)
    both: list[Session] = [looked, fresh]
    where = standings(studio_workspace, both)
    assert [where[session.id].state for session in both] == ["looked", "new"]
    jobs.submit(studio_workspace, "process", {"session": fresh.id})
    assert standings(studio_workspace, both)[fresh.id].state == "working"


def test_findings_are_made_anew_once_somebody_has_looked(studio_workspace: Workspace) -> None:
    (session,) = studio_workspace.sessions()
    before = sessions.findings(studio_workspace.session_for(session.path, {"looked": None}))
    after = sessions.findings(session)
    assert len(after) > len(before)
