"""What people type into ``nextbasket query`` and what the pipeline keeps, on a real lake, catalog and DuckDB."""

import io
import json
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from nextbasket.catalog.base import Column, CommitMode, TableDefinition
from nextbasket.catalog.local import LocalCatalog
from nextbasket.errors import HomeError, InputError, NotBuiltError, NotFoundError, QueryError, UsageError
from nextbasket.lake.base import Zone
from nextbasket.lake.local import LocalLake
from nextbasket.query.duckdb import DuckDBEngine
from nextbasket.query.workgroup import Workgroup

ORDERS_CSV = """order_id,user_id,eval_set,order_number,order_dow,order_hour_of_day,days_since_prior_order
1,1,prior,1,2,8,
2,1,prior,2,3,9,7.0
3,1,train,3,3,9,14.0
4,2,prior,1,0,1,
"""
LINES_CSV = """order_id,product_id,add_to_cart_order,reordered
1,10,1,0
1,11,2,0
2,10,1,1
3,10,1,1
4,11,1,0
"""
NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


class Shop:
    """A home with two crawled tables and the same two as Iceberg tables."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.lake = LocalLake(home, lambda: NOON)
        self.catalog = LocalCatalog(home, self.lake, lambda: NOON)
        self.runs = 0
        self.workgroup = Workgroup(
            self.catalog,
            DuckDBEngine(home / "scratch", threads=2, memory_limit="500MB"),
            self.lake,
            clock=lambda: NOON,
            new_run_id=self.new_run_id,
        )
        self.land("orders", ORDERS_CSV)
        self.land("order_products", LINES_CSV)
        for name in ("orders", "order_products"):
            self.workgroup.materialise(f"SELECT * FROM landing.{name}", f"shop.{name}", run_id="load")  # noqa: S608

    def new_run_id(self) -> str:
        self.runs += 1
        return f"query-{self.runs}"

    def land(self, name: str, text: str) -> None:
        self.lake.put(Zone.LANDING, f"{name}/{name}.csv", io.BytesIO(text.encode()))
        header = text.splitlines()[0].split(",")
        kinds = {"eval_set": "string", "days_since_prior_order": "double"}
        columns = tuple(Column(column, kinds.get(column, "bigint")) for column in header)
        parameters = {"delimiter": ",", "skip.header.line.count": "1"}
        location = self.lake.uri(Zone.LANDING, name)
        self.catalog.define(TableDefinition("landing", name, columns, location, "csv", (), parameters))

    def rows(self, sql: str, **options: object) -> list[dict]:
        handle = self.workgroup.execute(sql, **options)
        return pa.Table.from_batches(list(handle.batches()), handle.schema).to_pylist()


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return Shop(tmp_path / "home")


@pytest.fixture(scope="module")
def untouched(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    """A shop for tests that change nothing."""
    return Shop(tmp_path_factory.mktemp("untouched"))


PUBLISHED = """CREATE TABLE order_products_prior WITH (external_location = 's3://my-bucket/features/order_products_prior/',
format = 'parquet')
AS (SELECT ORDERS.*,
    ORDER_PRODUCTS.product_id,
    ORDER_PRODUCTS.add_to_cart_order,
    ORDER_PRODUCTS.reordered
FROM ORDERS
JOIN ORDER_PRODUCTS -- the lines
ON ORDERS.order_id = ORDER_PRODUCTS.order_id
WHERE eval_set = 'prior');
"""


def test_the_published_statements_run_as_they_are(shop: Shop) -> None:
    assert shop.rows(PUBLISHED) == [{"rows": 4}]
    stored = [ref.key for ref in shop.lake.list(Zone.EXCHANGE)]
    assert stored == ["my-bucket/features/order_products_prior/data_0.parquet"]
    assert [column.type for column in shop.catalog.table("shop.order_products_prior").columns] == [
        *("bigint", "bigint", "string", "bigint", "bigint", "bigint", "double"),
        *("bigint", "bigint", "bigint"),
    ]
    assert shop.rows(
        """SELECT user_id, max(order_number) AS user_orders, sum(days_since_prior_order) AS user_period,
        avg(days_since_prior_order) AS user_mean_days_since_prior FROM orders WHERE eval_set = 'prior'
        GROUP BY user_id ORDER BY user_id"""
    ) == [
        {"user_id": 1, "user_orders": 2, "user_period": 7.0, "user_mean_days_since_prior": 7.0},
        {"user_id": 2, "user_orders": 1, "user_period": None, "user_mean_days_since_prior": None},
    ]
    assert shop.rows(
        """SELECT user_id, count(product_id) AS user_total_products,
        count(DISTINCT product_id) AS user_distinct_products,
        sum(CASE WHEN reordered = 1 THEN 1 ELSE 0 END) /
        cast(sum(CASE WHEN order_number > 1 THEN 1 ELSE 0 END) AS double) AS user_reorder_ratio
        FROM order_products_prior GROUP BY user_id HAVING count(*) > 1"""
    ) == [{"user_id": 1, "user_total_products": 3, "user_distinct_products": 2, "user_reorder_ratio": 1.0}]
    assert shop.rows(
        """SELECT user_id, product_id, count(*) AS up_orders, min(order_number) AS up_first_order,
        max(order_number) AS up_last_order, avg(add_to_cart_order) AS up_average_cart_position
        FROM order_products_prior GROUP BY user_id, product_id ORDER BY 1, 2 LIMIT 1"""
    ) == [
        {
            "user_id": 1,
            "product_id": 10,
            "up_orders": 2,
            "up_first_order": 1,
            "up_last_order": 2,
            "up_average_cart_position": 1.0,
        }
    ]
    ctas = """CREATE TABLE prd_features WITH (external_location = 's3://my-bucket/features/prd_features/',
        format = 'PARQUET', parquet_compression = 'SNAPPY') AS
        (SELECT product_id, count(*) AS prod_orders, sum(reordered) AS prod_reorders,
        sum(CASE WHEN product_seq_time = 1 THEN 1 ELSE 0 END) AS prod_first_orders,
        sum(CASE WHEN product_seq_time = 2 THEN 1 ELSE 0 END) AS prod_second_orders
        FROM (SELECT *, rank() OVER (PARTITION BY user_id, product_id ORDER BY order_number) AS product_seq_time
              FROM order_products_prior) GROUP BY product_id)"""
    assert shop.rows(ctas) == [{"rows": 2}]
    assert shop.rows("SELECT * FROM prd_features ORDER BY product_id") == [
        {"product_id": 10, "prod_orders": 2, "prod_reorders": 1, "prod_first_orders": 1, "prod_second_orders": 1},
        {"product_id": 11, "prod_orders": 2, "prod_reorders": 0, "prod_first_orders": 2, "prod_second_orders": 0},
    ]


def test_create_table_as_refuses_a_name_or_a_place_in_use(shop: Shop) -> None:
    shop.rows(PUBLISHED)
    with pytest.raises(QueryError, match=r"shop\.order_products_prior exists already.*line 1, column 14"):
        shop.rows(PUBLISHED)
    again = PUBLISHED.replace("TABLE order_products_prior", "TABLE another")
    with pytest.raises(QueryError, match="already holds files"):
        shop.rows(again)
    with pytest.raises(QueryError, match="already holds files"):
        shop.rows(PUBLISHED, database="mine")
    assert shop.rows(PUBLISHED.replace("my-bucket", "other"), database="mine") == [{"rows": 4}]
    assert shop.rows("SHOW TABLES IN mine") == [{"tab_name": "order_products_prior"}]
    assert shop.rows(PUBLISHED.replace("TABLE", "TABLE IF NOT EXISTS")) == [{"rows": 0}]


def test_a_failed_create_table_as_leaves_nothing(shop: Shop) -> None:
    failing = (
        "CREATE TABLE bad WITH (external_location='s3://b/bad/') AS SELECT order_id / (order_id - 2) AS x FROM orders"
    )
    with pytest.raises(QueryError, match="division by zero"):
        shop.rows(failing)
    assert list(shop.lake.list(Zone.EXCHANGE)) == []
    with pytest.raises(NotFoundError):
        shop.catalog.table("shop.bad")
    assert shop.rows(failing.replace("order_id - 2", "order_id + 2")) == [{"rows": 4}]


@pytest.mark.parametrize(
    ("location", "message"),
    [
        ("my-bucket/a/", "must be like"),
        ("s3://my-bucket/", "must name a folder"),
        ("s3://my-bucket/../x/", "must name a folder"),
        ("file:///etc/x", "must be like"),
    ],
)
def test_create_table_as_checks_the_location(untouched: Shop, location: str, message: str) -> None:
    with pytest.raises(QueryError, match=message):
        untouched.rows(f"CREATE TABLE x WITH (external_location = '{location}') AS SELECT 1 AS a")


def test_create_table_as_with_partitions_and_without_data(shop: Shop) -> None:
    shop.rows("CREATE TABLE parts WITH (partitioned_by = ARRAY['eval_set']) AS SELECT order_id, eval_set FROM orders")
    assert [key.name for key in shop.catalog.table("shop.parts").partition_keys] == ["eval_set"]
    assert shop.rows("SELECT order_id FROM parts WHERE eval_set = 'train'") == [{"order_id": 3}]
    with pytest.raises(QueryError, match="must come last"):
        shop.rows("CREATE TABLE p2 WITH (partitioned_by = ARRAY['order_id']) AS SELECT order_id, eval_set FROM orders")
    assert shop.rows("CREATE TABLE none AS SELECT order_id FROM orders WITH NO DATA") == [{"rows": 0}]
    assert shop.rows("SELECT count(*) AS n FROM none") == [{"n": 0}]


def test_create_table_as_refuses_a_column_twice(untouched: Shop) -> None:
    with pytest.raises(QueryError, match="column order_id stands twice"):
        untouched.rows(
            "CREATE TABLE x AS SELECT a.*, b.* FROM orders a JOIN order_products b ON a.order_id = b.order_id"
        )


def test_errors_inside_create_table_as_point_into_the_whole_text(untouched: Shop) -> None:
    with pytest.raises(QueryError, match="no column nope") as caught:
        untouched.rows("CREATE TABLE x AS\n(SELECT order_id,\n   nope FROM orders)")
    assert (caught.value.line, caught.value.column) == (3, 4)
    with pytest.raises(NotFoundError, match=r"shop\.order.*line 2, column 6"):
        untouched.rows("CREATE TABLE x AS SELECT 1 AS a\nFROM ordrs")


@pytest.mark.parametrize(
    ("sql", "what"),
    [
        ("CREATE EXTERNAL TABLE t (a int) LOCATION 's3://b/a/'", "CREATE EXTERNAL"),
        ("CREATE TABLE t (a int)", "CREATE TABLE"),
        ("CREATE TABLE t WITH (format = 'ORC') AS SELECT 1 AS a", "ORC"),
        ("MSCK REPAIR TABLE orders", "MSCK"),
        ("UNLOAD (SELECT 1) TO 's3://b/a/'", "UNLOAD"),
    ],
)
def test_what_athena_knows_and_this_does_not_is_not_built(untouched: Shop, sql: str, what: str) -> None:
    with pytest.raises(NotBuiltError, match=rf"^.*{what}.* is not built yet"):
        untouched.rows(sql)


@pytest.mark.parametrize("sql", ["", " ; ", "-- nothing", "hello", "SELECT 'open", "GRANT ALL ON a TO b"])
def test_what_is_no_statement_is_said_in_one_sentence(untouched: Shop, sql: str) -> None:
    with pytest.raises(QueryError) as caught:
        untouched.rows(sql)
    assert "\n" not in str(caught.value)


def test_show_and_describe(untouched: Shop) -> None:
    assert untouched.rows("SHOW TABLES") == [{"tab_name": "order_products"}, {"tab_name": "orders"}]
    assert untouched.rows("show tables in shop 'order_*'") == [{"tab_name": "order_products"}]
    assert untouched.rows("SHOW DATABASES;") == [{"database_name": "landing"}, {"database_name": "shop"}]
    assert untouched.rows("DESCRIBE landing.Order_Products")[0] == {
        "col_name": "order_id",
        "data_type": "bigint",
        "comment": "",
    }
    with pytest.raises(NotFoundError, match=r"shop\.orders"):
        untouched.rows("DESCRIBE ordrs")


def test_the_hidden_path_column_names_each_rows_file(untouched: Shop) -> None:
    (row,) = untouched.rows('SELECT DISTINCT "$path" AS p FROM landing.orders')
    assert row == {"p": untouched.lake.uri(Zone.LANDING, "orders/orders.csv")}
    assert list(untouched.rows('SELECT *, "$path" FROM landing.order_products LIMIT 1')[0]) == [
        *("order_id", "product_id", "add_to_cart_order", "reordered"),
        "$path",
    ]


def test_a_run_commits_once(shop: Shop) -> None:
    first = shop.workgroup.materialise("SELECT user_id FROM orders", "results.users", run_id="a")
    again = shop.workgroup.materialise("SELECT order_id AS user_id FROM orders", "results.users", run_id="a")
    assert again.id == first.id
    assert len(shop.catalog.snapshots("results.users")) == 1
    shop.workgroup.materialise(
        "SELECT user_id FROM orders WHERE user_id = 2",
        "results.users",
        run_id="b",
        mode=CommitMode.APPEND,
        summary={"rows_seen": "1"},
    )
    assert shop.rows("SELECT count(*) AS n FROM results.users") == [{"n": 5}]
    assert shop.catalog.snapshots("results.users")[-1].summary["rows_seen"] == "1"
    shop.workgroup.materialise("SELECT user_id FROM orders WHERE user_id = 2", "results.users", run_id="c")
    assert shop.rows("SELECT user_id FROM results.users") == [{"user_id": 2}]


def test_an_empty_result_overwrites(shop: Shop) -> None:
    shop.workgroup.materialise("SELECT user_id FROM orders", "results.users", run_id="a")
    shop.workgroup.materialise("SELECT user_id FROM orders WHERE false", "results.users", run_id="b")
    assert shop.rows("SELECT * FROM results.users") == []


def test_a_table_grows_columns_and_keeps_the_ones_a_query_leaves_out(shop: Shop) -> None:
    shop.workgroup.materialise("SELECT user_id, 1 AS a FROM orders", "results.grown", run_id="a")
    shop.workgroup.materialise(
        "SELECT user_id, 'x' AS b FROM orders WHERE user_id = 2", "results.grown", run_id="b", mode=CommitMode.APPEND
    )
    assert shop.rows("SELECT * FROM results.grown ORDER BY user_id, a LIMIT 1") == [{"user_id": 1, "a": 1, "b": None}]
    assert shop.rows("SELECT a, b FROM results.grown WHERE b IS NOT NULL") == [{"a": None, "b": "x"}]


def test_a_given_schema_fixes_types(shop: Shop) -> None:
    wanted = pa.schema([("user_id", pa.string()), ("share", pa.float32())])
    shop.workgroup.materialise("SELECT 0.5 AS share, user_id FROM orders", "results.s", run_id="a", schema=wanted)
    assert [column.type for column in shop.catalog.table("results.s").columns] == ["string", "float"]
    with pytest.raises(InputError, match="user_id"):
        shop.workgroup.materialise("SELECT user_id FROM orders", "results.s", run_id="b")


def test_a_table_read_in_place_is_not_overwritten(untouched: Shop) -> None:
    with pytest.raises(InputError, match=r"landing\.orders is read in place"):
        untouched.workgroup.materialise("SELECT 1 AS a", "landing.orders", run_id="x")
    with pytest.raises(UsageError, match=r"database\.table"):
        untouched.workgroup.materialise("SELECT 1 AS a", "orders", run_id="x")


def test_overrides_are_read_in_place_of_the_current_tables(shop: Shop) -> None:
    old = shop.catalog.scan("shop.orders")
    shop.workgroup.materialise("SELECT * FROM landing.orders WHERE order_id = 1", "shop.orders", run_id="second")
    count = "SELECT count(*) AS n FROM orders"
    assert shop.workgroup.table(count).to_pylist() == [{"n": 1}]
    for name in ("shop.orders", "orders", "SHOP.Orders"):
        assert shop.workgroup.table(count, overrides={name: old}).to_pylist() == [{"n": 4}]


def test_a_bare_name_is_looked_up_in_the_given_database_first(shop: Shop) -> None:
    shop.workgroup.materialise("SELECT 1 AS order_id", "features.orders", run_id="x")
    assert shop.rows("SELECT count(*) AS n FROM orders", database="features") == [{"n": 1}]
    assert shop.rows("SELECT count(*) AS n FROM order_products", database="features") == [{"n": 5}]


def test_exports_are_whole_files(untouched: Shop, tmp_path: Path) -> None:
    sql = "SELECT order_id, eval_set, days_since_prior_order FROM orders WHERE order_id IN (1, 2) ORDER BY order_id"
    assert untouched.workgroup.export(sql, tmp_path / "o" / "orders.csv", "csv") == 2
    assert (tmp_path / "o" / "orders.csv").read_bytes() == (
        b"order_id,eval_set,days_since_prior_order\r\n1,prior,\r\n2,prior,7.0\r\n"
    )
    untouched.workgroup.export(sql, tmp_path / "orders.json", "json")
    assert json.loads((tmp_path / "orders.json").read_text()) == [
        {"order_id": 1, "eval_set": "prior", "days_since_prior_order": None},
        {"order_id": 2, "eval_set": "prior", "days_since_prior_order": 7.0},
    ]
    untouched.workgroup.export(sql, tmp_path / "orders.parquet", "parquet")
    assert pq.read_table(tmp_path / "orders.parquet").num_rows == 2
    with pytest.raises(UsageError, match="csv, json, parquet"):
        untouched.workgroup.export(sql, tmp_path / "orders.xlsx", "xlsx")


def test_a_failed_export_leaves_the_old_file(untouched: Shop, tmp_path: Path) -> None:
    target = tmp_path / "out.csv"
    target.write_text("old")
    with pytest.raises(QueryError):
        untouched.workgroup.export("SELECT order_id / (order_id - 2) FROM orders", target, "csv")
    assert target.read_text() == "old"
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == ["out.csv"]
    with pytest.raises(HomeError, match="cannot write"):
        untouched.workgroup.export("SELECT 1 AS a", target / "below" / "x.csv", "csv")
