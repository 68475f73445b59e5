"""Actions that make a column from others."""

import ibis
import ibis.expr.types as ir

from nextbasket.recipes.actions.forms import SOURCE, TARGET
from nextbasket.recipes.conditions import is_missing
from nextbasket.recipes.parameters import Kind, Parameter
from nextbasket.recipes.registry import Family, Parameters

FAMILY = Family("create")


@FAMILY.action(
    "FLAG_COLUMN_FROM_NULL",
    SOURCE,
    TARGET,
    Parameter("flagType", Kind.CHOICE, "always Null values", required=False, allowed=("Null values",)),
    Parameter("trueString", Kind.TEXT, "written where the value is missing", required=False, default="True"),
    Parameter("falseString", Kind.TEXT, "written elsewhere", required=False, default="False"),
    decisions=("FLAG_COLUMN_FROM_NULL: empty text counts as missing.",),
)
def flag_column_from_null(table: ir.Table, parameters: Parameters) -> ir.Table:
    """Mark the rows where a column has no value."""
    missing = is_missing(table[parameters["sourceColumn"]])
    return table.mutate(
        **{parameters["targetColumn"]: ibis.ifelse(missing, parameters["trueString"], parameters["falseString"])}
    )
