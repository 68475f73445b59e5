"""The fifteen conditions that a recipe step may carry; all of a step's conditions must hold.

``holds`` gives a predicate that is true or not true (a NULL counts as not true). ``fails`` is its exact opposite,
written so that engines can still push it down to the files.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import ibis
import ibis.expr.types as ir

from nextbasket.recipes.parameters import ValueFault

WITHOUT_VALUE = ("IS_INVALID", "IS_MISSING")
CONDITIONS = (
    "IS",
    "IS_NOT",
    "IS_BETWEEN",
    "CONTAINS",
    "NOT_CONTAINS",
    "STARTS_WITH",
    "NOT_STARTS_WITH",
    "ENDS_WITH",
    "NOT_ENDS_WITH",
    "LESS_THAN",
    "LESS_THAN_EQUAL",
    "GREATER_THAN",
    "GREATER_THAN_EQUAL",
    *WITHOUT_VALUE,
)

_OPPOSITE = {
    "IS_NOT": "IS",
    "NOT_CONTAINS": "CONTAINS",
    "NOT_STARTS_WITH": "STARTS_WITH",
    "NOT_ENDS_WITH": "ENDS_WITH",
}


@dataclass(frozen=True, slots=True)
class Condition:
    """One ConditionExpression: the condition's name, its value as written, the column it looks at."""

    name: str
    value: Any
    column: str


def holds(table: ir.Table, conditions: Sequence[Condition]) -> ir.BooleanValue:
    """Return what is true for the rows where every condition holds, and false for all others."""
    return ibis.and_(*(_sure(_holds(table, condition)) for condition in conditions))


def fails(table: ir.Table, conditions: Sequence[Condition]) -> ir.BooleanValue:
    """Return a filter that passes exactly the rows where some condition does not hold."""
    return ibis.or_(*(_fails(table, condition) for condition in conditions))


def _holds(table: ir.Table, condition: Condition) -> ir.BooleanValue:
    column = table[condition.column]
    if condition.name in _OPPOSITE:
        # A missing value is not the same as any value, and contains nothing.
        return ~_sure(_test(column, _OPPOSITE[condition.name], condition.value))
    return _test(column, condition.name, condition.value)


def _fails(table: ir.Table, condition: Condition) -> ir.BooleanValue:
    column = table[condition.column]
    if condition.name in _OPPOSITE:
        return _test(column, _OPPOSITE[condition.name], condition.value)
    return ~_sure(_test(column, condition.name, condition.value))


def _sure(predicate: ir.BooleanValue) -> ir.BooleanValue:
    return predicate.fill_null(False)


def _test(column: ir.Value, name: str, value: Any) -> ir.BooleanValue:
    match name:
        case "IS":
            return column.isin([literal(column, item) for item in _several(value)])
        case "IS_BETWEEN":
            low, high = _bounds(value)
            return column.between(literal(column, low), literal(column, high))
        case "CONTAINS":
            return _text(column).contains(_one(value))
        case "STARTS_WITH":
            return _text(column).startswith(_one(value))
        case "ENDS_WITH":
            return _text(column).endswith(_one(value))
        case "LESS_THAN":
            return column < literal(column, value)
        case "LESS_THAN_EQUAL":
            return column <= literal(column, value)
        case "GREATER_THAN":
            return column > literal(column, value)
        case "GREATER_THAN_EQUAL":
            return column >= literal(column, value)
        case "IS_MISSING":
            return is_missing(column)
        case _:
            # IS_INVALID: typed columns hold only valid values; what could not be read as its type is NULL already.
            return ibis.literal(False)


def is_missing(column: ir.Value) -> ir.BooleanValue:
    """Return whether a value is missing: NULL, or empty text (DataBrew shows both as missing)."""
    if column.type().is_string():
        return column.isnull() | (column == "")
    return column.isnull()


def literal(column: ir.Value, raw: Any) -> ir.Value:
    """Return a value written in a recipe as a literal of the column's type; raises ValueFault."""
    kind = column.type()
    text = _one(raw)
    try:
        if kind.is_integer():
            number = float(text)
            return ibis.literal(int(text) if _is_integer(text) else number)
        if kind.is_numeric():
            return ibis.literal(float(text))
        if kind.is_boolean():
            if text.lower() not in ("true", "false", "yes", "no"):
                raise ValueError(text)
            return ibis.literal(text.lower() in ("true", "yes"))
        if kind.is_date() or kind.is_timestamp():
            return ibis.literal(text, type=kind)
    except (ValueError, TypeError) as error:
        raise ValueFault(f"found {text!r}, allowed is a value of type {kind}") from error
    return ibis.literal(text)


def _is_integer(text: str) -> bool:
    stripped = text.strip()
    return stripped.lstrip("+-").isdigit()


def _text(column: ir.Value) -> ir.StringValue:
    return column if column.type().is_string() else column.cast("string")


def _one(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return json.dumps(value)
    if isinstance(value, str):
        return value
    raise ValueFault(f"found {value!r}, allowed is one value")


def _several(value: Any) -> Sequence[Any]:
    """Read IS's value: DataBrew writes a JSON list inside text; one plain value is taken as that value."""
    if isinstance(value, list):
        return value
    if isinstance(value, str) and value.lstrip().startswith("["):
        try:
            decoded = json.loads(value)
        except ValueError:
            return [value]
        if isinstance(decoded, list):
            return decoded
    return [value]


def _bounds(value: Any) -> tuple[Any, Any]:
    """Read IS_BETWEEN's value: {"GREATER_THAN_EQUAL": low, "LESS_THAN_EQUAL": high}, plain or inside text."""
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except ValueError:
            raise ValueFault(f"found {value!r}, allowed is GREATER_THAN_EQUAL and LESS_THAN_EQUAL in JSON") from None
    if isinstance(value, dict) and {"GREATER_THAN_EQUAL", "LESS_THAN_EQUAL"} <= set(value):
        return value["GREATER_THAN_EQUAL"], value["LESS_THAN_EQUAL"]
    raise ValueFault(f"found {value!r}, allowed is GREATER_THAN_EQUAL and LESS_THAN_EQUAL")
