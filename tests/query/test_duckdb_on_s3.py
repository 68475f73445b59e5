"""DuckDB reads and writes files on S3 without an extension. Run against moto only."""

import io
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from nextbasket.catalog.base import DataFile, Scan
from nextbasket.errors import NextbasketError, QueryError
from nextbasket.lake.base import Zone
from nextbasket.lake.s3 import S3Lake, places
from nextbasket.query.base import Limits
from nextbasket.query.duckdb import DuckDBEngine
from nextbasket.query.s3_files import S3Files

from ..aws_server import AwsServer

ORDERS = pa.schema([("order_id", pa.int64()), ("note", pa.string())])
CSV = {"delimiter": ",", "quote": '"', "skip.header.line.count": "1", "encoding": "utf-8", "compression": "none"}


@pytest.fixture
def lake(aws: AwsServer) -> S3Lake:
    return S3Lake(aws.access, places(aws.bucket()), lambda: datetime.now(UTC))


@pytest.fixture
def engine(aws: AwsServer, tmp_path: Path) -> DuckDBEngine:
    return DuckDBEngine(tmp_path, threads=2, s3=lambda: S3Files(aws.access.filesystem()))


@pytest.fixture
def orders(lake: S3Lake) -> Scan:
    keys = ['orders/it\'s "day" 1 #%20/ä;b.csv', "orders/a.csv"]
    refs = [lake.put(Zone.LANDING, key, io.BytesIO(b'order_id,note\n1,"a,b"\n2,\n')) for key in keys]
    return Scan("landing.orders", "csv", tuple(DataFile(ref.uri, -1, ref.size) for ref in refs), ORDERS, None, CSV)


def rows(engine: DuckDBEngine, statement: str, scan: Scan) -> list[dict[str, Any]]:
    handle = engine.start(statement, {"landing.orders": scan})
    return pa.Table.from_batches(handle.batches(), handle.schema).to_pylist()


def test_files_with_odd_names_are_read(engine: DuckDBEngine, orders: Scan) -> None:
    found = rows(engine, "SELECT order_id, note FROM landing.orders ORDER BY order_id, note", orders)
    assert [row["order_id"] for row in found] == [1, 1, 2, 2]
    assert [row["note"] for row in found if row["note"]] == ["a,b", "a,b"]
    paths = rows(engine, 'SELECT DISTINCT "$path" AS p FROM landing.orders', orders)
    assert {row["p"] for row in paths} == {file.uri for file in orders.files}


@pytest.mark.parametrize("format", ["parquet", "csv", "json"])
def test_what_is_written_is_there_with_its_size(engine: DuckDBEngine, lake: S3Lake, orders: Scan, format: str) -> None:
    folder = lake.staging("r")
    [file] = engine.write("SELECT order_id FROM landing.orders", {"landing.orders": orders}, folder, format=format)
    [ref] = lake.list(Zone.WAREHOUSE)
    assert (file.uri, file.rows, file.bytes) == (ref.uri, 4, ref.size)
    if format == "parquet":
        with lake.open(ref) as stream:
            assert sorted(pq.read_table(stream)["order_id"].to_pylist()) == [1, 1, 2, 2]
    with pytest.raises(QueryError, match="is not empty"):
        engine.write("SELECT order_id FROM landing.orders", {"landing.orders": orders}, folder)


def test_an_empty_result_writes_no_file(engine: DuckDBEngine, lake: S3Lake, orders: Scan) -> None:
    statement = "SELECT order_id FROM landing.orders WHERE order_id > 9"
    assert engine.write(statement, {"landing.orders": orders}, lake.staging("r")) == []
    assert list(lake.list(Zone.WAREHOUSE)) == []


def test_partitions_are_written_into_folders(engine: DuckDBEngine, lake: S3Lake, orders: Scan) -> None:
    folder = lake.staging("r")
    statement = "SELECT note, order_id FROM landing.orders"
    files = engine.write(statement, {"landing.orders": orders}, folder, partition_by=["order_id"])
    assert {file.uri.removeprefix(f"{folder}/").split("/")[0] for file in files} == {"order_id=1", "order_id=2"}
    assert sum(file.rows for file in files) == 4
    assert {ref.uri for ref in lake.list(Zone.WAREHOUSE)} == {file.uri for file in files}


def test_a_limit_on_bytes_counts_files_on_s3_whole(engine: DuckDBEngine, lake: S3Lake) -> None:
    uri = f"{lake.staging('r')}/a.parquet"
    filesystem, path = lake.filesystem(uri)
    pq.write_table(pa.table({"order_id": [1], "note": ["a"]}, schema=ORDERS), path, filesystem=filesystem)
    size = filesystem.get_file_info(path).size
    inputs = {"landing.orders": Scan("landing.orders", "parquet", (DataFile(uri, 1, size),), ORDERS)}
    statement = "SELECT order_id FROM landing.orders"
    handle = engine.start(statement, inputs, limits=Limits(scan_bytes=size))
    assert [batch.num_rows for batch in handle.batches()] == [1]
    with pytest.raises(QueryError, match="limit"):
        engine.start(statement, inputs, limits=Limits(scan_bytes=size - 1))


def test_an_engine_without_s3_says_so(tmp_path: Path, orders: Scan) -> None:
    with pytest.raises(NextbasketError, match="is not a local file"):
        rows(DuckDBEngine(tmp_path), "SELECT count(*) FROM landing.orders", orders)


def test_a_query_of_one_file_asks_for_it_few_times(aws: AwsServer, lake: S3Lake, engine: DuckDBEngine) -> None:
    uri = f"{lake.staging('r')}/a.parquet"
    filesystem, path = lake.filesystem(uri)
    pq.write_table(pa.table({"order_id": [1, 2], "note": ["a", "b"]}, schema=ORDERS), path, filesystem=filesystem)
    scan = Scan("landing.orders", "parquet", (DataFile(uri, 2, filesystem.get_file_info(path).size),), ORDERS)
    with aws.counted() as requests:
        assert rows(engine, "SELECT sum(order_id) AS s FROM landing.orders", scan) == [{"s": 3}]
    # Each opening asks for the size; before S3Files remembered it there were more than thirty requests.
    assert len(requests) <= 14, requests
