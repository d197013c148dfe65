"""Every revision of the labels: who, when, what changed, and the way back."""

from __future__ import annotations

from datetime import datetime

import streamlit as st

from core.labels.changes import changes
from pages.widgets.label_desk import Desk, say, tab_of
from pages.widgets.rows import Button, Line, table


def history_panel(desk: Desk) -> None:
    """The revisions, the newest first."""
    revisions = desk.workspace.label_history(desk.session.id, desk.layer)
    if not revisions:
        st.caption("Nothing was saved yet. Every change will be listed here, and can be taken back.")
        return
    before = [one.intervals for one in revisions[1:]] + [()]
    lines = [
        Line(
            (
                str(one.revision),
                _moment(one.saved_at),
                one.author or "–",
                one.source,
                str(changes(old, one.intervals, len(desk.pts_s))),
                str(len(one.intervals)),
            ),
            last=Button(
                "Restore",
                restore,
                (desk, one.revision),
                "Saves these labels as a new revision; nothing is lost",
                disabled=one.revision == revisions[0].revision,
            ),
        )
        for one, old in zip(revisions, before, strict=True)
    ]
    header = ("Revision", "Saved", "By", "From", "Changed", "Intervals", "")
    table("label_history", header, lines, (2, 3, 2, 4, 4, 2, 2))


def restore(desk: Desk, revision: int) -> None:
    """Save the labels of an old revision as a new one."""
    saved = desk.workspace.restore_labels(desk.session.id, revision, desk.author, desk.layer)
    tab_of(desk.session.id, desk.layer).made.add(saved.revision)
    say(f"Revision {revision} is back, as revision {saved.revision}.")


def _moment(saved_at: datetime) -> str:
    return f"{saved_at.astimezone():%Y-%m-%d %H:%M:%S}"
