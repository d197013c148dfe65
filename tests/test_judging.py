"""A detector is judged by what it has not seen, or the page says that it is not."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from core.detector import TrickDetector
from core.hop_rule import HopRule
from core.intervals import Interval
from core.judging import Origin, judge
from core.lessons import Example
from core.records import ModelRecord
from core.settings import TrainSettings
from core.training import train
from core.unseen import kept_unseen
from core.validate import Labelled, left_out
from core.workspace import Workspace
from tests.skater import JUMPS_S, table, tricks

QUICK = TrainSettings(model="logreg")


def labelled(jumps_s: tuple[float, ...], name: str) -> Labelled:
    footage = table(15, jumps_s)
    return Labelled(Example(footage, tricks(15, jumps_s), len(footage), name), footage["time_s"].to_numpy())


VIDEOS = {
    "aa": labelled(JUMPS_S, "monday"),
    "bb": labelled((5.0, 12.0), "tuesday"),
    "cc": labelled((6.0, 13.0), "friday"),
    "dd": labelled((10.0,), "once"),
}


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    with Workspace.open(tmp_path) as made:
        yield made


def model(workspace: Workspace, trained_on: list[str], *, by_name: bool = False) -> tuple[TrickDetector, ModelRecord]:
    """As a job keeps it, or as the command line does, which knows the names of the files only."""
    detector = TrickDetector.fit([VIDEOS[one].example for one in trained_on], QUICK)
    meta = detector.meta if by_name else {**detector.meta, "sessions": trained_on}
    return detector, workspace.add_model(b"-", "test", meta)


def test_the_starter_knows_nothing_by_heart(workspace: Workspace) -> None:
    made = judge(workspace, HopRule(), None, ["aa", "bb"], VIDEOS.get)
    assert [one.origin for one in made.by_video.values()] == ["starter"] * 2
    expected = HopRule().predict_proba(VIDEOS["bb"].example.table)
    assert np.array_equal(made.by_video["bb"].probability, expected, equal_nan=True)
    assert made.importance == ()


@pytest.mark.parametrize(
    ("trained_on", "by_name", "wanted", "expected"),
    [
        pytest.param(["aa"], False, ["aa"], ["left out"], id="its one video"),
        pytest.param(["aa"], True, ["aa"], ["left out"], id="its one video, known by the name of the file"),
        pytest.param(["aa", "bb"], False, ["bb"], ["left out"], id="one of its videos"),
        pytest.param(["aa", "bb"], True, ["bb"], ["known by heart"], id="one of its videos, the other unknown"),
        pytest.param(["aa", "bb"], False, ["cc", "aa"], ["other footage", "left out"], id="both kinds"),
        pytest.param(["aa"], True, ["cc"], ["other footage"], id="another video"),
        pytest.param(["dd"], False, ["dd"], ["known by heart"], id="a trick that cannot be left out"),
    ],
)
def test_where_the_probabilities_come_from(
    workspace: Workspace, trained_on: list[str], by_name: bool, wanted: list[str], expected: list[Origin]
) -> None:
    detector, record = model(workspace, trained_on, by_name=by_name)
    made = judge(workspace, detector, record, wanted, VIDEOS.get)
    assert list(made.by_video) == wanted
    assert [one.origin for one in made.by_video.values()] == expected
    assert all(one.note.endswith(".") for one in made.by_video.values())
    assert bool(made.importance) == ("left out" in expected)


def test_left_out_means_the_detectors_of_the_validation(workspace: Workspace) -> None:
    detector, record = model(workspace, ["aa", "bb"])
    made = judge(workspace, detector, record, ["bb"], VIDEOS.get)
    expected = left_out([VIDEOS["aa"], VIDEOS["bb"]], QUICK)
    assert expected is not None
    assert np.array_equal(made.by_video["bb"].probability, expected[1], equal_nan=True)


def test_what_the_training_left_out_is_not_left_out_once_more(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It takes as long as the training did."""
    videos = {one: VIDEOS[one] for one in ("aa", "bb")}
    trained = train(list(videos.values()), QUICK, ["movenet", "movenet"], weighed=True)
    assert trained.unseen is not None
    record = workspace.add_model(b"-", "test", {**trained.meta, "sessions": list(videos)})
    with monkeypatch.context() as patched:
        patched.setattr("core.unseen.left_out", lambda *_: pytest.fail("it is left out again"))
        kept_unseen(workspace, record.id, QUICK, videos, trained.unseen)
        made = judge(workspace, trained.detector, record, ["bb"], VIDEOS.get)
    assert np.array_equal(made.by_video["bb"].probability, trained.unseen.probabilities[1], equal_nan=True)
    assert made.importance == trained.unseen.importance


def test_footage_that_taught_rejections_alone_counts(workspace: Workspace) -> None:
    """Somebody went through it and rejected all that was found: it has no trick, and the model has learnt from it."""
    only = VIDEOS["cc"].example
    rejected = replace(VIDEOS["cc"], example=replace(only, truth=(), known=[Interval(60, 120)]))
    videos = {"aa": VIDEOS["aa"], "bb": VIDEOS["bb"], "cc": rejected}
    detector = TrickDetector.fit([video.example for video in videos.values()], QUICK)
    record = workspace.add_model(b"-", "test", {**detector.meta, "sessions": list(videos)})
    made = judge(workspace, detector, record, ["aa", "cc"], videos.get)
    assert [one.origin for one in made.by_video.values()] == ["left out", "left out"]
    forgotten = replace(rejected, example=replace(rejected.example, known=()))
    made = judge(workspace, detector, record, ["aa"], {**videos, "cc": forgotten}.get)
    assert made.by_video["aa"].origin == "known by heart"
    assert "not here any more" in made.by_video["aa"].note


def test_a_session_that_is_gone_is_said(workspace: Workspace) -> None:
    """Its model stays, but nobody can say any more what it is worth on the others."""
    detector, record = model(workspace, ["aa", "bb"])
    made = judge(workspace, detector, record, ["aa"], {"aa": VIDEOS["aa"]}.get)
    (only,) = made.by_video.values()
    assert only.origin == "known by heart"
    assert "not here any more" in only.note
    assert np.array_equal(only.probability, detector.predict_proba(VIDEOS["aa"].example.table), equal_nan=True)
