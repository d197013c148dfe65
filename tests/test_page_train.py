"""The train page: from labels to a detector, and from a threshold to its effect."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import delete, update
from streamlit.testing.v1 import AppTest

from core import jobs, pipeline, sighting, tasks
from core.detector import starter
from core.errors import UserError
from core.intervals import Interval
from core.records import job_table, model_file_table
from core.reviews import Decision, decide
from core.settings import EventSettings
from core.workspace import Workspace
from pages.widgets import detectors, tuning
from pages.widgets.detectors import choose_model, load_model, tuned
from pages.widgets.plain_text import escaped
from pages.widgets.workbench import Show, Span
from sample_data.make_session import Session as Drawn
from tests.conftest import ROOT


class Bench:
    """Stands in for the component, of which no test without a browser sees anything."""

    def __init__(self) -> None:
        self.shown: dict[str, Any] = {}

    def __call__(self, key: str, footage: Any, **shown: Any) -> None:
        self.shown = shown

    def spans(self, lane: str) -> list[tuple[int, str]]:
        spans: list[Span] = list(self.shown[lane])
        assert all(span.why.endswith(".") for span in spans if span.state in ("wrong", "missed"))
        return [(span.start, span.state) for span in spans]


@pytest.fixture(autouse=True)
def bench(monkeypatch: pytest.MonkeyPatch) -> Bench:
    made = Bench()
    monkeypatch.setattr(tuning, "workbench", made)
    return made


@pytest.fixture
def labelled(studio_workspace: Workspace, session: Drawn) -> Workspace:
    """The drawn session with its true labels."""
    (only,) = studio_workspace.sessions()
    studio_workspace.save_labels(only.id, session.intervals, "cvat")
    return studio_workspace


@pytest.fixture
def spread(labelled: Workspace, session: Drawn) -> Workspace:
    """With a third label, made up, so far from the others that each end can be judged without its own trick."""
    (only,) = labelled.sessions()
    labelled.save_labels(only.id, [*session.intervals, Interval(560, 570)], "editor")
    return labelled


class Quiet:
    """A report that nobody reads."""

    def progress(self, step: str, fraction: float, frames_done: int | None = None) -> None:
        pass

    def cancelled(self) -> bool:
        return False


def train(workspace: Workspace, model: str = "logreg", name: str = "Ledge *v1*") -> str:
    """Train as the job would."""
    arguments = {"sessions": [workspace.sessions()[0].id], "settings": {"model": model}, "name": name}
    return str(tasks.train(workspace, arguments, Quiet())["model"])


def page(**state: Any) -> AppTest:
    app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=180)
    for key, value in state.items():
        app.session_state[key] = value
    app.run()
    app.switch_page("pages/4_train.py").run()
    return sound(app)


def sound(app: AppTest) -> AppTest:
    assert not app.exception, app.exception
    return app


def texts(app: AppTest) -> str:
    kinds = (app.text, app.caption, app.markdown, app.warning, app.error, app.info, app.subheader)
    return "\n".join(element.value for kind in kinds for element in kind)


def figures(app: AppTest) -> dict[str, str]:
    """The row of the tricks."""
    table = next(one.value for one in app.table if "Tricks" in one.value.index)
    return {str(name): str(value) for name, value in table.loc["Tricks"].items()}


def press(app: AppTest, label: str) -> AppTest:
    next(button for button in app.button if button.label == label).click()
    return sound(app.run())


# What is there to begin with


def test_an_empty_workspace_leads_to_the_upload(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TRICKLINE_DB", raising=False)
    monkeypatch.setenv("TRICKLINE_HOME", str(tmp_path / "home"))
    app = page()
    assert "Add a video or try the sample session" in texts(app)
    assert not app.slider


def test_footage_that_nobody_looked_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TRICKLINE_DB", raising=False)
    monkeypatch.setenv("TRICKLINE_HOME", str(tmp_path / "home"))
    (tmp_path / "new.mp4").write_bytes(b"frames" * 100)
    with Workspace.open(tmp_path / "home") as workspace:
        workspace.session_for(tmp_path / "new.mp4")
    app = page()
    assert "Nobody has looked at this footage yet" in texts(app)
    assert not app.slider


def test_without_labels_the_threshold_works_and_the_page_says_what_labels_add(
    studio_workspace: Workspace, bench: Bench
) -> None:
    app = page()
    assert "2 tricks found" in texts(app)
    assert "With labels this page also says which tricks were missed" in texts(app)
    assert "Nothing is labelled yet" in texts(app)
    assert not app.table
    assert [state for _, state in bench.spans("found")] == ["", ""]
    app.slider(key="train_threshold").set_value(1.0)
    sound(app.run())
    assert "0 tricks found" in texts(app)
    assert bench.shown["threshold"] == 1.0
    assert not bench.spans("found")


def test_with_labels_there_are_figures_curves_and_states(labelled: Workspace, bench: Bench, session: Drawn) -> None:
    app = page()
    row = figures(app)
    assert (row["Found"], row["False alarms"], row["F1"]) == ("2 of 2", "0", "1.00")
    assert 0 < float(row["F1 by chance"]) < 0.5
    assert [state for _, state in bench.spans("found")] == ["hit", "hit"]
    assert bench.spans("truth") == [(trick.start_frame, "hit") for trick in session.intervals]
    assert len(app.get("arrow_vega_lite_chart")) + len(app.get("vega_lite_chart")) == 2
    assert "The starter was trained on other skaters" in texts(app)
    assert "Missed: 0" in texts(app)


# Tuning


def test_what_is_missed_is_listed_and_a_click_plays_it(labelled: Workspace, bench: Bench, session: Drawn) -> None:
    app = page()
    app.slider(key="train_threshold").set_value(1.0)
    sound(app.run())
    assert figures(app)["Found"] == "0 of 2"
    assert [state for _, state in bench.spans("truth")] == ["missed", "missed"]
    assert "Missed: 2" in texts(app)
    assert "The probability came no higher than" in texts(app)
    trick = session.intervals[1]
    app.button(key=f"train_missed_{trick.start_frame}_{trick.end_frame}").click()
    sound(app.run())
    show = bench.shown["show"]
    assert isinstance(show, Show)
    assert show.serial == 1
    assert show.play
    assert show.start == pytest.approx(trick.start_frame - 30, abs=1)  # a second before
    assert show.end == pytest.approx(trick.end_frame + 30, abs=1)


def test_false_alarms_are_listed(studio_workspace: Workspace, bench: Bench) -> None:
    (only,) = studio_workspace.sessions()
    studio_workspace.save_labels(only.id, [Interval(0, 9)], "editor")
    app = page()
    assert "False alarms: 2" in texts(app)
    assert "No trick is labelled here." in texts(app)
    assert {state for _, state in bench.spans("found")} == {"wrong"}


def test_footage_labelled_as_without_tricks(studio_workspace: Workspace, bench: Bench) -> None:
    """All that is found there is wrong, though there is no figure for what was missed."""
    (only,) = studio_workspace.sessions()
    studio_workspace.save_labels(only.id, [], "editor")
    page()
    assert [state for _, state in bench.spans("found")] == ["wrong", "wrong"]


def test_the_rules_reach_the_settings(labelled: Workspace, bench: Bench) -> None:
    app = page()
    (only,) = labelled.sessions()
    for field, value in (
        ("required_streak", 3),
        ("max_gap_frames", 25),
        ("min_event_s", 0.25),
        ("timestamp_cooldown_s", 0.0),
    ):
        app.number_input(key=f"train_{field}").set_value(value)
        sound(app.run())
    press(app, "Keep for this session")
    assert labelled.settings(only.id).events == EventSettings(
        default_threshold=starter().events.default_threshold,
        required_streak=3,
        max_gap_frames=25,
        min_event_s=0.25,
        timestamp_cooldown_s=0.0,
    )


def test_nothing_is_kept_until_it_is_said(labelled: Workspace, bench: Bench) -> None:
    """Review shows other clips from then on, so a slider that is only tried must not do that."""
    (only,) = labelled.sessions()
    app = page()
    assert app.button(key="train_keep").disabled
    app.slider(key="train_threshold").set_value(0.3)
    sound(app.run())
    assert labelled.settings(only.id).events is None
    assert not app.button(key="train_keep").disabled
    press(app, "Keep for this session")
    kept = labelled.settings(only.id)
    assert kept.events is not None
    assert kept.events.default_threshold == 0.3
    assert app.button(key="train_keep").disabled
    seen = sighting.kept(labelled.session(only.id), labelled)
    assert seen is not None
    found, _ = pipeline.found(seen, labelled, kept)
    assert [event.start_frame for event in found] == [start for start, _ in bench.spans("found")]
    press(app, "Detector's own")
    assert app.slider(key="train_threshold").value == starter().events.default_threshold


def test_what_was_tried_survives_a_change_of_page(labelled: Workspace) -> None:
    app = page()
    app.slider(key="train_threshold").set_value(0.3)
    app.run()
    app.switch_page("pages/2_timeline.py").run()
    app.switch_page("pages/4_train.py").run()
    assert sound(app).slider(key="train_threshold").value == 0.3


def test_the_best_point_is_found(labelled: Workspace, bench: Bench) -> None:
    app = page()
    app.slider(key="train_threshold").set_value(0.99)
    app.run()
    press(app, "Best point")
    assert figures(app)["F1"] == "1.00"
    assert "Every threshold from" in texts(app)
    assert bench.shown["threshold"] == app.slider(key="train_threshold").value
    app.selectbox(key="train_wanted").set_value(1.0)
    app.run()
    press(app, "Best point")
    assert figures(app)["Recall"] == "1.00"
    app.slider(key="train_threshold").set_value(0.2)
    sound(app.run())
    assert "Every threshold from" not in texts(app)  # it was said of another one


def test_the_line_on_the_curve_can_be_dragged(labelled: Workspace, bench: Bench) -> None:
    """Beyond the end of the scale it stays at the end."""
    page()
    moved = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tuning, "tuned", lambda *_: EventSettings())
        patch.setattr(tuning, "tune_to", lambda session, model, events: moved.append(events.default_threshold))
        for value in (0.25, 0.2539, 0.9951, -1.0, 7.0):
            patch.setattr("streamlit.session_state", {tuning.BENCH: {"threshold": {"value": value, "seq": 1}}})
            bench.shown["on_threshold"]()
    assert moved == [0.25, 0.25, 0.995, 0.0, 1.0]


# Training and models


@pytest.mark.parametrize("button", ["Train on everything", "Train on these"])
def test_a_training_is_asked_for_with_what_was_chosen(labelled: Workspace, button: str) -> None:
    (only,) = labelled.sessions()
    app = page()
    app.selectbox(key="train_estimator").set_value("logreg").run()
    app.selectbox(key="train_features").set_value("temporal").run()
    press(app, button)
    (job,) = jobs.jobs(labelled)
    chosen = None if button == "Train on everything" else [only.id]
    assert (job.kind, job.arguments["sessions"], job.arguments["name"]) == ("train", chosen, "Detector 1")
    settings = job.arguments["settings"]
    assert (settings["feature_set"], settings["model"]) == ("temporal", "logreg")
    assert any(button.label == "Cancel" for button in app.button)


def test_the_starter_is_adapted_unless_something_else_is_chosen(labelled: Workspace) -> None:
    """What it sees is the starter's then, and is not asked for."""
    app = page()
    assert app.selectbox(key="train_estimator").value == "adapted"
    assert not [box for box in app.selectbox if box.label == "What it sees"]
    press(app, "Train on everything")
    (job,) = jobs.jobs(labelled)
    made = tasks.train(labelled, job.arguments, Quiet())
    (only,) = labelled.sessions()
    choose_model(only.id, made["model"])
    assert figures(page())["Found"] == "2 of 2"


@pytest.mark.parametrize("unset", ["sessions", "name"])
def test_nothing_is_trained_without_sessions_or_a_name(labelled: Workspace, unset: str) -> None:
    (only,) = labelled.sessions()
    app = page()
    if unset == "sessions":
        app.multiselect(key=f"train_sessions_{only.id}").set_value([])
    else:
        app.text_input(key="train_name_0").set_value("  ")
    sound(app.run())
    assert app.button(key="train_start").disabled
    assert app.button(key="train_everything").disabled == (unset == "name")


def test_the_page_says_what_everything_is(labelled: Workspace, session: Drawn) -> None:
    (only,) = labelled.sessions()
    assert "Everything: 1 session, 2 labelled." in texts(page())
    near = Interval(session.intervals[0].start_frame, session.intervals[0].end_frame + 1)
    decide(labelled, only.id, [Decision(near, "keep"), Decision(Interval(5, 20), "reject")])
    app = page()
    assert "Everything: 1 session, 2 labelled, 1 kept, 1 rejected." in texts(app)
    assert app.multiselect(key=f"train_sessions_{only.id}").options == ["session · 2 labelled, 1 kept, 1 rejected"]


def test_a_review_alone_is_enough_to_train_on(studio_workspace: Workspace) -> None:
    (only,) = studio_workspace.sessions()
    decide(studio_workspace, only.id, [Decision(Interval(130, 141), "keep"), Decision(Interval(368, 381), "reject")])
    assert "Everything: 1 session, 1 kept, 1 rejected." in texts(page())
    made = tasks.train(studio_workspace, {"sessions": None, "settings": {"model": "logreg"}, "name": "x"}, Quiet())
    choose_model(only.id, made["model"])
    sound(page())


def test_what_nobody_decided_is_neither_right_nor_wrong(studio_workspace: Workspace, bench: Bench) -> None:
    """One of two finds was rejected: the other is no false alarm, though it is still shown."""
    (only,) = studio_workspace.sessions()
    seen = sighting.kept(only, studio_workspace)
    assert seen is not None
    (first, second), _ = pipeline.found(seen, studio_workspace, studio_workspace.settings(only.id))
    decide(studio_workspace, only.id, [Decision(first, "reject")])
    app = page()
    assert [state for _, state in bench.spans("found")] == ["wrong", ""]
    assert "2 tricks found" in texts(app)
    assert "False alarms: 1" in texts(app)
    decide(studio_workspace, only.id, [Decision(second, "keep")])  # on another page meanwhile
    app = page()
    assert [state for _, state in bench.spans("found")] == ["wrong", "hit"]
    assert (figures(app)["Found"], figures(app)["False alarms"]) == ("1 of 1", "1")


def test_what_was_left_out_of_a_training_is_said(labelled: Workspace) -> None:
    (only,) = labelled.sessions()
    job = jobs.submit(labelled, "train", {"sessions": None, "settings": {}, "name": "x"}, only.id, start=False)
    with labelled.database.transaction() as db:
        result = {"model": train(labelled), "skipped": ["<b>lost</b> was left out. Its video is gone."]}
        db.execute(update(job_table).where(job_table.c.id == job.id).values(state="done", result=result))
    assert escaped("<b>lost</b> was left out. Its video is gone.") in texts(page(train_job=job.id))


def test_what_the_corrections_were_worth_is_drawn(labelled: Workspace) -> None:
    """As the training stored it: the page computes nothing."""
    (only,) = labelled.sessions()
    app = page()
    assert "What your corrections were worth" not in [expander.label for expander in app.expander]
    kept = labelled.model(train(labelled))
    point = {"tiou": {"0.1": {"f1": 0.5}, "0.5": {"f1": None}}, "false_alarms_per_minute": 2.0}
    curve = [{"corrections": 0, **point}, {"corrections": 5, **point}]
    choose_model(only.id, labelled.add_model(kept.path, "x", {**kept.meta, "learning_curve": curve}).id)
    app = page()
    assert "What your corrections were worth" in [expander.label for expander in app.expander]
    assert "on footage that none of them came from" in texts(app)


def test_a_finished_training_is_used_at_once(labelled: Workspace, bench: Bench) -> None:
    (only,) = labelled.sessions()
    model_id = train(labelled)
    arguments = {"sessions": [only.id], "settings": {}, "name": "x"}
    job = jobs.submit(labelled, "train", arguments, only.id, start=False)
    with labelled.database.transaction() as db:
        done = update(job_table).where(job_table.c.id == job.id)
        db.execute(done.values(state="done", result={"model": model_id, "validation": {}, "unvalidated": None}))
    app = page(train_job=job.id)
    assert labelled.settings(only.id).model == model_id
    assert app.radio(key="train_model").value == model_id
    choose_model(only.id, "")
    assert page(train_job=job.id, train_taken=job.id).radio(key="train_model").value == ""


def test_a_model_that_knows_the_tricks_by_heart_says_so(labelled: Workspace) -> None:
    """Two tricks so close that none can be left out: perfect figures, and worth nothing."""
    (only,) = labelled.sessions()
    choose_model(only.id, train(labelled))
    app = page()
    assert "The model was trained on these very tricks, so the figures flatter it" in texts(app)
    assert "Too little was labelled to leave a part of it out" in texts(app)


def test_a_model_is_judged_by_what_it_has_not_seen(spread: Workspace, bench: Bench) -> None:
    (only,) = spread.sessions()
    model_id = train(spread)
    choose_model(only.id, model_id)
    app = page()
    assert "Each trick is judged by a detector of the same kind that was trained without it." in texts(app)
    compared = next(one.value for one in app.table if "Chance" in one.value.index)
    assert list(compared.index) == ["This model", "Starter", "The original's recipe", "Chance"]
    assert compared.loc["Starter", "Tricks found"] == "2 of 3"
    assert compared.loc["This model", "Tricks found"] == figures(app)["Found"]
    assert compared.loc["Chance", "Trick F1"]
    assert any(expander.label == "What it goes by" for expander in app.expander)
    app.segmented_control(key="train_protocol").set_value("last ")
    sound(app.run())
    assert "Trained on the first 80 %" in texts(app)


def test_the_list_of_models_names_them_plainly(labelled: Workspace) -> None:
    """A model called *x* is called *x*, and one called :red[x] is not red."""
    model_id = train(labelled, name=":red[hot] *v1*")
    radio = page().radio(key="train_model")
    assert radio.options == ["Starter", escaped(":red[hot] *v1*")]
    assert escaped(":red[hot] *v1*") == r"\:red\[hot\] \*v1\*"
    assert model_id in [model.id for model in labelled.models()]


def test_changing_the_detector_keeps_what_was_tried_with_each(labelled: Workspace) -> None:
    (only,) = labelled.sessions()
    model_id = train(labelled)
    app = page()
    app.slider(key="train_threshold").set_value(0.3)
    app.run()
    app.radio(key="train_model").set_value(model_id)
    sound(app.run())
    assert labelled.settings(only.id).model == model_id
    assert app.slider(key="train_threshold").value == 0.5
    app.radio(key="train_model").set_value("")
    sound(app.run())
    assert labelled.settings(only.id).model is None
    assert app.slider(key="train_threshold").value == 0.3


def test_models_are_compared(labelled: Workspace) -> None:
    (only,) = labelled.sessions()
    train(labelled, name="First")
    choose_model(only.id, train(labelled, name="Second"))
    app = page()
    (compared,) = [one.value for one in app.dataframe]
    assert list(compared["Name"]) == ["Second", "First"]
    assert list(compared["Method"]) == ["motion, logreg"] * 2


def test_a_model_file_can_be_loaded_and_used(spread: Workspace) -> None:
    (only,) = spread.sessions()
    content = spread.model(train(spread)).path.read_bytes()
    load_model(only.id, content, "from a friend.skops")
    newest = spread.models()[0]
    assert newest.name == "from a friend"
    assert spread.settings(only.id).model == newest.id
    app = page()
    assert app.radio(key="train_model").value == newest.id
    # Its training is known by the name of the video alone, and that is enough for an honest figure.
    assert "trained without it" in texts(app)


def test_a_file_that_is_no_model_changes_nothing(labelled: Workspace) -> None:
    (only,) = labelled.sessions()
    with pytest.raises(UserError, match=r"holiday\.skops is not a Trickline model"):
        load_model(only.id, b"PK\x03\x04 not at all", "holiday.skops")
    assert not labelled.models()
    app = page()
    app.file_uploader(key="train_load_0").set_value(("holiday.skops", b"nonsense", "application/octet-stream"))
    sound(app.run())
    assert "holiday.skops is not a Trickline model" in texts(app)
    assert labelled.settings(only.id).model is None


def test_a_lost_model_leaves_a_way_out(labelled: Workspace) -> None:
    (only,) = labelled.sessions()
    model_id = train(labelled)
    choose_model(only.id, model_id)
    labelled.model(model_id).path.unlink()
    with labelled.database.transaction() as db:
        db.execute(delete(model_file_table))
    detectors._opened.clear()
    app = page()
    assert "is gone; put it back or train the model again" in texts(app)
    press(app, "Use the starter")
    assert app.slider(key="train_threshold").value == starter().events.default_threshold


def test_settings_of_another_detector_are_not_taken_over(labelled: Workspace) -> None:
    """A threshold that suits the starter says nothing about a forest."""
    (only,) = labelled.sessions()
    model_id = train(labelled)
    settings = labelled.settings(only.id)
    labelled.save_settings(only.id, settings.model_copy(update={"events": EventSettings(default_threshold=0.9)}))
    assert tuned(only.id, "").default_threshold == 0.9
    assert tuned(only.id, model_id).default_threshold == 0.5
