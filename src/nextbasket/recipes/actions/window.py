"""Actions that look at a row's neighbours."""

import ibis
import ibis.expr.types as ir

from nextbasket.recipes.actions.forms import TARGET
from nextbasket.recipes.parameters import Kind, Parameter, ValueFault
from nextbasket.recipes.registry import Conditions, Family, Parameters

FAMILY = Family("window")


@FAMILY.action(
    "ROW_NUMBER",
    Parameter("groupByColumns", Kind.COLUMNS, "the columns that form the groups", required=False, default=()),
    Parameter("orderByColumns", Kind.COLUMNS, "the columns that order the rows of a group"),
    TARGET,
    decisions=("ROW_NUMBER: starts at 1, ascending, NULLs last; which of two equal rows comes first is open.",),
    conditions=Conditions.REFUSED,
)
def row_number(table: ir.Table, parameters: Parameters) -> ir.Table:
    """Count the rows of each group in order, from 1."""
    order = [ibis.asc(table[name]) for name in parameters["orderByColumns"]]
    if not order:
        raise ValueFault("orderByColumns: found an empty list, allowed is at least one column.")
    groups = [table[name] for name in parameters["groupByColumns"]]
    window = ibis.window(group_by=groups or None, order_by=order)
    return table.mutate(**{parameters["targetColumn"]: ibis.row_number().over(window) + 1})
