"""Footage in: the sessions that are in the workspace, and how to add one."""

import streamlit as st

from core.workspace import Workspace

st.title("Trickline")
st.write("Footage in, tricks found, clips out.")

with Workspace.open() as workspace:
    sessions = workspace.sessions()
    tricks = {session.id: workspace.labels(session.id) for session in sessions}

if not sessions:
    st.info("Nothing here yet. Find the tricks in a video with `trickline run footage.mp4`, or try `make demo`.")
for session in sessions:
    labels = tricks[session.id]
    with st.container(border=True):
        st.subheader(session.name)
        length = f"{session.facts.get('duration_s', 0):.0f} s" if session.facts else "not looked at yet"
        st.caption(f"{length} · {len(labels.intervals) if labels else 0} labelled tricks · {session.path}")
