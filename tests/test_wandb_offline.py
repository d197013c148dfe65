"""What W&B keeps of a run without a network, read from its own files: a team compares runs by these names."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from core import sighting
from core.detector import TrickDetector, starter
from core.errors import UserError
from core.metrics import METRIC_COLUMNS, REASONS
from core.settings import ClipSettings, EventSettings, GuardrailSettings, PoseSettings, TrainSettings
from core.wandb_log import RunLog, find_metrics
from core.workspace import Workspace
from sample_data.make_session import Session
from tests.conftest import COMMAND, ROOT, Looked, Ran
from tests.wandb_commands import wandb_commands, wandb_environment
from tests.wandb_files import OfflineRun

KEY = "0123456789abcdef0123456789abcdef01234567"
UNREACHABLE = "http://127.0.0.1:9"


@dataclass(frozen=True)
class Kept:
    """A folder in which a detector was trained and footage measured and cut, logged offline as a ``.env`` file says."""

    home: Path
    folder: Path
    trained: OfflineRun
    measured: OfflineRun
    cut: OfflineRun
    ran: Ran


def md5(content: bytes) -> str:
    return base64.b64encode(hashlib.md5(content).digest()).decode()


def without_wandb() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("WANDB_")}


def runs_in(folder: Path) -> list[OfflineRun]:
    return [OfflineRun.read(run) for run in folder.glob("wandb/offline-run-*")]


def of_job(folder: Path, job: str) -> OfflineRun:
    [run] = [run for run in runs_in(folder) if run.job_type == job]
    return run


@pytest.fixture(scope="module")
def kept(session: Session, looked: Looked, tmp_path_factory: pytest.TempPathFactory) -> Kept:
    folder = tmp_path_factory.mktemp("a park")
    shutil.copytree(looked.home, folder / "home")
    (folder / ".env").write_text(
        f"WANDB_MODE=offline\nWANDB_PROJECT=park\nWANDB_API_KEY={KEY}\nWANDB_BASE_URL={UNREACHABLE}\n"
    )
    home = folder / "home"
    train = ("train", "--video", session.video, "--labels", session.annotations, "--model", "logreg", "--wandb")
    with wandb_commands(folder, home) as command:
        trained = command(*train, "--out", folder / "park.skops")
        assert trained.code == 0, trained.err
        measured = command("process", session.video, "--out", folder / "metrics.parquet", "--wandb", "--json")
        assert measured.code == 0, measured.err
        ran = command("automation", "--footage", session.video, "--wandb", "--out", folder / "clips", "--json")
        assert ran.code == 0, ran.err
    training, measuring, cutting = (of_job(folder, job) for job in ("train", "feature-extraction", "automation"))
    return Kept(home, folder, training, measuring, cutting, ran)


@pytest.fixture
def here(kept: Kept) -> Iterator[Kept]:
    """This process, in that folder."""
    with wandb_environment(kept.folder, {"WANDB_MODE": "offline"}):
        yield kept


def test_the_table_of_metrics_is_what_was_measured(kept: Kept, session: Session) -> None:
    columns, rows = kept.cut.table("movement_metrics")
    with Workspace.open(kept.home) as workspace:
        metrics = sighting.look(session.video, workspace).signals.movement_metrics
    assert columns[: len(METRIC_COLUMNS)] == list(METRIC_COLUMNS)
    assert len(rows) == len(metrics) > 200
    logged = pd.DataFrame(rows, columns=columns)
    assert logged["frame"].tolist() == metrics["frame"].tolist()
    assert logged["tuck_ratio"].to_numpy() == pytest.approx(metrics["tuck_ratio"].to_numpy())
    assert set(logged["fps"]) == {30.0}
    assert set(logged["sample_stride"]) == {2}
    plot = kept.cut.config["_wandb"]["visualize"]["ratio_plot"]["panel_config"]
    assert plot["fieldSettings"] | {"stroke": None} == {"x": "frame", "y": "tuck_ratio", "stroke": None}
    assert kept.cut.summary["ratio_plot_table"]["nrows"] == len(metrics)


def test_every_sampled_frame_is_counted_once(kept: Kept) -> None:
    counts = {name.removeprefix("filter/"): n for name, n in kept.cut.summary.items() if name.startswith("filter/")}
    assert set(counts) == {"frames_total", "frames_sampled", "logged", *REASONS}
    assert (counts["frames_total"], counts["frames_sampled"]) == (600, 300)
    assert counts["logged"] + sum(counts[reason] for reason in REASONS) == 300
    assert counts["logged"] == len(kept.cut.table("movement_metrics")[1])


def test_measuring_alone_logs_what_cutting_does(kept: Kept, session: Session) -> None:
    table = pd.read_parquet(kept.folder / "metrics.parquet")
    assert kept.measured.table("movement_metrics") == kept.cut.table("movement_metrics")
    assert len(kept.measured.table("movement_metrics")[1]) == len(table)
    assert set(kept.measured.artifacts) >= {"skate_session_raw", "movement_signals"}
    assert "skate_highlights" not in kept.measured.artifacts
    assert (kept.measured.project, kept.measured.exit_code) == ("park", 0)


def test_the_config_has_every_knob_by_the_names_that_runs_are_compared_by(kept: Kept) -> None:
    train, events, clips = TrainSettings(model="logreg"), starter().events, ClipSettings()
    common = {
        "sample_stride": PoseSettings().sample_stride,
        **GuardrailSettings().model_dump(),
        "merge_gap_s": clips.merge_gap_s,
        "clip_padding_s": clips.clip_padding_s,
        "test_frac": train.test_frac,
        "min_overlap_frames": train.min_overlap_frames,
        "rf_estimators": train.trees,
        "seed": train.seed,
        "feature_set": train.feature_set,
    }
    assert common.items() <= kept.trained.config.items()
    assert common.items() <= kept.cut.config.items()
    assert kept.trained.config["model"] == "logreg"
    assert events.model_dump().items() <= kept.cut.config.items(), "the settings that found the clips"
    assert set(EventSettings.model_fields) <= set(kept.trained.config)
    assert kept.cut.config["trickline"]["clips"] == clips.model_dump()
    assert kept.cut.config["video_fps"] == 30.0
    assert kept.cut.config["effective_fps"] == 15.0
    assert kept.cut.summary["inference/threshold"] == events.default_threshold


def test_the_labels_are_a_table(kept: Kept, session: Session) -> None:
    columns, rows = kept.trained.table("label_intervals")
    assert columns == ["video", "label", "start_frame", "end_frame", "start_s", "end_s", "duration_s"]
    wanted = [
        ["session", i.label, i.start_frame, i.end_frame, i.start_frame / 30, i.end_frame / 30, i.frames / 30]
        for i in session.intervals
    ]
    assert [row[:4] for row in rows] == [row[:4] for row in wanted]
    assert np.array([row[4:] for row in rows]) == pytest.approx(np.array([row[4:] for row in wanted]), abs=1e-6)


def test_the_training_says_what_it_learnt_from(kept: Kept, session: Session) -> None:
    numbers = kept.trained.summary
    frames = sum(sum(interval.start_frame <= frame <= interval.end_frame for frame in range(600)) for interval in
                 session.intervals)  # fmt: skip
    assert numbers["data/rows"] == 300
    assert numbers["data/n_intervals"] == len(session.intervals)
    assert numbers["data/pos_frames"] == pytest.approx(frames / 2, abs=len(session.intervals))
    assert numbers["data/pos_rate"] == pytest.approx(numbers["data/pos_frames"] / 300)
    detector = TrickDetector.load(kept.folder / "park.skops")
    assert numbers["inference/threshold"] == detector.events.default_threshold
    assert detector.events.model_dump().items() <= kept.trained.config.items(), "what was chosen, not the defaults"
    assert kept.trained.config["threshold"] == detector.events.default_threshold
    assert kept.trained.table("validation")[0][0] == "detector"


def test_footage_is_a_reference_with_a_checksum_and_leads_to_the_highlights(kept: Kept, session: Session) -> None:
    """Gigabytes stay where they are, and W&B knows by the checksum if they were changed."""
    footage = kept.cut.artifacts["skate_session_raw"]
    [entry] = footage.manifest.contents
    assert footage.type == "raw-footage"
    assert (entry.ref, entry.path) == (session.video.as_uri(), session.video.name)
    assert entry.digest == md5(session.video.read_bytes())
    clips = kept.cut.artifacts["skate_highlights"]
    assert clips.type == "video_collection"
    wanted = {Path(clip["path"]).name: Path(clip["path"]).read_bytes() for clip in json.loads(kept.ran.out)["clips"]}
    assert {entry.path: entry.digest for entry in clips.manifest.contents} == {n: md5(c) for n, c in wanted.items()}
    source = [f"skate_session_raw:{footage.digest}"]
    assert kept.cut.metadata("skate_highlights")["made_from"] == source == kept.cut.config["inputs"]
    assert kept.trained.metadata("skate_trick_classifier")["made_from"] == source
    assert kept.cut.exit_code == kept.trained.exit_code == 0


def test_the_model_says_what_it_is(kept: Kept) -> None:
    model = kept.trained.artifacts["skate_trick_classifier"]
    bundle = kept.folder / "park.skops"
    detector = TrickDetector.load(bundle)
    assert model.type == "model"
    assert [(e.path, e.digest) for e in model.manifest.contents] == [
        ("trick_classifier.skops", md5(bundle.read_bytes()))
    ]
    about = kept.trained.metadata("skate_trick_classifier")
    assert about["feature_columns"] == list(detector.columns)
    assert (about["feature_set"], about["fps"]) == ("motion", pytest.approx(15.0))
    assert (about["threshold"], about["pose"]) == (detector.events.default_threshold, detector.meta["pose"])


def test_training_from_a_run_by_its_name_is_training_from_its_video(here: Kept, session: Session) -> None:
    metrics = find_metrics(here.trained.name)
    [video] = metrics.labelled
    assert tuple(video.truth) == session.intervals
    assert metrics.backends[0].startswith("movenet-")
    settings = TrainSettings(model="logreg")
    again = TrickDetector.fit([video.example], settings)
    first = TrickDetector.load(here.folder / "park.skops")
    table = video.example.table
    assert np.allclose(again.predict_proba(table), first.predict_proba(table), equal_nan=True)


def test_a_run_without_labels_needs_them(here: Kept, session: Session) -> None:
    [video] = find_metrics(here.cut.name).labelled
    assert not video.truth
    [video] = find_metrics(here.cut.name).with_labels(session.annotations).labelled
    assert tuple(video.truth) == session.intervals


def test_a_run_that_is_not_there_is_named(here: Kept) -> None:
    with pytest.raises(UserError, match="No offline run called nobody"):
        find_metrics("nobody")


@pytest.mark.parametrize("damage", ["about.json", "signals.parquet", "times.parquet"])
def test_damaged_signals_are_refused(here: Kept, damage: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(here.trained.folder, tmp_path / "wandb" / here.trained.folder.name)
    [file] = tmp_path.rglob(damage)
    file.write_bytes(file.read_bytes()[:-100] + b"\0" * 100)
    monkeypatch.setenv("WANDB_DIR", str(tmp_path))
    with pytest.raises(UserError, match="damaged"):
        find_metrics(here.trained.name)


def test_a_run_that_was_killed_hides_no_other(here: Kept, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It stopped in the middle of writing what is newer than all others."""
    shutil.copytree(here.trained.folder, tmp_path / "wandb" / here.trained.folder.name)
    killed = tmp_path / "wandb" / "offline-run-29990101_000000-abcdefgh" / "files" / "movement_signals" / "x"
    killed.mkdir(parents=True)
    (killed / "about.json").write_text('{"run": "tra')
    monkeypatch.setenv("WANDB_DIR", str(tmp_path))
    assert len(find_metrics(here.trained.name).labelled) == 1


def test_signals_that_would_not_fit_into_memory_are_refused(
    here: Kept, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A constant column of any length is a few kilobytes of Parquet."""
    shutil.copytree(here.trained.folder, tmp_path / "wandb" / here.trained.folder.name)
    [times] = tmp_path.rglob("times.parquet")
    pd.DataFrame({"pts_s": np.zeros(10_000_001)}).to_parquet(times)
    monkeypatch.setenv("WANDB_DIR", str(tmp_path))
    monkeypatch.setattr(pd, "read_parquet", lambda file, read=pd.read_parquet: read(file) if "times" not in str(file)
                        else pytest.fail("it was read"))  # fmt: skip
    with pytest.raises(UserError, match="damaged"):
        find_metrics(here.trained.name)


def test_the_key_is_written_nowhere(kept: Kept) -> None:
    folder = kept.folder
    holding = [path for path in folder.rglob("*") if path.is_file() and KEY.encode() in path.read_bytes()]
    assert holding == [folder / ".env"]
    assert KEY not in kept.ran.out + kept.ran.err


def test_a_run_that_is_not_asked_for_does_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    log = RunLog(None)
    log.raw_footage(tmp_path / "nowhere.mp4")
    log.use(["a/b/c:d"])
    log.labels([])
    log.finish()
    assert not log.told
    assert not list(tmp_path.iterdir())


def test_without_a_network_the_work_goes_on(session: Session, looked: Looked, tmp_path: Path) -> None:
    """One sentence, and the clips are there; the run is kept for later."""
    shutil.copytree(looked.home, tmp_path / "home")
    environment = without_wandb() | {
        "HOME": str(tmp_path), "PYTHONPATH": str(ROOT), "TRICKLINE_HOME": str(tmp_path / "home"),
        "WANDB_API_KEY": KEY, "WANDB_BASE_URL": UNREACHABLE, "WANDB_INIT_TIMEOUT": "1",
    }  # fmt: skip
    command = [*COMMAND, "automation", "--footage", str(session.video), "--wandb", "--out", "clips"]
    done = subprocess.run(
        command, cwd=tmp_path, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=600
    )
    warned = [line for line in done.stderr.splitlines() if "cannot be reached" in line]
    assert (done.returncode, len(warned), len(done.stderr.splitlines())) == (0, 1, 2), done.stderr
    assert KEY not in done.stderr
    assert len(list((tmp_path / "clips").glob("*.mp4"))) == 2
    assert of_job(tmp_path, "automation").exit_code == 0


def test_without_a_key_the_work_goes_on(
    session: Session, looked: Looked, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    shutil.copytree(looked.home, tmp_path / "home")
    with wandb_commands(tmp_path, tmp_path / "home", {"HOME": str(tmp_path)}) as command:
        ran = command("run", session.video, "--labels", session.annotations, "--wandb", "--out", tmp_path / "clips")
    [warned] = [record.message for record in caplog.records if record.levelname == "WARNING"]
    assert "cannot be reached (there is no key: set WANDB_API_KEY)" in warned
    assert (ran.code, len(ran.err.splitlines())) == (0, 1), ran.err
    run = of_job(tmp_path, "run")
    assert run.exit_code == 0
    assert len(run.table("label_intervals")[1]) == len(session.intervals), "what was learnt from"
    assert len(run.artifacts["skate_highlights"].manifest.contents) == len(list((tmp_path / "clips").glob("*.mp4"))) > 0


SERVICE_DIES = """
import os, signal, sys
from pathlib import Path
from core import sighting, pipeline
from core.wandb_log import logged
from core.workspace import Workspace

def core_of_mine():
    for process in Path("/proc").glob("[0-9]*"):
        try:
            parent = (process / "stat").read_text().rsplit(")", 1)[1].split()[1]
            if b"wandb-core" in (process / "cmdline").read_bytes() and int(parent) == os.getpid():
                yield int(process.name)
        except OSError:
            pass

with Workspace.open() as workspace, logged(True, "feature-extraction", {}) as log:
    seen = sighting.look(Path(sys.argv[1]), workspace)
    for process in core_of_mine():
        os.kill(process, signal.SIGKILL)
    log.movement_metrics(seen)
    log.labels([])
print("done")
"""


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="processes are found in /proc")
def test_when_its_service_dies_the_work_goes_on(session: Session, looked: Looked, tmp_path: Path) -> None:
    shutil.copytree(looked.home, tmp_path / "home")
    environment = without_wandb() | {
        "PYTHONPATH": str(ROOT), "TRICKLINE_HOME": str(tmp_path / "home"), "WANDB_MODE": "offline",
    }  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-c", SERVICE_DIES, str(session.video)], cwd=tmp_path, env=environment,
        capture_output=True, text=True, timeout=600,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (0, "done\n"), done.stderr
    assert done.stderr.count("the work goes on without W&B") == 1, done.stderr
    assert done.stderr.count("\n") == 1, done.stderr
