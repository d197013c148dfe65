"""The networks that name moments at their published sizes: time and memory for a clip, and whether they learn.

python -m tests.bench.bench_recognize [--overfit] [NETWORK ...]
"""

from __future__ import annotations

import resource
import subprocess
import sys
import time
from collections.abc import Callable

import torch
from torch.nn import functional

from core.recognize.networks import NAMES, architecture

CLIPS = 16
STEPS = 12


def main(names: list[str], overfit: bool) -> None:
    """Print a line for each network, each measured in a process of its own so that memory is its own."""
    for name in names:
        how = "--overfit-one" if overfit else "--one"
        subprocess.run([sys.executable, "-m", "tests.bench.bench_recognize", how, name], check=True)


def measure(name: str) -> None:
    """A forward pass of one clip, then a training step of one clip."""
    kind = architecture(name)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    network = kind.build(10, {}).to(device)
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-4)
    clip = torch.randn(1, kind.frames, 3, kind.size, kind.size, device=device)
    label = torch.zeros(1, dtype=torch.int64, device=device)

    def step() -> None:
        optimizer.zero_grad()
        torch.autograd.backward(functional.cross_entropy(network(clip), label))
        optimizer.step()

    network.eval()
    with torch.inference_mode():
        forward_s, forward_mb = _fastest(lambda: network(clip)), _peak_mb()
    network.train()
    step_s, step_mb = _fastest(step), _peak_mb()
    weights = sum(weight.numel() for weight in network.parameters()) / 1e6
    print(
        f"{kind.title} ({weights:.1f} M weights, {kind.frames} frames of {kind.size} px, {device}): "
        f"forward {1000 * forward_s:.0f} ms, peak {forward_mb:.0f} MB; "
        f"step {1000 * step_s:.0f} ms, peak {step_mb:.0f} MB",
        flush=True,
    )


def learn(name: str) -> None:
    """Learn clips of noise with random names by heart, from random weights."""
    torch.manual_seed(0)
    kind = architecture(name)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    network = kind.build(2, {}).to(device)
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-4)
    labels = torch.arange(CLIPS, device=device) % 2
    clips = torch.randn(CLIPS, kind.frames, 3, kind.size, kind.size, device=device)
    clips += labels.view(-1, 1, 1, 1, 1) * 0.5  # what has to be seen is the brightness
    for step in range(1, STEPS + 1):
        optimizer.zero_grad()
        said = []
        for clip, label in zip(clips.chunk(4), labels.chunk(4), strict=True):
            logits = network(clip)
            torch.autograd.backward(functional.cross_entropy(logits, label) * len(label) / CLIPS)
            said.append(logits.argmax(1))
        optimizer.step()
        right = int((torch.cat(said) == labels).sum())
        print(f"{kind.title}: {right} of {CLIPS} clips right before step {step}", flush=True)
        if right == CLIPS:
            return


def _fastest(work: Callable[[], object]) -> float:
    took = []
    for _ in range(4):
        begun = time.perf_counter()
        work()
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        took.append(time.perf_counter() - begun)
    return min(took)


def _peak_mb() -> float:
    """Of the card's memory, or of the process."""
    if torch.cuda.is_available():
        return torch.cuda.max_memory_allocated() / 1e6
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    flags = {argument for argument in sys.argv[1:] if argument.startswith("--")}
    chosen = [argument for argument in sys.argv[1:] if not argument.startswith("--")] or list(NAMES)
    if "--one" in flags:
        measure(chosen[0])
    elif "--overfit-one" in flags:
        learn(chosen[0])
    else:
        main(chosen, "--overfit" in flags)
