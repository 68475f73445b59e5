"""CREATE TABLE AS, INSERT, DROP, SHOW and DESCRIBE, with the rows they must give, written by hand."""

from pathlib import Path

import pyarrow.parquet as pq
import pytest

from nextbasket.errors import NotBuiltError, NotFoundError, QueryError
from nextbasket.lake.base import Zone

from .home import StatementHome

ICEBERG = "CREATE TABLE mine.o WITH (table_type = 'ICEBERG') AS SELECT order_id, user_id, gap FROM orders"


@pytest.fixture
def home(tmp_path: Path) -> StatementHome:
    return StatementHome(tmp_path / "home")


@pytest.fixture(scope="module")
def untouched(tmp_path_factory: pytest.TempPathFactory) -> StatementHome:
    """A home with ``mine.o`` for statements that change nothing."""
    home = StatementHome(tmp_path_factory.mktemp("untouched"))
    home.run(ICEBERG)
    return home


def test_an_iceberg_table_is_made_whole_in_one_version(home: StatementHome) -> None:
    assert home.rows(ICEBERG) == [{"rows": 4}]
    assert home.values("SELECT * FROM mine.o ORDER BY 1") == [(1, 1, None), (2, 1, 7.0), (3, 1, 14.0), (4, 2, None)]
    assert home.catalog.table("mine.o").format == "iceberg"
    (snapshot,) = home.catalog.snapshots("mine.o")
    assert snapshot.summary["nextbasket.statement"] == ICEBERG
    with pytest.raises(QueryError, match=r"mine\.o exists already.*line 1, column 19"):
        home.rows(ICEBERG)
    assert home.rows(ICEBERG.replace("TABLE mine", "TABLE IF NOT EXISTS mine")) == [{"rows": 0}]


def test_written_files_carry_the_field_ids_of_their_iceberg_table(home: StatementHome) -> None:
    home.run("CREATE TABLE mine.n WITH (table_type = 'ICEBERG') AS SELECT ARRAY[1, 2] AS a, 'x' AS b")
    (file,) = home.catalog.scan("mine.n").files
    written = pq.read_schema(file.uri)
    ids = [field.metadata[b"PARQUET:field_id"] for field in home.catalog.scan("mine.n").schema]
    assert [field.metadata[b"PARQUET:field_id"] for field in written] == ids == [b"1", b"2"]
    element = written.field("a").type.value_field.metadata[b"PARQUET:field_id"]
    assert element == home.catalog.scan("mine.n").schema.field("a").type.value_field.metadata[b"PARQUET:field_id"]


def test_an_iceberg_table_may_be_partitioned_and_empty(home: StatementHome) -> None:
    home.run(
        "CREATE TABLE mine.p WITH (table_type = 'ICEBERG', partitioning = ARRAY['eval_set']) AS "
        "SELECT order_id, eval_set FROM orders",
        "CREATE TABLE mine.e WITH (table_type = 'ICEBERG') AS SELECT order_id FROM orders WITH NO DATA",
    )
    assert home.values("SHOW PARTITIONS mine.p") == [("eval_set=prior",), ("eval_set=train",)]
    assert home.values("SELECT count(*) AS n FROM mine.e") == [(0,)]
    with pytest.raises(QueryError, match="exists already"):
        home.rows("CREATE TABLE mine.e AS SELECT 1 AS a")


@pytest.mark.parametrize("format", ["PARQUET", "JSON", "TEXTFILE"])
def test_a_table_of_files_takes_its_format(home: StatementHome, format: str) -> None:
    made = """CREATE TABLE mine.f WITH (format = '{}', external_location = 's3://b/f/', write_compression = 'SNAPPY')
        AS SELECT order_id, eval_set, gap FROM orders"""
    home.run(
        made.format(format),
        "INSERT INTO mine.f VALUES (5, 'é, \"quoted\"', 1e0)",
    )
    assert home.values("SELECT * FROM mine.f ORDER BY 1") == [
        (1, "prior", None),
        (2, "prior", 7.0),
        (3, "train", 14.0),
        (4, "prior", None),
        (5, 'é, "quoted"', 1.0),
    ]
    keys = [ref.key for ref in home.lake.list(Zone.EXCHANGE, "b/f/")]
    assert len(keys) == 2
    assert keys[1].startswith("b/f/insert-s2/")


def test_there_is_no_limit_of_100_partitions(home: StatementHome) -> None:
    days = ", ".join(f"({day}, {day})" for day in range(150))
    made = "CREATE TABLE mine.d WITH (partitioned_by = ARRAY['day']) AS SELECT d.* FROM (VALUES {}) AS d(value, day)"
    assert home.rows(made.format(days)) == [{"rows": 150}]
    assert len(home.rows("SHOW PARTITIONS mine.d")) == 150
    assert home.values("SELECT sum(value), count(DISTINCT day) FROM mine.d WHERE day >= 100") == [(6225, 50)]


@pytest.mark.parametrize(
    ("insert", "expected"),
    [
        ("VALUES (5, 3, 2.5), (6, 3, NULL)", [(5, 3, 2.5), (6, 3, None)]),
        ("(gap, order_id) VALUES (1e0, 5)", [(5, None, 1.0)]),
        ("SELECT max(order_id) + 1, min(user_id), 8 FROM mine.o", [(5, 1, 8.0)]),
        (
            "WITH n AS (SELECT 5 AS x) SELECT x, x, NULL FROM n UNION ALL SELECT 6, 6, NULL",
            [(5, 5, None), (6, 6, None)],
        ),
        ("SELECT 5, 1, 1e0 WHERE false", []),
    ],
)
@pytest.mark.parametrize("iceberg", [True, False])
def test_insert_adds_rows(home: StatementHome, insert: str, expected: list[tuple], iceberg: bool) -> None:
    home.run(ICEBERG if iceberg else ICEBERG.replace("WITH (table_type = 'ICEBERG') ", ""))
    assert home.rows(f"INSERT INTO mine.o {insert}") == [{"rows": len(expected)}]
    assert home.values("SELECT * FROM mine.o WHERE order_id > 4 ORDER BY 1") == expected
    assert home.values("SELECT count(*) FROM mine.o") == [(4 + len(expected),)]


@pytest.mark.parametrize(
    ("insert", "message"),
    [
        ("VALUES (1, 2)", "each row has 2 values and 3 are needed, for order_id, user_id, gap"),
        ("(order_id, nope) VALUES (1, 2)", r"no column nope: it has order_id, user_id, gap.*line 1, column 31"),
        ("(gap, gap) VALUES (1, 2)", "names a column twice"),
        ("VALUES ('a', 2, 3)", r"column order_id is bigint and the value given is varchar: write CAST\(… AS bigint\)"),
        ("VALUES (1e0, 2, 3)", "column order_id is bigint and the value given is double"),
        ("SELECT nope, 1, 2 FROM orders", r"no column nope.*line 1, column 27"),
        ("VALUES (1, 2, substing('a', 1))", r"did you mean substring\(\)\? \(line 1, column 34\)"),
    ],
)
def test_insert_refuses_what_does_not_fit(untouched: StatementHome, insert: str, message: str) -> None:
    with pytest.raises(QueryError, match=message):
        untouched.rows(f"INSERT INTO mine.o {insert}")
    assert len(untouched.catalog.snapshots("mine.o")) == 1


def test_drop_forgets_a_table_and_keeps_external_files(home: StatementHome) -> None:
    home.run(
        "CREATE TABLE mine.own AS SELECT 1 AS a",
        "CREATE TABLE mine.far WITH (external_location = 's3://b/far/') AS SELECT 1 AS a",
        "DROP TABLE mine.own",
        "DROP TABLE mine.far",
        "DROP TABLE IF EXISTS mine.far",
    )
    assert [ref.key for ref in home.lake.list(Zone.EXCHANGE)] == ["b/far/data_0.parquet"]
    with pytest.raises(QueryError, match="already holds files"):
        home.rows("CREATE TABLE mine.far WITH (external_location = 's3://b/far/') AS SELECT 1 AS a")
    with pytest.raises(NotFoundError, match=r"no table mine\.own.*line 1, column 12"):
        home.rows("DROP TABLE mine.own")


@pytest.mark.parametrize(
    ("sql", "message"),
    [
        ("INSERT INTO orders SELECT * FROM orders", "shop.orders belongs to the pipeline and INSERT may not touch it"),
        ("DELETE FROM shop.orders", "shop.orders belongs to the pipeline and DELETE may not touch it"),
        ("UPDATE orders SET gap = 1", "belongs to the pipeline and UPDATE"),
        (
            "MERGE INTO orders o USING orders s ON o.order_id = s.order_id WHEN MATCHED THEN DELETE",
            "pipeline and MERGE",
        ),
        ("DROP TABLE orders", "only tables that you made can be dropped"),
        ("DROP TABLE landing.orders", "only tables that you made can be dropped"),
        ("INSERT INTO landing.orders SELECT * FROM landing.orders", "landing.orders belongs to the pipeline"),
        ("CREATE TABLE landing.x AS SELECT 1 AS a", "the database landing belongs to the pipeline.*such as mine.x"),
        ("CREATE TABLE results.x AS SELECT 1 AS a", "the database results belongs to the pipeline"),
        ("CREATE VIEW features.x AS SELECT 1 AS a", "the database features belongs to the pipeline"),
        ("CREATE TABLE order_products_prior AS SELECT 1 AS a", "a table that the pipeline writes itself.*mine"),
        ("CREATE OR REPLACE VIEW orders AS SELECT 1 AS a", "a table that the pipeline writes itself"),
        ("CREATE TABLE system.queries AS SELECT 1 AS a", "is made by nextbasket itself"),
    ],
)
def test_what_the_pipeline_owns_is_read_only(untouched: StatementHome, sql: str, message: str) -> None:
    before = untouched.catalog.snapshots("shop.orders")
    with pytest.raises(QueryError, match=message):
        untouched.rows(sql)
    assert untouched.catalog.snapshots("shop.orders") == before


def test_a_table_of_ones_own_beside_the_pipelines_may_change(home: StatementHome) -> None:
    home.run(
        "CREATE TABLE mine_too WITH (table_type = 'ICEBERG') AS SELECT order_id FROM orders",
        "DELETE FROM shop.mine_too WHERE order_id > 1",
    )
    assert home.values("SELECT * FROM mine_too") == [(1,)]
    home.run("DROP TABLE mine_too")
    assert home.values("SHOW TABLES") == [("orders",)]


def test_show_and_describe(home: StatementHome) -> None:
    home.run(
        "CREATE TABLE mine.p WITH (external_location = 's3://b/p/', partitioned_by = ARRAY['eval_set']) AS "
        "SELECT order_id, eval_set FROM orders",
        "CREATE VIEW mine.v AS SELECT order_id FROM orders",
    )
    assert home.values("SHOW DATABASES") == [("landing",), ("mine",), ("shop",)]
    assert home.values("SHOW SCHEMAS LIKE 'm*'") == [("mine",)]
    assert home.values("SHOW TABLES IN mine") == [("p",), ("v",)]
    assert home.values("SHOW TABLES IN mine 'P|x*'") == [("p",)]
    assert home.rows("SHOW VIEWS IN mine") == [{"views": "v"}]
    assert home.values("SHOW COLUMNS IN p FROM mine") == [("order_id",), ("eval_set",)]
    assert home.values("SHOW PARTITIONS `mine`.`p`") == [("eval_set=prior",), ("eval_set=train",)]
    assert home.values("SHOW TBLPROPERTIES mine.p ('created_by')") == [("created_by", "create table as")]
    assert home.values("DESCRIBE mine.p") == [("order_id", "bigint", ""), ("eval_set", "string", "partition key")]
    formatted = home.values("DESCRIBE FORMATTED mine.p")
    assert formatted[:2] == home.values("DESCRIBE mine.p")
    assert ("Table Type:", "EXTERNAL_TABLE", "") in formatted
    assert ("Location:", home.lake.uri(Zone.EXCHANGE, "b/p"), "") in formatted
    assert [line for (line,) in home.values("SHOW CREATE TABLE mine.p")] == [
        "CREATE EXTERNAL TABLE `mine`.`p` (",
        "  `order_id` bigint",
        ")",
        "PARTITIONED BY (",
        "  `eval_set` string",
        ")",
        "STORED AS PARQUET",
        "LOCATION",
        f"  '{home.lake.uri(Zone.EXCHANGE, 'b/p')}'",
        "TBLPROPERTIES (",
        "  'created_at'='2026-11-22T12:00:00+00:00',",
        "  'created_by'='create table as'",
        ")",
    ]
    with pytest.raises(QueryError, match="not partitioned"):
        home.rows("SHOW PARTITIONS orders")


@pytest.mark.parametrize(
    ("sql", "instead"),
    [
        ("CREATE EXTERNAL TABLE t (a int) LOCATION 's3://b/a/'", "land the files and run 'nextbasket crawl'"),
        ("CREATE TABLE t (a int)", r"CREATE TABLE … AS SELECT"),
        ("CREATE OR REPLACE TABLE t AS SELECT 1 AS a", "DROP TABLE"),
        ("CREATE DATABASE d", "as soon as a table is made in it"),
        ("CREATE TABLE t WITH (format = 'ORC') AS SELECT 1 AS a", "PARQUET, JSON or TEXTFILE"),
        ("CREATE TABLE t WITH (bucketed_by = ARRAY['a'], bucket_count = 2) AS SELECT 1 AS a", "leave it out"),
        (
            "CREATE TABLE t WITH (table_type = 'ICEBERG', partitioning = ARRAY['day(a)']) AS SELECT 1 AS a, 2 AS b",
            "a column of its own",
        ),
        ("ALTER TABLE t ADD COLUMNS (a int)", "make the table anew"),
        ("MSCK REPAIR TABLE orders", "nextbasket crawl"),
        ("UNLOAD (SELECT 1) TO 's3://b/a/'", "--output FILE"),
        ("VACUUM orders", "nextbasket vacuum"),
        ("OPTIMIZE orders REWRITE DATA USING BIN_PACK", "CREATE TABLE AS"),
        ("PREPARE p FROM SELECT 1", "@NAME"),
        ("EXECUTE p", "@NAME"),
        ("USE mine", "--database"),
        ("SHOW FUNCTIONS", "SHOW TABLES"),
        ("EXPLAIN (TYPE IO) SELECT 1", "EXPLAIN SELECT"),
        ("INSERT OVERWRITE orders SELECT 1", "DELETE FROM, then INSERT INTO"),
        (
            "MERGE INTO mine.o t USING orders s ON t.order_id = s.order_id WHEN NOT MATCHED BY SOURCE THEN DELETE",
            "a DELETE or UPDATE of its own",
        ),
    ],
)
def test_what_athena_knows_and_this_does_not_says_what_to_use_instead(
    untouched: StatementHome, sql: str, instead: str
) -> None:
    with pytest.raises(NotBuiltError, match=rf"instead: .*{instead}"):
        untouched.rows(sql)


@pytest.mark.parametrize(
    ("properties", "message"),
    [
        ("table_type = 'ICEBERG', external_location = 's3://b/a/'", "leave external_location out"),
        ("table_type = 'ICEBERG', format = 'JSON'", "leave format out"),
        ("table_type = 'ICEBERG', is_external = true", "is_external = false"),
        ("table_type = 'ICEBERG', partitioned_by = ARRAY['a']", "partitioned by partitioning"),
        ("partitioning = ARRAY['a']", "belongs to table_type = 'ICEBERG'"),
        ("location = 's3://b/a/'", "belongs to table_type = 'ICEBERG'"),
        ("is_external = false", "belongs to table_type = 'ICEBERG'"),
        ("write_compression = 'rar'", "no compression 'rar'"),
        ("colour = 'red'", "knows no property 'colour'.*line 1, column 22"),
        ("partitioned_by = ARRAY['z']", "no column z to partition by"),
        ("partitioned_by = ARRAY['a']", "a column that it is not partitioned by"),
    ],
)
def test_properties_that_do_not_fit_are_refused(untouched: StatementHome, properties: str, message: str) -> None:
    with pytest.raises(QueryError, match=message):
        untouched.rows(f"CREATE TABLE t WITH ({properties}) AS SELECT 1 AS a")
