"""The cards in a real browser: every key does what it says, and no decision is lost."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from itertools import pairwise

import pytest
from playwright.sync_api import Browser, BrowserContext, Locator, Page, expect
from sqlalchemy import delete

from core.ffmpeg import run
from core.intervals import Interval
from core.records import label_table, review_table
from core.reviews import Decision, decide, reviews
from core.workspace import Workspace
from tests.conftest import ROOT
from tests.studio import Studio

APP = ROOT / "tests" / "browser" / "cards_app.py"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Studio]:
    folder = tmp_path_factory.mktemp("cards")
    video = folder / "pattern.mp4"
    pattern = ["-f", "lavfi", "-i", "testsrc=size=320x180:rate=30:duration=21"]
    coding = ["-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-movflags", "+faststart"]
    run([*pattern, *coding, str(video)], 630)
    with Workspace.open(folder / "home") as workspace:
        workspace.session_for(video)
    with Studio(folder / "home", folder / "server.log", APP) as started:
        yield started


@pytest.fixture
def workspace(server: Studio) -> Iterator[Workspace]:
    """The server's, with nothing decided."""
    with Workspace.open(server.home) as opened:
        with opened.database.transaction() as db:
            db.execute(delete(review_table))
            db.execute(delete(label_table))
        yield opened


@pytest.fixture(scope="module")
def user(browser: Browser) -> Iterator[BrowserContext]:
    """One for all tests: his browser then need not fetch Streamlit's scripts each time."""
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    context.set_default_timeout(60_000)
    yield context
    context.close()


@pytest.fixture
def page(server: Studio, workspace: Workspace, user: BrowserContext) -> Iterator[Page]:
    opened = user.new_page()
    errors: list[str] = []
    opened.on("pageerror", lambda error: errors.append(str(error)))
    load(opened, server)
    yield opened
    opened.evaluate("localStorage.clear()")
    opened.close()
    assert not errors


def load(page: Page, server: Studio) -> None:
    page.goto(server.address)
    expect(page.get_by_role("gridcell")).to_have_count(12)


def card(page: Page, number: int) -> Locator:
    return page.get_by_role("gridcell", name=f"trick {number},")


def decided(workspace: Workspace) -> dict[int, tuple[str, int]]:
    """Verdict and stars by the number of the trick."""
    (session,) = workspace.sessions()
    return {review.start_frame // 50: (review.verdict, review.stars) for review in reviews(workspace, session.id)}


def labelled(workspace: Workspace) -> list[str]:
    (session,) = workspace.sessions()
    newest = workspace.labels(session.id)
    return [interval.label for interval in newest.intervals] if newest else []


def wait_until(read: Callable[[], object], wanted: object) -> None:
    give_up = time.monotonic() + 30
    while (there := read()) != wanted:
        assert time.monotonic() < give_up, there
        time.sleep(0.05)


def wait_for(workspace: Workspace, wanted: dict[int, tuple[str, int]]) -> None:
    wait_until(lambda: decided(workspace), wanted)


def test_keys_decide_and_move_on(page: Page, workspace: Workspace) -> None:
    card(page, 0).focus()
    for key in ("4", "k", "r", "2", "ArrowRight", "K"):
        page.keyboard.press(key)
    # The stars of the third stay without a verdict, and the fourth is kept; the fifth has the focus.
    expect(card(page, 4)).to_be_focused()
    wait_for(workspace, {0: ("keep", 4), 1: ("reject", 0), 2: ("", 2), 3: ("keep", 0)})
    expect(card(page, 1)).to_contain_text("Rejected")
    wait_until(lambda: labelled(workspace), ["trick 0", "trick 3"])  # written after the decisions
    # R and C are Streamlit's own keys: neither a new run nor its dialog came of them.
    page.keyboard.press("c")
    expect(page.get_by_role("dialog")).to_have_count(0)


def test_ten_decisions_20_ms_apart_all_arrive(page: Page, workspace: Workspace) -> None:
    card(page, 0).focus()
    for number in range(10):
        page.keyboard.press("k" if number % 2 else "r")
        page.wait_for_timeout(20)
    wait_for(workspace, {number: ("keep" if number % 2 else "reject", 0) for number in range(10)})
    expect(page.get_by_role("button", name="Kept 5")).to_be_visible()


def test_undo_takes_back_one_after_the_other(page: Page, workspace: Workspace) -> None:
    card(page, 0).focus()
    for key in ("k", "r", "5"):
        page.keyboard.press(key)
    wait_for(workspace, {0: ("keep", 0), 1: ("reject", 0), 2: ("", 5)})
    page.keyboard.press("u")
    page.keyboard.press("Control+z")
    expect(card(page, 1)).to_be_focused()
    wait_for(workspace, {0: ("keep", 0)})
    page.keyboard.press("u")
    wait_for(workspace, {})
    expect(card(page, 0)).to_contain_text("Found")


def test_what_was_decided_before_a_reload_is_there_and_can_be_undone(
    page: Page, workspace: Workspace, server: Studio
) -> None:
    card(page, 0).focus()
    page.keyboard.press("k")
    page.keyboard.press("r")
    wait_for(workspace, {0: ("keep", 0), 1: ("reject", 0)})
    load(page, server)
    expect(card(page, 0)).to_contain_text("Kept")
    card(page, 5).focus()
    page.keyboard.press("u")
    wait_for(workspace, {0: ("keep", 0)})
    expect(card(page, 1)).to_contain_text("Found")


def test_a_decision_made_while_the_server_is_gone_is_kept(page: Page, workspace: Workspace, server: Studio) -> None:
    server.stop()
    card(page, 0).focus()
    page.keyboard.press("k")
    page.keyboard.press("r")
    expect(card(page, 0)).to_contain_text("Kept")  # shown at once all the same
    assert decided(workspace) == {}
    server.start()
    load(page, server)
    wait_for(workspace, {0: ("keep", 0), 1: ("reject", 0)})
    page.wait_for_function("!Object.keys(localStorage).some((key) => key.startsWith('trickline-review '))")


def test_what_python_does_not_acknowledge_is_said_again(page: Page, workspace: Workspace) -> None:
    page.get_by_text("Deaf").click()
    card(page, 0).focus()
    page.keyboard.press("k")
    wait_for(workspace, {0: ("keep", 0)})
    expect(page.get_by_text("1 not saved yet")).to_be_visible(timeout=8000)
    page.get_by_text("Deaf").click()
    expect(page.get_by_text("1 not saved yet")).to_be_hidden(timeout=8000)


def test_the_mouse_decides_as_well(page: Page, workspace: Workspace) -> None:
    card(page, 2).get_by_role("button", name="Keep").click()
    card(page, 3).get_by_role("button", name="3 stars").click()
    wait_for(workspace, {2: ("keep", 0), 3: ("", 3)})
    card(page, 2).get_by_role("button", name="Keep").click()  # again: undecided
    card(page, 3).get_by_role("button", name="3 stars").click()
    wait_for(workspace, {})


def test_filters_and_order(page: Page) -> None:
    card(page, 1).focus()
    page.keyboard.press("k")
    card(page, 7).focus()
    page.keyboard.press("5")
    page.keyboard.press("r")
    page.get_by_role("button", name="Undecided").click()
    expect(page.get_by_role("gridcell")).to_have_count(10)
    card(page, 0).focus()
    page.keyboard.press("r")
    expect(page.get_by_role("gridcell")).to_have_count(9)
    expect(card(page, 2)).to_be_focused()
    page.get_by_role("button", name="Rejected").click()
    expect(page.get_by_role("gridcell")).to_have_count(2)
    page.get_by_label("Sort by").select_option("stars")
    expect(page.get_by_role("gridcell").first).to_contain_text("trick 7")
    page.reload()  # the choice stays
    expect(page.get_by_role("gridcell")).to_have_count(2)


def test_a_decision_of_another_tab_shows(page: Page, workspace: Workspace) -> None:
    (session,) = workspace.sessions()
    decide(workspace, session.id, [Decision(Interval(110, 140, "trick 2"), "reject")])
    card(page, 0).focus()
    page.keyboard.press("k")
    expect(card(page, 2)).to_contain_text("Rejected")
    wait_for(workspace, {0: ("keep", 0), 2: ("reject", 0)})


def test_enter_shows_the_clip_and_e_adjusts_it(page: Page) -> None:
    card(page, 3).focus()
    page.keyboard.press("Enter")
    expect(page.get_by_text("picked")).to_contain_text("'start': 160, 'end': 190, 'label': 'trick 3', 'action': 'open'")
    expect(card(page, 3)).to_have_attribute("aria-selected", "true")
    page.keyboard.press("e")
    expect(page.get_by_text("picked")).to_contain_text("'action': 'edit'")


def test_the_help_sheet_opens_and_closes(page: Page) -> None:
    card(page, 0).focus()
    page.keyboard.press("?")
    sheet = page.get_by_role("dialog", name="Keys")
    expect(sheet).to_be_visible()
    page.keyboard.press("Escape")
    expect(sheet).to_be_hidden()


def test_a_focused_card_loops_its_own_frames_and_few_videos_are_loaded(page: Page) -> None:
    card(page, 2).focus()
    video = card(page, 2).locator("video")
    times = video.evaluate(
        """async (video) => {
            const shown = [];
            const note = (_, { mediaTime }) => { shown.push(mediaTime); video.requestVideoFrameCallback(note); };
            video.requestVideoFrameCallback(note);
            await new Promise((done) => setTimeout(done, 3500));
            return shown.slice(1);
        }"""
    )
    # Frames 110 to 140 with 0.2 s around them, at 30 a second: 104 to 146.
    frames = [round(time_s * 30) for time_s in times]
    assert min(frames) >= 104
    assert max(frames) >= 145
    # The browser says after the fact which frame it showed, a little late on a busy machine.
    assert sum(frame > 146 for frame in frames) <= len(frames) // 10
    assert max(frames) <= 156
    assert any(later < earlier for earlier, later in pairwise(frames)), "it never looped"
    page.keyboard.press(" ")
    assert video.evaluate("(video) => video.paused")
    for _ in range(6):
        page.keyboard.press("ArrowRight")
    assert page.locator("video").count() <= 4
    assert page.locator("video").evaluate_all("(all) => all.filter((video) => !video.paused).length") <= 1


def test_screen_readers_are_told(page: Page) -> None:
    grid = page.get_by_role("grid")
    expect(grid).to_have_attribute("aria-rowcount", "12")
    card(page, 0).focus()
    page.keyboard.press("k")
    expect(page.get_by_text("0:00.33–0:01.36: kept. 11 undecided.")).to_be_attached()
    # One stop in the order of the tab key, not a hundred.
    assert page.locator("[role=gridcell][tabindex='0']").count() == 1
