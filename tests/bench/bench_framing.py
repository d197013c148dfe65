"""Does the following crop keep the skater whole, and how calmly does it move?

    python -m tests.bench.bench_framing

The three tricks of the reference session with a second before and after, in each shape: the share of sampled frames of
the trick in which he lies inside from ankles to head, beside that of a crop that stays in the middle; and how the path
of the whole clip accelerates.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from core import pipeline, sighting
from core.clips import plan_clips
from core.framing import Aspect
from core.framing.crop import acceleration, crop_path, kept_share
from core.framing.session import nobody
from core.intervals import Interval
from core.labels import read_labels
from core.settings import ClipSettings
from core.workspace import Workspace
from tests.bench.bench_tricks import SHARED

ASPECTS: tuple[Aspect, ...] = ("9:16", "4:5", "1:1")


def main() -> None:
    """Print the table."""
    folder = SHARED / "data" / "session"
    with tempfile.TemporaryDirectory() as home, Workspace.open(Path(home)) as workspace:
        look = sighting.look(folder / "skate_video.mp4", workspace)
    video, bodies = look.video, pipeline.skater(look).bodies
    labels = read_labels(folder / "annotations.xml", video.pts_s, video.path)
    plans = plan_clips(labels.intervals, video, ClipSettings(clip_padding_s=1.0, merge_gap_s=0.0))
    print(f"{'':19}{'kept in the trick':>28}{'kept in the clip':>28}{'acceleration, widths/s2':>28}")
    print(
        f"{'shape':7}{'trick':12}{'following':>14}{'in the middle':>14}"
        f"{'following':>14}{'in the middle':>14}{'95 %':>14}{'greatest':>14}"
    )
    for aspect in ASPECTS:
        for plan in plans:
            clip = Interval(plan.start_frame, plan.end_frame)
            path, still = (
                crop_path(seen, (video.info.width, video.info.height), video.pts_s, clip, plan.events, aspect)
                for seen in (bodies, nobody())
            )
            [trick] = plan.events
            shares = [kept_share(each, bodies, within) for within in ([trick], None) for each in (path, still)]
            print(f"{aspect:7}{f'{trick.start_frame}-{trick.end_frame}':12}", end="")
            print("".join(f"{share:14.1%}" for share in shares), end="")
            print("".join(f"{value:14.2f}" for value in acceleration(path, video.pts_s)))


if __name__ == "__main__":
    main()
