"""A workgroup: where people's queries and the pipeline's own meet catalog, lake and engine.

It finds a query's tables in the catalog, runs it, exports it, keeps its result as a table, and understands the
statements ``nextbasket query`` takes. A table named without a database is looked up in the given database, then in
the default one.
"""

import fnmatch
import os
import secrets
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pyarrow as pa
import pyarrow.parquet as pq

from nextbasket.catalog.base import ICEBERG, Catalog, Column, CommitMode, Scan, Snapshot, TableDefinition
from nextbasket.catalog.types import columns_of
from nextbasket.errors import HomeError, InputError, NotFoundError, QueryError, UsageError
from nextbasket.lake.base import Lake, Zone
from nextbasket.query import dialect, statements
from nextbasket.query.base import Inputs, Limits, Query, QueryEngine, QueryHandle, QueryState, Statistics
from nextbasket.query.formats import Format, write_text
from nextbasket.query.inputs import expression_tables

EXPORT_FORMATS = ("csv", "json", "parquet")


class Workgroup:
    """Runs queries over one home's tables.

    ``clock`` returns an aware time; ``new_run_id`` names each CREATE TABLE AS that gives no location. ``buckets``
    maps an S3 bucket's name to a prefix of the exchange zone; a bucket not in it stands for ``exchange/<bucket>``.
    """

    def __init__(
        self,
        catalog: Catalog,
        engine: QueryEngine,
        lake: Lake,
        *,
        clock: Callable[[], datetime],
        new_run_id: Callable[[], str],
        default_database: str = "shop",
        buckets: Mapping[str, str] | None = None,
    ) -> None:
        self._catalog = catalog
        self._engine = engine
        self._lake = lake
        self._clock = clock
        self._new_run_id = new_run_id
        self._database = default_database
        self._buckets = dict(buckets or {})

    @property
    def engine(self) -> QueryEngine:
        """The engine it runs on."""
        return self._engine

    def with_engine(self, engine: QueryEngine) -> "Workgroup":
        """Return the same workgroup on another engine."""
        return Workgroup(
            self._catalog,
            engine,
            self._lake,
            clock=self._clock,
            new_run_id=self._new_run_id,
            default_database=self._database,
            buckets=self._buckets,
        )

    # --- reading -------------------------------------------------------------------------------------------------

    def inputs(
        self, query: Query, *, overrides: Mapping[str, Scan] | None = None, database: str | None = None
    ) -> dict[str, Scan]:
        """Return the scan of each table a query reads, by the name the query uses for it.

        ``overrides`` gives scans by ``database.table`` (or ``table``) to be read in place of the current ones. Raises
        NotFoundError that names the nearest known table, with its place in the statement, and QueryError.
        """
        given = {name.lower(): scan for name, scan in (overrides or {}).items()}
        if isinstance(query, str):
            text = query
            tables = dialect.Statement(text, dialect.parse_query(text)).tables
        else:
            text = ""
            keys = expression_tables(query)
            tables = tuple(dialect.TableName(key.rpartition(".")[0] or None, key.rpartition(".")[2]) for key in keys)
        return {table.key: self._scan(table, given, database, text) for table in tables}

    def _scan(self, table: dialect.TableName, given: Mapping[str, Scan], database: str | None, text: str) -> Scan:
        candidates = [table.key] if table.database else [f"{name}.{table.name}" for name in self._places(database)]
        for name in [table.key.lower(), *(candidate.lower() for candidate in candidates)]:
            if name in given:
                return given[name]
        missing: NotFoundError | None = None
        for name in candidates:
            try:
                return self._catalog.scan(name)
            except NotFoundError as error:
                missing = error
        place = dialect.error_at(text, "", table.offset)
        where = f" (line {place.line}, column {place.column})" if place.line is not None else ""
        raise NotFoundError(f"{missing}{where}") from missing

    def _places(self, database: str | None) -> list[str]:
        return list(dict.fromkeys([(database or self._database).lower(), self._database]))

    def describe(
        self, query: Query, *, overrides: Mapping[str, Scan] | None = None, database: str | None = None
    ) -> pa.Schema:
        """Return a query's result schema without running it."""
        return self._engine.describe(query, self.inputs(query, overrides=overrides, database=database))

    def start(
        self,
        query: Query,
        limits: Limits | None = None,
        *,
        parameters: Sequence[Any] = (),
        overrides: Mapping[str, Scan] | None = None,
        database: str | None = None,
    ) -> QueryHandle:
        """Start a SELECT or an Ibis expression."""
        inputs = self.inputs(query, overrides=overrides, database=database)
        return self._engine.start(query, inputs, parameters, limits)

    def table(
        self,
        query: Query,
        *,
        parameters: Sequence[Any] = (),
        overrides: Mapping[str, Scan] | None = None,
        limits: Limits | None = None,
        database: str | None = None,
    ) -> pa.Table:
        """Return all rows of a query in memory."""
        handle = self.start(query, limits, parameters=parameters, overrides=overrides, database=database)
        return pa.Table.from_batches(list(handle.batches()), handle.schema)

    # --- keeping -------------------------------------------------------------------------------------------------

    def materialise(
        self,
        query: Query,
        table: str,
        *,
        run_id: str,
        mode: CommitMode = CommitMode.OVERWRITE,
        summary: Mapping[str, str] | None = None,
        schema: pa.Schema | None = None,
        replaces: Sequence[str] = (),
        parameters: Sequence[Any] = (),
        overrides: Mapping[str, Scan] | None = None,
        partition_by: Sequence[str] = (),
        limits: Limits | None = None,
    ) -> Snapshot:
        """Write a query's result into the Iceberg table ``database.table`` and commit it.

        The table is made, or given new columns, as needed; ``schema`` fixes the columns and types instead of the
        query's own, ``partition_by`` counts where the table is made. A run id that already committed to the table
        returns its snapshot and runs nothing.
        """
        if "." not in table:
            raise UsageError(f"a table to write is named database.table, not {table!r}.")
        earlier = self._committed(table, run_id)
        if earlier is not None:
            return earlier
        inputs = self.inputs(query, overrides=overrides)
        wanted = schema if schema is not None else self._engine.describe(query, inputs)
        keys = self._define(table, wanted, partition_by)
        stored = {field.name.lower(): field for field in self._catalog.scan(table).schema}
        target = pa.schema([stored[name.lower()] for name in wanted.names])
        files = self._engine.write(
            query,
            inputs,
            self._lake.staging(run_id),
            target,
            parameters=parameters,
            partition_by=keys,
            limits=limits,
        )
        return self._catalog.commit(table, mode, files, run_id=run_id, replaces=replaces, summary=summary)

    def _committed(self, table: str, run_id: str) -> Snapshot | None:
        try:
            snapshots = self._catalog.snapshots(table)
        except NotFoundError:
            return None
        return next((snapshot for snapshot in reversed(snapshots) if snapshot.run_id == run_id), None)

    def _define(self, table: str, schema: pa.Schema, partition_by: Sequence[str]) -> tuple[str, ...]:
        """Make or change the table; returns the columns it is partitioned by."""
        database, _, name = table.rpartition(".")
        columns = columns_of(pa.schema([field.with_name(field.name.lower()) for field in schema]))
        try:
            stored = self._catalog.table(table)
        except NotFoundError:
            stored = None
        if stored is None:
            keys = tuple(name.lower() for name in partition_by)
            plain = tuple(column for column in columns if column.name not in keys)
            parts = tuple(column for column in columns if column.name in keys)
            self._catalog.define(TableDefinition(database, name, plain, "", ICEBERG, parts))
            return keys
        if stored.format != ICEBERG:
            raise InputError(f"{table} is read in place ({stored.format}): give the result another name.")
        known = {column.name: column for column in (*stored.columns, *stored.partition_keys)}
        fresh = {column.name: column for column in columns}
        keys = tuple(column.name for column in stored.partition_keys)
        kept = tuple(_wider(column, fresh.get(column.name, column)) for column in stored.columns)
        added = tuple(column for column in columns if column.name not in known)
        if added or kept != stored.columns:
            self._catalog.define(replace(stored, columns=(*kept, *added)))
        return keys

    # --- statements ----------------------------------------------------------------------------------------------

    def execute(
        self,
        sql: str,
        *,
        database: str | None = None,
        parameters: Sequence[Any] = (),
        limits: Limits | None = None,
    ) -> QueryHandle:
        """Run whatever statement ``nextbasket query`` takes.

        SELECT; ``CREATE TABLE … WITH (external_location = 's3://…', format = 'parquet') AS SELECT …``; SHOW TABLES;
        SHOW DATABASES; DESCRIBE. Raises NotBuiltError for other statements Athena knows.
        """
        statement = statements.read(sql)
        if isinstance(statement, statements.Select):
            return self.start(sql, limits, parameters=parameters, database=database)
        if isinstance(statement, statements.CreateTableAs):
            return self._create(statement, sql, database, parameters, limits)
        if isinstance(statement, statements.ShowTables):
            wanted = statement.database or database or self._database
            names = [definition.name for definition in self._catalog.tables(wanted.lower())]
            patterns = (statement.pattern or "*").split("|")
            return Listing(
                pa.table({"tab_name": [name for name in names if any(fnmatch.fnmatchcase(name, p) for p in patterns)]})
            )
        if isinstance(statement, statements.ShowDatabases):
            names = sorted({definition.database for definition in self._catalog.tables()})
            return Listing(pa.table({"database_name": pa.array(names, pa.string())}))
        return Listing(_description(self._definition(statement.table, database)))

    def _definition(self, table: dialect.TableName, database: str | None) -> TableDefinition:
        names = [table.key] if table.database else [f"{place}.{table.name}" for place in self._places(database)]
        for name in names[:-1]:
            try:
                return self._catalog.table(name)
            except NotFoundError:
                continue
        return self._catalog.table(names[-1])

    def _create(
        self,
        statement: statements.CreateTableAs,
        sql: str,
        database: str | None,
        parameters: Sequence[Any],
        limits: Limits | None,
    ) -> QueryHandle:
        owner = statement.table.database or (database or self._database).lower()
        name = f"{owner}.{statement.table.name}"
        if self._exists(name):
            if statement.if_not_exists:
                return Listing(pa.table({"rows": pa.array([0], pa.int64())}))
            raise dialect.error_at(
                sql,
                f"table {name} exists already: choose another name, or another database with --database.",
                statement.table.offset,
            )
        inputs = self.inputs(statement.select, database=database)
        schema = self._engine.describe(statement.select, inputs)
        _refuse_repeated(sql, schema)
        keys = statement.partitioned_by
        if keys and tuple(schema.names[-len(keys) :]) != keys:
            raise QueryError(f"partitioned_by columns must come last in the SELECT, in this order: {', '.join(keys)}.")
        prefix = self._prefix(statement.external_location)
        shown = statement.external_location or prefix
        if next(iter(self._lake.list(Zone.EXCHANGE, prefix + "/")), None) is not None:
            raise QueryError(f"{shown} already holds files: empty it or choose another external_location.")
        columns = columns_of(schema)
        rows = 0
        if statement.with_data:
            try:
                files = self._engine.write(
                    statement.select,
                    inputs,
                    self._lake.uri(Zone.EXCHANGE, prefix),
                    parameters=parameters,
                    partition_by=keys,
                    limits=limits,
                )
            except BaseException:
                # The location was empty before: what half a write left there is this statement's own.
                for ref in list(self._lake.list(Zone.EXCHANGE, prefix + "/")):
                    self._lake.delete(ref)
                raise
            rows = sum(file.rows for file in files)
        self._catalog.define(
            TableDefinition(
                owner,
                statement.table.name,
                tuple(column for column in columns if column.name not in keys),
                self._lake.uri(Zone.EXCHANGE, prefix),
                "parquet",
                tuple(column for column in columns if column.name in keys),
                {"created_by": "create table as", "created_at": self._clock().isoformat()},
            )
        )
        return Listing(pa.table({"rows": pa.array([rows], pa.int64())}))

    def _exists(self, name: str) -> bool:
        try:
            self._catalog.table(name)
        except NotFoundError:
            return False
        return True

    def _prefix(self, location: str | None) -> str:
        """Return the exchange zone's prefix that an S3 location stands for."""
        if location is None:
            return f"tables/{self._new_run_id()}"
        parts = urlsplit(location)
        if parts.scheme not in ("s3", "s3a", "s3n") or not parts.netloc:
            raise QueryError(f"external_location {location!r} must be like 's3://bucket/folder/'.")
        inside = [part for part in parts.path.split("/") if part]
        if not inside or any(part in (".", "..") or part.startswith(("_", ".")) for part in inside):
            raise QueryError(
                f"external_location {location!r} must name a folder in the bucket, such as 's3://bucket/a/'."
            )
        return "/".join([self._buckets.get(parts.netloc, parts.netloc).strip("/"), *inside])

    # --- exporting -----------------------------------------------------------------------------------------------

    def export(
        self,
        query: Query,
        path: Path,
        format: str,
        *,
        parameters: Sequence[Any] = (),
        overrides: Mapping[str, Scan] | None = None,
        limits: Limits | None = None,
        database: str | None = None,
    ) -> int:
        """Write a query's rows into one csv, json or parquet file, whole or not at all; returns the rows."""
        if format not in EXPORT_FORMATS:
            raise UsageError(f"cannot export {format!r}: use {', '.join(EXPORT_FORMATS)}.")
        handle = self.start(query, limits, parameters=parameters, overrides=overrides, database=database)
        return save(handle, path, format)


def save(handle: QueryHandle, path: Path, format: str) -> int:
    """Write a started query's rows into one file, whole or not at all; returns the rows."""
    part = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if format == "parquet":
            rows = 0
            with pq.ParquetWriter(part, handle.schema, compression="zstd") as writer:
                for batch in handle.batches():
                    writer.write_batch(batch)
                    rows += batch.num_rows
        else:
            with part.open("w", encoding="utf-8", newline="") as stream:
                rows = write_text(handle.schema, handle.batches(), Format(format), stream)
        os.replace(part, path)  # noqa: PTH105 (one call, atomic on one disk)
    except OSError as error:
        raise HomeError(f"cannot write {path}: {error.strerror or error}.") from error
    finally:
        if part.exists():
            part.unlink()
    return rows


class Listing:
    """The answer of a statement that needs no engine: a finished handle over a small table."""

    def __init__(self, table: pa.Table) -> None:
        self._table = table
        self._began = time.monotonic()

    @property
    def state(self) -> QueryState:
        """It has always succeeded."""
        return QueryState.SUCCEEDED

    @property
    def schema(self) -> pa.Schema:
        """The table's schema."""
        return self._table.schema

    def cancel(self) -> None:
        """There is nothing left to stop."""

    def batches(self) -> Iterator[pa.RecordBatch]:
        """Yield the rows."""
        yield from self._table.to_batches()

    def statistics(self) -> Statistics:
        """Return its rows; it took no time and scanned nothing."""
        return Statistics(0.0, self._table.num_rows, 0)


def _description(definition: TableDefinition) -> pa.Table:
    columns = (*definition.columns, *definition.partition_keys)
    return pa.table(
        {
            "col_name": pa.array([column.name for column in columns], pa.string()),
            "data_type": pa.array([column.type for column in columns], pa.string()),
            "comment": pa.array(
                [
                    column.comment or ("partition key" if column in definition.partition_keys else "")
                    for column in columns
                ],
                pa.string(),
            ),
        }
    )


def _wider(stored: Column, fresh: Column) -> Column:
    """Return the column to keep: a narrower result is cast to what the table has."""
    return stored if (fresh.type, stored.type) in (("int", "bigint"), ("float", "double")) else fresh


def _refuse_repeated(sql: str, schema: pa.Schema) -> None:
    lowered = [name.lower() for name in schema.names]
    repeated = sorted({name for name in lowered if lowered.count(name) > 1})
    if repeated:
        offset = dialect.identifier_offset(sql, repeated[0])
        raise dialect.error_at(
            sql, f"column {repeated[0]} stands twice in the SELECT: name one of them with AS.", offset
        )


__all__ = ["EXPORT_FORMATS", "Inputs", "Listing", "Workgroup", "save"]
