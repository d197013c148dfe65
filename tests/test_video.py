"""Frame numbers, times and upright pictures are right for every file that a camera, a phone or an editor writes.

Every frame drawn here carries its number as ten black or white blocks, and a bright patch marks its lower left corner.
"""

from __future__ import annotations

import os
import struct
import subprocess
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from core import ffmpeg, sighting
from core.errors import UserError
from core.settings import PoseSettings
from core.video import Video
from core.workspace import Workspace
from tests.priority import kept_ordinary

N = 60
GOP = 12
BLOCK = 16
WIDTH, HEIGHT = 6 * BLOCK, 4 * BLOCK
DATA = Path(__file__).parents[2] / "shared" / "data"

## Drawing films and reading them back


@dataclass(frozen=True)
class Film:
    """How a drawn film is stored. Times are in ticks of ``time_base``."""

    name: str
    ticks: list[int]
    time_base: Fraction
    rate: Fraction = Fraction(30)
    """What the header says."""
    codec: str = "libx264"
    options: dict[str, str] = field(default_factory=dict)
    pixel_format: str = "yuv420p"
    aspect: Fraction = Fraction(1)
    """Width of a pixel by its height."""
    quarter_turns: int = 0
    """Stored turned counterclockwise so many times, the way back noted in the file."""


def _steps(step: int, start: int = 0, n: int = N) -> list[int]:
    return [start + i * step for i in range(n)]


def _x264(parameters: str) -> dict[str, str]:
    return {"preset": "ultrafast", "x264-params": f"keyint={GOP}:min-keyint={GOP}:scenecut=0:{parameters}"}


_CLOSED = _x264("bframes=2")
_OPEN = _x264("bframes=3:open-gop=1:b-pyramid=normal:ref=3")
_HEVC = {"preset": "ultrafast", "x265-params": f"keyint={GOP}:min-keyint={GOP}:bframes=3:open-gop=1:log-level=none"}
_UNEVEN = np.cumsum(np.random.default_rng(7).integers(17, 97, N)).tolist()  # ms: a phone in poor light
_DROPS = [2 * i for i in range(N // 2)] + [N + i for i in range(N // 2)]  # every second frame is missing at first
_NTSC = Fraction(30000, 1001)

FILMS = [
    Film("24.mp4", _steps(512), Fraction(1, 12288), Fraction(24), options=_CLOSED),
    Film("ntsc.mp4", _steps(1001), Fraction(1, 30000), _NTSC, options=_CLOSED),
    Film("60.mp4", _steps(256), Fraction(1, 15360), Fraction(60), options=_CLOSED),
    Film("ntsc.mkv", [round(i * 1001 / 30) for i in range(N)], Fraction(1, 1000), _NTSC, options=_CLOSED),
    Film("uneven.mp4", _UNEVEN, Fraction(1, 1000), options=_CLOSED),
    Film("uneven.mkv", _UNEVEN, Fraction(1, 1000), options=_CLOSED),
    Film("starts_at_5_s.mp4", _steps(512, 76800), Fraction(1, 15360), options=_CLOSED),
    Film("starts_at_5_s.mkv", _steps(33, 5000), Fraction(1, 1000), options=_CLOSED),
    Film("starts_at_5_s.ts", _steps(3000, 450_000), Fraction(1, 90000), options=_CLOSED),
    Film("h264.flv", _steps(33), Fraction(1, 1000), options=_CLOSED),
    Film("open_gop.mp4", _steps(512), Fraction(1, 15360), options=_OPEN),
    Film("open_gop.mkv", _steps(33), Fraction(1, 1000), options=_OPEN),
    Film("open_gop.ts", _steps(3000), Fraction(1, 90000), options=_OPEN),
    Film("hevc_10_bit.mp4", _steps(512), Fraction(1, 15360), Fraction(30), "libx265", _HEVC, "yuv420p10le"),
    Film("hevc_10_bit.mkv", _steps(33), Fraction(1, 1000), Fraction(30), "libx265", _HEVC, "yuv420p10le"),
    Film("hevc_10_bit.ts", _steps(3000), Fraction(1, 90000), Fraction(30), "libx265", _HEVC, "yuv420p10le"),
    Film("vp9.webm", _steps(33), Fraction(1, 1000), Fraction(30), "libvpx-vp9", {"g": "12", "cpu-used": "8"}),
    Film("av1.mkv", _steps(33), Fraction(1, 1000), Fraction(30), "libsvtav1", {"g": "12", "preset": "12"}),
    Film("mpeg2.ts", _steps(1), Fraction(1, 25), Fraction(25), "mpeg2video", {"g": "12", "bf": "2", "b": "4M"}),
    Film("mpeg2.mpg", _steps(1), Fraction(1, 25), Fraction(25), "mpeg2video", {"g": "12", "bf": "2", "b": "4M"}),
    Film("prores.mov", _steps(512), Fraction(1, 15360), Fraction(30), "prores_ks", {}, "yuv422p10le"),
    Film("h264.avi", _steps(1), Fraction(1, 30), options=_CLOSED),
    Film("mpeg4.avi", _steps(1), Fraction(1, 30), Fraction(30), "mpeg4", {"g": "12"}),
    Film("mpeg4_b_frames.avi", _steps(1), Fraction(1, 30), Fraction(30), "mpeg4", {"g": "12", "bf": "2"}),
    Film("mjpeg_drops.avi", _DROPS, Fraction(1, 30), Fraction(30), "mjpeg", {}, "yuvj420p"),
]
BY_NAME = {film.name: film for film in FILMS}


def _draw(number: int) -> NDArray[np.uint8]:
    blocks = np.full((HEIGHT // BLOCK, WIDTH // BLOCK), 60, np.uint8)
    blocks[:2, :5] = np.array([235 if number >> bit & 1 else 16 for bit in range(10)]).reshape(2, 5)
    blocks[3] = [235, 16, 16, 16, 16, 16]
    image = blocks.repeat(BLOCK, 0).repeat(BLOCK, 1)
    image[2 * BLOCK : 3 * BLOCK, :: 1 + number % 7] = 130  # something that moves
    return image


def write_film(film: Film, path: Path) -> Path:
    """Encode ``film`` to ``path``."""
    with kept_ordinary(), av.open(str(path), "w") as container:
        stream: Any = container.add_stream(film.codec, rate=film.rate)
        stream.width, stream.height = (HEIGHT, WIDTH) if film.quarter_turns % 2 else (WIDTH, HEIGHT)
        stream.pix_fmt, stream.options = film.pixel_format, film.options
        stream.time_base = stream.codec_context.time_base = film.time_base
        stream.codec_context.sample_aspect_ratio = film.aspect
        for number, ticks in enumerate(film.ticks):
            stored = np.ascontiguousarray(np.rot90(_draw(number), film.quarter_turns))
            frame = av.VideoFrame.from_ndarray(stored, format="gray").reformat(format=film.pixel_format)
            frame.pts, frame.time_base = ticks, film.time_base
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    if film.quarter_turns:
        noted = path.with_name(f"noted_{path.name}")
        run_ffmpeg("-display_rotation", -90 * film.quarter_turns, "-i", path, "-c", "copy", noted)
        noted.replace(path)
    return path


def run_ffmpeg(*arguments: object) -> None:
    subprocess.run([ffmpeg.executable(), "-v", "error", "-y", *map(str, arguments)], check=True)


def _number(image: NDArray[np.uint8]) -> int:
    middles = image[BLOCK // 2 : 2 * BLOCK : BLOCK, BLOCK // 2 : 5 * BLOCK : BLOCK].ravel()
    return sum(1 << bit for bit, value in enumerate(middles) if value > 128)


def seen(video: Video, stride: int = 1, start: int = 0, stop: int | None = None) -> list[tuple[int, int]]:
    """The number of each picture, and the number that is drawn on it."""
    return [(p.index, _number(p.gray(WIDTH, HEIGHT))) for p in video.pictures(stride, start, stop)]


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """The path of the drawn film of a name; each is drawn once."""
    folder = tmp_path_factory.mktemp("films")

    def path_of(name: str) -> Path:
        path = folder / name
        return path if path.exists() else write_film(BY_NAME[name], path)

    return path_of


## Numbers and times


@pytest.mark.parametrize("name", BY_NAME)
def test_every_frame_has_its_number_and_its_time(drawn: Callable[[str], Path], name: str) -> None:
    """Labels are frame numbers: one off, and the detector learns from the wrong pictures."""
    film = BY_NAME[name]
    video = Video.open(drawn(name))
    assert seen(video) == [(i, i) for i in range(N)]
    shown_s = [float((ticks - film.ticks[0]) * film.time_base) for ticks in film.ticks]
    np.testing.assert_allclose(video.pts_s, shown_s, atol=1e-9)
    assert [picture.time_s for picture in video.pictures()] == video.pts_s.tolist()


@pytest.mark.parametrize("name", BY_NAME)
def test_a_film_whose_times_are_kept_is_not_read_through_again(
    drawn: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """A recording of hours is opened for each of its spans, often over a network."""
    kept = tmp_path / "times.npy"
    plain, first = Video.open(drawn(name)), Video.open(drawn(name), lambda _: kept)
    with monkeypatch.context() as forbidden:
        forbidden.setattr("core.video.packet_times", lambda *_: pytest.fail("it is read through"))
        again = Video.open(drawn(name), lambda _: kept)
    for video in (first, again):
        assert video.info == plain.info
        np.testing.assert_array_equal(video.pts_s, plain.pts_s)
        assert seen(video, 5, 10, 50) == seen(plain, 5, 10, 50)


def test_a_film_is_not_read_through_for_each_of_its_spans(
    drawn: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, pose = drawn("60.mp4"), PoseSettings()
    with Workspace.open(tmp_path / "home") as workspace:
        sighting.open_video(path, workspace)
        assert not (workspace.home / "videos").exists()  # what is merely opened leaves nothing
        (span,) = sighting.parts_to_look_at(path, workspace, pose)
        monkeypatch.setattr("core.video.packet_times", lambda *_: pytest.fail("it is read through"))
        sighting.look_at_parts(path, workspace, pose, span)
        assert sighting.parts_to_look_at(path, workspace, pose) == []


@pytest.mark.parametrize("damage", [b"", b"no times", "half", "fewer", "a folder"])
def test_damaged_times_are_read_again(drawn: Callable[[str], Path], tmp_path: Path, damage: bytes | str) -> None:
    plain, kept = Video.open(drawn("uneven.mp4")), tmp_path / "times.npy"
    Video.open(drawn("uneven.mp4"), lambda _: kept)
    if damage == "half":
        kept.write_bytes(kept.read_bytes()[:300])
    elif damage == "fewer":
        np.save(kept, np.load(kept)[:-1])
    elif damage == "a folder":  # nor can they be written there
        kept.unlink()
        kept.mkdir()
    elif isinstance(damage, bytes):
        kept.write_bytes(damage)
    np.testing.assert_array_equal(Video.open(drawn("uneven.mp4"), lambda _: kept).pts_s, plain.pts_s)


PARTS = [
    (1, 1, 4),
    (1, 11, 14),
    (1, 12, 13),
    (1, 34, None),
    (2, 0, None),
    (2, 21, None),
    (5, 10, 50),
    (7, 46, N),
    (25, 3, 99),
]


@pytest.mark.parametrize("name", BY_NAME)
def test_a_part_holds_the_same_pictures_as_the_whole(drawn: Callable[[str], Path], name: str) -> None:
    """A job that carries on where it stopped, or a thumbnail, must not show another frame than the first run did."""
    video = Video.open(drawn(name))
    for stride, start, stop in PARTS:
        assert seen(video, stride, start, stop) == [(i, i) for i in range(N)[start:stop:stride]], (stride, start, stop)


@pytest.mark.parametrize(("start", "stop"), [(N, None), (N + 5, N + 9), (7, 7), (9, 3), (0, 0)])
def test_an_empty_part_holds_nothing(drawn: Callable[[str], Path], start: int, stop: int | None) -> None:
    assert seen(Video.open(drawn("24.mp4")), 1, start, stop) == []


@pytest.mark.parametrize(
    ("name", "rate", "variable", "start_s", "duration_s"),
    [
        ("24.mp4", 24, False, 0, N / 24),
        ("ntsc.mp4", _NTSC, False, 0, N * 1.001 / 30),
        ("60.mp4", 60, False, 0, 1),
        ("ntsc.mkv", _NTSC, False, 0, 2.002),
        ("hevc_10_bit.mkv", Fraction(1000, 33), False, 0, 1.98),
        ("uneven.mkv", Fraction(1000 * (N - 1), _UNEVEN[-1] - _UNEVEN[0]), True, _UNEVEN[0] / 1000, None),
        ("starts_at_5_s.mp4", 30, False, 5, 2),
        ("starts_at_5_s.ts", 30, False, 5, 2),
        ("h264.avi", 30, False, 0, 2),
        ("mjpeg_drops.avi", Fraction(30 * (N - 1), _DROPS[-1]), True, 0, (_DROPS[-1] + 1) / 30),
    ],
)
def test_the_rate_is_a_fraction_and_the_length_ends_with_the_last_frame(
    drawn: Callable[[str], Path], name: str, rate: Fraction, variable: bool, start_s: float, duration_s: float | None
) -> None:
    """At 29.97 taken for 30, an hour is 3.6 s off; a clip that ends after the footage cannot be cut."""
    info = Video.open(drawn(name)).info
    assert (info.average_rate, info.variable_rate) == (rate, variable)
    assert info.start_s == pytest.approx(start_s)
    if duration_s:
        assert info.duration_s == pytest.approx(duration_s, abs=0.002)


def test_times_become_frames_and_back(drawn: Callable[[str], Path]) -> None:
    """A click in the player must select the frame that is on screen, on uneven footage too."""
    video = Video.open(drawn("uneven.mkv"))
    for frame in range(N):
        assert video.frame_at(float(video.pts_s[frame])) == frame
        assert video.frame_at(video.end_of(frame) - 0.002) == frame
    assert (video.frame_at(-1), video.frame_at(1e6)) == (0, N - 1)
    assert video.end_of(N - 1) == video.info.duration_s > video.pts_s[-1]


@pytest.mark.parametrize("suffix", ["mp4", "mkv", "ts", "avi"])
def test_one_frame_is_a_video(tmp_path: Path, suffix: str) -> None:
    """Median steps and rates of one frame must not fail."""
    video = Video.open(write_film(Film("", [0], Fraction(1, 30), options=_CLOSED), tmp_path / f"one.{suffix}"))
    assert seen(video) == [(0, 0)]
    assert (video.pts_s.tolist(), video.info.variable_rate) == ([0.0], False)
    assert video.info.duration_s == pytest.approx(1 / 30, abs=0.001)


def test_a_film_trimmed_without_encoding_begins_where_it_is_shown(drawn: Callable[[str], Path], tmp_path: Path) -> None:
    """Phones trim so: the edit list hides frames that are still in the file, and they must not be counted."""
    for name, first in (("60.mp4", 23), ("open_gop.mp4", 40), ("hevc_10_bit.mp4", 17)):
        film = BY_NAME[name]
        run_ffmpeg("-ss", float(first / film.rate), "-i", drawn(name), "-c", "copy", tmp_path / name)
        video = Video.open(tmp_path / name)
        whole = seen(video)
        assert whole == [(i, first + i) for i in range(N - first)]
        assert video.pts_s[0] == 0
        assert all(seen(video, 2, start) == whole[start::2] for start in (1, 8, 15))


@pytest.mark.parametrize("name", ["open_gop.ts", "hevc_10_bit.ts", "mpeg2.ts"])
def test_a_recording_cut_from_a_stream_begins_at_its_first_whole_picture(
    drawn: Callable[[str], Path], tmp_path: Path, name: str
) -> None:
    """What comes before the first keyframe cannot be shown, and counting it would shift every number."""
    stream = drawn(name).read_bytes()
    cut = tmp_path / name
    cut.write_bytes(stream[188 * (len(stream) // 188 // 3) :])
    pictures = seen(Video.open(cut))
    first = pictures[0][1]
    assert first % GOP in (0, GOP - 1)  # MPEG-2 stores a B-frame before its keyframe
    assert pictures == [(i, first + i) for i in range(N - first)]


def test_pictures_ascend_where_the_times_are_out_of_order(drawn: Callable[[str], Path], tmp_path: Path) -> None:
    """Stream copies of uneven footage swap the times of neighbours; a step back in time would upset tracking."""
    path = tmp_path / "swapped.mkv"
    with av.open(str(drawn("prores.mov"))) as source, av.open(str(path), "w") as target:
        stream = target.add_stream_from_template(source.streams.video[0])
        for number, packet in enumerate(p for p in source.demux(video=0) if p.size):
            packet.stream = stream
            packet.dts = 512 * number - 2048
            packet.pts = 512 * {20: 22, 21: 20, 22: 21}.get(number, number)
            target.mux(packet)
    assert [index for index, _ in seen(Video.open(path))] == list(range(N))


## Pictures


@pytest.mark.parametrize("turns", [1, 2, 3])
@pytest.mark.parametrize("suffix", ["mp4", "mov"])
def test_a_picture_is_upright_however_the_phone_was_held(tmp_path: Path, turns: int, suffix: str) -> None:
    """Lying on its side, nobody has ankles below the hips."""
    film = Film("", _steps(512, n=3), Fraction(1, 15360), options=_CLOSED, quarter_turns=turns)
    video = Video.open(write_film(film, tmp_path / f"turned.{suffix}"))
    assert (video.info.width, video.info.height) == (WIDTH, HEIGHT)
    assert video.info.rotation == {1: -90, 2: 180, 3: 90}[turns]
    for picture in video.pictures():
        gray, rgb = picture.gray(WIDTH, HEIGHT), picture.rgb(WIDTH // 2, HEIGHT // 2)
        assert np.abs(gray.astype(int) - _draw(picture.index)).mean() < 12
        assert rgb[-2, 1].min() > 200
        assert max(corner.max() for corner in (rgb[-2, -2], rgb[1, -2])) < 100
        assert (rgb.shape, str(rgb.dtype)) == ((HEIGHT // 2, WIDTH // 2, 3), "uint8")
        assert rgb.flags.c_contiguous


@pytest.mark.parametrize(
    ("aspect", "turns", "size"),
    [(Fraction(4, 3), 0, (128, 64)), (Fraction(8, 9), 0, (85, 64)), (Fraction(3, 2), 1, (96, 96))],
)
def test_pixels_are_square(tmp_path: Path, aspect: Fraction, turns: int, size: tuple[int, int]) -> None:
    """Camcorder footage stored narrow would make every skater slim and every angle wrong."""
    film = Film("", _steps(1, n=2), Fraction(1, 30), options=_CLOSED, aspect=aspect, quarter_turns=turns)
    video = Video.open(write_film(film, tmp_path / "narrow.mp4"))
    assert (video.info.width, video.info.height) == size
    assert next(video.pictures()).gray(*size).shape == size[::-1]


def test_red_is_red(tmp_path: Path) -> None:
    run_ffmpeg("-f", "lavfi", "-i", "color=red:size=96x64:duration=0.1", "-pix_fmt", "yuv420p", tmp_path / "red.mp4")
    red, green, blue = next(Video.open(tmp_path / "red.mp4").pictures()).rgb(96, 64).mean((0, 1))
    assert red > 230
    assert max(green, blue) < 25


@pytest.mark.parametrize(
    ("name", "codec", "bit_depth"),
    [("24.mp4", "h264", 8), ("hevc_10_bit.mp4", "hevc", 10), ("prores.mov", "prores", 10), ("av1.mkv", "av1", 8)],
)
def test_the_codec_has_its_common_name(drawn: Callable[[str], Path], name: str, codec: str, bit_depth: int) -> None:
    """The health check warns of codecs that browsers do not play."""
    info = Video.open(drawn(name)).info
    assert (info.codec, info.bit_depth, info.audio) == (codec, bit_depth, None)


def test_a_size_that_fits_keeps_the_aspect(drawn: Callable[[str], Path]) -> None:
    video = Video.open(drawn("24.mp4"))
    assert (video.fit(48), video.fit(192), video.fit(100, 32)) == ((48, 32), (192, 128), (96, 64))


## Headers that lie and files that are broken


def _patched(source: Path, target: Path, key: bytes, offset: int, value: bytes) -> Path:
    data = bytearray(source.read_bytes())
    at = data.index(key) + len(key) + offset
    data[at : at + len(value)] = value
    target.write_bytes(data)
    return target


@pytest.mark.parametrize(
    ("name", "key", "offset", "value"),
    [
        pytest.param("24.mp4", b"mvhd", 16, struct.pack(">I", 10**8), id="mp4: the film is too long"),
        pytest.param("24.mp4", b"mvhd", 16, struct.pack(">I", 1), id="mp4: the film is too short"),
        pytest.param("24.mp4", b"mdhd", 16, struct.pack(">I", 10**8), id="mp4: the track is too long"),
        pytest.param("24.mp4", b"mdhd", 16, struct.pack(">I", 1), id="mp4: the track is too short"),
        pytest.param("uneven.mkv", b"\x44\x89\x88", 0, struct.pack(">d", 1e7), id="mkv: too long"),
        pytest.param("uneven.mkv", b"\x44\x89\x88", 0, struct.pack(">d", 12.0), id="mkv: too short"),
        pytest.param("mpeg4.avi", b"avih", 20, struct.pack("<I", 7), id="avi: too few frames"),
        pytest.param("mpeg4.avi", b"avih", 20, struct.pack("<I", 9999), id="avi: too many frames"),
        pytest.param("h264.avi", b"strh", 36, struct.pack("<I", 9999), id="avi: too long a stream"),
    ],
)
def test_the_frames_count_and_not_the_header(
    drawn: Callable[[str], Path], tmp_path: Path, name: str, key: bytes, offset: int, value: bytes
) -> None:
    """A camera that lost power leaves a wrong length behind: no frame may be invented or left out."""
    true = Video.open(drawn(name))
    video = Video.open(_patched(drawn(name), tmp_path / name, key, offset, value))
    assert seen(video) == [(i, i) for i in range(N)]
    assert video.pts_s.tolist() == true.pts_s.tolist()
    assert video.info.duration_s == pytest.approx(true.info.duration_s)


def _damaged(source: Path, target: Path, first: int, last: int) -> Path:
    """Zeros in place of the ``first`` to ``last`` packet of the file."""
    with av.open(str(source)) as container:
        places = [(packet.pos, packet.size) for packet in container.demux(video=0) if packet.size]
    data = bytearray(source.read_bytes())
    for at, size in places[first : last + 1]:
        assert at is not None
        data[at : at + size] = bytes(size)
    target.write_bytes(data)
    return target


@pytest.mark.parametrize(
    "name", ["24.mp4", "uneven.mp4", "open_gop.mp4", "hevc_10_bit.mp4", "prores.mov", "mpeg4.avi", "h264.avi"]
)
def test_a_damaged_stretch_shifts_no_number(drawn: Callable[[str], Path], tmp_path: Path, name: str) -> None:
    """A scratch on the card in the first minute must not move the labels of the hour after it."""
    video = Video.open(_damaged(drawn(name), tmp_path / name, 26, 33))
    pictures = seen(video)
    assert video.n_frames == N
    assert [p for p in pictures if p[0] < 20] == [(i, i) for i in range(20)]
    assert [p for p in pictures if p[0] >= 48] == [(i, i) for i in range(48, N)]  # the next whole keyframe
    numbers = [index for index, _ in pictures]
    assert numbers == sorted(set(numbers))
    assert [p for p in seen(video, 3, 30) if p[0] >= 48] == [(i, i) for i in range(48, N, 3)]


@pytest.mark.parametrize("name", ["uneven.mkv", "starts_at_5_s.ts", "h264.flv"])
def test_times_stay_true_after_damage_that_costs_frames(
    drawn: Callable[[str], Path], tmp_path: Path, name: str
) -> None:
    """These containers lose frames for good where they are damaged; what is left must be shown when it was."""
    film = BY_NAME[name]
    data = bytearray(drawn(name).read_bytes())
    data[len(data) // 2 : len(data) // 2 + 1500] = bytes(1500)
    (tmp_path / name).write_bytes(data)
    video = Video.open(tmp_path / name)
    pictures = seen(video)
    assert len(pictures) < N
    for index, number in pictures[:20] + pictures[-6:]:
        assert video.pts_s[index] == pytest.approx(float((film.ticks[number] - film.ticks[0]) * film.time_base))


@pytest.mark.parametrize("name", ["24.mp4", "hevc_10_bit.mp4", "prores.mov"])
@pytest.mark.parametrize("at", [N - 1, N - 2, N - 4])
def test_an_error_near_the_end_costs_no_more_frames_on_many_cores(
    drawn: Callable[[str], Path], tmp_path: Path, name: str, at: int
) -> None:
    """Decoders with a thread per frame hold frames back, and lose them at the end of the file if one is damaged."""
    path = _damaged(drawn(name), tmp_path / name, at, at)
    found = []
    with av.open(str(path)) as container:
        stream: Any = container.streams.video[0]
        stream.codec_context.thread_count = 1
        for packet in container.demux(stream):
            with suppress(av.InvalidDataError):
                found += [frame.pts for frame in stream.codec_context.decode(packet if packet.size else None)]
    assert N - 4 <= len(found) < N
    assert len(seen(Video.open(path))) == len(found)


@pytest.mark.parametrize("name", ["uneven.mkv", "starts_at_5_s.ts", "mpeg4.avi", "mpeg2.mpg", "vp9.webm"])
def test_what_is_there_of_a_recording_cut_short_can_be_used(
    drawn: Callable[[str], Path], tmp_path: Path, name: str
) -> None:
    """These containers are made for it: the power may go at any time."""
    data = drawn(name).read_bytes()
    (tmp_path / name).write_bytes(data[: len(data) * 6 // 10])
    pictures = seen(Video.open(tmp_path / name))
    assert 15 < len(pictures) < N
    assert pictures[:-3] == [(i, i) for i in range(len(pictures) - 3)]  # the last ones are torn


@pytest.mark.parametrize("rest", [bytes(1000), b"trailer of a camera's own \x01\x02" * 40, b"\xff" * 3])
def test_data_behind_the_film_do_no_harm(drawn: Callable[[str], Path], tmp_path: Path, rest: bytes) -> None:
    """Some action cameras append their own data: that is no sign of a film cut short."""
    path = tmp_path / "appended.mp4"
    path.write_bytes(drawn("24.mp4").read_bytes() + rest)
    assert Video.open(path).n_frames == N


def _cut(share: float, *flags: str) -> Callable[[Path], object]:
    def make(path: Path) -> None:
        write_film(BY_NAME["24.mp4"], path)
        run_ffmpeg("-i", path, "-c", "copy", *flags, path.with_name("whole.mp4"))
        data = path.with_name("whole.mp4").read_bytes()
        path.write_bytes(data[: int(len(data) * share)])

    return make


def _new_codec(path: Path) -> None:
    path.write_bytes(write_film(BY_NAME["24.mp4"], path).read_bytes().replace(b"avc1", b"h299"))


def _sound(path: Path, *more: object) -> None:
    run_ffmpeg("-f", "lavfi", "-i", "sine=duration=0.5", *more, path)


_COVER = [
    "-f",
    "lavfi",
    "-i",
    "color=red:size=64x64",
    "-frames:v",
    "1",
    "-c:v",
    "png",
    "-disposition:v",
    "attached_pic",
]


@pytest.mark.parametrize(
    ("name", "make", "complaint"),
    [
        pytest.param("gone.mp4", lambda path: None, "does not exist", id="missing"),
        pytest.param("folder.mp4", Path.mkdir, "is a folder", id="folder"),
        pytest.param("empty.mp4", Path.touch, r"empty.mp4 is empty \(0 bytes\)", id="empty"),
        pytest.param("notes.mp4", lambda path: path.write_text("no film\n" * 99), "cannot be read", id="text"),
        pytest.param("sound.m4a", _sound, "sound.m4a holds no picture", id="sound only"),
        pytest.param("song.m4a", lambda path: _sound(path, *_COVER), "song.m4a holds no picture", id="song with cover"),
        pytest.param("new.mp4", _new_codec, "new.mp4 is coded in a way that is not known", id="unknown codec"),
        pytest.param("cut.mp4", _cut(0.5), "cut.mp4 is cut short", id="half of a file with its index at the end"),
        pytest.param("cut.mp4", _cut(0.99), "cut.mp4 is cut short", id="all but the end of the index"),
        pytest.param("cut.mp4", _cut(0.5, "-movflags", "+faststart"), "cut.mp4 is cut short", id="index ahead, half"),
        pytest.param("cut.mp4", _cut(0.99, "-movflags", "+faststart"), "cut.mp4 is cut short", id="index ahead, 99 %"),
    ],
)
def test_a_file_that_is_no_film_is_refused_in_one_sentence(
    tmp_path: Path, name: str, make: Callable[[Path], object], complaint: str
) -> None:
    """The sentence names the file and what to do; without it, hours are spent on half a film."""
    make(tmp_path / name)
    with pytest.raises(UserError, match=complaint) as caught:
        Video.open(tmp_path / name)
    assert str(caught.value).endswith(".")
    assert ":" in str(caught.value) or ";" in str(caught.value)


@pytest.mark.parametrize("odd", ["name", "folder", "target of a link"])
def test_a_name_that_is_not_utf_8_is_refused(drawn: Callable[[str], Path], tmp_path: Path, odd: str) -> None:
    """From an old disk; it could be looked at for hours, and then not be written down."""
    latin = os.fsdecode(b"caf\xe9")
    path = tmp_path / latin / "line.mp4" if odd == "folder" else tmp_path / f"{latin}.mp4"
    try:
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(drawn("24.mp4").read_bytes())
    except OSError:
        pytest.skip("this disk takes no such name")
    if odd == "target of a link":
        (tmp_path / "link.mp4").symlink_to(path)
        path = tmp_path / "link.mp4"
    with pytest.raises(UserError, match="not UTF-8: rename") as caught:
        Video.open(path)
    assert "caf\N{REPLACEMENT CHARACTER}" in str(caught.value)  # the sentence itself can be written down


def test_sound_that_cannot_be_decoded_is_no_sound(tmp_path: Path) -> None:
    """Phones add tracks of formats to come; the pictures are good all the same."""
    path = tmp_path / "new.mp4"
    sound = ["-f", "lavfi", "-i", "sine=duration=0.2"]
    run_ffmpeg("-f", "lavfi", "-i", "color=red:size=96x64:duration=0.2", *sound, path)
    assert Video.open(path).info.audio is not None
    path.write_bytes(path.read_bytes().replace(b"mp4a", b"apac").replace(b"esds", b"new "))
    assert Video.open(path).info.audio is None


def test_a_film_that_went_away_is_the_users_mistake(drawn: Callable[[str], Path], tmp_path: Path) -> None:
    """Somebody pulled the card out."""
    path = tmp_path / "gone.mp4"
    path.write_bytes(drawn("24.mp4").read_bytes())
    video = Video.open(path)
    path.unlink()
    with pytest.raises(UserError, match=r"gone\.mp4 cannot be decoded"):
        next(video.pictures())


## Real footage


@pytest.mark.parametrize(
    ("name", "size", "n_frames"),
    [
        ("phone_originals/kickflip_hevc_landscape.mov", (1920, 1080), 37),
        ("phone_originals/kickflip_hevc_rotated_vfr.mov", (1080, 1920), 50),
        ("phone_originals/ollie_h264_1080p.mov", (1920, 1080), 52),
        ("phone_originals/ollie_h264_720p_24fps.mov", (1280, 720), 156),
        ("phone_originals/ollie_hevc_rotated_vfr.mov", (1080, 1920), 30),
        ("session/skate_video.mp4", (640, 360), 714),
    ],
)
def test_real_footage_is_upright_and_complete(name: str, size: tuple[int, int], n_frames: int) -> None:
    """Drawn films cannot stand for all that a phone writes beside the picture."""
    if not (DATA / name).exists():
        pytest.skip(f"the footage {name} is not here")
    video = Video.open(DATA / name)
    assert ((video.info.width, video.info.height), video.n_frames) == (size, n_frames)
    pictures = list(video.pictures(stride=3))
    assert [picture.index for picture in pictures] == list(range(0, n_frames, 3))
    assert [picture.index for picture in video.pictures(start=n_frames - 5)] == list(range(n_frames - 5, n_frames))
