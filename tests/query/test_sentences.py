"""What an engine's error becomes: one plain sentence, at its place where the statement has one."""

import re
from pathlib import Path

import pytest

from nextbasket.errors import QueryError
from nextbasket.query.sentences import plain, reworded

from .home import StatementHome


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> StatementHome:
    return StatementHome(tmp_path_factory.mktemp("sentences"))


@pytest.mark.parametrize(
    ("sql", "sentence", "column"),
    [
        (
            "SELECT order_id, count(*) FROM orders",
            "column order_id is neither in GROUP BY nor inside an aggregate: add it, or take its min().",
            8,
        ),
        ("SELECT * FROM orders WHERE count(*) > 1", "WHERE clause cannot contain aggregates.", None),
        ("SELECT * FROM orders ORDER BY 9", "ORDER term out of range - should be between 1 and 4.", None),
        (
            "SELECT CAST(eval_set AS bigint) FROM orders",
            "the text 'prior' is no bigint: use TRY_CAST to get NULL instead.",
            None,
        ),
        ("SELECT o.nope FROM orders o", "o has no column nope.", 10),
        ("SELECT q.order_id FROM orders AS o", 'there is no q in FROM; there is "o".', 8),
        (
            "SELECT order_id FROM orders a JOIN orders b ON a.order_id = b.order_id",
            "column order_id is in several tables: write 'a.order_id' or 'b.order_id'.",
            8,
        ),
        ("SELECT 9223372036854775807 + 1 AS a", "9223372036854775807 + 1 is out of range for bigint.", None),
        (
            "SELECT (SELECT order_id FROM orders) AS x",
            "a subquery that stands for one value gives several rows: add LIMIT 1 or an aggregate.",
            None,
        ),
        ("SELECT FROM orders", "SELECT needs a list of columns, or *.", None),
    ],
)
def test_errors_are_plain_sentences(home: StatementHome, sql: str, sentence: str, column: int | None) -> None:
    with pytest.raises(QueryError) as caught:
        home.rows(sql)
    # Where the statement has one suspect for an error of its run, its place stands after the sentence.
    assert re.sub(r" \(line \d+, column \d+\)$", "", str(caught.value)) == sentence
    if column is not None:
        assert (caught.value.line, caught.value.column) == (1, column)


@pytest.mark.parametrize(
    ("message", "sentence"),
    [
        ("SELECT clause is odd!", "SELECT clause is odd."),
        ("LIMIT/OFFSET cannot be negative", "LIMIT/OFFSET cannot be negative."),
        ("A thing went wrong.", "a thing went wrong."),
        ("", "."),
    ],
)
def test_keywords_keep_their_capitals(message: str, sentence: str) -> None:
    assert plain(message) == sentence


def test_a_line_of_a_csv_file_is_named_without_the_engines_own_words(tmp_path: Path) -> None:
    file = tmp_path / "a.csv"
    head = "Invalid Input Error: CSV Error on Line: 3\nOriginal Line: x,3\n"
    tail = f"\n\n  file = {file}\n  delimiter = , (Set By User)\n  auto_detect = 0\n"
    value = head + 'Error when converting column "a". Could not convert string "x" to \'BIGINT\'' + tail
    count = head + "Expected Number of Columns: 2 Found: 3" + tail
    quote = head + "Value with unterminated quote found." + tail
    assert reworded(value) == (f"line 3 of {file} has 'x' in the column a, no bigint: crawl the files again.", None)
    assert reworded(count)[0] == (
        f"line 3 of {file} has 3 values and the table 2 columns: correct it, or run 'nextbasket load', "
        "which keeps such lines apart."
    )
    assert reworded(quote)[0].startswith(f"line 3 of {file} is no CSV, perhaps a quote that is never closed")
    for text in (value, count, quote):
        assert "read_csv" not in reworded(text)[0]
        assert "strict" not in reworded(text)[0]
