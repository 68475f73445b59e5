"""What the portable dialect holds, and that its page says so."""

from pathlib import Path

import pytest

from nextbasket.errors import QueryError
from nextbasket.query import dialect
from nextbasket.query.functions import PORTABLE, REFUSED
from nextbasket.query.functions_page import page

PAGE = Path(__file__).parents[2] / "docs" / "sql-functions.md"


def keys(sql: str) -> list[str]:
    return [table.key for table in dialect.parse_select(sql).tables]


def test_the_functions_page_is_written_from_the_registry() -> None:
    assert PAGE.read_text(encoding="utf-8") == page()


def test_no_function_is_both_portable_and_refused() -> None:
    assert PORTABLE & set(REFUSED) == set()


@pytest.mark.parametrize("name", sorted(REFUSED))
def test_refused_functions_are_named_with_what_to_use(name: str) -> None:
    with pytest.raises(QueryError, match=rf"{name}(\(\) is not in the portable dialect: | differs at each run)"):
        dialect.parse_select(f"SELECT {name}(order_id) FROM orders")  # noqa: S608 (names of this project)


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("SELECT * FROM Orders o JOIN Landing.Products p ON 1 = 1", ["orders", "landing.products"]),
        ("WITH a AS (SELECT * FROM t) SELECT * FROM a, b", ["b", "t"]),
        ("WITH a AS (SELECT * FROM a) SELECT * FROM a", ["a"]),
        ("WITH a AS (SELECT 1 AS x), b AS (SELECT * FROM a) SELECT * FROM b", []),
        ("WITH a AS (SELECT * FROM b), b AS (SELECT 1 AS x) SELECT * FROM a", ["b"]),
        ("SELECT * FROM (WITH x AS (SELECT 1 AS n) SELECT * FROM x) y, x", ["x"]),
        ("SELECT (SELECT max(a) FROM t) FROM t", ["t"]),
        ("SELECT a FROM t UNION SELECT b FROM u", ["t", "u"]),
        ("SELECT * FROM awsdatacatalog.shop.orders", ["shop.orders"]),
    ],
)
def test_tables_are_those_that_no_with_defines(sql: str, expected: list[str]) -> None:
    assert sorted(keys(sql)) == sorted(expected)


@pytest.mark.parametrize(
    ("sql", "message"),
    [
        ("SELECT * FROM other.shop.orders", "no catalog 'other'"),
        ("SELECT x FROM t TABLESAMPLE BERNOULLI (10)", "TABLESAMPLE is not part"),
        ("SELECT * FROM UNNEST(ARRAY[1])", "UNNEST needs names"),
        ("SELECT x AT TIME ZONE 'UTC' FROM t", "ATTIMEZONE is not part"),
        ("SELECT DISTINCT ON (x) y FROM t", "row_number"),
        ("SELECT extract(timezone_hour FROM x) FROM t", "no field timezone_hour"),
        ("SELECT CAST(x AS varchar(3)) FROM t", r"varchar\(n\)"),
        ("SELECT current_date", "give the time as a parameter"),
        ("SELECT current_timestamp", "give the time as a parameter"),
        ("SELECT x INTO y FROM t", "is not part"),
        ("SELECT * FROM (SELECT substing('a', 1))", r"did you mean substring\(\)"),
    ],
)
def test_refusals_say_why(sql: str, message: str) -> None:
    with pytest.raises(QueryError, match=message):
        dialect.parse_select(sql)


def test_words_before_a_parenthesis_are_not_taken_for_functions() -> None:
    dialect.parse_select(
        """WITH t (a, b) AS (VALUES (1, 2)), u AS (SELECT 1 AS x)
        SELECT (a), -(b), a IN (1), NOT (a = 1), CASE WHEN (a = 1) THEN (1) ELSE (2) END, "count"(*),
               sum(a) OVER (PARTITION BY (b)), count(*) FILTER (WHERE a > 0) OVER (), CAST(a AS decimal(10, 2))
        FROM t JOIN u USING (x) WHERE EXISTS (SELECT 1) AND (a BETWEEN (1) AND (2)) OR (b IS NOT NULL)
        GROUP BY GROUPING SETS ((a), (a, b)) HAVING (a > 1) ORDER BY (a) LIMIT 5"""
    )
