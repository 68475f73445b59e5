"""The shop's typed tables as the loader sees them: what is there, and what it commits."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import ibis
import ibis.expr.types as ir
import pyarrow as pa

from nextbasket.catalog.base import ICEBERG, Catalog, Column, CommitMode, DataFile, Scan, TableDefinition
from nextbasket.errors import NotFoundError

DATABASE = "shop"
"""The database of typed tables."""


@dataclass(frozen=True, slots=True)
class PendingCommit:
    """Files that are written and wait for their commit."""

    table: str
    mode: CommitMode
    files: tuple[DataFile, ...]
    expected: int | None
    replaces: tuple[str, ...] = ()
    summary: Mapping[str, str] = field(default_factory=dict)


class Shop:
    """Reads and commits tables of the database ``shop``; names are given without it."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog

    def columns(self, table: str) -> dict[str, str]:
        """Return a table's column types by name; empty when there is no such table."""
        try:
            definition = self._catalog.table(f"{DATABASE}.{table}")
        except NotFoundError:
            return {}
        return {column.name: column.type for column in definition.columns}

    def define(self, table: str, columns: Sequence[Column]) -> Scan:
        """Make sure that the table is there with these columns; return its current version."""
        if list(self.columns(table)) != [column.name for column in columns]:
            self._catalog.define(TableDefinition(DATABASE, table, tuple(columns), "", ICEBERG))
        return self._catalog.scan(f"{DATABASE}.{table}")

    def scan(self, table: str) -> Scan | None:
        """Return a table's current version, or None when there is no such table."""
        return self._catalog.scan(f"{DATABASE}.{table}") if self.columns(table) else None

    def rows(self, table: str) -> int:
        """Return how many rows a table has now; 0 when there is no such table."""
        scan = self.scan(table)
        return sum(file.rows for file in scan.files) if scan is not None else 0

    def loaded(self, table: str) -> set[str]:
        """Return the sha256 of every file content that was loaded into a table."""
        return {entry.sha256 for entry in self._catalog.ledger(f"{DATABASE}.{table}")} if self.columns(table) else set()

    def summary(self, table: str) -> Mapping[str, str]:
        """Return the summary of a table's last commit; empty when there is none."""
        snapshots = self._catalog.snapshots(f"{DATABASE}.{table}") if self.columns(table) else []
        return snapshots[-1].summary if snapshots else {}

    def property(self, table: str, key: str) -> str | None:
        """Return a property of a table, or None."""
        return self._catalog.properties(f"{DATABASE}.{table}").get(key) if self.columns(table) else None

    def set_property(self, table: str, key: str, value: str) -> None:
        """Set a property of a table, unless it has that value."""
        if self.property(table, key) != value:
            self._catalog.set_properties(f"{DATABASE}.{table}", {key: value})

    def drop(self, table: str) -> None:
        """Forget a table and what was loaded into it, if it is there."""
        if self.columns(table):
            self._catalog.drop(f"{DATABASE}.{table}")

    def commit(self, pending: PendingCommit, run_id: str) -> None:
        """Commit written files."""
        self._catalog.commit(
            f"{DATABASE}.{pending.table}",
            pending.mode,
            pending.files,
            run_id=run_id,
            expected_snapshot=pending.expected,
            check_expected=True,
            replaces=pending.replaces,
            summary=pending.summary,
        )


def unbound(scan: Scan) -> ir.Table:
    """Return the unbound table that stands for a scan in an expression; its input key is ``scan.table``."""
    database, _, name = scan.table.partition(".")
    schema = pa.schema([field.remove_metadata() for field in scan.schema])
    return ibis.table(ibis.Schema.from_pyarrow(schema), name=name, database=database)
