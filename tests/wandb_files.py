"""W&B's own files of an offline run, read back: the format of LevelDB's log, which holds one message after another."""

from __future__ import annotations

import json
import struct
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from zlib import crc32

_BLOCK, _HEAD = 32768, 7


@dataclass(frozen=True)
class OfflineRun:
    """What ``wandb sync`` would send."""

    folder: Path
    name: str
    project: str
    job_type: str
    group: str
    config: dict[str, Any]
    summary: dict[str, Any]
    artifacts: dict[str, Any] = field(repr=False)
    """Messages by name; of several versions the last."""
    exit_code: int

    @classmethod
    def read(cls, folder: Path) -> OfflineRun:
        """From the folder of the run."""
        [file] = folder.glob("run-*.wandb")
        config: dict[str, Any] = {}
        summary: dict[str, Any] = {}
        artifacts: dict[str, Any] = {}
        start, exit_code = None, None
        for record in _records(file):
            kind = record.WhichOneof("record_type")
            if kind == "run":
                start = record.run
                _update(config, record.run.config.update)
            elif kind == "config":
                _update(config, record.config.update)
            elif kind == "summary":
                _update(summary, record.summary.update)
            elif kind == "artifact":
                artifacts[record.artifact.name] = record.artifact
            elif kind == "exit":
                exit_code = record.exit.exit_code
        assert start is not None
        assert exit_code is not None
        return cls(
            folder, start.display_name, start.project, start.job_type, start.run_group, config, summary, artifacts,
            exit_code,
        )  # fmt: skip

    def table(self, name: str) -> tuple[list[str], list[list[Any]]]:
        """Columns and rows of a logged table."""
        kept = json.loads((self.folder / "files" / self.summary[name]["path"]).read_text())
        return kept["columns"], kept["data"]

    def metadata(self, artifact: str) -> dict[str, Any]:
        """Of an artifact."""
        kept: dict[str, Any] = json.loads(self.artifacts[artifact].metadata)
        return kept


def _records(file: Path) -> list[Any]:
    from wandb.proto.wandb_internal_pb2 import Record  # type: ignore[attr-defined]

    data, at, part, found = file.read_bytes(), _HEAD, b"", []
    assert data[:4] == b":W&B"
    while at + _HEAD <= len(data):
        if _BLOCK - at % _BLOCK < _HEAD:
            at += _BLOCK - at % _BLOCK
            continue
        checksum, length, kind = struct.unpack_from("<IHB", data, at)
        content = data[at + _HEAD : at + _HEAD + length]
        assert checksum == crc32(content, crc32(bytes([kind])))
        part += content
        at += _HEAD + length
        if kind in (1, 4):  # whole, or the last part
            found.append(Record.FromString(part))
            part = b""
    return found


def _update(into: dict[str, Any], items: Any) -> None:
    for item in items:
        *above, last = list(item.nested_key) or [item.key]
        place = into
        for key in above:
            place = place.setdefault(key, {})
        place[last] = json.loads(item.value_json)
