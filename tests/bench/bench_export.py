"""How long do ten clips of twenty minutes take? Ours against the original's way and moviepy's, side by side.

    python tests/bench/bench_export.py [--positions 10] [--rounds 1]

Clips of 6 s, spread over 20 minutes of 1080p30 with sound. The original seeks after ``-i`` and so decodes all that
comes before; moviepy seeks first and hands every picture through Python. The footage is a minute that is drawn once and
repeated without encoding, and kept in the temporary folder. Ways alternate from clip to clip, so that a busy machine
slows all of them alike.
"""

from __future__ import annotations

import argparse
import importlib.util
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

import numpy as np

from core.atomic import atomic_path
from core.clips import ClipPlan, plan_clips
from core.ffmpeg import run
from core.intervals import Interval
from core.settings import ClipSettings
from core.video import Video
from tests.bench.bench_cut import frames_in, ours, seek_after_input

MINUTES = 20
RATE = 30
CLIP_S = 6
ORIGINAL_TARGET, FAST_TARGET = 5.0, 15.0
"""So many times faster an exact clip has to be than the original's, and a fast one than an exact one."""


def footage() -> Path:
    """Twenty minutes of a moving test picture with grain, and a tone, 1920x1080 at 30 fps; about 600 MB."""
    folder = Path(tempfile.gettempdir()) / "trickline-bench"
    path = folder / "footage_1080p30_20min.mp4"
    if not path.exists():
        print(f"drawing {MINUTES} min of footage once, into {path} ...", flush=True)
        with atomic_path(folder / "minute_1080p30.mp4") as minute, atomic_path(path) as unfinished:
            seconds = 60
            picture = f"testsrc2=size=1920x1080:rate={RATE}:duration={seconds},noise=alls=4:allf=t"
            sound = f"sine=frequency=440:duration={seconds}:sample_rate=48000"
            encoder = ["-c:v", "libx264", "-preset", "ultrafast", "-b:v", "4M", "-pix_fmt", "yuv420p", "-g", "60"]
            inputs = ["-f", "lavfi", "-i", picture, "-f", "lavfi", "-i", sound]
            run([*inputs, *encoder, "-c:a", "aac", "-t", str(seconds), str(minute)], seconds * RATE)
            again = ["-stream_loop", str(MINUTES - 1), "-i", str(minute), "-c", "copy"]
            run([*again, str(unfinished)], MINUTES * 60 * RATE)
        (folder / "minute_1080p30.mp4").unlink()
    return path


def moviepy(video: Video, plan: ClipPlan, out: Path) -> None:
    """Cut with moviepy and its default settings."""
    from moviepy import VideoFileClip  # type: ignore[import-untyped]

    with VideoFileClip(str(video.path)) as clip:
        clip.subclipped(plan.start_s, plan.end_s).write_videofile(
            str(out), logger=None, temp_audiofile_path=str(out.parent)
        )


def main() -> None:
    """Print the table."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--positions", type=int, default=10, help="how many clips, evenly spread")
    arguments.add_argument("--rounds", type=int, default=1)
    chosen = arguments.parse_args()
    opened_at = time.perf_counter()
    video = Video.open(footage())
    opened_s = time.perf_counter() - opened_at
    ways: dict[str, Callable[[Video, ClipPlan, Path], None]] = {
        "original": seek_after_input,
        "moviepy": moviepy,
        "exact": partial(ours, mode="exact"),
        "fast": partial(ours, mode="fast"),
    }
    if importlib.util.find_spec("moviepy") is None:
        del ways["moviepy"]
        print("moviepy is not installed and so left out (pip install moviepy)")
    middles = (np.arange(chosen.positions) + 0.5) / chosen.positions * video.n_frames
    took: dict[str, list[float]] = {way: [] for way in ways}
    frames: dict[str, set[int]] = {way: set() for way in ways}
    settings = ClipSettings(clip_padding_s=0, merge_gap_s=0)
    plans = plan_clips([Interval(int(at), int(at) + CLIP_S * RATE - 1) for at in middles], video, settings)
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(chosen.rounds):
            for plan in plans:
                for way, cut in ways.items():
                    out = Path(folder) / "clip.mp4"
                    begin = time.perf_counter()
                    cut(video, plan, out)
                    took[way].append(time.perf_counter() - begin)
                    frames[way].add(frames_in(out))
                    print(f"{way} at {plan.start_s:.0f} s: {took[way][-1]:.2f} s", flush=True)
    print(
        f"{len(plans)} clips of {CLIP_S} s from {MINUTES} min of 1080p{RATE}, {plans[0].frames} frames wanted, "
        f"{chosen.rounds} round(s); opening the file took {opened_s:.2f} s"
    )
    print(f"{'way':<10} {'seconds in all':>14} {'median a clip':>14} {'frames':>10}")
    for way, seconds in took.items():
        counts = "/".join(map(str, sorted(frames[way])))
        print(f"{way:<10} {sum(seconds):14.1f} {statistics.median(seconds):14.2f} {counts:>10}")
    exact = sum(took["exact"])
    if "moviepy" in took:
        print(f"exact is {sum(took['moviepy']) / exact:.1f} times faster than moviepy")
    for what, ratio, target in (
        ("exact is {:.1f} times faster than the original's way", sum(took["original"]) / exact, ORIGINAL_TARGET),
        ("fast is {:.1f} times faster than exact", exact / sum(took["fast"]), FAST_TARGET),
    ):
        print(f"{what.format(ratio)}, target {target:.0f}: {'met' if ratio >= target else 'MISSED'}")


if __name__ == "__main__":
    main()
