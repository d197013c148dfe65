"""How far two people agree on the labels of one video.

>>> import numpy as np
>>> told = agreement([Interval(0, 9)], [Interval(5, 14)], np.arange(100) / 30)
>>> round(told.kappa, 2), told.events[0.1].f1, told.events[0.5].f1
(0.44, 1.0, 0.0)
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.evaluate import Counts
from core.intervals import Interval, frame_mask, match

TIOUS = (0.1, 0.5)
"""Both saw the same trick; both set it to much the same frames."""


@dataclass(frozen=True)
class Disagreement:
    """One place where the two differ."""

    first: Interval | None
    """What the first one has; None if only the second has something here."""
    second: Interval | None
    start_ms: float = math.nan
    """Start of the second less that of the first: positive if the second begins later; NaN where one is missing."""
    end_ms: float = math.nan

    @property
    def place(self) -> tuple[int, int]:
        """First and last frame of what there is to look at."""
        there = [interval for interval in (self.first, self.second) if interval]
        return min(i.start_frame for i in there), max(i.end_frame for i in there)


@dataclass(frozen=True)
class Agreement:
    """Figures for two annotators; they are the same whoever comes first, but for the sign of the differences."""

    kappa: float
    """Cohen's kappa over the frames, any label against none; NaN where neither has anything."""
    by_label: Mapping[str, float]
    """Cohen's kappa of each label that either has, against all else."""
    events: Mapping[float, Counts]
    """For each of ``TIOUS``, events of one label matched one to one; ``missed`` only the first has, ``wrong`` only the
    second, and ``f1`` does not change if they are swapped."""
    disagreements: tuple[Disagreement, ...]
    """In order of their frames: what only one has, what is labelled otherwise, and ends that differ."""


def agreement(first: Sequence[Interval], second: Sequence[Interval], pts_s: NDArray[np.float64]) -> Agreement:
    """Compare two annotators' labels of one video.

    Args:
        pts_s: the PTS table, shape ``(n_frames,)``, seconds, ascending.

    Raises:
        ValueError: an interval ends beyond the table.
    """
    last = max((interval.end_frame for interval in (*first, *second)), default=-1)
    if last >= len(pts_s):
        raise ValueError(f"an interval ends at frame {last}, the video has {len(pts_s)}")
    labels = sorted({interval.label for interval in (*first, *second)})
    ours, theirs = ({label: [i for i in some if i.label == label] for label in labels} for some in (first, second))
    pairs = {
        tiou: [
            (ours[label][a], theirs[label][b]) for label in labels for a, b in match(ours[label], theirs[label], tiou)
        ]
        for tiou in TIOUS
    }
    return Agreement(
        kappa=cohens_kappa(frame_mask(first, len(pts_s)), frame_mask(second, len(pts_s))),
        by_label={
            label: cohens_kappa(frame_mask(ours[label], len(pts_s)), frame_mask(theirs[label], len(pts_s)))
            for label in labels
        },
        events={tiou: Counts(len(p), len(first) - len(p), len(second) - len(p)) for tiou, p in pairs.items()},
        disagreements=tuple(_disagreements(first, second, pairs[TIOUS[0]], pts_s)),
    )


def cohens_kappa(a: NDArray[np.bool_], b: NDArray[np.bool_]) -> float:
    """Agreement beyond chance of two yes-or-no judgements on the same frames.

    ``kappa = (p_o - p_e) / (1 - p_e)``, where ``p_o`` is the share of frames on which the two agree and ``p_e`` the
    share on which they would if each said yes as often as he does, but anywhere. 1 is perfect, 0 what chance gives.
    Most frames of footage show no trick, so that ``p_o`` alone is high whatever they do. Source: J. Cohen, A
    coefficient of agreement for nominal scales, Educational and Psychological Measurement 20(1), 1960, doi
    10.1177/001316446002000104.

    Args:
        a: shape ``(n,)``.
        b: shape ``(n,)``.

    Returns:
        -1 to 1; NaN where chance alone makes them agree everywhere (both always no, or both always yes).

    Raises:
        ValueError: the two are not of one length.
    """
    if a.shape != b.shape:
        raise ValueError(f"{len(a)} frames and {len(b)} frames")
    if not len(a):
        return math.nan
    observed = float((a == b).mean())
    by_chance = float(a.mean() * b.mean() + (1 - a.mean()) * (1 - b.mean()))
    return math.nan if by_chance >= 1 else (observed - by_chance) / (1 - by_chance)


def _disagreements(
    first: Sequence[Interval],
    second: Sequence[Interval],
    pairs: Sequence[tuple[Interval, Interval]],
    pts_s: NDArray[np.float64],
) -> list[Disagreement]:
    ours, theirs = list(first), list(second)
    for a, b in pairs:
        ours.remove(a)
        theirs.remove(b)
    # What is left may be the same trick under another label.
    renamed = [(ours[a], theirs[b]) for a, b in match(ours, theirs, TIOUS[0])]
    for a, b in renamed:
        ours.remove(a)
        theirs.remove(b)
    both = [
        Disagreement(
            a,
            b,
            float(1000 * (pts_s[b.start_frame] - pts_s[a.start_frame])),
            float(1000 * (pts_s[b.end_frame] - pts_s[a.end_frame])),
        )
        for a, b in (*pairs, *renamed)
        if (a.start_frame, a.end_frame, a.label) != (b.start_frame, b.end_frame, b.label)
    ]
    alone = [Disagreement(a, None) for a in ours] + [Disagreement(None, b) for b in theirs]
    return sorted([*both, *alone], key=lambda d: d.place)
