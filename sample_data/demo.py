"""Draw the sample session, find its tricks with the starter and with a detector trained on its labels, and cut the
clips.

python -m sample_data.demo
"""

from __future__ import annotations

from pathlib import Path

from core import pipeline, validate
from core.evaluate import event_metrics, format_table
from core.intervals import Interval, match
from core.settings import RunSettings, TrainSettings
from core.timecode import clock
from core.workspace import Workspace
from sample_data.make_session import DEFAULT_OUT, make_session


def main() -> None:
    """Run the whole way on the sample session and print what came of it."""
    print(
        "Drawing the sample session (half a minute, once)"
        if not DEFAULT_OUT.exists()
        else "The sample session is there"
    )
    session = make_session(DEFAULT_OUT)
    out = Path("clips")
    with Workspace.open() as workspace:
        print("Looking for its skater and cutting what the starter finds", flush=True)
        started = pipeline.run(session.video, workspace, RunSettings(), out / "starter")
        print("Training on its labels and cutting what the trained detector finds", flush=True)
        trained = pipeline.run(session.video, workspace, RunSettings(), out / "trained", labels=session.annotations)
        pts_s = started.look.video.pts_s
        compared = validate.compare(
            [validate.Labelled(started.look.example(session.intervals), pts_s)], TrainSettings()
        )
    print()
    _print_tricks(session.intervals, started, trained)
    print()
    rows = {"starter": event_metrics(session.intervals, started.events, pts_s)}
    rows |= {name: outcome.events for name, outcome in compared.items() if "leave" in name}
    print(format_table(rows))
    print()
    for exported in (started.exported, trained.exported):
        assert exported
        for clip in exported.clips:
            print(f"{exported.out / clip.name}  {clock(clip.start_s)} - {clock(clip.end_s)}")


def _print_tricks(truth: tuple[Interval, ...], *results: pipeline.Result) -> None:
    """A row for each true trick, and what each detector made of it."""
    pts_s = results[0].look.video.pts_s
    matched = [dict(match(truth, result.events, 0.1)) for result in results]
    print(f"{'true trick':24}{'starter':30}{'trained on these labels':30}")
    for number, trick in enumerate(truth):
        cells = [
            _times(result.events[pairs[number]], pts_s) if number in pairs else "missed"
            for result, pairs in zip(results, matched, strict=True)
        ]
        print(f"{_times(trick, pts_s):24}" + "".join(f"{cell:30}" for cell in cells))
    wrong = [len(result.events) - len(pairs) for result, pairs in zip(results, matched, strict=True)]
    print(f"{'found where none is':24}" + "".join(f"{count:<30}" for count in wrong))


def _times(interval: Interval, pts_s: object) -> str:
    start, end = (float(pts_s[frame]) for frame in (interval.start_frame, interval.end_frame))  # type: ignore[index]
    confidence = getattr(interval, "confidence", None)
    return f"{clock(start)} - {clock(end)}" + (f"  ({confidence:.2f})" if confidence is not None else "")


if __name__ == "__main__":
    main()
