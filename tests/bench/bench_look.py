"""Looking at footage: milliseconds a sampled frame against the original's loop, in turn, all included.

python -m tests.bench.bench_look [VIDEO] [WEIGHTS.pt]
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from core.pose import PoseEstimator, yolo
from core.pose.extract import extract
from core.pose.movenet import MoveNet
from core.video import Video
from tests.bench import original_loop

SHARED = Path(__file__).parents[3] / "shared"
ROUNDS = 5
STRIDE = 2


def main(video: Path, weights: Path) -> None:
    """Print the table."""
    with tempfile.TemporaryDirectory() as folder:
        cache = Path(folder)
        ways: dict[str, Callable[[], float]] = {
            "the original's loop, YOLO .pt at 640": lambda: _original(video, weights),
            "MoveNet (default)": _ours(video, MoveNet(cache)),
            "MoveNet on LiteRT": _ours(video, MoveNet(cache, "litert")),
            "the same YOLO .pt, exported": _ours(video, yolo.load(weights, cache, 640)),
        }
        int8 = weights.with_name(f"{weights.stem}_int8_openvino_model")
        if int8.exists():
            ways["YOLO int8"] = _ours(video, yolo.load(int8, cache, 640))
        for way in ways.values():
            way()
        measured = [{name: way() for name, way in ways.items()} for _ in range(ROUNDS)]
    first = next(iter(ways))
    print(f"{video.name}: ms a sampled frame (every {STRIDE}nd frame), median of {ROUNDS} rounds in turn")
    for name in ways:
        own = statistics.median(row[name] for row in measured)
        ratios = [row[first] / row[name] for row in measured]
        print(
            f"  {name:40} {own:7.2f}   {statistics.median(ratios):5.1f} times ({min(ratios):.1f} to {max(ratios):.1f})"
        )


def _original(video: Path, weights: Path) -> float:
    sampled, seconds = original_loop.look(video, weights, STRIDE)
    return 1000 * seconds / sampled


def _ours(video: Path, estimator: PoseEstimator) -> Callable[[], float]:
    def way() -> float:
        with tempfile.TemporaryDirectory() as folder:
            started = time.perf_counter()
            opened = Video.open(video)
            extract(opened, estimator, STRIDE, Path(folder) / "pose.parquet", Path(folder) / "camera.parquet")
            return 1000 * (time.perf_counter() - started) / len(range(0, opened.n_frames, STRIDE))

    return way


if __name__ == "__main__":
    given = [Path(argument) for argument in sys.argv[1:]]
    chosen = [SHARED / "data" / "session" / "skate_video.mp4", SHARED / "models" / "yolov8n-pose.pt"]
    main(*(given + chosen[len(given) :]))
