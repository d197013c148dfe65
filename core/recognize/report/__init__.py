"""How right a recognizer is as one web page that needs nothing else: no network, no other file, two short scripts.

    >>> write_report(Path("report.html"), judged, Path("recognizer") / "history.csv")  # doctest: +SKIP

It is at most about 20 MB: the clips take no more than :data:`core.recognize.report.gallery.MOST_BYTES`, and so many
mistakes are told one by one as ``MOST_TOLD`` says; all of them are counted in the matrix.
"""

from __future__ import annotations

from pathlib import Path

from core.recognize.judging import Judged
from core.recognize.loading import Cancel, Progress
from core.recognize.report import drawings, figures
from core.recognize.report.gallery import cut_mistakes
from core.report.page import HOVER, check_target, render, write_page

MAX_CLIPS = 60
"""As in the report of a detector."""
MOST_TOLD = 500
"""Mistakes beyond are counted alone."""
_MANY_CLASSES = 16
"""From so many on the cells of the matrix are small."""
_HERE = Path(__file__).parent


def write_report(
    path: Path,
    judged: Judged,
    history: Path | None = None,
    max_clips: int = MAX_CLIPS,
    progress: Progress | None = None,
    cancelled: Cancel | None = None,
) -> list[str]:
    """Write the page; the same input gives the same bytes, on one machine.

    Args:
        path: ends in ``.html``; a report of that name is replaced.
        history: ``history.csv`` of the training; what is not there is left out.
        max_clips: of the clips that were named wrong, the surest first.
        progress: told "cutting" and how much of it is done.

    Returns:
        A sentence for the user on each clip that could not be cut.

    Raises:
        UserError: as :func:`core.report.page.check_target`, the history is damaged, or the disk is full.
        Cancelled: ``cancelled`` said so; nothing is left behind.
    """
    check_target(path)
    epochs = figures.read_history(history) if history else None
    mistakes = figures.mistakes(judged)
    clips = cut_mistakes(mistakes[: min(max_clips, MOST_TOLD)], progress, cancelled)
    found = judged.evaluation
    standings = figures.standings(judged)
    text = render(
        _HERE / "recognizer.html",
        (HOVER, _HERE / "filter.js"),
        judged=judged,
        found=found,
        standings=standings,
        baselines=figures.BASELINES,
        confusion=figures.confusion(found),
        many_classes=_MANY_CLASSES,
        classes=figures.per_class(found).to_dict("records"),
        calibration=figures.calibration(found).to_dict("records"),
        dots=drawings.dots(figures.calibration(found)),
        coverage=drawings.coverage_path(figures.coverage(found)),
        rules=drawings.rules(standings[1:]),
        unnamed=figures.unnamed(found).to_dict("records"),
        history=[] if epochs is None else epochs.to_dict("records"),
        panels=[] if epochs is None else drawings.history_panels(epochs),
        side=drawings.SIDE,
        mistakes=mistakes[:MOST_TOLD],
        n_mistakes=len(mistakes),
        numbers={label: number for number, label in enumerate(found.classes)},
        clips=clips,
        names={mistake.number: Path(mistake.clip.path).name for mistake in mistakes[:MOST_TOLD]},
    )
    write_page(path, text)
    return [
        f"No clip of {mistake.truth}, named {mistake.named}: {clips[mistake.number].fault}"
        for mistake in mistakes
        if mistake.number in clips and clips[mistake.number].fault
    ]
