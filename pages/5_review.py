"""Keep or reject each found trick, see the very clip, export them all."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import streamlit as st

from core import previews
from core.clips import ClipPlan, plan_clips
from core.events import Sampled
from core.explain import Why
from core.records import LabelRevision, Session
from core.reviews import reviews
from core.settings import SessionSettings
from core.sighting import Look
from core.tricks import Trick, chosen, tricks
from core.uncertain import candidates
from pages.widgets import review
from pages.widgets.cards import Card, Shown, cards, inside_s, make_card
from pages.widgets.clip_panel import clip_knobs, draw_clip, plan_for
from pages.widgets.detectors import STARTER, detector_of
from pages.widgets.export_panel import export_bar
from pages.widgets.exports import exports
from pages.widgets.footage import curves, describe, explained, found, seen
from pages.widgets.framing import framing_desk
from pages.widgets.media import footage_url, open_workspace, publish_parts
from pages.widgets.plain_text import escaped
from pages.widgets.review import Memory
from pages.widgets.session_bar import not_processed, session_bar
from pages.widgets.workbench import Label, Show, WorkbenchState, workbench

_CARDS = "review"
_BENCH = "review_bench"
_CSS = Path(__file__).parent / "widgets" / "cards" / "review.css"


def whys(
    listed: Sequence[Trick],
    below: Sequence[Trick],
    session: Session,
    look: Look,
    settings: SessionSettings,
    labels: LabelRevision | None,
) -> list[str]:
    """A sentence on each trick, those below the threshold last."""
    of_found = _sentences(explained(session, look, settings, None))
    of_missed: dict[tuple[int, int], str] = {}
    true = labels.intervals if labels and any(trick.by_hand for trick in listed) else ()
    if true or below:
        of_missed = _sentences(explained(session, look, settings, [*true, *(trick.found for trick in below)]))
    said = []
    for trick in listed:
        place = trick.found.start_frame, trick.found.end_frame
        if trick.by_hand:
            said.append(f"You labelled it. {of_missed.get(place, '')}".strip())
        elif trick.confidence is None:
            said.append("You kept it before. The present settings do not find it; it is exported all the same.")
        else:
            said.append(of_found[place])
    return said + [of_missed.get((trick.found.start_frame, trick.found.end_frame), "") for trick in below]


def _sentences(whys: Sequence[Why]) -> dict[tuple[int, int], str]:
    """By first and last frame."""
    return {(why.interval.start_frame, why.interval.end_frame): why.sentence for why in whys}


def clip_words(trick: Trick, plans: Sequence[ClipPlan]) -> str:
    """Which clip a trick comes into, in a few words."""
    number = review.plan_of(trick.kept, plans)
    if number is None:
        return "in no clip"
    return f"clip {number + 1} of {len(plans)}"


def draw_cards(kept: Memory, session: Session, look: Look, made: Sequence[Card], picked: Card) -> None:
    """The grid, and what its messages do."""
    workspace, video = open_workspace(), look.video

    def sent(name: str) -> object:
        return (st.session_state.get(_CARDS) or {}).get(name)

    cards(
        _CARDS,
        Shown(
            session.id,
            footage_url(session.id),
            publish_parts(f"stills {session.id}", lambda n: previews.still(video, workspace, session.id, n)),
            inside_s(video),
            made,
            kept.ack,
            picked.id,
            (kept.noted, " ".join(kept.notes)) if kept.notes else None,
            kept.focus,
        ),
        on_decisions=lambda: review.take_decisions(workspace, kept, sent("decisions")),
        on_picked=lambda: review.pick(kept, sent("picked")),
        on_undo=lambda: review.take_back(workspace, kept),
    )


def draw_side(
    kept: Memory,
    session: Session,
    look: Look,
    trick: Trick,
    card: Card,
    plans: Sequence[ClipPlan],
    settings: SessionSettings,
) -> None:
    """The chosen card: its clip, why it was found, its bounds."""
    st.subheader(card.at, anchor=False)
    draw_clip(session, look, trick, plans, settings)
    st.text(card.why)
    with st.container(horizontal=True):
        st.button(
            "Adjust",
            icon=":material/tune:",
            key="review_adjust",
            on_click=review.begin_adjusting,
            args=(kept, trick.found),
        )
        st.button(
            "Framing",
            icon=":material/crop:",
            key="review_framing",
            on_click=review.begin_framing,
            args=(kept, trick.found),
        )
        if trick.review and trick.review.adjusted:
            st.button(
                "As found",
                icon=":material/undo:",
                key="review_as_found",
                help=f"Back to frames {trick.found.start_frame} to {trick.found.end_frame}.",
                on_click=review.as_found,
                args=(open_workspace(), kept, trick),
            )
    with st.expander("Clip settings", icon=":material/movie_edit:"):
        clip_knobs(session, settings)
    for note in kept.notes:
        st.warning(escaped(note), icon=":material/info:")
    if kept.error:
        st.error(escaped(kept.error))


def draw_adjusting(
    kept: Memory, session: Session, look: Look, trick: Trick, card: Card, probability: pd.Series
) -> None:
    """The workbench, with this trick alone to edit."""
    assert kept.adjusting
    workspace = open_workspace()
    with st.container(horizontal=True, vertical_alignment="center"):
        st.subheader(f"Adjust {card.at}", anchor=False, width="content")
        st.text(
            f"Found at f {trick.found.start_frame}–{trick.found.end_frame}. Drag an edge, or go to a frame and press I "
            "for the first or O for the last. Saved at once.",
            width="stretch",
        )
        st.button(
            "As found",
            icon=":material/undo:",
            key="review_as_found",
            disabled=not (trick.review and trick.review.adjusted),
            on_click=review.as_found,
            args=(workspace, kept, trick),
        )
        st.button("Done", type="primary", key="review_done", on_click=review.end_editing, args=(kept, card.id))
    if kept.error:
        st.error(escaped(kept.error))

    def edited() -> None:
        review.adjust(workspace, kept, trick, WorkbenchState.of(_BENCH).edit, look.video.n_frames, keep=card.below)

    workbench(
        _BENCH,
        describe(session, look),
        session=f"{session.id} review {card.id}",
        document=kept.adjusting.document(trick.kept),
        editable=True,
        curves=curves(look, probability),
        labels=[Label(trick.found.label, "#2DD4BF", "1")],
        show=Show(kept.adjusting.serial, trick.kept.start_frame, trick.kept.end_frame),
        on_edit=edited,
    )


def draw_framing(
    kept: Memory,
    session: Session,
    look: Look,
    trick: Trick,
    card: Card,
    plans: Sequence[ClipPlan],
    settings: SessionSettings,
) -> None:
    """The crop of the clip that this trick comes into, to be led by hand."""
    assert kept.framing is not None
    with st.container(horizontal=True, vertical_alignment="center"):
        st.subheader(f"Framing {card.at}", anchor=False, width="content")
        st.text(f"{clip_words(trick, plans).capitalize()}. Saved at once.", width="stretch")
        st.button("Done", type="primary", key="review_done", on_click=review.end_editing, args=(kept, card.id))
    framing_desk(session, look, plan_for(trick, look.video, plans, settings.clips), settings, kept.framing)


def nothing_found() -> None:
    """What to do where there is nothing to review."""
    with st.container(key="review_nothing", border=True):
        st.subheader("No tricks were found", anchor=False)
        st.write("A lower threshold finds more; the Train page shows what it would find. Or mark the tricks by hand.")
        with st.container(horizontal=True):
            st.page_link("pages/4_train.py", label="Lower the threshold", icon=":material/model_training:")
            st.page_link("pages/3_label.py", label="Mark tricks by hand", icon=":material/label:")


session = session_bar("Review")
if session is None:
    st.stop()
workspace = open_workspace()
settings = workspace.settings(session.id)
look = seen(session, settings.guardrails)
if look is None:
    not_processed(session)
    st.stop()
st.html(_CSS)
kept = review.memory(session.id)
events, probability = found(session, look, settings)
labels = workspace.labels(session.id)
made = reviews(workspace, session.id)
truth = labels.intervals if labels else ()
listed = tricks(events, made, truth)
doubted = candidates(
    Sampled(
        probability.index.to_numpy(),
        look.signals.table["time_s"].to_numpy(),
        probability.to_numpy(),
        len(look.video.pts_s),
    ),
    settings.events or detector_of(settings.model or STARTER).events,
)
below = review.below_threshold(doubted, made, listed)
picked = review.picked_trick(kept, [*listed, *below])
if picked is None:
    nothing_found()
    exports(session, kept)
    st.stop()
wanted = chosen(listed, kept.min_stars)
plans = plan_clips(wanted, look.video, settings.clips)
doubts = {(one.event.start_frame, one.event.end_frame): one.doubt for one in doubted}
shown = [*listed, *below]
made_cards = [
    make_card(
        trick,
        look.video,
        settings.clips,
        previews.best_frame(trick.kept, probability),
        clip_words(trick, plans),
        sentence,
        doubts.get((trick.found.start_frame, trick.found.end_frame)),
        below=number >= len(listed),
    )
    for number, (trick, sentence) in enumerate(
        zip(shown, whys(listed, below, session, look, settings, labels), strict=True)
    )
]
card = made_cards[shown.index(picked)]
if kept.adjusting:
    draw_adjusting(kept, session, look, picked, card, probability)
    st.stop()
if kept.framing is not None:
    draw_framing(kept, session, look, picked, card, plans, settings)
    st.stop()
grid, side = st.columns([3, 2], gap="medium")
with grid:
    draw_cards(kept, session, look, made_cards, card)
with side.container(key="review_side"):
    draw_side(kept, session, look, picked, card, plans, settings)
export_bar(kept, session, look.video, settings, wanted, listed, plans, below=bool(below))
exports(session, kept)
