"""A features line: the published page's 18 values, in its order, and what the feature table makes of their parts."""

from pathlib import Path

import pytest

from nextbasket.definitions.store import DefinitionKind, Definitions
from nextbasket.errors import InputError
from nextbasket.features.baseline import BASELINE_FEATURES, features_line, parse_features_line
from nextbasket.query.duckdb import DuckDBEngine

PUBLISHED = (
    "1,6.67578125,3418,209,0.595703125,514,10.0,11,57,11,1599,0.1498791297340854,1.2884770346494763,"
    "0.22388993120700437,9.017543859649123,0.017543859649122806,46,0.02127659574468085"
)


def test_the_published_line_reads_and_writes_the_same_values() -> None:
    values = parse_features_line(PUBLISHED)
    assert list(values) == list(BASELINE_FEATURES)
    assert values["up_orders"] == 1
    assert values["user_period"] == 3418
    assert values["prod_orders"] == 1599
    assert values["up_orders_since_last_order"] == 46
    assert parse_features_line(features_line(values)) == values


def test_the_feature_table_derives_the_published_values_from_their_parts(tmp_path: Path) -> None:
    # 1599 lines, 358 reordered (0.2239), 1241 shoppers with a first purchase (1 + 358/1241), 186 with a second.
    sql = Definitions().text(DefinitionKind.QUERIES, "feature_table")
    parts = """WITH up_features AS (SELECT 7 AS user_id, 8 AS product_id, 1 AS up_orders,
            1e1 AS up_average_cart_position, 11 AS up_first_order, 11 AS up_last_order),
        user_features_1 AS (SELECT 7 AS user_id, 57 AS user_orders, 3418e0 AS user_period,
            6.67578125e0 AS user_mean_days_since_prior),
        user_features_2 AS (SELECT 7 AS user_id, 514 AS user_total_products, 209 AS user_distinct_products,
            0.595703125e0 AS user_reorder_ratio),
        prd_features AS (SELECT 8 AS product_id, 1599 AS prod_orders, 358 AS prod_reorders, 1241 AS prod_first_orders,
            186 AS prod_second_orders)
        """
    engine = DuckDBEngine(tmp_path, threads=1)
    (batch,) = engine.start(parts + sql, {}).batches()
    (row,) = batch.to_pylist()
    assert {name: row[name] for name in BASELINE_FEATURES} == parse_features_line(PUBLISHED)


def test_a_missing_value_is_an_empty_field() -> None:
    values = dict.fromkeys(BASELINE_FEATURES, 1.0) | {"user_period": None}
    assert features_line(values).split(",")[2] == ""
    assert parse_features_line(features_line(values))["user_period"] is None


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("1,2,3", "has 18 values and this one has 3"),
        (PUBLISHED.replace("3418", "many"), "'many' of user_period"),
    ],
)
def test_a_wrong_line_is_told_by_name(line: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        parse_features_line(line)
