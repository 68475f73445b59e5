"""Keep the lines that could not be loaded where people read them: a CSV file for each landed file, and a table."""

import re
import tempfile
from collections.abc import Iterator, Mapping
from typing import BinaryIO, cast

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv

from nextbasket.catalog.base import Catalog, Column, TableDefinition
from nextbasket.ingest.checks import FILE
from nextbasket.ingest.records import LINE, RAW, REASON
from nextbasket.lake.base import Lake, Zone

DATABASE = "quarantine"
"""The database of quarantined lines, read in place; its tables are named as those of ``shop``."""

_SCHEMA = pa.schema([("file", pa.string()), ("line", pa.int64()), ("reason", pa.string()), ("raw", pa.string())])


class Quarantine:
    """Writes quarantined lines; writing those of the same file again gives the same files again."""

    def __init__(self, lake: Lake, catalog: Catalog) -> None:
        self._lake = lake
        self._catalog = catalog

    def write(
        self, table: str, files: Mapping[int, tuple[str, str]], batches: Iterator[pa.RecordBatch]
    ) -> dict[int, str]:
        """Write lines of one table, ordered by file; ``files`` gives (landing key, sha256) by file number.

        Returns the quarantine key by file number.
        """
        written: dict[int, str] = {}
        current: int | None = None
        spool: BinaryIO | None = None
        writer: pa_csv.CSVWriter | None = None
        for batch in batches:
            numbers = batch.column(FILE)
            for number in pc.unique(numbers).to_pylist():
                rows = batch.filter(pc.equal(numbers, number))
                if number != current or writer is None or spool is None:
                    self._finish(table, current, files, writer, spool, written)
                    current = number
                    spool = cast(BinaryIO, tempfile.TemporaryFile())
                    writer = pa_csv.CSVWriter(spool, _SCHEMA)
                key = files[number][0]
                columns = [pa.repeat(pa.scalar(f"landing/{key}"), rows.num_rows)]
                columns += [rows.column(LINE), rows.column(REASON), rows.column(RAW)]
                writer.write_batch(pa.RecordBatch.from_arrays(columns, schema=_SCHEMA))
        self._finish(table, current, files, writer, spool, written)
        if written:
            self._define(table)
        return written

    def _finish(
        self,
        table: str,
        number: int | None,
        files: Mapping[int, tuple[str, str]],
        writer: pa_csv.CSVWriter | None,
        spool: BinaryIO | None,
        written: dict[int, str],
    ) -> None:
        if number is None or writer is None or spool is None:
            return
        writer.close()
        key, sha256 = files[number]
        name = re.sub(r"[^A-Za-z0-9._=-]", "_", key.replace("/", "."))
        spool.seek(0)
        goal = f"{table}/{name}-{sha256[:10]}.csv"
        self._lake.put(Zone.QUARANTINE, goal, spool)
        spool.close()
        written[number] = goal

    def _define(self, table: str) -> None:
        kinds = {"line": "bigint"}
        self._catalog.define(
            TableDefinition(
                database=DATABASE,
                name=table,
                columns=tuple(Column(name, kinds.get(name, "string")) for name in _SCHEMA.names),
                location=self._lake.uri(Zone.QUARANTINE, table),
                format="csv",
                parameters={
                    "delimiter": ",",
                    "quote": '"',
                    "skip.header.line.count": "1",
                    "encoding": "utf-8",
                    "compression": "none",
                },
            )
        )
