"""Ways out of the home that a statement must not find: each is refused before anything runs."""

import duckdb
import pytest

from nextbasket.errors import InputError, NextbasketError, NotBuiltError, NotFoundError, QueryError, UsageError
from nextbasket.query import dialect
from nextbasket.query.duckdb import DuckDBEngine

from .home import StatementHome

OUTSIDE = "the secret outside the home"

READS = [
    "SELECT * FROM read_csv('{file}')",
    "SELECT * FROM read_csv_auto('{file}')",
    "SELECT * FROM read_text('{file}')",
    "SELECT * FROM read_blob('{file}')",
    "SELECT * FROM read_json('{file}')",
    "SELECT * FROM read_parquet('{file}')",
    "SELECT * FROM parquet_scan('{file}')",
    "SELECT * FROM parquet_metadata('{file}')",
    "SELECT * FROM sniff_csv('{file}')",
    "SELECT * FROM glob('/etc/*')",
    "SELECT * FROM '{file}'",
    'SELECT * FROM "{file}"',
    "SELECT * FROM orders, '{file}'",
    "SELECT * FROM orders JOIN '{file}' AS f ON 1 = 1",
    'SELECT * FROM shop."{file}"',
    'SELECT * FROM "file://{file}"',
    "SELECT * FROM 'https://example.com/a.parquet'",
    "SELECT * FROM 's3://other/a.parquet'",
    "SELECT (SELECT max(content) FROM read_text('{file}')) AS x",
    "WITH f AS (SELECT * FROM read_text('{file}')) SELECT * FROM f",
    "SELECT * FROM UNNEST(glob('/etc/*')) AS t(x)",
    "SELECT * FROM TABLE(read_text('{file}'))",
    "SELECT * FROM orders CROSS JOIN LATERAL read_text('{file}')",
    "SELECT getenv('HOME') AS x",
    "SELECT current_setting('temp_directory') AS x",
    "SELECT * FROM duckdb_settings()",
    "SELECT * FROM duckdb_secrets()",
    "SELECT * FROM duckdb_tables()",
    "SELECT * FROM pragma_database_list",
    "SELECT * FROM information_schema.tables",
    "SELECT * FROM sqlite_scan('{home}/catalog.db', 'state')",
    "SELECT * FROM sqlite_master",
    "SELECT * FROM query('SELECT 1')",
    "SELECT * FROM query_table('orders')",
    "SELECT * FROM range(5)",
    "SELECT * FROM arrow_scan(1, 2, 3)",
    "SELECT * FROM python_scan('x')",
    "SELECT current_user AS x",
    "SELECT version() AS x",
    "SELECT write_log('x') AS x",
    "SELECT nextval('s') AS x",
    "SELECT * FROM st_read('{file}')",
    "SELECT * FROM read_xlsx('{file}')",
    "SELECT * FROM iceberg_scan('{file}')",
    "SELECT * FROM postgres_scan('host=x', 'a', 'b')",
    "FROM '{file}'",
    "FROM read_text('{file}') SELECT *",
    "TABLE '{file}'",
    "SELECT * FROM orders /* */ ; SELECT * FROM read_text('{file}')",
    "SELECT \"read_text\"('{file}') AS x",
    "SELECT system.main.getenv('HOME') AS x",
    "SELECT COLUMNS('x') FROM orders",
    "SELECT * FROM otherdb.main.orders",
]

STATEMENTS = [
    "ATTACH '{file}' AS other",
    "DETACH memory",
    "COPY orders TO '{out}'",
    "COPY (SELECT 1) TO '{out}' (FORMAT csv)",
    "COPY orders FROM '{file}'",
    "EXPORT DATABASE '{out}'",
    "IMPORT DATABASE '{file}'",
    "INSTALL httpfs",
    "LOAD httpfs",
    "FORCE INSTALL httpfs",
    "PRAGMA database_list",
    "PRAGMA enable_external_access",
    "SET enable_external_access = true",
    "SET GLOBAL memory_limit = '100GB'",
    "RESET ALL",
    "CALL pragma_version()",
    "CREATE OUTSIDE s (TYPE s3)",
    "CREATE MACRO m() AS 1",
    "CREATE FUNCTION f() AS 1",
    "CREATE TEMP TABLE t AS SELECT 1 AS a",
    "CREATE SCHEMA s",
    "CHECKPOINT",
    "VACUUM",
    "BEGIN TRANSACTION",
    "USE memory",
    "UNLOAD (SELECT 1) TO 's3://b/a/'",
    "EXPLAIN COPY orders TO '{out}'",
    "DESCRIBE '{file}'",
    "SUMMARIZE orders",
    "DROP TABLE '{file}'",
    "INSERT INTO '{out}' SELECT 1",
    "UPDATE '{file}' SET a = 1",
    "CREATE TABLE x WITH (external_location = '{out}') AS SELECT 1 AS a",
    "CREATE TABLE x WITH (external_location = 'file://{out}') AS SELECT 1 AS a",
    "CREATE TABLE x WITH (external_location = 's3://b/../../out/') AS SELECT 1 AS a",
    "CREATE TABLE x WITH (external_location = 's3://../out/') AS SELECT 1 AS a",
    "CREATE TABLE x WITH (external_location = 's3://b/a*/') AS SELECT 1 AS a",
    "CREATE TABLE x WITH (external_location = 's3://tables/s1/') AS SELECT 1 AS a",
    "CREATE TABLE x WITH (external_location = 's3://b/_hidden/') AS SELECT 1 AS a",
    'CREATE TABLE "../x" AS SELECT 1 AS a',
    "CREATE TABLE \"a/b\" WITH (table_type = 'ICEBERG') AS SELECT 1 AS a",
    "CREATE TABLE \"..\".x WITH (table_type = 'ICEBERG') AS SELECT 1 AS a",
    "CREATE VIEW mine.v AS SELECT * FROM read_text('{file}')",
    "CREATE TABLE mine.t AS SELECT * FROM read_text('{file}')",
    "INSERT INTO mine.own SELECT content FROM read_text('{file}')",
    "DELETE FROM mine.own WHERE a IN (SELECT content FROM read_text('{file}'))",
    "UPDATE mine.own SET a = getenv('HOME')",
    "MERGE INTO mine.own t USING (SELECT * FROM read_text('{file}')) s ON t.a = s.content WHEN MATCHED THEN DELETE",
    "EXPLAIN ANALYZE SELECT * FROM read_text('{file}')",
]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> StatementHome:
    made = StatementHome(tmp_path_factory.mktemp("sandbox") / "home")
    made.run("CREATE TABLE mine.own WITH (table_type = 'ICEBERG') AS SELECT 'x' AS a")
    (made.home.parent / "secret.csv").write_text(OUTSIDE)
    return made


@pytest.fixture
def runs(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What reaches DuckDB at all."""
    begun: list[str] = []
    connect = DuckDBEngine.connect

    def noted(self: DuckDBEngine, *args: object) -> duckdb.DuckDBPyConnection:
        begun.append("a connection")
        return connect(self, *args)

    monkeypatch.setattr(DuckDBEngine, "connect", noted)
    return begun


@pytest.mark.parametrize("sql", [*READS, *STATEMENTS])
def test_no_statement_leaves_the_home(home: StatementHome, runs: list[str], sql: str) -> None:
    outside = home.home.parent
    before = sorted(path for path in outside.rglob("*") if "catalog.db" not in path.name)
    text = sql.format(file=outside / "secret.csv", out=outside / "out", home=home.home)
    refusals = (QueryError, NotFoundError, NotBuiltError, InputError, UsageError)
    with pytest.raises(refusals) as caught:
        home.rows(text)
    assert OUTSIDE not in str(caught.value)
    assert "\n" not in str(caught.value)
    assert runs == []
    assert sorted(path for path in outside.rglob("*") if "catalog.db" not in path.name) == before


def test_there_are_enough_attempts() -> None:
    assert len(READS) + len(STATEMENTS) >= 100


def test_the_engine_is_locked_even_for_what_the_dialect_let_through(
    home: StatementHome, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second wall: a statement that got past the dialect still finds no file and no setting."""
    home.run("CREATE VIEW mine.inner AS SELECT order_id FROM orders")
    definition = home.catalog.table("mine.inner")
    monkeypatch.setattr(dialect, "check", lambda *_: None)
    for escape in READS[:10]:
        parameters = {**definition.parameters, "view.statement": escape.format(file=home.home.parent / "secret.csv")}
        changed = type(definition)(
            definition.database, definition.name, definition.columns, "", definition.format, (), parameters
        )
        home.catalog.define(changed)
        with pytest.raises((NextbasketError, duckdb.Error)) as caught:
            home.rows("SELECT * FROM mine.inner")
        assert OUTSIDE not in str(caught.value)
