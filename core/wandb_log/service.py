"""W&B itself: who we are to it, whether it can be reached, and what it raises. It is imported only where it is used,
for that takes more than a second."""

from __future__ import annotations

import json
import logging
import os
import secrets
import threading
import time
from collections.abc import Callable, Mapping
from functools import cache, partial
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
_LET_GO_S = 10.0
"""For a run that went wrong to end by itself, seconds."""
_AGAIN_S = 600.0
"""Until W&B is tried again after it could not be reached, seconds: of a day's hundred videos each would wait as long
for it as the first."""
_API_S = 20
_STALLED_S = 30.0
"""For the next bytes of a file that is fetched, seconds."""
_TRIES = 2
"""More of them after the first: W&B's own take twenty minutes."""
_SILENT_S = 2.0
_HARMLESS = {"entity", "project", "mode"}
"""What the file ``wandb/settings`` of the working folder may say, for W&B would obey all of it."""

_away: tuple[float, str] | None = None
"""When W&B is tried again, by :func:`time.monotonic`, and why it could not be reached."""


def read_dotenv(folder: Path | None = None) -> None:
    """Take what the environment lacks from the ``.env`` file of the working folder, if there is one."""
    from dotenv import dotenv_values

    file = (folder or Path()) / ".env"
    try:
        # A pipe of that name would be waited for. Editors of Windows begin the file with a byte order mark.
        kept = dotenv_values(file, interpolate=False, encoding="utf-8-sig") if file.is_file() else {}
    except (OSError, UnicodeDecodeError):
        log.warning("The file .env cannot be read and is passed over.")
        return
    for name in NAMES:
        value = (os.environ.get(name) or kept.get(name) or "").strip()  # a secret from a file often ends with its line
        if value and "\0" not in value:
            os.environ[name] = value


def mode() -> str:
    """``online``, ``offline`` or ``disabled``, as ``WANDB_MODE`` says."""
    return _mode(os.environ.get("WANDB_MODE", ""))


def _mode(said: str) -> str:
    known = {"offline": "offline", "dryrun": "offline", "disabled": "disabled"}
    return known.get(said.strip().lower(), "online")


def project() -> str:
    """The project to log to."""
    return os.environ.get("WANDB_PROJECT") or PROJECT


@cache
def faults() -> tuple[type[Exception], ...]:
    """What W&B raises when it cannot be used: no key, no network, no room, its service gone. Its own base class covers
    little of it."""
    import wandb
    from wandb.sdk.lib import asyncio_manager as manager
    from wandb.sdk.lib.service.service_connection import WandbApiFailedError, WandbAttachFailedError
    from wandb.sdk.lib.service.service_token import WandbServiceConnectionError
    from wandb.sdk.mailbox.mailbox import MailboxClosedError
    from wandb.sdk.mailbox.mailbox_handle import HandleAbandonedError, ServerResponseError

    service = (WandbApiFailedError, WandbAttachFailedError, WandbServiceConnectionError)
    within = (MailboxClosedError, HandleAbandonedError, manager.AlreadyJoinedError, manager.RunCancelledError)
    usual = (OSError, RuntimeError, ValueError, TypeError, AttributeError, LookupError, AssertionError, EOFError)
    return (wandb.Error, ServerResponseError, *service, *within, *usual)


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
    wandb, began = _imported(), time.monotonic()
    try:
        if wanted == "online":
            wanted = _mode_here(wandb)
        if wanted == "disabled":
            return None
        if wanted == "online":
            _check_away()
            if not wandb.login(prompt=False, verify=False):
                raise wandb.UsageError("there is no key: set WANDB_API_KEY")
            return _started(wandb, job_type, config, group, "online")
    except faults() as error:
        note_silence(error, began)
        warn(
            f"W&B cannot be reached ({reason(error)}): the run is kept in the folder wandb, and wandb sync sends it "
            "later."
        )
    try:
        return _started(wandb, job_type, config, group, "offline")
    except faults() as error:
        warn(f"W&B cannot be used ({reason(error)}): nothing is logged to it.")
        return None


def note_silence(error: Exception, began: float) -> None:
    """Where W&B did not answer, and it took long to learn that, runs of the next minutes are kept offline at once.

    Args:
        began: when it was asked, by :func:`time.monotonic`.
    """
    global _away
    import wandb
    from wandb.sdk.artifacts.exceptions import WaitTimeoutError
    from wandb.sdk.lib.service.service_connection import WandbApiFailedError

    silent = isinstance(error, (TimeoutError, WaitTimeoutError, WandbApiFailedError, wandb.errors.CommError))
    if silent and time.monotonic() - began > _SILENT_S:
        _away = (time.monotonic() + _AGAIN_S, reason(error))


def end(run: Any, exit_code: int, limit_s: float | None) -> None:
    """End a run and send what is left.

    Args:
        limit_s: seconds for that; None waits as long as W&B does.

    Raises:
        TimeoutError: not all was sent by then. It stays in the run's folder.
    """
    # W&B's own limit is set when a run begins, before anybody knows how much there will be to send.
    thread = _within(limit_s, partial(run.finish, exit_code=exit_code))
    if thread:
        _stop_service()
        thread.join(_LET_GO_S)
        raise TimeoutError(f"not all was sent within {limit_s:.0f} s")


def abandon(run: Any) -> None:
    """Let go of a run that went wrong, and of W&B's service: whatever is left of them would print a traceback when the
    program ends."""
    wandb = _imported()
    for let_go in (lambda: end(run, 1, _LET_GO_S), lambda: wandb.teardown(exit_code=1)):
        try:
            let_go()
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
        if _mode_here(wandb) != "online":
            raise UserError("W&B is offline in this folder, so that nothing can be fetched from it: run wandb online.")
        if not wandb.login(prompt=False, verify=False):
            raise UserError("Nothing can be fetched from W&B without a key: set WANDB_API_KEY.")
        return wandb.Api(overrides={"project": project()}, timeout=_API_S)
    except faults() as error:
        raise unreachable(error) from error


def files_of(artifact: Any) -> dict[str, Any]:
    """The entries of an artifact by their paths.

    Raises:
        One of :func:`faults`: they cannot be had, or do not come, for which W&B sets no limit.
    """
    if _within(_API_S + _STALLED_S, lambda: artifact.manifest):
        raise TimeoutError("its list of files does not come")
    entries: dict[str, Any] = artifact.manifest.entries
    return entries


def download(artifact: Any, entry: Any, folder: Path) -> Path:
    """Fetch a file of an artifact into ``folder``.

    Raises:
        One of :func:`faults`: it cannot be had, or nothing comes any more, which W&B itself would wait for without end.
    """
    session = artifact.manifest.storage_policy._session
    session.request = partial(session.request, timeout=(_API_S, _STALLED_S))
    for adapter in session.adapters.values():
        adapter.max_retries = adapter.max_retries.new(total=_TRIES)
    return Path(artifact.get_entry(entry.path).download(root=str(folder), skip_cache=True))


def unreachable(error: Exception) -> UserError:
    """The sentence for whoever asked for something of W&B's."""
    return UserError(f"W&B did not give it ({reason(error)}): check the name, the key and the network.")


def _imported() -> Any:
    os.environ.setdefault("WANDB_SILENT", "true")  # stdout is for results
    os.environ.setdefault("WANDB_ERROR_REPORTING", "false")  # to its makers, not to whom the user logs to
    import wandb

    return wandb


def _mode_here(wandb: Any) -> str:
    """How ``wandb offline`` and ``wandb online`` have set the working folder.

    Raises:
        wandb.Error: its settings would lead the key to somebody else: the server's address, a proxy, a certificate that
            is not looked at. They may have come with somebody's footage.
    """
    from wandb.sdk.lib.settings_file import SettingsFiles

    file = Path(wandb.Settings(root_dir=os.environ.get("WANDB_DIR") or ".").settings_workspace)
    said = SettingsFiles(global_settings=None, local_settings=file).all()
    more = sorted(set(said) - _HARMLESS)
    if more:
        raise wandb.UsageError(f"{file} says {', '.join(more)}, which is not believed: set it in the environment")
    return _mode("" if os.environ.get("WANDB_MODE") else said.get("mode", ""))


def _check_away() -> None:
    """Raises RuntimeError if W&B could not be reached a short time ago."""
    if _away is not None and time.monotonic() < _away[0]:
        raise RuntimeError(_away[1])


def _within(limit_s: float | None, work: Callable[[], Any]) -> threading.Thread | None:
    """Do what may wait for a network; a thread that is still at it after ``limit_s`` seconds is handed back.

    Raises:
        One of :func:`faults`: as the work does.
    """
    raised: list[Exception] = []

    def attempt() -> None:
        try:
            work()
        except faults() as error:
            raised.append(error)

    thread = threading.Thread(target=attempt, name="W&B", daemon=True)
    thread.start()
    thread.join(limit_s)
    if raised:
        raise raised[0]
    return thread if thread.is_alive() else None


def _stop_service() -> None:
    """Kill W&B's service if it is this process's own: it tries to send for hours, and knows no other end."""
    import wandb

    process = getattr(wandb.setup()._connection, "_proc", None)
    if process is not None:
        process._process.kill()


def _started(wandb: Any, job_type: str, config: Mapping[str, Any], group: str | None, mode: str) -> Any:
    run_id = secrets.token_hex(4)
    waits = {} if "WANDB_INIT_TIMEOUT" in os.environ else {"init_timeout": _INIT_S}
    settings = wandb.Settings(
        console="off", finish_timeout_raises=True, disable_code=True, disable_git=True, x_disable_stats=True, **waits,
    )  # fmt: skip
    # Online W&B thinks of a name; an offline run would have none to go by.
    name = os.environ.get("WANDB_NAME") or (f"{job_type}-{run_id}" if mode == "offline" else None)
    return wandb.init(
        id=run_id, name=name, project=project(), job_type=job_type, mode=mode, settings=settings, reinit="create_new",
        group=os.environ.get("WANDB_RUN_GROUP") or group, config=json.loads(json.dumps(config, default=str)),
    )  # fmt: skip
