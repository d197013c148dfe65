"""Persons outlined to the pixel: layers of masks, and clips whose background is cut out by them.

    >>> layer = MaskLayer.read(layer_path(workspace, content, clicks, (100, 210), weights))  # doctest: +SKIP
    >>> cut_out(video, plan, layer, Path("fighter.mp4"), "blur")             # doctest: +SKIP

A layer is a Parquet file, a row a frame, the runs of outside and inside of which each mask consists; a mask of 1080p
takes a few kilobytes. :mod:`core.recognize.outlines` makes them.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import cv2
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from core.atomic import atomic_path
from core.clips import Clip, ClipPlan, cut_clip
from core.content import reading
from core.errors import UserError
from core.ffmpeg import Progress, StopWish, run
from core.recognize.annotate import cut_over, even_size, write_film
from core.video import Video

Background = Literal["blur", "transparent"] | str
"""What stands behind the cut-out persons: their blurred surroundings, nothing (WebM), or a colour as ``#RRGGBB``."""

_BLUR_SHARE = 0.02
_COLOUR = re.compile("#[0-9a-fA-F]{6}")
_FORMAT = "trickline masks"
_MAX_SIDE = 16_384
_MAX_BYTES = 1 << 30


class _Card(BaseModel):
    """What a layer's file says of itself."""

    model_config = ConfigDict(extra="forbid", strict=True)

    format: Literal["trickline masks"]
    version: Literal[1]
    width: int = Field(ge=1, le=_MAX_SIDE)
    height: int = Field(ge=1, le=_MAX_SIDE)


@dataclass(frozen=True)
class MaskLayer:
    """A mask for each of some frames of a video."""

    width: int
    """Pixels of every mask."""
    height: int
    frames: NDArray[np.int64]
    """Decoded frames, ascending: shape ``(n,)``."""
    runs: tuple[NDArray[np.uint32], ...]
    """For each frame how many pixels outside, inside, outside, ... follow each other, row by row."""

    @classmethod
    def from_masks(cls, masks: Iterable[tuple[int, NDArray[np.bool_]]]) -> MaskLayer:
        """From decoded frames, in any order, with their masks of one size: bool, shape ``(height, width)``.

        Raises:
            ValueError: there is none, a frame comes twice, or they are of several sizes.
        """
        by_frame, shapes = {}, set()
        for frame, mask in masks:
            if frame in by_frame:
                raise ValueError(f"two masks of frame {frame}")
            by_frame[frame] = _runs(mask)
            shapes.add(mask.shape)
        if len(shapes) != 1:
            raise ValueError("masks of one size make a layer")
        height, width = shapes.pop()
        frames = sorted(by_frame)
        return cls(width, height, np.array(frames, np.int64), tuple(by_frame[frame] for frame in frames))

    def mask(self, frame: int) -> NDArray[np.bool_]:
        """Of a decoded frame: shape ``(height, width)``; nothing is inside where the layer has none."""
        at = int(np.searchsorted(self.frames, frame))
        if at == len(self.frames) or self.frames[at] != frame:
            return np.zeros((self.height, self.width), dtype=bool)
        runs = self.runs[at]
        inside = np.arange(len(runs)) % 2 == 1
        return np.repeat(inside, runs).reshape(self.height, self.width)

    def write(self, path: Path) -> None:
        """As Parquet.

        Raises:
            UserError: the file cannot be written, or is larger than :meth:`read` takes.
        """
        card = _Card(format="trickline masks", version=1, width=self.width, height=self.height)
        table = pa.table(
            {
                "frame": pa.array(self.frames, pa.int64()),
                "runs": pa.array([runs.astype("<u4").tobytes() for runs in self.runs], pa.binary()),
            },
            metadata={_FORMAT: card.model_dump_json()},
        )
        with atomic_path(path) as temporary:
            pq.write_table(table, temporary, compression="zstd")
            if _unpacked_bytes(pq.read_metadata(temporary)) > _MAX_BYTES:
                raise UserError("These outlines are too large to be kept: choose a shorter stretch.")

    @classmethod
    def read(cls, path: Path) -> MaskLayer:
        """From Parquet; what the file says is checked before memory is taken for it.

        Raises:
            UserError: it is no layer, or damaged.
        """
        with reading(path) as file:
            try:
                parquet = pq.ParquetFile(file)
                metadata = parquet.metadata
                card = _Card.model_validate_json((metadata.metadata or {}).get(_FORMAT.encode(), b""))
                if _unpacked_bytes(metadata) > _MAX_BYTES:
                    raise ValueError("too large")
                table = parquet.read(["frame", "runs"]).combine_chunks()
                if (table["frame"].type, table["runs"].type) != (pa.int64(), pa.binary()):
                    raise ValueError("columns of another type")
                frames = table["frame"].to_numpy()
                runs = tuple(np.frombuffer(one, "<u4") for one in table["runs"].to_pylist())
                _check(frames, runs, card.width * card.height)
            except (pa.ArrowException, ValidationError, OSError, ValueError, TypeError, KeyError) as error:
                raise UserError(f"{path.name} is no layer of masks, or damaged: outline the persons again.") from error
        return cls(card.width, card.height, frames, runs)


def _unpacked_bytes(metadata: pq.FileMetaData) -> int:
    return sum(metadata.row_group(number).total_byte_size for number in range(metadata.num_row_groups))


def _check(frames: NDArray[np.int64], runs: Sequence[NDArray[np.uint32]], pixels: int) -> None:
    if not len(frames) or frames[0] < 0 or np.any(np.diff(frames) <= 0):
        raise ValueError("frames in disorder")
    if any(int(one.sum(dtype=np.uint64)) != pixels or len(one) > pixels + 1 for one in runs):
        raise ValueError("masks of another size")


def _runs(mask: NDArray[np.bool_]) -> NDArray[np.uint32]:
    flat = mask.ravel()
    edges = np.flatnonzero(np.diff(flat)) + 1
    runs = np.diff(np.concatenate([[0], edges, [len(flat)]]))
    # Outside comes first, be it for no pixel.
    return np.concatenate([[0] if flat[0] else [], runs]).astype(np.uint32)


def cut_out(
    video: Video,
    plan: ClipPlan,
    layer: MaskLayer,
    out: Path,
    background: Background = "#000000",
    progress: Progress | None = None,
    cancelled: StopWish | None = None,
) -> Clip | Path:
    """Write the planned clip with nothing but the outlined persons on a background; frames without a mask are all
    background.

    Args:
        plan: a plan made for this very video.
        out: must end in ``.mp4``, or in ``.webm`` for a transparent background (VP9 with alpha); replaced if it is
            there.
        background: ``blur``, ``transparent`` or a colour as ``#RRGGBB``.
        progress: told the fraction done, 0 to 1.
        cancelled: asked for every frame, and ten times a second.

    Returns:
        What was written, and with a transparent background its path alone.

    Raises:
        UserError: the background or the name is none, or as :func:`core.clips.cut_clip`.
        Cancelled: ``cancelled`` said so.
    """
    check_background(background, out)
    masks = _films(video, plan, layer)
    if background == "transparent":
        return _transparent(video, plan, masks, out, progress, cancelled)
    if background == "blur":
        behind = f"gblur=sigma={max(2.0, _BLUR_SHARE * max(even_size(video))):.1f}"
    else:
        behind = f"drawbox=color=0x{background[1:]}:thickness=fill"
    graph = (
        f"[picture]format=yuv420p,split[front][back];[back]{behind}[behind];"
        "[front][layer]alphamerge[person];[behind][person]overlay"
    )
    return cut_over(video, plan, out, masks, "gray", graph, progress, cancelled)


def check_background(background: Background, out: Path) -> None:
    """See that a clip of this name can have this background, before anything long is begun.

    Raises:
        UserError: it is none, or a file of this kind cannot have it.
    """
    if background not in ("blur", "transparent") and not _COLOUR.fullmatch(background):
        raise UserError(f"{background[:20]!r} is no background: choose blur, transparent or a colour such as #00FF00.")
    if background == "transparent" and out.suffix.lower() != ".webm":
        raise UserError(f"{out.name} cannot be transparent: let its name end in .webm.")
    if background != "transparent" and out.suffix.lower() != ".mp4":
        raise UserError(f"{out.name} is no name for a clip with a background: let it end in .mp4.")


def _films(video: Video, plan: ClipPlan, layer: MaskLayer) -> Iterator[NDArray[np.uint8]]:
    """The mask of each planned frame in the size of the clip: uint8, 0 or 255."""
    size = even_size(video)
    for frame in range(plan.start_frame, plan.end_frame + 1):
        mask = layer.mask(frame).astype(np.uint8) * 255
        same = mask.shape == (size[1], size[0])
        yield mask if same else np.asarray(cv2.resize(mask, size, interpolation=cv2.INTER_NEAREST), np.uint8)


def _transparent(
    video: Video,
    plan: ClipPlan,
    masks: Iterator[NDArray[np.uint8]],
    out: Path,
    progress: Progress | None,
    cancelled: StopWish | None,
) -> Path:
    told = progress or (lambda _: None)
    with tempfile.TemporaryDirectory(prefix="trickline-") as folder, atomic_path(out) as partial:
        film, clip = Path(folder) / "layer.mov", Path(folder) / "clip.mp4"
        write_film(video, plan, masks, "gray", film, lambda done: told(0.2 * done), cancelled)
        width, height = even_size(video)
        cut_clip(video, plan, clip, "exact", lambda done: told(0.2 + 0.2 * done), cancelled,
                 shape=f"scale={width}:{height},setsar=1")  # fmt: skip
        coding = ["-c:v", "libvpx-vp9", "-crf", "24", "-b:v", "0", "-cpu-used", "5", "-row-mt", "1", "-c:a", "libopus"]
        run(
            [
                *("-i", str(clip), "-i", str(film)),
                *("-filter_complex", "[0:v][1:v]alphamerge,format=yuva420p[out]", "-map", "[out]", "-map", "0:a?"),
                *("-fps_mode", "passthrough", *coding, "-auto-alt-ref", "0", "-f", "webm", str(partial)),
            ],
            plan.frames,
            lambda done: told(0.4 + 0.6 * done),
            cancelled,
        )
    told(1.0)
    return out
