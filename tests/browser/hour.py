"""An hour of footage, a gigabyte of it, as if it had been looked at."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq

from core import ffmpeg, sighting
from core.pose.table import CameraTable, PoseTable
from core.video import Video
from core.workspace import Workspace

ROUNDS = 180


def make_hour(home: Path, folder: Path) -> str:
    """Add an hour at 30 frames a second to a workspace that knows the drawn 20 seconds: they go round 180 times.

    Returns:
        The id of the session.
    """
    with Workspace.open(home) as workspace:
        (short,) = workspace.sessions()
        seen = sighting.kept(short, workspace)
        assert seen is not None
        once, whole = folder / "once.mp4", folder / "hour.mp4"
        # x264 fills the rate that it is told with zeros where the picture does not need it.
        constant = ["-b:v", "2400k", "-minrate", "2400k", "-maxrate", "2400k", "-bufsize", "2400k"]
        options = ["-c:v", "libx264", "-preset", "ultrafast", *constant, "-x264-params", "nal-hrd=cbr:keyint=60"]
        ffmpeg.run(["-i", str(short.path), "-an", *options, str(once)], 600)
        ffmpeg.run(["-stream_loop", str(ROUNDS - 1), "-i", str(once), "-c", "copy", str(whole)], 600 * ROUNDS)
        once.unlink()
        video = Video.open(whole)
        session = workspace.session_for(whole, {**sighting.video_facts(video), "looked": short.facts["looked"]})
        paths = sighting.tables(workspace, session.id, **short.facts["looked"])
        paths[0].parent.mkdir(parents=True)
        pose, camera = _round_and_round(seen.pose), _round_and_round(seen.camera)
        people = int(seen.pose.person.max()) + 1
        number = np.repeat(np.arange(ROUNDS), len(seen.pose.frame)) * people
        pose["person"] = np.where(pose["person"] >= 0, pose["person"] + number, -1).astype(np.int32)
        onset = pd.DataFrame({"audio_onset": np.zeros(len(camera["frame"]))})

        pq.write_table(PoseTable(**pose).to_arrow(), paths[0])
        pq.write_table(CameraTable(**camera).to_arrow(), paths[1])
        onset.to_parquet(paths[2])
        return session.id


def _round_and_round(table: PoseTable | CameraTable) -> dict[str, np.ndarray]:
    columns = {field.name: np.concatenate([getattr(table, field.name)] * ROUNDS) for field in fields(table)}
    number = np.repeat(np.arange(ROUNDS), len(table.frame))
    columns["frame"] = (columns["frame"] + 600 * number).astype(np.int32)
    columns["time_s"] = columns["time_s"] + 20.0 * number
    return columns
