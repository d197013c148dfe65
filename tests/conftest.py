"""What the tests of the whole program share: a drawn session, and the command as a user runs it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from core.cli import main
from core.database import Database
from core.workspace import Workspace
from sample_data.make_session import Session, make_session
from tests import postgres as postgres_server

ROOT = Path(__file__).resolve().parents[1]
SHARED = ROOT.parent / "shared"
COMMAND = (sys.executable, "-c", "from core.cli import main; main()")


@dataclass(frozen=True)
class Ran:
    """What a command left behind."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> dict[str, Any]:
        """The one object on stdout of a command that did all it was asked, without a word on stderr."""
        assert (self.code, self.err) == (0, "")
        value: dict[str, Any] = json.loads(self.out)
        return value

    @property
    def sentence(self) -> str:
        """The one line on stderr of a command that refused a user's mistake."""
        assert (self.code, self.err.count("\n")) == (2, 1), self.err
        assert self.err.startswith("trickline: ")
        assert "Traceback" not in self.err + self.out
        return self.err.removeprefix("trickline: ").strip()


@dataclass(frozen=True)
class Trickline:
    """The command, with a workspace of its own."""

    home: Path
    """TRICKLINE_HOME."""
    folder: Path
    """Where it runs, so that what it writes unasked is seen."""

    @property
    def environment(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("TRICKLINE_")}
        return {**kept, "PYTHONPATH": str(ROOT), "TRICKLINE_HOME": str(self.home)}

    def __call__(self, *arguments: object, command: tuple[str, ...] = COMMAND) -> Ran:
        """Run it to its end, in a pipe."""
        done = subprocess.run(
            [*command, *map(str, arguments)],
            cwd=self.folder,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=600,
        )
        return Ran(done.returncode, done.stdout, done.stderr)

    def start(self, *arguments: object) -> subprocess.Popen[str]:
        """Run it beside the test, to be stopped."""
        return subprocess.Popen(
            [*COMMAND, *map(str, arguments)],
            cwd=self.folder,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def leftovers(self) -> list[Path]:
        """Temporary files that somebody forgot. Finished parts of a stopped look are none: they are carried on."""
        return sorted(path for top in (self.home, self.folder) for path in top.rglob("*.part*") if path.is_file())


Command = Callable[..., Ran]


@dataclass(frozen=True)
class Looked:
    """A workspace in which the drawn session was run once, by the command and with all defaults."""

    home: Path
    clips: Path
    ran: Ran


@pytest.fixture(autouse=True)
def _own_main() -> Iterator[None]:
    """Streamlit's AppTest puts the page in place of the main module; a process spawned later would begin with it."""
    main_module = sys.modules["__main__"]
    yield
    sys.modules["__main__"] = main_module


@pytest.fixture(scope="session")
def session(tmp_path_factory: pytest.TempPathFactory) -> Session:
    """Twenty seconds with two tricks. At the default stride they are 300 frames: a whole part of a look and a bit."""
    return make_session(tmp_path_factory.mktemp("session"), seconds=20.0)


@pytest.fixture(scope="session")
def looked(session: Session, tmp_path_factory: pytest.TempPathFactory) -> Looked:
    """For tests that only read; those that write take ``trickline``."""
    folder = tmp_path_factory.mktemp("looked")
    trickline = Trickline(folder / "home", folder)
    ran = trickline("run", session.video, "--out", folder / "clips", "--json")
    return Looked(trickline.home, folder / "clips", ran)


@pytest.fixture
def trickline(looked: Looked, tmp_path: Path) -> Trickline:
    """The command, with a copy of the workspace in which the drawn session has been looked at."""
    shutil.copytree(looked.home, tmp_path / "home")
    (tmp_path / "cwd").mkdir()
    return Trickline(tmp_path / "home", tmp_path / "cwd")


@pytest.fixture
def studio_workspace(looked: Looked, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Workspace]:
    """A copy of the workspace in which the drawn session has been looked at, which the pages take for theirs."""
    home = tmp_path / "studio"
    shutil.copytree(looked.home, home)
    monkeypatch.delenv("TRICKLINE_DB", raising=False)
    monkeypatch.setenv("TRICKLINE_HOME", str(home))
    monkeypatch.setattr("core.jobs.ensure_worker", lambda *_: False)  # jobs wait, no process is left behind
    with Workspace.open(home) as workspace:
        yield workspace


@pytest.fixture
def at_once(trickline: Trickline, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """The command within the tests' own process, which has imported everything: a second sooner each time."""
    monkeypatch.chdir(trickline.folder)
    monkeypatch.setenv("TRICKLINE_HOME", str(trickline.home))
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)  # Typer sets its own

    def run(*arguments: object) -> Ran:
        monkeypatch.setattr(sys, "argv", ["trickline", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
        return Ran(int(ended.value.code or 0), *capsys.readouterr())

    return run


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A disk with 200 KiB of room."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=200k", "tmpfs", str(folder)]
    if shutil.which("mount") is None or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("a small disk cannot be mounted here (it needs root)")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


@pytest.fixture(scope="session")
def postgres() -> Iterator[postgres_server.Server]:
    """A PostgreSQL server for the whole run."""
    with postgres_server.server() as running:
        yield running


@pytest.fixture(scope="session")
def postgres_url(postgres: postgres_server.Server) -> str:
    """A database with the tables. Take ``database``, which leaves it empty."""
    url = postgres.url(postgres_server.new_database(postgres))
    Database(url).close()
    return url


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Whatever takes this runs on both databases: a workspace that it opens is on an empty one of that kind."""
    with postgres_server.on_database(request.param, request, monkeypatch):
        yield request.param


@pytest.fixture(scope="session")
def reference() -> tuple[Path, Path]:
    """The real reference session: its video and its true tricks."""
    folder = SHARED / "data" / "session"
    if not folder.is_dir():
        pytest.skip("the reference session is not here")
    return folder / "skate_video.mp4", folder / "annotations.xml"
