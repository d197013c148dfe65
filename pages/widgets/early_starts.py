"""How much sooner than wanted the clips of a fast cut begin: known before anything is cut."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from core.clips import ClipPlan, fast_start
from core.records import Session
from core.video import Video
from pages.widgets.plain_text import count

_SAME_S = 0.001


def early_s(session: Session, video: Video, plan: ClipPlan) -> float:
    """Seconds from where a fast clip begins to where the plan does; 0 where that is the same frame.

    Raises:
        UserError: as :func:`core.clips.fast_start`.
    """
    early = plan.start_s - _start_s((session.id, plan.start_frame), video, plan)
    return early if early > _SAME_S else 0.0


def early_words(session: Session, video: Video, plans: Sequence[ClipPlan]) -> str:
    """A sentence on all clips of a fast cut; empty if all begin where they are to.

    Raises:
        UserError: as :func:`early_s`.
    """
    early = [some for plan in plans if (some := early_s(session, video, plan))]
    if not early:
        return ""
    begin = "begins" if len(early) == 1 else "begin"
    return f"{len(early)} of {count(len(plans), 'clip')} {begin} up to {max(early):.1f} s early, at a keyframe."


@st.cache_data(max_entries=4096, show_spinner=False)
def _start_s(key: tuple[str, int], _video: Video, _plan: ClipPlan) -> float:
    return fast_start(_video, _plan)[1]
