"""Training clips that are changed: turned and shifted copies of what is rare, and other colours.

    >>> turned = copied(frames, AugmentSettings(), np.random.default_rng(7))  # doctest: +SKIP

A clip is changed alike in all its frames, so that what moves in it is the skater.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from fractions import Fraction
from hashlib import blake2b
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from core.atomic import atomic_path, check_folder
from core.errors import Cancelled, UserError
from core.recognize.datasets import folders
from core.recognize.frames import read_frames
from core.recognize.samples import ClipDataset, ClipSample
from core.recognize.sampling import frame_count
from core.recognize.splits import one_source, split_apart
from core.recognize.taught import contents_of
from core.settings import AugmentSettings
from core.video import Video

Frames = NDArray[np.uint8]
COPY_MARK = "copy"
MOST_FRAMES = 3000
"""Of a moment that is copied: at 256 x 256 pixels they take 0.6 GB, twice while they are read."""
_GREY = np.array([0.299, 0.587, 0.114], np.float32)
"""How bright red, green and blue look (ITU-R BT.601)."""


def copies_wanted(samples: Sequence[ClipSample], rare_below: int) -> dict[int, int]:
    """How many copies of which clip bring each class that is rarer up to ``rare_below`` clips.

    Args:
        samples: those of the training part, and no others; a class that has none gets none.

    Returns:
        Number in ``samples`` to how many copies of it, of those that are copied at all.
    """
    members: dict[str, list[int]] = {}
    for number, sample in enumerate(samples):
        members.setdefault(sample.label, []).append(number)
    wanted: dict[int, int] = {}
    for numbers in members.values():
        for extra in range(rare_below - len(numbers)):
            number = numbers[extra % len(numbers)]
            wanted[number] = wanted.get(number, 0) + 1
    return wanted


def copied(frames: Frames, settings: AugmentSettings, rng: np.random.Generator) -> Frames:
    """Turned about the middle and shifted, by what chance gives: uint8, ``(n, h, w, 3)`` to the same shape.

    What comes in from outside is the picture mirrored at its border.
    """
    return np.stack(list(_moved(frames, settings, rng)))


def _moved(frames: Frames, settings: AugmentSettings, rng: np.random.Generator) -> Iterator[Frames]:
    """One picture after the other."""
    height, width = frames.shape[1:3]
    turn = cv2.getRotationMatrix2D(
        ((width - 1) / 2, (height - 1) / 2), rng.uniform(-settings.rotate_deg, settings.rotate_deg), 1.0
    )
    turn[:, 2] += rng.uniform(-settings.shift, settings.shift, 2) * np.array([width, height])
    for picture in frames:
        moved = cv2.warpAffine(picture, turn, (width, height), borderMode=cv2.BORDER_REFLECT_101)
        yield np.asarray(moved, np.uint8)


def recoloured(frames: Frames, settings: AugmentSettings, rng: np.random.Generator) -> Frames:
    """Other brightness, contrast and saturation, and mirrored or not: uint8, ``(n, h, w, 3)`` to the same shape."""
    if settings.flip and rng.random() < 0.5:
        frames = frames[:, :, ::-1]
    if settings.colour:
        brightness, contrast, saturation = rng.uniform(1 - settings.colour, 1 + settings.colour, 3).astype(np.float32)
        light = frames.astype(np.float32) * brightness
        grey = (light @ _GREY)[..., None]
        light = (grey + (light - grey) * saturation - grey.mean()) * contrast + grey.mean()
        frames = np.clip(np.rint(light), 0, 255).astype(np.uint8)
    return np.ascontiguousarray(frames)


def write_augmented(
    samples: Sequence[ClipSample],
    out: Path,
    settings: AugmentSettings,
    size: int = 256,
    seed: int = 42,
    progress: Callable[[str, float], None] | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> tuple[ClipSample, ...]:
    """Write turned and shifted copies of the rare training clips as videos, for looking at or for other programs.

    A copy shows what a network sees of the moment: a square of ``size`` pixels, without sound. It is named after its
    class, the number of its original, all that it is made from and itself, such as
    ``kickflip-00012-5f1c09aa27d3-copy3.mp4``, and belongs to the group of its original. A copy that is there already is
    kept, so that a stopped run carries on.

    Args:
        samples: those of the training part, and no others.
        size: even, in pixels.

    Returns:
        The copies, for the training part.

    Raises:
        UserError: a clip cannot be read or has more than ``MOST_FRAMES`` frames, or ``out`` cannot be written to.
        Cancelled: ``cancelled`` said so; what is written stays.
    """
    wanted = copies_wanted(samples, settings.rare_below)
    total, made = sum(wanted.values()), list[ClipSample]()
    for number, copies in wanted.items():
        sample = samples[number]
        name = f"{_file_safe(sample.label)}-{number:05d}-{_made_from(sample, settings, size, seed)}"
        paths = [out / f"{name}-{COPY_MARK}{1 + copy}.mp4" for copy in range(copies)]
        missing = [path for path in paths if not path.exists()]
        if missing:
            video = Video.open(sample.path)
            length = frame_count(sample, video)
            if length > MOST_FRAMES:
                raise UserError(
                    f"{sample.path.name} has a moment of {length} frames, and copies are made of at most {MOST_FRAMES}"
                    ": cut it to its trick, or take it out of the data."
                )
            every = sample.start_frame + np.arange(length)
            frames = read_frames(sample, every, (size, size), video=video, cancelled=cancelled)
        for copy, path in enumerate(paths, 1):
            if cancelled and cancelled():
                raise Cancelled
            if path in missing:
                moved = _moved(frames, settings, np.random.default_rng((seed, number, copy)))
                _write(path, moved, size, video.info.average_rate)
            made.append(
                replace(
                    sample,
                    path=path,
                    start_frame=0,
                    end_frame=None,
                    part="train",
                    track=None,
                    copy_of=sample.copy_of or sample.path.name,
                )
            )
            if progress:
                progress("writing copies", len(made) / total)
    return tuple(made)


def augment_dataset(
    dataset: ClipDataset,
    out: Path,
    settings: AugmentSettings,
    seed: int = 42,
    progress: Callable[[str, float], None] | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> tuple[tuple[ClipSample, ...], tuple[str, ...]]:
    """Copy what is rare in the part of a data set that a training with this seed is taught with.

    Beside the copies, as of :func:`write_augmented`, lies a ``clips.csv`` that keeps each in the group of its original
    and says that it is a copy, so that nothing is judged by it.

    Args:
        out: a folder for the copies alone, which is not taken for the folder of a class.

    Returns:
        The copies, and sentences for the user. Without a copy nothing is written.

    Raises:
        UserError: the data set cannot be parted, a clip cannot be read, or ``out`` holds other files, lies among the
            folders of classes, or cannot be written to.
        Cancelled: ``cancelled`` said so; what is written stays.
    """
    mark = f"-{COPY_MARK}"
    others = [each for each in out.glob("[!.]*") if each.name != folders.TABLE and mark not in each.stem]
    if others:
        raise UserError(f"{out} holds other files, such as {others[0].name}: choose an empty folder for the copies.")
    home = out.absolute().parent
    in_classes = any(sample.path.absolute().parent.parent == home for sample in dataset.samples)
    if in_classes and not (home / folders.TABLE).exists():
        raise UserError(f"{out} would become a class of {home.name} itself: choose a folder outside of {home}.")
    check_folder(out)
    dataset, alike = one_source(dataset, contents_of(dataset.samples, progress, cancelled))
    parts, notes = split_apart(dataset, seed)
    copies = write_augmented(parts["train"], out, settings, seed=seed, progress=progress, cancelled=cancelled)
    if copies:
        folders.write_table(out, copies)
    return copies, (*alike, *notes)


def _file_safe(label: str) -> str:
    return "".join(letter if letter.isalnum() or letter in "_-" else "_" for letter in label)[:60] or "_"


def _made_from(sample: ClipSample, settings: AugmentSettings, size: int, seed: int) -> str:
    """A digest. How many copies there are and their colours change nothing in a copy."""
    track = (sample.track.frames.tolist(), sample.track.boxes.tolist()) if sample.track else None
    moment = (str(sample.path.absolute()), sample.start_frame, sample.end_frame, track)
    made = json.dumps((moment, settings.rotate_deg, settings.shift, size, seed))
    return blake2b(made.encode("utf-8", "surrogateescape"), digest_size=6).hexdigest()


def _write(path: Path, frames: Iterable[Frames], size: int, rate: Fraction) -> None:
    import av

    with atomic_path(path) as temporary, av.open(str(temporary), "w") as container:
        stream = container.add_stream("libx264", rate=rate, options={"crf": "14"})
        stream.height = stream.width = size
        stream.pix_fmt = "yuv420p"
        for picture in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())
