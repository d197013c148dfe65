"""What each player does: a lane each, the annotated video, and files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import streamlit as st

from core.intervals import Interval
from core.jobs import Job
from core.label_palette import palette
from core.pipeline import Look
from core.records import Session
from pages.widgets.footage import describe
from pages.widgets.media import file_url, open_workspace
from pages.widgets.plain_text import count
from pages.widgets.workbench import Label, workbench

_BELOW_PX = 120


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
    st.text(f"{count(len(lanes), 'player')} · {', '.join(labels)}")
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
