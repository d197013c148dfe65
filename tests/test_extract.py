"""Looking at an hour takes minutes: whatever stops it, the next run carries on and ends with the very same tables.

The network is a small one made of arithmetic: what is tested is everything round it.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
import zlib
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pyarrow.parquet as pq
import pytest
from numpy.typing import NDArray

from core.errors import Cancelled, UserError
from core.pose import People
from core.pose import extract as extraction
from core.pose.extract import Seconds, extract, extract_parts, missing_parts
from core.pose.table import CameraTable, PoseTable
from core.video import Picture, Video
from tests.test_motion import START, scenery, similarity, view

ROOT = Path(__file__).parents[1]
N = 100
PART = 16
SIZE = (160, 90)

Tables = tuple[Path, Path]


class Onlooker:
    """Sees as many people as the picture's grey levels say, at places that they say too."""

    name = "onlooker"
    long_side = 160

    def __init__(self, seconds: float = 0.0, most: int = 3) -> None:
        self.seconds, self.most = seconds, most
        self.shapes: list[tuple[int, ...]] = []

    def estimate(self, image: NDArray[np.uint8]) -> People:
        time.sleep(self.seconds)
        self.shapes.append(image.shape)
        rng = np.random.default_rng(zlib.crc32(image.tobytes()))
        people = int(rng.integers(self.most + 1))
        corner = rng.uniform(0.1, 0.4, (people, 2))
        keypoints = rng.uniform(0.1, 0.9, (people, 17, 3)).astype(np.float32)
        keypoints[keypoints[..., 2] < 0.3, :2] = np.nan
        score = np.sort(rng.uniform(0.3, 0.9, people))[::-1]
        return People(score.astype(np.float32), np.hstack([corner, corner + 0.4]).astype(np.float32), keypoints)


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Video:
    """A hundred frames of a pan over a textured place, with B-frames and a cut."""
    path = tmp_path_factory.mktemp("video") / "pan.mp4"
    camera, places = START, [scenery(1), scenery(2)]
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=30, options={"preset": "veryfast", "g": "24", "bf": "2"})
        stream.width, stream.height, stream.pix_fmt = *SIZE, "yuv420p"
        for i in range(N):
            picture = view(places[i >= 70], camera, SIZE)
            frame = av.VideoFrame.from_ndarray(picture, format="gray").reformat(format="yuv420p")
            frame.pts, frame.time_base = i, Fraction(1, 30)
            container.mux(stream.encode(frame))
            camera = similarity(x=-2.0, y=np.sin(i / 6)) @ camera
        container.mux(stream.encode())
    return Video.open(path)


@pytest.fixture(autouse=True)
def short_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that a hundred frames make several parts."""
    monkeypatch.setattr(extraction, "PART_FRAMES", PART)


def tables(folder: Path) -> Tables:
    return folder / "pose.parquet", folder / "camera.parquet"


def looked(
    video: Video,
    folder: Path,
    stride: int = 2,
    estimator: Onlooker | None = None,
    progress: Callable[[int, int], None] | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> tuple[bytes, bytes]:
    """Bytes of the two tables after a run into ``folder``."""
    pose, camera = tables(folder)
    extract(video, estimator or Onlooker(), stride, pose, camera, progress, cancelled)
    assert sorted(folder.iterdir()) == [camera, pose]  # nothing else is left
    return pose.read_bytes(), camera.read_bytes()


def stopped_after(parts: int, video: Video, folder: Path, stride: int = 2) -> Path:
    """A run that the user stopped when ``parts`` parts were done; the folder with them."""
    with pytest.raises(Cancelled):
        looked(video, folder, stride, cancelled=lambda: len(list(folder.rglob("*.camera.parquet"))) >= parts)
    (left,) = folder.iterdir()
    assert len(list(left.iterdir())) == 2 * parts  # whole parts and nothing else
    return left


## What is in the tables


@pytest.mark.parametrize("stride", [1, 2, 3, 7])
def test_every_nth_frame_is_looked_at_with_its_true_number_and_time(video: Video, tmp_path: Path, stride: int) -> None:
    # A number that is off by one shifts every clip.
    looked(video, tmp_path, stride)
    pose, camera = PoseTable.read(tables(tmp_path)[0]), CameraTable.read(tables(tmp_path)[1])
    assert camera.frame.tolist() == list(range(0, N, stride))
    assert camera.time_s == pytest.approx(video.pts_s[::stride])
    assert pose.time_s == pytest.approx(video.pts_s[pose.frame])
    assert (np.diff(pose.frame) >= 0).all()
    assert set(pose.frame.tolist()) <= set(camera.frame.tolist())


def test_what_the_network_said_is_kept_as_it_was_said(video: Video, tmp_path: Path) -> None:
    looked(video, tmp_path, stride=3)
    pose = PoseTable.read(tables(tmp_path)[0])
    for picture in video.pictures(stride=3):
        said, kept = Onlooker().estimate(picture.rgb(*video.fit(Onlooker.long_side))), pose.frame == picture.index
        np.testing.assert_array_equal(pose.score[kept], said.score)
        np.testing.assert_array_equal(pose.boxes[kept], said.boxes)
        np.testing.assert_array_equal(pose.keypoints[kept], said.keypoints)  # NaN where it said NaN
    assert np.isnan(pose.keypoints).any()


def test_the_network_gets_pictures_of_the_size_it_wants(video: Video, tmp_path: Path) -> None:
    estimator = Onlooker()
    looked(video, tmp_path, estimator=estimator)
    assert estimator.shapes == [(90, 160, 3)] * (N // 2)


def test_people_are_linked_over_the_whole_video(video: Video, tmp_path: Path) -> None:
    looked(video, tmp_path)
    pose = PoseTable.read(tables(tmp_path)[0])
    people = sorted(set(pose.person.tolist()) - {-1})
    assert people == list(range(len(people)))
    assert len(people) > 0
    ends = {person: pose.frame[pose.person == person] for person in people}
    assert any(frames.min() < 2 * PART <= frames.max() for frames in ends.values())  # across the border of two parts


def test_camera_motion_is_measured_across_the_borders_of_parts(video: Video, tmp_path: Path) -> None:
    # A zero at each border would be a step of the skater's against the background, every 17 seconds.
    looked(video, tmp_path)
    camera = CameraTable.read(tables(tmp_path)[1])
    shot = (camera.frame > 0) & (camera.frame != 70)
    assert camera.dx[shot] == pytest.approx(-4.0 / SIZE[1], abs=0.006)
    assert camera.dx[0] == 0
    assert camera.difference[1:].min() > 0


def test_tables_are_written_in_row_groups_a_part_each(video: Video, tmp_path: Path) -> None:
    # Hours are read piece by piece.
    looked(video, tmp_path)
    pose, parts = pq.ParquetFile(tables(tmp_path)[0]), range(0, N, 2 * PART)
    assert pose.num_row_groups == len(parts)
    for group, begin in enumerate(parts):
        frames = pose.read_row_group(group)["frame"].to_numpy()
        assert begin <= frames.min() <= frames.max() < begin + 2 * PART


def test_a_video_in_which_nobody_is_seen_has_empty_people_and_a_whole_camera_table(
    video: Video, tmp_path: Path
) -> None:
    looked(video, tmp_path, estimator=Onlooker(most=0))
    pose, camera = PoseTable.read(tables(tmp_path)[0]), CameraTable.read(tables(tmp_path)[1])
    assert (len(pose.frame), pose.keypoints.shape, camera.n) == (0, (0, 17, 3), N // 2)


def test_a_stride_longer_than_the_video_looks_at_its_first_frame(video: Video, tmp_path: Path) -> None:
    looked(video, tmp_path, stride=500)
    assert CameraTable.read(tables(tmp_path)[1]).frame.tolist() == [0]


## Progress, and being asked again


@pytest.mark.parametrize("stride", [1, 2, 3])
def test_progress_rises_to_the_last_frame(video: Video, tmp_path: Path, stride: int) -> None:
    told: list[tuple[int, int]] = []
    looked(video, tmp_path, stride, progress=lambda *done: told.append(done))
    done = [frames for frames, _ in told]
    assert done == sorted(set(done))
    assert told[-1] == (N, N)
    assert {frames for _, frames in told} == {N}


def test_progress_of_a_run_that_carries_on_starts_beyond_what_was_done(video: Video, tmp_path: Path) -> None:
    stopped_after(2, video, tmp_path)
    told: list[int] = []
    looked(video, tmp_path, progress=lambda done, _: told.append(done))
    assert told[0] == 2 * PART * 2


def test_what_is_there_is_not_looked_at_again(video: Video, tmp_path: Path) -> None:
    before = looked(video, tmp_path)
    estimator = Onlooker()
    assert extract(video, estimator, 2, *tables(tmp_path)) == Seconds()
    assert estimator.shapes == []
    assert looked(video, tmp_path) == before


def test_the_same_video_gives_the_same_bytes(video: Video, tmp_path: Path) -> None:
    for name in "ab":
        (tmp_path / name).mkdir()
    assert looked(video, tmp_path / "a") == looked(video, tmp_path / "b")


## Stopped, killed, damaged


@pytest.fixture(scope="module")
def unbroken(video: Video, tmp_path_factory: pytest.TempPathFactory) -> Callable[[int], tuple[bytes, bytes]]:
    """The bytes that a run in one go gives, by stride."""
    known: dict[int, tuple[bytes, bytes]] = {}

    def run(stride: int = 2) -> tuple[bytes, bytes]:
        if stride not in known:
            known[stride] = looked(video, tmp_path_factory.mktemp("unbroken"), stride)
        return known[stride]

    return run


@pytest.mark.parametrize(("stride", "parts"), [(1, 1), (1, 4), (2, 1), (2, 3), (3, 2), (2, 4), (3, 3)])
def test_a_stopped_run_carries_on_and_ends_with_the_same_bytes(
    video: Video, unbroken: Callable[[int], tuple[bytes, bytes]], tmp_path: Path, stride: int, parts: int
) -> None:
    stopped_after(parts, video, tmp_path, stride)
    estimator = Onlooker()
    assert looked(video, tmp_path, stride, estimator) == unbroken(stride)
    sampled = len(range(0, N, stride))
    assert len(estimator.shapes) == max(0, sampled - parts * PART)  # and looks at nothing twice


def test_a_run_that_is_stopped_again_and_again_ends_with_the_same_bytes(
    video: Video, unbroken: Callable[[int], tuple[bytes, bytes]], tmp_path: Path
) -> None:
    with pytest.raises(Cancelled):
        looked(video, tmp_path, cancelled=lambda: True)  # at once
    for parts in range(1, 5):
        stopped_after(parts, video, tmp_path)
    assert looked(video, tmp_path) == unbroken(2)


def test_a_network_that_fails_leaves_the_finished_parts(
    video: Video, unbroken: Callable[[int], tuple[bytes, bytes]], tmp_path: Path
) -> None:
    class Failing(Onlooker):
        def estimate(self, image: NDArray[np.uint8]) -> People:
            if len(self.shapes) >= 2 * PART + 3:
                raise MemoryError("out of memory on the card")
            return super().estimate(image)

    with pytest.raises(MemoryError):
        looked(video, tmp_path, estimator=Failing())
    estimator = Onlooker()
    assert looked(video, tmp_path, estimator=estimator) == unbroken(2)
    assert len(estimator.shapes) <= N // 2 - PART


KILLED = """
import sys
from pathlib import Path
from core.pose import extract as extraction
from core.video import Video
from tests.test_extract import PART, Onlooker, tables

extraction.PART_FRAMES = PART
extraction.extract(Video.open(sys.argv[1]), Onlooker(seconds=0.02), 1, *tables(Path(sys.argv[2])))
"""


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="this system has no SIGKILL")
@pytest.mark.parametrize("parts", [1, 3])
def test_a_run_that_is_killed_carries_on_and_ends_with_the_same_bytes(
    video: Video, unbroken: Callable[[int], tuple[bytes, bytes]], tmp_path: Path, parts: int
) -> None:
    # A closed lid, an empty battery, a worker that the system killed for its memory.
    whole = tables(tmp_path)[1].with_name("camera.parquet.parts") / f"{parts - 1:06d}.camera.parquet"
    command = [sys.executable, "-c", KILLED, str(video.path), str(tmp_path)]
    with subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE) as running:
        until = time.monotonic() + 60
        while not whole.exists() and running.poll() is None and time.monotonic() < until:
            time.sleep(0.005)
        os.kill(running.pid, signal.SIGKILL)
    assert running.returncode == -signal.SIGKILL
    assert not any(path.exists() for path in tables(tmp_path))
    estimator = Onlooker()
    assert looked(video, tmp_path, 1, estimator) == unbroken(1)
    assert len(estimator.shapes) <= N - parts * PART


@pytest.mark.parametrize("which", ["pose", "camera"])
@pytest.mark.parametrize("damage", ["cut short", "empty", "gone"])
@pytest.mark.parametrize("part", [0, 1, 2])
def test_a_damaged_part_is_looked_at_again(
    video: Video,
    unbroken: Callable[[int], tuple[bytes, bytes]],
    tmp_path: Path,
    which: str,
    damage: str,
    part: int,
) -> None:
    # A power cut or a full disk may leave anything; a run that always failed at it would need a search by hand.
    file = stopped_after(3, video, tmp_path) / f"{part:06d}.{which}.parquet"
    if damage == "gone":
        file.unlink()
    else:
        file.write_bytes(b"" if damage == "empty" else file.read_bytes()[:-200])
    estimator = Onlooker()
    assert looked(video, tmp_path, estimator=estimator) == unbroken(2)
    assert len(estimator.shapes) == PART + (N // 2 - 3 * PART)  # that part, and those that were never begun


def test_parts_that_were_looked_at_apart_make_the_same_tables(
    video: Video, unbroken: Callable[[int], tuple[bytes, bytes]], tmp_path: Path
) -> None:
    # Several machines take some parts each, in whatever order they come to them.
    pose, camera = tables(tmp_path)
    assert missing_parts(video, 1, pose, camera) == [range(7)]
    for span in (range(5, 7), range(2), range(3, 4)):
        extract_parts(video, Onlooker(), 1, pose, camera, span)
    assert missing_parts(video, 1, pose, camera) == [range(2, 3), range(4, 5)]
    estimator = Onlooker()
    assert looked(video, tmp_path, 1, estimator) == unbroken(1)
    assert len(estimator.shapes) == 2 * PART


def interrupted(video: Video, folder: Path, frames_done: int, by: Callable[[], object]) -> Onlooker:
    """Run at stride 1 in ``folder``, during which another process does something."""
    did = False

    def told(done: int, _: int) -> None:
        nonlocal did
        if done >= frames_done and not did:
            did = True
            by()

    estimator = Onlooker()
    extract(video, estimator, 1, *tables(folder), told)
    assert did
    return estimator


@pytest.mark.parametrize("frames_done", [0, 2 * PART, 6 * PART, N])
def test_two_that_look_at_the_same_video_both_end_with_the_whole_of_it(
    video: Video, unbroken: Callable[[int], tuple[bytes, bytes]], tmp_path: Path, frames_done: int
) -> None:
    # Two people, or the studio and the command, begin the same video; one ends while the other is at its last part.
    pose, camera = tables(tmp_path)
    estimator = interrupted(video, tmp_path, frames_done, lambda: extract(video, Onlooker(), 1, pose, camera))
    assert (pose.read_bytes(), camera.read_bytes()) == unbroken(1)
    assert sorted(tmp_path.iterdir()) == [camera, pose]
    assert len(estimator.shapes) <= frames_done + 2 * PART  # the slower one stops looking soon


def test_tables_are_not_joined_from_parts_that_went(video: Video, tmp_path: Path) -> None:
    # A session that is removed while it is looked at, or a folder cleared by hand: half a video would pass for whole.
    pose, camera = tables(tmp_path)
    parts = camera.with_name("camera.parquet.parts")
    with pytest.raises(UserError, match=r"pan\.mp4: what was seen of it was removed"):
        interrupted(video, tmp_path, 3 * PART, lambda: shutil.rmtree(parts))
    assert not pose.exists()
    assert not camera.exists()


def test_a_video_whose_end_is_damaged_is_looked_at_once(video: Video, tmp_path: Path) -> None:
    # Its last parts hold no frame, and would be waited for in every span of every run.
    class Damaged(Video):
        def pictures(self, stride: int = 1, start: int = 0, stop: int | None = None) -> Iterator[Picture]:
            return (one for one in super().pictures(stride, start, stop) if one.index < 4 * PART)

    pose, camera = tables(tmp_path)
    damaged = Damaged.open(video.path)
    for span in (range(3, 6), range(6, 7), range(3)):
        extract_parts(damaged, Onlooker(), 1, pose, camera, span)
    assert missing_parts(damaged, 1, pose, camera) == []
    looked(damaged, tmp_path, 1)
    assert CameraTable.read(camera).frame.tolist() == list(range(4 * PART))


@pytest.mark.parametrize("kept", ["pose", "camera"])
def test_a_run_that_was_killed_between_its_two_tables_ends_whole(
    video: Video, unbroken: Callable[[int], tuple[bytes, bytes]], tmp_path: Path, kept: str
) -> None:
    looked(video, tmp_path)
    for path in tables(tmp_path):
        if path.stem != kept:
            path.unlink()
    assert looked(video, tmp_path) == unbroken(2)


def test_a_folder_that_cannot_be_made_is_said(video: Video, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="Cannot write into the folder") as error:
        extract(video, Onlooker(), 2, *tables(tmp_path / "file" / "here"))
    assert str(error.value).endswith(".")


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_may_not_be_written_is_said(video: Video, tmp_path: Path) -> None:
    tmp_path.chmod(0o555)
    try:
        with pytest.raises(UserError, match="Cannot write into the folder"):
            extract(video, Onlooker(), 2, *tables(tmp_path))
    finally:
        tmp_path.chmod(0o755)


def test_a_video_that_went_away_is_said(video: Video, tmp_path: Path) -> None:
    copy = tmp_path / "copy.mp4"
    copy.write_bytes(video.path.read_bytes())
    gone = Video.open(copy)
    copy.unlink()
    with pytest.raises(UserError, match=r"copy\.mp4"):
        extract(gone, Onlooker(), 2, *tables(tmp_path / "out"))
    assert not any(path.exists() for path in tables(tmp_path / "out"))
