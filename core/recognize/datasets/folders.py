"""A folder with one folder of clips for each class, or clips with a ``clips.csv`` beside them.

    ollie/a.mp4  ollie/b.mov  kickflip/c.mp4  clips.csv

``clips.csv`` has the columns ``path`` and ``label``, and may have ``scene`` and ``source`` (also empty): clips of one
scene, or else of one source, look alike in more than their trick, so they stay together in a split. A source that is
the path of a clip in the folder is that clip: what was made from it is wherever that clip is. Where labels are
numbers, a column ``name`` tells what they stand for. A file of which neither is told is a group of its own, and a note
says so. What a column ``copy_of`` tells the original of is a changed copy, which nothing is judged by; it is the source
where no other is told.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping
from pathlib import Path

from core.atomic import atomic_path
from core.errors import UserError
from core.labels.label_set import clean_label
from core.recognize.datasets.files import Videos, some, text_of, videos_under
from core.recognize.samples import ClipDataset, ClipSample

KIND = "folders"
TABLE = "clips.csv"
_KINDS = ("scene", "source")
"""Columns that tell the group, the first that is filled."""
_COPY = "copy_of"
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
    classes = tuple(sorted({sample.label for sample in samples}))
    return ClipDataset(path.name, tuple(samples), classes, tuple(notes))


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
    told, missing = dict[Path, tuple[str, dict[str, str]]](), list[str]()
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
            if path in told:
                raise ValueError(f"{cells['path'][:60]} is listed twice")
            text = cells.get("name") if cells["label"].isdigit() and cells.get("name") else cells["label"]
            told[path] = _label(text or "", f"{table.name}, line {rows.line_num}"), cells
    except (ValueError, csv.Error) as error:
        raise UserError(f"{table.name}, line {rows.line_num}: {error}; correct that line and try again.") from None
    groups = _groups({path: cells for path, (_, cells) in told.items()}, videos, table.parent)
    samples = [
        ClipSample(path, label, groups[path], copy_of=cells.get(_COPY) or None) for path, (label, cells) in told.items()
    ]
    notes = []
    if missing:
        notes.append(f"{table.name} names clips that are not there, or several of that name: {some(missing)}.")
    unlisted = [name for name, path in videos.by_path.items() if path not in told]
    if unlisted:
        notes.append(f"Left out, for {table.name} does not name them: {some(unlisted)}.")
    return samples, notes


def write_table(folder: Path, samples: Iterable[ClipSample]) -> None:
    """Write the ``clips.csv`` of clips in a folder, so that what reads it finds them in the groups that they are in.

    Raises:
        UserError: the folder cannot be written to.
    """
    with atomic_path(folder / TABLE) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(["path", "label", *_KINDS, _COPY])
        for sample in samples:
            kind, name = kind_and_name(sample.group)
            told = [name if kind == each else "" for each in _KINDS]
            table.writerow([sample.path.relative_to(folder).as_posix(), sample.label, *told, sample.copy_of or ""])


def kind_and_name(group: str) -> tuple[str, str]:
    """The column of a table that tells a group, and what it says there, for groups of any kind of data set.

    >>> kind_and_name("scene park"), kind_and_name("ollie/a.mp4")
    (('scene', 'park'), ('source', 'ollie/a.mp4'))
    """
    kind, _, name = group.partition(" ")
    return (kind, name) if kind in _KINDS and name else ("source", group)


def _groups(rows: Mapping[Path, Mapping[str, str]], videos: Videos, folder: Path) -> dict[Path, str]:
    """Of each row: a source that is a clip is followed to the group of that clip."""
    groups: dict[Path, str] = {}
    for path in rows:
        passed = dict[Path, None]()
        while path not in groups:
            passed[path] = None
            told = _made_from(rows.get(path, {}), videos)
            if isinstance(told, Path) and told not in passed:
                path = told
            else:  # also the end of clips that are said to be made from each other
                groups[path] = told if isinstance(told, str) else path.relative_to(folder).as_posix()
        groups |= dict.fromkeys(passed, groups[path])
    return groups


def _made_from(cells: Mapping[str, str], videos: Videos) -> str | Path | None:
    """A group, the clip whose group it is, or None.

    The kind stands before the name, so that a scene and a source of one name stay two groups.
    """
    if scene := cells.get("scene"):
        return f"scene {scene}"
    source = cells.get("source") or cells.get(_COPY)
    return (videos.named(source) or f"source {source}") if source else None


def _label(text: str, where: str) -> str:
    try:
        return clean_label(text)
    except ValueError as error:
        raise UserError(f"{where}: {error}; rename it.") from None
