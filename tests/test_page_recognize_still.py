"""A box round one player and clicks on who is cut out: what is believed of the browser, and what the jobs are told."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update

from core import jobs
from core.clips import plan_clips
from core.lanes import lane_of
from core.recognize import outlines
from core.recognize.naming import DrawnBox
from core.recognize.outlines import Click
from core.records import job_table
from core.sighting import kept
from core.workspace import Workspace
from pages.widgets.jobs import outcome, title
from pages.widgets.recognize_still import sent_box, sent_clicks
from tests.moments import frames_of, write_clip
from tests.test_page_recognize import components, finished, page, shelved, sound, tricks_of, words

BOX = {"frame": 7, "box": [0.1, 0.2, 0.3, 0.4]}
CLICKS = {"frame": 7, "clicks": [[0.5, 0.25, True], [0, 1, False]]}


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What the browser sent, by the key of the component."""
    state: dict[str, Any] = {}
    monkeypatch.setattr("streamlit.session_state", state)
    return state


def test_what_was_drawn_is_understood(sent: dict[str, Any]) -> None:
    assert sent_box("still", "a", 10) is None  # nothing was sent yet
    sent["still"] = {"mark": {"name": "a", "seq": 1, "value": BOX}}
    assert sent_box("still", "a", 10) == (DrawnBox(7, (0.1, 0.2, 0.3, 0.4)),)
    assert sent_box("still", "b", 10) is None  # of the session that was shown before
    sent["still"] = {"mark": {"name": "a", "seq": 2, "value": None}}
    assert sent_box("still", "a", 10) == (None,)
    assert sent_clicks("still", "a", 10) == ()
    sent["still"] = {"mark": {"name": "a", "seq": 3, "value": CLICKS}}
    assert sent_clicks("still", "a", 10) == (Click(7, 0.5, 0.25), Click(7, 0.0, 1.0, False))


@pytest.mark.parametrize(
    "value",
    [
        7, [], {"frame": 7}, {**BOX, "frame": 10}, {**BOX, "frame": -1}, {**BOX, "frame": 1.5}, {**BOX, "frame": "7"},
        {**BOX, "box": [0.3, 0.2, 0.1, 0.4]}, {**BOX, "box": [0.1, 0.2, 0.3]}, {**BOX, "box": [0.1, 0.2, 0.3, 1.1]},
        {**BOX, "box": [0.1, float("nan"), 0.3, 0.4]}, {**BOX, "box": "1234"},
        {**CLICKS, "clicks": [[0.5, 2, True]]}, {**CLICKS, "clicks": [[0.5, True]]}, {**CLICKS, "clicks": 3},
        {**CLICKS, "clicks": [[0.5, 0.5, True]] * 101},
    ],
)  # fmt: skip
def test_what_makes_no_sense_changes_nothing(sent: dict[str, Any], value: object) -> None:
    sent["still"] = {"mark": {"name": "a", "seq": 1, "value": value}}
    assert sent_box("still", "a", 10) is None
    assert sent_clicks("still", "a", 10) is None


# One player


def test_one_player_is_named_once_there_is_a_box(studio_workspace: Workspace, tmp_path: Path) -> None:
    (session,) = studio_workspace.sessions()
    recognizer = shelved(studio_workspace, tmp_path)
    here = {"recognize_what_kept": "The players", "recognize_who_kept": "One player"}
    app = page(**here)
    assert app.button(key="recognize_name").disabled
    (still,) = components(app, "first")
    assert (still["value"], still["first"]) == (None, 0)
    app = page(**here, recognize_drawn={session.id: DrawnBox(7, (0.1, 0.2, 0.3, 0.4))})
    (still,) = components(app, "first")
    assert still["value"] == BOX
    app.number_input(key="recognize_window_input").set_value(48)
    app = sound(app)
    app.button(key="recognize_name").click()
    app = sound(app)
    (job,) = jobs.jobs(studio_workspace)
    assert (job.arguments["recognizer"], job.arguments["players"]) == (recognizer, True)
    assert (job.arguments["drawn"], job.arguments["window"]) == ([7, 0.1, 0.2, 0.3, 0.4], 48)


def test_the_box_does_not_narrow_the_naming_of_everybody(studio_workspace: Workspace, tmp_path: Path) -> None:
    (session,) = studio_workspace.sessions()
    shelved(studio_workspace, tmp_path)
    drawn = {session.id: DrawnBox(7, (0.1, 0.2, 0.3, 0.4))}
    app = page(recognize_what_kept="The players", recognize_who_kept="Everybody", recognize_drawn=drawn)
    assert components(app, "first") == []
    app.button(key="recognize_name").click()
    sound(app)
    (job,) = jobs.jobs(studio_workspace)
    assert job.arguments["drawn"] is None


def test_one_player_and_everybody_are_kept_apart(studio_workspace: Workspace, tmp_path: Path) -> None:
    (session,) = studio_workspace.sessions()
    recognizer = shelved(studio_workspace, tmp_path)
    arguments = {"session": session.id, "recognizer": recognizer, "players": True, "drawn": [7, 0, 0, 1, 1]}
    note = "Windows of 16 frames last 0.53 s here: --window 48 would fit."
    lanes = {"2": [[7, 40, "ollie", 0.8]]}
    result = {"video": "v", "players": [2], "lanes": lanes, "files": [], "notes": [note]}
    finished(studio_workspace, "name", arguments, result)
    said = words(page(recognize_what_kept="The players", recognize_who_kept="One player"))
    assert "The player in the box of frame 7 · ollie" in said
    assert "a window of 48 would fit" in said
    assert "Nothing was named" in words(page(recognize_what_kept="The players"))


# Cutting out


@pytest.fixture
def weights(studio_workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Weights that nobody reads."""
    monkeypatch.setattr(outlines, "find_spec", lambda name: True)
    path = studio_workspace.home / "weights" / "sam2.1_t.pt"
    path.parent.mkdir(exist_ok=True)
    path.touch()
    return path


def test_what_is_missing_is_said_before_anything_starts(studio_workspace: Workspace, tmp_path: Path) -> None:
    app = page("Cut out")
    said = words(app)
    assert "There are no weights of SAM 2" in said
    assert "AGPL" in said
    assert app.button(key="recognize_cutout").disabled
    app.text_input(key="recognize_weights_input").set_value(str(tmp_path / "sam9.pt"))
    assert "sam9" in words(sound(app))
    assert jobs.jobs(studio_workspace) == []


def test_weights_are_named_as_paths_are_pasted(studio_workspace: Workspace, weights: Path) -> None:
    (session,) = studio_workspace.sessions()
    other = weights.with_name("sam2_b.pt")
    other.touch()
    state: dict[str, Any] = {
        f"recognize_cutout_clip {session.id}": "span",
        "recognize_clicked": {f"{session.id} cutout span": (Click(3, 0.5, 0.5),)},
    }
    for typed in (f'"{other}"', other.as_uri()):
        app = page("Cut out", recognize_cutout_weights=typed, **state)
        assert "sam2_b.pt" in words(app).replace("\\", "")
        assert "There are no weights" not in words(app)
    app.button(key="recognize_cutout").click()
    sound(app)
    (job,) = jobs.jobs(studio_workspace)
    assert job.arguments["weights"] == str(other)


@pytest.mark.parametrize("typed", ["~nobody-of-this-name/sam2_t.pt", f"/tmp/{'x' * 300}/sam2_t.pt"])
def test_weights_that_cannot_be_a_path_are_said(studio_workspace: Workspace, weights: Path, typed: str) -> None:
    app = page("Cut out", recognize_cutout_weights=typed)
    assert any(part in words(app) for part in ("is not a path", "cannot be looked at"))
    assert app.button(key="recognize_cutout").disabled


def test_a_cutout_of_another_machine_is_its_own(studio_workspace: Workspace, weights: Path, tmp_path: Path) -> None:
    (session,) = studio_workspace.sessions()
    name = f"{session.id} cutout span"
    state = {f"recognize_cutout_clip {session.id}": "span", "recognize_clicked": {name: (Click(3, 0.5, 0.5),)}}
    arguments = {"session": session.id, "clicks": [[30, 0.5, 0.5, True]], "span": [30, 60], "background": "blur"}
    finished(studio_workspace, "cutout", arguments, {"file": "/there/film.mp4"})
    running = jobs.submit(studio_workspace, "cutout", {**arguments, "weights": None}, session.id, start=False)
    with studio_workspace.database.transaction() as db:
        db.execute(update(job_table).values(home="elsewhere", host="other"))
    app = page("Cut out", **state)
    assert running.active
    assert not app.button(key="recognize_cutout").disabled
    assert "not there any more" not in words(app)


def test_a_clip_is_cut_out_round_the_clicks(studio_workspace: Workspace, weights: Path) -> None:
    (session,) = studio_workspace.sessions()
    look = kept(session, studio_workspace)
    assert look
    plan = plan_clips(tricks_of(studio_workspace), look.video, studio_workspace.settings(session.id).clips)[0]
    span = (plan.start_frame, plan.end_frame)
    app = page("Cut out")
    assert "sam2.1" in words(app)
    assert app.button(key="recognize_cutout").disabled
    (still,) = components(app, "first")
    assert (still["first"], still["last"], still["value"]) == (*span, None)
    clicks = (Click(span[0] + 3, 0.5, 0.25), Click(span[0] + 3, 0.1, 0.1, False))
    app = page("Cut out", recognize_clicked={f"{session.id} cutout {span[0]}-{span[1]}": clicks})
    app.button(key="recognize_cutout").click()
    app = sound(app)
    (job,) = jobs.jobs(studio_workspace)
    assert (job.kind, lane_of(job.kind)) == ("cutout", "footage")
    assert job.arguments == {
        "session": session.id,
        "clicks": [[span[0] + 3, 0.5, 0.25, True], [span[0] + 3, 0.1, 0.1, False]],
        "span": list(span),
        "background": "blur",
        "weights": None,
    }
    assert app.button(key="recognize_cutout").disabled
    assert title(job, {one.id: one.name for one in studio_workspace.sessions()}).startswith("Cut out · ")


def test_clicks_outside_of_a_shorter_stretch_are_forgotten(studio_workspace: Workspace, weights: Path) -> None:
    (session,) = studio_workspace.sessions()
    name = f"{session.id} cutout span"
    state = {f"recognize_cutout_clip {session.id}": "span", f"recognize_cutout_span {session.id}": (1.0, 1.0)}
    app = page("Cut out", **state, recognize_clicked={name: (Click(60, 0.5, 0.5),)})
    (still,) = components(app, "first")
    assert (still["first"], still["last"], still["value"]) == (30, 59, None)
    assert app.session_state["recognize_clicked"][name] == ()


def test_what_was_cut_out_is_played_and_downloaded(studio_workspace: Workspace, tmp_path: Path) -> None:
    (session,) = studio_workspace.sessions()
    film = write_clip(tmp_path / "film.mp4", frames_of("left", 1))
    arguments = {"session": session.id, "clicks": [[30, 0.5, 0.5, True]], "span": [30, 60], "background": "blur"}
    finished(studio_workspace, "cutout", arguments, {"file": str(film)})
    app = page("Cut out")
    assert any("<video" in element.proto.body for element in app.get("html"))
    assert "film.mp4" in words(app)
    (job,) = jobs.jobs(studio_workspace)
    assert outcome(job) == "Cut out."
    film.unlink()
    assert "not there any more" in words(page("Cut out"))
