"""How quickly does the studio answer: from its start, with hundreds of sessions, from page to page with an hour of
footage, to a hand on a knob?

    python -m tests.bench.bench_studio

In Chromium, on this machine. The hour is the drawn session going round: 108,000 frames, a gigabyte.
"""

from __future__ import annotations

import os
import statistics
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
from playwright.sync_api import Browser, Page, expect, sync_playwright
from sqlalchemy import insert

from core import jobs, sighting, thumbnails
from core.records import session_table
from core.settings import GuardrailSettings
from core.workspace import Workspace
from sample_data.make_session import make_session
from tests.browser.hour import make_hour
from tests.studio import CHROMIUM, CHROMIUM_OPTIONS, Studio

ROUNDS = 5
SESSIONS = 500
BENCH = (
    "[...document.querySelectorAll('*')].find((e) => e.shadowRoot?.querySelector('.wb'))"
    "?.shadowRoot.querySelector('.wb').workbench"
)


def start_to_first_page(browser: Browser, folder: Path) -> list[float]:
    """Seconds from the command to a first page that can be used, each time with a new server and a new visitor."""
    took = []
    for round_ in range(ROUNDS):
        page = browser.new_context().new_page()
        begun = time.perf_counter()
        with Studio(folder / f"home{round_}", folder / "server.log") as studio:
            page.goto(studio.address)
            page.get_by_role("button", name="Try the sample session").wait_for()
            took.append(time.perf_counter() - begun)
        page.context.close()
    return took


def page_switches(page: Page) -> dict[str, list[float]]:
    """Seconds from a click in the navigation to the page in use: its video or its cards are there."""
    took: dict[str, list[float]] = {title: [] for title in ("Label", "Train", "Review", "Timeline")}
    for round_ in range(ROUNDS + 1):
        for title, seconds in took.items():
            begun = time.perf_counter()
            page.get_by_test_id("stSidebarNavLink").filter(has_text=title).click()
            page.get_by_role("heading", name=title, exact=True).wait_for()
            page.get_by_role("application").or_(page.get_by_role("button", name="Export")).first.wait_for()
            if round_:  # the first time everything is read from the disk
                seconds.append(time.perf_counter() - begun)
            page.wait_for_timeout(1500)
    return took


def threshold_to_timeline(page: Page) -> list[float]:
    """Milliseconds from a key on the threshold's slider to the new events in the timeline."""
    page.evaluate(
        f"""() => {{
            const wb = {BENCH};
            let last = JSON.stringify(wb.data.threshold);
            window.arrived = [];
            setInterval(() => {{
                const now = JSON.stringify(wb.data.threshold);
                if (now !== last) window.arrived.push(performance.now());
                last = now;
            }}, 4);
            document.addEventListener('keydown', () => (window.pressed = performance.now()), true);
        }}"""
    )
    page.get_by_role("slider", name="Threshold").first.focus()
    took = []
    for turn in range(4 * ROUNDS):
        page.keyboard.press("ArrowRight" if turn % 2 else "ArrowLeft")
        page.wait_for_function(f"() => window.arrived.length > {turn}")
        took.append(float(page.evaluate("() => window.arrived.at(-1) - window.pressed")))
        page.wait_for_timeout(700)
    return took


def many_sessions(home: Path) -> Workspace:
    """A workspace with hundreds of sessions as if they had been added: with facts and posters, their videos gone."""
    workspace = Workspace.open(home)
    now = datetime.now(UTC)
    facts = {"duration_s": 600.0, "average_rate": "30", "width": 1920, "height": 1080, "codec": "h264", "frames": 18000}
    rows = [
        {
            "id": f"{number:032x}",
            "name": f"Line {number:03d}",
            "path": f"/nowhere/{number}.mp4",
            "facts": {**facts, **({"looked": {"backend": "movenet", "stride": 2}, "found": 3} if number % 2 else {})},
            "added_at": now + timedelta(seconds=number),
        }
        for number in range(SESSIONS)
    ]
    with workspace.database.transaction() as db:
        db.execute(insert(session_table), rows)
    noise = np.random.default_rng(0)
    for row in rows:
        poster = thumbnails.poster_path(workspace, str(row["id"]))
        poster.parent.mkdir(parents=True)
        thumbnails.write_image(noise.integers(0, 255, (270, 480, 3), np.uint8), poster)
    return workspace


def upload_page(page: Page, address: str) -> dict[str, list[float]]:
    """Seconds from an address or a click to the cards on the upload page."""
    expect.set_options(timeout=30_000)
    took: dict[str, list[float]] = {"opened": [], "next page of cards": [], "search by name": [], "another session": []}
    first = page.locator(".st-key-cards [data-testid=stText]").first
    found = [number for number in range(SESSIONS - 1, -1, -1) if "39" in f"{number:03d}"]
    for round_ in range(ROUNDS + 1):
        seconds = {}
        begun = time.perf_counter()
        page.goto(address)
        expect(first).to_have_text(f"Line {SESSIONS - 1}")
        seconds["opened"] = time.perf_counter() - begun
        page.wait_for_timeout(1500)
        begun = time.perf_counter()
        page.get_by_role("button", name="Next page").click()
        expect(first).to_have_text(f"Line {SESSIONS - 1 - 24}")
        seconds["next page of cards"] = time.perf_counter() - begun
        page.wait_for_timeout(1500)
        begun = time.perf_counter()
        page.get_by_placeholder("Search by name").fill("Line 39")
        expect(first).to_have_text(f"Line {found[0]:03d}")
        seconds["search by name"] = time.perf_counter() - begun
        page.wait_for_timeout(1500)
        begun = time.perf_counter()
        page.get_by_role("button", name="Show").nth(round_).click()
        page.get_by_label("Name", exact=True).and_(page.locator(f"[value='Line {found[round_]:03d}']")).wait_for()
        seconds["another session"] = time.perf_counter() - begun
        page.wait_for_timeout(1500)
        if round_:  # the first time the server reads everything from the disk
            for what, one in seconds.items():
                took[what].append(one)
    return took


def hundreds_of_sessions(browser: Browser, folder: Path) -> None:
    """Print how quick the upload page is with many sessions, and with as many jobs that wait."""
    home = folder / "many"
    with many_sessions(home) as workspace:
        lock = jobs.take_lock(workspace)  # no worker does them
        assert lock is not None
        with Studio(home, folder / "server.log") as studio:
            for title in (f"{SESSIONS} sessions", f"{SESSIONS} sessions and jobs"):
                page = browser.new_page(viewport={"width": 1440, "height": 900})
                for what, took in upload_page(page, studio.address).items():
                    _print(f"{title}, {what}, s", took)
                page.close()
                ids = [session.id for session in workspace.sessions()]
                begun = time.perf_counter()
                jobs.submit_all(workspace, "process", [{"session": one} for one in ids], start=False)
                if title == f"{SESSIONS} sessions":
                    _print(f"{SESSIONS} searches queued at once, s", [time.perf_counter() - begun])
        os.close(lock)


def knobs(home: Path, session_id: str) -> tuple[list[float], list[float]]:
    """Milliseconds to judge by other guardrails, and to measure on every second of the frames that were looked at."""
    with Workspace.open(home) as workspace:
        look = sighting.kept(workspace.session(session_id), workspace)
    assert look
    judged, coarser = [], []
    for round_ in range(ROUNDS):
        begun = time.perf_counter()
        look.with_guardrails(GuardrailSettings(edge_margin=0.02 + 0.01 * round_))
        judged.append(1000 * (time.perf_counter() - begun))
        begun = time.perf_counter()
        look.every(2)
        coarser.append(1000 * (time.perf_counter() - begun))
    return judged, coarser


def main() -> None:
    """Print the figures."""
    with tempfile.TemporaryDirectory() as name, sync_playwright() as playwright:
        folder = Path(name)
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=CHROMIUM_OPTIONS)
        _print("start of the server to a usable first page, s", start_to_first_page(browser, folder))
        hundreds_of_sessions(browser, folder)
        home = folder / "home"
        short = make_session(folder / "session", seconds=20.0)
        with Workspace.open(home) as workspace:
            short_id = sighting.look(short.video, workspace).content
        hour_id = make_hour(home, folder)
        for title, session_id in (("20 s", short_id), ("an hour", hour_id)):
            for what, took in zip(("other guardrails", "every second frame"), knobs(home, session_id), strict=True):
                _print(f"{title} of footage, {what}, ms", took)
        with Studio(home, folder / "server.log") as studio:
            page = browser.new_page(viewport={"width": 1440, "height": 900})
            page.goto(f"{studio.address}/timeline?session={hour_id}")
            page.get_by_role("application").wait_for()
            for title, took in page_switches(page).items():
                _print(f"an hour of footage, switch to {title}, s", took)
            for title, session_id in (("20 s", short_id), ("an hour", hour_id)):
                page.goto(f"{studio.address}/train?session={session_id}")
                page.wait_for_function(f"() => {BENCH}?.times")
                page.wait_for_timeout(2000)
                _print(f"{title} of footage, threshold to timeline, ms", threshold_to_timeline(page))
        browser.close()


def _print(what: str, took: list[float]) -> None:
    digits = 0 if what.endswith("ms") else 2
    low, middle, high = (round(value, digits) for value in (min(took), statistics.median(took), max(took)))
    print(f"{what:52} median {middle:g} ({low:g} to {high:g})", flush=True)


if __name__ == "__main__":
    main()
