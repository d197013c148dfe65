"""The framing desk: the crop of one clip, seen over the whole picture and led by hand.

    >>> framing_desk(session, look, plan, settings, serial)                                # doctest: +SKIP

The browser sends all keyframes of the clip each time, with who edits and how many edits he has made; see
:mod:`pages.widgets.editor`. They take the place of the session's keyframes in this clip, and the path that
:mod:`core.framing` makes of them goes back.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from threading import RLock
from typing import Any, NamedTuple

import numpy as np
import streamlit as st

from core.clips import ClipPlan
from core.errors import UserError
from core.framing import Aspect, Keyframe
from core.framing.crop import CropPath
from core.framing.session import clip_path
from core.records import Session
from core.settings import FramingSettings, SessionSettings
from core.sighting import Look
from core.video import Video
from core.workspace import Workspace
from pages.widgets import review
from pages.widgets.footage import bodies, describe
from pages.widgets.media import footage_url, open_workspace, publish
from pages.widgets.plain_text import escaped
from pages.widgets.workbench import Footage, Framing, Show, Span, WorkbenchState, workbench

SHAPES: dict[Aspect, str] = {
    "source": ":material/crop_original: Source",
    "9:16": ":material/crop_9_16: 9:16",
    "4:5": ":material/crop_portrait: 4:5",
    "1:1": ":material/crop_square: 1:1",
}
_BENCH = "framing_bench"
_SHAPE = "framing_shape"
_DESK = "framing_desk"
_BELOW_PX = 24


class Shown(NamedTuple):
    """The keyframes of a clip, as the browser is told."""

    keyframes: tuple[Keyframe, ...]
    revision: int
    ack: tuple[str, int] | None


@dataclass
class Desk:
    """What this tab knows of the editing of one clip."""

    session: str
    start_frame: int
    end_frame: int
    revision: int = field(default_factory=lambda: time.time_ns() // 1_000_000)
    """Higher whenever the keyframes are others, also after a restart of the server, which forgets the desk."""
    items: tuple[Keyframe, ...] = ()
    """As the browser was told last."""
    ack: tuple[str, int] | None = None
    """Editor and number of the last edit that was taken."""
    taken: dict[str, int] = field(default_factory=dict)
    """By editor, the number of his last edit that was taken."""
    error: str | None = None
    lock: Any = field(default_factory=RLock, repr=False, compare=False)
    """Streamlit runs the callbacks of two quick edits in two threads at once."""

    def holds(self, frame: int) -> bool:
        return self.start_frame <= frame <= self.end_frame

    def show(self, workspace: Workspace) -> tuple[FramingSettings, Shown]:
        """The session's framing, and those of its keyframes that lie in this clip, as the browser is told now."""
        with self.lock:
            framing = workspace.settings(self.session).framing
            here = tuple(key for key in framing.keyframes if self.holds(key.frame))
            if here != self.items:
                self.items = here
                self.revision += 1
            return framing, Shown(here, self.revision, self.ack)


def framing_desk(session: Session, look: Look | None, plan: ClipPlan, settings: SessionSettings, serial: int) -> None:
    """Draw the desk: the choice of the shape, and the workbench with the crop of one clip. All of it is saved in the
    session's settings at once.

    Args:
        look: None where nobody has looked at the video; the crop stays in the middle then, and keyframes still lead it.
        settings: as the page has them; the framing is the one that is saved by now.
        serial: a new one brings the workbench to the beginning of the clip, which then loops.
    """
    workspace, desk = open_workspace(), _desk(session.id, plan)
    framing, shown = desk.show(workspace)
    video = look.video if look else _video(str(session.path))
    path = clip_path(bodies(look, settings) if look else None, video, plan, framing)
    st.session_state[_SHAPE] = framing.aspect  # each time, so that it follows the settings
    with st.container(key="framing_row", horizontal=True, vertical_alignment="center"):
        st.segmented_control(
            "Shape",
            list(SHAPES),
            format_func=SHAPES.__getitem__,
            required=True,
            key=_SHAPE,
            label_visibility="collapsed",
            on_change=lambda: save_framing(workspace, session.id, aspect=st.session_state[_SHAPE]),
        )
        with st.container(key="framing_notes", gap=None):
            _notes(desk, path, settings)

    def edited() -> None:
        take_keyframes(workspace, desk, WorkbenchState.of(_BENCH).framing)

    workbench(
        _BENCH,
        describe(session, look) if look else _unseen(session, video),
        session=f"{session.id} framing {plan.start_frame}-{plan.end_frame}",
        found=[Span(event.start_frame, min(event.end_frame, video.n_frames - 1), event.label) for event in plan.events],
        framing=_framing(path, shown) if path else None,
        show=Show(serial, plan.start_frame, plan.end_frame, loop=True),
        below=_BELOW_PX,
        on_framing=edited,
    )


def _notes(desk: Desk, path: CropPath | None, settings: SessionSettings) -> None:
    """What to know about the crop, in sentences, and what is in its way."""
    if path is None:
        st.caption("The clip shows the whole picture. Choose a shape, and the crop follows the skater.")
        return
    for note in path.notes:
        st.caption(f":material/warning: {escaped(note)}")
    if not path.notes:
        st.caption("The crop follows the skater. Drag it where it should be otherwise: that sets a keyframe.")
    if settings.clips.mode == "fast":
        with st.container(key="framing_fast", horizontal=True, vertical_alignment="center"):
            st.caption(":material/warning: A fast clip is a copy and cannot be cropped.", width="content")
            st.button(
                "Cut exactly",
                key="framing_exact",
                type="tertiary",
                on_click=review.save,
                args=(open_workspace(), desk.session, "clips"),
                kwargs={"mode": "exact"},
            )
    if desk.error:
        st.error(escaped(desk.error))


def save_framing(workspace: Workspace, session_id: str, **changed: object) -> None:
    """Keep a changed framing for the session; everything else that was chosen stays.

    Raises:
        UserError: there is no such session.
    """
    settings = workspace.settings(session_id)
    framing = settings.framing.model_copy(update=changed)
    workspace.save_settings(session_id, settings.model_copy(update={"framing": framing}), settings)


def take_keyframes(workspace: Workspace, desk: Desk, edit: Mapping[str, Any] | None) -> None:
    """The workbench sent the keyframes of the clip; those of other clips stay. An edit that was taken before is passed
    over, so that it may come any number of times; one that makes no sense is told to the user and changes nothing.

    Args:
        edit: as the browser sent it; nothing in it is believed.
    """
    if not edit:
        return
    with desk.lock:
        desk.error = None
        editor, seq = edit.get("editor"), edit.get("seq")
        if not isinstance(editor, str) or not isinstance(seq, int) or not 0 < len(editor) <= 100:
            return
        if seq <= desk.taken.get(editor, 0):
            return
        try:
            sent = _checked(edit.get("items"), desk)
            others = (key for key in workspace.settings(desk.session).framing.keyframes if not desk.holds(key.frame))
            save_framing(workspace, desk.session, keyframes=tuple(sorted([*others, *sent], key=lambda key: key.frame)))
        except UserError as error:
            desk.error = str(error)
            return
        desk.taken[editor] = seq
        desk.ack = editor, seq


def _checked(items: object, desk: Desk) -> list[Keyframe]:
    """The keyframes of an edit."""
    wrong = UserError("The page sent keyframes that are not understood; nothing was saved: reload the page.")
    if not isinstance(items, list) or len(items) > desk.end_frame - desk.start_frame + 1:
        raise wrong
    try:
        # JavaScript has only one kind of number.
        made = [Keyframe(int(frame), float(x), float(y), float(zoom)) for frame, x, y, zoom in items]
    except (TypeError, ValueError, OverflowError):
        raise wrong from None
    if len({key.frame for key in made}) < len(made) or not all(desk.holds(key.frame) for key in made):
        raise wrong
    return made


def _desk(session_id: str, plan: ClipPlan) -> Desk:
    """Of this clip; that of another one is forgotten."""
    kept = st.session_state.get(_DESK)
    place = session_id, plan.start_frame, plan.end_frame
    if kept is None or (kept.session, kept.start_frame, kept.end_frame) != place:
        kept = st.session_state[_DESK] = Desk(*place)
    return kept


def _framing(path: CropPath, shown: Shown) -> Framing:
    (across, down), (width, height) = path.window, path.picture
    shares = np.stack([path.x, path.y, path.width, path.height], axis=1) / [width, height, width, height]
    return Framing(
        int(path.frame[0]),
        int(path.frame[-1]),
        (across / width, down / height),
        publish(shares.astype("<f4").tobytes()),
        *shown,
    )


@st.cache_resource(max_entries=4, show_spinner=False)
def _video(path: str) -> Video:
    return Video.open(path)


def _unseen(session: Session, video: Video) -> Footage:
    """A video that nobody has looked at, for the workbench."""
    info = video.info
    return Footage(
        src=footage_url(session.id),
        times_url=publish(video.pts_s.astype("<f8").tobytes()),
        n_frames=video.n_frames,
        duration_s=info.duration_s,
        rate=float(Fraction(info.average_rate)),
        width=info.width,
        height=info.height,
    )
