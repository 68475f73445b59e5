"""Iceberg tables through pyiceberg: create, evolve, commit, plan, expire.

pyiceberg is imported inside the functions: it takes about a second, which a command that only reads definitions
should not pay. Nothing here locks; ``nextbasket.catalog.local`` calls the writing functions under the home's lock.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, cast

import pyarrow as pa

from nextbasket.catalog.base import ICEBERG, Column, CommitMode, DataFile, Snapshot, TableDefinition
from nextbasket.catalog.metadata import TableMetadata
from nextbasket.catalog.types import FIELD_ID, to_arrow
from nextbasket.errors import CommitConflictError, InputError

if TYPE_CHECKING:
    from pyiceberg.catalog import Catalog
    from pyiceberg.catalog.sql import SqlCatalog
    from pyiceberg.io import FileIO
    from pyiceberg.manifest import DataFile as IcebergDataFile
    from pyiceberg.manifest import ManifestEntry, ManifestFile
    from pyiceberg.table import Table

CATALOG_NAME = "nextbasket"

_TABLE_PROPERTIES = {
    # Many small daily appends would otherwise leave one manifest each, and every plan would open them all at about
    # a millisecond apiece.
    "commit.manifest-merge.enabled": "true",
    "commit.manifest.min-count-to-merge": "10",
    # A retry inside pyiceberg would skip our checks against the version the caller expected.
    "commit.retry.num-retries": "0",
    "write.metadata.delete-after-commit.enabled": "true",
    "write.metadata.previous-versions-max": "20",
}
_INTERNAL_PROPERTIES = (*_TABLE_PROPERTIES, "schema.name-mapping.default")
_RESERVED_SUMMARY = ("added-", "deleted-", "removed-", "total-", "changed-", "partitions.", "partition-summaries")

_FIELD_DOC = b"doc"


class LostRaceError(CommitConflictError):
    """Another writer was faster at the very moment of a commit: the same commit tried again may succeed."""


def open_catalog(database: Path, warehouse: str, busy_seconds: float, properties: Mapping[str, str]) -> SqlCatalog:
    """Return pyiceberg's catalog in the SQLite file ``database``, creating its two tables if they are not there.

    ``properties`` say how the lake's files are opened.
    """
    from pyiceberg.catalog.sql import SqlCatalog
    from sqlalchemy import URL, create_engine
    from sqlalchemy.pool import NullPool

    url = URL.create("sqlite", database=str(database))
    catalog = SqlCatalog(CATALOG_NAME, uri=url.render_as_string(), warehouse=warehouse, **properties)
    # A connection for each statement, closed after it: none is left open or shared with a forked process.
    catalog.engine.dispose()
    catalog.engine = create_engine(url, poolclass=NullPool, connect_args={"timeout": busy_seconds})
    return catalog


def public_properties(properties: Mapping[str, str]) -> dict[str, str]:
    """Return the properties that people set, without those that steer pyiceberg."""
    return {key: value for key, value in properties.items() if key not in _INTERNAL_PROPERTIES}


def definition_of(metadata: TableMetadata) -> TableDefinition:
    """Return the definition of the table that a metadata file describes."""
    database, _, name = metadata.table.partition(".")
    columns = metadata.columns()
    keys = set(metadata.partition_columns)
    return TableDefinition(
        database=database,
        name=name,
        columns=tuple(column for column in columns if column.name not in keys),
        location=metadata.location,
        format=ICEBERG,
        partition_keys=tuple(column for column in columns if column.name in keys),
        parameters=public_properties(metadata.properties),
    )


def create_table(
    catalog: Catalog,
    database: str,
    name: str,
    columns: Sequence[Column],
    partition_columns: Sequence[str],
    location: str,
    properties: Mapping[str, str],
) -> None:
    """Create an empty table, partitioned by the plain values of ``partition_columns``; all columns are optional."""
    from pyiceberg.exceptions import TableAlreadyExistsError
    from pyiceberg.transforms import IdentityTransform

    catalog.create_namespace_if_not_exists((database,))
    try:
        with catalog.create_table_transaction(
            (database, name),
            schema=pa.schema([_documented(column) for column in columns]),
            location=location,
            properties={**properties, **_TABLE_PROPERTIES},
        ) as transaction:
            if partition_columns:
                with transaction.update_spec() as spec:
                    for column in partition_columns:
                        spec.add_field(column, IdentityTransform(), column)
    except TableAlreadyExistsError as error:
        raise LostRaceError(f"{database}.{name} was created by another program just now; try again.") from error


def evolve_table(table: Table, columns: Sequence[Column], comments: Mapping[str, str]) -> None:
    """Add new columns, widen those that may be widened, and set comments by column name, in one commit."""
    with table.update_schema() as update:
        if columns:
            update.union_by_name(pa.schema([_documented(column) for column in columns]))
        for name, comment in comments.items():
            update.update_column(name, doc=comment)


def is_widening(old: pa.DataType, new: pa.DataType) -> bool:
    """Say whether Iceberg (format version 2) reads files of type ``old`` as ``new``, so that nothing is rewritten.

    Integers widen to bigint, float to double, decimals to more digits before the point, structs by new fields.
    """
    if old == new:
        return True
    if pa.types.is_integer(old):
        return bool(pa.types.is_integer(new) and old.bit_width <= new.bit_width)
    if pa.types.is_float32(old):
        return bool(pa.types.is_float64(new))
    if pa.types.is_decimal(old) and pa.types.is_decimal(new):
        return bool(old.scale == new.scale and old.precision <= new.precision)
    if pa.types.is_struct(old) and pa.types.is_struct(new):
        types = {field.name: field.type for field in new}
        return all(field.name in types and is_widening(field.type, types[field.name]) for field in old)
    if pa.types.is_list(old) and pa.types.is_list(new):
        return is_widening(old.value_type, new.value_type)
    if pa.types.is_map(old) and pa.types.is_map(new):
        return old.key_type.equals(new.key_type) and is_widening(old.item_type, new.item_type)
    return False


def stored_type(data_type: pa.DataType) -> pa.DataType:
    """Return the type that Iceberg keeps a column in: it has no tinyint and smallint, both become int."""
    if pa.types.is_integer(data_type) and data_type.bit_width < 32:
        return pa.int32()
    if pa.types.is_struct(data_type):
        return pa.struct([field.with_type(stored_type(field.type)) for field in data_type])
    if pa.types.is_list(data_type):
        return pa.list_(pa.field("element", stored_type(data_type.value_type)))
    if pa.types.is_map(data_type):
        return pa.map_(stored_type(data_type.key_type), stored_type(data_type.item_type))
    return data_type


def commit(
    table: Table,
    mode: CommitMode,
    files: Sequence[DataFile],
    replaces: Sequence[str],
    summary: Mapping[str, str],
    planned: Sequence[DataFile],
    name: str | None = None,
) -> tuple[DataFile, ...]:
    """Make the files part of the table in one snapshot whose summary carries ``summary``; return its files.

    ``planned`` are the files of the table's current snapshot; ``name`` is what errors call the table.
    Raises InputError for files that are missing, not as described, already part of the table or of another schema;
    CommitConflictError when another writer was faster or a replaced file is no longer there.
    """
    from pyiceberg.exceptions import CommitFailedException, ValidationException

    name = name or ".".join(table.name())
    reserved = [key for key in summary if key == "operation" or key.startswith(_RESERVED_SUMMARY)]
    if reserved:
        raise InputError(f"the summary of a commit to {name} may not hold Iceberg's own keys: {', '.join(reserved)}.")
    if mode is CommitMode.OVERWRITE:
        kept: list[DataFile] = []
    else:
        leaving = set(replaces)
        kept = [file for file in planned if file.uri not in leaving]
        missing = sorted(leaving - {file.uri for file in planned})
        if missing:
            raise CommitConflictError(
                f"{len(missing)} of the {len(leaving)} data files to replace are no longer part of {name} "
                f"({missing[0]}): another run changed it; run again to compute from the new version."
            )
    added = _checked(table, name, files, {file.uri for file in planned})
    removed: list[IcebergDataFile] = []
    if len(kept) < len(planned):
        staying = {file.uri for file in kept}
        removed = [data_file for uri, data_file in _current_files(table).items() if uri not in staying]
    try:
        with table.transaction() as transaction:
            if transaction.table_metadata.name_mapping() is None:
                # For files without field ids (and engines that ask for it): columns are found by name.
                mapping = transaction.table_metadata.schema().name_mapping.model_dump_json()
                transaction.set_properties({"schema.name-mapping.default": mapping})
            update = transaction.update_snapshot(snapshot_properties=dict(summary))
            producer = update.merge_append() if mode is CommitMode.APPEND else update.overwrite()
            with producer:
                for data_file in removed:
                    producer.delete_data_file(data_file)
                for data_file in added:
                    producer.append_data_file(data_file)
    except (CommitFailedException, ValidationException) as error:
        raise LostRaceError(
            f"another program committed to {name} first; run again to compute from the new version."
        ) from error
    return (*kept, *sorted(files, key=lambda file: file.uri))


def _current_files(table: Table) -> dict[str, IcebergDataFile]:
    """Return the data files of the table's current snapshot by URI."""
    snapshot = table.current_snapshot()
    if snapshot is None:
        return {}
    entries = _live_entries(table.io, snapshot.manifests(table.io), ".".join(table.name()))
    return {entry.data_file.file_path: entry.data_file for entry in entries}


def plan(table: str, manifest_list: str, properties: Mapping[str, str]) -> tuple[DataFile, ...]:
    """Return the data files of the snapshot with that manifest list, in the order in which they were added.

    ``properties`` say how the lake's files are opened.
    """
    from pyiceberg.io.pyarrow import PyArrowFileIO
    from pyiceberg.manifest import read_manifest_list

    io = PyArrowFileIO(dict(properties))
    entries = _live_entries(io, read_manifest_list(io.new_input(manifest_list)), table)
    return tuple(
        DataFile(entry.data_file.file_path, entry.data_file.record_count, entry.data_file.file_size_in_bytes)
        for entry in sorted(entries, key=lambda entry: (entry.sequence_number or 0, entry.data_file.file_path))
    )


def referenced(metadata: TableMetadata, properties: Mapping[str, str]) -> set[str]:
    """Return the URIs of all files that the table's snapshots need: metadata, manifest lists, manifests, data.

    ``properties`` say how the lake's files are opened.
    """
    from pyiceberg.io.pyarrow import PyArrowFileIO
    from pyiceberg.manifest import read_manifest_list

    io = PyArrowFileIO(dict(properties))
    uris = {metadata.uri, *metadata.earlier_files}
    for stored in metadata.snapshots:
        uris.add(stored.manifest_list)
        for manifest in read_manifest_list(io.new_input(stored.manifest_list)):
            if manifest.manifest_path not in uris:
                uris.add(manifest.manifest_path)
                uris.update(entry.data_file.file_path for entry in manifest.fetch_manifest_entry(io))
    return uris


def expire(table: Table, metadata: TableMetadata, before: datetime, keep_last: int) -> int:
    """Expire the snapshots older than ``before`` but the last ``keep_last`` and the current one; return how many."""
    old = expirable(metadata, before, keep_last)
    if old:
        table.maintenance.expire_snapshots().by_ids([snapshot.id for snapshot in old]).commit()
    return len(old)


def expirable(metadata: TableMetadata, before: datetime, keep_last: int) -> list[Snapshot]:
    """Return the snapshots older than ``before`` but the last ``keep_last`` and the current one."""
    kept = {stored.snapshot.id for stored in metadata.snapshots[-max(keep_last, 1) :]} | {metadata.current_snapshot_id}
    return [
        stored.snapshot
        for stored in metadata.snapshots
        if stored.snapshot.at < before and stored.snapshot.id not in kept
    ]


def _live_entries(io: FileIO, manifests: Iterable[ManifestFile], table: str) -> Iterator[ManifestEntry]:
    from pyiceberg.manifest import ManifestContent

    for manifest in manifests:
        if manifest.content is not ManifestContent.DATA:
            raise InputError(
                f"{table} has row-level deletes, written by another program, which nextbasket does not read; "
                "compact it there first."
            )
        yield from manifest.fetch_manifest_entry(io, discard_deleted=True)


def _checked(table: Table, name: str, files: Sequence[DataFile], current: Set[str]) -> list[IcebergDataFile]:
    import pyarrow.parquet as pq
    from pyiceberg.io.pyarrow import parquet_file_to_data_file

    times = Counter(file.uri for file in files)
    twice = [uri for uri, count in times.items() if count > 1 or uri in current]
    if twice:
        raise InputError(f"{twice[0]} is already part of {name}; a data file can be committed once.")
    names_by_id = {field.field_id: field.name for field in table.schema().fields}
    checked = []
    for file in files:
        try:
            with table.io.new_input(file.uri).open() as stream:
                footer = pq.read_metadata(cast(BinaryIO, stream))
        except FileNotFoundError as error:
            raise InputError(f"the data file {file.uri} for {name} is not there; write it again.") from error
        except pa.ArrowInvalid as error:
            raise InputError(
                f"the data file {file.uri} for {name} is not whole Parquet: {error}; write it again."
            ) from error
        if footer.num_rows != file.rows:
            raise InputError(
                f"the data file {file.uri} for {name} holds {footer.num_rows} rows, not {file.rows}; write it again."
            )
        for field in footer.schema.to_arrow_schema():
            field_id = (field.metadata or {}).get(FIELD_ID)
            if field_id is not None and names_by_id.get(int(field_id), field.name) != field.name:
                # Iceberg finds columns by id, DuckDB by name: they must not read different columns.
                raise InputError(
                    f"the data file {file.uri} for {name} gives column {field.name} the field id {int(field_id)} "
                    f"of column {names_by_id[int(field_id)]}; write it with the schema of the table's scan."
                )
        try:
            checked.append(parquet_file_to_data_file(table.io, table.metadata, file.uri))
        except ValueError as error:
            raise InputError(
                f"the data file {file.uri} does not have the columns of {name}; define the table anew or cast them: "
                f"{error}"
            ) from error
    return checked


def _documented(column: Column) -> pa.Field[Any]:
    metadata: dict[bytes | str, bytes | str] | None = {_FIELD_DOC: column.comment} if column.comment else None
    return pa.field(column.name, to_arrow(column.type), metadata=metadata)
