"""The workbench alone, on the videos of a folder: ``?video=NAME`` and options behind it. What is edited lies beside the
video as ``NAME.json``, so that it outlives a restart.
"""

from __future__ import annotations

import json
import os
import threading
import time
from pathlib import Path
from typing import Any

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

if get_script_run_ctx(suppress_warning=True) is None:
    from pages.widgets.media_routes import MIDDLEWARE, ROUTES

    app = st.App(__file__, routes=ROUTES, middleware=MIDDLEWARE)
else:
    import numpy as np

    from core.intervals import Interval
    from core.pose.table import PoseTable
    from core.video import Video
    from pages.widgets.media import file_url, publish, publish_parts
    from pages.widgets.skeletons import CHUNK, skeleton_chunk
    from pages.widgets.workbench import (
        Curve,
        Document,
        Footage,
        Label,
        Show,
        Skeletons,
        Span,
        WorkbenchState,
        workbench,
    )

    FOLDER = Path(os.environ["TRICKLINE_FOOTAGE"])
    st.set_page_config(layout="wide")
    videos = sorted(path.stem for path in FOLDER.glob("*.mp4"))
    name = st.segmented_control("Video", videos, key="video", bind="query-params") or videos[0]
    options = set(st.query_params.get("options", "").split(","))
    path = FOLDER / f"{name}.mp4"
    kept = FOLDER / f"{name}.json"

    def stored() -> dict[str, Any]:
        if kept.exists():
            return dict(json.loads(kept.read_text()))
        items = [] if "empty" in options else [[10, 14, "trick"], [60, 70, "trick"]]
        return {"revision": 1, "ack": None, "items": items, "picked": None}

    def store(values: dict[str, Any]) -> None:
        part = kept.with_suffix(".part")
        part.write_text(json.dumps(values))
        os.replace(part, kept)

    @st.cache_resource
    def lock() -> threading.Lock:
        return threading.Lock()

    def take_edit() -> None:
        edit = WorkbenchState.of("bench").edit
        if not edit or (FOLDER / "deaf").exists():
            return
        # Streamlit may run the callbacks of two quick edits in two threads at once.
        with lock():
            now = stored()
            if not now["ack"] or now["ack"][0] != edit["editor"] or now["ack"][1] < edit["seq"]:
                ack = [edit["editor"], edit["seq"]]
                store(now | {"revision": now["revision"] + 1, "ack": ack, "items": edit["items"]})

    def take_pick() -> None:
        with lock():
            store(stored() | {"picked": WorkbenchState.of("bench").picked})

    st.slider("Rerun", 0, 100, key="rerun")
    if "slow" in options:
        time.sleep(0.3)

    video = Video.open(path)
    n = video.n_frames
    many = 108_000 if "many" in options else n // 2
    frames = np.linspace(0, n - 1, many).astype("<i4")
    wave = (0.5 + 0.5 * np.sin(np.arange(many) * 40 / many)).astype("<f4")
    wave[many // 3 : many // 3 + max(2, many // 50)] = np.nan
    curve_of = publish(frames.tobytes()), publish(wave.tobytes())
    people = np.full((2 * n, 17, 3), np.nan, np.float32)
    people[::2, 11:13, :2], people[1::2, 11:13, :2] = (0.25, 0.5), (0.75, 0.5)
    twice = np.repeat(np.arange(n, dtype=np.int32), 2)
    nobody = np.zeros((2 * n, 4), np.float32)
    pose = PoseTable(twice, video.pts_s[twice], np.tile(np.arange(2, dtype=np.int32), n), nobody[:, 0], nobody, people)
    skeletons = Skeletons(
        publish_parts(f"{name}", lambda part: skeleton_chunk(pose, np.arange(n), 2 * np.arange(n), part, CHUNK)),
        publish(np.arange(n, dtype="<i4").tobytes()),
        CHUNK,
    )
    threshold = WorkbenchState.of("bench").threshold
    document = stored()
    workbench(
        "bench",
        Footage(
            src=file_url(path),
            times_url=publish(video.pts_s.astype("<f8").tobytes()),
            n_frames=n,
            duration_s=video.info.duration_s,
            rate=float(video.info.average_rate),
            width=video.info.width,
            height=video.info.height,
            skeletons=skeletons,
        ),
        session=name,
        document=Document(
            document["revision"],
            tuple(document["ack"]) if document["ack"] else None,
            1,
            tuple(Interval(*item) for item in document["items"]),
        ),
        editable=True,
        found=(
            Span(20, 30, "trick", 0.9, "hit", "Feet rise 0.9 torso lengths here."),
            Span(40, 48, "trick", 0.6, "wrong", "Nobody jumps here."),
        ),
        curves=(Curve("probability", "Probability", "", *curve_of, 0.0, 1.0), Curve("wave", "A wave", "m", *curve_of)),
        curve="probability",
        threshold=0.5 if threshold is None else threshold,
        labels=(Label("trick", "#2DD4BF", "1"), Label("grind", "#8AB4F8", "2")),
        on_edit=take_edit,
        on_threshold=lambda: None,
        on_range=lambda: None,
        on_pick=take_pick,
        on_subject=lambda: None,
        show=Show(1, 40, 48, loop=True) if st.toggle("Show") else None,
    )
    state = WorkbenchState.of("bench")
    st.text(f"threshold {threshold}")
    st.text(f"range {state.range}")
    if state.subject:
        st.text(f"subject {state.subject['frame']} {state.subject['x']:.2f} {state.subject['y']:.2f}")
