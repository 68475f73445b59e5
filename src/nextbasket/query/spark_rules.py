"""From Athena's dialect to Spark's, and from Spark's errors to sentences about the person's own statement."""

import re
from collections.abc import Callable

import ibis
import ibis.expr.types as ir
import sqlglot
from ibis.config import Config
from sqlglot import exp

from nextbasket.errors import QueryError
from nextbasket.query import dialect, operands, spark_calls
from nextbasket.query.error_places import suspect
from nextbasket.query.rewriting import aggregate, call, enclosed, expanded, number, outermost, rewritten
from nextbasket.query.sentences import plain
from nextbasket.query.signature import Form
from nextbasket.query.spark_nested import array_agg, subscript, unnested

_NARROW = (
    exp.DayOfMonth, exp.Day, exp.DayOfYear, exp.Extract, exp.Hour, exp.Length, exp.Minute, exp.Month, exp.Quarter,
    exp.Second, exp.Week, exp.WeekOfYear, exp.Year,
)  # fmt: skip
"""Functions that give an INT in Spark and a BIGINT in Athena."""

_NARROW_WINDOWS = (exp.RowNumber, exp.Rank, exp.DenseRank, exp.Ntile)


def to_spark(tree: exp.Expr, statement: dialect.Statement, view: Callable[[str], str]) -> str:
    """Return a resolved, annotated tree as Spark SQL; ``view`` gives the view's name of ``database.table``."""
    copy = tree.copy()
    for table in list(dialect.read_tables(copy)):
        key = table.name if table.db == "main" else f"{table.db}.{table.name}"
        table.set("this", exp.to_identifier(view(key), quoted=True))
        table.set("db", None)

    def rewrite(node: exp.Expr) -> exp.Expr:
        return _rewrite(node, statement)

    return str(rewritten(copy, rewrite).sql(dialect="spark"))


class _SparkOptions(Config):  # type: ignore[misc]  # Ibis ships no types
    """What Ibis asks its Spark backend for; that backend itself is not loaded, it would want pandas."""

    treat_nan_as_null: bool = False


def spark_sql(expression: ir.Table) -> str:
    """Return an Ibis expression as Spark SQL that names its tables as it does; needs no pyspark."""
    if ibis.options.pyspark is None:
        ibis.options.pyspark = _SparkOptions()
    return str(ibis.to_sql(expression, dialect="pyspark"))


def expression_to_spark(expression: ir.Table, view: Callable[[str], str]) -> str:
    """Return an Ibis expression as Spark SQL; ``view`` gives the view's name of ``database.table``."""
    tree = sqlglot.parse_one(spark_sql(expression), read="spark")
    for table in list(dialect.read_tables(tree)):
        key = f"{table.db}.{table.name}" if table.db else table.name
        table.set("this", exp.to_identifier(view(key), quoted=True))
        table.set("db", None)
    return tree.sql(dialect="spark")


def _rewrite(node: exp.Expr, statement: dialect.Statement) -> exp.Expr:
    if isinstance(node, exp.Div):
        return _division(node, statement)
    if isinstance(node, exp.Bracket):
        found = subscript(node)
        if found is None:
            raise statement.error(f"{_shown(node)} has a base whose type is not known before it runs: CAST it.")
        return found
    rule = _RULES.get(type(node))
    if rule is not None:
        return rule(node)
    if isinstance(node, _NARROW):
        return exp.cast(node, "bigint")
    if isinstance(node, exp.Window | exp.Filter | exp.AggFunc | exp.Anonymous) and outermost(node):
        return _outermost(node)
    return node


def _shown(node: exp.Expr) -> str:
    return str(node.sql(dialect=dialect.Athena))


def _outermost(node: exp.Expr) -> exp.Expr:
    inside, condition, window = aggregate(node)
    if isinstance(inside, exp.Anonymous):
        return spark_calls.translated(node, inside, condition, window)
    if isinstance(inside, exp.ArrayAgg):
        return array_agg(inside, condition, window)
    if isinstance(inside, exp.Avg | exp.Sum):
        kind = operands.decimal(next(iter(operands.types(inside)), None))
        if kind is not None:
            # The mean of decimals has their digits in Athena, a sum has as many as there are.
            precision = 38 if isinstance(inside, exp.Sum) else kind[0]
            return exp.cast(node, f"decimal({precision}, {kind[1]})")
    if window is not None and isinstance(inside, _NARROW_WINDOWS):
        return exp.cast(node, "bigint")
    return node


# --- operators -------------------------------------------------------------------------------------------------------


def _tried(node: exp.Expr) -> bool:
    return node.find_ancestor(exp.Try) is not None


def _try(node: exp.Expr) -> exp.Expr:
    return enclosed(node.this)


_TRIED = {"add": "try_add", "sub": "try_subtract", "mul": "try_multiply"}


def _arithmetic(node: exp.Expr) -> exp.Expr:
    left, right = operands.kinds(node)
    numbers = {operands.INTEGER, operands.FLOATING, operands.DECIMAL, operands.UNKNOWN}
    if _tried(node) and {left, right} <= numbers:
        return call(_TRIED[node.key], node.this, node.expression)
    return node


def _division(node: exp.Div, statement: dialect.Statement) -> exp.Expr:
    left, right = operands.kinds(node)
    above, below = enclosed(node.this), enclosed(node.expression)
    if left == right == operands.INTEGER:
        result: exp.Expr = exp.Paren(this=exp.IntDiv(this=above, expression=below))
        return _unless_zero(below, exp.Null(), result) if _tried(node) else result
    if operands.FLOATING in (left, right):
        # Athena gives infinity or NaN for a zero divisor, Spark an error.
        above, below = exp.cast(node.this, "double"), exp.cast(node.expression, "double")
        return _unless_zero(below, _of_zero(above), exp.Div(this=above, expression=below))
    raise statement.error(
        f"the types in {_shown(node)} are not known before it runs: CAST both sides for Spark.", dialect.place(node)
    )


def _modulo(node: exp.Expr) -> exp.Expr:
    kinds = operands.kinds(node)
    above, below = enclosed(node.this), enclosed(node.expression)
    result = exp.Paren(this=exp.Mod(this=above, expression=below))
    if operands.FLOATING in kinds:
        nothing = exp.Case(ifs=[exp.If(this=exp.Not(this=_is_null(above)), true=_double("NaN"))])
        return _unless_zero(below, nothing, result)
    return _unless_zero(below, exp.Null(), result) if _tried(node) else result


def _unless_zero(below: exp.Expr, then: exp.Expr, result: exp.Expr) -> exp.Expr:
    zero = exp.EQ(this=below.copy(), expression=number(0))
    return exp.Case(ifs=[exp.If(this=zero, true=then)], default=result)


def _of_zero(above: exp.Expr) -> exp.Expr:
    not_a_number = call("isnan", above.copy())
    zero = number(0)
    return exp.Case(
        ifs=[
            exp.If(this=exp.or_(exp.EQ(this=above.copy(), expression=zero.copy()), not_a_number), true=_double("NaN")),
            exp.If(this=exp.GT(this=above.copy(), expression=zero.copy()), true=_double("Infinity")),
            exp.If(this=exp.LT(this=above.copy(), expression=zero.copy()), true=_double("-Infinity")),
        ]
    )


def _double(text: str) -> exp.Expr:
    return exp.cast(exp.Literal.string(text), "double")


def _is_null(node: exp.Expr) -> exp.Expr:
    return exp.Is(this=node.copy(), expression=exp.Null())


_GUARDS = {
    **dict.fromkeys(dialect.INTEGER_TYPES, r"^\s*[+-]?[0-9]+\s*$"),
    exp.DType.DATE: r"^\s*[+-]?[0-9]+-[0-9]{1,2}-[0-9]{1,2}\s*$",
    # Spark also reads a year, a month or a time of today.
    exp.DType.TIMESTAMP: r"^\s*[+-]?[0-9]+-[0-9]{1,2}-[0-9]{1,2}",
    exp.DType.BOOLEAN: r"^(?i)(t|f|true|false|0|1)$",
}
_GUARD = Form("guard(text, pattern)", spark="CASE WHEN text RLIKE pattern THEN text ELSE concat('\"', text, '\"') END")


def _cast(node: exp.Expr) -> exp.Expr:
    assert isinstance(node, exp.Cast)  # noqa: S101 (by the table of rules)
    left, _ = operands.kinds(node)
    wanted = node.to.this
    if left in (operands.FLOATING, operands.DECIMAL) and wanted in dialect.INTEGER_TYPES:
        # Spark cuts digits off where Athena rounds.
        node.set("this", exp.func("round", node.this))
    written = r"\d{4}-\d\d-\d\d( \d\d:\d\d:\d\d(\.\d+)?)?" if wanted is exp.DType.TIMESTAMP else r"\d{4}-\d\d-\d\d"
    plain = isinstance(node.this, exp.Literal) and re.fullmatch(written, node.this.name) is not None
    if left == operands.TEXT and wanted in _GUARDS and not plain:
        # Spark reads '2024' as a date and 'yes' as true.
        pattern = exp.Literal.string(_GUARDS[wanted])
        node.set("this", expanded(_GUARD, _GUARD.spark, [node.this, pattern], "spark"))
    if wanted is exp.DType.TIMESTAMP:
        node.set("to", exp.DataType.build("timestamp"))
    if _tried(node) and not isinstance(node, exp.TryCast):
        return exp.TryCast(this=node.this, to=node.to, safe=True)
    return node


def _like(node: exp.Expr) -> exp.Expr:
    # A backslash escapes in Spark even where no ESCAPE is given.
    pattern = node.expression
    if isinstance(node.parent, exp.Escape):
        return node
    if isinstance(pattern, exp.Literal):
        if "\\" in pattern.name:
            node.set("expression", exp.Literal.string(pattern.name.replace("\\", "\\\\")))
        return node
    doubled = call("replace", pattern, exp.Literal.string("\\"), exp.Literal.string("\\\\"))
    node.set("expression", doubled)
    return node


# --- dates -----------------------------------------------------------------------------------------------------------


def _day_of_week(node: exp.Expr) -> exp.Expr:
    return exp.cast(exp.Add(this=call("weekday", node.this), expression=number(1)), "bigint")


def _date_add(node: exp.Expr) -> exp.Expr:
    left, _ = operands.kinds(node)
    unit = exp.Var(this=(node.text("unit") or "day").upper())
    moved = call("timestampadd", unit, exp.cast(node.expression, "int"), node.this)
    return exp.cast(moved, "date" if left == operands.DATE else "timestamp")


_WHOLE = "((year({b}) - year({a})) * 12 + month({b}) - month({a}))"
_MONTHS = f"({_WHOLE} - CASE WHEN timestampadd(MONTH, {_WHOLE}, {{a}}) > {{b}} THEN 1 ELSE 0 END)"
# A month is over on its last day where it has no such day: from January 31st to February 28th is one month.
_MONTH_DIFF = Form(
    "month_diff(start, stop)",
    spark=f"CASE WHEN start <= stop THEN {_MONTHS.format(a='start', b='stop')} "
    f"ELSE -{_MONTHS.format(a='stop', b='start')} END",
)


def _date_diff(node: exp.Expr) -> exp.Expr:
    unit = (node.text("unit") or "day").upper()
    months = {"MONTH": 1, "QUARTER": 3, "YEAR": 12}.get(unit)
    if months is None:
        return exp.cast(call("timestampdiff", exp.Var(this=unit), node.expression, node.this), "bigint")
    between = expanded(_MONTH_DIFF, _MONTH_DIFF.spark, [node.expression, node.this], "spark")
    if months > 1:
        between = exp.IntDiv(this=enclosed(between), expression=number(months))
    return exp.cast(between, "bigint")


def _date_trunc(node: exp.Expr) -> exp.Expr:
    return exp.cast(node, "date") if operands.kinds(node)[0] == operands.DATE else node


# --- functions that sqlglot knows ------------------------------------------------------------------------------------

# Spark rounds what a double looks like, Athena what it is: round(0.285e0, 2) is 0.28.
_ROUND = Form(
    "round(x, digits)", spark="round(CAST(x AS DOUBLE) * power(10, digits)) / power(CAST(10 AS DOUBLE), digits)"
)


def _round(node: exp.Expr) -> exp.Expr:
    digits = node.args.get("decimals")
    if operands.kinds(node)[0] != operands.FLOATING or digits is None:
        return node
    return expanded(_ROUND, _ROUND.spark, [node.this, digits], "spark")


def _ceil_floor(node: exp.Expr) -> exp.Expr:
    floating = operands.kinds(node)[0] == operands.FLOATING and not node.args.get("decimals")
    return exp.cast(node, "double") if floating else node


def _greatest_least(node: exp.Expr) -> exp.Expr:
    # Athena gives NULL as soon as one argument is NULL, Spark skips it.
    nulls = [_is_null(item) for item in (node.this, *node.expressions)]
    return exp.Case(ifs=[exp.If(this=exp.or_(*nulls), true=exp.Null())], default=node)


def _if(node: exp.Expr) -> exp.Expr:
    # Spark's if() wants three arguments.
    if isinstance(node.parent, exp.Case) or node.args.get("false") is not None:
        return node
    return exp.Case(ifs=[exp.If(this=node.this, true=node.args["true"])])


def _in(node: exp.Expr) -> exp.Expr:
    # Spark compares the fields' names, too, where rows stand in a list.
    rows = node.expressions
    if not isinstance(node.this, exp.Tuple) or not rows or not all(isinstance(row, exp.Tuple) for row in rows):
        return node
    equal = [
        exp.and_(
            *(
                exp.EQ(this=enclosed(one.copy()), expression=enclosed(other))
                for one, other in zip(node.this.expressions, row.expressions, strict=True)
            )
        )
        for row in rows
    ]
    return exp.Paren(this=exp.or_(*equal))


def _grouping(node: exp.Expr) -> exp.Expr:
    columns = node.expressions
    bits: exp.Expr | None = None
    for place, column in enumerate(reversed(columns)):
        bit = exp.Mul(this=exp.cast(call("grouping", column), "bigint"), expression=number(2**place))
        bits = bit if bits is None else exp.Add(this=bits, expression=bit)
    return exp.Paren(this=bits)


def _row(node: exp.Expr) -> exp.Expr:
    if isinstance(node.parent, exp.Cast):
        return call("struct", *node.expressions)
    named: list[exp.Expr] = []
    for place, value in enumerate(node.expressions):
        named += [exp.Literal.string(f"field{place}"), value]
    return call("named_struct", *named)


_RULES: dict[type[exp.Expr], Callable[[exp.Expr], exp.Expr]] = {
    exp.Add: _arithmetic,
    exp.Sub: _arithmetic,
    exp.Mul: _arithmetic,
    exp.Mod: _modulo,
    exp.Try: _try,
    exp.Cast: _cast,
    exp.TryCast: _cast,
    exp.Like: _like,
    exp.DayOfWeek: _day_of_week,
    exp.DayOfWeekIso: _day_of_week,
    exp.DateAdd: _date_add,
    exp.DateDiff: _date_diff,
    exp.DateTrunc: _date_trunc,
    exp.TimestampTrunc: _date_trunc,
    exp.Round: _round,
    exp.Ceil: _ceil_floor,
    exp.Floor: _ceil_floor,
    exp.Greatest: _greatest_least,
    exp.Least: _greatest_least,
    exp.Grouping: _grouping,
    exp.If: _if,
    exp.In: _in,
    exp.Struct: _row,
    exp.Unnest: unnested,
}


# --- errors ----------------------------------------------------------------------------------------------------------


def translate(error: Exception, statement: dialect.Statement | None, tree: exp.Expr | None = None) -> QueryError:
    """Return Spark's error as a sentence; it points to what is at fault in the statement where that can be told."""
    text = str(error)
    condition = re.search(r"\[([A-Z_0-9.]+)\]\s*([^\n]*)", text)
    head = condition[2] if condition else text.splitlines()[0]
    head = re.split(r" SQLSTATE: | Use `try_|; line \d+", head)[0].strip()
    named = re.search(r"`([^`]+)`", head)
    sentence = plain(head)
    if condition and condition[1].startswith(("DIVIDE_BY_ZERO", "REMAINDER_BY_ZERO")):
        sentence = "division by zero."
    if condition and condition[1].startswith("UNRESOLVED_COLUMN") and named:
        sentence = f"there is no column {named[1]} in the tables read."
    if statement is None:
        return QueryError(sentence)
    offset = dialect.identifier_offset(statement.text, named[1].rpartition(".")[2]) if named else None
    if offset is None and tree is not None:
        offset = suspect(statement, tree, sentence)
    return statement.error(sentence, offset)
