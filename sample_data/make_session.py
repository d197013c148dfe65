"""Draw the sample session: a minute of a skater on a plaza, with sound and the true labels.

    python sample_data/make_session.py

Nothing is downloaded and nothing that is drawn belongs in the repository. The labels come from the very heights that
are drawn, so they are true to the frame.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # run as a script, Python looks only beside the script

from core.atomic import atomic_path, make_folder
from core.errors import Cancelled, UserError
from core.intervals import Interval, from_mask
from core.labels import LabelSet, read_labels, write_labels
from sample_data.choreography import SECONDS, Motion, choreograph
from sample_data.plaza import FPS, HEIGHT, WIDTH, Image, views
from sample_data.skater import paint
from sample_data.sound import RATE, soundtrack

DEFAULT_OUT = Path(__file__).resolve().parent / "session"


@dataclass(frozen=True)
class Session:
    """The files of a drawn session and the tricks in it."""

    video: Path
    annotations: Path
    """CVAT for video 1.1."""
    table: Path
    """The intervals as CSV."""
    intervals: tuple[Interval, ...]


def scenes(
    motion: Motion,
    rng: np.random.Generator,
    progress: Callable[[float], None] | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> Iterator[Image]:
    """Every picture: BGR ``(HEIGHT, WIDTH, 3)``."""
    for i, picture in enumerate(views(motion.camera_px, rng)):
        if cancelled and cancelled():
            raise Cancelled
        if progress:
            progress(i / len(motion.wheel_m))
        paint(picture, motion, i)
        yield picture


def encode(path: Path, pictures: Iterable[Image], sound: NDArray[np.float32]) -> None:
    """H.264 and AAC in an MP4 whose index comes first. Frame ``n`` has the PTS ``n / FPS``.

    The number of threads is fixed, since x264 writes other bytes with another number.
    """
    import av

    with av.open(str(path), "w", format="mp4", options={"movflags": "+faststart", "fflags": "+bitexact"}) as container:
        options = {"crf": "21", "preset": "fast", "g": "60", "threads": "2"}
        video = container.add_stream("libx264", rate=FPS, options=options)
        video.width, video.height, video.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        video.codec_context.time_base = Fraction(1, FPS)
        audio = container.add_stream("aac", rate=RATE, layout="mono", bit_rate=80_000)
        per_frame = RATE // FPS
        for i, picture in enumerate(pictures):
            frame = av.VideoFrame.from_ndarray(picture, format="bgr24")
            frame.pts, frame.time_base = i, Fraction(1, FPS)
            container.mux(video.encode(frame))
            samples = sound[None, i * per_frame : (i + 1) * per_frame]
            heard = av.AudioFrame.from_ndarray(samples, format="fltp", layout="mono")
            heard.pts, heard.sample_rate, heard.time_base = i * per_frame, RATE, Fraction(1, RATE)
            container.mux(audio.encode(heard))
        container.mux(video.encode())
        container.mux(audio.encode())


def make_session(
    out_dir: Path,
    seed: int = 42,
    seconds: float = SECONDS,
    progress: Callable[[float], None] | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> Session:
    """Draw ``session.mp4`` and write its labels beside it, or take what is there.

    Each file takes its name only when it is whole, and the CSV goes first and comes last: where all three are, they
    are whole and belong together. They are then left alone, whatever the seed: remove the folder to draw anew. On one
    machine the same seed gives the same bytes.

    Args:
        out_dir: Folder for the three files; made if need be.
        seed: Of the backdrop, the hand that holds the camera, and the noise. The tricks stay the same.
        seconds: At least 6, where the first trick is over. Tricks that would not be over by then are left out.
        progress: Told the fraction drawn, 0 to 1.
        cancelled: Asked before each picture.

    Returns:
        The paths, and the intervals in which no wheel touches the ground.

    Raises:
        UserError: the folder cannot be written to.
        Cancelled: ``cancelled`` said so.
    """
    video, annotations, table = files = [out_dir / f for f in ("session.mp4", "annotations.xml", "intervals.csv")]
    if all(file.is_file() for file in files):
        return Session(video, annotations, table, read_labels(table).intervals)
    if seconds < 6:
        raise ValueError(f"a session of {seconds} s has no trick in it: take at least 6 s")
    rng = np.random.default_rng(seed)
    motion, tricks = choreograph(seconds, rng)
    make_folder(out_dir)
    table.unlink(missing_ok=True)
    with atomic_path(video) as temporary:
        sound = soundtrack(motion, tricks, rng)
        encode(temporary, scenes(motion, rng, progress, cancelled), sound)
    n_frames = len(motion.wheel_m)
    labels = LabelSet(tuple(from_mask(motion.wheel_m > 0)), n_frames, WIDTH, HEIGHT, Fraction(FPS), video.name)
    for path in (annotations, table):
        write_labels(path, labels, np.arange(n_frames) / FPS)
    return Session(video, annotations, table, labels.intervals)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description="Draw the sample session and its labels.")
    parser.add_argument("--out", type=Path, default=DEFAULT_OUT, help="folder for the files (default: %(default)s)")
    try:
        session = make_session(parser.parse_args().out)
    except UserError as error:
        parser.exit(2, f"{error}\n")
    labels = f"{session.annotations.name}, {session.table.name}"
    print(f"{session.video}: tricks: {len(session.intervals)}; labels: {labels}")


if __name__ == "__main__":
    main()
