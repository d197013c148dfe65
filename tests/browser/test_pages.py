"""Every page: quick with an hour of footage, without a fault that shuts anybody out, and never a stack of memory."""

from __future__ import annotations

import time
from collections.abc import Callable
from statistics import median

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

from core.intervals import Interval
from core.workspace import Workspace
from tests.studio import Studio

PAGES = {
    "": "Upload",
    "timeline": "Timeline",
    "label": "Label",
    "train": "Train",
    "review": "Review",
    "recognize": "Recognize",
}
SERIOUS = {"serious", "critical"}


def settled(page: Page) -> None:
    """Wait until the page has been drawn to its end."""
    page.wait_for_function("!document.querySelector('[data-testid=stStatusWidget]')")
    page.wait_for_timeout(300)
    assert page.get_by_test_id("stException").count() == 0


def faults(page: Page) -> list[str]:
    """What axe-core finds that shuts somebody out."""
    found = Axe().run(page, options={"resultTypes": ["violations"]}).response["violations"]
    return [
        f"{fault['id']} ({fault['impact']}): {node['target']} {node.get('failureSummary', '')}"
        for fault in found
        if fault["impact"] in SERIOUS
        for node in fault["nodes"]
    ]


@pytest.mark.parametrize("address", PAGES)
def test_no_page_shuts_anybody_out(studio: Studio, open_page: Callable[..., Page], address: str) -> None:
    """Names for readers of screens, contrast, roles: checked by axe-core on the page in use."""
    with Workspace.open(studio.home) as workspace:
        (session,) = workspace.sessions()
        workspace.save_labels(session.id, [Interval(130, 141), Interval(300, 320)], "editor")
    page = open_page()
    for theme in ("Dark", "Light"):
        page.add_init_script(f"localStorage.setItem(`stActiveTheme-${{location.pathname}}-v2`, '\"{theme}\"')")
        page.goto(f"{studio.address}/{address}")
        page.get_by_role("heading", name=PAGES[address]).first.wait_for()
        settled(page)
        assert [theme, *faults(page)] == [theme]


def test_an_empty_page_shuts_nobody_out(empty_studio: Studio, open_page: Callable[..., Page]) -> None:
    page = open_page()
    for address in PAGES:
        page.goto(f"{empty_studio.address}/{address}")
        page.get_by_role("link", name="Add footage").or_(page.get_by_text("Drop footage here")).first.wait_for()
        settled(page)
        assert faults(page) == []


def test_an_hour_of_footage_keeps_the_pages_quick(hour: tuple[Studio, str], open_page: Callable[..., Page]) -> None:
    """108,000 frames: from the click in the navigation to the page that can be used, once they are in memory."""
    studio, session = hour
    page = open_page()
    page.goto(f"{studio.address}/timeline?session={session}")
    took: dict[str, list[float]] = {title: [] for title in ("Timeline", "Label", "Review")}
    for turn in range(4):
        for title in took:
            started = time.perf_counter()
            if turn or title != "Timeline":
                page.get_by_test_id("stSidebarNavLink").filter(has_text=title).click()
            page.get_by_role("heading", name=title, exact=True).wait_for()
            # What comes last on each: the workbench, or the bar below the cards.
            page.get_by_role("application").or_(page.get_by_role("button", name="Export")).first.wait_for()
            if turn:
                took[title].append(time.perf_counter() - started)
            settled(page)
    print(
        "seconds to switch to a page with an hour of footage:", {name: round(median(s), 2) for name, s in took.items()}
    )
    assert max(median(seconds) for seconds in took.values()) < 5.0  # make bench says how quick it is on an idle machine


def test_a_gigabyte_plays_and_seeks_with_the_memory_flat(
    hour: tuple[Studio, str], open_page: Callable[..., Page]
) -> None:
    studio, session = hour
    page = open_page()
    page.goto(f"{studio.address}/timeline?session={session}")
    page.get_by_role("application").first.wait_for()
    video = page.locator("video").first
    video.evaluate("v => new Promise(ready => v.readyState >= 2 ? ready() : v.onloadeddata = ready)")
    settled(page)
    before = studio.memory() / 1e6
    seek = """async (v, at) => {
        v.muted = true;
        v.currentTime = at;
        await new Promise(done => v.onseeked = done);
        await v.play();
        await new Promise(done => setTimeout(done, 400));
        v.pause();
        return v.currentTime - at;
    }"""
    for at in (3000, 12, 1800, 3590, 600, 2400, 0, 3333):
        assert video.evaluate(seek, at) > 0.1
    grown = studio.memory() / 1e6 - before
    print(f"memory of the server over eight seeks in a gigabyte: {before:.0f} MB, {grown:+.1f} MB")
    assert grown <= 50
