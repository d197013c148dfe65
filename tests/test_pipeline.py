"""The whole way: tricks are found, corrections are kept, and a stopped job loses nothing."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest

from core import pipeline, sighting, validate
from core.clips import plan_clips
from core.content import content_id
from core.errors import Cancelled, UserError
from core.hop_rule import HopRule
from core.intervals import Event, Interval, match
from core.labels import read_labels
from core.pose import SubjectChoice
from core.settings import (
    ClipSettings,
    EventSettings,
    GuardrailSettings,
    PoseSettings,
    RunSettings,
    SessionSettings,
    TrainSettings,
)
from core.video import Video
from core.workspace import Workspace
from sample_data.make_session import Session
from tests.conftest import SHARED, Looked

YOLO = SHARED / "models" / "yolov8n-pose_int8_openvino_model"


@pytest.fixture
def workspace(looked: Looked, tmp_path: Path) -> Iterator[Workspace]:
    """A copy of the one in which the drawn session has been looked at."""
    shutil.copytree(looked.home, tmp_path / "home")
    with Workspace.open(tmp_path / "home") as opened:
        yield opened


@pytest.fixture(scope="module")
def reference_workspace(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    with Workspace.open(tmp_path_factory.mktemp("reference")) as opened:
        yield opened


def temporary_files(*folders: Path) -> list[Path]:
    return [path for folder in folders for path in folder.rglob("*.part*") if path.is_file()]


# the drawn session


def test_the_starter_finds_every_drawn_trick_and_nothing_else(session: Session, workspace: Workspace) -> None:
    seen = sighting.look(session.video, workspace)
    events, probability = pipeline.find(seen, HopRule())
    assert len(match(session.intervals, events, 0.5)) == len(session.intervals) == len(events)
    assert probability.index.tolist() == list(range(0, 600, 2))
    assert seen.seconds.pose == 0  # it was kept


def test_what_the_video_is_is_kept(session: Session, workspace: Workspace) -> None:
    (kept,) = workspace.sessions()
    assert (kept.id, kept.path) == (content_id(session.video), session.video)
    assert (kept.facts["frames"], kept.facts["width"], kept.facts["average_rate"]) == (600, 640, "30")


def test_labels_train_a_detector_and_are_kept(session: Session, workspace: Workspace, tmp_path: Path) -> None:
    for _ in range(2):
        result = pipeline.run(session.video, workspace, RunSettings(), None, labels=session.annotations)
    assert len(match(session.intervals, result.events, 0.5)) == len(session.intervals) == len(result.events)
    (revision,) = workspace.label_history(result.look.content)  # the second run had nothing new to say
    assert revision.intervals == session.intervals
    assert revision.source == str(session.annotations)


def test_corrected_labels_are_a_new_revision(session: Session, workspace: Workspace) -> None:
    content = content_id(session.video)
    workspace.session_for(session.video)
    found = [Event(130, 141, "trick", 0.8), Event(367, 382, "trick", 0.9)]
    corrected = [Interval(130, 141, "ollie"), Interval(367, 382, "kickflip")]
    for labels in (found, found, corrected, corrected, found):
        pipeline.keep_labels(workspace, content, labels, "editor")
    history = [[interval.label for interval in revision.intervals] for revision in workspace.label_history(content)]
    assert history == [["trick", "trick"], ["ollie", "kickflip"], ["trick", "trick"]]


def test_learning_one_label_keeps_the_others() -> None:
    labels = (Interval(0, 9, "ollie"), Interval(20, 29, "kickflip"), Interval(40, 49, "ollie"))
    assert pipeline.with_label(labels, "ollie", "a.csv") == (labels[0], labels[2])
    assert pipeline.with_label(labels, None, "a.csv") == labels
    with pytest.raises(UserError, match=r"^a\.csv has no interval labelled grind: choose one of kickflip, ollie\.$"):
        pipeline.with_label(labels, "grind", "a.csv")


def test_a_look_that_was_stopped_carries_on(session: Session, looked: Looked, tmp_path: Path) -> None:
    """Who closes the lid after an hour must not start again, and must not get other results than who did not."""

    def cancelled() -> bool:
        return bool(list((tmp_path / "home").rglob("000000.camera.parquet")))

    with Workspace.open(tmp_path / "home") as stopped, Workspace.open(looked.home) as unbroken:
        with pytest.raises(Cancelled):
            sighting.look(session.video, stopped, cancelled=cancelled)
        assert list(stopped.home.rglob("000000.pose.parquet"))
        assert temporary_files(tmp_path) == []
        began: list[float] = []
        later = sighting.look(session.video, stopped, progress=lambda _, done: began.append(done))
        assert began[0] == pytest.approx(512 / 600)  # only the second of two parts was left to do
        assert (sorted(began), began[-1]) == (began, 1.0)
        whole = sighting.look(session.video, unbroken)
        assert later.pose.to_arrow().equals(whole.pose.to_arrow())
        assert later.camera.to_arrow().equals(whole.camera.to_arrow())
        assert not list(stopped.home.rglob("*.parts"))


def clips_of(result: pipeline.Result) -> list[Path]:
    assert result.exported
    return [result.exported.out / clip.name for clip in result.exported.clips]


def test_a_cut_that_was_stopped_carries_on(session: Session, workspace: Workspace, tmp_path: Path) -> None:
    out = tmp_path / "clips"
    steps: list[tuple[str, float]] = []

    def progress(step: sighting.Step, done: float) -> None:
        steps.append((step, done))

    def run(stop_at: float) -> pipeline.Result:
        return pipeline.run(
            session.video, workspace, RunSettings(), out, progress=progress, cancelled=lambda: steps[-1][1] >= stop_at
        )

    steps.append(("cutting", 0.0))
    with pytest.raises(Cancelled):
        run(stop_at=0.51)
    written = {path: path.stat().st_mtime_ns for path in out.glob("*.mp4")}
    assert temporary_files(out, workspace.home) == []
    steps.append(("cutting", 0.0))
    assert clips_of(run(stop_at=2.0)) == sorted(out.glob("*.mp4"))
    assert {path: path.stat().st_mtime_ns for path in written} == written


def test_a_clip_that_somebody_changed_is_cut_anew(session: Session, workspace: Workspace, tmp_path: Path) -> None:
    """A receipt alone is no clip: the file may have been replaced or deleted since."""
    first = pipeline.run(session.video, workspace, RunSettings(), tmp_path / "clips")
    one, two = clips_of(first)
    whole = one.read_bytes()
    one.write_bytes(whole[:1000])
    two.unlink()
    pipeline.run(session.video, workspace, RunSettings(), tmp_path / "clips")
    assert one.read_bytes() == whole
    assert two.stat().st_size > 1000


def test_another_mode_is_another_clip(session: Session, workspace: Workspace, tmp_path: Path) -> None:
    exact, fast = (
        pipeline.run(session.video, workspace, RunSettings(clips=ClipSettings(mode=mode)), tmp_path / "clips").exported
        for mode in ("exact", "fast")
    )
    assert exact
    assert fast
    assert exact.files[0].name == fast.files[0].name
    assert fast.files[0].start_frame < exact.files[0].start_frame


def test_the_result_is_plain_json(session: Session, workspace: Workspace) -> None:
    result = pipeline.run(session.video, workspace, RunSettings(threshold=1.0), None)
    assert json.loads(json.dumps(result.to_json(), allow_nan=False))["events"] == []


# the real reference session


@pytest.mark.parametrize(
    "pose",
    [PoseSettings(backend="movenet"), PoseSettings(backend="yolo", weights=str(YOLO))],
    ids=["movenet", "yolo"],
)
def test_the_starter_finds_the_real_tricks(
    reference: tuple[Path, Path], reference_workspace: Workspace, pose: PoseSettings
) -> None:
    """What a new user sees first: footage without labels, all of its tricks and no others."""
    if pose.weights and not YOLO.is_dir():
        pytest.skip("the YOLO weights are not here")
    video, labels = reference
    seen = sighting.look(video, reference_workspace, pose)
    events, _ = pipeline.find(seen, HopRule())
    truth = read_labels(labels).intervals
    assert len(match(truth, events, 0.1)) == len(truth) == len(events) == 3


def test_a_trained_detector_finds_the_trick_it_has_not_seen(
    reference: tuple[Path, Path], reference_workspace: Workspace
) -> None:
    video, labels = reference
    truth = read_labels(labels).intervals
    seen = sighting.look(video, reference_workspace, PoseSettings(backend="movenet"))
    outcomes = validate.compare([validate.Labelled(seen.example(truth), seen.video.pts_s)], TrainSettings())
    unseen = outcomes["motion rf, leave one trick out"].events
    counts = unseen.by_tiou[0.1]
    assert (counts.found, counts.missed, counts.wrong) == (3, 0, 0)
    assert unseen.mean_tiou >= 0.5
    recipe = outcomes["original's recipe, leave one trick out"].events
    assert recipe.by_tiou[0.5].found < unseen.by_tiou[0.5].found


@pytest.mark.parametrize(("merge_gap_s", "clips"), [(ClipSettings().merge_gap_s, 2), (0.0, 3)])
def test_close_tricks_share_a_clip(reference: tuple[Path, Path], merge_gap_s: float, clips: int) -> None:
    video, labels = reference
    plans = plan_clips(read_labels(labels).intervals, Video.open(video), ClipSettings(merge_gap_s=merge_gap_s))
    assert len(plans) == clips


# what the studio reads back


def test_what_was_seen_is_read_back_without_looking(
    session: Session, studio_workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A page must open at once: no network is loaded and no picture decoded."""
    looked = sighting.look(session.video, studio_workspace)
    monkeypatch.setattr("core.pose.backends.choose", None)
    monkeypatch.setattr(Video, "pictures", None)
    (one,) = studio_workspace.sessions()
    kept = sighting.kept(one, studio_workspace)
    assert kept is not None
    pd.testing.assert_frame_equal(kept.signals.table, looked.signals.table)
    assert (kept.backend, kept.stride) == (looked.backend, 2)


def test_a_session_that_nobody_looked_at_gives_nothing(tmp_path: Path, session: Session) -> None:
    with Workspace.open(tmp_path / "fresh") as workspace:
        one = workspace.session_for(session.video, sighting.video_facts(Video.open(session.video)))
        assert sighting.kept(one, workspace) is None


def test_guardrails_and_stride_are_judged_anew_from_what_is_kept(studio_workspace: Workspace) -> None:
    (one,) = studio_workspace.sessions()
    kept = sighting.kept(one, studio_workspace)
    assert kept is not None
    strict = kept.with_guardrails(GuardrailSettings(min_torso_len=0.9))
    assert strict.signals.rejections["torso_too_small"] > 0.7 * kept.camera.n
    assert pipeline.find(strict, HopRule())[0] == pipeline.find(kept, HopRule())[0]  # hops need no guardrail
    coarse = kept.every(2)
    assert (coarse.stride, coarse.camera.n, len(coarse.signals.table)) == (4, 150, 150)
    assert len(match(pipeline.find(kept, HopRule())[0], pipeline.find(coarse, HopRule())[0], 0.3)) == 2


def test_settings_of_a_session_decide_what_is_found(studio_workspace: Workspace) -> None:
    (one,) = studio_workspace.sessions()
    kept = sighting.kept(one, studio_workspace)
    assert kept is not None
    for threshold, count in ((0.8, 2), (1.0, 0)):
        chosen = SessionSettings(events=EventSettings(default_threshold=threshold))
        studio_workspace.save_settings(one.id, chosen)
        assert studio_workspace.settings(one.id) == chosen
        assert len(pipeline.found(kept, studio_workspace, chosen)[0]) == count


def test_a_click_on_a_person_is_kept_and_measured(studio_workspace: Workspace) -> None:
    (one,) = studio_workspace.sessions()
    kept = sighting.kept(one, studio_workspace)
    assert kept is not None
    row = kept.signals.rows[kept.signals.rows >= 0][0]
    x1, y1, x2, y2 = (float(edge) for edge in kept.pose.boxes[row])
    choice = SubjectChoice(int(kept.pose.frame[row]), (x1 + x2) / 2, (y1 + y2) / 2)
    studio_workspace.choose_subject(one.id, choice)
    again = sighting.kept(one, studio_workspace)
    assert again is not None
    assert again.choices == (choice,)
    assert again.signals.rows[again.signals.rows >= 0][0] == row
    studio_workspace.clear_subjects(one.id)
    assert studio_workspace.subjects(one.id) == ()
