"""How long tasks say where they are: a callback that takes a message and a fraction of the work done."""

from collections.abc import Callable
from typing import TypeAlias

Progress: TypeAlias = Callable[[str, float | None], None]
"""Called with (message, fraction from 0 to 1, or None where the size of the work is unknown)."""


def silent(_message: str, _fraction: float | None) -> None:
    """Say nothing."""
