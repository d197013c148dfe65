"""How long does one clip take? Ours against seeking after ``-i``, side by side.

    python tests/bench/bench_cut.py [--rounds 5]

Cuts 6 s out of five minutes of 720p30 with sound, late in the file, where a seek after ``-i`` has to decode all that
comes before. The footage (280 MB) is drawn once and kept in the temporary folder. Rounds alternate, so that a busy
machine slows all ways alike.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

import av

from core.atomic import atomic_path
from core.clips import ClipPlan, cut_clip, plan_clips
from core.ffmpeg import executable, run
from core.intervals import Interval
from core.settings import ClipSettings, CutMode
from core.video import Video

SECONDS = 300
RATE = 30
TARGET = 3.0
"""So many times faster an exact clip has to be than a seek after ``-i``."""


def footage() -> Path:
    """Five minutes of a moving test picture and a tone, 1280x720 at 30 fps."""
    path = Path(tempfile.gettempdir()) / "trickline-bench" / "footage_720p30_300s.mp4"
    if not path.exists():
        print(f"drawing {SECONDS} s of footage once, into {path} ...")
        with atomic_path(path) as unfinished:
            picture = ["-f", "lavfi", "-i", f"testsrc2=size=1280x720:rate={RATE}:duration={SECONDS}"]
            sound = ["-f", "lavfi", "-i", f"sine=frequency=440:duration={SECONDS}"]
            encoder = ["-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-g", "250", "-c:a", "aac"]
            run([*picture, *sound, *encoder, str(unfinished)], SECONDS * RATE)
    return path


def ours(video: Video, plan: ClipPlan, out: Path, mode: CutMode) -> None:
    """Cut with :func:`core.clips.cut_clip`, its checks included."""
    cut_clip(video, plan, out, mode)


def seek_after_input(video: Video, plan: ClipPlan, out: Path) -> None:
    """Cut as scripts commonly do: ``-i`` first, then ``-ss`` and ``-t``."""
    times = ["-ss", f"{plan.start_s}", "-t", f"{plan.end_s - plan.start_s}"]
    command = [
        executable(),
        "-v",
        "error",
        "-y",
        "-i",
        str(video.path),
        *times,
        "-c:v",
        "libx264",
        "-c:a",
        "aac",
        str(out),
    ]
    subprocess.run(command, check=True)


def frames_in(path: Path) -> int:
    """How many frames the file holds."""
    with av.open(str(path)) as container:
        return sum(1 for packet in container.demux(video=0) if packet.size)


def main() -> None:
    """Print the table."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--rounds", type=int, default=5)
    rounds: int = arguments.parse_args().rounds
    video = Video.open(footage())
    first = (SECONDS - 20) * RATE
    [plan] = plan_clips([Interval(first, first + 6 * RATE - 1)], video, ClipSettings(clip_padding_s=0))
    ways: dict[str, Callable[[Video, ClipPlan, Path], None]] = {
        "seek after -i": seek_after_input,
        "exact": partial(ours, mode="exact"),
        "fast": partial(ours, mode="fast"),
    }
    took: dict[str, list[float]] = {way: [] for way in ways}
    frames: dict[str, int] = {}
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(rounds):
            for way, cut in ways.items():
                out = Path(folder) / "clip.mp4"
                begin = time.perf_counter()
                cut(video, plan, out)
                took[way].append(time.perf_counter() - begin)
                frames[way] = frames_in(out)
    print(f"6 s at {plan.start_s:.0f} s of {SECONDS} s, 720p{RATE}: {plan.frames} frames wanted; medians of {rounds}")
    print(f"{'way':<14} {'seconds':>8} {'least':>7} {'most':>7} {'frames':>7} {'times faster':>13}")
    ratio = {
        way: statistics.median(slow / quick for slow, quick in zip(took["seek after -i"], took[way], strict=True))
        for way in ways
    }
    for way, seconds in took.items():
        middle = statistics.median(seconds)
        print(f"{way:<14} {middle:8.2f} {min(seconds):7.2f} {max(seconds):7.2f} {frames[way]:7d} {ratio[way]:13.1f}")
    verdict = "met" if ratio["exact"] >= TARGET else "MISSED"
    print(f"target, exact at least {TARGET:.0f} times faster: {verdict}")


if __name__ == "__main__":
    main()
