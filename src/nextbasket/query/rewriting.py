"""Change a syntax tree from its leaves up, and put arguments into an engine's own expression."""

from collections.abc import Callable, Sequence
from functools import cache
from typing import ClassVar

from sqlglot import exp
from sqlglot.dialects.duckdb import DuckDB
from sqlglot.dialects.spark import Spark
from sqlglot.parsers.duckdb import DuckDBParser
from sqlglot.parsers.spark import SparkParser

from nextbasket.query.signature import Form

_BARE = (exp.Func, exp.Column, exp.Identifier, exp.Literal, exp.Paren, exp.Null, exp.Boolean, exp.Subquery, exp.Dot,
         exp.Lambda, exp.Array, exp.Star, exp.Placeholder, exp.Bracket, exp.Distinct, exp.Order)  # fmt: skip


class _DuckDBAsWritten(DuckDB):
    """DuckDB's dialect, knowing no function: a template's calls stay as they are written."""

    class Parser(DuckDBParser):
        FUNCTIONS: ClassVar[dict[str, Callable[..., exp.Expr]]] = {}


class _SparkAsWritten(Spark):
    """Spark's dialect, knowing no function."""

    class Parser(SparkParser):
        FUNCTIONS: ClassVar[dict[str, Callable[..., exp.Expr]]] = {}


_AS_WRITTEN = {"duckdb": _DuckDBAsWritten, "spark": _SparkAsWritten}


def rewritten(tree: exp.Expr, rule: Callable[[exp.Expr], exp.Expr]) -> exp.Expr:
    """Return the tree with ``rule`` applied to every node, children before their parents; the tree is changed."""
    root = tree
    for node in reversed(list(tree.walk())):
        parent, key, index = node.parent, node.arg_key, node.index
        new = rule(node)
        if new is node:
            continue
        if parent is None or key is None:
            root = new
            new.parent = None
        else:
            parent.set(key, new, index)
    return root


def enclosed(node: exp.Expr) -> exp.Expr:
    """Return a node that keeps its meaning wherever it is put: in parentheses unless it needs none."""
    return node if isinstance(node, _BARE) else exp.Paren(this=node)


def call(name: str, *arguments: exp.Expr) -> exp.Anonymous:
    """Return a call that no dialect renames."""
    return exp.Anonymous(this=name, expressions=list(arguments))


def number(value: int) -> exp.Expr:
    """Return a number's literal."""
    return exp.Literal.number(value)


def expanded(form: Form, template: str, arguments: Sequence[exp.Expr], engine: str) -> exp.Expr:
    """Return a form's template in an engine's SQL with its arguments put in."""
    names = form.arguments
    given = dict(zip(names, arguments, strict=True))
    tree = _parsed(template, engine).copy()
    for column in list(tree.find_all(exp.Column)):
        name = column.name.rstrip("_")
        if name not in given or column.table:
            continue
        value = given[name].copy()
        parent = column.parent
        inside = isinstance(parent, exp.Func) and not isinstance(parent, exp.Cast | exp.Case | exp.If | exp.RegexpLike)
        column.replace(value if inside else enclosed(value))
    return enclosed(tree)


@cache
def _parsed(template: str, engine: str) -> exp.Expr:
    (tree,) = _AS_WRITTEN[engine]().parse(template)
    assert tree is not None  # noqa: S101 (templates are this project's own)
    return tree


def replaced(body: exp.Expr, values: dict[str, exp.Expr]) -> exp.Expr:
    """Return a lambda's body with its parameters replaced."""
    holder = exp.Paren(this=body.copy())
    for name in list(holder.find_all(exp.Identifier)):
        if isinstance(name.parent, exp.Column | exp.DataType | exp.ColumnDef | exp.Alias):
            continue
        if isinstance(name.parent, exp.Dot) and name.arg_key == "expression":
            continue
        if name.name in values:
            name.replace(values[name.name].copy())
    return enclosed(holder.this)


def aggregate(node: exp.Expr) -> tuple[exp.Expr, exp.Expr | None, exp.Window | None]:
    """Return the call inside a node, with the condition of its FILTER and its window, where it has them."""
    window = node if isinstance(node, exp.Window) else None
    inside = node.this if window is not None else node
    condition = None
    if isinstance(inside, exp.Filter):
        condition = inside.expression
        inside = inside.this
    return inside, condition, window


def outermost(node: exp.Expr) -> bool:
    """Say whether a call stands without FILTER and OVER around it."""
    parent = node.parent
    return not (isinstance(parent, exp.Filter | exp.Window) and node.arg_key == "this")


def wrapped(node: exp.Expr, condition: exp.Expr | None, window: exp.Window | None) -> exp.Expr:
    """Return an aggregate's call with FILTER and OVER around it."""
    if condition is not None:
        node = exp.Filter(this=node, expression=condition.copy())
    if window is not None:
        around = window.copy()
        around.set("this", node)
        node = around
    return node


def with_key(key: exp.Expr, condition: exp.Expr | None) -> exp.Where:
    """Return the condition of a FILTER that leaves NULL keys out, too."""
    known = exp.Not(this=exp.Is(this=enclosed(key.copy()), expression=exp.Null()))
    return exp.Where(this=known if condition is None else exp.and_(known, condition.this.copy()))


def around(result: exp.Expr, condition: exp.Expr | None, window: exp.Window | None) -> exp.Expr:
    """Return an expression with FILTER and OVER put around each of the engine's aggregates inside of it."""
    if condition is None and window is None:
        return result
    holder = exp.Paren(this=result)
    calls = [
        found
        for found in holder.find_all(exp.Func)
        if found.name.lower() in _AGGREGATES or isinstance(found, exp.AggFunc)
    ]
    assert calls, f"{result.sql()} has no aggregate to put FILTER or OVER around"  # noqa: S101 (a form's own fault)
    for found in calls:
        found.replace(wrapped(found.copy(), condition, window))
    changed: exp.Expr = holder.this
    return changed


_AGGREGATES = frozenset(
    {"arg_max_null", "arg_min_null", "avg", "bit_and", "bit_or", "bool_and", "corr", "count", "covar_pop", "max_by",
     "min", "min_by", "percentile_approx", "quantile_disc", "stddev_pop"}
)  # fmt: skip
"""The engines' own names of the aggregates that forms are made of."""
