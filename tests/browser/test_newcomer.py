"""The way of somebody who has never seen the studio: from nothing to a clip on his disk, without the command line."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Locator, Page

from core.video import Video
from tests.studio import Studio

JOB_MS = 180_000


class Clicks:
    """A mouse that counts."""

    def __init__(self) -> None:
        self.count = 0

    def on(self, target: Locator) -> None:
        """Click once."""
        target.click()
        self.count += 1


def plays(page: Page, video: bytes) -> dict[str, float]:
    """What the browser makes of a downloaded clip: it is put into a page and played."""
    return dict(
        page.evaluate(
            """async (bytes) => {
                const video = document.createElement('video');
                video.muted = true;
                video.src = URL.createObjectURL(new Blob([new Uint8Array(bytes)], {type: 'video/mp4'}));
                await new Promise((done, failed) => { video.oncanplay = done; video.onerror = failed; });
                await video.play();
                await new Promise((done) => setTimeout(done, 500));
                return {duration: video.duration, at: video.currentTime, width: video.videoWidth};
            }""",
            list(video),
        )
    )


def test_from_the_empty_studio_to_a_clip_on_disk_in_six_clicks(
    empty_studio: Studio, open_page: Callable[..., Page], tmp_path: Path
) -> None:
    page, clicks = open_page(), Clicks()
    page.goto(empty_studio.address)
    clicks.on(page.get_by_role("button", name="Try the sample session"))
    review = page.get_by_role("link", name="Review 7 tricks")
    review.wait_for(timeout=JOB_MS)
    clicks.on(review)
    clicks.on(page.get_by_role("button", name="Export"))
    download = page.get_by_role("link", name="Download", exact=True).first
    download.wait_for(timeout=JOB_MS)
    with page.expect_download() as saving:
        clicks.on(download)
    clip = tmp_path / "clip.mp4"
    saving.value.save_as(clip)
    assert clicks.count <= 6
    print(f"clicks from the empty studio to a clip: {clicks.count}")
    seen = plays(page, clip.read_bytes())
    written = Video.open(clip)
    assert seen["at"] > 0.2
    assert abs(seen["duration"] - written.info.duration_s) < 0.1
    assert seen["width"] == written.info.width == 640


def test_a_link_to_a_page_of_a_session_opens_it_in_a_fresh_server(
    studio: Studio, open_page: Callable[..., Page]
) -> None:
    """Somebody sends the address of the page that he looks at."""
    page = open_page()
    page.goto(f"{studio.address}/review")
    page.get_by_role("heading", name="Review").wait_for()
    page.wait_for_url("**/review?session=*")
    again = open_page()
    again.goto(page.url)
    again.get_by_role("heading", name="Review").wait_for()
    again.get_by_role("button", name="Export").wait_for()


def test_the_studio_opens_dark_and_can_be_made_light(studio: Studio, open_page: Callable[..., Page]) -> None:
    """On a desktop that is light, too: footage reads better so. Who wants it light says it once."""
    page = open_page(color_scheme="light")
    page.goto(f"{studio.address}/timeline")
    page.get_by_role("heading", name="Timeline").wait_for()
    background = "getComputedStyle(document.querySelector('[data-testid=stApp]')).backgroundColor"
    assert page.evaluate(background) == "rgb(17, 19, 24)"
    page.get_by_test_id("stMainMenu").click()
    page.get_by_test_id("stMainMenuItem-theme-Light").click()
    page.wait_for_function(f"{background} === 'rgb(255, 255, 255)'")
    page.reload()
    page.get_by_role("heading", name="Timeline").wait_for()
    assert page.evaluate(background) == "rgb(255, 255, 255)"
