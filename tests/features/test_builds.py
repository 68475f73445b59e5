"""The two builds: nothing of the label is seen, what is missing is NULL, what was read is noted, repeats are free."""

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from nextbasket.definitions.store import DefinitionKind, Definitions
from nextbasket.features import BASELINE_FEATURES, AsOf, FeatureJob
from nextbasket.features.builds import build_of
from nextbasket.features.job import INPUTS_KEY, QUERIES, RECIPES

from .shop import TINY_SHOP, Shop, open_shop, read_tables

ALL = (*RECIPES, *QUERIES)


def tables_of(shop: Shop, database: str) -> dict[str, list[dict[str, object]]]:
    return {name: shop.content(f"{database}.{name}") for name in ALL}


def with_other_label(tables: dict[str, pa.Table]) -> dict[str, pa.Table]:
    """Return the shop with quite other lines in the train orders; their headers stay."""
    lines = pa.table(
        {
            "order_id": [104, 104, 302, 302, 302],
            "product_id": [20, 40, 10, 30, 50],
            "add_to_cart_order": [1, 2, 1, 2, 3],
            "reordered": [1, 1, 0, 1, 0],
        }
    )
    return {**tables, "order_products__train": lines}


def test_no_training_feature_sees_the_lines_of_the_label(tmp_path: Path) -> None:
    tables = read_tables(TINY_SHOP)
    shop, other = open_shop(tmp_path / "a", tables), open_shop(tmp_path / "b", with_other_label(tables))
    for one in (shop, other):
        one.build("training")
        one.job.prepare("serving", "serving")
    assert tables_of(shop, "features") == tables_of(other, "features")
    # The same change is history for the serving build, so the comparison can fail.
    for name in RECIPES:
        if name != "user_features_1":  # looks at headers only
            assert shop.content(f"features_serving.{name}") != other.content(f"features_serving.{name}")


@pytest.mark.slow
def test_no_serving_feature_sees_a_header_beyond_the_target(tmp_path: Path) -> None:
    """The training build of a shop whose train order is not known yet is the serving build before it came."""
    tables = read_tables(TINY_SHOP)
    orders = tables["orders"]
    shop = open_shop(tmp_path / "now", tables)
    shop.build("training")
    # Before order 104 and 302 were filled: their headers are there, without lines; 203 was not placed.
    before = orders.filter(pc.not_equal(orders["order_id"], 203))
    marks = pc.if_else(pc.equal(before["eval_set"], "train"), "test", before["eval_set"])
    before = before.set_column(before.column_names.index("eval_set"), "eval_set", marks)
    no_lines = tables["order_products__train"].slice(0, 0)
    earlier = open_shop(tmp_path / "then", {**tables, "orders": before, "order_products__train": no_lines})
    earlier.build("serving")
    assert shop.content("features.feature_table") == earlier.content("features_serving.feature_table")
    mine = [row for row in shop.content("features.final_features") if row["user_id"] != 2]
    theirs = [row for row in earlier.content("features_serving.final_features") if row["user_id"] != 2]
    assert mine == theirs


def without(tables: dict[str, pa.Table], *names: str) -> dict[str, pa.Table]:
    return {
        table: data.drop_columns([name for name in names if name in data.column_names])
        for table, data in tables.items()
    }


@pytest.mark.parametrize("as_of", ["training", pytest.param("serving", marks=pytest.mark.slow)])
def test_missing_columns_make_null_features_and_nothing_else(tmp_path: Path, as_of: str) -> None:
    optional = ("order_dow", "order_hour_of_day", "days_since_prior_order", "add_to_cart_order", "reordered")
    tables = read_tables(TINY_SHOP)
    full, bare = (
        open_shop(tmp_path / "full", tables),
        open_shop(tmp_path / "bare", without(tables, *optional, "aisle_id", "department_id", "product_name")),
    )
    for shop in (full, bare):
        shop.build(as_of)
    database = "features" if as_of == "training" else "features_serving"
    nulls = {
        "user_mean_days_since_prior",
        "user_period",
        "user_reorder_ratio",
        "up_average_cart_position",
        "prod_reorder_times",
        "prod_reorder_ratio",
    }
    for whole, row in zip(
        full.content(f"{database}.feature_table"), bare.content(f"{database}.feature_table"), strict=True
    ):
        assert {name for name in BASELINE_FEATURES if row[name] is None} == nulls
        assert {n: v for n, v in row.items() if n not in nulls} == {n: v for n, v in whole.items() if n not in nulls}
    row = bare.content(f"{database}.final_features")[0]
    empty = {name for name, value in row.items() if value is None}
    assert empty == {
        *("up_days_since", "up_mean_gap_days", "up_days_since_over_gap", "target_gap", "target_gap_over_usual"),
        *("target_dow", "target_hour", "up_target_dow_share", "up_target_hour_share", "prod_target_dow_lift"),
        *("aisle_reorder_ratio", "department_reorder_ratio", "user_reorder_share_last_5"),
    }
    assert row["up_streak"] == full.content(f"{database}.final_features")[0]["up_streak"]


@pytest.mark.slow
def test_ids_may_be_texts(tmp_path: Path) -> None:
    tables = read_tables(TINY_SHOP)
    texts = {
        name: pa.table(
            {
                column: pc.binary_join_element_wise("id-", data[column].cast(pa.string()), "")
                if column.endswith("_id")
                else data[column]
                for column in data.column_names
            }
        )
        for name, data in tables.items()
    }
    numbered, named = open_shop(tmp_path / "numbers", tables), open_shop(tmp_path / "texts", texts)
    for shop in (numbered, named):
        shop.build("training")
        shop.build("serving")
    for table in ("features.feature_table", "features_serving.final_features"):
        expected = [
            {**row, "user_id": f"id-{row['user_id']}", "product_id": f"id-{row['product_id']}"}
            for row in numbered.content(table)
        ]
        assert named.content(table) == expected


def test_a_commit_notes_the_snapshots_it_was_made_from(tmp_path: Path) -> None:
    shop = open_shop(tmp_path, read_tables(TINY_SHOP))
    prepared = shop.job.prepare("training", "p1")
    built = shop.job.build("training", "b1")
    noted = json.loads(prepared["prd_features"].summary[INPUTS_KEY])
    assert noted["shop.order_products_prior"] == shop.catalog.scan("shop.order_products_prior").snapshot_id
    noted = json.loads(built["feature_table"].summary[INPUTS_KEY])
    assert noted["features.up_features"] == prepared["up_features"].id
    noted = json.loads(built["final_features"].summary[INPUTS_KEY])
    assert noted["features.final_pairs"] == built["final_pairs"].id
    assert built["final_features"].summary["nextbasket.as_of"] == "training"


@pytest.mark.slow
def test_the_same_run_id_does_nothing_twice_and_another_replaces(tmp_path: Path) -> None:
    shop = open_shop(tmp_path, read_tables(TINY_SHOP))
    first = shop.job.prepare("training", "p1")
    assert shop.job.prepare("training", "p1") == first
    shop.job.build("training", "b1")
    before = tables_of(shop, "features")
    second = shop.job.prepare("training", "p2")
    assert all(second[name].id != first[name].id for name in RECIPES)
    shop.job.build("training", "b2")
    assert tables_of(shop, "features") == before


def test_progress_names_each_step(tmp_path: Path) -> None:
    shop = open_shop(tmp_path, read_tables(TINY_SHOP))
    told: list[tuple[str, float | None]] = []
    shop.job.prepare("training", "p1", lambda message, fraction: told.append((message, fraction)))
    assert [message for message, _ in told] == [*(f"recipe {name}" for name in RECIPES), "recipes done"]
    assert told[-1][1] == 1.0


@pytest.mark.slow
def test_a_changed_query_changes_the_table_and_leaves_no_old_column(tmp_path: Path) -> None:
    shop = open_shop(tmp_path / "home", read_tables(TINY_SHOP))
    shop.build("training")
    own = tmp_path / "own" / "queries"
    own.mkdir(parents=True)
    (own / "final_features.sql").write_text(
        "SELECT user_id, product_id, CAST(up_orders AS DOUBLE) AS up_streak FROM up_features", encoding="utf-8"
    )
    job = FeatureJob(shop.workgroup, shop.catalog, Definitions(tmp_path / "own"))
    job.build("training", "changed")
    rows = shop.content("features.final_features")
    assert list(rows[0]) == ["user_id", "product_id", "up_streak"]
    assert [row["up_streak"] for row in rows] == [3.0, 2.0, 1.0, 1.0, 2.0, 1.0, 1.0, 1.0]


def test_training_queries_read_the_tables_they_name(tmp_path: Path) -> None:
    """A named query runs as it stands: it is the training build's, with the names looked up in the databases."""
    shop = open_shop(tmp_path, read_tables(TINY_SHOP))
    shop.build("training")
    build = build_of(AsOf.TRAINING, lambda name: shop.catalog.scan(name).schema)
    for name in ALL:
        text = Definitions().text(DefinitionKind.QUERIES, name)
        alone = shop.workgroup.table(text, database="features")
        bound = shop.workgroup.table(build.bind(text))
        order = [(column, "ascending") for column in alone.column_names]
        assert alone.sort_by(order) == bound.sort_by(order)
