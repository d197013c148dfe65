"""Take the README's pictures of the studio: each page with the sample session, in a real browser.

python -m docs.make_screenshots
"""

from __future__ import annotations

import tempfile
from io import BytesIO
from pathlib import Path

from PIL import Image
from playwright.sync_api import Page, sync_playwright

from core import tasks
from core.labels import read_labels
from core.workspace import Workspace
from tests.studio import CHROMIUM, CHROMIUM_OPTIONS, Studio

PAGES = ("upload", "timeline", "label", "train", "review")
MAX_BYTES = 300_000
AT_S = 30.4
"""What the player shows: the highest trick, in the air."""


class Silent:
    """Nobody waits for a progress bar."""

    def progress(self, step: str, fraction: float, frames_done: int | None = None) -> None:
        """Say nothing."""

    def cancelled(self) -> bool:
        """Go on."""
        return False


def main() -> None:
    """Draw and process the sample session, import its labels, and write ``docs/studio-<page>.png``."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "home"
        with Workspace.open(home) as workspace:
            session = tasks.sample(workspace, {}, Silent())["session"]
            truth = read_labels(home / "sample" / "annotations.xml").intervals
            workspace.save_labels(session, truth, "annotations.xml")
        with Studio(home, Path(folder) / "server.log") as studio, sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=CHROMIUM, args=CHROMIUM_OPTIONS)
            page = browser.new_page(viewport={"width": 1440, "height": 900})
            for name in PAGES:
                page.goto(f"{studio.address}/{'' if name == 'upload' else name}?session={session}")
                page.get_by_role("heading", name=name.capitalize()).first.wait_for()
                page.wait_for_timeout(4000)
                if name in ("timeline", "label"):
                    _to_the_trick(page)
                if name == "train":
                    page.get_by_role("slider", name="Threshold").first.scroll_into_view_if_needed()
                page.wait_for_timeout(1500)
                _save(page.screenshot(), Path(__file__).with_name(f"studio-{name}.png"))
            page.get_by_role("button", name="Framing").click()
            page.get_by_text("9:16").last.click()
            page.wait_for_timeout(5000)
            _save(page.screenshot(), Path(__file__).with_name("studio-framing.png"))
            browser.close()


def _to_the_trick(page: Page) -> None:
    """Let the player show the trick nearest to ``AT_S``."""
    page.get_by_role("application").focus()
    page.locator("video").first.evaluate("(video, at) => { video.currentTime = at; }", AT_S)


def _save(png: bytes, path: Path) -> None:
    """In as many colours as fit into ``MAX_BYTES``."""
    picture = Image.open(BytesIO(png)).convert("RGB")
    for colours in (256, 128, 64, 32):
        picture.quantize(colours, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE).save(path, optimize=True)
        if path.stat().st_size <= MAX_BYTES:
            break
    print(f"{path.name}: {path.stat().st_size} bytes")


if __name__ == "__main__":
    main()
