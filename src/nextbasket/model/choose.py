"""Choose each shopper's basket: the number of best candidates whose expected F1 is highest, or none at all.

Given independent probabilities, the best basket of k products is the k most probable ones, and the expected F1 of
every k follows by dynamic programming in O(n²) (Ye, Chai, Lee, Chieu: Optimizing F-Measures, ICML 2012, algorithm 1).
An empty basket stands for the competition's "None": its expected F1 is the chance that nothing is bought again.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

EXACT = 64
"""Up to so many candidates the expectation is exact; of more, those after the best 64 enter by their sum's mean and
variance, and no basket is larger. tests/model/test_choose.py measures what that costs."""

_WIDTHS = (4, 8, 12, 16, 24, 32, 48, EXACT)
_CELLS = 1_500_000


@dataclass(frozen=True, slots=True)
class Baskets:
    """Per shopper the number of best candidates to take (0: "None") and the expected F1 of that choice."""

    sizes: npt.NDArray[np.int64]
    expected_f1: Floats


def choose_baskets(probabilities: npt.NDArray[np.floating], starts: npt.NDArray[np.int64]) -> Baskets:
    """Choose for many shoppers at once.

    ``probabilities`` [n] must be sorted within each shopper, best first; ``starts`` [shoppers + 1] are the borders.
    """
    counts = np.diff(starts)
    sizes = np.zeros(counts.size, dtype=np.int64)
    expected = np.ones(counts.size)
    values = probabilities.astype(np.float64)
    sums = np.append(0.0, np.cumsum(values))
    spreads = np.append(0.0, np.cumsum(values * (1 - values)))
    smaller = 0
    for width in _WIDTHS:
        last = width == EXACT
        members = np.flatnonzero((counts > smaller) if last else (counts > smaller) & (counts <= width))
        smaller = width
        step = max(1, _CELLS // (width * width))
        for first in range(0, members.size, step):
            some = members[first : first + step]
            index = starts[some][:, None] + np.arange(width)
            inside = np.arange(width) < counts[some][:, None]
            table = np.where(inside, values[np.minimum(index, values.size - 1)], 0.0)
            cut = np.minimum(starts[some] + width, starts[some + 1])
            rest = sums[starts[some + 1]] - sums[cut]
            spread = spreads[starts[some + 1]] - spreads[cut]
            sizes[some], expected[some] = _best(table, rest, spread)
    return Baskets(sizes, expected)


def chosen_rows(
    probabilities: npt.NDArray[np.floating], starts: npt.NDArray[np.int64], places: npt.NDArray[np.int64]
) -> npt.NDArray[np.bool_]:
    """Mark the rows of the chosen baskets; ``places`` [n] is each row's place among its shopper's, 0 is best."""
    owners = np.repeat(np.arange(starts.size - 1), np.diff(starts))
    ordered = np.empty(probabilities.size, dtype=np.float64)
    ordered[starts[:-1][owners] + places] = probabilities
    return places < choose_baskets(ordered, starts).sizes[owners]


def _best(p: Floats, rest: Floats, spread: Floats) -> tuple[npt.NDArray[np.int64], Floats]:
    """Return the best size and its expected F1 for [shoppers, width] sorted probabilities, padded with 0."""
    shoppers, width = p.shape
    # hits[k][:, j]: the chance that j of the k best are bought.
    hits = np.zeros((width + 1, shoppers, width + 1))
    hits[0, :, 0] = 1.0
    for k in range(1, width + 1):
        chance = p[:, k - 1, None]
        hits[k] = hits[k - 1] * (1 - chance)
        hits[k, :, 1:] += hits[k - 1, :, :-1] * chance
    # over[:, a]: the mean of 1 / (a + bought among the candidates after the k best), for a from 0 to 2k.
    a = np.arange(1, 2 * width + 1) + rest[:, None]
    over = np.zeros((shoppers, 2 * width + 1))
    over[:, 1:] = (1 + spread[:, None] / (a * a)) / a
    value = np.empty((shoppers, width + 1))
    counts = np.arange(width + 1, dtype=np.float64)
    # padded rows have chance 0: there the number of hits cannot grow, a larger k only costs.
    for k in range(width, 0, -1):
        value[:, k] = 2 * np.einsum("sj,sj,j->s", hits[k, :, 1 : k + 1], over[:, k + 1 : 2 * k + 1], counts[1 : k + 1])
        chance = p[:, k - 1, None]
        over = over[:, :-1] * (1 - chance) + over[:, 1:] * chance
    # "None" is right when nothing is bought; the chance after the table's width is that of the mean (Poisson).
    value[:, 0] = np.prod(1 - p, axis=1) * np.exp(-rest)
    # The smallest of equally good baskets: argmax takes the first.
    sizes = np.argmax(value, axis=1)
    return sizes.astype(np.int64), value[np.arange(shoppers), sizes]
