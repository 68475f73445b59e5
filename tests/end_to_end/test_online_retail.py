"""The Online Retail example: real, dirty orders run end to end, and every count equals an independent one."""

import io
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyarrow import csv

from nextbasket.catalog.base import DataFile, Scan
from nextbasket.query.duckdb import DuckDBEngine

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples" / "online_retail"
MAPPINGS = EXAMPLE / "definitions" / "mappings"
NAME = "online_retail_2009_2010.parquet"
NOT_GOODS = {
    "test product": {"TEST001", "TEST002"},
    "postage or carriage": {"POST", "DOT", "C2", "C3"},
    "fee": {"BANK CHARGES", "AMAZONFEE"},
    "manual entry, discount, sample or adjustment": {"M", "D", "S", "B", "ADJUST", "ADJUST2"},
}


def nextbasket(home: Path, *arguments: str) -> Any:
    """Call the command as a person would; returns the JSON document it answers with."""
    command = [str(Path(sys.executable).parent / "nextbasket"), "--home", str(home), "--json", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def rows(home: Path, statement: str) -> list[dict[str, Any]]:
    """Return what a query answers."""
    answer = nextbasket(home, "query", statement, "--format", "json")
    assert isinstance(answer, list)
    return answer


@pytest.fixture(scope="module")
def source() -> Path:
    """Return the real file; the tests that need it are skipped by name where it is not."""
    named = Path(os.environ.get("NEXTBASKET_REAL_DATA", ROOT.parent / "shared" / "data" / "real"))
    found = named / NAME if named.is_dir() else named
    if not found.is_file():
        pytest.skip(f"the real orders are not here: no {found}")
    return found


@pytest.fixture(scope="module")
def figures(source: Path) -> dict[str, Any]:
    """Count with pandas, straight from the source file, sharing no code and no SQL with the mapping."""
    frame = pd.read_parquet(source)
    code = frame["StockCode"].str.strip().str.upper()
    reason = pd.Series("kept", index=frame.index)
    # Later assignments win, so the reasons go from the last one asked to the first.
    reason[frame["Customer ID"].isna()] = "no customer id"
    for name, codes in NOT_GOODS.items():
        reason[code.isin(codes)] = name
    reason[code.str.startswith("GIFT")] = "gift voucher"
    reason[~(frame["Quantity"] > 0)] = "stock correction"
    reason[frame["Invoice"].str.startswith("A")] = "accounting entry"
    reason[frame["Invoice"].str.startswith("C")] = "cancelled invoice"

    kept = frame.assign(product=code, at=pd.to_datetime(frame["InvoiceDate"]))[reason == "kept"]
    pairs = kept.drop_duplicates(["Invoice", "product"])
    orders = kept.groupby("Invoice").agg(user=("Customer ID", "first"), at=("at", "min")).reset_index()
    orders = orders.sort_values(["user", "at", "Invoice"])
    orders["number"] = orders.groupby("user").cumcount() + 1
    gaps = orders["at"].dt.normalize().groupby(orders["user"]).diff().dt.days
    lines = pairs[["Invoice", "product"]].merge(orders, on="Invoice").sort_values(["user", "number"])
    bought_before = lines.duplicated(["user", "product"], keep="first")
    last = orders.groupby("user")["number"].transform("max") == orders["number"]
    sunday_first = (orders["at"].dt.day_of_week + 1) % 7
    return {
        "source_lines": len(frame),
        "lines": {
            "accepted": len(pairs),
            "merged": len(kept) - len(pairs),
            "dropped": {name: int(count) for name, count in reason[reason != "kept"].value_counts().items()},
            "quarantined": 0,
        },
        "shoppers": int(orders["user"].nunique()),
        "orders": len(orders),
        "train_orders": int(last.sum()),
        "train_lines": int(lines["Invoice"].isin(orders.loc[last, "Invoice"]).sum()),
        "products": int(kept["product"].nunique()),
        "reordered_lines": int(bought_before.sum()),
        "days_between_orders": int(gaps.sum()),
        "most_orders_of_a_shopper": int(orders["number"].max()),
        "orders_by_weekday": [int((sunday_first == day).sum()) for day in range(7)],
        "orders_before_noon": int((orders["at"].dt.hour < 12).sum()),
    }


def mapped(table: str, source: Path, scratch: Path) -> list[dict[str, Any]]:
    """Run one of the example's mappings over a Parquet file, as load does, on the project's own engine."""
    size = source.stat().st_size
    meta = pq.read_metadata(source)
    schema = meta.schema.to_arrow_schema()
    schema = pa.schema([field.with_name(field.name.lower()) for field in schema.remove_metadata()])
    scan = Scan("landing.online_retail", "parquet", (DataFile(source.as_uri(), meta.num_rows, size),), schema)
    text = (MAPPINGS / f"{table}.sql").read_text(encoding="utf-8")
    handle = DuckDBEngine(scratch).start(text, {"landing.online_retail": scan})
    return [row for batch in handle.batches() for row in batch.to_pylist()]


DIRTY = """\
Invoice,StockCode,Description,Quantity,InvoiceDate,Price,Customer ID,Country
489434,85123a, WHITE HANGING HEART ,6,2009-12-01 07:45:00,2.55,13085.0,United Kingdom
489434,85123A,WHITE  HANGING HEART,2,2009-12-01 07:46:00,2.55,13085.0,United Kingdom
489434,POST,POSTAGE,1,2009-12-01 07:45:00,18.0,13085.0,United Kingdom
489435,22041,"RECORD FRAME 7"" SINGLE SIZE ",48,2009-12-01 23:50:00,2.1,13085.0,United Kingdom
489440,85123A ,CREAM HANGING HEART,1,2009-12-02 00:10:00,0.0,13085.0,United Kingdom
C489441,85123A,WHITE HANGING HEART,-1,2009-12-03 09:00:00,2.55,13085.0,United Kingdom
489442,22041,,-5,2009-12-03 09:05:00,0.0,,United Kingdom
489443,22041,RECORD FRAME,3,2009-12-03 09:10:00,2.1,,United Kingdom
489444,TEST001,This is a test product.,5,2009-12-04 09:00:00,4.5,12346.0,United Kingdom
489445,gift_0001_30,Dotcomgiftshop Gift Voucher,1,2009-12-04 09:10:00,26.0,,United Kingdom
A506401,B,Adjust bad debt,1,2009-12-04 09:20:00,-53594.36,,United Kingdom
489446,m,Manual,1,2009-12-04 09:30:00,10.0,15000.0,United Kingdom
489447,BANK CHARGES, Bank Charges,1,2009-12-04 09:40:00,15.0,15000.0,United Kingdom
489448,79323P,PINK CHERRY LIGHTS,12,2009-12-06 10:00:00,6.75,12346.0,United Kingdom
"""


@pytest.fixture
def dirty(tmp_path: Path) -> Path:
    """Return a few lines with one of everything that is wrong in the real file, typed as the real file is."""
    texts = ["Invoice", "StockCode", "Description", "InvoiceDate", "Country"]
    types = {**dict.fromkeys(texts, pa.string()), "Quantity": pa.int64(), "Price": pa.float64()}
    options = csv.ConvertOptions(column_types={**types, "Customer ID": pa.float64()}, strings_can_be_null=True)
    path = tmp_path / "dirty.parquet"
    pq.write_table(csv.read_csv(io.BytesIO(DIRTY.encode()), convert_options=options), path)
    return path


def test_an_order_is_an_invoice_with_a_shopper_and_an_article(dirty: Path, tmp_path: Path) -> None:
    rows = mapped("orders", dirty, tmp_path / "scratch")
    columns = ["order_id", "user_id", "order_number", "order_dow", "order_hour_of_day", "days_since_prior_order"]
    assert sorted(tuple(row[name] for name in columns) for row in rows) == [
        ("489434", 13085, 1, 2, 7, None),  # a Tuesday
        ("489435", 13085, 2, 2, 23, 0),
        ("489440", 13085, 3, 3, 0, 1),  # twenty minutes later, and the next day
        ("489448", 12346, 1, 0, 10, None),  # a Sunday; this shopper's test order is none
    ]


def test_every_source_line_comes_back_once_with_its_fate(dirty: Path, tmp_path: Path) -> None:
    rows = mapped("order_products", dirty, tmp_path / "scratch")
    assert sorted(((r["order_id"], r["product_id"], r["reordered"], r["dropped_reason"]) for r in rows), key=str) == [
        ("489434", "85123A", 0, None),
        ("489434", "85123A", 0, None),
        ("489434", "POST", None, "postage or carriage"),
        ("489435", "22041", 0, None),
        ("489440", "85123A", 1, None),
        ("489442", "22041", None, "stock correction"),
        ("489443", "22041", None, "no customer id"),
        ("489444", "TEST001", None, "test product"),
        ("489445", "GIFT_0001_30", None, "gift voucher"),
        ("489446", "M", None, "manual entry, discount, sample or adjustment"),
        ("489447", "BANK CHARGES", None, "fee"),
        ("489448", "79323P", 0, None),
        ("A506401", "B", None, "accounting entry"),
        ("C489441", "85123A", None, "cancelled invoice"),
    ]


def test_an_article_has_the_name_on_most_of_its_lines(dirty: Path, tmp_path: Path) -> None:
    rows = mapped("products", dirty, tmp_path / "scratch")
    assert sorted((row["product_id"], row["product_name"]) for row in rows) == [
        ("22041", 'RECORD FRAME 7" SINGLE SIZE'),
        ("79323P", "PINK CHERRY LIGHTS"),
        ("85123A", "WHITE HANGING HEART"),
    ]


@pytest.mark.real_data
def test_the_documented_figures_are_those_of_the_source(figures: dict[str, Any]) -> None:
    documented = json.loads((EXAMPLE / "expected.json").read_text(encoding="utf-8"))
    assert figures == documented
    lines = figures["lines"]
    assert figures["source_lines"] == lines["accepted"] + lines["merged"] + sum(lines["dropped"].values())


def test_the_three_mappings_read_the_lines_alike() -> None:
    mappings = sorted(MAPPINGS.glob("*.sql"))
    assert [path.stem for path in mappings] == ["order_products", "orders", "products"]
    shared = {path.read_text(encoding="utf-8").split("WITH lines AS (")[1].split("\n),")[0] for path in mappings}
    assert len(shared) == 1


@pytest.mark.real_data
def test_the_mappings_of_the_real_lines_equal_the_figures(
    source: Path, figures: dict[str, Any], tmp_path: Path
) -> None:
    lines = pd.DataFrame(mapped("order_products", source, tmp_path / "lines"))
    orders = pd.DataFrame(mapped("orders", source, tmp_path / "orders"))
    names = [row["product_name"] for row in mapped("products", source, tmp_path / "products")]
    assert len(lines) == figures["source_lines"]
    assert lines["dropped_reason"].value_counts().to_dict() == figures["lines"]["dropped"]
    kept = lines[lines["dropped_reason"].isna()].drop_duplicates(["order_id", "product_id"])
    assert len(kept) == figures["lines"]["accepted"]
    assert int(kept["reordered"].sum()) == figures["reordered_lines"]
    assert len(orders) == orders["order_id"].nunique() == figures["orders"]
    assert orders["user_id"].nunique() == figures["shoppers"]
    assert orders["order_number"].max() == figures["most_orders_of_a_shopper"]
    assert orders["days_since_prior_order"].sum() == figures["days_between_orders"]
    assert orders["order_dow"].value_counts().sort_index().tolist() == figures["orders_by_weekday"]
    assert int((orders["order_hour_of_day"] < 12).sum()) == figures["orders_before_noon"]
    assert len(names) == figures["products"]
    assert all(name and name == " ".join(name.split()) for name in names)


@pytest.fixture(scope="module")
def shop(source: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Any]:
    """Run the whole pipeline as the example's README says; returns the home and the summary."""
    top = tmp_path_factory.mktemp("online-retail")
    delivery = top / "source" / "online_retail"
    delivery.mkdir(parents=True)
    shutil.copy(source, delivery)
    home = top / "shop"
    shutil.copytree(EXAMPLE / "definitions", home / "definitions")
    return home, nextbasket(home, "run", "--source", str(delivery.parent))


@pytest.mark.real_data
@pytest.mark.slow
def test_run_makes_the_tables_that_the_figures_say(shop: tuple[Path, Any], figures: dict[str, Any]) -> None:
    home, _ = shop
    orders = rows(
        home,
        """SELECT COUNT(*) AS orders, COUNT(DISTINCT user_id) AS shoppers, MAX(order_number) AS most,
            COUNT_IF(eval_set = 'train') AS train, COUNT_IF(eval_set = 'prior') AS prior,
            SUM(days_since_prior_order) AS days, COUNT_IF(order_hour_of_day < 12) AS early FROM shop.orders""",
    )
    assert orders == [
        {
            "orders": figures["orders"],
            "shoppers": figures["shoppers"],
            "most": figures["most_orders_of_a_shopper"],
            "train": figures["train_orders"],
            "prior": figures["orders"] - figures["train_orders"],
            "days": figures["days_between_orders"],
            "early": figures["orders_before_noon"],
        }
    ]
    assert rows(home, "SELECT order_dow, COUNT(*) AS n FROM shop.orders GROUP BY order_dow ORDER BY order_dow") == [
        {"order_dow": day, "n": count} for day, count in enumerate(figures["orders_by_weekday"])
    ]
    assert rows(
        home,
        """SELECT COUNT(*) AS lines, SUM(reordered) AS reordered, COUNT_IF(eval_set = 'train') AS train
            FROM shop.order_products JOIN shop.orders ON orders.order_id = order_products.order_id""",
    ) == [
        {
            "lines": figures["lines"]["accepted"],
            "reordered": figures["reordered_lines"],
            "train": figures["train_lines"],
        }
    ]
    assert rows(home, "SELECT COUNT(*) AS n FROM shop.products") == [{"n": figures["products"]}]
    assert rows(home, "SELECT COUNT(*) AS n FROM shop.order_products_prior") == [
        {"n": figures["lines"]["accepted"] - figures["train_lines"]}
    ]


@pytest.mark.real_data
@pytest.mark.slow
def test_every_real_line_has_the_fate_the_figures_say(shop: tuple[Path, Any], figures: dict[str, Any]) -> None:
    _, summary = shop
    assert summary["lines"]["shop.order_products"] == {"files": 1, **figures["lines"]}


@pytest.mark.real_data
@pytest.mark.slow
def test_the_final_model_beats_the_frequency_ranking(shop: tuple[Path, Any]) -> None:
    _, summary = shop
    metrics = summary["metrics"]
    (final,) = (figures for name, figures in metrics.items() if name.startswith("final"))
    ranking = metrics["frequency ranking"]
    for metric in ("auc", "average_precision", "recall_at_10", "ndcg_at_10"):
        assert final[metric]["value"] > ranking[metric]["value"], metric
