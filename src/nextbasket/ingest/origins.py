"""From which column of which landing table a mapping makes a column of the layout.

The statement is followed through its common table expressions and subqueries, as long as the value is made from one
source column: cast, trimmed, or picked by MIN or MAX, but not counted, numbered or joined from several.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from sqlglot import exp

from nextbasket.query import dialect

_PICKED = (exp.Min, exp.Max, exp.AnyValue)


@dataclass(frozen=True, slots=True)
class Origin:
    """A landing table's column, and the expression over it that makes the layout's value."""

    table: str
    column: str
    expression: exp.Expr

    @property
    def query(self) -> str:
        """The SELECT of what the source's column holds, ``given``, and what the mapping makes of it, ``made``."""
        given = exp.column(self.column, quoted=True).as_("given")
        source = exp.table_(self.table, db="landing", quoted=True)
        return exp.select(given, self.expression.copy().as_("made")).distinct().from_(source).sql(dialect="athena")


def origin_of(sql: str, column: str) -> Origin | None:
    """Return where a mapping's column comes from; None where that is not one column of one table."""
    tree = dialect.parse(sql)
    found = _followed(tree, column.lower(), {}) if isinstance(tree, exp.Query) else None
    if found is None:
        return None
    table, expression = found
    columns = {one.name.lower() for one in expression.find_all(exp.Column)}
    return Origin(table, columns.pop(), expression) if len(columns) == 1 else None


def _followed(query: exp.Expr, column: str, above: Mapping[str, exp.Expr]) -> tuple[str, exp.Expr] | None:
    """Return (landing table, expression over its columns) of a query's column."""
    if isinstance(query, exp.Subquery):
        return _followed(query.this, column, above)
    if not isinstance(query, exp.Select):
        return None
    named = {**above, **{cte.alias.lower(): cte.this for cte in query.ctes}}
    value = next((item.unalias() for item in query.selects if item.alias_or_name.lower() == column), None)
    if value is None:
        if not any(isinstance(item, exp.Star) for item in query.selects):
            return None
        value = exp.column(column, quoted=True)
    value = value.copy().transform(lambda node: node.this if isinstance(node, _PICKED) else node)
    if value.find(exp.AggFunc, exp.Window, exp.Subquery):
        return None
    sources = _sources(query)
    tables: set[str] = set()
    replaced: dict[int, exp.Expr] = {}
    for part in list(value.find_all(exp.Column)):
        ends = [
            found
            for alias, source in sources.items()
            if part.table.lower() in ("", alias) and (found := _in_source(source, part, named)) is not None
        ]
        if len(ends) != 1:
            return None
        tables.add(ends[0][0])
        replaced[id(part)] = ends[0][1]
    if len(tables) != 1:
        return None
    made = value.copy() if not isinstance(value, exp.Column) else None
    if made is None:
        return tables.pop(), replaced[id(value)]
    for old, new in zip(list(made.find_all(exp.Column)), replaced.values(), strict=True):
        old.replace(exp.paren(new.copy()) if isinstance(new, exp.Binary) else new.copy())
    return tables.pop(), made


def _sources(query: exp.Select) -> dict[str, exp.Expr]:
    beginning = query.args.get("from_") or query.args.get("from")
    found = [beginning.this] if beginning is not None else []
    found += [join.this for join in query.args.get("joins") or ()]
    return {one.alias_or_name.lower(): one for one in found}


def _in_source(source: exp.Expr, column: exp.Column, named: Mapping[str, exp.Expr]) -> tuple[str, exp.Expr] | None:
    name = column.name.lower()
    if isinstance(source, exp.Table):
        if not source.db and source.name.lower() in named:
            inner = {key: value for key, value in named.items() if key != source.name.lower()}
            return _followed(named[source.name.lower()], name, inner)
        if source.db.lower() != "landing":
            return None
        return source.name.lower(), exp.column(name, quoted=True)
    return _followed(source, name, named)
