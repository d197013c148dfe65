"""How many cores and how much memory this process may use, also in a container that is given less than the machine."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from pathlib import Path

VARIABLE = "TRICKLINE_CORES"
"""Set by whoever starts several processes beside each other, so that they do not all take every core."""

_MEMBERSHIP = Path("/proc/self/cgroup")
_CGROUPS = Path("/sys/fs/cgroup")
_MEMORY = Path("/proc/meminfo")


def cores() -> int:
    """``TRICKLINE_CORES``, or else the cores that the system leaves to this process; at least 1.

    A share of a core counts for one. Limits of control groups are those of Linux: ``cpu.max`` in version 2,
    ``cpu.cfs_quota_us`` in version 1, each in a group and in those above it (cgroups(7)).
    """
    told = os.environ.get(VARIABLE, "")
    if told.isdecimal() and int(told):
        return int(told)
    try:
        there = len(os.sched_getaffinity(0))
    except AttributeError:  # macOS knows no affinity
        there = os.cpu_count() or 1
    for group in _groups("cpu"):
        limit = _numbers(group / "cpu.max") or [
            *_numbers(group / "cpu.cfs_quota_us"),
            *_numbers(group / "cpu.cfs_period_us"),
        ]
        if len(limit) == 2:  # one is the period alone: there is no limit
            quota_us, period_us = limit
            there = min(there, math.ceil(quota_us / period_us))
    return max(1, there)


def free_memory() -> float:
    """Bytes that this process and those that it starts may take without swapping; infinite where that is not known.

    At most what the control group has in all (``memory.max``, or ``memory.limit_in_bytes`` in version 1).
    """
    try:
        lines = _MEMORY.read_text().splitlines()
    except OSError:  # not Linux
        return math.inf
    free = [int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:")]
    limits = [
        limit
        for group in _groups("memory")
        for limit in (*_numbers(group / "memory.max"), *_numbers(group / "memory.limit_in_bytes"))
    ]
    return min([*free, *limits], default=math.inf)


def _groups(controller: str) -> Iterator[Path]:
    """The control groups of this process for a controller, each with those above it, as far as they are seen here."""
    try:
        memberships = _MEMBERSHIP.read_text().splitlines()
    except OSError:
        return
    for membership in memberships:
        _, controllers, path = membership.split(":", 2)
        if controllers and controller not in controllers.split(","):
            continue
        top = _CGROUPS / controller if controllers else _CGROUPS  # version 2 has one tree for all
        own = top / path.strip("/")
        yield from (group for group in (own, *own.parents) if group.is_relative_to(top))


def _numbers(file: Path) -> list[int]:
    """The numbers in a file; none for "max" and -1, which say that there is no limit, or if the file is not there."""
    try:
        return [int(word) for word in file.read_text().split() if word.isdecimal()]
    except OSError:
        return []
