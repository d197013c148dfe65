"""Commands that go through many videos."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from core.cli.shared import (
    Cluster,
    Json,
    Mode,
    Model,
    Pose,
    Stride,
    Threshold,
    Wandb,
    WandbUpload,
    Weights,
    absolute,
    find_model,
    open_workspace,
    pose_settings,
    say,
)
from core.errors import UserError
from core.settings import BatchSettings, ClipSettings, RunSettings
from core.timecode import clock

if TYPE_CHECKING:
    from core.arrivals import Arrivals
    from core.batch import Ended, Tally
    from core.gathering import Footage

Out = Annotated[str, typer.Option(metavar="FOLDER|URL", help="Folder for the clips, here or on a store.")]


def batch_settings(
    run: RunSettings,
    model: str | None,
    out: str | Path,
    *,
    again: bool = False,
    drop_fetched: bool = False,
    wandb: bool = False,
    upload: bool = False,
) -> BatchSettings:
    """What is done with each video. A model of W&B's is fetched here, once for all.

    Args:
        out: where the clips go, a path or an address.

    Raises:
        UserError: it cannot be had.
    """
    from core.stores import is_url

    if wandb:
        from core.wandb_log.service import read_dotenv

        read_dotenv()  # here, where the file is: a cluster's machines are told the project
    detector, used = find_model(model)
    target = str(out).strip() if is_url(str(out)) else absolute(Path(out))
    return BatchSettings(
        run=run, model=absolute(detector), out=target, again=again, drop_fetched=drop_fetched, wandb=wandb,
        wandb_upload=upload, wandb_used=tuple(used),
    )  # fmt: skip


def run_many(sources: Sequence[str], settings: BatchSettings, cluster: str | None, join: bool, as_json: bool) -> None:
    """Find and cut in all videos, saying of each what came of it, and of all in the end; exit 2 if any failed."""
    from core.batch import Tally, check_out
    from core.gathering import gather
    from core.workspace import home_folder

    out = settings.out or ""
    here = _here(out) if out else None
    own = [home_folder(), *([here] if here else [])]
    for source in sources:
        _check_apart(source, own, out)
    check_out(out)
    footage, notes = gather(sources, join, own)
    say(notes)
    footage = _without_clips(footage, sources, out)
    tally, started = Tally(), time.monotonic()
    for ended in _batches(iter([footage]), settings, cluster):
        _print(ended, as_json, tally)
    took_s = time.monotonic() - started
    if as_json:
        typer.echo(json.dumps({"summary": {**tally.to_json(), "seconds": round(took_s, 3)}}))
    else:
        typer.echo(_summary(tally, took_s))
    if tally.failed:
        raise typer.Exit(2)


def watch(
    folder: Path,
    model: Model = None,
    out: Out = "clips",
    settle: Annotated[
        float, typer.Option(min=0, help="Seconds for which a file has to stay as it is before it is taken for whole.")
    ] = 10.0,
    once: Annotated[bool, typer.Option("--once", help="End when all that is there was done.")] = False,
    pose: Pose = "auto",
    weights: Weights = None,
    stride: Stride = 2,
    threshold: Threshold = None,
    mode: Mode = "exact",
    cluster: Cluster = None,
    wandb: Wandb = False,
    upload: WandbUpload = False,
    as_json: Json = False,
) -> None:
    """Wait for new footage in a folder and cut its highlights, with nobody present, until Ctrl-C."""
    from core.arrivals import Arrivals
    from core.batch import Tally, check_out
    from core.workspace import home_folder

    if not folder.is_dir():
        raise UserError(f"There is no folder {folder}: make it, or check the path.")
    here = _here(out)
    if here and here.resolve().is_relative_to(folder.resolve()):
        raise UserError(f"The clips would arrive in {folder} as new footage: choose an --out outside it.")
    _check_apart(str(folder), [home_folder()], out)
    run = RunSettings(pose=pose_settings(pose, weights, stride), clips=ClipSettings(mode=mode), threshold=threshold)
    settings = batch_settings(run, model, out, wandb=wandb, upload=upload)
    check_out(settings.out)
    tally = Tally()
    if not as_json:
        say([f"Watching {folder}. Ctrl-C ends it."])
    arrivals = Arrivals(folder, settle, without=[home_folder()])
    for ended in _batches(_arriving(arrivals, once), settings, cluster):
        _print(ended, as_json, tally)
    if tally.failed or arrivals.broken:
        raise typer.Exit(2)


def _arriving(arrivals: Arrivals, once: bool) -> Iterator[list[Footage]]:
    """What has come into the folder, each time that something has. A folder that goes away is waited for, unless what
    is there now is all that is wanted."""
    from core.gathering import as_recordings

    handed: set[Path] = set()
    away = False
    while True:
        try:
            recordings = arrivals.recordings()
        except UserError as error:
            if once:
                raise
            if not away:
                say([f"{error} It is waited for."])
            away, recordings = True, []
        else:
            if away:
                say([f"The folder {arrivals.folder} is there again."])
            away = False
        for path in arrivals.stuck():
            say([f"{path} is not whole, and no longer grows: copy it again."])
        for chapters in recordings:
            if not handed.isdisjoint(chapters) and not handed.issuperset(chapters):
                say([f"{chapters[0].name} goes on in {chapters[-1].name}: all of the recording is done again."])
            handed.update(chapters)
        if recordings:
            footage, notes = as_recordings([path for chapters in recordings for path in chapters])
            say(notes)
            yield footage
        elif once and not arrivals.waiting:
            return
        else:
            time.sleep(min(1.0, max(0.05, arrivals.settle_s / 10)))


def _here(out: str) -> Path | None:
    """The folder for the clips, if it is one of this machine."""
    from core.stores import is_url, local_path

    return local_path(out) if is_url(out) else Path(out)


def _check_apart(source: str, own: Sequence[Path], out: str) -> None:
    """Raises UserError if footage is in a folder that is written into: what is in it would be footage next time."""
    from core.stores import is_below, is_url, without_login

    if is_url(source):
        same = is_url(out) and is_below(source, out) and is_below(out, source)
    else:
        same = os.path.isdir(source) and os.path.realpath(source) in map(os.path.realpath, own)
    if same:
        raise UserError(
            f"In {without_login(source) if is_url(source) else source} what is made of footage would become footage "
            "itself: choose another --out, or another TRICKLINE_HOME, such as a folder in it."
        )


def _without_clips(footage: list[Footage], sources: Sequence[str], out: str) -> list[Footage]:
    """Clips that were sent to a folder of a store that is gone through are no footage.

    Raises:
        UserError: there is nothing but clips.
    """
    from core.stores import is_below, is_url, without_login

    if not (is_url(out) and any(is_url(source) and is_below(out, source) for source in sources)):
        return footage
    kept = [one for one in footage if not (is_url(one.sources[0]) and is_below(one.sources[0], out))]
    if not kept:
        raise UserError(f"There is no video beside the clips in {without_login(out)}: choose a folder with footage.")
    return kept


def _batches(batches: Iterator[list[Footage]], settings: BatchSettings, cluster: str | None) -> Iterator[Ended]:
    from core.batch import run_batch
    from core.engine import open_engine
    from core.stores import without_login

    # W&B keeps the command line, also that of the processes that are begun here.
    sys.argv[:] = [without_login(word) if "://" in word else word for word in sys.argv]
    with open_workspace() as workspace, open_engine(cluster) as engine:
        for footage in batches:
            with _bars(len(footage)) as (progress, one_more):
                for ended in run_batch(footage, settings, workspace, engine, progress, checked=True):
                    one_more(ended)
                    yield ended


def _print(ended: Ended, as_json: bool, tally: Tally) -> None:
    tally.add(ended)
    if ended.message:
        say([ended.message])
    name = ended.footage.name
    say(note if note.startswith(name) else f"{name}: {note}" for note in ended.result.get("notes", ()))
    if as_json:
        failed = {"video": ended.footage.shown, "error": ended.message}
        typer.echo(json.dumps({**(ended.result or failed), "state": ended.state}, allow_nan=False))
    elif not ended.message:
        for line in _lines(ended):
            typer.echo(line)


def _lines(ended: Ended) -> Iterator[str]:
    found = ended.result
    before = ", done before" if ended.state == "known" else ""
    yield f"{ended.footage.name}: {_count(len(found['events']), 'trick')} in {found['duration_s']:.1f} s{before}"
    for event in found["events"]:
        yield f"  {clock(event['start_s'])} - {clock(event['end_s'])}  {event['label']:10} {event['confidence']:.2f}"
    for clip in found["clips"]:
        yield f"  {clip['path']}"


def _summary(tally: Tally, took_s: float) -> str:
    parts = [f"{tally.known} done before"] if tally.known else []
    parts += [f"{tally.failed} failed"] if tally.failed else []
    videos = _count(tally.done + tally.known + tally.failed, "video") + (f" ({', '.join(parts)})" if parts else "")
    tricks = f"{_count(tally.tricks, 'trick')} in {clock(tally.footage_s)} of footage"
    return f"{videos}: {tricks}, {_count(tally.clips, 'clip')}, in {clock(took_s)}"


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


@contextmanager
def _bars(total: int) -> Iterator[tuple[Any, Callable[[Ended], None]]]:
    """A bar for all, and one for each that is being done; nothing in a pipe."""
    if not sys.stderr.isatty():
        yield None, lambda ended: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as live:
        whole = live.add_task(_count(total, "video"), total=total)
        running: dict[Footage, Any] = {}

        def update(footage: Footage, step: str, done: float) -> None:
            if footage not in running:
                running[footage] = live.add_task(footage.name, total=100)
            live.update(running[footage], description=f"{footage.name}: {step}", completed=round(100 * done))

        def one_more(ended: Ended) -> None:
            if ended.footage in running:
                live.remove_task(running.pop(ended.footage))
            live.advance(whole)

        yield update, one_more
