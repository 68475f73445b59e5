"""Views: stored in the catalog, over tables and over views, never over themselves."""

from pathlib import Path

import pytest

from nextbasket.errors import NotFoundError, QueryError

from .home import StatementHome


@pytest.fixture
def home(tmp_path: Path) -> StatementHome:
    return StatementHome(tmp_path / "home")


def test_a_view_is_its_select_and_views_may_stand_on_views(home: StatementHome) -> None:
    home.run(
        "CREATE VIEW mine.priors AS -- what was bought before\nSELECT order_id, user_id, gap FROM orders "
        "WHERE eval_set = 'prior'",
        "CREATE VIEW mine.shoppers AS WITH p AS (SELECT * FROM mine.priors) "
        "SELECT user_id, count(*) AS n, max(gap) AS longest FROM p GROUP BY user_id",
    )
    assert home.values("SELECT * FROM mine.shoppers ORDER BY user_id") == [(1, 2, 7.0), (2, 1, None)]
    assert home.values(
        "SELECT s.n, p.order_id FROM mine.shoppers AS s JOIN mine.priors p ON p.user_id = s.user_id "
        "JOIN orders o ON o.order_id = p.order_id WHERE s.n > 1 ORDER BY 2"
    ) == [(2, 1), (2, 2)]
    # A name of the statement's own WITH does not reach into the view.
    assert home.values("WITH orders AS (SELECT 1 AS x) SELECT count(*) FROM mine.priors, orders") == [(3,)]
    assert home.values("DESCRIBE mine.shoppers") == [
        ("user_id", "bigint", ""),
        ("n", "bigint", ""),
        ("longest", "double", ""),
    ]
    assert [line for (line,) in home.values("SHOW CREATE VIEW mine.priors")] == [
        "CREATE VIEW mine.priors AS",
        "SELECT order_id, user_id, gap FROM orders WHERE eval_set = 'prior'",
    ]


def test_a_view_keeps_the_database_it_was_made_with(home: StatementHome) -> None:
    home.run("CREATE TABLE mine.orders AS SELECT 5 AS order_id")
    home.rows("CREATE VIEW v AS SELECT order_id FROM orders", database="mine")
    assert home.values("SELECT * FROM mine.v", database="shop") == [(5,)]


def test_a_view_reads_what_its_tables_hold_now(home: StatementHome) -> None:
    home.run(
        "CREATE TABLE mine.t WITH (table_type = 'ICEBERG') AS SELECT 1 AS a",
        "CREATE VIEW mine.v AS SELECT a FROM mine.t",
        "INSERT INTO mine.t VALUES (2)",
    )
    assert home.values("SELECT a FROM mine.v ORDER BY 1") == [(1,), (2,)]
    home.run("DROP TABLE mine.t")
    with pytest.raises(NotFoundError, match=r"the view mine\.v cannot be read: there is no table mine\.t"):
        home.rows("SELECT a FROM mine.v")


def test_views_are_replaced_dropped_and_told_from_tables(home: StatementHome) -> None:
    home.run("CREATE TABLE mine.t AS SELECT 1 AS a", "CREATE VIEW mine.v AS SELECT a FROM mine.t")
    with pytest.raises(QueryError, match=r"the view mine\.v exists already: write CREATE OR REPLACE VIEW"):
        home.rows("CREATE VIEW mine.v AS SELECT 2 AS a")
    home.run("CREATE OR REPLACE VIEW mine.v AS SELECT 'x' AS b, 2 AS c")
    assert home.rows("SELECT * FROM mine.v") == [{"b": "x", "c": 2}]
    for sql, message in (
        ("DROP TABLE mine.v", r"mine\.v is a view: write DROP VIEW mine\.v"),
        ("DROP VIEW mine.t", r"mine\.t is a table: write DROP TABLE mine\.t"),
        ("CREATE OR REPLACE VIEW mine.t AS SELECT 1 AS a", r"mine\.t is a table"),
        ("CREATE TABLE mine.v AS SELECT 1 AS a", r"mine\.v exists already"),
        ("INSERT INTO mine.v VALUES ('y', 3)", "insert into the table it reads"),
        ("SHOW CREATE TABLE mine.v", "write SHOW CREATE VIEW"),
        ("SHOW CREATE VIEW mine.t", "write SHOW CREATE TABLE"),
        ("SELECT * FROM mine.v FOR VERSION AS OF 1", "is a view: read an earlier version of its tables"),
    ):
        with pytest.raises(QueryError, match=message):
            home.rows(sql)
    home.run("DROP VIEW mine.v", "DROP VIEW IF EXISTS mine.v")
    with pytest.raises(NotFoundError):
        home.rows("SELECT * FROM mine.v")


@pytest.mark.parametrize(
    ("sql", "message"),
    [
        ("CREATE OR REPLACE VIEW mine.a AS SELECT x FROM mine.b", r"the view mine\.a would read itself"),
        ("CREATE OR REPLACE VIEW mine.a AS SELECT x FROM mine.a", r"the view mine\.a would read itself"),
        ("CREATE VIEW mine.c AS SELECT 1", "column 1 of the view has no name: give it one with AS"),
        ("CREATE VIEW mine.c AS SELECT ? AS x", r"a view takes no parameters"),
        ("CREATE VIEW mine.c (x) AS SELECT 1", "named in its SELECT"),
        ("CREATE VIEW mine.c AS SELECT 1 AS x, 2 AS x", "stands twice"),
        ("CREATE VIEW mine.c AS\nSELECT nope FROM orders", r"no column nope.*line 2, column 8"),
        ("CREATE VIEW mine.c AS SELECT * FROM read_csv('/etc/passwd')", "cannot stand in FROM|no function"),
        ("CREATE VIEW mine.c AS DELETE FROM orders", "only SELECT"),
    ],
)
def test_what_cannot_be_a_view_is_refused(home: StatementHome, sql: str, message: str) -> None:
    home.run("CREATE VIEW mine.a AS SELECT 1 AS x", "CREATE VIEW mine.b AS SELECT x FROM mine.a")
    with pytest.raises(QueryError, match=message):
        home.rows(sql)
    assert home.values("SELECT x FROM mine.b") == [(1,)]
