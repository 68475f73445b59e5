"""A table's next version: the rows that change in files of their own, and those data files written anew that held them.

Data files that hold none of the changed keys stay as they are, so that a day's delivery costs what a day changes.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import ibis
import ibis.expr.types as ir
import pyarrow as pa
from sqlglot import exp

from nextbasket.catalog.base import CommitMode, DataFile, Scan
from nextbasket.ingest.load_attempt import Attempt
from nextbasket.ingest.shop import unbound

SMALL_BYTES = 4 << 20
MANY_SMALL_FILES = 50
"""So many data files smaller than ``SMALL_BYTES`` are written together by the next commit to their table."""

_PATH = "data_file"


@dataclass(frozen=True, slots=True)
class Changes:
    """What changes in a table: its ``rows`` in data files, which replace rows of the same key; and ``touched``.

    ``touched`` are the stored data files that hold such a key or a value that ``removed`` reads.
    """

    rows: Scan
    touched: tuple[DataFile, ...] = ()
    removed: Scan | None = None


def typed(rows: ir.Table, schema: pa.Schema) -> ir.Table:
    """Return the columns of a schema, cast to its types."""
    kinds = ibis.Schema.from_pyarrow(pa.schema([field.remove_metadata() for field in schema]))
    return rows.select(**{name: rows[name].cast(kind) for name, kind in kinds.items()})


class Versions:
    """Writes next versions of tables."""

    def __init__(self, attempt: Attempt) -> None:
        self._attempt = attempt

    def changes(
        self,
        existing: Scan,
        key: Sequence[str],
        rows: ir.Table,
        inputs: dict[str, Scan],
        removed: Scan | None = None,
        *,
        whole: bool = False,
    ) -> Changes:
        """Write the rows that are new or changed, and find the stored files they touch; ``whole``: no file stays."""
        files = self._attempt.engine.write(rows, inputs, self._attempt.lasting(), existing.schema)
        written = Scan(f"staged.{existing.table.partition('.')[2]}_changes", "parquet", tuple(files), existing.schema)
        touched = existing.files if whole else self.touched(existing, key, written, removed)
        return Changes(written, touched, removed)

    def only_removed(self, existing: Scan, key: Sequence[str], removed: Scan | None) -> Changes:
        """Return the changes where rows leave a table and none come."""
        nothing = Scan("staged.nothing", "parquet", (), existing.schema)
        return Changes(nothing, self.touched(existing, key, None, removed), removed)

    def touched(
        self, existing: Scan, key: Sequence[str], changed: Scan | None, removed: Scan | None
    ) -> tuple[DataFile, ...]:
        """Return the stored files that hold a key of ``changed``, or a first key column that ``removed`` reads."""
        uris: set[str] = set()
        if existing.files and changed is not None and changed.files:
            uris |= self._holding(existing, key, changed)
        if existing.files and removed is not None and removed.files:
            uris |= self._holding(existing, key[:1], removed)
        return tuple(file for file in existing.files if file.uri in uris)

    def kept(self, existing: Scan, key: Sequence[str], changes: Changes) -> tuple[ir.Table, dict[str, Scan]]:
        """Return the rows of the touched files that stay."""
        part = replace(existing, files=changes.touched)
        rows = unbound(part)
        inputs = {part.table: part}
        if changes.rows.files:
            rows = rows.anti_join(unbound(changes.rows), list(key))
            inputs[changes.rows.table] = changes.rows
        if changes.removed is not None:
            rows = rows.anti_join(unbound(changes.removed), key[0])
            inputs[changes.removed.table] = changes.removed
        return rows, inputs

    def files(
        self, existing: Scan, key: Sequence[str], changes: Changes
    ) -> tuple[CommitMode, list[DataFile], list[str]]:
        """Write what stays of the touched files; returns mode, files and replaced files of the commit."""
        small = [file for file in existing.files if file.bytes < SMALL_BYTES]
        if len(small) > MANY_SMALL_FILES:
            uris = {file.uri for file in (*changes.touched, *small)}
            changes = replace(changes, touched=tuple(file for file in existing.files if file.uri in uris))
        if not changes.touched:
            return CommitMode.APPEND, list(changes.rows.files), []
        rows, inputs = self.kept(existing, key, changes)
        stay = self._attempt.engine.write(rows, inputs, self._attempt.lasting(), existing.schema)
        return CommitMode.MERGE_BY_KEY, [*changes.rows.files, *stay], [file.uri for file in changes.touched]

    def _holding(self, existing: Scan, columns: Sequence[str], wanted: Scan) -> set[str]:
        values = exp.select(*columns).distinct().from_(exp.to_table(wanted.table)).subquery("wanted")
        same = exp.and_(*(exp.column(name, table="stored").eq(exp.column(name, table="wanted")) for name in columns))
        path = exp.column("$path", table="stored", quoted=True)
        query = exp.select(exp.alias_(path, _PATH)).distinct().from_(exp.to_table(existing.table, alias="stored"))
        query = query.join(values, on=same)
        handle = self._attempt.engine.start(
            query.sql(dialect="athena"), {existing.table: existing, wanted.table: wanted}
        )
        return {str(path) for batch in handle.batches() for path in batch.column(0).to_pylist()}
