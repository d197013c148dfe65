"""Clips, animations, edit lists and contact sheets of known events in one folder, with a manifest that says what is
what.

>>> done = export(video, events, workspace, Path("clips"), ExportOptions(aspect="9:16"))   # doctest: +SKIP
>>> [file.name for file in done.files], done.notes                                         # doctest: +SKIP
(['park_01_ollie.mp4', 'park_02_kickflip.mp4'], ())
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import numpy as np

from core import pipeline
from core.animations import write_animation
from core.atomic import check_folder
from core.clips import Clip, ClipPlan, cut_clip, plan_clips
from core.content import content_id
from core.edit_lists import EDIT_LISTS
from core.errors import UserError
from core.export.manifest import ClipKind, Crop, Folder, Kind, Plan, Written
from core.export.names import DEFAULT_NAME, clip_names
from core.export.overviews import contact_sheet, edit_list
from core.framing import Aspect
from core.framing.bodies import Bodies, look_at_bodies
from core.framing.crop import CropPath, crop_path
from core.framing.render import cut_cropped
from core.intervals import Event, Interval
from core.pipeline import Cancel, Progress
from core.settings import ClipSettings
from core.video import Video

if TYPE_CHECKING:
    from core.workspace import Workspace

__all__ = ["KINDS", "Export", "ExportOptions", "Written", "export"]

KINDS: tuple[Kind, ...] = ("clips", *EDIT_LISTS, "gif", "webp", "contact")
"""What can be exported."""
_CLIP_SUFFIXES: dict[ClipKind, str] = {"clips": ".mp4", "gif": ".gif", "webp": ".webp"}
"""Of the kinds that are one file a clip."""
_DIGEST_STEPS = 100
"""Parts of a pixel that make a crop another one."""


@dataclass(frozen=True)
class ExportOptions:
    """What is exported, and how.

    Raises:
        UserError: the options cannot go together, or one is unknown.
    """

    kinds: tuple[Kind, ...] = ("clips",)
    aspect: Aspect = "source"
    """With another than ``source`` clips are cropped around the skater, and exact. Animations and contact sheets show
    the whole picture."""
    clips: ClipSettings = field(default_factory=ClipSettings)
    name: str = DEFAULT_NAME
    """See :func:`core.export.names.clip_names`."""

    def __post_init__(self) -> None:
        unknown = [kind for kind in self.kinds if kind not in KINDS]
        if unknown or not self.kinds:
            wrong = f"{unknown[0][:40]!r} is no kind of file that is exported" if unknown else "Nothing is chosen"
            raise UserError(f"{wrong}: choose from {', '.join(KINDS)}.")
        if self.aspect not in get_args(Aspect):
            raise UserError(f"{self.aspect!r} is no shape of clips: choose from {', '.join(get_args(Aspect))}.")
        if self.aspect != "source" and self.clips.mode == "fast":
            raise UserError("A fast clip is a copy and cannot be cropped: choose exact, or the source's shape.")


@dataclass(frozen=True)
class Export:
    """What was exported."""

    video: Video
    out: Path
    files: tuple[Written, ...]
    """In the order of ``ExportOptions.kinds``, clips and animations in order of time; those that were there
    already, too."""
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
                {"path": str(self.out / clip.name), "start_s": clip.start_s, "end_s": clip.end_s} for clip in self.clips
            ],
            "files": listed,
            "notes": list(self.notes),
        }


def export(
    video: Video,
    events: Sequence[Interval],
    workspace: Workspace,
    out: Path,
    options: ExportOptions | None = None,
    progress: Progress | None = None,
    cancelled: Cancel | None = None,
) -> Export:
    """Write what ``options`` want of ``events`` into the folder ``out``.

    Clips and animations that an earlier export has finished are not made again, and files that none has written are not
    touched. For a crop the skater is taken from the workspace; where nobody has looked for him yet, that is done first.

    Args:
        events: of this very video; without any nothing is written.
        progress: told the step and how much of it is done.

    Raises:
        UserError: an event begins after the last frame, a name is impossible, nothing can be written, or as
            :func:`core.pipeline.look`, :func:`core.clips.cut_clip` and :func:`core.animations.write_animation`.
        Cancelled: ``cancelled`` said so; finished files stay, nothing half-written does.
    """
    options, out = options or ExportOptions(), out.absolute()
    plans = plan_clips(events, video, options.clips)
    if not plans:
        return Export(video, out, (), None, (f"There are no tricks of {video.path.name} to export.",))
    names = clip_names(options.name, video.path, plans)
    check_folder(out)
    content = content_id(video.path)
    folder = Folder(out, video, content)
    bodies = None
    if "clips" in options.kinds and options.aspect != "source":
        bodies = _bodies(video, content, workspace, progress, cancelled)
    files: list[Written] = []

    def add(file: Written) -> None:
        files.append(file)
        folder.add(file)

    kinds = list(dict.fromkeys(options.kinds))
    told = _Told(progress, sum(len(plans) if kind in _CLIP_SUFFIXES else kind == "contact" for kind in kinds))
    for kind in kinds:
        if kind == "clips" or kind == "gif" or kind == "webp":
            for plan, name in zip(plans, names, strict=True):
                target = folder.target(str(Path(name).with_suffix(_CLIP_SUFFIXES[kind])))
                path = _path(video, plan, bodies, options.aspect) if bodies and kind == "clips" else None
                add(_cut(kind, video, plan, path, target, folder, options, told.part, cancelled))
                told.next()
        elif kind == "contact":
            for page in contact_sheet(events, plans, video, folder, told.part, cancelled):
                add(page)
            told.next()
        else:
            add(edit_list(kind, plans, video, folder))
    notes = tuple(f"{file.name}: {note}" for file in files for note in file.notes)
    return Export(video, out, tuple(files), folder.manifest, notes)


class _Told:
    """Tells the progress of parts one after the other as one."""

    def __init__(self, progress: Progress | None, parts: int) -> None:
        self._progress, self._parts, self._finished = progress, parts, 0

    def part(self, done: float) -> None:
        """So much of the present part is done, 0 to 1."""
        if self._progress:
            self._progress("cutting", (self._finished + done) / self._parts)

    def next(self) -> None:
        """The present part is done."""
        self._finished += 1
        self.part(0.0)


def _bodies(
    video: Video, content: str, workspace: Workspace, progress: Progress | None, cancelled: Cancel | None
) -> Bodies:
    """The skater, as the workspace has him or as he is seen now."""
    settings, seen = workspace.settings(content), None
    if any(session.id == content for session in workspace.sessions()):
        seen = pipeline.kept(workspace.session_for(video.path), workspace, settings.guardrails)
    if seen is None:
        seen = pipeline.look(video.path, workspace, settings.pose, settings.guardrails, progress, cancelled)
    return look_at_bodies(seen.signals, seen.pose, seen.camera, video.info.width / video.info.height)


def _cut(
    kind: ClipKind,
    video: Video,
    plan: ClipPlan,
    path: CropPath | None,
    target: Path,
    folder: Folder,
    options: ExportOptions,
    progress: Callable[[float], None],
    cancelled: Cancel | None,
) -> Written:
    wanted = Plan(
        start_frame=plan.start_frame,
        end_frame=plan.end_frame,
        mode=options.clips.mode if kind == "clips" else "exact",
        aspect=options.aspect if kind == "clips" else "source",
        path=_digest(path) if path else None,
    )
    shown: Clip | ClipPlan | Written | None = folder.finished(target, wanted)
    if not shown and kind != "clips":
        write_animation(video, plan, target, kind, progress=progress, cancelled=cancelled)
        shown = plan
    elif not shown and path:
        shown = cut_cropped(video, plan, path, target, progress, cancelled)
    elif not shown:
        shown = cut_clip(video, plan, target, options.clips.mode, progress, cancelled)
    return Written(
        kind=kind,
        name=target.name,
        video=video.path.name,
        start_frame=shown.start_frame,
        end_frame=shown.end_frame,
        start_s=shown.start_s,
        end_s=shown.end_s,
        wanted_start_s=plan.start_s,
        label=plan.label,
        confidence=max((event.confidence for event in plan.events if isinstance(event, Event)), default=None),
        crop=_crop(path) if path else None,
        size=target.stat().st_size,
        notes=path.notes if path else (),
        plan=wanted,
    )


def _path(video: Video, plan: ClipPlan, bodies: Bodies, aspect: Aspect) -> CropPath:
    picture, frames = (video.info.width, video.info.height), Interval(plan.start_frame, plan.end_frame)
    return crop_path(bodies, picture, video.pts_s, frames, plan.events, aspect)


def _crop(path: CropPath) -> Crop:
    x, y = ((round(float(place.min()), 2), round(float(place.max()), 2)) for place in (path.x, path.y))
    return Crop(width=path.window[0], height=path.window[1], x=x, y=y)


def _digest(path: CropPath) -> str:
    places = np.stack([path.x, path.y, path.width, path.height])
    return blake2b(np.round(places * _DIGEST_STEPS).astype("<i8").tobytes(), digest_size=8).hexdigest()
