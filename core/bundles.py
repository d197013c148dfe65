"""Files of trained detectors.

Bundles are data and never run code when they are opened: an ensemble is kept as NumPy arrays, scikit-learn's estimators
as a skops file (https://skops.readthedocs.io); a pickle is refused.
"""

from __future__ import annotations

import json
import tokenize
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from core.atomic import atomic_path
from core.ensemble import Ensemble
from core.errors import UserError
from core.settings import EventSettings, Settings, TrainSettings

_BUNDLE_VERSION = 1
_LARGEST_ENSEMBLE = 50_000_000
"""Bytes of an ensemble's arrays, unpacked, hundreds of times the starter's: a small file could unpack to more than fits
into memory."""
_BROKEN = (
    zipfile.BadZipFile, zlib.error, tokenize.TokenError, SyntaxError, EOFError, MemoryError, RuntimeError,
    ArithmeticError, LookupError, TypeError, ValueError, AttributeError, ImportError,
)  # fmt: skip
"""What zipfile, NumPy, skops, scikit-learn and pydantic raise over a file that is no bundle, or a damaged one."""

_TRUSTED = (
    "sklearn.tree._tree.Tree",
    "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
    "numpy.dtype",
)
"""What a bundle may hold beyond skops' own list: the trees of forests and of boosting, and array types. All plain
data."""


class About(Settings):
    """What a bundle says about its estimator."""

    bundle: int = _BUNDLE_VERSION
    settings: TrainSettings
    events: EventSettings
    columns: tuple[str, ...]
    meta: dict[str, Any]


def write(path: Path, estimator: Any, about: About) -> None:
    """Write the bundle of a fitted estimator.

    Raises:
        UserError: the folder cannot be written to.
    """
    said = about.model_dump_json()
    with atomic_path(path) as temporary:
        if isinstance(estimator, Ensemble):
            arrays: dict[str, Any] = estimator.arrays()
            with temporary.open("wb") as file:  # given a name, NumPy would add an ending to it
                np.savez_compressed(file, about=np.array(said), **arrays)
        else:
            import skops.io

            content = {"estimator": estimator, "about": said}
            skops.io.dump(content, temporary, compression=zipfile.ZIP_DEFLATED)


@contextmanager
def opened(path: Path) -> Iterator[tuple[Any, About]]:
    """The estimator in a bundle and what is said about it. Whatever fails while it is open, such as an estimator that
    cannot judge, is taken for a fault of the file.

    Raises:
        UserError: not a bundle, of a newer version, or holding anything but the known parts of a detector.
    """
    if not path.is_file():
        raise UserError(f"{path} does not exist: give the path of a model that trickline train wrote.")
    try:
        content = _ensemble_bundle(path) or _skops_bundle(path)
        if json.loads(content["about"])["bundle"] != _BUNDLE_VERSION:
            raise UserError(f"{path.name} was made by another version of Trickline: train it again.")
        yield content["estimator"], About.model_validate_json(content["about"])
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error.strerror}): check its permissions.") from error
    except _BROKEN as error:
        raise UserError(f"{path.name} is not a Trickline model: use a file that trickline train wrote.") from error


def _ensemble_bundle(path: Path) -> dict[str, Any] | None:
    """The content of an ensemble's bundle; None if it is none."""
    if not zipfile.is_zipfile(path):
        return None
    with zipfile.ZipFile(path) as file:
        if "about.npy" not in file.namelist():
            return None
        if sum(part.file_size for part in file.infolist()) > _LARGEST_ENSEMBLE:
            raise ValueError("too large for an ensemble")
    with np.load(path, allow_pickle=False) as stored:
        named = {name: stored[name] for name in stored.files}
    return {"about": str(named["about"]), "estimator": Ensemble.of_arrays(named)}


def _skops_bundle(path: Path) -> dict[str, Any]:
    import skops.io

    foreign = set(skops.io.get_untrusted_types(file=path)) - set(_TRUSTED)
    if foreign:
        raise UserError(f"{path.name} holds {sorted(foreign)[0]}, which no Trickline model does: do not use it.")
    content: dict[str, Any] = skops.io.load(path, trusted=list(_TRUSTED))
    return content
