"""The chosen baskets have the highest expected F1: checked against every possible outcome, one by one."""

import itertools
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nextbasket.model.choose import EXACT, choose_baskets, chosen_rows


def expected_f1(p: list[float], k: int) -> float:
    """The expectation by its definition: over all 2^n outcomes."""
    total = 0.0
    for bought in itertools.product((0, 1), repeat=len(p)):
        chance = np.prod([q if hit else 1 - q for q, hit in zip(p, bought, strict=True)])
        truth, hits = sum(bought), sum(bought[:k])
        f1 = (1.0 if truth == 0 else 0.0) if k == 0 else 2 * hits / (k + truth)
        total += float(chance) * f1
    return total


@settings(max_examples=60, deadline=None)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=7))
def test_equals_every_outcome_counted(chances: list[float]) -> None:
    p = sorted(chances, reverse=True)
    found = choose_baskets(np.array(p), np.array([0, len(p)]))
    values = [expected_f1(p, k) for k in range(len(p) + 1)]
    assert found.expected_f1[0] == pytest.approx(max(values), abs=1e-9)
    assert values[int(found.sizes[0])] == pytest.approx(max(values), abs=1e-9)


def test_a_subset_other_than_the_most_probable_is_never_better() -> None:
    p = [0.9, 0.5, 0.3, 0.2]
    best = choose_baskets(np.array(p), np.array([0, 4])).expected_f1[0]
    for size in range(5):
        for subset in itertools.combinations(range(4), size):
            rest = [q for i, q in enumerate(p) if i not in subset]
            assert expected_f1([*(p[i] for i in subset), *rest], size) <= best + 1e-12


def test_nothing_likely_is_none_and_certain_products_are_taken() -> None:
    found = choose_baskets(np.array([0.01, 0.01, 1.0, 1.0, 0.0]), np.array([0, 2, 5]))
    assert found.sizes.tolist() == [0, 2]
    assert found.expected_f1.tolist() == pytest.approx([0.99**2, 1.0])


def test_many_shoppers_at_once_equal_one_at_a_time() -> None:
    generator = np.random.default_rng(1)
    sizes = generator.integers(1, 60, 200)
    starts = np.concatenate(([0], np.cumsum(sizes)))
    p = np.concatenate([np.sort(generator.beta(0.4, 3, size))[::-1] for size in sizes])
    together = choose_baskets(p, starts)
    for shopper in range(200):
        alone = choose_baskets(p[starts[shopper] : starts[shopper + 1]], np.array([0, sizes[shopper]]))
        assert together.sizes[shopper] == alone.sizes[0]
        assert together.expected_f1[shopper] == pytest.approx(alone.expected_f1[0])


def test_more_candidates_than_are_exact_cost_next_to_nothing() -> None:
    generator = np.random.default_rng(2)
    for _ in range(10):
        n = int(generator.integers(EXACT + 40, 400))
        p = np.sort(generator.beta(0.3, 3, n))[::-1]
        found = choose_baskets(p, np.array([0, n]))
        # independent reference: the hits of both halves by convolution
        values = [expected_by_convolution(p, k) for k in range(EXACT + 1)]
        assert found.expected_f1[0] == pytest.approx(max(values), abs=2e-4)
        assert values[int(found.sizes[0])] >= max(values) - 2e-4


def expected_by_convolution(p: np.ndarray, k: int) -> float:
    def hits(part: np.ndarray) -> np.ndarray:
        distribution = np.ones(1)
        for q in part:
            distribution = np.convolve(distribution, [1 - q, q])
        return distribution

    if k == 0:
        return float(np.prod(1 - p))
    inside, outside = hits(p[:k]), hits(p[k:])
    a, b = np.arange(inside.size)[:, None], np.arange(outside.size)
    return float((inside[:, None] * outside * 2 * a / (k + a + b)).sum())


def test_rows_in_any_order_are_marked() -> None:
    p = np.array([0.1, 0.9, 0.8, 0.02])
    places = np.array([1, 0, 0, 1])
    assert chosen_rows(p, np.array([0, 2, 4]), places).tolist() == [False, True, True, False]


def test_ten_thousand_shoppers_take_seconds() -> None:
    generator = np.random.default_rng(3)
    sizes = generator.integers(5, 130, 10_000)
    starts = np.concatenate(([0], np.cumsum(sizes)))
    p = -np.sort(-generator.beta(0.4, 3, sizes.sum()))
    owners = np.repeat(np.arange(10_000), sizes)
    p = p[np.lexsort((-p, owners))]
    started = time.process_time()
    choose_baskets(p, starts)
    # 206,209 shoppers then take minutes at most; measured 0.5 s on one core
    assert time.process_time() - started < 10
