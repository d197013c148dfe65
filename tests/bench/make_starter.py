"""Train the starter that comes with Trickline: core/starter/starter.npz. See docs/model-card.md.

    python -m tests.bench.make_starter [FOLDER]

FOLDER keeps the composed sessions and what was looked at, as for ``bench_detector``. The same footage gives the same
weights. The reference session and the drawn one are in no training.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from core.detector import STARTER, TrickDetector
from tests.bench.bench_detector import ALL, ENSEMBLE, EVENTS, Seen, lessons, look_at_all, starters


def make(sessions: list[Seen]) -> TrickDetector:
    """The starter, with probabilities and a threshold that are right for what its like had not seen."""
    starter = starters(sessions, lessons(sessions, ENSEMBLE))[ALL]
    assert isinstance(starter, TrickDetector)
    starter.events = EVENTS
    taught = [one for one in sessions if one.scenes[0] not in ("reference", "drawn")]
    starter.meta |= {"videos": [one.name for one in taught], "scenes": len({s for one in taught for s in one.scenes})}
    return starter


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as temporary:
        sessions = look_at_all(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(temporary))
        make(sessions).save(STARTER)
    print(f"{STARTER}: {STARTER.stat().st_size} bytes")
