"""The studio starts at once, opens every page, and speaks in sentences."""

from __future__ import annotations

import re
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from core.workspace import Workspace
from pages.widgets.navigation import PAGES
from pages.widgets.plain_text import escaped
from tests.conftest import ROOT
from tests.studio import Studio

HEAVY = ("torch", "torchvision", "ultralytics", "openvino", "sklearn", "moviepy", "wandb", "skops")


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty workspace."""
    monkeypatch.delenv("TRICKLINE_DB", raising=False)
    monkeypatch.setenv("TRICKLINE_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def opened(page: str | None = None) -> AppTest:
    app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=180).run()
    if page:
        app.switch_page(f"pages/{page}").run()
    assert not app.exception
    return app


@pytest.mark.parametrize("file", [file for file, *_ in PAGES.values()])
def test_every_page_opens_without_footage(home: Path, file: str) -> None:
    app = opened(file)
    assert app.header
    assert not app.error


@pytest.mark.parametrize("file", [file for file, *_ in PAGES.values()])
def test_every_page_opens_with_the_sample(studio_workspace: Workspace, file: str) -> None:
    app = opened(file)
    assert app.selectbox(key="session_picker").value == studio_workspace.sessions()[0].id
    assert not app.error


def test_the_session_stays_when_the_page_is_changed(studio_workspace: Workspace, tmp_path: Path) -> None:
    """Who works on one video must not find himself in another after a click in the navigation."""
    (old,) = studio_workspace.sessions()
    other = tmp_path / "other.mp4"
    other.write_bytes(b"frames" * 100)
    new = studio_workspace.session_for(other)
    app = opened()
    assert app.selectbox(key="session_picker").value == new.id
    app.selectbox(key="session_picker").set_value(old.id).run()
    app.switch_page("pages/2_timeline.py").run()
    assert app.selectbox(key="session_picker").value == old.id
    assert app.query_params["session"] == old.id


def test_an_address_with_an_unknown_session_shows_the_newest(studio_workspace: Workspace) -> None:
    app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=180)
    app.query_params["session"] = "../../etc/passwd"
    app.run()
    assert not app.exception
    assert app.selectbox(key="session_picker").value == studio_workspace.sessions()[0].id


def test_a_workspace_that_cannot_be_opened_is_said_in_a_sentence(home: Path) -> None:
    """And not in a traceback, which names everything but the folder to mend."""
    home.write_text("a file where the folder should be")
    said = (
        f"Cannot write into the folder {home}: a file stands where a folder is needed; move that file away or choose "
        "another folder."
    )
    assert [error.value for error in opened().error] == [escaped(said)]


def test_nothing_heavy_is_imported_to_show_a_page(studio_workspace: Workspace) -> None:
    """Loading PyTorch takes longer than anything that the first page does."""
    script = (
        "import sys; from streamlit.testing.v1 import AppTest;"
        f"app = AppTest.from_file({str(ROOT / 'app.py')!r}, default_timeout=180).run();"
        "assert not app.exception, app.exception;"
        f"print(sorted(set({HEAVY!r}) & sys.modules.keys()))"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, timeout=600)
    assert (done.returncode, done.stdout.strip()) == (0, "[]"), done.stderr


def test_the_core_works_without_streamlit() -> None:
    """The command line and the workers run on machines that show nothing."""
    for path in (ROOT / "core").rglob("*.py"):
        assert not re.search(r"^\s*(import|from) streamlit", path.read_text(), re.MULTILINE), path


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Studio]:
    folder = tmp_path_factory.mktemp("studio")
    with Studio(folder / "home", folder / "server.log") as studio:
        yield studio


def test_the_server_answers_on_this_machine_alone(studio: Studio) -> None:
    """There is no login: whoever reaches the address sees the footage."""
    listening = Path("/proc/net/tcp").read_text() + Path("/proc/net/tcp6").read_text()
    addresses = {line.split()[1].split(":")[0] for line in listening.splitlines() if f":{studio.port:04X} " in line}
    assert "0100007F" in addresses or "00000000000000000000000001000000" in addresses
    assert addresses <= {"0100007F", "00000000000000000000000001000000"}


@pytest.mark.parametrize("address", ["", "/review"])
def test_the_page_is_dark_until_somebody_chooses(studio: Studio, address: str) -> None:
    """The choice is put where Streamlit looks for it, before Streamlit looks; what is no visit is left alone."""
    visit = {"Accept": "text/html", "Sec-Fetch-Dest": "document", "Accept-Encoding": "gzip"}
    with urllib.request.urlopen(urllib.request.Request(studio.address + address, headers=visit), timeout=10) as answer:
        page = answer.read().decode()
    assert "<title>Streamlit</title>" in page
    assert page.index("'\"Dark\"'") < page.index("</head>")
    with urllib.request.urlopen(studio.address + address, timeout=10) as answer:
        assert "Dark" not in answer.read().decode()
