"""Files about all clips of an export at once: edit lists and contact sheets. They are made anew each time."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from core.atomic import atomic_path
from core.clips import ClipPlan, session_part
from core.contact_sheet import write_contact_sheet
from core.edit_lists import EDIT_LISTS, EditListFormat, write_edit_list
from core.export.manifest import Folder, Plan, Written
from core.export.skater import Skater
from core.ffmpeg import Progress, StopWish
from core.intervals import Interval
from core.settings import ExportKind
from core.video import Video

_LIST_NAMES: dict[EditListFormat, str] = {"llc": "{}-proj", "chapters": "{}_chapters"}
"""Without the ending: LosslessCut opens a project of this name by itself, and a mere ``.txt`` could be anything."""


def edit_list(
    kind: EditListFormat,
    plans: Sequence[ClipPlan],
    names: Sequence[str],
    video: Video,
    folder: Folder,
    stars: Mapping[Interval, int],
) -> Written:
    """Write the plans as a list for video editors; raises as :func:`core.edit_lists.write_edit_list`.

    Args:
        names: of the plans' clips, without their endings.
    """
    suffix, _ = EDIT_LISTS[kind]
    [target] = folder.targets([_LIST_NAMES.get(kind, "{}").format(session_part(video.path)) + suffix])
    written = write_edit_list(kind, plans, video, target, stars=stars, names=names)
    return overview(kind, target, plans, video, written.notes)


def contact_sheet(
    events: Sequence[Interval],
    plans: Sequence[ClipPlan],
    video: Video,
    folder: Folder,
    skater: Skater | None,
    stars: Mapping[Interval, int],
    progress: Progress | None = None,
    cancelled: StopWish | None = None,
) -> list[Written]:
    """Write the pages of a contact sheet with the peak and the stars of each event; raises as
    :func:`core.contact_sheet.write_contact_sheet`."""
    within = [event.pad(0, 0, video.n_frames - 1) for event in events]
    frames = [skater.peak(event) for event in within] if skater else None
    given = [stars.get(event, 0) for event in events]
    # How many pages there are is known only afterwards, and each must keep clear of files that are not an export's.
    with tempfile.TemporaryDirectory(prefix="trickline-") as drawn:
        first = Path(drawn) / f"{session_part(video.path)}_contact.jpg"
        pages = []
        for page in write_contact_sheet(
            video, within, first, frames=frames, stars=given, progress=progress, cancelled=cancelled
        ):
            [target] = folder.targets([page.name])
            with atomic_path(target) as partial:
                shutil.copyfile(page, partial)
            pages.append(overview("contact", target, plans, video))
    return pages


def overview(
    kind: ExportKind,
    target: Path,
    plans: Sequence[ClipPlan],
    video: Video,
    notes: tuple[str, ...] = (),
    plan: Plan | None = None,
) -> Written:
    """What there is to say of a file that shows all clips."""
    return Written(
        kind=kind,
        name=target.name,
        video=video.path.name,
        start_frame=plans[0].start_frame,
        end_frame=max(plan.end_frame for plan in plans),
        start_s=plans[0].start_s,
        end_s=max(plan.end_s for plan in plans),
        wanted_start_s=plans[0].start_s,
        label=None,
        confidence=None,
        crop=None,
        size=target.stat().st_size,
        notes=notes,
        plan=plan,
    )
