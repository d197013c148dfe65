"""How well persons are told apart: ``python -m tests.bench.bench_players [runs] [--byte]``.

Drawn persons who walk through each other, and the skater of the reference session where it is at ``../shared``; beside
:mod:`core.recognize.tracking` the links of :mod:`core.pose.subject`, and with ``--byte`` the ByteTrack of ``trackers``
(``pip install trackers``), in the picture's coordinates and in those of the ground.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from core.pose.extract import extract
from core.pose.movenet import MoveNet
from core.pose.subject import link, main_person
from core.pose.table import CameraTable, PoseTable
from core.video import Video
from tests.conftest import SHARED
from tests.test_recognize_players import ASPECT, numbered, scene, told_apart

Numbers = Callable[[PoseTable, CameraTable], NDArray[np.int64]]


def byte(on_ground: bool) -> Numbers:
    """By the ByteTrack of ``trackers``, with the scores at which this begins tracks."""
    supervision, trackers = import_module("supervision"), import_module("trackers")

    def number(pose: PoseTable, camera: CameraTable) -> NDArray[np.int64]:
        tracker = trackers.ByteTrackTracker(30, 15.0, 0.15, 1, high_conf_det_threshold=0.15)
        given, so_far = np.full(len(pose.frame), -1), np.eye(3)
        for at, matrix in zip(camera.frame, camera.matrices(), strict=True):
            so_far = np.vstack([matrix, [0, 0, 1]]) @ so_far
            rows = np.flatnonzero(pose.frame == at)
            corners = pose.boxes[rows].reshape(-1, 2, 2) * [ASPECT, 1]
            if on_ground:
                back = np.linalg.inv(so_far)
                corners = corners @ back[:2, :2].T + back[:2, 2]
            boxes = (1000 * corners.reshape(-1, 4)).astype(np.float32)
            seen = supervision.Detections(boxes, confidence=pose.score[rows], data={"row": rows})
            tracked = tracker.update(seen)
            if len(tracked):
                given[tracked.data["row"]] = tracked.tracker_id
        return given

    return number


def main() -> None:
    """Measure and print."""
    runs = int(next((argument for argument in sys.argv[1:] if argument.isdigit()), "60"))
    ways: dict[str, Numbers] = {
        "players": numbered,
        "subject.link": lambda pose, camera: link(pose, camera, ASPECT).person.astype(np.int64),
    }
    if "--byte" in sys.argv:
        ways |= {"ByteTrack, picture": byte(on_ground=False), "ByteTrack, ground": byte(on_ground=True)}
    for people in (2, 3):
        for pan in (False, True):
            scenes = [scene(seed, people, pan) for seed in range(runs)]
            for name, way in ways.items():
                apart = np.mean([told_apart(way(pose, camera), truth, people) for pose, camera, truth in scenes])
                print(f"{people} persons, camera {'pans ' if pan else 'still'}: told apart {apart:4.0%}  {name}")
    session = SHARED / "data" / "session" / "skate_video.mp4"
    if not session.exists():
        print("the reference session is not at ../shared/data/session")
        return
    with tempfile.TemporaryDirectory() as folder:
        tables = Path(folder) / "pose.parquet", Path(folder) / "camera.parquet"
        extract(Video.open(session), MoveNet(Path(folder)), 2, *tables)
        pose, camera = PoseTable.read(tables[0]), CameraTable.read(tables[1])
    skater = main_person(pose, camera)
    for name, way in ways.items():
        numbers, counts = np.unique(way(pose, camera)[skater[skater >= 0]], return_counts=True)
        longest = counts[numbers >= 0].max() / np.sum(skater >= 0)
        print(f"reference session: {longest:.1%} of the skater's sightings are one person's  {name}")


if __name__ == "__main__":
    main()
