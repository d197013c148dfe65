"""Clips beside each other, each looping over its own moment as long as it is in view."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import streamlit as st

from core.errors import UserError
from core.footage_folder import VIDEO_TYPES
from core.recognize.samples import ClipSample
from pages.widgets.media import file_url, footage_url, open_workspace
from pages.widgets.recognize import opened

PER_PAGE = 12
"""More videos at once make a browser stumble."""
_FOLDER = Path(__file__).with_name("clips")

_component = st.components.v2.component(
    "trickline_clips",
    html='<div class="clips" role="list"></div>',
    css=(_FOLDER / "clips.css").read_text(encoding="utf-8"),
    js=(_FOLDER / "clips.js").read_text(encoding="utf-8"),
)


@dataclass(frozen=True)
class Tile:
    """One clip, as the browser shows it."""

    src: str
    """Empty where there is nothing to play."""
    from_s: float
    to_s: float | None
    """None plays to the end."""
    title: str
    text: str


@dataclass(frozen=True)
class Moment:
    """A clip to be shown."""

    path: Path
    start_frame: int
    end_frame: int | None
    title: str
    text: str


def moments_of(samples: Sequence[ClipSample]) -> list[Moment]:
    """Samples with their labels as titles and the names of their files."""
    return [Moment(one.path, one.start_frame, one.end_frame, one.label, one.path.name) for one in samples]


def clips(key: str, moments: Sequence[Moment]) -> None:
    """Draw clips, a page at a time."""
    pages = -(-len(moments) // PER_PAGE)
    number = 1
    if pages > 1:
        number = st.selectbox(
            "Clips",
            range(1, pages + 1),
            key=f"{key}_page",
            format_func=lambda one: (
                f"{PER_PAGE * (one - 1) + 1} to {min(PER_PAGE * one, len(moments))} of {len(moments)}"
            ),
            width=200,
        )
    shown = moments[PER_PAGE * (number - 1) : PER_PAGE * number]
    sessions = {session.path: session.id for session in open_workspace().sessions()}
    tiles = [_tile(moment, sessions.get(moment.path)) for moment in shown]
    with st.container(key=f"{key}_clips"):
        _component(key=key, data={"clips": [asdict(tile) for tile in tiles]}, height="content")


def _tile(moment: Moment, session_id: str | None) -> Tile:
    # A list of clips may come from outside: nothing but videos is handed to the browser.
    if moment.path.suffix.lower() not in VIDEO_TYPES or not moment.path.is_file():
        return Tile("", 0.0, None, moment.title, f"{moment.path.name} is not there any more.")
    from_s, to_s = 0.0, None
    if moment.start_frame or moment.end_frame is not None:
        try:
            video = opened(moment.path, moment.path.stat().st_mtime_ns)
        except UserError as error:
            return Tile("", 0.0, None, moment.title, str(error))
        last = video.n_frames - 1
        from_s = float(video.pts_s[min(moment.start_frame, last)])
        to_s = video.end_of(last if moment.end_frame is None else min(moment.end_frame, last))
    src = footage_url(session_id) if session_id else file_url(moment.path)
    return Tile(src, from_s, to_s, moment.title, moment.text)
