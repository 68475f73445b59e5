"""A shop whose files are on S3 and whose tables are in Glue, by the real command. Run against moto only."""

import csv
import json
import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from ..aws_server import REGION, AwsServer
from .command import nextbasket

pytestmark = pytest.mark.slow

TINY_SHOP = Path(__file__).parents[1] / "fixtures" / "tiny_shop"
FILES = ("aisles", "departments", "products", "orders", "order_products__prior", "order_products__train")


def lines(name: str) -> list[dict[str, str]]:
    with (TINY_SHOP / f"{name}.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def rows(home: Path, statement: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(nextbasket(home, "query", statement, "--format", "json").stdout)
    return found


def databases(bucket: str) -> str:
    """Return the prefix of the shop's databases: the server has one Glue for all tests."""
    return f"{bucket.replace('-', '_')}_"


@pytest.fixture
def bucket(aws: AwsServer) -> str:
    return aws.bucket()


@pytest.fixture
def home(aws: AwsServer, bucket: str, tmp_path: Path) -> Path:
    home = tmp_path / "shop"
    home.mkdir()
    (home / "nextbasket.toml").write_text(
        f"""
        [lake]
        kind = "s3"
        bucket = "{bucket}"
        prefix = "a shop"
        region = "{REGION}"
        endpoint = "{aws.endpoint}"
        [catalog]
        kind = "glue"
        prefix = "{databases(bucket)}"
        """
    )
    return home


@pytest.fixture
def source(tmp_path: Path) -> Path:
    source = tmp_path / "files of today"
    source.mkdir()
    for name in FILES:
        shutil.copy(TINY_SHOP / f"{name}.csv", source / f"{name}.csv")
    return source


def test_a_shop_is_landed_crawled_loaded_and_queried(aws: AwsServer, bucket: str, home: Path, source: Path) -> None:
    nextbasket(home, "land", str(source))
    nextbasket(home, "crawl")
    nextbasket(home, "load")
    per_shopper = Counter(order["user_id"] for order in lines("orders"))
    found = rows(
        home,
        """SELECT o.user_id, count(DISTINCT o.order_id) AS orders, count(DISTINCT l.order_id) AS landed
           FROM shop.orders AS o LEFT JOIN landing.orders AS l ON o.order_id = l.order_id
           GROUP BY o.user_id""",
    )
    assert {str(row["user_id"]): row["orders"] for row in found} == per_shopper
    assert {str(row["user_id"]): row["landed"] for row in found} == per_shopper

    # Nothing of the shop's data is in the home, and Glue knows the tables under its own names.
    assert not (home / "landing").exists()
    assert not (home / "warehouse").exists()
    tables = aws.access.glue.get_tables(DatabaseName=f"{databases(bucket)}shop")["TableList"]
    assert {table["Name"]: table["Parameters"]["table_type"] for table in tables} == dict.fromkeys(
        ("aisles", "departments", "order_products", "order_products_prior", "orders", "products"), "ICEBERG"
    )
    landed = aws.access.glue.get_table(DatabaseName=f"{databases(bucket)}landing", Name="orders")["Table"]
    assert landed["StorageDescriptor"]["Location"] == f"s3://{bucket}/a shop/landing/orders/"
    assert landed["Parameters"]["classification"] == "csv"

    # The same files again change nothing: what was ingested is known from Iceberg's own metadata.
    nextbasket(home, "land", str(source))
    nextbasket(home, "load")
    table = json.loads(nextbasket(home, "--json", "tables", "shop.orders").stdout)
    assert (table["rows"], len(table["snapshots"])) == (len(lines("orders")), 1)
