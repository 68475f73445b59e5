"""The fifteen conditions: which rows each one holds for, NULLs included; and steps limited by conditions."""

from typing import Any

import pyarrow as pa
import pytest

from nextbasket.errors import RecipeError
from nextbasket.recipes.conditions import CONDITIONS

from .kitchen import compiled, condition, rows, run, step

WORDS = pa.table({"k": [1, 2, 3, 4, 5], "word": ["apple", "maple", "", None, "50%_'x"]})
NUMBERS = pa.table({"k": [1, 2, 3, 4], "n": pa.array([1, 5, 9, None], pa.int64())})
BETWEEN = '{"GREATER_THAN_EQUAL":"5","LESS_THAN_EQUAL":"9"}'

CASES: list[tuple[str, pa.Table, str, Any, set[int]]] = [
    ("IS", WORDS, "word", '["apple","maple"]', {1, 2}),
    ("IS", WORDS, "word", "apple", {1}),
    ("IS_NOT", WORDS, "word", '["apple"]', {2, 3, 4, 5}),
    ("CONTAINS", WORDS, "word", "ple", {1, 2}),
    ("CONTAINS", WORDS, "word", "%_'", {5}),
    ("NOT_CONTAINS", WORDS, "word", "ple", {3, 4, 5}),
    ("STARTS_WITH", WORDS, "word", "ma", {2}),
    ("NOT_STARTS_WITH", WORDS, "word", "ma", {1, 3, 4, 5}),
    ("ENDS_WITH", WORDS, "word", "le", {1, 2}),
    ("NOT_ENDS_WITH", WORDS, "word", "le", {3, 4, 5}),
    ("IS_MISSING", WORDS, "word", None, {3, 4}),
    ("IS_INVALID", WORDS, "word", None, set()),
    ("IS", NUMBERS, "n", "5", {2}),
    ("IS_NOT", NUMBERS, "n", "5", {1, 3, 4}),
    ("LESS_THAN", NUMBERS, "n", "5", {1}),
    ("LESS_THAN_EQUAL", NUMBERS, "n", 5, {1, 2}),
    ("GREATER_THAN", NUMBERS, "n", "5", {3}),
    ("GREATER_THAN", NUMBERS, "n", "4.5", {2, 3}),
    ("GREATER_THAN_EQUAL", NUMBERS, "n", "5", {2, 3}),
    ("IS_BETWEEN", NUMBERS, "n", BETWEEN, {2, 3}),
    ("IS_MISSING", NUMBERS, "n", None, {4}),
    ("CONTAINS", NUMBERS, "n", "5", {2}),
]


def test_every_condition_has_a_case() -> None:
    assert {name for name, *_ in CASES} == set(CONDITIONS)
    assert len(CONDITIONS) == 15


@pytest.mark.parametrize(("name", "table", "column", "value", "holds_for"), CASES)
def test_rows_a_condition_holds_for(name: str, table: pa.Table, column: str, value: Any, holds_for: set[int]) -> None:
    every = set(table.column("k").to_pylist())
    removed = run([step("REMOVE_VALUES", condition(name, column, value), sourceColumn=column)], table)
    assert set(removed.column("k").to_pylist()) == every - holds_for
    # The same condition as a limit: only these rows are changed.
    limited = run(
        [step("MULTIPLY", condition(name, column, value), sourceColumn1="k", value2="0", targetColumn="k")], table
    )
    assert limited.column("k").to_pylist().count(0) == len(holds_for)


def test_a_limited_step_leaves_other_rows_as_they_were_and_new_columns_null() -> None:
    steps = [
        step("ADD", condition("GREATER_THAN", "n", "1"), sourceColumn1="n", value1="100", targetColumn="more"),
        step("FILL_WITH_CUSTOM", condition("IS", "k", "4"), sourceColumn="n", value="0"),
    ]
    result = run(steps, NUMBERS)
    assert result.column_names == ["k", "n", "more"]
    assert rows(result) == [(1, 1, None), (2, 5, 105), (3, 9, 109), (4, 0, None)]


def test_a_value_that_does_not_fit_the_column_is_told() -> None:
    with pytest.raises(RecipeError, match="found 'many', allowed is a value of type int64"):
        compiled([step("REMOVE_VALUES", condition("LESS_THAN", "n", "many"), sourceColumn="n")], NUMBERS)
    with pytest.raises(RecipeError, match="GREATER_THAN_EQUAL and LESS_THAN_EQUAL"):
        compiled([step("REMOVE_VALUES", condition("IS_BETWEEN", "n", "5"), sourceColumn="n")], NUMBERS)
