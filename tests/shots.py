"""Short videos out of the drawn session, each another."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from core.ffmpeg import run
from core.video import Video
from sample_data.make_session import Session


def shots(session: Session, folder: Path, count: int, length_s: float = 4.0) -> list[Path]:
    """``count`` videos of ``length_s`` seconds, spread over the session; many of them hold a trick."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"shot {number:02d}.mp4" for number in range(count)]
    room_s = Video.open(session.video).info.duration_s - length_s
    for number, path in enumerate(paths):
        begin = room_s * number / max(1, count - 1)
        encoding = ["-c:v", "libx264", "-preset", "ultrafast", "-crf", "20", "-c:a", "aac"]
        part = ["-ss", f"{begin:.3f}", "-t", f"{length_s}", "-i", str(session.video)]
        run([*part, *encoding, str(path)], frames=round(30 * length_s))
    return paths


def found(results: Sequence[dict[str, object]]) -> dict[str, object]:
    """What counts of results: by the video's name its tricks and its clips."""
    return {
        Path(str(one["video"])).name: (
            one["events"],
            [{**clip, "path": Path(clip["path"]).name} for clip in one["clips"]],  # type: ignore[attr-defined]
        )
        for one in results
    }
