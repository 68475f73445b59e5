"""Make, fill and drop people's tables and views.

A table of files (Athena's plain CREATE TABLE AS) is read in place from the exchange zone; an Iceberg table lies in the
warehouse. Either appears whole or not at all, and a statement that was killed can be run again.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import pyarrow as pa
from sqlglot import exp

from nextbasket.catalog.base import ICEBERG, VIEW, Catalog, CommitMode, TableDefinition
from nextbasket.catalog.types import arrow_schema, columns_of
from nextbasket.errors import NotFoundError, QueryError
from nextbasket.query import assignable, dialect, kinds
from nextbasket.query.base import Inputs, Limits, QueryEngine
from nextbasket.query.lookup import VIEW_DATABASE, VIEW_STATEMENT, Lookup
from nextbasket.query.ownership import CREATED_BY, Ownership
from nextbasket.query.references import ViewScan
from nextbasket.query.table_locations import Places

CREATING = "nextbasket.creating"
"""The property of an Iceberg table that CREATE TABLE AS makes; without a version its statement was killed."""


@dataclass(frozen=True, slots=True)
class Call:
    """One statement being run: its text, its id, where bare names belong, values for ``?``, and what it may use."""

    sql: str
    query_id: str
    database: str
    parameters: Sequence[Any] = ()
    limits: Limits | None = None
    left: Callable[[], Limits] = Limits
    files: dict[str, int] = field(default_factory=dict)

    def reads(self, inputs: Inputs) -> Inputs:
        """Note the files of the inputs as read, each once, and return the inputs."""
        for scan in inputs.values():
            self.files.update({file.uri: file.bytes for file in scan.files})
            if isinstance(scan, ViewScan):
                self.reads(scan.inputs)
        return inputs

    def fail(self, message: str, table: dialect.TableName) -> QueryError:
        """Return an error that points at a table's name."""
        return dialect.error_at(self.sql, message, table.offset)


class Making:
    """Runs CREATE TABLE AS, CREATE VIEW, INSERT and DROP."""

    def __init__(
        self,
        catalog: Catalog,
        engine: QueryEngine,
        lookup: Lookup,
        places: Places,
        ownership: Ownership,
        clock: Callable[[], datetime],
    ) -> None:
        self._catalog = catalog
        self._engine = engine
        self._lookup = lookup
        self._places = places
        self._ownership = ownership
        self._clock = clock

    # --- CREATE TABLE AS -----------------------------------------------------------------------------------------

    def create_table(self, wanted: kinds.CreateTableAs, call: Call) -> int:
        """Write a SELECT's rows as a new table; returns the rows."""
        name = f"{wanted.table.database or call.database}.{wanted.table.name}"
        self._check_new(name, wanted.table, call)
        if self._standing(name) is not None:
            if wanted.if_not_exists:
                return 0
            raise self._exists_already(name, wanted.table, call)
        if not wanted.iceberg:
            self._places.prefix(wanted.external_location, call.query_id)
        inputs = call.reads(self._lookup.inputs(wanted.select, database=call.database))
        schema = self._engine.describe(wanted.select, inputs)
        refuse_repeated(call.sql, schema)
        keys = wanted.partitioned_by
        given = tuple(field.lower() for field in schema.names)
        if missing := [key for key in keys if key not in given]:
            raise QueryError(f"the SELECT has no column {missing[0]} to partition by: name one of {', '.join(given)}.")
        if keys and given[-len(keys) :] != keys and not wanted.iceberg:
            raise QueryError(f"partitioned_by columns must come last in the SELECT, in this order: {', '.join(keys)}.")
        if len(keys) == len(given):
            raise QueryError("a table needs a column that it is not partitioned by.")
        if wanted.iceberg:
            return self._create_iceberg(wanted, name, inputs, schema, call)
        return self._create_files(wanted, name, inputs, schema, call)

    def _create_files(
        self, wanted: kinds.CreateTableAs, name: str, inputs: Inputs, schema: pa.Schema, call: Call
    ) -> int:
        prefix = self._places.prefix(wanted.external_location, call.query_id)
        shown = wanted.external_location or prefix
        with self._places.appearing():
            self._places.check_free(prefix, shown)
        columns = columns_of(pa.schema([field.with_name(field.name.lower()) for field in schema]))
        if wanted.format == "csv" and (deep := [one.name for one in columns if "<" in one.type]):
            raise QueryError(f"column {deep[0]} is nested and text files hold plain values: use format = 'PARQUET'.")
        keys = wanted.partitioned_by
        database, _, table = name.partition(".")
        parameters = {CREATED_BY: "create table as", "created_at": self._clock().isoformat()}
        if wanted.format == "csv":
            parameters |= {"delimiter": ",", "quote": '"', "skip.header.line.count": "1"}
        definition = TableDefinition(
            database,
            table,
            tuple(column for column in columns if column.name not in keys),
            self._places.uri(prefix),
            wanted.format,
            tuple(column for column in columns if column.name in keys),
            parameters,
        )
        rows = 0
        folder: str | None = None
        if wanted.with_data:
            folder = self._places.staging(call.query_id)
            try:
                files = self._engine.write(
                    wanted.select,
                    inputs,
                    folder,
                    parameters=call.parameters,
                    format=wanted.format,
                    partition_by=keys,
                    limits=call.left(),
                )
            except BaseException:
                self._places.discard(folder)
                raise
            rows = sum(file.rows for file in files)
        with self._places.appearing():
            if self._existing(name) is not None:
                if folder is not None:
                    self._places.discard(folder)
                raise self._exists_already(name, wanted.table, call)
            if folder is not None:
                self._places.check_free(prefix, shown)
                self._places.appear(folder, prefix, marked=True)
            self._catalog.define(definition)
            self._places.finish(prefix)
        return rows

    def _create_iceberg(
        self, wanted: kinds.CreateTableAs, name: str, inputs: Inputs, schema: pa.Schema, call: Call
    ) -> int:
        columns = columns_of(pa.schema([field.with_name(field.name.lower()) for field in schema]))
        keys = wanted.partitioned_by
        plain = tuple(column for column in columns if column.name not in keys)
        parts = tuple(column for key in keys for column in columns if column.name == key)
        database, _, table = name.partition(".")
        marks = {CREATED_BY: "create table as", CREATING: call.query_id}
        definition = TableDefinition(database, table, plain, "", ICEBERG, parts, marks)
        target = arrow_schema((*plain, *parts), field_ids=True)
        files = []
        if wanted.with_data:
            folder = self._places.staging(call.query_id)
            try:
                files = self._engine.write(
                    wanted.select,
                    inputs,
                    folder,
                    target,
                    parameters=call.parameters,
                    partition_by=keys,
                    limits=call.left(),
                )
            except BaseException:
                self._places.discard(folder)
                raise
        with self._places.appearing():
            if self._existing(name) is not None:
                raise self._exists_already(name, wanted.table, call)
            self._catalog.define(definition)
            self._catalog.commit(
                name, CommitMode.APPEND, files, run_id=f"query-{call.query_id}", summary=summary_of(call.sql)
            )
        return sum(file.rows for file in files)

    # --- views ---------------------------------------------------------------------------------------------------

    def create_view(self, wanted: kinds.CreateView, call: Call) -> None:
        """Store a SELECT under a name."""
        name = f"{wanted.table.database or call.database}.{wanted.table.name}"
        self._check_new(name, wanted.table, call)
        statement = dialect.parse_select(wanted.select)
        if any(isinstance(node, exp.Placeholder) for node in statement.tree.walk()):
            raise QueryError("a view takes no parameters (?): write the value, or keep the SELECT as a named query.")
        inputs = self._lookup.inputs(wanted.select, database=call.database)
        if name in _read_by(inputs):
            raise call.fail(f"the view {name} would read itself.", wanted.table)
        schema = self._engine.describe(wanted.select, inputs)
        refuse_repeated(call.sql, schema)
        unnamed = [column for column in schema.names if column.startswith("_col") and column[4:].isdigit()]
        if unnamed:
            raise QueryError(f"column {int(unnamed[0][4:]) + 1} of the view has no name: give it one with AS.")
        database, _, view = name.partition(".")
        stored = {CREATED_BY: "create view", VIEW_STATEMENT: wanted.body, VIEW_DATABASE: call.database}
        definition = TableDefinition(database, view, columns_of(schema), "", VIEW, (), stored)
        with self._places.appearing():
            existing = self._existing(name)
            if existing is not None and existing.format != VIEW:
                raise call.fail(f"{name} is a table: drop it first, or choose another name.", wanted.table)
            if existing is not None and not wanted.replace:
                raise call.fail(
                    f"the view {name} exists already: write CREATE OR REPLACE VIEW, or choose another name.",
                    wanted.table,
                )
            self._catalog.define(definition)

    # --- DROP ----------------------------------------------------------------------------------------------------

    def drop(self, wanted: kinds.Drop, call: Call) -> None:
        """Forget a table or a view; the files go with a table that has its place from nextbasket."""
        try:
            definition = self._lookup.definition(wanted.table, call.database, call.sql)
        except NotFoundError:
            if wanted.if_exists:
                return
            raise
        name = definition.full_name
        if (definition.format == VIEW) != wanted.view:
            kind, other = ("a view", "VIEW") if definition.format == VIEW else ("a table", "TABLE")
            raise call.fail(f"{name} is {kind}: write DROP {other} {name}.", wanted.table)
        self.check_change(definition, "DROP", wanted.table, call)
        with self._places.appearing():
            self._catalog.drop(name)
            if definition.format not in (ICEBERG, VIEW):
                self._places.forget(definition.location)

    # --- INSERT --------------------------------------------------------------------------------------------------

    def insert(self, wanted: kinds.Insert, call: Call) -> int:
        """Add a SELECT's rows to a table; returns the rows."""
        definition = self._lookup.definition(wanted.table, call.database, call.sql)
        name = definition.full_name
        if definition.format == VIEW:
            raise call.fail(f"{name} is a view: insert into the table it reads.", wanted.table)
        self.check_change(definition, "INSERT", wanted.table, call)
        target = self._catalog.scan(name).schema
        inputs = call.reads(self._lookup.inputs(wanted.body, database=call.database))
        body = self._columns_for(wanted, target, inputs, call)
        keys = tuple(key.name for key in definition.partition_keys)
        folder = self._places.staging(call.query_id)
        try:
            files = self._engine.write(
                body,
                inputs,
                folder,
                target,
                parameters=call.parameters,
                format="parquet" if definition.format == ICEBERG else definition.format,
                partition_by=keys,
                limits=call.left(),
            )
            if not files:
                self._places.discard(folder)
                return 0
            if definition.format == ICEBERG:
                self._catalog.commit(
                    name, CommitMode.APPEND, files, run_id=f"query-{call.query_id}", summary=summary_of(call.sql)
                )
            else:
                prefix = self._places.prefix_of(definition.location)
                self._places.appear(folder, f"{prefix}/insert-{call.query_id}", marked=False)
        except BaseException:
            self._places.discard(folder)
            raise
        return sum(file.rows for file in files)

    def _columns_for(self, wanted: kinds.Insert, target: pa.Schema, inputs: Inputs, call: Call) -> dialect.Statement:
        """Return the body with the table's columns; those that are not given are NULL."""
        columns = wanted.columns if wanted.columns is not None else tuple(target.names)
        known = {name.lower(): name for name in target.names}
        for column in columns:
            if column not in known:
                raise dialect.error_at(
                    call.sql,
                    f"the table has no column {column}: it has {', '.join(known)}.",
                    dialect.identifier_offset(call.sql, column),
                )
        if len(set(columns)) != len(columns):
            raise QueryError(f"INSERT names a column twice: {', '.join(columns)}.")
        given = self._engine.describe(wanted.body, inputs)
        if len(given) != len(columns):
            raise QueryError(
                f"each row has {len(given)} values and {len(columns)} are needed, for {', '.join(columns)}: "
                "name the columns after the table, INSERT INTO table (columns)."
            )
        nulls = assignable.bare_nulls(wanted.body.tree, len(columns))
        for column, kind, null in zip(columns, given.types, nulls, strict=True):
            wanted_kind = target.field(known[column]).type
            if not null and not assignable.is_assignable(kind, wanted_kind):
                raise QueryError(assignable.wrong_type(column, kind, wanted_kind))
        places = [f"value_{position}" for position in range(len(columns))]
        items: list[exp.Expr] = []
        for name in target.names:
            item: exp.Expr = exp.Null()
            if name.lower() in columns:
                item = exp.column(places[columns.index(name.lower())], quoted=True)
            items.append(exp.alias_(item, name, quoted=True))
        alias = exp.TableAlias(
            this=exp.to_identifier("given", quoted=True),
            columns=[exp.to_identifier(place, quoted=True) for place in places],
        )
        # Unnamed columns of a subquery need names before an alias can rename them on every engine.
        inside = dialect.normalised(wanted.body.tree)
        source: exp.Expr
        if isinstance(inside, exp.Values):
            inside.set("alias", alias)
            source = inside
        else:
            source = exp.Subquery(this=inside.unnest(), alias=alias)
        return dialect.Statement(wanted.body.text, exp.select(*items).from_(source))

    # --- inside --------------------------------------------------------------------------------------------------

    def check_change(self, definition: TableDefinition, verb: str, table: dialect.TableName, call: Call) -> None:
        """Raise QueryError, with its place, when a statement may not change the table."""
        try:
            self._ownership.check_change(definition, definition.parameters, verb)
        except QueryError as error:
            raise call.fail(str(error), table) from error

    def _check_new(self, name: str, table: dialect.TableName, call: Call) -> None:
        try:
            self._ownership.check_new(name)
        except QueryError as error:
            raise call.fail(str(error), table) from error

    def _existing(self, name: str) -> TableDefinition | None:
        try:
            return self._catalog.table(name)
        except NotFoundError:
            return None

    def _standing(self, name: str) -> TableDefinition | None:
        """Return the definition of a table that is there; one that a killed statement left unfinished is removed."""
        if not self._unfinished(name):
            return self._existing(name)
        with self._places.appearing():
            # Whoever was making it has ended by now, or was killed.
            if self._unfinished(name):
                self._catalog.drop(name)
        return self._existing(name)

    def _unfinished(self, name: str) -> bool:
        definition = self._existing(name)
        if definition is None or definition.format != ICEBERG or CREATING not in definition.parameters:
            return False
        return not self._catalog.snapshots(name)

    def _exists_already(self, name: str, table: dialect.TableName, call: Call) -> QueryError:
        return call.fail(
            f"table {name} exists already: choose another name, or another database with --database.", table
        )


def refuse_repeated(sql: str, schema: pa.Schema) -> None:
    """Raise QueryError when two columns of a result have one name."""
    lowered = [name.lower() for name in schema.names]
    repeated = sorted({name for name in lowered if lowered.count(name) > 1})
    if repeated:
        offset = dialect.identifier_offset(sql, repeated[0])
        raise dialect.error_at(
            sql, f"column {repeated[0]} stands twice in the SELECT: name one of them with AS.", offset
        )


def summary_of(sql: str) -> dict[str, str]:
    """Return what a commit's summary says of the statement that made it."""
    return {"nextbasket.statement": " ".join(sql.split())[:1000]}


def _read_by(inputs: Inputs) -> set[str]:
    found: set[str] = set()
    for scan in inputs.values():
        found.add(scan.table)
        if isinstance(scan, ViewScan):
            found |= _read_by(scan.inputs)
    return found
