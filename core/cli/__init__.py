"""The command line. Results go to stdout, everything else to stderr; exit 0 only if all was done, 2 for a user's
mistake."""

from __future__ import annotations

import errno
import logging
import signal
import sys
import threading
import time
import warnings
from types import FrameType

import typer

from core.cli import (
    automation,
    cutting_out,
    exporting,
    finding,
    labels,
    learning,
    machine,
    many,
    recognizing,
    records,
    serving,
)
from core.cli.shared import say
from core.errors import Cancelled, UserError

_STOPPED = 130
"""Exit code of a program that Ctrl-C ended: 128 and the number of the signal."""
_AGAIN_S = 0.1
"""Between two looks at whether an import is over that Ctrl-C is not to break."""
_PATIENCE_S = 10.0
"""So long Ctrl-C waits for an import."""

app = typer.Typer(
    help="Footage in, tricks found, clips out.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
models = typer.Typer(help="Weights of pose networks.", no_args_is_help=True)
app.add_typer(models, name="models")
app.add_typer(labels.app, name="labels")
app.add_typer(recognizing.app, name="recognize")
app.add_typer(records.app, name="records")
for command in (
    finding.run,
    many.watch,
    finding.process,
    learning.train,
    finding.detect,
    learning.evaluate,
    labels.convert,
    exporting.export,
    machine.bench,
    machine.worker,
    serving.serve,
    cutting_out.cutout,
    automation.automation,
    machine.doctor,
):
    app.command()(command)
models.command("get")(machine.models_get)


def main() -> None:
    """Entry point of the ``trickline`` command."""
    logging.basicConfig(level=logging.WARNING, format="trickline: %(message)s", stream=sys.stderr)
    if not sys.warnoptions:
        warnings.simplefilter("ignore")  # what libraries have to say to programmers; python -W shows it
    # Who starts it in the background wants Ctrl-C to be ignored, and Windows cannot send a signal to a thread.
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler and hasattr(signal, "pthread_kill"):
        signal.signal(signal.SIGINT, _Interrupt())
    try:
        code = app(prog_name="trickline", standalone_mode=False)
    except UserError as error:
        say([error])
        code = 2
    except typer.TyperException as error:
        _say_misuse(error)
        code = 2
    except OSError as error:
        if error.errno != errno.ENOSPC or error.filename is not None:
            raise
        say(["The results cannot be printed, because the disk is full; free some space and try again."])
        code = 2
    except (Cancelled, KeyboardInterrupt):
        code = _STOPPED
    if code == _STOPPED:  # Typer, too, turns Ctrl-C into this
        say(["stopped; what was finished is kept, run it again to carry on."])
    sys.exit(code)


class _Interrupt:
    """What Ctrl-C does: a KeyboardInterrupt, but not while something is imported. The C++ of the large libraries makes
    another error of it there, or aborts."""

    def __init__(self) -> None:
        self._wanted_at: float | None = None

    def __call__(self, number: int, frame: FrameType | None) -> None:
        now = time.monotonic()
        self._wanted_at = self._wanted_at or now
        if _imports(frame) and now - self._wanted_at < _PATIENCE_S:
            # To the main thread, or a wait of it would not end.
            again = threading.Timer(_AGAIN_S, signal.pthread_kill, [threading.main_thread().ident, number])
            again.daemon = True
            again.start()
            return
        self._wanted_at = None
        signal.default_int_handler(number, frame)


def _imports(frame: FrameType | None) -> bool:
    """Whether what runs is part of an import."""
    while frame and not frame.f_code.co_filename.startswith("<frozen importlib"):
        frame = frame.f_back
    return frame is not None


def _say_misuse(error: typer.TyperException) -> None:
    """One line for a command or option that does not exist, is missing or has an impossible value."""
    message = " ".join(error.format_message().split())
    if message:  # where help is shown for want of arguments, that says it all
        context = getattr(error, "ctx", None)
        say([f"{message.rstrip('.')} (see {context.command_path if context else 'trickline'} --help)."])
