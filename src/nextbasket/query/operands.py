"""What types a statement's operands have: engines divide, cast and count days differently by type.

The types are sqlglot's, computed from the tables' schemas without running anything. Where they stay unknown the
statement is refused or left to the engine, never guessed.
"""

from collections.abc import Mapping
from typing import Any

import pyarrow as pa
from sqlglot import exp
from sqlglot.dialects.trino import Trino
from sqlglot.errors import SqlglotError
from sqlglot.optimizer.annotate_types import TypeAnnotator
from sqlglot.optimizer.qualify import qualify
from sqlglot.schema import MappingSchema

from nextbasket.catalog.base import Scan
from nextbasket.query.functions import FORMS

INTEGER, FLOATING, DECIMAL, DATE, TIMESTAMP, TEXT, ARRAY, MAP, ROW, OTHER, UNKNOWN = (
    "integer", "floating", "decimal", "date", "timestamp", "text", "array", "map", "row", "other", "unknown"
)  # fmt: skip

_TAG = "operand"
_TYPES = "operand_types"
_JUDGED = (
    exp.Div, exp.Mod, exp.Cast, exp.DateAdd, exp.DateTrunc, exp.TimestampTrunc, exp.Add, exp.Sub, exp.Ceil, exp.Floor,
    exp.Round, exp.Avg, exp.Sum, exp.Bracket, exp.Anonymous, exp.EQ, exp.NEQ, exp.GT, exp.GTE, exp.LT, exp.LTE,
    exp.Unnest, exp.DPipe, exp.In, exp.Between, exp.ConcatWs,
)  # fmt: skip

_KINDS: dict[exp.DType, str] = {
    **dict.fromkeys((exp.DType.TINYINT, exp.DType.SMALLINT, exp.DType.INT, exp.DType.BIGINT), INTEGER),
    **dict.fromkeys((exp.DType.FLOAT, exp.DType.DOUBLE), FLOATING),
    exp.DType.DECIMAL: DECIMAL,
    exp.DType.DATE: DATE,
    exp.DType.TIMESTAMP: TIMESTAMP,
    exp.DType.VARCHAR: TEXT,
    exp.DType.TEXT: TEXT,
    exp.DType.ARRAY: ARRAY,
    exp.DType.MAP: MAP,
    exp.DType.STRUCT: ROW,
    exp.DType.UNKNOWN: UNKNOWN,
    exp.DType.NULL: UNKNOWN,
}


def annotate(tree: exp.Expr, scans: Mapping[str, Scan]) -> None:
    """Note the operand types on the nodes of a normalised tree whose tables are all ``database.table``."""
    judged = [node for node in tree.walk() if isinstance(node, _JUDGED)]
    if not judged:
        return
    for place, node in enumerate(judged):
        node.meta[_TAG] = place
    schema = MappingSchema(_nested(scans), dialect="trino")
    try:
        copy = qualify(tree.copy(), schema=schema, dialect="trino", validate_qualify_columns=False, identify=False)
        copy = _Types(schema=schema, expression_metadata=_METADATA).annotate(copy)
    except SqlglotError:
        # A column that is not there, or is in two tables: the engine says so better, with the types unknown.
        return
    found = {node.meta[_TAG]: node for node in copy.walk() if _TAG in node.meta}
    for place, node in enumerate(judged):
        typed = found.get(place)
        if typed is not None:
            node.meta[_TYPES] = tuple(_type(operand) for operand in _operands(typed))


def types(node: exp.Expr) -> tuple[exp.DataType | None, ...]:
    """Return the types of a node's operands in their order; None where one is not known."""
    found: tuple[exp.DataType | None, ...] = node.meta.get(_TYPES, ())
    return found


def all_kinds(node: exp.Expr) -> list[str]:
    """Return the kinds of all of a node's operands."""
    return [_kind(found) for found in types(node)]


def kinds(node: exp.Expr) -> tuple[str, str]:
    """Return the kinds of a node's first two operands (UNKNOWN where it has fewer)."""
    first, second = (*(_kind(found) for found in types(node)), UNKNOWN, UNKNOWN)[:2]
    return first, second


def _operands(node: exp.Expr) -> list[object]:
    if isinstance(node, exp.Anonymous | exp.Unnest | exp.ConcatWs):
        return list(node.expressions)
    if isinstance(node, exp.Between):
        return [node.this, node.args["low"], node.args["high"]]
    if isinstance(node, exp.Bracket | exp.In):
        return [node.this, *node.expressions]
    return [node.this, node.args.get("expression")]


def _type(node: object) -> exp.DataType | None:
    if not isinstance(node, exp.Expr):
        return None
    found = node.type
    return None if found is None or found.this in (exp.DType.UNKNOWN, exp.DType.NULL) else found


def _kind(found: exp.DataType | None) -> str:
    if found is None or not isinstance(found.this, exp.DType):
        return UNKNOWN
    return _KINDS.get(found.this, OTHER)


def decimal(found: exp.DataType | None) -> tuple[int, int] | None:
    """Return a decimal type's precision and scale; None for other types and where they are not known."""
    if found is None or found.this is not exp.DType.DECIMAL or len(found.expressions) != 2:
        return None
    precision, scale = (int(part.this.name) for part in found.expressions)
    return precision, scale


def _of_call(annotator: Any, node: exp.Expr) -> None:
    """Give a call that sqlglot does not know the type its form says."""
    name, given = node.name.lower(), node.expressions
    form = next((form for form in FORMS.get(name, ()) if form.takes(len(given))), None)
    returns = form.returns if form is not None else ""
    result: exp.DataType | None = None
    if returns.startswith("="):
        result = given[int(returns[1:]) - 1].type
    elif returns.startswith("["):
        inside = given[int(returns[1:-1]) - 1].type
        if inside is not None and inside.this is not exp.DType.UNKNOWN:
            result = exp.DataType(this=exp.DType.ARRAY, expressions=[inside.copy()], nested=True)
    elif returns.endswith("[]"):
        outer = given[int(returns[:-2]) - 1].type
        if outer is not None and outer.expressions and outer.this in (exp.DType.ARRAY, exp.DType.MAP):
            result = outer.expressions[-1]
    elif returns:
        result = exp.DataType.build(returns, dialect="trino")
    annotator._set_type(node, result if result is not None else exp.DType.UNKNOWN)


def _of_literal(annotator: Any, node: exp.Expr) -> None:
    """Give a number its type: Athena reads 0.5 as a DECIMAL and 5e-1 as a DOUBLE."""
    annotator._annotate_literal(node)
    if node.is_string or "." not in node.name or "e" in node.name.lower():
        return
    whole, _, fraction = node.name.partition(".")
    digits = max(len(whole.lstrip("0")) + len(fraction), 1)
    annotator._set_type(node, exp.DataType.build(f"decimal({digits}, {len(fraction)})", dialect="trino"))


def _of_arithmetic(annotator: Any, node: exp.Expr) -> None:
    """Give an operation with decimals its type: sqlglot takes the first operand's digits for the result's."""
    annotator._annotate_binary(node)
    found = [side.type for side in (node.this, node.expression) if side.type is not None]
    kinds = [_kind(side) for side in found]
    if FLOATING in kinds and DECIMAL in kinds:
        annotator._set_type(node, exp.DType.DOUBLE)
    elif DECIMAL in kinds:
        annotator._set_type(node, exp.DType.DECIMAL)


class _Types(TypeAnnotator):
    """sqlglot's types, but for decimals beside other numbers."""

    def _maybe_coerce(
        self, type1: exp.DataType | exp.DType, type2: exp.DataType | exp.DType
    ) -> exp.DataType | exp.DType:
        found = [kind if isinstance(kind, exp.DataType) else kind.into_expr() for kind in (type1, type2)]
        kinds = {_kind(kind) for kind in found}
        if DECIMAL not in kinds:
            return super()._maybe_coerce(type1, type2)
        if FLOATING in kinds:
            return exp.DType.DOUBLE
        if UNKNOWN in kinds:
            typed = next(kind for kind in found if _kind(kind) == DECIMAL)
            return typed if exp.DType.NULL in {kind.this for kind in found} else exp.DType.UNKNOWN
        one, other = (decimal(kind) for kind in found)
        if one is None or other is None:
            return exp.DType.DECIMAL
        scale = max(one[1], other[1])
        digits = max(one[0] - one[1], other[0] - other[1]) + scale
        return exp.DataType.build(f"decimal({min(digits, 38)}, {scale})", dialect="trino")


_METADATA: dict[type[exp.Expr], Any] = {
    **Trino().EXPRESSION_METADATA,
    exp.Anonymous: {"annotator": _of_call},
    exp.Literal: {"annotator": _of_literal},
    **{kind: {"annotator": _of_arithmetic} for kind in (exp.Add, exp.Sub, exp.Mul, exp.Div)},
}


def _nested(scans: Mapping[str, Scan]) -> dict[str, object]:
    nested: dict[str, dict[str, object]] = {}
    for key, scan in scans.items():
        database, _, table = key.rpartition(".")
        columns = {field.name.lower(): _trino(field.type) for field in scan.schema}
        nested.setdefault(database or "main", {})[table] = columns
    return dict(nested)


def _trino(arrow: pa.DataType) -> str:
    if pa.types.is_integer(arrow):
        return "bigint" if arrow.bit_width == 64 else "integer"
    if pa.types.is_floating(arrow):
        return "double"
    if pa.types.is_decimal(arrow):
        return f"decimal({arrow.precision}, {arrow.scale})"
    if pa.types.is_date(arrow):
        return "date"
    if pa.types.is_timestamp(arrow):
        return "timestamp"
    if pa.types.is_boolean(arrow):
        return "boolean"
    if pa.types.is_string(arrow) or pa.types.is_large_string(arrow):
        return "varchar"
    if pa.types.is_binary(arrow) or pa.types.is_large_binary(arrow):
        return "varbinary"
    if pa.types.is_list(arrow) or pa.types.is_large_list(arrow):
        return f"array({_trino(arrow.value_type)})"
    if pa.types.is_map(arrow):
        return f"map({_trino(arrow.key_type)}, {_trino(arrow.item_type)})"
    if pa.types.is_struct(arrow):
        return f"row({', '.join(f'{_name(field.name)} {_trino(field.type)}' for field in arrow)})"
    return "unknown"


def _name(name: str) -> str:
    return str(exp.to_identifier(name, quoted=True).sql(dialect="trino"))
