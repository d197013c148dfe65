"""What the columns of the metrics' tables mean, by the names that :mod:`core.evaluate` gives them."""

from __future__ import annotations

from core.evaluate import TIOUS

EVENT_COLUMNS = {
    "found": "True tricks that were found, of all there are. A trick counts as found if the event and the label share "
    f"at least {TIOUS[0]:.0%} of the frames that the two cover together.",
    "wrong": "False alarms: events where no trick is labelled, and second pieces of a trick that was found already.",
    **{
        f"F1@{tiou}": f"Misses and false alarms in one figure, 1 is perfect; event and label must share {tiou:.0%} of "
        "their frames."
        for tiou in TIOUS
    },
    "tIoU": "How much of their frames the found tricks and their labels share on average; 1 is to the frame.",
    "start ms": "How late the events begin, in milliseconds: the median, and ± what 95 of 100 stay within. Minus is "
    "early.",
    "end ms": "The same for where they end.",
    "wrong/min": "False alarms in a minute of footage.",
    "split": "Tricks that were found in several pieces.",
    "joined": "Events that hold several tricks.",
}
"""Those of :meth:`core.evaluate.EventMetrics.cells`."""

FRAME_COLUMNS = {
    "AP": "Average precision: the area under the curve of the frames, over all thresholds; 1 is perfect.",
    "chance": "The AP of a guess: the share of frames that are inside a trick.",
    "precision": "Of the frames called a trick at the threshold, the share that is one.",
    "recall": "Of the frames inside a trick, the share that is called one.",
    "F1": "Both in one figure.",
    "threshold": "The probability from which on a frame is called a trick.",
    "frames": "Sampled frames that were judged.",
    "positive": "Those of them that are inside a labelled trick.",
}
"""Those of :meth:`core.evaluate.FrameMetrics.cells`."""
