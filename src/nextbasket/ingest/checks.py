"""The layout's checks as one SELECT for each input: typed values, and the reason where a line does not fit.

Every input has the same checks, whether an engine reads the file itself, it was cut into records, or a mapping made it.
Ids stay text here: whether they become BIGINT is decided when all tables are read. The SQL is Athena's; it is built
from the layout, so that the checks stand in one place, in layers that each compute a value once.
"""

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import pyarrow as pa
from sqlglot import exp

from nextbasket.catalog.base import Column, Scan
from nextbasket.grocery.tables import ColumnRule, LayoutTable
from nextbasket.ingest.records import LINE, RAW, REASON

Field: TypeAlias = "pa.Field[Any]"

FILE, DROPPED = "src_file", "src_dropped"
"""The columns for a record's file (its number in the load) and for why a mapping left it out."""

PATH = "src_path"
DROPPED_REASON = "dropped_reason"
"""What a mapping's rows may have beside the layout's columns: the file they came from, why they are left out."""

NULL_WORDS = ("NULL", "NA", "N/A", "NAN", "\\N")
"""What numbers may hold instead of nothing, in any letter case."""

_NULL_IDS = ("NULL", "null", "\\N")
_ARROW: dict[str, pa.DataType] = {"integer": pa.int64(), "number": pa.float64(), "text": pa.string(), "id": pa.string()}
_ATHENA = {"integer": "bigint", "number": "double", "text": "string"}


def checked_schema(table: LayoutTable) -> pa.Schema:
    """Return the schema of checked rows: the layout's columns, ids as text, then the ``src_`` columns."""
    fields: list[tuple[str, pa.DataType]] = [(column.name, _ARROW[column.kind]) for column in table.columns]
    sources: list[tuple[str, pa.DataType]] = [
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


def checked(table: LayoutTable, scan: Scan, *, file: int = 0, files: Sequence[str] = ()) -> exp.Select:
    """Return the checked rows of an input, read under the name ``scan.table``.

    ``file`` numbers the input's file where its rows do not say; with ``files`` the column ``src_path`` says which of
    these URIs a row came from. ``src_raw`` is what the rows say, else, for a mapping's rows, the values joined by
    commas.
    """
    columns = {field.name.lower(): field for field in scan.schema}
    present = [rule for rule in table.columns if rule.name in columns]
    texts = {rule.name: _text(columns[rule.name]) for rule in present}
    given = exp.select(
        *(f"NULLIF(TRIM({texts[rule.name]}), '') AS given_{rule.name}" for rule in present),
        *(f"{texts[rule.name]} AS text_{rule.name}" for rule in present),
        *(f"{name} AS {name}" for name in (FILE, LINE, RAW, REASON) if name in columns),
        *([f"CAST({DROPPED_REASON} AS varchar) AS {DROPPED}"] if DROPPED_REASON in columns else []),
        *([PATH] if files else []),
        dialect="athena",
    ).from_(exp.to_table(scan.table, dialect="athena"))
    numbers = [rule for rule in present if rule.kind in ("integer", "number")]
    # Engines read 1_000 as a number; nobody else does.
    counted = exp.select(
        "*",
        *(
            f"CASE WHEN STRPOS(given_{rule.name}, '_') = 0 THEN TRY_CAST(given_{rule.name} AS double) END "
            f"AS number_{rule.name}"
            for rule in numbers
        ),
        dialect="athena",
    ).from_(given.subquery("given"))
    valued = exp.select("*", *(f"{_value(rule)} AS value_{rule.name}" for rule in present), dialect="athena").from_(
        counted.subquery("counted")
    )
    values = [
        f"value_{rule.name} AS {rule.name}" if rule in present else f"CAST(NULL AS {_SQL[rule.kind]}) AS {rule.name}"
        for rule in table.columns
    ]
    return exp.select(
        *values,
        f"CAST({_file(columns, file, files)} AS bigint) AS {FILE}",
        f"CAST({LINE if LINE in columns else 'NULL'} AS bigint) AS {LINE}",
        f"{_raw(columns, present, scan.format)} AS {RAW}",
        f"CAST({_reason(present, columns)} AS varchar) AS {REASON}",
        f"CAST({DROPPED if DROPPED_REASON in columns else 'NULL'} AS varchar) AS {DROPPED}",
        dialect="athena",
    ).from_(valued.subquery("valued"))


_SQL = {"integer": "bigint", "number": "double", "text": "varchar", "id": "varchar"}


def _text(field: Field) -> str:
    """Return a column as text."""
    name = exp.column(field.name, quoted=True).sql(dialect="athena")
    if pa.types.is_string(field.type) or pa.types.is_large_string(field.type):
        return name
    if pa.types.is_boolean(field.type):
        return f"CAST(CAST({name} AS bigint) AS varchar)"
    if pa.types.is_floating(field.type) or pa.types.is_decimal(field.type):
        # Exports write ids as 13085.0 as soon as one of them is missing.
        number = f"CAST({name} AS double)"
        whole = f"{number} = FLOOR({number}) AND ABS({number}) < 1e15"
        return f"CASE WHEN {whole} THEN CAST(TRY_CAST({number} AS bigint) AS varchar) ELSE CAST({name} AS varchar) END"
    return f"CAST({name} AS varchar)"


def _value(rule: ColumnRule) -> str:
    """Return a column's typed value, null where what was given does not fit."""
    given, number = f"given_{rule.name}", f"number_{rule.name}"
    if rule.kind == "id":
        return f"CASE WHEN {given} IN ({_list(_NULL_IDS)}) THEN NULL ELSE {given} END"
    if rule.kind == "text":
        if not rule.allowed:
            return f"NULLIF(text_{rule.name}, '')"
        return f"CASE WHEN {given} IN ({_list(rule.allowed)}) THEN {given} END"
    # Beyond these a double is no exact whole number, and infinities and NaN are beyond them too.
    least = rule.minimum if rule.minimum is not None else -9e15
    most = rule.maximum if rule.maximum is not None else 9e15
    fits = f"{number} >= {least} AND {number} <= {most}"
    if rule.kind == "number":
        return f"CASE WHEN {fits} THEN {number} END"
    return f"CASE WHEN {fits} AND {number} = FLOOR({number}) THEN TRY_CAST({number} AS bigint) END"


def _reason(present: Sequence[ColumnRule], columns: Mapping[str, Field]) -> str:
    known = [f"WHEN {REASON} IS NOT NULL THEN {REASON}"] if REASON in columns else []
    if DROPPED_REASON in columns:
        known.append(f"WHEN {DROPPED} IS NOT NULL THEN NULL")
    faults = []
    for rule in present:
        given, value = f"given_{rule.name}", f"value_{rule.name}"
        blank = f"{given} IS NULL"
        if rule.kind in ("integer", "number"):
            blank += f" OR UPPER({given}) IN ({_list(NULL_WORDS)})"
        elif rule.kind == "id" or not rule.allowed:
            blank = f"{value} IS NULL"
        if not rule.null:
            faults.append(f"WHEN {value} IS NULL AND ({blank}) THEN {_literal(f'{rule.name} is empty')}")
        if rule.kind in ("integer", "number") or rule.allowed:
            before, after = _literal(f"{rule.name} '"), _literal(f"' {_complaint(rule)}")
            faults.append(f"WHEN {value} IS NULL AND NOT ({blank}) THEN {before} || text_{rule.name} || {after}")
    return f"CASE {' '.join([*known, *faults])} END" if known or faults else "NULL"


def _complaint(rule: ColumnRule) -> str:
    if rule.kind == "text":
        return f"is none of {', '.join(rule.allowed)}"
    what = "is not a whole number" if rule.kind == "integer" else "is not a number"
    if rule.minimum is not None and rule.maximum is not None:
        what += f" from {rule.minimum:g} to {rule.maximum:,.0f}"
    return what


def _file(columns: Mapping[str, Field], file: int, files: Sequence[str]) -> str:
    if FILE in columns:
        return FILE
    if not files:
        return str(file)
    cases = " ".join(f"WHEN {_literal(uri)} THEN {number}" for number, uri in enumerate(files))
    return f"CASE {PATH} {cases} ELSE -1 END"


def _raw(columns: Mapping[str, Field], present: Sequence[ColumnRule], form: str) -> str:
    if RAW in columns:
        return RAW
    # A text file that is read in place is cut as soon as one of its lines is at fault: only then is its text kept.
    if form == "csv":
        return "CAST(NULL AS varchar)"
    return " || ',' || ".join(f"COALESCE(text_{rule.name}, '')" for rule in present)


def _list(words: Sequence[str]) -> str:
    return ", ".join(_literal(word) for word in words)


def _literal(text: str) -> str:
    return exp.Literal.string(text).sql(dialect="athena")
