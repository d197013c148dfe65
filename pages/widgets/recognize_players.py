"""Who is to be followed, and what each player does: a lane each, the annotated video, and files."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import streamlit as st

from core.intervals import Interval
from core.jobs import Job
from core.label_palette import palette
from core.recognize.naming import DrawnBox
from core.recognize.windows import LENGTH, LONGEST
from core.records import Session
from core.sighting import Look
from pages.widgets.follow import show_value
from pages.widgets.footage import describe
from pages.widgets.media import file_url, open_workspace
from pages.widgets.plain_text import count, escaped
from pages.widgets.recognize import kept_choice
from pages.widgets.recognize_still import box_still, sent_box
from pages.widgets.workbench import Label, workbench

_BELOW_PX = 120
_EVERYBODY, _ONE = "Everybody", "One player"
_BOX = "recognize_box"
_DRAWN = "recognize_drawn"
_WINDOW = "recognize_window"


@dataclass(frozen=True)
class Wish:
    """Whose windows are to be named, and how long they are."""

    one: bool
    """Whether only one player is followed."""
    drawn: DrawnBox | None
    """The box round him, once it is there."""
    window: int
    """Frames."""

    @property
    def ready(self) -> bool:
        """Whether naming can begin."""
        return self.drawn is not None or not self.one

    @property
    def button(self) -> str:
        """What the button that begins says."""
        return "Name this player" if self.one else "Name the players"

    def arguments(self) -> dict[str, Any]:
        """What the job is told, see :func:`core.tasks.name`."""
        box = self.drawn if self.one else None
        return {"drawn": [box.frame, *box.box] if box else None, "window": self.window}


def player_wish(session: Session) -> Wish:
    """The choice of whom to follow: everybody, or the one round whom a box is drawn."""
    who = kept_choice(
        "Who", (_EVERYBODY, _ONE), "recognize_who", help="All who are in view, or the one you draw a box round."
    )
    show_value("recognize_window_input", st.session_state.get(_WINDOW, LENGTH))
    st.number_input(
        "Window (frames)",
        2,
        LONGEST,
        step=1,
        key="recognize_window_input",
        help="So many frames are named at a time. As long as the clips that the recognizer learnt from is best.",
        on_change=lambda: st.session_state.update({_WINDOW: st.session_state["recognize_window_input"]}),
        width=170,
    )
    return Wish(who == _ONE, _boxes().get(session.id), int(st.session_state.get(_WINDOW, LENGTH)))


def draw_box(session: Session, look: Look, unfolded: bool) -> None:
    """The video, to draw the box round the one player.

    Args:
        unfolded: whether it is to be seen at first.
    """

    def take() -> None:
        if sent := sent_box(_BOX, session.id, look.video.n_frames):
            (_boxes()[session.id],) = sent

    with st.expander("The box round the player", expanded=unfolded, icon=":material/select:"):
        box_still(_BOX, describe(session, look), session.id, _boxes().get(session.id), on_mark=take)


def _boxes() -> dict[str, DrawnBox | None]:
    """By session, what was drawn while the tab is open."""
    boxes: dict[str, DrawnBox | None] = st.session_state.setdefault(_DRAWN, {})
    return boxes


def player_results(session: Session, look: Look, job: Job) -> None:
    """What was named.

    Args:
        job: a naming of players that is done.
    """
    named: dict[str, Any] = job.result or {}
    last = look.video.n_frames - 1
    lanes = {
        f"Player {player}": [Interval(start, end, label) for start, end, label, _ in lane if end <= last]
        for player, lane in named.get("lanes", {}).items()
    }
    labels = sorted({one.label for lane in lanes.values() for one in lane})
    st.text(" · ".join([_who(job, len(lanes)), *([", ".join(labels)] if labels else ["nothing was named"])]))
    for note in named.get("notes", ()):
        # The command's name for it; the page has a field.
        st.caption(escaped(note.replace("--window ", "a window of ").replace("--window", "window")))
    workbench(
        "recognize_players",
        describe(session, look),
        session=f"{session.id} players",
        layers=lanes,
        labels=[
            Label(style.name, style.colour, style.key)
            for style in palette(open_workspace().home, labels)
            if style.name in labels
        ],
        below=_BELOW_PX,
    )
    _files(session, named)


def _who(job: Job, players: int) -> str:
    """Whom a naming followed."""
    drawn = job.arguments.get("drawn")
    return f"The player in the box of frame {int(drawn[0])}" if drawn else count(players, "player")


def _files(session: Session, named: dict[str, Any]) -> None:
    """The video with the names over the players, and the tables."""
    there = [path for path in map(Path, named.get("files", [])) if path.is_file()]
    film = next((path for path in there if path.suffix == ".mp4"), None)
    with st.container(key="recognize_film", border=True):
        if film:
            st.html(f'<video src="{file_url(film)}" controls playsinline preload="metadata"></video>')
        else:
            st.caption("The annotated video is not there any more: name the players again.")
        with st.container(horizontal=True, vertical_alignment="center"):
            for path in there:
                words = "Annotated video" if path == film else "Table (CSV)"
                st.link_button(words, file_url(path, path.name), icon=":material/download:")
            st.download_button(
                "JSON",
                json.dumps({key: named[key] for key in ("video", "players") if key in named}, indent=1),
                f"{session.name} players.json",
                "application/json",
                icon=":material/download:",
                on_click="ignore",
            )
