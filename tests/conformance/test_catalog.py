"""What every catalog does. To run it over another adapter, add its factory to ADAPTERS."""

import io
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from nextbasket.catalog.base import NULL_PARTITION as NULL
from nextbasket.catalog.base import (
    Catalog,
    ChangePolicy,
    Column,
    CommitMode,
    DataFile,
    FileForm,
    TableDefinition,
)
from nextbasket.catalog.glue import GlueCatalog
from nextbasket.catalog.in_place import FORMS, Forms
from nextbasket.catalog.ledger import INGESTED
from nextbasket.catalog.local import LocalCatalog
from nextbasket.errors import CommitConflictError, InputError, NotFoundError
from nextbasket.lake.base import Lake, Zone
from nextbasket.lake.local import LocalLake
from nextbasket.lake.s3 import Place, S3Lake, places
from nextbasket.lake.s3_documents import S3Documents

APPEND, OVERWRITE, MERGE = CommitMode.APPEND, CommitMode.OVERWRITE, CommitMode.MERGE_BY_KEY


@dataclass
class Shop:
    """A catalog over a lake, with what a loader does around it."""

    lake: Lake
    catalog: Catalog
    reopen: Callable[[], Catalog]

    def write(self, name: str, values: Mapping[str, list[Any]], run_id: str = "writer") -> DataFile:
        """Write rows with the table's own field ids, as an engine does."""
        schema = self.catalog.scan(name).schema
        uri = f"{self.lake.staging(run_id)}/part-0.parquet"
        fields = [schema.field(column) for column in values]
        table = pa.table([pa.array(values[field.name], field.type) for field in fields], schema=pa.schema(fields))
        return DataFile(uri, table.num_rows, self.put(uri, table))

    def put(self, uri: str, table: pa.Table) -> int:
        """Write a Parquet file; returns its bytes."""
        filesystem, path = self.lake.filesystem(uri)
        pq.write_table(table, path, filesystem=filesystem)
        return int(filesystem.get_file_info(path).size)

    def rows(self, name: str, **version: Any) -> list[dict[str, Any]]:
        """Read a scan as an engine does: the files of the plan, columns by name, missing ones null."""
        scan = self.catalog.scan(name, **version)
        found: list[dict[str, Any]] = []
        for file in scan.files:
            filesystem, path = self.lake.filesystem(file.uri)
            stored = pq.read_table(path, filesystem=filesystem)
            assert stored.num_rows == file.rows
            assert filesystem.get_file_info(path).size == file.bytes
            found += [{name: row.get(name) for name in scan.schema.names} for row in stored.to_pylist()]
        return found

    def append(self, name: str, values: Mapping[str, list[Any]], run_id: str, **options: Any) -> int:
        return self.catalog.commit(name, APPEND, [self.write(name, values)], run_id=run_id, **options).id

    def ids(self, name: str = "shop.orders", **version: Any) -> list[int]:
        return sorted(row["order_id"] for row in self.rows(name, **version))


def now() -> datetime:
    return datetime.now(UTC)


def local(home: Path, _: pytest.FixtureRequest) -> Shop:
    lake = LocalLake(home, now)
    return Shop(lake, LocalCatalog(home, lake, now), lambda: LocalCatalog(home, lake, now))


def local_on_s3(home: Path, request: pytest.FixtureRequest) -> Shop:
    server = request.getfixturevalue("aws")
    lake = S3Lake(server.access, places(server.bucket(), "a shop"), now)
    return Shop(lake, LocalCatalog(home, lake, now), lambda: LocalCatalog(home, lake, now))


def glue(_: Path, request: pytest.FixtureRequest) -> Shop:
    server = request.getfixturevalue("aws")
    bucket = server.bucket()
    lake = S3Lake(server.access, places(bucket, "a shop"), now)
    documents = S3Documents(server.access, Place(bucket, "a shop/catalog"))

    def catalog() -> Catalog:
        # The bucket's name as prefix: the server has one Glue for all tests.
        return GlueCatalog(server.access, lake, documents, now, prefix=f"{bucket}_")

    return Shop(lake, catalog(), catalog)


ADAPTERS: dict[str, Callable[[Path, pytest.FixtureRequest], Shop]] = {
    "local": local,
    "local on s3": local_on_s3,
    "glue": glue,
}


@pytest.fixture(params=ADAPTERS)
def shop(request: pytest.FixtureRequest, tmp_path: Path) -> Shop:
    return ADAPTERS[request.param](tmp_path / "shop", request)


ORDERS = TableDefinition(
    "shop", "orders", (Column("order_id", "bigint", "the order's number"), Column("eval_set", "string")), "", "iceberg"
)


@pytest.fixture
def orders(shop: Shop) -> Shop:
    shop.catalog.define(ORDERS)
    return shop


# --- definitions


def test_an_empty_home_has_no_tables(shop: Shop) -> None:
    assert shop.catalog.tables() == []
    with pytest.raises(NotFoundError, match=r"there is no table shop\.orders; known tables: none"):
        shop.catalog.table("shop.orders")
    assert shop.catalog.ingested("0" * 64) is None


def test_a_defined_iceberg_table_is_found_and_empty(shop: Shop) -> None:
    drift = shop.catalog.define(ORDERS)
    assert drift.created
    assert drift.table == "shop.orders"
    stored = shop.reopen().table("SHOP.Orders")
    assert stored.columns == ORDERS.columns
    assert stored.format == "iceberg"
    assert shop.catalog.tables("shop") == [stored]
    assert shop.catalog.tables("landing") == []
    scan = shop.catalog.scan("shop.orders")
    assert (scan.files, scan.snapshot_id, scan.format) == ((), None, "parquet")
    assert shop.catalog.snapshots("shop.orders") == []


def test_defining_the_same_again_is_no_drift(orders: Shop) -> None:
    assert not orders.catalog.define(ORDERS)


def test_a_misspelt_table_is_answered_with_the_nearest_name(orders: Shop) -> None:
    with pytest.raises(NotFoundError, match=r"no table shop\.oders; did you mean shop\.orders\?"):
        orders.catalog.table("shop.oders")
    with pytest.raises(InputError, match=r"write database\.table"):
        orders.catalog.table("orders")


TYPES: dict[str, list[Any]] = {
    "bigint": [1, None, -(2**63)],
    "int": [1, None, -(2**31)],
    "double": [0.5, None, float("inf")],
    "float": [0.5, None, -0.25],
    "boolean": [True, None, False],
    "string": ["a", None, 'größe, "q"'],
    "binary": [b"\0\xff", None, b""],
    "date": [date(2024, 2, 29), None, date(1, 1, 1)],
    "timestamp": [datetime(2024, 5, 1, 12, 30, 0, 123456), None, datetime(1969, 12, 31)],
    "decimal(12,3)": [Decimal("1.500"), None, Decimal("-999999999.999")],
    "array<bigint>": [[1, 2], None, []],
    "array<string>": [["a", None], None, []],
    "map<string,bigint>": [[("a", 1)], None, []],
    "struct<x:bigint,y:string>": [{"x": 1, "y": "a"}, None, {"x": None, "y": None}],
    "array<struct<day:date,prices:array<double>>>": [[{"day": date(2024, 5, 1), "prices": [1.5]}], None, []],
}


@pytest.mark.parametrize("type_text", TYPES)
def test_a_column_of_each_type_comes_back(shop: Shop, type_text: str) -> None:
    definition = TableDefinition("shop", "typed", (Column("v", type_text), Column("w", "bigint")), "", "iceberg")
    shop.catalog.define(definition)
    assert shop.catalog.table("shop.typed").columns[0].type == type_text
    shop.append("shop.typed", {"v": TYPES[type_text], "w": [1, 2, 3]}, "r")
    assert [row["v"] for row in shop.rows("shop.typed")] == TYPES[type_text]


def test_columns_are_added_and_widened_and_old_rows_stay(shop: Shop) -> None:
    narrow = TableDefinition(
        "shop", "t", (Column("order_id", "int"), Column("price", "decimal(5,2)"), Column("w", "float")), "", "iceberg"
    )
    shop.catalog.define(narrow)
    before = shop.append("shop.t", {"order_id": [1], "price": [Decimal("1.50")], "w": [0.5]}, "r1")
    drift = shop.catalog.define(
        replace(
            narrow,
            columns=(
                Column("order_id", "bigint"),
                Column("price", "decimal(9,2)"),
                Column("w", "double"),
                Column("note", "string", "new"),
            ),
        )
    )
    assert drift.added == (Column("note", "string", "new"),)
    assert drift.changed == (
        ("order_id", "int", "bigint"),
        ("price", "decimal(5,2)", "decimal(9,2)"),
        ("w", "float", "double"),
    )
    shop.append("shop.t", {"order_id": [2**40], "price": [None], "w": [None], "note": ["n"]}, "r2")
    assert [(row["order_id"], row["note"]) for row in shop.rows("shop.t")] == [(1, None), (2**40, "n")]
    assert shop.catalog.scan("shop.t", snapshot_id=before).schema.names == ["order_id", "price", "w"]


def test_a_change_that_needs_a_rewrite_is_refused_by_name(orders: Shop) -> None:
    text_ids = replace(ORDERS, columns=(Column("order_id", "string"), Column("eval_set", "string")))
    with pytest.raises(InputError, match=r"column order_id of shop\.orders cannot change from bigint to string"):
        orders.catalog.define(text_ids)
    drift = orders.catalog.define(text_ids, ChangePolicy.LOG)
    assert drift.changed == (("order_id", "bigint", "string"),)
    assert orders.catalog.table("shop.orders").columns == ORDERS.columns


def test_a_column_left_out_is_reported_and_stays(orders: Shop) -> None:
    drift = orders.catalog.define(replace(ORDERS, columns=ORDERS.columns[:1]))
    assert drift.removed == (Column("eval_set", "string"),)
    assert orders.catalog.table("shop.orders").columns == ORDERS.columns


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        ((Column("a", "bigint"), Column("a", "string")), "columns twice: a"),
        ((Column("a", "bigint"), Column("b", "money")), r"column b: the type 'money'"),
        ((), "needs columns"),
    ],
)
def test_a_faulty_definition_is_refused(shop: Shop, columns: tuple[Column, ...], words: str) -> None:
    with pytest.raises(InputError, match=words):
        shop.catalog.define(replace(ORDERS, columns=columns))


def test_a_dropped_table_is_gone_and_can_be_made_anew(orders: Shop) -> None:
    orders.append("shop.orders", {"order_id": [1]}, "r1")
    orders.catalog.drop("shop.orders")
    with pytest.raises(NotFoundError):
        orders.catalog.scan("shop.orders")
    with pytest.raises(NotFoundError):
        orders.catalog.drop("shop.orders")
    assert orders.catalog.define(ORDERS).created
    assert orders.ids() == []
    orders.append("shop.orders", {"order_id": [2]}, "r1")
    assert orders.ids() == [2]


def test_properties_are_kept_and_replaced(orders: Shop) -> None:
    assert orders.catalog.properties("shop.orders") == {}
    orders.catalog.set_properties("shop.orders", {"owner": "data", "fingerprint": "1"})
    orders.catalog.set_properties("shop.orders", {"fingerprint": "2"})
    assert orders.reopen().properties("shop.orders") == {"owner": "data", "fingerprint": "2"}


# --- commits


def test_appends_add_up_and_each_version_stays_readable(orders: Shop) -> None:
    first = orders.append("shop.orders", {"order_id": [1, 2]}, "r1")
    between = datetime.now(UTC)
    second = orders.append("shop.orders", {"order_id": [3], "eval_set": ["train"]}, "r2", summary={"note": "späť"})
    assert orders.ids() == [1, 2, 3]
    assert orders.ids(snapshot_id=first) == [1, 2]
    assert orders.ids(at=between) == [1, 2]
    assert orders.catalog.scan("shop.orders").snapshot_id == second
    snapshots = orders.reopen().snapshots("shop.orders")
    assert [(s.id, s.parent_id, s.run_id) for s in snapshots] == [(first, None, "r1"), (second, first, "r2")]
    assert snapshots[1].summary["note"] == "späť"
    assert snapshots[0].at <= between <= snapshots[1].at + timedelta(milliseconds=1)


def test_versions_that_never_were_are_named(orders: Shop) -> None:
    orders.append("shop.orders", {"order_id": [1]}, "r1")
    with pytest.raises(NotFoundError, match=r"shop\.orders has no snapshot 7; its latest snapshots: \d+"):
        orders.catalog.scan("shop.orders", snapshot_id=7)
    with pytest.raises(NotFoundError, match="has no version at 2001"):
        orders.catalog.scan("shop.orders", at=datetime(2001, 1, 1, tzinfo=UTC))


def test_an_overwrite_replaces_all_rows_in_one_snapshot(orders: Shop) -> None:
    orders.append("shop.orders", {"order_id": [1]}, "r1")
    orders.append("shop.orders", {"order_id": [2]}, "r2")
    new = [orders.write("shop.orders", {"order_id": [8]}), orders.write("shop.orders", {"order_id": [9]})]
    orders.catalog.commit("shop.orders", OVERWRITE, new, run_id="r3")
    assert orders.ids() == [8, 9]
    assert len(orders.catalog.snapshots("shop.orders")) == 3


@pytest.mark.parametrize("before", [0, 1])
def test_an_overwrite_with_no_files_empties_the_table(orders: Shop, before: int) -> None:
    for number in range(before):
        orders.append("shop.orders", {"order_id": [number]}, f"r{number}")
    snapshot = orders.catalog.commit("shop.orders", OVERWRITE, [], run_id="empty")
    assert orders.ids() == []
    assert orders.catalog.scan("shop.orders").snapshot_id == snapshot.id
    assert orders.append("shop.orders", {"order_id": [5]}, "after")
    assert orders.ids() == [5]


def test_a_merge_replaces_only_the_files_it_names(orders: Shop) -> None:
    kept = orders.write("shop.orders", {"order_id": [1, 2]})
    touched = orders.write("shop.orders", {"order_id": [3, 4]})
    orders.catalog.commit("shop.orders", APPEND, [kept, touched], run_id="r1")
    rewritten = orders.write("shop.orders", {"order_id": [3, 40, 5]})
    orders.catalog.commit("shop.orders", MERGE, [rewritten], run_id="r2", replaces=[touched.uri])
    assert orders.ids() == [1, 2, 3, 5, 40]
    assert {file.uri for file in orders.catalog.scan("shop.orders").files} == {kept.uri, rewritten.uri}
    assert len(orders.catalog.snapshots("shop.orders")) == 2


def test_a_merge_of_a_file_that_left_the_table_is_a_conflict(orders: Shop) -> None:
    old = orders.write("shop.orders", {"order_id": [1]})
    orders.catalog.commit("shop.orders", APPEND, [old], run_id="r1")
    orders.catalog.commit("shop.orders", OVERWRITE, [], run_id="r2")
    with pytest.raises(CommitConflictError, match=r"no longer part of shop\.orders"):
        orders.catalog.commit(
            "shop.orders", MERGE, [orders.write("shop.orders", {"order_id": [1]})], run_id="r3", replaces=[old.uri]
        )
    assert orders.ids() == []


def test_a_run_commits_once_however_often_it_tries(orders: Shop) -> None:
    first = orders.append("shop.orders", {"order_id": [1]}, "r1")
    orders.append("shop.orders", {"order_id": [2]}, "r2")
    again = orders.reopen().commit(
        "shop.orders", OVERWRITE, [orders.write("shop.orders", {"order_id": [9]})], run_id="r1"
    )
    assert (again.id, again.run_id) == (first, "r1")
    assert orders.ids() == [1, 2]


def test_a_run_is_remembered_after_its_snapshot_expired(orders: Shop) -> None:
    first = orders.append("shop.orders", {"order_id": [1]}, "r1", summary={"note": "n"})
    orders.append("shop.orders", {"order_id": [2]}, "r2")
    assert orders.catalog.expire("shop.orders", older_than=timedelta(0)) == 1
    again = orders.catalog.commit("shop.orders", APPEND, [orders.write("shop.orders", {"order_id": [1]})], run_id="r1")
    assert (again.id, again.summary["note"]) == (first, "n")
    assert orders.ids() == [1, 2]


def test_an_expected_version_that_moved_on_is_a_conflict(orders: Shop) -> None:
    new = orders.write("shop.orders", {"order_id": [1]})
    first = orders.catalog.commit(
        "shop.orders", APPEND, [new], run_id="r1", check_expected=True, expected_snapshot=None
    )
    file = orders.write("shop.orders", {"order_id": [2]})
    with pytest.raises(CommitConflictError, match="another run committed first"):
        orders.catalog.commit("shop.orders", OVERWRITE, [file], run_id="r2", check_expected=True)
    orders.catalog.commit(
        "shop.orders", OVERWRITE, [file], run_id="r2", check_expected=True, expected_snapshot=first.id
    )
    assert orders.ids() == [2]


def test_a_data_file_enters_a_table_once(orders: Shop) -> None:
    file = orders.write("shop.orders", {"order_id": [1]})
    with pytest.raises(InputError, match="committed once"):
        orders.catalog.commit("shop.orders", APPEND, [file, file], run_id="r1")
    orders.catalog.commit("shop.orders", APPEND, [file], run_id="r1")
    with pytest.raises(InputError, match=r"already part of shop\.orders"):
        orders.catalog.commit("shop.orders", APPEND, [file], run_id="r2")
    assert orders.ids() == [1]


def test_files_that_are_not_what_they_claim_are_refused(orders: Shop) -> None:
    file = orders.write("shop.orders", {"order_id": [1, 2]})
    torn = orders.write("shop.orders", {"order_id": [1]})
    zone, key = orders.lake.locate(torn.uri)
    [ref] = (ref for ref in orders.lake.list(zone, key) if ref.uri == torn.uri)
    with orders.lake.open(ref) as stream:
        whole = stream.read()
    orders.lake.put(zone, key, io.BytesIO(whole[:-20]))
    foreign = f"{orders.lake.staging('w')}/f.parquet"
    orders.put(foreign, pa.table({"order_id": ["a"]}))
    extra = f"{orders.lake.staging('w')}/f.parquet"
    orders.put(extra, pa.table({"order_id": [1], "surprise": [1]}))
    crossed = f"{orders.lake.staging('w')}/f.parquet"
    swapped = pa.schema([pa.field("order_id", pa.int64(), metadata={"PARQUET:field_id": "2"})])
    orders.put(crossed, pa.table({"order_id": [1]}, schema=swapped))
    for faulty, words in [
        (replace(file, rows=3), "holds 2 rows, not 3"),
        (replace(file, uri=file.uri + ".gone"), "is not there"),
        (torn, "not whole Parquet"),
        (DataFile(foreign, 1, 1), r"does not have the columns of shop\.orders"),
        (DataFile(extra, 1, 1), r"does not have the columns of shop\.orders"),
        (DataFile(crossed, 1, 1), "field id 2 of column eval_set"),
    ]:
        with pytest.raises(InputError, match=words):
            orders.catalog.commit("shop.orders", APPEND, [faulty], run_id="r1")
    assert orders.catalog.snapshots("shop.orders") == []


def test_a_commit_cannot_forge_the_summary(orders: Shop) -> None:
    with pytest.raises(InputError, match="total-records"):
        orders.append("shop.orders", {"order_id": [1]}, "r1", summary={"total-records": "7"})
    with pytest.raises(InputError, match=r"malformed nextbasket\.ingested"):
        orders.append("shop.orders", {"order_id": [1]}, "r1", summary={INGESTED: '[{"key": "a"}]'})
    assert orders.catalog.snapshots("shop.orders") == []


def test_duckdb_writes_what_the_catalog_commits(shop: Shop, tmp_path: Path) -> None:
    columns = (
        Column("order_id", "bigint"),
        Column("day", "date"),
        Column("placed", "timestamp"),
        Column("n", "double"),
    )
    shop.catalog.define(TableDefinition("shop", "t", columns, "", "iceberg"))
    written = tmp_path / "a.parquet"
    duckdb.execute(
        f"""COPY (SELECT range AS order_id, DATE '2024-05-01' AS day, TIMESTAMP '2024-05-01 10:00:00' AS placed,
                         range / 2 AS n FROM range(1000))
            TO '{written}' (FORMAT parquet, FIELD_IDS {{order_id: 1, day: 2, placed: 3, n: 4}})"""  # noqa: S608 - own path
    )
    zone, key = shop.lake.locate(f"{shop.lake.staging('r')}/a.parquet")
    with written.open("rb") as stream:
        ref = shop.lake.put(zone, key, stream)
    shop.catalog.commit("shop.t", APPEND, [DataFile(ref.uri, 1000, ref.size)], run_id="r")
    rows = shop.rows("shop.t")
    assert sum(row["order_id"] for row in rows) == 499500
    assert {row["day"] for row in rows} == {date(2024, 5, 1)}
    assert {row["placed"] for row in rows} == {datetime(2024, 5, 1, 10)}
    assert max(row["n"] for row in rows) == 499.5


def test_a_partitioned_table_takes_files_of_one_partition_each(shop: Shop) -> None:
    definition = TableDefinition(
        "shop", "t", (Column("order_id", "bigint"),), "", "iceberg", partition_keys=(Column("day", "date"),)
    )
    shop.catalog.define(definition)
    assert shop.catalog.table("shop.t").partition_keys == (Column("day", "date"),)
    shop.append("shop.t", {"order_id": [1, 2], "day": [date(2024, 5, 1)] * 2}, "r1")
    with pytest.raises(InputError, match=r"columns of shop\.t"):
        shop.append("shop.t", {"order_id": [3, 4], "day": [date(2024, 5, 1), date(2024, 5, 2)]}, "r2")
    assert shop.ids("shop.t") == [1, 2]
    with pytest.raises(InputError, match="partitioned by day and cannot change to nothing"):
        shop.catalog.define(replace(definition, columns=definition.columns, partition_keys=()))


# --- the ledger


def entry(sha256: str, key: str = "orders.csv", **counts: Any) -> str:
    return json.dumps(
        [{"sha256": sha256, "key": key, "accepted": 0, "merged": 0, "dropped": {}, "quarantined": 0} | counts]
    )


def test_a_loaded_content_is_known_and_others_are_not(orders: Shop) -> None:
    summary = {INGESTED: entry("aa", "orders/1.csv", accepted=2, merged=1, dropped={"no id": 3}, quarantined=4)}
    snapshot = orders.append("shop.orders", {"order_id": [1, 2]}, "r1", summary=summary)
    found = orders.reopen().ingested("aa")
    assert found is not None
    assert json.loads(found["dropped"]) == {"no id": 3}
    assert (found["table"], found["key"], found["run_id"]) == ("shop.orders", "orders/1.csv", "r1")
    assert (found["accepted"], found["merged"], found["quarantined"]) == ("2", "1", "4")
    assert found["snapshot_id"] == str(snapshot)
    assert orders.catalog.ingested("bb") is None
    assert orders.catalog.ingested("aa", "shop.products") is None
    assert [file.key for file in orders.catalog.ledger("shop.orders")] == ["orders/1.csv"]
    assert orders.catalog.ledger("shop.products") == []


def test_the_ledger_outlives_expired_snapshots_but_not_the_table(orders: Shop) -> None:
    orders.append("shop.orders", {"order_id": [1]}, "r1", summary={INGESTED: entry("aa")})
    orders.append("shop.orders", {"order_id": [2]}, "r2", summary={INGESTED: entry("bb")})
    orders.catalog.expire("shop.orders", older_than=timedelta(0))
    assert [file.sha256 for file in orders.catalog.ledger()] == ["aa", "bb"]
    orders.catalog.drop("shop.orders")
    assert orders.catalog.ingested("aa") is None
    assert orders.catalog.ledger() == []


def test_state_is_kept(shop: Shop) -> None:
    assert shop.catalog.state("step:load") is None
    shop.catalog.set_state("step:load", "1")
    shop.catalog.set_state("step:load", "2 'größer'")
    assert shop.reopen().state("step:load") == "2 'größer'"


# --- expiry and sweeping


def test_expiry_keeps_the_last_ones_and_a_sweep_keeps_what_they_need(orders: Shop) -> None:
    for number in range(4):
        file = orders.write("shop.orders", {"order_id": [number]})
        orders.catalog.commit("shop.orders", OVERWRITE, [file], run_id=f"r{number}")
    assert orders.catalog.expire("shop.orders", older_than=timedelta(days=1)) == 0
    assert orders.catalog.expire("shop.orders", older_than=timedelta(0), keep_last=2) == 2
    orders.lake.sweep(timedelta(seconds=-5), orders.catalog.referenced_files())
    kept = [snapshot.id for snapshot in orders.catalog.snapshots("shop.orders")]
    reopened = replace(orders, catalog=orders.reopen())
    assert [reopened.ids(snapshot_id=snapshot) for snapshot in kept] == [[2], [3]]
    data = [ref.key for ref in orders.lake.list(Zone.WAREHOUSE, "data/")]
    assert len(data) == 2
    assert reopened.append("shop.orders", {"order_id": [4]}, "r4")


# --- tables read in place


LANDING = TableDefinition(
    "landing",
    "orders",
    (Column("order_id", "bigint"),),
    "",
    "csv",
    parameters={"delimiter": ",", "skip.header.line.count": "1"},
)


def land(shop: Shop, *keys: str) -> None:
    for key in keys:
        shop.lake.put(Zone.LANDING, key, io.BytesIO(b"order_id\n1\n"))


def test_a_table_read_in_place_has_the_files_of_its_location_now(shop: Shop) -> None:
    definition = replace(LANDING, location=shop.lake.uri(Zone.LANDING, "orders"))
    assert shop.catalog.define(definition).created
    assert shop.catalog.scan("landing.orders").files == ()
    land(shop, "orders/b.csv", "orders/a/c d#%.csv", "orders/_SUCCESS", "orders/_tmp/x.csv", "orders_old/x.csv")
    scan = shop.reopen().scan("landing.orders")
    assert [file.uri for file in scan.files] == [
        shop.lake.uri(Zone.LANDING, "orders/a/c d#%.csv"),
        shop.lake.uri(Zone.LANDING, "orders/b.csv"),
    ]
    assert [(file.rows, file.bytes) for file in scan.files] == [(-1, 11), (-1, 11)]
    assert (scan.format, scan.parameters, scan.snapshot_id) == ("csv", LANDING.parameters, None)
    assert scan.schema == pa.schema([("order_id", pa.int64())])
    assert shop.catalog.table("landing.orders") == definition
    assert shop.catalog.snapshots("landing.orders") == []


def test_a_location_may_be_one_file(shop: Shop) -> None:
    land(shop, "orders.csv", "orders.csv.bak")
    shop.catalog.define(replace(LANDING, location=shop.lake.uri(Zone.LANDING, "orders.csv")))
    uris = [file.uri for file in shop.catalog.scan("landing.orders").files]
    assert uris == [shop.lake.uri(Zone.LANDING, "orders.csv")]


def test_hive_partitions_are_read_from_the_folders(shop: Shop) -> None:
    keys = ("orders/day=2024-05-01/store=a%20b/x.csv", "orders/day=2024-05-02/store=c/x.csv")
    land(shop, *keys)
    definition = replace(
        LANDING,
        location=shop.lake.uri(Zone.LANDING, "orders"),
        partition_keys=(Column("day", "date"), Column("store", "string")),
    )
    shop.catalog.define(definition)
    scan = shop.catalog.scan("landing.orders")
    assert scan.schema.names == ["order_id", "day", "store"]
    assert [scan.partitions[file.uri] for file in scan.files] == [
        {"day": "2024-05-01", "store": "a b"},
        {"day": "2024-05-02", "store": "c"},
    ]
    land(shop, "orders/y.csv")
    scan = shop.catalog.scan("landing.orders")
    assert scan.partitions[shop.lake.uri(Zone.LANDING, "orders/y.csv")] == {"day": NULL, "store": NULL}


def test_plain_folders_are_partitions_by_their_level(shop: Shop) -> None:
    land(shop, "orders/2026/11/x.csv", "orders/2026/dt=22/y.csv")
    keys = (Column("partition_0", "bigint"), Column("partition_1", "string"), Column("dt", "bigint"))
    shop.catalog.define(replace(LANDING, location=shop.lake.uri(Zone.LANDING, "orders"), partition_keys=keys))
    scan = shop.catalog.scan("landing.orders")
    assert [scan.partitions[file.uri] for file in scan.files] == [
        {"partition_0": "2026", "partition_1": "11", "dt": NULL},
        {"partition_0": "2026", "partition_1": NULL, "dt": "22"},
    ]


def test_files_may_be_written_in_other_forms_or_belong_to_another_table(shop: Shop) -> None:
    land(shop, *(f"orders/{name}.csv" for name in "abcdef"), "orders/old/z.csv")
    semicolons = FileForm("csv", ("order_id",), {"delimiter": ";"})
    forms = Forms(
        (("a.csv", "b.csv", semicolons), ("d.csv", "d.csv", None), ("f.csv", "f.csv", semicolons)), ("e.csv", "old/")
    )
    definition = replace(LANDING, location=shop.lake.uri(Zone.LANDING, "orders"))
    open_ = replace(definition, parameters={**LANDING.parameters, FORMS: forms.as_text()})
    shop.catalog.define(open_)
    assert Forms.of(shop.reopen().table("landing.orders")) == forms
    scan = shop.reopen().scan("landing.orders")

    def uri(name: str) -> str:
        return shop.lake.uri(Zone.LANDING, f"orders/{name}.csv")

    assert [file.uri for file in scan.files] == [uri(name) for name in "abcdf"]
    assert scan.forms == {uri("a"): semicolons, uri("b"): semicolons, uri("f"): semicolons}
    assert scan.parameters == LANDING.parameters
    closed = replace(forms, excluded=(), closed=True)
    shop.catalog.define(replace(definition, parameters={**LANDING.parameters, FORMS: closed.as_text()}))
    assert [file.uri for file in shop.catalog.scan("landing.orders").files] == [uri(name) for name in "abdf"]


def test_new_statistics_are_kept_and_are_no_drift(shop: Shop) -> None:
    first = replace(LANDING, location=shop.lake.uri(Zone.LANDING, "orders"))
    shop.catalog.define(first)
    counted = replace(first, parameters={**first.parameters, "objectCount": "2", "sizeKey": "22"})
    assert not shop.catalog.define(counted)
    assert shop.catalog.table("landing.orders").parameters["objectCount"] == "2"


def test_a_crawl_that_finds_another_form_is_drift(shop: Shop) -> None:
    first = replace(LANDING, location=shop.lake.uri(Zone.LANDING, "orders"))
    shop.catalog.define(first)
    second = replace(
        first,
        columns=(Column("order_id", "string"), Column("note", "string")),
        parameters={"delimiter": ";", "skip.header.line.count": "1"},
    )
    logged = shop.catalog.define(second, ChangePolicy.LOG)
    assert shop.catalog.table("landing.orders") == first
    assert logged == shop.catalog.define(second)
    assert logged.added == (Column("note", "string"),)
    assert logged.changed == (("order_id", "bigint", "string"),)
    assert logged.altered == ("parameters",)
    assert shop.catalog.table("landing.orders") == second
    shop.catalog.set_properties("landing.orders", {"crawled": "x"})
    assert shop.catalog.define(second).altered == ()
    assert shop.catalog.properties("landing.orders") == {**second.parameters, "crawled": "x"}


def test_a_table_read_in_place_takes_no_commits_and_has_no_past(shop: Shop) -> None:
    shop.catalog.define(replace(LANDING, location=shop.lake.uri(Zone.LANDING, "orders")))
    with pytest.raises(InputError, match="only Iceberg tables take commits"):
        shop.catalog.commit("landing.orders", APPEND, [], run_id="r")
    with pytest.raises(InputError, match="no earlier versions"):
        shop.catalog.scan("landing.orders", at=datetime.now(UTC))
    with pytest.raises(InputError, match="drop it first"):
        shop.catalog.define(replace(LANDING, format="iceberg"))
    with pytest.raises(NotFoundError, match=r"no table shop\.nothing"):
        shop.catalog.commit("shop.nothing", APPEND, [], run_id="r")


def test_a_view_is_a_definition_without_files(shop: Shop) -> None:
    view = TableDefinition(
        "mine",
        "busy",
        (Column("user_id", "bigint"), Column("tags", "array<string>"), Column("share", "float")),
        "",
        "view",
        parameters={"view.statement": "SELECT 1 AS user_id", "view.database": "shop"},
    )
    assert shop.catalog.define(view).created
    assert shop.reopen().table("mine.busy") == view
    assert shop.catalog.tables("mine") == [view]
    with pytest.raises(InputError, match=r"mine\.busy is a view and has no files of its own"):
        shop.catalog.scan("mine.busy")
    changed = replace(view, parameters={**view.parameters, "view.statement": "SELECT 2 AS user_id"})
    assert shop.catalog.define(changed).altered == ("parameters",)
    assert shop.reopen().table("mine.busy") == changed
    shop.catalog.drop("mine.busy")
    assert shop.catalog.tables() == []
