"""What the workspace's own sessions teach: labelled and kept tricks by their names, rejected ones as "none".

    >>> read_reviewed(workspace, [session.id], rejected_as=NONE).balance()       # doctest: +SKIP
    {'kickflip': 31, 'ollie': 24, 'none': 58}

True are the newest labels, of which a kept trick is one, and tricks whose edges were moved without a verdict, as in
:mod:`core.corrections`. A rejected moment is none of the classes unless it meets a true one. A session is a group.

Two kinds of labels stay out, and a note says so. What is only called a trick has no name, as long as others have one.
And a name that was taken over from a recognizer is no person's: taught, it would confirm its own mistakes. The history
of the labels tells which those are; where somebody moves such a label's edges, the name is still the recognizer's.
"""

from __future__ import annotations

from collections.abc import Sequence

from core.errors import UserError
from core.intervals import Interval
from core.recognize.samples import ClipDataset, ClipSample
from core.records import LabelRevision
from core.reviews import rejected, reviews
from core.tricks import SAME_IOU, nested
from core.workspace import Workspace

NONE = "none"
"""What looks like a trick and is none."""
NAMED_BY = "named by "
"""How the source of a revision begins whose new names a recognizer gave."""
_UNNAMED = Interval(0, 0).label
"""What a trick is called that nobody gave a name."""


def read_reviewed(workspace: Workspace, session_ids: Sequence[str], rejected_as: str | None = None) -> ClipDataset:
    """The moments of sessions that a person has named; the classes in the order of their names, ``rejected_as`` last.

    Args:
        rejected_as: the class of rejected moments; None leaves them out.

    Raises:
        UserError: there is no such session, or none of them has a named moment and a video.
    """
    moments: list[ClipSample] = []
    notes: list[str] = []
    taken_over = 0
    for session_id in dict.fromkeys(session_ids):
        session = workspace.session(session_id)
        named = _named(workspace, session_id)
        if rejected_as is not None:
            none = [each for each in rejected(workspace, session_id) if not any(each.overlap(true) for true in named)]
            named += [Interval(each.start_frame, each.end_frame, rejected_as) for each in none]
        taken = _taken_over(workspace.label_history(session_id))
        taken_over += sum(each in taken for each in named)
        named = [each for each in named if each not in taken]
        if named and not session.path.is_file():
            notes.append(f"{session.name} was left out, because its video is no longer at {session.path}.")
            continue
        moments += [ClipSample(session.path, i.label, session.id, i.start_frame, i.end_frame) for i in sorted(named)]
    if taken_over:
        notes.append(
            f"Left out, for a recognizer gave them: {taken_over} name(s) that were taken over into the labels."
        )
    if {moment.label for moment in moments} - {_UNNAMED, rejected_as}:
        unnamed = sum(moment.label == _UNNAMED for moment in moments)
        moments = [moment for moment in moments if moment.label != _UNNAMED]
        if unnamed:
            notes.append(f"Left out, for nobody named them: {unnamed} moment(s) that are only called {_UNNAMED!r}.")
    if not moments:
        raise UserError(
            "None of these sessions has a named moment and its video: label tricks or review what was found first."
            + "".join(f" {note}" for note in notes)
        )
    classes = sorted({moment.label for moment in moments}, key=lambda label: (label == rejected_as, label))
    return ClipDataset("reviewed sessions", tuple(moments), tuple(classes), tuple(notes))


def _named(workspace: Workspace, session_id: str) -> list[Interval]:
    newest = workspace.labels(session_id)
    labels = list(newest.intervals) if newest else []
    moved = [review.kept for review in reviews(workspace, session_id) if not review.verdict and review.adjusted]
    return labels + [trick for trick in moved if not any(nested(label, trick) for label in labels)]


def _taken_over(history: Sequence[LabelRevision]) -> set[Interval]:
    """The labels whose name a recognizer gave, of all that ever were.

    Args:
        history: the newest revision first.
    """
    taken: set[Interval] = set()
    own: set[Interval] = set()
    before: frozenset[Interval] = frozenset()
    for revision in reversed(history):
        now = frozenset(revision.intervals)
        gone = before - now
        for label in now - before - taken - own:
            moved_from = {each for each in gone if each.label == label.label and each.iou(label) >= SAME_IOU}
            moved = bool(moved_from) and moved_from <= taken
            (taken if moved or revision.source.startswith(NAMED_BY) else own).add(label)
        before = now
    return taken
