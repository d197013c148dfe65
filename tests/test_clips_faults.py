"""A cut that fails says so in one sentence and leaves nothing behind."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import pytest

from core import ffmpeg
from core.clips import cut_clip
from core.errors import Cancelled, UserError
from core.video import Video
from tests.numbered import Footage, frame_numbers, steps, write_footage
from tests.test_clips import plan_of


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Video:
    """Nine seconds at 30 fps, with sound."""
    footage = Footage("cfr30.mp4", steps(512, 0, 280), Fraction(1, 15360))
    return Video.open(write_footage(footage, tmp_path_factory.mktemp("footage") / footage.name))


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk with room for 64 kB."""
    folder = tmp_path / "small"
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(folder)], capture_output=True)
    if mounted.returncode:
        pytest.skip("mounting a small disk needs rights that this user does not have")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


@pytest.mark.parametrize("mode", ["exact", "fast"])
def test_a_full_disk_is_one_sentence(video: Video, tmp_path: Path, small_disk: Path, mode: Any) -> None:
    """FFmpeg's exit code is the only sign of it: unheeded, the user would find half a clip."""
    source = tmp_path / "noisy.mp4"
    loud = ["-vf", "scale=640:384,noise=alls=60:allf=t", "-c:v", "libx264", "-preset", "ultrafast", "-c:a", "copy"]
    ffmpeg.run(["-i", str(video.path), "-t", "1", *loud, str(source)], 30)
    video = Video.open(source)
    with pytest.raises(UserError, match=rf"{small_disk}.*disk is full.*free some space"):
        cut_clip(video, plan_of(video, 0, 29), small_disk / "clip.mp4", mode)
    assert list(small_disk.iterdir()) == []


def test_a_write_protected_disk_is_one_sentence(video: Video, small_disk: Path) -> None:
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    with pytest.raises(UserError, match="read-only"):
        cut_clip(video, plan_of(video, 0, 3), small_disk / "clip.mp4")


def test_a_file_where_a_folder_should_be(video: Video, tmp_path: Path) -> None:
    (tmp_path / "clips").write_text("notes")
    with pytest.raises(UserError, match="clips"):
        cut_clip(video, plan_of(video, 0, 3), tmp_path / "clips" / "clip.mp4")
    assert (tmp_path / "clips").read_text() == "notes"


@pytest.mark.parametrize("mode", ["exact", "fast"])
def test_footage_that_went_away(video: Video, tmp_path: Path, mode: Any) -> None:
    """A card pulled out between review and export; the clip of an earlier export survives."""
    source = tmp_path / "card" / "park.mp4"
    source.parent.mkdir()
    source.write_bytes(video.path.read_bytes())
    video = Video.open(source)
    source.unlink()
    earlier = tmp_path / "out" / "clip.mp4"
    earlier.parent.mkdir()
    earlier.write_bytes(b"earlier")
    with pytest.raises(UserError, match=r"park\.mp4 is gone"):
        cut_clip(video, plan_of(video, 100, 110), earlier, mode)
    assert [(path.name, path.read_bytes()) for path in earlier.parent.iterdir()] == [("clip.mp4", b"earlier")]


def test_damaged_footage_gives_no_silent_short_clip(tmp_path: Path) -> None:
    """Frames that cannot be read would shift all that comes after them in the clip."""
    footage = Footage("broken.mp4", steps(512, 0, 60), Fraction(1, 15360), options={"g": "1"}, sound_s=None)
    source = write_footage(footage, tmp_path / footage.name)
    with av.open(str(source)) as container:
        packets = [(packet.pos, packet.size) for packet in container.demux(video=0) if packet.size]
    data = bytearray(source.read_bytes())
    for at, size in packets[20:24]:
        assert at is not None
        data[at : at + size] = bytes(size)
    source.write_bytes(data)
    video = Video.open(source)
    with pytest.raises(UserError, match=r"broken\.mp4 is damaged between 0\.3 s and 1\.\d s, where only 27 of 31"):
        cut_clip(video, plan_of(video, 10, 40), tmp_path / "out" / "clip.mp4")
    assert list((tmp_path / "out").iterdir()) == []
    with pytest.raises(UserError, match="only 0 of 2"):
        cut_clip(video, plan_of(video, 21, 22), tmp_path / "out" / "clip.mp4")
    assert frame_numbers(cut_clip(video, plan_of(video, 30, 40), tmp_path / "clip.mp4").path) == list(range(30, 41))


def test_the_footage_is_never_written_over(video: Video) -> None:
    before = video.path.read_bytes()
    with pytest.raises(UserError, match="is the footage itself"):
        cut_clip(video, plan_of(video, 0, 3), video.path)
    assert video.path.read_bytes() == before


def test_only_mp4_names(video: Video, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"clip\.gif is not a name for an MP4"):
        cut_clip(video, plan_of(video, 0, 3), tmp_path / "clip.gif")


def test_a_plan_for_another_video(video: Video, tmp_path: Path) -> None:
    longer = replace(plan_of(video, 270, 279), end_frame=300)
    with pytest.raises(ValueError, match="not a plan for this video"):
        cut_clip(video, longer, tmp_path / "clip.mp4")


@pytest.mark.parametrize("mode", ["exact", "fast"])
def test_a_cancelled_cut_leaves_nothing(video: Video, tmp_path: Path, mode: Any) -> None:
    with pytest.raises(Cancelled):
        cut_clip(video, plan_of(video, 5, 250), tmp_path / "out" / "clip.mp4", mode, cancelled=lambda: True)
    assert list((tmp_path / "out").iterdir()) == []


def test_an_error_of_the_listener_stops_ffmpeg_too(video: Video, tmp_path: Path) -> None:
    """A page that went away must not leave an encoder running."""

    def listener(_done: float) -> None:
        raise RuntimeError("the page is gone")

    with pytest.raises(RuntimeError, match="the page is gone"):
        cut_clip(video, plan_of(video, 5, 250), tmp_path / "out" / "clip.mp4", progress=listener)
    assert list((tmp_path / "out").iterdir()) == []


@pytest.mark.parametrize("mode", ["exact", "fast"])
def test_progress_rises_to_one(video: Video, tmp_path: Path, mode: Any) -> None:
    seen: list[float] = []
    cut_clip(video, plan_of(video, 40, 250), tmp_path / "clip.mp4", mode, progress=seen.append)
    assert seen == sorted(seen)
    assert (min(seen) >= 0, seen[-1]) == (True, 1.0)
