"""Actions on whole columns: rename, delete, duplicate, move, change type."""

import ibis
import ibis.expr.datatypes as dt
import ibis.expr.types as ir

from nextbasket.recipes.actions.forms import SOURCE, TARGET
from nextbasket.recipes.parameters import Kind, Parameter, ValueFault
from nextbasket.recipes.registry import Conditions, Family, Parameters

FAMILY = Family("column")

TYPES: dict[str, dt.DataType] = {
    "byte": dt.int8,
    "short": dt.int16,
    "int": dt.int32,
    "long": dt.int64,
    "float": dt.float32,
    "double": dt.float64,
    "decimal": dt.Decimal(38, 18),
    "string": dt.string,
    "boolean": dt.boolean,
    "timestamp": dt.Timestamp(),
    "date": dt.date,
}
"""DataBrew's data types and what they are here."""

_WHOLE = r"^\s*[+-]?[0-9]+\s*$"


@FAMILY.action(
    "RENAME",
    SOURCE,
    TARGET,
    decisions=("RENAME: the column keeps its place; a column that already has the new name is a fault.",),
    conditions=Conditions.REFUSED,
)
def rename(table: ir.Table, parameters: Parameters) -> ir.Table:
    """Give a column a new name."""
    source, target = parameters["sourceColumn"], parameters["targetColumn"]
    if target != source and target in table.columns:
        raise ValueFault(f"targetColumn: there is a column {target!r} already.")
    return table.rename({target: source})


@FAMILY.action(
    "DELETE",
    Parameter("sourceColumn", Kind.COLUMN, "the column to drop", required=False),
    Parameter("sourceColumns", Kind.COLUMNS, "the columns to drop", required=False),
    conditions=Conditions.REFUSED,
)
def delete(table: ir.Table, parameters: Parameters) -> ir.Table:
    """Drop columns."""
    names = list(parameters["sourceColumns"] or ())
    if parameters["sourceColumn"] is not None:
        names.append(parameters["sourceColumn"])
    if not names:
        raise ValueFault("sourceColumn or sourceColumns is missing.")
    if set(names) == set(table.columns):
        raise ValueFault("the step would drop every column.")
    return table.drop(*names)


@FAMILY.action("DUPLICATE", SOURCE, TARGET)
def duplicate(table: ir.Table, parameters: Parameters) -> ir.Table:
    """Copy a column under a new name."""
    return table.mutate(**{parameters["targetColumn"]: table[parameters["sourceColumn"]]})


def _moved(table: ir.Table, source: str, place: int) -> ir.Table:
    names = [name for name in table.columns if name != source]
    return table.select(*names[:place], source, *names[place:])


@FAMILY.action("MOVE_TO_START", SOURCE, conditions=Conditions.REFUSED)
def move_to_start(table: ir.Table, parameters: Parameters) -> ir.Table:
    """Make a column the first."""
    return _moved(table, parameters["sourceColumn"], 0)


@FAMILY.action("MOVE_TO_END", SOURCE, conditions=Conditions.REFUSED)
def move_to_end(table: ir.Table, parameters: Parameters) -> ir.Table:
    """Make a column the last."""
    return _moved(table, parameters["sourceColumn"], len(table.columns))


_NEXT_TO = Parameter("targetColumn", Kind.COLUMN, "the column it is put beside")


def _beside(table: ir.Table, parameters: Parameters, offset: int) -> ir.Table:
    source, target = parameters["sourceColumn"], parameters["targetColumn"]
    if source == target:
        return table
    others = [name for name in table.columns if name != source]
    return _moved(table, source, others.index(target) + offset)


@FAMILY.action("MOVE_AFTER", SOURCE, _NEXT_TO, conditions=Conditions.REFUSED)
def move_after(table: ir.Table, parameters: Parameters) -> ir.Table:
    """Put a column directly to the right of another."""
    return _beside(table, parameters, 1)


@FAMILY.action("MOVE_BEFORE", SOURCE, _NEXT_TO, conditions=Conditions.REFUSED)
def move_before(table: ir.Table, parameters: Parameters) -> ir.Table:
    """Put a column directly to the left of another."""
    return _beside(table, parameters, 0)


@FAMILY.action(
    "CHANGE_DATA_TYPE",
    SOURCE,
    Parameter("columnDataType", Kind.CHOICE, "the type the column becomes", allowed=tuple(TYPES)),
    decisions=(
        "CHANGE_DATA_TYPE: what cannot be converted becomes NULL; numbers lose their fraction on the way to a whole "
        "number; text becomes a whole number only where it is written as one.",
    ),
)
def change_data_type(table: ir.Table, parameters: Parameters) -> ir.Table:
    """Give a column another type; what cannot convert becomes NULL."""
    name = parameters["sourceColumn"]
    return table.mutate(**{name: converted(table[name], TYPES[parameters["columnDataType"]])})


def converted(column: ir.Value, kind: dt.DataType) -> ir.Value:
    """Return the column as another type, the same way on every engine; NULL where it cannot convert."""
    own = column.type()
    if own == kind:
        return column
    if kind.is_string():
        return column.cast(kind)
    if kind.is_integer() and (own.is_floating() or own.is_decimal()):
        # Engines differ (DuckDB rounds, Spark cuts): cut everywhere.
        return ibis.ifelse(column < 0, column.ceil(), column.floor()).try_cast(kind)
    if kind.is_integer() and own.is_string():
        return ibis.ifelse(column.re_search(_WHOLE), column.strip(), ibis.null("string")).try_cast(kind)
    if kind.is_boolean() and own.is_string():
        word = column.strip().lower()
        return ibis.cases((word.isin(["true", "yes"]), True), (word.isin(["false", "no"]), False), else_=None)
    return column.try_cast(kind)
