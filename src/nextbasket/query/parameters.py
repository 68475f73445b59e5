"""Values for a statement's ``?``: put into the syntax tree as typed literals, never into the text."""

import datetime as dt
import math
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from sqlglot import exp

from nextbasket.errors import QueryError
from nextbasket.query.dialect import Statement


def bind(statement: Statement, values: Sequence[Any] | None) -> exp.Expr:
    """Return the tree with each ``?`` replaced in order; None as ``values`` replaces each with NULL.

    Raises QueryError when their numbers differ or a value has no SQL type here.
    """
    copy = statement.tree.copy()
    marks = sorted(copy.find_all(exp.Placeholder), key=lambda mark: mark.meta.get("start", 0))
    if any(mark.this for mark in marks):
        raise QueryError("parameters are written as ?, without a name.")
    given = [None] * len(marks) if values is None else list(values)
    if len(given) != len(marks):
        raise QueryError(f"the statement has {len(marks)} parameters (?) and {len(given)} values were given.")
    # Depth first in text order: sqlglot walks breadth first unless told otherwise.
    ordered = [node for node in copy.walk(bfs=False) if isinstance(node, exp.Placeholder)]
    for mark, value in zip(ordered, given, strict=True):
        mark.replace(_literal(value))
    return copy


def _literal(value: Any) -> exp.Expr:
    if value is None:
        return exp.Null()
    if isinstance(value, bool):
        return exp.Boolean(this=value)
    if isinstance(value, int):
        return exp.Paren(this=exp.convert(value)) if value < 0 else exp.convert(value)
    if isinstance(value, float):
        if not math.isfinite(value):
            raise QueryError(f"the parameter {value} is not a finite number.")
        return exp.cast(exp.Literal.string(repr(value)), "double")
    if isinstance(value, Decimal):
        return exp.Paren(this=exp.Literal.number(format(value, "f")))
    if isinstance(value, str):
        return exp.Literal.string(value)
    if isinstance(value, dt.datetime):
        return exp.cast(exp.Literal.string(value.isoformat(" ")), "timestamp")
    if isinstance(value, dt.date):
        return exp.cast(exp.Literal.string(value.isoformat()), "date")
    raise QueryError(f"a parameter of type {type(value).__name__} cannot be used: give numbers, texts or dates.")
