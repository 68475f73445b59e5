"""How a result is shown or exported: aligned text, CSV (RFC 4180) or an array of JSON objects, batch by batch."""

import csv
import json
from collections.abc import Iterable, Iterator
from enum import StrEnum
from typing import Any, TextIO

import pyarrow as pa
import pyarrow.compute as pc


class Format(StrEnum):
    """A text form of a result."""

    TABLE = "table"
    CSV = "csv"
    JSON = "json"


def write_text(schema: pa.Schema, batches: Iterable[pa.RecordBatch], format: Format, stream: TextIO) -> int:
    """Write a result as text and return its rows; only ``table`` holds the rows in memory, to align them.

    Open a CSV file with ``newline=""``: its lines end in CR LF.
    """
    if format is Format.CSV:
        return _write_csv(schema, batches, stream)
    if format is Format.JSON:
        return _write_json(schema, batches, stream)
    return _write_table(schema, batches, stream)


def _write_csv(schema: pa.Schema, batches: Iterable[pa.RecordBatch], stream: TextIO) -> int:
    # A null is an empty field and an empty text is "": a reader can tell them apart, as in Athena's own CSV.
    plain = csv.writer(stream)
    plain.writerow(schema.names)
    written = 0
    for batch in batches:
        for row in _rows(batch):
            stream.write(",".join(_csv_field(value) for value in row) + "\r\n")
        written += batch.num_rows
    return written


def _csv_field(value: Any) -> str:
    if value is None:
        return ""
    text = value if isinstance(value, str) else _shown(value)
    if text == "" or any(mark in text for mark in ',"\r\n') or text != text.strip():
        return '"' + text.replace('"', '""') + '"'
    return text


def _write_json(schema: pa.Schema, batches: Iterable[pa.RecordBatch], stream: TextIO) -> int:
    written = 0
    stream.write("[")
    for batch in batches:
        for row in _rows(batch):
            stream.write("\n" if written == 0 else ",\n")
            pairs = {name: _json_value(value) for name, value in zip(schema.names, row, strict=True)}
            stream.write(json.dumps(pairs, ensure_ascii=False, allow_nan=False))
            written += 1
    stream.write("\n]\n" if written else "]\n")
    return written


def _json_value(value: Any) -> Any:
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        # JSON has no NaN and no infinity: they are told apart from null by their names.
        return value if value == value and abs(value) != float("inf") else _shown(value)
    if isinstance(value, list):
        return [_json_value(item) for item in value]
    if isinstance(value, dict):
        return {str(key): _json_value(item) for key, item in value.items()}
    return _shown(value)


def _write_table(schema: pa.Schema, batches: Iterable[pa.RecordBatch], stream: TextIO) -> int:
    rows = [[_cell(value) for value in row] for batch in batches for row in _rows(batch)]
    widths = [max([len(name), *(len(row[index]) for row in rows)]) for index, name in enumerate(schema.names)]
    right = [_is_number(field.type) for field in schema]
    for line in (list(schema.names), ["-" * width for width in widths], *rows):
        cells = (
            text.rjust(width) if flush else text.ljust(width)
            for text, width, flush in zip(line, widths, right, strict=True)
        )
        stream.write("  ".join(cells).rstrip() + "\n")
    return len(rows)


def _cell(value: Any) -> str:
    if value is None:
        return "NULL"
    text = value if isinstance(value, str) else _shown(value)
    return text.replace("\\", "\\\\").replace("\n", "\\n").replace("\r", "\\r").replace("\t", "\\t")


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        if value != value:
            return "NaN"
        if abs(value) == float("inf"):
            return "Infinity" if value > 0 else "-Infinity"
        return repr(value)
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, list | dict):
        return json.dumps(_json_value(value), ensure_ascii=False)
    return str(value)


def _is_number(kind: pa.DataType) -> bool:
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind))


def _rows(batch: pa.RecordBatch) -> Iterator[tuple[Any, ...]]:
    """Yield rows of Python values; the work is done column by column."""
    columns = []
    for column in batch.columns:
        if pa.types.is_timestamp(column.type):
            column = pc.strftime(column, "%Y-%m-%d %H:%M:%S") if column.type.tz is None else column.cast(pa.string())
        elif pa.types.is_map(column.type):
            columns.append([None if item is None else dict(item) for item in column.to_pylist()])
            continue
        columns.append(column.to_pylist())
    if not columns:
        return iter([()] * batch.num_rows)
    return zip(*columns, strict=True)
