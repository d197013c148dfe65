"""What happens on the review page: what it remembers, and what its buttons, keys and knobs do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import streamlit as st

from core import jobs
from core.clips import ClipPlan
from core.errors import UserError
from core.framing import Aspect
from core.intervals import Interval
from core.reviews import Decision, decide, undo
from core.settings import SessionSettings
from core.tricks import Review, Trick, Verdict, matched, nested
from core.uncertain import Candidate
from core.workspace import Workspace
from pages.widgets.cards import picked_interval, take, trimmed
from pages.widgets.label_desk import by
from pages.widgets.workbench import Document

MOST_BELOW = 60
"""So many are asked about of what only a lower threshold finds, the most uncertain: an hour of pushing has hundreds,
and after as many answers it is time to train again."""
Part = Literal["clips", "framing", "reel"]
_MEMORY = "review_memory"


@dataclass
class Adjusting:
    """One trick's bounds as a document of the workbench."""

    serial: int
    """Of the wish that the workbench go to the trick."""
    revision: int = 1
    external: int = 1
    ack: tuple[str, int] | None = None

    def document(self, kept: Interval) -> Document:
        """With the trick as it is now."""
        return Document(self.revision, self.ack, self.external, (kept,))


@dataclass
class Memory:
    """What the page remembers of a session while the tab is open."""

    session: str
    ack: tuple[str, int] | None = None
    """Editor and number of the last message from the cards."""
    notes: tuple[str, ...] = ()
    """What the last decisions met with."""
    noted: int = 0
    """Serial of the notes."""
    error: str | None = None
    """Why the last decision could not be kept."""
    picked: Interval | None = None
    """The trick whose clip is shown, as it was found."""
    adjusting: Adjusting | None = None
    """None while the cards are shown."""
    framing: int | None = None
    """Serial of the wish that the crop of the picked trick's clip be shown; None while the cards are."""
    watched: str | None = None
    """Path of the exported video that is played."""
    unfolded: frozenset[str] = frozenset()
    """Groups of exported files that are shown whole."""
    focus: tuple[int, str] | None = None
    """Serial and id of the card that is to have the focus."""
    serial: int = 0
    min_stars: int = 0


def memory(session_id: str) -> Memory:
    """Of this session; that of another one is forgotten."""
    kept = st.session_state.get(_MEMORY)
    if kept is None or kept.session != session_id:
        kept = st.session_state[_MEMORY] = Memory(session_id)
    return kept


def take_decisions(workspace: Workspace, kept: Memory, message: object) -> None:
    """The cards sent decisions."""
    kept.error = None
    try:
        taken = take(workspace, kept.session, message)
    except UserError as error:
        kept.error = str(error)
        return
    if taken:
        kept.ack = taken.ack
        if taken.decided:
            _note(kept, taken.decided.notes)


def take_back(workspace: Workspace, kept: Memory) -> None:
    """Undo the last decision that was made before the page was opened."""
    kept.error = None
    try:
        _note(kept, undo(workspace, kept.session, by("")).notes)
    except UserError as error:
        kept.error = str(error)


def pick(kept: Memory, value: object) -> None:
    """A card was opened, or its trick is to be adjusted."""
    interval = picked_interval(value)
    if interval is None:
        return
    kept.picked = interval
    if isinstance(value, dict) and value.get("action") == "edit":
        begin_adjusting(kept, interval)


def adjust(
    workspace: Workspace, kept: Memory, trick: Trick, edit: object, n_frames: int, *, keep: bool = False
) -> None:
    """The workbench sent new bounds. Whatever else was drawn or removed there is not of this page.

    Args:
        keep: whether that keeps the trick, too: nobody moves the edges of what is none, and what is not found is
            exported only if it was kept.
    """
    kept.error = None
    if kept.adjusting is None or not isinstance(edit, dict):
        return
    editor, seq = edit.get("editor"), edit.get("seq")
    if not (isinstance(editor, str) and isinstance(seq, int)) or kept.adjusting.ack == (editor, seq):
        return
    bounds = trimmed(edit.get("items"), trick.kept, n_frames) or (trick.kept.start_frame, trick.kept.end_frame)
    if not _set_bounds(workspace, kept, trick, bounds, "keep" if keep else None):
        return
    revision = kept.adjusting.revision + 1
    as_sent = edit.get("items") == [[*bounds, trick.found.label]]
    external = kept.adjusting.external if as_sent else revision
    kept.adjusting = replace(kept.adjusting, revision=revision, external=external, ack=(editor, seq))


def as_found(workspace: Workspace, kept: Memory, trick: Trick) -> None:
    """Take an adjustment back."""
    kept.error = None
    if _set_bounds(workspace, kept, trick, (trick.found.start_frame, trick.found.end_frame)) and kept.adjusting:
        revision = kept.adjusting.revision + 1
        kept.serial += 1  # so that the workbench goes there and selects it anew
        kept.adjusting = replace(kept.adjusting, serial=kept.serial, revision=revision, external=revision)


def begin_adjusting(kept: Memory, found: Interval) -> None:
    """Show the workbench with the trick that was found there."""
    kept.picked = found
    kept.serial += 1
    kept.adjusting = Adjusting(kept.serial)


def begin_framing(kept: Memory, found: Interval) -> None:
    """Show the crop of the clip that this trick comes into."""
    kept.picked = found
    kept.serial += 1
    kept.framing = kept.serial


def end_editing(kept: Memory, card_id: str) -> None:
    """Back to the cards, to where one was."""
    kept.adjusting = kept.framing = None
    kept.serial += 1
    kept.focus = (kept.serial, card_id)


def save(workspace: Workspace, session_id: str, part: Part | None = None, **changed: object) -> None:
    """Keep changed settings for the session.

    Args:
        part: which of its settings the names are in; None for the session's own.
    """
    settings = workspace.settings(session_id)
    if part:
        changed = {part: {**getattr(settings, part).model_dump(), **changed}}
    workspace.save_settings(session_id, SessionSettings.model_validate({**settings.model_dump(), **changed}), settings)


def choose_shape(workspace: Workspace, session_id: str, aspect: Aspect) -> None:
    """Crop the clips to this shape. A copy cannot be cropped, so they are encoded anew from then on."""
    save(workspace, session_id, "framing", aspect=aspect)
    if aspect != "source":
        save(workspace, session_id, "clips", mode="exact")


def export(workspace: Workspace, session_id: str, wanted: Sequence[Interval], listed: Sequence[Trick]) -> None:
    """Make what the session's settings say, as a job.

    Args:
        listed: tricks that those which are wanted are among, with their stars and the detector's confidence.

    Raises:
        UserError: the settings cannot go together, or the job cannot be put into the queue.
    """
    known = {trick.kept: trick for trick in listed}
    arguments = {
        "session": session_id,
        "events": [
            [event.start_frame, event.end_frame, event.label, known[event].confidence if event in known else None]
            for event in wanted
        ],
        "stars": [known[event].stars if event in known else 0 for event in wanted],
        "settings": workspace.settings(session_id).export().model_dump(mode="json"),
    }
    jobs.submit(workspace, "export", arguments, session_id)


def plan_of(kept: Interval, plans: Sequence[ClipPlan]) -> int | None:
    """Which clip a trick comes into; None for none of them."""
    return next((number for number, plan in enumerate(plans) if kept in plan.events), None)


def picked_trick(kept: Memory, listed: Sequence[Trick]) -> Trick | None:
    """The trick that was picked, in its place what is most like it now, or else the likeliest of all."""
    wish = kept.picked
    if wish is not None:
        best = max(listed, key=lambda trick: max(trick.found.iou(wish), trick.kept.iou(wish)), default=None)
        if best and max(best.found.iou(wish), best.kept.iou(wish)) > 0:
            return best
    return max(listed, key=lambda trick: (trick.confidence or 0.0, -trick.found.start_frame), default=None)


def below_threshold(doubted: Sequence[Candidate], made: Sequence[Review], listed: Sequence[Trick]) -> list[Trick]:
    """What only a lower threshold finds, with what was decided on it, without what is on the list for another reason:
    because it was kept, or labelled by a person. An export takes nothing of it until it is kept, which puts it there.

    Args:
        doubted: of :func:`core.uncertain.candidates`.

    Returns:
        Some of the ``MOST_BELOW`` most uncertain, in this order.
    """
    below = [one.event for one in doubted if not one.found][:MOST_BELOW]
    places = [Interval(event.start_frame, event.end_frame, event.label) for event in below]
    return [
        Trick(place, review, event.confidence)
        for event, place, review in zip(below, places, matched(places, made), strict=True)
        if not any(nested(place, trick.found) or nested(place, trick.kept) for trick in listed)
    ]


def _set_bounds(
    workspace: Workspace, kept: Memory, trick: Trick, bounds: tuple[int, int], verdict: Verdict | None = None
) -> bool:
    try:
        decided = decide(workspace, kept.session, [Decision(trick.found, verdict, kept=bounds)], by(""))
    except UserError as error:
        kept.error = str(error)
        return False
    _note(kept, decided.notes)
    return True


def _note(kept: Memory, notes: tuple[str, ...]) -> None:
    kept.notes = notes
    kept.noted += 1
