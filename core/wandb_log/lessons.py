"""What a run logged of footage, whole enough to train on: read back by the name of the run.

The table ``movement_metrics`` holds the frames that passed the guardrails, and tables of W&B lose types and, beyond
200,000, rows. The feature sets that look at motion also need the frames between. So beside the table stands an
artifact ``movement_signals`` with every sampled frame as Parquet, and this is what is trained on. Of runs that have
none, such as those of the original skate clip cropper, the table does for the simpler feature sets.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from pydantic import ValidationError

from core.errors import UserError
from core.intervals import Interval
from core.labels.label_set import make_interval
from core.lessons import Example
from core.metrics import METRIC_COLUMNS, MOTION_COLUMNS, PATH_COLUMNS, REASONS
from core.settings import FeatureSet, Settings
from core.validate import Labelled
from core.wandb_log.service import api, download, faults, files_of, mode, project, read_dotenv, unreachable

if TYPE_CHECKING:
    from core.sighting import Look

NAME = "movement_signals"
"""Of the artifact, and of the folder in a run's files."""
_ABOUT, _SIGNALS, _TIMES = "about.json", "signals.parquet", "times.parquet"
OTHERS_FILE = "movement_metrics.table.json"
TABLE_SETS: tuple[FeatureSet, ...] = ("basic", "temporal")
"""That the table alone has everything for."""
_ORIGINALS = ("tuck_ratio", "hip_y", "torso_len", "leg_len", "shoulder_y", "ankle_y")
_LARGEST = 1 << 30
"""Bytes: a day of footage has less."""
_LONGEST = 10_000_000
"""Frames: almost four days."""
_RUNS = 20
"""So many of the newest runs of a name are looked at."""
_WIDEST = 200
"""Columns."""
_BROKEN = (
    ValidationError, ValueError, OSError, LookupError, TypeError, AttributeError, ArithmeticError, MemoryError,
    RuntimeError,
)  # fmt: skip
"""What pydantic, pandas and pyarrow raise over files that are none of these."""


class _Marked(Settings):
    start_frame: int
    end_frame: int
    label: str


class About(Settings):
    """What is to be known of the signals' video."""

    run: str
    """Name of the run that logged them."""
    video: str
    backend: str
    stride: int
    n_frames: int
    labels: tuple[_Marked, ...] | None
    """None where nobody had labelled."""


@dataclass(frozen=True)
class MetricsRun:
    """What the run of a name holds to train on."""

    name: str
    labelled: tuple[Labelled, ...]
    backends: tuple[str, ...]
    """For each video the pose backend that saw it."""
    artifacts: tuple[str, ...]
    """Full names, for the lineage; none of a run that is only here."""
    table_only: bool = False
    """Whether it holds the table ``movement_metrics`` alone, as the original's runs do."""

    def check(self, feature_set: FeatureSet) -> None:
        """See that it has what the features are made of.

        Raises:
            UserError: it has not.
        """
        if self.table_only and feature_set not in TABLE_SETS:
            raise UserError(
                f"The run {self.name} logged no more than the table movement_metrics, which does for the feature sets "
                f"{' and '.join(TABLE_SETS)}: choose one with --feature-set, or process the video anew."
            )

    def with_labels(self, labels: Path) -> MetricsRun:
        """The same footage with the labels of a file.

        Raises:
            UserError: the run holds several videos, or the file is not of this one.
        """
        from core.labels import check_within, read_labels

        if len(self.labelled) > 1:
            raise UserError(f"The run {self.name} holds {len(self.labelled)} videos: leave out --labels.")
        [video] = self.labelled
        read = read_labels(labels, video.pts_s, video.example.name)
        check_within(read, video.example.n_frames, labels.name)
        return replace(self, labelled=(replace(video, example=replace(video.example, truth=read.intervals)),))


def write(folder: Path, run: str, seen: Look, truth: Sequence[Interval] | None) -> list[Path]:
    """Write the files of one video into ``folder``."""
    marked = None if truth is None else tuple(_Marked(**_plain(interval)) for interval in truth)
    about = About(
        run=run, video=seen.video.path.stem, backend=seen.backend, stride=seen.stride, n_frames=seen.video.n_frames,
        labels=marked,
    )  # fmt: skip
    folder.mkdir(parents=True)
    seen.signals.table.to_parquet(folder / _SIGNALS)
    pd.DataFrame({"pts_s": seen.video.pts_s}).to_parquet(folder / _TIMES)
    (folder / _ABOUT).write_text(about.model_dump_json(), encoding="utf-8")
    return [folder / name for name in (_ABOUT, _SIGNALS, _TIMES)]


def find_metrics(name: str) -> MetricsRun:
    """What the newest run of this name, or with this id, logged: from W&B, or offline from the folder ``wandb``.

    Raises:
        UserError: there is no such run, it logged no signals, they are damaged, or W&B cannot be reached.
    """
    read_dotenv()
    if mode() == "online":
        return _from_api(name)
    folder = Path(os.environ.get("WANDB_DIR") or ".") / "wandb"
    for run in sorted(folder.glob("*run-*-*"), key=lambda run: run.name.split("run-")[-1], reverse=True):
        found = [about.parent for about in sorted(run.glob(f"files/{NAME}/*/{_ABOUT}"))]
        if found and (run.name.endswith(f"-{name}") or _run_of(found[0]) == name):
            return _metrics_run(name, [_read(video) for video in found], [])
    raise UserError(f"No offline run called {name} in {folder} logged movement metrics: check the name.")


def _from_api(name: str) -> MetricsRun:
    client = api()
    try:
        where = f"{os.environ.get('WANDB_ENTITY') or client.default_entity}/{project()}"
        wanted = {"$or": [{"display_name": name}, {"name": name}]}
        for run in client.runs(where, filters=wanted, order="-created_at", per_page=_RUNS)[:_RUNS]:
            logged = list(run.logged_artifacts())
            read, used = [], []
            for artifact in logged:
                if artifact.type == NAME:
                    read.append(_fetched(artifact, (_ABOUT, _SIGNALS, _TIMES), _read))
                    used.append(artifact.source_qualified_name)
            for artifact in logged if not read else ():
                if "movement_metrics" in artifact.name:
                    read.append(_fetched(artifact, (OTHERS_FILE,), partial(others_table, run=name)))
                    used.append(artifact.source_qualified_name)
            if read:
                table_only = not any(one.type == NAME for one in logged)
                return replace(_metrics_run(name, read, used), table_only=table_only)
    except faults() as error:
        raise unreachable(error) from error
    raise UserError(f"No run called {name} in {where} logged movement metrics with --wandb: check the name.")


def _run_of(folder: Path) -> str | None:
    """Name of the run that logged it; None of one that was killed meanwhile, which is no reason to find no other."""
    try:
        return About.model_validate_json((folder / _ABOUT).read_bytes()).run
    except _BROKEN:
        return None


def _fetched(artifact: Any, names: Sequence[str], read: Callable[[Path], tuple[About, Labelled]]) -> Any:
    if artifact.size > _LARGEST:
        raise UserError(f"{artifact.name} has {artifact.size / 1e9:.1f} GB, which no signals have: choose another run.")
    folder = Path(tempfile.mkdtemp())
    try:
        for name in names:
            entry = files_of(artifact)[name]
            if entry.ref is not None:
                raise UserError(f"{artifact.name} leads to another place, which is not followed: choose another run.")
            download(artifact, entry, folder)
        return read(folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _metrics_run(name: str, read: Sequence[tuple[About, Labelled]], artifacts: Sequence[str]) -> MetricsRun:
    return MetricsRun(
        name, tuple(video for _, video in read), tuple(about.backend for about, _ in read), tuple(artifacts)
    )


def _read(folder: Path) -> tuple[About, Labelled]:
    """Files that came from elsewhere are believed nothing."""
    try:
        about = About.model_validate_json((folder / _ABOUT).read_bytes())
        table, pts_s = _parquet(folder / _SIGNALS), _parquet(folder / _TIMES)["pts_s"].to_numpy()
        _check(about, table, pts_s)
        marked = [make_interval(**label.model_dump()) for label in about.labels or ()]
        if any(label.end_frame >= about.n_frames for label in marked):
            raise ValueError("labels beyond the end")
    except _BROKEN as error:
        raise UserError("The run's movement signals are damaged, or another version's: process the video anew.") from (
            error
        )
    return about, Labelled(Example(table, marked, about.n_frames, about.video), pts_s)


def _parquet(file: Path) -> pd.DataFrame:
    """A table of a size that it may have: a few bytes of Parquet can say billions of rows."""
    from pyarrow.parquet import read_metadata

    said = read_metadata(file)
    if said.num_rows > _LONGEST or said.num_columns > _WIDEST:
        raise ValueError("no signals of a video")
    return pd.read_parquet(file)


def others_table(folder: Path, run: str) -> tuple[About, Labelled]:
    """The table of a run that logged nothing beside it, such as one of the original skate clip cropper: enough for the
    feature sets ``basic`` and ``temporal``.

    Only the frames that passed are in it. Times are reckoned by its ``fps``; what it does not have is NaN, and so are
    boxes, which the original gives in pixels. The original's poses are YOLO's.
    """
    try:
        kept = json.loads((folder / OTHERS_FILE).read_bytes())
        said = pd.DataFrame(kept["data"], columns=kept["columns"]).drop_duplicates("frame").sort_values("frame")
        numbers = pd.to_numeric(said["frame"]).to_numpy(np.float64)
        if not ((numbers >= 0) & (numbers < _LONGEST) & (numbers == np.floor(numbers))).all():
            raise ValueError("no numbers of frames")
        frame = numbers.astype(np.int64)
        fps, n_frames = float(said["fps"].iloc[0]), int(frame[-1]) + 1
        if not (1 <= fps <= 1000 and len(said) >= 2):
            raise ValueError("no frames of a video")
        columns = {name: pd.to_numeric(said[name]).to_numpy(np.float64) for name in _ORIGINALS}
    except _BROKEN as error:
        raise UserError(
            f"The table movement_metrics of {run} is not the original's: process the video anew."
        ) from error
    every = [*METRIC_COLUMNS, *MOTION_COLUMNS, *PATH_COLUMNS]
    pts_s = np.arange(n_frames) / fps
    columns = {name: columns.get(name, np.full(len(frame), np.nan)) for name in every}
    table = pd.DataFrame({**columns, "frame": frame, "time_s": pts_s[frame], "person": 0, "rejected": ""})
    about = About(run=run, video=run, backend="yolo", stride=int(np.diff(frame).min()), n_frames=n_frames, labels=None)
    return about, Labelled(Example(table, (), n_frames, run), pts_s)


def _check(about: About, table: pd.DataFrame, pts_s: np.ndarray[Any, Any]) -> None:
    columns = [*METRIC_COLUMNS, *MOTION_COLUMNS, *PATH_COLUMNS, "person"]
    if not all(pd.api.types.is_numeric_dtype(table[name]) for name in columns):
        raise ValueError("a signal that is no number")
    if not table["rejected"].isin(["", *REASONS]).all():
        raise ValueError("an unknown reason")
    frame, time_s = table["frame"].to_numpy(), table["time_s"].to_numpy()
    if pts_s.dtype != np.float64 or pts_s.shape != (about.n_frames,) or len(table) < 2:
        raise ValueError("not the times of the video")
    if not (np.issubdtype(frame.dtype, np.integer) and frame[0] >= 0 and frame[-1] < about.n_frames):
        raise ValueError("frames beyond the video")
    if not all((np.diff(rising) > 0).all() for rising in (frame, time_s, pts_s)):
        raise ValueError("times that do not rise")


def _plain(interval: Interval) -> dict[str, Any]:
    return {"start_frame": interval.start_frame, "end_frame": interval.end_frame, "label": interval.label}
