"""From Athena's dialect to DuckDB's, and from DuckDB's errors to sentences about the person's own statement."""

import re

import duckdb
from sqlglot import exp

from nextbasket.errors import HomeError, NextbasketError, QueryError
from nextbasket.query import dialect, operands

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
    if "athena_divide" in to_duckdb(tree).lower():
        needed.append(_DIVIDE)
    return needed


def to_duckdb(tree: exp.Expr) -> str:
    """Return a resolved, annotated tree as DuckDB SQL."""
    return tree.copy().transform(_rewrite, copy=False).sql(dialect="duckdb")


def _rewrite(node: exp.Expr) -> exp.Expr:
    left, right = operands.kinds(node)
    if isinstance(node, exp.Div):
        if left == right == operands.INTEGER:
            return exp.IntDiv(this=node.this, expression=node.expression)
        if operands.FLOATING in (left, right):
            return exp.Div(this=node.this, expression=node.expression)
        return exp.func("athena_divide", node.this, node.expression)
    if isinstance(node, exp.Cast) and left == operands.FLOATING and node.to.this in dialect.INTEGER_TYPES:
        # DuckDB rounds halves to even here, Athena away from zero.
        node.set("this", exp.func("round", node.this))
        return node
    if isinstance(node, exp.DateDiff):
        # Athena counts whole units gone by, DuckDB's date_diff the boundaries crossed.
        unit = exp.Literal.string(node.text("unit").lower() or "day")
        return exp.Anonymous(this="date_sub", expressions=[unit, node.expression, node.this])
    if left == operands.DATE and isinstance(node, exp.DateAdd | exp.DateTrunc | exp.TimestampTrunc):
        return exp.cast(node, "date")
    if isinstance(node, exp.Add | exp.Sub) and left == operands.DATE and isinstance(node.expression, exp.Interval):
        return exp.cast(exp.Paren(this=node), "date")
    return node


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
