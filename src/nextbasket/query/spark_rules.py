"""From Athena's dialect to Spark's, and types between Spark and Arrow."""

import re
from collections.abc import Callable

import ibis
import ibis.expr.types as ir
import pyarrow as pa
import sqlglot
from ibis.config import Config
from sqlglot import exp

from nextbasket.errors import QueryError
from nextbasket.query import dialect, operands

_NARROW = (
    exp.DayOfMonth, exp.Day, exp.DayOfYear, exp.Extract, exp.Hour, exp.Length, exp.Minute, exp.Month, exp.Quarter,
    exp.Second, exp.StrPosition, exp.Week, exp.WeekOfYear, exp.Year, exp.ArraySize,
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

    return copy.transform(rewrite, copy=False).sql(dialect="spark")


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
    left, right = operands.kinds(node)
    if isinstance(node, exp.Div):
        return _division(node, left, right, statement)
    if isinstance(node, exp.Cast) and node.to.this in dialect.INTEGER_TYPES:
        # Spark cuts digits off where Athena rounds.
        if left in (operands.FLOATING, operands.DECIMAL):
            node.set("this", exp.func("round", node.this))
        return node
    if isinstance(node, exp.DayOfWeekIso | exp.DayOfWeek):
        monday_is_zero = exp.Anonymous(this="WEEKDAY", expressions=[node.this])
        return exp.cast(exp.Add(this=monday_is_zero, expression=_number(1)), "bigint")
    if isinstance(node, exp.DateAdd):
        unit = exp.Var(this=(node.text("unit") or "day").upper())
        moved = exp.Anonymous(this="TIMESTAMPADD", expressions=[unit, exp.cast(node.expression, "int"), node.this])
        return exp.cast(moved, "date" if left == operands.DATE else "timestamp")
    if isinstance(node, exp.DateDiff):
        unit = exp.Var(this=(node.text("unit") or "day").upper())
        return exp.cast(exp.Anonymous(this="TIMESTAMPDIFF", expressions=[unit, node.expression, node.this]), "bigint")
    if isinstance(node, exp.DateTrunc | exp.TimestampTrunc) and left == operands.DATE:
        return exp.cast(node, "date")
    if isinstance(node, exp.Ceil | exp.Floor) and left == operands.FLOATING and not node.args.get("decimals"):
        return exp.cast(node, "double")
    if isinstance(node, exp.Greatest | exp.Least):
        # Athena gives NULL as soon as one argument is NULL, Spark skips it.
        nulls = [exp.Is(this=item.copy(), expression=exp.Null()) for item in (node.this, *node.expressions)]
        return exp.Case(ifs=[exp.If(this=exp.or_(*nulls), true=exp.Null())], default=node)
    if isinstance(node, _NARROW):
        return exp.cast(node, "bigint")
    if isinstance(node, exp.Window) and isinstance(node.this, _NARROW_WINDOWS):
        return exp.cast(node, "bigint")
    return node


def _division(node: exp.Div, left: str, right: str, statement: dialect.Statement) -> exp.Expr:
    if left == right == operands.INTEGER:
        return exp.IntDiv(this=node.this, expression=node.expression)
    if operands.FLOATING in (left, right):
        # Athena gives infinity or NaN for a zero divisor, Spark an error.
        above, below = exp.cast(node.this, "double"), exp.cast(node.expression, "double")
        zero = exp.EQ(this=below.copy(), expression=_number(0))
        not_a_number = exp.Anonymous(this="ISNAN", expressions=[above.copy()])
        signed = exp.Case(
            ifs=[
                exp.If(
                    this=exp.or_(exp.EQ(this=above.copy(), expression=_number(0)), not_a_number), true=_double("NaN")
                ),
                exp.If(this=exp.GT(this=above.copy(), expression=_number(0)), true=_double("Infinity")),
                exp.If(this=exp.LT(this=above.copy(), expression=_number(0)), true=_double("-Infinity")),
            ]
        )
        return exp.Case(ifs=[exp.If(this=zero, true=signed)], default=exp.Div(this=above, expression=below))
    raise statement.error(
        f"the types in {node.sql(dialect='trino')} are not known before it runs: CAST both sides for Spark."
    )


def _number(value: int) -> exp.Expr:
    return exp.Literal.number(value)


def _double(text: str) -> exp.Expr:
    return exp.cast(exp.Literal.string(text), "double")


def translate(error: Exception, statement: dialect.Statement | None) -> QueryError:
    """Return Spark's error as a sentence; it points into the statement where the name at fault stands in it."""
    text = str(error)
    condition = re.search(r"\[([A-Z_0-9.]+)\]\s*([^\n]*)", text)
    head = condition[2] if condition else text.splitlines()[0]
    head = re.split(r" SQLSTATE: | Use `try_|; line \d+", head)[0].strip()
    if condition and condition[1].startswith("DIVIDE_BY_ZERO"):
        return QueryError("division by zero.")
    named = re.search(r"`([^`]+)`", head)
    offset = None
    if statement is not None and named:
        offset = dialect.identifier_offset(statement.text, named[1].rpartition(".")[2])
    if condition and condition[1].startswith("UNRESOLVED_COLUMN") and named:
        return _at(statement, f"there is no column {named[1]} in the tables read.", offset)
    sentence = head[:1].lower() + head[1:]
    return _at(statement, sentence if sentence.endswith((".", "!", "?")) else sentence + ".", offset)


def _at(statement: dialect.Statement | None, message: str, offset: int | None) -> QueryError:
    return QueryError(message) if statement is None else statement.error(message, offset)


_TO_SPARK: dict[pa.DataType, str] = {
    pa.bool_(): "BOOLEAN",
    pa.int8(): "TINYINT",
    pa.int16(): "SMALLINT",
    pa.int32(): "INT",
    pa.int64(): "BIGINT",
    pa.float32(): "FLOAT",
    pa.float64(): "DOUBLE",
    pa.string(): "STRING",
    pa.large_string(): "STRING",
    pa.binary(): "BINARY",
    pa.date32(): "DATE",
}
_FROM_SPARK: dict[str, pa.DataType] = {
    "boolean": pa.bool_(),
    "tinyint": pa.int8(),
    "smallint": pa.int16(),
    "int": pa.int32(),
    "bigint": pa.int64(),
    "float": pa.float32(),
    "double": pa.float64(),
    "string": pa.string(),
    "binary": pa.binary(),
    "date": pa.date32(),
    "timestamp": pa.timestamp("us"),
    "timestamp_ntz": pa.timestamp("us"),
    # A bare NULL has no type of its own: Athena writes such a column as text.
    "void": pa.string(),
}


def spark_type(arrow: pa.DataType) -> str:
    """Return Spark's type text of an Arrow type; raises QueryError for one that Spark does not have."""
    if arrow in _TO_SPARK:
        return _TO_SPARK[arrow]
    if pa.types.is_timestamp(arrow):
        return "TIMESTAMP"
    if pa.types.is_decimal(arrow):
        return f"DECIMAL({arrow.precision},{arrow.scale})"
    if pa.types.is_list(arrow) or pa.types.is_large_list(arrow):
        return f"ARRAY<{spark_type(arrow.value_type)}>"
    if pa.types.is_map(arrow):
        return f"MAP<{spark_type(arrow.key_type)},{spark_type(arrow.item_type)}>"
    if pa.types.is_struct(arrow):
        return f"STRUCT<{','.join(f'`{field.name}`:{spark_type(field.type)}' for field in arrow)}>"
    raise QueryError(f"Spark has no type for Arrow's {arrow}.")


def arrow_type(text: str) -> pa.DataType:
    """Return the Arrow type of Spark's ``simpleString``; raises QueryError for one without."""
    if text in _FROM_SPARK:
        return _FROM_SPARK[text]
    if decimal := re.fullmatch(r"decimal\((\d+),(\d+)\)", text):
        return pa.decimal128(int(decimal[1]), int(decimal[2]))
    if text.startswith("array<") and text.endswith(">"):
        return pa.list_(pa.field("element", arrow_type(text[6:-1])))
    raise QueryError(f"Spark's type {text} cannot leave the engine: CAST it to a plain type.")
