"""The workbench in a real browser, on videos whose pixels carry the number of the frame."""

from __future__ import annotations

import json
import statistics
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from core.ffmpeg import executable
from core.timecode import clock
from pages.widgets.workbench import script
from tests.conftest import ROOT
from tests.studio import Studio

APP = ROOT / "tests" / "browser" / "workbench_app.py"
RATES = {"r24": "24", "r25": "25", "r2997": "30000/1001", "r30": "30", "r5994": "60000/1001"}
FIND = (
    "[...document.querySelectorAll('*')].find((e) => e.shadowRoot?.querySelector('.wb'))"
    "?.shadowRoot.querySelector('.wb').workbench"
)
READ_BITS = """
(wb) => {
  const canvas = document.createElement('canvas');
  [canvas.width, canvas.height] = [160, 90];
  const pen = canvas.getContext('2d');
  pen.drawImage(wb.player.video, 0, 0, 160, 90);
  let number = 0;
  for (let bit = 0; bit < 10; bit++) if (pen.getImageData(16 * bit + 8, 45, 1, 1).data[0] > 128) number += 2 ** bit;
  return number;
}
"""


def make_video(path: Path, rate: str, frames: int, *, variable: bool = False) -> None:
    """A video of 160x90 pixels in which ten columns are the bits of the frame's number."""
    bits = "geq=lum='16+219*mod(floor(N/pow(2,floor(X/16))),2)':cb=128:cr=128"
    times = ",setpts='(N+0.45*mod(N,3))/25/TB'" if variable else ""
    command = [
        *(executable(), "-nostdin", "-v", "error", "-y", "-f", "lavfi"),
        *("-i", f"color=black:s=160x90:r={rate},{bits}{times}", "-frames:v", str(frames)),
        *("-fps_mode", "passthrough", "-video_track_timescale", "90000", "-c:v", "libx264", "-preset", "ultrafast"),
        *("-bf", "3", "-g", "250", "-pix_fmt", "yuv420p", "-movflags", "+faststart", str(path)),
    ]
    subprocess.run(command, check=True, timeout=60)


class Bench:
    """The workbench on a page, as somebody uses it."""

    def __init__(self, page: Page, folder: Path, address: str, name: str, options: str = "") -> None:
        self.page, self.folder, self.name = page, folder, name
        page.goto(f"{address}/?video={name}&options={options}")
        self.ready()
        assert self.js("wb.data.session") == name

    def ready(self) -> None:
        """Wait until the video can be played and the keys are heard."""
        self.page.get_by_role("application").wait_for()
        self.page.wait_for_function(f"() => {{ const wb = {FIND}; return wb?.times && wb.player.ready; }}")
        self.page.get_by_role("application").focus()

    def switch(self, name: str) -> None:
        """Choose another video on the same page."""
        if name != self.name:
            self.name = name
            self.page.get_by_role("radio", name=name, exact=True).click()
            self.page.wait_for_function(f"() => {FIND}.data.session === '{name}'")
        self.ready()

    def js(self, body: str) -> Any:
        """What an expression in ``wb`` gives."""
        return self.page.evaluate(f"() => {{ const wb = {FIND}; return {body}; }}")

    def keys(self, *combinations: str) -> None:
        for one in combinations:
            self.page.keyboard.press(one)

    def settled(self) -> int:
        """The frame that the workbench says is shown, once no seek is under way."""
        self.page.wait_for_function(f"() => {FIND}.player.target === null")
        return int(self.js("wb.player.frame"))

    def pixels(self) -> int:
        """The frame that really is shown, from its pixels."""
        return int(self.page.evaluate(f"() => ({READ_BITS})({FIND})"))

    def items(self) -> list[list[Any]]:
        """The list as the browser has it."""
        return [list(one) for one in self.js("wb.draft.items.map((i) => [i.start, i.end, i.label])")]

    def stored(self) -> list[list[Any]]:
        """The list as Python has it."""
        path = self.folder / f"{self.name}.json"
        return [list(one) for one in json.loads(path.read_text())["items"]] if path.exists() else []

    def saved(self, timeout_s: float = 10) -> list[list[Any]]:
        """Both lists, once the server has confirmed all edits."""
        self.page.wait_for_function(f"() => {FIND}.draft.state === 'saved'", timeout=timeout_s * 1000)
        assert self.items() == self.stored()
        return self.items()

    def place(self, frame: int, lane: str) -> tuple[float, float]:
        """Where the start of a frame lies in a lane, in pixels of the page."""
        x, y = self.js(
            f"(() => {{ const box = wb.timeline.track.getBoundingClientRect(); const lane = wb.timeline.lane('{lane}');"
            f" return [box.left + wb.view.x(wb.times.at({frame})), box.top + lane.top + lane.height / 2]; }})()"
        )
        return float(x), float(y)

    def drag(self, start: tuple[float, float], end: tuple[float, float], *, release: bool = True) -> None:
        self.page.mouse.move(*start)
        self.page.mouse.down()
        self.page.mouse.move(*end, steps=6)
        if release:
            self.page.mouse.up()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Videos at several rates, one of them variable, and a longer one."""
    folder = tmp_path_factory.mktemp("workbench")
    for name, rate in RATES.items():
        make_video(folder / f"{name}.mp4", rate, 90)
    make_video(folder / "vfr.mp4", "25", 90, variable=True)
    make_video(folder / "long.mp4", "30", 600)
    return folder


@pytest.fixture(scope="module")
def server(folder: Path) -> Iterator[Studio]:
    """The workbench alone on a page, on those videos."""
    with Studio(folder / "home", folder / "server.log", APP) as studio:
        yield studio


@pytest.fixture
def bench(server: Studio, folder: Path, open_page: Callable[..., Page]) -> Iterator[Callable[..., Bench]]:
    """Opens a workbench on one of the videos, with fresh labels."""

    def open_one(name: str, options: str = "") -> Bench:
        for kept in folder.glob("*.json"):
            kept.unlink()
        return Bench(open_page(), folder, server.address, name, options)

    yield open_one
    (folder / "deaf").unlink(missing_ok=True)


def test_marks_by_key_are_the_frames_on_the_screen(bench: Callable[..., Bench]) -> None:
    """Else clips begin a frame early or late, at some rates only."""
    one = bench("r24", "empty")
    for name in [*RATES, "vfr"]:
        one.switch(name)
        one.keys("Home", *["."] * 7)
        assert one.settled() == one.pixels() == 7, name
        one.keys("i", *["."] * 13)
        assert one.settled() == one.pixels() == 20, name
        one.keys("o", "Escape", "End", *[","] * 5, "i", ",", ",", "o")
        assert one.settled() == one.pixels() == 82, name
        assert one.saved() == [[7, 20, "trick"], [82, 84, "trick"]], name
        for frame in (44, 45, 71, 12, 89, 0):
            one.js(f"wb.player.seek({frame})")
            assert one.settled() == one.pixels() == frame, name
        one.keys("Home", "Space")
        one.page.wait_for_timeout(400)
        one.keys("k")
        one.page.wait_for_timeout(100)
        assert one.settled() == one.pixels() > 3, name


def test_ten_quick_edits_are_all_kept(bench: Callable[..., Bench]) -> None:
    """Streamlit drops messages that come fast; no edit may go with them, nor a step of the undo."""
    one = bench("r30", "empty")
    for _ in range(10):
        one.keys(".", ".", ".", "i", ".", "o", "Escape")
        one.page.wait_for_timeout(1)
    expected = [[4 * k + 3, 4 * k + 4, "trick"] for k in range(10)]
    assert one.items() == expected
    assert one.saved() == expected
    one.keys(*["Control+z"] * 10)
    assert one.saved() == []
    one.keys(*["Control+Shift+z"] * 4, "Control+y")
    assert one.saved() == expected[:5]


def test_the_video_plays_on_through_reruns(bench: Callable[..., Bench]) -> None:
    """Labelling while it plays is no use if each edit stops the video."""
    one = bench("long", "empty")
    one.js("(wb.player.video.addEventListener('emptied', () => { wb.emptied = true; }), 0)")
    one.keys("Space")
    one.page.wait_for_function(f"() => {FIND}.player.video.currentTime > 0.2")
    begun, at = time.monotonic(), one.js("wb.player.video.currentTime")
    for _ in range(5):
        one.keys("i")
        one.page.wait_for_timeout(150)
        one.keys("o", "Escape")
        one.page.wait_for_timeout(150)
    one.page.get_by_role("slider", name="Rerun").focus()
    one.keys("ArrowRight", "ArrowRight")
    one.page.wait_for_timeout(300)
    advanced, wall = one.js("wb.player.video.currentTime") - at, time.monotonic() - begun
    assert one.js("!wb.player.video.paused && !wb.emptied")
    assert advanced > 0.6 * wall
    assert len(one.saved()) == 5


def test_a_labelling_without_the_mouse(bench: Callable[..., Bench]) -> None:
    """Every step of the work has its key, and Streamlit's own keys stay out of it."""
    one = bench("r30")
    one.keys("Home", "]", "]")  # the second event: the found one at 20
    assert one.settled() == 20
    assert one.page.get_by_text("Feet rise 0.9 torso lengths here.").is_visible()
    one.keys("Enter", "Alt+ArrowUp", "Alt+ArrowLeft", "Alt+ArrowLeft", "Alt+ArrowDown", "Alt+ArrowRight")
    assert one.saved() == [[10, 14, "trick"], [18, 31, "trick"], [60, 70, "trick"]]
    assert one.settled() == one.pixels() == 31  # the edge that moved
    one.keys("2", "r", "c")
    assert one.saved()[1] == [18, 31, "grind"]
    one.keys(*[","] * 6, "b")
    assert one.saved()[1:3] == [[18, 24, "grind"], [25, 31, "grind"]]
    one.keys("Delete")
    assert one.saved()[1:] == [[18, 24, "grind"], [60, 70, "trick"]]
    one.keys("Control+z", "Escape", ",", ",", "e", "m")
    assert one.saved()[1] == [18, 31, "grind"]
    one.keys("n")
    assert one.saved()[1] == [18, 31, "trick"]
    live = one.js("wb.live.textContent")
    assert live == "trick is now 0:00.60 to 0:01.06"
    assert one.page.get_by_role("dialog").count() == 0
    one.keys("?")
    sheet = one.page.get_by_role("dialog", name="Keys")
    sheet.get_by_role("button", name="Split at the playhead").click()
    one.keys("g")
    assert sheet.get_by_text("Split at the playhead: G").is_visible()
    one.keys("Escape", "b")
    assert len(one.items()) == 3
    one.keys("g")
    assert len(one.saved()) == 4


def test_threshold_by_drag_and_by_key(bench: Callable[..., Bench]) -> None:
    """The line moves under the hand, and the page hears where it came to rest."""
    one = bench("r30")
    handle = one.page.get_by_role("slider", name="Threshold")
    box = handle.bounding_box()
    assert box
    middle = (box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    one.drag(middle, (middle[0], middle[1] - 22))
    reached = one.js("wb.threshold")
    assert 0.6 < reached < 0.95
    one.page.get_by_text(f"threshold {reached}").wait_for()
    one.keys("t", "ArrowDown")
    one.page.get_by_text(f"threshold {round(reached - 0.01, 3)}").wait_for()
    assert float(handle.get_attribute("aria-valuenow") or 0) == pytest.approx(reached - 0.01, abs=0.006)


def test_drags(bench: Callable[..., Bench]) -> None:
    """Trimming shows the very frame at the edge; Escape leaves all as it was; neighbours are walls."""
    one = bench("r30")
    x, y = one.place(71, "truth")
    target = one.place(80, "truth")
    one.drag((x - 1, y), (target[0] + 1, y), release=False)
    assert one.settled() == one.pixels() == 79
    one.keys("Escape")
    one.page.mouse.up()
    assert one.items() == [[10, 14, "trick"], [60, 70, "trick"]]
    assert one.settled() == 0
    one.drag((x - 1, y), (target[0] + 1, y))
    assert one.saved() == [[10, 14, "trick"], [60, 79, "trick"]]
    one.drag(one.place(50, "truth"), one.place(88, "truth"))  # a new one, up to its neighbour
    assert one.saved() == [[10, 14, "trick"], [50, 59, "trick"], [60, 79, "trick"]]
    one.drag(one.place(12, "truth"), one.place(32, "truth"))
    moved = one.saved()[0]
    assert moved[1] - moved[0] == 4
    assert moved[0] in (29, 30, 31)
    one.keys("Control+z", "Control+z", "Control+z")
    assert one.saved() == [[10, 14, "trick"], [60, 70, "trick"]]


def test_a_number_held_while_playing_labels(bench: Callable[..., Bench]) -> None:
    """The quick way through long footage: hold the key for as long as the trick lasts."""
    one = bench("long", "empty")
    one.keys("Space")
    one.page.wait_for_function(f"() => {FIND}.player.shown > 5")
    one.page.keyboard.down("2")
    begun = one.js("wb.mark.start")
    one.page.wait_for_timeout(500)
    one.page.keyboard.up("2")
    ((start, end, label),) = one.saved()
    assert (start, label) == (begun, "grind")
    assert 8 <= end - start <= 30


def test_an_edit_survives_a_reload_and_a_restart_of_the_server(
    bench: Callable[..., Bench], server: Studio, folder: Path
) -> None:
    """What was not confirmed is kept by the browser and sent until it is."""
    one = bench("r30")
    (folder / "deaf").touch()
    one.keys("Home", "i", ".", "o")
    expected = [[0, 1, "trick"], [10, 14, "trick"], [60, 70, "trick"]]
    one.page.get_by_text("not saved yet: waiting for the server").wait_for()
    one.page.reload()
    one.ready()
    assert one.items() == expected
    assert one.stored() == []
    (folder / "deaf").unlink()
    assert one.saved() == expected
    server.stop()
    one.keys("Escape", "End", "i", ",", "o")
    assert one.items()[-1] == [88, 89, "trick"]
    server.start()
    assert one.saved(20) == [*expected, [88, 89, "trick"]]


def test_long_curves_stay_smooth(bench: Callable[..., Bench]) -> None:
    """Two hours of samples must pan as lightly as a minute."""
    one = bench("long", "many")
    one.page.wait_for_function(f"() => {FIND}.curveData()")
    measured = one.js(
        "[0.2, 0.5, 1].flatMap((share) => Array.from({length: 20}, (_, k) => {"
        " wb.view.set(k * 0.1, k * 0.1 + share * wb.view.duration); wb.timeline.stale.base = true;"
        " wb.timeline.drawNow(); return wb.timeline.drawMs.at(-1); }))"
    )
    median = statistics.median(measured)
    print(f"108,000 points: {median:.1f} ms a drawing (worst {max(measured):.1f})")
    assert median < 16


def test_what_is_picked_shown_and_looped(bench: Callable[..., Bench], folder: Path) -> None:
    """A page sends people to a place, and hears where they go."""
    one = bench("long")
    one.page.get_by_text("Show", exact=True).click()
    one.page.wait_for_function(f"() => {FIND}.player.loop")
    assert one.settled() == one.pixels() == 40
    assert one.page.get_by_text("Nobody jumps here.").is_visible()
    one.js("(wb.seen = new Set(), wb.player.onFrame = () => wb.seen.add(wb.player.shown), 0)")
    one.page.get_by_role("application").focus()
    one.keys("Space")
    one.page.wait_for_timeout(900)
    assert one.js("Math.min(...wb.seen)") == 40
    assert one.js("Math.max(...wb.seen)") in (48, 49)  # what follows is not seen; a busy browser reports one late
    one.keys("k", "Escape")
    one.page.get_by_role("option", name="true, trick, 0:02.00").click()
    one.page.wait_for_function(f"() => {FIND}.player.frame === 60")
    kept = folder / "long.json"  # what the page last heard
    until(lambda: kept.exists() and json.loads(kept.read_text())["picked"]["start"] == 60)


def test_range_and_person_by_mouse_and_by_key(bench: Callable[..., Bench]) -> None:
    """What the mouse can say the keys can say too."""
    one = bench("r30")
    one.page.keyboard.down("Shift")
    one.drag(one.place(20, "curve"), one.place(40, "curve"))
    one.page.keyboard.up("Shift")
    one.page.get_by_text("range (20, 39)").wait_for()
    one.keys("Home", ".", ".", "{", ".", ".", "}")
    one.page.get_by_text("range (2, 4)").wait_for()
    one.keys("Escape")
    one.page.get_by_text("range None").wait_for()
    one.page.wait_for_function(f"() => {FIND}.picture.people().length === 2")
    one.keys("w", "w")
    one.page.get_by_text("subject 4 0.75 0.50").wait_for()
    box = one.page.locator("video").bounding_box()
    assert box
    one.page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 4)
    one.page.get_by_text("subject 4 0.50 0.25").wait_for()


@pytest.fixture(scope="module")
def scripts(browser: Browser) -> Iterator[Page]:
    """The workbench's functions on an empty page."""
    page = browser.new_page()
    page.add_script_tag(content=script().replace("export default ", ""))
    yield page
    page.close()


@pytest.mark.parametrize("seconds", [0, 8.2333, 59.999, 61.5, 3599.99, 3725.5, 0.29, 1.1])
def test_times_are_written_as_everywhere_else(scripts: Page, seconds: float) -> None:
    """The same moment has one name on all pages and on the command line."""
    assert scripts.evaluate("clock", seconds) == clock(seconds)


A, B, G = [10, 20, "a"], [30, 40, "a"], [15, 35, "g"]


@pytest.mark.parametrize(
    ("edit", "expected"),
    [
        ("withAdded(items, make(18, 32, 'a')).items", [[10, 40, "a"], G]),  # one label: joined
        ("withAdded(items, make(21, 29, 'a')).items", [A, G, [21, 29, "a"], B]),  # neighbours stay two
        ("withAdded(items, make(0, 99, 'g')).items", [[0, 99, "g"], A, B]),
        ("withTrimmed(items, items[0], 10, 35, 100).items", [[10, 29, "a"], G, B]),  # stopped by the next
        ("withTrimmed(items, items[2], 50, 40, 100).items", [A, G, [50, 50, "a"]]),  # never empty
        ("withMoved(items, items[0], 50, 100).items", [G, [19, 29, "a"], B]),
        ("withMoved(items, items[2], 500, 100).items", [A, G, [89, 99, "a"]]),
        ("withSplit(items, items[0], 15).items", [[10, 14, "a"], [15, 20, "a"], G, B]),
        ("withSplit(items, items[0], 10)", None),
        ("withMerged(items, items[0]).items", [[10, 40, "a"], G]),
        ("withMerged(items, items[1])", None),
        ("withLabel(items, items[1], 'a').items", [[10, 40, "a"]]),
        ("withStep(items, stepBetween([items[0]], items))", [A, G, B]),
        ("withStep([make(0, 3, 'x')], {removed: items, added: [make(5, 6, 'a')]})", [[0, 3, "x"], [5, 6, "a"]]),
    ],
)
def test_edits(scripts: Page, edit: str, expected: list[list[Any]] | None) -> None:
    """Two of one label never share a frame, none is empty, and none leaves the video."""
    found = scripts.evaluate(
        f"([rows]) => {{ const make = makeInterval; const items = rows.map((r) => make(...r)); const result = {edit};"
        " return result && result.map((i) => [i.start, i.end, i.label]); }",
        [[A, G, B]],
    )
    assert (None if found is None else sorted(found)) == (None if expected is None else sorted(expected))


def test_a_pyramid_keeps_every_peak(scripts: Page) -> None:
    """A single high sample among many is what people look for."""
    assert scripts.evaluate(
        """() => {
          const n = 108000;
          const values = new Float32Array(n).fill(0.1);
          values[54321] = 0.9;
          values.fill(NaN, 1000, 3000);
          const data = new CurveData(Int32Array.from({ length: n }, (_, i) => 2 * i), values, null, null);
          let [points, top, gaps] = [0, 0, 0];
          data.walk(0, 2 * n, 2400, (frame, low, high, gap) => {
            points += 1;
            gaps += gap;
            if (!gap && high > 0.8) top = frame;
          });
          const kept = Math.abs(top - 2 * 54321) <= 64;
          return [points < 12000, kept, gaps > 100, Number.isNaN(data.at(2001)), data.at(108643)];
        }"""
    ) == [True, True, True, True, pytest.approx(0.9, abs=1e-6)]


def until(done: Callable[[], bool]) -> None:
    """Wait for it, as long as a busy machine may take."""
    give_up = time.monotonic() + 30
    while not done():
        assert time.monotonic() < give_up
        time.sleep(0.05)
