"""Draw ``docs/picture.png``: the drawn sample session, its signals, its true tricks and what the starter found.

python docs/make_picture.py
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

sys.path.insert(0, str(Path(__file__).parents[1]))

from core import pipeline
from core.hop_rule import HOP_TORSOS
from core.settings import RunSettings
from core.workspace import Workspace
from sample_data.make_session import DEFAULT_OUT, make_session

WIDTH, MARGIN = 1280, 130
INK, QUIET, BACK, PANEL = "#E8EAED", "#9AA0AA", "#111318", "#1A1D24"
TRUE, FOUND, CURVE = "#2FB8A8", "#FFB000", "#C9D1D9"
THUMBS = 7
ROWS = {"footage": 14, "tuck_ratio": 120, "hop height": 220, "true": 330, "found": 366}


def main() -> None:
    """Run the starter on the sample session and write the picture."""
    session = make_session(DEFAULT_OUT)
    with Workspace.open() as workspace:
        result = pipeline.run(session.video, workspace, RunSettings(), None)
    video, table = result.look.video, result.look.signals.table
    end_s = video.info.duration_s
    picture = Image.new("RGB", (WIDTH, 420), BACK)
    draw = ImageDraw.Draw(picture)
    font = ImageFont.load_default(15)
    for name, y in ROWS.items():
        draw.text((16, y + 4), name, INK if name in {"true", "found"} else QUIET, font=font)

    def x_of(time_s: float) -> float:
        return MARGIN + time_s / end_s * (WIDTH - MARGIN - 16)

    width = (WIDTH - MARGIN - 16) // THUMBS
    moments = [event.start_frame + 4 for event in result.events][:THUMBS]
    pictures = {p.index: p.rgb(width - 6, 92) for p in video.pictures() if p.index in moments}
    for number, moment in enumerate(moments):
        picture.paste(Image.fromarray(pictures[moment]), (MARGIN + number * width, ROWS["footage"]))
    time_s = table["time_s"].to_numpy()
    tuck = np.where(table["rejected"] == "", table["tuck_ratio"], np.nan)
    hop = np.fmax(table["hop_ankle_slow"], table["hop_hip"]).to_numpy()
    for name, values, top in (("tuck_ratio", tuck, 2.0), ("hop height", hop, 2.0)):
        y = ROWS[name]
        draw.rectangle((MARGIN, y, WIDTH - 16, y + 84), PANEL)
        for run in _runs(values):
            points = [(x_of(time_s[i]), y + 82 - 78 * min(values[i], top) / top) for i in run]
            draw.line(points, CURVE, 2, joint="curve")
    limit = ROWS["hop height"] + 82 - 78 * HOP_TORSOS / 2.0
    for x in range(MARGIN, WIDTH - 16, 12):
        draw.line((x, limit, x + 6, limit), FOUND, 1)
    for name, intervals, colour in (("true", session.intervals, TRUE), ("found", result.events, FOUND)):
        for interval in intervals:
            left, right = x_of(video.pts_s[interval.start_frame]), x_of(video.end_of(interval.end_frame))
            draw.rounded_rectangle((left, ROWS[name], max(right, left + 4), ROWS[name] + 26), 3, colour)
    for second in range(0, int(end_s) + 1, 10):
        time = f"{second // 60}:{second % 60:02d}"
        draw.text((min(x_of(second) - 8, WIDTH - 40), 398), time, QUIET, font=ImageFont.load_default(13))
    target = Path(__file__).with_name("picture.png")
    picture.quantize(128).save(target, optimize=True)
    print(f"{target.name}: {target.stat().st_size // 1024} kB")


def _runs(values: NDArray[np.float64]) -> list[NDArray[np.int64]]:
    seen = np.flatnonzero(np.isfinite(values))
    return [run for run in np.split(seen, np.flatnonzero(np.diff(seen) > 1) + 1) if len(run) > 1]


if __name__ == "__main__":
    main()
