"""How a training went, epoch by epoch."""

from __future__ import annotations

import csv
import dataclasses
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from core.atomic import atomic_path
from core.errors import UserError

FILE = "history.csv"


@dataclass(frozen=True)
class Epoch:
    """How one went. Those of the validation part are NaN without one."""

    epoch: int
    """From 1."""
    lr: float
    """The step after it."""
    train_loss: float
    """Mean over the clips as they were trained on, weighted as in training."""
    loss: float
    """Mean over the validation clips, each weighing 1."""
    accuracy: float
    macro_f1: float
    """Mean over the classes that a validation clip has or was taken for."""

    @property
    def metrics(self) -> dict[str, float]:
        """Those that are known."""
        told = {name: getattr(self, name) for name in ("macro_f1", "accuracy", "loss", "train_loss")}
        return {name: value for name, value in told.items() if np.isfinite(value)}


@dataclass(frozen=True)
class History:
    """All epochs of a training."""

    epochs: tuple[Epoch, ...] = ()

    @property
    def best(self) -> Epoch:
        """The highest macro F1, the lowest loss among equals; the last where neither is known."""
        known = [epoch for epoch in self.epochs if np.isfinite(epoch.macro_f1)]
        if not known:
            return self.epochs[-1]
        return max(known, key=lambda epoch: (epoch.macro_f1, -np.nan_to_num(epoch.loss, nan=np.inf), -epoch.epoch))

    def over(self, epochs: int, patience: int) -> bool:
        """Whether a training of so many epochs ends here, or so many have been no better than the best."""
        if not self.epochs:
            return False
        last = self.epochs[-1].epoch
        return last >= epochs or last - self.best.epoch >= patience

    def write(self, folder: Path) -> None:
        """Write ``history.csv``, a line an epoch.

        Raises:
            UserError: the folder cannot be written to.
        """
        with atomic_path(folder / FILE) as temporary, temporary.open("w", newline="") as file:
            writer = csv.DictWriter(file, [field.name for field in dataclasses.fields(Epoch)])
            writer.writeheader()
            writer.writerows(map(dataclasses.asdict, self.epochs))


def read_history(folder: Path) -> History:
    """What :meth:`History.write` wrote; no epoch where there is no file.

    Raises:
        UserError: the file is damaged.
    """
    try:
        with (folder / FILE).open(newline="") as file:
            rows = [{name: float(value) for name, value in row.items()} for row in csv.DictReader(file)]
        return History(tuple(Epoch(**{**row, "epoch": int(row["epoch"])}) for row in rows))  # type: ignore[arg-type]
    except FileNotFoundError:
        return History()
    except (OSError, csv.Error, ValueError, KeyError, TypeError) as error:
        raise UserError(f"{folder / FILE} cannot be read: choose an empty folder.") from error


def mean_loss(batches: Iterable[tuple[float, float]]) -> float:
    """Over all clips, of each batch's mean and what its clips weigh together; NaN of none.

    >>> mean_loss([(1.0, 8.0), (4.0, 1.0)])
    1.3333333333333333
    """
    means, weights = np.array([*batches], np.float64).reshape(-1, 2).T
    return float(np.average(means, weights=weights)) if len(means) else float("nan")
