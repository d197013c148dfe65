"""The drop area for footage: files of any size go to the workspace one after the other, with progress and cancel.

    >>> for video in uploader("footage"):                                    # doctest: +SKIP
    ...     workspace.session_for(video.path, name=video.name)
    ...     take(video)

Streamlit's own uploader would hold every file in memory twice; labels and other short files go through it all the same.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path

import streamlit as st

from core import upload_waiting
from core.chapters import chapter_groups, may_go_on
from core.footage_folder import VIDEO_TYPES
from core.upload_waiting import Uploaded
from pages.widgets.media import PREFIX, open_workspace

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
    """Draw the drop area, and say what has arrived.

    Uploads go on in the browser while pages change; what arrives meanwhile is told when the area is drawn again. A
    chapter waits while another one of its recording is on its way, so that all come together.

    Args:
        key: of the area; one for each place in the app.

    Returns:
        Videos that nobody has taken, most often none. Make each a session and :func:`take` it then: until that it is
        returned again, whatever breaks off a run, so that none is lost.
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
        "taken": [token for token in tokens if token not in waiting],
        "held": held,
    }
    with st.container(key=f"{key}_area"):  # keeps its place in the page, or the area would be made anew
        _drop_area(key=key, data=data, on_arrived_change=lambda: None)
    return [video for token, video in waiting.items() if token not in held]


def take(video: Uploaded) -> None:
    """Something was made of what :func:`uploader` has returned: it is not returned again."""
    upload_waiting.take(open_workspace().home, video.token)


def _incomplete(videos: Collection[Uploaded], coming: Sequence[str]) -> set[Path]:
    """Where the chapters lie whose recording may have one more among the files called ``coming``."""
    others = [Path(name) for name in coming]
    names = {**{other: other.name for other in others}, **{video.path: video.called for video in videos}}
    recordings = chapter_groups([video.path for video in videos], names)
    return {path for chapters in may_go_on(recordings, others, names) for path in chapters}
