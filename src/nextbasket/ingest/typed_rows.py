"""A landed file's columns, and its rows in the types of its table, whatever the file's form.

Nothing is left out and nothing is guessed: the first line that is no record, or value that is not of its column's
type, is an InputError with file and line.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from nextbasket.catalog.base import FileForm
from nextbasket.catalog.types import to_text
from nextbasket.errors import InputError
from nextbasket.ingest.jsonlines import JsonReader, JsonShape, open_lines, sniff_json
from nextbasket.ingest.landed import open_unpacked, open_utf8, pieces_of, shape_of
from nextbasket.ingest.records import LINE, REASON, RecordReader
from nextbasket.ingest.sniff import HEAD_BYTES, Known, TextShape, column_names
from nextbasket.ingest.typed_files import batches_of, schema_of
from nextbasket.ingest.values import PLAIN, Notation, UnreadableValueError, typed
from nextbasket.lake.base import FileRef, Lake

TEXT_FORMS = ("csv", "excel")
"""Forms whose values are texts, with columns that may have no names."""

HEADER_NAMES, IGNORED = "header.names", "ignored"
"""The reader's parameter, and its value, of files whose columns have other names than their header says."""

_JSON_TYPES = (pa.types.is_string, pa.types.is_boolean, pa.types.is_floating, pa.types.is_list, pa.types.is_struct)


def named_columns(lake: Lake, ref: FileRef, form: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the names and types of the columns of a ``json``, ``parquet``, ``avro`` or ``orc`` file as it has them.

    The type ``""`` means that no value tells. Raises InputError for a damaged file.
    """
    if form == "json":
        shape = json_shape(lake, ref)
        return shape.keys, shape.types
    with lake.open(ref) as stream:
        schema = schema_of(stream, form, f"landing/{ref.key}")
    return tuple(schema.names), tuple(to_text(field.type) for field in schema)


def json_shape(lake: Lake, ref: FileRef) -> JsonShape:
    """Sniff a landed JSON file."""
    with open_unpacked(lake, ref) as stream:
        return sniff_json(stream, HEAD_BYTES, f"landing/{ref.key}", lambda begin: pieces_of(stream, ref, begin))


def text_shape(lake: Lake, ref: FileRef, form: FileForm) -> TextShape:
    """Return how a text file is written, where its form says so by that; raises InputError when it has changed."""
    given = form.parameters
    known = Known(
        given.get("delimiter"),
        given.get("quote"),
        given.get("encoding"),
        given.get("skip.header.line.count", "0") != "0" if "skip.header.line.count" in given else None,
    )
    shape = shape_of(lake, ref, known)
    if shape.columns and len(shape.columns) != len(form.columns):
        raise InputError(
            f"landing/{ref.key} has {len(shape.columns)} columns where its table knows {len(form.columns)}: "
            "run nextbasket crawl again."
        )
    names = tuple(column_names(shape.columns))
    if shape.header and names and names != form.columns and given.get(HEADER_NAMES) != IGNORED:
        name, known_as = next(pair for pair in zip(names, form.columns, strict=True) if pair[0] != pair[1])
        raise InputError(
            f"landing/{ref.key} has the column {name} where its table knows {known_as}: run nextbasket crawl again."
        )
    return shape


def typed_rows(
    lake: Lake,
    ref: FileRef,
    form: FileForm,
    schema: pa.Schema,
    orders: Mapping[str, str],
    shape: TextShape | None = None,
) -> Iterator[pa.Table]:
    """Yield a file's rows as tables of ``schema``; columns that the file lacks are null.

    ``orders`` says what ``3/4/2026`` means (``mdy``, ``dmy``) in columns where the file itself does not tell;
    ``shape`` is a text file's ``text_shape`` where that is known.
    """
    if form.format in TEXT_FORMS:
        found = _text_rows(lake, ref, form, schema, orders, shape or text_shape(lake, ref, form))
    elif form.format == "json":
        found = _json_rows(lake, ref, schema)
    else:
        found = _typed_file_rows(lake, ref, form, schema)
    for columns, rows in found:
        yield pa.table(
            [columns.get(field.name, pa.nulls(rows, field.type)) for field in schema],
            schema=schema,
        )


_Columns = tuple[dict[str, Any], int]


def _text_rows(
    lake: Lake, ref: FileRef, form: FileForm, schema: pa.Schema, orders: Mapping[str, str], shape: TextShape
) -> Iterator[_Columns]:
    if not shape.columns:
        return
    known = set(schema.names)
    wanted = [(position, name) for position, name in enumerate(form.columns) if name in known]
    notations = {name: _with_order(shape.notations[position], orders.get(name, "?")) for position, name in wanted}
    with open_utf8(lake, ref, shape) as stream:
        reader = RecordReader(
            stream, shape.delimiter, shape.width, wanted, header=shape.header, quote=shape.quote, raw=False
        )
        for table in reader:
            _refuse_faults(table, ref)
            columns = {}
            for _, name in wanted:
                kind = schema.field(name).type
                columns[name] = _typed(table, name, kind, notations[name], ref)
            yield columns, table.num_rows


def _with_order(notation: Notation, order: str) -> Notation:
    return replace(notation, order=order) if notation.order == "?" else notation


def _json_rows(lake: Lake, ref: FileRef, schema: pa.Schema) -> Iterator[_Columns]:
    shape = json_shape(lake, ref)
    keys = dict(zip(column_names(shape.keys), shape.keys, strict=True))
    # What JSON has no type for (dates, decimals) is read as text first.
    wanted = [
        (keys.get(field.name, field.name), field.name, field.type if _in_json(field.type) else pa.string())
        for field in schema
    ]
    with open_lines(open_unpacked(lake, ref), shape, f"landing/{ref.key}") as stream:
        for table in JsonReader(stream, wanted):
            _refuse_faults(table, ref)
            columns = {
                field.name: table.column(field.name)
                if table.schema.field(field.name).type == field.type
                else _typed(table, field.name, field.type, PLAIN, ref)
                for field in schema
            }
            yield columns, table.num_rows


def _in_json(kind: pa.DataType) -> bool:
    return kind == pa.int64() or any(check(kind) for check in _JSON_TYPES)


def _typed_file_rows(lake: Lake, ref: FileRef, form: FileForm, schema: pa.Schema) -> Iterator[_Columns]:
    name = f"landing/{ref.key}"
    with lake.open(ref) as stream:
        own = schema_of(stream, form.format, name)
    columns = dict(zip(column_names(own.names), own.names, strict=True))
    known = set(schema.names)
    wanted = {column: real for column, real in columns.items() if column in known}
    row = 1
    with lake.open(ref) as stream:
        for batch in batches_of(stream, form.format, name, list(wanted.values())):
            found = {}
            for column, real in wanted.items():
                kind = schema.field(column).type
                try:
                    found[column] = cast_values(batch.column(real), kind)
                except (pa.ArrowInvalid, pa.ArrowNotImplementedError, UnreadableValueError) as error:
                    raise InputError(
                        f"{name} has a value in column {column}, in rows {row:,} to {row + batch.num_rows - 1:,}, that "
                        f"is no {to_text(kind)} ({error}): run nextbasket crawl again, or correct the file."
                    ) from error
            row += batch.num_rows
            yield found, batch.num_rows


def cast_values(values: Any, kind: pa.DataType) -> Any:
    """Return typed values as values of another type: nested ones become JSON as text; raises ArrowInvalid."""
    if values.type == kind:
        return values
    if pa.types.is_string(kind):
        return as_texts(values)
    if pa.types.is_string(values.type):
        return typed(values, to_text(kind))
    return values.cast(kind)


def as_texts(values: Any) -> Any:
    """Return values of any type as texts: truth values as ``true`` and ``false``, nested values as JSON."""
    if pa.types.is_nested(values.type):
        return pa.array(
            [None if one is None else json.dumps(one, ensure_ascii=False, default=str) for one in values.to_pylist()],
            pa.string(),
        )
    if pa.types.is_binary(values.type):
        return pa.array([None if one is None else one.hex() for one in values.to_pylist()], pa.string())
    return values.cast(pa.string())


def _typed(table: pa.Table, name: str, kind: pa.DataType, notation: Notation, ref: FileRef) -> Any:
    texts = table.column(name).combine_chunks()
    try:
        return typed(texts, to_text(kind), notation)
    except UnreadableValueError as error:
        line = table.column(LINE)[error.index].as_py()
        folder = ref.key.partition("/")[0]
        raise InputError(
            f"landing/{ref.key}, line {line}: {error.value!r} is no {to_text(kind)}, the type of column {name}"
            f"{error.why}; correct the line, delete the file there and land it again, or make the column a text with "
            f'crawler.tables.{folder}.types.{name} = "string" in nextbasket.toml.'
        ) from error


def _refuse_faults(table: pa.Table, ref: FileRef) -> None:
    reasons = table.column(REASON)
    if reasons.null_count == table.num_rows:
        return
    faulty = table.filter(pc.is_valid(reasons)).sort_by(LINE)
    line, reason = faulty.column(LINE)[0].as_py(), faulty.column(REASON)[0].as_py()
    raise InputError(
        f"landing/{ref.key}, line {line}: {reason}; correct the line, delete the file there and land it again."
    )
