"""The commands for labels: into another format, and who changed what in a session."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from core.cli.shared import Json, open_workspace, say
from core.errors import UserError

if TYPE_CHECKING:
    from core.label_changes import LabelChange, LabelSave
    from core.records import Session
    from core.video import Video
    from core.workspace import Workspace

app = typer.Typer(help="What the workspace keeps of a session's labels.", no_args_is_help=True)


def convert(
    source: Annotated[Path, typer.Argument(metavar="IN", show_default=False)],
    target: Annotated[Path, typer.Argument(metavar="OUT", show_default=False)],
    video: Annotated[Path | None, typer.Option(help="Their video: adds times, and what CVAT wants to know.")] = None,
) -> None:
    """Turn labels into another format: CVAT XML, Label Studio JSON (.ls.json), LosslessCut (.llc), CSV or events JSON.
    IN is recognised by its content, OUT by its ending."""
    import dataclasses

    from core.labels import read_labels, write_labels
    from core.labels.label_set import check_within
    from core.video import Video

    opened = Video.open(video) if video else None
    pts_s = opened.pts_s if opened else None
    labels = read_labels(source, pts_s, video)
    say(labels.warnings)
    if opened:
        check_within(labels, opened.n_frames, source.name)
        info = opened.info
        labels = dataclasses.replace(
            labels,
            n_frames=opened.n_frames,
            width=info.width,
            height=info.height,
            fps=info.average_rate,
            name=opened.path.name,
        )
    write_labels(target, labels, pts_s)
    say([f"{len(labels.intervals)} intervals written to {target}"])


@app.command("history")
def history(
    which: Annotated[str, typer.Argument(metavar="VIDEO_OR_SESSION", show_default=False)],
    layer: Annotated[str, typer.Option(help="A further annotator's labels instead of the true ones.")] = "",
    newest: Annotated[int, typer.Option("--last", min=1, help="So many saves, the newest first.")] = 20,
    as_json: Json = False,
) -> None:
    """Who changed which label when. The session goes by its video, its id or its name."""
    from core.label_changes import label_saves, moment, origin, saved_by, told

    with open_workspace() as workspace:
        session = _session(workspace, which)
        revision = workspace.labels(session.id, layer)
        count = revision.revision if revision else 0
        saves = label_saves(workspace, session.id, layer, count - newest + 1, count or None)
        video = _video(session, workspace) if saves else None
    if as_json:
        told_of = {"session": session.id, "name": session.name, "layer": layer, "n_saves": count}
        typer.echo(json.dumps({**told_of, "saves": [_plain_save(save, video) for save in saves]}, allow_nan=False))
        return
    for save in saves:
        by, at = saved_by(save), moment(save.revision.saved_at)
        typer.echo(f"{save.revision.revision}  {by}, {at}, {origin(save)} ({len(save.revision.intervals)} labels)")
        for line in told(save, video):
            typer.echo(f"    {line.text}")
    if not saves:
        say(["Nothing was saved in these labels yet."])
    elif len(saves) < count:
        say([f"{count - len(saves)} earlier saves are not shown; --last {count} shows all."])


def _session(workspace: Workspace, which: str) -> Session:
    from core.content import content_id

    if Path(which).expanduser().is_file():
        return workspace.session(content_id(Path(which).expanduser()))
    sessions = workspace.sessions()
    fitting = [one for one in sessions if which in (one.id, one.name)]
    if not fitting:
        names = ", ".join(one.name for one in sessions[:10]) or "none yet"
        raise UserError(f"{which} is neither a video nor a session; name one of these: {names}.")
    if len(fitting) > 1:
        ids = ", ".join(one.id for one in fitting)
        raise UserError(f"{len(fitting)} sessions are called {which}; choose one by its id: {ids}.")
    return fitting[0]


def _video(session: Session, workspace: Workspace) -> Video | None:
    """The session's video for the times of its frames; None where it cannot be had, so that frames are told."""
    from core.sighting import open_video

    try:
        return open_video(session.path, workspace)
    except UserError as error:
        say([f"Frames are told instead of times, because {error}"])
        return None


def _plain_save(save: LabelSave, video: Video | None) -> dict[str, Any]:
    from core.label_changes import origin

    one = save.revision
    return {
        "revision": one.revision,
        "author": one.author,
        "saved_at": one.saved_at.isoformat(),
        "source": one.source,
        "origin": origin(save),
        "n_labels": len(one.intervals),
        "changes": [_plain_change(change, video) for change in save.changes],
    }


def _plain_change(change: LabelChange, video: Video | None) -> dict[str, Any]:
    from dataclasses import asdict

    from core.label_changes import change_words

    return {
        "kind": change.kind,
        "before": asdict(change.before) if change.before else None,
        "after": asdict(change.after) if change.after else None,
        "text": change_words(change, video),
    }
