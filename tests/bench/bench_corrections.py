"""What ten corrections are worth on footage of another camera: reviews replayed, the starter adapted as they go.

    python -m tests.bench.bench_corrections [FOLDER]

FOLDER is that of ``bench_detector``. The other cameras are those of the set "restless", which pan, zoom and roll; each
is judged by a starter that was trained without its scenes. Corrections are taken from the first half of a session, in
the order of the studio's queue, and the figures come from its second half.
"""

from __future__ import annotations

import sys
import tempfile
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from core.detector import Detector, TrickDetector
from core.evaluate import EventMetrics, pooled
from core.learning_curve import Fit, parts, replay
from core.lessons import Example
from core.settings import TrainSettings
from core.validate import Labelled
from tests.bench.bench_detector import BACKENDS, ENSEMBLE, EVENTS, Seen, lessons, look_at_all, starters, unseeing

COUNTS = (0, 2, 5, 10)
ADAPTED = TrainSettings(feature_set="kinematics", model="adapted")


def worth(sessions: Sequence[Seen], detectors: dict[tuple[str, ...], Detector]) -> dict[int, EventMetrics]:
    """After how many corrections how good, all the sessions together."""
    made: dict[int, list[EventMetrics]] = defaultdict(list)
    for one in sessions:
        base = unseeing(one, detectors)
        assert isinstance(base, TrickDetector)
        base.events = EVENTS
        ((corrected, judged),) = parts([Labelled(one.example, one.pts_s)])
        points = {
            point.corrections: point.events
            for point in replay(corrected, judged, base, _fit(base), "uncertain", COUNTS)
        }
        for count in COUNTS:
            made[count].append(points[max(done for done in points if done <= count)])
    return {count: pooled(metrics) for count, metrics in made.items()}


def _fit(base: TrickDetector) -> Fit:
    def fit(examples: Sequence[Example]) -> Detector:
        return base.adapted(examples, ADAPTED)

    return fit


def main(folder: Path) -> None:
    """Print everything."""
    sessions = look_at_all(folder)
    detectors = starters(sessions, lessons(sessions, ENSEMBLE))
    for backend in BACKENDS:
        mine = [one for one in sessions if (one.backend, one.kind) == (backend, "restless")]
        for count, metrics in worth(mine, detectors).items():
            any_overlap, half = metrics.by_tiou[0.1], metrics.by_tiou[0.5]
            print(
                f"{backend}, {len(mine)} sessions, {count:2d} corrections in each: F1@0.1 {any_overlap.f1:.3f} "
                f"({any_overlap.found} of {any_overlap.found + any_overlap.missed}, {any_overlap.wrong} wrong), "
                f"F1@0.5 {half.f1:.3f}",
                flush=True,
            )


if __name__ == "__main__":
    if len(sys.argv) > 1:
        main(Path(sys.argv[1]))
    else:
        with tempfile.TemporaryDirectory() as temporary:
            main(Path(temporary))
