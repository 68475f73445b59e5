"""The layout's checks as one expression for each table: typed values, and the reason where a line does not fit.

Every input has the same checks, whether an engine reads the file itself, it was cut into records, or a mapping made it.
Ids stay text here: whether they become BIGINT is decided when all tables are read.
"""

from collections.abc import Mapping

import ibis
import ibis.expr.datatypes as dt
import ibis.expr.types as ir
import pyarrow as pa

from nextbasket.catalog.base import Column
from nextbasket.grocery.tables import ColumnRule, LayoutTable
from nextbasket.ingest.records import LINE, RAW, REASON

FILE, DROPPED = "src_file", "src_dropped"
"""The columns for a record's file (its number in the load) and for why a mapping left it out."""

PATH = "$path"
DROPPED_REASON = "dropped_reason"
"""What a mapping may return beside the layout's columns."""

NULL_WORDS = ("", "NULL", "NA", "N/A", "NAN", "\\N")
"""What numbers may hold instead of nothing, in any letter case."""

_NULL_IDS = ("", "NULL", "\\N")
_ARROW = {"integer": pa.int64(), "number": pa.float64(), "text": pa.string(), "id": pa.string()}
_ATHENA = {"integer": "bigint", "number": "double", "text": "string"}


def checked_schema(table: LayoutTable) -> pa.Schema:
    """Return the schema of checked rows: the layout's columns, ids as text, then the ``src_`` columns."""
    fields = [(column.name, _ARROW[column.kind]) for column in table.columns]
    sources = [
        (FILE, pa.int64()),
        (LINE, pa.int64()),
        (RAW, pa.string()),
        (REASON, pa.string()),
        (DROPPED, pa.string()),
    ]
    return pa.schema([*fields, *sources])


def shop_columns(table: LayoutTable, ids: Mapping[str, str]) -> tuple[Column, ...]:
    """Return a shop table's columns; ``ids`` gives the type of each id."""
    return tuple(Column(column.name, _ATHENA.get(column.kind) or ids[column.name]) for column in table.columns)


def checked(table: LayoutTable, rows: ir.Table, *, file: ir.Value | int | None = None) -> ir.Table:
    """Return the checked rows of a staged input; ``file`` numbers its file where the rows do not say.

    ``src_raw`` is what the rows say, else, for a mapping's rows, the values joined by commas.
    """
    values: dict[str, ir.Value] = {}
    faults: list[tuple[ir.Value, ir.Value]] = []
    texts: list[ir.Value] = []
    for rule in table.columns:
        if rule.name not in rows.columns:
            values[rule.name] = ibis.null(_IBIS[rule.kind])
            continue
        text = _text(rows[rule.name])
        texts.append(text.fill_null(""))
        given = _given(rule, text)
        values[rule.name] = value = _value(rule, given, rows[rule.name])
        if not rule.null:
            faults.append((given.isnull(), ibis.literal(f"{rule.name} is empty")))
        if value is not given:
            faults.append((given.notnull() & value.isnull(), _message(rule, text)))
    nothing = ibis.null("string")
    raw = rows[RAW] if RAW in rows.columns else ibis.literal(",").join(texts)
    dropped = rows[DROPPED_REASON].cast("string") if DROPPED_REASON in rows.columns else nothing
    known: list[tuple[ir.Value, ir.Value]] = []
    if REASON in rows.columns:
        known.append((rows[REASON].notnull(), rows[REASON]))
    if DROPPED_REASON in rows.columns:
        known.append((dropped.notnull(), nothing))
    number = rows[FILE] if FILE in rows.columns else ibis.literal(file) if isinstance(file, int) else file
    sources = {
        FILE: number.cast("int64"),
        LINE: rows[LINE] if LINE in rows.columns else ibis.null("int64"),
        RAW: raw,
        REASON: ibis.cases(*known, *faults),
        DROPPED: dropped,
    }
    return rows.select(**values, **sources)


_IBIS = {"integer": "int64", "number": "float64", "text": "string", "id": "string"}


def _text(column: ir.Value) -> ir.StringValue:
    kind = column.type()
    if isinstance(kind, dt.String):
        return column
    if isinstance(kind, dt.Boolean):
        return column.cast("int64").cast("string")
    if isinstance(kind, dt.Floating | dt.Decimal):
        number = column.cast("float64")
        # Exports write ids as 13085.0 as soon as one of them is missing.
        whole = (number == number.floor()) & (number.abs() < 1e15)
        return ibis.ifelse(whole, number.try_cast("int64").cast("string"), column.cast("string"))
    return column.cast("string")


def _given(rule: ColumnRule, text: ir.StringValue) -> ir.StringValue:
    """Return what was given for a column, without spaces around it; null where nothing was."""
    if rule.kind == "text" and not rule.allowed:
        return text.nullif("")
    trimmed = text.strip()
    if rule.kind == "text":
        return trimmed.nullif("")
    words = _NULL_IDS if rule.kind == "id" else NULL_WORDS
    return ibis.ifelse(trimmed.upper().isin(words), ibis.null("string"), trimmed)


def _value(rule: ColumnRule, given: ir.StringValue, column: ir.Value) -> ir.Value:
    """Return a column's typed value, null where what was given does not fit."""
    if rule.kind == "id" or (rule.kind == "text" and not rule.allowed):
        return given
    if rule.kind == "text":
        return ibis.ifelse(given.isin(rule.allowed), given, ibis.null("string"))
    if column.type().is_numeric():
        number = column.cast("float64")
    else:
        # Engines read 1_000 as a number; nobody else does.
        number = ibis.ifelse(given.contains("_"), ibis.null("float64"), given.try_cast("float64"))
    # Beyond these a double is no exact whole number, and infinities and NaN are beyond them too.
    least = rule.minimum if rule.minimum is not None else -9e15
    most = rule.maximum if rule.maximum is not None else 9e15
    fits = (number >= least) & (number <= most)
    if rule.kind == "number":
        return ibis.ifelse(fits, number, ibis.null("float64"))
    return ibis.ifelse(fits & (number == number.floor()), number.try_cast("int64"), ibis.null("int64"))


def _message(rule: ColumnRule, text: ir.StringValue) -> ir.StringValue:
    if rule.kind == "text":
        what = f"is none of {', '.join(rule.allowed)}"
    else:
        what = "is not a whole number" if rule.kind == "integer" else "is not a number"
        if rule.minimum is not None and rule.maximum is not None:
            what += f" from {rule.minimum:g} to {rule.maximum:,.0f}"
    return ibis.literal(f"{rule.name} '") + text + ibis.literal(f"' {what}")
