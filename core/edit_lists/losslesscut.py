"""The project of LosslessCut, which opens it by itself as ``{name of the video}-proj.llc`` beside the video.

Its second version, as LosslessCut 3.65 and later write it: JSON5, of which JSON is a part, with times in seconds of the
player's clock. Tags are text.
"""

from __future__ import annotations

from core.edit_lists.timeline import Document, Entry, Selection, one_line
from core.labels.losslesscut import NAME, SUFFIX, Segment, project

__all__ = ["NAME", "SUFFIX", "compose"]


def compose(selection: Selection) -> Document:
    """A segment for each clip, from where its first frame appears to where its last one leaves the screen."""
    segments = [Segment(entry.plan.start_s, entry.plan.end_s, entry.name, _tags(entry)) for entry in selection.entries]
    return Document(project(selection.media.name, segments), len(segments))


def _tags(entry: Entry) -> dict[str, str]:
    tags = {"label": one_line(entry.plan.label)}
    if entry.confidence is not None:
        tags["confidence"] = f"{entry.confidence:.3f}"
    if entry.stars is not None:
        tags["stars"] = str(entry.stars)
    return tags
