"""W&B itself: who we are to it, whether it can be reached, and what it raises. It is imported only where it is used,
for that takes more than a second."""

from __future__ import annotations

import json
import logging
import os
import secrets
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from core.errors import UserError

log = logging.getLogger(__name__)

NAMES = ("WANDB_API_KEY", "WANDB_PROJECT", "WANDB_ENTITY", "WANDB_MODE")
"""What is taken from a ``.env`` file. Nothing else: one that came with somebody's folder must not say, by
``WANDB_BASE_URL``, to whom the key goes."""
PROJECT = "trickline"
"""Where nobody says which project."""
_INIT_S = 20.0
"""To begin a run, seconds, unless ``WANDB_INIT_TIMEOUT`` says so. Without a network W&B tries for as long."""
_FINISH_S = 600.0
"""To send what is left at the end, seconds, unless ``WANDB_FINISH_TIMEOUT`` says so. The rest stays in the run's
folder."""
_API_S = 20


def read_dotenv(folder: Path | None = None) -> None:
    """Take what the environment lacks from the ``.env`` file of the working folder, if there is one."""
    from dotenv import dotenv_values

    try:
        kept = dotenv_values((folder or Path()) / ".env", interpolate=False)
    except (OSError, UnicodeDecodeError):
        log.warning("The file .env cannot be read and is passed over.")
        return
    for name in NAMES:
        value = kept.get(name)
        if value:
            os.environ.setdefault(name, value)


def mode() -> str:
    """``online``, ``offline`` or ``disabled``, as ``WANDB_MODE`` says."""
    wanted = os.environ.get("WANDB_MODE", "").strip().lower()
    return {"offline": "offline", "dryrun": "offline", "disabled": "disabled"}.get(wanted, "online")


def project() -> str:
    """The project to log to."""
    return os.environ.get("WANDB_PROJECT") or PROJECT


@cache
def faults() -> tuple[type[Exception], ...]:
    """What W&B raises when it cannot be used: no key, no network, no room, its service gone. Its own base class covers
    little of it."""
    import wandb
    from wandb.sdk.lib.service.service_connection import WandbApiFailedError
    from wandb.sdk.lib.service.service_token import WandbServiceConnectionError
    from wandb.sdk.mailbox.mailbox import MailboxClosedError
    from wandb.sdk.mailbox.mailbox_handle import HandleAbandonedError, ServerResponseError

    own = (WandbApiFailedError, WandbServiceConnectionError, MailboxClosedError, HandleAbandonedError)
    usual = (OSError, RuntimeError, ValueError, TypeError, AttributeError, LookupError, AssertionError, EOFError)
    return (wandb.Error, ServerResponseError, *own, *usual)


def reason(error: Exception) -> str:
    """What went wrong, short and without the key."""
    said = " ".join(str(error).split()) or type(error).__name__
    key = os.environ.get("WANDB_API_KEY")
    if key:
        said = said.replace(key, "***")
    return said.split(" Consider ")[0][:160].rstrip(". ")


def begin(
    job_type: str, config: Mapping[str, Any], group: str | None = None, warn: Callable[[str], None] = log.warning
) -> Any | None:
    """A new run; an offline one where W&B cannot be reached, and None where it cannot be used at all or is disabled."""
    wanted = mode()
    if wanted == "disabled":
        return None
    wandb = _imported()
    try:
        if wanted == "online":
            if not wandb.login(prompt=False, verify=False):
                raise wandb.UsageError("there is no key: set WANDB_API_KEY")
            return _started(wandb, job_type, config, group, "online")
    except faults() as error:
        warn(
            f"W&B cannot be reached ({reason(error)}): the run is kept in the folder wandb, and wandb sync sends it "
            "later."
        )
    try:
        return _started(wandb, job_type, config, group, "offline")
    except faults() as error:
        warn(f"W&B cannot be used ({reason(error)}): nothing is logged to it.")
        return None


def abandon(run: Any) -> None:
    """Let go of a run that went wrong, and of W&B's service: whatever is left of them would print a traceback when the
    program ends."""
    wandb = _imported()
    for end in (run.finish, wandb.teardown):
        try:
            end(exit_code=1)
        except faults() as error:
            log.debug("W&B did not end the run: %s", reason(error))


def api() -> Any:
    """W&B's public API, for what others have logged.

    Raises:
        UserError: W&B is set offline, or there is no key.
    """
    if mode() != "online":
        raise UserError(f"W&B is {mode()}, so that nothing can be fetched from it: unset WANDB_MODE.")
    wandb = _imported()
    try:
        if not wandb.login(prompt=False, verify=False):
            raise UserError("Nothing can be fetched from W&B without a key: set WANDB_API_KEY.")
        return wandb.Api(overrides={"project": project()}, timeout=_API_S)
    except faults() as error:
        raise unreachable(error) from error


def unreachable(error: Exception) -> UserError:
    """The sentence for whoever asked for something of W&B's."""
    return UserError(f"W&B did not give it ({reason(error)}): check the name, the key and the network.")


def _imported() -> Any:
    os.environ.setdefault("WANDB_SILENT", "true")  # stdout is for results
    os.environ.setdefault("WANDB_ERROR_REPORTING", "false")  # to its makers, not to whom the user logs to
    import wandb

    return wandb


def _started(wandb: Any, job_type: str, config: Mapping[str, Any], group: str | None, mode: str) -> Any:
    run_id = secrets.token_hex(4)
    waits = {"init_timeout": _INIT_S, "finish_timeout": _FINISH_S}
    settings = wandb.Settings(
        console="off", finish_timeout_raises=True, disable_code=True, disable_git=True, x_disable_stats=True,
        **{name: wait for name, wait in waits.items() if f"WANDB_{name.upper()}" not in os.environ},
    )  # fmt: skip
    # Online W&B thinks of a name; an offline run would have none to go by.
    name = os.environ.get("WANDB_NAME") or (f"{job_type}-{run_id}" if mode == "offline" else None)
    return wandb.init(
        id=run_id, name=name, project=project(), job_type=job_type, mode=mode, settings=settings, reinit="create_new",
        group=os.environ.get("WANDB_RUN_GROUP") or group, config=json.loads(json.dumps(config, default=str)),
    )  # fmt: skip
