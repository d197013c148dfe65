"""The command line is what other programs and impatient users rely on: what it prints, where, and how it ends."""

from __future__ import annotations

import json
import os
import pty
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import av
import pandas as pd
import pytest
from typer.testing import CliRunner

from core.cli import app
from core.detector import starter
from core.features import FEATURE_SETS
from core.intervals import Interval, match
from core.labels import read_labels
from core.metrics import METRIC_COLUMNS, REASONS
from core.reviews import Decision, decide
from core.settings import EXPORT_KINDS, Architecture, ModelKind
from core.timecode import clock
from core.workspace import Workspace
from sample_data.make_session import Session
from tests.conftest import COMMAND, Command, Looked, Ran, Trickline

NUMBER = (int, float)
WITHOUT_OPENVINO = (sys.executable, "-c", "import sys; sys.modules['openvino'] = None\n" + COMMAND[2])


@pytest.fixture
def rule_of_hops(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """What finds tricks where the starter's file is missing."""
    monkeypatch.setattr("core.detector.STARTER", tmp_path / "nowhere.npz")
    starter.cache_clear()
    yield
    starter.cache_clear()


@pytest.fixture(scope="module")
def trained(session: Session, looked: Looked, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Ran]:
    """A model of the drawn session and what training it printed."""
    folder = tmp_path_factory.mktemp("trained")
    shutil.copytree(looked.home, folder / "home")
    trickline = Trickline(folder / "home", folder)
    options = ("--feature-set", "motion", "--model", "logreg", "--out", "models/park.skops", "--json")
    return folder / "models" / "park.skops", trickline(
        "train", "--video", session.video, "--labels", session.annotations, *options
    )


def events_of(result: dict[str, Any]) -> list[Interval]:
    return [Interval(event["start_frame"], event["end_frame"], event["label"]) for event in result["events"]]


def without_seconds(result: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in result.items() if name != "seconds"}


def write_time(folder: Path) -> dict[Path, int]:
    return {path: path.stat().st_mtime_ns for path in folder.glob("*.mp4")}


# run


def test_run_prints_the_promised_object(session: Session, looked: Looked) -> None:
    """A program that reads these keys breaks when one is missing, renamed or of another type."""
    result = looked.ran.json
    assert {name: type(value) for name, value in result.items()} == {
        "video": str, "frames": int, "fps": float, "duration_s": float, "pose": str, "sampled": int, "events": list,
        "clips": list, "seconds": dict,
    }  # fmt: skip
    told = [result[name] for name in ("video", "frames", "fps", "duration_s", "sampled")]
    assert told == [str(session.video), 600, 30.0, 20.0, 300]
    assert result["pose"].startswith("movenet-")
    for event in result["events"]:
        assert list(event) == ["label", "start_frame", "end_frame", "start_s", "end_s", "confidence"]
        assert event["start_s"] == pytest.approx(event["start_frame"] / 30, abs=1e-6)
        assert event["end_s"] == pytest.approx(event["end_frame"] / 30, abs=1e-6)
        assert 0.5 <= event["confidence"] <= 1
    assert list(result["seconds"]) == ["decode", "pose", "motion", "total"]
    assert all(value > 0 for value in result["seconds"].values())


def test_run_finds_the_drawn_tricks_and_cuts_them_out(session: Session, looked: Looked) -> None:
    result = looked.ran.json
    assert len(match(session.intervals, events_of(result), 0.5)) == len(session.intervals) == len(result["events"])
    assert [Path(clip["path"]) for clip in result["clips"]] == sorted(looked.clips.glob("*.mp4"))
    for clip, event in zip(result["clips"], result["events"], strict=True):
        assert list(clip) == ["path", "start_s", "end_s"]
        assert clip["start_s"] == pytest.approx(event["start_s"] - 2, abs=0.04)
        with av.open(clip["path"]) as container:
            assert len(container.streams.audio) == 1
            frames = sum(1 for _ in container.decode(video=0))
        assert frames / 30 == pytest.approx(clip["end_s"] - clip["start_s"], abs=1e-3)


def test_the_second_run_only_remembers(session: Session, looked: Looked, trickline: Trickline) -> None:
    """Whoever asks again waits for no network, gets the same answer, and finds the clips untouched."""
    before = write_time(looked.clips)
    again = trickline("run", session.video, "--out", looked.clips, "--json").json
    first = looked.ran.json
    assert without_seconds(again) == without_seconds(first)
    assert [again["seconds"][step] for step in ("decode", "pose", "motion")] == [0, 0, 0]
    assert again["seconds"]["total"] < first["seconds"]["total"]
    assert write_time(looked.clips) == before


def test_a_renamed_video_is_known(session: Session, looked: Looked, trickline: Trickline) -> None:
    renamed = shutil.copy(session.video, trickline.folder / "Park day 2.mov")
    result = trickline("run", "Park day 2.mov", "--json").json
    assert result["video"] == str(renamed)
    assert result["seconds"]["pose"] == 0
    assert result["events"] == looked.ran.json["events"]
    clips = [f"Park-day-2_{number:02d}_trick.mp4" for number in (1, 2)]
    assert [clip["path"] for clip in result["clips"]] == [str(trickline.folder / "clips" / name) for name in clips]


def test_one_bad_video_stops_nothing(session: Session, looked: Looked, trickline: Trickline) -> None:
    (trickline.folder / "broken.mp4").write_text("no video")
    ran = trickline("run", "broken.mp4", session.video, "--json")
    assert ran.sentence.startswith("broken.mp4 ")
    broken, whole, all_of_them = map(json.loads, ran.out.splitlines())
    assert (broken["state"], broken["error"]) == ("failed", ran.sentence)
    assert whole["events"] == looked.ran.json["events"]
    assert (all_of_them["summary"]["done"], all_of_them["summary"]["failed"]) == (1, 1)
    assert len(list((trickline.folder / "clips").glob("*.mp4"))) == 2


def test_videos_of_one_name_do_not_take_each_others_clips(
    session: Session, trickline: Trickline, at_once: Command
) -> None:
    """Every camera starts again at GX010001: the clips of the first card must survive the second."""
    card = trickline.folder / "card2"
    card.mkdir()
    other = card / session.video.name
    other.write_bytes(session.video.read_bytes() + b"\0\0\0\x08free")
    lists = {video: trickline.folder / f"{video.parent.name}.csv" for video in (session.video, other)}
    clips: dict[Path, list[Any]] = {video: [] for video in lists}
    for start, path in zip((100, 400), lists.values(), strict=True):
        path.write_text(f"start_frame,end_frame\n{start},{start + 9}\n")
    for video, path in (*lists.items(), (other, lists[other])):
        clips[video].append(at_once("export", video, "--events", path, "--mode", "fast", "--json").json["clips"])
    first, second, again = clips[session.video][0], *clips[other]
    assert first[0]["path"] == str(trickline.folder / "clips" / "session_01_trick.mp4")
    assert second[0]["path"] != first[0]["path"]
    assert second == again
    assert len(list((trickline.folder / "clips").glob("*.mp4"))) == 2


@pytest.mark.usefixtures("rule_of_hops")
def test_the_threshold_decides_what_is_a_trick(session: Session, at_once: Command) -> None:
    """By the height of the hops, of which no two are equal."""
    found = at_once("run", session.video, "--json").json["events"]
    weaker, stronger = sorted(float(event["confidence"]) for event in found)
    assert weaker < stronger
    result = at_once("run", session.video, "--threshold", (weaker + stronger) / 2, "--json").json
    assert [event["confidence"] for event in result["events"]] == [stronger]


def test_a_fast_clip_says_where_it_starts(session: Session, looked: Looked, at_once: Command) -> None:
    """A copied clip starts at the keyframe before: who is not told takes its first second for the trick."""
    fast = at_once("run", session.video, "--mode", "fast", "--json").json
    for copied, exact in zip(fast["clips"], looked.ran.json["clips"], strict=True):
        assert copied["start_s"] % 2 == pytest.approx(0, abs=1e-6)  # the drawn session has a keyframe every 2 s
        assert exact["start_s"] - 2 < copied["start_s"] <= exact["start_s"]
        assert copied["end_s"] >= exact["end_s"]


def test_what_people_read_tells_times_and_files(
    session: Session, looked: Looked, trickline: Trickline, at_once: Command
) -> None:
    result = looked.ran.json
    ran = at_once("run", session.video, "--mode", "fast")
    assert (ran.code, ran.err) == (0, "")
    title, *rest = ran.out.splitlines()
    assert title == "session.mp4: 2 tricks in 20.0 s of footage"
    assert len(rest) == 4
    for line, event in zip(rest[:2], result["events"], strict=True):
        assert f"{clock(event['start_s'])} - {clock(event['end_s'])}" in line
        assert f"frames {event['start_frame']}-{event['end_frame']} " in line
    for line, clip in zip(rest[2:], result["clips"], strict=True):
        assert Path(line.split()[0]) == trickline.folder / "clips" / Path(clip["path"]).name
        assert line.endswith(f"(starts {clip['start_s'] % 2:.2f} s early, at the keyframe)")


def test_progress_shows_on_a_terminal_only(session: Session, trickline: Trickline) -> None:
    """A bar in a log file is noise, and no bar on a terminal looks like a hang."""
    leader, follower = pty.openpty()
    arguments = [*COMMAND, "run", str(session.video), "--stride", "8", "--json"]
    with subprocess.Popen(
        arguments, cwd=trickline.folder, env=trickline.environment, stdout=subprocess.PIPE, stderr=follower
    ) as process:
        os.close(follower)
        shown = b""
        while True:
            try:
                shown += os.read(leader, 4096)
            except OSError:  # the last one who held the other end let go
                break
        os.close(leader)
        assert process.stdout
        assert json.loads(process.stdout.read())["sampled"] == 75
    assert process.returncode == 0
    assert b"session.mp4: looking" in shown
    assert b"session.mp4: cutting" in shown
    assert b"100 %" in shown


def test_ctrl_c_stops_in_one_line(session: Session, trickline: Trickline) -> None:
    shutil.rmtree(trickline.home / "videos")
    with trickline.start("run", session.video, "--json") as process:
        parts = trickline.home / "videos"
        while not parts.exists():
            time.sleep(0.02)
        time.sleep(0.3)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=600)
    assert (process.returncode, out) == (130, "")
    assert err == "trickline: stopped; what was finished is kept, run it again to carry on.\n"
    assert trickline.leftovers() == []


def test_ctrl_c_during_an_import_stops_in_one_line(trickline: Trickline, tmp_path: Path) -> None:
    """The C++ of OpenVINO and PyTorch makes other errors of it, after which the work would go on without them."""
    (tmp_path / "openvino.py").write_text(
        "import os, signal, time\n"
        "try:\n"
        "    os.kill(os.getpid(), signal.SIGINT)\n"
        "    time.sleep(0.5)\n"
        "except KeyboardInterrupt:\n"
        "    raise ImportError('initialization failed') from None\n"
        "def Core():\n"
        "    time.sleep(600)\n"
    )
    code = f"import sys; sys.path.insert(0, {str(tmp_path)!r}); from core.cli import main; main()"
    ran = trickline("doctor", command=(sys.executable, "-c", code))
    assert (ran.code, ran.out) == (130, "")
    assert ran.err == "trickline: stopped; what was finished is kept, run it again to carry on.\n"


def test_without_openvino_it_is_as_quiet(session: Session, trickline: Trickline) -> None:
    """LiteRT greets on stderr from C code, where no logging setting reaches."""
    ran = trickline("run", session.video, "--stride", "8", "--json", command=WITHOUT_OPENVINO)
    assert ran.json["pose"] == "movenet-multipose-litert"


# process, train, detect


def test_process_writes_the_movement_metrics(session: Session, trickline: Trickline, at_once: Command) -> None:
    told = at_once("process", session.video, "--out", "out/metrics.parquet", "--json").json
    assert list(told) == ["out", "sampled", "rows", "rejected"]
    assert list(told["rejected"]) == list(REASONS)
    assert told["rows"] + sum(told["rejected"].values()) == told["sampled"] == 300
    table = pd.read_parquet(trickline.folder / "out" / "metrics.parquet")
    assert len(table) == told["rows"]
    assert table.columns[: len(METRIC_COLUMNS)].tolist() == list(METRIC_COLUMNS)
    assert table["tuck_ratio"].between(0.2, 10).all()


def test_train_tells_how_good_the_model_is(trained: tuple[Path, Ran]) -> None:
    model, ran = trained
    assert ran.code == 0
    told = json.loads(ran.out)
    assert list(told) == ["model", "validation", "events"]
    assert model.is_file()
    assert {"starter, as it comes", "motion logreg, last 20%"} < set(told["validation"])
    for outcome in told["validation"].values():
        assert list(outcome) == ["frames", "events"]
    assert told["validation"]["starter, as it comes"]["events"]["tiou"]["0.1"]["found"] == 2


def test_an_ensemble_sees_kinematics_alone(session: Session, at_once: Command) -> None:
    """The default is another set, which the sentence has to say."""
    asked = ("train", "--video", session.video, "--labels", session.annotations, "--model")
    for model in ("adapted", "ensemble"):
        said = at_once(*asked, model).sentence
        assert said == (
            f"The model {model} goes with the feature set kinematics alone, not with motion: "
            "choose kinematics, or another model."
        )


def test_the_starter_is_adapted_to_labels(session: Session, trickline: Trickline, at_once: Command) -> None:
    asked = ("--feature-set", "kinematics", "--model", "adapted", "--out", "near.skops")
    ran = at_once("train", "--video", session.video, "--labels", session.annotations, *asked)
    assert ran.code == 0
    result = at_once("detect", session.video, "--model", trickline.folder / "near.skops", "--json").json
    assert len(match(session.intervals, events_of(result), 0.3)) == 2


def test_a_trained_model_detects(session: Session, trained: tuple[Path, Ran], trickline: Trickline) -> None:
    result = trickline("detect", session.video, "--model", trained[0], "--json").json
    assert result["clips"] == []
    assert len(match(session.intervals, events_of(result), 0.3)) == 2
    assert not (trickline.folder / "clips").exists()


def test_everything_in_the_workspace_is_learnt_from(
    session: Session, trickline: Trickline, at_once: Command, tmp_path: Path
) -> None:
    lost = tmp_path / "lost.mp4"
    lost.write_bytes(b"not there for long")
    with Workspace.open(trickline.home) as workspace:
        (record,) = workspace.sessions()
        gone = workspace.session_for(lost)
        workspace.save_labels(gone.id, [Interval(1, 2)], "editor")
        first, second = (Interval(one.start_frame, one.end_frame) for one in session.intervals)
        decide(workspace, record.id, [Decision(first, "keep"), Decision(second, "reject")])
    lost.unlink()
    options = ("--model", "logreg", "--seed", 1, "--never-miss", 0.9, "--out", "all.skops", "--json")
    ran = at_once("train", "--all", *options)
    assert ran.code == 0
    left_out, untuned = ran.err.splitlines()
    assert left_out.startswith("trickline: lost was left out. lost was not processed yet")
    assert untuned.startswith("trickline: Not validated: Leaving one trick out needs at least two labelled tricks")
    told = json.loads(ran.out)
    assert told["sessions"] == [record.name]
    assert told["skipped"] == [left_out.removeprefix("trickline: ")]
    assert (told["validation"], told["learning_curve"]) == ({}, [])
    assert told["events"]["default_threshold"] == 0.5
    with Workspace.open(trickline.home) as workspace:
        assert workspace.model("all").meta["sessions"] == [record.id]
    assert at_once("detect", session.video, "--model", "all.skops", "--json").code == 0


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--all",), "No session teaches anything: label one, or review what was found in it."),
        (("--all", "--label", "ollie"), "--all learns from the workspace: leave out --video, --labels and --label"),
        ((), "Give a --video with its --labels to learn from, or --all"),
        (("--labels", "there.csv"), "Give a --video with its --labels to learn from, or --all"),
    ],
)
def test_what_there_is_to_learn_from_has_to_be_said(
    at_once: Command, arguments: tuple[str, ...], sentence: str
) -> None:
    assert at_once("train", *arguments).sentence.startswith(sentence)


def test_a_model_of_another_stride_warns(session: Session, trained: tuple[Path, Ran], at_once: Command) -> None:
    ran = at_once("detect", session.video, "--model", trained[0], "--stride", "8", "--json")
    assert ran.code == 0
    assert json.loads(ran.out)["sampled"] == 75
    assert re.fullmatch(r"trickline: The model was trained at 15\.0 .* 3\.8: change the stride\.\n", ran.err)


# evaluate, convert, export


@pytest.fixture
def events(looked: Looked, trickline: Trickline) -> Path:
    """What ``run --json`` printed, in a file."""
    path = trickline.folder / "events.json"
    path.write_text(looked.ran.out)
    return path


def test_found_tricks_are_compared_with_the_labels(session: Session, events: Path, at_once: Command) -> None:
    told = at_once("evaluate", "--labels", session.annotations, "--events", events, "--json").json
    assert list(told) == ["events.json"]
    row = told["events.json"]
    assert (row["tiou"]["0.5"]["found"], row["tiou"]["0.1"]["missed"], row["tiou"]["0.1"]["wrong"]) == (2, 0, 0)
    assert row["mean_tiou"] > 0.5


def test_with_the_video_detectors_are_compared_too(session: Session, events: Path, at_once: Command) -> None:
    ran = at_once("evaluate", "--labels", session.annotations, "--events", events, "--video", session.video)
    assert ran.code == 0
    for name in ("events.json", "starter, as it comes"):
        assert re.search(rf"^{name} +2/2 +0 ", ran.out, re.MULTILINE)
    assert "\nmotion rf, last 20% " in ran.out


def test_known_events_are_cut_without_looking(session: Session, events: Path, looked: Looked, tmp_path: Path) -> None:
    """Clips of the same events are the same, and the network is not needed for them."""
    trickline = Trickline(tmp_path / "fresh", tmp_path)
    told = trickline("export", session.video, "--events", events, "--out", "cut", "--json").json
    assert told["video"] == str(session.video)
    expected = [{**clip, "path": str(tmp_path / "cut" / Path(clip["path"]).name)} for clip in looked.ran.json["clips"]]
    assert [{**clip, **_rounded(clip)} for clip in told["clips"]] == expected
    assert not (trickline.home / "weights").exists()


def _rounded(clip: dict[str, Any]) -> dict[str, float]:
    return {name: round(clip[name], 6) for name in ("start_s", "end_s")}


def test_no_tricks_are_no_mistake(session: Session, looked: Looked, trickline: Trickline, at_once: Command) -> None:
    """A program that hands the events on must not fail on footage without tricks."""
    (trickline.folder / "none.json").write_text(json.dumps({**looked.ran.json, "events": [], "clips": []}))
    assert at_once("export", session.video, "--events", "none.json", "--json").json["clips"] == []
    told = at_once("evaluate", "--labels", session.annotations, "--events", "none.json", "--json").json
    assert told["none.json"]["tiou"]["0.1"]["missed"] == 2


def test_labels_survive_every_format(session: Session, trickline: Trickline, at_once: Command) -> None:
    at = session.annotations
    for target in ("a.csv", "b.json", "c.xml"):
        ran = at_once("convert", at, target, "--video", session.video)
        assert (ran.code, ran.out, ran.err) == (0, "", f"trickline: 2 intervals written to {target}\n")
        at = trickline.folder / target
    assert read_labels(at).intervals == session.intervals


# bench, doctor, models


def test_bench_measures_a_sampled_frame(session: Session, trickline: Trickline) -> None:
    told = trickline("bench", session.video, "--stride", "20", "--json").json
    assert (told["frames"], told["sampled"]) == (600, 30)
    steps = ["decode_ms", "pose_in_threads_ms", "motion_ms", "total_ms"]
    assert list(told) == ["pose", "frames", "sampled", *steps, "footage_s_per_s", "peak_memory_mb"]
    assert all(told[name] > 0 for name in (*steps, "footage_s_per_s", "peak_memory_mb"))


def test_doctor_names_every_part(trickline: Trickline) -> None:
    ran = trickline("doctor")
    assert (ran.code, ran.err) == (0, "")
    lines = ran.out.splitlines()
    assert all(line.startswith(("ok      ", "missing ")) for line in lines)
    for part in ("video (PyAV)", "OpenCV", "FFmpeg", "MoveNet", "workspace"):
        assert sum(line.startswith(f"ok      {part} ") for line in lines) == 1


def test_weights_that_are_there_are_not_fetched(trickline: Trickline, at_once: Command) -> None:
    pytest.importorskip("ultralytics", reason="fetching goes through Ultralytics, which is not installed")
    weights = trickline.home / "weights" / "yolov8n-pose.pt"
    weights.write_bytes(b"PK")
    ran = at_once("models", "get", "yolov8n-pose")
    assert (ran.code, ran.out) == (0, f"{weights}\n")
    assert "AGPL-3.0" in ran.err


# help


LOOKING = {"--pose", "--weights", "--stride"}
FINDING = {"--model", "--threshold", "--mode", "--out", "--json"}
LOGGING = {"--wandb", "--wandb-upload"}


@pytest.mark.parametrize(
    ("command", "options"),
    [
        ("run", LOOKING | FINDING | LOGGING | {"FOLDER", "URL...", "--labels", "--again", "--apart"}),
        ("watch", LOOKING | FINDING | LOGGING | {"FOLDER", "--settle", "--once"}),
        ("automation", LOOKING | FINDING | LOGGING | {"--payload", "--footage", "--no-wandb", "--max-gb"}),
        ("process", LOOKING | LOGGING | {"VIDEO", "--out", "--json"}),
        (
            "train",
            LOOKING
            | LOGGING
            | {"--video", "--labels", "--all", "--feature-set", "--model", "--never-miss", "--out", "--json"}
            | {"--metrics-run-name"},
        ),
        ("detect", LOOKING | {"VIDEO", "--model", "--threshold", "--json"}),
        ("evaluate", LOOKING | {"--labels", "--events", "--json"}),
        ("convert", {"IN", "OUT", "--video"}),
        ("export", {"VIDEO", "--events", "--out", "--mode", "--aspect", "--formats", "--preset", "--music", "--json"}),
        ("recognize video", {"VIDEO", "--model", "--players", "--json"}),
        ("recognize train", {"--data", "--arch", "--out", "--epochs", "--json"}),
        ("recognize evaluate", {"--model", "--data", "--report", "--json"}),
        ("recognize keep", {"DIR", "--name"}),
        ("recognize list", {"--json"}),
        ("recognize augment", {"--data", "--out", "--below", "--rotate", "--shift", "--seed"}),
        ("recognize dive", {"NUMBER", "--json"}),
        ("serve", {"--model", "--host", "--port", "--max-mb", "--timeout"}),
        ("cutout", {"VIDEO", "--click", "--out", "--background", "--weights"}),
        ("bench", LOOKING | {"VIDEO", "--json"}),
        ("doctor", set()),
        ("models get", {"NAME"}),
    ],
)
def test_help_tells_what_can_be_asked(command: str, options: set[str]) -> None:
    """Scripts pass these: a renamed option breaks them."""
    shown = CliRunner().invoke(app, [*command.split(), "--help"], env={"COLUMNS": "200", "TERM": "dumb"})
    assert shown.exit_code == 0
    words = set(re.findall(r"[\w.-]+", shown.output.replace("*", " ")))
    assert options <= words | {word.upper() for word in words}


@pytest.mark.parametrize(
    ("command", "values"),
    [
        ("run", ["auto|movenet|yolo", "exact|fast"]),
        ("train", ["|".join(FEATURE_SETS), "|".join(get_args(ModelKind))]),
        ("export", ["source|9:16|4:5|1:1", ", ".join(EXPORT_KINDS)]),
        ("recognize train", ["|".join(get_args(Architecture))]),
    ],
)
def test_help_tells_the_choices(command: str, values: list[str]) -> None:
    shown = CliRunner().invoke(app, [*command.split(), "--help"], env={"COLUMNS": "400", "TERM": "dumb"})
    assert all(value in shown.output for value in values)


def test_without_arguments_it_helps(trickline: Trickline) -> None:
    ran = trickline()
    assert (ran.code, ran.err) == (2, "")
    for command in (
        "run",
        "watch",
        "process",
        "train",
        "detect",
        "evaluate",
        "convert",
        "export",
        "cutout",
        "recognize",
        "serve",
        "automation",
        "worker",
        "bench",
        "doctor",
        "models",
    ):
        assert f" {command} " in ran.out
