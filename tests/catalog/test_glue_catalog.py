"""What only the catalog in Glue does; what every catalog does is in tests/conformance. Run against moto only."""

import base64
import io
import json
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from nextbasket.catalog import iceberg
from nextbasket.catalog.base import Column, CommitMode, DataFile, TableDefinition
from nextbasket.catalog.glue import GlueCatalog
from nextbasket.catalog.glue_tables import from_glue, to_glue
from nextbasket.catalog.ledger import INGESTED
from nextbasket.errors import CommitConflictError, HomeError, NotFoundError
from nextbasket.lake.base import Zone
from nextbasket.lake.s3 import Place, S3Lake, places
from nextbasket.lake.s3_documents import S3Documents

from ..aws_server import AwsServer

APPEND, OVERWRITE = CommitMode.APPEND, CommitMode.OVERWRITE
ORDERS = TableDefinition("shop", "orders", (Column("order_id", "bigint"),), "", "iceberg")
CSV = {"delimiter": ";", "quote": '"', "skip.header.line.count": "1", "encoding": "utf-8", "compression": "gzip"}


def now() -> datetime:
    return datetime.now(UTC)


@dataclass
class Shop:
    aws: AwsServer
    bucket: str
    lake: S3Lake
    catalog: GlueCatalog

    @property
    def glue(self) -> Any:
        return self.aws.access.glue

    @property
    def databases(self) -> str:
        return f"{self.bucket}_"

    def another(self, wait: Callable[[int], None] = lambda _: None) -> GlueCatalog:
        """Return another program's catalog of the same shop."""
        documents = S3Documents(self.aws.access, Place(self.bucket, "catalog"))
        return GlueCatalog(self.aws.access, self.lake, documents, now, prefix=self.databases, wait=wait)

    def write(self, *ids: int) -> DataFile:
        schema = self.catalog.scan("shop.orders").schema
        uri = f"{self.lake.staging('r')}/part.parquet"
        filesystem, path = self.lake.filesystem(uri)
        pq.write_table(pa.table([pa.array(ids, pa.int64())], schema=schema), path, filesystem=filesystem)
        return DataFile(uri, len(ids), filesystem.get_file_info(path).size)

    def ids(self) -> list[int]:
        found: list[int] = []
        for file in self.catalog.scan("shop.orders").files:
            filesystem, path = self.lake.filesystem(file.uri)
            found += pq.read_table(path, filesystem=filesystem)["order_id"].to_pylist()
        return sorted(found)

    def land(self, *keys: str) -> None:
        for key in keys:
            self.lake.put(Zone.LANDING, key, io.BytesIO(b"order_id\n1\n"))

    def table(self, database: str, name: str) -> dict[str, Any]:
        found: dict[str, Any] = self.glue.get_table(DatabaseName=self.databases + database, Name=name)["Table"]
        return found


@pytest.fixture
def shop(aws: AwsServer) -> Shop:
    bucket = aws.bucket()
    lake = S3Lake(aws.access, places(bucket), now)
    documents = S3Documents(aws.access, Place(bucket, "catalog"))
    return Shop(aws, bucket, lake, GlueCatalog(aws.access, lake, documents, now, prefix=f"{bucket}_"))


def ingested(sha256: str) -> Mapping[str, str]:
    return {INGESTED: json.dumps([{"sha256": sha256, "key": f"{sha256}.csv", "accepted": 1}])}


# --- Glue's form of a definition


def test_a_quoted_csv_is_what_a_glue_crawler_would_define() -> None:
    definition = TableDefinition(
        "landing",
        "orders",
        (Column("order_id", "bigint", "its number"), Column("note", "string")),
        "s3://b/landing/orders",
        "csv",
        (Column("day", "date"),),
        CSV,
    )
    assert to_glue(definition, "s3://b/landing/orders/", {"owner": "data"}) == {
        "Name": "orders",
        "Owner": "nextbasket",
        "TableType": "EXTERNAL_TABLE",
        "PartitionKeys": [{"Name": "day", "Type": "date"}],
        "Parameters": {
            "classification": "csv",
            "compressionType": "gzip",
            "typeOfData": "file",
            "EXTERNAL": "TRUE",
            "delimiter": ";",
            "quote": '"',
            "skip.header.line.count": "1",
            "encoding": "utf-8",
            "compression": "gzip",
            "nextbasket.added": "EXTERNAL,classification,compressionType,typeOfData",
            "nextbasket.property.owner": "data",
        },
        "StorageDescriptor": {
            "Columns": [
                {"Name": "order_id", "Type": "bigint", "Comment": "its number"},
                {"Name": "note", "Type": "string"},
            ],
            "Location": "s3://b/landing/orders/",
            "InputFormat": "org.apache.hadoop.mapred.TextInputFormat",
            "OutputFormat": "org.apache.hadoop.hive.ql.io.HiveIgnoreKeyTextOutputFormat",
            "Compressed": True,
            "NumberOfBuckets": -1,
            "StoredAsSubDirectories": False,
            "SerdeInfo": {
                "SerializationLibrary": "org.apache.hadoop.hive.serde2.OpenCSVSerde",
                "Parameters": {"separatorChar": ";", "quoteChar": '"', "escapeChar": "\\"},
            },
        },
    }
    assert from_glue(to_glue(definition, "s3://b/landing/orders/", {"owner": "data"}), "landing") == definition


SERDES = {
    ("csv", '{"delimiter": "\\t", "quote": "", "encoding": "iso8859-1"}'): (
        "org.apache.hadoop.hive.serde2.lazy.LazySimpleSerDe",
        {"field.delim": "\t", "serialization.format": "\t", "serialization.encoding": "iso8859-1"},
    ),
    ("json", "{}"): ("org.openx.data.jsonserde.JsonSerDe", {"serialization.format": "1"}),
    ("parquet", "{}"): (
        "org.apache.hadoop.hive.ql.io.parquet.serde.ParquetHiveSerDe",
        {"serialization.format": "1"},
    ),
    ("orc", "{}"): ("org.apache.hadoop.hive.ql.io.orc.OrcSerde", {"serialization.format": "1"}),
    ("avro", "{}"): ("org.apache.hadoop.hive.serde2.avro.AvroSerDe", {"serialization.format": "1"}),
}


@pytest.mark.parametrize(("format", "parameters"), SERDES)
def test_each_format_has_its_serde(format: str, parameters: str) -> None:
    definition = TableDefinition(
        "landing", "t", (Column("a", "string"),), "s3://b/landing/t", format, (), json.loads(parameters)
    )
    made = to_glue(definition, "s3://b/landing/t/", {})
    library, options = SERDES[format, parameters]
    assert made["StorageDescriptor"]["SerdeInfo"] == {"SerializationLibrary": library, "Parameters": options}
    assert made["Parameters"]["classification"] == format
    assert from_glue(made, "landing") == definition


def test_a_table_that_a_glue_crawler_made_is_read(shop: Shop) -> None:
    shop.land("orders/a.csv")
    shop.glue.create_database(DatabaseInput={"Name": f"{shop.databases}landing"})
    shop.glue.create_table(
        DatabaseName=f"{shop.databases}landing",
        TableInput={
            "Name": "orders",
            "TableType": "EXTERNAL_TABLE",
            "Parameters": {
                "classification": "csv",
                "delimiter": ",",
                "skip.header.line.count": "1",
                "UPDATED_BY_CRAWLER": "daily",
            },
            "StorageDescriptor": {
                "Columns": [{"Name": "order_id", "Type": "bigint"}],
                "Location": f"s3://{shop.bucket}/landing/orders/",
                "SerdeInfo": {"SerializationLibrary": "org.apache.hadoop.hive.serde2.lazy.LazySimpleSerDe"},
            },
        },
    )
    [definition] = shop.catalog.tables()
    assert (definition.full_name, definition.format) == ("landing.orders", "csv")
    assert definition.location == f"s3://{shop.bucket}/landing/orders"
    assert definition.parameters["UPDATED_BY_CRAWLER"] == "daily"
    [file] = shop.catalog.scan("landing.orders").files
    assert file.uri == f"s3://{shop.bucket}/landing/orders/a.csv"


def test_an_iceberg_table_is_one_that_athena_finds(shop: Shop) -> None:
    shop.catalog.define(ORDERS)
    shop.catalog.commit("shop.orders", APPEND, [shop.write(1)], run_id="r")
    table = shop.table("shop", "orders")
    assert table["TableType"] == "EXTERNAL_TABLE"
    assert table["Parameters"]["table_type"] == "ICEBERG"
    assert table["Parameters"]["metadata_location"].startswith(f"s3://{shop.bucket}/warehouse/tables/shop/orders/")
    assert [(c["Name"], c["Type"]) for c in table["StorageDescriptor"]["Columns"]] == [("order_id", "bigint")]


def test_a_view_is_one_that_athena_reads(shop: Shop) -> None:
    columns = (Column("user_id", "int"), Column("tags", "array<string>"), Column("name", "string"))
    statement = "SELECT user_id, tags, name FROM people"
    shop.catalog.define(
        TableDefinition(
            "mine", "people_now", columns, "", "view", (), {"view.statement": statement, "view.database": "mine"}
        )
    )
    table = shop.table("mine", "people_now")
    assert (table["TableType"], table["Parameters"]["presto_view"]) == ("VIRTUAL_VIEW", "true")
    encoded = table["ViewOriginalText"].removeprefix("/* Presto View: ").removesuffix(" */")
    assert json.loads(base64.b64decode(encoded)) == {
        "originalSql": statement,
        "catalog": "awsdatacatalog",
        "schema": "mine",
        "columns": [
            {"name": "user_id", "type": "integer"},
            {"name": "tags", "type": "array(varchar)"},
            {"name": "name", "type": "varchar"},
        ],
    }


def test_a_folder_has_a_slash_behind_it_and_a_file_none(shop: Shop) -> None:
    shop.land("orders/a.csv", "aisles.csv")
    for name, key in (("orders", "orders"), ("aisles", "aisles.csv")):
        columns = (Column("order_id", "bigint"),)
        shop.catalog.define(TableDefinition("landing", name, columns, shop.lake.uri(Zone.LANDING, key), "csv"))
    assert shop.table("landing", "orders")["StorageDescriptor"]["Location"].endswith("/landing/orders/")
    assert shop.table("landing", "aisles")["StorageDescriptor"]["Location"].endswith("/landing/aisles.csv")
    assert [len(shop.catalog.scan(f"landing.{name}").files) for name in ("orders", "aisles")] == [1, 1]


# --- partitions


def partitions(shop: Shop) -> dict[tuple[str, ...], str]:
    pages = shop.glue.get_paginator("get_partitions").paginate(
        DatabaseName=f"{shop.databases}landing", TableName="orders"
    )
    return {
        tuple(one["Values"]): one["StorageDescriptor"]["Location"].removeprefix(f"s3://{shop.bucket}/landing/")
        for page in pages
        for one in page["Partitions"]
    }


def by_day(shop: Shop, *columns: Column) -> TableDefinition:
    return TableDefinition(
        "landing",
        "orders",
        (Column("order_id", "bigint"), *columns),
        shop.lake.uri(Zone.LANDING, "orders"),
        "csv",
        (Column("day", "string"),),
        CSV,
    )


def test_each_crawl_brings_the_partitions_up_to_the_folders(shop: Shop) -> None:
    days = [f"2026-{month:02}-{day:02}" for month in range(1, 6) for day in range(1, 26)]  # more than 100 at once
    shop.aws.fill(shop.bucket, [f"landing/orders/day={day}/x.csv" for day in days])
    shop.catalog.define(by_day(shop))
    assert partitions(shop) == {(day,): f"orders/day={day}/" for day in days}
    shop.land("orders/day=2026-11-22/a/x.csv", "orders/day=2026-11-22/b/x.csv", "orders/beside.csv")
    for ref in list(shop.lake.list(Zone.LANDING, "orders/day=2026-0")):
        if not ref.key.startswith("orders/day=2026-05"):
            shop.lake.delete(ref)
    assert not shop.catalog.define(by_day(shop))
    # The file beside the folders has no partition: at the table's own folder it would hold all others.
    assert partitions(shop) == {
        **{(day,): f"orders/day={day}/" for day in days if day > "2026-05"},
        ("2026-11-22",): "orders/day=2026-11-22/",
    }


def test_a_new_column_reaches_the_partitions_that_are_there(shop: Shop) -> None:
    shop.land("orders/day=2026-11-21/x.csv")
    shop.catalog.define(by_day(shop))
    shop.catalog.define(by_day(shop, Column("note", "string")))
    [partition] = shop.glue.get_partitions(DatabaseName=f"{shop.databases}landing", TableName="orders")["Partitions"]
    descriptor = partition["StorageDescriptor"]
    assert [column["Name"] for column in descriptor["Columns"]] == ["order_id", "note"]
    assert descriptor["SerdeInfo"] == shop.table("landing", "orders")["StorageDescriptor"]["SerdeInfo"]


# --- writers at the same time


def test_writers_at_the_same_time_lose_no_commit(shop: Shop) -> None:
    shop.catalog.define(ORDERS)

    def work(worker: int) -> None:
        catalog = shop.another()
        for number in range(2):
            file = shop.write(worker * 2 + number)
            name = f"{worker}-{number}"
            catalog.commit("shop.orders", APPEND, [file], run_id=name, summary=ingested(name))

    with ThreadPoolExecutor(3) as threads:
        list(threads.map(work, range(3)))
    assert shop.ids() == list(range(6))
    snapshots = shop.catalog.snapshots("shop.orders")
    assert [snapshot.parent_id for snapshot in snapshots] == [None, *(snapshot.id for snapshot in snapshots[:-1])]
    assert len({file.sha256 for file in shop.catalog.ledger()}) == 6


def race(monkeypatch: pytest.MonkeyPatch, other: Callable[[], object]) -> None:
    """Let another program commit between a commit's checks and its own write, once."""
    real = iceberg.commit
    pending = [other]

    def commit(*arguments: Any) -> Any:
        if pending:
            monkeypatch.setattr(iceberg, "commit", real)
            pending.pop()()
        return real(*arguments)

    monkeypatch.setattr(iceberg, "commit", commit)


def test_an_overwrite_that_lost_the_race_is_made_anew(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    shop.catalog.define(ORDERS)
    first, second = shop.write(1), shop.write(2)
    race(monkeypatch, lambda: shop.another().commit("shop.orders", APPEND, [first], run_id="other"))
    shop.another().commit("shop.orders", OVERWRITE, [second], run_id="mine")
    assert shop.ids() == [2]
    assert [snapshot.run_id for snapshot in shop.catalog.snapshots("shop.orders")] == ["other", "mine"]


def test_an_expected_version_that_lost_the_race_is_a_conflict(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    shop.catalog.define(ORDERS)
    first, second = shop.write(1), shop.write(2)
    race(monkeypatch, lambda: shop.another().commit("shop.orders", APPEND, [first], run_id="other"))
    with pytest.raises(CommitConflictError, match="another run committed first"):
        shop.another().commit("shop.orders", OVERWRITE, [second], run_id="mine", check_expected=True)
    assert shop.ids() == [1]


def test_the_same_run_twice_at_once_commits_once(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    shop.catalog.define(ORDERS)
    first, second = shop.write(1), shop.write(1)
    race(monkeypatch, lambda: shop.another().commit("shop.orders", APPEND, [first], run_id="r"))
    shop.another().commit("shop.orders", APPEND, [second], run_id="r")
    assert shop.ids() == [1]
    assert len(shop.catalog.snapshots("shop.orders")) == 1


def test_a_writer_that_always_loses_gives_up_in_one_sentence(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    shop.catalog.define(ORDERS)

    def lose(*_: Any) -> Any:
        raise iceberg.LostRaceError("another program committed first")

    monkeypatch.setattr(iceberg, "commit", lose)
    waits: list[int] = []
    with pytest.raises(CommitConflictError, match="30 times in a row"):
        shop.another(waits.append).commit("shop.orders", APPEND, [], run_id="r")
    assert waits == list(range(1, 30))


@pytest.mark.parametrize("carried_out", [True, False])
def test_a_fault_of_glue_leaves_the_commit_once_and_whole(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, carried_out: bool
) -> None:
    from moto.core.exceptions import JsonRESTError
    from moto.glue.responses import GlueResponse

    class FaultError(JsonRESTError):
        code = 500

    shop.catalog.define(ORDERS)
    real = GlueResponse.update_table
    asked: list[bool] = []

    def faulty(self: GlueResponse) -> object:
        asked.append(True)
        if len(asked) > 1:
            return real(self)
        if carried_out:
            real(self)
        raise FaultError("InternalServiceException", "the answer got lost")

    file = shop.write(1)
    monkeypatch.setattr(GlueResponse, "update_table", faulty)
    snapshot = shop.another().commit("shop.orders", APPEND, [file], run_id="r")
    # Read by a catalog that has nothing in memory: pyiceberg deletes the manifests of a commit it takes for lost.
    other = shop.another()
    assert [found.id for found in other.snapshots("shop.orders")] == [snapshot.id]
    assert [found.uri for found in other.scan("shop.orders").files] == [file.uri]
    assert len(asked) == (1 if carried_out else 2)


# --- what Glue has no place for


def test_a_kill_between_keeping_and_expiring_loses_and_doubles_nothing(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.catalog.define(ORDERS)
    for number in range(3):
        shop.catalog.commit(
            "shop.orders", APPEND, [shop.write(number)], run_id=f"r{number}", summary=ingested(f"{number}")
        )
    before = shop.catalog.ledger()

    def killed(*_: Any) -> int:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(iceberg, "expire", killed)
        with pytest.raises(KeyboardInterrupt):
            shop.catalog.expire("shop.orders", older_than=timedelta(0))
    assert shop.catalog.ledger() == before
    assert shop.catalog.expire("shop.orders", older_than=timedelta(0)) == 2
    assert shop.catalog.ledger() == before
    again = shop.catalog.commit("shop.orders", APPEND, [shop.write(0)], run_id="r0")
    assert again.id == before[0].snapshot_id
    assert shop.ids() == [0, 1, 2]


def test_documents_inside_a_zone_are_refused(shop: Shop) -> None:
    documents = S3Documents(shop.aws.access, Place(shop.bucket, "warehouse/catalog"))
    with pytest.raises(HomeError, match="inside the zone warehouse"):
        GlueCatalog(shop.aws.access, shop.lake, documents, now)


# --- other shops in the same Glue


def test_another_shops_tables_are_neither_listed_nor_touched(shop: Shop) -> None:
    shop.catalog.define(ORDERS)
    bucket = shop.aws.bucket()
    lake = S3Lake(shop.aws.access, places(bucket), now)
    documents = S3Documents(shop.aws.access, Place(bucket, "catalog"))
    other = GlueCatalog(shop.aws.access, lake, documents, now, prefix=shop.databases)
    assert other.tables() == []
    assert other.referenced_files() == set()
    for act in (
        lambda: other.define(ORDERS),
        lambda: other.drop("shop.orders"),
        lambda: other.commit("shop.orders", APPEND, [], run_id="r"),
        lambda: other.define(replace(ORDERS, name="products")),
    ):
        with pytest.raises(HomeError, match=r"set another prefix under \[catalog\]"):
            act()
    assert [table.full_name for table in shop.catalog.tables()] == ["shop.orders"]


def test_a_damaged_table_is_named_and_can_be_dropped(shop: Shop) -> None:
    shop.catalog.define(ORDERS)
    uri = shop.table("shop", "orders")["Parameters"]["metadata_location"]
    zone, key = shop.lake.locate(uri)
    shop.lake.put(zone, key, io.BytesIO(b"{"))
    with pytest.raises(HomeError, match=r"metadata file of shop\.orders is damaged"):
        shop.another().table("shop.orders")
    shop.another().drop("shop.orders")
    with pytest.raises(NotFoundError):
        shop.another().table("shop.orders")
