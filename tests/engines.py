"""Work for the tests of engines; it has to stand in a module that other processes can import."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import Any

from core.errors import Cancelled, UserError
from core.tasks import Report


def double(arguments: dict[str, Any], report: Report) -> int:
    report.progress("doubling", 0.5)
    return 2 * int(arguments["number"])


def refuse(arguments: dict[str, Any], report: Report) -> None:
    raise UserError("This file is no video: choose another.")


def stumble(arguments: dict[str, Any], report: Report) -> None:
    raise ZeroDivisionError


def die(arguments: dict[str, Any], report: Report) -> str:
    """Dies by SIGKILL as often as it is told, as a process that runs out of memory does."""
    log = Path(arguments["log"])
    deaths = len(log.read_text()) if log.exists() else 0
    if deaths < arguments["times"]:
        log.write_text("x" * (deaths + 1))
        os.kill(os.getpid(), signal.SIGKILL)
    return "alive"


def wait_for_the_end(arguments: dict[str, Any], report: Report) -> None:
    Path(arguments["began"]).touch()
    while not report.cancelled():
        time.sleep(0.05)
    Path(arguments["ended"]).touch()
    raise Cancelled


def who(arguments: dict[str, Any], report: Report) -> list[int]:
    """The process, and how many cores it was told to use."""
    from core.cores import cores

    return [os.getpid(), cores()]
