"""Run a recipe: read a table or an expression, execute the steps in the engine, commit the result as a table."""

from collections.abc import Mapping
from dataclasses import dataclass

import ibis
import ibis.expr.types as ir
import pyarrow as pa

from nextbasket.catalog.base import ICEBERG, Catalog, CommitMode, Scan, Snapshot
from nextbasket.catalog.types import columns_of
from nextbasket.errors import NotFoundError
from nextbasket.query.workgroup import Workgroup
from nextbasket.recipes.compile import Compiled, compile
from nextbasket.recipes.parse import Recipe

_WIDER = (("int", "bigint"), ("float", "double"))
"""A result's type and the wider stored type that takes it as it is."""


@dataclass(frozen=True, slots=True)
class RecipeRun:
    """What a run did: the recipe as compiled, and the snapshot that holds its result."""

    compiled: Compiled
    snapshot: Snapshot


class RecipeJob:
    """Runs recipes over the catalog's tables."""

    def __init__(self, workgroup: Workgroup, catalog: Catalog) -> None:
        self._workgroup = workgroup
        self._catalog = catalog

    def run(
        self,
        recipe: Recipe,
        source: str | ir.Table,
        output: str,
        *,
        run_id: str,
        secondary: Mapping[str, str | ir.Table] | None = None,
        summary: Mapping[str, str] | None = None,
        overrides: Mapping[str, Scan] | None = None,
    ) -> RecipeRun:
        """Run the recipe over ``source`` and make the result the table ``output`` (``database.table``).

        ``source`` and the ``secondary`` data sets are tables by name or expressions over them; ``overrides`` gives
        scans to be read in place of the tables' current versions. Raises RecipeError before anything runs.
        """
        tables = {name: self._expression(item, overrides) for name, item in (secondary or {}).items()}
        compiled = compile(recipe, self._expression(source, overrides), tables)
        schema = arrow_schema(compiled.expression)
        make_way(self._catalog, output, schema)
        snapshot = self._workgroup.materialise(
            compiled.expression,
            output,
            run_id=run_id,
            mode=CommitMode.OVERWRITE,
            summary={"nextbasket.recipe": recipe.name, **(summary or {})},
            schema=schema,
            overrides=overrides,
        )
        return RecipeRun(compiled, snapshot)

    def _expression(self, source: str | ir.Table, overrides: Mapping[str, Scan] | None) -> ir.Table:
        if not isinstance(source, str):
            return source
        scan = (overrides or {}).get(source) or self._catalog.scan(source)
        return table_expression(source, scan.schema)


def make_way(catalog: Catalog, table: str, schema: pa.Schema) -> None:
    """Drop an Iceberg table that holds other columns than a result that is to replace it whole.

    A changed recipe or query changes what its table is; columns of before must not linger in it as NULLs.
    """
    try:
        stored = catalog.table(table)
    except NotFoundError:
        return
    columns = {column.name: column.type for column in (*stored.columns, *stored.partition_keys)}
    wanted = {column.name.lower(): column.type for column in columns_of(schema)}
    kept = columns.keys() == wanted.keys() and all(
        columns[name] == kind or (kind, columns[name]) in _WIDER for name, kind in wanted.items()
    )
    if stored.format == ICEBERG and not kept:
        catalog.drop(table)


def table_expression(name: str, schema: pa.Schema) -> ir.Table:
    """Return ``database.table`` as an Ibis table that an engine will find among its inputs."""
    database, _, table = name.rpartition(".")
    return ibis.table(ibis.Schema.from_pyarrow(schema), name=table, database=database)


def arrow_schema(expression: ir.Table) -> pa.Schema:
    """Return the columns and types an expression gives, known without running it."""
    schema: pa.Schema = expression.schema().to_pyarrow()
    return schema
