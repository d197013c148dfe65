"""What W&B's server is told and asked, by a small fake of it: from footage to highlights, and models by their names."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from core import sighting
from core.cli.many import batch_settings
from core.detector import TrickDetector
from core.errors import UserError
from core.lessons import positive_rows
from core.settings import RunSettings, TrainSettings
from core.wandb_log import find_metrics, pull_footage, pull_model, resolve_model
from core.workspace import Workspace
from sample_data.make_session import Session
from tests.conftest import Looked
from tests.wandb_commands import wandb_commands, wandb_environment
from tests.wandb_fake import ENTITY, KEY, ORGANIZATION, PROJECT, FakeServer, Run

MODEL, FOOTAGE = "skate_trick_classifier", "skate_session_raw"
GB = 10**9


@dataclass(frozen=True)
class Logged:
    """What three commands have told the server: a detector trained on a video, one on the first run's metrics, and the
    footage cut by the newest."""

    server: FakeServer
    folder: Path
    trained: Run
    trained_again: Run
    cut: Run


@pytest.fixture(scope="module")
def server() -> Iterator[FakeServer]:
    fake = FakeServer()
    yield fake
    fake.close()


@pytest.fixture(scope="module")
def logged(server: FakeServer, session: Session, looked: Looked, tmp_path_factory: pytest.TempPathFactory) -> Logged:
    folder = tmp_path_factory.mktemp("online")
    shutil.copytree(looked.home, folder / "home")
    environment = server.environment | {"HOME": str(folder)}
    with wandb_commands(folder, folder / "home", environment) as command:

        def run(*arguments: object, said: str = "") -> Run:
            before = set(server.runs)
            ran = command(*arguments, said=said)
            assert ran.code == 0, ran.err
            assert KEY not in ran.out + ran.err
            [new] = set(server.runs) - before
            return server.runs[new]

        training = ("--model", "logreg", "--wandb", "--out")
        trained = run("train", "--video", session.video, "--labels", session.annotations, *training, "first.skops")
        again = run("train", "--metrics-run-name", trained.name, *training, "second.skops")
        webhook = {"event_type": "new version", "artifact_version_string": f"{ENTITY}/{PROJECT}/{FOOTAGE}:v0"}
        cut = run("automation", "--model", f"{MODEL}:latest", "--out", "highlights", said=json.dumps(webhook))
    return Logged(server, folder, trained, again, cut)


@pytest.fixture
def asking(server: FakeServer, tmp_path: Path) -> Iterator[FakeServer]:
    """The server, asked from this process."""
    with wandb_environment(tmp_path, server.environment | {"HOME": str(tmp_path), "WANDB_SILENT": "true"}):
        yield server


def test_nothing_was_asked_that_is_not_recorded(logged: Logged) -> None:
    assert not logged.server.unknown


def test_the_lineage_leads_from_the_footage_to_the_highlights(logged: Logged) -> None:
    """W&B draws its graph from what each run used and made."""
    server = logged.server
    made = {run: {a.name for a in server.artifacts.values() if a.run == run} for run in server.runs}
    assert logged.trained.used == [f"{FOOTAGE}:v0"]
    assert {MODEL, "movement_signals", f"run-{logged.trained.id}-movement_metrics"} <= made[logged.trained.id]
    assert logged.trained_again.used == ["movement_signals:v0"]
    assert MODEL in made[logged.trained_again.id]
    assert logged.cut.used == [f"{MODEL}:v1", f"{FOOTAGE}:v0"]
    assert "skate_highlights" in made[logged.cut.id]
    assert [run.job_type for run in server.runs.values()][:3] == ["train", "train", "automation"]
    assert [run.exit_code for run in (logged.trained, logged.trained_again, logged.cut)] == [0, 0, 0]
    assert len(server.of(FOOTAGE)) == 1, "the same footage is one version"


def test_the_model_is_linked_to_the_registry(logged: Logged) -> None:
    newest = logged.server.of(MODEL)[-1]
    assert logged.server.links == {f"{ORGANIZATION}/wandb-registry-model/{MODEL}": newest.id}
    assert newest.aliases == {"latest", "v1"}


def test_clips_and_model_arrive_whole(logged: Logged) -> None:
    server = logged.server
    [highlights] = server.of("skate_highlights")
    clips = {path.name: path.read_bytes() for path in (logged.folder / "highlights").glob("*.mp4")}
    assert len(clips) == 2
    assert {name: server.content(entry) for name, entry in highlights.entries.items()} == clips
    [entry] = server.of(MODEL)[1].entries.values()
    assert server.content(entry) == (logged.folder / "second.skops").read_bytes()


def test_the_server_has_the_counts_and_the_knobs(logged: Logged) -> None:
    assert logged.cut.summary["filter/frames_sampled"] == 300
    assert logged.cut.config["sample_stride"] == 2
    assert logged.trained_again.config["metrics_run_name"] == logged.trained.name
    assert logged.cut.config["inputs"] == [f"{ENTITY}/{PROJECT}/{MODEL}:v1", f"{ENTITY}/{PROJECT}/{FOOTAGE}:v0"]


def test_a_model_is_pulled_by_name_and_alias(logged: Logged, asking: FakeServer, tmp_path: Path) -> None:
    with Workspace.open(tmp_path / "home") as workspace:
        path, names = resolve_model(f"{MODEL}:v0", workspace)
        full, _ = resolve_model(f"{ENTITY}/{PROJECT}/{MODEL}:latest", workspace)
        assert resolve_model(str(full), workspace) == (full, [])
    assert path.read_bytes() == (logged.folder / "first.skops").read_bytes()
    assert names == [f"{ENTITY}/{PROJECT}/{MODEL}:v0"]
    assert TrickDetector.load(full).settings.model == "logreg"


def test_commands_take_a_model_by_its_name(logged: Logged, session: Session) -> None:
    home = logged.folder / "home"
    with wandb_commands(logged.folder, home, logged.server.environment | {"HOME": str(logged.folder)}) as command:
        named = command("detect", session.video, "--model", f"{MODEL}:v0", "--json").json
        lying = command("detect", session.video, "--model", "first.skops", "--json").json
        gone = command("detect", session.video, "--model", f"{MODEL}:v7")
        batch = batch_settings(RunSettings(), f"{MODEL}:v0", logged.folder / "clips", wandb=True)
    assert named["events"] == lying["events"]
    assert gone.sentence.startswith("W&B did not give it")
    assert Path(batch.model or "").read_bytes() == (logged.folder / "first.skops").read_bytes()
    assert batch.wandb_used == (f"{ENTITY}/{PROJECT}/{MODEL}:v0",)


def test_metrics_are_found_by_the_name_of_the_run(logged: Logged, asking: FakeServer, session: Session) -> None:
    metrics = find_metrics(logged.trained.name)
    assert [tuple(video.truth) for video in metrics.labelled] == [session.intervals]
    assert metrics.artifacts == (f"{ENTITY}/{PROJECT}/movement_signals:v0",)
    with pytest.raises(UserError, match="No run called winter-wave-1 in park/trickline"):
        find_metrics("winter-wave-1")


def test_a_table_of_the_original_teaches_what_it_can(
    asking: FakeServer, session: Session, looked: Looked, tmp_path: Path
) -> None:
    """Runs that were logged before Trickline are not lost: their table has tuck_ratio, and its fps tells the times."""
    shutil.copytree(looked.home, tmp_path / "home")
    with Workspace.open(tmp_path / "home") as workspace:
        metrics = sighting.look(session.video, workspace).signals.movement_metrics
    columns = ["frame", "hip_y", "tuck_ratio", "fps", "torso_len", "leg_len", "shoulder_y", "ankle_y", "box_area"]
    rows = metrics.assign(fps=30.0)[columns].to_numpy().tolist()
    kept = json.dumps({"columns": columns, "data": rows}).encode()
    asking.runs["old"] = Run("old", "summer-wave-1", "feature-extraction", {})
    asking.put("run-old-movement_metrics", "run_table", {"movement_metrics.table.json": kept}).run = "old"
    found = find_metrics("summer-wave-1").with_labels(session.annotations)
    [video] = found.labelled
    assert video.example.table["time_s"].to_numpy() == pytest.approx(metrics["time_s"].to_numpy())
    detector = TrickDetector.fit([video.example], TrainSettings(feature_set="temporal", trees=20))
    sure = detector.predict_proba(video.example.table)
    inside = positive_rows(video.example, 1)
    assert sure[inside].min() > sure[~inside].mean()
    with pytest.raises(UserError, match="basic and temporal"):
        found.check("motion")


@pytest.mark.parametrize(
    "table",
    [
        b"no JSON",
        b'{"columns": ["frame"], "data": [["a"]]}',
        b'{"columns": ["frame", "fps"], "data": []}',
        b'{"columns": ["frame", "fps"], "data": [[0.25, 30], [0.5, 30]]}',
        b'{"columns": ["frame", "fps"], "data": [[1e300, 30], [2, 30]]}',
        b'{"columns": ["frame", "fps"], "data": [[0, 30], [99999999999, 30]]}',
    ],
)
def test_a_table_of_something_else_is_refused(asking: FakeServer, table: bytes) -> None:
    name = f"other-{len(asking.runs)}"
    asking.runs[name] = Run(name, name, "feature-extraction", {})
    asking.put(f"run-{name}-movement_metrics", "run_table", {"movement_metrics.table.json": table}).run = name
    with pytest.raises(UserError, match="not the original's"):
        find_metrics(name)


def test_signals_that_lie_elsewhere_are_not_followed(asking: FakeServer, tmp_path: Path) -> None:
    """A reference may lead to what only this machine can read: its files, or its network."""
    secret = tmp_path / "secret.txt"
    secret.write_text("x")
    asking.runs["led"] = Run("led", "led-1", "feature-extraction", {})
    asking.runs["tabled"] = Run("tabled", "tabled-1", "feature-extraction", {})
    files = {name: secret.as_uri() for name in ("about.json", "signals.parquet", "times.parquet")}
    asking.put("movement_signals_led", "movement_signals", files, sizes=1).run = "led"
    table = {"movement_metrics.table.json": "http://169.254.169.254/latest"}
    asking.put("run-tabled-movement_metrics", "run_table", table, sizes=1).run = "tabled"
    for name in ("led-1", "tabled-1"):
        with pytest.raises(UserError, match="not followed"):
            find_metrics(name)


def test_a_model_that_is_none_is_refused(asking: FakeServer, tmp_path: Path) -> None:
    """A pickle could run anything; nothing of it is even fetched."""
    asking.put("pickled", "model", {"trick_classifier.pkl": b"cos\nsystem\n(S'true'\ntR."})
    asking.put("empty", "model", {"README.md": b"hello"})
    asking.put("odd", "model", {"../../evil\n.skops": b"x"})
    asking.put("climbing", "model", {"../../evil.skops": b"x"})
    asking.put("rooted", "model", {f"{tmp_path}/evil.skops": b"x"})
    asking.put("short", "model", {"model.skops": b"x"}, sizes=2)
    asking.put("elsewhere", "model", {"model.skops": "http://169.254.169.254/latest"})
    asking.put("huge", "model", {"model.skops": b"x"}, sizes=3 * GB)
    for name, sentence in (
        ("pickled:latest", "pickle"),
        ("empty:latest", "no bundle"),
        ("odd:latest", "odd name"),
        ("climbing:latest", "did not give it"),
        ("rooted:latest", "did not give it"),
        ("short:latest", "came with 1 bytes"),
        ("elsewhere:latest", "no bundle"),
        ("huge:latest", "3.0 GB"),
        ("nobody:latest", "not found"),
        ("../../etc/passwd:latest", "no artifact"),
    ):
        with pytest.raises(UserError, match=sentence):
            pull_model(name, tmp_path / "pulled")
    assert not [path for path in tmp_path.rglob("*.skops*") if path.is_file()]


def test_footage_is_taken_only_from_where_it_may_be(asking: FakeServer, session: Session, tmp_path: Path) -> None:
    secret = tmp_path / "secret.txt"
    secret.write_text("x")
    asking.put("here", "raw-footage", {"session.mp4": session.video.read_bytes()})
    asking.put("lies", "raw-footage", {"session.mp4": session.video.as_uri()}, sizes=session.video.stat().st_size)
    asking.put("secret", "raw-footage", {"session.mp4": secret.as_uri()}, sizes=1)
    asking.put("changed", "raw-footage", {"session.mp4": session.video.as_uri()}, sizes=1)
    asking.put("web", "raw-footage", {"session.mp4": "http://169.254.169.254/session.mp4"}, sizes=1)
    asking.put("text", "raw-footage", {"notes.txt": b"x"})
    asking.put("model", "model", {"model.skops": b"x"})
    [video], _ = pull_footage("here:latest", tmp_path / "pulled", GB)
    assert video.read_bytes() == session.video.read_bytes()
    assert pull_footage("lies:latest", tmp_path / "pulled", 1)[0] == [session.video]
    for name, sentence in (
        ("here:v0", "more than is fetched"),
        ("secret:latest", "not on this machine"),
        ("changed:latest", "not on this machine"),
        ("web:latest", "not on this machine"),
        ("text:latest", "no video"),
        ("model:latest", "raw-footage"),
    ):
        with pytest.raises(UserError, match=sentence):
            pull_footage(name, tmp_path / "other", 1000)
    assert not (tmp_path / "other").exists()


def test_a_reference_leads_to_the_video_that_was_meant_or_to_none(
    asking: FakeServer, session: Session, tmp_path: Path
) -> None:
    """Who knows where a film lies, and how large it is, gets no clips of it."""
    asking.put("meant", "raw-footage", {"session.mp4": session.video.as_uri()}, sizes=session.video.stat().st_size)
    [entry] = asking.of("meant")[0].entries.values()
    assert pull_footage("meant:latest", tmp_path, 1)[0] == [session.video]
    other = asking.of("meant")[0]
    other.manifest = other.manifest.replace(entry["digest"].encode(), b"AAAA")
    with pytest.raises(UserError, match="not on this machine"):
        pull_footage("meant:latest", tmp_path, 1)


def test_what_was_pulled_is_not_fetched_again(asking: FakeServer, tmp_path: Path) -> None:
    """A version never changes, and footage has gigabytes. What a killed process left goes."""
    asking.put("twice", "raw-footage", {"day.mp4": b"a whole day"})
    [first], _ = pull_footage("twice:latest", tmp_path, GB)
    abandoned = first.parent / ".fetching-abc"
    abandoned.mkdir()
    (abandoned / "day.mp4").write_bytes(b"a wh")
    (first.parent / ".fetching-live").mkdir()
    for path in (abandoned / "day.mp4", abandoned):
        os.utime(path, (1e9, 1e9))
    contents = dict(asking.files)
    asking.files.clear()
    try:
        assert pull_footage("twice:latest", tmp_path, GB)[0] == [first]
    finally:
        asking.files.update(contents)
    first.write_bytes(b"a wh")
    assert pull_footage("twice:latest", tmp_path, GB)[0] == [first]
    assert first.read_bytes() == b"a whole day"
    assert [path.name for path in first.parent.iterdir() if path.is_dir()] == [".fetching-live"]


def test_files_of_one_name_and_names_that_cameras_do_not_give(asking: FakeServer, tmp_path: Path) -> None:
    names = ["a/GX01.mp4", "b/GX01.mp4", "Bob's #1 & co [4k]! 100%.mp4", "Übung für später.mov"]
    asking.put("days", "raw-footage", {name: name.encode() for name in names})
    pulled, _ = pull_footage("days:latest", tmp_path, GB)
    assert sorted(path.read_text() for path in pulled) == sorted(names)
    assert {path.name for path in pulled} == {name.rsplit("/", 1)[-1] for name in names}


def test_uploaded_footage_is_an_input_all_the_same(
    server: FakeServer, session: Session, looked: Looked, tmp_path: Path
) -> None:
    """It is sent while the work goes on."""
    shutil.copytree(looked.home, tmp_path / "home")
    before = set(server.runs)
    with wandb_commands(tmp_path, tmp_path / "home", server.environment | {"HOME": str(tmp_path)}) as command:
        ran = command("run", session.video, "--wandb", "--wandb-upload", "--out", "clips")
    assert ran.code == 0, ran.err
    [new] = set(server.runs) - before
    newest = server.of(FOOTAGE)[-1]
    assert server.runs[new].used == [f"{FOOTAGE}:v{newest.index}"]
    [entry] = newest.entries.values()
    assert server.content(entry) == session.video.read_bytes()


def test_one_bad_video_of_an_artifact_stops_no_other(
    server: FakeServer, session: Session, looked: Looked, tmp_path: Path
) -> None:
    shutil.copytree(looked.home, tmp_path / "home")
    server.put("two", "raw-footage", {"a.mp4": b"junk", "b.mp4": session.video.read_bytes()})
    said = json.dumps({"artifact_version_string": f"{ENTITY}/{PROJECT}/two:latest"})
    with wandb_commands(tmp_path, tmp_path / "home", server.environment | {"HOME": str(tmp_path)}) as command:
        ran = command("automation", "--no-wandb", "--json", said=said)
    assert ran.code == 2
    assert "a.mp4" in ran.err
    assert Path(json.loads(ran.out)["video"]).name == "b.mp4"
    assert len(list((tmp_path / "highlights").glob("*.mp4"))) == 2


def test_nothing_is_fetched_offline_or_without_a_key(tmp_path: Path) -> None:
    environment = {"HOME": str(tmp_path), "WANDB_SILENT": "true", "WANDB_MODE": "offline"}
    with wandb_environment(tmp_path, environment) as patch:
        with pytest.raises(UserError, match="W&B is offline"):
            pull_model("skate_trick_classifier:latest", tmp_path)
        patch.setenv("WANDB_MODE", "online")
        with pytest.raises(UserError, match="set WANDB_API_KEY"):
            pull_model("skate_trick_classifier:latest", tmp_path)
