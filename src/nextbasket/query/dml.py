"""DELETE, UPDATE and MERGE on Iceberg tables: copy on write through the engine, then one atomic commit.

Only the data files that hold a changed row are written again. The commit succeeds only on the version that was read:
when another writer was faster, CommitConflictError says to run the statement again.

A MERGE pairs a row of the table with the rows of the source for which ON holds and a WHEN MATCHED clause applies;
a row with two of them is refused, as in Athena.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pyarrow as pa
from sqlglot import exp

from nextbasket.catalog.base import ICEBERG, VIEW, Catalog, CommitMode, DataFile, Scan
from nextbasket.errors import NotBuiltError, QueryError
from nextbasket.query import assignable, dialect, kinds, parameters
from nextbasket.query.base import Inputs, QueryEngine
from nextbasket.query.dialect import PATH_COLUMN
from nextbasket.query.inputs import engine_path
from nextbasket.query.lookup import Lookup
from nextbasket.query.table_locations import Places
from nextbasket.query.user_tables import Call, Making, summary_of

_CHANGED = "@changed"
"""What the files to write again are called beside the whole table, which the same statement may read, too."""
_FOUND = "@found"


@dataclass(frozen=True, slots=True)
class _Target:
    """The table to change: its name, its version, the name the statement uses for it, its partition columns."""

    name: str
    scan: Scan
    alias: str
    keys: tuple[str, ...]

    def source(self, *, whole: bool = False) -> exp.Table:
        """Return the node that reads it: the files that change, or the whole table."""
        database, _, table = self.name.partition(".")
        return exp.Table(
            this=exp.to_identifier(table if whole else table + _CHANGED, quoted=True),
            db=exp.to_identifier(database, quoted=True),
            alias=exp.TableAlias(this=exp.to_identifier(self.alias, quoted=True)),
        )

    def column(self, name: str) -> exp.Column:
        """Return one of its columns."""
        return exp.column(name, self.alias, quoted=True)

    def inputs(self, others: Inputs, files: Sequence[DataFile] | None = None) -> Inputs:
        """Return the statement's inputs with the table itself, whole and as the files given."""
        part = self.scan if files is None else replace(self.scan, files=tuple(files))
        return {**others, self.name: self.scan, self.name + _CHANGED: part}


class Changes:
    """Runs the statements that change rows of one Iceberg table."""

    def __init__(self, catalog: Catalog, engine: QueryEngine, lookup: Lookup, places: Places, making: Making) -> None:
        self._catalog = catalog
        self._engine = engine
        self._lookup = lookup
        self._places = places
        self._making = making

    def run(self, wanted: kinds.Change, call: Call) -> int:
        """Change the rows; returns how many were changed, deleted or inserted."""
        statement = dialect.Statement(wanted.statement.text, parameters.bind(wanted.statement, call.parameters))
        tree = statement.tree
        verb = tree.key.upper()
        definition = self._lookup.definition(wanted.table, call.database, call.sql)
        if definition.format == VIEW:
            raise call.fail(f"{definition.full_name} is a view: {verb} the table it reads.", wanted.table)
        self._making.check_change(definition, verb, wanted.table, call)
        if definition.format != ICEBERG:
            raise call.fail(
                f"{definition.full_name} is a table of files and only Iceberg tables take {verb}: make one with "
                "CREATE TABLE … WITH (table_type = 'ICEBERG') AS SELECT ….",
                wanted.table,
            )
        scan = self._catalog.scan(definition.full_name)
        keys = tuple(key.name for key in definition.partition_keys)
        target = _Target(definition.full_name, scan, tree.this.alias_or_name.lower(), keys)
        others = call.reads(self._others(statement, call))
        call.reads({target.name: scan})
        if isinstance(tree, exp.Delete):
            return self._delete(tree, target, others, statement.text, call)
        if isinstance(tree, exp.Update):
            return self._update(tree, target, others, statement.text, call)
        if isinstance(tree, exp.Merge):
            return self._merge(tree, target, others, statement.text, call)
        raise QueryError(f"{verb} cannot be run.")

    def _others(self, statement: dialect.Statement, call: Call) -> Inputs:
        """Return the scans of all other tables that the statement reads."""
        tree = statement.tree.copy()
        # The target's own place in the tree is no read; a subquery's use of the same table is.
        tree.set("this", None)
        return self._lookup.inputs(dialect.Statement(call.sql, tree), database=call.database)

    # --- DELETE --------------------------------------------------------------------------------------------------

    def _delete(self, tree: exp.Delete, target: _Target, others: Inputs, text: str, call: Call) -> int:
        where = tree.args.get("where")
        if where is None:
            rows = sum(file.rows for file in target.scan.files)
            if target.scan.files:
                self._commit(target, CommitMode.OVERWRITE, (), (), call)
            return rows
        found, rows = self._touched(target, exp.select(), where.this, others, text, call)
        if not found:
            return 0
        kept = (
            exp.select(*[target.column(name) for name in target.scan.schema.names])
            .from_(target.source())
            .where(_is_not(where.this))
        )
        files = self._write(target, kept, target.inputs(others, found), text, call)
        self._commit(target, CommitMode.MERGE_BY_KEY, files, found, call)
        return rows

    # --- UPDATE --------------------------------------------------------------------------------------------------

    def _update(self, tree: exp.Update, target: _Target, others: Inputs, text: str, call: Call) -> int:
        values = self._assignments(tree, target, call)
        joined = exp.select().from_(target.source())
        self._check_types([values], target, joined, target.inputs(others), text)
        where = tree.args.get("where")
        condition = where.this if where is not None else exp.true()
        found, rows = self._touched(target, exp.select(), condition, others, text, call)
        if not found:
            return 0
        items: list[exp.Expr] = []
        for field in target.scan.schema:
            item: exp.Expr = target.column(field.name)
            if field.name.lower() in values:
                changed = exp.Case().when(condition.copy(), _cast(values[field.name.lower()], field.type))
                item = changed.else_(item)
            items.append(exp.alias_(item, field.name, quoted=True))
        written = exp.select(*items).from_(target.source())
        files = self._write(target, written, target.inputs(others, found), text, call)
        self._commit(target, CommitMode.MERGE_BY_KEY, files, found, call)
        return rows

    def _assignments(self, update: exp.Update, target: _Target, call: Call) -> dict[str, exp.Expr]:
        values: dict[str, exp.Expr] = {}
        for item in update.expressions:
            if not isinstance(item, exp.EQ) or not isinstance(item.this, exp.Column):
                raise QueryError("SET is written SET column = value, column = value.")
            name = item.this.name.lower()
            self._check_column(name, target, call)
            if name in values:
                raise QueryError(f"SET names the column {name} twice.")
            values[name] = item.expression
        return values

    # --- MERGE ---------------------------------------------------------------------------------------------------

    def _merge(self, tree: exp.Merge, target: _Target, others: Inputs, text: str, call: Call) -> int:
        on = tree.args["on"]
        using = tree.args["using"]
        alias = using.alias_or_name.lower()
        if not alias or alias == target.alias:
            raise QueryError("the source of a MERGE needs a name of its own: write USING (SELECT …) AS source.")
        matched: list[_Clause] = []
        missing: list[_Clause] = []
        for when in tree.args["whens"].expressions:
            if when.args.get("source"):
                raise NotBuiltError("WHEN NOT MATCHED BY SOURCE (instead: a DELETE or UPDATE of its own)")
            (matched if when.args.get("matched") else missing).append(self._clause(when, target, call))
        marked = _marked(using, alias)
        everything = exp.select().from_(target.source()).join(marked.copy(), on=on.copy(), join_type="left")
        self._check_types([one.values for one in matched], target, everything, target.inputs(others), text)
        plain = exp.select().from_(using.copy())
        self._check_types([one.values for one in missing], target, plain, others, text)

        found: list[DataFile] = []
        files: list[DataFile] = []
        rows = 0
        if matched:
            pairs = exp.and_(on.copy(), _any(matched))
            joined = exp.select().join(marked.copy(), on=pairs, join_type="inner")
            found, rows = self._touched(target, joined, exp.true(), others, text, call)
        if found:
            inputs = target.inputs(others, found)
            both = exp.select().from_(target.source()).join(marked.copy(), on=pairs.copy(), join_type="left")
            counted = self._table(both.select(exp.alias_(exp.Count(this=exp.Star()), "n")), inputs, text, call)
            if counted.column(0)[0].as_py() > sum(file.rows for file in found):
                raise QueryError(
                    f"a row of {target.name} matches more than one row of {alias}: make ON find one at most."
                )
            mark = exp.column(_FOUND, alias, quoted=True)
            items = []
            for field in target.scan.schema:
                item = exp.Case().when(exp.Is(this=mark.copy(), expression=exp.Null()), target.column(field.name))
                for clause in matched:
                    value = clause.values.get(field.name.lower())
                    then = target.column(field.name) if value is None else _cast(value, field.type)
                    item = item.when(clause.condition.copy(), then)
                items.append(exp.alias_(item.else_(target.column(field.name)), field.name, quoted=True))
            stays = exp.Case().when(exp.Is(this=mark.copy(), expression=exp.Null()), exp.true())
            for clause in matched:
                stays = stays.when(clause.condition.copy(), exp.false() if clause.deletes else exp.true())
            files += self._write(target, both.select(*items).where(stays.else_(exp.true())), inputs, text, call)
        if missing:
            whole = _marked(target.source(whole=True), target.alias)
            items = []
            for field in target.scan.schema:
                item = exp.Case()
                for clause in missing:
                    value = clause.values.get(field.name.lower(), exp.Null())
                    item = item.when(clause.condition.copy(), _cast(value, field.type))
                items.append(exp.alias_(item, field.name, quoted=True))
            new = (
                exp.select(*items)
                .from_(using.copy())
                .join(whole, on=on.copy(), join_type="left")
                .where(exp.Is(this=exp.column(_FOUND, target.alias, quoted=True), expression=exp.Null()))
                .where(_any(missing))
            )
            added = self._write(target, new, target.inputs(others), text, call)
            rows += sum(file.rows for file in added)
            files += added
        if files or found:
            mode = CommitMode.MERGE_BY_KEY if found else CommitMode.APPEND
            self._commit(target, mode, files, found, call)
        return rows

    def _clause(self, when: exp.When, target: _Target, call: Call) -> "_Clause":
        condition = when.args.get("condition") or exp.true()
        then = when.args["then"]
        if isinstance(then, exp.Update):
            return _Clause(condition, self._assignments(then, target, call), deletes=False)
        if isinstance(then, exp.Insert):
            named = then.this.expressions if isinstance(then.this, exp.Expr) else None
            names = [part.name.lower() for part in named] if named is not None else list(target.scan.schema.names)
            values = then.expression.expressions if isinstance(then.expression, exp.Tuple) else []
            if len(values) != len(names):
                raise QueryError(f"WHEN NOT MATCHED gives {len(values)} values for {len(names)} columns.")
            for name in names:
                self._check_column(name, target, call)
            return _Clause(condition, {name.lower(): value for name, value in zip(names, values, strict=True)}, False)
        return _Clause(condition, {}, deletes=True)

    # --- inside --------------------------------------------------------------------------------------------------

    def _touched(
        self, target: _Target, joined: exp.Select, condition: exp.Expr, others: Inputs, text: str, call: Call
    ) -> tuple[list[DataFile], int]:
        """Return the data files that hold a row of the condition, and how many such rows there are."""
        query = joined.copy().from_(target.source()).where(condition.copy())
        rows = exp.alias_(exp.Count(this=exp.Star()), "n")
        path = target.column(PATH_COLUMN)
        inputs = target.inputs(others)
        try:
            counted = self._table(query.select(exp.alias_(path, "p"), rows).group_by(path.copy()), inputs, text, call)
        except NotBuiltError:
            # An engine that does not know which file a row is from: all files are written again.
            total = self._table(query.select(rows), inputs, text, call).column("n")[0].as_py()
            return (list(target.scan.files) if total else [], total)
        paths = set(counted.column("p").to_pylist())
        found = [file for file in target.scan.files if engine_path(file.uri) in paths]
        return found, sum(row["n"] for row in counted.select(["n"]).to_pylist())

    def _table(self, tree: exp.Select, inputs: Inputs, text: str, call: Call) -> pa.Table:
        handle = self._engine.start(dialect.Statement(text, tree), inputs, (), call.left())
        return pa.Table.from_batches(list(handle.batches()), handle.schema)

    def _write(self, target: _Target, tree: exp.Select, inputs: Inputs, text: str, call: Call) -> list[DataFile]:
        folder = self._places.staging(call.query_id)
        try:
            return self._engine.write(
                dialect.Statement(text, tree),
                inputs,
                folder,
                target.scan.schema,
                partition_by=target.keys,
                limits=call.left(),
            )
        except BaseException:
            self._places.discard(folder)
            raise

    def _commit(
        self, target: _Target, mode: CommitMode, files: Sequence[DataFile], found: Sequence[DataFile], call: Call
    ) -> None:
        self._catalog.commit(
            target.name,
            mode,
            files,
            run_id=f"query-{call.query_id}",
            expected_snapshot=target.scan.snapshot_id,
            check_expected=True,
            replaces=[file.uri for file in found],
            summary=summary_of(call.sql),
        )

    def _check_column(self, name: str, target: _Target, call: Call) -> None:
        names = [one.lower() for one in target.scan.schema.names]
        if name not in names:
            raise dialect.error_at(
                call.sql,
                f"the table {target.name} has no column {name}: it has {', '.join(names)}.",
                dialect.identifier_offset(call.sql, name),
            )

    def _check_types(
        self,
        values: Sequence[Mapping[str, exp.Expr]],
        target: _Target,
        over: exp.Select,
        inputs: Inputs,
        text: str,
    ) -> None:
        """Raise QueryError when a value's type does not fit its column."""
        listed = [(name, value) for one in values for name, value in one.items() if not isinstance(value, exp.Null)]
        if not listed:
            return
        items = [exp.alias_(value.copy(), f"v{at}", quoted=True) for at, (_, value) in enumerate(listed)]
        given = self._engine.describe(dialect.Statement(text, over.select(*items)), inputs)
        kinds_of = {field.name.lower(): field.type for field in target.scan.schema}
        for (name, _), field in zip(listed, given, strict=True):
            if not assignable.is_assignable(field.type, kinds_of[name]):
                raise QueryError(assignable.wrong_type(name, field.type, kinds_of[name]))


@dataclass(frozen=True, slots=True)
class _Clause:
    """One WHEN of a MERGE: when it applies, and the values it gives by column."""

    condition: exp.Expr
    values: Mapping[str, exp.Expr]
    deletes: bool


def _is_not(condition: exp.Expr) -> exp.Expr:
    """Return what holds for the rows of which the condition does not hold or is unknown."""
    return exp.Not(this=exp.Coalesce(this=exp.Paren(this=condition.copy()), expressions=[exp.false()]))


def _any(clauses: Sequence[_Clause]) -> exp.Expr:
    return exp.Paren(this=exp.or_(*[clause.condition.copy() for clause in clauses]))


def _marked(source: exp.Expr, alias: str) -> exp.Subquery:
    """Return a source with a column that is true on each of its rows, to tell them from those a join made up."""
    given = source.args.get("alias")
    rows = source.copy()
    rows.set(
        "alias", exp.TableAlias(this=exp.to_identifier("rows", quoted=True), columns=given.columns if given else [])
    )
    inside = exp.select(exp.Star(), exp.alias_(exp.true(), _FOUND, quoted=True)).from_(rows)
    return exp.Subquery(this=inside, alias=_named(alias))


def _named(alias: str) -> exp.TableAlias:
    return exp.TableAlias(this=exp.to_identifier(alias, quoted=True))


def _cast(value: exp.Expr, kind: pa.DataType) -> exp.Expr:
    to: Any = assignable.sql_type(kind)
    return value.copy() if to is None else exp.Cast(this=value.copy(), to=to)
