"""The review page: what it shows of the sample, what its controls do, and what it says where there is nothing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from core import jobs
from core.detector import starter
from core.intervals import Interval
from core.pipeline import found
from core.reviews import Decision, decide, reviews
from core.settings import ClipSettings, EventSettings, ExportSettings
from core.sighting import kept
from core.tricks import Trick
from core.uncertain import BELOW
from core.workspace import Workspace
from pages.widgets import cards, review
from pages.widgets.plain_text import count as said
from pages.widgets.plain_text import escaped
from pages.widgets.review import Memory
from tests.conftest import ROOT


def page(**state: Any) -> AppTest:
    app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=180)
    for key, value in state.items():
        app.session_state[key] = value
    app.run()
    return again(app.switch_page("pages/5_review.py"))


def again(app: AppTest) -> AppTest:
    app.run()
    assert not app.exception
    return app


def sent(app: AppTest, *, below: bool = False) -> list[dict[str, Any]]:
    """The cards that the browser gets: those on the list, or those that only a lower threshold finds."""
    for element in app.get("bidi_component"):
        data = json.loads(element.proto.json)
        if "cards" in data:
            return [card for card in data["cards"] if card["below"] == below]
    return []


def words(app: AppTest) -> str:
    kinds = (app.markdown, app.text, app.caption, app.warning, app.error, app.subheader)
    return "\n".join(str(element.value) for kind in kinds for element in kind)


def events(workspace: Workspace) -> list[Interval]:
    (session,) = workspace.sessions()
    seen = kept(session, workspace)
    assert seen
    return [
        Interval(e.start_frame, e.end_frame, e.label) for e in found(seen, workspace, workspace.settings(session.id))[0]
    ]


def test_an_empty_workspace_leads_to_the_upload(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRICKLINE_HOME", str(tmp_path / "home"))
    app = page()
    assert "Add a video or try the sample session" in words(app)
    assert sent(app) == []


def test_the_sample_session(studio_workspace: Workspace) -> None:
    app = page()
    shown = sent(app)
    assert [(card["start"], card["end"]) for card in shown] == [
        (e.start_frame, e.end_frame) for e in events(studio_workspace)
    ]
    assert all("threshold" in card["why"] for card in shown)
    assert all(card["from_s"] < card["last_s"] for card in shown)
    assert f"{len(shown)} tricks" in words(app)
    assert "undecided tricks count as kept" in words(app)
    assert not app.button(key="review_export").disabled


def test_nothing_found_says_what_to_do(studio_workspace: Workspace) -> None:
    (session,) = studio_workspace.sessions()
    settings = studio_workspace.settings(session.id)
    strict = EventSettings(default_threshold=1.0, min_event_s=30)
    studio_workspace.save_settings(session.id, settings.model_copy(update={"events": strict}))
    app = page()
    assert "No tricks were found" in words(app)
    assert sent(app) == []


def test_a_trick_that_a_person_marked_is_reviewed_and_exported_too(studio_workspace: Workspace) -> None:
    (session,) = studio_workspace.sessions()
    count = len(events(studio_workspace))
    studio_workspace.save_labels(session.id, [Interval(5, 20, "<b>ollie</b>")], "editor")
    app = page()
    (marked,) = [card for card in sent(app) if card["confidence"] is None]
    assert (marked["label"], marked["origin"]) == ("<b>ollie</b>", "by hand")
    assert marked["why"].startswith("You labelled it.")
    assert f"{count + 1} tricks" in words(app)


def test_rejected_tricks_are_left_out(studio_workspace: Workspace) -> None:
    (session,) = studio_workspace.sessions()
    decide(studio_workspace, session.id, [Decision(event, "reject") for event in events(studio_workspace)])
    app = page()
    assert app.button(key="review_export").disabled
    assert "Everything is left out" in words(app)
    assert {card["clip"] for card in sent(app)} == {"in no clip"}


def test_clip_settings_are_kept_and_show_at_once(studio_workspace: Workspace) -> None:
    (session,) = studio_workspace.sessions()
    app = page()
    app.slider(key="review_merge_gap_s").set_value(0.0)
    again(app)
    app.radio(key="review_mode").set_value("fast")
    again(app)
    assert studio_workspace.settings(session.id).clips == ClipSettings(merge_gap_s=0.0, mode="fast")
    count = len(events(studio_workspace))
    assert f"**{said(count, 'clip')} · {said(count, 'trick')}" in words(app)
    assert "fast**" in words(app)


def test_one_click_exports_all(studio_workspace: Workspace) -> None:
    (session,) = studio_workspace.sessions()
    app = page()
    app.button(key="review_export").click()
    again(app)
    (job,) = jobs.jobs(studio_workspace, session.id)
    assert job.kind == "export"
    exported = job.arguments["events"]
    assert [row[:3] for row in exported] == [[e.start_frame, e.end_frame, e.label] for e in events(studio_workspace)]
    assert all(0.5 <= confidence <= 1 for *_, confidence in exported)
    assert job.arguments["stars"] == [0] * len(events(studio_workspace))
    assert job.arguments["settings"] == ExportSettings().model_dump(mode="json")


# --- what a lower threshold finds


def test_what_only_a_lower_threshold_finds_is_asked_about(studio_workspace: Workspace) -> None:
    app = page()
    below = sent(app, below=True)
    assert below
    usual = starter().events.default_threshold
    for card in below:
        assert BELOW * usual <= card["confidence"] < usual
        assert card["why"].startswith("The probability came no higher than")
        assert card["clip"] == "in no clip"
    assert all(card["doubt"] > 0 for card in [*sent(app), *below])
    assert "What was not found counts once it is kept." in words(app)
    places = {(card["start"], card["end"]) for card in below}
    app.button(key="review_export").click()
    again(app)
    (job,) = jobs.jobs(studio_workspace)
    assert not places & {(start, end) for start, end, *_ in job.arguments["events"]}


def test_what_is_kept_below_the_threshold_is_a_trick_like_any_other(studio_workspace: Workspace) -> None:
    (session,) = studio_workspace.sessions()
    before = sent(page(), below=True)
    first, second = (Interval(card["start"], card["end"], card["label"]) for card in before[:2])
    decide(studio_workspace, session.id, [Decision(first, "keep"), Decision(second, "reject")])
    app = page()
    (kept,) = [card for card in sent(app) if card["verdict"] == "keep"]
    assert (kept["start"], kept["end"]) == (first.start_frame, first.end_frame)
    assert kept["clip"].startswith("clip ")
    newest = studio_workspace.labels(session.id)
    assert newest
    assert newest.intervals == (first,)
    # The rejected one stays where it was asked about, so that it can be taken back.
    assert [(card["start"], card["verdict"]) for card in sent(app, below=True)] == [
        (card["start"], "reject" if card["start"] == second.start_frame else "") for card in before[1:]
    ]


def test_what_is_labelled_is_not_asked_about(studio_workspace: Workspace) -> None:
    (session,) = studio_workspace.sessions()
    first, *others = sent(page(), below=True)
    studio_workspace.save_labels(session.id, [Interval(first["start"], first["end"])], "editor")
    assert [card["start"] for card in sent(page(), below=True)] == [card["start"] for card in others]


def test_moving_the_edges_of_what_was_not_found_keeps_it(studio_workspace: Workspace) -> None:
    (session,) = studio_workspace.sessions()
    memory = Memory(session.id)
    review.pick(memory, {"start": 100, "end": 120, "label": "trick", "action": "edit"})
    edit = {"editor": "w", "seq": 1, "items": [[96, 121, "trick"]]}
    review.adjust(studio_workspace, memory, Trick(Interval(100, 120)), edit, 600, keep=True)
    newest = studio_workspace.labels(session.id)
    assert newest
    assert newest.intervals == (Interval(96, 121),)


# --- what the browser sends

MESSAGE = {
    "editor": "e",
    "seq": 3,
    "decisions": {"a": {"start": 10, "end": 20, "label": "trick", "verdict": "keep", "stars": 2}},
}


def test_a_message_from_the_cards_is_kept_and_acknowledged(studio_workspace: Workspace) -> None:
    (session,) = studio_workspace.sessions()
    memory = Memory(session.id)
    review.take_decisions(studio_workspace, memory, MESSAGE)
    assert memory.ack == ("e", 3)
    (made,) = reviews(studio_workspace, session.id)
    assert (made.start_frame, made.verdict, made.stars) == (10, "keep", 2)
    review.take_decisions(studio_workspace, memory, MESSAGE)  # Streamlit sends it again after a reconnection
    assert len(reviews(studio_workspace, session.id)) == 1
    review.take_back(studio_workspace, memory)
    assert reviews(studio_workspace, session.id) == ()


@pytest.mark.parametrize(
    "message",
    [
        None,
        "keep",
        {},
        {"editor": "e", "seq": "3", "decisions": {}},
        {"editor": "e", "seq": 3, "decisions": []},
    ],
)
def test_what_is_no_message_is_passed_over(studio_workspace: Workspace, message: object) -> None:
    memory = Memory(studio_workspace.sessions()[0].id)
    review.take_decisions(studio_workspace, memory, message)
    assert memory.ack is None


@pytest.mark.parametrize(
    "change",
    [
        {"verdict": "perhaps"},
        {"stars": 9},
        {"stars": True},
        {"start": -1},
        {"start": 30},
        {"end": "20"},
        {"label": 5},
    ],
)
def test_nonsense_is_acknowledged_and_not_kept(studio_workspace: Workspace, change: dict[str, object]) -> None:
    (session,) = studio_workspace.sessions()
    memory = Memory(session.id)
    decision = {**MESSAGE["decisions"]["a"], **change}  # type: ignore[index]
    review.take_decisions(studio_workspace, memory, {**MESSAGE, "decisions": {"a": decision}})
    assert memory.ack == ("e", 3)
    assert reviews(studio_workspace, session.id) == ()


def test_a_decision_that_cannot_be_kept_is_not_acknowledged(studio_workspace: Workspace) -> None:
    memory = Memory("0" * 32)
    review.take_decisions(studio_workspace, memory, MESSAGE)
    assert memory.ack is None
    assert memory.error
    assert "no session" in memory.error


def test_a_person_is_told_where_his_own_label_disagrees(studio_workspace: Workspace) -> None:
    (session,) = studio_workspace.sessions()
    studio_workspace.save_labels(session.id, [Interval(10, 20)], "editor")
    memory = Memory(session.id)
    rejected = {**MESSAGE["decisions"]["a"], "verdict": "reject"}  # type: ignore[index]
    review.take_decisions(studio_workspace, memory, {**MESSAGE, "decisions": {"a": rejected}})
    assert "by hand" in memory.notes[0]
    assert escaped(memory.notes[0]) in words(page(review_memory=memory))


# --- adjusting


def test_new_bounds_from_the_workbench(studio_workspace: Workspace) -> None:
    (session,) = studio_workspace.sessions()
    memory = Memory(session.id)
    trick = Trick(Interval(100, 120))
    review.pick(memory, {"start": 100, "end": 120, "label": "trick", "action": "edit"})
    assert memory.adjusting
    review.adjust(studio_workspace, memory, trick, {"editor": "w", "seq": 1, "items": [[96, 121, "trick"]]}, 600)
    (made,) = reviews(studio_workspace, session.id)
    assert (made.kept_start, made.kept_end) == (96, 121)
    assert memory.adjusting.document(made.kept).ack == ("w", 1)
    assert memory.adjusting.external == 1  # what was sent is what is kept: the browser's own undo goes on
    # A second interval drawn there is not of this page: the browser gets its one interval back.
    edit = {"editor": "w", "seq": 2, "items": [[96, 121, "trick"], [300, 320, "trick"]]}
    review.adjust(studio_workspace, memory, Trick(trick.found, made), edit, 600)
    assert memory.adjusting.external == memory.adjusting.revision
    assert len(reviews(studio_workspace, session.id)) == 1
    review.as_found(studio_workspace, memory, Trick(trick.found, made))
    assert reviews(studio_workspace, session.id) == ()
    review.end_editing(memory, "100-120-trick")
    assert memory.focus == (3, "100-120-trick")


def test_the_page_shows_the_workbench_while_adjusting(studio_workspace: Workspace) -> None:
    (session,) = studio_workspace.sessions()
    first = events(studio_workspace)[0]
    memory = Memory(session.id, picked=first)
    review.begin_adjusting(memory, first)
    app = page(review_memory=memory)
    assert "Adjust" in words(app)
    assert app.button(key="review_as_found").disabled
    app.button(key="review_done").click()
    again(app)
    assert len(sent(app)) == len(events(studio_workspace))


def test_the_page_shows_the_framing_desk_and_comes_back(studio_workspace: Workspace) -> None:
    app = page()
    app.button(key="review_framing").click()
    again(app)
    assert "Framing" in words(app)
    assert "Clip 1 of" in words(app) or "Clip 2 of" in words(app)
    assert not sent(app)
    app.button(key="review_done").click()
    assert len(sent(again(app))) == len(events(studio_workspace))


@pytest.mark.parametrize(
    ("items", "bounds"),
    [
        ([[90, 130, "trick"]], (90, 130)),
        ([[300, 320, "trick"], [101, 119, "other"]], (101, 119)),
        ([[100, 9999, "trick"]], (100, 599)),
        ([], None),
        ("nonsense", None),
        ([[5, 2, "trick"], ["a", 7, "trick"], [1]], None),
    ],
)
def test_the_interval_most_like_the_trick_is_its_new_bounds(items: object, bounds: tuple[int, int] | None) -> None:
    assert cards.trimmed(items, Interval(100, 120), 600) == bounds
