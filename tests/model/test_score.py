"""Scoring covers every candidate once, chooses baskets from the stored probabilities, and happens once per run."""

import csv
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from nextbasket.errors import InputError, ModelError, NotFoundError
from nextbasket.model.choose import choose_baskets
from nextbasket.model.inputs import SERVING_FEATURES, SERVING_FINAL_FEATURES, ModelInputs
from nextbasket.model.lookup import Lookup
from nextbasket.model.score import NEXT_BASKETS, PREDICTIONS, Scored, score
from nextbasket.model.submission import TABLES, write_submission
from nextbasket.model.training_set import FeatureChoice, candidates, feature_matrix, shopper_starts

from .conftest import TrainedShop
from .shop import Shop, fill, open_shop


def serving_inputs(shop: Shop) -> ModelInputs:
    return ModelInputs(shop.engine, shop.catalog, [SERVING_FEATURES, SERVING_FINAL_FEATURES])


def read(shop: Shop, table: str, *order: str) -> pa.Table:
    inputs = ModelInputs(shop.engine, shop.catalog, [table])
    return inputs.table(inputs.relation(table).order_by(*order))


@pytest.fixture(scope="module")
def scored(trained: TrainedShop) -> Scored:
    predictor = trained.registry.load("final")
    return score(serving_inputs(trained.shop), predictor, trained.shop.catalog, trained.shop.lake, run_id="score-1")


def test_every_candidate_is_predicted_once(trained: TrainedShop, scored: Scored) -> None:
    predictor = trained.registry.load("final")
    inputs = serving_inputs(trained.shop)
    features = FeatureChoice.of(predictor.feature_names)
    query = candidates(inputs, SERVING_FEATURES, SERVING_FINAL_FEATURES, features).order_by("user_id", "product_id")
    wanted = inputs.table(query)
    found = read(trained.shop, PREDICTIONS, "user_id", "product_id")
    assert found.select(["user_id", "product_id"]).equals(wanted.select(["user_id", "product_id"]))
    probabilities = predictor.predict(feature_matrix(wanted, predictor.feature_names))
    assert np.array_equal(found.column("probability").to_numpy(), probabilities.astype(np.float64))
    assert set(found.column("model_version").to_pylist()) == {"final/1"}
    assert scored.predictions == wanted.num_rows
    assert scored.shoppers == 900


def test_baskets_are_the_chosen_best(trained: TrainedShop, scored: Scored) -> None:
    predictions = read(trained.shop, PREDICTIONS, "user_id", "product_id").to_pydict()
    by_shopper: dict[int, list[tuple[float, int]]] = {}
    for user, product, p in zip(*(predictions[c] for c in ("user_id", "product_id", "probability")), strict=True):
        by_shopper.setdefault(user, []).append((-p, product))
    wanted = []
    for user, products in sorted(by_shopper.items()):
        ordered = sorted(products)
        size = choose_baskets(np.array([-p for p, _ in ordered]), np.array([0, len(ordered)])).sizes[0]
        wanted += [(user, product, place + 1) for place, (_, product) in enumerate(ordered[:size])]
    found = read(trained.shop, NEXT_BASKETS, "user_id", "rank").to_pydict()
    assert list(zip(found["user_id"], found["product_id"], found["rank"], strict=True)) == wanted
    assert scored.baskets == len(wanted)
    assert scored.empty_baskets == 900 - len({user for user, _, _ in wanted})


def test_a_repeated_run_id_changes_nothing(trained: TrainedShop, scored: Scored) -> None:
    before = {name: trained.shop.catalog.scan(name).snapshot_id for name in (PREDICTIONS, NEXT_BASKETS)}
    predictor = trained.registry.load("final")
    again = score(serving_inputs(trained.shop), predictor, trained.shop.catalog, trained.shop.lake, run_id="score-1")
    assert again == scored
    assert {name: trained.shop.catalog.scan(name).snapshot_id for name in before} == before


def test_result_files_belong_to_a_table_or_are_gone(trained: TrainedShop, scored: Scored) -> None:
    left = list((trained.shop.home / "warehouse").rglob("unsorted.parquet"))
    assert scored.predictions
    assert left == []


def test_shoppers_across_batches_stay_whole(tmp_path: Path, trained: TrainedShop, monkeypatch) -> None:
    shop = open_shop(tmp_path)
    fill(shop, shoppers=120, text_ids=True)
    predictor = trained.registry.load("final")
    whole = score(serving_inputs(shop), predictor, shop.catalog, shop.lake, run_id="a")
    rows = read(shop, PREDICTIONS, "user_id", "product_id"), read(shop, NEXT_BASKETS, "user_id", "rank")
    monkeypatch.setattr("nextbasket.model.training_set._ROWS_PER_GROUP", 50)
    monkeypatch.setattr("nextbasket.query.duckdb.BATCH_ROWS", 7)
    parts = score(serving_inputs(shop), predictor, shop.catalog, shop.lake, run_id="b")
    assert parts == whole
    assert read(shop, PREDICTIONS, "user_id", "product_id").equals(rows[0])
    assert read(shop, NEXT_BASKETS, "user_id", "rank").equals(rows[1])
    assert rows[0].schema.field("user_id").type == pa.string()
    assert shopper_starts(rows[0].column("user_id")).size == 120


def test_features_the_model_needs_are_named_when_missing(tmp_path: Path, trained: TrainedShop) -> None:
    shop = open_shop(tmp_path)
    fill(shop, shoppers=20)
    shop.catalog.drop(SERVING_FINAL_FEATURES)
    shop.put(SERVING_FINAL_FEATURES, pa.table({"user_id": [1], "product_id": [1], "is_new": [True]}))
    with pytest.raises(InputError, match="lacks the columns overdue"):
        score(serving_inputs(shop), trained.registry.load("final"), shop.catalog, shop.lake, run_id="x")


def test_no_candidates_is_one_sentence(tmp_path: Path, trained: TrainedShop) -> None:
    shop = open_shop(tmp_path)
    fill(shop, shoppers=20)
    inputs = serving_inputs(shop)
    empty = inputs.schema(SERVING_FEATURES).empty_table()
    shop.catalog.drop(SERVING_FEATURES)
    shop.put(SERVING_FEATURES, empty)
    with pytest.raises(ModelError, match="holds no candidates"):
        score(serving_inputs(shop), trained.registry.load("final"), shop.catalog, shop.lake, run_id="x")


def test_submission_has_one_line_per_test_order(trained: TrainedShop, scored: Scored, tmp_path: Path) -> None:
    target = tmp_path / "results" / "submission.csv"
    count = write_submission(ModelInputs(trained.shop.engine, trained.shop.catalog, TABLES), target)
    with target.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert count == len(rows) == 90
    assert [int(row["order_id"]) for row in rows] == [100_000 + 10 * i for i in range(1, 91)]
    baskets = read(trained.shop, NEXT_BASKETS, "user_id", "rank").to_pylist()
    wanted: dict[int, list[str]] = {}
    for row in baskets:
        wanted.setdefault(row["user_id"], []).append(str(row["product_id"]))
    for row in rows:
        assert row["products"] == (" ".join(wanted.get(int(row["order_id"]) - 100_000, [])) or "None")
    assert scored.empty_baskets
    assert [path.name for path in target.parent.iterdir()] == ["submission.csv"]


def test_lookup_of_one_shopper(trained: TrainedShop, scored: Scored) -> None:
    lookup = Lookup(trained.shop.engine, trained.shop.catalog)
    found = lookup.shopper("7")
    assert [one.probability for one in found] == sorted((one.probability for one in found), reverse=True)
    assert found[0].product_name == f"Product {found[0].product_id}"
    ranks = [one.rank for one in found if one.rank is not None]
    assert ranks == list(range(1, len(ranks) + 1))
    assert lookup.shopper("7", str(found[1].product_id)) == [found[1]]
    assert scored.model_version == found[0].model_version


@pytest.mark.parametrize("shopper", ["999999", "nobody", "07", "7; DROP TABLE x", ""])
def test_unknown_shopper_is_one_sentence(trained: TrainedShop, scored: Scored, shopper: str) -> None:
    with pytest.raises(NotFoundError, match="there is no shopper"):
        Lookup(trained.shop.engine, trained.shop.catalog).shopper(shopper)
    assert scored


@pytest.mark.parametrize("product", ["999999", "cheese"])
def test_product_never_bought_is_one_sentence(trained: TrainedShop, scored: Scored, product: str) -> None:
    with pytest.raises(NotFoundError, match="never bought product"):
        Lookup(trained.shop.engine, trained.shop.catalog).shopper("7", product)
    assert scored


def test_recommendations_are_expected_units(trained: TrainedShop, scored: Scored) -> None:
    predictions = read(trained.shop, PREDICTIONS, "product_id").to_pydict()
    units: dict[int, float] = {}
    for product, p in zip(predictions["product_id"], predictions["probability"], strict=True):
        units[product] = units.get(product, 0.0) + p
    found = Lookup(trained.shop.engine, trained.shop.catalog).recommend(5)
    best = sorted(units, key=lambda product: (-units[product], product))[:5]
    assert [one.product_id for one in found] == best
    assert [one.expected_units for one in found] == pytest.approx([units[product] for product in best])
    assert scored


def test_nothing_scored_yet_says_what_to_run(tmp_path: Path) -> None:
    shop = open_shop(tmp_path)
    fill(shop, shoppers=20)
    with pytest.raises(NotFoundError, match="run 'nextbasket score' first"):
        Lookup(shop.engine, shop.catalog)
