"""All benchmarks, one after the other; those that need footage that is not there say so."""

from __future__ import annotations

from tests.bench import (
    bench_cut,
    bench_export,
    bench_look,
    bench_memory,
    bench_scale,
    bench_serve,
    bench_studio,
    bench_tricks,
)
from tests.bench.bench_tricks import SHARED


def main() -> None:
    """Run them and print what they measure."""
    print("Cutting a 6 s clip late in a 5 min video", flush=True)
    bench_cut.main()
    print("\nTen clips of a 20 min video", flush=True)
    bench_export.main()
    print("\nThe studio", flush=True)
    bench_studio.main()
    print("\nClips sent to the endpoint", flush=True)
    bench_serve.main()
    print("\nMany videos", flush=True)
    bench_scale.main(("pace", "overhead", "nodes", "spans"))
    session = SHARED / "data" / "session" / "skate_video.mp4"
    if not session.exists():
        print("The other benchmarks need the reference footage, which is not beside this checkout.")
        return
    print("\nLooking", flush=True)
    bench_look.main(session, SHARED / "models" / "yolov8n-pose.pt")
    print("\nThe starter on clips of unseen skaters", flush=True)
    int8 = SHARED / "models" / "yolov8n-pose_int8_openvino_model"
    bench_tricks.main(SHARED / "data" / "tricks" / "clips.csv", session, int8)
    print("\nMemory", flush=True)
    bench_memory.main(session)


if __name__ == "__main__":
    main()
