"""The catalog on AWS: Glue's Data Catalog for tables and definitions, Iceberg's own metadata for versions.

Glue has no place for what the local catalog keeps in SQLite: the commits that have expired, the ingest ledger of them,
and steps' fingerprints. They are small texts beside the lake, changed by conditional writes; docs/adr/0005 says why.
Nothing is locked: each change names the version it was made from, and one that comes too late is made again.
"""

import secrets
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any, TypeVar

from nextbasket.catalog import iceberg, ledger
from nextbasket.catalog.base import (
    ICEBERG,
    ChangePolicy,
    CommitMode,
    DataFile,
    Drift,
    IngestedFile,
    Scan,
    Snapshot,
    TableDefinition,
)
from nextbasket.catalog.drift import check_definition, drift_of, evolution_of
from nextbasket.catalog.expired_commits import ExpiredCommits
from nextbasket.catalog.glue_client import GlueTables, talking
from nextbasket.catalog.glue_tables import from_glue, is_iceberg, properties_of
from nextbasket.catalog.iceberg import LostRaceError
from nextbasket.catalog.in_place import scan_in_place
from nextbasket.catalog.metadata import TableMetadata, read_metadata
from nextbasket.catalog.names import split_name
from nextbasket.errors import CommitConflictError, HomeError, InputError, NotFoundError
from nextbasket.lake.aws_access import AwsAccess, is_passing
from nextbasket.lake.base import Lake, Zone
from nextbasket.lake.s3_documents import S3Documents

if TYPE_CHECKING:
    from pyiceberg.catalog.glue import GlueCatalog as IcebergGlueCatalog

TRIES = 30
"""How often a change is made anew when other programs were faster, before it is given up."""

Result = TypeVar("Result")


def wait_a_little(attempt: int) -> None:
    """Sleep a random while that grows with the attempts, at most about two seconds."""
    longest = min(50 * 2**attempt, 2_000)
    time.sleep((longest // 2 + secrets.randbelow(longest)) / 1000)


class GlueCatalog:
    """Tables of one account and region of Glue whose database names start with ``prefix``; files in ``lake``.

    ``documents`` holds what Glue has no place for. ``clock`` returns an aware time; ``wait`` is called between tries
    with the number of the attempt. Threads may share one instance. Raises HomeError when the documents lie inside a
    zone of the lake, where a sweep would delete them.
    """

    def __init__(
        self,
        access: AwsAccess,
        lake: Lake,
        documents: S3Documents,
        clock: Callable[[], datetime],
        *,
        prefix: str = "",
        wait: Callable[[int], None] = wait_a_little,
    ) -> None:
        self._access = access
        self._lake = lake
        self._documents = documents
        self._clock = clock
        self._tables = GlueTables(access, lake, prefix)
        self._expired = ExpiredCommits(documents)
        self._wait = wait
        self._read_metadata = lru_cache(maxsize=256)(partial(read_metadata, lake=lake))
        self._planned = lru_cache(maxsize=256)(self._plan_of)
        with suppress(NotFoundError):  # not found in any zone is what it must be
            zone, _ = lake.locate(documents.uri)
            raise HomeError(f"the catalog's documents at {documents.uri} lie inside the zone {zone.value}; move it.")

    # --- definitions ---------------------------------------------------------------------------------------------

    def table(self, name: str) -> TableDefinition:
        """Return the definition of ``database.table``; raises NotFoundError that names the nearest known table."""
        return self._definition(self._tables.found(name))

    def tables(self, database: str | None = None) -> list[TableDefinition]:
        """Return all definitions, of one database if named, ordered by name."""
        definitions = [self._definition(table) for table in self._tables.all(database)]
        return sorted(definitions, key=lambda definition: (definition.database, definition.name))

    def define(self, definition: TableDefinition, policy: ChangePolicy = ChangePolicy.UPDATE) -> Drift:
        """Create or change a table's definition; returns how it differs from the stored one.

        As the local catalog does it. The partitions of a table read in place are brought up to the folders that are
        there, so that Athena sees them.
        """
        check_definition(definition)
        return self._tried(lambda: self._define(definition, policy))

    def drop(self, name: str) -> None:
        """Forget a table and what was ingested into it; its files stay until swept."""
        table = self._tables.found(name)
        uuid = None
        if is_iceberg(table):
            with suppress(HomeError):  # a damaged table must go, too
                uuid = self._metadata(table).uuid
        self._tables.delete(table)
        if uuid is not None:
            self._expired.forget(uuid)

    def properties(self, name: str) -> Mapping[str, str]:
        """Return the table's properties; those of a table read in place include its reader's parameters."""
        table = self._tables.found(name)
        return {**self._definition(table).parameters, **({} if is_iceberg(table) else properties_of(table))}

    def set_properties(self, name: str, properties: Mapping[str, str]) -> None:
        """Add or replace properties of a table."""

        def change() -> None:
            table = self._tables.found(name)
            if is_iceberg(table):
                with self._load(table).transaction() as transaction:
                    transaction.set_properties(dict(properties))
            else:
                definition = self._definition(table)
                self._tables.update(definition, table, {**properties_of(table), **properties})

        self._tried(change)

    # --- reading -------------------------------------------------------------------------------------------------

    def scan(self, name: str, *, snapshot_id: int | None = None, at: datetime | None = None) -> Scan:
        """Plan a read of the table's current version, or of the named snapshot, or of the one current at a time."""
        table = self._tables.found(name)
        if not is_iceberg(table):
            definition = self._definition(table)
            if snapshot_id is not None or at is not None:
                raise InputError(
                    f"{definition.full_name} is read in place and has no earlier versions; query it without."
                )
            return scan_in_place(definition, self._lake)
        metadata = self._metadata(table)
        if snapshot_id is None and at is None:
            stored, schema = metadata.current(), metadata.arrow_schema()
            if stored is None:
                return Scan(metadata.table, "parquet", (), schema)
        else:
            stored = metadata.version(snapshot_id, at)
            schema = metadata.arrow_schema(stored.schema_id)
        files = self._planned(metadata.table, stored.manifest_list)
        return Scan(metadata.table, "parquet", files, schema, stored.snapshot.id)

    def snapshots(self, name: str) -> list[Snapshot]:
        """Return an Iceberg table's snapshots, oldest first; empty for tables read in place."""
        table = self._tables.found(name)
        return [stored.snapshot for stored in self._metadata(table).snapshots] if is_iceberg(table) else []

    def referenced_files(self) -> set[str]:
        """Return the URIs of all files that any snapshot of any table in this lake needs: what a sweep must keep."""
        uris: set[str] = set()
        for table in self._iceberg_tables():
            with talking("read", table["Name"]):
                uris |= iceberg.referenced(self._metadata(table), self._lake.iceberg_properties())
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

        Glue takes the new metadata file only in place of the version it was made from. When another program was
        faster, everything is checked again and the commit made anew.
        """
        if replaces and mode is not CommitMode.MERGE_BY_KEY:
            raise InputError(f"a commit in mode {mode.value} to {name} cannot replace single files; use merge_by_key.")
        carried = {**(summary or {}), "run_id": run_id}
        ledger.files_of(Snapshot(name, 0, None, datetime.fromtimestamp(0, UTC), mode.value, carried))

        def attempt() -> Snapshot:
            metadata, table = self._current(name)
            for earlier in self._commits(metadata):
                if earlier.run_id == run_id:
                    return earlier
            if check_expected and metadata.current_snapshot_id != expected_snapshot:
                raise CommitConflictError(
                    f"{metadata.table} is at snapshot {metadata.current_snapshot_id}, not {expected_snapshot} as run "
                    f"{run_id} expected: another run committed first; run again to compute from the new version."
                )
            before = metadata.current()
            planned = self._planned(metadata.table, before.manifest_list) if before is not None else ()
            iceberg.commit(table, mode, files, replaces, carried, planned, metadata.table)
            committed = self._read_metadata(metadata.table, table.metadata_location)
            return next(stored.snapshot for stored in reversed(committed.snapshots) if stored.snapshot.run_id == run_id)

        return self._tried(attempt)

    def expire(self, name: str, *, older_than: timedelta, keep_last: int = 1) -> int:
        """Expire the table's snapshots older than ``older_than`` but the last ``keep_last``; returns how many.

        What they recorded is kept first: the ledger and the memory of run ids do not forget them.
        """

        def attempt() -> int:
            metadata, table = self._current(name)
            before = self._clock() - older_than
            old = iceberg.expirable(metadata, before, keep_last)
            if old:
                self._expired.keep(metadata.uuid, old)
                iceberg.expire(table, metadata, before, keep_last)
            return len(old)

        return self._tried(attempt)

    # --- ledger and state ----------------------------------------------------------------------------------------

    def ingested(self, sha256: str, table: str | None = None) -> Mapping[str, str] | None:
        """Return what the ledger holds for a file's content (its latest load, into ``table`` if named), or None."""
        return ledger.settled([file for file in self.ledger(table) if file.sha256 == sha256])

    def ledger(self, table: str | None = None) -> list[IngestedFile]:
        """Return every file content ever loaded, into one table if named, oldest first."""
        database = split_name(table)[0] if table is not None else None
        metadata = [self._metadata(found) for found in self._iceberg_tables(database)]
        wanted = [one for one in metadata if table is None or one.table == table.lower()]
        expired = [commit for one in wanted for commit in self._expired.of(one.table, one.uuid)]
        return ledger.merged_with([file for commit in expired for file in ledger.files_of(commit)], wanted)

    def state(self, key: str) -> str | None:
        """Return a value of the small state table (steps' fingerprints), or None."""
        return self._documents.get(_state(key))

    def set_state(self, key: str, value: str) -> None:
        """Store a value in the state table."""
        self._documents.put(_state(key), value)

    # --- changing ------------------------------------------------------------------------------------------------

    def _define(self, definition: TableDefinition, policy: ChangePolicy) -> Drift:
        table = self._tables.get(definition.database, definition.name)
        stored = self._definition(table) if table is not None else None
        drift = drift_of(stored, definition)
        if table is None or stored is None:
            self._tables.create_database(definition.database)
            if definition.format == ICEBERG:
                location = self._lake.uri(Zone.WAREHOUSE, f"tables/{definition.database}/{definition.name}")
                iceberg.create_table(
                    self._iceberg(),
                    self._tables.glue_name(definition.database),
                    definition.name,
                    (*definition.columns, *definition.partition_keys),
                    [column.name for column in definition.partition_keys],
                    definition.location or location,
                    definition.parameters,
                )
            else:
                self._tables.create(definition)
        elif policy is ChangePolicy.UPDATE and definition.format == ICEBERG and drift:
            evolution = evolution_of(stored, definition, drift)
            iceberg_table = self._load(table)
            if evolution.columns or evolution.comments:
                iceberg.evolve_table(iceberg_table, evolution.columns, evolution.comments)
            if evolution.parameters:
                with iceberg_table.transaction() as transaction:
                    transaction.set_properties(dict(evolution.parameters))
        elif policy is ChangePolicy.UPDATE and definition.format != ICEBERG and definition != stored:
            self._tables.update(definition, table, properties_of(table))
        if definition.format != ICEBERG and definition.partition_keys:
            self._tables.sync_partitions(self.table(definition.full_name))
        return drift

    def _tried(self, change: Callable[[], Result]) -> Result:
        """Return what ``change`` returns, which is made again from the start when another program was faster.

        So it is after a fault of Glue's: it may have carried out what it reports as failed, which ``change`` finds.
        """
        from botocore.exceptions import ClientError
        from pyiceberg.exceptions import CommitFailedException

        lost: Exception | None = None
        for attempt in range(TRIES):
            if attempt:
                self._wait(attempt)
            try:
                with talking("change", "the Glue catalog"):
                    try:
                        return change()
                    except ClientError as error:
                        if not is_passing(error):
                            raise
                        lost = error
            except (LostRaceError, CommitFailedException) as error:
                lost = error
        raise CommitConflictError(
            f"Glue refused the change {TRIES} times in a row, or other programs were faster ({lost}); run again."
        ) from lost

    # --- inside --------------------------------------------------------------------------------------------------

    def _iceberg_tables(self, database: str | None = None) -> list[dict[str, Any]]:
        return [table for table in self._tables.all(database) if is_iceberg(table)]

    def _definition(self, table: Mapping[str, Any]) -> TableDefinition:
        if is_iceberg(table):
            return iceberg.definition_of(self._metadata(table))
        return from_glue(table, self._tables.database_of(table))

    def _metadata(self, table: Mapping[str, Any]) -> TableMetadata:
        return self._read_metadata(self._tables.full_name(table), table["Parameters"]["metadata_location"])

    def _plan_of(self, table: str, manifest_list: str) -> tuple[DataFile, ...]:
        with talking("read", table):
            return iceberg.plan(table, manifest_list, self._lake.iceberg_properties())

    def _current(self, name: str) -> "tuple[TableMetadata, Any]":
        """Return an Iceberg table's metadata and pyiceberg's table, both of the same version."""
        found = self._tables.found(name)
        if not is_iceberg(found):
            definition = self._definition(found)
            raise InputError(f"{name} is a {definition.format} table, read in place; only Iceberg tables take commits.")
        table = self._load(found)
        return self._read_metadata(self._tables.full_name(found), table.metadata_location), table

    def _commits(self, metadata: TableMetadata) -> Iterator[Snapshot]:
        yield from (stored.snapshot for stored in metadata.snapshots)
        yield from self._expired.of(metadata.table, metadata.uuid)

    def _load(self, table: Mapping[str, Any]) -> Any:
        from pyiceberg.exceptions import NoSuchTableError

        try:
            return self._iceberg().load_table((table["DatabaseName"], table["Name"]))
        except NoSuchTableError as error:
            raise NotFoundError(f"{self._tables.full_name(table)} was dropped by another program just now.") from error

    def _iceberg(self) -> "IcebergGlueCatalog":
        from pyiceberg.catalog.glue import GlueCatalog as IcebergGlueCatalog

        # A new one each time: it holds the credentials of this moment, which may be short-lived.
        return IcebergGlueCatalog(
            iceberg.CATALOG_NAME,
            client=self._access.glue_once,
            warehouse=self._lake.uri(Zone.WAREHOUSE, "tables"),
            **{"py-io-impl": "pyiceberg.io.pyarrow.PyArrowFileIO"},
            **self._lake.iceberg_properties(),
        )


def _state(key: str) -> str:
    return f"state/{key}"
