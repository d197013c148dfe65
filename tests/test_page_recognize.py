"""The recognize page: names, training and report, and what it says where there is nothing."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sqlalchemy import insert, update
from streamlit.testing.v1 import AppTest

from core import jobs
from core.intervals import Interval
from core.pipeline import found
from core.recognize import shelf
from core.recognize.dive_classes import DIVING48
from core.recognize.evaluation import evaluate
from core.recognize.judging import Judged, JudgedClip
from core.recognize.names_out import names_csv, with_names
from core.records import job_table
from core.settings import LearnSettings
from core.sighting import kept
from core.workspace import Workspace
from pages.widgets import recognize_charts
from pages.widgets.jobs import outcome, title
from pages.widgets.plain_text import escaped
from tests.conftest import ROOT
from tests.moments import frames_of, write_clip

CLASSES = ("kick*flip*", "ollie")


def page(view: str = "", **state: Any) -> AppTest:
    app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=180)
    if view:
        app.session_state["recognize_view_kept"] = view
    for key, value in state.items():
        app.session_state[key] = value
    app.run()
    return sound(app.switch_page("pages/6_recognize.py"))


def sound(app: AppTest) -> AppTest:
    app.run()
    assert not app.exception, app.exception
    return app


def words(app: AppTest) -> str:
    kinds = (app.text, app.caption, app.markdown, app.warning, app.error, app.info, app.subheader)
    return "\n".join(str(element.value) for kind in kinds for element in kind)


def components(app: AppTest, name: str) -> list[dict[str, Any]]:
    """What the browser is sent, of the components whose data have this name."""
    sent = [json.loads(element.proto.json) for element in app.get("bidi_component") if element.proto.json]
    return [one for one in sent if name in one]


def shelved(workspace: Workspace, folder: Path, classes: tuple[str, ...] = CLASSES, judged: bool = True) -> str:
    """A recognizer that nobody trained: its card, and how it did on four clips."""
    reserved = shelf.reserve(workspace)
    card = {"architecture": "light", "classes": list(classes)}
    (reserved / "recognizer.json").write_text(json.dumps(card))
    if judged:
        rows = [(0, 0.9), (0, 0.8), (1, 0.7), (0, 0.6)]  # the first class takes the last for its own
        truth = [0, 0, 1, 1]
        clips, table = [], []
        for number, ((named, probability), true) in enumerate(zip(rows, truth, strict=True)):
            values = np.full(len(classes), (1 - probability) / (len(classes) - 1))
            values[named] = probability
            path = write_clip(folder / f"clip {number}.mp4", frames_of("right", number))
            clips.append(
                JudgedClip(
                    path=str(path), start_frame=0, end_frame=None, label=classes[true], probability=tuple(values)
                )
            )
            table.append(values)
        Judged("tricks", "Two of four.", evaluate(classes, truth, table), tuple(clips), {"majority": 0.5}).write(
            reserved
        )
    return shelf.put(reserved, "Park <b>v1</b>", workspace).id


def tricks_of(workspace: Workspace) -> list[Interval]:
    (session,) = workspace.sessions()
    seen = kept(session, workspace)
    assert seen
    events, _ = found(seen, workspace, workspace.settings(session.id))
    return [Interval(one.start_frame, one.end_frame) for one in events]


def finished(workspace: Workspace, kind: str, arguments: dict[str, Any], result: dict[str, Any]) -> None:
    """A job that somebody has done."""
    (session,) = workspace.sessions()
    with workspace.database.transaction() as db:
        db.execute(
            insert(job_table).values(
                id=f"done{kind}", kind=kind, session_id=session.id, arguments=arguments, state="done", step="",
                fraction=1.0, cancel=False, attempts=1, created_at=datetime.now(UTC), result=result,
            )
        )  # fmt: skip


def named(workspace: Workspace, recognizer: str, classes: tuple[str, ...] = CLASSES) -> list[Interval]:
    """The session's tricks, the first one surely the first class, the others not so surely the second."""
    (session,) = workspace.sessions()
    events = []
    places = tricks_of(workspace)
    for number, one in enumerate(places):
        best = min(number, 1)
        values = {label: 0.1 / (len(classes) - 1) for label in classes} | {classes[best]: 0.9}
        events.append(
            {
                "label": classes[best], "probability": 0.9, "unsure": best == 1, "start_frame": one.start_frame,
                "end_frame": one.end_frame, "start_s": 1.0, "end_s": 2.0, "confidence": None, "probabilities": values,
            }
        )  # fmt: skip
    arguments = {"session": session.id, "recognizer": recognizer, "players": False, "events": []}
    result = {"video": "/tmp/=park.mp4", "classes": list(classes), "events": events, "players": []}
    finished(workspace, "name", arguments, result)
    return places


@pytest.fixture
def empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Workspace]:
    monkeypatch.delenv("TRICKLINE_DB", raising=False)
    monkeypatch.setenv("TRICKLINE_HOME", str(tmp_path / "home"))
    monkeypatch.setattr("core.jobs.ensure_worker", lambda *_: False)
    with Workspace.open(tmp_path / "home") as workspace:
        yield workspace


# What is there to begin with


def test_an_empty_workspace_leads_to_the_upload_and_can_still_train(empty: Workspace) -> None:
    app = page()
    assert "Add a video or try the sample session" in words(app)
    assert "Train a recognizer" in words(app)
    assert app.button(key="recognize_train").disabled


def test_without_a_recognizer_the_page_explains_and_leads_to_the_training(studio_workspace: Workspace) -> None:
    app = page()
    assert "No recognizer yet" in words(app)
    next(button for button in app.button if button.label == "Train one").click()
    assert "Train a recognizer" in words(sound(app))


# Names


def test_the_tricks_of_the_review_are_named_by_a_job(studio_workspace: Workspace, tmp_path: Path) -> None:
    recognizer = shelved(studio_workspace, tmp_path)
    app = page()
    assert "75 % of 4 clips named right" in words(app)
    app.button(key="recognize_name").click()
    app = sound(app)
    (job,) = jobs.jobs(studio_workspace)
    events = [[one.start_frame, one.end_frame] for one in tricks_of(studio_workspace)]
    assert (job.kind, job.arguments["recognizer"], job.arguments["players"]) == ("name", recognizer, False)
    assert job.arguments["events"] == events
    assert app.button(key="recognize_name").disabled


def test_names_are_shown_and_go_into_the_labels_and_back(studio_workspace: Workspace, tmp_path: Path) -> None:
    (session,) = studio_workspace.sessions()
    places = named(studio_workspace, shelved(studio_workspace, tmp_path))
    app = page()
    (bench,) = components(app, "found")
    assert [(span["start"], span["label"]) for span in bench["found"]] == [
        (places[0].start_frame, "kick*flip*"),
        *((one.start_frame, "ollie ?") for one in places[1:]),
    ]
    assert bench["found"][1]["why"].startswith("It is unsure: ollie 90 %")
    app.button(key="recognize_take_all").click()
    app = sound(app)
    labels = studio_workspace.labels(session.id)
    assert labels
    assert labels.intervals == (Interval(places[0].start_frame, places[0].end_frame, "kick*flip*"),)
    assert labels.source == "named by Park <b>v1</b>"
    assert app.button(key="recognize_named_0_last").disabled  # taken over
    app.button(key="recognize_named_0_first").click()
    app = sound(app)
    (bench,) = components(app, "found")
    assert (bench["show"]["start"], bench["show"]["play"]) == (places[0].start_frame, True)
    app.button(key="recognize_undo").click()
    sound(app)
    taken_back = studio_workspace.labels(session.id)
    assert taken_back
    assert taken_back.intervals == ()


def test_a_table_of_names_runs_no_formula(studio_workspace: Workspace, tmp_path: Path) -> None:
    named(studio_workspace, "r")
    (job,) = jobs.jobs(studio_workspace)
    assert job.result
    lines = names_csv(job.result).splitlines()
    assert lines[0].endswith("label,probability,unsure,kick*flip*,ollie")
    assert lines[1].startswith("'=park.mp4,")
    assert len(lines) == 1 + len(tricks_of(studio_workspace))


def test_a_naming_is_told_in_the_list_of_jobs(studio_workspace: Workspace) -> None:
    places = named(studio_workspace, "r")
    (job,) = jobs.jobs(studio_workspace)
    assert outcome(job) == f"{len(places)} tricks named."
    assert title(job, {one.id: one.name for one in studio_workspace.sessions()}).startswith("Name what happens · ")


def test_a_name_keeps_the_bounds_that_a_person_set() -> None:
    labels = [Interval(10, 20, "trick"), Interval(50, 60, "trick")]
    moments = [Interval(11, 22, "ollie"), Interval(80, 90, "ollie")]
    assert with_names(labels, moments) == [
        Interval(10, 20, "ollie"), Interval(50, 60, "trick"), Interval(80, 90, "ollie"),
    ]  # fmt: skip


def test_a_dive_is_told_in_words(studio_workspace: Workspace, tmp_path: Path) -> None:
    classes = tuple(dive.label for dive in DIVING48)
    recognizer = shelved(studio_workspace, tmp_path, classes, judged=False)
    named(studio_workspace, recognizer, classes)
    app = page()
    said = words(app)
    assert "Back takeoff (" in said
    assert "one and a half somersaults (" in said
    assert "nobody knows how good it is" in said
    assert len(app.get("arrow_vega_lite_chart")) + len(app.get("vega_lite_chart")) == 4


def test_every_player_has_a_lane(studio_workspace: Workspace, tmp_path: Path) -> None:
    (session,) = studio_workspace.sessions()
    recognizer = shelved(studio_workspace, tmp_path)
    film = write_clip(tmp_path / "film.mp4", frames_of("left", 1))
    lanes = {"1": [[0, 40, "ollie", 0.8], [41, 60, "kick*flip*", 0.7]], "2": [[10, 30, "ollie", 0.6]]}
    arguments = {"session": session.id, "recognizer": recognizer, "players": True, "events": []}
    finished(
        studio_workspace, "name", arguments, {"video": "v", "players": [1, 2], "lanes": lanes, "files": [str(film)]}
    )
    app = page(recognize_what_kept="The players")
    (bench,) = components(app, "layers")
    assert [(lane["name"], len(lane["items"])) for lane in bench["layers"]] == [("Player 1", 2), ("Player 2", 1)]
    assert any("<video" in element.proto.body for element in app.get("html"))


# Training


def test_a_folder_of_clips_is_looked_at_and_then_learnt_from(empty: Workspace, tmp_path: Path) -> None:
    for label in ("left", "right"):
        (tmp_path / "clips" / label).mkdir(parents=True)
        for number in range(1 + (label == "left")):
            write_clip(tmp_path / "clips" / label / f"{label}{number}.mp4", frames_of(label, number))
    app = page("Train", recognize_source_kept="A folder or file", recognize_path_kept=str(tmp_path / "clips"))
    assert "3 clips · 2 names" in words(app)
    assert "These classes cannot be learnt, for they have a single clip: right" in words(app).replace("\\", "")
    (shown,) = components(app, "clips")
    assert sorted(clip["title"] for clip in shown["clips"]) == ["left", "left", "right"]
    assert all(clip["src"].startswith("/trickline/file/") for clip in shown["clips"])
    app.button(key="recognize_train").click()
    sound(app)
    (job,) = jobs.jobs(empty)
    assert job.kind == "learn"
    assert job.arguments["data"] == str(tmp_path / "clips")
    assert LearnSettings.model_validate(job.arguments["settings"]) == LearnSettings()
    assert shelf.folder_of(empty, job.arguments["folder"]).is_dir()


def test_a_path_that_is_no_data_set_is_said(empty: Workspace) -> None:
    app = page("Train", recognize_source_kept="A folder or file", recognize_path_kept="/no/such/folder")
    assert escaped("/no/such/folder does not exist: check the path.") in words(app)
    assert app.button(key="recognize_train").disabled


def test_a_cancelled_training_is_carried_on_in_its_folder(empty: Workspace, tmp_path: Path) -> None:
    arguments: dict[str, Any] = {"data": None, "settings": {}, "name": "n", "folder": shelf.reserve(empty).name}
    stopped = jobs.submit(empty, "learn", arguments, start=False)
    with empty.database.transaction() as db:
        db.execute(update(job_table).where(job_table.c.id == stopped.id).values(state="cancelled"))
    app = page("Train")
    app.button(key="recognize_carry_on").click()
    sound(app)
    newest = jobs.jobs(empty)[0]
    assert (newest.id != stopped.id, newest.arguments) == (True, arguments)


def test_a_recognizer_is_renamed_and_removed(studio_workspace: Workspace, tmp_path: Path) -> None:
    recognizer = shelved(studio_workspace, tmp_path)
    added_at = shelf.recognizer(studio_workspace, recognizer).added_at
    app = page("Train")
    assert "75 %" in words(app)
    app.text_input(key=f"recognize_rename_{recognizer}").set_value("Bowl")
    app = sound(app)
    (one,) = shelf.recognizers(studio_workspace)
    assert (one.name, one.added_at) == ("Bowl", added_at)
    app.button(key=f"recognize_remove_{recognizer}").click()
    sound(app)
    assert shelf.recognizers(studio_workspace) == []


# The report


def test_the_report_shows_figures_beside_what_they_have_to_beat(studio_workspace: Workspace, tmp_path: Path) -> None:
    shelved(studio_workspace, tmp_path)
    app = page("Report")
    figures = {metric.label: metric.value for metric in app.metric}
    assert figures["Named right"] == "75 %"
    assert figures["Always the commonest"] == "50 %"
    assert "3 of 4" in words(app)
    assert "Two of four." in words(app)
    cell, wrong = components(app, "clips")
    assert [clip["title"] for clip in cell["clips"]] == ["kick*flip* 60 %"]  # the one mistake comes first
    assert [clip["title"] for clip in wrong["clips"]] == ["ollie, named kick*flip*"]


def test_another_cell_plays_its_clips(studio_workspace: Workspace, tmp_path: Path) -> None:
    shelved(studio_workspace, tmp_path)
    app = page("Report")
    app.selectbox(key="recognize_cell_picker").set_value(("kick*flip*", "kick*flip*"))
    cell, _ = components(sound(app), "clips")
    assert [clip["text"] for clip in cell["clips"]] == ["clip 0.mp4", "clip 1.mp4"]  # the surest first


def test_a_click_on_the_matrix_names_its_cell() -> None:
    assert recognize_charts.picked({"selection": {"cell": [{"truth": "a", "named": "b"}]}}) == ("a", "b")
    assert recognize_charts.picked({"selection": {"cell": []}}) is None
    assert recognize_charts.picked(None) is None


def test_what_is_no_video_is_never_handed_to_the_browser(studio_workspace: Workspace, tmp_path: Path) -> None:
    """Who sends a recognizer could name any file in its list of clips."""
    recognizer = shelved(studio_workspace, tmp_path)
    (tmp_path / "secret.txt").write_text("secret")
    judged = shelf.recognizer(studio_workspace, recognizer).folder / "judged.json"
    judged.write_text(judged.read_text().replace("clip 3.mp4", "secret.txt"))
    cell, _ = components(page("Report"), "clips")
    assert [clip["src"] for clip in cell["clips"]] == [""]


def test_nobody_knows_how_good_it_is(studio_workspace: Workspace, tmp_path: Path) -> None:
    shelved(studio_workspace, tmp_path, judged=False)
    assert "Nobody knows how good it is" in words(page("Report"))
