"""JSON lines: which columns and types they have, and their records, none of them lost.

One line is one record, a JSON object. A document that is an array of objects, or objects written over several lines,
is taken apart into such lines first. Nested objects are structs and arrays are arrays, as Glue has them; texts stay
texts, also where they look like a date.
"""

import io
import json
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO, cast

import numpy as np
import pyarrow as pa
import pyarrow.json as pa_json

from nextbasket.catalog.types import to_text
from nextbasket.errors import InputError
from nextbasket.ingest.encoding import decoder, detect
from nextbasket.ingest.records import LINE, LONGEST_LINE, RAW, REASON
from nextbasket.ingest.widen import wider

CHUNK_BYTES = 1 << 20
NO_OBJECT = "the line is no JSON object"

_LARGEST_DOCUMENT = 256 << 20
_MOST_FIELDS = 500
_FIELD = re.compile(r"[A-Za-z_]\w*", re.ASCII)
_INT64 = range(-(2**63), 2**63)


@dataclass(frozen=True, slots=True)
class JsonShape:
    """The keys of a file's objects in the order they come, and their types; ``""`` where there was no value.

    ``lines``: each line is an object of its own; else the file is one document that must be taken apart.
    """

    keys: tuple[str, ...]
    types: tuple[str, ...]
    encoding: str = "utf-8"
    bom: int = 0
    lines: bool = True


def sniff_json(
    stream: BinaryIO, head_bytes: int, name: str, pieces: Callable[[int], Sequence[bytes]] = lambda _: ()
) -> JsonShape:
    """Look at the beginning of a JSON file, and at the ``pieces`` behind so many bytes of one of JSON lines.

    Raises InputError for a file that holds no objects.
    """
    head = stream.read(head_bytes)
    encoding, bom = detect(head)
    more = stream.read(1)
    text = decoder(encoding)(head[bom:], not more)
    lines = text.split("\n")
    if more and len(lines) > 1:
        lines = lines[:-1]
    objects = [found for line in lines if line.strip() and isinstance(found := _parsed(line), dict)]
    as_lines = bool(objects) and isinstance(_parsed(next(line for line in lines if line.strip())), dict)
    if not as_lines:
        if not text.strip():
            return JsonShape((), (), encoding, bom)
        rest = (head + more + stream.read(_LARGEST_DOCUMENT - len(head)))[bom:]
        objects = list(_documents(decoder(encoding)(rest, True), name))
    elif more:
        further = [piece.split(b"\n")[1:-1] for piece in pieces(len(head)) if encoding == "utf-8"]
        lines = [line.decode(errors="replace") for piece in further for line in piece]
        objects += [found for line in lines if isinstance(found := _parsed(line), dict)]
    kinds: dict[str, pa.DataType] = {}
    for found in objects:
        for key, value in found.items():
            kinds[key] = wider(kinds.get(key, pa.null()), _kind(value))
    types = tuple("" if pa.types.is_null(kind) else to_text(_filled(kind)) for kind in kinds.values())
    return JsonShape(tuple(kinds), types, encoding, bom, as_lines)


def open_lines(stream: BinaryIO, shape: JsonShape, name: str) -> BinaryIO:
    """Return the stream as one object a line, in UTF-8; ``stream`` stands at its beginning."""
    stream.read(shape.bom)
    if shape.lines and shape.encoding == "utf-8":
        return stream
    with stream:
        # Not written for streaming: such a document is read as a whole.
        whole = stream.read(_LARGEST_DOCUMENT + 1)
    if len(whole) > _LARGEST_DOCUMENT:
        raise InputError(
            f"{name} is one JSON document of more than {_LARGEST_DOCUMENT >> 20} MB: write it as one object a line."
        )
    text = decoder(shape.encoding)(whole, True)
    if shape.lines:
        return io.BytesIO(text.encode())
    written = (json.dumps(found, ensure_ascii=False) for found in _documents(text, name))
    return io.BytesIO("".join(line + "\n" for line in written).encode(errors="replace"))


def _documents(text: str, name: str) -> Iterator[dict[str, Any]]:
    reader = json.JSONDecoder()
    at = _behind_space(text, 0)
    while at < len(text):
        try:
            found, at = reader.raw_decode(text, at)
        except ValueError as error:
            line = text.count("\n", 0, error.pos if isinstance(error, json.JSONDecodeError) else at) + 1
            raise InputError(
                f"{name} is no JSON from line {line} on ({error.args[0]}); delete it there and land it corrected."
            ) from error
        for one in found if isinstance(found, list) else [found]:
            if not isinstance(one, dict):
                raise InputError(
                    f"{name} holds {json.dumps(one)[:40]} where a JSON object is expected: a table is a list of "
                    "objects; delete it there and land it in that form."
                )
            yield one
        at = _behind_space(text, at)


def _behind_space(text: str, at: int) -> int:
    while at < len(text) and text[at] in " \t\r\n":
        at += 1
    return at


def _parsed(line: str) -> Any:
    try:
        return json.loads(line)
    except ValueError:
        return None


def _kind(value: Any) -> pa.DataType:
    if value is None:
        return pa.null()
    if isinstance(value, bool):
        return pa.bool_()
    if isinstance(value, int):
        return pa.int64() if value in _INT64 else pa.string()
    if isinstance(value, float):
        return pa.float64()
    if isinstance(value, list):
        inner: pa.DataType = pa.null()
        for item in value:
            inner = wider(inner, _kind(item))
        return pa.list_(pa.field("element", inner))
    if isinstance(value, dict):
        # Athena's names are letters, digits and _ without case: other objects are kept as their text.
        plain = all(_FIELD.fullmatch(key) for key in value) and len({key.lower() for key in value}) == len(value)
        if value and plain and len(value) <= _MOST_FIELDS:
            return pa.struct([pa.field(key, _kind(item)) for key, item in value.items()])
    return pa.string()


def _filled(kind: Any) -> pa.DataType:
    """Give a type to what never had a value."""
    if pa.types.is_null(kind):
        return pa.string()
    if pa.types.is_list(kind):
        return pa.list_(pa.field("element", _filled(kind.value_type)))
    if pa.types.is_struct(kind):
        return pa.struct([pa.field(field.name, _filled(field.type)) for field in kind])
    return cast(pa.DataType, kind)


class JsonReader:
    """Cuts a stream of JSON lines into records.

    ``columns`` gives key, name and type of the columns to keep. Iterating gives Arrow tables with ``src_line``,
    ``src_raw``, ``src_reason`` and those columns; a record with a reason has no values. With ``texts`` the columns
    are texts, and a value of another type is no fault. ``records`` and ``blank`` count what was read so far.
    """

    def __init__(
        self, stream: BinaryIO, columns: Sequence[tuple[str, str, pa.DataType]], *, texts: bool = False
    ) -> None:
        self._stream = stream
        self._columns = tuple(columns)
        self._texts = texts
        self._line = 1
        self.records = 0
        self.blank = 0
        # A key that only differs from another's name must not be read twice.
        self._wanted = pa.schema([(key, kind) for key, _, kind in columns])
        known: list[tuple[str, pa.DataType]] = [(LINE, pa.int64()), (RAW, pa.string()), (REASON, pa.string())]
        self.schema = pa.schema(known + [(name, pa.string() if texts else kind) for _, name, kind in columns])

    def __iter__(self) -> Iterator[pa.Table]:
        carry = b""
        while True:
            block = self._stream.read(CHUNK_BYTES)
            buffer = carry + block
            cut = buffer.rfind(b"\n") + 1 if block else len(buffer)
            if block and not cut and len(buffer) > LONGEST_LINE:
                raise InputError(f"line {self._line} is longer than {LONGEST_LINE:,} bytes; write it as shorter lines.")
            text, carry = buffer[:cut], buffer[cut:]
            if text:
                yield self._chunk(text)
            if not block:
                return

    def _chunk(self, text: bytes) -> pa.Table:
        lines = [line.strip() for line in text.split(b"\n")]
        if text.endswith(b"\n"):
            del lines[-1]
        numbered = [(self._line + index, line) for index, line in enumerate(lines) if line]
        self._line += len(lines)
        self.blank += len(lines) - len(numbered)
        self.records += len(numbered)
        if not numbered:
            return self.schema.empty_table()
        return self._quickly(numbered) or self._one_by_one(numbered)

    def _quickly(self, numbered: Sequence[tuple[int, bytes]]) -> pa.Table | None:
        # Each line begins and ends an object, and there are as many objects as lines: so each line is one.
        if not all(line.startswith(b"{") and line.endswith(b"}") for _, line in numbered):
            return None
        text = b"\n".join(line for _, line in numbered) + b"\n"
        try:
            table = pa_json.read_json(
                io.BytesIO(text),
                read_options=pa_json.ReadOptions(use_threads=False, block_size=len(text) + 1),
                parse_options=pa_json.ParseOptions(
                    explicit_schema=self._wanted, unexpected_field_behavior="ignore", newlines_in_values=False
                ),
            )
            raw = pa.array([line for _, line in numbered], pa.binary()).cast(pa.string())
        except (pa.ArrowInvalid, UnicodeDecodeError):
            return None
        if table.num_rows != len(numbered):
            return None
        found: list[Any] = [
            pa.array(np.fromiter((line for line, _ in numbered), np.int64, len(numbered))),
            raw,
            pa.nulls(len(numbered), pa.string()),
        ]
        for index, (_, _, kind) in enumerate(self._columns):
            column = table.column(index)
            if self._texts and not pa.types.is_string(kind):
                column = pa.chunked_array([pa.array([_as_text(one) for one in column.to_pylist()], pa.string())])
            found.append(column)
        return pa.table(found, schema=self.schema)

    def _one_by_one(self, numbered: Sequence[tuple[int, bytes]]) -> pa.Table:
        reasons: list[str | None] = []
        values: list[list[Any]] = [[] for _ in self._columns]
        for _, line in numbered:
            fields, reason = self._record(line)
            reasons.append(reason)
            for column, value in zip(values, fields, strict=True):
                column.append(value)
        raws = [line.decode(errors="backslashreplace") for _, line in numbered]
        kinds = [self.schema.field(name).type for _, name, _ in self._columns]
        columns: list[Any] = [
            pa.array([line for line, _ in numbered], pa.int64()),
            pa.array(raws, pa.string()),
            pa.array(reasons, pa.string()),
            *(pa.array(column, kind) for column, kind in zip(values, kinds, strict=True)),
        ]
        return pa.table(columns, schema=self.schema)

    def _record(self, line: bytes) -> tuple[list[Any], str | None]:
        nothing: list[Any] = [None] * len(self._columns)
        try:
            found = json.loads(line.decode())
        except UnicodeDecodeError:
            return nothing, "the line is not UTF-8"
        except ValueError:
            return nothing, NO_OBJECT
        if not isinstance(found, dict):
            return nothing, NO_OBJECT
        fields: list[Any] = []
        for key, name, kind in self._columns:
            value = found.get(key)
            if self._texts:
                fields.append(_as_text(value))
                continue
            try:
                fields.append(_as_kind(value, kind))
            except (ValueError, OverflowError):
                shown = json.dumps(value, ensure_ascii=False)[:80]
                return nothing, f"{shown} is no {to_text(kind)}, the type of column {name}"
        return fields, None


def _as_text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value or None
    if isinstance(value, bool):
        return str(int(value))
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)
    return json.dumps(value, ensure_ascii=False)


def _as_kind(value: Any, kind: Any) -> Any:
    """Return a JSON value as one of an Arrow type; raises ValueError where it is none."""
    if value is None:
        return None
    if pa.types.is_string(kind):
        return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    if pa.types.is_boolean(kind) and isinstance(value, bool):
        return value
    if pa.types.is_list(kind) and isinstance(value, list):
        return [_as_kind(item, kind.value_type) for item in value]
    if pa.types.is_struct(kind) and isinstance(value, dict):
        return {field.name: _as_kind(value.get(field.name), field.type) for field in kind}
    if isinstance(value, int | float) and not isinstance(value, bool):
        if pa.types.is_floating(kind):
            return float(value)
        if pa.types.is_integer(kind) and value == int(value) and int(value) in _INT64:
            return int(value)
    raise ValueError(value)
