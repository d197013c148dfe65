"""The label page: what it shows, what its buttons do to the labels, and that files from outside do no harm."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from core.intervals import Interval
from core.label_palette import palette
from core.workspace import Workspace
from tests.conftest import ROOT

CSV = "start_frame,end_frame,label\n"


def page(**state: Any) -> AppTest:
    app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=180)
    for key, value in state.items():
        app.session_state[key] = value
    app.run()
    app.switch_page("pages/3_label.py").run()
    assert not app.exception
    return app


def at(app: AppTest, tab: str) -> AppTest:
    app.session_state["label_tabs"] = tab
    app.run()
    assert not app.exception
    return app


def texts(app: AppTest) -> str:
    kinds = (app.text, app.caption, app.warning, app.error, app.info, app.toast, app.subheader)
    return "\n".join(element.value for kind in kinds for element in kind)


def labels(workspace: Workspace, layer: str = "") -> list[tuple[int, int, str]]:
    (session,) = workspace.sessions()
    newest = workspace.labels(session.id, layer)
    return [(i.start_frame, i.end_frame, i.label) for i in newest.intervals] if newest else []


def sources(workspace: Workspace) -> list[str]:
    return [one.source for one in workspace.label_history(workspace.sessions()[0].id)]


def bench(workspace: Workspace) -> str:
    from pages.widgets.label_desk import bench_key

    return bench_key(workspace.sessions()[0].id, "")


def dropped(app: AppTest, content: str, name: str = "park.csv") -> AppTest:
    at(app, "Import").file_uploader[0].set_value((name, content.encode(), "text/plain"))
    app.run()
    assert not app.exception
    return app


def test_an_empty_workspace_leads_to_the_upload(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRICKLINE_HOME", str(tmp_path / "home"))
    app = page()
    assert "Add a video or try the sample session" in "\n".join(one.value for one in app.markdown)
    assert not app.tabs


def test_the_sample_session(studio_workspace: Workspace) -> None:
    app = page()
    assert "0 labelled · 2 found and not labelled" in texts(app)
    assert "Nothing is labelled yet." in texts(app)
    assert not app.error


def test_taking_over_what_was_found(studio_workspace: Workspace) -> None:
    """One click from found to labelled, and each can be taken alone."""
    app = page()
    app.button(key="label_found_0_last").click().run()
    assert len(labels(studio_workspace)) == 1
    app.button(key="label_take_over").click().run()
    assert len(labels(studio_workspace)) == 2
    assert sources(studio_workspace) == ["found by the detector"] * 2
    assert "2 labelled · 0 found and not labelled" in texts(app)
    assert "Take over" not in " ".join(button.label for button in app.button)
    assert [toast.value for toast in app.toast] == ["Saved as revision 2."]


def test_a_click_on_a_line_goes_there(studio_workspace: Workspace) -> None:
    studio_workspace.save_labels(studio_workspace.sessions()[0].id, [Interval(30, 60)], "editor")
    app = page()
    button = app.button(key="label_events_0_first")
    assert button.label == "0:01.00"
    button.click().run()
    app.button(key="label_events_0_first").click().run()
    assert app.session_state["label_show"][1:] == (2, 30, 60)


def test_an_edit_in_the_browser_is_saved(studio_workspace: Workspace) -> None:
    edit = {"editor": "e", "seq": 1, "base": 0, "items": [[247, 272, "trick"]]}
    app = page(**{bench(studio_workspace): {"edit": edit}})
    assert labels(studio_workspace) == [(247, 272, "trick")]
    assert "1 labelled" in texts(app)


def test_an_edit_that_makes_no_sense_is_said(studio_workspace: Workspace) -> None:
    edit = {"editor": "e", "seq": 1, "base": 0, "items": [[247, 10**6, "*trick*"]]}
    app = page(**{bench(studio_workspace): {"edit": edit}})
    assert "The last edit was not saved, because an interval ends at frame 1000000" in app.error[0].value
    assert labels(studio_workspace) == []


def test_a_conflict_stays_until_it_was_read(studio_workspace: Workspace) -> None:
    """The newer edit wins loudly, and whoever looks away for a minute still learns it."""
    session = studio_workspace.sessions()[0]
    studio_workspace.save_labels(session.id, [Interval(240, 270)], "editor", "Ann *the boss*")
    edit = {"editor": "e", "seq": 1, "base": 0, "items": [[247, 272, "trick"]]}
    app = page(**{bench(studio_workspace): {"edit": edit}})
    assert len(app.warning) == 1
    assert r"Ann \*the boss\* changed the labels" in app.warning[0].value
    assert labels(studio_workspace) == [(247, 272, "trick")]
    assert len(app.run().warning) == 1
    app.button(key="label_read").click().run()
    assert not app.warning


def test_an_import_is_shown_before_it_is_applied(studio_workspace: Workspace) -> None:
    session = studio_workspace.sessions()[0]
    studio_workspace.save_labels(session.id, [Interval(10, 40), Interval(100, 120), Interval(200, 220)], "editor")
    app = dropped(page(), CSV + "10,40,trick\n102,120,trick\n300,320,kickflip\n590,900,trick\n")
    assert "1 stay as they are · 1 added, 1 removed, 1 moved, 1 past the end" in texts(app)
    assert "1 of 4 intervals end after the last frame" in texts(app)
    assert "trick (was 100–120)" in texts(app)
    assert sources(studio_workspace) == ["editor"], "looking changes nothing"
    app.button(key="label_file_apply").click().run()
    assert labels(studio_workspace) == [(10, 40, "trick"), (102, 120, "trick"), (300, 320, "kickflip")]
    assert sources(studio_workspace)[0] == "import of park.csv"
    assert app.file_uploader[0].value is None, "ready for the next file"


def test_an_import_can_be_added(studio_workspace: Workspace) -> None:
    session = studio_workspace.sessions()[0]
    studio_workspace.save_labels(session.id, [Interval(10, 40), Interval(200, 220)], "editor")
    app = dropped(page(), CSV + "30,50,trick\n30,50,grind\n")
    app.radio(key="label_file_mode").set_value("add").run()
    assert "2 stay as they are · 1 added" in texts(app)
    app.button(key="label_file_apply").click().run()
    assert labels(studio_workspace) == [(10, 40, "trick"), (30, 50, "grind"), (200, 220, "trick")]


def test_an_import_never_replaces_what_was_not_on_the_screen(studio_workspace: Workspace) -> None:
    app = dropped(page(), CSV + "30,50,trick\n")
    studio_workspace.save_labels(studio_workspace.sessions()[0].id, [Interval(1, 2)], "editor", "Ben")
    app.button(key="label_file_apply").click().run()
    assert labels(studio_workspace) == [(1, 2, "trick")]
    assert any("were changed by Ben" in toast.value for toast in app.toast)


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("park.csv", CSV + "9,3,trick\n", "ends (frame 3) before it starts (frame 9)"),
        ("park.xml", "<annotations>", "is not whole XML"),
        ("park.json", "{}", "none of the label formats"),
        ("../../etc/passwd.csv", "", "passwd.csv is empty"),
        ("park.csv", CSV, "holds no labelled interval"),
    ],
)
def test_files_that_are_no_labels(studio_workspace: Workspace, name: str, content: str, said: str) -> None:
    """A sentence, and nothing changed."""
    app = dropped(page(), content, name)
    assert said in app.error[0].value.replace("\\", "")
    assert len(app.error) == 1
    assert labels(studio_workspace) == []


def markdown(app: AppTest) -> str:
    return "\n".join(element.value for element in app.markdown)


def changed(app: AppTest) -> list[str]:
    return [button.label for button in app.button if (button.key or "").startswith("label_change_")]


def test_history_brings_back_any_revision(studio_workspace: Workspace) -> None:
    session = studio_workspace.sessions()[0]
    studio_workspace.save_labels(session.id, [Interval(10, 40)], "editor", "Ann")
    studio_workspace.save_labels(session.id, [Interval(12, 40), Interval(50, 60)], "park.xml")
    app = at(page(), "History")
    assert app.button(key="label_restore_2").disabled
    app.button(key="label_restore_1").click().run()
    assert labels(studio_workspace) == [(10, 40, "trick")]
    assert sources(studio_workspace) == ["revision 1", "park.xml", "editor"]


def test_history_says_who_did_what(studio_workspace: Workspace) -> None:
    """For each save who, when, where and what; a click on a change goes there, to where it was if it is gone."""
    session = studio_workspace.sessions()[0]
    studio_workspace.save_labels(session.id, [Interval(30, 44), Interval(300, 311)], "import of park.csv", "Ann")
    studio_workspace.save_labels(session.id, [Interval(30, 50), Interval(300, 311, "ollie")], "editor", "Bo")
    studio_workspace.save_labels(session.id, [Interval(30, 50)], "review", None)
    app = at(page(), "History")
    saved_at = [one.saved_at.astimezone() for one in studio_workspace.label_history(session.id)]
    heads = [one for one in markdown(app).replace("\\", "").split("\n") if one.startswith("**")]
    assert heads == [
        f"**Somebody** · {saved_at[0]:%H:%M:%S} · on the Review page",
        f"**Bo** · {saved_at[1]:%H:%M:%S} · in the app",
        f"**Ann** · {saved_at[2]:%H:%M:%S} · imported from park.csv (CSV)",
    ]
    assert [one.replace("\\", "") for one in changed(app)] == [
        "removed ollie 0:10.00 – 0:10.40",
        "moved trick, end 0:01.50 → 0:01.70",
        "renamed trick to ollie at 0:10.00 – 0:10.40",
        "added trick 0:01.00 – 0:01.50",
        "added trick 0:10.00 – 0:10.40",
    ]
    app.button(key="label_change_3_0").click().run()
    assert app.session_state["label_show"][2:] == (300, 311)


def test_names_in_the_history_are_no_markup(studio_workspace: Workspace) -> None:
    """Authors, labels and files come from anybody who shares the records."""
    session = studio_workspace.sessions()[0]
    evil = "[a](http://evil) :red[b] $x$ <img src=y> **c**"
    studio_workspace.save_labels(session.id, [Interval(30, 44, evil)], f"import of {evil}.xml", f"{evil}")
    app = at(page(), "History")
    assert r"\[a\]\(http" in changed(app)[0]
    for text in (*changed(app), *(one for one in markdown(app).split("\n") if one.startswith("**"))):
        bare = text.removeprefix("**").replace("** ·", " ·")
        assert not re.search(r"(?<!\\)[\[\]<>$*]", bare), text


def test_a_long_history_comes_in_pages(studio_workspace: Workspace) -> None:
    """The newest ten first; the last page holds the beginning."""
    session = studio_workspace.sessions()[0]
    for number in range(23):
        studio_workspace.save_labels(session.id, [Interval(number, number + 9)], "editor", "Ann")
    app = at(page(), "History")

    def shown() -> list[int]:
        keys = [(button.key or "").removeprefix("label_restore_") for button in app.button]
        return [int(key) for key in keys if key.isdigit()]

    assert shown() == list(range(23, 13, -1))
    choice = app.selectbox(key="label_history_page")
    assert choice.options == ["1 to 10 of 23", "11 to 20 of 23", "21 to 23 of 23"]
    choice.set_value(2).run()
    assert not app.exception
    assert shown() == [3, 2, 1]
    app.button(key="label_restore_1").click().run()
    assert labels(studio_workspace) == [(0, 9, "trick")]


def test_what_others_save_is_told_once(studio_workspace: Workspace) -> None:
    """Who did what, in a line; what was there before the page was opened is no news, nor is one's own."""
    session = studio_workspace.sessions()[0]
    studio_workspace.save_labels(session.id, [Interval(30, 44)], "editor", "Ann")
    app = page()
    assert not app.toast
    theirs = studio_workspace.save_labels(session.id, [Interval(30, 44), Interval(300, 311)], "editor", "Bo *the boss*")
    app.run()
    at_ = f"{theirs.saved_at.astimezone():%H:%M:%S}"
    (toast,) = app.toast
    assert toast.value.replace("\\", "") == f"Bo *the boss*, {at_}: added trick 0:10.00 – 0:10.40."
    assert r"\*the boss\*" in toast.value
    assert not app.run().toast
    at(app, "History").button(key="label_restore_1").click().run()
    assert [one.value for one in app.toast] == [r"Revision 1 is back, as revision 3."]


def test_an_edit_beside_anothers_tells_it_in_one_line(studio_workspace: Workspace) -> None:
    session = studio_workspace.sessions()[0]
    app = page()
    studio_workspace.save_labels(session.id, [Interval(30, 44)], "editor", "Bo")
    app.session_state[bench(studio_workspace)] = {
        "edit": {"editor": "e", "seq": 1, "base": 0, "items": [[247, 272, "trick"]]}
    }
    app.run()
    assert labels(studio_workspace) == [(30, 44, "trick"), (247, 272, "trick")]
    (toast,) = app.toast
    assert toast.value.startswith("Bo, ")
    assert toast.value.replace("\\", "").endswith(": added trick 0:01.00 – 0:01.50.")


@pytest.mark.parametrize(
    ("name", "offset", "hours"),
    [
        ("Asia/Kolkata", -330, 5.5),
        ("America/New_York", None, -5),
        ("../../etc/passwd", -60, 1),
        ("Nowhere/Else", 480, -8),
        (None, 0, 0),
        ("", None, None),
        ("America", None, None),
        (None, 10**9, None),
    ],
)
def test_the_readers_time_zone(name: str | None, offset: int | None, hours: float | None) -> None:
    """The browser names it, and is believed nothing."""
    from pages.widgets.reader_time import zone_of

    zone = zone_of(name, offset)
    winter = datetime(2026, 1, 5, 12)
    assert (zone and zone.utcoffset(winter)) == (None if hours is None else timedelta(hours=hours))


def test_exports(studio_workspace: Workspace) -> None:
    app = at(page(), "Export")
    assert "nothing to export yet" in texts(app)
    studio_workspace.save_labels(studio_workspace.sessions()[0].id, [Interval(10, 40)], "editor")
    app.run()
    assert not app.exception
    assert [button.proto.label for button in app.get("download_button")] == [
        "CVAT XML",
        "Label Studio JSON",
        "LosslessCut project",
        "CSV",
        "Events JSON",
    ]


def test_labels_with_colours_and_keys(studio_workspace: Workspace) -> None:
    studio_workspace.save_labels(studio_workspace.sessions()[0].id, [Interval(10, 40, "ollie")], "editor")
    app = at(page(), "Labels")
    app.text_input(key="label_new_name").set_value("kickflip")
    next(button for button in app.button if button.label == "Add").click().run()
    assert [(style.name, style.key) for style in palette(studio_workspace.home)] == [
        ("trick", "1"),
        ("ollie", "2"),
        ("kickflip", "3"),
    ]
    app.text_input(key="label_style_1_ollie_name").set_value("nollie").run()
    assert labels(studio_workspace) == [(10, 40, "nollie")]
    assert sources(studio_workspace)[0] == "ollie renamed to nollie"
    app.selectbox(key="label_style_2_kickflip_key_3").set_value("1").run()
    assert [(style.name, style.key) for style in palette(studio_workspace.home)] == [
        ("trick", ""),
        ("nollie", "2"),
        ("kickflip", "1"),
    ]
    app.text_input(key="label_style_0_trick_name").set_value("nollie").run()
    assert any("There is a label nollie already" in toast.value for toast in app.toast)
    assert app.button(key="label_style_1_nollie_remove").disabled
    app.button(key="label_style_0_trick_remove").click().run()
    assert [style.name for style in palette(studio_workspace.home)] == ["nollie", "kickflip"]


def test_a_second_annotator(studio_workspace: Workspace) -> None:
    """He is not led by the first one, and the places where they differ are a click away."""
    session = studio_workspace.sessions()[0]
    studio_workspace.save_labels(session.id, [Interval(10, 40), Interval(100, 120)], "editor", "Ann")
    app = at(page(), "Annotators")
    assert "When two people have labelled" in texts(app)
    assert app.button(key="label_second").disabled
    app.text_input(key="label_author_input").set_value("Ben").run()
    app.button(key="label_second").click().run()
    assert "You edit the labels of Ben" in texts(app)
    at(app, "Events")
    assert "Take over" not in " ".join(button.label for button in app.button), "found events would lead him"
    assert "found" not in texts(app)
    studio_workspace.save_labels(session.id, [Interval(13, 40), Interval(200, 220)], "editor", "Ben", layer="Ben")
    at(app, "Annotators")
    assert "Ben begins" not in texts(app)
    assert "True labels begins 100 ms earlier" in texts(app)
    assert {"only in Ben", "only in True labels"} <= {text.value for text in app.text}
    assert [metric.label for metric in app.metric] == [
        "Cohen's κ, frames",
        "F1 of events, tIoU 0.1",
        "F1 of events, tIoU 0.5",
    ]
    app.button(key="label_disagreements_1_first").click().run()
    assert app.session_state["label_show"][2:] == (100, 120)
    app.selectbox(key="label_layer_input").set_value("").run()
    assert "You edit the labels of" not in texts(app)


def test_footage_that_nobody_has_looked_at(studio_workspace: Workspace) -> None:
    """Labels can be brought and taken before that; the workbench comes with the signals."""
    session = studio_workspace.sessions()[0]
    studio_workspace.session_for(session.path, {**session.facts, "looked": None})
    app = page()
    assert "Nobody has looked at this footage yet" in texts(app)
    dropped(app, CSV + "30,50,trick\n").button(key="label_file_apply").click().run()
    assert labels(studio_workspace) == [(30, 50, "trick")]
