"""Peak memory over the length of a 1080p video: it has to stay flat.

python -m tests.bench.bench_memory [VIDEO]
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

from core.ffmpeg import executable

SHARED = Path(__file__).parents[3] / "shared"
MINUTES = (1, 5, 20)


def main(video: Path) -> None:
    """Print the peak memory of ``trickline bench`` in a process of its own, by length."""
    with tempfile.TemporaryDirectory() as folder:
        once = Path(folder) / "once.mp4"
        scale = ["-vf", "scale=1920:1080", "-c:v", "libx264", "-preset", "veryfast", "-crf", "28"]
        _ffmpeg("-i", str(video), *scale, str(once))
        for minutes in MINUTES:
            long = Path(folder) / f"{minutes}.mp4"
            _ffmpeg("-stream_loop", "-1", "-i", str(once), "-t", str(60 * minutes), "-c", "copy", str(long))
            command = "from core.cli import main; main()"
            done = subprocess.run(
                [sys.executable, "-c", command, "bench", str(long), "--pose", "movenet", "--json"],
                check=True,
                capture_output=True,
                text=True,
            )
            figures = json.loads(done.stdout)
            print(
                f"{minutes:3} min of 1080p: peak {figures['peak_memory_mb']} MB, "
                f"{figures['total_ms']} ms a sampled frame, {figures['footage_s_per_s']} s of footage a second",
                flush=True,
            )
            long.unlink()


def _ffmpeg(*arguments: str) -> None:
    subprocess.run([executable(), "-v", "error", "-y", *arguments], check=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else SHARED / "data" / "session" / "skate_video.mp4")
