"""How long it takes the endpoint to answer many at once: ``python -m tests.bench.bench_serve [requests]``.

A light recognizer names drawn clips of a second, each sent on its own; every answer is compared with the recognizer's
own.
"""

from __future__ import annotations

import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from core.recognize.light.recognizer import fit_light
from core.serve.limits import Limits
from core.serve.service import open_each
from core.workspace import Workspace
from tests.moments import dataset_of
from tests.serving import post, serving

_CLIPS = 4
"""Of each of two classes."""


def main(requests: int = 50) -> None:
    """Measure and print."""
    limits = Limits()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        data = dataset_of(folder, each=_CLIPS, length=25)
        with Workspace.open(folder / "home") as workspace:
            recognizer = fit_light(data.samples, workspace)
            expected = recognizer.predict(data.samples, workspace)
            recognizer.save(folder / "recognizer")
        asked = [number % len(data.samples) for number in range(requests)]
        with serving(lambda spaces: open_each(folder / "recognizer", spaces)) as (client, _):
            client.timeout = 3600
            begun = time.perf_counter()
            post(client, data.samples[0].path)
            first_s = time.perf_counter() - begun
            begun = time.perf_counter()
            with ThreadPoolExecutor(requests) as pool:
                answers = list(pool.map(lambda number: post(client, data.samples[number].path), asked))
            all_s = time.perf_counter() - begun
    named = [(number, answer.json()) for number, answer in zip(asked, answers, strict=True) if answer.is_success]
    right = sum(np.allclose([*said["probabilities"].values()], expected[number], atol=1e-6) for number, said in named)
    refused = sum(answer.status_code == 503 for answer in answers)
    print(f"the first request, which loads the network: {first_s:.1f} s")
    print(
        f"{requests} at once, {limits.at_once} worked on at a time: {all_s:.1f} s, {requests / all_s:.1f} a second; "
        f"{right} answered right, {refused} turned away for a full line, {requests - right - refused} lost"
    )


if __name__ == "__main__":
    main(*map(int, sys.argv[1:2]))
