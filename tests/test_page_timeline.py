"""The timeline page: what was measured, and the knobs that decide it, without a new look at the footage."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from core.metrics import REASON_WORDS
from core.settings import GuardrailSettings
from core.sighting import Look, kept
from core.workspace import Workspace
from pages.widgets import footage, guardrails
from tests.conftest import ROOT

PAGE = "pages/2_timeline.py"


def opened(page: str = PAGE) -> AppTest:
    app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=180).run()
    app.switch_page(page).run()
    assert not app.exception
    return app


def texts(app: AppTest) -> list[str]:
    return [text.value for text in app.text]


@pytest.fixture
def look(studio_workspace: Workspace) -> Look:
    (session,) = studio_workspace.sessions()
    seen = kept(session, studio_workspace)
    assert seen is not None
    return seen


def test_without_footage_the_page_leads_to_the_upload(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TRICKLINE_DB", raising=False)
    monkeypatch.setenv("TRICKLINE_HOME", str(tmp_path / "home"))
    app = opened()
    assert "No footage yet" in [one.value for one in app.subheader]


def test_footage_that_nobody_looked_at_leads_to_the_upload(studio_workspace: Workspace) -> None:
    (session,) = studio_workspace.sessions()
    studio_workspace.session_for(session.path, {"looked": None})
    assert "Nobody has looked at this footage yet" in [one.value for one in opened().subheader]


def test_the_guardrails_are_said_in_words(studio_workspace: Workspace, look: Look) -> None:
    rejected = look.signals.rejections
    app = opened()
    assert f"{300 - sum(rejected.values())} of 300 frames usable" in texts(app)
    for reason, count in rejected.items():
        shown = [button.label for button in app.button if button.key == f"rejected_{reason}"]
        assert shown == ([f"{count} frames: {REASON_WORDS[reason]}"] if count else [])


def test_a_knob_measures_anew_and_is_kept(studio_workspace: Workspace, look: Look) -> None:
    app = opened()
    app.slider(key="guardrail_min_torso_len").set_value(0.25).run()
    expected = look.with_guardrails(GuardrailSettings(min_torso_len=0.25)).signals.rejections
    assert f"{300 - sum(expected.values())} of 300 frames usable" in texts(app)
    (session,) = studio_workspace.sessions()
    assert studio_workspace.settings(session.id).guardrails == GuardrailSettings(min_torso_len=0.25)
    app.button(key="guardrail_defaults").click().run()
    assert studio_workspace.settings(session.id).guardrails == GuardrailSettings()
    assert app.slider(key="guardrail_min_torso_len").value == GuardrailSettings().min_torso_len


def test_the_stride_is_tried_without_a_new_look(studio_workspace: Workspace) -> None:
    app = opened()
    app.select_slider[0].set_value(2).run()
    assert not app.exception
    assert any("of 150 frames usable" in text for text in texts(app))


def test_a_count_leads_to_one_stretch_after_the_other(monkeypatch: pytest.MonkeyPatch) -> None:
    state: dict[str, Any] = {}
    monkeypatch.setattr("streamlit.session_state", state)
    seen = []
    for reason in ("no_person", "no_person", "no_person", "touching_edge"):
        guardrails.show_next("one", reason, [(4, 9), (30, 31)])
        shown = guardrails.shown_stretch("one")
        assert shown
        seen.append((shown.serial, shown.start, shown.end, guardrails.shown_reason("one")))
    assert seen == [
        (1, 4, 9, "no_person"),
        (2, 30, 31, "no_person"),
        (3, 4, 9, "no_person"),
        (4, 4, 9, "touching_edge"),
    ]
    assert (guardrails.shown_stretch("another"), guardrails.shown_reason("another")) == (None, None)


def test_a_click_on_a_person_chooses_the_skater(studio_workspace: Workspace) -> None:
    (session,) = studio_workspace.sessions()
    footage.choose_subject(session.id, {"frame": 40, "x": 0.5, "y": 0.5, "seq": 1})
    (choice,) = studio_workspace.subjects(session.id)
    assert (choice.frame, choice.x, choice.y) == (40, 0.5, 0.5)
    app = opened()
    assert "You chose the skater at 0:01.33." in texts(app)
    next(button for button in app.button if button.label == "Let the skater be found again").click().run()
    assert studio_workspace.subjects(session.id) == ()
