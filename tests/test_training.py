"""Training: the settings that come with a detector, and what may be learnt from together."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from core.detector import TrickDetector
from core.errors import Cancelled, UserError
from core.intervals import Interval
from core.lessons import Example
from core.settings import EventSettings, TrainSettings
from core.training import check_backends, event_settings, train
from core.validate import Labelled
from tests.skater import JUMPS_S, table, tricks

QUICK = TrainSettings(model="logreg")


def labelled(jumps_s: tuple[float, ...], name: str) -> Labelled:
    footage = table(15, jumps_s)
    return Labelled(Example(footage, tricks(15, jumps_s), len(footage), name), footage["time_s"].to_numpy())


MONDAY, FRIDAY = labelled(JUMPS_S, "monday"), labelled((5.0, 12.0), "friday")
OPENVINO, LITERT, YOLO = "movenet-multipose-openvino", "movenet-multipose-litert", "yolov8n-pose-1f-openvino-640"


@pytest.fixture(autouse=True)
def _quick_original(monkeypatch: pytest.MonkeyPatch) -> None:
    """The original's forest of 200 trees stands beside every validation, and is not what is tried here."""
    monkeypatch.setattr("core.validate.ORIGINAL", TrainSettings(feature_set="temporal", model="logreg"))


def test_the_chosen_settings_travel_with_the_detector(tmp_path: Path) -> None:
    """So that detect and run use them without a flag."""
    trained = train([MONDAY, FRIDAY], QUICK, [OPENVINO, OPENVINO])
    assert trained.untuned is None
    assert "learning_curve" not in trained.detector.meta
    chosen, _ = event_settings([MONDAY, FRIDAY], QUICK)
    assert trained.detector.events == chosen
    trained.detector.save(tmp_path / "model.skops")
    assert TrickDetector.load(tmp_path / "model.skops").events == chosen


def likely(video: Labelled, at_s: dict[float, float]) -> NDArray[np.float64]:
    """As probable as told for 0.3 s to either side of a moment."""
    time_s = video.example.table["time_s"].to_numpy()
    probability = np.zeros(len(time_s))
    for moment, height in at_s.items():
        probability[np.abs(time_s - moment) <= 0.3] = height
    return probability


def test_a_wanted_recall_lowers_the_threshold(monkeypatch: pytest.MonkeyPatch) -> None:
    """A trick that hardly shows is found only at the price of false alarms."""
    unseen = [likely(FRIDAY, {5.0: 0.9, 12.0: 0.3, 2.0: 0.4, 8.0: 0.4, 16.0: 0.4})]
    monkeypatch.setattr("core.validate.left_out", lambda *_: unseen)
    assert event_settings([FRIDAY], QUICK)[0].default_threshold > 0.4
    assert event_settings([FRIDAY], QUICK, 1.0)[0].default_threshold <= 0.3
    assert event_settings([FRIDAY], QUICK, 0.5)[0].default_threshold > 0.4


def test_where_nothing_can_be_left_out_the_defaults_stay() -> None:
    once = labelled((10.0,), "once")
    settings, why = event_settings([once], QUICK)
    assert settings == EventSettings()
    assert why
    assert why.startswith("The threshold and the event rules stay at their defaults. Leaving one trick out needs")
    assert train([once], QUICK, [OPENVINO]).untuned == why


def test_what_nobody_decided_on_is_no_false_alarm(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else a review of a few moments would push the threshold up, whatever else there is to find."""
    known = [Interval(45, 105)]  # 3 to 7 s
    reviewed = replace(FRIDAY, example=replace(FRIDAY.example, truth=FRIDAY.example.truth[:1], known=known))
    unseen = [
        likely(FRIDAY, {5.0: 0.6, 9.0: 0.9, 12.0: 0.9, 16.0: 0.9}),
        likely(MONDAY, {4.0: 0.95, 9.0: 0.95, 15.0: 0.95, 12.0: 0.5}),
    ]
    monkeypatch.setattr("core.validate.left_out", lambda *_: unseen)
    assert 0.5 < event_settings([reviewed, MONDAY], QUICK)[0].default_threshold <= 0.6
    all_known = replace(reviewed, example=replace(reviewed.example, known=None))
    assert event_settings([all_known, MONDAY], QUICK)[0].default_threshold > 0.9


def test_one_network_on_two_runtimes_is_one() -> None:
    check_backends(["monday", "friday"], [OPENVINO, LITERT])
    assert train([MONDAY, FRIDAY], QUICK, [LITERT, OPENVINO]).detector.meta["pose"] == LITERT


def test_sessions_seen_by_different_networks_are_not_mixed() -> None:
    with pytest.raises(UserError) as refused:
        train([MONDAY, FRIDAY, MONDAY], QUICK, [OPENVINO, YOLO, LITERT], names=["Monday", "Friday", "Sunday"])
    assert "Monday, Sunday by movenet; Friday by yolov8n" in str(refused.value)
    assert "process them anew with one of them" in str(refused.value)


def test_the_curve_is_measured_where_it_is_asked_for_and_there_is_enough() -> None:
    many = [labelled(tuple(at + shift for at in JUMPS_S), f"day {shift}") for shift in (0.0, 0.5, 1.0, 1.5)]
    steps: list[str] = []
    trained = train(many, QUICK, [OPENVINO] * 4, lambda step, _: steps.append(step), replayed=True)
    assert list(dict.fromkeys(steps)) == ["training", "tuning", "checking", "replaying the corrections"]
    curve = trained.detector.meta["learning_curve"]
    assert [point["corrections"] for point in curve][:3] == [0, 2, 5]
    assert "learning_curve" not in train(many[:1], QUICK, [OPENVINO], replayed=True).detector.meta


def test_a_replay_can_be_stopped() -> None:
    many = [labelled(tuple(at + shift for at in JUMPS_S), f"day {shift}") for shift in (0.0, 0.5, 1.0, 1.5)]
    steps: list[str] = []
    with pytest.raises(Cancelled):
        train(
            many,
            QUICK,
            [OPENVINO] * 4,
            lambda step, _: steps.append(step),
            lambda: "replaying the corrections" in steps,
            replayed=True,
        )
    assert steps.count("replaying the corrections") == 1
