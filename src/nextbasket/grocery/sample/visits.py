"""When shoppers come: number of orders, gaps, weekdays, hours, and how large each basket will be.

Arrays over visits are laid out ``[order number - 1, shopper]``; the shoppers of a chunk stand in falling number of
orders, so those still active at an order number are a prefix.
"""

from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nextbasket.grocery.sample.calibration import basket_sizes, facts, fitted, normal_thresholds, orders_per_shopper

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

MOST_ORDERS = 100
CAPPED_GAP = 30
_GAPS = np.arange(CAPPED_GAP + 1)


@dataclass(frozen=True, slots=True)
class Visits:
    """The visits of a chunk of shoppers.

    ``orders`` and ``labelled`` (whether the last order is ``train``) are per shopper; ``day`` counts true days since
    the first order, ``gap`` is what the data show (0 to 30, -1 for a first order); ``wanted_reorders`` is the number
    of lines, not yet whole, that the shopper would fill with known products.
    """

    orders: Integers
    labelled: NDArray[np.bool_]
    gap: NDArray[np.int8]
    weekday: NDArray[np.int8]
    hour: NDArray[np.int8]
    day: NDArray[np.float32]
    size: NDArray[np.int32]
    wanted_reorders: NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class VisitTables:
    """Everything about visits that is the same for all shoppers, made once per process."""

    mean_gap: Floats
    gaps: Floats
    final_gaps: Floats
    gap_means: Floats
    weekday: Floats
    hour_given_weekday: Floats
    hour: Floats
    size_cuts: Floats
    final_size_cuts: Floats
    reorder_logit: Floats


def visit_tables(parameters: dict[str, Any]) -> VisitTables:
    """Make the tables from fitted parameters (the shape of ``fitted.json``)."""
    by_hour = np.array(facts()["orders_by_weekday_and_hour"], dtype=np.float64)
    weekday = np.array(parameters["weekday_base"])
    tilts = np.linspace(-1.2, 0.5, 171)
    gaps, final_gaps = (
        _rows_of_one(np.array(parameters[name])[None, :] * np.exp(tilts[:, None] * (_GAPS - 15.0)))
        for name in ("gap_base", "final_gap_base")
    )
    spread = float(np.hypot(parameters["loyalty_sd"], parameters["order_mood_sd"]))
    numbers = np.arange(1, MOST_ORDERS + 1)
    share = np.interp(np.log(numbers), np.log(parameters["reorder_curve"][0]), parameters["reorder_curve"][1])
    # The mean of a logistic of a normal variable is close to the logistic of its shrunken centre.
    logit = np.log(share / (1 - share)) * np.sqrt(1 + np.pi / 8 * spread**2) + parameters["reorder_shift"]
    return VisitTables(
        mean_gap=np.interp(np.log(numbers), np.log(parameters["mean_gap"][0]), parameters["mean_gap"][1]),
        gaps=gaps,
        final_gaps=final_gaps,
        gap_means=(gaps * _GAPS).sum(axis=1),
        weekday=weekday / weekday.mean(),
        hour_given_weekday=np.cumsum(_rows_of_one(by_hour), axis=1),
        hour=np.cumsum(by_hour.sum(axis=0) / by_hour.sum()),
        size_cuts=normal_thresholds(basket_sizes("prior")),
        final_size_cuts=normal_thresholds(basket_sizes("train")),
        reorder_logit=logit,
    )


@cache
def fitted_visit_tables() -> VisitTables:
    """Return the tables of the fitted parameters, made once per process."""
    return visit_tables(fitted())


def draw_orders(shoppers: int, rng: np.random.Generator) -> Integers:
    """Draw how many orders each of ``shoppers`` shoppers has, in falling order."""
    # Stratified draws keep the distribution of orders exact even in a small shop.
    strata = (np.arange(shoppers) + rng.random(shoppers)) / shoppers
    sums = np.cumsum(orders_per_shopper())
    return np.asarray(np.sort(4 + np.searchsorted(sums[:-1], strata, side="right"))[::-1], dtype=np.int64).copy()


def draw_visits(orders: Integers, rng: np.random.Generator, tables: VisitTables, parameters: dict[str, Any]) -> Visits:
    """Draw the visits of shoppers who have ``orders`` orders, given in falling order."""
    shoppers = len(orders)
    labelled = rng.random(shoppers) < facts()["totals"]["orders_train"] / facts()["totals"]["users"]
    pace, appetite, loyalty = _spread_evenly(shoppers, rng)
    gap, weekday, day = _draw_days(orders, pace, rng, tables, parameters)
    size, wanted = _draw_sizes(orders, appetite, loyalty, rng, tables, parameters)
    return Visits(orders, labelled, gap, weekday, _draw_hours(weekday, rng, tables, parameters), day, size, wanted)


def _spread_evenly(shoppers: int, rng: np.random.Generator) -> Floats:
    """Return three standard normal traits per shopper, ``[trait, shopper]``, spread evenly among any neighbours.

    Neighbours have about as many orders, and few shoppers have most of them: an additive recurrence (steps after
    Roberts' R3 sequence: powers of 1/g where g solves g**4 = g + 1) keeps a few of them from tilting a small shop.
    """
    steps = 1.2207440846057596 ** -np.arange(1.0, 4.0)
    places = (steps[:, None] * np.arange(shoppers) + rng.random((3, 1))) % 1.0
    inner = np.linspace(0, 1, 4097)[1:-1]
    return np.interp(places, inner, normal_thresholds(np.full(4096, 1 / 4096)))


def _draw_days(
    orders: Integers, trait: Floats, rng: np.random.Generator, tables: VisitTables, parameters: dict[str, Any]
) -> tuple[NDArray[np.int8], NDArray[np.int8], NDArray[np.float32]]:
    shoppers, most = len(orders), int(orders[0])
    usual = tables.mean_gap[orders - 1] * np.exp(parameters["mean_gap_sd"] * trait)
    pace = np.searchsorted(tables.gap_means, np.clip(usual, 1.0, 29.0)).clip(max=len(tables.gap_means) - 1)
    habit = tables.weekday * np.exp(parameters["weekday_habit_sd"] * rng.standard_normal((shoppers, 7)))
    habit /= habit.mean(axis=1, keepdims=True)
    habit_sums = np.cumsum(habit, axis=1)
    gap = np.full((most, shoppers), -1, dtype=np.int8)
    weekday = np.zeros((most, shoppers), dtype=np.int8)
    day = np.zeros((most, shoppers), dtype=np.float32)
    today = _pick(habit_sums, rng.random(shoppers))
    weekday[0] = today
    for number in range(1, most):
        active = int(np.searchsorted(-orders, -number, side="left"))
        # `active` counts shoppers with more than `number` orders; the last of theirs is drawn from its own table.
        last = orders[:active] == number + 1
        chances = np.where(last[:, None], tables.final_gaps[pace[:active]], tables.gaps[pace[:active]])
        chances[:, :CAPPED_GAP] *= np.take_along_axis(
            habit[:active], (today[:active, None] + _GAPS[None, :CAPPED_GAP]) % 7, axis=1
        )
        gaps = _pick(np.cumsum(chances, axis=1), rng.random(active))
        capped = gaps == CAPPED_GAP
        # Behind the cap lies a longer pause: the weekday is free, and the true days are more than 30.
        longer = CAPPED_GAP + np.floor(rng.exponential(12.0, active))
        today = np.where(capped, _pick(habit_sums[:active], rng.random(active)), (today[:active] + gaps) % 7)
        gap[number, :active] = gaps
        weekday[number, :active] = today
        day[number, :active] = day[number - 1, :active] + np.where(capped, longer, gaps)
    return gap, weekday, day


def _draw_hours(
    weekday: NDArray[np.int8], rng: np.random.Generator, tables: VisitTables, parameters: dict[str, Any]
) -> NDArray[np.int8]:
    most, shoppers = weekday.shape
    favourites = np.searchsorted(tables.hour[:-1], rng.random((3, shoppers)), side="right")
    which = np.searchsorted(np.array([0.6, 0.85]), rng.random((most, shoppers)), side="right")
    usual = np.take_along_axis(favourites, which, axis=0)
    # One sorted table for all weekdays: each weekday's cumulative shares, shifted by the weekday.
    shifted = (tables.hour_given_weekday + np.arange(7)[:, None]).ravel()
    free = np.searchsorted(shifted, weekday + rng.random((most, shoppers)) * (1 - 1e-9), side="right") % 24
    return np.where(rng.random((most, shoppers)) < parameters["hour_habit"], usual, free).astype(np.int8)


def _draw_sizes(
    orders: Integers,
    appetite: Floats,
    loyal: Floats,
    rng: np.random.Generator,
    tables: VisitTables,
    parameters: dict[str, Any],
) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    most, shoppers = int(orders[0]), len(orders)
    kinship = float(parameters["size_kinship"])
    mixed = np.sqrt(kinship) * appetite + np.sqrt(1 - kinship) * rng.standard_normal((most, shoppers))
    size = 1 + np.searchsorted(tables.size_cuts, mixed)
    shopper = np.arange(shoppers)
    final = mixed[orders - 1, shopper]
    size[orders - 1, shopper] = 1 + np.searchsorted(tables.final_size_cuts, final)
    loyalty = parameters["loyalty_sd"] * loyal
    loyalty += parameters["loyalty_by_orders"] * np.log(orders / 20.0)
    mood = parameters["order_mood_sd"] * rng.standard_normal((most, shoppers))
    logit = tables.reorder_logit[:most, None] + loyalty + mood
    logit += parameters["small_basket_loyalty"] / size
    # Measured last baskets repeat more the larger they are; earlier ones do not.
    logit[orders - 1, shopper] += parameters["last_basket_loyalty"] * (size[orders - 1, shopper] - 15)
    wanted = (size / (1 + np.exp(-logit))).astype(np.float32)
    wanted[0] = 0
    return size.astype(np.int32), wanted


def _rows_of_one(weights: Floats) -> Floats:
    return np.asarray(weights / weights.sum(axis=1, keepdims=True), dtype=np.float64)


def _pick(sums: Floats, uniform: Floats) -> Integers:
    """Return for each row of cumulative weights the class that a uniform number falls into."""
    return np.asarray((sums < uniform[:, None] * sums[:, -1:]).sum(axis=1), dtype=np.int64)
