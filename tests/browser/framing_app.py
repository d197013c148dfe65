"""The framing desk alone, on the one video of a workspace; with ``?options=nobody`` nobody has looked at it."""

from __future__ import annotations

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

if get_script_run_ctx(suppress_warning=True) is None:
    from pages.widgets.media_routes import MIDDLEWARE, ROUTES

    app = st.App(__file__, routes=ROUTES, middleware=MIDDLEWARE)
else:
    from core.clips import plan_clips
    from core.intervals import Interval
    from core.metrics import signals
    from core.pose.extract import Seconds
    from core.pose.table import CameraTable, PoseTable
    from core.settings import ClipSettings, GuardrailSettings
    from core.sighting import Look
    from core.video import Video
    from pages.widgets.framing import framing_desk
    from pages.widgets.media import open_workspace
    from pages.widgets.theme import apply_theme
    from tests.skater import filmed

    st.set_page_config(layout="wide")
    apply_theme()
    workspace = open_workspace()
    (session,) = workspace.sessions()
    video = Video.open(session.path)
    times = video.pts_s

    @st.cache_resource
    def look() -> Look:
        """Somebody who rolls to and fro and jumps once."""
        pose: PoseTable
        camera: CameraTable
        pose, camera = filmed(times[::2], [3.0], stride=2)
        measured = signals(pose, camera, video.info.width / video.info.height, GuardrailSettings())
        return Look(video, session.id, pose, camera, measured, "drawn", 2, (), Seconds())

    (plan,) = plan_clips([Interval(80, 100, "ollie")], video, ClipSettings(clip_padding_s=1.5))
    seen = None if "nobody" in st.query_params.get("options", "") else look()
    framing_desk(session, seen, plan, workspace.settings(session.id), 1)
