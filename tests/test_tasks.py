"""What the jobs do, on real footage and without a queue: the pages show nothing that these did not make."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from core import jobs, pipeline, proxy, sighting, tasks, thumbnails
from core.detector import TrickDetector
from core.errors import Cancelled, UserError
from core.ffmpeg import FFmpegError
from core.framing import Keyframe
from core.intervals import Interval
from core.lanes import LANES
from core.recognize import outlines
from core.recognize.players import players
from core.recognize.samples import ClipSample
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
from tests.small_sam import small, write_weights


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
    assert sighting.kept(processed, studio_workspace) is not None
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


# add


@pytest.mark.parametrize("find", [True, False])
def test_footage_is_added_and_searched_where_that_was_asked_for(
    studio_workspace: Workspace, session: Session, tmp_path: Path, find: bool
) -> None:
    """The drawn session was looked at: it is known, and not looked at again."""
    folder = tmp_path / "card"
    folder.mkdir()
    shutil.copy(session.video, folder / "known.mp4")
    fresh = empty_plaza(folder / "fresh.avi")
    (folder / "bad.mp4").write_bytes(b"no video")
    report = Watching()
    result = tasks.add(studio_workspace, {"sources": [str(folder)], "find": find}, report)
    assert json.loads(json.dumps(result)) == result
    assert [len(result[what]) for what in ("sessions", "known", "failed")] == [1, 1, 1]
    assert studio_workspace.session(result["sessions"][0]).path == fresh
    queued = [(job.kind, job.session_id) for job in jobs.jobs(studio_workspace)]
    assert queued == ([("process", result["sessions"][0])] if find else [])
    assert report.steps == ["adding"]
    assert report.told[-1][1] == 1.0
    again = tasks.add(studio_workspace, {"sources": [str(folder)], "find": find}, Watching())
    assert [len(again[what]) for what in ("sessions", "known", "failed")] == [0, 2, 1]
    assert len(jobs.jobs(studio_workspace)) == find  # what waits is not queued twice


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
    seen = sighting.kept(record, studio_workspace)
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


# name


class Steady:
    """A recognizer that is of one opinion."""

    classes = ("ollie", "kickflip")
    unsure_below = 0.0
    clip_s = None

    def predict(self, clips: Sequence[ClipSample], *_: Any, **__: Any) -> NDArray[np.float64]:
        return np.tile([0.9, 0.1], (len(clips), 1))


def test_only_whom_a_box_was_drawn_round_is_named(
    studio_workspace: Workspace, session: Session, record: Record, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("core.recognize.loading.open_recognizer", lambda *_: Steady())
    monkeypatch.setattr("core.recognize.shelf.recognizer", lambda *_: SimpleNamespace(folder=None))
    seen = sighting.kept(record, studio_workspace)
    assert seen
    track = players(seen.pose, seen.camera, seen.video)[0].track
    at = len(track.frames) // 2
    drawn = [int(track.frames[at]), *track.boxes[at].clip(0, 1).tolist()]
    arguments = {"session": record.id, "recognizer": "steady", "players": True, "events": [], "window": 20}
    named = tasks.name(studio_workspace, {**arguments, "drawn": drawn}, Watching())
    (player,) = named["players"]
    assert player["windows"][0]["start_frame"] == drawn[0]
    assert {one["end_frame"] - one["start_frame"] + 1 for one in player["windows"]} == {20}
    assert all(Path(file).is_file() for file in named["files"])
    everybody = tasks.name(studio_workspace, {**arguments, "drawn": None}, Watching())
    assert everybody["players"][0]["windows"][0]["start_frame"] < drawn[0]
    smaller = [*drawn[:3], *((one + low) / 2 for one, low in zip(drawn[3:], drawn[1:3], strict=True))]
    other = tasks.name(studio_workspace, {**arguments, "drawn": smaller}, Watching())
    wider = tasks.name(studio_workspace, {**arguments, "drawn": drawn, "window": 30}, Watching())
    again = tasks.name(studio_workspace, {**arguments, "drawn": drawn}, Watching())
    # All annotated videos are there: none takes another's place.
    made = [file for one in (named, other, wider, everybody) for file in one["files"]]
    assert len(set(made)) == 8
    assert all(Path(file).is_file() for file in made)
    assert again["files"] == named["files"]


# cutout


def test_whoever_was_clicked_on_is_cut_out(
    studio_workspace: Workspace, session: Session, record: Record, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("torch", reason="the light installation has no PyTorch")
    build = pytest.importorskip("ultralytics.models.sam.build", reason="the light installation has no Ultralytics")
    monkeypatch.setitem(build.sam_model_map, "sam2_t.pt", small)
    monkeypatch.setattr(outlines, "outline", partial(outlines.outline, side=256))
    write_weights(studio_workspace.home / "weights" / "sam2_t.pt")
    arguments = {
        "session": record.id, "clicks": [[42, 0.5, 0.5, True], [42, 0.1, 0.1, False]], "span": [41, 44],
        "background": "#00FF00", "weights": None,
    }  # fmt: skip
    report = Watching()
    done = tasks.cutout(studio_workspace, arguments, report)
    assert len(Video.open(Path(done["file"])).pts_s) == 4
    assert report.steps == ["outlining", "cutting"]
    # The layer was kept: another background needs no network, and stands in a file of its own.
    monkeypatch.setattr(outlines, "outline", None)
    other = tasks.cutout(studio_workspace, {**arguments, "background": "transparent"}, Watching())
    assert Path(other["file"]).suffix == ".webm"
    assert Path(done["file"]).is_file()
    assert tasks.cutout(studio_workspace, arguments, Watching()) == done


def test_two_persons_of_one_clip_are_two_files(
    studio_workspace: Workspace, record: Record, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outlines, "find_spec", lambda name: True)
    weights = studio_workspace.home / "sam2_t.pt"
    weights.touch()
    out: list[Path] = []
    monkeypatch.setattr(outlines, "cut_out_clicked", lambda *arguments: out.append(arguments[5]))
    clicks = [[[42, 0.5, 0.5, True]], [[42, 0.7, 0.5, True]], [[42, 0.5, 0.5, True], [42, 0.7, 0.5, False]]]
    arguments = {"session": record.id, "span": [41, 44], "background": "blur", "weights": str(weights)}
    for one in [*clicks, clicks[0]]:
        tasks.cutout(studio_workspace, {**arguments, "clicks": one}, Watching())
    assert len(set(out)) == 3
    assert out[3] == out[0]


def test_a_folder_of_cutouts_that_cannot_be_made_is_said(
    studio_workspace: Workspace, record: Record, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outlines, "find_spec", lambda name: True)
    weights = studio_workspace.home / "sam2_t.pt"
    weights.touch()
    (studio_workspace.home / "clips").mkdir(exist_ok=True)
    (studio_workspace.home / "clips" / record.id).touch()
    arguments: dict[str, Any] = {
        "session": record.id, "clicks": [[42, 0.5, 0.5, True]], "span": [41, 44], "background": "blur",
        "weights": str(weights),
    }  # fmt: skip
    with pytest.raises(UserError, match="a file stands where a folder is needed"):
        tasks.cutout(studio_workspace, arguments, Watching())


def test_nothing_is_cut_out_without_weights_or_in_front_of_nothing_known(
    studio_workspace: Workspace, record: Record, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outlines, "find_spec", lambda name: True)
    arguments: dict[str, Any] = {
        "session": record.id, "clicks": [[42, 0.5, 0.5, True]], "span": [41, 44], "background": "blur", "weights": None,
    }  # fmt: skip
    with pytest.raises(UserError, match="There are no weights of SAM 2"):
        tasks.cutout(studio_workspace, arguments, Watching())
    weights = studio_workspace.home / "sam2_t.pt"
    weights.touch()
    with pytest.raises(UserError, match="is no background"):
        tasks.cutout(studio_workspace, {**arguments, "weights": str(weights), "background": "../x"}, Watching())


def test_every_kind_has_its_task() -> None:
    assert set(tasks.TASKS) == {kind for kinds in LANES.values() for kind in kinds}
