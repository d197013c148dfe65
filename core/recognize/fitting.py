"""Lightning's side of :mod:`core.recognize.training`: the loop over epochs, and what is kept of each."""

from __future__ import annotations

import dataclasses
import io
import os
import pickle
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lightning_fabric.plugins.io.torch_io import TorchCheckpointIO
from pytorch_lightning import LightningModule, Trainer
from pytorch_lightning.callbacks import Callback
from torch.nn import functional
from torch.utils.data import DataLoader

from core.atomic import atomic_path
from core.errors import UserError
from core.recognize.checkpoints import CARD, WEIGHTS, Card, as_input, save_recognizer, versions
from core.recognize.clips_data import Clips, Looks, PlainOrder, TrainingOrder
from core.recognize.history import Epoch, History, mean_loss, read_history
from core.recognize.light.classifier import slope_of, softmax
from core.recognize.light.judge import UNSURE_SHARE
from core.recognize.memory import out_of_memory
from core.recognize.networks import Architecture
from core.recognize.samples import ClipDataset, ClipSample
from core.recognize.settings import RecognizeSettings
from core.recognize.weights import begin

LAST = "last.ckpt"
_MOST_WORKERS = 8
At = Callable[[str, float], None]
"""Told the step and how much of it is done; raises Cancelled."""


@dataclass(frozen=True)
class Classroom:
    """All that a training is given."""

    dataset: ClipDataset
    taught: Sequence[ClipSample]
    judged: Sequence[ClipSample]
    lengths: Sequence[int]
    """Frames of each of ``taught``, then of each of ``judged``."""
    clip_s: float
    """Median of those of ``taught``, seconds."""
    settings: RecognizeSettings
    looks: Looks
    architecture: Architecture
    folder: Path

    def clips(self, training: bool) -> Clips:
        """Of one part."""
        n = len(self.taught)
        samples, lengths = (self.taught, self.lengths[:n]) if training else (self.judged, self.lengths[n:])
        augment = self.settings.augment if training else None
        return Clips(samples, self.dataset.classes, lengths, self.looks, augment, self.settings.seed)


def first_network(kind: Architecture, settings: RecognizeSettings, classes: int) -> tuple[Any, tuple[str, ...]]:
    """A network as it is before the first epoch, and sentences for the user on its weights.

    Raises:
        UserError: impossible sizes, or weights that do not fit or cannot be had.
    """
    with torch.random.fork_rng():
        torch.manual_seed(settings.seed)
        network = kind.build(classes, settings.config, settings.frames, settings.size)
    return network, begin(network, kind, settings.weights)


def hold(classroom: Classroom, network: Any, at: At) -> tuple[History, bool]:
    """Train ``network`` to the end, from ``last.ckpt`` if there is one; at the end it is removed.

    Returns:
        How it went, and whether this process leads those that share the work.

    Raises:
        UserError: too little memory, a clip that cannot be read, a ``last.ckpt`` of another network, or no such device.
        Cancelled: ``at`` said so.
    """
    settings, last = classroom.settings, classroom.folder / LAST
    keeper = _Keeper(classroom, at)
    with torch.random.fork_rng(), out_of_memory(settings.batch):
        try:
            trainer = Trainer(
                accelerator=settings.accelerator,
                devices=settings.devices,
                strategy=settings.strategy,
                precision=_precision(settings),
                max_epochs=settings.epochs,
                gradient_clip_val=settings.clip_norm or None,
                callbacks=[keeper],
                plugins=[_WholeFiles()],
                logger=False,
                enable_checkpointing=False,
                enable_progress_bar=False,
                enable_model_summary=False,
                num_sanity_val_steps=0,
                use_distributed_sampler=False,
                default_root_dir=classroom.folder,
            )
        except (ValueError, RuntimeError) as error:  # Lightning's MisconfigurationException is none of its own kind
            raise UserError(
                f"Training on {settings.accelerator} with {settings.devices} devices and {settings.strategy} "
                "is not possible here: choose auto for all three."
            ) from error
        lesson = _Lesson(classroom, network, trainer)
        try:
            trainer.fit(
                lesson,
                lesson.loader(training=True),
                lesson.loader(training=False) if classroom.judged else None,
                ckpt_path=str(last) if last.exists() else None,
                weights_only=True,
            )
        except RuntimeError as error:
            if "loading state_dict" not in str(error):
                raise
            raise UserError(f"{last} is of another network: remove it, and the training begins anew.") from error
        except UserError as error:
            # From a process that reads clips it comes with that process's traceback before it.
            raise UserError(str(error).rpartition("UserError: ")[2].strip()) from error
    if trainer.is_global_zero and keeper.history.over(settings.epochs, settings.patience):
        last.unlink(missing_ok=True)  # three times as large as the weights, and good for nothing any more
    return keeper.history, bool(trainer.is_global_zero)


def ended(folder: Path, settings: RecognizeSettings) -> History | None:
    """How the training in ``folder`` went, if it has come to its end.

    Raises:
        UserError: ``history.csv`` is damaged.
    """
    if (folder / LAST).exists() or not all((folder / name).exists() for name in (CARD, WEIGHTS)):
        return None
    history = read_history(folder)
    return history if history.over(settings.epochs, settings.patience) else None


def _precision(settings: RecognizeSettings) -> Any:
    if settings.precision != "auto":
        return settings.precision
    if settings.accelerator == "cpu" or not torch.cuda.is_available():
        return "32-true"
    return "bf16-mixed" if torch.cuda.is_bf16_supported(including_emulation=False) else "16-mixed"


class _WholeFiles(TorchCheckpointIO):
    """Checkpoints that are whole or not there, and from which nothing but tensors and plain values is read."""

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any = None) -> None:
        # Through memory, because torch's own writing says nothing of a full disk that could be told to anybody.
        held = io.BytesIO()
        torch.save(checkpoint, held)
        with atomic_path(Path(path)) as temporary:
            temporary.write_bytes(held.getbuffer())

    def load_checkpoint(self, path: Any, map_location: Any = "cpu", weights_only: bool | None = True) -> dict[str, Any]:
        try:
            held: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
        except (pickle.UnpicklingError, RuntimeError, EOFError, ValueError, KeyError, OSError) as error:
            raise UserError(f"{path} cannot be read: remove it, and the training begins anew.") from error
        return held


class _Lesson(LightningModule):
    """The network with its loss, its optimizer and its clips."""

    def __init__(self, classroom: Classroom, network: Any, trainer: Trainer) -> None:
        super().__init__()
        self.network = network
        self.losses: list[tuple[torch.Tensor, torch.Tensor]] = []
        """Mean of each batch, and what its clips weigh together."""
        self.logits: list[torch.Tensor] = []
        self.labels: list[torch.Tensor] = []
        self._room = classroom
        settings = classroom.settings
        self.order = TrainingOrder(
            classroom.clips(True), settings.augment.rare_below, settings.balance, settings.seed,
            trainer.global_rank, trainer.world_size,
        )  # fmt: skip
        counts = np.zeros(len(classroom.dataset.classes))
        counts[: len(self.order.counts)] = self.order.counts
        self._weight: torch.Tensor | None = None
        if settings.balance == "weights":
            # As often as on average weighs 1 (scikit-learn's "balanced"); a class without clips never occurs.
            weight = counts.sum() / np.count_nonzero(counts) / np.maximum(counts, 1)
            self._weight = torch.tensor(weight, dtype=torch.float32)

    def loader(self, training: bool) -> DataLoader[Any]:
        """Batches of pictures, uint8, and numbers of classes."""
        settings, clips = self._room.settings, self._room.clips(training)
        workers = settings.workers
        if workers is None:
            cards = settings.accelerator != "cpu" and torch.cuda.is_available()
            workers = min(_MOST_WORKERS, (os.cpu_count() or 1) - 1) if cards else 0
        return DataLoader(
            clips,
            batch_size=settings.batch,
            sampler=self.order if training else PlainOrder(clips),
            num_workers=workers,
            persistent_workers=workers > 0,
            # A copy of a process with running threads, such as the decoder's, may stand still for ever.
            multiprocessing_context="spawn" if workers else None,
            pin_memory=torch.cuda.is_available(),
            generator=torch.Generator().manual_seed(settings.seed),
        )

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        kind = self._room.architecture
        logits: torch.Tensor = self.network(as_input(pictures, kind.mean, kind.std))
        return logits

    def on_train_epoch_start(self) -> None:
        # What chance decides in the network hangs on the epoch alone, so that nothing has to be carried over a break.
        torch.manual_seed(
            int(np.random.SeedSequence((self._room.settings.seed, self.current_epoch)).generate_state(1)[0])
        )
        self.order.epoch = self.current_epoch
        self.losses.clear()

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        # Processes that read clips are given their first ones before the epoch starts, and before Lightning itself (its
        # set_epoch) has learnt from the checkpoint which one that is.
        self.order.epoch = checkpoint["epoch"] + 1

    def training_step(self, batch: tuple[torch.Tensor, torch.Tensor], _: int) -> torch.Tensor:
        weight = None if self._weight is None else self._weight.to(self.device)
        loss = functional.cross_entropy(self(batch[0]).float(), batch[1], weight)
        together = torch.tensor(float(len(batch[1]))) if weight is None else weight[batch[1]].sum()
        self.losses.append((loss.detach(), together))
        return loss

    def on_validation_epoch_start(self) -> None:
        self.logits.clear()
        self.labels.clear()

    def validation_step(self, batch: tuple[torch.Tensor, torch.Tensor], _: int) -> None:
        self.logits.append(self(batch[0]).float().cpu())
        self.labels.append(batch[1].cpu())

    def configure_optimizers(self) -> Any:
        settings = self._room.settings
        optimizer = torch.optim.AdamW(self.network.parameters(), lr=settings.lr, weight_decay=settings.weight_decay)
        if settings.schedule == "constant":
            return optimizer
        steps = int(self.trainer.estimated_stepping_batches)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=max(1, steps))
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}


class _Keeper(Callback):
    """Says how far it is, and after each epoch keeps the history, the best weights and where to go on from."""

    def __init__(self, classroom: Classroom, at: At) -> None:
        self.history = History()
        self._room = classroom
        self._at = at

    def state_dict(self) -> dict[str, Any]:
        return {"epochs": [dataclasses.asdict(epoch) for epoch in self.history.epochs]}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.history = History(tuple(Epoch(**epoch) for epoch in state_dict["epochs"]))

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        trainer.should_stop = self._over()

    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int) -> None:
        done = trainer.current_epoch + batch_idx / trainer.num_training_batches
        self._at("training", done / self._room.settings.epochs)

    def on_validation_batch_start(self, trainer: Trainer, pl_module: LightningModule, *_: Any) -> None:
        self._at("training", (trainer.current_epoch + 1) / self._room.settings.epochs)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        assert isinstance(pl_module, _Lesson)
        self.history = History((*self.history.epochs, _epoch(trainer, pl_module)))
        if trainer.is_global_zero:
            self._keep(pl_module)
        trainer.should_stop = self._over()
        trainer.save_checkpoint(self._room.folder / LAST)

    def _over(self) -> bool:
        return self.history.over(self._room.settings.epochs, self._room.settings.patience)

    def _keep(self, lesson: _Lesson) -> None:
        room, epoch = self._room, self.history.epochs[-1]
        if self.history.best is epoch:
            kind, looks = room.architecture, room.looks
            card = Card(
                architecture=kind.name,
                config=room.settings.config,
                classes=list(room.dataset.classes),
                **dataclasses.asdict(looks),
                mean=kind.mean,
                std=kind.std,
                dataset=room.dataset.name,
                seed=room.settings.seed,
                epoch=epoch.epoch,
                metrics=epoch.metrics,
                versions=versions(),
                clip_s=round(room.clip_s, 3),
                **_sureness(lesson),
            )
            save_recognizer(room.folder, lesson.network.state_dict(), card)
        self.history.write(room.folder)


def _sureness(lesson: _Lesson) -> dict[str, float]:
    """``slope`` and ``unsure_below`` of a card, as the light recognizer finds them; none where nothing was judged."""
    logits = torch.cat(lesson.logits).numpy().astype(np.float64) if lesson.logits else np.empty((0, 0))
    if not len(logits) or not np.isfinite(logits).all():
        return {}
    slope = slope_of(logits, torch.cat(lesson.labels).numpy())
    return {"slope": slope, "unsure_below": float(np.quantile(softmax(logits, slope).max(axis=1), UNSURE_SHARE))}


def _epoch(trainer: Trainer, lesson: _Lesson) -> Epoch:
    from sklearn.metrics import accuracy_score, f1_score

    loss = accuracy = f1 = float("nan")
    if lesson.labels:
        logits, labels = torch.cat(lesson.logits), torch.cat(lesson.labels)
        loss = float(functional.cross_entropy(logits, labels))
        said = logits.argmax(1)
        accuracy = float(accuracy_score(labels, said))
        f1 = float(f1_score(labels, said, average="macro", zero_division=0))
    return Epoch(
        epoch=trainer.current_epoch + 1,
        lr=float(trainer.optimizers[0].param_groups[0]["lr"]),
        train_loss=mean_loss((float(mean), float(together)) for mean, together in lesson.losses),
        loss=loss,
        accuracy=accuracy,
        macro_f1=f1,
    )
