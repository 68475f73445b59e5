"""What a person asks to be written never destroys what the home or the person has."""

import json
from pathlib import Path

import pytest

from .command import nextbasket

pytestmark = pytest.mark.slow

STEPS = '[{"Action": {"Operation": "DELETE", "Parameters": {"sourceColumns": "[\\"aisle_id\\"]"}}}]'


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("outputs")
    nextbasket(folder / "home", "sample", "--shoppers", "20", "--to", str(folder / "source"))
    nextbasket(folder / "home", "run", "--source", str(folder / "source"), "--until", "load")
    (folder / "drop.json").write_text(STEPS)
    return folder / "home"


@pytest.mark.parametrize("database", ["shop", "features", "features_serving", "results", "landing", "quarantine"])
def test_a_recipe_cannot_replace_a_table_of_the_pipeline(home: Path, database: str) -> None:
    recipe = str(home.parent / "drop.json")
    output = f"{database}.products"
    done = nextbasket(home, "recipe", "run", recipe, "--input", "products", "--output", output, status=2)
    assert "belong to the pipeline" in done.stderr


def test_a_recipe_cannot_replace_its_input_file(home: Path) -> None:
    products = home.parent / "source" / "products.csv"
    before = products.read_bytes()
    recipe = str(home.parent / "drop.json")
    done = nextbasket(home, "recipe", "run", recipe, "--input", str(products), "--output", str(products), status=2)
    assert "is the input itself" in done.stderr
    assert products.read_bytes() == before


def test_a_query_cannot_replace_a_landed_file(home: Path) -> None:
    landed = home / "landing" / "products" / "products.csv"
    before = landed.read_bytes()
    done = nextbasket(home, "query", "SELECT 1 AS a", "--output", str(landed), status=2)
    assert "landing/" in done.stderr
    assert landed.read_bytes() == before


def test_a_spreadsheet_is_no_table(home: Path) -> None:
    recipe = str(home.parent / "drop.json")
    nextbasket(home, "recipe", "run", recipe, "--input", "products", "--output", "x.xlsx", status=2)


def test_a_recipe_writes_a_file_and_a_table(home: Path) -> None:
    recipe = str(home.parent / "drop.json")
    file = home.parent / "without.csv"
    nextbasket(home, "recipe", "run", recipe, "--input", "products", "--output", str(file))
    products = str(home.parent / "source" / "products.csv")
    nextbasket(home, "recipe", "run", recipe, "--input", products, "--output", "mine.products")
    assert file.read_text().splitlines()[0] == "product_id,product_name,department_id"
    done = nextbasket(home, "--json", "query", "SELECT count(*) AS n FROM mine.products")
    assert json.loads(done.stdout) == [{"n": 49688}]


def test_explain_shows_three_engines(home: Path) -> None:
    done = nextbasket(home, "recipe", "explain", "prd_features", "--input", "order_products_prior")
    for engine in ("-- duckdb", "-- spark", "-- athena"):
        assert engine in done.stdout


def test_lines_that_cannot_be_loaded_at_all_stop_the_run(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    (source / "products.csv").write_text("product_id,product_name\n1,a\n")
    (source / "orders.csv").write_text("order_id,user_id,order_number\n1;1;1\n2;1;2\n")
    (source / "order_products.csv").write_text("order_id,product_id\n1,1\n2,1\n")
    done = nextbasket(tmp_path / "home", "run", "--source", str(source), status=1)
    assert "no line could be loaded into shop.orders" in done.stderr
