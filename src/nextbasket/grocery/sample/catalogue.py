"""The goods of a generated shop: how often each product is discovered, bought again, and how long it lasts."""

from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nextbasket.grocery.sample.calibration import facts, fitted, normal_thresholds

Floats = NDArray[np.float64]

CATALOGUE_SEED = 49688
"""All generated shops sell the same goods, whatever seed draws their shoppers."""

OCCASIONS = 6
"""Kinds of visit that change what is wanted: weekend or not, times morning, afternoon, evening."""

POPULARITY_BANDS = np.array([40, 100, 200, 500, 1000, 2000, 5000, 10000, 20000])
"""Ranks by popularity where a band of products ends; each band has a fitted correction of its own."""


@dataclass(frozen=True, slots=True)
class Catalogue:
    """Every product, ordered by aisle and within an aisle by falling popularity.

    ``aisle`` and ``department`` hold positions (from 0) in the measured lists; ``product_id`` is what the files show;
    ``staple`` is the rank (from 0) among the measured most bought products, -1 for all others. ``line_share`` is the
    aimed-at share of all lines; ``discovery`` the weight of a first purchase within its aisle; ``propensity`` the log
    odds of wanting it again; ``cadence`` the usual days it lasts; ``occasion`` multiplies its odds by the kind of
    visit, ``[product, occasion]``.
    """

    product_id: NDArray[np.int32]
    aisle: NDArray[np.int64]
    department: NDArray[np.int64]
    staple: NDArray[np.int64]
    line_share: Floats
    discovery: Floats
    propensity: NDArray[np.float32]
    cadence: NDArray[np.float32]
    occasion: NDArray[np.float32]
    aisle_discovery: Floats
    department_of_aisle: NDArray[np.int64]


def make_catalogue(parameters: dict[str, Any]) -> Catalogue:
    """Make the catalogue from fitted parameters (the shape of ``fitted.json``)."""
    rng = np.random.default_rng(CATALOGUE_SEED)
    aisles, staples = facts()["aisles"], facts()["staples"]
    departments = [row[0] for row in facts()["departments"]]
    overall = float(facts()["totals"]["prior_reordered_share"])
    share, again, aisle, staple = [], [], [], []
    for position, (aisle_id, _, department_id, products, line_share, reordered, lines) in enumerate(aisles):
        pinned = [rank for rank, row in enumerate(staples) if row[0] == aisle_id]
        pinned_share = np.array([staples[rank][1] for rank in pinned])
        rest = products - len(pinned)
        tail = _popularity(rest, line_share - pinned_share.sum(), parameters)
        # A rate measured on few lines says little: lean on the department's.
        of_department = facts()["departments"][departments.index(department_id)][3]
        rate = (reordered * lines + of_department * 60) / (lines + 60)
        pinned_rate = np.array([staples[rank][2] for rank in pinned])
        rest_rate = (rate * line_share - (pinned_share * pinned_rate).sum()) / max(
            line_share - pinned_share.sum(), 1e-9
        )
        liked = _log_odds(np.clip(rest_rate, 0.1, 0.9)) + parameters["propensity_noise_sd"] * rng.standard_normal(rest)
        known = np.log(tail) - (tail * np.log(tail)).sum() / tail.sum()
        liked += parameters["propensity_by_popularity"] * np.clip(known, -4, 2)
        share += [*pinned_share, *tail]
        again += [*_log_odds(pinned_rate), *liked]
        aisle += [position] * products
        staple += [*pinned, *([-1] * rest)]
    line_share = np.array(share) / np.sum(share)
    odds, place, rank = np.array(again), np.array(aisle), np.array(staple)
    rate = np.clip(1 / (1 + np.exp(-odds)), 0.03, 0.93)
    first = line_share * (1 - rate)
    discovery_shift = np.array(parameters["aisle_discovery"])
    propensity_shift = np.array(parameters["aisle_propensity"])[place]
    staple_shift = np.where(rank >= 0, np.array(parameters["staple_propensity"])[rank], 0.0)
    first *= np.where(rank >= 0, np.exp(np.array(parameters["staple_discovery"])[rank]), 1.0)
    popularity_rank = np.argsort(np.argsort(-line_share))
    band = np.searchsorted(POPULARITY_BANDS, popularity_rank, side="right")
    first *= np.exp(np.array(parameters["band_discovery"]))[band]
    aisle_first = np.bincount(place, first, minlength=len(aisles)) * np.exp(discovery_shift)
    propensity = (
        parameters["propensity_scale"] * (odds - _log_odds(np.array(overall))) + propensity_shift + staple_shift
    )
    cadence = parameters["cadence_days"] * np.exp(-parameters["cadence_by_propensity"] * np.clip(odds, -3, 3))
    department = np.array([departments.index(row[2]) for row in aisles])
    occasion = (
        parameters["occasion_department_sd"] * rng.standard_normal((len(departments), OCCASIONS))[department[place]]
    )
    occasion += parameters["occasion_product_sd"] * rng.standard_normal((len(place), OCCASIONS))
    return Catalogue(
        product_id=(rng.permutation(len(place)) + 1).astype(np.int32),
        aisle=place,
        department=department[place],
        staple=rank,
        line_share=line_share,
        discovery=first,
        propensity=propensity.astype(np.float32),
        cadence=cadence.astype(np.float32),
        occasion=np.exp(occasion).astype(np.float32),
        aisle_discovery=aisle_first / aisle_first.sum(),
        department_of_aisle=department,
    )


def occasion_of(weekday: NDArray[np.int8], hour: NDArray[np.int8]) -> NDArray[np.int32]:
    """Return the kind of visit, 0 to ``OCCASIONS`` - 1; weekdays 0 and 1 are the shop's busy weekend."""
    part = np.searchsorted(np.array([12, 17]), hour, side="right")
    return (3 * (weekday < 2) + part).astype(np.int32)


@cache
def fitted_catalogue() -> Catalogue:
    """Return the catalogue of the fitted parameters, made once per process."""
    return make_catalogue(fitted())


def _popularity(products: int, total: float, parameters: dict[str, Any]) -> Floats:
    """Return falling line shares of an aisle's products: lognormal, its head bent below the measured staples."""
    middle = normal_thresholds(np.full(2 * products, 0.5 / products))[::2][::-1]
    share = np.exp(parameters["popularity_sd"] * middle)
    share *= total / share.sum()
    for _ in range(30):
        bent = share / (1 + share / parameters["popularity_ceiling"])
        share *= total / bent.sum()
    bent = share / (1 + share / parameters["popularity_ceiling"])
    return np.asarray(bent * total / bent.sum(), dtype=np.float64)


def _log_odds(share: Floats) -> Floats:
    return np.asarray(np.log(share / (1 - share)), dtype=np.float64)
