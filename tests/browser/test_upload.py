"""The drop area in a browser: footage goes in, one file after the other, and every fault is said in a sentence."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from core.workspace import Workspace
from tests.media_server import write_video
from tests.studio import UPLOAD_APP, Studio
from tests.test_chapters import H264, record


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Studio]:
    folder = tmp_path_factory.mktemp("studio")
    with Studio(folder / "home", folder / "server.log", UPLOAD_APP) as server:
        yield server


@pytest.fixture
def page(running: Studio, open_page: Callable[..., Page]) -> Page:
    """The drop area, in a tab of its own."""
    tab = open_page()
    tab.goto(running.address)
    tab.get_by_text("Drop footage here").wait_for()
    return tab


def choose(page: Page, *paths: Path) -> None:
    page.locator(".drop input").set_input_files(paths)


def row(page: Page, name: str) -> Locator:
    return page.get_by_role("listitem").filter(has=page.get_by_text(name, exact=True))


def added(page: Page) -> Locator:
    """What Python was given."""
    return page.get_by_test_id("stText")


def slow(page: Page, bytes_s: int) -> None:
    """Let the browser send at most so much."""
    conditions = {"offline": False, "latency": 0, "downloadThroughput": -1, "uploadThroughput": bytes_s}
    page.context.new_cdp_session(page).send("Network.emulateNetworkConditions", conditions)


def heavy(path: Path, shade: int) -> Path:
    """A video of 3 MB: what follows its pictures is a box to be passed over."""
    write_video(path, shade=shade)
    with path.open("ab") as file:
        file.write((3_000_000).to_bytes(4, "big") + b"free" + os.urandom(2_999_992))
    return path


def test_files_go_in_one_after_the_other(page: Page, tmp_path: Path) -> None:
    """The page is given each of them once, under its own name and as text."""
    good = [write_video(tmp_path / name, shade=shade) for name, shade in (("<b>line<b>.mp4", 1), ("größe.mp4", 2))]
    bad = tmp_path / "not a video.mp4"
    bad.write_bytes(b"no video" * 1000)
    choose(page, good[0], bad, good[1])
    expect(added(page)).to_have_text("<b>line<b> (footage)\ngröße (footage)")
    expect(row(page, "<b>line<b>.mp4")).to_contain_text("Arrived")
    expect(row(page, "not a video.mp4")).to_contain_text("not a video.mp4 cannot be read as a video")
    for _ in range(2):
        page.get_by_role("button", name="Rerun").click()
    expect(added(page)).to_have_text("<b>line<b> (footage)\ngröße (footage)")
    page.get_by_role("button", name="Remove not a video.mp4").click()
    expect(row(page, "not a video.mp4")).to_have_count(0)


def test_a_file_can_be_dropped(page: Page, tmp_path: Path) -> None:
    content = list(write_video(tmp_path / "drop.mp4", shade=10).read_bytes())
    transfer = page.evaluate_handle(
        """(bytes) => {
            const transfer = new DataTransfer();
            transfer.items.add(new File([new Uint8Array(bytes)], 'drop.mp4', { type: 'video/mp4' }));
            return transfer;
        }""",
        content,
    )
    area = page.locator(".drop")
    area.dispatch_event("dragover", {"dataTransfer": transfer})
    assert "over" in (area.get_attribute("class") or "")
    area.dispatch_event("drop", {"dataTransfer": transfer})
    assert "over" not in (area.get_attribute("class") or "")
    expect(added(page)).to_have_text("drop (footage)")


def test_a_file_dropped_beside_the_area_does_not_replace_the_studio(page: Page) -> None:
    script = """() => {
        const transfer = new DataTransfer();
        transfer.items.add(new File(['x'], 'a.mp4'));
        return document.body.dispatchEvent(
            new DragEvent('drop', { dataTransfer: transfer, bubbles: true, cancelable: true }));
    }"""
    assert page.evaluate(script) is False  # nobody may open it


def test_the_keyboard_opens_the_chooser(page: Page, tmp_path: Path) -> None:
    with page.expect_file_chooser() as chooser:
        page.locator(".drop input").press("Enter")
    assert chooser.value.is_multiple()
    chooser.value.set_files(write_video(tmp_path / "keys.mp4", shade=20))
    expect(added(page)).to_have_text("keys (footage)")


def test_progress_is_shown_and_an_upload_can_be_cancelled(running: Studio, page: Page, tmp_path: Path) -> None:
    before = set((running.home / "footage").glob("*"))
    slow(page, 400_000)
    choose(page, heavy(tmp_path / "long.mp4", 30), write_video(tmp_path / "next.mp4", shade=31))
    expect(row(page, "long.mp4")).to_contain_text("of 3 MB")
    expect(row(page, "long.mp4")).to_contain_text("MB/s · 0:0")
    expect(row(page, "next.mp4")).to_contain_text("Waiting")
    assert int(page.get_by_role("progressbar", name="Upload of long.mp4").get_attribute("aria-valuenow") or 0) < 100
    page.get_by_role("button", name="Cancel long.mp4").click()
    expect(row(page, "long.mp4")).to_have_count(0)
    expect(added(page)).to_have_text("next (footage)")
    left = set((running.home / "footage").glob("*")) - before
    assert len(left) == 1, left
    assert left.pop().stat().st_size < 100_000


def test_an_upload_goes_on_while_another_page_is_shown(page: Page, tmp_path: Path) -> None:
    """20 GB take minutes, and there is a timeline to look at."""
    slow(page, 2_000_000)
    choose(page, heavy(tmp_path / "travels.mp4", 40))
    expect(row(page, "travels.mp4")).to_contain_text("of 3 MB")
    page.get_by_test_id("stSidebarNavLink").filter(has_text="Other").click()
    expect(added(page)).to_have_text("another page")
    expect(page.locator(".drop")).to_have_count(0)
    with page.expect_response(lambda answer: answer.request.method == "PUT") as answer:
        pass
    assert answer.value.status == 201
    page.get_by_test_id("stSidebarNavLink").filter(has_text="Upload").click()
    expect(added(page)).to_have_text("travels (footage)")
    expect(row(page, "travels.mp4")).to_contain_text("Arrived")


def test_a_server_that_does_not_answer_is_said_and_the_file_stays(running: Studio, page: Page, tmp_path: Path) -> None:
    running.stop()
    choose(page, write_video(tmp_path / "later.mp4", shade=50))
    expect(row(page, "later.mp4")).to_contain_text("Trickline does not answer. Check that it runs, then try again")
    running.start()
    page.get_by_role("button", name="Try later.mp4 again").click()
    expect(row(page, "later.mp4")).to_contain_text("Arrived")
    expect(added(page)).to_have_text("later (footage)", timeout=20_000)


def test_a_server_that_stops_in_the_middle_is_said(running: Studio, page: Page, tmp_path: Path) -> None:
    slow(page, 400_000)
    choose(page, heavy(tmp_path / "broken.mp4", 60))
    expect(row(page, "broken.mp4")).to_contain_text("MB/s")
    running.stop()
    expect(row(page, "broken.mp4")).to_contain_text("Trickline does not answer.")
    running.start()


def test_a_chapter_waits_until_the_other_one_is_given_up(page: Page, tmp_path: Path) -> None:
    slow(page, 400_000)
    choose(page, write_video(tmp_path / "GX010042.MP4", shade=70), heavy(tmp_path / "GX020042.MP4", 71))
    expect(row(page, "GX010042.MP4")).to_contain_text("Arrived, waits for the other chapters")
    page.get_by_role("button", name="Cancel GX020042.MP4").click()
    expect(added(page)).to_have_text("GX010042 (footage)")
    expect(row(page, "GX010042.MP4").get_by_text("Arrived", exact=True)).to_be_visible()


def test_a_chapter_that_waits_outlives_the_studio(running: Studio, page: Page, tmp_path: Path) -> None:
    """What had arrived need not be sent again, and what broke off is still awaited."""
    slow(page, 800_000)
    choose(page, write_video(tmp_path / "GX010043.MP4", shade=80), heavy(tmp_path / "GX020043.MP4", 81))
    expect(row(page, "GX010043.MP4")).to_contain_text("Arrived, waits for the other chapters")
    running.stop()
    expect(row(page, "GX020043.MP4")).to_contain_text("Trickline does not answer.")
    running.start()
    page.get_by_role("button", name="Try GX020043.MP4 again").click()
    expect(added(page)).to_have_text("GX010043 (footage)\nGX020043 (footage)", timeout=40_000)


def test_chapters_become_one_session(empty_studio: Studio, open_page: Callable[..., Page], tmp_path: Path) -> None:
    """In whatever order they come; their copies go at once, and the whole with the session."""
    page = open_page()
    page.goto(empty_studio.address)
    choose(page, *record(H264, tmp_path, ["GX010042", "GX020042"], ".MP4")[::-1])
    page.get_by_text("1 video added.").wait_for(timeout=60_000)
    with Workspace.open(empty_studio.home) as workspace:
        (session,) = workspace.sessions()
    assert (session.name, session.path.parent.name, session.facts["frames"]) == ("GX010042", "joined", 45 + 31)
    assert list((empty_studio.home / "footage").iterdir()) == []
    page.get_by_role("button", name="More").click()
    page.get_by_role("button", name="Remove from the list").click()
    page.get_by_text("The video was uploaded into the workspace").wait_for()
    page.get_by_role("button", name="Remove", exact=True).click()
    page.get_by_text("Footage in, tricks found, clips out.").wait_for()
    assert not session.path.exists()
