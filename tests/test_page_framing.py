"""The framing desk: what it shows of a clip's crop, what it keeps, and what it believes of what the browser sends."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from core.clips import ClipPlan
from core.framing import Keyframe
from core.framing.session import NOT_LOOKED, clip_path
from core.intervals import Interval
from core.settings import ClipSettings, FramingSettings, SessionSettings
from core.video import Video
from core.workspace import Workspace
from pages.widgets.framing import Desk, take_keyframes
from pages.widgets.media import PUBLISHED
from tests.conftest import ROOT
from tests.media_server import write_video

APP = ROOT / "tests" / "browser" / "framing_app.py"
FRAMES = 180
PLAN = ClipPlan(40, 140, 1.6, 5.64, (Interval(80, 100, "ollie"),))


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Video:
    return Video.open(write_video(tmp_path_factory.mktemp("framing") / "ride.mp4", FRAMES))


@pytest.fixture
def workspace(video: Video, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Workspace]:
    """A workspace that knows the video, which the page takes for its own."""
    monkeypatch.delenv("TRICKLINE_DB", raising=False)
    monkeypatch.setenv("TRICKLINE_HOME", str(tmp_path / "home"))
    with Workspace.open(tmp_path / "home") as workspace:
        workspace.session_for(video.path)
        yield workspace


def keep(workspace: Workspace, **framing: Any) -> str:
    """Save a framing; gives the id of the session."""
    (session,) = workspace.sessions()
    workspace.save_settings(session.id, SessionSettings(framing=FramingSettings(**framing)))
    return session.id


def page(options: str = "") -> AppTest:
    app = AppTest.from_file(str(APP), default_timeout=180)
    app.query_params["options"] = options
    return again(app)


def again(app: AppTest) -> AppTest:
    app.run()
    assert not app.exception
    return app


def sent(app: AppTest) -> Any:
    """What the workbench gets of the crop."""
    (bench,) = app.get("bidi_component")
    return json.loads(bench.proto.json)["framing"]


def words(app: AppTest) -> str:
    return "\n".join(str(element.value) for kind in (app.caption, app.warning, app.error) for element in kind)


def test_the_whole_picture_until_a_shape_is_chosen(workspace: Workspace) -> None:
    session = keep(workspace, keyframes=(Keyframe(60, 0.4, 0.5),))
    app = page()
    assert sent(app) is None
    assert "The clip shows the whole picture." in words(app)
    app.segmented_control(key="framing_shape").set_value("9:16")
    again(app)
    assert workspace.settings(session).framing == FramingSettings(aspect="9:16", keyframes=(Keyframe(60, 0.4, 0.5),))
    assert sent(app)["keyframes"] == [[60, 0.4, 0.5, 1.0]]


def test_the_browser_gets_the_crop_of_each_frame(workspace: Workspace) -> None:
    """What it draws over the picture is what an export cuts."""
    keep(workspace, aspect="1:1", keyframes=(Keyframe(60, 0.4, 0.5, 2.0), Keyframe(170, 0.9, 0.5)))
    framing = sent(page())
    assert framing["keyframes"] == [[60, 0.4, 0.5, 2.0]]  # the other one is of another clip
    assert framing["window"] == [48 / 64, 1.0]
    path = np.frombuffer(PUBLISHED.get(framing["path_url"].rpartition("/")[2]).content, "<f4").reshape(-1, 4)  # type: ignore[union-attr]
    assert len(path) == framing["end"] - framing["start"] + 1
    assert path[60 - framing["start"]] == pytest.approx([0.4 - 24 / 64 / 2, 0.25, 24 / 64, 0.5], abs=1e-6)
    assert (path[:, :2] >= 0).all()
    assert (path[:, :2] + path[:, 2:] <= 1 + 1e-6).all()


def test_a_video_that_nobody_has_looked_at_says_so(workspace: Workspace) -> None:
    keep(workspace, aspect="9:16")
    app = page("nobody")
    assert "has not been looked at" in words(app)
    assert sent(app)["keyframes"] == []


def test_a_fast_cut_is_said_to_be_in_the_way_and_one_click_mends_it(workspace: Workspace) -> None:
    (session,) = workspace.sessions()
    fast = SessionSettings(framing=FramingSettings(aspect="9:16"), clips=ClipSettings(mode="fast"))
    workspace.save_settings(session.id, fast)
    app = page()
    assert "cannot be cropped" in words(app)
    app.button(key="framing_exact").click()
    again(app)
    assert workspace.settings(session.id).clips.mode == "exact"
    assert "cannot be cropped" not in words(app)


def edit(*items: list[float], seq: int = 1, editor: str = "a") -> dict[str, Any]:
    return {"editor": editor, "seq": seq, "base": 1, "items": list(items)}


def test_an_edit_takes_the_place_of_the_keyframes_of_its_clip_alone(workspace: Workspace) -> None:
    before, inside, after = Keyframe(39, 0.2, 0.5), Keyframe(40, 0.3, 0.5), Keyframe(141, 0.4, 0.5)
    session = keep(workspace, aspect="4:5", keyframes=(before, inside, after))
    desk = Desk(session, 40, 140)
    take_keyframes(workspace, desk, edit([140, 0.6, 0.5, 1], [70, 0.5, 0.4, 1.5]))
    kept = (before, Keyframe(70, 0.5, 0.4, 1.5), Keyframe(140, 0.6, 0.5), after)
    assert workspace.settings(session).framing == FramingSettings(aspect="4:5", keyframes=kept)
    assert (desk.ack, desk.error) == (("a", 1), None)


def test_an_edit_that_comes_again_or_late_is_passed_over(workspace: Workspace) -> None:
    """The browser sends until it hears; what was undone meanwhile must not come back."""
    session = keep(workspace)
    desk = Desk(session, 40, 140)
    take_keyframes(workspace, desk, edit([70, 0.5, 0.5, 1], seq=1))
    take_keyframes(workspace, desk, edit(seq=2))
    take_keyframes(workspace, desk, edit([70, 0.5, 0.5, 1], seq=1))
    assert workspace.settings(session).framing.keyframes == ()
    assert desk.ack == ("a", 2)
    take_keyframes(workspace, desk, edit([80, 0.5, 0.5, 1], editor="b"))
    assert [key.frame for key in workspace.settings(session).framing.keyframes] == [80]


def test_what_the_browser_is_told_has_a_new_number_whenever_it_is_another(workspace: Workspace) -> None:
    """It takes nothing over that is older than what it has, and another tab may have changed the keyframes."""
    session = keep(workspace)
    desk = Desk(session, 40, 140)
    first = desk.show(workspace)[1]
    assert desk.show(workspace)[1] == first
    keep(workspace, keyframes=(Keyframe(20, 0.5, 0.5),))
    assert desk.show(workspace)[1] == first
    keep(workspace, keyframes=(Keyframe(50, 0.5, 0.5),))
    assert desk.show(workspace)[1].revision > first.revision
    assert Desk(session, 40, 140).revision >= first.revision


@pytest.mark.parametrize(
    "items",
    [
        None,
        [[70, 0.5, 0.5]],
        [[70, 0.5, "x", 1]],
        [[70, 1.5, 0.5, 1]],
        [[70, 0.5, 0.5, 0.5]],
        [[70, 0.5, 0.5, float("nan")]],
        [[float("inf"), 0.5, 0.5, 1]],
        [[141, 0.5, 0.5, 1]],
        [[70, 0.5, 0.5, 1], [70, 0.6, 0.5, 1]],
        [[70, 0.5, 0.5, 1]] * 102,
    ],
)
def test_what_makes_no_sense_changes_nothing(workspace: Workspace, items: Any) -> None:
    session = keep(workspace, keyframes=(Keyframe(60, 0.5, 0.5),))
    desk = Desk(session, 40, 140)
    take_keyframes(workspace, desk, {"editor": "a", "seq": 1, "base": 1, "items": items})
    assert [key.frame for key in workspace.settings(session).framing.keyframes] == [60]
    assert desk.error
    assert desk.ack is None


def test_a_clip_of_the_whole_picture_has_no_path(video: Video) -> None:
    assert clip_path(None, video, PLAN, FramingSettings()) is None


def test_without_anybody_seen_the_crop_is_in_the_middle_and_keyframes_lead_it(video: Video) -> None:
    """A keyframe that is not of this video must not keep it from being exported."""
    keys = Keyframe(70, 0.3, 0.5), Keyframe(10_000, 0.1, 0.5)
    path = clip_path(None, video, PLAN, FramingSettings(aspect="9:16", keyframes=keys))
    assert path
    assert path.notes == (NOT_LOOKED,)
    middle = (path.x + path.width / 2) / 64
    assert middle[70 - 40] == pytest.approx(0.3)
    assert middle[[0, -1]] == pytest.approx(0.5, abs=1e-3)
