"""The sound of a reel: the footage's, music beneath it, and one loudness for all.

Loudness is measured as EBU R128 says, the gain to the wanted loudness is found from that, and only what would be too
high after it is limited: what ``loudnorm`` does in its linear mode. Its other mode, which it falls into as soon as a
peak is too high, would turn a whole reel up and down with every pop of a board.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import av

from core.errors import UserError
from core.ffmpeg import StopWish, run
from core.reel.segments import SAMPLE_RATE, SOUND, run_within
from core.video import sound_stream

LOUDNESS = -14.0
"""LUFS, integrated: what YouTube and Spotify turn louder sound down to; Instagram is taken to do about the same."""
PEAK = -1.0
"""dBTP: AES TD1008 for what is coded anew afterwards."""
_CODING = 1.0
"""dB that coding in AAC may add to a peak."""
_SILENT = -60.0
"""LUFS: below there is nothing but the noise of a microphone, which nobody wants loud."""
_NEAR = 0.1
_ATTEMPTS = 4
_FOOTAGE, _MUSIC = -16.0, -20.0
"""LUFS of both before they are mixed, so that neither depends on how loud it happens to be stored."""
_DUCK = "threshold=0.03:ratio=8:attack=15:release=450:knee=4"
_MUSIC_IN_S, _MUSIC_OUT_S = 0.3, 1.5
_STEREO = f"aresample={SAMPLE_RATE},aformat=sample_fmts=fltp:channel_layouts=stereo"
"""What is heard of any sound; of whole numbers the mix of many channels would be quieter."""


@dataclass(frozen=True)
class Loudness:
    """How loud a sound is."""

    lufs: float
    """Integrated; -70 or less for silence."""
    peak: float
    """True peak, dBTP; minus infinity for silence."""

    @property
    def silent(self) -> bool:
        """Whether there is nothing to make louder."""
        return self.lufs < _SILENT


def check_music(path: str) -> Path:
    """The path of a sound file that can be decoded.

    Raises:
        UserError: it cannot.
    """
    music = Path(path).absolute()
    try:
        if not music.is_file():
            raise UserError(f"The music {music} is not there: choose another file, or none.")
        with av.open(str(music), metadata_errors="ignore") as container:
            stream = sound_stream(container)
            if stream is not None and next(container.decode(stream), None) is not None:
                return music
    except (av.FFmpegError, OSError) as error:
        raise UserError(f"{music.name} cannot be played as music: choose another file, or none.") from error
    raise UserError(f"{music.name} has no sound: choose another file as music, or none.")


def measure(
    source: list[str], filters: str = "", cancelled: StopWish | None = None, length_s: float | None = None
) -> Loudness:
    """The loudness of the first sound of an input, as the stereo that a reel has, after ``filters``.

    Args:
        source: FFmpeg's options up to the input.
        length_s: only so much of it.
    """
    # A line for each value and channel, repeated every 0.1 s over all that was heard until then: the last ones count.
    # The peak is a share of full scale.
    chain = ",".join([_STEREO, *([filters] if filters else []), "ebur128=peak=true:metadata=1"])
    chain += ",ametadata=mode=print:file='pipe\\:2'"
    limit = [] if length_s is None else ["-t", f"{length_s:.3f}"]
    lines = run([*source, "-map", "0:a:0", "-af", chain, *limit, "-f", "null", "-"], 1, None, cancelled)
    values = dict(line.split("=", 1) for line in lines if line.startswith("lavfi.r128."))
    peak = float(values.get("lavfi.r128.true_peak", "0"))
    return Loudness(float(values.get("lavfi.r128.I", "-70")), 20 * math.log10(peak) if peak > 0 else -math.inf)


def mix(source: list[str], music: Path | None, length_s: float, out: Path, cancelled: StopWish | None) -> None:
    """Lay music beneath the footage's sound, quieter where that is loud; it begins anew where it is too short.

    Args:
        source: FFmpeg's options up to the input with the footage's sound.
        out: written, ``.mov``.
    """
    footage = measure(source, "", cancelled)
    heard = f"[0:a:0]{_STEREO}" + ("" if footage.silent else f",volume={_FOOTAGE - footage.lufs:.2f}dB")
    graph, inputs = f"{heard}[out]", source
    if music:
        played = measure(["-i", str(music)], "", cancelled, length_s)
        fade_s = min(_MUSIC_OUT_S, length_s / 3)
        fades = f"afade=t=in:d={_MUSIC_IN_S},afade=t=out:st={length_s - fade_s:.3f}:d={fade_s:.3f}"
        gain = 0.0 if played.silent else _MUSIC - played.lufs
        graph = (
            f"{heard},asplit[footage][key];"
            f"[1:a:0]{_STEREO},atrim=end={length_s:.6f},volume={gain:.2f}dB,{fades}[music];"
            f"[music][key]sidechaincompress={_DUCK}[ducked];"
            "[footage][ducked]amix=inputs=2:normalize=0:duration=first[out]"
        )
        inputs = [*source, "-stream_loop", "-1", "-i", str(music)]
    end = ["-t", f"{length_s:.6f}", "-map_metadata", "-1", "-f", "mov", str(out)]
    run_within([*inputs, "-filter_complex", graph, "-map", "[out]", *SOUND, *end], 1, None, cancelled)


def to_loudness(path: Path, cancelled: StopWish | None) -> str:
    """Filters that bring a file to :data:`LOUDNESS` without a peak above :data:`PEAK`; none where it is silent."""
    source, found = ["-i", str(path)], measure(["-i", str(path)], "", cancelled)
    if found.silent:
        return "anull"
    gain = LOUDNESS - found.lufs
    if found.peak + gain <= PEAK - _CODING:
        return f"volume={gain:.2f}dB"
    filters = _limited(gain)
    for _ in range(_ATTEMPTS):
        missing = LOUDNESS - measure(source, filters, cancelled).lufs
        if abs(missing) <= _NEAR:
            break
        gain += missing
        filters = _limited(gain)
    return filters


def _limited(gain: float) -> str:
    """Peaks between samples are met by limiting at four times the rate."""
    limit = 10 ** ((PEAK - _CODING) / 20)
    limiter = f"alimiter=limit={limit:.4f}:attack=2:release=50:level=0:latency=1"
    return f"volume={gain:.2f}dB,aresample={4 * SAMPLE_RATE},{limiter},aresample={SAMPLE_RATE}"
