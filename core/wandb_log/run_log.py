"""One run: what goes into it, and how its artifacts hang together.

Online the footage and whatever was fetched are inputs of the run, so that W&B draws the way from ``skate_session_raw``
by the metrics and the model to ``skate_highlights``. Offline there is nobody to ask for what other runs logged: inputs
are then named in the config (``inputs``) and in each artifact's metadata (``made_from``), which is what ``wandb sync``
sends.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Any

from core.intervals import Interval
from core.wandb_log import lessons, tables
from core.wandb_log.service import abandon, begin, end, faults, note_silence, read_dotenv, reason

if TYPE_CHECKING:
    from core.export import Export
    from core.sighting import Look
    from core.training import Trained
    from core.validate import Labelled

log = logging.getLogger(__name__)

FOOTAGE, FOOTAGE_TYPE = "skate_session_raw", "raw-footage"
MODEL, MODEL_TYPE, MODEL_FILE = "skate_trick_classifier", "model", "trick_classifier.skops"
HIGHLIGHTS, HIGHLIGHTS_TYPE = "skate_highlights", "video_collection"
REGISTRY = f"wandb-registry-model/{MODEL}"
"""Where the model is linked: W&B's own registry of models."""
_WAIT_S = 60
"""Until W&B has taken an artifact that holds no footage, seconds."""
_FINISH_S = 120.0
"""To send what is left at the end, seconds, unless ``WANDB_FINISH_TIMEOUT`` says so; on top comes what the files take
at :data:`_SLOWEST`."""
_SLOWEST = 500_000
"""Bytes a second: a network that does not manage this is taken for one that hangs."""


@contextmanager
def logged(
    enabled: bool,
    job_type: str,
    config: Mapping[str, Any],
    *,
    upload: bool = False,
    group: str | None = None,
    warn: Callable[[str], None] = log.warning,
) -> Iterator[RunLog]:
    """A run that ends with the block; one that does nothing where it is not ``enabled``.

    Args:
        job_type: as the original has it: ``ingest``, ``feature-extraction``, ``train``, ``automation``; or ``run``.
        config: of :func:`core.wandb_log.knobs`.
        upload: whether the raw footage itself goes to W&B, instead of a reference to where it lies.
        group: of runs that belong together, unless ``WANDB_RUN_GROUP`` names one.
        warn: told in a sentence what W&B cannot do.
    """
    if not enabled:
        yield RunLog(None)
        return
    read_dotenv()
    run = RunLog(begin(job_type, config, group, warn), upload=upload, warn=warn)
    try:
        yield run
    except BaseException:
        run.finish(failed=True)
        raise
    run.finish()


class RunLog:
    """What a step may log. Every method does nothing without a run; where W&B fails there is one warning, and from
    then on there is no run."""

    def __init__(self, run: Any | None, *, upload: bool = False, warn: Callable[[str], None] = log.warning) -> None:
        self._run = run
        self._upload = upload
        self._warn = warn
        self._inputs: list[str] = []
        self._uploading: list[Any] = []
        self._bytes = 0
        self._told = ""

    @property
    def told(self) -> str:
        """Where the run can be seen, in a sentence; empty without one. Best asked after the run's end."""
        return self._told

    def raw_footage(self, video: Path) -> None:
        """The footage, as the artifact ``skate_session_raw`` and an input of this run: by reference with a checksum,
        or uploaded."""
        with self._trying("the footage") as run:
            if not run:
                return
            artifact = self._artifact(FOOTAGE, FOOTAGE_TYPE, {"bytes": video.stat().st_size})
            if self._upload:
                self._add(artifact, video)
            else:
                artifact.add_reference(video.resolve().as_uri(), name=video.name)
            run.log_artifact(artifact)
            if run.offline or self._upload:  # gigabytes are sent beside the work
                self._note(f"{FOOTAGE}:{artifact.digest}")
                self._uploading += [artifact] if not run.offline else []
                return
            artifact.wait(_WAIT_S)
            run.use_artifact(artifact)
            self._note(artifact.qualified_name)

    def use(self, artifacts: Sequence[str]) -> None:
        """Artifacts by their full names that this run is made from, such as a model that was fetched."""
        with self._trying("what the run is made from") as run:
            if not run:
                return
            for name in artifacts:
                if not run.offline:
                    run.use_artifact(name)
                self._note(name)

    def movement_metrics(self, seen: Look, truth: Sequence[Interval] | None = None) -> None:
        """The table ``movement_metrics`` with ``ratio_plot`` and the ``filter/*`` counts; and every sampled frame, from
        which :func:`core.wandb_log.find_metrics` trains.

        Args:
            truth: the labels, if there are any.
        """
        with self._trying("the movement metrics") as run:
            if not run:
                return
            rate = float(seen.video.info.average_rate)
            run.config.update({"video_fps": rate, "effective_fps": rate / seen.stride}, allow_val_change=True)
            run.log(tables.counters(seen))
            metrics = tables.movement_metrics(seen)
            run.log({"movement_metrics": metrics, "ratio_plot": tables.ratio_plot(seen)})
            folder = Path(run.dir) / lessons.NAME / seen.content
            if folder.exists():
                return
            files = lessons.write(folder, run.name or run.id, seen, truth)
            artifact = self._artifact(lessons.NAME, lessons.NAME, {"video": seen.video.path.stem})
            for file in files:
                self._add(artifact, file)
            run.log_artifact(artifact)

    def labels(self, labelled: Sequence[Labelled]) -> None:
        """The table ``label_intervals``."""
        with self._trying("the labels") as run:
            if run:
                run.log({"label_intervals": tables.label_intervals(labelled)})

    def threshold(self, value: float) -> None:
        """The probability from which on it was a trick, 0 to 1, as ``inference/threshold``."""
        with self._trying("the threshold") as run:
            if run:
                run.log({"inference/threshold": value})

    def training(self, trained: Trained, labelled: Sequence[Labelled]) -> None:
        """What was learnt from (``data/*``) and how good the detector is on what it had not seen (``frame/*``,
        ``event_*``); the table ``validation`` has all detectors that were compared."""
        with self._trying("the training") as run:
            if not run:
                return
            events = trained.detector.events
            found = {**events.model_dump(), "threshold": events.default_threshold}
            run.config.update(found, allow_val_change=True)
            run.log(tables.training(trained, labelled))
            if trained.outcomes:
                run.log({"validation": tables.validation(trained)})

    def model(self, path: Path, trained: Trained, aliases: Sequence[str] = ()) -> None:
        """The bundle, as the artifact ``skate_trick_classifier``, linked to the registry of models where W&B is
        reached."""
        with self._trying("the model") as run:
            if not run:
                return
            detector = trained.detector
            about = {
                "feature_set": detector.settings.feature_set,
                "feature_columns": list(detector.columns),
                "model": detector.settings.model,
                "fps": detector.meta["sampling_rate"],
                "threshold": detector.events.default_threshold,
                "events": detector.events.model_dump(),
                "pose": detector.meta.get("pose"),
                "videos": detector.meta.get("videos"),
                "versions": detector.meta.get("versions"),
            }
            artifact = self._artifact(MODEL, MODEL_TYPE, about)
            artifact.add_file(str(path), name=MODEL_FILE)
            run.log_artifact(artifact, aliases=["latest", *aliases])
            if not run.offline:
                artifact.wait(_WAIT_S)
                self._link(run, artifact)

    def highlights(self, exported: Export) -> None:
        """The clips, as the artifact ``skate_highlights``."""
        with self._trying("the highlights") as run:
            if not run or not exported.clips:
                return
            clips = {
                clip.name: {"start_s": clip.start_s, "end_s": clip.end_s, "label": clip.label}
                for clip in exported.clips
            }
            artifact = self._artifact(HIGHLIGHTS, HIGHLIGHTS_TYPE, {"video": exported.video.path.name})
            for name in clips:
                self._add(artifact, exported.out / name)
            run.log({"highlights": tables.highlights(clips)})
            run.log_artifact(artifact)

    def finish(self, *, failed: bool = False) -> None:
        """Send what is left. What cannot be sent stays in the run's folder."""
        with self._trying("the end of the run") as run:
            if not run:
                return
            folder = Path(run.dir).parent
            self._told = f"W&B: {run.name} is kept offline; send it with wandb sync {quote(str(folder))}"
            limit_s = _FINISH_S + self._bytes / _SLOWEST
            for artifact in self._uploading:
                artifact.wait(limit_s)
                run.use_artifact(artifact)
            end(run, int(failed), None if "WANDB_FINISH_TIMEOUT" in os.environ else limit_s)
            if not run.offline:
                self._told = f"W&B: {run.name} at {run.url}"
        self._run = None

    def _add(self, artifact: Any, file: Path) -> None:
        """A file as it is: W&B would copy it first."""
        self._bytes += file.stat().st_size
        artifact.add_file(str(file), name=file.name, policy="immutable")

    def _artifact(self, name: str, kind: str, metadata: Mapping[str, Any]) -> Any:
        import wandb

        return wandb.Artifact(name, type=kind, metadata={**metadata, "made_from": list(self._inputs)})

    def _note(self, name: str) -> None:
        self._inputs.append(name)
        if self._run:
            self._run.config.update({"inputs": list(self._inputs)}, allow_val_change=True)

    def _link(self, run: Any, artifact: Any) -> None:
        """A team may have no registry, or give no right to it: the model is logged all the same."""
        try:
            run.link_artifact(artifact, REGISTRY)
        except faults() as error:
            self._warn(f"W&B did not link the model to {REGISTRY} ({reason(error)}); it is logged all the same.")

    @contextmanager
    def _trying(self, what: str) -> Iterator[Any | None]:
        if self._run is None:
            yield None
            return
        began = time.monotonic()
        try:
            yield self._run
        except faults() as error:
            self._warn(f"W&B did not take {what} ({reason(error)}): the work goes on without W&B.")
            lost, self._run = self._run, None
            note_silence(error, began)
            abandon(lost)
