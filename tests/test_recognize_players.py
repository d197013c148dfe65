"""Everybody keeps his number through crossings, misses and pans; what he does is told, drawn and laid out by player."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from core.clips import cut_clip
from core.errors import Cancelled, UserError
from core.pose.extract import extract
from core.pose.movenet import MoveNet
from core.pose.subject import main_person
from core.pose.table import CameraTable, PoseTable
from core.recognize.annotate import annotate, colour_of, cut_over, even_size, whole
from core.recognize.players import Player, drawn_player, players
from core.recognize.samples import ClipSample, Track
from core.recognize.tracking import joined, tracklets
from core.recognize.windows import PlayerWindows, Window, recognize_players, windows_of
from core.video import Video
from sample_data.choreography import choreograph
from sample_data.make_session import encode
from sample_data.plaza import FPS, views
from sample_data.skater import paint
from sample_data.sound import RATE
from tests.conftest import SHARED
from tests.numbered import Footage, beeps_s, frame_numbers, frame_times, uneven, write_footage
from tests.test_clips import plan_of

ASPECT = 16 / 9
SAMPLED = 15.0
"""Sampled frames a second."""
N = 90


## Drawn sightings


def scene(seed: int, people: int, pan: bool, miss: float = 0.08) -> tuple[PoseTable, CameraTable, NDArray[np.int64]]:
    """Persons of several sizes who walk through each other within half a second of the middle.

    Sightings have noise, some are missing, and who is behind somebody is seldom seen, and then weakly. Now and then
    something that is nobody is sighted.

    Returns:
        Sightings, the camera, and who each sighting shows (-1 nobody).
    """
    rng = np.random.default_rng(seed)
    time_s = np.arange(N) / SAMPLED
    heights = rng.uniform(0.25, 0.5, people)
    middles = []
    for one in range(people):
        speed = rng.uniform(0.15, 0.45) * (-1) ** one
        x = 0.9 + speed * (time_s - time_s[N // 2] - rng.uniform(-0.2, 0.2))
        y = 0.6 - heights[one] / 2 + 0.05 * rng.standard_normal() + 0.02 * np.sin(2 * np.pi * 0.7 * time_s + one)
        middles.append(np.stack([x, y], axis=1))
    camera = np.zeros((N, 2))
    if pan:
        camera[:, 0] = 0.5 * np.sin(2 * np.pi * 0.25 * time_s + rng.uniform(0, 6))
        camera[:, 1] = 0.05 * np.sin(2 * np.pi * 0.4 * time_s)
    from_the_front = rng.permutation(people)
    rows: list[tuple[int, float, NDArray[np.float64], int]] = []
    for at in range(N):
        before: list[NDArray[np.float64]] = []
        for one in from_the_front:
            half = np.array([0.2, 0.5]) * heights[one]
            middle = middles[one][at] + camera[at]
            box = np.concatenate([middle - half, middle + half])
            behind = any(covered(box, other) > 0.35 for other in before)
            before.append(box)
            if rng.random() >= (0.85 if behind else miss):
                score = 0.16 if behind else float(np.clip(rng.normal(0.6, 0.2), 0.12, 1))
                rows.append((at, score, box + rng.normal(0, 0.015 * heights[one], 4), int(one)))
        if rng.random() < 0.1:
            corner = rng.uniform(0.2, 0.9, 2)
            rows.append((at, 0.13, np.concatenate([corner, corner + 0.1]), -1))
    shifts = np.diff(camera, axis=0, prepend=camera[:1])
    return *tables(rows, shifts), np.array([row[3] for row in rows])


def tables(
    rows: Sequence[tuple[int, float, NDArray[np.float64], int]], shifts: NDArray[np.float64]
) -> tuple[PoseTable, CameraTable]:
    """From sampled frame, score and box in frame heights, and the camera's shifts; every second frame is sampled."""
    at = np.array([row[0] for row in rows], np.int32)
    boxes = (np.array([row[2] for row in rows]) / [ASPECT, 1, ASPECT, 1]).astype(np.float32)
    score = np.array([row[1] for row in rows], np.float32)
    joints = np.full((len(rows), 17, 3), np.nan, np.float32)
    sightings = PoseTable(2 * at, at / SAMPLED, np.full(len(rows), -1, np.int32), score, boxes, joints)
    n = len(shifts)
    still, one = np.zeros(n), np.ones(n)
    frame = 2 * np.arange(n, dtype=np.int32)
    return sightings, CameraTable(frame, np.arange(n) / SAMPLED, one, still, shifts[:, 0], shifts[:, 1], one, still)


def covered(box: NDArray[np.float64], by: NDArray[np.float64]) -> float:
    """How much of a box another one covers."""
    shared = np.maximum(np.minimum(box[2:], by[2:]) - np.maximum(box[:2], by[:2]), 0)
    return float(np.prod(shared) / np.prod(box[2:] - box[:2]))


def numbered(sightings: PoseTable, camera: CameraTable) -> NDArray[np.int64]:
    """The number that each sighting gets, -1 for none."""
    given = np.full(len(sightings.frame), -1)
    for number, rows in enumerate(joined(tracklets(sightings, camera, ASPECT), sightings, camera, ASPECT)):
        given[rows] = number
    return given


def told_apart(given: NDArray[np.int64], truth: NDArray[np.int64], people: int) -> bool:
    """Whether nobody got another's number for three sightings or more, and each keeps one for four fifths of his."""
    for number in np.unique(given[given >= 0]):
        shown = truth[(given == number) & (truth >= 0)]
        if len(shown) and np.sum(shown != np.bincount(shown).argmax()) >= 3:
            return False
    longest = [np.bincount(given[(truth == one) & (given >= 0)], minlength=1).max() for one in range(people)]
    return all(number >= 0.8 * np.sum(truth == one) for one, number in enumerate(longest))


def share_told_apart(seeds: range, people: int, pan: bool) -> float:
    """Of so many drawn scenes."""
    scenes = [scene(seed, people, pan) for seed in seeds]
    return float(np.mean([told_apart(numbered(seen, camera), truth, people) for seen, camera, truth in scenes]))


@pytest.mark.parametrize("pan", [False, True], ids=["still", "panning"])
def test_two_who_walk_through_each_other_keep_their_numbers(pan: bool) -> None:
    assert share_told_apart(range(25), 2, pan) >= 0.95


def test_three_who_meet_in_one_place_mostly_keep_their_numbers() -> None:
    assert share_told_apart(range(15), 3, pan=True) >= 0.75


def test_who_is_out_of_sight_for_two_seconds_comes_back_as_himself() -> None:
    box = np.array([0.4, 0.3, 0.6, 0.8])
    rows = [(at, 0.7, box + 0.002 * at * np.array([1, 0, 1, 0]), 0) for at in range(N) if not 30 <= at < 58]
    sightings, camera = tables(rows, np.zeros((N, 2)))
    assert len(joined(tracklets(sightings, camera, ASPECT), sightings, camera, ASPECT)) == 1


def test_somebody_else_elsewhere_does_not_inherit_a_number() -> None:
    box = np.array([0.1, 0.3, 0.3, 0.8])
    rows = [(at, 0.7, box + (0.0 if at < 30 else 1.2) * np.array([1, 0, 1, 0]), 0) for at in range(N)]
    sightings, camera = tables(rows, np.zeros((N, 2)))
    assert len(joined(tracklets(sightings, camera, ASPECT), sightings, camera, ASPECT)) == 2


def test_a_cut_makes_everybody_new() -> None:
    box = np.array([0.4, 0.3, 0.6, 0.8])
    sightings, camera = tables([(at, 0.7, box, 0) for at in range(N)], np.zeros((N, 2)))
    difference, agreement = np.zeros(N), np.ones(N)
    difference[45], agreement[45] = 100.0, 0.0
    cut = replace(camera, difference=difference, agreement=agreement)
    people = joined(tracklets(sightings, cut, ASPECT), sightings, cut, ASPECT)
    assert [(rows[0], rows[-1]) for rows in people] == [(0, 44), (45, 89)]


def test_what_is_never_sure_is_nobody() -> None:
    box = np.array([0.4, 0.3, 0.6, 0.8])
    sightings, camera = tables([(at, 0.16, box, 0) for at in range(N)], np.zeros((N, 2)))
    assert joined(tracklets(sightings, camera, ASPECT), sightings, camera, ASPECT) == []


def test_no_sightings_are_no_players(footage: Video) -> None:
    sightings, camera = tables([(0, 0.5, np.array([0.1, 0.1, 0.2, 0.2]), 0)], np.zeros((N, 2)))
    assert players(sightings.of_frames(np.array([], np.int32)), camera, footage) == ()


## Drawn people


@pytest.fixture(scope="module")
def movenet(tmp_path_factory: pytest.TempPathFactory) -> MoveNet:
    """The network, made ready once."""
    return MoveNet(tmp_path_factory.mktemp("weights"))


@pytest.fixture(scope="module")
def two_skaters(
    tmp_path_factory: pytest.TempPathFactory, movenet: MoveNet
) -> tuple[Video, PoseTable, CameraTable, NDArray[np.float64]]:
    """Two drawn skaters of two sizes who ride through each other while the camera pans, as MoveNet sees them; and where
    each stands in each frame, 0..1 of the width: shape ``(2, n)``."""
    rng = np.random.default_rng(5)
    motion, _ = choreograph(6.0, rng)
    n = 96
    ride = np.linspace(-1, 1, n)
    camera = np.stack([60 * np.sin(np.arange(n) / 20), np.zeros(n)], axis=1) + motion.camera_px[:1]
    middle = motion.camera_px[0, 0]
    both = [
        replace(motion, camera_px=camera, x_px=middle + 190 * way * ride, scale=motion.scale * size,
                facing=np.full_like(motion.facing, way), ground_px=motion.ground_px + down)
        for way, size, down in ((1.0, 0.85, -8.0), (-1.0, 1.1, 12.0))
    ]  # fmt: skip

    def pictures() -> Sequence[NDArray[np.uint8]]:
        drawn = []
        for i, picture in enumerate(views(camera, rng)):
            for one in both:
                paint(picture, one, i)
            drawn.append(picture)
        return drawn

    folder = tmp_path_factory.mktemp("skaters")
    path = folder / "two.mp4"
    encode(path, pictures(), np.zeros(n * RATE // FPS, np.float32))
    video = Video.open(path)
    extract(video, movenet, 3, folder / "pose.parquet", folder / "camera.parquet")
    places = np.stack([(one.x_px[:n] - camera[:, 0]) / video.info.width + 0.5 for one in both])
    return video, PoseTable.read(folder / "pose.parquet"), CameraTable.read(folder / "camera.parquet"), places


def test_drawn_skaters_who_ride_through_each_other_keep_their_numbers(
    two_skaters: tuple[Video, PoseTable, CameraTable, NDArray[np.float64]],
) -> None:
    video, sightings, camera, places = two_skaters
    everybody = players(sightings, camera, video)
    main = sorted(everybody, key=lambda player: len(player.rows))[-2:]
    for player in main:
        x = player.track.boxes[:, [0, 2]].mean(axis=1)
        apart = np.abs(x - places[:, player.track.frames])
        clear = np.abs(np.diff(places[:, player.track.frames], axis=0))[0] > 0.15
        owner = apart.argmin(axis=0)[clear]
        assert clear.sum() > 30
        assert len(set(owner.tolist())) == 1
        met = 48
        assert player.track.frames[clear].min() < met < player.track.frames[clear].max()


def test_a_box_drawn_round_somebody_is_followed(
    two_skaters: tuple[Video, PoseTable, CameraTable, NDArray[np.float64]],
) -> None:
    video, sightings, camera, places = two_skaters
    everybody = players(sightings, camera, video)
    for place in places[:, 20]:
        drawn = drawn_player(everybody, camera, video, 20, (place - 0.08, 0.35, place + 0.08, 0.9))
        assert drawn.track.frames[0] >= 20
        start = drawn.track.boxes[0, [0, 2]].mean()
        assert abs(start - place) < 0.06
    with pytest.raises(UserError, match="Nobody is seen in the box"):
        drawn_player(everybody, camera, video, 20, (0.45, 0.0, 0.55, 0.1))


@pytest.mark.parametrize(
    ("frame", "box"), [(0, (0.5, 0.5, 0.4, 0.9)), (0, (-0.1, 0, 1, 1)), (99999, (0, 0, 1, 1)), (0, (float("nan"),) * 4)]
)
def test_what_is_no_box_is_refused(footage: Video, frame: int, box: tuple[float, float, float, float]) -> None:
    _, camera = tables([(0, 0.5, np.array([0.1, 0.1, 0.2, 0.2]), 0)], np.zeros((N, 2)))
    with pytest.raises(UserError, match="no box inside of frame"):
        drawn_player((), camera, footage, frame, box)


def test_the_skater_of_the_reference_session_is_one_player(tmp_path: Path, movenet: MoveNet) -> None:
    """Two tricks of it; ``python -m tests.bench.bench_players`` measures all of it."""
    path = SHARED / "data" / "session" / "skate_video.mp4"
    if not path.exists():
        pytest.skip("the reference session is not at ../shared/data/session")
    session = Video.open(path)
    cut_clip(session, plan_of(session, 240, 380), tmp_path / "tricks.mp4")
    video = Video.open(tmp_path / "tricks.mp4")
    extract(video, movenet, 3, tmp_path / "pose.parquet", tmp_path / "camera.parquet")
    sightings = PoseTable.read(tmp_path / "pose.parquet")
    camera = CameraTable.read(tmp_path / "camera.parquet")
    skater = main_person(sightings, camera)
    shares = [np.isin(skater[skater >= 0], player.rows).mean() for player in players(sightings, camera, video)]
    assert max(shares) >= 0.95


## Windows


@pytest.fixture(scope="module")
def footage(tmp_path_factory: pytest.TempPathFactory) -> Video:
    """Eighty numbered frames at uneven times, with beeps."""
    path = tmp_path_factory.mktemp("footage") / "uneven.mp4"
    return Video.open(write_footage(Footage("uneven.mp4", uneven(80), Fraction(1, 1000)), path))


def player_at(frames: Sequence[int], box: tuple[float, float, float, float], number: int = 1) -> Player:
    boxes = np.tile(np.array(box), (len(frames), 1))
    return Player(number, Track(np.array(frames, np.int64), boxes), np.array([], np.int64))


class WhereItIs:
    """Names a window by where the box is: a recognizer that needs no network."""

    classes = ("left", "right")

    def predict(self, clips: Sequence[ClipSample]) -> NDArray[np.float64]:
        assert all(clip.track is not None for clip in clips)
        x = np.array([clip.track.boxes[:, [0, 2]].mean() for clip in clips if clip.track is not None])
        return np.stack([1 - x, x], axis=1)


def test_windows_cover_every_stretch_of_a_track_to_its_end(footage: Video) -> None:
    player = player_at([*range(0, 41), *range(50, 60), *range(62, 78)], (0.1, 0.1, 0.3, 0.6))
    windows = windows_of(player, footage)
    assert [one.start_frame for one in windows] == [0, 8, 16, 24, 25, 62]
    assert all(one.end_frame == one.start_frame + 15 for one in windows)
    for one in windows:
        assert one.track is not None
        assert one.track.frames.tolist() == list(range(one.start_frame, one.start_frame + 16))


def test_every_window_is_named_and_written_as_the_json_says(footage: Video, tmp_path: Path) -> None:
    everybody = [player_at(range(32), (0.0, 0.1, 0.2, 0.6), 1), player_at(range(8, 40), (0.7, 0.1, 0.9, 0.6), 2)]
    told: list[float] = []
    found = recognize_players(everybody, footage, WhereItIs(), progress=told.append)
    written = json.loads(json.dumps(found.to_json()))
    assert written["video"] == str(found.video.path)
    assert [one["id"] for one in written["players"]] == [1, 2]
    first = {"start_frame": 0, "end_frame": 15, "label": "left", "probability": 0.9}
    assert written["players"][0]["windows"][0] == first
    assert {window["label"] for window in written["players"][1]["windows"]} == {"right"}
    assert told[-1] == 1.0
    found.write_csv(tmp_path / "players.csv")
    rows = list(csv.DictReader((tmp_path / "players.csv").open(newline="")))
    assert len(rows) == 6
    assert rows[-1]["label"] == "right"
    assert float(rows[0]["end_s"]) == pytest.approx(footage.pts_s[15], abs=1e-6)


def test_a_label_is_no_formula_in_a_spreadsheet(footage: Video, tmp_path: Path) -> None:
    found = PlayerWindows(footage, ("=1+1",), {1: (Window(0, 15, np.array([1.0])),)})
    found.write_csv(tmp_path / "players.csv")
    assert next(csv.DictReader((tmp_path / "players.csv").open(newline="")))["label"] == "'=1+1"


def test_lanes_follow_a_change_and_pass_over_a_single_odd_window(footage: Video) -> None:
    sure, odd = np.array([0.9, 0.1]), np.array([0.45, 0.55])
    rows = [sure, sure, odd, sure, 1 - sure, 1 - sure, 1 - sure]
    windows = tuple(Window(8 * number, 8 * number + 15, row) for number, row in enumerate(rows))
    lane = PlayerWindows(footage, ("pass", "shoot"), {4: windows}).lanes()[4]
    assert [event.label for event in lane] == ["pass", "shoot"]
    assert (lane[0].start_frame, lane[-1].end_frame) == (0, 63)
    assert lane[1].start_frame == lane[0].end_frame + 1
    assert 30 <= lane[1].start_frame <= 42
    gap = (Window(0, 15, sure), Window(40, 55, sure))
    spans = PlayerWindows(footage, ("pass", "shoot"), {1: gap}).lanes()[1]
    assert [(event.start_frame, event.end_frame) for event in spans] == [(0, 15), (40, 55)]
    assert PlayerWindows(footage, ("pass",), {1: ()}).lanes() == {1: ()}


@pytest.mark.parametrize(
    ("clip_s", "said"),
    [
        (None, None),
        (0.0, None),
        (16 / 30, None),
        (1.4 * 16 / 30, None),
        (16 / 30 / 1.4, None),
        (1.6, "Windows of 16 frames last 0.53 s here, and the clips that the recognizer was trained on lasted 1.60 s: "
              "--window 48 would fit."),
        (0.2, "--window 6 would fit."),
        (9999.0, "--window 1000 would fit."),
    ],
)  # fmt: skip
def test_windows_that_last_another_time_than_the_clips_of_the_training_are_told(
    tmp_path: Path, clip_s: float | None, said: str | None
) -> None:
    drawn = Footage("even.mp4", list(range(40)), Fraction(1, 30), Fraction(30), sound_s=None)
    video = Video.open(write_footage(drawn, tmp_path / "even.mp4"))
    found = recognize_players([player_at(range(40), (0, 0, 1, 1))], video, WhereItIs())
    notes = found.length_notes(16, clip_s, "--window")
    assert len(notes) == (said is not None)
    assert all(note.endswith(said or "") for note in notes)


def test_the_time_of_a_window_is_that_of_the_footage(footage: Video) -> None:
    found = recognize_players([player_at(range(80), (0, 0, 1, 1))], footage, WhereItIs())
    starts = np.array([window.start_frame for window in found.players[1]])
    ends_s = np.append(footage.pts_s, footage.info.duration_s)[starts + 16]
    clip_s = 2 * float(np.median(ends_s - footage.pts_s[starts]))
    assert "--window 32 would fit" in found.length_notes(16, clip_s, "--window")[0]


def test_nobody_long_enough_in_view_for_a_window_is_told(footage: Video) -> None:
    found = recognize_players([player_at(range(40), (0, 0, 1, 1))], footage, WhereItIs(), length=50)
    assert found.players == {1: ()}
    assert "the 50 frames of a window" in found.length_notes(50, None, "--window")[0]
    assert PlayerWindows(footage, ("pass",), {}).length_notes(50, 1.0, "--window") == ()


def test_naming_can_be_stopped(footage: Video) -> None:
    with pytest.raises(Cancelled):
        recognize_players([player_at(range(40), (0, 0, 1, 1))], footage, WhereItIs(), cancelled=lambda: True)


## The annotated video


def colours(path: Path) -> NDArray[np.uint8]:
    with av.open(str(path)) as container:
        return np.stack([frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)])


def test_boxes_are_drawn_in_the_frames_that_have_them_and_nothing_else_changes(footage: Video, tmp_path: Path) -> None:
    left = player_at(range(10, 50), (0.02, 0.3, 0.25, 0.9), 1)
    right = player_at(range(30, 80), (0.75, 0.3, 0.98, 0.9), 2)
    found = recognize_players([left, right], footage, WhereItIs())
    out, told = tmp_path / "annotated.mp4", list[float]()
    annotate(footage, [left, right], found, out, told.append)
    assert frame_numbers(out) == list(range(80))
    first_s = footage.pts_s[0]
    assert np.abs(np.array(frame_times(out)) - (footage.pts_s - first_s)).max() < 0.002
    assert len(beeps_s(out)) == len(beeps_s(footage.path)) > 3
    assert np.abs(beeps_s(out) - (beeps_s(footage.path) - first_s)).max() < 0.03
    assert told == sorted(told)
    assert told[-1] == 1.0
    before, after = colours(footage.path).astype(int), colours(out).astype(int)
    edge = slice(40, 80)  # of the boxes' height
    for player, x, frames in ((1, 3, range(10, 50)), (2, 120, range(30, 80))):
        wanted = np.array([int(colour_of(player)[at : at + 2], 16) for at in (1, 3, 5)])
        near = np.abs(after[:, edge, x] - wanted).mean(axis=(1, 2)) < 40
        assert np.flatnonzero(near).tolist() == list(frames)
    assert np.abs(after[:, :, 64:96] - before[:, :, 64:96]).mean() < 6
    assert not list(tmp_path.glob(".*"))


def test_words_beyond_ascii_and_boxes_beyond_the_edge_are_drawn(footage: Video, tmp_path: Path) -> None:
    player = player_at(range(80), (-0.2, -0.1, 1.3, 1.2))
    found = PlayerWindows(footage, ("удар \u202e\n" + "x" * 300,), {1: (Window(0, 79, np.array([1.0])),)})
    annotate(footage, [player], found, tmp_path / "out.mp4")
    assert len(frame_numbers(tmp_path / "out.mp4")) == 80


def test_turned_footage_is_annotated_upright(tmp_path: Path) -> None:
    drawn = Footage("turned.mov", [512 * i for i in range(20)], Fraction(1, 15360), turns=1, sound_s=None)
    video = Video.open(write_footage(drawn, tmp_path / "turned.mov"))
    annotate(video, [player_at(range(20), (0.02, 0.3, 0.2, 0.9))], None, tmp_path / "out.mp4")
    assert frame_numbers(tmp_path / "out.mp4") == list(range(20))


def test_a_stopped_annotation_leaves_nothing(footage: Video, tmp_path: Path) -> None:
    asked, player = iter(range(1000)), player_at(range(80), (0, 0, 1, 1))
    with pytest.raises(Cancelled):
        annotate(footage, [player], None, tmp_path / "out.mp4", cancelled=lambda: next(asked) > 30)
    assert list(tmp_path.iterdir()) == []


def test_a_temporary_folder_of_any_name_does(footage: Video, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "it's [a], b; c=d: 100%\\x"
    folder.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    annotate(footage, [player_at(range(80), (0.1, 0.1, 0.5, 0.5))], None, tmp_path / "out.mp4")
    assert len(frame_numbers(tmp_path / "out.mp4")) == 80
    assert list(folder.iterdir()) == []


def test_each_frame_gets_its_own_layer_at_any_rate(tmp_path: Path) -> None:
    drawn = Footage("fast.mp4", list(range(60)), Fraction(1, 240), Fraction(240), sound_s=None)
    video = Video.open(write_footage(drawn, tmp_path / "fast.mp4"))
    width, height = even_size(video)

    def layer(number: int) -> NDArray[np.uint8]:
        image = np.zeros((height, width, 4), np.uint8)
        image[:, :32] = (255, *[255 * (number % 2)] * 3)
        return image

    cut_over(video, whole(video), tmp_path / "out.mp4", map(layer, range(60)), "argb", "[picture][layer]overlay")
    assert (colours(tmp_path / "out.mp4")[:, 40:60, 8:20].mean(axis=(1, 2, 3)) > 128).tolist() == [False, True] * 30
