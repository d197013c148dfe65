"""The footage folder lists what is in it in a sensible order, and nothing that is not."""

from __future__ import annotations

import os
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from core.errors import UserError
from core.footage_folder import footage_root, length_s, list_footage, natural
from tests.test_video import run_ffmpeg


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A folder of footage, and one beside it that is nobody's business."""
    files = [
        "clip 10.MP4", "clip 2.mov", "Clip 1.mkv", "notes.txt", ".hidden.mp4", "noending", "park/day 1/a.mp4",
        "park/b.webm", ".trash/c.mp4", "empty/readme.md", "../private/secret.mp4",
    ]  # fmt: skip
    top = tmp_path / "footage"
    for name in files:
        path = top / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"12345")
    return top


def test_videos_and_folders_are_listed_as_people_count(root: Path) -> None:
    os.utime(root / "clip 2.mov", (0, 86400))
    listing = list_footage("", root)
    assert [video.name for video in listing.videos] == ["Clip 1.mkv", "clip 2.mov", "clip 10.MP4"]
    assert listing.folders == ("empty", "park")
    second = listing.videos[1]
    assert (second.path, second.size) == (root / "clip 2.mov", 5)
    assert second.modified == datetime(1970, 1, 2, tzinfo=UTC)


def test_a_folder_knows_the_way_back(root: Path) -> None:
    listing = list_footage(list_footage("park", root).below("day 1"), root)
    assert [video.name for video in listing.videos] == ["a.mp4"]
    assert listing.trail == (("footage", ""), ("park", "park"), ("day 1", "park/day 1"))
    assert list_footage("", root).below("park") == "park"


@pytest.mark.parametrize(
    "folder",
    ["..", "../private", "park/../../private", "/", "/etc", "{outside}", ".trash", "park/../.trash", "nowhere", "link"],
)
def test_nobody_gets_out(root: Path, folder: str) -> None:
    """The name comes from a page: it must not list the rest of the disk."""
    (root / "link").symlink_to(root.parent / "private")
    with pytest.raises(UserError):
        list_footage(folder.format(outside=root.parent / "private"), root)


def test_links_that_lead_out_are_not_shown_and_those_inside_are(root: Path) -> None:
    (root / "out").symlink_to(root.parent / "private")
    (root / "out.mp4").symlink_to(root.parent / "private" / "secret.mp4")
    (root / "broken.mp4").symlink_to(root / "gone.mp4")
    (root / "in").symlink_to(root / "park")
    (root / "in.mp4").symlink_to(root / "clip 10.MP4")
    listing = list_footage("", root)
    assert listing.folders == ("empty", "in", "park")
    assert [video.name for video in listing.videos] == ["Clip 1.mkv", "clip 2.mov", "clip 10.MP4", "in.mp4"]


def test_links_in_a_circle_lead_nowhere(root: Path) -> None:
    """One of them must not keep the others from being listed."""
    (root / "round.mp4").symlink_to("round.mp4")
    (root / "there").symlink_to("back")
    (root / "back").symlink_to("there")
    listing = list_footage("", root)
    assert listing.folders == ("empty", "park")
    assert [video.name for video in listing.videos] == ["Clip 1.mkv", "clip 2.mov", "clip 10.MP4"]
    with pytest.raises(UserError, match=r"there is not a folder inside|cannot be listed"):
        list_footage("there", root)


def test_a_root_that_is_a_link_itself_is_fine(root: Path) -> None:
    """Many keep their videos on another disk and link there."""
    link = root.parent / "videos"
    link.symlink_to(root)
    assert list_footage("park", link).folders == ("day 1",)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every folder")
def test_a_folder_that_may_not_be_read_is_said(root: Path) -> None:
    (root / "park").chmod(0)
    with pytest.raises(UserError, match="cannot be listed"):
        list_footage("park", root)


def test_the_root_is_what_the_environment_says(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRICKLINE_FOOTAGE", str(root))
    assert footage_root() == root.resolve()
    monkeypatch.setenv("TRICKLINE_FOOTAGE", str(root / "nowhere"))
    with pytest.raises(UserError, match=r"TRICKLINE_FOOTAGE names .*nowhere"):
        footage_root()


def test_the_root_is_else_where_videos_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TRICKLINE_FOOTAGE", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert footage_root() == tmp_path.resolve()
    usual = tmp_path / ("Movies" if sys.platform == "darwin" else "Videos")
    usual.mkdir()
    assert footage_root() == usual.resolve()


def test_the_length_is_read_from_the_header(root: Path) -> None:
    run_ffmpeg("-f", "lavfi", "-i", "testsrc2=size=96x64:rate=30:duration=1.5", root / "real.mp4")
    run_ffmpeg("-f", "lavfi", "-i", "sine=duration=1", root / "sound.mp4")
    assert length_s(root / "real.mp4") == pytest.approx(1.5, abs=0.05)
    assert [length_s(root / name) for name in ("clip 10.MP4", "gone.mp4", "sound.mp4")] == [None, None, None]


def test_natural_order_compares_any_names() -> None:
    names = ["b", "10", "9a", "9", "a10b2", "a10b", "a9", "A1", "ä", "²"]
    assert sorted(names, key=natural)[:3] == ["9", "9a", "10"]
    assert natural("a9") < natural("A10")
