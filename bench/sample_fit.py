"""Refit the sample generator's free parameters until a generated shop meets the measured figures.

    python bench/sample_fit.py [--shoppers 16384] [--visits 20] [--baskets 8] [--first 0] [--set name=value ...]

Reads and rewrites src/nextbasket/grocery/sample/fitted.json. The structural parameters (spread of liking, cadence,
one-shot purchases, tiring ..) are chosen by hand, by --set; those with a measured counterpart (gap and weekday weights,
reorder level, discovery and propensity of every aisle and staple) are fitted by iterated proportional steps.
"""

import argparse
import json
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np

from nextbasket.grocery import sample
from nextbasket.grocery.sample import baskets, calibration, catalogue, visits

FITTED = Path(sample.__file__).parent / "fitted.json"
F = calibration.facts()


def logit(p):
    p = np.clip(p, 0.01, 0.99)
    return np.log(p / (1 - p))


def shares(x):
    x = np.asarray(x, dtype=float)
    return x / x.sum()


def chunk(args):
    seed, count, parameters = args
    rng = np.random.default_rng([77, seed])
    orders = visits.draw_orders(count, rng)
    seen = visits.draw_visits(orders, rng, visits.visit_tables(parameters), parameters)
    goods = catalogue.make_catalogue(parameters)
    lines = baskets.draw_lines(seen, goods, rng, parameters)
    n = len(goods.aisle)
    prior = lines.visit < orders[lines.shopper] - 1
    position = np.minimum(lines.position, 60)
    return {
        "lines": np.bincount(lines.product, minlength=n),
        "again": np.bincount(lines.product[lines.reordered], minlength=n),
        "prior": prior.sum(),
        "prior_again": (prior & lines.reordered).sum(),
        "train": (~prior).sum(),
        "train_again": (~prior & lines.reordered).sum(),
        "position": np.bincount(position[prior], minlength=61),
        "position_again": np.bincount(position[prior & lines.reordered], minlength=61),
    }


def fit_visits(p, rounds):
    gaps, final = shares(F["gap_days_0_30"]), shares(F["final_gap_days_0_30"])
    weekday = shares(np.sum(F["orders_by_weekday_and_hour"], axis=1))
    for turn in range(rounds):
        rng = np.random.default_rng([5, turn])
        orders = visits.draw_orders(40000, rng)
        v = visits.draw_visits(orders, rng, visits.visit_tables(p), p)
        active = np.arange(len(v.gap))[:, None] < orders
        seen = v.gap[active & (v.gap >= 0)]
        last = v.gap[orders - 1, np.arange(len(orders))]
        fits = (
            ("gap_base", gaps, np.bincount(seen, minlength=31)),
            ("final_gap_base", final, np.bincount(last, minlength=31)),
            ("weekday_base", weekday, np.bincount(v.weekday[active], minlength=7)),
        )
        for name, target, found in fits:
            step = (target / np.maximum(shares(found), 1e-6)) ** 0.7
            p[name] = shares(np.array(p[name]) * step).tolist()
    worst = abs(shares(np.bincount(seen, minlength=31)) - gaps).max()
    print("gap mean", seen.mean(), "final", last.mean(), "worst gap share off by", worst)


def fit_baskets(p, rounds, shoppers, first):
    staples = F["staples"]
    aisles = F["aisles"]
    rate_of_department = {row[0]: row[3] for row in F["departments"]}
    target_rate = np.array([(a[5] * a[6] + 60 * rate_of_department[a[2]]) / (a[6] + 60) for a in aisles])
    target_share = np.array([a[4] for a in aisles]) / sum(a[4] for a in aisles)
    staple_rate, staple_share = np.array([s[2] for s in staples]), np.array([s[1] for s in staples])
    position_of = {a[0]: i for i, a in enumerate(aisles)}
    staple_aisle = np.array([position_of[s[0]] for s in staples])
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        for turn in range(first, first + rounds):
            # Later rounds move less, so that the chance of one draw is averaged out.
            gain = 1.0 if turn < 4 else 0.4
            goods = catalogue.make_catalogue(p)
            parts = list(pool.map(chunk, [(1000 * turn + i, 1024, p) for i in range(shoppers // 1024)]))
            total = {k: sum(part[k] for part in parts) for k in parts[0]}
            lines, again = total["lines"].astype(float), total["again"].astype(float)
            new = (lines - again) / lines.sum()
            n_aisle = np.bincount(goods.aisle, lines, minlength=134)
            rate = np.bincount(goods.aisle, again, minlength=134) / n_aisle
            # The measured rates of aisles do not add up exactly to the rate of the whole: shift them all alike.
            level = logit(np.array(0.5900)) - logit(np.array((target_rate * target_share).sum()))
            wanted_rate = 1 / (1 + np.exp(-(logit(target_rate) + level)))
            first_aisle = np.bincount(goods.aisle, new, minlength=134)
            step = np.log(target_share * (1 - wanted_rate) / first_aisle)
            p["aisle_discovery"] = (np.array(p["aisle_discovery"]) + gain * 0.8 * (step - step.mean())).tolist()
            lift = logit(wanted_rate) - logit(rate)
            p["aisle_propensity"] = (np.array(p["aisle_propensity"]) + gain * 0.9 * lift).tolist()
            where = np.flatnonzero(goods.staple >= 0)
            where = where[np.argsort(goods.staple[where])]
            staple_now = again[where] / lines[where]
            own = logit(staple_rate) - logit(staple_now) - lift[staple_aisle]
            p["staple_propensity"] = (np.array(p["staple_propensity"]) + gain * 0.8 * own).tolist()
            own = np.log(staple_share * (1 - staple_rate) / np.maximum(new[where], 1e-7)) - step[staple_aisle]
            p["staple_discovery"] = (np.array(p["staple_discovery"]) + gain * 0.8 * own).tolist()
            rank = np.argsort(np.argsort(-goods.line_share))
            band = np.searchsorted(catalogue.POPULARITY_BANDS, rank, side="right")
            free = goods.staple < 0
            target_band = np.bincount(band[free], goods.line_share[free], minlength=10)
            found_band = np.bincount(band[free], lines[free] / lines.sum(), minlength=10)
            own = np.where(target_band > 0, np.log(np.maximum(target_band, 1e-9) / np.maximum(found_band, 1e-9)), 0)
            p["band_discovery"] = (np.array(p["band_discovery"]) + gain * 0.6 * (own - own[-1])).tolist()
            prior, train = total["prior_again"] / total["prior"], total["train_again"] / total["train"]
            aim = float(F["totals"]["prior_reordered_share"])
            p["reorder_shift"] += 0.6 * gain * float(logit(np.array(aim)) - logit(np.array(prior)))
            top = (np.sort(lines)[::-1].cumsum() / lines.sum())[[9, 99, 999, 9999]].round(4)
            by_place = (total["position_again"][1:21] / total["position"][1:21])[[0, 1, 2, 4, 7, 11, 15, 19]]
            share_off = abs(n_aisle / lines.sum() - target_share).max()
            rate_off = np.sqrt((target_share * (rate - wanted_rate) ** 2).sum())
            staple_off = abs(lines[where] / lines.sum() - staple_share).max(), abs(staple_now - staple_rate).mean()
            print(
                f"{turn}: reordered {prior:.4f} {train:.4f}, aisles off {share_off:.4f} {rate_off:.4f}, "
                f"staples off {staple_off[0]:.4f} {staple_off[1]:.4f}, top {top}, by position {by_place.round(3)}",
                flush=True,
            )


def tidy(x):
    return [tidy(i) for i in x] if isinstance(x, list) else float(f"{x:.5g}") if isinstance(x, float) else x


if __name__ == "__main__":
    options = argparse.ArgumentParser()
    options.add_argument("--shoppers", type=int, default=16384)
    options.add_argument("--visits", type=int, default=0)
    options.add_argument("--baskets", type=int, default=0)
    options.add_argument("--first", type=int, default=0, help="number of the first round: from 4 on, steps are small")
    options.add_argument("--set", nargs="*", default=[])
    chosen = options.parse_args()
    p = json.loads(FITTED.read_text())
    for pair in chosen.set:
        name, value = pair.split("=")
        p[name] = json.loads(value)
    if chosen.visits:
        fit_visits(p, chosen.visits)
    if chosen.baskets:
        fit_baskets(p, chosen.baskets, chosen.shoppers, chosen.first)
    FITTED.write_text("{\n" + ",\n".join(f"  {json.dumps(k)}: {json.dumps(tidy(v))}" for k, v in p.items()) + "\n}\n")
