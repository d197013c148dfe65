"""The endpoint answers what it is asked as the commands do, fifty at once, and says what it can do."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any, cast

import httpx
import numpy as np
import pytest
from numpy.typing import NDArray

from core.cli.serving import serve
from core.errors import UserError
from core.recognize import shelf
from core.recognize.dive_classes import DIVING48
from core.recognize.light.recognizer import fit_light
from core.recognize.samples import ClipSample
from core.serve import service
from core.serve.limits import Limits
from core.serve.service import open_each
from core.workspace import Workspace
from sample_data.make_session import Session, make_session
from sample_data.plaza import FPS
from tests.conftest import ROOT, Looked
from tests.moments import LEFT, RIGHT, dataset_of
from tests.serving import Brightness, everywhere, grey, left, post, sentence, serving
from tests.test_recognize_shelf import light

SERVE = (sys.executable, "-c", "import typer; from core.cli.serving import serve; typer.run(serve)")


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


def test_a_moment_is_named_with_how_sure_that_is(tmp_path: Path, temporary: Path) -> None:
    clips = [grey(tmp_path / f"{level}.mp4", level) for level in (20, 90, 150, 200, 250)]
    with serving(everywhere(Brightness())) as (client, _):
        answers = [post(client, clip).json() for clip in clips]
        assert left(temporary) == []
    assert [answer["label"] for answer in answers] == ["dark", "dark", "bright", "bright", "bright"]
    assert [answer["unsure"] for answer in answers] == [False, False, True, False, False]
    assert answers[0]["probabilities"]["dark"] == answers[0]["probability"]
    assert answers[0]["dive"] is None
    assert list(temporary.iterdir()) == []


def test_fifty_at_once_are_answered_as_without_a_server(
    tmp_path: Path, temporary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = dataset_of(tmp_path, each=2, length=5)
    with Workspace.open(tmp_path / "home") as workspace:
        recognizer = fit_light(data.samples, workspace)
        expected = recognizer.predict(data.samples, workspace)
        recognizer.save(tmp_path / "recognizer")
    monkeypatch.setenv("TRICKLINE_HOME", str(tmp_path / "untouched"))
    monkeypatch.setenv("TRICKLINE_DB", f"sqlite:///{tmp_path / 'untouched.db'}")
    asked = [number % len(data.samples) for number in range(50)]
    with serving(lambda spaces: open_each(tmp_path / "recognizer", spaces)) as (client, service):
        assert client.get("/health").json()["recognizer"]["classes"] == sorted((LEFT, RIGHT))
        with ThreadPoolExecutor(50) as pool:
            answers = list(pool.map(lambda number: post(client, data.samples[number].path), asked))
        assert [answer.status_code for answer in answers] == [200] * 50
        assert service.under_way == 0
        assert left(temporary) == []
    for number, answer in zip(asked, answers, strict=True):
        named = answer.json()
        assert list(named["probabilities"].values()) == pytest.approx(expected[number].tolist(), abs=1e-6)
        assert named["label"] == recognizer.classes[expected[number].argmax()]
    assert not list(tmp_path.glob("untouched*"))


def test_a_dive_is_said_with_its_name(clip: Path) -> None:
    class Judge(Brightness):
        classes = tuple(one.label for one in DIVING48)

        def predict(
            self, samples: Sequence[ClipSample], /, progress: object = None, cancelled: Callable[[], bool] | None = None
        ) -> NDArray[np.float64]:
            row = np.zeros(48)
            row[[5, 7]] = 0.75, 0.25  # back two and a half, with one and a half twists or without
            return np.tile(row, (len(samples), 1))

    with serving(everywhere(Judge())) as (client, _):
        dive = post(client, clip).json()["dive"]
        described = client.get("/openapi.json").json()["components"]["schemas"]
    assert dive["number"] == "5253B"
    assert dive["sentence"].endswith("with one and a half twists (75 %), pike position (100 %): 5253B or 6253B, 75 %.")
    assert dive["marginals"]["twists"] == {"0": 0.25, "1.5": 0.75} | {
        name: 0 for name in dive["marginals"]["twists"] if name not in ("0", "1.5")
    }
    assert [sum(shares.values()) for shares in dive["marginals"].values()] == pytest.approx([1.0] * 4, abs=1e-5)
    assert set(described["Dive"]["required"]) == set(dive)
    assert set(described["DiveMarginals"]["required"]) == set(dive["marginals"])


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
    recognizer = Brightness()
    with serving(everywhere(recognizer)) as (client, _):
        found = post(client, video, "/players", window=20, stride=100).json()
        assert len(found["players"]) >= 1
        windows = found["players"][0]["windows"]
        assert windows
        assert all(window["end_frame"] - window["start_frame"] == 19 for window in windows)
        assert found["notes"] == []
        recognizer.clip_s = 3 * 20 / FPS
        [note] = post(client, video, "/players", window=20, stride=100).json()["notes"]
        assert "window 60 would fit" in note
        nobody = post(client, clip, "/players")
        assert (nobody.status_code, nobody.json()["players"]) == (200, [])
        assert "Nobody was found" in nobody.json()["notes"][0]
        nothing = post(client, clip, "/find").json()
        assert (nothing["events"], nothing["frames"]) == ([], 6)


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
        out, err = process.communicate(timeout=600)
    assert (process.returncode, out) == (code, "")
    assert ("no login" in err) == warned
    assert "Traceback" not in err
    assert list((tmp_path / "tmp").iterdir()) == []


def test_a_folder_of_clips_does_not_hide_a_recognizer_of_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TRICKLINE_HOME", str(tmp_path / "home"))
    (tmp_path / "park").mkdir()
    with Workspace.open() as workspace:
        shelf.add(workspace, light(tmp_path / "trained"), "park")
    started: list[Limits] = []

    def stop(limits: Limits, opener: object, *rest: object) -> None:
        assert isinstance(opener, partial)
        assert opener.args[0].parent == tmp_path / "home" / "recognizers"
        started.append(limits)
        raise UserError("far enough.")

    monkeypatch.setattr(service, "Service", stop)
    with pytest.raises(UserError, match="far enough"):
        serve(model=[Path("park")], port=0)
    assert started


def test_the_command_refuses_what_cannot_work(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(UserError, match="choose another --port"):
        serve(port=taken.getsockname()[1])
    text, empty = tmp_path / "notes.txt", tmp_path / "empty"
    text.write_text("no bundle")
    empty.mkdir()
    for model, said in (
        (tmp_path / "typo", "typo is no recognizer"),
        (empty, "empty is no recognizer, for it has no recognizer.json"),
        (text, "nor a detector's .skops file"),
    ):
        with pytest.raises(UserError, match=re.escape(said)):
            serve(model=[model], port=0)
