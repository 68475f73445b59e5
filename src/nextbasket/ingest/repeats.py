"""Whether a pair of numbers stands twice among millions: exact, and fastest where they come in groups, as lines do."""

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

Numbers: TypeAlias = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Seen:
    """What one look at all pairs shows: ``repeated``, or which first numbers must be looked at again.

    The pairs of ``scattered`` first numbers do not stand together; each of them is there once.
    """

    repeated: bool
    scattered: Numbers


def repeats_in_groups(batches: Iterable[tuple[Numbers, Numbers]], least: int, span: int) -> Seen | None:
    """Look for equal pairs among those of one first number that stand together, batch by batch.

    The second numbers lie in ``least`` to ``least + span - 1``. Returns None where they lie too far apart for this.
    """
    nothing = np.empty(0, np.int64)
    heads = [nothing]
    for first, second in batches:
        changes = np.flatnonzero(first[1:] != first[:-1]) + 1
        lengths = np.diff(changes, prepend=0, append=len(first))
        if len(lengths) * span >= 2**62:
            return None
        pairs = np.repeat(np.arange(len(lengths), dtype=np.int64), lengths)
        pairs *= span
        pairs += second - least
        # They are nearly sorted already, which the stable sort makes use of.
        pairs.sort(kind="stable")
        if (pairs[1:] == pairs[:-1]).any():
            return Seen(True, nothing)
        heads.append(first[np.concatenate([[0], changes])] if len(first) else nothing)
    groups = np.concatenate(heads)
    groups.sort()
    return Seen(False, np.unique(groups[1:][groups[1:] == groups[:-1]]))


def has_repeats(batches: Iterable[Numbers]) -> bool:
    """Say whether two of the numbers are equal; holds up to 16 bytes for each number."""
    halves: tuple[list[Numbers], list[Numbers]] = ([], [])
    for numbers in batches:
        odd = (numbers & 1).astype(bool)
        halves[0].append(numbers[~odd])
        halves[1].append(numbers[odd])
    # Even and odd numbers are sorted apart, on two threads.
    with ThreadPoolExecutor(len(halves)) as threads:
        return any(threads.map(_repeats_when_sorted, iter(halves)))


def _repeats_when_sorted(parts: list[Numbers]) -> bool:
    numbers = np.concatenate(parts) if parts else np.empty(0, np.int64)
    parts.clear()
    numbers.sort()
    return bool((numbers[1:] == numbers[:-1]).any())
