"""Probabilities to tune on that no label has leaked into, and which signals they came from."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from core import unseen as unseen_module
from core.errors import UserError
from core.features import FEATURE_SETS, features
from core.lessons import Example
from core.metrics import MOTION_COLUMNS
from core.settings import TrainSettings
from core.unseen import SIGNALS, SURENESS, kept_unseen, signal_of, unseen
from core.validate import Labelled, left_out
from core.workspace import Workspace
from tests.skater import JUMPS_S, table, tricks

QUICK = TrainSettings(model="logreg")


def labelled(jumps_s: tuple[float, ...] = JUMPS_S, seconds: float = 20.0) -> Labelled:
    footage = table(15, jumps_s, seconds)
    return Labelled(Example(footage, tricks(15, jumps_s), len(footage)), footage["time_s"].to_numpy())


@pytest.mark.parametrize(
    ("feature", "title"),
    [
        ("hop_ankle", "height of the feet"),
        ("hop_ankle_slow_max_0.75s", "height of the feet"),
        ("hop_hip_since_0.2s", "height of the hips"),
        ("ankle_vy_std_0.25s", "speed of the feet"),
        ("tuck_ratio_mean_0.25s", "tuck ratio"),
        ("hip_y", "place in the picture"),
        ("left_hip_conf", SURENESS),
        ("audio_onset_until_0.2s", "sound"),
        ("feet_hop_0.5_mean_1.0", "height of the feet"),
        ("feet_speed_since_0.8", "speed of the feet"),
        ("hips_flight_0.3", "height of the hips"),
        ("torso", "stretch of the torso"),
        ("torso_len", "size of the skater"),
        ("leg_conf_mean_0.5", SURENESS),
    ],
)
def test_features_go_by_the_signal_that_they_are_made_of(feature: str, title: str) -> None:
    assert signal_of(feature) == title


def test_every_feature_has_a_plain_name() -> None:
    """A new signal would else be shown as how sure the pose is."""
    made = {name for feature_set in FEATURE_SETS for name in features(table(15), feature_set)[1]}
    for name in made:
        assert (signal_of(name) == SURENESS) == ("conf" in name or name == "legs_seen")
    for title, beginnings in SIGNALS.items():
        for beginning in beginnings:
            own = [name for name in made if name == beginning or name.startswith(f"{beginning}_")]
            assert title in {signal_of(name) for name in own}


def test_they_are_the_probabilities_of_the_validation() -> None:
    """What is tuned and what the table says must be about the same detectors."""
    video = labelled()
    made = unseen([video], QUICK)
    plain = left_out([video], QUICK)
    assert made is not None
    assert plain is not None
    assert np.array_equal(made.probabilities[0], plain[0], equal_nan=True)


@pytest.mark.parametrize("model", ["rf", "logreg", "gb"])
def test_what_makes_the_difference_comes_first(model: str) -> None:
    """The drawn skater's jumps are in every signal; when all others are noise, only one can be leaned on."""
    video = labelled()
    footage = video.example.table.copy()
    noise = np.random.default_rng(42)
    for name in (*MOTION_COLUMNS, "tuck_ratio", "audio_onset"):
        if name not in SIGNALS["speed of the hips"]:
            footage[name] = noise.normal(size=len(footage))
    made = unseen(
        [Labelled(Example(footage, video.example.truth, len(footage)), video.pts_s)],
        TrainSettings.model_validate({"model": model, "trees": 30}),
    )
    assert made is not None
    assert made.importance[0].title == "speed of the hips"
    assert made.importance[0].drop > 2 * abs(made.importance[1].drop)


def test_the_same_seed_gives_the_same_importance() -> None:
    first, second = (unseen([labelled()], QUICK) for _ in range(2))
    assert first is not None
    assert second is not None
    assert first.importance == second.importance


def test_one_trick_cannot_be_left_out() -> None:
    with pytest.raises(UserError, match="needs at least two labelled tricks"):
        unseen([labelled((10.0,))], QUICK)


def test_it_is_worked_out_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Opening the page again must not train again; other measurements must."""
    videos = {"a1": labelled(), "b2": labelled((5.0, 12.0))}
    with Workspace.open(tmp_path) as workspace:
        first = kept_unseen(workspace, "m1", QUICK, videos)
        calls = []
        monkeypatch.setattr(unseen_module, "unseen", lambda *asked: calls.append(asked))
        again = kept_unseen(workspace, "m1", QUICK, videos)
        assert not calls
        assert first is not None
        assert again is not None
        assert again.importance == first.importance
        for one, other in zip(first.probabilities, again.probabilities, strict=True):
            assert np.array_equal(one, other, equal_nan=True)
        videos["a1"].example.table.loc[3, "hop_ankle"] = 7.0
        kept_unseen(workspace, "m1", QUICK, videos)
        kept_unseen(workspace, "m2", QUICK, {"b2": videos["b2"]})
        assert len(calls) == 2
