"""What the browser fetches: footage, computed bytes, files and archives; and what it is refused."""

from __future__ import annotations

import os
import random
import re
import sys
import time
import zipfile
from collections.abc import Iterator
from http.client import HTTPConnection
from io import BytesIO
from pathlib import Path
from urllib.parse import unquote

import pytest

from core.errors import UserError
from core.proxy import proxy_path
from core.workspace import Workspace
from pages.widgets import media
from tests.media_server import Client, media_server, write_video
from tests.studio import UPLOAD_APP, Studio, memory

CONTENT = bytes(range(256)) * 40


@pytest.fixture(scope="module")
def ask() -> Iterator[Client]:
    with media_server() as client:
        yield client


@pytest.fixture(autouse=True)
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Workspace]:
    monkeypatch.setenv("TRICKLINE_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("TRICKLINE_DB", raising=False)
    opened = media.open_workspace()
    yield opened
    opened.close()


@pytest.fixture
def footage(tmp_path: Path) -> Path:
    path = tmp_path / "line at the ledge.MOV"
    path.write_bytes(CONTENT)
    return path


def test_footage_is_played_in_ranges(ask: Client, store: Workspace, footage: Path) -> None:
    url = media.footage_url(store.session_for(footage).id)
    whole = ask(url)
    assert (whole.status, whole.body) == (200, CONTENT)
    assert whole.headers["Content-Type"] == "video/mp4"  # Firefox does not play video/quicktime
    assert whole.headers["Accept-Ranges"] == "bytes"
    assert whole.headers["Cache-Control"] == "private, no-store"
    assert whole.headers["Content-Disposition"].startswith("inline")
    head = ask(url, "HEAD")
    assert (head.status, head.body, head.headers["Content-Length"]) == (200, b"", str(len(CONTENT)))


@pytest.mark.parametrize(
    ("asked", "status", "start", "stop"),
    [
        ("bytes=0-99", 206, 0, 100),
        ("bytes=10000-", 206, 10000, len(CONTENT)),
        ("bytes=-7", 206, len(CONTENT) - 7, len(CONTENT)),
        ("bytes=10000-99999999", 206, 10000, len(CONTENT)),
        (f"bytes={len(CONTENT)}-", 416, 0, 0),
        ("bytes=99999999-", 416, 0, 0),
        ("frames=0-3", 400, 0, 0),
    ],
)
def test_a_range_is_that_range(
    ask: Client, store: Workspace, footage: Path, asked: str, status: int, start: int, stop: int
) -> None:
    """A byte off, and no seek lands on the right frame."""
    answer = ask(media.footage_url(store.session_for(footage).id), headers={"Range": asked})
    assert answer.status == status
    if status == 206:
        assert answer.body == CONTENT[start:stop]
        assert answer.headers["Content-Range"] == f"bytes {start}-{stop - 1}/{len(CONTENT)}"
    if status == 416:
        assert answer.headers["Content-Range"] == f"bytes */{len(CONTENT)}"


def test_a_player_gets_the_rest_in_short_parts(ask: Client, store: Workspace, tmp_path: Path) -> None:
    """Or a paused player would hold its connection, and the server could not stop."""
    long = tmp_path / "long.mp4"
    long.write_bytes(bytes(5 << 20))
    url = media.footage_url(store.session_for(long).id)
    answer = ask(url, headers={"Range": "bytes=100-", "Sec-Fetch-Dest": "video"})
    assert (answer.status, len(answer.body)) == (206, 2 << 20)
    assert answer.headers["Content-Range"] == f"bytes 100-{100 + (2 << 20) - 1}/{5 << 20}"
    rest = ask(url, headers={"Range": "bytes=5000000-", "Sec-Fetch-Dest": "video"})
    assert len(rest.body) == (5 << 20) - 5000000
    resumed = ask(url, headers={"Range": "bytes=100-", "Sec-Fetch-Dest": "empty"})
    assert len(resumed.body) == (5 << 20) - 100  # a download that is resumed does not ask again


def test_the_proxy_is_played_once_it_is_there(ask: Client, store: Workspace, footage: Path) -> None:
    session = store.session_for(footage)
    before = media.footage_url(session.id)
    proxy = proxy_path(store, session.id)
    proxy.parent.mkdir(parents=True)
    proxy.write_bytes(b"the same frames, lighter")
    after = media.footage_url(session.id)
    assert after != before  # the player has given up on the old URL
    assert ask(after).body == b"the same frames, lighter"
    proxy.unlink()
    assert media.footage_url(session.id) == before
    assert ask(after).status == 404


def test_moved_footage_is_said_in_a_sentence(ask: Client, store: Workspace, footage: Path) -> None:
    url = media.footage_url(store.session_for(footage).id)
    footage.rename(footage.with_name("elsewhere.mov"))
    answer = ask(url)
    assert answer.status == 404
    assert answer.text == "The video line at the ledge.MOV is not where it was; add it again."


def test_a_link_put_in_the_place_of_a_file_is_not_followed(
    ask: Client, store: Workspace, footage: Path, tmp_path: Path
) -> None:
    """What was shared is what was there then."""
    secret = tmp_path / "secret.txt"
    secret.write_text("secret")
    urls = [
        media.footage_url(store.session_for(footage).id),
        media.file_url(footage),
        media.zip_url([footage], "a.zip"),
    ]
    footage.unlink()
    footage.symlink_to(secret)
    for url in urls:
        answer = ask(url)
        assert (answer.status, b"secret" in answer.body) == (404, False)
    footage.unlink()
    footage.mkdir()
    assert [ask(url).status for url in urls] == [404, 404, 404]


def test_a_folder_exchanged_for_a_link_is_not_followed(ask: Client, tmp_path: Path) -> None:
    for folder in ("clips", "private"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "a.mp4").write_text(folder)
    url = media.file_url(tmp_path / "clips" / "a.mp4")
    assert ask(url).text == "clips"
    (tmp_path / "clips").rename(tmp_path / "old")
    (tmp_path / "clips").symlink_to(tmp_path / "private")
    assert ask(url).status == 404


def test_a_link_is_followed_when_it_is_shared(ask: Client, footage: Path, tmp_path: Path) -> None:
    """Footage often lies on another disk."""
    link = tmp_path / "link.mov"
    link.symlink_to(footage)
    assert ask(media.file_url(link)).body == CONTENT


PATHS = [
    "/footage/../../../etc/passwd",
    "/footage/%2e%2e/%2e%2e/etc/passwd",
    "/footage/..%2f..%2fetc%2fpasswd",
    "/footage/..%5c..%5cetc%5cpasswd",
    "/footage//etc/passwd",
    "/footage/%00",
    "/footage/' OR 1=1 --".replace(" ", "%20"),
    "/file//etc/passwd",
    "/file/%2fetc%2fpasswd",
    "/data/../../etc/passwd",
    "/zip/%2e%2e%2fapp.py",
    "/parts/x/-1",
    "/parts/x/..",
    "/",
]


@pytest.mark.parametrize("path", PATHS)
def test_no_path_from_outside_is_served(ask: Client, path: str) -> None:
    answer = ask(f"/trickline{path}")
    assert answer.status == 404
    assert b"root:" not in answer.body


@pytest.mark.parametrize(
    "url", ["/footage/" + "0" * 32, "/footage/x/proxy", "/data/0", "/parts/0/0", "/file/0", "/zip/0"]
)
def test_what_is_not_known_is_said_in_a_sentence(ask: Client, url: str) -> None:
    answer = ask("/trickline" + url)
    assert answer.status == 404
    assert re.fullmatch(r"[A-Z].*; .*\.", answer.text), answer.text
    assert answer.headers["Content-Type"].startswith("text/plain")


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"Host": "127.0.0.1:8501"}, 200),
        ({"Host": "[::1]:8501"}, 200),
        ({"Host": "LOCALHOST"}, 200),
        ({"Sec-Fetch-Site": "same-origin"}, 200),
        ({"Sec-Fetch-Site": "none"}, 200),
        ({"Host": "localhost:8501", "Origin": "http://localhost:8501"}, 200),
        ({"Host": "evil.example"}, 400),
        ({"Host": "localhost.evil.example"}, 400),
        ({"Host": "evil.example", "Origin": "http://evil.example"}, 400),
        ({"Host": None}, 400),
        ({"Origin": "https://evil.example"}, 403),
        ({"Host": "localhost:8501", "Origin": "http://localhost:3000"}, 403),
        ({"Origin": "null"}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),
    ],
)
def test_other_websites_get_nothing(ask: Client, headers: dict[str, str | None], status: int) -> None:
    """Footage is private, and any website open in the same browser can reach this machine."""
    answer = ask(media.publish(b"private"), headers=headers)
    assert (answer.status, answer.body == b"private") == (status, status == 200)
    if status != 400:
        assert answer.headers["Cross-Origin-Resource-Policy"] == "same-origin"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"


def test_a_proxy_in_front_is_named_by_the_environment(ask: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    behind = {"Origin": "https://studio.example"}
    assert ask(media.publish(b"x"), headers=behind).status == 403
    monkeypatch.setenv("TRICKLINE_HOSTS", "10.0.0.7, Studio.example")
    assert ask(media.publish(b"x"), headers=behind).status == 200


def test_published_bytes_are_fetched_once(ask: Client) -> None:
    url = media.publish(CONTENT)
    assert media.publish(CONTENT) == url != media.publish(CONTENT, "image/jpeg")
    answer = ask(url)
    assert answer.body == CONTENT
    assert answer.headers["Cache-Control"] == "private, max-age=31536000, immutable"
    assert ask(media.publish(b"\xff\xd8", "image/jpeg")).headers["Content-Type"] == "image/jpeg"


def test_the_oldest_bytes_go_when_there_are_too_many() -> None:
    """Or a week of work fills the memory."""
    kept: media.Kept[bytes] = media.Kept(100, len)
    for name in "abc":
        kept.put(name, name.encode() * 40)
    assert [kept.get(name) for name in "abc"] == [None, b"b" * 40, b"c" * 40]
    kept.get("b")
    kept.put("d", b"d" * 40)
    assert kept.get("c") is None
    assert kept.get("b") is not None
    kept.put("b", b"b" * 10)
    kept.put("e", b"e" * 50)  # 40 + 10 + 50: all fit, if the old b is not counted any more
    assert [kept.get(name) is not None for name in "bde"] == [True, True, True]
    kept.put("large", b"l" * 1000)
    assert kept.get("large") is not None  # what a page has just published can be fetched
    assert kept.get("e") is None
    assert kept.take("large") is not None
    assert kept.take("large") is None


def test_parts_are_made_when_asked_for(ask: Client) -> None:
    made = []

    def part(number: int) -> bytes:
        made.append(number)
        if number == 7:
            raise UserError("line.mp4 is gone; add it again.")
        return [b"zero", b"one"][number]

    url = media.publish_parts("skeletons of line", part)
    assert made == []
    assert (ask(f"{url}/1").body, ask(f"{url}/0").body) == (b"one", b"zero")
    assert (ask(f"{url}/2").status, ask(f"{url}/2").text) == (404, "There is no such part.")
    assert ask(f"{url}/7").text == "line.mp4 is gone; add it again."
    assert ask(f"{url}/-1").status == 404
    assert made == [1, 0, 2, 2, 7]
    assert media.publish_parts("skeletons of line", part) == url != media.publish_parts("others", part)


@pytest.mark.parametrize(
    "name",
    [
        "kickflip.mp4",
        "Größe \N{SKATEBOARD} 1.mp4",
        'say "flip".mp4',
        "a\r\nX-Evil: 1.mp4",
        "../../up.mp4",
        "\u202e4pm.mp4",
    ],
)
def test_a_file_is_saved_under_its_name(ask: Client, footage: Path, name: str) -> None:
    answer = ask(media.file_url(footage, name))
    assert (answer.status, answer.body) == (200, CONTENT)
    assert "X-Evil" not in answer.headers
    disposition = re.fullmatch(
        r"attachment; filename=\"([\x20-\x7e]+)\"; filename\*=UTF-8''(\S+)", answer.headers["Content-Disposition"]
    )
    assert disposition
    expected = re.sub(r"[\r\n\u202e]", "", name).replace("/", "_")
    assert unquote(disposition[2]) == expected
    assert '"' not in disposition[1]


def test_only_pictures_sound_and_videos_are_shown(ask: Client, tmp_path: Path) -> None:
    """A page or a drawing from outside could run a script in the studio's name."""
    kinds = {}
    for suffix in ("mp4", "jpg", "wav", "html", "svg", "xml", "csv", "skops"):
        path = tmp_path / f"file.{suffix}"
        path.write_text("<script>")
        kinds[suffix] = ask(media.file_url(path)).headers["Content-Disposition"].split(";")[0]
    assert {suffix for suffix, kind in kinds.items() if kind == "inline"} == {"mp4", "jpg", "wav"}


def test_an_unchanged_picture_is_not_sent_again(ask: Client, tmp_path: Path) -> None:
    poster = tmp_path / "poster.jpg"
    poster.write_bytes(b"first")
    url = media.file_url(poster)
    etag = {"If-None-Match": ask(url).headers["ETag"]}
    assert (ask(url, headers=etag).status, ask(url, headers=etag).body) == (304, b"")
    poster.write_bytes(b"another")
    assert ask(url, headers=etag).body == b"another"


def test_tokens_are_stable_and_cannot_be_guessed(footage: Path) -> None:
    """A URL that changes at every rerun would load the video again and again."""
    assert media.file_url(footage) == media.file_url(str(footage)) != media.file_url(footage, "a.mov")
    assert media.zip_url([footage], "a.zip") == media.zip_url([footage], "a.zip") != media.zip_url([footage], "b.zip")
    assert re.fullmatch("/trickline/file/[0-9a-f]{32}", media.file_url(footage))


def test_an_archive_holds_the_files(ask: Client, tmp_path: Path) -> None:
    contents = {"a/kickflip.mp4": b"1" * 70000, "b/Kickflip.mp4": b"2", "b/größe.mp4": b""}
    for name, content in contents.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(content)
    url = media.zip_url([tmp_path / name for name in contents], "skate_video clips.zip")
    answer = ask(url)
    assert int(answer.headers["Content-Length"]) == len(answer.body)
    assert 'filename="skate_video clips.zip"' in answer.headers["Content-Disposition"]
    head = ask(url, "HEAD")
    assert (head.body, head.headers["Content-Length"]) == (b"", str(len(answer.body)))
    with zipfile.ZipFile(BytesIO(answer.body)) as archive:
        assert archive.testzip() is None
        assert archive.namelist() == ["kickflip.mp4", "Kickflip (2).mp4", "größe.mp4"]
        assert [archive.read(name) for name in archive.namelist()] == list(contents.values())


@pytest.mark.skipif(sys.platform != "linux", reason="the memory of a process is read from /proc")
def test_an_archive_is_written_while_it_is_sent(ask: Client, tmp_path: Path) -> None:
    """A day's clips are larger than the memory, and the browser shows at once how far it is."""
    large, size = tmp_path / "large.mp4", 300_000_000
    with large.open("wb") as file:
        file.truncate(size)
    connection = HTTPConnection("localhost", ask.port, timeout=60)
    before = most = memory(os.getpid())
    connection.request("GET", media.zip_url([large], "clips.zip"))
    reply, got = connection.getresponse(), 0
    assert int(reply.headers["Content-Length"]) > size
    while block := reply.read(1 << 20):
        got += len(block)
        most = max(most, memory(os.getpid()))
    connection.close()
    assert got == int(reply.headers["Content-Length"])
    assert most - before < 30_000_000


def test_an_archive_without_one_of_its_files_is_refused(ask: Client, tmp_path: Path) -> None:
    """And not broken off in the middle."""
    for name in ("a.mp4", "b.mp4"):
        (tmp_path / name).write_bytes(b"clip")
    url = media.zip_url([tmp_path / "a.mp4", tmp_path / "b.mp4"], "clips.zip")
    (tmp_path / "b.mp4").unlink()
    assert (ask(url).status, ask(url).text) == (404, "The file b.mp4 is not where it was; make it again.")


@pytest.mark.skipif(sys.platform != "linux", reason="the memory of a process is read from /proc")
def test_a_gigabyte_takes_no_memory(tmp_path: Path) -> None:
    """Footage is larger than the memory of most machines. Through Streamlit's own server and all that is in front."""
    size, kept = 1_000_000_000, 50_000_000
    large = write_video(tmp_path / "large.mp4")
    with large.open("r+b") as file:  # a box to be passed over, ISO/IEC 14496-12, 8.1.2
        start = file.seek(0, 2)
        file.write((1).to_bytes(4, "big") + b"free" + (size - start).to_bytes(8, "big"))
        file.truncate(size)
    with Studio(tmp_path / "home", tmp_path / "server.log", UPLOAD_APP) as server:
        ask = Client(server.port)
        for path in PATHS:
            assert b"root:" not in ask(f"/trickline{path}").body  # with Streamlit's own look at paths before ours
        assert ask("/trickline/upload", headers={"Host": "evil.example"}).status == 400
        assert ask("/_stcore/health", headers={"Host": "evil.example"}).status == 400
        with Workspace.open(server.home) as workspace:
            url = f"/trickline/footage/{workspace.session_for(large).id}"
        assert (
            ask.upload("small.mp4", write_video(tmp_path / "small.mp4", 2).read_bytes()).status == 201
        )  # loads FFmpeg
        assert ask(url, headers={"Range": "bytes=0-99"}).status == 206
        before = most = server.memory()

        begin = time.monotonic()
        connection = HTTPConnection("localhost", server.port, timeout=60)
        connection.request("GET", url)
        reply, got = connection.getresponse(), 0
        while block := reply.read(1 << 20):
            got += len(block)
            most = max(most, server.memory())
        served_s = time.monotonic() - begin
        assert got == size

        rng = random.Random(1)
        begin = time.monotonic()
        for _ in range(100):
            at = rng.randrange(size - 65536)
            connection.request("GET", url, headers={"Range": f"bytes={at}-{at + 65535}"})
            assert len(connection.getresponse().read()) == 65536
        seek_ms = (time.monotonic() - begin) * 10
        most = max(most, server.memory())
        grown_serving = most - before

        before = most = server.memory()
        begin = time.monotonic()
        with large.open("rb") as sent:
            headers = {"X-Trickline": "upload", "X-Name": "large.mp4", "Content-Length": str(size)}

            def blocks() -> Iterator[bytes]:
                nonlocal most
                while block := sent.read(1 << 20):
                    most = max(most, server.memory())
                    yield block

            answer = ask("/trickline/upload", "PUT", headers, blocks())
        uploaded_s = time.monotonic() - begin
        grown_taking = max(most, server.memory()) - before
        assert answer.status == 201, answer.text
        assert sorted(path.stat().st_size for path in (server.home / "footage").iterdir())[-1] == size
    print(
        f"\n1 GB served in {served_s:.1f} s (+{grown_serving / 1e6:.0f} MB), a range of 64 KiB in {seek_ms:.1f} ms,"
        f" 1 GB taken in {uploaded_s:.1f} s (+{grown_taking / 1e6:.0f} MB); the server has {before / 1e6:.0f} MB"
    )
    assert max(grown_serving, grown_taking) < kept
