"""Find a person's records in a file, and write the file again without them.

What a person's records are is said by *marks*: for a column, the values (as text) that make a record the person's.
A file is rewritten in its own form, encoding and compression; its other records stay byte for byte where it is text.
"""

import bz2
import codecs
import gzip
import io
import lzma
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO, TypeAlias, cast

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.orc as pa_orc
import pyarrow.parquet as pq

from nextbasket.catalog.base import FileForm
from nextbasket.errors import InputError
from nextbasket.ingest.encoding import decoder
from nextbasket.ingest.jsonlines import JsonReader, open_lines, sniff_json
from nextbasket.ingest.landed import compression, form_of, open_unpacked, open_utf8, shape_of
from nextbasket.ingest.records import LINE, RAW, REASON, RecordReader
from nextbasket.ingest.sniff import HEAD_BYTES, TextShape, column_names
from nextbasket.ingest.typed_files import batches_of, schema_of
from nextbasket.ingest.typed_rows import text_shape
from nextbasket.lake.base import FileRef, Lake

Marks: TypeAlias = Mapping[str, frozenset[str]]
"""For a column, by its name in lower case, the values that make a record the person's."""

_BLOCK = 1 << 20
_BATCH_ROWS = 65_536
_LINE_FORMS = ("csv", "json")


@dataclass(frozen=True, slots=True)
class Found:
    """A person's records in one file.

    ``records`` holds the asked columns, as text, of the whole ones; ``faulty`` counts those that cannot be cut into
    fields but carry one of the values. ``lines`` are the numbers, from 1, of all their lines in a text file.
    ``searched`` counts the records looked at.
    """

    records: pa.Table
    faulty: int = 0
    lines: tuple[int, ...] = ()
    searched: int = 0

    @property
    def count(self) -> int:
        """The person's records."""
        return self.records.num_rows + self.faulty


def find(
    lake: Lake, ref: FileRef, marks: Marks, also: Sequence[str] = (), written: FileForm | None = None
) -> Found | None:
    """Return the person's records of a file, or None when the file has none of the marks' columns.

    ``also`` names further columns to return; one the file lacks is null. ``written`` says how a text file is written
    where its table knows; else it is found out. Raises InputError for a damaged file.
    """
    marks = {column: values for column, values in marks.items() if values}
    form = form_of(ref.key)
    if form in ("csv", "excel"):
        return _in_text(lake, ref, marks, also, written)
    if form == "json":
        return _in_json(lake, ref, marks, also)
    return _in_typed(lake, ref, form, marks, also)


def is_all(ref: FileRef, marks: Marks) -> bool:
    """Say whether the folder's name (``user_id=7/``) makes every record of a file the person's."""
    inside = dict(part.split("=", 1) for part in ref.key.split("/")[:-1] if "=" in part)
    return any(value in marks.get(column.lower(), ()) for column, value in inside.items())


def without(
    lake: Lake, ref: FileRef, marks: Marks, found: Found, target: BinaryIO, written: FileForm | None = None
) -> None:
    """Write a file's content without the person's records; raises InputError for a form that cannot be written."""
    form = form_of(ref.key)
    if form == "parquet":
        _parquet_without(lake, ref, marks, target)
    elif form == "orc":
        _orc_without(lake, ref, marks, target)
    elif form in _LINE_FORMS and found.lines:
        _text_without(lake, ref, found.lines, target, written)
    else:
        raise InputError(
            f"{ref.zone}/{ref.key} holds {found.count} records of this shopper and cannot be written again in its "
            "form; save it without them, delete it there and land it again."
        )


def words_of(marks: Marks) -> re.Pattern[str]:
    """Return a pattern that finds any of the marks' values as a word of its own."""
    values = sorted(frozenset().union(*marks.values()))
    return re.compile("|".join(rf"(?<!\w){re.escape(value)}(?!\w)" for value in values) or r"(?!)")


def matching(columns: Mapping[str, Any], marks: Marks) -> Any:
    """Return which rows are the person's, a boolean array; ``columns`` maps a column's name to its values."""
    found: Any = None
    for name, values in marks.items():
        if name not in columns:
            continue
        column = columns[name]
        mine = pc.fill_null(_among(column, values), False)
        found = mine if found is None else pc.or_(found, mine)
    return found


def _among(column: Any, values: frozenset[str]) -> Any:
    kind = column.type
    if pa.types.is_dictionary(kind):
        column, kind = column.cast(kind.value_type), kind.value_type
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        return pc.is_in(pc.utf8_trim_whitespace(column), value_set=pa.array(sorted(values), kind))
    fitting = []
    for value in sorted(values):
        try:
            fitting.append(pa.scalar(value).cast(kind))
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
            continue  # no value of this column
    return pc.is_in(column, value_set=pa.array([one.as_py() for one in fitting], kind))


# --- delimited text --------------------------------------------------------------------------------------------------


def columns_as_written(lake: Lake, ref: FileRef, written: FileForm | None) -> tuple[TextShape, Sequence[str]]:
    """Return how a text file is written and its columns' names, as its table knows them or as they are found out."""
    if written is None:
        shape = shape_of(lake, ref)
        return shape, column_names(shape.columns)
    return text_shape(lake, ref, written), written.columns


def _in_text(lake: Lake, ref: FileRef, marks: Marks, also: Sequence[str], written: FileForm | None) -> Found | None:
    shape, names = columns_as_written(lake, ref, written)
    if not any(name in marks for name in names):
        return None
    wanted = [(position, name) for position, name in enumerate(names) if name in marks or name in also]
    with open_utf8(lake, ref, shape) as stream:
        reader = RecordReader(stream, shape.delimiter, shape.width, wanted, header=shape.header, quote=shape.quote)
        return _gathered(reader, marks, also, lambda: reader.records)


def _gathered(reader: Any, marks: Marks, also: Sequence[str], searched: Any) -> Found:
    asked = list(dict.fromkeys([*marks, *also]))
    words = words_of(marks)
    lines: list[int] = []
    found: list[pa.Table] = []
    faulty = 0
    for table in reader:
        columns = {name: table.column(name) for name in table.column_names if name not in (LINE, RAW, REASON)}
        broken = pc.is_valid(table.column(REASON))
        if pc.any(broken).as_py():
            for row in table.select([LINE, RAW]).filter(broken).to_pylist():
                if words.search(row[RAW]):
                    faulty += 1
                    lines.append(row[LINE])
        mask = matching(columns, marks)
        if mask is None or not pc.any(mask).as_py():
            continue
        mine = table.filter(mask)
        for row in mine.select([LINE, RAW]).to_pylist():
            lines.extend(range(row[LINE], row[LINE] + row[RAW].count("\n") + 1))
        found.append(_texts(mine, asked))
    kept = pa.concat_tables(found) if found else pa.table({name: pa.array([], pa.string()) for name in asked})
    return Found(kept, faulty, tuple(sorted(lines)), searched())


def _texts(table: pa.Table, names: Sequence[str]) -> pa.Table:
    there = set(table.column_names)
    columns: dict[str, Any] = {
        name: table.column(name).cast(pa.string()) if name in there else pa.nulls(table.num_rows, pa.string())
        for name in names
    }
    return pa.table({name: pc.utf8_trim_whitespace(column) for name, column in columns.items()})


def _text_without(lake: Lake, ref: FileRef, lines: Sequence[int], target: BinaryIO, written: FileForm | None) -> None:
    packed = _packing(target, compression(ref))
    if form_of(ref.key) == "csv":
        shape, _ = columns_as_written(lake, ref, written)
        encoding, newline = shape.encoding, shape.newline
    else:
        encoding, newline = _json_encoding(lake, ref), "\n"
    with open_unpacked(lake, ref) as stream:
        if encoding.startswith("utf-16"):
            for block in _utf16(stream, encoding, newline, lines):
                packed.write(block)
        else:
            for block in _kept(iter(lambda: stream.read(_BLOCK), b""), newline.encode(), lines):
                packed.write(block)
    if packed is not target:
        packed.close()


def _utf16(stream: BinaryIO, encoding: str, newline: str, lines: Sequence[int]) -> Iterator[bytes]:
    mark = stream.read(2) if encoding == "utf-16" else b""
    exact = {codecs.BOM_UTF16_LE: "utf-16-le", codecs.BOM_UTF16_BE: "utf-16-be"}.get(mark, encoding)
    decode = decoder(exact)

    def texts() -> Iterator[bytes]:
        while block := stream.read(_BLOCK):
            yield decode(block, False).encode()
        yield decode(b"", True).encode()

    yield mark
    rest = codecs.getincrementaldecoder("utf-8")()
    for block in _kept(texts(), newline.encode(), lines):
        yield rest.decode(block).encode(exact)


def _kept(blocks: Iterator[bytes], newline: bytes, lines: Sequence[int]) -> Iterator[bytes]:
    """Yield the bytes of all lines but the given ones, whose numbers are in order."""
    left_out = set(lines)
    last = max(lines, default=0)
    number = 1
    carry = b""
    for block in blocks:
        if number > last:
            yield carry + block
            carry = b""
            continue
        buffer = carry + block
        cut = buffer.rfind(newline) + 1
        text, carry = buffer[:cut], buffer[cut:]
        count = text.count(newline)
        if any(at in left_out for at in range(number, number + count)):
            parts = text.split(newline)[:-1]
            text = b"".join(part + newline for at, part in enumerate(parts, number) if at not in left_out)
        number += count
        yield text
    if carry and number not in left_out:
        yield carry


def _packing(target: BinaryIO, kind: str) -> BinaryIO:
    if kind == "gzip":
        return cast(BinaryIO, gzip.GzipFile(filename="", mode="wb", fileobj=target, mtime=0))
    if kind == "bzip2":
        return cast(BinaryIO, bz2.BZ2File(target, "wb"))
    if kind == "xz":
        return cast(BinaryIO, lzma.LZMAFile(target, "wb"))
    if kind == "zstd":
        return cast(BinaryIO, pa.CompressedOutputStream(_Open(target), "zstd"))
    return target


class _Open(io.RawIOBase):
    """A stream that stays open when Arrow closes it."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream

    def writable(self) -> bool:
        return True

    def write(self, block: Any) -> int:
        return self._stream.write(block)


# --- JSON lines ------------------------------------------------------------------------------------------------------


def _json_encoding(lake: Lake, ref: FileRef) -> str:
    with open_unpacked(lake, ref) as stream:
        return sniff_json(stream, HEAD_BYTES, f"{ref.zone}/{ref.key}").encoding


def _in_json(lake: Lake, ref: FileRef, marks: Marks, also: Sequence[str]) -> Found | None:
    name = f"{ref.zone}/{ref.key}"
    with open_unpacked(lake, ref) as stream:
        shape = sniff_json(stream, HEAD_BYTES, name)
    names = column_names(shape.keys)
    if not any(one in marks for one in names):
        return None
    wanted = [
        (key, one, pa.string()) for key, one in zip(shape.keys, names, strict=True) if one in marks or one in also
    ]
    with open_unpacked(lake, ref) as stream:
        reader = JsonReader(open_lines(stream, shape, name), wanted, texts=True)
        found = _gathered(reader, marks, also, lambda: reader.records)
    return found if shape.lines else Found(found.records, found.faulty, (), found.searched)


# --- files with types of their own -----------------------------------------------------------------------------------


def _in_typed(lake: Lake, ref: FileRef, form: str, marks: Marks, also: Sequence[str]) -> Found | None:
    name = f"{ref.zone}/{ref.key}"
    with lake.open(ref) as stream:
        schema = schema_of(stream, form, name)
    written = {one.strip().lower(): one for one in reversed(schema.names)}
    if not any(one in marks for one in written):
        return None
    wanted = [one for one in written if one in marks or one in also]
    asked = list(dict.fromkeys([*marks, *also]))
    found: list[pa.Table] = []
    searched = 0
    with lake.open(ref) as stream:
        for batch in batches_of(stream, form, name, [written[one] for one in wanted]):
            searched += batch.num_rows
            table = pa.table(batch.columns, names=wanted)
            mask = matching({one: table.column(one) for one in wanted}, marks)
            if mask is not None and pc.any(mask).as_py():
                found.append(_texts(table.filter(mask), asked))
    kept = pa.concat_tables(found) if found else pa.table({one: pa.array([], pa.string()) for one in asked})
    return Found(kept, searched=searched)


def _parquet_without(lake: Lake, ref: FileRef, marks: Marks, target: BinaryIO) -> None:
    with lake.open(ref) as stream:
        file = pq.ParquetFile(stream)
        packed: Any = "none"
        if file.metadata.num_row_groups and file.metadata.num_columns:
            packed = file.metadata.row_group(0).column(0).compression.lower()
        with pq.ParquetWriter(
            target, file.schema_arrow, compression="none" if packed == "uncompressed" else packed
        ) as out:
            for batch in file.iter_batches(_BATCH_ROWS):
                out.write_batch(batch.filter(_staying(batch, marks)))


def _orc_without(lake: Lake, ref: FileRef, marks: Marks, target: BinaryIO) -> None:
    with lake.open(ref) as stream:
        file = pa_orc.ORCFile(stream)
        packed: Any = str(file.compression)
        with pa_orc.ORCWriter(target, compression=packed) as out:
            for number in range(file.nstripes):
                stripe = file.read_stripe(number)
                out.write(pa.Table.from_batches([stripe.filter(_staying(stripe, marks))]))


def _staying(batch: pa.RecordBatch, marks: Marks) -> Any:
    written = {one.strip().lower(): one for one in reversed(batch.schema.names)}
    mask = matching({one: batch.column(name) for one, name in written.items() if one in marks}, marks)
    return pc.invert(mask)


__all__ = ["Found", "Marks", "columns_as_written", "find", "is_all", "matching", "without", "words_of"]
