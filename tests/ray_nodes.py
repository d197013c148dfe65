"""A Ray cluster of real processes on this machine: a head that does no work, and nodes of one core each."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ray.cluster_utils import Cluster

_MEMORY = 80 << 20


class Nodes:
    """The nodes of a cluster, each on a core of its own as far as there are some."""

    def __init__(self) -> None:
        self._cluster = Cluster(
            initialize_head=True,
            head_node_args={"num_cpus": 0, "include_dashboard": False, "object_store_memory": _MEMORY},
        )
        self.address: str = self._cluster.address
        self.running: list[Any] = []
        self._started = 0

    def add(self) -> None:
        """One more node."""
        mine = os.sched_getaffinity(0)
        core = sorted(mine)[self._started % len(mine)]
        self._started += 1
        os.sched_setaffinity(0, {core})  # for its processes to inherit
        try:
            self.running.append(self._cluster.add_node(num_cpus=1, object_store_memory=_MEMORY))
        finally:
            os.sched_setaffinity(0, mine)

    def kill(self, number: int) -> None:
        """A node's machine goes dark: SIGKILL, for the node and so for all that it does."""
        self._cluster.remove_node(self.running.pop(number), allow_graceful=False)

    def end(self) -> None:
        self._cluster.shutdown()


@contextmanager
def ray_nodes(count: int) -> Iterator[Nodes]:
    """A cluster of so many nodes."""
    nodes = Nodes()
    try:
        for _ in range(count):
            nodes.add()
        yield nodes
    finally:
        nodes.end()
