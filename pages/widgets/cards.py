"""The cards of the review page: found tricks that loop in the page, decided on by keys or mouse.

    >>> cards("review", shown, on_decisions=save, on_picked=show, on_undo=take_back)  # doctest: +SKIP

The browser shows a decision at once and sends what is not acknowledged yet, all of it each time: see ``cards.js``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeGuard, get_args

import streamlit as st

from core.clips import plan_clips
from core.intervals import Interval
from core.reviews import Decided, Decision, decide
from core.settings import ClipSettings
from core.timecode import clock
from core.tricks import MAX_STARS, Trick, Verdict
from core.video import Video
from core.workspace import Workspace
from pages.widgets.label_desk import by

_FOLDER = Path(__file__).with_name("cards")
_SCRIPTS = ("elements.js", "unsaved.js", "card.js", "view.js", "cards.js")
"""In this order they make one module."""

_HTML = """
<div class="cards">
  <div class="tools">
    <div class="filters" role="group" aria-label="Show"></div>
    <label>Sort by
      <select class="order">
        <option value="confidence">surest first</option><option value="uncertain">most uncertain first</option>
        <option value="time">in time</option><option value="stars">stars</option>
      </select>
    </label>
    <button type="button" class="undo quietly" aria-keyshortcuts="U">Undo</button>
    <button type="button" class="help quietly" aria-label="Keys" aria-keyshortcuts="?">?</button>
    <span class="late" role="status"></span>
  </div>
  <div class="grid" role="grid" aria-label="Tricks to review: K keeps, R rejects, question mark shows all keys"></div>
  <p class="none" hidden></p>
  <p class="told" role="status" aria-live="polite"></p>
  <dialog class="sheet" aria-label="Keys">
    <h2>Keys on the cards</h2>
    <dl>
      <dt><kbd>K</kbd></dt><dd>keep</dd>
      <dt><kbd>R</kbd></dt><dd>reject</dd>
      <dt><kbd>Backspace</kbd></dt><dd>undecided again</dd>
      <dt><kbd>1</kbd> to <kbd>5</kbd></dt><dd>stars; <kbd>0</kbd> takes them away</dd>
      <dt><kbd>E</kbd></dt><dd>edit where it begins and ends</dd>
      <dt><kbd>Enter</kbd></dt><dd>show the clip, large and with sound</dd>
      <dt><kbd>Space</kbd></dt><dd>play or pause</dd>
      <dt><kbd>←</kbd> <kbd>→</kbd> <kbd>↑</kbd> <kbd>↓</kbd></dt><dd>another card; <kbd>Home</kbd>, <kbd>End</kbd></dd>
      <dt><kbd>U</kbd> or <kbd>Ctrl</kbd> <kbd>Z</kbd></dt><dd>take the last decision back</dd>
      <dt><kbd>?</kbd></dt><dd>this sheet</dd>
    </dl>
    <label><input type="checkbox" class="advance"> Move on to the next card after K and R</label>
    <button type="button" class="quietly">Close</button>
  </dialog>
</div>
"""

_component = st.components.v2.component(
    "trickline_cards",
    html=_HTML,
    css=(_FOLDER / "cards.css").read_text(encoding="utf-8"),
    js="\n".join((_FOLDER / name).read_text(encoding="utf-8") for name in _SCRIPTS),
)


@dataclass(frozen=True)
class Card:
    """One trick, in words and numbers for the browser."""

    start: int
    """First and last frame as found: with the label they name the trick."""
    end: int
    label: str
    at: str
    """When, such as ``0:08.23–0:09.10``."""
    frames: str
    """Such as ``f 247–272``."""
    from_s: float
    """When the first frame of the loop is shown, seconds."""
    last_s: float
    """When its last frame is shown."""
    still: int
    """The frame that stands for it."""
    confidence: float | None
    origin: str
    """Where it comes from if it has no confidence, in two words."""
    verdict: Verdict
    stars: int
    clip: str
    """Which clip it comes into, such as ``clip 2 of 5``."""
    why: str
    """A sentence."""
    doubt: float | None = None
    """How far the confidence is from the threshold, in log-odds; None if it is not known."""
    below: bool = False
    """Whether only a lower threshold finds it: it is shown where the most uncertain come first, and nowhere else."""

    @property
    def id(self) -> str:
        """Names the trick in the browser."""
        return f"{self.start}-{self.end}-{self.label}"


@dataclass(frozen=True)
class Shown:
    """All that the component shows."""

    session: str
    """Its id."""
    src: str
    """URL of the footage."""
    stills: str
    """URL below which lies the JPEG of each frame, by its number."""
    inside_s: float
    """Added to a frame's time, it is safely within that frame."""
    cards: Sequence[Card]
    ack: tuple[str, int] | None = None
    """Editor and number of the last message that was taken."""
    picked: str | None = None
    """Id of the card whose clip is shown."""
    note: tuple[int, str] | None = None
    """Serial and text of a sentence for screen readers."""
    focus: tuple[int, str] | None = None
    """Serial and id of a card that is to have the focus, once for each serial."""


@dataclass(frozen=True)
class Taken:
    """What became of a message from the browser."""

    ack: tuple[str, int]
    decided: Decided | None
    """None if the message held no decision."""


def cards(
    key: str,
    shown: Shown,
    on_decisions: Callable[[], None],
    on_picked: Callable[[], None],
    on_undo: Callable[[], None],
) -> None:
    """Draw the cards.

    Args:
        key: where the component's state is: ``decisions`` for :func:`take`, ``picked`` (``start``, ``end``, ``label``
            and ``action``, "open" or "edit") and ``undo``, the latter two during their callback alone.
        shown: what is to be seen; the order is the browser's.
    """
    data = {
        "session": shown.session,
        "src": shown.src,
        "stills": shown.stills,
        "inside_s": shown.inside_s,
        "cards": [{**asdict(card), "id": card.id} for card in shown.cards],
        "ack": list(shown.ack) if shown.ack else None,
        "picked": shown.picked,
        "focus": {"serial": shown.focus[0], "id": shown.focus[1]} if shown.focus else None,
        "note": {"serial": shown.note[0], "text": shown.note[1]} if shown.note else None,
    }
    with st.container(key=f"{key}_cards"):  # keeps its place in the page, or the videos would be loaded anew
        _component(
            key=key,
            data=data,
            on_decisions_change=on_decisions,
            on_picked_change=on_picked,
            on_undo_change=on_undo,
        )


def take(workspace: Workspace, session_id: str, message: object) -> Taken | None:
    """Keep the decisions of a message from the browser; None if it is none.

    What is no decision is passed over: nobody can mend it, and it would be sent for ever.

    Raises:
        UserError: they cannot be kept; the browser sends them again.
    """
    if not isinstance(message, Mapping):
        return None
    editor, seq, sent = message.get("editor"), message.get("seq"), message.get("decisions")
    if not (isinstance(editor, str) and isinstance(seq, int) and isinstance(sent, Mapping)):
        return None
    decisions = [decision for value in sent.values() if (decision := _decision(value))]
    return Taken((editor, seq), decide(workspace, session_id, decisions, by("")) if decisions else None)


def make_card(
    trick: Trick,
    video: Video,
    settings: ClipSettings,
    still: int,
    clip: str,
    why: str,
    doubt: float | None = None,
    below: bool = False,
) -> Card:
    """The card of a trick: it loops what a clip of this trick alone would show.

    Args:
        still: the frame that stands for it.
        clip: which clip it comes into.
        why: a sentence on it.
        doubt: how far its confidence is from the threshold, in log-odds.
        below: whether only a lower threshold finds it.
    """
    (plan,) = plan_clips([trick.kept], video, settings)
    start_s, end_s = float(video.pts_s[trick.kept.start_frame]), video.end_of(trick.kept.end_frame)
    return Card(
        trick.found.start_frame,
        trick.found.end_frame,
        trick.found.label,
        f"{clock(start_s)}–{clock(end_s)}",
        f"f {trick.kept.start_frame}–{trick.kept.end_frame}",
        plan.start_s,
        float(video.pts_s[plan.end_frame]),
        still,
        trick.confidence,
        "by hand" if trick.by_hand else "not found now",
        trick.verdict,
        trick.stars,
        clip,
        why,
        doubt,
        below,
    )


def inside_s(video: Video) -> float:
    """What to add to the time of a frame so that a browser that seeks there shows this one and not the one before."""
    return min(0.004, 0.25 / float(video.info.average_rate))


def trimmed(items: object, kept: Interval, n_frames: int) -> tuple[int, int] | None:
    """The bounds that the workbench gave to the trick: those of the interval that is most like it.

    Args:
        items: a list of ``[start, end, label]`` from the browser.
        kept: as it was.

    Returns:
        First and last frame; None if there is no interval left.
    """
    sent = [
        Interval(min(start, n_frames - 1), min(end, n_frames - 1), kept.label)
        for start, end, _ in (item for item in _listed(items) if len(item) == 3)
        if _is_whole(start) and _is_whole(end) and 0 <= start <= end
    ]
    middle = kept.start_frame + kept.end_frame
    best = max(sent, key=lambda i: (i.iou(kept), -abs(i.start_frame + i.end_frame - middle)), default=None)
    return (best.start_frame, best.end_frame) if best else None


def _listed(value: object) -> list[list[Any]]:
    return [item for item in value if isinstance(item, list)] if isinstance(value, list) else []


def picked_interval(value: object) -> Interval | None:
    """The trick that the browser names by ``start``, ``end`` and ``label``; None if that is none."""
    if not isinstance(value, Mapping):
        return None
    start, end, label = value.get("start"), value.get("end"), value.get("label")
    if _is_whole(start) and _is_whole(end) and isinstance(label, str) and 0 <= start <= end:
        return Interval(start, end, label)
    return None


def _decision(value: Any) -> Decision | None:
    event = picked_interval(value)
    if event is None:
        return None
    verdict, stars = value.get("verdict"), value.get("stars")
    if verdict not in get_args(Verdict) or not (_is_whole(stars) and 0 <= stars <= MAX_STARS):
        return None
    return Decision(event, verdict, stars)


def _is_whole(value: object) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool)
