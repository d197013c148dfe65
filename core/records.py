"""The tables of the workspace, and the dataclasses that leave it.

A change here needs a step in :mod:`core.migrations`, which brings the databases that exist to the new layout. A field
that only some records have goes into a JSON column and needs no new column.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pydantic_core
from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    DateTime,
    Dialect,
    Float,
    ForeignKey,
    Integer,
    LargeBinary,
    MetaData,
    RowMapping,
    String,
    Table,
    Text,
    TypeDecorator,
)

from core.intervals import Interval


class UtcDateTime(TypeDecorator[datetime]):
    """A moment in UTC. SQLite keeps no time zone, so moments become UTC going in and are marked as UTC coming out."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        return None if value is None else value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


metadata = MetaData()

version_table = Table("trickline_version", MetaData(), Column("version_num", String(32), primary_key=True))
"""Which layout a database has; Alembic's own, and so not among the others."""

session_table = Table(
    "sessions",
    metadata,
    Column("id", String, primary_key=True),
    Column("name", Text, nullable=False),
    Column("path", Text, nullable=False),
    Column("facts", JSON, nullable=False),
    Column("added_at", UtcDateTime, nullable=False),
)

# Several machines may share the records, each with its own copy of a video.
place_table = Table(
    "places",
    metadata,
    Column("session_id", ForeignKey(session_table.c.id), primary_key=True),
    Column("home", String, primary_key=True),
    Column("path", Text, nullable=False),
)

# The primary key keeps two writers from taking the same revision: the later of them is refused and tries the next.
label_table = Table(
    "label_revisions",
    metadata,
    Column("session_id", ForeignKey(session_table.c.id), primary_key=True),
    Column("layer", String, primary_key=True),
    Column("revision", Integer, primary_key=True, autoincrement=False),
    Column("intervals", JSON, nullable=False),
    Column("source", Text, nullable=False),
    Column("author", Text),
    Column("saved_at", UtcDateTime, nullable=False),
)

model_table = Table(
    "models",
    metadata,
    Column("id", String, primary_key=True),
    Column("name", Text, nullable=False),
    Column("file", Text, nullable=False),
    Column("meta", JSON, nullable=False),
    Column("added_at", UtcDateTime, nullable=False),
)

# Apart from the models, so that a list of them does not read all files. Without content a file is too large for here.
model_file_table = Table(
    "model_files",
    metadata,
    Column("model_id", ForeignKey(model_table.c.id), primary_key=True),
    Column("digest", String),
    Column("content", LargeBinary),
)

settings_table = Table(
    "session_settings",
    metadata,
    Column("session_id", ForeignKey(session_table.c.id), primary_key=True),
    Column("settings", JSON, nullable=False),
)

subject_table = Table(
    "subjects",
    metadata,
    Column("session_id", ForeignKey(session_table.c.id), primary_key=True),
    Column("frame", Integer, primary_key=True, autoincrement=False),
    Column("x", Float, nullable=False),
    Column("y", Float, nullable=False),
)

review_table = Table(
    "reviews",
    metadata,
    Column("session_id", ForeignKey(session_table.c.id), primary_key=True),
    Column("start_frame", Integer, primary_key=True, autoincrement=False),
    Column("end_frame", Integer, primary_key=True, autoincrement=False),
    Column("label", String, primary_key=True),
    Column("verdict", Text, nullable=False),
    Column("stars", Integer, nullable=False),
    Column("kept_start", Integer),
    Column("kept_end", Integer),
    Column("author", Text),
    Column("history", JSON, nullable=False),
    Column("reviewed_at", UtcDateTime, nullable=False),
)

job_table = Table(
    "jobs",
    metadata,
    Column("id", String, primary_key=True),
    Column("kind", String, nullable=False),
    Column("session_id", String),
    Column("arguments", JSON, nullable=False),
    Column("state", String, nullable=False),
    Column("step", Text, nullable=False),
    Column("fraction", Float, nullable=False),
    Column("rate", Float),
    Column("left_s", Float),
    Column("message", Text),
    Column("result", JSON),
    Column("cancel", Boolean, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("started_at", UtcDateTime),
    Column("finished_at", UtcDateTime),
    Column("home", String),
    Column("host", Text),
    Column("worker", String),
)

worker_table = Table(
    "workers",
    metadata,
    Column("id", String, primary_key=True),
    Column("home", String, nullable=False),
    Column("host", Text, nullable=False),
    Column("folder", Text, nullable=False),
    Column("pid", Integer, nullable=False),
    Column("doing", JSON, nullable=False),
    Column("started_at", UtcDateTime, nullable=False),
    Column("seen_at", UtcDateTime, nullable=False),
)


@dataclass(frozen=True)
class Session:
    """One video, known by its content."""

    id: str
    """The content id of the video."""
    name: str
    """What people call it; the file's name without its suffix unless another was given."""
    path: Path
    """Where this workspace folder last saw the video, absolute; if it never did, where another one did. It may have
    been moved since."""
    facts: dict[str, Any]
    """What was read from the video (size, rate, duration, ...), as JSON values."""
    added_at: datetime
    """When it was first seen, UTC."""

    @classmethod
    def from_row(cls, row: RowMapping) -> Session:
        return cls(**{**row, "path": Path(row["path"])})


@dataclass(frozen=True)
class LabelRevision:
    """All labels of a session as one save left them."""

    session_id: str
    layer: str
    """Empty for the labels that count as true; else the name of a further annotator."""
    revision: int
    """1 for the first save of the layer, then one more each time, without gaps."""
    intervals: tuple[Interval, ...]
    """In order of their frames."""
    source: str
    """Where they come from: "cvat", "editor", "revision 3", ..."""
    author: str | None
    saved_at: datetime
    """UTC."""

    @classmethod
    def from_row(cls, row: RowMapping) -> LabelRevision:
        return cls(**{**row, "intervals": tuple(Interval(**interval) for interval in row["intervals"])})


@dataclass(frozen=True)
class ModelRecord:
    """A model file that the workspace keeps."""

    id: str
    name: str
    """Models may share a name: the newest of them goes by it, the older ones by their id."""
    path: Path
    """The file inside the workspace folder, which :meth:`core.workspace.Workspace.model` fetches if need be."""
    meta: dict[str, Any]
    """What is to be known without opening the file (metrics, training sessions, ...), as JSON values."""
    added_at: datetime
    """UTC."""

    @classmethod
    def from_row(cls, row: RowMapping, folder: Path) -> ModelRecord:
        # The name alone: what others have written into shared records names no file outside the folder.
        return cls(row["id"], row["name"], folder / Path(row["file"]).name, row["meta"], row["added_at"])


def interval_rows(intervals: Iterable[Interval]) -> list[dict[str, int | str]]:
    """Intervals as JSON rows in order of their frames. An event keeps its frames and label, not its confidence."""
    plain = sorted(Interval(int(i.start_frame), int(i.end_frame), i.label) for i in intervals)
    return [{"start_frame": i.start_frame, "end_frame": i.end_frame, "label": i.label} for i in plain]


def stored_json(value: Any) -> str:
    """JSON for the database; takes paths, dates, fractions, NumPy scalars and pydantic models too.

    NaN and infinity become null: an undefined metric is NaN, and PostgreSQL refuses it in JSON.
    """
    return pydantic_core.to_json(value, inf_nan_mode="null", fallback=_plain).decode()


def canonical_json(value: Any) -> str:
    """The same text for the same settings, whatever the order of their names. It tells infinity and NaN from null."""
    plain = pydantic_core.to_jsonable_python(value, fallback=_plain)
    return json.dumps(plain, sort_keys=True, separators=(",", ":"))


def _plain(value: Any) -> Any:
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(f"cannot be kept as JSON: {type(value).__name__}")
