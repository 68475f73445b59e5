"""What the portable dialect holds, and that its page says so."""

import re
from pathlib import Path

import pytest

from nextbasket.errors import QueryError
from nextbasket.query import dialect
from nextbasket.query.functions import PORTABLE, REFUSED

PAGE = Path(__file__).parents[2] / "docs" / "sql.md"


def keys(sql: str) -> list[str]:
    return [table.key for table in dialect.parse_select(sql).tables]


def test_every_function_stands_in_the_docs() -> None:
    words = set(re.findall(r"[a-z_0-9]+", PAGE.read_text(encoding="utf-8")))
    assert PORTABLE - words == set()
    rows = dict(re.findall(r"^\| `(\w+)` \| (.*) \|$", PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE))
    assert rows == REFUSED


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
        ("SELECT * FROM UNNEST(ARRAY[1]) WITH ORDINALITY AS u(a, n)", "WITH ORDINALITY"),
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
