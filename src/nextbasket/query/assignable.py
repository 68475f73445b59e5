"""Which values a column takes: Athena converts a number to a wider one, and nothing else by itself."""

from collections.abc import Sequence

import pyarrow as pa
from sqlglot import exp

from nextbasket.catalog.types import to_text
from nextbasket.errors import InputError


def is_assignable(given: pa.DataType, column: pa.DataType) -> bool:
    """Say whether a value of one type may be written into a column of another without a CAST.

    Between integers any may be given: one that does not fit is an error when it is written.
    """
    if given == column or pa.types.is_null(given):
        return True
    if pa.types.is_integer(given):
        return _is_number(column)
    if pa.types.is_decimal(given):
        return bool(pa.types.is_decimal(column) or pa.types.is_floating(column))
    if pa.types.is_floating(given):
        return bool(pa.types.is_floating(column))
    if pa.types.is_date(given):
        return bool(pa.types.is_date(column) or pa.types.is_timestamp(column))
    if pa.types.is_timestamp(given):
        return bool(pa.types.is_timestamp(column))
    if _is_text(given):
        return _is_text(column)
    if pa.types.is_nested(given):
        return bool(given.id == column.id) or (_is_list(given) and _is_list(column))
    return bool(given.id == column.id)


def wrong_type(name: str, given: pa.DataType, column: pa.DataType) -> str:
    """Return the sentence about a value of the wrong type."""
    return f"column {name} is {shown(column)} and the value given is {shown(given)}: write CAST(… AS {shown(column)})."


def shown(kind: pa.DataType) -> str:
    """Return a type as people write it in a query."""
    try:
        text = to_text(kind)
    except InputError:
        return str(kind)
    return {"string": "varchar", "float": "real", "int": "integer", "binary": "varbinary"}.get(text, text)


def sql_type(kind: pa.DataType) -> exp.DataType | None:
    """Return the type to cast to, None for nested and binary values, which are written as they are."""
    if pa.types.is_nested(kind) or pa.types.is_binary(kind) or pa.types.is_large_binary(kind):
        return None
    return exp.DataType.build(shown(kind), dialect="trino")


def bare_nulls(body: exp.Expr, columns: int) -> list[bool]:
    """Say for each column of a SELECT or VALUES whether it is nothing but NULL, which fits every column."""
    rows = _rows(body)
    if not rows or any(len(row) != columns for row in rows):
        return [False] * columns
    return [all(isinstance(row[at].unalias(), exp.Null) for row in rows) for at in range(columns)]


def _rows(body: exp.Expr) -> list[Sequence[exp.Expr]]:
    while isinstance(body, exp.Subquery):
        body = body.this
    if isinstance(body, exp.SetOperation):
        return [*_rows(body.this), *_rows(body.expression)]
    if isinstance(body, exp.Values):
        return [row.expressions if isinstance(row, exp.Tuple) else [row] for row in body.expressions]
    return [body.expressions] if isinstance(body, exp.Select) else [[]]


def _is_number(kind: pa.DataType) -> bool:
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind))


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def _is_list(kind: pa.DataType) -> bool:
    return bool(pa.types.is_list(kind) or pa.types.is_large_list(kind))
