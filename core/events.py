"""From a probability per sampled frame to events."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from core.intervals import Event, from_mask, merge
from core.settings import EventSettings


def find_events(
    frame: NDArray[np.int32],
    time_s: NDArray[np.float64],
    probability: NDArray[np.float64],
    settings: EventSettings,
    n_frames: int,
    label: str = "trick",
) -> list[Event]:
    """Runs of sampled frames at or above the threshold, joined and weeded out.

    In this order: a run shorter than the streak is no event; runs at most ``max_gap_frames`` decoded frames apart are
    one; an event shorter than ``min_event_s`` goes; of two events whose peaks are within the cooldown the weaker
    goes. An event's confidence is its highest probability. A sampled frame stands for the decoded frames up to the
    next one.

    Args:
        frame: ordinals of the sampled frames, ascending, shape ``(n,)``.
        probability: shape ``(n,)``; NaN counts as 0.
        n_frames: decoded frames in the video.
    """
    probability = np.nan_to_num(probability)
    until = np.append(frame[1:], n_frames) - 1
    runs = [r for r in from_mask(probability >= settings.default_threshold) if r.frames >= settings.required_streak]
    spans = [
        Event(
            int(frame[run.start_frame]),
            int(until[run.end_frame]),
            label,
            float(probability[run.start_frame : run.end_frame + 1].max()),
        )
        for run in runs
    ]
    # The last sampled frame is taken to stay as long as they usually do.
    usual_s = np.median(np.diff(time_s)) if len(time_s) > 1 else 0.0
    bounds_s = np.append(time_s, time_s[-1:] + usual_s)
    lasting = [
        event
        for event in merge(spans, settings.max_gap_frames)
        if _length_s(event, frame, bounds_s) >= settings.min_event_s
    ]
    return _apart(lasting, frame, time_s, probability, settings.timestamp_cooldown_s)


def _length_s(event: Event, frame: NDArray[np.int32], bounds_s: NDArray[np.float64]) -> float:
    first, after = np.searchsorted(frame, [event.start_frame, event.end_frame + 1])
    return float(bounds_s[after] - bounds_s[first])


def _apart(
    events: list[Event],
    frame: NDArray[np.int32],
    time_s: NDArray[np.float64],
    probability: NDArray[np.float64],
    cooldown_s: float,
) -> list[Event]:
    """The strongest events whose peaks are more than the cooldown apart."""
    kept: list[tuple[float, Event]] = []
    for event in sorted(events, key=lambda e: (-e.confidence, e.start_frame)):
        first, last = np.searchsorted(frame, [event.start_frame, event.end_frame + 1])
        peak = float(time_s[first + int(np.argmax(probability[first:last]))])
        if all(abs(peak - other) > cooldown_s for other, _ in kept):
            kept.append((peak, event))
    return sorted(event for _, event in kept)
