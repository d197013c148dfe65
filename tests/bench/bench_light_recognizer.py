"""The light recognizer on clips of one trick each: how many it names right in places that it has not seen.

python -m tests.bench.bench_light_recognizer [CLIPS.csv] [WORKSPACE]

A fresh workspace is used, so that the seconds are all that a training takes, unless one is given.
"""

from __future__ import annotations

import csv
import os
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import numpy as np

from core.recognize.light.features import describe
from core.recognize.light.recognizer import fit_light
from core.recognize.light.validation import CrossValidation, Evidence, abstaining, cross_validated, evidence
from core.recognize.samples import ClipDataset, ClipSample
from core.workspace import Workspace
from tests.bench.bench_tricks import SHARED

SEEDS = (0, 1, 2)
FOLDS = 5
_RESAMPLED = 2000
_T = TypeVar("_T")


def main(clips: Path, home: Path | None) -> None:
    """Print the table."""
    with clips.open(newline="") as file:
        rows = list(csv.DictReader(file))
    labels = tuple(sorted({row["label"] for row in rows}))
    by = {
        name: ClipDataset(
            name, tuple(ClipSample(clips.parent / row["path"], row["label"], row[name]) for row in rows), labels
        )
        for name in ("scene", "source")
    }
    with tempfile.TemporaryDirectory() as folder, Workspace.open(home or Path(folder)) as workspace:
        samples = by["scene"].samples
        _timed(f"looking and features of {len(samples)} clips", lambda: describe(samples, workspace))
        recognizer = _timed("training, the features being there", lambda: fit_light(samples, workspace))
        print(f"a moment is called unsure below {recognizer.card.unsure_below:.2f}")
        print(f"clips where something was not seen: {len(recognizer.card.notes)}")
        for note in recognizer.card.notes:
            print(f"  {note}")
        seen = evidence(by["scene"], workspace)
        for name, dataset in by.items():
            alone = cross_validated(dataset, seen)
            _tell(f"each {name} left out alone", dataset, [alone])
            _abstain(alone)
            parted = [cross_validated(dataset, seen, folds=FOLDS, seed=seed) for seed in SEEDS]
            _tell(f"{FOLDS} folds by {name}, {len(SEEDS)} seeds", dataset, parted)
        shuffled = np.random.default_rng(0).permutation([sample.label for sample in samples])
        nonsense = tuple(replace(sample, label=str(label)) for sample, label in zip(samples, shuffled, strict=True))
        checked = cross_validated(ClipDataset("shuffled", nonsense, labels), Evidence(seen.light, None, None))
        print(f"light with shuffled labels, each scene left out alone: {checked.accuracy('light'):.1%}")


def _timed(what: str, work: Callable[[], _T]) -> _T:
    """Says how long it took by the clock, and on the processor, which is the time on idle cores times their number."""
    wall, processor = time.perf_counter(), time.process_time()
    done = work()
    wall, processor = time.perf_counter() - wall, time.process_time() - processor
    load = os.getloadavg()[1]
    print(
        f"{what}: {wall:.0f} s, {processor:.0f} s of processor time ({os.cpu_count()} cores, load {load:.0f})",
        flush=True,
    )
    return done


def _tell(title: str, dataset: ClipDataset, found: list[CrossValidation]) -> None:
    print(f"{title} ({len({sample.group for sample in dataset.samples})} groups)")
    for name in found[0].probability:
        shares = [one.accuracy(name) for one in found]
        spread = f" ({min(shares):.1%} to {max(shares):.1%})" if len(found) > 1 else ""
        print(f"  {name:10s} {np.mean(shares):.1%}{spread}")
    low, high = _lead(dataset, found[0])
    print(f"  light before colours by {low:+.1%} to {high:+.1%} (95 %, groups drawn anew)")


def _lead(dataset: ClipDataset, found: CrossValidation) -> tuple[float, float]:
    """Bounds of the lead over colours when groups are drawn with replacement, since clips of one are alike."""
    groups = np.unique([sample.group for sample in dataset.samples], return_inverse=True)[1]
    ahead = found.right("light").astype(int) - found.right("colours").astype(int)
    total, count = np.bincount(groups, ahead), np.bincount(groups)
    drawn = np.random.default_rng(0).integers(len(count), size=(_RESAMPLED, len(count)))
    low, high = np.quantile(total[drawn].sum(axis=1) / count[drawn].sum(axis=1), [0.025, 0.975])
    return float(low), float(high)


def _abstain(found: CrossValidation) -> None:
    probability, truth = found.probability["light"], found.truth
    for share in (0.1, 0.2, 0.3):
        left = abstaining(probability, truth, share)
        print(f"  least sure {share:.0%} left out: {left.accuracy:.1%} of the rest (threshold {left.threshold:.2f})")
    told, right = probability.max(axis=1), found.right("light")
    print(f"  mean probability {told.mean():.2f}, share right {right.mean():.2f}")


if __name__ == "__main__":
    given = [Path(argument) for argument in sys.argv[1:]]
    main(given[0] if given else SHARED / "data" / "tricks" / "clips.csv", given[1] if len(given) > 1 else None)
