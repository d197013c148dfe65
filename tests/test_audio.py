"""A pop is heard in the very frame that shows it, whatever the sound is stored in and however loud it was.

Films drawn here have a black picture, and sound with steady noise and pops at known times.
"""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from core import ffmpeg
from core.audio import onset_strength
from core.errors import Cancelled, UserError
from core.video import Video

SECONDS = 5.0
POPS_S = (0.775, 1.475, 1.975, 3.375, 4.575)
"""Each in the middle of a picture of 50 ms."""
PICTURES_PER_S = 20
CLEAR = 12.0
"""A pop reaches more than this, all else stays below."""
DATA = Path(__file__).parents[2] / "shared" / "data" / "phone_originals"


@dataclass(frozen=True)
class Film:
    """How a film is stored. Times are in seconds on the clock of the container."""

    name: str
    codec: str = "aac"
    rate: int = 44100
    layout: str = "stereo"
    starts_s: float = 0.0
    """When the picture starts."""
    sound_s: tuple[tuple[float, float], ...] = ((0.0, SECONDS),)
    """The stretches with sound, in seconds after ``starts_s``."""
    gain: float = 1.0
    pictures_per_s: int = PICTURES_PER_S


FILMS = [
    Film("phone.mp4"),
    Film("camera.mov", "pcm_s16le", 48000),
    Film("old_camera.avi", "pcm_s16le", 16000, "mono"),
    Film("already_right.mkv", "pcm_f32le", 16000, "mono"),
    Film("surround.mkv", "flac", 48000, "5.1"),
    Film("browser.webm", "libopus", 48000),
    Film("voice.mkv", "libmp3lame", 22050, "mono"),
    Film("starts_at_5_s.ts", starts_s=5),
    Film("starts_at_5_s.mkv", starts_s=5),
    Film("sound_starts_first.mkv", "flac", starts_s=5, sound_s=((-0.4, SECONDS),)),
]


def _sound(film: Film, from_s: float, to_s: float) -> NDArray[np.float32]:
    generator = np.random.default_rng(3)
    samples = 0.02 * generator.standard_normal(round((to_s - from_s) * film.rate))
    decay = np.exp(-np.arange(round(0.02 * film.rate)) / (0.004 * film.rate))
    for pop_s in POPS_S:
        at = round((pop_s - from_s) * film.rate)
        if 0 <= at < len(samples) - len(decay):
            samples[at : at + len(decay)] += 0.5 * decay * generator.standard_normal(len(decay))
    return (film.gain * samples).clip(-1, 1).astype(np.float32)


def write_film(film: Film, path: Path) -> Path:
    """Encode ``film`` to ``path``."""
    with av.open(str(path), "w") as container:
        video: Any = container.add_stream("libvpx" if path.suffix == ".webm" else "mpeg4", rate=film.pictures_per_s)
        video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
        black = av.VideoFrame.from_ndarray(np.zeros((48, 64), np.uint8), format="gray").reformat(format="yuv420p")
        sound: Any = container.add_stream(film.codec, rate=film.rate, layout=film.layout) if film.sound_s else None
        for from_s, to_s in film.sound_s:
            samples = _sound(film, from_s, to_s)
            for at in range(0, len(samples), 1024):
                piece = np.tile(samples[None, at : at + 1024], (sound.layout.nb_channels, 1))
                frame = av.AudioFrame.from_ndarray(piece, format="fltp", layout=film.layout)
                frame.sample_rate, frame.time_base = film.rate, Fraction(1, film.rate)
                frame.pts = round((film.starts_s + from_s) * film.rate) + at
                for fitting in av.AudioResampler(sound.codec_context.format, film.layout, film.rate).resample(frame):
                    container.mux(sound.encode(fitting))
        if sound:
            container.mux(sound.encode(None))
        for number in range(round(SECONDS * film.pictures_per_s)):
            black.pts = number + round(film.starts_s * film.pictures_per_s)
            black.time_base = Fraction(1, film.pictures_per_s)
            container.mux(video.encode(black))
        container.mux(video.encode(None))
    return path


def sampled(video: Video, stride: int = 2) -> NDArray[np.int32]:
    return np.arange(0, video.n_frames, stride, dtype=np.int32)


def heard(video: Video, stride: int = 2) -> list[int]:
    """The sampled frames in which something pops."""
    frames = sampled(video, stride)
    return [int(frame) for frame in frames[onset_strength(video, frames) > CLEAR]]


def frames_of_pops(video: Video, stride: int = 2) -> list[int]:
    earlier_s = float(video.pts_s[0])  # the clock starts with the sound where that comes first
    return [video.frame_at(pop_s + earlier_s) // stride * stride for pop_s in POPS_S]


@pytest.mark.parametrize("film", FILMS, ids=lambda film: film.name)
def test_a_pop_is_heard_in_the_frame_that_shows_it(tmp_path: Path, film: Film) -> None:
    """A pop a frame off tells take-offs and landings wrong; one that comes from nowhere invents them."""
    video = Video.open(write_film(film, tmp_path / film.name))
    assert heard(video) == frames_of_pops(video)


@pytest.mark.parametrize("stride", [1, 2, 5])
def test_each_sampled_frame_stands_for_the_time_until_the_next(tmp_path: Path, stride: int) -> None:
    """With every fifth frame sampled, no pop may fall into the gaps between."""
    video = Video.open(write_film(Film("film.mp4"), tmp_path / "film.mp4"))
    assert heard(video, stride) == frames_of_pops(video, stride)


def test_the_last_sampled_frame_stands_for_the_rest(tmp_path: Path) -> None:
    video = Video.open(write_film(Film("film.mp4"), tmp_path / "film.mp4"))
    strength = onset_strength(video, np.array([40, 60, 70], np.int32))
    assert (strength > CLEAR).tolist() == [False, True, True]
    assert onset_strength(video, np.empty(0, np.int32)).shape == (0,)


def test_every_frame_has_a_value_at_high_rates(tmp_path: Path) -> None:
    """Between two measurements, 10 ms apart, slow-motion footage has two frames or more."""
    video = Video.open(write_film(Film("slow.mp4", pictures_per_s=240), tmp_path / "slow.mp4"))
    strength = onset_strength(video, sampled(video, 1))
    assert not np.isnan(strength[:-4]).any()
    for pop_s in POPS_S:
        near = np.abs(video.pts_s - pop_s) < 0.013
        assert strength[near].max() > CLEAR


def test_loudness_does_not_count(tmp_path: Path) -> None:
    """A model that was trained on one phone must work on another."""
    strengths = []
    for gain in (1.0, 0.02):
        video = Video.open(write_film(Film("", "flac", gain=gain), tmp_path / f"{gain}.mkv"))
        strengths.append(onset_strength(video, sampled(video)))
    pops = strengths[0] > CLEAR
    assert pops.sum() == len(POPS_S)
    np.testing.assert_allclose(strengths[1][pops], strengths[0][pops], rtol=0.1)
    np.testing.assert_allclose(strengths[1][~pops], strengths[0][~pops], atol=1.0)


def test_footage_without_sound_has_no_value(tmp_path: Path) -> None:
    video = Video.open(write_film(Film("", sound_s=()), tmp_path / "mute.mp4"))
    assert np.isnan(onset_strength(video, sampled(video))).tolist() == [True] * len(sampled(video))


def test_silence_is_calm(tmp_path: Path) -> None:
    """A muted recording divides by a deviation of nought."""
    video = Video.open(write_film(Film("", gain=0), tmp_path / "muted.mp4"))
    assert not onset_strength(video, sampled(video)).any()


@pytest.mark.parametrize(
    ("sound_s", "silent_s"),
    [
        pytest.param(((1.2, SECONDS),), (0, 1.2), id="the sound starts late"),
        pytest.param(((0, 3.6),), (3.6, SECONDS), id="the sound ends early"),
        pytest.param(((0, 2.2), (3.1, SECONDS)), (2.2, 3.1), id="the sound has a gap"),
    ],
)
def test_where_there_is_no_sound_there_is_no_value(
    tmp_path: Path, sound_s: tuple[tuple[float, float], ...], silent_s: tuple[float, float]
) -> None:
    """And what comes back after a gap is neither a pop nor moved ahead."""
    video = Video.open(write_film(Film("", "flac", sound_s=sound_s), tmp_path / "gaps.mkv"))
    frames = sampled(video)
    strength = onset_strength(video, frames)
    starts_s, ends_s = video.pts_s[frames], video.pts_s[frames] + 0.1
    inside = (starts_s > silent_s[0] + 0.001) & (ends_s < silent_s[1] - 0.001)
    outside = (ends_s < silent_s[0] - 0.05) | (starts_s > silent_s[1] + 0.05)
    assert np.isnan(strength[inside]).all()
    assert not np.isnan(strength[outside]).any()
    left = [pop_s for pop_s in POPS_S if not silent_s[0] <= pop_s <= silent_s[1]]
    assert frames[strength > CLEAR].tolist() == [video.frame_at(pop_s) // 2 * 2 for pop_s in left]


@pytest.mark.parametrize("name", ["phone.mp4", "starts_at_5_s.mkv", "surround.mkv"])
def test_damaged_sound_is_passed_over(tmp_path: Path, name: str) -> None:
    """A scratch on the card costs what it hits; it neither ends the job nor shifts or invents a pop."""
    path = write_film(next(film for film in FILMS if film.name == name), tmp_path / name)
    with av.open(str(path)) as container:
        start_s = container.start_time / av.time_base
        packets = [
            (float(p.pts * p.time_base) - start_s, bytes(p)) for p in container.demux(audio=0) if p.pts is not None
        ]
    data, noise = path.read_bytes(), np.random.default_rng(0)
    for at_s, packet in packets:
        if 2.4 < at_s < 2.7:
            data = data.replace(packet, noise.integers(0, 256, len(packet), np.uint8).tobytes())
    path.write_bytes(data)
    video = Video.open(path)
    assert [frame for frame in heard(video) if not 46 <= frame <= 56] == frames_of_pops(video)


def test_sound_may_change_its_format(tmp_path: Path) -> None:
    """A broadcast switches from stereo to mono, and its recording goes on."""
    parts = []
    for number, (rate, layout) in enumerate(((44100, "stereo"), (48000, "mono"))):
        path = write_film(Film("", "mp2", rate, layout, starts_s=1 + number * SECONDS), tmp_path / f"{number}.ts")
        parts.append(path.read_bytes())
    (tmp_path / "both.ts").write_bytes(b"".join(parts))
    video = Video.open(tmp_path / "both.ts")
    strength = onset_strength(video, sampled(video))
    for pop_s in (*POPS_S, *(pop_s + SECONDS for pop_s in POPS_S)):
        assert strength[video.frame_at(pop_s + video.pts_s[0]) // 2] > CLEAR


def test_gusts_of_wind_are_no_pops(tmp_path: Path) -> None:
    gusts = "anoisesrc=c=brown:amplitude=0.9:duration=6,lowpass=f=150,tremolo=f=3:d=0.95"
    sound = f"{gusts}[gusts];anoisesrc=c=pink:amplitude=0.02:duration=6[hiss];[gusts][hiss]amix=normalize=0"
    picture = "color=black:size=64x48:rate=20:duration=5"
    inputs = ["-f", "lavfi", "-i", picture, "-f", "lavfi", "-i", sound]
    subprocess.run([ffmpeg.executable(), "-v", "error", *inputs, str(tmp_path / "wind.mp4")], check=True)
    video = Video.open(tmp_path / "wind.mp4")
    assert heard(video) == []


def test_a_stop_is_heeded(tmp_path: Path) -> None:
    video = Video.open(write_film(Film(""), tmp_path / "film.mp4"))
    answers = iter([False, False, True])
    with pytest.raises(Cancelled):
        onset_strength(video, sampled(video), lambda: next(answers))


def test_a_film_that_went_away_is_the_users_mistake(tmp_path: Path) -> None:
    video = Video.open(write_film(Film(""), tmp_path / "gone.mp4"))
    video.path.unlink()
    with pytest.raises(UserError, match=r"sound of gone\.mp4 cannot be read"):
        onset_strength(video, sampled(video))


@pytest.mark.parametrize("name", ["ollie_h264_720p_24fps.mov", "kickflip_hevc_rotated_vfr.mov"])
def test_real_footage_has_a_value_in_every_frame(name: str) -> None:
    """Phones write other tracks beside the sound, and their clocks are their own."""
    if not (DATA / name).exists():
        pytest.skip(f"the footage {name} is not here")
    video = Video.open(DATA / name)
    strength = onset_strength(video, sampled(video))
    assert not np.isnan(strength).any()
    assert strength.max() > CLEAR
