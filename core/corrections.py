"""What a session teaches: the labels that a person drew or imported, and the decisions of a review.

    >>> lesson = lesson_of(workspace, session)                                   # doctest: +SKIP
    >>> lesson.labelled.example.truth, lesson.labelled.example.known             # doctest: +SKIP
    ([Interval(247, 272, 'trick')], [Interval(217, 302, 'trick')])

The rules:

1. True are the newest labels. A kept trick is one of them with the bounds that were set for it; so is one whose edges
   were moved and that got no verdict.
2. Where a person drew or imported a label, the whole video is known: what he did not label is no trick.
3. Else it is known where somebody decided: the trick as it was found and as it was kept, and ``AROUND_S`` to either
   side, but nothing of what is found besides and still undecided. So what was found beyond the edges of a moved trick
   is known to be none.
4. Once every trick that is found now was decided, the whole video is known, for the filmer has been through it.
5. A rejected moment is no trick, except where a label stands: a person's own, or that of a trick that was kept inside.

The rest of the video teaches nothing. Labels are told apart as :mod:`core.reviews` does: those that a decision made are
the review's, all others a person's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from core import pipeline, sighting
from core.errors import Cancelled, UserError
from core.intervals import Interval, frame_mask, from_mask
from core.records import Session
from core.reviews import own_labels, reviews
from core.sighting import Look
from core.tricks import Review, matched, nested
from core.validate import Labelled
from core.workspace import Workspace

AROUND_S = 1.0
"""So much before and after a decided trick is known with it, seconds: whoever watches the clip has seen it, since a
clip shows two seconds to either side."""


@dataclass(frozen=True)
class Taught:
    """What there is to learn from a session, counted; false if nothing."""

    kept: int = 0
    """Tricks that were kept or moved."""
    rejected: int = 0
    labelled: int = 0
    """Labels that a person drew or imported."""

    def __bool__(self) -> bool:
        return self != Taught()

    def __add__(self, other: Taught) -> Taught:
        return Taught(self.kept + other.kept, self.rejected + other.rejected, self.labelled + other.labelled)


@dataclass(frozen=True)
class Lesson:
    """A session that something can be learnt from."""

    session: Session
    labelled: Labelled
    backend: str
    """Name of the pose backend that saw it."""


def taught(workspace: Workspace, session_id: str) -> Taught:
    """What there is to learn from a session. Its video is not needed, and nothing is computed."""
    made = reviews(workspace, session_id)
    kept = [review for review in made if _decided(review) and review.verdict != "reject"]
    rejected = [review for review in made if review.verdict == "reject"]
    return Taught(len(kept), len(rejected), len(_by_hand(workspace, session_id)))


def labelled(workspace: Workspace, session: Session, look: Look) -> Labelled | None:
    """A session as something to learn from, by the rules of this module; None where nothing is known.

    Args:
        look: of :func:`core.sighting.kept`.

    Raises:
        UserError: the session's model, which says what is found and undecided, is gone or damaged.
    """
    decided = [review for review in reviews(workspace, session.id) if _decided(review)]
    by_hand = _by_hand(workspace, session.id)
    if not decided and not by_hand:
        return None
    newest = workspace.labels(session.id)
    truth = list(newest.intervals) if newest else []
    moved = [review.kept for review in decided if not review.verdict]
    truth = sorted([*truth, *(trick for trick in moved if not any(nested(label, trick) for label in truth))])
    example = look.example(truth)
    if not by_hand:
        example = replace(example, known=_known(workspace, session, look, decided))
    return Labelled(example, look.video.pts_s)


def lesson_of(workspace: Workspace, session: Session) -> Lesson:
    """What a session teaches.

    Raises:
        UserError: nothing, because it was neither labelled nor reviewed, nor processed yet, or its video is gone.
    """
    if not taught(workspace, session.id):
        raise UserError(
            f"{session.name} has no labels to learn from: label its tricks or review what was found, or leave it out."
        )
    seen = sighting.kept(session, workspace, workspace.settings(session.id).guardrails)
    if seen is None:
        raise UserError(f"{session.name} was not processed yet: find its tricks first, or leave it out.")
    video = labelled(workspace, session, seen)
    if video is None:  # somebody took the last decision back in between
        raise UserError(f"{session.name} has no labels to learn from any more: leave it out.")
    return Lesson(session, video, seen.backend)


def lessons(
    workspace: Workspace,
    progress: Callable[[float], None] | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> tuple[list[Lesson], list[str]]:
    """What all sessions teach, the oldest session first, and a sentence on each that was labelled or reviewed and
    cannot be learnt from.

    Raises:
        Cancelled: ``cancelled`` said so.
    """
    found, skipped = [], []
    willing = [session for session in reversed(workspace.sessions()) if taught(workspace, session.id)]
    for number, session in enumerate(willing):
        if cancelled and cancelled():
            raise Cancelled
        try:
            found.append(lesson_of(workspace, session))
        except UserError as error:
            skipped.append(f"{session.name} was left out. {error}")
        if progress:
            progress((number + 1) / len(willing))
    return found, skipped


def around(interval: Interval, pts_s: NDArray[np.float64], around_s: float = AROUND_S) -> Interval:
    """An interval with so many seconds to either side, as far as the video goes.

    Args:
        pts_s: the PTS table, seconds, shape ``(n_frames,)``.
    """
    last = len(pts_s) - 1
    first_s, last_s = pts_s[min(interval.start_frame, last)], pts_s[min(interval.end_frame, last)]
    first = int(np.searchsorted(pts_s, first_s - around_s))
    return replace(interval, start_frame=first, end_frame=int(np.searchsorted(pts_s, last_s + around_s, "right")) - 1)


def known_frames(
    tricks: Iterable[Interval],
    others: Iterable[Interval],
    undecided: Iterable[Interval],
    pts_s: NDArray[np.float64],
) -> NDArray[np.bool_]:
    """Which frames are known by decisions, shape ``(n_frames,)``: rule 3.

    Args:
        tricks: those that were kept, with their bounds.
        others: whatever else was spoken of: rejected moments, and where tricks that were moved had been found.
        undecided: what is found besides.
        pts_s: the PTS table, seconds, shape ``(n_frames,)``.
    """
    n = len(pts_s)
    true = list(tricks)
    near = frame_mask((around(place, pts_s) for place in (*true, *others)), n)
    return near & (frame_mask(true, n) | ~frame_mask(undecided, n))


def _decided(review: Review) -> bool:
    """Stars alone say nothing about whether it is a trick; moved edges do."""
    return bool(review.verdict) or review.adjusted


def _by_hand(workspace: Workspace, session_id: str) -> list[Interval]:
    """The newest labels that a person drew or imported."""
    newest = workspace.labels(session_id)
    if newest is None or not newest.intervals:
        return []
    ours = own_labels(workspace, session_id)
    return [label for label in newest.intervals if label not in ours]


def _known(workspace: Workspace, session: Session, look: Look, decided: Sequence[Review]) -> list[Interval] | None:
    """Rules 3 and 4; None is the whole video."""
    events, _ = pipeline.found(look, workspace, workspace.settings(session.id))
    places = [Interval(event.start_frame, event.end_frame, event.label) for event in events]
    undecided = [place for place, review in zip(places, matched(places, decided), strict=True) if review is None]
    if events and not undecided:
        return None
    tricks = [review.kept for review in decided if review.verdict != "reject"]
    return from_mask(known_frames(tricks, [review.found for review in decided], undecided, look.video.pts_s))
