"""run takes any folder or archive in the layout: every form gives the same tables, every lack is survived and said."""

import gzip
import json
import shutil
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pytest

from .command import digests, nextbasket

pytestmark = pytest.mark.slow

TABLES = ("aisles", "departments", "products", "orders", "order_products__prior", "order_products__train")


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sources") / "shop"
    nextbasket(folder.parent / "none", "sample", "--shoppers", "120", "--seed", "4", "--to", str(folder))
    return folder


def loaded(home: Path, source: Path) -> dict[str, tuple[int, int]]:
    """Land, crawl and load a source, and return what is in the shop's tables."""
    nextbasket(home, "land", str(source))
    nextbasket(home, "crawl")
    nextbasket(home, "load")
    return {name: found for name, found in digests(home).items() if name.startswith("shop.")}


@pytest.fixture(scope="module")
def expected(shop: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[int, int]]:
    found = loaded(tmp_path_factory.mktemp("expected") / "home", shop)
    lines = sum((shop / f"{name}.csv").read_bytes().count(b"\n") for name in TABLES[4:]) - 2
    assert found["shop.order_products"][0] == lines
    return found


def as_tar(shop: Path, folder: Path) -> Path:
    archive = folder / "shop.tar.gz"
    with tarfile.open(archive, "w:gz") as tar:
        for name in TABLES:
            tar.add(shop / f"{name}.csv", f"instacart_2017_05_01/{name}.csv")
    return archive


def as_zips(shop: Path, folder: Path) -> Path:
    target = folder / "zips"
    target.mkdir()
    for name in TABLES:
        with zipfile.ZipFile(target / f"{name}.csv.zip", "w", zipfile.ZIP_DEFLATED) as archive:
            archive.write(shop / f"{name}.csv", f"{name}.csv")
            archive.writestr(f"__MACOSX/._{name}.csv", b"junk")
    return target


def as_gzips(shop: Path, folder: Path) -> Path:
    target = folder / "gzips"
    target.mkdir()
    for name in TABLES:
        (target / f"{name}.csv.gz").write_bytes(gzip.compress((shop / f"{name}.csv").read_bytes()))
    return target


def as_parquet(shop: Path, folder: Path) -> Path:
    target = folder / "parquet"
    target.mkdir()
    for name in TABLES:
        with duckdb.connect() as connection:
            connection.read_csv(str(shop / f"{name}.csv")).write_parquet(str(target / f"{name}.parquet"))
    return target


def as_one_line_table(shop: Path, folder: Path) -> Path:
    target = folder / "one"
    (target / "order_products").mkdir(parents=True)
    for name in TABLES[:4]:
        shutil.copy(shop / f"{name}.csv", target)
    for name in TABLES[4:]:
        shutil.copy(shop / f"{name}.csv", target / "order_products")
    return target


@pytest.mark.parametrize("form", [as_tar, as_zips, as_gzips, as_parquet, as_one_line_table])
def test_every_form_gives_the_same_tables(
    form: Callable[[Path, Path], Path], shop: Path, tmp_path: Path, expected: dict[str, tuple[int, int]]
) -> None:
    assert loaded(tmp_path / "home", form(shop, tmp_path)) == expected


def rewritten(shop: Path, folder: Path, queries: dict[str, str]) -> Path:
    """Write each file anew from a query over ``t``, its own rows; an empty query leaves the file out."""
    folder.mkdir()
    for name in TABLES:
        query = queries.get(name, "FROM t")
        if query:
            with duckdb.connect() as connection:
                connection.read_csv(str(shop / f"{name}.csv")).create_view("t")
                connection.sql(query).write_csv(str(folder / f"{name}.csv"))
    return folder


def run(home: Path, source: Path) -> dict[str, Any]:
    done = nextbasket(home, "--json", "run", "--source", str(source))
    summary: dict[str, Any] = json.loads(done.stdout)
    return summary


def eval_sets(home: Path) -> dict[str, int]:
    done = nextbasket(home, "--json", "query", "SELECT eval_set, count(*) AS n FROM orders GROUP BY eval_set")
    return {row["eval_set"]: row["n"] for row in json.loads(done.stdout)}


def test_without_train_rows_the_latest_known_orders_become_the_label(shop: Path, tmp_path: Path) -> None:
    source = rewritten(
        shop,
        tmp_path / "source",
        {"orders": "FROM t WHERE eval_set = 'prior'", "order_products__train": ""},
    )
    summary = run(tmp_path / "home", source)
    assert eval_sets(tmp_path / "home")["train"] == 120
    assert any("eval_set is derived" in note for note in summary["notes"])
    assert summary["basket"]["products"]


def test_text_ids(shop: Path, tmp_path: Path, expected: dict[str, tuple[int, int]]) -> None:
    lines = "SELECT * REPLACE ('o-' || order_id AS order_id, 'p ' || product_id AS product_id) FROM t"
    source = rewritten(
        shop,
        tmp_path / "source",
        {
            "orders": "SELECT * REPLACE ('o-' || order_id AS order_id, 'ü' || user_id AS user_id) FROM t",
            "products": "SELECT * REPLACE ('p ' || product_id AS product_id) FROM t",
            "order_products__prior": lines,
            "order_products__train": lines,
        },
    )
    summary = run(tmp_path / "home", source)
    for table, (rows, _) in expected.items():
        assert summary["tables"][table] == rows
    shopper = summary["basket"]["shopper"]
    assert shopper.startswith("ü")
    predicted = json.loads(nextbasket(tmp_path / "home", "--json", "predict", "--shopper", shopper).stdout)
    assert predicted["predictions"][0]["product_id"].startswith("p ")


def test_with_only_the_required_columns(shop: Path, tmp_path: Path) -> None:
    source = rewritten(
        shop,
        tmp_path / "source",
        {
            "aisles": "",
            "departments": "",
            "products": "SELECT product_id, product_name FROM t",
            "orders": "SELECT order_id, user_id, order_number FROM t",
            "order_products__prior": "SELECT order_id, product_id FROM t",
            "order_products__train": "SELECT order_id, product_id FROM t",
        },
    )
    home = tmp_path / "home"
    summary = run(home, source)
    said = " ".join(summary["notes"])
    for column in ("order_dow", "order_hour_of_day", "days_since_prior_order", "add_to_cart_order", "reordered"):
        assert column in said
    rows = json.loads(
        nextbasket(home, "--json", "query", "SELECT count(up_order_rate) AS a, count(user_period) AS b, "
                   "count(prod_reorder_ratio) AS c FROM features.feature_table").stdout
    )  # fmt: skip
    assert rows[0]["a"] == summary["tables"]["features.feature_table"]
    assert (rows[0]["b"], rows[0]["c"]) == (0, 0)
    assert summary["basket"]["products"]


def test_a_second_source_is_one_more_delivery(shop: Path, tmp_path: Path, expected: dict[str, tuple[int, int]]) -> None:
    """Half of the shoppers first, the other half later, some lines twice: the tables of all at once."""
    first = rewritten(
        shop,
        tmp_path / "first",
        {
            "orders": "FROM t WHERE user_id <= 60",
            "order_products__prior": f"FROM t SEMI JOIN read_csv('{shop}/orders.csv') o "
            "ON o.order_id = t.order_id AND o.user_id <= 60",
            "order_products__train": f"FROM t SEMI JOIN read_csv('{shop}/orders.csv') o "
            "ON o.order_id = t.order_id AND o.user_id <= 60",
        },
    )
    home = tmp_path / "home"
    run(home, first)
    summary = run(home, shop)
    found = {name: digest for name, digest in digests(home).items() if name.startswith("shop.")}
    assert found == expected
    assert summary["lines"]["shop.orders"]["merged"] > 0


def test_the_same_source_twice_changes_nothing(shop: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    run(home, shop)
    before = digests(home)
    again = run(home, shop)
    assert all(step["skipped"] for step in again["steps"])
    assert digests(home) == before


def test_same_seed_and_input_give_the_same_tables_models_and_predictions(shop: Path, tmp_path: Path) -> None:
    for name in ("one", "two"):
        run(tmp_path / name, shop)
    assert digests(tmp_path / "one") == digests(tmp_path / "two")
    models = [
        {str(path.relative_to(home)): path.read_bytes() for path in sorted(home.glob("models/*/*/model.tar.gz"))}
        for home in (tmp_path / "one", tmp_path / "two")
    ]
    assert models[0] == models[1]
    assert len(models[0]) == 3
