"""The drop area for footage: files of any size go to the workspace one after the other, with progress and cancel.

    >>> for video in uploader("footage"):                                    # doctest: +SKIP
    ...     workspace.session_for(video.path, name=video.name)

Streamlit's own uploader would hold every file in memory twice; labels and other short files go through it all the same.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path

import streamlit as st

from core.chapters import chapter_groups, may_belong
from core.footage_folder import VIDEO_TYPES
from pages.widgets import upload_waiting
from pages.widgets.media import PREFIX, open_workspace
from pages.widgets.upload_waiting import Uploaded

_FOLDER = Path(__file__).with_name("upload")

_HTML = """
<div class="uploader">
  <label class="drop">
    <input type="file" multiple>
    <span class="lead">Drop footage here</span>
    <span class="or">or <span class="choose">choose it from this computer</span></span>
    <span class="hint">Any length, several at once; chapters of a camera become one session.
      MP4, MOV, MKV, MTS, AVI and others.</span>
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

    Uploads go on in the browser while pages change; what arrives meanwhile is taken when the area is drawn again. A
    chapter waits while another one of its recording is on its way, so that all come together.

    Args:
        key: of the area; one for each place in the app.

    Returns:
        Videos that were not returned before, most often none. Each is returned once: make it a session before anything
        else is drawn, because Streamlit may break off a run wherever something is drawn.
    """
    arrived = (st.session_state.get(key) or {}).get("arrived") or {}
    tokens, coming = (
        [text for text in arrived.get(what, ()) if isinstance(text, str)] for what in ("tokens", "coming")
    )
    home = open_workspace().home
    waiting = {
        token: video
        for token in [*tokens, *upload_waiting.left_behind(home)]
        if (video := upload_waiting.look(home, token))
    }
    incomplete = _incomplete(waiting.values(), coming)
    held = [token for token, video in waiting.items() if video.path in incomplete]
    data = {
        "url": f"{PREFIX}/upload",
        "suffixes": sorted(VIDEO_TYPES),
        "queue": key,
        "taken": [token for token in tokens if token not in held],
        "held": held,
    }
    with st.container(key=f"{key}_area"):  # keeps its place in the page, or the area would be made anew
        _drop_area(key=key, data=data, on_arrived_change=lambda: None)
    return [video for token, video in waiting.items() if token not in held and upload_waiting.take(home, token)]


def _incomplete(videos: Collection[Uploaded], coming: Sequence[str]) -> set[Path]:
    """Where the chapters lie whose recording may have one more among the files called ``coming``."""
    others = [Path(name) for name in coming]
    names = {**{other: other.name for other in others}, **{video.path: video.called for video in videos}}
    return {
        path
        for chapters in chapter_groups([video.path for video in videos], names)
        if any(may_belong(other, chapters, names) for other in others)
        for path in chapters
    }
