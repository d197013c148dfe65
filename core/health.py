"""What a video's owner should know before and after it is looked at, in plain words.

    >>> for finding in health(Video.open("footage.mov")):                    # doctest: +SKIP
    ...     print(finding.level, finding.text)

The limits were measured: the reference session (640 x 360, its three tricks found without a false alarm) was darkened,
brightened, blurred and shrunk until the starter detector failed on it, with both pose networks where size is concerned.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from core.colour import is_hdr
from core.proxy import obstacle
from core.settings import PoseSettings
from core.thumbnails import keyframes
from core.video import Picture, Video

if TYPE_CHECKING:
    from core.sighting import Look

Level = Literal["warning", "note", "good"]

DARK = 25.0
"""Mean brightness (0 to 255) of a typical picture. Down to 29 nothing was lost; at 17 there was one false alarm, at 10
three. The darkest of 201 real clips has 52."""
BURNT_SHARE = 0.5
"""Share of a typical picture at 250 or more of 255. At 0.52 there was one false alarm, at 0.93 five; the worst of the
201 clips has 0.18."""
BLURRED = 0.003
"""Variance of the Laplacian at 320 pixels by the square of the brightness. At 0.0053 nothing was lost, at 0.0011 there
were four false alarms; the softest of the 201 clips has 0.0090."""
SMALL_SHARE = 0.035
"""Median torso by the long side of the picture. 0.044 gave one false alarm, 0.031 two or three, 0.019 three to five:
the networks shrink the picture to 256 to 640 pixels, so that more pixels in the file do not help."""
LOW_RATE = 20.0
"""Frames a second: below it half a second in the air is seen fewer than five times at the default stride."""
HIGH_RATE = 90.0
ENOUGH_RATE = 15.0
"""Frames a second that are looked at on 30 fps footage: what all windows and thresholds were chosen with."""
LONG_S = 3600.0
"""Looking at an hour takes about ten minutes: worth saying that nobody has to wait for it."""
UNSEEN_SHARE = 0.3
CUT_OFF_SHARE = 0.3
MANY = 3
"""People in view in at least a tenth of the frames."""

_SECONDS_A_FRAME = 0.011
"""Of looking at one frame, on two cores with the embedded network."""
_PICTURES = 12
_AFFORDABLE_MP = 400.0
"""Megapixels that may all be decoded to look at a few pictures: half a second."""
_LEVELS: tuple[Level, ...] = ("warning", "note", "good")


@dataclass(frozen=True)
class Finding:
    """One sentence on a video."""

    level: Level
    """warning: results may suffer; note: good to know; good: nothing to do."""
    text: str


def health(video: Video, look: Look | None = None) -> tuple[Finding, ...]:
    """What is to be known of ``video``, the gravest first; under a second for an hour of 1080p.

    Args:
        look: what was seen in it; None leaves out what only that can tell.

    Raises:
        UserError: the file went away.
    """
    found = [*_of_file(video), *_of_pictures(video), *(_of_look(look) if look else ())]
    return tuple(sorted(found, key=lambda finding: _LEVELS.index(finding.level)))


def _of_file(video: Video) -> Iterator[Finding]:
    info, rate = video.info, float(video.info.average_rate)
    because = obstacle(video)
    if because:
        yield Finding(
            "note",
            f"Browsers do not play this file well because {because}: a light copy for watching is made first, and clips"
            " are cut from the original.",
        )
    else:
        yield Finding("good", "Plays in the browser as it is.")
    if is_hdr(video):
        yield Finding(
            "note", "Filmed in HDR: clips and the copy for watching have ordinary colours; only fast clips stay HDR."
        )
    if rate < LOW_RATE:
        yield Finding(
            "warning",
            f"Only {rate:.3g} frames a second: half a second in the air is {max(1, round(rate / 2))} pictures, so short"
            " tricks may be missed; let every frame be looked at, and film at 30 or more.",
        )
    if rate > HIGH_RATE:
        every = round(rate / ENOUGH_RATE)
        yield Finding(
            "note",
            f"{rate:.4g} frames a second: looking at every {every}th frame is enough and"
            f" {every / PoseSettings().sample_stride:.2g} times as fast.",
        )
    if info.variable_rate:
        yield Finding(
            "note", "The frame rate varies; every frame keeps its own time, so labels and clips stay where they belong."
        )
    if info.rotation:
        yield Finding("note", "Filmed with the camera turned; it is shown, measured and cut upright.")
    if info.audio is None:
        yield Finding("note", "There is no sound: tricks are found by movement alone, and clips are silent.")
    if info.start_s >= 0.5:
        yield Finding(
            "note",
            f"The file's own clock starts at {info.start_s:.2f} s; times here count from zero, so that other programs"
            " may show later ones.",
        )
    if video.pts_s[0] >= 0.1:
        yield Finding("note", f"The picture begins {video.pts_s[0]:.2f} s after the sound.")
    if info.duration_s > LONG_S:
        minutes = video.n_frames / PoseSettings().sample_stride * _SECONDS_A_FRAME / 60
        yield Finding(
            "note",
            f"{info.duration_s / 3600:.1f} hours of footage: finding tricks takes about {minutes:.0f} minutes and goes"
            " on when this page is closed.",
        )


def _of_pictures(video: Video) -> Iterator[Finding]:
    width, height = video.fit(320)
    grays = [picture.gray(width, height) for picture in _sampled(video)]
    if not grays:
        return
    brightness = float(np.median([gray.mean() for gray in grays]))
    burnt = float(np.median([(gray >= 250).mean() for gray in grays]))
    sharpness = float(np.median([_detail(gray) / max(1.0, gray.mean()) ** 2 for gray in grays]))
    if brightness < DARK:
        yield Finding("warning", "Very dark: people may not be seen, and what is found needs a closer look.")
    elif burnt > BURNT_SHARE:
        yield Finding(
            "warning",
            f"Over-exposed: {_percent(burnt)} of the picture is white, so expect false alarms; film with less light.",
        )
    elif sharpness < BLURRED:
        yield Finding("warning", "Blurred: expect false alarms; check the focus, and wipe the lens before filming.")


def _of_look(look: Look) -> Iterator[Finding]:
    table, info = look.signals.table, look.video.info
    people = np.bincount(np.searchsorted(look.camera.frame, look.pose.frame[look.pose.person >= 0]), minlength=1)
    unseen = float((table["rejected"] == "no_person").mean())
    cut_off = float((table["rejected"] == "touching_edge").mean())
    torso = float(np.nanmedian(table["torso_len"])) * info.height if table["torso_len"].notna().any() else 0.0
    small = 0 < torso < SMALL_SHARE * max(info.width, info.height)
    if small:
        yield Finding(
            "warning",
            f"The skater is small (a torso of {torso:.0f} pixels): expect false alarms; film from closer, or zoom in.",
        )
    if unseen > UNSEEN_SHARE:
        yield Finding(
            "note",
            f"Nobody is seen in {_percent(unseen)} of the frames: fine if the skater was out of view, else try the"
            " other pose network.",
        )
    elif not small:
        yield Finding(
            "good",
            f"Somebody is seen in {_percent(1 - unseen)} of the frames, large enough (a torso of {torso:.0f} pixels).",
        )
    if cut_off > CUT_OFF_SHARE:
        yield Finding(
            "note",
            f"The skater touches the edge of the picture in {_percent(cut_off)} of the frames, which are left out:"
            " leave more room around the skater when filming.",
        )
    if float(np.quantile(people, 0.9)) >= MANY:
        yield Finding(
            "note",
            f"Up to {people.max()} people are in view at a time: if the wrong one is followed, click the skater in the"
            " player of the timeline.",
        )


def _sampled(video: Video) -> Iterator[Picture]:
    """About a dozen pictures across the video."""
    if video.n_frames * video.info.width * video.info.height / 1e6 <= _AFFORDABLE_MP:
        yield from video.pictures(-(-video.n_frames // _PICTURES))
    else:
        yield from keyframes(video, [(i + 0.5) * video.info.duration_s / _PICTURES for i in range(_PICTURES)])


def _detail(gray: NDArray[np.uint8]) -> float:
    """Variance of the Laplacian of a picture, from each pixel and its four neighbours."""
    light = gray.astype(np.float32)
    inside = light[1:-1, 1:-1]
    around = light[:-2, 1:-1] + light[2:, 1:-1] + light[1:-1, :-2] + light[1:-1, 2:]
    return float((around - 4 * inside).var()) if inside.size else 0.0


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"
