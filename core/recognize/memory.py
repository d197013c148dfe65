"""Too little memory for a network is the user's to mend, with a smaller batch."""

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
    except (MemoryError, torch.OutOfMemoryError, RuntimeError) as error:
        # On the processor it is a plain RuntimeError of the allocator's.
        if type(error) is RuntimeError and "DefaultCPUAllocator" not in str(error):
            raise
        if not isinstance(error, MemoryError | torch.OutOfMemoryError) and type(error) is not RuntimeError:
            raise
        smaller = f"a batch smaller than {batch}" if batch > 1 else "a smaller network, size or number of frames"
        raise UserError(f"There is too little memory for {batch} clips at a time: choose {smaller}.") from error
