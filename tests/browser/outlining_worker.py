"""The worker of a workspace, with a SAM 2 that is small and knows nothing: what it outlines means nothing, but all that
leads there is real. Given the workspace's folder, it puts the weights there and works until it is ended."""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path

from core.recognize import outlines
from core.worker import work
from core.workspace import Workspace
from tests.small_sam import known_as_tiny, write_weights


def main(home: Path) -> None:
    known_as_tiny()
    outlines.outline = partial(outlines.outline, side=256)
    write_weights(home / "weights" / "sam2_t.pt")
    with Workspace.open(home) as workspace:
        print("ready", flush=True)
        work(workspace)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
