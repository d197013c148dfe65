"""The studio starts, quickly, and its pages say what is there."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from core.intervals import Interval
from core.workspace import Workspace

ROOT = Path(__file__).parents[1]
APP = ROOT / "app.py"


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty workspace."""
    monkeypatch.delenv("TRICKLINE_DB", raising=False)
    monkeypatch.setenv("TRICKLINE_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture
def line(home: Path, tmp_path: Path) -> Path:
    """A video in the workspace, looked at and labelled; the page needs no picture of it."""
    video = tmp_path / "line at the ledge.mp4"
    video.write_bytes(b"frames" * 100)
    with Workspace.open(home) as workspace:
        session = workspace.session_for(video, {"duration_s": 23.8})
        workspace.save_labels(session.id, [Interval(247, 272), Interval(357, 372)], source="editor")
    return video


def opened() -> AppTest:
    app = AppTest.from_file(str(APP), default_timeout=20).run()
    assert not app.exception
    return app


def test_an_empty_workspace_says_how_to_begin() -> None:
    app = opened()
    assert [title.value for title in app.title] == ["Trickline"]
    assert [info.value for info in app.info] == [
        "Nothing here yet. Find the tricks in a video with `trickline run footage.mp4`, or try `make demo`."
    ]
    assert not app.subheader


def test_sessions_are_listed(line: Path, tmp_path: Path) -> None:
    fresh = tmp_path / "fresh.mp4"
    fresh.write_bytes(b"other frames" * 100)
    with Workspace.open() as workspace:
        workspace.session_for(fresh)
    app = opened()
    assert not app.info
    shown = dict(zip([s.value for s in app.subheader], [c.value for c in app.caption], strict=True))
    assert shown[line.stem] == f"24 s · 2 labelled tricks · {line}"
    assert shown[fresh.stem] == f"not looked at yet · 0 labelled tricks · {fresh}"


def test_a_workspace_that_cannot_be_opened_is_said_in_a_sentence(home: Path) -> None:
    """And not in a traceback, which names everything but the folder to mend."""
    home.write_text("a file where the folder should be")
    app = opened()
    assert [error.value for error in app.error] == [
        f"Cannot write into the folder {home}: a file stands where a folder is needed; move that file away or choose"
        " another folder."
    ]


def test_nothing_heavy_is_imported_to_show_a_page(line: Path) -> None:
    """Loading PyTorch takes longer than anything that the first page does."""
    script = (
        "import sys; from streamlit.testing.v1 import AppTest;"
        f"app = AppTest.from_file({str(APP)!r}, default_timeout=30).run(); assert not app.exception, app.exception;"
        "assert app.subheader[0].value == 'line at the ledge';"
        "print(sorted({'torch', 'torchvision', 'ultralytics', 'openvino', 'cv2', 'sklearn', 'moviepy', 'wandb'}"
        " & sys.modules.keys()))"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout.strip()) == (0, "[]"), done.stderr


def test_the_core_works_without_streamlit() -> None:
    """The command line and the workers run on machines that show nothing."""
    for path in (ROOT / "core").rglob("*.py"):
        assert not re.search(r"^\s*(import|from) streamlit", path.read_text(), re.MULTILINE), path


@pytest.fixture
def address(tmp_path: Path) -> Iterator[str]:
    """Of a running studio, on this machine alone."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "streamlit", "run", str(APP), "--server.headless", "true"]
    options = ["--server.port", str(port), "--server.address", "127.0.0.1", "--server.fileWatcherType", "none"]
    log = tmp_path / "server.log"
    with log.open("w") as output:
        server = subprocess.Popen([*command, *options], cwd=ROOT, stdout=output, stderr=output, env={**os.environ})
        try:
            yield f"http://127.0.0.1:{port}"
        finally:
            server.terminate()
            server.wait(20)


def answer(url: str, patience_s: float) -> str:
    give_up = time.monotonic() + patience_s
    while True:
        try:
            with urllib.request.urlopen(url, timeout=5) as reply:
                return str(reply.read().decode())
        except (urllib.error.URLError, ConnectionError):
            if time.monotonic() > give_up:
                raise
            time.sleep(0.1)


def test_the_server_starts(address: str) -> None:
    """What ``make app`` does. The page itself comes over a websocket and is tried above and in the browser."""
    assert answer(f"{address}/_stcore/health", patience_s=20) == "ok"
    assert "<title>Streamlit</title>" in answer(address, patience_s=5)
