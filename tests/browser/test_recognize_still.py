"""By mouse and keys: a box round one player, and clicks on who is cut out."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import av
import pytest
from playwright.sync_api import Locator, Page, expect

from core import jobs
from core.workspace import Workspace
from tests.browser.test_pages import faults, settled
from tests.conftest import ROOT
from tests.studio import Studio
from tests.test_page_recognize import shelved

JOB_MS = 240_000
WAIT_MS = 60_000


def job_of(studio: Studio, kind: str) -> jobs.Job:
    """The one job of this kind, as soon as it was submitted."""
    give_up = time.monotonic() + WAIT_MS / 1000
    with Workspace.open(studio.home) as workspace:
        while True:
            found = [one for one in jobs.jobs(workspace) if one.kind == kind]
            if found:
                return found[0]
            assert time.monotonic() < give_up
            time.sleep(0.1)


def shown(page: Page, name: str) -> Locator:
    """The still of this name, once its first frame can be seen."""
    still = page.get_by_label(name)
    still.wait_for()
    expect(page.locator(".still .time")).not_to_be_empty()
    page.wait_for_function(
        "() => { const find = (at) => [...at.querySelectorAll('*')].flatMap(one => one.still ? [one.still]"
        " : one.shadowRoot ? find(one.shadowRoot) : []); return find(document).some(one => one.player.ready); }"
    )
    return still


def at(page: Page, x: float, y: float) -> tuple[float, float]:
    """A place of the picture, 0..1, on the screen."""
    box = page.locator(".still .frame").bounding_box()
    assert box
    return box["x"] + x * box["width"], box["y"] + y * box["height"]


def test_a_box_is_drawn_round_one_player(studio: Studio, open_page: Callable[..., Page], tmp_path: Path) -> None:
    with Workspace.open(studio.home) as workspace:
        shelved(workspace, tmp_path, judged=False)
    page = open_page()
    page.set_default_timeout(WAIT_MS)
    page.goto(f"{studio.address}/recognize")
    page.get_by_text("The players").click()
    page.get_by_text("One player").click()
    name = page.get_by_role("button", name="Name this player")
    still = shown(page, "A frame of the video, to draw a box")
    expect(name).to_be_disabled()
    still.focus()
    for _ in range(3):
        page.keyboard.press("ArrowRight")
    expect(page.locator(".still .number")).to_have_text("f 3")
    page.mouse.move(*at(page, 0.3, 0.25))
    page.mouse.down()
    page.mouse.move(*at(page, 0.5, 0.75), steps=6)
    page.mouse.up()
    expect(name).to_be_enabled()
    # By a handle, by keys and by a number.
    page.mouse.move(*at(page, 0.5, 0.75))
    page.mouse.down()
    page.mouse.move(*at(page, 0.6, 0.8), steps=6)
    page.mouse.up()
    page.keyboard.press("Shift+ArrowRight")
    top = page.get_by_label("Top")
    top.fill("20")
    top.press("Enter")
    settled(page)
    assert faults(page) == []
    # It is remembered while other parts of the page are shown.
    page.get_by_role("radio", name="Train", exact=True).click()
    page.get_by_text("Train a recognizer").wait_for()
    page.get_by_role("radio", name="Name", exact=True).click()
    shown(page, "A frame of the video, to draw a box")
    name.click()
    job = job_of(studio, "name")
    # The corner went 0.1 to the right and 0.05 down, the box one step of half a percent to the right and then up.
    assert job.arguments["drawn"] == pytest.approx([3, 0.305, 0.2, 0.605, 0.75], abs=0.006)
    page.get_by_role("button", name="Clear the box").click()
    expect(page.locator(".still .box")).to_be_hidden()


def test_clicks_that_go_with_another_frame_are_told(studio: Studio, open_page: Callable[..., Page]) -> None:
    page = open_page()
    page.set_default_timeout(WAIT_MS)
    page.goto(f"{studio.address}/recognize")
    page.get_by_role("radio", name="Cut out").click()
    still = shown(page, "A frame of the video, to click")
    page.mouse.click(*at(page, 0.5, 0.6))
    page.get_by_text("1 clicked on in frame").wait_for()
    still.focus()
    page.keyboard.press("ArrowRight")
    page.mouse.click(*at(page, 0.4, 0.6))
    page.get_by_text("The clicks in the other frame are gone").wait_for()
    settled(page)
    assert faults(page) == []


@contextmanager
def outlining(home: Path) -> Iterator[None]:
    """A worker for the studio that knows a small SAM 2."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "TRICKLINE_HOME": str(home)}
    command = [sys.executable, "-m", "tests.browser.outlining_worker", str(home)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, env=environment) as worker:
        assert worker.stdout
        assert b"ready" in worker.stdout.readline()
        try:
            yield
        finally:
            worker.kill()


def test_whoever_is_clicked_on_is_cut_out(studio: Studio, open_page: Callable[..., Page]) -> None:
    pytest.importorskip("ultralytics", reason="the light installation has no Ultralytics")
    page = open_page()
    page.set_default_timeout(WAIT_MS)
    page.goto(f"{studio.address}/recognize")
    page.get_by_role("radio", name="Cut out").click()
    page.get_by_text("There are no weights of SAM 2").wait_for()
    with outlining(studio.home):
        page.reload()
        page.get_by_role("radio", name="Cut out").click()
        page.get_by_role("combobox", name="Clip").click()
        page.get_by_role("option", name="A stretch of the session").click()
        length = page.get_by_role("spinbutton", name="Length (s)")
        length.fill("0.2")
        length.press("Enter")
        settled(page)
        cut = page.get_by_role("button", name="Cut out", exact=True)
        still = shown(page, "A frame of the video, to click")
        expect(cut).to_be_disabled()
        still.focus()
        page.keyboard.press("ArrowRight")
        page.mouse.click(*at(page, 0.5, 0.6))
        page.get_by_role("button", name="Exclude").click()
        page.mouse.click(*at(page, 0.9, 0.1))
        page.get_by_text("1 clicked on, 1 excluded in frame 1.").wait_for()
        settled(page)
        assert faults(page) == []
        cut.click()
        page.get_by_role("link", name="Download").wait_for(timeout=JOB_MS)
    job = job_of(studio, "cutout")
    assert job.result
    first, last = job.arguments["span"]
    assert [(frame, inside) for frame, *_, inside in job.arguments["clicks"]] == [(1, True), (1, False)]
    assert job.arguments["clicks"][0][1:3] == pytest.approx([0.5, 0.6], abs=0.005)
    with av.open(job.result["file"]) as film:
        assert sum(1 for _ in film.decode(video=0)) == last - first + 1
    page.wait_for_function("() => [...document.querySelectorAll('video')].some(one => one.videoWidth > 0)")
