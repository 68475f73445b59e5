"""Metrics equal scikit-learn's, or values computed by hand."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as peer

from nextbasket.model import metrics
from nextbasket.model.metrics import Outcomes


def outcomes_of(sizes: list[int], labels: np.ndarray) -> Outcomes:
    return Outcomes(labels.astype(bool), np.concatenate(([0], np.cumsum(sizes))).astype(np.int64))


def random_case(seed: int, ties: bool = False) -> tuple[np.ndarray, Outcomes]:
    generator = np.random.default_rng(seed)
    sizes = generator.integers(1, 30, 60)
    scores = generator.random(sizes.sum()).astype(np.float32)
    if ties:
        scores = np.round(scores, 1).astype(np.float32)
    labels = generator.random(sizes.sum()) < 0.1 + 0.3 * scores
    return scores, outcomes_of(sizes.tolist(), labels)


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("weighted", [False, True])
def test_ranking_metrics_equal_scikit_learn(ties: bool, weighted: bool) -> None:
    scores, outcomes = random_case(3, ties)
    weights = next(metrics.resamples(outcomes.shoppers, 1, seed=4)) if weighted else None
    rows = None if weights is None else weights[outcomes.owners]
    auc, average_precision = metrics.auc_and_average_precision(metrics.rank(scores, outcomes), weights)
    assert auc == pytest.approx(peer.roc_auc_score(outcomes.labels, scores, sample_weight=rows), rel=1e-12)
    assert average_precision == pytest.approx(
        peer.average_precision_score(outcomes.labels, scores, sample_weight=rows), rel=1e-12
    )


@settings(max_examples=60)
@given(st.data())
def test_ranking_metrics_equal_scikit_learn_on_any_small_case(data: st.DataObject) -> None:
    n = data.draw(st.integers(2, 12))
    scores = np.array(data.draw(st.lists(st.sampled_from([0.0, 0.25, 0.5, 0.75]), min_size=n, max_size=n)))
    labels = np.array([True, False, *data.draw(st.lists(st.booleans(), min_size=n - 2, max_size=n - 2))])
    outcomes = outcomes_of([n], labels)
    auc, average_precision = metrics.auc_and_average_precision(metrics.rank(scores, outcomes))
    assert auc == pytest.approx(peer.roc_auc_score(labels, scores))
    assert average_precision == pytest.approx(peer.average_precision_score(labels, scores))
    true, false = metrics.cumulated(scores, outcomes)
    false_rate, recall, _ = peer.roc_curve(labels, scores, drop_intermediate=False)
    assert (false / false[-1]).tolist() == pytest.approx(false_rate[1:].tolist())
    assert (true / true[-1]).tolist() == pytest.approx(recall[1:].tolist())


def test_one_kind_of_candidate_has_no_ranking_metrics() -> None:
    outcomes = outcomes_of([3], np.array([0, 0, 0]))
    assert np.isnan(metrics.auc_and_average_precision(metrics.rank(np.array([0.1, 0.2, 0.3]), outcomes))).all()


def test_log_loss_equals_scikit_learn() -> None:
    scores, outcomes = random_case(5)
    found = metrics.measure(scores, outcomes, threshold=0.5, count=2).figures["log_loss"].value
    assert found == pytest.approx(peer.log_loss(outcomes.labels, scores.astype(np.float64)), rel=1e-6)


def test_ndcg_and_recall_equal_scikit_learn_per_shopper() -> None:
    scores, outcomes = random_case(6)
    places = metrics.rank_within(scores, outcomes)
    ndcg, recall = metrics.ndcg_at(places, outcomes), metrics.recall_at(places, outcomes)
    for shopper in range(outcomes.shoppers):
        rows = slice(outcomes.starts[shopper], outcomes.starts[shopper + 1])
        labels, own = outcomes.labels[rows], scores[rows]
        if not labels.any():
            assert np.isnan(ndcg[shopper])
            assert np.isnan(recall[shopper])
            continue
        if labels.size > 1:  # scikit-learn refuses a single document
            assert ndcg[shopper] == pytest.approx(peer.ndcg_score([labels], [own], k=10))
        best = np.argsort(-own, kind="stable")[:10]
        assert recall[shopper] == pytest.approx(labels[best].sum() / labels.sum())


def test_order_f1_counts_none_as_the_competition_does() -> None:
    # four shoppers: both baskets empty, only chosen, only bought, half right
    outcomes = outcomes_of([2, 2, 2, 3], np.array([0, 0, 0, 0, 1, 0, 1, 1, 0]))
    chosen = np.array([0, 0, 1, 0, 0, 0, 1, 0, 1], dtype=bool)
    assert metrics.order_f1(outcomes, chosen).tolist() == [1.0, 0.0, 0.0, 0.5]


def test_calibration_error_by_hand() -> None:
    # bins of 1/15: 0.01 and 0.03 share one (0 bought, 0.04 predicted), 0.9 stands alone (bought)
    outcomes = outcomes_of([3], np.array([0, 0, 1]))
    found = metrics.calibration(np.array([0.01, 0.03, 0.9]), outcomes.labels)
    assert found.rows.sum() == 3
    assert found.error() == pytest.approx((0.04 + 0.1) / 3)


def test_calibration_error_of_all_shoppers_equals_the_bins() -> None:
    scores, outcomes = random_case(7)
    measured = metrics.measure(scores, outcomes, threshold=0.5, count=2)
    assert measured.figures["calibration_error"].value == pytest.approx(
        metrics.calibration(scores.astype(np.float64), outcomes.labels).error(), rel=1e-6
    )


def test_intervals_cover_the_true_value() -> None:
    # scores say nothing: the true AUC is 0.5; 95 % intervals of 60 independent cases miss it about 3 times
    missed = 0
    for seed in range(60):
        generator = np.random.default_rng(seed)
        sizes = generator.integers(2, 10, 80)
        outcomes = outcomes_of(sizes.tolist(), generator.random(sizes.sum()) < 0.3)
        figure = metrics.measure(generator.random(sizes.sum()), outcomes, threshold=0.5, count=60, seed=1)
        missed += not figure.figures["auc"].low <= 0.5 <= figure.figures["auc"].high
    assert missed <= 10


def test_same_seed_same_intervals_and_paired_difference_is_zero() -> None:
    scores, outcomes = random_case(8)
    first = metrics.measure(scores, outcomes, threshold=0.3, count=20, seed=3)
    second = metrics.measure(scores, outcomes, threshold=0.3, count=20, seed=3)
    assert first.figures == second.figures
    lead = first.difference(second, "auc")
    assert (lead.value, lead.low, lead.high) == (0, 0, 0)


def test_equal_scores_keep_their_order() -> None:
    outcomes = outcomes_of([4], np.array([0, 0, 0, 1]))
    assert metrics.rank_within(np.array([0.5, 0.7, 0.5, 0.5]), outcomes).tolist() == [1, 0, 2, 3]


def test_best_threshold_by_hand() -> None:
    # above 0.2 and below 0.6 exactly the bought products are chosen, in both orders
    outcomes = outcomes_of([2, 2], np.array([1, 0, 1, 0]))
    assert metrics.best_threshold(np.array([0.6, 0.2, 0.9, 0.1]), outcomes) == 0.2
