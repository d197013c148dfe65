"""What the jobs do, on real footage and without a queue: the pages show nothing that these did not make."""

from __future__ import annotations

import shutil
import sys
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from core import pipeline, proxy, tasks, thumbnails
from core.detector import TrickDetector
from core.errors import Cancelled, UserError
from core.ffmpeg import FFmpegError
from core.framing import Keyframe
from core.intervals import Interval
from core.jobs import LANES
from core.records import Session as Record
from core.reviews import Decision, decide
from core.settings import (
    ClipSettings,
    EventSettings,
    ExportSettings,
    FramingSettings,
    SessionSettings,
    TrainSettings,
)
from core.video import Video
from core.workspace import Workspace
from sample_data.make_session import Session


@dataclass
class Watching:
    """A report that remembers what it was told, and stops a task when a step is reached."""

    stop_at: str | None = None
    told: list[tuple[str, float, int | None]] = field(default_factory=list)

    def progress(self, step: str, fraction: float, frames_done: int | None = None) -> None:
        assert 0 <= fraction <= 1
        self.told.append((step, fraction, frames_done))

    def cancelled(self) -> bool:
        return bool(self.told) and self.told[-1][0] == self.stop_at

    @property
    def steps(self) -> list[str]:
        return list(dict.fromkeys(step for step, _, _ in self.told))


@pytest.fixture
def record(studio_workspace: Workspace, session: Session) -> Record:
    """The drawn session, which has been looked at."""
    return studio_workspace.session_for(session.video)


@pytest.fixture
def labelled(studio_workspace: Workspace, session: Session, record: Record) -> Record:
    studio_workspace.save_labels(record.id, session.intervals, source="drawn")
    return record


# process


def test_a_processed_session_has_all_that_its_pages_show(studio_workspace: Workspace, record: Record) -> None:
    report = Watching()
    made = tasks.process(studio_workspace, {"session": record.id}, report)
    assert made == {"events": 2}
    assert report.steps == ["drawing thumbnails", "looking", "finding tricks"]
    sprite = thumbnails.read(thumbnails.thumbnails_path(studio_workspace, record.id))
    assert sprite
    assert sprite.count > 10
    assert thumbnails.poster_path(studio_workspace, record.id).stat().st_size > 1000
    processed = studio_workspace.session(record.id)
    assert processed.facts["found"] == 2
    assert processed.facts["frames"] == Video.open(record.path).n_frames
    assert pipeline.kept(processed, studio_workspace) is not None
    again = Watching()
    tasks.process(studio_workspace, {"session": record.id}, again)
    assert again.steps == ["looking", "finding tricks"]  # what is there is not made again


def test_the_frames_are_counted_where_they_are_looked_at(studio_workspace: Workspace, record: Record) -> None:
    """Without them the chip could not say how fast it goes."""
    report = Watching()
    tasks.process(studio_workspace, {"session": record.id}, report)
    counted = [frames for step, fraction, frames in report.told if step == "drawing thumbnails" and fraction]
    assert counted[-1] == Video.open(record.path).n_frames


def test_the_sessions_own_settings_decide(studio_workspace: Workspace, record: Record) -> None:
    studio_workspace.save_settings(record.id, SessionSettings(events=EventSettings(default_threshold=1.0)))
    assert tasks.process(studio_workspace, {"session": record.id}, Watching()) == {"events": 0}
    assert thumbnails.poster_path(studio_workspace, record.id).exists()  # of whatever is in the middle


def test_footage_that_the_browser_cannot_play_gets_a_copy(tmp_path: Path) -> None:
    """And where nobody is seen, the copy and the thumbnails are there to label by hand."""
    video = empty_plaza(tmp_path / "plaza.avi")
    with Workspace.open(tmp_path / "home") as workspace:
        record = workspace.session_for(video)
        report = Watching()
        with pytest.raises(UserError, match=r"plaza\.avi: nobody was found"):
            tasks.process(workspace, {"session": record.id}, report)
        assert report.steps == ["preparing the video", "drawing thumbnails", "looking"]
        copy = Video.open(proxy.proxy_path(workspace, record.id))
        assert (copy.info.codec, copy.n_frames) == ("h264", 30)
        assert thumbnails.read(thumbnails.thumbnails_path(workspace, record.id))


@pytest.mark.parametrize(
    ("error", "kept"),
    [
        (UserError("The disk is full: free some space."), "The disk is full: free some space."),
        (FFmpegError("FFmpeg ended with code 1.", ["[mp4 @ 0x1] odd"]), "session.mp4 could not be made into a copy"),
    ],
)
def test_tricks_are_found_without_the_copy_for_the_browser(
    studio_workspace: Workspace, record: Record, monkeypatch: pytest.MonkeyPatch, error: Exception, kept: str
) -> None:
    """One video that FFmpeg chokes on must not cost its tricks; the page says why it may not play."""

    def refuse(*_: Any) -> Path:
        raise error

    monkeypatch.setattr(proxy, "needs_proxy", lambda _: True)
    monkeypatch.setattr(proxy, "make_proxy", refuse)
    assert tasks.process(studio_workspace, {"session": record.id}, Watching()) == {"events": 2}
    facts = studio_workspace.session(record.id).facts
    assert facts["proxy_failed"].startswith(kept)
    assert facts["found"] == 2
    monkeypatch.setattr(proxy, "make_proxy", lambda *_: None)  # there is room now
    tasks.process(studio_workspace, {"session": record.id}, Watching())
    assert studio_workspace.session(record.id).facts["proxy_failed"] is None


def empty_plaza(path: Path) -> Path:
    """A second of nothing, in a codec that no browser knows."""
    import av
    import numpy as np

    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=30)
        stream.width, stream.height, stream.pix_fmt = 160, 96, "yuv420p"
        stream.codec_context.time_base = Fraction(1, 30)
        for _ in range(30):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(np.full((96, 160, 3), 90, np.uint8), "rgb24")))
        container.mux(stream.encode())
    return path


def test_processing_stops_while_the_copy_is_made(tmp_path: Path) -> None:
    """A copy that was stopped is none that failed."""
    video = empty_plaza(tmp_path / "plaza.avi")
    with Workspace.open(tmp_path / "home") as workspace:
        record = workspace.session_for(video)
        with pytest.raises(Cancelled):
            tasks.process(workspace, {"session": record.id}, Watching(stop_at="preparing the video"))
        assert "proxy_failed" not in workspace.session(record.id).facts


@pytest.mark.parametrize("step", ["drawing thumbnails", "looking"])
def test_processing_stops_when_it_is_told(tmp_path: Path, session: Session, step: str) -> None:
    with Workspace.open(tmp_path / "home") as workspace:
        record = workspace.session_for(session.video)
        with pytest.raises(Cancelled):
            tasks.process(workspace, {"session": record.id}, Watching(stop_at=step))
        assert not [path for path in workspace.home.rglob("*.part*") if path.is_file()]


@pytest.mark.parametrize("kind", ["process", "export"])
def test_footage_that_is_gone(studio_workspace: Workspace, session: Session, kind: str, tmp_path: Path) -> None:
    moved = tmp_path / "moved.mp4"
    shutil.copy(session.video, moved)
    record = studio_workspace.session_for(moved)
    moved.unlink()
    arguments = {"session": record.id, "events": [[1, 2, "trick", None]], "stars": [0], "settings": {}}
    with pytest.raises(UserError, match=r"moved\.mp4"):
        tasks.TASKS[kind](studio_workspace, arguments, Watching())


# sample


def test_the_sample_is_drawn_into_the_workspace_and_processed(studio_workspace: Workspace, session: Session) -> None:
    """A minute of it is drawn elsewhere; here the short one lies there already."""
    shutil.copytree(session.video.parent, studio_workspace.home / "sample")
    made = tasks.sample(studio_workspace, {}, Watching())
    record = studio_workspace.session(made["session"])
    assert made["events"] == 2
    assert record.name == "Sample session"
    assert record.path == (studio_workspace.home / "sample" / "session.mp4").resolve()
    assert (record.path.parent / "annotations.xml").is_file()
    assert studio_workspace.labels(record.id) is None  # to be seen is what is found without them


def test_an_installation_without_the_sample(studio_workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sample_data.make_session", None)
    with pytest.raises(UserError, match="which is not installed: start the app from a copy of the repository"):
        tasks.sample(studio_workspace, {}, Watching())


# train


def arguments_for(*session_ids: str, name: str = "mine") -> dict[str, Any]:
    settings = TrainSettings(model="logreg").model_dump(mode="json")
    return {"sessions": list(session_ids), "settings": settings, "name": name}


def test_a_trained_model_is_kept_with_how_good_it_is(studio_workspace: Workspace, labelled: Record) -> None:
    report = Watching()
    made = tasks.train(studio_workspace, arguments_for(labelled.id), report)
    assert report.steps == ["training", "tuning", "checking"]
    checked = [fraction for step, fraction, _ in report.told if step == "checking"]
    assert checked == pytest.approx([number / 6 for number in range(1, 7)])  # two recipes, two tricks and the last part
    model = studio_workspace.model(made["model"])
    assert model.name == "mine"
    assert model.meta["sessions"] == [labelled.id]
    assert model.meta["settings"]["model"] == "logreg"
    assert set(model.meta["validation"]) == set(made["validation"])
    assert "starter, as it comes" in made["validation"]  # the tricks are too close to each other to leave one out
    assert made["unvalidated"] is None
    assert TrickDetector.load(model.path).meta["validation"].keys() == made["validation"].keys()
    studio_workspace.save_settings(labelled.id, SessionSettings(model=model.id))
    assert tasks.process(studio_workspace, {"session": labelled.id}, Watching())["events"] >= 1


def test_a_model_of_one_trick_says_why_it_is_not_validated(
    studio_workspace: Workspace, session: Session, record: Record
) -> None:
    studio_workspace.save_labels(record.id, session.intervals[:1], source="drawn")
    made = tasks.train(studio_workspace, arguments_for(record.id), Watching())
    assert made["validation"] == {}
    assert made["unvalidated"].startswith("Leaving one trick out needs at least two labelled tricks")
    assert studio_workspace.model(made["model"])


@pytest.mark.parametrize(
    ("step", "told"), [("gathering what was decided", 1), ("training", 3), ("tuning", 4), ("checking", 5)]
)
def test_training_stops_when_it_is_told(studio_workspace: Workspace, labelled: Record, step: str, told: int) -> None:
    report = Watching(stop_at=step)
    with pytest.raises(Cancelled):
        tasks.train(studio_workspace, {**arguments_for(), "sessions": None}, report)
    assert len(report.told) == told
    assert studio_workspace.models() == []


def test_everything_is_trained_on_but_what_is_gone(
    studio_workspace: Workspace, labelled: Record, tmp_path: Path
) -> None:
    new = studio_workspace.session_for(empty_plaza(tmp_path / "plaza.avi"))
    studio_workspace.save_labels(new.id, [Interval(1, 2)], source="editor")
    made = tasks.train(studio_workspace, {**arguments_for(), "sessions": None}, Watching())
    assert studio_workspace.model(made["model"]).meta["sessions"] == [labelled.id]
    (sentence,) = made["skipped"]
    assert sentence.startswith("plaza was left out. plaza was not processed yet")


def test_a_review_is_learnt_from_where_it_was_made(studio_workspace: Workspace, record: Record) -> None:
    """One trick kept, one rejected, nothing else found: the whole video is known then."""
    decide(studio_workspace, record.id, [Decision(Interval(130, 141), "keep"), Decision(Interval(368, 381), "reject")])
    made = tasks.train(studio_workspace, arguments_for(record.id), Watching())
    assert made["untuned"].startswith("The threshold and the event rules stay at their defaults. Leaving one trick out")
    detector = TrickDetector.load(studio_workspace.model(made["model"]).path)
    assert detector.events == EventSettings()
    seen = pipeline.kept(record, studio_workspace)
    assert seen
    probability = pipeline.find(seen, detector)[1]
    assert probability.loc[130:141].max() > 0.5 > probability.loc[368:381].max()


def test_what_cannot_be_trained_on(studio_workspace: Workspace, record: Record, tmp_path: Path) -> None:
    """Each sentence says which session and what to do."""
    with pytest.raises(UserError, match="There is no session to train on: label one or review what was found"):
        tasks.train(studio_workspace, arguments_for(), Watching())
    with pytest.raises(UserError, match=f"{record.name} has no labels to learn from: label its tricks"):
        tasks.train(studio_workspace, arguments_for(record.id), Watching())
    new = studio_workspace.session_for(empty_plaza(tmp_path / "plaza.avi"))
    studio_workspace.save_labels(new.id, [], source="editor")
    with pytest.raises(UserError, match="plaza has no labels"):
        tasks.train(studio_workspace, arguments_for(new.id), Watching())
    studio_workspace.save_labels(new.id, [Interval(1, 2)], source="editor")
    with pytest.raises(UserError, match="plaza was not processed yet: find its tricks first"):
        tasks.train(studio_workspace, arguments_for(new.id), Watching())


# export


def test_exported_clips(studio_workspace: Workspace, session: Session, record: Record) -> None:
    events = [[one.start_frame, one.end_frame, "ollie", 0.75] for one in session.intervals]
    settings = ExportSettings(
        kinds=("clips", "csv"),
        clips=ClipSettings(merge_gap_s=0, clip_padding_s=0.5),
        framing=FramingSettings(aspect="1:1", keyframes=(Keyframe(session.intervals[0].start_frame, 0.0, 0.5),)),
    )
    arguments = {
        "session": record.id, "events": events, "stars": [5, 0], "settings": settings.model_dump(mode="json"),
    }  # fmt: skip
    report = Watching()
    made = tasks.export(studio_workspace, arguments, report)
    assert report.steps == ["exporting"]
    assert report.told[-1][1] == 1.0
    assert len(made["clips"]) == 2
    for clip, one in zip(made["clips"], session.intervals, strict=True):
        path = Path(clip["path"])
        assert path.parent == studio_workspace.home / "clips" / record.id
        assert "ollie" in path.name
        assert clip["start_s"] < one.start_frame / 30 < one.end_frame / 30 < clip["end_s"]
        video = Video.open(path)
        assert video.info.duration_s == pytest.approx(clip["end_s"] - clip["start_s"], abs=0.05)
        assert video.info.width == video.info.height
    first, second = (file for file in made["files"] if file["kind"] == "clips")
    assert first["confidence"] == 0.75
    assert first["crop"]["x"][0] == 0 < second["crop"]["x"][0]  # only the first was led to the left by hand
    [table] = (Path(file["path"]) for file in made["files"] if file["kind"] == "csv")
    assert "5" in table.read_text().splitlines()[1].split(",")
    written = [Path(clip["path"]).stat().st_mtime_ns for clip in made["clips"]]
    again = tasks.export(studio_workspace, arguments, Watching())
    assert again == made
    assert [Path(clip["path"]).stat().st_mtime_ns for clip in again["clips"]] == written


def test_an_export_of_nothing(studio_workspace: Workspace, record: Record) -> None:
    with pytest.raises(UserError, match=r"No trick of .* was chosen"):
        tasks.export(studio_workspace, {"session": record.id, "events": [], "stars": [], "settings": {}}, Watching())


def test_every_kind_has_its_task() -> None:
    assert set(tasks.TASKS) == {kind for kinds in LANES.values() for kind in kinds}
