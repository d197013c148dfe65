"""The evaluation as one web page that needs nothing else: no network, no other file, hardly a script.

    >>> write_report(Path("report.html"), evaluation)                         # doctest: +SKIP

The charts are SVG that the template draws itself, 20 kB a page. Altair would need its JavaScript on the page, or
vl-convert-python, a wheel of 33 MB, to draw rectangles and a path.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from core.evaluate import TIOUS
from core.ffmpeg import StopWish
from core.report import curves, timeline
from core.report.clips import SmallClip, cut_small
from core.report.columns import EVENT_COLUMNS, FRAME_COLUMNS
from core.report.evaluation import STARTER, Evaluation, Judge, Kind, Moment
from core.report.page import HERE, check_target, render, write_page
from core.sighting import Progress

__all__ = ["STARTER", "Evaluation", "Judge", "check_target", "write_report"]

MAX_CLIPS = 60
"""So many clips of about 100 kB make a page of 8 MB, which still goes by mail and opens at once."""


@dataclass(frozen=True)
class _Group:
    """A part of the gallery."""

    kind: Kind
    title: str
    about: str
    """Said below the title."""
    none: str
    """Said where there is nothing to show."""


_GROUPS = (
    _Group("missed", "Missed", "Labelled as tricks, but not found.", "No trick was missed."),
    _Group("wrong", "False alarms", "Found, but no trick is labelled there.", "There was no false alarm."),
    _Group("hit", "Found", "Labelled and found.", "No trick was found."),
)


def write_report(
    path: Path,
    evaluation: Evaluation,
    max_clips: int = MAX_CLIPS,
    progress: Progress | None = None,
    cancelled: StopWish | None = None,
) -> list[str]:
    """Write the page; the same input gives the same bytes, on one machine.

    Args:
        path: ends in ``.html``; a report of that name is replaced.
        max_clips: misses come first, then false alarms, then what was found; the rest is listed with its times.
        progress: told how much of the cutting is done.
        cancelled: polled ten times a second.

    Returns:
        A sentence for the user on each clip that could not be cut.

    Raises:
        UserError: as :func:`check_target`, or the video is gone, or the disk is full.
        Cancelled: ``cancelled`` said so; nothing is left behind.
    """
    check_target(path)
    moments = evaluation.moments()
    probability = evaluation.judge.probability if evaluation.judge else None

    def cutting(done: float) -> None:
        if progress:
            progress("cutting", done)

    clips = cut_small(evaluation.video, moments[:max_clips], probability, cutting, cancelled)
    text = _page(evaluation, moments, clips, max_clips)
    write_page(path, text)
    return [f"No clip of {moment.name}: {clip.fault}" for moment, clip in clips.items() if clip.fault]


def _page(evaluation: Evaluation, moments: list[Moment], clips: dict[Moment, SmallClip], max_clips: int) -> str:
    judged = evaluation.judged()
    return render(
        HERE / "report.html",
        evaluation=evaluation,
        video=evaluation.video,
        judge=evaluation.judge,
        counts=evaluation.counts,
        smallest_tiou=TIOUS[0],
        chance=evaluation.chance(),
        cells={name: metrics.cells() for name, metrics in evaluation.rows.items()},
        event_columns=EVENT_COLUMNS,
        frame_columns=FRAME_COLUMNS,
        rows=timeline.rows(evaluation.video, moments, evaluation.judge),
        geometry=timeline,
        effects=curves.effects(judged),
        panels=curves.panels(judged),
        thresholds=curves.at_thresholds(judged),
        plot=curves,
        groups=[(group, [moment for moment in moments if moment.kind == group.kind]) for group in _GROUPS],
        n_moments=len(moments),
        clips=clips,
        max_clips=max_clips,
    )
