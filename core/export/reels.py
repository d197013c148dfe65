"""The best of a session in one video."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from hashlib import blake2b
from pathlib import Path

from core.clips import ClipPlan, session_part
from core.content import content_id
from core.export.failures import in_a_sentence
from core.export.manifest import Folder, Plan, Written
from core.export.overviews import overview
from core.export.skater import Skater
from core.ffmpeg import Progress, StopWish
from core.framing import Aspect
from core.framing.crop import CropPath, crop_path
from core.intervals import Event, Interval
from core.reel import Moment, make_reel
from core.settings import ExportSettings
from core.video import Video


def reel(
    events: Sequence[Interval],
    plans: Sequence[ClipPlan],
    video: Video,
    folder: Folder,
    settings: ExportSettings,
    skater: Skater | None,
    stars: Mapping[Interval, int],
    progress: Progress | None = None,
    cancelled: StopWish | None = None,
) -> Written:
    """Make the reel, unless an earlier export has finished this very one; raises as :func:`core.reel.make_reel`."""
    within = [event.pad(0, 0, video.n_frames - 1) for event in events]
    moments = [
        Moment(
            trick,
            stars.get(event, 0),
            event.confidence if isinstance(event, Event) else None,
            skater.air(trick) if skater else trick,
        )
        for event, trick in zip(events, within, strict=True)
    ]

    # Settings may be those of another video.
    keyframes = [key for key in settings.framing.keyframes if key.frame < video.n_frames]

    def framed(shown: Interval, tricks: Sequence[Interval], aspect: Aspect) -> CropPath:
        assert skater
        picture = (video.info.width, video.info.height)
        return crop_path(skater.bodies, picture, video.pts_s, shown, tricks, aspect, keyframes)

    [target] = folder.targets([f"{session_part(video.path)}_reel.mp4"])
    wanted = Plan(
        start_frame=plans[0].start_frame,
        end_frame=max(plan.end_frame for plan in plans),
        mode="exact",
        aspect="source",
        encoder="software",
        made_of=_digest(moments, settings, skater),
    )
    finished = folder.finished(target, wanted)
    if finished:
        return finished
    with in_a_sentence(video, target.name):
        made = make_reel(
            video,
            moments,
            settings.reel,
            settings.clips.clip_padding_s,
            target,
            framed if skater else None,
            progress,
            cancelled,
        )
    return overview("reel", target, plans, video, made.notes, wanted)


def _digest(moments: Sequence[Moment], settings: ExportSettings, skater: Skater | None) -> str:
    """Of all that decides what the reel shows and sounds like."""
    music = Path(settings.reel.music) if settings.reel.music else None
    parts = (
        [repr(moment) for moment in moments],
        settings.reel.model_dump_json(),
        repr(settings.framing.keyframes),
        settings.clips.clip_padding_s,
        # A change of the tables changes the crop.
        skater is not None and blake2b(skater.bodies.needed.tobytes()).hexdigest(),
        content_id(music) if music and music.is_file() else None,
    )
    return blake2b(repr(parts).encode(), digest_size=8).hexdigest()
