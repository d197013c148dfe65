"""FFmpeg as a child process can be stopped, says why it failed, and never stalls."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest

from core import ffmpeg
from core.errors import Cancelled
from core.ffmpeg import FFmpegError


def test_a_running_ffmpeg_is_stopped_within_half_a_second(tmp_path: Path) -> None:
    """A cancel has to work while FFmpeg is busy with frames that it does not write."""
    endless = ["-f", "lavfi", "-i", "testsrc2", "-vf", "trim=start=1000000", str(tmp_path / "out.mp4")]
    polls = iter([False, False, True])
    with pytest.raises(Cancelled):
        ffmpeg.run(endless, 10, cancelled=partial(next, polls))


def test_a_failure_carries_the_last_words(tmp_path: Path) -> None:
    """Without them nobody can tell what FFmpeg did not like."""
    with pytest.raises(FFmpegError, match=r"code \d+\.\n.*[Nn]o such filter") as caught:
        ffmpeg.run(["-f", "lavfi", "-i", "testsrc2=duration=1", "-vf", "nonsense", str(tmp_path / "out.mp4")], 25)
    assert 0 < len(caught.value.complaints) <= 12
    assert not caught.value.disk_full


def test_a_talkative_ffmpeg_does_not_stall(tmp_path: Path) -> None:
    """More on stderr than a pipe holds (64 kB) blocks a process whose stderr nobody reads."""
    words = ffmpeg.run(["-v", "trace", "-f", "lavfi", "-i", "testsrc2=duration=4", str(tmp_path / "out.mp4")], 100)
    assert len(words) == 12
