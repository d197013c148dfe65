"""How fast this machine looks at footage, and how much memory that takes."""

from __future__ import annotations

import resource
import tempfile
import time
from pathlib import Path
from typing import Any

from core.pose import backends
from core.pose.extract import extract
from core.settings import PoseSettings
from core.video import Video


def measure(path: Path, settings: PoseSettings) -> dict[str, Any]:
    """Milliseconds a sampled frame, by step and in all, and the peak memory of this process.

    The network is loaded and has seen one picture before the clock starts. Weights and exports are taken from a
    temporary folder, so ``settings.weights`` must name YOLO weights if they are to be used.

    Raises:
        UserError: the video or the backend cannot be used.
    """
    video = Video.open(path)
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        estimator = backends.choose(settings, place / "weights")
        estimator.estimate(next(video.pictures()).rgb(*video.fit(estimator.long_side)))
        started = time.perf_counter()
        seconds = extract(video, estimator, settings.sample_stride, place / "pose.parquet", place / "camera.parquet")
        total = time.perf_counter() - started
    sampled = len(range(0, video.n_frames, settings.sample_stride))
    per_frame = {"decode": seconds.decode, "pose_in_threads": seconds.pose, "motion": seconds.motion, "total": total}
    return {
        "pose": estimator.name,
        "frames": video.n_frames,
        "sampled": sampled,
        **{f"{name}_ms": round(1000 * value / sampled, 2) for name, value in per_frame.items()},
        "footage_s_per_s": round(video.info.duration_s / total, 1),
        "peak_memory_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
    }
