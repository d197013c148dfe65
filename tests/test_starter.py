"""The detector that comes with Trickline, whatever its weights, and the files that ensembles are kept in."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from core import detector as detector_module
from core.detector import STARTER, TrickDetector, starter
from core.ensemble import Ensemble
from core.errors import UserError
from core.events import find_events
from core.features import features
from core.hop_rule import HopRule
from core.intervals import Interval, match
from core.lessons import Example
from core.settings import TrainSettings
from sample_data.make_session import Session
from tests.conftest import ROOT, Looked
from tests.skater import table, tricks

NOT_A_MODEL = "trick.npz is not a Trickline model: use a file that trickline train wrote"


@pytest.fixture
def without_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    monkeypatch.setattr(detector_module, "STARTER", tmp_path / "nowhere.npz")
    starter.cache_clear()
    yield
    starter.cache_clear()


def test_it_finds_the_tricks_of_the_drawn_session(looked: Looked, session: Session) -> None:
    """And nothing else: who tries Trickline on its sample sees this first."""
    found = [Interval(event["start_frame"], event["end_frame"]) for event in looked.ran.json["events"]]
    assert len(found) == len(session.intervals) == 2
    assert len(match(session.intervals, found, 0.3)) == 2


def test_it_is_a_trained_ensemble_that_sees_what_this_version_makes() -> None:
    made = starter()
    assert isinstance(made, TrickDetector)
    assert isinstance(made.estimator, Ensemble)
    assert made.columns == features(table(15), made.settings.feature_set)[1]
    assert made is starter()


@pytest.mark.parametrize("fps", [15, 24, 30, 60])
def test_it_finds_drawn_jumps_at_any_rate(fps: int) -> None:
    footage = table(fps)
    probability = starter().predict_proba(footage)
    frame, time_s = footage["frame"].to_numpy(), footage["time_s"].to_numpy()
    events = find_events(frame, time_s, probability, starter().events, len(footage))
    found = [Interval(event.start_frame, event.end_frame) for event in events]
    assert len(match(tricks(fps), found, 0.1)) == len(found) == 3


def test_it_needs_no_scikit_learn() -> None:
    """The studio and the command find tricks before anything heavy was imported: that is a second of every start."""
    script = (
        "import sys; from core.detector import starter; from tests.skater import table;"
        "assert starter().predict_proba(table(15)).max() > 0.5; print(*sys.modules)"
    )
    ran = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, timeout=600)
    assert ran.returncode == 0, ran.stderr
    assert not {"sklearn", "skops", "torch"} & set(ran.stdout.split())
    assert "core.ensemble" in ran.stdout.split()


def test_its_file_is_small() -> None:
    assert STARTER.stat().st_size < 1_000_000


@pytest.mark.usefixtures("without_file")
def test_without_its_file_hops_are_left() -> None:
    assert isinstance(starter(), HopRule)
    with pytest.raises(UserError, match="The starter's file is missing, so it cannot be adapted: reinstall Trickline"):
        TrickDetector.fit([Example(table(15), tricks(), 300)], TrainSettings(feature_set="kinematics", model="adapted"))


# Files of ensembles


@pytest.fixture(scope="module")
def parts() -> dict[str, Any]:
    """What is in the starter's file."""
    with np.load(STARTER, allow_pickle=False) as stored:
        return {name: stored[name] for name in stored.files}


def saved(path: Path, parts: dict[str, Any]) -> Path:
    np.savez_compressed(path, **parts)
    return path


def test_the_file_of_this_version_opens(parts: dict[str, Any], tmp_path: Path) -> None:
    """Guards the tests below, which spoil one thing each."""
    again = TrickDetector.load(saved(tmp_path / "trick.npz", parts))
    assert again.predict_proba(table(15)).tobytes() == starter().predict_proba(table(15)).tobytes()


class Trap:
    """Runs when it is unpickled."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.marker,)


@pytest.mark.parametrize("name", ["about", "output", "weight_0_0", "more"])
def test_objects_are_never_unpickled(parts: dict[str, Any], tmp_path: Path, name: str) -> None:
    marker = tmp_path / "was here"
    path = saved(tmp_path / "trick.npz", {**parts, name: np.array([Trap(marker)], dtype=object)})
    with pytest.raises(UserError, match=NOT_A_MODEL):
        TrickDetector.load(path)
    assert not marker.exists()
    with np.load(path, allow_pickle=True) as stored:
        stored[name]  # the trap works
    assert marker.exists()


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"center": np.zeros(3, np.float32)}, id="fewer features"),
        pytest.param({"weight_0_1": np.zeros((5, 5), np.float32)}, id="a layer that does not fit"),
        pytest.param({"output": np.array(["a"] * 72)}, id="words"),
        pytest.param({"output": np.full(72, np.nan)}, id="no numbers"),
        pytest.param({"bias": np.zeros(3)}, id="three biases"),
        pytest.param({"about": np.zeros(3)}, id="says numbers"),
        pytest.param({"about": np.array("hello")}, id="says hello"),
        pytest.param({"about": np.array("{}")}, id="says nothing"),
    ],
)
def test_arrays_that_do_not_fit(parts: dict[str, Any], tmp_path: Path, change: dict[str, Any]) -> None:
    with pytest.raises(UserError, match=NOT_A_MODEL):
        TrickDetector.load(saved(tmp_path / "trick.npz", {**parts, **change}))


@pytest.mark.parametrize(
    "change",
    [
        {"columns": ["feet_speed"]},
        {"settings": {"feature_set": "clairvoyance"}},
        {"meta": {}},
    ],
)
def test_a_file_that_says_nonsense(parts: dict[str, Any], tmp_path: Path, change: dict[str, Any]) -> None:
    said = json.dumps({**json.loads(str(parts["about"])), **change})
    with pytest.raises(UserError, match=NOT_A_MODEL):
        TrickDetector.load(saved(tmp_path / "trick.npz", {**parts, "about": np.array(said)}))


def test_an_ensemble_of_other_features_is_refused(parts: dict[str, Any], tmp_path: Path) -> None:
    said = json.loads(str(parts["about"]))
    said["settings"]["feature_set"] = "motion"
    with pytest.raises(UserError, match="goes with the feature set kinematics alone"):
        TrickDetector.load(saved(tmp_path / "trick.npz", {**parts, "about": np.array(json.dumps(said))}))


def test_another_version_is_said(parts: dict[str, Any], tmp_path: Path) -> None:
    said = json.dumps({**json.loads(str(parts["about"])), "bundle": 2})
    with pytest.raises(UserError, match="was made by another version of Trickline: train it again"):
        TrickDetector.load(saved(tmp_path / "trick.npz", {**parts, "about": np.array(said)}))


def test_no_small_file_fills_the_memory(parts: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Zeros pack a thousandfold. What is too large is not even begun."""
    path = saved(tmp_path / "trick.npz", {**parts, "more": np.zeros(100_000_000, np.uint8)})
    assert path.stat().st_size < 1_000_000
    monkeypatch.setattr(np, "load", lambda *_, **__: pytest.fail("was unpacked"))
    with pytest.raises(UserError, match=NOT_A_MODEL):
        TrickDetector.load(path)


@pytest.mark.parametrize("shape", [(10**13,), (2**62, 4), (-1,), (10**6, 10**6)])
def test_a_header_that_promises_too_much(parts: dict[str, Any], tmp_path: Path, shape: tuple[int, ...]) -> None:
    """The shape in the header decides how much memory is asked for, before a byte of it was read."""
    path = saved(tmp_path / "trick.npz", parts)
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "<f8", "fortran_order": False, "shape": shape})
    with zipfile.ZipFile(path) as source:
        content = {name: source.read(name) for name in source.namelist()}
    with zipfile.ZipFile(path, "w") as target:
        for name, data in {**content, "output.npy": header.getvalue() + bytes(64)}.items():
            target.writestr(name, data)
    with pytest.raises(UserError, match=NOT_A_MODEL):
        TrickDetector.load(path)


@pytest.mark.parametrize("kept", [0.3, 0.6, 0.9, 0.999])
def test_a_truncated_file(tmp_path: Path, kept: float) -> None:
    """A download that broke off."""
    whole = STARTER.read_bytes()
    path = tmp_path / "trick.npz"
    path.write_bytes(whole[: int(kept * len(whole))])
    with pytest.raises(UserError, match=NOT_A_MODEL):
        TrickDetector.load(path)


def test_damaged_bytes(tmp_path: Path) -> None:
    """Whatever byte a failing disk flips, it is a sentence or the very same ensemble."""
    path = tmp_path / "trick.npz"
    whole = STARTER.read_bytes()
    expected = starter().predict_proba(table(15)).tobytes()
    refused = 0
    for place in np.random.default_rng(42).integers(0, len(whole), 20):
        damaged = bytearray(whole)
        damaged[place] ^= 0x55
        path.write_bytes(damaged)
        try:
            assert TrickDetector.load(path).predict_proba(table(15)).tobytes() == expected
        except UserError as error:
            refused += NOT_A_MODEL in str(error)
    assert refused >= 15
