"""Train the starter that comes with Trickline: core/starter/starter.npz. See docs/model-card.md.

    python -m tests.bench.make_starter [FOLDER]

FOLDER keeps the composed sessions and what was looked at, as for ``bench_detector``. The same footage gives the same
weights. The reference session and the drawn one are in no training.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import numpy as np

from core.detector import STARTER, TrickDetector, positive_rows
from core.features import features, usable_rows
from core.settings import EventSettings
from tests.bench.bench_detector import NETWORK, Seen, lessons, look_at_all, trainer
from tests.bench.composed import groups

EVENTS = EventSettings(default_threshold=0.7, min_event_s=0.15)
"""The threshold is that of calibrated probabilities; a single sampled frame, or two, are no trick."""


def make(sessions: list[Seen]) -> TrickDetector:
    """The starter, calibrated and with its threshold, both on what the networks had not seen."""
    taught = [one for one in sessions if one.kind in ("tricks", "cruising", "slow") and one.scenes != ("reference",)]
    made = lessons(taught, NETWORK)
    fit = trainer(made, NETWORK)
    logits, answers = [], []
    for fold in groups():
        unseen = [i for i, one in enumerate(taught) if set(one.scenes) <= set(fold)]
        detector = fit([i for i in range(len(taught)) if i not in unseen])
        for i in unseen:
            example = taught[i].example
            rows = usable_rows(example.table, NETWORK.feature_set)
            assert isinstance(detector, TrickDetector)
            yes = detector.estimator.predict_proba(features(example.table, NETWORK.feature_set)[0][rows])[:, 1]
            logits.append(np.log(yes) - np.log1p(-yes))
            answers.append(positive_rows(example, 1)[rows])
    starter = fit(range(len(taught)))
    assert isinstance(starter, TrickDetector)
    starter.estimator = starter.estimator.calibrated(np.concatenate(logits), np.concatenate(answers))
    starter.events = EVENTS
    starter.meta |= {"videos": [one.name for one in taught], "scenes": len({s for one in taught for s in one.scenes})}
    return starter


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as temporary:
        sessions = look_at_all(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(temporary))
        make(sessions).save(STARTER)
    print(f"{STARTER}: {STARTER.stat().st_size} bytes")
