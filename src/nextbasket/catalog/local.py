"""The catalog on a laptop: Iceberg tables through pyiceberg, everything else in the same SQLite file of the home.

The tables' files are wherever the lake keeps them, in the home or on S3.

Reading never locks and never writes. Every change holds ``catalog.lock`` of the home: a file lock that the operating
system takes back when its holder dies, so a killed command leaves the old version or the new one and blocks nobody.
"""

import json
import os
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta
from functools import lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filelock import FileLock, Timeout

from nextbasket.catalog import iceberg, ledger
from nextbasket.catalog.base import (
    ICEBERG,
    ChangePolicy,
    Column,
    CommitMode,
    DataFile,
    Drift,
    IngestedFile,
    Scan,
    Snapshot,
    TableDefinition,
)
from nextbasket.catalog.database import BUSY_SECONDS, CatalogDatabase, database_error, has_table
from nextbasket.catalog.drift import check_definition, drift_of, evolution_of
from nextbasket.catalog.in_place import scan_in_place
from nextbasket.catalog.metadata import TableMetadata, read_metadata
from nextbasket.catalog.names import no_such_table, split_name
from nextbasket.errors import CommitConflictError, HomeError, InputError, NotFoundError
from nextbasket.lake.base import Lake, Zone
from nextbasket.lake.faults import home_errors

if TYPE_CHECKING:
    from pyiceberg.catalog.sql import SqlCatalog
    from pyiceberg.table import Table

LOCK_SECONDS = 300.0
"""How long a change waits for another one's lock; a commit holds it for about a tenth of a second."""


class LocalCatalog:
    """Tables of the shop home: ``catalog.db`` and ``catalog.lock`` in ``home``, files in ``lake``.

    ``clock`` returns an aware time; it decides which snapshots are old enough to expire. One instance may be shared
    by threads.
    """

    def __init__(self, home: Path, lake: Lake, clock: Callable[[], datetime]) -> None:
        self._home = Path(os.path.abspath(home))  # noqa: PTH100 - resolve() would follow a link the user chose
        self._lake = lake
        self._clock = clock
        self._database = CatalogDatabase(self._home / "catalog.db")
        self._iceberg_catalog: SqlCatalog | None = None
        self._read_metadata = lru_cache(maxsize=256)(partial(read_metadata, lake=lake))
        self._planned = lru_cache(maxsize=256)(self._plan_of)

    # --- definitions ---------------------------------------------------------------------------------------------

    def table(self, name: str) -> TableDefinition:
        """Return the definition of ``database.table``; raises NotFoundError that names the nearest known table."""
        database, table = split_name(name)
        uri = self._locations(database, table).get((database, table))
        if uri is not None:
            return iceberg.definition_of(self._metadata(f"{database}.{table}", uri))
        found = self._in_place(database, table)
        if not found:
            raise self._not_found(name)
        return found[0]

    def tables(self, database: str | None = None) -> list[TableDefinition]:
        """Return all definitions, of one database if named, ordered by name."""
        definitions = self._in_place(database)
        for (owner, table), uri in self._locations(database).items():
            definitions.append(iceberg.definition_of(self._metadata(f"{owner}.{table}", uri)))
        return sorted(definitions, key=lambda definition: (definition.database, definition.name))

    def define(self, definition: TableDefinition, policy: ChangePolicy = ChangePolicy.UPDATE) -> Drift:
        """Create or change a table's definition; returns how it differs from the stored one.

        An Iceberg table gains columns and widens types (``int`` to ``bigint``, ``float`` to ``double``, more digits);
        a column that the new definition lacks is reported and stays, since its data does. Raises InputError for a
        change that would need the data rewritten. A table read in place takes the new definition as it is. With
        ``LOG`` a table that exists is left alone; one that does not is created all the same.
        """
        check_definition(definition)
        with self._changing():
            try:
                stored: TableDefinition | None = self.table(definition.full_name)
            except NotFoundError:
                stored = None
            drift = drift_of(stored, definition)
            if stored is None or policy is ChangePolicy.UPDATE:
                if definition.format != ICEBERG:
                    if definition != stored:  # new statistics are kept, too, though they are no drift
                        self._define_in_place(definition)
                elif drift:
                    self._define_iceberg(stored, definition, drift)
        return drift

    def drop(self, name: str) -> None:
        """Forget a table and what was ingested into it; its files stay until swept."""
        database, table = split_name(name)
        with self._changing():
            # Without reading the metadata file: a damaged table must go, too.
            is_iceberg = (database, table) in self._locations(database, table)
            if not is_iceberg and not self._in_place(database, table):
                raise self._not_found(name)
            with self._database.writing() as connection:
                ledger.forget(connection, f"{database}.{table}")
                connection.execute("DELETE FROM table_definitions WHERE database = ? AND name = ?", (database, table))
            if is_iceberg:
                self._iceberg().drop_table((database, table))

    def properties(self, name: str) -> Mapping[str, str]:
        """Return the table's properties; those of a table read in place include its reader's parameters."""
        definition = self.table(name)
        if definition.format == ICEBERG:
            return dict(definition.parameters)
        with self._database.reading() as connection:
            (text,) = connection.execute(
                "SELECT properties FROM table_definitions WHERE database = ? AND name = ?",
                (definition.database, definition.name),
            ).fetchone()
        return {**definition.parameters, **json.loads(text)}

    def set_properties(self, name: str, properties: Mapping[str, str]) -> None:
        """Add or replace properties of a table."""
        database, table = split_name(name)
        with self._changing():
            definition = self.table(name)
            if definition.format == ICEBERG:
                iceberg_table = self._load(database, table)
                with iceberg_table.transaction() as transaction:
                    transaction.set_properties(dict(properties))
                self._index(definition.full_name)
                return
            with self._database.writing() as connection:
                (text,) = connection.execute(
                    "SELECT properties FROM table_definitions WHERE database = ? AND name = ?", (database, table)
                ).fetchone()
                connection.execute(
                    "UPDATE table_definitions SET properties = ? WHERE database = ? AND name = ?",
                    (json.dumps({**json.loads(text), **properties}), database, table),
                )

    # --- reading -------------------------------------------------------------------------------------------------

    def scan(self, name: str, *, snapshot_id: int | None = None, at: datetime | None = None) -> Scan:
        """Plan a read of the table's current version, or of the named snapshot, or of the one current at a time.

        The schema of an earlier snapshot is the one it was written with. The files of a table read in place are
        those in its location now, without hidden ones (names that start with ``.`` or ``_``, as Athena has it); their
        row count is -1.
        """
        database, table = split_name(name)
        full_name = f"{database}.{table}"
        uri = self._locations(database, table).get((database, table))
        if uri is None:
            return self._scan_in_place(self.table(name), snapshot_id, at)
        metadata = self._metadata(full_name, uri)
        if snapshot_id is None and at is None:
            stored = metadata.current()
            if stored is None:
                return Scan(full_name, "parquet", (), metadata.arrow_schema())
            schema = metadata.arrow_schema()
        else:
            stored = metadata.version(snapshot_id, at)
            schema = metadata.arrow_schema(stored.schema_id)
        return Scan(full_name, "parquet", self._planned(full_name, stored.manifest_list), schema, stored.snapshot.id)

    def snapshots(self, name: str) -> list[Snapshot]:
        """Return an Iceberg table's snapshots, oldest first; empty for tables read in place."""
        metadata = self._iceberg_metadata(name)
        return [stored.snapshot for stored in metadata.snapshots] if metadata is not None else []

    def referenced_files(self) -> set[str]:
        """Return the URIs of all files that any snapshot of any table needs: what a sweep must keep."""
        uris: set[str] = set()
        for (database, table), uri in self._locations().items():
            uris |= iceberg.referenced(self._metadata(f"{database}.{table}", uri), self._lake.iceberg_properties())
        return uris

    # --- commits -------------------------------------------------------------------------------------------------

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
        """Make the files part of the table in one atomic step; see the port.

        Each file must be there, whole, with the rows it claims and the table's columns, and not yet be part of the
        table (InputError). What ``summary`` holds under ``nextbasket.ingested`` enters the ingest ledger.
        """
        if replaces and mode is not CommitMode.MERGE_BY_KEY:
            raise InputError(f"a commit in mode {mode.value} to {name} cannot replace single files; use merge_by_key.")
        database, table = split_name(name)
        full_name = f"{database}.{table}"
        carried = {**(summary or {}), "run_id": run_id}
        ledger.files_of(Snapshot(full_name, 0, None, datetime.fromtimestamp(0, UTC), mode.value, carried))
        with self._changing():
            if (database, table) not in self._locations(database, table):
                raise self._not_iceberg(name)
            metadata = self._index(full_name)
            with self._database.reading() as connection:
                earlier = ledger.commit_of(connection, full_name, run_id)
            if earlier is not None:
                return earlier
            current = metadata.current_snapshot_id
            if check_expected and current != expected_snapshot:
                raise CommitConflictError(
                    f"{full_name} is at snapshot {current}, not {expected_snapshot} as run {run_id} expected: "
                    "another run committed first; run again to compute from the new version."
                )
            before = metadata.current()
            planned = self._planned(full_name, before.manifest_list) if before is not None else ()
            iceberg_table = self._load(database, table)
            if iceberg_table.metadata_location != metadata.uri:
                raise CommitConflictError(f"another program changed {full_name} without the home's lock; run again.")
            now_in_table = iceberg.commit(iceberg_table, mode, files, replaces, carried, planned)
            metadata = self._index(full_name, committed=(run_id, now_in_table))
            for stored in reversed(metadata.snapshots):
                if stored.snapshot.run_id == run_id:
                    return stored.snapshot
        raise HomeError(f"{full_name} lost its commit by run {run_id} to a program that takes no lock; run it again.")

    def expire(self, name: str, *, older_than: timedelta, keep_last: int = 1) -> int:
        """Expire the table's snapshots older than ``older_than`` but the last ``keep_last``; returns how many.

        The ledger and the memory of run ids keep what expired commits recorded; ``Lake.sweep`` removes the files.
        """
        database, table = split_name(name)
        with self._changing():
            if (database, table) not in self._locations(database, table):
                raise self._not_iceberg(name)
            metadata = self._index(f"{database}.{table}")
            before = self._clock() - older_than
            expired = iceberg.expire(self._load(database, table), metadata, before, keep_last)
            self._index(f"{database}.{table}")
        return expired

    # --- ledger and state ----------------------------------------------------------------------------------------

    def ingested(self, sha256: str, table: str | None = None) -> Mapping[str, str] | None:
        """Return what the ledger holds for a file's content (its latest load, into ``table`` if named), or None.

        Keys: ``sha256``, ``table``, ``key``, ``run_id``, ``snapshot_id``, ``at``, ``accepted``, ``merged``,
        ``dropped`` (JSON object of counts by reason), ``quarantined``.
        """
        return ledger.settled(self._ledger(sha256=sha256, table=table))

    def ledger(self, table: str | None = None) -> list[IngestedFile]:
        """Return every file content ever loaded, into one table if named, oldest first."""
        return self._ledger(table=table)

    def state(self, key: str) -> str | None:
        """Return a value of the small state table (steps' fingerprints), or None."""
        if not self._database.exists():
            return None
        with self._database.reading() as connection:
            row = connection.execute("SELECT value FROM state WHERE key = ?", (key,)).fetchone()
        return row[0] if row is not None else None

    def set_state(self, key: str, value: str) -> None:
        """Store a value in the state table."""
        self._create()
        with self._database.writing() as connection:
            connection.execute("INSERT OR REPLACE INTO state VALUES (?, ?)", (key, value))

    # --- inside --------------------------------------------------------------------------------------------------

    def _define_iceberg(self, stored: TableDefinition | None, definition: TableDefinition, drift: Drift) -> None:
        if stored is None:
            location = definition.location or self._lake.uri(
                Zone.WAREHOUSE, f"tables/{definition.database}/{definition.name}"
            )
            iceberg.create_table(
                self._iceberg(),
                definition.database,
                definition.name,
                (*definition.columns, *definition.partition_keys),
                [column.name for column in definition.partition_keys],
                location,
                definition.parameters,
            )
            self._index(definition.full_name)
            return
        evolution = evolution_of(stored, definition, drift)
        table = self._load(definition.database, definition.name)
        if evolution.columns or evolution.comments:
            iceberg.evolve_table(table, evolution.columns, evolution.comments)
        if evolution.parameters:
            with table.transaction() as transaction:
                transaction.set_properties(dict(evolution.parameters))
        self._index(definition.full_name)

    def _define_in_place(self, definition: TableDefinition) -> None:
        with self._database.writing() as connection:
            connection.execute(
                "INSERT INTO table_definitions (database, name, definition) VALUES (?, ?, ?) "
                "ON CONFLICT DO UPDATE SET definition = excluded.definition",
                (definition.database, definition.name, _to_json(definition)),
            )

    def _in_place(self, database: str | None = None, table: str | None = None) -> list[TableDefinition]:
        if not self._database.exists():
            return []
        with self._database.reading() as connection:
            rows = connection.execute(
                "SELECT definition FROM table_definitions "
                "WHERE (?1 IS NULL OR database = ?1) AND (?2 IS NULL OR name = ?2)",
                (database, table),
            ).fetchall()
        return [_from_json(text) for (text,) in rows]

    def _scan_in_place(self, definition: TableDefinition, snapshot_id: int | None, at: datetime | None) -> Scan:
        if snapshot_id is not None or at is not None:
            raise InputError(f"{definition.full_name} is read in place and has no earlier versions; query it without.")
        return scan_in_place(definition, self._lake)

    def _locations(self, database: str | None = None, table: str | None = None) -> dict[tuple[str, str], str]:
        """Return where the current metadata file of each Iceberg table is, as pyiceberg's own table has it."""
        if not self._database.path.is_file():
            return {}
        with self._database.reading() as connection:
            if not has_table(connection, "iceberg_tables"):
                return {}
            rows = connection.execute(
                "SELECT table_namespace, table_name, metadata_location FROM iceberg_tables "
                "WHERE (?1 IS NULL OR table_namespace = ?1) AND (?2 IS NULL OR table_name = ?2)",
                (database, table),
            )
            return {(owner, name): uri for owner, name, uri in rows}

    def _metadata(self, table: str, uri: str) -> TableMetadata:
        return self._read_metadata(table, uri)

    def _plan_of(self, table: str, manifest_list: str) -> tuple[DataFile, ...]:
        """Return a snapshot's files: the current one's are kept in SQLite, which spares pyiceberg's import."""
        with self._database.reading() as connection:
            row = connection.execute(
                "SELECT files FROM plans WHERE table_name = ? AND manifest_list = ?", (table, manifest_list)
            ).fetchone()
        if row is not None:
            return tuple(DataFile(uri, rows, size) for uri, rows, size in json.loads(row[0]))
        return iceberg.plan(table, manifest_list, self._lake.iceberg_properties())

    def _iceberg_metadata(self, name: str) -> TableMetadata | None:
        database, table = split_name(name)
        uri = self._locations(database, table).get((database, table))
        if uri is None:
            self.table(name)  # says so when there is no such table at all
            return None
        return self._metadata(f"{database}.{table}", uri)

    def _index(self, table: str, committed: tuple[str, tuple[DataFile, ...]] | None = None) -> TableMetadata:
        """Bring the ledger and the kept plan up to the table's current metadata file; the caller holds the lock.

        ``committed`` is the run that has just committed and the files that the table then holds, which spares reading
        them back.
        """
        metadata = self._iceberg_metadata(table)
        if metadata is None:
            raise self._not_iceberg(table)
        with self._database.reading() as connection:
            position = connection.execute(
                "SELECT metadata_location FROM ledger_position WHERE table_name = ?", (table,)
            ).fetchone()
        if position is not None and position[0] == metadata.uri:
            return metadata
        current = metadata.current()
        files: tuple[DataFile, ...] = ()
        if current is not None and committed is not None and current.snapshot.run_id == committed[0]:
            files = committed[1]
        elif current is not None:
            files = self._planned(table, current.manifest_list)
        with self._database.writing() as connection:
            ledger.record(connection, metadata)
            if current is not None:
                plan = json.dumps([(file.uri, file.rows, file.bytes) for file in files])
                connection.execute(
                    "INSERT OR REPLACE INTO plans VALUES (?, ?, ?)", (table, current.manifest_list, plan)
                )
        return metadata

    def _ledger(self, *, sha256: str | None = None, table: str | None = None) -> list[IngestedFile]:
        if not self._database.exists():
            return []
        with self._database.reading() as connection:
            behind = _behind(connection)
            if not behind:
                return ledger.read(connection, sha256=sha256, table=table)
        if os.access(self._home, os.W_OK) and os.access(self._database.path, os.W_OK):
            with self._changing():
                for name in behind:
                    self._index(name)
            behind = {}
        with self._database.reading() as connection:
            indexed = ledger.read(connection, sha256=sha256, table=table)
        # A home that cannot be written is still read: from the snapshots themselves.
        merged = ledger.merged_with(indexed, [self._metadata(name, uri) for name, uri in behind.items()])
        return [file for file in merged if sha256 in (None, file.sha256) and table in (None, file.table)]

    def _iceberg(self) -> "SqlCatalog":
        properties = self._lake.iceberg_properties()
        # Made anew where properties hold credentials, which may be short-lived.
        if self._iceberg_catalog is None or properties:
            warehouse = self._lake.uri(Zone.WAREHOUSE, "tables")
            self._iceberg_catalog = iceberg.open_catalog(self._database.path, warehouse, BUSY_SECONDS, properties)
        return self._iceberg_catalog

    def _load(self, database: str, table: str) -> "Table":
        return self._iceberg().load_table((database, table))

    def _create(self) -> None:
        if not self._database.exists():
            with home_errors("write", self._home):
                self._home.mkdir(parents=True, exist_ok=True)
            self._database.create()

    @contextmanager
    def _changing(self) -> Iterator[None]:
        """Hold the home's lock, with the database there."""
        self._create()
        path = self._home / "catalog.lock"
        with home_errors("write", path):
            lock = FileLock(path, timeout=LOCK_SECONDS, poll_interval=0.01)
            try:
                lock.acquire()
            except Timeout as error:
                raise HomeError(
                    f"another program has held {path} for {LOCK_SECONDS:.0f} s; wait for it or end it, then try again."
                ) from error
        try:
            with home_errors("write to", self._home):
                yield
        except Exception as error:
            # SQLAlchemy wraps SQLite's refusal in an error of its own.
            refusal = getattr(error, "orig", None)
            translated = isinstance(refusal, sqlite3.DatabaseError) and database_error(refusal, self._database.path)
            if not translated:
                raise
            raise translated from error
        finally:
            lock.release()

    def _not_found(self, name: str) -> NotFoundError:
        known = [".".join(found) for found in self._locations()]
        known += [definition.full_name for definition in self._in_place()]
        return no_such_table(name, known)

    def _not_iceberg(self, name: str) -> Exception:
        try:
            definition = self.table(name)
        except NotFoundError as error:
            return error
        return InputError(f"{name} is a {definition.format} table, read in place; only Iceberg tables take commits.")


def _behind(connection: sqlite3.Connection) -> dict[str, str]:
    """Return the tables whose ledger is not up to their current metadata file: a committer was killed."""
    if not has_table(connection, "iceberg_tables"):
        return {}
    rows = connection.execute(
        "SELECT t.table_namespace || '.' || t.table_name, t.metadata_location FROM iceberg_tables t "
        "LEFT JOIN ledger_position p ON p.table_name = t.table_namespace || '.' || t.table_name "
        "WHERE p.metadata_location IS NOT t.metadata_location"
    )
    return dict(rows.fetchall())


def _to_json(definition: TableDefinition) -> str:
    return json.dumps(asdict(replace(definition, parameters=dict(definition.parameters))), ensure_ascii=False)


def _from_json(text: str) -> TableDefinition:
    raw: dict[str, Any] = json.loads(text)
    return TableDefinition(
        database=raw["database"],
        name=raw["name"],
        columns=tuple(Column(**column) for column in raw["columns"]),
        location=raw["location"],
        format=raw["format"],
        partition_keys=tuple(Column(**column) for column in raw["partition_keys"]),
        parameters=raw["parameters"],
    )
