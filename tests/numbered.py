"""Footage whose every frame carries its number, to be read back from the picture, and that beeps when it flashes.

The number is ten black or white blocks in the middle of the frame, least significant bit first, so that a vertical crop
keeps it. Every 15th frame a block below them is white and a beep sounds.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

from core import ffmpeg
from tests.priority import kept_ordinary

WIDTH, HEIGHT = 160, 96
BLOCK = 16
STRIP = WIDTH // 2 - BLOCK
"""Where the blocks begin, pixels from the left; they are two columns wide."""
CROP = (56, HEIGHT)
"""Width and height of a vertical crop in the middle that keeps the blocks."""
BEEP_EVERY = 15
SAMPLE_RATE = 48000
GOP = 250
_BITS = 10
_QUICK = {"preset": "ultrafast", "g": str(GOP), "keyint_min": "1", "sc_threshold": "0", "bf": "2"}


@dataclass(frozen=True)
class Footage:
    """How one drawn video is stored. Times are in ticks of ``time_base``."""

    name: str
    ticks: list[int]
    time_base: Fraction
    rate: Fraction = Fraction(30)
    codec: str = "libx264"
    options: dict[str, str] = field(default_factory=dict)
    pixel_format: str = "yuv420p"
    sound_s: tuple[float, float] | None = (0.0, 10.0)
    """From when to when there is sound; None for a file without."""
    layout: str = "mono"
    turns: int = 0
    """Stored so many quarter turns counterclockwise from upright, with the rotation noted in the file, as phones do."""
    data: str | None = None
    """The four letters of a data track: ``tmcd`` (time code), ``gpmd`` (what action cameras measure)."""
    anew: tuple[str, ...] = ("copy",)
    """FFmpeg's encoder and its options, where PyAV has none for what is wanted."""

    @property
    def times_s(self) -> NDArray[np.float64]:
        """When each frame is shown, in seconds after the first: shape ``(n_frames,)``."""
        ticks = np.array(self.ticks, np.float64)
        return np.asarray((ticks - ticks[0]) * float(self.time_base), np.float64)


def steps(step: int, start: int, n: int) -> list[int]:
    """The ticks of ``n`` frames at an even rate."""
    return [start + i * step for i in range(n)]


def uneven(n: int) -> list[int]:
    """Milliseconds of frames with gaps of 17 to 97 ms, as phones in poor light."""
    return [int(ms) for ms in np.cumsum(np.random.default_rng(7).integers(17, 97, n))]


def draw(number: int) -> NDArray[np.uint8]:
    """Frame ``number``: gray, shape ``(HEIGHT, WIDTH)``."""
    image = np.full((HEIGHT, WIDTH), 128, np.uint8)
    image[:, :: 1 + number % 7] = 60  # something that moves
    bits = [235 if number >> bit & 1 else 16 for bit in range(_BITS)]
    flash = 235 if number % BEEP_EVERY == 0 else 16
    blocks = np.array([*bits, flash, flash], np.uint8).reshape(-1, 2)
    image[:, STRIP : STRIP + 2 * BLOCK] = blocks.repeat(BLOCK, 0).repeat(BLOCK, 1)
    return image


def number_on(image: NDArray[np.uint8]) -> int:
    """The number on an upright gray picture of the drawn size, or of one that was cropped around its middle."""
    assert image.shape[0] == HEIGHT
    return sum(1 << bit for bit, value in enumerate(_middles(image)[:_BITS]) if value > 128)


def flashes(image: NDArray[np.uint8]) -> bool:
    """Whether a beep sounds on this frame."""
    return bool(_middles(image)[-1] > 128)


def _middles(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    left = image.shape[1] // 2 - BLOCK // 2
    return image[BLOCK // 2 :: BLOCK, [left, left + BLOCK]].ravel()


def write_footage(footage: Footage, path: Path) -> Path:
    """Encode ``footage`` to ``path``."""
    plain = path.with_name(f"plain_{path.name}")
    with kept_ordinary(), av.open(str(plain), "w") as container:
        stream: Any = container.add_stream(footage.codec, rate=footage.rate)
        stream.width, stream.height = (HEIGHT, WIDTH) if footage.turns % 2 else (WIDTH, HEIGHT)
        stream.pix_fmt = footage.pixel_format
        stream.time_base = stream.codec_context.time_base = footage.time_base
        stream.options = {**_QUICK, **footage.options} if footage.codec == "libx264" else footage.options
        if footage.sound_s:
            codec = "libopus" if path.suffix == ".webm" else "aac"
            sound: Any = container.add_stream(codec, rate=SAMPLE_RATE, layout=footage.layout)
            kind = "flt" if codec == "libopus" else "fltp"
            samples = _beeps(footage, *footage.sound_s)
            for at in range(0, len(samples), 960):
                heard = _heard(samples[at : at + 960], footage.layout, kind)
                heard.sample_rate, heard.time_base = SAMPLE_RATE, Fraction(1, SAMPLE_RATE)
                heard.pts = round(footage.sound_s[0] * SAMPLE_RATE) + at
                container.mux(sound.encode(heard))
            container.mux(sound.encode(None))
        for number, ticks in enumerate(footage.ticks):
            image = np.ascontiguousarray(np.rot90(draw(number), footage.turns))
            seen = av.VideoFrame.from_ndarray(image, format="gray").reformat(format=footage.pixel_format)
            seen.pts, seen.time_base = ticks, footage.time_base
            container.mux(stream.encode(seen))
        container.mux(stream.encode(None))
    if footage.turns or footage.data or footage.anew != ("copy",):
        _note(footage, plain, path)
        plain.unlink()
    else:
        plain.replace(path)
    return path


def _beeps(footage: Footage, from_s: float, to_s: float) -> NDArray[np.float32]:
    sound = np.zeros(int((to_s - from_s) * SAMPLE_RATE), np.float32)
    tone = 0.8 * np.sin(2 * np.pi * 1000 * np.arange(SAMPLE_RATE // 50) / SAMPLE_RATE).astype(np.float32)
    for ticks in footage.ticks[::BEEP_EVERY]:
        at = round((float(ticks * footage.time_base) - from_s) * SAMPLE_RATE)
        if 0 <= at < len(sound) - len(tone):
            sound[at : at + len(tone)] = tone
    return sound


def _heard(samples: NDArray[np.float32], layout: str, kind: str) -> Any:
    channels = {"mono": 1, "stereo": 2, "5.1": 6}[layout]
    planes = np.tile(samples, (channels, 1))
    if kind == "flt":
        planes = planes.T.reshape(1, -1)
    return av.AudioFrame.from_ndarray(np.ascontiguousarray(planes), format=kind, layout=layout)


def _note(footage: Footage, plain: Path, path: Path) -> None:
    """Write down the rotation and add the data track, as cameras do."""
    rotation = ["-display_rotation", str(-90 * footage.turns)] if footage.turns else []
    data: list[str] = []
    output: list[str] = []
    notes = path.with_suffix(".srt")
    if footage.data == "tmcd":
        output = ["-timecode", "01:02:03:04"]
    elif footage.data == "gpmd":
        # A track of text becomes one of the camera's measurements once its four letters are others: FFmpeg writes none.
        notes.write_text("1\n00:00:00,000 --> 00:00:00,900\nDEVC\n\n2\n00:00:01,000 --> 00:00:02,000\nSTRM\n")
        data, output = ["-i", str(notes)], ["-map", "0", "-map", "1", "-c:s", "mov_text", "-f", "mp4"]
    ffmpeg.run([*rotation, "-i", str(plain), *data, *output, "-c:v", *footage.anew, "-c:a", "copy", str(path)], 0)
    if data:
        notes.unlink()
        stored = path.read_bytes()
        assert stored.count(b"tx3g") == 1
        path.write_bytes(stored.replace(b"tx3g", b"gpmd").replace(b"sbtl", b"meta"))


def pictures(path: Path) -> Iterator[tuple[float, NDArray[np.uint8]]]:
    """The frames of a video as they are shown, by PyAV alone: seconds of the file, and the upright gray picture."""
    with av.open(str(path)) as container:
        for frame in container.decode(video=0):
            image = np.asarray(frame.to_ndarray(format="gray"), np.uint8)
            assert frame.time is not None
            yield frame.time, np.rot90(image, round(frame.rotation / 90))


def frame_numbers(path: Path) -> list[int]:
    """The numbers drawn on the frames."""
    return [number_on(image) for _, image in pictures(path)]


def frame_times(path: Path) -> list[float]:
    """When each frame is shown, in seconds of the file."""
    return [time_s for time_s, _ in pictures(path)]


def heard_sound(path: Path) -> tuple[float, NDArray[np.float32]]:
    """When the sound begins, in seconds of the file, and its first channel: shape ``(n_samples,)``."""
    with av.open(str(path)) as container:
        frames = list(container.decode(audio=0))
    start_s = frames[0].time
    assert start_s is not None
    return start_s, np.concatenate([frame.to_ndarray()[0] for frame in frames])


def beeps_s(path: Path) -> NDArray[np.float64]:
    """When the beeps begin, in seconds of the file."""
    start_s, samples = heard_sound(path)
    loud = np.flatnonzero(np.abs(samples) > 0.3)
    first = loud[np.diff(loud, prepend=-SAMPLE_RATE) > SAMPLE_RATE // 50]
    return first / SAMPLE_RATE + start_s
