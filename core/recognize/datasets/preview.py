"""A few moments of each class, to look at before anything is trained."""

from __future__ import annotations

from collections import defaultdict

import numpy as np

from core.recognize.samples import ClipDataset, ClipSample


def preview_samples(dataset: ClipDataset, per_class: int, seed: int = 0) -> dict[str, tuple[ClipSample, ...]]:
    """At most ``per_class`` samples of each class, of as many groups as there are, in the order of the classes."""
    rng = np.random.default_rng(seed)
    by_class: dict[str, list[ClipSample]] = {label: [] for label in dataset.classes}
    for place in rng.permutation(len(dataset.samples)):
        sample = dataset.samples[place]
        by_class[sample.label].append(sample)
    shown = {}
    for label, samples in by_class.items():
        seen = defaultdict[str, int](int)
        turns = []
        for sample in samples:
            turns.append(seen[sample.group])
            seen[sample.group] += 1
        # The first of every group, then the second of every group, and so on.
        order = sorted(range(len(samples)), key=turns.__getitem__)
        shown[label] = tuple(samples[place] for place in order[:per_class])
    return shown
