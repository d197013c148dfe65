"""Where the weights of a network come from: its publisher, a file, or nowhere.

>>> notes = begin(network, architecture("r2plus1d"), "pretrained")       # doctest: +SKIP
"""

from __future__ import annotations

import io
import pickle
import socket
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from core.errors import UserError
from core.recognize.networks import Architecture, State

PRETRAINED, SCRATCH = "pretrained", "scratch"
_ANSWER_S = 10.0
"""A server that says nothing for so long is not there."""
_WRAPPERS = ("state_dict", "model_state_dict", "model", "network")
"""Under which training programs keep the weights among other things."""
_PREFIXES = ("module.", "model.", "network.")
"""What wrappers put before the names of the weights."""


def begin(network: Any, architecture: Architecture, weights: str) -> tuple[str, ...]:
    """Give a network the weights that it begins with.

    Args:
        network: built by ``architecture``.
        weights: ``pretrained``, ``scratch`` or a path.

    Returns:
        Sentences for the user, such as that the classes are learnt anew.

    Raises:
        UserError: no connection, no such file, no weights in it, or weights of another network.
    """
    if weights == SCRATCH:
        return ()
    if weights == PRETRAINED:
        return _put(network, architecture, _downloaded(architecture), f"the {architecture.pretrained_on} weights")
    path = Path(weights)
    return _put(network, architecture, read_state(path), path.name)


def read_state(path: Path) -> State:
    """The weights in a ``.safetensors`` file, in a file of PyTorch's, or in a folder with ``model.safetensors``.

    Nothing in the file is run: of a pickle only tensors and plain containers are read.

    Raises:
        UserError: there is no such file, or it holds no weights.
    """
    if path.is_dir():
        path = path / "model.safetensors"
    if not path.is_file():
        raise UserError(
            f"The weights {path} do not exist: name a file with weights, {PRETRAINED!r} to download the published ones "
            f"or {SCRATCH!r} to begin with none."
        )
    refusal = f"{path.name} holds no weights that can be read safely: save it as a state dict or as safetensors."
    try:
        held = (
            load_file(path)
            if path.suffix == ".safetensors"
            else torch.load(path, map_location="cpu", weights_only=True)
        )
    except (SafetensorError, pickle.UnpicklingError, RuntimeError, EOFError, ValueError, KeyError, TypeError) as error:
        raise UserError(refusal) from error
    except OSError as error:
        raise UserError(f"{path.name} cannot be read ({error.strerror}): check its permissions.") from error
    if isinstance(held, dict):
        held = next((held[key] for key in _WRAPPERS if isinstance(held.get(key), dict)), held)
    if not isinstance(held, dict):
        raise UserError(refusal)
    state = {name: value for name, value in held.items() if isinstance(name, str) and isinstance(value, torch.Tensor)}
    if not state:
        raise UserError(refusal)
    for prefix in _PREFIXES:
        if all(name.startswith(prefix) for name in state):
            state = {name.removeprefix(prefix): value for name, value in state.items()}
    return state


def _put(network: Any, architecture: Architecture, state: State, source: str) -> tuple[str, ...]:
    wanted: State = network.state_dict()
    state = architecture.fit(state, wanted)
    # Counts of batches mean nothing to a network that begins to learn, and older files lack them.
    needed = [name for name in wanted if not name.endswith("num_batches_tracked")]
    fitting = {name: state[name] for name in needed if name in state and state[name].shape == wanted[name].shape}
    body = [name for name in needed if not name.startswith(architecture.head)]
    missing = [name for name in body if name not in fitting]
    if missing:
        raise UserError(
            f"{source} holds the weights of another network than {architecture.title} as it is set up here "
            f"({len(missing)} of {len(body)} do not fit, such as {missing[0]}): choose the network they were made for."
        )
    network.load_state_dict(fitting, strict=False)
    if len(fitting) < len(needed):
        return (f"{source} tells other classes apart: what names the classes is learnt anew.",)
    return ()


def _downloaded(architecture: Architecture) -> State:
    try:
        with _patience(_ANSWER_S), redirect_stderr(io.StringIO()):  # torch prints the address
            return architecture.download()
    except (OSError, RuntimeError, EOFError, pickle.UnpicklingError) as error:  # RuntimeError: another checksum
        raise UserError(
            f"The {architecture.pretrained_on} weights of {architecture.title} could not be downloaded: connect to the "
            f"internet, name a file with weights, or choose {SCRATCH!r} to begin with none."
        ) from error


@contextmanager
def _patience(seconds: float) -> Iterator[None]:
    """How long a connection that is opened within may be silent: torch's own downloads wait for ever."""
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(seconds)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)
