"""Reviewing the most uncertain moments first, by keys, in the real studio."""

from __future__ import annotations

import re
from collections.abc import Callable

from playwright.sync_api import Locator, Page, expect

from core.reviews import reviews
from core.workspace import Workspace
from tests.studio import Studio


def counts(page: Page) -> Locator:
    return page.get_by_role("group", name="Show")


def verdicts(studio: Studio) -> list[str]:
    with Workspace.open(studio.home) as workspace:
        (session,) = workspace.sessions()
        return [review.verdict for review in reviews(workspace, session.id)]


def test_what_was_not_found_is_asked_about_where_the_most_uncertain_come_first(
    studio: Studio, open_page: Callable[..., Page]
) -> None:
    page = open_page()
    page.goto(f"{studio.address}/review")
    cells = page.get_by_role("gridcell")
    expect(cells).to_have_count(2)
    expect(counts(page)).to_contain_text("All 2")
    page.get_by_label("Sort by").select_option("uncertain")
    below = page.get_by_role("gridcell", name="not found: below the threshold")
    expect(below.first).to_be_visible()
    asked = below.count()  # as many as the starter is unsure of
    assert asked > 2
    expect(counts(page)).to_contain_text(f"All {2 + asked}")
    first = cells.first.get_attribute("aria-label")
    assert first
    assert "below the threshold" in first
    # The same keys as anywhere: one is a trick after all, the next is none and stays in view, so that it can be undone.
    cells.first.focus()
    page.keyboard.press("k")
    page.keyboard.press("r")
    expect(below).to_have_count(asked - 2)
    expect(counts(page)).to_contain_text("Kept 1")
    expect(counts(page)).to_contain_text("Rejected 1")
    expect(page.get_by_text(re.compile(r"^\d+ clips? · 3 tricks"))).to_be_visible()  # those of the export
    assert sorted(verdicts(studio)) == ["keep", "reject"]
    page.keyboard.press("u")
    expect(below).to_have_count(asked - 1)
    page.get_by_label("Sort by").select_option("time")
    expect(cells).to_have_count(3)
    expect(below).to_have_count(0)
