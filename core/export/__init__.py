"""Clips, reels, pictures and edit lists of known events in one folder, with a manifest that says what is what.

>>> done = export(video, content, events, Path("clips"), settings, skater)                 # doctest: +SKIP
>>> [file.name for file in done.files], done.notes                                         # doctest: +SKIP
(['park_01_ollie.mp4', 'park_02_kickflip.mp4'], ())
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.atomic import check_folder
from core.clips import ClipPlan, plan_clips
from core.edit_lists import EDIT_LISTS
from core.encoders import hardware
from core.export.manifest import Folder, Written
from core.export.names import clip_names
from core.export.overviews import contact_sheet, edit_list
from core.export.parallel import side_by_side
from core.export.pieces import pieces_of
from core.export.reels import reel
from core.export.skater import Skater
from core.ffmpeg import Progress, StopWish
from core.intervals import Interval
from core.reel.sound import check_music
from core.settings import ExportSettings
from core.video import Video

__all__ = ["Export", "Skater", "Written", "check", "export"]

_SHARES = {"contact": 0.2, "reel": 3.0}
"""Of the work, for each event; a clip is 1."""


@dataclass(frozen=True)
class Export:
    """What was exported."""

    video: Video
    out: Path
    files: tuple[Written, ...]
    """In the order of ``ExportSettings.kinds``, those of one kind in order of time; those that were there already,
    too."""
    manifest: Path | None
    """None where there was nothing to export."""
    notes: tuple[str, ...]
    """Sentences for the user: what a file is about, and what could not be as wished."""

    @property
    def clips(self) -> tuple[Written, ...]:
        """The clips among the files."""
        return tuple(file for file in self.files if file.kind == "clips")

    def to_json(self) -> dict[str, Any]:
        """The object that ``trickline export --json`` prints."""
        listed = [
            {"kind": file.kind, "path": str(self.out / file.name), **file.model_dump(exclude={"kind", "name", "plan"})}
            for file in self.files
        ]
        if self.manifest:
            size = self.manifest.stat().st_size
            listed.append(
                {"kind": "manifest", "path": str(self.manifest), "start_s": None, "end_s": None, "size": size}
            )
        return {
            "video": str(self.video.path),
            "clips": [
                {"path": str(self.out / clip.name), "start_s": round(clip.start_s, 6), "end_s": round(clip.end_s, 6)}
                for clip in self.clips
            ],
            "files": listed,
            "notes": list(self.notes),
        }


def export(
    video: Video,
    content: str,
    events: Sequence[Interval],
    out: Path,
    settings: ExportSettings | None = None,
    skater: Skater | None = None,
    stars: Mapping[Interval, int] | None = None,
    progress: Progress | None = None,
    cancelled: StopWish | None = None,
) -> Export:
    """Write what ``settings`` want of ``events`` into the folder ``out``.

    What an earlier export has finished is not made again, and files that none has written are not touched. Files are
    made a few at a time; when one fails, those that are finished stay.

    Args:
        content: id of the video's content.
        events: of this very video; without any nothing is written.
        skater: where he was seen; without him a crop stays in the middle and a poster shows the middle of the trick.
        stars: how well events are liked, 0 to 5, where that was said.
        progress: told the share of all that is done.

    Raises:
        UserError: an event begins after the last frame, a name is impossible, nothing can be written, or as
            :func:`core.clips.cut_clip`, :func:`core.reel.make_reel` and the functions for the other kinds.
        Cancelled: ``cancelled`` said so; finished files stay, nothing half-written does.
    """
    settings, out, stars = settings or ExportSettings(), out.absolute(), stars or {}
    plans, names = check(video, events, out, settings)
    if not plans:
        return Export(video, out, (), None, (f"There are no tricks of {video.path.name} to export.",))
    folder, files, notes = Folder(out, video, content), list[Written](), list[str]()

    def add(file: Written) -> None:
        files.append(file)
        folder.add(file)

    todo = pieces_of(plans, names, video, folder, settings, skater)
    # Lists take no time, and an editor can work with them while the rest is made.
    clips = [piece.target.stem for piece in todo if piece.kind == "clips"] or [Path(name).stem for name in names]
    for kind in settings.kinds:
        if kind in EDIT_LISTS:
            add(edit_list(kind, plans, clips, video, folder, stars))
    exact = "clips" in settings.kinds and settings.clips.mode == "exact"
    if exact and settings.clips.encoder == "hardware" and hardware() is None:
        notes.append("No hardware encoder works here: the clips were encoded in software.")
    told = _Told(progress, len(todo) + sum(_SHARES[kind] * len(events) for kind in _SHARES if kind in settings.kinds))
    refused: dict[int, str] = {}

    def made(number: int, piece: Written | str) -> None:
        if isinstance(piece, str):
            refused[number] = piece
        else:
            add(piece)

    if todo:
        side_by_side([piece.make for piece in todo], made, told.part(len(todo)), cancelled)
    notes += [sentence for _, sentence in sorted(refused.items())]
    if "contact" in settings.kinds:
        report = told.part(_SHARES["contact"] * len(events))
        for page in contact_sheet(events, plans, video, folder, skater, stars, report, cancelled):
            add(page)
    if "reel" in settings.kinds:
        add(
            reel(
                events,
                plans,
                video,
                folder,
                settings,
                skater,
                stars,
                told.part(_SHARES["reel"] * len(events)),
                cancelled,
            )
        )
    files.sort(key=lambda file: (settings.kinds.index(file.kind), file.start_frame, file.end_frame))
    notes += [f"{file.name}: {note}" for file in files for note in file.notes]
    return Export(video, out, tuple(files), folder.manifest, tuple(notes))


def check(
    video: Video, events: Sequence[Interval], out: Path, settings: ExportSettings
) -> tuple[list[ClipPlan], list[str]]:
    """Learn of mistakes before anything slow is done, such as looking for the skater.

    Returns:
        The plans of the clips and their file names.

    Raises:
        UserError: an event begins after the last frame, a name is impossible, nothing can be written into the folder,
            or the reel's music cannot be played.
    """
    plans = plan_clips(events, video, settings.clips)
    names = clip_names(settings.name, video.path, plans)
    check_folder(out)
    if "reel" in settings.kinds and settings.reel.music:
        check_music(settings.reel.music)
    return plans, names


class _Told:
    """Tells the progress of parts one after the other as one."""

    def __init__(self, progress: Progress | None, whole: float) -> None:
        self._progress, self._whole, self._finished = progress, whole, 0.0

    def part(self, size: float) -> Progress:
        """Where the next part, of this share of the whole, says how much of it is done."""
        before = self._finished
        self._finished += size

        def say(done: float) -> None:
            if self._progress:
                self._progress((before + size * done) / self._whole)

        return say
