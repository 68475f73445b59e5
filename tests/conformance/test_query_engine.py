"""One behaviour suite over every query engine: the same statement gives the same rows everywhere.

Expected values are Athena's (Trino's) by its documentation, written by hand.
"""

import datetime as dt
import importlib.util
import math
import shutil
from collections.abc import Iterator
from pathlib import Path

import ibis
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from nextbasket.catalog.base import DataFile, FileForm, Scan
from nextbasket.errors import InputError, NotFoundError, QueryError
from nextbasket.query.base import Inputs, Limits, QueryEngine, QueryState
from nextbasket.query.duckdb import DuckDBEngine

HAS_SPARK = shutil.which("java") is not None and importlib.util.find_spec("pyspark") is not None


@pytest.fixture(
    scope="module",
    params=[
        "duckdb",
        pytest.param(
            "spark",
            marks=[pytest.mark.spark, pytest.mark.slow, pytest.mark.skipif(not HAS_SPARK, reason="Spark needs Java")],
        ),
    ],
)
def engine(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[QueryEngine]:
    scratch = tmp_path_factory.mktemp("scratch")
    if request.param == "duckdb":
        yield DuckDBEngine(scratch, threads=2, memory_limit="1GB")
        return
    from nextbasket.query.spark import SparkEngine

    yield SparkEngine(scratch, cores=2, memory="1g")


def file_of(path: Path, rows: int = -1) -> DataFile:
    return DataFile(str(path), rows, path.stat().st_size)


def parquet(folder: Path, name: str, *tables: pa.Table, schema: pa.Schema | None = None) -> Scan:
    files = []
    for number, table in enumerate(tables):
        path = folder / f"{name}_{number}.parquet"
        pq.write_table(table, path)
        files.append(file_of(path, table.num_rows))
    return Scan(name, "parquet", tuple(files), schema or tables[0].schema)


ORDERS = pa.table(
    {
        "order_id": [1, 2, 3, 4, 5, 6],
        "user_id": [1, 1, 1, 2, 2, 3],
        "eval_set": ["prior", "prior", "train", "prior", "test", "prior"],
        "order_number": [1, 2, 3, 1, 2, 1],
        "order_dow": [2, 3, 3, 0, 6, None],
        "days_since_prior_order": [None, 7.0, 14.0, None, 30.0, None],
    }
)
LINES = pa.table(
    {
        "order_id": [1, 1, 2, 2, 3, 4, 6],
        "product_id": [10, 11, 10, 12, 10, 10, 12],
        "add_to_cart_order": [1, 2, 2, 1, 1, 1, 1],
        "reordered": [0, 0, 1, 0, 1, 0, 0],
    }
)


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Inputs:
    folder = tmp_path_factory.mktemp("shop")
    days = pa.table(
        {
            "id": [1, 2],
            "d": [dt.date(2024, 1, 31), dt.date(2024, 12, 29)],
            "t": pa.array([dt.datetime(2024, 1, 31, 23, 30), dt.datetime(2024, 12, 29, 0, 15)], pa.timestamp("us")),
        }
    )
    return {
        "shop.orders": parquet(folder, "orders", ORDERS.slice(0, 3), ORDERS.slice(3)),
        "shop.order_products": parquet(folder, "order_products", LINES),
        "shop.days": parquet(folder, "days", days),
    }


def rows(engine: QueryEngine, query: object, inputs: Inputs, parameters: tuple[object, ...] = ()) -> list[tuple]:
    handle = engine.start(query, inputs, parameters)
    table = pa.Table.from_batches(list(handle.batches()), handle.schema)
    assert handle.state is QueryState.SUCCEEDED
    assert handle.statistics().rows == table.num_rows
    return list(zip(*(column.to_pylist() for column in table.columns), strict=True))


PRIOR = (
    "SELECT a.*, b.product_id, b.add_to_cart_order, b.reordered FROM orders a "
    "JOIN order_products b ON a.order_id = b.order_id WHERE a.eval_set = 'prior'"
)


def over_prior(sql: str) -> str:
    """Put the joined prior lines where a statement says PRIOR."""
    return sql.replace("PRIOR", f"({PRIOR})")


def test_join_keeps_all_columns_of_a_star(engine: QueryEngine, shop: Inputs) -> None:
    found = rows(engine, over_prior("SELECT order_id, user_id, product_id, reordered FROM PRIOR ORDER BY 1, 3"), shop)
    assert found == [(1, 1, 10, 0), (1, 1, 11, 0), (2, 1, 10, 1), (2, 1, 12, 0), (4, 2, 10, 0), (6, 3, 12, 0)]
    assert engine.describe(PRIOR, shop).names == [*ORDERS.column_names, "product_id", "add_to_cart_order", "reordered"]


def test_user_features_1(engine: QueryEngine, shop: Inputs) -> None:
    sql = """SELECT user_id, max(order_number) AS user_orders, sum(days_since_prior_order) AS user_period,
    avg(days_since_prior_order) AS user_mean_days_since_prior FROM orders WHERE eval_set = 'prior'
    GROUP BY user_id ORDER BY user_id"""
    assert rows(engine, sql, shop) == [(1, 2, 7.0, 7.0), (2, 1, None, None), (3, 1, None, None)]
    assert [str(field.type) for field in engine.describe(sql, shop)] == ["int64", "int64", "double", "double"]


def test_user_features_2_divides_by_zero_to_nan(engine: QueryEngine, shop: Inputs) -> None:
    found = rows(
        engine,
        over_prior("""SELECT user_id, count(product_id) AS user_total_products,
        count(distinct product_id) AS user_distinct_products,
        sum(case when reordered = 1 then 1 else 0 end)
          / cast(sum(case when order_number > 1 then 1 else 0 end) as double) AS user_reorder_ratio
        FROM PRIOR GROUP BY user_id ORDER BY user_id"""),
        shop,
    )
    assert found[0] == (1, 4, 3, 0.5)
    assert found[1][:3] == (2, 1, 1)
    assert math.isnan(found[1][3])


def test_up_features(engine: QueryEngine, shop: Inputs) -> None:
    sql = over_prior("""SELECT user_id, product_id, count(*) AS up_orders, min(order_number) AS up_first_order,
    max(order_number) AS up_last_order, avg(add_to_cart_order) AS up_average_cart_position
    FROM PRIOR GROUP BY user_id, product_id ORDER BY user_id, product_id""")
    assert rows(engine, sql, shop) == [
        (1, 10, 2, 1, 2, 1.5),
        (1, 11, 1, 1, 1, 2.0),
        (1, 12, 1, 2, 2, 1.0),
        (2, 10, 1, 1, 1, 1.0),
        (3, 12, 1, 1, 1, 1.0),
    ]
    assert [str(field.type) for field in engine.describe(sql, shop)] == ["int64"] * 5 + ["double"]


def test_prd_features_rank_window(engine: QueryEngine, shop: Inputs) -> None:
    sql = over_prior("""SELECT product_id, count(*) AS prod_orders, sum(reordered) AS prod_reorders,
    sum(case when product_seq_time = 1 then 1 else 0 end) AS prod_first_orders,
    sum(case when product_seq_time = 2 then 1 else 0 end) AS prod_second_orders
    FROM (SELECT *, rank() OVER (PARTITION BY user_id, product_id ORDER BY order_number) AS product_seq_time
          FROM PRIOR) GROUP BY product_id ORDER BY product_id""")
    assert rows(engine, sql, shop) == [(10, 3, 1, 2, 1), (11, 1, 0, 1, 0), (12, 2, 0, 2, 0)]
    assert {str(field.type) for field in engine.describe(sql, shop)} == {"int64"}


@pytest.mark.parametrize(
    ("order", "expected"),
    [
        ("order_dow", [0, 2, 3, 3, 6, None]),
        ("order_dow DESC", [6, 3, 3, 2, 0, None]),
        ("order_dow NULLS FIRST", [None, 0, 2, 3, 3, 6]),
    ],
)
def test_nulls_come_last_unless_told(engine: QueryEngine, shop: Inputs, order: str, expected: list) -> None:
    assert [
        row[0] for row in rows(engine, " ".join(["SELECT order_dow FROM orders ORDER BY", order]), shop)
    ] == expected


def test_window_orders_nulls_last(engine: QueryEngine, shop: Inputs) -> None:
    sql = "SELECT order_id, row_number() OVER (ORDER BY order_dow, order_id) FROM orders ORDER BY order_id"
    assert [row[1] for row in rows(engine, sql, shop)] == [2, 3, 4, 1, 5, 6]


def test_names_are_case_insensitive_and_unquoted_ones_lower(engine: QueryEngine, shop: Inputs) -> None:
    sql = 'SELECT ORDERS.Order_ID AS The_Id, "orders"."USER_ID" AS "Who" FROM SHOP.Orders ORDER BY 1 LIMIT 1;'
    assert engine.describe(sql, shop).names == ["the_id", "Who"]
    assert rows(engine, sql, shop) == [(1, 1)]


def test_unnamed_columns_are_numbered_as_in_athena(engine: QueryEngine, shop: Inputs) -> None:
    assert engine.describe("SELECT user_id, count(*), max(order_number) FROM orders GROUP BY 1", shop).names == [
        "user_id",
        "_col1",
        "_col2",
    ]


def test_comments_and_ctes(engine: QueryEngine, shop: Inputs) -> None:
    sql = """-- the busiest shopper
    WITH orders AS (SELECT user_id, count(*) AS n FROM shop.orders GROUP BY user_id) /* hides the table */
    SELECT user_id, n FROM orders ORDER BY n DESC LIMIT 1"""
    assert rows(engine, sql, shop) == [(1, 3)]


def test_set_operations_and_subqueries(engine: QueryEngine, shop: Inputs) -> None:
    sql = """SELECT user_id FROM orders WHERE order_id IN (SELECT order_id FROM order_products)
    EXCEPT SELECT user_id FROM orders WHERE eval_set = 'test' ORDER BY user_id"""
    assert rows(engine, sql, shop) == [(1,), (3,)]
    sql = (
        "SELECT order_id FROM orders o WHERE NOT EXISTS (SELECT 1 FROM order_products p WHERE p.order_id = o.order_id)"
    )
    assert rows(engine, sql, shop) == [(5,)]
    assert rows(engine, "SELECT 1 AS n UNION ALL SELECT 1 ORDER BY n", shop) == [(1,), (1,)]


def test_parameters_bind_in_order_with_their_types(engine: QueryEngine, shop: Inputs) -> None:
    sql = "SELECT order_id, ?, ?, ? FROM orders WHERE user_id = ? AND eval_set = ? ORDER BY order_id LIMIT 1"
    found = rows(engine, sql, shop, ("it's; DROP", 0.5, dt.date(2024, 2, 29), 1, "train"))
    assert found == [(3, "it's; DROP", 0.5, dt.date(2024, 2, 29))]
    with pytest.raises(QueryError, match=r"5 parameters .* 1 values"):
        engine.start(sql, shop, (1,))


def select(items: str, rest: str) -> str:
    return " ".join(["SELECT", items, rest])


def test_division_follows_the_operands_types(engine: QueryEngine, shop: Inputs) -> None:
    sql = """SELECT 7 / 2, -7 / 2, 7 / 2e0, sum(order_number) / count(*), sum(days_since_prior_order) / count(*),
    avg(order_number) / 2, max(order_number) * 1e0 / 2, -1e0 / 0, 7 % 4 FROM orders"""
    assert rows(engine, sql, shop) == [(3, -3, 3.5, 1, 51.0 / 6, 10 / 6 / 2, 1.5, -math.inf, 3)]


def test_integer_division_by_zero_is_an_error(engine: QueryEngine, shop: Inputs) -> None:
    handle = engine.start("SELECT order_id / (order_number - 1) FROM orders", shop)
    with pytest.raises(QueryError, match="division by zero"):
        list(handle.batches())
    assert handle.state is QueryState.FAILED


def test_decimal_division_is_refused(engine: QueryEngine, shop: Inputs) -> None:
    with pytest.raises(QueryError, match="divides decimals"):
        engine.describe("SELECT order_number / 2.0 FROM orders", shop)


def test_like_between_in_and_distinct_from(engine: QueryEngine, shop: Inputs) -> None:
    sql = """SELECT order_id FROM orders WHERE eval_set LIKE 'pri%' AND order_id BETWEEN 1 AND 4
    AND order_number IN (1, 2) AND order_dow IS DISTINCT FROM 3 ORDER BY order_id"""
    assert rows(engine, sql, shop) == [(1,), (4,)]


def test_unnest_an_array(engine: QueryEngine, shop: Inputs) -> None:
    sql = "SELECT order_id, n FROM orders CROSS JOIN UNNEST(ARRAY[1, 2]) AS u(n) WHERE order_id = 1 ORDER BY n"
    assert rows(engine, sql, shop) == [(1, 1), (1, 2)]


def test_an_ibis_expression_gives_the_same_rows(engine: QueryEngine, shop: Inputs) -> None:
    orders = ibis.table(ibis.Schema.from_pyarrow(ORDERS.schema), name="orders", database="shop")
    expression = (
        orders.group_by("user_id")
        .agg(n=orders.count(), half=orders.order_number.sum() / 2, last=orders.order_number.max())
        .order_by("user_id")
    )
    assert rows(engine, expression, shop) == [(1, 3, 3.0, 3), (2, 2, 1.5, 2), (3, 1, 0.5, 1)]
    assert engine.describe(expression, shop).names == ["user_id", "n", "half", "last"]


def test_written_files_hold_the_wanted_columns_and_field_ids(engine: QueryEngine, shop: Inputs, tmp_path: Path) -> None:
    wanted = pa.schema(
        [
            pa.field("user_id", pa.string(), metadata={"PARQUET:field_id": "4"}),
            pa.field("n", pa.int32(), metadata={"PARQUET:field_id": "2"}),
        ]
    )
    files = engine.write("SELECT count(*) AS n, user_id FROM orders GROUP BY user_id", shop, str(tmp_path), wanted)
    assert sum(file.rows for file in files) == 3
    assert all(file.bytes == Path(file.uri).stat().st_size for file in files)
    stored = pq.read_schema(files[0].uri)
    assert [(field.name, field.type, field.metadata[b"PARQUET:field_id"]) for field in stored] == [
        ("user_id", pa.string(), b"4"),
        ("n", pa.int32(), b"2"),
    ]
    back = Scan("shop.n", "parquet", tuple(files), wanted)
    assert rows(engine, "SELECT * FROM n ORDER BY user_id", {"shop.n": back}) == [("1", 3), ("2", 2), ("3", 1)]


def test_write_refuses_other_columns_than_wanted(engine: QueryEngine, shop: Inputs, tmp_path: Path) -> None:
    wanted = pa.schema([("user_id", pa.int64()), ("m", pa.int64())])
    with pytest.raises(QueryError, match="lacks m and has n too many"):
        engine.write("SELECT user_id, 1 AS n FROM orders", shop, str(tmp_path), wanted)


def test_an_empty_result_writes_no_file_and_reads_as_no_rows(engine: QueryEngine, shop: Inputs, tmp_path: Path) -> None:
    assert engine.write("SELECT * FROM orders WHERE false", shop, str(tmp_path)) == []
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
    empty = {"shop.none": Scan("shop.none", "parquet", (), ORDERS.schema)}
    assert rows(engine, "SELECT count(*), max(eval_set) FROM none", empty) == [(0, None)]


def test_a_column_added_later_is_null_in_older_files(engine: QueryEngine, tmp_path: Path) -> None:
    schema = pa.schema([("a", pa.int64()), ("b", pa.string()), ("c", pa.float64())])
    scan = parquet(
        tmp_path, "grown", pa.table({"a": pa.array([1], pa.int32())}), pa.table({"b": ["x"], "a": [2]}), schema=schema
    )
    assert rows(engine, "SELECT * FROM grown ORDER BY a", {"shop.grown": scan}) == [(1, None, None), (2, "x", None)]


CSV_SCHEMA = pa.schema([("id", pa.int64()), ("name", pa.string()), ("price", pa.float64())])


@pytest.mark.parametrize(
    ("delimiter", "encoding", "compression"), [(",", "utf-8", "none"), ("|", "latin-1", "none"), (";", "utf-8", "gzip")]
)
def test_csv_is_read_as_its_parameters_say(
    engine: QueryEngine, tmp_path: Path, delimiter: str, encoding: str, compression: str
) -> None:
    import gzip

    lines = ["id,name,price", '1,"Bündel, groß",2.5', '2,"says ""hi""",', '3,"two\nlines",0.1', "4,,7"]
    text = "\n".join(lines) + "\n"
    if delimiter != ",":
        text = text.replace("id,name,price", f"id{delimiter}name{delimiter}price")
        for number in "1234":
            text = text.replace(f"\n{number},", f"\n{number}{delimiter}")
        for price in ("2.5", "", "0.1"):
            text = text.replace(f'",{price}\n', f'"{delimiter}{price}\n')
        text = text.replace(",7\n", f"{delimiter}7\n")
    data = text.encode(encoding)
    path = tmp_path / ("t.csv.gz" if compression == "gzip" else "t.csv")
    path.write_bytes(gzip.compress(data) if compression == "gzip" else data)
    scan = Scan(
        "landing.t",
        "csv",
        (file_of(path),),
        CSV_SCHEMA,
        None,
        {
            "delimiter": delimiter,
            "quote": '"',
            "skip.header.line.count": "1",
            "encoding": encoding,
            "compression": compression,
        },
    )
    assert rows(engine, "SELECT * FROM landing.t ORDER BY id", {"landing.t": scan}) == [
        (1, "Bündel, groß", 2.5),
        (2, 'says "hi"', None),
        (3, "two\nlines", 0.1),
        (4, None, 7.0),
    ]


def test_csv_value_of_the_wrong_type_is_an_error(engine: QueryEngine, tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("1,a,2.5\nx,b,1\n")
    scan = Scan("landing.t", "csv", (file_of(path),), CSV_SCHEMA, None, {"delimiter": ","})
    handle = engine.start("SELECT sum(id) FROM landing.t", {"landing.t": scan})
    with pytest.raises((QueryError, InputError)):
        list(handle.batches())


def test_partition_values_come_from_the_folders(engine: QueryEngine, tmp_path: Path) -> None:
    files, partitions = [], {}
    for day, ids in (("2024-01-01", "1\n2\n"), ("2024-01-02", "3\n"), ("__HIVE_DEFAULT_PARTITION__", "4\n")):
        folder = tmp_path / f"day={day}"
        folder.mkdir()
        path = folder / "part.csv"
        path.write_text(ids)
        files.append(file_of(path))
        partitions[str(path)] = {"day": day}
    schema = pa.schema([("id", pa.int64()), ("day", pa.date32())])
    scan = Scan("landing.t", "csv", tuple(files), schema, None, {"delimiter": ","}, partitions)
    sql = "SELECT day, count(*) FROM landing.t GROUP BY day ORDER BY day"
    assert rows(engine, sql, {"landing.t": scan}) == [(dt.date(2024, 1, 1), 2), (dt.date(2024, 1, 2), 1), (None, 1)]


def test_each_file_is_read_in_its_own_form(engine: QueryEngine, tmp_path: Path) -> None:
    """Columns: one is younger than the first file, two are swapped in another, one more is in no definition."""
    contents = {
        "1.csv": "id,name\n1,a\n",
        "2.csv": "id,name,price\n2,b,2.5\n",
        "3.csv": "price;id;other;name\n3.5;3;x;c\n",
    }
    forms = {
        "1.csv": FileForm("csv", ("id", "name"), {"delimiter": ",", "skip.header.line.count": "1"}),
        "3.csv": FileForm("csv", ("price", "id", "other", "name"), {"delimiter": ";", "skip.header.line.count": "1"}),
        "4.parquet": FileForm("parquet", ("id", "price")),
    }
    for name, text in contents.items():
        (tmp_path / name).write_text(text)
    pq.write_table(pa.table({"id": [4], "price": [4.5]}), tmp_path / "4.parquet")
    files = tuple(file_of(tmp_path / name) for name in (*contents, "4.parquet"))
    scan = Scan(
        "landing.t",
        "csv",
        files,
        CSV_SCHEMA,
        None,
        {"delimiter": ",", "skip.header.line.count": "1"},
        forms={str(tmp_path / name): form for name, form in forms.items()},
    )
    found = rows(engine, "SELECT id, name, price FROM landing.t ORDER BY id", {"landing.t": scan})
    assert found == [(1, "a", None), (2, "b", 2.5), (3, "c", 3.5), (4, None, 4.5)]


def test_plain_folders_and_columns_of_a_key_s_name_give_partition_values(engine: QueryEngine, tmp_path: Path) -> None:
    files, partitions = [], {}
    for folder, values in (
        ("2025/north", {"partition_0": "2025", "region": "north"}),
        ("2026/south", {"partition_0": "2026", "region": "south"}),
        ("", {"partition_0": "__HIVE_DEFAULT_PARTITION__", "region": "__HIVE_DEFAULT_PARTITION__"}),
    ):
        path = tmp_path / folder / "x.csv"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{len(files)},in the file\n")
        files.append(file_of(path))
        partitions[str(path)] = values
    schema = pa.schema([("id", pa.int64()), ("partition_0", pa.int64()), ("region", pa.string())])
    forms = {file.uri: FileForm("csv", ("id", "region"), {"delimiter": ","}) for file in files}
    scan = Scan("landing.t", "csv", tuple(files), schema, None, {"delimiter": ","}, partitions, forms)
    assert rows(engine, "SELECT id, partition_0, region FROM landing.t ORDER BY id", {"landing.t": scan}) == [
        (0, 2025, "north"),
        (1, 2026, "south"),
        (2, None, None),
    ]


@pytest.mark.parametrize(
    ("sql", "line", "column", "message"),
    [
        ("SELECT\n  order_idd FROM orders", 2, 3, "no column order_idd"),
        ("SELECT order_id\nFROM\n", 2, 1, "cannot be read"),
        ("SELECT fooo(1)", 1, 8, "no function fooo"),
        ("SELECT *\nFROM read_csv('x')", 2, 6, "cannot stand in FROM|no function read_csv"),
    ],
)
def test_errors_point_into_the_statement(
    engine: QueryEngine, shop: Inputs, sql: str, line: int, column: int, message: str
) -> None:
    with pytest.raises(QueryError, match=message) as caught:
        engine.describe(sql, shop)
    assert caught.value.line == line
    assert caught.value.column == column


def test_an_unknown_table_names_the_inputs(engine: QueryEngine, shop: Inputs) -> None:
    with pytest.raises(NotFoundError, match=r"no table ordrs .*shop\.orders"):
        engine.describe("SELECT 1 FROM ordrs", shop)


@pytest.mark.parametrize(
    "sql",
    [
        "DROP TABLE orders",
        "COPY orders TO 'x'",
        "ATTACH 'x' AS y",
        "SET threads = 1",
        "PRAGMA version",
        "INSERT INTO orders SELECT 1",
        "SELECT 1; SELECT 2",
        "SELECT * FROM '/etc/passwd'",
        "SELECT * FROM glob('/*')",
        "SELECT * FROM read_parquet('/x')",
        "SELECT read_text('/etc/passwd')",
        "SELECT * FROM information_schema.tables",
        "SELECT getenv('HOME')",
        "SELECT java_method('java.lang.System', 'exit', 0)",
    ],
)
def test_only_selects_over_the_given_tables_run(engine: QueryEngine, shop: Inputs, sql: str) -> None:
    with pytest.raises((QueryError, NotFoundError)):
        engine.describe(sql, shop)


def test_scan_limit_refuses_before_running(engine: QueryEngine, shop: Inputs) -> None:
    with pytest.raises(QueryError, match=r"would read .* bytes and its limit is 10"):
        engine.start("SELECT sum(order_id) FROM orders", shop, limits=Limits(scan_bytes=10))


def test_a_result_is_read_once_and_a_cancelled_one_not_at_all(engine: QueryEngine, shop: Inputs) -> None:
    handle = engine.start("SELECT order_id FROM orders", shop)
    assert sum(batch.num_rows for batch in handle.batches()) == 6
    with pytest.raises(QueryError, match="read once"):
        list(handle.batches())
    handle = engine.start("SELECT order_id FROM orders", shop)
    handle.cancel()
    assert handle.state is QueryState.CANCELLED
    with pytest.raises(QueryError):
        list(handle.batches())


def test_a_query_beyond_its_seconds_is_stopped(engine: QueryEngine, shop: Inputs) -> None:
    # Spark's own loops run on to their end after the query was stopped: there this one ends some seconds later.
    tables = 11 if engine.capabilities().name == "spark" else 16
    wide = ", ".join(f"orders o{number}" for number in range(tables))
    handle = engine.start(select("sum(o1.order_id * o9.order_id)", f"FROM {wide}"), shop, limits=Limits(seconds=1))
    with pytest.raises(QueryError, match="longer than its limit of 1 seconds"):
        list(handle.batches())
    assert handle.state is QueryState.FAILED
