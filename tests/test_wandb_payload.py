"""A webhook's payload comes from outside: what is no footage is refused in a sentence, before anything is fetched."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from core.errors import UserError
from core.wandb_log import artifact_of
from core.wandb_log.payload import MAX_BYTES
from sample_data.make_session import Session
from tests.conftest import Command, Looked

NAME = "park/trickline/skate_session_raw:v3"


@pytest.mark.parametrize(
    "said",
    [
        {"artifact_version_string": NAME},
        {"event_type": "LINK_ARTIFACT", "artifact_version_string": NAME, "event_author": "x", "more": [1, {"a": None}]},
        {"event_type": "dispatch", "client_payload": {"artifact_version_string": NAME}},
    ],
)
def test_the_artifact_is_found_in_what_webhooks_say(said: dict[str, Any]) -> None:
    assert artifact_of(json.dumps(said).encode()) == NAME


@pytest.mark.parametrize(
    ("payload", "sentence"),
    [
        (b"", "no JSON"),
        (b"\xff\xfe\x00", "no JSON"),
        (b"{", "no JSON"),
        (b"[" * 30000, "no JSON"),
        (b"[]", "names no artifact"),
        (b"{}", "names no artifact"),
        (b'{"artifact_version_string": 7}', "names no artifact"),
        (b'{"client_payload": "x"}', "names no artifact"),
        (b" " * (MAX_BYTES + 1), "more than 64 KiB"),
        *(
            (json.dumps({"artifact_version_string": name}).encode(), "is not entity/project/name:version")
            for name in (
                "", "footage", "a/b/c/d:v1", "../../etc/passwd:v1", "a/../c:v1", "a/b/c:..", "a b:v1", "a:v1\n", "é:v1",
                "--model:v1/x", "http://park.example/x:v1", "a" * 200 + ":v1", "$(reboot):v1", "a/b/c:v1;ls",
            )
        ),
    ],
)  # fmt: skip
def test_anything_else_is_refused(payload: bytes, sentence: str) -> None:
    with pytest.raises(UserError, match=sentence):
        artifact_of(payload)


def test_the_command_refuses_it_too(at_once: Command, tmp_path: Path) -> None:
    hostile = tmp_path / "payload.json"
    hostile.write_text('{"artifact_version_string": "../../../etc/passwd:v1"}')
    assert "is not entity/project/name:version" in at_once("automation", "--payload", hostile).sentence
    assert "not both" in at_once("automation", "--payload", hostile, "--footage", "x.mp4").sentence
    assert "There is no file" in at_once("automation", "--payload", tmp_path / "nowhere.json").sentence


def test_a_service_without_stdin_is_told_so(at_once: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", None)  # as Python has it where it is closed
    assert "Nothing says where the footage is" in at_once("automation").sentence


def test_footage_from_elsewhere_is_logged_only_if_asked_for(
    session: Session, at_once: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A key in the environment is no wish to send anything."""
    monkeypatch.setenv("WANDB_MODE", "offline")
    assert at_once("automation", "--footage", session.video, "--json").json["clips"]
    assert not Path("wandb").exists()


@pytest.fixture
def web(session: Session, tmp_path: Path) -> Iterator[str]:
    """Address of a folder with the drawn session in it, and with a file of over 1 MB."""

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, format: str, *args: Any) -> None:
            pass

    shutil.copy(session.video, tmp_path / "session.mp4")
    (tmp_path / "large.mp4").write_bytes(bytes(1_000_001))
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=tmp_path)) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


def test_footage_comes_from_the_web(web: str, session: Session, looked: Looked, at_once: Command) -> None:
    cut = at_once("automation", "--footage", f"{web}/session.mp4?at=noon", "--no-wandb", "--json").json
    assert cut["events"] == looked.ran.json["events"]
    assert all(Path(clip["path"]).parent.name == "highlights" for clip in cut["clips"])
    assert "There is no" in at_once("automation", "--footage", f"{web}/nowhere.mp4", "--no-wandb").sentence
    assert "--max-gb" in at_once("automation", "--footage", f"{web}/large.mp4", "--max-gb", "0.001").sentence


@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        (("--video", "a.mp4"), "leave out"),
        (("--all",), "leave out"),
        (("--labels", "a.xml", "--labels", "b.xml"), "one --labels at most"),
    ],
)
def test_metrics_of_a_run_stand_alone(at_once: Command, more: tuple[str, ...], sentence: str) -> None:
    assert sentence in at_once("train", "--metrics-run-name", "summer-wave-28", *more).sentence
