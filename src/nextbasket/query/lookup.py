"""Find what a query reads: tables, views, earlier versions, and the tables that tell about a table or about the home.

A name without a database is looked up in the given database, then in the default one.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
from sqlglot import exp

from nextbasket.catalog.base import VIEW, Catalog, Scan, TableDefinition
from nextbasket.catalog.types import arrow_schema
from nextbasket.errors import NotFoundError, QueryError
from nextbasket.query import dialect
from nextbasket.query.base import Query
from nextbasket.query.history import PastQuery
from nextbasket.query.inputs import expression_tables
from nextbasket.query.ownership import SYSTEM_DATABASE
from nextbasket.query.references import Reference, ViewScan, references

VIEW_STATEMENT = "view.statement"
VIEW_DATABASE = "view.database"
"""A view's parameters: its statement, and the database of the names in it that have none."""

_ABOUT = ("snapshots", "history", "files")
LISTED = 1000
"""So many of the newest statements are rows of ``system.queries``."""
_Rows = Sequence[Sequence[Any]]


class Lookup:
    """Finds tables in one catalog; ``past`` returns the home's statements for ``system.queries``."""

    def __init__(
        self, catalog: Catalog, default_database: str, past: Callable[[], Sequence[PastQuery]] = lambda: ()
    ) -> None:
        self._catalog = catalog
        self._default = default_database
        self._past = past

    def inputs(
        self, query: Query, *, overrides: Mapping[str, Scan] | None = None, database: str | None = None
    ) -> dict[str, Scan]:
        """Return the scan of each table a query reads, by the key the query uses for it.

        Raises NotFoundError that names the nearest known table, with its place in the statement, and QueryError.
        """
        given = {name.lower(): scan for name, scan in (overrides or {}).items()}
        if isinstance(query, str):
            query = dialect.Statement(query, dialect.parse_query(query))
        if isinstance(query, dialect.Statement):
            return self._inputs(query, given, database, ())
        found = {}
        for key in expression_tables(query):
            owner, _, name = key.rpartition(".")
            found[key] = self._found(Reference(dialect.TableName(owner or None, name)), given, database, "", ())
        return found

    def definition(self, table: dialect.TableName, database: str | None = None, text: str = "") -> TableDefinition:
        """Return the definition of a table or view as a statement names it; raises NotFoundError with its place."""
        missing: NotFoundError | None = None
        for name in self.names(table, database):
            try:
                return self._catalog.table(name)
            except NotFoundError as error:
                missing = error
        raise _at(missing, text, table.offset)

    def names(self, table: dialect.TableName, database: str | None) -> list[str]:
        """Return the full names that a name may stand for, the first that is there counts."""
        if table.database:
            return [table.key]
        places = dict.fromkeys([(database or self._default).lower(), self._default])
        return [f"{place}.{table.name}" for place in places]

    def _inputs(
        self,
        statement: dialect.Statement,
        given: Mapping[str, Scan],
        database: str | None,
        chain: tuple[str, ...],
    ) -> dict[str, Scan]:
        return {
            key: self._found(reference, given, database, statement.text, chain)
            for key, reference in references(statement).items()
        }

    def _found(
        self,
        reference: Reference,
        given: Mapping[str, Scan],
        database: str | None,
        text: str,
        chain: tuple[str, ...],
    ) -> Scan:
        table = reference.name
        names = self.names(table, database)
        for name in [table.key.lower(), *(name.lower() for name in names)]:
            if name in given and reference.key == table.key:
                return given[name]
        if table.database == SYSTEM_DATABASE:
            return self._system(table, text)
        base, sign, about = table.name.partition("$")
        if sign:
            owner = self.definition(dialect.TableName(table.database, base, table.offset), database, text)
            return self._about(owner.full_name, about, table, text)
        definition = self.definition(table, database, text)
        versioned = reference.key != table.key
        if definition.format == VIEW:
            if versioned:
                raise dialect.error_at(
                    text, f"{definition.full_name} is a view: read an earlier version of its tables.", table.offset
                )
            return self.view(definition, chain)
        try:
            return self._catalog.scan(definition.full_name, snapshot_id=reference.snapshot_id, at=reference.at)
        except NotFoundError as error:
            raise _at(error, text, table.offset) from error

    def view(self, definition: TableDefinition, chain: tuple[str, ...] = ()) -> ViewScan:
        """Return a view to read; raises QueryError when it reads itself, NotFoundError when a table of it is gone."""
        name = definition.full_name
        if name in chain:
            raise QueryError(
                f"the view {name} reads itself through {', '.join(chain[chain.index(name) + 1 :]) or name}."
            )
        text = definition.parameters[VIEW_STATEMENT]
        statement = dialect.Statement(text, dialect.parse_query(text))
        try:
            inputs = self._inputs(statement, {}, definition.parameters[VIEW_DATABASE], (*chain, name))
        except NotFoundError as error:
            raise NotFoundError(f"the view {name} cannot be read: {error}") from error
        schema = arrow_schema(definition.columns)
        return ViewScan(name, VIEW, (), schema, statement=statement, inputs=inputs)

    # --- tables about tables -------------------------------------------------------------------------------------

    def _about(self, name: str, about: str, table: dialect.TableName, text: str) -> ViewScan:
        if about not in _ABOUT:
            known = ", ".join(f'"{table.name.partition("$")[0]}${one}"' for one in _ABOUT)
            raise dialect.error_at(
                text, f"there is no table {table.name} about {name}: there are {known}.", table.offset
            )
        if about == "files":
            files = self._catalog.scan(name).files
            columns = {"content": "integer", "file_path": "varchar", "record_count": "bigint"}
            columns |= {"file_size_in_bytes": "bigint"}
            return _values(f"{name}${about}", columns, [(0, file.uri, file.rows, file.bytes) for file in files])
        snapshots = self._catalog.snapshots(name)
        if about == "snapshots":
            columns = {"committed_at": "timestamp", "snapshot_id": "bigint", "parent_id": "bigint"}
            columns |= {"operation": "varchar", "summary": "varchar"}
            rows: _Rows = [
                (
                    _moment(one.at),
                    one.id,
                    one.parent_id,
                    one.operation,
                    json.dumps(dict(one.summary), ensure_ascii=False),
                )
                for one in snapshots
            ]
            return _values(f"{name}${about}", columns, rows)
        ancestors: set[int | None] = set()
        parents = {one.id: one.parent_id for one in snapshots}
        step = self._catalog.scan(name).snapshot_id
        while step is not None and step not in ancestors:
            ancestors.add(step)
            step = parents.get(step)
        columns = {"made_current_at": "timestamp", "snapshot_id": "bigint", "parent_id": "bigint"}
        columns |= {"is_current_ancestor": "boolean"}
        rows = [(_moment(one.at), one.id, one.parent_id, one.id in ancestors) for one in snapshots]
        return _values(f"{name}${about}", columns, rows)

    def _system(self, table: dialect.TableName, text: str) -> ViewScan:
        if table.name != "queries":
            raise dialect.error_at(text, f"there is no table {table.key}: there is system.queries.", table.offset)
        columns = {"query_id": "varchar", "state": "varchar", "submitted_at": "timestamp", "seconds": "double"}
        columns |= {"rows": "bigint", "scanned_bytes": "bigint", "engine": "varchar", "statement": "varchar"}
        columns |= {"error": "varchar", "result": "varchar"}
        rows = [
            (
                *(one.query_id, one.state.value, _moment(one.submitted_at), one.seconds, one.rows, one.scanned_bytes),
                *(one.engine, one.statement, one.error, one.result),
            )
            for one in self._past()[:LISTED]
        ]
        return _values(table.key, columns, rows)


def _values(name: str, columns: Mapping[str, str], rows: _Rows) -> ViewScan:
    """Return rows as a view of their own, so that every engine reads them like any other."""
    places = [f"c{position}" for position in range(len(columns))]
    items = [
        exp.alias_(exp.cast(exp.column(place, quoted=True) if rows else exp.Null(), kind), column, quoted=True)
        for place, (column, kind) in zip(places, columns.items(), strict=True)
    ]
    tree = exp.select(*items)
    if rows:
        listed = [exp.Tuple(expressions=[_literal(value) for value in row]) for row in rows]
        alias = exp.TableAlias(
            this=exp.to_identifier("listed", quoted=True),
            columns=[exp.to_identifier(place, quoted=True) for place in places],
        )
        tree = tree.from_(exp.Values(expressions=listed, alias=alias))
    else:
        tree = tree.where(exp.false())
    return ViewScan(name, VIEW, (), pa.schema([]), statement=dialect.Statement("", tree), inputs={})


def _literal(value: Any) -> exp.Expr:
    return exp.Literal.string(value) if isinstance(value, str) else exp.convert(value)


def _moment(at: datetime) -> str:
    """Return a time in UTC as a timestamp's text: times in queries have no zone."""
    return at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.%f")


def _at(error: NotFoundError | None, text: str, offset: int | None) -> NotFoundError:
    place = dialect.error_at(text, "", offset)
    where = f" (line {place.line}, column {place.column})" if place.line is not None and text else ""
    return NotFoundError(f"{error}{where}")
