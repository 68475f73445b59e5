"""Pairs that stand twice are found wherever they stand; what is not in groups is named, to be looked at again."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from nextbasket.ingest.repeats import Numbers, has_repeats, repeats_in_groups

PAIRS = st.lists(st.tuples(st.integers(-3, 4), st.integers(-2, 5)), max_size=30)


def batches_of(pairs: Sequence[tuple[int, int]], sizes: Sequence[int]) -> list[tuple[Numbers, Numbers]]:
    first, second = np.array([*pairs, (0, 0)], np.int64)[:-1].T
    ends = [*np.minimum(np.cumsum([0, *sizes]), len(pairs)), len(pairs)]
    return [(first[start:end], second[start:end]) for start, end in pairwise(ends)]


@settings(deadline=None)
@given(pairs=PAIRS, sizes=st.lists(st.integers(0, 6), max_size=8), grouped=st.booleans())
@example(pairs=[(1, 1), (1, 2), (1, 1)], sizes=[1, 1], grouped=True)
@example(pairs=[(1, 1), (2, 1), (3, 1), (2, 1)], sizes=[3], grouped=False)
def test_a_repeat_is_found_or_its_first_number_is_scattered(
    pairs: list[tuple[int, int]], sizes: list[int], grouped: bool
) -> None:
    if grouped:
        pairs = sorted(pairs, key=lambda pair: pair[0])
    repeated = {pair[0] for pair in pairs if pairs.count(pair) > 1}
    batches = batches_of(pairs, sizes)
    seen = repeats_in_groups(batches, -2, 8)
    assert seen is not None
    assert bool(repeated) if seen.repeated else repeated <= set(seen.scattered.tolist())
    if grouped and not sizes:
        assert seen.repeated is bool(repeated)
        assert not len(seen.scattered)
    assert has_repeats(first * 8 + second for first, second in batches) is bool(repeated)


@settings(deadline=None)
@given(turn=st.permutations(range(5)), sizes=st.lists(st.integers(1, 9), min_size=4, max_size=4))
def test_only_groups_cut_by_a_batch_are_scattered(turn: list[int], sizes: list[int]) -> None:
    pairs = [(order, product) for order in range(7) for product in range(4)]
    batches = batches_of(pairs, sizes)
    seen = repeats_in_groups([batches[place] for place in turn], 0, 4)
    cut = {pairs[end][0] for end in np.cumsum(sizes) if end < len(pairs) and pairs[end - 1][0] == pairs[end][0]}
    assert seen is not None
    assert not seen.repeated
    assert set(seen.scattered.tolist()) == cut


@pytest.mark.parametrize("place", [0, 7, 65_535, 999_990])
def test_one_line_that_stands_twice_in_a_million_is_found(place: int) -> None:
    orders, products = np.divmod(np.arange(1_000_000, dtype=np.int64), 10)
    products[place + 1] = products[place]
    seen = repeats_in_groups([(orders[:500_000], products[:500_000]), (orders[500_000:], products[500_000:])], 0, 10)
    assert seen is not None
    assert seen.repeated


def test_numbers_too_far_apart_to_be_packed_are_left_to_another_way() -> None:
    far = np.array([0, 2**61], np.int64)
    assert repeats_in_groups([(np.array([5, 6], np.int64), far)], 0, 2**61 + 1) is None
