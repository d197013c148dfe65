"""Parting footage into what a detector is trained on and what it is judged on.

>>> folds = folds_by_group(["monday", "monday", "friday"])
>>> [(fold.name, fold.test.tolist()) for fold in folds]
[('monday', [True, True, False]), ('friday', [False, False, True])]
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.errors import UserError
from core.intervals import Interval, merge

log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class Fold:
    """One way to part the sampled frames: train on some, test on others, and leave those between alone."""

    name: str
    """What is held out, for people."""
    train: NDArray[np.bool_]
    """Shape ``(n,)``."""
    test: NDArray[np.bool_]
    """Shape ``(n,)``; shares no frame with ``train``."""

    def usable(self, positive: NDArray[np.bool_]) -> bool:
        """Whether a classifier can be trained: the training part has frames of both classes.

        Args:
            positive: shape ``(n,)``, the class of each sampled frame.
        """
        return bool(positive[self.train].any() and not positive[self.train].all())


def folds_by_trick(
    time_s: NDArray[np.float64], truth: Sequence[Interval], frame: NDArray[np.int64], margin_s: float = 1.0
) -> list[Fold]:
    """Leave one trick out within one video.

    The video is cut halfway, in time, between neighbouring tricks; each stretch, one trick and the footage around it,
    is the test part of one fold, so that every sampled frame is tested once. Tricks that overlap are held out together.
    Training frames near the stretch are dropped, because windowed features see across the cut (purging and embargo:
    López de Prado, Advances in Financial Machine Learning, 2018, ch. 7). Frames whose windows reach ``w`` seconds each
    way share no footage if they are more than ``2 * w`` apart: the default suits windows that reach up to 0.5 s.

    Args:
        time_s: shape ``(n,)``, when each sampled frame is shown, seconds, ascending.
        truth: the labelled tricks.
        frame: shape ``(n,)``, the number of each sampled frame, ascending.
        margin_s: training frames at most this far from the first or last test frame are dropped, seconds.

    Raises:
        UserError: fewer than two tricks, or no sampled frame.
    """
    tricks = merge((Interval(trick.start_frame, trick.end_frame) for trick in truth), max_gap_frames=-1)
    if len(tricks) < 2:
        raise UserError(
            "Leaving one trick out needs at least two labelled tricks that do not overlap, and this video has"
            f" {len(tricks)}: label more of it, or leave out whole videos."
        )
    if not len(frame):
        raise UserError(
            "No frame of this video was measured, so no trick can be left out: check that people are seen in it."
        )
    ends = np.array([trick.end_frame for trick in tricks[:-1]])
    starts = np.array([trick.start_frame for trick in tricks[1:]])
    middle_s = (np.interp(ends, frame, time_s) + np.interp(starts, frame, time_s)) / 2
    # The time of a trick outside the sampled frames is only guessed, so the cut is held between the two tricks.
    cuts = np.clip(np.interp(middle_s, time_s, frame), ends, starts - 1)
    stretch = np.searchsorted(cuts, frame)
    folds = []
    for k, trick in enumerate(tricks):
        test = stretch == k
        if test.any():
            inside = time_s[test]
            near = (time_s >= inside[0] - margin_s) & (time_s <= inside[-1] + margin_s)
            folds.append(Fold(f"frames {trick.start_frame} to {trick.end_frame}", train=~near, test=test))
    return folds


def folds_by_group(groups: Sequence[str] | NDArray[np.str_]) -> list[Fold]:
    """Leave one video out, in the order in which the videos appear.

    Args:
        groups: for each of the ``n`` sampled frames, the id of its video. Augmented copies carry their source's id.

    Raises:
        UserError: fewer than two videos.
    """
    of_frame = np.asarray(groups)
    names = list(dict.fromkeys(of_frame.tolist()))
    if len(names) < 2:
        raise UserError(
            f"Leaving one video out needs at least two labelled videos, and there are {len(names)}: label another,"
            " or leave out single tricks."
        )
    return [Fold(str(name), train=of_frame != name, test=of_frame == name) for name in names]


def fold_last_fraction(n: int, test_frac: float = 0.2) -> Fold:
    """Hold out the end of a session, as the original does, for comparison with it.

    There is no margin: the first test frames share their windows with the last training frames, and a trick at the cut
    lies in both parts. :func:`folds_by_trick` is the stricter test.

    Args:
        n: how many sampled frames there are, in order of time.
        test_frac: the share of them that is held out, rounded up to whole frames.

    Raises:
        UserError: one of the two parts would be empty.
    """
    n_test = math.ceil(n * test_frac - 1e-9)  # 100 * 0.07 is a little more than 7
    if not 0 < n_test < n:
        raise UserError(f"{n} sampled frames cannot be parted with {test_frac:.0%} held out: choose a longer video.")
    test = np.arange(n) >= n - n_test
    return Fold(f"last {test_frac:.0%}", train=~test, test=test)


def out_of_fold_probability(
    folds: Iterable[Fold],
    positive: NDArray[np.bool_],
    fit_predict: Callable[[Fold], NDArray[np.float64]],
    each_done: Callable[[], None] | None = None,
) -> NDArray[np.float64]:
    """The probability of each sampled frame by a detector that was not trained on it.

    Args:
        folds: their test parts share no frame.
        positive: shape ``(n,)``, the class of each sampled frame.
        fit_predict: trains on ``fold.train`` and returns the probabilities of the frames in ``fold.test``, in order.
        each_done: called after each fold; what it raises ends the work.

    Returns:
        Shape ``(n,)``; NaN where no fold tests the frame, or where its fold is not usable (that is logged).
        :func:`core.evaluate.frame_metrics` counts such frames as 0: leave out those that were never to be tested.
    """
    probability = np.full(len(positive), np.nan)
    for fold in folds:
        if fold.usable(positive):
            probability[fold.test] = fit_predict(fold)
        else:
            log.warning("%s: not tested, because the footage left to train on has one class only", fold.name)
        if each_done:
            each_done()
    return probability
