"""Files that carry their own types: Parquet, ORC, and Avro (extra ``formats``). Their columns and their rows."""

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.orc as pa_orc
import pyarrow.parquet as pq

from nextbasket.catalog.types import to_text
from nextbasket.errors import InputError, MissingExtraError

BATCH_ROWS = 65_536

_WHAT = {"parquet": "Parquet", "orc": "ORC", "avro": "Avro"}
_PLAIN_AVRO: dict[str, pa.DataType] = {
    "null": pa.null(),
    "boolean": pa.bool_(),
    "int": pa.int32(),
    "long": pa.int64(),
    "float": pa.float32(),
    "double": pa.float64(),
    "bytes": pa.binary(),
    "string": pa.string(),
    "fixed": pa.binary(),
    "enum": pa.string(),
}
_LOGICAL_AVRO: dict[str, pa.DataType] = {
    "date": pa.date32(),
    "timestamp-millis": pa.timestamp("us", "UTC"),
    "timestamp-micros": pa.timestamp("us", "UTC"),
    "local-timestamp-millis": pa.timestamp("us"),
    "local-timestamp-micros": pa.timestamp("us"),
    "uuid": pa.string(),
}


def schema_of(stream: BinaryIO, form: str, name: str) -> pa.Schema:
    """Return a file's columns in types that Athena has; raises InputError for a damaged file."""
    return pa.schema([(field.name, _athena_type(field.type)) for field in _own_schema(stream, form, name)])


def batches_of(stream: BinaryIO, form: str, name: str, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
    """Yield a file's rows, of these columns in this order, in the types of ``schema_of``."""
    try:
        if form == "parquet":
            found: Iterator[pa.RecordBatch] = pq.ParquetFile(stream).iter_batches(BATCH_ROWS, columns=list(columns))
        elif form == "orc":
            found = _stripes(stream, columns)
        else:
            found = _avro_batches(stream, name)
        for batch in found:
            arrays = [_as_athena(batch.column(column)) for column in columns]
            yield pa.RecordBatch.from_arrays(arrays, names=list(columns))
    except (pa.ArrowInvalid, OSError) as error:
        raise _damaged(form, name, error) from error


def _damaged(form: str, name: str, error: Exception) -> InputError:
    return InputError(f"{name} is not a whole {_WHAT[form]} file ({error}); delete it there and land it again.")


def _own_schema(stream: BinaryIO, form: str, name: str) -> pa.Schema:
    try:
        if form == "parquet":
            return pq.read_schema(stream)
        if form == "orc":
            return pa_orc.ORCFile(stream).schema
    except (pa.ArrowInvalid, OSError) as error:
        raise _damaged(form, name, error) from error
    return _avro_reader(stream, name)[1]


def _stripes(stream: BinaryIO, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
    file = pa_orc.ORCFile(stream)
    for number in range(file.nstripes):
        stripe = file.read_stripe(number, columns=list(columns))
        for start in range(0, stripe.num_rows, BATCH_ROWS):
            yield stripe.slice(start, BATCH_ROWS)


def _athena_type(kind: Any) -> pa.DataType:
    if pa.types.is_dictionary(kind):
        return _athena_type(kind.value_type)
    if pa.types.is_unsigned_integer(kind):
        # Athena has no types without sign: the next wider one holds all values.
        return {8: pa.int16(), 16: pa.int32(), 32: pa.int64()}.get(kind.bit_width, pa.decimal128(20, 0))
    if pa.types.is_float16(kind):
        return pa.float32()
    if pa.types.is_timestamp(kind):
        return pa.timestamp("us")
    if pa.types.is_date(kind):
        return pa.date32()
    if pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind):
        return pa.list_(pa.field("element", _athena_type(kind.value_type)))
    if pa.types.is_map(kind):
        return pa.map_(_athena_type(kind.key_type), _athena_type(kind.item_type))
    if pa.types.is_struct(kind):
        return pa.struct([pa.field(field.name, _athena_type(field.type)) for field in kind])
    if pa.types.is_fixed_size_binary(kind) or pa.types.is_large_binary(kind) or kind == pa.binary_view():
        return pa.binary()
    try:
        to_text(kind)
    except InputError:
        return pa.string()
    return pa.string() if kind in (pa.large_string(), pa.string_view()) else kind


def _as_athena(values: Any) -> Any:
    wanted = _athena_type(values.type)
    if values.type == wanted:
        return values
    if pa.types.is_dictionary(values.type):
        values = values.dictionary_decode()
    if pa.types.is_timestamp(values.type) and values.type.tz is not None:
        # Times are in UTC and have no zone.
        unit = values.type.unit
        return values.cast(pa.timestamp(unit, "UTC")).cast(pa.timestamp(unit)).cast(wanted, safe=False)
    # Beyond the microsecond nothing is kept, as in Athena.
    return values.cast(wanted, safe=not pa.types.is_timestamp(wanted))


def _avro_reader(stream: BinaryIO, name: str) -> tuple[Any, pa.Schema]:
    try:
        import fastavro
    except ImportError as error:
        raise MissingExtraError(f"reading the Avro file {name}", "formats") from error
    try:
        reader = fastavro.reader(stream)
        written: Any = reader.writer_schema
        if not isinstance(written, dict) or written.get("type") != "record":
            raise InputError(f"{name} holds no Avro records; a table is a file of records.")
        named: dict[str, pa.DataType] = {}
        fields = [(field["name"], _avro_type(field["type"], named)) for field in written["fields"]]
    except (ValueError, EOFError, KeyError, IndexError) as error:
        raise _damaged("avro", name, error) from error
    return reader, pa.schema(fields)


def _avro_batches(stream: BinaryIO, name: str) -> Iterator[pa.RecordBatch]:
    reader, schema = _avro_reader(stream, name)
    try:
        while rows := list(islice(reader, BATCH_ROWS)):
            arrays = [_avro_column([row[field.name] for row in rows], field.type) for field in schema]
            yield pa.RecordBatch.from_arrays(arrays, schema=schema)
    except (ValueError, EOFError, KeyError, IndexError) as error:
        raise _damaged("avro", name, error) from error


def _avro_column(values: list[Any], kind: pa.DataType) -> Any:
    if pa.types.is_string(kind):
        values = [value if value is None or isinstance(value, str) else str(value) for value in values]
    return pa.array(values, kind)


def _avro_type(schema: Any, named: dict[str, pa.DataType]) -> pa.DataType:
    """Return the Arrow type of an Avro schema; a choice between several types other than null is text."""
    if isinstance(schema, list):
        kinds = [_avro_type(one, named) for one in schema if one != "null"]
        return kinds[0] if len(kinds) == 1 else pa.string()
    if isinstance(schema, str):
        return named[schema] if schema in named else _PLAIN_AVRO[schema]
    logical = schema.get("logicalType")
    if logical in _LOGICAL_AVRO:
        return _LOGICAL_AVRO[logical]
    if logical == "decimal":
        return pa.decimal128(int(schema["precision"]), int(schema.get("scale", 0)))
    kind = schema["type"]
    if kind == "array":
        return pa.list_(pa.field("element", _avro_type(schema["items"], named)))
    if kind == "map":
        return pa.map_(pa.string(), _avro_type(schema["values"], named))
    if kind == "record":
        # A record inside itself has no end in Arrow: it is text there.
        named[schema["name"]] = pa.string()
        found: pa.DataType = pa.struct(
            [pa.field(field["name"], _avro_type(field["type"], named)) for field in schema["fields"]]
        )
    else:
        found = _avro_type(kind, named)
    if "name" in schema:
        named[schema["name"]] = found
    return found
