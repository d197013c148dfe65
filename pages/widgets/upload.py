"""The drop area for footage: files of any size go to the workspace one after the other, with progress and cancel.

    >>> for video in uploader("footage"):                                    # doctest: +SKIP
    ...     workspace.session_for(video.path, name=video.name)

Streamlit's own uploader would hold every file in memory twice; labels and other short files go through it all the same.
"""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from core.footage_folder import VIDEO_TYPES
from pages.widgets.media import PREFIX, UPLOADS, Uploaded

_FOLDER = Path(__file__).with_name("upload")

_HTML = """
<div class="uploader">
  <label class="drop">
    <input type="file" multiple>
    <span class="lead">Drop footage here</span>
    <span class="or">or <span class="choose">choose it from this computer</span></span>
    <span class="hint">Any length, several at once. MP4, MOV, MKV, MTS, AVI and others.</span>
  </label>
  <ul class="files" aria-label="Uploads"></ul>
  <p class="told" role="status" aria-live="polite"></p>
</div>
"""

_drop_area = st.components.v2.component(
    "trickline_upload",
    html=_HTML,
    css=(_FOLDER / "upload.css").read_text(encoding="utf-8"),
    js=(_FOLDER / "upload.js").read_text(encoding="utf-8"),
)


def uploader(key: str) -> list[Uploaded]:
    """Draw the drop area, and take what has arrived.

    Uploads go on in the browser while pages change; what arrives meanwhile is taken when the area is drawn again.

    Args:
        key: of the area; one for each place in the app.

    Returns:
        Videos that were not returned before, most often none. Each is returned once: make it a session before anything
        else is drawn, because Streamlit may break off a run wherever something is drawn.
    """
    arrived = (st.session_state.get(key) or {}).get("arrived") or {}
    tokens = [token for token in arrived.get("tokens", ()) if isinstance(token, str)]
    data = {"url": f"{PREFIX}/upload", "suffixes": sorted(VIDEO_TYPES), "queue": key, "taken": tokens}
    with st.container(key=f"{key}_area"):  # keeps its place in the page, or the area would be made anew
        _drop_area(key=key, data=data, on_arrived_change=lambda: None)
    return [video for token in tokens if (video := UPLOADS.take(token))]
