"""What a statement may use, what is remembered of it, and what a killed one leaves behind."""

import os
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from nextbasket.catalog.base import ICEBERG, Column, DataFile, Scan, TableDefinition
from nextbasket.catalog.database import CatalogDatabase
from nextbasket.errors import NextbasketError, QueryError, UsageError
from nextbasket.lake.base import Zone
from nextbasket.query.base import Limits, QueryState
from nextbasket.query.history import QueryHistory
from nextbasket.query.inputs import prepare
from nextbasket.query.sizes import bytes_of
from nextbasket.query.user_tables import CREATING

from .home import NOON, StatementHome


@pytest.fixture
def home(tmp_path: Path) -> StatementHome:
    return StatementHome(tmp_path / "home")


@pytest.fixture
def wide(tmp_path: Path) -> Scan:
    """A table of one narrow column and one wide one, uncompressed, so that sizes can be told by hand."""
    table = pa.table({"id": pa.array(range(1000), pa.int64()), "text": [f"{n:0500}" for n in range(1000)]})
    path = tmp_path / "wide.parquet"
    pq.write_table(table, path, compression="none", use_dictionary=False, write_statistics=False)
    return Scan("shop.wide", "parquet", (DataFile(str(path), 1000, path.stat().st_size),), table.schema)


@pytest.mark.parametrize(
    ("sql", "columns"),
    [
        ("SELECT * FROM wide", {"id", "text"}),
        ("SELECT id FROM wide", {"id"}),
        ("SELECT count(*) FROM wide", set()),
        ("SELECT id FROM wide WHERE text LIKE 'a%'", {"id", "text"}),
        ("SELECT s.id FROM (SELECT * FROM wide) AS s", {"id"}),
        ("WITH w AS (SELECT id, text FROM wide) SELECT max(id) FROM w", {"id"}),
        ("SELECT a.id FROM wide a JOIN wide b ON a.id = b.id", {"id"}),
        ("SELECT id FROM wide WHERE id > (SELECT avg(length(text)) FROM wide)", {"id", "text"}),
    ],
)
def test_only_the_columns_read_count(wide: Scan, sql: str, columns: set[str]) -> None:
    sizes = {"id": 1000 * 8, "text": 1000 * 504}
    expected = sum(sizes[column] for column in columns)
    planned = prepare(sql, {"wide": wide}, ()).planned_bytes
    assert expected <= planned <= expected + 200 * len(columns)  # page headers


def test_a_statement_beyond_its_bytes_is_stopped_before_it_runs(home: StatementHome) -> None:
    home.run("CREATE TABLE mine.w WITH (table_type = 'ICEBERG') AS SELECT order_id, user_id, eval_set, gap FROM orders")
    size = sum(file.bytes for file in home.catalog.scan("mine.w").files)
    tight = Limits(scan_bytes=size // 4)
    with pytest.raises(QueryError, match=r"the query would read [\d,]+ bytes and its limit is"):
        home.rows("SELECT * FROM mine.w", limits=tight)
    assert home.values("SELECT sum(order_id) FROM mine.w", limits=tight) == [(10,)]
    for sql in (
        "CREATE TABLE mine.x AS SELECT * FROM mine.w",
        "INSERT INTO mine.w SELECT * FROM mine.w",
        "UPDATE mine.w SET gap = 1",
        "EXPLAIN ANALYZE SELECT * FROM mine.w",
    ):
        with pytest.raises(QueryError, match="its limit is"):
            home.rows(sql, limits=tight)
    assert len(home.catalog.snapshots("mine.w")) == 1
    assert home.values("SHOW TABLES IN mine") == [("w",)]


def test_every_statement_ends_at_its_time(home: StatementHome) -> None:
    digits = "(VALUES (1), (2), (3), (4), (5), (6), (7), (8), (9), (10))"
    crossed = ", ".join(f"{digits} AS d{n}(x)" for n in range(11))
    endless = f"SELECT sum(d0.x * d1.x + d10.x) AS s FROM {crossed}"  # noqa: S608 (a constant)
    made = "CREATE TABLE mine.x WITH (table_type = 'ICEBERG') AS "
    for sql in (endless, made + endless, "EXPLAIN ANALYZE " + endless):
        with pytest.raises(QueryError, match="longer than its limit"):
            home.rows(sql, limits=Limits(seconds=0.3))
    assert home.values("SHOW TABLES IN mine") == []


def test_a_statement_has_no_more_than_its_memory(home: StatementHome) -> None:
    with pytest.raises(QueryError, match="more memory than it may use"):
        home.rows("SELECT * FROM orders ORDER BY order_id", limits=Limits(memory_bytes=200_000))


def test_the_history_tells_text_state_rows_and_errors(home: StatementHome) -> None:
    home.rows("SELECT * FROM orders WHERE order_id > 1")
    with pytest.raises(QueryError):
        home.rows("SELECT nope\nFROM orders")
    home.workgroup.execute("SELECT * FROM orders").cancel()
    home.run("CREATE TABLE mine.h AS SELECT order_id FROM orders WHERE order_id < 3")
    made, cancelled, failed, selected = home.workgroup.history()
    assert (selected.statement, selected.state, selected.rows) == (
        "SELECT * FROM orders WHERE order_id > 1",
        QueryState.SUCCEEDED,
        3,
    )
    assert selected.submitted_at == NOON
    assert selected.engine == "duckdb"
    assert selected.scanned_bytes == sum(file.bytes for file in home.catalog.scan("shop.orders").files)
    assert selected.seconds is not None
    assert (failed.state, failed.rows) == (QueryState.FAILED, None)
    assert failed.error is not None
    assert failed.error.startswith("there is no column nope")
    assert cancelled.state is QueryState.CANCELLED
    assert (made.state, made.rows, made.scanned_bytes) == (QueryState.SUCCEEDED, 2, selected.scanned_bytes)
    assert home.values(
        "SELECT query_id, state, statement FROM system.queries WHERE state = 'FAILED' AND rows IS NULL"
    ) == [(failed.query_id, "FAILED", "SELECT nope\nFROM orders")]


def test_the_history_keeps_the_newest(home: StatementHome) -> None:
    history = QueryHistory(CatalogDatabase(home.home / "catalog.db"), lambda: NOON, keep=3)
    for number in range(7):
        history.begin(f"q{number}", f"SELECT {number}", "duckdb")
        history.end(f"q{number}", QueryState.SUCCEEDED, None, None)
    assert [past.statement for past in history.newest()] == ["SELECT 6", "SELECT 5", "SELECT 4"]
    assert [past.query_id for past in history.newest(1)] == ["q6"]


def test_a_result_is_saved_on_request(home: StatementHome) -> None:
    uri, rows = home.workgroup.execute_and_save("SELECT order_id, gap FROM orders WHERE order_id < 3 ORDER BY 1")
    assert rows == 2
    assert uri == home.lake.uri(Zone.RESULTS, "queries/s1.csv")
    assert Path(uri).read_bytes() == b"order_id,gap\r\n1,\r\n2,7.0\r\n"
    assert home.values("SELECT result FROM system.queries WHERE query_id = 's1'") == [(uri,)]


def test_a_read_only_home_answers_without_a_history(home: StatementHome) -> None:
    if os.geteuid() == 0:
        home.home.chmod(0o755)  # root writes everywhere: make the history itself unwritable
    (home.home / "catalog.db").chmod(0o444)
    assert home.values("SELECT count(*) FROM orders") == [(4,)]


@pytest.mark.parametrize(
    ("size", "expected"), [(None, None), ("500MB", 500_000_000), ("1.5 GiB", 1_610_612_736), ("2 TB", 2 * 10**12)]
)
def test_sizes_are_read(size: str | None, expected: int | None) -> None:
    assert bytes_of(size) == expected


def test_what_is_no_size_is_refused() -> None:
    with pytest.raises(UsageError, match="is no size"):
        bytes_of("many")


# --- killed statements -------------------------------------------------------------------------------------------

KILLED = """
import os, signal, sys
from pathlib import Path
from tests.query.home import StatementHome
from nextbasket.query.table_locations import Places
from nextbasket.catalog.local import LocalCatalog

home = StatementHome(Path(sys.argv[1]))
home.statements = os.getpid()
where, sql = sys.argv[2], sys.argv[3]
owner = {"write": type(home.workgroup.engine), "appear": Places, "finish": Places}.get(where, LocalCatalog)
method = getattr(owner, where)

def killed(*args, **options):
    method(*args, **options)
    os.kill(os.getpid(), signal.SIGKILL)

setattr(owner, where, killed)
home.rows(sql)
"""

FILES = "CREATE TABLE mine.k WITH (external_location = 's3://b/k/') AS SELECT order_id FROM orders"
TABLE = "CREATE TABLE mine.k WITH (table_type = 'ICEBERG') AS SELECT order_id FROM orders"


def _kill(home: StatementHome, where: str, sql: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", KILLED, str(home.home), where, sql],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
    )
    assert done.returncode == -signal.SIGKILL, done.stderr


@pytest.mark.slow
@pytest.mark.parametrize(
    ("where", "sql", "there"),
    [
        ("write", FILES, False),
        ("appear", FILES, False),
        ("define", FILES, True),
        ("define", TABLE, False),
        ("commit", TABLE, True),
    ],
)
def test_a_killed_create_table_as_is_whole_or_can_run_again(
    home: StatementHome, where: str, sql: str, there: bool
) -> None:
    _kill(home, where, sql)
    if there:
        with pytest.raises(QueryError, match="exists already"):
            home.rows(sql)
    else:
        assert home.rows(sql) == [{"rows": 4}]
    assert home.values("SELECT * FROM mine.k ORDER BY 1") == [(1,), (2,), (3,), (4,)]


@pytest.mark.slow
def test_the_sweep_removes_what_a_killed_statement_left(home: StatementHome) -> None:
    _kill(home, "appear", FILES)
    home.run("CREATE TABLE mine.stays AS SELECT 1 AS a")
    left = {ref.key for zone in (Zone.EXCHANGE, Zone.WAREHOUSE) for ref in home.lake.list(zone)}
    home.workgroup.sweep(NOON - timedelta(days=36500))
    assert {ref.key for zone in (Zone.EXCHANGE, Zone.WAREHOUSE) for ref in home.lake.list(zone)} == left
    home.workgroup.sweep(NOON + timedelta(days=36500))
    assert [ref.key.split("/")[0] for ref in home.lake.list(Zone.EXCHANGE)] == ["tables"]
    assert home.values("SELECT a FROM mine.stays") == [(1,)]


@pytest.mark.slow
def test_a_killed_insert_adds_all_rows_or_none(home: StatementHome) -> None:
    home.run(FILES)
    _kill(home, "write", "INSERT INTO mine.k VALUES (5), (6)")
    assert home.values("SELECT count(*) FROM mine.k") == [(4,)]
    _kill(home, "appear", "INSERT INTO mine.k VALUES (5), (6)")
    assert home.values("SELECT count(*) FROM mine.k") == [(6,)]


def test_a_statement_whose_process_is_gone_has_failed(home: StatementHome) -> None:
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    home.rows("SELECT 1 AS a")
    with closing(sqlite3.connect(home.home / "catalog.db")) as connection, connection:
        connection.execute("UPDATE query_history SET state = 'RUNNING', process = ?", (gone.pid,))
    (past,) = home.workgroup.history()
    assert past.state is QueryState.FAILED
    assert past.error == "the process ended before the statement did."


def test_an_unfinished_table_of_another_writer_is_left_alone(home: StatementHome) -> None:
    columns = (Column("a", "bigint"),)
    home.catalog.define(TableDefinition("mine", "k", columns, "", ICEBERG, (), {"created_by": "hand"}))
    with pytest.raises(NextbasketError, match="exists already"):
        home.rows(TABLE)
    assert CREATING not in home.catalog.table("mine.k").parameters


@pytest.mark.parametrize(
    ("sql", "message"),
    [
        ("SELECT " + "(" * 500 + "1" + ")" * 500 + " AS x", "nested too deeply"),
        ("SELECT * FROM " + "(SELECT * FROM " * 300 + "orders" + ") AS q" * 300, "nested too deeply"),
        ("DELETE FROM mine.o WHERE " + "NOT " * 500 + "true", "nested too deeply"),
        ("SELECT '" + "x" * 300_000 + "' AS x", "300,014 bytes long and may have 262,144"),
    ],
)
def test_what_is_too_deep_or_too_long_is_refused(tmp_path: Path, sql: str, message: str) -> None:
    home = StatementHome(tmp_path / "home")
    with pytest.raises(QueryError, match=message):
        home.rows(sql)
    assert home.workgroup.history(1)[0].state is QueryState.FAILED
