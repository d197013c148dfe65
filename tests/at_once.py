"""What several processes do at the same moment, apart from the tests so that they begin soon."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Collection, Iterable
from functools import partial
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import Any

from core.database import Database
from core.intervals import Interval
from core.labels.merging import rebase
from core.pose import SubjectChoice
from core.settings import EventSettings
from core.workspace import Workspace

EDITS = 200


def together(act: Callable[..., None], people: Iterable[tuple[Any, ...]]) -> None:
    """Do it in as many processes as there are people, each with his arguments and the barrier where they meet."""
    spawn = multiprocessing.get_context("spawn")
    each = list(people)
    barrier = spawn.Barrier(len(each))
    processes = [spawn.Process(target=act, args=(*arguments, barrier)) for arguments in each]
    for process in processes:
        process.start()
    for process in processes:
        process.join(240)
    assert [process.exitcode for process in processes] == [0] * len(processes)


def open_at_once(url: str, barrier: Barrier) -> None:
    barrier.wait(120)
    Database(url).close()


def _rebased(
    before: Collection[Interval], after: Collection[Interval], now: tuple[Interval, ...]
) -> Collection[Interval]:
    return rebase(before, after, now).intervals


def label_often(home: Path, session_id: str, who: str, first: int, barrier: Barrier) -> None:
    """What the label page does at every edit: it sends the whole list, made from the one that it last showed."""
    with Workspace.open(home) as workspace:
        shown: tuple[Interval, ...] = ()
        for number in range(EDITS):
            # Ann on the even thousands of frames, Bo on the odd ones; each moves his last label a little, too.
            barrier.wait(120)
            start = 1000 * (2 * number + first)
            before = shown
            mine = [one for one in before if one.label == who]
            moved = [Interval(one.start_frame, one.end_frame + 1, who) for one in mine[-1:]]
            after = [*(one for one in before if one not in mine[-1:]), *moved, Interval(start, start + 20, who)]
            edited = workspace.edit_labels(session_id, partial(_rebased, before, after), "editor", who)
            assert edited.saved is not None
            assert edited.saved.author == who
            # Only now and then the page is drawn anew; in between a tab goes on from what it has sent.
            shown = edited.saved.intervals if number % 3 else tuple(after)


def choose_often(home: Path, session_id: str, video: Path, who: int, barrier: Barrier) -> None:
    with Workspace.open(home) as workspace:
        for number in range(1, 51):
            barrier.wait(120)
            base = workspace.settings(session_id)
            mine = (
                base.model_copy(update={"clips": base.clips.model_copy(update={"clip_padding_s": float(number)})})
                if who
                else base.model_copy(update={"events": EventSettings(required_streak=number)})
            )
            workspace.save_settings(session_id, mine, base)
            workspace.session_for(video, {f"fact {who} {number}": number})
            workspace.choose_subject(session_id, SubjectChoice(number, 0.5, 0.5))
