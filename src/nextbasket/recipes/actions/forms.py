"""Parameters that many actions share, and the checks on columns that actions make."""

import ibis.expr.types as ir

from nextbasket.recipes.parameters import Kind, Parameter, ValueFault, nearest

SOURCE = Parameter("sourceColumn", Kind.COLUMN, "the column the step reads")
SOURCES = Parameter("sourceColumns", Kind.COLUMNS, "the columns the step reads")
TARGET = Parameter("targetColumn", Kind.NEW_COLUMN, "the column the step makes")


def existing(table: ir.Table, name: str, place: str) -> ir.Value:
    """Return a column named inside a list or map of a step; raises ValueFault with the nearest name."""
    if isinstance(name, str) and name in table.columns:
        return table[name]
    near = nearest(str(name), table.columns)
    hint = f"did you mean {near!r}?" if near else f"allowed is one of {', '.join(table.columns)}."
    raise ValueFault(f"{place}: there is no column {name!r}; {hint}")


def numeric(column: ir.Value, place: str) -> ir.NumericValue:
    """Return the column if it holds numbers; raises ValueFault."""
    if column.type().is_numeric():
        return column
    raise ValueFault(
        f"{place}: the column {column.get_name()!r} is {column.type()}, allowed is a number; change its type first."
    )
