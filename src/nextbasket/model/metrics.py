"""Measure probabilities against what shoppers bought, with bootstrap intervals over shoppers.

A shopper is what varies: rows of one shopper are alike, so intervals draw whole shoppers with replacement. Every
metric is written with a weight per shopper (how often it was drawn); weight 1 everywhere gives the metric itself.
Definitions and sources stand in docs/model.md.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
TOP = 10
BINS = 15
_CLIP = 1e-7


@dataclass(frozen=True, slots=True)
class Figure:
    """A metric's value and its 95 % bootstrap interval, moved by the bootstrap's bias.

    Drawing shoppers anew adds noise that some metrics (the calibration error above all) count as error: their samples
    lie higher than the value. The interval is moved back by the mean of that difference.
    """

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Outcomes:
    """Candidates and what came true, grouped by shopper: rows of shopper i are ``starts[i]`` to ``starts[i + 1]``.

    ``labels`` [n] is True for a product that was bought; ``starts`` [shoppers + 1] begins with 0 and ends with n.
    """

    labels: npt.NDArray[np.bool_]
    starts: npt.NDArray[np.int64]

    @property
    def shoppers(self) -> int:
        """How many shoppers."""
        return self.starts.size - 1

    @property
    def owners(self) -> npt.NDArray[np.int64]:
        """The shopper of every row, [n]."""
        return np.repeat(np.arange(self.shoppers), np.diff(self.starts))

    def per_shopper(self, values: npt.NDArray[np.generic]) -> Floats:
        """Sum a value per row into one per shopper, [shoppers]."""
        return np.bincount(self.owners, weights=values, minlength=self.shoppers).astype(np.float64)


@dataclass(frozen=True, slots=True)
class Ranking:
    """Rows sorted by score, best first, and where its levels lie: runs of equal scores that hold a bought row.

    ``owners`` [n] is the shopper of each sorted row, ``bought`` those of the bought rows alone. Level i spans the
    sorted rows ``first[i]`` to ``last[i]``; its last bought row is number ``last_bought[i]`` of the bought ones.
    """

    owners: npt.NDArray[np.int32]
    bought: npt.NDArray[np.int32]
    first: npt.NDArray[np.int64]
    last: npt.NDArray[np.int64]
    last_bought: npt.NDArray[np.int64]


def resamples(shoppers: int, count: int, seed: int) -> Iterator[Floats]:
    """Yield ``count`` bootstrap weights: how often each shopper is drawn in as many draws as there are shoppers."""
    generator = np.random.default_rng(seed)
    for _ in range(count):
        yield np.bincount(generator.integers(0, shoppers, shoppers), minlength=shoppers).astype(np.float64)


def rank(scores: npt.NDArray[np.floating], outcomes: Outcomes) -> Ranking:
    """Sort once for all resamples."""
    order, starts, ends = _runs(scores)
    owners, labels = outcomes.owners[order].astype(np.int32), outcomes.labels[order]
    bought_until = np.cumsum(labels)[ends]
    levels = np.diff(bought_until, prepend=0) > 0
    return Ranking(owners, owners[labels], starts[levels], ends[levels], bought_until[levels] - 1)


def auc_and_average_precision(ranking: Ranking, weights: Floats | None = None) -> tuple[float, float]:
    """Return both areas for weighted shoppers.

    The AUC is the chance that a bought candidate scores above one not bought, ties counting half (Hanley and McNeil
    1982). Average precision is the mean, over the bought, of the precision at their score. NaN where there is only
    one kind of candidate.
    """
    # Only levels that hold a bought row move either area, so the work after the sums is small.
    narrow = np.ones(int(ranking.owners.max()) + 1, dtype=np.float32) if weights is None else weights.astype(np.float32)
    every = np.cumsum(narrow[ranking.owners], dtype=np.float64)
    bought = np.cumsum(narrow[ranking.bought], dtype=np.float64)
    if bought.size == 0 or bought[-1] == 0 or bought[-1] == every[-1]:
        return float("nan"), float("nan")
    positives, others = bought[-1], every[-1] - bought[-1]
    true = bought[ranking.last_bought]
    won = np.diff(true, prepend=0.0)
    called = every[ranking.last]
    called_before = np.where(ranking.first > 0, every[ranking.first - 1], 0.0)
    false, false_before = called - true, called_before - (true - won)
    area = np.sum(won * (others - (false + false_before) / 2)) / (positives * others)
    precision = np.divide(true, called, out=np.zeros_like(true), where=called > 0)
    return float(area), float(np.sum(won * precision) / positives)


def cumulated(scores: npt.NDArray[np.floating], outcomes: Outcomes) -> tuple[Floats, Floats]:
    """Return the true and the false positives at every distinct score, best first: the points of both curves."""
    order, _, ends = _runs(scores)
    true = np.cumsum(outcomes.labels[order])[ends].astype(np.float64)
    return true, (ends + 1) - true


def _runs(
    scores: npt.NDArray[np.floating],
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Return the order by score, best first, and the first and last place of each run of equal scores in it."""
    order = np.argsort(-scores.astype(np.float64), kind="stable")
    ranked = scores[order]
    breaks = np.flatnonzero(ranked[1:] != ranked[:-1])
    return order, np.append(0, breaks + 1), np.append(breaks, ranked.size - 1)


def log_losses(probabilities: npt.NDArray[np.floating], labels: npt.NDArray[np.bool_]) -> Floats:
    """Return each row's negative log-likelihood in nats, probabilities clipped to [1e-7, 1 - 1e-7]."""
    clipped = np.clip(probabilities.astype(np.float64), _CLIP, 1 - _CLIP)
    losses: Floats = np.where(labels, -np.log(clipped), -np.log1p(-clipped))
    return losses


def order_f1(outcomes: Outcomes, chosen: npt.NDArray[np.bool_]) -> Floats:
    """Return the F1 of each shopper's order as the competition counts it: no product is the product "None".

    Nothing chosen and nothing bought again is 1; products against "None" is 0.
    """
    hits = outcomes.per_shopper(chosen & outcomes.labels)
    size, truth = outcomes.per_shopper(chosen), outcomes.per_shopper(outcomes.labels)
    total = size + truth
    return np.where(total == 0, 1.0, np.divide(2 * hits, total, out=np.zeros_like(hits), where=total > 0))


def rank_within(scores: npt.NDArray[np.floating], outcomes: Outcomes) -> npt.NDArray[np.int64]:
    """Return each row's place among its shopper's candidates, 0 is best; equal scores keep their given order."""
    owners = outcomes.owners
    order = np.lexsort((np.arange(scores.size), -scores.astype(np.float64), owners))
    places = np.empty(scores.size, dtype=np.int64)
    places[order] = np.arange(scores.size) - outcomes.starts[:-1][owners]
    return places


def recall_at(places: npt.NDArray[np.int64], outcomes: Outcomes, top: int = TOP) -> Floats:
    """Return per shopper the share of the bought candidates within the best ``top``; NaN where none was bought."""
    truth = outcomes.per_shopper(outcomes.labels)
    hits = outcomes.per_shopper(outcomes.labels & (places < top))
    return np.divide(hits, truth, out=np.full_like(hits, np.nan), where=truth > 0)


def ndcg_at(places: npt.NDArray[np.int64], outcomes: Outcomes, top: int = TOP) -> Floats:
    """Return per shopper the discounted gain of the best ``top`` over the best possible; NaN where none was bought.

    The gain of a bought product at place i (from 0) is 1 / log2(i + 2) (Järvelin and Kekäläinen 2002).
    """
    discounts = 1.0 / np.log2(np.arange(top) + 2.0)
    gains = np.where(outcomes.labels & (places < top), discounts[np.minimum(places, top - 1)], 0.0)
    ideal = np.append(0.0, np.cumsum(discounts))
    best: Floats = ideal[np.minimum(outcomes.per_shopper(outcomes.labels), top).astype(np.int64)]
    return np.divide(outcomes.per_shopper(gains), best, out=np.full_like(best, np.nan), where=best > 0)


@dataclass(frozen=True, slots=True)
class Calibration:
    """Rows by predicted probability in equal bins: per bin and shopper the rows, the predicted sum, the bought."""

    rows: Floats
    predicted: Floats
    bought: Floats

    def error(self) -> float:
        """Return the expected calibration error: mean distance of predicted and true share, weighted by rows."""
        return float(np.sum(np.abs(self.predicted - self.bought)) / np.sum(self.rows))


def calibration(
    probabilities: npt.NDArray[np.floating],
    labels: npt.NDArray[np.bool_],
    row_weights: Floats | None = None,
    bins: int = BINS,
) -> Calibration:
    """Gather rows into ``bins`` equal bins of predicted probability."""
    index = np.minimum((probabilities * bins).astype(np.int64), bins - 1)
    weight = np.ones(labels.size) if row_weights is None else row_weights
    return Calibration(
        np.bincount(index, weights=weight, minlength=bins).astype(np.float64),
        np.bincount(index, weights=weight * probabilities, minlength=bins).astype(np.float64),
        np.bincount(index, weights=weight * labels, minlength=bins).astype(np.float64),
    )


Statistic = Callable[[Floats | None], float]
"""A metric as a function of the shoppers' weights; None is weight 1 for all."""


@dataclass(frozen=True, slots=True)
class Measured:
    """One scoring's metrics by name, and every resample's values, for paired differences."""

    figures: dict[str, Figure]
    samples: dict[str, Floats]

    def difference(self, other: "Measured", metric: str) -> Figure:
        """Return how much higher this metric is than the other's; both must come from the same resamples."""
        value = self.figures[metric].value - other.figures[metric].value
        return _figure(value, self.samples[metric] - other.samples[metric])


def measure(
    scores: npt.NDArray[np.floating],
    outcomes: Outcomes,
    *,
    threshold: float,
    chosen: npt.NDArray[np.bool_] | None = None,
    probabilities: bool = True,
    count: int = 200,
    seed: int = 0,
) -> Measured:
    """Return all metrics of one scoring with their intervals.

    ``chosen`` marks the rows of the baskets chosen for the highest expected F1; ``probabilities`` says whether the
    scores are meant as such (a ranking has no log loss and no calibration). The same ``seed`` and shoppers give the
    same resamples, so two scorings can be compared pairwise.
    """
    statistics = _statistics(scores, outcomes, threshold, chosen, probabilities)
    drawn: dict[str, list[float]] = {name: [] for name in statistics}
    ranked = rank(scores, outcomes)
    curves = ("auc", "average_precision")

    def values(weights: Floats | None) -> Iterator[tuple[str, float]]:
        yield from zip(curves, auc_and_average_precision(ranked, weights), strict=True)
        for name, statistic in statistics.items():
            yield name, statistic(weights)

    drawn |= {name: [] for name in curves}
    for weights in resamples(outcomes.shoppers, count, seed):
        for name, value in values(weights):
            drawn[name].append(value)
    samples = {name: np.array(found) for name, found in drawn.items()}
    figures = {name: _within(_figure(value, samples[name]), name) for name, value in values(None)}
    return Measured(figures, samples)


def best_threshold(scores: npt.NDArray[np.floating], outcomes: Outcomes) -> float:
    """Return the threshold, a multiple of 0.01, with the highest mean F1 per order; the lowest of equals."""
    return max(f1_by_threshold(scores, outcomes), key=lambda point: (point[1], -point[0]))[0]


def f1_by_threshold(
    scores: npt.NDArray[np.floating], outcomes: Outcomes, step: float = 0.01
) -> tuple[tuple[float, float], ...]:
    """Return (threshold, mean F1 per order) for the thresholds between 0 and 1 that are multiples of ``step``."""
    grid = np.round(np.arange(1, round(1 / step)) * step, 6)
    return tuple((float(value), float(order_f1(outcomes, scores > value).mean())) for value in grid)


def _statistics(
    scores: npt.NDArray[np.floating],
    outcomes: Outcomes,
    threshold: float,
    chosen: npt.NDArray[np.bool_] | None,
    probabilities: bool,
) -> dict[str, Statistic]:
    places = rank_within(scores, outcomes)
    found: dict[str, Statistic] = {}
    if probabilities:
        found["log_loss"] = _ratio(
            outcomes.per_shopper(log_losses(scores, outcomes.labels)), np.diff(outcomes.starts).astype(np.float64)
        )
        found["calibration_error"] = _calibration_error(scores, outcomes)
    found["f1"] = _mean(order_f1(outcomes, scores > threshold))
    if chosen is not None:
        found["f1_expected"] = _mean(order_f1(outcomes, chosen))
    found["recall_at_10"] = _mean(recall_at(places, outcomes))
    found["ndcg_at_10"] = _mean(ndcg_at(places, outcomes))
    return found


def _mean(values: Floats) -> Statistic:
    """Mean over the shoppers that have a value."""
    known = ~np.isnan(values)
    return _ratio(np.where(known, values, 0.0), known.astype(np.float64))


def _ratio(above: Floats, below: Floats) -> Statistic:
    def value(weights: Floats | None) -> float:
        over = float(below.sum() if weights is None else below @ weights)
        return float(above.sum() if weights is None else above @ weights) / over if over else float("nan")

    return value


def _calibration_error(scores: npt.NDArray[np.floating], outcomes: Outcomes) -> Statistic:
    # Gaps per bin add up over rows, so one sum per (bin, shopper) serves every resample.
    index = np.minimum((scores * BINS).astype(np.int64), BINS - 1)
    place = index * outcomes.shoppers + outcomes.owners
    gaps = np.bincount(place, weights=scores - outcomes.labels, minlength=BINS * outcomes.shoppers)
    by_bin = gaps.reshape(BINS, outcomes.shoppers)
    rows = np.diff(outcomes.starts).astype(np.float64)

    def value(weights: Floats | None) -> float:
        drawn = np.ones(outcomes.shoppers) if weights is None else weights
        return float(np.abs(by_bin @ drawn).sum() / (rows @ drawn))

    return value


def _within(figure: Figure, metric: str) -> Figure:
    """Keep an interval that was moved inside what the metric can be: 0 to 1, for the log loss 0 and above."""
    most = float("inf") if metric == "log_loss" else 1.0
    return Figure(figure.value, max(figure.low, 0.0), min(figure.high, most))


def _figure(value: float, samples: Floats) -> Figure:
    known = samples[~np.isnan(samples)]
    if known.size == 0 or np.isnan(value):
        return Figure(value, float("nan"), float("nan"))
    low, high = np.quantile(known, (0.025, 0.975)) + (value - known.mean())
    return Figure(value, float(low), float(high))
