"""Notes on rows that name what another table lacks: lines of unknown products, products of unknown aisles.

Such rows are loaded all the same: what a shop sells may well change faster than its product list.
"""

from collections.abc import Mapping
from functools import reduce

import ibis.expr.types as ir

from nextbasket.catalog.base import Scan
from nextbasket.grocery.tables import AISLES, DEPARTMENTS, ORDER_PRODUCTS, PRODUCTS
from nextbasket.ingest.load_attempt import Attempt, TableLoad
from nextbasket.ingest.shop import unbound

_NAMED = (
    (ORDER_PRODUCTS.name, "product_id", PRODUCTS.name),
    (PRODUCTS.name, "aisle_id", AISLES.name),
    (PRODUCTS.name, "department_id", DEPARTMENTS.name),
)


def notes_on_unknown(attempt: Attempt, tables: Mapping[str, TableLoad]) -> list[str]:
    """Return one note for each table whose new rows name something that is not there; none for a table not there."""
    notes = []
    for name, column, other in _NAMED:
        found = _new_values(tables[name], column)
        if found is None:
            continue
        values, inputs = found
        kind = "int64" if values[column].type().is_integer() else "string"
        known = _known(attempt, tables[other], column, kind)
        if known is None:
            continue
        ids, read = known
        named = values.filter(values[column].notnull())
        unknown = named.anti_join(ids, column)
        asked = unknown.aggregate(
            n=unknown.count(), ids=unknown[column].nunique(), least=unknown[column].min().cast("string")
        )
        (row,) = attempt.checker.table(asked, {**inputs, **read}).to_pylist()
        if row["n"]:
            what = f"{row['n']:,} new rows of {name} name {row['ids']:,} values of {column} that {other} lacks"
            notes.append(f"{what}, for example {row['least']}; they are loaded all the same")
    return notes


def _new_values(table: TableLoad, column: str) -> tuple[ir.Table, dict[str, Scan]] | None:
    if table.clean is not None:
        return unbound(table.clean).select(column), {table.clean.table: table.clean}
    if table.rows is not None and table.rows.good:
        return table.rows.good_rows().select(column), {table.rows.scan.table: table.rows.scan}
    return None


def _known(attempt: Attempt, table: TableLoad, column: str, kind: str) -> tuple[ir.Table, dict[str, Scan]] | None:
    parts: list[ir.Table] = []
    inputs: dict[str, Scan] = {}
    stored = attempt.shop.scan(table.name) if table.mapping is None else None
    if stored is not None and stored.files:
        rows = unbound(stored)
        parts.append(rows.select(**{column: rows[column].cast(kind)}))
        inputs[stored.table] = stored
    if table.rows is not None and table.rows.good:
        good = table.rows.good_rows()
        parts.append(good.select(**{column: good[column].cast("string").try_cast(kind)}))
        inputs[table.rows.scan.table] = table.rows.scan
    return (reduce(lambda one, more: one.union(more), parts), inputs) if parts else None
