"""Who W&B is to us: what of the surroundings is believed, and how long it is waited for."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from core.errors import UserError
from core.wandb_log import logged, pull_model, run_log, service
from core.wandb_log.service import mode, read_dotenv
from tests.wandb_commands import wandb_environment
from tests.wandb_fake import KEY, FakeServer


def warned(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.message for record in caplog.records if record.name.startswith("core.")]


@pytest.fixture
def here(tmp_path: Path) -> Iterator[pytest.MonkeyPatch]:
    with wandb_environment(tmp_path, {"HOME": str(tmp_path)}) as patch:
        yield patch


@pytest.mark.parametrize(
    ("content", "project"),
    [
        (b"WANDB_PROJECT=park", "park"),
        (b"\xef\xbb\xbfWANDB_PROJECT=park\r\n", "park"),
        (b"export WANDB_PROJECT='park' # ours", "park"),
        (b"WANDB_PROJECT=pa\0rk", None),
        (b"WANDB_PROJECT=${HOME}", "${HOME}"),
        (b"WANDB_PROJECT=\xff", None),
        (b"\0" * 1000, None),
    ],
)
def test_a_dotenv_file_may_hold_anything(here: pytest.MonkeyPatch, content: bytes, project: str | None) -> None:
    Path(".env").write_bytes(content + b"\nWANDB_BASE_URL=http://evil.example\nPATH=/evil\n")
    read_dotenv()
    assert os.environ.get("WANDB_PROJECT") == project
    assert "WANDB_BASE_URL" not in os.environ
    assert "evil" not in os.environ["PATH"]


def test_a_dotenv_that_is_no_file_is_passed_over(here: pytest.MonkeyPatch) -> None:
    os.mkfifo(".env")  # nobody writes into it
    read_dotenv()
    os.unlink(".env")
    os.mkdir(".env")
    read_dotenv()


def test_the_environment_comes_before_the_file_and_may_end_with_a_line(here: pytest.MonkeyPatch) -> None:
    Path(".env").write_text("WANDB_API_KEY=other\nWANDB_ENTITY=park\n")
    here.setenv("WANDB_API_KEY", KEY + "\n")
    here.setenv("WANDB_ENTITY", "")
    read_dotenv()
    assert (os.environ["WANDB_API_KEY"], os.environ["WANDB_ENTITY"]) == (KEY, "park")


@pytest.mark.parametrize("setting", ["base_url = {url}", "https_proxy = {url}", "insecure_disable_ssl = true"])
def test_settings_that_came_with_a_folder_lead_the_key_to_nobody(
    here: pytest.MonkeyPatch, setting: str, caplog: pytest.LogCaptureFixture
) -> None:
    """W&B itself obeys them."""
    server = FakeServer()
    here.setenv("WANDB_API_KEY", KEY)
    Path("wandb").mkdir()
    Path("wandb/settings").write_text(f"[default]\n{setting.format(url=server.url)}\n")
    with logged(True, "run", {}) as log:
        log.labels([])
    with pytest.raises(UserError, match="is not believed"):
        pull_model("x:latest", Path("pulled"))
    server.close()
    assert not server.asked
    assert setting.split()[0] in warned(caplog)[0]
    assert "is kept offline" in log.told


def test_a_folder_that_was_set_offline_is(here: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    """As by the command wandb offline."""
    server = FakeServer()
    for name, value in server.environment.items():
        here.setenv(name, value)
    here.delenv("WANDB_MODE")
    Path("wandb").mkdir()
    Path("wandb/settings").write_text("[default]\nmode = offline\n")
    with logged(True, "run", {}) as log:
        log.labels([])
    server.close()
    assert not server.asked
    assert not warned(caplog)
    assert "is kept offline" in log.told
    assert mode() == "online"


@pytest.fixture
def silent(here: pytest.MonkeyPatch) -> Iterator[FakeServer]:
    """A server that takes what is asked; short waits, as if the usual ones had passed."""
    server = FakeServer()
    for name, value in server.environment.items():
        here.setenv(name, value)
    for module, name in ((service, "_LET_GO_S"), (service, "_SILENT_S"), (run_log, "_FINISH_S"), (run_log, "_WAIT_S")):
        here.setattr(module, name, 1)
    yield server
    server.close()


def test_a_network_that_hangs_from_the_beginning_is_waited_for_once(
    silent: FakeServer, here: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Not for each of a hundred videos."""
    here.setenv("WANDB_INIT_TIMEOUT", "3")
    silent.awake.clear()
    took = []
    for _ in range(2):
        began = time.monotonic()
        with logged(True, "run", {}) as log:
            log.labels([])
        took.append(time.monotonic() - began)
        assert "is kept offline" in log.told
    assert [message.split(" (")[0] for message in warned(caplog)] == ["W&B cannot be reached"] * 2
    assert took[0] > 3 > took[1]


def test_a_network_that_hangs_in_the_end_leaves_the_run_in_its_folder(
    silent: FakeServer, here: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    began = time.monotonic()
    with logged(True, "run", {}) as log:
        silent.awake.clear()
        log.threshold(0.5)
    assert time.monotonic() - began < 30
    assert warned(caplog) == [
        "W&B did not take the end of the run (not all was sent within 1 s): the work goes on without W&B."
    ]
    assert log.told.startswith("W&B: ")
    assert "wandb sync" in log.told
    [kept] = Path("wandb").glob("run-*/*.wandb")
    assert kept.stat().st_size > 0


def test_footage_that_is_not_taken_is_not_waited_for(
    silent: FakeServer, here: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Neither the reference, which everything is to hang on, nor gigabytes beside the work."""
    video = tmp_path / "day.mp4"
    video.write_bytes(b"x" * 1000)
    with logged(True, "run", {}, upload=True) as log:
        log.raw_footage(video)
        silent.awake.clear()
        began = time.monotonic()
        log.threshold(0.5)
        assert time.monotonic() - began < 5, "the work goes on"
    assert time.monotonic() - began < 45
    assert len(warned(caplog)) == 1


def test_a_server_that_hangs_gives_nothing(silent: FakeServer, here: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Nor is half a file taken for a whole one."""
    here.setattr(service, "_API_S", 2)
    silent.put("day", "model", {"model.skops": b"x" * 1000})
    path, _ = pull_model("day:latest", tmp_path / "first")
    assert path.stat().st_size == 1000
    silent.awake.clear()
    began = time.monotonic()
    with pytest.raises(UserError, match="did not give it"):
        pull_model("day:latest", tmp_path / "second")
    assert time.monotonic() - began < 15
    silent.awake.set()
    here.setattr(service, "_STALLED_S", 0.5)
    here.setattr(service, "_TRIES", 0)
    for silent.silent_at in ("/manifest/", "/artifactsV2/"):
        with pytest.raises(UserError, match="did not give it"):
            pull_model("day:latest", tmp_path / "second")
        silent.awake.set()
    assert time.monotonic() - began < 15
    assert not [file for file in (tmp_path / "second").rglob("*") if file.is_file()]
