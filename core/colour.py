"""Colours of clips: whatever the footage was filmed in becomes what every player and every site shows right.

    >>> sdr_filters(Video.open("phone_hlg.mov"))                             # doctest: +SKIP
    'zscale=t=linear:npl=203:p=bt709,format=gbrpf32le,tonemap=...'

That is 8 bits at limited range: BT.709 for all that is high definition, and BT.601 for what was filmed in it. HDR (PQ,
and HLG, which is also the base layer of Dolby Vision 8.4 as phones write it) is mapped display-referred: nits of the
screen that the HDR is meant for become nits of an ordinary one.
"""

from __future__ import annotations

from functools import cache

from core.ffmpeg import executable
from core.video import ColourInfo, Video

HDR_WHITE = 203
"""Light of a white sheet of paper in HDR, cd/m2 (ITU-R BT.2408, table 1): 58 % of PQ, 75 % of HLG."""
HDR_PEAK = 1000
"""The brightest light that is told apart, cd/m2: the nominal peak of HLG (ITU-R BT.2100), and what phones grade PQ for.
All that is brighter becomes white."""
KNEE = 0.5
"""Up to this share of ``HDR_WHITE`` light stays in proportion, which holds skin and grey cards; from there to the peak
it is bent by tonemap's ``mobius``. A white sheet so becomes 89 % and leaves room for what shines."""

_UNKNOWN = {0, 2, 3}
"""Code points that say nothing: reserved, or unspecified."""
_RGB = ("rgb", "bgr", "gbr", "0rgb", "0bgr", "argb", "abgr", "pal8")
"""What the pixel formats without a matrix begin with."""
_PQ, _HLG = 16, 18
_WIDE = {9: "bt2020", 11: "smpte431", 12: "smpte432"}
"""Primaries that reach further than BT.709: BT.2020 and both kinds of P3."""
_BT2020 = {9, 10}
_BT601 = {5: "bt470bg", 6: "smpte170m"}
"""Matrices of standard definition, which are one and the same, by the name that goes with their primaries."""
_SD_LINES = 576
_PAL_LINES = {288, 576}


def is_hdr(video: Video) -> bool:
    """Whether the colours are stored for screens with high dynamic range (HDR10 or HLG)."""
    return video.info.colour.transfer in (_PQ, _HLG)


def sdr_filters(video: Video) -> str:
    """FFmpeg's filters from decoded pictures of ``video`` to 8 bits of standard dynamic range, with all colour tags.

    They may come after others that only move or scale pixels. An empty text says that nothing is to be done. Where
    this FFmpeg cannot map tones, HDR and wide colours keep their tags and are left to the player.
    """
    info = video.info
    colour = info.colour
    rgb = info.pixel_format.startswith(_RGB)
    wide = colour.primaries in _WIDE or colour.matrix in _BT2020
    if (is_hdr(video) or wide) and not rgb:
        if not _can_map_tones():
            return "format=yuv420p" if info.bit_depth > 8 else ""
        return ",".join([*_completed(colour), *_mapped(colour.transfer), "format=yuv420p"])
    family = _family(video)
    # FFmpeg takes BT.601 for RGB of any size unless it is told otherwise.
    matrix = [f"out_color_matrix={family}"] if rgb else []
    convert = rgb or colour.full_range or info.bit_depth > 8
    filters = [":".join(["scale=out_range=tv", *matrix]), "format=yuv420p"] if convert else []
    return ",".join([*filters, *_tags(video, family, rgb)])


def _mapped(transfer: int) -> list[str]:
    """Filters from wide colours, with or without HDR, to BT.709."""
    # zscale reckons display-referred, with the gamma of 2.4 of ITU-R BT.1886.
    to_709 = "zscale=p=bt709:t=bt709:m=bt709:r=tv:d=ordered"
    if transfer not in (_PQ, _HLG):
        return [to_709]
    # Unless it is forbidden to take short cuts, zscale applies the OOTF of HLG to each channel and not to their luma:
    # skin turns orange. Forbidden, that step takes twice as long.
    exactly = ":agamma=0" if transfer == _HLG else ""
    return [
        f"zscale=t=linear:npl={HDR_WHITE}:p=bt709{exactly}",
        "format=gbrpf32le",
        f"tonemap=mobius:param={KNEE}:peak={HDR_PEAK / HDR_WHITE:.6f}:desat=0",
        to_709,
    ]


def _completed(colour: ColourInfo) -> list[str]:
    """What goes without saying in BT.2020, said: zscale refuses to guess."""
    told = {
        "color_primaries": "bt2020" if colour.primaries in _UNKNOWN else "",
        "color_trc": "bt709" if colour.transfer in _UNKNOWN else "",
        "colorspace": "bt2020nc" if colour.matrix in _UNKNOWN else "",
    }
    return _set({name: value for name, value in told.items() if value})


def _family(video: Video) -> str:
    """The standard by FFmpeg's name of its matrix: what the file says, or else what players guess from the size."""
    colour = video.info.colour
    for code in (colour.matrix, colour.primaries):
        if code in _BT601:
            return _BT601[code]
        if code not in _UNKNOWN:
            return "bt709"
    lines = min(video.info.width, video.info.height)
    if lines > _SD_LINES:
        return "bt709"
    return "bt470bg" if lines in _PAL_LINES else "smpte170m"


def _tags(video: Video, family: str, converted: bool) -> list[str]:
    """Without tags a player guesses by size, and guesses otherwise for a clip that was cropped or made smaller."""
    colour = video.info.colour
    transfer = "bt709" if family == "bt709" else "smpte170m"  # one curve by two names
    told = {
        "range": "tv" if colour.full_range is None else "",
        "color_primaries": family if colour.primaries in _UNKNOWN else "",
        "color_trc": transfer if colour.transfer in _UNKNOWN else "",
        "colorspace": family if colour.matrix in _UNKNOWN or converted else "",
    }
    return _set({name: value for name, value in told.items() if value})


def _set(tags: dict[str, str]) -> list[str]:
    return ["setparams=" + ":".join(f"{name}={value}" for name, value in tags.items())] if tags else []


@cache
def _can_map_tones() -> bool:
    """Whether this FFmpeg has the filters for it."""
    import subprocess

    listed = subprocess.run([executable(), "-hide_banner", "-filters"], capture_output=True, text=True, check=False)
    names = {words[1] for words in map(str.split, listed.stdout.splitlines()) if len(words) > 2}
    return {"zscale", "tonemap"} <= names
