"""The command within the tests' own process, for a whole module: what is slow to import is there, and W&B's service is
started once for all that it runs."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path

import pytest

from core.cli import main
from core.wandb_log import service
from core.wandb_log.service import NAMES
from tests.conftest import Command, Ran


@contextmanager
def wandb_environment(folder: Path, environment: Mapping[str, str]) -> Iterator[pytest.MonkeyPatch]:
    """This process in a folder, and W&B as if it had just been started there."""
    import wandb

    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("WANDB_")]:
            patch.delenv(name)
        for name in NAMES:
            patch.setenv(name, "")  # so that what .env adds goes afterwards
            patch.delenv(name)
        for name, value in environment.items():
            patch.setenv(name, value)
        patch.setattr(service, "_away", None)
        patch.chdir(folder)
        wandb.teardown()
        try:
            yield patch
        finally:
            wandb.teardown()


@contextmanager
def wandb_commands(folder: Path, home: Path, environment: Mapping[str, str] | None = None) -> Iterator[Command]:
    """Runs the command in ``folder``; ``said`` is what it reads from stdin."""
    with wandb_environment(folder, {"TRICKLINE_HOME": str(home), **(environment or {})}) as patch:
        patch.setattr(sys, "excepthook", sys.excepthook)  # Typer sets its own

        def run(*arguments: object, said: str = "") -> Ran:
            patch.setattr(sys, "argv", ["trickline", *map(str, arguments)])
            patch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(said.encode())))
            out, err = io.StringIO(), io.StringIO()
            with redirect_stdout(out), redirect_stderr(err), pytest.raises(SystemExit) as ended:
                main()
            return Ran(int(ended.value.code or 0), out.getvalue(), err.getvalue())

        yield run
