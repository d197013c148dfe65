"""The Python side of the workbench's document: what the browser edits becomes revisions of the labels.

The browser sends its whole list each time, ``{editor, seq, base, items}``: who edits (one mount of the workbench), how
many edits he has made, on which revision his list rests, and the list. Streamlit may drop all but the last of several
quick edits, and sends the last one again after a reconnection. So what an edit changed is found by comparing it with
the list that it rests on, and that change is done to the labels as they are now: see
:func:`core.labels.merging.rebase`. Doing it twice changes nothing.

Nothing here needs Streamlit: a page keeps the :class:`Tab` in its session state.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import tzinfo
from threading import RLock
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.errors import UserError
from core.intervals import Interval
from core.labels.label_set import make_interval
from core.labels.merging import Rebased, rebase, sharing
from core.records import LabelRevision
from core.timecode import clock
from core.workspace import Workspace
from pages.widgets.workbench import Document

MAX_ITEMS = 100_000
"""More intervals than this are no labels that a person edits."""
SOURCE = "editor"
"""How the history calls what was changed in the workbench."""


@dataclass(frozen=True)
class Notice:
    """Something that the user must be told, in a sentence."""

    text: str
    overruled: tuple[Interval, ...] = ()
    """What others had set and his edit has replaced."""


@dataclass
class Tab:
    """What this process knows of one browser tab's editing of one layer."""

    shown: int = 0
    """Newest revision that was handed to the browser."""
    external: int = 0
    """Newest revision that is not just what the browser had sent."""
    editor: str = ""
    """Who sent the last edit."""
    taken: dict[str, int] = field(default_factory=dict)
    """By editor, the number of his last edit that was taken."""
    base: int = 0
    """The revision that the last edit rests on."""
    items: frozenset[Interval] = frozenset()
    """The list of the last edit."""
    own: set[int] = field(default_factory=set)
    """Revisions that hold just what ``editor`` had sent, so that his next list rests on that one."""
    made: set[int] = field(default_factory=set)
    """Revisions that were saved from this tab."""
    met: LabelRevision | None = None
    """The last revision of others that an edit from here ran into."""
    zone: tzinfo | None = None
    """In which times are told; None is the server's."""
    lock: Any = field(default_factory=RLock, repr=False, compare=False)
    """Streamlit runs the callbacks of two quick edits in two threads at once."""


@dataclass(frozen=True)
class _Edit:
    editor: str
    seq: int
    base: int
    items: frozenset[Interval]


def document(workspace: Workspace, session_id: str, layer: str, tab: Tab) -> Document:
    """The labels as they are now, for the workbench; the tab counts as having seen them."""
    with tab.lock:
        newest = workspace.labels(session_id, layer)
        revision = newest.revision if newest else 0
        if revision not in tab.own:
            tab.external = revision
        tab.shown = revision
        ack = (tab.editor, tab.taken[tab.editor]) if tab.editor else None
        return Document(revision, ack, tab.external, newest.intervals if newest else ())


def newer(workspace: Workspace, session_id: str, layer: str, tab: Tab) -> bool:
    """Whether somebody else has saved since the tab was last shown the labels. One small query."""
    newest = workspace.labels(session_id, layer)
    return newest is not None and newest.revision > tab.shown


def take_edit(
    workspace: Workspace,
    session_id: str,
    layer: str,
    tab: Tab,
    edit: Mapping[str, Any],
    author: str | None,
    pts_s: NDArray[np.float64],
) -> Notice | None:
    """Save what an edit changed. An edit that was taken before is passed over, so that it may come any number of times.

    Args:
        edit: as the browser sent it; nothing in it is believed.
        author: who sits before the browser.
        pts_s: the PTS table, shape ``(n_frames,)``, seconds.

    Returns:
        What to tell the user: somebody else has changed the labels meanwhile.

    Raises:
        UserError: the edit makes no sense, or cannot be saved. Nothing was saved then, and it counts as not taken.
    """
    with tab.lock:
        return _take(workspace, session_id, layer, tab, edit, author, pts_s)


def _take(
    workspace: Workspace,
    session_id: str,
    layer: str,
    tab: Tab,
    edit: Mapping[str, Any],
    author: str | None,
    pts_s: NDArray[np.float64],
) -> Notice | None:
    editor, seq = edit.get("editor"), edit.get("seq")
    if isinstance(editor, str) and isinstance(seq, int) and seq <= tab.taken.get(editor, 0):
        return None
    sent = _checked(edit, len(pts_s))
    newest = workspace.labels(session_id, layer)
    before = _rests_on(workspace, session_id, layer, tab, sent, newest)
    edited = workspace.edit_labels(
        session_id, lambda current: rebase(before, sent.items, current).intervals, SOURCE, author, layer
    )
    newest, saved = edited.met, edited.saved
    rebased = rebase(before, sent.items, newest.intervals if newest else ())
    if saved:
        tab.made.add(saved.revision)
    if sent.editor != tab.editor:
        tab.own = set()
    tab.editor, tab.base, tab.items = sent.editor, sent.base, sent.items
    tab.taken[sent.editor] = sent.seq
    if set(rebased.intervals) == sent.items:
        now = saved or newest
        tab.own.add(now.revision if now else 0)
    return _notice(tab, sent, newest, rebased, author, pts_s)


def change(
    workspace: Workspace,
    session_id: str,
    layer: str,
    tab: Tab,
    how: Callable[[tuple[Interval, ...]], Collection[Interval]],
    source: str,
    author: str | None,
) -> LabelRevision | None:
    """Change all labels at once, from a button; what others save at the same moment is changed as well.

    Args:
        how: from the labels as they are to what they should be.
        source: what to call it in the history.

    Returns:
        The new revision; None if nothing was changed.
    """
    saved = workspace.edit_labels(session_id, how, source, author, layer).saved
    if saved:
        tab.made.add(saved.revision)
    return saved


def taken_over(current: Sequence[Interval], found: Sequence[Interval]) -> list[Interval]:
    """The labels with the found events that share no frame with any of them, whatever its label."""
    return [*current, *beside(found, current, any_label=True)]


def added(current: Sequence[Interval], more: Sequence[Interval]) -> list[Interval]:
    """The labels with those of ``more`` that share no frame with one of the same label."""
    return [*current, *beside(more, current)]


def relabelled(current: Sequence[Interval], old: str, new: str) -> list[Interval]:
    """The labels with one label called otherwise."""
    return [Interval(i.start_frame, i.end_frame, new if i.label == old else i.label) for i in current]


def beside(some: Sequence[Interval], others: Sequence[Interval], *, any_label: bool = False) -> list[Interval]:
    """Those of ``some`` that share no frame with one of ``others`` of the same label, as plain intervals."""
    plain = [Interval(i.start_frame, i.end_frame, i.label) for i in some]
    met = sharing(plain, others, any_label=any_label)
    return [interval for interval in plain if interval not in met]


def told(revision: LabelRevision, author: str | None, zone: tzinfo | None) -> str:
    """Who saved a revision and when, as the beginning of a sentence to ``author``."""
    at = f"{revision.saved_at.astimezone(zone):%H:%M:%S}"
    if revision.author not in (None, author):
        return f"{revision.author} changed the labels at {at}"
    if revision.source == SOURCE:
        return f"Another tab changed the labels at {at}"
    return f"The labels were changed at {at} ({revision.source})"


def _checked(edit: Mapping[str, Any], n_frames: int) -> _Edit:
    editor, seq, base, items = (edit.get(name) for name in ("editor", "seq", "base", "items"))
    if not isinstance(editor, str) or not 0 < len(editor) <= 100 or not isinstance(items, list):
        raise UserError("The page sent an edit that is not understood; nothing was saved: reload the page.")
    if len(items) > MAX_ITEMS:
        raise UserError(
            f"There are {len(items)} intervals, more than the {MAX_ITEMS} that one video can have; nothing was saved: "
            "undo the last step."
        )
    try:
        intervals = frozenset(_interval(item, n_frames) for item in items)
        return _Edit(editor, _whole(seq), _whole(base), intervals)
    except ValueError as error:
        raise UserError(f"The last edit was not saved, because {error}: undo or mend it.") from None


def _interval(item: Any, n_frames: int) -> Interval:
    if not isinstance(item, list | tuple) or len(item) != 3 or not isinstance(item[2], str):
        raise ValueError("an interval is not first frame, last frame and label")
    start, end = _whole(item[0]), _whole(item[1])
    if end >= n_frames:
        raise ValueError(f"an interval ends at frame {end}, and the video's last is {n_frames - 1}")
    try:
        return make_interval(start, end, item[2])
    except ValueError as error:
        raise ValueError(f"at frame {start} {error}") from None


def _whole(value: Any) -> int:
    # JavaScript has only one kind of number.
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1e15 or value != int(value):
        raise ValueError(f"{str(value)[:40]!r} is no number of a frame")
    return int(value)


def _rests_on(
    workspace: Workspace, session_id: str, layer: str, tab: Tab, sent: _Edit, newest: LabelRevision | None
) -> Collection[Interval]:
    """The list that the browser had when it began to make what it sent."""
    number = newest.revision if newest else 0
    if sent.base > number:
        # The workspace was put back or made anew while the browser kept its list: all of that is new here.
        return ()
    if sent.editor == tab.editor and all(revision in tab.own for revision in range(tab.base + 1, sent.base + 1)):
        return tab.items
    if newest is None or sent.base == number:
        return newest.intervals if newest else ()
    history = workspace.label_history(session_id, layer)
    # After a restart of the server the browser sends its last edit again, which may have been saved and then changed.
    since = (frozenset(one.intervals) for one in history if one.revision > sent.base)
    if sent.editor not in tab.taken and sent.items in since:
        return sent.items
    return next((one.intervals for one in history if one.revision == sent.base), ())


def _notice(
    tab: Tab,
    sent: _Edit,
    newest: LabelRevision | None,
    rebased: Rebased,
    author: str | None,
    pts_s: NDArray[np.float64],
) -> Notice | None:
    """What to say about the revision of others that the edit ran into."""
    first = False
    if newest and newest.revision > sent.base and newest.revision not in tab.made:
        first = tab.met is None or tab.met.revision < newest.revision
        tab.met = newest
    if tab.met is None or not (first or rebased.overruled):
        return None
    if not rebased.overruled:
        return Notice(f"{told(tab.met, author, tab.zone)}; both changes are kept.")
    places = [clock(float(pts_s[one.start_frame])) for one in rebased.overruled[:3]]
    places += ["..."] if len(rebased.overruled) > 3 else []
    return Notice(
        f"{told(tab.met, author, tab.zone)}; yours at {', '.join(places)} is newer and replaced that. "
        "The history has both, to restore.",
        rebased.overruled,
    )
