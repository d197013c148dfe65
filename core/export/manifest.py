"""What an export left in a folder, in one JSON file beside the clips.

Programs read from it which file shows what. The next export learns from it which clips need not be cut again, and which
files of the folder are its own: no other file is ever written over.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import pydantic

from core.atomic import atomic_path
from core.clips import session_part
from core.errors import UserError
from core.framing import Aspect
from core.settings import CutMode, Encoder, ExportKind, Settings
from core.video import Video

VERSION = 2
"""Of the file, and of how clips are made: one that another version made is made anew."""
_MAX_BYTES = 64 * 2**20


class Plan(Settings):
    """All that decides what a clip, picture or reel looks like."""

    start_frame: int
    end_frame: int
    mode: CutMode
    aspect: Aspect
    encoder: Encoder
    made_of: str | None
    """Digest of the rest: the crop in every frame, and for a reel all that it shows; None where there is no more."""


class Crop(Settings):
    """The window of a cropped clip, pixels of the upright picture. It moves: the least and the greatest place."""

    width: int
    height: int
    x: tuple[float, float]
    """Of its left side."""
    y: tuple[float, float]
    """Of its upper side."""


class Written(Settings):
    """One file."""

    kind: ExportKind
    name: str
    """Its name in the folder of the manifest."""
    video: str
    """Name of the footage."""
    start_frame: int
    """First frame of the footage in it; of a reel, list or contact sheet that of its first clip."""
    end_frame: int
    """Last frame in it."""
    start_s: float
    """When the first frame is shown in the footage, seconds."""
    end_s: float
    """When the last frame leaves the screen."""
    wanted_start_s: float
    """Where it was to start: a fast clip may begin sooner, at a keyframe."""
    label: str | None
    """Of what shows one clip; its labels are joined by ``+``."""
    confidence: float | None
    """The highest of its events, 0 to 1; None where a person labelled."""
    crop: Crop | None
    size: int
    """Bytes."""
    notes: tuple[str, ...]
    """Sentences for the user."""
    plan: Plan | None
    """Of what is not made anew each time."""


class _Manifest(Settings):
    trickline_export: Literal[2]
    video: str
    content: str
    files: tuple[Written, ...]
    """What the last export wrote or found finished."""
    earlier: tuple[Written, ...]
    """What exports before that left, and is still there."""
    begun: tuple[str, ...]
    """Names of what was set out to be written and is not known to be finished: a killed export may have left it."""


class _Name(pydantic.BaseModel):
    name: str


class _Older(pydantic.BaseModel):
    """What is read of a manifest that another version wrote: its files are an export's, and all are made anew."""

    trickline_export: int
    content: str
    files: tuple[_Name, ...] = ()
    earlier: tuple[_Name, ...] = ()
    begun: tuple[str, ...] = ()


class Folder:
    """A folder into which one video's files are exported."""

    def __init__(self, out: Path, video: Video, content: str) -> None:
        """Read what earlier exports of the video with this content id have left in ``out``."""
        self.out = out
        self._video = video
        self._content = content
        self._new: dict[str, Written] = {}
        name = f"{session_part(video.path)}_export.json"
        self.manifest = out / name
        # Cameras give the same name to many videos.
        if self.manifest.exists() and self._read() is None and not self._older():
            self.manifest = out / self._with_content(name)
        before = self._read()
        self._earlier = {file.name: file for file in (*before.files, *before.earlier)} if before else {}
        self._begun = set(before.begun) if before else self._older()
        self._given: set[str] = set()

    def targets(self, names: Sequence[str]) -> list[Path]:
        """Where the files of these names go: beside those of that name that are not an earlier export's.

        From now on they count as this export's, even if it is killed.

        Raises:
            UserError: a name was given to another of its files.
        """
        targets = [self.out / (name if self._is_own(name) else self._with_content(name)) for name in names]
        for target in targets:
            if target.name.casefold() in self._given:
                raise UserError(f"Two files would be called {target.name}: choose another name for the clips.")
            self._given.add(target.name.casefold())
        self._begun |= {target.name for target in targets}
        self._write()
        return targets

    def _is_own(self, name: str) -> bool:
        return name in self._earlier or name in self._new or name in self._begun or not (self.out / name).exists()

    def finished(self, path: Path, plan: Plan) -> Written | None:
        """The file of this plan, if it is there and has the size that it was written with."""
        earlier = self._earlier.get(path.name)
        there = earlier and earlier.plan == plan and path.is_file() and path.stat().st_size == earlier.size
        return earlier if there else None

    def add(self, file: Written) -> None:
        """Note that ``file`` was written or is finished."""
        self._new[file.name] = file
        self._begun.discard(file.name)
        self._write()

    def _write(self) -> None:
        # Somebody else may be exporting into the folder, too.
        now = self._read()
        if now:
            self._earlier |= {file.name: file for file in (*now.files, *now.earlier)}
            self._begun |= {*now.begun} - self._new.keys()
        earlier = tuple(
            file for name, file in self._earlier.items() if name not in self._new and (self.out / name).is_file()
        )
        manifest = _Manifest(
            trickline_export=VERSION,
            video=self._video.path.name,
            content=self._content,
            files=tuple(sorted(self._new.values(), key=lambda file: (file.kind, file.start_frame, file.name))),
            earlier=earlier,
            begun=tuple(sorted(self._begun)),
        )
        with atomic_path(self.manifest) as temporary:
            temporary.write_text(manifest.model_dump_json(indent=2) + "\n", encoding="utf-8")

    def _with_content(self, name: str) -> str:
        path = Path(name)
        return f"{path.stem}-{self._content[:8]}{path.suffix}"

    def _read(self) -> _Manifest | None:
        """The manifest, if it is one of this video; files are found by the names that an export gives, not by it."""
        try:
            if self.manifest.stat().st_size > _MAX_BYTES:
                return None
            manifest = _Manifest.model_validate_json(self.manifest.read_bytes())
        except (OSError, pydantic.ValidationError):
            return None
        return manifest if manifest.content == self._content else None

    def _older(self) -> set[str]:
        """Names of the files that another version has exported of this video."""
        try:
            if self.manifest.stat().st_size > _MAX_BYTES:
                return set()
            older = _Older.model_validate_json(self.manifest.read_bytes())
        except (OSError, pydantic.ValidationError):
            return set()
        if older.content != self._content:
            return set()
        return {*older.begun, *(file.name for file in (*older.files, *older.earlier))}
