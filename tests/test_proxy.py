"""The copy for watching shows the same frames at the same times as the footage, and is only made where it is needed."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from core import colour, ffmpeg, proxy
from core.colour import is_hdr
from core.errors import Cancelled, UserError
from core.ffmpeg import FFmpegError
from core.proxy import make_proxy, needs_proxy, obstacle, proxy_path
from core.video import Video
from core.workspace import Workspace
from tests.test_video import BY_NAME, Film, N, run_ffmpeg, seen, write_film

ORIGINALS = Path(__file__).parents[2] / "shared" / "data" / "phone_originals"


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """The path of the drawn film of a name; each is drawn once."""
    folder = tmp_path_factory.mktemp("films")

    def path_of(name: str) -> Path:
        path = folder / name
        return path if path.exists() else write_film(BY_NAME[name], path)

    return path_of


def keyframes_s(path: Path) -> list[float]:
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        assert stream.time_base
        return [
            float(packet.pts * stream.time_base)
            for packet in container.demux(stream)
            if packet.is_keyframe and packet.pts is not None
        ]


def rough(image: NDArray[np.uint8]) -> NDArray[np.float64]:
    """A 160 x 160 picture without its detail, which every way of scaling renders differently."""
    blocks: NDArray[np.float64] = image.reshape(8, 20, 8, 20).mean((1, 3))
    return blocks


def leftovers(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


## When


@pytest.mark.parametrize(
    ("name", "because"),
    [
        ("24.mp4", None),
        ("vp9.webm", None),
        ("hevc_10_bit.mp4", "it is HEVC (H.265) video"),
        ("mpeg4.avi", "it is MPEG-4 Part 2 video"),
        ("mpeg2.ts", "it is MPEG-2 video"),
        ("prores.mov", "it is ProRes video"),
        ("ntsc.mkv", "it is an MKV file"),
        ("starts_at_5_s.ts", "it is a TS file"),
        ("h264.avi", "it is an AVI file"),
        ("starts_at_5_s.mp4", "its clock starts at 5.00 s"),
        ("open_gop.mp4", "its frames depend on each other across keyframes (open GOP)"),
    ],
)
def test_a_copy_is_wanted_where_the_browser_would_fail(
    drawn: Callable[[str], Path], name: str, because: str | None
) -> None:
    """Without it the player stays black or shows other frames; needless, it costs minutes and disk."""
    video = Video.open(drawn(name))
    assert obstacle(video) == because
    assert needs_proxy(video) == (because is not None)


@pytest.mark.parametrize(
    ("name", "options", "because"),
    [
        ("ten.mp4", ["-c:v", "libx264", "-pix_fmt", "yuv420p10le"], "its colours have 10 bits"),
        ("wide.mp4", ["-c:v", "libx264", "-pix_fmt", "yuv422p"], "its colours are stored as yuv422p"),
        ("pcm.mov", ["-f", "lavfi", "-i", "sine", "-t", "0.2", "-c:v", "libx264", "-pix_fmt", "yuv420p", "-c:a",
                     "pcm_s16le"], "its sound is coded as pcm_s16le"),
    ],
)  # fmt: skip
def test_odd_colours_and_sound_need_a_copy(tmp_path: Path, name: str, options: list[str], because: str) -> None:
    run_ffmpeg("-f", "lavfi", "-i", "testsrc2=size=96x64:rate=30:duration=0.2", *options, tmp_path / name)
    assert obstacle(Video.open(tmp_path / name)) == because


def test_footage_too_heavy_for_a_laptop_needs_a_copy(tmp_path: Path) -> None:
    """4K stutters in a browser that decodes without a graphics card, and nobody can mark frames in it."""
    path = tmp_path / "4k.mp4"
    source = "color=gray:size=3840x2160:rate=30:duration=0.1"
    run_ffmpeg("-f", "lavfi", "-i", source, "-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", path)
    because = obstacle(Video.open(path))
    assert because is not None
    assert because.startswith("it is heavy (3840 × 2160 at 30 frames and ")


## What


@pytest.mark.parametrize(
    "name",
    ["24.mp4", "ntsc.mkv", "uneven.mkv", "starts_at_5_s.mp4", "starts_at_5_s.ts", "h264.flv", "open_gop.mp4",
     "open_gop.ts", "hevc_10_bit.mkv", "vp9.webm", "mpeg2.ts", "mpeg2.mpg", "prores.mov", "h264.avi",
     "mpeg4_b_frames.avi", "mjpeg_drops.avi"],
)  # fmt: skip
def test_the_copy_has_the_same_frames_at_the_same_times(
    drawn: Callable[[str], Path], tmp_path: Path, name: str
) -> None:
    """Labels are made on the copy and clips cut from the original: one frame off, and every clip is."""
    video = Video.open(drawn(name))
    told: list[float] = []
    copy = Video.open(make_proxy(video, tmp_path / "new folder" / "copy.mp4", told.append))
    assert seen(copy) == [(i, i) for i in range(N)]
    np.testing.assert_allclose(copy.pts_s, video.pts_s, atol=0.0005)
    assert not needs_proxy(copy)
    assert copy.info.start_s == pytest.approx(0, abs=0.0005)
    assert told[-1] == 1.0


@pytest.mark.parametrize("name", ["open_gop.ts", "mpeg2.ts"])
def test_a_recording_that_begins_in_the_middle_begins_with_the_same_frame(
    drawn: Callable[[str], Path], tmp_path: Path, name: str
) -> None:
    """FFmpeg makes pictures of what stands before the first keyframe, grey ones, and they would shift every number."""
    stream = drawn(name).read_bytes()
    cut = tmp_path / name
    cut.write_bytes(stream[188 * (len(stream) // 188 // 3) :])
    video = Video.open(cut)
    copy = Video.open(make_proxy(video, tmp_path / "copy.mp4"))
    assert seen(copy) == seen(video)
    np.testing.assert_allclose(copy.pts_s, video.pts_s, atol=0.001)


def test_sound_stays_and_a_late_picture_stays_late(drawn: Callable[[str], Path], tmp_path: Path) -> None:
    late = tmp_path / "late.mkv"
    sound = ["-f", "lavfi", "-t", "3", "-i", "sine", "-c:v", "copy", "-c:a", "pcm_s16le"]
    run_ffmpeg("-itsoffset", 0.5, "-i", drawn("24.mp4"), *sound, late)
    video = Video.open(late)
    assert video.pts_s[0] == pytest.approx(0.5, abs=0.002)
    copy = Video.open(make_proxy(video, tmp_path / "copy.mp4"))
    assert copy.info.audio is not None
    assert copy.info.audio.codec == "aac"
    np.testing.assert_allclose(copy.pts_s, video.pts_s, atol=0.001)


def test_the_copy_is_upright_small_and_quick_to_seek(tmp_path: Path) -> None:
    path = tmp_path / "phone.mov"
    run_ffmpeg("-f", "lavfi", "-i", "testsrc2=size=1920x1080:rate=30:duration=2", "-c:v", "libx265", "-preset",
               "ultrafast", "-x265-params", "log-level=none", tmp_path / "lying.mov")  # fmt: skip
    run_ffmpeg("-display_rotation", -90, "-i", tmp_path / "lying.mov", "-c", "copy", path)
    video = Video.open(path)
    assert video.info.rotation == -90
    copy = make_proxy(video, tmp_path / "copy.mp4")
    info = Video.open(copy).info
    assert (info.width, info.height, info.rotation) == (720, 1280, 0)
    assert (info.codec, info.pixel_format) == ("h264", "yuv420p")
    assert keyframes_s(copy) == pytest.approx([0, 0.5, 1, 1.5])
    assert copy.read_bytes().index(b"moov") < copy.read_bytes().index(b"mdat")


def test_what_only_lies_in_another_box_is_not_encoded_anew(drawn: Callable[[str], Path], tmp_path: Path) -> None:
    """An hour then takes seconds instead of a quarter of an hour."""
    name = "ntsc.mkv"
    packets = []
    for path in (drawn(name), make_proxy(Video.open(drawn(name)), tmp_path / "copy.mp4")):
        with av.open(str(path)) as container:
            packets.append([bytes(packet) for packet in container.demux(video=0) if packet.size])
    assert packets[0] == packets[1]


def test_odd_sides_lose_a_line_and_no_more(tmp_path: Path) -> None:
    """H.264 wants even sides; FFmpeg would refuse the copy."""
    source = "testsrc2=size=99x67:rate=30:duration=0.2"
    run_ffmpeg("-f", "lavfi", "-i", source, "-c:v", "ffv1", "-pix_fmt", "yuv444p", tmp_path / "odd.mkv")
    info = Video.open(make_proxy(Video.open(tmp_path / "odd.mkv"), tmp_path / "copy.mp4")).info
    assert (info.width, info.height) == (98, 66) or (info.width, info.height) == (100, 68)


@pytest.mark.parametrize("transfer", ["smpte2084", "arib-std-b67"])
def test_hdr_is_brought_down_to_ordinary_brightness(tmp_path: Path, transfer: str) -> None:
    """Shown as it is, HDR looks grey and flat, or far too dark."""
    path = tmp_path / "hdr.mp4"
    tags = ["-color_trc", transfer, "-color_primaries", "bt2020", "-colorspace", "bt2020nc"]
    to_hdr = f"zscale=tin=bt709:pin=bt709:min=bt709:t={transfer}:p=bt2020:m=bt2020nc,format=yuv420p10le"
    run_ffmpeg("-f", "lavfi", "-i", "testsrc2=size=192x128:rate=30:duration=0.2", "-vf", to_hdr, "-c:v", "libx265",
               "-preset", "ultrafast", "-x265-params", "log-level=none", *tags, path)  # fmt: skip
    video = Video.open(path)
    assert is_hdr(video)
    copy = Video.open(make_proxy(video, tmp_path / "copy.mp4"))
    assert not is_hdr(copy)
    assert copy.info.bit_depth == 8
    flat, toned = (next(v.pictures()).rgb(192, 128).std() for v in (video, copy))
    assert toned > 1.2 * flat


def test_an_ffmpeg_without_tone_mapping_still_makes_a_copy(
    drawn: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """IMAGEIO_FFMPEG_EXE may name a lean one."""
    path = tmp_path / "hdr.mp4"
    tagged = ["-vf", "setparams=color_trc=smpte2084", "-c:v", "libx265", "-x265-params", "log-level=none"]
    run_ffmpeg("-i", drawn("prores.mov"), *tagged, path)
    video = Video.open(path)
    assert is_hdr(video)
    monkeypatch.setattr(colour, "_can_map_tones", lambda: False)
    assert Video.open(make_proxy(video, tmp_path / "copy.mp4")).n_frames == N


## What goes wrong


def test_a_little_damage_costs_a_few_frames_and_much_is_said(drawn: Callable[[str], Path], tmp_path: Path) -> None:
    """A glitch of the card must not cost the session; the frames that are left keep their times."""
    path = tmp_path / "damaged.mov"
    stored = bytearray(drawn("prores.mov").read_bytes())
    with av.open(str(drawn("prores.mov"))) as container:
        packets = [(p.pos, p.size) for p in container.demux(video=0) if p.size and p.pos is not None]
    position, size = packets[20]
    stored[position : position + size] = bytes(size)
    path.write_bytes(stored)
    video = Video.open(path)
    copy = Video.open(make_proxy(video, tmp_path / "copy.mp4"))
    assert set(np.round(copy.pts_s, 3)) <= set(np.round(video.pts_s, 3))
    assert copy.n_frames in (N - 1, N)
    for position, size in packets[5:40]:
        stored[position : position + size] = bytes(size)
    path.write_bytes(stored)
    with pytest.raises(UserError, match=r"damaged\.mov is damaged: only \d+ of 60 frames can be read"):
        make_proxy(Video.open(path), tmp_path / "other.mp4")
    assert not (tmp_path / "other.mp4").exists()


def test_a_copy_with_other_frames_is_refused(
    drawn: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever FFmpeg's next version does: no copy is better than one in which frame 247 is another one."""
    video = Video.open(drawn("uneven.mp4"))
    real = ffmpeg.run

    def even(arguments: list[str], *others: object) -> tuple[str, ...]:
        swapped = ["cfr" if word == "passthrough" else word for word in arguments]
        return real(swapped, *others)  # type: ignore[arg-type]

    monkeypatch.setattr(proxy, "run", even)
    with pytest.raises(FFmpegError, match=r"uneven\.mp4"):
        make_proxy(video, tmp_path / "out" / "copy.mp4")
    assert leftovers(tmp_path / "out") == []


def test_cancelled_leaves_nothing(drawn: Callable[[str], Path], tmp_path: Path) -> None:
    with pytest.raises(Cancelled):
        make_proxy(Video.open(drawn("prores.mov")), tmp_path / "copy.mp4", cancelled=lambda: True)
    assert leftovers(tmp_path) == []


def test_footage_that_went_away_is_named(tmp_path: Path) -> None:
    path = write_film(Film("", list(range(4)), Fraction(1, 30)), tmp_path / "gone.mkv")
    video = Video.open(path)
    path.unlink()
    with pytest.raises(UserError, match=r"gone\.mkv"):
        make_proxy(video, tmp_path / "copy.mp4")


def test_a_full_disk_is_said(drawn: Callable[[str], Path], disk: Path) -> None:
    (disk / "fill").write_bytes(bytes(200_000))
    with pytest.raises(UserError, match="the disk is full"):
        make_proxy(Video.open(drawn("prores.mov")), disk / "copy.mp4")
    assert [path.name for path in leftovers(disk)] == ["fill"]


def test_a_copy_goes_by_the_content(tmp_path: Path) -> None:
    with Workspace.open(tmp_path / "home") as workspace:
        path = proxy_path(workspace, "ab12")
        assert path == proxy_path(workspace, "ab12") != proxy_path(workspace, "cd34")
        assert path.parent == workspace.home / "videos" / "ab12"
        assert path.suffix == ".mp4"


@pytest.mark.parametrize(
    "name", ["kickflip_hevc_landscape.mov", "kickflip_hevc_rotated_vfr.mov", "ollie_hevc_rotated_vfr.mov"]
)
def test_footage_as_it_came_off_the_phone(tmp_path: Path, name: str) -> None:
    """HEVC on its side, with data tracks that break a copy and edit lists that hide frames."""
    if not ORIGINALS.is_dir():
        pytest.skip("the phone footage is not here")
    video = Video.open(ORIGINALS / name)
    copy = Video.open(make_proxy(video, tmp_path / "copy.mp4"))
    assert copy.n_frames == video.n_frames
    np.testing.assert_allclose(copy.pts_s, video.pts_s, atol=0.001)
    assert copy.info.audio
    assert (copy.info.width > copy.info.height) == (video.info.width > video.info.height)
    for frame in (0, video.n_frames - 1):
        wanted, got = (rough(next(v.pictures(1, frame)).gray(160, 160)) for v in (video, copy))
        assert np.abs(wanted - got).mean() < 3
