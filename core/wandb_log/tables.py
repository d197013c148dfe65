"""What a run logs as numbers, tables and plots, under the original's names."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from core.metrics import METRIC_COLUMNS, MOTION_COLUMNS

if TYPE_CHECKING:
    from core.sighting import Look
    from core.training import Trained
    from core.validate import Labelled, Outcome

MOST_ROWS = 200_000
"""That W&B keeps of a table."""
PLOTTED = 3000
"""Rows of a plot: W&B shows no more than the first 10,000, which would be the beginning of a session."""


def counters(seen: Look) -> dict[str, int]:
    """Sampled frames by what became of them."""
    signals = seen.signals
    counts = {
        "frames_total": seen.video.n_frames,
        "frames_sampled": seen.camera.n,
        **signals.rejections,
        "logged": int((signals.table["rejected"] == "").sum()),
    }
    return {f"filter/{name}": count for name, count in counts.items()}


def movement_metrics(seen: Look) -> Any:
    """The frames that passed the guardrails; every n-th of them where there are more than :data:`MOST_ROWS`."""
    metrics = seen.signals.movement_metrics
    rate = float(seen.video.info.average_rate)
    columns = [*METRIC_COLUMNS, *MOTION_COLUMNS, "audio_onset"]
    shown = metrics[[name for name in columns if name in metrics]].assign(fps=rate, sample_stride=seen.stride)
    return _table(shown.iloc[:: -(-len(shown) // MOST_ROWS) or 1])


def ratio_plot(seen: Look) -> Any:
    """tuck_ratio over the frames; of long footage the lowest and the highest value of each short stretch."""
    import wandb

    shown = _extremes(seen.signals.movement_metrics[["frame", "tuck_ratio"]], PLOTTED)
    return wandb.plot.line(_table(shown), "frame", "tuck_ratio", title="Leg/Torso Ratio (Cleaned)")


def label_intervals(labelled: Sequence[Labelled]) -> Any:
    """The true tricks; times in seconds of the footage, the end that of the last frame inside."""
    rows = []
    for video in labelled:
        step_s = float(np.median(np.diff(video.pts_s)))
        for trick in video.truth:
            start_s, end_s = (float(video.pts_s[frame]) for frame in (trick.start_frame, trick.end_frame))
            rows.append(
                [video.example.name, trick.label, trick.start_frame, trick.end_frame, start_s, end_s,
                 end_s - start_s + step_s]
            )  # fmt: skip
    return _table(
        pd.DataFrame(rows, columns=["video", "label", "start_frame", "end_frame", "start_s", "end_s", "duration_s"])
    )


def training(trained: Trained, labelled: Sequence[Labelled]) -> dict[str, Any]:
    """What was learnt from, and how good the detector is on what it had not seen."""
    from core.lessons import positive_rows

    overlap = trained.detector.settings.min_overlap_frames
    positive = [positive_rows(video.example, overlap)[video.example.known_rows()] for video in labelled]
    rows, tricks = sum(map(len, positive)), sum(int(found.sum()) for found in positive)
    numbers: dict[str, Any] = {
        "data/rows": rows,
        "data/pos_frames": tricks,
        "data/pos_rate": tricks / rows if rows else 0.0,
        "data/n_intervals": sum(len(video.truth) for video in labelled),
        "inference/threshold": trained.detector.events.default_threshold,
    }
    own = f"{trained.detector.settings.feature_set} {trained.detector.settings.model}, "
    outcome = next((made for name, made in trained.outcomes.items() if name.startswith(own)), None)
    return {**numbers, **(_numbers(outcome) if outcome else {})}


def validation(trained: Trained) -> Any:
    """A row for each detector that was compared."""
    return _table(pd.DataFrame([{"detector": name, **_numbers(made)} for name, made in trained.outcomes.items()]))


def highlights(clips: Mapping[str, Mapping[str, Any]]) -> Any:
    """A row for each clip; times in seconds of the footage."""
    return _table(pd.DataFrame([{"clip": name, **clip} for name, clip in clips.items()]))


def _numbers(outcome: Outcome) -> dict[str, float | int | None]:
    from core.evaluate import TIOUS

    frames, found = outcome.frames.to_json(), outcome.events.by_tiou[TIOUS[0]]
    return {
        "frame/accuracy": frames["accuracy"],
        "frame/precision": frames["precision"],
        "frame/recall": frames["recall"],
        "frame/f1": frames["f1"],
        "frame/avg_precision": frames["average_precision"],
        "event_precision": found.precision,
        "event_recall": found.recall,
        "event_f1": found.f1,
        "n_gt_events": found.found + found.missed,
        "n_pred_events": found.found + found.wrong,
    }


def _extremes(table: pd.DataFrame, rows: int) -> pd.DataFrame:
    """The rows with the lowest and highest of the second column in each of ``rows / 2`` equal stretches."""
    if len(table) <= rows:
        return table
    name = table.columns[1]
    stretch = np.arange(len(table)) * (rows // 2) // len(table)
    grouped = table.reset_index(drop=True).groupby(stretch)[name]
    return table.iloc[sorted({*grouped.idxmin(), *grouped.idxmax()})]


def _table(frame: pd.DataFrame) -> Any:
    import wandb

    # By columns, so that whole numbers stay whole; mixed, because W&B checks the type of each cell else, five times
    # as long: half a minute for an hour of footage.
    data: list[Iterable[Any]] = [list(row) for row in zip(*(frame[name].tolist() for name in frame), strict=True)]
    return wandb.Table(columns=[str(name) for name in frame], data=data, allow_mixed_types=True)
