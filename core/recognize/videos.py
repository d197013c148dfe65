"""The videos of samples, opened once for several moments of theirs."""

from __future__ import annotations

from pathlib import Path

from core.video import Video

MOST = 8
"""Videos. The index of one takes 16 bytes a frame, so 7 MB for two hours."""


class Videos:
    """Opens videos and remembers the last few: to open one of hours takes longer than to read a moment of it.

    It is for one piece of work, for it does not see that a file was replaced.
    """

    def __init__(self) -> None:
        self._held: dict[Path, Video] = {}

    def open(self, path: Path) -> Video:
        """The video at ``path``.

        Raises:
            UserError: it cannot be read.
        """
        video = self._held.pop(path, None) or Video.open(path)
        self._held[path] = video  # last, so that the first is the one that was not asked for longest
        if len(self._held) > MOST:
            del self._held[next(iter(self._held))]
        return video
