"""A recognizer's report in a real browser: opened from the disk, without a network, by mouse and by keys."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from core.recognize.report import write_report
from tests.browser.test_pages import faults
from tests.moments import frames_of, write_clip
from tests.test_recognize_report import HISTORY, Rows, judged_of, many

LONG = "a very long name of a trick that somebody gave it, with <b>marks</b>"


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A second."""
    return write_clip(tmp_path_factory.mktemp("clip") / "park.mp4", frames_of("right", 1, 25))


def reported(folder: Path, clip: Path, rows: Rows, classes: tuple[str, ...]) -> Path:
    (folder / "history.csv").write_text(HISTORY)
    judged = judged_of(clip, rows, classes, majority=0.1, colours=0.12)
    assert write_report(folder / "report.html", judged, folder / "history.csv", max_clips=4) == []
    return folder / "report.html"


@pytest.fixture
def report(clip: Path, tmp_path: Path) -> Path:
    """Two ollies are named kickflip, one kickflip is named ollie, and one something else."""
    rows: Rows = [
        ("ollie", {"kickflip": 0.9, "ollie": 0.1}),
        ("ollie", {"kickflip": 0.7, "ollie": 0.3}),
        ("ollie", {"kickflip": 0.2, "ollie": 0.8}),
        ("kickflip", {"kickflip": 0.4, "ollie": 0.6}),
        ("kickflip", {"kickflip": 0.2, LONG: 0.8}),
        (LONG, {LONG: 1.0}),
    ]
    return reported(tmp_path, clip, rows, ("ollie", "kickflip", LONG))


def shown(page: Page) -> list[str]:
    return [str(one.get_attribute("id")) for one in page.locator("article:visible").all()]


def test_it_opens_offline_and_shuts_nobody_out(report: Path, open_page: Callable[..., Page]) -> None:
    """In either theme, on a screen and on a phone: nothing is asked of a network, and nothing runs over the edge."""
    complaints: list[str] = []
    asked: list[str] = []
    for theme, width in (("dark", 1440), ("light", 390)):
        page = open_page(color_scheme=theme, offline=True)
        page.on("console", lambda message: complaints.append(message.text))
        page.on("request", lambda request: asked.append(request.url.partition(":")[0]))
        page.set_viewport_size({"width": width, "height": 900})
        page.goto(report.as_uri())
        expect(page.get_by_role("heading", name="tricks", exact=True)).to_be_visible()
        page.locator("details").evaluate_all("all => all.forEach((one) => (one.open = true))")
        assert faults(page) == []
        assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert complaints == []
    assert set(asked) <= {"file", "data"}


def test_48_classes_fit_on_a_screen_and_on_paper(clip: Path, tmp_path: Path, open_page: Callable[..., Page]) -> None:
    rows, classes = many()
    page = open_page()
    page.goto(reported(tmp_path, clip, rows, classes).as_uri())
    matrix = page.locator("table.matrix")
    assert matrix.evaluate("one => one.scrollWidth <= one.parentElement.clientWidth")
    assert faults(page) == []
    page.set_viewport_size({"width": 718, "height": 1000})  # A4 with margins of a centimetre
    page.emulate_media(media="print")
    assert matrix.evaluate("one => one.scrollWidth <= one.parentElement.clientWidth")


def test_a_cell_shows_its_clips(report: Path, open_page: Callable[..., Page]) -> None:
    page = open_page()
    page.goto(report.as_uri())
    assert shown(page) == ["wrong-1", "wrong-2", "wrong-3", "wrong-4"]
    cell = page.get_by_role("button", name="ollie named kickflip: 2 of 3 clips (67 %)")
    cell.hover()
    expect(page.locator("#cell")).to_have_text("ollie named kickflip: 2 of 3 clips (67 %)")
    cell.click()
    assert shown(page) == ["wrong-1", "wrong-3"]
    expect(page.get_by_role("status")).to_have_text("2 of 4 clips are shown.")
    expect(page.get_by_role("heading", name="Named wrong")).to_be_in_viewport()
    expect(cell).to_have_attribute("aria-pressed", "true")
    page.get_by_label("What it was named").select_option(label="anything")
    page.get_by_label("What it is").select_option(label="kickflip")
    assert shown(page) == ["wrong-2", "wrong-4"]
    expect(cell).to_have_attribute("aria-pressed", "false")
    page.get_by_role("button", name="Show all").click()
    assert len(shown(page)) == 4


def test_the_matrix_goes_by_keys(report: Path, open_page: Callable[..., Page]) -> None:
    page = open_page()
    page.goto(report.as_uri())
    page.locator("tbody th button", has_text="ollie").focus()
    page.keyboard.press("Tab")  # the one cell of its row that holds mistakes
    page.keyboard.press("Enter")
    assert shown(page) == ["wrong-1", "wrong-3"]
    expect(page.locator("#wrong")).to_be_focused()
    page.keyboard.press("Tab")
    expect(page.get_by_label("What it is")).to_be_focused()


def test_clips_play_again_and_again(report: Path, open_page: Callable[..., Page]) -> None:
    page = open_page()
    page.goto(report.as_uri())
    clip = page.locator("#wrong-1 video")
    clip.hover()
    clip.evaluate(
        """v => new Promise((done) => {
          let last = 0;
          v.ontimeupdate = () => (v.currentTime < last ? done() : (last = v.currentTime));
        })"""
    )
    page.mouse.move(0, 0)
    expect(clip).to_have_js_property("paused", True)
