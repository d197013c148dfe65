"""A report in a real browser: opened from the disk, without a network, by mouse and by keys."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from sample_data.make_session import Session
from tests.browser.test_pages import faults
from tests.conftest import Command, Looked, Trickline


@pytest.fixture
def report(session: Session, looked: Looked, trickline: Trickline, at_once: Command) -> Path:
    """One trick is found, one is missed, and one event is a false alarm."""
    (trickline.folder / "events.json").write_text(looked.ran.out)
    true = session.intervals[0]
    (trickline.folder / "true.csv").write_text(f"start_frame,end_frame\n30,50\n{true.start_frame},{true.end_frame}\n")
    arguments = ("evaluate", "--labels", "true.csv", "--events", "events.json", "--video", session.video)
    assert at_once(*arguments, "--report", "report.html").code == 0
    return trickline.folder / "report.html"


def test_a_report_opens_offline_and_shuts_nobody_out(report: Path, open_page: Callable[..., Page]) -> None:
    """In either theme, on a screen and on a phone: nothing is asked of a network, and nothing runs over the edge."""
    complaints: list[str] = []
    asked: list[str] = []
    for theme, width in (("dark", 1440), ("light", 390)):
        page = open_page(color_scheme=theme, offline=True)
        page.on("console", lambda message: complaints.append(message.text))
        page.on("request", lambda request: asked.append(request.url.partition(":")[0]))
        page.set_viewport_size({"width": width, "height": 900})
        page.goto(report.as_uri())
        expect(page.get_by_role("heading", name="session.mp4")).to_be_visible()
        page.locator("details").evaluate_all("all => all.forEach((one) => (one.open = true))")
        assert faults(page) == []
        assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert complaints == []
    assert set(asked) <= {"file", "data"}


def test_clips_play_and_marks_lead_to_them(report: Path, open_page: Callable[..., Page]) -> None:
    page = open_page()
    page.goto(report.as_uri())
    clip = page.locator("#wrong-1 video")
    clip.hover()
    clip.evaluate("v => new Promise((done) => (v.ontimeupdate = () => v.currentTime > 0.3 && done()))")
    page.mouse.move(0, 0)
    expect(clip).to_have_js_property("paused", True)
    expect(page.locator("#hit-1")).to_be_hidden()
    page.locator("a[href='#hit-1']").first.focus()
    page.keyboard.press("Enter")
    expect(page.locator("#hit-1 video")).to_be_in_viewport()
