"""Athena's type texts to Arrow types and back.

====================================  =====================================
Athena                                Arrow
====================================  =====================================
boolean                               bool
tinyint, smallint, int, bigint        int8, int16, int32, int64
float (real), double                  float32, float64
decimal(p,s)                          decimal128(p, s), p at most 38
string, varchar, varchar(n), char(n)  string
binary                                binary
date                                  date32
timestamp                             timestamp, microseconds, no zone
array<T>, map<K,V>, struct<a:T,…>     list, map, struct
====================================  =====================================
"""

import re
from collections.abc import Callable, Iterable
from typing import Any

import pyarrow as pa

from nextbasket.catalog.base import Column
from nextbasket.errors import InputError

FIELD_ID = b"PARQUET:field_id"
"""The key under which a field's metadata holds its Parquet (and Iceberg) field id."""

_SIMPLE: dict[str, pa.DataType] = {
    "boolean": pa.bool_(),
    "tinyint": pa.int8(),
    "smallint": pa.int16(),
    "int": pa.int32(),
    "integer": pa.int32(),
    "bigint": pa.int64(),
    "float": pa.float32(),
    "real": pa.float32(),
    "double": pa.float64(),
    "decimal": pa.decimal128(10, 0),
    "string": pa.string(),
    "varchar": pa.string(),
    "binary": pa.binary(),
    "date": pa.date32(),
    "timestamp": pa.timestamp("us"),
}

_TEXTS: dict[pa.DataType, str] = {
    pa.bool_(): "boolean",
    pa.int8(): "tinyint",
    pa.int16(): "smallint",
    pa.int32(): "int",
    pa.int64(): "bigint",
    pa.float32(): "float",
    pa.float64(): "double",
    pa.string(): "string",
    pa.large_string(): "string",
    pa.string_view(): "string",
    pa.binary(): "binary",
    pa.large_binary(): "binary",
    pa.binary_view(): "binary",
    pa.date32(): "date",
}

_TOKEN = re.compile(r"\s*([<>,:()]|[^<>,:()\s]+)")


def to_arrow(type_text: str) -> pa.DataType:
    """Return the Arrow type of an Athena type text, in any letter case; raises InputError that names the type.

    >>> to_arrow("array<struct<day:date,price:decimal(8,2)>>")
    ListType(list<element: struct<day: date32[day], price: decimal128(8, 2)>>)
    """
    return _Parser(type_text).parse()


def to_text(data_type: pa.DataType) -> str:
    """Return the Athena type text of an Arrow type; raises InputError for one that Athena has no type for.

    >>> to_text(pa.map_(pa.string(), pa.int64()))
    'map<string,bigint>'
    """
    if text := _TEXTS.get(data_type):
        return text
    if pa.types.is_decimal(data_type) and data_type.precision <= 38 and 0 <= data_type.scale <= data_type.precision:
        return f"decimal({data_type.precision},{data_type.scale})"
    if pa.types.is_timestamp(data_type) and data_type.tz is None:
        return "timestamp"
    if pa.types.is_dictionary(data_type):
        return to_text(data_type.value_type)
    if pa.types.is_list(data_type) or pa.types.is_large_list(data_type) or pa.types.is_fixed_size_list(data_type):
        return f"array<{to_text(data_type.value_type)}>"
    if pa.types.is_map(data_type):
        return f"map<{to_text(data_type.key_type)},{to_text(data_type.item_type)}>"
    if pa.types.is_struct(data_type):
        return f"struct<{','.join(f'{field.name}:{to_text(field.type)}' for field in data_type)}>"
    raise InputError(f"Athena has no type for Arrow's {data_type}; cast the column to another type.")


def columns_of(schema: pa.Schema) -> tuple[Column, ...]:
    """Return the columns of an Arrow schema; raises InputError that names the column without an Athena type."""
    columns = []
    for field in schema:
        try:
            columns.append(Column(field.name, to_text(field.type)))
        except InputError as error:
            raise InputError(f"column {field.name}: {error}") from error
    return tuple(columns)


def arrow_schema(columns: Iterable[Column], *, field_ids: bool = False) -> pa.Schema:
    """Return the Arrow schema of columns, all nullable; raises InputError that names the column at fault.

    With ``field_ids`` the fields carry the ids that a table newly created from these columns gets: the columns count
    from 1, then come the parts of nested types, level by level. A table whose columns have changed has other ids: to
    write into an existing table take ``scan(name).schema``.
    """
    fields = []
    for column in columns:
        try:
            fields.append(pa.field(column.name, to_arrow(column.type)))
        except InputError as error:
            raise InputError(f"column {column.name}: {error}") from error
    if field_ids:
        fields = _numbered(fields, _Counter())
    return pa.schema(fields)


class _Counter:
    def __init__(self) -> None:
        self._last = 0

    def __call__(self) -> int:
        self._last += 1
        return self._last


def _numbered(fields: "list[pa.Field[Any]]", next_id: Callable[[], int]) -> "list[pa.Field[Any]]":
    # Iceberg's order for fresh ids: all fields of one level first, then into each of them in turn.
    ids = [next_id() for _ in fields]
    return [
        with_field_id(field.with_type(_numbered_type(field.type, next_id)), id_)
        for field, id_ in zip(fields, ids, strict=True)
    ]


def _numbered_type(data_type: pa.DataType, next_id: Callable[[], int]) -> pa.DataType:
    if pa.types.is_list(data_type):
        return pa.list_(_numbered([data_type.value_field], next_id)[0])
    if pa.types.is_map(data_type):
        key, value = _numbered([data_type.key_field, data_type.item_field], next_id)
        return map_of(key, value)
    if pa.types.is_struct(data_type):
        return pa.struct(_numbered(list(data_type), next_id))
    return data_type


def map_of(key: "pa.Field[Any]", value: "pa.Field[Any]") -> pa.DataType:
    """Return the map type of two fields, which keep their field ids."""
    # pyarrow's stubs know only types here; pyarrow itself takes fields as well.
    return pa.map_(key, value)  # type: ignore[call-overload, no-any-return]


def with_field_id(field: "pa.Field[Any]", field_id: int) -> "pa.Field[Any]":
    """Return the field with its Parquet field id set."""
    metadata: dict[bytes | str, bytes | str] = {FIELD_ID: str(field_id)}
    metadata.update((key, value) for key, value in (field.metadata or {}).items() if key != FIELD_ID)
    return field.with_metadata(metadata)


class _Parser:
    """A recursive-descent parser of one type text."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens: list[str] = _TOKEN.findall(text)
        self._at = 0

    def parse(self) -> pa.DataType:
        parsed = self._type()
        if self._at != len(self._tokens):
            raise self._fault(f"{self._tokens[self._at]!r} is too much")
        return parsed

    def _type(self) -> pa.DataType:
        word = self._next()
        name = word.lower()
        if name == "array":
            self._expect("<")
            element = self._type()
            self._expect(">")
            return pa.list_(pa.field("element", element))
        if name == "map":
            self._expect("<")
            key = self._type()
            self._expect(",")
            value = self._type()
            self._expect(">")
            return pa.map_(key, value)
        if name == "struct":
            return self._struct()
        if name == "decimal" and self._peek() == "(":
            precision, scale = self._numbers(1, 2)
            if not (1 <= precision <= 38 and 0 <= scale <= precision):
                raise self._fault("a decimal has 1 to 38 digits, of which at most all are behind the point")
            return pa.decimal128(precision, scale)
        if name == "char" or (name == "varchar" and self._peek() == "("):
            self._numbers(1, 1)
            return pa.string()
        if name not in _SIMPLE:
            raise self._fault(f"{word!r} is not one of its types")
        return _SIMPLE[name]

    def _struct(self) -> pa.DataType:
        self._expect("<")
        fields: list[pa.Field[Any]] = []
        while True:
            name = self._next()
            self._expect(":")
            fields.append(pa.field(name, self._type()))
            if self._peek() != ",":
                break
            self._next()
        self._expect(">")
        if len({field.name for field in fields}) != len(fields):
            raise self._fault("a struct names a field twice")
        return pa.struct(fields)

    def _numbers(self, least: int, most: int) -> tuple[int, int]:
        self._expect("(")
        numbers = [self._number()]
        while self._peek() == ",":
            self._next()
            numbers.append(self._number())
        self._expect(")")
        if not least <= len(numbers) <= most:
            raise self._fault(f"it has {len(numbers)} numbers in parentheses")
        return numbers[0], numbers[1] if len(numbers) > 1 else 0

    def _number(self) -> int:
        token = self._next()
        if not (token.isascii() and token.isdigit()):
            raise self._fault(f"{token!r} is not a number")
        return int(token)

    def _peek(self) -> str:
        return self._tokens[self._at] if self._at < len(self._tokens) else ""

    def _next(self) -> str:
        if self._at == len(self._tokens):
            raise self._fault("it ends too early")
        self._at += 1
        return self._tokens[self._at - 1]

    def _expect(self, token: str) -> None:
        if self._peek() != token:
            raise self._fault(f"{token!r} is missing" + (f" before {self._peek()!r}" if self._peek() else ""))
        self._at += 1

    def _fault(self, why: str) -> InputError:
        return InputError(f"the type {self._text!r} is not one Athena knows: {why}.")
