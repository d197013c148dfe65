"""By which probabilities a detector may be judged: never by those of footage that it knows by heart.

>>> made = judge(workspace, detector, model, [session.id], load)              # doctest: +SKIP
>>> made.by_video[session.id].note                                            # doctest: +SKIP
'Each trick is judged by a detector of the same kind that was trained without it.'
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from core.detector import Detector, TrickDetector
from core.errors import UserError
from core.records import ModelRecord
from core.unseen import Importance, Unseen, kept_unseen
from core.validate import Labelled
from core.workspace import Workspace

Origin = Literal["starter", "other footage", "left out", "known by heart"]
"""How a detector and the footage that it judges are related. The first three give honest figures."""


@dataclass(frozen=True, eq=False)
class Judgement:
    """The probabilities of one video, for judging the detector by its labels."""

    probability: NDArray[np.float64]
    """Shape ``(n,)``, NaN where it cannot be told."""
    origin: Origin
    note: str
    """Where the probabilities come from: a sentence for people."""


@dataclass(frozen=True, eq=False)
class Judgements:
    """Of several videos, by content id."""

    by_video: dict[str, Judgement]
    importance: tuple[Importance, ...]
    """Empty unless parts were left out."""


def judge(
    workspace: Workspace,
    detector: Detector,
    model: ModelRecord | None,
    wanted: Sequence[str],
    load: Callable[[str], Labelled | None],
) -> Judgements:
    """Probabilities that a detector can honestly be judged and tuned by.

    What a model was trained on is judged by detectors of the same recipe that were trained without it. Where that
    cannot be had, the model's own probabilities are given and the note says so.

    Args:
        detector: the starter, or that of ``model``.
        model: None for the starter.
        wanted: content ids of the videos; each can be loaded.
        load: a video and what is known of it by content id; None if it is gone. Where nothing is known any more its
            :attr:`core.lessons.Example.known` is empty.

    Raises:
        UserError: the footage lacks features that the detector was trained with.
    """
    videos = {content: video for content in wanted if (video := load(content))}
    if not isinstance(detector, TrickDetector) or model is None:
        note = "The starter was trained on other skaters, so it knows none of these tricks by heart."
        return Judgements(
            {
                content: Judgement(detector.predict_proba(video.example.table), "starter", note)
                for content, video in videos.items()
            },
            (),
        )
    known = list(detector.meta["videos"])
    # A model of the command line names files and no sessions.
    trained_on = model.meta.get("sessions") or [c for c, video in videos.items() if video.example.name in known]
    reason = ""
    importance: tuple[Importance, ...] = ()
    judged: dict[str, Judgement] = {}
    if set(trained_on) & set(videos):
        made, reason = _left_out_of(workspace, model, detector, trained_on, len(known), load)
        if made:
            importance = made.importance
            left_out_note = (
                "Each trick is judged by a detector of the same kind that was trained without it."
                if len(trained_on) == 1
                else "This session is judged by a detector of the same kind that was trained on the others only."
            )
            judged = {
                content: Judgement(probability, "left out", left_out_note)
                for content, probability in zip(trained_on, made.probabilities, strict=True)
            }
    for content, video in videos.items():
        if content not in judged:
            seen = content in trained_on
            judged[content] = Judgement(
                detector.predict_proba(video.example.table),
                "known by heart" if seen else "other footage",
                f"The model was trained on these very tricks, so the figures flatter it: {reason}"
                if seen
                else "The model was trained on other footage, so it knows none of these tricks by heart.",
            )
    return Judgements({content: judged[content] for content in videos}, importance)


def _left_out_of(
    workspace: Workspace,
    model: ModelRecord,
    detector: TrickDetector,
    trained_on: Sequence[str],
    n_known: int,
    load: Callable[[str], Labelled | None],
) -> tuple[Unseen | None, str]:
    """What was left out of the training of a model, or why it cannot be had."""
    videos = {content: video for content in trained_on if (video := load(content)) and video.example.known_rows().any()}
    if len(videos) < len(trained_on) or len(videos) < n_known:
        return None, "some of its sessions or their labels are not here any more."
    try:
        made = kept_unseen(workspace, model.id, detector.settings, videos)
    except UserError as error:
        return None, str(error)
    return made, "what is left without a trick does not teach what a trick is."
