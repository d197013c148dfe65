"""A reel takes minutes, so an export leaves the one that is there as it is; but never one that shows something else
than what is asked for now."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from core import ffmpeg
from core.content import content_id
from core.export import Export, Skater, export
from core.framing import Keyframe
from core.intervals import Event, Interval
from core.reel import Moment, Reel
from core.settings import ClipSettings, ExportSettings, FramingSettings, ReelSettings
from core.video import Video

EVENTS = (Event(20, 25, "ollie", 0.75), Event(60, 65, "kickflip", 0.5))
NAME = "park_reel.mp4"


@pytest.fixture(scope="module")
def footage(tmp_path_factory: pytest.TempPathFactory) -> Video:
    """Three seconds of a test picture without sound; nobody is in it."""
    path = tmp_path_factory.mktemp("footage") / "park.mp4"
    ffmpeg.run(["-f", "lavfi", "-i", "testsrc2=size=64x36:rate=30:duration=3", "-pix_fmt", "yuv420p", str(path)], 90)
    return Video.open(path)


@pytest.fixture
def asked(tmp_path: Path) -> ExportSettings:
    """A reel with music, and nothing else."""
    return ExportSettings(
        kinds=("reel",),
        clips=ClipSettings(clip_padding_s=0.1),
        reel=ReelSettings(preset="short", replay=False, music=str(sing(tmp_path / "song.wav", 300))),
    )


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Reels that were made, with a few bytes instead of a picture."""
    reels: list[Path] = []

    def make(
        _video: Video, _moments: Sequence[Moment], _settings: ReelSettings, _padding_s: float, out: Path, *_: Any
    ) -> Reel:
        out.write_bytes(b"reel")
        reels.append(out)
        return Reel(out, 1.0, (), (), None, None)

    monkeypatch.setattr("core.export.reels.make_reel", make)
    return reels


def sing(path: Path, hz: int) -> Path:
    ffmpeg.run(["-f", "lavfi", "-i", f"sine={hz}:duration=1", str(path)], 1)
    return path


def write(
    video: Video, out: Path, settings: ExportSettings, events: Sequence[Interval] = EVENTS, **more: Any
) -> Export:
    return export(video, content_id(video.path), events, out, settings, **more)


def with_reel(settings: ExportSettings, **more: Any) -> ExportSettings:
    return settings.model_copy(update={"reel": settings.reel.model_copy(update=more)})


def seen_at(x: float) -> Skater:
    """A skater who stands still in the first frame."""
    body = np.array([[x, 0.2, x + 0.1, 0.8]])
    nowhere = Skater.nowhere()
    return Skater(replace(nowhere.bodies, core=body, needed=body), nowhere.table)


def test_a_reel_that_is_there_is_not_made_again(footage: Video, tmp_path: Path, asked: ExportSettings) -> None:
    out = tmp_path / "out"
    [first] = write(footage, out, asked).files
    before = (out / NAME).stat()
    with av.open(str(out / NAME)) as container:
        assert sum(1 for _ in container.decode(video=0)) == 24  # two tricks of six frames with three around each end
    again = write(footage, out, asked)
    assert again.files == (first,)
    assert ((out / NAME).stat().st_mtime_ns, (out / NAME).stat().st_ino) == (before.st_mtime_ns, before.st_ino)


def test_what_does_not_concern_the_reel_leaves_it(
    footage: Video, tmp_path: Path, asked: ExportSettings, made: list[Path]
) -> None:
    out = tmp_path / "out"
    write(footage, out, asked)
    clips = asked.clips.model_copy(update={"merge_gap_s": 0.2, "mode": "fast"})
    for changed in (
        asked.model_copy(update={"clips": clips}),
        asked.model_copy(update={"name": "{index}"}),
        asked.model_copy(update={"kinds": ("csv", "reel")}),
        asked.model_copy(update={"framing": FramingSettings(aspect="1:1")}),
    ):
        assert NAME in {file.name for file in write(footage, out, changed).files}
    assert made == [out / NAME]


CHANGES: dict[str, Callable[[ExportSettings], ExportSettings]] = {
    "title": lambda asked: with_reel(asked, title="Sunday"),
    "captions": lambda asked: with_reel(asked, captions=False),
    "replay": lambda asked: with_reel(asked, replay=True),
    "transition": lambda asked: with_reel(asked, transition="fade"),
    "order": lambda asked: with_reel(asked, order="stars"),
    "place": lambda asked: with_reel(asked, preset="full"),
    "target length": lambda asked: with_reel(asked, target_s=0.5),
    "no music": lambda asked: with_reel(asked, music=None),
    "padding": lambda asked: asked.model_copy(update={"clips": ClipSettings(clip_padding_s=0.2)}),
    "keyframes": lambda asked: asked.model_copy(
        update={"framing": FramingSettings(keyframes=(Keyframe(22, 0.3, 0.5),))}
    ),
}


@pytest.mark.parametrize("change", CHANGES)
def test_another_setting_makes_it_anew(
    footage: Video, tmp_path: Path, asked: ExportSettings, made: list[Path], change: str
) -> None:
    """Once; and back again it is made anew, too."""
    changed = CHANGES[change](asked)
    for settings, count in ((asked, 1), (changed, 2), (changed, 2), (asked, 3)):
        write(footage, tmp_path / "out", settings)
        assert len(made) == count


def test_other_music_of_the_same_name_makes_it_anew(
    footage: Video, tmp_path: Path, asked: ExportSettings, made: list[Path]
) -> None:
    write(footage, tmp_path / "out", asked)
    sing(tmp_path / "song.wav", 600)
    write(footage, tmp_path / "out", asked)
    write(footage, tmp_path / "out", asked)
    assert len(made) == 2


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({}, {"stars": {EVENTS[1]: 5}}),
        ({"stars": {EVENTS[1]: 5}}, {"stars": {EVENTS[1]: 4}}),
        ({}, {"events": EVENTS[:1]}),
        ({}, {"events": (EVENTS[0], replace(EVENTS[1], label="heelflip"))}),
        ({}, {"events": (replace(EVENTS[0], start_frame=21), EVENTS[1])}),
        ({}, {"skater": seen_at(0.2)}),
        ({"skater": seen_at(0.2)}, {"skater": seen_at(0.7)}),
    ],
    ids=["stars", "other stars", "a trick less", "another name", "another start", "looked for", "seen elsewhere"],
)
def test_other_tricks_make_it_anew(
    footage: Video, tmp_path: Path, asked: ExportSettings, made: list[Path],
    before: dict[str, Any], after: dict[str, Any],
) -> None:  # fmt: skip
    for known, count in ((before, 1), (after, 2), (after, 2)):
        write(footage, tmp_path / "out", asked, **known)
        assert len(made) == count


@pytest.mark.parametrize("left", [None, b"cut off here"], ids=["gone", "another size"])
def test_a_reel_that_is_gone_or_damaged_is_made_anew(
    footage: Video, tmp_path: Path, asked: ExportSettings, made: list[Path], left: bytes | None
) -> None:
    reel = tmp_path / "out" / NAME
    write(footage, reel.parent, asked)
    reel.unlink()
    if left:
        reel.write_bytes(left)
    write(footage, reel.parent, asked)
    assert made == [reel, reel]
    assert reel.read_bytes() == b"reel"
