"""Actions of no other family."""

import ibis
import ibis.expr.types as ir

from nextbasket.recipes.actions.forms import SOURCES, TARGET
from nextbasket.recipes.parameters import ValueFault
from nextbasket.recipes.registry import Family, Parameters

FAMILY = Family("other")


@FAMILY.action(
    "COALESCE",
    SOURCES,
    TARGET,
    decisions=("COALESCE: NULL where all are NULL; empty text is a value; the columns must share a type.",),
)
def coalesce(table: ir.Table, parameters: Parameters) -> ir.Table:
    """Take the first value that is not NULL from a list of columns."""
    names = parameters["sourceColumns"]
    if not names:
        raise ValueFault("sourceColumns: found an empty list, allowed is at least one column.")
    return table.mutate(**{parameters["targetColumn"]: ibis.coalesce(*(table[name] for name in names))})
