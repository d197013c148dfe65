"""The project of LosslessCut, which opens it by itself as ``{name of the video}-proj.llc`` beside the video.

Its second version, as LosslessCut 3.65 and later write it: JSON5, of which JSON is a part, with times in seconds of the
player's clock. Tags are text.
"""

from __future__ import annotations

import json

from core.edit_lists.timeline import Document, Entry, Selection, one_line

NAME = "LosslessCut project"
SUFFIX = ".llc"


def compose(selection: Selection) -> Document:
    """A segment for each clip, from where its first frame appears to where its last one leaves the screen."""
    project = {
        "version": 2,
        "mediaFileName": selection.media.name.encode(errors="replace").decode(),
        "cutSegments": [
            {
                "start": round(entry.plan.start_s, 6),
                "end": round(entry.plan.end_s, 6),
                "name": entry.name,
                "tags": _tags(entry),
            }
            for entry in selection.entries
        ],
    }
    return Document(json.dumps(project, indent=2) + "\n", len(selection.entries))


def _tags(entry: Entry) -> dict[str, str]:
    tags = {"label": one_line(entry.plan.label)}
    if entry.confidence is not None:
        tags["confidence"] = f"{entry.confidence:.3f}"
    if entry.stars is not None:
        tags["stars"] = str(entry.stars)
    return tags
