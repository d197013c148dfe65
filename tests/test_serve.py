"""The endpoint answers whatever it is sent: rightly, or with one sentence; it keeps nothing and loses nobody."""

from __future__ import annotations

import io
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import av
import httpx
import numpy as np
import pytest
import uvicorn
from numpy.typing import NDArray

from core.cli.serving import serve
from core.errors import Cancelled, UserError
from core.recognize.light.recognizer import fit_light
from core.recognize.samples import ClipSample
from core.serve.app import make_app
from core.serve.limits import Limits
from core.serve.service import Namers, Service, open_each
from core.video import Video
from core.workspace import Workspace
from sample_data.make_session import Session, make_session
from tests.conftest import ROOT, Looked
from tests.moments import LEFT, RIGHT, dataset_of, write_clip

SERVE = (sys.executable, "-c", "import typer; from core.cli.serving import serve; typer.run(serve)")


class Brightness:
    """Names a moment after how bright its first picture is."""

    folder, architecture = Path("brightness"), "rule"
    classes: tuple[str, ...] = ("dark", "bright")
    unsure_below = 0.6

    def predict(
        self, samples: Sequence[ClipSample], /, progress: object = None, cancelled: Callable[[], bool] | None = None
    ) -> NDArray[np.float64]:
        shares = []
        for sample in samples:
            picture = next(Video.open(sample.path).pictures(start=sample.start_frame))
            shares.append(picture.gray(16, 16).mean() / 255)
        return np.array([[1 - share, share] for share in shares])


class Endless(Brightness):
    """Works until it is told to stop, or may go on."""

    def __init__(self) -> None:
        self.began, self.go_on, self.stopped = threading.Event(), threading.Event(), threading.Event()

    def predict(
        self, samples: Sequence[ClipSample], /, progress: object = None, cancelled: Callable[[], bool] | None = None
    ) -> NDArray[np.float64]:
        assert cancelled is not None
        self.began.set()
        while not self.go_on.wait(0.02):
            if cancelled():
                self.stopped.set()
                raise Cancelled
        return super().predict(samples)


def everywhere(recognizer: Brightness) -> Namers:
    return lambda workspaces: [recognizer] * len(workspaces)


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the server puts what it does not keep."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


def left(folder: Path) -> list[str]:
    """What is left of requests there."""
    return [path.name for path in folder.rglob("*") if path.name.startswith("upload-") or path.parent.name == "videos"]


@contextmanager
def serving(namers: Namers | None = None, **limits: float) -> Iterator[tuple[httpx.Client, Service]]:
    """A server at a free port, and a client of it."""
    service = Service(Limits.model_validate(limits), namers)
    listening = socket.create_server(("127.0.0.1", 0), backlog=200)
    server = uvicorn.Server(uvicorn.Config(make_app(service), log_config=None, lifespan="on"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
    thread.start()
    try:
        limit = httpx.Limits(max_connections=100)
        url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        with httpx.Client(base_url=url, timeout=120, limits=limit, trust_env=False) as client:
            yield client, service
    finally:
        server.should_exit = True
        thread.join(30)
        listening.close()
    assert not thread.is_alive()


def grey(path: Path, level: int, length: int = 6) -> Path:
    return write_clip(path, np.full((length, 48, 48, 3), level, np.uint8))


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six bright frames."""
    return grey(tmp_path_factory.mktemp("clip") / "clip.mp4", 210)


def post(client: httpx.Client, path: Path, route: str = "/name", **fields: object) -> httpx.Response:
    return client.post(route, files={"file": path.read_bytes()}, data=fields)


def until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def sentence(response: httpx.Response) -> str:
    """The one sentence of a refusal, which tells nothing of where files lie on the server."""
    assert list(response.json()) == ["error"]
    said = str(response.json()["error"])
    assert said.endswith(".")
    assert "\n" not in said
    assert "upload-" not in said
    assert tempfile.gettempdir() not in said
    return said


def test_fifty_at_once_are_all_answered_as_each_alone(tmp_path: Path, temporary: Path) -> None:
    clips = [grey(tmp_path / f"{level}.mp4", level) for level in (20, 90, 150, 200, 250)]
    with serving(everywhere(Brightness())) as (client, service):
        alone = [post(client, clip).json() for clip in clips]
        with ThreadPoolExecutor(50) as pool:
            answers = list(pool.map(lambda number: post(client, clips[number % 5]), range(50)))
        assert [answer.status_code for answer in answers] == [200] * 50
        assert [answer.json() for answer in answers] == alone * 10
        assert service.under_way == 0
        assert left(temporary) == []
    assert [answer["label"] for answer in alone] == ["dark", "dark", "bright", "bright", "bright"]
    assert [answer["unsure"] for answer in alone] == [False, False, True, False, False]
    assert alone[0]["probabilities"]["dark"] == alone[0]["probability"]
    assert list(temporary.iterdir()) == []


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


def test_health_says_what_the_server_can_do(clip: Path) -> None:
    with serving(everywhere(Brightness()), max_mb=7) as (client, _):
        said = client.get("/health").json()
        assert said["recognizer"]["classes"] == ["dark", "bright"]
        assert (said["detector"], said["max_mb"], said["under_way"]) == ("starter", 7, 0)
    with serving() as (client, _):
        assert client.get("/health").json()["recognizer"] is None
        refused = post(client, clip)
        assert refused.status_code == 400
        assert "has no recognizer" in sentence(refused)


def test_whatever_the_description_allows_is_answered_as_it_says() -> None:
    import schemathesis
    from hypothesis import HealthCheck, given, settings
    from schemathesis.checks import not_a_server_error
    from schemathesis.specs.openapi.checks import (
        content_type_conformance,
        response_schema_conformance,
        status_code_conformance,
    )

    checks = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
    with serving(everywhere(Brightness())) as (client, _):
        schema = schemathesis.openapi.from_url(str(client.base_url.join("/openapi.json")))
        operations: list[Any] = [cast(Any, found).ok() for found in schema.get_all_operations()]
        assert {operation.path for operation in operations} == {"/health", "/name", "/find", "/players"}
        for operation in operations:

            @settings(max_examples=10, deadline=None, database=None, suppress_health_check=list(HealthCheck))
            @given(case=operation.as_strategy())
            def asked(case: Any) -> None:
                case.call_and_validate(checks=checks)

            asked()


def test_events_are_those_of_the_command_and_each_has_a_name(session: Session, looked: Looked, temporary: Path) -> None:
    expected = looked.ran.json["events"]
    with serving(everywhere(Brightness())) as (client, _):
        with ThreadPoolExecutor(2) as pool:
            first, second = pool.map(lambda _: post(client, session.video, "/find"), range(2))
        assert first.status_code == 200
        assert first.json() == second.json()
        found = first.json()
        assert (found["frames"], found["notes"]) == (looked.ran.json["frames"], [])
        for event, known in zip(found["events"], expected, strict=True):
            assert {name: event[name] for name in ("start_frame", "end_frame", "start_s", "end_s")} == {
                name: known[name] for name in ("start_frame", "end_frame", "start_s", "end_s")
            }
            assert event["confidence"] == pytest.approx(known["confidence"], abs=1e-3)
            named = post(client, session.video, start_frame=event["start_frame"], end_frame=event["end_frame"]).json()
            assert event["name"]["probabilities"] == named["probabilities"]
        assert left(temporary) == []


def test_players_are_named_window_by_window(tmp_path: Path, clip: Path) -> None:
    video = make_session(tmp_path, seconds=6.0).video
    with serving(everywhere(Brightness())) as (client, _):
        found = post(client, video, "/players", length=20, stride=100).json()
        assert len(found["players"]) >= 1
        windows = found["players"][0]["windows"]
        assert windows
        assert all(window["end_frame"] - window["start_frame"] == 19 for window in windows)
        nobody = post(client, clip, "/players")
        assert (nobody.status_code, nobody.json()["players"]) == (200, [])
        assert "Nobody was found" in nobody.json()["notes"][0]
        nothing = post(client, clip, "/find").json()
        assert (nothing["events"], nothing["frames"]) == ([], 6)


def test_a_trained_recognizer_names_as_it_does_without_a_server(
    tmp_path: Path, temporary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = dataset_of(tmp_path, each=2)
    with Workspace.open(tmp_path / "home") as workspace:
        recognizer = fit_light(data.samples, workspace)
        expected = recognizer.predict(data.samples, workspace)
        recognizer.save(tmp_path / "recognizer")
    monkeypatch.setenv("TRICKLINE_HOME", str(tmp_path / "untouched"))
    monkeypatch.setenv("TRICKLINE_DB", f"sqlite:///{tmp_path / 'untouched.db'}")
    with serving(lambda spaces: open_each(tmp_path / "recognizer", spaces)) as (client, _):
        assert client.get("/health").json()["recognizer"]["classes"] == sorted((LEFT, RIGHT))
        with ThreadPoolExecutor(2) as pool:
            answers = list(pool.map(lambda sample: post(client, sample.path), data.samples[1:3]))
        assert [list(one.json()["probabilities"].values()) for one in answers] == [
            pytest.approx(row, abs=1e-6) for row in expected[1:3].tolist()
        ]
        assert left(temporary) == []
    assert not list(tmp_path.glob("untouched*"))


def started(folder: Path, *arguments: str) -> subprocess.Popen[str]:
    for name in ("tmp", "home"):
        (folder / name).mkdir(exist_ok=True)
    kept = {name: value for name, value in os.environ.items() if not name.startswith("TRICKLINE_")}
    own = {"PYTHONPATH": str(ROOT), "TRICKLINE_HOME": str(folder / "home"), "TMPDIR": str(folder / "tmp")}
    return subprocess.Popen(
        [*SERVE, *arguments],
        cwd=folder,
        env={**kept, **own},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.parametrize(
    ("host", "ended", "code", "warned"),
    [("127.0.0.1", signal.SIGTERM, -signal.SIGTERM, False), ("0.0.0.0", signal.SIGINT, 0, True)],
)
def test_the_command_warns_when_others_can_reach_it_and_leaves_nothing(
    tmp_path: Path, host: str, ended: signal.Signals, code: int, warned: bool
) -> None:
    with started(tmp_path, "--host", host, "--port", "0") as process:
        assert process.stdout is not None
        url = process.stdout.readline().strip()
        assert url.startswith(f"http://{host}:")
        transport = httpx.HTTPTransport(retries=3)
        with httpx.Client(transport=transport, timeout=60) as client:
            said = client.get(url.replace(host, "127.0.0.1") + "/health")
            assert (said.status_code, said.json()["recognizer"]) == (200, None)
        process.send_signal(ended)
        out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (code, "")
    assert ("no login" in err) == warned
    assert "Traceback" not in err
    assert list((tmp_path / "tmp").iterdir()) == []


def test_the_command_refuses_what_cannot_work(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(UserError, match="choose another --port"):
        serve(port=taken.getsockname()[1])
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(UserError, match=r"has no recognizer\.json"):
        serve(model=[empty], port=0)
    shutil.rmtree(empty)
    with pytest.raises(UserError):
        serve(model=[empty], port=0)
