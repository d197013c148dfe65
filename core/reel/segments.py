"""Rendering one segment of a reel: its picture in the reel's size and rate, and its sound.

What the footage has to give is cut once a trick, exact and cropped, and never larger than the reel; trick, replay and
title are made of that cut.
"""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np

from core.colour import sdr_filters
from core.cut import encode
from core.encoders import H264
from core.errors import UserError
from core.ffmpeg import FFmpegError, Progress, StopWish, run
from core.framing import Aspect
from core.framing.crop import CropPath, window_of
from core.framing.render import crop_filters
from core.intervals import Interval
from core.lettering import plain
from core.reel.choose import Segment
from core.reel.presets import Preset
from core.reel.titles import Words
from core.timecode import clock
from core.video import Video

Framed = Callable[[Interval, Sequence[Interval], Aspect], CropPath]
"""The crop path for frames of the footage, with the tricks in them."""

SAMPLE_RATE = 48_000
# What is written here goes into the reel as it is: segments are joined without encoding again.
PICTURE = [
    *["-c:v", "libx264", "-preset", "veryfast", "-crf", "18", "-profile:v", "high", "-pix_fmt", "yuv420p"],
    *["-color_primaries", "bt709", "-color_trc", "bt709", "-colorspace", "bt709", "-color_range", "tv"],
    *["-video_track_timescale", "15360", "-map_metadata", "-1", "-fflags", "+bitexact"],
]
_BETWEEN = H264("libx264", ("-c:v", "libx264", "-preset", "ultrafast", "-crf", "8", "-bf", "0", "-pix_fmt", "yuv420p"))
"""Of a cut, which is encoded once more: hardly to be told from the footage."""
SOUND = ["-c:a", "pcm_f32le", "-ar", str(SAMPLE_RATE)]
_MATRIX = "out_color_matrix=bt709:out_range=tv"
"""Footage of standard definition has another matrix."""
_TAGS = "format=yuv420p,setparams=color_primaries=bt709:color_trc=bt709:colorspace=bt709:range=tv"
_CLICK_S = 0.01
"""Sound swells and ends over so long at a cut, which would click otherwise."""
_WORDS_FADE_S = 0.3
_SAME_SHAPE = 0.01
"""Shapes that differ by less are one."""
_FLOW_SIDE = 960
"""Pixels of the longer side in which motion is interpolated: FFmpeg's filter uses one core, and takes 10 s for a replay
of 3.6 s in this size, 40 s in 1920. Smaller footage is enlarged to it, because motion is rounded to whole pixels."""
_FLOW = "mi_mode=mci:mc_mode=aobmc:me_mode=bidir:vsbmc=0:scd=fdiff:scd_threshold=8"
_FLOW_LEAST = 4
"""Frames that the filter needs to see motion."""
_FLOW_HOLDS = 2
"""Frames that the filter takes in and never shows."""


@dataclass(frozen=True)
class Cut:
    """The footage of a trick, cut out and cropped; frame 0 is ``frames.start_frame``."""

    path: Path
    video: Video
    """The whole footage."""
    frames: Interval
    same_shot: Interval
    """The frames around the trick without a hard cut of the camera, as far as the crop knows."""


class Cutter:
    """Cuts the footage of tricks for one preset."""

    def __init__(self, video: Video, preset: Preset, framed: Framed | None) -> None:
        self._video, self._preset, self._framed = video, preset, framed
        info = video.info
        off = (info.width / info.height) / (preset.width / preset.height)
        self.whole = preset.aspect == "source" and abs(np.log(off)) > _SAME_SHAPE
        """Whether footage of another shape is shown whole."""
        self._cropped = preset.aspect != "source" and abs(np.log(off)) > _SAME_SHAPE
        window = window_of((info.width, info.height), preset.aspect if self._cropped else "source")
        scale = (min if self.whole else max)(preset.width / window[0], preset.height / window[1])
        self.enlarged = max(1.0, scale)
        """How many times as large as in the footage the picture is shown."""
        self._size = [max(2, round(side * min(1.0, scale) / 2) * 2) for side in window]
        self._window = window
        self.notes: list[str] = []

    def cut(self, segments: Sequence[Segment], path: Path, progress: Progress, cancelled: StopWish | None) -> Cut:
        """Cut what the segments of one trick show.

        Raises:
            UserError: the footage is gone or damaged.
            Cancelled: ``cancelled`` said so.
        """
        moment, video = segments[0].moment, self._video
        first = min(segment.shown.start_frame for segment in segments)
        last = max(segment.shown.end_frame + _FLOW_HOLDS * interpolates(segment) for segment in segments)
        last = min(last, video.n_frames - 1)
        frames = Interval(first, last, moment.trick.label)
        crop, same_shot = "", frames
        width, height = self._window
        if self._cropped and self._framed:
            way = self._framed(frames, [moment.trick], self._preset.aspect)
            crop, same_shot = crop_filters(way), _one_shot(way, moment.air)
            if segments[0].kind != "title":
                at = clock(float(video.pts_s[moment.trick.start_frame]))[:-3]
                self._note(f"{plain(moment.trick.label)} at {at}: {note}" for note in way.notes)
        elif self._cropped:
            crop = f"scale={video.info.width}:{video.info.height},setsar=1,crop={width}:{height}"
            self._note(["Nobody has looked for the skater yet: the crop stays in the middle of the picture."])
        size = f"scale={self._size[0]}:{self._size[1]}:flags=lanczos,setsar=1"
        shape = ",".join(part for part in (sdr_filters(video), crop, size) if part)
        try:
            encode(video, first, last, path, shape, _BETWEEN, progress, cancelled)
        except (FFmpegError, av.FFmpegError) as error:
            if not video.path.is_file():
                raise UserError(f"{video.path} is gone: bring it back and make the reel again.") from error
            _say_full(error)
            raise
        return Cut(path, video, frames, same_shot)

    def _note(self, notes: Iterable[str]) -> None:
        self.notes += [note for note in notes if note not in self.notes]


def _one_shot(path: CropPath, air: Interval) -> Interval:
    """The frames of ``path`` that lie in the shot of the middle of ``air``."""
    middle = int(np.clip((air.start_frame + air.end_frame) // 2 - path.frame[0], 0, len(path.frame) - 1))
    rows = np.flatnonzero(path.shot == path.shot[middle])
    return Interval(int(path.frame[rows[0]]), int(path.frame[rows[-1]]))


def interpolates(segment: Segment) -> bool:
    """Whether frames between those of the footage are made up for a segment."""
    return not segment.own_frames and segment.shown.frames >= _FLOW_LEAST


def render(
    segment: Segment,
    cut: Cut,
    whole: bool,
    words: Words | None,
    preset: Preset,
    outs: Sequence[tuple[Path, int]],
    progress: Progress,
    cancelled: StopWish | None,
) -> None:
    """Render a segment as files one after the other, each of so many frames; together they are the segment.

    A replay is silent: slowed sound growls.

    Args:
        whole: show pictures of another shape whole, over themselves enlarged and blurred.
        words: what is written over the segment.
        outs: where to write (``.mov``), and how many frames.
    """
    graph = [*_picture(segment, cut, whole, words, preset), _sound(segment, cut, preset)]
    numbers = range(len(outs))
    graph.append(f"[v]split={len(outs)}" + "".join(f"[v{n}]" for n in numbers))
    graph.append(f"[a]asplit={len(outs)}" + "".join(f"[a{n}]" for n in numbers))
    files: list[str] = []
    first, samples = 0, SAMPLE_RATE // preset.fps
    for n, (path, frames) in enumerate(outs):
        end = first + frames
        graph.append(f"[v{n}]trim=start_frame={first}:end_frame={end},setpts=PTS-STARTPTS[w{n}]")
        graph.append(
            f"[a{n}]atrim=start_sample={first * samples}:end_sample={end * samples},asetpts=PTS-STARTPTS[b{n}]"
        )
        files += ["-map", f"[w{n}]", "-map", f"[b{n}]", *PICTURE, *SOUND, "-f", "mov", str(path.absolute())]
        first = end
    inputs = ["-i", str(cut.path.absolute()), *(["-i", str(words.path.absolute())] if words else [])]
    run_within([*inputs, "-filter_complex", ";".join(graph), *files], segment.frames, progress, cancelled)


def run_within(
    arguments: Sequence[str], frames: int, progress: Progress | None, cancelled: StopWish | None
) -> tuple[str, ...]:
    """:func:`core.ffmpeg.run`, which says a full disk in the system's way."""
    try:
        return run(arguments, frames, progress, cancelled)
    except FFmpegError as error:
        _say_full(error)
        raise


def _say_full(error: Exception) -> None:
    """Raise what the system says of a full disk, if that is what FFmpeg failed of."""
    if isinstance(error, FFmpegError) and error.disk_full:
        raise OSError(errno.ENOSPC, "no space left") from error


def _picture(segment: Segment, cut: Cut, whole: bool, words: Words | None, preset: Preset) -> list[str]:
    """The graph from the cut to ``[v]``: all frames of the segment."""
    first, end = (frame - cut.frames.start_frame for frame in (segment.shown.start_frame, segment.shown.end_frame + 1))
    # Made up frames between two shots would show both at once. The filter sees most cuts, the crop knows the rest.
    looked_at = segment.shown.pad(0, 1, cut.frames.end_frame)
    flow = interpolates(segment) and looked_at.overlap(cut.same_shot) == looked_at.frames
    if flow:
        end += _FLOW_HOLDS
    chain = [f"trim=start_frame={first}:end_frame={end}", "setpts=PTS-STARTPTS"]
    if segment.kind != "title":
        chain.append(f"setpts={segment.slower}*PTS")
        if flow:
            side = f"{min(_FLOW_SIDE, max(preset.width, preset.height))}/max(iw\\,ih)"
            chain.append(f"scale=trunc(iw*{side}/2)*2:trunc(ih*{side}/2)*2:flags=lanczos")
            chain.append(f"minterpolate=fps={preset.fps}:{_FLOW}")
        chain.append(f"fps={preset.fps}:start_time=0")
    size = f"{preset.width}:{preset.height}"
    cover = f"scale={size}:force_original_aspect_ratio=increase:flags=lanczos:{_MATRIX},crop={size},setsar=1"
    graph = [f"[0:v]{','.join(chain)}[cut]"]
    if segment.kind == "title":
        blur = 0.012 * max(preset.width, preset.height)
        graph.append(f"[cut]{cover},gblur=sigma={blur:.2f},{_darker(0.5)}[placed]")
    elif whole:
        small = f"{max(2, preset.width // 16)}:{max(2, preset.height // 16)}"
        behind = (
            f"scale={small}:force_original_aspect_ratio=increase,crop={small},gblur=sigma=3,"
            f"scale={size}:flags=bicubic:{_MATRIX},setsar=1,{_darker(0.55)}"
        )
        fit = f"scale={size}:force_original_aspect_ratio=decrease:force_divisible_by=2:flags=lanczos:{_MATRIX},setsar=1"
        graph.append(f"[cut]split[one][two];[one]{behind}[behind];[two]{fit}[shown]")
        graph.append("[behind][shown]overlay=(W-w)/2:(H-h)/2[placed]")
    else:
        graph.append(f"[cut]{cover}[placed]")
    if words:
        over, after = "null", "repeat"
        if words.frames is not None:
            fade = f"fade=t=out:st={words.frames / preset.fps:.4f}:d={_WORDS_FADE_S}:alpha=1"
            stands = words.frames + round(_WORDS_FADE_S * preset.fps)
            over, after = f"loop=loop={stands}:size=1,setpts=N/{preset.fps}/TB,{fade}", "pass"
        graph.append(f"[1:v]{over}[words];[placed][words]overlay={words.x}:{words.y}:eof_action={after}[written]")
    # The last frame stands until the segment is as long as it was planned: rounding may take one away.
    whole_length = f"tpad=stop_mode=clone:stop={segment.frames},trim=end_frame={segment.frames}"
    graph.append(
        f"[{'written' if words else 'placed'}]{_TAGS},setpts=N/{preset.fps}/TB,fps={preset.fps},{whole_length}[v]"
    )
    return graph


def _darker(share: float) -> str:
    return f"lutyuv=y=16+(val-16)*{share}"


def _sound(segment: Segment, cut: Cut, preset: Preset) -> str:
    """The graph to ``[a]``: as long as the picture."""
    samples = segment.frames * (SAMPLE_RATE // preset.fps)
    end = f"atrim=end_sample={samples}"
    if segment.kind != "trick" or not cut.video.info.audio:
        return f"anullsrc=r={SAMPLE_RATE}:cl=stereo,{end}[a]"
    start_s = float(cut.video.pts_s[segment.shown.start_frame] - cut.video.pts_s[cut.frames.start_frame])
    fades = f"afade=t=in:d={_CLICK_S},afade=t=out:st={segment.frames / preset.fps - _CLICK_S:.4f}:d={_CLICK_S}"
    form = f"aresample={SAMPLE_RATE},aformat=sample_fmts=fltp:channel_layouts=stereo"
    return f"[0:a]{form},atrim=start={start_s:.6f},asetpts=PTS-STARTPTS,apad,{end},{fades}[a]"
