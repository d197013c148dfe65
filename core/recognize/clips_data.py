"""Moments as batches of pictures: what a network is fed with.

    >>> clips = Clips(samples, dataset.classes, lengths, sampler_of, AugmentSettings(), seed=42)  # doctest: +SKIP

What chance decides about a clip hangs on the seed, the epoch, the clip and the copy alone: not on which process reads
it, nor on what was read before. So a training that was broken off goes on as if it had not been.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import Dataset, Sampler

from core.recognize.augment import copied, copies_wanted, recoloured
from core.recognize.frames import read_frames
from core.recognize.samples import ClipSample
from core.recognize.sampling import Scheme, chosen
from core.recognize.videos import Videos
from core.settings import AugmentSettings, Balance
from core.video import Video


class Pick(NamedTuple):
    """One clip of one epoch."""

    number: int
    """In the samples of the part."""
    copy: int
    """0 is the clip itself; the others are turned and shifted."""
    epoch: int


@dataclass(frozen=True)
class Looks:
    """What a network looks at in a moment."""

    sampling: Scheme
    frames: int
    size: int
    """Side of the square pictures, pixels."""
    stride: int = 1

    def read(
        self,
        sample: ClipSample,
        length: int,
        video: Video,
        rng: np.random.Generator | None = None,
        cancelled: Callable[[], bool] | None = None,
    ) -> NDArray[np.uint8]:
        """Shape ``(frames, size, size, 3)``, the picture, or the window round somebody, being stretched to the square.

        Args:
            length: how many frames the moment has.
            video: that of the sample.
            rng: for training; None reads the same frames each time.

        Raises:
            UserError: the clip cannot be read.
            Cancelled: ``cancelled`` said so.
        """
        which = sample.start_frame + chosen(self.sampling, length, self.frames, self.stride, rng)
        return read_frames(sample, which, (self.size, self.size), video=video, cancelled=cancelled)


class Clips(Dataset[tuple[torch.Tensor, int]]):
    """Clips of one part: pictures, uint8 ``(frames, size, size, 3)``, and the number of the class."""

    def __init__(
        self,
        samples: Sequence[ClipSample],
        classes: Sequence[str],
        lengths: Sequence[int],
        looks: Looks,
        augment: AugmentSettings | None,
        seed: int,
    ) -> None:
        """``augment`` is for training; None reads every clip as it is, always the same frames of it."""
        self.samples = tuple(samples)
        numbers = {label: number for number, label in enumerate(classes)}
        self.labels = np.array([numbers[sample.label] for sample in samples], np.int64)
        self._lengths = tuple(lengths)
        self._looks = looks
        self._augment = augment
        self._seed = seed
        self._videos = Videos()

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, pick: Pick) -> tuple[torch.Tensor, int]:
        number, copy, epoch = pick
        rng = np.random.default_rng((self._seed, epoch, number, copy)) if self._augment else None
        sample = self.samples[number]
        frames = self._looks.read(sample, self._lengths[number], self._videos.open(sample.path), rng)
        if self._augment and rng:
            if copy:
                frames = copied(frames, self._augment, rng)
            frames = recoloured(frames, self._augment, rng)
        return torch.from_numpy(frames), int(self.labels[number])


class TrainingOrder(Sampler[Pick]):
    """Every clip and copy of the training part once an epoch, or as often as it takes for all classes to weigh alike.

    Several devices share an epoch; each has equally many, some clips twice if need be.
    """

    def __init__(
        self, clips: Clips, rare_below: int, balance: Balance, seed: int, device: int = 0, devices: int = 1
    ) -> None:
        copies = copies_wanted(clips.samples, rare_below)
        self._picks = [(n, copy) for n in range(len(clips)) for copy in range(copies.get(n, 0) + 1)]
        labels = clips.labels[[number for number, _ in self._picks]]
        self.counts = np.bincount(labels, minlength=int(clips.labels.max(initial=-1)) + 1)
        """How many clips and copies each class has in an epoch without drawing."""
        self._chances = 1 / self.counts[labels] / np.count_nonzero(self.counts) if balance == "sampling" else None
        self._seed = seed
        self._device, self._devices = device, devices
        self.epoch = 0
        """Set before each epoch."""

    def __len__(self) -> int:
        return -(-len(self._picks) // self._devices)

    def __iter__(self) -> Iterator[Pick]:
        rng = np.random.default_rng((self._seed, self.epoch))
        if self._chances is None:
            order = rng.permutation(len(self._picks))
        else:
            order = rng.choice(len(self._picks), len(self._picks), p=self._chances)
        order = np.resize(order, len(self) * self._devices)[self._device :: self._devices]
        picks = (self._picks[at] for at in order)
        return (Pick(number, copy, self.epoch) for number, copy in picks)


class PlainOrder(Sampler[Pick]):
    """Every clip once, in its order, as it is. Each of several devices goes through all of them."""

    def __init__(self, clips: Clips) -> None:
        self._length = len(clips)

    def __len__(self) -> int:
        return self._length

    def __iter__(self) -> Iterator[Pick]:
        return (Pick(number, 0, 0) for number in range(self._length))
