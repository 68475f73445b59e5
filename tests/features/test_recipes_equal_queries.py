"""Each feature recipe and the named query of the same name give the same rows, on every engine."""

import json
from typing import Any

import pyarrow as pa
import pytest

from nextbasket.definitions.store import DefinitionKind, Definitions
from nextbasket.features.builds import AsOf, build_of
from nextbasket.features.job import QUERIES, RECIPES
from nextbasket.grocery.sample import generate
from nextbasket.query.base import Query, QueryEngine
from nextbasket.recipes import compile, parse

from .shop import Shop, open_shop, read_tables

DEFINITIONS = Definitions()


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    folder = tmp_path_factory.mktemp("generated")
    generate(120, 7, folder / "csv", workers=1)
    return open_shop(folder / "home", read_tables(folder / "csv"))


@pytest.fixture(scope="module")
def built(shop: Shop) -> Shop:
    shop.build("training")
    return shop


def rows(shop: Shop, engine: QueryEngine, query: Query) -> list[tuple[Any, ...]]:
    handle = engine.start(query, shop.workgroup.inputs(query))
    table = pa.Table.from_batches(list(handle.batches()), handle.schema)
    return sorted((tuple(row[name] for name in sorted(row)) for row in table.to_pylist()), key=repr)


def recipe(shop: Shop, as_of: str, name: str) -> Query:
    build = build_of(AsOf(as_of), lambda table: shop.catalog.scan(table).schema)
    return compile(parse(DEFINITIONS.text(DefinitionKind.RECIPES, name), name), build.sources[RECIPES[name]]).expression


def query(shop: Shop, as_of: str, name: str) -> str:
    build = build_of(AsOf(as_of), lambda table: shop.catalog.scan(table).schema)
    return build.bind(DEFINITIONS.text(DefinitionKind.QUERIES, name))


@pytest.mark.parametrize("as_of", ["training", "serving"])
@pytest.mark.parametrize("name", list(RECIPES))
def test_recipe_equals_query_on_duckdb(shop: Shop, as_of: str, name: str) -> None:
    engine = shop.workgroup.engine
    found = rows(shop, engine, recipe(shop, as_of, name))
    assert len(found) > 100
    assert found == rows(shop, engine, query(shop, as_of, name))


def test_the_recipes_are_databrews_own_form() -> None:
    actions = [
        step["Action"]["Operation"] for step in json.loads(DEFINITIONS.text(DefinitionKind.RECIPES, "prd_features"))
    ]
    assert actions == ["ROW_NUMBER", "CHANGE_DATA_TYPE", "CATEGORICAL_MAPPING", "CATEGORICAL_MAPPING", "GROUP_BY"]
    for name in RECIPES:
        for step in json.loads(DEFINITIONS.text(DefinitionKind.RECIPES, name)):
            # The API takes a map of text to text.
            assert all(isinstance(value, str) for value in step["Action"]["Parameters"].values())


@pytest.fixture(scope="module")
def spark(tmp_path_factory: pytest.TempPathFactory) -> QueryEngine:
    from nextbasket.query.spark import SparkEngine

    return SparkEngine(tmp_path_factory.mktemp("spark"))


@pytest.mark.spark
@pytest.mark.parametrize("name", list(RECIPES))
def test_recipe_and_query_on_spark_equal_those_on_duckdb(shop: Shop, spark: QueryEngine, name: str) -> None:
    expected = rows(shop, shop.workgroup.engine, query(shop, "serving", name))
    assert rows(shop, spark, recipe(shop, "serving", name)) == expected
    assert rows(shop, spark, query(shop, "serving", name)) == expected


@pytest.mark.spark
@pytest.mark.parametrize("name", QUERIES)
def test_feature_queries_on_spark_equal_those_on_duckdb(built: Shop, spark: QueryEngine, name: str) -> None:
    text = query(built, "training", name)
    assert rows(built, spark, text) == rows(built, built.workgroup.engine, text)
