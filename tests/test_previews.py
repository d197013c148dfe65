"""What is seen of a clip before it is cut is what the cut holds."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Iterator
from pathlib import Path

import av
import pandas as pd
import pytest

from core import previews
from core.clips import cut_clip, plan_clips
from core.errors import UserError
from core.ffmpeg import run
from core.intervals import Interval
from core.previews import Background, best_frame, make_preview, preview_path, read, still
from core.settings import ClipSettings, CutMode
from core.video import Video
from core.workspace import Workspace


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Video:
    """Six seconds of 1280x720 at 29.97 frames a second with sound, a keyframe every two seconds."""
    path = tmp_path_factory.mktemp("footage") / "park.mp4"
    picture = ["-f", "lavfi", "-i", "testsrc=size=1280x720:rate=30000/1001:duration=6"]
    sound = ["-f", "lavfi", "-i", "sine=frequency=440:duration=6"]
    coding = ["-c:v", "libx264", "-preset", "ultrafast", "-g", "60", "-pix_fmt", "yuv420p", "-c:a", "aac"]
    run([*picture, *sound, *coding, "-shortest", str(path)], 180)
    return Video.open(path)


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    with Workspace.open(tmp_path / "home") as opened:
        yield opened


def test_a_preview_holds_the_frames_of_the_exact_clip(video: Video, workspace: Workspace, tmp_path: Path) -> None:
    (plan,) = plan_clips([Interval(70, 80)], video, ClipSettings(clip_padding_s=0.5))
    out = preview_path(workspace, "abc", plan, "exact")
    made = make_preview(video, plan, "exact", out)
    real = cut_clip(video, plan, tmp_path / "clip.mp4")
    small, large = Video.open(made.path), Video.open(real.path)
    assert (made.start_frame, made.end_frame) == (real.start_frame, real.end_frame)
    assert small.pts_s == pytest.approx(large.pts_s, abs=0.002)
    assert (small.info.width, small.info.height, small.info.codec) == (640, 360, "h264")
    assert small.info.audio is not None
    assert read(out) == made


def test_a_fast_preview_begins_at_the_keyframe_as_the_fast_clip_does(
    video: Video, workspace: Workspace, tmp_path: Path
) -> None:
    (plan,) = plan_clips([Interval(85, 95)], video, ClipSettings(clip_padding_s=0.5, mode="fast"))
    made = make_preview(video, plan, "fast", preview_path(workspace, "abc", plan, "fast"))
    real = cut_clip(video, plan, tmp_path / "clip.mp4", "fast")
    assert (made.start_frame, made.end_frame) == (real.start_frame, real.end_frame) == (60, made.end_frame)
    assert made.wanted_start_s - made.start_s == pytest.approx(plan.start_s - float(video.pts_s[60]))
    assert Video.open(made.path).n_frames == made.frames
    assert {path.suffix for path in made.path.parent.iterdir()} == {".mp4", ".json"}
    assert len(list(made.path.parent.iterdir())) == 2  # the fast clip itself is not kept


def test_a_small_video_is_not_enlarged(tmp_path: Path, workspace: Workspace) -> None:
    path = tmp_path / "small.mp4"
    run(["-f", "lavfi", "-i", "testsrc=size=321x181:rate=25:duration=1", "-pix_fmt", "yuv444p", str(path)], 25)
    video = Video.open(path)
    (plan,) = plan_clips([Interval(5, 9)], video, ClipSettings())
    made = make_preview(video, plan, "exact", preview_path(workspace, "abc", plan, "exact"))
    assert (Video.open(made.path).info.width, Video.open(made.path).info.height) == (320, 180)


def test_nothing_is_taken_for_a_preview_that_was_not_finished(workspace: Workspace, video: Video) -> None:
    (plan,) = plan_clips([Interval(10, 20)], video, ClipSettings())
    out = preview_path(workspace, "abc", plan, "exact")
    assert read(out) is None
    out.parent.mkdir(parents=True)
    out.write_bytes(b"cut")
    assert read(out) is None


@pytest.mark.parametrize(("mode", "advice"), [("exact", "check that it plays"), ("fast", "choose the exact mode")])
def test_a_failing_ffmpeg_is_told_in_a_sentence(
    video: Video, workspace: Workspace, tmp_path: Path, mode: CutMode, advice: str
) -> None:
    """The page would show a traceback in the place of the clip, and nobody could tell what to do."""
    path = Path(shutil.copy(video.path, tmp_path))
    spoilt = Video.open(path)
    path.write_bytes(b"overwritten since it was opened")
    (plan,) = plan_clips([Interval(70, 80)], video, ClipSettings(clip_padding_s=0.5))
    out = preview_path(workspace, "abc", plan, mode)
    with pytest.raises(UserError, match=rf"park\.mp4 .*{advice}"):
        make_preview(spoilt, plan, mode, out)
    assert list(out.parent.iterdir()) == []


def test_other_bounds_or_modes_are_other_previews(workspace: Workspace, video: Video) -> None:
    plans = [plan_clips([Interval(10, end)], video, ClipSettings(clip_padding_s=0))[0] for end in (20, 21)]
    paths = {preview_path(workspace, "abc", plan, mode) for plan in plans for mode in ("exact", "fast")}
    assert len(paths) == 4


def test_a_still_is_drawn_once(video: Video, workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = still(video, workspace, "abc", 50)
    assert drawn.startswith(b"\xff\xd8")
    with av.open(str(next((workspace.home / "videos" / "abc").glob("still-*.jpg")))) as picture:
        assert picture.streams.video[0].width == previews.STILL_WIDTH
    monkeypatch.setattr(previews, "poster", lambda *_: pytest.fail("drawn again"))
    assert still(video, workspace, "abc", 50) == drawn
    with pytest.raises(IndexError):
        still(video, workspace, "abc", video.n_frames)


@pytest.mark.parametrize(
    ("probability", "best"),
    [
        ({90: 0.1, 100: 0.6, 104: 0.9, 108: 0.7, 130: 1.0}, 104),
        ({100: 0.6, 102: 1.0, 104: 1.0, 106: 1.0, 108: 0.7}, 104),
        ({100: float("nan"), 104: float("nan")}, 105),
        ({}, 105),
    ],
)
def test_the_likeliest_frame_stands_for_a_trick(probability: dict[int, float], best: int) -> None:
    series = pd.Series(probability, dtype=float)
    assert best_frame(Interval(100, 110), series) == best


def test_background_work_is_asked_for_again_and_again() -> None:
    go = threading.Event()
    background: Background[int] = Background()
    times = []

    def make() -> int:
        times.append(1)
        assert go.wait(10)
        return 7

    assert background.ask("a", make) is None
    assert background.ask("a", make) is None
    assert background.busy("a")
    go.set()
    while background.busy("a"):
        pass
    assert background.ask("a", make) == 7
    assert len(times) == 1
    assert not background.busy("a")


def test_a_failure_in_the_background_is_told_and_tried_again() -> None:
    background: Background[int] = Background()

    def fail() -> int:
        raise UserError("the disk is full")

    for _ in range(2):
        assert background.ask("a", fail) is None
        while background.busy("a"):
            pass
        with pytest.raises(UserError, match="full"):
            background.ask("a", fail)
