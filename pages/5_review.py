"""Keep or reject each found trick, see the very clip, export them all."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import streamlit as st
from streamlit_player import st_player

from core import previews
from core.clips import ClipPlan, plan_clips
from core.errors import UserError
from core.events import Sampled
from core.explain import Why
from core.intervals import Interval
from core.pipeline import Look
from core.previews import Background, Preview
from core.records import LabelRevision, Session
from core.reviews import reviews
from core.settings import ClipSettings, SessionSettings
from core.timecode import clock
from core.tricks import MAX_STARS, Trick, chosen, tricks
from core.uncertain import candidates
from core.video import Video
from pages.widgets import review
from pages.widgets.cards import Card, Shown, cards, inside_s, make_card
from pages.widgets.detectors import STARTER, detector_of
from pages.widgets.exports import exports
from pages.widgets.footage import curves, describe, explained, found, seen
from pages.widgets.media import file_url, footage_url, open_workspace, publish_parts
from pages.widgets.plain_text import count, escaped
from pages.widgets.review import Memory
from pages.widgets.session_bar import not_processed, session_bar
from pages.widgets.workbench import Label, Show, WorkbenchState, workbench

_CARDS = "review"
_BENCH = "review_bench"
_CSS = Path(__file__).parent / "widgets" / "cards" / "review.css"
_MODES = {
    "exact": "Encoded anew: holds these frames and no others. About a second for each clip.",
    "fast": "Copied as it is, at once: no loss, but it begins at the keyframe before.",
}
_POLL_S = 0.4
_MAX_PADDING_S = 10.0
_MAX_GAP_S = 30.0


@st.cache_resource(show_spinner=False)
def kitchen() -> Background[Preview]:
    """Where previews are made, one at a time for all tabs."""
    return Background()


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


def preview(session: Session, video: Video, plan: ClipPlan, clips: ClipSettings) -> Preview | None:
    """The small copy of a clip; None while it is being made."""
    path = previews.preview_path(open_workspace(), session.id, plan, clips.mode)
    return previews.read(path) or kitchen().ask(path, lambda: previews.make_preview(video, plan, clips.mode, path))


def await_preview(path: Path) -> None:
    """Draw the page anew once the preview is made, or has failed."""
    if not kitchen().busy(path):
        st.rerun()
    st.caption("Preparing the clip …")


def draw_clip(session: Session, video: Video, trick: Trick, plans: Sequence[ClipPlan], clips: ClipSettings) -> None:
    """The very clip that a trick comes into, looping."""
    number = review.plan_of(trick.kept, plans)
    plan = plans[number] if number is not None else plan_clips([trick.kept], video, clips)[0]
    with st.container(key="review_preview"):
        try:
            ready = preview(session, video, plan, clips)
        except UserError as error:
            st.error(escaped(str(error)))
            return
        if ready is None:
            path = previews.preview_path(open_workspace(), session.id, plan, clips.mode)
            st.fragment(await_preview, run_every=_POLL_S)(path)
        else:
            # The player knows a video by the end of its address, and stands still without a rate.
            url = f"{file_url(ready.path)}?{ready.path.name}"
            options = {"playing": True, "muted": True, "volume": 0.0, "loop": True, "playback_rate": 1}
            st_player(url, height="100vh", **options, key="review_player")  # as high as its frame, see review.css
    shown = ready or plan
    where = f"Clip {number + 1} of {len(plans)}" if number is not None else "In no clip: it is left out"
    st.text(
        f"{where} · {count(len(plan.events), 'trick')} · {clock(shown.start_s)}–{clock(shown.end_s)} "
        f"(f {shown.start_frame}–{shown.end_frame}) · {clock(shown.end_s - shown.start_s)}"
    )
    if ready and ready.wanted_start_s - ready.start_s > 0.001:
        st.caption(
            f"A fast cut begins at the keyframe {ready.wanted_start_s - ready.start_s:.2f} s before; "
            "the exact mode begins where you want it."
        )


def draw_side(
    kept: Memory,
    session: Session,
    video: Video,
    trick: Trick,
    card: Card,
    plans: Sequence[ClipPlan],
    clips: ClipSettings,
) -> None:
    """The chosen card: its clip, why it was found, its bounds."""
    st.subheader(card.at, anchor=False)
    draw_clip(session, video, trick, plans, clips)
    st.text(card.why)
    with st.container(horizontal=True):
        st.button(
            "Adjust",
            icon=":material/tune:",
            key="review_adjust",
            on_click=review.begin_adjusting,
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
        clip_knobs(session, clips)
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
        st.button("Done", type="primary", key="review_done", on_click=review.end_adjusting, args=(kept, card.id))
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


def clip_knobs(session: Session, clips: ClipSettings) -> None:
    """What decides how the tricks become clips. The widgets follow the session's settings, and change them."""
    workspace = open_workspace()

    def changed(name: str) -> None:
        review.save_clips(workspace, session.id, **{name: st.session_state[f"review_{name}"]})

    for name, value in clips.model_dump().items():
        st.session_state[f"review_{name}"] = value  # each time: folded away, a widget forgets what it was told once
    st.slider(
        "Padding before and after, seconds",
        0.0,
        max(_MAX_PADDING_S, clips.clip_padding_s),
        step=0.1,
        key="review_clip_padding_s",
        on_change=changed,
        args=("clip_padding_s",),
    )
    st.slider(
        "Join tricks up to so many seconds apart",
        0.0,
        max(_MAX_GAP_S, clips.merge_gap_s),
        step=0.5,
        key="review_merge_gap_s",
        on_change=changed,
        args=("merge_gap_s",),
        help="They then share a clip. 0 gives each trick its own.",
    )
    st.radio(
        "Cut",
        list(_MODES),
        format_func=str.capitalize,
        captions=list(_MODES.values()),
        key="review_mode",
        on_change=changed,
        args=("mode",),
    )


def draw_bar(
    kept: Memory,
    session: Session,
    wanted: Sequence[Interval],
    plans: Sequence[ClipPlan],
    clips: ClipSettings,
    *,
    below: bool,
) -> None:
    """What an export would hold, and the button that starts it.

    Args:
        below: whether there is something that only a lower threshold finds.
    """
    total_s = sum(plan.end_s - plan.start_s for plan in plans)
    with st.container(key="review_bar", horizontal=True, vertical_alignment="center"):
        parts = [count(len(plans), "clip"), count(len(wanted), "trick"), clock(total_s), clips.mode]
        with st.container(gap=None):
            st.markdown(f"**{' · '.join(parts)}**")
            st.caption(
                "All that is not rejected; undecided tricks count as kept."
                + (" What was not found counts once it is kept." if below else "")
                if wanted
                else "Everything is left out: keep at least one trick, or ask for fewer stars."
            )
        kept.min_stars = st.selectbox(
            "Stars",
            range(MAX_STARS + 1),
            index=kept.min_stars,
            format_func=lambda stars: f"from {'★' * stars}" if stars else "any stars",
            key="review_min_stars",
            label_visibility="collapsed",
            width=150,
        )
        if st.button("Export", type="primary", icon=":material/movie:", key="review_export", disabled=not wanted):
            review.export(open_workspace(), session.id, wanted, clips)
            st.rerun()


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
    exports(session)
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
grid, side = st.columns([3, 2], gap="medium")
with grid:
    draw_cards(kept, session, look, made_cards, card)
with side.container(key="review_side"):
    draw_side(kept, session, look.video, picked, card, plans, settings.clips)
draw_bar(kept, session, wanted, plans, settings.clips, below=bool(below))
exports(session)
