"""Too little memory for a network is the user's to mend, with a smaller batch or a shorter stretch."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from core.errors import UserError


@contextmanager
def out_of_memory(batch: int) -> Iterator[None]:
    """Within, a lack of memory becomes a UserError that speaks of ``batch``, the clips at a time."""
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        if not lacks_memory(error):
            raise
        smaller = f"a batch smaller than {batch}" if batch > 1 else "a smaller network, size or number of frames"
        raise UserError(f"There is too little memory for {batch} clips at a time: choose {smaller}.") from error


def lacks_memory(error: Exception) -> bool:
    """Whether it says that there is too little memory."""
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    # On the processor it is a plain RuntimeError of the allocator's.
    return type(error) is RuntimeError and "DefaultCPUAllocator" in str(error)
