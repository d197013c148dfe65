"""From the choice of what is wanted to the files on the disk, in the real studio."""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Page, expect

from core.settings import SessionSettings
from core.video import Video
from core.workspace import Workspace
from tests.studio import Studio

JOB_MS = 180_000


def review_page(page: Page, studio: Studio) -> Page:
    """The page, once it has all to show: what is clicked before waits for it."""
    page.set_default_timeout(60_000)
    page.goto(f"{studio.address}/review")
    page.locator(".st-key-review_preview iframe").wait_for()
    return page


def settings(studio: Studio) -> SessionSettings:
    with Workspace.open(studio.home) as workspace:
        (session,) = workspace.sessions()
        return workspace.settings(session.id)


def fetched(page: Page, studio: Studio, name: str) -> list[bytes]:
    """What the links of this name lead to."""
    links = page.get_by_role("link", name=name, exact=True)
    answers = [page.request.get(studio.address + str(link.get_attribute("href"))) for link in links.all()]
    assert [answer.status for answer in answers] == [200] * len(answers)
    return [answer.body() for answer in answers]


def test_upright_clips_gifs_and_an_edit_list(studio: Studio, open_page: Callable[..., Page], tmp_path: Path) -> None:
    page = review_page(open_page(), studio)
    page.get_by_text("Clip settings").click()
    page.get_by_role("radio", name="9:16").click()
    page.get_by_text("A crop has to be encoded anew").wait_for()
    place = page.locator(".st-key-review_preview").bounding_box()
    assert place
    assert abs(place["width"] / place["height"] - 202 / 360) < 0.02
    assert place["height"] > 300
    page.get_by_role("button", name="What to make").click()
    choices = page.get_by_test_id("stPopoverBody")
    choices.get_by_text("GIF", exact=True).click()
    page.get_by_text("2 clips · 2 tricks · 2 GIFs · 0:").wait_for()
    choices.get_by_text("EDL (CMX 3600)", exact=True).click()
    summary = page.get_by_text(re.compile(r"^2 clips · 2 tricks · 2 GIFs · EDL · 0:[\d.]+ · 9:16$"))
    summary.wait_for()
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Export").click()
    page.get_by_role("link", name="Download", exact=True).first.wait_for(timeout=JOB_MS)

    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.wait_for_function(
        "() => { const v = document.querySelector('.st-key-review_watch video');"
        " return v && v.videoHeight > v.videoWidth && v.videoWidth > 0; }"
    )
    files = fetched(page, studio, "Download")
    assert len(files) == 6  # two clips, two GIFs, the list, and what a program reads
    clip = tmp_path / "clip.mp4"
    clip.write_bytes(files[0])
    written = Video.open(clip).info
    assert (written.width, written.height) == (202, 360)
    assert [content[:4] for content in files[2:4]] == [b"GIF8"] * 2
    assert files[4].startswith(b"TITLE:")
    (archive,) = fetched(page, studio, "Download all (zip)")
    with zipfile.ZipFile(io.BytesIO(archive)) as opened:
        assert sorted(opened.read(name) for name in opened.namelist()) == sorted(files)

    page.reload()
    summary.wait_for()
    page.get_by_role("link", name="Download", exact=True).first.wait_for()
    page.get_by_role("button", name="What to make").click()
    for kind, chosen in {"Clips": True, "GIF": True, "EDL (CMX 3600)": True, "Reel": False, "WebP": False}.items():
        expect(choices.get_by_role("checkbox", name=kind)).to_be_checked(checked=chosen)
    kept = settings(studio)
    assert (kept.kinds, kept.framing.aspect) == (("clips", "gif", "edl"), "9:16")


def test_a_cancelled_export_is_carried_on(studio: Studio, open_page: Callable[..., Page]) -> None:
    page = review_page(open_page(), studio)
    page.get_by_role("button", name="What to make").click()
    page.get_by_test_id("stPopoverBody").get_by_text("WebP", exact=True).click()
    page.get_by_text("2 clips · 2 tricks · 2 WebPs").wait_for()
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Export").click()
    page.locator(".st-key-review_exports").get_by_role("button", name="Cancel").click()
    page.get_by_role("button", name="Carry on").click(timeout=JOB_MS)
    page.get_by_role("link", name="Download", exact=True).first.wait_for(timeout=JOB_MS)
    expect(page.get_by_role("link", name="Download", exact=True)).to_have_count(5)
