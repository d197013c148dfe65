"""Who changed which label when.

>>> [(one.author, one.before, one.after) for one in label_changes(workspace, session.id)]  # doctest: +SKIP
[('Ann', Interval(10, 20, 'ollie'), Interval(10, 25, 'ollie')), ('Bo', None, Interval(10, 20, 'ollie'))]
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from datetime import datetime

from core.intervals import Interval
from core.labels.changes import changes
from core.workspace import Workspace


@dataclass(frozen=True)
class LabelChange:
    """One label that one save added, removed or moved."""

    revision: int
    author: str | None
    source: str
    """As :attr:`core.records.LabelRevision.source`."""
    saved_at: datetime
    """UTC."""
    before: Interval | None
    """None where it was added."""
    after: Interval | None
    """None where it was removed."""


def label_changes(workspace: Workspace, session_id: str, layer: str = "") -> list[LabelChange]:
    """Every change of the labels of a layer, the newest first, those of one save in order of their frames.

    What moved, and what was renamed (which counts as removed and added), is told apart as in
    :mod:`core.labels.changes`.
    """
    history = workspace.label_history(session_id, layer)
    made = []
    for one, old in zip(history, [*(older.intervals for older in history[1:]), ()], strict=True):
        told = changes(old, one.intervals, sys.maxsize)
        pairs: list[tuple[Interval | None, Interval | None]] = [
            *((None, added) for added in told.added),
            *((removed, None) for removed in told.removed),
            *told.moved,
        ]
        pairs.sort(key=lambda pair: pair[1] or pair[0] or Interval(0, 0))
        made += [LabelChange(one.revision, one.author, one.source, one.saved_at, *pair) for pair in pairs]
    return made
