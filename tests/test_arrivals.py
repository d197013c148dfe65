"""A watched folder hands out each video once, when it is whole, and says which ones never become so."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from core.arrivals import Arrivals, is_whole
from core.errors import UserError
from tests.test_video import run_ffmpeg

SETTLE_S = 10.0


class Watched:
    """A folder that is looked at every five seconds."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.now_s = 100.0
        self.arrivals = Arrivals(folder, SETTLE_S, lambda: self.now_s)

    def names(self) -> list[str]:
        """What has come in until five seconds later."""
        found = [path.relative_to(self.folder).as_posix() for path in self.arrivals.ready()]
        self.now_s += 5
        return found

    def recordings(self, seconds: float) -> list[list[str]]:
        """Which have come in until then, the names of the chapters of each."""
        found = []
        for _ in range(int(seconds / 5)):
            found += [[path.name for path in chapters] for chapters in self.arrivals.recordings()]
            self.now_s += 5
        return found

    def more(self) -> bool:
        """Whether something may still come of what is there."""
        return self.arrivals.waiting

    def after(self, seconds: float) -> list[str]:
        """What has come in until then."""
        return [name for _ in range(int(seconds / 5)) for name in self.names()]


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], bytes]:
    """A second of test picture with sound, in the container of an ending."""
    folder = tmp_path_factory.mktemp("films")

    def content(suffix: str, *options: str) -> bytes:
        path = folder / f"film{len(list(folder.iterdir()))}{suffix}"
        source = ["-f", "lavfi", "-i", "testsrc2=size=64x48:rate=25:duration=2", "-f", "lavfi", "-i", "sine=duration=2"]
        run_ffmpeg(*source, "-shortest", "-c:v", "mpeg4", *options, path)
        return path.read_bytes()

    return content


@pytest.fixture(scope="module")
def mp4(film: Callable[..., bytes]) -> bytes:
    """With the index at the end, as cameras write it."""
    return film(".mp4")


@pytest.fixture(scope="module")
def fast(film: Callable[..., bytes]) -> bytes:
    """With the index at the beginning, so that every part of it opens."""
    return film(".mp4", "-movflags", "+faststart")


@pytest.fixture
def watched(tmp_path: Path) -> Watched:
    (tmp_path / "in").mkdir()
    return Watched(tmp_path / "in")


def test_a_video_comes_once_and_only_after_it_has_settled(watched: Watched, mp4: bytes) -> None:
    (watched.folder / "a.MP4").write_bytes(mp4)
    assert [watched.names() for _ in range(6)] == [[], [], ["a.MP4"], [], [], []]
    (watched.folder / "day 1" / "cam").mkdir(parents=True)
    (watched.folder / "day 1" / "cam" / "b.mp4").write_bytes(mp4)
    assert watched.after(60) == ["day 1/cam/b.mp4"]
    assert watched.arrivals.stuck() == []


@pytest.mark.parametrize("kind", ["mp4", "fast"])
def test_a_slow_copy_is_waited_for(watched: Watched, kind: str, request: pytest.FixtureRequest) -> None:
    """Also one that pauses for longer than the settling time."""
    content: bytes = request.getfixturevalue(kind)
    target = watched.folder / "a.mp4"
    for share in (0.3, 0.6, 0.9):
        target.write_bytes(content[: int(share * len(content))])
        assert watched.after(30) == []
    target.write_bytes(content)
    assert watched.after(30) == ["a.mp4"]
    assert watched.arrivals.stuck() == []


def test_room_taken_beforehand_is_no_video(watched: Watched, mp4: bytes) -> None:
    """Some programs make the file as large as it will be, and fill it; Windows also sets its time before."""
    target = watched.folder / "a.mp4"
    target.write_bytes(mp4[: len(mp4) // 2].ljust(len(mp4), b"\0"))
    os.utime(target, (1, 1))
    assert watched.after(30) == []
    target.write_bytes(mp4)
    os.utime(target, (1, 1))
    assert watched.after(60) == ["a.mp4"]


def test_what_never_becomes_whole_is_told_once(watched: Watched, fast: bytes) -> None:
    target = watched.folder / "a.mp4"
    target.write_bytes(fast[:-100])
    (watched.folder / "b.mkv").write_bytes(b"")
    assert watched.after(50) == []
    assert watched.arrivals.stuck() == []
    assert watched.after(300) == []
    assert sorted(path.name for path in watched.arrivals.stuck()) == ["a.mp4", "b.mkv"]
    assert watched.after(600) == []
    assert watched.arrivals.stuck() == []
    target.write_bytes(fast)
    assert watched.after(30) == ["a.mp4"]


def test_it_knows_whether_there_is_more_to_wait_for(watched: Watched, mp4: bytes, fast: bytes) -> None:
    """Who wants what lies there now, and no more, may stop when nothing is settling or incomplete."""
    assert watched.names() == []
    assert not watched.more()
    for number in range(60):
        (watched.folder / f"{number}.mp4").write_bytes(mp4)
    watched.after(10)
    assert watched.more()
    assert len(watched.names()) == 50
    assert watched.more()
    assert len(watched.names()) == 10
    assert not watched.more()
    broken = watched.folder / "broken.mp4"
    broken.write_bytes(fast[:-100])
    gone = watched.folder / "gone.mp4"
    gone.write_bytes(mp4)
    watched.names()
    gone.unlink()
    watched.after(45)
    assert watched.more()
    while not watched.arrivals.stuck():
        assert watched.more()
        watched.names()
    assert not watched.more()
    broken.write_bytes(fast)
    watched.names()
    assert watched.more()
    assert watched.after(15) == ["broken.mp4"]
    assert not watched.more()


def test_another_video_under_a_known_name_is_new(watched: Watched, mp4: bytes, fast: bytes) -> None:
    target = watched.folder / "a.mp4"
    target.write_bytes(mp4)
    assert watched.after(30) == ["a.mp4"]
    facts = target.stat()
    target.write_bytes(fast)
    os.utime(target, ns=(facts.st_atime_ns, facts.st_mtime_ns + 10**9))
    assert watched.after(60) == ["a.mp4"]


def test_a_disk_that_comes_back_brings_nothing_new(watched: Watched, mp4: bytes) -> None:
    (watched.folder / "a.mp4").write_bytes(mp4)
    assert watched.after(30) == ["a.mp4"]
    away = watched.folder.with_name("away")
    watched.folder.rename(away)
    with pytest.raises(UserError, match="cannot be watched"):
        watched.names()
    watched.folder.mkdir()  # where the disk is mounted
    assert watched.names() == []
    watched.folder.rmdir()
    away.rename(watched.folder)
    (watched.folder / "b.mp4").write_bytes(mp4)
    assert watched.after(60) == ["b.mp4"]


def test_a_copy_that_was_given_up_and_begun_again_settles_anew(watched: Watched, mp4: bytes) -> None:
    target = watched.folder / "a.mp4"
    target.write_bytes(mp4)
    watched.names()
    kept = watched.folder.with_name("kept.mp4")
    target.rename(kept)
    watched.names()
    kept.rename(target)
    assert [watched.names() for _ in range(3)] == [[], [], ["a.mp4"]]


def test_hidden_and_unfinished_names_are_left_out(watched: Watched, mp4: bytes) -> None:
    for name in [
        ".a.mp4", ".trash/a.mp4", "$RECYCLE.BIN/a.mp4", "~a.mp4", "a.mp4.part", "a.part.mp4", "a.mp4.crdownload",
        "a.tmp.MP4", "a.mp4~", "a.mp4.tmp", "notes.txt", "noending",
    ]:  # fmt: skip
        (watched.folder / name).parent.mkdir(exist_ok=True)
        (watched.folder / name).write_bytes(mp4)
    assert watched.after(120) == []
    assert watched.arrivals.stuck() == []
    (watched.folder / "a.mp4.part").rename(watched.folder / "a.mp4")
    assert watched.after(30) == ["a.mp4"]


def test_links_do_not_lead_out(watched: Watched, mp4: bytes) -> None:
    private = watched.folder.with_name("in private")
    private.mkdir()
    (private / "secret.mp4").write_bytes(mp4)
    (watched.folder / "a.mp4").symlink_to(private / "secret.mp4")
    (watched.folder / "folder").symlink_to(private)
    (watched.folder / "loop").symlink_to(watched.folder)
    (watched.folder / "round.mp4").symlink_to("round.mp4")
    (watched.folder / "b.mp4").write_bytes(mp4)
    (watched.folder / "c.mp4").symlink_to("b.mp4")
    assert watched.after(60) == ["b.mp4", "c.mp4"]


def test_many_come_a_few_at_a_time_and_as_people_count(watched: Watched, mp4: bytes) -> None:
    """The caller gets to work while the others are looked at."""
    for number in range(70):
        (watched.folder / f"clip {number}.mp4").write_bytes(mp4)
    batches = [batch for _ in range(6) if (batch := watched.names())]
    assert [len(batch) for batch in batches] == [50, 20]
    assert [name for batch in batches for name in batch] == [f"clip {number}.mp4" for number in range(70)]


@pytest.mark.parametrize("suffix", [".mov", ".mkv", ".avi", ".ts", ".webm", ".mpg"])
def test_whole_videos_of_every_kind(film: Callable[..., bytes], suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"a{suffix}"
    codecs = {".webm": ["-c:v", "libvpx", "-c:a", "libopus"], ".mpg": ["-c:v", "mpeg2video"]}
    path.write_bytes(film(suffix, *codecs.get(suffix, [])))
    assert is_whole(path)
    path.write_bytes(b"\0" * 5000)
    assert not is_whole(path)


def test_every_cut_of_an_mp4_is_noticed(mp4: bytes, fast: bytes, tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    for content in (mp4, fast):
        for length in [*range(0, len(content) - 1, len(content) // 23), len(content) - 1]:
            path.write_bytes(content[:length])
            assert not is_whole(path), length
        path.write_bytes(content + b"what a camera appends")
        assert is_whole(path)


def test_sound_alone_is_no_video(film: Callable[..., bytes], tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    run_ffmpeg("-f", "lavfi", "-i", "sine=duration=1", path)
    assert not is_whole(path)


def test_a_folder_that_is_not_there_yet(tmp_path: Path, mp4: bytes) -> None:
    watched = Watched(tmp_path / "later")
    with pytest.raises(UserError, match=r"later cannot be watched \(No such file or directory\)"):
        watched.names()
    watched.folder.mkdir()
    (watched.folder / "a.mp4").write_bytes(mp4)
    assert watched.after(30) == ["a.mp4"]
    shutil.rmtree(watched.folder)


def test_chapters_of_one_recording_come_together(watched: Watched, mp4: bytes, fast: bytes) -> None:
    """However long the card takes to be read: each of them settles by itself."""
    folder = watched.folder
    (folder / "GX010042.MP4").write_bytes(mp4)
    assert watched.recordings(5) == []
    (folder / "other.mp4").write_bytes(mp4)
    (folder / "GX020042.MP4").write_bytes(fast[:-100])
    assert watched.recordings(50) == [["other.mp4"]]
    (folder / "GX020042.MP4").write_bytes(fast)
    (folder / "GX030042.MP4").write_bytes(mp4[:-100])
    assert watched.recordings(30) == []
    (folder / "GX030042.MP4").write_bytes(mp4)
    assert watched.recordings(30) == [["GX010042.MP4", "GX020042.MP4", "GX030042.MP4"]]
    assert not watched.more()


def test_a_chapter_that_comes_late_brings_its_recording_again(watched: Watched, mp4: bytes) -> None:
    (watched.folder / "GX010042.MP4").write_bytes(mp4)
    (watched.folder / "GX010043.MP4").write_bytes(mp4)
    assert watched.recordings(30) == [["GX010042.MP4"], ["GX010043.MP4"]]
    (watched.folder / "GX020042.MP4").write_bytes(mp4)
    (watched.folder / "day 2").mkdir()
    (watched.folder / "day 2" / "GX020043.MP4").write_bytes(mp4)
    assert watched.recordings(30) == [["GX020043.MP4"], ["GX010042.MP4", "GX020042.MP4"]]
    (watched.folder / "GX010043.MP4").unlink()
    (watched.folder / "GX020043.MP4").write_bytes(mp4)
    assert watched.recordings(30) == [["GX020043.MP4"]]


def test_a_chapter_that_never_becomes_whole_holds_nothing_up_for_ever(watched: Watched, mp4: bytes) -> None:
    (watched.folder / "GX010042.MP4").write_bytes(mp4)
    (watched.folder / "GX020042.MP4").write_bytes(mp4[:-100])
    assert watched.recordings(55) == []
    assert watched.recordings(300) == [["GX010042.MP4"]]
    assert [path.name for path in watched.arrivals.stuck()] == ["GX020042.MP4"]
    assert [path.name for path in watched.arrivals.broken] == ["GX020042.MP4"]
    (watched.folder / "GX020042.MP4").write_bytes(mp4)
    assert watched.recordings(60) == [["GX010042.MP4", "GX020042.MP4"]]
    assert watched.arrivals.broken == []


def test_other_cameras_wait_for_their_neighbours_only(watched: Watched, mp4: bytes) -> None:
    """They number all files through: what comes next may belong to it, and is told apart once its header is there."""
    for number in (1, 2, 5):
        (watched.folder / f"DJI_000{number}.MP4").write_bytes(mp4)
    watched.recordings(5)
    (watched.folder / "DJI_0003.MP4").write_bytes(mp4[:-100])
    assert watched.recordings(40) == [["DJI_0001.MP4"], ["DJI_0005.MP4"]]
    (watched.folder / "DJI_0003.MP4").write_bytes(mp4)
    assert watched.recordings(40) == [["DJI_0002.MP4"], ["DJI_0003.MP4"]]


def test_what_is_made_of_footage_does_not_come_in(tmp_path: Path, mp4: bytes) -> None:
    folder = tmp_path / "in"
    (folder / "workspace" / "joined").mkdir(parents=True)
    (folder / "workspace" / "joined" / "a.mp4").write_bytes(mp4)
    (folder / "b.mp4").write_bytes(mp4)
    watched = Watched(folder)
    watched.arrivals = Arrivals(folder, SETTLE_S, lambda: watched.now_s, without=[folder / "workspace"])
    assert watched.after(60) == ["b.mp4"]
