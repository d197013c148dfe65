"""Whatever a user hands in: one sentence that helps, exit 2, nothing half-written, nothing lost."""

from __future__ import annotations

import io
import json
import os
import pickle
import random
import re
import shutil
import subprocess
import zipfile
from collections.abc import Callable, Iterable
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
import skops.io
from numpy.typing import NDArray

from core.atomic import atomic_path
from sample_data.choreography import choreograph
from sample_data.make_session import Session
from sample_data.plaza import views
from tests.conftest import COMMAND, Command, Looked, Trickline

TRICK = "start_frame,end_frame,label\n130,141,trick\n"


# videos


def film(path: Path, pictures: Iterable[NDArray[np.uint8]]) -> None:
    with av.open(str(path), "w") as container:
        stream: Any = None
        for number, picture in enumerate(pictures):
            if stream is None:
                stream = container.add_stream("libx264", rate=30)
                stream.height, stream.width = picture.shape[:2]
                stream.pix_fmt = "yuv420p"
            frame = av.VideoFrame.from_ndarray(picture, format="bgr24")
            frame.pts, frame.time_base = number, Fraction(1, 30)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())


def sound_only(path: Path, _: Session) -> None:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=48000, layout="mono")
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 4800), np.float32), format="fltp", layout="mono")
        frame.sample_rate = 48000
        container.mux(stream.encode(frame))
        container.mux(stream.encode())


def empty_plaza(path: Path, _: Session) -> None:
    rng = np.random.default_rng(1)
    motion, _tricks = choreograph(6.0, rng)
    film(path, views(motion.camera_px[:60], rng))


VIDEOS: dict[str, tuple[Callable[[Path, Session], object], str]] = {
    "empty.mp4": (lambda path, _: path.touch(), r"empty\.mp4 is empty \(0 bytes\)"),
    "text.mp4": (lambda path, _: path.write_text("no video\n" * 99), r"text\.mp4 cannot be read as a video"),
    "truncated.mp4": (
        lambda path, session: path.write_bytes(session.video.read_bytes()[:1_000_000]),
        r"truncated\.mp4 is cut short",
    ),
    "sound.mp4": (sound_only, r"sound\.mp4 holds no picture, only sound"),
    "photo.mp4": (
        lambda path, _: film(path, [np.full((90, 160, 3), 90, np.uint8)]),
        r"photo\.mp4 holds a single frame",
    ),
    "plaza.mp4": (empty_plaza, r"plaza\.mp4: nobody was found"),
    "folder.mp4": (lambda path, _: path.mkdir(), r"\S+/folder\.mp4 is a folder"),
    "missing.mp4": (lambda path, _: None, r"There is no file \S+/missing\.mp4"),
}


@pytest.fixture(scope="module")
def refused(session: Session, looked: Looked, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The sentence that one command says of each bad video."""
    folder = tmp_path_factory.mktemp("videos")
    for name, (make, _) in VIDEOS.items():
        make(folder / name, session)
    shutil.copytree(looked.home / "weights", folder / "home" / "weights")
    trickline = Trickline(folder / "home", folder)
    ran = trickline("run", *VIDEOS, "--json")
    assert ran.code == 2
    assert trickline.leftovers() == []
    assert not (folder / "clips").exists()
    said = ran.err.splitlines()
    assert len(said) == len(VIDEOS), ran.err
    return {name: next(line for line in said if name in line) for name in VIDEOS}


@pytest.mark.parametrize("name", VIDEOS)
def test_a_bad_video_is_refused_in_a_sentence(refused: dict[str, str], name: str) -> None:
    assert re.match(rf"trickline: {VIDEOS[name][1]}.*[:;] .+\.$", refused[name]), refused[name]


# labels

BOMB = (
    '<?xml version="1.0"?><!DOCTYPE lolz [<!ENTITY a "lol">'
    + "".join(f'<!ENTITY {name} "{f"&{before};" * 10}">' for before, name in zip("abcdefgh", "bcdefghi", strict=True))
    + "]><annotations>&i;</annotations>"
)
RUN, TRAIN = ("run", "{video}", "--labels", "{labels}"), ("train", "--video", "{video}", "--labels", "{labels}")


@pytest.mark.parametrize(
    ("content", "arguments", "sentence"),
    [
        ("", RUN, r"labels is empty"),
        ("no labels", RUN, r"labels is in none of the label formats"),
        (BOMB, RUN, r"labels declares a DTD or entities"),
        (TRICK + "900,950,trick\n", RUN, r"labels has labels up to frame 950, but the video's last frame is 599"),
        (TRICK, (*TRAIN, "--label", "grind"), r"labels has no interval labelled grind: choose one of trick"),
        ("start_frame,end_frame\n0,599\n", RUN, r"There is no frame outside the labelled tricks"),
        ("start_frame,end_frame\n0,599\n", TRAIN, r"There is no frame outside the labelled tricks"),
        (TRICK, (*TRAIN, "--labels", "{labels}"), r"1 --video and 2 --labels were given"),
        (TRICK, (*RUN, "{video}"), r"--labels are those of one video"),
        (TRICK, (*RUN, "--model", "m.skops"), r"Give --labels to train on or a --model to use, not both"),
        (TRICK, ("export", "{video}", "--events", "nowhere.json"), r"nowhere\.json cannot be read"),
        (TRICK, ("evaluate", "--labels", "{labels}", "--events", "{labels}"), r"labels names no video"),
        (TRICK, ("convert", "{labels}", "out.doc"), r"out\.doc has no known ending"),
    ],
)
def test_bad_labels_are_refused_in_a_sentence(
    session: Session,
    trickline: Trickline,
    at_once: Command,
    content: str,
    arguments: tuple[str, ...],
    sentence: str,
) -> None:
    labels = trickline.folder / "labels"
    labels.write_text(content)
    ran = at_once(*(argument.format(video=session.video, labels="labels") for argument in arguments))
    assert re.match(sentence, ran.sentence), ran.err
    assert ran.out == ""
    assert list(trickline.folder.iterdir()) == [labels]
    assert trickline.leftovers() == []


# options


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("run", "{video}", "--stride", "0"), "--stride"),
        (("run", "{video}", "--stride", "two"), "--stride"),
        (("run", "{video}", "--threshold", "2"), "--threshold"),
        (("run", "{video}", "--threshold", "nan"), "--threshold"),
        (("run", "{video}", "--pose", "openpose"), "'auto', 'movenet', 'yolo'"),
        (("run", "{video}", "--mode", "best"), "'exact', 'fast'"),
        (("run", "{video}", "--speed", "1"), "--speed"),
        (("run", "{video}", "--out"), "--out"),
        (("run",), "VIDEO"),
        (("train", "--video", "{video}", "--labels", "a.csv", "--model", "svm"), "'rf', 'logreg', 'gb'"),
        (("trian",), "trian"),
        (("run", "{video}", "--pose", "yolo"), "yolov8n-pose.pt does not exist"),
        (("run", "{video}", "--weights", "nowhere.onnx"), "nowhere.onnx does not exist"),
        (("detect", "{video}", "--model", "nowhere.skops"), "nowhere.skops does not exist"),
        (("models", "get", "../secret"), "secret"),
    ],
)
def test_bad_options_are_refused_in_a_sentence(
    session: Session, trickline: Trickline, at_once: Command, arguments: tuple[str, ...], sentence: str
) -> None:
    ran = at_once(*(argument.format(video=session.video) for argument in arguments))
    assert sentence in ran.sentence
    assert ran.out == ""
    assert list(trickline.folder.iterdir()) == []
    assert trickline.leftovers() == []


# models


class Trap:
    """Runs a command when it is unpickled."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, (f"touch {self.marker}",)


def pickled(path: Path, marker: Path) -> None:
    path.write_bytes(pickle.dumps(Trap(marker)))


def planted(node: dict[str, Any], path: Path, argument: str, **files: bytes) -> None:
    """A bundle whose estimator is ``node``, in skops' own format."""
    with zipfile.ZipFile(io.BytesIO(skops.io.dumps({"estimator": (argument,), "about": "{}"}))) as honest:
        schema = json.loads(honest.read("schema.json"))
    schema["content"]["estimator"] = {**node, "content": schema["content"]["estimator"]}
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("schema.json", json.dumps(schema))
        for name, content in files.items():
            archive.writestr(f"{name}.npy", content)


def call(path: Path, marker: Path) -> None:
    node = {"__module__": "os", "__class__": "system", "__loader__": "ConstructorFromReduceNode", "__id__": 1}
    planted(node, path, f"touch {marker}")


def evaluated(path: Path, marker: Path) -> None:
    node = {"__module__": "builtins", "__class__": "eval", "__loader__": "ConstructorFromReduceNode", "__id__": 1}
    planted(node, path, f"open({str(marker)!r}, 'w')")


def renamed(path: Path, marker: Path) -> None:
    """The dangerous name where skops expects that of a list."""
    node = {"__module__": "os", "__class__": "system", "__loader__": "ListNode", "__id__": 1}
    planted(node, path, f"touch {marker}")


def array_of_objects(path: Path, marker: Path) -> None:
    """A pickle inside a NumPy array inside the bundle."""
    content = io.BytesIO()
    np.save(content, np.array([Trap(marker)], object), allow_pickle=True)
    node = {"__module__": "numpy", "__class__": "ndarray", "__loader__": "NdArrayNode", "__id__": 1}
    planted({**node, "type": "numpy", "file": "trap.npy"}, path, "", trap=content.getvalue())


@pytest.mark.parametrize("plant", [pickled, call, evaluated, renamed, array_of_objects])
def test_a_planted_model_runs_nothing(
    session: Session, trickline: Trickline, at_once: Command, plant: Callable[[Path, Path], None]
) -> None:
    """Models are passed around: opening one from a stranger must be safe."""
    model, marker = trickline.folder / "friend.skops", trickline.folder / "it_ran"
    plant(model, marker)
    refusal = r"friend\.skops (is not a Trickline model|holds [\w.]+, which no Trickline model does): .+\."
    assert re.fullmatch(refusal, at_once("run", session.video, "--model", model).sentence)
    assert list(trickline.folder.iterdir()) == [model]


def test_the_trap_would_have_worked(tmp_path: Path) -> None:
    pickle.loads(pickle.dumps(Trap(tmp_path / "it_ran")))
    assert (tmp_path / "it_ran").exists()


# disks and folders


def test_a_disk_that_gets_full_under_the_clips(session: Session, trickline: Trickline, disk: Path) -> None:
    seen = set(trickline.home.rglob("*.parquet"))
    sentence = trickline("run", session.video, "--out", disk / "clips").sentence
    assert sentence == f"Cannot write into the folder {disk}/clips: the disk is full; free some space and try again."
    assert [path.name for path in (disk / "clips").iterdir()] == ["session_export.json"]
    assert trickline.leftovers() == []
    assert seen <= set(trickline.home.rglob("*.parquet"))


@pytest.mark.parametrize("room", [0, 100_000])
def test_a_disk_that_gets_full_under_the_workspace(
    session: Session, trickline: Trickline, disk: Path, room: int
) -> None:
    with (disk / "ballast").open("wb") as ballast:
        ballast.write(bytes(os.statvfs(disk).f_bavail * 4096 - room))
    ran = Trickline(disk / "home", trickline.folder)("run", session.video)
    assert re.match(rf"Cannot (use the database|write into the folder) {disk}/home\S* .*space", ran.sentence), ran.err
    assert list(trickline.folder.iterdir()) == []
    assert not [path for path in disk.rglob("*.part*") if path.is_file()]


def test_results_that_cannot_be_printed(trickline: Trickline) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [*COMMAND, "doctor"], env=trickline.environment, stdout=full, stderr=subprocess.PIPE, text=True
        )
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "the disk is full" in done.stderr


WRITING = [
    ("run", "{video}", "--out", "{place}"),
    ("export", "{video}", "--events", "{labels}", "--out", "{place}"),
    ("process", "{video}", "--out", "{place}/metrics.parquet"),
    ("train", "--video", "{video}", "--labels", "{labels}", "--out", "{place}/model.skops"),
    ("convert", "{labels}", "{place}/labels.csv"),
]


@pytest.mark.parametrize("arguments", WRITING, ids=[command for command, *_ in WRITING])
def test_a_place_below_a_file(
    session: Session, trickline: Trickline, at_once: Command, arguments: tuple[str, ...]
) -> None:
    """It is said before the work: nobody waits an hour to learn that the clips have nowhere to go."""
    shutil.rmtree(trickline.home / "videos")
    place = session.table / "below"
    ran = at_once(
        *(argument.format(video=session.video, labels=session.annotations, place=place) for argument in arguments)
    )
    assert ran.sentence.startswith(f"Cannot write into the folder {place}: a file stands where a folder is needed")
    assert not (trickline.home / "videos").exists()
    assert trickline.leftovers() == []


def test_a_workspace_below_a_file(session: Session, tmp_path: Path) -> None:
    sentence = Trickline(session.table / "home", tmp_path)("run", session.video).sentence
    assert sentence.startswith(f"Cannot write into the folder {session.table}/home: a file stands")


def test_a_disk_that_may_not_be_written(session: Session, trickline: Trickline, disk: Path) -> None:
    subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
    for elsewhere, out in ((trickline, disk / "clips"), (Trickline(disk / "home", trickline.folder), Path("clips"))):
        ran = elsewhere("run", session.video, "--out", out)
        assert re.match(rf"Cannot write into the folder {disk}/\w+: the disk is read-only;", ran.sentence)
    assert list(trickline.folder.iterdir()) == []


# killed


def test_a_killed_run_loses_nothing(session: Session, looked: Looked, tmp_path: Path) -> None:
    """Power cuts and the kernel's killer come at any moment; each next run goes on from what is whole."""
    trickline = Trickline(tmp_path / "home", tmp_path)
    unbroken = looked.ran.json
    whole_run_s = unbroken["seconds"]["total"] + 1.5
    moments = random.Random(11)
    for _ in range(5):
        with trickline.start("run", session.video, "--json") as process:
            try:
                process.communicate(timeout=moments.uniform(0.1, 1.0) * whole_run_s)
            except subprocess.TimeoutExpired:
                process.kill()
    result = trickline("run", session.video, "--json").json
    assert result["events"] == unbroken["events"]
    names = [Path(clip["path"]).name for clip in unbroken["clips"]]
    assert [clip | {"path": Path(clip["path"]).name} for clip in result["clips"]] == [
        clip | {"path": name} for clip, name in zip(unbroken["clips"], names, strict=True)
    ]
    for name in names:
        assert (tmp_path / "clips" / name).read_bytes() == (looked.clips / name).read_bytes()
    assert [path.name for path in sorted((tmp_path / "clips").glob("[!.]*"))] == [*names, "session_export.json"]


def test_what_a_killed_process_left_goes_later(tmp_path: Path) -> None:
    """A temporary file that is still written to stays, and so does what only looks like one."""
    names = (".session_01_trick.0123abcd.part.mp4", ".model.89abcdef.part.skops", ".my.part.mp4", "x.0123abcd.part.mp4")
    for name in names:
        (tmp_path / name).write_bytes(b"half")
    os.utime(tmp_path / names[0], (0, 0))
    os.utime(tmp_path / names[2], (0, 0))
    os.utime(tmp_path / names[3], (0, 0))
    with atomic_path(tmp_path / "clip.mp4") as temporary:
        temporary.write_bytes(b"whole")
    assert {path.name for path in tmp_path.iterdir()} == {"clip.mp4", *names[1:]}
