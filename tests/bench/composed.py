"""Sessions to measure detectors on, composed from clips of unseen skaters: tricks, other footage between, hard cuts.

    python -m tests.bench.composed FOLDER [SEED]

Every session holds clips of one scene, or in the sets "cruising", "slow" and "restless" of one group of scenes, so that
whatever is left out of a training is left out whole. What stands between the tricks, a fight, a walker, a push, is in
one session only. The reference session is in none but "cruising", as its stretches without tricks. "restless" shows the
same as "tricks" once more, filmed by a camera that pans, zooms and rolls: it is for training alone.
"""

from __future__ import annotations

import csv
import json
import sys
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from core.atomic import atomic_path
from core.intervals import Interval
from core.labels import read_labels
from core.video import Video

SHARED = Path(__file__).parents[3] / "shared" / "data"
EDGES = Path(__file__).parents[1] / "trick_edges.csv"
SLOWED = (2, 3, 4, 5, 6)
"""How many times the clips of the set "slow" are stretched."""
_GROUPS = 6
_CLOCK = 90_000
_MARGIN_S = 0.3
"""Footage this close to a trick is neither run-up nor roll-away."""
_SHAKES_HZ = (0.7, 1.9, 3.7, 6.1)
_PANS_HZ = (0.2, 0.9)
_ZOOMS = (1.15, 1.5)
_RESTLESS = (0.5, 3.0)
"""How many times as strongly as a shaking hand a restless camera shakes."""
_EXPOSURE_S = 0.012
_LONG = 40
"""Frames of other footage that make two parts."""
_SHORTEST = 20
"""Frames in a stretch of cruising, at least: shorter ones would make a session of nothing but cuts."""
_SHAKE = 0.012
_SHAKEN = 3
"""How often each stretch of cruising comes, each time filmed by another shaking hand."""

Kind = Literal["tricks", "cruising", "slow", "restless"]


@dataclass(frozen=True)
class Part:
    """A stretch of one video."""

    path: Path
    first: int
    last: int
    trick: Interval | None = None
    """From take-off to landing, in frames of the video."""
    whole: bool = False
    """Whether it is a clip of a trick."""
    slowed: int = 1
    shake: int | None = None
    """Seed of a shaking camera."""
    pan: int | None = None
    """Seed of a restless camera."""
    mirrored: bool = False


@dataclass(frozen=True)
class Plan:
    """What a session is composed of."""

    name: str
    kind: Kind
    scenes: tuple[str, ...]
    size: tuple[int, int]
    """Width and height, pixels."""
    parts: tuple[Part, ...]


@dataclass
class Composed:
    """A session on disk."""

    name: str
    kind: Kind
    scenes: tuple[str, ...]
    video: Path
    clips: list[Interval] = field(default_factory=list)
    """The stretches that are clips of tricks, labelled with the clip's name."""
    tricks: list[Interval] = field(default_factory=list)
    """From take-off to landing, likewise."""


def plans(seed: int = 42) -> list[Plan]:
    """All the sessions: the same seed gives the same ones."""
    rng, seeds = np.random.default_rng(seed), np.random.default_rng((seed, 1))
    clips = _clips()
    others = {wide: _others(wide, rng) for wide in (True, False)}
    by_scene: dict[tuple[str, bool], list[Part]] = defaultdict(list)
    for scene, part in clips:
        by_scene[scene, _wide(part.path)].append(part)
    made = []
    for (scene, wide), tricks in sorted(by_scene.items()):
        order = rng.permutation(len(tricks))
        parts: list[Part] = []
        for number in order.tolist():
            parts += [tricks[number], *others[wide][-1:]]
            del others[wide][-1:]
        while others[wide] and others[wide][-1].path in {part.path for part in parts}:
            del others[wide][-1]  # half of a video that this session has shown
        made.append(Plan(f"{scene}-{'wide' if wide else 'tall'}", "tricks", (scene,), _size(wide), tuple(parts)))
    for number, group in enumerate(groups()):
        mine = [(scene, part) for scene, part in clips if scene in group]
        for wide in (True, False):
            turned = [part for _, part in mine if _wide(part.path) == wide]
            rolling = [roll for _ in range(_SHAKEN) for part in turned for roll in _rolling(part, rng)]
            if rolling:
                name = f"cruising-{number}-{'wide' if wide else 'tall'}"
                made.append(Plan(name, "cruising", group, _size(wide), tuple(rolling)))
            slow = [part for part in turned if part.trick and part.trick.frames < 22][:5]
            stretched = [
                Part(p.path, p.first, p.last, p.trick, True, SLOWED[(i + number) % len(SLOWED)])
                for i, p in enumerate(slow)
            ]
            if stretched:
                name = f"slow-{number}-{'wide' if wide else 'tall'}"
                made.append(Plan(name, "slow", group, _size(wide), tuple(stretched)))
            shown = [
                part
                for plan in made
                if plan.kind == "tricks" and set(plan.scenes) <= set(group) and plan.size == _size(wide)
                for part in plan.parts
            ]
            panned = [
                replace(part, pan=int(seeds.integers(1 << 30)), mirrored=i % 2 == 0) for i, part in enumerate(shown)
            ]
            if panned:
                name = f"restless-{number}-{'wide' if wide else 'tall'}"
                made.append(Plan(name, "restless", group, _size(wide), tuple(panned)))
    made.append(Plan("cruising-reference", "cruising", ("reference",), _size(True), tuple(_reference(rng))))
    return made


def groups() -> list[tuple[str, ...]]:
    """The scenes in six groups of about as many clips."""
    count: dict[str, int] = defaultdict(int)
    for scene, _ in _clips():
        count[scene] += 1
    made: list[list[str]] = [[] for _ in range(_GROUPS)]
    for scene in sorted(count, key=lambda scene: (-count[scene], scene)):
        min(made, key=lambda group: sum(count[one] for one in group)).append(scene)
    return [tuple(sorted(group)) for group in made]


def compose(plan: Plan, folder: Path) -> Composed:
    """Encode a session, or read what is there already."""
    video, about = folder / f"{plan.name}.mp4", folder / f"{plan.name}.json"
    made = Composed(plan.name, plan.kind, plan.scenes, video)
    if about.exists():
        told = json.loads(about.read_text())
        made.clips, made.tricks = ([Interval(*one) for one in told[name]] for name in ("clips", "tricks"))
        return made
    folder.mkdir(parents=True, exist_ok=True)
    with atomic_path(video) as temporary, av.open(str(temporary), "w") as container:
        stream: Any = container.add_stream("libx264", rate=30, options={"crf": "20", "preset": "veryfast"})
        stream.width, stream.height = plan.size
        stream.pix_fmt = "yuv420p"
        stream.codec_context.time_base = stream.time_base = Fraction(1, _CLOCK)
        frame, start_s = 0, 0.0
        for part in plan.parts:
            first, times = frame, []
            for image, at_s, source in _pictures(part, plan.size):
                picture = av.VideoFrame.from_ndarray(image, format="rgb24")
                picture.pts, picture.time_base = round((start_s + at_s) * _CLOCK), Fraction(1, _CLOCK)
                container.mux(stream.encode(picture))
                times.append((at_s, source))
                frame += 1
            start_s += times[-1][0] + (times[-1][0] - times[0][0]) / max(1, len(times) - 1)
            if part.whole:
                made.clips.append(Interval(first, frame - 1, part.path.stem))
            if part.trick:
                inside = [
                    i
                    for i, (_, source) in enumerate(times)
                    if part.trick.start_frame <= source < part.trick.end_frame + 1
                ]
                made.tricks.append(Interval(first + inside[0], first + inside[-1], part.path.stem))
        container.mux(stream.encode())
    told = {
        name: [(one.start_frame, one.end_frame, one.label) for one in getattr(made, name)]
        for name in ("clips", "tricks")
    }
    about.write_text(json.dumps(told))
    return made


def _clips() -> list[tuple[str, Part]]:
    """Scene and clip, in order of the names."""
    edges = {row["clip"]: row for row in csv.DictReader(EDGES.open(newline=""))}
    made = []
    for row in sorted(csv.DictReader((SHARED / "tricks" / "clips.csv").open(newline="")), key=lambda row: row["path"]):
        path = SHARED / "tricks" / row["path"]
        edge, n = edges[row["path"]], Video.open(path).n_frames
        trick = None
        if edge["landing_frame"]:
            trick = Interval(int(edge["takeoff_frame"] or 0), int(edge["landing_frame"]) - 1)
        made.append((row["scene"], Part(path, 0, n - 1, trick, True)))
    return made


def _rolling(part: Part, rng: np.random.Generator) -> list[Part]:
    """What is filmed before and after the trick: pushing, rolling up, rolling away; by a shaking hand."""
    if not part.trick:
        return []
    margin, made = round(_MARGIN_S * 30), []
    for first, last in ((part.first, part.trick.start_frame - margin), (part.trick.end_frame + margin, part.last)):
        if last - first >= _SHORTEST:
            shake = int(rng.integers(1 << 30))
            made.append(Part(part.path, first, last, shake=shake, mirrored=shake % 2 == 0))
    return made


def _reference(rng: np.random.Generator) -> Iterator[Part]:
    path = SHARED / "session" / "skate_video.mp4"
    n = Video.open(path).n_frames
    tricks = sorted(read_labels(SHARED / "session" / "annotations.xml").intervals)
    edges = [0, *(edge for trick in tricks for edge in (trick.start_frame - 9, trick.end_frame + 9)), n - 1]
    for first, last in zip(edges[::2], edges[1::2], strict=True):
        yield Part(path, first, last)
        for number in range(_SHAKEN):
            yield Part(path, first, last, shake=int(rng.integers(1 << 30)), mirrored=number % 2 == 0)


def _others(wide: bool, rng: np.random.Generator) -> list[Part]:
    """Footage of anything but tricks: fights, walkers, players; halves of longer videos."""
    found = sorted([*(SHARED / "strikes").glob("*/*.mp4"), *(SHARED / "basketball" / "clips").glob("*.mp4")])
    made = []
    for path in (path for i, path in enumerate(found) if (i % 3 != 0) == wide):
        n = Video.open(path).n_frames
        halves = ((0, n // 2 - 1), (n // 2, n - 1)) if n > _LONG else ((0, n - 1),)
        made.append([Part(path, first, last) for first, last in halves])
    # The halves of one video stay neighbours in the pile, which is dealt from one end.
    return [half for i in rng.permutation(len(made)).tolist() for half in made[i]]


def _wide(path: Path) -> bool:
    info = Video.open(path).info
    return info.width >= info.height


def _size(wide: bool) -> tuple[int, int]:
    return (640, 360) if wide else (360, 640)


def _pictures(part: Part, size: tuple[int, int]) -> Iterator[tuple[NDArray[np.uint8], float, float]]:
    """Picture, seconds from the first one, and which frame of the video it shows; slow motion has frames between."""
    video = Video.open(part.path)
    flow: Any = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_FAST)
    last: tuple[NDArray[np.uint8], float] | None = None
    begin_s = float(video.pts_s[part.first])
    for picture in video.pictures(1, part.first):
        if picture.index > part.last:
            break
        image = _cover(picture.rgb(video.info.width, video.info.height), size)
        at_s = picture.time_s - begin_s
        if part.mirrored:
            image = np.ascontiguousarray(image[:, ::-1])
        if part.shake is not None:
            image = _shaken(image, at_s, part.shake)
        if part.pan is not None:
            image = _panned(image, at_s, part.pan)
        if last and part.slowed > 1:
            before, before_s = last
            for step in range(1, part.slowed):
                share = step / part.slowed
                between = (before_s + share * (at_s - before_s)) * part.slowed
                yield _between(before, image, share, flow), between, picture.index - 1 + share
        yield image, at_s * part.slowed, float(picture.index)
        last = image, at_s


def _cover(image: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    """Scaled to fill the size, the middle of it."""
    height, width = image.shape[:2]
    scale = max(size[0] / width, size[1] / height)
    resized = cv2.resize(image, (max(size[0], round(width * scale)), max(size[1], round(height * scale))))
    x, y = (resized.shape[1] - size[0]) // 2, (resized.shape[0] - size[1]) // 2
    return np.ascontiguousarray(resized[y : y + size[1], x : x + size[0]]).astype(np.uint8)


def _shaken(image: NDArray[np.uint8], at_s: float, seed: int) -> NDArray[np.uint8]:
    """As a hand-held camera films it."""
    x, y, angle, zoom = _swings(at_s, np.random.default_rng(seed))
    return _through(image, _SHAKE * x, _SHAKE * y, angle, 1.08 + _SHAKE * zoom)


def _panned(image: NDArray[np.uint8], at_s: float, seed: int) -> NDArray[np.uint8]:
    """As a camera films it that is zoomed in and turned to and fro, blurred by its movement."""
    exposed = []
    for shift in (-0.5, 0.0, 0.5):
        rng = np.random.default_rng(seed)
        zoom, shakes, hz = rng.uniform(*_ZOOMS), rng.uniform(*_RESTLESS), rng.uniform(*_PANS_HZ, 2)
        time_s = at_s + shift * _EXPOSURE_S
        free = 0.5 * (zoom - 1) * np.array([image.shape[1] / image.shape[0], 1.0])
        pan = free * rng.uniform(0.3, 1.0, 2) * np.sin(2 * np.pi * (hz * time_s + rng.uniform(0, 1, 2)))
        x, y, angle, push = shakes * _swings(time_s, rng)
        exposed.append(_through(image, pan[0] + _SHAKE * x, pan[1] + _SHAKE * y, angle, zoom + _SHAKE * push))
    return np.asarray(np.mean(exposed, axis=0), np.uint8)


def _swings(at_s: float, rng: np.random.Generator) -> NDArray[np.float64]:
    """Sums of slow and fast swings, about -1 to 1, in place, angle and zoom: shape ``(4,)``."""
    phase, swing = rng.uniform(0, 2 * np.pi, (4, len(_SHAKES_HZ))), rng.uniform(0.3, 1.0, (4, len(_SHAKES_HZ)))
    falling = 1 / np.sqrt(np.array(_SHAKES_HZ))
    return np.asarray((swing * falling * np.sin(2 * np.pi * np.array(_SHAKES_HZ) * at_s + phase)).sum(axis=1))


def _through(image: NDArray[np.uint8], x: float, y: float, angle: float, zoom: float) -> NDArray[np.uint8]:
    """Shifted by frame heights, turned by degrees, enlarged."""
    height, width = image.shape[:2]
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), float(angle), float(zoom))
    matrix[:, 2] += height * np.array([x, y])
    return np.asarray(cv2.warpAffine(image, matrix, (width, height), borderMode=cv2.BORDER_REFLECT), np.uint8)


def _between(before: NDArray[np.uint8], after: NDArray[np.uint8], share: float, flow: Any) -> NDArray[np.uint8]:
    """A frame between two, moved along the optical flow and blended."""
    grays = [cv2.cvtColor(image, cv2.COLOR_RGB2GRAY) for image in (before, after)]
    moved = flow.calc(grays[0], grays[1], None)
    height, width = grays[0].shape
    x, y = (axis.astype(np.float32) for axis in np.meshgrid(np.arange(width), np.arange(height)))

    def carried(image: NDArray[np.uint8], by: float) -> Any:
        at = (x + np.float32(by) * moved[..., 0], y + np.float32(by) * moved[..., 1])
        return cv2.remap(image, *at, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)

    from_before, from_after = carried(before, -share), carried(after, 1 - share)
    return np.asarray(cv2.addWeighted(from_before, 1 - share, from_after, share, 0), np.uint8)


if __name__ == "__main__":
    target = Path(sys.argv[1])
    for plan in plans(int(sys.argv[2]) if len(sys.argv) > 2 else 42):
        done = compose(plan, target)
        print(f"{done.name}: {len(done.clips)} clips, {Video.open(done.video).info.duration_s:.1f} s", flush=True)
