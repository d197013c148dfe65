"""The health check says what matters about footage, and nothing about footage that is fine."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from core.health import Finding, health
from core.hop_rule import HopRule
from core.metrics import signals
from core.pose.extract import Seconds
from core.pose.table import PoseTable
from core.settings import GuardrailSettings
from core.sighting import Look
from core.video import Video
from tests.skater import filmed
from tests.test_video import BY_NAME, Film, run_ffmpeg, write_film

RATE = 15.0
N_FRAMES = 90


def write(path: Path, source: str, *options: object) -> Video:
    run_ffmpeg("-f", "lavfi", "-i", source, *options, path)
    return Video.open(path)


def said(findings: tuple[Finding, ...], level: str = "") -> str:
    return " ".join(finding.text for finding in findings if finding.level == level or not level)


@pytest.fixture(scope="module")
def fine(tmp_path_factory: pytest.TempPathFactory) -> Video:
    """Six seconds with sound that any browser plays."""
    sound = ("-f", "lavfi", "-i", "sine=duration=6", "-c:v", "libx264", "-pix_fmt", "yuv420p", "-c:a", "aac")
    path = tmp_path_factory.mktemp("fine") / "fine.mp4"
    return write(path, f"testsrc2=size=640x360:rate={RATE * 2}:duration=6", *sound)


def looked(video: Video, shrink: float = 1.0, seen: slice | None = None, people: int = 1, shift: float = 0.0) -> Look:
    """What would have been seen in ``video`` of a drawn skater.

    Args:
        shrink: how much smaller than 0.2 frame heights his torso is.
        seen: rows of the sampled frames in which he is in view; None is all.
        people: how many stand beside each other.
        shift: to the right, share of the frame.
    """
    time_s = np.arange(N_FRAMES) / RATE
    one, camera = filmed(time_s, stride=2)

    def scaled(values: NDArray[np.float32], middle: float) -> NDArray[np.float32]:
        return np.asarray(middle + (values - middle) * shrink, np.float32)

    keypoints, boxes = one.keypoints.copy(), one.boxes.copy()
    keypoints[..., :2] = scaled(keypoints[..., :2], 0.5)
    boxes = scaled(boxes, 0.5)
    keypoints[..., 0] += shift
    boxes[:, ::2] += shift
    rows = np.repeat(np.arange(N_FRAMES)[seen or slice(None)], people)
    table = PoseTable(
        one.frame[rows],
        one.time_s[rows],
        np.tile(np.arange(people, dtype=np.int32), len(rows) // people),
        one.score[rows],
        boxes[rows],
        keypoints[rows],
    )
    measured = signals(table, camera, video.info.width / video.info.height, GuardrailSettings())
    return Look(video, "ab12", table, camera, measured, "movenet", 2, (), Seconds())


def test_footage_that_is_fine_is_left_in_peace(fine: Video) -> None:
    """Whoever reads ten notes on good footage reads none on bad footage."""
    assert health(fine) == (Finding("good", "Plays in the browser as it is."),)
    with_look = health(fine, looked(fine))
    assert {finding.level for finding in with_look} == {"good"}
    assert "Somebody is seen in 100 % of the frames, large enough (a torso of 72 pixels)." in said(with_look)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("uneven.mkv", "The frame rate varies"),
        ("hevc_10_bit.mp4", "because it is HEVC (H.265) video"),
        ("ntsc.mkv", "because it is an MKV file"),
        ("open_gop.mp4", "open GOP"),
        ("starts_at_5_s.mp4", "The file's own clock starts at 5.00 s"),
        ("24.mp4", "There is no sound"),
    ],
)
def test_what_is_odd_about_a_file_is_a_note(tmp_path: Path, name: str, words: str) -> None:
    video = Video.open(write_film(BY_NAME[name], tmp_path / name))
    assert words in said(health(video), "note")


def test_turned_footage_is_told_to_be_upright(tmp_path: Path) -> None:
    film = Film("", [0, 512, 1024], Fraction(1, 15360), quarter_turns=1)
    assert "shown, measured and cut upright" in said(health(Video.open(write_film(film, tmp_path / "turned.mp4"))))


def test_hdr_is_told(tmp_path: Path) -> None:
    tags = ["-vf", "setparams=color_trc=arib-std-b67", "-c:v", "libx265", "-x265-params", "log-level=none"]
    video = write(tmp_path / "hlg.mp4", "testsrc2=size=96x64:rate=30:duration=0.5", *tags, "-pix_fmt", "yuv420p10le")
    assert "HDR" in said(health(video), "note")


def test_few_frames_a_second_are_a_warning(tmp_path: Path) -> None:
    """A trick of half a second is then six pictures: whoever wonders where his tricks are has to know."""
    video = write(tmp_path / "slow.mp4", "testsrc2=size=96x64:rate=12:duration=2")
    assert said(health(video), "warning").startswith("Only 12 frames a second: half a second in the air is 6 pictures")


def test_many_frames_a_second_need_not_all_be_looked_at(tmp_path: Path) -> None:
    video = write(tmp_path / "fast.mp4", "testsrc2=size=96x64:rate=240:duration=0.5")
    assert "240 frames a second: looking at every 16th frame is enough and 8 times as fast." in said(health(video))


def test_a_late_picture_is_told(tmp_path: Path) -> None:
    write_film(BY_NAME["24.mp4"], tmp_path / "24.mp4")
    sound = ["-f", "lavfi", "-t", "3", "-i", "sine", "-c:v", "copy", "-c:a", "aac"]
    run_ffmpeg("-itsoffset", 0.5, "-i", tmp_path / "24.mp4", *sound, tmp_path / "late.mp4")
    assert "The picture begins 0.50 s after the sound." in said(health(Video.open(tmp_path / "late.mp4")))


def test_hours_of_footage_take_a_while(fine: Video) -> None:
    hours = Video(fine.path, replace(fine.info, duration_s=7200.0), None, np.arange(216_000) / 30.0)
    assert "2.0 hours of footage: finding tricks takes about 20 minutes" in said(health(hours))


@pytest.mark.parametrize(
    ("look_of_it", "word"),
    [
        ("lutyuv=y='16+(val-16)*0.06'", "dark"),
        ("lutyuv=y='clip(val*4,16,235)':u=128:v=128", "Over-exposed"),
        ("gblur=sigma=12", "Blurred"),
    ],
)
@pytest.mark.parametrize("every", [0, 1e9])  # all frames, and keyframes only
def test_pictures_that_are_hard_to_see_are_a_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, look_of_it: str, word: str, every: float
) -> None:
    monkeypatch.setattr("core.health._AFFORDABLE_MP", every)
    options = ["-vf", look_of_it, "-c:v", "libx264", "-pix_fmt", "yuv420p", "-g", "10"]
    video = write(tmp_path / "hard.mp4", "testsrc2=size=320x180:rate=30:duration=2", *options)
    assert word in said(health(video), "warning")


def test_a_skater_too_small_is_a_warning(fine: Video) -> None:
    """The networks shrink the picture: a skater of a few pixels hops at random."""
    found = health(fine, looked(fine, shrink=0.25))
    assert "The skater is small (a torso of 18 pixels)" in said(found, "warning")
    assert "large enough" not in said(found)


def test_nobody_in_view_is_told(fine: Video) -> None:
    assert "Nobody is seen in 50 % of the frames" in said(health(fine, looked(fine, seen=slice(0, 45))), "note")


def test_a_skater_cut_off_by_the_edge_is_told(fine: Video) -> None:
    assert "touches the edge of the picture in" in said(health(fine, looked(fine, shift=0.4)), "note")


def test_a_crowd_is_told(fine: Video) -> None:
    assert "Up to 4 people are in view" in said(health(fine, looked(fine, people=4)), "note")
    assert "people are in view" not in said(health(fine, looked(fine, people=2)))


def test_the_gravest_comes_first(tmp_path: Path) -> None:
    video = write(tmp_path / "slow.mp4", "testsrc2=size=96x64:rate=12:duration=2")
    assert [finding.level for finding in health(video)] == ["warning", "note", "good"]


def test_the_drawn_look_is_one_that_tricks_are_found_in(fine: Video) -> None:
    """Else the findings above would be about nothing."""
    assert HopRule().predict_proba(looked(fine).signals.table).max() > 0.5
