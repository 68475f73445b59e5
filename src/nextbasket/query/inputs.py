"""What an engine needs to know before it runs a query: the scans it reads, under the names the query uses."""

import codecs
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import ibis.expr.operations as ops
import ibis.expr.types as ir
from sqlglot import exp

from nextbasket.catalog.base import Scan
from nextbasket.errors import InputError, NotFoundError, QueryError
from nextbasket.query import dialect, operands, typechecks
from nextbasket.query import parameters as binding
from nextbasket.query.base import Inputs, Limits, Query
from nextbasket.query.pruning import pruned
from nextbasket.query.references import ViewScan, plain, references
from nextbasket.query.scanned_bytes import planned_bytes


@dataclass(frozen=True, slots=True)
class Prepared:
    """A query ready for an engine: a checked statement or an Ibis expression, and the scans it uses by key.

    ``tree`` is the statement with names resolved, parameters in place and operand types noted.
    """

    statement: dialect.Statement | None
    expression: ir.Table | None
    scans: Mapping[str, Scan]
    tree: exp.Expr | None = None
    with_path: bool = False

    @property
    def bytes(self) -> int:
        """The size of all files it reads."""
        return sum(file.bytes for scan in self.scans.values() for file in scan.files)

    @property
    def ordered(self) -> bool:
        """Whether the result has an order of its own."""
        if self.expression is None:
            return self.tree is not None and dialect.ordered(self.tree)
        node = self.expression.op()
        while isinstance(node, ops.Project | ops.Limit | ops.Filter):
            node = node.parent
        return isinstance(node, ops.Sort)

    @property
    def planned_bytes(self) -> int:
        """The size of the columns it reads in those files: what Athena counts as scanned."""
        return planned_bytes(self.tree, self.scans)

    def refuse_beyond(self, limits: Limits) -> None:
        """Raise QueryError when the query would read more bytes than allowed."""
        if limits.scan_bytes is None or self.bytes <= limits.scan_bytes:
            return
        planned = self.planned_bytes
        if planned > limits.scan_bytes:
            raise QueryError(
                f"the query would read {planned:,} bytes and its limit is {limits.scan_bytes:,}: "
                "read fewer columns, tables or partitions, or raise the limit."
            )


def prepare(
    query: Query, inputs: Inputs, parameters: Sequence[Any] | None, functions: Collection[str] = ()
) -> Prepared:
    """Check a query and find its inputs; ``parameters`` None means they are not known yet (describe).

    An unqualified table name means the input of that key, else the only input of that table name. Raises QueryError,
    and NotFoundError for a table that is not among the inputs.
    """
    if isinstance(query, str):
        return _prepare_statement(dialect.parse_select(query, functions), inputs, parameters, functions)
    if isinstance(query, dialect.Statement):
        dialect.check(query, functions)
        return _prepare_statement(query, inputs, parameters, functions)
    if parameters:
        raise QueryError("an Ibis expression takes no parameters.")
    keys = dict.fromkeys(expression_tables(query))
    scans = {key: _found(inputs, key, None) for key in keys}
    return Prepared(None, query, scans)


def expression_tables(expression: ir.Table) -> list[str]:
    """Return the keys of the unbound tables an Ibis expression reads."""
    found: dict[str, None] = {}
    for node in expression.op().find(ops.UnboundTable):
        database = node.namespace.database
        found[f"{database}.{node.name}" if database else node.name] = None
    return list(found)


def _prepare_statement(
    statement: dialect.Statement, inputs: Inputs, parameters: Sequence[Any] | None, functions: Collection[str]
) -> Prepared:
    bound = dialect.Statement(statement.text, binding.bind(statement, parameters))
    tree, scans, keys = _with_views(bound, inputs, functions)
    with_path = dialect.uses_path(tree)
    tree = dialect.resolved(
        tree,
        lambda table: keys[dialect.table_name(table).key],
        {key: scan.schema.names for key, scan in scans.items()} if with_path else {},
    )
    operands.annotate(tree, scans)
    typechecks.refuse(statement, tree)
    return Prepared(statement, None, pruned(tree, scans), tree, with_path)


def _with_views(
    statement: dialect.Statement, inputs: Inputs, functions: Collection[str]
) -> tuple[exp.Expr, dict[str, Scan], dict[str, str]]:
    """Return the tree with each view's statement in its place, the scans it reads, and their keys by name."""
    scans: dict[str, Scan] = {}
    keys: dict[str, str] = {}
    views: dict[str, ViewScan] = {}
    for name, reference in references(statement).items():
        key = _key(inputs, name, reference.name, statement)
        found = inputs[key]
        if isinstance(found, ViewScan):
            views[name] = found
        else:
            keys[name] = key
            scans[key] = found
    tree = plain(statement).tree
    if not views:
        return tree, scans, keys
    tree = tree.copy()
    for table in list(dialect.read_tables(tree)):
        view = views.get(dialect.table_name(table).key)
        if view is None:
            continue
        inside, below = _resolved_view(view, functions)
        scans.update(below)
        keys.update({key: key for key in below})
        alias = table.args.get("alias") or exp.TableAlias(this=exp.to_identifier(table.name.lower(), quoted=True))
        place = exp.Subquery(this=inside, alias=alias)
        for part in ("joins", "laterals"):
            if table.args.get(part):
                place.set(part, table.args[part])
        table.replace(place)
    return tree, scans, keys


def _resolved_view(view: ViewScan, functions: Collection[str]) -> tuple[exp.Expr, dict[str, Scan]]:
    """Return a view's statement with every table under its full name, which means the same in any other statement."""
    if view.statement.text:
        try:
            dialect.check(view.statement, functions)
        except QueryError as error:
            raise QueryError(f"the view {view.table} cannot be read: {error}") from error
    tree, scans, keys = _with_views(view.statement, view.inputs, functions)
    full = {name: _full_name(name, scans[key]) for name, key in keys.items()}
    named = {full[name]: scans[key] for name, key in keys.items()}
    resolved = dialect.resolved(tree, lambda table: full[dialect.table_name(table).key], {})
    return resolved, named


def _full_name(name: str, scan: Scan) -> str:
    version = name.rpartition("@")[2] if "@" in name else ""
    return f"{scan.table}@{version}" if version else scan.table


def _key(inputs: Inputs, name: str, table: dialect.TableName, statement: dialect.Statement) -> str:
    lowered = {key.lower(): key for key in inputs}
    if name in lowered:
        return lowered[name]
    if table.database is None and name == table.key:
        matches = [key for low, key in lowered.items() if low.rpartition(".")[2] == table.name]
        if len(matches) == 1:
            return matches[0]
        if matches:
            raise statement.error(
                f"table {table.name} is in several databases: {', '.join(sorted(matches))}.", table.offset
            )
    return _missing(inputs, table.key, statement, table.offset)


def _missing(inputs: Inputs, key: str, statement: dialect.Statement, offset: int | None) -> str:
    known = ", ".join(sorted(inputs)) or "none"
    where = statement.error("", offset)
    place = f" (line {where.line}, column {where.column})" if where.line else ""
    raise NotFoundError(f"there is no table {key} among the query's inputs: {known}{place}.")


def _found(inputs: Inputs, key: str, _: None) -> Scan:
    lowered = {name.lower(): scan for name, scan in inputs.items()}
    if key.lower() not in lowered:
        known = ", ".join(sorted(inputs)) or "none"
        raise NotFoundError(f"there is no table {key} among the query's inputs: {known}.")
    return lowered[key.lower()]


def encoding(scan: Scan, known: Mapping[str, str]) -> str:
    """Return the engine's name for a csv table's encoding; ``known`` gives it by Python's own name.

    Raises InputError for an encoding that is no encoding or that the engine cannot read.
    """
    given = scan.parameters.get("encoding", "utf-8")
    try:
        name = codecs.lookup(given).name
    except LookupError as error:
        raise InputError(f"{scan.table} has the unknown encoding {given!r}: correct its definition.") from error
    if name not in known:
        raise InputError(f"{scan.table} is in {given}, which cannot be queried in place: load it, or save it as UTF-8.")
    return known[name]


def is_s3(uri: str) -> bool:
    """Say whether a URI is one of S3."""
    return uri.startswith("s3://")


def engine_path(uri: str) -> str:
    """Return what an engine that reaches S3 opens: an S3 URI as it is, else a local file's path."""
    return uri if is_s3(uri) else str(local_path(uri))


def local_path(uri: str) -> Path:
    """Return a local file's path from its URI or path; raises QueryError for any other place."""
    if "://" not in uri and not uri.startswith("file:"):
        return Path(uri)
    parts = urlsplit(uri)
    if parts.scheme != "file":
        raise QueryError(f"{uri} is not a local file: this engine reads files of this machine.")
    return Path(unquote(parts.path))
