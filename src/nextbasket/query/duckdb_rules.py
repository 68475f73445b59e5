"""From Athena's dialect to DuckDB's, and from DuckDB's errors to sentences about the person's own statement."""

import re
from collections.abc import Callable, Mapping, Sequence

import duckdb
from sqlglot import exp

from nextbasket.errors import HomeError, NextbasketError, QueryError
from nextbasket.query import dialect

# Athena divides integers to an integer and fails on zero, and divides doubles by zero to infinity or NaN. DuckDB's //
# does the first by the operands' own types but fails on zero for doubles too; the cast gives those their value back,
# and for integers it fails ("Infinity" is no integer), as it must.
_DIVIDE = """
CREATE MACRO athena_divide(a, b) AS CASE WHEN b = 0 THEN cast_to_type(
  CASE WHEN isnan(CAST(a AS DOUBLE)) OR a = 0 THEN 'NaN' WHEN a > 0 THEN 'Infinity' WHEN a < 0 THEN '-Infinity' END,
  a // b) ELSE a // b END
"""


def macros(tree: exp.Expr) -> list[str]:
    """Return the macro definitions a statement needs."""
    needed = []
    if tree.find(exp.Div):
        needed.append(_DIVIDE)
    return needed


def to_duckdb(tree: exp.Expr, resolve: Callable[[exp.Table], str], columns: Mapping[str, Sequence[str]]) -> str:
    """Return a checked statement as DuckDB SQL; ``resolve`` gives each table's key.

    ``columns`` (by key) is given where ``"$path"`` is read: stars then stand for these, as in Athena.
    """
    named = dialect.normalised(tree)
    if columns:
        _expand_stars(named, resolve, columns)

    def table(node: exp.Table) -> exp.Table:
        database, _, name = resolve(node).rpartition(".")
        new = exp.table_(name, db=database or "main", quoted=True)
        alias = node.args.get("alias")
        new.set("alias", alias.copy() if alias else exp.TableAlias(this=exp.to_identifier(node.name, quoted=True)))
        for key in ("joins", "laterals"):
            if node.args.get(key):
                new.set(key, node.args[key])
        return new

    return dialect.rewritten(named, table, _rewrite).sql(dialect="duckdb")


def _expand_stars(tree: exp.Expr, resolve: Callable[[exp.Table], str], columns: Mapping[str, Sequence[str]]) -> None:
    for select in list(tree.find_all(exp.Select)):
        from_ = select.args.get("from_")
        if from_ is None:
            continue
        sources = [from_.this, *(join.this for join in select.args.get("joins") or [])]
        stored = {id(source) for source in dialect.read_tables(tree)}
        known = {source.alias_or_name.lower(): columns[resolve(source)] for source in sources if id(source) in stored}
        names = [source.alias_or_name for source in sources]
        items: list[exp.Expr] = []
        for item in select.expressions:
            wanted = names if isinstance(item, exp.Star) else [item.table] if item.is_star else []
            if not any(name.lower() in known for name in wanted):
                items.append(item)
                continue
            for name in wanted:
                if name.lower() in known:
                    items += [exp.column(column, name, quoted=True) for column in known[name.lower()]]
                else:
                    items.append(exp.Column(this=exp.Star(), table=exp.to_identifier(name, quoted=True)))
        select.set("expressions", items)


def _rewrite(node: exp.Expr) -> exp.Expr:
    if isinstance(node, exp.Div):
        if _is_nonzero(node.expression):
            return exp.IntDiv(this=node.this, expression=node.expression)
        return exp.func("athena_divide", node.this, node.expression)
    return node


def _is_nonzero(node: exp.Expr) -> bool:
    return isinstance(node, exp.Literal) and not node.is_string and float(node.name) != 0


def translate(error: duckdb.Error, statement: dialect.Statement | None) -> NextbasketError:
    """Return DuckDB's error as a sentence; it points into the statement where the name at fault stands in it."""
    text = str(error)
    if "No space left on device" in text:
        return HomeError("the disk is full: free some space and run it again, nothing was changed.")
    head = re.split(r"\n\s*\n", text, maxsplit=1)[0]
    head = re.sub(r"^[A-Za-z ]+ Error: ", "", head)
    if isinstance(error, duckdb.OutOfMemoryException):
        return QueryError("the query needs more memory than it may use: raise the memory limit or read less.")
    if "convert string 'Infinity'" in head or "convert string '-Infinity'" in head or "string 'NaN'" in head:
        head = "division by zero"
    if "Division by zero" in head:
        head = "division by zero"
    message = " ".join(line.strip() for line in head.splitlines()).strip()
    missing = re.match(
        r'Referenced column "([^"]+)" (?:was )?not found in FROM clause!(?: Candidate bindings: (.*))?', message
    )
    if missing:
        known = f"; columns like it: {missing[2]}" if missing[2] else ""
        return _at(statement, f"there is no column {missing[1]} in the tables read{known}.", missing[1])
    named = re.search(r'"([^"]+)"', message)
    sentence = message[:1].lower() + message[1:]
    return _at(
        statement, sentence if sentence.endswith((".", "!", "?")) else sentence + ".", named[1] if named else None
    )


def _at(statement: dialect.Statement | None, message: str, name: str | None) -> QueryError:
    if statement is None:
        return QueryError(message)
    offset = dialect.identifier_offset(statement.text, name.rpartition(".")[2]) if name else None
    return statement.error(message, offset)
