"""What the endpoint does not take on it refuses in one sentence, and whatever goes wrong, nothing is left of it."""

from __future__ import annotations

import io
import socket
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import ClassVar

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from core.recognize.samples import ClipSample
from core.serve import uploads
from core.video import Video
from sample_data.make_session import Session
from tests.serving import Brightness, Endless, everywhere, grey, left, post, sentence, serving, until


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the server puts what it does not keep."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six bright frames."""
    return grey(tmp_path_factory.mktemp("clip") / "clip.mp4", 210)


def test_what_does_not_fit_into_the_line_is_told_when_to_come_again(clip: Path) -> None:
    endless = Endless()
    with serving(everywhere(endless), at_once=1, waiting=1) as (client, service), ThreadPoolExecutor(2) as pool:
        taken = [pool.submit(post, client, clip) for _ in range(2)]
        until(lambda: endless.began.is_set() and service.under_way == 2)
        refused = post(client, clip)
        endless.go_on.set()
        assert [one.result().status_code for one in taken] == [200, 200]
        assert refused.status_code == 503
        assert int(refused.headers["retry-after"]) > 0
        assert "places are taken" in sentence(refused)
        assert post(client, clip).status_code == 200


def test_who_waits_gets_his_turn_in_order(tmp_path: Path) -> None:
    class Noting(Endless):
        seen: ClassVar[list[int]] = []

        def predict(
            self, samples: Sequence[ClipSample], /, progress: object = None, cancelled: Callable[[], bool] | None = None
        ) -> NDArray[np.float64]:
            self.seen.append(Video.open(samples[0].path).n_frames)
            return super().predict(samples, progress, cancelled)

    noting = Noting()
    with serving(everywhere(noting), at_once=1, waiting=9) as (client, service), ThreadPoolExecutor(9) as pool:
        asked, queue = [], service._pool._work_queue
        for number in range(9):
            asked.append(pool.submit(post, client, grey(tmp_path / f"{number}.mp4", 100, 2 + number)))
            until(lambda wanted=number: noting.began.is_set() and queue.qsize() == wanted)  # type: ignore[misc]
        noting.go_on.set()
        assert [one.result().status_code for one in asked] == [200] * 9
    assert noting.seen == [*range(2, 11)]


def test_what_trickles_in_holds_no_place_for_long(clip: Path, temporary: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uploads, "STALL_S", 0.5)

    def trickle() -> Iterator[bytes]:
        yield b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.mp4"\r\n\r\n'
        for _ in range(100):
            time.sleep(0.1)
            yield b"0"

    def asleep() -> Iterator[bytes]:
        yield b"--x\r\n"
        time.sleep(2)

    with serving(everywhere(Brightness())) as (client, service):
        for content, said in ((trickle(), "less than 20 kB a second"), (asleep(), "Nothing more arrived")):
            headers = {"content-type": "multipart/form-data; boundary=x"}
            refused = client.post("/name", content=content, headers=headers)
            assert refused.status_code == 408
            assert said in sentence(refused)
            assert (service.under_way, left(temporary)) == (0, [])
        assert post(client, clip).status_code == 200


def test_what_is_too_large_is_refused_whether_or_not_it_says_so(clip: Path, temporary: Path) -> None:
    def unsaid() -> Iterator[bytes]:
        yield b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.mp4"\r\n\r\n'
        for _ in range(300):
            yield b"0" * 10_000
        yield b"\r\n--x--\r\n"

    with serving(everywhere(Brightness()), max_mb=1) as (client, service):
        said = client.post("/name", files={"file": b"0" * 3_000_000})
        told = client.post("/name", content=unsaid(), headers={"content-type": "multipart/form-data; boundary=x"})
        for refused in (said, told):
            assert refused.status_code == 413
            assert "more than 1 MB" in sentence(refused)
        assert (service.under_way, left(temporary)) == (0, [])
        assert post(client, clip).status_code == 200


def spoilt(clip: Path, kind: str) -> bytes:
    if kind == "cut short":
        return clip.read_bytes()[:-200]
    if kind == "playlist":
        return f"ffconcat version 1.0\nfile {clip.name}\n".encode()
    if kind == "picture":
        import cv2

        return cv2.imencode(".png", np.zeros((32, 32, 3), np.uint8))[1].tobytes()
    if kind == "sound":
        made = io.BytesIO()
        with av.open(made, "w", format="mp4") as container:
            stream = container.add_stream("aac", rate=8000)
            silence = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), "fltp", "mono")
            silence.sample_rate = 8000
            container.mux([*stream.encode(silence), *stream.encode(None)])
        return made.getvalue()
    return {"empty": b"", "noise": np.random.default_rng(3).bytes(9000), "text": b"not a video\n" * 50}[kind]


@pytest.mark.parametrize(
    ("kind", "status", "said"),
    [
        ("empty", 422, "is empty"),
        ("noise", 422, "cannot be read as a video"),
        ("text", 422, "cannot be read as a video"),
        ("cut short", 422, "is cut short"),
        ("sound", 422, "holds no picture"),
        ("playlist", 415, "is not a video"),
        ("picture", 415, "is not a video"),
    ],
)
def test_what_is_no_video_is_refused_in_a_sentence(
    clip: Path, temporary: Path, kind: str, status: int, said: str
) -> None:
    with serving(everywhere(Brightness())) as (client, _):
        for route in ("/name", "/find"):
            refused = client.post(route, files={"file": ("clip.mp4", spoilt(clip, kind), "video/mp4")})
            assert refused.status_code == status
            assert said in sentence(refused)
        assert left(temporary) == []


def test_mistakes_in_the_form_are_refused_in_a_sentence(clip: Path, temporary: Path) -> None:
    with serving(everywhere(Brightness())) as (client, _):
        content = clip.read_bytes()
        for status, said, asked in (
            (415, "Send a form", {"content": content}),
            (415, "Send a form", {"data": {"file": "a"}}),
            (422, "no file in its field 'file'", {"files": {"video": content}}),
            (422, "no file in its field 'file'", {"files": {"start_frame": (None, "1")}}),
            (422, "'start_frame' cannot be taken", {"files": {"file": content}, "data": {"start_frame": "-1"}}),
            (422, "'start_frame' cannot be taken", {"files": {"file": content}, "data": {"start_frame": "one"}}),
            (422, "'stride' cannot be taken", {"files": {"file": content}, "data": {"stride": "1"}}),
            (400, "", {"files": {"file": content}, "data": {"start_frame": "1" * 1000}}),
            (400, "", {"files": [("file", content), ("file", content)]}),
            (400, "", {"files": {"file": ("x" * 100_000, content)}}),
            (400, "no moment of a video of 6 frames", {"files": {"file": content}, "data": {"end_frame": "6"}}),
            (400, "Frames 4 to 2", {"files": {"file": content}, "data": {"start_frame": 4, "end_frame": 2}}),
        ):
            refused = client.post("/name", **asked)
            assert refused.status_code == status, refused.text
            assert said in refused.json()["error"]
        for header in ("multipart/form-data", "multipart/form-data; boundary=x; charset=idna"):
            body = b'--x\r\nContent-Disposition: form-data; name="\xff"\r\n\r\n\r\n--x--\r\n'
            refused = client.post("/name", content=body, headers={"content-type": header})
            assert refused.status_code in (400, 422)
            assert refused.json()["error"]
        assert left(temporary) == []


def test_a_name_from_outside_is_no_path(clip: Path, tmp_path: Path, temporary: Path) -> None:
    before = set(tmp_path.iterdir())
    with serving(everywhere(Brightness())) as (client, _):
        for name in (f"{tmp_path}/evil.mp4", "../../../evil.mp4", "..\\evil.mp4", "clip.mp4\x00.txt", "x" * 999, "é"):
            answer = client.post("/name", files={"file": (name, clip.read_bytes())}, data={"start_frame": 2})
            assert (answer.status_code, answer.json()["label"]) == (200, "bright")
    assert set(tmp_path.iterdir()) == before
    assert list(temporary.iterdir()) == []


def test_work_that_takes_too_long_is_stopped(clip: Path, temporary: Path) -> None:
    endless = Endless()
    with serving(everywhere(endless), timeout_s=0.3, at_once=1) as (client, service):
        refused = post(client, clip)
        assert refused.status_code == 504
        assert "longer than 0.3 s" in sentence(refused)
        assert endless.stopped.wait(10)
        until(lambda: service.under_way == 0)
        assert left(temporary) == []
        endless.go_on.set()
        assert post(client, clip).status_code == 200


def test_a_look_that_takes_too_long_is_stopped_in_its_midst(session: Session, temporary: Path) -> None:
    with serving(timeout_s=0.5) as (client, service):
        assert post(client, session.video, "/find").status_code == 504
        until(lambda: service.under_way == 0)
        assert left(temporary) == []


@pytest.mark.parametrize("share", [0.5, 1.0])
def test_a_client_that_goes_away_leaves_nothing(clip: Path, temporary: Path, share: float) -> None:
    endless = Endless()
    with serving(everywhere(endless), at_once=1) as (client, service):
        request = client.build_request("POST", "/name", files={"file": clip.read_bytes() + b"\0" * 2_000_000})
        body = request.read()
        head = "".join(f"{name}: {value}\r\n" for name, value in request.headers.items())
        gone = socket.create_connection((request.url.host, request.url.port or 0))
        gone.sendall(f"POST /name HTTP/1.1\r\n{head}\r\n".encode() + body[: int(len(body) * share)])
        until(lambda: service.under_way == 1)
        if share == 1.0:
            assert endless.began.wait(20)
            assert len(left(temporary)) > 0
        gone.close()
        until(lambda: service.under_way == 0)
        assert endless.stopped.is_set() == (share == 1.0)
        assert left(temporary) == []


def test_only_this_machine_asks(clip: Path) -> None:
    with serving(everywhere(Brightness())) as (client, _):
        for host in ("evil.example", "localhost.evil.example", ""):
            assert client.get("/health", headers={"host": host}).status_code == 400
        assert client.get("/health", headers={"host": "localhost:8602"}).status_code == 200
        own = str(client.base_url).rstrip("/")
        for headers, status in (
            ({"origin": "https://evil.example"}, 403),
            ({"origin": "null"}, 403),
            ({"origin": "http://["}, 403),
            ({"sec-fetch-site": "cross-site"}, 403),
            ({"origin": own, "sec-fetch-site": "same-origin"}, 200),
        ):
            answer = client.post("/name", files={"file": clip.read_bytes()}, headers=headers)
            assert answer.status_code == status
            assert "access-control-allow-origin" not in answer.headers


def test_a_fault_of_our_own_is_told_as_one_and_logged(clip: Path, caplog: pytest.LogCaptureFixture) -> None:
    class Faulty(Brightness):
        def predict(self, *_: object, **__: object) -> NDArray[np.float64]:
            raise RuntimeError("a wheel came off")

    with serving(everywhere(Faulty())) as (client, service):
        answer = post(client, clip)
        assert answer.status_code == 500
        assert "wheel" not in sentence(answer)
        assert service.under_way == 0
    assert "a wheel came off" in caplog.text
    assert "Traceback" in caplog.text
