"""A recipe as a whole: types after every step without running, all faults at once, nothing slips through a name."""

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nextbasket.errors import RecipeError

from .kitchen import compiled, condition, rows, run, step

SALES = pa.table({"shop": ["a", "a", "b"], "sold": pa.array([1, 2, 3], pa.int64()), "price": [1.5, 2.5, None]})


def test_schemas_are_known_after_every_step_without_running() -> None:
    done = compiled(
        [
            step("CHANGE_DATA_TYPE", sourceColumn="sold", columnDataType="string"),
            step("BINARIZATION", sourceColumn="price", targetColumn="dear", threshold="2"),
            step(
                "GROUP_BY",
                sourceColumns=["shop"],
                groupByAggFunctionOptions=[
                    {"sourceColumnName": "dear", "targetColumnName": "dear_ones", "functionName": "SUM"}
                ],
            ),
        ],
        SALES,
    )
    assert [str(dict(schema.items())) for schema in done.schemas] == [
        "{'shop': String(length=None, nullable=True), 'sold': String(length=None, nullable=True), "
        "'price': Float64(nullable=True)}",
        "{'shop': String(length=None, nullable=True), 'sold': String(length=None, nullable=True), "
        "'price': Float64(nullable=True), 'dear': Int32(nullable=True)}",
        "{'shop': String(length=None, nullable=True), 'dear_ones': Int64(nullable=True)}",
    ]
    assert any(text.startswith("BINARIZATION:") for text in done.decisions)


def test_faults_of_all_steps_are_told_and_consequences_are_not() -> None:
    with pytest.raises(RecipeError) as caught:
        compiled(
            [
                step("ADD", sourceColumn1="sould", sourceColumn2="price", targetColumn="total"),
                step("ABSOLUTE", sourceColumn="total", targetColumn="plain"),
                step("FILL_WITH_AVERAGE", sourceColumn="shop"),
                step("ABSOLUTE", condition("IS", "shopp", "a"), sourceColumn="sold", targetColumn="x"),
            ],
            SALES,
        )
    assert caught.value.faults == (
        "step 1 (ADD): sourceColumn1: there is no column 'sould'; did you mean 'sold'?",
        "step 3 (FILL_WITH_AVERAGE): sourceColumn: the column 'shop' is string, allowed is a number; change its type "
        "first.",
        "step 4 (ABSOLUTE): a condition's TargetColumn: there is no column 'shopp'; did you mean 'shop'?",
    )


def test_a_faulty_step_that_changes_all_columns_ends_the_check() -> None:
    options = [{"sourceColumnName": "nothing", "functionName": "SUM"}]
    with pytest.raises(RecipeError) as caught:
        compiled(
            [
                step("GROUP_BY", sourceColumns=["shop"], groupByAggFunctionOptions=options),
                step("ABSOLUTE", sourceColumn="nothing_sum", targetColumn="x"),
            ],
            SALES,
        )
    assert len(caught.value.faults) == 1


NASTY = st.text(st.characters(blacklist_categories=("Cs", "Cc")), min_size=1, max_size=12).filter(
    lambda text: not text.startswith("__nextbasket_")
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(name=NASTY, value=NASTY)
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_no_name_and_no_value_is_ever_read_as_sql(name: str, value: str) -> None:
    table = pa.table({"k": [1, 2], "text": [value, "other'--"]})
    result = run(
        [
            step("REMOVE_VALUES", condition("IS_NOT", "text", [value]), sourceColumn="text"),
            step("CATEGORICAL_MAPPING", sourceColumn="text", targetColumn="mapped", categoryMap={value: value + '"'}),
            step("FILL_WITH_CUSTOM", condition("IS", "k", "2"), sourceColumn="mapped", value=value),
        ],
        table,
    )
    expected = [(1, value, value + '"')] if value != "other'--" else rows(result)
    assert rows(result) == expected
    if name.lower() not in ("k", "text"):
        renamed = run([step("RENAME", sourceColumn="text", targetColumn=name)], table)
        assert renamed.column_names == ["k", name]
        assert renamed.column(name).to_pylist() == [value, "other'--"]
