"""A trick as a picture that moves: what is posted or sent where nobody opens a player.

    >>> plans = plan_clips(events, video, ClipSettings(clip_padding_s=0.5))  # doctest: +SKIP
    >>> write_animation(video, plans[1], Path("kickflip.gif"), "gif")        # doctest: +SKIP
    Animation(path=PosixPath('kickflip.gif'), width=480, height=270, fps=30.0, bytes=2588693)

It shows the time of the plan from its first frame to its last, at the footage's speed, and begins again for ever. How
large and how smooth it is depends on how many bytes it may have.
"""

from __future__ import annotations

import errno
import logging
import shutil
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import av

from core.atomic import atomic_path
from core.clips import ClipPlan, cut_clip
from core.errors import UserError
from core.ffmpeg import FFmpegError, Progress, StopWish, run
from core.video import Video

AnimationFormat = Literal["gif", "webp"]

MAX_BYTES = 3_000_000
"""What messengers and forums take without making it anew."""

# fmt: off
_STEPS = (
    (640, 30), (560, 30), (480, 30), (400, 30), (480, 15), (440, 15), (400, 15), (360, 15), (320, 15), (280, 15),
    (280, 12), (280, 10), (240, 10), (240, 8),
)
# fmt: on
"""Long side in pixels and frames a second, from the best to what can just be made out."""
_MIN_RATE = 8.0
_ENCODES = 4
"""So often an animation is encoded at most, the last time at the last step."""
_FULLNESS = 0.95
"""So much of the limit is aimed at: what a step will take is only predicted."""
# Bytes for a pixel of a frame, where nothing is known yet: about what the tricks of the reference session take.
_DENSITY: dict[AnimationFormat, float] = {"gif": 0.5, "webp": 0.05}
# Ordered dithering stands still where the picture does; error diffusion crawls over it.
_DITHER = "paletteuse=dither=bayer:bayer_scale=3:diff_mode=rectangle"
_PALETTE_SIDE = 240
_CUT_SHARE = 0.3
"""Of the progress: reading and cutting the footage."""

log = logging.getLogger(__name__)


class TooLong(UserError):
    """A clip does not fit into so few bytes, however small it is drawn."""


@dataclass(frozen=True)
class Animation:
    """An animation that was written."""

    path: Path
    width: int
    """Pixels, upright and square."""
    height: int
    fps: float
    """Frames a second; a GIF, which counts in hundredths of a second, keeps it on average."""
    bytes: int


@dataclass(frozen=True)
class _Step:
    """One way to draw the clip."""

    width: int
    height: int
    frames: int
    duration_s: float
    last_shown_s: float
    """When the clip's last frame appears, seconds of the clip."""

    @property
    def pixels(self) -> int:
        return self.width * self.height * self.frames

    def filters(self) -> str:
        """From the clip to frames that stand equally long. The first is the clip's first, the last its last: between
        them the clip is read a little faster, by less than a frame of the animation over its whole length."""
        size = f"scale={self.width}:{self.height}:flags=lanczos,setsar=1"
        if self.frames == 1:
            return size
        ticks = f"fps={self.frames}/{self.duration_s:.6f}:round=up"
        read_s = (self.last_shown_s + self.duration_s) / 2
        speed = (self.frames - 1) * self.duration_s / self.frames / read_s
        count = f"tpad=stop_mode=clone:stop={self.frames},trim=end_frame={self.frames}"
        return f"setpts=PTS*{speed:.9f},{ticks},{count},{size}"

    @property
    def last_delay(self) -> int:
        """How long the last frame of a GIF stands, in 1/100 s, so that the whole has the clip's duration."""
        return max(2, round(100 * self.duration_s) - round(100 * self.duration_s * (self.frames - 1) / self.frames))


def write_animation(
    video: Video,
    plan: ClipPlan,
    path: Path,
    format: AnimationFormat,
    max_bytes: int = MAX_BYTES,
    progress: Progress | None = None,
    cancelled: StopWish | None = None,
) -> Animation:
    """Write the planned time of the footage as an animation without sound, upright and in its true shape.

    It gets the largest size (640 to 240 pixels of the long side, never more than the footage has) and rate (30 to 8
    frames a second, where it can be a whole fraction of the footage's) that keep below ``max_bytes``.

    Args:
        plan: a plan made for this very video.
        path: must end in ``.gif`` or ``.webp`` as ``format`` says; replaced if it is there.
        max_bytes: the size of the file, at most.
        progress: told the fraction done, 0 to 1.
        cancelled: polled ten times a second.

    Raises:
        TooLong: it does not fit into so few bytes.
        UserError: the footage is gone or damaged; the disk is full or write-protected.
        Cancelled: ``cancelled`` said so.

    Whatever is raised, nothing half-written is left behind.
    """
    if path.suffix.lower() != f".{format}":
        raise UserError(f"{path.name} is not a name for such a file: let it end in .{format}.")
    if path.resolve() == video.path.resolve():
        raise UserError(f"{path} is the footage itself: choose another name or folder for the animation.")
    try:
        with tempfile.TemporaryDirectory(prefix="trickline-") as folder:
            maker = _Maker(video, plan, format, Path(folder), progress or (lambda _: None), cancelled)
            found = maker.best_below(max_bytes)
            if found is None:
                raise TooLong(
                    f"{plan.end_s - plan.start_s:.1f} s of {video.path.name} do not fit into {max_bytes / 1e6:.1f} MB "
                    "at a size that can be made out: choose a shorter padding."
                )
            step, made = found
            with atomic_path(path) as partial:
                shutil.copyfile(made, partial)
    except (FFmpegError, av.FFmpegError) as error:
        log.warning("no animation of %s: %s", video.path.name, error)
        raise UserError(
            f"No animation can be made of {video.path.name} between {plan.start_s:.1f} s and {plan.end_s:.1f} s: "
            "check that it plays there in another program."
        ) from error
    if progress:
        progress(1.0)
    return Animation(path, step.width, step.height, round(step.frames / step.duration_s, 3), path.stat().st_size)


class _Maker:
    """Cuts the clip once, small, and draws it until it is small enough."""

    def __init__(
        self,
        video: Video,
        plan: ClipPlan,
        format: AnimationFormat,
        folder: Path,
        progress: Progress,
        cancelled: StopWish | None,
    ) -> None:
        self._format, self._folder = format, folder
        self._progress, self._cancelled = progress, cancelled
        self._done = _CUT_SHARE
        self._steps = _steps(video, plan)
        self._clip = folder / "clip.mp4"
        cut_clip(video, plan, self._clip, "exact", self._part(0, _CUT_SHARE), cancelled, long_side=_STEPS[0][0])

    def best_below(self, max_bytes: int) -> tuple[_Step, Path] | None:
        """The best step that was found to keep below ``max_bytes``, and its file; None if even the least does not.

        Each encode tells how many bytes a pixel takes here, and so which step to try next.
        """
        density = _DENSITY[self._format]
        fits = len(self._steps)  # the best step that is known to fit
        failed = -1  # the last that is known not to
        for encode in range(1, _ENCODES + 1):
            wanted = [
                number for number, step in enumerate(self._steps) if step.pixels * density < _FULLNESS * max_bytes
            ]
            number = max(failed + 1, wanted[0] if wanted else len(self._steps) - 1)
            if encode == _ENCODES and fits == len(self._steps):
                number = fits - 1
            if failed + 1 >= len(self._steps) or number >= fits:
                break
            size = self._draw(number)
            density = size / self._steps[number].pixels
            if size <= max_bytes:
                fits = number
            else:
                failed = number
        return (self._steps[fits], self._file(fits)) if fits < len(self._steps) else None

    def _draw(self, number: int) -> int:
        """Encode one step: the bytes it takes."""
        step = self._steps[number]
        with atomic_path(self._file(number)) as partial:
            begin, self._done = self._done, (1 + self._done) / 2
            if self._format == "gif":
                palette = self._palette()
                drawn = f"[0:v]{step.filters()}[drawn];[drawn][1:v]{_DITHER}"
                inputs = ["-i", str(palette), "-filter_complex", drawn]
                coding = ["-final_delay", str(step.last_delay), "-loop", "0", "-f", "gif"]
            else:
                # Given RGB, libwebp chooses the matrix that WebP knows (BT.601); given YUV, it takes any for that.
                inputs = ["-vf", f"{step.filters()},format=bgra"]
                coder = "libwebp_anim" if step.frames > 1 else "libwebp"  # it takes one frame for a mistake
                coding = ["-c:v", coder, "-quality", "75", "-loop", "0", "-f", "webp"]
            self._run([*inputs, "-an", "-fps_mode", "passthrough", *coding, str(partial)], step.frames, begin)
        return self._file(number).stat().st_size

    def _palette(self) -> Path:
        """The 256 colours of the whole clip: chosen once, in a pass of its own, so that no filter holds the clip."""
        palette = self._folder / "palette.png"
        if not palette.exists():
            few = f"scale={_PALETTE_SIDE}:{_PALETTE_SIDE}:force_original_aspect_ratio=decrease,palettegen"
            with atomic_path(palette) as partial:
                self._run(["-vf", few, "-frames:v", "1", "-update", "1", str(partial)], 1, None)
        return palette

    def _run(self, arguments: Sequence[str], frames: int, begin: float | None) -> None:
        progress = self._part(begin, self._done) if begin is not None else None
        try:
            run(["-i", str(self._clip), *arguments], frames, progress, self._cancelled)
        except FFmpegError as error:
            if error.disk_full:
                raise OSError(errno.ENOSPC, "no space left") from error  # atomic_path names the folder
            raise

    def _part(self, begin: float, end: float) -> Callable[[float], None]:
        return lambda done: self._progress(begin + done * (end - begin))

    def _file(self, number: int) -> Path:
        return self._folder / f"{number}.{self._format}"


def _steps(video: Video, plan: ClipPlan) -> list[_Step]:
    """The steps that differ for this clip, from the best to the least."""
    duration_s = plan.end_s - plan.start_s
    last_shown_s = float(video.pts_s[plan.end_frame]) - plan.start_s
    native = max(video.info.width, video.info.height)
    steps = []
    for side, rate in _STEPS:
        frames = min(plan.frames, max(2, round(duration_s * _whole_fraction(float(video.info.average_rate), rate))))
        steps.append(_Step(*video.fit(min(side, native)), frames, duration_s, last_shown_s))
    return sorted(dict.fromkeys(steps), key=lambda step: step.pixels, reverse=True)


def _whole_fraction(rate: float, wanted: float) -> float:
    """The rate near ``wanted`` that takes every n-th frame of ``rate``: any other makes a pan stutter."""
    every = max(1, round(rate / wanted))
    while every > 1 and rate / every < _MIN_RATE:
        every -= 1
    return rate / every
