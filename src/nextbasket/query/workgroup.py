"""A workgroup: where people's statements and the pipeline's own meet catalog, lake and engine.

It finds a query's tables in the catalog, runs it, exports it, keeps its result as a table, and runs the statements
``nextbasket query`` takes, within limits and with a history. A table named without a database is looked up in the
given database, then in the default one.
"""

import copy
import math
import os
import re
import secrets
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from sqlglot import exp

from nextbasket.catalog.base import ICEBERG, VIEW, Catalog, Column, CommitMode, Scan, Snapshot, TableDefinition
from nextbasket.catalog.types import columns_of
from nextbasket.errors import HomeError, InputError, NextbasketError, NotFoundError, QueryError, UsageError
from nextbasket.lake.base import Lake, Zone
from nextbasket.query import answers, dialect, kinds, statements
from nextbasket.query.answers import Listing
from nextbasket.query.base import Inputs, Limits, Query, QueryEngine, QueryHandle, QueryState, Statistics
from nextbasket.query.dml import Changes
from nextbasket.query.formats import Format, write_text
from nextbasket.query.history import PastQuery, QueryHistory, RecordedHandle
from nextbasket.query.lookup import Lookup
from nextbasket.query.ownership import Ownership
from nextbasket.query.references import at_fixed_times
from nextbasket.query.table_locations import Places
from nextbasket.query.user_tables import Call, Making

EXPORT_FORMATS = ("csv", "json", "parquet")
LONGEST_STATEMENT = 262_144
"""Bytes; Athena's quota of a statement's text."""


class Workgroup:
    """Runs queries over one home's tables.

    ``clock`` returns an aware time; ``new_run_id`` names each statement. ``buckets`` maps an S3 bucket's name to a
    prefix of the exchange zone; a bucket not in it stands for ``exchange/<bucket>``. ``limits`` hold for statements
    that are given none of their own, ``ownership`` says which tables they may change, ``history`` keeps them, and
    ``locks`` is a folder for the lock under which tables appear. Saved results lie in ``results/<result_folder>``.
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
        limits: Limits | None = None,
        ownership: Ownership | None = None,
        history: QueryHistory | None = None,
        locks: Path | None = None,
        result_folder: str = "queries",
    ) -> None:
        self._catalog = catalog
        self._engine = engine
        self._lake = lake
        self._new_run_id = new_run_id
        self._database = default_database
        self._limits = limits or Limits()
        self._history = history
        self._result_folder = result_folder
        self._clock = clock
        self._ownership = ownership or Ownership()
        self._lookup = Lookup(catalog, default_database, self.history)
        self._places = Places(catalog, lake, locks, dict(buckets or {}))

    @property
    def engine(self) -> QueryEngine:
        """The engine it runs on."""
        return self._engine

    def with_engine(self, engine: QueryEngine) -> "Workgroup":
        """Return the same workgroup on another engine."""
        other = copy.copy(self)
        other._engine = engine
        return other

    # --- reading -------------------------------------------------------------------------------------------------

    def inputs(
        self, query: Query, *, overrides: Mapping[str, Scan] | None = None, database: str | None = None
    ) -> dict[str, Scan]:
        """Return the scan of each table a query reads, by the key the query uses for it.

        ``overrides`` gives scans by ``database.table`` (or ``table``) to be read in place of the current ones. Raises
        NotFoundError that names the nearest known table, with its place in the statement, and QueryError.
        """
        return self._lookup.inputs(query, overrides=overrides, database=database)

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
        if isinstance(query, str) and _AS_OF_NOW.search(query):
            query = at_fixed_times(dialect.parse_select(query), self._clock())
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
    ) -> RecordedHandle:
        """Run whatever statement ``nextbasket query`` takes (docs/sql.md) and note it in the history.

        A SELECT's rows are computed while they are read; every other statement has run when this returns. Raises
        QueryError, NotFoundError, CommitConflictError, and NotBuiltError for a statement of Athena's that is not here.
        """
        query_id = self._new_run_id()
        limits = limits or self._limits
        if self._history is not None:
            self._history.begin(query_id, sql, self._engine.capabilities().name)
        began = time.monotonic()

        def left() -> Limits:
            if limits.seconds is None:
                return limits
            seconds = limits.seconds - (time.monotonic() - began)
            if seconds <= 0:
                raise QueryError(f"the statement ran longer than its limit of {limits.seconds:g} seconds.")
            return replace(limits, seconds=float(math.ceil(seconds)))

        call = Call(sql, query_id, (database or self._database).lower(), tuple(parameters), limits, left)
        try:
            handle = self._run(_read(sql), call)
        except RecursionError as error:
            raise self._failed(query_id, QueryError(statements.TOO_DEEP)) from error
        except NextbasketError as error:
            raise self._failed(query_id, error) from error.__cause__
        return RecordedHandle(handle, query_id, self._history)

    def _failed(self, query_id: str, error: NextbasketError) -> NextbasketError:
        if self._history is not None:
            self._history.end(query_id, QueryState.FAILED, None, str(error))
        return error

    def execute_and_save(
        self, sql: str, *, database: str | None = None, parameters: Sequence[Any] = (), limits: Limits | None = None
    ) -> tuple[str, int]:
        """Run a statement and keep its rows as CSV at the result location; returns the file's URI and the rows."""
        handle = self.execute(sql, database=database, parameters=parameters, limits=limits)
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "result.csv"
            rows = save(handle, file, "csv")
            with file.open("rb") as stream:
                kept = self._lake.put(Zone.RESULTS, f"{self._result_folder}/{handle.query_id}.csv", stream)
        if self._history is not None:
            self._history.saved(handle.query_id, kept.uri)
        return kept.uri, rows

    def history(self, limit: int | None = None) -> list[PastQuery]:
        """Return the home's newest statements first; the table ``system.queries`` holds the same."""
        return self._history.newest(limit) if self._history is not None else []

    def sweep(self, before: datetime) -> list[str]:
        """Delete the files that killed statements left in the exchange zone before a time; returns their URIs."""
        with self._places.appearing():
            return self._places.sweep(before)

    def _run(self, statement: kinds.Statement, call: Call) -> QueryHandle:
        making = Making(self._catalog, self._engine, self._lookup, self._places, self._ownership, self._clock)
        if isinstance(statement, kinds.Select):
            return self.start(statement.text, call.limits, parameters=call.parameters, database=call.database)
        if isinstance(statement, kinds.Explain):
            inputs = self.inputs(statement.select, database=call.database)
            plan = self._engine.explain(
                statement.select, inputs, call.parameters, analyze=statement.analyze, limits=call.limits
            )
            return Listing(answers.one_column("Query Plan", plan.splitlines()))
        began = time.monotonic()
        if isinstance(statement, kinds.CreateTableAs):
            return _written(making.create_table(statement, call), began, call)
        if isinstance(statement, kinds.Insert):
            return _written(making.insert(statement, call), began, call)
        if isinstance(statement, kinds.Change):
            changes = Changes(self._catalog, self._engine, self._lookup, self._places, making)
            return _written(changes.run(statement, call), began, call)
        if isinstance(statement, kinds.CreateView):
            making.create_view(statement, call)
            return Listing(answers.one_column("result", [f"the view {statement.table.key} is stored."]))
        if isinstance(statement, kinds.Drop):
            making.drop(statement, call)
            return Listing(answers.one_column("result", [f"{statement.table.key} is gone."]))
        return Listing(self._answer(statement, call))

    def _answer(
        self, statement: kinds.ShowTables | kinds.ShowDatabases | kinds.ShowTable | kinds.Describe, call: Call
    ) -> pa.Table:
        if isinstance(statement, kinds.ShowDatabases):
            names = sorted({definition.database for definition in self._catalog.tables()})
            return answers.one_column(
                "database_name", [one for one in names if answers.matches(one, statement.pattern)]
            )
        if isinstance(statement, kinds.ShowTables):
            shown = [
                definition.name
                for definition in self._catalog.tables((statement.database or call.database).lower())
                if answers.matches(definition.name, statement.pattern)
                and (definition.format == VIEW or not statement.views)
            ]
            return answers.one_column("views" if statement.views else "tab_name", shown)
        definition = self._lookup.definition(statement.table, call.database, call.sql)
        name = definition.full_name
        if isinstance(statement, kinds.Describe):
            properties = self._properties(name) if statement.formatted else {}
            return answers.described(definition, properties, formatted=statement.formatted)
        if statement.what == "columns":
            return answers.one_column(
                "column", [column.name for column in (*definition.columns, *definition.partition_keys)]
            )
        if statement.what == "partitions":
            return answers.one_column("partition", self._partitions(definition, statement, call))
        if statement.what == "tblproperties":
            return answers.properties_table(self._properties(name), statement.property)
        is_view = definition.format == VIEW
        if is_view != (statement.what == "create view"):
            other = "SHOW CREATE VIEW" if is_view else "SHOW CREATE TABLE"
            raise call.fail(f"{name} is a {'view' if is_view else 'table'}: write {other} {name}.", statement.table)
        column = "Create View" if is_view else "createtab_stmt"
        return answers.one_column(column, answers.create_statement(definition, self._properties(name)))

    def _properties(self, name: str) -> dict[str, str]:
        """Return the properties that people know of."""
        properties = self._catalog.properties(name)
        return {key: value for key, value in properties.items() if not key.startswith(("nextbasket.", "view."))}

    def _partitions(self, definition: TableDefinition, statement: kinds.ShowTable, call: Call) -> list[str]:
        name = definition.full_name
        if not definition.partition_keys:
            raise call.fail(f"{name} is not partitioned.", statement.table)
        if definition.format != ICEBERG:
            return answers.partition_names(definition, self._catalog.scan(name))
        keys = [key.name for key in definition.partition_keys]
        query = exp.select(*[exp.column(key, quoted=True) for key in keys]).distinct()
        source = exp.Table(
            this=exp.to_identifier(definition.name, quoted=True), db=exp.to_identifier(definition.database, quoted=True)
        )
        rows = self.table(dialect.Statement("", query.from_(source)), limits=call.limits).to_pylist()
        return sorted("/".join(f"{key}={row[key]}" for key in keys) for row in rows)

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


_AS_OF_NOW = re.compile(r"\bas\s+of\b[\s(]*current_timestamp\b", re.IGNORECASE)


def _read(sql: str) -> kinds.Statement:
    size = len(sql.encode())
    if size > LONGEST_STATEMENT:
        raise QueryError(
            f"the statement is {size:,} bytes long and may have {LONGEST_STATEMENT:,}, as in Athena: put values into a "
            "table and join it."
        )
    return statements.read(sql)


def _written(rows: int, began: float, call: Call) -> Listing:
    used = Statistics(time.monotonic() - began, rows, sum(call.files.values()))
    return Listing(answers.changed_rows(rows), used)


def _wider(stored: Column, fresh: Column) -> Column:
    """Return the column to keep: a narrower result is cast to what the table has."""
    return stored if (fresh.type, stored.type) in (("int", "bigint"), ("float", "double")) else fresh


__all__ = ["EXPORT_FORMATS", "Inputs", "Listing", "Workgroup", "save"]
