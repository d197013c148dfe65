"""The files that detectors are shared in."""

from __future__ import annotations

import json
import pickle
import sys
import zipfile
from copy import copy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import skops.io
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.preprocessing import FunctionTransformer

from core.detector import TrickDetector
from core.errors import UserError
from core.settings import ModelKind
from tests.skater import OTHER_JUMPS_S, table
from tests.taught import MODELS, example, settings, taught


@pytest.fixture(scope="module")
def forest() -> TrickDetector:
    return taught("rf")


@pytest.mark.parametrize("model", MODELS)
def test_a_saved_detector_comes_back_whole(tmp_path: Path, model: ModelKind) -> None:
    path, elsewhere = tmp_path / "models" / "trick.skops", table(15, OTHER_JUMPS_S)
    trained = copy(taught(model))
    trained.meta = {**trained.meta, "validation": {"leave one trick out": {"f1": 0.1 + 0.2, "precision": None}}}
    trained.save(path)
    loaded = TrickDetector.load(path)
    assert loaded.predict_proba(elsewhere).tobytes() == trained.predict_proba(elsewhere).tobytes()
    assert (loaded.settings, loaded.events, loaded.columns) == (trained.settings, trained.events, trained.columns)
    assert loaded.meta == trained.meta
    assert {"pose", "sampling_rate", "videos", "versions", "validation"} <= loaded.meta.keys()
    assert [entry.name for entry in path.parent.iterdir()] == ["trick.skops"]


@pytest.mark.parametrize(("model", "most_kb"), [("rf", 800), ("gb", 500), ("logreg", 20), ("ensemble", 200)])
def test_bundles_are_small_enough_to_send(tmp_path: Path, model: ModelKind, most_kb: int) -> None:
    """At the default of 200 trees."""
    path = tmp_path / "trick.skops"
    TrickDetector.fit([example(table(15))], settings(model, trees=200)).save(path)
    assert path.stat().st_size < most_kb * 1000
    with zipfile.ZipFile(path) as bundle:
        assert {entry.compress_type for entry in bundle.infolist()} == {zipfile.ZIP_DEFLATED}


def test_a_folder_that_cannot_be_written_to(forest: TrickDetector, tmp_path: Path) -> None:
    (tmp_path / "models").write_text("a file")
    with pytest.raises(UserError, match="Cannot write into the folder"):
        forest.save(tmp_path / "models" / "trick.skops")


def test_a_failed_save_leaves_the_old_model(
    forest: TrickDetector, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "trick.skops"
    forest.save(path)
    before = path.read_bytes()

    def half(content: object, file: Path, **_: object) -> None:
        file.write_bytes(before[: len(before) // 2])
        raise KeyboardInterrupt

    monkeypatch.setattr(skops.io, "dump", half)
    with pytest.raises(KeyboardInterrupt):
        forest.save(path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


NOT_A_MODEL = "trick.skops is not a Trickline model: use a file that trickline train wrote"


@pytest.mark.parametrize("kept", [0, 1, 200, 0.3, 0.6, 0.9, 0.999])
def test_a_truncated_file(forest: TrickDetector, tmp_path: Path, kept: float) -> None:
    """A download that broke off."""
    path = tmp_path / "trick.skops"
    forest.save(path)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(kept if isinstance(kept, int) else kept * len(whole))])
    with pytest.raises(UserError, match=NOT_A_MODEL):
        TrickDetector.load(path)


def test_damaged_bytes(forest: TrickDetector, tmp_path: Path) -> None:
    """Whatever byte a failing disk flips, it is a sentence or the very same model."""
    path = tmp_path / "trick.skops"
    forest.save(path)
    whole = path.read_bytes()
    rng = np.random.default_rng(42)
    refused = 0
    for place in rng.integers(0, len(whole), 12):
        damaged = bytearray(whole)
        damaged[place] ^= 0x55
        path.write_bytes(damaged)
        try:
            assert TrickDetector.load(path).meta == forest.meta
        except UserError as error:
            refused += NOT_A_MODEL in str(error)
    assert refused >= 8


@pytest.mark.parametrize(
    "parts",
    [
        pytest.param({}, id="nothing in it"),
        pytest.param({"readme.txt": "hello"}, id="something else"),
        pytest.param({"schema.json": "hello"}, id="a schema that is no JSON"),
        pytest.param({"schema.json": "[1, 2]"}, id="a schema of another kind"),
        pytest.param({"schema.json": "{}"}, id="an empty schema"),
    ],
)
def test_a_zip_of_something_else(tmp_path: Path, parts: dict[str, str]) -> None:
    path = tmp_path / "trick.skops"
    with zipfile.ZipFile(path, "w") as file:
        for name, text in parts.items():
            file.writestr(name, text)
    with pytest.raises(UserError, match=NOT_A_MODEL):
        TrickDetector.load(path)


def test_arrays_that_are_no_arrays(forest: TrickDetector, tmp_path: Path) -> None:
    """Made to measure, so that neither the zip nor its checksums give it away."""
    path, spoilt = tmp_path / "whole.skops", tmp_path / "trick.skops"
    forest.save(path)
    with zipfile.ZipFile(path) as source:
        arrays = [name for name in source.namelist() if name.endswith(".npy")]
        for junk in (b"", b"\x93NUMPY\x01\x00\x10\x00{'descr':       ", b"\x80\x04N."):
            with zipfile.ZipFile(spoilt, "w") as target:
                for name in source.namelist():
                    target.writestr(name, junk if name in arrays else source.read(name))
            with pytest.raises(UserError, match=NOT_A_MODEL):
                TrickDetector.load(spoilt)


def test_a_missing_file_and_a_folder(tmp_path: Path) -> None:
    for path in (tmp_path / "nowhere.skops", tmp_path):
        with pytest.raises(UserError, match="does not exist: give the path of a model that trickline train wrote"):
            TrickDetector.load(path)


def test_a_file_that_must_not_be_read(forest: TrickDetector, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "trick.skops"
    forest.save(path)

    def refuse(**_: object) -> list[str]:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(skops.io, "get_untrusted_types", refuse)
    with pytest.raises(UserError, match=r"cannot be read \(Permission denied\): check its permissions"):
        TrickDetector.load(path)


class Trap:
    """Runs when it is unpickled."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.marker,)


def test_a_pickle_is_not_opened(tmp_path: Path) -> None:
    path, marker = tmp_path / "trick.skops", tmp_path / "was here"
    path.write_bytes(pickle.dumps(Trap(marker)))
    with pytest.raises(UserError, match=NOT_A_MODEL):
        TrickDetector.load(path)
    assert not marker.exists()
    pickle.loads(path.read_bytes())  # the trap works
    assert marker.exists()


def test_foreign_code_is_refused_by_name(tmp_path: Path) -> None:
    """An estimator may carry any function, and would call it on the first frame."""
    path = tmp_path / "trick.skops"
    skops.io.dump({"estimator": FunctionTransformer(func=sys.exit), "about": "{}"}, path)
    with pytest.raises(UserError, match=r"trick\.skops holds sys\.exit, which no Trickline model does: do not use it"):
        TrickDetector.load(path)


def test_foreign_modules_are_not_even_imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Importing runs a module's code, and it could lie in the folder that the model was unpacked to."""
    marker = tmp_path / "was here"
    (tmp_path / "bait_module.py").write_text(f"open({str(marker)!r}, 'w').close()\nclass Bait:\n    x = 1\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    path = tmp_path / "trick.skops"
    import bait_module  # type: ignore[import-not-found]

    bait = bait_module.Bait()
    bait.level = 1
    skops.io.dump({"estimator": bait, "about": "{}"}, path)
    del sys.modules["bait_module"]
    marker.unlink()
    with pytest.raises(UserError, match=r"holds bait_module\.Bait"):
        TrickDetector.load(path)
    assert not marker.exists()
    assert "bait_module" not in sys.modules


@pytest.fixture(scope="module")
def about(forest: TrickDetector, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What a sound bundle says of itself."""
    path = tmp_path_factory.mktemp("bundle") / "trick.skops"
    forest.save(path)
    said: dict[str, Any] = json.loads(skops.io.load(path, trusted=skops.io.get_untrusted_types(file=path))["about"])
    return said


def bundle(path: Path, estimator: Any, about: Any) -> Path:
    skops.io.dump({"estimator": estimator, "about": about}, path)
    return path


def test_the_bundle_of_this_version_opens(forest: TrickDetector, about: dict[str, Any], tmp_path: Path) -> None:
    """Guards the tests below, which spoil one thing each."""
    path = bundle(tmp_path / "trick.skops", forest.estimator, json.dumps(about))
    assert TrickDetector.load(path).columns == forest.columns


@pytest.mark.parametrize("version", [2, 0, "1.0", None])
def test_another_version_is_said(forest: TrickDetector, about: dict[str, Any], tmp_path: Path, version: object) -> None:
    """Also where that version says things that this one does not know."""
    text = json.dumps({**about, "bundle": version, "windows": [1, 2]})
    with pytest.raises(UserError, match=r"trick\.skops was made by another version of Trickline: train it again"):
        TrickDetector.load(bundle(tmp_path / "trick.skops", forest.estimator, text))


@pytest.mark.parametrize(
    "change",
    [
        *[pytest.param({key: None}, id=f"no {key}") for key in ("bundle", "settings", "events", "columns", "meta")],
        pytest.param({"settings": {"feature_set": "clairvoyance"}}, id="unknown feature set"),
        pytest.param({"settings": {"feature_set": "motion", "learning_rate": 1}}, id="unknown setting"),
        pytest.param({"events": {"default_threshold": 1.5}}, id="threshold out of range"),
        pytest.param({"events": [1, 2]}, id="events of another kind"),
        pytest.param({"columns": "hop_ankle"}, id="columns of another kind"),
        pytest.param({"columns": ["hop_ankle"]}, id="fewer columns than the estimator has"),
        pytest.param({"columns": []}, id="no columns at all"),
        pytest.param({"meta": []}, id="meta of another kind"),
        pytest.param({"meta": {}}, id="no sampling rate"),
        pytest.param({"meta": {"sampling_rate": 0}}, id="a rate of nothing"),
        pytest.param({"meta": {"sampling_rate": "fast"}}, id="a rate in words"),
        pytest.param({"more": 1}, id="something unknown"),
    ],
)
def test_a_bundle_that_says_nonsense(
    forest: TrickDetector, about: dict[str, Any], tmp_path: Path, change: dict[str, Any]
) -> None:
    said = {key: value for key, value in {**about, **change}.items() if value is not None}
    with pytest.raises(UserError, match=NOT_A_MODEL):
        TrickDetector.load(bundle(tmp_path / "trick.skops", forest.estimator, json.dumps(said)))


@pytest.mark.parametrize("text", ["", "hello", "[]", "null", "7", '{"bundle": 1', 5, None, {"bundle": 1}])
def test_a_bundle_that_says_nothing(forest: TrickDetector, tmp_path: Path, text: object) -> None:
    with pytest.raises(UserError, match=NOT_A_MODEL):
        TrickDetector.load(bundle(tmp_path / "trick.skops", forest.estimator, text))


def test_a_bundle_without_a_detector_in_it(forest: TrickDetector, about: dict[str, Any], tmp_path: Path) -> None:
    """Else the fault shows only after an hour of looking at the footage."""
    x = np.random.default_rng(42).normal(size=(30, len(forest.columns)))
    three = np.arange(30) % 3
    path = tmp_path / "trick.skops"
    for estimator in (
        {"trees": 200},
        None,
        RandomForestClassifier(2),
        RandomForestRegressor(2).fit(x, three),
        RandomForestClassifier(2).fit(x, three),
        RandomForestClassifier(2).fit(x[:, 1:], three > 0),
    ):
        with pytest.raises(UserError, match=NOT_A_MODEL):
            TrickDetector.load(bundle(path, estimator, json.dumps(about)))
    for content in ({"about": json.dumps(about)}, {"estimator": forest.estimator}, [1, 2], "hello"):
        skops.io.dump(content, path)
        with pytest.raises(UserError, match=NOT_A_MODEL):
            TrickDetector.load(path)
