"""The highlight reel: the best tricks of a session as one video that can be posted as it is.

    >>> reel = make_reel(video, moments, ReelSettings(title="Sunday"), 2.0, Path("reel.mp4"))    # doctest: +SKIP
    >>> reel.duration_s, reel.loudness, reel.notes                                               # doctest: +SKIP
    (34.2, -14.0, ())

:mod:`core.reel.choose` decides what is shown, :mod:`core.reel.segments` renders it part by part, and
:mod:`core.reel.join` puts the parts together, with the sound of :mod:`core.reel.sound`. Memory does not grow with the
length of the reel, and the same input gives the same bytes.
"""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from core.atomic import atomic_path
from core.errors import Cancelled, UserError
from core.ffmpeg import Progress, StopWish
from core.reel.choose import Choice, Moment, Segment, choose
from core.reel.join import cross_fade, join
from core.reel.presets import PRESETS, Margins, Preset
from core.reel.segments import Cut, Cutter, Framed, interpolates, render
from core.reel.sound import check_music, measure
from core.reel.titles import draw_caption, draw_title
from core.settings import ReelSettings
from core.video import Video

__all__ = ["PRESETS", "Framed", "Margins", "Moment", "Preset", "Reel", "Shown", "make_reel"]

_ENLARGED = 1.15
"""Times as large as in the footage the picture is when it is said so."""
_FOLDER = ".trickline-reel-"
_ABANDONED_S = 6 * 3600.0
"""A folder that was not touched for so long has no writer any more."""
_FLOW_COST = 8.0
"""Times as long as another frame one takes that is made up."""
_JOIN_COST = 0.05
"""Of the progress: what joining takes."""


@dataclass(frozen=True)
class Shown:
    """When a moment is seen in a reel."""

    moment: Moment
    start_s: float
    """Seconds of the reel; a cross-fade belongs to both sides of it."""
    end_s: float
    is_replay: bool


@dataclass(frozen=True)
class Reel:
    """A reel that was written."""

    path: Path
    duration_s: float
    shown: tuple[Shown, ...]
    """In the order of the reel."""
    notes: tuple[str, ...]
    """What the user should know, in sentences."""
    loudness: float | None
    """LUFS, measured in the file; None where there is nothing to be heard."""
    peak: float | None
    """True peak, dBTP."""


def make_reel(
    video: Video,
    moments: Sequence[Moment],
    settings: ReelSettings,
    padding_s: float,
    out_path: Path,
    framed: Framed | None = None,
    progress: Progress | None = None,
    cancelled: StopWish | None = None,
    preset: Preset | None = None,
) -> Reel:
    """Write a reel as MP4: H.264 in 8 bits and BT.709, constant rate, AAC; a file of that name is replaced.

    Without any sound to play it has a silent track, because some places refuse a video without one. Replays are silent
    but for the music.

    Args:
        moments: what may be shown; what makes it too long is left out, see :func:`core.reel.choose.choose`.
        padding_s: seconds of footage before and after each trick, at most.
        framed: the crop of footage of another shape than the preset's; None crops the middle.
        progress: told the fraction done, 0 to 1.
        cancelled: polled ten times a second.
        preset: instead of the one that the settings name.

    Raises:
        UserError: there is nothing to show; the music cannot be played; the footage is gone or damaged; the disk is
            full or write-protected.
        Cancelled: ``cancelled`` said so.
        FFmpegError: FFmpeg failed in another way.

    Whatever is raised, nothing half-written is left behind.
    """
    out_path = Path(out_path)
    if out_path.suffix.lower() != ".mp4":
        raise UserError(f"{out_path.name} is not a name for an MP4 file: let it end in .mp4.")
    if out_path.resolve() == video.path.resolve():
        raise UserError(f"{out_path} is the footage itself: choose another name or folder for the reel.")
    preset = preset or PRESETS[settings.preset]
    music = check_music(settings.music) if settings.music else None
    choice = choose(video, moments, settings, preset, padding_s)
    cutter = Cutter(video, preset, framed)
    with atomic_path(out_path) as partial, _scratch(out_path.parent) as folder:
        maker = _Maker(choice, cutter, settings, preset, folder, progress, cancelled)
        files = [file for segment in maker.rendered() for file in segment]
        join(files, choice.frames, preset, music, partial, cancelled)
        heard = measure(["-i", str(partial.absolute())], "", cancelled)
        if cancelled and cancelled():
            raise Cancelled
    if progress:
        progress(1.0)
    shown = tuple(
        Shown(segment.moment, start / preset.fps, (start + segment.frames) / preset.fps, segment.kind == "replay")
        for segment, start in zip(choice.segments, choice.starts, strict=True)
        if segment.kind != "title"
    )
    notes = (*choice.notes, *cutter.notes, *_picture_notes(choice, cutter))
    loudness = (None, None) if heard.silent else (round(heard.lufs, 1), round(heard.peak, 1))
    return Reel(out_path, choice.frames / preset.fps, shown, notes, *loudness)


class _Maker:
    """Renders the segments of one reel into a folder."""

    def __init__(
        self,
        choice: Choice,
        cutter: Cutter,
        settings: ReelSettings,
        preset: Preset,
        folder: Path,
        progress: Progress | None,
        cancelled: StopWish | None,
    ) -> None:
        self._choice, self._cutter, self._settings, self._preset = choice, cutter, settings, preset
        self._folder, self._progress, self._cancelled = folder, progress, cancelled
        self._tricks = sum(segment.kind == "trick" for segment in choice.segments)
        self._cost = sum(map(_cost, choice.segments)) * (1 + _JOIN_COST)
        self._done = 0.0

    def rendered(self) -> Iterator[list[Path]]:
        """The files of each segment in turn, a cross-fade with those of the segment after it."""
        segments, fades = self._choice.segments, (0, *self._choice.fades, 0)
        fading: Path | None = None
        numbered = enumerate(segments)
        for _, group in groupby(numbered, key=lambda one: (one[1].number, id(one[1].moment))):
            of_one = list(group)
            cut = self._cut([segment for _, segment in of_one])
            for n, segment in of_one:
                lead, tail = fades[n], fades[n + 1]
                parts = [(lead, "lead"), (segment.frames - lead - tail, "body"), (tail, "tail")]
                outs = {name: (self._folder / f"{n:04d}_{name}.mov", frames) for frames, name in parts if frames}
                self._render(n, segment, cut, list(outs.values()))
                files = [outs["body"][0]]
                if lead:
                    assert fading
                    fade = self._folder / f"{n:04d}_fade.mov"
                    cross_fade(fading, outs["lead"][0], lead, self._preset, fade, self._cancelled)
                    files.insert(0, fade)
                fading = outs["tail"][0] if tail else None
                yield files
            cut.path.unlink()

    def _cut(self, segments: list[Segment]) -> Cut:
        cost = sum(segment.frames for segment in segments) / 2
        path = self._folder / f"cut_{segments[0].kind}_{segments[0].number:04d}.mp4"
        return self._cutter.cut(segments, path, self._part(cost), self._cancelled)

    def _render(self, n: int, segment: Segment, cut: Cut, outs: list[tuple[Path, int]]) -> None:
        path, words = self._folder / f"{n:04d}_words.png", None
        if segment.kind == "title":
            words = draw_title(self._settings.title, self._tricks, self._preset, path)
        elif self._settings.captions:
            words = draw_caption(segment, self._tricks, self._preset, path)
        cost = _cost(segment) - segment.frames / 2
        render(segment, cut, self._cutter.whole, words, self._preset, outs, self._part(cost), self._cancelled)

    def _part(self, cost: float) -> Progress:
        """Tells how much of all is done, of a part of such a cost."""
        if self._cancelled and self._cancelled():
            raise Cancelled
        before, self._done = self._done, self._done + cost

        def told(done: float) -> None:
            if self._progress:
                self._progress((before + done * cost) / self._cost)

        return told


def _cost(segment: Segment) -> float:
    """Of cutting and rendering, in frames."""
    return segment.frames * (0.5 + (_FLOW_COST if interpolates(segment) else 1.0))


def _picture_notes(choice: Choice, cutter: Cutter) -> Iterator[str]:
    if cutter.enlarged > _ENLARGED:
        yield f"The footage is shown {cutter.enlarged:.1f} times as large as it is, so it looks soft."
    if any(interpolates(segment) for segment in choice.segments):
        yield "The footage has too few frames for slow motion: two of three frames of a replay are made up."


@contextmanager
def _scratch(folder: Path) -> Iterator[Path]:
    """A folder beside the reel for what it is made of; what killed processes left there goes."""
    for left in folder.glob(f"{_FOLDER}*"):
        if time.time() - left.stat().st_mtime > _ABANDONED_S:
            shutil.rmtree(left, ignore_errors=True)
    with tempfile.TemporaryDirectory(prefix=_FOLDER, dir=folder) as scratch:
        yield Path(scratch)
