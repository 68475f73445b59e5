"""Keep the lines that could not be loaded where people read them: a CSV file for each landed file, and a table."""

import re
import tempfile
from collections.abc import Iterator, Mapping
from itertools import groupby
from typing import Any, BinaryIO, cast

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv

from nextbasket.catalog.base import Catalog, Column, TableDefinition
from nextbasket.ingest.checks import FILE
from nextbasket.ingest.records import LINE, RAW, REASON
from nextbasket.lake.base import Lake, Zone

DATABASE = "quarantine"
"""The database of quarantined lines, read in place; its tables are named as those of ``shop``."""

_FIELDS: list[tuple[str, pa.DataType]] = [
    ("file", pa.string()),
    ("line", pa.int64()),
    ("reason", pa.string()),
    ("raw", pa.string()),
]
_SCHEMA = pa.schema(_FIELDS)


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
        for number, rows in groupby(_by_file(batches), key=lambda pair: pair[0]):
            key, sha256 = files[number]
            name = re.sub(r"[^A-Za-z0-9._=-]", "_", key.replace("/", "."))
            goal = f"{table}/{name}-{sha256[:10]}.csv"
            with tempfile.TemporaryFile() as spool:
                with pa_csv.CSVWriter(spool, _SCHEMA) as writer:
                    for _, batch in rows:
                        columns: list[Any] = [pa.repeat(pa.scalar(f"landing/{key}"), batch.num_rows)]
                        columns += [batch.column(LINE), batch.column(REASON), batch.column(RAW)]
                        writer.write_batch(pa.RecordBatch.from_arrays(columns, schema=_SCHEMA))
                spool.seek(0)
                self._lake.put(Zone.QUARANTINE, goal, cast(BinaryIO, spool))
            written[number] = goal
        if written:
            self._define(table)
        return written

    def show(self, table: str, goal: str, lines: pa.Table) -> None:
        """Write lines that have their landing key in ``src_key`` into the one file ``goal``; it goes when none is left.

        They are ordered by landing key and line.
        """
        if not lines.num_rows:
            for ref in list(self._lake.list(Zone.QUARANTINE, goal)):
                self._lake.delete(ref)
            return
        shown = lines.sort_by([("src_key", "ascending"), (LINE, "ascending")])
        keys: Any = shown.column("src_key")
        places = pc.binary_join_element_wise(cast(Any, "landing/"), keys, "")
        columns: list[Any] = [places, shown.column(LINE), shown.column(REASON), shown.column(RAW)]
        with tempfile.TemporaryFile() as spool:
            pa_csv.write_csv(pa.table(columns, schema=_SCHEMA), spool)
            spool.seek(0)
            self._lake.put(Zone.QUARANTINE, goal, cast(BinaryIO, spool))
        self._define(table)

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


def _by_file(batches: Iterator[pa.RecordBatch]) -> Iterator[tuple[int, pa.RecordBatch]]:
    for batch in batches:
        numbers: Any = batch.column(FILE)
        for number in pc.unique(numbers).to_pylist():
            yield number, batch.filter(pc.equal(numbers, number))
