"""A still of a video with something drawn on it by hand: a box round one player, or clicks on who is meant.

    >>> box_still("one", footage, session.id, drawn, on_mark=take)                  # doctest: +SKIP
    >>> sent = sent_box("one", session.id, n_frames)                                # doctest: +SKIP

The browser has the newest of what is drawn and sends all of it each time; the callback reads it by ``sent_box`` or
``sent_clicks`` and keeps it, so that it is there again when the page is. The scripts in the folder beside this file are
joined to one module with those of the workbench that play a video frame by frame.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import Any, Literal

import streamlit as st

from core.recognize.naming import DrawnBox
from core.recognize.outlines import Click
from pages.widgets.workbench import Footage

_FOLDER = Path(__file__).with_suffix("")
_WORKBENCH = Path(__file__).with_name("workbench")
SCRIPTS = (
    *(_WORKBENCH / name for name in ("clock.js", "fetching.js", "curve.js", "palette.js", "skeleton.js", "player.js")),
    *(_FOLDER / name for name in ("people.js", "box.js", "clicks.js", "still.js")),
)
"""In this order they make the module."""
_MOST_CLICKS = 100

_TOOLS = {
    "box": """
<div class="numbers" role="group" aria-label="Box, in percent of the picture">
  <label>Left <input type="number" min="0" max="100" step="0.5"></label>
  <label>Top <input type="number" min="0" max="100" step="0.5"></label>
  <label>Width <input type="number" min="1" max="100" step="0.5"></label>
  <label>Height <input type="number" min="1" max="100" step="0.5"></label>
</div>
<button type="button" class="clear">Clear the box</button>
""",
    "clicks": """
<div class="choice" role="group" aria-label="A click">
  <button type="button" value="inside" title="X">Add</button>
  <button type="button" value="outside" title="X, or hold Alt">Exclude</button>
</div>
<button type="button" class="back-one">Take the last click back</button>
<button type="button" class="clear">Clear</button>
""",
}
_NAMES = {
    "box": "A frame of the video, to draw a box round one player",
    "clicks": "A frame of the video, to click on who is to be cut out",
}


def box_still(key: str, footage: Footage, name: str, drawn: DrawnBox | None, *, on_mark: Callable[[], None]) -> None:
    """Draw a still for a box round one player.

    Args:
        name: of the document: what is sent is told by it, and another one begins with its own ``drawn``.
        drawn: the box as it is kept.
        on_mark: called after the box was drawn, changed or cleared.
    """
    value = {"frame": drawn.frame, "box": list(drawn.box)} if drawn else None
    _still("box", key, footage, name, value, (0, footage.n_frames - 1), on_mark)


def click_still(
    key: str,
    footage: Footage,
    name: str,
    clicks: tuple[Click, ...],
    span: tuple[int, int],
    *,
    on_mark: Callable[[], None],
) -> None:
    """Draw a still for clicks on persons, all in one frame; arguments as :func:`box_still`.

    Args:
        span: first and last frame that can be shown.
    """
    value = {"frame": clicks[0].frame, "clicks": [[one.x, one.y, one.inside] for one in clicks]} if clicks else None
    _still("clicks", key, footage, name, value, span, on_mark)


def sent_box(key: str, name: str, n_frames: int) -> tuple[DrawnBox | None] | None:
    """What was drawn last on this document, in a tuple; None if nothing was sent that can be understood."""
    mark = _sent(key, name)
    if mark is None:
        return None
    if mark["value"] is None:
        return (None,)
    frame, box = mark["value"].get("frame"), mark["value"].get("box")
    if not _is_frame(frame, n_frames) or not isinstance(box, list) or len(box) != 4 or not all(map(_is_share, box)):
        return None
    x1, y1, x2, y2 = map(float, box)
    return (DrawnBox(int(frame), (x1, y1, x2, y2)),) if x1 < x2 and y1 < y2 else None


def sent_clicks(key: str, name: str, n_frames: int) -> tuple[Click, ...] | None:
    """The clicks that were made last on this document; None if nothing was sent that can be understood."""
    mark = _sent(key, name)
    if mark is None:
        return None
    if mark["value"] is None:
        return ()
    frame, clicks = mark["value"].get("frame"), mark["value"].get("clicks")
    if not _is_frame(frame, n_frames) or not isinstance(clicks, list) or len(clicks) > _MOST_CLICKS:
        return None
    if not all(isinstance(one, list) and len(one) == 3 and all(map(_is_share, one[:2])) for one in clicks):
        return None
    return tuple(Click(int(frame), float(x), float(y), bool(inside)) for x, y, inside in clicks)


def _sent(key: str, name: str) -> dict[str, Any] | None:
    """The message of the browser, if it is one for this document; nothing in it is believed."""
    mark = (st.session_state.get(key) or {}).get("mark")
    if not isinstance(mark, dict) or mark.get("name") != name:
        return None
    return mark if "value" in mark and isinstance(mark["value"], dict | None) else None


def _is_frame(frame: object, n_frames: int) -> bool:
    return isinstance(frame, int | float) and float(frame).is_integer() and 0 <= frame < n_frames


def _is_share(share: object) -> bool:
    return isinstance(share, int | float) and math.isfinite(share) and 0 <= share <= 1


def _still(
    kind: Literal["box", "clicks"],
    key: str,
    footage: Footage,
    name: str,
    value: dict[str, Any] | None,
    span: tuple[int, int],
    on_mark: Callable[[], None],
) -> None:
    data = {"footage": asdict(footage), "name": name, "value": value, "first": span[0], "last": span[1]}
    # The container keeps the picture where it is when something appears above it.
    with st.container(key=f"{key}_container"):
        _component(kind)(key=key, data=data, height="content", on_mark_change=on_mark)


@cache
def _component(kind: Literal["box", "clicks"]) -> Any:
    html = f"""
<div class="still" data-kind="{kind}">
  <p class="told" role="status" aria-live="polite"></p>
  <div class="stage" tabindex="0" role="application" aria-label="{_NAMES[kind]}">
    <div class="frame">
      <video muted playsinline preload="auto" tabindex="-1" aria-hidden="true"></video>
      <canvas aria-hidden="true"></canvas>
      <div class="marks"></div>
    </div>
  </div>
  <div class="bar">
    <button type="button" class="earlier" aria-label="Frame before" title="Frame before (←)">‹</button>
    <button type="button" class="later" aria-label="Next frame" title="Next frame (→)">›</button>
    <input type="range" class="scrub" aria-label="Frame" step="1">
    <span class="time"></span><span class="number"></span>
  </div>
  <div class="tools">{_TOOLS[kind]}<button type="button" class="there" hidden></button></div>
</div>
"""
    return st.components.v2.component(
        f"trickline_still_{kind}",
        html=html,
        css=(_FOLDER / "still.css").read_text(encoding="utf-8"),
        js="\n".join(f"// {path.name}\n{path.read_text(encoding='utf-8')}" for path in SCRIPTS),
        isolate_styles=True,
    )
