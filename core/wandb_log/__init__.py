"""The same steps as runs, tables and artifacts of Weights & Biases, under the names of the skate clip cropper.

    >>> result, told = run_logged(video, workspace, RunSettings(), Path("clips"))    # doctest: +SKIP
    >>> with logged(True, "train", knobs(RunSettings(), trains=True)) as log:        # doctest: +SKIP
    ...     log.raw_footage(video)
    ...     log.training(trained, labelled)

Off unless asked for. ``WANDB_MODE``, ``WANDB_API_KEY``, ``WANDB_PROJECT`` and ``WANDB_ENTITY`` decide where to, from
the environment or a ``.env`` file in the working folder. What W&B cannot do is a warning, never the end of the work.
"""

from core.wandb_log.knobs import knobs
from core.wandb_log.lessons import MetricsRun, find_metrics
from core.wandb_log.payload import artifact_of
from core.wandb_log.pulling import pull_footage, pull_model, resolve_model
from core.wandb_log.run_log import RunLog, logged
from core.wandb_log.whole import look_logged, run_logged

__all__ = [
    "MetricsRun",
    "RunLog",
    "artifact_of",
    "find_metrics",
    "knobs",
    "logged",
    "look_logged",
    "pull_footage",
    "pull_model",
    "resolve_model",
    "run_logged",
]
