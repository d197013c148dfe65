"""Labelling, tuning and jobs in the real studio, as somebody does them who works with it all day."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from playwright.sync_api import Page

from core import jobs
from core.intervals import Interval
from core.settings import ClipSettings
from core.workspace import Workspace
from tests.studio import Studio

BENCH = (
    "[...document.querySelectorAll('*')].find((e) => e.shadowRoot?.querySelector('.wb'))"
    "?.shadowRoot.querySelector('.wb').workbench"
)


def bench(page: Page, what: str) -> Any:
    """What an expression in ``wb``, the workbench of the page, gives."""
    return page.evaluate(f"() => {{ const wb = {BENCH}; return {what}; }}")


def opened(page: Page, studio: Studio, address: str) -> None:
    """Open a page of the studio and wait until its workbench hears keys."""
    page.goto(f"{studio.address}/{address}")
    page.get_by_role("application").wait_for()
    page.wait_for_function(f"() => {{ const wb = {BENCH}; return wb?.times && wb.player.ready; }}")
    page.get_by_role("application").focus()


def press(page: Page, *keys: str) -> None:
    for key in keys:
        page.keyboard.press(key)
        page.wait_for_function(f"() => {BENCH}.player.target === null")


def saved(page: Page) -> None:
    page.wait_for_function(f"() => {BENCH}.draft.state === 'saved'")


def labels(studio: Studio) -> tuple[Interval, ...]:
    """The newest labels of the studio's only session."""
    with Workspace.open(studio.home) as workspace:
        (session,) = workspace.sessions()
        newest = workspace.labels(session.id)
        return newest.intervals if newest else ()


def test_labels_made_by_keys_are_kept_to_the_frame(studio: Studio, open_page: Callable[..., Page]) -> None:
    """In at the frame on the screen, out at the frame on the screen, and both are in the workspace at once."""
    page = open_page()
    opened(page, studio, "label")
    press(page, "ArrowRight", "ArrowRight", ".", ".", ".", "i")
    start = bench(page, "wb.player.frame")
    press(page, *["."] * 12, "o")
    end = bench(page, "wb.player.frame")
    assert (start, end) == (63, 75)
    saved(page)
    assert labels(studio) == (Interval(63, 75, "trick"),)
    press(page, "Control+z")
    saved(page)
    assert labels(studio) == ()
    press(page, "Control+Shift+z")
    saved(page)
    assert labels(studio) == (Interval(63, 75, "trick"),)


def test_ten_edits_20_ms_apart_are_all_kept(studio: Studio, open_page: Callable[..., Page]) -> None:
    page = open_page()
    opened(page, studio, "label")
    press(page, "ArrowRight", "i", ".", ".", ".", ".", "o")
    for _ in range(10):
        page.keyboard.press("Alt+ArrowRight")
        page.wait_for_timeout(20)
    saved(page)
    shown = [tuple(one) for one in bench(page, "wb.draft.items.map((i) => [i.start, i.end])")]
    assert [(one.start_frame, one.end_frame) for one in labels(studio)] == shown
    with Workspace.open(studio.home) as workspace:
        (session,) = workspace.sessions()
        assert labels(studio) == workspace.label_history(session.id)[0].intervals
    first, last = shown[0]
    assert (first, last) in {(40, 44), (30, 44)}  # the whole interval ten frames on, or its edge


def test_two_tabs_lose_nothing_and_hear_of_each_other(studio: Studio, open_page: Callable[..., Page]) -> None:
    """Both label at once: each sees what the other did, without a reload."""
    one, two = open_page(), open_page()
    opened(one, studio, "label")
    opened(two, studio, "label")
    press(one, "ArrowRight", "i", ".", ".", "o")
    saved(one)
    press(two, "ArrowRight", "ArrowRight", "ArrowRight", "i", ".", ".", "o")
    saved(two)
    for page in (one, two):
        page.wait_for_function(f"() => {BENCH}.draft.items.length === 2")
    assert labels(studio) == (Interval(30, 32, "trick"), Interval(90, 92, "trick"))


def test_the_threshold_moves_the_events_while_the_video_plays_on(
    studio: Studio, open_page: Callable[..., Page]
) -> None:
    page = open_page()
    opened(page, studio, "train")
    found = "wb.data.found.length"
    assert bench(page, found) == 2
    page.evaluate(f"() => {{ const v = {BENCH}.player.video; v.muted = true; v.play(); v.mark = 'the same'; }}")
    page.wait_for_timeout(300)
    begun, at = time.monotonic(), bench(page, "wb.player.video.currentTime")
    slider = page.get_by_role("slider", name="Threshold").first
    slider.focus()
    for _ in range(49):
        page.keyboard.press("ArrowRight")
    page.wait_for_function(f"() => {BENCH}.data.found.length === 0")
    played, wall = bench(page, "wb.player.video.currentTime") - at, time.monotonic() - begun
    assert bench(page, "wb.player.video.mark") == "the same"
    assert not bench(page, "wb.player.video.paused")
    assert played > 0.5 * wall  # on a busy machine the clock of the test runs on while the browser waits


def test_every_found_and_every_missed_trick_says_why_in_one_click(
    studio: Studio, open_page: Callable[..., Page]
) -> None:
    with Workspace.open(studio.home) as workspace:
        (session,) = workspace.sessions()
        workspace.save_labels(session.id, [Interval(300, 320, "kickflip")], "editor")
    page = open_page()
    opened(page, studio, "timeline")
    events = page.get_by_role("listbox").get_by_role("option")
    assert events.count() == 3
    for number in range(3):
        event = events.nth(number)
        missed = "kickflip" in event.inner_text()
        event.click()
        page.get_by_text("The probability came no higher than" if missed else "No trick is labelled here.").wait_for()


def test_adjusting_a_trick_leaves_the_clip_settings_alone(studio: Studio, open_page: Callable[..., Page]) -> None:
    """The sliders are not drawn while a trick is adjusted; what they say when they come back must not be saved."""
    page = open_page()
    page.goto(f"{studio.address}/review")
    page.get_by_role("button", name="Adjust").click()
    page.get_by_role("application").wait_for()
    page.wait_for_function(f"() => {{ const wb = {BENCH}; return wb?.times && wb.player.ready; }}")
    page.get_by_role("application").focus()
    press(page, "Alt+ArrowLeft")
    saved(page)
    page.get_by_role("button", name="Done").click()
    page.get_by_role("button", name="Export").click()
    page.get_by_role("link", name="Download", exact=True).first.wait_for(timeout=60_000)
    with Workspace.open(studio.home) as workspace:
        (session,) = workspace.sessions()
        assert workspace.settings(session.id).clips == ClipSettings()


def test_a_job_survives_a_restart_of_the_server(empty_studio: Studio, open_page: Callable[..., Page]) -> None:
    """The laptop's server is stopped in the middle of the work; the work goes on, and the page finds it again."""
    page = open_page()
    page.goto(empty_studio.address)
    page.get_by_role("button", name="Try the sample session").click()
    page.get_by_text("Drawing the sample").first.wait_for()
    worker = empty_studio.workers()
    assert worker
    empty_studio.stop()
    assert empty_studio.workers() == worker
    empty_studio.start()
    page.goto(empty_studio.address)
    page.get_by_role("link", name="Review 7 tricks").wait_for(timeout=180_000)
    with Workspace.open(empty_studio.home) as workspace:
        (job,) = jobs.jobs(workspace)
    assert (job.state, job.attempts) == ("done", 1)


def test_what_is_no_label_file_is_said_and_nothing_changes(
    studio: Studio, open_page: Callable[..., Page], tmp_path: Path
) -> None:
    page = open_page()
    opened(page, studio, "label")
    press(page, "ArrowRight", "i", ".", ".", "o")
    saved(page)
    hostile = tmp_path / "labels.xml"
    hostile.write_text('<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b "c">]><annotations>&b;</annotations>')
    page.get_by_role("tab", name="Import").click()
    page.get_by_test_id("stFileUploaderDropzoneInput").first.set_input_files(hostile)
    page.get_by_role("alert").filter(has_text="labels.xml").wait_for()
    assert labels(studio) == (Interval(30, 32, "trick"),)
