"""What the recipe tests share: steps as DataBrew writes them, and a small DuckDB to run a compiled recipe in."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import duckdb
import ibis
import ibis.expr.types as ir
import pyarrow as pa

from nextbasket.recipes import Compiled, compile, parse


def step(operation: str, /, *conditions: Mapping[str, Any], **parameters: Any) -> dict[str, Any]:
    """Return a step with its parameters as DataBrew exports them: all text, lists and maps as JSON inside text."""
    written = {name: value if isinstance(value, str) else json.dumps(value) for name, value in parameters.items()}
    made: dict[str, Any] = {"Action": {"Operation": operation, "Parameters": written}}
    if conditions:
        made["ConditionExpressions"] = list(conditions)
    return made


def condition(name: str, column: str, value: Any = None) -> dict[str, Any]:
    """Return a ConditionExpression."""
    return {"Condition": name, "TargetColumn": column} | ({} if value is None else {"Value": value})


def unbound(name: str, table: pa.Table) -> ir.Table:
    """Return a table as an expression that knows its columns and not its rows."""
    return ibis.table(ibis.Schema.from_pyarrow(table.schema), name=name)


def compiled(steps: Sequence[Mapping[str, Any]], table: pa.Table, **secondary: pa.Table) -> Compiled:
    """Compile steps over a table."""
    others = {name: unbound(name, other) for name, other in secondary.items()}
    return compile(parse(json.dumps(steps)), unbound("input", table), others)


def run(steps: Sequence[Mapping[str, Any]], table: pa.Table, **secondary: pa.Table) -> pa.Table:
    """Run steps over a table; the rows come in an order of their own."""
    expression = compiled(steps, table, **secondary).expression
    with duckdb.connect() as connection:
        for name, data in {"input": table, **secondary}.items():
            connection.register(name, data)
        result = connection.sql(str(ibis.to_sql(expression, dialect="duckdb"))).to_arrow_table()
    schema: pa.Schema = expression.schema().to_pyarrow()
    assert result.column_names == schema.names
    return result.cast(schema)


def rows(table: pa.Table) -> list[tuple[Any, ...]]:
    """Return a table's rows, sorted, NULLs first."""
    tuples = [tuple(row.values()) for row in table.to_pylist()]
    return sorted(tuples, key=lambda row: [(value is not None, str(type(value)), value) for value in row])
