"""The command line. Results go to stdout, everything else to stderr; exit 0 only if all was done, 2 for a user's
mistake."""

from __future__ import annotations

import errno
import logging
import sys
import warnings

import typer

from core.cli import automation, cutting_out, exporting, finding, labels, learning, machine, many, recognizing, serving
from core.cli.shared import say
from core.errors import Cancelled, UserError

_STOPPED = 130
"""Exit code of a program that Ctrl-C ended: 128 and the number of the signal."""

app = typer.Typer(
    help="Footage in, tricks found, clips out.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
models = typer.Typer(help="Weights of pose networks.", no_args_is_help=True)
app.add_typer(models, name="models")
app.add_typer(recognizing.app, name="recognize")
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


def _say_misuse(error: typer.TyperException) -> None:
    """One line for a command or option that does not exist, is missing or has an impossible value."""
    message = " ".join(error.format_message().split())
    if message:  # where help is shown for want of arguments, that says it all
        context = getattr(error, "ctx", None)
        say([f"{message.rstrip('.')} (see {context.command_path if context else 'trickline'} --help)."])
