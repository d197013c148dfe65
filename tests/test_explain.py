"""Every found and every missed trick explains itself, and the reason that it gives is the one that decided."""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from core.detector import Detector, TrickDetector, starter
from core.events import find_events
from core.explain import Why, explain
from core.hop_rule import HopRule
from core.intervals import Interval
from core.metrics import REASON_WORDS
from core.settings import EventSettings, FeatureSet, TrainSettings
from core.sighting import Look
from tests.skater import JUMPS_S, table, tricks

FPS = 15
PLAIN = EventSettings(timestamp_cooldown_s=0.0, max_gap_frames=0)


@pytest.fixture(scope="module")
def footage() -> pd.DataFrame:
    return table(FPS)


def looked(measured: pd.DataFrame, stride: int = 1) -> Look:
    """A look at footage of which only the signals and the times are asked for."""
    pts_s = np.arange(len(measured) * stride) / (FPS * stride)
    return cast(Look, SimpleNamespace(signals=SimpleNamespace(table=measured), video=SimpleNamespace(pts_s=pts_s)))


def trained(feature_set: FeatureSet = "motion") -> TrickDetector:
    return TrickDetector(None, TrainSettings(feature_set=feature_set), EventSettings(), (), {})


def whys(
    measured: pd.DataFrame,
    truth: Sequence[Interval] | None,
    probability: NDArray[np.float64] | None = None,
    detector: Detector | None = None,
    stride: int = 1,
    **changed: Any,
) -> list[Why]:
    settings = PLAIN.model_copy(update=changed)
    detector = detector or HopRule()
    probability = detector.predict_proba(measured) if probability is None else probability
    look = looked(measured, stride)
    frame, time_s = measured["frame"].to_numpy(), measured["time_s"].to_numpy()
    events = find_events(frame, time_s, probability, settings, len(look.video.pts_s))
    return explain(look, detector, probability, settings, events, truth)


def flat(footage: pd.DataFrame, tops: dict[tuple[int, int], float]) -> NDArray[np.float64]:
    """Probabilities of a detector that is sure of some frames (both ends inside) and of no others."""
    probability = np.full(len(footage), 0.05)
    for (first, last), height in tops.items():
        probability[first : last + 1] = height
    return probability


def only(found: list[Why]) -> Why:
    assert len(found) == 1
    return found[0]


# Found


def test_what_was_found_says_what_the_body_did(footage: pd.DataFrame) -> None:
    found = whys(footage, tricks())
    assert [why.state for why in found] == ["hit"] * 3
    for why, jump in zip(found, JUMPS_S, strict=True):
        said = re.fullmatch(
            r"The feet rose (\d\.\d\d) torso lengths at up to (\d\.\d) a second, to the top at 0:(\d\d\.\d\d) "
            r"\(frame (\d+)\), and the legs folded from (\d\.\d\d) to (\d\.\d\d) torso lengths\. "
            r"Probability (0\.\d\d), threshold 0\.50\.",
            why.sentence,
        )
        assert said, why.sentence
        height, speed, top_s, frame, stretched, folded, probability = map(float, said.groups())
        assert height == pytest.approx(1, abs=0.1)
        assert speed > 2
        assert top_s == pytest.approx(jump, abs=0.1)
        assert frame / FPS == pytest.approx(jump, abs=0.1)
        assert folded < 0.85 * stretched
        assert probability == pytest.approx(height**2 / (height**2 + 0.25), abs=0.01)


def test_without_labels_nothing_is_right_or_wrong(footage: pd.DataFrame) -> None:
    found = whys(footage, None)
    assert [why.state for why in found] == [""] * 3
    assert all("Probability" in why.sentence and "labelled" not in why.sentence for why in found)


def test_labelled_footage_without_a_trick_has_false_alarms(footage: pd.DataFrame) -> None:
    """No labels and the label that there is nothing are two things."""
    assert [why.state for why in whys(footage, [])] == ["wrong"] * 3


def test_joined_stretches_are_said(footage: pd.DataFrame) -> None:
    pieces = flat(footage, {(50, 54): 0.9, (57, 60): 0.8, (70, 70): 0.9})
    why = only(whys(footage, [Interval(50, 60)], pieces, max_gap_frames=2, required_streak=2))
    assert why.sentence.endswith("threshold 0.50; 2 stretches at most 2 frames apart were joined.")


def test_hips_are_named_where_they_rose_higher(footage: pd.DataFrame) -> None:
    seated = footage.assign(hop_ankle_slow=0.2 * footage["hop_ankle_slow"])
    assert " The hips rose " in whys(seated, tricks())[0].sentence


def test_hardly_a_hop_is_called_so(footage: pd.DataFrame) -> None:
    why = only(whys(footage, [], flat(footage, {(180, 182): 0.7})))
    assert re.search(r"The (feet|hips) hardly rose, 0\.0\d torso lengths\.", why.sentence), why.sentence


def test_a_detector_of_poses_is_explained_by_the_pose(footage: pd.DataFrame) -> None:
    """It has never seen how high the feet were."""
    sure = flat(footage, {(56, 64): 0.9, (100, 102): 0.8})
    hit, wrong = whys(footage, [Interval(56, 64)], sure, trained("temporal"))
    assert hit.sentence.startswith("The legs folded from ")
    assert "rose" not in hit.sentence
    assert "The legs hardly folded, as far as they were measured." in wrong.sentence


def test_a_network_goes_by_its_probability(footage: pd.DataFrame) -> None:
    """How high the feet were is a fact beside it, and not what decided: it may be sure where nothing rose."""
    network = trained("kinematics")
    sure = flat(footage, {(56, 64): 0.9, (180, 182): 0.7})
    hit, wrong, missed = whys(footage, [Interval(56, 64), Interval(205, 220)], sure, network)
    assert re.match(r"Probability 0\.90, threshold 0\.50\. Measured there: the feet rose \d\.\d\d ", hit.sentence)
    assert re.fullmatch(
        r"No trick is labelled here\. Measured there: the (feet|hips) hardly rose, 0\.0\d torso lengths\. "
        r"A threshold above 0\.70 drops it\.",
        wrong.sentence,
    ), wrong.sentence
    assert re.search(
        r"came no higher than 0\.05 at .*, under the threshold of 0\.50\. Measured there: ", missed.sentence
    )


def test_the_starter_is_explained_as_the_network_that_it_is(footage: pd.DataFrame) -> None:
    found = whys(footage, None, detector=starter())
    assert found
    assert all(re.match(r"Probability .*\. Measured there: ", why.sentence) for why in found)


# False alarms


def test_a_false_alarm_says_what_would_drop_it(footage: pd.DataFrame) -> None:
    found = whys(footage, tricks()[1:])
    assert found[0].state == "wrong"
    assert found[0].sentence.startswith("No trick is labelled here. The feet rose ")
    threshold = float(found[0].sentence.split("A threshold above ")[1].split(" ")[0])
    assert len(whys(footage, [], default_threshold=threshold + 0.01)) < 3


def test_a_false_alarm_that_no_threshold_drops(footage: pd.DataFrame) -> None:
    why = only(whys(footage, [], flat(footage, {(50, 54): 1.0})))
    assert why.sentence.endswith("No threshold drops it.")


def test_a_second_piece_of_a_trick(footage: pd.DataFrame) -> None:
    pieces = flat(footage, {(50, 58): 0.9, (62, 64): 0.8})
    hit, wrong = whys(footage, [Interval(50, 64)], pieces)
    assert (hit.state, wrong.state) == ("hit", "wrong")
    assert wrong.sentence == (
        "It is a second piece of the trick at 0:03.33 (frame 50), which was found already. "
        "The pieces are 3 frames apart, and gaps of up to 0 are joined."
    )
    assert [why.state for why in whys(footage, [Interval(50, 64)], pieces, max_gap_frames=3)] == ["hit"]


@pytest.mark.parametrize(
    ("label", "length"), [((60, 62), "longer"), ((20, 52), "shorter or beside it")], ids=["much wider", "hardly in it"]
)
def test_hardly_any_overlap_is_no_hit(footage: pd.DataFrame, label: tuple[int, int], length: str) -> None:
    """Both sides of it say the same: the event is wrong and the trick is missed."""
    found = whys(footage, [Interval(*label)], flat(footage, {(50, 90): 0.9} if length == "longer" else {(50, 60): 0.9}))
    assert {why.state for why in found} == {"wrong", "missed"}
    for why in found:
        assert re.search(r"share \d% of their frames, and 10% count as found", why.sentence)
        assert why.sentence.endswith(f"the event is {length}.")


# Missed


def test_under_the_threshold(footage: pd.DataFrame) -> None:
    found = whys(footage, tricks(), default_threshold=0.9)
    assert [why.state for why in found] == ["missed"] * 3
    said = re.match(
        r"The probability came no higher than (0\.\d\d) at 0:0\d\.\d\d \(frame \d+\), under the threshold of 0\.90\. "
        r"The feet rose ",
        found[0].sentence,
    )
    assert said, found[0].sentence
    assert whys(footage, tricks(), default_threshold=float(said[1]) - 0.01)[0].state == "hit"


@pytest.mark.parametrize(
    ("probability", "threshold", "figures"),
    [(0.43, 0.5, ("0.43", "0.50")), (0.4999, 0.5, ("0.4999", "0.5000")), (0.9912, 0.994, ("0.991", "0.994"))],
)
def test_close_figures_stay_apart(
    footage: pd.DataFrame, probability: float, threshold: float, figures: tuple[str, str]
) -> None:
    """ "0.50 under 0.50" would be taken for a fault of the program."""
    made = flat(footage, {(50, 60): probability})
    sentence = only(whys(footage, [Interval(50, 60)], made, default_threshold=threshold)).sentence
    assert f"no higher than {figures[0]} at" in sentence
    assert f"threshold of {figures[1]}." in sentence


def test_dropped_by_the_streak(footage: pd.DataFrame) -> None:
    short = flat(footage, {(60, 61): 0.9})
    why = only(whys(footage, [Interval(55, 65)], short, required_streak=3))
    assert (why.state, why.interval) == ("missed", Interval(55, 65))
    assert why.sentence == (
        "It passed the threshold with 0.90, but in 2 sampled frames in a row only: the streak asks for 3."
    )
    one = only(whys(footage, [Interval(55, 65)], flat(footage, {(60, 60): 0.9}), required_streak=3))
    assert "in 1 sampled frame in a row only" in one.sentence


def test_dropped_by_the_minimum_length(footage: pd.DataFrame) -> None:
    why = only(whys(footage, [Interval(59, 62)], flat(footage, {(60, 61): 0.9}), min_event_s=0.3))
    assert why.sentence == ("It passed the threshold with 0.90, but for 0.13 s only: the minimum length is 0.3 s.")


def test_dropped_by_the_cooldown(footage: pd.DataFrame) -> None:
    close = flat(footage, {(60, 63): 0.8, (75, 78): 0.95})
    missed, hit = whys(footage, [Interval(60, 63), Interval(75, 78)], close, timestamp_cooldown_s=2.0)
    assert hit.state == "hit"
    assert missed.sentence == (
        "It passed the threshold with 0.80, but its peak is 1.00 s from that of a stronger one at 0:05.00 (0.95): "
        "the cooldown is 2 s."
    )


def test_two_tricks_in_one_event_can_be_parted(footage: pd.DataFrame) -> None:
    pair = flat(footage, {(60, 64): 0.9, (70, 73): 0.8})
    truth = [Interval(60, 64), Interval(70, 73)]
    found = whys(footage, truth, pair, max_gap_frames=8)
    assert [why.state for why in found] == ["hit", "missed"]
    assert found[1].sentence == (
        "One event, 0:04.00 (frame 60) to 0:04.86 (frame 73), spans this trick and the one at 0:04.00 (frame 60), "
        "and counts for one of them. Joining gaps of fewer than 5 frames would part them."
    )
    assert [why.state for why in whys(footage, truth, pair, max_gap_frames=4)] == ["hit", "hit"]


def test_two_tricks_without_a_gap(footage: pd.DataFrame) -> None:
    found = whys(footage, [Interval(60, 64), Interval(65, 70)], flat(footage, {(60, 70): 0.9}))
    assert "a higher one may part them." in next(why.sentence for why in found if why.state == "missed")


@pytest.mark.parametrize("reason", list(REASON_WORDS))
def test_guardrails_are_named(footage: pd.DataFrame, reason: str) -> None:
    """ "The skater was at the edge" is what a filmer can do something about."""
    hidden = footage.copy()
    hidden.loc[57:63, "rejected"] = reason
    unsure = np.where(hidden["rejected"] == "", flat(footage, {}), np.nan)
    why = only(whys(hidden, [Interval(55, 64)], unsure, trained("rich")))
    assert why.sentence.endswith(f"Of its 10 sampled frames: {REASON_WORDS[reason]} in 7.")
    nothing = np.where(np.arange(len(footage)) < 200, np.nan, 0.1)
    blind = only(whys(hidden, [Interval(57, 63)], nothing, trained("rich")))
    assert blind.sentence == f"No frame of it could be judged. Of its 7 sampled frames: {REASON_WORDS[reason]} in 7."


def test_nobody_followed_and_a_camera_that_cannot_be_measured(footage: pd.DataFrame) -> None:
    lost = footage.copy()
    lost.loc[56:64, ["hop_ankle", "hop_ankle_slow", "hop_hip"]] = np.nan
    lost.loc[60:64, "camera_dx"] = np.nan
    lost.loc[63:64, "rejected"] = "no_person"
    sentence = next(why.sentence for why in whys(lost, [Interval(56, 64)]) if why.state == "missed")
    assert sentence == (
        "No frame of it could be judged. Of its 9 sampled frames: not followed in 9, camera motion not measured in 5, "
        "nobody seen in 2."
    )


def test_a_few_bad_frames_are_not_blamed(footage: pd.DataFrame) -> None:
    lost = footage.copy()
    lost.loc[56, "rejected"] = "touching_edge"
    assert "edge" not in only(whys(lost, [Interval(50, 64)], flat(lost, {}))).sentence


def test_before_the_first_sampled_frame(footage: pd.DataFrame) -> None:
    """Of a part of a look that began late."""
    late = footage.iloc[30:].reset_index(drop=True)
    why = only(whys(late, [Interval(3, 9)], flat(late, {})))
    assert why.sentence == "No frame of it was looked at: it lies before the first sampled frame."


# All of them


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("seed", range(6))
def test_everything_has_a_reason_whatever_the_settings(seed: int, stride: int) -> None:
    """One click on any span of the timeline, and never an error instead of a sentence."""
    rng = np.random.default_rng(seed)
    footage = table(FPS, stride=stride)
    footage.loc[rng.random(len(footage)) < 0.1, "rejected"] = "touching_edge"
    footage.loc[rng.random(len(footage)) < 0.1, ["hop_ankle", "hop_ankle_slow", "hop_hip", "tuck_ratio"]] = np.nan
    probability = np.convolve(rng.random(len(footage)), np.ones(4) / 4, "same")
    probability[rng.random(len(footage)) < 0.1] = np.nan
    edges = np.sort(rng.choice(len(footage) * stride, 24, replace=False))
    truth = [Interval(int(a), int(b)) for a, b in zip(edges[::2], edges[1::2], strict=True)]
    for detector in (HopRule(), trained(), trained("kinematics"), trained("basic")):
        for changed in (
            {"default_threshold": 0.3, "max_gap_frames": 20},
            {"default_threshold": 0.6, "required_streak": 3},
            {"timestamp_cooldown_s": 3.0, "min_event_s": 0.2},
        ):
            found = whys(footage, truth, probability, detector, stride, **changed)
            missed = [why for why in found if why.state == "missed"]
            hits = [why for why in found if why.state == "hit"]
            assert len(missed) + len(hits) == len(truth)
            for why in found:
                assert why.sentence.endswith(".")
                assert "nan" not in why.sentence
                assert why.sentence.count(". ") <= 2
            starts = [why.interval.start_frame for why in found]
            assert starts == sorted(starts)


def test_an_hour_of_reasons(footage: pd.DataFrame) -> None:
    hour = pd.concat([footage] * 180, ignore_index=True)
    hour["frame"], hour["time_s"] = np.arange(len(hour)), np.arange(len(hour)) / FPS
    truth = [Interval(t.start_frame + 300 * k, t.end_frame + 300 * k) for k in range(0, 180, 2) for t in tricks()]
    probability = HopRule().predict_proba(hour)
    started = time.thread_time()
    found = whys(hour, truth, probability)
    assert time.thread_time() - started < 1.0
    assert len(found) == 3 * 180
