"""Who encodes: the chip where one works, and x264 wherever it does not, in the middle of a clip too.

There is no chip to try this on. So another encoder of FFmpeg's, OpenH264, stands in for one: choosing it, counting its
frames and giving it up are real.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import pytest

from core import encoders
from core.clips import cut_clip, plan_clips
from core.encoders import H264, HARDWARE, SOFTWARE, encoder_arguments, hardware
from core.errors import Cancelled, UserError
from core.intervals import Interval
from core.settings import ClipSettings
from core.video import Video
from tests.numbered import Footage, frame_numbers, uneven, write_footage

CHIP = H264("libopenh264", ("-c:v", "libopenh264", "-b:v", "2M", "-pix_fmt", "yuv420p"))
NO_CHIP = H264("h264_none", ("-c:v", "h264_none"))
BREAKS = H264("breaks", CHIP.options, upload="crop=320:ih")
"""Works on the picture of the trial and fails on the footage, which is narrower."""
LOSES = H264("loses", CHIP.options, upload="select=not(eq(n\\,7))")
"""Passes over the eighth frame; the trial has six."""


@pytest.fixture(autouse=True)
def _forget() -> Iterator[None]:
    encoders._working.cache_clear()
    yield
    encoders._working.cache_clear()


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Video:
    """Two seconds at an uneven rate, with sound."""
    footage = Footage("uneven.mp4", uneven(40), Fraction(1, 1000), sound_s=(0, 2))
    return Video.open(write_footage(footage, tmp_path_factory.mktemp("footage") / footage.name))


def written_by(path: Path) -> str:
    """x264 and others write their name into the stream."""
    return "x264" if b"x264 - core" in path.read_bytes() else "another"


def cut(video: Video, out: Path) -> Path:
    """Frames 5 to 29, with the wish for hardware."""
    [plan] = plan_clips([Interval(5, 29)], video, ClipSettings(clip_padding_s=0))
    return cut_clip(video, plan, out, encoder="hardware").path


def test_without_a_chip_the_wish_is_met_by_x264_and_said(
    video: Video, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Whoever ticks the box on a machine without one still gets his clips, and learns why they take as long."""
    monkeypatch.setattr(encoders, "HARDWARE", (NO_CHIP,))
    with caplog.at_level(logging.INFO):
        assert hardware() is None
        assert encoder_arguments("hardware") == SOFTWARE
        clip = cut(video, tmp_path / "clip.mp4")
    assert [record.message for record in caplog.records] == [
        "no hardware encoder works here: clips are encoded by libx264"
    ]
    assert frame_numbers(clip) == list(range(5, 30))
    assert written_by(clip) == "x264"


def test_every_encoder_that_is_known_gets_a_trial_and_none_hangs() -> None:
    """On this machine, whatever it has: an answer within seconds, and one that holds."""
    begin = time.monotonic()
    name = hardware()
    assert time.monotonic() - begin < 60
    assert name is None or name in {chip.name for chip in HARDWARE}
    assert encoder_arguments("hardware").name == (name or SOFTWARE.name)
    assert encoder_arguments("software") == SOFTWARE


def test_the_first_that_works_encodes(video: Video, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the same frames at the same times as ever."""
    monkeypatch.setattr(encoders, "HARDWARE", (NO_CHIP, CHIP, BREAKS))
    assert hardware() == "libopenh264"
    clip = cut(video, tmp_path / "clip.mp4")
    assert frame_numbers(clip) == list(range(5, 30))
    assert written_by(clip) == "another"


@pytest.mark.parametrize("chip", [BREAKS, LOSES], ids=lambda chip: chip.name)
def test_a_chip_that_fails_on_a_clip_is_stood_in_for(
    video: Video,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    chip: H264,
) -> None:
    """Drivers run out of sessions and refuse sizes; a clip must neither be lost for it nor lack a frame."""
    monkeypatch.setattr(encoders, "HARDWARE", (chip,))
    assert hardware() == chip.name
    with caplog.at_level(logging.WARNING):
        clip = cut(video, tmp_path / "clip.mp4")
    assert f"{chip.name} failed, so the clip is encoded by libx264" in caplog.text
    assert frame_numbers(clip) == list(range(5, 30))
    assert written_by(clip) == "x264"
    assert [path.name for path in tmp_path.iterdir()] == ["clip.mp4"]


def test_what_x264_cannot_mend_is_not_tried_twice(
    video: Video, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Footage that is gone, and a cancel, are no fault of the chip's."""
    monkeypatch.setattr(encoders, "HARDWARE", (CHIP,))
    gone = tmp_path / "gone.mp4"
    gone.write_bytes(video.path.read_bytes())
    opened = Video.open(gone)
    gone.unlink()
    with pytest.raises(UserError, match=r"gone\.mp4 is gone"):
        cut(opened, tmp_path / "out" / "clip.mp4")
    [plan] = plan_clips([Interval(5, 29)], video, ClipSettings(clip_padding_s=0))
    with pytest.raises(Cancelled):
        cut_clip(video, plan, tmp_path / "out" / "clip.mp4", encoder="hardware", cancelled=lambda: True)
    assert "failed" not in caplog.text
    assert list((tmp_path / "out").iterdir()) == []
