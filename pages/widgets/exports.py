"""The clips that were exported: how far the last export is, and its clips to be downloaded."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from core import jobs
from core.jobs import Job
from core.records import Session
from core.timecode import clock
from pages.widgets.jobs import follow
from pages.widgets.media import file_url, open_workspace, zip_url


def exports(session: Session) -> None:
    """The last export: how far it is, or its clips."""
    workspace = open_workspace()
    last = next((job for job in jobs.jobs(workspace, session.id) if job.kind == "export"), None)
    if last is None:
        return
    with st.container(key="review_exports", border=True):
        job = follow(workspace, last.id, "review_export_job")
        if job.state == "done":
            _list_clips(session, job)


def _list_clips(session: Session, job: Job) -> None:
    """What an export wrote, to be downloaded."""
    written = [(Path(clip["path"]), clip["start_s"], clip["end_s"]) for clip in (job.result or {}).get("clips", [])]
    there = [clip for clip in written if clip[0].is_file()]
    if not there:
        st.caption("The clips of the last export are not there any more: export again.")
        return
    for number, (path, start_s, end_s) in enumerate(there):
        with st.container(horizontal=True, vertical_alignment="center", key=f"review_clip_{number}"):
            st.text(path.name, width="stretch")
            st.text(f"{clock(start_s)}–{clock(end_s)} · {path.stat().st_size / 1e6:.1f} MB", width="content")
            st.link_button(
                "Download", file_url(path, path.name), icon=":material/download:", key=f"review_get_{number}"
            )
    with st.container(horizontal=True, vertical_alignment="center"):
        st.text(f"Saved in {there[0][0].parent}", width="stretch")
        if len(there) > 1:
            paths = [path for path, _, _ in there]
            st.link_button(
                "Download all (zip)", zip_url(paths, f"{session.name} clips.zip"), icon=":material/folder_zip:"
            )
