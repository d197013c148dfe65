"""Clips of footage in any colours look right on an ordinary screen.

What the patches must become is reckoned here from the standards: ITU-R BT.2100 (PQ, HLG), BT.1886 (what a screen makes
of BT.709), and the matrices between primaries and light from the chromaticities of BT.709 and BT.2020.
"""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from core import colour
from core.clips import cut_clip, plan_clips
from core.colour import HDR_PEAK, HDR_WHITE, KNEE, sdr_filters
from core.ffmpeg import executable, run
from core.intervals import Interval
from core.proxy import make_proxy
from core.settings import ClipSettings
from core.video import Video

Light = NDArray[np.float64]
PATCH = 32
"""Pixels."""

## The standards


def to_xyz(primaries: Sequence[tuple[float, float]]) -> Light:
    """The matrix from linear RGB with a white of D65 to CIE XYZ (SMPTE RP 177): shape ``(3, 3)``."""
    columns = np.array([[x / y, 1, (1 - x - y) / y] for x, y in primaries]).T
    x, y = 0.3127, 0.3290
    white = np.array([x / y, 1, (1 - x - y) / y])
    scaled: Light = columns * np.linalg.solve(columns, white)
    return scaled


BT709 = to_xyz([(0.640, 0.330), (0.300, 0.600), (0.150, 0.060)])
BT2020 = to_xyz([(0.708, 0.292), (0.170, 0.797), (0.131, 0.046)])
LUMA = {"bt709": (0.2126, 0.0722), "bt2020nc": (0.2627, 0.0593), "smpte170m": (0.299, 0.114)}


def pq(nits: Light) -> Light:
    """Signal of light, BT.2100 table 4."""
    m1, m2, c1, c2, c3 = 2610 / 16384, 2523 / 32, 3424 / 4096, 2413 / 128, 2392 / 128
    y = (nits / 10000) ** m1
    return np.asarray(((c1 + c2 * y) / (1 + c3 * y)) ** m2)


def hlg(nits: Light) -> Light:
    """Signal of RGB light on a screen of 1000 cd/m2, BT.2100 table 5: the OOTF with a gamma of 1.2 undone first."""
    luminance = nits @ np.array([0.2627, 0.6780, 0.0593]) / 1000
    scene = nits / 1000 * np.maximum(luminance, 1e-9)[..., None] ** (1 / 1.2 - 1)
    a, b, c = 0.17883277, 0.28466892, 0.55991073
    curve: Light = np.where(scene <= 1 / 12, np.sqrt(3 * scene), a * np.log(np.maximum(12 * scene - b, 1e-9)) + c)
    return curve


def mobius(light: Light) -> Light:
    """In proportion up to the knee; from there the hyperbola that goes on with the same slope and gives 1 at the peak.

    Light is in units of the reference white; solved here as equations, not by FFmpeg's formulas.
    """
    # y = (p x + q) / (x + r) with y(knee) = knee, y'(knee) = 1, y(peak) = 1.
    peak = HDR_PEAK / HDR_WHITE
    r = (KNEE**2 - 2 * KNEE * peak + peak) / (peak - 1)
    p, q = np.linalg.solve([[KNEE, 1], [peak, 1]], [KNEE * (KNEE + r), peak + r])
    assert (p * r - q) / (KNEE + r) ** 2 == pytest.approx(1)
    return np.where(light <= KNEE, light, (p * light + q) / (light + r))


def sdr_of(nits: Light) -> Light:
    """The R'G'B' that HDR light in BT.2020, shape ``(n, 3)``, must become: 0 to 1."""
    light = nits / HDR_WHITE @ (np.linalg.inv(BT709) @ BT2020).T
    strongest = light.max(1, keepdims=True)
    return np.asarray(np.clip(light * mobius(strongest) / strongest, 0, 1) ** (1 / 2.4))


## Drawing and reading


def write_patches(path: Path, signal: Light, matrix: str, tags: str, bits: int, full: bool = False) -> Video:
    """Half a second of the R'G'B' patches ``signal``, shape ``(n, 3)``, side by side, without loss."""
    red, blue = LUMA[matrix]
    y = signal @ np.array([red, 1 - red - blue, blue])
    planes = [y, (signal[:, 2] - y) / (2 - 2 * blue), (signal[:, 0] - y) / (2 - 2 * red)]
    unit = (2**bits - 1) if full else 2 ** (bits - 8)
    span = [(unit, 0), (unit, 2 ** (bits - 1))] if full else [(219 * unit, 16 * unit), (224 * unit, 128 * unit)]
    codes = [
        np.round(plane * scale + zero) for plane, (scale, zero) in zip(planes, [span[0], span[1], span[1]], strict=True)
    ]
    kind = "<u2" if bits > 8 else "u1"
    picture = b"".join(
        np.tile(np.repeat(code, side), (side, 1)).astype(kind).tobytes()
        for code, side in zip(codes, (PATCH, PATCH // 2, PATCH // 2), strict=True)
    )
    size = f"{len(signal) * PATCH}x{PATCH}"
    pixels = "yuv420p10le" if bits > 8 else "yuv420p"
    command = [
        executable(), "-v", "error", "-f", "rawvideo", "-pix_fmt", pixels, "-s", size, "-r", "30", "-i", "-",
        "-vf", f"setparams={tags}range={'pc' if full else 'tv'}", "-c:v", "libx264", "-preset", "ultrafast", "-qp",
        "0", str(path),
    ]  # fmt: skip
    subprocess.run(command, input=picture * 15, check=True)
    return Video.open(path)


def cut(video: Video, out: Path) -> Path:
    """An exact clip of its frames 3 to 8."""
    [plan] = plan_clips([Interval(3, 8)], video, ClipSettings(clip_padding_s=0))
    return cut_clip(video, plan, out).path


def read_patches(path: Path) -> tuple[Light, tuple[int, ...]]:
    """The R'G'B' of the patches in the middle of the first frame, by the matrix of its tags, and all four tags."""
    with av.open(str(path)) as container:
        frame = next(container.decode(video=0))
    assert frame.format.name == "yuv420p"
    tags = (int(frame.color_primaries), int(frame.color_trc), int(frame.colorspace), int(frame.color_range))
    red, blue = LUMA[{1: "bt709", 5: "smpte170m", 6: "smpte170m"}[tags[2]]]
    planes = []
    for plane, side in zip(frame.planes, (PATCH, PATCH // 2, PATCH // 2), strict=True):
        image = np.frombuffer(bytes(plane), np.uint8).reshape(plane.height, plane.line_size)[:, : plane.width]
        inner = image.reshape(plane.height, -1, side)[side // 4 : -side // 4, :, side // 4 : -side // 4]
        planes.append(inner.mean((0, 2)))
    y, cb, cr = (planes[0] - 16) / 219, (planes[1] - 128) / 224, (planes[2] - 128) / 224
    r, b = y + (2 - 2 * red) * cr, y + (2 - 2 * blue) * cb
    return np.stack([r, (y - red * r - blue * b) / (1 - red - blue), b], 1), tags


SDR = (1, 1, 1, 1)
"""BT.709 in primaries, transfer and matrix, at limited range."""
GREYS = np.array([1, 5, 26, 50, 100, 150, 203, 300, 500, 800, 1000.0])
"""cd/m2. A grey card of 18 % is at 26, a white sheet at 203 (BT.2408, table 1)."""
# Light skin at 50 to 60 cd/m2, and bars of 75 % within BT.709 at the light of a white sheet.
_BARS = [(r, g, b) for r in (0, 0.75) for g in (0, 0.75) for b in (0, 0.75) if r or g or b]
COLOURS = np.concatenate(
    [np.array([[0.78, 0.57, 0.46]]) ** 2.4, np.array(_BARS) ** 2.4]
) @ (np.linalg.inv(BT2020) @ BT709).T * HDR_WHITE  # fmt: skip


@pytest.mark.parametrize(("transfer", "signal_of"), [("smpte2084", pq), ("arib-std-b67", hlg)])
def test_hdr_becomes_what_the_standards_say(tmp_path: Path, transfer: str, signal_of: object) -> None:
    """Footage of any newer phone: shown as it is, it looks grey and flat, or far too dark."""
    assert callable(signal_of)
    light = np.concatenate([np.repeat(GREYS[:, None], 3, 1), np.maximum(COLOURS, 0)])
    tags = f"color_primaries=bt2020:color_trc={transfer}:colorspace=bt2020nc:"
    video = write_patches(tmp_path / "hdr.mp4", np.clip(signal_of(light), 0, 1), "bt2020nc", tags, 10)
    wanted = sdr_of(light)
    for path in (cut(video, tmp_path / "clip.mp4"), make_proxy(video, tmp_path / "proxy.mp4")):
        seen, written = read_patches(path)
        assert written == SDR
        error = np.abs(np.clip(seen, 0, 1) - wanted)
        assert error.mean() < 0.006
        assert error[wanted > 0.1].max() < 0.015
        assert error.max() < 0.08  # of a channel that is to be dark: a step of its ten bits is so much
        greys = seen[: len(GREYS)]
        assert (np.diff(greys.mean(1)) > 0.004).all()  # each brighter than the one before, up to the brightest
        assert np.ptp(greys, 1).max() < 0.012  # and none of them coloured
        grey_card, white_sheet, peak = greys.mean(1)[[2, 6, 10]]
        # BT.2408: 18 % grey is 43 % of an SDR signal when white is 100 %.
        assert grey_card == pytest.approx(0.43, abs=0.015)
        assert 0.85 < white_sheet < 0.93
        assert peak > 0.985


def test_wide_colours_without_hdr(tmp_path: Path) -> None:
    """BT.2020 shown as BT.709 is pale: its numbers stand for stronger colours."""
    inside = np.concatenate([np.linspace(0.05, 1, 8)[:, None].repeat(3, 1), np.array([[0.78, 0.57, 0.46], *_BARS])])
    signal = np.clip(inside**2.4 @ (np.linalg.inv(BT2020) @ BT709).T, 0, 1) ** (1 / 2.4)
    tags = "color_primaries=bt2020:color_trc=bt2020-10:colorspace=bt2020nc:"
    video = write_patches(tmp_path / "wide.mp4", signal, "bt2020nc", tags, 10)
    seen, written = read_patches(cut(video, tmp_path / "clip.mp4"))
    assert written == SDR
    assert np.abs(seen - inside).mean() < 0.006
    assert np.abs(seen - inside)[inside > 0.1].max() < 0.015
    assert np.abs(seen - inside).max() < 0.06  # dark channels of strong colours


@pytest.mark.parametrize(
    ("matrix", "tags", "bits", "full", "written"),
    [
        ("bt709", "color_primaries=bt709:color_trc=bt709:colorspace=bt709:", 8, False, SDR),
        ("bt709", "color_primaries=bt709:color_trc=bt709:colorspace=bt709:", 8, True, SDR),
        ("bt709", "color_primaries=bt709:color_trc=bt709:colorspace=bt709:", 10, False, SDR),
        ("bt709", "color_primaries=bt709:color_trc=bt709:colorspace=bt709:", 10, True, SDR),
        ("smpte170m", "color_primaries=smpte170m:color_trc=smpte170m:colorspace=smpte170m:", 8, False, (6, 6, 6, 1)),
        ("smpte170m", "color_primaries=bt470bg:color_trc=smpte170m:colorspace=bt470bg:", 10, True, (5, 6, 5, 1)),
        ("smpte170m", "", 8, False, (6, 6, 6, 1)),
        ("smpte170m", "", 8, True, (6, 6, 6, 1)),
    ],
)  # fmt: skip
def test_ordinary_colours_stay(
    tmp_path: Path, matrix: str, tags: str, bits: int, full: bool, written: tuple[int, ...]
) -> None:
    """Taken for the other range or standard, blacks turn grey and reds orange."""
    signal = np.concatenate([np.linspace(0, 1, 8)[:, None].repeat(3, 1), np.array([[0.78, 0.57, 0.46], *_BARS])])
    video = write_patches(tmp_path / "sdr.mp4", signal, matrix, tags, bits, full)
    seen, told = read_patches(cut(video, tmp_path / "clip.mp4"))
    assert told == written
    assert np.abs(seen - signal).mean() < 0.005
    assert np.abs(seen - signal).max() < 0.025


def test_what_is_right_is_left_alone(tmp_path: Path) -> None:
    tags = "color_primaries=bt709:color_trc=bt709:colorspace=bt709:"
    assert sdr_filters(write_patches(tmp_path / "hd.mp4", np.ones((8, 3)), "bt709", tags, 8)) == ""


def test_high_definition_without_tags_stays_what_players_take_it_for(tmp_path: Path) -> None:
    """Made smaller for a preview, it would be taken for standard definition, and skin turn pale."""
    path = tmp_path / "untagged.mp4"
    run(["-f", "lavfi", "-i", "testsrc2=size=1280x720:rate=30:duration=0.4,format=yuv420p", "-c:v", "libx264",
         "-preset", "ultrafast", str(path)], 12)  # fmt: skip
    video = Video.open(path)
    assert video.info.colour.matrix == 2
    [plan] = plan_clips([Interval(3, 8)], video, ClipSettings(clip_padding_s=0))
    small = cut_clip(video, plan, tmp_path / "small.mp4", long_side=320)
    told = Video.open(small.path).info.colour
    assert (told.primaries, told.transfer, told.matrix, told.full_range) == (1, 1, 1, False)


def test_recordings_of_a_screen_are_red_where_they_were_red(tmp_path: Path) -> None:
    """RGB has no matrix; FFmpeg takes that of standard definition and says so nowhere."""
    path = tmp_path / "screen.mkv"
    run(
        ["-f", "lavfi", "-i", "color=red:size=1280x720:rate=30:duration=0.4,format=gbrp", "-c:v", "ffv1", str(path)], 12
    )
    with av.open(str(cut(Video.open(path), tmp_path / "clip.mp4"))) as container:
        frame = next(container.decode(video=0))
    y = np.frombuffer(bytes(frame.planes[0]), np.uint8)[0]
    assert int(frame.colorspace) == 1
    assert y == pytest.approx(16 + 219 * 0.2126, abs=2)


def test_ten_bits_become_eight_without_steps(tmp_path: Path) -> None:
    """A clear sky: rounded and not dithered, it shows bands. Means between two values of 8 bits survive."""
    levels = np.arange(400, 424)
    video = write_patches(
        tmp_path / "sky.mp4", ((levels / 4 - 16) / 219)[:, None].repeat(3, 1), "bt709",
        "color_primaries=bt709:color_trc=bt709:colorspace=bt709:", 10,
    )  # fmt: skip
    command = [executable(), "-v", "error", "-i", str(video.path), "-frames:v", "1", "-vf", sdr_filters(video), "-f",
               "rawvideo", "-"]  # fmt: skip
    raw = subprocess.run(command, capture_output=True, check=True).stdout
    luma = np.frombuffer(raw, np.uint8)[: PATCH * PATCH * len(levels)].reshape(PATCH, len(levels), PATCH)
    assert np.abs(luma.mean((0, 2)) - levels / 4).max() < 0.07


def test_an_ffmpeg_that_cannot_map_tones_keeps_the_tags(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """IMAGEIO_FFMPEG_EXE may name a lean one: a player then still knows what it is shown."""
    monkeypatch.setattr(colour, "_can_map_tones", lambda: False)
    tags = "color_primaries=bt2020:color_trc=arib-std-b67:colorspace=bt2020nc:"
    video = write_patches(tmp_path / "hlg.mp4", np.full((8, 3), 0.5), "bt2020nc", tags, 10)
    info = Video.open(cut(video, tmp_path / "clip.mp4")).info
    assert (info.pixel_format, info.colour.primaries, info.colour.transfer, info.colour.matrix) == ("yuv420p", 9, 18, 9)
