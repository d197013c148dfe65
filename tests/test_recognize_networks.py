"""The networks: what they take and give, where their weights come from, and what is said when those do not fit."""

from __future__ import annotations

import pickle
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from core.errors import UserError
from core.recognize.loading import check_torch
from core.recognize.memory import out_of_memory
from core.recognize.networks import NAMES, Architecture, architecture
from core.recognize.weights import begin, read_state

SIZE = 32


@pytest.fixture(autouse=True)
def _seeded() -> None:
    torch.manual_seed(0)


@pytest.fixture(params=NAMES)
def kind(request: pytest.FixtureRequest) -> Architecture:
    return architecture(request.param)


def _tiny(kind: Architecture, classes: int = 3, frames: int = 4, size: int = SIZE) -> Any:
    return kind.build(classes, kind.tiny, frames, size).eval()


def test_naming_the_networks_does_not_import_torch() -> None:
    code = "import core.recognize.settings, core.recognize.training, sys; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], timeout=600).returncode == 0


def test_clips_become_logits(kind: Architecture) -> None:
    with torch.inference_mode():
        assert _tiny(kind)(torch.randn(2, 4, 3, SIZE, SIZE)).shape == (2, 3)


def test_published_sizes_have_the_published_number_of_weights() -> None:
    # Parameters as torchvision's and Hugging Face's pages give them, with their 400, 1000 and 400 classes.
    with torch.device("meta"):
        made = {name: architecture(name).build(classes, {}) for name, classes in (("r2plus1d", 400), ("tsn", 1000))}
    assert sum(weight.numel() for weight in made["r2plus1d"].parameters()) == 31_505_325
    assert sum(weight.numel() for weight in made["tsn"].parameters()) == 25_557_032


@pytest.mark.parametrize(("name", "sees_order"), [("r2plus1d", True), ("tsn", False), ("timesformer", True)])
def test_what_sees_the_order_of_frames(name: str, sees_order: bool) -> None:
    clip = torch.randn(1, 4, 3, SIZE, SIZE)
    with torch.inference_mode():
        network = _tiny(architecture(name))
        there, back = network(clip), network(clip.flip(1))
    assert torch.allclose(there, back, atol=1e-5) is not sees_order


@pytest.mark.parametrize("suffix", [".pt", ".safetensors"])
def test_weights_of_a_file_are_taken(kind: Architecture, tmp_path: Path, suffix: str) -> None:
    taught, path = _tiny(kind), tmp_path / f"taught{suffix}"
    if suffix == ".pt":
        torch.save({"epoch": 3, "state_dict": {f"module.{k}": v for k, v in taught.state_dict().items()}}, path)
    else:
        save_file(taught.state_dict(), path)
    network, clip = _tiny(kind), torch.randn(1, 4, 3, SIZE, SIZE)
    assert begin(network, kind, str(path)) == ()
    with torch.inference_mode():
        torch.testing.assert_close(network(clip), taught(clip))


def test_weights_for_other_classes_give_all_but_the_head_and_say_so(kind: Architecture, tmp_path: Path) -> None:
    taught, network = _tiny(kind, classes=7), _tiny(kind)
    torch.save(taught.state_dict(), tmp_path / "seven.pt")
    [note] = begin(network, kind, str(tmp_path / "seven.pt"))
    assert note == "seven.pt tells other classes apart: what names the classes is learnt anew."
    body = {k: v for k, v in taught.state_dict().items() if not k.startswith(kind.head) and "batches" not in k}
    assert all(torch.equal(network.state_dict()[name], weight) for name, weight in body.items())


def test_weights_of_another_network_are_refused(tmp_path: Path) -> None:
    torch.save(_tiny(architecture("tsn")).state_dict(), tmp_path / "tsn.pt")
    kind = architecture("r2plus1d")
    with pytest.raises(UserError, match=r"tsn.pt holds the weights of another network than R\(2\+1\)D-18"):
        begin(_tiny(kind), kind, str(tmp_path / "tsn.pt"))


def test_positions_are_interpolated_for_other_frames_and_sizes(tmp_path: Path) -> None:
    kind = architecture("timesformer")
    taught = _tiny(kind, frames=4)
    times = "timesformer.embeddings.time_embeddings"
    with torch.no_grad():
        taught.get_parameter(times).copy_(torch.arange(4.0).view(1, 4, 1).expand(1, 4, 32))
    torch.save(taught.state_dict(), tmp_path / "four.pt")
    network = _tiny(kind, frames=8, size=64)
    assert begin(network, kind, str(tmp_path / "four.pt")) == ()
    middles = torch.tensor([0.0, 0.25, 0.75, 1.25, 1.75, 2.25, 2.75, 3.0])
    torch.testing.assert_close(network.get_parameter(times)[0, :, 5], middles)
    places = network.get_parameter("timesformer.embeddings.position_embeddings")
    old = taught.get_parameter("timesformer.embeddings.position_embeddings")
    assert places.shape == (1, 1 + 8 * 8, 32)
    torch.testing.assert_close(places[:, 0], old[:, 0])
    torch.testing.assert_close(places[0, 1], old[0, 1], msg="the corner stays the corner")


class _Harm:
    def __reduce__(self) -> tuple[Any, ...]:
        return (Path.touch, (Path("harmed"),))


@pytest.mark.parametrize(
    "content",
    [b"", b"not weights", pickle.dumps(_Harm(), 2), pickle.dumps({"a": 1}, 2)],
    ids=["empty", "text", "harm", "numbers"],
)
def test_files_without_weights_are_refused_and_never_run(
    content: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("odd.pt", "odd.safetensors"):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(UserError, match=f"{name} holds no weights that can be read safely"):
            read_state(tmp_path / name)
    torch.save({"weights": _Harm()}, tmp_path / "harm.pt")
    with pytest.raises(UserError, match=r"harm.pt holds no weights"):
        read_state(tmp_path / "harm.pt")
    assert not (tmp_path / "harmed").exists()


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"nowhere.pt do not exist: name a file"):
        read_state(tmp_path / "nowhere.pt")


def test_without_a_net_the_message_comes_soon(
    kind: Architecture, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A proxy to which nobody listens: whatever net there is, the real loading code meets none.
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    with pytest.raises(UserError, match=f"The {kind.pretrained_on} weights of .* could not be downloaded: connect"):
        begin(_tiny(kind), kind, "pretrained")


def test_only_timesformer_needs_transformers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "core.recognize.loading.find_spec", lambda name: None if name == "transformers" else find_spec(name)
    )
    check_torch()
    check_torch("tsn")
    with pytest.raises(UserError, match="TimeSformer needs the package transformers: install"):
        check_torch("timesformer")


def test_everything_of_a_network_is_among_its_weights(kind: Architecture) -> None:
    # A network is built without memory and then filled: what is not among the weights would be left as it comes.
    network = _tiny(kind)
    named = {name for name, _ in (*network.named_parameters(), *network.named_buffers())}
    assert named == set(network.state_dict())


def test_sizes_that_do_not_exist_or_cannot_be_are_refused() -> None:
    with pytest.raises(UserError, match="TSN has no size 'depth': it has blocks"):
        architecture("tsn").build(2, {"depth": 50})
    with pytest.raises(UserError, match=r"R\(2\+1\)D-18 cannot be built with the sizes"):
        architecture("r2plus1d").build(2, {"blocks": []})
    with pytest.raises(UserError, match="TimeSformer cannot be built"):
        architecture("timesformer").build(2, {"heads": 7})
    for sizes in ({"layers": 33}, {"width": 4096}, {"layers": 4096}):
        with pytest.raises(UserError, match="TimeSformer cannot be built"):
            architecture("timesformer").build(2, sizes)
    with pytest.raises(UserError, match="There is no network 'os': choose one of"):
        architecture("os")


def test_too_little_memory_is_told_and_other_faults_are_not_hidden() -> None:
    with (
        pytest.raises(UserError, match="too little memory for 8 clips at a time: choose a batch smaller than 8"),
        out_of_memory(8),
    ):
        torch.empty(1 << 60)
    with pytest.raises(UserError, match="choose a smaller network"), out_of_memory(1):
        raise torch.OutOfMemoryError
    with pytest.raises(RuntimeError, match="shapes"), out_of_memory(8):
        torch.ones(2, 3) @ torch.ones(2, 3)
