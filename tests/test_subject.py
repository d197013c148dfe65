"""A skater keeps one number through the video, and the person that is measured is the skater.

A number that changes in the middle of a trick cuts the trick in two; a number that jumps to a passer-by makes one up.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from core.pose import SubjectChoice
from core.pose.subject import MAX_LOST_S, link, main_person
from core.pose.table import CameraTable, PoseTable

HZ = 15.0
ASPECT = 16 / 9
NOBODY = np.full(4, np.nan)


def camera(n: int, hz: float = HZ, **columns: NDArray[np.float64]) -> CameraTable:
    """``n`` sampled frames of 30 fps footage; a camera that stands still unless ``columns`` say otherwise."""
    still = {"scale": np.ones(n), "agreement": np.ones(n)} | dict.fromkeys(("rotation", "dx", "dy"), np.zeros(n))
    difference = {"difference": np.full(n, 2.0)}
    frame = np.round(np.arange(n) * 30 / hz).astype(np.int32)
    return CameraTable(frame=frame, time_s=np.arange(n) / hz, **(still | difference | columns))


def boxes(x: object, y: object, width: object, height: object) -> NDArray[np.float64]:
    """Boxes round middles ``x, y`` (fractions of the frame): shape ``(n, 4)``."""
    x, y, width, height = np.broadcast_arrays(*(np.asarray(v, np.float64) for v in (x, y, width, height)))
    return np.stack([x - width / 2, y - height / 2, x + width / 2, y + height / 2], axis=-1)


def sightings(
    camera: CameraTable, people: Sequence[NDArray[np.float64]], score: Sequence[float]
) -> tuple[PoseTable, NDArray[np.int64]]:
    """A table of untracked people from their boxes, ``(n, 4)`` each, NaN where unseen; and who each row really is."""
    rows = [(at, who) for at in range(camera.n) for who in range(len(people)) if np.isfinite(people[who][at]).all()]
    at, who = np.array(rows, np.int64).reshape(-1, 2).T
    pose = PoseTable(
        frame=camera.frame[at],
        time_s=camera.time_s[at],
        person=np.full(len(at), -1, np.int32),
        score=np.array(score, np.float32)[who],
        boxes=np.stack(people)[who, at].astype(np.float32) if len(at) else np.zeros((0, 4), np.float32),
        keypoints=np.full((len(at), 17, 3), 0.5, np.float32),
    )
    return pose, who


def numbers(
    camera: CameraTable, people: Sequence[NDArray[np.float64]], score: Sequence[float] | None = None
) -> list[list[int]]:
    """The numbers that each person got, in the order in which he got them."""
    pose, who = sightings(camera, people, score or [0.8] * len(people))
    person = link(pose, camera, ASPECT).person
    return [list(dict.fromkeys(person[who == one].tolist())) for one in range(len(people))]


## Who is who


def test_numbers_start_at_0_and_every_sighting_has_one() -> None:
    # The timeline offers persons by number, and -1 means that nobody was told apart.
    still = camera(10)
    pose, _ = sightings(still, [boxes(np.full(10, x), 0.5, 0.1, 0.4) for x in (0.2, 0.5, 0.8)], [0.8] * 3)
    linked = link(pose, still, ASPECT)
    assert set(linked.person.tolist()) == {0, 1, 2}
    assert linked.person.dtype == np.int32
    assert pose.person.tolist() == [-1] * 30  # what was handed in stays as it was


def test_a_video_with_nobody_in_it_links_to_nothing() -> None:
    still = camera(5)
    pose, _ = sightings(still, [np.tile(NOBODY, (5, 1))], [0.8])
    assert len(link(pose, still, ASPECT).person) == 0
    assert main_person(pose, still).tolist() == [-1] * 5


@pytest.mark.parametrize("speed", [0.1, 0.3, 0.6], ids=lambda speed: f"{speed} frame widths a second")
@pytest.mark.parametrize("height", [0.4, 0.32], ids=["equally tall", "one nearer"])
@pytest.mark.parametrize("unseen", [0, 4], ids=["both seen throughout", "one hidden behind the other"])
def test_two_people_who_cross_keep_their_numbers(speed: float, height: float, unseen: int) -> None:
    # Else the tricks of the one are counted for the other from there on.
    n = 45
    still = camera(n)
    x = 0.5 + speed * (np.arange(n) - n / 2 + 0.3) / HZ
    skater, other = boxes(x, 0.5, 0.08, 0.4), boxes(1 - x, 0.5, 0.08, height)
    other[n // 2 - unseen // 2 : n // 2 + unseen - unseen // 2] = NOBODY
    assert numbers(still, [skater, other]) == [[0], [1]]


@pytest.mark.parametrize(
    ("away_s", "same"), [(0.2, True), (MAX_LOST_S - 0.1, True), (MAX_LOST_S + 0.1, False), (3.0, False)]
)
def test_somebody_who_is_unseen_for_a_moment_comes_back_as_himself(away_s: float, same: bool) -> None:
    # Poses are lost for some frames in a trick; after long, whoever comes back may be somebody else.
    still = camera(90)
    skater = boxes(np.full(90, 0.5), 0.5, 0.1, 0.4)
    skater[20 : 20 + round(away_s * HZ) - 1] = NOBODY  # sightings are this far apart
    assert numbers(still, [skater]) == [[0] if same else [0, 1]]


@pytest.mark.parametrize("hz", [7.5, 15.0, 30.0])
def test_the_moment_is_measured_in_seconds_at_every_sampling_rate(hz: float) -> None:
    still = camera(90, hz)
    skater = boxes(np.full(90, 0.5), 0.5, 0.1, 0.4)
    skater[20 : 20 + round((MAX_LOST_S - 0.1) * hz) - 1] = NOBODY
    assert numbers(still, [skater]) == [[0]]


@pytest.mark.parametrize("followed", [True, False], ids=["camera follows the skater", "camera swings past him"])
def test_a_swing_of_the_camera_breaks_no_track(followed: bool) -> None:
    # A filmer on foot or on a board swings the camera by most of a person's height between two sampled frames.
    n = 20
    dx = np.where((np.arange(n) >= 8) & (np.arange(n) < 11), -0.3, 0.0)  # frame heights
    on_screen = np.full(n, 0.75) if followed else 0.75 + np.cumsum(dx) / ASPECT
    assert numbers(camera(n, dx=dx), [boxes(on_screen, 0.5, 0.06, 0.3)]) == [[0]]


def test_the_swing_would_break_the_track_if_it_were_not_taken_off() -> None:
    # Says that the test before tests something.
    n = 20
    dx = np.where((np.arange(n) >= 8) & (np.arange(n) < 11), -0.3, 0.0)
    assert len(numbers(camera(n), [boxes(0.75 + np.cumsum(dx) / ASPECT, 0.5, 0.06, 0.3)])[0]) > 1


def test_a_zoom_onto_the_skater_breaks_no_track() -> None:
    n = 30
    zoom = np.where(np.arange(n) == 0, 1.0, 1.06)
    size = 0.1 * np.cumprod(zoom)
    middle = (1 - zoom) / 2  # about the middle of the frame, frame heights
    moving = camera(n, scale=zoom, dx=middle * ASPECT, dy=middle)
    assert numbers(moving, [boxes(0.5, 0.5, size / 3, size)]) == [[0]]


def test_a_track_goes_on_where_the_camera_could_not_be_measured() -> None:
    # In front of a clear sky there is nothing to measure it on.
    dx = np.full(30, np.nan)
    assert numbers(camera(30, dx=dx, dy=dx), [boxes(np.linspace(0.3, 0.7, 30), 0.5, 0.1, 0.4)]) == [[0]]


def test_a_hard_cut_starts_anew_even_at_the_same_place() -> None:
    # The next shot shows another skater where the last one stood.
    difference = np.full(40, 2.0)
    difference[20] = 60.0
    shots = camera(40, difference=difference)
    pose, _ = sightings(shots, [boxes(np.full(40, 0.5), 0.5, 0.1, 0.4)], [0.8])
    assert link(pose, shots, ASPECT).person.tolist() == [0] * 20 + [1] * 20


def test_a_skater_who_tucks_stays_himself() -> None:
    # His box halves from one frame to the next.
    height = np.where((np.arange(30) > 10) & (np.arange(30) < 16), 0.2, 0.4)
    assert numbers(camera(30), [boxes(0.5, 0.7 - height / 2, 0.1, height)]) == [[0]]


def test_somebody_of_another_size_is_somebody_else() -> None:
    # A passer-by in the background is no skater who shrank to a quarter.
    near, far = boxes(np.full(30, 0.5), 0.5, 0.1, 0.6), boxes(np.full(30, 0.5), 0.5, 0.03, 0.15)
    near[15:], far[:15] = NOBODY, NOBODY
    assert numbers(camera(30), [near, far]) == [[0], [1]]


def test_what_is_too_weak_to_be_a_person_gets_no_number() -> None:
    # The network sees people in trees, faintly; a track of one must not become the skater.
    n = 30
    tree, skater = boxes(np.full(n, 0.2), 0.5, 0.2, 0.8), boxes(np.full(n, 0.7), 0.5, 0.1, 0.4)
    assert numbers(camera(n), [tree, skater], [0.08, 0.8]) == [[-1], [0]]


## Who is the skater


def chosen(camera: CameraTable, people: Sequence[NDArray[np.float64]], score: Sequence[float]) -> NDArray[np.int64]:
    """Who is taken for the skater in each sampled frame, -1 for nobody."""
    pose, who = sightings(camera, people, score)
    row = main_person(replace(pose, person=who.astype(np.int32)), camera)
    assert (pose.frame[row[row >= 0]] == camera.frame[row >= 0]).all()
    return np.where(row >= 0, who[row], -1)


@pytest.mark.parametrize(
    ("first", "second", "skater"),
    [
        ((0.9, 0.10, 0.4), (0.9, 0.10, 0.2), 0),
        ((0.9, 0.10, 0.2), (0.9, 0.10, 0.4), 1),
        ((0.3, 0.10, 0.4), (0.9, 0.10, 0.3), 1),
        ((0.9, 0.05, 0.4), (0.9, 0.20, 0.2), 1),
    ],
    ids=["taller", "taller, second", "surer", "wider"],
)
def test_the_skater_has_the_largest_confidence_times_area(
    first: tuple[float, float, float], second: tuple[float, float, float], skater: int
) -> None:
    n = 20
    people = [boxes(np.full(n, x), 0.5, w, h) for x, (_, w, h) in zip((0.3, 0.7), (first, second), strict=True)]
    assert (chosen(camera(n), people, [first[0], second[0]]) == skater).all()


def test_the_skater_does_not_change_for_a_moment() -> None:
    # A passer-by comes near for half a second: without steadiness the timeline shows a jump between two bodies.
    n = 90
    height = np.full(n, 0.3)
    height[40:48] = 0.5
    skater, other = boxes(np.full(n, 0.3), 0.5, 0.1, 0.4), boxes(0.7, 0.5, 0.1, height)
    assert (chosen(camera(n), [skater, other], [0.8, 0.8]) == 0).all()


def test_nearly_equal_people_do_not_alternate() -> None:
    n = 150
    height = 0.4 + 0.05 * np.sin(np.arange(n) / 8)
    people = [boxes(0.3, 0.5, 0.1, height), boxes(0.7, 0.5, 0.1, 0.8 - height)]
    assert len(set(chosen(camera(n), people, [0.8, 0.8]).tolist())) == 1


def test_the_skater_changes_to_somebody_who_stays_clearly_ahead() -> None:
    # Two skaters take turns in front of the camera.
    n = 90
    height = np.where(np.arange(n) < 45, 0.2, 0.8)
    turns = chosen(camera(n), [boxes(np.full(n, 0.3), 0.5, 0.1, 0.4), boxes(0.7, 0.5, 0.1, height)], [0.8, 0.8])
    assert np.count_nonzero(np.diff(turns)) == 1
    assert (turns[0], turns[-1]) == (0, 1)


def test_where_the_skater_is_unseen_nobody_stands_in_for_him() -> None:
    # The gap is bridged later; a passer-by's body in it would be a jump that never was.
    n = 60
    skater, other = boxes(np.full(n, 0.3), 0.5, 0.1, 0.5), boxes(np.full(n, 0.7), 0.5, 0.1, 0.3)
    skater[30:33] = NOBODY
    assert (chosen(camera(n), [skater, other], [0.8, 0.8]) == np.where(np.isnan(skater[:, 0]), -1, 0)).all()


def test_before_anybody_is_told_apart_there_is_no_skater() -> None:
    still = camera(5)
    pose, _ = sightings(still, [boxes(np.full(5, 0.5), 0.5, 0.1, 0.4)], [0.8])
    assert main_person(pose, still).tolist() == [-1] * 5


def two_people(n: int = 60) -> tuple[PoseTable, CameraTable, NDArray[np.int64]]:
    """A near one on the left and a far one on the right, both seen throughout."""
    still = camera(n)
    near, far = boxes(np.full(n, 0.3), 0.5, 0.2, 0.7), boxes(np.full(n, 0.8), 0.5, 0.1, 0.3)
    pose, who = sightings(still, [near, far], [0.9, 0.8])
    return link(pose, still, ASPECT), still, who


def test_whoever_was_clicked_on_is_the_skater_from_there_on() -> None:
    """The far one skates, the near one films along: one click mends it, and what was before stays."""
    pose, still, who = two_people()
    chosen = main_person(pose, still, [SubjectChoice(frame=41, x=0.81, y=0.55)])
    assert set(who[chosen[:20]]) == {0}
    assert set(who[chosen[20:]]) == {1}  # frame 41 is between the sampled frames 40 and 42: what is shown is 40


def test_a_click_beside_everybody_changes_nothing() -> None:
    pose, still, _ = two_people()
    assert main_person(pose, still, [SubjectChoice(30, 0.55, 0.1)]).tolist() == main_person(pose, still).tolist()


def test_two_clicks_change_the_skater_twice() -> None:
    pose, still, who = two_people()
    chosen = main_person(pose, still, [SubjectChoice(20, 0.8, 0.5), SubjectChoice(80, 0.3, 0.5)])
    assert [set(who[chosen[part]]) for part in (slice(0, 10), slice(10, 40), slice(40, 60))] == [{0}, {1}, {0}]


def test_when_the_chosen_one_is_gone_the_rule_decides_again() -> None:
    n = 60
    still = camera(n)
    leaves = boxes(np.full(n, 0.8), 0.5, 0.1, 0.3)
    leaves[30:] = np.nan
    pose, who = sightings(still, [boxes(np.full(n, 0.3), 0.5, 0.2, 0.7), leaves], [0.9, 0.8])
    chosen = main_person(link(pose, still, ASPECT), still, [SubjectChoice(10, 0.8, 0.5)])
    assert set(who[chosen[5:30]]) == {1}
    assert set(who[chosen[30:]]) == {0}


def test_every_second_frame_carries_the_camera_along() -> None:
    """A coarser stride must see the same pan and zoom, or the ground would seem to jump."""
    n = 9
    turning = camera(
        n,
        scale=np.r_[1.0, np.full(n - 1, 1.05)],
        rotation=np.r_[0.0, np.full(n - 1, 0.02)],
        dx=np.r_[0.0, np.full(n - 1, 0.1)],
        dy=np.r_[0.0, np.full(n - 1, -0.03)],
    )
    fine, coarse = turning.matrices(), turning.every(2).matrices()
    point = np.array([0.4, 0.7])
    one_by_one = point
    for matrix in fine[1:]:
        one_by_one = matrix[:, :2] @ one_by_one + matrix[:, 2]
    by_twos = point
    for matrix in coarse[1:]:
        by_twos = matrix[:, :2] @ by_twos + matrix[:, 2]
    assert by_twos == pytest.approx(one_by_one)
    assert turning.every(2).frame.tolist() == turning.frame[::2].tolist()


def test_a_step_that_was_not_measured_leaves_the_longer_one_unmeasured() -> None:
    dx = np.zeros(9)
    dx[3] = np.nan
    coarse = camera(9, dx=dx).every(2)
    assert np.isnan(coarse.dx).tolist() == [False, False, True, False, False]
    assert camera(9, difference=np.array([2.0, 2, 2, 40, 2, 2, 2, 2, 2])).every(2).difference[2] == 40  # a hard cut
