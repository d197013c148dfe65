"""A folder with one folder of clips for each class, or clips with a ``clips.csv`` beside them.

    ollie/a.mp4  ollie/b.mov  kickflip/c.mp4  clips.csv

``clips.csv`` has the columns ``path`` and ``label``, and may have ``scene`` and ``source`` (also empty): clips of one
scene, or else of one source, look alike in more than their trick, so they stay together in a split. Where labels are
numbers, a column ``name`` tells what they stand for. A file of which neither is told is a group of its own, and a note
says so.
"""

from __future__ import annotations

import csv
import io
from collections import Counter
from pathlib import Path

from core.errors import UserError
from core.labels.label_set import clean_label
from core.recognize.datasets.files import Videos, some, text_of, videos_under
from core.recognize.samples import ClipDataset, ClipSample

KIND = "folders"
TABLE = "clips.csv"
BY_FILE = "Each file of no known source counts as a source of its own: clips of one video may be on both sides."
"""The note on files that nobody said the source of."""


def recognises(path: Path) -> bool:
    """Any folder: so this one is asked last."""
    return path.is_dir()


def read(path: Path) -> ClipDataset:
    """The clips of a folder; the classes in the order of their names. Videos are not opened.

    Raises:
        UserError: no clip, a table that makes no sense, a name of a class that is no text.
    """
    videos = videos_under(path)
    table = path / TABLE
    samples, notes = _of_table(table, videos) if table.is_file() else _of_folders(path, videos)
    if not samples:
        raise UserError(
            f"{path.name} holds no clip: it needs one folder for each class with videos in it, or a {TABLE} that"
            " names them."
        )
    if any(sample.path == path / sample.group for sample in samples):
        notes.append(BY_FILE)
    if videos.unusable:
        notes.append(f"Left out, for they are empty or may not be read: {some(videos.unusable)}.")
    others = [name for name in videos.others if "/" in name]
    if others:
        notes.append(f"Left out, for they are no videos by their names: {some(others)}.")
    counts = Counter(sample.label for sample in samples)
    if lone := sorted(label for label, count in counts.items() if count == 1):
        notes.append(f"With one clip alone a class cannot be both taught and tested: {some(lone)}.")
    return ClipDataset(path.name, tuple(samples), tuple(sorted(counts)), tuple(notes))


def _of_folders(folder: Path, videos: Videos) -> tuple[list[ClipSample], list[str]]:
    samples, astray, filled = [], [], set[str]()
    for name, path in videos.by_path.items():
        label, _, rest = name.partition("/")
        if not rest or "/" in rest:
            astray.append(name)
            continue
        filled.add(label)
        samples.append(ClipSample(path, _label(label, f"{folder.name}/{label}"), group=name))
    notes = []
    if astray:
        notes.append(f"Left out, for they do not lie in the folder of a class: {some(astray)}.")
    empty = sorted(
        each.name for each in folder.iterdir() if each.is_dir() and each.name not in filled and each.name[0] != "."
    )
    if empty:
        notes.append(f"Folders without a clip are no classes: {some(empty)}.")
    return samples, notes


def _of_table(table: Path, videos: Videos) -> tuple[list[ClipSample], list[str]]:
    rows = csv.DictReader(io.StringIO(text_of(table), newline=""), strict=True)
    samples, missing, seen = [], [], set[Path]()
    try:
        columns = [name.strip().lower() for name in rows.fieldnames or ()]
        if not {"path", "label"} <= set(columns):
            raise ValueError("the header must name the columns path and label, and may name scene and source")
        rows.fieldnames = columns
        for row in rows:
            cells = {name: (cell or "").strip() for name, cell in row.items() if isinstance(name, str)}
            if None in row:
                raise ValueError("there are more cells than columns")
            if not cells["path"]:
                raise ValueError("the path is missing")
            path = videos.named(cells["path"])
            if path is None:
                missing.append(cells["path"])
                continue
            if path in seen:
                raise ValueError(f"{cells['path'][:60]} is listed twice")
            seen.add(path)
            text = cells.get("name") if cells["label"].isdigit() and cells.get("name") else cells["label"]
            label = _label(text or "", f"{table.name}, line {rows.line_num}")
            samples.append(ClipSample(path, label, _group(cells, path, table.parent)))
    except (ValueError, csv.Error) as error:
        raise UserError(f"{table.name}, line {rows.line_num}: {error}; correct that line and try again.") from None
    notes = []
    if missing:
        notes.append(f"{table.name} names clips that are not there, or several of that name: {some(missing)}.")
    unlisted = [name for name, path in videos.by_path.items() if path not in seen]
    if unlisted:
        notes.append(f"Left out, for {table.name} does not name them: {some(unlisted)}.")
    return samples, notes


def _group(cells: dict[str, str], path: Path, folder: Path) -> str:
    """The kind stands before the name, so that a scene and a source of one name stay two groups."""
    for kind in ("scene", "source"):
        if cells.get(kind):
            return f"{kind} {cells[kind]}"
    return path.relative_to(folder).as_posix()


def _label(text: str, where: str) -> str:
    try:
        return clean_label(text)
    except ValueError as error:
        raise UserError(f"{where}: {error}; rename it.") from None
