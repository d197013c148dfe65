"""Which files are chapters of one recording, by their names, and by their times where names say too little."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from pathlib import Path

import av

from core.chapters.names import Names, chapter_name
from core.video import picture_stream

_TOLERANCE_S = 2.0
"""Creation times are whole seconds, and cameras write them some moments after the first frame."""
_SAME_RATE = 0.0005
"""Share by which two average rates may differ: 24 and 24000/1001 differ by 0.001."""


def chapter_groups(paths: Sequence[Path], names: Names | None = None) -> list[tuple[Path, ...]]:
    """Chapters of one recording together and in order, every path once, in the given order of the first ones.

    GoPro chapters of one folder follow each other by name; a missing one parts them, and :func:`missing_chapters` says
    so; where two cameras have given the same name none is joined, as :func:`mixed_up` says. Others are joined only
    where their names differ by one in the last number (``DJI_0001``, ``DJI_0002``) and all this holds: size, codec,
    rate and ending are equal, and the next one's creation time lies within 2 s of the end of the one before (creation
    time and duration as the header says; a file without is alone). Only the headers of files with such names are read;
    one that cannot be read is alone.

    Args:
        names: what files were called that are called otherwise now.
    """
    paths = list(dict.fromkeys(paths))
    after: dict[Path, Path] = {}
    mixed = _mixed(paths, names)
    for series, members in _by_series(paths, names).items():
        if series in mixed:
            continue
        for number, (path, _) in members.items():
            if following := _following(members, number):
                after[path] = following
    groups, later = [], set(after.values())
    for path in paths:
        if path not in later:
            group = [path]
            while group[-1] in after:
                group.append(after[group[-1]])
            groups.append(tuple(group))
    return groups


def recording_of(path: Path, among: Iterable[Path], names: Names | None = None) -> tuple[Path, ...]:
    """The chapters of the recording that ``path`` belongs to, in order, of which ``among`` may hold the others.

    As :func:`chapter_groups` has them; but only the headers of files next to it are read, however many there are.
    """
    name = chapter_name(path, names)
    if name is None:
        return (path,)
    members, first, last = _by_series([path, *among], names)[name.series], name.number, name.number
    while first - 1 in members and _following(members, first - 1):
        first -= 1
    while _following(members, last):
        last += 1
    return tuple(members[number][0] for number in range(first, last + 1))


def may_go_on(
    groups: Iterable[tuple[Path, ...]], others: Iterable[Path], names: Names | None = None
) -> list[tuple[Path, ...]]:
    """Those recordings of which one more chapter may be among ``others``, as far as names tell.

    Of a GoPro's recording each with its number may be; of others what comes just before or just after.
    """
    numbers: defaultdict[tuple[str, ...], set[int]] = defaultdict(set)
    for other in others:
        if name := chapter_name(other, names):
            numbers[name.series].add(name.number)
    found = []
    for group in groups:
        first, last = chapter_name(group[0], names), chapter_name(group[-1], names)
        if first is None or last is None or first.series not in numbers:
            continue
        if first.by_name or numbers[first.series] & {first.number - 1, last.number + 1}:
            found.append(group)
    return found


def may_belong(path: Path, chapters: Sequence[Path]) -> bool:
    """Whether ``path`` may be one more chapter of a recording; as :func:`may_go_on`, for one of each."""
    return bool(may_go_on([tuple(chapters)], [path]))


def missing_chapters(groups: Iterable[tuple[Path, ...]], names: Names | None = None) -> list[str]:
    """A sentence for every recording of a GoPro of which a later chapter is among ``groups``, but one before it is
    neither there, nor in the folder, nor among ``names``."""
    found: defaultdict[tuple[str, ...], dict[int, Path]] = defaultdict(dict)
    for path in (path for group in groups for path in group):
        name = chapter_name(path, names)
        if name and name.by_name:
            found[name.series][name.number] = path
    sentences = []
    for series, chapters in found.items():
        numbers = sorted(chapters)
        lacking = sorted(set(range(1, numbers[-1])) - set(numbers))
        if lacking:
            beside = _by_series([*_files_in(chapters[numbers[0]].parent), *(names or ())], names)[series]
            lacking = [number for number in lacking if number not in beside]
        if lacking:
            told = ", ".join(map(str, lacking[:5])) + (", ..." if len(lacking) > 5 else "")
            sentences.append(
                f"Chapter{'s' if len(lacking) > 1 else ''} {told} of the recording that goes on in "
                f"{chapters[min(number for number in numbers if number > lacking[0])].name} "
                f"{'are' if len(lacking) > 1 else 'is'} not there: copy what is missing from the card, or the parts "
                "stay apart."
            )
    return sentences


def mixed_up(groups: Iterable[tuple[Path, ...]], names: Names | None = None) -> list[str]:
    """A sentence for every name of a GoPro that two files have of which chapters are among ``groups``."""
    return [
        f"Two files are called {path.name}, as where two cameras count alike, so that their names do not tell which "
        "chapters belong together: they stay apart. To have them joined, add the files of one camera at a time."
        for path in _mixed([path for group in groups for path in group], names).values()
    ]


def same_rate(one: Fraction, other: Fraction) -> bool:
    """Whether two average frame rates are those of one camera."""
    return abs(one / other - 1) < _SAME_RATE


def _mixed(paths: Iterable[Path], names: Names | None) -> dict[tuple[str, ...], Path]:
    """The recordings of a GoPro, by series, of which two files have one number and others another, and such a file."""
    found: defaultdict[tuple[str, ...], dict[int, Path]] = defaultdict(dict)
    twice: dict[tuple[str, ...], Path] = {}
    for path in paths:
        name = chapter_name(path, names)
        if name and name.by_name and found[name.series].setdefault(name.number, path) != path:
            twice.setdefault(name.series, path)
    return {series: path for series, path in twice.items() if len(found[series]) > 1}


def _by_series(
    paths: Iterable[Path], names: Names | None
) -> defaultdict[tuple[str, ...], dict[int, tuple[Path, bool]]]:
    """By series and number each path, and whether its name alone says what belongs together."""
    series: defaultdict[tuple[str, ...], dict[int, tuple[Path, bool]]] = defaultdict(dict)
    for path in paths:
        name = chapter_name(path, names)
        if name:
            series[name.series].setdefault(name.number, (path, name.by_name))
    return series


def _following(members: dict[int, tuple[Path, bool]], number: int) -> Path | None:
    """The next of a series if the recording goes on in it."""
    if number + 1 not in members:
        return None
    (path, by_name), (following, _) = members[number], members[number + 1]
    return following if by_name or _goes_on(path, following) else None


def _files_in(folder: Path) -> list[Path]:
    try:
        return [folder / name for name in os.listdir(folder)]
    except OSError:
        return []


def _goes_on(path: Path, following: Path) -> bool:
    """Whether two headers say that the second file begins where the first one ends."""
    headers = [_header(path), _header(following)]
    before, after = headers
    return (
        before is not None
        and after is not None
        and before[:3] == after[:3]
        and same_rate(before[3], after[3])
        and abs((after[4] - before[4] - before[5]).total_seconds()) <= _TOLERANCE_S
    )


def _header(path: Path) -> tuple[str, int, int, Fraction, datetime, timedelta] | None:
    """Codec, width, height, rate, when it was begun and how long it is; None where a file does not say all of it."""
    try:
        with av.open(str(path.absolute()), metadata_errors="ignore") as container:
            stream = picture_stream(container)
            if stream is None or stream.codec_context is None or not stream.average_rate or not container.duration:
                return None
            began = datetime.fromisoformat(container.metadata["creation_time"])
            if began.tzinfo is None:  # as other programs than cameras write it
                began = began.replace(tzinfo=UTC)
            lasts = timedelta(microseconds=container.duration)
            context = stream.codec_context
            return context.codec.canonical_name, context.width, context.height, stream.average_rate, began, lasts
    except (av.FFmpegError, OSError, KeyError, ValueError):
        return None
