"""The command that takes the records to a server, or back."""

from __future__ import annotations

from typing import Annotated

import typer

from core.cli.shared import open_workspace, say

app = typer.Typer(help="Where sessions, labels and models are kept.", no_args_is_help=True)

_WORDS = {
    "sessions": "sessions",
    "label_revisions": "revisions of labels",
    "reviews": "decisions",
    "subjects": "choices of the skater",
    "models": "models",
    "model_files": "files of models",
    "jobs": "jobs that have ended",
}
"""Tables that a user knows something of."""
_NEXT = (
    "Close the studio and its worker, and start them again with the line below; everybody sets it with their own user "
    "and password.",
    "All see all sessions at once. Footage does not travel: whoever works on a session opens the same file on their "
    "machine (Upload, or trickline run), a copy or one in a shared folder, of whatever name; it is known by its "
    "content, so one that was cut or encoded anew is another session.",
    "What is computed from footage is computed once on each machine.",
)


@app.command("copy")
def copy(
    url: Annotated[
        str,
        typer.Argument(
            metavar="URL",
            help="Such as postgresql://user:password@host/name (the password may be left to ~/.pgpass), or "
            "sqlite:////backups/team.db.",
        ),
    ],
) -> None:
    """Copy the records of this workspace into another database, such as a team's on PostgreSQL. The ones here stay.

    What is there already is left as it is, so the command can be called again.
    """
    from core.copied_records import copy_records, setting
    from core.database_errors import named

    with open_workspace() as workspace:
        copied = copy_records(workspace, url)
        names = {session.id: session.name for session in workspace.sessions()}
    for table, words in _WORDS.items():
        typer.echo(f"{words:22} {copied.added[table]:7} added {copied.there[table]:7} there already")
    say(
        f"{names.get(session_id, session_id)} has other labels there, which stay, and its decisions with them; "
        f"the labels from here are its layer {layer!r}."
        for session_id, layer in copied.beside
    )
    say([f"All of {named(copied.source)} is in {named(copied.target)}; the records here stay as they are."])
    if copied.target.get_backend_name() != "sqlite":
        say(_NEXT)
    typer.echo(setting(copied.target))
