"""Hundreds of videos in the real studio: added as one piece of work, and found again among the others."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from playwright.sync_api import Page, expect
from sqlalchemy import insert

from core.intervals import Interval
from core.labels import LabelSet, write_labels
from core.records import session_table
from core.video import Video
from core.workspace import Workspace
from tests.studio import Studio
from tests.test_chapters import H264, record
from tests.test_video import BY_NAME, Film, write_film


def test_a_card_of_footage_is_added_as_one(empty_studio: Studio, open_page: Callable[..., Page]) -> None:
    """A dozen files, two chapters, labels and a broken file: one click, one progress, one summary that stays."""
    card = empty_studio.home.parent / "card"
    (card / "day 2").mkdir(parents=True)
    for number in range(12):
        ticks = [512 * tick for tick in range(20 + number)]
        write_film(
            Film("", ticks, BY_NAME["60.mp4"].time_base), card / ("day 2" if number % 2 else ".") / f"{number}.mp4"
        )
    record(H264, card, ["GX010042", "GX020042"], ".MP4")
    (card / "broken.mp4").write_bytes(b"no video")
    write_labels(card / "0.csv", LabelSet((Interval(3, 9, "ollie"),)), Video.open(card / "0.mp4").pts_s)
    page = open_page()
    page.goto(empty_studio.address)
    page.get_by_role("button", name="Open from disk, without copying").click()
    page.get_by_role("button", name="card", exact=True).click()
    page.get_by_text("Find their tricks right away").click()
    page.get_by_role("button", name="Add all 15 videos of this folder and the folders in it").click()
    page.get_by_text("13 videos added, 1 failed, 1 with labels.").wait_for(timeout=60_000)
    page.get_by_text("broken.mp4 cannot be read as a video").wait_for()
    page.get_by_role("heading", name="13 sessions").wait_for()
    with Workspace.open(empty_studio.home) as workspace:
        sessions = workspace.sessions()
        assert {session.name for session in sessions} == {*map(str, range(12)), "GX010042"}
        (labelled,) = [session for session in sessions if workspace.labels(session.id)]
        assert labelled.name == "0"
    page.reload()
    page.get_by_text("broken.mp4 cannot be read as a video").wait_for()
    page.get_by_role("button", name="Dismiss").click()
    expect(page.get_by_text("broken.mp4")).to_have_count(0)
    page.get_by_role("heading", name="13 sessions").wait_for()


def test_one_of_five_hundred_is_found(empty_studio: Studio, open_page: Callable[..., Page]) -> None:
    now = datetime.now(UTC)
    rows = [
        {
            "id": f"{one:032x}",
            "name": f"Line {one:03d}",
            "path": f"/nowhere/{one}.mp4",
            "facts": {"duration_s": 3.0, **({"looked": {"backend": "x", "stride": 2}} if one == 77 else {})},
            "added_at": now + timedelta(seconds=one),
        }
        for one in range(500)
    ]
    with Workspace.open(empty_studio.home) as workspace, workspace.database.transaction() as db:
        db.execute(insert(session_table), rows)
    page = open_page()
    page.goto(empty_studio.address)
    cards = page.locator("[class*=st-key-card_]")
    expect(cards).to_have_count(24)
    page.get_by_role("button", name="Page 21").click()
    page.get_by_text("481 to 500 of 500").wait_for()
    expect(cards).to_have_count(20)
    page.get_by_placeholder("Search by name").press_sequentially("line 03")
    page.get_by_text("Line 039", exact=True).wait_for()  # without Enter, and on the first page of what is left
    expect(cards).to_have_count(15)  # 030 to 039, and 003 to 403
    page.get_by_placeholder("Search by name").fill("")
    page.get_by_text("of 500").wait_for()
    page.get_by_role("radio", name="Looked at 1").click()
    expect(cards).to_have_count(1)
    page.get_by_text("Line 077", exact=True).wait_for()
