"""The reference session as other cameras would have filmed it: is every trick found, and nothing else?

    python -m tests.bench.bench_variants

Other frame rates, mirrored, half the size, every twentieth frame lost, other colours, and other strides. Frame rates
above that of the original repeat frames, as a converter does.
"""

from __future__ import annotations

import subprocess
import tempfile
from pathlib import Path

import numpy as np

from core import pipeline, sighting
from core.detector import starter
from core.evaluate import TIOUS, event_metrics
from core.ffmpeg import executable
from core.intervals import Interval
from core.labels import read_labels
from core.settings import PoseSettings
from core.video import Video
from core.workspace import Workspace
from tests.bench.bench_detector import BACKENDS
from tests.bench.composed import SHARED

FILTERS = {
    "as it is": None,
    "15 fps": "fps=15",
    "24 fps": "fps=24",
    "60 fps": "fps=60",
    "mirrored": "hflip",
    "half the size": "scale=iw/2:-2",
    "5 % of frames lost": r"select=mod(n\,20)",
    "hue by 90 degrees": "hue=h=90",
    "hue by 180 degrees": "hue=h=180",
}
STRIDES = (1, 2, 3)


def main() -> None:
    """Print a line for each variant, stride and backend."""
    session = SHARED / "session"
    original = Video.open(session / "skate_video.mp4")
    tricks_s = [
        original.pts_s[[t.start_frame, t.end_frame]] for t in read_labels(session / "annotations.xml").intervals
    ]
    with tempfile.TemporaryDirectory() as temporary, Workspace.open(Path(temporary) / "workspace") as workspace:
        for name, changed in FILTERS.items():
            path = original.path
            if changed:
                path = Path(temporary) / f"{len(list(Path(temporary).iterdir()))}.mp4"
                options = ["-vf", changed, "-fps_mode", "vfr", "-c:v", "libx264", "-crf", "18", "-preset", "veryfast"]
                command = [executable(), "-v", "error", "-i", str(original.path), *options, str(path)]
                subprocess.run(command, check=True)
            video = Video.open(path)
            truth = [Interval(*np.searchsorted(video.pts_s, one - 1e-3).tolist()) for one in tricks_s]
            for backend, settings in BACKENDS.items():
                for stride in STRIDES if changed is None else (2,):
                    wanted: PoseSettings = settings.model_copy(update={"sample_stride": stride})
                    found, _ = pipeline.find(sighting.look(path, workspace, wanted), starter())
                    counts = event_metrics(truth, found, video.pts_s).by_tiou
                    at = ", ".join(f"{counts[t].found} of 3 and {counts[t].wrong} wrong at tIoU {t}" for t in TIOUS)
                    print(f"{name}, stride {stride}, {backend}: {at}", flush=True)


if __name__ == "__main__":
    main()
