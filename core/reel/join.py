"""From rendered segments to one file: cross-fades, then everything one after the other without encoding again."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from core.ffmpeg import StopWish
from core.reel.presets import Preset
from core.reel.segments import PICTURE, SAMPLE_RATE, SOUND, run_within
from core.reel.sound import mix, to_loudness

_FINAL_SOUND = ["-c:a", "aac", "-b:a", "192k", "-ar", str(SAMPLE_RATE), "-ac", "2"]


def cross_fade(before: Path, after: Path, frames: int, preset: Preset, out: Path, cancelled: StopWish | None) -> None:
    """Fade from one file to the other, both so many frames long, as the result is."""
    samples = frames * (SAMPLE_RATE // preset.fps)
    length_s = frames / preset.fps
    graph = (
        f"[0:v][1:v]xfade=transition=fade:duration={length_s:.6f}:offset=0,"
        f"tpad=stop_mode=clone:stop={frames},trim=end_frame={frames}[v];"
        f"[0:a][1:a]acrossfade=ns={samples}:c1=qsin:c2=qsin,apad,atrim=end_sample={samples}[a]"
    )
    files = ["-i", str(before.absolute()), "-i", str(after.absolute())]
    streams = ["-map", "[v]", "-map", "[a]", *PICTURE, *SOUND, "-f", "mov", str(out.absolute())]
    run_within([*files, "-filter_complex", graph, *streams], frames, None, cancelled)


def join(
    files: Sequence[Path], frames: int, preset: Preset, music: Path | None, out: Path, cancelled: StopWish | None
) -> None:
    """Put files of one folder one after the other, with music beneath and at one loudness.

    Args:
        frames: of all files together.
        out: the reel, written as MP4.
    """
    folder = files[0].parent.absolute()
    listed, mixed = folder / "list.txt", folder / "sound.mov"
    listed.write_text("".join(f"file '{path.name}'\n" for path in files), encoding="ascii")
    source, length_s = ["-f", "concat", "-i", str(listed)], frames / preset.fps
    mix(source, music, length_s, mixed, cancelled)
    loud = to_loudness(mixed, cancelled)
    # Without the padding the limiter's and the encoder's delay would take the last thousandths of the sound.
    sound = ["-af", f"{loud},apad,atrim=end={length_s:.6f}", *_FINAL_SOUND]
    container = ["-map_metadata", "-1", "-fflags", "+bitexact", "-movflags", "+faststart", "-f", "mp4"]
    run_within(
        [
            *[*source, "-i", str(mixed), "-map", "0:v:0", "-map", "1:a:0", "-c:v", "copy"],
            *["-video_track_timescale", "15360", *sound, *container, str(out.absolute())],
        ],
        frames,
        None,
        cancelled,
    )
