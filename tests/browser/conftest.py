"""The real studio, in a real browser."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.browser.hour import make_hour
from tests.conftest import Looked
from tests.studio import CHROMIUM, CHROMIUM_OPTIONS, Studio

expect.set_options(timeout=40_000)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A browser and a server on two busy cores are late now and then: a test may fail once. A fault of the product's
    fails twice, and whatever was run again is listed at the end."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.flaky(reruns=1))


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Chromium, as the system has it: ``make test`` installs it where it is missing."""
    assert CHROMIUM, "Chromium is missing: install it (Debian: apt install chromium)."
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=CHROMIUM, args=CHROMIUM_OPTIONS)
        yield opened
        opened.close()


@pytest.fixture
def open_page(browser: Browser) -> Iterator[Callable[..., Page]]:
    """Opens tabs, each of a user of his own; what went wrong in their scripts fails the test."""
    contexts = []
    errors: list[str] = []

    def open_one(**options: object) -> Page:
        context = browser.new_context(viewport={"width": 1440, "height": 900}, **options)  # type: ignore[arg-type]
        context.set_default_timeout(60_000)
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: errors.append(str(error)))
        return page

    yield open_one
    for context in contexts:
        context.close()
    assert not errors


@pytest.fixture
def empty_studio(tmp_path: Path) -> Iterator[Studio]:
    """A studio that nobody has used yet."""
    with Studio(tmp_path / "home", tmp_path / "server.log") as studio:
        yield studio


@pytest.fixture
def studio(looked: Looked, tmp_path: Path) -> Iterator[Studio]:
    """A studio in which the drawn session has been looked at."""
    shutil.copytree(looked.home, tmp_path / "home")
    with Studio(tmp_path / "home", tmp_path / "server.log") as studio:
        yield studio


@pytest.fixture(scope="module")
def hour(looked: Looked, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Studio, str]]:
    """A studio that knows an hour of footage as well, a gigabyte, and the id of that session."""
    folder = tmp_path_factory.mktemp("hour")
    shutil.copytree(looked.home, folder / "home")
    session = make_hour(folder / "home", folder)
    with Studio(folder / "home", folder / "server.log") as studio:
        yield studio, session
    shutil.rmtree(folder)
