"""What goes into each basket: known products by liking, cadence and habit; new ones by taste and popularity.

A chunk of shoppers is simulated order number by order number, all shoppers at once. The state is one flat set of
arrays with an entry for each (shopper, known product) pair, grouped by shopper.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nextbasket.grocery.sample.catalogue import OCCASIONS, Catalogue, occasion_of
from nextbasket.grocery.sample.visits import Visits

Floats = NDArray[np.float64]
Singles = NDArray[np.float32]
Integers = NDArray[np.int64]

_SOLVER_STEPS = 3


@dataclass(frozen=True, slots=True)
class Lines:
    """All basket lines of a chunk, sorted by shopper, order number and cart position (all from 0 but ``position``).

    ``product`` is the position in the catalogue.
    """

    shopper: NDArray[np.int32]
    visit: NDArray[np.int32]
    product: NDArray[np.int32]
    position: NDArray[np.int32]
    reordered: NDArray[np.bool_]


@dataclass(slots=True)
class _Pairs:
    """The known products of the active shoppers.

    ``liking`` is the odds of wanting it when it is due, ``lasts`` its own cadence in days, ``bought`` the day of the
    last purchase, ``until`` the day the shopper tires of it.
    """

    count: Integers
    product: NDArray[np.int32]
    liking: Singles
    lasts: Singles
    bought: Singles
    until: Singles


class _Discovery:
    """Draws products that a shopper has not bought before: an aisle by taste, then a product by popularity."""

    def __init__(
        self,
        catalogue: Catalogue,
        shoppers: int,
        orders: Integers,
        rng: np.random.Generator,
        parameters: dict[str, Any],
    ) -> None:
        self._rng = rng
        self._shoppers = shoppers
        self._products = len(catalogue.aisle)
        self._known = np.zeros((shoppers, self._products), dtype=np.bool_)
        aisles = len(catalogue.aisle_discovery)
        lean = parameters["taste_department_sd"] * rng.standard_normal((shoppers, 21), dtype=np.float32)
        lean = lean[:, catalogue.department_of_aisle]
        lean += parameters["taste_aisle_sd"] * rng.standard_normal((shoppers, aisles), dtype=np.float32)
        moved = lean + parameters["taste_drift_sd"] * rng.standard_normal((shoppers, aisles), dtype=np.float32)
        # Two tastes per shopper, before and after a change at some order.
        taste = catalogue.aisle_discovery * np.exp(np.concatenate([lean, moved]).astype(np.float64))
        sums = np.cumsum(taste, axis=1)
        sums /= sums[:, -1:]
        self._taste = (sums + np.arange(2 * shoppers)[:, None]).ravel()
        self._aisles = aisles
        self._change = (rng.random(shoppers) * orders).astype(np.int64)
        within = np.cumsum(catalogue.discovery)
        starts = np.searchsorted(catalogue.aisle, np.arange(aisles))
        self._popular = within / within[-1]
        self._aisle_low = np.concatenate([[0.0], self._popular])[starts]
        self._aisle_wide = np.diff(np.append(self._aisle_low, 1.0))

    def draw(self, number: int, wanted: Integers) -> tuple[Integers, Integers]:
        """Return (shopper, product) of new purchases, sorted by shopper; ``wanted`` is their count per shopper."""
        missing = np.repeat(np.arange(len(wanted)), wanted)
        shoppers, products = [], []
        rounds = 0
        while len(missing):
            drawn = self._candidates(missing, number, uniformly=rounds >= 12)
            key = missing * self._products + drawn
            order = np.argsort(key, kind="stable")
            again = np.zeros(len(key), dtype=np.bool_)
            again[order[1:]] = key[order[1:]] == key[order[:-1]]
            good = ~(again | self._known[missing, drawn])
            shoppers.append(missing[good])
            products.append(drawn[good])
            self._known[shoppers[-1], products[-1]] = True
            missing = missing[~good]
            rounds += 1
        if not shoppers:
            return np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64)
        shopper, product = np.concatenate(shoppers), np.concatenate(products)
        order = np.argsort(shopper, kind="stable")
        return shopper[order], product[order]

    def _candidates(self, shopper: Integers, number: int, *, uniformly: bool) -> Integers:
        if uniformly:
            return self._rng.integers(0, self._products, len(shopper))
        row = shopper + self._shoppers * (number >= self._change[shopper])
        aisle = np.searchsorted(self._taste, row + self._rng.random(len(row)), side="right") - row * self._aisles
        aisle = aisle.clip(0, self._aisles - 1)
        place = self._aisle_low[aisle] + self._rng.random(len(row)) * self._aisle_wide[aisle]
        product = np.searchsorted(self._popular, place, side="right")
        return np.asarray(product.clip(max=self._products - 1), dtype=np.int64)


def draw_lines(visits: Visits, catalogue: Catalogue, rng: np.random.Generator, parameters: dict[str, Any]) -> Lines:
    """Fill the baskets of a chunk of shoppers; the last basket of an unlabelled shopper stays unknown."""
    shoppers = len(visits.orders)
    discovery = _Discovery(catalogue, shoppers, visits.orders, rng, parameters)
    pairs = _Pairs(
        np.zeros(shoppers, dtype=np.int64), np.empty(0, np.int32), *(np.empty(0, np.float32) for _ in range(4))
    )
    # The odds multiplier that makes a shopper's chances add up to the wanted reorders, carried from visit to visit.
    scale = np.zeros(shoppers, dtype=np.float32)
    columns: list[tuple[NDArray[Any], ...]] = []
    for visit in range(int(visits.orders[0])):
        active = int(np.searchsorted(-visits.orders, -visit, side="left"))
        last = visits.orders[:active] == visit + 1
        size = np.where(last & ~visits.labelled[:active], 0, visits.size[visit, :active])
        today = visits.day[visit, :active]
        _keep_first(pairs, active)
        again = np.zeros(active, dtype=np.int64)
        if visit:
            wanted = np.where(size > 0, visits.wanted_reorders[visit, :active], 0).astype(np.float32)
            odds = _odds_today(pairs, today, visits.weekday[visit], visits.hour[visit], catalogue, parameters)
            chosen = _choose_known(pairs.count, odds, wanted, scale, float(rng.random()))
            owner = np.repeat(np.arange(active), pairs.count)[chosen]
            again = np.bincount(owner, minlength=active)
            columns.append(_columns(owner, visit, pairs.product[chosen], pairs.liking[chosen], known=True))
            pairs.bought[chosen] = today[owner]
        shopper, product = discovery.draw(visit, np.maximum(size - again, 0))
        added = _new_pairs(shopper, product, active, today, catalogue, rng, parameters)
        columns.append(_columns(shopper, visit, added.product, added.liking, known=False))
        _add(pairs, added)
    return _in_cart_order(columns, rng, parameters)


def _columns(
    shopper: Integers, visit: int, product: NDArray[np.int32], liking: Singles, *, known: bool
) -> tuple[NDArray[Any], ...]:
    return (shopper * 128 + visit, product, liking, np.full(len(shopper), known))


def _keep_first(pairs: _Pairs, active: int) -> None:
    """Drop the shoppers who have no more orders: they stand at the end."""
    if active == len(pairs.count):
        return
    pairs.count = pairs.count[:active]
    kept = int(pairs.count.sum())
    for name in ("product", "liking", "lasts", "bought", "until"):
        setattr(pairs, name, getattr(pairs, name)[:kept])


def _odds_today(
    pairs: _Pairs,
    today: Singles,
    weekday: NDArray[np.int8],
    hour: NDArray[np.int8],
    catalogue: Catalogue,
    parameters: dict[str, Any],
) -> Singles:
    """Return for each pair the odds of being wanted now, up to the shopper's own factor."""
    active = len(pairs.count)
    now = np.repeat(today, pairs.count)
    late = pairs.lasts / (now - pairs.bought + np.float32(0.5))
    # How ready a product is: hardly right after a purchase, fully once its cadence has passed.
    due = late * late
    due *= due
    due *= due
    due += 1
    odds: Singles = pairs.liking / due
    odds *= np.where(now > pairs.until, np.float32(parameters["tired_odds"]), np.float32(1.0))
    occasion = np.repeat(occasion_of(weekday[:active], hour[:active]), pairs.count)
    odds *= catalogue.occasion.ravel()[pairs.product * OCCASIONS + occasion]
    return odds


def _choose_known(count: Integers, odds: Singles, wanted: Singles, scale: Singles, start: float) -> Integers:
    """Return the positions of the pairs bought again, ``wanted`` many per shopper (rounded up or down).

    ``scale`` holds each shopper's log factor on the odds; it is solved here, starting from the last visit's.
    """
    starts = np.concatenate([[0], np.cumsum(count)[:-1]])
    target = np.minimum(wanted, np.float32(0.97) * count).astype(np.float32)
    target = np.maximum(target, np.float32(1e-3))
    level = scale[: len(count)]
    for _ in range(_SOLVER_STEPS):
        chance = odds * np.repeat(np.exp(level), count)
        chance /= 1 + chance
        reached = np.add.reduceat(chance, starts)
        spread = reached - np.add.reduceat(chance * chance, starts)
        level += np.clip((target - reached) / np.maximum(spread, 0.02 * target), -2.5, 2.5)
        np.clip(level, -30, 30, out=level)
    chance = odds * np.repeat(np.exp(level), count)
    chance /= 1 + chance
    # One systematic sample over all shoppers: each gets its sum of chances, rounded up or down, and every pair its
    # own chance, without a random number or a sort per pair.
    steps = np.floor(np.cumsum(chance, dtype=np.float64) + start)
    picked = np.flatnonzero(np.diff(steps, prepend=np.floor(start)) > 0)
    nothing = np.repeat(wanted <= 0, count)
    return picked[~nothing[picked]]


def _new_pairs(
    shopper: Integers,
    product: Integers,
    active: int,
    today: Singles,
    catalogue: Catalogue,
    rng: np.random.Generator,
    parameters: dict[str, Any],
) -> _Pairs:
    count = len(shopper)
    noise = rng.standard_normal((3, count), dtype=np.float32)
    liking = np.exp(catalogue.propensity[product] + np.float32(parameters["liking_sd"]) * noise[0])
    once = rng.random(count, dtype=np.float32) < parameters["one_shot_share"]
    liking *= np.where(once, np.float32(parameters["one_shot_odds"]), np.float32(1.0))
    lasts = np.minimum(catalogue.cadence[product] * np.exp(np.float32(parameters["cadence_sd"]) * noise[1]), 2000)
    tires = np.float32(parameters["tires_days"]) * rng.standard_exponential(count, dtype=np.float32)
    tires *= np.exp(np.float32(0.5) * noise[2])
    bought = today[shopper]
    return _Pairs(
        np.bincount(shopper, minlength=active),
        product.astype(np.int32),
        liking.astype(np.float32),
        lasts.astype(np.float32),
        bought,
        bought + tires,
    )


def _add(pairs: _Pairs, added: _Pairs) -> None:
    """Insert each shopper's new pairs behind their known ones."""
    if not len(added.product):
        return
    shift_old = np.concatenate([[0], np.cumsum(added.count)[:-1]])
    shift_new = np.cumsum(pairs.count)
    old = np.arange(len(pairs.product)) + np.repeat(shift_old, pairs.count)
    new = np.arange(len(added.product)) + np.repeat(shift_new, added.count)
    for name in ("product", "liking", "lasts", "bought", "until"):
        before, extra = getattr(pairs, name), getattr(added, name)
        merged = np.empty(len(before) + len(extra), dtype=before.dtype)
        merged[old] = before
        merged[new] = extra
        setattr(pairs, name, merged)
    pairs.count = pairs.count + added.count


def _in_cart_order(
    columns: list[tuple[NDArray[Any], ...]], rng: np.random.Generator, parameters: dict[str, Any]
) -> Lines:
    basket, product, liking, known = (np.concatenate(parts) for parts in zip(*columns, strict=True))
    # What is liked most goes into the cart first, with a good deal of chance.
    early = (parameters["cart_by_liking"] * np.log(liking)).astype(np.float64)
    late = rng.standard_normal(len(basket), dtype=np.float32) - early
    # Now and then a shopper comes for one thing, known or new, and that goes in first.
    late -= np.float32(6.0) * (rng.random(len(basket), dtype=np.float32) < parameters["came_for_it_share"])
    order = np.argsort(basket + 0.5 + 0.499 * np.tanh(late / 4.0), kind="quicksort")
    basket, product, known = basket[order], product[order], known[order]
    first = np.flatnonzero(np.diff(basket, prepend=-1))
    lengths = np.diff(np.append(first, len(basket)))
    position = np.arange(len(basket)) - np.repeat(first, lengths) + 1
    return Lines(
        (basket >> 7).astype(np.int32),
        (basket & 127).astype(np.int32),
        product,
        position.astype(np.int32),
        known,
    )
