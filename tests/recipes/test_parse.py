"""Recipes as people really have them are read; everything wrong with one is told at once."""

import json
from typing import Any

import pytest

from nextbasket.errors import RecipeError
from nextbasket.recipes import parse
from nextbasket.recipes.actions import ACTIONS
from nextbasket.recipes.operations import ALSO_NAMED, FAMILIES, FAMILY_OF

ACTION = {"Operation": "RENAME", "Parameters": {"sourceColumn": "a", "targetColumn": "b"}}
PASCAL = {"Operation": "RENAME", "Parameters": {"SourceColumn": "a", "TargetColumn": "b"}}


@pytest.mark.parametrize(
    "document",
    [
        [{"Action": ACTION}],
        [{"RecipeAction": ACTION}],
        [{"RecipeStep": {"Action": ACTION}}],
        [ACTION],
        {"Steps": [{"Action": ACTION}]},
        {"Name": "mine", "Description": "", "Steps": [{"Action": ACTION}], "Tags": {}},
        {"Type": "AWS::DataBrew::Recipe", "Properties": {"Name": "mine", "Steps": [{"Action": PASCAL}]}},
        {"Steps": json.dumps([{"Action": ACTION}])},
    ],
)
def test_every_shape_of_a_recipe_is_read(document: Any) -> None:
    recipe = parse(json.dumps(document), "mine")
    assert [(one.number, one.operation) for one in recipe.steps] == [(1, "RENAME")]
    assert recipe.steps[0].parameters == {"sourceColumn": "a", "targetColumn": "b"}
    assert recipe.notes == ()


def group_by(columns: Any, options: Any) -> str:
    parameters = {"sourceColumns": columns, "groupByAggFunctionOptions": options}
    return json.dumps([{"Action": {"Operation": "GROUP_BY", "Parameters": parameters}}])


def test_lists_and_objects_are_read_plain_and_inside_text() -> None:
    options = [{"sourceColumnName": "x", "targetColumnName": "n", "functionName": "COUNT"}]
    plain = parse(group_by(["a", "b"], options)).steps[0].parameters
    inside = parse(group_by('["a","b"]', json.dumps(options))).steps[0].parameters
    assert plain == inside
    assert plain["sourceColumns"] == ("a", "b")
    assert plain["useNewDataFrame"] is True


def test_numbers_and_booleans_are_read_as_text_and_as_json() -> None:
    def binarization(threshold: Any, flip: Any) -> Any:
        parameters = {"sourceColumn": "a", "targetColumn": "b", "threshold": threshold, "flip": flip}
        return parse(json.dumps([{"Action": {"Operation": "BINARIZATION", "Parameters": parameters}}]))

    assert binarization("1.5", "true").steps[0].parameters == binarization(1.5, True).steps[0].parameters


def test_an_extra_key_is_ignored_with_a_note() -> None:
    parameters = {**ACTION["Parameters"], "viewFrame": "{}"}
    recipe = parse(json.dumps([{"Action": {"Operation": "RENAME", "Parameters": parameters}}]))
    assert recipe.notes == ("step 1 (RENAME): the parameter 'viewFrame' is ignored.",)


def faults_of(document: Any) -> tuple[str, ...]:
    with pytest.raises(RecipeError) as caught:
        parse(document if isinstance(document, str) else json.dumps(document))
    return caught.value.faults


def test_every_fault_is_told_at_once() -> None:
    faults = faults_of(
        [
            {"Action": {"Operation": "RENAM", "Parameters": {}}},
            {"Action": {"Operation": "RENAME", "Parameters": {"sourceColum": "a", "targetColumn": ""}}},
            {"Action": {"Operation": "BINARIZATION", "Parameters": {"sourceColumn": "a", "threshold": "high"}}},
            {
                "Action": {
                    "Operation": "CHANGE_DATA_TYPE",
                    "Parameters": {"sourceColumn": "a", "columnDataType": "integer"},
                }
            },
            {"Action": {"Operation": "PIVOT", "Parameters": {}}},
            {"Parameters": {}},
            {
                "Action": {"Operation": "REMOVE_VALUES", "Parameters": {"sourceColumn": "a"}},
                "ConditionExpressions": [
                    {"Condition": "LESS", "TargetColumn": "a", "Value": "1"},
                    {"Condition": "LESS_THAN", "TargetColumn": "a"},
                    {"Condition": "IS_MISSING"},
                ],
            },
        ]
    )
    assert faults == (
        "step 1: there is no action 'RENAM'; did you mean RENAME?",
        "step 2 (RENAME): targetColumn: found '', allowed is a name that is not empty.",
        "step 2 (RENAME): found the parameter 'sourceColum'; did you mean 'sourceColumn'?",
        "step 3 (BINARIZATION): threshold: found 'high', allowed is a number.",
        "step 3 (BINARIZATION): the parameter targetColumn (new column) is missing.",
        "step 4 (CHANGE_DATA_TYPE): columnDataType: found 'integer', allowed is one of byte, short, int, long, float, "
        "double, decimal, string, boolean, timestamp, date; did you mean int?",
        "step 5: the action PIVOT is known and not built yet.",
        "step 6: found no Action with an Operation.",
        "step 7 (REMOVE_VALUES), condition 1: there is no condition 'LESS'; did you mean LESS_THAN?",
        "step 7 (REMOVE_VALUES), condition 2: LESS_THAN needs a Value.",
        "step 7 (REMOVE_VALUES), condition 3: Condition and TargetColumn are needed.",
    )


@pytest.mark.parametrize(
    ("document", "start"),
    [
        ("[{", "the text is not JSON"),
        ("[" * 100_000, "the text is"),
        ('{"a": 1}', "found no steps"),
        ("[]", "found no steps"),
        ("17", "found no steps"),
        (json.dumps([{"Action": ACTION}] * 501), "found 501 steps, allowed are 500"),
        (" " * 5_000_001, "the text has 5,000,001 characters"),
    ],
)
def test_what_is_no_recipe_is_refused_in_a_sentence(document: str, start: str) -> None:
    (fault,) = faults_of(document)
    assert fault.startswith(start)


def test_conditions_are_refused_where_they_mean_nothing_and_asked_for_where_they_are_the_point() -> None:
    conditions = [{"Condition": "IS_MISSING", "TargetColumn": "a"}]
    assert faults_of([{"Action": ACTION, "ConditionExpressions": conditions}]) == (
        "step 1 (RENAME): takes no ConditionExpressions.",
    )
    assert faults_of([{"Action": {"Operation": "REMOVE_VALUES", "Parameters": {"sourceColumn": "a"}}}]) == (
        "step 1 (REMOVE_VALUES): needs ConditionExpressions that say which rows.",
    )


def test_all_215_documented_actions_are_known_by_name() -> None:
    assert sum(len(names) for names in FAMILIES.values()) == len(FAMILY_OF) == 215
    assert set(ACTIONS) <= set(FAMILY_OF)
    assert {action.form.name: action.form.family for action in ACTIONS.values()} == {
        name: FAMILY_OF[name] for name in ACTIONS
    }
    assert set(ALSO_NAMED.values()) <= set(FAMILY_OF)
    assert not set(ALSO_NAMED) & set(FAMILY_OF)


def test_every_form_says_what_it_does() -> None:
    for action in ACTIONS.values():
        assert action.form.summary.endswith("."), action.form.name
        assert all(item.meaning for item in action.form.parameters), action.form.name
