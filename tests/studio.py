"""A running studio, for the tests."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

from tests.conftest import ROOT

UPLOAD_APP = ROOT / "tests" / "browser" / "upload_app.py"
"""The drop area alone."""

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
CHROMIUM_OPTIONS = [
    "--no-sandbox",  # a container's root user may not use one
    "--disable-gpu",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def memory(pid: int) -> int:
    """Bytes of memory that a process occupies now (Linux)."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


class Studio:
    """The server that ``make app`` starts, on this machine alone, with a workspace of its own.

    Args:
        home: TRICKLINE_HOME.
        log: what the server prints.
        app: another script than the studio's, for a part of it alone.
    """

    def __init__(self, home: Path, log: Path, app: Path = ROOT / "app.py") -> None:
        self.home = home
        self.log = log
        self.app = app
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.address = f"http://localhost:{self.port}"
        self._server: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Studio:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        # The worker is meant to outlive the server, so it is ended here.
        for pid in self.workers():
            os.kill(pid, signal.SIGKILL)

    def start(self) -> None:
        """Start the server and wait until it answers."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("TRICKLINE_")}
        own = {"PYTHONPATH": ROOT, "TRICKLINE_HOME": self.home, "TRICKLINE_FOOTAGE": self.home.parent}
        command = [sys.executable, "-m", "streamlit", "run", str(self.app), "--server.headless", "true"]
        options = ["--server.port", str(self.port), "--server.fileWatcherType", "none"]
        with self.log.open("a") as output:
            self._server = subprocess.Popen(
                [*command, *options],
                cwd=ROOT,
                stdout=output,
                stderr=output,
                env={**kept, **{name: str(path) for name, path in own.items()}},
            )
        give_up = time.monotonic() + 60
        while True:
            try:
                with urllib.request.urlopen(f"{self.address}/_stcore/health", timeout=5):
                    return
            except (urllib.error.URLError, ConnectionError, TimeoutError):
                assert time.monotonic() < give_up, self.log.read_text()
                time.sleep(0.05)

    def stop(self) -> None:
        """Kill the server as a crash would."""
        if self._server:
            self._server.kill()
            self._server.wait()
            self._server = None

    def memory(self) -> int:
        """Bytes of memory that the server occupies now."""
        assert self._server
        return memory(self._server.pid)

    def workers(self) -> list[int]:
        """The processes that work off this studio's jobs."""
        found = []
        for process in Path("/proc").iterdir():
            if process.name.isdigit():
                try:
                    words = (process / "cmdline").read_bytes()
                    environment = (process / "environ").read_bytes()
                except OSError:  # it has ended, or is somebody else's
                    continue
                if b"worker" in words and f"TRICKLINE_HOME={self.home}".encode() in environment:
                    found.append(int(process.name))
        return found
