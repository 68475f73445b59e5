"""What types a statement's operands have: engines divide, cast and count days differently by type.

The types are sqlglot's, computed from the tables' schemas without running anything. Where they stay unknown the
statement is refused or left to the engine, never guessed.
"""

from collections.abc import Mapping

import pyarrow as pa
from sqlglot import exp
from sqlglot.errors import SqlglotError
from sqlglot.optimizer.annotate_types import annotate_types
from sqlglot.optimizer.qualify import qualify
from sqlglot.schema import MappingSchema

from nextbasket.catalog.base import Scan

INTEGER, FLOATING, DECIMAL, DATE, TIMESTAMP, OTHER, UNKNOWN = (
    "integer", "floating", "decimal", "date", "timestamp", "other", "unknown"
)  # fmt: skip

_TAG = "operand"
_TYPES = "operand_types"
_JUDGED = (exp.Div, exp.Cast, exp.DateAdd, exp.DateTrunc, exp.TimestampTrunc, exp.Add, exp.Sub, exp.Ceil, exp.Floor)

_KINDS: dict[exp.DType, str] = {
    **dict.fromkeys((exp.DType.TINYINT, exp.DType.SMALLINT, exp.DType.INT, exp.DType.BIGINT), INTEGER),
    **dict.fromkeys((exp.DType.FLOAT, exp.DType.DOUBLE), FLOATING),
    exp.DType.DECIMAL: DECIMAL,
    exp.DType.DATE: DATE,
    exp.DType.TIMESTAMP: TIMESTAMP,
    exp.DType.UNKNOWN: UNKNOWN,
    exp.DType.NULL: UNKNOWN,
}


def annotate(tree: exp.Expr, scans: Mapping[str, Scan]) -> None:
    """Note the operand types on the nodes of a normalised tree whose tables are all ``database.table``."""
    judged = [node for node in tree.walk() if isinstance(node, _JUDGED)]
    if not judged:
        return
    for number, node in enumerate(judged):
        node.meta[_TAG] = number
    schema = MappingSchema(_nested(scans), dialect="trino")
    try:
        copy = qualify(tree.copy(), schema=schema, dialect="trino", validate_qualify_columns=False, identify=False)
        copy = annotate_types(copy, schema=schema, dialect="trino")
    except SqlglotError:
        # A column that is not there, or is in two tables: the engine says so better, with the types unknown.
        return
    found = {node.meta[_TAG]: node for node in copy.walk() if _TAG in node.meta}
    for number, node in enumerate(judged):
        typed = found.get(number)
        if typed is not None:
            node.meta[_TYPES] = (_kind(typed.this), _kind(typed.args.get("expression")))


def kinds(node: exp.Expr) -> tuple[str, str]:
    """Return the kinds of a node's two operands (the second UNKNOWN where it has one)."""
    found = node.meta.get(_TYPES, (UNKNOWN, UNKNOWN))
    return (str(found[0]), str(found[1]))


def _kind(node: object) -> str:
    if not isinstance(node, exp.Expr):
        return UNKNOWN
    bare = node.unnest()
    while isinstance(bare, exp.Neg):
        bare = bare.this.unnest()
    # Athena reads 0.5 as a DECIMAL and 5e-1 as a DOUBLE.
    if isinstance(bare, exp.Literal) and not bare.is_string and "." in bare.name and "e" not in bare.name.lower():
        return DECIMAL
    kind = node.type.this if node.type is not None else None
    return _KINDS.get(kind, OTHER) if kind is not None else UNKNOWN


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
    return "unknown"
