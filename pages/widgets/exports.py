"""What was exported: how far the last export is, and its files, to be watched and downloaded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

import streamlit as st

from core import jobs
from core.errors import UserError
from core.jobs import Job
from core.records import Session
from core.settings import ExportKind
from core.timecode import clock
from pages.widgets.jobs import follow
from pages.widgets.media import file_url, open_workspace, zip_url
from pages.widgets.plain_text import count, escaped
from pages.widgets.review import Memory

GROUPS: Mapping[str, Mapping[ExportKind, str]] = {
    "To watch": {"clips": "Clips", "reel": "Reel"},
    "For chats": {"gif": "GIF", "webp": "WebP"},
    "Pictures": {"poster": "Posters", "contact": "Contact sheet"},
    "Into the editor": {
        "otio": "OpenTimelineIO (OTIO)",
        "edl": "EDL (CMX 3600)",
        "fcpxml": "FCPXML (Final Cut)",
        "xmeml": "XMEML (Premiere, Resolve)",
        "llc": "LosslessCut",
        "chapters": "YouTube chapters",
        "ffmetadata": "Chapters for FFmpeg",
        "csv": "Table (CSV)",
    },
}
"""What can be exported, in people's words."""
_PLAYED = ("reel", "clips")
"""Kinds that are videos, the one that is shown first in front."""
_PICTURES = ("gif", "webp", "poster", "contact")
_OF_ONE_CLIP = ("clips", "gif", "webp", "poster")
_UNFOLDED = 10
"""So many files of a group are listed at first."""


def exports(session: Session, kept: Memory) -> None:
    """The last export: how far it is, or its files."""
    workspace = open_workspace()
    last = next((job for job in jobs.jobs(workspace, session.id) if job.kind == "export"), None)
    if last is None:
        return
    with st.container(key="review_exports", border=True):
        job = follow(workspace, last.id, "review_export_job")
        if job.state == "done":
            _files(session, job, kept)
        elif not job.active and "settings" in job.arguments:  # earlier versions queued other arguments
            _carry_on(session, job)


def _carry_on(session: Session, job: Job) -> None:
    if st.button(
        "Carry on", icon=":material/resume:", key="review_carry_on", help="The same again; what is finished stays."
    ):
        try:
            jobs.submit(open_workspace(), "export", job.arguments, session.id)
        except UserError as error:
            st.error(escaped(str(error)))
        else:
            st.rerun()


def _files(session: Session, job: Job, kept: Memory) -> None:
    """What an export wrote."""
    result = job.result or {}
    # What was exported before there were other kinds has no "files".
    listed = result.get("files") or [{"kind": "clips", **clip} for clip in result.get("clips", [])]
    written = [dict(file, path=Path(file["path"])) for file in listed]
    there = [file for file in written if file["path"].is_file()]
    if not there:
        st.caption("The files of the last export are not there any more: export again.")
        return
    if len(there) < len(written):
        st.caption(f"{count(len(written) - len(there), 'file')} not there any more: export again to make them anew.")
    videos = [file["path"] for kind in _PLAYED for file in there if file["kind"] == kind]
    listing = st.container()
    if videos:
        listing, player = st.columns([3, 2], gap="medium")
        with player:
            _player(videos, kept)
    with listing:
        for group, kinds in GROUPS.items():
            _group(group, [file for kind in kinds for file in there if file["kind"] == kind], kept)
        known = {kind for kinds in GROUPS.values() for kind in kinds}
        _group("For programs", [file for file in there if file["kind"] not in known], kept)
    notes = [note for note in result.get("notes", []) if isinstance(note, str)]
    if notes:
        with st.container(key="review_export_notes", gap="xxsmall"):
            for note in notes:
                st.caption(escaped(note))
    with st.container(horizontal=True, vertical_alignment="center"):
        st.text(f"Saved in {there[0]['path'].parent}", width="stretch")
        if len(there) > 1:
            paths = [file["path"] for file in there]
            url = zip_url(paths, f"{session.name} export.zip")
            st.link_button("Download all (zip)", url, icon=":material/folder_zip:")


def _player(videos: Sequence[Path], kept: Memory) -> None:
    """The chosen video, as large as fits; the browser knows its shape."""
    watched = next((path for path in videos if str(path) == kept.watched), videos[0])
    with st.container(key="review_watch"):
        st.html(f'<video src="{file_url(watched)}" controls loop playsinline preload="metadata"></video>')
        st.text(watched.name)


def _group(group: str, files: Sequence[Mapping[str, Any]], kept: Memory) -> None:
    """The files of a group, a line each."""
    if not files:
        return
    st.caption(group)
    whole = group in kept.unfolded or len(files) <= _UNFOLDED + 1
    with st.container(gap="xsmall"):
        for number, file in enumerate(files if whole else files[:_UNFOLDED]):
            _line(f"{group.split()[-1]}_{number}", file, kept)
    if not whole:

        def unfold() -> None:
            kept.unfolded |= {group}

        st.button(f"Show all {len(files)}", type="tertiary", key=f"review_all_{group}", on_click=unfold)


def _line(key: str, file: Mapping[str, Any], kept: Memory) -> None:
    path: Path = file["path"]
    size = path.stat().st_size
    facts = f"{size / 1e6:.1f} MB" if size >= 1e5 else f"{max(size / 1e3, 0.1):.1f} kB"
    if file["kind"] in _OF_ONE_CLIP:
        shown = clock(file["start_s"]) + ("" if file["kind"] == "poster" else f"–{clock(file['end_s'])}")
        facts = f"{shown} · {facts}"
    with st.container(horizontal=True, vertical_alignment="center", wrap=False, key=f"review_file_{key}"):
        if file["kind"] in _PICTURES:
            st.html(f'<img src="{file_url(path)}" alt="{escape(path.name)}" loading="lazy">', width="content")
        st.text(path.name, width="stretch")
        st.text(facts, width="content")
        if file["kind"] in _PLAYED:

            def watch() -> None:
                kept.watched = str(path)

            st.button("Watch", icon=":material/play_circle:", key=f"review_watch_{key}", on_click=watch)
        st.link_button("Download", file_url(path, path.name), icon=":material/download:", key=f"review_get_{key}")
