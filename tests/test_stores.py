"""Footage comes from a real FTP server and by address from disks; what goes wrong is a sentence without a password."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from core import stores
from core.errors import Cancelled, UserError
from core.stores import (
    check_writable,
    copy_path,
    fetch,
    is_below,
    is_url,
    list_videos,
    opening,
    send,
    send_folder,
    sizes,
    without_login,
)
from tests.ftp_server import SECRETS, Remote, ftp_server

CONTENT = os.urandom(700_000)


@pytest.fixture
def remote(tmp_path: Path) -> Iterator[Remote]:
    with ftp_server(tmp_path / "remote") as server:
        yield server


@pytest.fixture(params=["ftp", "file"])
def place(request: pytest.FixtureRequest, remote: Remote) -> tuple[Path, str]:
    """A folder, and its address: on the server, and as one of this machine."""
    return remote.folder, remote.url("") if request.param == "ftp" else f"file://{remote.folder}/"


@pytest.fixture
def web(tmp_path: Path) -> Iterator[tuple[Path, str]]:
    """A folder on the web, and its address; what is asked for with ``?endless`` comes without its size."""
    folder = tmp_path / "web"
    folder.mkdir()

    class Handler(SimpleHTTPRequestHandler):
        def send_header(self, keyword: str, value: str) -> None:
            if not (keyword == "Content-Length" and self.path.endswith("?endless")):
                super().send_header(keyword, value)

        def log_message(self, format: str, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=folder)) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield folder, f"http://127.0.0.1:{server.server_address[1]}/"
        server.shutdown()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("s3://park/day 1.mp4", True),
        ("ftp://host/a.mp4", True),
        ("FILE:///a.mp4", True),
        ("gopher://host/a.mp4", True),  # to be refused by a sentence, and not by looking for a file
        ("simplecache::s3://park/a.mp4", True),
        ("/footage/a.mp4", False),
        ("a.mp4", False),
        ("C:\\footage\\a.mp4", False),
        ("C://footage/a.mp4", False),
        ("park: day 1.mp4", False),
        ("", False),
    ],
)
def test_addresses_and_paths_are_told_apart(text: str, expected: bool) -> None:
    assert is_url(text) is expected


def test_fetched_once_and_anew_when_it_changes(place: tuple[Path, str], tmp_path: Path) -> None:
    folder, url = place
    original = folder / "day 1" / "park.MP4"
    original.parent.mkdir()
    original.write_bytes(CONTENT)
    told: list[float] = []
    first = fetch(url + "day 1/park.MP4", tmp_path / "here", told.append)
    assert first.read_bytes() == CONTENT
    assert first.name.startswith("park_")
    assert first.suffix == ".mp4"
    assert told == sorted(told)
    assert told[-1] == 1.0
    assert fetch(url + "day 1/park.MP4", tmp_path / "here", cancelled=lambda: True) == first
    os.utime(original, (1_700_000_000, 1_700_000_000))
    touched = fetch(url + "day 1/park.MP4", tmp_path / "here")
    original.write_bytes(CONTENT[:-1])
    changed = fetch(url + "day 1/park.MP4", tmp_path / "here")
    assert len({first, touched, changed}) == 3
    assert changed.read_bytes() == CONTENT[:-1]


def test_the_login_does_not_change_the_name(remote: Remote, tmp_path: Path) -> None:
    """A changed password is no reason to fetch everything anew; and names are seen by others."""
    (remote.folder / "a.mp4").write_bytes(CONTENT)
    mine = fetch(remote.url("a.mp4"), tmp_path)
    assert mine == fetch(Remote(remote.folder, remote.port, "").url("a.mp4"), tmp_path)


def test_a_stop_leaves_nothing(place: tuple[Path, str], tmp_path: Path) -> None:
    (place[0] / "a.mp4").write_bytes(CONTENT)
    with pytest.raises(Cancelled):
        fetch(place[1] + "a.mp4", tmp_path / "here", cancelled=lambda: True)
    assert list((tmp_path / "here").iterdir()) == []


def test_more_than_is_allowed_is_not_fetched(place: tuple[Path, str], tmp_path: Path) -> None:
    """Known before a byte comes; nothing is made."""
    (place[0] / "a.mp4").write_bytes(CONTENT)
    assert fetch(place[1] + "a.mp4", tmp_path / "here", max_bytes=len(CONTENT)).read_bytes() == CONTENT
    with pytest.raises(UserError, match=r"a\.mp4 has more than the 0\.000699999 GB"):
        fetch(place[1] + "a.mp4", tmp_path / "other", max_bytes=len(CONTENT) - 1)
    assert not (tmp_path / "other").exists()


def test_from_the_web_a_video_comes_whole_or_not_at_all(web: tuple[Path, str], tmp_path: Path) -> None:
    folder, url = web
    (folder / "day 1.MP4").write_bytes(CONTENT)
    address = url + "day%201.MP4?at=noon"
    assert list_videos(address) == [address]
    fetched = fetch(address, tmp_path / "here")
    assert fetched.read_bytes() == CONTENT
    assert (fetched.name.startswith("day 1_"), fetched.suffix) == (True, ".mp4")
    endless = url + "day%201.MP4?endless"
    assert fetch(endless, tmp_path / "here", max_bytes=len(CONTENT)).read_bytes() == CONTENT
    (tmp_path / "other").mkdir()
    for refused, sentence in (
        (endless, "more than the"),
        (url + "nowhere.mp4", "There is no"),
        ("http://127.0.0.1:9/a.mp4", "cannot be read: check the address and the network"),
    ):
        with pytest.raises(UserError, match=sentence):
            fetch(refused, tmp_path / "other", max_bytes=len(CONTENT) - 1)
    assert not list((tmp_path / "other").iterdir())
    with pytest.raises(UserError, match="no video's address"):
        list_videos(url)
    with pytest.raises(UserError, match="Nothing can be written"):
        send(fetched, url)


def test_odd_names_stay_in_the_folder(tmp_path: Path) -> None:
    odd = tmp_path / "remote" / "it's; a %20 name..mp4"
    odd.parent.mkdir()
    odd.write_bytes(b"1")
    fetched = fetch(f"file://{odd}", tmp_path / "here")
    assert fetched.parent == tmp_path / "here"
    assert fetched.read_bytes() == b"1"
    sent = send(odd, f"file://{tmp_path}/there", r"..\..\up/..")
    assert sent == f"file://{tmp_path}/there/video"
    assert (tmp_path / "there" / "video").read_bytes() == b"1"


def test_videos_are_listed_with_folders_as_people_count(place: tuple[Path, str], tmp_path: Path) -> None:
    folder, url = place
    for name in ["clip 10.mp4", "clip 2.MOV", "notes.txt", "day 1/a.mkv", "day 1/cam/b.mp4", ".trash/c.mp4", ".d.mp4"]:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(name.encode())
    listed = list_videos(url)
    assert [found.removeprefix(url) for found in listed] == [
        "clip 2.MOV", "clip 10.mp4", "day 1/a.mkv", "day 1/cam/b.mp4",
    ]  # fmt: skip
    assert fetch(listed[-1], tmp_path / "here").read_bytes() == b"day 1/cam/b.mp4"
    assert len(list_videos(url + "day 1")) == 2
    assert list_videos(url + "day 1/cam/") == [url + "day 1/cam/b.mp4"]


def test_sent_whole_and_over_an_older_one(place: tuple[Path, str], tmp_path: Path) -> None:
    folder, url = place
    clip = tmp_path / "park_01_ollie.mp4"
    for content in (CONTENT, CONTENT[:5]):
        clip.write_bytes(content)
        told = send(clip, url + "clips/day 1/")
        assert told == without_login(url) + "clips/day 1/park_01_ollie.mp4"
        assert (folder / "clips" / "day 1" / "park_01_ollie.mp4").read_bytes() == content
    send(clip, url, "other.mp4")
    assert sorted(path.name for path in folder.rglob("*") if path.is_file()) == ["other.mp4", "park_01_ollie.mp4"]


def test_what_is_on_its_way_is_told_and_can_be_stopped(place: tuple[Path, str], tmp_path: Path) -> None:
    folder, url = place
    clip = tmp_path / "park_01_ollie.mp4"
    clip.write_bytes(CONTENT * 4)
    told: list[float] = []
    send(clip, url, progress=told.append)
    assert told == sorted(told)
    assert (told[0], told[-1]) == (0.0, 1.0)
    assert any(0 < share < 1 for share in told)
    begun: list[float] = []
    with pytest.raises(Cancelled):
        send(clip, url, "other.mp4", begun.append, lambda: len(begun) > 1)
    assert [path.name for path in folder.iterdir()] == ["park_01_ollie.mp4"]


def test_a_folder_is_sent_with_its_manifest_last(place: tuple[Path, str], tmp_path: Path) -> None:
    folder, url = place
    made = tmp_path / "made"
    made.mkdir()
    for name, size in (("a_export.json", 10), ("b.mp4", 600_000), ("c.mp4", 300_000), (".b.00000000.part.mp4", 5)):
        (made / name).write_bytes(CONTENT[:size])
    told: list[float] = []
    expected = {"b.mp4": 600_000, "c.mp4": 300_000, "a_export.json": 10}
    assert list(send_folder(made, url + "park", told.append).items()) == list(expected.items())
    assert told == sorted(told)
    assert told[-1] == 1.0
    (folder / "park" / "further down").mkdir()
    assert sizes(url + "park") == expected
    assert sizes(url + "nowhere") == {}


def test_whether_a_folder_can_be_written_is_known_before(remote: Remote, tmp_path: Path) -> None:
    for url in (remote.url("clips/day 1"), f"file://{tmp_path}/there"):
        check_writable(url)
    assert not [path for path in (*remote.folder.rglob("*"), *(tmp_path / "there").iterdir()) if path.is_file()]
    everybody = Remote(remote.folder, remote.port, "")
    assert "may not be written" in sentence(check_writable, everybody.url("clips"))
    wrong = Remote(remote.folder, remote.port, "rider7:s3cret@")
    assert "refuses the login" in sentence(check_writable, wrong.url("clips"))
    assert "cannot be reached" in sentence(check_writable, "ftp://rider7:s3cr@127.0.0.1:9/clips")
    assert "Nothing can be written to https://park" in sentence(check_writable, "https://rider7:s3cr@park/clips")
    assert "a ?" in sentence(check_writable, remote.url("clips?versionId=1"))


def test_where_a_copy_goes_is_known_without_fetching_it(place: tuple[Path, str], tmp_path: Path) -> None:
    (place[0] / "a.mp4").write_bytes(CONTENT)
    there = copy_path(place[1] + "a.mp4", tmp_path / "here")
    assert not there.parent.exists()
    assert fetch(place[1] + "a.mp4", tmp_path / "here") == there


def test_what_lies_in_a_folder_is_told_by_whole_names_and_whoever_logs_in() -> None:
    assert is_below("s3://park/clips/a.mp4", "s3://park/clips")
    assert is_below("ftp://ann:secret@host/clips/", "ftp://host/clips")
    assert not is_below("s3://park/clips 2/a.mp4", "s3://park/clips")
    assert not is_below("s3://park", "s3://park/clips")


def test_a_slash_in_a_password_is_no_path() -> None:
    assert without_login("sftp://ann:/secret@host/a@b.mp4") == "sftp://b.mp4"  # rather too little than a password
    assert without_login("ftp://host:2121/day@park/a.mp4") == "ftp://host:2121/day@park/a.mp4"


def sentence(call: object, *arguments: object) -> str:
    """What is told, which never holds the password in any form."""
    assert callable(call)
    with pytest.raises(UserError) as refused:
        call(*arguments)
    text = str(refused.value)
    assert "\n" not in text
    for secret in SECRETS:
        assert secret not in text
    assert refused.value.__suppress_context__ or refused.value.__context__ is None
    return text


def test_what_is_not_there(place: tuple[Path, str], tmp_path: Path) -> None:
    folder, url = place
    (folder / "day").mkdir()
    assert (
        sentence(fetch, url + "a.mp4", tmp_path / "here")
        == f"There is no {without_login(url)}a.mp4: check the address."
    )
    assert "is a folder" in sentence(fetch, url + "day", tmp_path / "here")
    assert "check the address" in sentence(list_videos, url + "night")
    assert "There is no file" in sentence(send, tmp_path / "gone.mp4", url)
    (folder / "b.mp4").write_bytes(b"1")
    sentence(fetch, url + "a\r\nDELE b.mp4", tmp_path / "here")  # an order to the server in a name
    assert (folder / "b.mp4").exists()
    assert not (tmp_path / "here").exists()


def test_a_wrong_password(remote: Remote, tmp_path: Path) -> None:
    wrong = Remote(remote.folder, remote.port, "rider7:s3cret@")
    for told in (sentence(fetch, wrong.url("a.mp4"), tmp_path), sentence(list_videos, wrong.url(""))):
        assert told.startswith(f"The server of ftp://127.0.0.1:{remote.port}/")
        assert told.endswith("refuses the login: check user and password.")


def test_everybody_may_read_and_not_write(remote: Remote, tmp_path: Path) -> None:
    everybody = Remote(remote.folder, remote.port, "")
    (remote.folder / "a.mp4").write_bytes(CONTENT)
    assert fetch(everybody.url("a.mp4"), tmp_path).read_bytes() == CONTENT
    told = sentence(send, remote.folder / "a.mp4", everybody.url("clips"))
    assert told.startswith(f"{remote.shown('clips/a.mp4')} may not be written")


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("gopher://host/a.mp4", "begin with file://, ftp://"),
        ("simplecache::s3://park/a.mp4", "an address inside of another one"),
        ("zip://a.mp4::file:///etc/passwd.zip", "an address inside of another one"),
        ("memory://a.mp4", "on no store that is known here"),
        ("ftp:///a.mp4", "names no server"),
        ("ftp://rider7:s3cr@host:99999/a.mp4", "check the server and its port"),
        ("ftp://[host/a.mp4", "check the server and its port"),
        ("ftp://rider7:in/s3cr@host/a.mp4", "is no address that can be read"),
        ("s3://rider7:s3cr@park/a.mp4", "Keys do not belong into the address s3://park/a.mp4"),
    ],
)
def test_addresses_that_make_no_sense(url: str, told: str, tmp_path: Path) -> None:
    assert told in sentence(fetch, url, tmp_path)
    assert told in sentence(list_videos, url)
    assert told in sentence(send, Path(__file__), url)


@pytest.mark.parametrize(("scheme", "package"), [(s, p) for s, p in stores.STORES.items() if p])
def test_a_missing_package_is_named(scheme: str, package: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    told = sentence(fetch, f"{scheme}://park/a.mp4", tmp_path)
    assert told.endswith(f"the package {package} is needed: install it with pip install {package}.")


def test_servers_that_do_not_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that is not there, one that takes the call and says nothing, and a name that nobody has."""
    monkeypatch.setattr(opening, "TIMEOUT_S", 0.3)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        hosts = [f"rider7:s3cr@127.0.0.1:{port}", "no.such.host.invalid"]
        for host in hosts:
            assert "cannot be reached" in sentence(fetch, f"ftp://{host}/a.mp4", tmp_path)
    assert "cannot be reached" in sentence(send, Path(__file__), f"ftp://127.0.0.1:{port}/")


def test_a_full_disk_here(remote: Remote, disk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (remote.folder / "a.mp4").write_bytes(CONTENT)
    assert sentence(fetch, remote.url("a.mp4"), disk).startswith("There is no room for ftp://127.0.0.1")
    # Others may fill the disk while the file arrives.
    plenty = shutil.disk_usage("/")._replace(free=1 << 40)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: plenty)
    assert "the disk is full" in sentence(fetch, remote.url("a.mp4"), disk)
    assert list(disk.iterdir()) == []


def test_a_full_disk_there(place: tuple[Path, str], tmp_path: Path) -> None:
    small = place[0] / "small"
    small.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=200k", "tmpfs", str(small)]
    if shutil.which("mount") is None or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("a small disk cannot be mounted here (it needs root)")
    try:
        (tmp_path / "a.mp4").write_bytes(CONTENT)
        told = sentence(send, tmp_path / "a.mp4", place[1] + "small")
        # A server may just hang up.
        assert "There is no room" in told or "because the server broke off (its disk may be full)" in told
        assert list(small.iterdir()) == []
    finally:
        subprocess.run(["umount", "--lazy", str(small)], check=True)


def test_a_file_in_place_of_a_folder(place: tuple[Path, str]) -> None:
    (place[0] / "clips").write_bytes(b"")
    told = sentence(send, Path(__file__), place[1] + "clips/day 1")
    assert told.startswith(f"{without_login(place[1])}clips/day 1/test_stores.py")
    assert (place[0] / "clips").read_bytes() == b""
