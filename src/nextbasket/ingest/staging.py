"""Bring delivered files into a form that an engine reads safely, with every record accounted for.

A large, plain text file is read by the engine where it lies. Every other file is cut into records here, written as
one Parquet file of texts for each table, with file, line, raw text and the reason where a record cannot be cut.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from nextbasket.catalog.base import DataFile, Scan
from nextbasket.catalog.types import to_arrow
from nextbasket.grocery.tables import LayoutTable
from nextbasket.ingest.checks import FILE
from nextbasket.ingest.deliveries import Delivery
from nextbasket.ingest.jsonlines import JsonReader, open_lines
from nextbasket.ingest.landed import compression, open_unpacked, open_utf8
from nextbasket.ingest.records import LINE, RAW, REASON, RecordReader, Signs, examine
from nextbasket.ingest.typed_files import batches_of
from nextbasket.ingest.typed_rows import as_texts, json_shape
from nextbasket.lake.base import Lake
from nextbasket.progress import Progress

_BATCH_ROWS = 65_536
_TYPES: dict[Signs, pa.DataType] = {
    Signs.DIGITS: pa.int64(),
    Signs.ZEROS: pa.int64(),
    Signs.POINTS: pa.float64(),
    Signs.ANY: pa.string(),
}


@dataclass(frozen=True, slots=True)
class Counted:
    """How many records and blank lines a file has."""

    records: int
    blank: int = 0


@dataclass(frozen=True, slots=True)
class Direct:
    """A plain file that the engine reads in place: ``number`` is its place among the table's deliveries.

    ``digits``: all its values are whole numbers, and the scan gives them as such; else all are text. ``typed`` reads
    the same with numbers where a column's values are made of nothing else; ``signs`` says it by column.
    """

    number: int
    scan: Scan
    digits: bool
    typed: Scan
    signs: Mapping[str, Signs]


@dataclass(frozen=True, slots=True)
class Staged:
    """All new deliveries of one table, ready to be read: ``cut`` holds the records of those that were cut."""

    table: LayoutTable
    deliveries: tuple[Delivery, ...]
    counted: tuple[Counted, ...]
    direct: tuple[Direct, ...] = ()
    cut: Scan | None = None

    @property
    def records(self) -> int:
        """The records of all files."""
        return sum(one.records for one in self.counted)


class Stager:
    """Stages deliveries; files smaller than ``direct_from`` bytes are always cut, which is faster for them."""

    def __init__(self, lake: Lake, *, direct_from: int) -> None:
        self._lake = lake
        self._direct_from = direct_from

    def stage(
        self,
        table: LayoutTable,
        deliveries: Sequence[Delivery],
        folder: str,
        progress: Progress,
        *,
        cut_all: bool = False,
    ) -> Staged:
        """Stage a table's deliveries into a fresh folder; ``cut_all`` reads none in place, so that lines are known."""
        counted: list[Counted] = []
        direct: list[Direct] = []
        columns = [column.name for column in table.columns]
        columns = [name for name in columns if any(name in delivery.columns for delivery in deliveries)]
        writer: _RecordWriter | None = None
        try:
            for number, delivery in enumerate(deliveries):
                progress(f"reading {delivery.ref.key}", number / len(deliveries))
                if delivery.empty:
                    counted.append(Counted(0))
                    continue
                found = None if cut_all else self._direct(number, delivery)
                if found is not None:
                    direct.append(found[0])
                    counted.append(found[1])
                    continue
                writer = writer or _RecordWriter(self._lake, f"{folder}/records.parquet", columns)
                counted.append(self._cut(number, delivery, writer))
        finally:
            scan = writer.close(table.name) if writer is not None else None
        return Staged(table, tuple(deliveries), tuple(counted), tuple(direct), scan)

    def _direct(self, number: int, delivery: Delivery) -> tuple[Direct, Counted] | None:
        shape, ref = delivery.shape, delivery.ref
        if shape is None or ref.size < self._direct_from:
            return None
        if not shape.plainly or compression(ref) not in ("none", "gzip"):
            return None
        with open_utf8(self._lake, ref, shape) as stream:
            anatomy = examine(stream, shape.delimiter, shape.width, header=shape.header)
        if not anatomy.plain:
            return None
        by_position = {position: name for name, position in delivery.columns.items()}
        names = [by_position.get(position, f"other{position}") for position in range(len(shape.columns))]
        kind = pa.int64() if anatomy.digits else pa.string()
        scan = Scan(
            table=f"staged.{delivery.table.name}_{number}",
            format="csv",
            files=(DataFile(ref.uri, anatomy.records, ref.size),),
            schema=pa.schema([(name, kind) for name in names]),
            parameters={
                "delimiter": shape.delimiter,
                # No quote stands in the file, and none that an engine imagines can swallow lines.
                "quote": "",
                "skip.header.line.count": "1" if shape.header else "0",
                "encoding": "utf-8",
                "compression": compression(ref),
            },
        )
        signs = dict(zip(names, anatomy.columns, strict=True))
        typed = replace(scan, schema=pa.schema([(name, _TYPES[one]) for name, one in signs.items()]))
        return Direct(number, scan, anatomy.digits, typed, signs), Counted(anatomy.records)

    def _cut(self, number: int, delivery: Delivery, writer: "_RecordWriter") -> Counted:
        if delivery.form == "json":
            return self._cut_json(number, delivery, writer)
        if delivery.shape is None:
            count = 0
            for table in self._typed(delivery, count_from=1):
                writer.write(number, table)
                count += table.num_rows
            return Counted(count)
        shape = delivery.shape
        wanted = [(position, name) for name, position in delivery.columns.items()]
        decimal_commas = [name for position, name in wanted if shape.notations[position].decimal == ","]
        with open_utf8(self._lake, delivery.ref, shape) as stream:
            reader = RecordReader(stream, shape.delimiter, shape.width, wanted, header=shape.header, quote=shape.quote)
            for table in reader:
                writer.write(number, _with_points(table, decimal_commas))
        return Counted(reader.records, reader.blank)

    def _cut_json(self, number: int, delivery: Delivery, writer: "_RecordWriter") -> Counted:
        shape = json_shape(self._lake, delivery.ref)
        kinds = {key: to_arrow(kind or "string") for key, kind in zip(shape.keys, shape.types, strict=True)}
        wanted = [(delivery.names[at], name, kinds[delivery.names[at]]) for name, at in delivery.columns.items()]
        with open_lines(open_unpacked(self._lake, delivery.ref), shape, delivery.name) as stream:
            reader = JsonReader(stream, wanted, texts=True)
            for table in reader:
                writer.write(number, table)
        return Counted(reader.records, reader.blank)

    def _typed(self, delivery: Delivery, *, count_from: int) -> Iterator[pa.Table]:
        wanted = [delivery.names[position] for position in delivery.columns.values()]
        row = count_from
        with self._lake.open(delivery.ref) as stream:
            for batch in batches_of(stream, delivery.form, delivery.name, wanted):
                given = {name: batch.column(delivery.names[at]) for name, at in delivery.columns.items()}
                texts = {name: _as_text(values) for name, values in given.items()}
                filled: list[Any] = [pc.fill_null(values, "") for values in texts.values()]
                yield pa.table(
                    {
                        LINE: pa.array(range(row, row + batch.num_rows), pa.int64()),
                        RAW: pc.binary_join_element_wise(*filled, ","),
                        REASON: pa.nulls(batch.num_rows, pa.string()),
                        **texts,
                    }
                )
                row += batch.num_rows


def _with_points(records: pa.Table, names: Sequence[str]) -> pa.Table:
    """Write fractions with a point in the columns whose file writes them with a comma."""
    for name in names:
        at = records.schema.get_field_index(name)
        records = records.set_column(at, name, pc.replace_substring(records.column(name), ",", "."))
    return records


def _as_text(values: Any) -> Any:
    kind = values.type
    if pa.types.is_boolean(kind):
        return values.cast(pa.int8()).cast(pa.string())
    if pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        numbers = values.cast(pa.float64())
        # Exports write ids as 13085.0 as soon as one of them is missing.
        if pc.all(pc.equal(numbers, pc.floor(numbers))).as_py() is not False and len(numbers):
            limit = pc.max(pc.abs(numbers)).as_py()
            if limit is None or limit < 1e15:
                return numbers.cast(pa.int64()).cast(pa.string())
    return as_texts(values)


class _RecordWriter:
    """Writes the cut records of all files of one table."""

    def __init__(self, lake: Lake, uri: str, columns: Sequence[str]) -> None:
        self._uri = uri
        sources: list[tuple[str, pa.DataType]] = [(FILE, pa.int64()), (LINE, pa.int64()), (RAW, pa.string())]
        sources.append((REASON, pa.string()))
        self._schema = pa.schema(sources + [(name, pa.string()) for name in columns])
        filesystem, path = lake.filesystem(uri)
        self._writer = pq.ParquetWriter(
            path, self._schema, filesystem=filesystem, compression="zstd", compression_level=1
        )
        self._pending: list[pa.Table] = []
        self._rows = 0
        self._written = 0

    def write(self, number: int, records: pa.Table) -> None:
        """Add records of one file; columns the file lacks are null."""
        given = set(records.column_names)
        columns = [
            pa.repeat(pa.scalar(number, pa.int64()), records.num_rows)
            if field.name == FILE
            else records.column(field.name)
            if field.name in given
            else pa.nulls(records.num_rows, field.type)
            for field in self._schema
        ]
        self._pending.append(pa.table(columns, schema=self._schema))
        self._rows += records.num_rows
        if self._rows >= _BATCH_ROWS:
            self._flush()

    def close(self, table: str) -> Scan:
        """Finish the file and return how to read it."""
        self._flush()
        self._writer.close()
        file = DataFile(self._uri, self._written, 0)
        return Scan(f"staged.{table}_cut", "parquet", (file,), self._schema)

    def _flush(self) -> None:
        if self._pending:
            self._writer.write_table(pa.concat_tables(self._pending))
        self._written += self._rows
        self._pending, self._rows = [], 0
