"""Found tricks as files that video editors open: they cut there, and the footage stays where it is.

    >>> written = write_edit_list("otio", events, video, Path("tricks.otio"))    # doctest: +SKIP
    >>> written.entries, written.notes                                           # doctest: +SKIP
    (12, ())

Timelines (OTIO, EDL, XML) hold the tricks back to back and point to the video; see :mod:`core.edit_lists.timeline` for
how exact they are. The other formats tell where in the video the tricks are. A new format is one module here with what
:class:`~core.edit_lists.timeline.Format` lists, and a line in ``_FORMATS``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Literal

from core.atomic import atomic_path
from core.clips import ClipPlan, clip_name
from core.edit_lists import edl, fcpxml, ffmetadata, losslesscut, otio, table, xmeml, youtube
from core.edit_lists.timeline import Entry, Format, Found, Selection, one_line
from core.errors import UserError
from core.intervals import Event, Interval
from core.video import Video

__all__ = ["EDIT_LISTS", "EditList", "EditListFormat", "write_edit_list"]

EditListFormat = Literal["otio", "edl", "xmeml", "fcpxml", "llc", "chapters", "ffmetadata", "csv"]
_FORMATS: dict[EditListFormat, Format] = {
    "otio": otio,
    "edl": edl,
    "xmeml": xmeml,
    "fcpxml": fcpxml,
    "llc": losslesscut,
    "chapters": youtube,
    "ffmetadata": ffmetadata,
    "csv": table,
}
EDIT_LISTS: dict[EditListFormat, tuple[str, str]] = {key: (kind.SUFFIX, kind.NAME) for key, kind in _FORMATS.items()}
"""Of each format the ending of its files, with the dot, and what it is in human words."""


@dataclass(frozen=True)
class EditList:
    """A list that was written."""

    path: Path
    format: EditListFormat
    entries: int
    """How many clips, rows or chapters it has; chapters that are too short share one."""
    rate: Fraction | None
    """Frames a second of its timeline; None where it tells seconds."""
    notes: tuple[str, ...]
    """Sentences for the user: what could not be exact, and what to choose when it is opened."""


def write_edit_list(
    format: EditListFormat,
    clips: Sequence[Interval | ClipPlan],
    video: Video,
    path: str | Path,
    *,
    stars: Mapping[Interval, int] | None = None,
    names: Sequence[str] | None = None,
    media_path: str | Path | None = None,
) -> EditList:
    """Write tricks of one video as a list for an editor. The file appears whole or not at all; an older one goes.

    Args:
        format: a key of ``EDIT_LISTS``.
        clips: events, or the plans of clips made for them (padded, joined), all of this video. Timelines keep their
            order; chapters are in order of time.
        video: the footage, which still has to be there.
        path: where to; missing folders are made.
        stars: how good events are, 0 to 5, where that was said; 0 is none said.
        names: of the exported clips, without their endings; :func:`core.clips.clip_name`'s if None.
        media_path: where the editor finds the video, if not at ``video.path``.

    Raises:
        UserError: there is no clip, one begins after the last frame, the format cannot hold so many, the footage is
            gone, or the file cannot be written.
    """
    path, media = Path(path), Path(media_path or video.path).absolute()
    if path.resolve() == video.path.resolve():
        raise UserError(f"{path} is the footage itself: choose another name or folder for the list.")
    if not clips:
        raise UserError(f"No tricks of {video.path.name} were chosen, so there is nothing to write: choose some first.")
    entries = tuple(_entry(clip, video, stars or {}) for clip in clips)
    document = _FORMATS[format].compose(Selection(video, media, entries, tuple(names or _names(media, entries))))
    with atomic_path(path) as temporary:
        temporary.write_text(document.text, encoding="utf-8", newline="")
    return EditList(path, format, document.entries, document.rate, document.notes)


def _names(media: Path, entries: Sequence[Entry]) -> list[str]:
    return [
        clip_name(media, number, entry.plan.label).removesuffix(".mp4") for number, entry in enumerate(entries, start=1)
    ]


def _entry(clip: Interval | ClipPlan, video: Video, stars: Mapping[Interval, int]) -> Entry:
    last_frame = video.n_frames - 1
    if clip.start_frame > last_frame:
        raise UserError(
            f"{video.path.name} ends at frame {last_frame}, but a {one_line(clip.label)} is to begin at frame "
            f"{clip.start_frame}: check that these tricks belong to this video."
        )
    if isinstance(clip, Interval):
        end_frame = min(clip.end_frame, last_frame)
        start_s, end_s = float(video.pts_s[clip.start_frame]), video.end_of(end_frame)
        plan = ClipPlan(clip.start_frame, end_frame, start_s, end_s, (clip,))
    else:
        plan = clip
    rated = [stars[event] for event in plan.events if stars.get(event)]
    return Entry(
        plan,
        one_line(plan.label) or "trick",
        tuple(_found(event, stars, last_frame) for event in plan.events),
        max((event.confidence for event in plan.events if isinstance(event, Event)), default=None),
        max(rated, default=None),
    )


def _found(event: Interval, stars: Mapping[Interval, int], last_frame: int) -> Found:
    facts = [f"confidence {event.confidence:.2f}"] if isinstance(event, Event) else []
    if stars.get(event):
        facts.append(f"{stars[event]} of 5 stars")
    within = replace(event, end_frame=min(event.end_frame, last_frame))
    return Found(within, one_line(event.label) or "trick", ", ".join(facts))
