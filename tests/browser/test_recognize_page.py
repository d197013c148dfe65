"""From a folder of clips to names in the labels, in the real studio."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Page, expect

from core.recognize import shelf
from core.workspace import Workspace
from tests.browser.test_pages import faults, settled
from tests.moments import frames_of, write_clip
from tests.studio import Studio

JOB_MS = 240_000


def folder_of_clips(folder: Path) -> Path:
    """Three clips of each of two names, every one a source of its own."""
    for label in ("left", "right"):
        (folder / label).mkdir(parents=True)
        for number in range(3):
            write_clip(folder / label / f"take{number}{label}.mp4", frames_of(label, number))
    return folder


def test_a_folder_is_learnt_from_judged_and_used(
    studio: Studio, open_page: Callable[..., Page], tmp_path: Path
) -> None:
    page = open_page()
    page.set_default_timeout(60_000)
    page.goto(f"{studio.address}/recognize")
    page.get_by_role("button", name="Train one").click()
    page.get_by_text("A folder or file").click()
    path = page.get_by_role("textbox", name="Folder or file")
    path.fill(str(folder_of_clips(tmp_path / "moves")))
    path.press("Enter")
    page.get_by_text("6 clips · 2 names").wait_for()
    # The clips that are shown really play.
    page.wait_for_function(
        "() => { const find = (at) => [...at.querySelectorAll('*')].flatMap(one => one.tagName === 'VIDEO' ? [one]"
        " : one.shadowRoot ? find(one.shadowRoot) : []);"
        " return find(document).some(video => video.videoWidth === 48 && video.currentTime > 0); }"
    )
    settled(page)
    assert faults(page) == []
    page.get_by_role("button", name="Train", exact=True).click()
    page.get_by_role("button", name="See how good it is").click(timeout=JOB_MS)

    page.get_by_text("What was named what").wait_for()
    settled(page)
    assert faults(page) == []
    with Workspace.open(studio.home) as workspace:
        (shelved,) = shelf.recognizers(workspace)
        judged = shelved.judged()
    assert judged
    picker = page.get_by_role("combobox", name="Clips of the cell")
    at_first = picker.input_value()
    found = judged.evaluation
    cells = {
        (truth, named): f"{truth} → {named} · {clips} clip{'s' * (clips != 1)}"
        for truth, line in zip(found.classes, found.confusion, strict=True)
        for named, clips in zip(found.classes, line, strict=True)
        if clips
    }
    assert at_first in cells.values()
    truth, named = next(cell for cell, words in cells.items() if words != at_first)
    # The number of its clips is written over the cell.
    page.locator(f"path[aria-label^='Named: {named}; It is: {truth}']").click(force=True)
    expect(picker).to_have_value(cells[truth, named])
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")

    page.get_by_role("radio", name="Name", exact=True).click()
    page.get_by_role("button", name="Name 2 tricks").click()
    page.get_by_text("2 tricks named").wait_for(timeout=JOB_MS)
    page.get_by_role("application").first.wait_for()
    settled(page)
    assert faults(page) == []
    page.get_by_role("button", name="Take over", exact=True).first.click()
    page.get_by_role("button", name="Undo", exact=True).first.wait_for()
    with Workspace.open(studio.home) as workspace:
        (session,) = workspace.sessions()
        labels = workspace.labels(session.id)
    assert labels
    assert [one.label in ("left", "right") for one in labels.intervals] == [True]
