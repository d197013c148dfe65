"""The crop follows the skater calmly and keeps him whole through the trick.

A crop that trembles, crawls, reaches beyond the picture or cuts off the board ruins the clip that was to be shared.
"""

from __future__ import annotations

import dataclasses
from itertools import pairwise

import numpy as np
import pytest
from numpy.typing import NDArray

from core.framing import Aspect, Keyframe
from core.framing.bodies import Bodies, look_at_bodies
from core.framing.crop import CropPath, acceleration, crop_path, kept_share, window_of
from core.framing.keyframes import EASE_S
from core.framing.smooth import MAX_SPEED
from core.intervals import Interval
from core.metrics import signals
from core.settings import GuardrailSettings
from tests.skater import ASPECT, filmed

SIZE = (1280, 720)
PORTRAIT = (720, 1280)
FPS = 30.0


def times(seconds: float, fps: float = FPS) -> NDArray[np.float64]:
    return np.arange(round(seconds * fps)) / fps


def walking(
    time_s: NDArray[np.float64],
    x: NDArray[np.float64] | float,
    y: NDArray[np.float64] | float = 0.5,
    size: tuple[float, float] = (0.08, 0.4),
    stride: int = 2,
) -> Bodies:
    """A body round ``x, y``, NaN where unseen, with a tenth of its height as air; every ``stride``-th frame sampled."""
    x, y, _ = np.broadcast_arrays(x, y, time_s)
    x, y = np.where(np.isnan(y), np.nan, x), np.where(np.isnan(x), np.nan, y)
    half = np.array(size) / 2
    core = np.stack([x - half[0], y - half[1], x + half[0], y + half[1]], axis=1)[::stride]
    air = 0.1 * size[1]
    needed = core + air * np.array([-SIZE[1] / SIZE[0], -1, SIZE[1] / SIZE[0], 1])
    frame = np.arange(0, len(time_s), stride)
    return Bodies(frame, time_s[::stride], core, needed, np.zeros(len(frame), np.int64))


def whole(time_s: NDArray[np.float64]) -> Interval:
    return Interval(0, len(time_s) - 1)


def check_inside(path: CropPath) -> None:
    for start, side, end in ((path.x, path.width, path.picture[0]), (path.y, path.height, path.picture[1])):
        assert start.min() >= 0
        assert (start + side).max() <= end + 1e-9


@pytest.mark.parametrize(
    ("size", "aspect", "window"),
    [
        ((1920, 1080), "source", (1920, 1080)),
        ((1921, 1081), "source", (1920, 1080)),
        ((1920, 1080), "9:16", (606, 1080)),
        ((1920, 1080), "4:5", (864, 1080)),
        ((1920, 1080), "1:1", (1080, 1080)),
        ((1080, 1920), "9:16", (1080, 1920)),
        ((1080, 1920), "4:5", (1080, 1350)),
        ((640, 360), "9:16", (202, 360)),
        ((635, 361), "1:1", (360, 360)),
    ],
)
def test_the_window_is_the_largest_even_one_that_fits(
    size: tuple[int, int], aspect: Aspect, window: tuple[int, int]
) -> None:
    assert window_of(size, aspect) == window


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("aspect", ["source", "9:16", "4:5", "1:1"])
@pytest.mark.parametrize("size", [SIZE, PORTRAIT, (641, 359)])
def test_whatever_the_skater_does_the_crop_stays_in_the_picture_and_one_size(
    seed: int, aspect: Aspect, size: tuple[int, int]
) -> None:
    rng = np.random.default_rng(seed)
    time_s = np.cumsum(rng.choice([1 / 60, 1 / 30, 1 / 24, 0.2], 120, p=[0.3, 0.4, 0.28, 0.02]))
    x, y = (0.5 + np.cumsum(rng.normal(0, 0.04, 120)) for _ in range(2))  # walks out of the picture too
    x[rng.random(120) < 0.2] = np.nan
    bodies = dataclasses.replace(walking(time_s, x, y, stride=1), shot=np.cumsum(rng.random(120) < 0.03))
    clip = Interval(7, 111)
    path = crop_path(bodies, size, time_s, clip, [Interval(30, 50)], aspect)
    check_inside(path)
    assert path.frame.tolist() == list(range(7, 112))
    assert {(w, h) for w, h in zip(path.width, path.height, strict=True)} == {path.window}
    assert all(side % 2 == 0 for side in path.window)


def test_a_skater_who_rolls_through_the_picture_is_kept_all_the_way() -> None:
    time_s = times(6)
    bodies = walking(time_s, 0.1 + 0.8 * time_s / 6)
    path = crop_path(bodies, SIZE, time_s, whole(time_s), [], "9:16")
    assert kept_share(path, bodies) == 1.0
    assert path.x[-1] - path.x[0] > 0.5 * SIZE[0]
    assert acceleration(path, time_s)[0] < 0.5


def test_a_skater_who_stands_and_sways_does_not_move_the_crop() -> None:
    time_s, rng = times(12), np.random.default_rng(0)
    jitter, sway = rng.normal(0, 0.004, len(time_s)), 0.01 * np.sin(2 * np.pi * 0.4 * time_s)
    path = crop_path(walking(time_s, 0.62 + jitter + sway), SIZE, time_s, whole(time_s), [], "9:16")
    assert np.ptp(path.x) < 1e-3
    assert abs(path.x[0] + path.width[0] / 2 - 0.62 * SIZE[0]) < 0.1 * path.width[0]


@pytest.mark.parametrize("height", [0.15, 0.35])
def test_a_jump_in_a_portrait_video_keeps_head_and_board(height: float) -> None:
    time_s = times(6)
    y = 0.6 - height * np.exp(-(((time_s - 3) / 0.2) ** 2))
    bodies, trick = walking(time_s, 0.5, y, (0.3, 0.35)), Interval(78, 102)
    path = crop_path(bodies, PORTRAIT, time_s, whole(time_s), [trick], "1:1")
    assert kept_share(path, bodies, [trick]) == 1.0
    assert np.all(path.x == 0)


def test_a_dash_is_kept_where_it_is_the_trick_and_taken_calmly_where_it_is_not() -> None:
    time_s = times(6)
    x = 0.2 + 0.6 / (1 + np.exp(-(time_s - 3) / 0.04))  # half the picture in a fifth of a second
    bodies, dash = walking(time_s, x), Interval(80, 100)
    paths = [crop_path(bodies, SIZE, time_s, whole(time_s), tricks, "9:16") for tricks in ([], [dash])]
    shares = [kept_share(path, bodies, [dash]) for path in paths]
    speeds = [np.abs(np.diff(path.x) / np.diff(time_s)).max() / path.window[0] for path in paths]
    assert shares[1] == 1.0 > shares[0]
    assert speeds[0] <= MAX_SPEED + 1e-6 < speeds[1]


def test_the_crop_looks_ahead() -> None:
    """It is on its way before the skater reaches the edge, so it needs not hurry after him."""
    time_s = times(8)
    x = np.where(time_s < 4, 0.25, np.minimum(0.25 + 0.3 * (time_s - 4), 0.8))
    path = crop_path(walking(time_s, x), SIZE, time_s, whole(time_s), [], "9:16")
    assert path.x[np.searchsorted(time_s, 4.0)] > path.x[0] + 1


def test_where_nobody_is_seen_for_long_it_waits_and_goes_to_the_middle() -> None:
    time_s = times(12)
    x = np.where(time_s < 3, 0.2, np.nan)
    bodies = walking(time_s, x)
    path = crop_path(bodies, SIZE, time_s, whole(time_s), [], "9:16")
    assert path.followed.tolist() == (path.frame < 90).tolist()
    middle = path.x + path.width / 2
    assert abs(middle[105] - 0.2 * SIZE[0]) < 0.15 * path.width[0]
    assert abs(middle[-1] - SIZE[0] / 2) < 0.1 * path.width[0]
    assert "75%" in path.notes[0]
    assert acceleration(path, time_s)[1] < 4


def test_a_skater_who_leaves_and_comes_back_is_kept_up_to_the_edge() -> None:
    time_s = times(9)
    x = np.select([time_s < 3, time_s > 6], [0.7 + 0.1 * time_s, 1.6 - 0.1 * time_s], np.nan)
    bodies = walking(time_s, x)
    path = crop_path(bodies, SIZE, time_s, whole(time_s), [], "9:16")
    assert kept_share(path, bodies) > 0.95
    assert path.notes == ()
    assert path.x[135] < path.x[85] - 0.3 * path.width[0]  # in between it goes towards the middle
    check_inside(path)


def test_a_clip_without_anybody_stays_in_the_middle_and_says_so() -> None:
    time_s = times(3)
    path = crop_path(walking(time_s, np.nan), SIZE, time_s, whole(time_s), [Interval(10, 20)], "9:16")
    assert not path.followed.any()
    assert path.x + path.width / 2 == pytest.approx(SIZE[0] / 2)
    assert path.notes == ("Nobody was seen in this clip: the crop stays in the middle.",)
    assert np.isnan(kept_share(path, walking(time_s, np.nan)))


@pytest.mark.parametrize(("gap_s", "bridged"), [(0.6, True), (1.2, False)])
def test_short_gaps_are_bridged_and_long_ones_are_not(gap_s: float, bridged: bool) -> None:
    time_s = times(6)
    lost = np.abs(time_s - 3) < gap_s / 2
    path = crop_path(
        walking(time_s, np.where(lost, np.nan, 0.3 + time_s / 20)), SIZE, time_s, whole(time_s), [], "9:16"
    )
    assert path.followed.all() == bridged
    assert np.abs(np.diff(path.x)).max() < 5  # pixels


def test_the_crop_jumps_with_a_cut_and_does_not_pan_across_it() -> None:
    time_s = times(4)
    bodies = walking(time_s, np.where(time_s < 2, 0.25, 0.75))
    bodies = dataclasses.replace(bodies, shot=(bodies.time_s >= 2).astype(np.int64))
    path = crop_path(bodies, SIZE, time_s, whole(time_s), [], "9:16")
    assert np.ptp(path.x[:60]) < 1e-3
    assert np.ptp(path.x[60:]) < 1e-3
    assert path.x[60] - path.x[59] == pytest.approx(0.5 * SIZE[0], abs=0.2 * path.width[0])
    assert acceleration(path, time_s)[1] < 1e-3


def test_nothing_is_carried_over_a_cut() -> None:
    time_s = times(4)
    bodies = walking(time_s, np.where(time_s < 1.8, 0.25, np.where(time_s < 2.2, np.nan, 0.75)))
    bodies = dataclasses.replace(bodies, shot=(bodies.time_s >= 2).astype(np.int64))
    path = crop_path(bodies, SIZE, time_s, whole(time_s), [], "9:16")
    assert path.followed.tolist() == ((path.frame < 54) | (path.frame >= 66)).tolist()


def test_a_skater_larger_than_the_window_is_centred_on_and_it_is_said() -> None:
    time_s = times(4)
    bodies, trick = walking(time_s, 0.6, size=(0.5, 0.9)), Interval(40, 70)
    path = crop_path(bodies, SIZE, time_s, whole(time_s), [trick], "9:16")
    assert path.x + path.width / 2 == pytest.approx(0.6 * SIZE[0], abs=0.1 * path.width[0])
    assert len(path.notes) == 1
    assert "100% of the trick" in path.notes[0]
    assert crop_path(bodies, SIZE, time_s, whole(time_s), [trick], "1:1").notes == ()


def test_a_skater_hardly_smaller_than_the_window_is_kept_though_his_margins_do_not_fit() -> None:
    time_s = times(4)
    window = window_of(SIZE, "9:16")[0] / SIZE[0]
    bodies = walking(time_s, 0.3 + 0.1 * time_s, size=(0.95 * window, 0.9))
    path = crop_path(bodies, SIZE, time_s, whole(time_s), [whole(time_s)], "9:16")
    assert kept_share(path, bodies) == 1.0


def test_keyframes_are_hit_exactly_and_the_rest_is_left_alone() -> None:
    time_s = times(10)
    bodies, clip = walking(time_s, 0.3), whole(time_s)
    keys = [Keyframe(120, 0.7, 0.5), Keyframe(150, 0.6, 0.4, 2.0), Keyframe(260, 0.0, 0.0)]
    automatic = crop_path(bodies, SIZE, time_s, clip, [], "9:16")
    path = crop_path(bodies, SIZE, time_s, clip, [], "9:16", keys)
    middle = np.stack([path.x + path.width / 2, path.y + path.height / 2], axis=1)
    assert middle[120] == pytest.approx([0.7 * SIZE[0], 0.5 * SIZE[1]])
    assert middle[150] == pytest.approx([0.6 * SIZE[0], 0.4 * SIZE[1]])
    assert path.height[150] == pytest.approx(SIZE[1] / 2)
    assert (path.x[260], path.y[260]) == (0.0, 0.0)  # as far as the picture goes
    near = np.min([np.abs(time_s - time_s[key.frame]) for key in keys], axis=0) <= EASE_S
    assert np.array_equal(path.x[~near], automatic.x[~near])
    assert acceleration(path, time_s)[1] < 10
    check_inside(path)


def test_keyframes_close_together_lead_from_one_to_the_next() -> None:
    time_s = times(6)
    keys = [Keyframe(90, 0.6, 0.5), Keyframe(135, 0.8, 0.5)]  # 1.5 s apart, the skater far from both
    path = crop_path(walking(time_s, 0.2), SIZE, time_s, whole(time_s), [], "9:16", keys)
    assert all(a <= b for a, b in pairwise(path.x[90:136]))


def test_a_keyframe_counts_from_outside_the_clip_but_not_across_a_cut() -> None:
    time_s = times(6)
    bodies = walking(time_s, 0.3)
    cut = dataclasses.replace(bodies, shot=(bodies.frame >= 90).astype(np.int64))
    key, clip = Keyframe(84, 0.8, 0.5), Interval(90, 179)
    led = crop_path(bodies, SIZE, time_s, clip, [], "9:16", [key])
    assert led.x[0] > led.x[-1] + 0.2 * SIZE[0]
    untouched = crop_path(cut, SIZE, time_s, clip, [], "9:16", [key])
    assert np.ptp(untouched.x) < 1e-3


def test_a_keyframe_zooms_into_the_whole_picture_too() -> None:
    time_s = times(3)
    path = crop_path(walking(time_s, 0.3), SIZE, time_s, whole(time_s), [], "source", [Keyframe(45, 0.3, 0.6, 2.0)])
    assert (path.x[45], path.y[45]) == pytest.approx((0.05 * SIZE[0], 0.35 * SIZE[1]))
    assert (path.width[0], path.height[0]) == SIZE
    check_inside(path)


@pytest.mark.parametrize("values", [{"x": 1.1}, {"y": -0.1}, {"zoom": 0.5}, {"x": float("nan")}])
def test_keyframes_that_make_no_sense_are_refused(values: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="not a keyframe"):
        Keyframe(**{"frame": 3, "x": 0.5, "y": 0.5, **values})  # type: ignore[arg-type]


def test_frames_beyond_the_video_are_refused() -> None:
    time_s = times(2)
    bodies = walking(time_s, 0.5)
    with pytest.raises(ValueError, match="beyond"):
        crop_path(bodies, SIZE, time_s, Interval(0, 60), [], "1:1")
    with pytest.raises(ValueError, match="beyond"):
        crop_path(bodies, SIZE, time_s, whole(time_s), [], "1:1", [Keyframe(60, 0.5, 0.5)])


def test_a_variable_rate_gives_the_same_path_in_time() -> None:
    even = times(6, 60)
    rng = np.random.default_rng(1)
    uneven = even[np.sort(rng.choice(len(even), 200, replace=False))]
    bodies = [walking(t, 0.3 + 0.3 * np.sin(0.8 * t), stride=1) for t in (even, uneven)]
    a, b = (crop_path(seen, SIZE, t, whole(t), [], "9:16") for seen, t in zip(bodies, (even, uneven), strict=True))
    assert np.abs(np.interp(uneven, even, a.x) - b.x).max() < 0.05 * a.width[0]
    assert kept_share(b, bodies[1]) == 1.0
    assert acceleration(b, uneven)[1] < 2 * acceleration(a, even)[1] + 0.1


@pytest.mark.parametrize("n", [1, 2, 3])
def test_clips_and_shots_of_a_few_frames_have_a_path(n: int) -> None:
    time_s = times(2)
    bodies = walking(time_s, 0.6, stride=1)
    bodies = dataclasses.replace(bodies, shot=np.arange(60) // n)
    path = crop_path(bodies, SIZE, time_s, Interval(10, 9 + n), [], "9:16")
    assert len(path.x) == n
    assert kept_share(path, bodies) == 1.0
    assert np.isfinite(acceleration(path, time_s)).all()


def test_measures_say_what_was_drawn() -> None:
    time_s = times(2)
    bodies = walking(time_s, np.where(time_s < 1, 0.25, 0.9), stride=1)
    path = crop_path(walking(time_s, 0.25), SIZE, time_s, whole(time_s), [], "9:16")
    assert kept_share(path, bodies) == 0.5
    assert kept_share(path, bodies, [Interval(0, 9)]) == 1.0
    pushed = dataclasses.replace(path, x=100 + 0.5 * 3.0 * path.window[0] * time_s**2)
    assert acceleration(pushed, time_s) == pytest.approx((3.0, 3.0))


def test_what_is_needed_is_more_than_what_is_seen_and_slips_pull_nothing() -> None:
    pose, camera = filmed(times(6, 15), jumps_s=(3.0,), stride=2)
    pose.keypoints[40, 15, 0] = 0.02  # an ankle on a tree
    bodies = look_at_bodies(signals(pose, camera, ASPECT, GuardrailSettings()), pose, camera, ASPECT)
    assert bodies.core[40, 0] == pytest.approx(0.02)
    assert bodies.needed[40, 0] > 0.3
    others = np.arange(90) != 40
    nose, ankle = pose.keypoints[others, 0, 1], pose.keypoints[others, 15, 1]
    assert bodies.core[others][:, [1, 3]] == pytest.approx(np.stack([nose, ankle], axis=1))
    assert (bodies.needed[others, 1] < nose).all()
    assert (bodies.needed[others, 3] > ankle).all()


def test_where_the_joints_are_guesses_the_box_stands_in() -> None:
    pose, camera = filmed(times(4, 15), jumps_s=(2.0,))
    pose.keypoints[10, :5, 2] = 0.1  # the head
    pose.keypoints[20, :, 2] = 0.1
    bodies = look_at_bodies(signals(pose, camera, ASPECT, GuardrailSettings()), pose, camera, ASPECT)
    assert bodies.core[10, 1] == pytest.approx(pose.boxes[10, 1])
    assert bodies.core[20] == pytest.approx(pose.boxes[20])


def test_hard_cuts_of_the_footage_part_the_shots() -> None:
    pose, camera = filmed(times(4, 15), jumps_s=(2.0,), stride=2)
    camera.difference[30] = 40.0
    bodies = look_at_bodies(signals(pose, camera, ASPECT, GuardrailSettings()), pose, camera, ASPECT)
    assert bodies.shot_of(np.array([0, 59, 60, 61])).tolist() == [0, 0, 1, 1]


def test_a_filmed_jump_is_kept_whole_in_every_aspect() -> None:
    pose, camera = filmed(times(8, 15), jumps_s=(4.0,), stride=2)
    bodies = look_at_bodies(signals(pose, camera, ASPECT, GuardrailSettings()), pose, camera, ASPECT)
    time_s, trick = times(8), Interval(110, 130)
    for aspect in ("9:16", "4:5", "1:1"):
        path = crop_path(bodies, SIZE, time_s, whole(time_s), [trick], aspect)
        assert kept_share(path, bodies) == 1.0
        assert path.notes == ()
