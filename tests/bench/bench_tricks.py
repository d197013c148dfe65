"""The starter on skaters it has never seen: in how many of 133 clips of one trick each it finds one.

python -m tests.bench.bench_tricks [CLIPS.csv] [SESSION.mp4] [YOLO WEIGHTS]
"""

from __future__ import annotations

import csv
import sys
import tempfile
from pathlib import Path

from core import pipeline, sighting
from core.errors import UserError
from core.hop_rule import HopRule
from core.settings import PoseSettings
from core.workspace import Workspace

SHARED = Path(__file__).parents[3] / "shared"


def main(clips: Path, session: Path, weights: Path) -> None:
    """Print a line for each backend."""
    with clips.open(newline="") as file:
        paths = [clips.parent / row["path"] for row in csv.DictReader(file)]
    backends = {"MoveNet": PoseSettings(backend="movenet")}
    if weights.exists():
        backends["YOLO int8"] = PoseSettings(backend="yolo", weights=str(weights))
    for name, settings in backends.items():
        with tempfile.TemporaryDirectory() as folder, Workspace.open(Path(folder)) as workspace:
            on_session = _events(session, workspace, settings)
            missed = [path.stem for path in paths if not _events(path, workspace, settings)]
        found = len(paths) - len(missed)
        share = f"{found} of {len(paths)} clips ({found / len(paths):.1%})"
        print(f"{name}: a trick in {share}, {on_session} events on {session.name}")
        print(f"  none in {', '.join(missed)}")


def _events(path: Path, workspace: Workspace, settings: PoseSettings) -> int:
    try:
        return len(pipeline.find(sighting.look(path, workspace, settings), HopRule())[0])
    except UserError:
        return 0


if __name__ == "__main__":
    given = [Path(argument) for argument in sys.argv[1:]]
    chosen = [
        SHARED / "data" / "tricks" / "clips.csv",
        SHARED / "data" / "session" / "skate_video.mp4",
        SHARED / "models" / "yolov8n-pose_int8_openvino_model",
    ]
    main(*(given + chosen[len(given) :]))
