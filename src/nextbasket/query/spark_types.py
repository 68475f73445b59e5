"""Types between Spark and Arrow."""

import re

import pyarrow as pa

from nextbasket.errors import QueryError

_TO_SPARK: dict[pa.DataType, str] = {
    pa.bool_(): "BOOLEAN",
    pa.int8(): "TINYINT",
    pa.int16(): "SMALLINT",
    pa.int32(): "INT",
    pa.int64(): "BIGINT",
    pa.float32(): "FLOAT",
    pa.float64(): "DOUBLE",
    pa.string(): "STRING",
    pa.large_string(): "STRING",
    pa.binary(): "BINARY",
    pa.date32(): "DATE",
}
_FROM_SPARK: dict[str, pa.DataType] = {
    "boolean": pa.bool_(),
    "tinyint": pa.int8(),
    "smallint": pa.int16(),
    "int": pa.int32(),
    "bigint": pa.int64(),
    "float": pa.float32(),
    "double": pa.float64(),
    "string": pa.string(),
    "binary": pa.binary(),
    "date": pa.date32(),
    "timestamp": pa.timestamp("us"),
    "timestamp_ntz": pa.timestamp("us"),
    # A bare NULL has no type of its own: Athena writes such a column as text.
    "void": pa.string(),
}


def spark_type(arrow: pa.DataType) -> str:
    """Return Spark's type text of an Arrow type; raises QueryError for one that Spark does not have."""
    if arrow in _TO_SPARK:
        return _TO_SPARK[arrow]
    if pa.types.is_timestamp(arrow):
        return "TIMESTAMP"
    if pa.types.is_decimal(arrow):
        return f"DECIMAL({arrow.precision},{arrow.scale})"
    if pa.types.is_list(arrow) or pa.types.is_large_list(arrow):
        return f"ARRAY<{spark_type(arrow.value_type)}>"
    if pa.types.is_map(arrow):
        return f"MAP<{spark_type(arrow.key_type)},{spark_type(arrow.item_type)}>"
    if pa.types.is_struct(arrow):
        return f"STRUCT<{','.join(f'`{field.name}`:{spark_type(field.type)}' for field in arrow)}>"
    raise QueryError(f"Spark has no type for Arrow's {arrow}.")


def arrow_type(text: str) -> pa.DataType:
    """Return the Arrow type of Spark's ``simpleString``; raises QueryError for one without."""
    if text in _FROM_SPARK:
        return _FROM_SPARK[text]
    if decimal := re.fullmatch(r"decimal\((\d+),(\d+)\)", text):
        return pa.decimal128(int(decimal[1]), int(decimal[2]))
    nested = re.fullmatch(r"(array|map|struct)<(.*)>", text)
    if nested is None:
        raise QueryError(f"Spark's type {text} cannot leave the engine: CAST it to a plain type.")
    inside = _parts(nested[2])
    if nested[1] == "array":
        return pa.list_(pa.field("element", arrow_type(inside[0])))
    if nested[1] == "map":
        return pa.map_(arrow_type(inside[0]), arrow_type(inside[1]))
    fields = [part.partition(":") for part in inside]
    return pa.struct([pa.field(name, arrow_type(kind)) for name, _, kind in fields])


def _parts(text: str) -> list[str]:
    """Cut at the commas outside of every < > and ( )."""
    parts = [""]
    depth = 0
    for letter in text:
        depth += (letter in "<(") - (letter in ">)")
        if letter == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += letter
    return parts
