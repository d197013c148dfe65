"""What is one file a clip: the clip itself, an animation, a poster."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from core.animations import TooLong, write_animation
from core.clips import Clip, ClipPlan, cut_clip
from core.export.failures import in_a_sentence
from core.export.manifest import Crop, Folder, Plan, Written
from core.export.poster import write_poster
from core.export.skater import Skater
from core.ffmpeg import Progress, StopWish
from core.framing.crop import CropPath
from core.framing.render import cut_cropped
from core.framing.session import clip_path
from core.intervals import Event
from core.settings import ExportSettings
from core.video import Video

PieceKind = Literal["clips", "gif", "webp", "poster"]
_SUFFIXES: dict[PieceKind, str] = {"clips": ".mp4", "gif": ".gif", "webp": ".webp", "poster": ".jpg"}
PIECES: tuple[PieceKind, ...] = get_args(PieceKind)


@dataclass(frozen=True)
class Piece:
    """One file that is to be made of one clip's plan."""

    kind: PieceKind
    plan: ClipPlan
    target: Path
    video: Video
    folder: Folder
    settings: ExportSettings
    skater: Skater | None

    def make(self, progress: Progress, cancelled: StopWish) -> Written | str:
        """Write the file, unless an earlier export has finished it; raises as the functions that write each kind.

        Returns:
            What was written, or a sentence on why there can be no such file of this clip.
        """
        frame = self._peak() if self.kind == "poster" else None
        shown = self.plan if frame is None else _still(self.plan, frame, self.video)
        path = None
        if self.kind in ("clips", "poster"):
            bodies = self.skater.bodies if self.skater else None
            path = clip_path(bodies, self.video, shown, self.settings.framing)
        wanted = self._wanted(shown, path)
        finished: Clip | ClipPlan | Written | None = self.folder.finished(self.target, wanted)
        if not finished:
            try:
                with in_a_sentence(self.video, self.target.name):
                    finished = self._write(shown, path, progress, cancelled)
            except TooLong as error:
                return f"{self.target.name}: {error}"
        return Written(
            kind=self.kind,
            name=self.target.name,
            video=self.video.path.name,
            start_frame=finished.start_frame,
            end_frame=finished.end_frame,
            start_s=finished.start_s,
            end_s=finished.end_s,
            wanted_start_s=shown.start_s,
            label=self.plan.label,
            confidence=max((event.confidence for event in self.plan.events if isinstance(event, Event)), default=None),
            crop=_crop(path) if path else None,
            size=self.target.stat().st_size,
            notes=path.notes if path else (),
            plan=wanted,
        )

    def _write(
        self, shown: ClipPlan, path: CropPath | None, progress: Progress, cancelled: StopWish
    ) -> Clip | ClipPlan:
        if self.kind == "gif" or self.kind == "webp":
            write_animation(self.video, shown, self.target, self.kind, progress=progress, cancelled=cancelled)
        elif self.kind == "poster":
            write_poster(self.video, shown, self.target, path, progress, cancelled)
        elif path:
            encoder = self.settings.clips.encoder
            return cut_cropped(self.video, shown, path, self.target, progress, cancelled, encoder=encoder)
        else:
            clips = self.settings.clips
            return cut_clip(self.video, shown, self.target, clips.mode, progress, cancelled, encoder=clips.encoder)
        return shown

    def _wanted(self, shown: ClipPlan, path: CropPath | None) -> Plan:
        return Plan(
            start_frame=shown.start_frame,
            end_frame=shown.end_frame,
            mode=self.settings.clips.mode if self.kind == "clips" else "exact",
            aspect=self.settings.framing.aspect if path else "source",
            encoder=self.settings.clips.encoder if self.kind == "clips" else "software",
            made_of=path.digest() if path else None,
        )

    def _peak(self) -> int:
        """The frame that shows the likeliest of the clip's tricks best."""
        trick = max(self.plan.events, key=lambda event: event.confidence if isinstance(event, Event) else 0.0)
        trick = trick.pad(0, 0, self.video.n_frames - 1)
        return self.skater.peak(trick) if self.skater else (trick.start_frame + trick.end_frame) // 2


def pieces_of(
    plans: Sequence[ClipPlan],
    names: Sequence[str],
    video: Video,
    folder: Folder,
    settings: ExportSettings,
    skater: Skater | None,
) -> list[Piece]:
    """All that ``settings`` want of this sort, by kind and clip."""
    wanted = [
        (kind, plan, str(Path(name).with_suffix(_SUFFIXES[kind])))
        for kind in PIECES
        if kind in settings.kinds
        for plan, name in zip(plans, names, strict=True)
    ]
    targets = folder.targets([name for _, _, name in wanted])
    return [
        Piece(kind, plan, target, video, folder, settings, skater)
        for (kind, plan, _), target in zip(wanted, targets, strict=True)
    ]


def _still(plan: ClipPlan, frame: int, video: Video) -> ClipPlan:
    return ClipPlan(frame, frame, float(video.pts_s[frame]), video.end_of(frame), plan.events)


def _crop(path: CropPath) -> Crop:
    x, y = ((round(float(place.min()), 2), round(float(place.max()), 2)) for place in (path.x, path.y))
    return Crop(width=path.window[0], height=path.window[1], x=x, y=y)
