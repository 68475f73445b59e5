"""Compare models on the held-out shoppers, beside the ranking by how often the shopper bought the product."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

import numpy as np
import numpy.typing as npt

from nextbasket.errors import ModelError
from nextbasket.model.choose import chosen_rows
from nextbasket.model.inputs import ModelInputs
from nextbasket.model.metrics import (
    Calibration,
    Figure,
    Measured,
    best_threshold,
    calibration,
    cumulated,
    f1_by_threshold,
    measure,
    rank_within,
)
from nextbasket.model.registry import ModelCard, Registry
from nextbasket.model.report import Curve, ReportedModel, render
from nextbasket.model.scored_rows import ScoredRows, scored_rows
from nextbasket.model.split import Part, Split
from nextbasket.progress import Progress, silent

RANKING = "frequency ranking"
"""The name of the peer that every model must beat: candidates sorted by up_order_rate."""

_CURVE_POINTS = 160


@dataclass(frozen=True, slots=True)
class Evaluated:
    """The metrics of each model and of the ranking by name, and each model's lead over the ranking, by metric."""

    shoppers: int
    candidates: int
    positives: int
    metrics: Mapping[str, Mapping[str, Figure]]
    leads: Mapping[str, Mapping[str, Figure]]
    cards: Sequence[ModelCard]


def evaluate(
    inputs: ModelInputs,
    registry: Registry,
    cards: Sequence[ModelCard],
    split: Split,
    *,
    resamples: int = 200,
    seed: int = 1,
    threads: int = 1,
    progress: Progress = silent,
) -> Evaluated:
    """Measure models on the held-out shoppers and write metrics and report into each one's version.

    Where the held-out shoppers are so few that nothing can be told apart, nothing is measured: the metrics are empty.
    Raises ModelError when a model was trained with another split.
    """
    for card in cards:
        if (card.split["seed"], card.split["held_out"]) != (split.seed, split.held_out):
            raise ModelError(f"{card.full_name} was trained with another split of the shoppers; train it again.")
    predictors = {card.full_name: registry.load(card.name, card.version, threads=threads) for card in cards}
    held_out = scored_rows(inputs, split, Part.HELD_OUT, predictors, progress=progress)
    outcomes = held_out.outcomes
    bought = int(np.count_nonzero(outcomes.labels))
    if bought in (0, outcomes.labels.size):
        progress(f"the held-out tenth has {outcomes.shoppers} shoppers and nothing to tell apart: not measured", 1.0)
        return Evaluated(outcomes.shoppers, outcomes.labels.size, bought, {}, {}, tuple(cards))
    tuning = scored_rows(inputs, split, Part.VALIDATION, {})
    ranking_threshold = best_threshold(tuning.frequency, tuning.outcomes) if tuning.outcomes.shoppers else 0.5

    progress("measuring the frequency ranking", 0.1)
    peer = measure(
        held_out.frequency, outcomes, threshold=ranking_threshold, probabilities=False, count=resamples, seed=seed
    )
    measured: dict[str, Measured] = {}
    for index, card in enumerate(cards):
        progress(f"measuring {card.full_name}", (index + 1) / (len(cards) + 1))
        scores = held_out.scores[card.full_name]
        chosen = chosen_rows(scores, outcomes.starts, rank_within(scores, outcomes))
        measured[card.full_name] = measure(
            scores, outcomes, threshold=card.threshold, chosen=chosen, count=resamples, seed=seed
        )
    leads = {
        name: {metric: own.difference(peer, metric) for metric in own.figures if metric in peer.figures}
        for name, own in measured.items()
    }
    metrics = {name: own.figures for name, own in measured.items()} | {RANKING: peer.figures}
    evaluation = {
        "shoppers": outcomes.shoppers,
        "candidates": int(outcomes.labels.size),
        "positives": bought,
        "resamples": resamples,
        "ranking": {metric: asdict(figure) for metric, figure in peer.figures.items()},
        "ranking_threshold": ranking_threshold,
    }
    shown = [
        ReportedModel(
            card,
            measured[card.full_name].figures,
            leads[card.full_name],
            _curve(card.full_name, held_out, held_out.scores[card.full_name]),
            _calibration(held_out, card.full_name),
            predictors[card.full_name].importance(),
        )
        for card in cards
    ]
    ranked_curve = _curve(RANKING, held_out, held_out.frequency)
    recorded = []
    for index, card in enumerate(cards):
        # Each model's report shows all of them, its own first.
        page = render([shown[index], *shown[:index], *shown[index + 1 :]], ranked_curve, peer.figures, evaluation)
        own = {metric: asdict(figure) for metric, figure in measured[card.full_name].figures.items()}
        lead = {metric: asdict(figure) for metric, figure in leads[card.full_name].items()}
        recorded.append(registry.record_evaluation(card, own, {**evaluation, "lead": lead}, page))
    return Evaluated(
        shoppers=outcomes.shoppers,
        candidates=int(outcomes.labels.size),
        positives=bought,
        metrics=metrics,
        leads=leads,
        cards=tuple(recorded),
    )


def _curve(name: str, rows: ScoredRows, scores: npt.NDArray[np.float32]) -> Curve:
    true, false = cumulated(scores, rows.outcomes)
    false_rate, recall = np.append(0.0, false / false[-1]), np.append(0.0, true / true[-1])
    precision = true / (true + false)
    # Even steps along each curve's own axis keep its shape with few points.
    roc = np.unique(np.searchsorted(false_rate, np.linspace(0, 1, _CURVE_POINTS)).clip(0, false_rate.size - 1))
    first = min(int(np.searchsorted(true, 0.01 * true[-1])), true.size - 1)
    steps = np.linspace(recall[first + 1], 1, _CURVE_POINTS)
    pr = np.unique(np.searchsorted(recall[1:], steps).clip(0, true.size - 1))
    return Curve(
        name,
        roc=tuple(zip(false_rate[roc].tolist(), recall[roc].tolist(), strict=True)),
        precision_recall=tuple(zip(recall[1:][pr].tolist(), precision[pr].tolist(), strict=True)),
        f1=f1_by_threshold(scores, rows.outcomes, 0.02),
    )


def _calibration(rows: ScoredRows, name: str) -> Calibration:
    return calibration(rows.scores[name], rows.outcomes.labels)
