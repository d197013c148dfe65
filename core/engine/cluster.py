"""Work on a Ray cluster, on each of whose machines Trickline is installed, and all of which see the workspace and the
footage under the same paths.

    ray start --head                                     # on one machine; on the others: ray start --address HOST:6379
    trickline run /mnt/footage --cluster auto            # on any of them

Ray places the work and notices dead processes and machines; what to do about it is decided here, so that a machine that
went away costs nothing but time, and a file that kills whatever opens it does not go round for ever.
"""

from __future__ import annotations

import logging
import math
import os
import pickle
import secrets
import socket
import threading
import time
from collections import defaultdict
from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from core.cores import VARIABLE
from core.engine import CRASHED, DROPPED, Cancel, Done, More, Outcome, Progress, Work, perform
from core.engine.waiting import Waiting
from core.errors import Cancelled, UserError

AUTO = "auto"
_DEATHS = 10
"""So often work is begun again whose process died: most deaths are those of machines, which are nobody's fault."""
_POLL_S = 0.25
_REPORT_S = 1.0
_ANSWER_S = 5.0
_STOP_S = 15.0
_AHEAD = 4
"""So many pieces for each slot are with Ray at a time: it is never idle, and never holds ten thousand."""
_HANDED_ON = (
    *("TRICKLINE_HOME", "TRICKLINE_DB", "TRICKLINE_USER"),
    *("WANDB_PROJECT", "WANDB_ENTITY", "WANDB_MODE"),
)
"""What the processes of a cluster learn from the environment here. W&B's key is not among it: Ray writes it down."""

log = logging.getLogger(__name__)
_lock = threading.Lock()
_engine: RayEngine | None = None
"""Ray knows one connection a process: threads share it."""
_users = 0


@contextmanager
def connected(address: str) -> Iterator[RayEngine]:
    """The engine of a cluster. Threads that are connected at the same time get the same one.

    Args:
        address: ``auto``, or host and port of its head. This machine has to be one of its nodes.

    Raises:
        UserError: Ray is not installed, or no cluster answers there.
    """
    global _engine, _users
    try:
        import ray
    except ImportError as error:
        raise UserError("A cluster needs Ray, which is not installed: run pip install 'ray~=2.60'.") from error
    if address != AUTO:
        _check_answers(address)
    with _lock:
        if not ray.is_initialized():
            try:
                ray.init(address, namespace="trickline", log_to_driver=False, logging_level=logging.ERROR)
            except (ConnectionError, RuntimeError, ValueError, OSError) as error:
                where = "on this machine" if address == AUTO else f"at {address} that this machine is part of"
                reason = " ".join(str(error).split())[:200]
                raise UserError(
                    f"There is no Ray cluster {where} ({reason}): run ray start --head here, or ray start --address "
                    "HOST:PORT to join one, or leave out the cluster."
                ) from error
            if _hosts() > 1 and not os.environ.get("TRICKLINE_DB", "").startswith("postgresql"):
                log.warning("SQLite works on one machine only: let TRICKLINE_DB name a PostgreSQL for several.")
        engine = _engine = _engine or RayEngine()
        _users += 1
    try:
        yield engine
    finally:
        with _lock:
            _users -= 1
            if not _users:
                _engine = None
                ray.shutdown()


def slots_now() -> int:
    """The slots of the cluster that this process is connected to, as last seen; 0 if it is connected to none."""
    engine = _engine
    return max(1, engine.cores) if engine else 0


class RayEngine:
    """The machines of a cluster; see :func:`connected`."""

    def __init__(self) -> None:
        self.cores = 0
        """Of the machines that were there when they were last counted."""
        self._counted_at = -math.inf
        self._somebody = True
        self._board = _board()

    @property
    def slots(self) -> int:
        """The cores of the machines that are there, counted at most once a second."""
        import ray

        now = time.monotonic()
        if now - self._counted_at >= _REPORT_S:
            self.cores = int(ray.cluster_resources().get("CPU", 0))
            self._counted_at = now  # not before: another thread would take the number for counted
        return max(1, self.cores)

    def run(
        self,
        works: Iterable[Work],
        more: More | None = None,
        progress: Progress | None = None,
        cancelled: Cancel | None = None,
    ) -> Generator[Done]:
        """See :meth:`core.engine.Engine.run`."""
        import ray

        waiting = Waiting(works, more)
        running: dict[Any, tuple[Work, int]] = {}
        run, board = secrets.token_hex(8), self._board
        begin = ray.remote(_begin)
        told_at = 0.0
        try:
            cards = ray.cluster_resources().get("GPU", 0) > 0
            while waiting or running:
                if cancelled and cancelled():
                    raise Cancelled
                while len(running) < _AHEAD * self.slots and (next_one := waiting.take()):
                    work, attempt = next_one
                    if work.unwanted and work.unwanted():
                        yield waiting.end(work, DROPPED, attempt)
                        continue
                    placed = begin.options(num_cpus=work.cpus, num_gpus=work.gpus if cards else 0, max_retries=0)
                    pickled = pickle.dumps((work.function, work.arguments))
                    running[placed.remote(pickled, _environment(work), board, run, work.id)] = work, attempt
                ready = _ready(list(running))
                if time.monotonic() - told_at >= _REPORT_S:
                    told_at = time.monotonic()
                    self._say_if_nobody_is_there()
                    if progress:
                        _tell(progress, ray.get(board.read.remote(run)), running)
                for ref in ready:
                    work, attempt = running.pop(ref)
                    outcome = _outcome(ref, work, attempt)
                    if outcome is None:
                        waiting.again(work, attempt + 1)
                    elif outcome[0] == "away":
                        waiting.after_pause(work, attempt, outcome[1])
                    else:
                        yield waiting.end(work, outcome, attempt)
        except ray.exceptions.RayError as error:
            reason = str(error).partition("\n")[0]
            raise UserError(
                f"The cluster is gone ({reason}): begin again once it is back; what was done stays."
            ) from error
        finally:
            _stop(board, run, list(running))

    def _say_if_nobody_is_there(self) -> None:
        somebody, self._somebody = self._somebody, self.cores >= 1
        if somebody and not self._somebody:
            log.warning("No machine of the cluster is there: Trickline waits for one.")


def _ready(running: list[Any]) -> list[Any]:
    """What has ended; after a moment nothing."""
    import ray

    if not running:
        time.sleep(_POLL_S)
        return []
    ready, _ = ray.wait(running, num_returns=len(running), timeout=0)
    return ready or ray.wait(running, timeout=_POLL_S)[0]


def _tell(progress: Progress, said: dict[str, tuple[str, float]], running: dict[Any, tuple[Work, int]]) -> None:
    for work, _ in running.values():
        if work.id in said:
            progress(work, *said[work.id])


def _stop(board: Any, run: str, running: list[Any]) -> None:
    """End what still runs of a run, asking first; the cluster may be gone."""
    import ray

    with suppress(ray.exceptions.RayError):
        if running:
            ray.get(board.stop.remote(run), timeout=_ANSWER_S)
            _, running = ray.wait(running, num_returns=len(running), timeout=_STOP_S)
    with suppress(ray.exceptions.RayError):
        for ref in running:
            ray.cancel(ref, force=True)
        board.forget.remote(run)


class Board:
    """What the pieces of work of each run say of themselves, and whether they are to stop."""

    def __init__(self) -> None:
        self._said: defaultdict[str, dict[str, tuple[str, float]]] = defaultdict(dict)
        self._stopped: set[str] = set()

    def say(self, run: str, work_id: str, step: str, fraction: float) -> None:
        """How far a piece is."""
        self._said[run][work_id] = step, fraction

    def read(self, run: str) -> dict[str, tuple[str, float]]:
        """What was said since the last reading."""
        return self._said.pop(run, {})

    def stop(self, run: str) -> None:
        """Let all pieces of a run stop."""
        self._stopped.add(run)

    def stopped(self, run: str) -> bool:
        """Whether to stop."""
        return run in self._stopped

    def forget(self, run: str) -> None:
        """A run is over."""
        self._said.pop(run, None)
        self._stopped.discard(run)


class _Report:
    """See :class:`core.tasks.Report`."""

    def __init__(self, board: Any, run: str, work_id: str) -> None:
        self._board, self._run, self._work_id = board, run, work_id
        self._step, self._said_at, self._asked_at, self._stopped = "", 0.0, time.monotonic(), False

    def progress(self, step: str, fraction: float, frames_done: int | None = None) -> None:
        now = time.monotonic()
        if step != self._step or now - self._said_at >= _REPORT_S:
            self._step, self._said_at = step, now
            self._board.say.remote(self._run, self._work_id, step, fraction)

    def cancelled(self) -> bool:
        import ray

        now = time.monotonic()
        if now - self._asked_at >= _REPORT_S:
            self._asked_at = now
            self._stopped = bool(ray.get(self._board.stopped.remote(self._run)))
        return self._stopped


def _begin(pickled: bytes, environment: dict[str, str], board: Any, run: str, work_id: str) -> Outcome:
    """Runs on the cluster. What looks at the environment is imported by the unpickling, after it is told here."""
    os.environ.update(environment)
    function, arguments = pickle.loads(pickled)
    return perform(function, arguments, _Report(board, run, work_id))


def _outcome(ref: Any, work: Work, attempt: int) -> Outcome | None:
    """What a piece of work said at its end; None if it died and has to begin again.

    Raises:
        RayError: this machine is no longer part of the cluster.
    """
    import ray

    try:
        outcome: Outcome = ray.get(ref)
    except ray.exceptions.RayTaskError as error:  # it could not even begin: that machine has another Trickline, or none
        return "fault", str(error)
    except ray.exceptions.LocalRayletDiedError:  # that of this machine: nothing can begin again, wherever it would run
        raise
    except ray.exceptions.RayError as error:
        log.warning("%s is begun again, for what did it went away: %s", work.id, str(error).partition("\n")[0])
        return ("failed", CRASHED) if attempt >= _DEATHS else None
    return outcome


def _board() -> Any:
    """A board on this very machine: as long as somebody reads it, it is there."""
    import ray
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
    return ray.remote(Board).options(num_cpus=0, scheduling_strategy=here).remote()


def _hosts() -> int:
    import ray

    return len({node["NodeManagerHostname"] for node in ray.nodes() if node["Alive"]})


def _environment(work: Work) -> dict[str, str]:
    handed_on = {name: os.environ[name] for name in _HANDED_ON if os.environ.get(name)}
    return {**handed_on, VARIABLE: str(max(1, math.ceil(work.cpus)))}


def _check_answers(address: str) -> None:
    """Ray itself waits for a minute before it says that nobody is there."""
    host, _, port = address.rpartition(":")
    if not host or not port.isdecimal():
        raise UserError(f"{address[:60]!r} is no address of a cluster: give host and port, such as 10.0.0.7:6379.")
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=_ANSWER_S).close()
    except (OSError, OverflowError) as error:
        raise UserError(f"No Ray cluster answers at {address}: check the address, and that ray runs there.") from error
