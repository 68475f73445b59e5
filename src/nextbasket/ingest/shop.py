"""The shop's typed tables as the loader sees them: what is there, and what it commits."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import ibis
import ibis.expr.types as ir
import pyarrow as pa

from nextbasket.catalog.base import (
    ICEBERG,
    Catalog,
    Column,
    CommitMode,
    DataFile,
    IngestedFile,
    Scan,
    Snapshot,
    TableDefinition,
)
from nextbasket.errors import CommitConflictError, NotFoundError
from nextbasket.ingest.forgotten import Forgotten

DATABASE = "shop"
"""The database of typed tables."""

_COMMITS_OF_A_RUN = 1000


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

    def ledger(self, table: str) -> list[IngestedFile]:
        """Return every file that was loaded into a table, oldest first; empty when there is no such table."""
        found = self._catalog.ledger(f"{DATABASE}.{table}") if self.columns(table) else []
        return Forgotten(self._catalog).without_former(found)

    def summary(self, table: str) -> Mapping[str, str]:
        """Return the summary of a table's last commit; empty when there is none."""
        snapshots = self._catalog.snapshots(f"{DATABASE}.{table}") if self.columns(table) else []
        return snapshots[-1].summary if snapshots else {}

    def latest(self, table: str, key: str) -> str | None:
        """Return what the newest commit that says anything under a summary's key says, or None."""
        snapshots = self._catalog.snapshots(f"{DATABASE}.{table}") if self.columns(table) else []
        return next((found.summary[key] for found in reversed(snapshots) if key in found.summary), None)

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

    def commit(self, pending: PendingCommit, run_id: str) -> Snapshot:
        """Commit written files; raises CommitConflictError when the table is no longer at the version expected.

        A run that has committed to the table before commits again under its id with a number: it was killed and is
        done again, or it lost a race, and what it commits now is computed from what it committed then.
        """
        for number in range(1, _COMMITS_OF_A_RUN):
            snapshot = self._catalog.commit(
                f"{DATABASE}.{pending.table}",
                pending.mode,
                pending.files,
                run_id=run_id if number == 1 else f"{run_id}.{number}",
                expected_snapshot=pending.expected,
                check_expected=True,
                replaces=pending.replaces,
                summary=pending.summary,
            )
            own = all(snapshot.summary.get(key) == value for key, value in pending.summary.items())
            if own and snapshot.parent_id == pending.expected:
                return snapshot
        raise CommitConflictError(f"run {run_id} has committed to {pending.table} too often; load again.")


def unbound(scan: Scan) -> ir.Table:
    """Return the unbound table that stands for a scan in an expression; its input key is ``scan.table``."""
    database, _, name = scan.table.partition(".")
    schema = pa.schema([field.remove_metadata() for field in scan.schema])
    return ibis.table(ibis.Schema.from_pyarrow(schema), name=name, database=database)
