"""What the server takes upon itself."""

from __future__ import annotations

from pydantic import Field

from core.settings import Settings


class Limits(Settings):
    """How much of everything there may be at most."""

    max_mb: float = Field(500.0, gt=0)
    """Of a request, in millions of bytes."""
    timeout_s: float = Field(300.0, gt=0)
    """Work on a request; what it waits for its turn does not count."""
    at_once: int = Field(2, ge=1, le=64)
    """Requests that are worked on. Each uses all cores where it can, so that more are hardly faster."""
    waiting: int = Field(100, ge=0)
    """Requests that may wait for their turn beside those."""

    @property
    def max_bytes(self) -> int:
        """Of a request."""
        return round(self.max_mb * 1e6)
