"""Footage that the browser sends: what is taken, what is refused with which words, and that nothing is left behind."""

from __future__ import annotations

import os
import re
import shutil
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from streamlit.testing.v1 import AppTest

from core import upload_waiting
from core.upload_waiting import Uploaded
from pages.widgets import media, upload_route
from tests.media_server import Answer, Client, media_server, write_video

LIMIT = "TRICKLINE_MAX_UPLOAD_GB"


@pytest.fixture(scope="module")
def ask() -> Iterator[Client]:
    with media_server() as client:
        yield client


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv("TRICKLINE_HOME", str(tmp_path / "home"))
    for name in ("TRICKLINE_DB", LIMIT):
        monkeypatch.delenv(name, raising=False)
    yield tmp_path / "home"
    media.open_workspace().close()


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return write_video(tmp_path_factory.mktemp("video") / "video.mp4").read_bytes()


def arrived(home: Path) -> list[Path]:
    """Every file in the folder for footage, hidden ones too."""
    return sorted((home / "footage").glob("*"))


def taken(answer: Answer) -> Uploaded:
    assert answer.status == 201, answer.text
    token = re.fullmatch(r'\{"token":"([\w-]{20,})"\}', answer.text)
    assert token
    home = media.open_workspace().home
    video = upload_waiting.look(home, token[1])
    assert video
    upload_waiting.take(home, token[1])
    assert upload_waiting.look(home, token[1]) is None
    return video


def refusal(answer: Answer) -> str:
    """The sentence of a refusal."""
    sentence = re.fullmatch(r'\{"error":"(.*)"\}', answer.text)
    assert sentence, answer.text
    assert re.fullmatch(r"[^/].*[.]", sentence[1])
    return sentence[1]


def test_a_video_arrives_whole(ask: Client, home: Path, video: bytes) -> None:
    got = taken(ask.upload("line%20at%20the%20ledge.MP4", video))
    assert got.name == "line at the ledge"
    assert arrived(home) == [got.path]
    assert got.path.read_bytes() == video
    session = media.open_workspace().session_for(got.path, name=got.name)
    assert got.path.name == f"{session.id}.mp4"
    assert ask(media.footage_url(session.id)).body == video


def test_the_browser_learns_no_path(ask: Client, home: Path, video: bytes) -> None:
    assert str(home) not in ask.upload("a.mp4", video).text
    assert str(home) not in ask.upload("bad.mp4", b"no video" * 100).text


def test_the_same_video_lies_there_once(ask: Client, home: Path, video: bytes) -> None:
    """A card of 64 GB that is dropped again would fill the disk."""
    first, second = taken(ask.upload("a.mp4", video)), taken(ask.upload("b.mp4", video))
    assert first.path == second.path
    assert arrived(home) == [first.path]


def test_uploads_at_the_same_time_do_not_mix(ask: Client, home: Path, tmp_path: Path) -> None:
    videos = [write_video(tmp_path / f"{shade}.mp4", shade=shade).read_bytes() for shade in (0, 80, 160, 240)]
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(ask.upload, ["a.mp4", "b.mp4", "c.mp4", "d.mp4"], videos))
    assert [taken(answer).path.read_bytes() for answer in answers] == videos
    assert len(arrived(home)) == 4


@pytest.mark.parametrize(
    ("sent", "name"),
    [
        ("..%2F..%2Fetc%2Fpasswd.mp4", "passwd"),
        ("C%3A%5CUsers%5Cme%5Cline.mp4", "line"),
        ("%00%07a%0D%0Ab%1B%5B31m.mp4", "a b[31m"),
        ("%E2%80%AE4pm.mp4", "4pm"),
        ("Gro%CC%88%C3%9Fe%20%F0%9F%9B%B9.mp4", "Größe \N{SKATEBOARD}"),
        ("%3Cimg%20src%3Dx%20onerror%3Dalert(1)%3E.mp4", "<img src=x onerror=alert(1)>"),
        ("%FF%FE.mp4", "\ufffd\ufffd"),
        (".mp4", "footage"),
        ("x" * 5000 + ".mp4", "x" * 120),
    ],
)
def test_the_name_is_text_and_never_a_path(ask: Client, home: Path, video: bytes, sent: str, name: str) -> None:
    got = taken(ask.upload(sent, video))
    assert got.name == name
    assert got.path.parent == home / "footage"
    assert re.fullmatch(r"[0-9a-f]{32}\.mp4", got.path.name)


@pytest.mark.parametrize(
    ("changed", "status", "sentence"),
    [
        ({"X_Trickline": None}, 403, "The header X-Trickline is missing; send footage from the Upload page."),
        ({"X_Trickline": "yes"}, 403, "The header X-Trickline is missing; send footage from the Upload page."),
        ({"Content_Length": None, "Transfer-Encoding": "chunked"}, 411, "The upload does not say how long it is; "),
        ({"X_Name": "notes.txt"}, 415, "notes.txt does not have the ending of a video, such as .mp4 or .mov; "),
        ({"X_Name": None}, 415, "The file does not have the ending of a video, "),
        ({"X_Name": "a.mp4", "Content_Length": "0"}, 422, "a.mp4 is empty (0 bytes): copy it again from the camera."),
    ],
)
def test_what_is_not_asked_for_rightly_is_refused(
    ask: Client, home: Path, changed: dict[str, str | None], status: int, sentence: str
) -> None:
    answer = ask.upload("a.mp4", b"", **changed)
    assert answer.status == status
    assert refusal(answer).startswith(sentence)
    assert not arrived(home)


@pytest.mark.parametrize(
    ("changed", "status"),
    [
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": "http://localhost:1"}, 403),
        ({"Origin": "null"}, 403),
        ({"Sec_Fetch_Site": "cross-site"}, 403),
        ({"Host": "evil.example", "Origin": "http://evil.example"}, 400),
    ],
)
def test_other_websites_cannot_send(
    ask: Client, home: Path, video: bytes, changed: dict[str, str], status: int
) -> None:
    answer = ask.upload("a.mp4", video, **changed)
    assert (answer.status, "token" in answer.text) == (status, False)
    assert not arrived(home)
    preflight = ask("/trickline/upload", "OPTIONS", {"Origin": "https://evil.example"})
    assert "Access-Control-Allow-Origin" not in preflight.headers


@pytest.mark.parametrize(("limit", "most"), [("0.000001", "1e-06"), ("0", "0")])
def test_too_large_a_file_is_refused_before_it_is_read(
    ask: Client, home: Path, video: bytes, monkeypatch: pytest.MonkeyPatch, limit: str, most: str
) -> None:
    monkeypatch.setenv(LIMIT, limit)
    sentence = (
        f"day.mp4 has 0.0 GB and an upload may have {most} GB; add it by its path, or raise TRICKLINE_MAX_UPLOAD_GB."
    )
    answer = ask.upload("day.mp4", video)
    assert (answer.status, refusal(answer)) == (413, sentence)
    asked = ask("/trickline/upload?name=day.mp4&size=5000", headers={"X-Trickline": "upload"})
    assert (asked.status, refusal(asked)) == (413, sentence)
    assert not arrived(home)
    monkeypatch.setenv(LIMIT, "a lot")
    assert "is not a number" in refusal(ask.upload("day.mp4", video))


class Disk(NamedTuple):
    total: int
    used: int
    free: int


def test_a_full_disk_is_said_before_anything_is_sent(
    ask: Client, home: Path, video: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A gigabyte stays free: a full disk stops the database too."""
    monkeypatch.setattr(shutil, "disk_usage", lambda path: Disk(10**12, 0, upload_route.RESERVE + len(video) - 1))
    sentence = (
        "There is no room for a.mp4: the workspace's disk has 0.0 GB to spare; free some space, or add the video by its"
        " path."
    )
    for answer in (
        ask.upload("a.mp4", video),
        ask(f"/trickline/upload?name=a.mp4&size={len(video)}", headers={"X-Trickline": "upload"}),
    ):
        assert (answer.status, refusal(answer)) == (507, sentence)
    assert not arrived(home)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: Disk(10**12, 0, upload_route.RESERVE + len(video)))
    taken(ask.upload("a.mp4", video))


def begin(ask: Client, size: int, sent: bytes) -> socket.socket:
    """An upload that stops in the middle."""
    connection = socket.create_connection(("localhost", ask.port), timeout=20)
    headers = ["Host: localhost", "X-Trickline: upload", "X-Name: a.mp4", f"Content-Length: {size}"]
    head = "\r\n".join(["PUT /trickline/upload HTTP/1.1", *headers])
    connection.sendall(head.encode() + b"\r\n\r\n" + sent)
    return connection


def received(connection: socket.socket) -> str:
    """All that is answered, until the server closes the connection."""
    return b"".join(iter(lambda: connection.recv(10_000), b"")).decode()


def wait_until(condition: Any) -> None:
    give_up = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < give_up
        time.sleep(0.01)


def test_a_disk_that_fills_up_meanwhile_stops_the_upload(
    ask: Client, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Something else may write to it too."""
    monkeypatch.setattr(upload_route, "_LOOK_EVERY", 1)
    free = iter([10**12])
    monkeypatch.setattr(shutil, "disk_usage", lambda path: Disk(10**12, 0, next(free, 0)))
    with begin(ask, 800 << 20, bytes(upload_route._BLOCK)) as connection:
        answer = received(connection)
    assert answer.startswith("HTTP/1.1 507")
    assert "There is no room for a.mp4:" in answer
    assert not arrived(home)


def test_room_is_kept_for_what_is_on_its_way(
    ask: Client, home: Path, video: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two files that fit one by one would fill the disk together."""
    monkeypatch.setattr(shutil, "disk_usage", lambda path: Disk(10**12, 0, upload_route.RESERVE + 10_000_000))
    with begin(ask, 9_995_000, b"begun"):
        wait_until(lambda: arrived(home))
        assert ask.upload("b.mp4", bytes(20_000)).status == 507
    wait_until(lambda: not arrived(home))
    taken(ask.upload("b.mp4", video))


def test_a_broken_upload_leaves_nothing(ask: Client, home: Path, video: bytes) -> None:
    connection = begin(ask, 50_000_000, bytes(3_000_000))
    wait_until(lambda: arrived(home))
    assert [path.name[0] for path in arrived(home)] == ["."]  # nobody takes it for a video meanwhile
    connection.close()
    wait_until(lambda: not arrived(home))
    assert upload_route._arriving == {}


def test_a_sender_that_is_gone_without_a_word_leaves_nothing(
    ask: Client, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A closed laptop does not say that it closes."""
    monkeypatch.setattr(upload_route, "STALL_S", 0.2)
    with begin(ask, 50_000_000, b"begun") as connection:
        answer = received(connection)
    assert answer.startswith("HTTP/1.1 408")
    assert "Nothing more of a.mp4 arrived for 0 s; send it again." in answer
    assert not arrived(home)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"no video" * 1000, "line.mp4 cannot be read as a video ("),
        (b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom\x7f\0\0\0mdat", "line.mp4 is cut short: "),
    ],
)
def test_what_is_no_video_is_not_kept(ask: Client, home: Path, content: bytes, sentence: str) -> None:
    answer = ask.upload("line.mp4", content)
    assert answer.status == 422
    assert refusal(answer).startswith(sentence)
    assert not arrived(home)


def test_a_disk_that_is_full_after_all_leaves_nothing(
    ask: Client, home: Path, disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRICKLINE_DB", f"sqlite:///{home.parent / 'trickline.db'}")
    monkeypatch.setenv("TRICKLINE_HOME", str(disk))
    monkeypatch.setattr(upload_route, "RESERVE", -(1 << 40))
    answer = ask.upload("a.mp4", bytes(5_000_000))
    assert answer.status == 507
    assert "the disk is full" in refusal(answer)
    assert not arrived(disk)


def test_a_long_body_is_not_read_to_its_end_for_nothing(ask: Client) -> None:
    with begin(ask, 10**12, b"begun") as connection:
        answer = received(connection)
    assert answer.startswith("HTTP/1.1 413")
    assert "connection: close" in answer.lower()


def test_asking_first_says_whether_a_file_would_be_taken(ask: Client, home: Path) -> None:
    headers = {"X-Trickline": "upload"}
    assert ask("/trickline/upload?name=a.mp4&size=5000", headers=headers).status == 204
    assert ask("/trickline/upload?name=a.mp4&size=5000").status == 403
    assert ask("/trickline/upload?name=a.mp4&size=-1", headers=headers).status == 422
    assert ask("/trickline/upload", headers=headers).status == 415
    assert not arrived(home)


def _page() -> None:
    import streamlit as st

    from pages.widgets.upload import take, uploader

    for video in uploader("footage"):
        st.text(f"{video.name} {video.path.suffix}")
        if not st.session_state.get("broken"):
            take(video)


def test_a_page_gets_each_upload_once(ask: Client, video: bytes) -> None:
    """Whatever the browser sends again, and whatever it makes up."""
    app = AppTest.from_function(_page, default_timeout=180).run()
    assert not app.exception
    assert not app.text
    tokens = [re.sub(r'.*:"|".*', "", ask.upload(f"{name}.mp4", video).text) for name in ("first", "second")]
    app.session_state["footage"] = {"arrived": {"tokens": tokens[:1]}}
    assert [text.value for text in app.run().text] == ["first .mp4"]
    app.session_state["footage"] = {"arrived": {"tokens": [*tokens, "../../etc/passwd", "", None, 7]}}
    assert [text.value for text in app.run().text] == ["second .mp4"]
    assert not app.run().text
    app.session_state["footage"] = {}
    assert not app.run().text
    assert not app.exception


def test_what_nothing_was_made_of_comes_again(ask: Client, video: bytes) -> None:
    """The records were away, or the studio was killed at that moment: the browser is not told that it was taken."""
    app = AppTest.from_function(_page, default_timeout=20)
    app.session_state["broken"] = True
    token = re.sub(r'.*:"|".*', "", ask.upload("line.mp4", video).text)
    taken = []
    for broken in (True, False, False):
        app.session_state["broken"] = broken
        app.session_state["footage"] = {"arrived": {"tokens": [token]}}
        words = [text.value for text in app.run().text]
        (area,) = app.get("bidi_component")
        taken.append((words, token in area.proto.json.split('"held"')[0].split('"taken"')[1]))
    assert taken == [(["line .mp4"], False), (["line .mp4"], False), ([], True)]


def told(app: AppTest, tokens: list[str], coming: list[str]) -> list[str]:
    """What the page is given once the browser has said so."""
    app.session_state["footage"] = {"arrived": {"tokens": tokens, "coming": coming}}
    return [text.value for text in app.run().text]


def test_a_chapter_waits_for_those_that_are_on_their_way(ask: Client, tmp_path: Path) -> None:
    """In whatever order they come, and until they failed; nothing else waits."""
    app = AppTest.from_function(_page, default_timeout=180).run()
    tokens = {
        name: re.sub(
            r'.*:"|".*', "", ask.upload(f"{name}.MP4", write_video(tmp_path / "v.mp4", shade=shade).read_bytes()).text
        )
        for shade, name in enumerate(("GX020042", "GX010042", "GX010043", "holiday", "DJI_0007", "DJI_0009"))
    }
    second, first, *others = tokens.values()
    coming = ["GX030042.MP4", "GX010042.MP4", "DJI_0008.MP4", "../../etc/passwd", "", "GX020043.txt"]
    assert told(app, [second], coming) == []
    assert told(app, list(tokens.values()), coming) == ["GX010043 .mp4", "holiday .mp4"]
    assert told(app, [second, first, *others[-2:]], ["GX030042.MP4"]) == ["DJI_0007 .mp4", "DJI_0009 .mp4"]
    assert told(app, [second, first], ["holiday 2.mp4", 7, None]) == ["GX020042 .mp4", "GX010042 .mp4"]  # type: ignore[list-item]
    assert told(app, [second, first], []) == []


def test_what_waited_for_nobody_is_anybodys_the_next_day(ask: Client, home: Path, video: bytes) -> None:
    """The browser was closed before a page took it."""
    ask.upload("GX010042.MP4", video)
    app = AppTest.from_function(_page, default_timeout=180).run()
    assert not app.text
    (note,) = (home / "arrived").iterdir()
    yesterday = time.time() - 90_000
    os.utime(note, (yesterday, yesterday))
    assert [text.value for text in app.run().text] == ["GX010042 .mp4"]
    assert not app.run().text
