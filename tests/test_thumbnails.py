"""The thumbnails show what they say, upright and in order, and an hour of footage takes seconds."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from core import thumbnails
from core.errors import Cancelled, UserError
from core.thumbnails import Sprite, keyframes, make_thumbnails, poster, poster_path, read, thumbnails_path
from core.video import Video
from core.workspace import Workspace
from tests.test_video import BY_NAME, HEIGHT, WIDTH, Film, N, run_ffmpeg, write_film


@pytest.fixture(scope="module")
def ramp(tmp_path_factory: pytest.TempPathFactory) -> Video:
    """Ten seconds that grow brighter by the second, on its side, with a keyframe every second."""
    folder = tmp_path_factory.mktemp("ramp")
    grey = "color=black:size=192x108:rate=30:duration=10,format=yuv420p,geq=lum='16+20*floor(T)':cb=128:cr=128"
    options = ["-c:v", "libx264", "-preset", "ultrafast", "-g", "30", "-bf", "0"]
    run_ffmpeg("-f", "lavfi", "-i", grey, *options, folder / "lying.mp4")
    run_ffmpeg("-display_rotation", 90, "-i", folder / "lying.mp4", "-c", "copy", folder / "ramp.mp4")
    return Video.open(folder / "ramp.mp4")


def tile(sprite: Sprite, number: int) -> NDArray[np.uint8]:
    x, y, width, height = sprite.box(number)
    sheet = cv2.imread(str(sprite.path))
    assert sheet is not None
    return np.asarray(sheet[y : y + height, x : x + width], np.uint8)


def brightness(sprite: Sprite) -> list[float]:
    return [float(tile(sprite, number).mean()) for number in range(sprite.count)]


@pytest.mark.parametrize("limit_mp", [1e6, 0.0])  # every n-th frame, and keyframes only
def test_thumbnails_are_upright_and_show_their_times(
    ramp: Video, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit_mp: float
) -> None:
    """A click on one seeks there: the picture must be the one that appears."""
    monkeypatch.setattr(thumbnails, "_AFFORDABLE_MP", limit_mp)
    told: list[float] = []
    sprite = make_thumbnails(ramp, tmp_path / "sprite.jpg", told.append, count=10)
    assert (sprite.width, sprite.height, sprite.count) == (90, 160, 10)
    np.testing.assert_allclose(sprite.times_s, range(10), atol=0.04)
    assert np.all(np.diff(brightness(sprite)) > 15)
    assert told == sorted(told)
    assert told[-1] == 1.0
    assert read(tmp_path / "sprite.jpg") == sprite


def test_a_long_video_is_not_decoded_from_end_to_end(
    ramp: Video, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An hour of 1080p would take minutes."""
    monkeypatch.setattr(thumbnails, "_AFFORDABLE_MP", 0.0)
    monkeypatch.setattr(Video, "pictures", lambda *_: pytest.fail("decoded"))
    assert make_thumbnails(ramp, tmp_path / "sprite.jpg", count=40).count == 10  # one for each keyframe


def test_a_long_video_without_keyframes_is_decoded_after_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Some screen recorders write a single one: two thumbnails for an hour would be of no use."""
    monkeypatch.setattr(thumbnails, "_AFFORDABLE_MP", 0.0)
    endless = Film("", [512 * i for i in range(N)], Fraction(1, 15360), options={"g": "999", "preset": "ultrafast"})
    video = Video.open(write_film(endless, tmp_path / "endless.mp4"))
    assert make_thumbnails(video, tmp_path / "sprite.jpg", count=40).count == 30


@pytest.mark.parametrize("name", ["mpeg4_b_frames.avi", "starts_at_5_s.ts", "uneven.mkv", "open_gop.ts"])
@pytest.mark.parametrize("limit_mp", [1e6, 0.0])
def test_odd_files_have_thumbnails_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, limit_mp: float
) -> None:
    monkeypatch.setattr(thumbnails, "_AFFORDABLE_MP", limit_mp)
    video = Video.open(write_film(BY_NAME[name], tmp_path / name))
    sprite = make_thumbnails(video, tmp_path / "sprite.jpg", count=5)
    assert 3 <= sprite.count <= 5
    assert set(sprite.times_s) <= set(video.pts_s.tolist())


def test_the_same_video_gives_the_same_bytes(ramp: Video, tmp_path: Path) -> None:
    """What changes at every run cannot be compared, nor kept by the browser."""
    made = [make_thumbnails(ramp, tmp_path / folder / "sprite.jpg", count=20) for folder in "ab"]
    one, other = ([sprite.path.read_bytes(), sprite.path.with_suffix(".json").read_bytes()] for sprite in made)
    assert one == other


def test_a_short_video_has_no_more_thumbnails_than_frames(tmp_path: Path) -> None:
    video = Video.open(write_film(Film("", [0, 512, 1024], Fraction(1, 15360)), tmp_path / "short.mp4"))
    sprite = make_thumbnails(video, tmp_path / "sprite.jpg")
    assert (sprite.count, sprite.columns) == (3, 3)
    facts = json.loads((tmp_path / "sprite.json").read_text())
    assert facts["count"] == 3
    assert facts["times_s"] == pytest.approx(video.pts_s, abs=1e-6)


def test_half_of_a_sprite_is_none(ramp: Video, tmp_path: Path) -> None:
    """A page must not show a JPEG whose layout is not known, nor ask for one that is gone."""
    path = tmp_path / "sprite.jpg"
    assert read(path) is None
    make_thumbnails(ramp, path, count=5)
    path.unlink()
    assert read(path) is None


def test_cancelled_leaves_nothing(ramp: Video, tmp_path: Path) -> None:
    with pytest.raises(Cancelled):
        make_thumbnails(ramp, tmp_path / "sprite.jpg", cancelled=lambda: True)
    assert list(tmp_path.iterdir()) == []


def test_keyframes_come_once_each_and_in_order(ramp: Video) -> None:
    indices = [picture.index for picture in keyframes(ramp, [0.0, 0.1, 4.5, 4.9, 9.99, 12.0])]
    assert indices == [0, 120, 270]


def test_keyframes_of_footage_that_went_away(tmp_path: Path) -> None:
    path = write_film(Film("", [0, 512], Fraction(1, 15360)), tmp_path / "gone.mp4")
    video = Video.open(path)
    path.unlink()
    with pytest.raises(UserError, match=r"gone\.mp4"):
        list(keyframes(video, [0.0]))


def test_a_poster_is_the_frame_upright(ramp: Video, tmp_path: Path) -> None:
    first, last = (cv2.imread(str(poster(ramp, frame, tmp_path / f"{frame}.jpg"))) for frame in (0, 299))
    assert first is not None
    assert last is not None
    assert first.shape == (192, 108, 3)  # no larger than the video
    assert last.mean() - first.mean() > 150


def test_a_poster_has_the_width_asked_for(tmp_path: Path) -> None:
    video = Video.open(write_film(BY_NAME["24.mp4"], tmp_path / "24.mp4"))
    image = cv2.imread(str(poster(video, 10, tmp_path / "poster.jpg", WIDTH // 2)))
    assert image is not None
    assert image.shape == (HEIGHT // 2, WIDTH // 2, 3)


def test_sprite_and_poster_go_by_the_content(tmp_path: Path) -> None:
    with Workspace.open(tmp_path) as workspace:
        paths = {path(workspace, content) for path in (thumbnails_path, poster_path) for content in ("ab", "cd")}
    assert len(paths) == 4
