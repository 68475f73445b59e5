"""Arithmetic on columns and numbers."""

from collections.abc import Callable

import ibis
import ibis.expr.types as ir

from nextbasket.recipes.actions.forms import SOURCE, TARGET, numeric
from nextbasket.recipes.parameters import Kind, Parameter, ValueFault
from nextbasket.recipes.registry import Family, Parameters

FAMILY = Family("math")

_OPERANDS = (
    Parameter("sourceColumn1", Kind.COLUMN, "the first operand", required=False),
    Parameter("value1", Kind.NUMBER, "a number in place of the first column", required=False),
    Parameter("sourceColumn2", Kind.COLUMN, "the second operand", required=False),
    Parameter("value2", Kind.NUMBER, "a number in place of the second column", required=False),
    TARGET,
)


def _operands(table: ir.Table, parameters: Parameters) -> tuple[ir.NumericValue, ir.NumericValue]:
    """Return the two operands, each a column or a number; one column beside one number may use either number."""
    given: list[ir.NumericValue] = []
    for position in ("1", "2"):
        column, value = parameters[f"sourceColumn{position}"], parameters[f"value{position}"]
        if column is not None:
            given.append(numeric(table[column], f"sourceColumn{position}"))
        elif value is not None:
            given.append(ibis.literal(value))
    if len(given) == 1 and parameters["sourceColumn1"] is not None and parameters["value1"] is not None:
        # The documentation writes "column1 + value1" for one column and one number.
        given.append(ibis.literal(parameters["value1"]))
    if len(given) != 2:
        raise ValueFault("two operands are needed: sourceColumn1 or value1, and sourceColumn2 or value2.")
    return given[0], given[1]


def _binary(
    name: str, summary: str, combine: Callable[[ir.NumericValue, ir.NumericValue], ir.Value], *decisions: str
) -> None:
    def apply(table: ir.Table, parameters: Parameters) -> ir.Table:
        first, second = _operands(table, parameters)
        return table.mutate(**{parameters["targetColumn"]: combine(first, second)})

    apply.__doc__ = summary
    FAMILY.action(name, *_OPERANDS, decisions=decisions)(apply)


def quotient(first: ir.NumericValue, second: ir.NumericValue) -> ir.FloatingValue:
    """Divide as numbers with fractions; NULL where the divisor is zero, on every engine."""
    return first.cast("float64") / second.cast("float64").nullif(0.0)


_binary("ADD", "Add two operands.", lambda first, second: first + second)
_binary("SUBTRACT", "Subtract the second operand from the first.", lambda first, second: first - second)
_binary("MULTIPLY", "Multiply two operands.", lambda first, second: first * second)
_binary(
    "DIVIDE",
    "Divide the first operand by the second.",
    quotient,
    "DIVIDE: whole numbers divide with a fraction; dividing by zero gives NULL.",
)


def _unary(name: str, summary: str, change: Callable[[ir.NumericValue], ir.Value], *decisions: str) -> None:
    def apply(table: ir.Table, parameters: Parameters) -> ir.Table:
        column = numeric(table[parameters["sourceColumn"]], "sourceColumn")
        return table.mutate(**{parameters["targetColumn"]: change(column)})

    apply.__doc__ = summary
    FAMILY.action(name, SOURCE, TARGET, decisions=decisions)(apply)


_unary("ABSOLUTE", "Take the number without its sign.", lambda column: column.abs())
_unary("NEGATE", "Turn the number's sign.", lambda column: -column)
_unary("CEILING", "Round up to a whole number.", lambda column: column.ceil().cast("int64"))
_unary("FLOOR", "Round down to a whole number.", lambda column: column.floor().cast("int64"))
