"""The catalog's port: what tables there are, which files make up each version, and how a version is committed.

Column types are Athena's (Glue's) type texts, for example ``bigint``, ``double``, ``string``, ``array<string>``;
``nextbasket.catalog.types`` converts them to and from Arrow. Table names are ``database.table``.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Protocol

import pyarrow as pa

ICEBERG = "iceberg"
VIEW = "view"
"""The format of a view's definition: it has a statement among its parameters, and no files."""

FORMS = "nextbasket.forms"
"""The parameter of a table read in place that says which files of its location are written differently, or are not
its own; ``catalog.in_place`` reads it."""

STATISTICS = frozenset({"objectCount", "sizeKey", FORMS})
"""Parameters of a table read in place about the files that its last crawl found: new values are no drift."""


@dataclass(frozen=True, slots=True)
class Column:
    """A column: its name, its Athena type text, and a comment."""

    name: str
    type: str
    comment: str = ""


@dataclass(frozen=True, slots=True)
class TableDefinition:
    """What a Glue table holds: columns, partition keys, location, format and its reader's parameters.

    ``format`` is ``iceberg``, ``csv``, ``json`` or ``parquet``. A partition key's values are the folders ``key=value``
    of that name; a key ``partition_n`` stands for plain folders at level n under the location, as Glue has it. A csv
    table has parameters ``delimiter``, ``quote``, ``skip.header.line.count`` (``0`` or ``1``), ``encoding`` and
    ``compression`` (``none``, ``gzip``).
    """

    database: str
    name: str
    columns: tuple[Column, ...]
    location: str
    format: str
    partition_keys: tuple[Column, ...] = ()
    parameters: Mapping[str, str] = field(default_factory=dict)

    @property
    def full_name(self) -> str:
        """``database.table``."""
        return f"{self.database}.{self.name}"


class ChangePolicy(StrEnum):
    """What ``define`` does with a definition that differs from the stored one."""

    UPDATE = "UPDATE"
    LOG = "LOG"


@dataclass(frozen=True, slots=True)
class Drift:
    """How a new definition differs from the stored one; empty everywhere when it does not.

    ``changed`` holds (column, old type, new type); ``altered`` names the other parts that differ: ``location``,
    ``format``, ``parameters``, ``partition_keys``, ``comments``, ``order``.
    """

    table: str
    created: bool = False
    added: tuple[Column, ...] = ()
    removed: tuple[Column, ...] = ()
    changed: tuple[tuple[str, str, str], ...] = ()
    altered: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return self.created or bool(self.added or self.removed or self.changed or self.altered)


class CommitMode(StrEnum):
    """How a commit's files relate to the rows already there.

    ``MERGE_BY_KEY``: the files hold the new rows together with every old row of the data files named in ``replaces``
    that is still valid (copy on write); those data files leave the table in the same commit.
    """

    APPEND = "append"
    OVERWRITE = "overwrite"
    MERGE_BY_KEY = "merge_by_key"


@dataclass(frozen=True, slots=True)
class DataFile:
    """A data file: its URI, its rows (-1 where nobody has counted them: tables read in place), its bytes."""

    uri: str
    rows: int
    bytes: int


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One committed version of a table; ``summary`` carries ``run_id`` and what the committer counted."""

    table: str
    id: int
    parent_id: int | None
    at: datetime
    operation: str
    summary: Mapping[str, str]

    @property
    def run_id(self) -> str | None:
        """The run that committed it."""
        return self.summary.get("run_id")


NULL_PARTITION = "__HIVE_DEFAULT_PARTITION__"
"""The partition value that stands for NULL."""


@dataclass(frozen=True, slots=True)
class FileForm:
    """How files of a table read in place are written, where that differs from the table itself.

    ``columns`` names the columns that the files hold, in the files' order: one that the table lacks is read over, and
    one of the table that they lack is NULL. ``parameters`` are the reader's, as in a definition.
    """

    format: str
    columns: tuple[str, ...]
    parameters: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Scan:
    """What an engine reads: a fixed list of files with their format, schema and reader parameters.

    ``schema`` includes partition columns; ``partitions`` holds, for each file of a partitioned table, its partition
    values by file URI (``NULL_PARTITION`` for NULL). ``forms`` holds, by file URI, how a file is written where it
    differs from the table. ``sources`` gives, by file URI, the landed file that a file was made from: a row's
    ``"$path"``. ``snapshot_id`` is None for tables read in place.
    """

    table: str
    format: str
    files: tuple[DataFile, ...]
    schema: pa.Schema
    snapshot_id: int | None = None
    parameters: Mapping[str, str] = field(default_factory=dict)
    partitions: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    forms: Mapping[str, FileForm] = field(default_factory=dict)
    sources: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class IngestedFile:
    """One file's content as one commit loaded it, with what became of its lines."""

    sha256: str
    table: str
    key: str
    run_id: str
    snapshot_id: int
    at: datetime
    accepted: int = 0
    merged: int = 0
    dropped: Mapping[str, int] = field(default_factory=dict)
    quarantined: int = 0

    def as_texts(self) -> dict[str, str]:
        """Return all values as texts; ``dropped`` is a JSON object of counts by reason."""
        return {
            "sha256": self.sha256,
            "table": self.table,
            "key": self.key,
            "run_id": self.run_id,
            "snapshot_id": str(self.snapshot_id),
            "at": self.at.isoformat(),
            "accepted": str(self.accepted),
            "merged": str(self.merged),
            "dropped": json.dumps(self.dropped, sort_keys=True),
            "quarantined": str(self.quarantined),
        }


class Catalog(Protocol):
    """The catalog. Adapters: ``local`` (pyiceberg's SqlCatalog and SQLite); ``glue`` comes with the AWS home."""

    def table(self, name: str) -> TableDefinition:
        """Return the definition of ``database.table``; raises NotFoundError that names the nearest known table."""
        ...

    def tables(self, database: str | None = None) -> list[TableDefinition]:
        """Return all definitions, of one database if named, ordered by name."""
        ...

    def define(self, definition: TableDefinition, policy: ChangePolicy = ChangePolicy.UPDATE) -> Drift:
        """Create or change a table's definition; returns how it differs from the stored one.

        An Iceberg definition creates the table empty or evolves its columns (added, widened).
        """
        ...

    def drop(self, name: str) -> None:
        """Forget a table; its files stay until swept."""
        ...

    def scan(self, name: str, *, snapshot_id: int | None = None, at: datetime | None = None) -> Scan:
        """Plan a read of the table's current version, or of the named snapshot, or of the one current at a time."""
        ...

    def snapshots(self, name: str) -> list[Snapshot]:
        """Return an Iceberg table's snapshots, oldest first; empty for tables read in place."""
        ...

    def commit(
        self,
        name: str,
        mode: CommitMode,
        files: Sequence[DataFile],
        *,
        run_id: str,
        expected_snapshot: int | None = None,
        check_expected: bool = False,
        replaces: Sequence[str] = (),
        summary: Mapping[str, str] | None = None,
    ) -> Snapshot:
        """Make the files part of the table in one atomic step.

        A run id that already committed to the table returns its earlier snapshot and changes nothing. With
        ``check_expected`` the table's current snapshot must be ``expected_snapshot`` (None: no snapshot yet), else
        CommitConflictError. An unknown data file in ``replaces`` is a CommitConflictError too. A file that is not
        there, does not hold the rows it claims, lacks the table's form or is part of the table already is an
        InputError.

        A load's summary holds its files under ``nextbasket.ingested``: a JSON list of ``{"sha256", "key",
        "accepted", "merged", "dropped": {reason: count}, "quarantined"}``, which the ledger then answers from.
        """
        ...

    def properties(self, name: str) -> Mapping[str, str]:
        """Return the table's properties."""
        ...

    def set_properties(self, name: str, properties: Mapping[str, str]) -> None:
        """Add or replace properties of a table."""
        ...

    def ingested(self, sha256: str, table: str | None = None) -> Mapping[str, str] | None:
        """Return what the ingest ledger holds for a file's content, or None when that content was never loaded.

        With ``table`` only loads into it count. The texts are those of ``IngestedFile.as_texts``; of several loads
        the latest is returned.
        """
        ...

    def ledger(self, table: str | None = None) -> list[IngestedFile]:
        """Return every file content ever loaded, into one table if named, oldest first."""
        ...

    def expire(self, name: str, *, older_than: timedelta, keep_last: int = 1) -> int:
        """Expire the table's snapshots older than ``older_than`` but the last ``keep_last``; returns how many."""
        ...

    def referenced_files(self) -> set[str]:
        """Return the URIs of all files that any snapshot of any table needs: what ``Lake.sweep`` must keep."""
        ...

    def state(self, key: str) -> str | None:
        """Return a value of the small state table (steps' fingerprints), or None."""
        ...

    def set_state(self, key: str, value: str) -> None:
        """Store a value in the state table."""
        ...
