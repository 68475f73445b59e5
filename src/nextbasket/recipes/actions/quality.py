"""Actions on missing, unwanted and duplicate values."""

from collections.abc import Callable

import ibis
import ibis.expr.types as ir

from nextbasket.recipes.actions.forms import SOURCE, numeric
from nextbasket.recipes.conditions import fails, is_missing, literal
from nextbasket.recipes.parameters import Kind, Parameter, ValueFault
from nextbasket.recipes.registry import Conditions, Family, Parameters

FAMILY = Family("quality")


@FAMILY.action(
    "REMOVE_VALUES",
    SOURCE,
    decisions=(
        "REMOVE_VALUES: a missing value is neither less nor greater than anything and contains nothing; "
        "IS_NOT, NOT_CONTAINS and their like hold for it.",
    ),
    keeps_rows=False,
    conditions=Conditions.OWN,
)
def remove_values(table: ir.Table, parameters: Parameters) -> ir.Table:
    """Remove the rows for which all conditions hold."""
    return table.filter(fails(table, parameters["conditions"]))


@FAMILY.action("REMOVE_MISSING", SOURCE, keeps_rows=False, conditions=Conditions.REFUSED)
def remove_missing(table: ir.Table, parameters: Parameters) -> ir.Table:
    """Remove the rows where a column has no value."""
    return table.filter(~is_missing(table[parameters["sourceColumn"]]))


def _filled(table: ir.Table, name: str, value: ir.Value) -> ir.Table:
    column = table[name]
    return table.mutate(**{name: ibis.ifelse(is_missing(column), value, column)})


@FAMILY.action(
    "FILL_WITH_CUSTOM",
    SOURCE,
    Parameter("value", Kind.TEXT, "what missing values become"),
    Parameter(
        "columnDataType",
        Kind.CHOICE,
        "the column's kind",
        required=False,
        allowed=("date", "number", "boolean", "unsupported", "string", "timestamp"),
    ),
    decisions=("FILL_WITH_CUSTOM: the column keeps its type; a value that does not fit it is a fault.",),
)
def fill_with_custom(table: ir.Table, parameters: Parameters) -> ir.Table:
    """Fill missing values with a given one."""
    name = parameters["sourceColumn"]
    value = literal(table[name], parameters["value"])
    if table[name].type().is_integer() and not value.type().is_integer():
        raise ValueFault(f"value: found {parameters['value']!r}, allowed is a value of type {table[name].type()}.")
    return _filled(table, name, value.cast(table[name].type()))


@FAMILY.action("FILL_WITH_EMPTY", SOURCE)
def fill_with_empty(table: ir.Table, parameters: Parameters) -> ir.Table:
    """Fill missing text with empty text."""
    name = parameters["sourceColumn"]
    if not table[name].type().is_string():
        raise ValueFault(f"sourceColumn: the column {name!r} is {table[name].type()}, allowed is text.")
    return _filled(table, name, ibis.literal(""))


@FAMILY.action("FILL_WITH_NULL", SOURCE, decisions=("FILL_WITH_NULL: missing values (empty text) become NULL.",))
def fill_with_null(table: ir.Table, parameters: Parameters) -> ir.Table:
    """Turn missing values into NULL."""
    name = parameters["sourceColumn"]
    return _filled(table, name, ibis.null(table[name].type()))


def _fill_with_figure(name: str, summary: str, figure: Callable[[ir.NumericColumn], ir.Value]) -> None:
    def apply(table: ir.Table, parameters: Parameters) -> ir.Table:
        column = numeric(table[parameters["sourceColumn"]], "sourceColumn")
        return _filled(table, parameters["sourceColumn"], figure(column).over(ibis.window()))

    apply.__doc__ = summary
    FAMILY.action(
        name,
        SOURCE,
        decisions=("FILL_WITH_AVERAGE, _MEDIAN, _SUM: the figure is of all present values; the type may widen.",),
    )(apply)


_fill_with_figure("FILL_WITH_AVERAGE", "Fill missing values with the column's average.", lambda column: column.mean())
_fill_with_figure("FILL_WITH_MEDIAN", "Fill missing values with the column's median.", lambda column: column.median())
_fill_with_figure("FILL_WITH_SUM", "Fill missing values with the column's sum.", lambda column: column.sum())


@FAMILY.action("DELETE_DUPLICATE_ROWS", keeps_rows=False, conditions=Conditions.REFUSED)
def delete_duplicate_rows(table: ir.Table, _parameters: Parameters) -> ir.Table:
    """Keep one of several equal rows."""
    return table.distinct()
