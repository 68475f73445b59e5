"""Evaluation looks only at held-out shoppers, and its page stands alone."""

import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from nextbasket.errors import ModelError
from nextbasket.model.evaluate import RANKING, evaluate
from nextbasket.model.scored_rows import scored_rows
from nextbasket.model.split import Part, Split
from nextbasket.model.training_set import FeatureChoice, feature_matrix, labelled

from .conftest import TrainedShop, training_inputs
from .shop import fill, open_shop


def test_figures_equal_scikit_learn_on_the_held_out_shoppers(trained: TrainedShop) -> None:
    predictor = trained.registry.load("final")
    features = FeatureChoice.of(predictor.feature_names)
    table = trained.inputs.table(labelled(trained.inputs, features, Split(), {Part.HELD_OUT}))
    scores = predictor.predict(feature_matrix(table, predictor.feature_names))
    labels = table.column("label").to_numpy()
    assert trained.evaluated.candidates == table.num_rows
    assert trained.evaluated.shoppers == len(set(table.column("user_id").to_pylist()))
    found = trained.evaluated.metrics["final/1"]["auc"].value
    assert found == pytest.approx(roc_auc_score(labels, scores))
    rate = feature_matrix(table.select(["up_order_rate"]), ("up_order_rate",))[:, 0]
    assert trained.evaluated.metrics[RANKING]["auc"].value == pytest.approx(roc_auc_score(labels, rate))


def test_final_beats_the_ranking_beyond_chance(trained: TrainedShop) -> None:
    assert trained.evaluated.leads["final/1"]["auc"].low > 0
    assert trained.evaluated.leads["final/1"]["average_precision"].low > 0


def test_card_carries_metrics_with_intervals(trained: TrainedShop) -> None:
    card = trained.registry.latest("final")
    assert set(card.metrics) == {
        "auc",
        "average_precision",
        "log_loss",
        "calibration_error",
        "f1",
        "f1_expected",
        "recall_at_10",
        "ndcg_at_10",
    }
    for figure in card.metrics.values():
        assert figure["low"] <= figure["value"] <= figure["high"]
    assert card.evaluation["shoppers"] == trained.evaluated.shoppers


def test_same_seed_gives_the_same_evaluation(trained: TrainedShop) -> None:
    again = evaluate(
        trained.inputs, trained.registry, [trained.final, trained.baseline], trained.settings.split, resamples=50
    )
    assert again.metrics == trained.evaluated.metrics
    assert again.leads == trained.evaluated.leads


def test_another_split_is_refused(trained: TrainedShop) -> None:
    with pytest.raises(ModelError, match="another split"):
        evaluate(trained.inputs, trained.registry, [trained.final], Split(seed=1))


def test_too_few_held_out_shoppers_are_not_measured(trained: TrainedShop, tmp_path: Path) -> None:
    shop = open_shop(tmp_path)
    fill(shop, shoppers=3)  # sha256 puts none of 1, 2, 3 into the held-out tenth
    told: list[str] = []
    found = evaluate(
        training_inputs(shop),
        trained.registry,
        [trained.final],
        trained.settings.split,
        progress=lambda message, _: told.append(message),
    )
    assert (found.shoppers, found.metrics, found.leads) == (0, {}, {})
    assert "not measured" in told[-1]


def test_rows_are_grouped_by_shopper(trained: TrainedShop) -> None:
    rows = scored_rows(trained.inputs, Split(), Part.HELD_OUT, {})
    assert rows.outcomes.starts[0] == 0
    assert rows.outcomes.starts[-1] == rows.outcomes.labels.size
    assert (np.diff(rows.outcomes.starts) >= 3).all()  # each generated shopper has 3 to 29 candidates
    assert not rows.scores


class Page(HTMLParser):
    """Collects what a page refers to and whether its tags close."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.references: list[str] = []
        self.drawings = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in {"meta", "link", "br"}:
            self.open.append(tag)
        self.drawings += tag == "svg"
        self.references += [value or "" for name, value in attrs if name in {"src", "href", "xlink:href"}]

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in {"meta", "link", "br"}:
            self.handle_endtag(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_report_stands_alone(trained: TrainedShop) -> None:
    text = (trained.registry.path("final", 1) / "report.html").read_text(encoding="utf-8")
    page = Page()
    page.feed(text)
    assert page.open == []
    assert page.drawings == 4
    assert [reference for reference in page.references if not reference.startswith("#")] == []
    assert re.findall(r"url\((?!#)", text) == []
    assert set(re.findall(r'https?://[^"\s<]+', text)) <= {"http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"}
    assert "prefers-color-scheme: dark" in text
    assert "user_period" in text
    auc = trained.evaluated.metrics["final/1"]["auc"]
    assert f"{auc.value:.4f}<small>{auc.low:.4f} to {auc.high:.4f}</small>" in text


def test_report_escapes_names(trained: TrainedShop) -> None:
    card = replace(trained.registry.latest("final"), title="<script>")
    evaluate(trained.inputs, trained.registry, [card], trained.settings.split, resamples=5)
    text = (trained.registry.path("final", 1) / "report.html").read_text(encoding="utf-8")
    evaluate(trained.inputs, trained.registry, [trained.final, trained.baseline], trained.settings.split, resamples=50)
    assert "<script>" not in text
    assert "&lt;script&gt;" in text
