"""Who changed which label when, as data and in words that somebody who films reads.

>>> [(one.author, one.before, one.after) for one in label_saves(workspace, session.id)[0].changes]  # doctest: +SKIP
[('Ann', Interval(10, 20, 'ollie'), Interval(10, 25, 'ollie'))]
>>> [line.text for line in told(label_saves(workspace, session.id)[0], video)]             # doctest: +SKIP
['moved ollie, end 0:00.70 → 0:00.86']

The words hold names from outside: they are on one line, short and without control characters, but whoever puts them
into a page has to escape them.
"""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import PurePosixPath, PureWindowsPath
from typing import Literal

from core.intervals import Interval
from core.labels import FORMATS
from core.labels.changes import Changes, changes
from core.records import LabelRevision
from core.timecode import clock
from core.video import Video
from core.workspace import Workspace

Kind = Literal["added", "removed", "moved", "renamed"]

_UNDO_REACH = 20
"""So many revisions before the asked ones are looked at for labels that came back: ten steps of undo."""
_UNDOABLE = {"editor": "in the app", "review": "on the Review page"}
"""Sources of saves that a person makes step by step, and where that is."""
_SOURCES = {"found by the detector": "taken over from the detector"}
_KINDS = {kind.SUFFIX: kind.NAME for kind in FORMATS} | {".json": "JSON", ".jsonl": "Label Studio JSON", ".txt": "text"}
"""What the ending says of a label file; that of JSON alone says little."""
_IMPORT, _RESTORED = "import of ", "revision "
_MAX_NAME = 60
_ALL, _FEW = 5, 3
"""As many changes of a kind are each told; of more than that the first few."""
_MAX_NEWS = 100
_MAX_PEOPLE = 3


@dataclass(frozen=True)
class LabelChange:
    """One label that one save added, removed, moved or renamed."""

    revision: int
    author: str | None
    source: str
    """As :attr:`core.records.LabelRevision.source`."""
    saved_at: datetime
    """UTC."""
    before: Interval | None
    """None where it was added."""
    after: Interval | None
    """None where it was removed."""

    @property
    def kind(self) -> Kind:
        """What was done to the label."""
        if self.before is None:
            return "added"
        if self.after is None:
            return "removed"
        return "moved" if self.before.label == self.after.label else "renamed"

    @property
    def at(self) -> Interval:
        """Where to look: what is labelled now, or was until it was removed."""
        return self.after or self.before or Interval(0, 0)


@dataclass(frozen=True)
class LabelSave:
    """One revision, and what it did to the one before."""

    revision: LabelRevision
    changes: tuple[LabelChange, ...]
    """In order of their frames."""
    undone_to: int | None
    """The revision whose labels these are again, where a person did that step by step, as undo does."""


@dataclass(frozen=True)
class Told:
    """A line about a save."""

    text: str
    at: Interval | None = None
    """Where to look; None where it is about many labels or none."""
    kind: Kind | None = None
    """What was done there."""


def label_saves(
    workspace: Workspace, session_id: str, layer: str = "", first: int = 1, last: int | None = None
) -> list[LabelSave]:
    """Every save of a layer and what it changed, the newest first.

    What moved is told apart as in :mod:`core.labels.changes`. A removed and an added label of the same frames are one
    that was renamed.

    Args:
        first, last: only revisions from this one to this one; None is the newest.
    """
    history = workspace.label_history(session_id, layer, max(1, first - _UNDO_REACH), last)
    asked = sum(one.revision >= first for one in history)
    saves = []
    for index, one in enumerate(history[:asked]):
        older = history[index + 1 : index + 1 + _UNDO_REACH]
        made = [
            LabelChange(one.revision, one.author, one.source, one.saved_at, *pair)
            for pair in _pairs(changes(older[0].intervals if older else (), one.intervals, sys.maxsize))
        ]
        undone_to = None
        if made and one.source in _UNDOABLE:
            undone_to = next((o.revision for o in older[1:] if o.intervals == one.intervals), None)
        saves.append(LabelSave(one, tuple(sorted(made, key=lambda change: change.at)), undone_to))
    return saves


def change_words(change: LabelChange, video: Video | None) -> str:
    """Such as ``moved kickflip, end 0:20.00 → 0:20.43``.

    Args:
        video: what the labels are of; None, or frames that it does not have, are told by their numbers.
    """
    before, after = change.before, change.after
    if before is None or after is None:
        return f"{change.kind} {_name(change.at.label)} {_stretch(change.at, video)}"
    if change.kind == "renamed":
        return f"renamed {_name(before.label)} to {_name(after.label)} at {_stretch(after, video)}"
    (start, end), (new_start, new_end) = _ends(before, video), _ends(after, video)
    if before.end_frame == after.end_frame:
        end_of, was, becomes = " start", start, new_start
    elif before.start_frame == after.start_frame:
        end_of, was, becomes = " end", end, new_end
    else:
        end_of, was, becomes = "", f"{start} – {end}", f"{new_start} – {new_end}"
    # A frame at 240 a second is shorter than the hundredth that a time shows.
    frames = f" (frames {_numbers(before)} → {_numbers(after)})" if was == becomes else ""
    return f"moved {_name(after.label)},{end_of} {was} → {becomes}{frames}"


def told(save: LabelSave, video: Video | None) -> list[Told]:
    """What a save changed, a line each; of many changes of a kind how many they are, and the first few.

    Args:
        video: as for :func:`change_words`.
    """
    lines = []
    for kind, group in _by_kind(save.changes).items():
        many = len(group) > _ALL
        if many:
            lines.append(Told(f"{kind} {len(group)} tricks, the first {_FEW}:"))
        lines += [Told(change_words(change, video), change.at, kind) for change in (group[:_FEW] if many else group)]
    return lines or [Told("nothing changed")]


def origin(save: LabelSave) -> str:
    """Where a save comes from, such as ``in the app`` or ``imported from park.xml (CVAT for video 1.1)``."""
    source = save.revision.source
    if where := _UNDOABLE.get(source):
        return where if save.undone_to is None else f"undone {where}, as in revision {save.undone_to}"
    if source.startswith(_IMPORT):
        return f"imported from {_file(source.removeprefix(_IMPORT))}"
    if source.startswith(_RESTORED):
        return f"restored from {_name(source)}"
    kind = _file_kind(source)
    return f"read from {_file(source)}" if kind else _SOURCES.get(source, _name(source))


def saved_by(save: LabelSave) -> str:
    """The author's name as it can stand in a sentence."""
    return _name(save.revision.author or "") or "Somebody"


def moment(at: datetime, zone: tzinfo | None = None, now: datetime | None = None) -> str:
    """When something was, as a person in this time zone says it: today's with the time alone.

    Args:
        at: aware.
        zone: None is this machine's.
        now: aware; None is the present.
    """
    local, today = at.astimezone(zone), (now or datetime.now(UTC)).astimezone(zone).date()
    days = {today: "", today - timedelta(days=1): "yesterday "}
    return f"{days.get(local.date(), f'{local:%Y-%m-%d} ')}{local:%H:%M:%S}"


def news(saves: Sequence[LabelSave], reader: str | None, video: Video | None, zone: tzinfo | None = None) -> str | None:
    """What others have done, in one line, such as ``Ann, 14:03:22: added ollie 0:12.40 – 0:13.10``; None if nothing.

    Args:
        saves: theirs, the newest first.
        reader: whose page it is told on.
        video, zone: as for :func:`change_words` and :func:`moment`.
    """
    by_person: dict[str, list[LabelSave]] = defaultdict(list)
    for save in saves:
        by_person[_who(save, reader)].append(save)
    lines = [
        f"{who}, {moment(theirs[0].revision.saved_at, zone)}: {_summary(theirs, video)}"
        for who, theirs in list(by_person.items())[:_MAX_PEOPLE]
    ]
    if len(by_person) > _MAX_PEOPLE:
        lines.append("others too, as the history says")
    return "; ".join(lines) or None


def saves_of_others(
    workspace: Workspace, session_id: str, layer: str, since: int, until: int, own: Collection[int]
) -> list[LabelSave]:
    """The saves after revision ``since`` and up to ``until`` that are not in ``own``, the newest first; of very many
    the newest hundred."""
    first = max(since + 1, until - _MAX_NEWS + 1)
    return [one for one in label_saves(workspace, session_id, layer, first, until) if one.revision.revision not in own]


def _pairs(compared: Changes) -> list[tuple[Interval | None, Interval | None]]:
    come: dict[tuple[int, int], list[Interval]] = defaultdict(list)
    for added in reversed(compared.added):
        come[added.start_frame, added.end_frame].append(added)
    pairs: list[tuple[Interval | None, Interval | None]] = list(compared.moved)
    for removed in compared.removed:
        same = come[removed.start_frame, removed.end_frame]
        pairs.append((removed, same.pop() if same else None))
    return pairs + [(None, added) for left in come.values() for added in left]


def _by_kind(some: Collection[LabelChange]) -> dict[Kind, list[LabelChange]]:
    kinds: dict[Kind, list[LabelChange]] = {"added": [], "removed": [], "moved": [], "renamed": []}
    for change in some:
        kinds[change.kind].append(change)
    return {kind: group for kind, group in kinds.items() if group}


def _summary(saves: Sequence[LabelSave], video: Video | None) -> str:
    made = [change for save in saves for change in save.changes]
    if len(made) == 1:
        return change_words(made[0], video)
    counts = {kind: len(group) for kind, group in _by_kind(made).items()}
    return ", ".join(f"{kind} {n} trick{'' if n == 1 else 's'}" for kind, n in counts.items()) or "nothing changed"


def _who(save: LabelSave, reader: str | None) -> str:
    if save.revision.author not in (None, reader):
        return saved_by(save)
    if save.revision.source == "editor":
        return "Another tab"
    words = origin(save)
    return words[:1].upper() + words[1:]


def _file(source: str) -> str:
    # The path may be another machine's, and its folders are nobody's business.
    name = _name(PureWindowsPath(PurePosixPath(source).name).name)
    kind = _file_kind(source)
    return f"{name} ({kind})" if kind else name


def _file_kind(source: str) -> str | None:
    fitting = [suffix for suffix in _KINDS if source.lower().endswith(suffix)]
    return _KINDS[max(fitting, key=len)] if fitting else None


def _name(text: str) -> str:
    plain = "".join(character for character in " ".join(text.split()) if character.isprintable())
    return plain if len(plain) <= _MAX_NAME else f"{plain[: _MAX_NAME - 1]}…"


def _stretch(interval: Interval, video: Video | None) -> str:
    return " – ".join(_ends(interval, video)) if _has(video, interval) else f"frames {_numbers(interval)}"


def _ends(interval: Interval, video: Video | None) -> tuple[str, str]:
    """When it begins, and when its last frame leaves the screen, as on the workbench."""
    if video is None or not _has(video, interval):
        return f"frame {interval.start_frame}", f"frame {interval.end_frame}"
    return clock(float(video.pts_s[interval.start_frame])), clock(video.end_of(interval.end_frame))


def _has(video: Video | None, interval: Interval) -> bool:
    return video is not None and interval.end_frame < video.n_frames


def _numbers(interval: Interval) -> str:
    return f"{interval.start_frame}–{interval.end_frame}"
