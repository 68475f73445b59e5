"""The narrowest type that holds the values of several: what a column is whose files do not agree."""

from collections.abc import Sequence
from functools import reduce
from typing import Any

import pyarrow as pa

from nextbasket.catalog.types import to_arrow, to_text

_INTEGERS = (pa.int8(), pa.int16(), pa.int32(), pa.int64())
_DIGITS = {pa.int8(): 3, pa.int16(): 5, pa.int32(): 10, pa.int64(): 19}


def common_type(types: Sequence[str]) -> str:
    """Return the narrowest type that holds values of all these types; ``""`` stands for a column without values.

    >>> common_type(["bigint", "", "double"])
    'double'
    >>> common_type(["struct<a:bigint>", "struct<b:array<string>>"])
    'struct<a:bigint,b:array<string>>'
    """
    found = dict.fromkeys(kind for kind in types if kind)
    if len(found) <= 1:
        return next(iter(found), "string")
    return to_text(reduce(wider, (to_arrow(kind) for kind in found)))


def wider(one: pa.DataType, other: pa.DataType) -> pa.DataType:
    """Return the narrowest type that holds values of both; text where nothing else does. Null is a type of no value."""
    if one == other or pa.types.is_null(other):
        return one
    if pa.types.is_null(one):
        return other
    if one in _INTEGERS and other in _INTEGERS:
        return max(one, other, key=_INTEGERS.index)
    if _is_number(one) and _is_number(other):
        return _wider_number(one, other)
    if {one, other} == {pa.date32(), pa.timestamp("us")}:
        return pa.timestamp("us")
    if pa.types.is_list(one) and pa.types.is_list(other):
        return pa.list_(pa.field("element", wider(one.value_type, other.value_type)))
    if pa.types.is_map(one) and pa.types.is_map(other):
        return pa.map_(wider(one.key_type, other.key_type), wider(one.item_type, other.item_type))
    if pa.types.is_struct(one) and pa.types.is_struct(other):
        return _wider_struct(one, other)
    return pa.string()


def _is_number(kind: pa.DataType) -> bool:
    return bool(kind in _INTEGERS or pa.types.is_floating(kind) or pa.types.is_decimal(kind))


def _wider_number(one: pa.DataType, other: pa.DataType) -> pa.DataType:
    if pa.types.is_floating(one) or pa.types.is_floating(other):
        return pa.float32() if {one, other} <= {pa.float32(), pa.int8(), pa.int16()} else pa.float64()
    (before_one, behind_one), (before_other, behind_other) = _places(one), _places(other)
    before, behind = max(before_one, before_other), max(behind_one, behind_other)
    return pa.decimal128(before + behind, behind) if before + behind <= 38 else pa.float64()


def _places(kind: Any) -> tuple[int, int]:
    """Return the digits before and behind the point."""
    return (_DIGITS[kind], 0) if kind in _INTEGERS else (kind.precision - kind.scale, kind.scale)


def _wider_struct(one: pa.StructType, other: pa.StructType) -> pa.DataType:
    kinds = {field.name: field.type for field in one}
    for field in other:
        kinds[field.name] = wider(kinds[field.name], field.type) if field.name in kinds else field.type
    return pa.struct([pa.field(name, kind) for name, kind in kinds.items()])
