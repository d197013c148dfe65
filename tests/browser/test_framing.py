"""The crop is led by hand in a real browser: what lies over the picture is what is cut, frame for frame."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Locator, Page

from core.clips import ClipPlan, plan_clips
from core.framing import Keyframe
from core.framing.bodies import look_at_bodies
from core.framing.crop import CropPath
from core.framing.session import clip_path
from core.intervals import Interval
from core.metrics import signals
from core.settings import ClipSettings, FramingSettings, GuardrailSettings, SessionSettings
from core.video import Video
from core.workspace import Workspace
from tests.browser.test_workbench import FIND, READ_BITS, make_video
from tests.conftest import ROOT
from tests.skater import ASPECT, filmed
from tests.studio import Studio

APP = ROOT / "tests" / "browser" / "framing_app.py"
FRAMES = 180
WATCH = """
(wb) => new Promise((done) => {
  const seen = [];
  const look = () => {
    const left = parseFloat(wb.picture.element.querySelector('.crop-window').style.left);
    seen.push([left / wb.picture.box.width, wb.framing.rectAt(wb.player.shown)?.x ?? -1]);
    if (seen.length < 20) requestAnimationFrame(() => setTimeout(look));
    else done(seen);
  };
  look();
})
"""
"""Where the crop is drawn while the video plays, and where the frame on the screen wants it."""


class Desk:
    """The framing desk on a page, as somebody uses it."""

    def __init__(self, page: Page, home: Path, address: str, options: str) -> None:
        self.page, self.home, self.address = page, home, f"{address}/?options={options}"
        page.goto(self.address)
        self.ready()

    def ready(self) -> None:
        """Wait until the video can be played and the keys are heard."""
        self.page.get_by_role("application").wait_for()
        self.page.wait_for_function(f"() => {{ const wb = {FIND}; return wb?.times && wb.player.ready; }}")
        self.page.get_by_role("application").focus()

    @property
    def crop(self) -> Locator:
        return self.page.get_by_role("group", name="Crop window")

    @property
    def marks(self) -> Locator:
        return self.page.get_by_role("group", name="Keyframes of the crop").get_by_role("button")

    def js(self, body: str) -> Any:
        """What an expression in ``wb`` gives."""
        return self.page.evaluate(f"() => {{ const wb = {FIND}; return {body}; }}")

    def keys(self, *combinations: str) -> None:
        for one in combinations:
            self.page.keyboard.press(one)

    def go(self, frame: int) -> None:
        """Show a frame."""
        self.js(f"wb.player.seek({frame})")
        self.page.wait_for_function(f"() => {FIND}.player.target === null && {FIND}.player.shown === {frame}")

    def drag(self, start: tuple[float, float], by: tuple[float, float]) -> None:
        self.page.mouse.move(*start)
        self.page.mouse.down()
        self.page.mouse.move(start[0] + by[0], start[1] + by[1], steps=5)

    def middle(self, of: Locator) -> tuple[float, float]:
        box = of.bounding_box()
        assert box
        return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2

    def settled(self, timeout_s: float = 20) -> tuple[Keyframe, ...]:
        """All keyframes as they are saved, once the path that goes through those of the clip is here."""
        self.page.wait_for_function(f"() => {FIND}.framing.settled", timeout=timeout_s * 1000)
        saved = stored(self.home).keyframes
        first, last, *shown = self.js(
            "[wb.framing.data.start, wb.framing.data.end, ...wb.framing.items.map((k) => [k.frame, k.x, k.y, k.zoom])]"
        )
        assert [Keyframe(*key) for key in shown] == [key for key in saved if first <= key.frame <= last]
        return saved

    def overlay(self) -> list[float]:
        """Where the crop lies over the picture, as somebody sees it: left, top, width and height in shares of it."""
        self.page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
        return [
            float(side)
            for side in self.js(
                "(() => { const { box, element } = wb.picture; const stage = element.getBoundingClientRect();"
                " const crop = element.querySelector('.crop-window').getBoundingClientRect();"
                " return [(crop.left - stage.left - box.x) / box.width, (crop.top - stage.top - box.y) / box.height,"
                " crop.width / box.width, crop.height / box.height]; })()"
            )
        ]

    def pixels(self) -> int:
        """The frame that really is shown, from its pixels."""
        return int(self.page.evaluate(f"() => ({READ_BITS})({FIND})"))


def stored(home: Path) -> FramingSettings:
    with Workspace.open(home) as workspace:
        (session,) = workspace.sessions()
        return workspace.settings(session.id).framing


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Video:
    """Six seconds whose pixels carry the number of the frame."""
    path = tmp_path_factory.mktemp("framing") / "bits.mp4"
    make_video(path, "30", FRAMES)
    return Video.open(path)


@pytest.fixture(scope="module")
def server(video: Video) -> Iterator[Studio]:
    home = video.path.parent / "home"
    with Workspace.open(home) as workspace:
        workspace.session_for(video.path)
    with Studio(home, video.path.parent / "server.log", APP) as studio:
        yield studio


@pytest.fixture
def desk(server: Studio, open_page: Callable[..., Page]) -> Callable[..., Desk]:
    """Opens the desk in the shape 9:16, with keyframes in these frames and elsewhere."""

    def open_one(*keyframes: Keyframe, options: str = "", aspect: Any = "9:16") -> Desk:
        with Workspace.open(server.home) as workspace:
            (session,) = workspace.sessions()
            framing = FramingSettings(aspect=aspect, keyframes=keyframes)
            workspace.save_settings(session.id, SessionSettings(framing=framing))
        return Desk(open_page(), server.home, server.address, options)

    return open_one


def planned(video: Video) -> ClipPlan:
    (plan,) = plan_clips([Interval(80, 100, "ollie")], video, ClipSettings(clip_padding_s=1.5))
    return plan


def path_of(video: Video, *keyframes: Keyframe) -> CropPath:
    """What an export would cut."""
    pose, camera = filmed(video.pts_s[::2], [3.0], stride=2)
    bodies = look_at_bodies(signals(pose, camera, ASPECT, GuardrailSettings()), pose, camera, ASPECT)
    path = clip_path(bodies, video, planned(video), FramingSettings(aspect="9:16", keyframes=keyframes))
    assert path
    return path


def share(path: CropPath, frame: int) -> list[float]:
    at = frame - int(path.frame[0])
    (width, height), sides = path.picture, (path.x, path.y, path.width, path.height)
    return [float(side[at]) / whole for side, whole in zip(sides, (width, height) * 2, strict=True)]


def test_the_crop_lies_over_the_frame_that_it_is_cut_from(desk: Callable[..., Desk], video: Video) -> None:
    """Else somebody leads the crop of one frame while he sees another."""
    one = desk(Keyframe(90, 0.2, 0.4, 1.5))
    path = path_of(video, Keyframe(90, 0.2, 0.4, 1.5))
    plan = planned(video)
    one.page.wait_for_function(f"() => {FIND}.framing.path")
    assert np.ptp(path.x) > 5  # pixels
    for frame in (plan.start_frame, 60, 75, 90, 111, plan.end_frame):
        one.go(frame)
        assert one.pixels() == frame
        assert one.overlay() == pytest.approx(share(path, frame), abs=0.004)
    for frame in (plan.start_frame - 1, plan.end_frame + 1):
        one.go(frame)
        assert one.crop.is_hidden()


def test_the_crop_goes_with_the_picture_while_it_plays(desk: Callable[..., Desk]) -> None:
    one = desk(Keyframe(60, 0.1, 0.5), Keyframe(90, 0.9, 0.5))
    one.page.wait_for_function(f"() => {FIND}.framing.path")
    one.js("(wb.player.video.muted = true, wb.player.video.playbackRate = 0.5, wb.player.seek(60), 0)")
    one.keys("Space")
    one.page.wait_for_function(f"() => {FIND}.player.shown > 64")
    samples = one.page.evaluate(f"() => ({WATCH})({FIND})")
    late = [abs(drawn - wanted) for drawn, wanted in samples]
    assert np.median(late) < 1e-3
    assert samples[-1][0] > samples[0][0]


def test_a_drag_sets_a_keyframe_in_the_frame_on_the_screen(desk: Callable[..., Desk], video: Video) -> None:
    """The window goes with the hand at once, Python gets it, and the path goes through it."""
    one = desk(Keyframe(150, 0.7, 0.5))  # of another clip: it stays
    one.go(70)
    before = one.overlay()
    width = one.js("wb.picture.box.width")
    one.drag(one.middle(one.crop), (-0.2 * width, 30))
    dragged = one.overlay()
    assert dragged[0] == pytest.approx(before[0] - 0.2, abs=0.004)
    assert dragged[1:] == pytest.approx(before[1:], abs=0.004)  # as high as the picture, so it cannot go down
    assert one.marks.count() == 1
    assert stored(one.home).keyframes == (Keyframe(150, 0.7, 0.5),)
    one.page.mouse.up()
    ours, other = one.settled()
    assert other == Keyframe(150, 0.7, 0.5)
    assert (ours.frame, ours.zoom) == (70, 1.0)
    assert ours.x == pytest.approx(before[0] - 0.2 + before[2] / 2, abs=0.004)
    path = path_of(video, ours, other)
    assert one.overlay() == pytest.approx(share(path, 70), abs=0.004)
    assert one.overlay() == pytest.approx(dragged, abs=0.004)
    one.go(80)
    assert one.overlay() == pytest.approx(share(path, 80), abs=0.004)
    assert one.js("wb.player.video.paused")


def test_a_drag_stops_at_the_border_and_goes_back_with_escape(desk: Callable[..., Desk]) -> None:
    one = desk()
    one.go(70)
    before = one.overlay()
    one.drag(one.middle(one.crop), (-3000, 0))
    assert one.overlay()[0] == pytest.approx(0, abs=0.004)
    one.keys("Escape")
    one.page.mouse.up()
    assert one.overlay() == pytest.approx(before, abs=0.004)
    assert one.settled() == ()


def test_wheel_and_corner_change_the_size(desk: Callable[..., Desk]) -> None:
    one = desk()
    one.go(70)
    one.page.mouse.move(*one.middle(one.crop))
    for _ in range(3):
        one.page.mouse.wheel(0, -100)
    one.page.wait_for_function(f"() => {FIND}.framing.draft.items.length === 1")
    (key,) = one.settled()
    assert 1.2 < key.zoom < 1.8
    assert one.js("wb.framing.draft.done.length") == 1  # one turn of the wheel, one step to undo
    box = one.crop.bounding_box()
    assert box
    corner = box["x"] + box["width"] - 6, box["y"] + box["height"] - 6
    one.drag(corner, (400, 400))
    one.page.mouse.up()
    (key,) = one.settled()
    assert key.zoom == 1
    assert one.overlay()[3] == pytest.approx(1, abs=0.004)


def test_all_of_it_by_key(desk: Callable[..., Desk]) -> None:
    """What the mouse can do the keys can do, and undo takes back each step."""
    one = desk()
    one.go(60)
    one.keys("f")
    (first,) = one.settled()
    one.go(100)
    one.keys(*["Shift+ArrowRight"] * 6)
    one.page.wait_for_function(f"() => {FIND}.framing.draft.items.length === 2")
    assert [key.frame for key in one.settled()] == [60, 100]
    one.keys("Alt+ArrowUp", "Alt+ArrowUp")
    one.page.wait_for_function(f"() => {FIND}.framing.draft.items[1].zoom > 1")
    moved = one.settled()[1]
    assert moved.zoom == pytest.approx(1.05**2, abs=1e-3)
    one.keys("[")
    one.page.wait_for_function(f"() => {FIND}.player.shown === 60")
    one.keys("]")
    one.page.wait_for_function(f"() => {FIND}.player.shown === 100")
    one.keys("Delete")
    assert one.settled() == (first,)
    one.keys("Control+z")
    assert one.settled() == (first, moved)
    one.keys("Control+z", "Control+z", "Control+z")
    assert one.settled() == ()
    one.keys("Control+Shift+z")
    assert one.settled() == (first,)
    one.keys("?")
    sheet = one.page.get_by_role("dialog", name="Keys")
    assert sheet.get_by_role("button", name="Keyframe here: F").is_visible()
    assert sheet.get_by_role("button", name="Previous event: ↑").is_visible()  # [ is the crop's here


def test_keyframes_on_the_timeline(desk: Callable[..., Desk]) -> None:
    """Gone to, moved in time and deleted, by mouse and by key; their neighbours are walls."""
    one = desk(Keyframe(60, 0.3, 0.5), Keyframe(90, 0.6, 0.5))
    one.marks.first.click()
    one.page.wait_for_function(f"() => {FIND}.player.shown === 60")
    assert one.marks.first.get_attribute("aria-label") == "Keyframe at 0:02.00, frame 60"
    assert one.marks.first.get_attribute("aria-current") == "true"
    frame_px = one.js("wb.view.x(wb.times.at(61)) - wb.view.x(wb.times.at(60))")
    one.drag(one.middle(one.marks.first), (10 * frame_px, 0))
    one.page.mouse.up()
    assert one.settled() == (Keyframe(70, 0.3, 0.5), Keyframe(90, 0.6, 0.5))
    assert one.js("wb.player.frame") == 70
    one.drag(one.middle(one.marks.first), (60 * frame_px, 0))
    one.page.mouse.up()
    assert [key.frame for key in one.settled()] == [89, 90]
    one.marks.first.focus()
    one.keys("Shift+ArrowLeft", "ArrowRight")
    assert [key.frame for key in one.settled()] == [80, 90]
    assert one.marks.first.evaluate("(mark) => mark === mark.getRootNode().activeElement")
    one.keys("Delete")
    assert one.settled() == (Keyframe(90, 0.6, 0.5),)
    one.page.get_by_role("button", name="Delete all keyframes of this clip").click()
    assert one.settled() == ()
    one.page.get_by_role("button", name="Undo").click()
    assert one.settled() == (Keyframe(90, 0.6, 0.5),)


def test_the_whole_picture_has_no_crop(desk: Callable[..., Desk]) -> None:
    """And the keyframes wait until a shape is chosen again, also after a reload."""
    one = desk(Keyframe(80, 0.3, 0.5))
    one.crop.wait_for(state="visible")
    one.page.get_by_role("radio", name="Source").click()
    one.crop.wait_for(state="hidden")
    one.page.get_by_text("The clip shows the whole picture.").wait_for()
    assert one.marks.count() == 0
    one.keys("f")
    assert stored(one.home) == FramingSettings(keyframes=(Keyframe(80, 0.3, 0.5),))
    one.page.get_by_role("radio", name="1:1").click()
    one.crop.wait_for(state="visible")
    one.page.wait_for_function(f"() => {FIND}.framing.data.window[0] === 90 / 160")
    one.page.reload()
    one.ready()
    one.go(80)
    one.crop.wait_for(state="visible")
    assert stored(one.home) == FramingSettings(aspect="1:1", keyframes=(Keyframe(80, 0.3, 0.5),))
    assert one.overlay() == pytest.approx([0.3 - 45 / 160, 0, 90 / 160, 1], abs=0.004)


def test_a_video_that_nobody_has_looked_at(desk: Callable[..., Desk]) -> None:
    """The crop stays in the middle, the page says why, and it can be led all the same."""
    one = desk(options="nobody")
    one.page.get_by_text("nobody to follow").wait_for()
    one.go(70)
    assert one.overlay() == pytest.approx([0.5 - 25 / 160, 0, 50 / 160, 1], abs=0.004)
    one.keys("Shift+ArrowLeft")
    one.page.wait_for_function(f"() => {FIND}.framing.draft.items.length === 1")
    (key,) = one.settled()
    assert key == Keyframe(70, 0.495, 0.5)


def test_an_edit_outlives_a_restart_of_the_server(desk: Callable[..., Desk], server: Studio) -> None:
    one = desk()
    one.go(70)
    server.stop()
    one.keys("f")
    time.sleep(0.3)
    assert stored(one.home).keyframes == ()
    server.start()
    assert [key.frame for key in one.settled(60)] == [70]
    one.keys("Delete")
    assert one.settled() == ()
