"""Each built action: input rows and expected rows, written by hand; NULLs included."""

from typing import Any

import pyarrow as pa
import pytest

from nextbasket.errors import RecipeError
from nextbasket.recipes.actions import ACTIONS

from .kitchen import compiled, condition, rows, run, step

N = None
FRUIT = pa.table(
    {
        "name": ["apple", "pear", "", N],
        "count": pa.array([1, 2, N, 2], pa.int64()),
        "price": pa.array([1.5, N, -2.5, 4.0], pa.float64()),
    }
)

CASES: dict[str, list[tuple[dict[str, Any], list[str], list[tuple[Any, ...]]]]] = {
    "RENAME": [
        (
            step("RENAME", sourceColumn="count", targetColumn="n"),
            ["name", "n", "price"],
            [("apple", 1, 1.5), ("pear", 2, N), ("", N, -2.5), (N, 2, 4.0)],
        )
    ],
    "DELETE": [
        (step("DELETE", sourceColumn="price"), ["name", "count"], [("apple", 1), ("pear", 2), ("", N), (N, 2)]),
        (step("DELETE", sourceColumns=["price", "name"]), ["count"], [(1,), (2,), (N,), (2,)]),
    ],
    "DUPLICATE": [
        (
            step("DUPLICATE", sourceColumn="count", targetColumn="again"),
            ["name", "count", "price", "again"],
            [("apple", 1, 1.5, 1), ("pear", 2, N, 2), ("", N, -2.5, N), (N, 2, 4.0, 2)],
        )
    ],
    "MOVE_TO_START": [
        (
            step("MOVE_TO_START", sourceColumn="price"),
            ["price", "name", "count"],
            [(1.5, "apple", 1), (N, "pear", 2), (-2.5, "", N), (4.0, N, 2)],
        )
    ],
    "MOVE_TO_END": [
        (
            step("MOVE_TO_END", sourceColumn="name"),
            ["count", "price", "name"],
            [(1, 1.5, "apple"), (2, N, "pear"), (N, -2.5, ""), (2, 4.0, N)],
        )
    ],
    "MOVE_AFTER": [
        (
            step("MOVE_AFTER", sourceColumn="name", targetColumn="count"),
            ["count", "name", "price"],
            [(1, "apple", 1.5), (2, "pear", N), (N, "", -2.5), (2, N, 4.0)],
        )
    ],
    "MOVE_BEFORE": [
        (
            step("MOVE_BEFORE", sourceColumn="price", targetColumn="count"),
            ["name", "price", "count"],
            [("apple", 1.5, 1), ("pear", N, 2), ("", -2.5, N), (N, 4.0, 2)],
        )
    ],
    "CHANGE_DATA_TYPE": [
        # Numbers lose their fraction towards zero on every engine.
        (
            step("CHANGE_DATA_TYPE", sourceColumn="price", columnDataType="int"),
            ["name", "count", "price"],
            [("apple", 1, 1), ("pear", 2, N), ("", N, -2), (N, 2, 4)],
        ),
        (
            step("CHANGE_DATA_TYPE", sourceColumn="count", columnDataType="string"),
            ["name", "count", "price"],
            [("apple", "1", 1.5), ("pear", "2", N), ("", N, -2.5), (N, "2", 4.0)],
        ),
        (
            step("CHANGE_DATA_TYPE", sourceColumn="name", columnDataType="double"),
            ["name", "count", "price"],
            [(N, 1, 1.5), (N, 2, N), (N, N, -2.5), (N, 2, 4.0)],
        ),
    ],
    "REMOVE_VALUES": [
        (
            step("REMOVE_VALUES", condition("IS", "count", '["2"]'), sourceColumn="count"),
            ["name", "count", "price"],
            [("apple", 1, 1.5), ("", N, -2.5)],
        ),
        # Both conditions must hold for a row to go.
        (
            step(
                "REMOVE_VALUES",
                condition("IS", "count", "2"),
                condition("GREATER_THAN", "price", "3"),
                sourceColumn="count",
            ),
            ["name", "count", "price"],
            [("apple", 1, 1.5), ("pear", 2, N), ("", N, -2.5)],
        ),
    ],
    "REMOVE_MISSING": [
        (step("REMOVE_MISSING", sourceColumn="name"), ["name", "count", "price"], [("apple", 1, 1.5), ("pear", 2, N)])
    ],
    "FILL_WITH_CUSTOM": [
        (
            step("FILL_WITH_CUSTOM", sourceColumn="count", value="7", columnDataType="number"),
            ["name", "count", "price"],
            [("apple", 1, 1.5), ("pear", 2, N), ("", 7, -2.5), (N, 2, 4.0)],
        ),
        (
            step("FILL_WITH_CUSTOM", sourceColumn="name", value="o'clock"),
            ["name", "count", "price"],
            [("apple", 1, 1.5), ("pear", 2, N), ("o'clock", N, -2.5), ("o'clock", 2, 4.0)],
        ),
    ],
    "FILL_WITH_EMPTY": [
        (
            step("FILL_WITH_EMPTY", sourceColumn="name"),
            ["name", "count", "price"],
            [("apple", 1, 1.5), ("pear", 2, N), ("", N, -2.5), ("", 2, 4.0)],
        )
    ],
    "FILL_WITH_NULL": [
        (
            step("FILL_WITH_NULL", sourceColumn="name"),
            ["name", "count", "price"],
            [("apple", 1, 1.5), ("pear", 2, N), (N, N, -2.5), (N, 2, 4.0)],
        )
    ],
    "FILL_WITH_AVERAGE": [
        (
            step("FILL_WITH_AVERAGE", sourceColumn="price"),
            ["name", "count", "price"],
            [("apple", 1, 1.5), ("pear", 2, 1.0), ("", N, -2.5), (N, 2, 4.0)],  # (1.5 - 2.5 + 4) / 3
        )
    ],
    "FILL_WITH_MEDIAN": [
        (
            step("FILL_WITH_MEDIAN", sourceColumn="price"),
            ["name", "count", "price"],
            [("apple", 1, 1.5), ("pear", 2, 1.5), ("", N, -2.5), (N, 2, 4.0)],
        )
    ],
    "FILL_WITH_SUM": [
        (
            step("FILL_WITH_SUM", sourceColumn="count"),
            ["name", "count", "price"],
            [("apple", 1, 1.5), ("pear", 2, N), ("", 5, -2.5), (N, 2, 4.0)],
        )
    ],
    "DELETE_DUPLICATE_ROWS": [
        (step("DELETE_DUPLICATE_ROWS"), ["name", "count", "price"], rows(FRUIT)),
    ],
    "BINARIZATION": [
        (
            step("BINARIZATION", sourceColumn="count", targetColumn="many", threshold="1"),
            ["name", "count", "price", "many"],
            [("apple", 1, 1.5, 0), ("pear", 2, N, 1), ("", N, -2.5, N), (N, 2, 4.0, 1)],
        ),
        (
            step("BINARIZATION", sourceColumn="count", targetColumn="few", threshold="1", flip="true"),
            ["name", "count", "price", "few"],
            [("apple", 1, 1.5, 1), ("pear", 2, N, 0), ("", N, -2.5, N), (N, 2, 4.0, 0)],
        ),
    ],
    "CATEGORICAL_MAPPING": [
        (
            step(
                "CATEGORICAL_MAPPING",
                sourceColumn="name",
                targetColumn="code",
                categoryMap={"apple": "1", "pear": "2"},
                other="0",
                mapType="NUMERIC",
            ),
            ["name", "count", "price", "code"],
            [("apple", 1, 1.5, 1), ("pear", 2, N, 2), ("", N, -2.5, 0), (N, 2, 4.0, 0)],
        ),
        (
            step(
                "CATEGORICAL_MAPPING",
                sourceColumn="name",
                targetColumn="name",
                categoryMap={"pear": "plum"},
                keepOthers="true",
            ),
            ["name", "count", "price"],
            [("apple", 1, 1.5), ("plum", 2, N), ("", N, -2.5), (N, 2, 4.0)],
        ),
        (
            step(
                "CATEGORICAL_MAPPING",
                sourceColumn="name",
                targetColumn="code",
                categoryMap={"apple": "0.5"},
                deleteOtherRows="true",
                mapType="NUMERIC",
            ),
            ["name", "count", "price", "code"],
            [("apple", 1, 1.5, 0.5)],
        ),
        # Whole numbers match a key written plainly; '02' is another text than '2'.
        (
            step("CATEGORICAL_MAPPING", sourceColumn="count", targetColumn="t", categoryMap={"2": "two", "02": "no"}),
            ["name", "count", "price", "t"],
            [("apple", 1, 1.5, N), ("pear", 2, N, "two"), ("", N, -2.5, N), (N, 2, 4.0, "two")],
        ),
    ],
    "GROUP_BY": [
        (
            step(
                "GROUP_BY",
                sourceColumns=["count"],
                groupByAggFunctionOptions=[
                    {"sourceColumnName": "name", "targetColumnName": "names", "functionName": "COUNT"},
                    {"sourceColumnName": "price", "targetColumnName": "total", "functionName": "SUM"},
                    {
                        "sourceColumnName": "price",
                        "targetColumnName": "mean",
                        "functionName": "AVG",
                        "targetColumnDataType": "string",
                    },
                ],
                useNewDataFrame="true",
            ),
            ["count", "names", "total", "mean"],
            [(1, 1, 1.5, "1.5"), (2, 1, 4.0, "4.0"), (N, 1, -2.5, "-2.5")],
        ),
        (
            step("GROUP_BY", sourceColumns=["count"], groupByAggFunctions="UNAGGREGATED"),
            ["count"],
            [(1,), (2,), (N,)],
        ),
        (
            step(
                "GROUP_BY",
                sourceColumns=["count"],
                groupByAggFunctionOptions=[
                    {"sourceColumnName": "price", "functionName": name}
                    for name in ("MIN", "MAX", "COUNT_DISTINCT", "MEDIAN", "STDDEV", "VARIANCE")
                ],
            ),
            ["count", *(f"price_{n}" for n in ("min", "max", "count_distinct", "median", "stddev", "variance"))],
            [(1, 1.5, 1.5, 1, 1.5, 0, 0), (2, 4, 4, 1, 4, 0, 0), (N, -2.5, -2.5, 1, -2.5, 0, 0)],
        ),
    ],
    "JOIN": [
        (
            step(
                "JOIN",
                secondaryDatasetName="colours",
                joinKeys=[{"key": "name", "value": "name"}],
                joinType=how,
                leftColumns=["name", "count"],
                rightColumns=["name", "colour"],
            ),
            ["name", "count", "name_right", "colour"],
            expected,
        )
        for how, expected in {
            "INNER_JOIN": [("apple", 1, "apple", "red")],
            "LEFT_JOIN": [("apple", 1, "apple", "red"), ("pear", 2, N, N), ("", N, N, N), (N, 2, N, N)],
            "RIGHT_JOIN": [("apple", 1, "apple", "red"), (N, N, "fig", "blue"), (N, N, N, "grey")],
            "OUTER_JOIN": [
                ("apple", 1, "apple", "red"),
                ("pear", 2, N, N),
                ("", N, N, N),
                (N, 2, N, N),
                (N, N, "fig", "blue"),
                (N, N, N, "grey"),
            ],
        }.items()
    ]
    + [
        (
            step(
                "JOIN",
                secondaryDatasetName="colours",
                joinKeys=[{"key": "name", "value": "name"}],
                joinType="LEFT_EXCLUDING_JOIN",
                leftColumns=["name", "count"],
                rightColumns=[],
            ),
            ["name", "count"],
            [("pear", 2), ("", N), (N, 2)],
        )
    ],
    "ROW_NUMBER": [
        (
            step("ROW_NUMBER", groupByColumns=["count"], orderByColumns=["price"], targetColumn="place"),
            ["name", "count", "price", "place"],
            [("apple", 1, 1.5, 1), ("pear", 2, N, 2), ("", N, -2.5, 1), (N, 2, 4.0, 1)],
        )
    ],
    "FLAG_COLUMN_FROM_NULL": [
        (
            step("FLAG_COLUMN_FROM_NULL", sourceColumn="name", targetColumn="gone", flagType="Null values"),
            ["name", "count", "price", "gone"],
            [("apple", 1, 1.5, "False"), ("pear", 2, N, "False"), ("", N, -2.5, "True"), (N, 2, 4.0, "True")],
        )
    ],
    "COALESCE": [
        (
            step("COALESCE", sourceColumns=["price", "count"], targetColumn="first"),
            ["name", "count", "price", "first"],
            [("apple", 1, 1.5, 1.5), ("pear", 2, N, 2.0), ("", N, -2.5, -2.5), (N, 2, 4.0, 4.0)],
        )
    ],
    "ADD": [
        (
            step("ADD", sourceColumn1="count", sourceColumn2="price", targetColumn="r"),
            ["name", "count", "price", "r"],
            [("apple", 1, 1.5, 2.5), ("pear", 2, N, N), ("", N, -2.5, N), (N, 2, 4.0, 6.0)],
        ),
        (
            step("ADD", sourceColumn1="count", value1="10", targetColumn="r"),
            ["name", "count", "price", "r"],
            [("apple", 1, 1.5, 11), ("pear", 2, N, 12), ("", N, -2.5, N), (N, 2, 4.0, 12)],
        ),
    ],
    "SUBTRACT": [
        (
            step("SUBTRACT", value1="10", sourceColumn2="count", targetColumn="r"),
            ["name", "count", "price", "r"],
            [("apple", 1, 1.5, 9), ("pear", 2, N, 8), ("", N, -2.5, N), (N, 2, 4.0, 8)],
        )
    ],
    "MULTIPLY": [
        (
            step("MULTIPLY", sourceColumn1="count", value2="3", targetColumn="r"),
            ["name", "count", "price", "r"],
            [("apple", 1, 1.5, 3), ("pear", 2, N, 6), ("", N, -2.5, N), (N, 2, 4.0, 6)],
        )
    ],
    "DIVIDE": [
        (
            step("DIVIDE", sourceColumn1="count", value2="2", targetColumn="r"),
            ["name", "count", "price", "r"],
            [("apple", 1, 1.5, 0.5), ("pear", 2, N, 1.0), ("", N, -2.5, N), (N, 2, 4.0, 1.0)],
        ),
        (
            step("DIVIDE", sourceColumn1="count", value2="0", targetColumn="r"),
            ["name", "count", "price", "r"],
            [("apple", 1, 1.5, N), ("pear", 2, N, N), ("", N, -2.5, N), (N, 2, 4.0, N)],
        ),
    ],
    "ABSOLUTE": [
        (
            step("ABSOLUTE", sourceColumn="price", targetColumn="r"),
            ["name", "count", "price", "r"],
            [("apple", 1, 1.5, 1.5), ("pear", 2, N, N), ("", N, -2.5, 2.5), (N, 2, 4.0, 4.0)],
        )
    ],
    "NEGATE": [
        (
            step("NEGATE", sourceColumn="count", targetColumn="r"),
            ["name", "count", "price", "r"],
            [("apple", 1, 1.5, -1), ("pear", 2, N, -2), ("", N, -2.5, N), (N, 2, 4.0, -2)],
        )
    ],
    "CEILING": [
        (
            step("CEILING", sourceColumn="price", targetColumn="r"),
            ["name", "count", "price", "r"],
            [("apple", 1, 1.5, 2), ("pear", 2, N, N), ("", N, -2.5, -2), (N, 2, 4.0, 4)],
        )
    ],
    "FLOOR": [
        (
            step("FLOOR", sourceColumn="price", targetColumn="r"),
            ["name", "count", "price", "r"],
            [("apple", 1, 1.5, 1), ("pear", 2, N, N), ("", N, -2.5, -3), (N, 2, 4.0, 4)],
        )
    ],
}

COLOURS = pa.table({"name": ["apple", "fig", N], "colour": ["red", "blue", "grey"]})
EACH = [
    pytest.param(made, columns, expected, id=f"{name}-{place}")
    for name, cases in CASES.items()
    for place, (made, columns, expected) in enumerate(cases)
]


def test_every_built_action_has_a_case() -> None:
    assert set(CASES) == set(ACTIONS)


@pytest.mark.parametrize(("made", "columns", "expected"), EACH)
def test_action(made: dict[str, Any], columns: list[str], expected: list[tuple[Any, ...]]) -> None:
    result = run([made], FRUIT, colours=COLOURS)
    assert result.column_names == columns
    assert sorted(map(repr, rows(result))) == sorted(
        map(
            repr,
            rows(
                pa.Table.from_pylist([dict(zip(columns, row, strict=True)) for row in expected], schema=result.schema)
            ),
        )
    )


@pytest.mark.parametrize(("made", "columns", "expected"), EACH)
def test_action_on_an_empty_table(made: dict[str, Any], columns: list[str], expected: list[tuple[Any, ...]]) -> None:
    result = run([made], FRUIT.slice(0, 0), colours=COLOURS.slice(0, 0))
    assert result.column_names == columns
    assert result.num_rows == 0
    assert expected is not None


def test_text_becomes_what_it_says_and_null_where_it_says_nothing() -> None:
    words = pa.table({"t": ["12", " -7 ", "12.5", "1e3", "x", "", N, "yes", "False"]})

    def changed(kind: str) -> list[Any]:
        return run([step("CHANGE_DATA_TYPE", sourceColumn="t", columnDataType=kind)], words).column("t").to_pylist()

    assert changed("long") == [12, -7, N, N, N, N, N, N, N]
    assert changed("double")[:5] == [12.0, -7.0, 12.5, 1000.0, N]
    assert changed("boolean") == [N, N, N, N, N, N, N, True, False]


def test_duplicate_rows_leave_one_of_each() -> None:
    twice = pa.concat_tables([FRUIT, FRUIT])
    assert rows(run([step("DELETE_DUPLICATE_ROWS")], twice)) == rows(FRUIT)


@pytest.mark.parametrize(
    ("made", "fault"),
    [
        (step("RENAME", sourceColumn="count", targetColumn="name"), "there is a column 'name' already"),
        (step("DELETE"), "sourceColumn or sourceColumns is missing"),
        (step("DELETE", sourceColumns=["name", "count", "price"]), "would drop every column"),
        (
            step("FILL_WITH_CUSTOM", sourceColumn="count", value="many"),
            "found 'many', allowed is a value of type int64",
        ),
        (step("FILL_WITH_CUSTOM", sourceColumn="count", value="1.5"), "found '1.5', allowed is a value of type int64"),
        (step("FILL_WITH_AVERAGE", sourceColumn="name"), "the column 'name' is string, allowed is a number"),
        (step("FILL_WITH_EMPTY", sourceColumn="count"), "the column 'count' is int64, allowed is text"),
        (step("ADD", sourceColumn1="count", targetColumn="r"), "two operands are needed"),
        (
            step("CATEGORICAL_MAPPING", sourceColumn="name", categoryMap={"a": "x"}, mapType="NUMERIC"),
            "categoryMap: found 'x', allowed is a number",
        ),
        (
            step(
                "GROUP_BY",
                sourceColumns=["name"],
                groupByAggFunctionOptions=[{"sourceColumnName": "prise", "functionName": "SUM"}],
            ),
            "figure 1: there is no column 'prise'; did you mean 'price'?",
        ),
        (
            step(
                "GROUP_BY",
                sourceColumns=["name"],
                groupByAggFunctionOptions=[{"sourceColumnName": "price", "functionName": "SUMM"}],
            ),
            "found the function 'SUMM'",
        ),
        (
            step(
                "JOIN",
                secondaryDatasetName="colors",
                joinKeys=[{"key": "name", "value": "name"}],
                joinType="INNER_JOIN",
                leftColumns=["name"],
                rightColumns=["colour"],
            ),
            "found the data set 'colors', known: colours",
        ),
    ],
)
def test_what_an_action_cannot_do_is_told(made: dict[str, Any], fault: str) -> None:
    with pytest.raises(RecipeError, match=r"recipe recipe has 1 fault:") as caught:
        compiled([made], FRUIT, colours=COLOURS)
    assert fault in caught.value.faults[0]
    assert caught.value.faults[0].startswith(f"step 1 ({made['Action']['Operation']}): ")
